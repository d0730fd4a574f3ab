//! Renew: the holder of a certificate that is about to end asks for the next one.

use std::sync::Arc;

use keyside_core::api::Configuration;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::ports::{Clock, KeyStore, StoreError};
use keyside_core::protocol::{Ahead, Searching, Stage};
use keyside_core::service::enroll;
use keyside_core::service::renew::{self, Current, RenewError, Renewable, UnpackError, Wanted};
use keyside_pki::pfx::MAXIMUM_SIZE;
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use leptos_router::hooks::use_params_map;
use web_sys::File;
use zeroize::Zeroizing;

use crate::browser::storage;
use crate::browser::worker_client::{Prepared, Role};
use crate::ui::components::{MessageBox, PageHeading, configuration_or_notice, focus_soon};
use crate::ui::context::Context;
use crate::ui::file_field::{FileField, FileReading, bytes_of};
use crate::ui::form::{
    AnotherPassphrase, AnotherPassphraseFields, AnotherPassphraseWords, ErrorSummary, Fault, TextField,
};
use crate::ui::format::{date_and_time, pairs};
use crate::ui::key_making::{KeyAlgorithm, Stoppable, Working};
use crate::ui::links::{Link, use_go};
use crate::ui::messages::{self, Message};

/// The field of the present passphrase, by the id of its element.
const PASSPHRASE: &str = "renew-passphrase";

/// What the passphrase of the new key alone is called.
const NEW_KEY_PASSPHRASE: AnotherPassphraseWords = AnotherPassphraseWords {
    choice: "Give the new key another passphrase",
    hint: "Otherwise it gets the one above. The current certificate keeps its own.",
    field: "Passphrase of the new key",
    confirmation: "Passphrase of the new key once more",
};

/// The renewal of a certificate that this browser holds.
#[component]
pub fn Renew() -> impl IntoView {
    let context = Context::here();
    let parameters = use_params_map();
    let passphrase = RwSignal::new(String::new());
    let id = parameters.read_untracked().get("enrollment_id").unwrap_or_default();
    let found: RwSignal<Option<Result<Option<Current>, StoreError>>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move {
        let held = context.store.get(&id).await.and_then(|held| held.ok_or(StoreError::NotThere));
        found.set(Some(held.map(|held| Current::of(&held))));
    });
    view! {
        <PageHeading text="Renew"/>
        <p class="lead">
            "Get the next certificate before the current one ends. The current one vouches that it is you who asks."
        </p>
        {move || match (found.get(), configuration_or_notice(context)) {
            (None, _) => view! { <p role="status">"Looking at the current certificate…"</p> }.into_any(),
            (_, Err(notice)) => notice,
            (Some(Err(error)), _) => view! { <MessageBox message=messages::store(&error)/> }.into_any(),
            (Some(Ok(None)), _) => {
                view! {
                    <p>
                        "The certificate of this request was not collected yet. " <Link href="/collect">"Collect it"</Link>
                        " first."
                    </p>
                }
                    .into_any()
            }
            (Some(Ok(Some(current))), Ok(configuration)) => {
                view! { <RenewalOf current configuration passphrase/> }.into_any()
            }
        }}
    }
}

/// What is known of a file that is to be renewed.
#[derive(Clone)]
enum Opening {
    Idle,
    Busy,
    Failed(Message),
    /// The certificates that can be renewed; the one that ends last comes first.
    Opened(Vec<Current>),
}

/// A file that was picked. There may be a private key in the clear in it: one copy, which is wiped with the page.
#[derive(Clone)]
struct PickedFile {
    name: String,
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

/// The renewal of a certificate that comes in a PKCS#12 file.
#[component]
pub fn RenewFromFile() -> impl IntoView {
    let context = Context::here();
    let file: RwSignal<Option<PickedFile>> = RwSignal::new(None);
    let passphrase = RwSignal::new(String::new());
    let opening = RwSignal::new(Opening::Idle);
    // Some programs give the key in the file a passphrase of its own: it is asked for when that shows.
    let key_passphrase = RwSignal::new(String::new());
    let key_is_locked = RwSignal::new(false);
    let chosen = RwSignal::new(0);
    let reading = FileReading::new();
    let unpacking = Stoppable::new();
    let open = move || {
        if reading.delays_submission() || matches!(opening.get_untracked(), Opening::Busy) {
            return;
        }
        let Some(PickedFile { bytes, .. }) = file.get_untracked() else {
            opening.set(Opening::Failed(Message {
                title: "Pick the file first".into(),
                way_out: "The .p12 or .pfx file that holds your certificate and its key.".into(),
                ..Message::default()
            }));
            return;
        };
        opening.set(Opening::Busy);
        spawn_local(async move {
            let of_key = key_is_locked.get_untracked().then(|| Passphrase::new(key_passphrase.get_untracked()));
            let of_file = Passphrase::new(passphrase.get_untracked());
            let Some(opened) = unpacking.run(renew::unpack(&context.workers, &bytes, of_file, of_key)).await else {
                return;
            };
            opening.set(match opened {
                Ok(current) => {
                    chosen.set(0);
                    Opening::Opened(current)
                }
                Err(error) => {
                    if error == UnpackError::KeyLocked {
                        key_is_locked.set(true);
                    }
                    Opening::Failed(messages::unpack(&error))
                }
            });
        });
    };
    let picked = Callback::new(move |picked: File| {
        unpacking.stop();
        file.set(None);
        key_is_locked.set(false);
        opening.set(Opening::Idle);
        let name = picked.name();
        let read = reading.begin(async move { bytes_of(&picked, MAXIMUM_SIZE).await });
        spawn_local(async move {
            match read.await {
                Some((Ok(bytes), is_submitted)) => {
                    file.set(Some(PickedFile { name, bytes: Arc::new(bytes) }));
                    if is_submitted {
                        open();
                    }
                }
                Some((Err(message), _)) => opening.set(Opening::Failed(message)),
                None => (),
            }
        });
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        open();
    };
    let cancel = move |_: MouseEvent| {
        unpacking.stop();
        opening.set(Opening::Idle);
    };
    view! {
        <PageHeading text="Renew"/>
        <p class="lead">
            "Renew a certificate that you have in a .p12 or .pfx file. The file stays in this browser; only the new request is sent."
        </p>
        {move || match (opening.get(), configuration_or_notice(context)) {
            (Opening::Opened(_), Err(notice)) => notice,
            (Opening::Opened(current), Ok(configuration)) => {
                view! { <RenewalOfOne current configuration chosen passphrase/> }.into_any()
            }
            (Opening::Idle, _) => ().into_any(),
            (Opening::Busy, _) => {
                view! {
                    <div role="status">
                        <p>"Opening the file… With several keys in it this can take half a minute."</p>
                        <progress aria-label="Opening the file"></progress>
                    </div>
                    <p class="actions">
                        <button type="button" class="secondary" on:click=cancel>"Cancel"</button>
                    </p>
                }
                    .into_any()
            }
            (Opening::Failed(message), _) => view! { <MessageBox message/> }.into_any(),
        }}
        <form on:submit=submit novalidate class="card" class:hidden=move || matches!(opening.get(), Opening::Opened(_))>
            <FileField
                id="renew-file"
                label="PKCS#12 file"
                hint="Pick it, or drop it here."
                accept=".p12,.pfx,application/x-pkcs12"
                on_file=picked
            />
            <p role="status" class="quiet">{move || file.get().map(|file| file.name)}</p>
            <input type="text" autocomplete="username" hidden prop:value=move || file.get().map(|file| file.name)/>
            <TextField
                id="renew-file-passphrase"
                label="Passphrase of the file"
                hint="It stays in this browser."
                input_type="password"
                autocomplete="current-password"
                value=passphrase
                faults=Memo::new(|_| Vec::new())
            />
            {move || key_is_locked.get().then(|| view! {
                <TextField
                    id="renew-key-passphrase"
                    label="Passphrase of the key in the file"
                    hint="The key has one of its own. It stays in this browser."
                    input_type="password"
                    autocomplete="off"
                    value=key_passphrase
                    faults=Memo::new(|_| Vec::new())
                />
            })}
            <p class="actions">
                <button type="submit">"Open"</button>
            </p>
        </form>
    }
}

/// The renewal of one of several certificates of a file.
#[component]
fn RenewalOfOne(
    /// The certificates that can be renewed; the one that ends last comes first.
    current: Vec<Current>,
    configuration: Configuration,
    /// Which of them.
    chosen: RwSignal<usize>,
    passphrase: RwSignal<String>,
) -> impl IntoView {
    let choice = (current.len() > 1).then(|| {
        let options = current.iter().enumerate().map(|(place, one)| {
            let summary = one.certificate.summary();
            view! {
                <label class="choice">
                    <input
                        type="radio"
                        name="certificate"
                        prop:checked=move || chosen.get() == place
                        on:change=move |_| chosen.set(place)
                    />
                    {format!("{}, valid until {}", summary.subject, date_and_time(summary.not_after))}
                </label>
            }
        });
        view! {
            <div class="card">
                <fieldset class="field">
                    <legend>"Which certificate do you want to renew?"</legend>
                    {options.collect_view()}
                </fieldset>
            </div>
        }
    });
    let current = StoredValue::new_local(current);
    view! {
        {choice}
        {move || {
            let one = current.with_value(|current| current.get(chosen.get()).cloned())?;
            let configuration = configuration.clone();
            Some(view! { <RenewalOf current=one configuration passphrase/> })
        }}
    }
}

/// The renewal of `current`, if the time has come.
#[component]
fn RenewalOf(
    current: Current,
    configuration: Configuration,
    /// What the current key is sealed under, as far as it is typed.
    passphrase: RwSignal<String>,
) -> impl IntoView {
    let now = Context::here().clock.now();
    match renew::renewable(current, &configuration, now) {
        Ok(renewable) => view! { <RenewalForm renewable key_sizes=configuration.key_sizes passphrase/> }.into_any(),
        Err(fault) => view! {
            <MessageBox message=messages::not_renewable(&fault) kind="wait">
                <p><Link href="/certificates">"My Certificates"</Link></p>
            </MessageBox>
        }
        .into_any(),
    }
}

/// How making the renewal goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Working,
    Sending,
    Failed(RenewError),
}

#[component]
fn RenewalForm(renewable: Renewable, key_sizes: Vec<KeySize>, passphrase: RwSignal<String>) -> impl IntoView {
    let context = Context::here();
    let go = use_go();
    let key_size = RwSignal::new(KeySize::default());
    let same_key = RwSignal::new(false);
    let another = AnotherPassphrase::new();
    another.is_about(&renewable.common_name, &renewable.email_address);
    let attempted = RwSignal::new(false);
    let present_faults = Memo::new(move |_| -> Vec<Fault> {
        if !attempted.get() || another.is_wanted() {
            return Vec::new();
        }
        // The new key gets it too, and it may come from a file that has other rules, or none.
        let policy = another.policy();
        let unmet: Vec<String> =
            passphrase.with(|text| policy.unmet(text)).into_iter().map(|rule| messages::rule(rule, policy)).collect();
        match unmet.as_slice() {
            [] => passphrase
                .with(|text| another.guess(text))
                .map(|guess| (PASSPHRASE, messages::guess_at_present_passphrase(guess)))
                .into_iter()
                .collect(),
            _ if passphrase.with(String::is_empty) => {
                vec![(PASSPHRASE, "Enter the passphrase of the current certificate.".into())]
            }
            unmet => vec![(
                PASSPHRASE,
                format!(
                    "For the new key this passphrase would be too weak: it needs {}. Compare it with the one that you noted; if it is right, tick “Give the new key another passphrase”.",
                    unmet.join("; ")
                ),
            )],
        }
    });
    let faults = Memo::new(move |_| [present_faults.get(), another.faults.get()].concat());
    let progress = RwSignal::new(Progress::Idle);
    let stage = RwSignal::new(Stage::GeneratingKeyPair(Searching::default()));
    // Started as soon as somebody goes to a field, as on Register.
    let workers = StoredValue::new_local(Prepared::default());
    let ahead = move || {
        let key_size = (!same_key.get_untracked()).then(|| key_size.get_untracked());
        workers.with_value(|workers| workers.ahead(Role::KeyMaker, Ahead { key_size, ..Ahead::default() }));
    };
    let making = Stoppable::new();
    let summary = renewable.certificate().summary();
    let same_key_allowed = renewable.same_key_allowed;
    let particulars =
        (renewable.common_name.clone(), renewable.email_address.clone(), renewable.certificate_type().name.clone());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if matches!(progress.get_untracked(), Progress::Working | Progress::Sending) {
            return;
        }
        attempted.set(true);
        another.attempt();
        if !faults.with_untracked(Vec::is_empty) {
            focus_soon("error-summary");
            return;
        }
        let wanted = Wanted {
            passphrase: Passphrase::new(passphrase.get_untracked()),
            new_key: (!same_key.get_untracked()).then(|| key_size.get_untracked()),
            new_passphrase: another.typed(),
        };
        storage::ask_for_persistence();
        let (renewable, go) = (renewable.clone(), go.clone());
        stage.set(Stage::GeneratingKeyPair(Searching::default()));
        progress.set(Progress::Working);
        focus_soon("progress");
        spawn_local(async move {
            let on_stage = |at| {
                let _ = stage.try_set(at);
            };
            let renewed = match making.run(renew::generate(&context.workers, &renewable, wanted, on_stage)).await {
                Some(Ok(renewed)) => renewed,
                Some(Err(error)) => {
                    let _ = progress.try_set(Progress::Failed(error));
                    return;
                }
                None => return,
            };
            // From here on there is no Cancel: what has begun to be saved is saved.
            let _ = progress.try_set(Progress::Sending);
            match renew::save(&context.store, &context.clock, &renewable, renewed).await {
                Ok(enrollment) => {
                    // Whatever the answer, the request is saved: its own page shows how it stands, and sends it again if need be.
                    let _ = enroll::submit(&context.store, &context.authority(), &enrollment).await;
                    go(&format!("/requests/{}", enrollment.id()));
                }
                Err(error) => {
                    let _ = progress.try_set(Progress::Failed(RenewError::Enroll(error)));
                }
            }
        });
    };
    let cancel = move |_: MouseEvent| {
        making.stop();
        progress.set(Progress::Idle);
        focus_soon("submit");
    };
    let working = move || matches!(progress.get(), Progress::Working | Progress::Sending);
    let (common_name, email_address, type_name) = particulars;
    view! {
        {move || match progress.get() {
            Progress::Idle => ().into_any(),
            Progress::Working => view! { <Working stage on_cancel=cancel/> }.into_any(),
            Progress::Sending => {
                view! {
                    <div class="message wait" role="status">
                        <p>"Saving your key in this browser, and sending the request…"</p>
                        <progress aria-label="Sending"></progress>
                    </div>
                }
                    .into_any()
            }
            Progress::Failed(error) => view! { <MessageBox message=messages::renew(&error)/> }.into_any(),
        }}
        <ErrorSummary faults/>
        <form
            on:submit=submit
            on:focusin=move |_| ahead()
            on:change=move |_| ahead()
            novalidate
            class="card"
            class:hidden=working
        >
            <h2>"The current certificate"</h2>
            <dl class="particulars">
                <dt>"Common Name"</dt>
                <dd>{common_name.clone()}</dd>
                <dt>"Email Address"</dt>
                <dd>{email_address}</dd>
                <dt>"Certificate Type"</dt>
                <dd>{type_name}</dd>
                <dt>"Serial number"</dt>
                <dd class="code">{pairs(&summary.serial_number)}</dd>
                <dt>"Valid until"</dt>
                <dd>{date_and_time(summary.not_after)}</dd>
            </dl>
            <p>"The new one will be for the same name and address. The current one stays as it is, and works until it ends."</p>
            <input type="text" autocomplete="username" hidden value=common_name/>
            <TextField
                id=PASSPHRASE
                label="Pickup Passphrase"
                hint="The one of the current certificate. It stays in this browser."
                input_type="password"
                autocomplete="current-password"
                value=passphrase
                faults
            />
            {same_key_allowed
                .then(|| {
                    view! {
                        <div class="field">
                            <label class="choice">
                                <input type="checkbox" aria-describedby="same-key-hint" bind:checked=same_key/>
                                "Keep the same key"
                            </label>
                            <p class="hint" id="same-key-hint">
                                "A new key is better: whoever has got hold of the old one without your knowledge is shut out. Keep it only where something depends on it."
                            </p>
                        </div>
                    }
                })}
            <Show when=move || !same_key.get()>
                <KeyAlgorithm sizes=key_sizes.clone() chosen=key_size/>
            </Show>
            <AnotherPassphraseFields another words=NEW_KEY_PASSPHRASE/>
            <p class="actions">
                <button type="submit" id="submit">"Renew"</button>
            </p>
        </form>
    }
}
