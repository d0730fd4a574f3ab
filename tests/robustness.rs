//! Whatever bytes arrive, the parsers answer: every prefix and thousands of random variants of each vector.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

use std::fs;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;

use keyside_core::api::NewRequest;
use keyside_core::backup;
use keyside_core::domain::distinguished_name::SubjectTemplate;
use keyside_core::domain::passphrase::Passphrase;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::inspection::{self, Surroundings};
use keyside_core::protocol::{Answer, CertificateJob, FileAnswer, FileJob, Job};
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_path::Purpose;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::key_pair::KeyPair;
use keyside_pki::{certification_path, certs_only, encrypted_private_key, pem, pfx};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use sha2::{Digest, Sha256};

const VARIANTS: usize = 2_000;
/// A time at which the vectors are valid: 2027-01-15T08:00:00Z.
const AT: u64 = 1_800_000_000;

/// The DER files in a folder of `tests/vectors`.
fn vectors(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    files(folder, "der")
}

/// The files in a folder of `tests/vectors` whose names end so.
fn files(folder: &str, ending: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(folder);
    let vectors: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert!(!vectors.is_empty(), "{} is empty", folder.display());
    vectors
}

/// Gives every prefix and [`VARIANTS`] random variants of `good` to `parse`; a panic shows the bytes.
fn batter<T>(name: &str, good: &[u8], parse: impl Fn(&[u8]) -> T + Sync) {
    let check = |bytes: &[u8]| {
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            black_box(parse(bytes));
        }));
        assert!(parsed.is_ok(), "{name} panics on {}", base16ct::lower::encode_string(bytes));
    };
    thread::scope(|scope| {
        scope.spawn(|| (0..=good.len()).for_each(|length| check(&good[..length])));
        // The same variants in every run.
        let mut rng = StdRng::seed_from_u64(good.len() as u64);
        (0..VARIANTS).for_each(|_| check(&variant(good, &mut rng)));
    });
}

/// `good` with one to three bytes changed, added or taken away.
fn variant(good: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..rng.random_range(1..=3) {
        let place = rng.random_range(0..bytes.len());
        match rng.random_range(0..6) {
            0 => bytes.insert(place, rng.random()),
            1 => drop(bytes.remove(place)),
            2 => bytes[place] = [0x00, 0x7f, 0x80, 0xff][rng.random_range(0..4)],
            3 => bytes[place] ^= 1 << rng.random_range(0..8),
            _ => bytes[place] = rng.random(),
        }
    }
    bytes
}

#[test]
fn certificates() {
    let read = |name: &str| {
        let bytes = fs::read(format!("{}/tests/vectors/certification_path/{name}.der", env!("CARGO_MANIFEST_DIR")));
        Certificate::from_der(&bytes.unwrap()).unwrap()
    };
    let (leaf, intermediates, trust_anchors) = (read("leaf"), [read("issuing")], [read("root")]);
    for (path, good) in vectors("certification_path") {
        assert!(Certificate::from_der(&good).is_ok(), "{}", path.display());
        batter(&path.display().to_string(), &good, |bytes| {
            let _ = certs_only::encode(&[bytes]);
            let certificate = Certificate::from_der(bytes)?;
            let _ = (certificate.summary(), certificate.subject_public_key_info());
            let _ = certification_path::build(&certificate, &intermediates, &trust_anchors, AT, Purpose::Any);
            let this = std::slice::from_ref(&certificate);
            let _ = certification_path::build(&leaf, this, &trust_anchors, AT, Purpose::Any);
            let _ = certification_path::build(&leaf, &intermediates, this, AT, Purpose::Any);
            Ok::<_, keyside_pki::error::Error>(())
        });
    }
}

#[test]
fn certification_requests() {
    for (path, good) in vectors("certification_request") {
        let parse = |bytes: &[u8]| {
            let request = CertificationRequest::from_der(bytes)?;
            let template: SubjectTemplate = "CN={common_name},O=Example,C=US".parse().unwrap();
            let _ = (request.email_addresses(), request.rsa_public_key(), template.common_name_of(request.subject()));
            request.verify()
        };
        assert_eq!(parse(&good), Ok(()), "{}", path.display());
        batter(&path.display().to_string(), &good, parse);
    }
}

#[test]
fn encrypted_private_keys() {
    let passphrase = "Correct-4-horse";
    for (path, good) in vectors("encrypted_private_key") {
        let clear = encrypted_private_key::decrypt(&good, passphrase).unwrap();
        assert!(KeyPair::from_private_key_info(&clear).is_ok());
        batter(&path.display().to_string(), &good, |bytes| encrypted_private_key::decrypt(bytes, passphrase));
    }
}

#[test]
fn pfx_files() {
    for (path, good) in files("pfx", "p12") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let passphrase = if name.ends_with("empty") { "" } else { "Correct-4-horse" };
        // Their derivations take too long for thousands of variants. What can be told without one is cheap.
        let is_costly = ["gnutls", "java", "nss"].iter().any(|program| name.starts_with(program));
        batter(name, &good, |bytes| {
            let _ = pfx::protection(bytes).map(|protection| protection.verdict());
            if !is_costly {
                let _ = pfx::open(bytes, passphrase).map(|opened| opened.identities().map(drop));
            }
        });
    }
}

#[test]
fn files_to_inspect() {
    let passphrase = Passphrase::new("Correct-4-horse".into());
    let surroundings = Surroundings { trust_anchors: &[], intermediates: &[], at: AT };
    let inspect = |bytes: &[u8]| inspection::inspect(bytes, Some(&passphrase), &surroundings);
    let endings = ["cer", "crl", "csr", "key", "p7b", "pem", "txt"];
    thread::scope(|scope| {
        for (path, good) in endings.iter().flat_map(|ending| files("inspection", ending)) {
            let name = path.display().to_string();
            assert!(inspect(&good).is_ok(), "{name}");
            scope.spawn(move || batter(&name, &good, inspect));
        }
    });
}

#[test]
fn private_keys_in_the_clear() {
    let passphrase = "Correct-4-horse";
    let (_, sealed) = vectors("encrypted_private_key").remove(0);
    let clear = encrypted_private_key::decrypt(&sealed, passphrase).unwrap();
    batter("PrivateKeyInfo", &clear, KeyPair::from_private_key_info);
}

#[test]
fn backups() {
    let good =
        fs::read_to_string(format!("{}/tests/vectors/backup/collected.txt", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(backup::decode(&good).is_ok());
    batter("backup", good.as_bytes(), |bytes| backup::decode(&String::from_utf8_lossy(bytes)));
    // With a checksum that fits, the reader gets to what stands behind it.
    let with_checksum = |contents: &str| {
        let contents: String = contents.trim().lines().map(|line| format!("{}\n", line.trim_end())).collect();
        format!("{contents}SHA-256: {}\n", base16ct::lower::encode_string(&Sha256::digest(&contents)))
    };
    let (contents, _) = good.rsplit_once("SHA-256: ").unwrap();
    assert_eq!(with_checksum(contents), good);
    batter("backup with a checksum that fits", contents.as_bytes(), |bytes| {
        backup::decode(&with_checksum(&String::from_utf8_lossy(bytes)))
    });
}

#[test]
fn texts() {
    let (_, certificate) = vectors("certification_path").remove(0);
    let chain = pem::encode(pem::CERTIFICATE, &certificate).unwrap().repeat(2);
    batter("PEM", chain.as_bytes(), |bytes| pem::decode_all(pem::CERTIFICATE, &String::from_utf8_lossy(bytes)));
    batter("transaction ID", b"000-000-000-000-000-000-000-000-011", |bytes| {
        String::from_utf8_lossy(bytes).parse::<TransactionId>().map(|id| id.to_string())
    });
    batter("subject template", b"CN={common_name},OU=Participants \\26 Users,O=#0c0141,C=US", |bytes| {
        let template: SubjectTemplate = String::from_utf8_lossy(bytes).parse().ok()?;
        Some(template.subject("Ada Example"))
    });
    batter("request", br#"{"certificate_type":"participants","certification_request":"MIIB"}"#, |bytes| {
        serde_json::from_slice::<NewRequest>(bytes)
    });
    batter(
        "job",
        br#"{"ChangePassphrase":{"key_id":"7f","encrypted_private_key":"MIIB","passphrase":"x","new_passphrase":"y"}}"#,
        |bytes| serde_json::from_slice::<Job>(bytes),
    );
    batter("file job", br#"{"Unpack":{"file":"MIIB","passphrase":"x"}}"#, |bytes| {
        serde_json::from_slice::<FileJob>(bytes)
    });
    batter("certificate job", br#"{"Summarize":"MIIB"}"#, |bytes| serde_json::from_slice::<CertificateJob>(bytes));
    batter("answer", br#"{"Failed":{"Unusable":"nonsense"}}"#, |bytes| serde_json::from_slice::<Answer>(bytes));
    batter("file answer", br#"{"Failed":{"Unusable":"nonsense"}}"#, |bytes| {
        serde_json::from_slice::<FileAnswer>(bytes)
    });
}
