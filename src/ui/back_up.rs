//! Saving a backup, and restoring one.

use keyside_core::backup::MAXIMUM_SIZE;
use keyside_core::domain::enrollment::{Enrollment, Standing};
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::service::back_up::back_up;
use keyside_core::service::restore::{self, Backup, Outcome, Restored, SealedOtherwise, UnusableBackup};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use web_sys::File;

use super::components::{self, ShowPassphrase};
use super::context::Context;
use super::file_field::{FileField, bytes_of};
use super::format::date_and_time;
use super::messages::{self, Message};
use crate::browser::storage;
use crate::ui::links::Link;

/// Why to have a backup, and the button that saves one.
#[component]
pub fn BackUp(
    /// The enrollment's ID.
    enrollment_id: String,
    /// Whose it is.
    common_name: String,
) -> impl IntoView {
    let context = Context::here();
    let outcome = RwSignal::new(String::new());
    let save = move |_| {
        let enrollment_id = enrollment_id.clone();
        let badge = untrack(|| context.configuration()).and_then(|configuration| configuration.badge);
        spawn_local(async move {
            let said = match back_up(&context.workers, &context.store, &enrollment_id).await {
                Ok(backup) => {
                    let file_name = backup.file_name(badge.as_deref());
                    match components::save(backup.text.as_bytes(), "text/plain", &file_name) {
                        "" => format!("Saved as “{file_name}”."),
                        fault => fault.to_owned(),
                    }
                }
                Err(error) => messages::back_up(&error).in_one_line(),
            };
            let _ = outcome.try_set(said);
        });
    };
    let persistent: RwSignal<Option<bool>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move { persistent.set(storage::is_persistent().await) });
    let ask = move |_| {
        spawn_local(async move {
            let answer = storage::make_persistent().await;
            let _ = persistent.try_set(answer);
            let _ = outcome.try_set(
                match answer {
                    Some(true) => "The browser keeps it.",
                    _ => "The browser makes no promise: save a backup.",
                }
                .to_owned(),
            );
        });
    };
    view! {
        <div class="no-print">
            <p>
                "A backup is one file with the encrypted key and all that belongs to it. With it and the passphrase you can go on in another browser or on another computer, should this one be lost."
            </p>
            <p class="quiet">
                {move || {
                    if persistent.get() == Some(true) {
                        "This browser has promised not to delete what is saved here on its own. You can still delete it, by clearing the data of this site."
                    } else {
                        "This browser may delete what is saved here when its disk is full; Safari does so when you use it for seven days without opening this page."
                    }
                }}
            </p>
            <p class="actions">
                <button type="button" class="secondary" on:click=save>
                    "Save a backup"
                    <span class="visually-hidden">" of the request of " {common_name}</span>
                </button>
                {move || {
                    (persistent.get() == Some(false))
                        .then(|| {
                            view! {
                                <button type="button" class="secondary" on:click=ask>
                                    "Ask the browser to keep it"
                                </button>
                            }
                        })
                }}
                <span role="status" class="quiet">{outcome}</span>
            </p>
        </div>
    }
}

/// How restoring goes.
#[derive(Clone)]
enum Progress {
    Idle,
    /// The file is being read; whether Restore was pressed meanwhile.
    Reading {
        pressed: bool,
    },
    Read(Backup),
    Working(Backup),
    Failed(Option<Backup>, Message),
    Done(Backup, Box<Restored>),
}

impl Progress {
    /// The backup that was picked and can be read.
    fn backup(&self) -> Option<Backup> {
        match self {
            Self::Idle | Self::Reading { .. } => None,
            Self::Read(backup) | Self::Working(backup) | Self::Done(backup, _) => Some(backup.clone()),
            Self::Failed(backup, _) => backup.clone(),
        }
    }
}

/// Restores a backup that is picked or dropped.
#[component]
pub fn RestorePanel(
    /// Hears of what was restored.
    on_restored: Callback<Enrollment>,
) -> impl IntoView {
    let context = Context::here();
    let progress = RwSignal::new(Progress::Idle);
    let passphrase = RwSignal::new(String::new());
    let shown = RwSignal::new(false);
    let start = move |sealed_otherwise: SealedOtherwise| {
        match progress.get_untracked() {
            Progress::Working(_) => return,
            Progress::Reading { .. } => {
                progress.set(Progress::Reading { pressed: true });
                return;
            }
            _ => (),
        }
        let Some(backup) = progress.with_untracked(Progress::backup) else {
            let message = Message { title: "Pick the backup file first".into(), way_out: String::new() };
            progress.set(Progress::Failed(None, message));
            return;
        };
        progress.set(Progress::Working(backup.clone()));
        spawn_local(async move {
            let restored = restore::restore(
                &context.workers,
                &context.store,
                &context.clock,
                backup.clone(),
                Passphrase::new(passphrase.get_untracked()),
                sealed_otherwise,
            )
            .await;
            let _ = progress.try_set(match restored {
                Ok(restored) => {
                    if restored.outcome != Outcome::KeptSealedOtherwise {
                        passphrase.try_set(String::new());
                    }
                    on_restored.run(restored.enrollment.clone());
                    Progress::Done(backup, Box::new(restored))
                }
                Err(error) => Progress::Failed(Some(backup), messages::restore(&error)),
            });
        });
    };
    let picked = Callback::new(move |file: File| {
        progress.set(Progress::Reading { pressed: false });
        spawn_local(async move {
            let read = match read_file(&file).await {
                Err(message) => Progress::Failed(None, message),
                Ok(bytes) => match restore::read(&context.workers, bytes).await {
                    Ok(backup) => Progress::Read(backup),
                    Err(error) => Progress::Failed(None, messages::backup(&error)),
                },
            };
            let is_wanted = matches!(read, Progress::Read(_))
                && matches!(progress.try_get_untracked(), Some(Progress::Reading { pressed: true }));
            if progress.try_set(read).is_none() && is_wanted {
                start(SealedOtherwise::Keep);
            }
        });
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        start(SealedOtherwise::Keep);
    };
    let replace = move |_| start(SealedOtherwise::Replace);
    view! {
        <details class="card restore no-print">
            <summary>"Restore from a backup"</summary>
            <p>
                "Nothing is sent: the file is read in this browser, and nothing that is saved here already is overwritten."
            </p>
            <form on:submit=submit novalidate>
                <FileField
                    id="restore-file"
                    label="Backup file"
                    hint="Pick it, or drop it here."
                    accept=".txt,text/plain"
                    on_file=picked
                />
                // Password managers name what they keep by it.
                <input
                    type="text"
                    autocomplete="username"
                    hidden
                    prop:value=move || {
                        progress
                            .with(Progress::backup)
                            .map(|backup| backup.enrollment().application.common_name.clone())
                            .unwrap_or_default()
                    }
                />
                <div class="field">
                    <label for="restore-passphrase">"Passphrase of the backup"</label>
                    <p class="hint" id="restore-passphrase-hint">
                        "The pickup passphrase that the key had when the backup was saved."
                    </p>
                    <input
                        id="restore-passphrase"
                        type=move || if shown.get() { "text" } else { "password" }
                        autocomplete="current-password"
                        spellcheck="false"
                        autocapitalize="off"
                        aria-describedby="restore-passphrase-hint"
                        bind:value=passphrase
                    />
                    <ShowPassphrase of="Passphrase of the backup" shown/>
                </div>
                <div role="status">{move || progress.with(|progress| view! { <Said progress=progress.clone()/> })}</div>
                <p class="actions">
                    <button type="submit" class="secondary">"Restore"</button>
                    {move || {
                        let sealed_otherwise = progress
                            .with(|progress| {
                                matches!(progress, Progress::Done(_, restored) if restored.outcome == Outcome::KeptSealedOtherwise)
                            });
                        sealed_otherwise
                            .then(|| {
                                view! {
                                    <button type="button" class="secondary" on:click=replace>
                                        "Use the backup's key instead"
                                    </button>
                                }
                            })
                    }}
                </p>
            </form>
        </details>
    }
}

/// What there is to say of a restore.
#[component]
fn Said(progress: Progress) -> impl IntoView {
    match progress {
        Progress::Idle => ().into_any(),
        Progress::Read(backup) => {
            let enrollment = backup.enrollment();
            let held = if enrollment.standing() == Standing::Collected { ", with its certificate" } else { "" };
            view! {
                <p>
                    "The backup of the request of "
                    <strong>{enrollment.application.common_name.clone()}</strong>
                    ", made on "
                    {date_and_time(enrollment.created_at)}
                    {held}
                    ". Enter its passphrase, then press Restore."
                </p>
            }
            .into_any()
        }
        Progress::Reading { .. } => view! { <p>"Reading the file…"</p> }.into_any(),
        Progress::Working(_) => view! {
            <p>"Trying the passphrase…"</p>
            <progress aria-label="Restoring"></progress>
        }
        .into_any(),
        Progress::Failed(_, message) => {
            view! { <p class="trouble"><strong>{message.title} ". "</strong> {message.way_out}</p> }.into_any()
        }
        Progress::Done(_, restored) => {
            let message = messages::restored(&restored);
            let details = format!("/requests/{}", restored.enrollment.id());
            view! {
                <p>
                    <strong>{message.title} ". "</strong>
                    {message.way_out} " "
                    <Link href=details>"Open the request"</Link>
                </p>
            }
            .into_any()
        }
    }
}

/// The bytes of a file that can be a backup.
async fn read_file(file: &File) -> Result<Vec<u8>, Message> {
    if file.size() > MAXIMUM_SIZE as f64 {
        return Err(messages::backup(&UnusableBackup::NotABackup));
    }
    Ok(bytes_of(file, MAXIMUM_SIZE).await?.to_vec())
}
