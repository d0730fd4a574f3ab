//! The row that is written to find out whether anything can be.

use crate::clock;
use crate::database::Transaction;

/// Writes it.
pub(crate) async fn write(transaction: &mut Transaction) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE readiness SET tried_at = $1").bind(clock::now()).execute(&mut **transaction).await.map(drop)
}
