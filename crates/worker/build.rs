//! Lets the worker embed the module that tests numbers with fused multiply-add, if the variable `KEYSIDE_EMBEDDED_MONTGOMERY` says where it is.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=KEYSIDE_EMBEDDED_MONTGOMERY");
    println!("cargo::rustc-check-cfg=cfg(has_montgomery)");
    if std::env::var_os("KEYSIDE_EMBEDDED_MONTGOMERY").is_some() {
        println!("cargo::rustc-cfg=has_montgomery");
    }
}
