//! Certificates and CRLs, described.

use der::oid::ObjectIdentifier;
use der::oid::db::{rfc5280, rfc5912};
use keyside_pki::certificate::Certificate;
use keyside_pki::name;
use keyside_pki::public_key::{ED_25519, PublicKey};
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};

use super::{InspectedCertificate, InspectedCrl};

/// The names that RFC 5280, section 4.2.1.3, has for them.
const KEY_USAGES: [(KeyUsages, &str); 9] = [
    (KeyUsages::DigitalSignature, "digitalSignature"),
    (KeyUsages::NonRepudiation, "nonRepudiation"),
    (KeyUsages::KeyEncipherment, "keyEncipherment"),
    (KeyUsages::DataEncipherment, "dataEncipherment"),
    (KeyUsages::KeyAgreement, "keyAgreement"),
    (KeyUsages::KeyCertSign, "keyCertSign"),
    (KeyUsages::CRLSign, "cRLSign"),
    (KeyUsages::EncipherOnly, "encipherOnly"),
    (KeyUsages::DecipherOnly, "decipherOnly"),
];

/// Describes a certificate; what cannot be read of its extensions is left out.
pub(super) fn describe(certificate: &Certificate, friendly_name: Option<String>) -> der::Result<InspectedCertificate> {
    let tbs = certificate.parsed().tbs_certificate();
    let key_usage = tbs.get_extension::<KeyUsage>().ok().flatten().map(|(_, KeyUsage(usages))| usages);
    let extended = tbs.get_extension::<ExtendedKeyUsage>().ok().flatten().map(|(_, ExtendedKeyUsage(usages))| usages);
    let names = tbs.get_extension::<SubjectAltName>().ok().flatten().map(|(_, SubjectAltName(names))| names);
    Ok(InspectedCertificate {
        summary: certificate.summary(),
        friendly_name,
        public_key: PublicKey::of(tbs.subject_public_key_info())?,
        signature_algorithm: signature_algorithm_name(certificate.parsed().signature_algorithm().oid),
        is_ca: certificate.may_issue(0),
        key_usages: KEY_USAGES
            .into_iter()
            .filter(|(usage, _)| key_usage.is_some_and(|usages| usages.contains(*usage)))
            .map(|(_, name)| name.to_owned())
            .collect(),
        extended_key_usages: extended.into_iter().flatten().map(extended_key_usage_name).collect(),
        alternative_names: alternative_names(&names.unwrap_or_default()),
    })
}

/// Describes a CRL.
pub(super) fn describe_crl(crl: &CertificateList) -> InspectedCrl {
    let list = &crl.tbs_cert_list;
    InspectedCrl {
        issuer: name::to_text(&list.issuer),
        this_update: list.this_update.to_unix_duration().as_secs(),
        next_update: list.next_update.map(|next| next.to_unix_duration().as_secs()),
        revoked: list.revoked_certificates.as_ref().map_or(0, Vec::len),
    }
}

/// Names as people write them.
pub(super) fn alternative_names(names: &[GeneralName]) -> Vec<String> {
    names
        .iter()
        .map(|name| match name {
            GeneralName::Rfc822Name(address) => address.to_string(),
            GeneralName::DnsName(name) => name.to_string(),
            GeneralName::UniformResourceIdentifier(uri) => uri.to_string(),
            GeneralName::DirectoryName(name) => name::to_text(name),
            GeneralName::IpAddress(address) => ip_address(address.as_bytes()),
            GeneralName::RegisteredId(id) => id.to_string(),
            GeneralName::OtherName(name) => format!("another kind of name ({})", name.type_id),
            GeneralName::EdiPartyName(_) => "an EDI party name".into(),
        })
        .collect()
}

fn ip_address(octets: &[u8]) -> String {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        core::net::Ipv4Addr::from(octets).to_string()
    } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
        core::net::Ipv6Addr::from(octets).to_string()
    } else {
        "an IP address of another size".into()
    }
}

fn extended_key_usage_name(usage: ObjectIdentifier) -> String {
    match usage {
        rfc5280::ID_KP_SERVER_AUTH => "serverAuth".into(),
        rfc5280::ID_KP_CLIENT_AUTH => "clientAuth".into(),
        rfc5280::ID_KP_CODE_SIGNING => "codeSigning".into(),
        rfc5280::ID_KP_EMAIL_PROTECTION => "emailProtection".into(),
        rfc5280::ID_KP_TIME_STAMPING => "timeStamping".into(),
        rfc5280::ID_KP_OCSP_SIGNING => "OCSPSigning".into(),
        rfc5280::ANY_EXTENDED_KEY_USAGE => "anyExtendedKeyUsage".into(),
        other => other.to_string(),
    }
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

/// RFC 3279, section 2.2.3.
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// A signature algorithm for people: its name, or else its object identifier.
pub(super) fn signature_algorithm_name(algorithm: ObjectIdentifier) -> String {
    let known = SIGNATURE_ALGORITHMS.iter().find(|(oid, ..)| *oid == algorithm);
    known.map_or_else(|| algorithm.to_string(), |(_, name, _)| (*name).to_owned())
}

/// Whether two texts with the same hash can be made, by the algorithm's [`signature_algorithm_name`].
pub(super) fn has_broken_hash(name: &str) -> bool {
    SIGNATURE_ALGORITHMS.iter().any(|(_, known, is_broken)| *is_broken && *known == name)
}
