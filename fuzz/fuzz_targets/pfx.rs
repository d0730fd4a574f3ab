//! PKCS#12: what is opened was described before, and keys and certificates that are paired belong together.
//!
//! Under `cfg(fuzzing)` the budget for derivations is small, so that no input takes long.
#![no_main]

use keyside_fuzz::vectors::PASSPHRASE;
use keyside_pki::pfx;

keyside_fuzz::der_target!(|bytes: &[u8]| {
    let protection = pfx::protection(bytes);
    if let Ok(protection) = &protection {
        let _ = (protection.verdict(), protection.takes_passphrase());
    }
    for passphrase in [PASSPHRASE, "", "ä"] {
        let Ok(opened) = pfx::open(bytes, passphrase) else { continue };
        assert!(opened.certificates.iter().map(|certificate| certificate.der.len()).sum::<usize>() <= 2 * bytes.len());
        assert!(opened.private_keys.iter().map(|key| key.private_key_info.len()).sum::<usize>() <= 2 * bytes.len());
        let Ok(identities) = opened.identities() else { continue };
        assert!(!identities.is_empty());
        assert!(identities.is_sorted_by(|one, other| one.leaf.validity().1 >= other.leaf.validity().1));
        for identity in &identities {
            assert!(identity.leaf.certifies(&identity.key_pair.to_subject_public_key_info().expect("it is a key")));
        }
    }
});
