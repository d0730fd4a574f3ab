//! Primes, and what is measured of each.

use crypto_primes::{Flavor, is_prime};
use pkcs8::DecodePrivateKey;
use rand::Rng;
use rsa::traits::PrivateKeyParts;
use rsa::{BoxedUint, RsaPrivateKey};

use crate::{Result, gap};

/// A prime's size in bytes.
const SIZE: usize = 128;

/// The first 64 bits of √2·2^1023, rounded up: no prime of a key of 2048 bits is smaller (FIPS 186-5, appendix A.1.3, step 4.4).
const SMALLEST: u64 = 0xb504_f333_f9de_6485;

/// What is measured of a prime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// The prime divided by 2^1024: its top bits.
    pub(crate) fraction: f64,
    /// The distance to the prime before it.
    pub(crate) gap: u32,
}

/// Many measured primes.
#[derive(Debug)]
pub(crate) struct Sample(pub(crate) Vec<Measured>);

impl From<Vec<Measured>> for Sample {
    fn from(measured: Vec<Measured>) -> Self {
        Self(measured)
    }
}

impl Sample {
    /// The top bits of those from `lowest` on.
    pub(crate) fn fractions(&self, lowest: f64) -> Vec<f64> {
        self.0.iter().map(|measured| measured.fraction).filter(|fraction| *fraction >= lowest).collect()
    }

    /// The distances to the primes before.
    pub(crate) fn gaps(&self) -> Vec<f64> {
        self.0.iter().map(|measured| f64::from(measured.gap)).collect()
    }
}

/// Measures the two primes of a PrivateKeyInfo.
pub(crate) fn primes_of(private_key_info: &[u8]) -> Result<[Measured; 2]> {
    let key = RsaPrivateKey::from_pkcs8_der(private_key_info).map_err(|error| error.to_string())?;
    measure_both(key.primes())
}

/// Makes a key as the crate `rsa` does, with `crypto-primes`: up from a random start to the next prime, the top two bits set.
pub(crate) fn key_of_the_library() -> Result<[Measured; 2]> {
    let key = RsaPrivateKey::new(&mut rand::rng(), 16 * SIZE).map_err(|error| error.to_string())?;
    measure_both(key.primes())
}

/// Draws each candidate anew, uniformly between √2·2^1023 and 2^1024, until `crypto-primes` takes one for a prime: slow, and without bias.
pub(crate) fn uniform_pair() -> Result<[Measured; 2]> {
    Ok([measure(&uniform_prime())?, measure(&uniform_prime())?])
}

fn uniform_prime() -> BoxedUint {
    let mut rng = rand::rng();
    loop {
        let mut bytes = [0; SIZE];
        rng.fill_bytes(&mut bytes);
        let [first @ .., last] = &mut bytes;
        *last |= 1;
        if leading_bits(first) < SMALLEST {
            continue;
        }
        let candidate = BoxedUint::from_be_slice_vartime(&bytes);
        if !gap::has_small_divisor(&candidate) && is_prime(Flavor::Any, &candidate) {
            return candidate;
        }
    }
}

fn measure_both(primes: &[impl AsRef<BoxedUint>]) -> Result<[Measured; 2]> {
    match primes {
        [p, q] => Ok([measure(p.as_ref())?, measure(q.as_ref())?]),
        _ => Err("the key has not two primes".to_owned()),
    }
}

fn measure(prime: &BoxedUint) -> Result<Measured> {
    let bytes = prime.to_be_bytes_trimmed_vartime();
    let leading = leading_bits(&bytes);
    if bytes.len() != SIZE || leading < SMALLEST {
        return Err("a prime is smaller than FIPS 186-5 has it".to_owned());
    }
    // 53 of the 64 bits are left, and that is plenty.
    let fraction = leading as f64 / 2_f64.powi(64);
    Ok(Measured { fraction, gap: gap::to_previous_prime(prime)? })
}

/// The first 64 bits.
fn leading_bits(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}
