//! The worker that checks certificates: registers the handler, nothing else.

#[cfg(target_arch = "wasm32")]
fn main() -> Result<(), wasm_bindgen::JsValue> {
    console_error_panic_hook::set_once();
    keyside_worker::host::start_certificates()
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program is a part of a web page. `cargo xtask serve` builds and serves it.");
}
