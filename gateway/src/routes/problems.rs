//! `GET /problems/{slug}`: what the member `type` of a problem refers to (RFC 9457, section 3.1.1).

use axum::extract::OriginalUri;
use keyside_core::api::ProblemKind;

use crate::problem::Refusal;

/// A few plain lines about a kind of problem.
pub(super) async fn describe(OriginalUri(uri): OriginalUri) -> Result<String, Refusal> {
    let kind = ProblemKind::ALL
        .iter()
        .find(|kind| kind.reference() == uri.path())
        .ok_or_else(|| Refusal::new(ProblemKind::NotFound, "There is no such kind of problem."))?;
    Ok(format!(
        "{}\n\nThe API answers with this problem and the HTTP status {}. Its member “detail” names the fault in the request \
         at hand and the way out (RFC 9457).\n",
        kind.title(),
        kind.status()
    ))
}
