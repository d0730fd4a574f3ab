//! Making a key pair: the choice of its size, what is shown meanwhile, and the way to stop it.

use futures_util::future::{AbortHandle, abortable};
use keyside_core::domain::key_size::KeySize;
use keyside_core::protocol::{Searching, Stage};
use leptos::ev::MouseEvent;
use leptos::prelude::*;

use super::messages;

/// Work that can be stopped, and is when its page goes away.
#[derive(Clone, Copy)]
pub struct Stoppable(StoredValue<Option<AbortHandle>>);

impl Stoppable {
    /// Nothing is under way yet.
    pub fn new() -> Self {
        let this = Self(StoredValue::new(None));
        on_cleanup(move || this.stop());
        this
    }

    /// Does `work` to its end, or until it is stopped or other work begins: then there is no result.
    pub async fn run<T>(self, work: impl Future<Output = T>) -> Option<T> {
        self.stop();
        let (work, handle) = abortable(work);
        self.0.try_set_value(Some(handle));
        work.await.ok()
    }

    /// Stops what is under way.
    pub fn stop(self) {
        if let Some(handle) = self.0.try_update_value(Option::take).flatten() {
            handle.abort();
        }
    }
}

impl Default for Stoppable {
    fn default() -> Self {
        Self::new()
    }
}

/// What is being done, how far it has come, and the way to stop it.
#[component]
pub fn Working(
    /// How far it has come.
    stage: RwSignal<Stage>,
    /// Stops it.
    on_cancel: impl Fn(MouseEvent) + 'static,
) -> impl IntoView {
    // Only what changes is said aloud.
    let doing = Memo::new(move |_| messages::stage(stage.get()));
    let searching = move || if let Stage::GeneratingKeyPair(searching) = stage.get() { Some(searching) } else { None };
    let usual = move || {
        let Searching { tested, expected, .. } = searching().filter(|searching| searching.expected > 0)?;
        Some(format!("{tested} numbers tested. On average it takes {expected} to find one."))
    };
    view! {
        <section class="message wait" id="progress" tabindex="-1" aria-labelledby="progress-title">
            <h2 id="progress-title">"Making your key pair"</h2>
            <p role="status">{doing}</p>
            // Without a value while there is nothing to count.
            <progress
                aria-label="Making your key pair"
                max="1"
                value=move || searching().map(|searching| format!("{:.3}", searching.share()))
            ></progress>
            <p class="quiet">{usual}</p>
            <p class="quiet">
                "This takes a moment, with 4096 bits on a slow computer up to a minute. Keep this page open; you can use other tabs."
            </p>
            <p class="actions">
                <button type="button" class="secondary" on:click=on_cancel>"Cancel"</button>
            </p>
        </section>
    }
}

/// The key sizes on offer.
#[component]
pub fn KeyAlgorithm(
    /// The sizes.
    sizes: Vec<KeySize>,
    /// The one that is chosen.
    chosen: RwSignal<KeySize>,
) -> impl IntoView {
    let on_offer = sizes.clone();
    Effect::new(move || {
        // A draft may name a size that is not on offer any more.
        if !on_offer.contains(&chosen.get())
            && let Some(&first) = on_offer.first()
        {
            chosen.set(first);
        }
    });
    view! {
        <fieldset class="field">
            <legend>"Key Algorithm"</legend>
            <p class="hint">"RSA. A longer key takes longer to make; 2048 bits are accepted everywhere."</p>
            <div class="choices">
                {sizes
                    .into_iter()
                    .map(|size| {
                        view! {
                            <label class="choice">
                                <input
                                    type="radio"
                                    name="key-size"
                                    value=size.to_string()
                                    prop:checked=move || chosen.get() == size
                                    on:input=move |_| chosen.set(size)
                                />
                                "RSA "
                                {size.to_string()}
                            </label>
                        }
                    })
                    .collect_view()}
            </div>
        </fieldset>
    }
}
