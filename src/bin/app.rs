//! The page's program for Home and Collect: mounts it, nothing else.

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    use keyside::browser::registration_authority::HttpRegistrationAuthority;
    use keyside::ui::{App, AppProps, context::Context, programs::Program};

    leptos::mount::mount_to_body(|| {
        let context = Context::new(Program::App, HttpRegistrationAuthority::of_this_page());
        App(AppProps { context })
    });
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program is a web page. `cargo xtask serve` builds and serves it.");
}
