//! PEM: what is decoded and encoded again is decoded to the same, by each reader.
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
    let blocks = pem::blocks(&text);
    assert!(blocks.iter().flat_map(|block| &block.der).map(|der| der.len()).sum::<usize>() <= text.len());
    let _ = pem::unlabelled(&text);
    // Any bytes come through. There is no block of none.
    if bytes.is_empty() {
        return;
    }
    let encoded = pem::encode(pem::CMS, bytes).expect("bytes have a PEM");
    assert_eq!(pem::decode_all(pem::CMS, &encoded).as_deref(), Ok(&[bytes.to_vec()][..]));
    let again = pem::blocks(&encoded);
    assert!(
        matches!(&again[..], [block] if block.label == pem::CMS && block.der.as_ref().is_some_and(|der| **der == bytes))
    );
});
