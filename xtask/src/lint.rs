//! The checks of the code itself: formatting, clippy, dependencies.

use crate::error::Result;
use crate::tool::Tool;
use crate::toolbox::Toolbox;
use crate::{install, process};

/// The tools that linting takes.
pub(crate) const TOOLS: &[Tool] = &[Tool::Rustfmt, Tool::Clippy, Tool::WasmToolchain, Tool::CargoDeny];

/// The packages that run in a browser.
const IN_BROWSER: [&str; 5] = ["keyside", "keyside-core", "keyside-pki", "keyside-primes", "keyside-worker"];

/// Runs all checks, each whether or not the one before it failed; answers with what could not be checked.
///
/// # Errors
/// The first check that failed.
pub(crate) fn run(toolbox: &Toolbox) -> Result<Option<String>> {
    let cargo = |arguments: &str| {
        let mut cargo = toolbox.command("cargo")?;
        process::run(cargo.args(arguments.split(' ')))
    };
    let for_wasm = || {
        let mut cargo = toolbox.wasm_command("cargo")?;
        let target = "--lib --bins --tests --target wasm32-unknown-unknown";
        let packages = IN_BROWSER.iter().flat_map(|package| ["--package", package]);
        process::run(cargo.arg("clippy").args(packages).args(target.split(' ')).args(DENY_WARNINGS))
    };
    let checks = [
        cargo("fmt --all --check"),
        cargo("clippy --workspace --all-targets -- -D warnings"),
        for_wasm(),
        cargo("deny --workspace check --hide-inclusion-graph bans licenses sources"),
    ];
    checks.into_iter().collect::<Result<()>>()?;
    // Offline the database of advisories is out of reach: the reader must know that nothing was compared with it.
    if install::registries_only() || cargo("deny fetch db").is_err() {
        return Ok(Some(
            "NOT RUN: cargo deny check advisories (the database of advisories cannot be, or may not be, fetched here)"
                .to_owned(),
        ));
    }
    cargo("deny --workspace --offline check advisories").map(|()| None)
}

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];
