//! Extensions (RFC 5280, section 4.2) of certificates and of requests.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_EXT_KEY_USAGE,
    ID_CE_INHIBIT_ANY_POLICY, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_CE_POLICY_CONSTRAINTS, ID_CE_POLICY_MAPPINGS,
    ID_CE_SUBJECT_ALT_NAME,
};
use der::{ErrorKind, Tag};

use crate::element::{BIT_STRING, Element, Elements, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, count_of, u32_of};
use crate::general_name::{self, GeneralName};

const BOOLEAN: u8 = 0x01;

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The contents of its object identifier.
    pub id: Vec<u8>,
    /// True if software that does not know it must refuse the certificate.
    pub is_critical: bool,
    /// Its value, DER.
    pub value: Vec<u8>,
}

/// All extensions of a certificate or a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions(Vec<Extension>);

/// BasicConstraints (RFC 5280, section 4.2.1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasicConstraints {
    /// True for the certificate of a CA.
    pub is_ca: bool,
    /// The most CAs between it and a leaf, if that is limited.
    pub path_length: Option<u32>,
}

/// PolicyConstraints (RFC 5280, section 4.2.1.11): after how many certificates something begins to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyConstraints {
    pub(crate) require_explicit_policy: Option<u32>,
    pub(crate) inhibit_policy_mapping: Option<u32>,
}

/// NameConstraints (RFC 5280, section 4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameConstraints {
    pub(crate) permitted: Vec<GeneralName>,
    pub(crate) excluded: Vec<GeneralName>,
}

/// The uses of a key, in the order of their bits (RFC 5280, section 4.2.1.3).
pub const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// KeyUsage (RFC 5280, section 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// True if the key may be used for this, which is a name of [`KEY_USAGES`].
    pub fn allows(self, usage: &str) -> bool {
        KEY_USAGES.iter().position(|known| *known == usage).is_some_and(|bit| self.0 & (0x8000 >> bit) != 0)
    }
}

impl Extensions {
    /// Reads Extensions.
    pub(crate) fn read(extensions: &[u8]) -> der::Result<Self> {
        Elements::within(SEQUENCE, extensions)?
            .map(|element| read_extension(&element?))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Each extension, in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.0.iter()
    }

    /// True if one extension is there twice, which none may be (RFC 5280, section 4.2).
    pub(crate) fn has_duplicates(&self) -> bool {
        let mut ids: Vec<Vec<u8>> = self.0.iter().map(|extension| extension.id.to_vec()).collect();
        ids.sort_unstable();
        ids.windows(2).any(|pair| pair.first() == pair.get(1))
    }

    /// The contents of the object identifier of a critical extension that is known here and cannot be read. A certificate with one has to be
    /// refused (RFC 5280, section 4.2).
    pub(crate) fn unreadable_critical(&self) -> Option<&[u8]> {
        let is_unreadable = |extension: &&Extension| {
            let is = |id: ObjectIdentifier| extension.id == id.as_bytes();
            extension.is_critical
                && (is(ID_CE_BASIC_CONSTRAINTS) && self.basic_constraints().is_err()
                    || is(ID_CE_KEY_USAGE) && self.key_usage().is_err()
                    || is(ID_CE_EXT_KEY_USAGE) && self.extended_key_usages().is_err()
                    || is(ID_CE_SUBJECT_ALT_NAME) && !self.has_readable_names()
                    || is(ID_CE_NAME_CONSTRAINTS) && self.name_constraints().is_err()
                    || is(ID_CE_CERTIFICATE_POLICIES) && self.certificate_policies().is_err()
                    || is(ID_CE_POLICY_MAPPINGS) && self.policy_mappings().is_err()
                    || is(ID_CE_POLICY_CONSTRAINTS) && self.policy_constraints().is_err()
                    || is(ID_CE_INHIBIT_ANY_POLICY) && self.inhibit_any_policy().is_err()
                    || is(ID_CE_AUTHORITY_KEY_IDENTIFIER) && read_sequence(&extension.value).is_err()
                    || Elements::of(&extension.value).next_element().is_err())
        };
        self.0.iter().find(is_unreadable).map(|extension| &*extension.id)
    }

    /// True if every name in SubjectAltName can be read.
    fn has_readable_names(&self) -> bool {
        self.subject_alt_names().is_ok_and(|names| names.is_none_or(|names| names.iter().all(Option::is_some)))
    }

    /// The extension's value, if it is there.
    pub fn get(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        self.0.iter().find(|extension| extension.id == id.as_bytes()).map(|extension| &*extension.value)
    }

    fn read_with<'a, T>(
        &'a self,
        id: ObjectIdentifier,
        read: impl Fn(&'a [u8]) -> der::Result<T>,
    ) -> der::Result<Option<T>> {
        self.get(id).map(read).transpose()
    }

    /// BasicConstraints.
    ///
    /// # Errors
    /// They cannot be read; so for all below.
    pub fn basic_constraints(&self) -> der::Result<Option<BasicConstraints>> {
        self.read_with(ID_CE_BASIC_CONSTRAINTS, |value| {
            let mut constraints = Elements::within(SEQUENCE, value)?;
            let is_ca = constraints.next_if(BOOLEAN)?.map_or(Ok(false), |boolean| read_boolean(boolean.contents))?;
            let path_length = if constraints.is_finished() { None } else { Some(constraints.next_count()?) };
            constraints.finish()?;
            Ok(BasicConstraints { is_ca, path_length })
        })
    }

    /// KeyUsage.
    pub fn key_usage(&self) -> der::Result<Option<KeyUsage>> {
        self.read_with(ID_CE_KEY_USAGE, |value| {
            let mut one = Elements::of(value);
            let contents = one.next(BIT_STRING)?;
            one.finish()?;
            match contents {
                [0] => Ok(KeyUsage(0)),
                [unused @ 0..=7, octets @ .., last] => {
                    // Unused bits are not part of the string, whatever their values are.
                    let mut octets = octets.iter().copied().chain([last & (0xFF << unused)]);
                    let mut next = || octets.next().unwrap_or_default();
                    Ok(KeyUsage(u16::from_be_bytes([next(), next()])))
                }
                _ => Err(ErrorKind::Value { tag: Tag::BitString }.into()),
            }
        })
    }

    /// The purposes in ExtKeyUsage (RFC 5280, section 4.2.1.12): the contents of their object identifiers.
    pub fn extended_key_usages(&self) -> der::Result<Option<Vec<&[u8]>>> {
        self.read_with(ID_CE_EXT_KEY_USAGE, |value| {
            let mut purposes = Elements::within(SEQUENCE, value)?;
            read_each(&mut purposes, |purposes| purposes.next(OBJECT_IDENTIFIER))
        })
    }

    /// SubjectAltName (RFC 5280, section 4.2.1.6): each name, `None` where one cannot be read.
    pub fn subject_alt_names(&self) -> der::Result<Option<Vec<Option<GeneralName>>>> {
        self.read_with(ID_CE_SUBJECT_ALT_NAME, general_name::read_all)
    }

    /// The policies in CertificatePolicies (RFC 5280, section 4.2.1.4): the contents of their object identifiers.
    pub(crate) fn certificate_policies(&self) -> der::Result<Option<Vec<&[u8]>>> {
        self.read_with(ID_CE_CERTIFICATE_POLICIES, |value| {
            let mut policies = Elements::within(SEQUENCE, value)?;
            read_each(&mut policies, |policies| policies.next_sequence()?.next(OBJECT_IDENTIFIER))
        })
    }

    /// PolicyMappings (RFC 5280, section 4.2.1.5): the issuer's policy, and the subject's.
    pub(crate) fn policy_mappings(&self) -> der::Result<Vec<(&[u8], &[u8])>> {
        let mappings = self.read_with(ID_CE_POLICY_MAPPINGS, |value| {
            let mut mappings = Elements::within(SEQUENCE, value)?;
            read_each(&mut mappings, |mappings| {
                let mut mapping = mappings.next_sequence()?;
                let policies = (mapping.next(OBJECT_IDENTIFIER)?, mapping.next(OBJECT_IDENTIFIER)?);
                mapping.finish()?;
                Ok(policies)
            })
        })?;
        Ok(mappings.unwrap_or_default())
    }

    /// PolicyConstraints.
    pub(crate) fn policy_constraints(&self) -> der::Result<PolicyConstraints> {
        let constraints = self.read_with(ID_CE_POLICY_CONSTRAINTS, |value| {
            let mut constraints = Elements::within(SEQUENCE, value)?;
            let mut number = |tag| constraints.next_if(tag)?.map(|element| count_of(element.contents)).transpose();
            let read =
                PolicyConstraints { require_explicit_policy: number(0x80)?, inhibit_policy_mapping: number(0x81)? };
            constraints.finish()?;
            Ok(read)
        })?;
        Ok(constraints.unwrap_or_default())
    }

    /// InhibitAnyPolicy (RFC 5280, section 4.2.1.14).
    pub(crate) fn inhibit_any_policy(&self) -> der::Result<Option<u32>> {
        self.read_with(ID_CE_INHIBIT_ANY_POLICY, |value| {
            let mut one = Elements::of(value);
            let count = one.next_count()?;
            one.finish()?;
            Ok(count)
        })
    }

    /// NameConstraints. A distance, which RFC 5280 does not let anybody use, is an error.
    pub(crate) fn name_constraints(&self) -> der::Result<Option<NameConstraints>> {
        self.read_with(ID_CE_NAME_CONSTRAINTS, |value| {
            let mut constraints = Elements::within(SEQUENCE, value)?;
            let mut subtrees = |tag| {
                let subtrees = constraints.next_if(tag)?.map(|element| {
                    read_each(&mut Elements::of(element.contents), |subtrees| {
                        let mut subtree = subtrees.next_sequence()?;
                        let base = GeneralName::read(&subtree.next_element()?)?;
                        // minimum, whose default may be written out
                        let minimum = subtree.next_if(0x80)?.map_or(Ok(0), |minimum| u32_of(minimum.contents))?;
                        subtree.finish()?;
                        if minimum == 0 { Ok(base) } else { Err(ErrorKind::Value { tag: Tag::Integer }.into()) }
                    })
                });
                Ok::<_, der::Error>(subtrees.transpose()?.unwrap_or_default())
            };
            let read = NameConstraints { permitted: subtrees(0xA0)?, excluded: subtrees(0xA1)? };
            constraints.finish()?;
            Ok(read)
        })
    }
}

fn read_sequence(value: &[u8]) -> der::Result<()> {
    Elements::within(SEQUENCE, value)?.try_for_each(|element| element.map(drop))
}

fn read_extension(element: &Element<'_>) -> der::Result<Extension> {
    let mut extension = Elements::within(SEQUENCE, element.whole)?;
    let id = extension.next(OBJECT_IDENTIFIER)?.to_vec();
    let is_critical = extension.next_if(BOOLEAN)?.map_or(Ok(false), |critical| read_boolean(critical.contents))?;
    let value = extension.next(OCTET_STRING)?.to_vec();
    extension.finish()?;
    Ok(Extension { id, is_critical, value })
}

/// DER writes TRUE as `FF`; in BER each octet but 0 is true (X.690, section 8.2.2), and some software writes `01`.
fn read_boolean(contents: &[u8]) -> der::Result<bool> {
    match contents {
        [octet] => Ok(*octet != 0),
        _ => Err(ErrorKind::Value { tag: Tag::Boolean }.into()),
    }
}

fn read_each<'a, T>(
    elements: &mut Elements<'a>,
    read: impl Fn(&mut Elements<'a>) -> der::Result<T>,
) -> der::Result<Vec<T>> {
    let mut all = Vec::new();
    while !elements.is_finished() {
        all.push(read(elements)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::element::{element, oid};

    #[test]
    fn key_usages_are_the_bits_that_are_used() {
        let allowed = |bits: &[u8]| {
            let value = element(OCTET_STRING, &[&element(BIT_STRING, &[bits])]);
            let extension = element(SEQUENCE, &[&oid(ID_CE_KEY_USAGE), &value]);
            let usages = Extensions::read(&element(SEQUENCE, &[&extension])).unwrap().key_usage().ok()??;
            Some(KEY_USAGES.into_iter().filter(|usage| usages.allows(usage)).collect::<Vec<_>>())
        };
        for (bits, usages) in [
            (&[0][..], &[][..]),
            (&[7, 0x80], &["digitalSignature"]),
            (&[1, 0x06], &["keyCertSign", "cRLSign"]),
            (&[2, 0x06], &["keyCertSign"]),
            (&[6, 0x06], &[]),
            (&[7, 0x06, 0x80], &["keyCertSign", "cRLSign", "decipherOnly"]),
            (&[7, 0, 0x7F], &[]),
            (&[0, 0x80, 0, 0xFF], &["digitalSignature"]),
        ] {
            assert_eq!(allowed(bits).as_deref(), Some(usages), "{bits:?}");
        }
        for bad in [&[][..], &[1], &[8, 0x80]] {
            assert_eq!(allowed(bad), None, "{bad:?}");
        }
    }
}
