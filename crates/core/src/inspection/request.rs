//! CertificationRequests, described.

use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::error::Error;
use keyside_pki::public_key::PublicKey;

use super::InspectedRequest;
use super::certificate::{alternative_names, signature_algorithm_name};

/// Describes a request; names that cannot be read are left out.
pub(super) fn describe(request: &CertificationRequest) -> Option<InspectedRequest> {
    Some(InspectedRequest {
        subject: request.subject().to_string(),
        public_key: PublicKey::of(request.subject_public_key_info()).ok()?,
        signature_algorithm: signature_algorithm_name(request.signature_algorithm()),
        signature_fits: match request.verify() {
            Ok(()) => Some(true),
            Err(Error::SignatureInvalid) => Some(false),
            // Not known here, or with a hash function that proves nothing.
            Err(_) => None,
        },
        alternative_names: alternative_names(&request.subject_alt_names().unwrap_or_default()),
        has_challenge_password: request.has_challenge_password(),
        oddities: request.oddities().to_vec(),
    })
}
