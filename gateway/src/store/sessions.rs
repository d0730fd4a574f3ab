//! The table `sessions`.

use super::officers::Officer;
use crate::database::{Database, Transaction};

/// A session, and whose it is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    /// Whose it is.
    #[sqlx(flatten)]
    pub officer: Officer,
    /// When it was last used. Times are in seconds since 1970-01-01T00:00:00Z.
    pub last_used_at: i64,
}

/// Begins a session.
pub async fn start(
    transaction: &mut Transaction,
    token_sha256: &[u8],
    officer: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO sessions (token_sha256, officer_id, started_at, last_used_at) VALUES ($1, $2, $3, $3)")
        .bind(token_sha256)
        .bind(officer)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The session with this token, if it was started after `started_after` and used after `used_after`, and the officer may still work.
pub async fn find(
    database: &Database,
    token_sha256: &[u8],
    started_after: i64,
    used_after: i64,
) -> Result<Option<Session>, sqlx::Error> {
    sqlx::query_as(
        "SELECT officers.*, sessions.last_used_at FROM sessions JOIN officers ON officers.id = sessions.officer_id \
         WHERE token_sha256 = $1 AND started_at > $2 AND last_used_at > $3 AND revoked_at IS NULL",
    )
    .bind(token_sha256)
    .bind(started_after)
    .bind(used_after)
    .fetch_optional(database.reader())
    .await
}

/// Notes that the session is in use.
pub async fn touch(transaction: &mut Transaction, token_sha256: &[u8], now: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET last_used_at = $2 WHERE token_sha256 = $1")
        .bind(token_sha256)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Ends a session.
pub async fn end(transaction: &mut Transaction, token_sha256: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE token_sha256 = $1").bind(token_sha256).execute(&mut **transaction).await?;
    Ok(())
}

/// Ends all sessions of an officer.
pub async fn end_all(transaction: &mut Transaction, officer: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE officer_id = $1").bind(officer).execute(&mut **transaction).await?;
    Ok(())
}

/// Forgets the sessions that were started before.
pub async fn forget(transaction: &mut Transaction, started_before: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE started_at <= $1").bind(started_before).execute(&mut **transaction).await?;
    Ok(())
}
