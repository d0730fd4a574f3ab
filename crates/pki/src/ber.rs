//! BER (X.690, section 8) made DER, as far as PKCS#7 and PKCS#12 files need it.
//!
//! NSS and Apple write indefinite lengths and strings in segments, which the crate `der` reads in few places. Lengths become definite
//! and as short as can be, and each OCTET STRING one piece; all else stays as it is, so DER stays the same, byte by byte.

use der::{ErrorKind, Tag};
use zeroize::Zeroizing;

/// How deep structures may be nested; a PFX from NSS has 13 levels in all its layers.
const MAXIMUM_DEPTH: usize = 64;
/// What definite lengths can take more than indefinite ones: a byte for each level and 64 KiB, in a file of at most 1 MiB.
const GROWTH: usize = 1024;

/// Bit 6 of an identifier octet: what follows are further elements.
const CONSTRUCTED: u8 = 0x20;
/// The five bits of the tag number, all set where it goes on in the next octet.
const LONG_TAG_NUMBER: u8 = 0x1f;
const INDEFINITE_LENGTH: u8 = 0x80;
const END_OF_CONTENTS: [u8; 2] = [0, 0];

const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// `[0]`, primitive.
const CONTEXT_0: u8 = 0x80;

/// Makes one BER element DER. What comes after it is an error.
///
/// The result is wiped when dropped: what was decrypted may be BER as well.
pub(super) fn to_der(ber: &[u8]) -> der::Result<Zeroizing<Vec<u8>>> {
    // Enough from the start: a vector that grows leaves copies behind.
    let mut der = Zeroizing::new(Vec::with_capacity(ber.len() + GROWTH));
    let rest = copy_element(ber, &mut der, 0)?;
    if rest.is_empty() { Ok(der) } else { Err(ErrorKind::Overlength.into()) }
}

/// The bytes after the first element.
///
/// # Errors
/// There is no whole element at the start.
pub(super) fn rest_after_first(ber: &[u8]) -> der::Result<&[u8]> {
    rest_after(ber, 0)
}

fn rest_after(ber: &[u8], depth: usize) -> der::Result<&[u8]> {
    let header = read_header(ber)?;
    match header.contents {
        Some(_) => Ok(header.rest),
        None => for_each_element(&header, depth, rest_after),
    }
}

/// An element's identifier octet, and where its contents are.
struct Header<'a> {
    identifier: u8,
    /// The contents, if their length is definite.
    contents: Option<&'a [u8]>,
    /// What comes after the contents, or after the header where the length is indefinite.
    rest: &'a [u8],
}

impl Header<'_> {
    fn is_constructed(&self) -> bool {
        self.identifier & CONSTRUCTED != 0
    }
}

fn read_header(input: &[u8]) -> der::Result<Header<'_>> {
    let cut = || der::Error::from(ErrorKind::Length { tag: Tag::Null });
    let (&identifier, rest) = input.split_first().ok_or_else(cut)?;
    if identifier & LONG_TAG_NUMBER == LONG_TAG_NUMBER {
        return Err(ErrorKind::TagNumberInvalid.into());
    }
    let (&first, rest) = rest.split_first().ok_or_else(cut)?;
    if first == INDEFINITE_LENGTH {
        return Ok(Header { identifier, contents: None, rest });
    }
    let (length, rest) = match first {
        0..INDEFINITE_LENGTH => (usize::from(first), rest),
        _ => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & !INDEFINITE_LENGTH)).ok_or_else(cut)?;
            let length = octets.iter().try_fold(0_u32, |length, &octet| {
                length.checked_mul(0x100).map(|length| length | u32::from(octet)).ok_or(ErrorKind::Overflow)
            })?;
            (usize::try_from(length).map_err(|_| ErrorKind::Overflow)?, rest)
        }
    };
    let (contents, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    Ok(Header { identifier, contents: Some(contents), rest })
}

/// Copies the first element of `input`. Returns what comes after it.
fn copy_element<'a>(input: &'a [u8], der: &mut Vec<u8>, depth: usize) -> der::Result<&'a [u8]> {
    let header = read_header(input)?;
    if header.identifier == OCTET_STRING | CONSTRUCTED {
        return copy_segments(&header, OCTET_STRING, der, depth);
    }
    let start = der.len();
    if !header.is_constructed() {
        // X.690, section 8.1.3.2: what is primitive has a definite length.
        der.extend_from_slice(header.contents.ok_or(ErrorKind::IndefiniteLength)?);
        insert_header(header.identifier, start, der)?;
        return Ok(header.rest);
    }
    let mut before = Before::default();
    let rest = for_each_element(&header, depth, |element, depth| {
        let within = read_header(element)?;
        let rest = if header.identifier == SEQUENCE && before.is_encrypted_content(within.identifier) {
            copy_segments(&within, CONTEXT_0, der, depth)?
        } else {
            copy_element(element, der, depth)?
        };
        before.push(within.identifier);
        Ok(rest)
    })?;
    insert_header(header.identifier, start, der)?;
    Ok(rest)
}

/// The identifier octets of the elements that came before in a SEQUENCE, up to two.
#[derive(Default)]
struct Before(Vec<u8>);

impl Before {
    /// Whether an element after these is the encryptedContent of an EncryptedContentInfo (RFC 5652, section 6.1), in segments.
    ///
    /// Its tag is implicit, so that it cannot be told by the tag alone; but no other SEQUENCE of PKCS#7 and PKCS#12 has a
    /// constructed `[0]` after an OBJECT IDENTIFIER and a SEQUENCE.
    fn is_encrypted_content(&self, identifier: u8) -> bool {
        identifier == CONTEXT_0 | CONSTRUCTED && self.0 == [OBJECT_IDENTIFIER, SEQUENCE]
    }

    fn push(&mut self, identifier: u8) {
        // A third one rules it out as well.
        if self.0.len() <= 2 {
            self.0.push(identifier);
        }
    }
}

/// Writes a string that comes in segments (X.690, section 8.7.3) in one piece. Returns what comes after it.
fn copy_segments<'a>(header: &Header<'a>, identifier: u8, der: &mut Vec<u8>, depth: usize) -> der::Result<&'a [u8]> {
    let start = der.len();
    let rest = join_segments(header, der, depth)?;
    insert_header(identifier, start, der)?;
    Ok(rest)
}

fn join_segments<'a>(header: &Header<'a>, der: &mut Vec<u8>, depth: usize) -> der::Result<&'a [u8]> {
    for_each_element(header, depth, |element, depth| {
        let segment = read_header(element)?;
        match (segment.identifier, segment.contents) {
            (OCTET_STRING, Some(contents)) => {
                der.extend_from_slice(contents);
                Ok(segment.rest)
            }
            (identifier, _) if identifier == OCTET_STRING | CONSTRUCTED => join_segments(&segment, der, depth),
            _ => Err(ErrorKind::TagUnexpected { expected: Some(Tag::OctetString), actual: Tag::Null }.into()),
        }
    })
}

/// Hands what begins with each element in a constructed one to `each`, which returns what comes after the element. Returns what comes
/// after the constructed one.
fn for_each_element<'a>(
    header: &Header<'a>,
    depth: usize,
    mut each: impl FnMut(&'a [u8], usize) -> der::Result<&'a [u8]>,
) -> der::Result<&'a [u8]> {
    if depth >= MAXIMUM_DEPTH {
        return Err(ErrorKind::NestingDepth.into());
    }
    if let Some(mut contents) = header.contents {
        while !contents.is_empty() {
            contents = each(contents, depth + 1)?;
        }
        return Ok(header.rest);
    }
    let mut rest = header.rest;
    loop {
        if let Some(after) = rest.strip_prefix(&END_OF_CONTENTS) {
            return Ok(after);
        }
        rest = each(rest, depth + 1)?;
    }
}

/// Makes all that was written from `start` on the contents of an element, with the shortest length (X.690, section 10.1).
fn insert_header(identifier: u8, start: usize, der: &mut Vec<u8>) -> der::Result<()> {
    let length = u32::try_from(der.len() - start).map_err(|_| ErrorKind::Overflow)?;
    let octets = length.to_be_bytes();
    let significant = octets.iter().copied().skip_while(|&octet| octet == 0);
    let header: Vec<u8> = match u8::try_from(length) {
        Ok(short) if short < INDEFINITE_LENGTH => vec![identifier, short],
        _ => {
            [identifier, INDEFINITE_LENGTH | significant.clone().count() as u8].into_iter().chain(significant).collect()
        }
    };
    der.splice(start..start, header);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        base16ct::lower::decode_vec(hex.replace(' ', "")).unwrap()
    }

    #[test]
    fn der_stays_as_it_is() {
        for der in [
            include_bytes!("../../../tests/vectors/certification_path/leaf.der").as_slice(),
            include_bytes!("../../../tests/vectors/pfx/openssl.p12"),
            include_bytes!("../../../tests/vectors/encrypted_private_key/scrypt.der"),
        ] {
            assert_eq!(*to_der(der).unwrap(), der);
        }
    }

    #[test]
    fn indefinite_lengths_become_definite() {
        assert_eq!(*to_der(&bytes("3080 020103 3080 0000 0000")).unwrap(), bytes("3005 020103 3000"));
        // X.690, section 8.1.3.5: a length may take more octets than it needs.
        assert_eq!(*to_der(&bytes("308400000004 02810103")).unwrap(), bytes("3003 020103"));
    }

    #[test]
    fn segments_become_one_piece() {
        let one_piece = bytes("0403 010203");
        for segments in ["2480 040101 04020203 0000", "2407 040101 04020203", "2480 2480 0401010000 2404 04020203 0000"]
        {
            assert_eq!(*to_der(&bytes(segments)).unwrap(), one_piece, "{segments}");
        }
        assert_eq!(*to_der(&bytes("2480 0000")).unwrap(), bytes("0400"));
    }

    #[test]
    fn encrypted_content_is_told_from_what_is_explicit() {
        // A ContentInfo of a type 1.2 that holds an OCTET STRING, and an EncryptedContentInfo of that type.
        assert_eq!(
            *to_der(&bytes("3080 06012a a080 2480 040101 0000 0000 0000")).unwrap(),
            bytes("3008 06012a a003 040101")
        );
        assert_eq!(
            *to_der(&bytes("3080 06012a 3000 a080 040101 040102 0000 0000")).unwrap(),
            bytes("3009 06012a 3000 8002 0102")
        );
        assert_eq!(
            *to_der(&bytes("3080 06012a 3000 0500 a080 040101 0000 0000")).unwrap(),
            bytes("300c 06012a 3000 0500 a003 040101")
        );
    }

    #[test]
    fn lengths_of_every_size_are_written() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let mut ber = bytes("24 80 04 84");
            ber.extend(u32::try_from(length).unwrap().to_be_bytes());
            ber.extend(vec![1; length]);
            ber.extend(END_OF_CONTENTS);
            let der = to_der(&ber).unwrap();
            let string = <der::asn1::OctetString as der::Decode>::from_der(&der).unwrap();
            assert_eq!(string.as_bytes().len(), length);
        }
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        for bad in [
            "",
            "30",
            "3080",
            "3080 0201",
            "3080 020103",
            "3080 020103 00",
            "3003 0201",
            "3002 0203",
            "30ff",
            "3085 0100000000",
            "0480 0000",
            "2403 020101",
            "2480 0500 0000",
            "2480 3000 0000",
            "3f0100",
            "3000 00",
            "3080 0000 0000",
        ] {
            assert!(to_der(&bytes(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels: usize| {
            to_der(&[[0x30, INDEFINITE_LENGTH].repeat(levels), END_OF_CONTENTS.repeat(levels)].concat())
        };
        assert!(nested(MAXIMUM_DEPTH).is_ok());
        assert!(nested(MAXIMUM_DEPTH + 1).is_err());
        assert!(nested(500_000).is_err());
        let segments = |levels: usize| {
            to_der(&[[0x24, INDEFINITE_LENGTH].repeat(levels), END_OF_CONTENTS.repeat(levels)].concat())
        };
        assert!(segments(500_000).is_err());
    }
}
