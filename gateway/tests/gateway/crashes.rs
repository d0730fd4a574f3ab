//! Killed at any point (SIGKILL), the gateway goes on where it was: nothing is lost and nothing is issued twice.

use std::collections::{HashMap, HashSet};

use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::database::Database;
use keyside_gateway::store::issued_certificates;
use keyside_gateway::store::requests::{self, State};
use keyside_pki::certificate::Certificate;

use crate::harness::{Site, eventually, good_request};

/// Enough that signing them takes longer than noticing the first.
const REQUESTS: usize = 60;

async fn issued(database: &Database) -> HashMap<TransactionId, Vec<u8>> {
    let mut certificates = HashMap::new();
    for request in requests::list(database.reader()).await.unwrap() {
        if request.state == State::Issued {
            let certificate =
                issued_certificates::of_request(database.reader(), request.transaction_id).await.unwrap().unwrap();
            certificates.insert(request.transaction_id, certificate);
        }
    }
    certificates
}

/// The serial number without leading zeros.
fn serial_number(certificate: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(certificate).unwrap();
    without_leading_zeros(certificate.serial_number())
}

fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|&byte| byte == 0).collect()
}

#[tokio::test]
async fn a_certificate_is_issued_exactly_once() {
    let site = Site::new();
    let mut ids = HashSet::new();
    let gateway = site.start(&["--manual-approval"]);
    for i in 0..REQUESTS {
        ids.insert(gateway.submit_good(&good_request(&format!("User {i}"))).await);
    }
    drop(gateway);
    assert_eq!(ids.len(), REQUESTS);
    site.execute("UPDATE requests SET approve_at = submitted_at").await;

    let database = site.database().await;
    // What was fixed, or handed out, at some moment: it must be so at the end.
    let mut promised = HashMap::new();
    let mut certificates = HashMap::new();
    let mut kills_between = 0;
    for more in [0, 1, 3, 7, 12] {
        let gateway = site.start(&[]);
        let goal = certificates.len() + more;
        eventually(async || {
            let states: Vec<State> = requests::list(database.reader()).await.unwrap().iter().map(|r| r.state).collect();
            let is_at_work = states.iter().any(|&state| matches!(state, State::Approved | State::Issued));
            is_at_work && states.iter().filter(|&&state| state == State::Issued).count() >= goal
        })
        .await;
        drop(gateway);

        let all = requests::list(database.reader()).await.unwrap();
        let approved: Vec<_> = all.into_iter().filter(|request| request.state == State::Approved).collect();
        kills_between += usize::from(!approved.is_empty());
        for request in approved {
            let serial = request.serial_number.unwrap();
            assert_eq!(*promised.entry(request.transaction_id).or_insert(serial.clone()), serial);
        }
        let now = issued(&database).await;
        for (id, certificate) in &certificates {
            assert_eq!(now.get(id), Some(certificate), "{id}");
        }
        certificates = now;
    }
    assert!(kills_between > 0, "no kill came between approval and issuance: this test tests nothing");

    let gateway = site.start(&[]);
    for &id in &ids {
        let certificate = gateway.issued(id).await;
        assert_eq!(*certificates.entry(id).or_insert(certificate.clone()), certificate);
    }
    assert_eq!(certificates.len(), REQUESTS);
    let serials: HashSet<Vec<u8>> = certificates.values().map(|c| serial_number(c)).collect();
    assert_eq!(serials.len(), REQUESTS);
    for (id, serial) in promised {
        assert_eq!(serial_number(&certificates[&id]), without_leading_zeros(&serial), "{id}");
    }
}

#[tokio::test]
async fn what_was_answered_is_never_forgotten() {
    let site = Site::new();
    let request = good_request("Ada Example");
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&request).await;
    drop(gateway);
    let gateway = site.start(&["--manual-approval"]);
    assert_eq!(gateway.submit_good(&request).await, id);
}

/// The answer is lost: the client sends again, and there is one transaction.
#[tokio::test]
async fn a_kill_in_the_middle_of_a_submission_costs_nothing() {
    let site = Site::new();
    for i in 0..5 {
        let request = good_request(&format!("User {i}"));
        let gateway = site.start(&["--manual-approval"]);
        let submitting = {
            let request = gateway
                .request(reqwest::Method::POST, keyside_core::api::REQUESTS_PATH)
                .header("content-type", "application/json")
                .body(crate::harness::submission("participants", &request));
            tokio::spawn(async move { request.send().await })
        };
        let database = site.database().await;
        eventually(async || requests::list(database.reader()).await.unwrap().len() > i).await;
        drop(gateway);
        let _ = submitting.await;

        let gateway = site.start(&["--manual-approval"]);
        gateway.submit_good(&request).await;
        assert_eq!(requests::list(database.reader()).await.unwrap().len(), i + 1);
        database.close().await;
    }
}
