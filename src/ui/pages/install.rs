//! Install and connect: where the file goes on each system, which certificate to pick, the proof that it works, and programs that log in.

use keyside_core::commands::snippets::{Client, PASSPHRASE_VARIABLE, Snippets};
use keyside_core::domain::user_agent::Keystore;
use keyside_core::ports::{Held, KeyStore, StoreError};
use keyside_core::service::connect::{self, Own};
use keyside_core::service::trust;
use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use leptos_router::hooks::use_query_map;

use crate::ui::components::{Copyable, PageHeading, Trouble};
use crate::ui::context::Context;
use crate::ui::format::{date_and_time, pairs};
use crate::ui::links::{Link, is_outward};
use crate::ui::messages;

/// The page.
#[component]
pub fn Install() -> impl IntoView {
    let context = Context::here();
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.read().get("request"));
    let held: RwSignal<Option<Result<Held, StoreError>>> = RwSignal::new(None);
    let trusted: RwSignal<Option<trust::Trust>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move {
        held.set(Some(context.store.list().await));
        // Without an answer the root's file has an example's name.
        trusted.set(trust::read(&context.authority()).await.ok());
    });
    let own = Memo::new(move |_| {
        let wanted = wanted.get()?;
        held.with(|held| {
            let held = held.as_ref()?.as_ref().ok()?;
            connect::own(held.enrollments.iter().find(|enrollment| enrollment.id() == wanted)?)
        })
    });
    let check = Memo::new(move |_| context.configuration().and_then(|configuration| configuration.connection_check));
    let snippets = Memo::new(move |_| {
        let badge = context.configuration().and_then(|configuration| configuration.badge);
        trusted.with(|trust| {
            connect::snippets(own.get().as_ref(), trust.as_ref(), badge.as_deref(), check.get().as_deref())
        })
    });
    view! {
        <PageHeading text="Install and connect"/>
        <p class="lead">
            "Put the file that you collected where your programs look for certificates, then prove that it works."
        </p>
        <Whose wanted held own snippets/>
        <Guides snippets/>
        <Pick own/>
        <Proof check/>
        <Programs check snippets/>
    }
}

/// Whose files the page speaks of.
#[component]
fn Whose(
    wanted: Memo<Option<String>>,
    held: RwSignal<Option<Result<Held, StoreError>>>,
    own: Memo<Option<Own>>,
    snippets: Memo<Snippets>,
) -> impl IntoView {
    let others = move || match held.get() {
        None => view! { <p>"Looking for your certificates…"</p> }.into_any(),
        Some(Err(error)) => view! { <Trouble message=messages::store(&error)/> }.into_any(),
        Some(Ok(held)) => {
            let collected: Vec<_> = held
                .enrollments
                .iter()
                .filter_map(|enrollment| {
                    Some((format!("/install?request={}", enrollment.id()), connect::own(enrollment)?))
                })
                .collect();
            let explanation = match (wanted.get().is_some(), collected.is_empty()) {
                (true, _) => {
                    "The certificate that the address names is not in this browser, or was not collected yet. The names of files on this page are examples."
                }
                (false, true) => {
                    "This browser holds no certificate yet: collect it first. Until then, the names of files on this page are examples."
                }
                (false, false) => {
                    "The names of files on this page are examples. To see those of your own files, choose your certificate:"
                }
            };
            view! {
                <p>{explanation}</p>
                <ul>
                    {collected
                        .into_iter()
                        .map(|(href, own)| {
                            view! {
                                <li>
                                    <Link href=href>{own.common_name}</Link>
                                    ", serial number "
                                    <span class="code">{pairs(&own.summary.serial_number)}</span>
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            }
            .into_any()
        }
    };
    view! {
        <section class="card" aria-labelledby="whose">
            <h2 id="whose">"Your files"</h2>
            <div role="status">
                {move || match own.get() {
                    None => others().into_any(),
                    Some(own) => {
                        view! { <p>"This page speaks of the certificate of " <strong>{own.common_name}</strong> "."</p> }.into_any()
                    }
                }}
            </div>
            <dl class="particulars">
                <dt>"PKCS#12 file"</dt>
                <dd>{move || snippets.get().pkcs12}</dd>
                <dt>"PEM file"</dt>
                <dd>{move || snippets.get().pem}</dd>
                <dt>"The CA's root"</dt>
                <dd>{move || snippets.get().root}</dd>
            </dl>
            <p class="hint">
                <Link href="/collect">"Collect"</Link>
                " gives the first two, each as often as you like; "
                <Link href="/trust">"Trust"</Link>
                " gives the root, with the fingerprint to compare first. If your browser added a number to a name, as in “(1)”, rename the file or change the command."
            </p>
        </section>
    }
}

/// The name of a guide.
fn name(keystore: Keystore) -> &'static str {
    match keystore {
        Keystore::Windows => "Windows: Edge, Chrome and other programs",
        Keystore::MacOs => "macOS: Safari, Chrome and other programs",
        Keystore::Linux => "Linux: Chrome and Chromium (Debian, Ubuntu, Fedora)",
        Keystore::Firefox => "Firefox on a computer",
        Keystore::Ios => "iPhone and iPad",
        Keystore::Android => "Android",
        Keystore::Java => "Java",
    }
}

/// The guide for the system at hand, and the others.
#[component]
fn Guides(snippets: Memo<Snippets>) -> impl IntoView {
    let here = Keystore::of(&window().navigator().user_agent().unwrap_or_default());
    view! {
        <section aria-labelledby="install">
            <h2 id="install">"Install"</h2>
            <p>
                "A program uses your certificate only from the place where it looks for certificates. Each place has its own steps, and wants the passphrase of the file. "
                "Trusting the CA's root is a step of its own; leave it out if your company has done that for you."
            </p>
            {here
                .map(|keystore| {
                    view! {
                        <div class="card">
                            <h3>{name(keystore)}</h3>
                            <p class="hint">"What this browser uses, as far as it says."</p>
                            {guide(keystore, snippets)}
                        </div>
                    }
                })}
            <h3>"Other places"</h3>
            {Keystore::ALL
                .into_iter()
                .filter(|keystore| here != Some(*keystore))
                .map(|keystore| {
                    view! {
                        <details class="card">
                            <summary>{name(keystore)}</summary>
                            {guide(keystore, snippets)}
                        </details>
                    }
                })
                .collect_view()}
        </section>
    }
}

/// The steps for one place.
fn guide(keystore: Keystore, snippets: Memo<Snippets>) -> AnyView {
    let root = move || snippets.get().root;
    match keystore {
        Keystore::Windows => view! {
            <ol class="steps">
                <li>"Double-click the .p12 file. Windows takes it as it takes .pfx files, and opens the Certificate Import Wizard."</li>
                <li>"Choose " <strong>"Current User"</strong> ", then Next, and Next again for the name of the file."</li>
                <li>
                    "Enter the passphrase of the file. Leave “Mark this key as exportable” off: your backup is the file itself. “Enable strong private key protection” asks you each time that a program uses the key."
                </li>
                <li>"Leave “Automatically select the certificate store based on the type of certificate”, then Next and Finish."</li>
                <li>
                    "A security warning asks whether to trust the CA's root, which is in the file too. Compare its thumbprint with the SHA-1 fingerprint on "
                    <Link href="/trust">"Trust"</Link> ", then answer Yes."
                </li>
                <li>
                    "To see it, press Windows+R and run " <span class="code">"certmgr.msc"</span>
                    ": your certificate is under Personal, Certificates; the root is under Trusted Root Certification Authorities."
                </li>
            </ol>
            <p>
                "“The password you entered is incorrect”, although it is right? Windows Server 2016, and Windows 10 before version 1709, cannot read the Modern file: collect the one called "
                <strong>"PKCS#12, Compatible"</strong> "."
            </p>
        }
        .into_any(),
        Keystore::MacOs => view! {
            <ol class="steps">
                <li>
                    "Double-click the .p12 file. If Keychain Access asks for a keychain, choose " <strong>"login"</strong>
                    ": neither System nor iCloud. (Spotlight finds Keychain Access if nothing opens.)"
                </li>
                <li>"Enter the passphrase of the file, and after that your Mac's own password if it asks."</li>
                <li>"Your certificate is under login, My Certificates, with its private key below it."</li>
                <li>
                    "Trust the root: find it under login, Certificates; double-click it, open Trust, set “When using this certificate” to Always Trust, close the window, and enter your Mac's password. In Terminal it is one command, with "
                    {root} ":"
                    <Copyable id="mac-trust" what="the command that trusts the root on macOS" text=Signal::derive(move || snippets.get().mac_trust())/>
                </li>
                <li>
                    "Quit the browser and open it again. The first time that it uses the key, macOS asks for your Mac's password: choose Always Allow."
                </li>
            </ol>
            <p>
                "“The password you entered is incorrect”, although it is right? Versions before macOS 15 cannot read the Modern file: collect the one called "
                <strong>"PKCS#12, Compatible"</strong> "."
            </p>
        }
        .into_any(),
        Keystore::Linux => view! {
            <p>
                "Chrome and Chromium look in an NSS database in your home folder. Either use Settings, Privacy and security, Security, Manage certificates; or these commands, in the folder with your files:"
            </p>
            <ol class="steps">
                <li>
                    "Get the tools. Debian and Ubuntu: " <span class="code">"sudo apt install libnss3-tools"</span> ". Fedora: "
                    <span class="code">"sudo dnf install nss-tools"</span> "."
                </li>
                <li>
                    "Import the file. pk12util asks for its passphrase."
                    <Copyable id="nss-import" what="the commands that import the file" text=Signal::derive(move || snippets.get().nss_import())/>
                </li>
                <li>
                    "Trust the root in these browsers:"
                    <Copyable id="nss-trust" what="the command that trusts the root in Chromium" text=Signal::derive(move || snippets.get().nss_trust())/>
                </li>
                <li>"Close all windows of the browser and open it again."</li>
            </ol>
            <p>
                "Chromium as a snap looks in " <span class="code">"~/snap/chromium/current/.pki/nssdb"</span>
                " instead: change the folder in the commands."
            </p>
            <h4>"The root for the system's own programs"</h4>
            <p>"curl, wget, Git and others read the system's list. On Debian and Ubuntu:"</p>
            <Copyable id="debian-trust" what="the commands that trust the root on Debian" text=Signal::derive(move || snippets.get().debian_trust())/>
            <p>"On Fedora, with p11-kit:"</p>
            <Copyable id="fedora-trust" what="the command that trusts the root on Fedora" text=Signal::derive(move || snippets.get().fedora_trust())/>
        }
        .into_any(),
        Keystore::Firefox => view! {
            <ol class="steps">
                <li>"Open Settings, Privacy & Security, and at its end Certificates: View Certificates."</li>
                <li>
                    "Under " <strong>"Your Certificates"</strong>
                    ", choose Import, then the .p12 file, and enter its passphrase. If you have a Primary Password, Firefox asks for that first."
                </li>
                <li>
                    "Under " <strong>"Authorities"</strong> ", choose Import, then " {root}
                    ". View it, compare its fingerprint with the one on " <Link href="/trust">"Trust"</Link>
                    ", and tick “Trust this CA to identify websites”."
                </li>
                <li>"When a site asks, Firefox shows which certificate it would use: pick yours, and OK."</li>
            </ol>
            <p>
                "On Windows and macOS, Firefox also offers what is in the system's own store. The steps here are for Firefox's store, which exists on every system."
            </p>
        }
        .into_any(),
        Keystore::Ios => view! {
            <ol class="steps">
                <li>"Send the .p12 file to the device, by AirDrop for instance, or save it in Files. Then tap it: it says “Profile Downloaded”."</li>
                <li>
                    "Open Settings, General, " <strong>"VPN & Device Management"</strong>
                    ", tap the downloaded profile and Install. Enter the device's code, and then the passphrase of the file."
                </li>
                <li>
                    "Do the same with the CA's root, downloaded as DER. Then open Settings, General, About, " <strong>"Certificate Trust Settings"</strong>
                    " and switch on full trust for it."
                </li>
                <li>"Safari uses the certificate. Other browsers on iPhone and iPad may not."</li>
            </ol>
            <p>
                "Before iOS 17, the Modern file is refused as a wrong password: collect the one called " <strong>"PKCS#12, Compatible"</strong>
                "."
            </p>
        }
        .into_any(),
        Keystore::Android => view! {
            <ol class="steps">
                <li>"Save the .p12 file on the device. A screen lock must be set up."</li>
                <li>
                    "Open Settings, Security & privacy, More security settings, Encryption & credentials, "
                    <strong>"Install a certificate"</strong> ". The words differ a little from maker to maker: search the settings for “certificate”."
                </li>
                <li>
                    "Choose " <strong>"VPN & app user certificate"</strong>
                    ", pick the file, enter its passphrase, and give it a name that you will recognise."
                </li>
                <li>"For the CA's root, downloaded as DER, choose CA certificate at the same place."</li>
                <li>"Chrome asks which certificate to use when a site wants one."</li>
            </ol>
            <p>
                "Before Android 14, the Modern file is refused as a wrong password: collect the one called " <strong>"PKCS#12, Compatible"</strong>
                "."
            </p>
        }
        .into_any(),
        Keystore::Java => view! {
            <p>"The .p12 file is a keystore as it is, of the type PKCS12; the alias is your Common Name. Look into it, and enter the passphrase when asked:"</p>
            <Copyable id="keytool-list" what="the command that lists the keystore" text=Signal::derive(move || snippets.get().keytool_list())/>
            <p>
                "Java trusts the roots in a truststore. This makes one with the CA's root; compare the fingerprint that it shows with the one on "
                <Link href="/trust">"Trust"</Link> " before you answer yes:"
            </p>
            <Copyable id="keytool-trust" what="the command that makes a truststore" text=Signal::derive(move || snippets.get().keytool_trust())/>
            <p>
                "Programs that take system properties want javax.net.ssl.keyStore, keyStoreType=PKCS12, trustStore and their passwords. Everyone on the computer can see a command line: put the passwords into the program's configuration file, where only you can read it."
            </p>
        }
        .into_any(),
    }
}

/// What tells the certificate from the others in a browser's list.
#[component]
fn Pick(own: Memo<Option<Own>>) -> impl IntoView {
    let particulars = move || {
        own.get().map(|Own { common_name, issuer_name, summary }| {
            view! {
                <dl class="particulars">
                    <dt>"Name"</dt>
                    <dd>{common_name}</dd>
                    <dt>"Issuer"</dt>
                    <dd>{issuer_name}</dd>
                    <dt>"Serial number"</dt>
                    <dd class="code">{pairs(&summary.serial_number)}</dd>
                    <dt>"The same on Windows"</dt>
                    <dd class="code">{summary.serial_number.clone()}</dd>
                    <dt>"Valid until"</dt>
                    <dd>{date_and_time(summary.not_after)}</dd>
                    <dt>"Thumbprint (SHA-1)"</dt>
                    <dd class="code">{pairs(&summary.sha1_fingerprint)}</dd>
                    <dt>"The same on Windows"</dt>
                    <dd class="code">{summary.sha1_fingerprint.clone()}</dd>
                    <dt>"SHA-256 fingerprint"</dt>
                    <dd class="code">{pairs(&summary.sha256_fingerprint)}</dd>
                </dl>
            }
        })
    };
    view! {
        <section aria-labelledby="pick">
            <h2 id="pick">"Which certificate do I pick?"</h2>
            <p>
                "The one with your name and this issuer. Lists often cut names off, and after a renewal there are two with the same name: the serial number tells them apart."
            </p>
            {particulars}
            <ul>
                <li>
                    <strong>"Edge and Chrome on Windows"</strong>
                    " list name and issuer. Mark one and choose Certificate information: Details has the serial number, and at its end the thumbprint."
                </li>
                <li>
                    <strong>"Chrome on Linux and macOS"</strong>
                    " list subject, issuer and serial number; if the list is narrow, choose Certificate information."
                </li>
                <li><strong>"Safari"</strong> " lists name and issuer; Show Certificate has the serial number and both fingerprints."</li>
                <li>
                    <strong>"Firefox"</strong>
                    " puts the serial number in brackets behind the name, and the issuer with the dates below."
                </li>
                <li><strong>"Android"</strong> " lists the name that you gave it there."</li>
            </ul>
        </section>
    }
}

/// The way to the connection check.
#[component]
fn Proof(check: Memo<Option<String>>) -> impl IntoView {
    view! {
        <section aria-labelledby="proof">
            <h2 id="proof">"Prove that it works"</h2>
            {move || match check.get().filter(|url| is_outward(url)) {
                Some(url) => {
                    view! {
                        <p>
                            "Close all windows of the browser in which you installed the certificate, open it again, and go to the connection check: it says which certificate it sees, whether that works, and if not, why. "
                            "If the browser warns of the address first, it does not trust the CA's root yet."
                        </p>
                        <p class="actions">
                            <a class="button" href=url.clone() target="_blank" rel="noopener">
                                "Open the connection check"
                                <span class="visually-hidden">" (in a new tab)"</span>
                            </a>
                            <span class="quiet code">{url}</span>
                        </p>
                    }
                        .into_any()
                }
                None => {
                    view! {
                        <p>
                            "This site has no connection check. Open the application that you want to use: it should ask for the certificate and let you in."
                        </p>
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

/// Commands and programs that log in.
#[component]
fn Programs(check: Memo<Option<String>>, snippets: Memo<Snippets>) -> impl IntoView {
    view! {
        <section aria-labelledby="programs">
            <h2 id="programs">"Connect from programs"</h2>
            <p>
                {move || {
                    if check.get().is_some() {
                        "Each of these asks the connection check, which answers programs with JSON. Put your API's address in its place."
                    } else {
                        "Put your API's address in the place of the example."
                    }
                }}
                " They read your files from the folder that they run in, and trust the CA's root: name another one, or none, if your API's own certificate is from a public CA."
            </p>
            <p>
                "They ask for the passphrase of the file. For what runs unattended, set the environment variable "
                <span class="code">{PASSPHRASE_VARIABLE}</span>
                " from a secret store. Never write the passphrase into a command or a program: histories and lists of processes keep it."
            </p>
            {Client::ALL
                .map(|client| {
                    view! {
                        <details class="card" open=client == Client::CurlPkcs12>
                            <summary>{client.name()}</summary>
                            <p class="hint">{remark(client)}</p>
                            <Copyable id=client.id() what=client.name() text=Signal::derive(move || snippets.get().of(client))/>
                        </details>
                    }
                })
                .collect_view()}
        </section>
    }
}

/// What to know before using a snippet.
fn remark(client: Client) -> &'static str {
    match client {
        Client::CurlPkcs12 => "For a terminal on Linux or macOS, or Git Bash on Windows.",
        Client::CurlPem => "The same with the PEM file, for a curl that was built with OpenSSL.",
        Client::Python => {
            "Needs “pip install requests”, version 2.32 or later, and the PEM file: Python does not read PKCS#12 for connections."
        }
        Client::Java => "Save it as Client.java and run “java Client.java”, with a JDK 11 or later.",
        Client::Node => "Save it as client.mjs and run “node client.mjs”, with Node.js 20 or later.",
    }
}
