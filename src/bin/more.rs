//! The page's program for everything but the main job.

/// Shows it: `public/start.js` calls this once, and says whether a link of this page led here.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn mount(by_link: bool) {
    use keyside::ui::{self, More, MoreProps, programs::Program};

    ui::mount(Program::More, by_link, |context| More(MoreProps { context }));
}

fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("This program is a web page. `cargo xtask serve` builds and serves it.");
}
