//! `backup` and `restore`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keyside_gateway::data_directory::DataDirectory;
use keyside_gateway::store::journal::Replayed;
use keyside_gateway::store::restore;

use super::{Data, Error};

#[derive(clap::Args)]
pub(super) struct Restore {
    /// The backup, which stays as it is.
    file: PathBuf,
    /// The journal; the one beside the database if absent.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

pub(super) async fn back_up(file: &Path, data: Data) -> Result<(), Error> {
    let database = data.open().await?;
    let written = database.back_up(file).await;
    database.close().await;
    Ok(written?)
}

pub(super) async fn restore(options: Restore) -> Result<(), Error> {
    let Restore { file, journal, data } = options;
    let location = data.location()?;
    let restored = restore::restore(&DataDirectory::new(&data.directory), &location, &file, journal.as_deref()).await?;
    let mut stdout = io::stdout();
    if let Some(before) = restored.before {
        writeln!(stdout, "The database of before is now {}.", before.display())?;
    }
    match restored.replayed {
        Some(Replayed { issued, revoked, unreadable }) => {
            writeln!(
                stdout,
                "From the journal: {issued} certificates and {revoked} revocations that the backup did not have."
            )?;
            if unreadable > 0 {
                writeln!(
                    stdout,
                    "{unreadable} lines of the journal cannot be read. After a crash one line may be cut."
                )?;
            }
        }
        None => writeln!(
            stdout,
            "There is no journal: certificates that were issued after the backup are not known. `requests revoke --serial` revokes them."
        )?,
    }
    Ok(())
}
