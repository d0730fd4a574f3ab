//! Renewing: the holder of a certificate that is about to end asks for the next one, for the same names.

use keyside_pki::certificate::{Certificate, CertificateSummary};
use keyside_pki::certification_request::{CertificationRequest, RsaParameters};
use zeroize::Zeroizing;

use crate::api::{CertificateType, Configuration, RenewalPolicy};
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::distinguished_name::SubjectTemplate;
use crate::domain::enrollment::{Application, Enrollment, Renewal};
use crate::domain::key_size::KeySize;
use crate::domain::passphrase::Passphrase;
use crate::ports::{Clock, KeyStore, KeyWorker, WorkerError};
use crate::protocol::{Failure, Generated, Renew, Renewed, Stage, Unpack, Unpacked};
use crate::service::enroll::EnrollError;

/// A certificate with its sealed key: one that this browser holds, or one that came in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The certificate.
    pub certificate: Certificate,
    /// Its private key: PKCS#8 EncryptedPrivateKeyInfo, DER.
    pub encrypted_private_key: Vec<u8>,
}

impl Current {
    /// The certificate that `enrollment` holds, if it was collected.
    pub fn of(enrollment: &Enrollment) -> Option<Self> {
        let leaf = enrollment.certification_path.as_ref()?.first()?;
        Some(Self {
            certificate: Certificate::from_der(&leaf.0).ok()?,
            encrypted_private_key: enrollment.encrypted_private_key.0.clone(),
        })
    }
}

/// A certificate that can be renewed now, and what its renewal will say.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewable {
    current: Current,
    certificate_type: CertificateType,
    /// The Common Name.
    pub common_name: String,
    /// The e-mail address.
    pub email_address: String,
    /// Whether the new certificate may be for the same key.
    pub same_key_allowed: bool,
}

impl Renewable {
    /// The certificate that is to be renewed.
    pub fn certificate(&self) -> &Certificate {
        &self.current.certificate
    }

    /// The type that its subject belongs to.
    pub fn certificate_type(&self) -> &CertificateType {
        &self.certificate_type
    }
}

/// Why a certificate cannot be renewed, or not now. Times are in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewable {
    /// Its subject is not one of this registration authority's, or it has not exactly one e-mail address.
    #[error("the certificate is of no type that this registration authority offers")]
    Foreign,
    /// Certificates of its type are not renewed.
    #[error("certificates of this type are not renewed")]
    NotOffered,
    /// It is too early; when the window opens.
    #[error("it is too early to renew this certificate")]
    TooEarly(u64),
    /// It has ended; when.
    #[error("the certificate has ended")]
    Expired(u64),
}

/// Whether the certificate of `enrollment`, which ends at `not_after`, is due for renewal at `now`; both in seconds since
/// 1970-01-01T00:00:00Z. What is in the certificate is not looked at: [`renewable`] does that, where the renewal is made.
pub fn is_due(
    enrollment: &Enrollment,
    not_after: u64,
    configuration: &Configuration,
    now: u64,
) -> Result<(), NotRenewable> {
    let id = &enrollment.application.certificate_type;
    let kind = configuration.certificate_types.iter().find(|kind| kind.id == *id).ok_or(NotRenewable::Foreign)?;
    in_window(kind, not_after, now).map(drop)
}

/// The policy of a certificate type, if a certificate of it that ends at `not_after` can be renewed at `now`.
fn in_window(kind: &CertificateType, not_after: u64, now: u64) -> Result<RenewalPolicy, NotRenewable> {
    let policy = kind.renewal.ok_or(NotRenewable::NotOffered)?;
    if now > not_after {
        return Err(NotRenewable::Expired(not_after));
    }
    let opens_at = policy.opens_at(not_after);
    if now < opens_at { Err(NotRenewable::TooEarly(opens_at)) } else { Ok(policy) }
}

/// Whether `current` can be renewed at `now`, in seconds since 1970-01-01T00:00:00Z.
pub fn renewable(current: Current, configuration: &Configuration, now: u64) -> Result<Renewable, NotRenewable> {
    let subject = current.certificate.subject();
    let (certificate_type, common_name) = configuration
        .certificate_types
        .iter()
        .find_map(|kind| {
            let template: SubjectTemplate = kind.subject_template.parse().ok()?;
            Some((kind.clone(), template.common_name_of(subject)?))
        })
        .ok_or(NotRenewable::Foreign)?;
    let email_addresses = current.certificate.email_addresses();
    let [email_address] = <[_; 1]>::try_from(email_addresses).map_err(|_| NotRenewable::Foreign)?;
    let (_, not_after) = current.certificate.validity();
    let policy = in_window(&certificate_type, not_after, now)?;
    Ok(Renewable { current, certificate_type, common_name, email_address, same_key_allowed: policy.same_key })
}

/// Why no certificate came out of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The passphrase does not open the file.
    #[error("the passphrase does not open the file")]
    WrongPassphrase,
    /// The passphrase opens the file, and its keys have another one.
    #[error("the key in the file has a passphrase of its own")]
    KeyLocked,
    /// There is no certificate with its key in it; what is the matter.
    #[error("{0}")]
    Unusable(String),
    /// The worker could not do it.
    #[error(transparent)]
    Worker(WorkerError),
}

impl From<WorkerError> for UnpackError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::WrongPassphrase) => Self::WrongPassphrase,
            WorkerError::Failed(Failure::KeyLocked) => Self::KeyLocked,
            WorkerError::Failed(Failure::Unusable(reason)) => Self::Unusable(reason),
            other => Self::Worker(other),
        }
    }
}

/// Takes the certificates that can be renewed out of a PKCS#12 file, what ends last first. Nothing is saved. `key_passphrase` is what the keys open
/// with, if that is another passphrase than the file's.
pub async fn unpack(
    worker: &impl KeyWorker,
    file: &[u8],
    passphrase: Passphrase,
    key_passphrase: Option<Passphrase>,
) -> Result<Vec<Current>, UnpackError> {
    let file = Zeroizing::new(Base64Bytes(file.to_vec()));
    let unpacked = worker.unpack(Unpack { file, passphrase, key_passphrase }).await?;
    let current = |unpacked: Unpacked| {
        Ok(Current {
            certificate: Certificate::from_der(&unpacked.certificate.0)
                .map_err(|error| UnpackError::Unusable(error.to_string()))?,
            encrypted_private_key: unpacked.encrypted_private_key.0,
        })
    };
    unpacked.into_iter().map(current).collect()
}

/// What a renewal is made with.
#[derive(Debug)]
pub struct Wanted {
    /// What the current key is sealed under.
    pub passphrase: Passphrase,
    /// The size of the new key; absent for the same key.
    pub new_key: Option<KeySize>,
    /// What the request's key will be sealed under; [`Self::passphrase`] if absent.
    pub new_passphrase: Option<Passphrase>,
}

/// Why no renewal was made. Nothing is saved, and the current certificate is as it was.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RenewError {
    /// The passphrase does not open the current key.
    #[error("the passphrase does not open the current key")]
    WrongPassphrase,
    /// Other programs would refuse to open what is sealed under the passphrase.
    #[error("the passphrase has characters that other programs refuse")]
    PassphraseNotPortable,
    /// The current key is not the current certificate's.
    #[error("the current key does not belong to the current certificate")]
    KeyMismatch,
    /// It could not be made or saved.
    #[error(transparent)]
    Enroll(EnrollError),
}

impl From<WorkerError> for RenewError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::WrongPassphrase) => Self::WrongPassphrase,
            WorkerError::Failed(Failure::PassphraseNotPortable) => Self::PassphraseNotPortable,
            WorkerError::Failed(Failure::KeyMismatch) => Self::KeyMismatch,
            other => Self::Enroll(other.into()),
        }
    }
}

/// Makes the request. Nothing is saved, so this is the part that may be cancelled.
pub async fn generate(
    worker: &impl KeyWorker,
    renewable: &Renewable,
    wanted: Wanted,
    progress: impl Fn(Stage),
) -> Result<Renewed, RenewError> {
    let job = Renew {
        certificate: renewable.certificate().der().to_vec().into(),
        subject: renewable.certificate().subject().to_der().into(),
        email_address: renewable.email_address.clone(),
        encrypted_private_key: renewable.current.encrypted_private_key.clone().into(),
        passphrase: wanted.passphrase,
        new_key: wanted.new_key,
        new_passphrase: wanted.new_passphrase,
    };
    Ok(worker.renew(job, progress).await?)
}

/// Commits the request and its key. Nothing is sent: [`submit`](super::enroll::submit) does that. To be run to its end.
pub async fn save(
    store: &impl KeyStore,
    clock: &impl Clock,
    renewable: &Renewable,
    renewed: Renewed,
) -> Result<Enrollment, EnrollError> {
    let unusable = |reason: String| EnrollError::Worker(WorkerError::Failed(Failure::Unusable(reason)));
    let Generated { key_id, sealed, certification_request } = renewed.generated;
    let request =
        CertificationRequest::from_der(&certification_request.0).map_err(|error| unusable(error.to_string()))?;
    let RsaParameters { bits, .. } = request.rsa_parameters().map_err(|error| unusable(error.to_string()))?;
    let key_size = u16::try_from(bits).ok().and_then(|bits| KeySize::try_from(bits).ok());
    let key_size = key_size.ok_or_else(|| unusable(format!("a key of {bits} bits is not on offer")))?;
    let current = renewable.certificate();
    let CertificateSummary { serial_number, not_after, .. } = current.summary();
    // The page has no reader for the full PKI request itself: what it says is what the worker was asked to make.
    let renewal = Renewal {
        full_pki_request: renewed.full_pki_request,
        serial_number,
        not_after,
        same_key: current.certifies(request.subject_public_key_info()),
    };
    let enrollment = Enrollment {
        key_id,
        created_at: clock.now(),
        application: Application {
            certificate_type: renewable.certificate_type.id.clone(),
            certificate_type_name: renewable.certificate_type.name.clone(),
            common_name: renewable.common_name.clone(),
            email_address: renewable.email_address.clone(),
            key_size,
            replaces: None,
            authorization_code: None,
            // A type for devices has no renewal.
            device: None,
        },
        encrypted_private_key: sealed.encrypted_private_key,
        authentication_key: Some(sealed.authentication_key),
        certification_request,
        renewal: Some(renewal),
        submission: None,
        former_transaction_ids: Vec::new(),
        certification_path: None,
        certificate: None,
        downloads: Vec::new(),
    };
    store.insert(&enrollment).await?;
    Ok(enrollment)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use keyside_pki::full_pki_request::FullPkiRequest;
    use keyside_pki::testing::{NOW, YEAR};
    use pollster::block_on;

    use super::*;
    use crate::api::ProblemKind;
    use crate::domain::enrollment::Standing;
    use crate::ports::memory::{Call, Fault, MemoryAuthority, MemoryClock, MemoryKeyStore, MemoryWorker};
    use crate::ports::{RaError, RegistrationAuthority};
    use crate::service::testing::{PASSPHRASE, collected, wanted as pkcs12};
    use crate::service::{collect, enroll};

    const DAY: u64 = 24 * 60 * 60;

    fn configuration() -> Configuration {
        block_on(MemoryAuthority::default().configuration()).unwrap()
    }

    fn current() -> Current {
        Current::of(&collected()).unwrap()
    }

    /// Ten days before the end.
    fn in_the_window() -> u64 {
        NOW + YEAR - 10 * DAY
    }

    fn due() -> Renewable {
        renewable(current(), &configuration(), in_the_window()).unwrap()
    }

    fn wanted(new_key: Option<KeySize>) -> Wanted {
        Wanted { passphrase: Passphrase::new(PASSPHRASE.into()), new_key, new_passphrase: None }
    }

    fn made(new_key: Option<KeySize>) -> Renewed {
        block_on(generate(&MemoryWorker::default(), &due(), wanted(new_key), |_| ())).unwrap()
    }

    /// A browser that holds the current certificate.
    fn store() -> MemoryKeyStore {
        let store = MemoryKeyStore::default();
        block_on(store.insert(&collected())).unwrap();
        store
    }

    #[test]
    fn the_subject_is_carried_over() {
        let due = due();
        assert_eq!((due.common_name.as_str(), due.email_address.as_str()), ("Ada Example", "ada@example.com"));
        let renewed = made(Some(KeySize::Rsa2048));
        let request = FullPkiRequest::from_der(&renewed.full_pki_request.0).unwrap();
        assert_eq!(request.verify(), Ok(()));
        assert_eq!(request.signer(), due.certificate());
        let requested = CertificationRequest::from_der(request.certification_request()).unwrap();
        assert_eq!(requested.subject(), due.certificate().subject());
        assert_eq!(requested.email_addresses().unwrap(), ["ada@example.com"]);
        assert_ne!(renewed.generated.key_id, collected().key_id);
        let told = Renewal::try_from(&request).unwrap();
        let saved = block_on(save(&store(), &MemoryClock::default(), &due, renewed)).unwrap();
        assert_eq!(saved.renewal, Some(told), "what is kept is what the request says");
    }

    #[test]
    fn the_window_is_the_last_days_of_the_validity() {
        let at = |now| renewable(current(), &configuration(), now).map(|_| ());
        let end = NOW + YEAR;
        assert_eq!(at(end - 90 * DAY - 1), Err(NotRenewable::TooEarly(end - 90 * DAY)));
        assert_eq!(at(end - 90 * DAY), Ok(()));
        assert_eq!(at(end), Ok(()));
        assert_eq!(at(end + 1), Err(NotRenewable::Expired(end)));
        for now in [end - 90 * DAY - 1, end - 90 * DAY, end, end + 1] {
            assert_eq!(is_due(&collected(), end, &configuration(), now), at(now));
        }
    }

    #[test]
    fn a_certificate_of_another_kind_is_told_apart() {
        let mut other = configuration();
        other.certificate_types.iter_mut().for_each(|kind| kind.renewal = None);
        assert_eq!(renewable(current(), &other, in_the_window()), Err(NotRenewable::NotOffered));
        assert_eq!(is_due(&collected(), u64::MAX, &other, in_the_window()), Err(NotRenewable::NotOffered));
        other.certificate_types.iter_mut().for_each(|kind| kind.subject_template = "CN={common_name},C=AT".into());
        assert_eq!(renewable(current(), &other, in_the_window()), Err(NotRenewable::Foreign));
        other.certificate_types.clear();
        assert_eq!(is_due(&collected(), u64::MAX, &other, in_the_window()), Err(NotRenewable::Foreign));
    }

    #[test]
    fn a_renewal_stands_beside_the_old_certificate_and_is_collected_like_any_other() {
        for new_key in [Some(KeySize::Rsa2048), None] {
            let (store, authority, clock) = (store(), MemoryAuthority::default(), MemoryClock::default());
            clock.0.set(in_the_window());
            let saved = block_on(save(&store, &clock, &due(), made(new_key))).unwrap();
            assert_eq!(saved.standing(), Standing::NotSent);
            assert_eq!(saved.key_id == collected().key_id, new_key.is_none());
            assert_ne!(saved.id(), collected().id());
            // The answer is lost, and the renewal is sent again: it is the same one.
            authority.fail(Call::Renew, Fault::AnswerLost);
            assert!(block_on(enroll::submit(&store, &authority, &saved)).is_err());
            authority.recover();
            let sent = block_on(enroll::refresh(&store, &authority, &saved.id())).unwrap();
            assert_eq!((sent.standing(), authority.held()), (Standing::Pending, 1));
            let id = sent.transaction_id().unwrap();
            authority.issue(id, in_the_window(), in_the_window() + YEAR);
            let (worker, passphrase) = (MemoryWorker::default(), Passphrase::new(PASSPHRASE.into()));
            let id = id.to_string();
            let got =
                block_on(collect::collect(&worker, &store, &authority, &clock, &id, passphrase, pkcs12())).unwrap();
            assert_eq!(got.enrollment.standing(), Standing::Collected);
            let held = block_on(store.list()).unwrap().enrollments;
            assert!(held.contains(&collected()) && held.contains(&got.enrollment), "the old one is as it was");
        }
    }

    #[test]
    fn a_certificate_that_comes_in_a_file_is_renewed_like_one_that_is_held() {
        let (store, authority, clock) = (store(), MemoryAuthority::default(), MemoryClock::default());
        let (worker, id) = (MemoryWorker::default(), collected().transaction_id().unwrap().to_string());
        let passphrase = || Passphrase::new(PASSPHRASE.into());
        let got = collect::collect(&worker, &store, &authority, &clock, &id, passphrase(), pkcs12());
        let file = block_on(got).unwrap().file;
        let unpacked = block_on(unpack(&worker, &file, passphrase(), None)).unwrap().remove(0);
        assert_eq!(unpacked.certificate, current().certificate);
        let due = renewable(unpacked, &configuration(), in_the_window()).unwrap();
        assert!(block_on(generate(&worker, &due, wanted(None), |_| ())).is_ok());
        let wrong = block_on(unpack(&worker, &file, Passphrase::new("wrong".into()), None));
        assert_eq!(wrong, Err(UnpackError::WrongPassphrase));
        let none = block_on(unpack(&worker, b"nonsense", passphrase(), None));
        assert!(matches!(none, Err(UnpackError::Unusable(_))));
    }

    #[test]
    fn a_wrong_passphrase_changes_nothing() {
        let wrong = Wanted { passphrase: Passphrase::new("wrong".into()), ..wanted(Some(KeySize::Rsa2048)) };
        let outcome = block_on(generate(&MemoryWorker::default(), &due(), wrong, |_| ()));
        assert_eq!(outcome, Err(RenewError::WrongPassphrase));
        let not_portable = Some(Passphrase::new("pässphrase".into()));
        let wanted = Wanted { new_passphrase: not_portable, ..wanted(Some(KeySize::Rsa2048)) };
        let outcome = block_on(generate(&MemoryWorker::default(), &due(), wanted, |_| ()));
        assert_eq!(outcome, Err(RenewError::PassphraseNotPortable));
    }

    #[test]
    fn the_key_of_another_certificate_is_refused() {
        let other = made(Some(KeySize::Rsa2048)).generated.sealed.encrypted_private_key.0;
        let mixed = Current { encrypted_private_key: other, ..current() };
        let mixed = renewable(mixed, &configuration(), in_the_window()).unwrap();
        let outcome = block_on(generate(&MemoryWorker::default(), &mixed, wanted(None), |_| ()));
        assert_eq!(outcome, Err(RenewError::KeyMismatch));
    }

    #[test]
    fn the_new_key_opens_with_the_new_passphrase_alone() {
        let wanted = Wanted {
            new_passphrase: Some(Passphrase::new("Another-5-donkeys".into())),
            ..wanted(Some(KeySize::Rsa2048))
        };
        let worker = MemoryWorker::default();
        let renewed = block_on(generate(&worker, &due(), wanted, |_| ())).unwrap();
        let opens = |passphrase: &str| {
            keyside_pki::encrypted_private_key::open(&renewed.generated.sealed.encrypted_private_key.0, passphrase)
                .is_ok()
        };
        assert!(opens("Another-5-donkeys") && !opens(PASSPHRASE));
    }

    #[test]
    fn a_refusal_leaves_the_saved_request() {
        let (store, authority, clock) = (store(), MemoryAuthority::default(), MemoryClock::default());
        let mut saved = block_on(save(&store, &clock, &due(), made(None))).unwrap();
        let renewal = saved.renewal.as_mut().unwrap();
        renewal.full_pki_request.0.pop();
        match block_on(enroll::submit(&store, &authority, &saved)) {
            Err(EnrollError::RegistrationAuthority(RaError::Problem(problem))) => {
                assert_eq!(problem.kind, ProblemKind::RenewalMalformed);
            }
            other => unreachable!("{other:?}"),
        }
        assert!(block_on(store.get(&saved.id())).unwrap().is_some());
    }

    #[test]
    fn the_policy_counts_back_from_the_end() {
        let policy = RenewalPolicy { window_days: 90, same_key: false };
        assert_eq!(policy.opens_at(100 * DAY), 10 * DAY);
        assert_eq!(policy.opens_at(DAY), 0);
    }
}
