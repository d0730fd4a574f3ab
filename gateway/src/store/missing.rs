//! Values that migrations leave out, since SQL cannot compute them.

use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::subject_public_key_info;
use keyside_pki::public_key::PublicKey;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::authorisations::key;
use super::issuance::Fingerprints;
use crate::database::Transaction;

/// Writes the keys of names, for searching, the key of each certification request, the fingerprints of each certificate, and officers' companies
/// as authorisations have them: in normal form C.
pub(super) async fn write(transaction: &mut Transaction) -> Result<(), sqlx::Error> {
    for (select, update) in [
        (
            "SELECT transaction_id, common_name FROM requests WHERE common_name_key = ''",
            "UPDATE requests SET common_name_key = $1 WHERE transaction_id = $2",
        ),
        (
            "SELECT id, common_name FROM authorisations WHERE common_name_key = ''",
            "UPDATE authorisations SET common_name_key = $1 WHERE id = $2",
        ),
    ] {
        let names: Vec<(String, String)> = sqlx::query_as(select).fetch_all(&mut **transaction).await?;
        for (id, name) in names {
            sqlx::query(update).bind(key(&name)).bind(id).execute(&mut **transaction).await?;
        }
    }
    let companies: Vec<(String, String)> = sqlx::query_as("SELECT id, company FROM officers WHERE company IS NOT NULL")
        .fetch_all(&mut **transaction)
        .await?;
    for (id, company) in companies.into_iter().filter(|(_, company)| !is_nfc(company)) {
        let statement = sqlx::query("UPDATE officers SET company = $1 WHERE id = $2");
        statement.bind(company.nfc().collect::<String>()).bind(id).execute(&mut **transaction).await?;
    }
    loop {
        let requests: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT transaction_id, certification_request FROM requests WHERE key_id IS NULL LIMIT 1000",
        )
        .fetch_all(&mut **transaction)
        .await?;
        if requests.is_empty() {
            break;
        }
        for (id, der) in requests {
            let info = subject_public_key_info(&der).ok().and_then(|info| PublicKey::of(info).ok());
            // An unreadable request has no key: this is like none that comes.
            let key_id = info.map(|key| key.key_id).unwrap_or_default();
            let statement = "UPDATE requests SET key_id = $1 WHERE transaction_id = $2";
            sqlx::query(statement).bind(key_id).bind(id).execute(&mut **transaction).await?;
        }
    }
    loop {
        let issued: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT transaction_id, certificate FROM requests \
             WHERE certificate IS NOT NULL AND certificate_sha256 IS NULL LIMIT 1000",
        )
        .fetch_all(&mut **transaction)
        .await?;
        if issued.is_empty() {
            return Ok(());
        }
        for (id, der) in issued {
            // An unreadable certificate has no fingerprint: this is like none that is searched for.
            let fingerprints = Certificate::from_der(&der).map(|certificate| Fingerprints::of(&certificate));
            let Fingerprints { sha1, sha256 } = fingerprints.unwrap_or_default();
            let statement =
                "UPDATE requests SET certificate_sha1 = $1, certificate_sha256 = $2 WHERE transaction_id = $3";
            sqlx::query(statement).bind(sha1).bind(sha256).bind(id).execute(&mut **transaction).await?;
        }
    }
}
