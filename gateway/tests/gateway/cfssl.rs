//! The engine `cfssl` against a real `cfssl serve`, also one that is down, slow, refuses or answers what it must not.

use std::fs;
use std::process::Command;

use base64ct::{Base64, Encoding};
use keyside_core::api::{CA_PATH, CaCertificates, ProblemKind, RequestState, certificate_path};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::store::officer_roles::Role;
use keyside_pki::certificate::Certificate;
use keyside_pki::pem;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::cfssl_server::{Between, Cfssl, Spoil, site};
use crate::console::{Browser, COMPANY, invite, transaction_id};
use crate::harness::{
    Gateway, PATIENCE, Site, certification_request, email, eventually, good_request, key, openssl, problem, subject,
};

/// The serial number of a certificate, as the gateway lists it.
fn serial_number(der: &[u8]) -> String {
    base16ct::lower::encode_string(Certificate::from_der(der).unwrap().serial_number())
}

/// The line of `requests list` for `id`.
fn line(site: &Site, id: TransactionId) -> String {
    let list = String::from_utf8(site.requests(&["list"]).stdout).unwrap();
    list.lines().find(|line| line.starts_with(&id.to_string())).unwrap().to_owned()
}

/// Waits until the operator reads this fault.
async fn waits_for(site: &Site, id: TransactionId, fault: &str) {
    let seen = std::cell::RefCell::new(String::new());
    let happened = tokio::time::timeout(
        PATIENCE / 2,
        eventually(async || {
            *seen.borrow_mut() = line(site, id);
            seen.borrow().contains(fault)
        }),
    );
    assert!(happened.await.is_ok(), "{fault}: {}", seen.borrow());
}

/// Verifies a certificate with its chain as the gateway gives it, with openssl, below CFSSL's CA.
async fn verify(gateway: &Gateway, cfssl: &Cfssl, id: TransactionId) {
    let chain = gateway.get(&certificate_path(&id)).await.text().await.unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 1, "CFSSL's CA is the root, which is not sent along");
    fs::write(cfssl.path().join("user.pem"), chain).unwrap();
    let verdict =
        openssl(&["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem", "user.pem"], cfssl.path());
    assert_eq!(verdict, "user.pem: OK\n");
}

#[tokio::test]
async fn it_issues_once_though_cfssl_stops_in_between() {
    let mut cfssl = Cfssl::start();
    let site = site(&cfssl.url(), "");
    let gateway = site.start(&[]);
    let ca: CaCertificates = gateway.get(CA_PATH).await.json().await.unwrap();
    let root = fs::read_to_string(cfssl.path().join("ca.pem")).unwrap();
    assert_eq!(ca.trust_anchors[0].0, pem::decode_all(pem::CERTIFICATE, &root).unwrap()[0]);
    assert!(ca.intermediates.is_empty());

    let first = gateway.submit_good(&good_request("Ada Example")).await;
    gateway.issued(first).await;
    verify(&gateway, &cfssl, first).await;

    cfssl.stop();
    let second = gateway.submit_good(&good_request("Grace Example")).await;
    waits_for(&site, second, "does not answer").await;
    assert_eq!(gateway.state(second).await, RequestState::Pending);
    let told = problem(gateway.get(&certificate_path(&second)).await).await;
    assert_eq!(told.kind, ProblemKind::NotIssued);
    assert!(told.detail.contains("approved") && told.detail.contains("certification authority"), "{}", told.detail);
    // The gateway starts without CFSSL too: it knows its CA.
    gateway.stop();
    let gateway = site.start(&[]);
    assert_eq!(gateway.state(second).await, RequestState::Pending);

    cfssl.resume();
    let certificate = gateway.issued(second).await;
    verify(&gateway, &cfssl, second).await;
    assert!(line(&site, second).contains(&serial_number(&certificate)));
}

/// A gateway whose CFSSL has signed, and the answer was lost on the way.
struct LostAnswer {
    between: Between,
    // Before the site, whose folder it uses.
    gateway: Gateway,
    site: Site,
    id: TransactionId,
}

impl LostAnswer {
    async fn of(cfssl: &Cfssl) -> Self {
        let (between, url) = Between::start(cfssl).await;
        let site = site(&url, "");
        let gateway = site.start(&[]);
        between.spoil(Spoil::Lose);
        let id = gateway.submit_good(&good_request("Ada Example")).await;
        waits_for(&site, id, "does not answer").await;
        Self { between, gateway, site, id }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_leaves_no_second_serial_number() {
    let cfssl = Cfssl::start();
    let LostAnswer { between, site: _site, gateway, id } = LostAnswer::of(&cfssl).await;
    between.spoil(Spoil::Nothing);
    let kept = gateway.issued(id).await;
    let signed = between.signed();
    assert!(signed.len() >= 2, "the first answer was lost");
    for answer in signed {
        let pem = answer["result"]["certificate"].as_str().unwrap();
        let der = pem::decode_all(pem::CERTIFICATE, pem).unwrap().remove(0);
        assert_eq!(serial_number(&der), serial_number(&kept));
    }
}

/// As docs/ca-engines.md says: why there should be no such database, and the way out where there is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_cfssl_that_records_what_it_signs_does_not_sign_it_again() {
    let cfssl = Cfssl::start_with_database().await;
    let LostAnswer { between, site, gateway, id } = LostAnswer::of(&cfssl).await;
    let mut database = cfssl.database().await;
    let mut change = async |statement: &'static str| {
        let changed = sqlx::query(statement).execute(&mut database).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{statement}");
    };
    change("UPDATE certificates SET status = 'revoked', reason = 4").await;
    between.spoil(Spoil::Nothing);
    waits_for(&site, id, "11000").await;
    change("DELETE FROM certificates").await;
    gateway.issued(id).await;
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_serial_number_that_cfssl_draws_is_the_one_that_counts() {
    let cfssl = Cfssl::start_with(&[("ClientProvidesSerialNumbers", json!(false))]);
    let site = site(&cfssl.url(), "");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let certificate = gateway.issued(id).await;
    verify(&gateway, &cfssl, id).await;
    assert!(line(&site, id).contains(&serial_number(&certificate)));
}

/// What is asked for, as CFSSL is asked for it.
fn request_pem(
    key: &SigningKey<sha2::Sha256>,
    common_name: &str,
    names: Vec<x509_cert::ext::pkix::name::GeneralName>,
) -> Value {
    let der = certification_request(key, subject(common_name), names);
    json!(pem::encode(pem::CERTIFICATE_REQUEST, &der).unwrap())
}

#[tokio::test]
async fn the_console_says_why_an_approved_request_waits() {
    let mut cfssl = Cfssl::start();
    let site = site(&cfssl.url(), "");
    let gateway = site.start(&[]);
    let database = site.database().await;
    let auditor = invite(&database, Role::Auditor, None, "Aud Example").await;
    let auditor = Browser::of(&gateway, &database, &auditor).await;
    let administrator = invite(&database, Role::Uaa, Some(COMPANY), "Una Example").await;
    let administrator = Browser::of(&gateway, &database, &administrator).await;
    let ada = administrator.authorise("Ada Example", "ada@example.com").await;

    cfssl.stop();
    let (id, _) = transaction_id(gateway.submit_with_code(&good_request("Ada Example"), &ada.code).await).await;
    waits_for(&site, id, "does not answer").await;
    let page = format!("/console/requests/{id}");
    let reason = format!("CFSSL at {} does not answer", cfssl.url());
    // While the engine is being asked, nobody knows of a fault.
    eventually(async || auditor.page(&page).await.contains(&reason)).await;
    eventually(async || {
        let page = administrator.page(&page).await;
        // Administrators are of other companies: where the CA is, is none of their affair.
        assert!(!page.contains(&cfssl.url()));
        page.contains("asks again by itself")
    })
    .await;
    for browser in [&auditor, &administrator] {
        eventually(async || browser.page("/console/requests").await.contains("the CA does not issue")).await;
    }

    cfssl.resume();
    gateway.issued(id).await;
    for browser in [&auditor, &administrator] {
        assert!(!browser.page(&page).await.contains("asks again by itself"));
        assert!(!browser.page("/console/requests").await.contains("the CA does not issue"));
    }
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_certificate_that_was_asked_for_is_taken() {
    let cfssl = Cfssl::start();
    let other_ca = Cfssl::start();
    let (between, url) = Between::start(&cfssl).await;
    let site = site(&url, "");
    let gateway = site.start(&[]);
    let other_key = SigningKey::new(RsaPrivateKey::new(&mut rand::rng(), 2048).unwrap());
    let address = || vec![email("ada@example.com")];
    let foreign = openssl(&["x509", "-in", "ca.pem"], other_ca.path());
    let answer = |text: &str| Spoil::Answer(200, text.into());
    let certificates = |pem: String| json!({ "success": true, "result": { "certificate": pem } }).to_string();
    between.spoil(answer("<html>"));
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    for (spoil, fault) in [
        (answer("<html>"), "not its JSON"),
        (answer("{\"success\": true}"), "without a certificate"),
        (answer(&certificates("nonsense".into())), "not one certificate"),
        (answer(&certificates(foreign.repeat(2))), "not one certificate"),
        (answer(&certificates(foreign.clone())), "another CA"),
        (answer(&"x".repeat(200_000)), "far longer"),
        (Spoil::Answer(500, "no".into()), "status 500"),
        (Spoil::Answer(503, certificates(foreign.clone())), "status 503"),
        (
            Spoil::Answer(
                400,
                json!({ "success": false, "result": null, "errors": [{ "code": 1, "message": "a\nb" }] }).to_string(),
            ),
            "a b (1)",
        ),
        (Spoil::Silence, "does not answer"),
        (Spoil::Change("certificate_request", request_pem(&other_key, "Ada Example", address())), "another key"),
        (Spoil::Change("certificate_request", request_pem(&key(), "Eve Example", address())), "another subject"),
        (Spoil::Change("certificate_request", request_pem(&key(), "Ada Example", vec![])), "other names"),
        (
            Spoil::Change("certificate_request", request_pem(&key(), "Ada Example", vec![email("eve@example.com")])),
            "other names",
        ),
        (Spoil::Change("profile", json!("device")), "extendedKeyUsage"),
        // One that is not there: CFSSL takes its default in silence.
        (Spoil::Change("profile", json!("missing")), "extendedKeyUsage"),
    ] {
        between.spoil(spoil);
        // At once, and not after a pause that grows with each fault.
        site.execute("UPDATE requests SET issue_at = 0, issue_attempts = 0, issue_fault = NULL").await;
        waits_for(&site, id, fault).await;
        assert_eq!(gateway.state(id).await, RequestState::Pending);
    }
    between.spoil(Spoil::Nothing);
    site.execute("UPDATE requests SET issue_at = 0").await;
    gateway.issued(id).await;
    verify(&gateway, &cfssl, id).await;
}

#[tokio::test]
async fn what_cfssl_refuses_for_good_is_rejected_with_its_reason() {
    let cfssl = Cfssl::start_with(&[("name_whitelist", json!("^[a-z]+$"))]);
    let site = site(&cfssl.url(), "");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    eventually(async || matches!(gateway.state(id).await, RequestState::Rejected { .. })).await;
    let RequestState::Rejected { reason } = gateway.state(id).await else { unreachable!() };
    assert!(reason.contains("certification authority"), "{reason}");
}

#[tokio::test]
async fn a_profile_that_gives_too_long_is_not_used() {
    let cfssl = Cfssl::start_with(&[("expiry", json!("17640h"))]);
    let site = site(&cfssl.url(), "");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    waits_for(&site, id, "valid for longer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ca_behind_the_same_address_is_not_taken() {
    let cfssl = Cfssl::start();
    let (between, url) = Between::start(&cfssl).await;
    let site = site(&url, "");
    drop(site.start(&[]));
    let other = Cfssl::start();
    let foreign = openssl(&["x509", "-in", "ca.pem"], other.path());
    between.spoil(Spoil::Answer(200, json!({ "success": true, "result": { "certificate": foreign } }).to_string()));
    let output = site.serve(&[]).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("another CA"), "{text}");
}

#[tokio::test]
async fn the_first_start_needs_cfssl_and_a_key_that_others_cannot_read() {
    let mut cfssl = Cfssl::start();
    cfssl.stop();
    let down = site(&cfssl.url(), "");
    let output = down.serve(&[]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("does not answer"));

    cfssl.resume();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o604);
    fs::set_permissions(down.path("cfssl-key"), mode).unwrap();
    let output = down.serve(&[]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("chmod 640"));
}

#[tokio::test]
async fn its_crl_is_made_where_its_key_is_and_served_here() {
    let cfssl = Cfssl::start();
    let crl_file = cfssl.path().join("issuing.crl");
    let site = site(&cfssl.url(), &format!("crl_file = '{}'", crl_file.display()));
    let gateway = site.start(&[]);
    let mut ids = Vec::new();
    for name in ["bad", "good"] {
        let id = gateway.submit_good(&good_request(name)).await;
        let pem = pem::encode(pem::CERTIFICATE, &gateway.issued(id).await).unwrap();
        fs::write(cfssl.path().join(format!("{name}.pem")), pem).unwrap();
        ids.push(id);
    }
    assert_eq!(problem(gateway.get("/pki/root.crl").await).await.kind, ProblemKind::NotFound);
    assert!(site.requests(&["revoke", &ids[0].to_string(), "--reason", "key-compromise"]).status.success());

    let revoked = site.requests(&["revoked"]).stdout;
    fs::write(cfssl.path().join("revoked.txt"), revoked).unwrap();
    let made = Command::new("cfssl")
        .args(["gencrl", "revoked.txt", "ca.pem", "ca-key.pem"])
        .current_dir(cfssl.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::write(&crl_file, Base64::decode_vec(std::str::from_utf8(&made.stdout).unwrap().trim()).unwrap()).unwrap();

    let served = gateway.get("/pki/issuing.crl").await.bytes().await.unwrap();
    fs::write(cfssl.path().join("served.crl"), served).unwrap();
    openssl(&["crl", "-inform", "der", "-in", "served.crl", "-out", "crl.pem"], cfssl.path());
    let verify = |name: &str| {
        let arguments = ["verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", "ca.pem", name];
        Command::new("openssl").args(arguments).current_dir(cfssl.path()).output().unwrap()
    };
    assert!(verify("good.pem").status.success());
    assert!(String::from_utf8_lossy(&verify("bad.pem").stderr).contains("certificate revoked"));

    // Another CA's is not served as this one's.
    let other = Cfssl::start();
    let made = Command::new("cfssl")
        .args(["gencrl", "/dev/null", "ca.pem", "ca-key.pem"])
        .current_dir(other.path())
        .output()
        .unwrap();
    fs::write(&crl_file, Base64::decode_vec(std::str::from_utf8(&made.stdout).unwrap().trim()).unwrap()).unwrap();
    assert_eq!(gateway.get("/pki/issuing.crl").await.status(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_while_cfssl_signs_asks_for_the_same_again() {
    let cfssl = Cfssl::start();
    let (between, url) = Between::start(&cfssl).await;
    let site = site(&url, "");
    let gateway = site.start(&[]);
    // CFSSL signs, and the answer does not come back before the gateway is killed.
    between.spoil(Spoil::Hold);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    eventually(async || between.signed().len() == 1).await;
    drop(gateway);
    assert!(line(&site, id).contains("\tapproved\t"));
    between.spoil(Spoil::Nothing);
    let gateway = site.start(&[]);
    let kept = gateway.issued(id).await;
    let signed = between.signed();
    assert_eq!(signed.len(), 2);
    for answer in signed {
        let der =
            pem::decode_all(pem::CERTIFICATE, answer["result"]["certificate"].as_str().unwrap()).unwrap().remove(0);
        assert_eq!(serial_number(&der), serial_number(&kept));
    }
}

#[test]
fn what_cfssl_cannot_do_is_refused_in_words() {
    let broken = |changes: &str| site("http://127.0.0.1:1", "").configure(changes);
    let without_profile = site("http://127.0.0.1:1", "").edit(|config| {
        config["ca"].as_table_mut().unwrap().remove("device_profile").unwrap();
    });
    let subject = "subject_template = 'CN={common_name},DC=example'";
    for (site, fault) in [
        (site("http://127.0.0.1:1", "").configure_types(&["devices"], subject), "CFSSL would write"),
        (without_profile, "device_profile"),
        (broken("ca.url = 'https://127.0.0.1:1'"), "tls_ca_file"),
        (broken("ca.url = '127.0.0.1:1'"), "ca.url"),
        (broken("ca.engine = 'dogtag'"), "ca.engine"),
        (broken("ca.root_validity_days = 5"), "root_validity_days"),
        (broken("ca.retry_after_seconds = 0"), "retry_after_seconds"),
    ] {
        let error =
            keyside_gateway::configuration::Config::load(Some(&site.path("keyside.toml"))).unwrap_err().to_string();
        assert!(error.contains(fault), "{error}");
    }
    // Without CFSSL there is a certificate for the gateway's own server only where one is named.
    let cfssl = Cfssl::start();
    let site = site(&cfssl.url(), "");
    let output = site.serve(&["--tls-listen", "127.0.0.1:0"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("certificate_file"));
}

#[tokio::test]
async fn tls_is_spoken_with_the_one_that_its_ca_vouches_for() {
    let cfssl = Cfssl::start_with_tls();
    let ca_file = |cfssl: &Cfssl| format!("tls_ca_file = '{}'", cfssl.path().join("tls-ca.pem").display());
    let trusting = site(&cfssl.url(), &ca_file(&cfssl));
    let gateway = trusting.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    gateway.issued(id).await;
    verify(&gateway, &cfssl, id).await;

    let other = Cfssl::start_with_tls();
    let output = site(&cfssl.url(), &ca_file(&other)).serve(&[]).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap().to_lowercase();
    assert!(text.contains("certificate"), "{text}");
}
