//! Deleting what is over, in all tables, some rows at a time.

use sqlx::any::AnyExecutor;

use crate::database::Transaction;

/// The rows that one call deletes at most.
pub const BATCH: i64 = 500;

/// The transaction IDs of requests that have waited for approval since before `since`, in seconds since 1970-01-01T00:00:00Z, oldest first.
pub async fn pending_since(executor: impl AnyExecutor<'_>, since: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT transaction_id FROM requests WHERE state = 'pending' AND submitted_at < $1 ORDER BY submitted_at LIMIT $2",
    )
    .bind(since)
    .bind(BATCH)
    .fetch_all(executor)
    .await
}

/// Deletes requests that were rejected before `before`. Returns their number.
pub async fn delete_rejected(transaction: &mut Transaction, before: i64) -> Result<u64, sqlx::Error> {
    delete(
        transaction,
        "DELETE FROM requests WHERE transaction_id IN \
         (SELECT transaction_id FROM requests WHERE state = 'rejected' AND decided_at < $1 LIMIT $2)",
        before,
    )
    .await
}

/// Deletes requests whose certificates have ended before `before`, except those that a waiting request renews. Returns their number. A key that a
/// stranger may have is kept. The CRL that a certificate was on is signed again: the next one that is revoked would make as many entries as before.
pub async fn delete_ended(transaction: &mut Transaction, before: i64) -> Result<u64, sqlx::Error> {
    let ended: Vec<String> = sqlx::query_scalar(
        "SELECT transaction_id FROM requests WHERE state = 'issued' AND not_after < $1 AND NOT EXISTS \
         (SELECT 1 FROM requests AS renewal WHERE renewal.renews = requests.serial_number AND renewal.state || '' IN ('pending', 'approved')) \
         ORDER BY not_after LIMIT $2",
    )
    .bind(before)
    .bind(BATCH)
    .fetch_all(&mut **transaction)
    .await?;
    for id in &ended {
        sqlx::query(
            "INSERT INTO compromised_keys (key_id) SELECT key_id FROM requests WHERE transaction_id = $1 AND key_id IS NOT NULL \
             AND (revocation_reason = 'key-compromise' OR revocation_requested_reason = 'key-compromise') ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .execute(&mut **transaction)
        .await?;
        sqlx::query(
            "UPDATE crls SET this_update = 0 WHERE issuer IN \
             (SELECT issuer FROM requests WHERE transaction_id = $1 AND revoked_at IS NOT NULL)",
        )
        .bind(id)
        .execute(&mut **transaction)
        .await?;
        sqlx::query("DELETE FROM requests WHERE transaction_id = $1").bind(id).execute(&mut **transaction).await?;
    }
    Ok(ended.len() as u64)
}

/// True if the key is one of those that [`delete_ended`] has kept.
pub async fn is_compromised(executor: impl AnyExecutor<'_>, key_id: &str) -> Result<bool, sqlx::Error> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM compromised_keys WHERE key_id = $1")
        .bind(key_id)
        .fetch_optional(executor)
        .await?;
    Ok(found.is_some())
}

/// Deletes authorisations that have ended before `before`, but for those whose requests are here, and devices' codes. Returns their number.
pub async fn delete_authorisations(transaction: &mut Transaction, before: i64) -> Result<u64, sqlx::Error> {
    let authorisations = delete(
        transaction,
        "DELETE FROM authorisations WHERE id IN (SELECT id FROM authorisations WHERE expires_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM requests WHERE transaction_id = authorisations.used_by) LIMIT $2)",
        before,
    )
    .await?;
    let codes = delete(
        transaction,
        "DELETE FROM est_codes WHERE code_sha256 IN (SELECT code_sha256 FROM est_codes WHERE valid_until < $1 LIMIT $2)",
        before,
    )
    .await?;
    Ok(authorisations + codes)
}

/// Deletes notifications from before `before` that were sent, or have failed permanently. Returns their number.
pub async fn delete_notifications(transaction: &mut Transaction, before: i64) -> Result<u64, sqlx::Error> {
    delete(
        transaction,
        "DELETE FROM outbox WHERE identity IN \
         (SELECT identity FROM outbox WHERE state <> 'waiting' AND created_at < $1 LIMIT $2)",
        before,
    )
    .await
}

async fn delete(transaction: &mut Transaction, statement: &'static str, before: i64) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(statement).bind(before).bind(BATCH).execute(&mut **transaction).await?.rows_affected())
}
