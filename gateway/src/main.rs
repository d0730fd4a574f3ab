//! The command line of the gateway.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use der::DateTime;
use keyside::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside::domain::transaction_id::TransactionId;
use keyside_gateway::clock;
use keyside_gateway::config::{Config, ConfigError, EXAMPLE};
use keyside_gateway::data::DataDirectory;
use keyside_gateway::database::{Database, Location};
use keyside_gateway::decision;
use keyside_gateway::store::requests::{self, Request};
use keyside_gateway::{Gateway, Options};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Keyside's gateway: the registration authority that the page talks to.
#[derive(Parser)]
#[command(version, about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API, and the page if it is named. Makes what is missing in the data folder.
    Serve {
        /// The address to listen on; with port 0 the system chooses.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// The address of the connection check, which speaks TLS and shows users whether their certificate works; with port 0 the
        /// system chooses. Without it there is no connection check.
        #[arg(long, value_name = "ADDRESS:PORT")]
        tls_listen: Option<SocketAddr>,
        #[command(flatten)]
        data: Data,
        /// The folder with the built page.
        #[arg(long, value_name = "FOLDER")]
        page: Option<PathBuf>,
        /// Leave approval to `keyside-gateway requests`, whatever the configuration says.
        #[arg(long)]
        manual_approval: bool,
    },
    /// Print a configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// See and decide requests. The server may be running, and notices within a second; or it may not, and notices later.
    Requests {
        #[command(subcommand)]
        command: RequestsCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// The annotated example, which is what `serve` runs on without `--config`.
    Example,
}

#[derive(Subcommand)]
enum RequestsCommand {
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
    /// Revoke the certificate of an issued request, for good. It is on the CRL from then on.
    Revoke {
        /// The transaction ID.
        transaction_id: TransactionId,
        /// Why: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation, privilege-withdrawn.
        #[arg(long)]
        reason: RevocationReason,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(clap::Args)]
struct Data {
    /// The data folder.
    #[arg(long = "data", value_name = "FOLDER", default_value = "data")]
    directory: PathBuf,
    /// The database, as in postgresql://keyside@db.example.com/keyside; without it the one that the configuration names, or else a
    /// SQLite file in the data folder.
    #[arg(long, value_name = "URL", env = "KEYSIDE_DATABASE", hide_env_values = true)]
    database: Option<Location>,
    /// The configuration file; without it, the example that `keyside-gateway config example` prints.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Data {
    /// Opens the database, which must be there.
    async fn open(self) -> Result<Database, Error> {
        let configured = || Ok::<_, ConfigError>(Config::load(self.config.as_deref())?.database.url);
        let location = match self.database {
            Some(location) => location,
            None => configured()?.unwrap_or_else(|| DataDirectory::new(&self.directory).database()),
        };
        Ok(Database::open(&location).await?)
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    // Standard output is for what was asked for: the address, the list.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy())
        .init();
    let result = match CommandLine::parse().command {
        Command::Serve { listen, tls_listen, data, page, manual_approval } => {
            let Data { directory: data, database, config } = data;
            serve(Options { listen, tls_listen, data, database, page, config, manual_approval }).await
        }
        Command::Config { command: ConfigCommand::Example } => {
            io::stdout().write_all(EXAMPLE.as_bytes()).map_err(Error::from)
        }
        Command::Requests { command } => run(command).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> Result<(), Error> {
    let shutdown = shutdown_signal()?;
    let gateway = Gateway::start(options).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "Keyside is at http://{}/", gateway.address())?;
    if let Some(url) = gateway.connection_check_url() {
        writeln!(stdout, "The connection check is at {url}")?;
    }
    stdout.flush()?;
    gateway.run(shutdown).await;
    Ok(())
}

/// Waits for the signal to stop: Ctrl-C, or SIGTERM where there are signals.
#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for the signal to stop: Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C cannot be heard");
            std::future::pending().await
        }
    })
}

async fn run(command: RequestsCommand) -> Result<(), Error> {
    match command {
        RequestsCommand::List { data } => {
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
        RequestsCommand::Approve { transaction_id, data } => {
            let database = data.open().await?;
            decision::approve(&database, transaction_id).await?;
            database.close().await;
        }
        RequestsCommand::Reject { transaction_id, reason, data } => {
            let database = data.open().await?;
            decision::reject(&database, transaction_id, &reason).await?;
            database.close().await;
        }
        RequestsCommand::Revoke { transaction_id, reason, data } => {
            let database = data.open().await?;
            decision::revoke(&database, transaction_id, reason).await?;
            database.close().await;
        }
    }
    Ok(())
}

/// A serial number in lowercase hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    let submitted = std::time::Duration::from_secs(clock::to_unsigned(request.submitted_at));
    Ok(format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        request.transaction_id,
        request.state.name(),
        DateTime::from_unix_duration(submitted)?,
        request.certificate_type,
        request.common_name,
        request.email_address,
        request.serial_number.as_deref().map(hex).unwrap_or_default(),
        request.renews.as_deref().map(hex).unwrap_or_default(),
        request.replaces.as_deref().unwrap_or_default(),
        device(request).unwrap_or_default(),
        request.revocation().map(revocation).unwrap_or_default(),
    ))
}
