//! PBES2 (RFC 8018, section 6.2) as Keyside writes it: scrypt (RFC 7914) or PBKDF2 with HMAC-SHA-256 for the key, and AES-256 in CBC mode.
//!
//! The structures are the crate `pkcs5`'s. Its own encryption is passed by: it brings every cipher and hash that a file from elsewhere
//! may name, which the main job's worker would carry for nothing, and it leaves derived keys in memory.

use aes::{Aes256Dec, Aes256Enc};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use pbkdf2::pbkdf2_hmac;
use pkcs5::pbes2::{EncryptionScheme, Kdf, Parameters, Pbkdf2Prf};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::Error;

const STRUCTURE: &str = "PBES2-params";
/// A key of AES-256 in bytes.
const KEY_SIZE: usize = 32;

/// Encrypts `clear` under `passphrase`.
pub(super) fn encrypt(parameters: &Parameters, passphrase: &[u8], clear: &[u8]) -> Result<Vec<u8>, Error> {
    let (key, iv) = key_and_iv(parameters, passphrase)?;
    let encryptor = cbc::Encryptor::<Aes256Enc>::new_from_slices(&*key, &iv).map_err(Error::encoding(STRUCTURE))?;
    Ok(encryptor.encrypt_padded_vec::<Pkcs7>(clear))
}

/// Decrypts what [`encrypt`] has made. Ciphertext whose padding is wrong is [`Error::WrongPassphrase`]; what the derivation costs is the
/// caller's to bound.
pub(super) fn decrypt(
    parameters: &Parameters,
    passphrase: &[u8],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (key, iv) = key_and_iv(parameters, passphrase)?;
    cbc::Decryptor::<Aes256Dec>::new_from_slices(&*key, &iv)
        .map_err(Error::encoding(STRUCTURE))?
        .decrypt_padded_vec::<Pkcs7>(encrypted)
        .map(Zeroizing::new)
        .map_err(|_| Error::WrongPassphrase)
}

/// Derives the key. Other algorithms than Keyside writes are [`Error::UnsupportedAlgorithm`].
fn key_and_iv(parameters: &Parameters, passphrase: &[u8]) -> Result<(Zeroizing<[u8; KEY_SIZE]>, [u8; 16]), Error> {
    let EncryptionScheme::Aes256Cbc { iv } = parameters.encryption else {
        return Err(Error::UnsupportedAlgorithm(parameters.encryption.oid()));
    };
    let mut key = Zeroizing::new([0; KEY_SIZE]);
    match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let unusable = Error::UnsupportedAlgorithm(parameters.kdf.oid());
            let costs = pkcs5::scrypt::Params::try_from(scrypt).map_err(|_| unusable.clone())?;
            pkcs5::scrypt::scrypt(passphrase, scrypt.salt.as_ref(), &costs, &mut *key).map_err(|_| unusable)?;
        }
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.prf == Pbkdf2Prf::HmacWithSha256 => {
            pbkdf2_hmac::<Sha256>(passphrase, pbkdf2.salt.as_ref(), pbkdf2.iteration_count, &mut *key);
        }
        Kdf::Pbkdf2(pbkdf2) => return Err(Error::UnsupportedAlgorithm(pbkdf2.prf.oid())),
        other => return Err(Error::UnsupportedAlgorithm(other.oid())),
    }
    Ok((key, iv))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    const CLEAR: &[u8] = b"PrivateKeyInfo";

    fn parameters() -> [Parameters; 2] {
        let costs = pkcs5::scrypt::Params::new(4, 8, 1).unwrap();
        [
            Parameters::generate_scrypt_aes256cbc(costs, b"saltsalt", [7; 16]).unwrap(),
            Parameters::generate_pbkdf2_sha256_aes256cbc(2, b"saltsalt", [7; 16]).unwrap(),
        ]
    }

    #[test]
    fn the_ciphertext_is_the_one_that_the_crate_pkcs5_has() {
        for parameters in parameters() {
            let encrypted = encrypt(&parameters, b"Correct-4-horse", CLEAR).unwrap();
            assert_eq!(parameters.encrypt("Correct-4-horse", CLEAR).unwrap(), encrypted);
            assert_eq!(*decrypt(&parameters, b"Correct-4-horse", &encrypted).unwrap(), CLEAR);
            assert_eq!(decrypt(&parameters, b"wrong", &encrypted), Err(Error::WrongPassphrase));
        }
    }

    #[test]
    fn what_keyside_does_not_write_is_named() {
        let [with_scrypt, with_pbkdf2] = parameters();
        let encryption = EncryptionScheme::Aes128Cbc { iv: [7; 16] };
        let other = Parameters { encryption, ..with_scrypt };
        assert_eq!(decrypt(&other, b"x", &[0; 16]), Err(Error::UnsupportedAlgorithm(encryption.oid())));
        let Kdf::Pbkdf2(mut pbkdf2) = with_pbkdf2.kdf.clone() else { unreachable!() };
        pbkdf2.prf = Pbkdf2Prf::HmacWithSha1;
        let other = Parameters { kdf: pbkdf2.into(), ..with_pbkdf2 };
        assert_eq!(encrypt(&other, b"x", CLEAR), Err(Error::UnsupportedAlgorithm(pbkdf2.prf.oid())));
    }
}
