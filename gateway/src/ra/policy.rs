//! What a certification request must be before anybody is asked to approve it.

use keyside_core::api::{MAXIMUM_CERTIFICATION_REQUEST_SIZE, ProblemKind};
use keyside_core::device_names::{self, DeviceName};
use keyside_core::domain::device::Device;
use keyside_core::domain::distinguished_name::{self, SubjectTemplate};
use keyside_core::domain::email_address;
use keyside_core::domain::key_size::KeySize;
use keyside_pki::certification_request::{CertificationRequest, RsaParameters};
use keyside_pki::error::Error;
use keyside_pki::general_name::GeneralName;
use keyside_pki::public_key::PublicKey;
use rsa::traits::PublicKeyParts;

use super::refusal::Refusal;
use super::weak_rsa_key::{self, Weakness};

/// A checked certification request, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRequest {
    /// The PKCS#10 CertificationRequest, DER.
    pub certification_request: Vec<u8>,
    /// The subject's Common Name.
    pub common_name: String,
    /// The company in the subject, if the template has a place for it.
    pub company: Option<String>,
    /// The one address in the subjectAltName; for a device, whom to write to.
    pub email_address: String,
    /// Its key, by [`key_id`](keyside_pki::key_pair::key_id).
    pub key_id: String,
    /// The names that others reach the device by, where it is for one.
    pub device_names: Vec<DeviceName>,
}

impl CheckedRequest {
    /// The certification request itself.
    pub fn decoded(&self) -> Result<CertificationRequest, Refusal> {
        CertificationRequest::from_der(&self.certification_request).map_err(|error| Refusal::internal(&error))
    }
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

/// Checks that a request names a device where its type is for devices, and only there.
pub fn check_device_is_named(for_devices: bool, device: Option<&Device>) -> Result<(), Refusal> {
    match (for_devices, device) {
        (true, None) => Err(Refusal::new(
            ProblemKind::DeviceMissing,
            "This certificate type is for devices: device must have kind, name, file_format and email_address.",
        )),
        (false, Some(_)) => Err(Refusal::new(
            ProblemKind::DeviceNotExpected,
            "Leave device out, or choose a certificate type that is for devices.",
        )),
        _ => Ok(()),
    }
}

/// Checks a certification request, for `device` where it is for one: what is cheap first, the signature last.
pub fn check(
    der: Vec<u8>,
    template: &SubjectTemplate,
    key_sizes: &[KeySize],
    device: Option<&Device>,
) -> Result<CheckedRequest, Refusal> {
    if der.is_empty() {
        return Err(Refusal::new(ProblemKind::CertificationRequestMalformed, "certification_request is empty."));
    }
    let request = CertificationRequest::from_der(&der).map_err(refusal)?;
    check_public_key(&request, key_sizes)?;
    let (common_name, company) = check_subject(&request, template)?;
    let (email_address, device_names) = match device {
        None => (check_email_address(&request)?, Vec::new()),
        Some(device) => check_device(&request, &common_name, device)?,
    };
    request.verify().map_err(refusal)?;
    check_strength(&request)?;
    let key = PublicKey::of(request.subject_public_key_info()).map_err(|error| Refusal::internal(&error))?;
    Ok(CheckedRequest {
        common_name,
        company,
        email_address,
        key_id: key.key_id,
        device_names,
        certification_request: der,
    })
}

/// A key that is not known to be weak by its modulus.
fn check_strength(request: &CertificationRequest) -> Result<(), Refusal> {
    let modulus = request.rsa_public_key().map_err(refusal)?.n().to_be_bytes_trimmed_vartime();
    weak_rsa_key::weakness_of(&modulus).map_or(Ok(()), |weakness| Err(weak_key(weakness)))
}

/// True if the modulus of the key in a checked certification request is a prime. To find out takes longer than all of [`check`].
pub fn has_prime_modulus(der: &[u8]) -> bool {
    let key = CertificationRequest::from_der(der).and_then(|request| request.rsa_public_key());
    key.is_ok_and(|key| weak_rsa_key::is_prime(&key.n().to_be_bytes_trimmed_vartime()))
}

/// For a key with this weakness.
pub fn weak_key(weakness: Weakness) -> Refusal {
    Refusal::new(
        ProblemKind::WeakKey,
        format!("The RSA key is weak: {weakness}. Make a new one, with another program or device."),
    )
}

/// RSA, of a size on offer, with the usual exponent.
fn check_public_key(request: &CertificationRequest, key_sizes: &[KeySize]) -> Result<(), Refusal> {
    let RsaParameters { bits, has_usual_exponent } = request.rsa_parameters().map_err(refusal)?;
    if !key_sizes.iter().any(|size| usize::from(size.bits()) == bits) {
        let offered: Vec<String> = key_sizes.iter().map(KeySize::to_string).collect();
        return Err(Refusal::new(
            ProblemKind::KeySizeNotAllowed,
            format!("The RSA key has {bits} bits; generate one with {} bits.", offered.join(" or ")),
        ));
    }
    if !has_usual_exponent {
        return Err(Refusal::new(ProblemKind::PublicExponentNotAllowed, "The RSA public exponent must be 65537."));
    }
    Ok(())
}

/// The Common Name and the company, if the subject follows the template to the letter.
fn check_subject(
    request: &CertificationRequest,
    template: &SubjectTemplate,
) -> Result<(String, Option<String>), Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemKind::SubjectNotAllowed, detail);
    let (common_name, company) = template.parts_of(request.subject()).ok_or_else(|| {
        let expected = template.subject("Common Name");
        refuse(format!("The subject must be “{expected}” with the Common Name of the user or the device."))
    })?;
    distinguished_name::check_common_name(&common_name)
        .map_err(|fault| refuse(format!("The Common Name is not allowed: {fault}.")))?;
    let is_visible = |company: &String| distinguished_name::check_common_name(company).is_ok();
    if company.as_ref().is_some_and(|company| !is_visible(company)) {
        return Err(refuse("The company must have 1 to 64 visible characters, and no space at its ends.".into()));
    }
    Ok((common_name, company))
}

/// The one e-mail address; no other name stands beside it.
fn check_email_address(request: &CertificationRequest) -> Result<String, Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemKind::EmailAddressNotAllowed, detail);
    let names = request.subject_alt_names().map_err(refusal)?;
    let [Some(GeneralName::Rfc822(address))] = names.as_slice() else {
        return Err(refuse(format!(
            "The subjectAltName must have exactly one name, an rfc822Name; it has {} names, {} of them rfc822Names.",
            names.len(),
            names.iter().filter(|name| matches!(name, Some(GeneralName::Rfc822(_)))).count()
        )));
    };
    let address = String::from_utf8_lossy(address).into_owned();
    email_address::check(&address).map_err(|fault| refuse(format!("“{address}”: {fault}.")))?;
    Ok(address)
}

/// The e-mail address of the device that the request is for, and the names in its subjectAltName, by which others reach it.
fn check_device(
    request: &CertificationRequest,
    common_name: &str,
    device: &Device,
) -> Result<(String, Vec<DeviceName>), Refusal> {
    if device.name != common_name {
        return Err(Refusal::new(
            ProblemKind::DeviceNameDiffers,
            format!(
                "The device's name is “{}”, and the certification request's Common Name “{common_name}”: they must be the same.",
                device.name
            ),
        ));
    }
    email_address::check(&device.email_address).map_err(|fault| {
        Refusal::new(ProblemKind::EmailAddressNotAllowed, format!("device.email_address: {fault}."))
    })?;
    let names = request.subject_alt_names().map_err(refusal)?;
    let device_names = device_names::of(common_name, &names).map_err(|fault| {
        Refusal::new(
            ProblemKind::SubjectAltNameNotAllowed,
            format!("In the subjectAltName {fault}. It may be left out, or have the host names and IP addresses of this one device."),
        )
    })?;
    Ok((device.email_address.clone(), device_names))
}

/// What is wrong with the bytes, as the API says it.
fn refusal(error: Error) -> Refusal {
    match error {
        Error::UnsupportedAlgorithm(_) | Error::WeakAlgorithm(_) => Refusal::new(
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
