//! Keyside's page: certificate enrollment in the browser.
//!
//! A user's RSA key pair and PKCS#10 certification request are made inside the browser, in WebAssembly. The private key
//! stays there, encrypted under the user's pickup passphrase; the certificate is collected by transaction ID and packed
//! with the key into one PKCS#12 file.
//!
//! # The map of the house
//!
//! | crate | what lives there | depends on |
//! |---|---|---|
//! | `keyside_montgomery` | tests of candidates for primes with fused multiply-add, as a WebAssembly module of its own | nothing |
//! | `keyside_primes` | the search for primes | nothing |
//! | [`keyside_pki`] | bytes in, bytes out: one file per structure, named as its standard names it | nothing |
//! | [`keyside_core`] | the domain, the API's types, the messages between page and workers, custody of the secrets, ports and use cases | `keyside_pki`, `keyside_primes` |
//! | `keyside_worker` | the programs that run in workers; `worker` embeds `keyside_montgomery` | `keyside_core`, `keyside_pki`, `keyside_primes` |
//! | `keyside`, this crate | the page | `keyside_core`, `keyside_pki` |
//! | `keyside_gateway` | the registration authority | `keyside_core`, `keyside_pki` |
//!
//! | module of the page | what lives there | depends on |
//! |---|---|---|
//! | [`browser`] | the adapters: IndexedDB, workers, HTTP, downloads | `keyside_core::ports` |
//! | [`ui`] | routes, pages, components, messages; the pages beside the main job are a part that is loaded by route (`ui::other_pages`) | `keyside_core::service` |
//!
//! Only the binaries join ports to adapters. Elsewhere than in a browser this crate is empty.
#![cfg(target_arch = "wasm32")]

pub mod browser;
pub mod ui;
