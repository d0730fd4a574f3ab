//! A worker that looks for primes, on behalf of the worker that makes the key.
//!
//! The page starts both and gives each one end of a channel; after that the two talk to each other alone, and
//! nothing passes through the page. The messages:
//!
//! | to the search | from the search |
//! |---|---|
//! | a number: the size of the key in bits; search for its primes | a number: as many were tested since the last message |
//! | `false`: rest | |
//! | `null`: wipe all, and end | bytes: a prime, big-endian, the only copy; the search goes on |

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation::prime::{self, PrimeSearch};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};

use super::montgomery::Tests;

/// How long to search before looking up whether a message has come, in milliseconds.
const SLICE: f64 = 10.0;

/// Tells the page that this worker listens, and whether its `tests` are fused, and waits for its end of the channel.
pub(super) fn start(scope: &DedicatedWorkerGlobalScope, tests: Tests) -> Result<(), JsValue> {
    let tests = Rc::new(RefCell::new(tests));
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
        let (scope, tests) = (scope.clone(), tests.clone());
        move |event: MessageEvent| {
            if let Ok(key_maker) = event.data().dyn_into() {
                // Without a channel this worker is of no use, and the key maker does without it.
                let _ = serve(&key_maker, &scope, tests.clone());
            }
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    scope.post_message(&JsValue::from(tests.borrow().are_fused()))?;
    prime::warm_up(&mut *tests.borrow_mut(), &mut UnwrapErr(SysRng));
    Ok(())
}

/// Searches as the key maker at the other end of the channel says.
fn serve(
    key_maker: &MessagePort,
    scope: &DedicatedWorkerGlobalScope,
    tests: Rc<RefCell<Tests>>,
) -> Result<(), JsValue> {
    let search = Rc::new(RefCell::new(None));
    let is_awake = Rc::new(Cell::new(false));
    // A message to itself comes after those that have come meanwhile. A timer would do, but browsers make timers wait.
    let channel = MessageChannel::new()?;
    let (next, wake) = (channel.port1(), channel.port2());
    let go_on = Closure::<dyn FnMut()>::new({
        let (key_maker, search, wake, is_awake) = (key_maker.clone(), search.clone(), wake.clone(), is_awake.clone());
        move || {
            is_awake.set(search.borrow().is_some());
            if let Some(search) = search.borrow_mut().as_mut() {
                // What cannot be posted cannot be told either.
                let _ = search_for_a_while(search, &mut tests.borrow_mut(), &key_maker);
                let _ = wake.post_message(&JsValue::TRUE);
            }
        }
    });
    next.set_onmessage(Some(go_on.as_ref().unchecked_ref()));
    go_on.forget();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
        let scope = scope.clone();
        move |event: MessageEvent| {
            let size = event.data().as_f64().and_then(|bits| KeySize::try_from(bits as u16).ok());
            let (rests, searches) = (event.data() == JsValue::FALSE, size.is_some());
            // Dropping a search wipes it.
            drop(search.replace(size.map(PrimeSearch::new)));
            if searches && !is_awake.replace(true) {
                let _ = wake.post_message(&JsValue::TRUE);
            } else if !searches && !rests {
                scope.close();
            }
        }
    });
    key_maker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    Ok(())
}

/// Searches for a slice of time, and tells what came of it.
fn search_for_a_while(search: &mut PrimeSearch, tests: &mut Tests, key_maker: &MessagePort) -> Result<(), JsValue> {
    let end = js_sys::Date::now() + SLICE;
    let mut tested = 0;
    while js_sys::Date::now() < end {
        let step = search.step(tests, &mut UnwrapErr(SysRng));
        tested += step.tested;
        if let Some(prime) = step.found {
            let bytes = Uint8Array::from(prime.to_bytes().as_slice());
            key_maker.post_message_with_transferable(&bytes, &Array::of1(&bytes.buffer()))?;
        }
    }
    key_maker.post_message(&JsValue::from(tested))
}
