//! "Certificate Request Submitted": the transaction ID, and how the request stands.

use gloo_timers::future::TimeoutFuture;
use keyside_core::domain::enrollment::{Enrollment, Standing};
use keyside_core::ports::{KeyStore, RaError, StoreError};
use keyside_core::service::complete;
use keyside_core::service::enroll::{self, EnrollError};
use leptos::prelude::*;
use leptos::task::spawn_local_scoped_with_cancellation;
use leptos_router::hooks::use_params_map;

use crate::browser::file_url;
use crate::ui::back_up::BackUp;
use crate::ui::components::{self, MessageBox, PageHeading, StandingMark, Step, StepTrail};
use crate::ui::context::Context;
use crate::ui::format::{date_and_time, pairs};
use crate::ui::links::Link;
use crate::ui::messages;

/// How long to wait before asking again, in milliseconds: soon at first, then less and less often.
fn interval(asked: u32) -> u32 {
    match asked {
        0..30 => 2_000,
        30..60 => 10_000,
        _ => 60_000,
    }
}

/// The request that the address names.
#[component]
pub fn Submitted() -> impl IntoView {
    view! {
        <StepTrail current=Step::Submitted/>
        <RequestOfAddress further/>
    }
}

/// The request that the address names. Going from one to another changes the address alone: each gets a view of its own.
#[component]
pub(super) fn RequestOfAddress(
    /// What else there is to show of it, once it is known.
    further: fn(Memo<Option<Enrollment>>) -> AnyView,
) -> impl IntoView {
    let parameters = use_params_map();
    move || view! { <OneRequest enrollment_id=parameters.read().get("enrollment_id").unwrap_or_default() further/> }
}

fn further(held: Memo<Option<Enrollment>>) -> AnyView {
    let id = Memo::new(move |_| held.get().map(|enrollment| enrollment.id()));
    let all_of_it = move || {
        id.get().map(|id| {
            view! {
                <p class="no-print">
                    <Link href=format!("/requests/{id}")>"Change the passphrase, or remove this request"</Link>
                </p>
            }
        })
    };
    view! {
        <BackupPanel held/>
        <Particulars held/>
        {all_of_it}
    }
    .into_any()
}

/// A request: its transaction ID, how it stands, and what was asked for.
#[component]
fn OneRequest(
    /// Its ID in this browser.
    enrollment_id: String,
    /// What else there is to show of it, once it is known.
    further: fn(Memo<Option<Enrollment>>) -> AnyView,
) -> impl IntoView {
    let context = Context::here();
    let enrollment: RwSignal<Option<Result<Enrollment, EnrollError>>> = RwSignal::new(None);
    let trouble: RwSignal<Option<EnrollError>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move {
        let held = context
            .store
            .get(&enrollment_id)
            .await
            .and_then(|held| held.ok_or(StoreError::NotThere))
            .map_err(EnrollError::from);
        let missing = held.is_err();
        enrollment.set(Some(held));
        if missing {
            return;
        }
        for asked in 0.. {
            let authority = context.authority();
            match enroll::refresh(&context.store, &authority, &enrollment_id).await {
                Ok(refreshed) => {
                    let refreshed = complete(&context.workers, &context.store, refreshed).await;
                    let settled = !matches!(refreshed.standing(), Standing::NotSent | Standing::Pending);
                    trouble.set(None);
                    let refreshed = Some(Ok(refreshed));
                    if enrollment.with_untracked(|shown| *shown != refreshed) {
                        enrollment.set(refreshed);
                    }
                    if settled {
                        return;
                    }
                }
                // Removed meanwhile, in another tab.
                Err(error @ EnrollError::Store(StoreError::NotThere)) => {
                    enrollment.set(Some(Err(error)));
                    return;
                }
                Err(error) => {
                    let refused = error.is_refusal();
                    trouble.set(Some(error));
                    if refused {
                        return;
                    }
                }
            }
            TimeoutFuture::new(interval(asked)).await;
        }
    });
    let heading = Signal::derive(move || match enrollment.get() {
        Some(Ok(enrollment)) => match enrollment.standing() {
            Standing::NotSent => "Certificate Request Saved",
            Standing::Rejected(_) => "Certificate Request Rejected",
            Standing::Pending | Standing::Issued | Standing::Collected => "Certificate Request Submitted",
        }
        .to_owned(),
        Some(Err(_)) => "Certificate Request".to_owned(),
        None => "Certificate Request Submitted".to_owned(),
    });
    // What is shown changes in place as the request's state does, so that the status region stays and its changes are announced.
    let held = Memo::new(move |_| enrollment.get().and_then(Result::ok));
    let missing = Memo::new(move |_| enrollment.get().and_then(Result::err));
    view! {
        <PageHeading text=heading/>
        {move || {
            missing
                .get()
                .map(|error| {
                    view! {
                        <MessageBox message=messages::enroll(&error)>
                            <p><Link href="/">"Go to Home"</Link></p>
                        </MessageBox>
                    }
                })
        }}
        <TransactionIdPanel held/>
        <State held trouble/>
        {further(held)}
    }
}

/// How the request stands.
#[component]
fn State(held: Memo<Option<Enrollment>>, trouble: RwSignal<Option<EnrollError>>) -> impl IntoView {
    let standing = Memo::new(move |_| held.get().map(|enrollment| enrollment.standing()));
    let trouble_text = move || {
        trouble.get().map(|error| {
            let message = messages::enroll(&error);
            let unreachable = matches!(error, EnrollError::RegistrationAuthority(RaError::Unreachable(_)));
            view! {
                <p class="trouble">
                    <strong>{message.title} ". "</strong>
                    {(!unreachable).then_some(message.way_out)}
                    {if error.is_refusal() {
                        view! { " This request cannot be accepted: " <Link href="/register">"register again"</Link> "." }.into_any()
                    } else {
                        " This page keeps trying. You may also close it: Home goes on when you open it again.".into_any()
                    }}
                </p>
            }
        })
    };
    let next = move || {
        let ready = matches!(standing.get(), Some(Standing::Issued | Standing::Collected));
        held.get().and_then(|enrollment| enrollment.transaction_id()).filter(|_| ready).map(|id| {
            view! {
                <p class="actions no-print">
                    <Link href=format!("/collect?id={id}") attr:class="button">"Collect the certificate"</Link>
                </p>
            }
        })
    };
    view! {
        <section class="card" aria-labelledby="state" class:hidden=move || standing.get().is_none()>
            <h2 id="state">"State"</h2>
            <div role="status" class="state">
                {move || {
                    standing
                        .get()
                        .map(|standing| view! { <StandingMark standing=standing.clone()/> <StandingText standing/> })
                }}
                {trouble_text}
            </div>
            {next}
        </section>
    }
}

/// The way to a backup, for what is worth one.
#[component]
pub(super) fn BackupPanel(held: Memo<Option<Enrollment>>) -> impl IntoView {
    let whose = Memo::new(move |_| {
        let enrollment = held.get()?;
        let is_lost = matches!(enrollment.standing(), Standing::Rejected(_));
        (!is_lost).then_some((enrollment.id(), enrollment.application.common_name))
    });
    move || {
        whose.get().map(|(enrollment_id, common_name)| {
            view! {
                <section class="card no-print" aria-labelledby="backup">
                    <h2 id="backup">"Backup"</h2>
                    <BackUp enrollment_id common_name/>
                </section>
            }
        })
    }
}

/// What was asked for.
#[component]
pub(super) fn Particulars(held: Memo<Option<Enrollment>>) -> impl IntoView {
    move || {
        held.get().map(|enrollment| {
            let application = enrollment.application;
            view! {
                <section aria-labelledby="particulars">
                    <h2 id="particulars">"What was asked for"</h2>
                    <dl class="particulars">
                        <dt>"Certificate Type"</dt>
                        <dd>{application.certificate_type_name}</dd>
                        <dt>{if application.device.is_some() { "Device Name" } else { "Common Name" }}</dt>
                        <dd>{application.common_name}</dd>
                        {application
                            .device
                            .map(|device| {
                                view! {
                                    <dt>"Device Type"</dt>
                                    <dd>{device.kind.full_name()} " (" {device.kind.abbreviation()} ")"</dd>
                                    <dt>"Wanted file format"</dt>
                                    <dd>{device.file_format.abbreviation()}</dd>
                                }
                            })}
                        <dt>"Email Address"</dt>
                        <dd>{application.email_address}</dd>
                        <dt>"Key Algorithm"</dt>
                        <dd>"RSA " {application.key_size.to_string()}</dd>
                        {application
                            .replaces
                            .map(|id| {
                                view! {
                                    <dt>"Replaces"</dt>
                                    <dd>"the request " <span class="code">{id.to_string()}</span></dd>
                                }
                            })}
                        {enrollment
                            .renewal
                            .map(|renewal| {
                                view! {
                                    <dt>"Renews"</dt>
                                    <dd>
                                        "the certificate with serial number "
                                        <span class="code">{pairs(&renewal.serial_number)}</span> ", which ends on "
                                        {date_and_time(renewal.not_after)}
                                    </dd>
                                }
                            })}
                        <dt>"Made on"</dt>
                        <dd>{date_and_time(enrollment.created_at)}</dd>
                    </dl>
                </section>
            }
        })
    }
}

/// What a state means, and what comes next.
#[component]
fn StandingText(standing: Standing) -> impl IntoView {
    match standing {
        Standing::NotSent => view! {
            <p>
                "Your key and your request are saved in this browser. The registration authority has not confirmed the request yet."
            </p>
        }
        .into_any(),
        Standing::Pending => view! {
            <p>"The certificate request has been forwarded to the CA for approval."</p>
            <p>
                "The certificate should be ready shortly. Use the "
                <strong>"Collect"</strong>
                " command to retrieve it."
            </p>
        }
        .into_any(),
        Standing::Issued => view! { <p>"The certificate has been issued."</p> }.into_any(),
        Standing::Collected => {
            view! { <p>"The certificate is in this browser. You can collect it again for as long as it is valid."</p> }
                .into_any()
        }
        Standing::Rejected(reason) => view! {
            <p>"The reason given: " <strong>{reason}</strong></p>
            <p>"Ask your User Access Administrator, then " <Link href="/register">"register again"</Link> "."</p>
        }
        .into_any(),
    }
}

/// The transaction ID, once there is one, with every way to keep it.
#[component]
fn TransactionIdPanel(held: Memo<Option<Enrollment>>) -> impl IntoView {
    let id = Memo::new(move |_| held.get().and_then(|enrollment| enrollment.transaction_id()));
    let shown = Memo::new(move |_| {
        held.get().and_then(|enrollment| {
            let former: Vec<String> = enrollment.former_transaction_ids.iter().map(ToString::to_string).collect();
            let waits = matches!(enrollment.standing(), Standing::Pending | Standing::Issued);
            Some((enrollment.transaction_id()?, former, waits))
        })
    });
    let outcome = RwSignal::new("");
    let copy = move |_| {
        if let Some(id) = id.get_untracked() {
            components::copy(id.to_string(), outcome);
        }
    };
    let save = move |_| {
        let text = held.get_untracked().map(|enrollment| as_text(&enrollment)).unwrap_or_default();
        outcome.set(components::save(text.as_bytes(), "text/plain", "transaction-id.txt"));
    };
    let print = move |_| {
        outcome.set("");
        let _ = window().print();
    };
    move || {
        shown.get().map(|(id, former, waits)| {
            view! {
                <div class="card transaction">
                    <p class="note">"Note the transaction ID of your request for later certificate retrieval:"</p>
                    <label for="transaction-id" class="label">"Transaction ID"</label>
                    <output id="transaction-id" class="transaction-id">{id.to_string()}</output>
                    <p>"You cannot collect your certificate without the transaction ID number."</p>
                    {(!former.is_empty())
                        .then(|| {
                            view! {
                                <p class="trouble">
                                    "The registration authority did not know this request any more, so it was sent again and has a new transaction ID. "
                                    "Note the new one. The former still works in this browser: "
                                    <span class="code">{former.join(", ")}</span>
                                </p>
                            }
                        })}
                    {waits
                        .then(|| {
                            view! {
                                <p>
                                    "Collect it in this browser, on this computer: the private key is kept here. Do not clear the data of this site until then."
                                </p>
                            }
                        })}
                    <p class="actions no-print">
                        <button type="button" class="secondary" on:click=copy>"Copy"</button>
                        <button type="button" class="secondary" on:click=print>"Print"</button>
                        <button type="button" class="secondary" on:click=save>"Save as text"</button>
                        <span role="status" class="quiet">{outcome}</span>
                    </p>
                </div>
            }
        })
    }
}

/// What "Save as text" saves.
fn as_text(enrollment: &Enrollment) -> String {
    let application = &enrollment.application;
    let id = enrollment.transaction_id().map(|id| id.to_string()).unwrap_or_default();
    [
        "Keyside certificate request",
        "",
        &format!("Transaction ID: {id}"),
        &format!("Certificate Type: {}", application.certificate_type_name),
        &format!("Common Name: {}", application.common_name),
        &format!("Email Address: {}", application.email_address),
        &format!("Made on: {}", date_and_time(enrollment.created_at)),
        "",
        "You cannot collect your certificate without the transaction ID number.",
        "Collect it with the same browser on the same computer, with your pickup passphrase:",
        &file_url("collect").unwrap_or_default(),
        "",
    ]
    .join("\r\n")
}
