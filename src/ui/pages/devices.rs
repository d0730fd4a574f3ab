//! Devices: certificates for RIG, DPG and ICCP, from a certification request that the device has made.

use keyside_core::api::{CertificateType, Configuration};
use keyside_core::domain::device::DeviceKind;
use keyside_core::ports::{DeviceRequestStore, HeldDeviceRequests, StoreError};
use leptos::prelude::*;

use crate::ui::components::{PageHeading, configuration_or_notice};
use crate::ui::context::Context;
use crate::ui::programs::Link;

pub mod collecting;
pub mod held;
pub mod recipes;
pub mod request_form;

use collecting::CollectByTransactionId;
use held::HeldRequests;
use request_form::RequestForm;

/// What this browser holds of devices' requests, once it was read.
pub type Held = RwSignal<Option<Result<HeldDeviceRequests, StoreError>>>;

/// Reads what this browser holds, and shows it where it has changed. Gives it.
pub async fn read_held(context: Context, held: Held) -> HeldDeviceRequests {
    let listed = context.device_requests.list().await;
    if held.try_with_untracked(|shown| shown.as_ref() != Some(&listed)) == Some(true) {
        held.try_set(Some(listed.clone()));
    }
    listed.unwrap_or_default()
}

/// What a kind of device does, in one sentence.
fn explanation(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Rig => {
            "It sends a power plant's telemetry to the grid operator, and takes the operator's dispatch."
        }
        DeviceKind::Dpg => {
            "It gathers the data of several sites, and exchanges them with the grid operator in one place."
        }
        DeviceKind::Iccp => "A server that speaks it links a control center with the grid operator's.",
    }
}

/// The page.
#[component]
pub fn Devices() -> impl IntoView {
    let context = Context::here();
    let held: Held = RwSignal::new(None);
    view! {
        <PageHeading text="Devices"/>
        <p class="lead">
            "Certificates for machines. The key is made on the device and stays there; only the device's certificate request comes here."
        </p>
        <dl class="particulars">
            {DeviceKind::ALL
                .map(|kind| {
                    view! {
                        <dt>{kind.abbreviation()}</dt>
                        <dd>{kind.full_name()} ". " {explanation(kind)}</dd>
                    }
                })
                .collect_view()}
        </dl>
        {move || match configuration_or_notice(context) {
            Err(notice) => notice,
            Ok(configuration) => view! { <Offer configuration held/> }.into_any(),
        }}
        <HeldRequests held/>
        <CollectByTransactionId held/>
    }
}

/// The way to a request, if there are certificates for devices.
#[component]
fn Offer(configuration: Configuration, held: Held) -> impl IntoView {
    let types: Vec<CertificateType> =
        configuration.certificate_types.iter().filter(|kind| kind.for_devices).cloned().collect();
    if types.is_empty() {
        return view! { <p>"This registration authority has no certificates for devices. " {configuration.contact}</p> }
            .into_any();
    }
    view! {
        <RequestForm types=types.clone() key_sizes=configuration.key_sizes held/>
        <GenerateHere types/>
    }
    .into_any()
}

/// The way to a key that is made in this browser, with the advice against it.
#[component]
fn GenerateHere(types: Vec<CertificateType>) -> impl IntoView {
    view! {
        <details class="card no-print">
            <summary>"Make the key in this browser instead"</summary>
            <p>
                <strong>"Make the key on the device if you can: "</strong>
                "a key that is made there never travels. One that is made here has to be carried to the device in a file, and who copies the file on its way has the device's key."
            </p>
            <p>
                "If the device cannot make a key, register for it here. You choose a passphrase, and collect key and certificate in one file, as for a person."
            </p>
            <p class="actions">
                {types
                    .into_iter()
                    .map(|kind| {
                        view! {
                            <Link href=format!("/register/{}", kind.id) attr:class="button secondary">
                                "Make the key here: " {kind.name}
                            </Link>
                        }
                    })
                    .collect_view()}
            </p>
        </details>
    }
}
