//! RSASSA-PKCS1-v1_5 signatures (RFC 8017, section 8.2) as they stand in X.509 structures.

use der::oid::db::rfc5912::{SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION};
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use sha2::{Sha256, Sha384, Sha512};
use signature::Verifier;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::der::referenced::OwnedToRef;

use super::error::Error;

/// The RSA public key in a SubjectPublicKeyInfo (RFC 8017, appendix A.1.1), of any size that can be worked with.
pub(super) fn rsa_public_key(spki: &SubjectPublicKeyInfoOwned) -> Result<RsaPublicKey, Error> {
    let oid = spki.algorithm.oid;
    if oid != rsa::pkcs1::ALGORITHM_OID {
        return Err(Error::UnsupportedAlgorithm(oid));
    }
    RsaPublicKey::try_from(spki.owned_to_ref()).map_err(|e| Error::UnusableKey(e.to_string()))
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
