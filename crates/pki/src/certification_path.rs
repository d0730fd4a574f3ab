//! Certification paths (RFC 5280, section 6): from a certificate to a trust anchor.
//!
//! Building comes first: every way from issuer to issuer, by name and signature, that ends at a trust anchor. Each is then held to the rules of
//! section 6.1: dates, basicConstraints, keyUsage, the path's length, nameConstraints, policies, and critical extensions. Revocation is the
//! relying party's matter, not the collector's. A trust anchor is held to the rules of a CA as well (RFC 5937).
//!
//! `docs/decisions/0008-own-path-validation.md` says why no library does this.

use std::collections::HashMap;

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE, ID_CE_FRESHEST_CRL, ID_CE_INHIBIT_ANY_POLICY, ID_CE_ISSUER_ALT_NAME, ID_CE_KEY_USAGE,
    ID_CE_NAME_CONSTRAINTS, ID_CE_POLICY_CONSTRAINTS, ID_CE_POLICY_MAPPINGS, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS,
    ID_PE_SUBJECT_INFO_ACCESS,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::certificate::Certificate;
use super::error::Error;
use super::name::{self, NameKey};
use super::public_key;
use crate::element::oid_to_text;

mod name_constraints;
mod policies;

/// The longest path: leaf, intermediates and trust anchor.
const MAXIMUM_LENGTH: usize = 16;

/// The most signatures that are verified for one [`Search`]: many CAs that certify each other under one name make a maze.
const MAXIMUM_VERIFICATIONS: usize = 100;

/// The most issuers that are tried for one path. One of several times [`SIZE_OF_A_STEP`] counts as often.
const MAXIMUM_STEPS: usize = 2_000;

/// The most issuers that are tried for all paths of one [`Search`].
const MAXIMUM_STEPS_OF_SEARCH: usize = 5_000;

/// The size of a certificate that takes no longer to try than others, in bytes.
const SIZE_OF_A_STEP: usize = 4 * 1024;

/// The largest certificate in a path, in bytes: an extension or a name can be as large as a file, and rules compare them with each other.
const MAXIMUM_CERTIFICATE_SIZE: usize = 64 * 1024;

/// The extensions that may be critical on a path: their rules are kept, or they set none for a path.
const UNDERSTOOD: [ObjectIdentifier; 17] = [
    ID_CE_AUTHORITY_KEY_IDENTIFIER,
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_FRESHEST_CRL,
    ID_CE_INHIBIT_ANY_POLICY,
    ID_CE_ISSUER_ALT_NAME,
    ID_CE_KEY_USAGE,
    ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_CONSTRAINTS,
    ID_CE_POLICY_MAPPINGS,
    ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_DIRECTORY_ATTRIBUTES,
    ID_CE_SUBJECT_KEY_IDENTIFIER,
    ID_PE_AUTHORITY_INFO_ACCESS,
    ID_PE_SUBJECT_INFO_ACCESS,
];

/// Why there is no path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum PathError {
    /// The certificate is not valid yet; from when, in seconds since 1970-01-01T00:00:00Z.
    #[error("the certificate is not valid yet")]
    NotYetValid(u64),
    /// The certificate has expired; when, in seconds since 1970-01-01T00:00:00Z.
    #[error("the certificate has expired")]
    Expired(u64),
    /// No chain of valid signatures leads from the certificate to a trust anchor.
    #[error("the certificate does not lead to a configured certification authority")]
    NoTrustAnchor,
    /// A chain of valid signatures leads there, but a rule of RFC 5280 is broken; which, as a clause.
    #[error("the certificate is not acceptable: {0}")]
    Refused(String),
    /// It may lead there or not: that cannot be told here; the reason, as a clause.
    #[error("the certificate cannot be checked here: {0}")]
    NotChecked(String),
}

/// The purpose of the certificate at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Anything.
    Any,
    /// The authentication of a TLS client: it is no CA's certificate, and keyUsage and extKeyUsage on the path allow it.
    ClientAuthentication,
}

/// The result of verifying one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Valid,
    Invalid,
    /// The signature may be valid, but proves nothing; why.
    Worthless(String),
    /// It could not be verified; why.
    Unknown(String),
}

/// Looks for paths. The signatures verified for all its paths have one limit, and none is verified twice.
pub struct Search<'a> {
    intermediates: BySubject<'a>,
    verdicts: HashMap<[[u8; 32]; 2], Verdict>,
    /// The issuers that may still be tried.
    steps: usize,
    /// The comparisons of names with nameConstraints that may still be made.
    comparisons: usize,
}

/// Certificates by what their subjects match by.
type BySubject<'a> = HashMap<NameKey, Vec<&'a Certificate>>;

fn by_subject(certificates: &[Certificate]) -> BySubject<'_> {
    let mut by_subject = BySubject::new();
    for certificate in certificates {
        by_subject.entry(name::key_of(certificate.subject())).or_default().push(certificate);
    }
    by_subject
}

/// A way from a leaf to a trust anchor.
struct Way<'a> {
    /// Leaf first, trust anchor last.
    certificates: Vec<&'a Certificate>,
    /// The reason if it cannot be told that it holds together.
    obstacle: Option<String>,
    /// A signature on it that proves nothing, if there is one.
    worthless: Option<String>,
}

/// Builds a path at the time `at` (seconds since 1970-01-01T00:00:00Z).
///
/// Returns it leaf first, trust anchor last. `intermediates` may be in any order and hold others too.
pub fn build(
    leaf: &Certificate,
    intermediates: &[Certificate],
    trust_anchors: &[Certificate],
    at: u64,
    purpose: Purpose,
) -> Result<Vec<Certificate>, PathError> {
    Search::new(intermediates).build(leaf, trust_anchors, at, purpose)
}

impl<'a> Search<'a> {
    /// A search through these certificates, which may be in any order and hold others too.
    pub fn new(intermediates: &'a [Certificate]) -> Self {
        Self {
            intermediates: by_subject(intermediates),
            verdicts: HashMap::new(),
            steps: MAXIMUM_STEPS_OF_SEARCH,
            comparisons: name_constraints::MAXIMUM_COMPARISONS,
        }
    }

    /// Builds a path at the time `at` (seconds since 1970-01-01T00:00:00Z). Returns it leaf first, trust anchor last.
    pub fn build(
        &mut self,
        leaf: &Certificate,
        trust_anchors: &[Certificate],
        at: u64,
        purpose: Purpose,
    ) -> Result<Vec<Certificate>, PathError> {
        let (not_before, not_after) = leaf.validity();
        if at < not_before {
            return Err(PathError::NotYetValid(not_before));
        }
        if at > not_after {
            return Err(PathError::Expired(not_after));
        }
        let mut outcome = PathError::NoTrustAnchor;
        let allowed = MAXIMUM_STEPS.min(self.steps);
        let mut steps = allowed;
        let mut way = Way { certificates: vec![leaf], obstacle: None, worthless: None };
        let mut comparisons = self.comparisons;
        let found = self.extend(&mut way, &by_subject(trust_anchors), &mut steps, &mut |way, steps| {
            let error = match way.check(at, purpose, &mut comparisons) {
                Ok(()) => return true,
                Err(error) => error,
            };
            // All of its certificates were read once more.
            let size: usize = way.certificates.iter().map(|certificate| certificate.der().len()).sum();
            *steps = steps.saturating_sub(size / SIZE_OF_A_STEP);
            // One that cannot be checked may be the good one.
            if !matches!(outcome, PathError::NotChecked(_)) {
                outcome = error;
            }
            false
        });
        self.comparisons = comparisons;
        self.steps -= allowed - steps;
        if found {
            return Ok(way.certificates.into_iter().cloned().collect());
        }
        if steps == 0 {
            return Err(PathError::NotChecked(
                "there are more certificates of one name than are looked through".into(),
            ));
        }
        Err(outcome)
    }

    /// Extends `way` to a trust anchor, depth first, until `is_good` takes one; leaves it as it was where none is.
    fn extend<'b>(
        &mut self,
        way: &mut Way<'b>,
        trust_anchors: &BySubject<'b>,
        steps: &mut usize,
        is_good: &mut dyn FnMut(&Way<'b>, &mut usize) -> bool,
    ) -> bool
    where
        'a: 'b,
    {
        let Some(&last) = way.certificates.last() else {
            return false;
        };
        let key = name::key_of(last.issuer());
        let [anchors, intermediates] =
            [trust_anchors.get(&key), self.intermediates.get(&key)].map(|found| found.cloned().unwrap_or_default());
        let anchors = anchors.into_iter().map(|anchor| (anchor, true));
        for (issuer, is_anchor) in anchors.chain(intermediates.into_iter().map(|issuer| (issuer, false))) {
            // RFC 4158, section 2.4.2: a name with the same key twice is a loop.
            let is_loop = || way.certificates.iter().any(|certificate| certificate.has_name_and_key_of(issuer));
            *steps = steps.saturating_sub(1 + issuer.der().len() / SIZE_OF_A_STEP);
            if *steps == 0 {
                return false;
            }
            if !is_anchor && (way.certificates.len() + 1 >= MAXIMUM_LENGTH || is_loop()) {
                continue;
            }
            let (obstacle, worthless) = match self.verify(last, issuer) {
                Verdict::Valid => (None, None),
                Verdict::Invalid => continue,
                Verdict::Worthless(why) => (None, Some(why)),
                Verdict::Unknown(why) => (Some(why), None),
            };
            let before = (way.obstacle.clone(), way.worthless.clone());
            way.obstacle = before.0.clone().or(obstacle);
            way.worthless = before.1.clone().or(worthless);
            way.certificates.push(issuer);
            if if is_anchor { is_good(way, steps) } else { self.extend(way, trust_anchors, steps, is_good) } {
                return true;
            }
            way.certificates.pop();
            (way.obstacle, way.worthless) = before;
        }
        false
    }

    /// Verifies that `issuer` has signed `certificate`.
    fn verify(&mut self, certificate: &Certificate, issuer: &Certificate) -> Verdict {
        let key = [certificate.der(), issuer.subject_public_key_info()].map(|bytes| Sha256::digest(bytes).into());
        if let Some(known) = self.verdicts.get(&key) {
            return known.clone();
        }
        if self.verdicts.len() >= MAXIMUM_VERIFICATIONS {
            return Verdict::Unknown("there are more signatures than are verified for one file".into());
        }
        let subject = || certificate.subject().to_string();
        let verdict = match certificate.verify_signed_by(issuer) {
            Ok(()) => Verdict::Valid,
            Err(Error::WeakAlgorithm(hash)) => {
                Verdict::Worthless(format!("“{}” is signed with {hash}, which proves nothing any more", subject()))
            }
            Err(Error::UnsupportedAlgorithm(algorithm)) => Verdict::Unknown(format!(
                "“{}” is signed in a way that this program does not know (algorithm {algorithm})",
                subject()
            )),
            Err(Error::Malformed { .. }) => {
                Verdict::Unknown(format!("the signature of “{}”, or its issuer's key, cannot be read", subject()))
            }
            Err(error @ (Error::KeyTooLarge(_) | Error::UnusableKey(_))) => {
                Verdict::Unknown(format!("the key that has signed “{}” cannot be used here ({error})", subject()))
            }
            Err(_) => Verdict::Invalid,
        };
        self.verdicts.insert(key, verdict.clone());
        verdict
    }
}

impl Way<'_> {
    /// Holds the path to the rules of RFC 5280, section 6.1.
    fn check(&self, at: u64, purpose: Purpose, comparisons: &mut usize) -> Result<(), PathError> {
        // Of what is not known to hold together, no rule can be said to be broken.
        if let Some(why) = &self.obstacle {
            return Err(PathError::NotChecked(why.clone()));
        }
        if let Some(why) = &self.worthless {
            return Err(PathError::Refused(why.clone()));
        }
        if self.certificates.iter().any(|certificate| certificate.der().len() > MAXIMUM_CERTIFICATE_SIZE) {
            return Err(PathError::NotChecked("a certificate on its path has more than 64 kB".into()));
        }
        for certificate in &self.certificates {
            check_extensions(certificate)?;
            check_key(certificate)?;
        }
        let leaf_and_issuers = self.certificates.split_first();
        let Some((leaf, issuers)) = leaf_and_issuers else { return Err(PathError::NoTrustAnchor) };
        for (below, issuer) in issuers.iter().enumerate() {
            // Of the CAs below it, those that certify themselves do not count.
            let counted = issuers.iter().take(below).filter(|ca| !ca.names_as_issuer(ca)).count();
            let is_anchor = below + 1 == issuers.len();
            check_issuer(issuer, counted, is_anchor, at, purpose)?;
        }
        if purpose == Purpose::ClientAuthentication {
            check_client(leaf)?;
        }
        self.check_names(comparisons)?;
        let below_anchor: Vec<&Certificate> = self.certificates.iter().rev().skip(1).copied().collect();
        match policies::are_valid(&below_anchor) {
            Ok(true) => Ok(()),
            Ok(false) => refused("one of its CAs demands a certificate policy, and none is valid for the whole path"),
            Err(_) => refused("a certificate policy on its path cannot be read"),
        }
    }

    /// nameConstraints (RFC 5280, sections 4.2.1.10 and 6.1.3).
    fn check_names(&self, comparisons: &mut usize) -> Result<(), PathError> {
        for (place, issuer) in self.certificates.iter().enumerate().skip(1) {
            let text = || issuer.subject().to_string();
            let constraints = match issuer.extensions().name_constraints() {
                Ok(None) => continue,
                Ok(Some(constraints)) => constraints,
                Err(_) => return refused(format!("the nameConstraints of “{}” cannot be read", text())),
            };
            for (below, certificate) in self.certificates.iter().enumerate().take(place) {
                // A CA that certifies itself is not held to its own limits, unless it is the leaf.
                if below != 0 && certificate.names_as_issuer(certificate) {
                    continue;
                }
                name_constraints::check(&constraints, certificate, comparisons).map_err(|fault| match fault {
                    name_constraints::Fault::NotAllowed(name) => {
                        PathError::Refused(format!("its CA “{}” may not issue for the name “{name}”", text()))
                    }
                    name_constraints::Fault::Unreadable => PathError::Refused(format!(
                        "the names that its CA “{}” may issue for cannot be compared: one is not written as RFC 5280 has it",
                        text()
                    )),
                    name_constraints::Fault::Unsupported => PathError::NotChecked(format!(
                        "its CA “{}” is limited to names of a kind that this program does not compare",
                        text()
                    )),
                    name_constraints::Fault::TooMany => PathError::NotChecked(format!(
                        "its CA “{}” is limited to more names than this program compares",
                        text()
                    )),
                })?;
            }
        }
        Ok(())
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, PathError> {
    Err(PathError::Refused(why.into()))
}

/// Every critical extension is understood and can be read, and none is there twice.
fn check_extensions(certificate: &Certificate) -> Result<(), PathError> {
    let text = || certificate.subject().to_string();
    if certificate.extensions().has_duplicates() {
        return refused(format!("“{}” has an extension twice", text()));
    }
    if let Some(id) = certificate.extensions().unreadable_critical() {
        return refused(format!("“{}” has a critical extension that cannot be read ({})", text(), oid_to_text(id)));
    }
    let is_unknown = |id: &[u8]| !UNDERSTOOD.iter().any(|known| known.as_bytes() == id);
    let unknown = certificate.extensions().iter().find(|extension| extension.is_critical && is_unknown(&extension.id));
    unknown.map_or(Ok(()), |extension| {
        Err(PathError::NotChecked(format!(
            "“{}” has a critical extension that this program does not know ({})",
            text(),
            oid_to_text(&extension.id)
        )))
    })
}

fn check_key(certificate: &Certificate) -> Result<(), PathError> {
    let text = || certificate.subject().to_string();
    match public_key::weakness_of(certificate.subject_public_key_info()) {
        Ok(None) => Ok(()),
        Ok(Some(weakness)) => refused(format!("the public key of “{}” is not safe: {weakness}", text())),
        Err(_) => Err(PathError::NotChecked(format!("the public key of “{}” cannot be read", text()))),
    }
}

/// RFC 5280, section 6.1.4 (k) to (n). `below` is how many CAs count to its path length.
fn check_issuer(
    issuer: &Certificate,
    below: usize,
    is_anchor: bool,
    at: u64,
    purpose: Purpose,
) -> Result<(), PathError> {
    let text = || issuer.subject().to_string();
    let (not_before, not_after) = issuer.validity();
    if at < not_before {
        return refused(format!("the certificate of its CA “{}” is not valid yet", text()));
    }
    if at > not_after {
        return refused(format!("the certificate of its CA “{}” has expired", text()));
    }
    // RFC 5280, section 6.1.4 (k). A trust anchor of a version before 3 has no way to say that it is a CA's; that it is configured says so. Some have
    // the extension all the same: it counts.
    let says_nothing =
        || issuer.has_no_extensions_by_version() && matches!(issuer.extensions().basic_constraints(), Ok(None));
    if !(issuer.is_ca() && (is_anchor || issuer.is_version_3()) || is_anchor && says_nothing()) {
        return refused(format!("“{}”, which has signed, is not a CA by its certificate (basicConstraints)", text()));
    }
    if !issuer.allows_key_usage("keyCertSign") {
        return refused(format!("the key of its CA “{}” may not sign certificates (keyUsage)", text()));
    }
    let path_length = issuer.extensions().basic_constraints().ok().flatten().and_then(|limits| limits.path_length);
    if path_length.is_some_and(|most| below > most as usize) {
        return refused(format!("there are more CAs below “{}” than its path length allows", text()));
    }
    if purpose == Purpose::ClientAuthentication && !issuer.has_purpose_of_client() {
        return refused(format!("its CA “{}” is not for client authentication (extKeyUsage)", text()));
    }
    Ok(())
}

fn check_client(leaf: &Certificate) -> Result<(), PathError> {
    if leaf.is_ca() {
        return refused("it is the certificate of a CA, not of a person or a device");
    }
    if !leaf.allows_key_usage("digitalSignature") {
        return refused("its key is not for signing, which client authentication needs (keyUsage)");
    }
    if !leaf.has_purpose_of_client() {
        return refused("it is not for client authentication (extKeyUsage)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use der::oid::db::rfc5912::{RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION};

    use super::*;
    use crate::element::{
        BIT_STRING, CONTEXT_0, INTEGER, NULL, OCTET_STRING, SEQUENCE, UTC_TIME, element, integer, oid,
    };
    use crate::testing::{self, key_pair, spki_of};

    /// 2027-01-15T08:00:00Z: every vector but the expired one is valid then.
    const AT: u64 = 1_800_000_000;

    /// The certificates with these names in `tests/vectors/certification_path`.
    macro_rules! vectors {
        ($($name:literal),*) => {
            [$(Certificate::from_der(include_bytes!(concat!(
                "../../../tests/vectors/certification_path/", $name, ".der"
            ))).unwrap()),*]
        };
    }

    fn vector<const N: usize>(vectors: [Certificate; N]) -> Certificate {
        vectors[0].clone()
    }

    fn leaf() -> Certificate {
        vector(vectors!["leaf"])
    }

    fn build_now(
        leaf: &Certificate,
        intermediates: &[Certificate],
        trust_anchors: &[Certificate],
    ) -> Result<Vec<Certificate>, PathError> {
        build(leaf, intermediates, trust_anchors, AT, Purpose::ClientAuthentication)
    }

    /// Namesakes of the root, each with another key.
    fn namesakes(count: usize) -> Vec<Certificate> {
        let namesake = vector(vectors!["namesake_root"]);
        let key = namesake.subject_public_key_info();
        let place = key.as_ptr() as usize - namesake.der().as_ptr() as usize + 100;
        let with_key = |number: usize| {
            let mut der = namesake.der().to_vec();
            der[place..place + 2].copy_from_slice(&(number as u16).to_be_bytes());
            Certificate::from_der(&der).unwrap()
        };
        (0..count).map(with_key).collect()
    }

    #[test]
    fn a_maze_of_namesakes_is_not_searched_to_its_end() {
        let issuing = vector(vectors!["issuing"]);
        let behind = |mut anchors: Vec<Certificate>| {
            anchors.extend(vectors!["root"]);
            build(&issuing, &[], &anchors, AT, Purpose::Any)
        };
        assert!(behind(namesakes(MAXIMUM_VERIFICATIONS - 1)).is_ok());
        assert!(obstacle(behind(namesakes(MAXIMUM_VERIFICATIONS))).contains("more signatures"));
        let same = vec![vector(vectors!["namesake_root"]); MAXIMUM_VERIFICATIONS];
        assert!(behind(same).is_ok(), "no signature is verified twice");
    }

    #[test]
    fn cas_that_certify_each_other_end_the_search() {
        let circle = vectors!["cross_a_by_b", "cross_b_by_a"];
        let many: Vec<Certificate> = circle.iter().cycle().take(MAXIMUM_STEPS).cloned().collect();
        let path = build_now(&vector(vectors!["leaf_by_cross_a"]), &many, &vectors!["root"]);
        assert!(obstacle(path).contains("looked through"));
    }

    #[test]
    fn a_path_leads_from_the_leaf_to_the_trust_anchor() {
        let path = build_now(&leaf(), &vectors!["issuing"], &vectors!["root"]);
        assert_eq!(path, Ok(vectors!["leaf", "issuing", "root"].to_vec()));
    }

    #[test]
    fn the_order_and_what_else_is_there_do_not_matter() {
        let path = build_now(
            &leaf(),
            &vectors!["root", "unrelated_root", "below_limited", "issuing_expired", "leaf", "issuing", "issuing"],
            &vectors!["ecdsa_root", "namesake_root", "root", "unrelated_root"],
        );
        assert_eq!(path, Ok(vectors!["leaf", "issuing", "root"].to_vec()));
    }

    #[test]
    fn an_issuing_ca_can_be_the_trust_anchor() {
        assert_eq!(build_now(&leaf(), &[], &vectors!["issuing"]), Ok(vectors!["leaf", "issuing"].to_vec()));
    }

    #[test]
    fn other_roots_are_no_trust_anchors() {
        for trust_anchors in [&[][..], &vectors!["unrelated_root"], &vectors!["namesake_root"]] {
            let path = build_now(&leaf(), &vectors!["issuing", "root"], trust_anchors);
            assert_eq!(path, Err(PathError::NoTrustAnchor));
        }
    }

    #[test]
    fn a_missing_intermediate_ends_the_path() {
        assert_eq!(build_now(&leaf(), &[], &vectors!["root"]), Err(PathError::NoTrustAnchor));
    }

    /// The rule of RFC 5280 that there is no path because of.
    fn rule_broken(path: Result<Vec<Certificate>, PathError>) -> String {
        match path.map(|path| path.len()) {
            Err(PathError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn obstacle(path: Result<Vec<Certificate>, PathError>) -> String {
        match path {
            Err(PathError::NotChecked(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_intermediate_with_one_thing_wrong_ends_the_path() {
        let wrong = vectors![
            "issuing_expired",
            "issuing_not_a_ca",
            "issuing_without_basic_constraints",
            "issuing_without_key_cert_sign"
        ];
        for (wrong, words) in wrong.into_iter().zip(["expired", "basicConstraints", "basicConstraints", "keyUsage"]) {
            assert_eq!(leaf().verify_signed_by(&wrong), Ok(()), "only one thing is wrong");
            let why = rule_broken(build_now(&leaf(), std::slice::from_ref(&wrong), &vectors!["root"]));
            assert!(why.contains(words), "{why}");
            assert_eq!(rule_broken(build_now(&leaf(), &[], &[wrong])), why, "a trust anchor is held to the same");
        }
        let path = build_now(&leaf(), &vectors!["issuing_of_another_name"], &vectors!["root"]);
        assert_eq!(path, Err(PathError::NoTrustAnchor));
    }

    #[test]
    fn a_trust_anchor_of_version_1_is_held_to_what_it_says() {
        let of_version_1 = |certificate: &Certificate| {
            let mut der = certificate.der().to_vec();
            let place = der.windows(5).position(|window| window == [0xA0, 3, 2, 1, 2]).unwrap();
            der[place + 4] = 0;
            Certificate::from_der(&der).unwrap()
        };
        let [silent, denies, ca] =
            vectors!["issuing_without_basic_constraints", "issuing_not_a_ca", "issuing"].map(|one| of_version_1(&one));
        assert!(build_now(&leaf(), &[], &[silent]).is_ok());
        assert!(build_now(&leaf(), &[], std::slice::from_ref(&ca)).is_ok());
        assert!(rule_broken(build_now(&leaf(), &[], &[denies])).contains("basicConstraints"));
        // basicConstraints that cannot be read, and are not critical.
        let mut der = ca.der().to_vec();
        let place = der.windows(4).position(|window| window == [4, 8, 0x30, 6]).unwrap();
        (der[place - 1], der[place + 2]) = (0, 0x31);
        assert!(
            rule_broken(build_now(&leaf(), &[], &[Certificate::from_der(&der).unwrap()])).contains("basicConstraints")
        );
    }

    /// A certificate that is made here, with the one key that all have.
    struct Made<'a> {
        subject: &'a str,
        issuer: &'a str,
        version: u32,
        /// A SubjectPublicKeyInfo, DER.
        key: Vec<u8>,
        /// Each whole: an Extension, DER.
        extensions: Vec<Vec<u8>>,
    }

    impl<'a> Made<'a> {
        fn new(subject: &'a str, issuer: &'a str, extensions: Vec<Vec<u8>>) -> Self {
            Self { subject, issuer, version: 2, key: spki_of(&key_pair()), extensions }
        }

        fn ca(subject: &'a str, issuer: &'a str) -> Self {
            Self::new(subject, issuer, vec![basic_constraints(&[])])
        }

        fn der(&self) -> Vec<u8> {
            self.der_with(&[&element(0xA3, &[&element(SEQUENCE, &[&self.extensions.concat()])])])
        }

        /// With these parts at the end of its TBSCertificate.
        fn der_with(&self, end: &[&[u8]]) -> Vec<u8> {
            let algorithm = element(SEQUENCE, &[&oid(SHA_256_WITH_RSA_ENCRYPTION), NULL]);
            let time = |text: &[u8]| element(UTC_TIME, &[text]);
            let tbs_certificate = element(
                SEQUENCE,
                &[
                    &element(CONTEXT_0, &[&integer(self.version)]),
                    &integer(1),
                    &algorithm,
                    &testing::name(self.issuer),
                    &element(SEQUENCE, &[&time(b"260101000000Z"), &time(b"360101000000Z")]),
                    &testing::name(self.subject),
                    &self.key,
                    &end.concat(),
                ],
            );
            let signature = key_pair().sign(&tbs_certificate, &mut rand::rng()).unwrap();
            element(SEQUENCE, &[&tbs_certificate, &algorithm, &element(BIT_STRING, &[&[0], &signature])])
        }

        fn certificate(&self) -> Certificate {
            Certificate::from_der(&self.der()).unwrap()
        }
    }

    fn extension(id: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
        element(SEQUENCE, &[&oid(id), &[1, 1, 0xFF], &element(OCTET_STRING, &[value])])
    }

    /// Those of a CA, with these contents of its pathLenConstraint.
    fn basic_constraints(path_length: &[u8]) -> Vec<u8> {
        let length = if path_length.is_empty() { Vec::new() } else { element(INTEGER, &[path_length]) };
        extension(ID_CE_BASIC_CONSTRAINTS, &element(SEQUENCE, &[&[1, 1, 0xFF], &length]))
    }

    /// The path of a leaf through a CA to a root, all made here.
    fn path_of(leaf: &Made<'_>, issuing: &Made<'_>) -> Result<Vec<Certificate>, PathError> {
        let root = Made::ca("CN=Root", "CN=Root").certificate();
        build_now(&leaf.certificate(), &[issuing.certificate()], &[root])
    }

    #[test]
    fn extensions_in_two_places_are_no_certificate() {
        let made = Made::new("CN=Leaf", "CN=CA", vec![]);
        let block = element(0xA3, &[&element(SEQUENCE, &[&basic_constraints(&[])])]);
        assert!(Certificate::from_der(&made.der_with(&[&block])).is_ok());
        assert!(Certificate::from_der(&made.der_with(&[&block, &block])).is_err());
    }

    #[test]
    fn below_the_trust_anchor_a_ca_of_an_older_version_is_none() {
        let leaf = Made::new("CN=Leaf", "CN=CA", vec![]);
        assert!(path_of(&leaf, &Made::ca("CN=CA", "CN=Root")).is_ok());
        for version in [0, 1] {
            let says_so = Made { version, ..Made::ca("CN=CA", "CN=Root") };
            let silent = Made { version, ..Made::new("CN=CA", "CN=Root", vec![]) };
            for ca in [says_so, silent] {
                assert!(rule_broken(path_of(&leaf, &ca)).contains("basicConstraints"), "version {}", version + 1);
            }
        }
    }

    #[test]
    fn of_every_critical_extension_the_value_must_be_readable() {
        let issuing = Made::ca("CN=CA", "CN=Root");
        let mailbox = element(SEQUENCE, &[&element(0x81, &[b"ada@example.com"])]);
        for (id, good) in [
            (ID_CE_SUBJECT_ALT_NAME, &mailbox),
            (ID_CE_AUTHORITY_KEY_IDENTIFIER, &element(SEQUENCE, &[&element(0x80, &[&[1; 20]])])),
        ] {
            let path = |value: &[u8]| path_of(&Made::new("CN=Leaf", "CN=CA", vec![extension(id, value)]), &issuing);
            assert!(path(good).is_ok(), "{id}");
            let why = rule_broken(path(&element(OCTET_STRING, &[good])));
            assert!(why.contains("critical extension that cannot be read"), "{why}");
        }
    }

    #[test]
    fn a_path_length_may_be_any_number() {
        let leaf = Made::new("CN=Leaf", "CN=CA", vec![]);
        let issuing = |length: &[u8]| Made::new("CN=CA", "CN=Root", vec![basic_constraints(length)]);
        assert!(path_of(&leaf, &issuing(&[0])).is_ok());
        // 2^32 and 2^64, which are 0 in fewer bits.
        for length in [&[1, 0, 0, 0, 0][..], &[1, 0, 0, 0, 0, 0, 0, 0, 0]] {
            let middle = Made::ca("CN=CA", "CN=Middle").certificate();
            let limited = Made::new("CN=Middle", "CN=Root", vec![basic_constraints(length)]).certificate();
            let root = Made::ca("CN=Root", "CN=Root").certificate();
            assert!(build_now(&leaf.certificate(), &[middle, limited], &[root]).is_ok(), "{length:?}");
        }
        let negative = issuing(&[0xFF]);
        assert!(matches!(path_of(&leaf, &negative), Err(PathError::Refused(_))));
    }

    /// A CA that may issue for one host and for mailboxes at it, with these subtrees `count` times.
    fn limited_ca(count: usize) -> Made<'static> {
        let subtrees = [
            element(SEQUENCE, &[&element(0x82, &[b"example.com"])]),
            element(SEQUENCE, &[&element(0x81, &[b"example.com"])]),
        ];
        let permitted = element(CONTEXT_0, &[&subtrees.concat().repeat(count)]);
        let constraints = extension(ID_CE_NAME_CONSTRAINTS, &element(SEQUENCE, &[&permitted]));
        Made::new("CN=CA", "CN=Root", vec![basic_constraints(&[]), constraints])
    }

    #[test]
    fn mailboxes_beyond_ascii_are_not_compared() {
        let leaf = |name: Vec<u8>| {
            Made::new("CN=Leaf", "CN=CA", vec![extension(ID_CE_SUBJECT_ALT_NAME, &element(SEQUENCE, &[&name]))])
        };
        // SmtpUTF8Mailbox (RFC 9598).
        let id = oid(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9"));
        let address = element(0xA0, &[&id, &element(0xA0, &[&element(0x0C, &["zoë@elsewhere.example".as_bytes()])])]);
        assert!(obstacle(path_of(&leaf(address), &limited_ca(1))).contains("does not compare"));
        assert!(path_of(&leaf(element(0x81, &[b"zoe@example.com"])), &limited_ca(1)).is_ok());
        let elsewhere = leaf(element(0x81, &[b"zoe@elsewhere.example"]));
        assert!(rule_broken(path_of(&elsewhere, &limited_ca(1))).contains("may not issue"));
    }

    #[test]
    fn names_are_compared_up_to_a_number() {
        let host = element(0x82, &[b"host.example.com"]);
        let leaf = |count| {
            let names = element(SEQUENCE, &[&host.repeat(count)]);
            Made::new("CN=Leaf", "CN=CA", vec![extension(ID_CE_SUBJECT_ALT_NAME, &names)])
        };
        assert!(path_of(&leaf(1000), &limited_ca(50)).is_ok());
        assert!(obstacle(path_of(&leaf(1000), &limited_ca(500))).contains("more names"));
    }

    #[test]
    fn all_paths_of_one_search_have_one_limit() {
        let circle = vectors!["cross_a_by_b", "cross_b_by_a"];
        let many: Vec<Certificate> = circle.iter().cycle().take(MAXIMUM_STEPS).cloned().collect();
        let (leaf, anchors) = (vector(vectors!["leaf_by_cross_a"]), vectors!["root"]);
        let mut search = Search::new(&many);
        let mut build = |leaf, anchors: &[Certificate]| search.build(leaf, anchors, AT, Purpose::Any);
        for _ in 0..MAXIMUM_STEPS_OF_SEARCH.div_ceil(MAXIMUM_STEPS) {
            assert!(obstacle(build(&leaf, &anchors)).contains("looked through"));
        }
        let issuing = vector(vectors!["issuing"]);
        assert!(obstacle(build(&issuing, &anchors)).contains("looked through"), "nothing is left");
        assert!(Search::new(&many).build(&issuing, &anchors, AT, Purpose::Any).is_ok());
    }

    #[test]
    fn a_weak_key_at_the_end_of_a_path_is_refused_by_name() {
        let issuing = Made::ca("CN=CA", "CN=Root");
        let algorithm = element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL]);
        let with_key = |octets: usize, exponent: &[u8]| {
            let modulus = [&[0, 0x80][..], &vec![1; octets - 1]].concat();
            let key = element(SEQUENCE, &[&element(INTEGER, &[&modulus]), &element(INTEGER, &[exponent])]);
            let key = element(SEQUENCE, &[&algorithm, &element(BIT_STRING, &[&[0], &key])]);
            path_of(&Made { key, ..Made::new("CN=Leaf", "CN=CA", vec![]) }, &issuing)
        };
        assert!(with_key(256, &[1, 0, 1]).is_ok());
        let why = rule_broken(with_key(128, &[1, 0, 1]));
        assert_eq!(
            why,
            "the public key of “CN=Leaf” is not safe: it is an RSA key of 1024 bits, and less than 2048 are not safe"
        );
        assert!(rule_broken(with_key(256, &[1])).contains("protects nothing"));
        let garbage = element(SEQUENCE, &[&algorithm, &element(BIT_STRING, &[&[0, 5, 0]])]);
        let leaf = Made { key: garbage, ..Made::new("CN=Leaf", "CN=CA", vec![]) };
        assert!(obstacle(path_of(&leaf, &issuing)).contains("cannot be read"));
    }

    #[test]
    fn of_an_unknown_critical_extension_nothing_is_known() {
        let issuing = vectors!["issuing_with_unknown_critical_extension"];
        assert!(obstacle(build_now(&leaf(), &issuing, &vectors!["root"])).contains("critical extension"));
        let leaf = vector(vectors!["leaf_with_unknown_critical_extension"]);
        assert!(obstacle(build_now(&leaf, &vectors!["issuing"], &vectors!["root"])).contains("critical extension"));
    }

    #[test]
    fn a_critical_extension_that_cannot_be_read_ends_the_path() {
        let mut der = leaf().der().to_vec();
        // keyUsage as an OCTET STRING.
        let place = der.windows(4).position(|window| window == [3, 2, 7, 0x80]).unwrap();
        der[place] = 4;
        let path = check_extensions(&Certificate::from_der(&der).unwrap()).map(|()| Vec::new());
        assert!(rule_broken(path).contains("critical extension that cannot be read (2.5.29.15)"));
        assert_eq!(check_extensions(&leaf()), Ok(()));
    }

    #[test]
    fn a_path_length_is_kept() {
        let leaf = vector(vectors!["leaf_below_limited"]);
        let intermediates = vectors!["below_limited", "limited"];
        assert!(rule_broken(build_now(&leaf, &intermediates, &vectors!["root"])).contains("path length"));
        assert!(build_now(&leaf, &[], &vectors!["below_limited"]).is_ok());
    }

    #[test]
    fn a_client_is_no_ca_and_for_signing() {
        let path = |purpose| build(&vector(vectors!["issuing"]), &[], &vectors!["root"], AT, purpose);
        assert!(rule_broken(path(Purpose::ClientAuthentication)).contains("of a CA"));
        assert!(path(Purpose::Any).is_ok());
    }

    #[test]
    fn a_tampered_certificate_ends_the_path() {
        for (place, of) in [(0, leaf()), (1, vector(vectors!["issuing"]))] {
            let mut der = of.der().to_vec();
            *der.last_mut().unwrap() ^= 1;
            let tampered = Certificate::from_der(&der).unwrap();
            let mut chain = vectors!["leaf", "issuing"];
            chain[place] = tampered;
            assert_eq!(
                build_now(&chain[0], &chain[1..], &vectors!["root"]),
                Err(PathError::NoTrustAnchor),
                "{}",
                of.subject()
            );
        }
    }

    #[test]
    fn a_circle_ends_and_the_way_out_is_found() {
        let leaf = vector(vectors!["leaf_by_cross_a"]);
        let circle = vectors!["cross_a_by_b", "cross_b_by_a"];
        assert_eq!(build_now(&leaf, &circle, &vectors!["root"]), Err(PathError::NoTrustAnchor));
        let way_out = vectors!["cross_a_by_b", "cross_b_by_a", "cross_a_by_root"];
        let path = build_now(&leaf, &way_out, &vectors!["root"]);
        assert_eq!(path, Ok(vectors!["leaf_by_cross_a", "cross_a_by_root", "root"].to_vec()));
    }

    #[test]
    fn a_self_signed_leaf_is_its_own_ca_to_nobody() {
        let leaf = vector(vectors!["self_signed_leaf"]);
        let path =
            |trust_anchors: &[Certificate]| build_now(&leaf, &vectors!["self_signed_leaf", "issuing"], trust_anchors);
        assert_eq!(path(&vectors!["root"]), Err(PathError::NoTrustAnchor));
        assert!(rule_broken(path(&vectors!["self_signed_leaf"])).contains("basicConstraints"));
    }

    #[test]
    fn an_issuer_on_an_elliptic_curve_is_an_issuer() {
        let leaf = vector(vectors!["leaf_by_ecdsa"]);
        assert_eq!(build_now(&leaf, &[], &vectors!["ecdsa_root"]).map(|path| path.len()), Ok(2));
        assert_eq!(build_now(&leaf, &[], &vectors!["root"]), Err(PathError::NoTrustAnchor));
    }

    #[test]
    fn the_dates_of_the_leaf_are_kept_to_the_second() {
        let (not_before, not_after) = leaf().validity();
        let build = |at| build(&leaf(), &vectors!["issuing"], &vectors!["root"], at, Purpose::Any);
        assert_eq!(build(not_before - 1), Err(PathError::NotYetValid(not_before)));
        assert!(build(not_before).is_ok());
        assert!(build(not_after).is_ok());
        assert_eq!(build(not_after + 1), Err(PathError::Expired(not_after)));
    }
}
