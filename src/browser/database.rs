//! The page's database in IndexedDB: its schema, its transactions, its errors.

use core::ops::Deref;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use indexed_db_futures::database::Database;
use indexed_db_futures::error::{DomException, Error, OpenDbError};
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{Transaction, TransactionDurability, TransactionMode, TransactionOptions};
use js_sys::Promise;
use keyside_core::ports::StoreError;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

/// The database's name.
const DATABASE: &str = "keyside";
/// The object store of the enrollments; its keys are their IDs.
pub(super) const ENROLLMENTS: &str = "enrollments";
/// The object store of what was typed and not submitted yet.
pub(super) const DRAFTS: &str = "drafts";

/// The object store of the requests for devices; its keys are their IDs.
pub(super) const DEVICE_REQUESTS: &str = "device_requests";

/// The object stores that each version of the schema adds to the version before it: versions 1, 2, ….
const SCHEMA: [&[&str]; 2] = [&[ENROLLMENTS, DRAFTS], &[DEVICE_REQUESTS]];
/// The newest version, which this page works with.
const SCHEMA_VERSION: u32 = SCHEMA.len() as u32;

/// The time limit for opening, in milliseconds. A browser whose storage hangs never answers.
const OPEN_TIMEOUT: u32 = 10_000;

/// A connection to the database, closed when it is dropped. One that is left to the garbage collector stands in the way of whoever
/// brings the schema up to date in another tab.
pub(super) struct Connection(Database);

impl Deref for Connection {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.clone().close();
    }
}

/// The failure of an operation.
pub(super) enum Failure {
    /// The browser's storage process died, which Safari on phones does in the background. A new connection starts it again.
    ConnectionLost(StoreError),
    /// Another attempt would fail too.
    Final(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let lost = match &error {
            Error::DomException(DomException::InvalidStateError(_)) => true,
            Error::DomException(DomException::Other(other)) => other.name() == "UnknownError",
            _ => false,
        };
        if lost { Self::ConnectionLost(store_error(error)) } else { Self::Final(store_error(error)) }
    }
}

/// Runs `operation` with a connection of its own. If that is lost, `operation` runs once more with a new one.
pub(super) async fn with_connection<T>(
    mut operation: impl AsyncFnMut(&Connection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut attempt = async || operation(&open().await?).await;
    let outcome = match attempt().await {
        Err(Failure::ConnectionLost(_)) => attempt().await,
        outcome => outcome,
    };
    outcome.map_err(|(Failure::ConnectionLost(error) | Failure::Final(error))| error)
}

/// Opens the database, within [`OPEN_TIMEOUT`].
async fn open() -> Result<Connection, Failure> {
    let (sender, opened) = oneshot::channel();
    // If the time is over, no one receives the connection, and it is closed as soon as it is open.
    spawn_local(async move { drop(sender.send(open_or_create().await)) });
    match select(opened, TimeoutFuture::new(OPEN_TIMEOUT)).await {
        Either::Left((Ok(opened), _)) => opened,
        _ => {
            let seconds = OPEN_TIMEOUT / 1000;
            Err(Failure::Final(StoreError::Unusable(format!("it does not open its database within {seconds} seconds"))))
        }
    }
}

#[wasm_bindgen]
extern "C" {
    /// Calls `held` once this page has the lock `name`, which it has until the promise that `held` gives is resolved (Web Locks API,
    /// `LockManager.request`). There are no locks outside of secure contexts.
    #[wasm_bindgen(catch, js_namespace = ["navigator", "locks"])]
    fn request(name: &str, held: &Closure<dyn FnMut(JsValue) -> Promise>) -> Result<Promise, JsValue>;
}

/// Waits until no other page of this site opens the database, as far as the browser can tell. None will until what this gives is dropped.
///
/// Chromium freezes a page that is left, and keeps it for the way back. If it is frozen just when its database is created, no page after it
/// can open that. As soon as another page waits for the frozen page's lock, Chromium ends the frozen page. (Firefox does not freeze a page in the middle of opening; against
/// WebKit's doing so, the gateway sends the document with `no-store`.)
async fn lock() -> oneshot::Sender<()> {
    let (acquired, waiting) = oneshot::channel();
    let (lock, dropped) = oneshot::channel();
    spawn_local(async move {
        let held = Closure::once(move |_lock: JsValue| {
            let _ = acquired.send(());
            future_to_promise(async {
                let _ = dropped.await;
                Ok(JsValue::UNDEFINED)
            })
        });
        if let Ok(released) = request(DATABASE, &held) {
            drop(JsFuture::from(released).await);
        }
    });
    // A request that failed has dropped the sender.
    let _ = waiting.await;
    lock
}

/// Opens the database, and creates it if it does not exist. An older version gets what was added since, and keeps its records.
async fn open_or_create() -> Result<Connection, Failure> {
    let _lock = lock().await;
    Database::open(DATABASE)
        .with_version(SCHEMA_VERSION)
        .with_on_upgrade_needed(|event, database| {
            for added in SCHEMA.iter().skip(event.old_version() as usize) {
                for store in *added {
                    database.create_object_store(store).build()?;
                }
            }
            Ok(())
        })
        .await
        .map(Connection)
        .map_err(|error| match error {
            OpenDbError::Base(error) => error.into(),
            // What the library makes of whatever the browser throws at the call itself, since the version is not zero.
            OpenDbError::VersionZero => StoreError::Unusable("it does not open its database".into()).into(),
            other => StoreError::Unusable(other.to_string()).into(),
        })
}

/// A transaction whose commit is on the disk when it is reported (`durability: "strict"`).
pub(super) fn read_write<'a>(database: &'a Database, store: &str) -> Result<Transaction<'a>, Error> {
    let mut options = TransactionOptions::new();
    options.set_durability(TransactionDurability::Strict);
    database.transaction(store).with_mode(TransactionMode::Readwrite).with_options(options).build()
}

/// The database's error in the port's terms.
fn store_error(error: Error) -> StoreError {
    match &error {
        Error::DomException(DomException::ConstraintError(_)) => StoreError::AlreadyThere,
        Error::DomException(DomException::Other(other)) => match other.name().as_str() {
            "QuotaExceededError" => StoreError::Full,
            "VersionError" => StoreError::TooNew,
            _ => StoreError::Unusable(other.message()),
        },
        _ => StoreError::Unusable(error.to_string()),
    }
}
