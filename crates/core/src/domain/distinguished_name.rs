//! The subject of a request: a template from the configuration, with the Common Name filled in.

use core::str::FromStr;

use der::asn1::PrintableStringRef;
use der::oid::ObjectIdentifier;
use der::oid::db::rfc4519;
use keyside_pki::element::{Elements, IA5_STRING, PRINTABLE_STRING, UTF8_STRING};
use keyside_pki::name::{ATTRIBUTES, Attribute, Name, RelativeDistinguishedName};

/// ub-common-name of RFC 5280, appendix A.1, in characters.
pub const MAXIMUM_COMMON_NAME_LENGTH: usize = 64;
/// What stands for the Common Name in a template.
const PLACEHOLDER: &str = "{common_name}";
/// The text for the company in a template.
const COMPANY: &str = "{company}";

/// Why a text cannot be a Common Name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommonNameFault {
    /// There is nothing but white space.
    #[error("there is no Common Name")]
    Empty,
    /// It is longer than [`MAXIMUM_COMMON_NAME_LENGTH`]; the characters found.
    #[error("a Common Name has at most {MAXIMUM_COMMON_NAME_LENGTH} characters; this has {0}")]
    TooLong(usize),
    /// It begins or ends with white space.
    #[error("the Common Name begins or ends with a space")]
    Untrimmed,
    /// It has two spaces in a row, which look like one.
    #[error("the Common Name has two spaces in a row")]
    DoubleSpace,
    /// It has a control character, a format character or a space of another kind: none can be seen.
    #[error("the Common Name has an invisible character")]
    Invisible,
}

/// Checks that `text` can be a Common Name as it stands.
pub fn check_common_name(text: &str) -> Result<(), CommonNameFault> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        Err(CommonNameFault::Empty)
    } else if text.trim().len() != text.len() {
        Err(CommonNameFault::Untrimmed)
    } else if length > MAXIMUM_COMMON_NAME_LENGTH {
        Err(CommonNameFault::TooLong(length))
    } else if text.contains("  ") {
        Err(CommonNameFault::DoubleSpace)
    } else if text.chars().any(is_invisible) {
        Err(CommonNameFault::Invisible)
    } else {
        Ok(())
    }
}

/// True if a character cannot be seen, or changes how others are seen: control, format (Unicode's general category Cf), white space but for the
/// space itself, what Unicode says to ignore where it cannot be shown (Default_Ignorable_Code_Point), the blank of Braille, and what is for private
/// use. An officer who compares names must see what is there.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
            | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{E000}'..='\u{F8FF}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}'
            | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
            | '\u{F0000}'..='\u{10FFFF}')
}

/// Why a text is not a subject template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectTemplateFault {
    /// It is not an RFC 4514 string.
    #[error("a subject template is written as RFC 4514 says, as in “CN={PLACEHOLDER},O=Example,C=US”")]
    Syntax,
    /// The name of an attribute is none of [`ATTRIBUTES`].
    #[error(
        "“{0}” is not the name of an attribute that is known here; its object identifier in numbers can stand in its place"
    )]
    UnknownAttribute(String),
    /// The text cannot be an attribute's value.
    #[error("“{0}” has characters that this attribute cannot have")]
    Value(String),
    /// It must have `CN={common_name}` exactly once, in a relative distinguished name of its own.
    #[error("a subject template has CN={PLACEHOLDER} exactly once")]
    CommonName,
    /// `{company}` can be the value of one attribute, in a relative distinguished name of its own.
    #[error("a subject template has {COMPANY} at most once, as the whole value of an attribute, as in O={COMPANY}")]
    Company,
}

/// Returns true if a subject template, as RFC 4514 writes it, has a place for the company.
pub fn has_company(template: &str) -> bool {
    template.contains(COMPANY)
}

/// A subject template with this company in its place, if it has one.
pub fn with_company(template: &str, company: &str) -> String {
    let mut escaped = String::new();
    for character in company.trim().chars() {
        // RFC 4514, section 2.4. A # matters at the beginning only.
        if matches!(character, '"' | '#' | '+' | ',' | ';' | '<' | '>' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    template.replace(COMPANY, &escaped)
}

/// The parts of `text` between separators that have no backslash before them.
fn unescaped(text: &str, separator: char) -> Result<Vec<&str>, SubjectTemplateFault> {
    let (mut parts, mut begin, mut is_escaped) = (Vec::new(), 0, false);
    for (place, c) in text.char_indices() {
        if c == separator && !is_escaped {
            parts.push(text.get(begin..place).ok_or(SubjectTemplateFault::Syntax)?);
            begin = place + separator.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts.push(text.get(begin..).ok_or(SubjectTemplateFault::Syntax)?);
    Ok(parts)
}

/// The name that RFC 4514 writes so.
fn read(text: &str) -> Result<Name, SubjectTemplateFault> {
    // The most significant part is written last and comes first.
    unescaped(text, ',')?.into_iter().rev().map(read_rdn).collect::<Result<_, _>>().map(Name::new)
}

/// A relative distinguished name such as `OU=a+OU=b`.
fn read_rdn(text: &str) -> Result<RelativeDistinguishedName, SubjectTemplateFault> {
    let mut attributes = Vec::new();
    for attribute in unescaped(text, '+')? {
        let attribute = read_attribute(attribute)?;
        if attributes.contains(&attribute) {
            return Err(SubjectTemplateFault::Syntax);
        }
        attributes.push(attribute);
    }
    Ok(attributes)
}

/// An attribute such as `O=Example`.
fn read_attribute(text: &str) -> Result<Attribute, SubjectTemplateFault> {
    let (name, value) = text.split_once('=').ok_or(SubjectTemplateFault::Syntax)?;
    let known = ATTRIBUTES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    let (oid, tag) = match known {
        Some((_, oid, tag)) => (*oid, *tag),
        None => {
            let unknown = |_| SubjectTemplateFault::UnknownAttribute(name.into());
            (ObjectIdentifier::new(name).map_err(unknown)?, UTF8_STRING)
        }
    };
    if let Some(hexadecimal) = value.strip_prefix('#') {
        let der = base16ct::mixed::decode_vec(hexadecimal).map_err(|_| SubjectTemplateFault::Syntax)?;
        let mut elements = Elements::of(&der);
        let value = elements.next_element().map_err(|_| SubjectTemplateFault::Syntax)?;
        elements.finish().map_err(|_| SubjectTemplateFault::Syntax)?;
        return Ok(Attribute::new(oid, value.tag, value.contents));
    }
    let text = without_escapes(value)?;
    let is_possible = match tag {
        PRINTABLE_STRING => PrintableStringRef::new(&text).is_ok(),
        IA5_STRING => text.is_ascii(),
        _ => true,
    };
    if is_possible { Ok(Attribute::new(oid, tag, text.as_bytes())) } else { Err(SubjectTemplateFault::Value(text)) }
}

/// A value without its escapes (RFC 4514, section 2.4): a backslash and the character, or the byte in hexadecimal.
fn without_escapes(value: &str) -> Result<String, SubjectTemplateFault> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().ok_or(SubjectTemplateFault::Syntax)? {
                special @ (b' ' | b'"' | b'#' | b'=' | b'\\' | b'+' | b',' | b';' | b'<' | b'>') => special,
                first => {
                    let pair = [first, rest.next().ok_or(SubjectTemplateFault::Syntax)?];
                    let mut decoded = [0];
                    base16ct::mixed::decode(pair, &mut decoded).map_err(|_| SubjectTemplateFault::Syntax)?;
                    let [byte] = decoded;
                    byte
                }
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| SubjectTemplateFault::Syntax)
}

/// A subject with a place for the Common Name, such as `CN={common_name},OU=Participants,O=Example,C=US`.
///
/// Written as RFC 4514 says: the most significant part last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate(Name);

impl FromStr for SubjectTemplate {
    type Err = SubjectTemplateFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = read(text)?;
        let common_names = name.attributes().filter(|attribute| attribute.is(rfc4519::CN)).count();
        let places = name.rdns().iter().filter(|rdn| is_place(rdn)).count();
        if common_names == 1 && places == 1 { Ok(Self(name)) } else { Err(SubjectTemplateFault::CommonName) }
    }
}

impl SubjectTemplate {
    /// The subject with this Common Name.
    pub fn subject(&self, common_name: &str) -> Name {
        let rdn =
            |rdn: &RelativeDistinguishedName| if is_place(rdn) { vec![attribute(common_name)] } else { rdn.clone() };
        Name::new(self.0.rdns().iter().map(rdn).collect())
    }

    /// The Common Name of `subject`, if it follows this template to the letter, in whatever string types (RFC 5280, section 7.1):
    /// programs choose as they like.
    pub fn common_name_of(&self, subject: &Name) -> Option<String> {
        Some(self.parts_of(subject)?.0)
    }

    /// The same, and the company, if the template has a place for it.
    pub fn parts_of(&self, subject: &Name) -> Option<(String, Option<String>)> {
        let common_name = common_name_of(subject)?;
        let wanted = self.subject(&common_name);
        if wanted.rdns().len() != subject.rdns().len() {
            return None;
        }
        let mut company = None;
        let mut filled = Vec::new();
        for (wanted, found) in wanted.rdns().iter().zip(subject.rdns()) {
            match (wanted.as_slice(), found.as_slice()) {
                ([place], [value]) if is_company(place) && value.is_of_type_of(place) => {
                    company = Some(value.text()?);
                    filled.push(found.clone());
                }
                _ => filled.push(wanted.clone()),
            }
        }
        is_same(&Name::new(filled), subject).then_some((common_name, company))
    }

    /// Returns true if the template has a place for the company.
    ///
    /// # Errors
    /// [`SubjectTemplateFault::Company`] if there are several, or one is a part of a value.
    pub fn has_company(&self) -> Result<bool, SubjectTemplateFault> {
        let mentions = self.0.attributes().filter(|one| one.text().is_some_and(|text| text.contains(COMPANY))).count();
        let places = self.0.rdns().iter().filter(|rdn| matches!(rdn.as_slice(), [only] if is_company(only))).count();
        match (mentions, places) {
            (0, 0) => Ok(false),
            (1, 1) => Ok(true),
            _ => Err(SubjectTemplateFault::Company),
        }
    }

    /// What there is in `subject` that is not as this template with `common_name` has it; empty where it follows the template.
    pub fn differences(&self, common_name: &str, subject: &Name) -> Vec<SubjectDifference> {
        let wanted = self.subject(common_name);
        if is_same(&wanted, subject) {
            return Vec::new();
        }
        let mut missing: Vec<_> = wanted.attributes().collect();
        let mut foreign: Vec<_> = subject.attributes().collect();
        foreign.retain(|found| match missing.iter().position(|wanted| wanted.is_same(found)) {
            Some(place) => {
                missing.remove(place);
                false
            }
            None => true,
        });
        let mut differences = Vec::new();
        for wanted in missing {
            let instead =
                foreign.iter().position(|found| found.is_of_type_of(wanted)).map(|place| foreign.remove(place));
            differences.push(match instead {
                Some(found) => SubjectDifference::Other { wanted: wanted.to_string(), found: found.to_string() },
                None => SubjectDifference::Missing(wanted.to_string()),
            });
        }
        differences.extend(foreign.into_iter().map(|found| SubjectDifference::Foreign(found.to_string())));
        if differences.is_empty() {
            differences.push(SubjectDifference::Order);
        }
        differences
    }
}

/// How a subject differs from what it should be. Attributes are as RFC 4514 writes them: `O=Example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectDifference {
    /// An attribute has another value.
    Other {
        /// What it should be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// An attribute is missing.
    Missing(String),
    /// There is an attribute that should not be there.
    Foreign(String),
    /// Every attribute is there, in another order.
    Order,
}

/// Whether two names have the same attributes with the same texts in the same order.
fn is_same(one: &Name, other: &Name) -> bool {
    let has_all = |one: &RelativeDistinguishedName, other: &RelativeDistinguishedName| {
        one.iter().all(|attribute| other.iter().any(|another| attribute.is_same(another)))
    };
    let (one, other) = (one.rdns(), other.rdns());
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.len() == other.len() && has_all(one, other))
}

/// The first Common Name of `name`.
pub fn common_name_of(name: &Name) -> Option<String> {
    name.attributes().find(|attribute| attribute.is(rfc4519::CN)).and_then(|attribute| attribute.text())
}

/// Returns true if the attribute is the place for the company.
fn is_company(attribute: &Attribute) -> bool {
    attribute.text().as_deref() == Some(COMPANY)
}

/// Whether `rdn` is the one that stands for the Common Name.
fn is_place(rdn: &[Attribute]) -> bool {
    rdn == [attribute(PLACEHOLDER)]
}

/// The attribute of a Common Name, a UTF8String (RFC 5280, section 4.1.2.4).
fn attribute(common_name: &str) -> Attribute {
    Attribute::new(rfc4519::CN, UTF8_STRING, common_name.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use der::Encode;
    use x509_cert::name::RdnSequence;

    use super::*;

    const TEMPLATE: &str = "CN={common_name},OU=Participants & External Users,O=Example,C=US";

    #[test]
    fn the_common_name_is_filled_in_and_found_again() {
        let template: SubjectTemplate = TEMPLATE.parse().unwrap();
        for common_name in ["Ada Example", "Zoë, \"Example\" + #1", "O=Other"] {
            let subject = template.subject(common_name);
            assert_eq!(subject.rdns().len(), 4);
            assert_eq!(template.common_name_of(&subject).as_deref(), Some(common_name));
        }
        let subject = template.subject("Ada Example");
        assert!(subject.to_string().starts_with("CN=Ada Example,OU=Participants"));
    }

    #[test]
    fn a_company_is_filled_in_and_found_again() {
        const TEMPLATE: &str = "CN={common_name},OU=Participants,O={company},C=US";
        let template: SubjectTemplate = TEMPLATE.parse().unwrap();
        assert_eq!(template.has_company(), Ok(true));
        assert!(has_company(TEMPLATE) && !has_company(super::tests::TEMPLATE));
        for company in ["Example Power & Light", "A, \"B\" + #1 <C>; D\\E=F", "#1", "Zoë"] {
            let filled: SubjectTemplate = with_company(TEMPLATE, company).parse().unwrap();
            let subject = filled.subject("Ada Example");
            let parts = Some(("Ada Example".to_owned(), Some(company.to_owned())));
            assert_eq!(template.parts_of(&subject), parts, "{subject}");
            assert_eq!(template.common_name_of(&subject).as_deref(), Some("Ada Example"));
        }
        for foreign in [
            "CN=Ada,OU=Participants,O=A,O=B,C=US",
            "CN=Ada,OU=Participants,C=US",
            "CN=Ada,OU=Others,O=A,C=US",
            "CN=Ada,OU=Participants,L=A,C=US",
            "CN=Ada,OU=Participants,O=A+OU=B,C=US",
            "OU=Participants,O=A,C=US",
        ] {
            assert_eq!(template.parts_of(&Name::from_str(foreign).unwrap()), None, "{foreign}");
        }
    }

    #[test]
    fn a_company_has_one_place() {
        for (text, found) in [
            ("CN={common_name},O=Example", Ok(false)),
            ("CN={common_name},OU={company},O=Example", Ok(true)),
            ("CN={common_name},OU={company},O={company}", Err(SubjectTemplateFault::Company)),
            ("CN={common_name},O=The {company}", Err(SubjectTemplateFault::Company)),
            ("CN={common_name},O={company}+OU=A", Err(SubjectTemplateFault::Company)),
        ] {
            assert_eq!(text.parse::<SubjectTemplate>().unwrap().has_company(), found, "{text}");
        }
    }

    #[test]
    fn a_foreign_subject_is_not_taken() {
        let template: SubjectTemplate = TEMPLATE.parse().unwrap();
        for foreign in [
            "CN=Ada Example,OU=Participants & External Users,O=Other,C=US",
            "CN=Ada Example,OU=Participants & External Users,O=Example",
            "OU=Participants & External Users,O=Example,C=US",
            "CN=Ada,CN=Ada,OU=Participants & External Users,O=Example,C=US",
        ] {
            let name = Name::from_str(foreign).unwrap();
            assert_eq!(template.common_name_of(&name), None, "{foreign}");
        }
    }

    #[test]
    fn every_encoding_of_a_text_is_the_same() {
        let template: SubjectTemplate = TEMPLATE.parse().unwrap();
        let printable = [(rfc4519::C, "US"), (rfc4519::O, "Example")];
        let text = [(rfc4519::OU, "Participants & External Users"), (rfc4519::CN, "Ada Example")];
        let printable = printable.map(|(id, text)| vec![Attribute::new(id, PRINTABLE_STRING, text.as_bytes())]);
        let text = text.map(|(id, text)| vec![Attribute::new(id, IA5_STRING, text.as_bytes())]);
        let subject = Name::new(printable.into_iter().chain(text).collect());
        assert_ne!(subject, template.subject("Ada Example"));
        assert_eq!(template.common_name_of(&subject).as_deref(), Some("Ada Example"));
        assert_eq!(template.differences("Ada Example", &subject), []);
    }

    #[test]
    fn differences_are_named() {
        let template: SubjectTemplate = "CN={common_name},OU=Devices,O=Example,C=US".parse().unwrap();
        let other = |wanted: &str, found: &str| SubjectDifference::Other { wanted: wanted.into(), found: found.into() };
        for (subject, expected) in [
            ("CN=rig-1,OU=Devices,O=Example,C=US", vec![]),
            ("CN=rig-2,OU=Devices,O=Example,C=US", vec![other("CN=rig-1", "CN=rig-2")]),
            ("CN=rig-1,O=Example,C=US", vec![SubjectDifference::Missing("OU=Devices".into())]),
            ("CN=rig-1,OU=Devices,O=Example,L=Folsom,C=US", vec![SubjectDifference::Foreign("L=Folsom".into())]),
            ("CN=rig-1,OU=Devices,C=US,O=Example", vec![SubjectDifference::Order]),
            (
                "CN=rig-1,OU=Devices,O=Other",
                vec![SubjectDifference::Missing("C=US".into()), other("O=Example", "O=Other")],
            ),
        ] {
            let found = template.differences("rig-1", &Name::from_str(subject).unwrap());
            assert_eq!(found, expected, "{subject}");
            assert_eq!(
                template.common_name_of(&Name::from_str(subject).unwrap()).is_some(),
                subject == "CN=rig-2,OU=Devices,O=Example,C=US" || expected.is_empty()
            );
        }
    }

    #[test]
    fn a_template_has_one_place_for_the_common_name() {
        for text in ["O=Example", "CN=fixed,O=Example", "CN={common_name},CN=fixed"] {
            assert_eq!(text.parse::<SubjectTemplate>(), Err(SubjectTemplateFault::CommonName), "{text}");
        }
        for text in [
            "nonsense",
            "",
            "CN={common_name},",
            "CN={common_name},O=a\\",
            "CN={common_name},O=\\g0",
            "CN={common_name},O=#0",
        ] {
            assert_eq!(text.parse::<SubjectTemplate>(), Err(SubjectTemplateFault::Syntax), "{text}");
        }
        let unknown = "CN={common_name},hat=top".parse::<SubjectTemplate>();
        assert_eq!(unknown, Err(SubjectTemplateFault::UnknownAttribute("hat".into())));
        let value = "CN={common_name},C=Ö".parse::<SubjectTemplate>();
        assert_eq!(value, Err(SubjectTemplateFault::Value("Ö".into())));
    }

    #[test]
    fn a_template_is_read_as_x509_cert_reads_it() {
        for template in [
            TEMPLATE,
            "CN=Ada Example",
            "cn=Ada,o=One\\, Two,c=US",
            "CN=a\\\"b\\#\\+\\;\\<\\>\\=\\\\",
            "CN=Zo\\c3\\ab,DC=example,DC=com,UID=ada",
            "OU=b+OU=a,O=Example,ST=California,L=Folsom,STREET=1 Main,SN=Example,givenName=Ada,title=Countess,initials=A",
            "serialNumber=12 34,emailAddress=ada@example.com,1.2.3.4=some,O=#0c0141",
            "generationQualifier=I",
        ] {
            let name = read(template).unwrap().to_der();
            assert_eq!(name, RdnSequence::from_str(template).unwrap().to_der().unwrap(), "{template}");
        }
    }

    #[test]
    fn common_name_faults_are_named() {
        assert_eq!(check_common_name("Ada Example"), Ok(()));
        assert_eq!(check_common_name("  "), Err(CommonNameFault::Empty));
        assert_eq!(check_common_name(" Ada"), Err(CommonNameFault::Untrimmed));
        for invisible in [
            "A\u{7}da",
            "Ada\u{200B}Example",
            "Ada\u{A0}Example",
            "Ada \u{202E}elpmaxE",
            "A\u{AD}da",
            "Ada\u{FE0F}",
            "Ada\u{3164}Example",
            "Ada\u{2800}Example",
            "A\u{34F}da",
            "Ada\u{E000}",
            "Ada\u{E0100}",
            "Ada\u{10FFFD}",
        ] {
            assert_eq!(check_common_name(invisible), Err(CommonNameFault::Invisible), "{invisible:?}");
        }
        assert_eq!(check_common_name("Ada  Example"), Err(CommonNameFault::DoubleSpace));
        assert_eq!(check_common_name(&"é".repeat(64)), Ok(()));
        assert_eq!(check_common_name(&"é".repeat(65)), Err(CommonNameFault::TooLong(65)));
    }
}
