//! What those who run the gateway need: probes, metrics, quiet logs, limits, a check of the configuration, backups.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use keyside_core::api::{Problem, ProblemKind, request_path};
use keyside_gateway::configuration::EXAMPLE;
use keyside_gateway::database::Location;
use reqwest::Method;

use crate::connection_check::send_with;
use crate::harness::{
    Gateway, Site, check_configuration, eventually, good_request, header, http_client, problem, submission,
};

/// The binary under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_keyside-gateway");

/// Runs a command of PostgreSQL's or any other.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn get(url: String) -> (u16, String) {
    let answer = http_client().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The value of a metric, with its labels as they are written.
fn metric(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn the_probes_are_everywhere_and_the_metrics_are_not() {
    let site = Site::new();
    let gateway = site.start_with_operations();
    let operations = gateway.operations_url.clone().unwrap();
    for url in [&gateway.url, &operations] {
        assert_eq!(get(format!("{url}/healthz")).await, (200, "alive\n".into()));
        assert_eq!(get(format!("{url}/readyz")).await, (200, "ready\n".into()));
    }
    assert_eq!(get(format!("{}/metrics", gateway.url)).await.0, 404);
    assert_eq!(get(format!("{operations}/metrics")).await.0, 200);
    assert_eq!(get(format!("{operations}/api/v1/configuration")).await.0, 404);
}

#[tokio::test]
async fn the_metrics_count_what_was_done() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval", "--operations-listen", "127.0.0.1:0"]);
    let metrics = async || get(format!("{}/metrics", gateway.operations_url.as_deref().unwrap())).await.1;
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    for _ in 0..3 {
        gateway.state(id).await;
    }
    gateway.get("/api/v1/requests/nonsense").await;
    let text = metrics().await;
    let answers = |route: &str, status: u16| {
        metric(&text, &format!("keyside_http_answers_total{{route=\"{route}\",status=\"{status}\"}}"))
    };
    let route = "/api/v1/requests/{transaction_id}";
    assert_eq!(answers(route, 200), Some(3.0), "{text}");
    assert_eq!(answers(route, 404), Some(1.0), "{text}");
    assert_eq!(
        metric(&text, &format!("keyside_http_duration_seconds_count{{route=\"{route}\"}}")),
        Some(4.0),
        "{text}"
    );
    assert_eq!(metric(&text, "keyside_requests_waiting{state=\"pending\"}"), Some(1.0), "{text}");
    assert!(!text.contains(&id.to_string()) && !text.contains("Ada"), "{text}");

    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    gateway.issued(id).await;
    assert_eq!(metric(&metrics().await, "keyside_requests_waiting{state=\"pending\"}"), Some(0.0));
}

/// The gateway goes on living without its database, and says that it is not ready.
#[tokio::test]
async fn a_database_that_does_not_answer_is_told_and_comes_back() {
    let site = Site::on_postgresql();
    let gateway = site.start(&[]);
    let ready = async || get(format!("{}/readyz", gateway.url)).await;
    assert_eq!(ready().await.0, 200);
    site.database_lets_in(false);
    eventually(async || ready().await == (503, "not ready: the database takes no writes\n".to_owned())).await;
    assert_eq!(get(format!("{}/healthz", gateway.url)).await.0, 200);
    site.database_lets_in(true);
    eventually(async || ready().await.0 == 200).await;
    gateway.submit_good(&good_request("Ada Example")).await;
}

/// Starts the gateway with everything in its log; what it says is there once it is stopped.
fn start_with_log(site: &Site, level: &str) -> (Gateway, thread::JoinHandle<String>) {
    let mut command = site.serve(&["--manual-approval"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.env("RUST_LOG", level).stderr(Stdio::from(writer));
    let log = thread::spawn(move || std::io::read_to_string(reader).unwrap());
    (Gateway::spawn(command), log)
}

#[tokio::test]
async fn the_log_has_nobody_s_name() {
    let site = Site::new();
    let (gateway, log) = start_with_log(&site, "info,keyside_gateway=debug,tower_http=debug");
    let request = good_request("Grace Person");
    let id = gateway.submit_good(&request).await;
    let rejected = gateway.submit_good(&good_request("Alan Person")).await;
    gateway.post(submission("nonsense", &request)).await;
    let code = "000-000-000-000-000-000-000-000-011";
    gateway.submit_with_code(&good_request("Mary Person"), code).await;
    for path in ["/register/participants?common_name=Grace%20Person", "/console/requests?text=Person"] {
        gateway.get(path).await;
    }
    let decide = |arguments: &[&str]| {
        let output = site.requests(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let mut logs = decide(&["approve", &id.to_string()]);
    logs += &decide(&["reject", &rejected.to_string(), "--reason", "Alan Person has left"]);
    gateway.issued(id).await;
    logs += &decide(&["revoke", &id.to_string(), "--reason", "superseded"]);
    assert!(gateway.stop().success());
    logs += &log.join().unwrap();
    assert!(logs.contains(&id.to_string()) && logs.contains("issued"), "{logs}");
    assert!(logs.contains("has shown a code"), "{logs}");
    for personal in ["Person", "ada@example.com", "example.com", code] {
        let lines: Vec<_> = logs.lines().filter(|line| line.contains(personal)).collect();
        assert!(lines.is_empty(), "{lines:?}");
    }
}

#[tokio::test]
async fn too_many_calls_are_told_to_wait() {
    let site = Site::new()
        .configure("limits = { calls_per_minute_and_address = 20, calls_per_minute_and_request = 3 }")
        .configure("limits.client_address_header = 'X-Forwarded-For'");
    let gateway = site.start(&["--manual-approval"]);
    let from = |address: &str, path: &str| {
        gateway.request(Method::GET, path).header("x-forwarded-for", address.to_owned()).send()
    };
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let path = request_path(&id);
    for last in 1..=3 {
        assert_eq!(from(&format!("192.0.2.{last}"), &path).await.unwrap().status(), 200);
    }
    let answer = from("192.0.2.4", &path).await.unwrap();
    assert_eq!(answer.status(), 429);
    let wait: u64 = header(&answer, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(!header(&answer, "content-security-policy").is_empty());
    let told: Problem = answer.json().await.unwrap();
    assert_eq!((told.kind, told.status), (ProblemKind::Unavailable, 429));

    let mut answers = Vec::new();
    for _ in 0..25 {
        answers.push(from("198.51.100.1", "/api/v1/configuration").await.unwrap().status().as_u16());
    }
    assert!(answers.starts_with(&[200; 20]) && answers.ends_with(&[429; 3]), "{answers:?}");
    // Others, and whoever only asks for the probes, are not kept waiting.
    assert_eq!(from("198.51.100.2", "/api/v1/configuration").await.unwrap().status(), 200);
    assert_eq!(from("198.51.100.1", "/readyz").await.unwrap().status(), 200);
}

#[tokio::test]
async fn where_no_proxy_can_be_its_header_does_not_count() {
    let site = Site::new()
        .configure("limits = { calls_per_minute_and_address = 5, client_address_header = 'X-Forwarded-For' }");
    let gateway = site.start_with_check();
    let mut answers = Vec::new();
    for last in 1..=10 {
        let header = format!("X-Forwarded-For: 192.0.2.{last}");
        answers.push(send_with(&site, &gateway, None, "GET /", &header).await);
    }
    assert!(answers[0].starts_with("HTTP/1.1 200"), "{}", answers[0]);
    assert!(answers.iter().any(|answer| answer.starts_with("HTTP/1.1 429")), "{answers:?}");
}

#[test]
fn every_fault_of_a_configuration_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keyside.toml");
    fs::write(&file, EXAMPLE).unwrap();
    assert!(check_configuration(&file).status.success());

    let faulty = EXAMPLE
        .replace("site_name = \"Keyside\"", "site_name = \" \"")
        .replace("timeout_seconds = 30", "timeout_seconds = 0")
        .replace("# passphrase_file = \"/etc/keyside/ca-passphrase\"", "passphrase_file = \"/nonexistent/passphrase\"");
    fs::write(&file, faulty).unwrap();
    let output = check_configuration(&file);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    for key in ["site_name", "limits.timeout_seconds", "ca.passphrase_file", "/nonexistent/passphrase"] {
        assert!(text.contains(key), "{text}");
    }
    let (remains, faults): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("still the example's: "));
    assert_eq!(faults.len(), 3, "{text}");
    assert!(remains.iter().any(|line| line.contains("ca.root_subject")), "{text}");

    fs::write(&file, EXAMPLE.replace("connections = 512", "conections = 512")).unwrap();
    let output = check_configuration(&file);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = 1 + EXAMPLE.lines().position(|line| line == "connections = 512").unwrap();
    assert!(text.contains("keyside.toml") && text.contains("conections"), "{text}");
    assert!(text.contains(&format!("line {line}")), "{text}");
    assert_eq!(check_configuration(&directory.path().join("absent.toml")).status.code(), Some(1));
}

/// A copy of SQLite's database, made while the gateway works, is a database that another gateway starts on.
#[tokio::test]
async fn a_backup_of_sqlite_can_be_restored() {
    let site = Site::without_ca_on_sqlite().issuing_at_once();
    let gateway = site.start(&[]);
    let before = gateway.submit_good(&good_request("Ada Example")).await;
    let certificate = gateway.issued(before).await;
    let file = site.path("backup.sqlite");
    let back_up = || {
        let data = ["--data".into(), site.data().into_os_string()];
        Command::new(PROGRAM).arg("backup").arg(&file).args(data).output().unwrap()
    };
    let output = back_up();
    assert!(output.status.success(), "{output:?}");
    let after = gateway.submit_good(&good_request("Later Example")).await;
    assert!(!back_up().status.success(), "a backup is not overwritten");
    drop(gateway);

    let restored = Site::without_ca_on_sqlite().issuing_at_once();
    run(Command::new("cp").arg("-a").arg(site.data().join("ca")).arg(restored.path("ca")));
    fs::create_dir_all(restored.data()).unwrap();
    fs::rename(restored.path("ca"), restored.data().join("ca")).unwrap();
    let Location::Sqlite(database) = restored.location() else { panic!("it is not SQLite") };
    fs::copy(&file, database).unwrap();
    let gateway = restored.start(&[]);
    assert_eq!(gateway.issued(before).await, certificate);
    assert_eq!(problem(gateway.get(&request_path(&after)).await).await.kind, ProblemKind::UnknownTransactionId);
    gateway.submit_good(&good_request("Another Example")).await;
}

/// The same with pg_dump and psql, which is how PostgreSQL is backed up.
#[tokio::test]
async fn a_backup_of_postgresql_can_be_restored() {
    let site = Site::on_postgresql().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let certificate = gateway.issued(id).await;
    let dump = run(&mut site.postgresql_client("pg_dump"));
    let refused = site.run("backup", &[site.path("backup").to_str().unwrap()]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("pg_dump"), "{refused:?}");
    drop(gateway);

    let restored = Site::on_postgresql().issuing_at_once();
    let file = restored.path("dump.sql");
    fs::write(&file, dump).unwrap();
    run(restored.postgresql_client("psql").args(["--quiet", "--set", "ON_ERROR_STOP=1", "--file"]).arg(&file));
    let gateway = restored.start(&[]);
    assert_eq!(gateway.issued(id).await, certificate);
    gateway.submit_good(&good_request("Another Example")).await;
}

/// A listener that is taken is named.
#[test]
fn an_operations_listener_that_cannot_listen_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Site::new().serve(&["--operations-listen", &address]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address), "{output:?}");
}

/// The unit is one that systemd understands. Its program is not installed here, so another one stands in for it.
#[test]
fn systemd_understands_the_unit() {
    let directory = tempfile::tempdir().unwrap();
    let unit = include_str!("../../keyside-gateway.service");
    assert!(unit.contains("/usr/local/bin/keyside-gateway serve"));
    let file = directory.path().join("keyside-gateway.service");
    fs::write(&file, unit.replace("/usr/local/bin/keyside-gateway", "/bin/true")).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&file).output();
    let output = output.expect("this test needs systemd-analyze (Debian: systemd)");
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("keyside-gateway")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}
