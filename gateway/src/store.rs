//! What is kept: one file for each table, with all the statements on it.
//!
//! Whoever only reads takes anything that can run a statement: [`Database::reader`](crate::database::Database::reader), or
//! `&mut **transaction` to see what the transaction has written. Whoever writes takes the [`Transaction`],
//! so that what belongs together is written together or not at all. The statements are the same for SQLite and PostgreSQL.

use sqlx::Any;
use sqlx::query::Query;

use crate::database::Transaction;

pub mod audit;
pub mod authorisations;
pub mod crls;
pub mod engines;
pub mod est_codes;
pub mod officers;
pub mod outbox;
pub(crate) mod readiness;
pub mod renewals;
pub mod request_search;
pub mod requests;
pub mod revoked_serial_numbers;
mod search;
pub mod sessions;

/// Runs a statement that changes one row or none. Returns whether it has changed one.
async fn changes_one(
    transaction: &mut Transaction,
    statement: Query<'_, Any, <Any as sqlx::Database>::Arguments>,
) -> Result<bool, sqlx::Error> {
    Ok(statement.execute(&mut **transaction).await?.rows_affected() == 1)
}
