//! A certification authority made of OpenSSL's commands: a root and an issuing CA.

use std::sync::OnceLock;

use keyside_pki::pem;

use crate::tool::{Folder, run};

/// Its keys and certificates.
pub(crate) struct Authority {
    root_key: String,
    issuing_key: String,
    /// The root's certificate, DER.
    pub(crate) root: Vec<u8>,
    /// The issuing CA's certificate, DER.
    pub(crate) issuing: Vec<u8>,
}

/// The certification authority, made once a run.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::make)
}

const CA: &str = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n\
                  subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";
const USER: &str = "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature, keyEncipherment\n\
                    extendedKeyUsage = clientAuth, emailProtection\n\
                    subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";
const SERVER: &str = "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
                      extendedKeyUsage = serverAuth\nsubjectAltName = IP:127.0.0.1\n\
                      subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n";

impl Authority {
    fn make() -> Self {
        let folder = Folder::new();
        let (root_key, root_request) = key_and_request(&folder, "/O=Example/CN=Example Root CA");
        let root = sign(&folder, &root_request, CA, &["-signkey", &folder.write("root.key", root_key.as_bytes())]);
        let (issuing_key, issuing_request) = key_and_request(&folder, "/O=Example/CN=Example Issuing CA");
        let issuing = sign_with(&folder, &issuing_request, CA, &root, &root_key);
        Self { root_key, issuing_key, root, issuing }
    }

    /// Issues what a certification request asks for, with its subjectAltName. DER to DER.
    pub(crate) fn issue(&self, certification_request: &[u8]) -> Vec<u8> {
        let folder = Folder::new();
        let request = folder.path("request.pem");
        let der = folder.write("request.der", certification_request);
        run("openssl", &["req", "-inform", "DER", "-in", &der, "-out", &request]).accepted();
        sign_with(&folder, &request, USER, &self.issuing, &self.issuing_key)
    }

    /// A TLS server's key and certificate for 127.0.0.1, as PEM.
    pub(crate) fn server(&self) -> (String, String) {
        let folder = Folder::new();
        let (key, request) = key_and_request(&folder, "/O=Example/CN=127.0.0.1");
        (key, to_pem(&sign_with(&folder, &request, SERVER, &self.root, &self.root_key)))
    }
}

/// A certificate as PEM.
pub(crate) fn to_pem(certificate: &[u8]) -> String {
    pem::encode(pem::CERTIFICATE, certificate).unwrap()
}

/// A new key as PEM, and the path of its request.
fn key_and_request(folder: &Folder, subject: &str) -> (String, String) {
    let (key, request) = (folder.path("new.key"), folder.path("new.pem"));
    let new = ["req", "-new", "-newkey", "rsa:2048", "-noenc", "-subj", subject, "-keyout", &key, "-out", &request];
    run("openssl", &new).accepted();
    (folder.read_text("new.key"), request)
}

fn sign_with(folder: &Folder, request: &str, extensions: &str, issuer: &[u8], issuer_key: &str) -> Vec<u8> {
    let certificate = folder.write("issuer.pem", to_pem(issuer).as_bytes());
    let key = folder.write("issuer.key", issuer_key.as_bytes());
    sign(folder, request, extensions, &["-CA", &certificate, "-CAkey", &key])
}

fn sign(folder: &Folder, request: &str, extensions: &str, signer: &[&str]) -> Vec<u8> {
    let extensions = folder.write("extensions.cnf", extensions.as_bytes());
    let signed = folder.path("signed.der");
    let x509 = ["x509", "-req", "-in", request, "-copy_extensions", "copy", "-extfile", &extensions, "-days", "30"];
    run("openssl", &[&x509[..], signer, &["-sha256", "-outform", "DER", "-out", &signed]].concat()).accepted();
    folder.read("signed.der")
}
