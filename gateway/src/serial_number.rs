//! Serial numbers of certificates.

use rand::CryptoRng;

/// Random bytes in a serial number: 128 bits, so that none ever comes twice and none can be foretold.
const SIZE: usize = 16;

/// Draws a serial number: unsigned, most significant byte first, positive (RFC 5280, section 4.1.2.2).
pub fn random(rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    while bytes.iter().all(|&byte| byte == 0) {
        rng.fill_bytes(&mut bytes);
    }
    bytes
}
