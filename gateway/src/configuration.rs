//! The configuration: one TOML file, checked as a whole before anything starts.
//!
//! Without a file the annotated example (`keyside.example.toml`) is used, so that the example can never go stale. Each part of the gateway has its
//! settings beside it; here they are put together, and checked against each other.

use std::collections::HashSet;
use std::path::Path;

use axum::http::HeaderValue;
use keyside_core::api;
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::passphrase::{MAXIMUM_LENGTH, PassphrasePolicy, SHORTEST_MINIMUM};
use serde::Deserialize;

use crate::ca::cfssl;
use crate::ca::settings::{Ca, CfsslCa};
use crate::database::Location;
use crate::notifications::delivery::Delivery;
use crate::notifications::settings::Notifications;
use crate::notifications::templates::Templates;
use crate::ra::companies::{self, Company};
use crate::ra::settings::{Approval, CertificateType, Link, Passphrases, Retention, Trust};
use crate::settings::faults::{ConfigError, Faults, is_http_url, is_loopback, syntax_fault};
use crate::settings::read::text_file;
use crate::web::settings::{ConnectionCheck, Limits, ServerCertificate};
use crate::web::tls;
use crate::{audit, ra, web};

/// The annotated example, which is also the default.
pub const EXAMPLE: &str = include_str!("../keyside.example.toml");

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
    /// Retention periods.
    #[serde(default)]
    pub retention: Retention,
    /// The CA engine.
    pub ca: Ca,
    /// Where the audit log goes besides the database.
    #[serde(default)]
    pub audit: audit::syslog::Settings,
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

/// Reads a database's URL. An error does not show it: it may have a password.
fn location<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Location>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
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
        if let Some(table) = text_file(path).ok().and_then(|text| text.parse::<toml::Table>().ok()) {
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
        if let Some(location @ Location::Postgresql(url)) = &self.database.url {
            faults.require(
                location.is_by_tls() || location.is_by_socket() || is_loopback(url),
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
        ca.check_for_production(faults);
    }

    fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, text) = match path {
            Some(path) => (path, &*text_file(path)?),
            None => (Path::new("keyside.example.toml"), EXAMPLE),
        };
        toml::from_str(text)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), fault: syntax_fault(text, &error) })
    }

    /// Checks that the files that are named can be read, and that keys fit their certificates. They may be there only where the gateway
    /// runs.
    fn check_files(&self, faults: &mut Faults) {
        for (key, files) in [("tls", &self.tls), ("connection_check", &self.connection_check.server_certificate())] {
            if let Some(Err(error)) = files.as_ref().map(tls::read) {
                faults.require(false, key, &error.to_string());
            }
        }
        match &self.ca {
            Ca::Embedded(ca) => faults.require_file("ca.passphrase_file", ca.passphrase_file.as_deref()),
            Ca::Cfssl(ca) => {
                faults.require_success("ca", cfssl::Client::new(ca));
                faults.require_file("ca.crl_file", ca.crl_file.as_deref());
            }
        }
        if let Some(smtp) = &self.notifications.smtp {
            faults.require_success("notifications.smtp", Delivery::smtp(smtp));
        }
        faults.require_success("notifications.templates", Templates::load(self.notifications.templates.as_deref()));
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
            let template = format!("{key}, subject_template");
            match kind.subject_template.1.has_company() {
                Ok(has_company) => faults.require(
                    !(has_company && kind.for_devices),
                    &template,
                    "{company} is for people's certificates: a device's type names the company itself",
                ),
                Err(fault) => faults.require(false, &template, &fault.to_string()),
            }
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
            Ca::Cfssl(ca) => {
                ca.check(faults);
                self.check_types_for_cfssl(ca, faults);
            }
        }
        self.notifications.check(faults);
        self.connection_check.check(faults);
        for (key, value) in [
            ("limits.body_bytes", self.limits.body_bytes),
            ("limits.timeout_seconds", self.limits.timeout_seconds as usize),
            ("limits.connections", self.limits.connections),
            ("limits.connections_per_address", self.limits.connections_per_address),
        ] {
            faults.require(value > 0, key, "must be greater than 0");
        }
    }

    /// Refuses certificate types that CFSSL cannot do.
    fn check_types_for_cfssl(&self, ca: &CfsslCa, faults: &mut Faults) {
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

    /// The registration authority's part; `connection_check` is where that is.
    pub fn registration_authority(&self, connection_check: Option<String>) -> ra::settings::Settings {
        ra::settings::Settings {
            configuration: self.to_api(connection_check),
            certificate_types: self.certificate_types.clone(),
            key_sizes: self.key_sizes.clone(),
            approval: self.approval,
            trust: self.trust.clone(),
            submitted_per_hour: self.notifications.submitted_per_hour,
            digest: self.notifications.digest,
            retention: self.retention,
        }
    }

    /// The part of HTTP.
    pub fn web(&self) -> web::settings::Settings {
        let Self { site_name, badge, contact, certificate_types, companies, allowed_origins, limits, .. } =
            self.clone();
        let site = web::settings::Site { name: site_name, badge, contact, certificate_types, companies };
        web::settings::Settings { site, allowed_origins, limits }
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

/// Invented names and addresses of the example.
const INVENTED: [&str; 3] = ["example.com", "Example Grid Operator", "Keyside Demo"];

#[cfg(test)]
mod tests;
