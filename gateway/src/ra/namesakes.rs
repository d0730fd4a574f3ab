//! Namesakes: two people who would have certificates with the same subject. A server that trusts the CA takes one for the other.

use sqlx::any::AnyExecutor;

use super::settings::CertificateType;
use crate::store::requests::{self, Request};

/// The living certificate, or one about to be issued, with the subject that `request` asks for and another person's e-mail address, if there is
/// one. A renewal has its own person's subject. `now` is in seconds since 1970-01-01T00:00:00Z.
///
/// Case does not tell two names apart (RFC 5280, section 7.1).
pub async fn holder_of_subject(
    executor: impl AnyExecutor<'_>,
    types: &[CertificateType],
    request: &Request,
    now: i64,
) -> Result<Option<Request>, sqlx::Error> {
    if request.renews.is_some() {
        return Ok(None);
    }
    let found = requests::living_with_name(executor, request, now).await?;
    let template = |id: &str| types.iter().find(|kind| kind.id == id).map(|kind| &kind.subject_template.1);
    let wanted = template(&request.certificate_type);
    let has_subject = |other: &Request| {
        let has_template = other.certificate_type == request.certificate_type
            || wanted.is_some_and(|wanted| template(&other.certificate_type) == Some(wanted));
        has_template && other.subject_company == request.subject_company
    };
    Ok(found.into_iter().find(has_subject))
}
