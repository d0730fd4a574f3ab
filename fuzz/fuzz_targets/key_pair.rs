//! Private keys in the clear: one that is read is written and read again as the same.
#![no_main]

use keyside_pki::key_pair::KeyPair;
use keyside_pki::public_key::{PublicKey, PublicKeyKind};

keyside_fuzz::der_target!(|der: &[u8]| {
    for key in [KeyPair::from_private_key_info(der), KeyPair::from_rsa_private_key(der)] {
        let Ok(key) = key else { continue };
        let info = key.to_private_key_info().expect("a key that was read can be written");
        let again = KeyPair::from_private_key_info(&info).expect("a key that was written can be read");
        assert_eq!(again.to_private_key_info().as_ref(), Ok(&info));
        let public = key.to_subject_public_key_info().expect("a key has a public half");
        assert_eq!(again.to_subject_public_key_info().as_ref(), Ok(&public));
        assert!(matches!(PublicKey::of(&public).map(|key| key.kind), Ok(PublicKeyKind::Rsa(_))));
    }
});
