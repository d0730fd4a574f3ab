//! EncryptedPrivateKeyInfo: the reader of Keyside's own keys and the reader of foreign ones decrypt to the same.
//!
//! Under `cfg(fuzzing)` the budget for derivations is small, so that no input takes long.
#![no_main]

use keyside_fuzz::vectors::PASSPHRASE;
use keyside_pki::encrypted_private_key::{decrypt, decrypt_with, encryption};
use keyside_pki::key_pair::KeyPair;
use keyside_pki::password_based_encryption::{Budget, Secret};

keyside_fuzz::der_target!(|der: &[u8]| {
    let _ = encryption(der);
    let own = decrypt(der, PASSPHRASE);
    let foreign = decrypt_with(der, &Secret::new(PASSPHRASE), &mut Budget::default());
    if let (Ok(own), Ok(foreign)) = (&own, &foreign) {
        assert_eq!(own, foreign);
    }
    for clear in own.iter().chain(&foreign) {
        assert!(clear.len() <= der.len());
        let _ = KeyPair::from_private_key_info(clear);
    }
});
