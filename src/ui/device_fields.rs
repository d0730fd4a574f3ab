//! The fields of a form that say which device a certificate is for.

use keyside_core::domain::device::{DeviceKind, FileFormat};
use leptos::prelude::*;

use super::form::Fault;

/// The choice of the device's type, by the id of its first radio button.
pub const DEVICE_TYPE: &str = "device-type";

/// What is wrong with the choice of the device's type.
pub fn device_type_fault(kind: Option<DeviceKind>) -> Option<Fault> {
    kind.is_none().then(|| (DEVICE_TYPE, "Choose the Device Type.".into()))
}

/// The device's type.
#[component]
pub fn DeviceTypeField(
    /// The one that is chosen.
    chosen: RwSignal<Option<DeviceKind>>,
    /// The form's wrong entries.
    faults: Memo<Vec<Fault>>,
) -> impl IntoView {
    let fault = Memo::new(move |_| {
        faults.with(|faults| faults.iter().find(|(field, _)| *field == DEVICE_TYPE).map(|(_, text)| text.clone()))
    });
    view! {
        <fieldset
            class="field"
            role="radiogroup"
            class:invalid=move || fault.with(Option::is_some)
            aria-invalid=move || fault.with(Option::is_some).then_some("true")
            aria-describedby=move || fault.with(Option::is_some).then_some("device-type-error")
        >
            <legend>"Device Type"</legend>
            {move || fault.get().map(|text| view! { <p class="field-error" id="device-type-error">{text}</p> })}
            {DeviceKind::ALL
                .into_iter()
                .enumerate()
                .map(|(place, kind)| {
                    view! {
                        <label class="choice">
                            <input
                                type="radio"
                                name="device-type"
                                id=(place == 0).then_some(DEVICE_TYPE)
                                prop:checked=move || chosen.get() == Some(kind)
                                on:change=move |_| chosen.set(Some(kind))
                            />
                            {kind.full_name()} " (" {kind.abbreviation()} ")"
                        </label>
                    }
                })
                .collect_view()}
        </fieldset>
    }
}

/// The file that the device takes its certificate from.
#[component]
pub fn FileFormatField(
    /// The one that is chosen.
    chosen: RwSignal<FileFormat>,
) -> impl IntoView {
    view! {
        <fieldset class="field">
            <legend>"Wanted file format"</legend>
            <p class="hint">"What the device takes its certificate from. PEM and P7B have the chain with it; DER is the certificate alone."</p>
            <div class="choices">
                {FileFormat::ALL
                    .map(|format| {
                        view! {
                            <label class="choice">
                                <input
                                    type="radio"
                                    name="file-format"
                                    prop:checked=move || chosen.get() == format
                                    on:change=move |_| chosen.set(format)
                                />
                                {format.abbreviation()}
                            </label>
                        }
                    })
                    .collect_view()}
            </div>
        </fieldset>
    }
}
