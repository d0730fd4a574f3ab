//! The CA engines that were seen, with the certificates of their CAs.

use sqlx::any::AnyExecutor;

use crate::database::Transaction;

/// The certificate of the CA that the engine `name` has, as DER, if it was seen before.
pub async fn find(executor: impl AnyExecutor<'_>, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT certificate FROM engines WHERE name = $1").bind(name).fetch_optional(executor).await
}

/// Keeps the certificate of an engine's CA in place of the one before.
pub async fn replace(transaction: &mut Transaction, name: &str, certificate: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO engines (name, certificate) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET certificate = excluded.certificate",
    )
    .bind(name)
    .bind(certificate)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
