//! Certification paths (RFC 5280, section 6): from a certificate to a trust anchor.
//!
//! What is checked for every certificate on the path: signature, name chaining, validity dates, and for issuers
//! basicConstraints with its path length and keyUsage. A critical extension that is not understood ends the path. Revocation and policies are
//! the relying party's matter, not the collector's.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{
    ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
};
use serde::{Deserialize, Serialize};

use super::certificate::Certificate;

/// The longest path: leaf, intermediates and trust anchor.
const MAXIMUM_LENGTH: usize = 8;

/// How many signatures are verified at most for one path: many CAs that certify each other under one name make a maze.
const MAXIMUM_VERIFICATIONS: usize = 200;

/// The extensions that may be critical on a path.
const UNDERSTOOD: [ObjectIdentifier; 5] =
    [ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME];

/// Why there is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
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
}

/// Builds a path at the time `at` (seconds since 1970-01-01T00:00:00Z).
///
/// Returns it leaf first, trust anchor last. `intermediates` may be in any order and hold others too.
pub fn build(
    leaf: &Certificate,
    intermediates: &[Certificate],
    trust_anchors: &[Certificate],
    at: u64,
) -> Result<Vec<Certificate>, PathError> {
    let (not_before, not_after) = leaf.validity();
    if at < not_before {
        return Err(PathError::NotYetValid(not_before));
    }
    if at > not_after {
        return Err(PathError::Expired(not_after));
    }
    let mut path = vec![leaf];
    let mut verifications = MAXIMUM_VERIFICATIONS;
    if understood(leaf) && extend(&mut path, intermediates, trust_anchors, at, &mut verifications) {
        Ok(path.into_iter().cloned().collect())
    } else {
        Err(PathError::NoTrustAnchor)
    }
}

/// Extends `path` to a trust anchor, depth first; leaves it as it was where there is no way.
fn extend<'a>(
    path: &mut Vec<&'a Certificate>,
    intermediates: &'a [Certificate],
    trust_anchors: &'a [Certificate],
    at: u64,
    verifications: &mut usize,
) -> bool {
    let Some(&last) = path.last() else {
        return false;
    };
    let below = path.len() - 1;
    let issues_last = |candidate: &Certificate, verifications: &mut usize| {
        let (not_before, not_after) = candidate.validity();
        last.names_as_issuer(candidate)
            && (not_before..=not_after).contains(&at)
            && candidate.may_issue(below)
            && understood(candidate)
            && spend(verifications)
            && last.verify_signed_by(candidate).is_ok()
    };
    if let Some(anchor) = trust_anchors.iter().find(|anchor| issues_last(anchor, verifications)) {
        path.push(anchor);
        return true;
    }
    if path.len() + 1 >= MAXIMUM_LENGTH {
        return false;
    }
    for candidate in intermediates {
        // RFC 4158, section 2.4.2: a name with the same key twice is a loop.
        let is_loop = path.iter().any(|certificate| certificate.has_name_and_key_of(candidate));
        if !is_loop && issues_last(candidate, verifications) {
            path.push(candidate);
            if extend(path, intermediates, trust_anchors, at, verifications) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// Takes one off, if any is left.
fn spend(verifications: &mut usize) -> bool {
    let left = verifications.checked_sub(1);
    *verifications = left.unwrap_or_default();
    left.is_some()
}

/// Whether every critical extension is understood.
fn understood(certificate: &Certificate) -> bool {
    certificate
        .parsed()
        .tbs_certificate()
        .extensions()
        .into_iter()
        .flatten()
        .all(|extension| !extension.critical || UNDERSTOOD.contains(&extension.extn_id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use super::*;

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
        build(leaf, intermediates, trust_anchors, AT)
    }

    #[test]
    fn a_maze_of_namesakes_is_not_searched_to_its_end() {
        let issuing = vector(vectors!["issuing"]);
        let behind = |namesakes: usize| {
            let mut anchors = vec![vector(vectors!["namesake_root"]); namesakes];
            anchors.extend(vectors!["root"]);
            build_now(&issuing, &[], &anchors)
        };
        assert!(behind(MAXIMUM_VERIFICATIONS - 1).is_ok());
        assert_eq!(behind(MAXIMUM_VERIFICATIONS), Err(PathError::NoTrustAnchor));
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

    #[test]
    fn an_intermediate_with_one_thing_wrong_ends_the_path() {
        for wrong in vectors![
            "issuing_expired",
            "issuing_of_another_name",
            "issuing_not_a_ca",
            "issuing_without_basic_constraints",
            "issuing_without_key_cert_sign",
            "issuing_with_unknown_critical_extension"
        ] {
            let subject = wrong.subject().to_string();
            assert_eq!(leaf().verify_signed_by(&wrong), Ok(()), "only one thing is wrong with {subject}");
            let path = build_now(&leaf(), std::slice::from_ref(&wrong), &vectors!["root"]);
            assert_eq!(path, Err(PathError::NoTrustAnchor), "{:?}", wrong.parsed().tbs_certificate().extensions());
            let path = build_now(&leaf(), &[], &[wrong]);
            assert_eq!(path, Err(PathError::NoTrustAnchor), "a trust anchor is held to the same");
        }
    }

    #[test]
    fn an_unknown_critical_extension_of_the_leaf_ends_the_path() {
        let leaf = vector(vectors!["leaf_with_unknown_critical_extension"]);
        assert_eq!(build_now(&leaf, &vectors!["issuing"], &vectors!["root"]), Err(PathError::NoTrustAnchor));
    }

    #[test]
    fn a_path_length_is_kept() {
        let leaf = vector(vectors!["leaf_below_limited"]);
        let intermediates = vectors!["below_limited", "limited"];
        assert_eq!(build_now(&leaf, &intermediates, &vectors!["root"]), Err(PathError::NoTrustAnchor));
        assert!(build_now(&leaf, &[], &vectors!["below_limited"]).is_ok());
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
        for trust_anchors in [&vectors!["root"], &vectors!["self_signed_leaf"]] {
            let path = build_now(&leaf, &vectors!["self_signed_leaf", "issuing"], trust_anchors);
            assert_eq!(path, Err(PathError::NoTrustAnchor));
        }
    }

    #[test]
    fn an_issuer_with_an_unsupported_algorithm_ends_the_path() {
        let leaf = vector(vectors!["leaf_by_ecdsa"]);
        assert_eq!(build_now(&leaf, &[], &vectors!["ecdsa_root"]), Err(PathError::NoTrustAnchor));
    }

    #[test]
    fn the_dates_of_the_leaf_are_kept_to_the_second() {
        let (not_before, not_after) = leaf().validity();
        let build = |at| build(&leaf(), &vectors!["issuing"], &vectors!["root"], at);
        assert_eq!(build(not_before - 1), Err(PathError::NotYetValid(not_before)));
        assert!(build(not_before).is_ok());
        assert!(build(not_after).is_ok());
        assert_eq!(build(not_after + 1), Err(PathError::Expired(not_after)));
    }
}
