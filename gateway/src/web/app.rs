//! The state and the headers that handlers share.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, header};

use super::settings::Limits;
use crate::ra::RegistrationAuthority;

/// What the handlers share.
#[derive(Clone)]
pub(super) struct App {
    pub(super) ra: Arc<RegistrationAuthority>,
    pub(super) limits: Limits,
}

/// A header with a fixed value.
pub(super) type FixedHeader = (HeaderName, HeaderValue);

/// For answers that may have changed the next time: caches ask first.
pub(super) const NO_CACHE: FixedHeader = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
/// For answers about one person's request: caches keep nothing.
pub(super) const NO_STORE: FixedHeader = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
