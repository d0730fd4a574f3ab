//! The page's program for everything but the main job.

/// Shows it: `public/start.js` calls this once.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn mount() {
    use keyside::ui::{self, More, MoreProps, programs::Program};

    ui::mount(Program::More, |context| More(MoreProps { context }));
}

fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("This program is a web page. `cargo xtask serve` builds and serves it.");
}
