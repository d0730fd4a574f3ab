//! The requests and certificates that this browser holds, kept current.

use std::collections::BTreeSet;

use gloo_timers::future::TimeoutFuture;
use keyside_core::domain::enrollment::{Enrollment, Standing};
use keyside_core::ports::{Clock, Held, KeyStore, StoreError};
use keyside_core::service::{complete, enroll};
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};

use super::components::{MessageBox, StandingMark};
use super::context::Context;
use super::format::{date_and_time, pairs, validity};
use super::messages;
use super::restore::RestorePanel;
use crate::ui::links::Link;

/// How often the requests that wait are asked about, in milliseconds.
const REFRESH_INTERVAL: u32 = 5_000;

/// What this browser holds, and the way to restore more.
#[component]
pub fn RequestList() -> impl IntoView {
    let context = Context::here();
    let held: RwSignal<Option<Result<Held, StoreError>>> = RwSignal::new(None);
    // Requests that the registration authority has refused, by key ID: they are not sent again from here.
    let refused: RwSignal<BTreeSet<String>> = RwSignal::default();
    spawn_local_scoped_with_cancellation(async move {
        // Not in the task that shows the page.
        TimeoutFuture::new(0).await;
        let show = async || {
            let listed = context.store.list().await;
            if held.with_untracked(|shown| shown.as_ref() != Some(&listed)) {
                held.set(Some(listed.clone()));
            }
            listed.unwrap_or_default().enrollments
        };
        loop {
            let authority = context.authority();
            for enrollment in show().await {
                let enrollment = complete(&context.workers, &context.store, enrollment).await;
                let enrollment_id = enrollment.id();
                if refused.with_untracked(|refused| refused.contains(&enrollment_id)) {
                    continue;
                }
                // A request that cannot be asked about now is asked about next time; one that is decided costs nothing.
                if let Err(error) = enroll::refresh(&context.store, &authority, &enrollment_id).await
                    && error.is_refusal()
                {
                    refused.update(|refused| {
                        refused.insert(enrollment_id);
                    });
                }
            }
            show().await;
            TimeoutFuture::new(REFRESH_INTERVAL).await;
        }
    });
    let on_restored = Callback::new(move |_| {
        spawn_local(async move {
            let listed = context.store.list().await;
            let _ = held.try_set(Some(listed));
        });
    });
    let known = Memo::new(move |_| held.with(Option::is_some));
    view! {
        {move || match held.get() {
            None => view! { <p role="status">"Looking for your requests…"</p> }.into_any(),
            Some(Err(error)) => view! { <MessageBox message=messages::store(&error)/> }.into_any(),
            Some(Ok(held)) => view! { <List held refused/> }.into_any(),
        }}
        {move || known.get().then(|| view! { <RestorePanel on_restored/> })}
    }
}

/// What is held, as a list.
#[component]
fn List(held: Held, refused: RwSignal<BTreeSet<String>>) -> impl IntoView {
    if held == Held::default() {
        return view! {
            <section aria-labelledby="requests">
                <h2 id="requests">"Your requests"</h2>
                <p class="quiet">"This browser holds no requests yet."</p>
            </section>
        }
        .into_any();
    }
    view! {
        <section aria-labelledby="requests">
            <h2 id="requests">"Your requests"</h2>
            <ul class="requests">
                {held
                    .enrollments
                    .into_iter()
                    .map(|enrollment| {
                        let enrollment_id = enrollment.id();
                        let refused = Signal::derive(move || refused.with(|refused| refused.contains(&enrollment_id)));
                        view! { <Request enrollment refused/> }
                    })
                    .collect_view()}
            </ul>
            {(held.unreadable > 0)
                .then(|| {
                    view! {
                        <p class="note">
                            {held.unreadable}
                            " more cannot be read: damaged, or written by another version of this page. What is saved of them is left as it is. Reload the page; if that does not help, tell your support."
                        </p>
                    }
                })}
        </section>
    }
    .into_any()
}

#[component]
fn Request(enrollment: Enrollment, refused: Signal<bool>) -> impl IntoView {
    let name = StoredValue::new(enrollment.application.common_name.clone());
    let standing = enrollment.standing();
    let certificate = enrollment.certificate.clone();
    let now = Context::here().clock.now();
    let details = format!("/requests/{}", enrollment.id());
    let next = match (&standing, enrollment.transaction_id()) {
        (Standing::Issued, Some(id)) => Some((format!("/collect?id={id}"), "Collect")),
        (Standing::Collected, Some(id)) => Some((format!("/collect?id={id}"), "Download")),
        _ => None,
    };
    view! {
        <li>
            <div>
                <h3>{name.get_value()}</h3>
                <p class="quiet">
                    {enrollment.application.certificate_type_name.clone()}
                    " · made on "
                    {date_and_time(enrollment.created_at)}
                </p>
                {enrollment
                    .renewal
                    .as_ref()
                    .map(|renewal| {
                        view! {
                            <p class="quiet">
                                "Renews the certificate that ends on " {date_and_time(renewal.not_after)}
                            </p>
                        }
                    })}
                {enrollment.transaction_id().map(|id| view! { <p class="quiet code">{id.to_string()}</p> })}
                {certificate
                    .map(|certificate| {
                        view! {
                            <p class="quiet">"Serial number " <span class="code">{pairs(&certificate.serial_number)}</span></p>
                            <p class="quiet">{validity(certificate.not_after, now)}</p>
                        }
                    })}
            </div>
            {move || {
                if refused.get() {
                    view! { <span class="standing failed">"Refused: see Details"</span> }.into_any()
                } else {
                    view! { <StandingMark standing=standing.clone()/> }.into_any()
                }
            }}
            <p class="request-actions">
                {next
                    .map(|(href, text)| {
                        view! {
                            <Link href=href attr:class="button small">
                                {text}
                                <span class="visually-hidden">" the certificate of " {name.get_value()}</span>
                            </Link>
                        }
                    })}
                <Link href=details>
                    "Details"
                    <span class="visually-hidden">" of the request of " {name.get_value()}</span>
                </Link>
            </p>
        </li>
    }
}
