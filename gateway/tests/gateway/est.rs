//! EST (RFC 7030) with clients that nobody here wrote: strongSwan's `pki --est`, and curl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use keyside_core::domain::transaction_id::TransactionId;

use crate::harness::{Gateway, PATIENCE, POLL_INTERVAL, Site, eventually, openssl};

const ENROLL: &str = "/.well-known/est/simpleenroll";
const REENROLL: &str = "/.well-known/est/simplereenroll";
/// A site whose certificates for devices can be renewed all the time.
fn with_renewal(site: Site) -> Site {
    site.configure_types(&["devices"], "renewal = { window_days = 730, same_key = false }")
}

/// The status of an answer that is not “later” any more. On PostgreSQL the gateway's own look at what is due may have taken
/// the request that is to be issued at once.
pub(crate) fn decided(mut ask: impl FnMut() -> u16) -> u16 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            202 if Instant::now() < deadline => std::thread::sleep(POLL_INTERVAL),
            status => return status,
        }
    }
}

/// A site with devices in the field, and the root's certificate as root.pem.
pub(crate) struct Field {
    // Before the site: what is dropped first has ended when the database goes.
    pub(crate) gateway: Gateway,
    pub(crate) site: Site,
}

impl Field {
    pub(crate) async fn new(configure: impl FnOnce(Site) -> Site) -> Self {
        let site = configure(Site::new());
        let gateway = site.start_with_check();
        let root = gateway.get("/pki/root.cer").await.bytes().await.unwrap();
        fs::write(site.path("root.der"), root).unwrap();
        let field = Self { site, gateway };
        openssl(&["x509", "-inform", "der", "-in", "root.der", "-out", "root.pem"], &field.folder());
        field
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.site.path("")
    }

    pub(crate) fn url(&self) -> &str {
        self.gateway.check_url.as_deref().unwrap()
    }

    /// A new code for the device `name`.
    pub(crate) fn code(&self, name: &str, more: &[&str]) -> String {
        let output = self.try_code(name, more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn try_code(&self, name: &str, more: &[&str]) -> Output {
        let arguments =
            ["code", "--common-name", name, "--type", "devices", "--kind", "rig", "--email", "ops@example.com"];
        let config = self.site.path("keyside.toml");
        let config = ["--config", config.to_str().unwrap()];
        self.site.run("est", &[&arguments[..], more, &config].concat())
    }

    /// A key and a certification request in FILE.key and FILE.csr.
    pub(crate) fn request(&self, file: &str, name: &str, names: &str) {
        request(&self.folder(), file, name, names);
    }

    /// Posts FILE.csr with curl; gives the status, and has head and body in files.
    fn post(&self, path: &str, file: &str, more: &[&str]) -> u16 {
        openssl(&["base64", "-in", &format!("{file}.csr"), "-out", "request.b64"], &self.folder());
        let url = format!("{}{path}", self.url());
        let arguments = ["-sS", "--cacert", "root.pem", "-D", "head", "-o", "body", "-w", "%{http_code}", "-H"];
        let media_type = if more.contains(&"-H") { "X-Nothing: 1" } else { "Content-Type: application/pkcs10" };
        let body = [media_type, "--data-binary", "@request.b64", &url];
        let output = self.curl(&[&arguments[..], &body, more].concat());
        output.parse().unwrap()
    }

    pub(crate) fn enroll(&self, file: &str, user: &str) -> u16 {
        self.post(ENROLL, file, &["--user", user])
    }

    fn curl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("curl");
        command.args(["--noproxy", "*", "--max-time", "30"]).args(arguments).current_dir(self.folder());
        let output = command.output().expect("these tests need the program curl");
        assert!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.site.path(file)).unwrap()
    }

    /// The certificate in the last answer, checked and written to FILE.pem.
    pub(crate) fn certificate(&self, file: &str) {
        let head = self.read("head").to_lowercase();
        assert!(head.contains("content-type: application/pkcs7-mime; smime-type=certs-only"), "{head}");
        assert!(head.contains("content-transfer-encoding: base64"), "{head}");
        openssl(&["base64", "-d", "-A", "-in", "body", "-out", "body.p7"], &self.folder());
        let pem = format!("{file}.pem");
        openssl(&["pkcs7", "-inform", "der", "-in", "body.p7", "-print_certs", "-out", &pem], &self.folder());
        self.verify(&pem);
    }

    /// Verifies a certificate below the root, for both ends of a connection.
    fn verify(&self, file: &str) {
        let issuing = self.curl(&["-sS", &format!("{}/pki/issuing.cer", self.gateway.url), "-o", "issuing.der"]);
        assert_eq!(issuing, "");
        openssl(&["x509", "-inform", "der", "-in", "issuing.der", "-out", "issuing.pem"], &self.folder());
        for purpose in ["sslclient", "sslserver"] {
            let arguments =
                ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem", "-untrusted", "issuing.pem"];
            openssl(&[&arguments[..], &[file]].concat(), &self.folder());
        }
    }

    /// The requests' transaction IDs and states.
    pub(crate) fn requests(&self) -> Vec<(TransactionId, String)> {
        let list = String::from_utf8(self.site.requests(&["list"]).stdout).unwrap();
        let columns = list.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
        columns.map(|columns| (columns[0].parse().unwrap(), columns[1].to_owned())).collect()
    }

    pub(crate) fn approve(&self, id: TransactionId) {
        assert!(self.site.requests(&["approve", &id.to_string()]).status.success());
    }
}

fn request(folder: &Path, file: &str, name: &str, names: &str) {
    let (key, csr) = (format!("{file}.key"), format!("{file}.csr"));
    let subject = format!("/C=US/O=Example Grid Operator/OU=Devices/CN={name}");
    let mut arguments =
        vec!["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-outform", "der", "-out", &csr];
    arguments.extend(["-subj", &subject]);
    let names = format!("subjectAltName={names}");
    if names.len() > "subjectAltName=".len() {
        arguments.extend(["-addext", &names]);
    }
    openssl(&arguments, folder);
}

#[tokio::test]
async fn a_rig_enrolls_with_strongswan_pending_first_and_then_issued() {
    let field = Field::new(with_renewal).await;
    let code = field.code("rig.example.com", &[]);
    field.request("rig", "rig.example.com", "DNS:rig.example.com");
    let pki = |more: &[&str]| {
        let mut command = Command::new("pki");
        command.args(["--est", "--url", field.url(), "--cacert", "root.pem", "--outform", "pem", "--interval", "1"]);
        command.args(["--maxpolltime", &PATIENCE.as_secs().to_string()]).args(more).current_dir(field.folder());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("these tests need strongSwan's program pki")
    };
    let user = format!("rig.example.com:{code}");
    let client = pki(&["--in", "rig.csr", "--userpass", &user]);
    // It asks, and is told to wait: host names are for a person to decide about.
    eventually(async || field.requests().len() == 1).await;
    let (id, state) = field.requests().remove(0);
    assert_eq!(state, "pending");
    field.approve(id);
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    fs::write(field.site.path("rig.pem"), output.stdout).unwrap();
    field.verify("rig.pem");
    assert_eq!(field.requests(), [(id, "issued".to_owned())], "one request, however often it was sent");

    // And again, with the certificate that it has now.
    field.request("next", "rig.example.com", "DNS:rig.example.com");
    let client = pki(&["--in", "next.csr", "--cert", "rig.pem", "--key", "rig.key"]);
    eventually(async || field.requests().len() == 2).await;
    let (next, _) = field.requests().into_iter().find(|(other, _)| *other != id).unwrap();
    field.approve(next);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(field.site.path("next.pem"), output.stdout).unwrap();
    field.verify("next.pem");
}

#[tokio::test]
async fn curl_gets_the_cas_certificates_without_showing_anything() {
    let field = Field::new(|site| site).await;
    let url = format!("{}/.well-known/est/cacerts", field.url());
    field.curl(&["-sS", "--fail", "--cacert", "root.pem", "-D", "head", "-o", "body", &url]);
    assert!(field.read("head").to_lowercase().contains("content-type: application/pkcs7-mime"));
    openssl(&["base64", "-d", "-A", "-in", "body", "-out", "body.p7"], &field.folder());
    let text = openssl(&["pkcs7", "-inform", "der", "-in", "body.p7", "-print_certs"], &field.folder());
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
}

#[tokio::test]
async fn a_code_is_for_one_request_which_may_be_asked_for_again() {
    let field = Field::new(Site::issuing_at_once).await;
    let code = field.code("rig-1", &[]);
    let user = format!("rig-1:{code}");
    field.request("wrong", "rig-2", "");
    assert_eq!(field.enroll("wrong", &user), 422, "{}", field.read("body"));
    // What was refused has not used the code up.
    field.request("rig", "rig-1", "");
    assert_eq!(decided(|| field.enroll("rig", &user)), 200, "{}", field.read("body"));
    field.certificate("rig");
    let first = field.read("body");
    assert_eq!(field.enroll("rig", &user), 200);
    assert_eq!(field.read("body"), first, "the same certificate");
    field.request("other", "rig-1", "");
    assert_eq!(field.enroll("other", &user), 401);
    assert!(field.read("body").contains("used"), "{}", field.read("body"));
    assert_eq!(field.requests().len(), 1);
}

#[tokio::test]
async fn a_request_that_waits_is_told_when_to_come_back_and_a_rejected_one_why() {
    let field = Field::new(|site| site.replace_table("approval", "approval.mode = 'manual'")).await;
    let user = format!("rig-1:{}", field.code("rig-1", &[]));
    field.request("rig", "rig-1", "");
    for _ in 0..2 {
        assert_eq!(field.enroll("rig", &user), 202);
        assert!(field.read("head").to_lowercase().contains("retry-after: "), "{}", field.read("head"));
    }
    let (id, _) = field.requests().remove(0);
    assert_eq!(field.requests().len(), 1);
    assert!(field.read("body").contains(&id.to_string()));
    assert!(field.site.requests(&["reject", &id.to_string(), "--reason", "Not one of ours"]).status.success());
    assert_eq!(field.enroll("rig", &user), 403);
    assert!(field.read("body").contains("Not one of ours"));
}

#[tokio::test]
async fn without_a_good_code_nobody_is_listened_to() {
    let field = Field::new(Site::issuing_at_once).await;
    let code = field.code("rig-1", &[]);
    let ended = field.code("rig-1", &["--days", "0"]);
    field.request("rig", "rig-1", "");
    for more in [
        vec![],
        vec!["--user", "rig-1:"],
        vec!["--user", "rig-1:10Y-JTK-91Y-QRK-D7P-1XS-MRG-QCN-KBA"],
        vec!["--user", &format!("rig-2:{code}")],
        vec!["--user", &format!("rig-1:{ended}")],
        vec!["--oauth2-bearer", &code],
    ] {
        assert_eq!(field.post(ENROLL, "rig", &more), 401, "{more:?}");
        assert!(field.read("head").to_lowercase().contains("www-authenticate: basic"), "{}", field.read("head"));
    }
    assert!(field.requests().is_empty());
    // The code is still good.
    assert_eq!(decided(|| field.enroll("rig", &format!("rig-1:{code}"))), 200);
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_words() {
    let field = Field::new(Site::issuing_at_once).await;
    let user = format!("rig-1:{}", field.code("rig-1", &[]));
    field.request("rig", "rig-1", "");
    let as_json = ["--user", &user, "-H", "Content-Type: application/json"];
    assert_eq!(field.post(ENROLL, "rig", &as_json), 415);
    fs::write(field.site.path("nonsense.csr"), "nonsense").unwrap();
    assert_eq!(field.enroll("nonsense", &user), 422);
    assert!(field.read("head").to_lowercase().contains("content-type: text/plain"));
    assert!(field.read("body").len() > 20);
    fs::write(field.site.path("long.csr"), vec![0; 100_000]).unwrap();
    assert_eq!(field.enroll("long", &user), 413);
    fs::write(field.site.path("empty.csr"), "").unwrap();
    assert_eq!(field.enroll("empty", &user), 400);
    // Another person's name, or another type's.
    request(&field.folder(), "foreign", "rig-1/OU=Other", "");
    assert_eq!(field.enroll("foreign", &user), 422);
    assert!(field.requests().is_empty());
}

#[tokio::test]
async fn codes_are_made_for_devices_of_the_configuration_alone() {
    let field = Field::new(|site| site).await;
    for (name, more, fault) in [
        ("rig-1", &["--type", "participants"][..], "cannot be used multiple times"),
        ("", &[], "Common Name"),
        ("rig-1", &["--file-format", "paper"], "paper"),
    ] {
        let output = field.try_code(name, more);
        assert!(!output.status.success(), "{more:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(fault), "{text}");
    }
    let config = field.site.path("keyside.toml");
    let arguments =
        ["code", "--common-name", "rig-1", "--type", "participants", "--kind", "rig", "--email", "ops@example.com"];
    let output = field.site.run("est", &[&arguments[..], &["--config", config.to_str().unwrap()]].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("devices"), "{text}");
}

#[tokio::test]
async fn the_next_certificate_needs_the_current_one_and_the_same_names() {
    let renew = |site: Site| with_renewal(site.issuing_at_once());
    let field = Field::new(renew).await;
    field.request("rig", "rig-1", "");
    let user = format!("rig-1:{}", field.code("rig-1", &[]));
    assert_eq!(decided(|| field.enroll("rig", &user)), 200);
    field.certificate("rig");
    let current = ["--cert", "rig.pem", "--key", "rig.key"];

    field.request("next", "rig-1", "");
    assert_eq!(field.post(REENROLL, "next", &[]), 401, "without a certificate");
    assert_eq!(field.post(REENROLL, "next", &["--user", "rig-1:x"]), 401);
    field.request("other", "rig-2", "");
    assert_eq!(field.post(REENROLL, "other", &current), 422, "another name");
    field.request("more", "rig-1", "DNS:rig-1.example.com");
    assert_eq!(field.post(REENROLL, "more", &current), 422, "one more name");
    assert_eq!(field.post(REENROLL, "rig", &current), 422, "the same key");
    openssl(
        &[
            "req",
            "-x509",
            "-key",
            "rig.key",
            "-subj",
            "/C=US/O=Example Grid Operator/OU=Devices/CN=rig-1",
            "-out",
            "own.pem",
        ],
        &field.folder(),
    );
    assert_eq!(field.post(REENROLL, "next", &["--cert", "own.pem", "--key", "rig.key"]), 422, "one that nobody issued");
    // Its transaction ID is taken while it is the only one: the list has two of one second in no order.
    let [(id, _)] = field.requests().try_into().unwrap();

    assert_eq!(decided(|| field.post(REENROLL, "next", &current)), 200, "{}", field.read("body"));
    field.certificate("next");
    let first = field.read("body");
    assert_eq!(field.post(REENROLL, "next", &current), 200);
    assert_eq!(field.read("body"), first);

    field.request("late", "rig-1", "");
    assert!(field.site.requests(&["revoke", &id.to_string(), "--reason", "superseded"]).status.success());
    assert_eq!(field.post(REENROLL, "late", &current), 422);
    assert!(field.read("body").contains("revoked"), "{}", field.read("body"));
}
