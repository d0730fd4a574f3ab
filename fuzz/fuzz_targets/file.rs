//! The reader of files and texts: what comes out is bounded, and a structure that was found is found again in a file of its own.
#![no_main]

use keyside_pki::{file, pem};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let file = file::read(bytes);
    assert!(file.parts.len() <= 1000);
    if let Some(text) = &file.text {
        // An octet of Latin-1, and a unit of UTF-16.
        assert!(text.len() <= 2 * bytes.len());
        assert_eq!(file::text_of(bytes).as_ref(), Some(text));
    }
    let size: usize = file.parts.iter().filter_map(|part| part.der.as_ref()).map(|der| der.len()).sum();
    assert!(size <= 2 * bytes.len());
    for part in file.parts.iter().filter(|part| part.der.as_ref().is_some_and(|der| der.first() == Some(&0x30))) {
        let Some(der) = &part.der else { continue };
        let text = pem::encode(pem::CMS, der).expect("bytes have a PEM");
        let again = file::read(text.as_bytes()).parts;
        assert!(matches!(&again[..], [one] if one.der.as_ref() == Some(der) && one.trailing == 0));
    }
    if let Ok(certificates) = file::certificates(bytes) {
        assert!(!certificates.is_empty() && certificates.len() <= file.parts.len());
    }
});
