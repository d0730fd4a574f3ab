//! The checks of the code itself: formatting, clippy, documentation, words, dependencies, and the oldest browsers.

use std::process::Command;

use crate::error::{Error, Result};
use crate::tool::Tool;
use crate::toolbox::Toolbox;
use crate::{fuzz, install, oldest_browsers, process, prose, repository};

/// The tools that linting takes.
pub(crate) const TOOLS: &[Tool] = &[
    Tool::Rustfmt,
    Tool::Clippy,
    Tool::WasmToolchain,
    Tool::CargoDeny,
    Tool::CargoShear,
    Tool::Typos,
    Tool::Taplo,
    Tool::Node,
    Tool::Esbuild,
    Tool::CxxCompiler,
    Tool::OpenSslLibrary,
];

/// The packages that run in a browser.
const IN_BROWSER: [&str; 6] =
    ["keyside", "keyside-core", "keyside-montgomery", "keyside-pki", "keyside-primes", "keyside-worker"];

/// Runs all checks, each whether or not the one before it failed; answers with what could not be checked.
///
/// # Errors
/// The checks that failed.
pub(crate) fn run(toolbox: &Toolbox) -> Result<Option<String>> {
    let program = |program: &str, arguments: &str| {
        let mut command = toolbox.command(program)?;
        process::run(command.args(arguments.split(' ')))
    };
    let cargo = |arguments: &str| program("cargo", arguments);
    let taplo = || {
        let mut git = Command::new("git");
        let files = process::output(git.args(["ls-files", "*.toml"]).current_dir(repository())).unwrap_or_default();
        let mut taplo = toolbox.command("taplo")?;
        process::run(taplo.args(["fmt", "--check"]).args(files.lines()).env("RUST_LOG", "warn"))
    };
    // Links that lead nowhere fail, in the comments of private items too, and public items may link to private ones: no crate is published.
    const DOCUMENTATION: [&str; 3] = ["doc", "--no-deps", "--document-private-items"];
    const DOCUMENTATION_FLAGS: &str = "-D warnings -A rustdoc::private_intra_doc_links";
    // Each package once.
    let documentation = || {
        let mut cargo = toolbox.command("cargo")?;
        cargo.args(DOCUMENTATION).arg("--workspace");
        cargo.args(IN_BROWSER.iter().flat_map(|package| ["--exclude", *package]));
        process::run(cargo.env("RUSTDOCFLAGS", DOCUMENTATION_FLAGS))
    };
    let for_wasm = || {
        let packages = IN_BROWSER.iter().flat_map(|package| ["--package", *package]);
        packages.chain(["--target", "wasm32-unknown-unknown"])
    };
    let documentation_for_wasm = || {
        let mut cargo = toolbox.wasm_command("cargo")?;
        process::run(cargo.args(DOCUMENTATION).args(for_wasm()).env("RUSTDOCFLAGS", DOCUMENTATION_FLAGS))
    };
    let clippy_for_wasm = || {
        let mut cargo = toolbox.wasm_command("cargo")?;
        cargo.args(["clippy", "--lib", "--bins", "--tests"]).args(for_wasm());
        process::run(cargo.args(["--", "-D", "warnings"]))
    };
    // The fuzz targets are a workspace of their own.
    let fuzz = |arguments: &str| {
        let mut cargo = toolbox.command("cargo")?;
        cargo.args(arguments.split(' ')).current_dir(repository().join("fuzz"));
        process::run(cargo.env("CARGO_TARGET_DIR", fuzz::folder().join("lint")))
    };
    // Those that take seconds first.
    let checks = [
        cargo("fmt --all --check"),
        fuzz("fmt --check"),
        taplo(),
        prose::check(),
        program("typos", "--format brief"),
        cargo("fetch --locked").and_then(|()| cargo("shear --offline")),
        fuzz("fetch --locked").and_then(|()| fuzz("shear --offline")),
        oldest_browsers::check_itself(toolbox),
        oldest_browsers::check(toolbox),
        cargo("deny --workspace check --hide-inclusion-graph bans licenses sources"),
        fuzz(
            "deny check --hide-inclusion-graph --allow duplicate --allow license-not-encountered bans licenses sources",
        ),
        cargo("clippy --workspace --all-targets -- -D warnings"),
        fuzz("clippy --all-targets -- -D warnings"),
        clippy_for_wasm(),
        documentation(),
        documentation_for_wasm(),
    ];
    let failed: Vec<_> = checks.into_iter().filter_map(|check| check.err().map(|error| error.to_string())).collect();
    if !failed.is_empty() {
        return Err(Error::new(failed.join("\n")));
    }
    // Offline the database of advisories is out of reach: the reader must know that nothing was compared with it.
    if install::registries_only() || cargo("deny fetch db").is_err() {
        return Ok(Some(
            "NOT RUN: cargo deny check advisories (the database of advisories cannot be, or may not be, fetched here)"
                .to_owned(),
        ));
    }
    cargo("deny --workspace --offline check advisories")?;
    fuzz("deny --offline check advisories").map(|()| None)
}
