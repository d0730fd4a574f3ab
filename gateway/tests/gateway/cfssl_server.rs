//! A real CFSSL server on a port of its own, and one in between that spoils what passes through it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use hyper::body::Frame;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::Connection;
use sqlx_sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::harness::{PATIENCE, POLL_INTERVAL, Site, http_client, openssl};

/// The key that the gateway and CFSSL share.
const KEY: &str = "00112233445566778899aabbccddeeff";

/// The file that tells CFSSL where its database is, if it has one.
const DATABASE_CONFIG: &str = "database.json";
/// The database, and the table that CFSSL expects in it.
const DATABASE: &str = "certificates.sqlite";
const TABLE: &str = "CREATE TABLE certificates (serial_number BLOB NOT NULL, authority_key_identifier BLOB NOT NULL, ca_label BLOB, \
    status BLOB NOT NULL, reason INT, expiry TIMESTAMP, revoked_at TIMESTAMP, pem BLOB NOT NULL, \
    PRIMARY KEY (serial_number, authority_key_identifier))";

/// CFSSL with a CA of its own.
pub(crate) struct Cfssl {
    directory: TempDir,
    port: u16,
    speaks_tls: bool,
    process: Option<Child>,
}

impl Drop for Cfssl {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Cfssl {
    /// Makes a CA and starts CFSSL with it.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with a database of its own, in which it records what it signs.
    pub(crate) async fn start_with_database() -> Self {
        let mut cfssl = Self::start();
        cfssl.stop();
        let mut database = cfssl.database().await;
        sqlx::raw_sql(TABLE).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
        let config = json!({ "driver": "sqlite3", "data_source": DATABASE });
        fs::write(cfssl.path().join(DATABASE_CONFIG), config.to_string()).unwrap();
        cfssl.resume();
        cfssl
    }

    /// The same behind TLS, with a certificate below tls-ca.pem.
    pub(crate) fn start_with_tls() -> Self {
        Self::start_as(&[], true)
    }

    /// The same, with further members in the signing profile for people.
    pub(crate) fn start_with(members: &[(&str, Value)]) -> Self {
        Self::start_as(members, false)
    }

    fn start_as(members: &[(&str, Value)], speaks_tls: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
        let mut arguments =
            vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem", "-out", "ca.pem"];
        arguments.extend([
            "-days",
            "3650",
            "-config",
            "/dev/null",
            "-subj",
            "/C=US/O=Example Grid Operator/CN=CFSSL CA",
        ]);
        extensions.iter().for_each(|extension| arguments.extend(["-addext", extension]));
        openssl(&arguments, directory.path());
        let profile = |usage: &str| {
            json!({
                "usages": ["digital signature", "key encipherment", "client auth", usage], "expiry": "17520h", "backdate": "5m",
                "auth_key": "gateway", "ClientProvidesSerialNumbers": true,
            })
        };
        let mut person = profile("email protection");
        for (name, value) in members {
            person[*name] = value.clone();
        }
        let config = json!({
            "auth_keys": { "gateway": { "type": "standard", "key": KEY } },
            "signing": {
                "default": { "usages": ["code signing"], "expiry": "1h", "auth_key": "gateway" },
                "profiles": { "person": person, "device": profile("server auth") },
            },
        });
        fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
        // CFSSL takes port 0 for its default. This one was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut cfssl = Self { directory, port, speaks_tls, process: None };
        if speaks_tls {
            let new =
                ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-config", "/dev/null", "-days", "30", "-addext"];
            let ca = ["basicConstraints=critical,CA:TRUE", "-subj", "/CN=TLS CA", "-keyout", "tls-ca-key.pem"];
            openssl(&[&new[..], &ca, &["-out", "tls-ca.pem"]].concat(), cfssl.path());
            let server = ["subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE", "-subj", "/CN=cfssl"];
            let files = ["-CA", "tls-ca.pem", "-CAkey", "tls-ca-key.pem", "-keyout", "tls-key.pem", "-out", "tls.pem"];
            openssl(&[&new[..], &server, &files].concat(), cfssl.path());
        }
        cfssl.resume();
        cfssl
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn resume(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new("cfssl");
        command.args(["serve", "-address", "127.0.0.1", "-port", &port, "-ca", "ca.pem", "-ca-key", "ca-key.pem"]);
        if self.speaks_tls {
            command.args(["-tls-cert", "tls.pem", "-tls-key", "tls-key.pem"]);
        }
        if self.path().join(DATABASE_CONFIG).exists() {
            command.args(["-db-config", DATABASE_CONFIG]);
        }
        command.args(["-config", "config.json"]).current_dir(self.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("these tests need the program cfssl");
        self.process = Some(process);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "cfssl does not listen");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Its database.
    pub(crate) async fn database(&self) -> SqliteConnection {
        let file = SqliteConnectOptions::new().filename(self.path().join(DATABASE)).create_if_missing(true);
        SqliteConnection::connect_with(&file).await.unwrap()
    }

    /// The folder with ca.pem and ca-key.pem.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.speaks_tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}

/// A site whose engine is at `url`.
pub(crate) fn site(url: &str, more: &str) -> Site {
    let site = Site::without_ca().issuing_at_once();
    let key_file = site.path("cfssl-key");
    fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&key_file, private).unwrap();
    let key_file = key_file.display();
    site.replace_table(
        "ca",
        &format!(
            "[ca]\nengine = \"cfssl\"\nurl = \"{url}\"\nkey_file = '{key_file}'\nprofile = \"person\"\ndevice_profile = \"device\"\n\
             timeout_seconds = 5\nretry_after_seconds = 1\n{more}\n"
        ),
    )
}

/// What happens to what passes.
#[derive(Clone)]
pub(crate) enum Spoil {
    /// Nothing.
    Nothing,
    /// CFSSL signs, and the answer is lost.
    Lose,
    /// This is answered, and CFSSL is not asked.
    Answer(u16, String),
    /// This member of the request is changed, and CFSSL asked.
    Change(&'static str, Value),
    /// CFSSL signs, and its answer does not get through.
    Hold,
    /// No answer comes.
    Silence,
}

/// A server in between.
#[derive(Clone)]
pub(crate) struct Between {
    behind: String,
    spoil: Arc<Mutex<Spoil>>,
    /// The requests that CFSSL has answered with a certificate.
    signed: Arc<Mutex<Vec<Value>>>,
    http: reqwest::Client,
}

impl Between {
    /// Starts one before `cfssl`; gives its URL too.
    pub(crate) async fn start(cfssl: &Cfssl) -> (Self, String) {
        let between = Self {
            behind: cfssl.url(),
            spoil: Arc::new(Mutex::new(Spoil::Nothing)),
            signed: Arc::default(),
            http: http_client(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(pass).with_state(between.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(async move {
                    // The gateway may break off.
                    let _ = connection.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
                });
            }
        });
        (between, url)
    }

    pub(crate) fn spoil(&self, spoil: Spoil) {
        *self.spoil.lock().unwrap() = spoil;
    }

    pub(crate) fn signed(&self) -> Vec<Value> {
        self.signed.lock().unwrap().clone()
    }
}

async fn pass(State(between): State<Between>, uri: Uri, body: String) -> Response {
    let spoil = between.spoil.lock().unwrap().clone();
    let mut body: Value = serde_json::from_str(&body).unwrap();
    let is_order = uri.path().ends_with("/authsign");
    match &spoil {
        Spoil::Silence => std::future::pending().await,
        Spoil::Answer(status, text) => {
            return (StatusCode::from_u16(*status).unwrap(), text.clone()).into_response();
        }
        Spoil::Change(member, value) if is_order => {
            let request = Base64::decode_vec(body["request"].as_str().unwrap()).unwrap();
            // Numbers stay as they are written: the serial number is a long one.
            let mut request: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&request).unwrap();
            request.insert((*member).to_owned(), serde_json::value::to_raw_value(value).unwrap());
            let request = serde_json::to_string(&request).unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&base16ct::lower::decode_vec(KEY).unwrap()).unwrap();
            mac.update(request.as_bytes());
            body = json!({
                "token": Base64::encode_string(&mac.finalize().into_bytes()),
                "request": Base64::encode_string(request.as_bytes()),
            });
        }
        _ => {}
    }
    let url = format!("{}{}", between.behind, uri.path());
    let Ok(answer) = between.http.post(url).json(&body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = answer.status();
    let text = answer.text().await.unwrap();
    if is_order && status.is_success() {
        between.signed.lock().unwrap().push(serde_json::from_str(&text).unwrap());
    }
    if let Spoil::Hold = spoil {
        std::future::pending::<()>().await;
    }
    if let Spoil::Lose = spoil {
        return Body::new(Broken).into_response();
    }
    (status, text).into_response()
}

/// A body that breaks off before it has begun.
struct Broken;

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::other("lost"))))
    }
}
