//! The command line of the gateway.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use der::DateTime;
use keyside::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside::domain::transaction_id::TransactionId;
use keyside_gateway::audit::{self, Actor, Verified, hexadecimal};
use keyside_gateway::clock;
use keyside_gateway::config::{Config, ConfigError, EXAMPLE};
use keyside_gateway::data::DataDirectory;
use keyside_gateway::database::{Database, Location};
use keyside_gateway::decision;
use keyside_gateway::officers::{self, Invitation, Role};
use keyside_gateway::store::requests::{self, Request};
use keyside_gateway::{Gateway, Options};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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
    /// Serve the API, and the page if it is named. Makes what is missing in the data folder.
    Serve {
        /// The address to listen on; with port 0 the system chooses.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS)]
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
    /// Invite, list and revoke officers: those who authorise and decide in the console.
    Officer {
        #[command(subcommand)]
        command: OfficerCommand,
    },
    /// The audit log: every decision, in one chain of hashes.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
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

#[derive(Subcommand)]
enum OfficerCommand {
    /// Invite an officer. Prints a link that signs in once, unless a certificate is named that does it.
    Invite {
        /// What the officer may do: uaa (authorises the people of one company), approver (decides), auditor (reads).
        #[arg(long)]
        role: Role,
        /// The company of a User Access Administrator.
        #[arg(long)]
        company: Option<String>,
        /// The officer's name.
        #[arg(long)]
        name: String,
        /// The officer's e-mail address.
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// The serial number of the officer's own certificate, issued here: it signs in at the address of `--tls-listen`.
        #[arg(long, value_name = "SERIAL NUMBER")]
        certificate: Option<String>,
        #[command(flatten)]
        link: LinkOptions,
        #[command(flatten)]
        data: Data,
    },
    /// Print another link for an officer. The one before works no longer.
    Link {
        /// The officer's id, which `officer list` shows.
        id: String,
        #[command(flatten)]
        link: LinkOptions,
        #[command(flatten)]
        data: Data,
    },
    /// Let a certificate sign an officer in, in place of the one before.
    Certificate {
        /// The officer's id, which `officer list` shows.
        id: String,
        /// The certificate's serial number, in hexadecimal.
        serial_number: String,
        #[command(flatten)]
        data: Data,
    },
    /// Show every officer.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Shut an officer out at once: sessions, link and certificate work no longer.
    Revoke {
        /// The officer's id, which `officer list` shows.
        id: String,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(clap::Args)]
struct LinkOptions {
    /// How many hours the link works.
    #[arg(long, value_name = "NUMBER", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=720))]
    hours: u32,
    /// Where officers reach the gateway; the configuration's public_url if absent, or else the address that `serve` listens on by itself.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Go through the whole log, and say which entries were changed, removed, inserted or moved.
    Verify {
        /// The hash of an entry that was noted earlier, and must still be there.
        #[arg(long, value_name = "HASH")]
        noted: Option<String>,
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
        Command::Officer { command } => officer(command).await,
        Command::Audit { command: AuditCommand::Verify { noted, data } } => verify(data, noted.as_deref()).await,
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
            decision::approve(&database, transaction_id, Actor::CommandLine).await?;
            database.close().await;
        }
        RequestsCommand::Reject { transaction_id, reason, data } => {
            let database = data.open().await?;
            decision::reject(&database, transaction_id, &reason, Actor::CommandLine).await?;
            database.close().await;
        }
        RequestsCommand::Revoke { transaction_id, reason, data } => {
            let database = data.open().await?;
            decision::revoke(&database, transaction_id, reason, Actor::CommandLine).await?;
            database.close().await;
        }
    }
    Ok(())
}

async fn officer(command: OfficerCommand) -> Result<(), Error> {
    match command {
        OfficerCommand::Invite { role, company, name, email, certificate, link, data } => {
            let certificate = certificate.as_deref().map(serial_number).transpose()?;
            let url = link.url(&data)?;
            let database = data.open().await?;
            let invitation = Invitation { role, company, name, email_address: email };
            let officer = officers::invite(&database, invitation, certificate.as_deref(), Actor::CommandLine).await?;
            writeln!(io::stdout(), "officer {}", officer.id)?;
            if certificate.is_none() {
                link.print(&database, &url, &officer.id).await?;
            }
            database.close().await;
        }
        OfficerCommand::Link { id, link, data } => {
            let url = link.url(&data)?;
            let database = data.open().await?;
            link.print(&database, &url, &id).await?;
            database.close().await;
        }
        OfficerCommand::Certificate { id, serial_number: text, data } => {
            let serial_number = serial_number(&text)?;
            let database = data.open().await?;
            officers::bind_certificate(&database, &id, &serial_number, Actor::CommandLine).await?;
            database.close().await;
        }
        OfficerCommand::List { data } => {
            let database = data.open().await?;
            let time = |at: Option<i64>| at.map(clock::date_and_time).unwrap_or_default();
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "id\trole\tcompany\tname\te-mail address\tcertificate\tinvited\tlast seen\trevoked")?;
            for officer in keyside_gateway::store::officers::list(&database).await? {
                writeln!(
                    stdout,
                    "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                    officer.id,
                    officer.role.name(),
                    officer.company.unwrap_or_default(),
                    officer.name,
                    officer.email_address,
                    officer.certificate_serial_number.as_deref().map(hexadecimal).unwrap_or_default(),
                    time(Some(officer.invited_at)),
                    time(officer.last_seen_at),
                    time(officer.revoked_at),
                )?;
            }
            database.close().await;
        }
        OfficerCommand::Revoke { id, data } => {
            let database = data.open().await?;
            officers::revoke(&database, &id, Actor::CommandLine).await?;
            database.close().await;
        }
    }
    Ok(())
}

impl LinkOptions {
    /// Where officers reach the gateway.
    fn url(&self, data: &Data) -> Result<String, Error> {
        if let Some(url) = &self.url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let configured = Config::load(data.config.as_deref())?.public_url;
        Ok(configured.unwrap_or_else(|| format!("http://{DEFAULT_ADDRESS}")))
    }

    /// Makes a link and prints it.
    async fn print(&self, database: &Database, url: &str, id: &str) -> Result<(), Error> {
        let lifetime = i64::from(self.hours) * 60 * 60;
        let token = officers::give_link(database, id, lifetime, Actor::CommandLine).await?;
        let until = clock::date_and_time(clock::now() + lifetime);
        writeln!(io::stdout(), "link {url}/console/sign-in/{}\nIt works once, until {until}.", token.secret())?;
        Ok(())
    }
}

/// Reads a serial number in hexadecimal.
fn serial_number(text: &str) -> Result<Vec<u8>, Error> {
    let read = officers::serial_number(text);
    read.ok_or_else(|| format!("“{text}” is no serial number: write it in hexadecimal, as `requests list` does").into())
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
        request.serial_number.as_deref().map(hexadecimal).unwrap_or_default(),
        request.renews.as_deref().map(hexadecimal).unwrap_or_default(),
        request.replaces.as_deref().unwrap_or_default(),
        device(request).unwrap_or_default(),
        request.revocation().map(revocation).unwrap_or_default(),
    ))
}
