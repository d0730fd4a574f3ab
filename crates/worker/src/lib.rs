//! The programs that run in the page's workers: each has custody, or what is public, do one job, and posts the answer.
//!
//! Elsewhere than in a browser this crate is empty.
#![cfg(target_arch = "wasm32")]

pub mod host;
mod montgomery;
mod prime_search;
mod prime_search_pool;
mod web_crypto;
