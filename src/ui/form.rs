//! Parts of forms: fields of one line, the summary of wrong entries, and the passphrase's rules.

use leptos::prelude::*;

use super::components::{ShowPassphrase, focus};
use super::messages;
use crate::domain::passphrase::{PassphrasePolicy, PassphraseRule};

/// A wrong entry: the id of its field, and what is wrong.
pub type Fault = (&'static str, String);

/// What is wrong with a new passphrase and its confirmation, each given with the id of its field.
pub fn passphrase_faults(
    policy: PassphrasePolicy,
    (field, passphrase): (&'static str, &str),
    (confirmation_field, confirmation): (&'static str, &str),
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let unmet = policy.unmet(passphrase);
    if passphrase.is_empty() {
        faults.push((field, "Choose a pickup passphrase.".into()));
    } else if !unmet.is_empty() {
        let unmet: Vec<String> = unmet.into_iter().map(|rule| messages::rule(rule, policy)).collect();
        faults.push((field, format!("The pickup passphrase needs {}.", unmet.join("; "))));
    }
    if confirmation != passphrase {
        faults.push((confirmation_field, "The confirmation is not the same as the pickup passphrase.".into()));
    }
    faults
}

/// Every wrong entry, each a link to its field.
#[component]
pub fn ErrorSummary(
    /// The wrong entries.
    faults: Memo<Vec<Fault>>,
) -> impl IntoView {
    move || {
        let faults = faults.get();
        (!faults.is_empty()).then(|| {
            view! {
                <section class="message error" id="error-summary" tabindex="-1" aria-labelledby="error-summary-title">
                    <h2 id="error-summary-title">"Some entries need your attention"</h2>
                    <ul>
                        {faults
                            .into_iter()
                            .map(|(field, text)| {
                                view! {
                                    <li>
                                        <a
                                            href=format!("#{field}")
                                            on:click=move |event| {
                                                event.prevent_default();
                                                focus(field);
                                            }
                                        >
                                            {text}
                                        </a>
                                    </li>
                                }
                            })
                            .collect_view()}
                    </ul>
                </section>
            }
        })
    }
}

/// A field of one line with its label, hint and error.
#[component]
pub fn TextField(
    /// The input's id.
    id: &'static str,
    /// Its label.
    label: &'static str,
    /// What to know before typing.
    hint: &'static str,
    /// Its `type`.
    input_type: &'static str,
    /// Its `autocomplete`.
    autocomplete: &'static str,
    /// What is typed.
    value: RwSignal<String>,
    /// The form's wrong entries.
    faults: Memo<Vec<Fault>>,
) -> impl IntoView {
    let shown = RwSignal::new(false);
    let is_secret = input_type == "password";
    let fault = Memo::new(move |_| {
        faults.with(|faults| faults.iter().find(|(field, _)| *field == id).map(|(_, text)| text.clone()))
    });
    let described_by = move || {
        if fault.with(Option::is_some) { format!("{id}-error {id}-hint") } else { format!("{id}-hint") }
    };
    view! {
        <div class="field" class:invalid=move || fault.with(Option::is_some)>
            <label for=id>{label}</label>
            <p class="hint" id=format!("{id}-hint")>{hint}</p>
            {move || {
                fault
                    .get()
                    .map(|text| view! { <p class="field-error" id=format!("{id}-error")>{text}</p> })
            }}
            <input
                id=id
                type=move || if shown.get() { "text" } else { input_type }
                autocomplete=autocomplete
                spellcheck="false"
                aria-describedby=described_by
                aria-invalid=move || fault.with(Option::is_some).then_some("true")
                bind:value=value
            />
            {is_secret.then(|| view! { <ShowPassphrase of=label shown/> })}
        </div>
    }
}

/// The passphrase's rules, each ticked off as it is met.
#[component]
pub fn Rules(
    /// The policy that they belong to.
    policy: PassphrasePolicy,
    /// What is typed.
    passphrase: RwSignal<String>,
) -> impl IntoView {
    view! {
        <ul class="rules" aria-label="Rules for the pickup passphrase">
            {PassphraseRule::ALL
                .map(|rule| {
                    let met = Memo::new(move |_| {
                        passphrase.with(|passphrase| policy.meets(rule, passphrase))
                    });
                    view! {
                        <li class:met=move || met.get()>
                            {messages::rule(rule, policy)}
                            <span class="visually-hidden">
                                {move || if met.get() { ": met" } else { ": not met yet" }}
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
