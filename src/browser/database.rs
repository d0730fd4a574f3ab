//! The page's database in IndexedDB: its schema, its transactions, its errors.

use core::ops::Deref;

use indexed_db_futures::database::Database;
use indexed_db_futures::error::{DomException, Error, OpenDbError};
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{Transaction, TransactionDurability, TransactionMode, TransactionOptions};
use keyside_core::ports::StoreError;

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

/// Opens the database, and makes it where there is none. One of an older version gets what was added since; what is in it stays.
pub(super) async fn open() -> Result<Connection, StoreError> {
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
            OpenDbError::Base(error) => store_error(error),
            // What the library makes of whatever the browser throws at the call itself, since the version is not zero.
            OpenDbError::VersionZero => StoreError::Unusable("it does not open its database".into()),
            other => StoreError::Unusable(other.to_string()),
        })
}

/// A transaction whose commit is on the disk when it is reported (`durability: "strict"`).
pub(super) fn read_write<'a>(database: &'a Database, store: &str) -> Result<Transaction<'a>, StoreError> {
    let mut options = TransactionOptions::new();
    options.set_durability(TransactionDurability::Strict);
    database.transaction(store).with_mode(TransactionMode::Readwrite).with_options(options).build().map_err(store_error)
}

/// Writes a record, reads it back, and deletes it.
pub(super) async fn try_out() -> Result<(), StoreError> {
    const KEY: &str = "try-out";
    let database = open().await?;
    let transaction = read_write(&database, DRAFTS)?;
    let store = transaction.object_store(DRAFTS).map_err(store_error)?;
    store.put(KEY).with_key(KEY).without_key_type().await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)?;
    let transaction = read_write(&database, DRAFTS)?;
    let store = transaction.object_store(DRAFTS).map_err(store_error)?;
    let read: Option<String> = store.get(KEY).await.map_err(store_error)?;
    store.delete(KEY).build().map_err(store_error)?.await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)?;
    match read.as_deref() {
        Some(KEY) => Ok(()),
        _ => Err(StoreError::Unusable("what was written is gone".into())),
    }
}

/// The database's error in the port's terms.
pub(super) fn store_error(error: Error) -> StoreError {
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
