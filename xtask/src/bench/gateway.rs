//! `cargo xtask bench gateway`: submissions and status queries, with few and with many requests stored, on both databases. The gateway's
//! package measures it; here it is built and run.

use std::path::PathBuf;

use super::Output;
use crate::Installing;
use crate::error::{Error, Result};
use crate::process;
use crate::tool::Tool;

/// What to measure, and where the results go.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    output: Output,
    /// How many requests are stored in the larger databases.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    large: u32,
    /// Compare it with this program, such as the gateway of an earlier version, with nothing stored.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "large")]
    against: Option<PathBuf>,
}

/// Installs what is missing, builds the gateway, and measures it.
pub(crate) fn run(options: &Options, installing: Installing) -> Result<()> {
    let toolbox = installing.toolbox(&[Tool::PostgreSql])?;
    let initdb = toolbox.path(Tool::PostgreSql)?;
    let mut cargo = toolbox.command("cargo")?;
    cargo.args(["bench", "--package", "keyside-gateway", "--bench", "gateway", "--", "--large"]);
    cargo.arg(options.large.to_string()).env("KEYSIDE_POSTGRESQL", initdb.parent().unwrap_or(initdb));
    if let Some(program) = &options.against {
        let path = program.canonicalize().map_err(|error| Error::file("find", program, &error))?;
        cargo.arg("--against").arg(path);
    }
    options.output.pass_to(&mut cargo)?;
    process::run(&mut cargo)
}
