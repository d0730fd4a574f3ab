//! Serial numbers of certificates.

use rand::CryptoRng;

/// Bytes in a serial number: 128 random bits, so that none ever comes twice and none can be foretold.
const SIZE: usize = 16;

/// Draws a serial number: unsigned, most significant byte first, positive (RFC 5280, section 4.1.2.2).
///
/// The first byte is never zero: DER would leave it out, and the number in a certificate would not be the one that is kept.
pub fn random(rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    while bytes.first() == Some(&0) {
        rng.fill_bytes(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use der::Encode;
    use x509_cert::serial_number::SerialNumber;

    use super::*;

    #[test]
    fn der_keeps_every_byte() {
        // One in 256 would begin with a zero byte.
        for _ in 0..5_000 {
            let drawn = random(&mut rand::rng());
            let serial_number: SerialNumber = SerialNumber::new(&drawn).unwrap();
            let der = serial_number.to_der().unwrap();
            assert!(der.ends_with(&drawn) && der.len() >= SIZE + 2, "{drawn:x?}");
        }
    }
}
