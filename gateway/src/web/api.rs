//! The RA API, and its description.

pub(super) mod ca;
pub(super) mod configuration;
pub(super) mod openapi;
pub(super) mod requests;
