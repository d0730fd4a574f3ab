//! Records of one kind in an object store: objects of JavaScript, each under its ID.
//!
//! The browser makes them of JSON, and JSON of them: the program has readers and writers of JSON anyway, and others for objects would make it
//! larger.

use indexed_db_futures::prelude::*;
use js_sys::JSON;
use keyside_core::ports::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use super::database::{open, read_write, store_error};
use super::words;

/// What a record says.
fn read<T: DeserializeOwned>(record: &JsValue) -> Result<T, StoreError> {
    let text = JSON::stringify(record).map_err(|error| StoreError::Unreadable(words(&error)))?;
    // What has no JSON at all gives undefined in place of a text.
    let text = text.as_string().ok_or_else(|| StoreError::Unreadable("it is no object".into()))?;
    serde_json::from_str(&text).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// A record that says `contents`.
fn record(contents: &impl Serialize) -> Result<JsValue, StoreError> {
    let text = serde_json::to_string(contents).map_err(|error| StoreError::Unusable(error.to_string()))?;
    JSON::parse(&text).map_err(|error| StoreError::Unusable(words(&error)))
}

/// Every record that can be read, and how many cannot.
pub(super) async fn list<T: DeserializeOwned>(object_store: &str) -> Result<(Vec<T>, usize), StoreError> {
    let database = open().await?;
    let transaction = database.transaction(object_store).build().map_err(store_error)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    let (mut readable, mut unreadable) = (Vec::new(), 0);
    for record in store.get_all::<JsValue>().await.map_err(store_error)? {
        match read(&record.map_err(store_error)?) {
            Ok(record) => readable.push(record),
            Err(_) => unreadable += 1,
        }
    }
    Ok((readable, unreadable))
}

/// The record with this ID.
pub(super) async fn get<T: DeserializeOwned>(object_store: &str, id: &str) -> Result<Option<T>, StoreError> {
    let database = open().await?;
    let transaction = database.transaction(object_store).build().map_err(store_error)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    let record: Option<JsValue> = store.get(id).await.map_err(store_error)?;
    record.as_ref().map(read).transpose()
}

/// Adds a record; one with the same ID is never overwritten.
pub(super) async fn insert<T: Serialize>(object_store: &str, id: &str, contents: &T) -> Result<(), StoreError> {
    let record = record(contents)?;
    let database = open().await?;
    let transaction = read_write(&database, object_store)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    store.add(record).with_key(id).without_key_type().await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}

/// Adds a record, in place of one with the same ID if there is one.
pub(super) async fn put<T: Serialize>(object_store: &str, id: &str, contents: &T) -> Result<(), StoreError> {
    let record = record(contents)?;
    let database = open().await?;
    let transaction = read_write(&database, object_store)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    store.put(record).with_key(id).without_key_type().await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}

/// Changes a record, in one transaction.
pub(super) async fn update<T: Serialize + DeserializeOwned>(
    object_store: &str,
    id: &str,
    change: impl FnOnce(&mut T),
) -> Result<T, StoreError> {
    let database = open().await?;
    let transaction = read_write(&database, object_store)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    let kept: Option<JsValue> = store.get(id).await.map_err(store_error)?;
    let mut contents = read(&kept.ok_or(StoreError::NotThere)?)?;
    change(&mut contents);
    store.put(record(&contents)?).with_key(id).without_key_type().await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)?;
    Ok(contents)
}

/// Removes a record, if it is there.
pub(super) async fn remove(object_store: &str, id: &str) -> Result<(), StoreError> {
    let database = open().await?;
    let transaction = read_write(&database, object_store)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    store.delete(id).build().map_err(store_error)?.await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}
