//! Collect: transaction ID and passphrase in, PKCS#12 out.

use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;

use crate::domain::enrollment::{Download, Enrollment, Standing};
use crate::domain::passphrase::{Passphrase, PassphrasePolicy};
use crate::domain::transaction_id::TransactionId;
use crate::domain::user_agent::takes_aes;
use crate::pki::pfx::Profile;
use crate::ports::{Clock, KeyStore};
use crate::protocol::ExportFormat;
use crate::service::collect::{self, CollectError, Collected, Wanted};
use crate::ui::backup::{BackUp, RestorePanel};
use crate::ui::components::{self, CertificateParticulars, MessageBox, PageHeading, ShowPassphrase, focus_soon};
use crate::ui::context::Context;
use crate::ui::form::{self, ErrorSummary, Fault, Rules, TextField};
use crate::ui::format::date_and_time;
use crate::ui::messages::{self, Message};

/// The media type of PKCS#12 files.
const PKCS12: &str = "application/x-pkcs12";
/// The media type of PEM files.
const PEM: &str = "application/x-pem-file";

/// How collecting goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Busy,
    Failed(CollectError),
    Done(Box<Collected>),
}

/// The collecting page.
#[component]
pub fn Collect() -> impl IntoView {
    let context = Context::here();
    let query = use_query_map();
    let transaction_id = RwSignal::new(query.read_untracked().get("id").unwrap_or_default());
    let passphrase = RwSignal::new(String::new());
    let passphrase_missing = RwSignal::new(false);
    let progress = RwSignal::new(Progress::Idle);
    let passphrase_field: NodeRef<html::Input> = NodeRef::new();
    let shown = RwSignal::new(false);
    let format = RwSignal::new(ExportFormat::Pkcs12(recommended()));
    let another = AnotherPassphrase::new();
    let held: RwSignal<Vec<Enrollment>> = RwSignal::default();

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
                if shown.is_empty() {
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

    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if matches!(progress.get_untracked(), Progress::Busy) {
            return;
        }
        another.attempted.set(true);
        passphrase_missing.set(passphrase.with_untracked(String::is_empty));
        if passphrase_missing.get_untracked() {
            if let Some(field) = passphrase_field.get_untracked() {
                let _ = field.focus();
            }
            return;
        }
        if !another.faults.with_untracked(Vec::is_empty) {
            focus_soon("error-summary");
            return;
        }
        progress.set(Progress::Busy);
        spawn_local(async move {
            let outcome = collect::collect(
                &context.workers,
                &context.store,
                &context.authority(),
                &context.clock,
                &transaction_id.get_untracked(),
                Passphrase::new(passphrase.get_untracked()),
                Wanted { format: format.get_untracked(), passphrase: another.typed() },
            )
            .await;
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
                    </div>
                }
                    .into_any()
            }
            Progress::Failed(error) => {
                let kind = if error == CollectError::Pending { "wait" } else { "error" };
                view! { <MessageBox message=messages::collect(&error) kind/> }.into_any()
            }
            Progress::Done(collected) => view! { <Done collected=*collected/> }.into_any(),
        }}
        <ErrorSummary faults=another.faults/>
        <form on:submit=submit novalidate class="card">
            <div class="field">
                <label for="collect-id">"Transaction ID"</label>
                <p class="hint" id="collect-id-hint">
                    "27 letters and digits. Spaces, hyphens and case do not matter."
                </p>
                <input
                    id="collect-id"
                    class="wide code"
                    type="text"
                    autocomplete="off"
                    autocapitalize="characters"
                    spellcheck="false"
                    aria-describedby="collect-id-hint collect-id-whose"
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
            <div class="field">
                <label for="collect-passphrase">"Pickup Passphrase"</label>
                <p class="hint" id="collect-passphrase-hint">
                    "The one that you chose when you registered. It stays in this browser, and it will also open the file."
                </p>
                {move || {
                    passphrase_missing
                        .get()
                        .then(|| {
                            view! {
                                <p class="field-error" id="collect-passphrase-error">
                                    "Enter the pickup passphrase."
                                </p>
                            }
                        })
                }}
                <input
                    id="collect-passphrase"
                    type=move || if shown.get() { "text" } else { "password" }
                    autocomplete="current-password"
                    aria-describedby=move || {
                        if passphrase_missing.get() {
                            "collect-passphrase-error collect-passphrase-hint"
                        } else {
                            "collect-passphrase-hint"
                        }
                    }
                    aria-invalid=move || passphrase_missing.get().then_some("true")
                    node_ref=passphrase_field
                    bind:value=passphrase
                />
                <ShowPassphrase of="Pickup Passphrase" shown/>
            </div>
            <Formats chosen=format/>
            <AnotherPassphraseFields another/>
            <p class="actions">
                <button type="submit" aria-disabled=move || busy().then_some("true")>"Collect"</button>
            </p>
        </form>
        <RestorePanel on_restored/>
    }
}

/// The fields of a passphrase for the file alone, by the id of their element.
const FILE_PASSPHRASE: &str = "file-passphrase";
const FILE_CONFIRMATION: &str = "file-passphrase-confirmation";

/// A passphrase for the file alone, if the user wants one.
#[derive(Clone, Copy)]
struct AnotherPassphrase {
    wanted: RwSignal<bool>,
    passphrase: RwSignal<String>,
    confirmation: RwSignal<String>,
    attempted: RwSignal<bool>,
    policy: Memo<PassphrasePolicy>,
    faults: Memo<Vec<Fault>>,
}

impl AnotherPassphrase {
    fn new() -> Self {
        let context = Context::here();
        let [wanted, attempted] = [(); 2].map(|()| RwSignal::new(false));
        let [passphrase, confirmation] = [(); 2].map(|()| RwSignal::new(String::new()));
        let policy = Memo::new(move |_| {
            context.configuration().map(|configuration| configuration.passphrase_policy).unwrap_or_default()
        });
        let faults = Memo::new(move |_| {
            if !(wanted.get() && attempted.get()) {
                return Vec::new();
            }
            let fields = ((FILE_PASSPHRASE, passphrase.get()), (FILE_CONFIRMATION, confirmation.get()));
            form::passphrase_faults(policy.get(), (fields.0.0, &fields.0.1), (fields.1.0, &fields.1.1))
        });
        Self { wanted, passphrase, confirmation, attempted, policy, faults }
    }

    /// The passphrase, if one is wanted.
    fn typed(self) -> Option<Passphrase> {
        self.wanted.get_untracked().then(|| Passphrase::new(self.passphrase.get_untracked()))
    }

    /// Forgets what was typed.
    fn clear(self) {
        self.attempted.try_set(false);
        for field in [self.passphrase, self.confirmation] {
            field.try_set(String::new());
        }
        self.wanted.try_set(false);
    }
}

#[component]
fn AnotherPassphraseFields(another: AnotherPassphrase) -> impl IntoView {
    view! {
        <div class="field">
            <label class="choice">
                <input type="checkbox" bind:checked=another.wanted/>
                "Give the file a passphrase of its own"
            </label>
            <p class="hint">"For a file that goes to another program or another person. Your pickup passphrase stays as it is."</p>
        </div>
        {move || {
            another
                .wanted
                .get()
                .then(|| {
                    view! {
                        // Password managers name what they keep by it.
                        <input type="text" autocomplete="username" hidden value="Keyside"/>
                        <TextField
                            id=FILE_PASSPHRASE
                            label="Passphrase of the file"
                            hint="Remember it: nobody can recover it."
                            input_type="password"
                            autocomplete="new-password"
                            value=another.passphrase
                            faults=another.faults
                        />
                        <Rules policy=another.policy.get() passphrase=another.passphrase/>
                        <TextField
                            id=FILE_CONFIRMATION
                            label="Passphrase of the file once more"
                            hint="The same once more."
                            input_type="password"
                            autocomplete="new-password"
                            value=another.confirmation
                            faults=another.faults
                        />
                    }
                })
        }}
    }
}

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
                    let advice_id = format!("format-{}", name.to_lowercase().replace([',', ' ', '#'], ""));
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
        way_out: "It belongs to your key and leads to the configured certification authority. Download the file, then import it where you need it; it opens with the passphrase that you gave it, which is your pickup passphrase unless you chose another.".into(),
    };
    let outcome = RwSignal::new("");
    let name = file_name.clone();
    let (media_type, kind) = match collected.format {
        ExportFormat::Pkcs12(_) => (PKCS12, "PKCS#12"),
        ExportFormat::Pem => (PEM, "PEM"),
    };
    let key_id = collected.enrollment.key_id.clone();
    let install = format!("/install?request={key_id}");
    let downloaded_key = key_id.clone();
    let context = Context::here();
    let common_name = collected.enrollment.application.common_name.clone();
    let save = move |_| {
        let said = components::save(&collected.file, media_type, &name);
        outcome.set(said);
        if said.is_empty() {
            let download = Download { file_name: name.clone(), at: context.clock.now() };
            let key_id = downloaded_key.clone();
            spawn_local(async move {
                // A note for the user's own memory: the file is saved whether it is kept or not.
                let _ = context.store.update(&key_id, |kept| kept.downloads.push(download)).await;
            });
        }
    };
    view! {
        <MessageBox message kind="done">
            <p class="actions">
                <button type="button" on:click=save>"Download " {kind}</button>
                <span class="quiet">{file_name}</span>
                <span role="status">{outcome}</span>
            </p>
            <CertificateParticulars certificate/>
            <p>"Where to put the file, and how to prove that it works: " <A href=install>"Install and connect"</A> "."</p>
            <BackUp key_id common_name/>
        </MessageBox>
    }
}
