//! `/pki`: the CA's certificates and CRLs, where the certificates say that they are (RFC 2585).

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keyside_core::api::PKIX_CERT;

use super::app::{App, NO_CACHE};
use crate::ra::RegistrationAuthority;

/// A CRL as DER (RFC 2585, section 4.2).
const PKIX_CRL: &str = "application/pkix-crl";

/// The routes of every authority's certificate and CRL.
pub(super) fn routes(ra: &RegistrationAuthority) -> Router<App> {
    let mut router = Router::new();
    for authority in ra.authorities() {
        let slug = authority.slug();
        let certificate = move |State(app): State<App>| async move {
            respond(PKIX_CERT, app.ra.authority_certificate(authority).to_vec())
        };
        let crl =
            move |State(app): State<App>| async move { app.ra.crl(authority).await.map(|crl| respond(PKIX_CRL, crl)) };
        router =
            router.route(&format!("/pki/{slug}.cer"), get(certificate)).route(&format!("/pki/{slug}.crl"), get(crl));
    }
    router
}

fn respond(media_type: &'static str, der: Vec<u8>) -> Response {
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    ([media_type, NO_CACHE], der).into_response()
}
