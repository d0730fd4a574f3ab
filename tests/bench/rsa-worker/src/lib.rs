//! The plain crate `rsa`, as a worker of the benchmarks calls it.

use rsa::RsaPrivateKey;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// Generates a key pair of `bits` bits with public exponent 65537, and drops it.
///
/// # Errors
/// Whatever the crate refuses.
#[wasm_bindgen]
pub fn generate(bits: u32) -> Result<(), JsError> {
    let bits = usize::try_from(bits)?;
    RsaPrivateKey::new(&mut rand::rng(), bits)?;
    Ok(())
}
