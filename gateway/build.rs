//! Builds again when a migration changes: `sqlx::migrate!` embeds the folder, which cargo does not see. Lets the program embed the page, if
//! the variable `KEYSIDE_EMBEDDED_PAGE` says where it is.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-env-changed=KEYSIDE_EMBEDDED_PAGE");
    println!("cargo::rustc-check-cfg=cfg(has_page)");
    if env::var_os("KEYSIDE_EMBEDDED_PAGE").is_some() {
        println!("cargo::rustc-cfg=has_page");
    } else {
        println!("cargo::warning=This gateway gets no page: `cargo xtask build` builds both.");
    }
}
