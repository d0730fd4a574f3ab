//! Lost: what to do when a passphrase, a computer or a key is lost.

use keyside_core::domain::revocation::{RevocationReason, RevocationState};
use keyside_core::ports::KeyStore;
use keyside_core::service::lost::{self, LostError};
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use leptos_router::hooks::use_query_map;

use crate::ui::components::{MessageBox, PageHeading};
use crate::ui::context::Context;
use crate::ui::form::TextField;
use crate::ui::format::date_and_time;
use crate::ui::links::{Link, use_go};
use crate::ui::messages::{self, Message};

/// The reasons that a user can give, the gravest first.
const REASONS: [RevocationReason; 5] = [
    RevocationReason::KeyCompromise,
    RevocationReason::AffiliationChanged,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
    RevocationReason::Unspecified,
];

/// How asking goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Busy,
    NoReason,
    Failed(LostError),
    Revocation(Message),
}

/// The page for what is lost.
#[component]
pub fn Lost() -> impl IntoView {
    let context = Context::here();
    let contact = move || context.configuration().map(|configuration| configuration.contact);
    view! {
        <PageHeading text="When something is lost"/>
        <p class="lead">"Tell your User Access Administrator (UAA) first, by telephone if it is urgent. Then help yourself here."</p>
        <p class="note">{contact}</p>
        <section aria-labelledby="lost-passphrase">
            <h2 id="lost-passphrase">"The passphrase is forgotten"</h2>
            <p>
                "Nobody can recover it, and nobody can open your key without it. Wrong entries cost nothing: try again as often as you like. "
                "A backup opens with the passphrase that it had when you saved it, and a downloaded file with the one that it was given. "
                "If nothing opens, ask for a replacement below. Nobody else has your key, so the old certificate does no harm; it can be revoked all the same."
            </p>
        </section>
        <section aria-labelledby="lost-computer">
            <h2 id="lost-computer">"The computer or the browser's data is gone"</h2>
            <p>
                "With a backup, restore it on " <Link href="/">"Home"</Link> ", in any browser. With a downloaded .p12 file and its passphrase, import that file. "
                "Without either the key is lost: ask for a replacement. If the computer was stolen, ask for the revocation too."
            </p>
        </section>
        <section aria-labelledby="lost-control">
            <h2 id="lost-control">"Somebody else may have the key"</h2>
            <p>
                "Ask for the revocation at once: everybody who checks then refuses the certificate. Sharing a certificate counts as well. "
                "It cannot be undone. Then ask for a replacement."
            </p>
        </section>
        <Ask/>
    }
}

/// Asks for a revocation or for a replacement, by transaction ID.
#[component]
fn Ask() -> impl IntoView {
    let context = Context::here();
    let go = use_go();
    let query = use_query_map();
    let transaction_id = RwSignal::new(query.read_untracked().get("id").unwrap_or_default());
    let reason: RwSignal<Option<RevocationReason>> = RwSignal::new(None);
    let progress = RwSignal::new(Progress::Idle);
    let known: RwSignal<Vec<(String, String)>> = RwSignal::default();
    spawn_local_scoped_with_cancellation(async move {
        let held = context.store.list().await.unwrap_or_default().enrollments;
        let named = held.into_iter().filter_map(|enrollment| {
            Some((enrollment.transaction_id()?.to_string(), enrollment.application.common_name))
        });
        known.set(named.collect());
    });
    let idle = move || !matches!(progress.get_untracked(), Progress::Busy);
    let revoke = move |_: MouseEvent| {
        if !idle() {
            return;
        }
        let Some(reason) = reason.get_untracked() else {
            progress.set(Progress::NoReason);
            return;
        };
        progress.set(Progress::Busy);
        spawn_local(async move {
            let id = transaction_id.get_untracked();
            let asked = lost::request_revocation(&context.authority(), &id, reason).await;
            let _ = progress.try_set(match asked {
                Ok(status) => Progress::Revocation(match status.revocation {
                    Some(revocation) if revocation.state == RevocationState::Revoked => Message {
                        title: "The certificate is revoked".into(),
                        way_out: format!("It was revoked on {}.", date_and_time(revocation.since)),
                        ..Message::default()
                    },
                    _ => Message {
                        title: "The revocation is asked for".into(),
                        way_out: "An officer decides about it. Tell your UAA too, who can confirm that it is you."
                            .into(),
                        ..Message::default()
                    },
                }),
                Err(error) => Progress::Failed(error),
            });
        });
    };
    // Enter does what can be undone.
    let replace = move |event: SubmitEvent| {
        event.prevent_default();
        if !idle() {
            return;
        }
        progress.set(Progress::Busy);
        let go = go.clone();
        spawn_local(async move {
            match lost::find(&context.authority(), &transaction_id.get_untracked()).await {
                Ok(id) => go(&format!("/register?replaces={id}")),
                Err(error) => {
                    let _ = progress.try_set(Progress::Failed(error));
                }
            }
        });
    };
    let busy = move || matches!(progress.get(), Progress::Busy).then_some("true");
    view! {
        {move || match progress.get() {
            Progress::Idle => ().into_any(),
            Progress::Busy => view! { <p role="status">"Asking the registration authority…"</p> }.into_any(),
            Progress::NoReason => {
                let message = Message {
                    title: "Choose a reason first".into(),
                    way_out: "A revocation cannot be undone, so an officer wants to know why.".into(), ..Message::default() };
                view! { <MessageBox message/> }.into_any()
            }
            Progress::Failed(error) => view! { <MessageBox message=messages::lost(&error)/> }.into_any(),
            Progress::Revocation(message) => view! { <MessageBox message kind="done"/> }.into_any(),
        }}
        <form on:submit=replace novalidate class="card" aria-labelledby="ask">
            <h2 id="ask">"Revocation and replacement"</h2>
            <TextField
                id="lost-id"
                label="Transaction ID"
                hint="Of the request whose certificate is lost. Whoever knows it may ask; an officer decides."
                input_type="text"
                autocomplete="off"
                value=transaction_id
                faults=Memo::new(|_| Vec::new())
            />
            {move || {
                known
                    .with(|known| !known.is_empty())
                    .then(|| {
                        view! {
                            <ul class="picks" aria-label="The requests that this browser holds">
                                {known
                                    .get()
                                    .into_iter()
                                    .map(|(id, name)| {
                                        let chosen = id.clone();
                                        view! {
                                            <li>
                                                <button type="button" class="secondary small code" on:click=move |_| transaction_id.set(chosen.clone())>
                                                    {id}
                                                </button>
                                                " " {name}
                                            </li>
                                        }
                                    })
                                    .collect_view()}
                            </ul>
                        }
                    })
            }}
            <fieldset class="field">
                <legend>"Reason for the revocation"</legend>
                {REASONS
                    .map(|this| {
                        view! {
                            <label class="choice">
                                <input
                                    type="radio"
                                    name="reason"
                                    prop:checked=move || reason.get() == Some(this)
                                    on:change=move |_| reason.set(Some(this))
                                />
                                {messages::revocation_reason(this)}
                            </label>
                        }
                    })
                    .collect_view()}
            </fieldset>
            <p class="actions">
                <button type="submit" aria-disabled=busy>"Register for a replacement"</button>
                <button type="button" class="secondary" aria-disabled=busy on:click=revoke>"Ask for the revocation"</button>
            </p>
        </form>
    }
}
