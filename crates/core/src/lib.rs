//! What Keyside does, without a browser, a network or a store.
//!
//! | module | what is in it | depends on |
//! |---|---|---|
//! | [`domain`] | what the user means: distinguished name, passphrase policy, transaction ID, enrollment record, device | `keyside_pki` |
//! | [`api`] | the RA API's types, shared by page and gateway | `domain` |
//! | [`protocol`] | the versioned messages between the page and its workers | `domain`, `inspection` |
//! | [`custody`] | all that touches the clear private key or the passphrase; it runs only inside a worker | `key_generation`, `inspection`, `backup` |
//! | [`key_generation`] | RSA key pairs and their primes | `keyside_primes` |
//! | [`certificates`] | certificates, checked and read for the page | `protocol` |
//! | [`inspection`] | what is in a file from elsewhere, described | `domain`, `backup` |
//! | [`backup`] | the file that brings an enrollment to another browser | `domain` |
//! | [`device_names`] | the names that a device's certificate may have | `keyside_pki` |
//! | [`commands`] | commands and programs that users copy from the page | `domain` |
//! | [`ports`] | what the use cases need from outside | `domain`, `api`, `protocol` |
//! | [`service`] | the use cases: enroll, collect, renew, back up, restore, change the passphrase, ask for a revocation, devices, trust, connect, inspect | `ports` |

pub mod api;
pub mod backup;
pub mod certificates;
pub mod commands;
pub mod custody;
pub mod device_names;
pub mod domain;
pub mod inspection;
pub mod key_generation;
pub mod ports;
pub mod protocol;
pub mod service;
