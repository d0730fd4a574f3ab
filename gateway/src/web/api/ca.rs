//! `GET /api/v1/ca`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use keyside_core::api::CaCertificates;

use crate::web::app::{App, NO_CACHE};

/// The CA's certificates, its documents, and the CAs before it.
#[utoipa::path(
    get,
    path = "/api/v1/ca",
    responses((status = 200, description = "The CA's own certificates, its documents, and the CAs before it", body = CaCertificates))
)]
pub(in crate::web) async fn read(State(app): State<App>) -> impl IntoResponse {
    ([NO_CACHE], Json(app.ra.ca_certificates()))
}
