//! Tests of numbers with fused multiply-add, by the crate `keyside-montgomery`. It is a module of its own: a browser without relaxed SIMD refuses
//! all of a program that has one such instruction.

use js_sys::WebAssembly::{Instance, Memory, Module};
use js_sys::{Function, Object, Reflect, Uint8Array};
use keyside_core::key_generation::prime::PUBLIC_PRIMES;
use keyside_primes::{Integers, PrimalityTests, miller_rabin_in_pairs};
use rand::CryptoRng;
use wasm_bindgen::{JsCast, JsValue};

/// The module, where the build has made it.
#[cfg(has_montgomery)]
const MODULE: Option<&[u8]> = Some(include_bytes!(env!("KEYSIDE_EMBEDDED_MONTGOMERY")));
#[cfg(not(has_montgomery))]
const MODULE: Option<&[u8]> = None;

/// The bytes of each of the module's three fields for numbers.
const FIELD: u32 = 256;

/// The fastest tests that are right here.
pub(super) enum Tests {
    /// In doubles, by the module.
    Fused(Montgomery),
    /// In integers.
    Integers,
}

impl Tests {
    /// With fused multiply-add, if the browser takes the module, the processor rounds once, and the module knows a prime from a composite number.
    pub(super) fn choose() -> Self {
        let fused = MODULE.and_then(|module| Montgomery::new(module).ok()).filter(Montgomery::is_right);
        fused.map_or(Self::Integers, Self::Fused)
    }

    /// True for those with fused multiply-add.
    pub(super) const fn are_fused(&self) -> bool {
        matches!(self, Self::Fused(_))
    }
}

impl PrimalityTests for Tests {
    fn fermat(&mut self, first: &[u8], second: &[u8]) -> [bool; 2] {
        match self {
            // A module that cannot be called finds nothing.
            Self::Fused(montgomery) => montgomery.call(&montgomery.fermat, &[first, second]).unwrap_or_default(),
            Self::Integers => Integers.fermat(first, second),
        }
    }

    fn miller_rabin(&mut self, number: &[u8], rounds: usize, rng: &mut impl CryptoRng) -> Option<usize> {
        match self {
            Self::Fused(montgomery) => miller_rabin_in_pairs(number, rounds, rng, |number, [first, second]| {
                montgomery.call(&montgomery.miller_rabin, &[number, first, second]).unwrap_or_default()
            }),
            Self::Integers => Integers.miller_rabin(number, rounds, rng),
        }
    }
}

/// An instance of the module.
pub(super) struct Montgomery {
    memory: Memory,
    numbers: u32,
    is_fused: Function,
    fermat: Function,
    miller_rabin: Function,
}

impl Montgomery {
    fn new(module: &[u8]) -> Result<Self, JsValue> {
        let module = Module::new(&Uint8Array::from(module))?;
        let exports = Instance::new(&module, &Object::new())?.exports();
        let function = |name: &str| Reflect::get(&exports, &name.into())?.dyn_into::<Function>();
        let numbers = function("numbers")?.call0(&JsValue::NULL)?;
        Ok(Self {
            memory: Reflect::get(&exports, &"memory".into())?.dyn_into()?,
            numbers: numbers.as_f64().ok_or(numbers)? as u32,
            is_fused: function("is_fused")?,
            fermat: function("fermat")?,
            miller_rabin: function("miller_rabin")?,
        })
    }

    /// True if multiply-add rounds once, a known prime passes, and the number below it does not.
    fn is_right(&self) -> bool {
        let [prime, _] = PUBLIC_PRIMES;
        let mut composite = prime;
        if let Some(lowest) = composite.last_mut() {
            *lowest -= 2;
        }
        let is_fused = self.is_fused.call0(&JsValue::NULL).is_ok_and(|is_fused| is_fused == 1);
        let passes = |test, numbers: &[&[u8]]| self.call(test, numbers).ok();
        is_fused
            && passes(&self.fermat, &[&prime, &composite]) == Some([true, false])
            && passes(&self.miller_rabin, &[&prime, &composite, &[3]]) == Some([true; 2])
            && passes(&self.miller_rabin, &[&composite, &prime, &[3]]) == Some([false; 2])
    }

    /// Puts each number, big-endian, into a field of its own, filled up with zeros, and has them tested.
    fn call(&self, test: &Function, numbers: &[&[u8]]) -> Result<[bool; 2], JsValue> {
        let size = numbers.iter().map(|number| number.len()).max().unwrap_or_default() as u32;
        for (field, number) in (0..).zip(numbers) {
            let length = number.len() as u32;
            let start = self.numbers + field * FIELD + size - length;
            // Each time: the buffer is another one when the memory has grown.
            Uint8Array::new_with_byte_offset_and_length(&self.memory.buffer(), start, length).copy_from(number);
        }
        let passes = test.call1(&JsValue::NULL, &size.into())?;
        let passes = passes.as_f64().ok_or(passes)? as u32;
        Ok([passes & 1 == 1, passes & 2 == 2])
    }
}
