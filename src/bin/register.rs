//! The page's program for Register and Submitted: mounts it, nothing else.

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    use keyside::browser::registration_authority::HttpRegistrationAuthority;
    use keyside::ui::{Register, RegisterProps, context::Context, programs::Program};

    leptos::mount::mount_to_body(|| {
        let context = Context::new(Program::Register, HttpRegistrationAuthority::of_this_page());
        Register(RegisterProps { context })
    });
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program is a web page. `cargo xtask serve` builds and serves it.");
}
