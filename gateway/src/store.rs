//! What is kept: one file for each table, with all the statements on it.
//!
//! Whoever only reads takes anything that can run a statement: [`Database::reader`](crate::database::Database::reader), or
//! `&mut **transaction` to see what the transaction has written. Whoever writes takes the [`Transaction`](crate::database::Transaction),
//! so that what belongs together is written together or not at all. The statements are the same for SQLite and PostgreSQL.

pub mod audit;
pub mod authorisations;
pub mod crls;
pub mod engines;
pub mod est_codes;
pub mod officers;
pub mod outbox;
pub mod requests;
mod search;
pub mod sessions;
