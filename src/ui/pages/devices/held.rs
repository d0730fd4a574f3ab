//! The devices' requests that this browser holds, kept current.

use std::collections::BTreeMap;

use gloo_timers::future::TimeoutFuture;
use keyside_core::domain::device::FileFormat;
use keyside_core::domain::device_request::DeviceRequest;
use keyside_core::domain::enrollment::Standing;
use keyside_core::ports::{Clock, DeviceRequestStore};
use keyside_core::service::device::{self, DeviceCertificate};
use keyside_core::service::enroll::EnrollError;
use leptos::ev::MouseEvent;
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};

use super::{Held, read_held};
use crate::ui::components::{self, CopyButton, MessageBox, StandingMark};
use crate::ui::context::Context;
use crate::ui::format::{date_and_time, pairs, validity};
use crate::ui::messages;

/// How often the requests that wait are asked about, in milliseconds.
const REFRESH_INTERVAL: u32 = 5_000;

/// The requests, as a list.
#[component]
pub fn HeldRequests(
    /// What this browser holds.
    held: Held,
) -> impl IntoView {
    let context = Context::here();
    // Requests that the registration authority has refused, with what was sent: only a changed one is sent again from here.
    let refused: RwSignal<BTreeMap<String, (DeviceRequest, EnrollError)>> = RwSignal::default();
    spawn_local_scoped_with_cancellation(async move {
        loop {
            for request in read_held(context, held).await.requests {
                let known = refused.with_untracked(|refused| {
                    refused.get(&request.id).is_some_and(|(sent, _)| sent.device == request.device)
                });
                if known {
                    continue;
                }
                match device::refresh(&context.device_requests, &context.authority(), &request.id).await {
                    Err(error) if error.is_refusal() => refused.update(|refused| {
                        refused.insert(request.id.clone(), (request, error));
                    }),
                    // What cannot be asked about now is asked about next time; one that is decided costs nothing.
                    _ => refused.update(|refused| {
                        refused.remove(&request.id);
                    }),
                }
            }
            read_held(context, held).await;
            TimeoutFuture::new(REFRESH_INTERVAL).await;
        }
    });
    let ids = Memo::new(move |_| match held.get() {
        Some(Ok(held)) => held.requests.into_iter().map(|request| request.id).collect(),
        _ => Vec::new(),
    });
    let unreadable = Memo::new(move |_| match held.get() {
        Some(Ok(held)) => held.unreadable,
        _ => 0,
    });
    view! {
        <section aria-labelledby="device-requests">
            <h2 id="device-requests" tabindex="-1">"Requests in this browser"</h2>
            {move || match held.get() {
                Some(Err(error)) => Some(view! { <MessageBox message=messages::store(&error)/> }.into_any()),
                Some(Ok(held)) if held.requests.is_empty() => {
                    Some(view! { <p class="quiet">"This browser holds no requests for devices yet."</p> }.into_any())
                }
                _ => None,
            }}
            <ul class="requests">
                <For each=move || ids.get() key=Clone::clone let:id>
                    <Request id held refused/>
                </For>
            </ul>
            {move || {
                (unreadable.get() > 0)
                    .then(|| {
                        view! {
                            <p class="note">
                                {unreadable}
                                " more cannot be read: damaged, or written by another version of this page. What is saved of them is left as it is."
                            </p>
                        }
                    })
            }}
        </section>
    }
}

/// One request. What it shows changes in place, so that a question that was asked stays.
#[component]
fn Request(id: String, held: Held, refused: RwSignal<BTreeMap<String, (DeviceRequest, EnrollError)>>) -> impl IntoView {
    let key = id.clone();
    let request = Memo::new(move |_| match held.get() {
        Some(Ok(held)) => held.requests.into_iter().find(|request| request.id == key),
        _ => None,
    });
    let key = id.clone();
    let refusal = Memo::new(move |_| {
        refused.with(|refused| refused.get(&key).map(|(_, error)| messages::enroll(error).in_one_line()))
    });
    view! {
        <li>
            <div>{move || request.get().map(|request| view! { <Particulars request/> })}</div>
            {move || {
                if refusal.with(Option::is_some) {
                    view! { <span class="standing failed">"Refused"</span> }.into_any()
                } else {
                    request.get().map(|request| view! { <StandingMark standing=request.standing()/> }).into_any()
                }
            }}
            {move || refusal.get().map(|text| view! { <p class="request-actions trouble">{text}</p> })}
            <Actions request held/>
        </li>
    }
}

/// What tells a request from others.
#[component]
fn Particulars(request: DeviceRequest) -> impl IntoView {
    let now = Context::here().clock.now();
    let certificate = DeviceCertificate::of(&request).map(|held| held.certificate);
    let rejected = match request.standing() {
        Standing::Rejected(reason) => Some(reason),
        _ => None,
    };
    view! {
        <h3>{request.device.name.clone()}</h3>
        <p class="quiet">
            {request.device.kind.abbreviation()} " · " {request.certificate_type_name.clone()} " · "
            {request.device.email_address.clone()} " · saved on " {date_and_time(request.created_at)}
        </p>
        {request.transaction_id().map(|id| view! { <p class="quiet code">{id.to_string()}</p> })}
        {request
            .former_transaction_ids
            .iter()
            .map(|id| view! { <p class="quiet">"Formerly " <span class="code">{id.to_string()}</span></p> })
            .collect_view()}
        {rejected.map(|reason| view! { <p>"The reason given: " <strong>{reason}</strong></p> })}
        {certificate
            .map(|certificate| {
                view! {
                    <p class="quiet">"Serial number " <span class="code">{pairs(&certificate.serial_number)}</span></p>
                    <p class="quiet">{validity(certificate.not_after, now)}</p>
                }
            })}
    }
}

/// What can be done with a request.
#[component]
fn Actions(request: Memo<Option<DeviceRequest>>, held: Held) -> impl IntoView {
    let context = Context::here();
    let asking = RwSignal::new(false);
    let said = RwSignal::new(String::new());
    let name = Memo::new(move |_| request.get().map(|request| request.device.name).unwrap_or_default());
    let transaction_id =
        Memo::new(move |_| request.get().and_then(|request| request.transaction_id()).map(|id| id.to_string()));
    let wanted = Memo::new(move |_| {
        let request = request.get()?;
        let is_ready = matches!(request.standing(), Standing::Issued | Standing::Collected);
        is_ready.then_some(request.device.file_format)
    });
    let collect = Callback::new(move |format: FileFormat| {
        let Some(DeviceRequest { id, .. }) = request.get_untracked() else { return };
        let badge = untrack(|| context.configuration()).and_then(|configuration| configuration.badge);
        said.set("Fetching the certificate, and checking it…".into());
        spawn_local(async move {
            let collected =
                device::collect(&context.workers, &context.device_requests, &context.authority(), &context.clock, &id)
                    .await;
            let _ = said.try_set(match collected {
                Ok(certificate) => {
                    let name = certificate.file_name(format, badge.as_deref());
                    match components::save_certificate(certificate.file(format), format, &name) {
                        "" => format!("Saved as “{name}”."),
                        fault => fault.to_owned(),
                    }
                }
                Err(error) => messages::device_collect(&error).in_one_line(),
            });
            read_held(context, held).await;
        });
    });
    let remove = move |_: MouseEvent| {
        let Some(DeviceRequest { id, .. }) = request.get_untracked() else { return };
        spawn_local(async move {
            match context.device_requests.remove(&id).await {
                Ok(()) => {
                    read_held(context, held).await;
                    components::focus("device-requests");
                }
                Err(error) => {
                    let _ = said.try_set(messages::store(&error).in_one_line());
                }
            }
        });
    };
    view! {
        <div class="request-actions">
            {move || {
                wanted
                    .get()
                    .map(|wanted| view! { <FormatButtons verb="Collect as" wanted name=name.get() on_chosen=collect/> })
            }}
            <button
                type="button"
                class="secondary"
                aria-expanded=move || asking.get().to_string()
                on:click=move |_| asking.update(|asking| *asking = !*asking)
            >
                "Remove" <span class="visually-hidden">" the request of " {name}</span>
            </button>
            {move || {
                transaction_id
                    .get()
                    .map(|id| view! { <CopyButton text=Memo::new(move |_| id.clone()) of=format!("the transaction ID of {}", name.get())/> })
            }}
            <span role="status" class="quiet">{said}</span>
        </div>
        {move || {
            asking
                .get()
                .then(|| {
                    view! {
                        <section class="request-actions message error" aria-label="Remove">
                            <p>
                                "Remove the request of " {name}
                                " from this browser? The device keeps its key, the request is not withdrawn, and its certificate can still be collected by the transaction ID: note it first."
                            </p>
                            <p class="actions">
                                <button type="button" on:click=remove>"Yes, remove it"</button>
                                <button type="button" class="secondary" on:click=move |_| asking.set(false)>
                                    "Keep it"
                                </button>
                            </p>
                        </section>
                    }
                })
        }}
    }
}

/// A button for each file format, the wanted one first.
#[component]
pub fn FormatButtons(
    /// What the buttons do.
    verb: &'static str,
    /// The format that the device takes.
    wanted: FileFormat,
    /// The device's name.
    name: String,
    /// Hears of the format that was chosen.
    on_chosen: Callback<FileFormat>,
) -> impl IntoView {
    let others = FileFormat::ALL.into_iter().filter(move |format| *format != wanted);
    core::iter::once(wanted)
        .chain(others)
        .map(|format| {
            view! {
                <button
                    type="button"
                    class:secondary=format != wanted
                    on:click=move |_| on_chosen.run(format)
                >
                    {verb} " " {format.abbreviation()}
                    <span class="visually-hidden">" the certificate of " {name.clone()}</span>
                </button>
            }
        })
        .collect_view()
}
