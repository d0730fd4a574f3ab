//! One request: what was asked for, beside what was authorised.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use keyside_core::domain::revocation::RevocationState;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::general_name::GeneralName;
use maud::{Markup, html};

use super::audit_log;
use super::extract::{self, Answer, Console, Failure, HISTORY};
use super::layout::{Part, Site, Viewer, code, page, particulars, plain, standing, table, when};
use super::requests::{authorised, state};
use crate::clock::{self, date_and_time};
use crate::hexadecimal::hexadecimal;
use crate::ra::authorisations::{self, Comparison};
use crate::ra::refusal::Refusal;
use crate::ra::{mixed_scripts, namesakes};
use crate::store;
use crate::store::audit::Entry;
use crate::store::authorisations::{Applicant, Standing};
use crate::store::officers::Officer;
use crate::store::requests::{CodeShown, Request, State};

/// One request.
pub(super) async fn show(Shared(console): Shared<Arc<Console>>, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let Some(request) = console.request(&viewer, &id).await? else { return Ok(console.not_found(&viewer)) };
    let database = &console.database;
    let der = store::requests::certification_request(database.reader(), request.transaction_id).await?;
    let decoded = tokio::task::spawn_blocking(move || Decoded::from_der(&der.unwrap_or_default()));
    let applicant = Applicant {
        certificate_type: &request.certificate_type,
        common_name: &request.common_name,
        email_address: &request.email_address,
        company: request.subject_company.as_deref(),
    };
    let mut comparisons =
        authorisations::compare(database, request.authorisation_id.as_deref(), applicant, clock::now()).await?;
    comparisons.retain(|comparison| viewer.officer.sees(Some(&comparison.authorisation.company)));
    let chain = chain_of(&console, &viewer, &request).await?;
    let mut connection = database.reader().acquire().await?;
    let holder = namesakes::holder_of_subject(&mut connection, &request, clock::now()).await?;
    drop(connection);
    // Those of other companies are none of an administrator's affair.
    let holder = holder.filter(|holder| viewer.officer.sees(holder.company.as_deref()));
    let history = store::audit::about(database, &request.transaction_id.to_string(), HISTORY).await?;
    let shown = Shown {
        request: &request,
        decoded: &decoded.await.map_err(|error| Failure::from(Refusal::internal(&error)))?,
        comparisons: &comparisons,
        chain: &chain,
        holder: holder.as_ref(),
        history: &history,
        officers: &store::officers::list(database).await?,
    };
    Ok(extract::html(read(&console.site, &viewer, &shown)))
}

/// The requests in the chain of renewals that a request is in, itself included, as far as the viewer may see them.
pub(super) async fn chain_of(console: &Console, viewer: &Viewer, request: &Request) -> Result<Vec<Request>, Failure> {
    let mut chain = store::renewals::chain(console.database.reader(), request.transaction_id).await?;
    chain.retain(|other| viewer.officer.sees(other.company.as_deref()));
    Ok(chain)
}

/// What a certification request says.
#[derive(Clone, Debug)]
struct Decoded {
    /// The subject (RFC 4514).
    subject: String,
    /// The names in the subjectAltName, each with its kind.
    alt_names: Vec<String>,
    /// The key.
    key: String,
    /// The signature algorithm, and whether the signature is good.
    signature: String,
}

impl Decoded {
    /// Decodes a PKCS#10 CertificationRequest, DER. What cannot be read is said so: it was checked when it came.
    fn from_der(der: &[u8]) -> Self {
        let unreadable = || "cannot be read".to_owned();
        let Ok(request) = CertificationRequest::from_der(der) else {
            return Self { subject: unreadable(), alt_names: Vec::new(), key: unreadable(), signature: unreadable() };
        };
        let key = request.rsa_parameters().map_or_else(
            |_| unreadable(),
            |rsa| {
                let exponent = if rsa.has_usual_exponent { "" } else { ", with an unusual public exponent" };
                format!("RSA, {} bits{exponent}", rsa.bits)
            },
        );
        let verdict = if request.verify().is_ok() { "made with the key above" } else { "does not fit the key above" };
        Self {
            subject: request.subject().to_string(),
            alt_names: request.subject_alt_names().map_or_else(
                |_| vec![unreadable()],
                |names| names.iter().map(|name| name.as_ref().map_or_else(unreadable, alt_name)).collect(),
            ),
            key,
            signature: format!("{}, {verdict}", algorithm(&request.signature_algorithm().to_string())),
        }
    }
}

/// A name in the subjectAltName, with its kind (RFC 5280, section 4.2.1.6).
fn alt_name(name: &GeneralName) -> String {
    match name {
        GeneralName::Rfc822(_) => format!("{} (e-mail address)", name.to_text()),
        GeneralName::Dns(_) => format!("{} (host name)", name.to_text()),
        GeneralName::Ip(_) => format!("{} (IP address)", name.to_text()),
        GeneralName::Uri(_) => format!("{} (URI)", name.to_text()),
        GeneralName::Directory(_) => format!("{} (distinguished name)", name.to_text()),
        _ => name.to_text(),
    }
}

/// The name of a signature algorithm (RFC 8017, appendix C); its identifier if it is another one.
fn algorithm(identifier: &str) -> String {
    match identifier {
        "1.2.840.113549.1.1.11" => "RSA with SHA-256".into(),
        "1.2.840.113549.1.1.12" => "RSA with SHA-384".into(),
        "1.2.840.113549.1.1.13" => "RSA with SHA-512".into(),
        other => other.into(),
    }
}

/// All that the page shows.
struct Shown<'a> {
    /// The request.
    request: &'a Request,
    /// Its certification request.
    decoded: &'a Decoded,
    /// Its authorisation, or those that may have been meant.
    comparisons: &'a [Comparison],
    /// The chain of renewals that it is in, itself included; oldest first.
    chain: &'a [Request],
    /// The request of another person who has the subject that is asked for, if there is one.
    holder: Option<&'a Request>,
    /// What was done to it.
    history: &'a [Entry],
    /// The officers that are named in the history.
    officers: &'a [Officer],
}

/// The page.
fn read(site: &Site, viewer: &Viewer, shown: &Shown<'_>) -> Markup {
    let request = shown.request;
    let content = html! {
        p.lead { (state(request)) " · " (authorised(request)) }
        @if let Some(reason) = &request.rejection_reason { p { "Rejected because: " (reason) } }
        @if let Some(fault) = &request.issue_fault { (issue_fault(viewer, fault)) }
        @if let (Some(holder), State::Pending) = (shown.holder, request.state) { (namesake(holder)) }
        @if let Some(warning) = mixed_scripts::warning(&request.common_name) { p.message.wait { (warning) } }
        (actions(viewer, request))
        section aria-labelledby="asked-for" {
            h2 #asked-for { "What was asked for" }
            (asked_for(site, shown))
        }
        section aria-labelledby="authorisation" {
            h2 #authorisation { "Authorisation" }
            (authorisation(site, shown))
        }
        @if shown.chain.len() > 1 {
            section aria-labelledby="renewals" {
                h2 #renewals { "Renewals" }
                p { "A person with the key of one of these certificates can have asked for those that renew it." }
                (chain(shown.chain, Some(request)))
            }
        }
        section aria-labelledby="history" {
            h2 #history { "History" }
            (history(shown))
        }
    };
    page(site, viewer, Some(Part::Requests), &request.common_name, content)
}

/// Why it has no certificate though it is approved. What the engine says may tell how the site is built: it is for those who oversee it.
fn issue_fault(viewer: &Viewer, fault: &str) -> Markup {
    html! {
        div.message.error {
            p {
                "The certification authority (CA) was asked for the certificate, and gave none. The request stays approved, "
                "and the gateway asks again by itself."
            }
            @if viewer.role().may_oversee() { p { "What was wrong the last time: " (fault) } }
        }
    }
}

/// That another person has the subject.
fn namesake(holder: &Request) -> Markup {
    html! {
        div.message.error {
            p {
                "Another person has a certificate with this subject: "
                a href=(format!("/console/requests/{}", holder.transaction_id)) { (holder.common_name) ", " (holder.email_address) }
                ". Those who trust the CA cannot tell the two apart. Approve it only if both are one person; "
                "otherwise reject it, and have the person authorised under a name that tells them apart."
            }
        }
    }
}

/// What the viewer may do with it.
fn actions(viewer: &Viewer, request: &Request) -> Markup {
    let path = format!("/console/requests/{}", request.transaction_id);
    let is_revoked = request.revocation().is_some_and(|revocation| revocation.state == RevocationState::Revoked);
    html! {
        @if viewer.role().may_decide() {
            @match request.state {
                State::Pending => p.actions {
                    a.button href=(format!("{path}/approve")) { "Approve…" }
                    a.button.secondary href=(format!("{path}/reject")) { "Reject…" }
                },
                State::Issued if !is_revoked => p.actions {
                    a.button.secondary href=(format!("{path}/revoke")) { "Revoke…" }
                },
                _ => {}
            }
        }
    }
}

fn asked_for(site: &Site, shown: &Shown<'_>) -> Markup {
    let (request, decoded) = (shown.request, shown.decoded);
    let lines = |lines: &[String]| html! { @for line in lines { div { (line) } } @if lines.is_empty() { "none" } };
    let mut rows = vec![
        ("Transaction ID", code(request.transaction_id.to_string())),
        ("Submitted", plain(date_and_time(request.submitted_at))),
        ("Certificate type", plain(site.type_name(&request.certificate_type))),
        ("Subject", plain(&decoded.subject)),
        ("subjectAltName", lines(&decoded.alt_names)),
        ("Email Address", plain(&request.email_address)),
        ("Public key", plain(&decoded.key)),
        ("Signature", plain(&decoded.signature)),
        ("Valid for", plain(format!("{} days", request.validity_days))),
    ];
    if let Some(device) = request.device() {
        rows.push((
            "Device",
            plain(format!("{}, takes its certificate as {}", device.kind.abbreviation(), device.file_format)),
        ));
    }
    if let Some(shown) = request.code_shown() {
        rows.push(("Authorization Code", code_shown(shown)));
    }
    if let Some(serial_number) = &request.renews {
        let certificate = code(hexadecimal(serial_number));
        rows.push((
            "Renews",
            match shown.chain.iter().find(|other| other.serial_number.as_ref() == Some(serial_number)) {
                Some(renewed) => html! {
                    a href=(format!("/console/requests/{}", renewed.transaction_id)) { "the certificate " (certificate) } ", " (state(renewed))
                },
                None => html! { "the certificate " (certificate) },
            },
        ));
    }
    if let Some(id) = &request.replaces {
        rows.push(("Replaces", html! { "the request " a href=(format!("/console/requests/{id}")) { (code(id)) } ", as the applicant says" }));
    }
    if let Some(serial_number) = &request.serial_number {
        rows.push(("Serial number", code(hexadecimal(serial_number))));
    }
    html! { div.card { (particulars(&rows)) } }
}

/// The requests of a chain of renewals, as a table; that of this page is marked.
pub(super) fn chain(chain: &[Request], here: Option<&Request>) -> Markup {
    let rows: Vec<Vec<Markup>> = chain
        .iter()
        .map(|request| {
            let id = request.transaction_id;
            let name = match here.is_some_and(|here| here.transaction_id == id) {
                true => html! { "This request" span.quiet { (code(id.to_string())) } },
                false => html! {
                    a href=(format!("/console/requests/{id}")) { (request.common_name) }
                    span.quiet { (code(id.to_string())) }
                },
            };
            vec![
                name,
                when(request.submitted_at),
                html! {
                    @if let Some(serial_number) = &request.serial_number { (code(hexadecimal(serial_number))) } @else { "–" }
                    @if let Some(renews) = &request.renews { span.quiet { "renews " (code(hexadecimal(renews))) } }
                },
                state(request),
            ]
        })
        .collect();
    table("Renewals, the oldest first", &["Request", "Submitted", "Serial number", "State"], &rows)
}

/// Which code it came with.
fn code_shown(shown: CodeShown) -> Markup {
    match shown {
        CodeShown::Right => standing("done", "Came with the code of its authorisation"),
        CodeShown::None => standing("over", "Came without a code"),
        CodeShown::Wrong => standing("failed", "Came with a code that is not this person's, or not any more"),
    }
}

fn authorisation(site: &Site, shown: &Shown<'_>) -> Markup {
    let request = shown.request;
    let is_named = shown.comparisons.iter().any(|found| found.same == [true; 4] && found.obstacle.is_none());
    html! {
        @if request.authorisation_id.is_none() {
            @if request.renews.is_some() {
                p { "A renewal needs none: the holder of the current certificate has signed it." }
            } @else if shown.comparisons.is_empty() {
                p.message.error { "Nobody has authorised this person: no authorisation has this Common Name or this e-mail address." }
            } @else if is_named {
                p.message.error {
                    "This person is authorised, but the request did not show the code. Type, name and address may be known to others: "
                    "ask the person whether the request is theirs, by a way that you know, or reject it and have them register again by the link in their mail."
                }
            } @else {
                p.message.error { "No authorisation matches. These have the same Common Name or the same e-mail address:" }
            }
        }
        @if request.authorisation_id.is_some() || request.renews.is_none() {
            @for comparison in shown.comparisons { (beside(site, request, comparison)) }
        }
    }
}

/// The request beside an authorisation: each difference is marked with a word.
fn beside(site: &Site, request: &Request, comparison: &Comparison) -> Markup {
    let authorisation = &comparison.authorisation;
    let mark = |same: bool| if same { standing("done", "the same") } else { standing("failed", "differs") };
    let pairs = [
        (
            "Certificate type",
            site.type_name(&request.certificate_type),
            site.type_name(&authorisation.certificate_type),
        ),
        ("Common Name", request.common_name.as_str(), authorisation.common_name.as_str()),
        ("Email Address", request.email_address.as_str(), authorisation.email_address.as_str()),
        ("Company", request.subject_company.as_deref().unwrap_or_default(), authorisation.company.as_str()),
    ];
    let rows: Vec<Vec<Markup>> = pairs
        .into_iter()
        .zip(comparison.same)
        .filter(|((name, ..), _)| *name != "Company" || request.subject_company.is_some())
        .map(|((name, asked, authorised), same)| vec![plain(name), plain(asked), plain(authorised), mark(same)])
        .collect();
    html! {
        div.card {
            p {
                "Authorised for " strong { (authorisation.company) } " on " (date_and_time(authorisation.authorised_at))
                ", until " (date_and_time(authorisation.expires_at)) ": "
                a href=(format!("/console/authorisations/{}", authorisation.id)) { "the authorisation" } "."
            }
            @if let Some(obstacle) = comparison.obstacle {
                p {
                    (standing("failed", match obstacle {
                        Standing::Withdrawn => "It was withdrawn",
                        Standing::Expired => "It has ended",
                        Standing::Used => "It was used by another request",
                        Standing::Open => "It is open",
                    }))
                    @if let (Standing::Used, Some(id)) = (obstacle, &authorisation.used_by) {
                        ": " a href=(format!("/console/requests/{id}")) { (code(id)) }
                    }
                }
            }
            (table("Request and authorisation", &["Field", "Asked for", "Authorised", "Comparison"], &rows))
        }
    }
}

fn history(shown: &Shown<'_>) -> Markup {
    html! {
        ol.history {
            li { (date_and_time(shown.request.submitted_at)) ": submitted by the applicant" }
            @for entry in shown.history {
                li {
                    (date_and_time(entry.at)) ": " (entry.action) " by " (audit_log::who(&entry.actor, shown.officers))
                    @if !entry.detail.is_empty() { " – " (entry.detail) }
                }
            }
        }
    }
}
