//! The odd primes below a bound.

/// All odd primes below `bound`, smallest first, by Eratosthenes' sieve.
pub(crate) fn odd_primes(bound: u32) -> Vec<u32> {
    // Place i stands for 2i + 1.
    let places = bound as usize / 2;
    let mut is_composite = vec![false; places];
    let mut primes = Vec::new();
    for place in 1..places {
        if is_composite.get(place).copied().unwrap_or(true) {
            continue;
        }
        let prime = 2 * place + 1;
        primes.push(prime as u32);
        // Smaller multiples have a smaller divisor. Where usize has 32 bits, the square of a large prime does not fit, and lies beyond the bound.
        if let Some(square) = prime.checked_mul(prime) {
            is_composite.iter_mut().skip(square / 2).step_by(prime).for_each(|multiple| *multiple = true);
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_odd_primes() {
        assert_eq!(odd_primes(32), [3, 5, 7, 11, 13, 17, 19, 23, 29, 31]);
    }

    #[test]
    fn as_many_as_there_are() {
        // π(2^16) = 6542 and π(2^20) = 82025 (OEIS A007053), with 2.
        assert_eq!(odd_primes(1 << 16).len(), 6541);
        assert_eq!(odd_primes(1 << 20).len(), 82_024);
    }
}
