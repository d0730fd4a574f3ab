//! Keys of earlier certificates: one that a stranger may have is refused, another holder's too, and one's own earlier ones where the type
//! says so.

use keyside_core::api::revocation_path;
use keyside_core::api::{Base64Bytes, NewRequest, ProblemKind, RequestState, RequestStatus};
use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::ra::decision::{self, DecisionError};
use keyside_gateway::ra::known_keys::KeyFault;
use keyside_gateway::store::audit_actions::Actor;
use keyside_gateway::store::requests::{self, State};
use keyside_pki::certificate::Certificate;
use keyside_pki::element::{BIT_STRING, Elements, SEQUENCE, element};
use reqwest::Method;
use rsa::signature::{SignatureEncoding, Signer};
use x509_cert::name::Name;

use crate::harness::{Gateway, Site, certification_request, email, eventually, problem, subject};
use crate::keys::{key_of, key_pair_of};
use crate::renewal::{renew, sign};

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@example.com";

/// A certification request for the key that is called `key`.
fn request(key: &str, name: &str, address: &str) -> Vec<u8> {
    certification_request(&key_of(key), subject(name), vec![email(address)])
}

/// The same without the parameters of the key's algorithm, which are NULL and may be absent.
fn without_parameters(request: &[u8], key: &str) -> Vec<u8> {
    let mut whole = Elements::within(SEQUENCE, request).unwrap();
    let mut information = whole.next_sequence().unwrap();
    let algorithm = whole.next_whole().unwrap();
    let mut next = || information.next_element().unwrap();
    let [version, subject, public_key, attributes] = [next(), next(), next(), next()];
    let mut public_key = Elements::of(public_key.contents);
    let oid = public_key.next_sequence().unwrap().next_whole().unwrap();
    let public_key = element(SEQUENCE, &[&element(SEQUENCE, &[oid]), public_key.next_whole().unwrap()]);
    let information = element(SEQUENCE, &[version.whole, subject.whole, &public_key, attributes.whole]);
    let signature = key_of(key).sign(&information).to_vec();
    element(SEQUENCE, &[&information, algorithm, &element(BIT_STRING, &[&[0], &signature])])
}

async fn refused(response: reqwest::Response, kind: ProblemKind) {
    let refusal = problem(response).await;
    assert_eq!(refusal.kind, kind, "{}", refusal.detail);
    assert!(refusal.detail.to_lowercase().contains("make a new"), "it says what to do: {}", refusal.detail);
}

async fn submit_as_device(gateway: &Gateway, der: Vec<u8>, name: &str, address: &str) -> reqwest::Response {
    let new = NewRequest {
        certificate_type: "devices".into(),
        certification_request: Base64Bytes(der).into(),
        replaces: None,
        authorization_code: None,
        device: Some(Device {
            kind: DeviceKind::Rig,
            name: name.into(),
            file_format: FileFormat::Pem,
            email_address: address.into(),
        }),
    };
    gateway.post(serde_json::to_string(&new).unwrap()).await
}

fn approve(site: &Site, id: TransactionId) -> String {
    let approved = site.requests(&["approve", &id.to_string()]);
    if approved.status.success() { String::new() } else { String::from_utf8(approved.stderr).unwrap() }
}

#[tokio::test]
async fn a_compromised_key_is_refused_for_good_and_for_everybody() {
    // Where the same key is allowed again, this one is not.
    let site = Site::new().issuing_at_once().configure_types(&["participants"], "renewal.same_key = true");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&request("stolen", "Ada Example", ADA)).await;
    gateway.issued(id).await;
    let refuse = async |kind| {
        let again = request("stolen", "Ada Example", "Ada@example.com");
        refused(gateway.submit(&without_parameters(&again, "stolen")).await, kind).await;
        refused(gateway.submit(&again).await, kind).await;
        refused(gateway.submit(&request("stolen", "Eve Example", EVE)).await, kind).await;
        let device = certification_request(&key_of("stolen"), subject_of_device("rig-1"), vec![]);
        refused(submit_as_device(&gateway, device, "rig-1", EVE).await, kind).await;
    };
    // From the report on, and when it was revoked.
    let ask = gateway.request(Method::POST, &revocation_path(&id)).header("content-type", "application/json");
    let asked = ask.body(r#"{"reason": "key-compromise"}"#).send().await.unwrap();
    assert_eq!(asked.status(), 202);
    refuse(ProblemKind::KeyCompromised).await;
    assert!(site.requests(&["revoke", &id.to_string(), "--reason", "key-compromise"]).status.success());
    refuse(ProblemKind::KeyCompromised).await;
    drop(gateway);
    // Long after the certificate has ended.
    let gateway = site.start_later(1000 * 24 * 60 * 60, &[]);
    refused(gateway.submit(&request("stolen", "Eve Example", EVE)).await, ProblemKind::KeyCompromised).await;
    assert_eq!(site.all_requests().await.len(), 1, "no refusal leaves a row");
}

fn subject_of_device(name: &str) -> Name {
    format!("CN={name},OU=Devices,O=Example Grid Operator,C=US").parse().unwrap()
}

#[tokio::test]
async fn a_key_that_was_revoked_for_another_reason_is_its_holder_s_still() {
    let site = Site::new().issuing_at_once().configure_types(&["participants"], "renewal.same_key = true");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&request("moved", "Ada Example", ADA)).await;
    gateway.issued(id).await;
    assert!(site.requests(&["revoke", &id.to_string(), "--reason", "affiliation-changed"]).status.success());
    let again = gateway.submit_good(&request("moved", "ADA EXAMPLE", "ADA@example.com")).await;
    gateway.issued(again).await;
    refused(gateway.submit(&request("moved", "Eve Example", EVE)).await, ProblemKind::KeyOfAnother).await;
}

#[tokio::test]
async fn another_holder_s_key_is_refused() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    gateway.issued(gateway.submit_good(&request("ada", "Ada Example", ADA)).await).await;
    for (name, address) in [("Eve Example", EVE), ("Ada Example", EVE), ("Eve Example", ADA)] {
        let request = request("ada", name, address);
        refused(gateway.submit(&without_parameters(&request, "ada")).await, ProblemKind::KeyOfAnother).await;
        refused(gateway.submit(&request).await, ProblemKind::KeyOfAnother).await;
    }
    let of = |key: &str, name: &str| certification_request(&key_of(key), subject_of_device(name), vec![]);
    let device = submit_as_device(&gateway, of("ada", "Ada Example"), "Ada Example", ADA).await;
    refused(device, ProblemKind::KeyOfAnother).await;

    // A device is the same with another person to write to, which a person looks at; that is no way to another device.
    let response = submit_as_device(&gateway, of("rig", "rig-1"), "rig-1", ADA).await;
    gateway.issued(response.json::<RequestStatus>().await.unwrap().transaction_id).await;
    let other = submit_as_device(&gateway, of("rig", "rig-2"), "rig-2", ADA).await;
    refused(other, ProblemKind::KeyOfAnother).await;
    let same = without_parameters(&of("rig", "rig-1"), "rig");
    let response = submit_as_device(&gateway, same, "rig-1", EVE).await;
    assert_eq!(response.status(), 202, "{:?}", response.text().await);
}

#[tokio::test]
async fn an_earlier_key_is_refused_where_the_type_wants_new_ones() {
    let renewable = "validity_days = 60\nrenewal.window_days = 60";
    for same_key in [false, true] {
        let site = Site::new().issuing_at_once().configure_types(&["participants"], renewable);
        let site = site.configure_types(&["participants"], &format!("renewal.same_key = {same_key}"));
        let gateway = site.start(&[]);
        let next = async |response: reqwest::Response| {
            assert_eq!(response.status(), 201, "{:?}", response.text().await);
            let id = response.json::<RequestStatus>().await.unwrap().transaction_id;
            Certificate::from_der(&gateway.issued(id).await).unwrap()
        };
        let [k3, k4] = [request("K3", "Ada Example", ADA), request("K4", "Ada Example", ADA)];
        let first = next(gateway.submit(&k3).await).await;
        let second = next(renew(&gateway, sign(&k4, &first, &key_pair_of("K3"))).await).await;
        let third = renew(&gateway, sign(&k3, &second, &key_pair_of("K4"))).await;
        let registered = gateway.submit(&request("K3", "Ada Example", "Ada@example.com")).await;
        if same_key {
            next(third).await;
            next(registered).await;
        } else {
            refused(third, ProblemKind::KeyReuseNotAllowed).await;
            refused(registered, ProblemKind::KeyReuseNotAllowed).await;
        }
    }
}

#[tokio::test]
async fn of_two_requests_for_one_key_that_wait_one_is_approved() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let ada = gateway.submit_good(&request("shared", "Ada Example", ADA)).await;
    let eve = gateway.submit_good(&request("shared", "Eve Example", EVE)).await;
    assert_eq!(approve(&site, ada), "");
    let said = approve(&site, eve);
    assert!(said.contains("another person or device") && said.contains("reject it"), "{said}");
    gateway.issued(ada).await;
    assert_eq!(gateway.state(eve).await, RequestState::Pending);

    // A report that comes while a request waits counts too.
    let again = gateway.submit_good(&request("other", "Ada Example", ADA)).await;
    let waiting = gateway.submit_good(&request("other", "Ada Example", "Ada@example.com")).await;
    assert_eq!(approve(&site, again), "");
    gateway.issued(again).await;
    assert!(site.requests(&["revoke", &again.to_string(), "--reason", "key-compromise"]).status.success());
    let said = approve(&site, waiting);
    assert!(said.contains("compromised"), "{said}");
}

#[tokio::test]
async fn what_is_approved_by_itself_waits_for_a_person_then() {
    let site = Site::new().configure("approval.after_seconds = 3600");
    let gateway = site.start(&[]);
    let ada = gateway.submit_good(&request("early", "Ada Example", ADA)).await;
    let eve = gateway.submit_good(&request("early", "Eve Example", EVE)).await;
    assert_eq!(approve(&site, ada), "");
    gateway.issued(ada).await;
    site.execute("UPDATE requests SET approve_at = submitted_at WHERE state = 'pending'").await;
    eventually(async || {
        site.all_requests().await.iter().any(|request| request.transaction_id == eve && request.approve_at.is_none())
    })
    .await;
    assert_eq!(gateway.state(eve).await, RequestState::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_approve_at_once_do_not_both_certify() {
    const ROUNDS: usize = 10;
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let [one, other] = [site.database().await, site.database().await];
    let submit =
        async |key: String, name: String, address: &str| gateway.submit_good(&request(&key, &name, address)).await;
    for round in 0..ROUNDS {
        let name = |who: &str| format!("{who} Example {round}");
        let first = submit(format!("raced {round}"), name("Ada"), ADA).await;
        let second = submit(format!("raced {round}"), name("Eve"), EVE).await;
        let outcomes = tokio::join!(
            decision::approve(&one, first, None, Actor::CommandLine),
            decision::approve(&other, second, None, Actor::CommandLine)
        );
        assert!(
            matches!(
                outcomes,
                (Ok(()), Err(DecisionError::Key(_, KeyFault::OfAnother)))
                    | (Err(DecisionError::Key(_, KeyFault::OfAnother)), Ok(()))
            ),
            "{outcomes:?}"
        );
        // The same with two people of one name.
        let first = submit(format!("one {round}"), name("Cleo"), ADA).await;
        let second = submit(format!("other {round}"), name("Cleo"), EVE).await;
        site.execute("UPDATE requests SET approve_at = submitted_at WHERE state = 'pending'").await;
        let outcomes = tokio::join!(
            decision::approve_by_policy(&one, first, |_| true),
            decision::approve_by_policy(&other, second, |_| true)
        );
        assert!(
            matches!(outcomes, (Ok(()), Err(DecisionError::Namesake(..))) | (Err(DecisionError::Namesake(..)), Ok(()))),
            "{outcomes:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_due_any_more_is_not_approved_without_a_person() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let is_approved = async |id, admits: bool| {
        decision::approve_by_policy(&database, id, |_| admits).await.unwrap();
        requests::find(database.reader(), id).await.unwrap().unwrap().state != State::Pending
    };
    let id = gateway.submit_good(&request("one", "Ada Example", ADA)).await;
    // It waits for a person: an authorisation was withdrawn, or there never was one.
    assert!(!is_approved(id, true).await);
    site.execute("UPDATE requests SET approve_at = submitted_at").await;
    // It is of another type by now.
    assert!(!is_approved(id, false).await);
    assert!(is_approved(id, true).await);
    gateway.issued(id).await;
    // The holder has asked for the revocation of the certificate that is renewed.
    let renewal = gateway.submit_good(&request("two", "Ada Example", ADA)).await;
    site.execute(&format!(
        "UPDATE requests SET approve_at = submitted_at, renews = (SELECT serial_number FROM requests WHERE transaction_id = '{id}') \
         WHERE transaction_id = '{renewal}'"
    ))
    .await;
    site.execute(&format!(
        "UPDATE requests SET revocation_requested_at = 1, revocation_requested_reason = 'key-compromise' WHERE transaction_id = '{id}'"
    ))
    .await;
    assert!(!is_approved(renewal, true).await);
    database.close().await;
}
