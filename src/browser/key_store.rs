//! The key store in IndexedDB: one record an enrollment, under its ID.

use indexed_db_futures::error::Error;
use indexed_db_futures::prelude::*;

use super::database::{ENROLLMENTS, open, read_write, store_error};
use crate::domain::enrollment::Enrollment;
use crate::ports::{Held, KeyStore, StoreError};

/// The enrollments in this browser's IndexedDB.
#[derive(Clone, Copy, Debug)]
pub struct IndexedDbKeyStore;

impl KeyStore for IndexedDbKeyStore {
    async fn list(&self) -> Result<Held, StoreError> {
        let database = open().await?;
        let transaction = database.transaction(ENROLLMENTS).build().map_err(store_error)?;
        let store = transaction.object_store(ENROLLMENTS).map_err(store_error)?;
        let mut held = Held::default();
        for record in store.get_all::<Enrollment>().serde().map_err(store_error)?.await.map_err(store_error)? {
            match record {
                Ok(enrollment) => held.enrollments.push(enrollment),
                Err(Error::Serialisation(_)) => held.unreadable += 1,
                Err(error) => return Err(store_error(error)),
            }
        }
        held.enrollments.sort_by_key(|enrollment| core::cmp::Reverse(enrollment.created_at));
        Ok(held)
    }

    async fn get(&self, id: &str) -> Result<Option<Enrollment>, StoreError> {
        let database = open().await?;
        let transaction = database.transaction(ENROLLMENTS).build().map_err(store_error)?;
        let store = transaction.object_store(ENROLLMENTS).map_err(store_error)?;
        store.get::<Enrollment, _, _>(id).serde().map_err(store_error)?.await.map_err(store_error)
    }

    async fn insert(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        let database = open().await?;
        let transaction = read_write(&database, ENROLLMENTS)?;
        let store = transaction.object_store(ENROLLMENTS).map_err(store_error)?;
        store
            .add(enrollment)
            .with_key(enrollment.id())
            .without_key_type()
            .serde()
            .map_err(store_error)?
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn update(&self, id: &str, change: impl FnOnce(&mut Enrollment)) -> Result<Enrollment, StoreError> {
        let database = open().await?;
        let transaction = read_write(&database, ENROLLMENTS)?;
        let store = transaction.object_store(ENROLLMENTS).map_err(store_error)?;
        let mut enrollment = store
            .get::<Enrollment, _, _>(id)
            .serde()
            .map_err(store_error)?
            .await
            .map_err(store_error)?
            .ok_or(StoreError::NotThere)?;
        change(&mut enrollment);
        store
            .put(&enrollment)
            .with_key(id)
            .without_key_type()
            .serde()
            .map_err(store_error)?
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(enrollment)
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        let database = open().await?;
        let transaction = read_write(&database, ENROLLMENTS)?;
        let store = transaction.object_store(ENROLLMENTS).map_err(store_error)?;
        store.delete(id).build().map_err(store_error)?.await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }
}
