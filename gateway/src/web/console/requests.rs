//! The requests: a list that can be searched.

use std::sync::Arc;

use axum::extract::State as Shared;
use keyside_core::domain::revocation::RevocationState;
use maud::{Markup, html};

use super::extract::{self, Answer, Console, Fields, company, field, optional, query};
use super::layout::{
    PAGE_SIZE, Part, Site, Viewer, code, form_token, page, paging, plain, select, standing, table, when,
};
use crate::clock;
use crate::store::request_search::{self, Filter, Standing};
use crate::store::requests::{Request, State};

/// What was searched for, as it was typed.
#[derive(Clone, Debug, Default)]
struct Search {
    /// A transaction ID, or the beginning of a Common Name or e-mail address.
    text: String,
    /// The name of a state, or nothing.
    state: String,
    /// The id of a certificate type, or nothing.
    certificate_type: String,
    /// A company, or nothing.
    company: String,
    /// The search as a query, without the place in the list.
    query: String,
}

/// The list.
pub(super) async fn list(Shared(console): Shared<Arc<Console>>, viewer: Viewer, fields: Fields) -> Answer {
    let mut search = Search {
        text: field(&fields, "text"),
        state: field(&fields, "state"),
        certificate_type: field(&fields, "type"),
        company: field(&fields, "company"),
        query: String::new(),
    };
    search.query = query(&[
        ("text", &search.text),
        ("state", &search.state),
        ("type", &search.certificate_type),
        ("company", &search.company),
    ]);
    let filter = request_search::Filter {
        text: search.text.clone(),
        standing: request_search::Standing::of_name(&search.state),
        certificate_type: optional(&search.certificate_type),
        company: company(&viewer, &search.company),
        after: fields.get("after").and_then(|id| id.parse().ok()),
        now: clock::now(),
    };
    let mut found = request_search::search(&console.database, &filter, PAGE_SIZE + 1).await?;
    let has_more = found.len() > PAGE_SIZE;
    found.truncate(PAGE_SIZE);
    Ok(extract::html(page_of_list(&console.site, &viewer, &search, &filter, &found, has_more)))
}

/// The page. `has_more` tells whether there are further requests behind these.
fn page_of_list(
    site: &Site,
    viewer: &Viewer,
    search: &Search,
    filter: &Filter,
    found: &[Request],
    has_more: bool,
) -> Markup {
    let rows: Vec<Vec<Markup>> = found.iter().map(|request| row(site, request)).collect();
    let next = found.last().filter(|_| has_more).map(|request| request.transaction_id.to_string());
    let order = match filter.standing {
        _ if !search.text.trim().is_empty() => "in alphabetical order",
        Some(Standing::EndsWithin(_)) => "those that end soonest first",
        _ => "the latest first",
    };
    let content = html! {
        (form(site, viewer, search))
        @if found.is_empty() {
            p.message { "No request is like that." }
        } @else {
            (table(
                &format!("Requests, {order}"),
                &["Common Name", "Submitted", "Certificate type", "Company", "Authorisation", "State"],
                &rows,
            ))
        }
        (paging("/console/requests", &search.query, filter.after.is_none(), next.as_deref()))
        (sessions(viewer))
    };
    page(site, viewer, Some(Part::Requests), "Requests", content)
}

/// What to do about a session that was left open elsewhere: every officer comes by this page.
fn sessions(viewer: &Viewer) -> Markup {
    html! {
        section aria-labelledby="sessions" {
            h2 #sessions { "Your sessions" }
            p { "If you have signed in elsewhere and cannot sign out there, end all your sessions, this one too." }
            form method="post" action="/console/sign-out-everywhere" {
                (form_token(viewer))
                button.secondary type="submit" { "Sign out everywhere" }
            }
        }
    }
}

fn form(site: &Site, viewer: &Viewer, search: &Search) -> Markup {
    let any = [("", "Any")];
    let states = Standing::ALL.map(|standing| (standing.name(), words(standing)));
    let types = site.site.certificate_types.iter().map(|kind| (kind.id.as_str(), kind.name.as_str()));
    html! {
        form.search method="get" action="/console/requests" role="search" {
            div.field.wide {
                label for="text" { "Search" }
                p.hint #text-hint {
                    "A transaction ID, a serial number, a fingerprint of a certificate or key, or the beginning of a Common Name or e-mail address."
                }
                input type="search" id="text" name="text" value=(search.text) aria-describedby="text-hint";
            }
            (select("state", "State", &[&any[..], &states].concat(), &search.state))
            (select("type", "Certificate type", &any.into_iter().chain(types).collect::<Vec<_>>(), &search.certificate_type))
            @if viewer.role().may_oversee() {
                div.field {
                    label for="company" { "Company" }
                    input type="text" id="company" name="company" value=(search.company);
                }
            }
            button type="submit" { "Search" }
        }
    }
}

fn row(site: &Site, request: &Request) -> Vec<Markup> {
    let id = request.transaction_id.to_string();
    vec![
        html! {
            a href=(format!("/console/requests/{id}")) { (request.common_name) }
            span.quiet { (request.email_address) }
            span.quiet { (code(&id)) }
        },
        when(request.submitted_at),
        html! { span.unbroken { (site.type_name(&request.certificate_type)) } },
        plain(request.company.as_deref().unwrap_or("–")),
        authorised(request),
        html! {
            (state(request))
            @if let Some(end) = request.not_after { span.quiet { "until " (when(end)) } }
        },
    ]
}

/// A kind of requests, in words.
fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::State(state) => state.name(),
        Standing::RevocationRequested => "revocation asked for",
        Standing::Revoked => "revoked",
        Standing::EndsWithin(30) => "ends within 30 days",
        Standing::EndsWithin(_) => "ends within 90 days",
    }
}

/// Whether the request is authorised.
pub(super) fn authorised(request: &Request) -> Markup {
    match (&request.authorisation_id, &request.renews) {
        (Some(_), _) => standing("done", "Authorised"),
        (None, Some(_)) => standing("over", "Renewal"),
        (None, None) => standing("failed", "Not authorised"),
    }
}

/// How the request stands.
pub(super) fn state(request: &Request) -> Markup {
    match (request.state, request.revocation()) {
        (_, Some(revocation)) if revocation.state == RevocationState::Revoked => standing("failed", "Revoked"),
        (_, Some(_)) => standing("waiting", "Issued, revocation asked for"),
        (State::Pending, None) => standing("waiting", "Pending"),
        (State::Approved, None) if request.issue_fault.is_some() => {
            standing("failed", "Approved, but the CA does not issue")
        }
        (State::Approved, None) => standing("waiting", "Approved, about to be issued"),
        (State::Rejected, None) => standing("failed", "Rejected"),
        (State::Issued, None) => standing("done", "Issued"),
    }
}
