//! Collecting: fetch the certificate, check it, keep it, and pack it with its key.

use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_path::PathError;

use crate::api::{ProblemKind, RequestStatus};
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::enrollment::{Enrollment, RequestState, Standing};
use crate::domain::file_format::ExportFormat;
use crate::domain::file_name::{self, FileName};
use crate::domain::passphrase::Passphrase;
use crate::domain::transaction_id::{MalformedTransactionId, TransactionId};
use crate::ports::{Clock, KeyStore, KeyWorker, RaError, RegistrationAuthority, StoreError, WorkerError};
use crate::protocol::{AskedFor, Check, Checked, Export, ExportKey, Failure};
use crate::service::enroll::{self, EnrollError};

/// Why there is no PKCS#12 file (yet). Each has its own message and its own way out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CollectError {
    /// The text is not a transaction ID.
    #[error(transparent)]
    MalformedTransactionId(#[from] MalformedTransactionId),
    /// The registration authority does not know it.
    #[error("no request has this transaction ID")]
    UnknownTransactionId,
    /// The request exists, but its key is not in this browser.
    #[error("the key of this request is not in this browser")]
    KeyNotHere,
    /// The request is a device's: its key is on the device. Which device.
    #[error("this is the request of the device “{0}”")]
    ForDevice(String),
    /// There is no such key in this browser, and the registration authority cannot be asked whether the request exists.
    #[error(
        "no key in this browser belongs to this transaction ID, and the registration authority cannot be reached ({0})"
    )]
    KeyNotHereUnconfirmed(String),
    /// It waits for approval.
    #[error("the request is waiting for approval")]
    Pending,
    /// It was turned down.
    #[error("the request was rejected: {reason}")]
    Rejected {
        /// The officer's words.
        reason: String,
    },
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key")]
    WrongPassphrase,
    /// The certificate is for another key.
    #[error("the certificate is for another key")]
    KeyMismatch,
    /// The certificate does not lead to the configured CA.
    #[error("the certificate does not lead to the configured certification authority")]
    NoTrustAnchor,
    /// The certificate breaks a rule, has another subject than the request, or cannot be checked here; the reason, as a sentence.
    #[error("{0}")]
    NotPacked(String),
    /// The certificate is not valid yet; from when, in seconds since 1970-01-01T00:00:00Z.
    #[error("the certificate is not valid yet")]
    NotYetValid(u64),
    /// The certificate has expired; when, in seconds since 1970-01-01T00:00:00Z.
    #[error("the certificate has expired")]
    Expired(u64),
    /// The registration authority cannot be reached, and the certificate is not here yet.
    #[error("the registration authority cannot be reached ({0})")]
    Unreachable(String),
    /// The registration authority answered with something else.
    #[error(transparent)]
    RegistrationAuthority(RaError),
    /// The worker could not do its job.
    #[error(transparent)]
    Worker(WorkerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RaError> for CollectError {
    fn from(error: RaError) -> Self {
        match error {
            RaError::Unreachable(why) => Self::Unreachable(why),
            RaError::Problem(problem) if problem.kind == ProblemKind::UnknownTransactionId => {
                Self::UnknownTransactionId
            }
            other => Self::RegistrationAuthority(other),
        }
    }
}

impl From<WorkerError> for CollectError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Failed(Failure::WrongPassphrase) => Self::WrongPassphrase,
            WorkerError::Failed(Failure::KeyMismatch) => Self::KeyMismatch,
            WorkerError::Failed(Failure::SubjectMismatch(why)) => Self::NotPacked(why),
            other => Self::Worker(other),
        }
    }
}

impl From<PathError> for CollectError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::NotYetValid(from) => Self::NotYetValid(from),
            PathError::Expired(at) => Self::Expired(at),
            PathError::NoTrustAnchor => Self::NoTrustAnchor,
            PathError::Refused(why) | PathError::NotChecked(why) => Self::NotPacked(why),
        }
    }
}

impl From<EnrollError> for CollectError {
    fn from(error: EnrollError) -> Self {
        match error {
            EnrollError::Worker(error) => error.into(),
            EnrollError::Store(error) => error.into(),
            EnrollError::RegistrationAuthority(error) => error.into(),
        }
    }
}

/// A file of key and certificate, ready to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The enrollment as it is kept now.
    pub enrollment: Enrollment,
    /// The certificate's particulars.
    pub certificate: CertificateSummary,
    /// What kind of file it is.
    pub format: ExportFormat,
    /// The file's bytes.
    pub file: Vec<u8>,
    /// The trust anchor, where the registration authority cannot be asked for the site's CA.
    pub not_compared: Option<NotCompared>,
}

/// The trust anchor of a path that was not compared with the site's CA, which cannot be asked now: its SHA-256, in lowercase hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCompared(pub String);

/// A certification path that is in this browser or in a backup, and what it must lead to: the site's CA where that can be asked, or else the
/// trust anchor that the path itself has.
pub(super) struct KeptPath {
    /// Leaf first, then others that may lead on from it.
    pub(super) certificates: Vec<Base64Bytes>,
    pub(super) trust_anchors: Vec<Base64Bytes>,
    /// True if the trust anchors are the site's.
    pub(super) is_compared: bool,
}

impl KeptPath {
    pub(super) async fn new(authority: &impl RegistrationAuthority, path: &[Base64Bytes]) -> Self {
        match authority.ca_certificates().await {
            Ok(ca) => {
                let certificates = path.iter().cloned().chain(ca.intermediates).collect();
                Self { certificates, trust_anchors: ca.trust_anchors, is_compared: true }
            }
            Err(_) => Self {
                certificates: path.to_vec(),
                trust_anchors: path.last().cloned().into_iter().collect(),
                is_compared: false,
            },
        }
    }

    pub(super) fn not_compared(&self, checked: &Checked) -> Option<NotCompared> {
        (!self.is_compared).then(|| NotCompared(checked.trust_anchor_fingerprint.clone()))
    }
}

impl Collected {
    /// The name to save the file under; `badge` marks an environment which is not production.
    pub fn file_name(&self, badge: Option<&str>) -> String {
        FileName {
            common_name: &self.enrollment.application.common_name,
            serial_number: &self.certificate.serial_number,
            not_after: self.certificate.not_after,
            badge,
        }
        .with_extension(self.format.extension())
    }
}

/// The file that is wanted.
#[derive(Debug)]
pub struct Wanted {
    /// What kind of file.
    pub format: ExportFormat,
    /// What it will open with; the pickup passphrase if absent.
    pub passphrase: Option<Passphrase>,
}

/// Collects the certificate of `transaction_id` into a file. Where it was fetched before, no network is needed; with one, its path is compared
/// with the site's CA once more.
pub async fn collect(
    worker: &impl KeyWorker,
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    clock: &impl Clock,
    transaction_id: &str,
    passphrase: Passphrase,
    wanted: Wanted,
) -> Result<Collected, CollectError> {
    let id: TransactionId = transaction_id.parse()?;
    let Some(enrollment) = find(store, authority, id).await? else {
        // Tells a mistyped ID from one whose key is elsewhere.
        return Err(match authority.status(&id).await {
            Ok(RequestStatus { device: Some(device), .. }) => CollectError::ForDevice(device.name),
            Ok(_) => CollectError::KeyNotHere,
            Err(RaError::Unreachable(why)) => CollectError::KeyNotHereUnconfirmed(why),
            Err(error) => error.into(),
        });
    };
    let format = wanted.format;
    let key = ExportKey {
        format,
        encrypted_private_key: enrollment.encrypted_private_key.clone(),
        passphrase,
        export_passphrase: wanted.passphrase,
    };
    // The key is unsealed meanwhile.
    let exporting = worker.begin_export(key).await?;
    let (enrollment, certificate, not_compared) = fetch_and_check(worker, store, authority, clock, enrollment).await?;
    let certification_path = enrollment.certification_path.clone().unwrap_or_default();
    let friendly_name = friendly_name(&enrollment, &certificate);
    let file = worker.export(exporting, Export { certification_path, friendly_name }).await?;
    Ok(Collected { enrollment, certificate, format, file, not_compared })
}

/// The name that keystores show: the Common Name, with the last day where it renews another certificate of that name.
fn friendly_name(enrollment: &Enrollment, certificate: &CertificateSummary) -> String {
    let common_name = &enrollment.application.common_name;
    match file_name::day(certificate.not_after).filter(|_| enrollment.renewal.is_some()) {
        Some(day) => format!("{common_name} (until {day})"),
        None => common_name.clone(),
    }
}

/// The enrollment with this transaction ID, if its key is in this browser.
async fn find(
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    id: TransactionId,
) -> Result<Option<Enrollment>, CollectError> {
    let enrollments = store.list().await?.enrollments;
    if let Some(held) = enrollments.iter().find(|enrollment| enrollment.has_transaction_id(id)) {
        return Ok(Some(held.clone()));
    }
    // The answer to a submission may have been lost: sending the request again tells its transaction ID.
    for unconfirmed in enrollments.iter().filter(|enrollment| enrollment.standing() == Standing::NotSent) {
        if let Ok(confirmed) = enroll::submit(store, authority, unconfirmed).await
            && confirmed.transaction_id() == Some(id)
        {
            return Ok(Some(confirmed));
        }
    }
    Ok(None)
}

/// Makes sure that the checked certification path is kept, and reads the certificate's particulars.
async fn fetch_and_check(
    worker: &impl KeyWorker,
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    clock: &impl Clock,
    enrollment: Enrollment,
) -> Result<(Enrollment, CertificateSummary, Option<NotCompared>), CollectError> {
    let check = async |certificates, trust_anchors| {
        let asked_for = AskedFor::Request(enrollment.certification_request.clone());
        checked(worker, Check { certificates, trust_anchors, asked_for, at: clock.now() }).await
    };
    let kept = match &enrollment.certification_path {
        Some(path) => {
            let kept = KeptPath::new(authority, path).await;
            match check(kept.certificates.clone(), kept.trust_anchors.clone()).await {
                Ok(checked) => Some((kept.not_compared(&checked), checked)),
                // It was restored while the CA could not be asked, or the CA has changed: there may be another path.
                Err(CollectError::NoTrustAnchor | CollectError::NotPacked(_)) if kept.is_compared => None,
                Err(error) => return Err(error),
            }
        }
        None => None,
    };
    let (not_compared, Checked { certification_path, certificate, .. }) = match kept {
        Some(kept) => kept,
        None => {
            let (certificates, trust_anchors) = fetch(store, authority, &enrollment).await?;
            (None, check(certificates, trust_anchors).await?)
        }
    };
    let summary = certificate.clone();
    let enrollment = store
        .update(&enrollment.id(), |kept| {
            kept.certification_path = Some(certification_path);
            kept.certificate = Some(summary);
        })
        .await?;
    Ok((enrollment, certificate, not_compared))
}

/// Asks the registration authority for the certificate, its chain and the trust anchors.
async fn fetch(
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    enrollment: &Enrollment,
) -> Result<(Vec<Base64Bytes>, Vec<Base64Bytes>), CollectError> {
    fetch_issued(authority, enroll::ask(store, authority, enrollment).await?).await
}

/// Asks for the certificate of a request that stands so, its chain and the trust anchors.
pub(super) async fn fetch_issued(
    authority: &impl RegistrationAuthority,
    status: RequestStatus,
) -> Result<(Vec<Base64Bytes>, Vec<Base64Bytes>), CollectError> {
    match status.state {
        RequestState::Pending => return Err(CollectError::Pending),
        RequestState::Rejected { reason } => return Err(CollectError::Rejected { reason }),
        RequestState::Issued => {}
    }
    let mut certificates = authority.certificate(&status.transaction_id).await?;
    let ca = authority.ca_certificates().await?;
    certificates.extend(ca.intermediates);
    Ok((certificates, ca.trust_anchors))
}

/// A certificate that was fetched, once the worker has checked it. What cannot be read was the registration authority's to give.
pub(super) async fn checked(worker: &impl KeyWorker, job: Check) -> Result<Checked, CollectError> {
    match worker.check(job).await {
        Ok(verdict) => Ok(verdict?),
        Err(WorkerError::Failed(Failure::Unusable(why))) => Err(RaError::Unexpected(why).into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use keyside_pki::certificate::Certificate;
    use keyside_pki::certification_request::{self, CertificationRequest};
    use keyside_pki::testing::{CertificationAuthority, NOW, YEAR, authority, key_pair, name, spki_of};
    use pollster::block_on;

    use super::*;
    use crate::api::NewRequest;
    use crate::domain::device::{Device, DeviceKind};
    use crate::domain::file_format::FileFormat;
    use crate::ports::memory::{Call, Fault, MemoryAuthority, MemoryClock, MemoryKeyStore, MemoryWorker};
    use crate::service::testing::{PASSPHRASE, enrollment, wanted};

    /// A browser whose request waits at the registration authority.
    struct Site {
        worker: MemoryWorker,
        store: MemoryKeyStore,
        authority: MemoryAuthority,
        clock: MemoryClock,
        id: TransactionId,
    }

    impl Site {
        fn new() -> Self {
            let (store, authority) = (MemoryKeyStore::default(), MemoryAuthority::default());
            block_on(store.insert(&enrollment())).unwrap();
            let sent = block_on(enroll::submit(&store, &authority, &enrollment())).unwrap();
            authority.take_calls();
            Self {
                worker: MemoryWorker::default(),
                store,
                authority,
                clock: MemoryClock::default(),
                id: sent.transaction_id().unwrap(),
            }
        }

        /// The same with a certificate that is valid for a year.
        fn issued() -> Self {
            let site = Self::new();
            site.authority.issue(site.id, NOW, NOW + YEAR);
            site
        }

        fn collect_with(&self, transaction_id: &str, passphrase: &str) -> Result<Collected, CollectError> {
            block_on(collect(
                &self.worker,
                &self.store,
                &self.authority,
                &self.clock,
                transaction_id,
                Passphrase::new(passphrase.into()),
                wanted(),
            ))
        }

        fn collect(&self) -> Result<Collected, CollectError> {
            self.collect_with(&self.id.to_string(), PASSPHRASE)
        }

        fn standing(&self) -> Standing {
            block_on(self.store.get(&enrollment().key_id)).unwrap().unwrap().standing()
        }
    }

    #[test]
    fn an_issued_certificate_is_kept_and_packed() {
        let site = Site::issued();
        let collected = site.collect().unwrap();
        let serial_number = &collected.certificate.serial_number;
        assert_eq!(collected.file_name(None), format!("Ada Example {serial_number} 2028-01-15.p12"));
        assert_eq!(collected.file_name(Some("Test")), format!("Ada Example {serial_number} 2028-01-15 Test.p12"));
        assert_eq!(collected.certificate.not_after, NOW + YEAR);
        assert!(collected.certificate.subject.starts_with("CN=Ada Example,"), "{}", collected.certificate.subject);
        assert!(!collected.file.is_empty());
        assert_eq!(collected.enrollment.standing(), Standing::Collected);
        assert_eq!(block_on(site.store.list()).unwrap().enrollments, std::slice::from_ref(&collected.enrollment));
        let path = collected.enrollment.certification_path.unwrap();
        assert_eq!(path.len(), 3);
        assert_eq!(path.get(1..).unwrap(), [authority().issuing.clone().into(), authority().root.clone().into()]);
    }

    #[test]
    fn the_transaction_id_is_read_as_forgivingly_as_anywhere() {
        let site = Site::issued();
        let typed = format!("  {}\n", site.id.to_string().to_lowercase().replace('-', " "));
        assert!(site.collect_with(&typed, PASSPHRASE).is_ok());
    }

    #[test]
    fn a_collected_certificate_needs_no_network() {
        let site = Site::issued();
        let first = site.collect().unwrap();
        for call in [Call::Configuration, Call::CaCertificates, Call::Submit, Call::Status, Call::Certificate] {
            site.authority.fail(call, Fault::Unreachable);
        }
        site.authority.take_calls();
        let again = site.collect().unwrap();
        assert_eq!(site.authority.take_calls(), [Call::CaCertificates], "it is asked for the CA, and missed");
        let root = Certificate::from_der(&authority().root).unwrap().summary().sha256_fingerprint;
        assert_eq!((first.not_compared, again.not_compared), (None, Some(NotCompared(root))));
        assert_eq!(again.enrollment, first.enrollment);
        assert_eq!(again.certificate, first.certificate);
        assert_ne!(again.file, first.file, "salts are fresh each time");
    }

    #[test]
    fn a_waiting_request_is_pending() {
        let site = Site::new();
        assert_eq!(site.collect(), Err(CollectError::Pending));
        assert_eq!(site.standing(), Standing::Pending);
    }

    #[test]
    fn a_rejected_request_gives_the_reason() {
        let site = Site::new();
        site.authority.reject(site.id, "unknown person");
        assert_eq!(site.collect(), Err(CollectError::Rejected { reason: "unknown person".into() }));
        assert_eq!(site.standing(), Standing::Rejected("unknown person".into()));
    }

    #[test]
    fn an_unknown_transaction_id_is_told_from_a_malformed_one() {
        let site = Site::issued();
        let unknown = TransactionId::random(&mut rand::rng()).to_string();
        assert_eq!(site.collect_with(&unknown, PASSPHRASE), Err(CollectError::UnknownTransactionId));

        site.authority.take_calls();
        let malformed = site.collect_with("ABC", PASSPHRASE);
        assert_eq!(malformed, Err(CollectError::MalformedTransactionId(MalformedTransactionId::Length(3))));
        assert_eq!(site.authority.take_calls(), [], "nobody needs to be asked");
    }

    #[test]
    fn a_request_of_another_browser_is_told_from_an_unknown_one() {
        let site = Site { store: MemoryKeyStore::default(), ..Site::issued() };
        assert_eq!(site.collect(), Err(CollectError::KeyNotHere));
    }

    #[test]
    fn a_request_of_a_device_is_told_from_a_person_s() {
        let site = Site { store: MemoryKeyStore::default(), ..Site::issued() };
        let device = Device {
            kind: DeviceKind::Rig,
            name: "rig-1".into(),
            file_format: FileFormat::Pem,
            email_address: "ops@example.com".into(),
        };
        let subject = name("CN=rig-1,OU=Devices,O=Example,C=US");
        let request = certification_request::build(&key_pair(), &subject, "ops@example.com", &mut rand::rng()).unwrap();
        let new = NewRequest {
            certificate_type: "devices".into(),
            certification_request: Base64Bytes(request).into(),
            device: Some(device),
            replaces: None,
            authorization_code: None,
        };
        let id = block_on(site.authority.submit(&new)).unwrap().transaction_id;
        let collected = site.collect_with(&id.to_string(), PASSPHRASE);
        assert_eq!(collected, Err(CollectError::ForDevice("rig-1".into())));
    }

    #[test]
    fn a_request_whose_answer_was_lost_is_found_again() {
        let site = Site { store: MemoryKeyStore::default(), ..Site::issued() };
        block_on(site.store.insert(&enrollment())).unwrap();
        assert_eq!(site.standing(), Standing::NotSent);
        assert!(site.collect().is_ok());
    }

    #[test]
    fn a_wrong_passphrase_costs_nothing() {
        let site = Site::issued();
        let id = site.id.to_string();
        for wrong in ["correct-4-horse", "Correct-4-horse ", ""] {
            assert_eq!(site.collect_with(&id, wrong), Err(CollectError::WrongPassphrase));
        }
        assert_eq!(site.standing(), Standing::Collected, "the certificate is kept all the same");
        site.authority.take_calls();
        assert_eq!(site.collect().unwrap().not_compared, None);
        assert_eq!(site.authority.take_calls(), [Call::CaCertificates], "it is compared once more, not fetched");
    }

    #[test]
    fn a_kept_path_that_leads_elsewhere_is_replaced_by_the_right_one() {
        let site = Site::issued();
        let right = site.collect().unwrap().enrollment.certification_path;
        let unrelated: Base64Bytes =
            include_bytes!("../../../../tests/vectors/certification_path/unrelated_root.der").to_vec().into();
        // The path that is kept is right; it is the site's CA that is another one.
        let anchors =
            std::mem::replace(&mut site.authority.ca_certificates.borrow_mut().trust_anchors, vec![unrelated]);
        assert_eq!(site.collect(), Err(CollectError::NoTrustAnchor));
        site.authority.ca_certificates.borrow_mut().trust_anchors = anchors;
        // The path that is kept is of another root, for the same key.
        let foreign = CertificationAuthority::new();
        let request = CertificationRequest::from_der(&enrollment().certification_request.0).unwrap();
        let leaf = foreign.certify(request.subject().clone(), request.subject_public_key_info(), NOW, NOW + YEAR);
        let path = [leaf, foreign.issuing.clone(), foreign.root.clone()].map(Base64Bytes);
        block_on(site.store.update(&enrollment().id(), |kept| kept.certification_path = Some(path.into()))).unwrap();
        site.authority.fail(Call::CaCertificates, Fault::Unreachable);
        let root = Certificate::from_der(&foreign.root).unwrap().summary().sha256_fingerprint;
        assert_eq!(site.collect().unwrap().not_compared, Some(NotCompared(root)), "it is not called good");
        site.authority.recover();
        let collected = site.collect().unwrap();
        assert_eq!((collected.enrollment.certification_path, collected.not_compared), (right, None));
    }

    #[test]
    fn a_certificate_for_another_key_is_not_kept() {
        let site = Site::new();
        let subject = "CN=Ada Example,OU=Participants & External Users,O=Example,C=US".parse().unwrap();
        let other = authority().certify(subject, spki_of(&key_pair()), NOW, NOW + YEAR);
        site.authority.issue_this(site.id, other);
        assert_eq!(site.collect(), Err(CollectError::KeyMismatch));
        assert_eq!(site.standing(), Standing::Issued);
    }

    #[test]
    fn a_certificate_of_another_ca_is_not_kept() {
        let site = Site::issued();
        let unrelated = include_bytes!("../../../../tests/vectors/certification_path/unrelated_root.der").to_vec();
        site.authority.ca_certificates.borrow_mut().trust_anchors = vec![unrelated.into()];
        assert_eq!(site.collect(), Err(CollectError::NoTrustAnchor));
        assert_eq!(site.standing(), Standing::Issued);
    }

    #[test]
    fn a_certificate_is_collected_within_its_dates() {
        let site = Site::new();
        site.authority.issue(site.id, NOW + 60, NOW + YEAR);
        assert_eq!(site.collect(), Err(CollectError::NotYetValid(NOW + 60)));
        assert_eq!(site.standing(), Standing::Issued);
        site.clock.0.set(NOW + YEAR + 1);
        assert_eq!(site.collect(), Err(CollectError::Expired(NOW + YEAR)));
        assert_eq!(site.standing(), Standing::Issued);

        site.clock.0.set(NOW + 60);
        assert!(site.collect().is_ok());
        site.clock.0.set(NOW + YEAR + 1);
        assert_eq!(site.collect(), Err(CollectError::Expired(NOW + YEAR)), "also when it is kept here");
    }

    #[test]
    fn an_unreachable_authority_is_tried_again() {
        let site = Site::issued();
        for call in [Call::Status, Call::Certificate, Call::CaCertificates] {
            for fault in [Fault::Unreachable, Fault::AnswerLost] {
                site.authority.fail(call, fault);
                let collected = site.collect();
                assert!(matches!(collected, Err(CollectError::Unreachable(_))), "{call:?}: {collected:?}");
                site.authority.recover();
            }
        }
        assert!(site.collect().is_ok());
    }

    #[test]
    fn a_full_store_is_named_and_tried_again() {
        let site = Site::issued();
        *site.store.write_fault.borrow_mut() = Some(StoreError::Full);
        assert_eq!(site.collect(), Err(CollectError::Store(StoreError::Full)));
        *site.store.write_fault.borrow_mut() = None;
        assert!(site.collect().is_ok());
    }

    #[test]
    fn a_worker_that_stops_is_named_and_tried_again() {
        let site = Site::issued();
        site.worker.stopped.set(true);
        let stopped = site.collect();
        assert!(matches!(stopped, Err(CollectError::Worker(WorkerError::Stopped(_)))), "{stopped:?}");
        site.worker.stopped.set(false);
        assert!(site.collect().is_ok());
    }
}
