//! The key maker's side of the search for primes: several workers search at the same time, each at the other end of a channel.

use core::pin::pin;

use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use js_sys::{Promise, Uint8Array};
use keyside_core::custody::prime_source::{LocalSearch, PrimeSource};
use keyside_core::domain::key_size::KeySize;
use keyside_core::key_generation::prime::Prime;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, MessagePort};
use zeroize::Zeroizing;

/// How long nobody may say anything, in milliseconds. After that, the search takes place here.
const PATIENCE: i32 = 3_000;

/// What comes from the workers, and what comes from the page about them.
enum News {
    /// A worker searches at the other end of this channel.
    Joined(MessagePort),
    /// So many numbers were tested.
    Tested(u32),
    /// This is prime.
    Found(Zeroizing<Vec<u8>>),
}

/// Tells a pool of a worker that has joined it.
#[derive(Clone)]
pub(super) struct Entrance(UnboundedSender<News>);

impl Entrance {
    /// Lets the worker join that searches at the other end of this channel.
    pub(super) fn join(&self, port: MessagePort) {
        // A pool that is no longer there needs nobody.
        let _ = self.0.unbounded_send(News::Joined(port));
    }
}

/// A channel to a worker that searches.
struct Searcher {
    port: MessagePort,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

/// A pool of workers. Without any, the search takes place here.
pub(super) struct PrimeSearchPool {
    searchers: Vec<Searcher>,
    /// What they search for.
    size: Option<KeySize>,
    /// Nobody has said anything for too long.
    is_alone: bool,
    sender: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    otherwise: LocalSearch<UnwrapErr<SysRng>>,
}

impl PrimeSearchPool {
    /// A pool that nobody has joined yet.
    pub(super) fn new() -> Self {
        let (sender, news) = unbounded();
        let otherwise = LocalSearch::new(UnwrapErr(SysRng));
        Self { searchers: Vec::new(), size: None, is_alone: false, sender, news, otherwise }
    }

    /// The way in for workers.
    pub(super) fn entrance(&self) -> Entrance {
        Entrance(self.sender.clone())
    }

    /// Waits for a prime from a worker; `None` once nobody has said anything for too long.
    async fn found(&mut self, size: KeySize, tested: &mut impl FnMut(u32)) -> Option<Prime> {
        let mut patience = pin!(pause(PATIENCE));
        let mut has_heard = false;
        loop {
            match select(self.news.next(), &mut patience).await {
                Either::Left((news, _)) => {
                    has_heard = true;
                    match news? {
                        News::Joined(port) => self.searchers.push(Searcher::new(port, &self.sender, size)),
                        News::Tested(count) => tested(count),
                        News::Found(number) => {
                            if let Some(prime) = Prime::decided(&number, size) {
                                return Some(prime);
                            }
                        }
                    }
                }
                Either::Right(_) if has_heard => {
                    has_heard = false;
                    patience.set(pause(PATIENCE));
                }
                Either::Right(_) => return None,
            }
        }
    }
}

impl Searcher {
    /// Has the worker at the other end search for primes for a key of `size`.
    fn new(port: MessagePort, sender: &UnboundedSender<News>, size: KeySize) -> Self {
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
                    None => News::Tested(data.as_f64().unwrap_or_default() as u32),
                };
                let _ = sender.unbounded_send(news);
            }
        });
        port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let searcher = Self { port, _on_message: on_message };
        searcher.search_for(size);
        searcher
    }

    fn search_for(&self, size: KeySize) {
        // A worker that cannot be written to says nothing either, and is not waited for.
        let _ = self.port.post_message(&JsValue::from(size.bits()));
    }
}

impl Drop for Searcher {
    /// Has the worker wipe its memory and end.
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        let _ = self.port.post_message(&JsValue::NULL);
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
        if self.size.replace(size) != Some(size) {
            self.searchers.iter().for_each(|searcher| searcher.search_for(size));
        }
        if !self.is_alone {
            if let Some(prime) = self.found(size, tested).await {
                return prime;
            }
            self.is_alone = true;
        }
        self.otherwise.next(size, tested).await
    }

    fn end(&mut self) {
        self.searchers.clear();
    }
}
