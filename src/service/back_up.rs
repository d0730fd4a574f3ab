//! Backing up: everything that is held of one enrollment, as one text file.

use crate::domain::enrollment::Enrollment;
use crate::domain::file_name::FileName;
use crate::pki::backup::{self, BackupError};
use crate::pki::error::Error;
use crate::ports::{KeyStore, StoreError};
use crate::service::certificate_of;

/// Why there is no backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackUpError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup could not be written.
    #[error(transparent)]
    Encoding(#[from] Error),
    /// What is held cannot be restored, so a backup of it would be none.
    #[error("what is saved here is damaged ({0})")]
    Damaged(BackupError),
}

/// A backup, ready to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// What it holds.
    pub enrollment: Enrollment,
    /// The file's text: see [`backup`] for its format.
    pub text: String,
}

impl BackedUp {
    /// The name to save the file under; `badge` marks an environment which is not production.
    pub fn file_name(&self, badge: Option<&str>) -> String {
        let certificate = certificate_of(&self.enrollment);
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
pub async fn back_up(store: &impl KeyStore, id: &str) -> Result<BackedUp, BackUpError> {
    let enrollment = store.get(id).await?.ok_or(StoreError::NotThere)?;
    let text = backup::encode(&enrollment)?;
    // A backup that cannot be restored is worse than none, and this is the last moment to notice.
    backup::decode(&text).map_err(BackUpError::Damaged)?;
    Ok(BackedUp { enrollment, text })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use pollster::block_on;

    use super::*;
    use crate::pki::backup::Damage;
    use crate::ports::memory::MemoryKeyStore;
    use crate::service::testing::{collected, enrollment};

    fn backed_up(enrollment: &Enrollment) -> Result<BackedUp, BackUpError> {
        let store = MemoryKeyStore::default();
        block_on(store.insert(enrollment)).unwrap();
        block_on(back_up(&store, &enrollment.key_id))
    }

    #[test]
    fn a_backup_has_all_that_is_held() {
        for enrollment in [enrollment(), collected()] {
            let backed_up = backed_up(&enrollment).unwrap();
            assert_eq!(backup::decode(&backed_up.text), Ok(enrollment));
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
        assert!(block_on(back_up(&store, &enrollment().key_id)).is_ok());
    }

    #[test]
    fn a_key_that_is_not_here_is_named_as_such() {
        let error = block_on(back_up(&MemoryKeyStore::default(), &enrollment().key_id));
        assert_eq!(error, Err(BackUpError::Store(StoreError::NotThere)));
    }

    #[test]
    fn what_cannot_be_restored_is_not_backed_up() {
        let mut damaged = enrollment();
        *damaged.certification_request.0.last_mut().unwrap() ^= 1;
        let error = BackUpError::Damaged(BackupError::Damaged(Damage::SignatureInvalid));
        assert_eq!(backed_up(&damaged), Err(error));
        let endless = Enrollment { created_at: u64::MAX, ..enrollment() };
        assert!(matches!(backed_up(&endless), Err(BackUpError::Encoding(_))));
    }
}
