//! The certificates in the table `requests`.

use keyside_core::domain::transaction_id::TransactionId;
use sqlx::any::AnyExecutor;

/// A certificate that was issued.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct IssuedCertificate {
    /// The transaction ID of its request.
    #[sqlx(try_from = "String")]
    pub transaction_id: TransactionId,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The id of its type.
    pub certificate_type: String,
    /// The e-mail address in it.
    pub email_address: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

/// The certificate of a request, if it was issued, as DER.
pub async fn of_request(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let certificate: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT certificate FROM requests WHERE transaction_id = $1")
            .bind(id.to_string())
            .fetch_optional(executor)
            .await?;
    Ok(certificate.flatten())
}

/// The certificate with this serial number, unsigned, most significant byte first, if it was issued.
pub async fn find(
    executor: impl AnyExecutor<'_>,
    serial_number: &[u8],
) -> Result<Option<IssuedCertificate>, sqlx::Error> {
    sqlx::query_as(
        "SELECT transaction_id, certificate, certificate_type, email_address, revoked_at FROM requests \
         WHERE serial_number = $1 AND state = 'issued'",
    )
    .bind(serial_number)
    .fetch_optional(executor)
    .await
}
