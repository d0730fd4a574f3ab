//! Restoring a backup. The panel is on pages of the main job; the form in it is in the part that the other pages are in, and is loaded when the
//! panel is opened.

use futures_channel::mpsc::unbounded;
use futures_util::StreamExt;
use keyside_core::backup::MAXIMUM_SIZE;
use keyside_core::domain::enrollment::{Enrollment, Standing};
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::service::restore::{self, Backup, Certificates, Outcome, Restored, SealedOtherwise, UnusableBackup};
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use leptos::wasm_split::SplitLoaderError;
#[cfg(feature = "split")]
use leptos::wasm_split::wasm_split;
use web_sys::File;

use super::components::{NotComparedNote, Trouble};
use super::context::Context;
use super::file_field::{FileField, FileReading, bytes_of};
use super::form::{self, TextField};
use super::format::date_and_time;
use super::key_making::Stoppable;
use super::links::Link;
use super::messages::{self, Message};
use crate::browser::storage;
use crate::browser::worker_client::Role;

/// The panel to restore a backup in.
#[component]
pub fn RestorePanel(
    /// Hears of what was restored.
    on_restored: Callback<Enrollment>,
) -> impl IntoView {
    let shown: RwSignal<Option<bool>> = RwSignal::new(None);
    let form = StoredValue::new_local(None);
    let (toggled, mut toggles) = unbounded();
    spawn_local_scoped_with_cancellation(async move {
        while toggles.next().await.is_some() {
            let loaded = restore_form(on_restored).await.ok();
            shown.set(Some(loaded.is_some()));
            if loaded.is_some() {
                form.set_value(loaded);
                break;
            }
        }
    });
    view! {
        <details class="card restore no-print" on:toggle=move |_| drop(toggled.unbounded_send(()))>
            <summary>"Restore from a backup"</summary>
            <p>
                "Nothing is sent: the file is read in this browser, and nothing that is saved here already is overwritten."
            </p>
            {move || match shown.get() {
                Some(true) => form.try_update_value(Option::take).flatten(),
                Some(false) => Some(view! { <p class="trouble">"It can't be loaded now. Close this panel, then open it again."</p> }.into_any()),
                None => None,
            }}
        </details>
    }
}

/// The form, in the part.
#[cfg(feature = "split")]
#[wasm_split(other, wasm_split_path = ::leptos::wasm_split, fallible)]
fn restore_form(on_restored: Callback<Enrollment>) -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <RestoreForm on_restored/> }.into_any())
}

#[cfg(not(feature = "split"))]
async fn restore_form(on_restored: Callback<Enrollment>) -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <RestoreForm on_restored/> }.into_any())
}

/// The passphrase's field, by the id of its element.
const PASSPHRASE: &str = "restore-passphrase";

/// The progress of a restore.
#[derive(Clone)]
enum Progress {
    Idle,
    Reading,
    Read(Backup),
    Working(Backup),
    Failed(Option<Backup>, Message),
    Done(Backup, Box<Restored>),
}

impl Progress {
    /// The backup that was picked and can be read.
    fn backup(&self) -> Option<Backup> {
        match self {
            Self::Idle | Self::Reading => None,
            Self::Read(backup) | Self::Working(backup) | Self::Done(backup, _) => Some(backup.clone()),
            Self::Failed(backup, _) => backup.clone(),
        }
    }
}

/// Restores a backup that is picked or dropped.
#[component]
fn RestoreForm(
    /// Hears of what was restored.
    on_restored: Callback<Enrollment>,
) -> impl IntoView {
    let context = Context::here();
    let reading = FileReading::new();
    let restoring = Stoppable::new();
    let progress = RwSignal::new(Progress::Idle);
    let passphrase = RwSignal::new(String::new());
    // A fault is told below the form, once.
    let faults = Memo::new(|_| Vec::new());
    let start = move |sealed_otherwise: SealedOtherwise| {
        if reading.delays_submission() || matches!(progress.get_untracked(), Progress::Working(_)) {
            return;
        }
        let Some(backup) = progress.with_untracked(Progress::backup) else {
            let message = Message { title: "Pick the backup file first".into(), ..Message::default() };
            progress.set(Progress::Failed(None, message));
            return;
        };
        progress.set(Progress::Working(backup.clone()));
        spawn_local(async move {
            let authority = context.authority();
            let restoring_it = restore::restore(
                &context.workers,
                &context.store,
                &authority,
                &context.clock,
                backup.clone(),
                Passphrase::new(passphrase.get_untracked()),
                sealed_otherwise,
            );
            let Some(restored) = restoring.run(restoring_it).await else { return };
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
        restoring.stop();
        progress.set(Progress::Reading);
        let read = reading.begin(async move {
            let bytes = read_file(&file).await?;
            restore::read(&context.workers, bytes).await.map_err(|error| messages::backup(&error))
        });
        spawn_local(async move {
            match read.await {
                Some((Ok(backup), is_submitted)) => {
                    progress.set(Progress::Read(backup));
                    if is_submitted {
                        start(SealedOtherwise::Keep);
                    }
                }
                Some((Err(message), _)) => progress.set(Progress::Failed(None, message)),
                None => (),
            }
        });
    });
    let prepare = form::prepare(&[Role::Inspector]);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        storage::ask_for_persistence();
        start(SealedOtherwise::Keep);
    };
    let cancel = move |_: MouseEvent| {
        restoring.stop();
        progress.update(|progress| *progress = progress.backup().map_or(Progress::Idle, Progress::Read));
    };
    let replace = move |_| start(SealedOtherwise::Replace);
    view! {
        <form on:submit=submit on:focusin=prepare novalidate>
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
            <TextField
                id=PASSPHRASE
                label="Passphrase of the backup"
                hint="The pickup passphrase that the key had when the backup was saved."
                input_type="password"
                autocomplete="current-password"
                value=passphrase
                faults
            />
            <div role="status">{move || progress.with(|progress| view! { <Said progress=progress.clone()/> })}</div>
            <p class="actions">
                {move || {
                    progress
                        .with(|progress| matches!(progress, Progress::Working(_)))
                        .then(|| {
                            view! { <button type="button" class="secondary" on:click=cancel>"Cancel"</button> }
                        })
                }}
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
    }
}

/// The text about a restore.
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
        Progress::Reading => view! { <p>"Reading the file…"</p> }.into_any(),
        Progress::Working(_) => view! {
            <p>"Trying the passphrase…"</p>
            <progress aria-label="Restoring"></progress>
        }
        .into_any(),
        Progress::Failed(_, message) => view! { <Trouble message/> }.into_any(),
        Progress::Done(_, restored) => {
            let message = messages::restored(&restored);
            let not_compared = match restored.certificates {
                Certificates::NotCompared(not_compared) => Some(view! { <NotComparedNote not_compared/> }),
                Certificates::Good | Certificates::LeftOut => None,
            };
            let details = format!("/requests/{}", restored.enrollment.id());
            view! {
                <p>
                    <strong>{message.title} ". "</strong>
                    {message.way_out} " "
                    <Link href=details>"Open the request"</Link>
                </p>
                {not_compared}
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
