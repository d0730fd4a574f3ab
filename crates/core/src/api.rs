//! The RA API: what the page and the gateway say to each other.
//!
//! A small JSON resource with HTTP's own semantics (RFC 9110); errors are problem details (RFC 9457).
//!
//! | | |
//! |---|---|
//! | `POST /api/v1/requests` | [`NewRequest`] → 202 (or 201 when issued at once) with `Location` and [`RequestStatus`] |
//! | `GET /api/v1/requests/{transaction_id}` | [`RequestStatus`], with `Retry-After` while it waits |
//! | `PUT /api/v1/requests/{transaction_id}` | [`NewRequest`] in place of the one that waits, [`RequestStatus`] |
//! | `GET /api/v1/requests/{transaction_id}/certificate` | the certificate, in the media type asked for |
//! | `POST /api/v1/requests/{transaction_id}/revocation` | [`NewRevocation`] in, 202 with [`RequestStatus`] |
//! | `GET /api/v1/configuration` | [`Configuration`] |
//! | `GET /api/v1/ca` | [`CaCertificates`] |

use serde::{Deserialize, Serialize};

use crate::domain::authorization_code::AuthorizationCode;
use crate::domain::device::Device;
use crate::domain::key_size::KeySize;
use crate::domain::passphrase::PassphrasePolicy;
use crate::domain::revocation::RevocationReason;
use crate::domain::transaction_id::TransactionId;
pub use crate::domain::{base64_bytes::Base64Bytes, enrollment::RequestState, revocation::Revocation};

/// Where certification requests are sent and looked up.
pub const REQUESTS_PATH: &str = "/api/v1/requests";
/// Where [`Configuration`] is read.
pub const CONFIGURATION_PATH: &str = "/api/v1/configuration";
/// Where [`CaCertificates`] are read.
pub const CA_PATH: &str = "/api/v1/ca";

/// The media type of [`Problem`] (RFC 9457, section 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// A certificate and its chain as PEM, leaf first (RFC 8555, section 9.1).
pub const PEM_CERTIFICATE_CHAIN: &str = "application/pem-certificate-chain";
/// One certificate as DER (RFC 5280, section 4.2.1.13 and RFC 2585, section 4.1).
pub const PKIX_CERT: &str = "application/pkix-cert";
/// A certs-only CMS SignedData (RFC 8551, section 3.8).
pub const PKCS7_CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";

/// A full PKI request, which asks for a renewal (RFC 5272, section 3.2.1.2; RFC 5273, section 2).
pub const PKCS7_CMC_REQUEST: &str = "application/pkcs7-mime; smime-type=CMC-request";

/// The largest certification request that is looked at, in bytes of DER. A 4096-bit request takes about 1,300.
pub const MAXIMUM_CERTIFICATION_REQUEST_SIZE: usize = 16 * 1024;

/// The path of one request.
pub fn request_path(id: &TransactionId) -> String {
    format!("{REQUESTS_PATH}/{id}")
}

/// The path of the revocation of one request's certificate.
pub fn revocation_path(id: &TransactionId) -> String {
    format!("{REQUESTS_PATH}/{id}/revocation")
}

/// The path of one request's certificate.
pub fn certificate_path(id: &TransactionId) -> String {
    format!("{REQUESTS_PATH}/{id}/certificate")
}

/// What the page needs to know of this registration authority.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// The name of the site, shown in the page's header.
    pub site_name: String,
    /// A word such as "Test" that marks an environment which is not production; absent in production.
    pub badge: Option<String>,
    /// The certificate types on offer, in the order to show them in.
    pub certificate_types: Vec<CertificateType>,
    /// The RSA key sizes on offer.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<u16>))]
    pub key_sizes: Vec<KeySize>,
    /// The rules for pickup passphrases.
    pub passphrase_policy: PassphrasePolicy,
    /// Whom to ask, in one sentence.
    pub contact: String,
    /// Links to show on the Help page.
    pub links: Vec<Link>,
    /// Where the connection check is, which answers with a [`ConnectionCheck`]; absent if there is none.
    #[serde(default)]
    pub connection_check: Option<String>,
}

/// A kind of certificate that can be asked for ("Policy Name" on the step "Choose Certificate Type").
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateType {
    /// A short name for machines, unique among the types.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Who this type is for, in one sentence.
    pub description: String,
    /// The subject as an RFC 4514 string in which the value `{common_name}` stands for the Common Name. See
    /// [`SubjectTemplate`](crate::domain::distinguished_name::SubjectTemplate).
    pub subject_template: String,
    /// How its certificates are renewed; absent if they are not.
    #[serde(default)]
    pub renewal: Option<RenewalPolicy>,
    /// Whether its certificates are for devices and not for people: then a request names its device.
    #[serde(default)]
    pub for_devices: bool,
}

/// How certificates of a type are renewed.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalPolicy {
    /// How many days before its end a certificate can be renewed, up to its end.
    pub window_days: u32,
    /// Whether the new certificate may be for the same key.
    pub same_key: bool,
}

impl RenewalPolicy {
    /// The first second of the window of a certificate that ends at `not_after`; both since 1970-01-01T00:00:00Z.
    pub fn opens_at(&self, not_after: u64) -> u64 {
        not_after.saturating_sub(u64::from(self.window_days) * 24 * 60 * 60)
    }
}

/// A link with its text.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The link's text.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// A new request for a certificate. Sending the same certification request again gives the same transaction.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// The [`CertificateType::id`] asked for.
    pub certificate_type: String,
    /// The PKCS#10 CertificationRequest (RFC 2986), base64 of its DER. A string, so that the gateway can tell a body
    /// that is not JSON from a value that is not base64.
    pub certification_request: String,
    /// The transaction ID of the request whose certificate is lost, for a replacement.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<TransactionId>,
    /// The one-time code of the authorization that the request uses. The answer is the same for a right and a wrong one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<AuthorizationCode>,
    /// The device that the certificate is for, where the type is for devices, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

/// How a request stands.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestStatus {
    /// The request's name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub transaction_id: TransactionId,
    /// When the gateway took it, in seconds since 1970-01-01T00:00:00Z.
    pub submitted_at: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub state: RequestState,
    /// Whether its certificate was revoked, or somebody has asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    /// The device that the certificate is for, where it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

/// Asks for the revocation of an issued certificate. Whoever has the transaction ID may ask; an officer decides.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRevocation {
    /// Why.
    pub reason: RevocationReason,
}

/// The certification authority's own certificates, and what else its users need to trust it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaCertificates {
    /// The roots that users' certificates must lead to, DER.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub trust_anchors: Vec<Base64Bytes>,
    /// The issuing certificates between a root and a user's certificate, DER.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub intermediates: Vec<Base64Bytes>,
    /// The documents that say how it works, in the order to show them in.
    #[serde(default)]
    pub documents: Vec<Document>,
    /// The certification authorities that came before it. Nothing may be trusted because it stands here.
    #[serde(default)]
    pub retired: Vec<RetiredCa>,
}

/// A document that says how the certification authority works.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What it is called.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// What it is; absent for any other link.
    pub kind: Option<DocumentKind>,
}

/// What a document is (RFC 3647, sections 3.1, 3.4 and 3.6).
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A certificate policy (CP).
    Policy,
    /// A certification practice statement (CPS).
    PracticeStatement,
    /// An agreement, such as a subscriber's.
    Agreement,
}

/// A certification authority that is no longer used.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetiredCa {
    /// What people call it.
    pub name: String,
    /// When it ended, for people to read: a date such as 2024-11-30, or words.
    pub ended: String,
    /// What that means for those who still meet its certificates.
    pub note: String,
    /// Its certificate, DER.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub certificate: Option<Base64Bytes>,
}

/// What the connection check sees of a client: whether its certificate works, and which one it is.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionCheck {
    /// Whether the client showed a certificate, and proved that it has the private key.
    pub certificate_shown: bool,
    /// Whether it works, for machines.
    pub verdict: ConnectionVerdict,
    /// Whether it works, for people, in a few words.
    pub title: String,
    /// Why, and what to do about it.
    pub detail: String,
    /// The version of TLS that was agreed on, such as "TLS 1.3".
    pub tls_version: String,
    /// The certificate; absent if none was shown, or if it cannot be read.
    pub certificate: Option<ShownCertificate>,
}

/// Whether a client's certificate works, in one word.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionVerdict {
    /// It works.
    Works,
    /// The client showed none.
    NoCertificate,
    /// It cannot be read.
    Unreadable,
    /// Its own key signed it, and no certification authority.
    SelfSigned,
    /// It does not lead to this site's certification authority.
    AnotherAuthority,
    /// Its validity has not begun.
    NotYetValid,
    /// Its validity has ended.
    Expired,
    /// It was revoked.
    Revoked,
    /// It may be used, but not for logging in.
    NotForClientAuthentication,
}

/// A certificate that a client showed.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownCertificate {
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// The issuer as RFC 4514 writes it.
    pub issuer: String,
    /// The serial number in lowercase hexadecimal.
    pub serial_number: String,
    /// The first second of its validity, since 1970-01-01T00:00:00Z.
    pub not_before: i64,
    /// The last second of its validity, since 1970-01-01T00:00:00Z.
    pub not_after: u64,
    /// The e-mail addresses in it.
    pub email_addresses: Vec<String>,
    /// The SHA-256 of its DER in lowercase hexadecimal.
    pub sha256_fingerprint: String,
    /// The SHA-1 of its DER in lowercase hexadecimal, which Windows shows as the thumbprint.
    pub sha1_fingerprint: String,
}

/// An error's details (RFC 9457).
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Which kind of problem, as a relative reference: `/problems/` and the kind's slug.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What is wrong with this request, and what to do about it.
    pub detail: String,
}

impl Problem {
    /// A problem of `kind`, with `detail` naming the fault and the way out.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, title: kind.title().into(), status: kind.status(), detail: detail.into() }
    }
}

/// Defines [`ProblemKind`]: a slug, a status and a title for each.
macro_rules! problem_kinds {
    ($($(#[$doc:meta])+ $name:ident = $slug:literal, $status:literal, $title:literal;)+) => {
        /// The kinds of problems that the API answers with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ProblemKind {
            $($(#[$doc])+ #[serde(rename = $slug)] $name,)+
        }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The value of the member `type`: a relative reference that the gateway serves a description at.
            pub fn reference(self) -> &'static str {
                match self { $(Self::$name => $slug),+ }
            }

            /// The HTTP status code that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            /// The kind in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

/// By their references, which is how they stand in the JSON.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for ProblemKind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("The kinds of problems that the API answers with."))
            .enum_values(Some(Self::ALL.iter().map(|kind| kind.reference())))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for ProblemKind {}

problem_kinds! {
    /// There is nothing at this path.
    NotFound = "/problems/not-found", 404, "Nothing is here";
    /// The path does not take this method.
    MethodNotAllowed = "/problems/method-not-allowed", 405, "This method is not allowed here";
    /// None of the media types asked for can be given.
    NotAcceptable = "/problems/not-acceptable", 406, "No such media type";
    /// The body is not `application/json`.
    UnsupportedMediaType = "/problems/unsupported-media-type", 415, "The body's media type is not supported";
    /// The body is larger than any request.
    BodyTooLarge = "/problems/body-too-large", 413, "The body is too large";
    /// The body is empty, not JSON, or not the JSON expected.
    MalformedBody = "/problems/malformed-body", 400, "The body cannot be read";
    /// The certification request is not base64.
    NotBase64 = "/problems/not-base64", 400, "The certification request is not base64";
    /// The certification request is larger than [`MAXIMUM_CERTIFICATION_REQUEST_SIZE`].
    CertificationRequestTooLarge = "/problems/certification-request-too-large", 413, "The certification request is too large";
    /// The certification request is not the DER of a PKCS#10 CertificationRequest.
    CertificationRequestMalformed = "/problems/certification-request-malformed", 422, "The certification request cannot be read";
    /// The certification request's signature does not fit its public key.
    SignatureInvalid = "/problems/signature-invalid", 422, "The certification request's signature is wrong";
    /// The public key or the signature is not RSA with SHA-2.
    AlgorithmNotAllowed = "/problems/algorithm-not-allowed", 422, "The algorithm is not allowed";
    /// The RSA modulus is shorter or longer than allowed.
    KeySizeNotAllowed = "/problems/key-size-not-allowed", 422, "The key size is not allowed";
    /// The RSA public exponent is not allowed.
    PublicExponentNotAllowed = "/problems/public-exponent-not-allowed", 422, "The public exponent is not allowed";
    /// A certificate for the key was revoked because a stranger may have it, or its holder has asked for that.
    KeyCompromised = "/problems/key-compromised", 422, "The key is compromised";
    /// The key is in the certificate of another person or device.
    KeyOfAnother = "/problems/key-of-another", 422, "The key is another holder's";
    /// The RSA key is known to be weak.
    WeakKey = "/problems/weak-key", 422, "The key is weak";
    /// The certificate type is not one of the configured ones.
    UnknownCertificateType = "/problems/unknown-certificate-type", 422, "Unknown certificate type";
    /// The subject does not follow the type's template.
    SubjectNotAllowed = "/problems/subject-not-allowed", 422, "The subject is not allowed";
    /// There is not exactly one well-formed e-mail address: in the subjectAltName, or for a device with its details.
    EmailAddressNotAllowed = "/problems/email-address-not-allowed", 422, "The e-mail address is not allowed";
    /// The subjectAltName has names that a device's certificate does not get.
    SubjectAltNameNotAllowed = "/problems/subject-alt-name-not-allowed", 422, "The subject alternative names are not allowed";
    /// The certificate type is for devices, and the request does not say which.
    DeviceMissing = "/problems/device-missing", 422, "The device's details are missing";
    /// The certificate type is not for devices, and the request names one.
    DeviceNotExpected = "/problems/device-not-expected", 422, "This certificate type is not for devices";
    /// The device's name is not the subject's Common Name.
    DeviceNameDiffers = "/problems/device-name-differs", 422, "The device has another name in the certification request";
    /// The certification request was submitted before, with another certificate type or device.
    SubmittedOtherwise = "/problems/submitted-otherwise", 409, "This certification request was submitted with other details";
    /// The text in the path is not a transaction ID.
    MalformedTransactionId = "/problems/malformed-transaction-id", 404, "This is not a transaction ID";
    /// There is no request with this transaction ID.
    UnknownTransactionId = "/problems/unknown-transaction-id", 404, "No request has this transaction ID";
    /// The request was not issued a certificate, or not yet.
    NotIssued = "/problems/not-issued", 409, "There is no certificate for this request";
    /// The renewal is not the DER of a full PKI request with one PKCS#10 request and one signer.
    RenewalMalformed = "/problems/renewal-malformed", 422, "The renewal request cannot be read";
    /// The renewal's signature does not fit the certificate to be renewed.
    RenewalSignatureInvalid = "/problems/renewal-signature-invalid", 422, "The renewal request's signature is wrong";
    /// The certificate to be renewed was not issued here, or is not valid now.
    CertificateNotAccepted = "/problems/certificate-not-accepted", 422, "The current certificate is not accepted";
    /// The certificate to be renewed was revoked.
    CertificateRevoked = "/problems/certificate-revoked", 422, "The current certificate was revoked";
    /// Certificates of this type are not renewed, or not yet.
    RenewalNotAllowed = "/problems/renewal-not-allowed", 422, "This certificate cannot be renewed now";
    /// The certificate to be renewed was renewed already, or a renewal of it waits.
    AlreadyRenewed = "/problems/already-renewed", 409, "This certificate was renewed already";
    /// An earlier certificate of the same holder has the key, and the certificate type does not allow that.
    KeyReuseNotAllowed = "/problems/key-reuse-not-allowed", 422, "A new key is needed";
    /// The gateway or its CA cannot answer now.
    Unavailable = "/problems/unavailable", 503, "The service cannot answer now";
    /// The gateway failed.
    Internal = "/problems/internal", 500, "The gateway failed";
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_problem_names_its_type_as_a_reference() -> Result<(), serde_json::Error> {
        for &kind in ProblemKind::ALL {
            let json = serde_json::to_value(Problem::new(kind, "what to do"))?;
            assert_eq!(json["type"], kind.reference());
            assert_eq!(json["status"], kind.status());
        }
        Ok(())
    }

    #[test]
    fn a_gateway_may_say_no_more_than_its_certificates() -> Result<(), serde_json::Error> {
        let json = r#"{"trust_anchors": ["Zg=="], "intermediates": []}"#;
        let ca: CaCertificates = serde_json::from_str(json)?;
        assert!(ca.documents.is_empty() && ca.retired.is_empty());
        let document = r#"{"title": "CPS", "url": "https://www.example.com/cps.pdf", "kind": "practice-statement"}"#;
        assert_eq!(serde_json::from_str::<Document>(document)?.kind, Some(DocumentKind::PracticeStatement));
        Ok(())
    }

    #[test]
    fn the_state_stands_beside_the_transaction_id() -> Result<(), Box<dyn core::error::Error>> {
        let status = RequestStatus {
            transaction_id: "000-000-000-000-000-000-000-000-011".parse()?,
            submitted_at: 1,
            state: RequestState::Rejected { reason: "unknown person".into() },
            revocation: None,
            device: None,
        };
        let json = serde_json::to_value(&status)?;
        assert_eq!(json["state"], "rejected");
        assert_eq!(json["reason"], "unknown person");
        assert_eq!(serde_json::from_value::<RequestStatus>(json)?, status);
        Ok(())
    }
}
