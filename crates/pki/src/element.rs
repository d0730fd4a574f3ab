//! Elements of DER (X.690): a tag, a length, and contents.
//!
//! What the main job's worker writes and reads, and the subject that the page makes, is put together of these by hand: the same in typed
//! structures, with a codec for each, would make the worker twice as large, and it is loaded by everybody who makes a key. What comes from
//! elsewhere is read with types.
//! No function here is inlined, for the same reason.

use der::oid::ObjectIdentifier;
use der::{ErrorKind, Tag};

/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// NULL, whole.
pub const NULL: &[u8] = &[0x05, 0];
/// The tag of an OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag of a UTF8String.
pub const UTF8_STRING: u8 = 0x0C;
/// The tag of a PrintableString.
pub const PRINTABLE_STRING: u8 = 0x13;
/// The tag of an IA5String.
pub const IA5_STRING: u8 = 0x16;
/// The tag of a UTCTime.
pub const UTC_TIME: u8 = 0x17;
/// The tag of a GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// The tag of a BMPString.
pub const BMP_STRING: u8 = 0x1E;
/// The tag of a SEQUENCE, constructed.
pub const SEQUENCE: u8 = 0x30;
/// The tag of a SET, constructed.
pub const SET: u8 = 0x31;
/// The tag of a constructed `[0]`.
pub const CONTEXT_0: u8 = 0xA0;

/// An element whose contents are these parts, one after the other. The bytes are written once, into memory of their size, so that a
/// secret leaves no copy behind.
#[inline(never)]
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = Vec::with_capacity(length + 1 + 1 + size_of::<usize>());
    der.push(tag);
    match u8::try_from(length) {
        Ok(short @ 0..=0x7F) => der.push(short),
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            der.push(0x80 | bytes.len() as u8);
            der.extend(bytes);
        }
    }
    for part in parts {
        der.extend_from_slice(part);
    }
    der
}

/// An OBJECT IDENTIFIER.
#[inline(never)]
pub fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    element(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// An INTEGER that is not negative.
#[inline(never)]
pub fn integer(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take(3).take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    // A set first bit would make it negative.
    let sign: &[u8] = if bytes.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, bytes])
}

/// A SET OF: its elements, each whole, in the order that DER wants (X.690, section 11.6).
#[inline(never)]
pub fn set_of(mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort_unstable();
    element(SET, &[&elements.concat()])
}

/// One element, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its identifier octet.
    pub tag: u8,
    /// Its contents.
    pub contents: &'a [u8],
    /// All of it.
    pub whole: &'a [u8],
}

/// Reads one element after the other. A length that takes more octets than it needs is read, too (X.690, section 8.1.3.5): some software
/// writes them, and what is signed is the bytes that came.
#[derive(Clone)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The elements in the one element with `tag` that `der` is, to the last byte.
    #[inline(never)]
    pub fn within(tag: u8, der: &'a [u8]) -> der::Result<Self> {
        let mut one = Self::of(der);
        let within = one.next(tag)?;
        one.finish()?;
        Ok(Self::of(within))
    }

    /// The elements that `contents` are.
    pub fn of(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// The next element, of whatever kind.
    #[inline(never)]
    pub fn next_element(&mut self) -> der::Result<Element<'a>> {
        let cut = || der::Error::from(ErrorKind::Length { tag: Tag::Null });
        let (&tag, rest) = self.0.split_first().ok_or_else(cut)?;
        if tag & 0x1F == 0x1F {
            return Err(ErrorKind::TagNumberInvalid.into());
        }
        let (&first, rest) = rest.split_first().ok_or_else(cut)?;
        let (length, rest) = match first {
            0..0x80 => (usize::from(first), rest),
            0x80 => return Err(ErrorKind::IndefiniteLength.into()),
            _ => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7F)).ok_or_else(cut)?;
                let significant = octets.iter().skip_while(|octet| **octet == 0);
                let length = significant.clone().fold(0, |length, octet| length << 8 | usize::from(*octet));
                if significant.count() > size_of::<u32>() {
                    return Err(ErrorKind::Overflow.into());
                }
                (length, rest)
            }
        };
        let (contents, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let whole = self.0.get(..self.0.len() - rest.len()).unwrap_or_default();
        self.0 = rest;
        Ok(Element { tag, contents, whole })
    }

    /// The contents of the next element, which has `tag`.
    #[inline(never)]
    pub fn next(&mut self, tag: u8) -> der::Result<&'a [u8]> {
        let element = self.next_element()?;
        if element.tag == tag { Ok(element.contents) } else { Err(unexpected(element.tag)) }
    }

    /// The next element, whole.
    pub fn next_whole(&mut self) -> der::Result<&'a [u8]> {
        Ok(self.next_element()?.whole)
    }

    /// The next element, if its identifier octet is `tag`.
    #[inline(never)]
    pub fn next_if(&mut self, tag: u8) -> der::Result<Option<Element<'a>>> {
        if self.0.first() == Some(&tag) { self.next_element().map(Some) } else { Ok(None) }
    }

    /// The next element, a SEQUENCE.
    pub fn next_sequence(&mut self) -> der::Result<Self> {
        Ok(Self::of(self.next(SEQUENCE)?))
    }

    /// The next element, an OBJECT IDENTIFIER.
    #[inline(never)]
    pub fn next_oid(&mut self) -> der::Result<ObjectIdentifier> {
        ObjectIdentifier::from_bytes(self.next(OBJECT_IDENTIFIER)?).map_err(|_| ErrorKind::OidMalformed.into())
    }

    /// The next element, an INTEGER from 0 to 2^32 - 1.
    #[inline(never)]
    pub fn next_u32(&mut self) -> der::Result<u32> {
        u32_of(self.next(INTEGER)?)
    }

    /// The next element, an INTEGER that is a count: see [`count_of`].
    pub fn next_count(&mut self) -> der::Result<u32> {
        count_of(self.next(INTEGER)?)
    }

    /// The one INTEGER from 0 to 2^32 - 1 that `der` is.
    pub fn whole_u32(der: &'a [u8]) -> der::Result<u32> {
        let mut one = Self::of(der);
        let number = one.next_u32()?;
        one.finish()?;
        Ok(number)
    }

    /// Whether there is no further element.
    pub fn is_finished(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes sure that there is no further element.
    pub fn finish(self) -> der::Result<()> {
        if self.is_finished() { Ok(()) } else { Err(ErrorKind::Overlength.into()) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = der::Result<Element<'a>>;

    /// The next element; an error is the last one.
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_finished() {
            return None;
        }
        let element = self.next_element();
        if element.is_err() {
            self.0 = &[];
        }
        Some(element)
    }
}

/// The error for an element of another kind than the one that should stand there.
pub(crate) fn unexpected(tag: u8) -> der::Error {
    ErrorKind::TagUnknown { byte: tag }.into()
}

/// The INTEGER with these contents, if it is from 0 to 2^32 - 1.
#[inline(never)]
pub fn u32_of(contents: &[u8]) -> der::Result<u32> {
    let error = || der::Error::from(ErrorKind::Overflow);
    let digits = match contents {
        [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => rest,
        [0] => contents,
        [1..=0x7F, ..] => contents,
        _ => return Err(error()),
    };
    if digits.len() > size_of::<u32>() {
        return Err(error());
    }
    Ok(digits.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The same for a count, which may be as large as it likes: one of 2^32 or more is 2^32 - 1.
pub fn count_of(contents: &[u8]) -> der::Result<u32> {
    match contents {
        [1..=0x7F, _, _, _, _, ..] | [0, 0x80..=0xFF, _, _, _, _, ..] => Ok(u32::MAX),
        _ => u32_of(contents),
    }
}

/// An object identifier with these contents, in numbers and dots (X.690, section 8.19). Its numbers may be as large as 2^128 - 1, as
/// in an identifier made of a UUID (X.667, section 7); where one is larger, or is cut, the contents are shown in hexadecimal.
pub fn oid_to_text(contents: &[u8]) -> String {
    let arcs: Option<Vec<u128>> = contents
        .split_inclusive(|octet| octet & 0x80 == 0)
        .map(|arc| {
            let number = arc
                .iter()
                .try_fold(0_u128, |number, octet| Some(number.checked_mul(0x80)? | u128::from(octet & 0x7F)))?;
            arc.last().is_some_and(|octet| octet & 0x80 == 0).then_some(number)
        })
        .collect();
    let Some((first, others)) = arcs.as_deref().and_then(|arcs| arcs.split_first()) else {
        return format!("#{}", crate::key_pair::hex(contents));
    };
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - 40 * top);
    for arc in others {
        text.push_str(&format!(".{arc}"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use der::Encode;
    use der::asn1::{OctetString, SetOfVec};

    use super::*;

    #[test]
    fn elements_are_as_the_crate_der_writes_them() {
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000] {
            let octets = vec![7; length];
            let split = octets.split_at(length / 2);
            let written = element(OCTET_STRING, &[split.0, split.1]);
            assert_eq!(written, OctetString::new(octets).unwrap().to_der().unwrap(), "{length}");
        }
        for number in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 10_000, 600_000, u32::MAX] {
            assert_eq!(integer(number), number.to_der().unwrap(), "{number}");
            assert_eq!(Elements::of(&integer(number)).next_u32(), Ok(number));
        }
        let set = SetOfVec::try_from(vec![300_u32, 2, 70_000]).unwrap().to_der().unwrap();
        assert_eq!(set_of(vec![integer(70_000), integer(2), integer(300)]), set);
    }

    #[test]
    fn numbers_that_der_does_not_have_are_errors() {
        for bad in [&[][..], &[0, 0x7F], &[0, 0], &[0x80], &[0xFF, 0xFF], &[1, 0, 0, 0, 0], &[0, 0x80, 0, 0, 0, 0]] {
            assert!(Elements::of(&element(INTEGER, &[bad])).next_u32().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_an_error() {
        let der = element(SEQUENCE, &[&integer(5), NULL]);
        let mut elements = Elements::within(SEQUENCE, &der).unwrap();
        assert!(elements.next(OCTET_STRING).is_err());
        assert!(Elements::within(SET, &der).is_err());
        for length in 0..der.len() {
            assert!(Elements::within(SEQUENCE, der.get(..length).unwrap()).is_err(), "{length}");
        }
        assert!(Elements::of(NULL).finish().is_err());
    }
}
