//! Records of one kind in an object store: serialised, each under its ID.

use indexed_db_futures::error::Error;
use indexed_db_futures::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::database::{open, read_write, store_error};
use crate::ports::StoreError;

/// Every record that can be read, and how many cannot.
pub(super) async fn list<T: DeserializeOwned>(object_store: &str) -> Result<(Vec<T>, usize), StoreError> {
    let database = open().await?;
    let transaction = database.transaction(object_store).build().map_err(store_error)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    let (mut readable, mut unreadable) = (Vec::new(), 0);
    for record in store.get_all::<T>().serde().map_err(store_error)?.await.map_err(store_error)? {
        match record {
            Ok(record) => readable.push(record),
            Err(Error::Serialisation(_)) => unreadable += 1,
            Err(error) => return Err(store_error(error)),
        }
    }
    Ok((readable, unreadable))
}

/// The record with this ID.
pub(super) async fn get<T: DeserializeOwned>(object_store: &str, id: &str) -> Result<Option<T>, StoreError> {
    let database = open().await?;
    let transaction = database.transaction(object_store).build().map_err(store_error)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    store.get::<T, _, _>(id).serde().map_err(store_error)?.await.map_err(store_error)
}

/// Adds a record; one with the same ID is never overwritten.
pub(super) async fn insert<T: Serialize>(object_store: &str, id: &str, record: &T) -> Result<(), StoreError> {
    let database = open().await?;
    let transaction = read_write(&database, object_store)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    store.add(record).with_key(id).without_key_type().serde().map_err(store_error)?.await.map_err(store_error)?;
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
    let mut record = store
        .get::<T, _, _>(id)
        .serde()
        .map_err(store_error)?
        .await
        .map_err(store_error)?
        .ok_or(StoreError::NotThere)?;
    change(&mut record);
    store.put(&record).with_key(id).without_key_type().serde().map_err(store_error)?.await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)?;
    Ok(record)
}

/// Removes a record, if it is there.
pub(super) async fn remove(object_store: &str, id: &str) -> Result<(), StoreError> {
    let database = open().await?;
    let transaction = read_write(&database, object_store)?;
    let store = transaction.object_store(object_store).map_err(store_error)?;
    store.delete(id).build().map_err(store_error)?.await.map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}
