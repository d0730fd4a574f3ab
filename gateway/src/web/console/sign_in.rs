//! Signing in.

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use keyside_core::api::ConnectionVerdict;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::extract::{Answer, App, Console, Entrance, Posted, html as page_of, to_sign_in};
use super::layout::{Site, bare_page};
use crate::hexadecimal::serial_number;
use crate::officers::failed_sign_ins::Way;
use crate::officers::sign_in::{self, CertificateSignIn};
use crate::officers::token::Token;
use crate::ra::connection_check::Client;
use crate::store;
use crate::store::officers::Officer;
use crate::web::rate_limit::ClientAddress;

pub(super) async fn show(State(console): App, request: Request) -> Answer {
    let signed_in = console.viewer(request.headers(), request.extensions()).await?;
    if signed_in.is_some() {
        return Ok(Redirect::to("/console/requests").into_response());
    }
    Ok(page_of(invite(&console.site, console.entrance, console.certificate_url.as_deref())))
}

/// The address that a call is from.
type From = Option<Extension<ClientAddress>>;

/// Has the audit log tell of a failed attempt.
fn failed(console: &Console, way: Way, from: From) {
    console.ra.failed_sign_ins.gather(way, from.map(|Extension(ClientAddress(address))| address));
}

/// Whom the link signs in, if it works here.
pub(super) async fn show_link(State(console): App, Path(token): Path<String>) -> Answer {
    let officer = match console.entrance {
        Entrance::Closed => None,
        _ => sign_in::of_link(&console.database, &Token::shown(&token)).await?,
    };
    let path = format!("/console/sign-in/{}", utf8_percent_encode(&token, NON_ALPHANUMERIC));
    Ok(officer.map_or_else(|| no_link(&console), |officer| page_of(confirm(&console.site, &officer, &path))))
}

fn no_link(console: &Console) -> Response {
    let text = "It has been used, or its time is over. Whoever runs this gateway can make another one for you.";
    console.notice(None, StatusCode::NOT_FOUND, "This link does not work", text)
}

pub(super) async fn use_link(State(console): App, Path(token): Path<String>, from: From, headers: HeaderMap) -> Answer {
    if !console.is_from_here(&headers) {
        return Ok(console.not_from_here(None));
    }
    let session = match console.entrance {
        Entrance::Closed => None,
        _ => sign_in::sign_in_by_link(&console.database, &Token::shown(&token)).await?,
    };
    match session {
        Some(session) => enter(&console, &headers, &session).await,
        None => {
            failed(&console, Way::Link, from);
            Ok(no_link(&console))
        }
    }
}

/// Hands out the new session in place of the one that the browser has.
async fn enter(console: &Console, headers: &HeaderMap, session: &Token) -> Answer {
    if let Some(old) = console.token(headers) {
        sign_in::sign_out(&console.database, &old).await?;
    }
    Ok(([console.set_cookie(Some(session))?], Redirect::to("/console/requests")).into_response())
}

pub(super) async fn use_certificate(
    State(console): App,
    client: Option<Extension<Client>>,
    from: From,
    headers: HeaderMap,
) -> Answer {
    if !console.is_from_here(&headers) {
        return Ok(console.not_from_here(None));
    }
    let refuse = |text: &str| console.notice(None, StatusCode::FORBIDDEN, "Not signed in", text);
    let Some(Extension(client)) = client else {
        return Ok(refuse("No certificate is seen here: use the address of the connection check."));
    };
    let der = client.certificate.clone().unwrap_or_default();
    let check = console.ra.check_connection(client).await?;
    let (ConnectionVerdict::Works, Some(certificate)) = (check.verdict, check.certificate) else {
        failed(&console, Way::Certificate, from);
        return Ok(console.notice(None, StatusCode::FORBIDDEN, &check.title, &check.detail));
    };
    let serial_number = serial_number(&certificate.serial_number).unwrap_or_default();
    let outcome = match store::issued_certificates::find(console.database.reader(), &serial_number).await? {
        Some(issued) if issued.certificate == der => {
            sign_in::sign_in_by_certificate(&console.database, &serial_number, &der).await?
        }
        _ => CertificateSignIn::Stranger,
    };
    if !matches!(outcome, CertificateSignIn::Begun(_)) {
        failed(&console, Way::Certificate, from);
    }
    match outcome {
        CertificateSignIn::Begun(session) => enter(&console, &headers, &session).await,
        CertificateSignIn::Unconfirmed => Ok(refuse(
            "The certificate renews an officer's, and is not confirmed yet: ask the operator of this gateway to confirm it, and say its serial number.",
        )),
        CertificateSignIn::Stranger => {
            Ok(refuse("The certificate is good, but it is no officer's: ask the operator of this gateway."))
        }
    }
}

pub(super) async fn sign_out(State(console): App, posted: Posted) -> Answer {
    sign_in::sign_out(&console.database, &posted.token).await?;
    Ok(([console.set_cookie(None)?], to_sign_in()).into_response())
}

pub(super) async fn sign_out_everywhere(State(console): App, posted: Posted) -> Answer {
    sign_in::sign_out_everywhere(&console.database, &posted.viewer.officer.id).await?;
    Ok(([console.set_cookie(None)?], to_sign_in()).into_response())
}

/// The page for whoever has not signed in. `certificate_url` is the console where certificates are seen, if that is elsewhere.
fn invite(site: &Site, entrance: Entrance, certificate_url: Option<&str>) -> Markup {
    let content = html! {
        @if entrance == Entrance::Closed {
            div.message.error {
                p {
                    "The console needs https, and this address has none: nobody can sign in here. Set public_url in the gateway's \
                     configuration to the https address that a proxy in front of it answers to."
                }
            }
        } @else {
            p.lead { "The console is for officers: User Access Administrators, approvers and auditors." }
            @if entrance == Entrance::Certificate {
                section.card aria-labelledby="certificate" {
                    h2 #certificate { "With your certificate" }
                    p { "The browser shows the certificate that you chose for this address. It must be the one that you were invited with, or a later one that the operator of this gateway has confirmed." }
                    form method="post" action="/console/sign-in-with-certificate" {
                        button type="submit" { "Sign in with the certificate" }
                    }
                }
            } @else if let Some(url) = certificate_url {
                section.card aria-labelledby="certificate" {
                    h2 #certificate { "With your certificate" }
                    p { a href=(url) { "Go to where the browser shows your certificate" } "." }
                }
            }
            section.card aria-labelledby="link" {
                h2 #link { "With a one-time link" }
                p { "Open the link that you were given. It works once. Whoever runs this gateway can make another one for you." }
            }
            p.quiet { "A session ends after 30 minutes without use, and after ten hours in any case." }
        }
    };
    bare_page(site, "Sign in", content)
}

/// The page of a one-time link: it is used up by the button alone, since programs that look through mail open every link.
fn confirm(site: &Site, officer: &Officer, path: &str) -> Markup {
    let content = html! {
        p.lead {
            "You are " strong { (officer.name) } ", " (officer.role.title())
            @if let Some(company) = &officer.company { " of " (company) } "."
        }
        p { "The link works once. It signs this browser in; do it where you work." }
        form.actions method="post" action=(path) { button type="submit" { "Sign in" } }
    };
    bare_page(site, "Sign in", content)
}
