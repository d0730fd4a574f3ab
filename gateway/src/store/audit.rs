//! The table `audit`.

use crate::audit::{Entry, Head, NewEntry};
use crate::database::{Database, Transaction};

/// Writes an entry down, at the end of the chain. Do it last in a transaction: others who append wait for its end.
pub async fn append(transaction: &mut Transaction, new: NewEntry) -> Result<(), sqlx::Error> {
    // Locks the row, so that the next one waits until this entry is there or has come to nothing.
    let Head { entries, sha256 } =
        sqlx::query_as("UPDATE audit_head SET entries = entries + 1 WHERE id = 1 RETURNING entries, sha256")
            .fetch_one(&mut **transaction)
            .await?;
    let mut entry = Entry {
        number: entries,
        at: new.at,
        actor: new.actor.to_string(),
        action: new.action.name().into(),
        subject: new.subject,
        detail: new.detail,
        previous_sha256: sha256,
        sha256: Vec::new(),
    };
    entry.sha256 = entry.hash().to_vec();
    sqlx::query("UPDATE audit_head SET sha256 = $1 WHERE id = 1")
        .bind(&entry.sha256)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "INSERT INTO audit (number, at, actor, action, subject, detail, previous_sha256, sha256) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.number)
    .bind(entry.at)
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.subject)
    .bind(entry.detail)
    .bind(entry.previous_sha256)
    .bind(entry.sha256)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The end of the chain.
pub async fn head(database: &Database) -> Result<Head, sqlx::Error> {
    sqlx::query_as("SELECT entries, sha256 FROM audit_head WHERE id = 1").fetch_one(database.reader()).await
}

/// The first `count` entries behind this number.
pub async fn following(database: &Database, number: i64, count: i64) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM audit WHERE number > $1 ORDER BY number LIMIT $2")
        .bind(number)
        .bind(count)
        .fetch_all(database.reader())
        .await
}

/// The last `count` entries before this number, the latest first.
pub async fn before(database: &Database, number: i64, count: i64) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM audit WHERE number < $1 ORDER BY number DESC LIMIT $2")
        .bind(number)
        .bind(count)
        .fetch_all(database.reader())
        .await
}

/// What was done to `subject`, in its order; `count` entries at most.
pub async fn about(database: &Database, subject: &str, count: i64) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM audit WHERE subject = $1 ORDER BY number LIMIT $2")
        .bind(subject)
        .bind(count)
        .fetch_all(database.reader())
        .await
}
