//! Keyside: certificate enrollment in the browser.
//!
//! A user's RSA key pair and PKCS#10 certification request are made inside the browser, in WebAssembly. The private key
//! stays there, encrypted under the user's pickup passphrase; the certificate is collected by transaction ID and packed
//! with the key into one PKCS#12 file.
//!
//! # The map of the house
//!
//! | module | what lives there | depends on |
//! |---|---|---|
//! | `element` | a tag, a length, and contents: what DER is made of | nothing |
//! | [`domain`] | what the user means: distinguished name, passphrase policy, transaction ID, enrollment record, device | `element` |
//! | [`pki`] | bytes in, bytes out: one file per structure, named as its standard names it | `domain` |
//! | [`api`] | the RA API's types, shared with the gateway | `domain` |
//! | [`protocol`] | the versioned messages between page and workers | `domain`, `pki` |
//! | [`custody`] | all that touches the clear private key or the passphrase; it runs inside a worker: the main job's, the one for certificates, or the inspector for files from elsewhere | `pki` |
//! | [`ports`] | what the use cases need from the outside world | `domain`, `api`, `protocol` |
//! | [`service`] | the use cases: enroll, collect, renew, back up, restore, change the passphrase, ask for a revocation, devices, trust, connect, inspect | `ports`, `pki`, `domain` |
//! | `browser` | wasm32 only: the adapters (IndexedDB, workers, HTTP, downloads) | `ports` |
//! | `ui` | wasm32 only: routes, pages, components, messages; three programs, told apart in `ui::programs` | `service` |
//!
//! Everything above `browser` compiles and is tested natively. Only the binaries join ports to adapters.

pub mod api;
pub mod custody;
pub mod domain;
mod element;
pub mod pki;
pub mod ports;
pub mod protocol;
pub mod service;

#[cfg(target_arch = "wasm32")]
pub mod browser;
#[cfg(all(target_arch = "wasm32", feature = "page"))]
pub mod ui;
