//! What the browser says of its storage, and of itself.

use keyside_core::domain::preflight::Facts;
use keyside_core::ports::{StoreError, WorkerError};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{StorageEstimate, StorageManager};

use super::records;
use super::worker_client::WebWorkers;

/// The storage manager; browsers have it in secure contexts alone.
fn manager() -> Option<StorageManager> {
    let navigator = web_sys::window()?.navigator();
    let manager = js_sys::Reflect::get(&navigator, &JsValue::from_str("storage")).ok()?;
    manager.dyn_into().ok()
}

/// Whether the browser has promised not to delete what is stored here on its own; absent where it does not tell.
pub async fn is_persistent() -> Option<bool> {
    let asked = manager()?.persisted().ok()?;
    JsFuture::from(asked).await.ok()?.as_bool()
}

/// Asks the browser for that promise; gives its answer. It may ask the user.
pub async fn make_persistent() -> Option<bool> {
    let asked = manager()?.persist().ok()?;
    JsFuture::from(asked).await.ok()?.as_bool()
}

/// The same without waiting for the answer. Browsers that ask the user do so only in the task of a click.
pub fn ask_for_persistence() {
    if let Some(manager) = manager() {
        let _ = manager.persist();
    }
}

/// How many bytes may still be stored.
async fn free_bytes() -> Option<u64> {
    let asked = manager()?.estimate().ok()?;
    let estimate: StorageEstimate = JsFuture::from(asked).await.ok()?.unchecked_into();
    Some((estimate.get_quota()? - estimate.get_usage()?).max(0.0) as u64)
}

/// Finds out what registering needs: starts a worker, and writes a record and reads it back.
pub async fn facts() -> Facts {
    let secure_context = web_sys::window().is_some_and(|window| window.is_secure_context());
    let worker = WebWorkers::try_out().await;
    Facts {
        secure_context,
        is_superseded: worker == Err(WorkerError::Stale),
        worker: match worker {
            Ok(()) | Err(WorkerError::Stale) => Ok(()),
            Err(WorkerError::Stopped(words)) => Err(words),
            Err(other) => Err(other.to_string()),
        },
        storage: records::try_out().await.map_err(|error| match error {
            StoreError::Unusable(words) => words,
            other => other.to_string(),
        }),
        free_bytes: free_bytes().await,
    }
}
