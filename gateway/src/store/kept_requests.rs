//! The part of a request that outlasts a restore: its line in the [`journal`](super::journal), and back.

use keyside_core::domain::transaction_id::TransactionId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::any::AnyExecutor;

use super::authorisations::key;
use super::{authorisations, changes_one, est_codes};
use crate::database::Transaction;

/// A request with its certificate: all of the row that outlasts a restore.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct KeptRequest {
    transaction_id: String,
    certificate_type: String,
    common_name: String,
    email_address: String,
    #[serde(with = "base64")]
    certification_request: Vec<u8>,
    #[serde(with = "base64")]
    submission_sha256: Vec<u8>,
    key_id: Option<String>,
    validity_days: i64,
    submitted_at: i64,
    decided_at: i64,
    #[serde(with = "base64")]
    serial_number: Vec<u8>,
    not_before: i64,
    not_after: i64,
    #[serde(with = "base64")]
    certificate: Vec<u8>,
    certificate_sha1: Option<String>,
    certificate_sha256: Option<String>,
    /// Empty for none.
    #[serde(with = "base64")]
    renews: Vec<u8>,
    replaces: Option<String>,
    device_kind: Option<String>,
    device_file_format: Option<String>,
    device_names: Option<String>,
    company: Option<String>,
    #[serde(default)]
    subject_company: Option<String>,
    /// Empty for none.
    #[serde(default, with = "base64")]
    issuer: Vec<u8>,
    /// The authorisation that it has used up.
    #[serde(default)]
    authorisation_id: Option<String>,
    /// The SHA-256 of the device's code that it has used up; empty for none.
    #[serde(default, with = "base64")]
    est_code_sha256: Vec<u8>,
}

/// Bytes as base64, in JSON.
mod base64 {
    use base64ct::{Base64, Encoding};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64::encode_string(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Base64::decode_vec(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The request `id` with its certificate, if that was issued.
pub async fn kept(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<KeptRequest>, sqlx::Error> {
    sqlx::query_as(
        "SELECT transaction_id, certificate_type, common_name, email_address, certification_request, submission_sha256, key_id, \
         validity_days, submitted_at, decided_at, serial_number, not_before, not_after, certificate, certificate_sha1, \
         certificate_sha256, coalesce(renews, $2) AS renews, replaces, device_kind, device_file_format, device_names, company, subject_company, coalesce(issuer, $2) AS issuer, authorisation_id, \
         coalesce((SELECT code_sha256 FROM est_codes WHERE est_codes.submission_sha256 = requests.submission_sha256), $2) AS est_code_sha256 \
         FROM requests WHERE transaction_id = $1 AND state = 'issued'",
    )
    .bind(id.to_string())
    .bind([].as_slice())
    .fetch_optional(executor)
    .await
}

/// Brings a request back that the database has lost, or its certificate, with what it has used up. Returns false if both were there.
pub async fn bring_back(transaction: &mut Transaction, kept: &KeptRequest) -> Result<bool, sqlx::Error> {
    if let Some(authorisation) = &kept.authorisation_id {
        authorisations::note_use(transaction, authorisation, &kept.transaction_id).await?;
    }
    if !kept.est_code_sha256.is_empty() {
        est_codes::use_up(transaction, &kept.est_code_sha256, &kept.submission_sha256).await?;
    }
    let submission_sha256 = room_for(transaction, kept).await?;
    let statement = sqlx::query(
        "INSERT INTO requests (transaction_id, certificate_type, common_name, common_name_key, email_address, email_address_key, \
         certification_request, submission_sha256, key_id, validity_days, submitted_at, state, decided_at, serial_number, not_before, \
         not_after, certificate, certificate_sha1, certificate_sha256, renews, replaces, device_kind, device_file_format, device_names, company, issuer, subject_company, authorisation_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'issued', $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27) \
         ON CONFLICT (transaction_id) DO UPDATE SET state = 'issued', rejection_reason = NULL, issue_fault = NULL, \
         decided_at = excluded.decided_at, serial_number = excluded.serial_number, not_before = excluded.not_before, \
         not_after = excluded.not_after, certificate = excluded.certificate, certificate_sha1 = excluded.certificate_sha1, \
         certificate_sha256 = excluded.certificate_sha256, issuer = excluded.issuer, \
         certificate_type = excluded.certificate_type, common_name = excluded.common_name, common_name_key = excluded.common_name_key, \
         email_address = excluded.email_address, email_address_key = excluded.email_address_key, \
         certification_request = excluded.certification_request, submission_sha256 = excluded.submission_sha256, \
         key_id = excluded.key_id, validity_days = excluded.validity_days, replaces = excluded.replaces, \
         device_kind = excluded.device_kind, device_file_format = excluded.device_file_format, device_names = excluded.device_names, \
         company = excluded.company, subject_company = excluded.subject_company, authorisation_id = excluded.authorisation_id \
         WHERE requests.state <> 'issued'",
    )
    .bind(&kept.transaction_id)
    .bind(&kept.certificate_type)
    .bind(&kept.common_name)
    .bind(key(&kept.common_name))
    .bind(&kept.email_address)
    .bind(key(&kept.email_address))
    .bind(&kept.certification_request)
    .bind(submission_sha256)
    .bind(&kept.key_id)
    .bind(kept.validity_days)
    .bind(kept.submitted_at)
    .bind(kept.decided_at)
    .bind(&kept.serial_number)
    .bind(kept.not_before)
    .bind(kept.not_after)
    .bind(&kept.certificate)
    .bind(&kept.certificate_sha1)
    .bind(&kept.certificate_sha256)
    .bind((!kept.renews.is_empty()).then_some(&kept.renews))
    .bind(&kept.replaces)
    .bind(&kept.device_kind)
    .bind(&kept.device_file_format)
    .bind(&kept.device_names)
    .bind(&kept.company)
    .bind((!kept.issuer.is_empty()).then_some(&kept.issuer))
    .bind(&kept.subject_company)
    .bind(&kept.authorisation_id);
    changes_one(transaction, statement).await
}

/// The submission's hash that a request is brought back with. No two requests have the same: the earlier of two, which had ended when the later one
/// came, has one that stands for nothing.
async fn room_for(transaction: &mut Transaction, kept: &KeptRequest) -> Result<Vec<u8>, sqlx::Error> {
    let other: Option<(String, i64)> = sqlx::query_as(
        "SELECT transaction_id, submitted_at FROM requests WHERE submission_sha256 = $1 AND transaction_id <> $2 \
         AND NOT EXISTS (SELECT 1 FROM requests WHERE transaction_id = $2 AND state = 'issued')",
    )
    .bind(&kept.submission_sha256)
    .bind(&kept.transaction_id)
    .fetch_optional(&mut **transaction)
    .await?;
    let nothing = |id: &str| Sha256::digest(id).to_vec();
    match other {
        Some((_, submitted_at)) if submitted_at > kept.submitted_at => return Ok(nothing(&kept.transaction_id)),
        Some((earlier, _)) => {
            sqlx::query("UPDATE requests SET submission_sha256 = $1 WHERE transaction_id = $2")
                .bind(nothing(&earlier))
                .bind(earlier)
                .execute(&mut **transaction)
                .await?;
        }
        None => {}
    }
    Ok(kept.submission_sha256.clone())
}
