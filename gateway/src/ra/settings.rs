//! The settings of the registration authority.

use std::num::NonZeroU32;

use keyside_core::api;
use keyside_core::domain::distinguished_name::SubjectTemplate;
use keyside_core::domain::key_size::KeySize;
use keyside_pki::certificate::Certificate;
use serde::Deserialize;

use crate::settings::read::{certificate, date_or_text, template};

/// All that the registration authority needs of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration for the page.
    pub configuration: api::Configuration,
    /// The certificate types on offer.
    pub certificate_types: Vec<CertificateType>,
    /// The RSA key sizes on offer.
    pub key_sizes: Vec<KeySize>,
    /// Who approves.
    pub approval: Approval,
    /// What the Trust page shows besides the CA's certificates.
    pub trust: Trust,
    /// See [`submitted_per_hour`](crate::notifications::settings::Notifications::submitted_per_hour).
    pub submitted_per_hour: NonZeroU32,
    /// See [`digest`](crate::notifications::settings::Notifications::digest).
    pub digest: bool,
    /// Retention periods.
    pub retention: Retention,
}

/// Retention periods, in days. Rows without one are kept permanently.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// A request that no one has decided about for so long is rejected.
    pub pending_days: Option<NonZeroU32>,
    /// Requests that were rejected.
    pub rejected_days: Option<NonZeroU32>,
    /// Requests whose certificates have ended.
    pub ended_days: Option<NonZeroU32>,
    /// Authorisations, and devices' codes, that have ended.
    pub authorizations_days: Option<NonZeroU32>,
    /// Notifications that were sent.
    pub notifications_days: Option<NonZeroU32>,
}

/// The default of [`Retention::pending_days`].
const NINETY: NonZeroU32 = NonZeroU32::MIN.saturating_add(89);

impl Default for Retention {
    fn default() -> Self {
        Self {
            pending_days: Some(NINETY),
            rejected_days: None,
            ended_days: None,
            authorizations_days: None,
            notifications_days: None,
        }
    }
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
    /// The way in which requests for it are approved; that of [`Settings::approval`] if absent.
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
