//! The officers' console: what its pages look like. One file per page; what they show comes from outside.
//!
//! Plain HTML with a style sheet: no script at all. Whatever changes something is a form that is posted, and what cannot be undone
//! has a page of its own that asks once more.

use maud::{DOCTYPE, Markup, Render, html};

use crate::ca_end::CaEnd;
use crate::clock;
use crate::companies::Company;
use crate::config::{CertificateType, Config};
use crate::officers::Role;
use crate::store::officers::Officer;

pub mod audit_log;
pub mod authorisations;
pub mod decisions;
pub mod notices;
pub mod officers;
pub mod request;
pub mod requests;
pub mod sign_in;

/// Where the console is.
pub const ROOT: &str = "/console";
/// Where its style sheet is.
pub const STYLE_PATH: &str = "/console/console.css";
/// Where its icon is.
pub const ICON_PATH: &str = "/console/icon.svg";
/// Its style sheet.
pub const STYLE: &str = concat!(include_str!("../../style/tokens.css"), include_str!("console/console.css"));
/// How many rows a list shows at once.
pub const PAGE_SIZE: usize = 50;
/// The field that proves that a form comes from a page of the session.
pub const FORM_TOKEN: &str = "form_token";

/// The site that the console belongs to.
#[derive(Clone, Debug)]
pub struct Site {
    /// See [`Config::site_name`].
    pub name: String,
    /// See [`Config::badge`].
    pub badge: Option<String>,
    /// See [`Config::certificate_types`].
    pub certificate_types: Vec<CertificateType>,
    /// See [`Config::companies`].
    pub companies: Vec<Company>,
    /// The end of the CA's own certificates that comes first.
    pub ca_end: Option<CaEnd>,
}

impl Site {
    /// The site of this configuration.
    pub fn new(config: &Config, ca_end: Option<CaEnd>) -> Self {
        Self {
            name: config.site_name.clone(),
            badge: config.badge.clone(),
            certificate_types: config.certificate_types.clone(),
            companies: config.companies.clone(),
            ca_end,
        }
    }

    /// The name of a certificate type; its id if the configuration has it no more.
    pub fn type_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.certificate_types.iter().find(|kind| kind.id == id).map_or(id, |kind| kind.name.as_str())
    }
}

/// Who looks at a page.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The officer.
    pub officer: Officer,
    /// What a form of this session shows: see [`FORM_TOKEN`].
    pub form_token: String,
}

impl Viewer {
    /// The officer's role.
    pub fn role(&self) -> Role {
        self.officer.role
    }
}

/// The part of the console that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The requests.
    Requests,
    /// The authorisations.
    Authorisations,
    /// The officers.
    Officers,
    /// The audit log.
    AuditLog,
}

impl Part {
    const ALL: [Self; 4] = [Self::Requests, Self::Authorisations, Self::Officers, Self::AuditLog];

    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Requests => ("/console/requests", "Requests"),
            Self::Authorisations => ("/console/authorisations", "Authorisations"),
            Self::Officers => ("/console/officers", "Officers"),
            Self::AuditLog => ("/console/audit", "Audit log"),
        }
    }

    fn is_for(self, role: Role) -> bool {
        matches!(self, Self::Requests | Self::Authorisations) || role.may_oversee()
    }
}

/// A page for somebody who has signed in.
pub fn page(site: &Site, viewer: &Viewer, part: Option<Part>, title: &str, content: Markup) -> Markup {
    let officer = &viewer.officer;
    frame(
        site,
        title,
        html! {
            nav aria-label="Console" {
                ul {
                    @for part_of in Part::ALL.into_iter().filter(|part| part.is_for(officer.role)) {
                        @let (path, name) = part_of.link();
                        li { a href=(path) aria-current=[(part == Some(part_of)).then_some("page")] { (name) } }
                    }
                }
            }
            div.who {
                p {
                    (officer.name) span.quiet { (officer.role.title()) @if let Some(company) = &officer.company { ", " (company) } }
                }
                form method="post" action="/console/sign-out" {
                    (form_token(viewer))
                    button.small.secondary type="submit" { "Sign out" }
                }
            }
        },
        html! {
            @if officer.role.may_oversee() { (ca_end(site)) }
            (content)
        },
    )
}

/// The warning that the CA's own certificate ends, for those who oversee the site.
fn ca_end(site: &Site) -> Markup {
    let now = clock::now();
    let warning = site.ca_end.and_then(|end| Some((end.urgency(now), end.warning(now)?)));
    html! {
        @if let Some((urgency, warning)) = warning {
            p.message.error[urgency == 3].wait[urgency < 3] { (warning) " Tell the operator of this gateway." }
        }
    }
}

/// A page for whoever comes.
pub fn bare_page(site: &Site, title: &str, content: Markup) -> Markup {
    frame(site, title, html! {}, content)
}

fn frame(site: &Site, title: &str, header: Markup, content: Markup) -> Markup {
    let badge = site.badge.as_ref().map(|badge| format!("[{badge}] ")).unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (badge) (title) " – " (site.name) " console" }
                link rel="icon" href=(ICON_PATH);
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                a.skip-link href="#main" { "Skip to the content" }
                header {
                    div.header-inner {
                        p.site-name {
                            a href=(ROOT) { (site.name) " console" }
                            @if let Some(badge) = &site.badge { span.badge { (badge) } }
                        }
                        (header)
                    }
                }
                main #main tabindex="-1" {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

/// The hidden field without which nothing that is posted is taken.
fn form_token(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(viewer.form_token); }
}

/// A table. On a narrow screen each row becomes a card, and each cell gets its column's name.
fn table(caption: &str, columns: &[&str], rows: &[Vec<Markup>]) -> Markup {
    // The roles are spelled out, because some browsers forget them where the style sheet takes a table apart.
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th role="columnheader" scope="col" { (column) } } }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (column, cell) in columns.iter().zip(row) { td role="cell" data-label=(column) { div { (cell) } } }
                    }
                }
            }
        }
    }
}

/// A time, in seconds since 1970-01-01T00:00:00Z, that is broken nowhere but between its day and its hour.
fn when(at: i64) -> Markup {
    let text = clock::date_and_time(at);
    let (day, hour) = text.split_once(' ').unwrap_or((&text, ""));
    html! { span.whole { (day) } " " span.whole { (hour) } }
}

/// The way to the next page of a list, and back to the first one. `query` is the search, and `next` the last row's id if there is more.
fn paging(path: &str, query: &str, is_first: bool, next: Option<&str>) -> Markup {
    let link = |after: Option<&str>| {
        let after = after.map(|id| format!("after={id}"));
        let query: Vec<&str> =
            [Some(query), after.as_deref()].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    };
    html! {
        @if !is_first || next.is_some() {
            nav.paging aria-label="Pages" {
                @if !is_first { a href=(link(None)) { "First page" } }
                @if let Some(next) = next { a rel="next" href=(link(Some(next))) { "Next page" } }
            }
        }
    }
}

/// A choice among options, each a value and its text.
fn select(id: &str, label: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            select id=(id) name=(id) {
                @for (value, text) in options { option value=(value) selected[*value == chosen] { (text) } }
            }
        }
    }
}

/// How something stands: a word, and a sign that says the same.
fn standing(class: &'static str, word: &str) -> Markup {
    html! { span class=(format!("standing {class}")) { (word) } }
}

/// Terms and what they are.
fn particulars(rows: &[(&str, Markup)]) -> Markup {
    html! { dl { @for (term, value) in rows { dt { (term) } dd { (value) } } } }
}

/// A text as it is.
fn plain(text: impl Render) -> Markup {
    html! { (text) }
}

/// A text that people compare letter by letter.
fn code(text: impl Render) -> Markup {
    html! { span.code { (text) } }
}
