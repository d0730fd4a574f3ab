//! The notifications that are to be delivered.
//!
//! A notification is enqueued in the transaction that does what it tells of. Whoever delivers takes a row for a while; a row that was taken
//! and not finished by then is taken again.

use keyside_core::domain::transaction_id::TransactionId;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyExecutor;

use super::changes_one;
use crate::clock;
use crate::database::{Database, DatabaseError, Transaction};
use crate::notifications::{Kind, Notification, Values};
use crate::store::requests::Request;

/// A notification that is to be kept.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// What it tells.
    pub kind: Kind,
    /// The e-mail address that it goes to.
    pub to: String,
    /// The request that it is about, if there is one yet.
    pub transaction_id: Option<TransactionId>,
    /// What it tells of: a second one of the same kind is not kept.
    pub unique_key: String,
    /// What goes into the template: see [`Kind::values`].
    pub values: Vec<(&'static str, String)>,
}

impl NewNotification {
    /// A notification to the applicant, about the request itself: one of a kind for each request.
    pub fn about(kind: Kind, request: &Request, more: Vec<(&'static str, String)>) -> Self {
        let mut values = vec![
            ("common_name", request.common_name.clone()),
            ("certificate_type", request.certificate_type.clone()),
            ("transaction_id", request.transaction_id.to_string()),
        ];
        values.extend(more);
        Self {
            kind,
            to: request.email_address.clone(),
            transaction_id: Some(request.transaction_id),
            unique_key: request.transaction_id.to_string(),
            values,
        }
    }

    /// The same without the name in the request, which a stranger may have written for another person to read.
    pub fn without_name(mut self) -> Self {
        self.values.retain(|(name, _)| *name != "common_name");
        self.values.push(("common_name", "the name in the request".into()));
        self
    }
}

/// A row as it stands, for the operator.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    /// What the message is named by.
    pub identity: String,
    /// The name of its kind.
    pub kind: String,
    /// The e-mail address that it goes to.
    pub recipient: String,
    /// The request that it is about, if there is one.
    pub transaction_id: Option<String>,
    /// When what it tells of happened. This and all times here are in seconds since 1970-01-01T00:00:00Z.
    pub created_at: i64,
    /// `waiting`, `sent` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub fault: Option<String>,
}

/// A row that was taken for delivery.
#[derive(Clone, Debug)]
pub struct Taken {
    /// What is to be delivered.
    pub notification: Notification,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// Whether an earlier attempt has had no end: the message may be there already.
    pub is_in_doubt: bool,
}

/// Keeps a notification, unless one of its kind tells of the same already. Returns whether it was new.
pub async fn enqueue(transaction: &mut Transaction, new: &NewNotification) -> Result<bool, sqlx::Error> {
    let now = clock::now();
    let values: Values = new.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let details = serde_json::to_string(&values).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let notification = Notification {
        kind: new.kind,
        unique_key: new.unique_key.clone(),
        to: new.to.clone(),
        values,
        created_at: now,
    };
    let statement = sqlx::query(
        "INSERT INTO outbox (identity, kind, unique_key, recipient, transaction_id, details, created_at, attempt_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING",
    )
    .bind(notification.identity())
    .bind(new.kind.name())
    .bind(&new.unique_key)
    .bind(&new.to)
    .bind(new.transaction_id.map(|id| id.to_string()))
    .bind(details)
    .bind(now);
    changes_one(transaction, statement).await
}

/// Takes the row that has waited longest until `until`; nobody else gets it before.
pub async fn take(database: &Database, now: i64, until: i64) -> Result<Option<Taken>, DatabaseError> {
    let mut transaction = database.transaction().await?;
    // The condition stands twice, so that nobody takes what has just been taken.
    let statement = format!(
        "UPDATE outbox SET attempts = attempts + 1, attempt_at = $2 WHERE state = 'waiting' AND attempt_at <= $1 AND identity = \
         (SELECT identity FROM outbox WHERE state = 'waiting' AND attempt_at <= $1 ORDER BY attempt_at, identity LIMIT 1 {}) \
         RETURNING kind, unique_key, recipient, details, created_at, attempts",
        database.passing_over_locked()
    );
    let row: Option<(String, String, String, String, i64, i64)> =
        sqlx::query_as(AssertSqlSafe(statement)).bind(now).bind(until).fetch_optional(&mut *transaction).await?;
    let Some((kind, unique_key, to, details, created_at, attempts)) = row else { return Ok(None) };
    let kind =
        Kind::of_name(&kind).ok_or_else(|| sqlx::Error::Decode(format!("no such notification: {kind}").into()))?;
    let values = serde_json::from_str(&details).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let notification = Notification { kind, unique_key, to, values, created_at };
    let fault: Option<String> = sqlx::query_scalar("SELECT fault FROM outbox WHERE identity = $1")
        .bind(notification.identity())
        .fetch_one(&mut *transaction)
        .await?;
    sqlx::query("UPDATE outbox SET fault = NULL WHERE identity = $1")
        .bind(notification.identity())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(Taken { notification, attempts, is_in_doubt: attempts > 1 && fault.is_none() }))
}

/// Notes that a row was delivered. Its values go: there may be a one-time code among them.
pub async fn sent(transaction: &mut Transaction, identity: &str) -> Result<(), sqlx::Error> {
    let statement =
        "UPDATE outbox SET state = 'sent', fault = NULL, details = '{}' WHERE identity = $1 AND state = 'waiting'";
    sqlx::query(statement).bind(identity).execute(&mut **transaction).await?;
    Ok(())
}

/// Notes that an attempt failed, and when to try again; for good if never.
pub async fn failed(
    transaction: &mut Transaction,
    identity: &str,
    fault: &str,
    again_at: Option<i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE outbox SET fault = $1, state = $2, attempt_at = coalesce($3, attempt_at) \
         WHERE identity = $4 AND state = 'waiting'",
    )
    .bind(fault)
    .bind(if again_at.is_some() { "waiting" } else { "failed" })
    .bind(again_at)
    .bind(identity)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Puts rows that have failed for good, or wait for their next attempt, back to the front: the one that is named, or all. Returns how many
/// there were.
pub async fn retry(transaction: &mut Transaction, identity: Option<&str>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE outbox SET state = 'waiting', attempt_at = $1 \
         WHERE state <> 'sent' AND fault IS NOT NULL AND ($2 = '' OR identity = $2)",
    )
    .bind(clock::now())
    .bind(identity.unwrap_or_default())
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected())
}

/// Every row that is not delivered yet, oldest first, and with `all` those that are, too.
pub async fn list(executor: impl AnyExecutor<'_>, all: bool) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT identity, kind, recipient, transaction_id, created_at, state, attempts, fault FROM outbox \
         WHERE state <> $1 ORDER BY created_at, identity",
    )
    .bind(if all { "" } else { "sent" })
    .fetch_all(executor)
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use sqlx_sqlite::{SqliteConnectOptions, SqlitePool};

    use super::*;
    use crate::database::Location;

    /// The last migration before the table had one index fewer.
    const LAST_WITH_TWO: i64 = 14;

    #[tokio::test]
    async fn what_waits_outlives_the_second_index_and_nobody_is_told_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyside.sqlite");
        let older = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let older = SqlitePool::connect_with(older).await.unwrap();
        sqlx::migrate!("migrations/sqlite").run_to(LAST_WITH_TWO, &older).await.unwrap();
        let told = |kind, unique_key: &str| NewNotification {
            kind,
            to: "ada@example.com".into(),
            transaction_id: None,
            unique_key: unique_key.into(),
            values: Vec::new(),
        };
        let identity = Notification {
            kind: Kind::Submitted,
            unique_key: "A".into(),
            to: "ada@example.com".into(),
            values: Values::new(),
            created_at: 7,
        }
        .identity();
        sqlx::query(
            "INSERT INTO outbox (identity, kind, unique_key, recipient, transaction_id, details, created_at, attempts, attempt_at, fault) \
             VALUES ($1, 'submitted', 'A', 'ada@example.com', 'T', '{}', 7, 3, 9, 'no')",
        )
        .bind(&identity)
        .execute(&older)
        .await
        .unwrap();
        older.close().await;

        let database = Database::open(&Location::Sqlite(path)).await.unwrap();
        let rows = list(database.reader(), true).await.unwrap();
        let [Row { transaction_id: Some(id), created_at: 7, attempts: 3, fault: Some(fault), .. }] = &rows[..] else {
            unreachable!("{rows:?}")
        };
        assert_eq!((id.as_str(), fault.as_str()), ("T", "no"));
        let mut transaction = database.transaction().await.unwrap();
        for (kind, unique_key, is_new) in [
            (Kind::Submitted, "A", false),
            (Kind::Issued, "A", true),
            (Kind::Submitted, "B", true),
            (Kind::Issued, "A", false),
        ] {
            assert_eq!(enqueue(&mut transaction, &told(kind, unique_key)).await.unwrap(), is_new, "{unique_key}");
        }
        transaction.commit().await.unwrap();
        let taken = take(&database, 9, 20).await.unwrap().unwrap();
        assert_eq!((taken.notification.identity(), taken.attempts, taken.is_in_doubt), (identity, 4, false));
        database.close().await;
    }
}
