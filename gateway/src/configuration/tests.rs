//! Faults of configurations, each found in the annotated example.
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keyside_pki::pem;

use super::*;

/// The fault found in the example after `from` was replaced by `to`.
fn fault(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    let parsed: Result<Config, _> = toml::from_str(&EXAMPLE.replacen(from, to, 1));
    match parsed {
        Ok(config) => checked(&config).first().unwrap().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_not_safe_for_others_is_a_fault_of_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passphrase");
    fs::write(&path, "short\n").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let passphrase = format!("passphrase_file = '{}'\n[ca]", path.display());
    let faults = |changes: &[(&str, &str)]| -> Vec<String> {
        let text = changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        let mut faults = Faults::default();
        toml::from_str::<Config>(&text).unwrap().check_for_production(&mut faults);
        faults.0.iter().map(ToString::to_string).collect()
    };
    let url = "# public_url = \"https://certificates.example.com\"";
    for (from, to, expected) in [
        (url, "public_url = \"http://a.example\"", &["over http"][..]),
        (url, "public_url = \"http://127.0.0.1:8080\"", &[]),
        (DATABASE_URL, "url = \"postgresql://db.example.com/keyside\"", &["sslmode"]),
        (DATABASE_URL, "url = \"postgresql://db.example.com/keyside?sslmode=prefer\"", &["sslmode"]),
        (DATABASE_URL, "url = \"postgresql://db.example.com/keyside?sslmode=verify-full\"", &[]),
        (DATABASE_URL, "url = \"postgresql://keyside@localhost:5433/keyside\"", &[]),
        (DATABASE_URL, "url = \"postgresql:///keyside?host=/run/postgresql\"", &[]),
        (DATABASE_URL, "url = \"postgresql:///keyside?host=%2frun/postgresql\"", &[]),
        (DATABASE_URL, "url = \"postgresql://keyside@%2Frun%2Fpostgresql/keyside\"", &[]),
        ("issuing_validity_days = 3650", "issuing_validity_days = 700", &["issuing_validity_days"; 3]),
        (
            "# passphrase_file = \"/etc/keyside/ca-passphrase\"",
            passphrase.trim_end_matches("\n[ca]"),
            &["chmod 640", "12 characters"],
        ),
    ] {
        let found = faults(&[(from, to)]);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(|(found, expected)| found.contains(expected)), "{found:?}");
    }
    fs::write(&path, "long enough for this\n").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(
        faults(&[("# passphrase_file = \"/etc/keyside/ca-passphrase\"", passphrase.trim_end_matches("\n[ca]"))])
            .is_empty()
    );
}

#[test]
fn a_password_is_not_shown_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyside.toml");
    for url in
        ["url = \"postgresql://keyside:pa/sswd@db/keyside\"", "url = \"postgresql://keyside:pa\"sswd@db/keyside\""]
    {
        fs::write(&path, EXAMPLE.replacen(DATABASE_URL, url, 1)).unwrap();
        let fault = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(fault.contains("line ") && !fault.contains("sswd"), "{fault}");
    }
    fs::write(&path, EXAMPLE.replacen("site_name =", "sites_name =", 1)).unwrap();
    let fault = Config::load(Some(&path)).unwrap_err().to_string();
    assert!(fault.contains("sites_name ="), "{fault}");
}

#[test]
fn files_that_are_named_are_fit_for_their_use() {
    let directory = tempfile::tempdir().unwrap();
    let (path, secret) = (directory.path().join("keyside.toml"), directory.path().join("secret"));
    let smtp = format!(
        "[notifications.smtp]\nhost = 'a.example'\nport = 587\nsecurity = 'starttls'\ntimeout_seconds = 60\nusername = 'a'\npassword_file = '{}'\n",
        secret.display()
    );
    let templates = format!("[notifications]\ntemplates = '{}'", directory.path().join("none").display());
    let faults = |text: &str| -> Vec<String> {
        fs::write(&path, text).unwrap();
        Config::faults(&path).iter().map(ToString::to_string).collect()
    };
    fs::write(&secret, "word").unwrap();
    for (mode, is_fit) in [(0o600, true), (0o440, true), (0o640, true), (0o660, false), (0o604, false)] {
        fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
        let found = faults(&format!("{EXAMPLE}\n{smtp}"));
        assert_eq!(found.iter().any(|fault| fault.contains("chmod 640")), !is_fit, "{mode:o} {found:?}");
    }
    let found = faults(&EXAMPLE.replacen("[notifications]", &templates, 1));
    assert!(found.iter().any(|fault| fault.contains("notifications.templates")), "{found:?}");
    let found = faults(&EXAMPLE.replacen("connections_per_address = ", "connections_per_address = 0 # ", 1));
    assert!(found.iter().any(|fault| fault.contains("connections_per_address")), "{found:?}");
}

#[test]
fn invented_values_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyside.toml");
    fs::write(&path, EXAMPLE).unwrap();
    let found = Config::remains_of_example(&path);
    for key in ["ca.root_subject", "trust.retired.name", "certificate_types.subject_template", "trust.documents.url"] {
        assert!(found.iter().any(|(found, _)| found == key), "{key}: {found:?}");
    }
    fs::write(&path, "a = 'b'\n[c]\nd = ['e']\n").unwrap();
    assert!(Config::remains_of_example(&path).is_empty());
}

fn checked(config: &Config) -> Vec<ConfigError> {
    let mut faults = Faults::default();
    config.check(&mut faults);
    faults.0
}

/// The first retired CA in the example.
const RETIRED_NAME: &str = "name = \"Example Grid Operator Issuing CA (SHA-1)\"";

/// The keys of the connection check in the example.
const CHECK_URL: &str = "# public_url = \"https://certificates.example.com:8443\"";
const CHECK_CERTIFICATE: &str = "# certificate_file = \"/etc/keyside/connection-check.pem\"";
const CHECK_KEY: &str = "# key_file = \"/etc/keyside/connection-check-key.pem\"";

/// TLS on the main listener in the example, and what makes use of it.
const TLS: &str = "# [tls]\n# certificate_file = \"/etc/keyside/tls.pem\"\n# key_file = \"/etc/keyside/tls-key.pem\"";
const TLS_FILES: &str = "[tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls-key.pem\"";

/// The key of the database in the example.
const DATABASE_URL: &str = "# url = \"postgresql://keyside@db.example.com/keyside\"";

#[test]
fn a_connection_check_can_be_anywhere_with_https() {
    for url in ["https://a.example", "https://a.example:8443", "https://192.0.2.1", "https://[2001:db8::1]:8443"] {
        let line = format!("public_url = \"{url}\"");
        let config: Config = toml::from_str(&EXAMPLE.replacen(CHECK_URL, &line, 1)).unwrap();
        assert!(checked(&config).is_empty());
        assert_eq!(config.connection_check.public_url.as_deref(), Some(url));
    }
}

#[test]
fn the_example_is_the_default() {
    let config = Config::load(None).unwrap();
    assert_eq!(config.approval, Approval::Automatic { after_seconds: 5 });
    let types = config.to_api(None).certificate_types;
    let names: Vec<_> = types.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names, ["ISO Employees & Contractors", "Participants & External Users", "Devices"]);
    let for_devices: Vec<_> = types.iter().map(|kind| kind.for_devices).collect();
    assert_eq!(for_devices, [false, false, true]);
}

#[test]
fn an_unknown_key_is_named() {
    for (place, key) in [
        ("badge =", "bagde"),
        ("minimum_length =", "minimun_length"),
        ("validity_days =", "validity_day"),
        ("mode =", "modus"),
        ("kind =", "knid"),
        ("ended =", "endde"),
    ] {
        let fault = fault(place, &format!("{key} = 1\n{place}"));
        assert!(fault.contains(key), "{fault}");
    }
    let fault = fault("mode = \"automatic\"", "mode = \"manual\"");
    assert!(fault.contains("take the line with after_seconds out"), "{fault}");
}

#[test]
fn bad_values_are_named() {
    for (from, to, expected) in [
        ("site_name = \"Keyside\"", "site_name = \" \"", "site_name"),
        ("[2048, 3072, 4096]", "[1024]", "1024"),
        ("[2048, 3072, 4096]", "[]", "key_sizes"),
        ("id = \"participants\"", "id = \"employees\"", "more than one"),
        ("id = \"participants\"", "id = \"Participants\"", "lowercase"),
        ("CN={common_name},OU=ISO", "CN=fixed,OU=ISO", "{common_name}"),
        ("CN={common_name},OU=ISO", "CN={common_name},O={company},OU={company},OU=ISO", "{company} at most once"),
        ("CN={common_name},OU=Devices", "CN={common_name},O={company},OU=Devices", "for people's certificates"),
        ("for_devices = true", "for_devices = \"rig\"", "for_devices"),
        ("# approval = \"authorised\"", "approval = \"automatic\"", "authorised"),
        ("minimum_length = 8", "minimum_length = 7", "between 8 and 128"),
        ("validity_days = 730", "validity_days = 0", "validity_days"),
        ("CN=Keyside Demo Root CA,", "Keyside,", "RFC 4514"),
        ("Keyside Demo Issuing CA", "Keyside Demo Root CA", "ca.issuing_subject"),
        ("timeout_seconds = 30", "timeout_seconds = 0", "limits.timeout_seconds"),
        ("calls_per_minute_and_address = 600", "calls_per_minute_and_address = 0", "nonzero"),
        ("# client_address_header = \"X-Forwarded-For\"", "client_address_header = \"a b\"", "name of a header"),
        ("# public_url = \"https://certificates.example.com\"", "public_url = \"https://a.example/\"", "slash"),
        ("allowed_origins = []", "allowed_origins = [\"a.example\"]", "a.example"),
        ("allowed_origins = []", "allowed_origins = [\"https://a.example/page\"]", "origin"),
        ("https://www.example.com/pki/", "javascript:", "trust.documents"),
        ("title = \"", "title = \"\" # \"", "title is empty"),
        ("kind = \"practice-statement\"", "kind = \"statement\"", "practice-statement"),
        ("ended = \"November 2024\"", "ended = 2024", "2024-11-30"),
        (RETIRED_NAME, "name = \" \"", "name is empty"),
        ("[[links]]", "[[links]]\ntext = \"Run\"\nurl = \"javascript:alert(1)\"\n\n[[links]]", "links “Run”"),
        (CHECK_URL, "public_url = \"http://a.example\"", "connection_check.public_url"),
        (CHECK_URL, "public_url = \"https://a.example/\"", "nothing after the port"),
        (CHECK_URL, "public_url = \"https://\"", "connection_check.public_url"),
        (CHECK_CERTIFICATE, "certificate_file = \"a.pem\"", "belong together"),
        (CHECK_KEY, "key_file = \"a.pem\"", "belong together"),
        ("# [tls]\n", "[tls]\n", "missing field `certificate_file`"),
        (TLS, TLS_FILES, "the https address"),
        (DATABASE_URL, "url = \"mysql://db.example.com/keyside\"", "write a database's URL as in"),
    ] {
        let fault = fault(from, to);
        assert!(fault.contains(expected), "{fault}");
    }
}

#[test]
fn trust_may_be_left_out() {
    let (before, rest) = EXAMPLE.split_once("# The documents that the Trust page").unwrap();
    let (_, after) = rest.split_once("[passphrase]").unwrap();
    let config: Config = toml::from_str(&format!("{before}[passphrase]{after}")).unwrap();
    assert!(checked(&config).is_empty());
    assert_eq!(config.trust.documents_to_api(), []);
    assert_eq!(config.trust.retired_to_api(), []);
}

#[test]
fn a_retired_ca_ends_on_a_date_or_as_words_say() {
    let ended = |to: &str| {
        let config: Config = toml::from_str(&EXAMPLE.replacen("ended = \"November 2024\"", to, 1)).unwrap();
        config.trust.retired_to_api().remove(0).ended
    };
    assert_eq!(ended("ended = \"November 2024\""), "November 2024");
    assert_eq!(ended("ended = 2024-11-30"), "2024-11-30");
}

#[test]
fn the_certificate_of_a_retired_ca_comes_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("retired.pem");
    let line = format!("{RETIRED_NAME}\ncertificate_file = '{}'", path.display());
    let der = include_bytes!("../../../tests/vectors/certification_path/root.der");
    let good = pem::encode(pem::CERTIFICATE, der).unwrap();

    // As PowerShell and other programs write it.
    let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for contents in [good.as_bytes(), der, &utf_16] {
        fs::write(&path, contents).unwrap();
        let config: Config = toml::from_str(&EXAMPLE.replacen(RETIRED_NAME, &line, 1)).unwrap();
        assert_eq!(config.trust.retired_to_api().remove(0).certificate, Some(der.to_vec().into()));
    }

    for (contents, expected) in [
        (good.repeat(2), "2 certificates"),
        (pem::encode(pem::CERTIFICATE, b"nonsense").unwrap(), "DER of a Certificate"),
        ("nonsense".into(), "CERTIFICATE"),
    ] {
        fs::write(&path, contents).unwrap();
        let fault = fault(RETIRED_NAME, &line);
        assert!(fault.contains("retired.pem") && fault.contains(expected), "{fault}");
    }
    fs::remove_file(&path).unwrap();
    assert!(fault(RETIRED_NAME, &line).contains("cannot be read"));
}
