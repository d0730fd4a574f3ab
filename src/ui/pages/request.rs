//! A request that this browser holds, with its certificate once that is there, and all that can be done with it.

use keyside_core::domain::device::FileFormat;
use keyside_core::domain::enrollment::{Enrollment, Standing};
use keyside_core::domain::file_name::FileName;
use keyside_core::domain::reminder::Reminder;
use keyside_core::ports::Clock;
use keyside_core::service::certificate_file;
use keyside_core::service::renew::{self, NotRenewable};
use keyside_pki::certificate::CertificateSummary;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::submitted::{BackupPanel, Particulars, RequestOfAddress};
use crate::browser::file_url;
use crate::ui::components::{self, CertificateParticulars};
use crate::ui::context::Context;
use crate::ui::format::{date_and_time, validity};
use crate::ui::manage::{ChangePassphrasePanel, RemovePanel};
use crate::ui::messages;
use crate::ui::programs::Link;

/// The request that the address names.
#[component]
pub fn Request() -> impl IntoView {
    view! { <RequestOfAddress further/> }
}

fn further(held: Memo<Option<Enrollment>>) -> AnyView {
    view! {
        <CertificatePanel held/>
        <BackupPanel held/>
        <Particulars held/>
        <Manage held/>
    }
    .into_any()
}

/// The certificate, once it is here.
#[component]
fn CertificatePanel(held: Memo<Option<Enrollment>>) -> impl IntoView {
    let context = Context::here();
    move || {
        let enrollment = held.get()?;
        let certificate = enrollment.certificate.clone()?;
        let install = format!("/install?request={}", enrollment.id());
        let common_name = enrollment.application.common_name.clone();
        let said = RwSignal::new("");
        let names = certificate.clone();
        let left = validity(certificate.not_after, context.clock.now());
        let remind = {
            let certificate = certificate.clone();
            move |_| {
                let url = file_url("").unwrap_or_default();
                let reminder = Reminder {
                    uid: &certificate.sha256_fingerprint,
                    common_name: &common_name,
                    not_after: certificate.not_after,
                    now: context.clock.now(),
                    url: &url,
                };
                let badge = untrack(|| context.configuration()).and_then(|configuration| configuration.badge);
                let file_name = FileName {
                    common_name: &common_name,
                    serial_number: &certificate.serial_number,
                    not_after: certificate.not_after,
                    badge: badge.as_deref(),
                };
                said.set(match reminder.to_ics() {
                    Some(text) => components::save(text.as_bytes(), "text/calendar", &file_name.with_extension("ics")),
                    None => "No calendar goes as far as this certificate is valid.",
                });
            }
        };
        Some(view! {
            <section class="card" aria-labelledby="certificate">
                <h2 id="certificate">"Certificate"</h2>
                <p>{left} "."</p>
                <RenewalNote enrollment=enrollment.clone() not_after=certificate.not_after/>
                <p class="no-print">
                    "Where to put it, and how to prove that it works: " <Link href=install>"Install and connect"</Link> "."
                </p>
                <CertificateParticulars certificate/>
                {(!enrollment.downloads.is_empty())
                    .then(|| {
                        view! {
                            <h3>"Downloaded from here"</h3>
                            <ul>
                                {enrollment
                                    .downloads
                                    .iter()
                                    .map(|download| {
                                        view! { <li>{download.file_name.clone()} " on " {date_and_time(download.at)}</li> }
                                    })
                                    .collect_view()}
                            </ul>
                        }
                    })}
                <p class="actions no-print">
                    {[FileFormat::Der, FileFormat::Pem, FileFormat::P7b]
                        .map(|format| {
                            let (enrollment, names) = (enrollment.clone(), names.clone());
                            let save = move |_| {
                                let badge = untrack(|| context.configuration()).and_then(|configuration| configuration.badge);
                                let (enrollment, names) = (enrollment.clone(), names.clone());
                                spawn_local(async move {
                                    let outcome = save_certificate(context, format, &enrollment, &names, badge.as_deref()).await;
                                    let _ = said.try_set(outcome);
                                });
                            };
                            view! {
                                <button type="button" class="secondary" on:click=save>{label(format)}</button>
                            }
                        })
                        .collect_view()}
                    <button type="button" class="secondary" on:click=remind>"Save a reminder for your calendar"</button>
                    <span role="status" class="quiet">{said}</span>
                </p>
            </section>
        })
    }
}

/// When the certificate can be renewed, and the way there once it can.
#[component]
fn RenewalNote(enrollment: Enrollment, not_after: u64) -> impl IntoView {
    let context = Context::here();
    move || {
        let configuration = context.configuration()?;
        Some(match renew::is_due(&enrollment, not_after, &configuration, context.clock.now()) {
            Ok(()) => view! {
                <p class="actions no-print">
                    <Link href=format!("/renew/{}", enrollment.id()) attr:class="button">"Renew the certificate"</Link>
                </p>
            }
            .into_any(),
            Err(NotRenewable::TooEarly(opens_at)) => {
                view! { <p class="quiet">"It can be renewed from " {date_and_time(opens_at)} " on."</p> }.into_any()
            }
            Err(fault) => view! { <p class="quiet">{messages::not_renewable(&fault).in_one_line()}</p> }.into_any(),
        })
    }
}

/// What a file of certificates alone is called here.
fn label(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Der => "Certificate as DER",
        FileFormat::Pem => "With its chain as PEM",
        FileFormat::P7b => "With its chain as P7B",
    }
}

/// Has the browser save a file of certificates alone; gives what to say when that fails.
async fn save_certificate(
    context: Context,
    format: FileFormat,
    enrollment: &Enrollment,
    certificate: &CertificateSummary,
    badge: Option<&str>,
) -> &'static str {
    let name = FileName {
        common_name: &enrollment.application.common_name,
        serial_number: &certificate.serial_number,
        not_after: certificate.not_after,
        badge,
    };
    let path = enrollment.certification_path.as_deref().unwrap_or_default();
    let file_name = name.with_extension(certificate_file::extension(format));
    let contents = certificate_file::encode_by(&context.workers, format, path).await;
    components::save_certificate(contents, format, &file_name)
}

/// What can be done with it.
#[component]
fn Manage(held: Memo<Option<Enrollment>>) -> impl IntoView {
    // Not made anew as the state changes: what was typed stays.
    let managed = Memo::new(move |_| {
        let enrollment = held.get()?;
        let has_use = !matches!(enrollment.standing(), Standing::Rejected(_));
        let lost = match enrollment.transaction_id() {
            Some(id) => format!("/lost?id={id}"),
            None => "/lost".into(),
        };
        Some((enrollment.id(), enrollment.application.common_name, has_use, lost))
    });
    let standing = Memo::new(move |_| held.get().map(|enrollment| enrollment.standing()));
    move || {
        managed.get().map(|(enrollment_id, common_name, has_use, lost)| {
            let (key, name) = (enrollment_id.clone(), common_name.clone());
            view! {
                {has_use.then(|| view! { <ChangePassphrasePanel enrollment_id=key common_name=name/> })}
                <p class="no-print"><Link href=lost>"Passphrase forgotten, computer gone, or somebody else has the key?"</Link></p>
                <RemovePanel enrollment_id common_name standing/>
            }
        })
    }
}
