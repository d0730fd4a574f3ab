//! RSASSA-PKCS1-v1_5 signatures (RFC 8017, section 8.2) as they stand in X.509 structures.

use der::asn1::BitStringRef;
use der::oid::db::rfc5912::{SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION};
use der::{Decode, Tag};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use sha2::{Sha256, Sha384, Sha512};
use signature::Verifier;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::error::Error;
use crate::element::Elements;

/// The RSA public key in a SubjectPublicKeyInfo (RFC 8017, appendix A.1.1), of any size that can be worked with. The parameters beside
/// `rsaEncryption` should be NULL; some software leaves them out (RFC 4055, section 1.2).
pub(super) fn rsa_public_key(spki: &SubjectPublicKeyInfoOwned) -> Result<RsaPublicKey, Error> {
    let oid = spki.algorithm.oid;
    if oid != rsa::pkcs1::ALGORITHM_OID {
        return Err(Error::UnsupportedAlgorithm(oid));
    }
    let parameters = spki.algorithm.parameters.as_ref();
    if parameters.is_some_and(|parameters| !parameters.is_null()) {
        return Err(Error::UnusableKey("the parameters beside rsaEncryption are not NULL".into()));
    }
    RsaPublicKey::from_pkcs1_der(spki.subject_public_key.raw_bytes()).map_err(|e| Error::UnusableKey(e.to_string()))
}

/// Verifies a structure that is signed as certificates, CRLs and CertificationRequests are: a SEQUENCE of the signed part, the algorithm and
/// the signature (RFC 5280, sections 4.1 and 5.1; RFC 2986, section 4.2).
///
/// The signed part is taken from `der`, and not encoded once more, which could give other bytes: software that does not order a SET, or
/// writes a default value out, would pass for a forger, and a change of that kind would not be noticed.
pub(super) fn verify_signed(
    structure: &'static str,
    der: &[u8],
    spki: &SubjectPublicKeyInfoOwned,
) -> Result<(), Error> {
    let read = || {
        let mut parts = Elements::within(Tag::Sequence, der)?;
        let signed = parts.next_whole()?;
        let algorithm = AlgorithmIdentifierOwned::from_der(parts.next_whole()?)?;
        let signature = BitStringRef::from_der(parts.next_whole()?)?;
        parts.finish()?;
        Ok((signed, algorithm, signature))
    };
    let (signed, algorithm, signature) = read().map_err(Error::malformed(structure))?;
    verify(spki, &algorithm, signed, signature.as_bytes().ok_or(Error::SignatureInvalid)?)
}

/// Verifies `signature` over `message` with the key in `spki`.
pub(super) fn verify(
    spki: &SubjectPublicKeyInfoOwned,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let key = rsa_public_key(spki)?;
    // RFC 4055, section 5: the parameters are NULL; absent ones are taken as well.
    if algorithm.parameters.as_ref().is_some_and(|parameters| !parameters.is_null()) {
        return Err(Error::SignatureInvalid);
    }
    let signature = Signature::try_from(signature).map_err(|_| Error::SignatureInvalid)?;
    match algorithm.oid {
        SHA_256_WITH_RSA_ENCRYPTION => VerifyingKey::<Sha256>::new(key).verify(message, &signature),
        SHA_384_WITH_RSA_ENCRYPTION => VerifyingKey::<Sha384>::new(key).verify(message, &signature),
        SHA_512_WITH_RSA_ENCRYPTION => VerifyingKey::<Sha512>::new(key).verify(message, &signature),
        other => return Err(Error::UnsupportedAlgorithm(other)),
    }
    .map_err(|_| Error::SignatureInvalid)
}
