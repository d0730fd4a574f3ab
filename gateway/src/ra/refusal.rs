//! Refusals: what is wrong with a request, and the way out.

use std::error::Error;

use keyside_core::api::ProblemKind;

use crate::ca::CaError;
use crate::database::{self, DatabaseError};

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

impl From<tokio::task::JoinError> for Refusal {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::failed(&error)
    }
}
