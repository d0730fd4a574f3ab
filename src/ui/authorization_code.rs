//! The field for the one-time authorization code.

use keyside_core::domain::authorization_code::AuthorizationCode;
use leptos::prelude::*;

use super::form::{Fault, TextField};
use super::messages;

/// The code that was typed, if there is one.
///
/// # Errors
/// It is no authorization code; a sentence about it.
pub fn authorization_code(typed: &str) -> Result<Option<AuthorizationCode>, String> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    typed.parse().map(Some).map_err(messages::authorization_code_fault)
}

/// The field, folded while there is nothing in it: most people's link has filled it in, or they need none.
#[component]
pub fn AuthorizationCodeField(
    /// The input's id.
    id: &'static str,
    /// The field's text.
    code: RwSignal<String>,
    /// The form's wrong entries.
    faults: Memo<Vec<Fault>>,
) -> impl IntoView {
    let has_begun =
        Memo::new(move |has_begun: Option<&bool>| has_begun == Some(&true) || code.with(|code| !code.is_empty()));
    view! {
        <details class="field" prop:open=move || has_begun.get()>
            <summary>"I have an authorization code"</summary>
            <TextField
                id
                label="Authorization Code"
                hint="It works once. Your New User Notification e-mail has it in its link, or your User Access Administrator has told you. Leave it empty if you have none."
                input_type="text"
                autocomplete="off"
                value=code
                faults
            />
        </details>
    }
}
