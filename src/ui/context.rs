//! What every page can reach: the adapters and the registration authority's configuration.

use gloo_timers::future::TimeoutFuture;
use js_sys::Promise;
use keyside_core::api::Configuration;
use keyside_core::ports::{RaError, RegistrationAuthority};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::browser::clock::SystemClock;
use crate::browser::device_request_store::IndexedDbDeviceRequestStore;
use crate::browser::key_store::IndexedDbKeyStore;
use crate::browser::registration_authority::{self, HttpRegistrationAuthority};
use crate::browser::worker_client::WebWorkers;

/// The adapters, and the configuration as far as it is known.
#[derive(Clone, Copy)]
pub struct Context {
    /// Where enrollments rest.
    pub store: IndexedDbKeyStore,
    /// Where requests for devices rest.
    pub device_requests: IndexedDbDeviceRequestStore,
    /// What does the work with secrets.
    pub workers: WebWorkers,
    /// What time it is.
    pub clock: SystemClock,
    authority: StoredValue<HttpRegistrationAuthority>,
    configuration: RwSignal<Option<Result<Configuration, RaError>>>,
}

impl Context {
    /// Joins the adapters.
    pub fn new(authority: HttpRegistrationAuthority) -> Self {
        Self {
            store: IndexedDbKeyStore,
            device_requests: IndexedDbDeviceRequestStore,
            workers: WebWorkers,
            clock: SystemClock,
            authority: StoredValue::new(authority),
            configuration: RwSignal::new(None),
        }
    }

    /// The context of the running page.
    pub fn here() -> Self {
        expect_context()
    }

    /// The registration authority.
    pub fn authority(&self) -> HttpRegistrationAuthority {
        self.authority.get_value()
    }

    /// The configuration, once it was read.
    pub fn configuration(&self) -> Option<Configuration> {
        self.configuration.get().and_then(Result::ok)
    }

    /// How reading the configuration went; `None` while it is being read.
    pub fn configuration_result(&self) -> Option<Result<Configuration, RaError>> {
        self.configuration.get()
    }

    /// Reads the configuration from the answer to [`CONFIGURATION_PATH`](keyside_core::api::CONFIGURATION_PATH), a `Response` of fetch.
    pub fn read_configuration(self, answer: Promise) {
        spawn_local(async move {
            // Not in the task that shows the page.
            TimeoutFuture::new(0).await;
            self.configuration.set(Some(registration_authority::configuration(answer).await));
        });
    }

    /// Asks for the configuration again.
    pub fn load_configuration(self) {
        self.configuration.set(None);
        spawn_local(async move { self.configuration.set(Some(self.authority().configuration().await)) });
    }
}

/// The path that the page is served under, without a slash at its end.
pub fn base_path() -> String {
    document()
        .base_uri()
        .ok()
        .flatten()
        .and_then(|base| web_sys::Url::new(&base).ok())
        .map(|base| base.pathname().trim_end_matches('/').to_owned())
        .unwrap_or_default()
}
