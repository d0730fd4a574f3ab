//! Parts of forms: fields of one line, the summary of wrong entries, and the passphrase's rules.

use keyside_core::domain::guessable_passphrase::{Guess, guess};
use keyside_core::domain::passphrase::{Passphrase, PassphrasePolicy, PassphraseRule};
use leptos::attr::Attribute;
use leptos::attr::custom::custom_attribute;
use leptos::ev::FocusEvent;
use leptos::prelude::*;

use super::components::{ShowPassphrase, focus};
use super::context::Context;
use super::messages;
use crate::browser::worker_client::{Prepared, Role};

/// A wrong entry: the id of its field, and what is wrong.
pub type Fault = (&'static str, String);

/// The faults of a new passphrase and its confirmation, each given with the id of its field. `about` has what others know of its owner.
pub fn passphrase_faults(
    policy: PassphrasePolicy,
    about: &[String],
    [(field, passphrase), (confirmation_field, confirmation)]: [(&'static str, &str); 2],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let unmet = policy.unmet(passphrase);
    if passphrase.is_empty() {
        faults.push((field, "Choose a pickup passphrase.".into()));
    } else if !unmet.is_empty() {
        let unmet: Vec<String> = unmet.into_iter().map(|rule| messages::rule(rule, policy)).collect();
        faults.push((field, format!("The pickup passphrase needs {}.", unmet.join("; "))));
    } else if let Some(guess) = guess(passphrase, about) {
        faults.push((field, messages::guess(guess).into()));
    }
    if confirmation != passphrase {
        faults.push((confirmation_field, "The confirmation is not the same as the pickup passphrase.".into()));
    }
    faults
}

/// Has workers of these kinds started when something in a form gets the focus. They end with the form, unless they are at work by then.
pub fn prepare(roles: &'static [Role]) -> impl Fn(FocusEvent) {
    let workers = StoredValue::new_local(Prepared::default());
    move |_| workers.with_value(|workers| roles.iter().for_each(|role| workers.start(*role)))
}

/// `autocorrect="off"`, which Safari asks for and leptos does not know.
fn no_autocorrection() -> impl Attribute {
    custom_attribute("autocorrect", "off")
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
                autocapitalize=is_secret.then_some("off")
                {..no_autocorrection()}
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

/// The fields of another passphrase, by the id of their element.
const ANOTHER_PASSPHRASE: &str = "another-passphrase";
const ANOTHER_CONFIRMATION: &str = "another-passphrase-confirmation";

/// Another passphrase than the pickup passphrase, if the user wants one.
#[derive(Clone, Copy)]
pub struct AnotherPassphrase {
    wanted: RwSignal<bool>,
    passphrase: RwSignal<String>,
    confirmation: RwSignal<String>,
    attempted: RwSignal<bool>,
    /// The owner's name and address, which others know.
    about: [RwSignal<String>; 2],
    policy: Memo<PassphrasePolicy>,
    /// What is wrong with it, once the form was sent.
    pub faults: Memo<Vec<Fault>>,
}

/// What another passphrase is called.
#[derive(Clone, Copy)]
pub struct AnotherPassphraseWords {
    /// The label of the choice to have one.
    pub choice: &'static str,
    /// What it is good for.
    pub hint: &'static str,
    /// The field's label.
    pub field: &'static str,
    /// The label of the field that confirms it.
    pub confirmation: &'static str,
}

impl AnotherPassphrase {
    /// None is wanted at first.
    pub fn new() -> Self {
        let context = Context::here();
        let [wanted, attempted] = [(); 2].map(|()| RwSignal::new(false));
        let [passphrase, confirmation, name, email_address] = [(); 4].map(|()| RwSignal::new(String::new()));
        let about = [name, email_address];
        let policy = Memo::new(move |_| {
            context.configuration().map(|configuration| configuration.passphrase_policy).unwrap_or_default()
        });
        let faults = Memo::new(move |_| {
            if !(wanted.get() && attempted.get()) {
                return Vec::new();
            }
            let [passphrase, confirmation] = [passphrase, confirmation].map(|text| text.get());
            let typed = [(ANOTHER_PASSPHRASE, &*passphrase), (ANOTHER_CONFIRMATION, &*confirmation)];
            passphrase_faults(policy.get(), &about.map(|known| known.get()), typed)
        });
        Self { wanted, passphrase, confirmation, attempted, about, policy, faults }
    }

    /// Tells what others know of the owner: name and address.
    pub fn is_about(self, name: &str, email_address: &str) {
        for (known, text) in self.about.iter().zip([name, email_address]) {
            known.set(text.to_owned());
        }
    }

    /// Returns the reason for which `passphrase` is easily guessed, if there is one.
    pub fn guess(self, passphrase: &str) -> Option<Guess> {
        guess(passphrase, &self.about.map(|known| known.get()))
    }

    /// The form is sent: from now on what is wrong is named.
    pub fn attempt(self) {
        self.attempted.set(true);
    }

    /// Whether one is wanted.
    pub fn is_wanted(self) -> bool {
        self.wanted.get()
    }

    /// The rules for it.
    pub fn policy(self) -> PassphrasePolicy {
        self.policy.get()
    }

    /// The passphrase, if one is wanted.
    pub fn typed(self) -> Option<Passphrase> {
        self.wanted.get_untracked().then(|| Passphrase::new(self.passphrase.get_untracked()))
    }

    /// Forgets what was typed.
    pub fn clear(self) {
        self.attempted.try_set(false);
        for field in [self.passphrase, self.confirmation] {
            field.try_set(String::new());
        }
        self.wanted.try_set(false);
    }
}

impl Default for AnotherPassphrase {
    fn default() -> Self {
        Self::new()
    }
}

/// The choice to have another passphrase, and its fields.
#[component]
pub fn AnotherPassphraseFields(
    /// What is typed.
    another: AnotherPassphrase,
    /// What it is called.
    words: AnotherPassphraseWords,
) -> impl IntoView {
    view! {
        <div class="field">
            <label class="choice">
                <input type="checkbox" bind:checked=another.wanted/>
                {words.choice}
            </label>
            <p class="hint">{words.hint}</p>
        </div>
        // There from the start: browsers judge a form's passphrase fields by those that it has when it is shown first.
        <div hidden=move || !another.wanted.get()>
            <TextField
                id=ANOTHER_PASSPHRASE
                label=words.field
                hint="Remember it: nobody can recover it."
                input_type="password"
                autocomplete="new-password"
                value=another.passphrase
                faults=another.faults
            />
            {move || view! { <Rules policy=another.policy.get() passphrase=another.passphrase/> }}
            <TextField
                id=ANOTHER_CONFIRMATION
                label=words.confirmation
                hint="The same once more."
                input_type="password"
                autocomplete="new-password"
                value=another.confirmation
                faults=another.faults
            />
        </div>
    }
}
