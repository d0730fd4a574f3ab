//! The certificates that were revoked by their serial number.

use keyside_core::domain::revocation::RevocationReason;

use super::changes_one;
use crate::database::Transaction;

/// Revokes the certificate with this serial number, unsigned, most significant byte first: that of a request, or one that is not known here.
/// Returns false if it was revoked before. `at` is in seconds since 1970-01-01T00:00:00Z.
pub async fn revoke(
    transaction: &mut Transaction,
    serial_number: &[u8],
    reason: RevocationReason,
    at: i64,
) -> Result<bool, sqlx::Error> {
    let known: Option<Option<i64>> =
        sqlx::query_scalar("SELECT revoked_at FROM requests WHERE serial_number = $1 AND state = 'issued'")
            .bind(serial_number)
            .fetch_optional(&mut **transaction)
            .await?;
    match known {
        Some(Some(_)) => Ok(false),
        Some(None) => {
            let statement = "UPDATE requests SET revoked_at = $1, revocation_reason = $2 WHERE serial_number = $3";
            changes_one(transaction, sqlx::query(statement).bind(at).bind(reason.name()).bind(serial_number)).await
        }
        None => {
            let statement = sqlx::query(
                "INSERT INTO revoked_serial_numbers (serial_number, revoked_at, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            );
            changes_one(transaction, statement.bind(serial_number).bind(at).bind(reason.name())).await
        }
    }
}
