//! The long run: see tests/bench/primes.

use crate::error::Result;
use crate::tool::Tool;
use crate::{Installing, process};

/// The options of `cargo xtask bench primes`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many key pairs are made and checked; and as many by each of the others that they are compared with.
    #[arg(long, default_value_t = 10_000)]
    keys: u32,
}

/// Builds it natively, for speed, and runs it.
pub(crate) fn run(options: &Options, installing: Installing) -> Result<()> {
    let tools = [Tool::OpenSsl];
    let toolbox = installing.toolbox(&tools)?;
    toolbox.require(&tools)?;
    let mut cargo = toolbox.command("cargo")?;
    cargo.args(["run", "--release", "--package", "keyside-bench-primes", "--", "--keys", &options.keys.to_string()]);
    process::run(cargo.arg("--openssl").arg(toolbox.path(Tool::OpenSsl)?))
}
