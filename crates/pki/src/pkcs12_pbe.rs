//! PKCS#12's own password-based encryption (RFC 7292, appendix C): SHA-1 and a cipher of its time.
//!
//! Written is pbeWithSHAAnd3-KeyTripleDES-CBC alone, for readers that know nothing newer: OpenSSL 3 reads RC2 with 40 bits, which broke
//! long ago, only when told to, and old readers take Triple DES for certificates too. Read is every block cipher of the appendix.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, KeyIvInit, KeySizeUser,
};
use der::oid::ObjectIdentifier;
use des::{TdesEde2, TdesEde3};
use pkcs12::kdf::Pkcs12KeyType;
use pkcs12::pbe_params::Pkcs12PbeParams;
use pkcs12::{
    PKCS_12_PBE_WITH_SHAAND2_KEY_TRIPLE_DES_CBC, PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC,
    PKCS_12_PBE_WITH_SHAAND40_BIT_RC4, PKCS_12_PBE_WITH_SHAAND128_BIT_RC2_CBC, PKCS_12_PBE_WITH_SHAAND128_BIT_RC4,
    PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC,
};
use rand::CryptoRng;
use rc2::Rc2;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::error::Error;
use super::pkcs12_kdf::derive;
use crate::element::{OCTET_STRING, SEQUENCE, element, integer, oid};

const STRUCTURE: &str = "pkcs-12PbeParams";

/// Salt in bytes.
const SALT_SIZE: usize = 8;
/// A block of DES and of RC2, in bytes.
const IV_SIZE: usize = 8;

/// The ciphers of RFC 7292, appendix C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cipher {
    /// Triple DES with three keys, CBC.
    ThreeKeyTripleDes,
    /// Triple DES with two keys, CBC.
    TwoKeyTripleDes,
    /// RC2 with 128 bits, CBC.
    Rc2With128Bits,
    /// RC2 with 40 bits, CBC.
    Rc2With40Bits,
    /// RC4 with 128 bits.
    Rc4With128Bits,
    /// RC4 with 40 bits.
    Rc4With40Bits,
}

impl Cipher {
    /// Whether it is Triple DES; the others broke long ago.
    pub(super) fn is_triple_des(self) -> bool {
        matches!(self, Self::ThreeKeyTripleDes | Self::TwoKeyTripleDes)
    }

    /// The size of its key in bytes.
    pub(super) fn key_size(self) -> usize {
        match self {
            Self::ThreeKeyTripleDes => 24,
            Self::TwoKeyTripleDes | Self::Rc2With128Bits | Self::Rc4With128Bits => 16,
            Self::Rc2With40Bits | Self::Rc4With40Bits => 5,
        }
    }

    /// The cipher that an algorithm stands for.
    pub(super) fn of(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm {
            PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC => Some(Self::ThreeKeyTripleDes),
            PKCS_12_PBE_WITH_SHAAND2_KEY_TRIPLE_DES_CBC => Some(Self::TwoKeyTripleDes),
            PKCS_12_PBE_WITH_SHAAND128_BIT_RC2_CBC => Some(Self::Rc2With128Bits),
            PKCS_12_PBEWITH_SHAAND40_BIT_RC2_CBC => Some(Self::Rc2With40Bits),
            PKCS_12_PBE_WITH_SHAAND128_BIT_RC4 => Some(Self::Rc4With128Bits),
            PKCS_12_PBE_WITH_SHAAND40_BIT_RC4 => Some(Self::Rc4With40Bits),
            _ => None,
        }
    }
}

/// The parameters of one of these algorithms.
pub(super) fn parameters(algorithm: &AlgorithmIdentifierOwned) -> Result<Pkcs12PbeParams, Error> {
    let parameters = algorithm.parameters.as_ref().ok_or_else(|| Error::malformed(STRUCTURE)(missing()))?;
    parameters.decode_as().map_err(Error::malformed(STRUCTURE))
}

fn missing() -> der::Error {
    der::ErrorKind::Length { tag: der::Tag::Sequence }.into()
}

/// Encrypts `clear` with Triple DES under a fresh salt. Returns the AlgorithmIdentifier, DER, and the ciphertext.
pub(super) fn encrypt(
    clear: &[u8],
    password: &[u8],
    iterations: u16,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let mut salt = [0; SALT_SIZE];
    rng.fill_bytes(&mut salt);
    let encrypted = encrypt_with(clear, password, &salt, iterations.into())?;
    let parameters = element(SEQUENCE, &[&element(OCTET_STRING, &[&salt]), &integer(iterations.into())]);
    Ok((element(SEQUENCE, &[&oid(PKCS_12_PBE_WITH_SHAAND3_KEY_TRIPLE_DES_CBC), &parameters]), encrypted))
}

fn encrypt_with(clear: &[u8], password: &[u8], salt: &[u8], iterations: i32) -> Result<Vec<u8>, Error> {
    let key = derive::<Sha1>(password, salt, Pkcs12KeyType::EncryptionKey, iterations, TdesEde3::key_size());
    let iv = derive::<Sha1>(password, salt, Pkcs12KeyType::Iv, iterations, IV_SIZE);
    cbc::Encryptor::<TdesEde3>::new_from_slices(&key, &iv)
        .map(|encryptor| encryptor.encrypt_padded_vec::<Pkcs7>(clear))
        .map_err(Error::encoding(STRUCTURE))
}

/// Decrypts with the cipher that `algorithm` stands for. Ciphertext whose padding is wrong is [`Error::WrongPassphrase`].
pub(super) fn decrypt(
    algorithm: ObjectIdentifier,
    parameters: &Pkcs12PbeParams,
    encrypted: &[u8],
    password: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let derive = |kind, size| derive::<Sha1>(password, parameters.salt.as_bytes(), kind, parameters.iterations, size);
    let key = |size| derive(Pkcs12KeyType::EncryptionKey, size);
    let iv = derive(Pkcs12KeyType::Iv, IV_SIZE);
    let rc2 = |bits: usize| Rc2::new_with_eff_key_len(&key(bits / 8), bits);
    match Cipher::of(algorithm) {
        Some(Cipher::ThreeKeyTripleDes) => decrypt_with(triple_des::<TdesEde3>(key)?, &iv, encrypted),
        Some(Cipher::TwoKeyTripleDes) => decrypt_with(triple_des::<TdesEde2>(key)?, &iv, encrypted),
        Some(Cipher::Rc2With128Bits) => decrypt_with(rc2(128), &iv, encrypted),
        Some(Cipher::Rc2With40Bits) => decrypt_with(rc2(40), &iv, encrypted),
        Some(Cipher::Rc4With128Bits | Cipher::Rc4With40Bits) | None => Err(Error::UnsupportedAlgorithm(algorithm)),
    }
}

fn triple_des<C: KeyInit>(key: impl Fn(usize) -> Zeroizing<Vec<u8>>) -> Result<C, Error> {
    C::new_from_slice(&key(C::key_size())).map_err(|e| Error::UnusableKey(e.to_string()))
}

fn decrypt_with<C: BlockCipherDecrypt>(cipher: C, iv: &[u8], encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    cbc::Decryptor::inner_iv_slice_init(cipher, iv)
        .ok()
        .and_then(|decryptor| decryptor.decrypt_padded_vec::<Pkcs7>(encrypted).ok())
        .map(Zeroizing::new)
        .ok_or(Error::WrongPassphrase)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use der::Decode;

    use super::*;
    use crate::key_pair::hex;
    use crate::pkcs12_kdf::password;

    fn correct() -> Zeroizing<Vec<u8>> {
        password("Correct-4-horse")
    }

    #[test]
    fn the_cipher_is_the_one_that_openssl_has() {
        // `openssl kdf … PKCS12KDF` with id 1 for the key and 2 for the IV (the passphrase as a BMPString with a zero at its
        // end), then `openssl enc -des-ede3-cbc`.
        let salt = [1, 2, 3, 4, 5, 6, 7, 8];
        let encrypted = encrypt_with(b"PrivateKeyInfo", &correct(), &salt, 10_000).unwrap();
        assert_eq!(hex(&encrypted), "1afc2382246ceaaf2bfe1dd6f66cc186");
    }

    #[test]
    fn the_parameters_are_those_it_was_encrypted_with() {
        let (algorithm, encrypted) = encrypt(b"PrivateKeyInfo", &correct(), 2, &mut rand::rng()).unwrap();
        let algorithm = AlgorithmIdentifierOwned::from_der(&algorithm).unwrap();
        let parameters = parameters(&algorithm).unwrap();
        assert_eq!((parameters.salt.as_bytes().len(), parameters.iterations), (8, 2));
        assert_eq!(*decrypt(algorithm.oid, &parameters, &encrypted, &correct()).unwrap(), b"PrivateKeyInfo");
    }

    #[test]
    fn the_same_bytes_never_look_the_same() {
        let encrypt = || encrypt(b"PrivateKeyInfo", &correct(), 1, &mut rand::rng()).unwrap();
        assert_ne!(encrypt(), encrypt());
    }
}
