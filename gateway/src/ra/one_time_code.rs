//! One-time codes: what a person or a device shows to be the one that a certificate was promised to.
//!
//! A code is told once. The database has its SHA-256, and nothing else of it.

use keyside_core::domain::transaction_id::TransactionId;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A new code: 128 random bits as transaction IDs have them, in a form that a person can copy by hand.
pub fn new() -> Zeroizing<String> {
    Zeroizing::new(TransactionId::random(&mut rand::rng()).to_string())
}

/// The SHA-256 of a code, which the database has. One round is enough: 128 random bits are not guessed.
pub fn hash(code: &str) -> Vec<u8> {
    // However it was typed.
    let canonical = code.parse::<TransactionId>().map(|id| Zeroizing::new(id.to_string()));
    Sha256::digest(canonical.as_ref().map_or(code, |id| id.as_str())).to_vec()
}
