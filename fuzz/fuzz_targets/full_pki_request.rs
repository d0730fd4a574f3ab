//! Full PKI requests of CMC: no change keeps the signature of the holder's key but one that changes nothing that is asked for.
#![no_main]

use keyside_core::domain::enrollment::Renewal;
use keyside_pki::certification_request::{self, CertificationRequest};
use keyside_pki::certs_only;
use keyside_pki::full_pki_request::FullPkiRequest;
use keyside_pki::public_key;

const KNOWN: &[u8] = include_bytes!("../../tests/vectors/certification_request/request.der");

keyside_fuzz::der_target!(|der: &[u8]| {
    let Ok(request) = FullPkiRequest::from_der(der) else { return };
    assert_eq!(request.der(), der);
    assert!(certs_only::decode(der).is_ok());
    let _ = Renewal::try_from(&request);
    let _ = CertificationRequest::from_der(request.certification_request()).map(|request| request.verify());
    let known = certification_request::subject_public_key_info(KNOWN).expect("the vector is a request");
    // The key of the vector has signed for a renewal with the same key.
    if public_key::is_same(request.signer().subject_public_key_info(), known) && request.verify().is_ok() {
        assert_eq!(request.certification_request(), KNOWN, "a signature fits a changed request");
    }
});
