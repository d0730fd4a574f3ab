//! The use cases. Each takes the ports it needs and leaves the store in a state from which the job can go on.

pub mod back_up;
pub mod certificate_file;
pub mod change_passphrase;
pub mod collect;
pub mod connect;
pub mod device;
pub mod enroll;
pub mod inspect;
pub mod lost;
pub mod renew;
pub mod restore;
pub mod trust;

use crate::domain::enrollment::Enrollment;
use crate::ports::{KeyStore, KeyWorker};

/// `enrollment` with its certificate's particulars, which a record from before they were kept lacks. They are kept from then on; where
/// they cannot be told now, it is left as it is.
pub async fn complete(worker: &impl KeyWorker, store: &impl KeyStore, enrollment: Enrollment) -> Enrollment {
    let Enrollment { certificate: None, certification_path: Some(path), .. } = &enrollment else {
        return enrollment;
    };
    let Some(leaf) = path.first() else { return enrollment };
    let Ok(certificate) = worker.summarize(leaf.clone()).await else { return enrollment };
    let kept = store
        .update(&enrollment.id(), |kept| {
            // Another tab may have changed it meanwhile.
            if kept.certification_path.as_ref() == Some(path) {
                kept.certificate = Some(certificate);
            }
        })
        .await;
    kept.unwrap_or(enrollment)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use pollster::block_on;

    use super::complete;
    use super::testing::{collected, enrollment};
    use crate::domain::enrollment::Enrollment;
    use crate::ports::KeyStore;
    use crate::ports::memory::{MemoryKeyStore, MemoryWorker};

    #[test]
    fn a_record_without_the_particulars_is_given_them() {
        let before = Enrollment { certificate: None, ..collected() };
        let (worker, store) = (MemoryWorker::default(), MemoryKeyStore::default());
        block_on(store.insert(&before)).unwrap();
        worker.stopped.set(true);
        assert_eq!(block_on(complete(&worker, &store, before.clone())), before, "it stays as it is");
        worker.stopped.set(false);
        assert!(collected().certificate.is_some());
        assert_eq!(block_on(complete(&worker, &store, before)), collected());
        assert_eq!(block_on(store.get(&collected().id())).unwrap(), Some(collected()));
    }

    #[test]
    fn a_record_that_lacks_nothing_needs_no_worker() {
        let (worker, store) = (MemoryWorker::default(), MemoryKeyStore::default());
        worker.stopped.set(true);
        for whole in [enrollment(), collected()] {
            assert_eq!(block_on(complete(&worker, &store, whole.clone())), whole);
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of several use cases share.
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use std::sync::OnceLock;

    use keyside_pki::pfx::Profile;
    use keyside_pki::testing::{NOW, YEAR};
    use pollster::block_on;

    use super::collect::{Wanted, collect};
    use super::enroll::{self, EnrollError};
    use crate::api::CertificateType;
    use crate::domain::enrollment::{Application, Enrollment};
    use crate::domain::file_format::ExportFormat;
    use crate::domain::key_size::KeySize;
    use crate::domain::passphrase::Passphrase;
    use crate::ports::memory::{MemoryAuthority, MemoryClock, MemoryKeyStore, MemoryWorker, certificate_type};
    use crate::ports::{Clock, KeyStore, KeyWorker};
    use crate::protocol::Stage;

    pub(super) const PASSPHRASE: &str = "Correct-4-horse";

    /// A PKCS#12 file under the pickup passphrase.
    pub(super) fn wanted() -> Wanted {
        Wanted { format: ExportFormat::Pkcs12(Profile::Compatible), passphrase: None }
    }

    pub(crate) fn application() -> Application {
        Application {
            certificate_type: certificate_type().id,
            certificate_type_name: certificate_type().name,
            common_name: "Ada Example".into(),
            email_address: "ada@example.com".into(),
            key_size: KeySize::Rsa2048,
            replaces: None,
            authorization_code: None,
            device: None,
        }
    }

    /// Makes a key pair and a request, and commits both.
    pub(super) async fn prepare(
        worker: &impl KeyWorker,
        store: &impl KeyStore,
        clock: &impl Clock,
        certificate_type: &CertificateType,
        application: Application,
        passphrase: Passphrase,
        progress: impl Fn(Stage),
    ) -> Result<Enrollment, EnrollError> {
        let generated = enroll::generate(worker, certificate_type, &application, passphrase, progress).await?;
        enroll::save(store, clock, application, generated).await
    }

    /// An enrollment that was prepared and not sent, made once for all tests of a run.
    pub(super) fn enrollment() -> Enrollment {
        static ENROLLMENT: OnceLock<Enrollment> = OnceLock::new();
        ENROLLMENT
            .get_or_init(|| {
                block_on(prepare(
                    &MemoryWorker::default(),
                    &MemoryKeyStore::default(),
                    &MemoryClock::default(),
                    &certificate_type(),
                    application(),
                    Passphrase::new(PASSPHRASE.into()),
                    |_| (),
                ))
                .unwrap()
            })
            .clone()
    }

    /// [`enrollment`] sent, issued for a year and collected, once for all tests of a run.
    pub(super) fn collected() -> Enrollment {
        static COLLECTED: OnceLock<Enrollment> = OnceLock::new();
        COLLECTED
            .get_or_init(|| {
                let (store, authority) = (MemoryKeyStore::default(), MemoryAuthority::default());
                block_on(store.insert(&enrollment())).unwrap();
                let id = block_on(enroll::submit(&store, &authority, &enrollment())).unwrap().transaction_id().unwrap();
                authority.issue(id, NOW, NOW + YEAR);
                let (worker, clock, passphrase) =
                    (MemoryWorker::default(), MemoryClock::default(), Passphrase::new(PASSPHRASE.into()));
                block_on(collect(&worker, &store, &authority, &clock, &id.to_string(), passphrase, wanted()))
                    .unwrap()
                    .enrollment
            })
            .clone()
    }
}
