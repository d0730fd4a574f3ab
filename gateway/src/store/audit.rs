//! The table `audit`: every decision, in one chain of hashes, which [`audit`](crate::audit) verifies.

use keyside_core::domain::transaction_id::TransactionId;
use sha2::{Digest, Sha256};

use super::audit_actions::{Action, Actor};
use crate::clock;
use crate::database::{Database, Transaction};
use crate::hexadecimal::hexadecimal;

/// The bytes of a SHA-256.
pub const HASH_SIZE: usize = 32;

/// Stands before what is hashed, so that no other use of SHA-256 gives the same.
const DOMAIN: &[u8] = b"keyside audit log 1";

/// What is to be written down.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// When it was done, in seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what: a transaction ID, or the id of an authorisation or officer.
    pub subject: String,
    /// What else there is to say; may be empty.
    pub detail: String,
}

/// An entry of the log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Entry {
    /// Its place in the chain, from 1.
    pub number: i64,
    /// See [`NewEntry::at`].
    pub at: i64,
    /// See [`NewEntry::actor`].
    pub actor: String,
    /// See [`NewEntry::action`].
    pub action: String,
    /// See [`NewEntry::subject`].
    pub subject: String,
    /// See [`NewEntry::detail`].
    pub detail: String,
    /// The hash of the entry before.
    pub previous_sha256: Vec<u8>,
    /// Its own hash.
    pub sha256: Vec<u8>,
}

impl Entry {
    /// What its hash should be.
    ///
    /// Each field stands behind its length in bytes (64 bits, the most significant first), so that no two entries give the same bytes.
    /// The number is left out: an entry that was moved has its own hash still, and is seen by what it follows.
    pub fn hash(&self) -> [u8; HASH_SIZE] {
        let at = self.at.to_be_bytes();
        let texts = [&self.actor, &self.action, &self.subject, &self.detail].map(|text| text.as_bytes());
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        for field in [&self.previous_sha256, &at[..]].into_iter().chain(texts) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.finalize().into()
    }
}

/// The end of the log, as the database notes it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Head {
    /// How many entries there are.
    pub entries: i64,
    /// The hash of the last one.
    pub sha256: Vec<u8>,
}

/// Writes down what was done to a request, in the transaction that it belongs to: see [`append`].
pub async fn note(
    transaction: &mut Transaction,
    id: TransactionId,
    action: Action,
    actor: Actor,
    detail: String,
) -> Result<(), sqlx::Error> {
    append(transaction, NewEntry { at: clock::now(), actor, action, subject: id.to_string(), detail }).await
}

/// Locks the end of the chain until the transaction ends, for a transaction that locks many other rows after it.
pub async fn lock(transaction: &mut Transaction) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE audit_head SET entries = entries WHERE id = 1").execute(&mut **transaction).await?;
    Ok(())
}

/// Writes an entry down, at the end of the chain. Do it last in a transaction: others who append wait for its end.
pub async fn append(transaction: &mut Transaction, new: NewEntry) -> Result<(), sqlx::Error> {
    append_all(transaction, vec![new]).await
}

/// The same for several entries, in their order.
pub async fn append_all(transaction: &mut Transaction, new: Vec<NewEntry>) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    // Locks the row, so that the next one waits until these entries are there or have come to nothing.
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    let Head { entries, mut sha256 } =
        sqlx::query_as("UPDATE audit_head SET entries = entries + $1 WHERE id = 1 RETURNING entries, sha256")
            .bind(count)
            .fetch_one(&mut **transaction)
            .await?;
    for (number, new) in (entries - count + 1..).zip(new) {
        let mut entry = Entry {
            number,
            at: new.at,
            actor: new.actor.to_string(),
            action: new.action.name().into(),
            subject: new.subject,
            detail: new.detail,
            previous_sha256: sha256,
            sha256: Vec::new(),
        };
        entry.sha256 = entry.hash().to_vec();
        sha256 = entry.sha256.clone();
        insert(transaction, entry).await?;
    }
    sqlx::query("UPDATE audit_head SET sha256 = $1 WHERE id = 1").bind(sha256).execute(&mut **transaction).await?;
    Ok(())
}

async fn insert(transaction: &mut Transaction, entry: Entry) -> Result<(), sqlx::Error> {
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

/// The beginning of a hash, which tells it from others.
pub fn short(sha256: &[u8]) -> String {
    hexadecimal(sha256.get(..8).unwrap_or(sha256))
}
