//! What Keyside writes, read by the programs that users and relying parties have: OpenSSL, NSS, GnuTLS, Java, Python's
//! `cryptography` and curl. They are the judges; each is also shown something that it must refuse. And the other way round, the PKCS#12
//! files that they write.
//!
//! `KEYSIDE_PYTHON` names a Python with the package `cryptography` (else `python3`).
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it fails"
)]

mod authority;
mod bundle;
mod foreign_pfx;
mod tls;
mod tool;

use keyside_core::backup;
use keyside_core::domain::enrollment::Enrollment;
use keyside_pki::certificate::Certificate;
use keyside_pki::key_pair::key_id;
use keyside_pki::{certs_only, pem};

use crate::authority::{authority, to_pem};
use crate::bundle::{Bundle, EMAIL_ADDRESS, WRONG_PASSPHRASE, bundles};
use crate::tls::Server;
use crate::tool::{Folder, java, keytool, python, run};

#[test]
fn openssl_takes_the_request() {
    for bundle in bundles() {
        let folder = Folder::new();
        let request = folder.write("request.der", &bundle.certification_request);
        let name = ["-nameopt", "sep_multiline,sname,utf8"];
        let read = ["req", "-inform", "DER", "-in", &request, "-verify", "-noout", "-subject", "-text"];
        let told = run("openssl", &[&read[..], &name].concat()).accepted();
        assert!(told.contains("verify OK"), "{told}");
        for part in [
            &format!("    CN={}\n", bundle.common_name),
            "    OU=Participants & External Users\n",
            "    O=Example\n",
            &format!("email:{EMAIL_ADDRESS}"),
            "Signature Algorithm: sha256WithRSAEncryption",
            "Public-Key: (2048 bit)",
        ] {
            assert!(told.contains(part), "{part} is not in\n{told}");
        }

        let mut tampered = bundle.certification_request.clone();
        *tampered.last_mut().unwrap() ^= 1;
        let tampered = folder.write("tampered.der", &tampered);
        let told = run("openssl", &["req", "-inform", "DER", "-in", &tampered, "-verify", "-noout"]).told();
        assert!(!told.contains("verify OK"), "{told}");
    }
}

#[test]
fn openssl_opens_the_stored_key() {
    for bundle in bundles() {
        let folder = Folder::new();
        let sealed = folder.write("sealed.der", &bundle.encrypted_private_key);
        let opened = folder.path("key.pem");
        let open = |passphrase: &str| {
            let passphrase = format!("pass:{passphrase}");
            let pkcs8 = ["pkcs8", "-provider", "default", "-inform", "DER", "-in", &sealed, "-passin", &passphrase];
            run("openssl", &[&pkcs8[..], &["-out", &opened]].concat())
        };
        open(WRONG_PASSPHRASE).refused();
        open(&bundle.passphrase).accepted();
        let told = run("openssl", &["rsa", "-in", &opened, "-check", "-noout"]).accepted();
        assert!(told.contains("RSA key ok"), "{told}");
        run("openssl", &["pkey", "-in", &opened, "-pubout", "-outform", "DER", "-out", &folder.path("spki.der")])
            .accepted();
        assert_eq!(key_id(&folder.read("spki.der")), bundle.key_id);
    }
}

#[test]
fn openssl_reads_the_backup_by_the_commands_in_it() {
    for bundle in bundles() {
        let text = backup::encode(&bundle.enrollment()).unwrap();
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let folder = Folder::new();
            let [file, key, pfx] = ["backup.txt", "key.pem", "certificate.p12"].map(|name| folder.path(name));
            folder.write("backup.txt", text.as_bytes());
            let by_hand = |command: &str, options: &[&str]| {
                let command = text.lines().map(str::trim).find(|line| line.starts_with(command)).unwrap();
                let arguments = command.split_whitespace().skip(1).map(|argument| match argument {
                    "FILE" => file.as_str(),
                    "key.pem" => key.as_str(),
                    "certificate.p12" => pfx.as_str(),
                    other => other,
                });
                run("openssl", &arguments.chain(options.iter().copied()).collect::<Vec<_>>())
            };
            let passphrase = format!("pass:{}", bundle.passphrase);
            let wrong = format!("pass:{WRONG_PASSPHRASE}");

            let told = by_hand("openssl req ", &[]).accepted();
            assert!(told.contains("verify OK"), "{told}");
            assert!(told.contains("Public-Key: (2048 bit)"), "{told}");

            let summary = Certificate::from_der(bundle.leaf()).unwrap().summary();
            let told = by_hand("openssl x509 ", &["-fingerprint", "-sha256"]).accepted().replace(':', "");
            assert!(told.contains(&summary.sha256_fingerprint.to_uppercase()), "{told}");

            by_hand("openssl pkcs8 ", &["-passin", &wrong]).refused();
            by_hand("openssl pkcs8 ", &["-passin", &passphrase]).accepted();
            let spki = ["pkey", "-in", &key, "-pubout", "-outform", "DER", "-out", &folder.path("spki.der")];
            run("openssl", &spki).accepted();
            assert_eq!(key_id(&folder.read("spki.der")), bundle.key_id);

            by_hand("openssl pkcs12 ", &["-passin", &wrong, "-passout", "pass:another"]).refused();
            by_hand("openssl pkcs12 ", &["-passin", &passphrase, "-passout", "pass:another"]).accepted();
            let told = run("openssl", &["pkcs12", "-in", &pfx, "-passin", "pass:another", "-noenc"]).accepted();
            assert_eq!(pem::decode_all(pem::CERTIFICATE, &told).unwrap(), bundle.certification_path);
            assert_eq!(told.matches("BEGIN PRIVATE KEY").count(), 1, "{told}");
        }

        let (contents, checksum) = text.trim_end().rsplit_once("SHA-256: ").unwrap();
        let folder = Folder::new();
        let contents = folder.write("contents.txt", contents.as_bytes());
        let told = run("openssl", &["dgst", "-sha256", "-r", &contents]).accepted();
        assert!(told.starts_with(&format!("{checksum} ")), "{told}");
    }
}

#[test]
fn openssl_reads_the_backup_of_a_request_that_waits() {
    let bundle = &bundles()[0];
    let folder = Folder::new();
    let waiting = Enrollment { certification_path: None, ..bundle.enrollment() };
    let file = folder.write("backup.txt", backup::encode(&waiting).unwrap().as_bytes());
    let passphrase = format!("pass:{}", bundle.passphrase);
    run("openssl", &["req", "-in", &file, "-verify", "-noout"]).accepted();
    run("openssl", &["pkcs8", "-in", &file, "-passin", &passphrase]).accepted();
    run("openssl", &["x509", "-in", &file, "-noout"]).refused();
}

#[test]
fn openssl_reads_the_pkcs12_files() {
    const MODERN: [&str; 2] = [
        "MAC: sha256, Iteration 600000\nMAC length: 32, salt length: 8\n",
        "PBES2, PBKDF2, AES-256-CBC, Iteration 300000, PRF hmacWithSHA256",
    ];
    const COMPATIBLE: [&str; 2] = [
        "MAC: sha1, Iteration 10000\nMAC length: 20, salt length: 8\n",
        "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 10000",
    ];
    for bundle in bundles() {
        let folder = Folder::new();
        for (exported, providers, [mac, encryption]) in [
            (&bundle.modern, &["-provider", "default"][..], MODERN),
            (&bundle.compatible, &["-provider", "default"], COMPATIBLE),
            (&bundle.compatible, &["-legacy"], COMPATIBLE),
        ] {
            let pfx = folder.write("bundle.p12", &exported.bytes);
            let read = |passphrase: &str, options: &[&str]| {
                let passphrase = format!("pass:{passphrase}");
                run("openssl", &[&["pkcs12", "-in", &pfx, "-passin", &passphrase], providers, options].concat())
            };
            read(WRONG_PASSPHRASE, &["-info", "-noout"]).refused();

            let told = read(&exported.passphrase, &["-info", "-noout"]).accepted();
            assert!(told.contains(mac), "{told}");
            assert_eq!(told.matches(encryption).count(), 2, "certificates and key: {told}");

            let certificates = read(&exported.passphrase, &["-nokeys"]).accepted();
            let key = read(&exported.passphrase, &["-nocerts", "-noenc"]).accepted();
            assert_eq!(pem::decode_all(pem::CERTIFICATE, &certificates).unwrap(), bundle.certification_path);
            let leaf = certificates.split("-----END CERTIFICATE-----").next().unwrap();
            for (whose, told) in [("the leaf", leaf), ("the key", &key)] {
                assert_eq!(told.matches("localKeyID: ").count(), 1, "{whose}: {told}");
                assert_eq!(told.matches("friendlyName: ").count(), 1, "{whose}: {told}");
                if bundle.common_name.is_ascii() {
                    assert!(told.contains(&format!("friendlyName: {}\n", bundle.common_name)), "{whose}: {told}");
                }
            }
            assert_eq!(local_key_id(leaf), local_key_id(&key));
            assert_eq!(certificates.matches("localKeyID: ").count(), 1, "the leaf's alone: {certificates}");
            assert_eq!(certificates.matches("friendlyName: ").count(), 1, "the leaf's alone: {certificates}");
        }
    }
}

#[test]
fn openssl_reads_the_pem_text() {
    for bundle in bundles() {
        let folder = Folder::new();
        let text = folder.write("bundle.pem", &bundle.pem.bytes);
        let spki = folder.path("spki.der");
        let open = |passphrase: &str| {
            let passphrase = format!("pass:{passphrase}");
            let pkey = ["pkey", "-provider", "default", "-in", &text, "-passin", &passphrase];
            run("openssl", &[&pkey[..], &["-pubout", "-outform", "DER", "-out", &spki]].concat())
        };
        open(WRONG_PASSPHRASE).refused();
        open(&bundle.pem.passphrase).accepted();
        assert_eq!(key_id(&folder.read("spki.der")), bundle.key_id);

        let passphrase = format!("pass:{}", bundle.pem.passphrase);
        let told = run("openssl", &["storeutl", "-passin", &passphrase, &text]).accepted();
        assert_eq!(pem::decode_all(pem::CERTIFICATE, &told).unwrap(), bundle.certification_path);
        // The leaf is what comes first, and the rest of the text leads from it to the root.
        let root = folder.write("root.pem", to_pem(&authority().root).as_bytes());
        let verify = ["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &text, &text];
        let told = run("openssl", &verify).accepted();
        assert!(told.contains(": OK"), "{told}");
    }
}

fn local_key_id(told: &str) -> &str {
    told.lines().find(|line| line.contains("localKeyID: ")).unwrap()
}

#[test]
fn nss_imports_the_pkcs12_files_under_the_common_name() {
    for bundle in bundles() {
        for exported in bundle.pkcs12() {
            let folder = Folder::new();
            let pfx = folder.write("bundle.p12", &exported.bytes);
            let database = format!("sql:{}", folder.path(""));
            let name = bundle.common_name.as_str();
            run("certutil", &["-N", "-d", &database, "--empty-password"]).accepted();
            run("pk12util", &["-l", &pfx, "-d", &database, "-W", WRONG_PASSPHRASE]).refused();
            run("pk12util", &["-i", &pfx, "-d", &database, "-W", WRONG_PASSPHRASE]).refused();

            let told = run("pk12util", &["-l", &pfx, "-d", &database, "-W", &exported.passphrase]).accepted();
            assert_eq!(told.matches(&format!("Friendly Name: {name}\n")).count(), 2, "key and leaf: {told}");
            run("pk12util", &["-i", &pfx, "-d", &database, "-W", &exported.passphrase]).accepted();
            // With the token's name before it, a colon in the nickname is no separator.
            let nickname = format!("NSS Certificate DB:{name}");
            let found = run("certutil", &["-L", "-d", &database, "-n", &nickname, "-a"]).accepted();
            assert_eq!(pem::decode_all(pem::CERTIFICATE, &found).unwrap(), [bundle.leaf()]);
            let keys = run("certutil", &["-K", "-d", &database]).accepted();
            assert!(keys.trim_end().ends_with(name), "{keys}");
            let trusted = ["-M", "-d", &database, "-n", "Example Root CA - Example", "-t", "CT,C,"];
            run("certutil", &trusted).accepted();
            let told = run("certutil", &["-V", "-d", &database, "-n", &nickname, "-u", "C"]).accepted();
            assert!(told.contains("certificate is valid"), "{told}");
        }
    }
}

#[test]
fn gnutls_reads_the_pkcs12_files() {
    const MODERN: [&str; 2] = ["MAC: SHA256 (", "Schema: PBES2-AES256-CBC ("];
    const COMPATIBLE: [&str; 2] = ["MAC: SHA1 (", "Schema: PKCS12-3DES-SHA1 ("];
    for bundle in bundles() {
        let folder = Folder::new();
        for (exported, [mac, encryption]) in [(&bundle.modern, MODERN), (&bundle.compatible, COMPATIBLE)] {
            let pfx = folder.write("bundle.p12", &exported.bytes);
            let read = |passphrase: &str| {
                run("certtool", &["--p12-info", "--inder", "--infile", &pfx, "--password", passphrase])
            };
            read(WRONG_PASSPHRASE).refused();
            let told = read(&exported.passphrase).accepted();
            assert!(told.contains("BEGIN ENCRYPTED PRIVATE KEY"), "{told}");
            assert_eq!(told.matches(mac).count(), 1, "{told}");
            assert_eq!(told.matches(encryption).count(), 2, "certificates and key: {told}");
            assert_eq!(pem::decode_all(pem::CERTIFICATE, &told).unwrap(), bundle.certification_path);
            assert_eq!(told.matches(&format!("Friendly name: {}\n", bundle.common_name)).count(), 2, "{told}");
            assert_eq!(told.matches("Key ID: ").count(), 2, "{told}");
        }
    }
}

#[test]
fn gnutls_reads_the_pem_text() {
    for bundle in bundles() {
        let folder = Folder::new();
        let text = folder.write("bundle.pem", &bundle.pem.bytes);
        let spki = folder.path("spki.der");
        let open = |passphrase: &str| {
            let key = ["--pubkey-info", "--load-privkey", &text, "--password", passphrase];
            run("certtool", &[&key[..], &["--outder", "--outfile", &spki]].concat())
        };
        open(WRONG_PASSPHRASE).refused();
        open(&bundle.pem.passphrase).accepted();
        assert_eq!(key_id(&folder.read("spki.der")), bundle.key_id);
        let root = folder.write("root.pem", to_pem(&authority().root).as_bytes());
        run("certtool", &["--verify", "--load-ca-certificate", &root, "--infile", &text]).accepted();
    }
}

#[test]
fn java_lists_the_pkcs12_files_under_the_common_name() {
    for bundle in bundles() {
        let folder = Folder::new();
        for exported in bundle.pkcs12() {
            let pfx = folder.write("bundle.p12", &exported.bytes);
            let list = |passphrase: &str| {
                keytool(&["-list", "-v", "-keystore", &pfx, "-storetype", "PKCS12", "-storepass", passphrase])
            };
            list(WRONG_PASSPHRASE).refused();
            let told = list(&exported.passphrase).accepted();
            // Java compares a PKCS#12 store's aliases in lower case, and shows them so.
            for part in [
                &format!("Alias name: {}\n", bundle.common_name.to_lowercase()),
                "Entry type: PrivateKeyEntry\n",
                "Certificate chain length: 3\n",
                "Your keystore contains 1 entry\n",
            ] {
                assert!(told.contains(part), "{part} is not in\n{told}");
            }
        }
    }
}

#[test]
fn python_reads_key_request_and_files() {
    const PROGRAM: &str = r#"
import json, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

sealed, request, passphrase, modern, compatible, compatible_passphrase, pem, wrong_passphrase = sys.argv[1:]
read = lambda path: open(path, "rb").read()

def refused(load):
    try:
        load(wrong_passphrase.encode())
        return False
    except ValueError:
        return True

def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo).hex()

def der(certificates):
    return [certificate.public_bytes(serialization.Encoding.DER).hex() for certificate in certificates]

load_key = lambda passphrase: serialization.load_der_private_key(read(sealed), passphrase)
load_modern = lambda passphrase: pkcs12.load_pkcs12(read(modern), passphrase)
load_compatible = lambda passphrase: pkcs12.load_pkcs12(read(compatible), passphrase)
load_pem = lambda passphrase: serialization.load_pem_private_key(read(pem), passphrase)
request = x509.load_der_x509_csr(read(request))
bundles = [load_modern(passphrase.encode()), load_compatible(compatible_passphrase.encode())]
common_name = lambda subject: [a.value for a in subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)]
san = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
print(json.dumps({
    "refused": all(refused(load) for load in [load_key, load_modern, load_compatible, load_pem]),
    "verified": request.is_signature_valid and isinstance(request.signature_hash_algorithm, hashes.SHA256),
    "requested": common_name(request.subject),
    "email_addresses": san.get_values_for_type(x509.RFC822Name),
    "keys": [spki(key) for key in [
        load_key(passphrase.encode()).public_key(), load_pem(passphrase.encode()).public_key(), request.public_key(),
        *[bundle.key.public_key() for bundle in bundles]]],
    "friendly_names": [bundle.cert.friendly_name.decode() for bundle in bundles],
    "certified": common_name(bundles[0].cert.certificate.subject),
    "chains": [
        *[der(c.certificate for c in [bundle.cert, *bundle.additional_certs]) for bundle in bundles],
        der(x509.load_pem_x509_certificates(read(pem)))],
    "chain_names": [c.friendly_name for bundle in bundles for c in bundle.additional_certs],
}))
"#;
    for bundle in bundles() {
        let folder = Folder::new();
        let told = python(&[
            "-c",
            PROGRAM,
            &folder.write("sealed.der", &bundle.encrypted_private_key),
            &folder.write("request.der", &bundle.certification_request),
            &bundle.passphrase,
            &folder.write("modern.p12", &bundle.modern.bytes),
            &folder.write("compatible.p12", &bundle.compatible.bytes),
            &bundle.compatible.passphrase,
            &folder.write("bundle.pem", &bundle.pem.bytes),
            WRONG_PASSPHRASE,
        ])
        .accepted();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let bytes =
            |hexadecimal: &serde_json::Value| base16ct::lower::decode_vec(hexadecimal.as_str().unwrap()).unwrap();
        assert_eq!(told["refused"], true);
        assert_eq!(told["verified"], true);
        assert_eq!(told["requested"][0], bundle.common_name);
        assert_eq!(told["certified"][0], bundle.common_name);
        assert_eq!(told["friendly_names"], serde_json::json!([bundle.common_name, bundle.common_name]));
        assert_eq!(told["email_addresses"][0], EMAIL_ADDRESS);
        assert_eq!(told["chain_names"], serde_json::json!([null, null, null, null]));
        let keys: Vec<String> = told["keys"].as_array().unwrap().iter().map(|key| key_id(&bytes(key))).collect();
        assert_eq!(keys, vec![bundle.key_id.clone(); 5]);
        for chain in told["chains"].as_array().unwrap() {
            let chain: Vec<Vec<u8>> = chain.as_array().unwrap().iter().map(bytes).collect();
            assert_eq!(chain, bundle.certification_path);
        }
    }
}

#[test]
fn curl_proves_the_certificate_to_a_tls_server() {
    let server = Server::start();
    let get = |with: &[&str]| {
        let url = server.url();
        let root = server.root();
        run("curl", &[&["--silent", "--show-error", "--max-time", "60", "--cacert", &root], with, &[&url]].concat())
    };
    get(&[]).refused();
    for bundle in bundles() {
        let folder = Folder::new();
        for (exported, format) in [(&bundle.modern, "P12"), (&bundle.compatible, "P12"), (&bundle.pem, "PEM")] {
            let file = folder.write("bundle", &exported.bytes);
            let with = |passphrase| get(&["--cert-type", format, "--cert", &file, "--pass", passphrase]);
            with(WRONG_PASSPHRASE).refused();
            assert_logged_in(&with(&exported.passphrase).accepted(), bundle);
        }
    }
}

#[test]
fn python_proves_the_certificate_to_a_tls_server() {
    const PROGRAM: &str = r#"
import ssl, sys, urllib.request

url, root, pem, passphrase = sys.argv[1:]
context = ssl.create_default_context(cafile=root)
context.load_cert_chain(pem, password=passphrase)
print(urllib.request.urlopen(url, context=context, timeout=60).read().decode())
"#;
    let server = Server::start();
    for bundle in bundles() {
        let folder = Folder::new();
        let text = folder.write("bundle.pem", &bundle.pem.bytes);
        let get = |passphrase| python(&["-c", PROGRAM, &server.url(), &server.root(), &text, passphrase]);
        get(WRONG_PASSPHRASE).refused();
        assert_logged_in(&get(&bundle.pem.passphrase).accepted(), bundle);
    }
}

#[test]
fn java_proves_the_certificate_to_a_tls_server() {
    let server = Server::start();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/ClientCertificate.java");
    for bundle in bundles() {
        let folder = Folder::new();
        let url = server.url();
        let root = server.root();
        let mut arguments = vec![program, &url, &root, WRONG_PASSPHRASE];
        let files =
            [("modern.p12", &bundle.modern), ("compatible.p12", &bundle.compatible), ("bundle.pem", &bundle.pem)]
                .map(|(name, exported)| (folder.write(name, &exported.bytes), &exported.passphrase));
        for (file, passphrase) in &files {
            arguments.extend([file.as_str(), passphrase]);
        }
        let pages = java(&arguments).accepted();
        let pages: Vec<&str> = pages.split("</HTML>").filter(|page| !page.trim().is_empty()).collect();
        assert_eq!(pages.len(), files.len());
        for page in pages {
            assert_logged_in(page, bundle);
        }
    }
}

/// Whether the server's page says that it took this user's certificate.
fn assert_logged_in(page: &str, bundle: &Bundle) {
    assert!(page.contains("Verify return code: 0 (ok)"), "{page}");
    assert_eq!(pem::decode_all(pem::CERTIFICATE, page).unwrap(), [bundle.leaf()], "as the server saw it");
}

#[test]
fn openssl_reads_the_chain_as_pkcs7() {
    let bundle = &bundles()[0];
    let folder = Folder::new();
    let chain: Vec<&[u8]> = bundle.certification_path.iter().map(Vec::as_slice).collect();
    let file = folder.write("chain.p7b", &certs_only::encode(&chain).unwrap());
    let told = run("openssl", &["pkcs7", "-inform", "DER", "-in", &file, "-print_certs"]).accepted();
    let mut found = pem::decode_all(pem::CERTIFICATE, &told).unwrap();
    let mut expected = bundle.certification_path.clone();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn openssl_sums_a_certificate_up_alike() {
    let leaf = bundles()[0].leaf();
    let summary = Certificate::from_der(leaf).unwrap().summary();
    let folder = Folder::new();
    let file = folder.write("leaf.der", leaf);
    let wanted = ["-fingerprint", "-sha256", "-serial", "-subject", "-issuer", "-nameopt", "RFC2253"];
    let told = run("openssl", &[&["x509", "-inform", "DER", "-in", &file, "-noout"], &wanted[..]].concat()).accepted();
    let told = told.replace(':', "");
    let fingerprint = format!("Fingerprint={}\n", summary.sha256_fingerprint.to_uppercase());
    // OpenSSL leaves out the zero byte that keeps the number positive.
    let serial_number = format!("serial={}\n", summary.serial_number.trim_start_matches("00").to_uppercase());
    for part in
        [fingerprint, serial_number, format!("subject={}\n", summary.subject), format!("issuer={}\n", summary.issuer)]
    {
        assert!(told.contains(&part), "{part} is not in\n{told}");
    }
}
