//! `audit`: the log of every decision.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_gateway::audit::{self, Verified};
use keyside_gateway::hexadecimal::hexadecimal;

use super::{Data, Error};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Go through the whole log, and say which entries were changed, removed, inserted or moved.
    Verify {
        /// The hash of an entry that was noted earlier, and must still be there.
        #[arg(long, value_name = "HASH")]
        noted: Option<String>,
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Verify { noted, data } => verify(data, noted.as_deref()).await,
    }
}

async fn verify(data: Data, noted: Option<&str>) -> Result<(), Error> {
    let database = data.open().await?;
    let Verified { entries, sha256, faults } = audit::verify(&database, noted).await?;
    database.close().await;
    let mut stdout = io::stdout().lock();
    if faults.is_empty() {
        writeln!(
            stdout,
            "The audit log is whole: {entries} entries, the last one with the hash {}",
            hexadecimal(&sha256)
        )?;
        return Ok(());
    }
    for fault in &faults {
        writeln!(stdout, "{fault}")?;
    }
    Err("the audit log is not whole".into())
}
