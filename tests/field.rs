//! Files as the programs of the field write them, each with what is right about it. They were rebuilt from public reports of people who
//! could not get on with them; names are invented, and the keys were thrown away.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

use std::fs;
use std::path::PathBuf;

use der::oid::db::rfc5912::RSA_ENCRYPTION;
use keyside_core::inspection::{self, Finding, Found, Surroundings};
use keyside_core::service::device;
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_path::{self, Purpose};
use keyside_pki::certification_request::{CertificationRequest, Oddity};
use keyside_pki::element::{BIT_STRING, Elements, INTEGER, NULL, SEQUENCE, element, oid};
use keyside_pki::error::Error;
use keyside_pki::general_name::GeneralName;
use keyside_pki::pfx::{self, Caveat};
use keyside_pki::{certs_only, pem};

/// 2027-01-15T08:00:00Z: everything is valid then.
const AT: u64 = 1_800_000_000;

/// A request of a device, as most of the files have it.
const DEVICE: &str = "CN=rig-1,OU=Devices,O=Example,C=US";

/// CertificationRequests whose signature is sound, with their subject.
const REQUESTS: [(&str, &str); 12] = [
    // Bouncy Castle leaves the NULL beside rsaEncryption out.
    ("csr16-spki-no-null.pem", DEVICE),
    // Some programs write a SET in the order in which they were told its elements.
    ("csr08-unsorted-attributes.pem", DEVICE),
    ("csr09-unordered-rdn.pem", "serialNumber=1+CN=rig-1,OU=Devices,O=Example,C=US"),
    ("csr03-t61.pem", DEVICE),
    ("csr28-ia5.pem", DEVICE),
    ("csr02-bmp-cn.pem", DEVICE),
    ("csr10-printable-ampersand.pem", "CN=rig_1,OU=Devices,O=Example & Sons,C=US"),
    ("csr21-pss.pem", DEVICE),
    // phpseclib and PKI.js leave the attributes out where there are none.
    ("csr01-no-attributes.pem", DEVICE),
    ("csr14-version1.pem", DEVICE),
    // A length in more octets than it needs.
    ("csr22-ber-length.pem", DEVICE),
    ("csr33-san-utf8-dns.pem", DEVICE),
];

/// Files and texts with one CertificationRequest, whatever stands around it and however it is written.
const TEXTS: [&str; 15] = [
    // Exchange Server and PowerShell write UTF-16.
    "csr06-utf16le-bom.txt",
    "csr07-cisco-terminal.txt",
    "csr07b-bare-base64.txt",
    "csr17-quoted-mail.txt",
    "csr17b-em-dash.txt",
    "csr17d-four-dashes.txt",
    "csr17f-literal-backslash-n.txt",
    "csr17l-lines-76-indented.txt",
    "csr18b-der-trailing-newline.csr",
    "csr19b-latin1-comment.txt",
    // KeyStore Explorer and .NET write 76 characters in a line.
    "csr30-76-columns.pem",
    "csr30b-one-base64-line.pem",
    // node-forge does not sort what is in a SET.
    "t10b-forge-csr-order.pem",
    "csr_two_unsorted.der",
    "csr_unsorted_RDN.der",
];

/// Files for the Inspector, each with the kinds of the things in it, in order.
const FILES: [(&str, &[&str]); 15] = [
    ("pem04-utf16le.pem", &["certificate"]),
    ("pem04d-latin1-comment.pem", &["certificate"]),
    ("pem06-literal-n.txt", &["certificate"]),
    ("pem07-der-trailing-newline.cer", &["certificate", "bytes follow"]),
    ("t05-trustout.pem", &["certificate"]),
    ("pfx01-trailing-newline.p12", &["PKCS#12", "bytes follow"]),
    ("pfx02-base64.txt", &["PKCS#12"]),
    ("pfx02c-pem.p12", &["PKCS#12"]),
    ("est-cacerts-answer.b64", &["PKCS#7", "certificate", "certificate"]),
    ("t02.jks", &["Jks"]),
    ("key01-openssh.key", &["OpenSshPrivateKey"]),
    ("t09c-smime.eml", &["PKCS#7", "certificate", "SMime"]),
    ("backup-leading-text.txt", &["backup"]),
    ("backup-utf16.txt", &["backup"]),
    ("csr01-no-attributes.pem", &["request", "NoAttributes"]),
];

/// The passphrase of the PKCS#12 files.
const PASSPHRASE: &str = "Correct-4-horse";

/// PKCS#12 files with a key and its certificate: how many such pairs, and the name that keystores show for the one that ends last.
const PKCS12: [(&str, usize, Option<&str>); 6] = [
    ("pfx08-two-keys.p12", 2, Some("Ada Example")),
    ("pfx15-1M-mac.p12", 1, Some("Ada Example")),
    ("t01f-sha512-1M.p12", 1, None),
    // A salt of 64 bytes, as PKI.js writes always.
    ("pkijs_sha256.p12", 1, Some("Ada")),
    // Names in other encodings than the one that they should have.
    ("pfx04-fn-cp1252.p12", 1, Some("BJÖRN")),
    ("pfx04b-fn-utf8.p12", 1, Some("Björn Ørsted")),
];

/// Certificates with their subject, whatever string type has it.
const SUBJECTS: [(&str, &str); 3] = [
    ("crt02-t61-subject.pem", "CN=José Ñandú,O=COMPAÑIA EJEMPLO,C=MX"),
    ("crt02b-bmp-subject.pem", "CN=Jörg Müller,O=Beispiel GmbH,C=DE"),
    ("crt02c-printable-amp.pem", "CN=Ada_Example*,O=Wells & Sons,C=US"),
];

/// PEM files of a leaf with its chain, the root last, that lead to that root.
const CHAINS: [&str; 4] = [
    "crt04d-critical-false-chain.pem",
    "crt04b-unordered-rdn-chain.pem",
    "crt10-issuer-printable-vs-utf8.pem",
    "crt08-pss-signed-chain.pem",
];

/// Folders with a leaf, an issuing CA and a root, and whether the leaf leads to the root.
const PATHS: [(&str, bool); 15] = [
    // DEFAULT FALSE written out, as it was signed.
    ("leaf_critical_false", true),
    ("issuing_critical_false", true),
    // GeneralizedTime before 2050.
    ("leaf_generalized_time", true),
    ("leaf_issuer_in_other_case", true),
    ("leaf_issuer_utf8_string", true),
    ("critical_inhibit_any_policy", true),
    ("critical_name_constraints", true),
    ("critical_policy_constraints", true),
    ("leaf_boolean_true_as_01", true),
    ("leaf_not_before_1950", true),
    ("leaf_version_0", true),
    // Changed after it was signed, in a way that a new encoding would undo.
    ("changed_to_critical_false", false),
    ("changed_to_unsorted_rdn", false),
    ("issuing_basic_constraints_with_garbage", false),
    ("violated_name_constraints", false),
];

fn file(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/field").join(name)).unwrap()
}

fn blocks(label: &'static str, name: &str) -> Vec<Vec<u8>> {
    pem::decode_all(label, &String::from_utf8(file(name)).unwrap()).unwrap()
}

fn certificates(name: &str) -> Vec<Certificate> {
    blocks(pem::CERTIFICATE, name).iter().map(|der| Certificate::from_der(der).unwrap()).collect()
}

#[test]
fn a_sound_request_is_never_called_forged() {
    for (name, subject) in REQUESTS {
        let request = CertificationRequest::from_der(&blocks(pem::CERTIFICATE_REQUEST, name)[0]).unwrap();
        assert_eq!(request.verify(), Ok(()), "{name}");
        assert_eq!(request.subject().to_string(), subject, "{name}");
    }
}

#[test]
fn a_request_is_read_whatever_stands_around_it() {
    for name in TEXTS {
        let der = device::read(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let request = CertificationRequest::from_der(&der).unwrap();
        assert_eq!(request.verify(), Ok(()), "{name}");
    }
    let nombstr = CertificationRequest::from_der(&device::read(&file("a-nombstr.csr")).unwrap()).unwrap();
    assert_eq!(nombstr.subject().to_string(), "CN=Ada Example,OU=Participants & External Users,O=Example,C=US");
}

#[test]
fn every_file_is_read_or_named() {
    let surroundings = Surroundings { trust_anchors: &[], intermediates: &[], at: AT };
    for (name, expected) in FILES {
        let inspection = inspection::inspect(&file(name), None, &surroundings).unwrap();
        let mut found: Vec<String> = inspection
            .found
            .iter()
            .map(|found| match found {
                Found::Certificate(_) => "certificate".into(),
                Found::Request(_) => "request".into(),
                Found::Pfx(_) => "PKCS#12".into(),
                Found::Pkcs7(_) => "PKCS#7".into(),
                Found::Backup(Some(_)) => "backup".into(),
                Found::Foreign(kind) => format!("{kind:?}"),
                other => format!("{other:?}"),
            })
            .collect();
        found.extend(inspection.findings.iter().filter_map(|finding| match finding {
            Finding::BytesFollow { .. } => Some("bytes follow".to_owned()),
            Finding::NotStandard { oddity, .. } => Some(format!("{oddity:?}")),
            _ => None,
        }));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_pkcs_12_file_opens_with_all_its_years() {
    for (name, count, friendly_name) in PKCS12 {
        let opened = pfx::open(&file(name), PASSPHRASE).unwrap_or_else(|error| panic!("{name}: {error}"));
        let identities = opened.identities().unwrap_or_else(|error| panic!("{name}: {error}"));
        let ends: Vec<u64> = identities.iter().map(|identity| identity.leaf.validity().1).collect();
        assert_eq!(ends.len(), count, "{name}");
        assert!(ends.is_sorted_by(|one, next| one >= next), "{name}: what ends last comes first");
        assert_eq!(identities[0].key.friendly_name.as_deref(), friendly_name, "{name}");
    }
    let secret = pfx::open(&file("pfx09b-secret-only.p12"), PASSPHRASE).unwrap();
    assert_eq!((secret.private_keys.len(), secret.others), (0, 1));
}

#[test]
fn nine_years_in_one_file_are_not_too_much() {
    let opened = pfx::open(&file("t16-nss-nine-years.p12"), PASSPHRASE).unwrap();
    assert_eq!(opened.identities().unwrap().len(), 9);
}

#[test]
fn more_iterations_than_windows_takes_are_told() {
    for name in ["pfx15-1M-mac.p12", "t01f-sha512-1M.p12"] {
        let caveats = pfx::protection(&file(name)).unwrap().verdict().caveats;
        assert!(caveats.contains(&Caveat::TooManyIterationsForWindows), "{name}: {caveats:?}");
    }
}

#[test]
fn a_request_that_was_changed_is() {
    for (name, _) in REQUESTS {
        let good = blocks(pem::CERTIFICATE_REQUEST, name).remove(0);
        for place in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            let verdict = CertificationRequest::from_der(&bad).and_then(|request| request.verify());
            assert!(verdict.is_err(), "{name}, byte {place}");
        }
    }
}

#[test]
fn a_request_and_the_other_encoding_of_its_key_are_of_one_key() {
    let without_null = CertificationRequest::from_der(&blocks(pem::CERTIFICATE_REQUEST, REQUESTS[0].0)[0]).unwrap();
    let key = keyside_pki::certification_request::subject_public_key_info(without_null.der()).unwrap();
    let rsa_encryption = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
    let place = key.windows(rsa_encryption.len()).position(|window| window == rsa_encryption).unwrap();
    let mut with_null = key.to_vec();
    with_null.splice(place + rsa_encryption.len()..place + rsa_encryption.len(), [0x05, 0x00]);
    // The lengths of the AlgorithmIdentifier and of the whole.
    with_null[place - 1] += 2;
    with_null[3] += 2;
    assert!(keyside_pki::public_key::is_same(key, &with_null));
    *with_null.last_mut().unwrap() ^= 1;
    assert!(!keyside_pki::public_key::is_same(key, &with_null));
}

#[test]
fn a_subject_is_shown_as_text() {
    for (name, subject) in SUBJECTS {
        assert_eq!(certificates(name)[0].summary().subject, subject, "{name}");
    }
}

#[test]
fn a_serial_number_and_dates_are_shown_as_they_are() {
    let summary = |name: &str| certificates(name)[0].summary();
    assert_eq!(summary("crt01-negative-serial.pem").serial_number, "-075bcd15");
    assert_eq!(summary("crt13-root-serial-zero.pem").serial_number, "00");
    let without_seconds = summary("crt03c-utctime-no-seconds.pem");
    let (start, end) = (1_735_689_600, 1_830_297_600);
    assert_eq!((without_seconds.not_before, without_seconds.not_after), (start, end), "2025-01-01 to 2028-01-01");
    let old = Certificate::from_der(&file("paths/leaf_not_before_1950/leaf.der")).unwrap().summary();
    assert_eq!(old.not_before, -631_152_000, "1950-01-01");
    assert!(certificates("crt06-bool-01.pem")[0].extensions().iter().any(|extension| extension.is_critical));
}

#[test]
fn what_a_request_has_beside_the_standard_is_told() {
    let read = |name: &str| CertificationRequest::from_der(&blocks(pem::CERTIFICATE_REQUEST, name)[0]).unwrap();
    assert_eq!(read("csr01-no-attributes.pem").oddities(), [Oddity::NoAttributes]);
    assert_eq!(read("csr14-version1.pem").oddities(), [Oddity::Version]);
    assert_eq!(read("csr28-ia5.pem").oddities(), []);
    let names: Vec<String> = read("csr33-san-utf8-dns.pem")
        .subject_alt_names()
        .unwrap()
        .iter()
        .flatten()
        .map(GeneralName::to_text)
        .collect();
    assert_eq!(names, ["räksmörgås.example (with characters that such a name cannot have)", "rig-1.example.com"]);
}

#[test]
fn a_sound_chain_builds() {
    for name in CHAINS {
        let chain = certificates(name);
        let path = certification_path::build(&chain[0], &chain[1..], &chain[chain.len() - 1..], AT, Purpose::Any);
        assert_eq!(path.map(|path| path.len()), Ok(3), "{name}");
    }
}

#[test]
fn a_path_leads_where_it_was_signed_to_lead() {
    for (folder, leads) in PATHS {
        let [leaf, issuing, root] = ["leaf", "issuing", "root"].map(|name| file(&format!("paths/{folder}/{name}.der")));
        let path = Certificate::from_der(&leaf).and_then(|leaf| {
            let [issuing, root] = [issuing, root].map(|der| Certificate::from_der(&der));
            Ok(certification_path::build(&leaf, &[issuing?], &[root?], AT, Purpose::Any))
        });
        assert_eq!(matches!(path, Ok(Ok(_))), leads, "{folder}: {path:?}");
    }
}

/// A self-issued certificate whose RSA key has 8192 bits; `number` makes it another one.
fn with_a_large_key(number: u8) -> Vec<u8> {
    let root = file("paths/leaf_critical_false/root.der");
    let mut whole = Elements::within(SEQUENCE, &root).unwrap();
    let mut tbs_certificate = whole.next_sequence().unwrap();
    let (algorithm, signature) = (whole.next_whole().unwrap(), whole.next_whole().unwrap());
    let before: Vec<&[u8]> = (0..6).map(|_| tbs_certificate.next_whole().unwrap()).collect();
    tbs_certificate.next_whole().unwrap();
    let extensions = tbs_certificate.next_whole().unwrap();
    let modulus = element(INTEGER, &[&[0, 0xFF, number], &[0xFF; 1021], &[1]]);
    let key = element(BIT_STRING, &[&[0], &element(SEQUENCE, &[&modulus, &element(INTEGER, &[&[1, 0, 1]])])]);
    let info = element(SEQUENCE, &[&element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL]), &key]);
    let tbs_certificate = element(SEQUENCE, &[&before.concat(), &info, extensions]);
    element(SEQUENCE, &[&tbs_certificate, algorithm, signature])
}

#[test]
fn a_hundred_namesakes_with_large_keys_are_no_work() {
    let text: String =
        (0..100).map(|number| pem::encode(pem::CERTIFICATE, &with_a_large_key(number)).unwrap()).collect();
    let surroundings = Surroundings { trust_anchors: &[], intermediates: &[], at: AT };
    let inspection = inspection::inspect(text.as_bytes(), None, &surroundings).unwrap();
    assert_eq!(inspection.found.len(), 100);
    let unchecked = inspection.findings.iter().filter(|finding| matches!(finding, Finding::PathNotChecked { .. }));
    assert_eq!(unchecked.count(), 100, "their signatures are not verified: {:?}", inspection.findings.first());
}

#[test]
fn certificates_go_into_a_certs_only_file_as_they_came() {
    for name in CHAINS {
        let chain = blocks(pem::CERTIFICATE, name);
        let written = certs_only::encode(&chain.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let mut read = certs_only::decode(&written).unwrap().certificates;
        let mut sorted = chain.clone();
        read.sort();
        sorted.sort();
        assert_eq!(read, sorted, "{name}");
    }
    assert!(matches!(certs_only::encode(&[b"no certificate"]), Err(Error::Malformed { .. })));
}
