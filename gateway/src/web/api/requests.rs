//! `/api/v1/requests`: the heart of the RA API.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyside_core::api::{
    NewRequest, NewRevocation, PEM_CERTIFICATE_CHAIN, PKCS7_CERTS_ONLY, PKCS7_CMC_REQUEST, PKIX_CERT, Problem,
    ProblemKind, RequestState, RequestStatus, request_path,
};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::{certs_only, pem};
use serde::de::DeserializeOwned;

use crate::ra::refusal::Refusal;
use crate::ra::status::Standing;
use crate::web::accept;
use crate::web::app::{App, NO_STORE};
use crate::web::body::{essence, read_body};
use crate::web::rate_limit::ClientAddress;

/// The media types that a certificate can be had in, the usual one first.
const OFFERS: [&str; 3] = [PEM_CERTIFICATE_CHAIN, PKIX_CERT, PKCS7_CERTS_ONLY];

/// Takes a request, or a renewal: a PKCS#10 request signed by the holder of the current certificate (RFC 5272, section 3.2.1.2).
#[utoipa::path(
    post,
    path = "/api/v1/requests",
    request_body(content(
        (NewRequest = "application/json"),
        (Vec<u8> = "application/pkcs7-mime; smime-type=CMC-request"),
    )),
    responses(
        (status = 202, description = "Taken; Location names it, Retry-After says when to ask", body = RequestStatus),
        (status = 201, description = "Taken, and issued at once", body = RequestStatus),
        (status = 200, description = "Known already, and decided", body = RequestStatus),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many calls; Retry-After says when there is room", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "The gateway, its database or its CA cannot answer now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::web) async fn submit(State(app): State<App>, request: Request<Body>) -> Result<Response, Refusal> {
    let media_type = essence(&request);
    let from = request.extensions().get::<ClientAddress>().map(|address| address.0);
    let body = read_body(request.into_body(), app.limits.body_bytes).await?;
    let submission = match media_type.as_str() {
        "application/json" => {
            app.ra.submit(read_json(&body, "certificate_type and certification_request")?, from).await?
        }
        "application/pkcs7-mime" => app.ra.renew(body).await?,
        _ => {
            return Err(Refusal::new(
                ProblemKind::UnsupportedMediaType,
                format!(
                    "Send a new request as JSON, with the header “Content-Type: application/json”, and a renewal as \
                     “{PKCS7_CMC_REQUEST}”."
                ),
            ));
        }
    };
    let status = match (&submission.standing.status.state, submission.is_new) {
        (RequestState::Pending, _) => StatusCode::ACCEPTED,
        (_, true) => StatusCode::CREATED,
        (_, false) => StatusCode::OK,
    };
    let path = request_path(&submission.standing.status.transaction_id);
    let location = HeaderValue::from_str(&path).map_err(|error| Refusal::internal(&error))?;
    Ok((status, [(header::LOCATION, location)], respond(submission.standing)).into_response())
}

/// How a request stands.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{transaction_id}",
    params(("transaction_id" = String, Path, description = "The transaction ID")),
    responses(
        (status = 200, description = "Its state; Retry-After while it waits", body = RequestStatus),
        (status = 404, description = "Unknown or malformed", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many calls; Retry-After says when there is room", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "The gateway, its database or its CA cannot answer now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::web) async fn status(
    State(app): State<App>,
    TransactionIdInPath(id): TransactionIdInPath,
) -> Result<Response, Refusal> {
    Ok(respond(app.ra.status(id).await?))
}

/// Replaces the certificate type and the device of a request that waits. The certification request must be the same.
#[utoipa::path(
    put,
    path = "/api/v1/requests/{transaction_id}",
    params(("transaction_id" = String, Path, description = "The transaction ID")),
    request_body = NewRequest,
    responses(
        (status = 200, description = "Replaced", body = RequestStatus),
        (status = 409, description = "It has been decided, or is another certification request", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many calls; Retry-After says when there is room", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "The gateway, its database or its CA cannot answer now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::web) async fn correct(
    State(app): State<App>,
    TransactionIdInPath(id): TransactionIdInPath,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let new = receive_json(&app, request, "certificate_type and certification_request").await?;
    Ok(respond(app.ra.correct(id, new).await?))
}

/// The certificate, in the media type asked for. The chain goes up to the root without it: whoever trusts a root because it
/// came along with the certificate trusts nothing. `GET /api/v1/ca` has it.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{transaction_id}/certificate",
    params(("transaction_id" = String, Path, description = "The transaction ID")),
    responses(
        (status = 200, description = "The certificate; the header Accept chooses the media type", content(
            (String = "application/pem-certificate-chain"),
            (Vec<u8> = "application/pkix-cert"),
            (Vec<u8> = "application/pkcs7-mime; smime-type=certs-only"),
        )),
        (status = 404, description = "Unknown or malformed", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No such media type", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not issued", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many calls; Retry-After says when there is room", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "The gateway, its database or its CA cannot answer now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::web) async fn certificate(
    State(app): State<App>,
    TransactionIdInPath(id): TransactionIdInPath,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let certificate = app.ra.certificate(id).await?;
    let chain: Vec<&[u8]> = [certificate.as_slice()].into_iter().chain(app.ra.chain(&certificate)).collect();

    let Some(media_type) = accept::choose(&accept::accepted(&headers), &OFFERS) else {
        return Err(Refusal::new(
            ProblemKind::NotAcceptable,
            format!("The certificate can be had as {}.", OFFERS.join(", ")),
        ));
    };
    let body = match media_type {
        PEM_CERTIFICATE_CHAIN => chain
            .iter()
            .map(|der| pem::encode(pem::CERTIFICATE, der))
            .collect::<Result<String, _>>()
            .map(String::into_bytes),
        PKCS7_CERTS_ONLY => certs_only::encode(&chain),
        _ => Ok(certificate.clone()),
    }
    .map_err(|error| Refusal::internal(&error))?;
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let vary = (header::VARY, HeaderValue::from_static("accept"));
    Ok(([media_type, vary, NO_STORE], body).into_response())
}

/// A request's state, with the time to ask again.
fn respond(standing: Standing) -> Response {
    let mut response = ([NO_STORE], Json(standing.status)).into_response();
    if let Some(seconds) = standing.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The transaction ID in the path.
pub(in crate::web) struct TransactionIdInPath(TransactionId);

impl<S: Send + Sync> FromRequestParts<S> for TransactionIdInPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let refuse = |fault: String| Refusal::new(ProblemKind::MalformedTransactionId, fault);
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|error| refuse(error.body_text()))?;
        text.parse().map(Self).map_err(|fault| refuse(format!("{fault}: compare it with what you noted.")))
    }
}

/// Asks for the revocation of the certificate. An officer decides.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{transaction_id}/revocation",
    params(("transaction_id" = String, Path, description = "The transaction ID")),
    request_body = NewRevocation,
    responses(
        (status = 202, description = "Noted for an officer, or known already", body = RequestStatus),
        (status = 404, description = "Unknown or malformed", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not issued", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many calls; Retry-After says when there is room", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "The gateway, its database or its CA cannot answer now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::web) async fn revoke(
    State(app): State<App>,
    TransactionIdInPath(id): TransactionIdInPath,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let new = receive_json(&app, request, "reason").await?;
    let standing = app.ra.request_revocation(id, new).await?;
    Ok((StatusCode::ACCEPTED, respond(standing)).into_response())
}

/// Receives a body that must be JSON, an object with these `members`.
async fn receive_json<T: DeserializeOwned>(app: &App, request: Request<Body>, members: &str) -> Result<T, Refusal> {
    let media_type = essence(&request);
    let body = read_body(request.into_body(), app.limits.body_bytes).await?;
    if media_type != "application/json" {
        return Err(Refusal::new(
            ProblemKind::UnsupportedMediaType,
            "Send the body as JSON, with the header “Content-Type: application/json”.",
        ));
    }
    read_json(&body, members)
}

/// Reads a body of JSON, an object with these `members`.
fn read_json<T: DeserializeOwned>(body: &[u8], members: &str) -> Result<T, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(ProblemKind::MalformedBody, format!("The body is empty; it must have {members}.")));
    }
    serde_json::from_slice(body).map_err(|error| {
        Refusal::new(
            ProblemKind::MalformedBody,
            format!("The body is not the JSON expected, an object with {members}: {error}."),
        )
    })
}
