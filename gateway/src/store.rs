//! What is kept: one file for each table, with all the statements on it.
//!
//! Whoever only reads takes anything that can run a statement: [`Database::reader`](crate::database::Database::reader), or
//! `&mut **transaction` to see what the transaction has written. Whoever writes takes the [`Transaction`],
//! so that what belongs together is written together or not at all. The statements are the same for SQLite and PostgreSQL.

use rand::Rng;
use sqlx::Any;
use sqlx::query::Query;

use crate::database::{Database, DatabaseError, Location, Transaction};
use crate::hexadecimal::hexadecimal;

pub mod audit;
pub mod audit_actions;
pub mod authorisations;
pub mod crls;
pub mod engines;
pub mod est_codes;
pub mod issuance;
pub mod issued_certificates;
pub mod journal;
pub mod kept_requests;
mod missing;
pub mod officer_roles;
pub mod officers;
pub mod outbox;
pub mod renewals;
pub mod request_search;
pub mod requests;
pub mod restore;
pub mod retention;
pub mod revocations;
pub mod revoked_serial_numbers;
mod search;
pub mod sessions;
pub mod submissions;
pub mod syslog;
pub mod waiting;

/// Random bytes in an id: 64 bits.
const ID_SIZE: usize = 8;

/// A new id.
pub fn random_id() -> String {
    let mut bytes = [0; ID_SIZE];
    rand::rng().fill_bytes(&mut bytes);
    hexadecimal(&bytes)
}

/// Opens the database, or makes it, with all that is in it as this version expects it.
pub async fn open(location: &Location) -> Result<Database, DatabaseError> {
    let database = Database::open_or_create(location).await?;
    let mut transaction = database.transaction().await?;
    missing::write(&mut transaction).await?;
    transaction.commit().await?;
    Ok(database)
}

/// Runs a statement that changes one row or none. Returns whether it has changed one.
async fn changes_one(
    transaction: &mut Transaction,
    statement: Query<'_, Any, <Any as sqlx::Database>::Arguments>,
) -> Result<bool, sqlx::Error> {
    Ok(statement.execute(&mut **transaction).await?.rows_affected() == 1)
}
