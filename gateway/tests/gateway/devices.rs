//! Certificates for devices: what goes along with a request, what is refused, and what the certificate is good for.

use std::fs;

use der::asn1::{Ia5String, OctetString};
use der::oid::ObjectIdentifier;
use keyside_core::api::request_path;
use keyside_core::api::{
    Base64Bytes, CONFIGURATION_PATH, Configuration, NewRequest, ProblemKind, RequestState, RequestStatus,
};
use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::Certificate;
use keyside_pki::element::{BIT_STRING, CONTEXT_0, Elements, SEQUENCE, element, oid};
use keyside_pki::{general_name, pem};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding, Signer};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::console::approver;
use crate::harness::{Gateway, Site, certification_request, email, good_request, key, openssl, problem};
use crate::keys::key_of;

fn device(name: &str) -> Device {
    Device {
        kind: DeviceKind::Rig,
        name: name.into(),
        file_format: FileFormat::P7b,
        email_address: "ops@example.com".into(),
    }
}

/// The subject that the type `devices` asks for.
fn subject(name: &str) -> Name {
    format!("CN={name},OU=Devices,O=Example Grid Operator,C=US").parse().unwrap()
}

fn dns(name: &str) -> GeneralName {
    GeneralName::DnsName(Ia5String::new(name).unwrap())
}

fn ip(bytes: &[u8]) -> GeneralName {
    GeneralName::IpAddress(OctetString::new(bytes).unwrap())
}

/// A certification request of the device `rig-1`.
fn request(names: Vec<GeneralName>) -> Vec<u8> {
    certification_request(&key(), subject("rig-1"), names)
}

async fn submit_as(gateway: &Gateway, certificate_type: &str, der: &[u8], device: Option<Device>) -> reqwest::Response {
    let certification_request = Base64Bytes(der.to_vec()).into();
    let new = NewRequest {
        certificate_type: certificate_type.into(),
        certification_request,
        replaces: None,
        authorization_code: None,
        device,
    };
    gateway.post(serde_json::to_string(&new).unwrap()).await
}

/// Replaces the details of the request `id`.
async fn correct(gateway: &Gateway, der: &[u8], device: Device, id: TransactionId) -> reqwest::Response {
    let new = NewRequest {
        certificate_type: "devices".into(),
        certification_request: Base64Bytes(der.to_vec()).into(),
        replaces: None,
        authorization_code: None,
        device: Some(device),
    };
    gateway.request(reqwest::Method::PUT, &request_path(&id)).json(&new).send().await.unwrap()
}

async fn submit(gateway: &Gateway, der: &[u8], device: Device) -> TransactionId {
    let response = submit_as(gateway, "devices", der, Some(device)).await;
    assert!(response.status().is_success(), "{:?}", response.text().await);
    response.json::<RequestStatus>().await.unwrap().transaction_id
}

#[tokio::test]
async fn what_goes_along_with_a_request_is_kept_and_told() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let types = gateway.get(CONFIGURATION_PATH).await.json::<Configuration>().await.unwrap().certificate_types;
    assert_eq!(
        types.iter().filter(|kind| kind.for_devices).map(|kind| kind.id.as_str()).collect::<Vec<_>>(),
        ["devices"]
    );

    for kind in DeviceKind::ALL {
        for file_format in FileFormat::ALL {
            let name = format!("{kind}-{file_format}");
            let sent = Device { kind, file_format, ..device(&name) };
            let names = vec![dns(&name), ip(&[192, 0, 2, 1]), email("somebody@example.com")];
            // As OpenSSL and keytool write it.
            let text =
                pem::encode(pem::CERTIFICATE_REQUEST, &certification_request(&key_of(&name), subject(&name), names))
                    .unwrap();
            let der = pem::decode_all(pem::CERTIFICATE_REQUEST, &text).unwrap().remove(0);
            let id = submit(&gateway, &der, sent.clone()).await;
            let status: RequestStatus = gateway.get(&request_path(&id)).await.json().await.unwrap();
            assert_eq!(status.device, Some(sent));
            assert_eq!(status.state, RequestState::Pending);
            for (certificate_type, other, says) in [
                ("devices", Some(device("another")), "the device's name"),
                (
                    "devices",
                    Some(Device { email_address: "eve@example.com".into(), ..status.device.clone().unwrap() }),
                    "e-mail address",
                ),
                ("devices", None, "the device"),
                ("participants", status.device.clone(), "certificate type"),
            ] {
                let refusal = problem(submit_as(&gateway, certificate_type, &der, other).await).await;
                assert_eq!(refusal.kind, ProblemKind::SubmittedOtherwise);
                assert!(refusal.detail.contains(says), "{}", refusal.detail);
                assert!(
                    !refusal.detail.contains(&id.to_string()) && !refusal.detail.contains("ops@"),
                    "{}",
                    refusal.detail
                );
            }
            let again = submit_as(&gateway, "devices", &der, status.device.clone()).await;
            assert_eq!(again.json::<RequestStatus>().await.unwrap(), status, "the same request, the same transaction");

            let list = String::from_utf8(site.requests(&["list"]).stdout).unwrap();
            let expected = format!(
                "\tdevices\t{name}\tops@example.com\t\t\t\t{} DNS:{name} IP:192.0.2.1 ({file_format})\t\n",
                kind.abbreviation()
            );
            assert!(list.contains(&expected), "{list}");
        }
    }

    let user = gateway.submit_good(&good_request("Ada Example")).await;
    let status = gateway.get(&request_path(&user)).await.text().await.unwrap();
    assert!(!status.contains("device"), "{status}");
}

/// The same request with the names in the attribute in which Windows asks for them ([MS-WCCE], section 2.2.2.7.7).
fn with_attribute_of_microsoft(request: &[u8]) -> Vec<u8> {
    let mut whole = Elements::within(SEQUENCE, request).unwrap();
    let mut information = whole.next_sequence().unwrap();
    let algorithm = whole.next_whole().unwrap();
    let mut next = || information.next_element().unwrap();
    let [version, subject, public_key, attributes] = [next(), next(), next(), next()];
    let mut attribute = Elements::of(attributes.contents).next_sequence().unwrap();
    attribute.next_oid().unwrap();
    let values = attribute.next_whole().unwrap();
    let id = oid(ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14"));
    let attributes = element(CONTEXT_0, &[&element(SEQUENCE, &[&id, values])]);
    let information = element(SEQUENCE, &[version.whole, subject.whole, public_key.whole, &attributes]);
    let signature = key().sign(&information).to_vec();
    element(SEQUENCE, &[&information, algorithm, &element(BIT_STRING, &[&[0], &signature])])
}

#[tokio::test]
async fn a_name_in_the_attribute_of_microsoft_is_certified_too() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let standard = request(vec![dns("rig-1.example.com")]);
    let id = submit(&gateway, &with_attribute_of_microsoft(&standard), device("rig-1")).await;
    let list = String::from_utf8(site.requests(&["list"]).stdout).unwrap();
    assert!(list.contains("DNS:rig-1.example.com"), "{list}");
    site.requests(&["approve", &id.to_string()]);
    let certificate = Certificate::from_der(&gateway.issued(id).await).unwrap();
    let names = certificate.extensions().subject_alt_names().unwrap().unwrap();
    assert_eq!(names, [Some(general_name::GeneralName::Dns(b"rig-1.example.com".to_vec()))]);
    let refused = with_attribute_of_microsoft(&request(vec![dns("*.example.com")]));
    let response = submit_as(&gateway, "devices", &refused, Some(device("rig-1"))).await;
    assert_eq!(problem(response).await.kind, ProblemKind::SubjectAltNameNotAllowed);
}

#[tokio::test]
async fn bad_requests_are_refused_and_leave_nothing() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let good = request(vec![]);
    let named = |name: &str| Some(device(name));
    let mut wrong_signature = good.clone();
    *wrong_signature.last_mut().unwrap() ^= 1;
    let small_key = RsaPrivateKey::new_with_exp(&mut rand::rng(), 1024, 65537_u32.into()).unwrap();
    let small = certification_request(&SigningKey::new(small_key), subject("rig-1"), vec![]);
    let foreign: Name = "CN=rig-1,OU=Participants & External Users,O=Example Grid Operator,C=US".parse().unwrap();
    let with_email = |address: &str| Some(Device { email_address: address.into(), ..device("rig-1") });
    let uri = GeneralName::UniformResourceIdentifier(Ia5String::new("https://example.com/").unwrap());

    for (case, der, device, kind, detail) in [
        ("no device", good.clone(), None, ProblemKind::DeviceMissing, "file_format"),
        ("another name", good.clone(), named("rig-2"), ProblemKind::DeviceNameDiffers, "rig-1"),
        ("no name", good.clone(), named(""), ProblemKind::DeviceNameDiffers, "rig-1"),
        ("no e-mail address", good.clone(), with_email(""), ProblemKind::EmailAddressNotAllowed, "no e-mail address"),
        ("a bad e-mail address", good.clone(), with_email("ops"), ProblemKind::EmailAddressNotAllowed, "device.email"),
        (
            "foreign subject",
            certification_request(&key(), foreign, vec![]),
            named("rig-1"),
            ProblemKind::SubjectNotAllowed,
            "OU=Devices",
        ),
        ("wrong signature", wrong_signature, named("rig-1"), ProblemKind::SignatureInvalid, "signature"),
        ("1024 bits", small, named("rig-1"), ProblemKind::KeySizeNotAllowed, "1024"),
        ("not DER", b"nonsense".to_vec(), named("rig-1"), ProblemKind::CertificationRequestMalformed, "DER"),
        (
            "eleven names",
            request(vec![dns("a"); 11]),
            named("rig-1"),
            ProblemKind::SubjectAltNameNotAllowed,
            "at most 10",
        ),
        (
            "a wildcard",
            request(vec![dns("*.example.com")]),
            named("rig-1"),
            ProblemKind::SubjectAltNameNotAllowed,
            "*.example",
        ),
        (
            "a wildcard as Common Name",
            certification_request(&key(), subject("*.example.com"), vec![]),
            named("*.example.com"),
            ProblemKind::SubjectAltNameNotAllowed,
            "*.example",
        ),
        (
            "a network",
            request(vec![ip(&[10, 0, 0, 0, 255, 0, 0, 0])]),
            named("rig-1"),
            ProblemKind::SubjectAltNameNotAllowed,
            "IPv4",
        ),
        ("a URI", request(vec![uri]), named("rig-1"), ProblemKind::SubjectAltNameNotAllowed, "dNSName"),
    ] {
        let problem = problem(submit_as(&gateway, "devices", &der, device).await).await;
        assert_eq!(problem.kind, kind, "{case}: {}", problem.detail);
        assert!(problem.detail.contains(detail), "{case}: {}", problem.detail);
    }
    let user = submit_as(&gateway, "participants", &good_request("Ada Example"), named("Ada Example")).await;
    assert_eq!(problem(user).await.kind, ProblemKind::DeviceNotExpected);
    let unknown_kind = gateway
        .post(r#"{"certificate_type": "devices", "certification_request": "MA==", "device": {"kind": "plc", "name": "a", "file_format": "pem", "email_address": "a@example.com"}}"#)
        .await;
    let unknown_kind = problem(unknown_kind).await;
    assert_eq!(unknown_kind.kind, ProblemKind::MalformedBody);
    assert!(unknown_kind.detail.contains("iccp"), "{}", unknown_kind.detail);
    assert!(site.all_requests().await.is_empty());

    submit(&gateway, &good, device("rig-1")).await;
    assert_eq!(site.all_requests().await.len(), 1);
}

#[tokio::test]
async fn openssl_takes_the_certificate_for_both_ends_of_a_connection() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    for name in ["root", "issuing"] {
        let der = gateway.get(&format!("/pki/{name}.cer")).await.bytes().await.unwrap();
        fs::write(site.path(&format!("{name}.pem")), pem::encode(pem::CERTIFICATE, &der).unwrap()).unwrap();
    }
    let six = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let names = vec![email("somebody@example.com"), dns("rig-1.example.com"), ip(&[192, 0, 2, 1]), ip(&six)];
    let with_names = submit(&gateway, &request(names), device("rig-1")).await;
    let bare = submit(&gateway, &request(vec![]), device("rig-1")).await;
    let by_person = submit(&gateway, &request(vec![email("ops@example.com")]), device("rig-1")).await;
    // Names of hosts are never approved without a person.
    assert!(site.requests(&["approve", &with_names.to_string()]).status.success());
    for id in [with_names, bare, by_person] {
        let leaf = pem::encode(pem::CERTIFICATE, &gateway.issued(id).await).unwrap();
        fs::write(site.path(&format!("{id}.pem")), leaf).unwrap();
    }
    let openssl = |arguments: &str| openssl(&arguments.split(' ').collect::<Vec<_>>(), &site.path(""));
    for id in [with_names, bare, by_person] {
        for purpose in ["sslclient", "sslserver"] {
            let verdict = openssl(&format!(
                "verify -x509_strict -CAfile root.pem -untrusted issuing.pem -purpose {purpose} {id}.pem"
            ));
            assert_eq!(verdict, format!("{id}.pem: OK\n"));
        }
        let text = openssl(&format!("x509 -in {id}.pem -noout -text -certopt ext_default"));
        assert!(text.contains("TLS Web Client Authentication, TLS Web Server Authentication\n"), "{text}");
        assert!(!text.contains("@example.com"), "{text}");
        assert_eq!(text.contains("Subject Alternative Name"), id == with_names, "{text}");
    }
    let names = openssl(&format!("x509 -in {with_names}.pem -noout -ext subjectAltName"));
    assert!(names.contains("DNS:rig-1.example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1"), "{names}");
    let matches = openssl(&format!("x509 -in {with_names}.pem -noout -checkhost rig-1.example.com"));
    assert!(matches.contains("does match certificate"), "{matches}");
}

#[tokio::test]
async fn a_request_that_waits_is_corrected_with_its_transaction_id() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let der = request(Vec::new());
    let id = submit(&gateway, &der, device("rig-1")).await;
    let right = Device { email_address: "others@example.com".into(), file_format: FileFormat::Pem, ..device("rig-1") };
    let guessed = TransactionId::random(&mut rand::rng());
    let refused = problem(correct(&gateway, &der, right.clone(), guessed).await).await;
    assert_eq!(refused.kind, ProblemKind::UnknownTransactionId);
    let another = certification_request(&key_of("another"), subject("rig-1"), Vec::new());
    let refused = problem(correct(&gateway, &another, right.clone(), id).await).await;
    assert_eq!(refused.kind, ProblemKind::SubmittedOtherwise);
    // The rules hold for it as for any other.
    let misnamed = problem(correct(&gateway, &der, device("rig-2"), id).await).await;
    assert_eq!(misnamed.kind, ProblemKind::DeviceNameDiffers);

    let corrected = correct(&gateway, &der, right.clone(), id).await;
    assert_eq!(corrected.status(), 200);
    let corrected: RequestStatus = corrected.json().await.unwrap();
    assert_eq!((corrected.transaction_id, &corrected.device), (id, &Some(right.clone())));
    let sent_again = submit(&gateway, &der, right.clone()).await;
    assert_eq!(sent_again, id, "these are its details now");
    assert_eq!(site.all_requests().await.len(), 1);
    let log = String::from_utf8(site.run("audit", &["export"]).stdout).unwrap();
    let log: Vec<&str> = log.lines().filter(|line| line.contains(&id.to_string())).collect();
    assert!(log[0].contains("\"submitted\"") && log[0].contains("ops@example.com"), "{log:?}");
    assert!(log[1].contains("\"corrected\"") && log[1].contains("others@example.com"), "{log:?}");
    assert_eq!(log.len(), 2);

    assert!(site.requests(&["approve", &id.to_string()]).status.success());
    let late = problem(correct(&gateway, &der, device("rig-1"), id).await).await;
    assert_eq!(late.kind, ProblemKind::SubmittedOtherwise);
    gateway.issued(id).await;
    let status: RequestStatus = gateway.get(&request_path(&id)).await.json().await.unwrap();
    assert_eq!(status.device, Some(right));
}

#[tokio::test]
async fn an_officer_approves_what_was_shown_and_nothing_else() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let database = site.database().await;
    let officer = approver(&gateway, &database).await;
    database.close().await;
    let der = request(Vec::new());
    let id = submit(&gateway, &der, device("rig-1")).await;
    let approve = format!("/console/requests/{id}/approve");
    let seen = officer.seen(&approve).await;
    let other = Device { email_address: "others@example.com".into(), ..device("rig-1") };
    assert_eq!(correct(&gateway, &der, other, id).await.status(), 200);
    for fields in [&[("seen", seen.as_str())][..], &[("seen", "")], &[]] {
        let response = officer.post(&approve, fields).await;
        assert_eq!(response.status(), 409);
        assert!(response.text().await.unwrap().contains("was corrected since you have opened it"));
    }
    assert_eq!(gateway.state(id).await, RequestState::Pending);
    assert_eq!(officer.approve(&approve).await.status(), 303);
    gateway.issued(id).await;
}
