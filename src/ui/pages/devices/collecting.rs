//! Collecting the certificate of a device by its transaction ID alone, for a request that was sent from another computer.

use keyside_core::domain::file_format::FileFormat;
use keyside_core::service::collect::CollectError;
use keyside_core::service::device::{self, DeviceCertificate, DeviceCollectError};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_query_map;

use super::held::FormatButtons;
use super::{Held, read_held};
use crate::ui::components::{self, CertificateParticulars, MessageBox};
use crate::ui::context::Context;
use crate::ui::links::Link;
use crate::ui::messages::{self, Message};

/// How collecting goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Busy,
    Failed(DeviceCollectError),
    Done(Box<DeviceCertificate>),
}

/// The field, and what was collected.
#[component]
pub fn CollectByTransactionId(
    /// What this browser holds.
    held: Held,
) -> impl IntoView {
    let context = Context::here();
    let query = use_query_map();
    let transaction_id = RwSignal::new(query.read_untracked().get("id").unwrap_or_default());
    let progress = RwSignal::new(Progress::Idle);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if matches!(progress.get_untracked(), Progress::Busy) {
            return;
        }
        progress.set(Progress::Busy);
        spawn_local(async move {
            let collected = device::collect_by_transaction_id(
                &context.workers,
                &context.device_requests,
                &context.authority(),
                &context.clock,
                &transaction_id.get_untracked(),
            )
            .await;
            read_held(context, held).await;
            let _ = progress.try_set(match collected {
                Ok(certificate) => Progress::Done(Box::new(certificate)),
                Err(error) => Progress::Failed(error),
            });
        });
    };
    view! {
        <section aria-labelledby="collect-device">
            <h2 id="collect-device">"Collect by transaction ID"</h2>
            <p>"For a request that was sent from another computer. No passphrase is needed: the key is on the device."</p>
            {move || match progress.get() {
                Progress::Idle => ().into_any(),
                Progress::Busy => {
                    view! {
                        <div class="message wait" role="status">
                            <p>"Fetching the certificate, and checking it…"</p>
                            <progress aria-label="Collecting"></progress>
                        </div>
                    }
                        .into_any()
                }
                Progress::Failed(error) => view! { <Failed error/> }.into_any(),
                Progress::Done(certificate) => view! { <Done certificate=*certificate/> }.into_any(),
            }}
            <form on:submit=submit novalidate class="card">
                <div class="field">
                    <label for="device-transaction-id">"Transaction ID"</label>
                    <p class="hint" id="device-transaction-id-hint">
                        "27 letters and digits. Spaces, hyphens and case do not matter."
                    </p>
                    <input
                        id="device-transaction-id"
                        class="wide code"
                        type="text"
                        autocomplete="off"
                        autocapitalize="characters"
                        spellcheck="false"
                        aria-describedby="device-transaction-id-hint"
                        bind:value=transaction_id
                    />
                </div>
                <p class="actions">
                    <button type="submit" aria-disabled=move || matches!(progress.get(), Progress::Busy).then_some("true")>
                        "Collect"
                    </button>
                </p>
            </form>
        </section>
    }
}

#[component]
fn Failed(error: DeviceCollectError) -> impl IntoView {
    let kind = if error == DeviceCollectError::Collect(CollectError::Pending) { "wait" } else { "error" };
    view! {
        <MessageBox message=messages::device_collect(&error) kind>
            {(error == DeviceCollectError::NotADevice).then(|| view! { <p><Link href="/collect">"Go to Collect"</Link></p> })}
        </MessageBox>
    }
}

/// The certificate, and the files to download.
#[component]
fn Done(certificate: DeviceCertificate) -> impl IntoView {
    let context = Context::here();
    let said = RwSignal::new(String::new());
    let message = Message {
        title: "The device's certificate is ready".into(),
        way_out: format!(
            "It is for {} and leads to the configured certification authority. It is of use on the device that has the key alone.",
            certificate.device.name
        ),
        ..Message::default()
    };
    let (particulars, device) = (certificate.certificate.clone(), certificate.device.clone());
    let save = Callback::new(move |format: FileFormat| {
        let badge = untrack(|| context.configuration()).and_then(|configuration| configuration.badge);
        let name = certificate.file_name(format, badge.as_deref());
        said.set(match components::save_certificate(certificate.file(format), format, &name) {
            "" => format!("Saved as “{name}”."),
            fault => fault.to_owned(),
        });
    });
    view! {
        <MessageBox message kind="done">
            <p class="actions">
                <FormatButtons verb="Download" wanted=device.file_format name=device.name on_chosen=save/>
                <span role="status" class="quiet">{said}</span>
            </p>
            <CertificateParticulars certificate=particulars/>
        </MessageBox>
    }
}
