//! PFX files that other programs write on the spot, read by Keyside.

use keyside_pki::certificate::Certificate;
use keyside_pki::error::Error;
use keyside_pki::key_pair::key_id;
use keyside_pki::pfx;

use crate::bundle::{Bundle, WRONG_PASSPHRASE, bundles};
use crate::tool::{Folder, keytool, python, run};

/// Opens what another program made of `bundle` under `passphrase`, and under no other.
fn assert_opens(bundle: &Bundle, bytes: &[u8], passphrase: &str) {
    let open = |passphrase: &str| pfx::open(bytes, passphrase);
    let opened = open(passphrase).unwrap();
    let identity = opened.identities().unwrap().remove(0);
    assert_eq!(key_id(&identity.key_pair.to_subject_public_key_info().unwrap()), bundle.key_id);
    assert_eq!(identity.leaf.der(), bundle.leaf());
    let mut chain: Vec<_> = identity.chain.iter().map(Certificate::der).collect();
    let mut expected: Vec<_> = bundle.certification_path[1..].iter().collect();
    chain.sort();
    expected.sort();
    assert_eq!(chain, expected);
    assert_eq!(open(WRONG_PASSPHRASE).map(drop), Err(Error::WrongPassphrase));
    assert!(pfx::protection(bytes).unwrap().takes_passphrase());
}

/// The key as PEM in the clear, the leaf, and the chain, in `folder`.
fn pem_files(folder: &Folder, bundle: &Bundle) -> [String; 3] {
    let text = folder.write("bundle.pem", &bundle.pem.bytes);
    let [key, leaf, chain] = ["key.pem", "leaf.pem", "chain.pem"].map(|name| folder.path(name));
    let passphrase = format!("pass:{}", bundle.pem.passphrase);
    run("openssl", &["pkey", "-in", &text, "-passin", &passphrase, "-out", &key]).accepted();
    run("openssl", &["x509", "-in", &text, "-out", &leaf]).accepted();
    let certificates = String::from_utf8(bundle.pem.bytes.clone()).unwrap();
    let (_, above) = certificates.split_once("-----END CERTIFICATE-----").unwrap();
    folder.write("chain.pem", above.as_bytes());
    [key, leaf, chain]
}

#[test]
fn what_openssl_writes_is_opened() {
    for (bundle, options) in bundles().iter().zip([
        &[][..],
        &["-legacy"],
        &["-nomac", "-keypbe", "PBE-SHA1-3DES"],
        &["-certpbe", "NONE", "-macalg", "sha384", "-keypbe", "aes-128-cbc"],
    ]) {
        let folder = Folder::new();
        let [key, leaf, chain] = pem_files(&folder, bundle);
        for passphrase in [bundle.passphrase.as_str(), "Grüße, 漢字 🔑 4", ""] {
            let (pfx, passout) = (folder.path("openssl.p12"), format!("pass:{passphrase}"));
            let export = ["pkcs12", "-export", "-inkey", &key, "-in", &leaf, "-certfile", &chain, "-out", &pfx];
            run("openssl", &[&export[..], &["-passout", &passout], options].concat()).accepted();
            assert_opens(bundle, &folder.read("openssl.p12"), passphrase);
        }
    }
}

#[test]
fn what_java_writes_is_opened() {
    for (bundle, properties) in bundles().iter().zip([&[][..], &["-J-Dkeystore.pkcs12.legacy"], &[], &[]]) {
        let folder = Folder::new();
        let (from, to) = (folder.write("bundle.p12", &bundle.modern.bytes), folder.path("java.p12"));
        let import = ["-importkeystore", "-noprompt", "-srcstoretype", "PKCS12", "-deststoretype", "PKCS12"];
        let source = ["-srckeystore", &from, "-srcstorepass", &bundle.modern.passphrase];
        let destination = ["-destkeystore", &to, "-deststorepass", &bundle.passphrase];
        keytool(&[properties, &import, &source, &destination].concat()).accepted();
        assert_opens(bundle, &folder.read("java.p12"), &bundle.passphrase);
    }
}

#[test]
fn what_nss_writes_is_opened() {
    let legacy = [
        ["-c", "PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC"],
        ["-C", "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC"],
        ["-M", "SHA-1"],
    ]
    .concat();
    for (bundle, ciphers) in bundles().iter().zip([&[][..], &legacy, &[], &[]]) {
        let folder = Folder::new();
        let [key, leaf, chain] = pem_files(&folder, bundle);
        let [from, to] = ["openssl.p12", "nss.p12"].map(|name| folder.path(name));
        // In a nickname, NSS would take what stands before a colon for a token.
        let from_files = ["-inkey", &key, "-in", &leaf, "-certfile", &chain, "-name", "Ada Example"];
        let export = ["pkcs12", "-export", "-out", &from, "-passout", "pass:Correct-4-horse"];
        run("openssl", &[&export[..], &from_files].concat()).accepted();
        let database = format!("sql:{}", folder.path(""));
        run("certutil", &["-N", "-d", &database, "--empty-password"]).accepted();
        run("pk12util", &["-i", &from, "-d", &database, "-W", "Correct-4-horse"]).accepted();
        let export = ["-o", &to, "-n", "Ada Example", "-d", &database, "-W", &bundle.passphrase];
        run("pk12util", &[&export[..], ciphers].concat()).accepted();
        assert_opens(bundle, &folder.read("nss.p12"), &bundle.passphrase);
    }
}

#[test]
fn what_gnutls_writes_is_opened() {
    for (bundle, cipher) in bundles().iter().zip(["aes-256", "3des-pkcs12", "3des", "rc2-40"]) {
        let folder = Folder::new();
        let [key, leaf, chain] = pem_files(&folder, bundle);
        let certificates = [folder.read_text(&leaf), folder.read_text(&chain)].concat();
        let certificates = folder.write("certificates.pem", certificates.as_bytes());
        let from = ["--load-privkey", &key, "--load-certificate", &certificates];
        let pfx = folder.path("gnutls.p12");
        let to = ["--to-p12", "--p12-name", "Ada Example", "--outder", "--outfile", &pfx, "--pkcs-cipher", cipher];
        run("certtool", &[&to[..], &from, &["--password", &bundle.passphrase]].concat()).accepted();
        assert_opens(bundle, &folder.read("gnutls.p12"), &bundle.passphrase);
    }
}

#[test]
fn what_python_writes_is_opened() {
    const PROGRAM: &str = r#"
import sys
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

key, leaf, chain, passphrase, pfx = sys.argv[1:]
read = lambda path: open(path, "rb").read()
key = serialization.load_pem_private_key(read(key), None)
[leaf] = x509.load_pem_x509_certificates(read(leaf))
protection = serialization.BestAvailableEncryption(passphrase.encode())
chain = x509.load_pem_x509_certificates(read(chain))
open(pfx, "wb").write(pkcs12.serialize_key_and_certificates(b"Ada Example", key, leaf, chain, protection))
"#;
    for bundle in bundles() {
        let folder = Folder::new();
        let [key, leaf, chain] = pem_files(&folder, bundle);
        let pfx = folder.path("python.p12");
        python(&["-c", PROGRAM, &key, &leaf, &chain, &bundle.passphrase, &pfx]).accepted();
        assert_opens(bundle, &folder.read("python.p12"), &bundle.passphrase);
    }
}
