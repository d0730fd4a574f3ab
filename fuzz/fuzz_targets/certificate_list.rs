//! CRLs: what is read of them is bounded, and no change keeps the signature of a vector's key.
#![no_main]

use keyside_fuzz::vectors::{INTERMEDIATES, ROOTS, signed_part};
use keyside_pki::certificate_list::CertificateList;
use keyside_pki::file;

const KNOWN: &[u8] = include_bytes!("../../tests/vectors/inspection/revoked.crl");

keyside_fuzz::der_target!(|der: &[u8]| {
    let Ok(list) = CertificateList::from_der(der) else { return };
    assert!(list.revoked <= der.len() / 2);
    assert!(list.issuer.to_string().len() <= 16 * der.len());
    for issuer in INTERMEDIATES.iter().chain(&*ROOTS) {
        if issuer.has_signed_crl(der) == Ok(true) {
            let parts = file::read(KNOWN).parts;
            let known = parts.first().and_then(|part| part.der.as_ref()).expect("the vector is a CRL");
            assert_eq!(signed_part(der), signed_part(known), "a signature fits a changed CRL");
        }
    }
});
