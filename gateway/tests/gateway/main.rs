//! The gateway from outside: the real program, its real database, real HTTP on a port that the system chose.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it fails"
)]

mod audit;
mod ca_files;
mod cfssl;
mod cfssl_server;
mod command_line;
mod connection_check;
mod connections;
mod console;
mod crashes;
mod devices;
mod est;
mod harness;
mod issuance;
mod keys;
mod known_keys;
mod lint;
mod mail_server;
mod names;
mod notifications;
mod officer_mail;
mod older_database;
mod openapi;
mod operations;
mod outages;
mod page;
mod postgresql;
mod refusals;
mod renewal;
mod renewal_chain;
mod restore;
mod retention;
mod revocation;
mod roles;
mod rollover;
mod several_gateways;
mod tls;
mod trust;
