//! Backing up: everything that is held of one enrollment, as one text file.

use crate::domain::enrollment::Enrollment;
use crate::domain::file_name::FileName;
use crate::ports::{KeyStore, KeyWorker, StoreError, WorkerError};
use crate::protocol::Failure;

/// Why there is no backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackUpError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup could not be written; why.
    #[error("{0}")]
    CannotBeWritten(String),
    /// What is held cannot be restored, so a backup of it would be none; what is wrong with it.
    #[error("what is saved here is damaged ({0})")]
    Damaged(String),
    /// The worker could not write it.
    #[error(transparent)]
    Worker(WorkerError),
}

impl From<WorkerError> for BackUpError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::BackupDamaged(damage)) => Self::Damaged(damage),
            WorkerError::Failed(failure) => Self::CannotBeWritten(failure.to_string()),
            other => Self::Worker(other),
        }
    }
}

/// A backup, ready to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// What it holds.
    pub enrollment: Enrollment,
    /// The file's text: see [`backup`](crate::backup) for its format.
    pub text: String,
}

impl BackedUp {
    /// The name to save the file under; `badge` marks an environment which is not production.
    pub fn file_name(&self, badge: Option<&str>) -> String {
        let certificate = &self.enrollment.certificate;
        FileName {
            common_name: &self.enrollment.application.common_name,
            serial_number: certificate.as_ref().map_or("", |certificate| &certificate.serial_number),
            not_after: certificate.as_ref().map_or(u64::MAX, |certificate| certificate.not_after),
            badge,
        }
        .with_extension("backup.txt")
    }
}

/// Writes the backup of the enrollment with this ID.
pub async fn back_up(worker: &impl KeyWorker, store: &impl KeyStore, id: &str) -> Result<BackedUp, BackUpError> {
    let enrollment = store.get(id).await?.ok_or(StoreError::NotThere)?;
    let text = worker.write_backup(enrollment.clone()).await?;
    Ok(BackedUp { enrollment, text })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use pollster::block_on;

    use super::*;
    use crate::backup::{self, Damage};
    use crate::ports::memory::{MemoryKeyStore, MemoryWorker};
    use crate::service::testing::{collected, enrollment};

    fn backed_up(enrollment: &Enrollment) -> Result<BackedUp, BackUpError> {
        let store = MemoryKeyStore::default();
        block_on(store.insert(enrollment)).unwrap();
        block_on(back_up(&MemoryWorker::default(), &store, &enrollment.key_id))
    }

    #[test]
    fn a_backup_has_all_that_is_held() {
        for enrollment in [enrollment(), collected()] {
            let backed_up = backed_up(&enrollment).unwrap();
            let authentication_key = enrollment.authentication_key.clone().unwrap();
            assert_eq!(backup::authenticate(&backed_up.text, &authentication_key.0), Ok(()));
            // The certificate's particulars are told from the certificate again, and the key from the passphrase.
            let expected = Enrollment { certificate: None, authentication_key: None, ..enrollment };
            assert_eq!(backup::decode(&backed_up.text), Ok(expected));
        }
    }

    #[test]
    fn a_backup_is_named_after_what_it_holds() {
        assert_eq!(backed_up(&enrollment()).unwrap().file_name(Some("Test")), "Ada Example Test.backup.txt");
        let name = backed_up(&collected()).unwrap().file_name(None);
        assert!(name.starts_with("Ada Example ") && name.ends_with(" 2028-01-15.backup.txt"), "{name}");
    }

    #[test]
    fn a_full_store_can_be_backed_up() {
        let store = MemoryKeyStore::default();
        block_on(store.insert(&enrollment())).unwrap();
        *store.write_fault.borrow_mut() = Some(StoreError::Full);
        assert!(block_on(back_up(&MemoryWorker::default(), &store, &enrollment().key_id)).is_ok());
    }

    #[test]
    fn a_key_that_is_not_here_is_named_as_such() {
        let error = block_on(back_up(&MemoryWorker::default(), &MemoryKeyStore::default(), &enrollment().key_id));
        assert_eq!(error, Err(BackUpError::Store(StoreError::NotThere)));
    }

    #[test]
    fn what_cannot_be_restored_is_not_backed_up() {
        let mut damaged = enrollment();
        *damaged.certification_request.0.last_mut().unwrap() ^= 1;
        assert_eq!(backed_up(&damaged), Err(BackUpError::Damaged(Damage::SignatureInvalid.to_string())));
        let endless = Enrollment { created_at: u64::MAX, ..enrollment() };
        assert!(matches!(backed_up(&endless), Err(BackUpError::CannotBeWritten(_))));
    }
}
