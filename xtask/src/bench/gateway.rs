//! `cargo xtask bench gateway`: submissions and status queries, with few and with many requests stored, on both databases. The gateway's
//! package measures it; here it is built and run.

use std::path::PathBuf;

use crate::Installing;
use crate::error::{Error, Result};
use crate::process;
use crate::tool::Tool;

/// What to measure, and where the results go.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write the results to this file, too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many requests are stored in the larger databases.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    large: u32,
}

/// Installs what is missing, builds the gateway, and measures it.
pub(crate) fn run(options: &Options, installing: Installing) -> Result<()> {
    let toolbox = installing.toolbox(&[Tool::PostgreSql])?;
    let initdb = toolbox.path(Tool::PostgreSql)?;
    let mut cargo = toolbox.command("cargo")?;
    cargo.args(["bench", "--package", "keyside-gateway", "--bench", "gateway", "--", "--large"]);
    cargo.arg(options.large.to_string()).env("KEYSIDE_POSTGRESQL", initdb.parent().unwrap_or(initdb));
    if let Some(json) = &options.json {
        // Cargo runs it in another folder.
        let path = std::path::absolute(json).map_err(|error| Error::file("resolve", json, &error))?;
        cargo.arg("--json").arg(path);
    }
    process::run(&mut cargo)
}
