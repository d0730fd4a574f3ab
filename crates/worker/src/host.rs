//! A worker's side: takes one job, has custody do it, answers. Every random byte is the browser's own (`crypto.getRandomValues`).

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use keyside_core::certificates;
use keyside_core::custody::{self, foreign_files};
use keyside_core::protocol::{Answer, BUILD, Failure, FileAnswer, KEY_MAKER, PRIME_SEARCH, Ready, Stage};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, MessagePort};
use zeroize::Zeroizing;

use super::prime_search;
use super::prime_search_pool::PrimeSearchPool;

/// How often to tell how far the search for primes has come, in milliseconds.
const PROGRESS_INTERVAL: f64 = 100.0;

/// Makes this worker the main job's, or one that looks for primes, whichever its name says, and says that it is ready.
pub fn start() -> Result<(), JsValue> {
    let scope = scope();
    match scope.name().as_str() {
        PRIME_SEARCH => prime_search::start(&scope),
        name => {
            if name == KEY_MAKER {
                // This takes place while the user still types.
                spawn_local(async { custody::warm_up(&mut UnwrapErr(SysRng)) });
            }
            let pool = PrimeSearchPool::new();
            let entrance = pool.entrance();
            let pool = RefCell::new(Some(pool));
            let handle = async move |job, scope: DedicatedWorkerGlobalScope| {
                let mut pool = pool.take().unwrap_or_else(PrimeSearchPool::new);
                let mut last_told = (0.0, None);
                let progress = |stage| {
                    let now = js_sys::Date::now();
                    let primes =
                        if let Stage::GeneratingKeyPair(searching) = stage { Some(searching.primes) } else { None };
                    if primes.is_none() || last_told.1 != primes || now - last_told.0 >= PROGRESS_INTERVAL {
                        last_told = (now, primes);
                        let _ = post(&scope, &Answer::Progress(stage));
                    }
                };
                custody::handle(job, &mut UnwrapErr(SysRng), &mut pool, progress).await
            };
            serve(Answer::Failed, handle, move |port| entrance.join(port))
        }
    }
}

/// Makes this worker the one for certificates, and says that it is ready.
pub fn start_certificates() -> Result<(), JsValue> {
    serve(FileAnswer::Failed, async |job, _| certificates::handle(job), drop)
}

/// Makes this worker the inspector, and says that it is ready.
pub fn start_inspector() -> Result<(), JsValue> {
    serve(FileAnswer::Failed, async |job, _| foreign_files::handle(job, &mut UnwrapErr(SysRng)), drop)
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Registers what handles a job; a job that is not of the kind `J` is answered with what `failed` makes of it. `join` gets the worker's ends of
/// channels.
fn serve<J: DeserializeOwned + 'static, A: Serialize + 'static>(
    failed: impl Fn(Failure) -> A + 'static,
    handle: impl AsyncFn(J, DedicatedWorkerGlobalScope) -> A + 'static,
    join: impl Fn(MessagePort) + 'static,
) -> Result<(), JsValue> {
    let scope = scope();
    let handle = Rc::new(handle);
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new({
        let scope = scope.clone();
        move |event: MessageEvent| match event.data().dyn_into().map_err(read) {
            Ok(port) => join(port),
            Err(Ok(job)) => {
                let (handle, scope) = (handle.clone(), scope.clone());
                spawn_local(async move {
                    let answer = handle(job, scope.clone()).await;
                    let _ = post(&scope, &answer);
                });
            }
            Err(Err(reason)) => {
                let _ = post(&scope, &failed(Failure::Unusable(reason)));
            }
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&scope, &Ready { build: BUILD.to_owned() })
}

/// Takes the job out of the message and wipes the bytes it came in.
fn read<J: DeserializeOwned>(message: JsValue) -> Result<J, String> {
    let array: Uint8Array = message.dyn_into().map_err(|_| "the message is not bytes".to_owned())?;
    let bytes = Zeroizing::new(array.to_vec());
    array.fill(0, 0, array.length());
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn post(scope: &DedicatedWorkerGlobalScope, message: &impl Serialize) -> Result<(), JsValue> {
    let bytes = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    let array = Uint8Array::from(bytes.as_slice());
    scope.post_message_with_transfer(&array, &Array::of1(&array.buffer()))
}
