//! The page's side of the search for primes: starts the workers and connects each with the key maker. They are the page's own, not the key
//! maker's, since Firefox (153) now and then leaves the page's next worker hanging once a worker was ended that had workers of its own.

use js_sys::Array;
use keyside_core::protocol::PRIME_SEARCH;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageChannel, MessageEvent, Worker};

use super::start_worker;

/// More workers than this are not started, however many processors there are: each takes memory, and the gain gets small.
const MOST_WORKERS: usize = 8;

/// A worker that searches; dropping it ends it.
pub(super) struct Searcher {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Searcher {
    /// Starts a worker, and connects it with `key_maker` once it listens.
    fn start(script: &str, key_maker: &Worker) -> Result<Self, JsValue> {
        let worker = start_worker(script, PRIME_SEARCH)?;
        let on_message = Closure::new({
            let (worker, key_maker) = (worker.clone(), key_maker.clone());
            // One that cannot be connected is of no use, and the key maker does without it.
            move |_: MessageEvent| drop(connect(&worker, &key_maker))
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Ok(Self { worker, _on_message: on_message })
    }
}

impl Drop for Searcher {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.terminate();
    }
}

/// Gives each its end of a new channel.
fn connect(searcher: &Worker, key_maker: &Worker) -> Result<(), JsValue> {
    let channel = MessageChannel::new()?;
    for (worker, port) in [(searcher, channel.port1()), (key_maker, channel.port2())] {
        worker.post_message_with_transfer(&port, &Array::of1(&port))?;
    }
    Ok(())
}

/// Starts as many workers from `script` as the browser says that there are processors, to search for `key_maker`, which listens. Dropping them
/// ends them.
pub(super) fn start(script: &str, key_maker: &Worker) -> Vec<Searcher> {
    let processors = web_sys::window().map_or(1.0, |window| window.navigator().hardware_concurrency());
    let workers = 0..(processors as usize).clamp(1, MOST_WORKERS);
    workers.filter_map(|_| Searcher::start(script, key_maker).ok()).collect()
}
