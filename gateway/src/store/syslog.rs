//! The table `syslog`: how much of the audit log was sent to a syslog server.

use crate::database::{Database, DatabaseError};

/// The number of the last entry that was sent. At first it is the log's end: what is older is not sent.
pub async fn position(database: &Database) -> Result<i64, DatabaseError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT number FROM syslog WHERE id = 1").fetch_optional(database.reader()).await?;
    if let Some(number) = found {
        return Ok(number);
    }
    let mut transaction = database.transaction().await?;
    sqlx::query(
        "INSERT INTO syslog (id, number) SELECT 1, entries FROM audit_head WHERE id = 1 ON CONFLICT DO NOTHING",
    )
    .execute(&mut *transaction)
    .await?;
    let number = sqlx::query_scalar("SELECT number FROM syslog WHERE id = 1").fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(number)
}

/// Notes that all up to `to` was sent, unless another gateway has noted more.
pub async fn advance(database: &Database, from: i64, to: i64) -> Result<(), DatabaseError> {
    let mut transaction = database.transaction().await?;
    sqlx::query("UPDATE syslog SET number = $2 WHERE id = 1 AND number = $1")
        .bind(from)
        .bind(to)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}
