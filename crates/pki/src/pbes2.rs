//! PBES2 (RFC 8018, section 6.2) as Keyside writes it: scrypt (RFC 7914) or PBKDF2 with HMAC-SHA-256 for the key, and AES-256 in CBC mode.
//!
//! PBES2 has a second reader, [`password_based_encryption`](super::password_based_encryption), for files from elsewhere. It brings the crate
//! `pkcs5` with every cipher and hash that a file may name, which the main job's worker would load for nothing: without it, and with the subject
//! and random bytes from elsewhere, that worker went from 254,579 to 214,908 bytes (`docs/worker-size.md`). `pkcs5` also leaves derived keys in memory.

use aes::{Aes256Dec, Aes256Enc};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use der::oid::ObjectIdentifier;
use der::{ErrorKind, Tag};
use pbkdf2::pbkdf2_hmac;
use rand::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::Error;
use super::key_derivation::{Deriving, KEY_SIZE, Pbkdf2};
use super::password_based_encryption::Budget;
use crate::element::{Elements, INTEGER, NULL, OCTET_STRING, SEQUENCE, element, integer, oid};

const STRUCTURE: &str = "PBES2-params";
/// PBES2 and what it is made with (RFC 8018, appendices A and B; RFC 7914, section 7; RFC 3565, section 4.1).
pub(super) const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
pub(super) const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
pub(super) const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
pub(super) const HMAC_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
pub(super) const HMAC_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
pub(super) const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
/// A block of AES in bytes.
const IV_SIZE: usize = 16;
/// Salt in bytes.
pub(super) const SALT_SIZE: usize = 16;

/// How something is encrypted.
#[derive(Debug)]
pub(super) struct Scheme {
    derivation: Derivation,
    salt: Vec<u8>,
    iv: [u8; IV_SIZE],
}

/// What makes a key of a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Derivation {
    /// scrypt.
    Scrypt {
        /// Its cost parameter N.
        n: u32,
        /// Its block size r.
        r: u32,
        /// Its parallelization p.
        p: u32,
    },
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 {
        /// How often the hash is applied.
        iterations: u32,
    },
}

impl Scheme {
    /// Under fresh salt and IV; `salt_size` is in bytes.
    pub(super) fn new(derivation: Derivation, salt_size: usize, rng: &mut impl CryptoRng) -> Self {
        let mut salt = vec![0; salt_size];
        let mut iv = [0; IV_SIZE];
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut iv);
        Self { derivation, salt, iv }
    }

    /// The salt's size in bytes.
    pub(super) fn salt_size(&self) -> usize {
        self.salt.len()
    }

    /// The AlgorithmIdentifier, DER.
    pub(super) fn encode(&self) -> Vec<u8> {
        let salt = element(OCTET_STRING, &[&self.salt]);
        let derivation = match self.derivation {
            Derivation::Scrypt { n, r, p } => {
                let parameters = element(SEQUENCE, &[&salt, &integer(n), &integer(r), &integer(p)]);
                element(SEQUENCE, &[&oid(SCRYPT), &parameters])
            }
            Derivation::Pbkdf2 { iterations } => {
                let hash = element(SEQUENCE, &[&oid(HMAC_WITH_SHA_256), NULL]);
                let parameters = element(SEQUENCE, &[&salt, &integer(iterations), &hash]);
                element(SEQUENCE, &[&oid(PBKDF2), &parameters])
            }
        };
        let encryption = element(SEQUENCE, &[&oid(AES_256_CBC), &element(OCTET_STRING, &[&self.iv])]);
        element(SEQUENCE, &[&oid(PBES2), &element(SEQUENCE, &[&derivation, &encryption])])
    }

    /// Reads the contents of an AlgorithmIdentifier. What Keyside does not write is [`Error::UnsupportedAlgorithm`].
    pub(super) fn decode(mut algorithm: Elements<'_>) -> Result<Self, Error> {
        let malformed = Error::malformed(STRUCTURE);
        let scheme = algorithm.next_oid().map_err(&malformed)?;
        if scheme != PBES2 {
            return Err(Error::UnsupportedAlgorithm(scheme));
        }
        let mut parameters = algorithm.next_sequence().map_err(&malformed)?;
        let mut derivation = parameters.next_sequence().map_err(&malformed)?;
        let mut encryption = parameters.next_sequence().map_err(&malformed)?;
        parameters.finish().map_err(&malformed)?;

        let function = derivation.next_oid().map_err(&malformed)?;
        let mut parameters = derivation.next_sequence().map_err(&malformed)?;
        let salt = parameters.next(OCTET_STRING).map_err(&malformed)?.to_vec();
        let derivation = match function {
            SCRYPT => {
                let mut next = || parameters.next_u32().map_err(&malformed);
                Derivation::Scrypt { n: next()?, r: next()?, p: next()? }
            }
            PBKDF2 => {
                let iterations = parameters.next_u32().map_err(&malformed)?;
                // The length of the key may stand here; without a hash it is HMAC-SHA-1.
                parameters.next_if(INTEGER).map_err(&malformed)?;
                if parameters.is_finished() {
                    return Err(Error::UnsupportedAlgorithm(HMAC_WITH_SHA_1));
                }
                let hash = parameters.next_sequence().and_then(|mut hash| hash.next_oid()).map_err(&malformed)?;
                if hash != HMAC_WITH_SHA_256 {
                    return Err(Error::UnsupportedAlgorithm(hash));
                }
                Derivation::Pbkdf2 { iterations }
            }
            other => return Err(Error::UnsupportedAlgorithm(other)),
        };

        let cipher = encryption.next_oid().map_err(&malformed)?;
        if cipher != AES_256_CBC {
            return Err(Error::UnsupportedAlgorithm(cipher));
        }
        let iv = encryption.next(OCTET_STRING).map_err(&malformed)?;
        let iv = iv.try_into().map_err(|_| malformed(ErrorKind::Length { tag: Tag::OctetString }.into()))?;
        Ok(Self { derivation, salt, iv })
    }

    /// Encrypts `clear` with a key that [`Self::derive`] gave.
    pub(super) fn encrypt_with(&self, key: &[u8; KEY_SIZE], clear: &[u8]) -> Vec<u8> {
        cbc::Encryptor::<Aes256Enc>::new(key.into(), &self.iv.into()).encrypt_padded_vec::<Pkcs7>(clear)
    }

    /// Decrypts with a key that [`Self::derive`] gave. Ciphertext whose padding is wrong is [`Error::WrongPassphrase`].
    pub(super) fn decrypt_with(&self, key: &[u8; KEY_SIZE], encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        cbc::Decryptor::<Aes256Dec>::new(key.into(), &self.iv.into())
            .decrypt_padded_vec::<Pkcs7>(encrypted)
            .map(Zeroizing::new)
            .map_err(|_| Error::WrongPassphrase)
    }

    /// Fills `keys` with what is derived of `passphrase`, within bounds. The first [`KEY_SIZE`] bytes are the same for each length.
    pub(super) fn derive(&self, passphrase: &[u8], keys: &mut [u8]) -> Result<(), Error> {
        let mut budget = Budget::default();
        match self.derivation {
            Derivation::Scrypt { n, r, p } => {
                budget.spend_on_scrypt(n.into(), r.into(), p.into())?;
                scrypt(passphrase, &self.salt, n, r, p, keys)
            }
            Derivation::Pbkdf2 { iterations } => {
                budget.spend(u64::from(iterations) * keys.len().div_ceil(KEY_SIZE) as u64)?;
                pbkdf2_hmac::<Sha256>(passphrase, &self.salt, iterations, keys);
                Ok(())
            }
        }
    }
}

/// An encryption whose key is being derived.
pub(super) struct Encryption {
    scheme: Scheme,
    key: Deriving,
}

/// Begins to derive the key of an encryption under `passphrase`, with PBKDF2, fresh salt and IV.
pub(super) async fn begin(
    iterations: u32,
    passphrase: &str,
    pbkdf2: &impl Pbkdf2,
    rng: &mut impl CryptoRng,
) -> Encryption {
    let scheme = Scheme::new(Derivation::Pbkdf2 { iterations }, SALT_SIZE, rng);
    let key = pbkdf2.begin(passphrase.as_bytes(), &scheme.salt, iterations).await;
    Encryption { scheme, key }
}

impl Encryption {
    /// Encrypts. Returns the AlgorithmIdentifier, DER, and the ciphertext.
    pub(super) async fn encrypt(self, clear: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let encrypted = self.scheme.encrypt_with(&*self.key.await, clear);
        (self.scheme.encode(), encrypted)
    }
}

/// scrypt (RFC 7914) fills `key`. `n` is a power of two, as [`Budget::spend_on_scrypt`] makes sure of.
pub(super) fn scrypt(passphrase: &[u8], salt: &[u8], n: u32, r: u32, p: u32, key: &mut [u8]) -> Result<(), Error> {
    let log2_n = u8::try_from(n.trailing_zeros()).map_err(|_| Error::DerivationTooCostly)?;
    let costs = scrypt::Params::new(log2_n, r, p).map_err(|_| Error::DerivationTooCostly)?;
    scrypt::scrypt(passphrase, salt, &costs, key).map_err(|_| Error::DerivationTooCostly)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use der::{Decode, Encode};
    use pkcs5::pbes2::{Parameters, Pbkdf2Params, Pbkdf2Prf};
    use pkcs5::{EncryptionScheme, scrypt};

    use super::*;

    const CLEAR: &[u8] = b"PrivateKeyInfo";
    const DERIVATIONS: [Derivation; 2] =
        [Derivation::Scrypt { n: 1 << 14, r: 8, p: 1 }, Derivation::Pbkdf2 { iterations: 600_000 }];

    fn decode(der: &[u8]) -> Result<Scheme, Error> {
        Scheme::decode(Elements::within(SEQUENCE, der).unwrap())
    }

    #[test]
    fn the_crate_pkcs5_reads_what_is_written() {
        for derivation in DERIVATIONS {
            let scheme = Scheme::new(derivation, SALT_SIZE, &mut rand::rng());
            let mut key = [0; KEY_SIZE];
            scheme.derive(b"Correct-4-horse", &mut key).unwrap();
            let encrypted = scheme.encrypt_with(&key, CLEAR);
            let other = EncryptionScheme::from_der(&scheme.encode()).unwrap();
            assert_eq!(other.decrypt("Correct-4-horse", &encrypted).unwrap(), CLEAR);
            assert_eq!(other.to_der().unwrap(), scheme.encode());
            let decrypted = |passphrase| {
                let (scheme, mut key) = (decode(&scheme.encode()).unwrap(), [0; KEY_SIZE]);
                scheme.derive(passphrase, &mut key).unwrap();
                scheme.decrypt_with(&key, &encrypted)
            };
            assert_eq!(*decrypted(b"Correct-4-horse").unwrap(), CLEAR);
            assert_eq!(decrypted(b"wrong"), Err(Error::WrongPassphrase));
        }
    }

    #[test]
    fn what_keyside_does_not_write_is_named() {
        let costs = scrypt::Params::new(4, 8, 1).unwrap();
        let aes_128 = Parameters::generate_scrypt_aes128cbc(costs, b"saltsalt", [7; 16]).unwrap();
        let mut kdf = Pbkdf2Params::hmac_sha256(2, b"saltsalt").unwrap();
        kdf.prf = Pbkdf2Prf::HmacWithSha1;
        let encryption = pkcs5::pbes2::EncryptionScheme::Aes256Cbc { iv: [7; 16] };
        let sha_1 = Parameters { kdf: kdf.into(), encryption };
        kdf.prf = Pbkdf2Prf::HmacWithSha512;
        let sha_512 = Parameters { kdf: kdf.into(), encryption };
        for (parameters, oid) in
            [(aes_128, pkcs5::pbes2::AES_128_CBC_OID), (sha_1, HMAC_WITH_SHA_1), (sha_512, kdf.prf.oid())]
        {
            let outcome = decode(&EncryptionScheme::from(parameters).to_der().unwrap());
            assert_eq!(outcome.map(|_| ()), Err(Error::UnsupportedAlgorithm(oid)));
        }
    }
}
