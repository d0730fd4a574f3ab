//! Revocations, of the table `requests`, and of serial numbers that no request has.

use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyExecutor;

use super::changes_one;
use super::requests::reason_of;
use crate::database::Transaction;

/// A certificate that was revoked, as a CRL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// The serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// When it was revoked.
    pub revoked_at: i64,
    /// Why.
    pub reason: RevocationReason,
}

/// Notes that the revocation of an issued certificate is asked for. The first time is kept, and the gravest reason. Returns whether that was
/// news.
pub async fn request_revocation(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: RevocationReason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET revocation_requested_at = coalesce(revocation_requested_at, $1), revocation_requested_reason = $2 \
         WHERE transaction_id = $4 AND state = 'issued' \
         AND (revocation_requested_reason IS NULL OR ($2 = $3 AND revocation_requested_reason <> $3))",
    )
    .bind(now)
    .bind(reason.name())
    .bind(RevocationReason::KeyCompromise.name())
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// Revokes an issued certificate. Returns whether it was issued, and not revoked before.
pub async fn revoke(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: RevocationReason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET revoked_at = $1, revocation_reason = $2 \
         WHERE transaction_id = $3 AND state = 'issued' AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(reason.name())
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// The certificates that were revoked, of all issuers, those of no known request too.
const REVOKED: &str = "SELECT serial_number, revoked_at, revocation_reason FROM requests WHERE revoked_at IS NOT NULL";
/// The same of the issuer $1.
const REVOKED_OF_ISSUER: &str =
    "SELECT serial_number, revoked_at, revocation_reason FROM requests WHERE revoked_at IS NOT NULL AND issuer = $1";
/// Those of no known request: any issuer's.
const REVOKED_BY_SERIAL_NUMBER: &str = "SELECT serial_number, revoked_at, reason FROM revoked_serial_numbers WHERE NOT EXISTS \
     (SELECT 1 FROM requests WHERE requests.serial_number = revoked_serial_numbers.serial_number AND requests.revoked_at IS NOT NULL)";

type Row = (Vec<u8>, i64, String);

fn of_rows(rows: Vec<Row>) -> Vec<RevokedCertificate> {
    let certificate = |(serial_number, revoked_at, reason): Row| RevokedCertificate {
        serial_number,
        revoked_at,
        reason: reason_of(&reason),
    };
    rows.into_iter().map(certificate).collect()
}

/// The certificates that were revoked, in the order in which they were.
pub async fn revoked(executor: impl AnyExecutor<'_>) -> Result<Vec<RevokedCertificate>, sqlx::Error> {
    let statement = format!("{REVOKED} UNION ALL {REVOKED_BY_SERIAL_NUMBER} ORDER BY 2, 1");
    sqlx::query_as(AssertSqlSafe(statement)).fetch_all(executor).await.map(of_rows)
}

/// The same for the CRL of the issuer: see [`issuer_of`](super::crls::issuer_of).
pub async fn revoked_by(executor: impl AnyExecutor<'_>, issuer: &[u8]) -> Result<Vec<RevokedCertificate>, sqlx::Error> {
    let statement = format!("{REVOKED_OF_ISSUER} UNION ALL {REVOKED_BY_SERIAL_NUMBER} ORDER BY 2, 1");
    sqlx::query_as(AssertSqlSafe(statement)).bind(issuer).fetch_all(executor).await.map(of_rows)
}

/// The number of certificates on that CRL.
pub async fn count_revoked_by(executor: impl AnyExecutor<'_>, issuer: &[u8]) -> Result<i64, sqlx::Error> {
    let statement =
        format!("SELECT count(*) FROM ({REVOKED_OF_ISSUER} UNION ALL {REVOKED_BY_SERIAL_NUMBER}) AS revoked");
    sqlx::query_scalar(AssertSqlSafe(statement)).bind(issuer).fetch_one(executor).await
}

/// Revokes the certificate of an issuing authority, by its serial number. Returns false if it was revoked before.
pub async fn revoke_authority(
    transaction: &mut Transaction,
    serial_number: &[u8],
    reason: RevocationReason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "INSERT INTO revoked_authorities (serial_number, revoked_at, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    );
    changes_one(transaction, statement.bind(serial_number).bind(now).bind(reason.name())).await
}

/// The certificates of issuing authorities that were revoked, in the order in which they were.
pub async fn revoked_authorities(executor: impl AnyExecutor<'_>) -> Result<Vec<RevokedCertificate>, sqlx::Error> {
    sqlx::query_as("SELECT serial_number, revoked_at, reason FROM revoked_authorities ORDER BY 2, 1")
        .fetch_all(executor)
        .await
        .map(of_rows)
}
