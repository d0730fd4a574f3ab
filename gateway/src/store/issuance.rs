//! From a pending request to its certificate, in the table `requests`.

use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::{Certificate, CertificateSummary};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyExecutor;

use super::changes_one;
use super::requests::{Request, select_requests};
use crate::database::{Database, DatabaseError, Transaction};

/// What an approval fixes for good.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// The first second of the certificate's validity.
    pub not_before: i64,
    /// The last second of the certificate's validity.
    pub not_after: i64,
    /// When it was approved.
    pub decided_at: i64,
}

/// A certificate, and what it says.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its fingerprints.
    pub fingerprints: Fingerprints,
    /// Its serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// The first second of its validity.
    pub not_before: i64,
    /// The last second of its validity.
    pub not_after: i64,
    /// Its issuer: see [`issuer_of`](super::crls::issuer_of).
    pub issuer: Vec<u8>,
}

/// The fingerprints of a certificate, in lowercase hexadecimal.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    /// The SHA-1 of its DER, which Windows shows as the thumbprint.
    pub sha1: String,
    /// The SHA-256 of its DER.
    pub sha256: String,
}

impl Fingerprints {
    /// Those of a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        let CertificateSummary { sha1_fingerprint: sha1, sha256_fingerprint: sha256, .. } = certificate.summary();
        Self { sha1, sha256 }
    }
}

/// An approved request: all that its certificate is made from.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ApprovedRequest {
    /// Its name.
    #[sqlx(try_from = "String")]
    pub transaction_id: TransactionId,
    /// The id of its type.
    pub certificate_type: String,
    /// The subject's Common Name.
    pub common_name: String,
    /// The PKCS#10 CertificationRequest, DER.
    pub certification_request: Vec<u8>,
    /// The e-mail address.
    pub email_address: String,
    device_kind: Option<String>,
    /// See [`Approval::serial_number`].
    pub serial_number: Vec<u8>,
    /// See [`Approval::not_before`].
    pub not_before: i64,
    /// See [`Approval::not_after`].
    pub not_after: i64,
    /// How often the CA engine was asked, this time included.
    pub issue_attempts: i64,
    /// Why it gave no certificate the last time.
    pub issue_fault: Option<String>,
}

impl ApprovedRequest {
    /// Whether an earlier attempt has had no end: the CA engine may have signed, and nobody here knows.
    pub fn is_in_doubt(&self) -> bool {
        self.issue_attempts > 1 && self.issue_fault.is_none()
    }

    /// Whether it is for a device.
    pub fn is_for_device(&self) -> bool {
        self.device_kind.is_some()
    }
}

/// A request that is due at $1.
macro_rules! due {
    () => {
        "WHERE state = 'pending' AND approve_at <= $1 AND NOT EXISTS (SELECT 1 FROM requests AS current \
         WHERE current.serial_number = requests.renews \
         AND (current.revoked_at IS NOT NULL OR current.revocation_requested_at IS NOT NULL))"
    };
}
const DUE: &str = concat!(select_requests!(""), due!(), " ORDER BY approve_at");
const IS_DUE: &str = concat!("SELECT 1 FROM requests ", due!(), " AND transaction_id = $2");

/// The requests that approve themselves by now, in the order in which they do. A renewal waits for a person once the certificate that it renews
/// was revoked, or somebody has asked for that.
pub async fn due(executor: impl AnyExecutor<'_>, now: i64) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(DUE).bind(now).fetch_all(executor).await
}

/// True if the request `id` is one of those.
pub async fn is_due(executor: impl AnyExecutor<'_>, id: TransactionId, now: i64) -> Result<bool, sqlx::Error> {
    let found: Option<i32> = sqlx::query_scalar(IS_DUE).bind(now).bind(id.to_string()).fetch_optional(executor).await?;
    Ok(found.is_some())
}

/// Approves a pending request, unless it renews a certificate that was revoked. Returns whether it was pending, and is approved.
pub async fn approve(
    transaction: &mut Transaction,
    id: TransactionId,
    approval: &Approval,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'approved', serial_number = $1, not_before = $2, not_after = $3, decided_at = $4 \
         WHERE transaction_id = $5 AND state = 'pending' AND NOT EXISTS (SELECT 1 FROM requests AS current \
         WHERE current.serial_number = requests.renews AND current.revoked_at IS NOT NULL)",
    )
    .bind(&approval.serial_number)
    .bind(approval.not_before)
    .bind(approval.not_after)
    .bind(approval.decided_at)
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// Rejects a pending request. Returns whether it was pending.
pub async fn reject(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: &str,
    decided_at: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'rejected', rejection_reason = $1, decided_at = $2 \
         WHERE transaction_id = $3 AND state = 'pending'",
    )
    .bind(reason)
    .bind(decided_at)
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// The statement that takes; see [`Database::passing_over_locked`]. The condition stands twice, so that nobody takes what has just been taken.
fn take_approved_statement(passing_over_locked: &str) -> String {
    format!(
        "UPDATE requests SET issue_at = $2, issue_attempts = issue_attempts + 1 \
         WHERE state = 'approved' AND issue_at <= $1 AND transaction_id = (SELECT transaction_id FROM requests \
         WHERE state = 'approved' AND issue_at <= $1 ORDER BY issue_at, submitted_at LIMIT 1 {passing_over_locked}) \
         RETURNING transaction_id, certificate_type, certification_request, common_name, email_address, device_kind, serial_number, \
         not_before, not_after, issue_attempts, issue_fault"
    )
}

/// Takes the approved request that has waited longest, to ask the CA engine for its certificate, until `until`; nobody else gets it before.
pub async fn take_approved(
    database: &Database,
    now: i64,
    until: i64,
) -> Result<Option<ApprovedRequest>, DatabaseError> {
    let mut transaction = database.transaction().await?;
    let statement = take_approved_statement(database.passing_over_locked());
    let taken: Option<ApprovedRequest> =
        sqlx::query_as(AssertSqlSafe(statement)).bind(now).bind(until).fetch_optional(&mut *transaction).await?;
    if let Some(taken) = &taken {
        let statement = "UPDATE requests SET issue_fault = NULL WHERE transaction_id = $1";
        sqlx::query(statement).bind(taken.transaction_id.to_string()).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(taken)
}

/// Notes why a request that was taken got no certificate, and when to try again.
pub async fn issue_failed(
    transaction: &mut Transaction,
    id: TransactionId,
    fault: &str,
    again_at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE requests SET issue_fault = $1, issue_at = $2 WHERE transaction_id = $3 AND state = 'approved'")
        .bind(fault)
        .bind(again_at)
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Keeps the certificate of an approved request, with what it says itself: an engine may have decided otherwise. Returns whether there was
/// none yet.
pub async fn issue(transaction: &mut Transaction, id: TransactionId, issued: &Issued) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'issued', certificate = $1, serial_number = $2, not_before = $3, not_after = $4, \
         certificate_sha1 = $6, certificate_sha256 = $7, issuer = $8, issue_fault = NULL WHERE transaction_id = $5 AND state = 'approved'",
    )
    .bind(&issued.certificate)
    .bind(&issued.serial_number)
    .bind(issued.not_before)
    .bind(issued.not_after)
    .bind(id.to_string())
    .bind(&issued.fingerprints.sha1)
    .bind(&issued.fingerprints.sha256)
    .bind(&issued.issuer);
    changes_one(transaction, statement).await
}

/// Notes the issuer of the certificates that have none noted.
pub async fn note_first_issuer(transaction: &mut Transaction, issuer: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE requests SET issuer = $1 WHERE issuer IS NULL AND state = 'issued'")
        .bind(issuer)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Rejects an approved request that the CA engine refuses for good. Returns whether it was approved.
pub async fn refuse(transaction: &mut Transaction, id: TransactionId, reason: &str) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'rejected', rejection_reason = $1, serial_number = NULL, not_before = NULL, not_after = NULL, \
         issue_fault = NULL WHERE transaction_id = $2 AND state = 'approved'",
    )
    .bind(reason)
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::store::search::assert_steps;

    #[tokio::test]
    async fn what_is_asked_all_the_time_goes_by_an_index_of_its_own() {
        assert_steps(&[
            (DUE, "requests_due (state=? AND approve_at<?)"),
            (&take_approved_statement(""), "requests_to_issue (state=? AND issue_at<?)"),
        ])
        .await;
    }
}
