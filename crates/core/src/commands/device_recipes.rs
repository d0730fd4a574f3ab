//! Commands that make key and certification request on the device itself, ready to be typed into its shell.
//!
//! Every value is quoted: a name is what somebody typed.

use der::oid::ObjectIdentifier;
use der::oid::db::rfc4519;
use keyside_pki::name::{Attribute, Name};

use crate::domain::key_size::KeySize;

/// What stands for a name of which no file name can be made.
const NAMELESS: &str = "device";
/// The alias of the key in keytool's keystore.
const ALIAS: &str = "device";

/// The attribute types that both programs know by this name; others are written as dotted numbers.
const KEYWORDS: [(ObjectIdentifier, &str); 7] = [
    (rfc4519::CN, "CN"),
    (rfc4519::OU, "OU"),
    (rfc4519::O, "O"),
    (rfc4519::L, "L"),
    (rfc4519::ST, "ST"),
    (rfc4519::C, "C"),
    (rfc4519::DC, "DC"),
];

/// How to make a key and its certification request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipes {
    /// OpenSSL: makes the key, without a passphrase, and the request.
    pub openssl: String,
    /// Java's keytool: makes the key in a keystore.
    pub keytool_key: String,
    /// Java's keytool: writes the request.
    pub keytool_request: String,
    /// Java's keytool: takes the certificate and its chain from a P7B file of this name.
    pub keytool_import: String,
}

/// The recipes for a device with this subject; absent if a value in it is no text.
pub fn recipes(subject: &Name, device_name: &str, key_size: KeySize) -> Option<Recipes> {
    let file = |extension: &str| quoted(&format!("{}.{extension}", file_stem(device_name)));
    let keystore = file("p12");
    Some(Recipes {
        openssl: format!(
            "openssl req -new -newkey rsa:{key_size} -nodes -keyout {} -utf8 -subj {} -out {}",
            file("key"),
            quoted(&openssl_subject(subject)?),
            file("csr")
        ),
        keytool_key: format!(
            "keytool -genkeypair -alias {ALIAS} -keyalg RSA -keysize {key_size} -sigalg SHA256withRSA -dname {} \
             -storetype PKCS12 -keystore {keystore}",
            quoted(&keytool_name(subject)?)
        ),
        keytool_request: format!(
            "keytool -certreq -alias {ALIAS} -sigalg SHA256withRSA -keystore {keystore} -file {}",
            file("csr")
        ),
        keytool_import: format!("keytool -importcert -alias {ALIAS} -keystore {keystore} -file {}", file("p7b")),
    })
}

/// `text` as one word of a POSIX shell (POSIX.1-2017, volume 3, section 2.2.2).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The name as `openssl req -subj` takes it: the most significant part first, a backslash before what would end a value.
fn openssl_subject(subject: &Name) -> Option<String> {
    let mut text = String::new();
    for rdn in subject.rdns() {
        for (place, attribute) in rdn.iter().enumerate() {
            text.push(if place == 0 { '/' } else { '+' });
            text.push_str(&attribute_text(attribute, "", &['/', '+', '\\'])?);
        }
    }
    Some(text)
}

/// The name as keytool takes it: RFC 2253, the most significant part last.
fn keytool_name(subject: &Name) -> Option<String> {
    let mut parts = Vec::new();
    for rdn in subject.rdns() {
        let attributes: Option<Vec<String>> = rdn
            .iter()
            .map(|attribute| attribute_text(attribute, "OID.", &[',', '+', '"', '\\', '<', '>', ';', '=', '#']))
            .collect();
        parts.push(attributes?.join("+"));
    }
    parts.reverse();
    Some(parts.join(", "))
}

/// `type=value`, with a backslash before each character of the value that is `special`.
fn attribute_text(attribute: &Attribute, oid_prefix: &str, special: &[char]) -> Option<String> {
    let value = attribute.text()?;
    let mut escaped = String::new();
    for character in value.chars() {
        if special.contains(&character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    let keyword = KEYWORDS.iter().find(|(id, _)| attribute.is(*id));
    Some(match keyword {
        Some((_, keyword)) => format!("{keyword}={escaped}"),
        None => format!("{oid_prefix}{}={escaped}", attribute.id()),
    })
}

/// The device's name as far as it can stand in a file's name on every system and in every shell.
fn file_stem(device_name: &str) -> String {
    let replaced = device_name.replace(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')), "-");
    match replaced.trim_matches(['.', '-']) {
        "" => NAMELESS.into(),
        stem => stem.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::domain::distinguished_name::SubjectTemplate;

    fn made_for(template: &str, name: &str) -> Recipes {
        let template: SubjectTemplate = template.parse().unwrap();
        recipes(&template.subject(name), name, KeySize::Rsa2048).unwrap()
    }

    #[test]
    fn a_plain_name_gives_plain_commands() {
        let recipes = made_for("CN={common_name},OU=Devices,O=Example Grid Operator,C=US", "rig-1");
        assert_eq!(
            recipes.openssl,
            "openssl req -new -newkey rsa:2048 -nodes -keyout 'rig-1.key' -utf8 \
             -subj '/C=US/O=Example Grid Operator/OU=Devices/CN=rig-1' -out 'rig-1.csr'"
        );
        assert_eq!(
            recipes.keytool_key,
            "keytool -genkeypair -alias device -keyalg RSA -keysize 2048 -sigalg SHA256withRSA \
             -dname 'CN=rig-1, OU=Devices, O=Example Grid Operator, C=US' -storetype PKCS12 -keystore 'rig-1.p12'"
        );
        assert_eq!(
            recipes.keytool_request,
            "keytool -certreq -alias device -sigalg SHA256withRSA -keystore 'rig-1.p12' -file 'rig-1.csr'"
        );
        assert_eq!(recipes.keytool_import, "keytool -importcert -alias device -keystore 'rig-1.p12' -file 'rig-1.p7b'");
    }

    #[test]
    fn nothing_in_a_name_ends_its_value_or_its_word() {
        let recipes = made_for("CN={common_name},O=Grid\\, Inc.", r#"O'Brien/RIG+1 $(id) `x` "q" \ =, #;<>&"#);
        assert!(
            recipes.openssl.contains(r#" -subj '/O=Grid, Inc./CN=O'\''Brien\/RIG\+1 $(id) `x` "q" \\ =, #;<>&' -out"#),
            "{}",
            recipes.openssl
        );
        assert!(
            recipes.keytool_key.contains(
                r#" -dname 'CN=O'\''Brien/RIG\+1 $(id) `x` \"q\" \\ \=\, \#\;\<\>&, O=Grid\, Inc.' -storetype"#
            ),
            "{}",
            recipes.keytool_key
        );
        assert!(recipes.openssl.contains("-keyout 'O-Brien-RIG-1---id---x---q.key'"), "{}", recipes.openssl);
    }

    #[test]
    fn a_file_name_is_an_option_or_a_path_to_nobody() {
        for (name, stem) in
            [("-rf", "rf"), ("../../etc/passwd", "etc-passwd"), (".", "device"), ("漢字", "device"), ("a b", "a-b")]
        {
            assert_eq!(file_stem(name), stem);
        }
    }

    #[test]
    fn other_attribute_types_are_numbers() {
        let recipes = made_for("CN={common_name},serialNumber=7,C=US", "rig-1");
        assert!(recipes.openssl.contains("'/C=US/2.5.4.5=7/CN=rig-1'"), "{}", recipes.openssl);
        assert!(recipes.keytool_key.contains("'CN=rig-1, OID.2.5.4.5=7, C=US'"), "{}", recipes.keytool_key);
    }
}
