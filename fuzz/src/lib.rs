//! The parts that the fuzz targets share: their inputs, a mutator that knows DER, the fixed certificates around an input, and OpenSSL's verdicts.

pub mod input;
pub mod mutator;
pub mod openssl_verdict;
pub mod policy_tree;
pub mod signer;
pub mod vectors;

/// A fuzz target whose input is one structure of DER, or several with [`input::SEPARATOR`] between them.
#[macro_export]
macro_rules! der_target {
    (|$input:ident: &[u8]| $body:block) => {
        libfuzzer_sys::fuzz_target!(|$input: &[u8]| $body);
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutator::mutate(data, size, max_size, seed)
        });
    };
}
