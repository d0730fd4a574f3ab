//! The form that sends a device's certification request, and what was found in it.

use keyside_core::api::CertificateType;
use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::device_request::DeviceRequest;
use keyside_core::domain::distinguished_name::check_common_name;
use keyside_core::domain::email_address;
use keyside_core::domain::enrollment::Standing;
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::key_size::KeySize;
use keyside_core::ports::StoreError;
use keyside_core::service::device::{self, Findings, KeyFound, MAXIMUM_INPUT_SIZE, ReadError};
use keyside_core::service::enroll::EnrollError;
use leptos::ev::{DragEvent, Event, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use super::recipes::Recipes;
use super::{Held, read_held};
use crate::browser::address;
use crate::ui::authorization_code::{AuthorizationCodeField, authorization_code};
use crate::ui::components::{CopyButton, MessageBox, focus_soon};
use crate::ui::context::Context;
use crate::ui::device_fields::{DeviceTypeField, FileFormatField, device_type_fault};
use crate::ui::file_field::FileReading;
use crate::ui::form::{ErrorSummary, Fault, TextField};
use crate::ui::messages::{self, Message};

/// The fields, by the id of their element.
const NAME: &str = "device-name";
const EMAIL_ADDRESS: &str = "device-email-address";
const AUTHORIZATION_CODE: &str = "device-authorization-code";
const REQUEST: &str = "certification-request";

/// What was entered.
#[derive(Clone, Copy)]
struct Form {
    certificate_type: RwSignal<CertificateType>,
    kind: RwSignal<Option<DeviceKind>>,
    name: RwSignal<String>,
    email_address: RwSignal<String>,
    authorization_code: RwSignal<String>,
    file_format: RwSignal<FileFormat>,
    /// The certification request as PEM, or whatever was pasted in its place.
    request: RwSignal<String>,
    /// Why the file that was picked last is no certification request.
    file_fault: RwSignal<Option<ReadError>>,
}

impl Form {
    fn new(certificate_type: CertificateType) -> Self {
        Self {
            certificate_type: RwSignal::new(certificate_type),
            kind: RwSignal::default(),
            name: RwSignal::default(),
            email_address: RwSignal::default(),
            authorization_code: RwSignal::new(address::code_in_fragment().unwrap_or_default()),
            file_format: RwSignal::default(),
            request: RwSignal::default(),
            file_fault: RwSignal::default(),
        }
    }

    /// Takes what a file holds: it is shown as PEM, so that people see what will be sent.
    fn take(self, bytes: &[u8]) {
        match device::read(bytes)
            .and_then(|der| device::to_pem(&der).map_err(|error| ReadError::Malformed(error.to_string())))
        {
            Ok(pem) => {
                self.request.set(pem);
                self.file_fault.set(None);
                self.suggest_name();
            }
            Err(fault) => self.file_fault.set(Some(fault)),
        }
    }

    /// Fills in the Common Name of the certification request where no name was typed.
    fn suggest_name(self) {
        let findings = self.request.with_untracked(|text| {
            let der = device::read(text.as_bytes())?;
            device::check(&der, "", &[], "")
        });
        if let Ok(Findings { common_name: Some(found), .. }) = findings
            && self.name.with_untracked(String::is_empty)
        {
            self.name.set(found);
        }
    }

    /// The device that was entered.
    fn device(self) -> Option<Device> {
        Some(Device {
            kind: self.kind.get_untracked()?,
            name: self.name.get_untracked().trim().to_owned(),
            file_format: self.file_format.get_untracked(),
            email_address: self.email_address.get_untracked().trim().to_owned(),
        })
    }

    /// Makes room for the next device, whose type, e-mail address and file format may well be the same.
    fn clear(self) {
        for field in [self.name, self.request] {
            field.try_set(String::new());
        }
        self.file_fault.try_set(None);
    }
}

/// What became of a submission.
#[derive(Clone)]
enum Progress {
    Idle,
    Sending,
    NotSaved(StoreError),
    Saved(Box<DeviceRequest>, EnrollError),
    Sent { request: Box<DeviceRequest>, sending: Sending },
}

/// The kind of sending.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// It is a new request.
    First,
    /// It was sent before, with the same details.
    Repeated,
    /// It was sent before, and these details replace the earlier ones.
    Corrected,
}

/// The form.
#[component]
pub fn RequestForm(
    /// The certificate types for devices.
    types: Vec<CertificateType>,
    /// The RSA key sizes on offer.
    key_sizes: Vec<KeySize>,
    /// What this browser holds.
    held: Held,
) -> impl IntoView {
    let context = Context::here();
    let first = types.first().cloned()?;
    let form = Form::new(first);
    let attempted = RwSignal::new(false);
    let progress = RwSignal::new(Progress::Idle);
    let smallest = key_sizes.iter().min().copied().unwrap_or_default();

    let request = Memo::new(move |_| match form.file_fault.get() {
        Some(fault) => Err(fault),
        None => form.request.with(|text| device::read(text.as_bytes())),
    });
    let checked = Memo::new(move |_| {
        let der = request.get()?;
        let template = form.certificate_type.with(|kind| kind.subject_template.clone());
        form.name.with(|name| device::check(&der, &template, &key_sizes, name.trim()))
    });
    let request_faults = Memo::new(move |_| match checked.get() {
        Ok(findings) if findings.faults.is_empty() => None,
        Ok(findings) => Some(findings.faults.iter().map(messages::request_fault).collect::<Vec<_>>().join(" ")),
        Err(ReadError::Empty) if !attempted.get() => None,
        Err(error) => Some(messages::request_read_error(&error)),
    });
    // What is wrong with the certification request is named as soon as it is there, the rest once the form was sent.
    let faults = Memo::new(move |_| -> Vec<Fault> {
        let mut faults = Vec::new();
        if attempted.get() {
            faults.extend(device_type_fault(form.kind.get()));
            if let Err(fault) = form.name.with(|name| check_common_name(name.trim())) {
                faults.push((NAME, messages::device_name_fault(fault)));
            }
            if let Err(fault) = form.email_address.with(|address| email_address::check(address.trim())) {
                faults.push((EMAIL_ADDRESS, messages::email_address_fault(fault)));
            }
            if let Err(fault) = form.authorization_code.with(|code| authorization_code(code)) {
                faults.push((AUTHORIZATION_CODE, fault));
            }
        }
        faults.extend(request_faults.get().map(|text| (REQUEST, text)));
        faults
    });
    let summary = Memo::new(move |_| if attempted.get() { faults.get() } else { Vec::new() });

    let reading = FileReading::new();
    let send = move || {
        if reading.delays_submission() || matches!(progress.get_untracked(), Progress::Sending) {
            return;
        }
        attempted.set(true);
        let (Some(device), Ok(der), true) =
            (form.device(), request.get_untracked(), faults.with_untracked(Vec::is_empty))
        else {
            focus_soon("error-summary");
            return;
        };
        let certificate_type = form.certificate_type.get_untracked();
        let code = form.authorization_code.with_untracked(|code| authorization_code(code)).ok().flatten();
        progress.set(Progress::Sending);
        spawn_local(async move {
            let (store, wanted) = (&context.device_requests, device.clone());
            let saved = device::save(store, &context.clock, &certificate_type, device, code.clone(), der).await;
            let request = match saved {
                Ok(request) => request,
                Err(error) => {
                    let _ = progress.try_set(Progress::NotSaved(error));
                    return;
                }
            };
            let mut sending = if request.submission.is_some() { Sending::Repeated } else { Sending::First };
            let mut sent = device::refresh(store, &context.authority(), &request.id).await;
            if let Ok(waiting) = &sent
                && waiting.standing() == Standing::Pending
                && (waiting.device != wanted || waiting.certificate_type != certificate_type.id)
            {
                sending = Sending::Corrected;
                sent = device::correct(store, &context.authority(), waiting, &certificate_type, wanted, code).await;
            }
            read_held(context, held).await;
            let refused = sent.as_ref().err().is_some_and(EnrollError::is_refusal);
            if !refused {
                attempted.try_set(false);
                form.clear();
            }
            let _ = progress.try_set(match sent {
                Ok(request) => Progress::Sent { request: Box::new(request), sending },
                Err(error) => Progress::Saved(Box::new(request), error),
            });
        });
    };
    let busy = move || matches!(progress.get(), Progress::Sending);
    let read_file = move |file: Option<File>| {
        let Some(file) = file else { return };
        let read = reading.begin(async move { bytes_of(&file).await });
        spawn_local(async move {
            let Some((read, is_submitted)) = read.await else { return };
            match read {
                Ok(bytes) => form.take(&bytes),
                Err(fault) => form.file_fault.set(Some(fault)),
            }
            if is_submitted {
                send();
            }
        });
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        send();
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        read_file(event.data_transfer().and_then(|transfer| transfer.files()).and_then(|files| files.get(0)));
    };
    Some(view! {
        <h2 id="request">"Certificate request of a device"</h2>
        {move || view! { <Outcome progress=progress.get()/> }}
        <ErrorSummary faults=summary/>
        <form
            on:submit=submit
            on:dragover=|event: DragEvent| event.prevent_default()
            on:drop=dropped
            novalidate
            class="card"
            aria-labelledby="request"
        >
            <CertificateTypeField types chosen=form.certificate_type/>
            <DeviceTypeField chosen=form.kind faults/>
            <TextField
                id=NAME
                label="Device Name"
                hint="It becomes the Common Name of the certificate: the same as in the certificate request."
                input_type="text"
                autocomplete="off"
                value=form.name
                faults
            />
            <TextField
                id=EMAIL_ADDRESS
                label="Email Address"
                hint="Whom to write to about this device. It does not become part of the certificate."
                input_type="email"
                autocomplete="email"
                value=form.email_address
                faults
            />
            <FileFormatField chosen=form.file_format/>
            <AuthorizationCodeField id=AUTHORIZATION_CODE code=form.authorization_code faults/>
            <Recipes certificate_type=form.certificate_type name=form.name key_size=smallest/>
            <CertificationRequestField form faults read_file=Callback::new(read_file)/>
            {move || checked.get().ok().map(|findings| view! { <Found findings/> })}
            <p class="actions">
                <button type="submit" aria-disabled=move || busy().then_some("true")>"Submit"</button>
            </p>
        </form>
    })
}

/// The certificate type, where there is a choice.
#[component]
fn CertificateTypeField(types: Vec<CertificateType>, chosen: RwSignal<CertificateType>) -> impl IntoView {
    (types.len() > 1).then(|| {
        view! {
            <fieldset class="field">
                <legend>"Certificate Type"</legend>
                {types
                    .into_iter()
                    .map(|kind| {
                        let (id, name) = (kind.id.clone(), kind.name.clone());
                        view! {
                            <label class="choice">
                                <input
                                    type="radio"
                                    name="certificate-type"
                                    prop:checked=move || chosen.with(|chosen| chosen.id == id)
                                    on:change=move |_| chosen.set(kind.clone())
                                />
                                {name}
                            </label>
                        }
                    })
                    .collect_view()}
            </fieldset>
        }
    })
}

/// The certification request, to be pasted, picked or dropped.
#[component]
fn CertificationRequestField(form: Form, faults: Memo<Vec<Fault>>, read_file: Callback<Option<File>>) -> impl IntoView {
    let file_field: NodeRef<html::Input> = NodeRef::new();
    let fault = Memo::new(move |_| {
        faults.with(|faults| faults.iter().find(|(field, _)| *field == REQUEST).map(|(_, text)| text.clone()))
    });
    let picked = move |_: Event| {
        let Some(field) = file_field.get_untracked() else { return };
        read_file.run(field.files().and_then(|files| files.get(0)));
        // The same file can be picked again once it was mended.
        field.set_value("");
    };
    let typed = move |event: Event| {
        form.file_fault.set(None);
        form.request.set(event_target_value(&event));
        form.suggest_name();
    };
    view! {
        <div class="field" class:invalid=move || fault.with(Option::is_some)>
            <label for=REQUEST>"Certificate request (CSR)"</label>
            <p class="hint" id="certification-request-hint">
                "Paste the text that the device made, or choose or drop its file below. It is checked in this browser before it is sent."
            </p>
            <div role="status">
                {move || {
                    fault
                        .get()
                        .map(|text| view! { <p class="field-error" id="certification-request-error">{text}</p> })
                }}
            </div>
            <textarea
                id=REQUEST
                class="code"
                rows="8"
                autocomplete="off"
                spellcheck="false"
                aria-describedby=move || {
                    if fault.with(Option::is_some) {
                        "certification-request-error certification-request-hint"
                    } else {
                        "certification-request-hint"
                    }
                }
                aria-invalid=move || fault.with(Option::is_some).then_some("true")
                prop:value=form.request
                on:input=typed
            ></textarea>
        </div>
        <div class="field">
            <label for="certification-request-file">"File of the certificate request"</label>
            <p class="hint" id="certification-request-file-hint">"PEM or DER, such as .csr, .req, .pem or .der."</p>
            <input
                id="certification-request-file"
                type="file"
                aria-describedby="certification-request-file-hint"
                node_ref=file_field
                on:change=picked
            />
        </div>
    }
}

/// The bytes of a file, unless it is far too large.
async fn bytes_of(file: &File) -> Result<Vec<u8>, ReadError> {
    if file.size() > MAXIMUM_INPUT_SIZE as f64 {
        return Err(ReadError::TooLarge);
    }
    let buffer = JsFuture::from(file.array_buffer()).await;
    let unreadable = |_| ReadError::Malformed("the browser cannot read the file".into());
    buffer.map(|buffer| js_sys::Uint8Array::new(&buffer).to_vec()).map_err(unreadable)
}

/// What was found in a certification request.
#[component]
fn Found(findings: Findings) -> impl IntoView {
    let key = findings.key.map(|key| match key {
        KeyFound::Rsa(bits) => format!("RSA, {bits} bits"),
        KeyFound::Other(oid) => format!("Not RSA ({oid})"),
    });
    let names = if findings.names.is_empty() { "None".to_owned() } else { findings.names.join(", ") };
    let wanted = findings.wanted_subject.filter(|wanted| *wanted != findings.subject);
    view! {
        <section aria-labelledby="found">
            <h3 id="found">"What the certificate request says"</h3>
            <dl class="particulars">
                <dt>"Signature"</dt>
                <dd>
                    {if findings.is_signed {
                        "Fits the public key: who made the request has the private key."
                    } else {
                        "Does not prove that who made the request has the private key."
                    }}
                </dd>
                <dt>"Public key"</dt>
                <dd>{key.unwrap_or_else(|| "Cannot be read".into())}</dd>
                <dt>"Subject"</dt>
                <dd>{findings.subject}</dd>
                {wanted
                    .map(|wanted| {
                        view! {
                            <dt>"Expected subject"</dt>
                            <dd>{wanted}</dd>
                        }
                    })}
                <dt>"Alternative names"</dt>
                <dd>{names}</dd>
            </dl>
            {findings
                .has_email_address
                .then(|| {
                    view! { <p class="hint">"The e-mail address among its alternative names does not become part of a device's certificate."</p> }
                })}
            {findings
                .has_challenge_password
                .then(|| {
                    view! {
                        <div class="message wait" role="status">
                            <p><strong>"It has a challenge password."</strong></p>
                            <p>
                                "Everybody who sees the request can read it, and the registration authority does not use it. If it is a password that you use elsewhere, make the request anew without one: leave the question empty."
                            </p>
                        </div>
                    }
                })}
        </section>
    }
}

/// What became of the last submission.
#[component]
fn Outcome(progress: Progress) -> impl IntoView {
    match progress {
        Progress::Idle => ().into_any(),
        Progress::Sending => view! {
            <div class="message wait" role="status">
                <p>"Saving the certificate request in this browser, and sending it…"</p>
                <progress aria-label="Sending"></progress>
            </div>
        }
        .into_any(),
        Progress::NotSaved(error) => view! { <MessageBox message=messages::store(&error)/> }.into_any(),
        Progress::Saved(request, error) if error.is_refusal() => {
            let Message { title, way_out, details } = messages::enroll(&error);
            let way_out = format!(
                "{title}. {way_out} Change what is wrong and submit again. The request of {} stays in the list below until you remove it.",
                request.device.name
            );
            view! { <MessageBox message=Message { title: "The request was refused".into(), way_out, details }/> }
                .into_any()
        }
        Progress::Saved(request, error) => {
            let Message { title, details, .. } = messages::enroll(&error);
            let way_out = format!(
                "{title}. The request of {} is in the list below. This page keeps trying to send it; you may also close it, and open it later.",
                request.device.name
            );
            view! { <MessageBox message=Message { title: "The request is saved, and not sent yet".into(), way_out, details } kind="wait"/> }
                .into_any()
        }
        Progress::Sent { request, sending } => {
            let id = request.transaction_id().map(|id| id.to_string()).unwrap_or_default();
            let message = Message {
                title: match sending {
                    Sending::First => "Certificate Request Submitted",
                    Sending::Repeated => "This certificate request was sent before",
                    Sending::Corrected => "The certificate request was corrected",
                }
                .into(),
                way_out: format!(
                    "Note the transaction ID of the request of {} for later certificate retrieval:",
                    request.device.name
                ),
                ..Message::default()
            };
            let shown = id.clone();
            view! {
                <MessageBox message kind="done">
                    <output class="transaction-id" aria-label="Transaction ID">{shown.clone()}</output>
                    {match sending {
                        Sending::First => None,
                        Sending::Repeated => {
                            Some("It is still the same request. To change its details after it was approved, make a new request on the device.")
                        }
                        Sending::Corrected => Some("The details that you entered now replace the earlier ones. The transaction ID is the same."),
                    }
                        .map(|text| view! { <p>{text}</p> })}
                    <p>"With it, the certificate can be collected on any computer. You cannot collect it without the transaction ID number."</p>
                    <p class="actions no-print">
                        <CopyButton text=Memo::new(move |_| id.clone()) of="the transaction ID"/>
                        <button type="button" class="secondary" on:click=|_| { let _ = window().print(); }>"Print"</button>
                    </p>
                </MessageBox>
            }
            .into_any()
        }
    }
}
