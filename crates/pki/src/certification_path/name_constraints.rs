//! Name constraints (RFC 5280, section 4.2.1.10): the subtrees that a CA is limited to, and the names of the certificates below it.

use core::net::Ipv4Addr;

use der::oid::db::rfc3280::EMAIL_ADDRESS;

use crate::certificate::Certificate;
use crate::extensions::NameConstraints;
use crate::general_name::GeneralName;
use crate::name::{self, NameKey};

/// The most comparisons of a name with a subtree that are made for one search.
pub(super) const MAXIMUM_COMPARISONS: usize = 200_000;

/// The otherName of an e-mail address with characters beyond ASCII, SmtpUTF8Mailbox (RFC 9598): 1.3.6.1.5.5.7.8.9.
const SMTP_UTF8_MAILBOX: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 8, 9];

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

/// A name or a subtree, ready to be compared.
struct Prepared<'a> {
    name: &'a GeneralName,
    /// Of a directoryName.
    key: NameKey,
}

impl<'a> Prepared<'a> {
    fn new(name: &'a GeneralName) -> Self {
        let key = if let GeneralName::Directory(name) = name { name::key_of(name) } else { NameKey::new() };
        Self { name, key }
    }
}

/// Checks all names of `certificate`. `comparisons` may still be made.
pub(super) fn check(
    constraints: &NameConstraints,
    certificate: &Certificate,
    comparisons: &mut usize,
) -> Result<(), Fault> {
    let names = names_of(certificate)?;
    let subtrees = constraints.permitted.len() + constraints.excluded.len();
    *comparisons = comparisons.checked_sub(names.len().saturating_mul(subtrees)).ok_or(Fault::TooMany)?;
    let [permitted, excluded] = [&constraints.permitted, &constraints.excluded]
        .map(|subtrees| subtrees.iter().map(Prepared::new).collect::<Vec<_>>());
    let has_mailboxes =
        || permitted.iter().chain(&excluded).any(|subtree| matches!(subtree.name, GeneralName::Rfc822(_)));
    for name in &names {
        // Constraints on mailboxes hold for these as well (RFC 9598, section 6).
        if matches!(name, GeneralName::Other(id) if *id == SMTP_UTF8_MAILBOX) && has_mailboxes() {
            return Err(Fault::Unsupported);
        }
        let name = Prepared::new(name);
        let not_allowed = || Fault::NotAllowed(name.name.to_text());
        for subtree in excluded.iter().filter(|subtree| is_same_kind(name.name, subtree.name)) {
            if is_within(&name, subtree, true)? {
                return Err(not_allowed());
            }
        }
        let (mut is_limited, mut is_permitted) = (false, false);
        for subtree in permitted.iter().filter(|subtree| is_same_kind(name.name, subtree.name)) {
            is_limited = true;
            is_permitted |= is_within(&name, subtree, false)?;
        }
        if is_limited && !is_permitted {
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
        for address in subject.attributes().filter(|attribute| attribute.is(EMAIL_ADDRESS)) {
            let text = address.text().ok_or(Fault::Unreadable)?;
            names.push(GeneralName::Rfc822(text.into_bytes()));
        }
    }
    if subject.attributes().next().is_some() {
        names.push(GeneralName::Directory(Box::new(subject.clone())));
    }
    Ok(names)
}

fn is_same_kind(one: &GeneralName, other: &GeneralName) -> bool {
    core::mem::discriminant(one) == core::mem::discriminant(other)
}

/// True if a name is in a subtree of its kind. A host name with a wildcard is in one that is excluded if any name that it stands for is.
fn is_within(name: &Prepared<'_>, subtree: &Prepared<'_>, is_excluded: bool) -> Result<bool, Fault> {
    match (name.name, subtree.name) {
        (GeneralName::Directory(_), GeneralName::Directory(_)) => Ok(name.key.starts_with(&subtree.key)),
        (GeneralName::Rfc822(address), GeneralName::Rfc822(base)) => is_address_within(text(address)?, text(base)?),
        (GeneralName::Dns(host), GeneralName::Dns(base)) => {
            let (host, base) = (text(host)?, text(base)?);
            let parent = host.strip_prefix("*.");
            if !is_host_name(parent.unwrap_or(host)) || !is_base(base) {
                return Err(Fault::Unreadable);
            }
            // One label is where the wildcard is (RFC 6125, section 6.4.3).
            let stands_for_base = || {
                let above = base.strip_prefix('.').unwrap_or(base).split_once('.').map(|(_, above)| above);
                parent.zip(above).is_some_and(|(parent, above)| parent.eq_ignore_ascii_case(above))
            };
            Ok(is_host_within(host, base) || (is_excluded && stands_for_base()))
        }
        (GeneralName::Uri(uri), GeneralName::Uri(base)) => {
            let (host, base) = (host_of(text(uri)?).ok_or(Fault::Unreadable)?, text(base)?);
            if !is_base(base) {
                return Err(Fault::Unreadable);
            }
            Ok(if base.starts_with('.') { is_host_below(host, base) } else { host.eq_ignore_ascii_case(base) })
        }
        (GeneralName::Ip(address), GeneralName::Ip(base)) => is_ip_within(address, base),
        _ => Err(Fault::Unsupported),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    core::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).ok_or(Fault::Unreadable)
}

/// Labels with dots between them (RFC 1034, section 3.5). The field has underscores in them, too.
fn is_host_name(text: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    text.split('.').all(is_label)
}

/// A subtree of hosts: a name, which some CAs write with a dot before it, or nothing, which is all hosts.
fn is_base(text: &str) -> bool {
    text.is_empty() || is_host_name(text.strip_prefix('.').unwrap_or(text))
}

/// A mailbox, all mailboxes at a host, or, after a dot, all mailboxes in a domain.
fn is_address_within(address: &str, base: &str) -> Result<bool, Fault> {
    let (local, host) = mailbox(address).ok_or(Fault::Unreadable)?;
    if let Some((base_local, base_host)) = mailbox(base) {
        return Ok(local == base_local && host.eq_ignore_ascii_case(base_host));
    }
    if !is_base(base) {
        return Err(Fault::Unreadable);
    }
    Ok(if base.starts_with('.') {
        is_host_below(host, base)
    } else {
        host.eq_ignore_ascii_case(base) || base.is_empty()
    })
}

/// The local part and the host of a Mailbox (RFC 5321, section 4.1.2); `None` if it is none, or has an address in the host's place.
fn mailbox(text: &str) -> Option<(&str, &str)> {
    let (local, host) = text.rsplit_once('@')?;
    let is_atom = |text: &str| text.bytes().all(|c| c.is_ascii_graphic() && !b"()<>[]:;@\\,\"".contains(&c));
    let is_quoted = || {
        let inner = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.is_some_and(|inner| inner.bytes().all(|c| matches!(c, b' '..=b'~') && !b"\"\\".contains(&c)))
    };
    (!local.is_empty() && (is_atom(local) || is_quoted()) && is_host_name(host)).then_some((local, host))
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

/// The host name in a URI (RFC 3986, section 3); `None` where there is none, or an address in its place.
fn host_of(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_of_scheme = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(is_of_scheme) {
        return None;
    }
    let authority = rest.strip_prefix("//")?.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    let is_name = is_host_name(host) && host.parse::<Ipv4Addr>().is_err() && port.bytes().all(|c| c.is_ascii_digit());
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
        assert_eq!(is_address_within("\"a@b\"@example.com", "example.com"), Ok(true));
        for odd in [
            "ada",
            "ada@other.example@example.com",
            "ada@example.com.",
            "ada@example.com ",
            "ada@example.com\0",
            "<ada@example.com>",
            "@example.com",
            "ada@[192.0.2.1]",
        ] {
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
            ("*.example.com", "a.host.example.com", false, false),
            ("example.com", ".example.com", false, false),
            ("host.example.com", ".example.com", true, true),
            ("anything", "", true, true),
        ] {
            let (host_name, subtree) = (dns(host), dns(base));
            let within = |is_excluded| is_within(&Prepared::new(&host_name), &Prepared::new(&subtree), is_excluded);
            assert_eq!((within(false), within(true)), (Ok(permitted), Ok(excluded)), "{host} {base}");
        }
        for odd in [
            &[0xC3][..],
            b"a.example.com.",
            b"a..example.com",
            b"a\0.example.com",
            b"a .example.com",
            b"*",
            b"h*.example.com",
            b"",
        ] {
            let odd = GeneralName::Dns(odd.to_vec());
            let verdict = is_within(&Prepared::new(&odd), &Prepared::new(&dns("example.com")), true);
            assert_eq!(verdict, Err(Fault::Unreadable), "{odd:?}");
        }
        let verdict = is_within(&Prepared::new(&dns("a.example")), &Prepared::new(&dns("example.")), true);
        assert_eq!(verdict, Err(Fault::Unreadable), "a subtree");
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
            ("mailto:x?u=http://host.example.com/", ".example.com", Err(Fault::Unreadable)),
            ("urn:foo://host.example.com", ".example.com", Err(Fault::Unreadable)),
            ("//host.example.com", ".example.com", Err(Fault::Unreadable)),
            (" https://host.example.com", ".example.com", Err(Fault::Unreadable)),
            ("https://other.example\\.host.example.com", ".example.com", Err(Fault::Unreadable)),
            ("https://host%2eexample.com", ".example.com", Err(Fault::Unreadable)),
            ("https://host.example.com.", ".example.com", Err(Fault::Unreadable)),
            ("urn:example", ".example.com", Err(Fault::Unreadable)),
        ] {
            let (uri_name, subtree) = (uri(name), uri(base));
            assert_eq!(is_within(&Prepared::new(&uri_name), &Prepared::new(&subtree), false), is_in, "{name} {base}");
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
