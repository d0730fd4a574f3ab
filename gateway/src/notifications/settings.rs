//! The settings of notifications.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;

use crate::settings::faults::Faults;

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

fn thirty() -> u32 {
    30
}

impl Notifications {
    /// Whom mails come from, also where there is no mail server.
    pub fn sender(&self) -> Mailbox {
        let unnamed = || Mailbox::new(Some("Keyside".into()), Address::new_dangerous("keyside", "localhost"));
        self.from.clone().unwrap_or_else(unnamed)
    }

    /// Checks what the types do not say.
    pub fn check(&self, faults: &mut Faults) {
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

/// Reads a sender, an address with or without a name.
fn mailbox<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Mailbox>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!("“{text}” is not a sender such as “Keyside <no-reply@example.com>”"))
    })
}
