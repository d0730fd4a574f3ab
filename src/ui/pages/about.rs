//! About: what Keyside is, and what it does with secrets.

use leptos::prelude::*;

use crate::ui::components::PageHeading;

/// About this page.
#[component]
pub fn About() -> impl IntoView {
    view! {
        <PageHeading text="About"/>
        <p class="lead">
            "Keyside is a registration page for client certificates that works in every current browser, on every operating system."
        </p>
        <section aria-labelledby="secrets">
            <h2 id="secrets">"What happens to your secrets"</h2>
            <p>
                "Your RSA key pair is made on your computer, inside this browser, in a background worker. The private key leaves that worker only encrypted: "
                "at rest under your pickup passphrase (PKCS#8 with scrypt and AES-256), and in the downloaded PKCS#12 file under the same passphrase. "
                "The passphrase is never sent, and it is not stored."
            </p>
            <p>
                "What is sent to the registration authority is the certificate request: your Common Name, your e-mail address and your public key, signed to prove that you have the private key."
            </p>
        </section>
        <section aria-labelledby="standards">
            <h2 id="standards">"Standards"</h2>
            <p>
                "Certificate requests follow PKCS#10 (RFC 2986), certificates X.509 (RFC 5280), keys at rest PKCS#8 (RFC 5208, RFC 8018, RFC 7914), files PKCS#12 (RFC 7292). "
                "OpenSSL and other tools read all of them without Keyside, so you are never locked in."
            </p>
        </section>
        <section aria-labelledby="version">
            <h2 id="version">"Version and licence"</h2>
            <p>
                "Keyside " {env!("CARGO_PKG_VERSION")}
                ". Free software under the MIT licence or the Apache License 2.0, at your choice. "
                "This page loads nothing from third parties, sets no cookies and counts no visitors."
            </p>
        </section>
    }
}
