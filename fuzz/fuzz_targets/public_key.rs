//! Public keys: sameness is symmetric, and one RSA key in two encodings has one key ID. An input of two keys.
#![no_main]

use keyside_fuzz::input;
use keyside_pki::public_key::{PublicKey, PublicKeyKind, is_same};
use keyside_pki::signature;

/// ecdsa-with-SHA256, sha256WithRSAEncryption and Ed25519 as AlgorithmIdentifiers.
const ALGORITHMS: [&[u8]; 3] = [
    &[0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2],
    &[0x30, 13, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11, 5, 0],
    &[0x30, 5, 6, 3, 0x2B, 0x65, 0x70],
];

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let parts = input::parts(bytes);
    for der in &parts {
        let _ = PublicKey::of(der);
        for algorithm in ALGORITHMS {
            assert!(signature::verify(der, algorithm, b"message", &[]).is_err(), "an empty signature fits");
        }
    }
    if let [one, other, ..] = &parts[..] {
        assert_eq!(is_same(one, other), is_same(other, one));
        if is_same(one, other)
            && let (Ok(one), Ok(other)) = (PublicKey::of(one), PublicKey::of(other))
            && let (PublicKeyKind::Rsa(_), PublicKeyKind::Rsa(_)) = (&one.kind, &other.kind)
        {
            assert_eq!(one, other);
        }
    }
});
