//! PBKDF2 by the browser (Web Cryptography API, section 34): it takes a quarter of the time of code for WebAssembly, and runs beside the worker.

use js_sys::{Array, ArrayBuffer, Object, Promise, Uint8Array};
use keyside_pki::key_derivation::{Deriving, KEY_SIZE, Key, OnThisThread, Pbkdf2};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, DedicatedWorkerGlobalScope, Pbkdf2Params};
use zeroize::Zeroizing;

/// The browser's, or one's own where there is none: browsers have it for pages that came by HTTPS or from this computer.
pub(super) struct WebCrypto;

impl Pbkdf2 for WebCrypto {
    async fn begin(&self, passphrase: &[u8], salt: &[u8], iterations: u32) -> Deriving {
        let Ok(bits) = begin(passphrase, salt, iterations).await else {
            return OnThisThread.begin(passphrase, salt, iterations).await;
        };
        let (passphrase, salt) = (Zeroizing::new(passphrase.to_vec()), salt.to_vec());
        Box::pin(async move {
            // One that has begun does not fail, as far as is known.
            let derived = JsFuture::from(bits).await.ok().and_then(take);
            derived.unwrap_or_else(|| OnThisThread::derive(&passphrase, &salt, iterations))
        })
    }
}

/// Has the browser begin; its answer is an ArrayBuffer.
async fn begin(passphrase: &[u8], salt: &[u8], iterations: u32) -> Result<Promise, JsValue> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let subtle = scope.crypto()?.subtle();
    if subtle.is_undefined() {
        return Err(JsValue::UNDEFINED);
    }
    let secret = Uint8Array::from(passphrase);
    let usages = Array::of1(&"deriveBits".into());
    let importing = subtle.import_key_with_str("raw", secret.unchecked_ref::<Object>(), "PBKDF2", false, &usages);
    // The browser has a copy by now.
    secret.fill(0, 0, secret.length());
    let key: CryptoKey = JsFuture::from(importing?).await?.unchecked_into();
    let salt = Uint8Array::from(salt);
    let parameters = Pbkdf2Params::new("PBKDF2", &"SHA-256".into(), iterations, &salt);
    subtle.derive_bits_with_object(&parameters, &key, KEY_SIZE as u32 * 8)
}

/// Takes the key out of the ArrayBuffer and wipes that.
fn take(bits: JsValue) -> Option<Key> {
    let bits = Uint8Array::new(bits.dyn_ref::<ArrayBuffer>()?);
    let mut key = Key::default();
    if bits.length() as usize != KEY_SIZE {
        return None;
    }
    bits.copy_to(&mut *key);
    bits.fill(0, 0, bits.length());
    Some(key)
}
