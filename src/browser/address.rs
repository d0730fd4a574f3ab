//! The fragment of the page's address, which browsers send to no server.

use leptos::prelude::window;
use wasm_bindgen::JsValue;

/// The beginning of the fragment in a New User Notification's link.
const CODE: &str = "#code=";

/// The authorization code in the fragment, if there is one.
pub fn code_in_fragment() -> Option<String> {
    let fragment = window().location().hash().ok()?;
    fragment.strip_prefix(CODE).filter(|code| !code.is_empty()).map(ToOwned::to_owned)
}

/// The path of another page with the code in the fragment, if there is one.
pub fn with_code(path: &str, code: &str) -> String {
    if code.is_empty() { path.to_owned() } else { format!("{path}{CODE}{code}") }
}

/// Takes the fragment out of the address, and out of the entry in the history.
pub fn remove_fragment() {
    let Ok(history) = window().history() else { return };
    let location = window().location();
    if let (Ok(path), Ok(query)) = (location.pathname(), location.search()) {
        // The router keeps its state there.
        let state = history.state().unwrap_or(JsValue::NULL);
        // If it cannot be taken out, it stays, and does no harm.
        let _ = history.replace_state_with_url(&state, "", Some(&(path + &query)));
    }
}
