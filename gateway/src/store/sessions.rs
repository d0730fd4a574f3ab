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
    /// The SHA-256 of the certificate that it began with, if it began with one.
    pub certificate_sha256: Option<Vec<u8>>,
}

/// A certificate that a session begins with.
#[derive(Clone, Copy, Debug)]
pub struct SessionCertificate<'a> {
    /// The serial number, unsigned, most significant byte first.
    pub serial_number: &'a [u8],
    /// The SHA-256 of its DER.
    pub sha256: &'a [u8],
}

/// Begins a session.
pub async fn start(
    transaction: &mut Transaction,
    token_sha256: &[u8],
    officer: &str,
    certificate: Option<SessionCertificate<'_>>,
    now: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (token_sha256, officer_id, started_at, last_used_at, certificate_serial, certificate_sha256) \
         VALUES ($1, $2, $3, $3, $4, $5)",
    )
    .bind(token_sha256)
    .bind(officer)
    .bind(now)
    .bind(certificate.map(|certificate| certificate.serial_number))
    .bind(certificate.map(|certificate| certificate.sha256))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The times between which a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// It was started after this.
    pub started_after: i64,
    /// It was used after this.
    pub used_after: i64,
    /// It was started before this: a session from a time when the clock was ahead does not last until the clock is there again.
    pub started_before: i64,
    /// The certificate that it began with is valid now.
    pub now: i64,
}

/// The session with this token, if it lasts, the officer may still work, and the certificate that it began with is neither expired nor revoked.
pub async fn find(
    database: &Database,
    token_sha256: &[u8],
    lifetime: Lifetime,
) -> Result<Option<Session>, sqlx::Error> {
    sqlx::query_as(
        "SELECT officers.*, sessions.last_used_at, sessions.certificate_sha256 FROM sessions \
         JOIN officers ON officers.id = sessions.officer_id \
         WHERE token_sha256 = $1 AND started_at > $2 AND last_used_at > $3 AND started_at <= $4 AND officers.revoked_at IS NULL \
         AND (certificate_serial IS NULL OR EXISTS (SELECT 1 FROM requests WHERE requests.serial_number = certificate_serial \
         AND requests.revoked_at IS NULL AND requests.not_after > $5))",
    )
    .bind(token_sha256)
    .bind(lifetime.started_after)
    .bind(lifetime.used_after)
    .bind(lifetime.started_before)
    .bind(lifetime.now)
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

/// Ends all sessions that began with the certificate with this serial number.
pub async fn end_with_certificate(transaction: &mut Transaction, serial_number: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE certificate_serial = $1")
        .bind(serial_number)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Forgets the sessions that were started before.
pub async fn forget(transaction: &mut Transaction, started_before: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE started_at <= $1").bind(started_before).execute(&mut **transaction).await?;
    Ok(())
}
