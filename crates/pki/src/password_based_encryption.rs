//! Password-based encryption, as an AlgorithmIdentifier names it: PBES2 (RFC 8018, section 6.2) and PKCS#12's own (RFC 7292,
//! appendix C).
//!
//! This reader accepts what a file from elsewhere may name; `pbes2` says why Keyside's own keys have another one.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use der::asn1::{Any, OctetStringRef};
use der::oid::ObjectIdentifier;
use des::TdesEde3;
use pbkdf2::pbkdf2_hmac;
use pkcs5::pbes2::{
    AES_128_CBC_OID, AES_128_GCM_OID, AES_192_CBC_OID, AES_256_CBC_OID, AES_256_GCM_OID, Kdf, PBES2_OID, Parameters,
    Pbkdf2Params, Pbkdf2Prf,
};
use pkcs12::pbe_params::Pbes2Params;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};
use zeroize::Zeroizing;

use super::error::Error;
use super::{pkcs12_kdf, pkcs12_pbe};

/// Triple DES with three keys in CBC mode (RFC 8018, appendix B.2.2).
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");
/// Three keys of single DES, in bytes.
const TRIPLE_DES_KEY_SIZE: usize = 24;

/// The most memory (128·r·(N + p)) that a scrypt derivation may ask for, in bytes.
const MAXIMUM_SCRYPT_MEMORY: u128 = 256 * 1024 * 1024;
/// scrypt's work (128·N·r·p, in bytes) that counts as one iteration of the other derivations.
const SCRYPT_WORK_OF_AN_ITERATION: u128 = 256;

/// The iterations that the derivations for one file may take together: a file from elsewhere names its own, and what it names should not
/// bring a browser down.
pub struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(10_000_000)
    }
}

impl Budget {
    /// Takes `iterations` off, or refuses.
    pub(super) fn spend(&mut self, iterations: u64) -> Result<(), Error> {
        self.0 = self.0.checked_sub(iterations).ok_or(Error::DerivationTooCostly)?;
        Ok(())
    }

    /// Takes the costs of `derivation` off, or refuses.
    fn spend_on(&mut self, derivation: &Kdf) -> Result<(), Error> {
        let iterations = match derivation {
            Kdf::Scrypt(scrypt) => {
                let (r, p) = (scrypt.block_size.into(), scrypt.parallelization.into());
                return self.spend_on_scrypt(scrypt.cost_parameter, r, p);
            }
            Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count,
            _ => return Err(Error::UnsupportedAlgorithm(derivation.oid())),
        };
        self.spend(iterations.into())
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
        let iterations = block * n * p / SCRYPT_WORK_OF_AN_ITERATION;
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
    pub(super) fn of(prf: Pbkdf2Prf) -> Option<Self> {
        match prf {
            Pbkdf2Prf::HmacWithSha1 => Some(Self::Sha1),
            Pbkdf2Prf::HmacWithSha224 => Some(Self::Sha224),
            Pbkdf2Prf::HmacWithSha256 => Some(Self::Sha256),
            Pbkdf2Prf::HmacWithSha384 => Some(Self::Sha384),
            Pbkdf2Prf::HmacWithSha512 => Some(Self::Sha512),
            _ => None,
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
    /// AES with keys of 128 bits, GCM.
    Aes128Gcm,
    /// AES with keys of 256 bits, GCM.
    Aes256Gcm,
    /// Triple DES with three keys, CBC.
    TripleDesCbc,
}

impl Cipher {
    fn of(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm {
            AES_128_CBC_OID => Some(Self::Aes128Cbc),
            AES_192_CBC_OID => Some(Self::Aes192Cbc),
            AES_256_CBC_OID => Some(Self::Aes256Cbc),
            AES_128_GCM_OID => Some(Self::Aes128Gcm),
            AES_256_GCM_OID => Some(Self::Aes256Gcm),
            DES_EDE3_CBC => Some(Self::TripleDesCbc),
            _ => None,
        }
    }
}

/// What an algorithm and its parameters say of an encryption.
pub(super) fn describe(algorithm: &AlgorithmIdentifierOwned) -> Encryption {
    let described = match pkcs12_pbe::Cipher::of(algorithm.oid) {
        Some(cipher) => pkcs12_pbe::parameters(algorithm)
            .ok()
            .and_then(|parameters| u32::try_from(parameters.iterations).ok())
            .map(|iterations| Encryption::Pkcs12 { cipher, iterations }),
        None => pbes2_parameters(algorithm).ok().and_then(|parameters| {
            let derivation = describe_derivation(&derivation_of(&parameters).ok()?)?;
            let cipher = Cipher::of(parameters.encryption.oid)?;
            Some(Encryption::Pbes2 { derivation, cipher })
        }),
    };
    described.unwrap_or_else(|| Encryption::Other(algorithm.oid.to_string()))
}

fn describe_derivation(derivation: &Kdf) -> Option<Derivation> {
    match derivation {
        Kdf::Pbkdf2(pbkdf2) => {
            Some(Derivation::Pbkdf2 { hash: HashFunction::of(pbkdf2.prf)?, iterations: pbkdf2.iteration_count })
        }
        Kdf::Scrypt(scrypt) => {
            let memory = scrypt.cost_parameter.checked_mul(128)?.checked_mul(u64::from(scrypt.block_size))?;
            Some(Derivation::Scrypt { memory })
        }
        _ => None,
    }
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
    if pkcs12_pbe::Cipher::of(algorithm.oid).is_some() {
        let parameters = pkcs12_pbe::parameters(algorithm)?;
        budget.spend(u64::try_from(parameters.iterations).map_err(|_| Error::DerivationTooCostly)?)?;
        return pkcs12_pbe::decrypt(algorithm.oid, &parameters, encrypted, &secret.pkcs12);
    }
    let parameters = pbes2_parameters(algorithm)?;
    let derivation = derivation_of(&parameters)?;
    match Cipher::of(parameters.encryption.oid) {
        None => Err(Error::UnsupportedAlgorithm(parameters.encryption.oid)),
        Some(Cipher::TripleDesCbc) => {
            let Kdf::Pbkdf2(derivation) = derivation else {
                return Err(Error::UnsupportedAlgorithm(derivation.oid()));
            };
            budget.spend(derivation.iteration_count.into())?;
            decrypt_triple_des(&derivation, parameters.encryption.parameters.as_ref(), encrypted, secret)
        }
        Some(_) => {
            budget.spend_on(&derivation)?;
            let encryption = as_parsed(&parameters.encryption)?;
            let scheme = Parameters { kdf: derivation, encryption };
            scheme.decrypt(&*secret.octets, encrypted).map(Zeroizing::new).map_err(|_| Error::WrongPassphrase)
        }
    }
}

/// The parameters of PBES2; another algorithm is an error.
fn pbes2_parameters(algorithm: &AlgorithmIdentifierOwned) -> Result<Pbes2Params, Error> {
    match (algorithm.oid, &algorithm.parameters) {
        (PBES2_OID, Some(parameters)) => parameters.decode_as().map_err(Error::malformed("PBES2-params")),
        (other, _) => Err(Error::UnsupportedAlgorithm(other)),
    }
}

fn derivation_of(parameters: &Pbes2Params) -> Result<Kdf, Error> {
    as_parsed(&parameters.kdf).map_err(|_| Error::UnsupportedAlgorithm(parameters.kdf.oid))
}

/// An algorithm as the crate `pkcs5` has it.
pub(super) fn as_parsed<T>(algorithm: &AlgorithmIdentifierOwned) -> Result<T, Error>
where
    T: for<'a> TryFrom<AlgorithmIdentifierRef<'a>, Error = der::Error>,
{
    let parameters = algorithm.parameters.as_ref().map(Any::to_ref);
    T::try_from(AlgorithmIdentifierRef { oid: algorithm.oid, parameters }).map_err(Error::malformed("PBES2-params"))
}

/// PBES2 with PBKDF2 and Triple DES, which the crate `pkcs5` would panic on when the IV is short.
fn decrypt_triple_des(
    derivation: &Pbkdf2Params,
    iv: Option<&Any>,
    encrypted: &[u8],
    secret: &Secret,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let malformed = Error::malformed("PBES2-params");
    let iv = iv.ok_or_else(|| malformed(der::ErrorKind::Length { tag: der::Tag::OctetString }.into()))?;
    let iv: &OctetStringRef = iv.to_ref().decode_as().map_err(&malformed)?;
    let hash = HashFunction::of(derivation.prf).ok_or(Error::UnsupportedAlgorithm(derivation.prf.oid()))?;
    let mut key = Zeroizing::new([0; TRIPLE_DES_KEY_SIZE]);
    pbkdf2(hash, &secret.octets, derivation.salt.as_ref(), derivation.iteration_count, &mut *key);
    cbc::Decryptor::<TdesEde3>::new_from_slices(&*key, iv.as_bytes())
        .map_err(|_| malformed(der::ErrorKind::Length { tag: der::Tag::OctetString }.into()))?
        .decrypt_padded_vec::<Pkcs7>(encrypted)
        .map(Zeroizing::new)
        .map_err(|_| Error::WrongPassphrase)
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

    use der::Encode;
    use der::asn1::OctetString;
    use pkcs5::pbes2::ScryptParams;
    use pkcs5::scrypt;

    use super::*;

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
        let mut derivation = Pbkdf2Params::hmac_sha256(iterations, b"saltsalt").unwrap();
        derivation.prf = Pbkdf2Prf::HmacWithSha1;
        let kdf = algorithm(pkcs5::pbes2::PBKDF2_OID, &derivation);
        let encryption = algorithm(cipher, &OctetString::new(iv).unwrap());
        algorithm(PBES2_OID, &Pbes2Params { kdf, encryption })
    }

    fn decrypted(algorithm: &AlgorithmIdentifierOwned, hex: &str) -> Result<Vec<u8>, Error> {
        let encrypted = base16ct::lower::decode_vec(hex).unwrap();
        decrypt(algorithm, &encrypted, &secret(), &mut Budget::default()).map(|clear| clear.to_vec())
    }

    #[test]
    fn pbes2_decrypts_what_openssl_encrypted() {
        for (cipher, iv, hex) in
            [(DES_EDE3_CBC, [7; 16].get(..8).unwrap(), TRIPLE_DES), (AES_128_CBC_OID, &[7; 16], AES_128)]
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
        for (cipher, sizes) in [(DES_EDE3_CBC, [0, 7, 9, 16]), (AES_128_CBC_OID, [0, 8, 15, 17])] {
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
        assert_eq!(describe(&pbes2(1, des, &[7; 8])), Encryption::Other(PBES2_OID.to_string()));
        let pbe_with_md5_and_des = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.3");
        let algorithm = algorithm(pbe_with_md5_and_des, &Any::null());
        assert_eq!(decrypted(&algorithm, TRIPLE_DES), Err(Error::UnsupportedAlgorithm(pbe_with_md5_and_des)));
        assert_eq!(describe(&algorithm), Encryption::Other(pbe_with_md5_and_des.to_string()));
    }

    #[test]
    fn a_budget_is_for_all_together() {
        let mut budget = Budget::default();
        assert_eq!(budget.spend(6_000_000), Ok(()));
        assert_eq!(budget.spend(4_000_001), Err(Error::DerivationTooCostly));
        assert_eq!(budget.spend(4_000_000), Ok(()));
        assert_eq!(budget.spend(1), Err(Error::DerivationTooCostly));
    }

    #[test]
    fn scrypt_that_would_bring_a_browser_down_is_refused() {
        let spent = |cost_parameter, block_size, parallelization| {
            let costs = scrypt::Params::new(14, 8, 1).unwrap();
            let kdf = ScryptParams::from_params_and_salt(costs, b"saltsalt").unwrap();
            let kdf = ScryptParams { cost_parameter, block_size, parallelization, ..kdf };
            Budget::default().spend_on(&Kdf::Scrypt(kdf))
        };
        assert_eq!(spent(1 << 14, 8, 5), Ok(()));
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (2, 777, 25_740), (1 << 20, 8, 4), (1 << 14, 8, u16::MAX)] {
            assert_eq!(spent(n, r, p), Err(Error::DerivationTooCostly), "{n} {r} {p}");
        }
    }
}
