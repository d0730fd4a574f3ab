//! The key derivation of PKCS#12 (RFC 7292, appendix B): for its own encryption, and for the MAC of a PFX.

use hmac::digest::FixedOutputReset;
use hmac::digest::block_api::BlockSizeUser;
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use sha2::Digest;
use zeroize::Zeroizing;

/// A passphrase as RFC 7292, appendix B.1, wants it: big-endian UTF-16 with a zero character at its end.
///
/// Characters outside the Basic Multilingual Plane are written as OpenSSL does, as surrogates.
pub(crate) fn password(passphrase: &str) -> Zeroizing<Vec<u8>> {
    let mut password = Zeroizing::new(Vec::with_capacity(2 * passphrase.len() + 2));
    for unit in passphrase.encode_utf16() {
        password.extend(unit.to_be_bytes());
    }
    password.extend([0, 0]);
    password
}

/// Derives `size` bytes from a [`password`] (RFC 7292, appendix B.2).
pub(crate) fn derive<D>(
    password: &[u8],
    salt: &[u8],
    kind: Pkcs12KeyType,
    iterations: i32,
    size: usize,
) -> Zeroizing<Vec<u8>>
where
    D: Digest + FixedOutputReset + BlockSizeUser,
{
    Zeroizing::new(derive_key::<D>(password, salt, kind, iterations, size))
}
