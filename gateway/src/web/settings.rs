//! The settings of HTTP and TLS.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderName;
use serde::Deserialize;

use crate::ra::companies::Company;
use crate::ra::settings::CertificateType;
use crate::settings::faults::{Faults, is_https_origin};

/// All that HTTP needs of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site, for the pages that the gateway makes.
    pub site: Site,
    /// See [`allowed_origins`](crate::configuration::Config::allowed_origins).
    pub allowed_origins: Vec<String>,
    /// The bounds.
    pub limits: Limits,
}

/// The site, as the gateway's own pages name it.
#[derive(Clone, Debug)]
pub struct Site {
    /// See [`site_name`](crate::configuration::Config::site_name).
    pub name: String,
    /// See [`badge`](crate::configuration::Config::badge).
    pub badge: Option<String>,
    /// See [`contact`](crate::configuration::Config::contact).
    pub contact: String,
    /// The certificate types on offer.
    pub certificate_types: Vec<CertificateType>,
    /// The companies with rules.
    pub companies: Vec<Company>,
}

impl Site {
    /// The name of a certificate type; its id if the configuration has it no more.
    pub fn type_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.certificate_types.iter().find(|kind| kind.id == id).map_or(id, |kind| kind.name.as_str())
    }
}

fn sixty_four() -> usize {
    64
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

    /// Checks what the types do not say.
    pub fn check(&self, faults: &mut Faults) {
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
