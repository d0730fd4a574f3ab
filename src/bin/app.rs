//! The page's program. `public/start.js` calls `load` and `mount` once, in this order, and `fetch_ahead` when the browser is idle.

#[cfg(target_arch = "wasm32")]
use js_sys::{Function, Promise};
#[cfg(target_arch = "wasm32")]
use keyside::ui;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen::prelude::wasm_bindgen;

/// Loads the code of the page at `path`, below the site's and without a slash at its beginning.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
pub async fn load(path: String) {
    ui::load(&path).await;
}

/// Shows the page. `mark_current` gets each path that is shown; `configuration` is the registration authority's answer.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
pub fn mount(mark_current: Function, configuration: Promise) {
    ui::mount(mark_current, configuration);
}

/// Loads the code of all pages.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
pub fn fetch_ahead() {
    ui::fetch_ahead();
}

fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("This program is a web page. `cargo xtask serve` builds and serves it.");
}
