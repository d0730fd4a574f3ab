//! Numbers of up to 2048 bits in limbs of 52.

use core::iter::zip;

use zeroize::Zeroizing;

use crate::MAXIMUM_SIZE;
use crate::vector::Vector;

/// The bits of a limb.
pub(crate) const BITS: usize = 52;
const MASK: u64 = (1 << BITS) - 1;

/// The limbs that arithmetic modulo a number of `bits` bits takes: R = 2^(52·limbs) is at least 16 times the multiple of the number that the
/// products are reduced by, which has 52 bits more. The count is odd.
pub(crate) const fn limbs_for(bits: usize) -> usize {
    (bits + BITS + 4).div_ceil(BITS) | 1
}

/// The limbs of the longest number.
pub(crate) const MOST_LIMBS: usize = limbs_for(MAXIMUM_SIZE * 8);

/// A number that is not negative, least significant limb first; wiped when dropped. Its place has a fixed size: the module needs no allocator.
#[derive(Clone)]
pub(crate) struct Number {
    limbs: Zeroizing<[u64; MOST_LIMBS]>,
    length: usize,
}

impl Number {
    /// Zero, in `length` limbs, at most [`MOST_LIMBS`].
    fn zero(length: usize) -> Self {
        Self { limbs: Zeroizing::new([0; MOST_LIMBS]), length: length.min(MOST_LIMBS) }
    }

    /// Of big-endian bytes, in `length` limbs, which are enough.
    pub(crate) fn of_bytes(bytes: &[u8], length: usize) -> Self {
        let mut number = Self::zero(length);
        let mut bytes = bytes.iter().rev();
        let (mut held, mut held_bits) = (0_u64, 0);
        for limb in number.limbs_mut() {
            while held_bits < BITS {
                held |= u64::from(bytes.next().copied().unwrap_or(0)) << held_bits;
                held_bits += 8;
            }
            *limb = held & MASK;
            held >>= BITS;
            held_bits -= BITS;
        }
        number
    }

    fn limbs(&self) -> &[u64] {
        self.limbs.get(..self.length).unwrap_or_default()
    }

    fn limbs_mut(&mut self) -> &mut [u64] {
        self.limbs.get_mut(..self.length).unwrap_or_default()
    }

    /// The two lowest limbs, modulo 2^64.
    fn lowest(&self) -> u64 {
        let [first, second, ..] = *self.limbs;
        first | second << BITS
    }

    /// 1/self modulo 2^64, if self is odd: by Newton's iteration, which doubles the number of right bits, beginning with three.
    fn inverse(&self) -> u64 {
        let odd = self.lowest();
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        inverse
    }

    /// The multiple of an odd number that is -1 modulo 2^52: modulo it, a limb is its own quotient.
    pub(crate) fn multiple_to_reduce_by(&self) -> Self {
        let factor = self.inverse().wrapping_neg() & MASK;
        let mut multiple = self.clone();
        let mut carry = 0;
        for limb in multiple.limbs_mut() {
            carry += u128::from(*limb) * u128::from(factor);
            *limb = carry as u64 & MASK;
            carry >>= BITS;
        }
        multiple
    }

    /// R modulo self, which has `bits` bits, the highest of which is set: Montgomery's 1.
    pub(crate) fn montgomery_one(&self, bits: usize) -> Self {
        // 2^bits - self is 2^bits modulo self.
        let mut power = Self::zero(self.length);
        if let Some(limb) = power.limbs_mut().get_mut(bits / BITS) {
            *limb = 1 << (bits % BITS);
        }
        power.subtract(self);
        for _ in bits..self.length * BITS {
            power.double();
            if power.is_at_least(self) {
                power.subtract(self);
            }
        }
        power
    }

    /// self - other, where other is not larger.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut difference = self.clone();
        difference.subtract(other);
        difference
    }

    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (limb, &other) in zip(self.limbs_mut(), other.limbs()) {
            let difference = limb.wrapping_sub(other).wrapping_sub(borrow);
            *limb = difference & MASK;
            borrow = difference >> 63;
        }
    }

    fn double(&mut self) {
        let mut carry = 0;
        for limb in self.limbs_mut() {
            let twice = *limb << 1 | carry;
            *limb = twice & MASK;
            carry = twice >> BITS;
        }
    }

    fn is_at_least(&self, other: &Self) -> bool {
        self.limbs().iter().rev().ge(other.limbs().iter().rev())
    }

    /// The limbs as doubles between -2^51 and 2^51 - 1, but for the highest, which is not negative.
    fn balanced(&self) -> impl Iterator<Item = f64> {
        let last = self.length.saturating_sub(1);
        let mut carry = 0;
        self.limbs().iter().enumerate().map(move |(index, &limb)| {
            let limb = limb + carry;
            carry = u64::from(index < last && limb >= 1 << (BITS - 1));
            limb as f64 - (carry << BITS) as f64
        })
    }
}

/// A number in each lane, in balanced limbs: from -2^51 to 2^51 - 1, as doubles, least significant first; the highest has the sign. The limb after
/// the highest is zero. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct Pair {
    limbs: [Vector; MOST_LIMBS + 1],
    length: usize,
}

impl Pair {
    /// Zeros with `length` limbs, at most [`MOST_LIMBS`].
    pub(crate) fn zero(length: usize) -> Self {
        Self { limbs: [Vector::ZERO; MOST_LIMBS + 1], length: length.min(MOST_LIMBS) }
    }

    /// Two numbers with as many limbs.
    pub(crate) fn of([first, second]: [&Number; 2]) -> Self {
        let mut pair = Self::zero(first.length);
        for (limb, (first, second)) in zip(&mut pair.limbs, zip(first.balanced(), second.balanced())) {
            *limb = Vector::of_doubles([first, second]);
        }
        pair
    }

    /// The count of the limbs, without the zero after them.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// The limbs, and the zero after them.
    pub(crate) fn limbs(&self) -> &[Vector] {
        self.limbs.get(..=self.length).unwrap_or_default()
    }

    /// The same, to be changed.
    pub(crate) fn limbs_mut(&mut self) -> &mut [Vector] {
        self.limbs.get_mut(..=self.length).unwrap_or_default()
    }

    /// Returns true for each lane that is `number` modulo `modulus`, an odd number, given for the lane. The difference may be 2^63 times the
    /// modulus.
    pub(crate) fn is_congruent(&self, numbers: [&Number; 2], moduli: [&Number; 2]) -> [bool; 2] {
        let ([first, second], [first_modulus, second_modulus]) = (numbers, moduli);
        [is_congruent(&*self.lane(0), first, first_modulus), is_congruent(&*self.lane(1), second, second_modulus)]
    }

    /// The limbs of one lane, and zeros after them.
    pub(crate) fn lane(&self, lane: usize) -> Zeroizing<[i64; MOST_LIMBS + 1]> {
        let mut limbs = Zeroizing::new([0; MOST_LIMBS + 1]);
        for (limb, pair) in zip(limbs.iter_mut(), self.limbs()) {
            *limb = pair.doubles().get(lane).map_or(0, |&limb| limb as i64);
        }
        limbs
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.limbs.fill(Vector::ZERO);
        zeroize::optimization_barrier(&self.limbs);
    }
}

fn is_congruent(limbs: &[i64], number: &Number, modulus: &Number) -> bool {
    let mut differences = zip(limbs, number.limbs()).map(|(limb, &number)| limb - number as i64);
    let lowest = match (limbs, number.limbs()) {
        ([first, second, ..], [number_first, number_second, ..]) => {
            let [first, second] = [first - *number_first as i64, second - *number_second as i64];
            (first as u64).wrapping_add((second as u64) << BITS)
        }
        _ => return false,
    };
    // If it is a multiple of the modulus, it is this one.
    let quotient = lowest.wrapping_mul(modulus.inverse()) as i64;
    let mut carry = 0_i128;
    for (limb, &modulus) in zip(&mut differences, modulus.limbs()) {
        carry += i128::from(limb) - i128::from(quotient) * i128::from(modulus);
        if carry as u64 & MASK != 0 {
            return false;
        }
        carry >>= BITS;
    }
    carry == 0
}
