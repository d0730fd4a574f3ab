//! The frame of the console's pages, and the pieces that they are made of.
//!
//! Plain HTML with a style sheet: no script at all. Whatever changes something is a form that is posted, and what cannot be undone
//! has a page of its own that asks once more.

use maud::{DOCTYPE, Markup, Render, html};

use crate::ca::expiry::CaEnd;
use crate::clock;
use crate::store::officer_roles::Role;
use crate::store::officers::Officer;
use crate::web::settings;

/// Where the console is.
pub(super) const ROOT: &str = "/console";
/// Where its style sheet is.
pub(super) const STYLE_PATH: &str = "/console/console.css";
/// Where its icon is.
pub(super) const ICON_PATH: &str = "/console/icon.svg";
/// Its style sheet.
pub(super) const STYLE: &str = concat!(include_str!("../../../../style/tokens.css"), include_str!("console.css"));
/// How many rows a list shows at once.
pub(super) const PAGE_SIZE: usize = 50;
/// The field that proves that a form comes from a page of the session.
pub(super) const FORM_TOKEN: &str = "form_token";

/// The site that the console belongs to, and its CA's end.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// The site.
    pub(super) site: settings::Site,
    /// The end of the CA's own certificates that comes first.
    pub(super) ca_end: Option<CaEnd>,
}

impl Site {
    /// See [`settings::Site::type_name`].
    pub(super) fn type_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.site.type_name(id)
    }
}

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    /// The officer.
    pub(super) officer: Officer,
    /// What a form of this session shows: see [`FORM_TOKEN`].
    pub(super) form_token: String,
}

impl Viewer {
    /// The officer's role.
    pub(super) fn role(&self) -> Role {
        self.officer.role
    }
}

/// The part of the console that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
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
pub(super) fn page(site: &Site, viewer: &Viewer, part: Option<Part>, title: &str, content: Markup) -> Markup {
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
pub(super) fn bare_page(site: &Site, title: &str, content: Markup) -> Markup {
    frame(site, title, html! {}, content)
}

fn frame(site: &Site, title: &str, header: Markup, content: Markup) -> Markup {
    let badge = site.site.badge.as_ref().map(|badge| format!("[{badge}] ")).unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (badge) (title) " – " (site.site.name) " console" }
                link rel="icon" href=(ICON_PATH);
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                a.skip-link href="#main" { "Skip to the content" }
                header {
                    div.header-inner {
                        p.site-name {
                            a href=(ROOT) { (site.site.name) " console" }
                            @if let Some(badge) = &site.site.badge { span.badge { (badge) } }
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
pub(super) fn form_token(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(viewer.form_token); }
}

/// A table. On a narrow screen each row becomes a card, and each cell gets its column's name.
pub(super) fn table(caption: &str, columns: &[&str], rows: &[Vec<Markup>]) -> Markup {
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
pub(super) fn when(at: i64) -> Markup {
    let text = clock::date_and_time(at);
    let (day, hour) = text.split_once(' ').unwrap_or((&text, ""));
    html! { span.whole { (day) } " " span.whole { (hour) } }
}

/// The way to the next page of a list, and back to the first one. `query` is the search, and `next` the last row's id if there is more.
pub(super) fn paging(path: &str, query: &str, is_first: bool, next: Option<&str>) -> Markup {
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
pub(super) fn select(id: &str, label: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
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
pub(super) fn standing(class: &'static str, word: &str) -> Markup {
    html! { span class=(format!("standing {class}")) { (word) } }
}

/// Terms and what they are.
pub(super) fn particulars(rows: &[(&str, Markup)]) -> Markup {
    html! { dl { @for (term, value) in rows { dt { (term) } dd { (value) } } } }
}

/// A text as it is.
pub(super) fn plain(text: impl Render) -> Markup {
    html! { (text) }
}

/// A text that people compare letter by letter.
pub(super) fn code(text: impl Render) -> Markup {
    html! { span.code { (text) } }
}

/// A page that says what is wrong and what to do. It has the navigation for whoever has signed in.
pub(super) fn notice(site: &Site, viewer: Option<&Viewer>, title: &str, text: &str) -> Markup {
    let content = html! {
        div.message.error { p { (text) } }
        p { a href=(ROOT) { "Back to the console" } }
    };
    match viewer {
        Some(viewer) => page(site, viewer, None, title, content),
        None => bare_page(site, title, content),
    }
}
