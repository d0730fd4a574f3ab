//! `keyside-gateway requests` beside a running server, and without one.

use std::process::{Command, Output};

use keyside_core::api::{ProblemKind, RequestState, certificate_path};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::configuration::EXAMPLE;

use crate::harness::{Site, good_request, problem};

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn a_running_server_notices_decisions() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let good = gateway.submit_good(&good_request("Ada Example")).await;
    let bad = gateway.submit_good(&good_request("Eve Example")).await;
    let list = stdout(&site.requests(&["list"]));
    assert!(list.contains(&format!("{good}\tpending\t")), "{list}");
    assert!(list.contains("participants\tEve Example\tada@example.com\t\t\t\t\t\n"), "{list}");

    stdout(&site.requests(&["approve", &good.to_string()]));
    stdout(&site.requests(&["reject", &bad.to_string(), "--reason", "unknown person"]));
    gateway.issued(good).await;
    let rejected = RequestState::Rejected { reason: "unknown person".into() };
    assert_eq!(gateway.state(bad).await, rejected);
    let problem = problem(gateway.get(&certificate_path(&bad)).await).await;
    assert_eq!(problem.kind, ProblemKind::NotIssued);
    assert!(problem.detail.contains("unknown person"), "{}", problem.detail);

    for (arguments, fault) in [
        (vec!["approve", &good.to_string()], "issued already"),
        (vec!["approve", &bad.to_string()], "rejected already"),
        (vec!["reject", &good.to_string(), "--reason", "late"], "issued already"),
        (vec!["reject", &bad.to_string(), "--reason", " "], "say why"),
        (vec!["approve", &TransactionId::random(&mut rand::rng()).to_string()], "no request"),
        (vec!["approve", "nonsense"], "transaction ID"),
    ] {
        let output = site.requests(&arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(fault), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn what_is_decided_without_a_server_is_issued_at_its_next_start() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    assert!(gateway.stop().success());

    stdout(&site.requests(&["approve", &id.to_string()]));
    let list = stdout(&site.requests(&["list"]));
    assert!(list.contains(&format!("{id}\tapproved\t")), "{list}");

    let gateway = site.start(&["--manual-approval"]);
    gateway.issued(id).await;
}

#[test]
fn a_missing_database_is_named() {
    let site = Site::without_ca_on_sqlite();
    let output = site.requests(&["list"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("keyside.sqlite"), "{}", stderr(&output));
}

#[test]
fn a_bad_configuration_is_named() {
    let site = Site::without_ca().configure("sitename = 'Keyside'");
    let output = site.serve(&[]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("sitename"), "{}", stderr(&output));
    assert!(!site.data().exists());
}

#[test]
fn a_data_folder_has_one_server() {
    let site = Site::new();
    let _first = site.start(&[]);
    let output = site.serve(&[]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("another keyside-gateway"), "{}", stderr(&output));
}

#[test]
fn the_example_can_be_printed() {
    let output = Command::new(env!("CARGO_BIN_EXE_keyside-gateway")).args(["config", "example"]).output().unwrap();
    assert_eq!(stdout(&output), EXAMPLE);
}
