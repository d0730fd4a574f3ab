//! Restoring: what a backup holds is brought into this browser, and nothing that is there is lost.

use keyside_pki::certification_path::PathError;

use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::enrollment::Enrollment;
use crate::domain::passphrase::Passphrase;
use crate::ports::{Clock, KeyStore, KeyWorker, RegistrationAuthority, StoreError, WorkerError};
use crate::protocol::{AskedFor, Check, Failure, OpenBackup};
use crate::service::collect::{KeptPath, NotCompared};

/// A backup that was read: whole, and consistent in itself. Its passphrase is still to be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    file: Base64Bytes,
    enrollment: Enrollment,
}

impl Backup {
    /// What it holds.
    pub fn enrollment(&self) -> &Enrollment {
        &self.enrollment
    }
}

/// What to do where this browser has the same key sealed otherwise, as after a change of the passphrase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealedOtherwise {
    /// Keep it as it is here: it opens with the passphrase that it has here.
    #[default]
    Keep,
    /// Replace it: it opens with the backup's passphrase from then on, and with no other.
    Replace,
}

/// What a restore did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The enrollment was not in this browser; now it is.
    Inserted,
    /// All that the backup holds was here. Nothing was changed.
    AlreadyThere,
    /// What was missing here was added; nothing that was here was changed.
    Completed,
    /// The key here is sealed otherwise than the backup's and was kept, so its passphrase may be another one. What was
    /// missing besides was added.
    KeptSealedOtherwise,
    /// The key here was sealed otherwise, and was replaced by the backup's. What was missing besides was added.
    Replaced,
}

/// An enrollment that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// As it is kept now.
    pub enrollment: Enrollment,
    /// What was done.
    pub outcome: Outcome,
    /// The verdict on the backup's certificates.
    pub certificates: Certificates,
}

/// The verdict on the certificates in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// They lead to the site's CA, or there are none.
    Good,
    /// They form a path, and the site's CA could not be asked whether it is its own.
    NotCompared(NotCompared),
    /// They do not lead to the site's CA, or form no path; they were left out. The certificate can be collected again.
    LeftOut,
}

/// Why nothing was restored. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The passphrase does not open the backup's key.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// The backup's key is not the one of its request.
    #[error("the private key does not belong to the request")]
    KeyMismatch,
    /// The backup was changed after it had been saved; the fault, in words.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// The worker could not prove the passphrase.
    #[error(transparent)]
    Worker(WorkerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WorkerError> for RestoreError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::WrongPassphrase) => Self::WrongPassphrase,
            WorkerError::Failed(Failure::KeyMismatch) => Self::KeyMismatch,
            WorkerError::Failed(Failure::BackupDamaged(damage)) => Self::Damaged(damage),
            other => Self::Worker(other),
        }
    }
}

/// Why a text gives no backup to restore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableBackup {
    /// It is not a backup.
    #[error("this is not a backup")]
    NotABackup,
    /// There is more than one in it.
    #[error("there is more than one backup in this file")]
    Several,
    /// A newer version of this page made it.
    #[error("the backup was made by a newer version of this page")]
    TooNew,
    /// It was a backup once; what is wrong with it.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// The worker could not read it.
    #[error(transparent)]
    Worker(WorkerError),
}

impl From<WorkerError> for UnusableBackup {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::NotABackup) => Self::NotABackup,
            WorkerError::Failed(Failure::SeveralBackups) => Self::Several,
            WorkerError::Failed(Failure::BackupTooNew) => Self::TooNew,
            WorkerError::Failed(Failure::BackupDamaged(damage)) => Self::Damaged(damage),
            other => Self::Worker(other),
        }
    }
}

/// Reads a backup. Nothing is saved.
pub async fn read(worker: &impl KeyWorker, file: Vec<u8>) -> Result<Backup, UnusableBackup> {
    let file = Base64Bytes(file);
    Ok(Backup { enrollment: worker.read_backup(file.clone()).await?, file })
}

/// Brings a backup into this browser, once `passphrase` has opened its key.
pub async fn restore(
    worker: &impl KeyWorker,
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    clock: &impl Clock,
    backup: Backup,
    passphrase: Passphrase,
    sealed_otherwise: SealedOtherwise,
) -> Result<Restored, RestoreError> {
    let mut backup = worker.open_backup(OpenBackup { file: backup.file, passphrase }).await?;
    let certificates = check(worker, authority, &mut backup, clock.now()).await?;
    let restored = |enrollment, outcome| Restored { enrollment, outcome, certificates: certificates.clone() };

    match store.insert(&backup).await {
        Ok(()) => return Ok(restored(backup, Outcome::Inserted)),
        Err(StoreError::AlreadyThere) => {}
        Err(error) => return Err(error.into()),
    }
    let kept = store.get(&backup.id()).await?.ok_or(StoreError::NotThere)?;
    let (merged, mut outcome) = merge(&kept, &backup, sealed_otherwise);
    if merged == kept {
        return Ok(restored(kept, outcome));
    }
    // Another tab may have changed it in between: what counts is what the transaction finds.
    let enrollment = store
        .update(&backup.id(), |kept| {
            (*kept, outcome) = merge(kept, &backup, sealed_otherwise);
        })
        .await?;
    Ok(restored(enrollment, outcome))
}

/// What is kept, with what the backup knows beyond it.
fn merge(kept: &Enrollment, backup: &Enrollment, sealed_otherwise: SealedOtherwise) -> (Enrollment, Outcome) {
    let collected = if kept.certification_path.is_some() { kept } else { backup };
    let mut merged = Enrollment {
        submission: kept.submission.clone().or_else(|| backup.submission.clone()),
        certification_path: collected.certification_path.clone(),
        certificate: collected.certificate.clone(),
        // The key here may be from before there was one.
        authentication_key: kept.authentication_key.clone().or_else(|| {
            let is_the_same = kept.encrypted_private_key == backup.encrypted_private_key;
            backup.authentication_key.clone().filter(|_| is_the_same)
        }),
        ..kept.clone()
    };
    let outcome = if kept.encrypted_private_key != backup.encrypted_private_key {
        match sealed_otherwise {
            SealedOtherwise::Keep => Outcome::KeptSealedOtherwise,
            SealedOtherwise::Replace => {
                merged.encrypted_private_key = backup.encrypted_private_key.clone();
                merged.authentication_key = backup.authentication_key.clone();
                Outcome::Replaced
            }
        }
    } else if merged == *kept {
        Outcome::AlreadyThere
    } else {
        Outcome::Completed
    };
    (merged, outcome)
}

/// Checks the certificates of `backup`, at `now`, in seconds since 1970-01-01T00:00:00Z. They are taken out of it if they do not lead to the site's
/// CA or, where the site cannot be asked for that, to the trust anchor in the backup.
async fn check(
    worker: &impl KeyWorker,
    authority: &impl RegistrationAuthority,
    backup: &mut Enrollment,
    now: u64,
) -> Result<Certificates, WorkerError> {
    let Some(path) = backup.certification_path.take() else {
        return Ok(Certificates::Good);
    };
    let kept = KeptPath::new(authority, &path).await;
    let check_at = async |at| {
        let job = Check {
            certificates: kept.certificates.clone(),
            trust_anchors: kept.trust_anchors.clone(),
            asked_for: AskedFor::Request(backup.certification_request.clone()),
            at,
        };
        match worker.check(job).await {
            Err(WorkerError::Failed(_)) => Ok(Err(PathError::NoTrustAnchor)),
            verdict => verdict,
        }
    };
    let verdict = match check_at(now).await? {
        // A certificate that has expired is still this key's certificate, and a wrong clock is no reason to leave it out.
        Err(PathError::NotYetValid(at) | PathError::Expired(at)) => check_at(at).await?,
        verdict => verdict,
    };
    let Ok(checked) = verdict else { return Ok(Certificates::LeftOut) };
    let not_compared = kept.not_compared(&checked);
    backup.certification_path = Some(checked.certification_path);
    backup.certificate = Some(checked.certificate);
    Ok(not_compared.map_or(Certificates::Good, Certificates::NotCompared))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use keyside_pki::certificate::Certificate;
    use keyside_pki::certification_request::{self, CertificationRequest};
    use keyside_pki::encrypted_private_key;
    use keyside_pki::testing::{CertificationAuthority, NOW, YEAR, authority, key_pair, name};
    use pollster::block_on;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::backup::{self, Damage};
    use crate::domain::enrollment::{RequestState, Standing, Submission};
    use crate::ports::Held;
    use crate::ports::memory::{Call, Fault, MemoryAuthority, MemoryClock, MemoryKeyStore, MemoryWorker};
    use crate::service::collect::collect;
    use crate::service::testing::{PASSPHRASE, collected, enrollment, wanted};

    const OTHER_PASSPHRASE: &str = "Wrong-5-donkey";

    fn read_it(text: &str) -> Result<Backup, UnusableBackup> {
        block_on(read(&MemoryWorker::default(), text.as_bytes().to_vec()))
    }

    /// A browser to restore into.
    #[derive(Default)]
    struct Site {
        worker: MemoryWorker,
        store: MemoryKeyStore,
        authority: MemoryAuthority,
        clock: MemoryClock,
    }

    impl Site {
        fn holding(enrollment: &Enrollment) -> Self {
            let site = Self::default();
            block_on(site.store.insert(enrollment)).unwrap();
            site
        }

        fn restore_with(
            &self,
            enrollment: &Enrollment,
            passphrase: &str,
            sealed_otherwise: SealedOtherwise,
        ) -> Result<Restored, RestoreError> {
            self.restore_text(&backup::encode(enrollment).unwrap(), passphrase, sealed_otherwise)
        }

        fn restore_text(
            &self,
            text: &str,
            passphrase: &str,
            sealed_otherwise: SealedOtherwise,
        ) -> Result<Restored, RestoreError> {
            let Self { worker, store, authority, clock } = self;
            let (backup, passphrase) = (read_it(text).unwrap(), Passphrase::new(passphrase.into()));
            block_on(restore(worker, store, authority, clock, backup, passphrase, sealed_otherwise))
        }

        fn restore(&self, enrollment: &Enrollment) -> Result<Restored, RestoreError> {
            self.restore_with(enrollment, PASSPHRASE, SealedOtherwise::Keep)
        }

        fn kept(&self) -> Option<Enrollment> {
            block_on(self.store.get(&enrollment().key_id)).unwrap()
        }

        /// Lets no more be written.
        fn fill(&self) {
            *self.store.write_fault.borrow_mut() = Some(StoreError::Full);
        }
    }

    fn pending() -> Enrollment {
        let submission =
            collected().submission.map(|submission| Submission { state: RequestState::Pending, ..submission });
        Enrollment { submission, ..enrollment() }
    }

    /// The same under [`OTHER_PASSPHRASE`].
    fn sealed_otherwise(enrollment: Enrollment) -> Enrollment {
        let clear = encrypted_private_key::decrypt(&enrollment.encrypted_private_key.0, PASSPHRASE).unwrap();
        let (sealed, authentication_key) =
            encrypted_private_key::seal(&clear, OTHER_PASSPHRASE, &mut rand::rng()).unwrap();
        let authentication_key = Some(authentication_key.to_vec().into());
        Enrollment { encrypted_private_key: sealed.into(), authentication_key, ..enrollment }
    }

    /// [`collected`] with another certificate for the same key.
    fn issued_again() -> Enrollment {
        let request = CertificationRequest::from_der(&enrollment().certification_request.0).unwrap();
        let spki = request.subject_public_key_info();
        let leaf = authority().certify(request.subject().clone(), spki, NOW, NOW + YEAR);
        let path = [leaf, authority().issuing.clone(), authority().root.clone()].map(Base64Bytes);
        Enrollment { certification_path: Some(path.into()), ..collected() }
    }

    #[test]
    fn another_browser_gets_all_of_it() {
        for enrollment in [enrollment(), pending(), collected()] {
            let site = Site::default();
            let restored = site.restore(&enrollment).unwrap();
            assert_eq!(restored.outcome, Outcome::Inserted);
            assert_eq!(restored.certificates, Certificates::Good);
            assert_eq!(restored.enrollment, enrollment);
            assert_eq!(site.kept(), Some(enrollment));
        }
    }

    #[test]
    fn a_restored_certificate_is_collected_without_a_network() {
        let site = Site::default();
        site.authority.fail(Call::CaCertificates, Fault::Unreachable);
        let id = site.restore(&collected()).unwrap().enrollment.transaction_id().unwrap().to_string();
        let passphrase = Passphrase::new(PASSPHRASE.into());
        let Site { worker, store, authority, clock } = &site;
        let collected = block_on(collect(worker, store, authority, clock, &id, passphrase, wanted())).unwrap();
        assert!(collected.not_compared.is_some());
    }

    #[test]
    fn the_passphrase_comes_first() {
        for site in [Site::default(), Site::holding(&enrollment())] {
            let before = site.kept();
            for wrong in [OTHER_PASSPHRASE, "correct-4-horse", ""] {
                for choice in [SealedOtherwise::Keep, SealedOtherwise::Replace] {
                    let error = site.restore_with(&collected(), wrong, choice);
                    assert_eq!(error, Err(RestoreError::WrongPassphrase));
                }
            }
            assert_eq!(site.kept(), before);
        }
    }

    #[test]
    fn the_passphrase_is_the_backups() {
        let site = Site::holding(&enrollment());
        let backup = sealed_otherwise(enrollment());
        let keep = SealedOtherwise::Keep;
        assert_eq!(site.restore_with(&backup, PASSPHRASE, keep), Err(RestoreError::WrongPassphrase));
        assert!(site.restore_with(&backup, OTHER_PASSPHRASE, keep).is_ok());
    }

    #[test]
    fn a_key_of_another_request_is_not_restored() {
        let subject = name("CN=Ada Example,O=Example,C=US");
        let rng = &mut rand::rng();
        let request = certification_request::build(&key_pair(), &subject, "ada@example.com", rng).unwrap();
        let site = Site::default();
        let foreign = Enrollment { certification_request: request.into(), ..enrollment() };
        assert_eq!(site.restore(&foreign), Err(RestoreError::KeyMismatch));
        assert_eq!(block_on(site.store.list()).unwrap().enrollments, []);
    }

    #[test]
    fn what_is_there_already_is_not_touched() {
        for (kept, backup) in [
            (enrollment(), enrollment()),
            (pending(), enrollment()),
            (collected(), enrollment()),
            (collected(), pending()),
            (collected(), collected()),
            (collected(), issued_again()),
        ] {
            let site = Site::holding(&kept);
            let restored = site.restore_with(&backup, PASSPHRASE, SealedOtherwise::Replace).unwrap();
            assert_eq!(restored.outcome, Outcome::AlreadyThere);
            assert_eq!(restored.enrollment, kept);
            assert_eq!(site.kept(), Some(kept));
        }
    }

    #[test]
    fn what_is_missing_is_added() {
        for (kept, backup, submission) in [
            (enrollment(), pending(), pending().submission),
            (enrollment(), collected(), collected().submission),
            // What is there is not overwritten, even where the backup seems to be newer.
            (pending(), collected(), pending().submission),
        ] {
            let site = Site::holding(&kept);
            let restored = site.restore(&backup).unwrap();
            assert_eq!(restored.outcome, Outcome::Completed);
            let Enrollment { certification_path, certificate, .. } = backup;
            let expected = Enrollment { submission, certification_path, certificate, ..kept };
            assert_eq!(restored.enrollment, expected);
            assert_eq!(site.kept(), Some(expected));
        }
    }

    #[test]
    fn what_the_user_asked_for_is_not_overwritten() {
        let site = Site::holding(&enrollment());
        let mut backup = collected();
        backup.created_at += 1;
        backup.application.common_name = "Somebody Else".into();
        let restored = site.restore(&backup).unwrap().enrollment;
        assert_eq!(restored.standing(), Standing::Collected);
        assert_eq!((restored.created_at, restored.application), (enrollment().created_at, enrollment().application));
    }

    #[test]
    fn a_key_under_another_passphrase_is_replaced_only_when_that_was_chosen() {
        let kept = sealed_otherwise(enrollment());
        let site = Site::holding(&kept);
        let restored = site.restore(&enrollment()).unwrap();
        assert_eq!(restored.outcome, Outcome::KeptSealedOtherwise);
        assert_eq!(site.kept(), Some(kept.clone()));

        let restored = site.restore(&collected()).unwrap();
        assert_eq!(restored.outcome, Outcome::KeptSealedOtherwise);
        let Enrollment { encrypted_private_key, authentication_key, .. } = kept;
        let completed = Enrollment { encrypted_private_key, authentication_key, ..collected() };
        assert_eq!(site.kept(), Some(completed), "what was missing is added all the same");

        let restored = site.restore_with(&enrollment(), PASSPHRASE, SealedOtherwise::Replace).unwrap();
        assert_eq!(restored.outcome, Outcome::Replaced);
        assert_eq!(restored.enrollment, collected());
        assert_eq!(site.kept(), Some(collected()));
    }

    /// A store that another tab changes right after it was read.
    struct ReadTooEarly<'a> {
        store: &'a MemoryKeyStore,
        read: Enrollment,
    }

    impl KeyStore for ReadTooEarly<'_> {
        async fn remove(&self, key_id: &str) -> Result<(), StoreError> {
            self.store.remove(key_id).await
        }

        async fn list(&self) -> Result<Held, StoreError> {
            self.store.list().await
        }

        async fn get(&self, _: &str) -> Result<Option<Enrollment>, StoreError> {
            Ok(Some(self.read.clone()))
        }

        async fn insert(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
            self.store.insert(enrollment).await
        }

        async fn update(&self, key_id: &str, change: impl FnOnce(&mut Enrollment)) -> Result<Enrollment, StoreError> {
            self.store.update(key_id, change).await
        }
    }

    #[test]
    fn what_another_tab_did_in_between_is_not_overwritten() {
        let Site { worker, store, authority, clock } = &Site::holding(&collected());
        let store = &ReadTooEarly { store, read: enrollment() };
        let backup = read_it(&backup::encode(&pending()).unwrap()).unwrap();
        let (passphrase, keep) = (Passphrase::new(PASSPHRASE.into()), SealedOtherwise::Keep);
        let restored = block_on(restore(worker, store, authority, clock, backup, passphrase, keep)).unwrap();
        assert_eq!((restored.outcome, restored.enrollment), (Outcome::AlreadyThere, collected()));
    }

    #[test]
    fn certificates_that_form_no_path_are_left_out() {
        let path = collected().certification_path.unwrap();
        let [leaf, issuing, root] = <[Base64Bytes; 3]>::try_from(path).unwrap();
        let mut tampered = leaf.clone();
        *tampered.0.last_mut().unwrap() ^= 1;
        let unrelated = include_bytes!("../../../../tests/vectors/certification_path/unrelated_root.der").to_vec();
        for certificates in [
            vec![leaf.clone()],
            vec![leaf.clone(), root.clone()],
            vec![tampered, issuing.clone(), root.clone()],
            vec![leaf.clone(), issuing.clone(), unrelated.into()],
        ] {
            let bad = Enrollment { certification_path: Some(certificates), ..collected() };
            let site = Site::default();
            site.authority.fail(Call::CaCertificates, Fault::Unreachable);
            let restored = site.restore(&bad).unwrap();
            assert_eq!(restored.outcome, Outcome::Inserted);
            assert_eq!(restored.certificates, Certificates::LeftOut);
            assert_eq!(restored.enrollment.standing(), Standing::Issued, "it can be collected again");
            assert_eq!(site.kept(), Some(restored.enrollment));

            let restored = Site::holding(&collected()).restore(&bad).unwrap();
            assert_eq!((restored.outcome, restored.enrollment), (Outcome::AlreadyThere, collected()));
        }
        let completed = Enrollment { certification_path: Some(vec![leaf.clone()]), ..collected() };
        assert_eq!(Site::default().restore(&completed).unwrap().enrollment, collected(), "the site has the rest");
        let unordered = vec![leaf, authority().root.clone().into(), issuing, root];
        let unordered = Enrollment { certification_path: Some(unordered), ..collected() };
        assert_eq!(Site::default().restore(&unordered).unwrap().enrollment, collected(), "the path alone is kept");
    }

    /// The same as a browser had it before backups were authenticated.
    fn as_before(enrollment: Enrollment) -> Enrollment {
        let clear = encrypted_private_key::decrypt(&enrollment.encrypted_private_key.0, PASSPHRASE).unwrap();
        let (sealed, _) = encrypted_private_key::seal_as_before(&clear, PASSPHRASE, &mut rand::rng()).unwrap();
        Enrollment { encrypted_private_key: sealed.into(), authentication_key: None, ..enrollment }
    }

    /// [`collected`] with a path to another root, for the same key and the same subject.
    fn swapped() -> (Enrollment, CertificationAuthority) {
        let foreign = CertificationAuthority::new();
        let request = CertificationRequest::from_der(&enrollment().certification_request.0).unwrap();
        let leaf = foreign.certify(request.subject().clone(), request.subject_public_key_info(), NOW, NOW + YEAR);
        let path = [leaf, foreign.issuing.clone(), foreign.root.clone()].map(Base64Bytes);
        (Enrollment { certification_path: Some(path.into()), ..collected() }, foreign)
    }

    #[test]
    fn certificates_of_another_root_are_never_good() {
        let (swapped, foreign) = swapped();
        // An older backup has no code that could tell.
        let as_older = as_before(swapped.clone());
        let restored = Site::default().restore(&as_older).unwrap();
        assert_eq!(restored.certificates, Certificates::LeftOut);
        assert_eq!(restored.enrollment.certification_path, None);

        let offline = Site::default();
        offline.authority.fail(Call::CaCertificates, Fault::Unreachable);
        let root = Certificate::from_der(&foreign.root).unwrap().summary().sha256_fingerprint;
        let restored = offline.restore(&as_older).unwrap();
        assert_eq!(restored.certificates, Certificates::NotCompared(NotCompared(root)));

        // With a newer one the code of the right one does not fit, and it cannot be left out, moved or taken for another line.
        let [right, wrong] = [&collected(), &swapped].map(|enrollment| backup::encode(enrollment).unwrap());
        let code = |text: &str| text.lines().find(|line| line.starts_with("HMAC-SHA-256: ")).unwrap().to_owned();
        let (own, wrong_code) = (code(&wrong), code(&right));
        for other in ["", &wrong_code, &format!("{own}\nNote: x"), &format!(" {own}"), &own.to_lowercase()] {
            let mended = with_checksum(&wrong.replace(&own, other));
            for site in [&Site::default(), &offline] {
                let restored = site.restore_text(&mended, PASSPHRASE, SealedOtherwise::Keep);
                assert_eq!(restored, Err(RestoreError::Damaged(Damage::NotAuthentic.to_string())), "{other}");
            }
        }
    }

    /// `text` with the checksum that fits it.
    fn with_checksum(text: &str) -> String {
        let (contents, _) = text.split_at(text.rfind("SHA-256: ").unwrap());
        format!("{contents}SHA-256: {}\n", base16ct::lower::encode_string(&Sha256::digest(contents)))
    }

    #[test]
    fn whatever_is_changed_in_a_backup_is_noticed() {
        let text = backup::encode(&collected()).unwrap();
        let site = Site::default();
        for (from, to) in [
            ("Common Name: Ada Example", "Common Name: Eve Example"),
            ("State: issued", "State: pending"),
            ("Email Address: ada@", "Email Address: eve@"),
            ("To restore it, open Keyside in any browser", "To restore it, send us your passphrase"),
        ] {
            assert!(text.contains(from), "{from}");
            let changed = with_checksum(&text.replace(from, to));
            let restored = site.restore_text(&changed, PASSPHRASE, SealedOtherwise::Keep);
            assert_eq!(restored, Err(RestoreError::Damaged(Damage::NotAuthentic.to_string())), "{to}");
        }
        assert_eq!(site.kept(), None);
    }

    #[test]
    fn an_older_backup_is_restored_and_the_next_one_is_authenticated() {
        let older = as_before(collected());
        let site = Site::default();
        let restored = site.restore(&older).unwrap();
        assert_eq!(restored.certificates, Certificates::Good);
        let authentication_key = restored.enrollment.authentication_key.clone();
        assert!(authentication_key.is_some());
        let expected = Enrollment { authentication_key, ..older.clone() };
        assert_eq!(restored.enrollment, expected);
        // A record from before there was a key for it gets one as well.
        let site = Site::holding(&older);
        assert_eq!(site.restore(&older).unwrap().outcome, Outcome::Completed);
        assert_eq!(site.kept(), Some(expected));
    }

    #[test]
    fn a_certificate_is_restored_whatever_the_clock_says() {
        for now in [0, NOW - 1, NOW + YEAR + 1, NOW + 50 * YEAR] {
            let site = Site::default();
            site.clock.0.set(now);
            let restored = site.restore(&collected()).unwrap();
            assert_eq!(restored.enrollment, collected());
            assert_eq!(restored.certificates, Certificates::Good);
        }
    }

    #[test]
    fn a_full_store_is_named_and_loses_nothing() {
        let site = Site::default();
        site.fill();
        assert_eq!(site.restore(&collected()), Err(RestoreError::Store(StoreError::Full)));
        assert_eq!(site.kept(), None);

        let site = Site::holding(&enrollment());
        site.fill();
        assert_eq!(site.restore(&collected()), Err(RestoreError::Store(StoreError::Full)));
        assert_eq!(site.kept(), Some(enrollment()));
    }

    #[test]
    fn a_worker_that_stops_is_named() {
        let site = Site::default();
        site.worker.stopped.set(true);
        assert!(matches!(site.restore(&collected()), Err(RestoreError::Worker(WorkerError::Stopped(_)))));
        assert_eq!(site.kept(), None);
    }

    #[test]
    fn other_texts_are_not_read() {
        let text = backup::encode(&collected()).unwrap();
        let without_particulars = Enrollment { certificate: None, authentication_key: None, ..collected() };
        assert_eq!(read_it(&text).unwrap().enrollment(), &without_particulars);
        assert_eq!(read_it("nonsense"), Err(UnusableBackup::NotABackup));
        let cut = text.trim_end_matches(|c| c != ':');
        assert_eq!(read_it(cut), Err(UnusableBackup::Damaged(Damage::Checksum.to_string())));
        let stopped = MemoryWorker::default();
        stopped.stopped.set(true);
        assert!(matches!(
            block_on(read(&stopped, text.into_bytes())),
            Err(UnusableBackup::Worker(WorkerError::Stopped(_)))
        ));
    }
}
