//! The requests for devices in IndexedDB: one record a request, under its ID.

use keyside_core::domain::device_request::DeviceRequest;
use keyside_core::ports::{DeviceRequestStore, HeldDeviceRequests, StoreError};

use super::database::DEVICE_REQUESTS;
use super::records;

/// The requests for devices in this browser's IndexedDB.
#[derive(Clone, Copy, Debug)]
pub struct IndexedDbDeviceRequestStore;

impl DeviceRequestStore for IndexedDbDeviceRequestStore {
    async fn list(&self) -> Result<HeldDeviceRequests, StoreError> {
        let (mut requests, unreadable) = records::list::<DeviceRequest>(DEVICE_REQUESTS).await?;
        requests.sort_by_key(|request| core::cmp::Reverse(request.created_at));
        Ok(HeldDeviceRequests { requests, unreadable })
    }

    async fn get(&self, id: &str) -> Result<Option<DeviceRequest>, StoreError> {
        records::get(DEVICE_REQUESTS, id).await
    }

    async fn insert(&self, request: &DeviceRequest) -> Result<(), StoreError> {
        records::insert(DEVICE_REQUESTS, &request.id, request).await
    }

    async fn update(&self, id: &str, change: impl FnOnce(&mut DeviceRequest)) -> Result<DeviceRequest, StoreError> {
        records::update(DEVICE_REQUESTS, id, change).await
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        records::remove(DEVICE_REQUESTS, id).await
    }
}
