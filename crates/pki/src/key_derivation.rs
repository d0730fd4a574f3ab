//! PBKDF2 with HMAC-SHA-256 (RFC 8018, section 5.2) for what Keyside encrypts, by the fastest that is at hand: browsers have one that is compiled for the
//! processor, and runs beside their scripts.
#![allow(async_fn_in_trait, reason = "every caller runs on one thread")]

use core::future::{Future, ready};
use core::pin::Pin;

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The size of a key in bytes: of AES-256.
pub const KEY_SIZE: usize = 32;

/// A key of AES-256, wiped when dropped.
pub type Key = Zeroizing<[u8; KEY_SIZE]>;

/// A key that is being derived.
pub type Deriving = Pin<Box<dyn Future<Output = Key>>>;

/// Derives keys.
pub trait Pbkdf2 {
    /// Begins to derive a key. It may be derived elsewhere meanwhile, and is there when the returned future is awaited.
    async fn begin(&self, passphrase: &[u8], salt: &[u8], iterations: u32) -> Deriving;
}

/// Derives on this thread, at once.
#[derive(Clone, Copy, Debug)]
pub struct OnThisThread;

impl OnThisThread {
    /// Derives a key.
    pub fn derive(passphrase: &[u8], salt: &[u8], iterations: u32) -> Key {
        let mut key = Key::default();
        pbkdf2_hmac::<Sha256>(passphrase, salt, iterations, &mut *key);
        key
    }
}

impl Pbkdf2 for OnThisThread {
    async fn begin(&self, passphrase: &[u8], salt: &[u8], iterations: u32) -> Deriving {
        Box::pin(ready(Self::derive(passphrase, salt, iterations)))
    }
}
