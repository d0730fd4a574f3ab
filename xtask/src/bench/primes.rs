//! The long run: see tests/bench/primes.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::tool::Tool;
use crate::{Installing, process};

/// The options of `cargo xtask bench primes`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many key pairs are made and checked; and as many by each of the others that they are compared with.
    #[arg(long, default_value_t = 10_000)]
    keys: u32,
    /// Write the comparisons to this file, too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds it natively, for speed, and runs it.
pub(crate) fn run(options: &Options, installing: Installing) -> Result<()> {
    let tools = [Tool::OpenSsl];
    let toolbox = installing.toolbox(&tools)?;
    toolbox.require(&tools)?;
    let mut cargo = toolbox.command("cargo")?;
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        // Without it, multiply-add is a function, and takes much longer.
        cargo.args(["--config", "target.'cfg(target_arch = \"x86_64\")'.rustflags=['-C', 'target-feature=+fma']"]);
    }
    cargo.args(["run", "--release", "--package", "keyside-bench-primes", "--", "--keys", &options.keys.to_string()]);
    if let Some(json) = &options.json {
        // The program runs in another folder.
        cargo.arg("--json").arg(std::path::absolute(json).map_err(|error| Error::file("resolve", json, &error))?);
    }
    process::run(cargo.arg("--openssl").arg(toolbox.path(Tool::OpenSsl)?))
}
