//! The authorisations: the list, one of them, and the form for a new one.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::audit_log;
use super::extract::{self, Answer, Console, Failure, Fields, HISTORY, Posted, company, field, optional, query};
use super::layout::{
    PAGE_SIZE, Part, Site, Viewer, code, form_token, page, paging, particulars, plain, select, standing, table,
};
use crate::clock::{self, date_and_time};
use crate::ra::authorisations::{
    self, AuthorisationError, CodeToldBy, Field, LONGEST_DAYS, NewAuthorisation, WithCode,
};
use crate::ra::mixed_scripts;
use crate::store;
use crate::store::audit::Entry;
use crate::store::audit_actions::Actor;
use crate::store::authorisations::{Authorisation, Filter, Standing};
use crate::store::officers::Officer;

/// What was searched for, as it was typed.
#[derive(Clone, Debug, Default)]
struct Search {
    /// The beginning of a Common Name or e-mail address.
    text: String,
    /// The name of a [`Standing`], or nothing.
    standing: String,
    /// A company, or nothing.
    company: String,
    /// The search as a query, without the place in the list.
    query: String,
}

pub(super) async fn list(Shared(console): Shared<Arc<Console>>, viewer: Viewer, fields: Fields) -> Answer {
    let now = clock::now();
    let mut search = Search {
        text: field(&fields, "text"),
        standing: field(&fields, "state"),
        company: field(&fields, "company"),
        query: String::new(),
    };
    search.query = query(&[("text", &search.text), ("state", &search.standing), ("company", &search.company)]);
    let standing = Standing::ALL.into_iter().find(|standing| standing.name() == search.standing);
    let filter = Filter {
        company: company(&viewer, &search.company),
        text: search.text.clone(),
        standing: standing.map(|standing| (standing, now)),
        after: optional(&field(&fields, "after")),
    };
    let mut found = authorisations::search(&console.database, &filter, PAGE_SIZE + 1).await?;
    let has_more = found.len() > PAGE_SIZE;
    found.truncate(PAGE_SIZE);
    Ok(extract::html(page_of_list(&console.site, &viewer, &search, &filter, &found, has_more, now)))
}

pub(super) async fn show(Shared(console): Shared<Arc<Console>>, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let Some(authorisation) = console.authorisation(&viewer, &id).await? else { return Ok(console.not_found(&viewer)) };
    let history = store::audit::about(&console.database, &authorisation.id, HISTORY).await?;
    let officers = store::officers::list(&console.database).await?;
    let link = authorisations::register_link(&console.page_url, &authorisation, None);
    let page = page_of_one(&console.site, &viewer, &authorisation, &link, &history, &officers, clock::now());
    Ok(extract::html(page))
}

pub(super) async fn show_form(Shared(console): Shared<Arc<Console>>, viewer: Viewer) -> Response {
    match viewer.role().may_authorise() {
        true => extract::html(form_page(&console.site, &viewer, &Default::default(), &[])),
        false => console.not_allowed(&viewer),
    }
}

pub(super) async fn authorise(Shared(console): Shared<Arc<Console>>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let (true, Some(company)) = (viewer.role().may_authorise(), viewer.officer.company.clone()) else {
        return Ok(console.not_allowed(viewer));
    };
    let typed = Typed {
        certificate_type: posted.field("certificate_type").into(),
        common_name: posted.field("common_name").into(),
        email_address: posted.field("email_address").into(),
        until: posted.field("until").into(),
        code_told_by: code_told_by(&posted),
    };
    let new = NewAuthorisation {
        certificate_type: typed.certificate_type.clone(),
        common_name: typed.common_name.clone(),
        email_address: typed.email_address.clone(),
        company,
        expires_at: clock::end_of_day(&typed.until),
        code_told_by: typed.code_told_by,
    };
    let actor: Actor = viewer.officer.actor();
    let (types, companies) = (&console.site.site.certificate_types, &console.site.site.companies);
    match authorisations::authorise(&console.database, types, companies, &console.page_url, new, &actor).await {
        Ok(authorised) => Ok(with_code(&console, viewer, &authorised, typed.code_told_by)),
        Err(AuthorisationError::Faults(faults)) => {
            let page = form_page(&console.site, viewer, &typed, &faults);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, extract::html(page)).into_response())
        }
        Err(AuthorisationError::Database(error)) => Err(error.into()),
    }
}

/// The one who is to tell the code, as the form says.
fn code_told_by(posted: &Posted) -> CodeToldBy {
    match posted.field(TOLD_BY_OFFICER) {
        "" => CodeToldBy::Notification,
        _ => CodeToldBy::Officer,
    }
}

/// Back to the authorisation; or its code, which is shown this once, where the officer is to tell it.
fn with_code(console: &Console, viewer: &Viewer, given: &WithCode, told_by: CodeToldBy) -> Response {
    let WithCode { authorisation, code } = given;
    match told_by {
        CodeToldBy::Notification => {
            Redirect::to(&format!("/console/authorisations/{}", authorisation.id)).into_response()
        }
        CodeToldBy::Officer => extract::html(page_with_code(&console.site, viewer, authorisation, code)),
    }
}

pub(super) async fn ask_to_replace_code(
    Shared(console): Shared<Arc<Console>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    Ok(match to_change(&console, &viewer, &id).await? {
        Ok(authorisation) => extract::html(page_to_replace_code(&console.site, &viewer, &authorisation)),
        Err(response) => response,
    })
}

pub(super) async fn replace_code(
    Shared(console): Shared<Arc<Console>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let viewer = &posted.viewer;
    let authorisation = match to_change(&console, viewer, &id).await? {
        Ok(authorisation) => authorisation,
        Err(response) => return Ok(response),
    };
    let (told_by, actor) = (code_told_by(&posted), viewer.officer.actor());
    let replaced =
        authorisations::replace_code(&console.database, &console.page_url, &authorisation.id, told_by, &actor).await?;
    Ok(match replaced {
        Some(given) => with_code(&console, viewer, &given, told_by),
        None => {
            let text = "Nothing was done: the authorisation is not open any more. Authorise the person again.";
            console.notice(Some(viewer), StatusCode::CONFLICT, "No new code", text)
        }
    })
}

/// The authorisation with this id, for an officer who may change it; or what to answer instead.
async fn to_change(console: &Console, viewer: &Viewer, id: &str) -> Result<Result<Authorisation, Response>, Failure> {
    if !viewer.role().may_authorise() {
        return Ok(Err(console.not_allowed(viewer)));
    }
    Ok(console.authorisation(viewer, id).await?.ok_or_else(|| console.not_found(viewer)))
}

pub(super) async fn ask_to_withdraw(
    Shared(console): Shared<Arc<Console>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Answer {
    Ok(match to_change(&console, &viewer, &id).await? {
        Ok(authorisation) => extract::html(page_to_withdraw(&console.site, &viewer, &authorisation)),
        Err(response) => response,
    })
}

pub(super) async fn withdraw(Shared(console): Shared<Arc<Console>>, Path(id): Path<String>, posted: Posted) -> Answer {
    let viewer = &posted.viewer;
    let authorisation = match to_change(&console, viewer, &id).await? {
        Ok(authorisation) => authorisation,
        Err(response) => return Ok(response),
    };
    if !authorisations::withdraw(&console.database, &authorisation.id, &viewer.officer.actor()).await? {
        let text = "Nothing was done: the authorisation was withdrawn before.";
        return Ok(console.notice(Some(viewer), StatusCode::CONFLICT, "Not withdrawn", text));
    }
    Ok(Redirect::to(&format!("/console/authorisations/{}", authorisation.id)).into_response())
}

/// The list. `has_more` tells whether there are further ones behind these.
fn page_of_list(
    site: &Site,
    viewer: &Viewer,
    search: &Search,
    filter: &Filter,
    found: &[Authorisation],
    has_more: bool,
    now: i64,
) -> Markup {
    let rows: Vec<Vec<Markup>> = found.iter().map(|authorisation| row(site, authorisation, now)).collect();
    let next = found.last().filter(|_| has_more).map(|authorisation| authorisation.id.clone());
    let order = if search.text.trim().is_empty() { "the latest first" } else { "in alphabetical order" };
    let content = html! {
        @if viewer.role().may_authorise() {
            p.actions { a.button href="/console/authorisations/new" { "Authorise a person" } }
        }
        (form(viewer, search))
        @if found.is_empty() {
            p.message { "No authorisation is like that." }
        } @else {
            (table(
                &format!("Authorisations, {order}"),
                &["Common Name", "Certificate type", "Company", "Authorised", "Until", "State"],
                &rows,
            ))
        }
        (paging("/console/authorisations", &search.query, filter.after.is_none(), next.as_deref()))
    };
    page(site, viewer, Some(Part::Authorisations), "Authorisations", content)
}

fn form(viewer: &Viewer, search: &Search) -> Markup {
    let states = Standing::ALL.map(|standing| (standing.name(), standing.name()));
    html! {
        form.search method="get" action="/console/authorisations" role="search" {
            div.field.wide {
                label for="text" { "Search" }
                p.hint #text-hint { "How a Common Name or e-mail address begins." }
                input type="search" id="text" name="text" value=(search.text) aria-describedby="text-hint";
            }
            (select("state", "State", &[&[("", "Any")][..], &states].concat(), &search.standing))
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

fn row(site: &Site, authorisation: &Authorisation, now: i64) -> Vec<Markup> {
    vec![
        html! {
            a href=(format!("/console/authorisations/{}", authorisation.id)) { (authorisation.common_name) }
            span.quiet { (authorisation.email_address) }
        },
        plain(site.type_name(&authorisation.certificate_type)),
        plain(&authorisation.company),
        plain(date_and_time(authorisation.authorised_at)),
        plain(date_and_time(authorisation.expires_at)),
        state(authorisation, now),
    ]
}

/// How an authorisation stands.
fn state(authorisation: &Authorisation, now: i64) -> Markup {
    match authorisation.standing(now) {
        Standing::Open => standing("waiting", "Open"),
        Standing::Used => standing("done", "Used"),
        Standing::Expired => standing("over", "Expired"),
        Standing::Withdrawn => standing("failed", "Withdrawn"),
    }
}

/// One authorisation.
fn page_of_one(
    site: &Site,
    viewer: &Viewer,
    authorisation: &Authorisation,
    register_link: &str,
    history: &[Entry],
    officers: &[Officer],
    now: i64,
) -> Markup {
    let mut rows = vec![
        ("Common Name", plain(&authorisation.common_name)),
        ("Email Address", plain(&authorisation.email_address)),
        ("Certificate type", plain(site.type_name(&authorisation.certificate_type))),
        ("Company", plain(&authorisation.company)),
        ("Until", plain(date_and_time(authorisation.expires_at))),
    ];
    if let Some(id) = &authorisation.used_by {
        rows.push(("Used by", html! { "the request " a href=(format!("/console/requests/{id}")) { (code(id)) } }));
    }
    let is_open = authorisation.standing(now) == Standing::Open;
    let content = html! {
        p.lead { (state(authorisation, now)) }
        @if let Some(warning) = mixed_scripts::warning(&authorisation.common_name) { p.message.wait { (warning) } }
        div.card { (particulars(&rows)) }
        @if is_open {
            section aria-labelledby="link" {
                h2 #link { "The link to Register" }
                p { "It opens Register with certificate type, Common Name and e-mail address filled in, and asks for the one-time code, which the person was told." }
                p.card { a href=(register_link) { (register_link) } }
                @if authorisation.code_sha256.is_none() {
                    p.message.error { "This authorisation is of a version that had no codes. Make a new code, or a request for it is not authorised." }
                }
            }
        }
        @if viewer.role().may_authorise() && authorisation.withdrawn_at.is_none() {
            p.actions {
                @if is_open {
                    a.button.secondary href=(format!("/console/authorisations/{}/code", authorisation.id)) { "New code…" }
                }
                a.button.secondary href=(format!("/console/authorisations/{}/withdraw", authorisation.id)) { "Withdraw…" }
            }
        }
        section aria-labelledby="history" {
            h2 #history { "History" }
            ol.history {
                @for entry in history {
                    li { (date_and_time(entry.at)) ": " (entry.action) " by " (audit_log::who(&entry.actor, officers)) }
                }
            }
        }
    };
    page(site, viewer, Some(Part::Authorisations), &authorisation.common_name, content)
}

/// The name of the box that the officer ticks to tell the code.
const TOLD_BY_OFFICER: &str = "told_by_officer";

/// The choice of who tells the code.
fn code_choice(told_by: CodeToldBy) -> Markup {
    html! {
        div.field {
            div.choice {
                input type="checkbox" id=(TOLD_BY_OFFICER) name=(TOLD_BY_OFFICER) value="yes" checked[told_by == CodeToldBy::Officer]
                    aria-describedby="told-hint";
                label for=(TOLD_BY_OFFICER) { "I tell the code myself" }
            }
            p.hint #told-hint {
                "The person needs a one-time code to register. It is in the mail, unless you tell it by another way, such as by phone: then a reader of the person's mail cannot use it."
            }
        }
    }
}

/// The code of an authorisation, once.
fn page_with_code(site: &Site, viewer: &Viewer, authorisation: &Authorisation, shown: &str) -> Markup {
    let content = html! {
        p.lead { "Tell it to the person now: it is shown this once, and kept nowhere." }
        div.card {
            (particulars(&[
                ("Authorization Code", code(shown)),
                ("For", plain(&authorisation.common_name)),
                ("Email Address", plain(&authorisation.email_address)),
            ]))
        }
        p { "Do not tell it by e-mail. Register asks for it. If it is lost, make a new one." }
        p.actions { a.button href=(format!("/console/authorisations/{}", authorisation.id)) { "To the authorisation" } }
    };
    page(site, viewer, Some(Part::Authorisations), "The one-time code", content)
}

/// Asks before a new code takes the place of the one before.
fn page_to_replace_code(site: &Site, viewer: &Viewer, authorisation: &Authorisation) -> Markup {
    let path = format!("/console/authorisations/{}", authorisation.id);
    let content = html! {
        p.lead { "For a mail or a code that is lost: the person gets the New User Notification again, with a new code. The code before no longer works." }
        div.card {
            (particulars(&[
                ("Common Name", plain(&authorisation.common_name)),
                ("Email Address", plain(&authorisation.email_address)),
                ("Certificate type", plain(site.type_name(&authorisation.certificate_type))),
            ]))
        }
        form method="post" action=(format!("{path}/code")) {
            (form_token(viewer))
            (code_choice(CodeToldBy::Notification))
            p.actions { button type="submit" { "Make a new code" } a href=(path) { "Back, without a new code" } }
        }
    };
    page(site, viewer, Some(Part::Authorisations), "Make a new code", content)
}

/// What was typed into the form.
#[derive(Clone, Debug, Default)]
struct Typed {
    /// The id of a certificate type.
    certificate_type: String,
    /// The Common Name.
    common_name: String,
    /// The e-mail address.
    email_address: String,
    /// The day, as in 2030-12-31.
    until: String,
    /// The one who tells the code.
    code_told_by: CodeToldBy,
}

/// The form for a new authorisation, with what was typed and what is wrong with it.
fn form_page(site: &Site, viewer: &Viewer, typed: &Typed, faults: &[(Field, String)]) -> Markup {
    let types: Vec<(&str, &str)> =
        site.site.certificate_types.iter().map(|kind| (kind.id.as_str(), kind.name.as_str())).collect();
    let company = viewer.officer.company.as_deref().unwrap_or_default();
    let fault = |field| faults.iter().find(|(of, _)| *of == field).map(|(_, text)| text.as_str());
    let content = html! {
        p.lead {
            "The person gets a New User Notification by e-mail, with the Common Name and a link to Register. A request that shows the code is marked so for the approver."
        }
        @if !faults.is_empty() {
            div.message.error role="alert" {
                h2 { "Something is missing or wrong" }
                ul { @for (field, text) in faults { li { a href=(format!("#{}", id(*field))) { (text) } } } }
            }
        }
        form.card method="post" action="/console/authorisations" {
            (form_token(viewer))
            (select(id(Field::CertificateType), "Certificate type", &types, &typed.certificate_type))
            (input(Field::CommonName, "Common Name", "The name that the certificate will have, to the letter. At most 64 characters.", "text", &typed.common_name, fault(Field::CommonName)))
            (input(Field::EmailAddress, "Email Address", "Where the notification goes. It becomes part of the certificate.", "email", &typed.email_address, fault(Field::EmailAddress)))
            (input(Field::Until, "Until", &format!("The last day, in UTC, on which the request may come: at most {LONGEST_DAYS} days ahead."), "date", &typed.until, fault(Field::Until)))
            (code_choice(typed.code_told_by))
            p { "Company: " strong { (company) } }
            p.actions { button type="submit" { "Authorise" } a href="/console/authorisations" { "Back, without authorising" } }
        }
    };
    page(site, viewer, Some(Part::Authorisations), "Authorise a person", content)
}

/// The name of a field in the form.
fn id(field: Field) -> &'static str {
    match field {
        Field::CertificateType => "certificate_type",
        Field::CommonName => "common_name",
        Field::EmailAddress => "email_address",
        Field::Until => "until",
    }
}

fn input(field: Field, label: &str, hint: &str, kind: &str, value: &str, fault: Option<&str>) -> Markup {
    let id = id(field);
    let (hint_id, fault_id) = (format!("{id}-hint"), format!("{id}-fault"));
    let described_by = if fault.is_some() { format!("{hint_id} {fault_id}") } else { hint_id.clone() };
    html! {
        div.field.invalid[fault.is_some()] {
            label for=(id) { (label) }
            p.hint id=(hint_id) { (hint) }
            @if let Some(fault) = fault { p.field-error id=(fault_id) { (fault) } }
            input type=(kind) id=(id) name=(id) value=(value) required autocomplete="off" aria-invalid=[fault.map(|_| "true")]
                aria-describedby=(described_by);
        }
    }
}

/// Asks before an authorisation is withdrawn.
fn page_to_withdraw(site: &Site, viewer: &Viewer, authorisation: &Authorisation) -> Markup {
    let path = format!("/console/authorisations/{}", authorisation.id);
    let content = html! {
        p.lead {
            @if authorisation.used_by.is_some() {
                "A request has come already. While it waits, the approver sees that the authorisation was withdrawn; a certificate that was issued stays as it is."
            } @else {
                "The person can no longer get a certificate by this authorisation. To undo it, authorise the person anew."
            }
        }
        div.card {
            (particulars(&[
                ("Common Name", plain(&authorisation.common_name)),
                ("Email Address", plain(&authorisation.email_address)),
                ("Certificate type", plain(site.type_name(&authorisation.certificate_type))),
                ("Company", plain(&authorisation.company)),
            ]))
        }
        form method="post" action=(format!("{path}/withdraw")) {
            (form_token(viewer))
            p.actions { button type="submit" { "Withdraw the authorisation" } a href=(path) { "Back, without withdrawing it" } }
        }
    };
    page(site, viewer, Some(Part::Authorisations), "Withdraw the authorisation", content)
}
