//! `/pki`: the CA's certificates and CRLs, where the certificates say that they are (RFC 2585).

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use keyside_core::api::PKIX_CERT;

use super::app::{App, NO_CACHE};
use crate::ca::Authority;
use crate::ra::refusal::Refusal;

/// A CRL as DER (RFC 2585, section 4.2).
const PKIX_CRL: &str = "application/pkix-crl";

pub(super) async fn root_certificate(State(app): State<App>) -> Response {
    certificate(&app, Authority::Root)
}

pub(super) async fn issuing_certificate(State(app): State<App>) -> Response {
    certificate(&app, Authority::Issuing)
}

pub(super) async fn root_crl(State(app): State<App>) -> Result<Response, Refusal> {
    crl(&app, Authority::Root).await
}

pub(super) async fn issuing_crl(State(app): State<App>) -> Result<Response, Refusal> {
    crl(&app, Authority::Issuing).await
}

fn certificate(app: &App, authority: Authority) -> Response {
    respond(PKIX_CERT, app.ra.authority_certificate(authority).to_vec())
}

async fn crl(app: &App, authority: Authority) -> Result<Response, Refusal> {
    Ok(respond(PKIX_CRL, app.ra.crl(authority).await?))
}

fn respond(media_type: &'static str, der: Vec<u8>) -> Response {
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    ([media_type, NO_CACHE], der).into_response()
}
