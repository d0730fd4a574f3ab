//! Certificates and CRLs in a SignedData of CMS, DER or BER: no more comes out than is in it, and what is written is read again.
#![no_main]

use keyside_pki::certificate::Certificate;
use keyside_pki::certs_only;

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let Ok(contents) = certs_only::decode(bytes) else { return };
    let size: usize = contents.certificates.iter().chain(&contents.crls).map(Vec::len).sum();
    // Definite lengths can take more bytes than indefinite ones.
    assert!(size <= 2 * bytes.len());
    let readable: Vec<&[u8]> =
        contents.certificates.iter().map(Vec::as_slice).filter(|der| Certificate::from_der(der).is_ok()).collect();
    let encoded = certs_only::encode(&readable).expect("each is a certificate");
    let mut expected: Vec<Vec<u8>> = readable.iter().map(|der| der.to_vec()).collect();
    expected.sort_unstable();
    assert_eq!(certs_only::decode(&encoded).map(|contents| contents.certificates), Ok(expected));
});
