//! A worker that looks for primes, on behalf of the worker that started it.
//!
//! The two talk to each other alone; nothing here passes through the page. The messages:
//!
//! | to the search | from the search |
//! |---|---|
//! | a number: the size of the primes in bits; search until something is found | `true`: started, and listening |
//! | `null`: wipe all, and end | a number: as many were tested since the last message |
//! | | bytes: what passed, big-endian, the only copy; the search has ended |
//!
//! A search ends with what it finds, so that the processor is free for who decides upon it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use keyside_primes::{PrimeSize, Search};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent};
use zeroize::Zeroizing;

/// The name of a worker that looks for primes.
pub(super) const NAME: &str = "prime search";

/// How long to search before looking up whether a message has come, in milliseconds.
const SLICE: f64 = 10.0;

/// Registers the handler and says that the search is listening.
pub(super) fn start(scope: &DedicatedWorkerGlobalScope) -> Result<(), JsValue> {
    let search = Rc::new(RefCell::new(None));
    // A message to itself comes after those that have come meanwhile. A timer would do, but browsers make timers wait.
    let channel = MessageChannel::new()?;
    let (next, wake) = (channel.port1(), channel.port2());
    let go_on = Closure::<dyn FnMut()>::new({
        let (scope, search, wake) = (scope.clone(), search.clone(), wake.clone());
        move || {
            let mut search = search.borrow_mut();
            let Some(under_way) = search.as_mut() else { return };
            match search_for_a_while(under_way) {
                Slice { found: Some(number), .. } => {
                    // Dropping a search wipes it.
                    *search = None;
                    let bytes = Uint8Array::from(number.as_slice());
                    // What cannot be posted cannot be told either.
                    let _ = scope.post_message_with_transfer(&bytes, &Array::of1(&bytes.buffer()));
                }
                Slice { tested, found: None } => {
                    let _ = scope.post_message(&JsValue::from(tested));
                    let _ = wake.post_message(&JsValue::TRUE);
                }
            }
        }
    });
    next.set_onmessage(Some(go_on.as_ref().unchecked_ref()));
    go_on.forget();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
        let scope = scope.clone();
        move |event: MessageEvent| {
            let size = event.data().as_f64().and_then(|bits| PrimeSize::of_bits(bits as usize));
            let is_end = size.is_none();
            *search.borrow_mut() = size.map(Search::new);
            if is_end {
                scope.close();
            } else {
                let _ = wake.post_message(&JsValue::TRUE);
            }
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    keyside_primes::warm_up(&mut UnwrapErr(SysRng));
    scope.post_message(&JsValue::TRUE)
}

/// What a slice of time has brought.
struct Slice {
    tested: u32,
    found: Option<Zeroizing<Vec<u8>>>,
}

/// Searches for a slice of time, or until something is found.
fn search_for_a_while(search: &mut Search) -> Slice {
    let end = js_sys::Date::now() + SLICE;
    let mut tested = 0;
    loop {
        let step = search.step(&mut UnwrapErr(SysRng));
        tested += step.tested;
        if step.found.is_some() || js_sys::Date::now() >= end {
            return Slice { tested, found: step.found };
        }
    }
}
