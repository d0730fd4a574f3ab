//! Names (RFC 5280, section 4.1.2.4) as texts, whatever string type holds them, and whether two of them match.

use core::fmt;

use der::asn1::PrintableStringRef;
use der::oid::ObjectIdentifier;
use der::oid::db::{rfc3280, rfc4519};

use crate::element::{
    BMP_STRING, Element, Elements, IA5_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING,
    element, oid_to_text, set_of, unexpected,
};
use crate::key_pair::hex;

/// The tag of a NumericString (X.680, section 8.6).
const NUMERIC_STRING: u8 = 0x12;
/// The tag of a TeletexString.
const TELETEX_STRING: u8 = 0x14;
/// The tag of a VisibleString.
const VISIBLE_STRING: u8 = 0x1A;
/// The tag of a UniversalString.
const UNIVERSAL_STRING: u8 = 0x1C;

/// The attributes that are known by name (RFC 4514, section 3, and RFC 5280, section 4.1.2.4), with the string type that their values
/// have (RFC 5280, appendix A.1). The table of `x509-cert` has every object identifier there is, and would make up a
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

/// An attribute of a name, an AttributeTypeAndValue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The contents of its type, an OBJECT IDENTIFIER of any size.
    id: Vec<u8>,
    tag: u8,
    contents: Vec<u8>,
}

impl Attribute {
    /// Reads one from the elements of its SEQUENCE.
    fn read(attribute: &Element<'_>) -> der::Result<Self> {
        let mut attribute = Elements::within(SEQUENCE, attribute.whole)?;
        let id = attribute.next(OBJECT_IDENTIFIER)?;
        let Element { tag, contents, .. } = attribute.next_element()?;
        attribute.finish()?;
        // The last octet of an object identifier has its first bit clear (X.690, section 8.19).
        if id.last().is_none_or(|octet| octet & 0x80 != 0) {
            return Err(unexpected(OBJECT_IDENTIFIER));
        }
        Ok(Self { id: id.to_vec(), tag, contents: contents.to_vec() })
    }

    /// One of this type, whose value has this tag and these contents.
    pub fn new(id: ObjectIdentifier, tag: u8, contents: &[u8]) -> Self {
        Self { id: id.as_bytes().to_vec(), tag, contents: contents.to_vec() }
    }

    fn to_der(&self) -> Vec<u8> {
        element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[&self.id]), &self.value()])
    }

    /// Its value, DER.
    fn value(&self) -> Vec<u8> {
        element(self.tag, &[&self.contents])
    }

    /// The tag of its value.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// True if it is of this type.
    pub fn is(&self, id: ObjectIdentifier) -> bool {
        self.id == id.as_bytes()
    }

    /// Its type in numbers and dots.
    pub fn id(&self) -> String {
        oid_to_text(&self.id)
    }

    /// True if both are of the same type.
    pub fn is_of_type_of(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// The text that its value holds: see [`text_of`].
    pub fn text(&self) -> Option<String> {
        text_of(self.tag, &self.contents)
    }

    /// True if both are of the same type and have the same text, or the same value where it is none.
    pub fn is_same(&self, other: &Self) -> bool {
        let is_same_value = match (self.text(), other.text()) {
            (Some(one), Some(other)) => one == other,
            _ => (self.tag, &self.contents) == (other.tag, &other.contents),
        };
        self.is_of_type_of(other) && is_same_value
    }
}

impl fmt::Display for Attribute {
    /// As RFC 4514 writes it, such as `O=Example`, but for one thing: an attribute without a name in [`ATTRIBUTES`] is shown with its
    /// text, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ATTRIBUTES.iter().find(|(_, known, _)| self.is(*known));
        match known {
            Some((name, ..)) => f.write_str(name)?,
            None => f.write_str(&self.id())?,
        }
        f.write_str("=")?;
        let Some(text) = self.text() else {
            f.write_str("#")?;
            return f.write_str(&hex(&self.value()));
        };
        f.write_str(&escaped(&text))
    }
}

/// A text as RFC 4514, section 2.4, writes it in a name.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
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

/// A RelativeDistinguishedName: the attributes of one part of a name. One that was read has the order of DER, whatever order it came in.
pub type RelativeDistinguishedName = Vec<Attribute>;

/// A Name: the most significant part first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(Vec<RelativeDistinguishedName>);

impl Name {
    /// One of these parts, the most significant first.
    pub fn new(rdns: Vec<RelativeDistinguishedName>) -> Self {
        Self(rdns)
    }

    /// Reads DER. Lengths may take more octets than they need, and sets be in any order: a signature is verified over the bytes that came, and not
    /// over these.
    ///
    /// # Errors
    /// It is not a Name.
    pub fn from_der(der: &[u8]) -> der::Result<Self> {
        let rdn = |rdn: der::Result<Element<'_>>| {
            let attributes = Elements::within(SET, rdn?.whole)?;
            let attributes = attributes.map(|attribute| Ok(Attribute::read(&attribute?)?.to_der()));
            let in_order = set_of(attributes.collect::<der::Result<_>>()?);
            Elements::within(SET, &in_order)?.map(|attribute| Attribute::read(&attribute?)).collect()
        };
        Elements::within(SEQUENCE, der)?.map(rdn).collect::<der::Result<_>>().map(Self)
    }

    /// Encodes it.
    pub fn to_der(&self) -> Vec<u8> {
        let rdns: Vec<_> = self.0.iter().map(|rdn| set_of(rdn.iter().map(Attribute::to_der).collect())).collect();
        element(SEQUENCE, &[&rdns.concat()])
    }

    /// Its parts, the most significant first.
    pub fn rdns(&self) -> &[RelativeDistinguishedName] {
        &self.0
    }

    /// The attributes of all its parts.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter().flatten()
    }
}

impl fmt::Display for Name {
    /// As RFC 4514 writes it: the most significant part last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rdn) in self.0.iter().rev().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            for (place, attribute) in rdn.iter().enumerate() {
                if place > 0 {
                    f.write_str("+")?;
                }
                attribute.fmt(f)?;
            }
        }
        Ok(())
    }
}

/// The text of a UniversalString: four octets for each character.
fn utf_32(octets: &[u8]) -> Option<String> {
    let (characters, rest) = octets.as_chunks();
    let text = characters.iter().map(|character| char::from_u32(u32::from_be_bytes(*character))).collect::<Option<_>>();
    text.filter(|_| rest.is_empty())
}

/// The text that a value with this tag and these contents holds; none where it holds no text.
///
/// Some programs put characters into a PrintableString or an IA5String that do not belong there. They are read as UTF-8, or else as Latin-1,
/// which is also how TeletexString is read: so does OpenSSL, and so do those who write it.
pub fn text_of(tag: u8, contents: &[u8]) -> Option<String> {
    match tag {
        UTF8_STRING => core::str::from_utf8(contents).ok().map(str::to_owned),
        PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING | NUMERIC_STRING => {
            Some(core::str::from_utf8(contents).map_or_else(|_| latin_1(contents), str::to_owned))
        }
        TELETEX_STRING => Some(latin_1(contents)),
        BMP_STRING => {
            let (units, rest) = contents.as_chunks();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        UNIVERSAL_STRING => utf_32(contents),
        _ => None,
    }
}

pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The same name in the string types that a CA writes (RFC 5280, section 4.1.2.4): texts in UTF8String, or in PrintableString where they are and
/// may be, and those of a few attributes in the types of [`ATTRIBUTES`].
pub fn to_standard_types(name: &Name) -> Name {
    let attribute = |attribute: &Attribute| {
        let Some(text) = attribute.text() else { return attribute.clone() };
        let is_printable = PrintableStringRef::new(&text).is_ok();
        let known = ATTRIBUTES.iter().find(|(_, known, _)| attribute.is(*known));
        let tag = match known.map_or(UTF8_STRING, |(.., tag)| *tag) {
            PRINTABLE_STRING if is_printable => PRINTABLE_STRING,
            IA5_STRING if text.is_ascii() => IA5_STRING,
            _ if is_printable && attribute.tag == PRINTABLE_STRING => PRINTABLE_STRING,
            _ => UTF8_STRING,
        };
        Attribute { id: attribute.id.clone(), tag, contents: text.into_bytes() }
    };
    Name(name.0.iter().map(|rdn| rdn.iter().map(attribute).collect()).collect())
}

/// True if two names match (RFC 5280, section 7.1): the same attributes in the same order, with texts that differ at most in their string
/// type, in case, and in spaces.
pub fn is_match(one: &Name, other: &Name) -> bool {
    one.0.len() == other.0.len() && one.0.iter().zip(&other.0).all(|(one, other)| prepared(one) == prepared(other))
}

/// The result of [`key_of`]: one entry for each relative distinguished name. A subtree of names begins with the entries of its base (RFC 5280,
/// section 4.2.1.10).
pub(crate) type NameKey = Vec<Vec<Vec<u8>>>;

/// A key that two names share exactly if they match.
pub(crate) fn key_of(name: &Name) -> NameKey {
    name.0.iter().map(|rdn| prepared(rdn)).collect()
}

/// The attributes of a relative distinguished name, whose order does not matter, ready to be compared: type, and text or else value.
fn prepared(rdn: &[Attribute]) -> Vec<Vec<u8>> {
    let mut attributes: Vec<_> = rdn
        .iter()
        .map(|attribute| {
            let value = match attribute.text() {
                Some(text) => element(UTF8_STRING, &[prepared_text(&text).as_bytes()]),
                None => attribute.value(),
            };
            element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[&attribute.id]), &value])
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
    use crate::element::{INTEGER, oid};

    /// A name with this one attribute, an organization, in this string type.
    fn organization(tag: u8, value: &[u8]) -> Name {
        let attribute = element(SEQUENCE, &[&oid(rfc4519::O), &element(tag, &[value])]);
        Name::from_der(&element(SEQUENCE, &[&element(SET, &[&attribute])])).unwrap()
    }

    #[test]
    fn a_text_is_the_same_in_every_string_type() {
        let utf_8 = organization(UTF8_STRING, "Müller & Söhne".as_bytes());
        let utf_16: Vec<u8> = "Müller & Söhne".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let latin_1 = b"M\xFCller & S\xF6hne";
        for (tag, value) in [
            (BMP_STRING, utf_16.as_slice()),
            (TELETEX_STRING, latin_1),
            (PRINTABLE_STRING, latin_1),
            (PRINTABLE_STRING, "Müller & Söhne".as_bytes()),
            (IA5_STRING, latin_1),
        ] {
            let other = organization(tag, value);
            assert!(is_match(&utf_8, &other), "{tag:?}");
            assert_eq!(other.to_string(), "O=Müller & Söhne", "{tag:?}");
        }
    }

    #[test]
    fn what_few_programs_write_is_read() {
        let utf_32: Vec<u8> = "Müller".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        let with = |value: Vec<u8>| {
            let attribute = element(SEQUENCE, &[&oid(rfc4519::O), &value]);
            element(SEQUENCE, &[&element(SET, &[&attribute])])
        };
        let universal = Name::from_der(&with(element(UNIVERSAL_STRING, &[&utf_32]))).unwrap();
        assert_eq!(universal.to_string(), "O=Müller");
        assert!(is_match(&universal, &organization(UTF8_STRING, "müller".as_bytes())));
        let long = Name::from_der(&with([&[UTF8_STRING, 0x81, 6], &b"Muller"[..]].concat())).unwrap();
        assert_eq!(long.to_string(), "O=Muller");
        for odd in [&[0, 0, 0][..], &[0, 0x11, 0, 0], &[0, 0, 0xD8, 0]] {
            let odd = Name::from_der(&with(element(UNIVERSAL_STRING, &[odd]))).unwrap();
            assert!(odd.to_string().starts_with("O=#1c"), "{odd}");
        }
        for bad in [&b""[..], &[0x30, 1], &[0x30, 2, 0x31, 1], &[0x31, 0]] {
            assert!(Name::from_der(bad).is_err(), "{bad:?}");
        }
        let attribute = [oid(rfc4519::O), element(UTF8_STRING, &[b"Muller"])].concat();
        for (rdn, attribute_tag) in [(SET, 0x81), (0x81, SEQUENCE)] {
            let odd = element(SEQUENCE, &[&element(rdn, &[&element(attribute_tag, &[&attribute])])]);
            assert!(Name::from_der(&odd).is_err(), "{rdn} {attribute_tag}");
        }
    }

    #[test]
    fn a_ca_writes_texts_in_the_string_types_of_today() {
        let types = |name: &Name| -> Vec<u8> { to_standard_types(name).attributes().map(Attribute::tag).collect() };
        assert_eq!(types(&organization(TELETEX_STRING, b"M\xFCller")), [UTF8_STRING]);
        assert_eq!(types(&organization(PRINTABLE_STRING, b"Example")), [PRINTABLE_STRING], "as it is");
        assert_eq!(types(&organization(PRINTABLE_STRING, b"Example & Sons")), [UTF8_STRING]);
        assert_eq!(types(&organization(INTEGER, &[5])), [INTEGER], "no text");
        let name = Name::from_str("CN=Ada+SERIALNUMBER=1,DC=example,C=US").unwrap();
        assert!(is_match(&name, &to_standard_types(&name)));
        let tags = [PRINTABLE_STRING, IA5_STRING];
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
        let name = Name::from_der(&element(SEQUENCE, &[&element(SET, &[&attribute])])).unwrap();
        assert_eq!(name.to_string(), "2.5.4.4294967306=Bank");
        assert!(!name.attributes().any(|attribute| attribute.is(rfc4519::O)));
    }

    #[test]
    fn an_attribute_may_be_of_any_type() {
        let name = |id: &[u8], text: &str| {
            let attribute =
                element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[id]), &element(UTF8_STRING, &[text.as_bytes()])]);
            Name::from_der(&element(SEQUENCE, &[&element(SET, &[&attribute])]))
        };
        // 2.25 and a UUID (X.667, section 7).
        let uuid = [&[0x69, 0x83][..], &[0xFF; 17], &[0x7F]].concat();
        let made = name(&uuid, "Ada").unwrap();
        assert_eq!(made.to_string(), "2.25.340282366920938463463374607431768211455=Ada");
        assert!(is_match(&made, &name(&uuid, "ADA").unwrap()));
        assert_eq!(Name::from_der(&made.to_der()).as_ref(), Ok(&made));
        let long = name(&[&[0x2A][..], &[0x81; 100], &[1]].concat(), "Ada").unwrap();
        assert!(!is_match(&made, &long));
        assert!(long.to_string().ends_with("=Ada"));
        for bad in [&[][..], &[0x81], &[0x2A, 0x81]] {
            assert!(name(bad, "Ada").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_order_within_one_part_does_not_matter() {
        let attributes = [(rfc4519::CN, "Ada"), (rfc4519::SERIAL_NUMBER, "1")]
            .map(|(id, text)| Attribute::new(id, UTF8_STRING, text.as_bytes()).to_der());
        let unordered = element(SEQUENCE, &[&element(SET, &[&attributes.concat()])]);
        assert_eq!(Name::from_der(&unordered).unwrap().to_string(), "serialNumber=1+CN=Ada");
        let [one, other] =
            ["CN=Ada+SERIALNUMBER=1,C=US", "SERIALNUMBER=1+CN=Ada,C=US"].map(|text| Name::from_str(text).unwrap());
        assert!(is_match(&one, &other));
        assert!(!is_match(&one, &Name::from_str("CN=Ada+SERIALNUMBER=2,C=US").unwrap()));
    }

    #[test]
    fn what_turns_a_text_around_is_shown_as_what_it_is() {
        let name = organization(UTF8_STRING, "moc.elpmaxe\u{202E}\u{7}".as_bytes());
        assert_eq!(name.to_string(), "O=moc.elpmaxe\\e2\\80\\ae\\07");
    }

    #[test]
    fn what_is_no_text_is_compared_and_shown_as_it_is() {
        let number = organization(INTEGER, &[5]);
        assert!(is_match(&number, &organization(INTEGER, &[5])));
        assert!(!is_match(&number, &organization(INTEGER, &[6])));
        assert_eq!(number.to_string(), "O=#020105");
        assert_eq!(text_of(BMP_STRING, &[0xD8, 0]), None, "half a character");
        assert_eq!(text_of(BMP_STRING, &[0]), None);
    }
}
