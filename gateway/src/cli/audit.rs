//! `audit`: the log of every decision.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_gateway::audit::{self, Verified};
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::store;

use super::{Data, Error};

/// The number of entries that are read at once.
const BATCH: i64 = 1_000;

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
    /// Print the log as JSON, one line per entry. A copy elsewhere shows if the log was shortened or rewritten.
    Export {
        /// The number of the last entry that is known already.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Verify { noted, data } => verify(data, noted.as_deref()).await,
        Command::Export { after, data } => export(data, after).await,
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

async fn export(data: Data, mut after: i64) -> Result<(), Error> {
    let database = data.open().await?;
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    loop {
        let entries = store::audit::following(&database, after, BATCH).await?;
        let Some(last) = entries.last() else { break };
        after = last.number;
        for entry in &entries {
            writeln!(stdout, "{}", audit::export::line(entry))?;
        }
    }
    stdout.flush()?;
    database.close().await;
    Ok(())
}
