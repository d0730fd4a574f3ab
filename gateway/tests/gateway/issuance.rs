//! From a certification request to a certificate that others accept.

use std::fs;

use der::{Decode, Encode};
use keyside_core::api::{
    CA_PATH, CONFIGURATION_PATH, CaCertificates, Configuration, PEM_CERTIFICATE_CHAIN, PKCS7_CERTS_ONLY, PKIX_CERT,
    ProblemKind, RequestState, RequestStatus, certificate_path, request_path,
};
use keyside_core::domain::distinguished_name::SubjectTemplate;
use keyside_gateway::ca::embedded::EmbeddedCa;
use keyside_gateway::ca::settings::Ca;
use keyside_gateway::ca::{CaEngine, CertificateOrder, Holder};
use keyside_gateway::clock;
use keyside_gateway::configuration::Config;
use keyside_gateway::store::requests;
use keyside_pki::certificate::Certificate;
use keyside_pki::element::{PRINTABLE_STRING, UTF8_STRING};
use keyside_pki::{name, pem};
use reqwest::Method;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::name::Name;

use crate::harness::{
    Gateway, Site, certification_request, email, eventually, good_request, header, key, openssl, problem, subject,
    submission,
};

#[tokio::test]
async fn without_a_configuration_a_person_approves_and_a_demo_says_that_it_is_one() {
    let badge = async |gateway: &Gateway| {
        let answer = gateway.get(CONFIGURATION_PATH).await;
        answer.json::<Configuration>().await.unwrap().badge
    };
    let site = Site::new();
    let gateway = Gateway::spawn(site.serve_unconfigured(&[]));
    // The limits are the example's, so the database is asked.
    let database = site.database().await;
    let approves_itself = async |id| requests::find(database.reader(), id).await.unwrap().unwrap().approve_at.is_some();
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    assert_ne!(badge(&gateway).await.as_deref(), Some("Demo"));
    assert!(!approves_itself(id).await);
    drop(gateway);
    let gateway = Gateway::spawn(site.serve_unconfigured(&["--demo"]));
    let id = gateway.submit_good(&good_request("Bea Example")).await;
    assert_eq!(badge(&gateway).await.as_deref(), Some("Demo"));
    assert!(approves_itself(id).await);
    drop(gateway);
    let output = site.serve(&["--demo"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"), "{output:?}");
}

#[tokio::test]
async fn pending_turns_into_issued() {
    let site = Site::new().configure("approval.after_seconds = 1");
    let gateway = site.start(&[]);
    let before = clock::now();
    let response = gateway.submit(&good_request("Ada Example")).await;
    let after = clock::now();
    assert_eq!(response.status(), 202);
    let retry_after: i64 = header(&response, "retry-after").parse().unwrap();
    assert_eq!(header(&response, "cache-control"), "no-store");
    let location = header(&response, "location").to_owned();
    let status: RequestStatus = response.json().await.unwrap();
    let id = status.transaction_id;
    assert_eq!(location, request_path(&id));
    assert_eq!(status.state, RequestState::Pending);
    // Until the second after the approval, as seen from whichever second the answer was made in.
    let issued_by = clock::from_unsigned(status.submitted_at) + 2;
    assert!(((issued_by - after).max(1)..=issued_by - before).contains(&retry_after), "{retry_after}");

    let early = problem(gateway.get(&certificate_path(&id)).await).await;
    assert_eq!(early.kind, ProblemKind::NotIssued);

    gateway.issued(id).await;
    let response = gateway.get(&location).await;
    assert_eq!(header(&response, "retry-after"), "");
    assert_eq!(header(&response, "cache-control"), "no-store");
    let later: RequestStatus = response.json().await.unwrap();
    assert_eq!((later.transaction_id, later.submitted_at), (id, status.submitted_at));
    assert_eq!(later.state, RequestState::Issued);

    // As a person would type it.
    let typed = id.to_string().to_lowercase().replace('-', "%20");
    assert_eq!(gateway.get(&format!("/api/v1/requests/{typed}")).await.status(), 200);
}

#[tokio::test]
async fn the_same_request_is_the_same_transaction() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let request = good_request("Ada Example");
    let first = gateway.submit(&request).await;
    assert_eq!(first.status(), 201);
    let first: RequestStatus = first.json().await.unwrap();
    assert_eq!(first.state, RequestState::Issued);
    let certificate = gateway.issued(first.transaction_id).await;

    let again = gateway.submit(&request).await;
    assert_eq!(again.status(), 200);
    assert_eq!(header(&again, "location"), request_path(&first.transaction_id));
    assert_eq!(again.json::<RequestStatus>().await.unwrap(), first);
    // A person who has the request, and not its details, does not learn the transaction ID.
    for certificate_type in ["employees", "no-such-type"] {
        let refused = problem(gateway.post(submission(certificate_type, &request)).await).await;
        assert_eq!(refused.kind, ProblemKind::SubmittedOtherwise);
        assert!(refused.detail.contains("certificate type"), "{}", refused.detail);
    }
    assert_eq!(gateway.issued(first.transaction_id).await, certificate);
    assert_eq!(site.all_requests().await.len(), 1);

    let other = gateway.submit_good(&good_request("Bea Example")).await;
    assert_ne!(other, first.transaction_id);
}

#[tokio::test]
async fn a_replacement_quotes_the_old_transaction_id() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let old = gateway.submit_good(&good_request("Ada Example")).await;
    let body = |replaces: &str| {
        let body = submission("participants", &good_request("Bea Example"));
        body.replace('}', &format!(r#", "replaces": "{replaces}"}}"#))
    };
    let new: RequestStatus = gateway.post(body(&old.to_string())).await.json().await.unwrap();
    let list = String::from_utf8(site.requests(&["list"]).stdout).unwrap();
    let line = list.lines().find(|line| line.starts_with(&new.transaction_id.to_string())).unwrap();
    assert!(line.contains(&format!("\t{old}\t")), "{list}");
    assert_eq!(problem(gateway.post(body("nonsense")).await).await.kind, ProblemKind::MalformedBody);
}

#[tokio::test]
async fn many_at_once_with_the_same_request_are_one_transaction() {
    let site = Site::new();
    let gateway = site.start(&["--manual-approval"]);
    let request = good_request("Ada Example");
    let (a, b, c, d) = tokio::join!(
        gateway.submit_good(&request),
        gateway.submit_good(&request),
        gateway.submit_good(&request),
        gateway.submit_good(&request),
    );
    assert_eq!([a, a, a], [b, c, d]);
    assert_eq!(site.all_requests().await.len(), 1);
}

#[tokio::test]
async fn a_subject_in_old_string_types_is_issued_in_those_of_today() {
    const UNIT: &[u8] = b"Participants & External Users";
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let mut der = subject("Zoë Example").to_der().unwrap();
    let place = der.windows(UNIT.len()).position(|window| window == UNIT).unwrap();
    // Before the text stand its tag and its length. OpenSSL chooses a TeletexString for an ampersand where it is told `nombstr`.
    der[place - 2] = 0x14;
    let old = Name::from_der(&der).unwrap();
    let request = certification_request(&key(), old, vec![email("ada@example.com")]);
    let certificate = Certificate::from_der(&gateway.issued(gateway.submit_good(&request).await).await).unwrap();
    assert!(name::is_match(certificate.subject(), &name::Name::from_der(&der).unwrap()));
    let tags: Vec<u8> = certificate.subject().attributes().map(name::Attribute::tag).collect();
    assert!(tags.iter().all(|tag| [UTF8_STRING, PRINTABLE_STRING].contains(tag)), "{tags:?}");
}

#[tokio::test]
async fn the_certificate_is_what_rfc_5280_asks_for() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Zoë Example")).await;
    let certificate = Certificate::from_der(&gateway.issued(id).await).unwrap();
    let ca: CaCertificates = gateway.get(CA_PATH).await.json().await.unwrap();
    let issuing = Certificate::from_der(&ca.intermediates[0].0).unwrap();
    let root = Certificate::from_der(&ca.trust_anchors[0].0).unwrap();
    certificate.verify_signed_by(&issuing).unwrap();
    issuing.verify_signed_by(&root).unwrap();
    root.verify_signed_by(&root).unwrap();

    let configuration: Configuration = gateway.get(CONFIGURATION_PATH).await.json().await.unwrap();
    let template: SubjectTemplate = configuration.certificate_types[1].subject_template.parse().unwrap();
    assert_eq!(template.common_name_of(certificate.subject()).as_deref(), Some("Zoë Example"));

    // Read by another reader than the product's.
    let read = |certificate: &Certificate| x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let tbs = read(&certificate).tbs_certificate().clone();
    let serial = tbs.serial_number().as_bytes();
    assert!((8..=17).contains(&serial.len()), "{serial:x?}");
    let key_identifier = |certificate: &Certificate| {
        read(certificate)
            .tbs_certificate()
            .get_extension::<SubjectKeyIdentifier>()
            .unwrap()
            .map(|(_, identifier)| identifier.0)
    };
    let (_, authority) = tbs.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap();
    assert_eq!(authority.key_identifier, key_identifier(&issuing));
    assert!(key_identifier(&certificate).is_some());
    assert_eq!(
        tbs.get_extension::<KeyUsage>().unwrap(),
        Some((true, KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment)))
    );
    assert_eq!(
        tbs.get_extension::<BasicConstraints>().unwrap(),
        Some((true, BasicConstraints { ca: false, path_len_constraint: None }))
    );
    let (_, usages) = tbs.get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
    assert_eq!(
        usages.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"],
        "clientAuth, emailProtection"
    );
    let (_, names) = tbs.get_extension::<SubjectAltName>().unwrap().unwrap();
    assert_eq!(names.0, [email("ada@example.com")]);

    let (not_before, not_after) = certificate.validity();
    let now = u64::try_from(keyside_gateway::clock::now()).unwrap();
    assert!((now - 600..now).contains(&not_before));
    assert!((now + 729 * 86400..now + 731 * 86400).contains(&not_after));
}

#[tokio::test]
async fn a_certificate_ends_with_its_issuer() {
    let site = Site::without_ca().issuing_at_once().configure("ca.issuing_validity_days = 10");
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let certificate = Certificate::from_der(&gateway.issued(id).await).unwrap();
    let ca: CaCertificates = gateway.get(CA_PATH).await.json().await.unwrap();
    let issuing = Certificate::from_der(&ca.intermediates[0].0).unwrap();
    assert_eq!(certificate.validity().1, issuing.validity().1);
}

/// OpenSSL as the independent judge. It fetches the CRLs itself, from where the certificates say that they are.
#[tokio::test]
async fn openssl_verifies_chain_and_revocation() {
    // The CA is made here, so that the addresses in the issuing certificate are this gateway's.
    let site = Site::without_ca().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    fs::write(site.path("leaf.cer"), gateway.issued(id).await).unwrap();
    for name in ["root.cer", "root.crl", "issuing.cer", "issuing.crl"] {
        let response = gateway.get(&format!("/pki/{name}")).await;
        let expected = if name.ends_with("cer") { PKIX_CERT } else { "application/pkix-crl" };
        assert_eq!(header(&response, "content-type"), expected);
        fs::write(site.path(name), response.bytes().await.unwrap()).unwrap();
    }
    let openssl = |arguments: &str| openssl(&arguments.split(' ').collect::<Vec<_>>(), &site.path(""));
    openssl("x509 -inform DER -in root.cer -out root.pem");
    openssl("x509 -inform DER -in issuing.cer -out issuing.pem");
    openssl("x509 -inform DER -in leaf.cer -out leaf.pem");
    openssl("crl -inform DER -in root.crl -out root.crl.pem");

    for purpose in ["sslclient", "smimesign", "smimeencrypt"] {
        let verdict = openssl(&format!(
            "verify -x509_strict -crl_check_all -crl_download -CRLfile root.crl.pem -CAfile root.pem -untrusted issuing.pem -purpose {purpose} leaf.pem"
        ));
        assert_eq!(verdict, "leaf.pem: OK\n");
    }

    let text = openssl("x509 -in leaf.pem -noout -text");
    for line in
        [format!("URI:{}/pki/issuing.crl", gateway.url), format!("CA Issuers - URI:{}/pki/issuing.cer", gateway.url)]
    {
        assert!(text.contains(&line), "{text}");
    }
    let text = openssl("x509 -in issuing.pem -noout -text");
    assert!(text.contains(&format!("URI:{}/pki/root.crl", gateway.url)), "{text}");
    assert!(text.contains("CA:TRUE, pathlen:0"), "{text}");
}

#[tokio::test]
async fn the_certificate_comes_in_the_media_type_asked_for() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&[]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let leaf = gateway.issued(id).await;
    let issuing = gateway.get("/pki/issuing.cer").await.bytes().await.unwrap();
    let fetch = async |accept: &str| {
        let request = gateway.request(Method::GET, &certificate_path(&id)).header("accept", accept);
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "vary"), if response.status() == 200 { "accept" } else { "" });
        response
    };

    for accept in ["*/*", PEM_CERTIFICATE_CHAIN, "application/pkix-cert;q=0.5, application/*"] {
        let response = fetch(accept).await;
        assert_eq!(header(&response, "content-type"), PEM_CERTIFICATE_CHAIN, "{accept}");
        let chain = pem::decode_all(pem::CERTIFICATE, &response.text().await.unwrap()).unwrap();
        assert_eq!(chain, [leaf.clone(), issuing.to_vec()]);
    }

    let response = fetch("application/pem-certificate-chain;q=0.1, application/pkix-cert").await;
    assert_eq!(header(&response, "content-type"), PKIX_CERT);
    assert_eq!(response.bytes().await.unwrap(), leaf);

    let response = fetch("application/pkcs7-mime").await;
    assert_eq!(header(&response, "content-type"), PKCS7_CERTS_ONLY);
    fs::write(site.path("chain.p7c"), response.bytes().await.unwrap()).unwrap();
    let printed = openssl(&["pkcs7", "-inform", "DER", "-in", "chain.p7c", "-print_certs"], &site.path(""));
    let mut printed = pem::decode_all(pem::CERTIFICATE, &printed).unwrap();
    printed.sort();
    let mut expected = [leaf, issuing.to_vec()];
    expected.sort();
    assert_eq!(printed, expected);

    assert_eq!(problem(fetch("text/html").await).await.kind, ProblemKind::NotAcceptable);
}

#[tokio::test]
async fn signing_is_a_pure_function() {
    let site = Site::new();
    let ca = || {
        let Ca::Embedded(config) = Config::load(None).unwrap().ca else { panic!("the example has the embedded CA") };
        EmbeddedCa::open_or_create(&site.data().join("ca"), &config, None, "http://ca.example").unwrap()
    };
    let order = |holder| CertificateOrder {
        certification_request: good_request("Ada Example"),
        holder,
        serial_number: vec![0x80; 16],
        not_before: keyside_gateway::clock::now(),
        not_after: keyside_gateway::clock::now() + 1000,
    };
    let first = ca();
    for holder in [Holder::Device, Holder::Person { email_address: "ada@example.com".into() }] {
        let order = order(holder);
        let certificate = first.issue(order.clone()).await.unwrap();
        assert_eq!(first.issue(order.clone()).await.unwrap(), certificate);
        assert_eq!(ca().issue(order).await.unwrap(), certificate);
    }
    let certificate = first.issue(order(Holder::Device)).await.unwrap();

    let parsed = Certificate::from_der(&certificate).unwrap();
    let serial = x509_cert::Certificate::from_der(&certificate).unwrap().tbs_certificate().serial_number().clone();
    assert_eq!(serial.to_der().unwrap()[..4], [0x02, 17, 0x00, 0x80], "a positive INTEGER");
    assert_eq!(
        parsed.subject_public_key_info(),
        x509_cert::spki::EncodePublicKey::to_public_key_der(&rsa::signature::Keypair::verifying_key(&key()))
            .unwrap()
            .into_vec()
    );
}

#[tokio::test]
async fn a_crl_s_number_only_grows() {
    let site = Site::new();
    let fetch = async || {
        let gateway = site.start(&[]);
        let crl = gateway.get("/pki/issuing.crl").await.bytes().await.unwrap();
        fs::write(site.path("issuing.crl"), &crl).unwrap();
        let number = openssl(&["crl", "-inform", "DER", "-in", "issuing.crl", "-noout", "-crlnumber"], &site.path(""));
        (number, crl)
    };
    let first = fetch().await;
    assert_eq!(first.0, "crlNumber=0x01\n");
    assert_eq!(fetch().await, first, "kept over a restart");

    site.execute("UPDATE crls SET this_update = this_update - 2 * 86400").await;
    let second = fetch().await;
    assert_eq!(second.0, "crlNumber=0x02\n", "signed anew");
    assert_eq!(fetch().await, second);
}

#[tokio::test]
async fn a_request_stays_pending_under_manual_approval() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&["--manual-approval"]);
    let id = gateway.submit_good(&good_request("Ada Example")).await;
    let other = gateway.submit_good(&good_request("Bea Example")).await;
    assert!(site.requests(&["approve", &other.to_string()]).status.success());
    // The round that issues the other one has looked at this one too.
    eventually(async || gateway.state(other).await == RequestState::Issued).await;
    assert_eq!(gateway.state(id).await, RequestState::Pending);
}

#[tokio::test]
async fn what_was_to_wait_for_a_person_still_waits_after_a_restart() {
    let site = Site::new().issuing_at_once();
    let gateway = site.start(&["--manual-approval"]);
    let waiting = gateway.submit_good(&good_request("Ada Example")).await;
    assert!(gateway.stop().success());
    let gateway = site.start(&[]);
    // The round that approves and issues the later request has looked at the earlier one too.
    let later = gateway.submit_good(&good_request("Bea Example")).await;
    gateway.issued(later).await;
    assert_eq!(gateway.state(waiting).await, RequestState::Pending);
    assert!(site.requests(&["approve", &waiting.to_string()]).status.success());
    gateway.issued(waiting).await;
}
