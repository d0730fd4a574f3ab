//! `cargo xtask bench`: measures the release build; docs/benchmarks.md says what each one measures.

mod gateway;

use clap::Subcommand;

use crate::Installing;
use crate::error::Result;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Submissions and status queries a second, with 1,000 and with 1,000,000 requests stored, on SQLite and on PostgreSQL.
    Gateway(gateway::Options),
}

/// Installs what is missing, builds what is delivered, and measures it.
pub(crate) fn run(bench: &Bench, installing: Installing) -> Result<()> {
    match bench {
        Bench::Gateway(options) => gateway::run(options, installing),
    }
}
