//! An enrollment: what this browser holds of one request, from the key pair to the certificate.

use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_request;
use keyside_pki::error::Error;
use keyside_pki::full_pki_request::FullPkiRequest;
use serde::{Deserialize, Serialize};

use super::authorization_code::AuthorizationCode;
use super::base64_bytes::Base64Bytes;
use super::device::Device;
use super::key_size::KeySize;
use super::transaction_id::TransactionId;

/// Where a request stands at the registration authority.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestState {
    /// It waits for approval, or for the CA.
    Pending,
    /// It was turned down.
    Rejected {
        /// Why, in the officer's words.
        reason: String,
    },
    /// The certificate is ready.
    Issued,
}

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The certificate type's id at the registration authority.
    pub certificate_type: String,
    /// The certificate type's name, as it was shown.
    pub certificate_type_name: String,
    /// The Common Name.
    pub common_name: String,
    /// The e-mail address.
    pub email_address: String,
    /// The size of the RSA key.
    pub key_size: KeySize,
    /// The transaction ID of the request whose certificate is lost, for a replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<TransactionId>,
    /// The one-time code of the authorization that the request uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<AuthorizationCode>,
    /// The device that the certificate is for, where it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

/// What the registration authority said of a request, last time it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The request's name there.
    pub transaction_id: TransactionId,
    /// When it was taken, in seconds since 1970-01-01T00:00:00Z.
    pub submitted_at: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: RequestState,
}

/// What a renewal is, beyond a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// What is sent in place of the bare request: the full PKI request that the holder of the current certificate has signed
    /// (RFC 5272, section 3.2.1.2), DER.
    pub full_pki_request: Base64Bytes,
    /// The current certificate's serial number, in lowercase hexadecimal.
    pub serial_number: String,
    /// The last second of the current certificate's validity, since 1970-01-01T00:00:00Z.
    pub not_after: u64,
    /// Whether the new certificate is for the same key.
    pub same_key: bool,
}

/// What is kept of a request for a renewal.
impl TryFrom<&FullPkiRequest> for Renewal {
    type Error = Error;

    fn try_from(request: &FullPkiRequest) -> Result<Self, Error> {
        let certificate = request.signer().summary();
        let requested = certification_request::subject_public_key_info(request.certification_request())?;
        Ok(Self {
            full_pki_request: request.der().to_vec().into(),
            serial_number: certificate.serial_number,
            not_after: certificate.not_after,
            same_key: request.signer().certifies(requested),
        })
    }
}

/// A file that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// The file's name.
    pub file_name: String,
    /// When, in seconds since 1970-01-01T00:00:00Z.
    pub at: u64,
}

/// What this browser holds of one request. Nothing in it is secret without the passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrollment {
    /// The SHA-256 of the SubjectPublicKeyInfo, in lowercase hexadecimal.
    pub key_id: String,
    /// When the key pair was made, in seconds since 1970-01-01T00:00:00Z.
    pub created_at: u64,
    /// What the user asked for.
    pub application: Application,
    /// The private key: PKCS#8 EncryptedPrivateKeyInfo, DER.
    pub encrypted_private_key: Base64Bytes,
    /// The key of HMAC-SHA-256 that authenticates a backup, 32 bytes. It is derived of the passphrase, beside the key that encrypts the private
    /// key, and opens nothing. Absent in a record from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_key: Option<Base64Bytes>,
    /// The PKCS#10 CertificationRequest, DER.
    pub certification_request: Base64Bytes,
    /// The certificate that this one renews, where it renews one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// What the registration authority said; absent until it has answered once.
    pub submission: Option<Submission>,
    /// Transaction IDs that the registration authority gave earlier and did not know any more when the request was sent again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_transaction_ids: Vec<TransactionId>,
    /// The checked certification path, leaf first and trust anchor last, each DER; absent until it was collected.
    pub certification_path: Option<Vec<Base64Bytes>>,
    /// The particulars of the first certificate on that path; absent as well in a record from before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateSummary>,
    /// The files of key and certificate that were downloaded from here, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Download>,
}

/// How an enrollment stands, in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The key pair is saved; the registration authority has not confirmed the request.
    NotSent,
    /// The registration authority has it.
    Pending,
    /// It was turned down, with this reason.
    Rejected(String),
    /// The certificate is ready to be collected.
    Issued,
    /// The certificate is in this browser.
    Collected,
}

impl Standing {
    /// How what was submitted stands; `is_collected` once its certificate is here.
    pub fn of(submission: Option<&Submission>, is_collected: bool) -> Self {
        match submission.map(|submission| &submission.state) {
            _ if is_collected => Self::Collected,
            None => Self::NotSent,
            Some(RequestState::Pending) => Self::Pending,
            Some(RequestState::Rejected { reason }) => Self::Rejected(reason.clone()),
            Some(RequestState::Issued) => Self::Issued,
        }
    }
}

impl Enrollment {
    /// The record's name in this browser: that of its key. A renewal with the same key has the old serial number beside it.
    pub fn id(&self) -> String {
        match &self.renewal {
            Some(Renewal { same_key: true, serial_number, .. }) => format!("{}-{serial_number}", self.key_id),
            _ => self.key_id.clone(),
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        Standing::of(self.submission.as_ref(), self.certification_path.is_some())
    }

    /// Whether `id` names this request, or once did.
    pub fn has_transaction_id(&self, id: TransactionId) -> bool {
        self.transaction_id() == Some(id) || self.former_transaction_ids.contains(&id)
    }

    /// The transaction ID, once the registration authority has given one.
    pub fn transaction_id(&self) -> Option<TransactionId> {
        self.submission.as_ref().map(|s| s.transaction_id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use serde_json::json;

    use super::*;

    fn enrollment(state: Option<RequestState>, certification_path: Option<Vec<Base64Bytes>>) -> Enrollment {
        Enrollment {
            key_id: "ab".repeat(32),
            created_at: 1_800_000_000,
            application: Application {
                certificate_type: "participants".into(),
                certificate_type_name: "Participants & External Users".into(),
                common_name: "Ada Example".into(),
                email_address: "ada@example.com".into(),
                key_size: KeySize::Rsa2048,
                replaces: None,
                authorization_code: None,
                device: None,
            },
            encrypted_private_key: Base64Bytes(vec![1]),
            authentication_key: None,
            certification_request: Base64Bytes(vec![2]),
            renewal: None,
            submission: state.map(|state| Submission {
                transaction_id: "000-000-000-000-000-000-000-000-011".parse().unwrap(),
                submitted_at: 1_800_000_001,
                state,
            }),
            former_transaction_ids: Vec::new(),
            certification_path,
            certificate: None,
            downloads: Vec::new(),
        }
    }

    #[test]
    fn an_enrollment_stands_where_it_last_got_to() {
        let rejected = RequestState::Rejected { reason: "unknown person".into() };
        let path = || Some(vec![Base64Bytes(vec![3])]);
        assert_eq!(enrollment(None, None).standing(), Standing::NotSent);
        assert_eq!(enrollment(Some(RequestState::Pending), None).standing(), Standing::Pending);
        assert_eq!(enrollment(Some(rejected), None).standing(), Standing::Rejected("unknown person".into()));
        assert_eq!(enrollment(Some(RequestState::Issued), None).standing(), Standing::Issued);
        assert_eq!(enrollment(Some(RequestState::Issued), path()).standing(), Standing::Collected);
        assert_eq!(enrollment(Some(RequestState::Pending), path()).standing(), Standing::Collected);
    }

    /// Browsers hold records in this form: whoever changes it must still read it.
    #[test]
    fn the_form_at_rest_does_not_change() {
        let at_rest = json!({
            "key_id": "ab".repeat(32),
            "created_at": 1_800_000_000,
            "application": {
                "certificate_type": "participants",
                "certificate_type_name": "Participants & External Users",
                "common_name": "Ada Example",
                "email_address": "ada@example.com",
                "key_size": 2048,
            },
            "encrypted_private_key": "AQ==",
            "certification_request": "Ag==",
            "submission": {
                "transaction_id": "000-000-000-000-000-000-000-000-011",
                "submitted_at": 1_800_000_001,
                "state": "rejected",
                "reason": "unknown person",
            },
            "certification_path": ["Aw=="],
        });
        let rejected = RequestState::Rejected { reason: "unknown person".into() };
        let enrollment = enrollment(Some(rejected), Some(vec![Base64Bytes(vec![3])]));
        assert_eq!(serde_json::to_value(&enrollment).unwrap(), at_rest);
        assert_eq!(serde_json::from_value::<Enrollment>(at_rest).unwrap(), enrollment);
    }
}
