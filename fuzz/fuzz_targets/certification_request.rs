//! CertificationRequests: what is read of them agrees, and no change keeps the signature of a key that the fuzzer does not have.
#![no_main]

use std::sync::LazyLock;

use keyside_core::device_names;
use keyside_core::domain::distinguished_name::{SubjectTemplate, common_name_of};
use keyside_fuzz::vectors::signed_part;
use keyside_pki::certification_request::{CertificationRequest, subject_public_key_info};
use keyside_pki::error::Error;
use keyside_pki::public_key::{self, PublicKey, PublicKeyKind};
use keyside_pki::{file, pem};

const KNOWN: &[u8] = include_bytes!("../../tests/vectors/certification_request/request.der");

static TEMPLATE: LazyLock<SubjectTemplate> =
    LazyLock::new(|| "CN={common_name},O=Example,C=US".parse().expect("this is a template"));

keyside_fuzz::der_target!(|der: &[u8]| {
    let Ok(request) = CertificationRequest::from_der(der) else { return };
    assert_eq!(request.der(), der);
    assert_eq!(subject_public_key_info(der), Ok(request.subject_public_key_info()));
    let _ = request.subject().to_string();
    let common_name = TEMPLATE.common_name_of(request.subject());
    if let Some(common_name) = &common_name {
        assert_eq!(TEMPLATE.differences(common_name, request.subject()), Vec::new());
    }
    if let Ok(names) = request.subject_alt_names() {
        let _ = device_names::of(&common_name_of(request.subject()).unwrap_or_default(), &names);
        assert!(request.email_addresses().is_ok_and(|addresses| addresses.len() <= names.len()));
    }
    let _ = (request.has_challenge_password(), request.oddities(), request.rsa_public_key());
    if let (Ok(parameters), Ok(key)) = (request.rsa_parameters(), PublicKey::of(request.subject_public_key_info())) {
        // A modulus of 0 has no size.
        assert!(parameters.bits == 0 || key.kind == PublicKeyKind::Rsa(parameters.bits as u32));
    }
    let verdict = request.verify();
    match request.verify_with_rsa() {
        Err(Error::UnsupportedAlgorithm(_)) => {}
        with_rsa => assert_eq!(with_rsa, verdict),
    }
    let known = subject_public_key_info(KNOWN).expect("the vector is a request");
    if verdict.is_ok() && public_key::is_same(request.subject_public_key_info(), known) {
        assert_eq!(signed_part(der), signed_part(KNOWN), "a signature fits a changed request");
    }
    let text = pem::encode(pem::CERTIFICATE_REQUEST, der).expect("requests have a PEM");
    let parts = file::read(text.as_bytes()).parts;
    assert!(matches!(&parts[..], [part] if part.der.as_ref().is_some_and(|part| **part == der)));
});
