//! Montgomery's products (Montgomery 1985) of two pairs of numbers, without the last subtraction (Walter 1999), in doubles.
//!
//! # A product of two limbs
//!
//! It has up to 2^102, and a double 53 bits. With C = 1.5·2^103, `high` = a·b + C is rounded to a multiple of 2^51, and with D = 1.5·2^52 `low` =
//! a·b + (C + D - high) is exact. The bits of these doubles, taken for integers, are those of C and D, plus h and l, where
//! a·b = h·2^51 + l. So integers are added, and the bits of C and D are taken off once a column.
//!
//! # A column
//!
//! Its products and the carry sum up to L + carry + 2^51·H. With v = L + carry + 2^51·(H mod 2), the limb is v modulo 2^52,
//! balanced, and the next carry is ⌊(v + 2^51)/2^52⌋ + ⌊H/2⌋. [`BIAS`] makes both H and L positive, so that shifts need not know of signs.
//!
//! # The reduction
//!
//! The modulus is -1 modulo 2^52 ([`Number::multiple_to_reduce_by`](crate::number::Number::multiple_to_reduce_by)). So the limb of a column in the
//! lower half, of products of quotients and limbs of the modulus as well, is the quotient itself: it makes this limb zero.

use core::iter::zip;

use crate::number::Pair;
use crate::vector::Vector;

/// C.
const HIGH: f64 = 1.5 * (1_u128 << 103) as f64;
/// D.
const LOW: f64 = 1.5 * (1_u64 << 52) as f64;
/// Added to H and L.
const BIAS: u64 = 1 << 60;
/// The biases of H and L in a carry.
const CARRY_BIAS: u64 = (BIAS >> 52) + (BIAS >> 1);
/// Half a limb's range.
const HALF: u64 = 1 << 51;
const MASK: u64 = (1 << 52) - 1;
/// The bits of 2^52, as a double: below it is room for a limb.
const TWO_TO_52: u64 = 0x4330 << 48;

/// C and C + D, in both lanes.
#[derive(Clone, Copy)]
struct Constants {
    high: Vector,
    both: Vector,
}

impl Constants {
    fn new() -> Self {
        // The compiler would load them again for each product, if it knew what they are.
        let [high, both] = core::hint::black_box([HIGH, HIGH + LOW]);
        Self { high: Vector::of_doubles([high; 2]), both: Vector::of_doubles([both; 2]) }
    }
}

/// The sums of a column's products: `high` and `low` of each, as integers.
#[derive(Clone, Copy)]
struct Column {
    high: Vector,
    low: Vector,
    /// The number of products.
    products: u64,
}

impl Column {
    const ZERO: Self = Self { high: Vector::ZERO, low: Vector::ZERO, products: 0 };

    /// With one product more, which is not counted yet.
    #[inline(always)]
    fn with(self, constants: Constants, a: Vector, b: Vector) -> Self {
        let high = a.multiply_add(b, constants.high);
        let low = a.multiply_add(b, constants.both.minus(high));
        Self { high: self.high.plus(high), low: self.low.plus(low), ..self }
    }

    #[inline(always)]
    fn with_product(self, constants: Constants, a: Vector, b: Vector) -> Self {
        Self { products: self.products + 1, ..self }.with(constants, a, b)
    }

    #[inline(always)]
    fn doubled(self) -> Self {
        Self { high: self.high.plus(self.high), low: self.low.plus(self.low), products: self.products * 2 }
    }
}

/// Two neighbouring columns.
#[derive(Clone, Copy)]
struct Columns([Column; 2]);

impl Columns {
    const ZERO: Self = Self([Column::ZERO; 2]);

    /// With the products of `a`, from the front, and of `b`, which is one longer, from the back: of the second column with the last of `b`
    /// first, of the first column with the one before.
    #[inline(always)]
    fn with_products(self, constants: Constants, a: &[Vector], b: &[Vector]) -> Self {
        let Self([mut first, mut second]) = self;
        let Some((&last, before)) = b.split_last() else { return self };
        let mut upper = last;
        // One load for two products.
        for (&a, &lower) in zip(a, before.iter().rev()) {
            second = second.with(constants, a, upper);
            first = first.with(constants, a, lower);
            upper = lower;
        }
        first.products += a.len() as u64;
        second.products += a.len() as u64;
        Self([first, second])
    }
}

/// Columns `place` and `place + 1` of the square of `number`, which has `length` limbs; `place` is even.
#[inline(always)]
fn columns_of_square(constants: Constants, number: &[Vector], length: usize, place: usize) -> Columns {
    let (from, middle) = ((place + 1).saturating_sub(length), place / 2);
    let (Some(a), Some(b)) = (number.get(from..middle), number.get(middle + 1..=place + 1 - from)) else {
        return Columns::ZERO;
    };
    let Columns([first, second]) = Columns::ZERO.with_products(constants, a, b);
    let (Some(&middle), Some(&next)) = (number.get(middle), number.get(middle + 1)) else { return Columns::ZERO };
    // Each product of two different limbs counts twice.
    let second = second.with_product(constants, middle, next).doubled();
    Columns([first.doubled().with_product(constants, middle, middle), second])
}

/// Columns `place` and `place + 1` of the product of `a` and `b`, which have `length` limbs.
#[inline(always)]
fn columns_of_product(constants: Constants, a: &[Vector], b: &[Vector], length: usize, place: usize) -> Columns {
    let from = (place + 1).saturating_sub(length);
    let to = place.min(length - 1);
    let (Some(lower), Some(upper)) = (a.get(from..=to), b.get(place - to..=place + 1 - from)) else {
        return Columns::ZERO;
    };
    let Columns([first, second]) = Columns::ZERO.with_products(constants, lower, upper);
    match (a.get(to + 1), b.first()) {
        (Some(&next), Some(&lowest)) if to == place => Columns([first, second.with_product(constants, next, lowest)]),
        _ => Columns([first, second]),
    }
}

/// The limb and the next carry of a column.
#[inline(always)]
fn finish(high: Vector, low: Vector, carry: Vector) -> (Vector, Vector) {
    let sum = low.plus(carry).plus(high.shifted_left::<63>().shifted_right::<12>());
    let limb = sum.and(Vector::of_integers([MASK; 2])).or(Vector::of_integers([TWO_TO_52; 2]));
    let limb = limb.minus(Vector::of_doubles([LOW; 2]));
    (limb, sum.shifted_right::<52>().plus(high.shifted_right::<1>()))
}

/// A column in the lower half.
#[inline(always)]
fn finish_lower(column: Column, carry: Vector) -> (Vector, Vector) {
    let high = BIAS.wrapping_sub(column.products.wrapping_mul(HIGH.to_bits()));
    let low = (BIAS + HALF - CARRY_BIAS).wrapping_sub(column.products.wrapping_mul(LOW.to_bits()));
    let high = column.high.plus(Vector::of_integers([high; 2]));
    finish(high, column.low.plus(Vector::of_integers([low; 2])), carry)
}

/// A column in the upper half, doubled where `doubling` has ones.
#[inline(always)]
fn finish_upper(column: Column, carry: Vector, doubling: Vector) -> (Vector, Vector) {
    let without = |sum: Vector, bits: u64| {
        let sum = sum.plus(Vector::of_integers([0_u64.wrapping_sub(column.products.wrapping_mul(bits)); 2]));
        sum.plus(sum.and(doubling))
    };
    let high = without(column.high, HIGH.to_bits()).plus(Vector::of_integers([BIAS; 2]));
    let bias = BIAS + HALF - CARRY_BIAS;
    finish(high, without(column.low, LOW.to_bits()).plus(Vector::of_integers([bias; 2])), carry)
}

/// Products modulo a pair of numbers, with room for the quotients.
pub(crate) struct Arithmetic {
    constants: Constants,
    modulus: Pair,
    quotients: Pair,
}

impl Arithmetic {
    /// Modulo a pair of [multiples to reduce by](crate::number::Number::multiple_to_reduce_by).
    pub(crate) fn modulo(modulus: Pair) -> Self {
        let quotients = Pair::zero(modulus.length());
        Self { constants: Constants::new(), modulus, quotients }
    }

    /// `number` becomes its square / R, doubled where `doubling` has ones.
    #[inline(never)]
    pub(crate) fn square(&mut self, number: &mut Pair, doubling: Vector) {
        let (constants, length) = (self.constants, self.modulus.length());
        self.reduce(number, doubling, |number, place| columns_of_square(constants, number, length, place));
    }

    /// `number` becomes its product with `other`, / R.
    #[inline(never)]
    pub(crate) fn multiply(&mut self, number: &mut Pair, other: &Pair) {
        let (constants, length, other) = (self.constants, self.modulus.length(), other.limbs());
        self.reduce(number, Vector::ZERO, |number, place| columns_of_product(constants, number, other, length, place));
    }

    /// Makes of `number` the number that `columns` gives two columns of at a time, / R, doubled where `doubling` has ones. A limb is overwritten
    /// when no column needs it any more.
    #[inline(always)]
    fn reduce(&mut self, number: &mut Pair, doubling: Vector, columns: impl Fn(&[Vector], usize) -> Columns) {
        let Self { constants, modulus, quotients } = self;
        let (constants, length) = (*constants, modulus.length());
        let (modulus, quotients, number) = (modulus.limbs(), quotients.limbs_mut(), number.limbs_mut());
        let Some(&second_limb) = modulus.get(1) else { return };
        let mut carry = Vector::of_integers([CARRY_BIAS; 2]);
        // The lower half, and the first column of the upper: their count is even.
        for place in (0..length).step_by(2) {
            let (Some(before), Some(limbs)) = (quotients.get(..place), modulus.get(1..=place + 1)) else { return };
            let Columns([first, second]) = columns(number, place).with_products(constants, before, limbs);
            let (quotient, next) = finish_lower(first, carry);
            let second = second.with_product(constants, quotient, second_limb);
            let Some([lower, upper]) = quotients.get_mut(place..place + 2) else { return };
            *lower = quotient;
            if place + 1 < length {
                (*upper, carry) = finish_lower(second, next);
            } else if let Some(lowest) = number.first_mut() {
                let next = next.plus(Vector::of_integers([CARRY_BIAS.wrapping_neg(); 2]));
                let next = next.plus(next.and(doubling)).plus(Vector::of_integers([CARRY_BIAS; 2]));
                (*lowest, carry) = finish_upper(second, next, doubling);
            }
        }
        // The rest of the upper half.
        for place in (length + 1..2 * length).step_by(2) {
            let from = place + 1 - length;
            let (Some(rest), Some(limbs)) = (quotients.get(from..length), modulus.get(from..=length)) else { return };
            let Columns([first, second]) = columns(number, place).with_products(constants, rest, limbs);
            let Some([lower, upper]) = number.get_mut(place - length..place - length + 2) else { return };
            (*lower, carry) = finish_upper(first, carry, doubling);
            if place + 1 < 2 * length - 1 {
                (*upper, carry) = finish_upper(second, carry, doubling);
            } else {
                // The highest limb has the sign: it is the carry.
                let carry = carry.plus(Vector::of_integers([LOW.to_bits().wrapping_sub(CARRY_BIAS); 2]));
                *upper = carry.minus(Vector::of_doubles([LOW; 2]));
            }
        }
    }
}
