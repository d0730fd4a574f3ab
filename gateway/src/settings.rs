//! The groundwork of settings: each part of the gateway has its own, in a module `settings`; [`configuration`](crate::configuration) puts them
//! together.

pub mod faults;
pub mod read;
