//! The table `officers`.

use sqlx::any::AnyExecutor;

use super::audit_actions::Actor;
use super::changes_one;
use super::officer_roles::Role;
use crate::database::{Database, Transaction};

/// An officer.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Officer {
    /// Short, for machines and the command line.
    pub id: String,
    /// What the officer may do.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// The company of a User Access Administrator.
    pub company: Option<String>,
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email_address: String,
    /// When the officer was invited. Times are in seconds since 1970-01-01T00:00:00Z.
    pub invited_at: i64,
    /// The serial number of the certificate that signs in, if there is one: unsigned, most significant byte first.
    pub certificate_serial_number: Option<Vec<u8>>,
    /// When the officer was last at work here.
    pub last_seen_at: Option<i64>,
    /// When the officer was revoked.
    pub revoked_at: Option<i64>,
}

impl Officer {
    /// Whether what belongs to this company is the officer's to see. What belongs to none is not a User Access Administrator's.
    pub fn sees(&self, company: Option<&str>) -> bool {
        !self.role.is_of_company() || (self.company.is_some() && self.company.as_deref() == company)
    }

    /// The officer, as the audit log has it.
    pub fn actor(&self) -> Actor {
        Actor::Officer(self.id.clone())
    }
}

/// A one-time link.
#[derive(Clone, Debug)]
pub struct Link {
    /// The SHA-256 of its token.
    pub token_sha256: Vec<u8>,
    /// When it stops working.
    pub expires_at: i64,
}

/// Keeps a new officer.
pub async fn insert(transaction: &mut Transaction, officer: &Officer) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO officers (id, role, company, name, email_address, invited_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&officer.id)
    .bind(officer.role.name())
    .bind(officer.company.as_deref())
    .bind(&officer.name)
    .bind(&officer.email_address)
    .bind(officer.invited_at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Every officer, in the order of their names.
pub async fn list(database: &Database) -> Result<Vec<Officer>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM officers ORDER BY name, id").fetch_all(database.reader()).await
}

/// Every officer who was not revoked.
pub async fn active(executor: impl AnyExecutor<'_>) -> Result<Vec<Officer>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM officers WHERE revoked_at IS NULL ORDER BY id").fetch_all(executor).await
}

/// The serial number of the certificate that signs the officer in, if there is one.
pub async fn certificate_of(transaction: &mut Transaction, id: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let found: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT certificate_serial_number FROM officers WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(found.flatten())
}

/// The serial numbers of the certificates of this issuer that sign officers in, or have begun sessions: see
/// [`issuer_of`](super::crls::issuer_of).
pub async fn certificates_by(transaction: &mut Transaction, issuer: &[u8]) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT serial_number FROM requests WHERE issuer = $1 AND (serial_number IN \
         (SELECT certificate_serial_number FROM officers) OR serial_number IN (SELECT certificate_serial FROM sessions))",
    )
    .bind(issuer)
    .fetch_all(&mut **transaction)
    .await
}

/// The officer with this id.
pub async fn find(database: &Database, id: &str) -> Result<Option<Officer>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM officers WHERE id = $1").bind(id).fetch_optional(database.reader()).await
}

/// The officer whom this certificate signs in.
pub async fn find_by_certificate(
    executor: impl AnyExecutor<'_>,
    serial_number: &[u8],
) -> Result<Option<Officer>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM officers WHERE certificate_serial_number = $1 AND revoked_at IS NULL")
        .bind(serial_number)
        .fetch_optional(executor)
        .await
}

/// The officer whom the link with this token signs in, if it still works.
pub async fn find_by_link(database: &Database, token_sha256: &[u8], now: i64) -> Result<Option<Officer>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM officers WHERE link_sha256 = $1 AND link_expires_at > $2 AND revoked_at IS NULL")
        .bind(token_sha256)
        .bind(now)
        .fetch_optional(database.reader())
        .await
}

/// Gives an officer a one-time link, in place of the one before. Returns whether there is such an officer.
pub async fn give_link(transaction: &mut Transaction, id: &str, link: &Link) -> Result<bool, sqlx::Error> {
    let statement =
        sqlx::query("UPDATE officers SET link_sha256 = $2, link_expires_at = $3 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(&link.token_sha256)
            .bind(link.expires_at);
    changes_one(transaction, statement).await
}

/// Uses a link up. Returns whose it was, if it worked.
pub async fn take_link(
    transaction: &mut Transaction,
    token_sha256: &[u8],
    now: i64,
) -> Result<Option<Officer>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE officers SET link_sha256 = NULL, link_expires_at = NULL \
         WHERE link_sha256 = $1 AND link_expires_at > $2 AND revoked_at IS NULL RETURNING *",
    )
    .bind(token_sha256)
    .bind(now)
    .fetch_optional(&mut **transaction)
    .await
}

/// Lets a certificate sign the officer in. Returns whether there is such an officer.
pub async fn bind_certificate(
    transaction: &mut Transaction,
    id: &str,
    serial_number: &[u8],
) -> Result<bool, sqlx::Error> {
    let statement =
        sqlx::query("UPDATE officers SET certificate_serial_number = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(serial_number);
    changes_one(transaction, statement).await
}

/// Ends that the certificate with this serial number signs an officer in. Gives the id of the officer whose it was.
pub async fn unbind_certificate(
    transaction: &mut Transaction,
    serial_number: &[u8],
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE officers SET certificate_serial_number = NULL WHERE certificate_serial_number = $1 RETURNING id",
    )
    .bind(serial_number)
    .fetch_optional(&mut **transaction)
    .await
}

/// The serial numbers of the certificates that sign in, and are not valid any more at `now`.
pub async fn expired_certificates(executor: impl AnyExecutor<'_>, now: i64) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT certificate_serial_number FROM officers WHERE certificate_serial_number IN \
         (SELECT serial_number FROM requests WHERE serial_number = officers.certificate_serial_number AND not_after <= $1)",
    )
    .bind(now)
    .fetch_all(executor)
    .await
}

/// Notes that the officer is at work.
pub async fn seen(transaction: &mut Transaction, id: &str, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE officers SET last_seen_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Shuts an officer out. Returns whether that was not so before.
pub async fn revoke(transaction: &mut Transaction, id: &str, now: i64) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE officers SET revoked_at = $2, link_sha256 = NULL, link_expires_at = NULL, certificate_serial_number = NULL \
         WHERE id = $1 AND revoked_at IS NULL",
    )
    .bind(id)
    .bind(now);
    changes_one(transaction, statement).await
}
