//! The command line. Each command has a file; what it does is the library's.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use der::DateTime;
use keyside_gateway::clock;
use keyside_gateway::configuration::Config;
use keyside_gateway::data_directory::DataDirectory;
use keyside_gateway::database::{Database, Location, NoLocation};
use keyside_gateway::hexadecimal::serial_number;
use keyside_gateway::settings::faults::ConfigError;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

mod audit;
mod backup;
mod ca;
mod config;
mod est;
mod notifications;
mod officer;
mod requests;
mod serve;

/// The address that `serve` listens on by itself.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

/// Keyside's gateway: the registration authority that the page talks to.
#[derive(Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the page and the API. Makes what is missing in the data folder.
    Serve(serve::Options),
    /// Write a copy of a SQLite database into a new file, while the server runs. PostgreSQL has pg_dump for that.
    Backup {
        /// The file, which must not be there yet.
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Put a backup in the place of the SQLite database, and bring back from the journal all that was issued and revoked since. No gateway may
    /// serve from the folder meanwhile. The database of before is kept.
    Restore(backup::Restore),
    /// Print or check a configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Look after the embedded CA.
    #[command(subcommand)]
    Ca(ca::Command),
    /// See and decide requests. The server may be running, and notices within a second; or it may not, and notices later.
    #[command(subcommand)]
    Requests(requests::Command),
    /// Let devices enroll by themselves (EST).
    #[command(subcommand)]
    Est(est::Command),
    /// See notifications, and send again those that have failed.
    #[command(subcommand)]
    Notifications(notifications::Command),
    /// Invite, list and revoke officers: those who authorise and decide in the console.
    #[command(subcommand)]
    Officer(officer::Command),
    /// The audit log: every decision, in one chain of hashes.
    #[command(subcommand)]
    Audit(audit::Command),
}

#[derive(clap::Args)]
struct Data {
    /// The data folder.
    #[arg(long = "data", value_name = "FOLDER", default_value = "data")]
    directory: PathBuf,
    /// The database, as in postgresql://keyside@db.example.com/keyside; without it the one that the configuration names, or else a
    /// SQLite file in the data folder.
    #[arg(long, value_name = "URL", env = "KEYSIDE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// The configuration file; without it, the example that `keyside-gateway config example` prints.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Data {
    /// The place of the database.
    fn location(&self) -> Result<Location, ConfigError> {
        let configured = || Ok(Config::load(self.config.as_deref())?.database.url);
        Ok(match self.given_location()? {
            Some(location) => location,
            None => configured()?.unwrap_or_else(|| DataDirectory::new(&self.directory).database()),
        })
    }

    /// The one that was given in place of the configuration's. Parsed here: an error of the command line would show it, with its password.
    fn given_location(&self) -> Result<Option<Location>, ConfigError> {
        let parse = |url: &String| {
            url.parse().map_err(|fault: NoLocation| ConfigError::Value {
                key: "database, by --database or KEYSIDE_DATABASE".into(),
                fault: fault.to_string(),
            })
        };
        self.database.as_ref().map(parse).transpose()
    }

    /// Opens the database, which must be there.
    async fn open(self) -> Result<Database, Error> {
        Ok(Database::open(&self.location()?).await?)
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Starts the log. `RUST_LOG` has its level, as in `info`, or the levels of its targets, as in `keyside_gateway=debug`.
pub(crate) fn start_log() {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    // The filter takes an empty text for “error”.
    let read = if asked.trim().is_empty() { Ok(Targets::new()) } else { asked.parse::<Targets>() };
    let targets = read.as_ref().cloned().unwrap_or_default();
    let targets = if targets.default_level().is_some() { targets } else { targets.with_default(LevelFilter::INFO) };
    // Standard output is for what was asked for: the address, the list.
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(targets);
    tracing_subscriber::registry().with(log).init();
    if let Err(error) = read {
        tracing::warn!(%error, "RUST_LOG is not understood, and has no effect");
    }
}

/// Does what the command line says.
pub(crate) async fn run() -> Result<(), Error> {
    match CommandLine::parse().command {
        Command::Serve(options) => serve::run(options).await,
        Command::Backup { file, data } => backup::back_up(&file, data).await,
        Command::Restore(options) => backup::restore(options).await,
        Command::Config(command) => config::run(command),
        Command::Ca(command) => ca::run(command).await,
        Command::Requests(command) => requests::run(command).await,
        Command::Est(command) => est::run(command).await,
        Command::Notifications(command) => notifications::run(command).await,
        Command::Officer(command) => officer::run(command).await,
        Command::Audit(command) => audit::run(command).await,
    }
}

/// Reads a serial number in hexadecimal.
fn read_serial_number(text: &str) -> Result<Vec<u8>, Error> {
    let read = serial_number(text);
    read.ok_or_else(|| format!("“{text}” is no serial number: write it in hexadecimal, as `requests list` does").into())
}

/// A time for programs, as RFC 3339 has it.
fn rfc_3339(seconds: i64) -> Result<DateTime, Error> {
    Ok(DateTime::from_unix_duration(Duration::from_secs(clock::to_unsigned(seconds)))?)
}
