//! Mails to officers, and the lists and figures that they work by.

use std::fs;

use keyside_core::api::revocation_path;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::clock::DAY;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::officers::invitation::{self, Invitation};
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::officer_roles::Role;
use keyside_pki::certificate::Certificate;
use reqwest::Method;

use crate::console::{Browser, COMPANY, approver, invite};
use crate::harness::{Gateway, Site, eventually, good_request, http_client};

/// The mails of a kind in the folder of a site without a mail server, each with its recipient's local part first; in order.
fn mails(site: &Site, kind: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(site.data().join("notifications")).into_iter().flatten().flatten();
    let mut mails: Vec<(String, String)> = files
        .filter(|file| file.file_name().to_string_lossy().contains(&format!("-{kind}-")))
        .filter(|file| !file.file_name().to_string_lossy().starts_with('.'))
        .map(|file| fs::read_to_string(file.path()).unwrap().replace("=\r\n", ""))
        .map(|text| {
            let to = text.split_once("To: ").unwrap().1;
            (to.split_once('@').unwrap().0.to_owned(), text)
        })
        .collect();
    mails.sort();
    mails
}

fn recipients(mails: &[(String, String)]) -> Vec<&str> {
    mails.iter().map(|(to, _)| to.as_str()).collect()
}

/// Two approvers, one of them revoked; the User Access Administrators of two companies; and an auditor.
async fn officers_of(site: &Site) {
    let database = site.database().await;
    for (role, company, name) in [
        (Role::Approver, None, "abe"),
        (Role::Approver, None, "gone"),
        (Role::Uaa, Some(COMPANY), "una"),
        (Role::Uaa, Some("Other"), "otto"),
        (Role::Auditor, None, "aud"),
    ] {
        let invitation = Invitation {
            role,
            company: company.map(ToOwned::to_owned),
            name: name.into(),
            email_address: format!("{name}@example.com"),
        };
        let officer = invitation::invite(&database, invitation, None, Actor::CommandLine).await.unwrap();
        if name == "gone" {
            invitation::revoke(&database, &officer.id, Actor::CommandLine).await.unwrap();
        }
    }
    database.close().await;
}

async fn report(gateway: &Gateway, id: TransactionId, reason: &str) {
    let request = gateway.request(Method::POST, &revocation_path(&id)).header("content-type", "application/json");
    let response = request.body(format!("{{\"reason\": \"{reason}\"}}")).send().await.unwrap();
    assert_eq!(response.status(), 202);
}

async fn of_company(site: &Site, id: TransactionId) {
    site.execute(&format!("UPDATE requests SET company = '{COMPANY}' WHERE transaction_id = '{id}'")).await;
}

#[tokio::test]
async fn a_reported_compromise_is_told_at_once_and_once() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    officers_of(&site).await;
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    gateway.issued(id).await;
    of_company(&site, id).await;
    report(&gateway, id, "superseded").await;
    for _ in 0..3 {
        report(&gateway, id, "key-compromise").await;
    }
    report(&gateway, id, "superseded").await;
    eventually(async || mails(&site, "compromise-reported").len() >= 2).await;
    let told = mails(&site, "compromise-reported");
    assert_eq!(recipients(&told), ["abe", "una"]);
    for (_, text) in &told {
        assert!(text.contains("Ada Example") && text.contains(&format!("/console/requests/{id}")), "{text}");
    }
    // Each report that says something new is in the log, once.
    let database = site.database().await;
    let reports: Vec<String> = sqlx::query_scalar(
        "SELECT detail FROM audit WHERE subject = $1 AND action = 'revocation asked for' ORDER BY number",
    )
    .bind(id.to_string())
    .fetch_all(database.reader())
    .await
    .unwrap();
    assert_eq!(reports, ["superseded", "key-compromise"]);
    database.close().await;
}

#[tokio::test]
async fn work_that_waits_is_told_once_a_day() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    officers_of(&site).await;
    let own = gateway.submit_good(&good_request("Ada Example")).await;
    of_company(&site, own).await;
    gateway.submit_good(&good_request("Bea Example")).await;
    let issued = gateway.submit_good(&good_request("Cleo Example")).await;
    assert!(site.requests(&["approve", &issued.to_string()]).status.success());
    gateway.issued(issued).await;
    drop(gateway);
    // One that is started again tells no one twice.
    for _ in 0..2 {
        let gateway = site.start(&["--manual-approval"]);
        eventually(async || mails(&site, "work-waiting").len() >= 2).await;
        drop(gateway);
    }
    let told = mails(&site, "work-waiting");
    assert_eq!(recipients(&told), ["abe", "una"]);
    assert!(told[0].1.contains("wait for approval: 2") && told[0].1.contains("all companies"), "{}", told[0].1);
    assert!(told[1].1.contains("wait for approval: 1") && told[1].1.contains(COMPANY), "{}", told[1].1);

    let gateway = site.start_later(DAY, &["--manual-approval"]);
    eventually(async || mails(&site, "work-waiting").len() >= 4).await;
    assert_eq!(recipients(&mails(&site, "work-waiting")), ["abe", "abe", "una", "una"]);
    drop(gateway);
    // A renewal is told of after it, in the same round.
    site.execute(&format!("UPDATE requests SET not_after = not_before + 2592000 WHERE transaction_id = '{issued}'"))
        .await;
    let quiet = site.configure("notifications.digest = false");
    let gateway = quiet.start_later(2 * DAY, &["--manual-approval"]);
    eventually(async || mails(&quiet, "renewal-due").len() == 1).await;
    assert_eq!(mails(&quiet, "work-waiting").len(), 4);
    drop(gateway);
}

#[tokio::test]
async fn the_console_finds_what_is_revoked_is_to_be_or_ends_soon() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let mut ids = Vec::new();
    for name in ["Good Example", "Asked Example", "Revoked Example", "Ending Example", "Later Example"] {
        let id = gateway.submit_good(&good_request(name)).await;
        gateway.issued(id).await;
        ids.push(id);
    }
    let [good, asked, revoked, ending, later] = ids[..] else { unreachable!() };
    report(&gateway, asked, "superseded").await;
    report(&gateway, revoked, "superseded").await;
    assert!(site.requests(&["revoke", &revoked.to_string(), "--reason", "superseded"]).status.success());
    for (id, days) in [(ending, 10), (later, 60)] {
        let end = keyside_gateway::clock::now() + days * DAY;
        site.execute(&format!("UPDATE requests SET not_after = {end} WHERE transaction_id = '{id}'")).await;
    }
    let database = site.database().await;
    let officer = approver(&gateway, &database).await;
    let found = async |officer: &Browser, query: &str| {
        let page = officer.page(&format!("/console/requests?{query}")).await;
        let all = [(good, "good"), (asked, "asked"), (revoked, "revoked"), (ending, "ending"), (later, "later")];
        let mut found: Vec<(usize, &str)> =
            all.iter().filter_map(|(id, name)| Some((page.find(&format!("/console/requests/{id}"))?, *name))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("state=revocation-requested", &["asked"][..]),
        ("state=revoked", &["revoked"]),
        ("state=ends-within-30-days", &["ending"]),
        ("state=ends-within-90-days", &["ending", "later"]),
        ("state=ends-within-90-days&text=later", &["later"]),
        ("state=revoked&text=asked", &[]),
        ("state=revocation-requested&text=asked&type=participants", &["asked"]),
        ("state=revocation-requested&type=employees", &[]),
        ("state=revoked&company=Other", &[]),
    ] {
        assert_eq!(found(&officer, query).await, expected, "{query}");
    }

    // By what is on the certificate.
    let certificate = Certificate::from_der(&gateway.issued(good).await).unwrap();
    let summary = certificate.summary();
    let key = keyside_pki::key_pair::key_id(certificate.subject_public_key_info());
    let pairs = |text: &str| {
        text.to_uppercase()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair))
            .collect::<Vec<_>>()
            .join("%3A")
    };
    let serial_number = hexadecimal(certificate.serial_number());
    for text in [&summary.sha256_fingerprint, &summary.sha1_fingerprint, &key, &serial_number] {
        assert_eq!(found(&officer, &format!("text={text}")).await, ["good"], "{text}");
        assert_eq!(found(&officer, &format!("text={}", pairs(text))).await, ["good"], "{text}");
    }
    assert_eq!(found(&officer, &format!("text=00{serial_number}")).await, ["good"]);
    assert_eq!(found(&officer, &format!("text={serial_number}&state=revoked")).await, [""; 0]);
    // A company's administrator finds the requests of the company only.
    let administrator = invite(&database, Role::Uaa, Some(COMPANY), "Una Example").await;
    let administrator = Browser::of(&gateway, &database, &administrator).await;
    assert_eq!(found(&administrator, &format!("text={serial_number}")).await, [""; 0]);
    of_company(&site, good).await;
    assert_eq!(found(&administrator, &format!("text={serial_number}")).await, ["good"]);
    database.close().await;
}

#[tokio::test]
async fn the_metrics_tell_what_is_revoked_is_to_be_or_ends_soon() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start_with_operations();
    let mut ids = Vec::new();
    for name in ["Asked Example", "Revoked Example", "Ending Example"] {
        let id = gateway.submit_good(&good_request(name)).await;
        gateway.issued(id).await;
        ids.push(id);
    }
    report(&gateway, ids[0], "superseded").await;
    assert!(site.requests(&["revoke", &ids[1].to_string(), "--reason", "superseded"]).status.success());
    let end = keyside_gateway::clock::now() + 60 * DAY;
    site.execute(&format!("UPDATE requests SET not_after = {end} WHERE transaction_id = '{}'", ids[2])).await;
    let url = format!("{}/metrics", gateway.operations_url.as_deref().unwrap());
    let text = http_client().get(url).send().await.unwrap().text().await.unwrap();
    for line in [
        "keyside_certificates_revocation_requested 1",
        "keyside_certificates_revoked 1",
        "keyside_certificates_ending{days=\"30\"} 0",
        "keyside_certificates_ending{days=\"90\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}
