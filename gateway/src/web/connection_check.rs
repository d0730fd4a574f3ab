//! The connection check: `GET /` over TLS says what is seen of the client's certificate, as a page or as JSON.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use keyside_core::api::{ConnectionCheck, ConnectionVerdict, ProblemKind, ShownCertificate};
use keyside_core::domain::hexadecimal::pairs;
use maud::{DOCTYPE, Markup, html};

use super::app::{App, NO_STORE};
use super::{accept, settings};
use crate::clock::{date_and_time, from_unsigned};
use crate::ra::connection_check::Client;
use crate::ra::refusal::Refusal;

/// Where the page's style sheet is.
pub(super) const STYLE_PATH: &str = "/connection-check.css";
/// The page's style sheet.
const STYLE: &str = concat!(include_str!("../../../style/tokens.css"), include_str!("connection_check.css"));
/// Where the page's icon is.
pub(super) const ICON_PATH: &str = "/icon.svg";

/// The media types on offer, the favourite first: programs that say nothing get JSON, browsers ask for a page.
const OFFERS: [&str; 2] = ["application/json", "text/html"];

/// The site that the check belongs to.
#[derive(Clone)]
pub(super) struct Site {
    name: String,
    badge: Option<String>,
    contact: String,
    /// Where the page says how to install a certificate.
    install_url: Option<String>,
}

impl Site {
    pub(super) fn new(site: &settings::Site, page_url: Option<&str>) -> Self {
        Self {
            name: site.name.clone(),
            badge: site.badge.clone(),
            contact: site.contact.clone(),
            install_url: page_url.map(|url| format!("{url}/install")),
        }
    }
}

/// What is seen of the client.
pub(super) async fn read(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Extension(site): Extension<Site>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let check = app.ra.check_connection(client).await?;
    let works = check.verdict == ConnectionVerdict::Works;
    let mut response = match accept::choose(&accept::accepted(&headers), &OFFERS) {
        Some("text/html") => {
            let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            ([media_type], page(&site, &check).into_string()).into_response()
        }
        Some(_) => Json(check).into_response(),
        None => {
            let detail = format!("The answer can be had as {}.", OFFERS.join(", "));
            return Err(Refusal::new(ProblemKind::NotAcceptable, detail));
        }
    };
    let headers = response.headers_mut();
    headers.extend([NO_STORE, (header::VARY, HeaderValue::from_static("accept"))]);
    if !works {
        // Whoever tries again shall be asked for a certificate again, which happens once a connection.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The page's style sheet.
pub(super) async fn style() -> impl IntoResponse {
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    ([media_type, NO_STORE], STYLE)
}

/// The page's icon.
pub(super) async fn icon() -> impl IntoResponse {
    let media_type = (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml"));
    ([media_type, NO_STORE], include_str!("../../../public/icon.svg"))
}

/// The answer for people.
fn page(site: &Site, check: &ConnectionCheck) -> Markup {
    let class = match check.verdict {
        ConnectionVerdict::Works => "message done",
        ConnectionVerdict::NoCertificate => "message",
        _ => "message error",
    };
    let title = match &site.badge {
        Some(badge) => format!("[{badge}] {} – {}", check.title, site.name),
        None => format!("{} – {}", check.title, site.name),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON_PATH);
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                header {
                    p { (site.name) @if let Some(badge) = &site.badge { " " span.badge { (badge) } } }
                }
                main {
                    h1 { "Connection check" }
                    section class=(class) aria-labelledby="verdict" {
                        h2 #verdict { (check.title) }
                        p { (check.detail) }
                    }
                    @if check.verdict != ConnectionVerdict::Works { (way_out(site, check.certificate_shown)) }
                    @if let Some(certificate) = &check.certificate { (particulars(certificate)) }
                    p.quiet { "This connection uses " (check.tls_version) "." }
                }
                footer { p { (site.contact) } }
            }
        }
    }
}

/// How to get the browser to show a certificate, or another one.
fn way_out(site: &Site, certificate_shown: bool) -> Markup {
    html! {
        section aria-labelledby="way-out" {
            h2 #way-out {
                @if certificate_shown { "How to show another certificate" } @else { "How to get the browser to show one" }
            }
            ol {
                @if !certificate_shown {
                    li {
                        "Install your certificate with its private key where this browser looks for it: the .p12 file that you downloaded. "
                        @if let Some(url) = &site.install_url {
                            a href=(url) { "Install and connect" } " has the steps for each system."
                        } @else {
                            "The page that you downloaded it from has the steps for each system."
                        }
                    }
                }
                li { "Close all windows of the browser, since it remembers what you chose, or that you cancelled. On a Mac, quit it." }
                li { "Open this address again. When the browser asks for a certificate, choose the one with your name, this site's issuer and the newest date." }
            }
        }
    }
}

/// What tells the certificate from all others.
fn particulars(certificate: &ShownCertificate) -> Markup {
    html! {
        section aria-labelledby="certificate" {
            h2 #certificate { "The certificate that was shown" }
            dl {
                dt { "Subject" } dd { (certificate.subject) }
                dt { "Issuer" } dd { (certificate.issuer) }
                dt { "Serial number" } dd.code { (pairs(&certificate.serial_number)) }
                dt { "Valid from" } dd { (date_and_time(certificate.not_before)) }
                dt { "Valid until" } dd { (date_and_time(from_unsigned(certificate.not_after))) }
                @if !certificate.email_addresses.is_empty() {
                    dt { "Email Address" } dd { (certificate.email_addresses.join(", ")) }
                }
                dt { "SHA-256 fingerprint" } dd.code { (pairs(&certificate.sha256_fingerprint)) }
                dt { "SHA-1 fingerprint" } dd.code { (pairs(&certificate.sha1_fingerprint)) }
            }
        }
    }
}
