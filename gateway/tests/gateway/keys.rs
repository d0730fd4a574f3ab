//! Keys for those who ask for certificates: each has one of their own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation;
use keyside_pki::certificate::Certificate;
use keyside_pki::key_pair::KeyPair;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
use rsa::signature::Keypair;
use rsa::traits::PrivateKeyParts;
use sha2::Sha256;

/// The size of the keys.
const SIZE: KeySize = KeySize::Rsa2048;

/// The keys so far, and the primes that they are made of: to find a prime takes long, and every two of them make a key.
struct Keys {
    primes: Vec<Box<[u8]>>,
    by_name: BTreeMap<String, SigningKey<Sha256>>,
}

static KEYS: Mutex<Keys> = Mutex::new(Keys { primes: Vec::new(), by_name: BTreeMap::new() });

/// The one of these keys that is in a certificate, DER.
pub(crate) fn key_in(certificate: &[u8]) -> SigningKey<Sha256> {
    let certificate = Certificate::from_der(certificate).unwrap();
    let is_it = |key: &&SigningKey<Sha256>| {
        let info = key.verifying_key().to_public_key_der().unwrap();
        certificate.certifies(info.as_bytes())
    };
    let keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.by_name.values().find(is_it).expect("it has one of these keys").clone()
}

/// The key of the holder with this name, the same for a whole run.
pub(crate) fn key_of(name: &str) -> SigningKey<Sha256> {
    let Keys { primes, by_name } = &mut *KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = by_name.len();
    by_name.entry(name.to_owned()).or_insert_with(|| key(primes, number)).clone()
}

/// The same as a pair.
pub(crate) fn key_pair_of(name: &str) -> KeyPair {
    let key = AsRef::<rsa::RsaPrivateKey>::as_ref(&key_of(name)).to_pkcs8_der().unwrap();
    KeyPair::from_private_key_info(key.as_bytes()).unwrap()
}

/// The key with this number: of the first two primes, then of the third and each one before it, and so on.
fn key(primes: &mut Vec<Box<[u8]>>, number: usize) -> SigningKey<Sha256> {
    let (mut earlier, mut later) = (number, 1);
    while earlier >= later {
        earlier -= later;
        later += 1;
    }
    while primes.len() <= later {
        let found = key_generation::generate(SIZE, &mut rand::rng()).unwrap().signing_key();
        let found: &rsa::RsaPrivateKey = found.as_ref();
        primes.extend(found.primes().iter().map(|prime| prime.to_be_bytes_trimmed_vartime()));
    }
    KeyPair::from_primes(SIZE.bits(), &primes[earlier], &primes[later]).unwrap().signing_key()
}
