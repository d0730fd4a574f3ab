//! Signing in.

use maud::{Markup, html};

use super::{Site, bare_page};
use crate::store::officers::Officer;

/// How an officer gets in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// Certificates are seen here.
    Certificate,
    /// Only links work here.
    Link,
    /// The connection is not protected, so that nobody gets in.
    Closed,
}

/// The page for whoever has not signed in. `certificate_url` is the console where certificates are seen, if that is elsewhere.
pub fn invite(site: &Site, entrance: Entrance, certificate_url: Option<&str>) -> Markup {
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
                    p { "The browser shows the certificate that you chose for this address. It must be the one that you were invited with, or the one that renews it." }
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
pub fn confirm(site: &Site, officer: &Officer, path: &str) -> Markup {
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
