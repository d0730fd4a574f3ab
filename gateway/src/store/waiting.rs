//! Numbers of what waits, and of certificates, in the table `requests`.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyExecutor;

use crate::clock::DAY;

/// Numbers of requests and certificates.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Counts {
    /// Requests that wait for approval.
    pub pending: i64,
    /// Requests that wait for the CA.
    pub approved: i64,
    /// Certificates whose revocation is asked for, and not decided.
    pub revocation_requested: i64,
    /// Certificates that were revoked.
    pub revoked: i64,
    /// Certificates that are good, and end within 30 days.
    pub ending_in_30_days: i64,
    /// Certificates that are good, and end within 90 days.
    pub ending_in_90_days: i64,
}

/// Counts. `now` is in seconds since 1970-01-01T00:00:00Z.
pub async fn counts(executor: impl AnyExecutor<'_>, now: i64) -> Result<Counts, sqlx::Error> {
    const ENDING: &str =
        "FROM requests WHERE state = 'issued' AND revoked_at IS NULL AND not_after > $1 AND not_after <=";
    let statement = format!(
        "SELECT (SELECT count(*) FROM requests WHERE state = 'pending') AS pending, \
         (SELECT count(*) FROM requests WHERE state = 'approved') AS approved, \
         (SELECT count(*) FROM requests WHERE revocation_requested_at IS NOT NULL AND revoked_at IS NULL) AS revocation_requested, \
         (SELECT count(*) FROM requests WHERE revoked_at IS NOT NULL) AS revoked, \
         (SELECT count(*) {ENDING} $2) AS ending_in_30_days, (SELECT count(*) {ENDING} $3) AS ending_in_90_days"
    );
    sqlx::query_as(AssertSqlSafe(statement))
        .bind(now)
        .bind(now + 30 * DAY)
        .bind(now + 90 * DAY)
        .fetch_one(executor)
        .await
}

/// Work that waits for an officer, of one company.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WaitingWork {
    /// The company, if it is known.
    pub company: Option<String>,
    /// The requests that wait for a person to approve them.
    pub pending: i64,
    /// The certificates whose revocation is asked for.
    pub revocations: i64,
}

/// The work that waits for officers, by company.
pub async fn waiting_work(executor: impl AnyExecutor<'_>) -> Result<Vec<WaitingWork>, sqlx::Error> {
    sqlx::query_as(
        "SELECT company, sum(pending) AS pending, sum(revocations) AS revocations FROM (\
         SELECT company, 1 AS pending, 0 AS revocations FROM requests WHERE state = 'pending' AND approve_at IS NULL \
         UNION ALL SELECT company, 0, 1 FROM requests WHERE revocation_requested_at IS NOT NULL AND revoked_at IS NULL) AS work \
         GROUP BY company",
    )
    .fetch_all(executor)
    .await
}
