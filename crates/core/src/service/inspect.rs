//! Inspecting: what is in a file, and what of it belongs to this browser. Nothing is saved or sent.

use zeroize::Zeroizing;

use crate::api::CaCertificates;
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::enrollment::Enrollment;
use crate::domain::passphrase::Passphrase;
use crate::inspection::{Found, Inspection};
use crate::ports::{Clock, KeyStore, KeyWorker, WorkerError};
use crate::protocol::{Failure, Inspect};

/// A file that was looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// What is in it.
    pub inspection: Inspection,
    /// The time that it was checked at, in seconds since 1970-01-01T00:00:00Z.
    pub at: u64,
    /// Whether the CA's certificates were known, so that "leads to the CA" could be found at all.
    pub ca_was_known: bool,
    /// The enrollments of this browser whose keys are in the file or certified in it.
    held: Vec<Enrollment>,
}

impl Inspected {
    /// The enrollment in this browser that has the key of what was found at `place`.
    pub fn held(&self, place: usize) -> Option<&Enrollment> {
        let key_id = match self.inspection.found.get(place)? {
            Found::Certificate(certificate) => &certificate.public_key.key_id,
            Found::Request(request) => &request.public_key.key_id,
            Found::PublicKey(key) => &key.key_id,
            Found::PrivateKey(key) => &key.public_key.as_ref()?.key_id,
            _ => return None,
        };
        self.held.iter().find(|enrollment| enrollment.key_id == *key_id)
    }
}

/// Why nothing can be told of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectFileError {
    /// The passphrase opens nothing in it.
    #[error("the passphrase opens nothing in the file")]
    WrongPassphrase,
    /// It is of no kind that can be inspected.
    #[error("the file is none of the kinds that can be inspected")]
    NotRecognized,
    /// It is too large.
    #[error("the file is too large to be inspected")]
    TooLarge,
    /// The worker could not look into it.
    #[error(transparent)]
    Worker(WorkerError),
}

impl From<WorkerError> for InspectFileError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::WrongPassphrase) => Self::WrongPassphrase,
            WorkerError::Failed(Failure::NotRecognized) => Self::NotRecognized,
            WorkerError::Failed(Failure::TooLarge) => Self::TooLarge,
            other => Self::Worker(other),
        }
    }
}

/// Looks into `file`, and opens what `passphrase` opens. `ca` are the CA's certificates, if they are known.
pub async fn inspect(
    worker: &impl KeyWorker,
    store: &impl KeyStore,
    clock: &impl Clock,
    ca: Option<&CaCertificates>,
    file: &[u8],
    passphrase: Option<Passphrase>,
) -> Result<Inspected, InspectFileError> {
    let at = clock.now();
    let (trust_anchors, intermediates) =
        ca.map(|ca| (ca.trust_anchors.clone(), ca.intermediates.clone())).unwrap_or_default();
    let file = Zeroizing::new(Base64Bytes(file.to_vec()));
    let inspection = worker.inspect(Inspect { file, passphrase, trust_anchors, intermediates, at }).await?;
    // A browser that stores nothing holds no keys, and can look into files all the same.
    let held = store.list().await.map(|held| held.enrollments).unwrap_or_default();
    Ok(Inspected { inspection, at, ca_was_known: ca.is_some(), held })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use keyside_pki::pem;
    use pollster::block_on;

    use super::*;
    use crate::inspection::{Finding, MAXIMUM_SIZE};
    use crate::ports::RegistrationAuthority;
    use crate::ports::memory::{MemoryAuthority, MemoryClock, MemoryKeyStore, MemoryWorker};
    use crate::service::testing::{PASSPHRASE, collected, enrollment};

    fn ca() -> CaCertificates {
        block_on(MemoryAuthority::default().ca_certificates()).unwrap()
    }

    /// The store of a browser that holds `enrollments`.
    fn store(enrollments: &[Enrollment]) -> MemoryKeyStore {
        let store = MemoryKeyStore::default();
        for enrollment in enrollments {
            block_on(store.insert(enrollment)).unwrap();
        }
        store
    }

    fn look(
        store: &MemoryKeyStore,
        ca: Option<&CaCertificates>,
        file: &[u8],
        passphrase: Option<&str>,
    ) -> Result<Inspected, InspectFileError> {
        let passphrase = passphrase.map(|text| Passphrase::new(text.into()));
        block_on(inspect(&MemoryWorker::default(), store, &MemoryClock::default(), ca, file, passphrase))
    }

    fn leaf() -> Vec<u8> {
        collected().certification_path.unwrap()[0].0.clone()
    }

    #[test]
    fn a_certificate_of_this_browser_is_recognised() {
        let store = store(&[collected()]);
        let inspected = look(&store, Some(&ca()), &leaf(), None).unwrap();
        assert_eq!(inspected.held(0), Some(&collected()));
        assert_eq!(inspected.held(1), None);
        assert!(inspected.ca_was_known);
        // The issuing CA is not in the file: the site has it.
        assert!(matches!(inspected.inspection.findings[..], [Finding::LeadsToCa { item: 0, .. }]));
    }

    #[test]
    fn what_is_of_another_browser_is_told_all_the_same() {
        let inspected = look(&store(&[]), None, &leaf(), None).unwrap();
        assert_eq!(inspected.held(0), None);
        assert!(!inspected.ca_was_known);
        assert_eq!(inspected.inspection.findings, [Finding::LeadsNowhere { item: 0 }]);
    }

    #[test]
    fn a_request_and_a_key_of_this_browser_are_recognised() {
        let store = store(&[enrollment()]);
        let request = look(&store, None, &enrollment().certification_request.0, None).unwrap();
        assert_eq!(request.held(0), Some(&enrollment()));
        let sealed = enrollment().encrypted_private_key.0;
        let locked = look(&store, None, &sealed, None).unwrap();
        assert!(locked.inspection.is_locked());
        assert_eq!(locked.held(0), None, "nobody knows whose it is until it is open");
        let opened = look(&store, None, &sealed, Some(PASSPHRASE)).unwrap();
        assert_eq!(opened.held(0), Some(&enrollment()));
    }

    #[test]
    fn failures_are_told_apart() {
        let store = store(&[]);
        let sealed = pem::encode(pem::ENCRYPTED_PRIVATE_KEY, &enrollment().encrypted_private_key.0).unwrap();
        for (file, passphrase, expected) in [
            (sealed.as_bytes(), Some("wrong"), InspectFileError::WrongPassphrase),
            (b"Dear reader,", None, InspectFileError::NotRecognized),
            (&[b'A'; MAXIMUM_SIZE + 1], None, InspectFileError::TooLarge),
        ] {
            assert_eq!(look(&store, Some(&ca()), file, passphrase), Err(expected));
        }
        let worker = MemoryWorker::default();
        worker.stopped.set(true);
        let outcome = block_on(inspect(&worker, &store, &MemoryClock::default(), None, &leaf(), None));
        assert!(matches!(outcome, Err(InspectFileError::Worker(WorkerError::Stopped(_)))));
    }
}
