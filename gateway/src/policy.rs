//! What a certification request must be before anybody is asked to approve it.

use der::Decode;
use keyside::api::{MAXIMUM_CERTIFICATION_REQUEST_SIZE, ProblemKind};
use keyside::domain::distinguished_name::{self, SubjectTemplate};
use keyside::domain::email_address;
use keyside::domain::key_size::KeySize;
use keyside::pki::certification_request::CertificationRequest;
use keyside::pki::error::Error;
use x509_cert::ext::pkix::name::GeneralName;

use crate::problem::Refusal;

/// The one public exponent taken: what every browser, OpenSSL and this page's own generator use.
const PUBLIC_EXPONENT: [u8; 3] = [0x01, 0x00, 0x01];

/// What a checked certification request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRequest {
    /// The subject's Common Name.
    pub common_name: String,
    /// The one address in the subjectAltName.
    pub email_address: String,
}

/// Decodes the base64 that a certification request travels as; a text that is too long is not looked at.
pub fn decode(base64: &str) -> Result<Vec<u8>, Refusal> {
    use base64ct::{Base64, Encoding};

    // Four characters for three bytes.
    if base64.len() > MAXIMUM_CERTIFICATION_REQUEST_SIZE.div_ceil(3) * 4 {
        return Err(Refusal::new(
            ProblemKind::CertificationRequestTooLarge,
            format!(
                "A certification request may take {MAXIMUM_CERTIFICATION_REQUEST_SIZE} bytes of DER; a 4096-bit one takes about 1300."
            ),
        ));
    }
    Base64::decode_vec(base64).map_err(|_| {
        Refusal::new(
            ProblemKind::NotBase64,
            "certification_request must be the DER as base64 with padding, without line breaks and without the lines of PEM.",
        )
    })
}

/// Checks a certification request, what is cheap first, the signature last.
pub fn check(der: &[u8], template: &SubjectTemplate, key_sizes: &[KeySize]) -> Result<CheckedRequest, Refusal> {
    if der.is_empty() {
        return Err(Refusal::new(ProblemKind::CertificationRequestMalformed, "certification_request is empty."));
    }
    let request = CertificationRequest::from_der(der).map_err(refusal)?;
    check_public_key(&request, key_sizes)?;
    let checked = CheckedRequest {
        common_name: check_subject(&request, template)?,
        email_address: check_email_address(&request)?,
    };
    request.verify().map_err(refusal)?;
    Ok(checked)
}

/// RSA, of a size on offer, with the usual exponent. Read by hand and not with `rsa`, which does not say which of them fails.
fn check_public_key(request: &CertificationRequest, key_sizes: &[KeySize]) -> Result<(), Refusal> {
    let info = request.subject_public_key_info();
    if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
        return Err(refusal(Error::UnsupportedAlgorithm(info.algorithm.oid)));
    }
    let key = rsa::pkcs1::RsaPublicKeyRef::from_der(info.subject_public_key.raw_bytes()).map_err(|error| {
        Refusal::new(
            ProblemKind::CertificationRequestMalformed,
            format!("The public key is not the DER of an RSAPublicKey ({error})."),
        )
    })?;

    let modulus = key.modulus.as_bytes();
    let leading_zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = (8 * modulus.len()).saturating_sub(leading_zeros);
    if !key_sizes.iter().any(|size| usize::from(size.bits()) == bits) {
        let offered: Vec<String> = key_sizes.iter().map(KeySize::to_string).collect();
        return Err(Refusal::new(
            ProblemKind::KeySizeNotAllowed,
            format!("The RSA key has {bits} bits; generate one with {} bits.", offered.join(" or ")),
        ));
    }
    if key.public_exponent.as_bytes() != PUBLIC_EXPONENT {
        return Err(Refusal::new(ProblemKind::PublicExponentNotAllowed, "The RSA public exponent must be 65537."));
    }
    Ok(())
}

/// The Common Name, if the subject follows the template to the letter.
fn check_subject(request: &CertificationRequest, template: &SubjectTemplate) -> Result<String, Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemKind::SubjectNotAllowed, detail);
    let common_name = template.common_name_of(request.subject()).ok_or_else(|| {
        let expected = template
            .subject("Common Name")
            .map(|name| name.to_string())
            .unwrap_or_default();
        refuse(format!(
            "The subject must be “{expected}” with the user's Common Name, each value encoded as in the configuration's template."
        ))
    })?;
    distinguished_name::check_common_name(&common_name)
        .map_err(|fault| refuse(format!("The Common Name is not allowed: {fault}.")))?;
    Ok(common_name)
}

/// The one e-mail address; no other name stands beside it.
fn check_email_address(request: &CertificationRequest) -> Result<String, Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemKind::EmailAddressNotAllowed, detail);
    let names = request.subject_alt_names().map_err(refusal)?;
    let [GeneralName::Rfc822Name(address)] = names.as_slice() else {
        return Err(refuse(format!(
            "The subjectAltName must have exactly one name, an rfc822Name; it has {} names, {} of them rfc822Names.",
            names.len(),
            names.iter().filter(|name| matches!(name, GeneralName::Rfc822Name(_))).count()
        )));
    };
    let address = address.to_string();
    email_address::check(&address).map_err(|fault| refuse(format!("“{address}”: {fault}.")))?;
    Ok(address)
}

/// What is wrong with the bytes, as the API says it.
fn refusal(error: Error) -> Refusal {
    match error {
        Error::UnsupportedAlgorithm(_) => Refusal::new(
            ProblemKind::AlgorithmNotAllowed,
            format!("{error}: use an RSA key, and sign with RSA and SHA-256, SHA-384 or SHA-512."),
        ),
        Error::SignatureInvalid => Refusal::new(
            ProblemKind::SignatureInvalid,
            "The signature does not fit the public key in the certification request: sign it with the private key that belongs to it.",
        ),
        other => Refusal::new(ProblemKind::CertificationRequestMalformed, format!("{other}.")),
    }
}
