//! Retention: requests that no one decides about, and rows that are over.

use keyside_core::api::{ProblemKind, RequestState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::clock::DAY;
use keyside_gateway::store::officer_roles::Role;
use keyside_gateway::store::requests::State;
use keyside_gateway::store::retention;

use der::Decode;
use x509_cert::crl::CertificateList;

use crate::console::{Browser, COMPANY, invite};
use crate::harness::{Site, certification_request, email, eventually, good_request, problem, subject};
use crate::keys::key_of;

/// The names of the requests that are here, in their order.
async fn names(site: &Site) -> Vec<String> {
    let mut names: Vec<String> = site.all_requests().await.into_iter().map(|request| request.common_name).collect();
    names.sort();
    names
}

async fn count(site: &Site, table: &str) -> i64 {
    let database = site.database().await;
    let statement = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    let count = sqlx::query_scalar(statement).fetch_one(database.reader()).await.unwrap();
    database.close().await;
    count
}

#[tokio::test]
async fn a_request_that_no_one_decides_about_is_rejected_and_its_applicant_told() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let old = gateway.submit_good(&good_request("Ada Example")).await;
    drop(gateway);
    let gateway = site.start_later(2 * DAY, &["--manual-approval"]);
    let young = gateway.submit_good(&good_request("Bea Example")).await;
    drop(gateway);
    let gateway = site.start_later(91 * DAY, &["--manual-approval"]);
    eventually(async || gateway.state(old).await != RequestState::Pending).await;
    let RequestState::Rejected { reason } = gateway.state(old).await else { panic!("it is not rejected") };
    assert!(reason.contains("90 days"), "{reason}");
    assert_eq!(gateway.state(young).await, RequestState::Pending);
    let told = site.run("notifications", &["list", "--all"]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.lines().any(|line| line.contains("rejected") && line.contains(&old.to_string())), "{told}");
}

#[tokio::test]
async fn rows_that_are_over_are_deleted_and_a_compromised_key_stays_known() {
    let site = Site::new().issuing_at_once().configure(
        "retention = { rejected_days = 10, ended_days = 30, authorizations_days = 10, notifications_days = 5 }",
    );
    let site = site.configure_types(&["participants"], "validity_days = 20\nrenewal.window_days = 5");
    let gateway = site.start(&[]);
    let issued = async |name: &str| {
        let id = gateway.submit_good(&good_request(name)).await;
        gateway.issued(id).await;
        id
    };
    let stolen = issued("Ada Example").await;
    issued("Bea Example").await;
    let revoked = site.requests(&["revoke", &stolen.to_string(), "--reason", "key-compromise"]);
    assert!(revoked.status.success(), "{revoked:?}");
    let database = site.database().await;
    let una = invite(&database, Role::Uaa, Some(COMPANY), "una").await;
    Browser::of(&gateway, &database, &una).await.authorise("Dan Example", "dan@example.com").await;
    database.close().await;
    drop(gateway);
    let gateway = site.start(&["--manual-approval"]);
    let turned_down = gateway.submit_good(&good_request("Cleo Example")).await;
    let rejected = site.requests(&["reject", &turned_down.to_string(), "--reason", "no"]);
    assert!(rejected.status.success(), "{rejected:?}");
    eventually(async || count(&site, "outbox WHERE state = 'waiting'").await == 0).await;
    drop(gateway);

    // Nothing is old enough.
    let gateway = site.start_later(2 * DAY, &[]);
    let late = gateway.submit_good(&good_request("Eve Example")).await;
    gateway.issued(late).await;
    drop(gateway);
    assert_eq!(names(&site).await, ["Ada Example", "Bea Example", "Cleo Example", "Eve Example"]);

    // The certificates of the first two have ended 31 days ago, that of the last one 29.
    let gateway = site.start_later(51 * DAY, &[]);
    eventually(async || names(&site).await == ["Eve Example"]).await;
    assert_eq!(count(&site, "authorisations").await, 0);
    assert_eq!(count(&site, "outbox WHERE recipient = 'dan@example.com'").await, 0);
    let with_key = |holder: &str, name: &str| {
        certification_request(&key_of(holder), subject(name), vec![email("someone@example.com")])
    };
    let refused = problem(gateway.submit(&with_key("Ada Example", "Some Other")).await).await;
    assert_eq!(refused.kind, ProblemKind::KeyCompromised);
    gateway.submit_good(&with_key("Bea Example", "Some Other")).await;
    let verified = site.run("audit", &["verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let said = "1 rejected requests, 2 ended certificates, 1 authorizations and codes";
    assert_eq!(count(&site, &format!("audit WHERE action = 'purged' AND detail LIKE '{said}%'")).await, 1);
    assert!(site.all_requests().await.iter().all(|request| request.state != State::Rejected));
}

#[tokio::test]
async fn a_strangers_words_go_to_no_one_when_requests_are_forgotten() {
    let site = Site::new().configure("notifications.submitted_per_hour = 2");
    let gateway = site.start(&["--manual-approval"]);
    for name in ["Buy This", "Buy That", "Buy It Now"] {
        gateway
            .submit_good(&certification_request(&key_of(name), subject(name), vec![email("victim@example.com")]))
            .await;
    }
    drop(gateway);
    let gateway = site.start_later(91 * DAY, &["--manual-approval"]);
    eventually(async || count(&site, "requests WHERE state = 'rejected'").await == 3).await;
    drop(gateway);
    assert_eq!(count(&site, "outbox WHERE kind = 'rejected'").await, 2);
    assert_eq!(count(&site, "outbox WHERE details LIKE '%Buy%'").await, 0);
}

#[tokio::test]
async fn the_crl_is_right_though_a_certificate_on_it_was_deleted_meanwhile() {
    let site = Site::new().issuing_at_once().configure("retention.ended_days = 30");
    let gateway = site.start(&[]);
    let mut ids = Vec::new();
    for name in ["Ada Example", "Bea Example", "Cleo Example"] {
        let id = gateway.submit_good(&good_request(name)).await;
        gateway.issued(id).await;
        ids.push(id);
    }
    let serial_numbers = async || {
        let crl = gateway.get("/pki/issuing.crl").await.bytes().await.unwrap();
        let crl: CertificateList = CertificateList::from_der(&crl).unwrap();
        let entries = crl.tbs_cert_list.revoked_certificates.unwrap_or_default();
        entries.into_iter().map(|entry| entry.serial_number.as_bytes().to_vec()).collect::<Vec<_>>()
    };
    let revoke = |id: &TransactionId| site.requests(&["revoke", &id.to_string(), "--reason", "superseded"]);
    assert!(revoke(&ids[0]).status.success() && revoke(&ids[1]).status.success());
    let before = serial_numbers().await;
    assert_eq!(before.len(), 2);
    // The first one has ended, and the hour's look at old rows comes between two looks at the CRL: while none is taken, it is deleted.
    let database = site.database().await;
    site.execute(&format!("UPDATE requests SET not_after = 1 WHERE transaction_id = '{}'", ids[0])).await;
    let mut transaction = database.transaction().await.unwrap();
    assert_eq!(retention::delete_ended(&mut transaction, 2).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    assert!(revoke(&ids[2]).status.success());
    let after = serial_numbers().await;
    assert_eq!(after.len(), 2);
    assert_ne!(after, before);
    // One that a request renews stays, with all that is known of it.
    site.execute(&format!("UPDATE requests SET not_after = 1 WHERE transaction_id = '{}'", ids[2])).await;
    let renewal = gateway.submit_good(&good_request("Dora Example")).await;
    site.execute(&format!(
        "UPDATE requests SET state = 'pending', approve_at = NULL, decided_at = NULL, certificate = NULL, serial_number = NULL, \
         not_before = NULL, not_after = NULL, renews = (SELECT serial_number FROM requests WHERE transaction_id = '{}') \
         WHERE transaction_id = '{renewal}'",
        ids[2]
    ))
    .await;
    let mut transaction = database.transaction().await.unwrap();
    assert_eq!(retention::delete_ended(&mut transaction, 2).await.unwrap(), 0);
    transaction.commit().await.unwrap();
    database.close().await;
}
