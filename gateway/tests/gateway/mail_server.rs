//! A real mail server on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{eventually, openssl, python};

/// A mail server that nobody here wrote (aiosmtpd).
pub(crate) struct MailServer {
    directory: TempDir,
    mode: &'static str,
    port: String,
    process: Option<Child>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A message that was taken.
pub(crate) struct Taken {
    pub(crate) recipient: String,
    pub(crate) text: String,
}

impl Taken {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> &str {
        let (head, _) = self.text.split_once("\r\n\r\n").unwrap();
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {head}"))
    }
}

impl MailServer {
    /// Starts one; `mode` is `plain`, `starttls` or `tls`.
    pub(crate) fn start(mode: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        if mode != "plain" {
            make_certificate(directory.path());
        }
        let mut server = Self { directory, mode, port: "0".into(), process: None };
        server.mood("take");
        server.resume();
        server
    }

    /// Starts it, on the port that it had.
    pub(crate) fn resume(&mut self) {
        let mut command = Command::new(python());
        // What it says goes beside what it takes: a handshake that is to fail is no news.
        command.stderr(fs::File::create(self.directory.path().join("said")).unwrap());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/mail_server.py"));
        command.arg(self.directory.path()).args([&self.port, self.mode]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("these tests need Python with the package aiosmtpd");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = || fs::read_to_string(self.directory.path().join("said")).unwrap();
        assert!(!line.is_empty(), "no mail server; `cargo xtask test native` installs aiosmtpd: {}", said());
        self.port = line.trim().to_owned();
        self.process = Some(process);
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// What it does from now on: see mail_server.py.
    pub(crate) fn mood(&self, mood: &str) {
        // As a whole: the server reads it at any time.
        let unfinished = self.directory.path().join("next-mood");
        fs::write(&unfinished, mood).unwrap();
        fs::rename(unfinished, self.directory.path().join("mood")).unwrap();
    }

    /// The messages that were taken, in this order.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        let folder = self.directory.path().join("taken");
        (0..)
            .map_while(|number| fs::read_to_string(folder.join(format!("{number}.eml"))).ok())
            .map(|text| {
                let (recipient, text) = text.split_once('\n').unwrap();
                Taken { recipient: recipient.into(), text: text.into() }
            })
            .collect()
    }

    /// Waits until so many were taken.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Taken> {
        eventually(async || self.taken().len() >= count).await;
        self.taken()
    }

    /// The configuration's tables for it.
    pub(crate) fn tables(&self) -> String {
        let Self { port, mode, .. } = self;
        let security = if *mode == "plain" { "none" } else { mode };
        let mut text = format!(
            "[notifications]\nfrom = \"Keyside <no-reply@example.com>\"\nretry_after_seconds = 1\nsubmitted_per_hour = 1000000\n\n[notifications.smtp]\n\
             host = \"127.0.0.1\"\nport = {port}\nsecurity = \"{security}\"\ntimeout_seconds = 2\n"
        );
        if *mode != "plain" {
            let file = |name: &str| self.directory.path().join(name).display().to_string();
            text += &format!(
                "username = \"keyside\"\npassword_file = '{}'\nca_file = '{}'\n",
                file("password"),
                file("ca.pem")
            );
        }
        text
    }
}

/// A CA, and the server's certificate and password.
fn make_certificate(directory: &Path) {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::write(directory.join("password"), "s3cret\n").unwrap();
    fs::set_permissions(directory.join("password"), private).unwrap();
    let keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let new = [&["req", "-x509", "-config", "/dev/null", "-days", "30"][..], &keys].concat();
    let ca = [
        "-keyout",
        "ca-key.pem",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=Mail CA",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
    ];
    openssl(&[&new[..], &ca].concat(), directory);
    let server = ["-keyout", "server-key.pem", "-out", "server.pem", "-subj", "/CN=mail.example.com", "-CA", "ca.pem"];
    let more =
        ["-CAkey", "ca-key.pem", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"];
    openssl(&[&new[..], &server, &more].concat(), directory);
}
