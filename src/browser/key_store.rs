//! The key store in IndexedDB: one record an enrollment, under its ID.

use keyside_core::domain::enrollment::Enrollment;
use keyside_core::ports::{Held, KeyStore, StoreError};

use super::database::ENROLLMENTS;
use super::records;

/// The enrollments in this browser's IndexedDB.
#[derive(Clone, Copy, Debug)]
pub struct IndexedDbKeyStore;

impl KeyStore for IndexedDbKeyStore {
    async fn list(&self) -> Result<Held, StoreError> {
        let (mut enrollments, unreadable) = records::list::<Enrollment>(ENROLLMENTS).await?;
        enrollments.sort_by_key(|enrollment| core::cmp::Reverse(enrollment.created_at));
        Ok(Held { enrollments, unreadable })
    }

    async fn get(&self, id: &str) -> Result<Option<Enrollment>, StoreError> {
        records::get(ENROLLMENTS, id).await
    }

    async fn insert(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        records::insert(ENROLLMENTS, &enrollment.id(), enrollment).await
    }

    async fn update(&self, id: &str, change: impl FnOnce(&mut Enrollment)) -> Result<Enrollment, StoreError> {
        records::update(ENROLLMENTS, id, change).await
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        records::remove(ENROLLMENTS, id).await
    }
}
