//! The adapters: the browser's IndexedDB, workers, HTTP and downloads behind the core's ports. Glue without decisions.

pub mod address;
pub mod clock;
mod database;
pub mod device_request_store;
pub mod download;
pub mod draft;
mod kept_configuration;
pub mod key_store;
mod prime_searchers;
mod records;
pub mod registration_authority;
pub mod release;
pub mod storage;
pub mod worker_client;

use wasm_bindgen::{JsCast, JsValue};

/// A browser's error in words.
pub(crate) fn words(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map_or_else(
        || error.as_string().unwrap_or_else(|| format!("{error:?}")),
        |error| String::from(error.to_string()),
    )
}

/// An absolute URL of one of the page's own files.
pub(crate) fn file_url(name: &str) -> Result<String, JsValue> {
    let base = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.base_uri().ok().flatten())
        .ok_or_else(|| JsValue::from_str("there is no document"))?;
    Ok(web_sys::Url::new_with_base(name, &base)?.href())
}

/// Starts a worker whose `script`, an absolute URL, is a module.
fn start_worker(script: &str, name: &str) -> Result<web_sys::Worker, JsValue> {
    let options = web_sys::WorkerOptions::new();
    options.set_type(web_sys::WorkerType::Module);
    options.set_name(name);
    web_sys::Worker::new_with_options(script, &options)
}
