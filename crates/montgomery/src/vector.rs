//! Two lanes of 64 bits, each a double or an integer, as the operation takes it: the same is done in both.
//!
//! In WebAssembly these are vector instructions, among them the relaxed multiply-add, which rounds once or twice as the processor likes
//! ([`Vector::is_fused`]); elsewhere plain arithmetic that means the same, and rounds once, for tests.

/// Two lanes.
#[derive(Clone, Copy)]
pub(crate) struct Vector(imp::Vector);

impl Vector {
    /// Integers and doubles that are zero.
    pub(crate) const ZERO: Self = Self(imp::ZERO);

    pub(crate) fn of_doubles(lanes: [f64; 2]) -> Self {
        Self(imp::of_doubles(lanes))
    }

    pub(crate) fn of_integers(lanes: [u64; 2]) -> Self {
        Self(imp::of_integers(lanes))
    }

    pub(crate) fn doubles(self) -> [f64; 2] {
        imp::doubles(self.0)
    }

    /// Doubles: self·factor + summand, rounded once where the processor can.
    #[inline(always)]
    pub(crate) fn multiply_add(self, factor: Self, summand: Self) -> Self {
        Self(imp::multiply_add(self.0, factor.0, summand.0))
    }

    /// Doubles: self - other.
    #[inline(always)]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(imp::subtract(self.0, other.0))
    }

    /// Integers modulo 2^64: self + other.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(imp::add(self.0, other.0))
    }

    /// Bits.
    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(imp::and(self.0, other.0))
    }

    /// Bits.
    #[inline(always)]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(imp::or(self.0, other.0))
    }

    /// Integers, with zeros from above.
    #[inline(always)]
    pub(crate) fn shifted_right<const BITS: u32>(self) -> Self {
        Self(imp::shift_right::<BITS>(self.0))
    }

    /// Integers, with zeros from below.
    #[inline(always)]
    pub(crate) fn shifted_left<const BITS: u32>(self) -> Self {
        Self(imp::shift_left::<BITS>(self.0))
    }

    /// Returns true if [`Self::multiply_add`] rounds once: (1 + 2^-30)^2 - (1 + 2^-29) is 2^-60 then, and 0 otherwise.
    pub(crate) fn is_fused() -> bool {
        let small = 1.0 / f64::from(1 << 30);
        let [factor, summand] = core::hint::black_box([1.0 + small, -(1.0 + 2.0 * small)]);
        let factor = Self::of_doubles([factor; 2]);
        factor.multiply_add(factor, Self::of_doubles([summand; 2])).doubles() != [0.0; 2]
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod imp {
    use core::arch::wasm32::{
        f64x2, f64x2_extract_lane, f64x2_relaxed_madd, f64x2_sub, i64x2_add, i64x2_shl, u64x2, u64x2_shr, v128,
        v128_and, v128_or,
    };

    pub(super) type Vector = v128;

    pub(super) const ZERO: Vector = u64x2(0, 0);

    pub(super) fn of_doubles([a, b]: [f64; 2]) -> Vector {
        f64x2(a, b)
    }

    pub(super) fn of_integers([a, b]: [u64; 2]) -> Vector {
        u64x2(a, b)
    }

    pub(super) fn doubles(vector: Vector) -> [f64; 2] {
        [f64x2_extract_lane::<0>(vector), f64x2_extract_lane::<1>(vector)]
    }

    #[inline(always)]
    pub(super) fn multiply_add(a: Vector, b: Vector, c: Vector) -> Vector {
        f64x2_relaxed_madd(a, b, c)
    }

    #[inline(always)]
    pub(super) fn subtract(a: Vector, b: Vector) -> Vector {
        f64x2_sub(a, b)
    }

    #[inline(always)]
    pub(super) fn add(a: Vector, b: Vector) -> Vector {
        i64x2_add(a, b)
    }

    #[inline(always)]
    pub(super) fn and(a: Vector, b: Vector) -> Vector {
        v128_and(a, b)
    }

    #[inline(always)]
    pub(super) fn or(a: Vector, b: Vector) -> Vector {
        v128_or(a, b)
    }

    #[inline(always)]
    pub(super) fn shift_right<const BITS: u32>(a: Vector) -> Vector {
        u64x2_shr(a, BITS)
    }

    #[inline(always)]
    pub(super) fn shift_left<const BITS: u32>(a: Vector) -> Vector {
        i64x2_shl(a, BITS)
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
mod imp {
    pub(super) type Vector = [u64; 2];

    pub(super) const ZERO: Vector = [0; 2];

    pub(super) fn of_doubles(lanes: [f64; 2]) -> Vector {
        lanes.map(f64::to_bits)
    }

    pub(super) fn of_integers(lanes: [u64; 2]) -> Vector {
        lanes
    }

    pub(super) fn doubles(vector: Vector) -> [f64; 2] {
        vector.map(f64::from_bits)
    }

    #[inline(always)]
    pub(super) fn multiply_add(a: Vector, b: Vector, c: Vector) -> Vector {
        let ([a_0, a_1], [b_0, b_1], [c_0, c_1]) = (doubles(a), doubles(b), doubles(c));
        of_doubles([a_0.mul_add(b_0, c_0), a_1.mul_add(b_1, c_1)])
    }

    #[inline(always)]
    pub(super) fn subtract(a: Vector, b: Vector) -> Vector {
        let ([a_0, a_1], [b_0, b_1]) = (doubles(a), doubles(b));
        of_doubles([a_0 - b_0, a_1 - b_1])
    }

    #[inline(always)]
    pub(super) fn add([a_0, a_1]: Vector, [b_0, b_1]: Vector) -> Vector {
        [a_0.wrapping_add(b_0), a_1.wrapping_add(b_1)]
    }

    #[inline(always)]
    pub(super) fn and([a_0, a_1]: Vector, [b_0, b_1]: Vector) -> Vector {
        [a_0 & b_0, a_1 & b_1]
    }

    #[inline(always)]
    pub(super) fn or([a_0, a_1]: Vector, [b_0, b_1]: Vector) -> Vector {
        [a_0 | b_0, a_1 | b_1]
    }

    #[inline(always)]
    pub(super) fn shift_right<const BITS: u32>(a: Vector) -> Vector {
        a.map(|lane| lane >> BITS)
    }

    #[inline(always)]
    pub(super) fn shift_left<const BITS: u32>(a: Vector) -> Vector {
        a.map(|lane| lane << BITS)
    }
}
