//! The Inspector: what is in a file, who issued it, whether the key fits, who can open it, and when it ends.

use std::sync::Arc;

use keyside_core::api::CaCertificates;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::inspection::{
    Found, InspectedCertificate, InspectedCrl, InspectedPfx, InspectedPrivateKey, InspectedRequest, Lock, MAXIMUM_SIZE,
};
use keyside_core::ports::RegistrationAuthority;
use keyside_core::service::inspect::{InspectFileError, Inspected, inspect};
use keyside_pki::public_key::PublicKey;
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use web_sys::File;
use zeroize::Zeroizing;

use crate::ui::components::{CertificateParticulars, PageHeading, Trouble};
use crate::ui::context::Context;
use crate::ui::file_field::{FileField, bytes_of};
use crate::ui::form::{Fault, TextField};
use crate::ui::format::{date_and_time, early_date_and_time, pairs, validity};
use crate::ui::key_making::Stoppable;
use crate::ui::links::Link;
use crate::ui::messages::Message;
use crate::ui::messages::inspection as words;

const PASSPHRASE: &str = "inspect-passphrase";

/// A file that was picked.
#[derive(Clone)]
struct Picked {
    name: String,
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

/// How looking into the file goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Working,
    Failed(Message),
    Done,
}

/// The inspector's page.
#[component]
pub fn Inspector() -> impl IntoView {
    let context = Context::here();
    let ca: RwSignal<Option<Option<CaCertificates>>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move {
        ca.set(Some(context.authority().ca_certificates().await.ok()));
    });
    let picked: RwSignal<Option<Picked>> = RwSignal::new(None);
    let progress = RwSignal::new(Progress::Idle);
    let inspected: RwSignal<Option<Inspected>> = RwSignal::new(None);
    let passphrase = RwSignal::new(String::new());
    let is_wrong = RwSignal::new(false);
    let looking_into = Stoppable::new();

    let start = move |Picked { bytes, .. }: Picked, with: Option<Passphrase>| {
        progress.set(Progress::Working);
        is_wrong.set(false);
        spawn_local(async move {
            let ca = ca.get_untracked().flatten();
            let looking = inspect(&context.workers, &context.store, &context.clock, ca.as_ref(), &bytes, with);
            let Some(outcome) = looking_into.run(looking).await else { return };
            // The user may have gone on to another file, or another page.
            let is_current = picked
                .try_with_untracked(|picked| picked.as_ref().is_some_and(|picked| Arc::ptr_eq(&picked.bytes, &bytes)));
            if is_current != Some(true) {
                return;
            }
            match outcome {
                Ok(outcome) => {
                    passphrase.set(String::new());
                    inspected.set(Some(outcome));
                    progress.set(Progress::Done);
                }
                Err(error) => {
                    let mut message = words::fault(&error);
                    if error == InspectFileError::WrongPassphrase {
                        // The rest stands beside the field.
                        is_wrong.set(true);
                        message.way_out.clear();
                    }
                    progress.set(Progress::Failed(message));
                }
            }
        });
    };
    // Nothing is asked of the network from then on: the CA's certificates are awaited before the file is looked into.
    Effect::new(move || {
        if let (Some(file), true) = (picked.get(), ca.with(Option::is_some)) {
            start(file, None);
        }
    });
    let read = Callback::new(move |file: File| {
        inspected.set(None);
        picked.set(None);
        passphrase.set(String::new());
        progress.set(Progress::Working);
        spawn_local(async move {
            let Some(read) = looking_into.run(bytes_of(&file, MAXIMUM_SIZE)).await else { return };
            match read {
                Ok(bytes) => picked.set(Some(Picked { name: file.name(), bytes: Arc::new(bytes) })),
                Err(message) => progress.set(Progress::Failed(message)),
            }
        });
    });
    let cancel = move |_: MouseEvent| {
        looking_into.stop();
        progress.set(Progress::Idle);
    };
    let open = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(file) = picked.get_untracked() {
            start(file, Some(Passphrase::new(passphrase.get_untracked())));
        }
    };
    let faults = Memo::new(move |_| -> Vec<Fault> {
        let way_out = || words::fault(&InspectFileError::WrongPassphrase).way_out;
        if is_wrong.get() { vec![(PASSPHRASE, way_out())] } else { Vec::new() }
    });
    let is_locked = Memo::new(move |_| {
        inspected.with(|inspected| inspected.as_ref().is_some_and(|inspected| inspected.inspection.is_locked()))
    });
    view! {
        <PageHeading text="Inspector"/>
        <p class="lead">
            "Drop a certificate, a request, a key or a PKCS#12 file here: what is in it, who issued it, what belongs together, and when it ends."
        </p>
        <p class="quiet">
            "Nothing leaves this browser: the file is read here, and nothing of it is sent or saved."
        </p>
        <section class="card" aria-label="File to inspect">
            <FileField
                id="inspect-file"
                label="File"
                hint="Pick it, or drop it here: .p12, .pfx, .pem, .cer, .crt, .csr, .key, .p7b, .crl."
                accept=""
                on_file=read
            />
            <div role="status">
                {move || match progress.get() {
                    Progress::Idle => ().into_any(),
                    Progress::Working => {
                        view! {
                            <p>"Looking into the file…"</p>
                            <progress aria-label="Inspecting"></progress>
                            <p class="actions">
                                <button type="button" class="secondary" on:click=cancel>"Cancel"</button>
                            </p>
                        }
                            .into_any()
                    }
                    Progress::Failed(message) => {
                        view! { <Trouble message/> }.into_any()
                    }
                    Progress::Done => {
                        let name = picked.get().map(|picked| picked.name).unwrap_or_default();
                        view! { <p>{told(inspected.get().as_ref(), &name)}</p> }.into_any()
                    }
                }}
            </div>
            <Show when=move || is_locked.get()>
                <form on:submit=open novalidate>
                    <TextField
                        id=PASSPHRASE
                        label="Passphrase of the file"
                        hint="It is used in this browser alone. Leave it empty if the file has an empty one."
                        input_type="password"
                        autocomplete="off"
                        value=passphrase
                        faults
                    />
                    <p class="actions">
                        <button type="submit">"Open"</button>
                    </p>
                </form>
            </Show>
        </section>
        {move || inspected.get().map(|inspected| view! { <Contents inspected/> })}
    }
}

/// What was found, in one sentence.
fn told(inspected: Option<&Inspected>, name: &str) -> String {
    let Some(inspected) = inspected else { return String::new() };
    let count = match inspected.inspection.found.len() {
        1 => "one thing was found".into(),
        many => format!("{many} things were found"),
    };
    let locked = if inspected.inspection.is_locked() { " Part of it is locked: enter its passphrase." } else { "" };
    format!("In “{name}”, {count}.{locked}")
}

/// Everything found, one card each.
#[component]
fn Contents(inspected: Inspected) -> impl IntoView {
    let count = inspected.inspection.found.len();
    view! {
        <section aria-labelledby="contents">
            <h2 id="contents">"What is in the file"</h2>
            {(!inspected.ca_was_known)
                .then(|| {
                    view! {
                        <p class="trouble">
                            "The CA's certificates could not be fetched, so it is not known whether a certificate is this site's. Reload the page to try again."
                        </p>
                    }
                })}
            {(0..count)
                .map(|place| view! { <Thing inspected=inspected.clone() place/> })
                .collect_view()}
            {inspected
                .inspection
                .is_cut
                .then(|| view! { <p class="quiet">"There is more in the file, which is not shown."</p> })}
        </section>
    }
}

/// One thing that was found, with what is to be said of it.
#[component]
fn Thing(inspected: Inspected, place: usize) -> impl IntoView {
    let found = inspected.inspection.found.get(place).cloned()?;
    let held = inspected.held(place).cloned().map(|enrollment| {
        let href = format!("/requests/{}", enrollment.id());
        view! {
            <p>
                <span class="standing done">"The key is in this browser"</span>
                ": "
                <Link href=href>
                    "the request of " {enrollment.application.common_name} ", made on "
                    {date_and_time(enrollment.created_at)}
                </Link>
            </p>
        }
    });
    let findings = inspected
        .inspection
        .findings
        .iter()
        .filter(|finding| finding.concerns(place))
        .map(|finding| {
            let (is_good, message) = words::finding(finding, place, &inspected.inspection.found);
            view! { <Said is_good message/> }
        })
        .collect_view();
    let at = inspected.at;
    let title = words::title(&found);
    let particulars = match found {
        Found::Certificate(certificate) => view! { <Certificate certificate=*certificate at/> }.into_any(),
        Found::Request(request) => view! { <Request request/> }.into_any(),
        Found::PrivateKey(key) => view! { <PrivateKey key/> }.into_any(),
        Found::PublicKey(key) => view! { <dl class="particulars"><Key key=Some(key)/></dl> }.into_any(),
        Found::Crl(crl) => view! { <Crl crl/> }.into_any(),
        Found::Pkcs7(certificates) => {
            view! { <p>"A chain of certificates, " {certificates} " in number, which come next."</p> }.into_any()
        }
        Found::Pfx(pfx) => view! { <Pfx pfx/> }.into_any(),
        Found::Others(count) => view! {
            <p>{count} " secrets or revocation lists, which are not looked into: they are neither keys nor certificates."</p>
        }
        .into_any(),
        Found::Backup(of) => view! { <Backup of/> }.into_any(),
        Found::Foreign(kind) => view! { <p>{words::foreign_kind(kind).1}</p> }.into_any(),
        Found::Unreadable(label) => {
            view! { <p>"A block with the label “" {label} "” that is damaged or not known here."</p> }.into_any()
        }
    };
    Some(view! {
        <div class="card found">
            <h3>{title}</h3>
            {findings}
            {held}
            {particulars}
        </div>
    })
}

/// A finding: its title with a mark, and what it means.
#[component]
fn Said(is_good: bool, message: Message) -> impl IntoView {
    let class = if is_good { "standing done" } else { "standing failed" };
    view! { <p><span class=class>{message.title}</span> ". " {message.way_out}</p> }
}

/// A key's kind and name, as terms of a list.
#[component]
fn Key(key: Option<PublicKey>) -> impl IntoView {
    key.map(|key| {
        view! {
            <dt>"Key"</dt>
            <dd>{words::key_kind(&key.kind)}</dd>
            <dt>"Key fingerprint"</dt>
            <dd class="code">{pairs(&key.key_id)}</dd>
        }
    })
}

/// A term with several values, if there are any.
#[component]
fn Values(term: &'static str, values: Vec<String>) -> impl IntoView {
    (!values.is_empty()).then(|| view! { <dt>{term}</dt><dd>{values.join(", ")}</dd> })
}

fn in_words(usages: &[String]) -> Vec<String> {
    usages.iter().map(|usage| words::usage(usage).to_owned()).collect()
}

#[component]
fn Certificate(certificate: InspectedCertificate, at: u64) -> impl IntoView {
    let not_after = certificate.summary.not_after;
    view! {
        <p>{validity(not_after, at)} "."</p>
        <CertificateParticulars certificate=certificate.summary>
            <Values term="Name in the keystore" values=certificate.friendly_name.into_iter().collect()/>
            <Values term="Also for" values=certificate.alternative_names/>
            <Values term="Use of the key" values=in_words(&certificate.key_usages)/>
            <Values term="Use" values=in_words(&certificate.extended_key_usages)/>
            <Key key=Some(certificate.public_key)/>
            <dt>"Signature"</dt>
            <dd>{certificate.signature_algorithm}</dd>
        </CertificateParticulars>
    }
}

#[component]
fn Request(request: InspectedRequest) -> impl IntoView {
    let fits = match request.signature_fits {
        Some(true) => "fits the key",
        Some(false) => "does not fit the key",
        None => "not checked here",
    };
    view! {
        <dl class="particulars">
            <dt>"Subject"</dt>
            <dd>{request.subject}</dd>
            <Values term="Also for" values=request.alternative_names/>
            <Key key=Some(request.public_key)/>
            <dt>"Signature"</dt>
            <dd>{request.signature_algorithm} "; " {fits}</dd>
            {request
                .has_challenge_password
                .then(|| {
                    view! {
                        <dt>"Challenge password"</dt>
                        <dd>"There is one. It is readable for everybody who has the request."</dd>
                    }
                })}
        </dl>
    }
}

#[component]
fn PrivateKey(key: InspectedPrivateKey) -> impl IntoView {
    view! {
        <dl class="particulars">
            <dt>"Encryption"</dt>
            <dd>{words::key_protection(&key)}</dd>
            <dt>"Format"</dt>
            <dd>{words::key_encoding(key.encoding)}</dd>
            <Values term="Name in the keystore" values=key.friendly_name.into_iter().collect()/>
            <Values term="Key" values=key.kind.iter().map(words::key_kind).collect()/>
            <Key key=key.public_key/>
        </dl>
    }
}

#[component]
fn Crl(crl: InspectedCrl) -> impl IntoView {
    view! {
        <dl class="particulars">
            <dt>"Issuer"</dt>
            <dd>{crl.issuer}</dd>
            <dt>"Made on"</dt>
            <dd>{early_date_and_time(crl.this_update)}</dd>
            <Values term="The next one by" values=crl.next_update.map(early_date_and_time).into_iter().collect()/>
            <dt>"Revoked certificates"</dt>
            <dd>{crl.revoked}</dd>
        </dl>
    }
}

#[component]
fn Pfx(pfx: InspectedPfx) -> impl IntoView {
    let state = match pfx.lock {
        Lock::Clear => "Nothing in it is encrypted.",
        Lock::Opened => "The passphrase opens it; what is in it comes next.",
        Lock::Locked => "Locked: what is in it is shown once you enter its passphrase.",
        Lock::Unsupported => {
            "Part of it is encrypted in a way that is not opened here. Make the file anew, with AES-256."
        }
    };
    let verdict = pfx.protection.verdict();
    let in_words = |encryptions: &[_]| -> Vec<String> {
        let mut all: Vec<String> = encryptions.iter().map(words::encryption).collect();
        all.dedup();
        all
    };
    view! {
        <p>{state}</p>
        {verdict
            .caveats
            .iter()
            .map(|caveat| view! { <Said is_good=false message=words::caveat(*caveat)/> })
            .collect_view()}
        <dl class="particulars">
            <dt>"Who can open it"</dt>
            <dd>{words::audience(verdict.audience)}</dd>
            <Values term="Encryption of the key" values=in_words(&pfx.protection.private_keys)/>
            <Values term="Encryption of the certificates" values=in_words(&pfx.protection.parts)/>
            <dt>"MAC"</dt>
            <dd>{words::mac(pfx.protection.mac.as_ref())}</dd>
        </dl>
    }
}

#[component]
fn Backup(of: Option<String>) -> impl IntoView {
    match of {
        Some(common_name) => view! {
            <p>
                "The backup of the request of " <strong>{common_name}</strong> ". Restore it on " <Link href="/">"Home"</Link> " or on "
                <Link href="/collect">"Collect"</Link> "."
            </p>
        }
        .into_any(),
        None => view! {
            <p>
                "It is damaged, or a newer version of this page made it. " <Link href="/">"Home"</Link>
                " says more when you restore it there."
            </p>
        }
        .into_any(),
    }
}
