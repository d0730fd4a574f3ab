//! `ca`: look after the embedded CA.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_gateway::ca::open;
use keyside_gateway::ca::settings::Ca;
use keyside_gateway::clock;
use keyside_gateway::configuration::Config;
use keyside_gateway::data::DataDirectory;

use super::{Data, Error};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Give root and issuing CA new certificates for the same names and keys, valid from now on for as long as the configuration says. Stop the server
    /// first.
    Renew {
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Renew { data } => renew(data).await,
    }
}

/// Gives the embedded CA new certificates for its keys, and says until when.
async fn renew(data: Data) -> Result<(), Error> {
    let config = Config::load(data.config.as_deref())?;
    let Ca::Embedded(ca) = &config.ca else {
        return Err("the CA is a CFSSL server: renew its certificate there".into());
    };
    let directory = DataDirectory::new(&data.directory);
    let database = data.open().await?;
    let [root, issuing] = open::renew(&directory, ca, &database).await?.map(clock::date_and_time);
    database.close().await;
    writeln!(io::stdout(), "The certificate of the root ends on {root}, that of the issuing CA on {issuing}.")?;
    writeln!(
        io::stdout(),
        "The keys are the same, so what they have signed stays good. docs/ca-life.md says what is left to do."
    )?;
    Ok(())
}
