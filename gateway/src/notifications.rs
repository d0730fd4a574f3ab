//! Notifications: what people are told by mail.
//!
//! A notification is a row of the outbox, written in the transaction that does what it tells of; [`sender`] delivers the rows. This
//! module makes the message of a row: always the same one, to the last byte.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use sha2::{Digest, Sha256};

use crate::clock;

pub mod delivery;
pub mod officer_mail;
pub mod sender;
pub mod settings;
pub mod templates;

use templates::Templates;

/// What a notification tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person may register: the New User Notification.
    Authorised,
    /// A request was taken.
    Submitted,
    /// A certificate can be collected.
    Issued,
    /// A request was rejected.
    Rejected,
    /// A certificate can be renewed from now on.
    RenewalDue,
    /// A certificate was revoked.
    Revoked,
    /// To officers: the key of a certificate was reported as compromised.
    CompromiseReported,
    /// To officers: there is work, once a day.
    WorkWaiting,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Authorised,
        Self::Submitted,
        Self::Issued,
        Self::Rejected,
        Self::RenewalDue,
        Self::Revoked,
        Self::CompromiseReported,
        Self::WorkWaiting,
    ];

    /// Its name, in the database and as the name of its template's file, without the ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::Submitted => "submitted",
            Self::Issued => "issued",
            Self::Rejected => "rejected",
            Self::RenewalDue => "renewal-due",
            Self::Revoked => "revoked",
            Self::CompromiseReported => "compromise-reported",
            Self::WorkWaiting => "work-waiting",
        }
    }

    /// The kind with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The values that a row of this kind brings along, by the names of their placeholders.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Self::Authorised => {
                &["common_name", "certificate_type", "company", "valid_until", "register_url", "code_note"]
            }
            Self::Submitted => &["common_name", "certificate_type", "transaction_id"],
            Self::Issued => &["common_name", "certificate_type", "transaction_id", "not_after"],
            Self::Rejected => &["common_name", "certificate_type", "transaction_id", "reason"],
            Self::RenewalDue => &["common_name", "certificate_type", "transaction_id", "not_after", "serial_number"],
            Self::Revoked => &["common_name", "certificate_type", "transaction_id", "serial_number", "reason"],
            Self::CompromiseReported => {
                &["common_name", "certificate_type", "transaction_id", "serial_number", "company"]
            }
            Self::WorkWaiting => &["company", "pending", "revocations"],
        }
    }
}

/// The values of placeholders, by their names.
pub type Values = BTreeMap<String, String>;

/// A notification that is to be delivered.
#[derive(Clone, Debug)]
pub struct Notification {
    /// What it tells.
    pub kind: Kind,
    /// What it tells of: no two of one kind have the same.
    pub unique_key: String,
    /// The e-mail address that it goes to.
    pub to: String,
    /// What goes into the template.
    pub values: Values,
    /// When what it tells of happened, in seconds since 1970-01-01T00:00:00Z.
    pub created_at: i64,
}

impl Notification {
    /// What tells it from every other one, in hexadecimal: the same each time.
    pub fn identity(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.kind.name());
        hash.update([0]);
        hash.update(&self.unique_key);
        let mut hexadecimal = base16ct::lower::encode_string(&hash.finalize());
        hexadecimal.truncate(32);
        hexadecimal
    }
}

/// Makes messages for one site.
#[derive(Clone, Debug)]
pub struct Composer {
    from: Mailbox,
    templates: Templates,
    /// What every template may say of the site.
    site: Values,
    /// The names of the certificate types, by their ids.
    types: Values,
}

impl Composer {
    /// A composer of messages `from` this sender. `site` has what every template may say of the site, `types` the names of the certificate types
    /// by their ids.
    pub fn new(from: Mailbox, site: [(&str, &str); 3], types: Values, templates: Templates) -> Self {
        let site = site.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { from, templates, site: Values::from(site), types }
    }

    /// The message of a notification. The same notification gives the same message, with the same Message-ID: whoever gets it twice
    /// can tell.
    pub fn compose(&self, notification: &Notification) -> Result<Message, String> {
        let to = notification.to.parse().map_err(|error| format!("“{}” is no address: {error}", notification.to))?;
        let mut values = self.site.clone();
        values.extend(notification.values.clone());
        // A row has the id: it is written where nobody knows the configuration.
        if let Some(id) = values.get_mut("certificate_type")
            && let Some(name) = self.types.get(id)
        {
            id.clone_from(name);
        }
        let (subject, body) = self.templates.render(notification.kind, &values);
        let date = UNIX_EPOCH + Duration::from_secs(clock::to_unsigned(notification.created_at));
        Message::builder()
            .message_id(Some(format!("<{}@{}>", notification.identity(), self.from.email.domain())))
            .date(date)
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            // RFC 3834, section 5: absence notes do not answer it.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()))
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))
            .map_err(|error| error.to_string())
    }
}
