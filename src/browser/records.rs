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

use super::database::{read_write, with_connection};
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

/// True if both records say the same.
fn same(one: &JsValue, other: &JsValue) -> bool {
    let text = |record| JSON::stringify(record).ok().and_then(|text| text.as_string());
    text(one).is_some_and(|one| Some(one) == text(other))
}

/// Every record that can be read, and how many cannot.
pub(super) async fn list<T: DeserializeOwned>(object_store: &str) -> Result<(Vec<T>, usize), StoreError> {
    with_connection(async |database| {
        let transaction = database.transaction(object_store).build()?;
        let store = transaction.object_store(object_store)?;
        let (mut readable, mut unreadable) = (Vec::new(), 0);
        for record in store.get_all::<JsValue>().await? {
            match read(&record?) {
                Ok(record) => readable.push(record),
                Err(_) => unreadable += 1,
            }
        }
        Ok((readable, unreadable))
    })
    .await
}

/// The record with this ID.
pub(super) async fn get<T: DeserializeOwned>(object_store: &str, id: &str) -> Result<Option<T>, StoreError> {
    with_connection(async |database| {
        let transaction = database.transaction(object_store).build()?;
        let store = transaction.object_store(object_store)?;
        let record: Option<JsValue> = store.get(id).await?;
        Ok(record.as_ref().map(read).transpose()?)
    })
    .await
}

/// Adds a record; one with the same ID is never overwritten.
pub(super) async fn insert<T: Serialize>(object_store: &str, id: &str, contents: &T) -> Result<(), StoreError> {
    let record = record(contents)?;
    let mut attempted = false;
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        // The first attempt may have been committed, and only its answer lost.
        if core::mem::replace(&mut attempted, true)
            && let Some(kept) = store.get::<JsValue, _, _>(id).await?
            && same(&kept, &record)
        {
            return Ok(());
        }
        store.add(record.clone()).with_key(id).without_key_type().await?;
        Ok(transaction.commit().await?)
    })
    .await
}

/// Adds a record, in place of one with the same ID if there is one.
pub(super) async fn put<T: Serialize>(object_store: &str, id: &str, contents: &T) -> Result<(), StoreError> {
    let record = record(contents)?;
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        store.put(record.clone()).with_key(id).without_key_type().await?;
        Ok(transaction.commit().await?)
    })
    .await
}

/// Changes a record, in one transaction.
pub(super) async fn update<T: Serialize + DeserializeOwned>(
    object_store: &str,
    id: &str,
    change: impl FnOnce(&mut T),
) -> Result<T, StoreError> {
    let mut change = Some(change);
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        let kept: Option<JsValue> = store.get(id).await?;
        let mut contents = read(&kept.ok_or(StoreError::NotThere)?)?;
        // If the connection was lost after the change, the first attempt may have been committed. The change is not made twice.
        let change =
            change.take().ok_or_else(|| StoreError::Unusable("the connection to its database was lost".into()))?;
        change(&mut contents);
        store.put(record(&contents)?).with_key(id).without_key_type().await?;
        transaction.commit().await?;
        Ok(contents)
    })
    .await
}

/// Removes a record, if it is there.
pub(super) async fn remove(object_store: &str, id: &str) -> Result<(), StoreError> {
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        store.delete(id).build()?.await?;
        Ok(transaction.commit().await?)
    })
    .await
}
