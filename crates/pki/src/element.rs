//! Elements of DER (X.690): a tag, a length, and contents.
//!
//! What the main job's worker writes and reads, and the subject that the page makes, is put together of these by hand: the same in typed
//! structures, with a codec for each, would make the worker twice as large, and it is loaded by everybody who makes a key. What comes from
//! elsewhere is read with types.
//! No function here is inlined, for the same reason.

use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use der::{Decode, ErrorKind, Reader, SliceReader, Tag, Tagged};

/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// NULL, whole.
pub const NULL: &[u8] = &[0x05, 0];
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag of a UTF8String.
pub const UTF8_STRING: u8 = 0x0C;
/// The tag of a PrintableString.
pub const PRINTABLE_STRING: u8 = 0x13;
/// The tag of an IA5String.
pub const IA5_STRING: u8 = 0x16;
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

/// Reads one element after the other.
pub struct Elements<'a>(SliceReader<'a>);

impl<'a> Elements<'a> {
    /// The elements in the one element with `tag` that `der` is, to the last byte.
    #[inline(never)]
    pub fn within(tag: Tag, der: &'a [u8]) -> der::Result<Self> {
        let element = AnyRef::from_der(der)?;
        if element.tag() == tag {
            Self::of(element.value())
        } else {
            Err(element.tag().unexpected_error(Some(tag)).into())
        }
    }

    /// The elements that `contents` are.
    #[inline(never)]
    pub fn of(contents: &'a [u8]) -> der::Result<Self> {
        SliceReader::new(contents).map(Self)
    }

    /// The contents of the next element, which has `tag`.
    #[inline(never)]
    pub fn next(&mut self, tag: Tag) -> der::Result<&'a [u8]> {
        let element = AnyRef::decode(&mut self.0)?;
        if element.tag() == tag { Ok(element.value()) } else { Err(element.tag().unexpected_error(Some(tag)).into()) }
    }

    /// The next element, whole.
    #[inline(never)]
    pub fn next_whole(&mut self) -> der::Result<&'a [u8]> {
        self.0.tlv_bytes()
    }

    /// The next element, whole, unless its first byte is another than `tag`, or there is none.
    #[inline(never)]
    pub fn skip(&mut self, tag: u8) -> der::Result<()> {
        if !self.0.is_finished() && self.0.clone().read_byte()? == tag {
            self.next_whole()?;
        }
        Ok(())
    }

    /// The next element, a SEQUENCE.
    #[inline(never)]
    pub fn next_sequence(&mut self) -> der::Result<Self> {
        Self::of(self.next(Tag::Sequence)?)
    }

    /// The next element, an OBJECT IDENTIFIER.
    #[inline(never)]
    pub fn next_oid(&mut self) -> der::Result<ObjectIdentifier> {
        ObjectIdentifier::from_bytes(self.next(Tag::ObjectIdentifier)?).map_err(|_| ErrorKind::OidMalformed.into())
    }

    /// The next element, an INTEGER from 0 to 2^32 - 1.
    #[inline(never)]
    pub fn next_u32(&mut self) -> der::Result<u32> {
        let bytes = self.next(Tag::Integer)?;
        let error = || der::Error::from(ErrorKind::Overflow);
        let digits = match bytes {
            [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => rest,
            [0] => bytes,
            [1..=0x7F, ..] => bytes,
            _ => return Err(error()),
        };
        if digits.len() > size_of::<u32>() {
            return Err(error());
        }
        Ok(digits.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Whether there is no further element.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Makes sure that there is no further element.
    pub fn finish(self) -> der::Result<()> {
        self.0.finish()
    }
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
            assert_eq!(Elements::of(&integer(number)).unwrap().next_u32(), Ok(number));
        }
        let set = SetOfVec::try_from(vec![300_u32, 2, 70_000]).unwrap().to_der().unwrap();
        assert_eq!(set_of(vec![integer(70_000), integer(2), integer(300)]), set);
    }

    #[test]
    fn numbers_that_der_does_not_have_are_errors() {
        for bad in [&[][..], &[0, 0x7F], &[0, 0], &[0x80], &[0xFF, 0xFF], &[1, 0, 0, 0, 0], &[0, 0x80, 0, 0, 0, 0]] {
            assert!(Elements::of(&element(INTEGER, &[bad])).unwrap().next_u32().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_an_error() {
        let der = element(SEQUENCE, &[&integer(5), NULL]);
        let mut elements = Elements::within(Tag::Sequence, &der).unwrap();
        assert!(elements.next(Tag::OctetString).is_err());
        assert!(Elements::within(Tag::Set, &der).is_err());
        for length in 0..der.len() {
            assert!(Elements::within(Tag::Sequence, der.get(..length).unwrap()).is_err(), "{length}");
        }
        assert!(Elements::of(NULL).unwrap().finish().is_err());
    }
}
