//! `officer`: invite, list and revoke officers.

use std::io::{self, Write};

use clap::Subcommand;
use keyside_gateway::clock;
use keyside_gateway::configuration::Config;
use keyside_gateway::database::Database;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::officers::invitation::{self, Invitation};
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::officer_roles::Role;
use keyside_gateway::store::officers;

use super::{DEFAULT_ADDRESS, Data, Error, read_serial_number};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Invite an officer. Prints a link that signs in once, unless a certificate is named that does it.
    Invite {
        /// The officer's role: uaa (authorises the people of one company), approver (decides), auditor (reads).
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
pub(super) struct LinkOptions {
    /// How many hours the link works.
    #[arg(long, value_name = "NUMBER", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=720))]
    hours: u32,
    /// Where officers reach the gateway; the configuration's public_url if absent, or else the address that `serve` listens on by itself.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
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
        let token = invitation::give_link(database, id, lifetime, Actor::CommandLine).await?;
        let until = clock::date_and_time(clock::now() + lifetime);
        writeln!(io::stdout(), "link {url}/console/sign-in/{}\nIt works once, until {until}.", token.secret())?;
        Ok(())
    }
}

pub(super) async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Invite { role, company, name, email, certificate, link, data } => {
            let certificate = certificate.as_deref().map(read_serial_number).transpose()?;
            let url = link.url(&data)?;
            let database = data.open().await?;
            let invitation = Invitation { role, company, name, email_address: email };
            let officer = invitation::invite(&database, invitation, certificate.as_deref(), Actor::CommandLine).await?;
            writeln!(io::stdout(), "officer {}", officer.id)?;
            if certificate.is_none() {
                link.print(&database, &url, &officer.id).await?;
            }
            database.close().await;
        }
        Command::Link { id, link, data } => {
            let url = link.url(&data)?;
            let database = data.open().await?;
            link.print(&database, &url, &id).await?;
            database.close().await;
        }
        Command::Certificate { id, serial_number: text, data } => {
            let serial_number = read_serial_number(&text)?;
            let database = data.open().await?;
            invitation::bind_certificate(&database, &id, &serial_number, Actor::CommandLine).await?;
            database.close().await;
        }
        Command::List { data } => {
            let database = data.open().await?;
            let time = |at: Option<i64>| at.map(clock::date_and_time).unwrap_or_default();
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "id\trole\tcompany\tname\te-mail address\tcertificate\tinvited\tlast seen\trevoked")?;
            for officer in officers::list(&database).await? {
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
        Command::Revoke { id, data } => {
            let database = data.open().await?;
            invitation::revoke(&database, &id, Actor::CommandLine).await?;
            database.close().await;
        }
    }
    Ok(())
}
