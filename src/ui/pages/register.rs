//! Register: choose the certificate type, fill in the request, and have the key pair made.

use gloo_timers::future::TimeoutFuture;
use keyside_core::api::{CertificateType, Configuration};
use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::distinguished_name::{check_common_name, has_company, with_company};
use keyside_core::domain::email_address;
use keyside_core::domain::enrollment::{Application, Enrollment, Standing};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::{Passphrase, PassphrasePolicy};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::ports::KeyStore;
use keyside_core::protocol::{Ahead, Searching, Stage};
use keyside_core::service::enroll::{self, EnrollError};
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map, use_query_map};

use crate::browser::address;
use crate::browser::draft::{self, Draft};
use crate::browser::storage;
use crate::browser::worker_client::{Prepared, Role};
use crate::ui::authorization_code::{AuthorizationCodeField, authorization_code};
use crate::ui::components::{MessageBox, PageHeading, Preflight, Step, StepTrail, configuration_or_notice, focus_soon};
use crate::ui::context::Context;
use crate::ui::device_fields::{DeviceTypeField, FileFormatField, device_type_fault};
use crate::ui::form::{self, ErrorSummary, Fault, Rules, TextField};
use crate::ui::key_making::{KeyAlgorithm, Stoppable, Working};
use crate::ui::links::Link;
use crate::ui::messages;

/// The first step: the certificate types on offer.
#[component]
pub fn ChooseType() -> impl IntoView {
    let context = Context::here();
    let query = use_query_map();
    // A replacement goes on quoting the old transaction ID.
    let search = move || query.read_untracked().to_query_string();
    view! {
        <StepTrail current=Step::CertificateType/>
        <PageHeading text="Choose Certificate Type"/>
        <Preflight/>
        {move || match configuration_or_notice(context) {
            Err(notice) => notice,
            Ok(configuration) => {
                let search = search();
                let has_devices = configuration.certificate_types.iter().any(|kind| kind.for_devices);
                view! {
                    <ul class="types" aria-label="Policy Name">
                        {configuration
                            .certificate_types
                            .into_iter()
                            .filter(|certificate_type| !certificate_type.for_devices)
                            .map(|certificate_type| {
                                view! {
                                    <li>
                                        <Link href=format!("/register/{}{search}", certificate_type.id)>
                                            {certificate_type.name}
                                        </Link>
                                        <p>{certificate_type.description}</p>
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ul>
                    <p class="quiet">
                        "Unless you are an ISO employee or contractor, choose Participants & External Users. "
                        {configuration.contact}
                    </p>
                    {has_devices
                        .then(|| {
                            view! {
                                <p class="quiet">
                                    "For a RIG, a DPG or an ICCP server, go to " <Link href="/devices">"Devices"</Link> "."
                                </p>
                            }
                        })}
                }
                    .into_any()
            }
        }}
    }
}

/// The second step: the request.
#[component]
pub fn CertificateRequest() -> impl IntoView {
    let context = Context::here();
    let parameters = use_params_map();
    view! {
        <StepTrail current=Step::CertificateRequest/>
        <PageHeading text="Certificate Request"/>
        <Preflight quiet=true/>
        {move || {
            let id = parameters.read().get("type").unwrap_or_default();
            match configuration_or_notice(context) {
                Err(notice) => notice,
                Ok(configuration) => {
                    let chosen = configuration
                        .certificate_types
                        .iter()
                        .find(|certificate_type| certificate_type.id == id)
                        .cloned();
                    match chosen {
                        Some(certificate_type) => {
                            view! { <RequestForm configuration certificate_type/> }.into_any()
                        }
                        None => {
                            view! {
                                <p>
                                    "There is no such certificate type. "
                                    <Link href="/register">"Choose another"</Link> "."
                                </p>
                            }
                                .into_any()
                        }
                    }
                }
            }
        }}
    }
}

/// The form's fields, by the id of their element.
const COMMON_NAME: &str = "common-name";
const EMAIL_ADDRESS: &str = "email-address";
const COMPANY: &str = "company";
const AUTHORIZATION_CODE: &str = "authorization-code";
const PASSPHRASE: &str = "pickup-passphrase";
const CONFIRMATION: &str = "pickup-passphrase-confirmation";

/// The hint of fields whose text the user has been sent.
const AS_NOTIFIED: &str = "Exactly as your New User Notification e-mail gives it.";

/// What was typed.
#[derive(Clone, Copy)]
struct Form {
    common_name: RwSignal<String>,
    email_address: RwSignal<String>,
    /// The company, if the subject has a place for it.
    company: RwSignal<String>,
    authorization_code: RwSignal<String>,
    key_size: RwSignal<KeySize>,
    passphrase: RwSignal<String>,
    confirmation: RwSignal<String>,
    /// The device's type, where the certificate is for a device.
    device_kind: RwSignal<Option<DeviceKind>>,
    /// The file that the device takes its certificate from.
    file_format: RwSignal<FileFormat>,
}

impl Form {
    /// The form as it begins: the link of a New User Notification fills in the name, the address and the code.
    fn new() -> Self {
        let query = use_query_map().read_untracked();
        let given = |name| RwSignal::new(query.get(name).unwrap_or_default());
        Self {
            common_name: given("common_name"),
            email_address: given("email_address"),
            company: given(COMPANY),
            authorization_code: RwSignal::new(address::code_in_fragment().unwrap_or_default()),
            key_size: RwSignal::default(),
            passphrase: RwSignal::default(),
            confirmation: RwSignal::default(),
            device_kind: RwSignal::default(),
            file_format: RwSignal::default(),
        }
    }

    /// Fills in what was typed before a reload or a crash, and from then on keeps what is typed. A browser that keeps nothing is no
    /// reason to stop: registering itself says so, if it comes to that.
    fn keep(self) {
        spawn_local_scoped_with_cancellation(async move {
            // The form comes first.
            TimeoutFuture::new(0).await;
            if let Ok(Some(draft)) = draft::load().await {
                let untouched = self.common_name.with_untracked(String::is_empty)
                    && self.email_address.with_untracked(String::is_empty);
                let is_same_person = self.common_name.with_untracked(|name| *name == draft.common_name)
                    && self.email_address.with_untracked(|address| *address == draft.email_address);
                if (untouched || is_same_person) && self.authorization_code.with_untracked(String::is_empty) {
                    self.authorization_code.set(draft.authorization_code);
                }
                if untouched {
                    self.common_name.set(draft.common_name);
                    self.email_address.set(draft.email_address);
                    self.company.set(draft.company);
                    self.key_size.set(draft.key_size);
                }
            }
            // Kept, the code leaves the address, which people copy and show.
            if address::code_in_fragment().is_some() && draft::save(&untrack(|| self.draft())).await.is_ok() {
                address::remove_fragment();
            }
        });
        // One after the other: what is typed while the last one is being saved is saved next.
        let [saving, changed] = [(); 2].map(|()| StoredValue::new(false));
        Effect::watch(
            move || self.draft(),
            move |_, _, _| {
                changed.set_value(true);
                if saving.get_value() {
                    return;
                }
                saving.set_value(true);
                spawn_local(async move {
                    while changed.try_get_value() == Some(true) {
                        changed.set_value(false);
                        let _ = draft::save(&untrack(|| self.draft())).await;
                    }
                    saving.try_set_value(false);
                });
            },
            false,
        );
    }

    /// What is kept of it: no passphrase.
    fn draft(self) -> Draft {
        Draft {
            common_name: self.common_name.get(),
            email_address: self.email_address.get(),
            company: self.company.get(),
            authorization_code: self.authorization_code.get(),
            key_size: self.key_size.get(),
        }
    }

    /// The wrong entries: field and text, in the fields' order.
    fn faults(&self, policy: PassphrasePolicy, for_devices: bool, names_company: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        if for_devices {
            faults.extend(device_type_fault(self.device_kind.get()));
        }
        if let Err(fault) = check_common_name(self.common_name.get().trim()) {
            let text =
                if for_devices { messages::device_name_fault(fault) } else { messages::common_name_fault(fault) };
            faults.push((COMMON_NAME, text));
        }
        if let Err(fault) = email_address::check(self.email_address.get().trim()) {
            faults.push((EMAIL_ADDRESS, messages::email_address_fault(fault)));
        }
        if names_company && check_common_name(self.company.get().trim()).is_err() {
            faults.push((COMPANY, "Enter your company.".into()));
        }
        if let Err(fault) = authorization_code(&self.authorization_code.get()) {
            faults.push((AUTHORIZATION_CODE, fault));
        }
        faults.extend(self.passphrase_faults(policy));
        faults
    }

    /// Those of them that are about the passphrase.
    fn passphrase_faults(&self, policy: PassphrasePolicy) -> Vec<Fault> {
        let (passphrase, confirmation) = (self.passphrase.get(), self.confirmation.get());
        let about = [self.common_name.get(), self.email_address.get()];
        form::passphrase_faults(policy, &about, [(PASSPHRASE, &*passphrase), (CONFIRMATION, &*confirmation)])
    }
}

/// What is asked for.
fn application(form: Form, certificate_type: &CertificateType, replaces: Option<TransactionId>) -> Application {
    let common_name = form.common_name.get_untracked().trim().to_owned();
    let email_address = form.email_address.get_untracked().trim().to_owned();
    let kind = form.device_kind.get_untracked().filter(|_| certificate_type.for_devices);
    Application {
        certificate_type: certificate_type.id.clone(),
        certificate_type_name: certificate_type.name.clone(),
        device: kind.map(|kind| Device {
            kind,
            name: common_name.clone(),
            file_format: form.file_format.get_untracked(),
            email_address: email_address.clone(),
        }),
        common_name,
        email_address,
        key_size: form.key_size.get_untracked(),
        replaces,
        authorization_code: authorization_code(&form.authorization_code.get_untracked()).ok().flatten(),
    }
}

/// How making the request goes.
#[derive(Clone)]
enum Progress {
    Idle,
    Preparing,
    Working,
    Sending,
    Failed(EnrollError),
}

#[component]
fn RequestForm(configuration: Configuration, certificate_type: CertificateType) -> impl IntoView {
    let context = Context::here();
    let navigate = use_navigate();
    let form = Form::new();
    form.keep();
    let policy = configuration.passphrase_policy;
    let for_devices = certificate_type.for_devices;
    let names_company = has_company(&certificate_type.subject_template);
    let attempted = RwSignal::new(false);
    let faults =
        Memo::new(move |_| if attempted.get() { form.faults(policy, for_devices, names_company) } else { Vec::new() });
    let progress = RwSignal::new(Progress::Idle);
    let stage = RwSignal::new(Stage::GeneratingKeyPair(Searching::default()));
    // Started as soon as somebody goes to a field: to show the form keeps the processor busy enough.
    let workers = StoredValue::new_local(Prepared::default());
    let ahead = move || {
        let ahead = untrack(|| Ahead {
            key_size: Some(form.key_size.get()),
            passphrase: form.passphrase_faults(policy).is_empty().then(|| Passphrase::new(form.passphrase.get())),
            export: None,
        });
        workers.with_value(|workers| workers.ahead(Role::KeyMaker, ahead));
    };
    let making = Stoppable::new();
    let (type_name, type_id) = (certificate_type.name.clone(), certificate_type.id.clone());
    let replaces: Option<TransactionId> =
        use_query_map().read_untracked().get("replaces").and_then(|text| text.parse().ok());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if !matches!(progress.get_untracked(), Progress::Idle | Progress::Failed(_)) {
            return;
        }
        attempted.set(true);
        if !faults.with_untracked(Vec::is_empty) {
            focus_soon("error-summary");
            return;
        }
        let application = application(form, &certificate_type, replaces);
        let passphrase = Passphrase::new(form.passphrase.get_untracked());
        let mut certificate_type = certificate_type.clone();
        certificate_type.subject_template =
            form.company.with_untracked(|company| with_company(&certificate_type.subject_template, company));
        let navigate = navigate.clone();
        stage.set(Stage::GeneratingKeyPair(Searching::default()));
        progress.set(Progress::Preparing);
        storage::ask_for_persistence();
        spawn_local(async move {
            // Before the long part: whatever happens to the browser in it, what was typed is there afterwards.
            let _ = draft::save(&untrack(|| form.draft())).await;
            if progress.try_set(Progress::Working).is_some() {
                return;
            }
            focus_soon("progress");
            let on_stage = |at| {
                let _ = stage.try_set(at);
            };
            let generating = enroll::generate(&context.workers, &certificate_type, &application, passphrase, on_stage);
            let generated = match making.run(generating).await {
                Some(Ok(generated)) => generated,
                Some(Err(error)) => {
                    let _ = progress.try_set(Progress::Failed(error));
                    return;
                }
                None => return,
            };
            // From here on there is no Cancel: what has begun to be saved is saved.
            let _ = progress.try_set(Progress::Sending);
            let saved = enroll::save(&context.store, &context.clock, application.clone(), generated).await;
            let enrollment = match saved {
                Ok(enrollment) => enrollment,
                Err(error) => {
                    let _ = progress.try_set(Progress::Failed(error));
                    return;
                }
            };
            // The request is saved now, so the draft has done its work.
            let _ = draft::clear().await;
            // Whatever the answer, the request is saved: its own page shows how it stands, and sends it again if need be.
            let _ = enroll::submit(&context.store, &context.authority(), &enrollment).await;
            let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
            navigate(&format!("/submitted/{}", enrollment.id()), options);
        });
    };
    let cancel = move |_: MouseEvent| {
        making.stop();
        progress.set(Progress::Idle);
        focus_soon("submit");
    };
    let working = move || matches!(progress.get(), Progress::Working | Progress::Sending);
    let waiting: RwSignal<Option<Enrollment>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move {
        let held = context.store.list().await.map(|held| held.enrollments).unwrap_or_default();
        let waits =
            |one: &Enrollment| one.standing() == Standing::Pending && one.application.certificate_type == type_id;
        waiting.set(held.into_iter().find(waits));
    });
    view! {
        <p class="lead">{type_name}</p>
        {replaces
            .map(|id| {
                view! {
                    <p class="note">
                        "This replaces the request with the transaction ID " <span class="code">{id.to_string()}</span> "."
                    </p>
                }
            })}
        {move || match progress.get() {
            Progress::Idle | Progress::Preparing => ().into_any(),
            Progress::Working => view! { <Working stage on_cancel=cancel/> }.into_any(),
            Progress::Sending => {
                view! {
                    <div class="message wait" role="status">
                        <p>"Saving your key in this browser, and sending the certificate request…"</p>
                        <progress aria-label="Sending"></progress>
                    </div>
                }
                    .into_any()
            }
            Progress::Failed(error) => {
                view! { <MessageBox message=messages::enroll(&error)/> }.into_any()
            }
        }}
        {for_devices
            .then(|| {
                view! {
                    <p class="message wait">
                        "A key that is made on the device never travels; one that is made here has to be carried there. If the device can make its own, send its certificate request on "
                        {move || {
                            let href = form.authorization_code.with(|code| address::with_code("/devices", code));
                            view! { <Link href>"Devices"</Link> }
                        }} " instead."
                    </p>
                }
            })}
        <ErrorSummary faults/>
        <form
            on:submit=submit
            on:focusin=move |_| ahead()
            on:input=move |_| ahead()
            novalidate
            class="card"
            class:hidden=working
        >
            {for_devices.then(|| view! { <DeviceTypeField chosen=form.device_kind faults/> })}
            <TextField
                id=COMMON_NAME
                label=if for_devices { "Device Name" } else { "Common Name" }
                hint=if for_devices {
                    "It becomes the Common Name of the certificate."
                } else {
                    AS_NOTIFIED
                }
                input_type="text"
                autocomplete="off"
                value=form.common_name
                faults
            />
            <TextField
                id=EMAIL_ADDRESS
                label="Email Address"
                hint=if for_devices {
                    "Whom to write to about this device. It does not become part of the certificate."
                } else {
                    "It becomes part of the certificate."
                }
                input_type="email"
                autocomplete="email"
                value=form.email_address
                faults
            />
            {names_company
                .then(|| {
                    view! {
                        <TextField
                            id=COMPANY
                            label="Company"
                            hint=AS_NOTIFIED
                            input_type="text"
                            autocomplete="organization"
                            value=form.company
                            faults
                        />
                    }
                })}
            {for_devices.then(|| view! { <FileFormatField chosen=form.file_format/> })}
            <AuthorizationCodeField id=AUTHORIZATION_CODE code=form.authorization_code faults/>
            <KeyAlgorithm sizes=configuration.key_sizes chosen=form.key_size/>
            <div class="field">
                <span class="label" id="provider-label">"Cryptographic Provider"</span>
                <p class="read-only" role="group" aria-labelledby="provider-label">
                    "Keyside, in this browser"
                </p>
            </div>
            <TextField
                id=PASSPHRASE
                label="Pickup Passphrase"
                hint="Remember this passphrase: it is required for collecting the certificate, and nobody can recover it."
                input_type="password"
                autocomplete="new-password"
                value=form.passphrase
                faults
            />
            <Rules policy passphrase=form.passphrase/>
            <TextField
                id=CONFIRMATION
                label="Pickup Passphrase Confirmation"
                hint="The same passphrase once more."
                input_type="password"
                autocomplete="new-password"
                value=form.confirmation
                faults
            />
            <p class="actions">
                <button type="submit" id="submit">"Submit"</button>
            </p>
            // Below the button, since it comes late.
            {move || {
                waiting
                    .get()
                    .map(|waiting| {
                        view! {
                            <p>
                                "A request of yours already waits for approval: "
                                <Link href=format!("/submitted/{}", waiting.id())>{waiting.application.common_name}</Link> "."
                            </p>
                        }
                    })
            }}
        </form>
    }
}
