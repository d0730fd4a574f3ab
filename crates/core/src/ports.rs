//! What the use cases need from the outside world, with in-memory twins for tests in `memory`.
//!
//! Futures need not be `Send`: a browser's page has one thread.
#![allow(async_fn_in_trait, reason = "every caller runs on one thread")]

use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_path::PathError;

use crate::api::{CaCertificates, Configuration, NewRequest, NewRevocation, Problem, RequestStatus};
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::device_request::DeviceRequest;
use crate::domain::enrollment::Enrollment;
use crate::domain::transaction_id::TransactionId;
use crate::inspection::Inspection;
use crate::protocol::{
    ChangePassphrase, Check, Checked, Export, ExportKey, Failure, Generate, Generated, Inspect, OpenBackup, Renew,
    Renewed, Sealed, Stage, Unpack, Unpacked,
};

#[cfg(test)]
pub(crate) mod memory;

/// Where this browser's enrollments rest.
pub trait KeyStore {
    /// Every enrollment.
    async fn list(&self) -> Result<Held, StoreError>;
    /// One enrollment, by its [`Enrollment::id`].
    async fn get(&self, id: &str) -> Result<Option<Enrollment>, StoreError>;
    /// Adds one. When this returns, it is committed. One with the same ID is never overwritten.
    async fn insert(&self, enrollment: &Enrollment) -> Result<(), StoreError>;
    /// Changes one, in one transaction, so that two tabs cannot undo each other's changes. Returns it as it is now.
    async fn update(&self, id: &str, change: impl FnOnce(&mut Enrollment)) -> Result<Enrollment, StoreError>;
    /// Removes one for good, if it is there.
    async fn remove(&self, id: &str) -> Result<(), StoreError>;
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The enrollments, newest first.
    pub enrollments: Vec<Enrollment>,
    /// How many records there are besides that cannot be read. They are left as they are.
    pub unreadable: usize,
}

/// Where this browser's requests for devices rest.
pub trait DeviceRequestStore {
    /// Every request.
    async fn list(&self) -> Result<HeldDeviceRequests, StoreError>;
    /// One request, by its [`DeviceRequest::id`].
    async fn get(&self, id: &str) -> Result<Option<DeviceRequest>, StoreError>;
    /// Adds one. When this returns, it is committed. One with the same ID is never overwritten.
    async fn insert(&self, request: &DeviceRequest) -> Result<(), StoreError>;
    /// Changes one, in one transaction. Returns it as it is now.
    async fn update(&self, id: &str, change: impl FnOnce(&mut DeviceRequest)) -> Result<DeviceRequest, StoreError>;
    /// Removes one for good, if it is there.
    async fn remove(&self, id: &str) -> Result<(), StoreError>;
}

/// What a store of requests for devices holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldDeviceRequests {
    /// The requests, newest first.
    pub requests: Vec<DeviceRequest>,
    /// How many records there are besides that cannot be read. They are left as they are.
    pub unreadable: usize,
}

/// Why the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An enrollment with this ID is there already.
    #[error("this key is already saved")]
    AlreadyThere,
    /// There is no enrollment with this ID.
    #[error("this key is not saved here")]
    NotThere,
    /// The browser's storage is full.
    #[error("the browser's storage is full")]
    Full,
    /// The store cannot be opened, read or written; the browser's words.
    #[error("the browser's storage cannot be used ({0})")]
    Unusable(String),
    /// The record is there, but cannot be read; the reader's words.
    #[error("the saved record cannot be read ({0})")]
    Unreadable(String),
    /// The store was written by a newer version of this page.
    #[error("the browser's storage was written by a newer version of this page")]
    TooNew,
}

/// The registration authority.
pub trait RegistrationAuthority {
    /// What it offers.
    async fn configuration(&self) -> Result<Configuration, RaError>;
    /// The CA's own certificates.
    async fn ca_certificates(&self) -> Result<CaCertificates, RaError>;
    /// Sends a request; the same request again gives the same transaction.
    async fn submit(&self, request: &NewRequest) -> Result<RequestStatus, RaError>;
    /// Replaces the details of a request that waits, by its transaction ID.
    async fn correct(&self, id: &TransactionId, request: &NewRequest) -> Result<RequestStatus, RaError>;
    /// Sends a renewal, a full PKI request as DER; the same renewal again gives the same transaction.
    async fn renew(&self, full_pki_request: &[u8]) -> Result<RequestStatus, RaError>;
    /// How a request stands.
    async fn status(&self, id: &TransactionId) -> Result<RequestStatus, RaError>;
    /// Asks for the revocation of a request's certificate.
    async fn request_revocation(&self, id: &TransactionId, new: &NewRevocation) -> Result<RequestStatus, RaError>;
    /// The issued certificate and its chain, leaf first, DER.
    async fn certificate(&self, id: &TransactionId) -> Result<Vec<Base64Bytes>, RaError>;
}

/// Why the registration authority gave no answer that helps.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RaError {
    /// It cannot be reached.
    #[error("the registration authority cannot be reached ({0})")]
    Unreachable(String),
    /// It said what is wrong.
    #[error("{}", .0.detail)]
    Problem(Problem),
    /// Its answer is not one that this page understands.
    #[error("the registration authority's answer cannot be read ({0})")]
    Unexpected(String),
}

/// What does the work with secrets, away from the page. Dropping a future stops the work at once.
pub trait KeyWorker {
    /// Makes a key pair and a request.
    async fn generate(&self, job: Generate, progress: impl Fn(Stage)) -> Result<Generated, WorkerError>;
    /// A worker that has a key for a file. Dropping it ends the worker.
    type Exporting;
    /// Begins to unseal a key for a file.
    async fn begin_export(&self, key: ExportKey) -> Result<Self::Exporting, WorkerError>;
    /// Makes a file of key and certificate; returns its bytes.
    async fn export(&self, exporting: Self::Exporting, job: Export) -> Result<Vec<u8>, WorkerError>;
    /// Seals a key under another passphrase.
    async fn change_passphrase(&self, job: ChangePassphrase) -> Result<Sealed, WorkerError>;
    /// Makes a request for a renewal.
    async fn renew(&self, job: Renew, progress: impl Fn(Stage)) -> Result<Renewed, WorkerError>;
    /// Takes keys and certificates out of a file, what ends last first; at least one.
    async fn unpack(&self, job: Unpack) -> Result<Vec<Unpacked>, WorkerError>;
    /// Tells what is in a file.
    async fn inspect(&self, job: Inspect) -> Result<Inspection, WorkerError>;
    /// Checks a certificate that was issued; the inner error tells that there is no path from it.
    async fn check(&self, job: Check) -> Result<Result<Checked, PathError>, WorkerError>;
    /// Tells the particulars of a certificate, DER.
    async fn summarize(&self, certificate: Base64Bytes) -> Result<CertificateSummary, WorkerError>;
    /// Makes a certs-only SignedData, DER, of certificates.
    async fn certs_only(&self, certificates: Vec<Base64Bytes>) -> Result<Vec<u8>, WorkerError>;
    /// Reads a backup, without its passphrase.
    async fn read_backup(&self, file: Base64Bytes) -> Result<Enrollment, WorkerError>;
    /// Opens the key in a backup, and makes sure that the backup is as it was saved.
    async fn open_backup(&self, job: OpenBackup) -> Result<Enrollment, WorkerError>;
    /// Writes a backup, and sees that it can be read.
    async fn write_backup(&self, enrollment: Enrollment) -> Result<String, WorkerError>;
}

/// Why the worker did not do its job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// It said why.
    #[error("{0}")]
    Failed(Failure),
    /// It stopped, or could not be started; the browser's words.
    #[error("the background worker stopped ({0})")]
    Stopped(String),
    /// It comes from another version of this page.
    #[error("the page and its background worker are of different versions")]
    Stale,
}

/// What time it is.
pub trait Clock {
    /// Seconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> u64;
}
