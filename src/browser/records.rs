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

use super::database::{DRAFTS, read_write, with_connection};
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
    let records = get_all_records(object_store).await?;
    let readable: Vec<_> = records.iter().filter_map(|record| read(record).ok()).collect();
    let unreadable = records.len() - readable.len();
    Ok((readable, unreadable))
}

/// The record with this ID.
pub(super) async fn get<T: DeserializeOwned>(object_store: &str, id: &str) -> Result<Option<T>, StoreError> {
    get_record(object_store, id).await?.as_ref().map(read).transpose()
}

/// Adds a record; one with the same ID is never overwritten.
pub(super) async fn insert<T: Serialize>(object_store: &str, id: &str, contents: &T) -> Result<(), StoreError> {
    insert_record(object_store, id, &record(contents)?).await
}

/// Adds a record, in place of one with the same ID if there is one.
pub(super) async fn put<T: Serialize>(object_store: &str, id: &str, contents: &T) -> Result<(), StoreError> {
    put_record(object_store, id, &record(contents)?).await
}

/// Changes a record, in one transaction.
pub(super) async fn update<T: Serialize + DeserializeOwned>(
    object_store: &str,
    id: &str,
    change: impl FnOnce(&mut T),
) -> Result<T, StoreError> {
    let mut change = Some(change);
    let mut changed = None;
    update_record(object_store, id, &mut |kept| {
        let mut contents = read(&kept)?;
        // If the connection was lost after the change, the first attempt may have been committed. The change is not made twice.
        let change =
            change.take().ok_or_else(|| StoreError::Unusable("the connection to its database was lost".into()))?;
        change(&mut contents);
        let record = record(&contents)?;
        changed = Some(contents);
        Ok(record)
    })
    .await?;
    changed.ok_or(StoreError::NotThere)
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

/// Writes a record, reads it back, and deletes it.
pub(super) async fn try_out() -> Result<(), StoreError> {
    // One for each tab that tries at the same time, so that none deletes what another one has written.
    let key = format!("try-out {}", (js_sys::Math::random() * f64::from(u32::MAX)) as u32);
    let written = JsValue::from_str(&key);
    put_record(DRAFTS, &key, &written).await?;
    let kept = get_record(DRAFTS, &key).await?;
    remove(DRAFTS, &key).await?;
    if kept == Some(written) { Ok(()) } else { Err(StoreError::Unusable("what was written is gone".into())) }
}

// The functions below do not read records: the program has each of them once, and not for each kind of record.

async fn get_all_records(object_store: &str) -> Result<Vec<JsValue>, StoreError> {
    with_connection(async |database| {
        let transaction = database.transaction(object_store).build()?;
        let store = transaction.object_store(object_store)?;
        Ok(store.get_all::<JsValue>().await?.collect::<Result<_, _>>()?)
    })
    .await
}

async fn get_record(object_store: &str, id: &str) -> Result<Option<JsValue>, StoreError> {
    with_connection(async |database| {
        let transaction = database.transaction(object_store).build()?;
        let store = transaction.object_store(object_store)?;
        Ok(store.get(id).await?)
    })
    .await
}

async fn insert_record(object_store: &str, id: &str, record: &JsValue) -> Result<(), StoreError> {
    let mut attempted = false;
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        // The first attempt may have been committed, and only its answer lost.
        if core::mem::replace(&mut attempted, true)
            && let Some(kept) = store.get::<JsValue, _, _>(id).await?
            && same(&kept, record)
        {
            return Ok(());
        }
        store.add(record.clone()).with_key(id).without_key_type().await?;
        Ok(transaction.commit().await?)
    })
    .await
}

async fn put_record(object_store: &str, id: &str, record: &JsValue) -> Result<(), StoreError> {
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        store.put(record.clone()).with_key(id).without_key_type().await?;
        Ok(transaction.commit().await?)
    })
    .await
}

/// Puts what `change` makes of a record in its place. `change` may be called a second time, if the connection was lost.
async fn update_record(
    object_store: &str,
    id: &str,
    change: &mut dyn FnMut(JsValue) -> Result<JsValue, StoreError>,
) -> Result<(), StoreError> {
    with_connection(async |database| {
        let transaction = read_write(database, object_store)?;
        let store = transaction.object_store(object_store)?;
        let kept: Option<JsValue> = store.get(id).await?;
        let record = change(kept.ok_or(StoreError::NotThere)?)?;
        store.put(record).with_key(id).without_key_type().await?;
        Ok(transaction.commit().await?)
    })
    .await
}
