//! PKCS#8 EncryptedPrivateKeyInfo (RFC 5208, section 6): how a private key rests.
//!
//! PBES2 (RFC 8018, section 6.2) with scrypt (RFC 7914) and AES-256 in CBC mode. N = 2^14, r = 8, p = 5 is the strongest of
//! OWASP's equals that `openssl pkcs8` still reads, so that nobody is locked in. Java and GnuTLS know no scrypt: a key that
//! leaves for other programs is encrypted with PBKDF2 instead.
//!
//! scrypt gives as many bytes as one likes: those after the key of AES-256 are a second key, of HMAC-SHA-256. It authenticates what is kept with
//! the private key, and says nothing about the first. A key that was sealed since then has a salt of 24 bytes, and an older one of 16: the salt
//! cannot be changed without the passphrase, so it tells whether what comes with the key has to be authenticated.

use core::fmt;

use der::Decode;
use pkcs12::pbe_params::EncryptedPrivateKeyInfo;
use rand::CryptoRng;
use zeroize::Zeroizing;

use super::error::Error;
use super::key_derivation::{KEY_SIZE, Pbkdf2};
use super::password_based_encryption::{self, Budget, Encryption, Secret};
use super::pbes2::{self, Derivation, Scheme};
use crate::element::{Elements, OCTET_STRING, SEQUENCE, element};

const STRUCTURE: &str = "EncryptedPrivateKeyInfo";

/// scrypt's costs: N = 2^14, r = 8, p = 5.
const SCRYPT: Derivation = Derivation::Scrypt { n: 1 << 14, r: 8, p: 5 };
/// The salt of a key that authenticates, in bytes.
const AUTHENTICATING_SALT_SIZE: usize = 24;
/// PBKDF2's iterations for other programs: OWASP's count for HMAC-SHA-256.
const PBKDF2_ITERATIONS: u32 = 600_000;

/// The derivations of a warm-up, each with N = 8: 10 ms in all.
const WARM_UPS: usize = 200;

/// A key of HMAC-SHA-256, which authenticates the things that are kept with a private key; wiped when dropped.
pub type AuthenticationKey = Zeroizing<[u8; KEY_SIZE]>;

/// A key that was derived from a passphrase, to encrypt one PrivateKeyInfo, which need not be there yet. Wiped when dropped, and never printed.
pub struct SealingKey {
    scheme: Scheme,
    key: Zeroizing<[u8; KEY_SIZE]>,
    authentication_key: AuthenticationKey,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// Derives it from a passphrase and a random salt: this takes long.
    pub fn derive(passphrase: &str, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        Self::derive_by(Scheme::new(SCRYPT, AUTHENTICATING_SALT_SIZE, rng), passphrase)
    }

    fn derive_by(scheme: Scheme, passphrase: &str) -> Result<Self, Error> {
        let (key, authentication_key) = two_keys(&scheme, passphrase)?;
        Ok(Self { scheme, key, authentication_key })
    }

    /// Encrypts a PrivateKeyInfo. Returns DER, and the key that was derived beside the encrypting one.
    pub fn seal(self, private_key_info: &[u8]) -> (Vec<u8>, AuthenticationKey) {
        let encrypted = self.scheme.encrypt_with(&self.key, private_key_info);
        (encode(&self.scheme.encode(), &encrypted), self.authentication_key)
    }
}

/// Encrypts a PrivateKeyInfo under a passphrase, to rest in this browser. Returns DER, and the key that was derived beside the encrypting one.
pub fn seal(
    private_key_info: &[u8],
    passphrase: &str,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, AuthenticationKey), Error> {
    Ok(SealingKey::derive(passphrase, rng)?.seal(private_key_info))
}

/// Derives keys of no secret with little work, again and again, so that a browser has compiled scrypt well by the time a key is sealed or opened.
pub fn warm_up() {
    let mut key = [0; KEY_SIZE];
    for _ in 0..WARM_UPS {
        // These costs are allowed: no error is possible.
        let _ = pbes2::scrypt(b"", b"", 8, 8, 1, &mut key);
        core::hint::black_box(&mut key);
    }
}

/// The same as it was before keys authenticated.
#[cfg(any(test, feature = "testing"))]
pub fn seal_as_before(
    private_key_info: &[u8],
    passphrase: &str,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, AuthenticationKey), Error> {
    let scheme = Scheme::new(SCRYPT, super::pbes2::SALT_SIZE, rng);
    Ok(SealingKey::derive_by(scheme, passphrase)?.seal(private_key_info))
}

/// True if a sealed key, DER, demands that what is kept with it is authenticated.
pub fn authenticates(encrypted_private_key_info: &[u8]) -> bool {
    let scheme = parts(encrypted_private_key_info).and_then(|(algorithm, _)| Scheme::decode(algorithm));
    scheme.is_ok_and(|scheme| scheme.salt_size() == AUTHENTICATING_SALT_SIZE)
}

/// The contents of the AlgorithmIdentifier, and the ciphertext.
fn parts(encrypted_private_key_info: &[u8]) -> Result<(Elements<'_>, &[u8]), Error> {
    let malformed = Error::malformed(STRUCTURE);
    let mut info = Elements::within(SEQUENCE, encrypted_private_key_info).map_err(&malformed)?;
    let algorithm = info.next_sequence().map_err(&malformed)?;
    let encrypted = info.next(OCTET_STRING).map_err(&malformed)?;
    info.finish().map_err(&malformed)?;
    Ok((algorithm, encrypted))
}

/// Derives the key that encrypts, and the one that authenticates.
fn two_keys(scheme: &Scheme, passphrase: &str) -> Result<(Zeroizing<[u8; KEY_SIZE]>, AuthenticationKey), Error> {
    let mut keys = Zeroizing::new([[0; KEY_SIZE]; 2]);
    scheme.derive(passphrase.as_bytes(), keys.as_flattened_mut())?;
    let [key, authentication_key] = &*keys;
    Ok((Zeroizing::new(*key), Zeroizing::new(*authentication_key)))
}

/// The EncryptedPrivateKeyInfo, DER; `algorithm` is an AlgorithmIdentifier.
pub(super) fn encode(algorithm: &[u8], encrypted: &[u8]) -> Vec<u8> {
    element(SEQUENCE, &[algorithm, &element(OCTET_STRING, &[encrypted])])
}

/// The encryption of a PrivateKeyInfo for other programs, whose key is being derived: PBKDF2 with HMAC-SHA-256, and AES-256 in CBC mode.
///
/// Tried with OpenSSL 3.0, GnuTLS 3.7, Java 17 and Python's `cryptography`; scrypt fails in GnuTLS and Java.
pub struct Export(pbes2::Encryption);

/// Begins to encrypt for other programs under `passphrase`.
pub async fn begin_export(passphrase: &str, pbkdf2: &impl Pbkdf2, rng: &mut impl CryptoRng) -> Export {
    Export(pbes2::begin(PBKDF2_ITERATIONS, passphrase, pbkdf2, rng).await)
}

impl Export {
    /// Encrypts a PrivateKeyInfo. Returns the EncryptedPrivateKeyInfo, DER.
    pub async fn encrypt(self, private_key_info: &[u8]) -> Vec<u8> {
        let (algorithm, encrypted) = self.0.encrypt(private_key_info).await;
        encode(&algorithm, &encrypted)
    }
}

/// Decrypts an EncryptedPrivateKeyInfo that was encrypted here. Returns the PrivateKeyInfo in the clear, wiped when dropped, and the key that
/// was derived beside the encrypting one.
///
/// Its costs are bounded: it may have come back in a backup, which anybody can have changed.
pub fn open(
    encrypted_private_key_info: &[u8],
    passphrase: &str,
) -> Result<(Zeroizing<Vec<u8>>, AuthenticationKey), Error> {
    let (algorithm, encrypted) = parts(encrypted_private_key_info)?;
    let scheme = Scheme::decode(algorithm)?;
    let (key, authentication_key) = two_keys(&scheme, passphrase)?;
    Ok((check_private_key_info(scheme.decrypt_with(&key, encrypted)?)?, authentication_key))
}

/// The same without the key that authenticates.
pub fn decrypt(encrypted_private_key_info: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    open(encrypted_private_key_info, passphrase).map(|(clear, _)| clear)
}

/// Decrypts an EncryptedPrivateKeyInfo from elsewhere, within a budget that it shares with others.
pub fn decrypt_with(
    encrypted_private_key_info: &[u8],
    secret: &Secret,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let info = EncryptedPrivateKeyInfo::from_der(encrypted_private_key_info).map_err(Error::malformed(STRUCTURE))?;
    let encrypted = info.encrypted_data.as_bytes();
    let clear = password_based_encryption::decrypt(&info.encryption_algorithm, encrypted, secret, budget)?;
    check_private_key_info(clear)
}

/// Looks at what was decrypted: one wrong passphrase in about 256 leaves padding that looks right.
fn check_private_key_info(clear: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let looks_like_one = || {
        let mut info = Elements::within(SEQUENCE, &clear)?;
        info.next_u32()?;
        info.next_sequence()?.next_oid()?;
        info.next(OCTET_STRING)
    };
    looks_like_one().map_err(|_| Error::WrongPassphrase)?;
    Ok(clear)
}

/// How an EncryptedPrivateKeyInfo is encrypted.
pub fn encryption(encrypted_private_key_info: &[u8]) -> Result<Encryption, Error> {
    let info = EncryptedPrivateKeyInfo::from_der(encrypted_private_key_info).map_err(Error::malformed(STRUCTURE))?;
    Ok(password_based_encryption::describe(&info.encryption_algorithm))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use pkcs5::pbes2::Kdf;
    use pkcs8::EncryptedPrivateKeyInfoOwned;
    use pollster::block_on;

    use super::*;
    use crate::key_derivation::OnThisThread;
    use crate::testing::key_pair;

    const PASSPHRASE: &str = "Correct-4-horse";

    fn exported(clear: &[u8]) -> Vec<u8> {
        block_on(async { begin_export(PASSPHRASE, &OnThisThread, &mut rand::rng()).await.encrypt(clear).await })
    }

    #[test]
    fn a_key_comes_back_under_its_passphrase_alone() {
        let clear = key_pair().to_private_key_info().unwrap();
        let sealed = seal(&clear, PASSPHRASE, &mut rand::rng()).unwrap().0;
        assert_eq!(decrypt(&sealed, PASSPHRASE).unwrap(), clear);
        for wrong in ["correct-4-horse", "Correct-4-horse ", ""] {
            assert_eq!(decrypt(&sealed, wrong), Err(Error::WrongPassphrase));
        }
    }

    #[test]
    fn the_key_that_authenticates_comes_back_under_the_passphrase() {
        let clear = key_pair().to_private_key_info().unwrap();
        let (sealed, authentication_key) = seal(&clear, PASSPHRASE, &mut rand::rng()).unwrap();
        assert_eq!(open(&sealed, PASSPHRASE).unwrap(), (clear.clone(), authentication_key.clone()));
        assert!(authenticates(&sealed));
        let (before, _) = seal_as_before(&clear, PASSPHRASE, &mut rand::rng()).unwrap();
        let exported = exported(&clear);
        assert!(!authenticates(&before) && !authenticates(&exported) && !authenticates(b""));
        let info = EncryptedPrivateKeyInfoOwned::from_der(&sealed).unwrap();
        let Kdf::Scrypt(costs) = &info.encryption_algorithm.pbes2().unwrap().kdf else { unreachable!() };
        let params = scrypt::Params::new(14, 8, 5).unwrap();
        let mut keys = [0; 64];
        scrypt::scrypt(PASSPHRASE.as_bytes(), costs.salt.as_bytes(), &params, &mut keys).unwrap();
        assert_eq!(keys[32..], authentication_key[..], "it is the second half of what scrypt gives");
    }

    #[test]
    fn the_same_key_never_looks_the_same() {
        let clear = key_pair().to_private_key_info().unwrap();
        let sealed = || seal(&clear, PASSPHRASE, &mut rand::rng()).unwrap();
        let (one, other) = (sealed(), sealed());
        assert!(one.0 != other.0 && one.1 != other.1);
        let export = || exported(&clear);
        assert_ne!(export(), export());
    }

    #[test]
    fn a_key_for_other_programs_has_a_derivation_that_they_know() {
        let clear = key_pair().to_private_key_info().unwrap();
        let exported = exported(&clear);
        assert_eq!(decrypt(&exported, PASSPHRASE).unwrap(), clear);
        assert_eq!(decrypt(&exported, "wrong"), Err(Error::WrongPassphrase));
        let info = EncryptedPrivateKeyInfoOwned::from_der(&exported).unwrap();
        let derivation = &info.encryption_algorithm.pbes2().unwrap().kdf;
        assert!(matches!(derivation, Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count == 600_000), "{derivation:?}");
    }

    #[test]
    fn padding_that_looks_right_is_no_proof() {
        let (algorithm, encrypted) = block_on(async {
            pbes2::begin(1, PASSPHRASE, &OnThisThread, &mut rand::rng()).await.encrypt(b"not a private key").await
        });
        let sealed = encode(&algorithm, &encrypted);
        assert_eq!(decrypt(&sealed, PASSPHRASE), Err(Error::WrongPassphrase));
    }

    #[test]
    fn ruinous_parameters_are_refused() {
        for derivation in [
            Derivation::Scrypt { n: 1 << 24, r: 8, p: 1 },
            Derivation::Scrypt { n: 0, r: 8, p: 1 },
            Derivation::Scrypt { n: 1 << 14, r: 0, p: 1 },
            Derivation::Pbkdf2 { iterations: 100_000_000 },
        ] {
            let algorithm = Scheme::new(derivation, 16, &mut rand::rng()).encode();
            let sealed = element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[&[0; 32]])]);
            assert_eq!(decrypt(&sealed, PASSPHRASE), Err(Error::DerivationTooCostly), "{derivation:?}");
        }
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let clear = key_pair().to_private_key_info().unwrap();
        let sealed = seal(&clear, PASSPHRASE, &mut rand::rng()).unwrap().0;
        for length in [0, 1, 20, sealed.len() - 1] {
            assert!(decrypt(&sealed[..length], PASSPHRASE).is_err());
        }
    }
}
