//! A pool of workers that look for primes at the same time, kept by the worker that makes the key.

use core::pin::pin;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use js_sys::{Promise, Uint8Array};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, Event, MessageEvent, Worker, WorkerOptions, WorkerType};
use zeroize::Zeroizing;

use super::prime_search;
use crate::custody::prime_source::{LocalSearch, PrimeSource};
use crate::domain::key_size::KeySize;
use crate::pki::prime::Prime;

/// More workers than this are not started, however many processors there are: each takes memory, and the gain gets small.
const MOST_WORKERS: usize = 8;

/// How long to wait for the first worker to listen, in milliseconds. After that, the search takes place here.
const PATIENCE: i32 = 3_000;

/// What comes from the workers.
enum News {
    /// The worker at this place is listening.
    Listening(usize),
    /// So many numbers were tested.
    Tested(u32),
    /// This is prime.
    Found(Zeroizing<Vec<u8>>),
    /// The worker at this place cannot run.
    Broken(usize),
}

/// A worker that searches.
struct Searcher {
    worker: Worker,
    is_listening: bool,
    searches_for: Option<KeySize>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

/// A pool of workers. Without any, the search takes place here.
pub(super) struct PrimeSearchPool {
    searchers: Vec<Option<Searcher>>,
    sender: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    otherwise: LocalSearch<UnwrapErr<SysRng>>,
}

impl PrimeSearchPool {
    /// A pool that starts its workers when primes are wanted, or [`Self::start`] is called.
    pub(super) fn new() -> Self {
        let (sender, news) = unbounded();
        Self { searchers: Vec::new(), sender, news, otherwise: LocalSearch::new(UnwrapErr(SysRng)) }
    }

    /// Starts as many workers as the browser says that there are processors, from the script that this worker itself was started from.
    pub(super) fn start(&mut self) {
        if self.searchers.is_empty() {
            let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
            let processors = scope.navigator().hardware_concurrency() as usize;
            let script = scope.location().href();
            let start = |place| Searcher::start(&script, place, &self.sender).ok();
            self.searchers = (0..processors.clamp(1, MOST_WORKERS)).map(start).collect();
        }
    }

    /// Lets every worker search for primes for a key of `size` that is listening, and not at it already.
    fn search_for(&mut self, size: KeySize) {
        for searcher in self.searchers.iter_mut().flatten() {
            if searcher.is_listening && searcher.searches_for.replace(size) != Some(size) {
                // A worker that cannot be written to has ended, and its end is told as an error.
                let _ = searcher.worker.post_message(&JsValue::from(size.bits()));
            }
        }
    }
}

impl Searcher {
    fn start(script: &str, place: usize, sender: &UnboundedSender<News>) -> Result<Self, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(prime_search::NAME);
        let worker = Worker::new_with_options(script, &options)?;
        let on_message = Closure::new({
            let sender = sender.clone();
            move |event: MessageEvent| {
                let data = event.data();
                let news = match data.dyn_ref::<Uint8Array>() {
                    Some(bytes) => {
                        let found = Zeroizing::new(bytes.to_vec());
                        bytes.fill(0, 0, bytes.length());
                        News::Found(found)
                    }
                    None => data.as_f64().map_or(News::Listening(place), |tested| News::Tested(tested as u32)),
                };
                let _ = sender.unbounded_send(news);
            }
        });
        let on_error = Closure::new({
            let sender = sender.clone();
            move |event: Event| {
                event.prevent_default();
                let _ = sender.unbounded_send(News::Broken(place));
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { worker, is_listening: false, searches_for: None, _on_message: on_message, _on_error: on_error })
    }
}

impl Drop for Searcher {
    /// Has the worker wipe its memory and end.
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        let _ = self.worker.post_message(&JsValue::NULL);
    }
}

/// Resolves after so many milliseconds.
async fn pause(milliseconds: i32) {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let promise = Promise::new(&mut |resolve, _| {
        let _ = scope.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    });
    let _ = JsFuture::from(promise).await;
}

impl PrimeSource for PrimeSearchPool {
    async fn next(&mut self, size: KeySize, tested: &mut impl FnMut(u32)) -> Prime {
        self.start();
        let mut patience = pin!(pause(PATIENCE));
        while self.searchers.iter().any(Option::is_some) {
            self.search_for(size);
            let news = match select(self.news.next(), &mut patience).await {
                Either::Left((Some(news), _)) => news,
                // This pool has a sender itself, so there will be news.
                Either::Left((None, _)) => break,
                Either::Right(_) => {
                    patience.set(pause(PATIENCE));
                    if self.searchers.iter().flatten().any(|searcher| searcher.is_listening) {
                        continue;
                    }
                    break;
                }
            };
            match news {
                News::Listening(place) => {
                    if let Some(Some(searcher)) = self.searchers.get_mut(place) {
                        searcher.is_listening = true;
                    }
                }
                News::Tested(count) => tested(count),
                News::Found(number) => {
                    if let Some(prime) = Prime::decided(&number, size) {
                        return prime;
                    }
                }
                News::Broken(place) => {
                    if let Some(searcher) = self.searchers.get_mut(place) {
                        *searcher = None;
                    }
                }
            }
        }
        self.otherwise.next(size, tested).await
    }

    fn end(&mut self) {
        self.searchers.clear();
    }
}
