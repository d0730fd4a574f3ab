//! Parts that several pages use.

use core::fmt::Display;
use std::cell::Cell;

use gloo_timers::future::TimeoutFuture;
use keyside_core::api::Configuration;
use keyside_core::domain::enrollment::Standing;
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::preflight::{self, Finding};
use keyside_core::ports::RaError;
use keyside_core::service::collect::NotCompared;
use keyside_pki::certificate::CertificateSummary;
use leptos::ev::MouseEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::task::{spawn_local, spawn_local_scoped_with_cancellation};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlElement;

use super::context::Context;
use super::format::{date_and_time, early_date_and_time, pairs};
use super::messages::{self, Message};
use crate::browser::{download, storage};

thread_local! {
    /// Whether a page of this site was open before: the browser itself announces the first one.
    static ANOTHER_PAGE_WAS_OPEN: Cell<bool> = const { Cell::new(false) };
}

/// Has the browser save a file; gives what to say when it does not.
pub fn save(bytes: &[u8], media_type: &str, file_name: &str) -> &'static str {
    match download::save(bytes, media_type, file_name) {
        Ok(()) => "",
        Err(error) => {
            leptos::logging::error!("{error:?}");
            "The browser did not take the file. Allow downloads for this site, then try again."
        }
    }
}

/// Has the browser save a file of certificates; gives what to say when it does not.
pub fn save_certificate(contents: Result<Vec<u8>, impl Display>, format: FileFormat, file_name: &str) -> &'static str {
    match contents {
        Ok(bytes) => save(&bytes, format.media_type(), file_name),
        // What is kept here was read and checked when it came.
        Err(error) => {
            leptos::logging::error!("{error}");
            "The certificate cannot be written: tell your support."
        }
    }
}

/// Copies a text; `outcome` gets what to say.
pub fn copy(text: String, outcome: RwSignal<&'static str>) {
    spawn_local(async move {
        let promise = window().navigator().clipboard().write_text(&text);
        let answer = match JsFuture::from(promise).await {
            Ok(_) => "Copied.",
            Err(_) => "The browser does not allow copying here: select the text and copy it.",
        };
        let _ = outcome.try_set(answer);
    });
}

/// Moves the focus to the element with this id.
pub fn focus(id: &str) {
    if let Some(element) = document().get_element_by_id(id) {
        let _ = element.unchecked_into::<HtmlElement>().focus();
    }
}

/// Moves the focus to an element that the next rendering brings.
pub fn focus_soon(id: &'static str) {
    request_animation_frame(move || focus(id));
}

/// The page's heading. Takes the focus when the page is opened from another one, so that a screen reader announces it, and sets the
/// document's title.
#[component]
pub fn PageHeading(
    /// The heading, and the first part of the title.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    let context = Context::here();
    let heading: NodeRef<html::H1> = NodeRef::new();
    Effect::new(move || {
        let configuration = context.configuration();
        let mut title = text.get();
        if let Some(configuration) = &configuration {
            title = format!("{title} – {}", configuration.site_name);
        }
        if let Some(badge) = configuration.and_then(|configuration| configuration.badge) {
            title = format!("[{badge}] {title}");
        }
        document().set_title(&title);
    });
    heading.on_load(|heading| {
        if ANOTHER_PAGE_WAS_OPEN.replace(true) {
            request_animation_frame(move || {
                // A quick user may be in one of the page's fields by now.
                if document().query_selector("main :focus").is_ok_and(|focused| focused.is_none()) {
                    let _ = heading.focus();
                }
            });
        }
    });
    view! { <h1 tabindex="-1" node_ref=heading>{text}</h1> }
}

/// The steps of registering.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Certificate Type.
    CertificateType,
    /// Certificate Request.
    CertificateRequest,
    /// Certificate Request Submitted.
    Submitted,
}

/// The step trail.
#[component]
pub fn StepTrail(
    /// Where the user is.
    current: Step,
) -> impl IntoView {
    let steps = [
        (Step::CertificateType, "Certificate Type"),
        (Step::CertificateRequest, "Certificate Request"),
        (Step::Submitted, "Certificate Request Submitted"),
    ];
    view! {
        <ol class="step-trail" aria-label="Steps">
            {steps
                .map(|(step, name)| {
                    let here = (step == current).then_some("step");
                    view! { <li aria-current=here>{name}</li> }
                })
                .collect_view()}
        </ol>
    }
}

/// A message with its way out. It takes the focus when it appears.
#[component]
pub fn MessageBox(
    /// The message.
    message: Message,
    /// The look: `error`, `wait` or `done`.
    #[prop(default = "error")]
    kind: &'static str,
    /// What else to offer.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let element: NodeRef<html::Section> = NodeRef::new();
    element.on_load(|element| {
        let _ = element.focus();
    });
    view! {
        <section class=format!("message {kind}") tabindex="-1" aria-labelledby="message-title" node_ref=element>
            <h2 id="message-title">{message.title}</h2>
            <p>{message.way_out}</p>
            <Details text=message.details/>
            {children.map(|children| children())}
        </section>
    }
}

/// A message that stands beside what it is about.
#[component]
pub fn Trouble(
    /// The message.
    message: Message,
) -> impl IntoView {
    view! {
        <p class="trouble"><strong>{message.title} ". "</strong> {message.way_out}</p>
        <Details text=message.details/>
    }
}

/// The words of the browser or of a library, folded up.
#[component]
fn Details(
    /// The words, or nothing.
    text: String,
) -> impl IntoView {
    (!text.is_empty()).then(|| {
        view! {
            <details class="details">
                <summary>"Details"</summary>
                <p class="code">{text}</p>
            </details>
        }
    })
}

/// What to show when the registration authority gives no answer that helps: the message, and a button to try again.
#[component]
pub fn AnswerMissing(
    /// Why.
    error: RaError,
    /// Asks again.
    #[prop(into)]
    try_again: Callback<()>,
) -> impl IntoView {
    view! {
        <MessageBox message=messages::registration_authority(&error)>
            <button type="button" on:click=move |_: MouseEvent| try_again.run(())>
                "Try again"
            </button>
        </MessageBox>
    }
}

/// The configuration; until it is there, or where it cannot be had, what to show in its place.
pub fn configuration_or_notice(context: Context) -> Result<Configuration, AnyView> {
    match context.configuration_result() {
        None => Err(view! { <p role="status">"Asking what is on offer…"</p> }.into_any()),
        Some(answer) => answer.map_err(|error| {
            view! { <AnswerMissing error try_again=move || context.load_configuration()/> }.into_any()
        }),
    }
}

/// Tries out whether this browser can do the job, and says what stands in the way.
#[component]
pub fn Preflight(
    /// Whether to say nothing when all is well.
    #[prop(optional)]
    quiet: bool,
) -> impl IntoView {
    let found: RwSignal<Option<Vec<Finding>>> = RwSignal::new(None);
    spawn_local_scoped_with_cancellation(async move {
        // It starts a worker: the page comes first.
        TimeoutFuture::new(0).await;
        let facts = storage::facts().await;
        found.set(Some(preflight::findings(&facts)));
    });
    view! {
        <div role="status">
            {move || match found.get() {
                found if quiet && found.as_ref().is_none_or(Vec::is_empty) => ().into_any(),
                None => view! { <p class="quiet">"Checking whether this browser can make your key…"</p> }.into_any(),
                Some(findings) if findings.is_empty() => {
                    view! {
                        <p class="quiet">
                            "This browser can make your key. It keeps the key until its data is cleared; in a private window, that is when the window is closed."
                        </p>
                    }
                    .into_any()
                }
                Some(findings) => {
                    findings
                        .iter()
                        .map(|finding| {
                            let message = messages::finding(finding);
                            let class = if finding.is_obstacle() { "message error" } else { "message wait" };
                            view! {
                                <div class=class>
                                    <p><strong>{message.title} "."</strong></p>
                                    <p>{message.way_out}</p>
                                    <Details text=message.details/>
                                </div>
                            }
                        })
                        .collect_view()
                        .into_any()
                }
            }}
        </div>
    }
}

/// Says that a certificate was not compared with the site's CA, and what to compare.
#[component]
pub fn NotComparedNote(
    /// The root that it leads to.
    not_compared: NotCompared,
) -> impl IntoView {
    view! {
        <p class="note">
            <strong>"Not compared."</strong>
            " This site's certification authority cannot be reached now. The certificate leads to the root certificate with this SHA-256 fingerprint: "
            <span class="code">{pairs(&not_compared.0)}</span>
            ". Compare it with one that you trust, or collect again when you are online."
        </p>
    }
}

/// What tells a certificate from all others.
#[component]
pub fn CertificateParticulars(
    /// The certificate.
    certificate: CertificateSummary,
    /// Further terms of the list.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <dl class="particulars">
            <dt>"Subject"</dt>
            <dd>{certificate.subject}</dd>
            <dt>"Issuer"</dt>
            <dd>{certificate.issuer}</dd>
            <dt>"Serial number"</dt>
            <dd class="code">{pairs(&certificate.serial_number)}</dd>
            <dt>"Valid from"</dt>
            <dd>{early_date_and_time(certificate.not_before)}</dd>
            <dt>"Valid until"</dt>
            <dd>{date_and_time(certificate.not_after)}</dd>
            <dt>"SHA-256 fingerprint"</dt>
            <dd class="code">{pairs(&certificate.sha256_fingerprint)}</dd>
            <dt>"SHA-1 fingerprint"</dt>
            <dd class="code">{pairs(&certificate.sha1_fingerprint)}</dd>
            {children.map(|children| children())}
        </dl>
    }
}

/// Commands or a program, to be copied as they stand.
#[component]
pub fn Copyable(
    /// The element's id.
    id: &'static str,
    /// What it is, after the word "Copy".
    what: &'static str,
    /// The text.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    view! {
        <pre class="code copyable" id=id>{text}</pre>
        <p class="actions">
            <CopyButton text of=what/>
        </p>
    }
}

/// A button that copies a text.
#[component]
pub fn CopyButton(
    /// The text.
    #[prop(into)]
    text: Signal<String>,
    /// What it is, for those who do not see it.
    #[prop(into)]
    of: String,
) -> impl IntoView {
    let outcome = RwSignal::new("");
    view! {
        <button type="button" class="secondary small" on:click=move |_: MouseEvent| copy(text.get_untracked(), outcome)>
            "Copy"
            <span class="visually-hidden">" " {of}</span>
        </button>
        <span role="status" class="quiet">{outcome}</span>
    }
}

/// The switch that shows what is typed into a passphrase field.
#[component]
pub fn ShowPassphrase(
    /// The field's label.
    of: &'static str,
    /// Whether it is shown.
    shown: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <label class="choice show">
            <input type="checkbox" autocomplete="off" bind:checked=shown/>
            <span>"Show"<span class="visually-hidden">" the "{of}</span></span>
        </label>
    }
}

/// A state in one word, with a mark that does not depend on colour.
#[component]
pub fn StandingMark(
    /// The state.
    standing: Standing,
) -> impl IntoView {
    let class = match standing {
        Standing::NotSent | Standing::Pending => "standing waiting",
        Standing::Rejected(_) => "standing failed",
        Standing::Issued | Standing::Collected => "standing done",
    };
    view! { <span class=class>{messages::standing(&standing)}</span> }
}
