//! Enrollment over Secure Transport (RFC 7030, RFC 8951): what it adds to the registration authority's own API.
//!
//! A device without a certificate shows a one-time code; one with a certificate shows that. What comes of either is an ordinary request.

use axum::http::{HeaderMap, header};
use base64ct::{Base64, Encoding};
use keyside_core::api::{MAXIMUM_CERTIFICATION_REQUEST_SIZE, ProblemKind};
use keyside_core::domain::device::Device;
use zeroize::Zeroizing;

use crate::one_time_code;
use crate::problem::Refusal;
use crate::store::est_codes::Code;

/// What a device without a certificate shows: its name as the user, and its code as the password (RFC 7030, section 3.2.3).
pub struct Credentials {
    /// The device's name, its Common Name.
    pub user: String,
    code: Zeroizing<String>,
}

impl Credentials {
    /// Reads the header Authorization (RFC 7617); `None` where there is none that can be read.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(Base64::decode_vec(encoded.trim()).ok()?);
        let (user, code) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Self { user: user.to_owned(), code: Zeroizing::new(code.to_owned()) })
    }

    /// What the database knows of the code.
    pub fn code_sha256(&self) -> Vec<u8> {
        one_time_code::hash(&self.code)
    }
}

/// The device that a code is for; `None` where the code is of a later version, and for something unknown.
pub fn device_of(code: &Code) -> Option<Device> {
    Some(Device {
        kind: code.device_kind.parse().ok()?,
        name: code.common_name.clone(),
        file_format: code.device_file_format.parse().ok()?,
        email_address: code.email_address.clone(),
    })
}

/// Decodes the certification request in a body: base64 of DER, line breaks and other white space wherever (RFC 8951, section 3).
pub fn decode(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if text.len() > MAXIMUM_CERTIFICATION_REQUEST_SIZE.div_ceil(3) * 4 {
        return Err(Refusal::new(
            ProblemKind::CertificationRequestTooLarge,
            format!("A certification request may take {MAXIMUM_CERTIFICATION_REQUEST_SIZE} bytes of DER."),
        ));
    }
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| Base64::decode_vec(text).ok())
        .filter(|der| !der.is_empty())
        .ok_or_else(|| {
            Refusal::new(
                ProblemKind::NotBase64,
                "The body must be the certification request, DER as base64, without the lines of PEM.",
            )
        })
}

/// Base64 as an answer's body, without line breaks (RFC 8951, section 3, by RFC 4648): strongSwan's client fails on them. That of libest, which
/// follows RFC 7030, reads lines of at most 76 characters; none of the two can be told by its request.
pub fn encode(der: &[u8]) -> String {
    Base64::encode_string(der)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_body_may_have_line_breaks() {
        let der: Vec<u8> = (0..=255).collect();
        let text = encode(&der);
        assert_eq!(decode(text.as_bytes()).unwrap(), der);
        let (first, second) = text.split_at(64);
        assert_eq!(decode(format!("{first}\r\n {second}\n").as_bytes()).unwrap(), der);
        for bad in ["", "\n", "AAA", "-----BEGIN CERTIFICATE REQUEST-----", "\u{e9}"] {
            assert_eq!(decode(bad.as_bytes()).unwrap_err().kind, ProblemKind::NotBase64);
        }
        let long = "A".repeat(MAXIMUM_CERTIFICATION_REQUEST_SIZE * 2);
        assert_eq!(decode(long.as_bytes()).unwrap_err().kind, ProblemKind::CertificationRequestTooLarge);
    }

    #[test]
    fn credentials_are_read_as_they_come() {
        let of = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            Credentials::of(&headers).map(|credentials| (credentials.user.clone(), credentials.code_sha256()))
        };
        let code = one_time_code::new();
        let basic = |text: &str| Base64::encode_string(text.as_bytes());
        let known = Some(("rig-1".to_owned(), one_time_code::hash(&code)));
        assert_eq!(of(&format!("Basic {}", basic(&format!("rig-1:{}", *code)))), known);
        assert_eq!(of(&format!("basic {}", basic(&format!("rig-1:{}", code.to_lowercase())))), known);
        assert_ne!(of(&format!("Basic {}", basic("rig-1:other"))), known);
        for bad in ["Basic", "Basic !", "Bearer abc", &format!("Basic {}", basic("no colon"))] {
            assert_eq!(of(bad), None);
        }
    }
}
