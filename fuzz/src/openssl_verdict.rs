//! OpenSSL's verdicts on signatures and certification paths.

use keyside_pki::element::{BIT_STRING, Elements, SEQUENCE};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::sign::Verifier;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Req, X509StoreContext};

/// A verdict on a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// The key has made it.
    Valid,
    /// The key has not made it.
    Invalid,
    /// OpenSSL does not read the key or the structure.
    NotRead,
}

impl From<bool> for Signature {
    fn from(is_valid: bool) -> Self {
        if is_valid { Self::Valid } else { Self::Invalid }
    }
}

fn key(subject_public_key_info: &[u8]) -> Option<PKey<Public>> {
    PKey::public_key_from_der(subject_public_key_info).ok()
}

/// Verifies the signature of a certificate, DER, with this key.
#[must_use]
pub fn certificate(der: &[u8], subject_public_key_info: &[u8]) -> Signature {
    let (Ok(certificate), Some(key)) = (X509::from_der(der), key(subject_public_key_info)) else {
        return Signature::NotRead;
    };
    certificate.verify(&key).unwrap_or(false).into()
}

/// Verifies the signature of a CertificationRequest, DER, with this key.
#[must_use]
pub fn certification_request(der: &[u8], subject_public_key_info: &[u8]) -> Signature {
    let (Ok(request), Some(key)) = (X509Req::from_der(der), key(subject_public_key_info)) else {
        return Signature::NotRead;
    };
    request.verify(&key).unwrap_or(false).into()
}

/// Verifies the signature of a structure that OpenSSL does not read: over the bytes that came, for algorithms whose parameters do not matter.
#[must_use]
pub fn bytes(der: &[u8], subject_public_key_info: &[u8]) -> Signature {
    let parts = || {
        let mut parts = Elements::within(SEQUENCE, der)?;
        let signed = parts.next_whole()?;
        let algorithm = parts.next_sequence()?.next_oid()?;
        Ok::<_, der::Error>((signed, algorithm.to_string(), parts.next(BIT_STRING)?))
    };
    let (Ok((signed, algorithm, [0, signature @ ..])), Some(key)) = (parts(), key(subject_public_key_info)) else {
        return Signature::NotRead;
    };
    let digest = match algorithm.as_str() {
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => Some(MessageDigest::sha256()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(MessageDigest::sha384()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(MessageDigest::sha512()),
        "1.3.101.112" => None,
        _ => return Signature::NotRead,
    };
    let verify = || {
        let mut verifier = match digest {
            Some(digest) => Verifier::new(digest, &key)?,
            None => Verifier::new_without_digest(&key)?,
        };
        verifier.verify_oneshot(signature, signed)
    };
    verify().unwrap_or(false).into()
}

/// A refusal of a path by OpenSSL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its error, a number of `X509_V_ERR_`.
    pub error: i32,
    /// Its error in words.
    pub text: &'static str,
    /// The place of the certificate, 0 for the leaf.
    pub depth: u32,
    /// True if it is about the whole path that was given. OpenSSL takes the first issuer of a name, and does not try the others.
    pub is_of_path: bool,
}

/// A path, leaf first and trust anchor last, as OpenSSL reads it. None if it does not read a certificate of it.
#[must_use]
pub fn read(path: &[&[u8]]) -> Option<Vec<X509>> {
    path.iter().map(|der| X509::from_der(der).ok()).collect()
}

/// Verifies a path, leaf first and trust anchor last, at a time in seconds since 1970-01-01T00:00:00Z: for any purpose, with policies, and with
/// a trust anchor that need not be a root.
///
/// # Errors
/// OpenSSL refuses it.
pub fn path(path: &[X509], at: u64) -> Result<(), Refusal> {
    let verify = || {
        let mut store = X509StoreBuilder::new()?;
        let (leaf, issuers) = path.split_first().expect("a path has a leaf");
        let (anchor, intermediates) = issuers.split_last().expect("a path has a trust anchor");
        store.add_cert(anchor.clone())?;
        let mut parameters = X509VerifyParam::new()?;
        parameters.set_time(i64::try_from(at).expect("the time is near"));
        parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::POLICY_CHECK)?;
        store.set_param(&parameters)?;
        let store: X509Store = store.build();
        let mut others = Stack::new()?;
        for intermediate in intermediates {
            others.push(intermediate.clone())?;
        }
        let mut context = X509StoreContext::new()?;
        context.init(&store, leaf, &others, |context| {
            // An error in place of a verdict is a refusal.
            let is_valid = context.verify_cert().unwrap_or(false);
            let (error, depth) = (context.error(), context.error_depth());
            let looked_at = context.chain();
            let is_path = |chain: &StackRef<X509>| chain.iter().eq(path.iter().map(|certificate| &**certificate));
            let is_of_path = looked_at.is_some_and(is_path);
            let refusal = Refusal { error: error.as_raw(), text: error.error_string(), depth, is_of_path };
            Ok(if is_valid { Ok(()) } else { Err(refusal) })
        })
    };
    verify().expect("OpenSSL has memory")
}
