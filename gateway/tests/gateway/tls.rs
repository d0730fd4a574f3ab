//! TLS on the main listener: what is spoken there, and how it follows the files of its certificate while it runs.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use crate::harness::{Gateway, Site, check_configuration, eventually, openssl};

const HOST: &str = "gateway.example";
const PUBLIC_URL: &str = "https://gateway.example";

/// The files of a certificate that was just made, and where the gateway looks for them.
const FILES: [(&str, &str); 2] = [("new.key", "tls.key"), ("new.pem", "tls.pem")];

/// Makes a certificate, of a key that takes no time to make.
const NEW: [&str; 11] = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-config",
    "/dev/null",
    "-days",
    "1",
];

/// Makes a CA in the site's folder.
fn make_ca(site: &Site) {
    let new = [&NEW[..], &["-subj", "/CN=CA"]].concat();
    let ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&new[..], &ca].concat(), &site.path(""));
}

/// Makes a certificate of that CA for [`HOST`] with this serial number, as new.pem, and its key, as new.key.
fn make(site: &Site, serial: u32) {
    let serial = serial.to_string();
    let new = [&NEW[..], &["-subj", "/CN=gateway"]].concat();
    let names = ["-addext", "subjectAltName=DNS:gateway.example", "-addext", "basicConstraints=CA:FALSE"];
    let files = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", &serial, "-keyout", "new.key", "-out", "new.pem"];
    openssl(&[&new[..], &names, &files].concat(), &site.path(""));
}

/// Puts such a certificate and its key where the gateway looks for them.
fn install(site: &Site, serial: u32) {
    make(site, serial);
    for (new, name) in FILES {
        fs::rename(site.path(new), site.path(name)).unwrap();
    }
}

/// The same, with files that look as old as those of before: only who reads them sees that they have changed.
fn install_unseen(site: &Site, serial: u32) {
    make(site, serial);
    for (new, name) in FILES {
        let before = fs::metadata(site.path(name)).unwrap().modified().unwrap();
        fs::File::options().write(true).open(site.path(new)).unwrap().set_modified(before).unwrap();
        fs::rename(site.path(new), site.path(name)).unwrap();
    }
}

/// A site whose main listener and connection check have the same certificate, with the serial number 1.
fn site() -> Site {
    let site = Site::new();
    make_ca(&site);
    install(&site, 1);
    with_files(site)
}

/// The site, its configuration naming tls.pem and tls.key.
fn with_files(site: Site) -> Site {
    let [certificate, key] = ["tls.pem", "tls.key"].map(|name| site.path(name).display().to_string());
    let files = format!("{{ certificate_file = '{certificate}', key_file = '{key}' }}");
    site.configure(&format!("public_url = '{PUBLIC_URL}'\ntls = {files}\nconnection_check = {files}"))
}

/// Where a listener that speaks TLS is.
fn address(url: &str) -> &str {
    url.strip_prefix("https://").unwrap()
}

/// What OpenSSL's client sees there.
fn s_client(site: &Site, address: &str, options: &[&str]) -> Output {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", address, "-servername", HOST, "-verify_hostname", HOST, "-CAfile", "ca.pem"]);
    client.args(["-verify_return_error", "-alpn", "http/1.1"]).args(options).current_dir(site.path(""));
    client.stdin(Stdio::null()).output().unwrap()
}

/// The serial number of the certificate that a new connection is shown.
fn shown_serial(site: &Site, url: &str) -> u32 {
    let output = s_client(site, address(url), &[]);
    assert!(output.status.success(), "{output:?}");
    fs::write(site.path("shown.pem"), output.stdout).unwrap();
    let serial = openssl(&["x509", "-in", "shown.pem", "-noout", "-serial"], &site.path(""));
    u32::from_str_radix(serial.trim().strip_prefix("serial=").unwrap(), 16).unwrap()
}

/// What curl says and gets at the public address, which is the gateway's.
fn curl(site: &Site, gateway: &Gateway, scheme: &str, path: &str, options: &[&str]) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--cacert", "ca.pem"]).args(options);
    curl.arg("--connect-to").arg(format!("::{}", address(&gateway.url)));
    curl.arg(format!("{scheme}://{HOST}{path}")).current_dir(site.path("")).output().expect("these tests need curl")
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_speaks_tls_1_2_and_1_3_and_nothing_else() {
    let site = site();
    let gateway = site.start(&[]);
    for (option, protocol) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let said = text(s_client(&site, address(&gateway.url), &[option]));
        assert!(said.contains(&format!("New, {protocol}")) && said.contains("ALPN protocol: http/1.1"), "{said}");
    }
    let old = s_client(&site, address(&gateway.url), &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    assert!(!old.status.success(), "{old:?}");
    let plain = curl(&site, &gateway, "http", "/api/v1/configuration", &[]);
    assert!(!plain.status.success() && !String::from_utf8_lossy(&plain.stdout).contains("HTTP/"), "{plain:?}");

    let answer = text(curl(&site, &gateway, "https", "/api/v1/configuration", &[]));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"site_name\""), "{answer}");
    assert!(answer.contains("\r\nstrict-transport-security: max-age=31536000\r\n"), "{answer}");
}

#[test]
fn a_session_s_cookie_goes_by_tls_alone() {
    let site = site();
    let gateway = site.start(&[]);
    let who = ["invite", "--role", "approver", "--name", "Abe Example", "--email", "abe@example.com"];
    let link = text(site.run("officer", &[&who[..], &["--url", PUBLIC_URL]].concat()));
    let path = link.lines().find_map(|line| line.strip_prefix(&format!("link {PUBLIC_URL}"))).unwrap();
    let from_here = ["--request", "POST", "--header", "Origin: https://gateway.example"];
    let answer = text(curl(&site, &gateway, "https", path, &from_here));
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: __Host-keyside-console=")).unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{answer}");
}

/// A connection that stays open.
struct Open(tokio_rustls::client::TlsStream<tokio::net::TcpStream>);

impl Open {
    async fn to(site: &Site, gateway: &Gateway) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(site.path("ca.pem")).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let client = client.with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(address(&gateway.url)).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        Self(TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap())
    }

    /// Asks whether the gateway lives, and is told so.
    async fn ask(&mut self) {
        self.0.write_all(b"GET /healthz HTTP/1.1\r\nHost: gateway.example\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("alive\n") {
            let mut some = [0; 1024];
            let count = self.0.read(&mut some).await.unwrap();
            assert_ne!(count, 0, "the connection was closed after {answer:?}");
            answer.push_str(std::str::from_utf8(&some[..count]).unwrap());
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test]
async fn new_files_are_used_and_broken_ones_are_not() {
    let site = site();
    let log = site.path("log");
    let mut command = site.serve(&["--tls-listen", "127.0.0.1:0"]);
    command.stderr(fs::File::create(&log).unwrap());
    let gateway = Gateway::spawn(command);
    let listeners = [gateway.url.clone(), gateway.check_url.clone().unwrap()];
    let shows =
        async |serial: u32| eventually(async || listeners.iter().all(|url| shown_serial(&site, url) == serial)).await;
    let says = async |fault: &str| eventually(async || fs::read_to_string(&log).unwrap().contains(fault)).await;
    shows(1).await;
    let mut open = Open::to(&site, &gateway).await;
    open.ask().await;

    install_unseen(&site, 2);
    gateway.signal("HUP");
    shows(2).await;
    open.ask().await;

    // Without being told, too.
    install(&site, 3);
    shows(3).await;
    open.ask().await;

    for (name, contents, fault) in [
        ("tls.pem", "nonsense", "PEM blocks CERTIFICATE"),
        ("tls.pem", &fs::read_to_string(site.path("ca.pem")).unwrap(), "KeyMismatch"),
        ("tls.key", "nonsense", "as a PEM block PRIVATE KEY"),
    ] {
        let file = site.path(name);
        let good = fs::read(&file).unwrap();
        fs::write(&file, contents).unwrap();
        gateway.signal("HUP");
        says(fault).await;
        assert_eq!(listeners.each_ref().map(|url| shown_serial(&site, url)), [3, 3]);
        fs::write(&file, good).unwrap();
    }
    fs::remove_file(site.path("tls.key")).unwrap();
    gateway.signal("HUP");
    says("tls.key cannot be read").await;
    assert_eq!(listeners.each_ref().map(|url| shown_serial(&site, url)), [3, 3]);

    // And it goes on from there.
    install(&site, 4);
    gateway.signal("HUP");
    shows(4).await;
    open.ask().await;
    assert!(gateway.stop().success());
}

/// Every file that cannot be used is named by `config check`, and keeps the gateway from starting.
#[test]
fn files_that_cannot_be_used_are_named() {
    let site = with_files(Site::without_ca());
    let faults = |expected: [&str; 2]| {
        let output = check_configuration(&site.path("keyside.toml"));
        let said = String::from_utf8(output.stdout).unwrap();
        let [tls, connection_check] = ["tls", "connection_check"].map(|key| format!("the configuration's {key}: "));
        let told = |key: &str| {
            said.lines().any(|line| line.starts_with(key) && expected.iter().all(|part| line.contains(part)))
        };
        assert!(!output.status.success() && told(&tls) && told(&connection_check), "{said}");
        let output = site.serve(&[]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && expected.iter().all(|part| said.contains(part)), "{said}");
    };
    let write = |name: &str, contents: &str| fs::write(site.path(name), contents).unwrap();
    let copy = |from: &str, to: &str| assert!(fs::copy(site.path(from), site.path(to)).is_ok());
    faults(["tls.pem", "cannot be read"]);
    make_ca(&site);
    write("tls.pem", "nonsense");
    copy("ca.key", "tls.key");
    faults(["tls.pem", "PEM blocks CERTIFICATE"]);
    copy("ca.pem", "tls.pem");
    write("tls.key", "nonsense");
    faults(["tls.key", "PEM block PRIVATE KEY"]);
    openssl(&["genpkey", "-algorithm", "RSA", "-out", "tls.key"], &site.path(""));
    faults(["tls.key", "its own key"]);
    copy("ca.key", "tls.key");
    assert!(check_configuration(&site.path("keyside.toml")).status.success());
    assert!(!site.data().exists(), "gateways that did not start have left nothing");
}
