//! The audit log: what stands in it, and that `keyside-gateway audit verify` finds what was done to it behind its back.

use std::process::Output;

use keyside_core::api::{NewRevocation, revocation_path};
use keyside_core::domain::revocation::RevocationReason;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::store::audit as store;
use keyside_gateway::store::audit::Entry;
use reqwest::Method;

use crate::harness::{Site, eventually, good_request};

/// What lets the log be changed: whoever can write to the database can also do this.
const WITHOUT_TRIGGERS: &str = "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_shortened;";

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn entries(site: &Site) -> Vec<Entry> {
    let database = site.database().await;
    let entries = store::following(&database, 0, 1_000).await.unwrap();
    database.close().await;
    entries
}

/// A site whose log has six entries: three officers are invited and given a link. On SQLite, whose file is copied.
async fn site_with_a_log() -> Site {
    let site = Site::on_sqlite();
    site.new_database().await.close().await;
    for name in ["Ada", "Bea", "Cai"] {
        let output =
            site.run("officer", &["invite", "--role", "auditor", "--name", name, "--email", "aud@example.com"]);
        assert!(output.status.success(), "{}", text(&output));
    }
    site
}

/// The entries of these actions.
fn of(actions: &[&str], entries: Vec<Entry>) -> Vec<Entry> {
    entries.into_iter().filter(|entry| actions.contains(&entry.action.as_str())).collect()
}

/// The system's user who runs these tests, as the log names the user of the command line.
fn command_line() -> String {
    let id = |option: &str| {
        let output = std::process::Command::new("id").arg(option).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    format!("command line: {} (uid {})", id("-un"), id("-u"))
}

#[tokio::test]
async fn every_decision_stands_in_it() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let good = gateway.submit_good(&good_request("Ada")).await;
    let bad = gateway.submit_good(&good_request("Bea")).await;
    assert!(site.requests(&["approve", &good.to_string()]).status.success());
    gateway.issued(good).await;
    assert!(site.requests(&["reject", &bad.to_string(), "--reason", "unknown person"]).status.success());
    // What comes to nothing leaves nothing.
    assert!(!site.requests(&["approve", &bad.to_string()]).status.success());
    let asked = NewRevocation { reason: RevocationReason::Superseded };
    let asked = gateway.request(Method::POST, &revocation_path(&good)).json(&asked).send().await.unwrap();
    assert_eq!(asked.status(), 202);
    assert!(site.requests(&["revoke", &good.to_string(), "--reason", "superseded"]).status.success());

    eventually(async || of(&["submitted", "CRL signed"], entries(&site).await).len() >= 4).await;
    let entries = entries(&site).await;
    assert_eq!(entries[0].action, "started");
    assert!(entries.iter().any(|entry| entry.action == "CRL signed" && entry.subject.contains("Issuing CA")));
    let decisions = ["submitted", "approved", "issued", "rejected", "revocation asked for", "revoked"];
    let mut log: Vec<_> = of(&decisions, entries)
        .into_iter()
        .map(|entry| (entry.action, entry.subject, entry.actor, entry.detail))
        .collect();
    // The serial number is known to the certificate alone.
    for entry in &mut log {
        if entry.0 == "issued" {
            assert!(entry.3.starts_with("serial number "), "{entry:?}");
            entry.3.clear();
        }
    }
    let entry =
        |action: &str, subject: &keyside_core::domain::transaction_id::TransactionId, actor: &str, detail: &str| {
            (action.to_owned(), subject.to_string(), actor.to_owned(), detail.to_owned())
        };
    let user = command_line();
    let mut expected = vec![
        entry("submitted", &good, "applicant", "participants, Ada, ada@example.com"),
        entry("submitted", &bad, "applicant", "participants, Bea, ada@example.com"),
        entry("approved", &good, &user, ""),
        entry("issued", &good, "gateway", ""),
        entry("rejected", &bad, &user, "unknown person"),
        entry("revocation asked for", &good, "applicant", "superseded"),
        entry("revoked", &good, &user, "superseded"),
    ];
    expected.sort();
    log.sort();
    assert_eq!(log, expected);
    let verified = site.run("audit", &["verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
}

#[tokio::test]
async fn approval_without_a_person_stands_in_it_as_policy() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada")).await;
    let log: Vec<_> = entries(&site).await.into_iter().filter(|entry| entry.subject == id.to_string()).collect();
    let found: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    // However fast it goes, a decision stands behind what it is about.
    assert_eq!(found, [("submitted", "applicant"), ("approved", "policy"), ("issued", "gateway")]);
}

#[tokio::test]
async fn it_is_only_added_to() {
    let site = site_with_a_log().await;
    let database = site.database().await;
    for statement in ["UPDATE audit SET detail = '' WHERE number = 1", "DELETE FROM audit WHERE number = 6"] {
        let error = sqlx::query(statement).execute(database.reader()).await.unwrap_err();
        assert!(error.to_string().contains("only added to"), "{error}");
    }
    database.close().await;
}

#[tokio::test]
async fn what_was_done_to_it_is_found() {
    let log = site_with_a_log().await;
    for (statement, faults) in [
        ("UPDATE audit SET detail = 'known person' WHERE number = 2", &["entry 2 was changed"][..]),
        ("UPDATE audit SET actor = 'policy' WHERE number = 1", &["entry 1 was changed"]),
        ("UPDATE audit SET at = at + 1 WHERE number = 6", &["entry 6 was changed"]),
        (
            "UPDATE audit SET sha256 = previous_sha256 WHERE number = 3",
            &["entry 3 was changed", "entry 4 is out of place"],
        ),
        ("UPDATE audit SET at = 0 WHERE number IN (2, 5)", &["entry 2 was changed", "entry 5 was changed"]),
        ("DELETE FROM audit WHERE number = 1", &["entries 1 to 1 were removed"]),
        ("DELETE FROM audit WHERE number IN (3, 4)", &["entries 3 to 4 were removed"]),
        ("DELETE FROM audit WHERE number = 6", &["entries 6 to 6 were removed"]),
        ("DELETE FROM audit", &["entries 1 to 6 were removed"]),
        // Removed, and the gap closed.
        (
            "DELETE FROM audit WHERE number = 3; UPDATE audit SET number = number - 1 WHERE number = 4; \
             UPDATE audit SET number = number - 1 WHERE number = 5; UPDATE audit SET number = number - 1 WHERE number = 6",
            &["entry 3 is out of place", "entries 6 to 6 were removed"],
        ),
        // Inserted: a copy between two others.
        (
            "UPDATE audit SET number = number + 100 WHERE number > 3; UPDATE audit SET number = number - 99 WHERE number > 100; \
             INSERT INTO audit SELECT 4, at, actor, action, subject, detail, previous_sha256, sha256 FROM audit WHERE number = 2",
            &["entry 4 is out of place", "entry 5 is out of place", "entry 7 was inserted"],
        ),
        // Inserted at the end.
        (
            "INSERT INTO audit SELECT 7, at, actor, action, subject, detail, previous_sha256, sha256 FROM audit WHERE number = 2",
            &["entry 7 is out of place", "entry 7 was inserted"],
        ),
        // Two change places.
        (
            "UPDATE audit SET number = 0 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 5; \
             UPDATE audit SET number = 5 WHERE number = 0",
            &[
                "entry 2 is out of place",
                "entry 3 is out of place",
                "entry 5 is out of place",
                "entry 6 is out of place",
            ],
        ),
    ] {
        let site = log.copy();
        let good = site.run("audit", &["verify"]);
        assert!(good.status.success(), "{}", text(&good));
        site.execute(WITHOUT_TRIGGERS).await;
        site.execute(statement).await;
        let output = site.run("audit", &["verify"]);
        assert!(!output.status.success(), "{statement}");
        let text = text(&output);
        for fault in faults {
            assert!(text.contains(fault), "{statement}: {text}");
        }
        let found = text.lines().filter(|line| line.contains("entry ") || line.contains("entries ")).count();
        assert_eq!(found, faults.len(), "{statement}: {text}");
    }
}

#[tokio::test]
async fn an_entry_that_was_made_anew_with_its_hash_is_found() {
    let log = site_with_a_log().await;
    for (number, fault) in [(2, "entry 3 is out of place"), (6, "entry 6 was written anew")] {
        let site = log.copy();
        let mut entry = entries(&site).await.swap_remove(number - 1);
        entry.detail = "known person".into();
        site.execute(WITHOUT_TRIGGERS).await;
        site.execute(&format!(
            "UPDATE audit SET detail = '{}', sha256 = x'{}' WHERE number = {number}",
            entry.detail,
            hexadecimal(&entry.hash())
        ))
        .await;
        let output = site.run("audit", &["verify"]);
        assert!(!output.status.success() && text(&output).contains(fault), "{}", text(&output));
    }
}

#[tokio::test]
async fn a_log_that_was_made_anew_as_a_whole_lacks_what_was_noted() {
    let site = site_with_a_log().await;
    let noted = hexadecimal(&entries(&site).await[3].sha256);
    let good = site.run("audit", &["verify", "--noted", &noted.to_uppercase()]);
    assert!(good.status.success(), "{}", text(&good));
    let other = site_with_a_log().await;
    let output = other.run("audit", &["verify", "--noted", &noted]);
    assert!(!output.status.success() && text(&output).contains("no entry has the hash"), "{}", text(&output));
}

#[tokio::test]
async fn it_is_exported_as_lines_of_json_that_go_on_where_they_ended() {
    let site = site_with_a_log().await;
    let export = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let output = site.run("audit", &[&["export"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let lines = export(&[]);
    let numbers: Vec<_> = lines.iter().map(|line| line["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert!(lines.windows(2).all(|pair| pair[1]["previous_sha256"] == pair[0]["sha256"]));
    assert_eq!(lines[0]["action"], "officer invited");
    assert_eq!(export(&["--after", "4"]), lines[4..]);
    assert_eq!(export(&["--after", "6"]).len(), 0);
}

#[tokio::test]
async fn who_fails_to_sign_in_stands_in_it() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let response = gateway
        .request(Method::POST, "/console/sign-in/guessed")
        .header("origin", &gateway.url)
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(response.send().await.unwrap().status(), 404);
    eventually(async || !of(&["sign-in failed"], entries(&site).await).is_empty()).await;
    let found = of(&["sign-in failed"], entries(&site).await);
    assert_eq!((found[0].actor.as_str(), found[0].detail.as_str()), ("unknown", "1 by a one-time link from 127.0.0.1"));
}

/// The JSON in a syslog message, whose head is checked (RFC 5424, section 6).
fn told(message: &str) -> serde_json::Value {
    let mut parts = message.splitn(8, ' ');
    assert_eq!(parts.next(), Some("<109>1"));
    let time = parts.next().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z') && time.contains('T'), "{message}");
    let host = parts.next().unwrap();
    assert!(!host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic()), "{message}");
    assert_eq!(parts.next(), Some("keyside-gateway"));
    assert!(parts.next().unwrap().parse::<u32>().is_ok(), "{message}");
    assert_eq!((parts.next(), parts.next()), (Some("audit"), Some("-")));
    serde_json::from_str(parts.next().unwrap()).unwrap()
}

/// Waits for the message that tells of this action on this request, of all that `receive` gives.
async fn receives(receive: impl AsyncFn() -> String, action: &str, subject: &str) {
    loop {
        let told = told(&receive().await);
        if told["action"] == action && told["subject"] == subject {
            return;
        }
    }
}

#[tokio::test]
async fn it_is_streamed_to_a_syslog_server_which_holds_no_decision_up() {
    let site = Site::new();
    let socket = site.path("log");
    let site = site.configure(&format!("audit.syslog = 'unix:{}'", socket.display()));
    // There is no server yet.
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    gateway.issued(id).await;
    let server = tokio::net::UnixDatagram::bind(&socket).unwrap();
    let receive = async || {
        let mut buffer = vec![0; 65_536];
        let length = server.recv(&mut buffer).await.unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    for action in ["submitted", "approved", "issued"] {
        let id = id.to_string();
        let arrives = receives(receive, action, &id);
        tokio::time::timeout(std::time::Duration::from_secs(60), arrives).await.expect(action);
    }
    // A gateway that is started again goes on with what is new.
    drop(gateway);
    let _gateway = site.start(&["--manual-approval"]);
    let next = told(&receive().await);
    assert!(next["action"] == "started" || next["action"] == "CRL signed", "{next}");
}

#[tokio::test]
async fn messages_go_by_udp_and_with_their_length_by_tcp() {
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for server in [format!("udp:{}", udp.local_addr().unwrap()), format!("tcp:{}", tcp.local_addr().unwrap())] {
        let site = Site::new().configure(&format!("audit.syslog = '{server}'"));
        let gateway = site.start(&["--manual-approval"]);
        // Entries that are older than the stream are not sent.
        let database = site.database().await;
        eventually(async || {
            let begun: Option<i64> =
                sqlx::query_scalar("SELECT number FROM syslog").fetch_optional(database.reader()).await.unwrap();
            begun.is_some()
        })
        .await;
        database.close().await;
        let id = gateway.submit_good(&good_request("Zoë Example")).await;
        let message = if server.starts_with("udp") {
            let mut buffer = vec![0; 65_536];
            let length = udp.recv(&mut buffer).await.unwrap();
            buffer.truncate(length);
            buffer
        } else {
            use tokio::io::{AsyncBufReadExt, AsyncReadExt};
            let (stream, _) = tcp.accept().await.unwrap();
            let mut stream = tokio::io::BufReader::new(stream);
            let mut length = Vec::new();
            stream.read_until(b' ', &mut length).await.unwrap();
            let length: usize = String::from_utf8(length).unwrap().trim().parse().unwrap();
            let mut message = vec![0; length];
            stream.read_exact(&mut message).await.unwrap();
            message
        };
        let told = told(std::str::from_utf8(&message).unwrap());
        assert!(told["number"].as_i64().unwrap() > 0, "{told} {id}");
    }
}

#[tokio::test]
async fn a_server_that_starts_again_misses_nothing() {
    use tokio::io::AsyncReadExt;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = Site::new().configure(&format!("audit.syslog = 'tcp:{}'", server.local_addr().unwrap()));
    let gateway = site.start(&["--manual-approval"]);
    let reads = async |stream: &mut tokio::net::TcpStream, text: &str| {
        let (mut told, mut buffer) = (String::new(), [0; 4096]);
        while !told.contains(text) {
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "{told}");
            told.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    };
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let (mut stream, _) = server.accept().await.unwrap();
    reads(&mut stream, &id.to_string()).await;
    drop(stream);
    // The gateway has heard of the end by the time of its next entry.
    let id = gateway.submit_good(&good_request("Bea Example")).await;
    let (mut stream, _) = server.accept().await.unwrap();
    reads(&mut stream, &id.to_string()).await;
}
