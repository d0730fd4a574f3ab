//! Revocation: asked for by whoever has the transaction ID, decided by an officer, told by the CRL.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use keyside_core::api::{
    CA_PATH, CaCertificates, ProblemKind, RequestStatus, Revocation, request_path, revocation_path,
};
use keyside_core::domain::revocation::{RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::clock::DAY;
use keyside_gateway::store::crls;
use keyside_pki::certificate::Certificate;
use keyside_pki::pem;
use reqwest::Method;

use crate::harness::{Gateway, Site, eventually, good_request, openssl, problem};

async fn ask(gateway: &Gateway, id: &TransactionId, body: &'static str) -> reqwest::Response {
    let request = gateway.request(Method::POST, &revocation_path(id)).header("content-type", "application/json");
    request.body(body).send().await.unwrap()
}

async fn revocation(gateway: &Gateway, id: TransactionId) -> Option<Revocation> {
    gateway.get(&request_path(&id)).await.json::<RequestStatus>().await.unwrap().revocation
}

#[tokio::test]
async fn it_is_asked_for_and_an_officer_decides() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    assert_eq!(revocation(&gateway, id).await, None);
    assert_eq!(ask(&gateway, &id, r#"{"reason": "cessation-of-operation"}"#).await.status(), 202);
    let response = ask(&gateway, &id, r#"{"reason": "key-compromise"}"#).await;
    assert_eq!(response.status(), 202);
    let asked = response.json::<RequestStatus>().await.unwrap().revocation.unwrap();
    assert_eq!((asked.state, asked.reason), (RevocationState::Requested, RevocationReason::KeyCompromise));
    // The first one to ask is noted, and the gravest reason.
    assert_eq!(ask(&gateway, &id, r#"{"reason": "superseded"}"#).await.status(), 202);
    assert_eq!(revocation(&gateway, id).await, Some(asked));
    let list = String::from_utf8(site.requests(&["list"]).stdout).unwrap();
    assert!(list.contains("\tasked for: key-compromise\n"), "{list}");

    let revoke = |reason: &str| site.requests(&["revoke", &id.to_string(), "--reason", reason]);
    assert!(!revoke("because").status.success());
    assert!(revoke("superseded").status.success());
    let revoked = revocation(&gateway, id).await.unwrap();
    assert_eq!((revoked.state, revoked.reason), (RevocationState::Revoked, RevocationReason::Superseded));
    let again = revoke("key-compromise");
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("revoked already"), "{again:?}");
    assert_eq!(revocation(&gateway, id).await, Some(revoked));
}

#[tokio::test]
async fn what_cannot_be_revoked_is_told() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let good = r#"{"reason": "unspecified"}"#;
    assert_eq!(problem(ask(&gateway, &id, good).await).await.kind, ProblemKind::NotIssued);
    let unknown = "000-000-000-000-000-000-000-000-011".parse().unwrap();
    assert_eq!(problem(ask(&gateway, &unknown, good).await).await.kind, ProblemKind::UnknownTransactionId);
    for bad in ["", "{}", r#"{"reason": "because"}"#, r#"{"reason": "superseded", "more": 1}"#] {
        assert_eq!(problem(ask(&gateway, &id, bad).await).await.kind, ProblemKind::MalformedBody, "{bad}");
    }
    let refused = site.requests(&["revoke", &id.to_string(), "--reason", "superseded"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is pending"), "{refused:?}");
    assert_eq!(revocation(&gateway, id).await, None);
}

#[tokio::test]
async fn the_crl_tells_and_openssl_agrees() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let bad = gateway.submit_good(&good_request("Ada Example")).await;
    let good = gateway.submit_good(&good_request("Bea Example")).await;
    let ca: CaCertificates = gateway.get(CA_PATH).await.json().await.unwrap();
    let write =
        |name: &str, der: &[u8]| fs::write(site.path(name), pem::encode(pem::CERTIFICATE, der).unwrap()).unwrap();
    write("root.pem", &ca.trust_anchors[0].0);
    write("issuing.pem", &ca.intermediates[0].0);
    write("bad.pem", &gateway.issued(bad).await);
    write("good.pem", &gateway.issued(good).await);
    let fetch = async || {
        let crl = gateway.get("/pki/issuing.crl").await.bytes().await.unwrap();
        fs::write(site.path("crl.der"), crl).unwrap();
        let text = openssl(&["crl", "-inform", "DER", "-in", "crl.der", "-noout", "-text"], &site.path("."));
        openssl(&["crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem"], &site.path("."));
        text
    };
    let verify = |leaf: &str| {
        let arguments =
            ["verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", "root.pem", "-untrusted", "issuing.pem"];
        let mut openssl = Command::new("openssl");
        openssl.args(arguments).arg(leaf).current_dir(site.path("."));
        String::from_utf8(openssl.output().unwrap().stderr).unwrap()
    };
    assert!(fetch().await.contains("No Revoked Certificates"));
    assert_eq!(verify("bad.pem"), "");

    assert!(site.requests(&["revoke", &bad.to_string(), "--reason", "key-compromise"]).status.success());
    let text = fetch().await;
    assert!(text.contains("Key Compromise"), "{text}");
    assert!(verify("bad.pem").contains("certificate revoked"));
    assert_eq!(verify("good.pem"), "");

    assert!(site.requests(&["revoke", &good.to_string(), "--reason", "unspecified"]).status.success());
    fetch().await;
    assert!(verify("good.pem").contains("certificate revoked"));
}

/// The number of a CRL that `openssl crl` has described.
fn number(text: &str) -> u64 {
    let (_, rest) = text.split_once("X509v3 CRL Number:").unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

/// The CRL in the database, described by openssl, once it is there; with the CA's certificates in ca.pem.
async fn kept_crl(site: &Site, ca: &[u8]) -> String {
    let issuer = crls::issuer_of(&Certificate::from_der(ca).unwrap());
    let database = site.database().await;
    let mut kept = None;
    eventually(async || {
        kept = crls::find(database.reader(), &issuer).await.unwrap();
        kept.is_some()
    })
    .await;
    database.close().await;
    fs::write(site.path("kept.crl"), kept.unwrap().crl).unwrap();
    openssl(&["crl", "-inform", "der", "-in", "kept.crl", "-noout", "-text", "-out", "kept.txt"], &site.path(""));
    openssl(&["crl", "-inform", "der", "-in", "kept.crl", "-out", "crl.pem"], &site.path(""));
    fs::read_to_string(site.path("kept.txt")).unwrap()
}

#[tokio::test]
async fn a_crl_is_renewed_before_it_ends_without_anybody_asking() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    fs::write(site.path("user.der"), gateway.issued(id).await).unwrap();
    assert!(site.requests(&["revoke", &id.to_string(), "--reason", "key-compromise"]).status.success());
    let issuing = gateway.get("/pki/issuing.cer").await.bytes().await.unwrap();
    let root = gateway.get("/pki/root.cer").await.bytes().await.unwrap();
    let chain = [&root, &issuing].map(|der| pem::encode(pem::CERTIFICATE, der).unwrap()).concat();
    fs::write(site.path("ca.pem"), chain).unwrap();
    openssl(&["x509", "-inform", "der", "-in", "user.der", "-out", "user.pem"], &site.path(""));
    // Nobody fetches it from here on.
    gateway.get("/pki/issuing.crl").await;
    drop(gateway);
    let before = number(&kept_crl(&site, &issuing).await);

    // A day later.
    site.execute("UPDATE crls SET this_update = this_update - 90000").await;
    let gateway = site.start(&[]);
    let mut text = String::new();
    eventually(async || {
        text = kept_crl(&site, &issuing).await;
        number(&text) > before
    })
    .await;
    assert_eq!(number(&text), before + 1);
    assert!(text.contains("Key Compromise"), "{text}");
    let verify = Command::new("openssl")
        .args(["verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", "ca.pem", "user.pem"])
        .current_dir(site.path(""))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&verify.stderr).contains("certificate revoked"), "{verify:?}");
    drop(gateway);
}

#[tokio::test]
async fn a_crl_from_a_time_when_the_clock_was_ahead_is_replaced() {
    let site = Site::new();
    let ahead = site.start_later(30 * DAY, &[]);
    let describe = async |gateway: &Gateway| {
        fs::write(site.path("now.crl"), gateway.get("/pki/issuing.crl").await.bytes().await.unwrap()).unwrap();
        openssl(&["crl", "-inform", "der", "-in", "now.crl", "-noout", "-text"], &site.path(""))
    };
    let before = number(&describe(&ahead).await);
    drop(ahead);
    let gateway = site.start(&[]);
    assert_eq!(number(&describe(&gateway).await), before + 1);
    openssl(&["crl", "-inform", "der", "-in", "now.crl", "-out", "now.pem"], &site.path(""));
    // OpenSSL looks at thisUpdate: what it verifies is valid now.
    let authority = |name: &str| site.data().join(format!("ca/{name}-certificate.pem"));
    fs::copy(authority("root"), site.path("root.pem")).unwrap();
    fs::copy(authority("issuing"), site.path("issuing.pem")).unwrap();
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    fs::write(site.path("leaf.pem"), pem::encode(pem::CERTIFICATE, &gateway.issued(id).await).unwrap()).unwrap();
    let verify =
        ["verify", "-crl_check", "-CRLfile", "now.pem", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"];
    openssl(&verify, &site.path(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_sign_no_two_crls_with_one_number() {
    let one = Site::on_postgresql().issuing_at_once();
    let two = one.another_machine();
    let gateways = [one.start(&[]), two.start(&[])];
    let mut crls = HashMap::new();
    for round in 0..10 {
        let id = gateways[0].submit_good(&good_request(&format!("User {round}"))).await;
        gateways[0].issued(id).await;
        assert!(one.requests(&["revoke", &id.to_string(), "--reason", "superseded"]).status.success());
        let [a, b] = &gateways;
        let fetch = async |gateway: &Gateway| gateway.get("/pki/issuing.crl").await.bytes().await.unwrap();
        let (a, b) = tokio::join!(fetch(a), fetch(b));
        for crl in [a, b] {
            fs::write(one.path("one.crl"), &crl).unwrap();
            let text = openssl(&["crl", "-inform", "der", "-in", "one.crl", "-noout", "-text"], &one.path(""));
            assert_eq!(text.matches("Serial Number").count(), round + 1, "{text}");
            assert_eq!(crls.entry(number(&text)).or_insert(crl.clone()), &crl, "two CRLs with one number");
        }
    }
}

#[tokio::test]
async fn many_who_ask_for_what_is_not_there_stop_nothing() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let ids: Vec<TransactionId> = (0..24).map(|_| TransactionId::random(&mut rand::rng())).collect();
    let asking: Vec<_> = ids
        .into_iter()
        .map(|id| {
            let asking =
                gateway.request(Method::POST, &revocation_path(&id)).header("Content-Type", "application/json");
            tokio::spawn(asking.body(r#"{"reason":"superseded"}"#).send())
        })
        .collect();
    for asked in asking {
        let answer = asked.await.unwrap().unwrap();
        assert_eq!(problem(answer).await.kind, ProblemKind::UnknownTransactionId);
    }
}
