//! A worker's side: takes one job, has custody do it, answers. Every random byte is the browser's own (`crypto.getRandomValues`).

use std::cell::Cell;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use js_sys::{Array, Uint8Array};
use keyside_core::certificates;
use keyside_core::custody::ahead::Ahead;
use keyside_core::custody::{self, foreign_files};
use keyside_core::protocol::{
    self, Answer, BUILD, Failure, FileAnswer, Job, KEY_MAKER, PRIME_SEARCH, PRIME_SEARCH_IN_INTEGERS, Ready, Stage,
    WARM,
};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, MessagePort};
use zeroize::Zeroizing;

use super::montgomery::Tests;
use super::prime_search;
use super::prime_search_pool::PrimeSearchPool;
use super::web_crypto::WebCrypto;

/// How often to tell how far the search for primes has come, in milliseconds.
const PROGRESS_INTERVAL: f64 = 100.0;

/// Makes this worker the main job's, or one that looks for primes, whichever its name says, and says that it is ready.
pub fn start() -> Result<(), JsValue> {
    let scope = scope();
    match scope.name().as_str() {
        PRIME_SEARCH => prime_search::start(&scope, Tests::choose()),
        PRIME_SEARCH_IN_INTEGERS => prime_search::start(&scope, Tests::Integers),
        name => {
            // This takes place while the user still types.
            match name {
                KEY_MAKER => spawn_local(async { custody::warm_up(&mut UnwrapErr(SysRng)) }),
                WARM => spawn_local(async { custody::warm_up_opening() }),
                _ => {}
            }
            let mut pool = PrimeSearchPool::new();
            let entrance = pool.entrance();
            let mut ahead = Ahead::default();
            let (jobs, queue) = unbounded();
            let forgetting = Forgetting::new({
                let jobs = jobs.clone();
                move || drop(jobs.unbounded_send(Job::Ahead(protocol::Ahead::default())))
            });
            let handle = async move |job| {
                let is_ahead = matches!(job, Job::Ahead(_));
                let mut last_told = (0.0, None);
                let progress = |stage| {
                    let now = js_sys::Date::now();
                    let primes =
                        if let Stage::GeneratingKeyPair(searching) = stage { Some(searching.primes) } else { None };
                    if primes.is_none() || last_told.1 != primes || now - last_told.0 >= PROGRESS_INTERVAL {
                        last_told = (now, primes);
                        let _ = post(&Answer::Progress(stage));
                    }
                };
                let rng = &mut UnwrapErr(SysRng);
                let answer = custody::handle(job, &mut ahead, rng, &mut pool, &WebCrypto, progress).await;
                // While it is at work, nothing is forgotten.
                if is_ahead {
                    forgetting.postpone()
                } else {
                    forgetting.cancel()
                }
                answer
            };
            serve((jobs, queue), Answer::Failed, handle, move |port| entrance.join(port))
        }
    }
}

/// Work that was done ahead is kept for so many milliseconds.
const KEPT: i32 = 10 * 60 * 1000;

/// Has something forgotten some time after it was last asked for.
struct Forgetting {
    forget: Closure<dyn FnMut()>,
    timer: Cell<Option<i32>>,
}

impl Forgetting {
    fn new(forget: impl FnMut() + 'static) -> Self {
        Self { forget: Closure::new(forget), timer: Cell::new(None) }
    }

    fn cancel(&self) {
        if let Some(timer) = self.timer.take() {
            scope().clear_timeout_with_handle(timer);
        }
    }

    fn postpone(&self) {
        self.cancel();
        let forget = self.forget.as_ref().unchecked_ref();
        self.timer.set(scope().set_timeout_with_callback_and_timeout_and_arguments_0(forget, KEPT).ok());
    }
}

/// Makes this worker the one for certificates, and says that it is ready.
pub fn start_certificates() -> Result<(), JsValue> {
    serve(unbounded(), FileAnswer::Failed, async |job| Some(certificates::handle(job)), drop)
}

/// Makes this worker the inspector, and says that it is ready.
pub fn start_inspector() -> Result<(), JsValue> {
    if scope().name() == WARM {
        spawn_local(async { custody::warm_up_opening() });
    }
    let handle = async |job| Some(foreign_files::handle(job, &mut UnwrapErr(SysRng)));
    serve(unbounded(), FileAnswer::Failed, handle, drop)
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Registers what handles the messages of the kind `J`, one after the other, in `queue`, and may answer; a message that is not of that kind is
/// answered with what `failed` makes of it. `join` gets the worker's ends of channels.
fn serve<J: DeserializeOwned + 'static, A: Serialize + 'static>(
    (sender, mut queue): (UnboundedSender<J>, UnboundedReceiver<J>),
    failed: impl Fn(Failure) -> A + 'static,
    mut handle: impl AsyncFnMut(J) -> Option<A> + 'static,
    join: impl Fn(MessagePort) + 'static,
) -> Result<(), JsValue> {
    spawn_local(async move {
        while let Some(job) = queue.next().await {
            if let Some(answer) = handle(job).await {
                let _ = post(&answer);
            }
        }
    });
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        match event.data().dyn_into().map_err(read) {
            Ok(port) => join(port),
            Err(Ok(job)) => drop(sender.unbounded_send(job)),
            Err(Err(reason)) => drop(post(&failed(Failure::Unusable(reason)))),
        }
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&Ready { build: BUILD.to_owned() })
}

/// Takes the job out of the message and wipes the bytes it came in.
fn read<J: DeserializeOwned>(message: JsValue) -> Result<J, String> {
    let array: Uint8Array = message.dyn_into().map_err(|_| "the message is not bytes".to_owned())?;
    let bytes = Zeroizing::new(array.to_vec());
    array.fill(0, 0, array.length());
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn post(message: &impl Serialize) -> Result<(), JsValue> {
    let bytes = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    let array = Uint8Array::from(bytes.as_slice());
    scope().post_message_with_transfer(&array, &Array::of1(&array.buffer()))
}
