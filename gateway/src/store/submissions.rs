//! Submissions on their way into the audit log. A submission waits for nothing: its row says that the log lacks it, and it is written down within
//! a second, or before what is decided about it.

use keyside_core::domain::transaction_id::TransactionId;
use sqlx::AssertSqlSafe;

use super::audit::{self, NewEntry};
use super::audit_actions::{Action, Actor};
use crate::database::{Database, DatabaseError, Transaction};
use crate::hexadecimal::hexadecimal;

/// The submissions that are written down in one transaction at most.
const BATCH: usize = 500;

/// The columns that an entry tells.
const TOLD: &str = "transaction_id, certificate_type, common_name, email_address, submitted_at, renews, replaces, code_shown, device_kind, \
                    submission_sha256";

#[derive(sqlx::FromRow)]
struct Submission {
    transaction_id: String,
    certificate_type: String,
    common_name: String,
    email_address: String,
    submitted_at: i64,
    renews: Option<Vec<u8>>,
    replaces: Option<String>,
    code_shown: Option<String>,
    device_kind: Option<String>,
    submission_sha256: Vec<u8>,
}

/// Writes submissions down that the log lacks, oldest first. Returns true if there may be more.
pub async fn note(database: &Database) -> Result<bool, DatabaseError> {
    let some: Option<i64> = sqlx::query_scalar("SELECT 1 FROM requests WHERE submission_noted = 0 LIMIT 1")
        .fetch_optional(database.reader())
        .await?;
    if some.is_none() {
        return Ok(false);
    }
    let mut transaction = database.transaction().await?;
    // First, and not after the requests: a decision about several of them has the end of the log, and waits for the next request.
    audit::lock(&mut transaction).await?;
    // The condition stands twice, so that no one takes what has just been taken.
    let statement = format!(
        "UPDATE requests SET submission_noted = 1 WHERE submission_noted = 0 AND transaction_id IN (SELECT transaction_id FROM requests \
         WHERE submission_noted = 0 ORDER BY submitted_at LIMIT {BATCH} {}) RETURNING {TOLD}",
        database.passing_over_locked()
    );
    let mut taken: Vec<Submission> = sqlx::query_as(AssertSqlSafe(statement)).fetch_all(&mut *transaction).await?;
    taken.sort_by(|one, other| {
        (one.submitted_at, &one.transaction_id).cmp(&(other.submitted_at, &other.transaction_id))
    });
    let is_full = taken.len() == BATCH;
    write(&mut transaction, taken).await?;
    transaction.commit().await?;
    Ok(is_full)
}

/// Writes the submission of the request `id` down, if the log lacks it.
pub async fn note_one(transaction: &mut Transaction, id: TransactionId) -> Result<(), sqlx::Error> {
    let statement = format!(
        "UPDATE requests SET submission_noted = 1 WHERE transaction_id = $1 AND submission_noted = 0 RETURNING {TOLD}"
    );
    let taken = sqlx::query_as(AssertSqlSafe(statement)).bind(id.to_string()).fetch_all(&mut **transaction).await?;
    write(transaction, taken).await
}

async fn write(transaction: &mut Transaction, taken: Vec<Submission>) -> Result<(), sqlx::Error> {
    let mut entries = Vec::new();
    for submission in taken {
        let way = way(transaction, &submission).await?;
        let Submission { certificate_type, common_name, email_address, .. } = submission;
        entries.push(NewEntry {
            at: submission.submitted_at,
            actor: Actor::Applicant,
            action: Action::Submitted,
            subject: submission.transaction_id,
            detail: format!("{certificate_type}, {common_name}, {email_address}{way}"),
        });
    }
    audit::append_all(transaction, entries).await
}

/// The way that a submission came, and what it has shown.
async fn way(transaction: &mut Transaction, submission: &Submission) -> Result<String, sqlx::Error> {
    if let Some(serial_number) = &submission.renews {
        return Ok(format!(", renews {}", hexadecimal(serial_number)));
    }
    let replaces = submission.replaces.as_ref().map(|id| format!(", replaces {id}")).unwrap_or_default();
    let shown = match (submission.code_shown.as_deref(), &submission.device_kind) {
        (Some("right"), _) => ", with its authorization code".into(),
        (Some("wrong"), _) => ", with a wrong authorization code".into(),
        (None, Some(_)) => {
            let code: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT code_sha256 FROM est_codes WHERE submission_sha256 = $1")
                    .bind(&submission.submission_sha256)
                    .fetch_optional(&mut **transaction)
                    .await?;
            code.map(|sha256| format!(", by EST with the code {}", audit::short(&sha256))).unwrap_or_default()
        }
        _ => String::new(),
    };
    Ok(format!("{replaces}{shown}"))
}
