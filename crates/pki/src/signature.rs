//! Signatures of X.509 structures, verified over the bytes that came: RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017, section 8),
//! ECDSA (RFC 5758, section 3.2) and Ed25519 (RFC 8410).

use der::Tag;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_EC_PUBLIC_KEY, ID_MGF_1, ID_RSASSA_PSS, ID_SHA_1,
    ID_SHA_256, ID_SHA_384, ID_SHA_512, MD_2_WITH_RSA_ENCRYPTION, MD_5_WITH_RSA_ENCRYPTION, RSA_ENCRYPTION,
    SECP_256_R_1, SECP_384_R_1, SECP_521_R_1, SHA_1_WITH_RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::{RsaPublicKey, pkcs1v15, pss};
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;

use super::error::Error;
use super::public_key::{ED_25519, rsa_size};
use crate::element::{BIT_STRING, CONTEXT_0, Elements, NULL, SEQUENCE};

/// ecdsa-with-SHA1 (RFC 3279, section 2.2.3).
pub const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// The largest RSA key that signatures are verified with, in bits: the work grows with the square of it.
const MAXIMUM_RSA_SIZE: u32 = 4096;

/// The tag of a context-specific `[1]`, `[2]` and `[3]`, each constructed.
const CONTEXT_1_TO_3: [u8; 3] = [0xA1, 0xA2, 0xA3];

/// A hash function that signatures are made with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HashFunction {
    Sha256,
    Sha384,
    Sha512,
}

/// A signature scheme with its parameters.
enum Scheme {
    Pkcs1(HashFunction),
    Pss(HashFunction, usize),
    Ecdsa(HashFunction),
    Ed25519,
}

impl HashFunction {
    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// An AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
#[derive(PartialEq)]
struct Algorithm<'a> {
    oid: ObjectIdentifier,
    /// Its parameters, whole, if there are any.
    parameters: Option<&'a [u8]>,
}

impl<'a> Algorithm<'a> {
    fn read(mut elements: Elements<'a>) -> der::Result<Self> {
        let oid = elements.next_oid()?;
        let parameters = if elements.is_finished() { None } else { Some(elements.next_whole()?) };
        elements.finish()?;
        Ok(Self { oid, parameters })
    }

    /// The object identifier of a hash function (RFC 4055, section 2.1).
    fn hash_function(&self) -> der::Result<ObjectIdentifier> {
        if self.has_no_parameters() { Ok(self.oid) } else { Err(der::ErrorKind::Value { tag: Tag::Null }.into()) }
    }

    /// RFC 4055, section 5: the parameters are NULL; absent ones are taken as well.
    fn has_no_parameters(&self) -> bool {
        self.parameters.is_none_or(|parameters| parameters == NULL)
    }
}

/// A SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
struct PublicKeyInfo<'a> {
    algorithm: Algorithm<'a>,
    key: &'a [u8],
}

impl<'a> PublicKeyInfo<'a> {
    fn read(subject_public_key_info: &'a [u8]) -> Result<Self, Error> {
        let read = || {
            let mut info = Elements::within(SEQUENCE, subject_public_key_info)?;
            let algorithm = Algorithm::read(info.next_sequence()?)?;
            let key = info.next(BIT_STRING)?;
            info.finish()?;
            Ok(Self { algorithm, key: whole_octets(key)? })
        };
        read().map_err(Error::malformed("SubjectPublicKeyInfo"))
    }

    fn rsa(&self) -> Result<RsaPublicKey, Error> {
        match self.algorithm.oid {
            RSA_ENCRYPTION if !self.algorithm.has_no_parameters() => {
                return Err(Error::UnusableKey("the parameters beside rsaEncryption are not NULL".into()));
            }
            RSA_ENCRYPTION | ID_RSASSA_PSS => {}
            other => return Err(Error::UnsupportedAlgorithm(other)),
        }
        RsaPublicKey::from_pkcs1_der(self.key).map_err(|error| Error::UnusableKey(error.to_string()))
    }
}

/// The octets of a BIT STRING that has no unused bits.
fn whole_octets(contents: &[u8]) -> der::Result<&[u8]> {
    match contents {
        [0, octets @ ..] => Ok(octets),
        _ => Err(der::ErrorKind::Value { tag: Tag::BitString }.into()),
    }
}

/// The RSA public key in a SubjectPublicKeyInfo (RFC 8017, appendix A.1.1), of any size that can be worked with. The parameters beside
/// `rsaEncryption` should be NULL; some software leaves them out (RFC 4055, section 1.2).
pub(super) fn rsa_public_key(subject_public_key_info: &[u8]) -> Result<RsaPublicKey, Error> {
    PublicKeyInfo::read(subject_public_key_info)?.rsa()
}

/// The algorithm of a structure that is signed as certificates, CRLs and CertificationRequests are.
pub(super) fn algorithm(structure: &'static str, der: &[u8]) -> Result<ObjectIdentifier, Error> {
    let read = || {
        let mut parts = Elements::within(SEQUENCE, der)?;
        parts.next_whole()?;
        Ok(Algorithm::read(parts.next_sequence()?)?.oid)
    };
    read().map_err(Error::malformed(structure))
}

/// Verifies a structure that is signed as certificates, CRLs and CertificationRequests are: a SEQUENCE of the signed part, the algorithm and
/// the signature (RFC 5280, sections 4.1 and 5.1; RFC 2986, section 4.2).
///
/// The signed part is taken from `der`, and not encoded once more, which could give other bytes: software that does not order a SET, or
/// writes a default value out, would pass for a forger, and a change of that kind would not be noticed.
pub(super) fn verify_signed(structure: &'static str, der: &[u8], subject_public_key_info: &[u8]) -> Result<(), Error> {
    verify_signed_by(verify, structure, der, subject_public_key_info)
}

/// The same with RSA only, where other signatures are [`Error::UnsupportedAlgorithm`]: a page that takes RSA only does not load the curves,
/// which take 42 kB (brotli).
pub(super) fn verify_signed_with_rsa(
    structure: &'static str,
    der: &[u8],
    subject_public_key_info: &[u8],
) -> Result<(), Error> {
    verify_signed_by(verify_with_rsa, structure, der, subject_public_key_info)
}

/// [`verify`], or the same for fewer algorithms.
type Verify = fn(&[u8], &[u8], &[u8], &[u8]) -> Result<(), Error>;

fn verify_signed_by(
    verify: Verify,
    structure: &'static str,
    der: &[u8],
    subject_public_key_info: &[u8],
) -> Result<(), Error> {
    let read = || {
        let mut parts = Elements::within(SEQUENCE, der)?;
        let signed = parts.next_whole()?;
        let algorithm = parts.next_whole()?;
        let signature = parts.next(BIT_STRING)?;
        parts.finish()?;
        Ok((signed, algorithm, signature))
    };
    let (signed, algorithm, signature) = read().map_err(Error::malformed(structure))?;
    let signature = whole_octets(signature).map_err(|_| Error::SignatureInvalid)?;
    verify(subject_public_key_info, algorithm, signed, signature)
}

/// Verifies `signature` over `message` with the key in `subject_public_key_info`. `algorithm` is an AlgorithmIdentifier; both are DER.
///
/// # Errors
/// [`Error::SignatureInvalid`] if the key did not make the signature. Where that cannot be told, or is not worth telling:
/// [`Error::UnsupportedAlgorithm`], [`Error::WeakAlgorithm`], [`Error::KeyTooLarge`], [`Error::UnusableKey`].
pub fn verify(subject_public_key_info: &[u8], algorithm: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Error> {
    let key = PublicKeyInfo::read(subject_public_key_info)?;
    match scheme(algorithm)? {
        Scheme::Pkcs1(hash) => verify_pkcs1(&key, hash, message, signature),
        Scheme::Pss(hash, salt_length) => verify_pss(&key, hash, salt_length, message, signature),
        Scheme::Ecdsa(hash) => verify_ecdsa(&key, &hash.digest(message), signature),
        Scheme::Ed25519 => verify_ed25519(&key, message, signature),
    }
}

fn verify_with_rsa(
    subject_public_key_info: &[u8],
    algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let key = PublicKeyInfo::read(subject_public_key_info)?;
    match scheme(algorithm)? {
        Scheme::Pkcs1(hash) => verify_pkcs1(&key, hash, message, signature),
        Scheme::Pss(hash, salt_length) => verify_pss(&key, hash, salt_length, message, signature),
        Scheme::Ecdsa(_) => Err(Error::UnsupportedAlgorithm(ID_EC_PUBLIC_KEY)),
        Scheme::Ed25519 => Err(Error::UnsupportedAlgorithm(ED_25519)),
    }
}

/// The scheme that an AlgorithmIdentifier, DER, names.
fn scheme(algorithm: &[u8]) -> Result<Scheme, Error> {
    let algorithm = Elements::within(SEQUENCE, algorithm).and_then(Algorithm::read);
    let algorithm = algorithm.map_err(Error::malformed("AlgorithmIdentifier"))?;
    let scheme = match algorithm.oid {
        SHA_256_WITH_RSA_ENCRYPTION => Scheme::Pkcs1(HashFunction::Sha256),
        SHA_384_WITH_RSA_ENCRYPTION => Scheme::Pkcs1(HashFunction::Sha384),
        SHA_512_WITH_RSA_ENCRYPTION => Scheme::Pkcs1(HashFunction::Sha512),
        ID_RSASSA_PSS => return pss_scheme(algorithm.parameters.ok_or(Error::SignatureInvalid)?),
        ECDSA_WITH_SHA_256 => Scheme::Ecdsa(HashFunction::Sha256),
        ECDSA_WITH_SHA_384 => Scheme::Ecdsa(HashFunction::Sha384),
        ECDSA_WITH_SHA_512 => Scheme::Ecdsa(HashFunction::Sha512),
        ED_25519 => Scheme::Ed25519,
        SHA_1_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_1 => return Err(Error::WeakAlgorithm("SHA-1")),
        MD_5_WITH_RSA_ENCRYPTION => return Err(Error::WeakAlgorithm("MD5")),
        MD_2_WITH_RSA_ENCRYPTION => return Err(Error::WeakAlgorithm("MD2")),
        other => return Err(Error::UnsupportedAlgorithm(other)),
    };
    // ECDSA's parameters are absent (RFC 5758, section 3.2). Some programs write the curve there, which says nothing that the key does not say.
    match scheme {
        Scheme::Ecdsa(_) => Ok(scheme),
        _ if algorithm.has_no_parameters() => Ok(scheme),
        _ => Err(Error::UnsupportedAlgorithm(algorithm.oid)),
    }
}

/// True if two AlgorithmIdentifiers say the same, however their lengths are written.
pub(crate) fn is_same_algorithm(one: &[u8], other: &[u8]) -> bool {
    let read = |der| Elements::within(SEQUENCE, der).and_then(Algorithm::read);
    one == other || matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}

/// The scheme that RSASSA-PSS-params name (RFC 4055, section 3.1): hash function, mask generation function with the same hash function, and
/// the salt's length in octets. The default, where something is absent, has SHA-1.
fn pss_scheme(parameters: &[u8]) -> Result<Scheme, Error> {
    let read = || {
        let mut parameters = Elements::within(SEQUENCE, parameters)?;
        let mut explicit = |tag| Ok::<_, der::Error>(parameters.next_if(tag)?.map(|element| element.contents));
        let [mask_tag, salt_tag, trailer_tag] = CONTEXT_1_TO_3;
        let hash = algorithm_in(explicit(CONTEXT_0)?)?.map_or(Ok(ID_SHA_1), |algorithm| algorithm.hash_function())?;
        let mask_hash = match algorithm_in(explicit(mask_tag)?)? {
            None => ID_SHA_1,
            Some(Algorithm { oid: ID_MGF_1, parameters: Some(inner) }) => {
                Algorithm::read(Elements::within(SEQUENCE, inner)?)?.hash_function()?
            }
            Some(other) => other.oid,
        };
        let salt_length = explicit(salt_tag)?.map_or(Ok(20), Elements::whole_u32)?;
        let trailer = explicit(trailer_tag)?.map_or(Ok(1), Elements::whole_u32)?;
        parameters.finish()?;
        Ok((hash, mask_hash, salt_length, trailer))
    };
    let (hash, mask_hash, salt_length, trailer) = read().map_err(Error::malformed("RSASSA-PSS-params"))?;
    let hash_function = match hash {
        ID_SHA_256 => HashFunction::Sha256,
        ID_SHA_384 => HashFunction::Sha384,
        ID_SHA_512 => HashFunction::Sha512,
        ID_SHA_1 => return Err(Error::WeakAlgorithm("SHA-1")),
        other => return Err(Error::UnsupportedAlgorithm(other)),
    };
    if mask_hash != hash || trailer != 1 {
        return Err(Error::UnsupportedAlgorithm(if mask_hash == hash { ID_RSASSA_PSS } else { mask_hash }));
    }
    // The longest salt has less than the octets of the largest key that is verified with. More would run over where a pointer has 32 bits.
    if salt_length > MAXIMUM_RSA_SIZE / 8 {
        return Err(Error::SignatureInvalid);
    }
    Ok(Scheme::Pss(hash_function, salt_length as usize))
}

fn algorithm_in(explicit: Option<&[u8]>) -> der::Result<Option<Algorithm<'_>>> {
    explicit.map(|explicit| Elements::within(SEQUENCE, explicit).and_then(Algorithm::read)).transpose()
}

/// The key, unless its size makes it more work than a file of strangers is worth.
fn rsa_key_to_verify_with(key: &PublicKeyInfo<'_>) -> Result<RsaPublicKey, Error> {
    if ![RSA_ENCRYPTION, ID_RSASSA_PSS].contains(&key.algorithm.oid) {
        return Err(unfitting(key));
    }
    match rsa_size(key.key) {
        Some(bits) if bits > MAXIMUM_RSA_SIZE => Err(Error::KeyTooLarge(bits)),
        _ => key.rsa(),
    }
}

fn verify_pkcs1(key: &PublicKeyInfo<'_>, hash: HashFunction, message: &[u8], signature: &[u8]) -> Result<(), Error> {
    // RFC 4055, section 3.1: a key for RSASSA-PSS makes no other signatures.
    if key.algorithm.oid == ID_RSASSA_PSS {
        return Err(Error::SignatureInvalid);
    }
    let key = rsa_key_to_verify_with(key)?;
    let signature = pkcs1v15::Signature::try_from(signature).map_err(|_| Error::SignatureInvalid)?;
    match hash {
        HashFunction::Sha256 => pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &signature),
        HashFunction::Sha384 => pkcs1v15::VerifyingKey::<Sha384>::new(key).verify(message, &signature),
        HashFunction::Sha512 => pkcs1v15::VerifyingKey::<Sha512>::new(key).verify(message, &signature),
    }
    .map_err(|_| Error::SignatureInvalid)
}

fn verify_pss(
    key: &PublicKeyInfo<'_>,
    hash: HashFunction,
    salt_length: usize,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    // RFC 4055, section 1.2: parameters beside the key name the one hash function that it is for, and the least salt.
    if key.algorithm.oid == ID_RSASSA_PSS
        && let Some(parameters) = key.algorithm.parameters
        && !matches!(pss_scheme(parameters), Ok(Scheme::Pss(for_hash, least)) if for_hash == hash && salt_length >= least)
    {
        return Err(Error::SignatureInvalid);
    }
    let key = rsa_key_to_verify_with(key)?;
    let signature = pss::Signature::try_from(signature).map_err(|_| Error::SignatureInvalid)?;
    match hash {
        HashFunction::Sha256 => {
            pss::VerifyingKey::<Sha256>::new_with_salt_len(key, salt_length).verify(message, &signature)
        }
        HashFunction::Sha384 => {
            pss::VerifyingKey::<Sha384>::new_with_salt_len(key, salt_length).verify(message, &signature)
        }
        HashFunction::Sha512 => {
            pss::VerifyingKey::<Sha512>::new_with_salt_len(key, salt_length).verify(message, &signature)
        }
    }
    .map_err(|_| Error::SignatureInvalid)
}

/// The key's parameters name the curve (RFC 5480, section 2.1.1).
fn verify_ecdsa(key: &PublicKeyInfo<'_>, digest: &[u8], signature: &[u8]) -> Result<(), Error> {
    if key.algorithm.oid != ID_EC_PUBLIC_KEY {
        return Err(unfitting(key));
    }
    let parameters = key.algorithm.parameters.unwrap_or_default();
    let curve = Elements::of(parameters).next_oid().map_err(|_| Error::UnsupportedAlgorithm(ID_EC_PUBLIC_KEY))?;
    macro_rules! verify_on {
        ($key:ty, $signature:ty) => {{
            let key = <$key>::from_sec1_bytes(key.key)
                .map_err(|_| Error::UnusableKey("its point is not on its curve".into()))?;
            let signature = <$signature>::try_from(signature).map_err(|_| Error::SignatureInvalid)?;
            key.verify_prehash(digest, &signature).map_err(|_| Error::SignatureInvalid)
        }};
    }
    match curve {
        SECP_256_R_1 => verify_on!(p256::ecdsa::VerifyingKey, p256::ecdsa::DerSignature),
        SECP_384_R_1 => verify_on!(p384::ecdsa::VerifyingKey, p384::ecdsa::DerSignature),
        SECP_521_R_1 => verify_on!(p521::ecdsa::VerifyingKey, p521::ecdsa::DerSignature),
        other => Err(Error::UnsupportedAlgorithm(other)),
    }
}

fn verify_ed25519(key: &PublicKeyInfo<'_>, message: &[u8], signature: &[u8]) -> Result<(), Error> {
    if key.algorithm.oid != ED_25519 {
        return Err(unfitting(key));
    }
    let unusable = || Error::UnusableKey("it is no key for Ed25519".into());
    let key = <&[u8; 32]>::try_from(key.key).map_err(|_| unusable())?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| unusable())?;
    let signature = ed25519_dalek::Signature::try_from(signature).map_err(|_| Error::SignatureInvalid)?;
    key.verify_strict(message, &signature).map_err(|_| Error::SignatureInvalid)
}

/// The error for a key that makes no signatures of this kind: a key of a known kind has not made it.
fn unfitting(key: &PublicKeyInfo<'_>) -> Error {
    match key.algorithm.oid {
        RSA_ENCRYPTION | ID_RSASSA_PSS | ID_EC_PUBLIC_KEY | ED_25519 => Error::SignatureInvalid,
        other => Error::UnsupportedAlgorithm(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::element::{INTEGER, element, oid};

    #[test]
    fn a_salt_that_no_key_is_long_enough_for_is_refused() {
        let hash = element(SEQUENCE, &[&oid(ID_SHA_256), NULL]);
        let mask = element(SEQUENCE, &[&oid(ID_MGF_1), &hash]);
        let [mask_tag, salt_tag, _] = CONTEXT_1_TO_3;
        let with_salt = |octets: &[u8]| {
            let salt = element(salt_tag, &[&element(INTEGER, &[octets])]);
            let parameters = element(SEQUENCE, &[&element(CONTEXT_0, &[&hash]), &element(mask_tag, &[&mask]), &salt]);
            scheme(&element(SEQUENCE, &[&oid(ID_RSASSA_PSS), &parameters])).map(drop)
        };
        assert_eq!(with_salt(&[32]), Ok(()));
        for octets in [&[0, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0, 0xFF, 0xFF, 0xFF, 0xDE], &[2, 1]] {
            assert_eq!(with_salt(octets), Err(Error::SignatureInvalid), "{octets:?}");
        }
    }

    #[test]
    fn a_tag_of_pss_parameters_holds_one_element() {
        let hash = element(SEQUENCE, &[&oid(ID_SHA_256), NULL]);
        let mask = element(SEQUENCE, &[&oid(ID_MGF_1), &hash]);
        let [mask_tag, salt_tag, trailer_tag] = CONTEXT_1_TO_3;
        let (salt, trailer) = (element(INTEGER, &[&[32]]), element(INTEGER, &[&[1]]));
        let parts = [(CONTEXT_0, &hash), (mask_tag, &mask), (salt_tag, &salt), (trailer_tag, &trailer)];
        let with_second = |second: Option<u8>| {
            let part = |(tag, part): &(u8, &Vec<u8>)| {
                element(*tag, &[part, if second == Some(*tag) { part.as_slice() } else { &[] }])
            };
            let parameters = element(SEQUENCE, &[&parts.iter().map(part).collect::<Vec<_>>().concat()]);
            scheme(&element(SEQUENCE, &[&oid(ID_RSASSA_PSS), &parameters])).map(drop)
        };
        assert_eq!(with_second(None), Ok(()));
        for (tag, _) in parts {
            assert!(with_second(Some(tag)).is_err(), "{tag:#x}");
        }
    }

    #[test]
    fn an_algorithm_is_the_same_however_its_length_is_written() {
        let contents = [oid(SHA_256_WITH_RSA_ENCRYPTION), NULL.to_vec()].concat();
        let short = element(SEQUENCE, &[&contents]);
        let long = [&[SEQUENCE, 0x81, contents.len() as u8][..], &contents].concat();
        assert!(is_same_algorithm(&short, &long));
        assert!(!is_same_algorithm(&short, &element(SEQUENCE, &[&oid(SHA_384_WITH_RSA_ENCRYPTION), NULL])));
        let unknown = element(SEQUENCE, &[&element(6, &[&[0x69; 40]])]);
        assert!(is_same_algorithm(&unknown, &unknown), "what cannot be read is the same if its bytes are");
        assert!(!is_same_algorithm(&unknown, &short));
    }

    #[test]
    fn a_curve_beside_ecdsa_says_nothing_and_parameters_elsewhere_are_no_forgery() {
        let with = |id, parameters: &[u8]| scheme(&element(SEQUENCE, &[&oid(id), parameters])).map(drop);
        assert_eq!(with(ECDSA_WITH_SHA_256, &oid(ID_EC_PUBLIC_KEY)), Ok(()));
        assert_eq!(with(ECDSA_WITH_SHA_256, b""), Ok(()));
        assert_eq!(with(ED_25519, &element(SEQUENCE, &[])), Err(Error::UnsupportedAlgorithm(ED_25519)));
    }
}
