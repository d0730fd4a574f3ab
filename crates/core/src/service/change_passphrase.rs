//! Changing the passphrase of a key in this browser. Files and backups that were saved before keep theirs.

use crate::domain::enrollment::Enrollment;
use crate::domain::passphrase::Passphrase;
use crate::ports::{KeyStore, KeyWorker, StoreError, WorkerError};
use crate::protocol::{ChangePassphrase, Failure};

/// Why the passphrase is what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangePassphraseError {
    /// The old passphrase does not open the key.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// The key was sealed anew elsewhere, in another tab perhaps, while this was under way.
    #[error("the passphrase was changed elsewhere in the meantime")]
    ChangedElsewhere,
    /// The worker could not do it.
    #[error(transparent)]
    Worker(WorkerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WorkerError> for ChangePassphraseError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::WrongPassphrase) => Self::WrongPassphrase,
            other => Self::Worker(other),
        }
    }
}

/// Seals the key of `enrollment` under `new_passphrase`, if `passphrase` opens it.
pub async fn change_passphrase(
    worker: &impl KeyWorker,
    store: &impl KeyStore,
    enrollment: &Enrollment,
    passphrase: Passphrase,
    new_passphrase: Passphrase,
) -> Result<Enrollment, ChangePassphraseError> {
    let opened = &enrollment.encrypted_private_key;
    let job = ChangePassphrase {
        key_id: enrollment.key_id.clone(),
        encrypted_private_key: opened.clone(),
        passphrase,
        new_passphrase,
    };
    let sealed = worker.change_passphrase(job).await?;
    // What counts is what the transaction finds: a key that was sealed anew in between keeps its newer passphrase.
    let kept = store
        .update(&enrollment.id(), |kept| {
            if kept.encrypted_private_key == *opened {
                kept.encrypted_private_key = sealed.encrypted_private_key.clone();
                kept.authentication_key = Some(sealed.authentication_key.clone());
            }
        })
        .await?;
    if kept.encrypted_private_key == sealed.encrypted_private_key {
        Ok(kept)
    } else {
        Err(ChangePassphraseError::ChangedElsewhere)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use keyside_pki::encrypted_private_key;
    use pollster::block_on;

    use super::*;
    use crate::ports::memory::{MemoryKeyStore, MemoryWorker};
    use crate::service::testing::{PASSPHRASE, enrollment};

    const NEW: &str = "Another-5-donkeys";

    fn holding(enrollment: &Enrollment) -> MemoryKeyStore {
        let store = MemoryKeyStore::default();
        block_on(store.insert(enrollment)).unwrap();
        store
    }

    fn change(
        store: &MemoryKeyStore,
        of: &Enrollment,
        from: &str,
        to: &str,
    ) -> Result<Enrollment, ChangePassphraseError> {
        let [from, to] = [from, to].map(|text| Passphrase::new(text.into()));
        block_on(change_passphrase(&MemoryWorker::default(), store, of, from, to))
    }

    fn opens(enrollment: &Enrollment, passphrase: &str) -> bool {
        let passphrase = Passphrase::new(passphrase.into());
        encrypted_private_key::decrypt(&enrollment.encrypted_private_key.0, passphrase.expose()).is_ok()
    }

    #[test]
    fn the_key_opens_with_the_new_passphrase_alone() {
        let store = holding(&enrollment());
        let changed = change(&store, &enrollment(), PASSPHRASE, NEW).unwrap();
        assert!(opens(&changed, NEW) && !opens(&changed, PASSPHRASE));
        assert_eq!(block_on(store.get(&changed.key_id)).unwrap(), Some(changed.clone()));
        assert_ne!(changed.authentication_key, enrollment().authentication_key);
        let Enrollment { encrypted_private_key, authentication_key, .. } = changed.clone();
        let expected = Enrollment { encrypted_private_key, authentication_key, ..enrollment() };
        assert_eq!(changed, expected, "nothing else is changed");
    }

    #[test]
    fn whoever_does_not_know_the_old_one_changes_nothing() {
        let store = holding(&enrollment());
        assert_eq!(change(&store, &enrollment(), "wrong", NEW), Err(ChangePassphraseError::WrongPassphrase));
        assert_eq!(block_on(store.get(&enrollment().key_id)).unwrap(), Some(enrollment()));
    }

    #[test]
    fn a_change_in_another_tab_is_not_undone() {
        let store = holding(&enrollment());
        let elsewhere = change(&store, &enrollment(), PASSPHRASE, NEW).unwrap();
        let late = change(&store, &enrollment(), PASSPHRASE, "Third-6-horses");
        assert_eq!(late, Err(ChangePassphraseError::ChangedElsewhere));
        assert_eq!(block_on(store.get(&enrollment().key_id)).unwrap(), Some(elsewhere));
    }

    #[test]
    fn a_full_store_keeps_the_old_passphrase() {
        let store = holding(&enrollment());
        *store.write_fault.borrow_mut() = Some(StoreError::Full);
        let error = change(&store, &enrollment(), PASSPHRASE, NEW);
        assert_eq!(error, Err(ChangePassphraseError::Store(StoreError::Full)));
        assert_eq!(block_on(store.get(&enrollment().key_id)).unwrap(), Some(enrollment()));
    }
}
