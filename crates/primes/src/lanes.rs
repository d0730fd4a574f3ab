//! Two numbers side by side: what is done to the digits of one is done to those of the other, in the same instruction.
//!
//! In WebAssembly these are the vector instructions (simd128); elsewhere plain arithmetic that means the same, for tests and servers.

/// Two neighbouring digits, of 32 bits or fewer, of each of two numbers: (first's lower, second's lower, first's upper, second's upper).
#[derive(Clone, Copy)]
pub(crate) struct Digits(imp::Digits);

/// A sum of products for each of two numbers: 64 bits each, overflow wraps.
#[derive(Clone, Copy)]
pub(crate) struct Sums(imp::Sums);

impl Digits {
    pub(crate) const ZERO: Self = Self(imp::ZERO_DIGITS);

    /// From the lower and the upper digit of each number.
    pub(crate) fn new(lower: [u32; 2], upper: [u32; 2]) -> Self {
        Self(imp::digits(lower, upper))
    }

    /// The lower 32 bits of each sum: `lower`'s as the lower digits, `upper`'s as the upper.
    #[inline(always)]
    pub(crate) fn of(lower: Sums, upper: Sums) -> Self {
        Self(imp::pack(lower.0, upper.0))
    }

    /// Lower and upper digits changed places.
    #[inline(always)]
    pub(crate) fn swapped(self) -> Self {
        Self(imp::swap(self.0))
    }

    /// Each number's lower digit by the other's lower digit.
    #[inline(always)]
    pub(crate) fn product_of_lower(self, other: Self) -> Sums {
        Sums(imp::multiply_lower(self.0, other.0))
    }

    /// Each number's upper digit by the other's upper digit.
    #[inline(always)]
    pub(crate) fn product_of_upper(self, other: Self) -> Sums {
        Sums(imp::multiply_upper(self.0, other.0))
    }

    /// As [`Self::new`] takes them.
    pub(crate) fn get(self) -> [[u32; 2]; 2] {
        imp::get(self.0)
    }
}

impl Sums {
    pub(crate) const ZERO: Self = Self(imp::ZERO_SUMS);

    pub(crate) fn new(sums: [u64; 2]) -> Self {
        Self(imp::sums(sums))
    }

    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(imp::add(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(imp::and(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn doubled(self) -> Self {
        self.plus(self)
    }

    /// Without the lowest `BITS` bits.
    #[inline(always)]
    pub(crate) fn above<const BITS: u32>(self) -> Self {
        Self(imp::shift_right::<BITS>(self.0))
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    use core::arch::wasm32::{
        i64x2_add, u32x4, u32x4_extract_lane, u32x4_shuffle, u64x2, u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4,
        u64x2_shr, v128, v128_and,
    };

    pub(super) type Digits = v128;
    pub(super) type Sums = v128;

    pub(super) const ZERO_DIGITS: Digits = u64x2(0, 0);
    pub(super) const ZERO_SUMS: Sums = u64x2(0, 0);

    pub(super) fn digits([a, b]: [u32; 2], [c, d]: [u32; 2]) -> Digits {
        u32x4(a, b, c, d)
    }

    pub(super) fn sums([a, b]: [u64; 2]) -> Sums {
        u64x2(a, b)
    }

    #[inline(always)]
    pub(super) fn pack(lower: Sums, upper: Sums) -> Digits {
        u32x4_shuffle::<0, 2, 4, 6>(lower, upper)
    }

    #[inline(always)]
    pub(super) fn swap(digits: Digits) -> Digits {
        u32x4_shuffle::<2, 3, 0, 1>(digits, digits)
    }

    #[inline(always)]
    pub(super) fn multiply_lower(a: Digits, b: Digits) -> Sums {
        u64x2_extmul_low_u32x4(a, b)
    }

    #[inline(always)]
    pub(super) fn multiply_upper(a: Digits, b: Digits) -> Sums {
        u64x2_extmul_high_u32x4(a, b)
    }

    pub(super) fn get(digits: Digits) -> [[u32; 2]; 2] {
        let (a, b) = (u32x4_extract_lane::<0>(digits), u32x4_extract_lane::<1>(digits));
        let (c, d) = (u32x4_extract_lane::<2>(digits), u32x4_extract_lane::<3>(digits));
        [[a, b], [c, d]]
    }

    #[inline(always)]
    pub(super) fn add(a: Sums, b: Sums) -> Sums {
        i64x2_add(a, b)
    }

    #[inline(always)]
    pub(super) fn and(a: Sums, b: Sums) -> Sums {
        v128_and(a, b)
    }

    #[inline(always)]
    pub(super) fn shift_right<const BITS: u32>(sums: Sums) -> Sums {
        u64x2_shr(sums, BITS)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    pub(super) type Digits = [u32; 4];
    pub(super) type Sums = [u64; 2];

    pub(super) const ZERO_DIGITS: Digits = [0; 4];
    pub(super) const ZERO_SUMS: Sums = [0; 2];

    pub(super) fn digits([a, b]: [u32; 2], [c, d]: [u32; 2]) -> Digits {
        [a, b, c, d]
    }

    pub(super) fn sums(sums: [u64; 2]) -> Sums {
        sums
    }

    #[inline(always)]
    pub(super) fn pack([a, b]: Sums, [c, d]: Sums) -> Digits {
        [a as u32, b as u32, c as u32, d as u32]
    }

    #[inline(always)]
    pub(super) fn swap([a, b, c, d]: Digits) -> Digits {
        [c, d, a, b]
    }

    #[inline(always)]
    pub(super) fn multiply_lower(a: Digits, b: Digits) -> Sums {
        [u64::from(a[0]) * u64::from(b[0]), u64::from(a[1]) * u64::from(b[1])]
    }

    #[inline(always)]
    pub(super) fn multiply_upper(a: Digits, b: Digits) -> Sums {
        [u64::from(a[2]) * u64::from(b[2]), u64::from(a[3]) * u64::from(b[3])]
    }

    pub(super) fn get([a, b, c, d]: Digits) -> [[u32; 2]; 2] {
        [[a, b], [c, d]]
    }

    #[inline(always)]
    pub(super) fn add(a: Sums, b: Sums) -> Sums {
        [a[0].wrapping_add(b[0]), a[1].wrapping_add(b[1])]
    }

    #[inline(always)]
    pub(super) fn and(a: Sums, b: Sums) -> Sums {
        [a[0] & b[0], a[1] & b[1]]
    }

    #[inline(always)]
    pub(super) fn shift_right<const BITS: u32>(sums: Sums) -> Sums {
        [sums[0] >> BITS, sums[1] >> BITS]
    }
}
