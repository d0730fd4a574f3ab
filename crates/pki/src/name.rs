//! Names (RFC 5280, section 4.1.2.4) as texts, whatever string type holds them, and whether two of them match.

use der::asn1::{Any, PrintableStringRef};
use der::oid::ObjectIdentifier;
use der::oid::db::{rfc3280, rfc4519};
use der::{Decode, Encode, ErrorKind, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RelativeDistinguishedName};

use crate::element::{
    self, Element, Elements, IA5_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, UTF8_STRING, element,
    oid_to_text, set_of,
};
use crate::key_pair::hex;

/// The tag of a UniversalString (X.680, section 8.6).
const UNIVERSAL_STRING: u8 = 0x1C;

/// The attributes that are known by name (RFC 4514, section 3, and RFC 5280, section 4.1.2.4), with the string type that their values
/// have (RFC 5280, appendix A.1). The table that `x509-cert` reads names with has every object identifier there is, and would make up a
/// tenth of the page.
pub const ATTRIBUTES: [(&str, ObjectIdentifier, u8); 17] = [
    ("CN", rfc4519::CN, UTF8_STRING),
    ("O", rfc4519::O, UTF8_STRING),
    ("OU", rfc4519::OU, UTF8_STRING),
    ("C", rfc4519::C, PRINTABLE_STRING),
    ("ST", rfc4519::ST, UTF8_STRING),
    ("L", rfc4519::L, UTF8_STRING),
    ("STREET", rfc4519::STREET, UTF8_STRING),
    ("DC", rfc4519::DC, IA5_STRING),
    ("UID", rfc4519::UID, UTF8_STRING),
    ("SN", rfc4519::SN, UTF8_STRING),
    ("givenName", rfc4519::GIVEN_NAME, UTF8_STRING),
    ("initials", rfc4519::INITIALS, UTF8_STRING),
    ("generationQualifier", rfc4519::GENERATION_QUALIFIER, UTF8_STRING),
    ("title", rfc4519::TITLE, UTF8_STRING),
    ("dnQualifier", rfc4519::DN_QUALIFIER, PRINTABLE_STRING),
    ("serialNumber", rfc4519::SERIAL_NUMBER, PRINTABLE_STRING),
    ("emailAddress", rfc3280::EMAIL_ADDRESS, IA5_STRING),
];

/// Reads a Name. Lengths that take more octets than they need are shortened, and the texts of UniversalString become those of UTF8String: the
/// crate `der` knows neither. A signature is verified over the bytes that came, and not over these.
///
/// # Errors
/// It is not a Name.
pub fn read(name: &[u8]) -> der::Result<Name> {
    let attribute = |attribute: Element<'_>| {
        let mut attribute = Elements::within(SEQUENCE, attribute.whole)?;
        let oid = attribute.next(OBJECT_IDENTIFIER)?;
        let Element { tag, contents, .. } = attribute.next_element()?;
        attribute.finish()?;
        let value = match tag {
            UNIVERSAL_STRING => element(UTF8_STRING, &[utf_32(contents)?.as_bytes()]),
            tag => element(tag, &[contents]),
        };
        Ok(element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[oid]), &value]))
    };
    let rdn = |rdn: Element<'_>| {
        let attributes = Elements::of(rdn.contents).map(|part| attribute(part?)).collect::<der::Result<Vec<_>>>()?;
        Ok(element(rdn.tag, &[&attributes.concat()]))
    };
    let rdns = Elements::within(SEQUENCE, name)?.map(|part| rdn(part?)).collect::<der::Result<Vec<_>>>()?;
    Name::from_der(&element(SEQUENCE, &[&rdns.concat()]))
}

/// The text of a UniversalString: four octets for each character.
fn utf_32(octets: &[u8]) -> der::Result<String> {
    let (characters, rest) = octets.as_chunks();
    let text = characters.iter().map(|character| char::from_u32(u32::from_be_bytes(*character))).collect::<Option<_>>();
    text.filter(|_| rest.is_empty()).ok_or_else(|| ErrorKind::Value { tag: Tag::Utf8String }.into())
}

/// The text that an attribute's value holds; none where it holds no text.
///
/// Some programs put characters into a PrintableString or an IA5String that do not belong there. They are read as UTF-8, or else as Latin-1,
/// which is also how TeletexString is read: so does OpenSSL, and so do those who write it.
pub fn text_of(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String => core::str::from_utf8(bytes).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::NumericString => {
            Some(core::str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), str::to_owned))
        }
        Tag::TeletexString => Some(latin_1(bytes)),
        Tag::BmpString => {
            let (units, rest) = bytes.as_chunks();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        _ => None,
    }
}

pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// An attribute as RFC 4514 writes it, such as `O=Example`, but for one thing: an attribute without a name in [`ATTRIBUTES`] is shown with its
/// text, too.
pub fn attribute_to_text(AttributeTypeAndValue { oid, value }: &AttributeTypeAndValue) -> String {
    let known = ATTRIBUTES.iter().find(|(_, known, _)| known == oid);
    let mut shown = known.map_or_else(|| oid_to_text(oid.as_bytes()), |(name, ..)| (*name).to_owned());
    shown.push('=');
    let Some(text) = text_of(value) else {
        shown.push('#');
        shown.push_str(&hex(&value.to_der().unwrap_or_default()));
        return shown;
    };
    let last = text.chars().count().saturating_sub(1);
    for (place, c) in text.chars().enumerate() {
        match c {
            '#' if place == 0 => shown.push_str("\\#"),
            ' ' if place == 0 || place == last => shown.push_str("\\ "),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => shown.extend(['\\', c]),
            // Control characters, and those that turn the direction of a text around to show another one (Unicode Standard Annex 9).
            '\0'..='\x1F' | '\x7F' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    shown.extend(["\\", &hex(&[byte])]);
                }
            }
            _ => shown.push(c),
        }
    }
    shown
}

/// A name as RFC 4514 writes it: the most significant part last.
pub fn to_text(name: &Name) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|rdn| rdn.iter().map(attribute_to_text).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

/// The same name in the string types that a CA writes (RFC 5280, section 4.1.2.4): texts in UTF8String, or in PrintableString where they are and
/// may be, and those of a few attributes in the types of [`ATTRIBUTES`].
///
/// # Errors
/// The name cannot be encoded.
pub fn to_standard_types(name: &Name) -> der::Result<Name> {
    let attribute = |AttributeTypeAndValue { oid, value }: &AttributeTypeAndValue| {
        let value = match text_of(value) {
            Some(text) => {
                let is_printable = PrintableStringRef::new(&text).is_ok();
                let wanted = ATTRIBUTES.iter().find(|(_, known, _)| known == oid).map_or(UTF8_STRING, |(.., tag)| *tag);
                let tag = match wanted {
                    PRINTABLE_STRING if is_printable => PRINTABLE_STRING,
                    IA5_STRING if text.is_ascii() => IA5_STRING,
                    _ if is_printable && value.tag() == Tag::PrintableString => PRINTABLE_STRING,
                    _ => UTF8_STRING,
                };
                element(tag, &[text.as_bytes()])
            }
            None => value.to_der()?,
        };
        Ok(element(SEQUENCE, &[&element::oid(*oid), &value]))
    };
    let rdn = |rdn: &RelativeDistinguishedName| Ok(set_of(rdn.iter().map(attribute).collect::<der::Result<_>>()?));
    let rdns = name.iter_rdn().map(rdn).collect::<der::Result<Vec<_>>>()?;
    Name::from_der(&element(SEQUENCE, &[&rdns.concat()]))
}

/// True if two names match (RFC 5280, section 7.1): the same attributes in the same order, with texts that differ at most in their string
/// type, in case, and in spaces.
pub fn is_match(one: &Name, other: &Name) -> bool {
    one.iter_rdn().count() == other.iter_rdn().count()
        && one.iter_rdn().zip(other.iter_rdn()).all(|(one, other)| prepared(one) == prepared(other))
}

/// The result of [`key_of`]: one entry for each relative distinguished name. A subtree of names begins with the entries of its base (RFC 5280,
/// section 4.2.1.10).
pub(crate) type NameKey = Vec<Vec<Vec<u8>>>;

/// A key that two names share exactly if they match.
pub(crate) fn key_of(name: &Name) -> NameKey {
    name.iter_rdn().map(prepared).collect()
}

/// The attributes of a relative distinguished name, whose order does not matter, ready to be compared: type, and text or else value.
fn prepared(rdn: &RelativeDistinguishedName) -> Vec<Vec<u8>> {
    let mut attributes: Vec<_> = rdn
        .iter()
        .map(|AttributeTypeAndValue { oid, value }| {
            let value = text_of(value).map_or_else(
                || value.to_der().unwrap_or_default(),
                |text| element(UTF8_STRING, &[prepared_text(&text).as_bytes()]),
            );
            element(SEQUENCE, &[&element::oid(*oid), &value])
        })
        .collect();
    attributes.sort_unstable();
    attributes
}

/// A text as caseIgnoreMatch compares it (RFC 4518, section 2): without what cannot be seen, without case, and with one space for several.
/// Compatibility normalization (section 2.3) is left out: a CA copies its own name, and its tables would be a large part of a program.
fn prepared_text(text: &str) -> String {
    let mut folded = String::new();
    for c in text.chars().filter(|c| !is_mapped_to_nothing(*c)) {
        match c {
            // Where folding differs from lowercase.
            'ß' | 'ẞ' => folded.push_str("ss"),
            'ς' => folded.push('σ'),
            c => folded.extend(c.to_lowercase()),
        }
    }
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// RFC 4518, section 2.2.
fn is_mapped_to_nothing(c: char) -> bool {
    matches!(c,
        '\0'..='\u{8}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{6DD}' | '\u{70F}'
        | '\u{1806}' | '\u{180B}'..='\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2063}'
        | '\u{206A}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFC}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0001}' | '\u{E0020}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use core::str::FromStr;

    use super::*;
    use crate::element::{SET, oid};

    /// A name with this one attribute, an organization, in this string type.
    fn organization(tag: Tag, value: &[u8]) -> Name {
        let attribute = element(SEQUENCE, &[&oid(rfc4519::O), &Any::new(tag, value).unwrap().to_der().unwrap()]);
        Name::from_der(&element(SEQUENCE, &[&element(SET, &[&attribute])])).unwrap()
    }

    #[test]
    fn a_text_is_the_same_in_every_string_type() {
        let utf_8 = organization(Tag::Utf8String, "Müller & Söhne".as_bytes());
        let utf_16: Vec<u8> = "Müller & Söhne".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let latin_1 = b"M\xFCller & S\xF6hne";
        for (tag, value) in [
            (Tag::BmpString, utf_16.as_slice()),
            (Tag::TeletexString, latin_1),
            (Tag::PrintableString, latin_1),
            (Tag::PrintableString, "Müller & Söhne".as_bytes()),
            (Tag::Ia5String, latin_1),
        ] {
            let other = organization(tag, value);
            assert!(is_match(&utf_8, &other), "{tag:?}");
            assert_eq!(to_text(&other), "O=Müller & Söhne", "{tag:?}");
        }
    }

    #[test]
    fn what_the_crate_der_does_not_know_is_read() {
        let utf_32: Vec<u8> = "Müller".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        let with = |value: Vec<u8>| {
            let attribute = element(SEQUENCE, &[&oid(rfc4519::O), &value]);
            element(SEQUENCE, &[&element(SET, &[&attribute])])
        };
        let universal = read(&with(element(UNIVERSAL_STRING, &[&utf_32]))).unwrap();
        assert_eq!(to_text(&universal), "O=Müller");
        assert!(is_match(&universal, &organization(Tag::Utf8String, "müller".as_bytes())));
        let long = read(&with([&[UTF8_STRING, 0x81, 6], &b"Muller"[..]].concat())).unwrap();
        assert_eq!(to_text(&long), "O=Muller");
        for bad in [&[0, 0, 0][..], &[0, 0x11, 0, 0], &[0, 0, 0xD8, 0]] {
            assert!(read(&with(element(UNIVERSAL_STRING, &[bad]))).is_err());
        }
        for bad in [&b""[..], &[0x30, 1], &[0x30, 2, 0x31, 1], &[0x31, 0]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let attribute = [oid(rfc4519::O), element(UTF8_STRING, &[b"Muller"])].concat();
        for (rdn, attribute_tag) in [(SET, 0x81), (0x81, SEQUENCE)] {
            let odd = element(SEQUENCE, &[&element(rdn, &[&element(attribute_tag, &[&attribute])])]);
            assert!(read(&odd).is_err(), "{rdn} {attribute_tag}");
        }
    }

    #[test]
    fn a_ca_writes_texts_in_the_string_types_of_today() {
        let types = |name: &Name| -> Vec<Tag> {
            to_standard_types(name).unwrap().iter().map(|attribute| attribute.value.tag()).collect()
        };
        assert_eq!(types(&organization(Tag::TeletexString, b"M\xFCller")), [Tag::Utf8String]);
        assert_eq!(types(&organization(Tag::PrintableString, b"Example")), [Tag::PrintableString], "as it is");
        assert_eq!(types(&organization(Tag::PrintableString, b"Example & Sons")), [Tag::Utf8String]);
        assert_eq!(types(&organization(Tag::Integer, &[5])), [Tag::Integer], "no text");
        let name = Name::from_str("CN=Ada+SERIALNUMBER=1,DC=example,C=US").unwrap();
        assert!(is_match(&name, &to_standard_types(&name).unwrap()));
        let tags = [Tag::PrintableString, Tag::Ia5String];
        assert_eq!(types(&name).get(..2), Some(&tags[..]), "C and DC");
    }

    #[test]
    fn case_and_spaces_do_not_matter_and_all_else_does() {
        let name = Name::from_str("CN=Ada Example,O=Example,C=US").unwrap();
        for same in [
            "CN=ADA EXAMPLE,O=example,C=us",
            "CN=Ada   Example,O=Example\\ ,C=US",
            "CN=Ada\u{A0}Example,O=Example,C=US",
            "CN=A\u{FE0F}da Exa\u{2060}mple,O=Exam\u{AD}ple,C=US",
        ] {
            assert!(is_match(&name, &Name::from_str(same).unwrap()), "{same}");
        }
        for other in [
            "CN=Ada Example,O=Example",
            "CN=Ada Example,C=US,O=Example",
            "CN=AdaExample,O=Example,C=US",
            "CN=Ada Example,OU=Example,C=US",
            "CN=Ada Example+O=Example,C=US",
            "CN=Ada Exämple,O=Example,C=US",
        ] {
            assert!(!is_match(&name, &Name::from_str(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn case_is_folded_where_lowercase_does_not_do_it() {
        let name = |text: &str| Name::from_str(text).unwrap();
        assert!(is_match(&name("CN=Stra\u{DF}e"), &name("CN=STRASSE")));
        assert!(is_match(&name("CN=\u{3BF}\u{3C2}"), &name("CN=\u{39F}\u{3A3}")));
    }

    #[test]
    fn an_attribute_of_a_large_number_is_not_shown_as_one_of_a_small() {
        // 2.5.4.4294967306, which is 2.5.4.10 in 32 bits.
        let id = [0x55, 0x04, 0x90, 0x80, 0x80, 0x80, 0x0A];
        let attribute = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[&id]), &element(UTF8_STRING, &[b"Bank"])]);
        if let Ok(name) = read(&element(SEQUENCE, &[&element(SET, &[&attribute])])) {
            assert_eq!(to_text(&name), "2.5.4.4294967306=Bank");
        }
    }

    #[test]
    fn the_order_within_one_part_does_not_matter() {
        let [one, other] =
            ["CN=Ada+SERIALNUMBER=1,C=US", "SERIALNUMBER=1+CN=Ada,C=US"].map(|text| Name::from_str(text).unwrap());
        assert!(is_match(&one, &other));
        assert!(!is_match(&one, &Name::from_str("CN=Ada+SERIALNUMBER=2,C=US").unwrap()));
    }

    #[test]
    fn what_turns_a_text_around_is_shown_as_what_it_is() {
        let name = organization(Tag::Utf8String, "moc.elpmaxe\u{202E}\u{7}".as_bytes());
        assert_eq!(to_text(&name), "O=moc.elpmaxe\\e2\\80\\ae\\07");
    }

    #[test]
    fn what_is_no_text_is_compared_and_shown_as_it_is() {
        let number = organization(Tag::Integer, &[5]);
        assert!(is_match(&number, &organization(Tag::Integer, &[5])));
        assert!(!is_match(&number, &organization(Tag::Integer, &[6])));
        assert_eq!(to_text(&number), "O=#020105");
        assert_eq!(text_of(&Any::new(Tag::BmpString, [0xD8, 0]).unwrap()), None, "half a character");
        assert_eq!(text_of(&Any::new(Tag::BmpString, [0]).unwrap()), None);
    }
}
