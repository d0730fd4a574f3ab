//! Refusals as problem details (RFC 9457), and `GET /problems/{slug}`, which their member `type` refers to.

use std::any::Any;

use axum::Json;
use axum::extract::OriginalUri;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyside_core::api::{PROBLEM_JSON, Problem, ProblemKind};

use crate::ra::refusal::Refusal;

/// When to try again after the gateway was not able to answer, in seconds.
pub(super) const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let problem = Json(Problem::new(self.kind, self.detail));
        let mut response = (status, headers, problem).into_response();
        if self.kind == ProblemKind::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

/// The answer after a panic, for `CatchPanicLayer`.
pub(super) fn of_panic(_cause: Box<dyn Any + Send>) -> Response {
    // The panic hook has already written message and place to the log.
    Refusal::internal(&"a panic").into_response()
}

/// A few plain lines about a kind of problem.
pub(super) async fn describe(OriginalUri(uri): OriginalUri) -> Result<String, Refusal> {
    let kind = ProblemKind::ALL
        .iter()
        .find(|kind| kind.reference() == uri.path())
        .ok_or_else(|| Refusal::new(ProblemKind::NotFound, "There is no such kind of problem."))?;
    Ok(format!(
        "{}\n\nThe API answers with this problem and the HTTP status {}. Its member “detail” names the fault in the request \
         at hand and the way out (RFC 9457).\n",
        kind.title(),
        kind.status()
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop where it fails")]

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_problem() {
        async fn fail() {
            panic!("a secret")
        }
        let router = Router::new().route("/", get(fail)).layer(CatchPanicLayer::custom(of_panic));
        let response = router.oneshot(axum::http::Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.kind, ProblemKind::Internal);
        assert!(!problem.detail.contains("secret"));
    }
}
