//! The page's program for Register and Submitted.

/// Shows it: `public/start.js` calls this once, and says whether a link of this page led here.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn mount(by_link: bool) {
    use keyside::ui::{self, Register, RegisterProps, programs::Program};

    ui::mount(Program::Register, by_link, |context| Register(RegisterProps { context }));
}

fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("This program is a web page. `cargo xtask serve` builds and serves it.");
}
