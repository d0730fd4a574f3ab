//! How many submissions and status queries a second one gateway answers, and how long the slowest hundredth waits: with few and with many
//! requests stored, on SQLite and on PostgreSQL. `cargo xtask bench gateway` runs it on the release build.
//!
//! The four gateways run at once and are asked in turns, a round each, so that whatever else the machine does falls on all of them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement may stop where it fails"
)]

#[path = "../tests/gateway/postgresql.rs"]
#[allow(dead_code, reason = "the tests do more with it")]
mod postgresql;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use der::Encode;
use der::asn1::Ia5String;
use keyside::api::{Base64Bytes, NewRequest, REQUESTS_PATH, RequestStatus, request_path};
use keyside::domain::key_size::KeySize;
use keyside::domain::transaction_id::TransactionId;
use keyside::pki::key_pair::KeyPair;
use keyside_gateway::config::EXAMPLE;
use keyside_gateway::data::DataDirectory;
use keyside_gateway::database::{Database, Location};
use rand::RngExt;
use reqwest::Method;
use rsa::pkcs1v15::Signature;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use x509_cert::builder::Builder;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::RequestBuilder;

use crate::postgresql::PostgresqlDatabase;

/// Clients at once.
const CLIENTS: usize = 4;
/// How many rounds each gateway has.
const ROUNDS: usize = 20;
/// Submissions in one round.
const SUBMISSIONS: usize = 100;
/// Status queries in one round.
const QUERIES: usize = 500;
/// How many rows one statement seeds.
const SEEDED_AT_ONCE: usize = 10_000;
/// How many of the seeded requests are asked for: all over the table.
const ASKED_FOR: usize = 20_000;
/// How much slower it may be with many requests stored.
const TOLERANCE: f64 = 1.2;

/// A data folder and a database.
struct Site {
    directory: TempDir,
    /// Otherwise it is SQLite's file in the data folder.
    postgresql: Option<PostgresqlDatabase>,
}

impl Site {
    fn location(&self) -> Location {
        match &self.postgresql {
            Some(database) => database.url().parse().unwrap(),
            None => DataDirectory::new(self.directory.path()).database(),
        }
    }

    /// Starts a gateway on the annotated example, whose requests wait for a person.
    fn start(&self) -> Gateway {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyside-gateway"));
        let config = self.directory.path().join("keyside.toml");
        // All clients are at one address.
        let unlimited =
            EXAMPLE.replace("calls_per_minute_and_address = 600", "calls_per_minute_and_address = 1000000000");
        std::fs::write(&config, unlimited).unwrap();
        command.args(["serve", "--manual-approval", "--listen", "127.0.0.1:0", "--data"]).arg(self.directory.path());
        command.arg("--config").arg(config);
        if let Some(database) = &self.postgresql {
            command.args(["--database", &database.url()]);
        }
        let mut process = command.env("RUST_LOG", "error").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("Keyside is at ").and_then(|rest| rest.strip_suffix("/\n"));
        let url = url.unwrap_or_else(|| panic!("the gateway printed {line:?}")).to_owned();
        Gateway { process, url }
    }
}

/// A running gateway, killed when dropped.
struct Gateway {
    process: Child,
    url: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A certification request for 2048 bits, DER.
fn certification_request(common_name: &str) -> Vec<u8> {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    let key = KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048, &mut rand::rng()).unwrap()).signing_key();
    let subject = format!("CN={common_name},OU=Participants & External Users,O=Example Grid Operator,C=US");
    let mut builder = RequestBuilder::new(Name::from_str(&subject).unwrap()).unwrap();
    let address = GeneralName::Rfc822Name(Ia5String::new("ada@example.com").unwrap());
    builder.add_extension(&SubjectAltName(vec![address])).unwrap();
    builder.build::<_, Signature>(&key).unwrap().to_der().unwrap()
}

/// The body of a submission.
fn submission(common_name: &str) -> String {
    let new = NewRequest {
        certificate_type: "participants".into(),
        certification_request: Base64Bytes(certification_request(common_name)).into(),
        replaces: None,
        device: None,
    };
    serde_json::to_string(&new).unwrap()
}

/// One gateway, and what was measured at it.
struct Subject {
    database: &'static str,
    stored: usize,
    // Before the site, whose folder it uses.
    gateway: Gateway,
    _site: Site,
    ids: Vec<TransactionId>,
    submissions: Measured,
    queries: Measured,
}

#[derive(Default)]
struct Measured {
    /// How many a second, round by round.
    rates: Vec<f64>,
    latencies: Vec<Duration>,
}

impl Measured {
    fn add(&mut self, elapsed: Duration, latencies: Vec<Duration>) {
        self.rates.push(latencies.len() as f64 / elapsed.as_secs_f64());
        self.latencies.extend(latencies);
    }

    /// The median of the rounds.
    fn per_second(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }

    fn p99_ms(&self) -> f64 {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        latencies[latencies.len() * 99 / 100].as_secs_f64() * 1000.0
    }
}

/// Stores `count` requests, all of them issued, each as large as a real one. Returns some of their transaction IDs.
async fn seed(site: &Site, database: &str, count: usize) -> Vec<TransactionId> {
    // Makes the CA and the tables.
    drop(site.start());
    let store = Database::open(&site.location()).await.unwrap();
    let (rows, sha256, serial_number) = match database {
        "sqlite" => ("json_each($1)", "randomblob(32)", "randomblob(16)"),
        _ => {
            ("json_array_elements_text($1::json)", "sha256(convert_to(value, 'UTF8'))", "uuid_send(gen_random_uuid())")
        }
    };
    // As large as a request for 2048 bits and its certificate.
    let statement = format!(
        "INSERT INTO requests (transaction_id, certificate_type, common_name, email_address, certification_request, submission_sha256, \
         validity_days, submitted_at, state, decided_at, serial_number, not_before, not_after, certificate) \
         SELECT value, 'participants', 'User ' || value, 'ada@example.com', $2, {sha256}, 730, $4, 'issued', $4, {serial_number}, \
         $4, $4 + 63072000, $3 FROM {rows}"
    );
    let certification_request = certification_request("Ada Example");
    let certificate = vec![b'c'; 1300];
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let some: Vec<_> =
            (0..SEEDED_AT_ONCE.min(count - ids.len())).map(|_| TransactionId::random(&mut rand::rng())).collect();
        let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
        let mut transaction = store.transaction().await.unwrap();
        sqlx::query(AssertSqlSafe(statement.clone()))
            .bind(serde_json::to_string(&texts).unwrap())
            .bind(&certification_request)
            .bind(&certificate)
            .bind(1_800_000_000_i64 + i64::try_from(ids.len() / 100).unwrap())
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        ids.extend(some);
    }
    for statement in match database {
        "sqlite" => ["PRAGMA wal_checkpoint(TRUNCATE)", "ANALYZE"],
        _ => ["VACUUM (ANALYZE) requests", "CHECKPOINT"],
    } {
        sqlx::raw_sql(statement).execute(store.reader()).await.unwrap();
    }
    store.close().await;
    let mut rng = rand::rng();
    (0..ASKED_FOR.min(count)).map(|_| ids[rng.random_range(0..count)]).collect()
}

/// Has the clients do `count` things, and says how long all of them took together, and each.
async fn measure<F: Future<Output = ()> + Send>(
    count: usize,
    act: impl Fn(usize) -> F + Send + Sync + 'static,
) -> (Duration, Vec<Duration>) {
    let (act, next) = (Arc::new(act), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (act, next) = (Arc::clone(&act), Arc::clone(&next));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        return latencies;
                    }
                    let started = Instant::now();
                    act(i).await;
                    latencies.push(started.elapsed());
                }
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    (started.elapsed(), latencies)
}

impl Subject {
    async fn new(database: &'static str, stored: usize) -> Self {
        let postgresql = (database == "postgresql").then(PostgresqlDatabase::new);
        let site = Site { directory: tempfile::tempdir().unwrap(), postgresql };
        let started = Instant::now();
        let ids = seed(&site, database, stored).await;
        eprintln!("{database}: {stored} requests stored in {:.0} s", started.elapsed().as_secs_f64());
        let gateway = site.start();
        Self {
            database,
            stored,
            gateway,
            _site: site,
            ids,
            submissions: Measured::default(),
            queries: Measured::default(),
        }
    }

    /// One round. `requests` are certification requests that it has not seen.
    async fn round(&mut self, http: &reqwest::Client, bodies: Arc<Vec<String>>) {
        let (client, url) = (http.clone(), format!("{}{REQUESTS_PATH}", self.gateway.url));
        let (elapsed, latencies) = measure(bodies.len(), move |i| {
            let request =
                client.request(Method::POST, &url).header("content-type", "application/json").body(bodies[i].clone());
            async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 202);
                answer.bytes().await.unwrap();
            }
        })
        .await;
        self.submissions.add(elapsed, latencies);

        let mut rng = rand::rng();
        let urls: Vec<_> = (0..QUERIES)
            .map(|_| {
                let id = self.ids[rng.random_range(0..self.ids.len())];
                (id, format!("{}{}", self.gateway.url, request_path(&id)))
            })
            .collect();
        let client = http.clone();
        let (elapsed, latencies) = measure(QUERIES, move |i| {
            let (id, url) = urls[i].clone();
            let request = client.request(Method::GET, url);
            async move {
                let status: RequestStatus = request.send().await.unwrap().json().await.unwrap();
                assert_eq!(status.transaction_id, id);
            }
        })
        .await;
        self.queries.add(elapsed, latencies);
    }

    /// The results, one line for each operation.
    fn results(&self) -> [Value; 2] {
        [("submission", &self.submissions), ("status", &self.queries)].map(|(operation, measured)| {
            json!({
                "database": self.database,
                "operation": operation,
                "stored": self.stored,
                "per_second": (measured.per_second() * 10.0).round() / 10.0,
                "p99_ms": (measured.p99_ms() * 100.0).round() / 100.0,
            })
        })
    }
}

/// How many times slower `operation` is with many requests stored.
fn slowdown(few: &Value, many: &Value) -> f64 {
    few["per_second"].as_f64().unwrap() / many["per_second"].as_f64().unwrap()
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut json_file, mut sizes) = (None, [1_000, 1_000_000]);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().expect("an option has a value");
        match argument.as_str() {
            "--json" => json_file = Some(PathBuf::from(value)),
            "--large" => sizes[1] = value.parse().expect("--large is a number"),
            other => panic!("there is no option {other}: use --json FILE and --large COUNT"),
        }
    }
    let mut subjects = Vec::new();
    for database in ["sqlite", "postgresql"] {
        for stored in sizes {
            subjects.push(Subject::new(database, stored).await);
        }
    }
    // It fails where there is one already, which is as good.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().timeout(postgresql::PATIENCE).build().unwrap();
    for round in 0..ROUNDS {
        let make = |i| submission(&format!("User {round} {i}"));
        let bodies: Arc<Vec<String>> = Arc::new((0..SUBMISSIONS).map(make).collect());
        for i in 0..subjects.len() {
            // Each one is the first of a round as often as any other.
            let subject = (round + i) % subjects.len();
            subjects[subject].round(&http, Arc::clone(&bodies)).await;
        }
    }
    let results: Vec<Value> = subjects.iter().flat_map(Subject::results).collect();
    println!("{:12} {:12} {:>9} {:>12} {:>9}", "database", "operation", "stored", "per second", "p99 ms");
    for result in &results {
        let text = |name: &str| result[name].as_str().unwrap().to_owned();
        println!(
            "{:12} {:12} {:>9} {:>12} {:>9}",
            text("database"),
            text("operation"),
            result["stored"],
            result["per_second"],
            result["p99_ms"]
        );
    }
    if let Some(path) = json_file {
        std::fs::write(&path, serde_json::to_string_pretty(&results).unwrap() + "\n").unwrap();
    }
    let mut is_within = true;
    for (few, many) in [(0, 2), (1, 3), (4, 6), (5, 7)] {
        let slowdown = slowdown(&results[few], &results[many]);
        let of = format!("{} on {}", results[few]["operation"], results[few]["database"]);
        println!("{of}: {slowdown:.2} times slower with {} requests stored", sizes[1]);
        is_within &= slowdown <= TOLERANCE;
    }
    drop(subjects);
    assert!(is_within, "it may be {TOLERANCE} times slower at most: look at the indexes");
}
