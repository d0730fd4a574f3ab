//! The officers, for whoever oversees them.

use axum::extract::State;
use maud::{Markup, html};

use super::extract::{self, Answer, App};
use super::layout::{Part, Site, Viewer, code, page, plain, standing, table};
use crate::clock::date_and_time;
use crate::hexadecimal::hexadecimal;
use crate::store;
use crate::store::officers::Officer;

/// The officers.
pub(super) async fn list(State(console): App, viewer: Viewer) -> Answer {
    if !viewer.role().may_oversee() {
        return Ok(console.not_allowed(&viewer));
    }
    let officers = store::officers::list(&console.database).await?;
    Ok(extract::html(page_of_list(&console.site, &viewer, &officers)))
}

/// The page.
fn page_of_list(site: &Site, viewer: &Viewer, officers: &[Officer]) -> Markup {
    let rows: Vec<Vec<Markup>> = officers.iter().map(row).collect();
    let content = html! {
        (table("Officers, in the order of their names", &["Name", "Role", "Company", "Signs in", "Last seen", "State"], &rows))
        p.quiet {
            "Officers are invited and revoked on the gateway's command line: " (code("keyside-gateway officer invite")) " and "
            (code("keyside-gateway officer revoke")) "."
        }
    };
    page(site, viewer, Some(Part::Officers), "Officers", content)
}

fn row(officer: &Officer) -> Vec<Markup> {
    vec![
        html! { (officer.name) span.quiet { (officer.email_address) } span.quiet { (code(&officer.id)) } },
        plain(officer.role.title()),
        plain(officer.company.as_deref().unwrap_or("–")),
        html! {
            @match &officer.certificate_serial_number {
                Some(serial_number) => { "with the certificate " (code(hexadecimal(serial_number))) }
                None => "by link"
            }
        },
        plain(officer.last_seen_at.map_or("never".into(), date_and_time)),
        match officer.revoked_at {
            Some(at) => html! { (standing("failed", "Revoked")) span.quiet { (date_and_time(at)) } },
            None => standing("done", "Active"),
        },
    ]
}
