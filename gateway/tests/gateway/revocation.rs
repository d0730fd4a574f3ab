//! Revocation: asked for by whoever has the transaction ID, decided by an officer, told by the CRL.

use std::fs;
use std::process::Command;

use keyside::api::{CA_PATH, CaCertificates, ProblemKind, RequestStatus, Revocation, request_path, revocation_path};
use keyside::domain::revocation::{RevocationReason, RevocationState};
use keyside::domain::transaction_id::TransactionId;
use keyside::pki::pem;
use reqwest::Method;

use crate::harness::{Gateway, Site, good_request, openssl, problem};

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
