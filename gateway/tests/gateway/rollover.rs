//! Another issuing CA in the place of the one before, and the root's CRL.

use std::fs;
use std::process::Output;

use keyside_core::api::{CA_PATH, CaCertificates, ConnectionVerdict, ProblemKind, RequestStatus, certificate_path};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_pki::certificate::Certificate;
use reqwest::Method;

use crate::connection_check::verdict_on;
use crate::harness::{Gateway, Site, certification_request, email, good_request, openssl, problem, subject};
use crate::keys::{key_of, key_pair_of};
use crate::renewal::{renew, sign};

const NEXT_NAME: &str = "ca.issuing_subject = 'CN=Keyside Demo Issuing CA 2,O=Example Grid Operator,C=US'";

/// A site that issues at once, and whose certificates can be renewed from their first day on.
fn on(site: Site) -> Site {
    site.issuing_at_once().configure_types(&["participants"], "validity_days = 60\nrenewal.window_days = 60")
}

fn ca(site: &Site, arguments: &[&str]) -> Output {
    let file = site.path("keyside.toml").display().to_string();
    site.run("ca", &[arguments, &["--config", &file]].concat())
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn fault(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

async fn issued(gateway: &Gateway, name: &str) -> (TransactionId, Certificate) {
    let id = gateway.submit_good(&good_request(name)).await;
    (id, Certificate::from_der(&gateway.issued(id).await).unwrap())
}

/// Keeps what is at `path` in the file `name`.
async fn keep(site: &Site, gateway: &Gateway, path: &str, name: &str) {
    let answer = gateway.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    fs::write(site.path(name), answer.bytes().await.unwrap()).unwrap();
}

/// The serial numbers on a CRL, in lowercase hexadecimal, and its number.
async fn crl(site: &Site, gateway: &Gateway, path: &str) -> (Vec<String>, String) {
    keep(site, gateway, path, "now.crl").await;
    let text = openssl(&["crl", "-inform", "DER", "-in", "now.crl", "-noout", "-text"], &site.path(""));
    let listed = text.lines().filter_map(|line| line.trim().strip_prefix("Serial Number: ")).map(str::to_lowercase);
    (listed.collect(), text)
}

fn revoke(site: &Site, id: TransactionId) {
    good(&site.requests(&["revoke", &id.to_string(), "--reason", "superseded"]));
}

/// A renewal of Bea's certificate.
async fn renew_bea(gateway: &Gateway, current: &Certificate) -> reqwest::Response {
    let request = certification_request(&key_of("Bea again"), subject("Bea Example"), vec![email("ada@example.com")]);
    renew(gateway, sign(&request, current, &key_pair_of("Bea Example"))).await
}

#[tokio::test]
async fn it_issues_and_the_one_before_goes_on_with_its_crl() {
    let site = on(Site::new());
    let gateway = site.start(&[]);
    let (ada, ada_certificate) = issued(&gateway, "Ada Example").await;
    let (bea, bea_certificate) = issued(&gateway, "Bea Example").await;
    revoke(&site, ada);
    let said = fault(&ca(&site, &["rollover"]));
    assert!(said.contains("stop it first"), "{said}");
    drop(gateway);
    let said = fault(&ca(&site, &["rollover"]));
    assert!(said.contains("ca.issuing_subject is still “CN=Keyside Demo Issuing CA,"), "{said}");
    let site = site.configure(NEXT_NAME);
    let said = good(&ca(&site, &["rollover"]));
    assert!(said.contains("Keyside Demo Issuing CA 2"), "{said}");
    fault(&ca(&site, &["rollover"]));

    let gateway = site.start_with_check();
    let (cleo, cleo_certificate) = issued(&gateway, "Cleo Example").await;
    assert!(cleo_certificate.issuer().to_string().contains("Keyside Demo Issuing CA 2"));
    revoke(&site, cleo);
    let serial = |certificate: &Certificate| hexadecimal(certificate.serial_number());
    assert_eq!(crl(&site, &gateway, "/pki/issuing.crl").await.0, [serial(&ada_certificate)]);
    assert_eq!(crl(&site, &gateway, "/pki/issuing-2.crl").await.0, [serial(&cleo_certificate)]);
    assert_eq!(gateway.get("/pki/issuing-3.crl").await.status(), 404);

    // A file has the chain of its own certificate, and OpenSSL finds no fault with it and the CRL that it names.
    let (dan, _) = issued(&gateway, "Dan Example").await;
    keep(&site, &gateway, "/pki/root.cer", "root.der").await;
    openssl(&["x509", "-inform", "DER", "-in", "root.der", "-out", "root.pem"], &site.path(""));
    for (id, slug) in [(bea, "issuing"), (dan, "issuing-2")] {
        let request =
            gateway.request(Method::GET, &certificate_path(&id)).header("accept", "application/pem-certificate-chain");
        fs::write(site.path("chain.pem"), request.send().await.unwrap().bytes().await.unwrap()).unwrap();
        assert_eq!(fs::read_to_string(site.path("chain.pem")).unwrap().matches("BEGIN CERTIFICATE").count(), 2);
        let text = openssl(&["x509", "-in", "chain.pem", "-noout", "-text"], &site.path(""));
        assert!(text.contains(&format!("/pki/{slug}.crl")) && text.contains(&format!("/pki/{slug}.cer")), "{text}");
        keep(&site, &gateway, &format!("/pki/{slug}.crl"), "its.crl").await;
        openssl(&["crl", "-inform", "DER", "-in", "its.crl", "-out", "its.pem"], &site.path(""));
        let checked = [
            "verify",
            "-crl_check",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "chain.pem",
            "-CRLfile",
            "its.pem",
            "chain.pem",
        ];
        openssl(&checked, &site.path(""));
    }
    let known: CaCertificates = gateway.get(CA_PATH).await.json().await.unwrap();
    assert_eq!((known.trust_anchors.len(), known.intermediates.len()), (1, 2));

    // Certificates of the one before work, and are renewed by the new one.
    assert_eq!(verdict_on(&site, &gateway, bea_certificate.der()).await, ConnectionVerdict::Works);
    let renewed: RequestStatus = renew_bea(&gateway, &bea_certificate).await.json().await.unwrap();
    let renewed = Certificate::from_der(&gateway.issued(renewed.transaction_id).await).unwrap();
    assert_eq!(renewed.issuer(), cleo_certificate.issuer());
    // It can be renewed as the first one, and the root's certificate with it.
    drop(gateway);
    good(&ca(&site, &["renew"]));
    let gateway = site.start(&[]);
    assert_eq!(issued(&gateway, "Eve Example").await.1.issuer(), cleo_certificate.issuer());
}

#[tokio::test]
async fn a_former_issuing_ca_is_revoked_by_the_root_for_good() {
    let site = on(Site::on_sqlite());
    let gateway = site.start(&[]);
    let (_, bea_certificate) = issued(&gateway, "Bea Example").await;
    keep(&site, &gateway, "/pki/issuing.cer", "first.der").await;
    drop(gateway);
    let site = site.configure(NEXT_NAME);
    good(&ca(&site, &["rollover"]));
    let backup = site.path("backup.sqlite").display().to_string();
    good(&site.run("backup", &[&backup]));

    let gateway = site.start_with_check();
    let (_, dan_certificate) = issued(&gateway, "Dan Example").await;
    assert_eq!(crl(&site, &gateway, "/pki/root.crl").await.0.len(), 0);
    let second = Certificate::from_der(&gateway.get("/pki/issuing-2.cer").await.bytes().await.unwrap()).unwrap();
    let first = Certificate::from_der(&fs::read(site.path("first.der")).unwrap()).unwrap();
    let revoke = |certificate: &Certificate| {
        ca(&site, &["revoke", &hexadecimal(certificate.serial_number()), "--reason", "key-compromise"])
    };
    assert!(fault(&revoke(&second)).contains("ca rollover"));
    assert!(fault(&revoke(&dan_certificate)).contains("no issuing CA here"));
    good(&revoke(&first));
    let (listed, text) = crl(&site, &gateway, "/pki/root.crl").await;
    assert_eq!(listed, [hexadecimal(first.serial_number())]);
    assert!(text.contains("CA Compromise"), "{text}");
    // A second time is no other one.
    good(&revoke(&first));

    assert_eq!(verdict_on(&site, &gateway, bea_certificate.der()).await, ConnectionVerdict::Revoked);
    assert_eq!(verdict_on(&site, &gateway, dan_certificate.der()).await, ConnectionVerdict::Works);
    let refused = problem(renew_bea(&gateway, &bea_certificate).await).await;
    assert_eq!(refused.kind, ProblemKind::CertificateNotAccepted);
    assert!(refused.detail.contains("was revoked"), "{}", refused.detail);
    let log = good(&site.run("audit", &["export"]));
    assert_eq!(log.matches("\"CA revoked\"").count(), 1, "{log}");
    drop(gateway);

    // A restore of an older database does not bring it back.
    good(&site.run("restore", &[&backup]));
    let gateway = site.start(&[]);
    assert_eq!(crl(&site, &gateway, "/pki/root.crl").await.0, [hexadecimal(first.serial_number())]);
    let (_, eve_certificate) = issued(&gateway, "Eve Example").await;
    assert_eq!(eve_certificate.issuer(), dan_certificate.issuer());
}
