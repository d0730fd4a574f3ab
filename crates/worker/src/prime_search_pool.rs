//! The key maker's side of the search for primes: several workers search at the same time, each at the other end of a channel.

use core::pin::pin;
use std::cell::RefCell;
use std::rc::Rc;

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

/// How long nobody may say anything, in milliseconds. After that, the search takes place here.
const PATIENCE: i32 = 3_000;
/// The primes of a key. When as many are there, who searches rests.
const PRIMES: usize = 2;

/// The workers, and what has come from them.
struct Searchers {
    ports: Vec<Searcher>,
    /// The size of the key that they search for, if they do.
    size: Option<KeySize>,
    /// The primes of that size that were found and not yet taken.
    found: Vec<Prime>,
    /// So many more are wanted.
    wanted: usize,
    /// The numbers that were tested and not yet told of.
    tested: u32,
    /// Hears of each message.
    news: UnboundedSender<()>,
}

impl Searchers {
    /// A worker has joined: it searches, if the others do.
    fn join(&mut self, searcher: Searcher) {
        if self.wanted > 0 {
            searcher.search_for(self.size);
        }
        self.ports.push(searcher);
        let _ = self.news.unbounded_send(());
    }

    /// Has them search until there are so many more primes.
    fn search_for(&mut self, size: KeySize, wanted: usize) {
        if self.size != Some(size) {
            self.found.clear();
        }
        self.size = Some(size);
        self.wanted = wanted;
        self.ports.iter().for_each(|port| port.search_for(self.size));
    }

    /// Takes a message: a prime, or a count of numbers that were tested.
    fn take(&mut self, message: &JsValue) {
        match message.dyn_ref::<Uint8Array>() {
            Some(bytes) => {
                let found = zeroize::Zeroizing::new(bytes.to_vec());
                bytes.fill(0, 0, bytes.length());
                // One of another size comes from an earlier search.
                let prime = self.size.filter(|_| self.wanted > 0).and_then(|size| Prime::decided(&found, size));
                if let Some(prime) = prime {
                    self.found.push(prime);
                    self.wanted -= 1;
                    if self.wanted == 0 {
                        self.ports.iter().for_each(|port| port.search_for(None));
                    }
                }
            }
            None => self.tested = self.tested.saturating_add(message.as_f64().unwrap_or_default() as u32),
        }
        let _ = self.news.unbounded_send(());
    }
}

/// Tells a pool of a worker that has joined it.
#[derive(Clone)]
pub(super) struct Entrance(Rc<RefCell<Searchers>>);

impl Entrance {
    /// Lets the worker join that searches at the other end of this channel.
    pub(super) fn join(&self, port: MessagePort) {
        let on_message = Closure::new({
            let searchers = Rc::downgrade(&self.0);
            move |event: MessageEvent| {
                if let Some(searchers) = searchers.upgrade() {
                    searchers.borrow_mut().take(&event.data());
                }
            }
        });
        port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        self.0.borrow_mut().join(Searcher { port, _on_message: on_message });
    }
}

/// A channel to a worker that searches.
struct Searcher {
    port: MessagePort,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Searcher {
    /// Has the worker at the other end search for primes for a key of this size, or rest.
    fn search_for(&self, size: Option<KeySize>) {
        // A worker that cannot be written to says nothing either, and is not waited for.
        let _ = self.port.post_message(&size.map_or(JsValue::FALSE, |size| JsValue::from(size.bits())));
    }
}

impl Drop for Searcher {
    /// Has the worker wipe its memory and end.
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        let _ = self.port.post_message(&JsValue::NULL);
    }
}

/// A pool of workers. Without any, the search takes place here.
pub(super) struct PrimeSearchPool {
    searchers: Rc<RefCell<Searchers>>,
    news: UnboundedReceiver<()>,
    /// Nobody has said anything for too long.
    is_alone: bool,
    otherwise: LocalSearch<UnwrapErr<SysRng>>,
}

impl PrimeSearchPool {
    /// A pool that nobody has joined yet.
    pub(super) fn new() -> Self {
        let (sender, news) = unbounded();
        let searchers =
            Searchers { ports: Vec::new(), size: None, found: Vec::new(), wanted: 0, tested: 0, news: sender };
        let otherwise = LocalSearch::new(UnwrapErr(SysRng));
        Self { searchers: Rc::new(RefCell::new(searchers)), news, is_alone: false, otherwise }
    }

    /// The way in for workers.
    pub(super) fn entrance(&self) -> Entrance {
        Entrance(self.searchers.clone())
    }

    /// Waits for a prime from a worker; `None` once nobody has said anything for too long.
    async fn found(&mut self, tested: &mut impl FnMut(u32)) -> Option<Prime> {
        let mut patience = pin!(pause(PATIENCE));
        let mut has_heard = false;
        loop {
            let (found, count) = {
                let mut searchers = self.searchers.borrow_mut();
                (searchers.found.pop(), core::mem::take(&mut searchers.tested))
            };
            if count > 0 {
                tested(count);
            }
            if found.is_some() {
                return found;
            }
            match select(self.news.next(), &mut patience).await {
                Either::Left((news, _)) => {
                    news?;
                    has_heard = true;
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

/// Resolves after so many milliseconds.
async fn pause(milliseconds: i32) {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let promise = Promise::new(&mut |resolve, _| {
        let _ = scope.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds);
    });
    let _ = JsFuture::from(promise).await;
}

impl PrimeSource for PrimeSearchPool {
    fn begin(&mut self, size: KeySize) {
        let mut searchers = self.searchers.borrow_mut();
        if searchers.size != Some(size) {
            searchers.search_for(size, PRIMES);
        }
    }

    fn forget(&mut self) {
        let mut searchers = self.searchers.borrow_mut();
        (searchers.size, searchers.wanted) = (None, 0);
        searchers.found.clear();
        searchers.ports.iter().for_each(|port| port.search_for(None));
    }

    async fn next(&mut self, size: KeySize, tested: &mut impl FnMut(u32)) -> Prime {
        self.begin(size);
        if !self.is_alone {
            {
                let mut searchers = self.searchers.borrow_mut();
                // Two that were found cannot stand side by side.
                if searchers.found.is_empty() && searchers.wanted == 0 {
                    searchers.search_for(size, 1);
                }
            }
            if let Some(prime) = self.found(tested).await {
                return prime;
            }
            self.is_alone = true;
        }
        self.otherwise.next(size, tested).await
    }

    fn end(&mut self) {
        self.searchers.borrow_mut().ports.clear();
    }
}
