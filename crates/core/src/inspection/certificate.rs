//! Certificates and CRLs, described.

use der::oid::ObjectIdentifier;
use der::oid::db::{rfc5280, rfc5912};
use keyside_pki::certificate::Certificate;
use keyside_pki::certificate_list::CertificateList;
use keyside_pki::element::oid_to_text;
use keyside_pki::extensions::KEY_USAGES;
use keyside_pki::general_name::GeneralName;
use keyside_pki::public_key::{ED_25519, PublicKey};
use keyside_pki::signature::ECDSA_WITH_SHA_1;

use super::{InspectedCertificate, InspectedCrl};

/// Describes a certificate; what cannot be read of its extensions is left out.
pub(super) fn describe(certificate: &Certificate, friendly_name: Option<String>) -> Option<InspectedCertificate> {
    let extensions = certificate.extensions();
    let key_usage = extensions.key_usage().ok().flatten();
    let purposes = extensions.extended_key_usages().ok().flatten().unwrap_or_default();
    let names = extensions.subject_alt_names().ok().flatten().unwrap_or_default();
    Some(InspectedCertificate {
        summary: certificate.summary(),
        friendly_name,
        public_key: PublicKey::of(certificate.subject_public_key_info()).ok()?,
        signature_algorithm: signature_algorithm_name(certificate.signature_algorithm().ok()?),
        is_ca: certificate.is_ca(),
        key_usages: KEY_USAGES
            .into_iter()
            .filter(|usage| key_usage.is_some_and(|usages| usages.allows(usage)))
            .map(str::to_owned)
            .collect(),
        extended_key_usages: purposes.into_iter().map(purpose_name).collect(),
        alternative_names: alternative_names(&names),
    })
}

/// Describes a CRL.
pub(super) fn describe_crl(crl: &CertificateList) -> InspectedCrl {
    InspectedCrl {
        issuer: crl.issuer.to_string(),
        this_update: crl.this_update,
        next_update: crl.next_update,
        revoked: crl.revoked,
    }
}

/// Names as people write them.
pub(super) fn alternative_names(names: &[Option<GeneralName>]) -> Vec<String> {
    let text =
        |name: &Option<GeneralName>| name.as_ref().map_or("a name that cannot be read".into(), GeneralName::to_text);
    names.iter().map(text).collect()
}

/// A purpose of extKeyUsage, by the contents of its object identifier: its name, or else the identifier.
fn purpose_name(purpose: &[u8]) -> String {
    const NAMES: [(ObjectIdentifier, &str); 7] = [
        (rfc5280::ID_KP_SERVER_AUTH, "serverAuth"),
        (rfc5280::ID_KP_CLIENT_AUTH, "clientAuth"),
        (rfc5280::ID_KP_CODE_SIGNING, "codeSigning"),
        (rfc5280::ID_KP_EMAIL_PROTECTION, "emailProtection"),
        (rfc5280::ID_KP_TIME_STAMPING, "timeStamping"),
        (rfc5280::ID_KP_OCSP_SIGNING, "OCSPSigning"),
        (rfc5280::ANY_EXTENDED_KEY_USAGE, "anyExtendedKeyUsage"),
    ];
    let known = NAMES.iter().find(|(oid, _)| oid.as_bytes() == purpose);
    known.map_or_else(|| oid_to_text(purpose), |(_, name)| (*name).to_owned())
}

/// The signature algorithms of today and before, for people, and whether their hash function is broken.
const SIGNATURE_ALGORITHMS: [(ObjectIdentifier, &str, bool); 13] = [
    (rfc5912::MD_2_WITH_RSA_ENCRYPTION, "RSA with MD2", true),
    (rfc5912::MD_5_WITH_RSA_ENCRYPTION, "RSA with MD5", true),
    (rfc5912::SHA_1_WITH_RSA_ENCRYPTION, "RSA with SHA-1", true),
    (rfc5912::SHA_224_WITH_RSA_ENCRYPTION, "RSA with SHA-224", false),
    (rfc5912::SHA_256_WITH_RSA_ENCRYPTION, "RSA with SHA-256", false),
    (rfc5912::SHA_384_WITH_RSA_ENCRYPTION, "RSA with SHA-384", false),
    (rfc5912::SHA_512_WITH_RSA_ENCRYPTION, "RSA with SHA-512", false),
    (rfc5912::ID_RSASSA_PSS, "RSASSA-PSS", false),
    (ECDSA_WITH_SHA_1, "ECDSA with SHA-1", true),
    (rfc5912::ECDSA_WITH_SHA_256, "ECDSA with SHA-256", false),
    (rfc5912::ECDSA_WITH_SHA_384, "ECDSA with SHA-384", false),
    (rfc5912::ECDSA_WITH_SHA_512, "ECDSA with SHA-512", false),
    (ED_25519, "Ed25519", false),
];

/// A signature algorithm for people: its name, or else its object identifier.
pub(super) fn signature_algorithm_name(algorithm: ObjectIdentifier) -> String {
    let known = SIGNATURE_ALGORITHMS.iter().find(|(oid, ..)| *oid == algorithm);
    known.map_or_else(|| algorithm.to_string(), |(_, name, _)| (*name).to_owned())
}

/// Whether two texts with the same hash can be made, by the algorithm's [`signature_algorithm_name`].
pub(super) fn has_broken_hash(name: &str) -> bool {
    SIGNATURE_ALGORITHMS.iter().any(|(_, known, is_broken)| *is_broken && *known == name)
}
