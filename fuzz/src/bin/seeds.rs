//! Makes the seeds of every fuzz target from `tests/vectors`: `seeds VECTORS SEEDS` writes each to the folder of its target in SEEDS.
#![allow(clippy::unwrap_used, reason = "without seeds there is nothing to run")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding};
use keyside_fuzz::input::join;
use keyside_fuzz::signer::{Kind, certify_with_algorithms, with_other_parameters};
use keyside_pki::certificate::Certificate;
use keyside_pki::certificate_list::CertificateList;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::element::{INTEGER, SEQUENCE, element, integer};
use keyside_pki::key_pair::KeyPair;
use keyside_pki::name::Name;
use keyside_pki::{certs_only, encrypted_private_key, file, full_pki_request, pfx};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};

/// The largest file that is a seed: changes to a larger one are slow and find nothing more.
const LARGEST: usize = 20_000;

struct Seeds {
    folder: PathBuf,
    /// The number of seeds of each target.
    counts: HashMap<&'static str, usize>,
}

impl Seeds {
    fn add(&mut self, target: &'static str, bytes: &[u8]) {
        if bytes.len() > LARGEST {
            return;
        }
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(base16ct::lower::encode_string(&Sha256::digest(bytes)[..8])), bytes).unwrap();
        *self.counts.entry(target).or_default() += 1;
    }

    /// Every target that takes a file gets it, and every structure in it goes to the target of its kind.
    fn add_file(&mut self, bytes: &[u8]) {
        self.add("file", bytes);
        self.add("inspection", bytes);
        let file = file::read(bytes);
        if file.text.as_ref().is_some_and(|text| text.contains("-----BEGIN ")) {
            self.add("pem", bytes);
        }
        if file.text.as_ref().is_some_and(|text| text.contains("KEYSIDE BACKUP")) {
            self.add("backup", bytes);
        }
        for der in file.parts.iter().filter_map(|part| part.der.as_ref()) {
            self.add_structure(der);
        }
    }

    fn add_structure(&mut self, der: &[u8]) {
        self.add("inspection", der);
        if let Ok(certificate) = Certificate::from_der(der) {
            self.add("certificate", der);
            self.add_name(certificate.subject(), certificate.issuer());
            let key = certificate.subject_public_key_info();
            self.add("public_key", &join(&[key, key]));
            self.add("openssl_signature", der);
        } else if let Ok(request) = CertificationRequest::from_der(der) {
            self.add("certification_request", der);
            self.add("openssl_signature", der);
            self.add_name(request.subject(), request.subject());
        } else if CertificateList::from_der(der).is_ok() {
            self.add("certificate_list", der);
        } else if certs_only::decode(der).is_ok() {
            self.add("signed_data", der);
        } else if encrypted_private_key::encryption(der).is_ok() {
            self.add("encrypted_private_key", der);
        } else if pfx::protection(der).is_ok() {
            self.add("pfx", der);
        } else {
            self.add("key_pair", der);
        }
    }

    fn add_name(&mut self, one: &Name, other: &Name) {
        self.add("name", &join(&[one.to_der(), other.to_der()]));
    }

    /// A chain, leaf first and trust anchor last, as it came and to be signed again.
    fn add_chain(&mut self, chain: &[&[u8]]) {
        // As it came, signed, signed with fitting names, and the same at the first and at the last second.
        for flags in [0, 1, 3, 7, 11] {
            let flags: &[u8] = &[flags];
            self.add("openssl_path", &join(&[&[flags], chain].concat()));
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// The chains of PKITS, of valid and of invalid paths, by name and signature.
fn pkits(vectors: &Path) -> Vec<Vec<Certificate>> {
    let all = file::certificates(&fs::read(vectors.join("pkits/certificates.pem")).unwrap()).unwrap();
    let is_issuer = |one: &Certificate, other: &Certificate| {
        one != other && one.names_as_issuer(other) && one.verify_signed_by(other).is_ok()
    };
    let chain = |leaf: &Certificate| {
        let mut chain = vec![leaf.clone()];
        while let Some(issuer) = all.iter().find(|other| chain.last().is_some_and(|last| is_issuer(last, other)))
            && !chain.contains(issuer)
        {
            chain.push(issuer.clone());
        }
        chain
    };
    let leaves = all.iter().filter(|one| !all.iter().any(|other| other != *one && other.names_as_issuer(one)));
    leaves.map(chain).filter(|chain| chain.len() > 1).collect()
}

/// The chains of x509-limbo: leaf, intermediates, and the first trust anchor.
fn x509_limbo(vectors: &Path) -> Vec<Vec<Vec<u8>>> {
    let cases = fs::read(vectors.join("x509_limbo/cases.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases).unwrap();
    let chain = |case: &serde_json::Value| {
        let texts = |name: &str| case[name].as_array().cloned().unwrap_or_default();
        let chain =
            [vec![case["leaf"].clone()], texts("intermediates"), texts("trusted").into_iter().take(1).collect()];
        chain.concat().iter().map(|text| Base64::decode_vec(text.as_str().unwrap()).unwrap()).collect()
    };
    cases.iter().map(chain).collect()
}

/// An RSAPrivateKey of textbook size: 61 · 53.
fn small_key() -> Vec<u8> {
    let numbers = [0, 3233, 17, 2753, 61, 53, 53, 49, 38].map(integer);
    element(SEQUENCE, &numbers.each_ref().map(Vec::as_slice))
}

/// Certificates of each way to sign, to be signed again after a change. The parameters of their two algorithms may differ.
fn add_signed_again(seeds: &mut Seeds, leaf: &[u8]) {
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        let (usual, other) = (kind.algorithm(), with_other_parameters(kind.algorithm()).unwrap());
        for algorithms in [[usual, usual], [&other, usual], [usual, &other], [&other, &other]] {
            let certificate = certify_with_algorithms(leaf, kind, kind, None, algorithms).unwrap();
            seeds.add("openssl_signature", &join(&[&certificate[..], &certificate, &[number as u8]]));
            seeds.add("certificate", &certificate);
        }
    }
}

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(vectors), Some(folder)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: seeds VECTORS SEEDS");
        std::process::exit(2);
    };
    let mut seeds = Seeds { folder, counts: HashMap::new() };
    for path in files_below(&vectors) {
        let is_of_a_suite = path.starts_with(vectors.join("pkits")) || path.starts_with(vectors.join("x509_limbo"));
        let is_script = path.extension().is_some_and(|end| end == "sh" || end == "md" || end == "toml");
        if !is_of_a_suite && !is_script {
            seeds.add_file(&fs::read(path).unwrap());
        }
    }
    for path in pkits(&vectors) {
        seeds.add_chain(&path.iter().map(Certificate::der).collect::<Vec<_>>());
    }
    for chain in x509_limbo(&vectors) {
        seeds.add_chain(&chain.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    let vector = |name: &str| fs::read(vectors.join(name)).unwrap();
    let of_path = |name: &str| vector(&format!("certification_path/{name}.der"));
    for [subject, issuer] in
        [["leaf", "issuing"], ["leaf_by_ecdsa", "ecdsa_root"], ["self_signed_leaf", "self_signed_leaf"]]
    {
        seeds.add("openssl_signature", &join(&[of_path(subject), of_path(issuer)]));
    }
    let names = ["leaf", "issuing", "root"].map(of_path);
    seeds.add_chain(&names.each_ref().map(Vec::as_slice));
    let names = ["leaf_below_limited", "below_limited", "limited", "root"].map(of_path);
    seeds.add_chain(&names.each_ref().map(Vec::as_slice));
    let names = ["leaf_by_ecdsa", "ecdsa_root"].map(of_path);
    seeds.add_chain(&names.each_ref().map(Vec::as_slice));
    add_signed_again(&mut seeds, &of_path("leaf"));

    seeds.add("key_pair", &small_key());
    seeds.add("key_pair", &vector("inspection/pkcs1.key"));
    seeds.add("key_pair", &vector("inspection/pkcs8.key"));
    seeds.add("public_key", &element(INTEGER, &[&[1]]));
    let (request, leaf) = (vector("certification_request/request.der"), vector("inspection/leaf.cer"));
    let key = KeyPair::from_private_key_info(&vector("inspection/pkcs8.key")).unwrap();
    let request = full_pki_request::build(&request, &leaf, &key, &mut StdRng::seed_from_u64(1)).unwrap();
    seeds.add("full_pki_request", &request);
    seeds.add("signed_data", &request);
    let chain: Vec<Vec<u8>> = ["leaf", "issuing", "root"].map(of_path).into();
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    seeds.add("signed_data", &certs_only::encode(&chain).unwrap());

    // Of the sizes of RSA's primes and others: a prime, all ones, and runs.
    let prime = [&[0xFF; 127][..], &[0x97]].concat();
    for size in [8_u8, 13, 26, 64, 128, 192, 255] {
        let bases = [&[0_u8; 7][..], &[2], &[0xFF; 8]].concat();
        for numbers in [&prime[..], &[0xFF; 512], &[0x80; 512], &[0; 512]] {
            seeds.add("montgomery", &[&[size - 1], &bases[..], numbers].concat());
        }
    }
    seeds.add("name", b"CN={common_name},OU=Participants \\26 Users+OU=b,O=#0c0141,1.2.3.4=x,C=US");
    for text in [
        "000-000-000-000-000-000-000-000-011",
        "ada@example.com",
        r#"{"certificate_type":"participants","certification_request":"MIIB"}"#,
        r#"{"Prove":{"certification_request":"MIIB","encrypted_private_key":"MIIB","passphrase":"x"}}"#,
        r#"{"Generate":{"key_size":2048,"subject":"MAA=","email_address":"a@b","passphrase":"x"}}"#,
        r#"{"Failed":{"Unusable":"nonsense"}}"#,
        r#"{"Failed":"WrongPassphrase"}"#,
        r#"{"Progress":{"GeneratingKeyPair":{"primes":1,"tested":2,"expected":3}}}"#,
        r#"{"Done":[1,{"a":null}]}"#,
    ] {
        seeds.add("messages", text.as_bytes());
    }
    let base64 = |name: &str| Base64::encode_string(&vector(name));
    let (root, leaf) = (base64("certification_path/root.der"), base64("certification_path/leaf.der"));
    let (request, key) = (base64("certification_request/request.der"), base64("inspection/triple_des.key"));
    for text in [
        format!(r#"{{"Summarize":"{leaf}"}}"#),
        format!(r#"{{"CertsOnly":["{leaf}","{root}"]}}"#),
        format!(
            r#"{{"Check":{{"certificates":["{leaf}"],"trust_anchors":["{root}"],"asked_for":{{"Request":"{request}"}},"at":1800000000}}}}"#
        ),
        format!(
            r#"{{"Check":{{"certificates":["{leaf}"],"trust_anchors":["{root}"],"asked_for":{{"CommonName":"Ada Example"}},"at":1800000000}}}}"#
        ),
        format!(
            r#"{{"Unpack":{{"file":"{}","passphrase":"Correct-4-horse","key_passphrase":null}}}}"#,
            base64("pfx/openssl.p12")
        ),
        format!(
            r#"{{"Inspect":{{"file":"{key}","passphrase":"Correct-4-horse","trust_anchors":["{root}"],"intermediates":[],"at":1800000000}}}}"#
        ),
        format!(r#"{{"ReadBackup":"{}"}}"#, base64("backup/collected.txt")),
    ] {
        seeds.add("messages", text.as_bytes());
    }
    let mut counts: Vec<_> = seeds.counts.into_iter().collect();
    counts.sort_unstable();
    for (target, count) in counts {
        println!("{target}: {count} seeds");
    }
}
