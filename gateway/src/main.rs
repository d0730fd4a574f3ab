//! The command line of the gateway.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use der::DateTime;
use keyside_core::domain::device::DeviceKind;
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::domain::{distinguished_name, email_address};
use keyside_gateway::audit::{self, Action, Actor, NewEntry, Verified, hexadecimal};
use keyside_gateway::clock::{self, DAY};
use keyside_gateway::config::{Ca, Config, ConfigError, EXAMPLE};
use keyside_gateway::data::DataDirectory;
use keyside_gateway::database::{Database, Location};
use keyside_gateway::decision::{self, Extent};
use keyside_gateway::journal::Replayed;
use keyside_gateway::officers::{self, Invitation, Role};
use keyside_gateway::page::EmbeddedFiles;
use keyside_gateway::store::est_codes::Code;
use keyside_gateway::store::requests::{self, Request};
use keyside_gateway::store::{self, est_codes, outbox};
use keyside_gateway::{Gateway, Options, one_time_code};
use rsa::BoxedUint;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The address that `serve` listens on by itself.
const DEFAULT_ADDRESS: &str = "127.0.0.1:8080";

/// The page: `KEYSIDE_EMBEDDED_PAGE` names a list of its files that `cargo xtask build` has written. They are in the program and not in the library,
/// so that a new page costs no more than a link.
#[cfg(has_page)]
const EMBEDDED_PAGE: EmbeddedFiles = &include!(env!("KEYSIDE_EMBEDDED_PAGE"));
#[cfg(not(has_page))]
const EMBEDDED_PAGE: EmbeddedFiles = &[];

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
    Serve {
        /// The address to listen on, by TLS where the configuration has a certificate for it; with port 0 the system chooses.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = DEFAULT_ADDRESS)]
        listen: SocketAddr,
        /// The address of the connection check, which speaks TLS and shows users whether their certificate works; with port 0 the
        /// system chooses. Without it there is no connection check.
        #[arg(long, value_name = "ADDRESS:PORT")]
        tls_listen: Option<SocketAddr>,
        /// The address of the probes and the Prometheus metrics, for those who run the gateway alone; with port 0 the system chooses.
        /// Without it there are no metrics, and the probes are with the rest.
        #[arg(long, value_name = "ADDRESS:PORT")]
        operations_listen: Option<SocketAddr>,
        #[command(flatten)]
        data: Data,
        /// A folder with a built page, to be served in place of the one that is in the program. It is read once, at the start.
        #[arg(long, value_name = "FOLDER")]
        page: Option<PathBuf>,
        /// Leave approval to `keyside-gateway requests`, whatever the configuration says. So it is without a configuration and without `--demo`, too.
        #[arg(long)]
        manual_approval: bool,
        /// Try it out with the annotated example as the configuration: each request is approved by itself, and the page says that it is a demo.
        #[arg(long, conflicts_with = "config")]
        demo: bool,
    },
    /// Write a copy of a SQLite database into a new file, while the server runs. PostgreSQL has pg_dump for that.
    Backup {
        /// The file, which must not be there yet.
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Put a backup in the place of the SQLite database, and bring back from the journal all that was issued and revoked since. No gateway may
    /// serve from the folder meanwhile. The database of before is kept.
    Restore {
        /// The backup, which stays as it is.
        file: PathBuf,
        /// The journal; the one beside the database if absent.
        #[arg(long, value_name = "FILE")]
        journal: Option<PathBuf>,
        #[command(flatten)]
        data: Data,
    },
    /// Print or check a configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look after the embedded CA.
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    /// See and decide requests. The server may be running, and notices within a second; or it may not, and notices later.
    Requests {
        #[command(subcommand)]
        command: RequestsCommand,
    },
    /// Let devices enroll by themselves (EST).
    Est {
        #[command(subcommand)]
        command: EstCommand,
    },
    /// See notifications, and send again those that have failed.
    Notifications {
        #[command(subcommand)]
        command: NotificationsCommand,
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
enum EstCommand {
    /// Make a one-time code for a device, and print it. It is kept nowhere: whoever loses it makes another one.
    Code {
        /// The device's name: its Common Name, and the user that it shows.
        #[arg(long, value_name = "NAME")]
        common_name: String,
        /// The id of a certificate type that is for devices.
        #[arg(long = "type", value_name = "TYPE")]
        certificate_type: String,
        /// What it is: rig, dpg, iccp.
        #[arg(long)]
        kind: DeviceKind,
        /// Whom to write to about the device.
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

#[derive(Subcommand)]
enum NotificationsCommand {
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

#[derive(Subcommand)]
enum CaCommand {
    /// Give root and issuing CA new certificates for the same names and keys, valid from now on for as long as the configuration says. Stop the server
    /// first.
    Renew {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// The annotated example, which is what `serve` runs on without `--config`.
    Example,
    /// Check a configuration, and name every fault.
    Check {
        /// The file.
        file: PathBuf,
    },
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
enum RevocationExtent {
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
    /// The place of the database.
    fn location(&self) -> Result<Location, ConfigError> {
        let configured = || Ok(Config::load(self.config.as_deref())?.database.url);
        Ok(match &self.database {
            Some(location) => location.clone(),
            None => configured()?.unwrap_or_else(|| DataDirectory::new(&self.directory).database()),
        })
    }

    /// Opens the database, which must be there.
    async fn open(self) -> Result<Database, Error> {
        Ok(Database::open(&self.location()?).await?)
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Starts the log. `RUST_LOG` has its level, as in `info`, or the levels of its targets, as in `keyside_gateway=debug`.
fn start_log() {
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

#[tokio::main]
async fn main() -> ExitCode {
    start_log();
    let result = match CommandLine::parse().command {
        Command::Serve { listen, tls_listen, operations_listen, data, page, manual_approval, demo } => {
            let Data { directory: data, database, config } = data;
            serve(Options {
                listen,
                tls_listen,
                operations_listen,
                data,
                database,
                page,
                embedded_page: EMBEDDED_PAGE,
                config,
                manual_approval,
                demo,
            })
            .await
        }
        Command::Config { command: ConfigCommand::Example } => {
            io::stdout().write_all(EXAMPLE.as_bytes()).map_err(Error::from)
        }
        Command::Config { command: ConfigCommand::Check { file } } => check(&file),
        Command::Backup { file, data } => back_up(&file, data).await,
        Command::Restore { file, journal, data } => restore(&file, journal.as_deref(), data).await,
        Command::Ca { command: CaCommand::Renew { data } } => renew_ca(data).await,
        Command::Requests { command } => run(command).await,
        Command::Est { command } => est_code(command).await,
        Command::Notifications { command } => notifications(command).await,
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
    let (shutdown, reload) = (shutdown_signal()?, reload_signal()?);
    let gateway = Gateway::start(options).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "Keyside is at {}/", gateway.url())?;
    if let Some(url) = gateway.connection_check_url() {
        writeln!(stdout, "The connection check is at {url}")?;
    }
    if let Some(address) = gateway.operations_address() {
        writeln!(stdout, "The operations are at http://{address}/")?;
    }
    stdout.flush()?;
    gateway.run(shutdown, reload).await;
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

/// Waits for the next signal to read the files of certificates again: SIGHUP, where there are signals.
#[cfg(unix)]
fn reload_signal() -> io::Result<impl AsyncFnMut()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move || {
        hangup.recv().await;
    })
}

/// Waits for ever: there is no such signal.
#[cfg(not(unix))]
fn reload_signal() -> io::Result<impl AsyncFnMut()> {
    Ok(async || std::future::pending().await)
}

/// Gives the embedded CA new certificates for its keys, and says until when.
async fn renew_ca(data: Data) -> Result<(), Error> {
    let config = Config::load(data.config.as_deref())?;
    let Ca::Embedded(ca) = &config.ca else {
        return Err("the CA is a CFSSL server: renew its certificate there".into());
    };
    let directory = DataDirectory::new(&data.directory);
    let database = data.open().await?;
    let [root, issuing] = keyside_gateway::renew_ca(&directory, ca, &database).await?.map(clock::date_and_time);
    database.close().await;
    writeln!(io::stdout(), "The certificate of the root ends on {root}, that of the issuing CA on {issuing}.")?;
    writeln!(
        io::stdout(),
        "The keys are the same, so what they have signed stays good. docs/ca-life.md says what is left to do."
    )?;
    Ok(())
}

/// Checks a configuration and the files that it names; every fault has a line.
fn check(file: &Path) -> Result<(), Error> {
    let faults = Config::faults(file);
    for (key, value) in Config::remains_of_example(file) {
        writeln!(io::stdout(), "still the example's: {key} = “{value}”")?;
    }
    if faults.is_empty() {
        writeln!(io::stdout(), "{} is fine", file.display())?;
        return Ok(());
    }
    for fault in &faults {
        writeln!(io::stdout(), "{fault}")?;
    }
    Err(format!("{} has {} faults", file.display(), faults.len()).into())
}

async fn back_up(file: &Path, data: Data) -> Result<(), Error> {
    let database = data.open().await?;
    let written = database.back_up(file).await;
    database.close().await;
    Ok(written?)
}

async fn restore(file: &Path, journal: Option<&Path>, data: Data) -> Result<(), Error> {
    let location = data.location()?;
    let restored =
        keyside_gateway::restore::restore(&DataDirectory::new(&data.directory), &location, file, journal).await?;
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
        RequestsCommand::Revoked { data } => {
            let database = data.open().await?;
            let mut stdout = io::stdout().lock();
            for certificate in requests::revoked(database.reader()).await? {
                let serial_number = BoxedUint::from_be_slice_vartime(&certificate.serial_number);
                writeln!(stdout, "{}", serial_number.to_string_radix_vartime(10))?;
            }
            database.close().await;
        }
        RequestsCommand::Revoke { transaction_id, serial, reason, extent, data } => {
            let extent = extent.map_or_else(|| Extent::of(reason), Extent::from);
            let serial = serial.as_deref().map(serial_number).transpose()?;
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

async fn est_code(command: EstCommand) -> Result<(), Error> {
    let EstCommand::Code { common_name, certificate_type, kind, email, file_format, days, data } = command;
    let config = Config::load(data.config.as_deref())?;
    let types = || config.certificate_types.iter().filter(|kind| kind.for_devices);
    if !types().any(|kind| kind.id == certificate_type) {
        let ids: Vec<_> = types().map(|kind| kind.id.as_str()).collect();
        return Err(
            format!("“{certificate_type}” is no certificate type for devices; there are: {}", ids.join(", ")).into()
        );
    }
    distinguished_name::check_common_name(&common_name).map_err(|fault| format!("the Common Name: {fault}"))?;
    email_address::check(&email).map_err(|fault| format!("the e-mail address: {fault}"))?;
    let code = one_time_code::new();
    let now = clock::now();
    let row = Code {
        code_sha256: one_time_code::hash(&code),
        common_name,
        certificate_type,
        device_kind: kind.name().into(),
        device_file_format: file_format.name().into(),
        email_address: email,
        created_at: now,
        valid_until: now + i64::from(days) * DAY,
        submission_sha256: None,
    };
    let database = data.open().await?;
    let mut transaction = database.transaction().await?;
    est_codes::insert(&mut transaction, &row).await?;
    let detail = format!(
        "{}, {}, {}, until {}",
        row.device_kind,
        row.certificate_type,
        row.email_address,
        clock::date_and_time(row.valid_until)
    );
    let (actor, action) = (Actor::CommandLine, Action::DeviceCodeMade);
    let entry = NewEntry { at: now, actor, action, subject: row.common_name, detail };
    store::audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    database.close().await;
    writeln!(io::stdout(), "{}", *code)?;
    Ok(())
}

async fn notifications(command: NotificationsCommand) -> Result<(), Error> {
    match command {
        NotificationsCommand::List { all, data } => {
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
                    date_and_time(row.created_at)?,
                    row.recipient,
                    row.transaction_id.unwrap_or_default(),
                    row.attempts,
                    row.fault.unwrap_or_default(),
                )?;
            }
            database.close().await;
        }
        NotificationsCommand::Retry { identity, data } => {
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

fn date_and_time(seconds: i64) -> Result<DateTime, Error> {
    Ok(DateTime::from_unix_duration(std::time::Duration::from_secs(clock::to_unsigned(seconds)))?)
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
        date_and_time(request.submitted_at)?,
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
