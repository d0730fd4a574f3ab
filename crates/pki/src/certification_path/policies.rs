//! Certificate policies along a path (RFC 5280, sections 6.1.2 to 6.1.5), where any policy is good enough.
//!
//! Of the tree that the RFC builds, only the lowest level decides whether there is one: it is kept as a set of policies, each with those that
//! the next certificate may have for it. A tree can grow with the power of its depth, this cannot (RFC 9618, section 3).

use std::collections::{BTreeMap, BTreeSet};

use der::oid::db::rfc5280::ANY_POLICY;

use crate::certificate::Certificate;

/// The contents of an object identifier.
type Policy<'a> = &'a [u8];

/// The policies that are valid for the path so far, each with its expected_policy_set.
type Level<'a> = BTreeMap<Policy<'a>, BTreeSet<Policy<'a>>>;

/// True if the policies of a path are in order. `path` goes from the certificate below the trust anchor to the leaf.
///
/// # Errors
/// An extension cannot be read.
pub(super) fn are_valid(path: &[&Certificate]) -> der::Result<bool> {
    let any: Policy<'_> = ANY_POLICY.as_bytes();
    let mut level: Level<'_> = [(any, [any].into())].into();
    // After so many further certificates the thing begins to hold.
    let [mut explicit_policy, mut policy_mapping, mut inhibit_any_policy] = [path.len() as u32 + 1; 3];
    for (place, certificate) in path.iter().enumerate() {
        let is_last = place + 1 == path.len();
        let is_self_issued = certificate.names_as_issuer(certificate);
        let takes_any = inhibit_any_policy > 0 || (!is_last && is_self_issued);
        level = match certificate.extensions().certificate_policies()? {
            Some(policies) => next_level(&level, &policies, takes_any),
            None => Level::new(),
        };
        if explicit_policy == 0 && level.is_empty() {
            return Ok(false);
        }
        let constraints = certificate.extensions().policy_constraints()?;
        if is_last {
            let is_required = explicit_policy <= 1 || constraints.require_explicit_policy == Some(0);
            return Ok(!is_required || !level.is_empty());
        }
        let mappings = certificate.extensions().policy_mappings()?;
        if mappings.iter().any(|(from, to)| *from == any || *to == any) {
            return Ok(false);
        }
        map(&mut level, &mappings, policy_mapping > 0);
        if !is_self_issued {
            for count in [&mut explicit_policy, &mut policy_mapping, &mut inhibit_any_policy] {
                *count = count.saturating_sub(1);
            }
        }
        for (count, limit) in [
            (&mut explicit_policy, constraints.require_explicit_policy),
            (&mut policy_mapping, constraints.inhibit_policy_mapping),
            (&mut inhibit_any_policy, certificate.extensions().inhibit_any_policy()?),
        ] {
            *count = limit.map_or(*count, |limit| limit.min(*count));
        }
    }
    Ok(true)
}

/// RFC 5280, section 6.1.3 (d).
fn next_level<'a>(level: &Level<'a>, policies: &[Policy<'a>], takes_any: bool) -> Level<'a> {
    let any: Policy<'_> = ANY_POLICY.as_bytes();
    let expected: BTreeSet<Policy<'a>> = level.values().flatten().copied().collect();
    let is_any_valid = level.contains_key(any);
    let mut next: Level<'a> = policies
        .iter()
        .filter(|policy| **policy != any && (expected.contains(*policy) || is_any_valid))
        .map(|policy| (*policy, [*policy].into()))
        .collect();
    if takes_any && policies.contains(&any) {
        for policy in expected {
            next.entry(policy).or_insert_with(|| [policy].into());
        }
    }
    next
}

/// RFC 5280, section 6.1.4 (b).
fn map<'a>(level: &mut Level<'a>, mappings: &[(Policy<'a>, Policy<'a>)], is_allowed: bool) {
    let mut mapped: Level<'a> = Level::new();
    for (from, to) in mappings {
        mapped.entry(from).or_default().insert(to);
    }
    let is_any_valid = level.contains_key(ANY_POLICY.as_bytes());
    for (from, to) in mapped {
        if !is_allowed {
            level.remove(from);
        } else if is_any_valid || level.contains_key(from) {
            level.insert(from, to);
        }
    }
}
