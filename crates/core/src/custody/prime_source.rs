//! Where the primes of a new key come from: a search on this thread, or a pool of workers that search.
#![allow(async_fn_in_trait, reason = "every caller runs on one thread")]

use keyside_primes::Integers;
use rand::CryptoRng;

use crate::domain::key_size::KeySize;
use crate::key_generation::prime::{Prime, PrimeSearch};

/// Finds primes.
pub trait PrimeSource {
    /// Has primes for a key of `size` searched for from now on, where others do that: until there are two of them, or as many as are asked for.
    fn begin(&mut self, size: KeySize);

    /// Ends what was begun, and wipes what was found: those that search elsewhere rest.
    fn forget(&mut self);

    /// The next prime for a key of `size`. `tested` hears how many numbers were tested since it last heard, as the search goes on.
    async fn next(&mut self, size: KeySize, tested: &mut impl FnMut(u32)) -> Prime;

    /// No more primes are wanted: those that search elsewhere wipe all and end.
    fn end(&mut self);
}

/// Searches on this thread, and occupies it until something is found.
pub struct LocalSearch<R> {
    rng: R,
    search: Option<(KeySize, PrimeSearch)>,
}

impl<R: CryptoRng> LocalSearch<R> {
    /// Every random bit of the search comes from `rng`.
    pub fn new(rng: R) -> Self {
        Self { rng, search: None }
    }
}

impl<R: CryptoRng> PrimeSource for LocalSearch<R> {
    fn begin(&mut self, _: KeySize) {}

    fn forget(&mut self) {
        self.search = None;
    }

    async fn next(&mut self, size: KeySize, tested: &mut impl FnMut(u32)) -> Prime {
        let search = match self.search.take() {
            Some((its_size, search)) if its_size == size => search,
            _ => PrimeSearch::new(size),
        };
        let (_, search) = self.search.insert((size, search));
        loop {
            let step = search.step(&mut Integers, &mut self.rng);
            tested(step.tested);
            if let Some(found) = step.found {
                return found;
            }
        }
    }

    fn end(&mut self) {
        self.search = None;
    }
}
