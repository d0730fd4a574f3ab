//! What was typed into the registration form, kept over a reload or a crash. Never a passphrase.
//!
//! In IndexedDB, since what goes into `localStorage` may not survive a crash of the browser.

use indexed_db_futures::prelude::*;
use serde::{Deserialize, Serialize};

use super::database::{DRAFTS, open, read_write, store_error};
use crate::domain::key_size::KeySize;
use crate::ports::StoreError;

/// The key of the only record.
const KEY: &str = "registration";

/// The form's fields that are worth keeping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The Common Name as typed.
    pub common_name: String,
    /// The e-mail address as typed.
    pub email_address: String,
    /// The key size chosen.
    pub key_size: KeySize,
}

/// The draft kept, if there is one.
pub async fn load() -> Result<Option<Draft>, StoreError> {
    let database = open().await?;
    let transaction = database.transaction(DRAFTS).build().map_err(store_error)?;
    let store = transaction.object_store(DRAFTS).map_err(store_error)?;
    store.get::<Draft, _, _>(KEY).serde().map_err(store_error)?.await.map_err(store_error)
}

/// Keeps the draft.
pub async fn save(draft: &Draft) -> Result<(), StoreError> {
    let database = open().await?;
    let transaction = read_write(&database, DRAFTS)?;
    let store = transaction.object_store(DRAFTS).map_err(store_error)?;
    store.put(draft).with_key(KEY).without_key_type().serde().map_err(store_error)?.await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}

/// Forgets the draft.
pub async fn clear() -> Result<(), StoreError> {
    let database = open().await?;
    let transaction = read_write(&database, DRAFTS)?;
    let store = transaction.object_store(DRAFTS).map_err(store_error)?;
    store.delete(KEY).build().map_err(store_error)?.await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}
