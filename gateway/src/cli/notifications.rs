//! `notifications`: see them, and send again those that have failed.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_gateway::store::outbox;

use super::{Data, Error, rfc_3339};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show what is not delivered yet, oldest first.
    List {
        /// Show what was delivered, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Send again what has failed, or waits for its next attempt: one, or all.
    Retry {
        /// The one, as the list names it.
        identity: Option<String>,
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::List { all, data } => {
            let database = data.open().await?;
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "identity\tkind\tstate\tsince\tto\ttransaction ID\tattempts\tfault")?;
            for row in outbox::list(database.reader(), all).await? {
                writeln!(
                    stdout,
                    "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                    row.identity,
                    row.kind,
                    row.state,
                    rfc_3339(row.created_at)?,
                    row.recipient,
                    row.transaction_id.unwrap_or_default(),
                    row.attempts,
                    row.fault.unwrap_or_default(),
                )?;
            }
            database.close().await;
        }
        Command::Retry { identity, data } => {
            let database = data.open().await?;
            let mut transaction = database.transaction().await?;
            let count = outbox::retry(&mut transaction, identity.as_deref()).await?;
            transaction.commit().await?;
            database.close().await;
            if count == 0 {
                return Err("nothing to send again; `keyside-gateway notifications list` shows what waits".into());
            }
        }
    }
    Ok(())
}
