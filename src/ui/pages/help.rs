//! Help: what each step means, what is stored where, and what to do when something is lost.

use crate::ui::links::{Link, OutwardLink};
use leptos::prelude::*;

use crate::ui::components::PageHeading;
use crate::ui::context::Context;

/// The help page.
#[component]
pub fn Help() -> impl IntoView {
    let context = Context::here();
    view! {
        <PageHeading text="Help"/>
        <section aria-labelledby="the-steps">
            <h2 id="the-steps">"The steps"</h2>
            <h3>"Before you begin"</h3>
            <p>
                "Your User Access Administrator (UAA) authorises you first. You then receive a New User Notification e-mail with your Common Name. "
                "Use the computer and the browser in which you will collect the certificate later. Do not use a private window, or a browser that clears its data when it is closed: your key would be deleted with the data."
            </p>
            <h3>"Register"</h3>
            <p>
                "Choose the certificate type. Unless you are an ISO employee or contractor, that is Participants & External Users. "
                "Enter the Common Name exactly as the e-mail gives it, your e-mail address, and a pickup passphrase that you choose. "
                "When you press Submit, the browser makes your key pair, saves it encrypted, and only then sends the request."
            </p>
            <h3>"The transaction ID"</h3>
            <p>
                "It is the name of your request. Copy, print or save it: you cannot collect your certificate without it. "
                "This browser remembers it too, on Home. It is no secret on its own, because the private key never leaves your computer."
            </p>
            <h3>"Approval"</h3>
            <p>
                "The registration authority checks your request. This can take up to two business days. You may close the browser; "
                "Home shows how the request stands. If it is rejected, the reason is shown."
            </p>
            <h3>"Backup"</h3>
            <p>
                "After Submit and again after Collect you can save a backup: a text file with the encrypted key and all that belongs to it. Keep it apart from the passphrase. "
                "Restore it on Home or on Collect, in another browser or on another computer."
            </p>
            <h3>"Devices"</h3>
            <p>
                "A RIG, a DPG or an ICCP server makes its own key and a certificate request (CSR). " <Link href="/devices">"Devices"</Link>
                " has the commands for that, checks the request, and sends it with the device's type and name. The certificate is collected there, by its transaction ID and without a passphrase, on any computer."
            </p>
            <h3>"Collect"</h3>
            <p>
                "Enter the transaction ID and your pickup passphrase. The page fetches the certificate, checks that it belongs to your key and leads to the right certification authority, "
                "and packs both with the certificate chain into one file: PKCS#12 (.p12) for keystores, Modern or Compatible, or PEM for scripts. You can do that again for as long as it is valid, also without a network once the certificate has been fetched."
            </p>
            <h3>"Renew"</h3>
            <p>
                "A certificate can be renewed in the last days before it ends: its details in My Certificates say from when on. The new one is for the same name and address, and the current one signs the request. "
                "Where your certificate is not in this browser but in a .p12 file, "
                <Link href="/renew">"renew it from that file"</Link> ". The current one stays valid until it ends: install the new one before that."
            </p>
        </section>
        <section aria-labelledby="import">
            <h2 id="import">"Importing the file"</h2>
            <p>
                <Link href="/install">"Install and connect"</Link>
                " has the steps for Windows, macOS, Linux, Firefox, iOS, Android and Java, says which certificate to pick, and has commands and programs for APIs. "
                "Open it from your certificate, and it has the names of your own files."
            </p>
        </section>
        <section aria-labelledby="not-trusted">
            <h2 id="not-trusted">"“The root certificate is not trusted”"</h2>
            <p>
                "A program that says so does not know the certification authority yet. " <Link href="/trust">"Trust"</Link>
                " has its certificates: compare the root's fingerprint, download it, and add it to the program's trusted root certificates. "
                "The file that you collected holds the chain, but a program trusts a root only when somebody tells it to."
            </p>
        </section>
        <section aria-labelledby="inspecting">
            <h2 id="inspecting">"“What is in this file?”"</h2>
            <p>
                "The " <Link href="/inspect">"Inspector"</Link>
                " tells what is in a certificate, request, key or PKCS#12 file, whether the key fits, who issued the certificate, when it ends, and which programs can open the file. "
                "The file and its passphrase stay in this browser."
            </p>
        </section>
        <section aria-labelledby="stored">
            <h2 id="stored">"What is stored where"</h2>
            <dl class="particulars">
                <dt>"In this browser"</dt>
                <dd>"Your private key, encrypted under the passphrase; the certificate request; the transaction ID; and, once collected, the certificate with its chain. Clearing this site's data deletes them for good."</dd>
                <dt>"At the registration authority"</dt>
                <dd>"The certificate request (name, e-mail address, public key), its state, and the certificate. Never the private key, never the passphrase."</dd>
                <dt>"In a backup"</dt>
                <dd>"The same as in this browser, in one text file. OpenSSL reads it, too."</dd>
                <dt>"In the file that you download"</dt>
                <dd>"The private key, the certificate and its chain, encrypted under the passphrase. The file is as safe as the passphrase is strong: keep it where only you can read it."</dd>
            </dl>
        </section>
        <section aria-labelledby="browsers">
            <h2 id="browsers">"Which browsers work"</h2>
            <p>
                "Chrome and Edge from version 103, Firefox from 114, Safari from 16.4 (also on iPhone and iPad), and Samsung Internet from 20. "
                "JavaScript, WebAssembly and storage must be allowed for this site."
            </p>
            <p>
                "If a current browser cannot start the page, a security setting may have switched WebAssembly off: Lockdown Mode on Apple's devices, enhanced security in Edge, or a policy of your company. "
                "Allow this site there, or ask your administrator."
            </p>
        </section>
        <section aria-labelledby="lost">
            <h2 id="lost">"When something is lost"</h2>
            <h3>"The transaction ID"</h3>
            <p>"Home lists the requests that this browser holds, with their transaction IDs. Collect fills it in for you."</p>
            <h3>"The passphrase, the computer, or the key itself"</h3>
            <p>
                <Link href="/lost">"When something is lost"</Link>
                " says what to do, and asks for a revocation or a replacement."
            </p>
            <p>
                "Some browsers delete a site's data when it is not visited for a while (Safari: after seven days of use without a visit): collect soon after the approval, and keep the downloaded file."
            </p>
        </section>
        <section aria-labelledby="contact">
            <h2 id="contact">"Whom to ask"</h2>
            {move || {
                context
                    .configuration()
                    .map(|configuration| {
                        view! {
                            <p>{configuration.contact}</p>
                            <ul>
                                {configuration
                                    .links
                                    .into_iter()
                                    .map(|link| {
                                        view! { <li><OutwardLink href=link.url text=link.text/></li> }
                                    })
                                    .collect_view()}
                            </ul>
                        }
                    })
            }}
        </section>
    }
}
