//! `ca`: look after the embedded CA.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_core::domain::revocation::RevocationReason;
use keyside_gateway::ca::engines;
use keyside_gateway::ca::settings::{Ca, EmbeddedCa};
use keyside_gateway::clock;
use keyside_gateway::configuration::Config;
use keyside_gateway::data_directory::DataDirectory;
use keyside_gateway::store::audit_actions::Actor;

use super::{Data, Error, read_serial_number};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Give root and issuing CA new certificates for the same names and keys, valid from now on for as long as the configuration says. Stop the server
    /// first.
    Renew {
        #[command(flatten)]
        data: Data,
    },
    /// Have a new issuing CA, with a new key and the name that the configuration has, take the place of the current one, which stays beside it for its
    /// CRL. Stop the server first.
    Rollover {
        #[command(flatten)]
        data: Data,
    },
    /// Revoke a former issuing CA: its certificate is on the root's next CRL. The server may be running.
    Revoke {
        /// The serial number of its certificate, in hexadecimal.
        serial_number: String,
        /// The reason: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation, privilege-withdrawn.
        #[arg(long)]
        reason: RevocationReason,
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Renew { data } => renew(data).await,
        Command::Rollover { data } => rollover(data).await,
        Command::Revoke { serial_number, reason, data } => revoke(&serial_number, reason, data).await,
    }
}

/// The settings of the embedded CA, if that is the engine.
fn embedded(data: &Data) -> Result<EmbeddedCa, Error> {
    match Config::load(data.config.as_deref())?.ca {
        Ca::Embedded(ca) => Ok(ca),
        Ca::Cfssl(_) => Err("the CA is a CFSSL server: look after it there".into()),
    }
}

async fn rollover(data: Data) -> Result<(), Error> {
    let certificate = engines::rollover(&DataDirectory::new(&data.directory), &embedded(&data)?).await?;
    let end = clock::date_and_time(clock::from_unsigned(certificate.validity().1));
    writeln!(io::stdout(), "“{}” issues from the next start on, and ends on {end}.", certificate.subject())?;
    writeln!(
        io::stdout(),
        "Certificates of the former one still work, and its CRL is still signed. docs/ca-life.md lists the next steps."
    )?;
    Ok(())
}

async fn revoke(serial_number: &str, reason: RevocationReason, data: Data) -> Result<(), Error> {
    embedded(&data)?;
    let serial_number = read_serial_number(serial_number)?;
    let directory = DataDirectory::new(&data.directory);
    let database = data.open().await?;
    let name = engines::revoke_authority(&directory, &database, &serial_number, reason, Actor::CommandLine).await?;
    database.close().await;
    writeln!(io::stdout(), "“{name}” is on the root's next CRL. Its people have to register for new certificates.")?;
    Ok(())
}

/// Gives the embedded CA new certificates for its keys, and says until when.
async fn renew(data: Data) -> Result<(), Error> {
    let ca = embedded(&data)?;
    let directory = DataDirectory::new(&data.directory);
    let database = data.open().await?;
    let [root, issuing] = engines::renew(&directory, &ca, &database).await?.map(clock::date_and_time);
    database.close().await;
    writeln!(io::stdout(), "The certificate of the root ends on {root}, that of the issuing CA on {issuing}.")?;
    writeln!(
        io::stdout(),
        "The keys are the same, so what they have signed stays good. docs/ca-life.md says what is left to do."
    )?;
    Ok(())
}
