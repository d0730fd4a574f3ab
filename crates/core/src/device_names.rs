//! The names that a device's certificate may have in its subjectAltName (RFC 5280, section 4.2.1.6): how others reach it.

use core::fmt;
use core::net::IpAddr;

use keyside_pki::general_name::GeneralName;

/// The most names that one certificate may have.
pub const MAXIMUM: usize = 10;
/// The longest dNSName, in characters (RFC 1035, section 2.3.4).
const MAXIMUM_DNS_NAME_LENGTH: usize = 253;
/// The longest part of a dNSName between dots, in characters (RFC 1035, section 2.3.4).
const MAXIMUM_LABEL_LENGTH: usize = 63;

/// A name that others reach a device by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// A dNSName.
    Dns(String),
    /// An iPAddress.
    Ip(IpAddr),
}

impl fmt::Display for DeviceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(formatter, "DNS:{name}"),
            Self::Ip(address) => write!(formatter, "IP:{address}"),
        }
    }
}

/// Why names cannot be a device's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesFault {
    /// There are more than [`MAXIMUM`]; how many.
    #[error("there are {0} names; at most {MAXIMUM} are taken")]
    TooMany(usize),
    /// There is a name of another kind than dNSName, iPAddress and rfc822Name.
    #[error("there is a name that is neither a dNSName nor an iPAddress")]
    Kind,
    /// There is a name that cannot be read.
    #[error("there is a name that cannot be read")]
    Unreadable,
    /// A dNSName is not a host name (RFC 1123, section 2.1); which. One with a wildcard would stand for other devices too.
    #[error("“{0}” is not the name of one host")]
    DnsName(String),
    /// A name stands for whatever machine it is used on (RFC 6761, section 6.3); which.
    #[error("“{0}” is each machine's name for itself")]
    Loopback(String),
    /// The Common Name reads as a host's, and does not stand among the names; which. Old programs compare hosts with it.
    #[error("the Common Name “{0}”, which reads as the name of a host, is missing")]
    CommonName(String),
    /// An iPAddress has neither 4 nor 16 bytes.
    #[error("there is an iPAddress that is neither of IPv4 nor of IPv6")]
    IpAddress,
}

/// The dNSNames and iPAddresses among the names that a certification request has, for a device with this Common Name. An rfc822Name
/// is passed over: it is about a person, and a device's certificate does not get it.
pub fn of(common_name: &str, names: &[Option<GeneralName>]) -> Result<Vec<DeviceName>, NamesFault> {
    let mut found = Vec::new();
    for name in names {
        match name {
            Some(GeneralName::Dns(name)) => {
                let text = String::from_utf8_lossy(name);
                if !is_host_name(&text) {
                    return Err(NamesFault::DnsName(text.escape_debug().to_string()));
                }
                if is_loopback(&text) {
                    return Err(NamesFault::Loopback(text.into_owned()));
                }
                found.push(DeviceName::Dns(text.into_owned()));
            }
            Some(GeneralName::Ip(address)) => {
                let address = ip_address(address)?;
                if is_loopback(&address.to_string()) {
                    return Err(NamesFault::Loopback(address.to_string()));
                }
                found.push(DeviceName::Ip(address));
            }
            Some(GeneralName::Rfc822(_)) => {}
            Some(_) => return Err(NamesFault::Kind),
            None => return Err(NamesFault::Unreadable),
        }
    }
    if found.len() > MAXIMUM {
        return Err(NamesFault::TooMany(found.len()));
    }
    if is_loopback(common_name) {
        return Err(NamesFault::Loopback(common_name.to_owned()));
    }
    let is_named = found.iter().any(|name| match name {
        DeviceName::Dns(name) => name.eq_ignore_ascii_case(common_name),
        DeviceName::Ip(address) => common_name.parse() == Ok(*address),
    });
    if reads_as_host(common_name) && !is_named {
        return Err(NamesFault::CommonName(common_name.to_owned()));
    }
    Ok(found)
}

/// Whether a program that compares hosts with Common Names could take this one for a host's: it has dots, or a wildcard.
fn reads_as_host(common_name: &str) -> bool {
    common_name.contains(['.', '*', ':'])
        && common_name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | ':' | '-' | '_'))
}

/// True for a name or an address that stands for whatever machine it is used on.
fn is_loopback(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let address: Option<IpAddr> = text.parse().ok();
    ["localhost", "localdomain"].iter().any(|name| last.eq_ignore_ascii_case(name))
        || address.is_some_and(|address| address.to_canonical().is_loopback() || address.is_unspecified())
}

/// RFC 1123, section 2.1, and RFC 5280's "preferred name syntax": letters, digits and hyphens between dots.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAXIMUM_LABEL_LENGTH).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= MAXIMUM_DNS_NAME_LENGTH && text.split('.').all(is_label)
}

fn ip_address(bytes: &[u8]) -> Result<IpAddr, NamesFault> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .map_err(|_| NamesFault::IpAddress)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    fn dns(name: &str) -> Option<GeneralName> {
        Some(GeneralName::Dns(name.as_bytes().to_vec()))
    }

    fn ip(bytes: &[u8]) -> Option<GeneralName> {
        Some(GeneralName::Ip(bytes.to_vec()))
    }

    #[test]
    fn the_names_of_a_host_are_read() {
        let email = Some(GeneralName::Rfc822(b"ops@example.com".to_vec()));
        let six = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let names = [dns("rig-1.example.com"), email, dns("RIG1"), ip(&[192, 0, 2, 1]), ip(&six)];
        let found = of("rig-1", &names).unwrap();
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["DNS:rig-1.example.com", "DNS:RIG1", "IP:192.0.2.1", "IP:2001:db8::1"]);
        assert_eq!(of("rig-1", &[]).unwrap(), []);
    }

    #[test]
    fn other_names_are_told() {
        for bad in ["", "*.example.com", "a b", "-a", "a-", "a..b", "a.", "a_b", "a\tb", &"a".repeat(64)] {
            assert!(matches!(of("rig-1", &[dns(bad)]), Err(NamesFault::DnsName(_))), "{bad:?}");
        }
        assert!(matches!(of("rig-1", &[dns(&"a.".repeat(127))]), Err(NamesFault::DnsName(_))));
        for bad in [&[][..], &[192, 0, 2], &[192, 0, 2, 0, 255, 255, 255, 0]] {
            assert_eq!(of("rig-1", &[ip(bad)]), Err(NamesFault::IpAddress), "{bad:?}");
        }
        let uri = Some(GeneralName::Uri(b"https://example.com".to_vec()));
        assert_eq!(of("rig-1", &[uri]), Err(NamesFault::Kind));
        assert_eq!(of("rig-1", &vec![dns("a"); 11]), Err(NamesFault::TooMany(11)));
        assert!(of("rig-1", &vec![dns("a"); 10]).is_ok());
    }

    #[test]
    fn each_machine_s_name_for_itself_is_no_device_s() {
        for name in ["localhost", "LocalHost", "a.localhost", "localhost.localdomain"] {
            assert_eq!(of("rig-1", &[dns(name)]), Err(NamesFault::Loopback(name.into())), "{name}");
            assert_eq!(of(name, &[dns("rig-1")]), Err(NamesFault::Loopback(name.into())), "{name}");
        }
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1];
        for address in [&[127, 0, 0, 1][..], &[127, 9, 9, 9], &[0; 4], &[0; 16], &mapped] {
            assert!(matches!(of("rig-1", &[ip(address)]), Err(NamesFault::Loopback(_))), "{address:?}");
        }
        assert!(of("rig-1", &[dns("localhost.example.com"), dns("rig1")]).is_ok());
    }

    #[test]
    fn a_common_name_that_reads_as_a_host_s_stands_among_the_names() {
        let fault = |name: &str| Err(NamesFault::CommonName(name.into()));
        for name in ["rig.example.com", "*.example.com", "*", "192.0.2.1"] {
            assert_eq!(of(name, &[dns("rig-1.example.com")]), fault(name));
        }
        assert!(of("RIG.example.com", &[dns("rig.example.com")]).is_ok());
        assert!(of("192.0.2.1", &[ip(&[192, 0, 2, 1])]).is_ok());
        for name in ["rig-1", "RIG at Example Wind Farm, no. 2", "Farm 1.2"] {
            assert_eq!(of(name, &[]), Ok(Vec::new()));
        }
    }
}
