//! PKCS#12's own password-based encryption (RFC 7292, appendix C): pbeWithSHAAnd3-KeyTripleDES-CBC.
//!
//! Written for readers that know nothing newer. The same appendix has RC2 with 40 bits, which broke long ago and which OpenSSL 3
//! reads only when told to; old readers take Triple DES for certificates too.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use der::asn1::{Any, OctetString};
use des::TdesEde3;
use pkcs12::PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use pkcs12::pbe_params::Pkcs12PbeParams;
use rand::CryptoRng;
use sha1::Sha1;
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::error::Error;
use crate::domain::passphrase::Passphrase;

const STRUCTURE: &str = "pkcs-12PbeParams";

/// Salt in bytes.
const SALT_SIZE: usize = 8;
/// Three keys of single DES, in bytes.
const KEY_SIZE: usize = 24;
/// A block of DES, in bytes.
const IV_SIZE: usize = 8;

/// Encrypts `clear` under a fresh salt. Returns the algorithm with its parameters, and the ciphertext.
pub(super) fn encrypt(
    clear: &[u8],
    passphrase: &Passphrase,
    iterations: i32,
    rng: &mut impl CryptoRng,
) -> Result<(AlgorithmIdentifierOwned, Vec<u8>), Error> {
    let mut salt = [0; SALT_SIZE];
    rng.fill_bytes(&mut salt);
    let encrypted = encrypt_with(clear, passphrase, &salt, iterations)?;
    let parameters = OctetString::new(salt)
        .and_then(|salt| Any::encode_from(&Pkcs12PbeParams { salt, iterations }))
        .map_err(Error::encoding(STRUCTURE))?;
    let algorithm =
        AlgorithmIdentifierOwned { oid: PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC, parameters: Some(parameters) };
    Ok((algorithm, encrypted))
}

fn encrypt_with(clear: &[u8], passphrase: &Passphrase, salt: &[u8], iterations: i32) -> Result<Vec<u8>, Error> {
    let derive = |kind, size| {
        derive_key_utf8::<Sha1>(passphrase.expose(), salt, kind, iterations, size)
            .map(Zeroizing::new)
            .map_err(Error::encoding(STRUCTURE))
    };
    let key = derive(Pkcs12KeyType::EncryptionKey, KEY_SIZE)?;
    let iv = derive(Pkcs12KeyType::Iv, IV_SIZE)?;
    cbc::Encryptor::<TdesEde3>::new_from_slices(&key, &iv)
        .map(|encryptor| encryptor.encrypt_padded_vec::<Pkcs7>(clear))
        .map_err(Error::encoding(STRUCTURE))
}

#[cfg(test)]
pub(super) mod testing {
    //! The way back, for the tests of the structures that are encrypted so.
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use cbc::cipher::BlockModeDecrypt;

    use super::*;

    /// Decrypts what [`encrypt`] made.
    pub(in crate::pki) fn decrypt(
        algorithm: &AlgorithmIdentifierOwned,
        encrypted: &[u8],
        passphrase: &Passphrase,
    ) -> Vec<u8> {
        assert_eq!(algorithm.oid, PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC);
        let parameters: Pkcs12PbeParams = algorithm.parameters.as_ref().unwrap().decode_as().unwrap();
        let derive = |kind, size| {
            let salt = parameters.salt.as_bytes();
            derive_key_utf8::<Sha1>(passphrase.expose(), salt, kind, parameters.iterations, size).unwrap()
        };
        let (key, iv) = (derive(Pkcs12KeyType::EncryptionKey, KEY_SIZE), derive(Pkcs12KeyType::Iv, IV_SIZE));
        cbc::Decryptor::<TdesEde3>::new_from_slices(&key, &iv).unwrap().decrypt_padded_vec::<Pkcs7>(encrypted).unwrap()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::pki::key_pair::hex;

    fn passphrase() -> Passphrase {
        Passphrase::new("Correct-4-horse".into())
    }

    #[test]
    fn the_cipher_is_the_one_that_openssl_has() {
        // `openssl kdf … PKCS12KDF` with id 1 for the key and 2 for the IV (the passphrase as a BMPString with a zero at its
        // end), then `openssl enc -des-ede3-cbc`.
        let salt = [1, 2, 3, 4, 5, 6, 7, 8];
        let encrypted = encrypt_with(b"PrivateKeyInfo", &passphrase(), &salt, 10_000).unwrap();
        assert_eq!(hex(&encrypted), "1afc2382246ceaaf2bfe1dd6f66cc186");
    }

    #[test]
    fn the_parameters_are_those_it_was_encrypted_with() {
        let (algorithm, encrypted) = encrypt(b"PrivateKeyInfo", &passphrase(), 2, &mut rand::rng()).unwrap();
        assert_eq!(testing::decrypt(&algorithm, &encrypted, &passphrase()), b"PrivateKeyInfo");
        let parameters: Pkcs12PbeParams = algorithm.parameters.unwrap().decode_as().unwrap();
        assert_eq!((parameters.salt.as_bytes().len(), parameters.iterations), (8, 2));
    }

    #[test]
    fn the_same_bytes_never_look_the_same() {
        let encrypt = || encrypt(b"PrivateKeyInfo", &passphrase(), 1, &mut rand::rng()).unwrap();
        assert_ne!(encrypt(), encrypt());
    }
}
