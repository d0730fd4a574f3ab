//! The valid_policy_tree of RFC 5280, sections 6.1.2 to 6.1.5, step by step, where any policy is good enough.
//!
//! Keyside keeps only the lowest level of it, as sets. OpenSSL needs the policies of its user for it, which its safe interface cannot set.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{
    ANY_POLICY, ID_CE_CERTIFICATE_POLICIES, ID_CE_INHIBIT_ANY_POLICY, ID_CE_POLICY_CONSTRAINTS, ID_CE_POLICY_MAPPINGS,
};
use keyside_pki::certificate::Certificate;
use keyside_pki::element::{Elements, OBJECT_IDENTIFIER, SEQUENCE, count_of};

/// The most nodes of a tree that is built: it can grow with the power of its depth.
const MAXIMUM_NODES: usize = 2_000;

/// The contents of an object identifier.
type Policy = Vec<u8>;

struct Node {
    valid_policy: Policy,
    expected_policies: Vec<Policy>,
    /// The place of its parent in the level above.
    parent: usize,
}

fn value(certificate: &Certificate, id: ObjectIdentifier) -> Option<&[u8]> {
    certificate.extensions().get(id)
}

fn policies(certificate: &Certificate) -> der::Result<Option<Vec<Policy>>> {
    let Some(value) = value(certificate, ID_CE_CERTIFICATE_POLICIES) else { return Ok(None) };
    let policy = |element: der::Result<keyside_pki::element::Element<'_>>| {
        Ok(Elements::within(SEQUENCE, element?.whole)?.next(OBJECT_IDENTIFIER)?.to_vec())
    };
    Elements::within(SEQUENCE, value)?.map(policy).collect::<der::Result<_>>().map(Some)
}

fn mappings(certificate: &Certificate) -> der::Result<Vec<(Policy, Policy)>> {
    let Some(value) = value(certificate, ID_CE_POLICY_MAPPINGS) else { return Ok(Vec::new()) };
    let mapping = |element: der::Result<keyside_pki::element::Element<'_>>| {
        let mut pair = Elements::within(SEQUENCE, element?.whole)?;
        Ok((pair.next(OBJECT_IDENTIFIER)?.to_vec(), pair.next(OBJECT_IDENTIFIER)?.to_vec()))
    };
    Elements::within(SEQUENCE, value)?.map(mapping).collect()
}

/// requireExplicitPolicy and inhibitPolicyMapping.
fn constraints(certificate: &Certificate) -> der::Result<[Option<u32>; 2]> {
    let mut found = [None; 2];
    if let Some(value) = value(certificate, ID_CE_POLICY_CONSTRAINTS) {
        for element in Elements::within(SEQUENCE, value)? {
            let element = element?;
            if let Some(place) = element.tag.checked_sub(0x80).filter(|place| *place < 2) {
                found[usize::from(place)] = Some(count_of(element.contents)?);
            }
        }
    }
    Ok(found)
}

/// The lowest level of the tree after section 6.1.3 (d), and the levels above it without the nodes that have no children.
fn grow(tree: &mut Vec<Vec<Node>>, policies: &[Policy], takes_any: bool) {
    let any = ANY_POLICY.as_bytes();
    let above = tree.last().map(Vec::as_slice).unwrap_or_default();
    let mut level: Vec<Node> = Vec::new();
    let node = |policy: &Policy, parent| Node {
        valid_policy: policy.clone(),
        expected_policies: vec![policy.clone()],
        parent,
    };
    for policy in policies.iter().filter(|policy| *policy != any) {
        let expecting = above.iter().enumerate().filter(|(_, node)| node.expected_policies.contains(policy));
        let mut children: Vec<_> = expecting.map(|(parent, _)| node(policy, parent)).collect();
        if children.is_empty() {
            children.extend(above.iter().position(|node| node.valid_policy == any).map(|parent| node(policy, parent)));
        }
        level.extend(children);
    }
    if takes_any && policies.iter().any(|policy| policy == any) {
        for (parent, one) in above.iter().enumerate() {
            for policy in &one.expected_policies {
                if !level.iter().any(|child| child.parent == parent && child.valid_policy == *policy) {
                    level.push(node(policy, parent));
                }
            }
        }
    }
    tree.push(level);
    prune(tree);
}

/// Removes the nodes above the lowest level that have no children.
fn prune(tree: &mut [Vec<Node>]) {
    for depth in (1..tree.len()).rev() {
        let (above, below) = tree.split_at_mut(depth);
        let (above, below) = (&mut above[depth - 1], &mut below[0]);
        let has_children = |place: &usize| below.iter().any(|child| child.parent == *place);
        let kept: Vec<usize> = (0..above.len()).filter(has_children).collect();
        for child in below.iter_mut() {
            child.parent = kept.iter().position(|place| *place == child.parent).unwrap_or_default();
        }
        let mut place = 0;
        above.retain(|_| {
            place += 1;
            kept.contains(&(place - 1))
        });
    }
}

/// Section 6.1.4 (b).
fn map(tree: &mut [Vec<Node>], mappings: &[(Policy, Policy)], is_allowed: bool) {
    let any = ANY_POLICY.as_bytes();
    for (from, _) in mappings {
        let to: Vec<Policy> = mappings.iter().filter(|(other, _)| other == from).map(|(_, to)| to.clone()).collect();
        let [.., above, level] = &mut *tree else { return };
        if !is_allowed {
            level.retain(|node| node.valid_policy != *from);
            prune(tree);
        } else if level.iter().any(|node| node.valid_policy == *from) {
            for node in level.iter_mut().filter(|node| node.valid_policy == *from) {
                node.expected_policies.clone_from(&to);
            }
        } else if level.iter().any(|node| node.valid_policy == any)
            && let Some(parent) = above.iter().position(|node| node.valid_policy == any)
        {
            level.push(Node { valid_policy: from.clone(), expected_policies: to, parent });
        }
    }
}

/// True if the policies of a path are in order. `path` goes from the certificate below the trust anchor to the leaf. None if the tree is too large.
///
/// # Errors
/// An extension cannot be read.
pub fn is_valid(path: &[&Certificate]) -> der::Result<Option<bool>> {
    let any = ANY_POLICY.as_bytes().to_vec();
    let mut tree = vec![vec![Node { valid_policy: any.clone(), expected_policies: vec![any.clone()], parent: 0 }]];
    let [mut explicit_policy, mut policy_mapping, mut inhibit_any_policy] = [path.len() as u32 + 1; 3];
    for (place, certificate) in path.iter().enumerate() {
        let is_last = place + 1 == path.len();
        let is_self_issued = certificate.names_as_issuer(certificate);
        match policies(certificate)? {
            Some(policies) => grow(&mut tree, &policies, inhibit_any_policy > 0 || !is_last && is_self_issued),
            None => tree.push(Vec::new()),
        }
        if tree.iter().map(Vec::len).sum::<usize>() > MAXIMUM_NODES {
            return Ok(None);
        }
        let is_null = |tree: &[Vec<Node>]| tree.last().is_none_or(Vec::is_empty);
        if explicit_policy == 0 && is_null(&tree) {
            return Ok(Some(false));
        }
        let [require_explicit_policy, inhibit_policy_mapping] = constraints(certificate)?;
        if is_last {
            explicit_policy = explicit_policy.saturating_sub(1);
            if require_explicit_policy == Some(0) {
                explicit_policy = 0;
            }
            return Ok(Some(explicit_policy > 0 || !is_null(&tree)));
        }
        let mappings = mappings(certificate)?;
        if mappings.iter().any(|(from, to)| *from == any || *to == any) {
            return Ok(Some(false));
        }
        map(&mut tree, &mappings, policy_mapping > 0);
        if !is_self_issued {
            explicit_policy = explicit_policy.saturating_sub(1);
            policy_mapping = policy_mapping.saturating_sub(1);
            inhibit_any_policy = inhibit_any_policy.saturating_sub(1);
        }
        explicit_policy = explicit_policy.min(require_explicit_policy.unwrap_or(u32::MAX));
        policy_mapping = policy_mapping.min(inhibit_policy_mapping.unwrap_or(u32::MAX));
        if let Some(value) = value(certificate, ID_CE_INHIBIT_ANY_POLICY) {
            inhibit_any_policy = inhibit_any_policy.min(Elements::of(value).next_count()?);
        }
    }
    Ok(Some(true))
}
