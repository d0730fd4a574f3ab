//! `config`: print or check a configuration.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use keyside_gateway::ca::expiry;
use keyside_gateway::clock;
use keyside_gateway::configuration::{Config, EXAMPLE};
use keyside_gateway::data_directory::DataDirectory;

use super::Error;

#[derive(Subcommand)]
pub(super) enum Command {
    /// The annotated example, which is what `serve` runs on without `--config`.
    Example,
    /// Check a configuration, and name every fault.
    Check {
        /// The file.
        file: PathBuf,
        /// A data folder whose embedded CA is checked, too: a warning says that its certificates expire within a year.
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
}

pub(super) fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Example => Ok(io::stdout().write_all(EXAMPLE.as_bytes())?),
        Command::Check { file, data } => check(&file, data.as_deref()),
    }
}

/// Checks a configuration and the files that it names; every fault has a line.
fn check(file: &Path, data: Option<&Path>) -> Result<(), Error> {
    let faults = Config::faults(file);
    for (key, value) in Config::remains_of_example(file) {
        writeln!(io::stdout(), "still the example's: {key} = “{value}”")?;
    }
    if let Some(data) = data {
        for warning in expiry::warnings_in(&DataDirectory::new(data).ca(), clock::now())? {
            writeln!(io::stdout(), "{warning}")?;
        }
    }
    if faults.is_empty() {
        writeln!(io::stdout(), "{} is fine", file.display())?;
        return Ok(());
    }
    for fault in &faults {
        writeln!(io::stdout(), "{fault}")?;
    }
    Err(format!("{} has {} faults", file.display(), faults.len()).into())
}
