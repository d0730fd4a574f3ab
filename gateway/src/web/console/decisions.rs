//! Approving, rejecting and revoking: each has a page that asks once more, since it cannot be undone.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;
use maud::{Markup, html};

use super::extract::{self, Answer, Console, Failure, Posted};
use super::layout::{Part, Site, Viewer, code, form_token, page, particulars, plain};
use super::request::{chain, chain_of};
use crate::clock::{self, DAY, date_and_time};
use crate::ra::decision::{self, DecisionError, Extent};
use crate::store::requests::{Request, State};

/// The most characters of a reason for a rejection.
const LONGEST_REASON: usize = 500;

/// The request with this transaction ID, for somebody who decides; or what to answer instead.
async fn to_decide(console: &Console, viewer: &Viewer, id: &str) -> Result<Result<Request, Response>, Failure> {
    if !viewer.role().may_decide() {
        return Ok(Err(console.not_allowed(viewer)));
    }
    Ok(console.request(viewer, id).await?.ok_or_else(|| console.not_found(viewer)))
}

/// What became of a decision: back to the request, or why not.
fn decided(console: &Console, viewer: &Viewer, id: TransactionId, outcome: Result<(), DecisionError>) -> Answer {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/console/requests/{id}")).into_response()),
        Err(DecisionError::Database(error)) => Err(error.into()),
        Err(error) => Ok(console.notice(
            Some(viewer),
            StatusCode::CONFLICT,
            "Not decided",
            &format!("Nothing was done: {error}."),
        )),
    }
}

pub(super) async fn ask_to_approve(
    Shared(console): Shared<Arc<Console>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    Ok(match to_decide(&console, &viewer, &id).await? {
        Ok(request) => extract::html(page_to_approve(&console.site, &viewer, &request)),
        Err(response) => response,
    })
}

pub(super) async fn approve(Shared(console): Shared<Arc<Console>>, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let request = match to_decide(&console, viewer, &id).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let id = request.transaction_id;
    decided(
        &console,
        viewer,
        id,
        decision::approve(&console.database, id, Some(posted.field(SEEN)), viewer.officer.actor()).await,
    )
}

pub(super) async fn ask_to_reject(
    Shared(console): Shared<Arc<Console>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    Ok(match to_decide(&console, &viewer, &id).await? {
        Ok(request) => extract::html(page_to_reject(&console.site, &viewer, &request, "", None)),
        Err(response) => response,
    })
}

pub(super) async fn reject(Shared(console): Shared<Arc<Console>>, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let request = match to_decide(&console, viewer, &id).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let reason = posted.field("reason").trim();
    let fault = match reason.chars().count() {
        0 => Some("Say why: the user reads the reason."),
        length if length > LONGEST_REASON => Some("Say it in 500 characters."),
        _ => None,
    };
    if let Some(fault) = fault {
        let page = page_to_reject(&console.site, viewer, &request, reason, Some(fault));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, extract::html(page)).into_response());
    }
    let id = request.transaction_id;
    decided(&console, viewer, id, decision::reject(&console.database, id, reason, viewer.officer.actor()).await)
}

pub(super) async fn ask_to_revoke(
    Shared(console): Shared<Arc<Console>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    Ok(match to_decide(&console, &viewer, &id).await? {
        Ok(request) => {
            let chain = chain_of(&console, &viewer, &request).await?;
            extract::html(page_to_revoke(&console.site, &viewer, &request, &chain, None))
        }
        Err(response) => response,
    })
}

pub(super) async fn revoke(Shared(console): Shared<Arc<Console>>, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let request = match to_decide(&console, viewer, &id).await? {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    let Ok(reason) = posted.field("reason").parse() else {
        let chain = chain_of(&console, viewer, &request).await?;
        let page = page_to_revoke(&console.site, viewer, &request, &chain, Some("Choose a reason."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, extract::html(page)).into_response());
    };
    let id = request.transaction_id;
    let extent = match posted.field("extent") {
        "certificate" => Extent::Certificate,
        "chain" => Extent::Chain,
        _ => Extent::of(reason),
    };
    let outcome = decision::revoke(&console.database, id, reason, extent, viewer.officer.actor()).await;
    decided(&console, viewer, id, outcome)
}

/// The field with the details that the officer has seen.
const SEEN: &str = "seen";

/// Which request it is about.
fn about(site: &Site, request: &Request) -> Markup {
    particulars(&[
        ("Common Name", plain(&request.common_name)),
        ("Email Address", plain(&request.email_address)),
        ("Certificate type", plain(site.type_name(&request.certificate_type))),
        ("Transaction ID", code(request.transaction_id.to_string())),
    ])
}

/// A page with what it is about, a form that does it, and a way back.
fn ask(
    site: &Site,
    viewer: &Viewer,
    title: &str,
    request: &Request,
    warning: &str,
    action: &str,
    form: Markup,
) -> Markup {
    let path = format!("/console/requests/{}", request.transaction_id);
    let content = html! {
        p.lead { (warning) }
        div.card { (about(site, request)) }
        form method="post" action=(format!("{path}/{action}")) {
            (form_token(viewer))
            (form)
            p.actions { button type="submit" { (title) } a href=(path) { "Back, without a decision" } }
        }
    };
    page(site, viewer, Some(Part::Requests), title, content)
}

/// Asks before an approval.
fn page_to_approve(site: &Site, viewer: &Viewer, request: &Request) -> Markup {
    let warning = match (&request.authorisation_id, &request.renews) {
        (None, None) => {
            "Nobody has authorised this person. The certificate is issued at once, and can only be revoked afterwards."
        }
        _ => "The certificate is issued at once, and can only be revoked afterwards.",
    };
    // The engine cuts it to that.
    let end = site.ca_end.filter(|end| end.at < clock::now() + request.validity_days * DAY);
    let notice = html! {
        input type="hidden" name=(SEEN) value=(request.details_sha256());
        @if let Some(end) = end {
            p.message.wait {
                "It will not be valid for " (request.validity_days) " days: it ends with the CA's own certificate, on " (date_and_time(end.at)) "."
            }
        }
    };
    ask(site, viewer, "Approve the request", request, warning, "approve", notice)
}

/// Asks before a rejection; `fault` is what is wrong with the reason that was given.
fn page_to_reject(site: &Site, viewer: &Viewer, request: &Request, reason: &str, fault: Option<&str>) -> Markup {
    let form = html! {
        div.field.invalid[fault.is_some()] {
            label for="reason" { "Reason" }
            p.hint #reason-hint { "The user reads it." }
            @if let Some(fault) = fault { p.field-error #reason-error { (fault) } }
            textarea id="reason" name="reason" rows="3" required maxlength="500" aria-invalid=[fault.map(|_| "true")]
                aria-describedby=(if fault.is_some() { "reason-hint reason-error" } else { "reason-hint" }) { (reason) }
        }
    };
    let warning = match &request.authorisation_id {
        Some(_) => {
            "Rejecting is final, and the user must register again. The authorization can be used for that. If the person may not have a certificate, ask the User Access Administrator to withdraw it."
        }
        None => "Rejecting is final, and the user must register again.",
    };
    ask(site, viewer, "Reject the request", request, warning, "reject", form)
}

/// Asks before a revocation. `in_chain` are the requests of the chain of renewals that it is in; `fault` is what is wrong with the choice.
fn page_to_revoke(
    site: &Site,
    viewer: &Viewer,
    request: &Request,
    in_chain: &[Request],
    fault: Option<&str>,
) -> Markup {
    let asked_for = request.revocation().map(|revocation| revocation.reason);
    let now = clock::now();
    let others: Vec<Request> = in_chain
        .iter()
        .filter(|other| other.transaction_id != request.transaction_id)
        .filter(|other| other.lives(now) || other.state == State::Pending)
        .cloned()
        .collect();
    let form = html! {
        fieldset.field.invalid[fault.is_some()] aria-describedby=[fault.map(|_| "reason-error")] {
            legend { "Reason" }
            @if let Some(fault) = fault { p.field-error #reason-error { (fault) } }
            @for reason in RevocationReason::ALL {
                div.choice {
                    input type="radio" name="reason" id=(reason.name()) value=(reason.name()) required checked[asked_for == Some(reason)];
                    label for=(reason.name()) { (words(reason)) " (" (reason.name()) ")" }
                }
            }
        }
        @if !others.is_empty() { (extent(&others)) }
    };
    let warning =
        "A revocation is for good: the certificate is on the next CRL and stays there, and nobody accepts it any more.";
    ask(site, viewer, "Revoke the certificate", request, warning, "revoke", form)
}

/// Asks how much is revoked where there are other certificates in the chain.
fn extent(others: &[Request]) -> Markup {
    let choices = [
        (
            "by-reason",
            "By the reason: the whole chain of renewals if another person may have the key, otherwise this certificate",
        ),
        ("chain", "The whole chain of renewals: those that wait are rejected"),
        ("certificate", "This certificate and no other"),
    ];
    html! {
        fieldset.field {
            legend { "What to revoke" }
            p.hint { "This certificate was renewed, or renews another one. A person with the key of one can have asked for the next." }
            @for (value, label) in choices {
                div.choice {
                    input type="radio" name="extent" id=(format!("extent-{value}")) value=(value) checked[value == "by-reason"];
                    label for=(format!("extent-{value}")) { (label) }
                }
            }
        }
        (chain(others, None))
    }
}

/// What a reason means (RFC 5280, section 5.3.1).
fn words(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::Unspecified => "No reason is given",
        RevocationReason::KeyCompromise => "Somebody else has the private key, or may have it",
        RevocationReason::AffiliationChanged => "The name or company of the user has changed",
        RevocationReason::Superseded => "Another certificate has taken its place",
        RevocationReason::CessationOfOperation => "It is not needed any more",
        RevocationReason::PrivilegeWithdrawn => "The user may not use it any more",
    }
}
