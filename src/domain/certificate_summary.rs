//! The particulars of a certificate, as they are shown and kept.

use serde::{Deserialize, Serialize};

/// What people compare when they ask "which certificate is this?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSummary {
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// The issuer as RFC 4514 writes it.
    pub issuer: String,
    /// The serial number in lowercase hexadecimal.
    pub serial_number: String,
    /// The first second of its validity, since 1970-01-01T00:00:00Z.
    pub not_before: u64,
    /// The last second of its validity, since 1970-01-01T00:00:00Z.
    pub not_after: u64,
    /// The SHA-256 of its DER in lowercase hexadecimal.
    pub sha256_fingerprint: String,
    /// The SHA-1 of its DER in lowercase hexadecimal, which Windows shows as the thumbprint. Good for finding a certificate in a list;
    /// two with the same can be made.
    pub sha1_fingerprint: String,
}
