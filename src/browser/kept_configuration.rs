//! The registration authority's configuration as it was last answered, for use without a network. It has no secrets.
//!
//! In `localStorage`: what a crash of the browser loses is asked for again at the next visit.

/// The key of the only entry.
const KEY: &str = "keyside-configuration";

/// The answer that was kept last, JSON, if one was.
pub(super) fn load() -> Option<String> {
    local_storage()?.get_item(KEY).ok().flatten()
}

/// Keeps an answer, JSON, where the browser lets pages keep something.
pub(super) fn save(answer: &str) {
    if let Some(storage) = local_storage() {
        let _ = storage.set_item(KEY, answer);
    }
}

fn local_storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}
