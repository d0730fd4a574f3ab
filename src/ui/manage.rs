//! What can be done with what this browser holds of one request: change its passphrase, remove it.

use keyside_core::domain::enrollment::Standing;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::ports::{KeyStore, StoreError};
use keyside_core::service::change_passphrase::change_passphrase;
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::components::{Trouble, focus, focus_soon};
use super::context::Context;
use super::form::{self, ErrorSummary, Fault, Rules, TextField};
use super::links::use_go;
use super::messages::{self, Message};
use crate::browser::worker_client::Role;

/// The fields, by the id of their element.
const PRESENT: &str = "present-passphrase";
const NEW: &str = "new-passphrase";
const CONFIRMATION: &str = "new-passphrase-confirmation";

/// How a change goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Working,
    Failed(Message),
    Done,
}

/// Changes the pickup passphrase.
#[component]
pub fn ChangePassphrasePanel(
    /// The enrollment's ID.
    enrollment_id: String,
    /// Whose it is.
    common_name: String,
) -> impl IntoView {
    let context = Context::here();
    let [present, new, confirmation] = [(); 3].map(|()| RwSignal::new(String::new()));
    let policy =
        untrack(|| context.configuration()).map(|configuration| configuration.passphrase_policy).unwrap_or_default();
    let attempted = RwSignal::new(false);
    let prepare = form::prepare(&[Role::Custodian]);
    let about = RwSignal::new(common_name.clone());
    let faults = Memo::new(move |_| -> Vec<Fault> {
        if !attempted.get() {
            return Vec::new();
        }
        let missing = present.with(String::is_empty).then(|| (PRESENT, "Enter the present passphrase.".to_owned()));
        let typed = [(NEW, &*new.get()), (CONFIRMATION, &*confirmation.get())];
        let new_ones = form::passphrase_faults(policy, &[about.get()], typed);
        missing.into_iter().chain(new_ones).collect()
    });
    let progress = RwSignal::new(Progress::Idle);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if matches!(progress.get_untracked(), Progress::Working) {
            return;
        }
        attempted.set(true);
        if !faults.with_untracked(Vec::is_empty) {
            focus_soon("error-summary");
            return;
        }
        progress.set(Progress::Working);
        let enrollment_id = enrollment_id.clone();
        let [present_one, new_one] = [present, new].map(|typed| Passphrase::new(typed.get_untracked()));
        spawn_local(async move {
            let changed =
                match context.store.get(&enrollment_id).await.and_then(|held| held.ok_or(StoreError::NotThere)) {
                    Ok(held) => change_passphrase(&context.workers, &context.store, &held, present_one, new_one).await,
                    Err(error) => Err(error.into()),
                };
            let _ = progress.try_set(match changed {
                Ok(_) => {
                    attempted.try_set(false);
                    for field in [present, new, confirmation] {
                        field.try_set(String::new());
                    }
                    Progress::Done
                }
                Err(error) => Progress::Failed(messages::change_passphrase(&error)),
            });
        });
    };
    let said = move || {
        match progress.get() {
        Progress::Idle => ().into_any(),
        Progress::Working => {
            view! {
                <p>"Opening your key, and sealing it anew…"</p>
                <progress aria-label="Changing the passphrase"></progress>
            }
            .into_any()
        }
        Progress::Failed(message) => view! { <Trouble message/> }.into_any(),
        Progress::Done => {
            view! { <p>"The passphrase is changed. Save a new backup: the ones that you have open with the old one."</p> }
                .into_any()
        }
    }
    };
    view! {
        <details class="card no-print">
            <summary>"Change the passphrase"</summary>
            <p>"Files and backups that you saved before keep the passphrase that they had."</p>
            <ErrorSummary faults/>
            <form on:submit=submit on:focusin=prepare novalidate>
                <input type="text" autocomplete="username" hidden value=common_name/>
                <TextField
                    id=PRESENT
                    label="Present passphrase"
                    hint="The one that opens your key now."
                    input_type="password"
                    autocomplete="current-password"
                    value=present
                    faults
                />
                <TextField
                    id=NEW
                    label="New passphrase"
                    hint="Remember it: nobody can recover it."
                    input_type="password"
                    autocomplete="new-password"
                    value=new
                    faults
                />
                <Rules policy passphrase=new/>
                <TextField
                    id=CONFIRMATION
                    label="New passphrase once more"
                    hint="The same once more."
                    input_type="password"
                    autocomplete="new-password"
                    value=confirmation
                    faults
                />
                <div role="status">{said}</div>
                <p class="actions">
                    <button type="submit" class="secondary">"Change the passphrase"</button>
                </p>
            </form>
        </details>
    }
}

/// Removes an enrollment from this browser, after asking twice.
#[component]
pub fn RemovePanel(
    /// The enrollment's ID.
    enrollment_id: String,
    /// Whose it is.
    common_name: String,
    /// How it stands.
    standing: Memo<Option<Standing>>,
) -> impl IntoView {
    let context = Context::here();
    let go = use_go();
    let asking = RwSignal::new(false);
    let failure: RwSignal<Option<Message>> = RwSignal::new(None);
    let what_is_lost = move || match standing.get() {
        Some(Standing::Rejected(_)) => "The request was rejected, so nothing of use is lost.",
        Some(Standing::Collected) => {
            "The key and the certificate in this browser are deleted for good. Files and backups that you saved are not."
        }
        _ => {
            "The key is deleted for good. Without a backup, the certificate of this request can then never be used. The request itself is not withdrawn: tell your User Access Administrator."
        }
    };
    let remove = move |_: MouseEvent| {
        let (enrollment_id, go) = (enrollment_id.clone(), go.clone());
        spawn_local(async move {
            match context.store.remove(&enrollment_id).await {
                Ok(()) => go("/certificates"),
                Err(error) => {
                    let _ = failure.try_set(Some(messages::store(&error)));
                }
            }
        });
    };
    let ask = move |_: MouseEvent| {
        asking.set(true);
        focus_soon("remove-question");
    };
    let keep = move |_: MouseEvent| {
        asking.set(false);
        focus("remove");
    };
    let remove = StoredValue::new(remove);
    view! {
        <details class="card no-print">
            <summary id="remove">"Remove from this browser"</summary>
            <p>{what_is_lost}</p>
            <p>"Save a backup first, above, unless you are sure that you will never need it."</p>
            <p class="actions">
                <button type="button" class="secondary" aria-expanded=move || asking.get().to_string() on:click=ask>
                    "Remove"
                </button>
            </p>
            {move || {
                asking
                    .get()
                    .then(|| {
                        view! {
                            <section class="message error" aria-labelledby="remove-question">
                                <h3 id="remove-question" tabindex="-1">
                                    "Remove the request of " {common_name.clone()} " for good?"
                                </h3>
                                <p class="actions">
                                    <button type="button" on:click=move |event| remove.with_value(|remove| remove(event))>
                                        "Yes, remove it for good"
                                    </button>
                                    <button type="button" class="secondary" on:click=keep>
                                        "Keep it"
                                    </button>
                                </p>
                            </section>
                        }
                    })
            }}
            <div role="status">
                {move || failure.get().map(|message| view! { <Trouble message/> })}
            </div>
        </details>
    }
}
