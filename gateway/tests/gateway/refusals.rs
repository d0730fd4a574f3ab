//! Bad input gets a problem that names the fault, and leaves nothing behind.

use der::asn1::OctetString;
use keyside_core::api::{
    CA_PATH, CONFIGURATION_PATH, ProblemKind, REQUESTS_PATH, RequestState, certificate_path, request_path,
};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_gateway::database::Location;
use keyside_gateway::hexadecimal::hexadecimal;
use keyside_pki::pem;
use reqwest::Method;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use x509_cert::ext::pkix::name::GeneralName;

use crate::harness::{Site, certification_request, email, good_request, header, key, problem, subject, submission};

/// A certification request made by OpenSSL: see `tests/vectors/README.md`.
fn vector(text: &str) -> Vec<u8> {
    pem::decode_all("CERTIFICATE REQUEST", text).unwrap().remove(0)
}

/// A certification request with a new key of `bits` bits and this public exponent.
fn request_with_key(bits: usize, exponent: u32) -> Vec<u8> {
    let key = RsaPrivateKey::new_with_exp(&mut rand::rng(), bits, exponent.into()).unwrap();
    certification_request(&SigningKey::new(key), subject("Ada Example"), vec![email("ada@example.com")])
}

#[tokio::test]
async fn bad_certification_requests() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let good = good_request("Ada Example");
    let with_subject =
        |text: &str| certification_request(&key(), text.parse().unwrap(), vec![email("ada@example.com")]);
    let with_names = |names| certification_request(&key(), subject("Ada Example"), names);
    let mut wrong_signature = good.clone();
    *wrong_signature.last_mut().unwrap() ^= 1;
    let mut trailing_byte = good.clone();
    trailing_byte.push(0);

    for (case, certification_request, kind, detail) in [
        ("empty", vec![], ProblemKind::CertificationRequestMalformed, "empty"),
        ("not DER", b"nonsense".to_vec(), ProblemKind::CertificationRequestMalformed, "DER"),
        ("cut off", good[..good.len() - 1].to_vec(), ProblemKind::CertificationRequestMalformed, "DER"),
        ("trailing byte", trailing_byte, ProblemKind::CertificationRequestMalformed, "DER"),
        ("wrong signature", wrong_signature, ProblemKind::SignatureInvalid, "signature"),
        ("1024-bit key", request_with_key(1024, 65537), ProblemKind::KeySizeNotAllowed, "1024 bits"),
        ("2056-bit key", request_with_key(2056, 65537), ProblemKind::KeySizeNotAllowed, "2056 bits"),
        ("exponent 3", request_with_key(2048, 3), ProblemKind::PublicExponentNotAllowed, "65537"),
        (
            "8192-bit key",
            vector(include_str!("../vectors/rsa-8192.csr.pem")),
            ProblemKind::KeySizeNotAllowed,
            "8192 bits",
        ),
        ("elliptic curve", vector(include_str!("../vectors/p-256.csr.pem")), ProblemKind::AlgorithmNotAllowed, "RSA"),
        ("ROCA", vector(include_str!("../vectors/roca.csr.pem")), ProblemKind::WeakKey, "CVE-2017-15361"),
        ("close factors", vector(include_str!("../vectors/close-factors.csr.pem")), ProblemKind::WeakKey, "so close"),
        ("a prime", vector(include_str!("../vectors/prime-modulus.csr.pem")), ProblemKind::WeakKey, "a prime"),
        ("SHA-1", vector(include_str!("../vectors/sha-1.csr.pem")), ProblemKind::AlgorithmNotAllowed, "SHA-256"),
        (
            "64 KB subject",
            with_subject(&format!("CN={}", "A".repeat(65536))),
            ProblemKind::CertificationRequestTooLarge,
            "16384",
        ),
        (
            "long Common Name",
            certification_request(&key(), subject(&"A".repeat(65)), vec![email("ada@example.com")]),
            ProblemKind::SubjectNotAllowed,
            "65",
        ),
        (
            "foreign subject",
            with_subject("CN=Ada Example,OU=Participants & External Users,O=Other,C=US"),
            ProblemKind::SubjectNotAllowed,
            "O=Example Grid Operator",
        ),
        (
            "the other type's subject",
            with_subject("CN=Ada Example,OU=ISO Employees & Contractors,O=Example Grid Operator,C=US"),
            ProblemKind::SubjectNotAllowed,
            "OU=Participants",
        ),
        ("no address", with_names(vec![]), ProblemKind::EmailAddressNotAllowed, "0 names"),
        (
            "two addresses",
            with_names(vec![email("ada@example.com"), email("eve@example.com")]),
            ProblemKind::EmailAddressNotAllowed,
            "2 names",
        ),
        (
            "a host name",
            with_names(vec![GeneralName::DnsName(der::asn1::Ia5String::new("example.com").unwrap())]),
            ProblemKind::EmailAddressNotAllowed,
            "0 of them",
        ),
        (
            "an IP address beside the address",
            with_names(vec![
                email("ada@example.com"),
                GeneralName::IpAddress(OctetString::new([127, 0, 0, 1]).unwrap()),
            ]),
            ProblemKind::EmailAddressNotAllowed,
            "2 names",
        ),
        (
            "a tab in the address",
            with_names(vec![email("\"a\tb\"@example.com")]),
            ProblemKind::EmailAddressNotAllowed,
            "control character",
        ),
        (
            "no such address",
            with_names(vec![email("Ada <ada@example.com>")]),
            ProblemKind::EmailAddressNotAllowed,
            "name@example.com",
        ),
    ] {
        let problem = problem(gateway.submit(&certification_request).await).await;
        assert_eq!(problem.kind, kind, "{case}: {}", problem.detail);
        assert!(problem.detail.contains(detail), "{case}: {}", problem.detail);
    }
    assert!(site.all_requests().await.is_empty());

    gateway.submit_good(&good).await;
    assert_eq!(site.all_requests().await.len(), 1);
}

#[tokio::test]
async fn a_prime_modulus_that_nobody_had_time_for_is_not_approved() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let prime = hexadecimal(&vector(include_str!("../vectors/prime-modulus.csr.pem")));
    let bytes = match site.location() {
        Location::Sqlite(_) => format!("x'{prime}'"),
        Location::Postgresql(_) => format!("'\\x{prime}'"),
    };
    site.execute(&format!("UPDATE requests SET certification_request = {bytes}")).await;
    let approved = site.requests(&["approve", &id.to_string()]);
    assert!(!approved.status.success());
    assert!(String::from_utf8_lossy(&approved.stderr).contains("a prime"), "{approved:?}");
    assert_eq!(gateway.state(id).await, RequestState::Pending);
}

#[tokio::test]
async fn bad_bodies() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let good = submission("participants", &good_request("Ada Example"));
    let malformed = ProblemKind::MalformedBody;
    for (case, body, kind, detail) in [
        ("empty", vec![], malformed, "empty"),
        ("not JSON", "nonsense".into(), malformed, "line 1"),
        ("not UTF-8", b"{\"\xff\": 1}".to_vec(), malformed, "line 1"),
        ("missing member", r#"{"certificate_type": "participants"}"#.into(), malformed, "certification_request"),
        ("unknown member", good.replacen('{', r#"{"key": 1, "#, 1).into(), malformed, "key"),
        (
            "not base64",
            r#"{"certificate_type": "participants", "certification_request": "-----BEGIN"}"#.into(),
            ProblemKind::NotBase64,
            "base64",
        ),
        (
            "base64 without padding",
            r#"{"certificate_type": "participants", "certification_request": "MA"}"#.into(),
            ProblemKind::NotBase64,
            "padding",
        ),
        (
            "unknown type",
            submission("nobody", &good_request("Ada Example")).into(),
            ProblemKind::UnknownCertificateType,
            "employees, participants, devices",
        ),
        ("1 MB", (" ".repeat(1024 * 1024) + &good).into(), ProblemKind::BodyTooLarge, "262144"),
        ("20 MB", vec![b' '; 20 * 1024 * 1024], ProblemKind::BodyTooLarge, "262144"),
    ] {
        let problem = problem(gateway.post(body).await).await;
        assert_eq!(problem.kind, kind, "{case}: {}", problem.detail);
        assert!(problem.detail.contains(detail), "{case}: {}", problem.detail);
    }

    for media_type in ["text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let request = gateway.request(Method::POST, REQUESTS_PATH).header("content-type", media_type);
        let problem = problem(request.body(good.clone()).send().await.unwrap()).await;
        assert_eq!(problem.kind, ProblemKind::UnsupportedMediaType);
    }
    let without = gateway.request(Method::POST, REQUESTS_PATH).body(good.clone());
    let problem = problem(without.send().await.unwrap()).await;
    assert_eq!(problem.kind, ProblemKind::UnsupportedMediaType);
    assert!(site.all_requests().await.is_empty());

    let with_charset =
        gateway.request(Method::POST, REQUESTS_PATH).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(with_charset.body(good).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn bad_paths_and_methods() {
    let site = Site::new();
    let gateway = site.start(&[]);
    let unknown = TransactionId::random(&mut rand::rng());
    for (path, kind) in [
        ("/api", ProblemKind::NotFound),
        ("/api/", ProblemKind::NotFound),
        ("/api/v1/nothing", ProblemKind::NotFound),
        ("/api/v2/requests", ProblemKind::NotFound),
        ("/pki/other.crl", ProblemKind::NotFound),
        ("/problems/nothing", ProblemKind::NotFound),
        ("/", ProblemKind::NotFound),
        (REQUESTS_PATH, ProblemKind::MethodNotAllowed),
        ("/api/v1/requests/nonsense", ProblemKind::MalformedTransactionId),
        ("/api/v1/requests/%ff", ProblemKind::MalformedTransactionId),
        (&request_path(&unknown), ProblemKind::UnknownTransactionId),
        (&certificate_path(&unknown), ProblemKind::UnknownTransactionId),
    ] {
        let problem = problem(gateway.get(path).await).await;
        assert_eq!(problem.kind, kind, "{path}");
    }
    for (method, path, allow) in [
        (Method::DELETE, REQUESTS_PATH, "POST"),
        (Method::POST, CONFIGURATION_PATH, "GET,HEAD"),
        (Method::OPTIONS, CA_PATH, "GET,HEAD"),
        (Method::DELETE, &request_path(&unknown), "GET,HEAD,PUT"),
    ] {
        let response = gateway.request(method, path).send().await.unwrap();
        assert_eq!(header(&response, "allow"), allow, "{path}");
        assert_eq!(problem(response).await.kind, ProblemKind::MethodNotAllowed);
    }
}

#[tokio::test]
async fn every_kind_of_problem_is_described() {
    let site = Site::new();
    let gateway = site.start(&[]);
    for kind in ProblemKind::ALL {
        let response = gateway.get(kind.reference()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        let text = response.text().await.unwrap();
        assert!(text.contains(kind.title()), "{text}");
        assert!(text.contains(&kind.status().to_string()), "{text}");
    }
}
