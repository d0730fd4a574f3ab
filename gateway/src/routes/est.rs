//! `/.well-known/est`: enrollment over secure transport (RFC 7030), beside the connection check.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyside_core::api::{ProblemKind, RequestState};
use keyside_pki::certs_only;

use super::requests::{essence, read_body};
use super::{App, NO_STORE};
use crate::ca::Authority;
use crate::est::{self, Credentials};
use crate::problem::{RETRY_AFTER, Refusal};
use crate::service::{EnrollmentRefusal, Submission};
use crate::tls::Client;

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
    let mut certificates = vec![app.service.authority_certificate(Authority::Root)];
    certificates.extend(app.service.intermediates());
    Ok(certs_only_response("application/pkcs7-mime", &certificates)?)
}

/// A certificate for a device that shows a one-time code (RFC 7030, section 4.2.1).
pub(super) async fn simple_enroll(
    State(app): State<App>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Fault> {
    // Before anything is read: without credentials nobody is listened to.
    let credentials = Credentials::of(&headers).ok_or(EnrollmentRefusal::NO_CODE)?;
    let der = certification_request(&app, request).await?;
    answer(&app, app.service.enroll_device(&credentials, der).await?).await
}

/// A new certificate for a device that shows its current one (RFC 7030, section 4.2.2).
pub(super) async fn simple_reenroll(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    request: Request<Body>,
) -> Result<Response, Fault> {
    let current = client.certificate.ok_or(EnrollmentRefusal::NO_CERTIFICATE)?;
    let der = certification_request(&app, request).await?;
    answer(&app, app.service.reenroll_device(&current, der).await?).await
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
    est::decode(&body)
}

/// The certificate, or when to ask for it again (RFC 7030, section 4.2.3).
async fn answer(app: &App, Submission { standing, .. }: Submission) -> Result<Response, Fault> {
    match standing.status.state {
        RequestState::Issued => {
            let certificate = app.service.certificate(standing.status.transaction_id).await?;
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
    Ok((headers, est::encode(&der)).into_response())
}
