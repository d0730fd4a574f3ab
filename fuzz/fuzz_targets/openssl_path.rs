//! Certification paths, judged by Keyside and by OpenSSL: Keyside accepts none that OpenSSL refuses, but for the listed reasons.
//!
//! An input is a byte of flags, then certificates: the leaf first, the trust anchor last. With [`SIGN`] they get keys and signatures that fit, so
//! that the fuzzer reaches the rules behind the signatures. OpenSSL is given the path that Keyside found, and nothing else.
#![no_main]

use std::cmp::Ordering;

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE,
    ID_CE_FRESHEST_CRL, ID_CE_INHIBIT_ANY_POLICY, ID_CE_ISSUER_ALT_NAME, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_MAPPINGS, ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES, ID_CE_SUBJECT_KEY_IDENTIFIER,
    ID_PE_AUTHORITY_INFO_ACCESS, ID_PE_SUBJECT_INFO_ACCESS,
};
use keyside_core::domain::distinguished_name::common_name_of;
use keyside_fuzz::openssl_verdict::{self, Refusal};
use keyside_fuzz::signer::{self, ED_25519_KEYS, Kind};
use keyside_fuzz::{input, policy_tree, vectors};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_path::{Purpose, build};
use keyside_pki::element::{Elements, SEQUENCE};
use keyside_pki::general_name::GeneralName;
use keyside_pki::name::{self, Name};
use openssl::x509::X509;

/// The certificates get keys and signatures that fit.
const SIGN: u8 = 1;
/// With [`SIGN`]: each certificate's issuer is the subject of the next.
const NAME: u8 = 2;
/// The time is the first second of the leaf's validity.
const FIRST_SECOND: u8 = 4;
/// The time is the last second of the leaf's validity.
const LAST_SECOND: u8 = 8;

/// The chain with keys and signatures that fit.
fn signed(chain: &[&[u8]], has_names: bool) -> der::Result<Vec<Vec<u8>>> {
    let last = chain.len().saturating_sub(1);
    let certify = |(place, der): (usize, &&[u8])| {
        let above = (place + 1).min(last);
        let issuer = if has_names { Some(signer::subject(chain[above])?) } else { None };
        signer::certify_again(der, Kind::Ed25519(place as u8), Kind::Ed25519(above as u8), issuer)
    };
    chain.iter().enumerate().map(certify).collect()
}

/// Extensions that have no say in RFC 5280, section 6.1. OpenSSL refuses a certificate if it cannot read one of the first five, does not know the
/// others if they are critical, and takes no issuer that authorityKeyIdentifier does not name.
const NO_SAY: [ObjectIdentifier; 9] = [
    ID_CE_SUBJECT_KEY_IDENTIFIER,
    ID_CE_AUTHORITY_KEY_IDENTIFIER,
    ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_ISSUER_ALT_NAME,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_FRESHEST_CRL,
    ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES,
    ID_PE_AUTHORITY_INFO_ACCESS,
    ID_PE_SUBJECT_INFO_ACCESS,
];

/// The path without the extensions that have no say, as OpenSSL reads it. `chain` was signed here, so it can be signed again.
fn without_extensions(path: &[Certificate], chain: &[Certificate]) -> Option<Vec<X509>> {
    let has_name_constraints =
        |certificate: &Certificate| certificate.extensions().get(ID_CE_NAME_CONSTRAINTS).is_some();
    let last = chain.len() - 1;
    let certify = |(place, certificate): (usize, &Certificate)| {
        let mut ids = NO_SAY.to_vec();
        // Names count below a CA that constrains them.
        if !path.iter().skip(place + 1).any(has_name_constraints) {
            ids.push(ID_CE_SUBJECT_ALT_NAME);
        }
        // Any purpose is good enough, and the leaf need not be a CA's. A critical extension has to be readable all the same.
        let is_critical = |id: &ObjectIdentifier| {
            certificate.extensions().iter().any(|extension| extension.is_critical && extension.id == id.as_bytes())
        };
        if place == 0 {
            let of_cas = [ID_CE_BASIC_CONSTRAINTS, ID_CE_KEY_USAGE, ID_CE_POLICY_MAPPINGS, ID_CE_INHIBIT_ANY_POLICY];
            ids.extend(of_cas.iter().filter(|id| !is_critical(id)));
            // Nothing is below the leaf.
            ids.push(ID_CE_NAME_CONSTRAINTS);
            // OpenSSL refuses one without a bit.
            ids.extend(certificate.extensions().key_usage().is_ok().then_some(ID_CE_KEY_USAGE));
        }
        ids.retain(|id| *id != ID_CE_EXT_KEY_USAGE || !is_critical(id));
        let place = chain.iter().position(|other| other == certificate)?;
        let above = Kind::Ed25519((place + 1).min(last) as u8);
        signer::without_extensions(certificate.der(), above, &ids).ok()
    };
    let ders = path.iter().enumerate().map(certify).collect::<Option<Vec<_>>>()?;
    openssl_verdict::read(&ders.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// `X509_V_ERR_` of OpenSSL's `x509_vfy.h`.
mod error {
    pub(super) const UNSPECIFIED: i32 = 1;
    pub(super) const UNABLE_TO_GET_ISSUER_CERT: i32 = 2;
    pub(super) const CERT_HAS_EXPIRED: i32 = 10;
    pub(super) const ERROR_IN_CERT_NOT_BEFORE_FIELD: i32 = 13;
    pub(super) const ERROR_IN_CERT_NOT_AFTER_FIELD: i32 = 14;
    pub(super) const DEPTH_ZERO_SELF_SIGNED_CERT: i32 = 18;
    pub(super) const SELF_SIGNED_CERT_IN_CHAIN: i32 = 19;
    pub(super) const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: i32 = 20;
    pub(super) const UNABLE_TO_VERIFY_LEAF_SIGNATURE: i32 = 21;
    pub(super) const SUBJECT_ISSUER_MISMATCH: i32 = 29;
    pub(super) const AKID_SKID_MISMATCH: i32 = 30;
    pub(super) const AKID_ISSUER_SERIAL_MISMATCH: i32 = 31;
    pub(super) const UNHANDLED_CRITICAL_EXTENSION: i32 = 34;
    pub(super) const INVALID_POLICY_EXTENSION: i32 = 42;
    pub(super) const NO_EXPLICIT_POLICY: i32 = 43;
    pub(super) const PERMITTED_VIOLATION: i32 = 47;
    pub(super) const EXCLUDED_VIOLATION: i32 = 48;
    pub(super) const UNSUPPORTED_NAME_SYNTAX: i32 = 53;
    pub(super) const INVALID_CA: i32 = 79;
}

/// The names in a certificate's nameConstraints (RFC 5280, section 4.2.1.10): the tag and the contents of each.
fn constrained_names(certificate: &Certificate) -> der::Result<Vec<(u8, Vec<u8>)>> {
    let mut names = Vec::new();
    if let Some(value) = certificate.extensions().get(ID_CE_NAME_CONSTRAINTS) {
        for subtrees in Elements::within(SEQUENCE, value)? {
            for subtree in Elements::of(subtrees?.contents) {
                let name = Elements::within(SEQUENCE, subtree?.whole)?.next_element()?;
                names.push((name.tag, name.contents.to_vec()));
            }
        }
    }
    Ok(names)
}

/// True if there is a name constraint that OpenSSL may not read: a distinguished name with a value that is not a text, or a name of a kind that
/// Keyside does not compare, and does not look into.
fn has_odd_constraint(certificate: &Certificate) -> bool {
    let is_odd = |(tag, contents): &(u8, Vec<u8>)| {
        if [OTHER_NAME, X400_ADDRESS, EDI_PARTY_NAME, REGISTERED_ID].contains(tag) {
            return true;
        }
        let name = Name::from_der(contents).ok().filter(|_| *tag == DIRECTORY_NAME);
        name.is_some_and(|name| name.attributes().any(|attribute| attribute.text().is_none()))
    };
    constrained_names(certificate).is_ok_and(|names| names.iter().any(is_odd))
}

/// Tags of a GeneralName (RFC 5280, section 4.2.1.6).
const OTHER_NAME: u8 = 0xA0;
const X400_ADDRESS: u8 = 0xA3;
const EDI_PARTY_NAME: u8 = 0xA5;
const REGISTERED_ID: u8 = 0x88;
const DIRECTORY_NAME: u8 = 0xA4;
const DNS_NAME: u8 = 0x82;

fn has_dns_constraint(certificate: &Certificate) -> bool {
    constrained_names(certificate).is_ok_and(|names| names.iter().any(|(tag, _)| *tag == DNS_NAME))
}

/// True if OpenSSL may compare the leaf's Common Name with nameConstraints, as if it were a dNSName.
fn has_common_name_as_host(path: &[Certificate]) -> bool {
    let names = path[0].extensions().subject_alt_names().ok().flatten().unwrap_or_default();
    common_name_of(path[0].subject()).is_some() && !names.iter().any(|name| matches!(name, Some(GeneralName::Dns(_))))
}

/// The reason for which Keyside accepts what OpenSSL refuses. None if that is a fault.
fn reason(refusal: &Refusal, path: &[Certificate], read: &[X509], at: u64, is_signed: bool) -> Option<&'static str> {
    let pairs = || read.windows(2).map(|pair| pair[1].issued(&pair[0]).as_raw());
    let has_namesakes = || {
        let mut pairs = (0..path.len()).flat_map(|one| (one + 1..path.len()).map(move |other| (one, other)));
        pairs.any(|(one, other)| {
            let is_same = read[one].subject_name().try_cmp(read[other].subject_name()).is_ok_and(Ordering::is_eq);
            is_same || name::is_match(path[one].subject(), path[other].subject())
        })
    };
    if !refusal.is_of_path && has_namesakes() {
        return Some("OpenSSL takes the first issuer of a name, or ends at one that names itself as its issuer");
    }
    // An example is a distinguished name with a value that is not a text.
    let has_unread_names = || {
        path.iter().zip(read).any(|(certificate, read)| {
            certificate.extensions().get(ID_CE_SUBJECT_ALT_NAME).is_some() && read.subject_alt_names().is_none()
        })
    };
    match refusal.error {
        error::UNABLE_TO_GET_ISSUER_CERT
        | error::DEPTH_ZERO_SELF_SIGNED_CERT
        | error::SELF_SIGNED_CERT_IN_CHAIN
        | error::UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | error::UNABLE_TO_VERIFY_LEAF_SIGNATURE => pairs().find_map(|error| match error {
            error::AKID_SKID_MISMATCH | error::AKID_ISSUER_SERIAL_MISMATCH if !is_signed => {
                Some("RFC 5280, section 6.1, does not look at authorityKeyIdentifier, which helps to find a path")
            }
            error::UNSPECIFIED if !is_signed || has_unread_names() || path.iter().any(has_odd_constraint) => {
                Some("OpenSSL takes no issuer for a certificate with an extension that it cannot read")
            }
            error::SUBJECT_ISSUER_MISMATCH => Some(
                "RFC 4518 passes over characters that cannot be seen, and over case beyond ASCII. OpenSSL does not",
            ),
            _ => None,
        }),
        error::CERT_HAS_EXPIRED if path.iter().any(|certificate| certificate.validity().1 == at) => {
            Some("RFC 5280, section 4.1.2.5, includes the last second. OpenSSL calls it too late")
        }
        error::ERROR_IN_CERT_NOT_BEFORE_FIELD | error::ERROR_IN_CERT_NOT_AFTER_FIELD => {
            Some("Keyside reads times that are not DER and can be read in one way only")
        }
        error::INVALID_CA if refusal.depth as usize + 1 == path.len() && read.last()?.version() == 0 => {
            Some("a trust anchor of version 1 cannot say that it is a CA's")
        }
        error::PERMITTED_VIOLATION | error::EXCLUDED_VIOLATION
            if refusal.depth == 0 && has_common_name_as_host(path) && path.iter().any(has_dns_constraint) =>
        {
            Some("OpenSSL takes a Common Name for a dNSName")
        }
        error::UNSUPPORTED_NAME_SYNTAX if refusal.depth == 0 && has_common_name_as_host(path) => {
            Some("OpenSSL takes a Common Name for a dNSName")
        }
        // The tree of RFC 5280 judges the policies instead.
        error::INVALID_POLICY_EXTENSION => {
            Some("OpenSSL refuses a policy that is there twice, its qualifiers, and constraints that say nothing")
        }
        error::NO_EXPLICIT_POLICY => {
            Some("OpenSSL needs the policies of its user, which its safe interface cannot set")
        }
        error::UNHANDLED_CRITICAL_EXTENSION if !is_signed => {
            let mut extensions = path.get(refusal.depth as usize)?.extensions().iter();
            let has_no_say = |id: &[u8]| NO_SAY.iter().any(|other| other.as_bytes() == id);
            extensions
                .any(|extension| extension.is_critical && has_no_say(&extension.id))
                .then_some("OpenSSL does not know an extension that has no say")
        }
        _ => None,
    }
}

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let parts = input::parts(bytes);
    let Some((flags, chain)) = parts.split_first() else { return };
    if chain.len() < 2 || chain.len() > usize::from(ED_25519_KEYS) {
        return;
    }
    let flags = flags.first().copied().unwrap_or_default();
    let signed = if flags & SIGN == 0 { None } else { signed(chain, flags & NAME != 0).ok() };
    let is_signed = signed.is_some();
    let chain: Vec<Vec<u8>> = signed.unwrap_or_else(|| chain.iter().map(|der| der.to_vec()).collect());
    let Ok(chain) = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>() else { return };
    let (leaf, issuers) = (&chain[0], &chain[1..]);
    let (anchor, intermediates) = issuers.split_last().expect("there are two at least");
    let at = match flags & (FIRST_SECOND | LAST_SECOND) {
        FIRST_SECOND => leaf.validity().0,
        LAST_SECOND => leaf.validity().1,
        _ => vectors::AT,
    };
    let Ok(path) = build(leaf, intermediates, std::slice::from_ref(anchor), at, Purpose::Any) else { return };
    let below_anchor: Vec<&Certificate> = path.iter().rev().skip(1).collect();
    let has_policies = policy_tree::is_valid(&below_anchor);
    assert!(matches!(has_policies, Ok(Some(true) | None)), "Keyside accepts the policies of a path: {has_policies:?}");
    let ders: Vec<&[u8]> = path.iter().map(Certificate::der).collect();
    // Keyside reads certificates that OpenSSL does not.
    let Some(mut read) = openssl_verdict::read(&ders) else { return };
    let mut verdict = openssl_verdict::path(&read, at);
    if verdict.is_err()
        && is_signed
        && let Some(bare) = without_extensions(&path, &chain)
    {
        verdict = openssl_verdict::path(&bare, at);
        read = bare;
    }
    if let Err(refusal) = verdict {
        let reason = reason(&refusal, &path, &read, at, is_signed);
        let pems: Vec<u8> = read.iter().flat_map(|certificate| certificate.to_pem().unwrap_or_default()).collect();
        assert!(
            reason.is_some(),
            "at {at} Keyside accepts a path that OpenSSL refuses: {refusal:?}\n{}",
            String::from_utf8_lossy(&pems)
        );
    }
});
