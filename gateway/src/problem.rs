//! Refusals: how the API says what is wrong (RFC 9457).

use std::any::Any;
use std::error::Error;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyside_core::api::{PROBLEM_JSON, Problem, ProblemKind};

use crate::ca::CaError;
use crate::database::{self, DatabaseError};
use crate::decision::DecisionError;

/// When to try again after the gateway was not able to answer, in seconds.
pub(crate) const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// A request that is not fulfilled, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind of problem.
    pub kind: ProblemKind,
    /// The fault in this request, and the way out.
    pub detail: String,
}

impl Refusal {
    /// A refusal of this kind; `detail` names the fault and the way out.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The gateway's own fault: `cause` goes to the log, not to the client.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "the gateway failed");
        Self::new(ProblemKind::Internal, "Nothing is lost: try again later, and tell the site's contact if it stays.")
    }

    /// The gateway's own fault, or an outage of its database, after which it is worth trying again.
    pub fn failed(cause: &(dyn Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(cause), |&cause| cause.source());
        let is_outage = |cause: &(dyn Error + 'static)| {
            cause.downcast_ref().is_some_and(database::is_outage)
                || matches!(cause.downcast_ref(), Some(DatabaseError::Journal { .. }))
        };
        if !causes.any(is_outage) {
            return Self::internal(cause);
        }
        tracing::error!(%cause, "the database cannot be used now");
        Self::new(
            ProblemKind::Unavailable,
            "The service cannot save anything now. Nothing is lost: try again in a minute.",
        )
    }

    /// For `CatchPanicLayer`.
    pub fn from_panic(_cause: Box<dyn Any + Send>) -> Response {
        // The panic hook has already written message and place to the log.
        Self::internal(&"a panic").into_response()
    }
}

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

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        Self::failed(&error)
    }
}

impl From<CaError> for Refusal {
    fn from(error: CaError) -> Self {
        Self::failed(&error)
    }
}

impl From<DecisionError> for Refusal {
    fn from(error: DecisionError) -> Self {
        Self::failed(&error)
    }
}

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::failed(&error)
    }
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
        let router = Router::new().route("/", get(fail)).layer(CatchPanicLayer::custom(Refusal::from_panic));
        let response = router.oneshot(axum::http::Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.kind, ProblemKind::Internal);
        assert!(!problem.detail.contains("secret"));
    }
}
