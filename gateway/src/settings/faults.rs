//! Faults of settings, and the checks that several settings share.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use axum::http::Uri;

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
        "{path} is not a configuration: {fault}`keyside-gateway config example` prints one that explains every key."
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The fault, with its line. Ends with a line break.
        fault: String,
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

/// The faults that were found, in the order of the checks.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<ConfigError>);

impl Faults {
    /// Notes a fault of `key` unless `holds`.
    pub fn require(&mut self, holds: bool, key: &str, fault: &str) {
        if !holds {
            self.0.push(ConfigError::Value { key: key.into(), fault: fault.into() });
        }
    }

    /// Notes a fault of `key` unless `days` is a validity.
    pub fn require_validity(&mut self, key: &str, days: u32) {
        self.require(
            (1..=MAXIMUM_VALIDITY_DAYS).contains(&days),
            key,
            &format!("must lie between 1 and {MAXIMUM_VALIDITY_DAYS}"),
        );
    }

    /// Notes the error of what `key` and the keys below it are used for, if there is one.
    pub fn require_success<T>(&mut self, key: &str, outcome: Result<T, impl std::fmt::Display>) {
        if let Err(error) = outcome {
            self.require(false, key, &error.to_string());
        }
    }

    /// Notes a fault of `key` unless the file that it names, if it names one, can be read.
    pub fn require_file(&mut self, key: &str, path: Option<&Path>) {
        if let Some(path) = path
            && let Err(error) = fs::File::open(path)
        {
            self.require(false, key, &format!("{} cannot be read: {error}", path.display()));
        }
    }
}

/// The fault of a TOML text, with its line. A line with a URL that names a user is not shown: it may have a password, and this goes into
/// logs.
pub fn syntax_fault(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count();
    let shown = text.lines().nth(line).unwrap_or_default();
    if shown.contains("://") && shown.contains('@') {
        format!("line {}, which is not shown, since it may have a password: {}\n", line + 1, error.message())
    } else {
        error.to_string()
    }
}

/// True if the URL leads to this machine itself, where no one listens in.
pub fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| Some(uri.host()?.trim_matches(['[', ']']).to_owned()));
    host.is_some_and(|host| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

/// True if `text` is an absolute http or https URL that an rfc5280 URI (ASCII) can carry.
pub fn is_http_url(text: &str) -> bool {
    text.is_ascii()
        && text
            .parse::<Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some())
}

/// True if `text` is the origin of an https URL whose host a certificate can name.
pub fn is_https_origin(text: &str) -> bool {
    let is_in_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    text.strip_prefix("https://").is_some_and(|authority| authority.chars().all(is_in_names)) && is_http_url(text)
}
