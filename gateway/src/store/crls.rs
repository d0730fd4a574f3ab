//! The current CRLs.

use keyside_pki::certificate::Certificate;
use sha2::{Digest, Sha256};
use sqlx::any::AnyExecutor;

use crate::clock;
use crate::database::Transaction;

/// A CRL as it was signed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Crl {
    /// Its number (RFC 5280, section 5.2.3).
    #[sqlx(try_from = "i64")]
    pub number: u64,
    /// When it was made.
    pub this_update: i64,
    /// How many certificates are on it.
    pub entries: i64,
    /// Its DER.
    pub crl: Vec<u8>,
}

/// The SHA-256 of an issuer's name and public key, by which its CRLs are kept. So their numbers go on when its certificate is renewed.
pub fn issuer_of(certificate: &Certificate) -> Vec<u8> {
    let hash = Sha256::new().chain_update(certificate.subject().to_der());
    hash.chain_update(certificate.subject_public_key_info()).finalize().to_vec()
}

/// Has the CRLs of an issuer kept by name and key, which were kept by the SHA-256 of its certificate.
pub async fn keep_by_key(transaction: &mut Transaction, certificate: &Certificate) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE crls SET issuer = $2 WHERE issuer = $1 AND NOT EXISTS (SELECT 1 FROM crls AS kept WHERE kept.issuer = $2)",
    )
    .bind(Sha256::digest(certificate.der()).as_slice())
    .bind(issuer_of(certificate))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The current CRL of the issuer: see [`issuer_of`].
pub async fn find(executor: impl AnyExecutor<'_>, issuer: &[u8]) -> Result<Option<Crl>, sqlx::Error> {
    sqlx::query_as("SELECT number, this_update, entries, crl FROM crls WHERE issuer = $1")
        .bind(issuer)
        .fetch_optional(executor)
        .await
}

/// The current CRL of the issuer, which nobody else changes until the transaction ends; one with the number 0 and without contents where
/// there is none.
pub async fn lock(transaction: &mut Transaction, issuer: &[u8]) -> Result<Crl, sqlx::Error> {
    // A statement that changes nothing, and locks the row for that.
    sqlx::query_as(
        "INSERT INTO crls (issuer, number, this_update, entries, crl) VALUES ($1, 0, 0, 0, $2) \
         ON CONFLICT (issuer) DO UPDATE SET number = crls.number RETURNING number, this_update, entries, crl",
    )
    .bind(issuer)
    .bind([].as_slice())
    .fetch_one(&mut **transaction)
    .await
}

/// Has the numbers of an issuer's CRLs go on from this one, unless they are beyond it. The next CRL is signed at once.
pub async fn raise(transaction: &mut Transaction, issuer: &[u8], number: u64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO crls (issuer, number, this_update, entries, crl) VALUES ($1, $2, 0, 0, $3) \
         ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, this_update = 0 WHERE excluded.number > crls.number",
    )
    .bind(issuer)
    .bind(clock::from_unsigned(number))
    .bind([].as_slice())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Keeps the CRL of an issuer in place of the one before, unless that one's number is as great.
pub async fn replace(transaction: &mut Transaction, issuer: &[u8], crl: &Crl) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO crls (issuer, number, this_update, entries, crl) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, this_update = excluded.this_update, \
         entries = excluded.entries, crl = excluded.crl \
         WHERE excluded.number > crls.number",
    )
    .bind(issuer)
    .bind(clock::from_unsigned(crl.number))
    .bind(crl.this_update)
    .bind(crl.entries)
    .bind(&crl.crl)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
