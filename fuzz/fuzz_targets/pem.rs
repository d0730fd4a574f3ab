//! PEM: what is decoded and encoded again is decoded to the same.
#![no_main]

use keyside_pki::pem;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for label in [pem::CERTIFICATE, pem::CERTIFICATE_REQUEST, pem::CMS, pem::ENCRYPTED_PRIVATE_KEY] {
        let Ok(blocks) = pem::decode_all(label, &text) else { continue };
        assert!(blocks.iter().map(Vec::len).sum::<usize>() <= text.len());
        let encode = |der: &Vec<u8>| pem::encode(label, der).expect("bytes have a PEM");
        assert_eq!(pem::decode_all(label, &blocks.iter().map(encode).collect::<String>()), Ok(blocks));
    }
    // Any bytes come through. There is no block of none.
    if bytes.is_empty() {
        return;
    }
    let encoded = pem::encode(pem::CMS, bytes).expect("bytes have a PEM");
    assert_eq!(pem::decode_all(pem::CMS, &encoded).as_deref(), Ok(&[bytes.to_vec()][..]));
});
