//! Collect: transaction ID and passphrase in, PKCS#12 out.

use keyside_core::domain::enrollment::{Download, Enrollment, Standing};
use keyside_core::domain::file_format::ExportFormat;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::domain::user_agent::takes_aes;
use keyside_core::ports::{Clock, KeyStore};
use keyside_core::service::collect::{self, CollectError, Collected, Wanted};
use keyside_pki::pfx::Profile;
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use leptos_router::hooks::use_query_map;

use crate::browser::worker_client::Role;
use crate::ui::back_up::BackUp;
use crate::ui::components::{
    self, CertificateParticulars, MessageBox, NotComparedNote, PageHeading, focus, focus_soon,
};
use crate::ui::context::Context;
use crate::ui::form::{
    self, AnotherPassphrase, AnotherPassphraseFields, AnotherPassphraseWords, ErrorSummary, Fault, TextField,
};
use crate::ui::format::date_and_time;
use crate::ui::key_making::Stoppable;
use crate::ui::links::Link;
use crate::ui::messages::{self, Message};
use crate::ui::restore::RestorePanel;

/// The passphrase's field, by the id of its element.
const PASSPHRASE: &str = "collect-passphrase";

/// How collecting goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Busy,
    Failed(CollectError),
    Done(Box<Collected>),
}

/// The collecting page. Going from one transaction ID to another changes the address alone: each gets a view of its own.
#[component]
pub fn Collect() -> impl IntoView {
    let query = use_query_map();
    let id = Memo::new(move |_| query.read().get("id").unwrap_or_default());
    move || view! { <CollectRequest id=id.get()/> }
}

/// The request that is to be collected, from the form to the files.
#[component]
fn CollectRequest(
    /// The transaction ID that the address gives, or nothing.
    id: String,
) -> impl IntoView {
    let context = Context::here();
    let transaction_id = RwSignal::new(id);
    let passphrase = RwSignal::new(String::new());
    let passphrase_missing = RwSignal::new(false);
    let prepare = form::prepare(&[Role::Custodian, Role::CertificateReader]);
    let progress = RwSignal::new(Progress::Idle);
    let format = RwSignal::new(ExportFormat::Pkcs12(recommended()));
    let another = AnotherPassphrase::new();
    let faults = Memo::new(move |_| {
        let missing = passphrase_missing.get().then(|| (PASSPHRASE, "Enter the pickup passphrase.".to_owned()));
        missing.into_iter().chain(another.faults.get()).collect::<Vec<Fault>>()
    });
    let held: RwSignal<Vec<Enrollment>> = RwSignal::default();
    // Whoever has begun to type an ID does not have another one put into it.
    let id_touched = RwSignal::new(false);

    spawn_local_scoped_with_cancellation(async move {
        // The newest request that was not collected yet is the one to expect, or else the newest.
        let Ok(listed) = context.store.list().await else {
            return;
        };
        let expected = listed
            .enrollments
            .iter()
            .find(|enrollment| matches!(enrollment.standing(), Standing::Pending | Standing::Issued))
            .or_else(|| listed.enrollments.first());
        if let Some(id) = expected.and_then(|enrollment| enrollment.transaction_id()) {
            transaction_id.update(|shown| {
                if shown.is_empty() && !id_touched.get_untracked() {
                    *shown = id.to_string();
                }
            });
        }
        held.set(listed.enrollments);
    });
    let whose = Memo::new(move |_| {
        let id: TransactionId = transaction_id.with(|text| text.parse()).ok()?;
        held.with(|held| held.iter().find(|enrollment| enrollment.has_transaction_id(id)).cloned())
    });

    let collecting = Stoppable::new();
    let cancel = move |_: MouseEvent| {
        collecting.stop();
        progress.set(Progress::Idle);
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if matches!(progress.get_untracked(), Progress::Busy) {
            return;
        }
        if let Some(Enrollment { application, .. }) = whose.get_untracked() {
            another.is_about(&application.common_name, &application.email_address);
        }
        another.attempt();
        passphrase_missing.set(passphrase.with_untracked(String::is_empty));
        if !faults.with_untracked(Vec::is_empty) {
            if passphrase_missing.get_untracked() {
                focus(PASSPHRASE);
            } else {
                focus_soon("error-summary");
            }
            return;
        }
        progress.set(Progress::Busy);
        spawn_local(async move {
            let (authority, id) = (context.authority(), transaction_id.get_untracked());
            let collecting_it = collect::collect(
                &context.workers,
                &context.store,
                &authority,
                &context.clock,
                &id,
                Passphrase::new(passphrase.get_untracked()),
                Wanted { format: format.get_untracked(), passphrase: another.typed() },
            );
            let Some(outcome) = collecting.run(collecting_it).await else { return };
            let _ = progress.try_set(match outcome {
                Ok(collected) => {
                    passphrase.try_set(String::new());
                    another.clear();
                    Progress::Done(Box::new(collected))
                }
                Err(error) => Progress::Failed(error),
            });
        });
    };
    let on_restored = Callback::new(move |enrollment: Enrollment| {
        if let Some(id) = enrollment.transaction_id() {
            transaction_id.set(id.to_string());
        }
        held.update(|held| held.push(enrollment));
    });
    let busy = move || matches!(progress.get(), Progress::Busy);
    view! {
        <PageHeading text="Collect"/>
        <p class="lead">
            "Fetch your certificate and download it together with its private key, in one file."
        </p>
        {move || match progress.get() {
            Progress::Idle => ().into_any(),
            Progress::Busy => {
                view! {
                    <div class="message wait" role="status">
                        <p>"Fetching the certificate, checking it, and packing it with your key…"</p>
                        <progress aria-label="Collecting"></progress>
                        <p class="actions">
                            <button type="button" class="secondary" on:click=cancel>"Cancel"</button>
                        </p>
                    </div>
                }
                    .into_any()
            }
            Progress::Failed(error) => {
                let kind = if error == CollectError::Pending { "wait" } else { "error" };
                let id = transaction_id.get_untracked();
                let next = match error {
                    CollectError::ForDevice(_) => Some(("devices", "Collect it on Devices")),
                    CollectError::WrongPassphrase | CollectError::KeyNotHere => {
                        Some(("lost", "When it is lost: what to do"))
                    }
                    _ => None,
                };
                view! {
                    <MessageBox message=messages::collect(&error) kind>
                        {next
                            .map(|(page, text)| {
                                let href = match id.parse::<TransactionId>() {
                                    Ok(id) => format!("/{page}?id={id}"),
                                    Err(_) => format!("/{page}"),
                                };
                                view! { <p><Link href=href>{text}</Link></p> }
                            })}
                    </MessageBox>
                }
                    .into_any()
            }
            Progress::Done(collected) => view! { <Done collected=*collected/> }.into_any(),
        }}
        <ErrorSummary faults/>
        <form on:submit=submit on:focusin=prepare novalidate class="card">
            <div class="field">
                <label for="collect-id">"Transaction ID"</label>
                <p class="hint" id="collect-id-hint">
                    "27 letters and digits. Spaces, hyphens and case do not matter."
                </p>
                <input
                    id="collect-id"
                    class="wide code"
                    type="text"
                    // Password managers name by it what they keep of the passphrases below.
                    autocomplete="username"
                    autocapitalize="characters"
                    spellcheck="false"
                    aria-describedby="collect-id-hint collect-id-whose"
                    on:focus=move |_| id_touched.set(true)
                    bind:value=transaction_id
                />
                <p class="hint" id="collect-id-whose">
                    {move || {
                        whose
                            .get()
                            .map(|enrollment| {
                                format!(
                                    "The request of {}, made on {}.",
                                    enrollment.application.common_name,
                                    date_and_time(enrollment.created_at),
                                )
                            })
                    }}
                </p>
            </div>
            <TextField
                id=PASSPHRASE
                label="Pickup Passphrase"
                hint="The one that you chose when you registered. It stays in this browser, and it will also open the file."
                input_type="password"
                autocomplete="current-password"
                value=passphrase
                faults
            />
            <Formats chosen=format/>
            <AnotherPassphraseFields another words=FILE_PASSPHRASE/>
            <p class="actions">
                <button type="submit" aria-disabled=move || busy().then_some("true")>"Collect"</button>
            </p>
        </form>
        <RestorePanel on_restored/>
    }
}

/// What the passphrase of the file alone is called.
const FILE_PASSPHRASE: AnotherPassphraseWords = AnotherPassphraseWords {
    choice: "Give the file a passphrase of its own",
    hint: "For a file that goes to another program or another person. Your pickup passphrase stays as it is.",
    field: "Passphrase of the file",
    confirmation: "Passphrase of the file once more",
};

/// The profile to recommend on this system.
fn recommended() -> Profile {
    let user_agent = window().navigator().user_agent().unwrap_or_default();
    if takes_aes(&user_agent) { Profile::Modern } else { Profile::Compatible }
}

/// The kinds of file on offer, the one for this system chosen beforehand.
#[component]
fn Formats(chosen: RwSignal<ExportFormat>) -> impl IntoView {
    let formats = [
        (
            ExportFormat::Pkcs12(Profile::Modern),
            "PKCS#12, Modern",
            "AES-256. For Windows 10, Server 2019, macOS 15, iOS 17, Android 14, and later; Linux, Firefox, Java.",
        ),
        (
            ExportFormat::Pkcs12(Profile::Compatible),
            "PKCS#12, Compatible",
            "Triple DES. For what is older, and says “wrong password” to the Modern file.",
        ),
        (
            ExportFormat::Pem,
            "PEM",
            "A text with the encrypted key, the certificate and its chain, for curl, servers and scripts.",
        ),
    ];
    view! {
        <fieldset class="field formats">
            <legend>"File"</legend>
            {formats
                .map(|(format, name, advice)| {
                    let is_recommended = format == ExportFormat::Pkcs12(recommended());
                    let advice_id = format!("format-{}", name.to_ascii_lowercase().replace([',', ' ', '#'], ""));
                    view! {
                        <label class="choice">
                            <input
                                type="radio"
                                name="format"
                                aria-describedby=advice_id.clone()
                                prop:checked=move || chosen.get() == format
                                on:change=move |_| chosen.set(format)
                            />
                            {name}
                        </label>
                        <p class="hint" id=advice_id>
                            {advice}
                            {is_recommended.then_some(" Recommended for this computer.")}
                        </p>
                    }
                })
                .collect_view()}
        </fieldset>
    }
}

/// The certificate, and the file to download.
#[component]
fn Done(collected: Collected) -> impl IntoView {
    let certificate = collected.certificate.clone();
    // As far as it is known now: a name that changes while it is read helps nobody.
    let badge = untrack(|| Context::here().configuration()).and_then(|configuration| configuration.badge);
    let file_name = collected.file_name(badge.as_deref());
    let message = Message {
        title: "Your certificate is ready".into(),
        way_out: format!(
            "It belongs to your key{}. Download the file, then import it where you need it; it opens with the passphrase that you gave it, which is your pickup passphrase unless you chose another.",
            if collected.not_compared.is_none() { " and leads to the configured certification authority" } else { "" },
        ),
        ..Message::default()
    };
    let not_compared = collected.not_compared.clone().map(|not_compared| view! { <NotComparedNote not_compared/> });
    let outcome = RwSignal::new("");
    let name = file_name.clone();
    let (media_type, kind) = (collected.format.media_type(), collected.format.abbreviation());
    let enrollment_id = collected.enrollment.id();
    let install = format!("/install?request={enrollment_id}");
    let downloaded_key = enrollment_id.clone();
    let context = Context::here();
    let common_name = collected.enrollment.application.common_name.clone();
    let save = move |_| {
        let said = components::save(&collected.file, media_type, &name);
        outcome.set(said);
        if said.is_empty() {
            let download = Download { file_name: name.clone(), at: context.clock.now() };
            let enrollment_id = downloaded_key.clone();
            spawn_local(async move {
                // A note for the user's own memory: the file is saved whether it is kept or not.
                let _ = context.store.update(&enrollment_id, |kept| kept.downloads.push(download)).await;
            });
        }
    };
    view! {
        <MessageBox message kind="done">
            {not_compared}
            <p class="actions">
                <button type="button" on:click=save>"Download " {kind}</button>
                <span class="quiet">{file_name}</span>
                <span role="status">{outcome}</span>
            </p>
            <CertificateParticulars certificate/>
            <p>"Where to put the file, and how to prove that it works: " <Link href=install>"Install and connect"</Link> "."</p>
            <BackUp enrollment_id common_name/>
        </MessageBox>
    }
}
