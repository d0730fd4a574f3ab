//! Backups: one that is read is written and read again as the same.
#![no_main]

use keyside_core::backup::{decode, encode};
use sha2::{Digest, Sha256};

/// The text with the checksum that fits, so that the reader gets to the lines above it.
fn with_checksum(text: &str) -> String {
    let contents = text.rsplit_once("SHA-256: ").map_or(text, |(contents, _)| contents);
    let contents: String = contents.trim().lines().map(|line| format!("{}\n", line.trim_end())).collect();
    format!("{contents}SHA-256: {}\n", base16ct::lower::encode_string(&Sha256::digest(&contents)))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for text in [&*text, &with_checksum(&text)] {
        let Ok(enrollment) = decode(text) else { continue };
        let written = encode(&enrollment).expect("a backup that was read can be written");
        assert_eq!(decode(&written).as_ref(), Ok(&enrollment), "{written}");
    }
});
