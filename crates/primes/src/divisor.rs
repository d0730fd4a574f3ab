//! Division by small odd numbers, prepared once for all numbers of one length.

/// An odd divisor, from 3 to 2^31 - 1, of numbers of a certain count of 32-bit digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor {
    value: u32,
    /// -1/value modulo 2^32.
    negative_inverse: u32,
    /// 2^(32·(digits + 1)) modulo the value.
    power: u32,
}

impl Divisor {
    /// Prepares `value` for numbers of `digits` digits, at least one.
    pub(crate) fn new(value: u32, digits: usize) -> Self {
        let mut divisor = Self { value, negative_inverse: negative_inverse(value), power: 0 };
        // 2^32, then 2^64, modulo the divisor. These are the only divisions.
        let r = (1 << 32) % u64::from(value);
        let square = r * r % u64::from(value);
        divisor.power = divisor.power_of_r(digits + 1, square as u32) % value;
        divisor
    }

    pub(crate) const fn value(&self) -> u32 {
        self.value
    }

    /// `number` (32-bit digits, least significant first, as many as the divisors were prepared for) modulo each of four divisors.
    ///
    /// Montgomery's reduction, digit by digit (Montgomery 1985), which takes no division; four at once, so that the processor need not wait.
    pub(crate) fn remainders(divisors: &[Self; 4], number: &[u32]) -> [u32; 4] {
        let mut sums = [0_u32; 4];
        for &digit in number {
            for (sum, divisor) in core::iter::zip(&mut sums, divisors) {
                *sum = divisor.reduce(u64::from(*sum) + u64::from(digit));
            }
        }
        // Now each sum is number / 2^(32·digits), modulo its divisor: put the power back.
        for (sum, divisor) in core::iter::zip(&mut sums, divisors) {
            *sum = divisor.reduce(u64::from(*sum) * u64::from(divisor.power)) % divisor.value;
        }
        sums
    }

    /// `total`/2^32 modulo the divisor: at most the divisor if `total` is at most the product of two numbers that are, or the sum of one and a
    /// digit.
    fn reduce(&self, total: u64) -> u32 {
        let multiple = (total as u32).wrapping_mul(self.negative_inverse);
        ((total + u64::from(multiple) * u64::from(self.value)) >> 32) as u32
    }

    /// 2^(32·exponent), at least 2, modulo the divisor, or the divisor. `square` is 2^64 modulo the divisor.
    fn power_of_r(&self, exponent: usize, square: u32) -> u32 {
        // Reducing the product of two powers takes one from the sum of their exponents.
        match exponent {
            ..=2 => square,
            odd if odd % 2 == 1 => {
                let half = u64::from(self.power_of_r(odd.div_ceil(2), square));
                self.reduce(half * half)
            }
            even => self.reduce(u64::from(self.power_of_r(even - 1, square)) * u64::from(square)),
        }
    }
}

/// -1/odd modulo 2^32, by Newton's iteration: each round doubles the number of right bits, beginning with three.
pub(crate) fn negative_inverse(odd: u32) -> u32 {
    let mut inverse = odd;
    for _ in 0..4 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// The remainder, digit by digit from the top, as on paper.
    fn remainder(number: &[u32], divisor: u32) -> u32 {
        let divide = |rest: u64, &digit: &u32| ((rest << 32) + u64::from(digit)) % u64::from(divisor);
        number.iter().rev().fold(0, divide) as u32
    }

    #[test]
    fn remainders_are_those_of_long_division() {
        let values = [[3, 5, 7, 11], [65_537, 1_048_573, 1_048_571, 3], [0x7FFF_FFFF, 9, 15, 0x7FFF_FFFD]];
        for digits in (1..=66).chain([128]) {
            let random = (0..digits).map(|_| rand::rng().random()).collect();
            for number in [random, vec![u32::MAX; digits], vec![0; digits], vec![0x8000_0001; digits]] {
                for values in values {
                    let divisors = values.map(|value| Divisor::new(value, digits));
                    let expected = values.map(|value| remainder(&number, value));
                    assert_eq!(Divisor::remainders(&divisors, &number), expected, "{number:x?} by {values:?}");
                }
            }
        }
    }

    #[test]
    fn negative_inverses_are() {
        for odd in [1_u32, 3, 65_537, 0xFFFF_FFFF, 0x1234_5679] {
            assert_eq!(odd.wrapping_mul(negative_inverse(odd)), u32::MAX);
        }
    }
}
