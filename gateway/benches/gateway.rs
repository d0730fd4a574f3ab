//! How many submissions and status queries a second one gateway answers, and how long the slowest hundredth waits: with few and with many
//! requests stored, on SQLite and on PostgreSQL. `cargo xtask bench gateway` runs it on the release build. Or beside another gateway's program,
//! such as that of an earlier version, with nothing stored.
//!
//! The four gateways run at once and are asked in turns, a round each, so that whatever else the machine does falls on all of them. Who
//! comes first is drawn anew for each round.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement may stop where it fails"
)]

#[path = "../tests/gateway/keys.rs"]
#[allow(dead_code, reason = "the tests do more with it")]
mod keys;
#[path = "../tests/gateway/postgresql.rs"]
#[allow(dead_code, reason = "the tests do more with it")]
mod postgresql;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use der::Encode;
use der::asn1::Ia5String;
use keyside_core::api::{Base64Bytes, NewRequest, REQUESTS_PATH, RequestStatus, request_path};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::data_directory::DataDirectory;
use keyside_gateway::database::{self, Location};
use keyside_gateway::hexadecimal::hexadecimal;
use rand::RngExt;
use rand::seq::SliceRandom;
use reqwest::Method;
use rsa::pkcs1v15::Signature;
use serde_json::{Value, json};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;
use x509_cert::builder::Builder;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::RequestBuilder;

use crate::postgresql::PostgresqlDatabase;

/// Clients at once.
const CLIENTS: usize = 4;
/// How many rounds each gateway has, after a first one that does not count.
const ROUNDS: usize = 40;
/// Submissions in one round.
const SUBMISSIONS: usize = 50;
/// Status queries in one round.
const QUERIES: usize = 500;
/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(5);
/// How many rows one statement seeds.
const SEEDED_AT_ONCE: usize = 10_000;
/// The size of a certificate for 2048 bits, in bytes.
const CERTIFICATE_SIZE: usize = 1_300;
/// In seconds.
const YEAR: i64 = 365 * 24 * 3600;
/// How many of the seeded requests are asked for, again and again, as browsers of people do who wait: all over the table.
const ASKED_FOR: usize = 1_000;
/// How much slower it may be with many requests stored.
const TOLERANCE: f64 = 1.2;

/// A data folder and a database, and the gateway's program.
struct Site {
    program: PathBuf,
    directory: TempDir,
    /// Otherwise it is SQLite's file in the data folder.
    postgresql: Option<PostgresqlDatabase>,
}

impl Site {
    fn new(database: &str, program: PathBuf) -> Self {
        let postgresql = (database == "postgresql").then(PostgresqlDatabase::new);
        Self { program, directory: tempfile::tempdir().unwrap(), postgresql }
    }

    fn location(&self) -> Location {
        match &self.postgresql {
            Some(database) => database.url().parse().unwrap(),
            None => DataDirectory::new(self.directory.path()).database(),
        }
    }

    /// Starts a gateway on its annotated example, whose requests wait for a person.
    fn start(&self) -> Gateway {
        let mut command = Command::new(&self.program);
        let config = self.directory.path().join("keyside.toml");
        let example = Command::new(&self.program).args(["config", "example"]).output().unwrap().stdout;
        // All clients are at one address.
        let unlimited = String::from_utf8(example)
            .unwrap()
            .replace("calls_per_minute_and_address = 600", "calls_per_minute_and_address = 1000000000");
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
    let subject = format!("CN={common_name},OU=Participants & External Users,O=Example Grid Operator,C=US");
    let mut builder = RequestBuilder::new(Name::from_str(&subject).unwrap()).unwrap();
    let address = GeneralName::Rfc822Name(Ia5String::new("ada@example.com").unwrap());
    builder.add_extension(&SubjectAltName(vec![address])).unwrap();
    builder.build::<_, Signature>(&keys::key_of(common_name)).unwrap().to_der().unwrap()
}

/// The body of a submission.
fn submission(common_name: &str) -> String {
    let new = NewRequest {
        certificate_type: "participants".into(),
        certification_request: Base64Bytes(certification_request(common_name)).into(),
        replaces: None,
        authorization_code: None,
        device: None,
    };
    serde_json::to_string(&new).unwrap()
}

/// The gateway of this checkout.
const THIS: &str = "this";
/// The one to compare it with.
const OTHER: &str = "other";

/// One gateway, and what was measured at it.
struct Subject {
    database: &'static str,
    /// [`THIS`] or [`OTHER`].
    program: &'static str,
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

/// Stores `count` requests, as large as real ones, and what each leaves behind: it was authorised and issued, and the applicant told, some
/// time in the last year. Returns some of their transaction IDs.
async fn seed(site: &Site, count: usize) -> Vec<TransactionId> {
    // Makes the CA and the tables.
    drop(site.start());
    database::make_known();
    let (url, filling) = match site.location() {
        Location::Sqlite(path) => (format!("sqlite:{}", path.display()), &SQLITE),
        Location::Postgresql(url) => (url, &POSTGRESQL),
    };
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(filling.before).execute(&mut connection).await.unwrap();
    let indexes: Vec<(String, String)> = sqlx::query_as(filling.indexes).fetch_all(&mut connection).await.unwrap();
    for (remove, _) in &indexes {
        sqlx::raw_sql(AssertSqlSafe(remove.clone())).execute(&mut connection).await.unwrap();
    }
    let certification_request = certification_request("Ada Example");
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let mut rows = Vec::new();
        for n in ids.len()..count.min(ids.len() + SEEDED_AT_ONCE) {
            let id = TransactionId::random(&mut rand::rng());
            let at = now - YEAR + YEAR * i64::try_from(n).unwrap() / i64::try_from(count).unwrap();
            rows.push(json!({
                "id": id.to_string(), "name": format!("Person {}", random(4)), "address": format!("{}@example.com", random(4)),
                "sha256": random(32), "key": random(32), "serial_number": random(16), "authorisation": random(16), "company": format!("Company {}", n % 50),
                "submitted": random(16), "issued": random(16), "at": at.to_string(),
            }));
            ids.push(id);
        }
        let rows = serde_json::to_string(&rows).unwrap();
        // As a certificate, it does not compress.
        let certificate: Vec<u8> = (0..CERTIFICATE_SIZE).map(|_| rand::rng().random()).collect();
        let mut transaction = connection.begin().await.unwrap();
        let statement =
            |text: &str| AssertSqlSafe(text.replace("{rows}", filling.rows).replace("{bytes}", filling.bytes));
        let insert = sqlx::query(statement(FILL_REQUESTS)).bind(&rows).bind(&certification_request).bind(certificate);
        insert.execute(&mut *transaction).await.unwrap();
        for text in [FILL_AUTHORISATIONS, FILL_OUTBOX] {
            sqlx::query(statement(text)).bind(&rows).execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    for sql in indexes.into_iter().map(|(_, make)| make).chain(filling.after.iter().map(|sql| (*sql).to_owned())) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    if let Location::Sqlite(path) = site.location() {
        // What is still to be written would have the first submissions wait. PostgreSQL's CHECKPOINT does the same.
        std::fs::File::open(path).unwrap().sync_all().unwrap();
    }
    let mut rng = rand::rng();
    (0..ASKED_FOR.min(count)).map(|_| ids[rng.random_range(0..count)]).collect()
}

/// Random bytes in hexadecimal.
fn random(size: usize) -> String {
    let bytes: Vec<u8> = (0..size).map(|_| rand::rng().random()).collect();
    hexadecimal(&bytes)
}

/// How a database is filled.
struct Filling {
    /// What its connection is told.
    before: &'static str,
    /// The members of a JSON array, each as `value`.
    rows: &'static str,
    /// The function that gives the bytes of a text in hexadecimal.
    bytes: &'static str,
    /// What removes the indexes that can be made afterwards, and what makes them.
    indexes: &'static str,
    /// What is done in the end, statement by statement.
    after: &'static [&'static str],
}

const SQLITE: Filling = Filling {
    before: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000",
    rows: "json_each($1)",
    bytes: "unhex",
    indexes: "SELECT 'DROP INDEX ' || name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    after: &["PRAGMA journal_mode = WAL"],
};

const POSTGRESQL: Filling = Filling {
    before: "SET synchronous_commit = off; SET wal_compression = on; SET maintenance_work_mem = '256MB'; \
             CREATE FUNCTION pg_temp.unhex(text) RETURNS bytea LANGUAGE sql AS $$ SELECT decode($1, 'hex') $$",
    rows: "jsonb_array_elements($1::jsonb)",
    bytes: "pg_temp.unhex",
    indexes: "SELECT format('DROP INDEX %I', indexname), indexdef FROM pg_indexes \
              WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint) \
              UNION ALL SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), \
              format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint \
              WHERE contype IN ('p', 'u') AND conrelid IN ('requests'::regclass, 'authorisations'::regclass, 'outbox'::regclass)",
    after: &["VACUUM (ANALYZE)", "CHECKPOINT"],
};

const FILL_REQUESTS: &str = "INSERT INTO requests (transaction_id, certificate_type, common_name, common_name_key, email_address, \
    email_address_key, certification_request, submission_sha256, key_id, validity_days, submitted_at, state, decided_at, serial_number, \
    not_before, not_after, certificate, certificate_sha1, certificate_sha256, authorisation_id, company, issue_attempts) \
    SELECT value ->> 'id', 'participants', value ->> 'name', lower(value ->> 'name'), value ->> 'address', value ->> 'address', \
    $2, {bytes}(value ->> 'sha256'), value ->> 'key', 730, CAST(value ->> 'at' AS BIGINT), 'issued', CAST(value ->> 'at' AS BIGINT) + 60, \
    {bytes}(value ->> 'serial_number'), CAST(value ->> 'at' AS BIGINT), CAST(value ->> 'at' AS BIGINT) + 63072000, \
    $3, value ->> 'serial_number', value ->> 'sha256', value ->> 'authorisation', value ->> 'company', 1 FROM {rows}";

const FILL_AUTHORISATIONS: &str = "INSERT INTO authorisations (id, certificate_type, common_name, common_name_key, email_address, \
    email_address_key, company, authorised_at, authorised_by, expires_at, used_by) \
    SELECT value ->> 'authorisation', 'participants', value ->> 'name', lower(value ->> 'name'), value ->> 'address', \
    value ->> 'address', value ->> 'company', CAST(value ->> 'at' AS BIGINT) - 86400, 'command line', \
    CAST(value ->> 'at' AS BIGINT) + 2592000, value ->> 'id' FROM {rows}";

const FILL_OUTBOX: &str = r#"INSERT INTO outbox (identity, kind, unique_key, recipient, transaction_id, details, created_at, state, attempts,
    attempt_at) SELECT value ->> kind, kind, value ->> 'id', value ->> 'address', value ->> 'id',
    '{"common_name":"' || (value ->> 'name') || '","transaction_id":"' || (value ->> 'id') || '"}',
    CAST(value ->> 'at' AS BIGINT), 'sent', 1, CAST(value ->> 'at' AS BIGINT)
    FROM {rows}, (SELECT 'submitted' AS kind UNION ALL SELECT 'issued') AS kinds"#;

/// A client that gives up on what hangs.
fn http_client() -> reqwest::Client {
    // It fails where there is one already, which is as good.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    // The gateway closes connections that are idle for half a minute.
    let builder = reqwest::Client::builder().no_proxy().timeout(postgresql::PATIENCE).pool_idle_timeout(IDLE);
    builder.build().unwrap()
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
    /// One of this checkout.
    async fn new(database: &'static str, stored: usize) -> Self {
        let site = Site::new(database, env!("CARGO_BIN_EXE_keyside-gateway").into());
        let started = Instant::now();
        let ids = seed(&site, stored).await;
        eprintln!("{database}: {stored} requests stored in {:.0} s", started.elapsed().as_secs_f64());
        Self::begin(site, database, THIS, stored, ids)
    }

    /// One with nothing stored: its program may have other tables.
    fn empty(database: &'static str, name: &'static str, program: PathBuf) -> Self {
        Self::begin(Site::new(database, program), database, name, 0, Vec::new())
    }

    fn begin(
        site: Site,
        database: &'static str,
        program: &'static str,
        stored: usize,
        ids: Vec<TransactionId>,
    ) -> Self {
        let gateway = site.start();
        Self {
            database,
            program,
            stored,
            gateway,
            _site: site,
            ids,
            submissions: Measured::default(),
            queries: Measured::default(),
        }
    }

    /// One round. `bodies` are submissions that it has not seen.
    async fn round(&mut self, http: &reqwest::Client, bodies: Arc<Vec<String>>, counts: bool) {
        let (client, url) = (http.clone(), format!("{}{REQUESTS_PATH}", self.gateway.url));
        let submitted = Arc::new(Mutex::new(Vec::new()));
        let ids = Arc::clone(&submitted);
        let (elapsed, latencies) = measure(bodies.len(), move |i| {
            let request =
                client.request(Method::POST, &url).header("content-type", "application/json").body(bodies[i].clone());
            let ids = Arc::clone(&ids);
            async move {
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 202);
                let status: RequestStatus = answer.json().await.unwrap();
                ids.lock().unwrap().push(status.transaction_id);
            }
        })
        .await;
        if counts {
            self.submissions.add(elapsed, latencies);
        }
        if self.stored == 0 {
            self.ids.append(&mut submitted.lock().unwrap());
        }

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
        if counts {
            self.queries.add(elapsed, latencies);
        }
    }

    /// The results, one line for each operation.
    fn results(&self) -> [Value; 2] {
        [("submission", &self.submissions), ("status", &self.queries)].map(|(operation, measured)| {
            json!({
                "database": self.database,
                "gateway": self.program,
                "operation": operation,
                "stored": self.stored,
                "per_second": (measured.per_second() * 10.0).round() / 10.0,
                "p99_ms": (measured.p99_ms() * 100.0).round() / 100.0,
            })
        })
    }
}

/// The factor by which `result` is slower than the same of the other gateway, or with the fewest requests stored.
fn slowdown(results: &[Value], result: &Value) -> f64 {
    let is_same = |other: &&Value| ["database", "operation"].iter().all(|name| other[name] == result[name]);
    let few =
        results.iter().filter(is_same).min_by_key(|one| (one["gateway"] == THIS, one["stored"].as_u64())).unwrap();
    few["per_second"].as_f64().unwrap() / result["per_second"].as_f64().unwrap()
}

/// The results as a Markdown table.
fn table(results: &[Value]) -> String {
    let mut lines = vec![
        "| database   | operation  | gateway |  stored | per second | p99 (ms) | times slower |".to_owned(),
        "|------------|------------|---------|--------:|-----------:|---------:|-------------:|".to_owned(),
    ];
    lines.extend(results.iter().map(|result| {
        let text = |name: &str| result[name].as_str().map_or_else(|| result[name].to_string(), ToOwned::to_owned);
        format!(
            "| {:10} | {:10} | {:7} | {:>7} | {:>10} | {:>8} | {:>12.2} |",
            text("database"),
            text("operation"),
            text("gateway"),
            text("stored"),
            text("per_second"),
            text("p99_ms"),
            slowdown(results, result)
        )
    }));
    lines.join("\n")
}

/// Puts the table into a Markdown file, in place of what stands between the marks there.
fn put_between_marks(path: &Path, table: &str) {
    let [begin, end] = ["<!-- gateway -->", "<!-- end of gateway -->"];
    let text = std::fs::read_to_string(path).unwrap();
    let place = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = place.unwrap_or_else(|| panic!("{} has no place between {begin} and {end}", path.display()));
    std::fs::write(path, format!("{before}{begin}\n\n{table}\n\n{end}{after}")).unwrap();
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut json_file, mut markdown_file, mut other, mut sizes) = (None, None, None, [1_000, 1_000_000]);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().expect("an option has a value");
        match argument.as_str() {
            "--json" => json_file = Some(PathBuf::from(value)),
            "--markdown" => markdown_file = Some(PathBuf::from(value)),
            "--against" => other = Some(PathBuf::from(value)),
            "--large" => sizes[1] = value.parse().expect("--large is a number"),
            other => panic!(
                "there is no option {other}: use --json FILE, --markdown FILE, --against PROGRAM and --large COUNT"
            ),
        }
    }
    let mut subjects = Vec::new();
    // PostgreSQL first: it needs twice the room while it is filled.
    for database in ["postgresql", "sqlite"] {
        if let Some(other) = &other {
            subjects.push(Subject::empty(database, OTHER, other.clone()));
            subjects.push(Subject::empty(database, THIS, env!("CARGO_BIN_EXE_keyside-gateway").into()));
            continue;
        }
        for stored in sizes {
            subjects.push(Subject::new(database, stored).await);
        }
    }
    let http = http_client();
    let mut turns: Vec<usize> = (0..subjects.len()).collect();
    for round in 0..=ROUNDS {
        let make = |i| submission(&format!("User {round} {i}"));
        let bodies: Arc<Vec<String>> = Arc::new((0..SUBMISSIONS).map(make).collect());
        // What one leaves behind, notifications say, falls on any of the others.
        turns.shuffle(&mut rand::rng());
        for subject in &turns {
            subjects[*subject].round(&http, Arc::clone(&bodies), round > 0).await;
        }
    }
    let results: Vec<Value> = subjects.iter().flat_map(Subject::results).collect();
    let table = table(&results);
    println!("{table}");
    if let Some(path) = json_file {
        std::fs::write(&path, serde_json::to_string_pretty(&results).unwrap() + "\n").unwrap();
    }
    if let Some(path) = markdown_file {
        put_between_marks(&path, &table);
    }
    let slowest = results.iter().map(|large| slowdown(&results, large)).fold(0.0, f64::max);
    drop(subjects);
    assert!(
        slowest <= TOLERANCE,
        "{slowest:.2} times slower; it may be {TOLERANCE} at most: look at the indexes, and at what was changed"
    );
}
