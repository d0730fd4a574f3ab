//! The requests that renew certificates: each names in `renews` the serial number of the certificate that it renews.

use keyside_core::domain::transaction_id::TransactionId;
use sqlx::any::AnyExecutor;

use super::requests::{Request, select_requests};
use crate::database::Transaction;

/// The requests that renew the certificate with this serial number, unsigned, most significant byte first; oldest first.
pub async fn of(executor: impl AnyExecutor<'_>, serial_number: &[u8]) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("WHERE renews = $1 ORDER BY submitted_at, transaction_id"))
        .bind(serial_number)
        .fetch_all(executor)
        .await
}

/// The request `id`, those whose certificates it renews, and all that renew one of these, directly or by others between; oldest first.
pub async fn chain(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!(
        "WHERE transaction_id IN (WITH RECURSIVE \
         renewed (transaction_id, serial_number, renews) AS (\
         SELECT transaction_id, serial_number, renews FROM requests WHERE transaction_id = $1 \
         UNION SELECT requests.transaction_id, requests.serial_number, requests.renews FROM requests \
         JOIN renewed ON requests.serial_number = renewed.renews), \
         chain (transaction_id, serial_number) AS (\
         SELECT transaction_id, serial_number FROM renewed \
         UNION SELECT requests.transaction_id, requests.serial_number FROM requests \
         JOIN chain ON requests.renews = chain.serial_number) \
         SELECT transaction_id FROM chain) ORDER BY submitted_at, transaction_id"
    ))
    .bind(id.to_string())
    .fetch_all(executor)
    .await
}

/// The serial numbers of the certificate of the request `id` and of all that renew it, directly or by others between.
pub async fn serial_numbers_from(
    executor: impl AnyExecutor<'_>,
    id: TransactionId,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH RECURSIVE chain (serial_number) AS (\
         SELECT serial_number FROM requests WHERE transaction_id = $1 AND serial_number IS NOT NULL \
         UNION SELECT requests.serial_number FROM requests JOIN chain ON requests.renews = chain.serial_number \
         WHERE requests.serial_number IS NOT NULL) SELECT serial_number FROM chain",
    )
    .bind(id.to_string())
    .fetch_all(executor)
    .await
}

/// The serial number of the certificate that the one with this serial number renews, unless that one was revoked.
pub async fn renewed_by(executor: impl AnyExecutor<'_>, serial_number: &[u8]) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT current.serial_number FROM requests JOIN requests AS current ON current.serial_number = requests.renews \
         WHERE requests.serial_number = $1 AND current.revoked_at IS NULL",
    )
    .bind(serial_number)
    .fetch_optional(executor)
    .await
}

/// Takes up to `limit` certificates of the type `certificate_type` that end from `now` to `before`, and notes that their holders
/// are told that they can be renewed: each is taken once.
pub async fn take_to_renew(
    transaction: &mut Transaction,
    certificate_type: &str,
    now: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<TransactionId>, sqlx::Error> {
    let ids: Vec<(String,)> = sqlx::query_as(
        "UPDATE requests SET renewal_told_at = $1 WHERE renewal_told_at IS NULL AND transaction_id IN \
         (SELECT transaction_id FROM requests WHERE state = 'issued' AND renewal_told_at IS NULL AND certificate_type = $2 \
         AND not_after >= $1 AND not_after <= $3 ORDER BY not_after LIMIT $4) RETURNING transaction_id",
    )
    .bind(now)
    .bind(certificate_type)
    .bind(before)
    .bind(limit)
    .fetch_all(&mut **transaction)
    .await?;
    ids.into_iter().map(|(id,)| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}

/// The request `id`, unless its certificate was revoked, or its renewal was asked for already.
pub async fn find_to_renew(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!(
        "WHERE transaction_id = $1 AND revoked_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM requests AS next WHERE next.renews = requests.serial_number)"
    ))
    .bind(id.to_string())
    .fetch_optional(executor)
    .await
}
