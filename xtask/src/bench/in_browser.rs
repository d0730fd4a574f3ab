//! What the benchmarks in tests/bench take: the delivered page, the packages, and the plain crate `rsa` as WebAssembly.

use std::path::Path;
use std::process::Command;

use crate::error::Result;
use crate::page::{self, Built};
use crate::tool::Tool;
use crate::toolbox::{Toolbox, target_folder};
use crate::{node_modules, process, repository};

/// The tools that it takes.
pub(crate) const TOOLS: &[Tool] =
    &[Tool::WasmToolchain, Tool::Node, Tool::WasmOpt, Tool::Esbuild, Tool::Chromium, Tool::Firefox];

/// A command that runs Node.js in tests/bench on what is `built`, once all else is built and installed that the programs there use.
pub(crate) fn node(toolbox: &Toolbox, built: &Built) -> Result<Command> {
    let scratch = target_folder().join("bench");
    rsa_worker(toolbox, &scratch.join("rsa-worker"))?;
    let folder = repository().join("tests/bench");
    for packages in [&repository().join("tests/e2e"), &folder] {
        node_modules::install(toolbox, packages)?;
    }
    let mut node = toolbox.command("node")?;
    node.current_dir(&folder).env("KEYSIDE_GATEWAY", &built.gateway).env("KEYSIDE_PAGE", &built.page);
    node.env("KEYSIDE_BENCH", &scratch);
    node.env("KEYSIDE_CHROMIUM", toolbox.path(Tool::Chromium)?);
    node.env("KEYSIDE_FIREFOX", toolbox.path(Tool::Firefox)?);
    Ok(node)
}

/// Builds tests/bench/rsa-worker into `folder`, for speed alone.
fn rsa_worker(toolbox: &Toolbox, folder: &Path) -> Result<()> {
    let mut cargo = toolbox.wasm_command("cargo")?;
    cargo.args(["build", "--release", "--package", "keyside-bench-rsa-worker", "--target", "wasm32-unknown-unknown"]);
    cargo.envs([("CARGO_PROFILE_RELEASE_LTO", "true"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")]);
    process::run(&mut cargo)?;
    let compiled = target_folder().join("wasm/wasm32-unknown-unknown/release/keyside_bench_rsa_worker.wasm");
    page::bind("rsa", &compiled, folder, false).map(drop)
}
