//! The one-time codes with which devices enroll.

use sqlx::any::AnyExecutor;

use super::changes_one;
use crate::database::Transaction;

/// A code and what it is for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Code {
    /// The SHA-256 of the code.
    pub code_sha256: Vec<u8>,
    /// The device's name.
    pub common_name: String,
    /// The id of the certificate type.
    pub certificate_type: String,
    /// What the device is, as the API has it.
    pub device_kind: String,
    /// The file that the device takes its certificate from, as the API has it.
    pub device_file_format: String,
    /// The address for mails about the device.
    pub email_address: String,
    /// When it was made. This and all times here are in seconds since 1970-01-01T00:00:00Z.
    pub created_at: i64,
    /// Until when it can be used.
    pub valid_until: i64,
    /// The SHA-256 of the certification request that has used it up, if one has.
    pub submission_sha256: Option<Vec<u8>>,
}

/// Keeps a new code.
pub async fn insert(transaction: &mut Transaction, code: &Code) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO est_codes (code_sha256, common_name, certificate_type, device_kind, device_file_format, email_address, \
         created_at, valid_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&code.code_sha256)
    .bind(&code.common_name)
    .bind(&code.certificate_type)
    .bind(&code.device_kind)
    .bind(&code.device_file_format)
    .bind(&code.email_address)
    .bind(code.created_at)
    .bind(code.valid_until)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The code with this SHA-256.
pub async fn find(executor: impl AnyExecutor<'_>, code_sha256: &[u8]) -> Result<Option<Code>, sqlx::Error> {
    sqlx::query_as(
        "SELECT code_sha256, common_name, certificate_type, device_kind, device_file_format, email_address, created_at, \
         valid_until, submission_sha256 FROM est_codes WHERE code_sha256 = $1",
    )
    .bind(code_sha256)
    .fetch_optional(executor)
    .await
}

/// Uses a code up for a certification request. Returns whether it was not used up by another one.
pub async fn use_up(
    transaction: &mut Transaction,
    code_sha256: &[u8],
    submission_sha256: &[u8],
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE est_codes SET submission_sha256 = $1 \
         WHERE code_sha256 = $2 AND (submission_sha256 IS NULL OR submission_sha256 = $1)",
    )
    .bind(submission_sha256)
    .bind(code_sha256);
    changes_one(transaction, statement).await
}
