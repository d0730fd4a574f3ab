//! Restoring a backup: what was issued and revoked after it is still so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use keyside_core::api::{ProblemKind, RequestState, RequestStatus, request_path};
use keyside_core::domain::revocation::RevocationState;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::database::Location;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_gateway::officers::invitation;
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::journal::{self, Entry};
use keyside_gateway::store::officer_roles::Role;
use keyside_gateway::store::{kept_requests, officers};
use keyside_pki::certificate::Certificate;

use crate::console::{Browser, COMPANY, invite, transaction_id};
use crate::harness::{Gateway, Site, certification_request, email, good_request, openssl, problem, subject};
use crate::keys::key_of;

const PROGRAM: &str = env!("CARGO_BIN_EXE_keyside-gateway");

/// Runs a command on the data folder and a file.
fn run(site: &Site, command: &str, file: &Path) -> Output {
    Command::new(PROGRAM).arg(command).arg(file).arg("--data").arg(site.data()).output().unwrap()
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn journal_of(site: &Site) -> PathBuf {
    site.data().join("keyside.journal")
}

async fn issued(gateway: &Gateway, name: &str) -> TransactionId {
    let id = gateway.submit_good(&good_request(name)).await;
    gateway.issued(id).await;
    id
}

async fn is_revoked(gateway: &Gateway, id: TransactionId) -> bool {
    let status: RequestStatus = gateway.get(&request_path(&id)).await.json().await.unwrap();
    status.revocation.is_some_and(|revocation| revocation.state == RevocationState::Revoked)
}

/// The current CRL of the issuing CA: its number, and the serial numbers on it in uppercase hexadecimal.
async fn crl(site: &Site, gateway: &Gateway) -> (u64, Vec<String>) {
    fs::write(site.path("now.crl"), gateway.get("/pki/issuing.crl").await.bytes().await.unwrap()).unwrap();
    let text = openssl(&["crl", "-inform", "der", "-in", "now.crl", "-noout", "-text"], &site.path(""));
    let (_, number) = text.split_once("X509v3 CRL Number:").unwrap();
    let number = number.split_whitespace().next().unwrap().parse().unwrap();
    let serial_numbers = text.lines().filter_map(|line| line.trim().strip_prefix("Serial Number: "));
    let mut serial_numbers: Vec<String> = serial_numbers.map(ToOwned::to_owned).collect();
    serial_numbers.sort();
    (number, serial_numbers)
}

async fn serial_number(gateway: &Gateway, id: TransactionId) -> String {
    let certificate = Certificate::from_der(&gateway.issued(id).await).unwrap();
    hexadecimal(certificate.serial_number())
}

#[tokio::test]
async fn what_was_issued_and_revoked_after_the_backup_is_still_so() {
    let site = Site::on_sqlite().issuing_at_once();
    let gateway = site.start(&[]);
    let (stays, revoked) = (issued(&gateway, "Ada Example").await, issued(&gateway, "Bea Example").await);
    let backup = site.path("backup.sqlite");
    good(&run(&site, "backup", &backup));
    assert!(site.requests(&["revoke", &revoked.to_string(), "--reason", "key-compromise"]).status.success());
    let (later, later_revoked) = (issued(&gateway, "Cleo Example").await, issued(&gateway, "Dora Example").await);
    assert!(site.requests(&["revoke", &later_revoked.to_string(), "--reason", "superseded"]).status.success());
    let certificate = gateway.issued(later).await;
    let before = crl(&site, &gateway).await;
    assert_eq!(before.1.len(), 2);
    // Not while a gateway is at work.
    let refused = run(&site, "restore", &backup);
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("stop it first"),
        "{refused:?}"
    );
    drop(gateway);

    // A crash has cut the last line.
    let text = fs::read_to_string(journal_of(&site)).unwrap();
    fs::write(journal_of(&site), format!("{text}{{\"kind\":\"revo")).unwrap();
    let said = good(&run(&site, "restore", &backup));
    assert!(said.contains("2 certificates and 2 revocations") && said.contains("1 lines"), "{said}");
    // A second time is no other one.
    let said = good(&run(&site, "restore", &backup));
    assert!(said.contains("2 certificates and 2 revocations"), "{said}");
    assert!(
        site.data().join("keyside.sqlite-before-1").exists() && site.data().join("keyside.sqlite-before-2").exists()
    );

    let gateway = site.start(&[]);
    for (id, expected) in [(stays, false), (revoked, true), (later, false), (later_revoked, true)] {
        assert_eq!(is_revoked(&gateway, id).await, expected);
    }
    assert_eq!(gateway.issued(later).await, certificate);
    let after = crl(&site, &gateway).await;
    assert!(after.0 > before.0, "{after:?}, {before:?}");
    assert_eq!(after.1, before.1);
    // The key of a compromised certificate is refused after it, too.
    let stolen = certification_request(&key_of("Bea Example"), subject("Eve Example"), vec![email("eve@example.com")]);
    assert_eq!(problem(gateway.submit(&stolen).await).await.kind, ProblemKind::KeyCompromised);
    let verified = site.run("audit", &["verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test]
async fn without_a_journal_certificates_are_revoked_by_their_serial_numbers() {
    let site = Site::on_sqlite().issuing_at_once();
    let gateway = site.start(&[]);
    let backup = site.path("backup.sqlite");
    good(&run(&site, "backup", &backup));
    let lost = issued(&gateway, "Ada Example").await;
    let serial = serial_number(&gateway, lost).await;
    drop(gateway);
    fs::remove_file(journal_of(&site)).unwrap();
    let said = good(&run(&site, "restore", &backup));
    assert!(said.contains("no journal") && said.contains("--serial"), "{said}");

    let gateway = site.start(&[]);
    assert_eq!(problem(gateway.get(&request_path(&lost)).await).await.kind, ProblemKind::UnknownTransactionId);
    assert!(crl(&site, &gateway).await.1.is_empty());
    let revoke = |serial: &str| site.requests(&["revoke", "--serial", serial, "--reason", "key-compromise"]);
    let said = good(&revoke(&serial));
    assert!(said.contains("on the CRL"), "{said}");
    assert_eq!(crl(&site, &gateway).await.1, [serial.to_uppercase()]);
    let again = revoke(&serial);
    assert!(String::from_utf8_lossy(&again.stderr).contains("revoked already"), "{again:?}");
    assert!(!revoke("nonsense").status.success());
    assert!(!site.requests(&["revoke", "--reason", "superseded"]).status.success());
    // One that is known is its request's.
    let known = issued(&gateway, "Bea Example").await;
    let said = good(&revoke(&serial_number(&gateway, known).await));
    assert!(said.contains(&known.to_string()), "{said}");
    assert!(is_revoked(&gateway, known).await);
    drop(gateway);

    // The journal has it from now on.
    let said = good(&run(&site, "restore", &backup));
    assert!(said.contains("1 certificates and 2 revocations"), "{said}");
    let gateway = site.start(&[]);
    let on_crl = crl(&site, &gateway).await.1;
    let mut expected = vec![serial.to_uppercase(), serial_number(&gateway, known).await.to_uppercase()];
    expected.sort();
    assert_eq!(on_crl, expected);
}

#[tokio::test]
async fn a_file_that_is_no_backup_changes_nothing() {
    let site = Site::on_sqlite().issuing_at_once();
    let gateway = site.start(&[]);
    let id = issued(&gateway, "Ada Example").await;
    drop(gateway);
    let nonsense = site.path("nonsense.sqlite");
    fs::write(&nonsense, "This is no database, and long enough to be told from an empty one.").unwrap();
    for file in [nonsense, site.path("missing.sqlite")] {
        let refused = run(&site, "restore", &file);
        assert!(!refused.status.success());
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(String::from_utf8_lossy(&refused.stderr).contains(name), "{refused:?}");
    }
    let files: Vec<String> = fs::read_dir(site.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("restoring") || name.contains("before"))
        .collect();
    assert!(files.is_empty(), "{files:?}");
    let gateway = site.start(&[]);
    assert_eq!(gateway.state(id).await, RequestState::Issued);
}

#[tokio::test]
async fn postgresql_has_programs_of_its_own_and_revocation_by_serial_number() {
    let site = Site::on_postgresql().issuing_at_once();
    let gateway = site.start(&[]);
    let id = issued(&gateway, "Ada Example").await;
    let serial = serial_number(&gateway, id).await;
    let Location::Postgresql(url) = site.location() else { panic!("it is PostgreSQL") };
    let mut restore = Command::new(PROGRAM);
    restore.args(["restore", "backup", "--database", &url, "--data"]).arg(site.path("other"));
    let refused = restore.output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("psql"), "{refused:?}");
    site.execute("DELETE FROM requests").await;
    good(&site.requests(&["revoke", "--serial", &serial, "--reason", "superseded"]));
    assert_eq!(crl(&site, &gateway).await.1, [serial.to_uppercase()]);
}

/// An authorisation's id, the hash of its code, when it was withdrawn, and the request that has used it up.
type KeptAuthorisation = (String, Option<Vec<u8>>, Option<i64>, Option<String>);

#[tokio::test]
async fn what_was_used_up_or_taken_away_after_the_backup_stays_so() {
    let site = Site::on_sqlite().configure_types(&["participants"], "approval = 'authorised'");
    let gateway = site.start(&[]);
    let database = site.database().await;
    let una = invite(&database, Role::Uaa, Some(COMPANY), "una").await;
    let gone = invite(&database, Role::Approver, None, "gone").await;
    let browser = Browser::of(&gateway, &database, &una).await;
    let used = browser.authorise("Ada Example", "ada@example.com").await;
    let withdrawn = browser.authorise("Bea Example", "ada@example.com").await;
    let replaced = browser.authorise("Cleo Example", "ada@example.com").await;
    let device = ["--common-name", "rig-1.example.com", "--type", "devices", "--kind", "rig"];
    let code = site.run("est", &[&["code"][..], &device, &["--email", "ops@example.com"]].concat());
    assert!(code.status.success(), "{code:?}");
    let backup = site.path("backup.sqlite");
    good(&run(&site, "backup", &backup));

    let submit = async |name: &str, code: &str| {
        let id = transaction_id(gateway.submit_with_code(&good_request(name), code).await).await.0;
        gateway.issued(id).await;
        id
    };
    let id = submit("Ada Example", &used.code).await;
    browser.post(&format!("/console/authorisations/{}/withdraw", withdrawn.id), &[]).await;
    browser.post(&format!("/console/authorisations/{}/code", replaced.id), &[("told_by_officer", "yes")]).await;
    invitation::revoke(&database, &gone, Actor::CommandLine).await.unwrap();
    site.execute("UPDATE est_codes SET submission_sha256 = (SELECT submission_sha256 FROM requests)").await;
    let codes = async || -> Vec<KeptAuthorisation> {
        let database = site.database().await;
        let rows = sqlx::query_as("SELECT id, code_sha256, withdrawn_at, used_by FROM authorisations ORDER BY id");
        let rows = rows.fetch_all(database.reader()).await.unwrap();
        database.close().await;
        rows
    };
    let before = codes().await;
    // The line of the certificate tells of the device's code, too: it is written again.
    let kept = kept_requests::kept(database.reader(), id).await.unwrap().unwrap();
    journal::append(&database, vec![Entry::Issued(Box::new(kept))]).await.unwrap();
    database.close().await;
    drop(gateway);
    good(&run(&site, "restore", &backup));

    assert_eq!(codes().await, before);
    let database = site.database().await;
    let officers = officers::list(&database).await.unwrap();
    assert!(officers.iter().all(|officer| officer.revoked_at.is_some() == (officer.id == gone)));
    let est: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT submission_sha256 FROM est_codes").fetch_one(database.reader()).await.unwrap();
    assert!(est.is_some());
    database.close().await;
}

#[tokio::test]
async fn a_request_that_was_corrected_after_the_backup_has_its_last_details() {
    let site = Site::on_sqlite();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let backup = site.path("backup.sqlite");
    good(&run(&site, "backup", &backup));
    site.execute(
        "UPDATE requests SET certificate_type = 'employees', email_address = 'new@example.com', company = 'New'",
    )
    .await;
    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    gateway.issued(id).await;
    drop(gateway);
    good(&run(&site, "restore", &backup));
    let request = &site.all_requests().await[0];
    assert_eq!((&*request.certificate_type, &*request.email_address), ("employees", "new@example.com"));
    assert_eq!(request.company.as_deref(), Some("New"));
}

#[tokio::test]
async fn no_line_of_a_journal_and_no_file_beside_the_database_spoils_a_restore() {
    let site = Site::on_sqlite().issuing_at_once();
    let gateway = site.start(&[]);
    let backup = site.path("backup.sqlite");
    good(&run(&site, "backup", &backup));
    // A certification request that is sent again once its certificate has ended, and was deleted.
    let first = issued(&gateway, "Ada Example").await;
    site.execute("DELETE FROM requests").await;
    let second = issued(&gateway, "Ada Example").await;
    assert_ne!(first, second);
    drop(gateway);
    // The operator has copied the journal, and moved the damaged database away, but not what stands beside it.
    let copy = site.path("copy.journal");
    fs::write(&copy, [&fs::read(journal_of(&site)).unwrap()[..], b"\xFF\xFE\n"].concat()).unwrap();
    fs::remove_file(site.data().join("keyside.sqlite")).unwrap();
    fs::write(site.data().join("keyside.sqlite-wal"), "of another database").unwrap();
    let mut restore = Command::new(PROGRAM);
    restore.arg("restore").arg(&backup).arg("--journal").arg(&copy).arg("--data").arg(site.data());
    let said = good(&restore.output().unwrap());
    assert!(said.contains("2 certificates") && said.contains("1 lines"), "{said}");
    assert!(site.data().join("keyside.sqlite-before-1-wal").exists());
    let gateway = site.start(&[]);
    for id in [first, second] {
        gateway.issued(id).await;
    }
    drop(gateway);
    // The remains of that database keep their name.
    good(&run(&site, "restore", &backup));
    assert!(site.data().join("keyside.sqlite-before-2").exists());
    let gateway = site.start(&[]);
    // The later one is what the certification request stands for.
    assert_eq!(gateway.submit_good(&good_request("Ada Example")).await, second);
}
