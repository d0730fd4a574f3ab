//! The CA engine's settings.

use std::env;
use std::fs;
use std::path::PathBuf;

use keyside_core::domain::passphrase::Passphrase;
use keyside_pki::certificate::Certificate;
use serde::Deserialize;
use x509_cert::name::Name;
use zeroize::Zeroizing;

use super::crl_lifetime::CrlLifetime;
use crate::private_files;
use crate::settings::faults::{ConfigError, Faults, is_http_url};
use crate::settings::read::{certificate, name, text_file};

/// The environment variable that may hold the passphrase of the CA's private keys.
pub const CA_PASSPHRASE_VARIABLE: &str = "KEYSIDE_CA_PASSPHRASE";

/// The fewest characters of the passphrase of the CA's keys: an attacker who has the files tries as many as he likes.
const SHORTEST_CA_PASSPHRASE: usize = 12;

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
    /// The validity of the root.
    pub root_validity_days: u32,
    /// The name of the issuing CA below it.
    #[serde(deserialize_with = "name")]
    pub issuing_subject: Name,
    /// The validity of the issuing CA.
    pub issuing_validity_days: u32,
    /// The lifetime of a CRL.
    #[serde(default)]
    pub crl_validity_days: CrlLifetime,
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
    /// The time to wait for its answer, in seconds.
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

impl EmbeddedCa {
    /// Checks what the types do not say.
    pub fn check(&self, faults: &mut Faults) {
        faults.require_validity("ca.root_validity_days", self.root_validity_days);
        faults.require_validity("ca.issuing_validity_days", self.issuing_validity_days);
        self.crl_validity_days.check(faults);
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
                let text = text_file(path)
                    .map_err(|error| ConfigError::CaPassphrase(format!("ca.passphrase_file: {error}")))?;
                let text = Zeroizing::new(text);
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        if text.is_empty() {
            return Err(ConfigError::CaPassphrase("it is empty".into()));
        }
        Ok(Some(Passphrase::new(text)))
    }

    /// Refuses a passphrase that works, and is not safe.
    pub fn check_for_production(&self, faults: &mut Faults) {
        let Some(path) = &self.passphrase_file else { return };
        let is_private = private_files::is_private(path).unwrap_or(true);
        let fault = format!("{} can be read by others than its owner and group: run chmod 640 on it", path.display());
        faults.require(is_private, "ca.passphrase_file", &fault);
        if let Ok(text) = fs::read_to_string(path).map(Zeroizing::new) {
            let length = text.lines().next().unwrap_or_default().chars().count();
            let fault =
                format!("the passphrase in {} has fewer than {SHORTEST_CA_PASSPHRASE} characters", path.display());
            faults.require(length >= SHORTEST_CA_PASSPHRASE, "ca.passphrase_file", &fault);
        }
    }
}

impl CfsslCa {
    /// Checks what the types do not say.
    pub fn check(&self, faults: &mut Faults) {
        let (scheme, authority) = self.url.split_once("://").unwrap_or_default();
        faults.require(
            matches!(scheme, "http" | "https") && !authority.contains('/') && is_http_url(&self.url),
            "ca.url",
            "write it as in “http://127.0.0.1:8888”, with nothing after the port",
        );
        faults.require(
            (scheme == "https") == self.tls_ca_file.is_some(),
            "ca.tls_ca_file",
            "name the CA that CFSSL's own TLS certificate chains to where ca.url begins with https, and only there",
        );
        faults.require(!self.profile.is_empty(), "ca.profile", "name a signing profile of CFSSL's configuration");
        faults.require(self.timeout_seconds > 0, "ca.timeout_seconds", "must be greater than 0");
        faults.require(self.retry_after_seconds > 0, "ca.retry_after_seconds", "must be greater than 0");
    }
}
