//! Trust: the CA's certificates to compare and to download, the documents that say how it works, and the CAs before it.

use keyside_core::api::{Document, DocumentKind, PKIX_CERT};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::ports::RaError;
use keyside_core::service::trust::{self, CaCertificate, RetiredCa};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::ui::components::{self, AnswerMissing, CertificateParticulars, PageHeading};
use crate::ui::context::Context;
use crate::ui::links::OutwardLink;

/// The trust page.
#[component]
pub fn Trust() -> impl IntoView {
    let context = Context::here();
    let found: RwSignal<Option<Result<trust::Trust, RaError>>> = RwSignal::new(None);
    let load = move || {
        found.set(None);
        spawn_local(async move {
            let result = trust::read(&context.authority()).await;
            let _ = found.try_set(Some(result));
        });
    };
    load();
    view! {
        <PageHeading text="Trust"/>
        <p class="lead">
            "The certification authority (CA) that issues your certificate: who it is, the rules that it follows, and what came before it."
        </p>
        {move || match found.get() {
            None => view! { <p role="status">"Asking for the CA's certificates…"</p> }.into_any(),
            Some(Err(error)) => view! { <AnswerMissing error try_again=load/> }.into_any(),
            Some(Ok(trust)) => {
                view! {
                    <Chain chain=trust.chain pem=trust.chain_pem p7b=trust.chain_p7b/>
                    <Documents documents=trust.documents/>
                    <Retired retired=trust.retired/>
                }
                    .into_any()
            }
        }}
    }
}

/// Has the browser save a file under a name that carries the badge; gives what to say when it does not.
fn save(
    context: Context,
    bytes: &[u8],
    media_type: &str,
    file_name: impl FnOnce(Option<&str>) -> String,
) -> &'static str {
    let badge = untrack(|| context.configuration()).and_then(|configuration| configuration.badge);
    components::save(bytes, media_type, &file_name(badge.as_deref()))
}

/// The certificates, one by one and all together.
#[component]
fn Chain(chain: Vec<CaCertificate>, pem: String, p7b: Vec<u8>) -> impl IntoView {
    let context = Context::here();
    let outcome = RwSignal::new("");
    let together = chain.last().cloned().map(|issuing| {
        let issuing = StoredValue::new(issuing);
        let save_pem = move |_| {
            let name = |badge: Option<&str>| {
                issuing.with_value(|issuing| issuing.chain_file_name(FileFormat::Pem.extension(), badge))
            };
            outcome.set(save(context, pem.as_bytes(), FileFormat::Pem.media_type(), name));
        };
        let save_p7b = move |_| {
            let name = |badge: Option<&str>| {
                issuing.with_value(|issuing| issuing.chain_file_name(FileFormat::P7b.extension(), badge))
            };
            outcome.set(save(context, &p7b, FileFormat::P7b.media_type(), name));
        };
        view! {
            <h3>"The whole chain"</h3>
            <p>"All of them in one file: PEM for servers and scripts, P7B (PKCS#7) for Windows and Java."</p>
            <p class="actions">
                <button type="button" class="secondary" on:click=save_pem>
                    "Download PEM"
                    <span class="visually-hidden">" of the whole chain"</span>
                </button>
                <button type="button" class="secondary" on:click=save_p7b>
                    "Download P7B"
                    <span class="visually-hidden">" of the whole chain"</span>
                </button>
                <span role="status" class="quiet">{outcome}</span>
            </p>
        }
    });
    view! {
        <section aria-labelledby="certificates">
            <h2 id="certificates">"Certificates"</h2>
            <p>
                "Before you trust the root, compare its SHA-256 fingerprint with the one that your User Access Administrator gives you or that you have on paper: whoever could exchange a certificate on this page could exchange its fingerprint too."
            </p>
            {chain.into_iter().map(|certificate| view! { <Certificate certificate/> }).collect_view()}
            {together}
        </section>
    }
}

/// One certificate, with its files.
#[component]
fn Certificate(certificate: CaCertificate) -> impl IntoView {
    let context = Context::here();
    let outcome = RwSignal::new("");
    let name = certificate.name.clone();
    let summary = certificate.summary.clone();
    let certificate = StoredValue::new(certificate);
    let save_pem = move |_| {
        outcome.set(certificate.with_value(|certificate| {
            save(context, certificate.pem.as_bytes(), FileFormat::Pem.media_type(), |badge| {
                certificate.file_name(FileFormat::Pem.extension(), badge)
            })
        }));
    };
    let save_der = move |_| {
        outcome.set(certificate.with_value(|certificate| {
            save(context, &certificate.der, PKIX_CERT, |badge| certificate.file_name("cer", badge))
        }));
    };
    view! {
        <div class="card">
            <h3>{name.clone()}</h3>
            <CertificateParticulars certificate=summary/>
            <p class="actions">
                <button type="button" class="secondary" on:click=save_pem>
                    "Download PEM"
                    <span class="visually-hidden">" of " {name.clone()}</span>
                </button>
                <button type="button" class="secondary" on:click=save_der>
                    "Download DER"
                    <span class="visually-hidden">" of " {name}</span>
                </button>
                <span role="status" class="quiet">{outcome}</span>
            </p>
        </div>
    }
}

/// What a document is, behind its title.
fn kind(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Policy => " – certificate policy (CP)",
        DocumentKind::PracticeStatement => " – certification practice statement (CPS)",
        DocumentKind::Agreement => " – agreement",
    }
}

/// The documents, if there are any.
#[component]
fn Documents(documents: Vec<Document>) -> impl IntoView {
    (!documents.is_empty()).then(|| {
        view! {
            <section aria-labelledby="documents">
                <h2 id="documents">"Policies and practice statements"</h2>
                <ul>
                    {documents
                        .into_iter()
                        .map(|document| {
                            view! {
                                <li>
                                    <OutwardLink href=document.url text=document.title/>
                                    <span class="quiet">{document.kind.map(kind)}</span>
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            </section>
        }
    })
}

/// The CAs that are no longer used, if there are any. Their certificates are shown to be recognised, not to be installed.
#[component]
fn Retired(retired: Vec<RetiredCa>) -> impl IntoView {
    (!retired.is_empty()).then(|| {
        view! {
            <section aria-labelledby="retired">
                <h2 id="retired">"No longer used"</h2>
                <div class="message error">
                    <p>
                        <strong>"Do not install or trust these. "</strong>
                        "They have ended. If a program of yours still names one of them, replace it with the certificates above."
                    </p>
                </div>
                {retired
                    .into_iter()
                    .map(|retired| {
                        view! {
                            <div class="card">
                                <h3>{retired.name}</h3>
                                <p class="standing failed">"Ended: " {retired.ended}</p>
                                <p>{retired.note}</p>
                                {retired.certificate.map(|summary| view! { <CertificateParticulars certificate=summary/> })}
                            </div>
                        }
                    })
                    .collect_view()}
            </section>
        }
    })
}
