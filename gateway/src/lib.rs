//! Keyside's gateway: the registration authority that the page talks to.
//!
//! | module | contents |
//! |---|---|
//! | [`gateway`] | the whole, put together, started and served |
//! | [`configuration`], [`settings`] | one TOML file; each part has its settings beside it |
//! | [`web`] | HTTP and TLS: the API, EST, the console, the page, probes and metrics |
//! | [`ra`] | the registration authority: who may have a certificate, what a request must be, decisions, issuing |
//! | [`ca`] | the CA engines: the embedded one, and CFSSL |
//! | [`officers`] | those who authorise and decide, and how they sign in |
//! | [`audit`] | verifying the log of every decision |
//! | [`notifications`] | mails |
//! | [`store`], [`database`], [`data_directory`], [`private_files`] | what is kept, and where: a file for each table |
//! | [`clock`], [`backoff`], `network`, `limiter_memory`, [`hexadecimal`] | time, pauses, one client, limiters, and how bytes are written |
//!
//! Dependencies point down this list. Bytes are read and made by [`keyside_pki`], the API's types are [`keyside_core::api`]'s: the page uses the
//! same code.

pub mod audit;
pub mod backoff;
pub mod ca;
pub mod clock;
pub mod configuration;
pub mod data_directory;
pub mod database;
pub mod gateway;
pub mod hexadecimal;
mod limiter_memory;
mod network;
pub mod notifications;
pub mod officers;
pub mod private_files;
pub mod ra;
pub mod settings;
pub mod store;
pub mod web;
