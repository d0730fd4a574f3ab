//! Namesakes: two people who would have certificates with the same subject. A server that trusts the CA takes one for the other.

use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::name::{Name, is_match};
use sqlx::AnyConnection;

use crate::store::issued_certificates;
use crate::store::requests::{self, Request};

/// The living certificate, or one about to be issued, with the subject that `request` asks for and another person's e-mail address, if there is
/// one. A renewal has its own person's subject. `now` is in seconds since 1970-01-01T00:00:00Z.
///
/// The subjects themselves are compared, whatever templates they were made of, by RFC 5280, section 7.1: case does not tell them apart.
pub async fn holder_of_subject(
    connection: &mut AnyConnection,
    request: &Request,
    now: i64,
) -> Result<Option<Request>, sqlx::Error> {
    if request.renews.is_some() {
        return Ok(None);
    }
    let Some(wanted) = subject(connection, request).await? else { return Ok(None) };
    for other in requests::living_with_name(&mut *connection, request, now).await? {
        if subject(connection, &other).await?.is_some_and(|subject| is_match(&subject, &wanted)) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// The subject of the request's certificate; that which it asks for, while it has none.
async fn subject(connection: &mut AnyConnection, request: &Request) -> Result<Option<Name>, sqlx::Error> {
    let id = request.transaction_id;
    let certificate = issued_certificates::of_request(&mut *connection, id).await?;
    if let Some(certificate) = certificate.and_then(|der| Certificate::from_der(&der).ok()) {
        return Ok(Some(certificate.subject().clone()));
    }
    let asked_for = requests::certification_request(connection, id).await?;
    let asked_for = asked_for.and_then(|der| CertificationRequest::from_der(&der).ok());
    Ok(asked_for.map(|asked_for| asked_for.subject().clone()))
}
