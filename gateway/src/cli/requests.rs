//! `requests`: see and decide them.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_core::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::ra::decision::{self, Extent};
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::requests::{self, Request};
use keyside_gateway::store::revocations;
use rsa::BoxedUint;

use super::{Data, Error, read_serial_number, rfc_3339};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show every request, oldest first.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Approve a pending request; the server issues the certificate.
    Approve {
        /// The transaction ID.
        transaction_id: TransactionId,
        #[command(flatten)]
        data: Data,
    },
    /// Reject a pending request.
    Reject {
        /// The transaction ID.
        transaction_id: TransactionId,
        /// Why, for the user to read.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        data: Data,
    },
    /// Print the serial numbers of the certificates that were revoked, in decimal, one a line, as `cfssl gencrl` takes them.
    Revoked {
        #[command(flatten)]
        data: Data,
    },
    /// Revoke the certificate of an issued request, for good. It is on the CRL from then on.
    Revoke {
        /// The transaction ID.
        #[arg(required_unless_present = "serial")]
        transaction_id: Option<TransactionId>,
        /// In place of it: the serial number of a certificate, in hexadecimal. The request need not be known here, after a restore say.
        #[arg(long, conflicts_with = "transaction_id")]
        serial: Option<String>,
        /// Why: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation, privilege-withdrawn.
        #[arg(long)]
        reason: RevocationReason,
        /// The extent: the certificate, or all certificates that are good in its chain of renewals. If absent, with key-compromise the chain,
        /// since a thief of the key can have renewed with it, and otherwise the certificate.
        #[arg(long)]
        extent: Option<RevocationExtent>,
        #[command(flatten)]
        data: Data,
    },
}

/// The extent of a revocation.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum RevocationExtent {
    Certificate,
    Chain,
}

impl From<RevocationExtent> for Extent {
    fn from(extent: RevocationExtent) -> Self {
        match extent {
            RevocationExtent::Certificate => Self::Certificate,
            RevocationExtent::Chain => Self::Chain,
        }
    }
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::List { data } => {
            let database = data.open().await?;
            let mut stdout = io::stdout().lock();
            writeln!(
                stdout,
                "transaction ID\tstate\tsubmitted\ttype\tcommon name\te-mail address\tserial number\trenews\treplaces\tdevice\trevocation"
            )?;
            for request in requests::list(database.reader()).await? {
                writeln!(stdout, "{}", line(&request)?)?;
            }
            database.close().await;
        }
        Command::Approve { transaction_id, data } => {
            let database = data.open().await?;
            decision::approve(&database, transaction_id, None, Actor::CommandLine).await?;
            database.close().await;
        }
        Command::Reject { transaction_id, reason, data } => {
            let database = data.open().await?;
            decision::reject(&database, transaction_id, &reason, Actor::CommandLine).await?;
            database.close().await;
        }
        Command::Revoked { data } => {
            let database = data.open().await?;
            let mut stdout = io::stdout().lock();
            for certificate in revocations::revoked(database.reader()).await? {
                let serial_number = BoxedUint::from_be_slice_vartime(&certificate.serial_number);
                writeln!(stdout, "{}", serial_number.to_string_radix_vartime(10))?;
            }
            database.close().await;
        }
        Command::Revoke { transaction_id, serial, reason, extent, data } => {
            let extent = extent.map_or_else(|| Extent::of(reason), Extent::from);
            let serial = serial.as_deref().map(read_serial_number).transpose()?;
            let database = data.open().await?;
            if let Some(id) = transaction_id {
                decision::revoke(&database, id, reason, extent, Actor::CommandLine).await?;
            } else if let Some(serial) = serial {
                let actor = Actor::CommandLine;
                let found = decision::revoke_by_serial_number(&database, &serial, reason, extent, actor).await?;
                match found {
                    Some(id) => writeln!(io::stdout(), "It is the certificate of the request {id}.")?,
                    None => writeln!(
                        io::stdout(),
                        "No request here has this certificate: its serial number is on the CRL from now on."
                    )?,
                }
            }
            database.close().await;
        }
    }
    Ok(())
}

/// A request's state, with why it waits where the CA engine gives no certificate.
fn state(request: &Request) -> String {
    match &request.issue_fault {
        Some(fault) => format!("{}, waits: {fault}", request.state.name()),
        None => request.state.name().into(),
    }
}

fn revocation(revocation: Revocation) -> String {
    let state = match revocation.state {
        RevocationState::Requested => "asked for",
        RevocationState::Revoked => "revoked",
    };
    format!("{state}: {}", revocation.reason)
}

/// What a device is, the names that others will reach it by, and the file that it wants.
fn device(request: &Request) -> Option<String> {
    let device = request.device()?;
    let names = request.device.names.as_deref().filter(|names| !names.is_empty());
    let names = names.map(|names| format!(" {names}")).unwrap_or_default();
    Some(format!("{}{names} ({})", device.kind.abbreviation(), device.file_format))
}

/// A request as one line; tabs between the columns, which none of the values can have.
fn line(request: &Request) -> Result<String, Error> {
    Ok(format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        request.transaction_id,
        state(request),
        rfc_3339(request.submitted_at)?,
        request.certificate_type,
        request.common_name,
        request.email_address,
        request.serial_number.as_deref().map(hexadecimal).unwrap_or_default(),
        request.renews.as_deref().map(hexadecimal).unwrap_or_default(),
        request.replaces.as_deref().unwrap_or_default(),
        device(request).unwrap_or_default(),
        request.revocation().map(revocation).unwrap_or_default(),
    ))
}
