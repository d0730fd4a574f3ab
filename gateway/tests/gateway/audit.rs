//! The audit log: what stands in it, and that `keyside-gateway audit verify` finds what was done to it behind its back.

use std::process::Output;

use keyside_core::api::{NewRevocation, revocation_path};
use keyside_core::domain::revocation::RevocationReason;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::store::audit as store;
use keyside_gateway::store::audit::Entry;
use reqwest::Method;

use crate::harness::{Site, good_request};

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

/// A site whose log has six entries: four requests are rejected, an officer is invited and given a link. On SQLite, whose file is copied.
async fn site_with_a_log() -> Site {
    let site = Site::on_sqlite();
    let gateway = site.start(&["--manual-approval"]);
    for name in ["Ada", "Bea", "Cai", "Dee"] {
        let id = gateway.submit_good(&good_request(name)).await;
        assert!(site.requests(&["reject", &id.to_string(), "--reason", "unknown person"]).status.success());
    }
    let invite = ["invite", "--role", "auditor", "--name", "Aud Example", "--email", "aud@example.com"];
    let output = site.run("officer", &invite);
    assert!(output.status.success(), "{}", text(&output));
    assert!(gateway.stop().success());
    site
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

    let mut log: Vec<_> = entries(&site)
        .await
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
    let mut expected = vec![
        entry("approved", &good, "command line", ""),
        entry("issued", &good, "gateway", ""),
        entry("rejected", &bad, "command line", "unknown person"),
        entry("revocation asked for", &good, "applicant", "superseded"),
        entry("revoked", &good, "command line", "superseded"),
    ];
    expected.sort();
    log.sort();
    assert_eq!(log, expected);
    let verified = site.run("audit", &["verify"]);
    assert!(verified.status.success() && text(&verified).contains("5 entries"), "{}", text(&verified));
}

#[tokio::test]
async fn approval_without_a_person_stands_in_it_as_policy() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada")).await;
    let log = entries(&site).await;
    let found: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    assert_eq!(found, [("approved", "policy"), ("issued", "gateway")]);
    assert!(log.iter().all(|entry| entry.subject == id.to_string()));
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
