//! The connection check: what it says to each kind of client, and what it bears.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use keyside_core::api::{CONFIGURATION_PATH, Configuration, ConnectionCheck, ConnectionVerdict};
use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation;
use keyside_pki::pem;
use reqwest::Method;
use rsa::pkcs8::EncodePrivateKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion, version};

use crate::harness::{Gateway, PATIENCE, Site, good_request, header, openssl};
use crate::keys::key_in;

/// A client certificate with its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

const JSON: &str = "Accept: application/json";
const HTML: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A user's certificate, DER, with its key.
fn identity_of(certificate: &[u8]) -> Identity {
    let key = AsRef::<rsa::RsaPrivateKey>::as_ref(&key_in(certificate)).to_pkcs8_der().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.as_bytes().to_vec());
    (vec![CertificateDer::from(certificate.to_vec())], key.into())
}

/// What was made with `openssl` in `directory`.
fn identity(directory: &Path, certificate: &str, key: &str) -> Identity {
    let certificate = CertificateDer::from_pem_slice(&fs::read(directory.join(certificate)).unwrap()).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_slice(&fs::read(directory.join(key)).unwrap()).unwrap())
}

/// A certificate that the site's issuing CA signs with these extensions.
fn signed_by_the_ca(site: &Site, extensions: &str) -> Identity {
    let ca = site.data().join("ca");
    fs::write(ca.join("extensions"), extensions).unwrap();
    let new =
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "user.key", "-out", "user.csr", "-subj", "/CN=Ada"];
    openssl(&new, &ca);
    let issuer = ["-CA", "issuing-certificate.pem", "-CAkey", "issuing-key.pem", "-CAcreateserial"];
    let sign = ["x509", "-req", "-in", "user.csr", "-out", "user.pem", "-days", "1", "-extfile", "extensions"];
    openssl(&[&sign[..], &issuer].concat(), &ca);
    identity(&ca, "user.pem", "user.key")
}

/// A certificate with these extensions from another CA, which calls itself as the site's issuing CA does.
fn signed_by_another_ca(directory: &Path, extensions: &str) -> Identity {
    fs::write(directory.join("extensions"), extensions).unwrap();
    let name = "/C=US/O=Example Grid Operator/CN=Keyside Demo Issuing CA";
    let ca = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "1"];
    openssl(&[&ca[..], &["-subj", name]].concat(), directory);
    let new =
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=Eve"];
    openssl(&new, directory);
    let sign = ["x509", "-req", "-in", "leaf.csr", "-out", "leaf.pem", "-days", "1", "-extfile", "extensions"];
    openssl(&[&sign[..], &["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]].concat(), directory);
    identity(directory, "leaf.pem", "leaf.key")
}

/// The roots in a PEM text.
fn trusted(roots: &[u8]) -> RootCertStore {
    let mut trusted = RootCertStore::empty();
    trusted.add_parsable_certificates(CertificateDer::pem_slice_iter(roots).map(Result::unwrap));
    trusted
}

/// A client that trusts the roots in a PEM text.
fn connector(roots: &[u8], identity: Option<Identity>, versions: &[&'static SupportedProtocolVersion]) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(trusted(roots));
    TlsConnector::from(Arc::new(match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }))
}

fn site_root(site: &Site) -> Vec<u8> {
    fs::read(site.data().join("ca/root-certificate.pem")).unwrap()
}

fn address(gateway: &Gateway) -> &str {
    gateway.check_url.as_deref().unwrap().strip_prefix("https://").unwrap()
}

/// The whole answer to a request for `path` as `host`, head and body.
async fn ask(gateway: &Gateway, tls: TlsConnector, host: &'static str, path: &str, headers: &str) -> String {
    send(gateway, tls, host, &format!("GET {path}"), headers).await
}

/// The whole answer of the connection check to a request (method and path) of whoever has this certificate.
pub(crate) async fn send_with(
    site: &Site,
    gateway: &Gateway,
    certificate: Option<&[u8]>,
    request: &str,
    headers: &str,
) -> String {
    let identity = certificate.map(identity_of);
    let tls = connector(&site_root(site), identity, &[&version::TLS13]);
    send(gateway, tls, "127.0.0.1", request, headers).await
}

async fn send(gateway: &Gateway, tls: TlsConnector, host: &'static str, request: &str, headers: &str) -> String {
    let stream = tokio::net::TcpStream::connect(address(gateway)).await.unwrap();
    let mut stream = tls.connect(ServerName::try_from(host).unwrap(), stream).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// What the check says to a client with this certificate.
async fn check(site: &Site, gateway: &Gateway, identity: Option<Identity>) -> ConnectionCheck {
    let tls = connector(&site_root(site), identity, &[&version::TLS13]);
    json(&ask(gateway, tls, "127.0.0.1", "/", JSON).await)
}

/// The verdict on an issued certificate, DER, shown with its key.
pub(crate) async fn verdict_on(site: &Site, gateway: &Gateway, certificate: &[u8]) -> ConnectionVerdict {
    check(site, gateway, Some(identity_of(certificate))).await.verdict
}

fn json(answer: &str) -> ConnectionCheck {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn issued(gateway: &Gateway) -> Vec<u8> {
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    gateway.issued(id).await
}

#[tokio::test]
async fn the_site_s_certificate_works_without_its_chain_too() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start_with_check();
    let leaf = issued(&gateway).await;
    for (chain, protocol, name) in [
        (vec![CertificateDer::from(leaf.clone())], &version::TLS13, "TLS 1.3"),
        (vec![CertificateDer::from(leaf.clone())], &version::TLS12, "TLS 1.2"),
        (
            CertificateDer::pem_slice_iter(
                format!(
                    "{}{}",
                    pem::encode(pem::CERTIFICATE, &leaf).unwrap(),
                    fs::read_to_string(site.data().join("ca/issuing-certificate.pem")).unwrap()
                )
                .as_bytes(),
            )
            .map(Result::unwrap)
            .collect(),
            &version::TLS13,
            "TLS 1.3",
        ),
    ] {
        let tls = connector(&site_root(&site), Some((chain, identity_of(&leaf).1)), &[protocol]);
        let check = json(&ask(&gateway, tls, "127.0.0.1", "/", "").await);
        assert_eq!((check.verdict, check.certificate_shown), (ConnectionVerdict::Works, true));
        assert_eq!(check.title, "This certificate works");
        assert_eq!(check.tls_version, name);
        let shown = check.certificate.unwrap();
        assert!(shown.subject.starts_with("CN=Ada Example,"), "{}", shown.subject);
        assert_eq!(shown.email_addresses, ["ada@example.com"]);
        fs::write(site.path("leaf.cer"), &leaf).unwrap();
        let read = ["x509", "-inform", "DER", "-in", "leaf.cer", "-noout", "-serial", "-fingerprint", "-sha256"];
        let seen = openssl(&read, site.path("").as_path()).replace(':', "").to_lowercase();
        assert!(seen.contains(&shown.serial_number) && seen.contains(&shown.sha256_fingerprint), "{seen} {shown:?}");
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_told_apart() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start_with_check();
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let leaf = gateway.issued(id).await;
    let verdict = async || check(&site, &gateway, Some(identity_of(&leaf))).await.verdict;
    assert_eq!(verdict().await, ConnectionVerdict::Works);
    assert!(site.requests(&["revoke", &id.to_string(), "--reason", "key-compromise"]).status.success());
    assert_eq!(verdict().await, ConnectionVerdict::Revoked);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let site = Site::new();
    let gateway = site.start_with_check();
    assert_eq!(check(&site, &gateway, None).await.verdict, ConnectionVerdict::NoCertificate);

    let client = "extendedKeyUsage = clientAuth\n";
    for (extensions, verdict) in [
        (client, ConnectionVerdict::Works),
        ("subjectKeyIdentifier = hash\n", ConnectionVerdict::Works),
        ("extendedKeyUsage = serverAuth\n", ConnectionVerdict::NotForClientAuthentication),
        ("keyUsage = critical, keyEncipherment\n", ConnectionVerdict::NotForClientAuthentication),
    ] {
        let check = check(&site, &gateway, Some(signed_by_the_ca(&site, extensions))).await;
        assert_eq!(check.verdict, verdict, "{extensions}");
        assert_eq!(check.certificate.unwrap().subject, "CN=Ada", "{extensions}");
    }

    let self_signed = "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -days 1 -subj /CN=Eve";
    openssl(&self_signed.split(' ').collect::<Vec<_>>(), &site.path(""));
    let itself = identity(&site.path(""), "self.pem", "self.key");
    assert_eq!(check(&site, &gateway, Some(itself)).await.verdict, ConnectionVerdict::SelfSigned);

    let foreign = signed_by_another_ca(&site.path(""), client);
    let check = check(&site, &gateway, Some(foreign)).await;
    assert_eq!(check.verdict, ConnectionVerdict::AnotherAuthority);
    assert_eq!(check.certificate.unwrap().issuer, "CN=Keyside Demo Issuing CA,O=Example Grid Operator,C=US");
}

#[tokio::test]
async fn an_expired_certificate_is_told_apart() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    drop(gateway);
    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    // Its validity begins before its making, and now it ends there, too.
    site.execute("UPDATE requests SET not_after = not_before + 60").await;
    let gateway = site.start_with_check();
    let leaf = gateway.issued(id).await;
    let said = check(&site, &gateway, Some(identity_of(&leaf))).await;
    assert_eq!(said.verdict, ConnectionVerdict::Expired);
}

#[tokio::test]
async fn nobody_gets_in_with_another_s_certificate() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start_with_check();
    let leaf = issued(&gateway).await;
    let other = key_generation::generate(KeySize::Rsa2048, &mut rand::rng()).unwrap().to_private_key_info().unwrap();
    for protocol in [&version::TLS12, &version::TLS13] {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let mut config = builder
            .with_protocol_versions(&[protocol])
            .unwrap()
            .with_root_certificates(trusted(&site_root(&site)))
            .with_no_client_auth();
        config.client_auth_cert_resolver =
            Arc::new(Impostor { certificate: leaf.clone(), key: PrivatePkcs8KeyDer::from(other.to_vec()).into() });
        let stream = tokio::net::TcpStream::connect(address(&gateway)).await.unwrap();
        let tls = TlsConnector::from(Arc::new(config));
        let refused = match tls.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await {
            Err(_) => true,
            Ok(mut stream) => {
                // In TLS 1.3 the client learns it with the first answer.
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
                stream.read_to_string(&mut String::new()).await.is_err()
            }
        };
        assert!(refused, "{protocol:?}");
    }
    assert_eq!(check(&site, &gateway, None).await.verdict, ConnectionVerdict::NoCertificate, "it goes on");
}

/// Shows a certificate that it does not have the key of.
#[derive(Debug)]
struct Impostor {
    certificate: Vec<u8>,
    key: PrivateKeyDer<'static>,
}

impl ResolvesClientCert for Impostor {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = ring::sign::any_supported_type(&self.key).unwrap();
        let chain = vec![CertificateDer::from(self.certificate.clone())];
        Some(Arc::new(CertifiedKey::new(chain, key)))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn people_get_a_page_and_programs_json() {
    let site = Site::new().issuing_at_once().configure("site_name = '<b>Grid</b>'");
    let gateway = site.start_with_check();
    let leaf = issued(&gateway).await;
    let ask = async |identity: Option<Identity>, path: &'static str, headers: &'static str| {
        let tls = connector(&site_root(&site), identity, &[&version::TLS13]);
        ask(&gateway, tls, "127.0.0.1", path, headers).await
    };
    let page = ask(None, "/", HTML).await;
    assert!(page.contains("\r\ncontent-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(
        page.contains("\r\ncontent-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; "),
        "{page}"
    );
    assert!(page.contains("\r\ncache-control: no-store\r\n") && page.contains("\r\nvary: accept\r\n"), "{page}");
    assert!(!page.contains("strict-transport-security"), "{page}");
    assert!(page.contains("No certificate was shown") && page.contains("How to get the browser to show one"), "{page}");
    assert!(page.contains("&lt;b&gt;Grid&lt;/b&gt;") && !page.contains("<script"), "{page}");
    assert!(!page.contains("/install"), "no page is served");

    let page = ask(Some(identity_of(&leaf)), "/", HTML).await;
    assert!(page.contains("This certificate works") && page.contains("CN=Ada Example"), "{page}");
    assert!(!page.contains("How to"), "{page}");

    for headers in ["", "Accept: */*", JSON] {
        assert!(ask(None, "/", headers).await.contains("\r\ncontent-type: application/json\r\n"));
    }
    assert!(ask(None, "/", "Accept: image/png").await.starts_with("HTTP/1.1 406 "));
    assert!(ask(None, "/connection-check.css", "").await.contains("\r\ncontent-type: text/css; charset=utf-8\r\n"));
    assert!(ask(None, "/icon.svg", "").await.contains("\r\ncontent-type: image/svg+xml\r\n"));
    assert!(ask(None, CONFIGURATION_PATH, "").await.starts_with("HTTP/1.1 404 "), "nothing else is here");
}

#[tokio::test]
async fn the_page_is_told_where_it_is() {
    let site = Site::new();
    let gateway = site.start_with_check();
    let told: Configuration = gateway.get(CONFIGURATION_PATH).await.json().await.unwrap();
    assert_eq!(told.connection_check, Some(format!("{}/", gateway.check_url.as_ref().unwrap())));
    drop(gateway);
    let told: Configuration = site.start(&[]).get(CONFIGURATION_PATH).await.json().await.unwrap();
    assert_eq!(told.connection_check, None);
}

#[tokio::test]
async fn its_certificate_names_the_configured_host_or_comes_from_files() {
    let site = Site::new().configure("connection_check.public_url = 'https://check.example:8443'");
    let mut command = site.serve(&["--tls-listen", "127.0.0.1:0"]);
    command.stdout(std::process::Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(process.stdout.take().unwrap()));
    lines.next().unwrap().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "The connection check is at https://check.example:8443/");
    process.kill().unwrap();
    process.wait().unwrap();

    let site = Site::new();
    drop(signed_by_another_ca(&site.path(""), "subjectAltName = DNS:localhost\n"));
    openssl(&["genpkey", "-algorithm", "RSA", "-out", "other.key"], &site.path(""));
    let file = |name: &str| site.path(name).display().to_string();
    let [certificate, key, other] = ["leaf.pem", "leaf.key", "other.key"].map(file);
    let root = fs::read(file("ca.pem")).unwrap();
    let configure = |site: Site, certificate: &str, key: &str| {
        site.configure(&format!("connection_check = {{ certificate_file = '{certificate}', key_file = '{key}' }}"))
    };
    let with_files = configure(Site::new(), &certificate, &key);
    let gateway = with_files.start_with_check();
    let tls = connector(&root, None, &[&version::TLS13]);
    let said = json(&ask(&gateway, tls, "localhost", "/", JSON).await);
    assert_eq!(said.verdict, ConnectionVerdict::NoCertificate);

    for (certificate, key, fault) in [
        (&*certificate, &*other, "its own key"),
        (&*key, &*key, "PEM blocks CERTIFICATE"),
        (&*certificate, &*certificate, "PRIVATE KEY"),
        (&*certificate, "/nowhere.pem", "/nowhere.pem cannot be read"),
    ] {
        let output = configure(Site::new(), certificate, key).serve(&["--tls-listen", "127.0.0.1:0"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(fault) && said.contains("connection check"), "{said}");
    }
    let output = Site::new().serve(&["--tls-listen", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("[connection_check]"), "{said}");
}

#[tokio::test]
async fn garbage_silence_and_the_end_are_borne() {
    let site = Site::new().configure("limits = { timeout_seconds = 1, connections = 1 }");
    let gateway = site.start_with_check();
    let connect = || {
        let stream = TcpStream::connect(address(&gateway)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    for garbage in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0; 100], &[0x16, 3, 1, 0xff, 0xff], &[0xff; 70_000]] {
        let mut stream = connect();
        let _ = stream.write_all(garbage);
        // An alert, or nothing; perhaps a reset, since not all was read.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let silent = connect();
    let said = check(&site, &gateway, None).await;
    assert_eq!(said.verdict, ConnectionVerdict::NoCertificate, "the silent client gave way");
    drop(silent);
    let answer = gateway.request(Method::GET, CONFIGURATION_PATH).send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), "application/json");

    let site = Site::new();
    let gateway = site.start_with_check();
    let _in_the_middle_of_a_handshake = TcpStream::connect(address(&gateway)).unwrap();
    let tls = connector(&site_root(&site), None, &[&version::TLS13]);
    let stream = tokio::net::TcpStream::connect(address(&gateway)).await.unwrap();
    let _idle = tls.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.unwrap();
    assert!(gateway.stop().success());
}
