//! Saving a backup.

use keyside_core::service::back_up::back_up;
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};

use super::components;
use super::context::Context;
use super::messages;
use crate::browser::storage;

/// The reasons to have a backup, and the button that saves one.
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
