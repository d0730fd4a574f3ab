//! The exports of the module that this crate is as WebAssembly, for a program that has memory of its own.
//!
//! | export | meaning |
//! |---|---|
//! | `memory` | the module's memory |
//! | `numbers()` | the address of three fields of [`MAXIMUM_SIZE`] bytes, one after the other, for what is tested |
//! | `is_fused()` | 1 if multiply-add rounds once here, else 0 |
//! | `fermat(size)` | [`fermat`](crate::fermat()) of the numbers in the first two fields, `size` bytes each: bit 0 for the first, bit 1 for the second |
//! | `miller_rabin(size)` | [`miller_rabin`](crate::miller_rabin()) of the number in the first field, with the bases in the others: bit 0 and bit 1 |
//!
//! The fields are wiped when they are read.
#![allow(unsafe_code, reason = "a name for the linker may not be given twice: these are all that this crate gives")]

use core::iter::zip;
use core::sync::atomic::{AtomicU8, Ordering};

use zeroize::Zeroizing;

use crate::MAXIMUM_SIZE;

/// The fields. The other program writes into them, which the compiler does not see: it must not take them for constant.
static NUMBERS: [[AtomicU8; MAXIMUM_SIZE]; 3] = [const { [const { AtomicU8::new(0) }; MAXIMUM_SIZE] }; 3];

/// Takes what is in the fields.
fn take() -> [Zeroizing<[u8; MAXIMUM_SIZE]>; 3] {
    NUMBERS.each_ref().map(|field| {
        let mut bytes = Zeroizing::new([0; MAXIMUM_SIZE]);
        for (byte, place) in zip(bytes.iter_mut(), field) {
            *byte = place.swap(0, Ordering::Relaxed);
        }
        bytes
    })
}

fn bits([first, second]: [bool; 2]) -> u32 {
    u32::from(first) | u32::from(second) << 1
}

#[unsafe(no_mangle)]
extern "C" fn numbers() -> *const [AtomicU8; MAXIMUM_SIZE] {
    NUMBERS.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn is_fused() -> u32 {
    crate::is_fused().into()
}

#[unsafe(no_mangle)]
extern "C" fn fermat(size: usize) -> u32 {
    let [first, second, _] = take();
    let (Some(first), Some(second)) = (first.get(..size), second.get(..size)) else { return 0 };
    bits(crate::fermat(first, second))
}

#[unsafe(no_mangle)]
extern "C" fn miller_rabin(size: usize) -> u32 {
    let [number, first, second] = take();
    let (Some(number), Some(first), Some(second)) = (number.get(..size), first.get(..size), second.get(..size)) else {
        return 0;
    };
    bits(crate::miller_rabin(number, [first, second]))
}
