//! Chains of renewals: a certificate is renewed once, and a revocation reaches all that came of it.

use keyside_core::api::{ProblemKind, RequestState, RequestStatus, request_path};
use keyside_core::domain::revocation::{RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::database::Location;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_pki::certificate::Certificate;

use crate::console::approver;
use crate::harness::{Gateway, Site, certification_request, email, problem, subject};
use crate::keys::{key_of, key_pair_of};
use crate::renewal::{renew, sign};

const RENEWABLE: &str = "validity_days = 60\nrenewal = { window_days = 60, same_key = false }";

fn site() -> Site {
    Site::new().issuing_at_once().configure_types(&["participants"], RENEWABLE)
}

/// Ada's certification request for the key that is called `key`.
fn request(key: &str) -> Vec<u8> {
    certification_request(&key_of(key), subject("Ada Example"), vec![email("ada@example.com")])
}

/// The answer to a renewal of `current`, whose key is called `key`, for the key that is called `next`.
async fn ask(gateway: &Gateway, current: &Certificate, key: &str, next: &str) -> reqwest::Response {
    renew(gateway, sign(&request(next), current, &key_pair_of(key))).await
}

async fn taken(response: reqwest::Response) -> TransactionId {
    assert!(response.status().is_success(), "{:?}", response.text().await);
    response.json::<RequestStatus>().await.unwrap().transaction_id
}

async fn certificate(gateway: &Gateway, id: TransactionId) -> Certificate {
    Certificate::from_der(&gateway.issued(id).await).unwrap()
}

async fn status(gateway: &Gateway, id: TransactionId) -> RequestStatus {
    gateway.get(&request_path(&id)).await.json().await.unwrap()
}

async fn is_revoked(gateway: &Gateway, id: TransactionId) -> bool {
    let revocation = status(gateway, id).await.revocation;
    revocation.is_some_and(|revocation| revocation.state == RevocationState::Revoked)
}

fn run(site: &Site, arguments: &[&str]) {
    let output = site.requests(arguments);
    assert!(output.status.success(), "{output:?}");
}

fn revoke(site: &Site, id: TransactionId, reason: RevocationReason, more: &[&str]) {
    run(site, &[&["revoke", &id.to_string(), "--reason", reason.name()], more].concat());
}

/// Ada's certificate, the renewal that a thief has asked for, the renewal of that, and one of this that waits. The keys are called by `keys`
/// and a number.
async fn stolen(site: &Site, gateway: Gateway, keys: &str) -> (Gateway, [TransactionId; 4]) {
    let key = |number: u8| format!("{keys} {number}");
    let first = gateway.submit_good(&request(&key(1))).await;
    let current = certificate(&gateway, first).await;
    let second = taken(ask(&gateway, &current, &key(1), &key(2)).await).await;
    let current = certificate(&gateway, second).await;
    let third = taken(ask(&gateway, &current, &key(2), &key(3)).await).await;
    let current = certificate(&gateway, third).await;
    drop(gateway);
    let gateway = site.start(&["--manual-approval"]);
    let fourth = taken(ask(&gateway, &current, &key(3), &key(4)).await).await;
    (gateway, [first, second, third, fourth])
}

#[tokio::test]
async fn a_certificate_is_renewed_once() {
    let site = site();
    let gateway = site.start(&["--manual-approval"]);
    let first = gateway.submit_good(&request("once 1")).await;
    run(&site, &["approve", &first.to_string()]);
    let current = certificate(&gateway, first).await;
    let waiting = taken(ask(&gateway, &current, "once 1", "once 2").await).await;
    let refused = async |says: &str| {
        let refusal = problem(ask(&gateway, &current, "once 1", "once 3").await).await;
        assert_eq!(refusal.kind, ProblemKind::AlreadyRenewed);
        assert!(
            refusal.detail.contains(says) && refusal.detail.contains("a stranger has your key"),
            "{}",
            refusal.detail
        );
    };
    refused("waiting for approval").await;
    // The same one again is no other one.
    assert_eq!(taken(ask(&gateway, &current, "once 1", "once 2").await).await, waiting);
    run(&site, &["approve", &waiting.to_string()]);
    refused("use the new certificate").await;
    gateway.issued(waiting).await;
    refused("use the new certificate").await;
    // One that came to nothing does not count.
    revoke(&site, waiting, RevocationReason::CessationOfOperation, &[]);
    let again = taken(ask(&gateway, &current, "once 1", "once 3").await).await;
    run(&site, &["reject", &again.to_string(), "--reason", "no"]);
    let again = taken(ask(&gateway, &current, "once 1", "once 4").await).await;

    // Two that wait, as an earlier version took them.
    let other = gateway.submit_good(&request("once 5")).await;
    let serial_number = hexadecimal(current.serial_number());
    let serial_number = match site.location() {
        Location::Sqlite(_) => format!("x'{serial_number}'"),
        Location::Postgresql(_) => format!("'\\x{serial_number}'"),
    };
    site.execute(&format!("UPDATE requests SET renews = {serial_number} WHERE transaction_id = '{other}'")).await;
    run(&site, &["approve", &again.to_string()]);
    let second = site.requests(&["approve", &other.to_string()]);
    assert!(String::from_utf8_lossy(&second.stderr).contains("has renewed"), "{second:?}");
    assert_eq!(gateway.state(other).await, RequestState::Pending);
}

#[tokio::test]
async fn a_revocation_for_compromise_reaches_the_whole_chain() {
    let site = site();
    // From whichever certificate it begins.
    for (from, keys) in [(0, "from the first"), (1, "from the middle")] {
        let gateway = site.start(&[]);
        let (gateway, ids) = stolen(&site, gateway, keys).await;
        revoke(&site, ids[from], RevocationReason::KeyCompromise, &[]);
        for id in &ids[..3] {
            assert!(is_revoked(&gateway, *id).await);
        }
        let rejected = status(&gateway, ids[3]).await.state;
        assert!(matches!(rejected, RequestState::Rejected { reason } if reason.contains("was revoked")));
    }
    let verified = site.run("audit", &["verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test]
async fn a_revocation_for_another_reason_reaches_what_it_is_told_to() {
    let site = site();
    let gateway = site.start(&[]);
    let (gateway, ids) = stolen(&site, gateway, "told").await;
    revoke(&site, ids[0], RevocationReason::Superseded, &[]);
    let revoked = async || {
        let mut revoked = Vec::new();
        for id in &ids[..3] {
            revoked.push(is_revoked(&gateway, *id).await);
        }
        revoked
    };
    assert_eq!(revoked().await, [true, false, false]);
    revoke(&site, ids[1], RevocationReason::KeyCompromise, &["--extent", "certificate"]);
    assert_eq!(revoked().await, [true, true, false]);
    assert_eq!(gateway.state(ids[3]).await, RequestState::Pending);
    revoke(&site, ids[2], RevocationReason::CessationOfOperation, &["--extent", "chain"]);
    assert_eq!(revoked().await, [true, true, true]);
    assert!(matches!(gateway.state(ids[3]).await, RequestState::Rejected { .. }));
}

#[tokio::test]
async fn a_renewal_that_is_approved_and_not_issued_ends_with_the_chain() {
    let site = site();
    let gateway = site.start(&[]);
    let (gateway, ids) = stolen(&site, gateway, "approved").await;
    drop(gateway);
    run(&site, &["approve", &ids[3].to_string()]);
    revoke(&site, ids[0], RevocationReason::KeyCompromise, &[]);
    let gateway = site.start(&[]);
    assert!(matches!(gateway.state(ids[3]).await, RequestState::Rejected { .. }));
    let none: Vec<_> = site.all_requests().await.into_iter().filter(|request| request.lives(0)).collect();
    assert!(none.is_empty(), "{none:?}");
}

#[tokio::test]
async fn the_console_names_the_chain_and_offers_to_revoke_it() {
    let site = site();
    let gateway = site.start(&[]);
    let (gateway, ids) = stolen(&site, gateway, "console").await;
    let database = site.database().await;
    let officer = approver(&gateway, &database).await;
    // From each to each other one.
    for id in ids {
        let page = officer.page(&format!("/console/requests/{id}")).await;
        for other in ids.into_iter().filter(|other| *other != id) {
            assert!(page.contains(&format!("href=\"/console/requests/{other}\"")), "{page}");
        }
    }
    let path = format!("/console/requests/{}/revoke", ids[1]);
    let page = officer.page(&path).await;
    assert!(page.contains("The whole chain of renewals") && page.contains(&ids[3].to_string()), "{page}");
    officer.post(&path, &[("reason", "key-compromise"), ("extent", "by-reason")]).await;
    for id in &ids[..3] {
        assert!(is_revoked(&gateway, *id).await);
    }
    database.close().await;
}
