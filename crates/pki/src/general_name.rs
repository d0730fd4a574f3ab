//! GeneralNames (RFC 5280, section 4.2.1.6), read so that one odd name does not hide the others.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::element::{Element, Elements, OBJECT_IDENTIFIER, SEQUENCE, oid_to_text, unexpected};
use crate::name::{self, Name};

/// A GeneralName. Its texts are IA5Strings, which some software fills with other characters: they are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// A name of a kind that RFC 5280 does not have; the contents of its object identifier.
    Other(Vec<u8>),
    /// An e-mail address.
    Rfc822(Vec<u8>),
    /// A host name.
    Dns(Vec<u8>),
    /// An X.400 address.
    X400,
    /// A distinguished name.
    Directory(Box<Name>),
    /// A party in electronic data interchange.
    EdiParty,
    /// A URI.
    Uri(Vec<u8>),
    /// An IP address in network byte order; in a name constraint, the address and its mask.
    Ip(Vec<u8>),
    /// The contents of an object identifier.
    RegisteredId(Vec<u8>),
}

impl GeneralName {
    /// Reads one element.
    pub(crate) fn read(element: &Element<'_>) -> der::Result<Self> {
        let contents = element.contents;
        Ok(match element.tag {
            0xA0 => Self::Other(Elements::of(contents).next(OBJECT_IDENTIFIER)?.to_vec()),
            0x81 => Self::Rfc822(contents.to_vec()),
            0x82 => Self::Dns(contents.to_vec()),
            0xA3 => Self::X400,
            0xA4 => Self::Directory(Box::new(Name::from_der(contents)?)),
            0xA5 => Self::EdiParty,
            0x86 => Self::Uri(contents.to_vec()),
            0x87 => Self::Ip(contents.to_vec()),
            0x88 => Self::RegisteredId(contents.to_vec()),
            tag => return Err(unexpected(tag)),
        })
    }

    /// The name as people write it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Rfc822(text) | Self::Dns(text) | Self::Uri(text) => match core::str::from_utf8(text) {
                Ok(text) if text.is_ascii() => text.to_owned(),
                Ok(text) => format!("{text} (with characters that such a name cannot have)"),
                Err(_) => format!("{} (with characters that such a name cannot have)", name::latin_1(text)),
            },
            Self::Directory(name) => name.to_string(),
            Self::Ip(octets) => ip_address(octets),
            Self::RegisteredId(id) => oid_to_text(id),
            Self::Other(id) => format!("another kind of name ({})", oid_to_text(id)),
            Self::X400 => "an X.400 address".into(),
            Self::EdiParty => "an EDI party name".into(),
        }
    }
}

fn ip_address(octets: &[u8]) -> String {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        Ipv4Addr::from(octets).to_string()
    } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
        Ipv6Addr::from(octets).to_string()
    } else {
        "an IP address of another size".into()
    }
}

/// Reads GeneralNames: each by itself, `None` where one cannot be read.
///
/// # Errors
/// It is no SEQUENCE of elements.
pub(crate) fn read_all(general_names: &[u8]) -> der::Result<Vec<Option<GeneralName>>> {
    Elements::within(SEQUENCE, general_names)?.map(|element| Ok(GeneralName::read(&element?).ok())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::element::element;

    #[test]
    fn an_odd_name_does_not_hide_the_others() {
        let names = element(
            SEQUENCE,
            &[
                &element(0x82, &["bücher.example".as_bytes()]),
                &element(0x9F & 0x8F, &[b"?"]),
                &element(0x81, &[b"ada@example.com"]),
                &element(0x87, &[&[192, 0, 2, 1]]),
                &element(0x87, &[&[0x20; 16]]),
                &element(0x87, &[&[1]]),
                &element(0x88, &[&[0x69, 0x81, 0x01]]),
                &element(0xA0, &[&element(0x06, &[&[0x2A, 0x03]]), &element(0xA0, &[])]),
            ],
        );
        let texts: Vec<Option<String>> =
            read_all(&names).unwrap().iter().map(|name| name.as_ref().map(GeneralName::to_text)).collect();
        let expected = [
            Some("bücher.example (with characters that such a name cannot have)"),
            None,
            Some("ada@example.com"),
            Some("192.0.2.1"),
            Some("2020:2020:2020:2020:2020:2020:2020:2020"),
            Some("an IP address of another size"),
            Some("2.25.129"),
            Some("another kind of name (1.2.3)"),
        ];
        assert_eq!(texts, expected.map(|text| text.map(str::to_owned)));
        assert!(read_all(&[0x30, 2, 0x81]).is_err());
    }
}
