//! The audit log.

use axum::extract::State;
use maud::{Markup, html};

use super::extract::{self, Answer, App, Fields};
use super::layout::{PAGE_SIZE, Part, Site, Viewer, code, page, paging, plain, table};
use crate::clock::date_and_time;
use crate::store;
use crate::store::audit::Entry;
use crate::store::officers::Officer;

/// The log.
pub(super) async fn list(State(console): App, viewer: Viewer, fields: Fields) -> Answer {
    if !viewer.role().may_oversee() {
        return Ok(console.not_allowed(&viewer));
    }
    let after = fields.get("after").and_then(|number| number.parse().ok());
    let count = i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX);
    let mut entries = store::audit::before(&console.database, after.unwrap_or(i64::MAX), count + 1).await?;
    let has_more = entries.len() > PAGE_SIZE;
    entries.truncate(PAGE_SIZE);
    let officers = store::officers::list(&console.database).await?;
    Ok(extract::html(page_of_list(&console.site, &viewer, &entries, &officers, after.is_none(), has_more)))
}

/// The page. `has_more` tells whether there are earlier entries.
fn page_of_list(
    site: &Site,
    viewer: &Viewer,
    entries: &[Entry],
    officers: &[Officer],
    is_first: bool,
    has_more: bool,
) -> Markup {
    let rows: Vec<Vec<Markup>> = entries.iter().map(|entry| row(entry, officers)).collect();
    let next = entries.last().filter(|_| has_more).map(|entry| entry.number.to_string());
    let content = html! {
        p {
            "Each entry has the hash of the one before in its own. " (code("keyside-gateway audit verify"))
            " goes through all of them and says which one was changed, removed, inserted or moved."
        }
        @if entries.is_empty() {
            p.message { "Nothing has been decided yet." }
        } @else {
            (table("Audit log, the latest entry first", &["Entry", "When", "Who", "What", "Hash"], &rows))
        }
        (paging("/console/audit", "", is_first, next.as_deref()))
    };
    page(site, viewer, Some(Part::AuditLog), "Audit log", content)
}

fn row(entry: &Entry, officers: &[Officer]) -> Vec<Markup> {
    vec![
        plain(entry.number),
        plain(date_and_time(entry.at)),
        plain(who(&entry.actor, officers)),
        html! {
            (entry.action) " " span.quiet { (subject(entry)) }
            @if !entry.detail.is_empty() { span.quiet { (entry.detail) } }
        },
        code(store::audit::short(&entry.sha256)),
    ]
}

/// What an entry is about, with a link to it where it has a page.
fn subject(entry: &Entry) -> Markup {
    let path = match entry.action.as_str() {
        "authorised" | "authorisation withdrawn" => Some("/console/authorisations"),
        "submitted" | "corrected" | "approved" | "rejected" | "issued" | "revocation asked for" => {
            Some("/console/requests")
        }
        _ => None,
    };
    html! {
        @match path {
            Some(path) => { a href=(format!("{path}/{}", entry.subject)) { (code(&entry.subject)) } }
            None => { (code(&entry.subject)) }
        }
    }
}

/// An actor, by name where it is an officer.
pub(super) fn who(actor: &str, officers: &[Officer]) -> String {
    let officer = actor.strip_prefix("officer:").and_then(|id| officers.iter().find(|officer| officer.id == id));
    officer.map_or_else(|| actor.to_owned(), |officer| format!("{} ({})", officer.name, officer.role.title()))
}
