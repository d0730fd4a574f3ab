//! `GET /api/v1/configuration`.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use keyside_core::api::Configuration;

use crate::web::app::{App, NO_CACHE};

/// What the page needs to know of this registration authority.
#[utoipa::path(
    get,
    path = "/api/v1/configuration",
    responses((status = 200, description = "What is on offer", body = Configuration))
)]
pub(in crate::web) async fn read(State(app): State<App>) -> impl IntoResponse {
    ([NO_CACHE], Json(app.ra.configuration()))
}
