//! `/.well-known/est`: Enrollment over Secure Transport (RFC 7030, RFC 8951), beside the connection check.
//!
//! A device without a certificate shows a one-time code; one with a certificate shows that. What comes of either is an ordinary request.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding};
use keyside_core::api::{MAXIMUM_CERTIFICATION_REQUEST_SIZE, ProblemKind, RequestState};
use keyside_pki::certs_only;
use zeroize::Zeroizing;

use super::app::{App, NO_STORE};
use super::body::{essence, read_body};
use super::problems::RETRY_AFTER;
use crate::ca::Authority;
use crate::ra::connection_check::Client;
use crate::ra::device_codes::Credentials;
use crate::ra::device_enrollment::EnrollmentRefusal;
use crate::ra::intake::Submission;
use crate::ra::refusal::Refusal;

/// Where the operations are.
pub(super) const CA_CERTS_PATH: &str = "/.well-known/est/cacerts";
pub(super) const SIMPLE_ENROLL_PATH: &str = "/.well-known/est/simpleenroll";
pub(super) const SIMPLE_REENROLL_PATH: &str = "/.well-known/est/simplereenroll";

const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// Why there is no certificate, in words: programs print what they get (RFC 7030, section 4.2.3).
pub(super) struct Fault {
    status: StatusCode,
    text: String,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, text: refusal.detail }
    }
}

impl From<EnrollmentRefusal> for Fault {
    fn from(refusal: EnrollmentRefusal) -> Self {
        match refusal {
            EnrollmentRefusal::Unauthorized(text) => Self { status: StatusCode::UNAUTHORIZED, text: text.into() },
            EnrollmentRefusal::Refusal(refusal) => refusal.into(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, PLAIN_TEXT), NO_STORE], format!("{}\n", self.text)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"device enrollment\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

/// The CA's certificates (RFC 7030, section 4.1): the root first.
pub(super) async fn ca_certificates(State(app): State<App>) -> Result<Response, Fault> {
    let mut certificates = vec![app.ra.authority_certificate(Authority::Root)];
    certificates.extend(app.ra.intermediates());
    Ok(certs_only_response("application/pkcs7-mime", &certificates)?)
}

/// A certificate for a device that shows a one-time code (RFC 7030, section 4.2.1).
pub(super) async fn simple_enroll(
    State(app): State<App>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Fault> {
    // Before anything is read: without credentials nobody is listened to.
    let credentials = credentials_of(&headers).ok_or(EnrollmentRefusal::NO_CODE)?;
    let der = certification_request(&app, request).await?;
    answer(&app, app.ra.enroll_device(&credentials, der).await?).await
}

/// A new certificate for a device that shows its current one (RFC 7030, section 4.2.2).
pub(super) async fn simple_reenroll(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let current = client.certificate.ok_or(EnrollmentRefusal::NO_CERTIFICATE)?;
    let der = certification_request(&app, request).await?;
    answer(&app, app.ra.reenroll_device(&current, der).await?).await
}

/// The certification request that is the body.
async fn certification_request(app: &App, request: Request<Body>) -> Result<Vec<u8>, Refusal> {
    let media_type = essence(&request);
    let body = read_body(request.into_body(), app.limits.body_bytes).await?;
    if media_type != "application/pkcs10" {
        return Err(Refusal::new(
            ProblemKind::UnsupportedMediaType,
            "Send the certification request with the header “Content-Type: application/pkcs10”.",
        ));
    }
    decode(&body)
}

/// The certificate, or when to ask for it again (RFC 7030, section 4.2.3).
async fn answer(app: &App, Submission { standing, .. }: Submission) -> Result<Response, Fault> {
    match standing.status.state {
        RequestState::Issued => {
            let certificate = app.ra.certificate(standing.status.transaction_id).await?;
            Ok(certs_only_response("application/pkcs7-mime; smime-type=certs-only", &[&certificate])?)
        }
        RequestState::Pending => {
            let text = format!(
                "The request {} waits for approval: send it again later, the same one.\n",
                standing.status.transaction_id
            );
            let mut response =
                (StatusCode::ACCEPTED, [(header::CONTENT_TYPE, PLAIN_TEXT), NO_STORE], text).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, standing.retry_after.unwrap_or(1).into());
            Ok(response)
        }
        RequestState::Rejected { reason } => {
            Err(Fault { status: StatusCode::FORBIDDEN, text: format!("The request was rejected: {reason}") })
        }
    }
}

/// Certificates as a certs-only CMS, in base64.
fn certs_only_response(media_type: &'static str, certificates: &[&[u8]]) -> Result<Response, Refusal> {
    let der = certs_only::encode(certificates).map_err(|error| Refusal::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        // RFC 8951 has clients pass it over; those of RFC 7030 look for it.
        (TRANSFER_ENCODING, HeaderValue::from_static("base64")),
        NO_STORE,
    ];
    Ok((headers, encode(&der)).into_response())
}

/// Reads the header Authorization (RFC 7617); `None` where there is none that can be read.
fn credentials_of(headers: &HeaderMap) -> Option<Credentials> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(Base64::decode_vec(encoded.trim()).ok()?);
    let (user, code) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials::new(user.to_owned(), Zeroizing::new(code.to_owned())))
}

/// Decodes the certification request in a body: base64 of DER, line breaks and other white space wherever (RFC 8951, section 3).
fn decode(body: &[u8]) -> Result<Vec<u8>, Refusal> {
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
fn encode(der: &[u8]) -> String {
    Base64::encode_string(der)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::ra::one_time_code;

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
            credentials_of(&headers).map(|credentials| (credentials.user.clone(), credentials.code_sha256()))
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
