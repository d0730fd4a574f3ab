//! `est`: let devices enroll by themselves.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_core::domain::device::DeviceKind;
use keyside_core::domain::file_format::FileFormat;
use keyside_gateway::configuration::Config;
use keyside_gateway::ra::device_codes::{self, NewDevice};
use keyside_gateway::store::audit_actions::Actor;

use super::{Data, Error};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a one-time code for a device, and print it. The gateway does not keep it; if it is lost, make another one.
    Code {
        /// The device's name: its Common Name, and the user that it shows.
        #[arg(long, value_name = "NAME")]
        common_name: String,
        /// The id of a certificate type that is for devices.
        #[arg(long = "type", value_name = "TYPE")]
        certificate_type: String,
        /// The kind of device: rig, dpg, iccp.
        #[arg(long)]
        kind: DeviceKind,
        /// The address for mails about the device.
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// The file that the device takes its certificate from, for the officer to read: pem, der, p7b.
        #[arg(long, default_value = "p7b")]
        file_format: FileFormat,
        /// For how many days the code can be used.
        #[arg(long, default_value_t = 7)]
        days: u16,
        #[command(flatten)]
        data: Data,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    let Command::Code { common_name, certificate_type, kind, email, file_format, days, data } = command;
    let config = Config::load(data.config.as_deref())?;
    let database = data.open().await?;
    let device = NewDevice { common_name, certificate_type, kind, email_address: email, file_format, days };
    let code = device_codes::make(&database, &config.certificate_types, device, Actor::CommandLine).await?;
    database.close().await;
    writeln!(io::stdout(), "{}", *code)?;
    Ok(())
}
