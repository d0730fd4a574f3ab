//! Renewals: asked for by the holder of the current certificate, inside the window, for the same names.

use std::fs;
use std::sync::OnceLock;

use keyside_core::api::{
    CONFIGURATION_PATH, Configuration, PKCS7_CMC_REQUEST, ProblemKind, REQUESTS_PATH, RequestStatus, revocation_path,
};
use keyside_core::domain::key_size::KeySize;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_core::key_generation;
use keyside_gateway::clock;
use keyside_pki::certificate::Certificate;
use keyside_pki::full_pki_request;
use keyside_pki::key_pair::KeyPair;
use keyside_pki::pem;
use reqwest::Method;
use x509_cert::name::Name;

use crate::harness::{Gateway, Site, certification_request, email, openssl, problem, subject, submission};

const ADDRESS: &str = "ada@example.com";

/// The example's certificate types with renewal.
const RENEWABLE: [&str; 2] = ["employees", "participants"];

/// The keys of the current certificate and of the new one, the same for a whole run.
fn keys() -> &'static (KeyPair, KeyPair) {
    static KEYS: OnceLock<(KeyPair, KeyPair)> = OnceLock::new();
    let make = || key_generation::generate(KeySize::Rsa2048, &mut rand::rng()).unwrap();
    KEYS.get_or_init(|| (make(), make()))
}

/// A site whose certificates can be renewed from their first day on.
fn site() -> Site {
    Site::new().issuing_at_once().configure_types(&RENEWABLE, "validity_days = 60\nrenewal.window_days = 60")
}

fn request(key: &KeyPair, subject: Name, address: &str) -> Vec<u8> {
    certification_request(&key.signing_key(), subject, vec![email(address)])
}

/// A renewal: a full PKI request that the key of `certificate` has signed.
pub(crate) fn sign(request: &[u8], certificate: &Certificate, key: &KeyPair) -> Vec<u8> {
    full_pki_request::build(request, certificate.der(), key, &mut rand::rng()).unwrap()
}

pub(crate) async fn renew(gateway: &Gateway, body: Vec<u8>) -> reqwest::Response {
    gateway
        .request(Method::POST, REQUESTS_PATH)
        .header("content-type", PKCS7_CMC_REQUEST)
        .body(body)
        .send()
        .await
        .unwrap()
}

/// A certificate of the first key, issued by this gateway.
async fn current(gateway: &Gateway) -> (TransactionId, Certificate) {
    let id = gateway.submit_good(&request(&keys().0, subject("Ada Example"), ADDRESS)).await;
    (id, Certificate::from_der(&gateway.issued(id).await).unwrap())
}

#[tokio::test]
async fn the_holder_of_a_certificate_gets_the_next_one() {
    let site = site();
    let gateway = site.start(&[]);
    let (old_id, old) = current(&gateway).await;
    let renewal = sign(&request(&keys().1, subject("Ada Example"), ADDRESS), &old, &keys().0);
    let response = renew(&gateway, renewal.clone()).await;
    assert_eq!(response.status(), 201, "{:?}", response.text().await);
    let first: RequestStatus = response.json().await.unwrap();
    assert_ne!(first.transaction_id, old_id);
    let new = Certificate::from_der(&gateway.issued(first.transaction_id).await).unwrap();
    assert_eq!(new.subject(), old.subject());
    assert_ne!(new.serial_number(), old.serial_number());
    assert_eq!(new.subject_public_key_info(), keys().1.to_subject_public_key_info().unwrap());

    // Sent again, and signed again: the signature is another one, the renewal is the same.
    for again in [renewal, sign(&request(&keys().1, subject("Ada Example"), ADDRESS), &old, &keys().0)] {
        let again = renew(&gateway, again).await;
        assert_eq!(again.status(), 200);
        assert_eq!(again.json::<RequestStatus>().await.unwrap(), first);
    }

    let list = String::from_utf8(site.requests(&["list"]).stdout).unwrap();
    let line = list.lines().find(|line| line.contains(&first.transaction_id.to_string())).unwrap();
    assert!(line.contains(&old.summary().serial_number), "{list}");
    let configuration: Configuration = gateway.get(CONFIGURATION_PATH).await.json().await.unwrap();
    assert_eq!(configuration.certificate_types[1].renewal.map(|policy| policy.window_days), Some(60));
}

#[tokio::test]
async fn a_renewal_made_by_openssl_is_taken() {
    let site = site();
    let gateway = site.start(&[]);
    let (_, old) = current(&gateway).await;
    let ours = sign(&request(&keys().1, subject("Ada Example"), ADDRESS), &old, &keys().0);
    let file = |name: &str, contents: &[u8]| fs::write(site.path(name), contents).unwrap();
    file("ours.der", &ours);
    file("old.pem", pem::encode(pem::CERTIFICATE, old.der()).unwrap().as_bytes());
    file("old.key", &keys().0.to_private_key_info().unwrap());
    let run = |arguments: &str| openssl(&arguments.split(' ').collect::<Vec<_>>(), &site.path("."));
    // OpenSSL verifies our signature, and signs what it has found inside.
    run("cms -verify -inform DER -in ours.der -noverify -out content.der");
    run(
        "cms -sign -binary -nodetach -econtent_type 1.3.6.1.5.5.7.12.2 -in content.der -signer old.pem -inkey old.key \
         -keyform DER -md sha384 -outform DER -out theirs.der",
    );
    let response = renew(&gateway, fs::read(site.path("theirs.der")).unwrap()).await;
    assert_eq!(response.status(), 201, "{:?}", response.text().await);
}

#[tokio::test]
async fn what_is_not_a_renewal_is_refused() {
    let site = site();
    let gateway = site.start(&[]);
    let (old_key, new_key) = keys();
    let (old_id, old) = current(&gateway).await;
    let good = request(new_key, subject("Ada Example"), ADDRESS);
    let stranger = {
        fs::write(site.path("stranger.key"), &*old_key.to_private_key_info().unwrap()).unwrap();
        let subject = "/C=US/O=Example Grid Operator/OU=Participants & External Users/CN=Ada Example";
        let arguments = "req -x509 -new -days 30 -keyform DER -key stranger.key -outform DER -out stranger.der -subj";
        openssl(&arguments.split(' ').chain([subject]).collect::<Vec<_>>(), &site.path("."));
        Certificate::from_der(&fs::read(site.path("stranger.der")).unwrap()).unwrap()
    };
    let mut changed = sign(&good, &old, old_key);
    *changed.last_mut().unwrap() ^= 1;
    let bad_request = {
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        bad
    };
    for (case, body, kind, detail) in [
        ("empty", vec![], ProblemKind::RenewalMalformed, "DER"),
        ("a bare request", good.clone(), ProblemKind::RenewalMalformed, "DER"),
        ("a certificate", old.der().to_vec(), ProblemKind::RenewalMalformed, "DER"),
        ("cut off", changed[..changed.len() - 1].to_vec(), ProblemKind::RenewalMalformed, "DER"),
        ("changed", changed, ProblemKind::RenewalSignatureInvalid, "private key"),
        ("signed by another key", sign(&good, &old, new_key), ProblemKind::RenewalSignatureInvalid, "private key"),
        ("a stranger's", sign(&good, &stranger, old_key), ProblemKind::CertificateNotAccepted, "not issued here"),
        (
            "for another name",
            sign(&request(new_key, subject("Eve Example"), ADDRESS), &old, old_key),
            ProblemKind::SubjectNotAllowed,
            "Ada Example",
        ),
        (
            "for another address",
            sign(&request(new_key, subject("Ada Example"), "eve@example.com"), &old, old_key),
            ProblemKind::EmailAddressNotAllowed,
            ADDRESS,
        ),
        (
            "for the same key",
            sign(&request(old_key, subject("Ada Example"), ADDRESS), &old, old_key),
            ProblemKind::KeyReuseNotAllowed,
            "make a new one",
        ),
        ("a bad request inside", sign(&bad_request, &old, old_key), ProblemKind::SignatureInvalid, "signature"),
    ] {
        let refusal = problem(renew(&gateway, body).await).await;
        assert_eq!(refusal.kind, kind, "{case}: {}", refusal.detail);
        assert!(refusal.detail.contains(detail), "{case}: {}", refusal.detail);
    }
    assert_eq!(site.all_requests().await.len(), 1, "no refusal leaves a row");

    let revoked = site.requests(&["revoke", &old_id.to_string(), "--reason", "superseded"]);
    assert!(revoked.status.success(), "{revoked:?}");
    let refusal = problem(renew(&gateway, sign(&good, &old, old_key)).await).await;
    assert_eq!(refusal.kind, ProblemKind::CertificateRevoked);
}

#[tokio::test]
async fn a_renewal_waits_for_a_person_once_a_revocation_is_asked_for_and_ends_with_it() {
    let site = site();
    let gateway = site.start(&[]);
    let (old_id, old) = current(&gateway).await;
    let body = r#"{"reason": "key-compromise"}"#;
    let ask = gateway.request(Method::POST, &revocation_path(&old_id)).header("content-type", "application/json");
    assert_eq!(ask.body(body).send().await.unwrap().status(), 202);
    let response = renew(&gateway, sign(&request(&keys().1, subject("Ada Example"), ADDRESS), &old, &keys().0)).await;
    assert_eq!(response.status(), 202, "it does not approve itself");
    let renewal = response.json::<RequestStatus>().await.unwrap().transaction_id;

    let alone = ["--reason", "key-compromise", "--extent", "certificate"];
    let revoked = site.requests(&[&["revoke", &old_id.to_string()][..], &alone].concat());
    assert!(String::from_utf8_lossy(&revoked.stderr).contains(&renewal.to_string()), "{revoked:?}");
    let approved = site.requests(&["approve", &renewal.to_string()]);
    assert!(!approved.status.success());
    assert!(String::from_utf8_lossy(&approved.stderr).contains("was revoked"), "{approved:?}");
    assert!(site.requests(&["reject", &renewal.to_string(), "--reason", "revoked"]).status.success());
}

#[tokio::test]
async fn a_renewal_that_was_taken_is_known_when_the_certificate_has_ended() {
    let site = site();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&request(&keys().0, subject("Ada Example"), ADDRESS)).await;
    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    let old = Certificate::from_der(&gateway.issued(id).await).unwrap();
    let renewal = sign(&request(&keys().1, subject("Ada Example"), ADDRESS), &old, &keys().0);
    let taken: RequestStatus = renew(&gateway, renewal.clone()).await.json().await.unwrap();
    drop(gateway);
    let gateway = site.start_later(61 * clock::DAY, &["--manual-approval"]);
    let other = sign(&request(&keys().1, subject("Eve Example"), ADDRESS), &old, &keys().0);
    assert_eq!(problem(renew(&gateway, other).await).await.kind, ProblemKind::CertificateNotAccepted);
    assert_eq!(renew(&gateway, renewal).await.json::<RequestStatus>().await.unwrap(), taken);
}

#[tokio::test]
async fn the_window_and_the_validity_count() {
    let early = Site::new().issuing_at_once();
    let gateway = early.start(&[]);
    let (old_key, new_key) = keys();
    let (_, old) = current(&gateway).await;
    let renewal = || sign(&request(new_key, subject("Ada Example"), ADDRESS), &old, old_key);
    let refusal = problem(renew(&gateway, renewal()).await).await;
    assert_eq!(refusal.kind, ProblemKind::RenewalNotAllowed);
    assert!(refusal.detail.contains("last 90 days") && refusal.detail.contains("640 days"), "{}", refusal.detail);
    drop(gateway);

    let never = early.edit(|config| {
        for kind in config["certificate_types"].as_array_mut().unwrap() {
            kind.as_table_mut().unwrap().remove("renewal");
        }
    });
    let refusal = problem(renew(&never.start(&[]), renewal()).await).await;
    assert_eq!(refusal.kind, ProblemKind::RenewalNotAllowed);
    assert!(refusal.detail.contains("not renewed"), "{}", refusal.detail);

    // Approved with a validity that is over, before the gateway issues it.
    let late = site();
    let gateway = late.start(&["--manual-approval"]);
    let id = gateway.submit_good(&request(old_key, subject("Ada Example"), ADDRESS)).await;
    drop(gateway);
    assert!(late.requests(&["approve", &id.to_string()]).status.success());
    late.execute("UPDATE requests SET not_before = not_before - 864000, not_after = not_before - 60").await;
    let gateway = late.start(&[]);
    let ended = Certificate::from_der(&gateway.issued(id).await).unwrap();
    let refusal =
        problem(renew(&gateway, sign(&request(new_key, subject("Ada Example"), ADDRESS), &ended, old_key)).await).await;
    assert_eq!(refusal.kind, ProblemKind::CertificateNotAccepted);
    assert!(refusal.detail.contains("ended"), "{}", refusal.detail);
}

#[tokio::test]
async fn the_same_key_is_certified_anew_where_the_type_allows_it() {
    let site = site().configure_types(&RENEWABLE, "renewal.same_key = true");
    let gateway = site.start(&[]);
    let (old_id, old) = current(&gateway).await;
    let again = request(&keys().0, subject("Ada Example"), ADDRESS);
    let response = renew(&gateway, sign(&again, &old, &keys().0)).await;
    assert_eq!(response.status(), 201, "{:?}", response.text().await);
    let renewed = response.json::<RequestStatus>().await.unwrap().transaction_id;
    assert_ne!(renewed, old_id);
    let new = Certificate::from_der(&gateway.issued(renewed).await).unwrap();
    assert_ne!(new.serial_number(), old.serial_number());
    // The bare request is still the first transaction's.
    let first = gateway.post(submission("participants", &again)).await;
    assert_eq!(first.json::<RequestStatus>().await.unwrap().transaction_id, old_id);
}

#[tokio::test]
async fn a_certificate_that_the_gateway_has_forgotten_is_told_apart() {
    let site = site();
    let gateway = site.start(&[]);
    let (_, old) = current(&gateway).await;
    site.execute("DELETE FROM requests").await;
    let renewal = sign(&request(&keys().1, subject("Ada Example"), ADDRESS), &old, &keys().0);
    let refusal = problem(renew(&gateway, renewal).await).await;
    assert_eq!(refusal.kind, ProblemKind::CertificateNotAccepted);
    assert!(refusal.detail.contains("no record"), "{}", refusal.detail);
}
