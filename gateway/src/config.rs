//! The configuration: one TOML file, checked as a whole before anything starts.
//!
//! Without a file the annotated example (`keyside.example.toml`) is used, so that the example can never go stale.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Uri};
use keyside_core::api;
use keyside_core::domain::distinguished_name::SubjectTemplate;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::{MAXIMUM_LENGTH, Passphrase, PassphrasePolicy, SHORTEST_MINIMUM};
use keyside_pki::certificate::Certificate;
use keyside_pki::file;
use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;
use x509_cert::name::Name;
use zeroize::Zeroizing;

use crate::ca::cfssl;
use crate::companies::{self, Company};
use crate::database::Location;
use crate::tls;

/// The annotated example, which is also the default.
pub const EXAMPLE: &str = include_str!("../keyside.example.toml");
/// The environment variable that may hold the passphrase of the CA's private keys.
pub const CA_PASSPHRASE_VARIABLE: &str = "KEYSIDE_CA_PASSPHRASE";

/// The longest validity that a certificate can be given: a hundred years.
const MAXIMUM_VALIDITY_DAYS: u32 = 36_500;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or not the TOML expected.
    #[error(
        "{path} is not a configuration: {source}`keyside-gateway config example` prints one that explains every key."
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        source: toml::de::Error,
    },
    /// A value cannot be used.
    #[error("the configuration's {key}: {fault}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with its value and what it should be.
        fault: String,
    },
    /// The passphrase of the CA's keys cannot be taken.
    #[error("the CA's passphrase: {0}")]
    CaPassphrase(String),
}

/// The configuration, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// See [`api::Configuration::site_name`].
    pub site_name: String,
    /// See [`api::Configuration::badge`].
    pub badge: Option<String>,
    /// See [`api::Configuration::contact`].
    pub contact: String,
    /// Where users and relying parties reach the gateway, without a slash at the end; the listen address if absent.
    pub public_url: Option<String>,
    /// The web origins that may use the API from elsewhere.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// The RSA key sizes on offer.
    pub key_sizes: Vec<KeySize>,
    /// See [`api::Configuration::links`].
    #[serde(default)]
    pub links: Vec<Link>,
    /// The certificate types on offer.
    pub certificate_types: Vec<CertificateType>,
    /// The companies whose people's names and addresses have rules.
    #[serde(default)]
    pub companies: Vec<Company>,
    /// What the Trust page shows besides the CA's certificates.
    #[serde(default)]
    pub trust: Trust,
    /// The rules for pickup passphrases.
    pub passphrase: Passphrases,
    /// Who approves.
    pub approval: Approval,
    /// The CA engine.
    pub ca: Ca,
    /// How people are told.
    #[serde(default)]
    pub notifications: Notifications,
    /// The certificate of the main listener, where that speaks TLS itself.
    pub tls: Option<ServerCertificate>,
    /// The connection check, if there is one.
    #[serde(default)]
    pub connection_check: ConnectionCheck,
    /// Where the database is.
    #[serde(default)]
    pub database: DatabaseSettings,
    /// What a client may ask for at most.
    pub limits: Limits,
}

/// Where the database is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Its URL; a SQLite file in the data folder if absent.
    #[serde(default, deserialize_with = "location")]
    pub url: Option<Location>,
}

/// See [`api::Link`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The link's text.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// See [`api::CertificateType`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateType {
    /// A short name for machines.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Who it is for.
    pub description: String,
    /// The subject, with a place for the Common Name.
    #[serde(deserialize_with = "template")]
    pub subject_template: (String, SubjectTemplate),
    /// How long a certificate is valid.
    pub validity_days: u32,
    /// See [`api::CertificateType::renewal`].
    pub renewal: Option<api::RenewalPolicy>,
    /// See [`api::CertificateType::for_devices`].
    #[serde(default)]
    pub for_devices: bool,
    /// Who approves requests for it; what [`Config::approval`] says if absent.
    pub approval: Option<TypeApproval>,
    /// The part that the one-time code of an authorisation has.
    #[serde(default)]
    pub code: CodeUse,
}

/// The part that the one-time code of an authorisation has for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeUse {
    /// Without the code it has none.
    #[default]
    Required,
    /// Without a code, type, Common Name and e-mail address are enough, which others may know.
    Optional,
}

/// Who approves requests for a certificate type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeApproval {
    /// The gateway, where a User Access Administrator has authorised the person; a person, where none has.
    Authorised,
}

/// What the Trust page shows besides the CA's certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The documents that say how the CA works.
    #[serde(default)]
    pub documents: Vec<Document>,
    /// The CAs that are no longer used.
    #[serde(default)]
    pub retired: Vec<RetiredCa>,
}

/// See [`api::Document`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What it is called.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// What it is.
    pub kind: Option<api::DocumentKind>,
}

/// See [`api::RetiredCa`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredCa {
    /// What people call it.
    pub name: String,
    /// When it ended.
    #[serde(deserialize_with = "date_or_text")]
    pub ended: String,
    /// What that means for those who still meet its certificates.
    pub note: String,
    /// Its certificate, from the file that the configuration names.
    #[serde(default, rename = "certificate_file", deserialize_with = "certificate")]
    pub certificate: Option<Certificate>,
}

/// The rules for pickup passphrases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passphrases {
    /// The fewest characters.
    pub minimum_length: u8,
}

/// Who approves requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ApprovalKeys")]
pub enum Approval {
    /// The gateway itself.
    Automatic {
        /// So many seconds after the request came; at once if 0.
        after_seconds: u32,
    },
    /// A person, with `keyside-gateway requests`.
    Manual {},
}

/// The keys of [`Approval`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalKeys {
    mode: ApprovalMode,
    after_seconds: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ApprovalMode {
    Automatic,
    Manual,
}

impl TryFrom<ApprovalKeys> for Approval {
    type Error = &'static str;

    fn try_from(ApprovalKeys { mode, after_seconds }: ApprovalKeys) -> Result<Self, Self::Error> {
        match (mode, after_seconds) {
            (ApprovalMode::Automatic, Some(after_seconds)) => Ok(Self::Automatic { after_seconds }),
            (ApprovalMode::Automatic, None) => {
                Err("add after_seconds: how many seconds after it came a request is approved")
            }
            (ApprovalMode::Manual, None) => Ok(Self::Manual {}),
            (ApprovalMode::Manual, Some(_)) => Err(
                "take the line with after_seconds out: it belongs to the mode “automatic”, and the mode is “manual”",
            ),
        }
    }
}

/// The CA engine: `engine` says which, and the other keys are its own.
#[derive(Clone, Debug)]
pub enum Ca {
    /// The embedded CA, also where `engine` is left out.
    Embedded(EmbeddedCa),
    /// A CFSSL server.
    Cfssl(Box<CfsslCa>),
}

/// The embedded CA.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedCa {
    /// The root's name.
    #[serde(deserialize_with = "name")]
    pub root_subject: Name,
    /// How long the root is valid.
    pub root_validity_days: u32,
    /// The name of the issuing CA below it.
    #[serde(deserialize_with = "name")]
    pub issuing_subject: Name,
    /// How long the issuing CA is valid.
    pub issuing_validity_days: u32,
    /// The file whose first line is the passphrase of the private keys.
    pub passphrase_file: Option<PathBuf>,
}

/// A CFSSL server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CfsslCa {
    /// Where it is: scheme, host and port.
    pub url: String,
    /// The file whose first line is the key that authenticates requests, in hexadecimal as in CFSSL's `auth_keys`.
    pub key_file: PathBuf,
    /// The signing profile for people's certificates.
    pub profile: String,
    /// The signing profile for devices' certificates.
    pub device_profile: Option<String>,
    /// How long it may take to answer, in seconds.
    pub timeout_seconds: u32,
    /// After how many seconds a request that it did not answer is tried again; twice as long each time, up to an hour.
    pub retry_after_seconds: u32,
    /// The root above CFSSL's CA, PEM; CFSSL's CA is itself the root if absent.
    #[serde(default, rename = "root_certificate_file", deserialize_with = "certificate")]
    pub root_certificate: Option<Certificate>,
    /// The certificates that CFSSL's own TLS certificate may chain to, PEM, where `url` is https.
    pub tls_ca_file: Option<PathBuf>,
    /// The CRL that the CA's operator makes, PEM or DER.
    pub crl_file: Option<PathBuf>,
}

impl<'de> Deserialize<'de> for Ca {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let engine = table.remove("engine");
        let ca = match engine.as_ref().map_or(Some("embedded"), toml::Value::as_str) {
            Some("embedded") => table.try_into().map(Self::Embedded),
            Some("cfssl") => table.try_into().map(|ca| Self::Cfssl(Box::new(ca))),
            _ => return Err(serde::de::Error::custom("ca.engine must be \"embedded\" or \"cfssl\"")),
        };
        ca.map_err(serde::de::Error::custom)
    }
}

/// How people are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notifications {
    /// Whom mails come from, as in “Keyside <no-reply@example.com>”; needed where there is a mail server.
    #[serde(deserialize_with = "mailbox")]
    pub from: Option<Mailbox>,
    /// The folder of the site's own templates, if it has any.
    pub templates: Option<PathBuf>,
    /// The folder that notifications land in where there is no mail server; one in the data folder if absent.
    pub folder: Option<PathBuf>,
    /// After how many seconds a delivery that failed is tried again; twice as long each time, up to an hour.
    pub retry_after_seconds: u32,
    /// The mails that go to one mailbox in an hour, and that are for one key, about requests that no one has authorised.
    pub submitted_per_hour: NonZeroU32,
    /// Tells officers once a day of the work that waits.
    pub digest: bool,
    /// The mail server, if there is one.
    pub smtp: Option<Smtp>,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            from: None,
            templates: None,
            folder: None,
            retry_after_seconds: 60,
            submitted_per_hour: FIVE,
            digest: true,
            smtp: None,
        }
    }
}

/// A mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its host name or IP address, as its certificate has it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The user to log in as, if it asks for one.
    pub username: Option<String>,
    /// The file whose first line is the user's password.
    pub password_file: Option<PathBuf>,
    /// The CA that its certificate chains to, PEM; the system's CAs if absent.
    pub ca_file: Option<PathBuf>,
    /// How long it may take for each answer, in seconds.
    #[serde(default = "thirty")]
    pub timeout_seconds: u32,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// By STARTTLS, without which nothing is sent (RFC 3207).
    Starttls,
    /// By TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all: to this very computer alone.
    None,
}

/// The default of [`Notifications::submitted_per_hour`].
const FIVE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

fn sixty_four() -> usize {
    64
}

fn thirty() -> u32 {
    30
}

impl Notifications {
    /// Whom mails come from, also where there is no mail server.
    pub fn sender(&self) -> Mailbox {
        let nobody = || Mailbox::new(Some("Keyside".into()), Address::new_dangerous("keyside", "localhost"));
        self.from.clone().unwrap_or_else(nobody)
    }

    fn check(&self, faults: &mut Faults) {
        faults.require(self.retry_after_seconds > 0, "notifications.retry_after_seconds", "must be greater than 0");
        let Some(smtp) = &self.smtp else { return };
        faults.require(
            self.from.is_some(),
            "notifications.from",
            "say whom mails come from, as in “Keyside <no-reply@example.com>”",
        );
        faults.require(!smtp.host.is_empty(), "notifications.smtp.host", "is empty");
        faults.require(smtp.timeout_seconds > 0, "notifications.smtp.timeout_seconds", "must be greater than 0");
        let is_loopback = smtp.host == "localhost" || smtp.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        faults.require(
            smtp.security != Security::None || is_loopback,
            "notifications.smtp.security",
            "write \"starttls\" or \"tls\": without protection mails go to this very computer alone",
        );
        faults.require(
            smtp.username.is_some() == smtp.password_file.is_some(),
            "notifications.smtp",
            "username and password_file belong together: name both, or neither",
        )
    }
}

/// The connection check.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionCheck {
    /// Where users reach it, without a slash at the end; the address that it listens on if absent.
    pub public_url: Option<String>,
    /// The PEM file of its certificate and chain; one of the embedded CA if absent.
    certificate_file: Option<PathBuf>,
    /// The PEM file of the private key that goes with it.
    key_file: Option<PathBuf>,
}

/// The files of a server's certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerCertificate {
    /// The certificate, then its chain, as PEM.
    #[serde(rename = "certificate_file")]
    pub certificate: PathBuf,
    /// The private key, as PEM.
    #[serde(rename = "key_file")]
    pub key: PathBuf,
}

impl ConnectionCheck {
    /// The files of its certificate, if they are configured.
    pub fn server_certificate(&self) -> Option<ServerCertificate> {
        let (certificate, key) = (self.certificate_file.clone()?, self.key_file.clone()?);
        Some(ServerCertificate { certificate, key })
    }

    fn check(&self, faults: &mut Faults) {
        if let Some(url) = &self.public_url {
            faults.require(
                is_https_origin(url),
                "connection_check.public_url",
                "write it as in “https://certificates.example.com:8443”, with a host name or an IP address and nothing after the port",
            );
        }
        faults.require(
            self.certificate_file.is_some() == self.key_file.is_some(),
            "connection_check",
            "certificate_file and key_file belong together: name both, or neither for a certificate of the embedded CA",
        )
    }
}

/// What a client may ask for at most.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest request body, in bytes.
    pub body_bytes: usize,
    /// How long a client may take to send a request, and the gateway to answer it.
    pub timeout_seconds: u32,
    /// The number of connections that are worked on at once, at each listener.
    pub connections: usize,
    /// The number of connections that one address may have at each listener, where no proxy stands before it; an IPv6 address counts with all
    /// others of its first 64 bits.
    #[serde(default = "sixty_four")]
    pub connections_per_address: usize,
    /// How often one address may call in a minute; an IPv6 address counts with all others of its first 64 bits.
    pub calls_per_minute_and_address: NonZeroU32,
    /// How often anybody may call about one request for a certificate in a minute.
    pub calls_per_minute_and_request: NonZeroU32,
    /// The header in which the proxy in front of the gateway says whom a call is from, if there is a proxy.
    pub client_address_header: Option<TrustedHeader>,
}

/// The name of a header that can be trusted, because a proxy sets it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedHeader(pub HeaderName);

impl TryFrom<String> for TrustedHeader {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse().map(Self).map_err(|_| format!("“{name}” is not the name of a header such as “X-Forwarded-For”"))
    }
}

impl Limits {
    /// [`timeout_seconds`](Self::timeout_seconds) as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }
}

/// Reads a database's URL. An error does not show it: it may have a password.
fn location<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Location>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads an RFC 4514 name.
fn name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let text = String::deserialize(deserializer)?;
    Name::from_str(&text).map_err(|error| {
        serde::de::Error::custom(format!(
            "“{text}” is not a name as RFC 4514 writes it, as in “CN=Example CA,O=Example,C=US” ({error})"
        ))
    })
}

/// Reads a sender, an address with or without a name.
fn mailbox<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Mailbox>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!("“{text}” is not a sender such as “Keyside <no-reply@example.com>”"))
    })
}

/// Reads a subject template; its text is kept for the API.
fn template<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(String, SubjectTemplate), D::Error> {
    let text = String::deserialize(deserializer)?;
    let template = text.parse().map_err(serde::de::Error::custom)?;
    Ok((text, template))
}

/// Reads a date as TOML has it, or a text.
fn date_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::Datetime(date) => Ok(date.to_string()),
        toml::Value::String(text) => Ok(text),
        _ => Err(serde::de::Error::custom("write a date as in 2024-11-30, or a text as in “November 2024”")),
    }
}

/// Reads the certificate in the file that is named.
fn certificate<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Certificate>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    let bytes = fs::read(&path).map_err(|source| ConfigError::Read { path: path.clone(), source });
    let certificate = match file::certificates(&bytes.map_err(serde::de::Error::custom)?).as_deref() {
        Ok([certificate]) => Ok(certificate.clone()),
        Ok(several) => Err(format!("it holds {} certificates instead of one", several.len())),
        Err(error) => Err(error.to_string()),
    };
    certificate.map(Some).map_err(|fault| serde::de::Error::custom(format!("{}: {fault}", path.display())))
}

impl Config {
    /// Reads and checks the configuration at `path`, or the annotated example.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let config = Self::read(path)?;
        let mut faults = Faults::default();
        config.check(&mut faults);
        match faults.0.into_iter().next() {
            None => Ok(config),
            Some(fault) => Err(fault),
        }
    }

    /// Every fault of the configuration at `path`, and of the files that it names; while it is not the TOML expected, the first one, with its
    /// line.
    pub fn faults(path: &Path) -> Vec<ConfigError> {
        let config = match Self::read(Some(path)) {
            Ok(config) => config,
            Err(fault) => return vec![fault],
        };
        let mut faults = Faults::default();
        config.check(&mut faults);
        config.check_files(&mut faults);
        config.check_for_production(&mut faults);
        faults.0
    }

    /// The keys of the configuration at `path` whose values are the example's: invented names and addresses. Each with its value.
    pub fn remains_of_example(path: &Path) -> Vec<(String, String)> {
        fn visit(key: &str, value: &toml::Value, found: &mut Vec<(String, String)>) {
            let within = |part: &str| if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") };
            match value {
                toml::Value::Table(table) => table.iter().for_each(|(part, value)| visit(&within(part), value, found)),
                toml::Value::Array(array) => array.iter().for_each(|value| visit(key, value, found)),
                toml::Value::String(text) if INVENTED.iter().any(|invented| text.contains(invented)) => {
                    found.push((key.to_owned(), text.clone()));
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        if let Some(table) = read(path).ok().and_then(|text| text.parse::<toml::Table>().ok()) {
            visit("", &toml::Value::Table(table), &mut found);
        }
        found
    }

    /// Refuses what works, and is not safe for others than those who try it out.
    fn check_for_production(&self, faults: &mut Faults) {
        if let Some(url) = &self.public_url {
            faults.require(
                url.starts_with("https://") || is_loopback(url),
                "public_url",
                "write the https address: over http anybody on the way reads and changes what is sent",
            );
        }
        if let Some(Location::Postgresql(url)) = &self.database.url {
            let options = url.split_once('?').map_or("", |(_, options)| options);
            let is_tls = options.split('&').any(|option| {
                option
                    .strip_prefix("sslmode=")
                    .is_some_and(|mode| ["require", "verify-ca", "verify-full"].contains(&mode))
            });
            let is_socket = options.split('&').any(|option| option.starts_with("host=") && option.contains("%2F"));
            faults.require(
                is_tls || is_socket || is_loopback(url),
                "database.url",
                "add sslmode=verify-full, or require: without it the connection may be in plain text",
            );
        }
        let Ca::Embedded(ca) = &self.ca else { return };
        for kind in self.certificate_types.iter().filter(|kind| kind.validity_days > ca.issuing_validity_days) {
            let key = format!("certificate_types “{}”, validity_days", kind.id);
            faults.require(
                false,
                &key,
                "is more than ca.issuing_validity_days: certificates would end with the CA's own",
            );
        }
        let Some(path) = &ca.passphrase_file else { return };
        let others_read = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
        let fault = format!("{} can be read by others than its owner: run chmod 600 on it", path.display());
        faults.require(!others_read, "ca.passphrase_file", &fault);
        if let Ok(text) = fs::read_to_string(path).map(Zeroizing::new) {
            let length = text.lines().next().unwrap_or_default().chars().count();
            let fault =
                format!("the passphrase in {} has fewer than {SHORTEST_CA_PASSPHRASE} characters", path.display());
            faults.require(length >= SHORTEST_CA_PASSPHRASE, "ca.passphrase_file", &fault);
        }
    }

    fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, text) = match path {
            Some(path) => (path, &*read(path)?),
            None => (Path::new("keyside.example.toml"), EXAMPLE),
        };
        toml::from_str(text).map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })
    }

    /// Checks that the files that are named can be read, and that keys fit their certificates. They may be there only where the gateway
    /// runs.
    fn check_files(&self, faults: &mut Faults) {
        for (key, files) in [("tls", &self.tls), ("connection_check", &self.connection_check.server_certificate())] {
            if let Some(Err(error)) = files.as_ref().map(tls::read) {
                faults.require(false, key, &error.to_string());
            }
        }
        if let Ca::Embedded(ca) = &self.ca {
            faults.require_file("ca.passphrase_file", ca.passphrase_file.as_deref());
        }
        if let Ca::Cfssl(ca) = &self.ca {
            faults.require_file("ca.tls_ca_file", ca.tls_ca_file.as_deref());
        }
        if let Some(smtp) = &self.notifications.smtp {
            faults.require_file("notifications.smtp.password_file", smtp.password_file.as_deref());
        }
    }

    /// Checks what the types alone cannot say.
    fn check(&self, faults: &mut Faults) {
        faults.require(!self.site_name.trim().is_empty(), "site_name", "is empty");
        faults.require(!self.key_sizes.is_empty(), "key_sizes", "name at least one of 2048, 3072 and 4096");
        if let Some(url) = &self.public_url {
            faults.require(
                is_http_url(url) && !url.ends_with('/'),
                "public_url",
                "write it as in “https://certificates.example.com”, without a slash at the end",
            );
        }
        faults.require(
            self.tls.is_none() || self.public_url.as_ref().is_some_and(|url| url.starts_with("https://")),
            "public_url",
            "where the gateway speaks TLS itself ([tls]), write the https address whose name its certificate has",
        );
        for origin in &self.allowed_origins {
            faults.require(
                is_http_url(origin) && origin.matches('/').count() == 2 && HeaderValue::from_str(origin).is_ok(),
                "allowed_origins",
                &format!("“{origin}” is not a web origin such as “https://www.example.com”"),
            );
        }
        faults.require(
            (usize::from(SHORTEST_MINIMUM)..=MAXIMUM_LENGTH).contains(&usize::from(self.passphrase.minimum_length)),
            "passphrase.minimum_length",
            &format!("must lie between {SHORTEST_MINIMUM} and {MAXIMUM_LENGTH}"),
        );

        faults.require(!self.certificate_types.is_empty(), "certificate_types", "there is none");
        let mut ids = HashSet::new();
        for kind in &self.certificate_types {
            let key = format!("certificate_types “{}”", kind.id);
            faults.require(
                !kind.id.is_empty() && kind.id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')),
                &key,
                "an id has lowercase letters, digits and hyphens",
            );
            faults.require(ids.insert(&kind.id), &key, "there is more than one type with this id");
            faults.require_validity(&format!("{key}, validity_days"), kind.validity_days);
            if let Some(renewal) = kind.renewal {
                faults.require(
                    (1..=kind.validity_days).contains(&renewal.window_days),
                    &format!("{key}, renewal.window_days"),
                    "must lie between 1 and the type's validity_days",
                );
            }
        }

        for (key, fault) in companies::faults(&self.companies) {
            faults.require(false, &key, fault);
        }
        for link in &self.links {
            faults.require(
                is_http_url(&link.url) || link.url.strip_prefix("mailto:").is_some_and(|address| address.contains('@')),
                &format!("links “{}”", link.text),
                &format!("“{}” is neither a web address nor one such as “mailto:help@example.com”", link.url),
            );
        }

        for document in &self.trust.documents {
            let key = format!("trust.documents “{}”", document.title);
            faults.require(!document.title.trim().is_empty(), &key, "the title is empty");
            faults.require(
                is_http_url(&document.url),
                &key,
                &format!("“{}” is not a web address such as “https://www.example.com/policy.pdf”", document.url),
            );
        }
        for retired in &self.trust.retired {
            let key = format!("trust.retired “{}”", retired.name);
            faults.require(!retired.name.trim().is_empty(), &key, "the name is empty");
        }

        match &self.ca {
            Ca::Embedded(ca) => ca.check(faults),
            Ca::Cfssl(ca) => self.check_cfssl(ca, faults),
        }
        self.notifications.check(faults);
        self.connection_check.check(faults);
        for (key, value) in [
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.timeout_seconds", self.limits.timeout_seconds as usize),
            ("limits.connections", self.limits.connections),
        ] {
            faults.require(value > 0, key, "must be greater than 0");
        }
    }

    /// Checks what CFSSL needs, and refuses what it cannot do.
    fn check_cfssl(&self, ca: &CfsslCa, faults: &mut Faults) {
        let (scheme, authority) = ca.url.split_once("://").unwrap_or_default();
        faults.require(
            matches!(scheme, "http" | "https") && !authority.contains('/') && is_http_url(&ca.url),
            "ca.url",
            "write it as in “http://127.0.0.1:8888”, with nothing after the port",
        );
        faults.require(
            (scheme == "https") == ca.tls_ca_file.is_some(),
            "ca.tls_ca_file",
            "name the CA that CFSSL's own TLS certificate chains to where ca.url begins with https, and only there",
        );
        faults.require(!ca.profile.is_empty(), "ca.profile", "name a signing profile of CFSSL's configuration");
        faults.require(ca.timeout_seconds > 0, "ca.timeout_seconds", "must be greater than 0");
        faults.require(ca.retry_after_seconds > 0, "ca.retry_after_seconds", "must be greater than 0");
        for kind in &self.certificate_types {
            let key = format!("certificate_types “{}”", kind.id);
            faults.require(
                !kind.for_devices || ca.device_profile.is_some(),
                "ca.device_profile",
                &format!("name a signing profile for devices, since {key} is for them"),
            );
            faults.require(
                cfssl::keeps_subject(&kind.subject_template.0),
                &format!("{key}, subject_template"),
                "CFSSL would write this name differently. It keeps CN, OU, O, L, ST and C in this order, each at most once",
            );
        }
    }

    /// What the page is told; `connection_check` is where that is.
    pub fn to_api(&self, connection_check: Option<String>) -> api::Configuration {
        api::Configuration {
            site_name: self.site_name.clone(),
            badge: self.badge.clone(),
            certificate_types: self
                .certificate_types
                .iter()
                .map(|kind| api::CertificateType {
                    id: kind.id.clone(),
                    name: kind.name.clone(),
                    description: kind.description.clone(),
                    subject_template: kind.subject_template.0.clone(),
                    // Devices renew by EST: on the page there is nothing to renew.
                    renewal: kind.renewal.filter(|_| !kind.for_devices),
                    for_devices: kind.for_devices,
                })
                .collect(),
            key_sizes: self.key_sizes.clone(),
            passphrase_policy: PassphrasePolicy { minimum_length: self.passphrase.minimum_length },
            contact: self.contact.clone(),
            links: self.links.iter().map(|link| api::Link { text: link.text.clone(), url: link.url.clone() }).collect(),
            connection_check,
        }
    }
}

impl Trust {
    /// The documents, as the page is told.
    pub fn documents_to_api(&self) -> Vec<api::Document> {
        let to_api = |document: &Document| api::Document {
            title: document.title.clone(),
            url: document.url.clone(),
            kind: document.kind,
        };
        self.documents.iter().map(to_api).collect()
    }

    /// The CAs that are no longer used, as the page is told.
    pub fn retired_to_api(&self) -> Vec<api::RetiredCa> {
        let to_api = |retired: &RetiredCa| api::RetiredCa {
            name: retired.name.clone(),
            ended: retired.ended.clone(),
            note: retired.note.clone(),
            certificate: retired.certificate.as_ref().map(|certificate| certificate.der().to_vec().into()),
        };
        self.retired.iter().map(to_api).collect()
    }
}

impl EmbeddedCa {
    fn check(&self, faults: &mut Faults) {
        faults.require_validity("ca.root_validity_days", self.root_validity_days);
        faults.require_validity("ca.issuing_validity_days", self.issuing_validity_days);
        faults.require(
            self.root_subject != self.issuing_subject,
            "ca.issuing_subject",
            "must differ from ca.root_subject",
        )
    }

    /// The passphrase of the private keys, from the environment or from the file, if there is one.
    pub fn passphrase(&self) -> Result<Option<Passphrase>, ConfigError> {
        let text = match (env::var_os(CA_PASSPHRASE_VARIABLE), &self.passphrase_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(ConfigError::CaPassphrase(format!(
                    "both {CA_PASSPHRASE_VARIABLE} and ca.passphrase_file are set; keep one"
                )));
            }
            (Some(value), None) => value
                .into_string()
                .map_err(|_| ConfigError::CaPassphrase(format!("{CA_PASSPHRASE_VARIABLE} is not UTF-8")))?,
            (None, Some(path)) => {
                let text =
                    read(path).map_err(|error| ConfigError::CaPassphrase(format!("ca.passphrase_file: {error}")))?;
                let text = Zeroizing::new(text);
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        if text.is_empty() {
            return Err(ConfigError::CaPassphrase("it is empty".into()));
        }
        Ok(Some(Passphrase::new(text)))
    }
}

/// Reads a text file.
fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// The faults that were found, in the order of the checks.
#[derive(Debug, Default)]
struct Faults(Vec<ConfigError>);

impl Faults {
    /// Notes a fault of `key` unless `holds`.
    fn require(&mut self, holds: bool, key: &str, fault: &str) {
        if !holds {
            self.0.push(ConfigError::Value { key: key.into(), fault: fault.into() });
        }
    }

    /// Notes a fault of `key` unless `days` is a validity.
    fn require_validity(&mut self, key: &str, days: u32) {
        self.require(
            (1..=MAXIMUM_VALIDITY_DAYS).contains(&days),
            key,
            &format!("must lie between 1 and {MAXIMUM_VALIDITY_DAYS}"),
        );
    }

    /// Notes a fault of `key` unless the file that it names, if it names one, can be read.
    fn require_file(&mut self, key: &str, path: Option<&Path>) {
        if let Some(path) = path
            && let Err(error) = fs::File::open(path)
        {
            self.require(false, key, &format!("{} cannot be read: {error}", path.display()));
        }
    }
}

/// Invented names and addresses of the example.
const INVENTED: [&str; 3] = ["example.com", "Example Grid Operator", "Keyside Demo"];

/// The fewest characters of the passphrase of the CA's keys: an attacker who has the files tries as many as he likes.
const SHORTEST_CA_PASSPHRASE: usize = 12;

/// True if the URL leads to this machine itself, where no one listens in.
pub(crate) fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| Some(uri.host()?.trim_matches(['[', ']']).to_owned()));
    host.is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

/// Whether `text` is an absolute http or https URL that an rfc5280 URI (ASCII) can carry.
fn is_http_url(text: &str) -> bool {
    text.is_ascii()
        && text
            .parse::<Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some())
}

/// Whether `text` is the origin of an https URL whose host a certificate can name.
fn is_https_origin(text: &str) -> bool {
    let is_in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    text.strip_prefix("https://").is_some_and(|authority| authority.chars().all(is_in_names)) && is_http_url(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use keyside_pki::pem;

    use super::*;

    /// The fault found in the example after `from` was replaced by `to`.
    fn fault(from: &str, to: &str) -> String {
        assert!(EXAMPLE.contains(from), "{from}");
        let parsed: Result<Config, _> = toml::from_str(&EXAMPLE.replacen(from, to, 1));
        match parsed {
            Ok(config) => checked(&config).first().unwrap().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_not_safe_for_others_is_a_fault_of_the_check() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        fs::write(&path, "short\n").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let passphrase = format!("passphrase_file = '{}'\n[ca]", path.display());
        let faults = |changes: &[(&str, &str)]| -> Vec<String> {
            let text = changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
                assert!(text.contains(from), "{from}");
                text.replacen(from, to, 1)
            });
            let mut faults = Faults::default();
            toml::from_str::<Config>(&text).unwrap().check_for_production(&mut faults);
            faults.0.iter().map(ToString::to_string).collect()
        };
        let url = "# public_url = \"https://certificates.example.com\"";
        for (from, to, expected) in [
            (url, "public_url = \"http://a.example\"", &["over http"][..]),
            (url, "public_url = \"http://127.0.0.1:8080\"", &[]),
            (DATABASE_URL, "url = \"postgresql://db.example.com/keyside\"", &["sslmode"]),
            (DATABASE_URL, "url = \"postgresql://db.example.com/keyside?sslmode=prefer\"", &["sslmode"]),
            (DATABASE_URL, "url = \"postgresql://db.example.com/keyside?sslmode=verify-full\"", &[]),
            (DATABASE_URL, "url = \"postgresql://keyside@localhost:5433/keyside\"", &[]),
            ("issuing_validity_days = 3650", "issuing_validity_days = 700", &["issuing_validity_days"; 3]),
            (
                "# passphrase_file = \"/etc/keyside/ca-passphrase\"",
                passphrase.trim_end_matches("\n[ca]"),
                &["chmod 600", "12 characters"],
            ),
        ] {
            let found = faults(&[(from, to)]);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(found, expected)| found.contains(expected)), "{found:?}");
        }
        fs::write(&path, "long enough for this\n").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(
            faults(&[("# passphrase_file = \"/etc/keyside/ca-passphrase\"", passphrase.trim_end_matches("\n[ca]"))])
                .is_empty()
        );
    }

    #[test]
    fn invented_values_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyside.toml");
        fs::write(&path, EXAMPLE).unwrap();
        let found = Config::remains_of_example(&path);
        for key in
            ["ca.root_subject", "trust.retired.name", "certificate_types.subject_template", "trust.documents.url"]
        {
            assert!(found.iter().any(|(found, _)| found == key), "{key}: {found:?}");
        }
        fs::write(&path, "a = 'b'\n[c]\nd = ['e']\n").unwrap();
        assert!(Config::remains_of_example(&path).is_empty());
    }

    fn checked(config: &Config) -> Vec<ConfigError> {
        let mut faults = Faults::default();
        config.check(&mut faults);
        faults.0
    }

    /// The first retired CA in the example.
    const RETIRED_NAME: &str = "name = \"Example Grid Operator Issuing CA (SHA-1)\"";

    /// The keys of the connection check in the example.
    const CHECK_URL: &str = "# public_url = \"https://certificates.example.com:8443\"";
    const CHECK_CERTIFICATE: &str = "# certificate_file = \"/etc/keyside/connection-check.pem\"";
    const CHECK_KEY: &str = "# key_file = \"/etc/keyside/connection-check-key.pem\"";

    /// TLS on the main listener in the example, and what makes use of it.
    const TLS: &str =
        "# [tls]\n# certificate_file = \"/etc/keyside/tls.pem\"\n# key_file = \"/etc/keyside/tls-key.pem\"";
    const TLS_FILES: &str = "[tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls-key.pem\"";

    /// The key of the database in the example.
    const DATABASE_URL: &str = "# url = \"postgresql://keyside@db.example.com/keyside\"";

    #[test]
    fn a_connection_check_can_be_anywhere_with_https() {
        for url in ["https://a.example", "https://a.example:8443", "https://192.0.2.1", "https://[2001:db8::1]:8443"] {
            let line = format!("public_url = \"{url}\"");
            let config: Config = toml::from_str(&EXAMPLE.replacen(CHECK_URL, &line, 1)).unwrap();
            assert!(checked(&config).is_empty());
            assert_eq!(config.connection_check.public_url.as_deref(), Some(url));
        }
    }

    #[test]
    fn the_example_is_the_default() {
        let config = Config::load(None).unwrap();
        assert_eq!(config.approval, Approval::Automatic { after_seconds: 5 });
        let types = config.to_api(None).certificate_types;
        let names: Vec<_> = types.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(names, ["ISO Employees & Contractors", "Participants & External Users", "Devices"]);
        let for_devices: Vec<_> = types.iter().map(|kind| kind.for_devices).collect();
        assert_eq!(for_devices, [false, false, true]);
    }

    #[test]
    fn an_unknown_key_is_named() {
        for (place, key) in [
            ("badge =", "bagde"),
            ("minimum_length =", "minimun_length"),
            ("validity_days =", "validity_day"),
            ("mode =", "modus"),
            ("kind =", "knid"),
            ("ended =", "endde"),
        ] {
            let fault = fault(place, &format!("{key} = 1\n{place}"));
            assert!(fault.contains(key), "{fault}");
        }
        let fault = fault("mode = \"automatic\"", "mode = \"manual\"");
        assert!(fault.contains("take the line with after_seconds out"), "{fault}");
    }

    #[test]
    fn bad_values_are_named() {
        for (from, to, expected) in [
            ("site_name = \"Keyside\"", "site_name = \" \"", "site_name"),
            ("[2048, 3072, 4096]", "[1024]", "1024"),
            ("[2048, 3072, 4096]", "[]", "key_sizes"),
            ("id = \"participants\"", "id = \"employees\"", "more than one"),
            ("id = \"participants\"", "id = \"Participants\"", "lowercase"),
            ("CN={common_name},OU=ISO", "CN=fixed,OU=ISO", "{common_name}"),
            ("for_devices = true", "for_devices = \"rig\"", "for_devices"),
            ("# approval = \"authorised\"", "approval = \"automatic\"", "authorised"),
            ("minimum_length = 8", "minimum_length = 7", "between 8 and 128"),
            ("validity_days = 730", "validity_days = 0", "validity_days"),
            ("CN=Keyside Demo Root CA,", "Keyside,", "RFC 4514"),
            ("Keyside Demo Issuing CA", "Keyside Demo Root CA", "ca.issuing_subject"),
            ("timeout_seconds = 30", "timeout_seconds = 0", "limits.timeout_seconds"),
            ("calls_per_minute_and_address = 600", "calls_per_minute_and_address = 0", "nonzero"),
            ("# client_address_header = \"X-Forwarded-For\"", "client_address_header = \"a b\"", "name of a header"),
            ("# public_url = \"https://certificates.example.com\"", "public_url = \"https://a.example/\"", "slash"),
            ("allowed_origins = []", "allowed_origins = [\"a.example\"]", "a.example"),
            ("allowed_origins = []", "allowed_origins = [\"https://a.example/page\"]", "origin"),
            ("https://www.example.com/pki/", "javascript:", "trust.documents"),
            ("title = \"", "title = \"\" # \"", "title is empty"),
            ("kind = \"practice-statement\"", "kind = \"statement\"", "practice-statement"),
            ("ended = \"November 2024\"", "ended = 2024", "2024-11-30"),
            (RETIRED_NAME, "name = \" \"", "name is empty"),
            ("[[links]]", "[[links]]\ntext = \"Run\"\nurl = \"javascript:alert(1)\"\n\n[[links]]", "links “Run”"),
            (CHECK_URL, "public_url = \"http://a.example\"", "connection_check.public_url"),
            (CHECK_URL, "public_url = \"https://a.example/\"", "nothing after the port"),
            (CHECK_URL, "public_url = \"https://\"", "connection_check.public_url"),
            (CHECK_CERTIFICATE, "certificate_file = \"a.pem\"", "belong together"),
            (CHECK_KEY, "key_file = \"a.pem\"", "belong together"),
            ("# [tls]\n", "[tls]\n", "missing field `certificate_file`"),
            (TLS, TLS_FILES, "the https address"),
            (DATABASE_URL, "url = \"mysql://db.example.com/keyside\"", "write a database's URL as in"),
        ] {
            let fault = fault(from, to);
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn trust_may_be_left_out() {
        let (before, rest) = EXAMPLE.split_once("# The documents that the Trust page").unwrap();
        let (_, after) = rest.split_once("[passphrase]").unwrap();
        let config: Config = toml::from_str(&format!("{before}[passphrase]{after}")).unwrap();
        assert!(checked(&config).is_empty());
        assert_eq!(config.trust.documents_to_api(), []);
        assert_eq!(config.trust.retired_to_api(), []);
    }

    #[test]
    fn a_retired_ca_ends_on_a_date_or_as_words_say() {
        let ended = |to: &str| {
            let config: Config = toml::from_str(&EXAMPLE.replacen("ended = \"November 2024\"", to, 1)).unwrap();
            config.trust.retired_to_api().remove(0).ended
        };
        assert_eq!(ended("ended = \"November 2024\""), "November 2024");
        assert_eq!(ended("ended = 2024-11-30"), "2024-11-30");
    }

    #[test]
    fn the_certificate_of_a_retired_ca_comes_from_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("retired.pem");
        let line = format!("{RETIRED_NAME}\ncertificate_file = '{}'", path.display());
        let der = include_bytes!("../../tests/vectors/certification_path/root.der");
        let good = pem::encode(pem::CERTIFICATE, der).unwrap();

        // As PowerShell and other programs write it.
        let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for contents in [good.as_bytes(), der, &utf_16] {
            fs::write(&path, contents).unwrap();
            let config: Config = toml::from_str(&EXAMPLE.replacen(RETIRED_NAME, &line, 1)).unwrap();
            assert_eq!(config.trust.retired_to_api().remove(0).certificate, Some(der.to_vec().into()));
        }

        for (contents, expected) in [
            (good.repeat(2), "2 certificates"),
            (pem::encode(pem::CERTIFICATE, b"nonsense").unwrap(), "DER of a Certificate"),
            ("nonsense".into(), "CERTIFICATE"),
        ] {
            fs::write(&path, contents).unwrap();
            let fault = fault(RETIRED_NAME, &line);
            assert!(fault.contains("retired.pem") && fault.contains(expected), "{fault}");
        }
        fs::remove_file(&path).unwrap();
        assert!(fault(RETIRED_NAME, &line).contains("cannot be read"));
    }
}
