//! The RA API's description, generated from the code that answers: `GET /api/v1/openapi.json` (OpenAPI 3.1).

use axum::Json;
use keyside_core::api::{ConnectionCheck, Problem};
use utoipa::OpenApi;

use super::{ca, configuration, requests};

/// Where the description is served.
pub(in crate::web) const PATH: &str = "/api/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keyside RA API",
        description = "Sends certification requests to a registration authority and fetches the certificates. Every error is a \
                       problem detail (RFC 9457) whose type leads to a description of its kind."
    ),
    paths(
        requests::submit,
        requests::status,
        requests::correct,
        requests::certificate,
        requests::revoke,
        configuration::read,
        ca::read
    ),
    components(schemas(Problem, ConnectionCheck))
)]
struct Description;

/// The description of the API.
pub(in crate::web) async fn read() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}
