//! A device's request: what this browser holds of a certification request that was made on the device.

use serde::{Deserialize, Serialize};

use super::authorization_code::AuthorizationCode;
use super::base64_bytes::Base64Bytes;
use super::device::Device;
use super::enrollment::{Standing, Submission};
use super::transaction_id::TransactionId;

/// A device's request, as this browser holds it. The private key is on the device. The authorization code is secret until the request was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The SHA-256 of the CertificationRequest's DER, in lowercase hexadecimal: the record's name in this browser.
    pub id: String,
    /// When it was saved here, in seconds since 1970-01-01T00:00:00Z.
    pub created_at: u64,
    /// The certificate type's id at the registration authority.
    pub certificate_type: String,
    /// The certificate type's name, as it was shown.
    pub certificate_type_name: String,
    /// The device.
    pub device: Device,
    /// The one-time code of the authorization that the request uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<AuthorizationCode>,
    /// The PKCS#10 CertificationRequest, DER.
    pub certification_request: Base64Bytes,
    /// What the registration authority said; absent until it has answered once.
    pub submission: Option<Submission>,
    /// Transaction IDs that the registration authority gave earlier and did not know any more when the request was sent again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_transaction_ids: Vec<TransactionId>,
    /// The checked certification path, leaf first and trust anchor last, each DER; absent until it was collected.
    pub certification_path: Option<Vec<Base64Bytes>>,
}

impl DeviceRequest {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        Standing::of(self.submission.as_ref(), self.certification_path.is_some())
    }

    /// The transaction ID, once the registration authority has given one.
    pub fn transaction_id(&self) -> Option<TransactionId> {
        self.submission.as_ref().map(|submission| submission.transaction_id)
    }

    /// Whether `id` names this request, or once did.
    pub fn has_transaction_id(&self, id: TransactionId) -> bool {
        self.transaction_id() == Some(id) || self.former_transaction_ids.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use serde_json::json;

    use super::*;
    use crate::domain::device::DeviceKind;
    use crate::domain::enrollment::RequestState;
    use crate::domain::file_format::FileFormat;

    /// Browsers hold records in this form: whoever changes it must still read it.
    #[test]
    fn the_form_at_rest_does_not_change() {
        let at_rest = json!({
            "id": "ab".repeat(32),
            "created_at": 1_800_000_000,
            "certificate_type": "devices",
            "certificate_type_name": "Devices",
            "device": { "kind": "rig", "name": "rig-1", "file_format": "p7b", "email_address": "ops@example.com" },
            "certification_request": "Ag==",
            "submission": {
                "transaction_id": "000-000-000-000-000-000-000-000-011",
                "submitted_at": 1_800_000_001,
                "state": "issued",
            },
            "certification_path": ["Aw=="],
        });
        let id = "000-000-000-000-000-000-000-000-011".parse().unwrap();
        let request = DeviceRequest {
            id: "ab".repeat(32),
            created_at: 1_800_000_000,
            certificate_type: "devices".into(),
            certificate_type_name: "Devices".into(),
            device: Device {
                kind: DeviceKind::Rig,
                name: "rig-1".into(),
                file_format: FileFormat::P7b,
                email_address: "ops@example.com".into(),
            },
            authorization_code: None,
            certification_request: Base64Bytes(vec![2]),
            submission: Some(Submission {
                transaction_id: id,
                submitted_at: 1_800_000_001,
                state: RequestState::Issued,
            }),
            former_transaction_ids: Vec::new(),
            certification_path: Some(vec![Base64Bytes(vec![3])]),
        };
        assert_eq!(serde_json::to_value(&request).unwrap(), at_rest);
        assert_eq!(serde_json::from_value::<DeviceRequest>(at_rest).unwrap(), request);
        assert_eq!(request.standing(), Standing::Collected);
        assert!(request.has_transaction_id(id));
        let not_sent = DeviceRequest { submission: None, certification_path: None, ..request };
        assert_eq!((not_sent.standing(), not_sent.transaction_id()), (Standing::NotSent, None));
    }
}
