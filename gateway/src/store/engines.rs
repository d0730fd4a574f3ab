//! The CA engines that were seen, with the certificates of their CAs.

use sqlx::any::AnyExecutor;

use crate::database::Transaction;

/// The certificate of the CA that the engine `name` has, as DER, if it was seen before.
pub async fn find(executor: impl AnyExecutor<'_>, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT certificate FROM engines WHERE name = $1").bind(name).fetch_optional(executor).await
}

/// The certificate of the CA that the engine `name` has in this database, as DER, which nobody else changes until the transaction ends:
/// `certificate`, if there was none.
pub async fn claim(transaction: &mut Transaction, name: &str, certificate: &[u8]) -> Result<Vec<u8>, sqlx::Error> {
    // Of two who come first at once, the second one waits for the first one's row. Where there is one, nothing is changed.
    sqlx::query_scalar(
        "INSERT INTO engines (name, certificate) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET name = engines.name RETURNING certificate",
    )
    .bind(name)
    .bind(certificate)
    .fetch_one(&mut **transaction)
    .await
}

/// Keeps the certificate of an engine's CA in place of the one before.
pub async fn replace(transaction: &mut Transaction, name: &str, certificate: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE engines SET certificate = $2 WHERE name = $1")
        .bind(name)
        .bind(certificate)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
