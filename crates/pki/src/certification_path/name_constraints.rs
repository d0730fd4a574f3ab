//! Name constraints (RFC 5280, section 4.2.1.10): the subtrees that a CA is limited to, and the names of the certificates below it.

use core::net::Ipv4Addr;

use der::oid::db::rfc3280::EMAIL_ADDRESS;

use crate::certificate::Certificate;
use crate::extensions::NameConstraints;
use crate::general_name::GeneralName;
use crate::name;

/// The most comparisons of a name with a subtree that are made for one certificate.
const MAXIMUM_COMPARISONS: usize = 50_000;

/// A reason for which names do not pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This name is excluded, or not among those that are permitted.
    NotAllowed(String),
    /// A name or a subtree cannot be read.
    Unreadable,
    /// There is a constraint on names of a kind that is not compared here.
    Unsupported,
    /// There are more names and subtrees than are compared.
    TooMany,
}

/// Checks all names of `certificate`.
pub(super) fn check(constraints: &NameConstraints, certificate: &Certificate) -> Result<(), Fault> {
    let names = names_of(certificate)?;
    let subtrees = constraints.permitted.len() + constraints.excluded.len();
    if names.len().saturating_mul(subtrees) > MAXIMUM_COMPARISONS {
        return Err(Fault::TooMany);
    }
    for name in &names {
        let of_kind = |subtrees: &'_ [GeneralName]| -> Vec<GeneralName> {
            subtrees.iter().filter(|subtree| is_same_kind(name, subtree)).cloned().collect()
        };
        let (permitted, excluded) = (of_kind(&constraints.permitted), of_kind(&constraints.excluded));
        let not_allowed = || Fault::NotAllowed(name.to_text());
        for subtree in &excluded {
            if is_within(name, subtree, true)? {
                return Err(not_allowed());
            }
        }
        let mut is_permitted = permitted.is_empty();
        for subtree in &permitted {
            is_permitted |= is_within(name, subtree, false)?;
        }
        if !is_permitted {
            return Err(not_allowed());
        }
    }
    Ok(())
}

/// The subject, and the names in the subjectAltName. Where no e-mail address is among them, those in the subject count.
fn names_of(certificate: &Certificate) -> Result<Vec<GeneralName>, Fault> {
    let names = certificate.extensions().subject_alt_names().map_err(|_| Fault::Unreadable)?.unwrap_or_default();
    let mut names = names.into_iter().collect::<Option<Vec<_>>>().ok_or(Fault::Unreadable)?;
    let subject = certificate.subject();
    if !names.iter().any(|name| matches!(name, GeneralName::Rfc822(_))) {
        let addresses = subject.iter().filter(|attribute| attribute.oid == EMAIL_ADDRESS);
        names.extend(addresses.map(|address| GeneralName::Rfc822(address.value.value().to_vec())));
    }
    if subject.iter().next().is_some() {
        names.push(GeneralName::Directory(Box::new(subject.clone())));
    }
    Ok(names)
}

fn is_same_kind(one: &GeneralName, other: &GeneralName) -> bool {
    core::mem::discriminant(one) == core::mem::discriminant(other)
}

/// True if a name is in a subtree of its kind. A host name with a wildcard is in one that is excluded if any name that it stands for is.
fn is_within(name: &GeneralName, subtree: &GeneralName, is_excluded: bool) -> Result<bool, Fault> {
    match (name, subtree) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Ok(name::is_within(name, base)),
        (GeneralName::Rfc822(address), GeneralName::Rfc822(base)) => is_address_within(text(address)?, text(base)?),
        (GeneralName::Dns(host), GeneralName::Dns(base)) => {
            let (host, base) = (text(host)?, text(base)?);
            let stands_for_base = host.strip_prefix("*.").is_some_and(|parent| is_host_below(base, parent));
            Ok(is_host_within(host, base) || (is_excluded && stands_for_base))
        }
        (GeneralName::Uri(uri), GeneralName::Uri(base)) => {
            let (host, base) = (host_of(text(uri)?).ok_or(Fault::Unreadable)?, text(base)?);
            Ok(if base.starts_with('.') { is_host_below(host, base) } else { host.eq_ignore_ascii_case(base) })
        }
        (GeneralName::Ip(address), GeneralName::Ip(base)) => is_ip_within(address, base),
        _ => Err(Fault::Unsupported),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    core::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).ok_or(Fault::Unreadable)
}

/// A mailbox, all mailboxes at a host, or, after a dot, all mailboxes in a domain.
fn is_address_within(address: &str, base: &str) -> Result<bool, Fault> {
    let (local, host) = address.rsplit_once('@').filter(|(local, _)| !local.contains('@')).ok_or(Fault::Unreadable)?;
    Ok(match base.rsplit_once('@') {
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None if base.starts_with('.') => is_host_below(host, base),
        None => host.eq_ignore_ascii_case(base) || base.is_empty(),
    })
}

/// A host, and all names made by putting labels before it. After a dot, which some CAs write, only the latter.
fn is_host_within(host: &str, base: &str) -> bool {
    base.is_empty() || host.eq_ignore_ascii_case(base) || is_host_below(host, base)
}

/// True if `host` is `base` with labels before it.
fn is_host_below(host: &str, base: &str) -> bool {
    let base = base.strip_prefix('.').unwrap_or(base);
    let Some((labels, end)) = host.len().checked_sub(base.len()).and_then(|start| host.split_at_checked(start)) else {
        return false;
    };
    end.eq_ignore_ascii_case(base) && labels.len() > 1 && labels.ends_with('.')
}

/// The host name in a URI (RFC 3986, section 3.2); `None` where there is none, or an address in its place.
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let is_name = !host.is_empty() && !host.starts_with('[') && host.parse::<Ipv4Addr>().is_err();
    is_name.then_some(host)
}

/// The subtree is an address and a mask (RFC 4632, section 3.1).
fn is_ip_within(address: &[u8], base: &[u8]) -> Result<bool, Fault> {
    if ![4, 16].contains(&address.len()) || ![8, 32].contains(&base.len()) {
        return Err(Fault::Unreadable);
    }
    let (network, mask) = base.split_at(base.len() / 2);
    let bits = mask.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1));
    if bits.skip_while(|bit| *bit == 1).any(|bit| bit == 1) {
        return Err(Fault::Unreadable);
    }
    let mut octets = address.iter().zip(network).zip(mask);
    Ok(address.len() == network.len() && octets.all(|((address, network), mask)| address & mask == network & mask))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn mailboxes_hosts_and_domains_are_subtrees_of_addresses() {
        for (address, base, is_in) in [
            ("ada@example.com", "ada@example.com", true),
            ("ada@EXAMPLE.com", "ada@example.com", true),
            ("Ada@example.com", "ada@example.com", false),
            ("ada@example.com", "example.com", true),
            ("ada@host.example.com", "example.com", false),
            ("ada@host.example.com", ".example.com", true),
            ("ada@example.com", ".example.com", false),
            ("ada@badexample.com", ".example.com", false),
        ] {
            assert_eq!(is_address_within(address, base), Ok(is_in), "{address} {base}");
        }
        for odd in ["ada", "ada@other.example@example.com"] {
            assert_eq!(is_address_within(odd, "example.com"), Err(Fault::Unreadable), "{odd}");
        }
    }

    #[test]
    fn a_host_name_is_a_subtree_with_all_below_it() {
        let dns = |text: &str| GeneralName::Dns(text.as_bytes().to_vec());
        for (host, base, permitted, excluded) in [
            ("example.com", "example.com", true, true),
            ("HOST.example.com", "Example.com", true, true),
            ("badexample.com", "example.com", false, false),
            ("example.com", "host.example.com", false, false),
            ("*.example.com", "example.com", true, true),
            ("*.example.com", "host.example.com", false, true),
            ("example.com", ".example.com", false, false),
            ("host.example.com", ".example.com", true, true),
            ("anything", "", true, true),
        ] {
            let within = |is_excluded| is_within(&dns(host), &dns(base), is_excluded);
            assert_eq!((within(false), within(true)), (Ok(permitted), Ok(excluded)), "{host} {base}");
        }
        assert_eq!(is_within(&GeneralName::Dns(vec![0xC3]), &dns("a"), true), Err(Fault::Unreadable));
    }

    #[test]
    fn the_host_in_a_uri_counts() {
        let uri = |text: &str| GeneralName::Uri(text.as_bytes().to_vec());
        for (name, base, is_in) in [
            ("https://ada@host.example.com:8443/path", "host.example.com", Ok(true)),
            ("https://host.example.com", "example.com", Ok(false)),
            ("https://host.example.com?query", ".example.com", Ok(true)),
            ("https://192.0.2.1/", ".example.com", Err(Fault::Unreadable)),
            ("https://[2001:db8::1]/", ".example.com", Err(Fault::Unreadable)),
            ("urn:example", ".example.com", Err(Fault::Unreadable)),
        ] {
            assert_eq!(is_within(&uri(name), &uri(base), false), is_in, "{name} {base}");
        }
    }

    #[test]
    fn an_ip_network_is_an_address_and_a_mask() {
        let network = [192, 0, 2, 0, 255, 255, 255, 0];
        assert_eq!(is_ip_within(&[192, 0, 2, 7], &network), Ok(true));
        assert_eq!(is_ip_within(&[192, 0, 3, 7], &network), Ok(false));
        assert_eq!(is_ip_within(&[0; 16], &network), Ok(false), "of the other family");
        for (address, base) in [
            (&[192, 0, 2][..], &network[..]),
            (&[192, 0, 2, 7], &network[..7]),
            (&[192, 0, 2, 7], &[192, 0, 2, 0, 255, 0, 255, 0]),
        ] {
            assert_eq!(is_ip_within(address, base), Err(Fault::Unreadable), "{address:?} {base:?}");
        }
    }
}
