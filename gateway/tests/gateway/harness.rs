//! A real gateway in a process of its own, and what is sent to it.

use std::env::{self, VarError};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::time::Instant;

use der::Encode;
use der::asn1::Ia5String;
use keyside_core::api::{Base64Bytes, NewRequest, Problem, REQUESTS_PATH, RequestState, RequestStatus};
use keyside_core::api::{certificate_path, request_path};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::ca::settings::CA_PASSPHRASE_VARIABLE;
use keyside_gateway::clock::AHEAD_VARIABLE;
use keyside_gateway::configuration::EXAMPLE;
use keyside_gateway::data_directory::DataDirectory;
use keyside_gateway::database::{Database, Location};
use keyside_gateway::store::requests::{self, Request};
use rsa::pkcs1v15::{Signature, SigningKey};
use sha2::Sha256;
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use toml::{Table, Value};
use x509_cert::builder::Builder;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::RequestBuilder;

use crate::keys::key_of;
use crate::postgresql::PostgresqlDatabase;
pub(crate) use crate::postgresql::{PATIENCE, POLL_INTERVAL};

/// The binary under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_keyside-gateway");
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(5);

/// The environment variable that says which database the tests are to run on: `sqlite`, which is the default, or `postgresql`.
const DATABASE_VARIABLE: &str = "KEYSIDE_TEST_DATABASE";

/// Merges TOML into a table.
fn merge(table: &mut Table, changes: &str) {
    fn merge_tables(table: &mut Table, changes: Table) {
        for (key, change) in changes {
            match (table.get_mut(&key), change) {
                (Some(Value::Table(old)), Value::Table(new)) => merge_tables(old, new),
                (_, change) => drop(table.insert(key, change)),
            }
        }
    }
    merge_tables(table, changes.parse().unwrap());
}

/// A data folder, a configuration file and a database, gone when dropped.
pub(crate) struct Site {
    directory: TempDir,
    /// Otherwise it is SQLite's file in the data folder.
    postgresql: Option<Arc<PostgresqlDatabase>>,
}

impl Site {
    /// A site whose CA is there already: every site of a run has the same, because making one takes seconds.
    pub(crate) fn new() -> Self {
        Self::without_ca().with_ca()
    }

    /// The same, on PostgreSQL in any case.
    pub(crate) fn on_postgresql() -> Self {
        Self::on(Some(PostgresqlDatabase::new().into())).with_ca()
    }

    /// The same, on SQLite in any case.
    pub(crate) fn on_sqlite() -> Self {
        Self::on(None).with_ca()
    }

    /// A second machine with the same configuration, CA and database.
    pub(crate) fn another_machine(&self) -> Self {
        assert!(self.postgresql.is_some(), "SQLite is for one machine");
        let another = Self::on(self.postgresql.clone()).with_ca();
        fs::copy(self.config(), another.config()).unwrap();
        another
    }

    fn with_ca(self) -> Self {
        static CA: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
        let files = CA.get_or_init(|| {
            let site = Self::on(None);
            drop(site.start(&[]));
            fs::read_dir(site.data().join("ca"))
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    (name, fs::read(entry.path()).unwrap())
                })
                .collect()
        });
        let ca = self.data().join("ca");
        fs::create_dir_all(&ca).unwrap();
        for (name, contents) in files {
            fs::write(ca.join(name), contents).unwrap();
        }
        self
    }

    /// A site at which nothing was ever started.
    pub(crate) fn without_ca() -> Self {
        match env::var(DATABASE_VARIABLE).as_deref() {
            Ok("postgresql") => Self::on(Some(PostgresqlDatabase::new().into())),
            Ok("sqlite") | Err(VarError::NotPresent) => Self::on(None),
            other => panic!("{DATABASE_VARIABLE}: {other:?}"),
        }
    }

    /// The same, on SQLite in any case.
    pub(crate) fn without_ca_on_sqlite() -> Self {
        Self::on(None)
    }

    fn on(postgresql: Option<Arc<PostgresqlDatabase>>) -> Self {
        let site = Self { directory: tempfile::tempdir().unwrap(), postgresql };
        fs::write(site.config(), EXAMPLE).unwrap();
        // All clients are at one address here, and some ask without a pause.
        let site = site
            .configure("limits = { calls_per_minute_and_address = 1000000, calls_per_minute_and_request = 1000000 }");
        // And one person asks for much.
        site.configure("notifications.submitted_per_hour = 1000000")
    }

    /// Merges TOML into the configuration, which begins as the annotated example: tables are merged, everything else is replaced.
    pub(crate) fn configure(self, changes: &str) -> Self {
        self.edit(|config| merge(config, changes))
    }

    /// Merges TOML into the certificate types with these IDs.
    pub(crate) fn configure_types(self, ids: &[&str], changes: &str) -> Self {
        self.edit(|config| {
            for kind in config["certificate_types"].as_array_mut().unwrap() {
                if ids.contains(&kind["id"].as_str().unwrap()) {
                    merge(kind.as_table_mut().unwrap(), changes);
                }
            }
        })
    }

    /// Puts the table `name` of this TOML in the place of the configuration's.
    pub(crate) fn replace_table(self, name: &str, table: &str) -> Self {
        self.edit(|config| {
            config.remove(name).unwrap();
            merge(config, table);
        })
    }

    /// Changes the configuration.
    pub(crate) fn edit(self, change: impl FnOnce(&mut Table)) -> Self {
        let mut config = fs::read_to_string(self.config()).unwrap().parse().unwrap();
        change(&mut config);
        fs::write(self.config(), config.to_string()).unwrap();
        self
    }

    /// Lets the gateway issue at once.
    pub(crate) fn issuing_at_once(self) -> Self {
        self.configure("approval.after_seconds = 0")
    }

    /// A file or folder of the site.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn config(&self) -> PathBuf {
        self.path("keyside.toml")
    }

    /// The command `keyside-gateway serve` for this site.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Command {
        let mut command = self.serve_unconfigured(arguments);
        command.arg("--config").arg(self.config());
        command
    }

    /// The same without the configuration.
    pub(crate) fn serve_unconfigured(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(self.data_arguments())
            .args(arguments)
            .env_remove(CA_PASSPHRASE_VARIABLE)
            // Standard error goes straight to the terminal, past the test runner: only errors belong there.
            .env("RUST_LOG", "error");
        command
    }

    /// Starts the gateway with further arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Gateway {
        Gateway::spawn(self.serve(arguments))
    }

    /// Starts the gateway with a clock that is so many seconds ahead.
    pub(crate) fn start_later(&self, seconds: i64, arguments: &[&str]) -> Gateway {
        let mut command = self.serve(arguments);
        command.env(AHEAD_VARIABLE, seconds.to_string());
        Gateway::spawn(command)
    }

    /// Starts the gateway with an operations listener on a port that the system chooses.
    pub(crate) fn start_with_operations(&self) -> Gateway {
        self.start(&["--operations-listen", "127.0.0.1:0"])
    }

    /// Starts the gateway with a connection check on a port that the system chooses.
    pub(crate) fn start_with_check(&self) -> Gateway {
        self.start(&["--tls-listen", "127.0.0.1:0"])
    }

    /// Runs `keyside-gateway requests` to its end.
    pub(crate) fn requests(&self, arguments: &[&str]) -> Output {
        self.run("requests", arguments)
    }

    /// Runs a command of `keyside-gateway` on the data folder to its end.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).arg(command).args(arguments).args(self.data_arguments()).output().unwrap()
    }

    /// Another site with the same data, which are SQLite's. Nothing may be at work on these.
    pub(crate) fn copy(&self) -> Self {
        let site = Self::on(None);
        fs::create_dir_all(site.data().join("ca")).unwrap();
        fs::copy(self.data().join("keyside.sqlite"), site.data().join("keyside.sqlite")).unwrap();
        for entry in fs::read_dir(self.data().join("ca")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), site.data().join("ca").join(entry.file_name())).unwrap();
        }
        site
    }

    /// The arguments that tell a command where the data is.
    fn data_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--data".into(), self.data().into_os_string()];
        if let Some(database) = &self.postgresql {
            arguments.extend(["--database".into(), database.url().into()]);
        }
        arguments
    }

    /// Where the database is.
    pub(crate) fn location(&self) -> Location {
        match &self.postgresql {
            Some(database) => database.url().parse().unwrap(),
            None => DataDirectory::new(&self.data()).database(),
        }
    }

    /// The same as a URL.
    pub(crate) fn database_url(&self) -> String {
        match self.location() {
            Location::Sqlite(path) => format!("sqlite:{}", path.display()),
            Location::Postgresql(url) => url,
        }
    }

    /// A client program of PostgreSQL, told where the site's database is.
    pub(crate) fn postgresql_client(&self, program: &str) -> Command {
        self.postgresql.as_ref().expect("the site is on PostgreSQL").client(program)
    }

    /// Lets nobody into the site's database, which is PostgreSQL's, and ends all that are in; or lets them in again.
    pub(crate) fn database_lets_in(&self, somebody: bool) {
        self.postgresql.as_ref().expect("the site is on PostgreSQL").lets_in(somebody);
    }

    /// Changes the database behind the gateway's back.
    pub(crate) async fn execute(&self, sql: &str) {
        let database = self.database().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(database.reader()).await.unwrap();
        database.close().await;
    }

    /// The site's database, beside the running gateway.
    pub(crate) async fn database(&self) -> Database {
        Database::open(&self.location()).await.unwrap()
    }

    /// The site's database before a gateway was ever started.
    pub(crate) async fn new_database(&self) -> Database {
        Database::open_or_create(&DataDirectory::new(&self.data()).database()).await.unwrap()
    }

    /// Every request.
    pub(crate) async fn all_requests(&self) -> Vec<Request> {
        let database = self.database().await;
        let all = requests::list(database.reader()).await.unwrap();
        database.close().await;
        all
    }
}

/// A running gateway, killed when dropped.
pub(crate) struct Gateway {
    process: Child,
    /// Where it listens, without a slash at the end.
    pub(crate) url: String,
    /// Where its connection check listens, if it was started with one: see [`Site::start_with_check`].
    pub(crate) check_url: Option<String>,
    /// Where its operations listener listens, if it was started with one: see [`Site::start_with_operations`].
    pub(crate) operations_url: Option<String>,
    http: reqwest::Client,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Gateway {
    /// Starts `command` and waits for its lines.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let has = |option| command.get_args().any(|argument| argument == option);
        let (has_check, has_operations) = (has("--tls-listen"), has("--operations-listen"));
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut url_after = |what: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let url = line.strip_prefix(what).and_then(|rest| rest.strip_suffix("/\n"));
            url.unwrap_or_else(|| panic!("the gateway printed {line:?}")).to_owned()
        };
        let url = url_after("Keyside is at ");
        let check_url = has_check.then(|| url_after("The connection check is at "));
        let operations_url = has_operations.then(|| url_after("The operations are at "));
        Self { process, url, check_url, operations_url, http: http_client() }
    }

    /// The ID of its process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal, which is named without its SIG.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let told = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(told.success());
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the gateway does not stop");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// A request, to be sent.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.request(reqwest::Method::GET, path).send().await.unwrap()
    }

    /// Posts a body of JSON to the requests.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.request(reqwest::Method::POST, REQUESTS_PATH)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// Submits a certification request for the type `participants`.
    pub(crate) async fn submit(&self, certification_request: &[u8]) -> reqwest::Response {
        self.post(submission("participants", certification_request)).await
    }

    /// Submits a certification request that is taken.
    pub(crate) async fn submit_good(&self, certification_request: &[u8]) -> TransactionId {
        let response = self.submit(certification_request).await;
        assert!(response.status().is_success(), "{:?}", response.text().await);
        response.json::<RequestStatus>().await.unwrap().transaction_id
    }

    /// The same with an authorization code.
    pub(crate) async fn submit_with_code(&self, certification_request: &[u8], code: &str) -> reqwest::Response {
        self.post(submission_with_code("participants", certification_request, Some(code))).await
    }

    pub(crate) async fn state(&self, id: TransactionId) -> RequestState {
        let response = self.get(&request_path(&id)).await;
        response.json::<RequestStatus>().await.unwrap().state
    }

    /// Waits until the certificate is there, and fetches it as DER.
    pub(crate) async fn issued(&self, id: TransactionId) -> Vec<u8> {
        eventually(async || self.state(id).await == RequestState::Issued).await;
        let response =
            self.request(reqwest::Method::GET, &certificate_path(&id)).header("accept", "application/pkix-cert");
        response.send().await.unwrap().bytes().await.unwrap().into()
    }
}

/// Runs `keyside-gateway config check` on `file`.
pub(crate) fn check_configuration(file: &Path) -> Output {
    Command::new(PROGRAM).args(["config", "check"]).arg(file).output().unwrap()
}

/// Python with the packages that the tests need.
pub(crate) fn python() -> String {
    std::env::var("KEYSIDE_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// A client for plain HTTP.
pub(crate) fn http_client() -> reqwest::Client {
    // reqwest comes without cryptography of its own, and wants some even where there is no TLS.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    // The gateway closes connections that are idle for half a minute: one that is used at that very moment is reset.
    let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE).pool_idle_timeout(IDLE);
    builder.build().unwrap()
}

/// Waits until `happened`.
pub(crate) async fn eventually(mut happened: impl AsyncFnMut() -> bool) {
    let mut interval = tokio::time::interval(POLL_INTERVAL);
    let deadline = Instant::now() + PATIENCE;
    while !happened().await {
        assert!(Instant::now() < deadline, "it does not happen");
        interval.tick().await;
    }
}

/// The problem that a response is, checked for its form.
pub(crate) async fn problem(response: reqwest::Response) -> Problem {
    let status = response.status().as_u16();
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status);
    assert_eq!(problem.status, problem.kind.status());
    assert!(!problem.detail.is_empty());
    problem
}

/// A header's value, empty if it is not there.
pub(crate) fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The body of a submission.
pub(crate) fn submission(certificate_type: &str, certification_request: &[u8]) -> String {
    submission_with_code(certificate_type, certification_request, None)
}

/// The same with an authorization code, or whatever a stranger sends in its place.
pub(crate) fn submission_with_code(certificate_type: &str, certification_request: &[u8], code: Option<&str>) -> String {
    let new = NewRequest {
        certificate_type: certificate_type.into(),
        certification_request: Base64Bytes(certification_request.to_vec()).into(),
        replaces: None,
        authorization_code: code.map(|code| serde_json::from_value(code.into()).unwrap()),
        device: None,
    };
    serde_json::to_string(&new).unwrap()
}

/// A user's key, the same for a whole run.
pub(crate) fn key() -> SigningKey<Sha256> {
    key_of("Ada Example")
}

/// The subject that the type `participants` asks for.
pub(crate) fn subject(common_name: &str) -> Name {
    Name::from_str(&format!("CN={common_name},OU=Participants & External Users,O=Example Grid Operator,C=US")).unwrap()
}

pub(crate) fn email(address: &str) -> GeneralName {
    GeneralName::Rfc822Name(Ia5String::new(address).unwrap())
}

/// A certification request, DER.
pub(crate) fn certification_request(key: &SigningKey<Sha256>, subject: Name, names: Vec<GeneralName>) -> Vec<u8> {
    let mut builder = RequestBuilder::new(subject).unwrap();
    if !names.is_empty() {
        builder.add_extension(&SubjectAltName(names)).unwrap();
    }
    builder.build::<_, Signature>(key).unwrap().to_der().unwrap()
}

/// A certification request that is taken.
pub(crate) fn good_request(common_name: &str) -> Vec<u8> {
    certification_request(&key_of(common_name), subject(common_name), vec![email("ada@example.com")])
}

/// Runs `openssl`, which must be installed and succeed.
pub(crate) fn openssl(arguments: &[&str], directory: &Path) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("these tests need the program openssl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
