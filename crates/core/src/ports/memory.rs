//! In-memory twins of the ports, for tests: the use cases run against them with the real custody behind the worker and
//! a real certification authority behind the registration authority. Each can be told to fail.
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use core::cell::{Cell, RefCell};
use core::fmt::Debug;

use keyside_pki::certificate::CertificateSummary;
use keyside_pki::certification_path::PathError;
use keyside_pki::certification_request::CertificationRequest;
use keyside_pki::full_pki_request::FullPkiRequest;
use keyside_pki::key_derivation::OnThisThread;
use keyside_pki::testing::{NOW, authority};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Clock, DeviceRequestStore, Held, HeldDeviceRequests, KeyStore, KeyWorker, RaError, RegistrationAuthority,
    StoreError, WorkerError,
};
use crate::api::{
    CaCertificates, CertificateType, Configuration, NewRequest, NewRevocation, Problem, ProblemKind, RenewalPolicy,
    RequestStatus,
};
use crate::custody::ahead::Ahead;
use crate::custody::foreign_files;
use crate::custody::prime_source::LocalSearch;
use crate::domain::base64_bytes::Base64Bytes;
use crate::domain::device::Device;
use crate::domain::device_request::DeviceRequest;
use crate::domain::enrollment::{Enrollment, RequestState};
use crate::domain::key_size::KeySize;
use crate::domain::passphrase::PassphrasePolicy;
use crate::domain::revocation::{Revocation, RevocationState};
use crate::domain::transaction_id::TransactionId;
use crate::inspection::Inspection;
use crate::protocol::{
    self, Answer, CertificateJob, ChangePassphrase, Check, Checked, Export, ExportKey, Failure, FileAnswer, FileJob,
    Generate, Generated, Inspect, Job, OpenBackup, Renew, Renewed, Sealed, Stage, Unpack, Unpacked,
};
use crate::{certificates, custody};

/// A clock that stands still at [`NOW`] until it is set.
pub(crate) struct MemoryClock(pub(crate) Cell<u64>);

impl Default for MemoryClock {
    fn default() -> Self {
        Self(Cell::new(NOW))
    }
}

impl Clock for MemoryClock {
    fn now(&self) -> u64 {
        self.0.get()
    }
}

/// A store of one browser; a second tab is a second reference to it.
#[derive(Default)]
pub(crate) struct MemoryKeyStore {
    enrollments: RefCell<Vec<Enrollment>>,
    /// What writing fails with; reading goes on.
    pub(crate) write_fault: RefCell<Option<StoreError>>,
}

impl MemoryKeyStore {
    fn write(&self) -> Result<(), StoreError> {
        self.write_fault.borrow().clone().map_or(Ok(()), Err)
    }
}

impl KeyStore for MemoryKeyStore {
    async fn list(&self) -> Result<Held, StoreError> {
        let mut enrollments = self.enrollments.borrow().clone();
        enrollments.sort_by_key(|enrollment| core::cmp::Reverse(enrollment.created_at));
        Ok(Held { enrollments, unreadable: 0 })
    }

    async fn get(&self, id: &str) -> Result<Option<Enrollment>, StoreError> {
        Ok(self.enrollments.borrow().iter().find(|kept| kept.id() == id).cloned())
    }

    async fn insert(&self, enrollment: &Enrollment) -> Result<(), StoreError> {
        self.write()?;
        if self.get(&enrollment.id()).await?.is_some() {
            return Err(StoreError::AlreadyThere);
        }
        self.enrollments.borrow_mut().push(enrollment.clone());
        Ok(())
    }

    async fn update(&self, id: &str, change: impl FnOnce(&mut Enrollment)) -> Result<Enrollment, StoreError> {
        self.write()?;
        let mut enrollments = self.enrollments.borrow_mut();
        let kept = enrollments.iter_mut().find(|kept| kept.id() == id).ok_or(StoreError::NotThere)?;
        change(kept);
        Ok(kept.clone())
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.write()?;
        self.enrollments.borrow_mut().retain(|kept| kept.id() != id);
        Ok(())
    }
}

/// The requests for devices of one browser.
#[derive(Default)]
pub(crate) struct MemoryDeviceRequestStore {
    requests: RefCell<Vec<DeviceRequest>>,
    /// What writing fails with; reading goes on.
    pub(crate) write_fault: RefCell<Option<StoreError>>,
}

impl MemoryDeviceRequestStore {
    fn write(&self) -> Result<(), StoreError> {
        self.write_fault.borrow().clone().map_or(Ok(()), Err)
    }
}

impl DeviceRequestStore for MemoryDeviceRequestStore {
    async fn list(&self) -> Result<HeldDeviceRequests, StoreError> {
        let mut requests = self.requests.borrow().clone();
        requests.sort_by_key(|request| core::cmp::Reverse(request.created_at));
        Ok(HeldDeviceRequests { requests, unreadable: 0 })
    }

    async fn get(&self, id: &str) -> Result<Option<DeviceRequest>, StoreError> {
        Ok(self.requests.borrow().iter().find(|kept| kept.id == id).cloned())
    }

    async fn insert(&self, request: &DeviceRequest) -> Result<(), StoreError> {
        self.write()?;
        if self.get(&request.id).await?.is_some() {
            return Err(StoreError::AlreadyThere);
        }
        self.requests.borrow_mut().push(request.clone());
        Ok(())
    }

    async fn update(&self, id: &str, change: impl FnOnce(&mut DeviceRequest)) -> Result<DeviceRequest, StoreError> {
        self.write()?;
        let mut requests = self.requests.borrow_mut();
        let kept = requests.iter_mut().find(|kept| kept.id == id).ok_or(StoreError::NotThere)?;
        change(kept);
        Ok(kept.clone())
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.write()?;
        self.requests.borrow_mut().retain(|kept| kept.id != id);
        Ok(())
    }
}

/// The real custody, reached through the same messages as in workers.
#[derive(Default)]
pub(crate) struct MemoryWorker {
    /// Whether it stops instead of doing its job.
    pub(crate) stopped: Cell<bool>,
}

impl MemoryWorker {
    async fn work(&self, job: Job, progress: impl FnMut(Stage)) -> Result<Answer, WorkerError> {
        self.work_after(protocol::Ahead::default(), job, progress).await
    }

    /// Has it do what can be done ahead, and then the job.
    async fn work_after(
        &self,
        order: protocol::Ahead,
        job: Job,
        mut progress: impl FnMut(Stage),
    ) -> Result<Answer, WorkerError> {
        if self.stopped.get() {
            return Err(WorkerError::Stopped("out of memory".into()));
        }
        let (mut ahead, rng) = (Ahead::default(), &mut rand::rng());
        let mut primes = LocalSearch::new(rand::rng());
        let mut answer = None;
        for job in [Job::Ahead(order), job] {
            answer = custody::handle(received(&job), &mut ahead, rng, &mut primes, &OnThisThread, &mut progress).await;
        }
        match received(&answer.unwrap()) {
            Answer::Failed(failure) => Err(WorkerError::Failed(failure)),
            answer => Ok(answer),
        }
    }

    fn open<T: DeserializeOwned>(&self, job: &FileJob) -> Result<T, WorkerError> {
        self.ask(job, |job| foreign_files::handle(job, &mut rand::rng()))
    }

    fn read<T: DeserializeOwned>(&self, job: &CertificateJob) -> Result<T, WorkerError> {
        self.ask(job, certificates::handle)
    }

    fn ask<J, T>(&self, job: &J, handle: impl FnOnce(J) -> FileAnswer) -> Result<T, WorkerError>
    where
        J: Serialize + DeserializeOwned,
        T: DeserializeOwned,
    {
        if self.stopped.get() {
            return Err(WorkerError::Stopped("out of memory".into()));
        }
        match received(&handle(received(job))) {
            FileAnswer::Done(done) => Ok(serde_json::from_str(done.get()).unwrap()),
            FileAnswer::Failed(failure) => Err(WorkerError::Failed(failure)),
        }
    }
}

/// The message as it arrives at the other side.
fn received<T: Serialize + DeserializeOwned>(message: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(message).unwrap()).unwrap()
}

fn unexpected(answer: &impl Debug) -> WorkerError {
    WorkerError::Failed(Failure::Unusable(format!("unexpected answer: {answer:?}")))
}

impl KeyWorker for MemoryWorker {
    async fn generate(&self, job: Generate, progress: impl Fn(Stage)) -> Result<Generated, WorkerError> {
        match self.work(Job::Generate(job), progress).await? {
            Answer::Generated(generated) => Ok(generated),
            other => Err(unexpected(&other)),
        }
    }

    type Exporting = ExportKey;

    async fn begin_export(&self, key: ExportKey) -> Result<ExportKey, WorkerError> {
        Ok(key)
    }

    async fn export(&self, key: ExportKey, job: Export) -> Result<Vec<u8>, WorkerError> {
        let order = protocol::Ahead { export: Some(key), ..protocol::Ahead::default() };
        match self.work_after(order, Job::Export(job), |_| ()).await? {
            Answer::Exported(file) => Ok(file.0),
            other => Err(unexpected(&other)),
        }
    }

    async fn change_passphrase(&self, job: ChangePassphrase) -> Result<Sealed, WorkerError> {
        match self.work(Job::ChangePassphrase(job), |_| ()).await? {
            Answer::PassphraseChanged(sealed) => Ok(sealed),
            other => Err(unexpected(&other)),
        }
    }

    async fn renew(&self, job: Renew, progress: impl Fn(Stage)) -> Result<Renewed, WorkerError> {
        match self.work(Job::Renew(job), progress).await? {
            Answer::Renewed(renewed) => Ok(renewed),
            other => Err(unexpected(&other)),
        }
    }

    async fn unpack(&self, job: Unpack) -> Result<Vec<Unpacked>, WorkerError> {
        self.open(&FileJob::Unpack(job))
    }

    async fn inspect(&self, job: Inspect) -> Result<Inspection, WorkerError> {
        self.open(&FileJob::Inspect(job))
    }

    async fn check(&self, job: Check) -> Result<Result<Checked, PathError>, WorkerError> {
        self.read(&CertificateJob::Check(job))
    }

    async fn summarize(&self, certificate: Base64Bytes) -> Result<CertificateSummary, WorkerError> {
        self.read(&CertificateJob::Summarize(certificate))
    }

    async fn certs_only(&self, certificates: Vec<Base64Bytes>) -> Result<Vec<u8>, WorkerError> {
        self.open::<Base64Bytes>(&FileJob::CertsOnly(certificates)).map(|file| file.0)
    }

    async fn read_backup(&self, file: Base64Bytes) -> Result<Enrollment, WorkerError> {
        self.open(&FileJob::ReadBackup(file))
    }

    async fn open_backup(&self, job: OpenBackup) -> Result<Enrollment, WorkerError> {
        self.open(&FileJob::OpenBackup(job))
    }

    async fn write_backup(&self, enrollment: Enrollment) -> Result<String, WorkerError> {
        self.open(&FileJob::WriteBackup(Box::new(enrollment)))
    }
}

/// A call to the registration authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Configuration,
    CaCertificates,
    Submit,
    Renew,
    Status,
    RequestRevocation,
    Certificate,
}

/// How a call fails: as it looks from the caller's side, both are [`RaError::Unreachable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never arrives.
    Unreachable,
    /// It arrives and is worked on; the answer is lost.
    AnswerLost,
}

/// A request as the registration authority holds it.
struct Received {
    /// What tells it from others: the request, or for a renewal the request and the current certificate.
    submission: Vec<u8>,
    /// PKCS#10, DER.
    certification_request: Vec<u8>,
    status: RequestStatus,
    certificate: Option<Vec<u8>>,
}

/// A registration authority in front of [`authority`].
pub(crate) struct MemoryAuthority {
    requests: RefCell<Vec<Received>>,
    faults: RefCell<Vec<(Call, Fault)>>,
    calls: RefCell<Vec<Call>>,
    /// What it gives out as the CA's certificates.
    pub(crate) ca_certificates: RefCell<CaCertificates>,
}

impl Default for MemoryAuthority {
    fn default() -> Self {
        let ca = authority();
        Self {
            requests: RefCell::default(),
            faults: RefCell::default(),
            calls: RefCell::default(),
            ca_certificates: RefCell::new(CaCertificates {
                trust_anchors: vec![ca.root.clone().into()],
                intermediates: vec![ca.issuing.clone().into()],
                documents: Vec::new(),
                retired: Vec::new(),
            }),
        }
    }
}

impl MemoryAuthority {
    /// Lets every `call` fail from now on.
    pub(crate) fn fail(&self, call: Call, fault: Fault) {
        self.faults.borrow_mut().push((call, fault));
    }

    /// Ends all faults.
    pub(crate) fn recover(&self) {
        self.faults.borrow_mut().clear();
    }

    /// The calls since this was last asked, with those that failed.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    /// How many requests it holds.
    pub(crate) fn held(&self) -> usize {
        self.requests.borrow().len()
    }

    /// Turns a request down.
    pub(crate) fn reject(&self, id: TransactionId, reason: &str) {
        self.decide(id, RequestState::Rejected { reason: reason.into() }, None);
    }

    /// Issues what was asked for, valid in these seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn issue(&self, id: TransactionId, not_before: u64, not_after: u64) {
        let der = {
            let requests = self.requests.borrow();
            let held = requests.iter().find(|held| held.status.transaction_id == id).unwrap();
            held.certification_request.clone()
        };
        let request = CertificationRequest::from_der(&der).unwrap();
        let spki = request.subject_public_key_info();
        self.issue_this(id, authority().certify(request.subject().clone(), spki, not_before, not_after));
    }

    /// Issues a certificate that was made elsewhere.
    pub(crate) fn issue_this(&self, id: TransactionId, certificate: Vec<u8>) {
        self.decide(id, RequestState::Issued, Some(certificate));
    }

    /// Takes a request, or finds what was submitted before.
    fn take(
        &self,
        submission: Vec<u8>,
        certification_request: Vec<u8>,
        device: Option<Device>,
    ) -> Result<RequestStatus, RaError> {
        let mut requests = self.requests.borrow_mut();
        if let Some(held) = requests.iter().find(|held| held.submission == submission) {
            return Ok(held.status.clone());
        }
        CertificationRequest::from_der(&certification_request)
            .map_err(|_| problem(ProblemKind::CertificationRequestMalformed))?
            .verify()
            .map_err(|_| problem(ProblemKind::SignatureInvalid))?;
        let status = RequestStatus {
            transaction_id: TransactionId::random(&mut rand::rng()),
            submitted_at: NOW,
            state: RequestState::Pending,
            revocation: None,
            device,
        };
        requests.push(Received { submission, certification_request, status: status.clone(), certificate: None });
        Ok(status)
    }

    fn decide(&self, id: TransactionId, state: RequestState, certificate: Option<Vec<u8>>) {
        let mut requests = self.requests.borrow_mut();
        let held = requests.iter_mut().find(|held| held.status.transaction_id == id).unwrap();
        held.status.state = state;
        held.certificate = certificate;
    }

    /// Notes the call, does `work`, and gives its result or the fault.
    fn answer<T>(&self, call: Call, work: impl FnOnce() -> Result<T, RaError>) -> Result<T, RaError> {
        self.calls.borrow_mut().push(call);
        let fault = self.faults.borrow().iter().find(|(failing, _)| *failing == call).map(|(_, fault)| *fault);
        match fault {
            None => work(),
            Some(Fault::Unreachable) => Err(RaError::Unreachable("connection refused".into())),
            Some(Fault::AnswerLost) => {
                work()?;
                Err(RaError::Unreachable("connection reset".into()))
            }
        }
    }

    fn look_up<T>(&self, id: &TransactionId, read: impl FnOnce(&Received) -> Result<T, RaError>) -> Result<T, RaError> {
        self.requests
            .borrow()
            .iter()
            .find(|held| held.status.transaction_id == *id)
            .ok_or_else(|| problem(ProblemKind::UnknownTransactionId))
            .and_then(read)
    }
}

fn problem(kind: ProblemKind) -> RaError {
    RaError::Problem(Problem::new(kind, kind.title()))
}

/// The one certificate type for people on offer.
pub(crate) fn certificate_type() -> CertificateType {
    CertificateType {
        id: "participants".into(),
        name: "Participants & External Users".into(),
        description: "For users of the ISO's applications outside the ISO.".into(),
        subject_template: "CN={common_name},OU=Participants & External Users,O=Example,C=US".into(),
        renewal: Some(RenewalPolicy { window_days: 90, same_key: true }),
        for_devices: false,
    }
}

/// The one certificate type for devices on offer.
pub(crate) fn device_type() -> CertificateType {
    CertificateType {
        id: "devices".into(),
        name: "Devices".into(),
        description: "For devices.".into(),
        subject_template: "CN={common_name},OU=Devices,O=Example,C=US".into(),
        renewal: None,
        for_devices: true,
    }
}

impl RegistrationAuthority for MemoryAuthority {
    async fn configuration(&self) -> Result<Configuration, RaError> {
        self.answer(Call::Configuration, || {
            Ok(Configuration {
                site_name: "Example".into(),
                badge: None,
                certificate_types: vec![certificate_type(), device_type()],
                key_sizes: KeySize::ALL.to_vec(),
                passphrase_policy: PassphrasePolicy::default(),
                contact: "Ask your User Access Administrator.".into(),
                links: Vec::new(),
                connection_check: None,
            })
        })
    }

    async fn ca_certificates(&self) -> Result<CaCertificates, RaError> {
        self.answer(Call::CaCertificates, || Ok(self.ca_certificates.borrow().clone()))
    }

    async fn submit(&self, request: &NewRequest) -> Result<RequestStatus, RaError> {
        self.answer(Call::Submit, || {
            let der = Base64Bytes::try_from(request.certification_request.clone())
                .map_err(|_| problem(ProblemKind::NotBase64))?;
            self.take(der.0.clone(), der.0, request.device.clone())
        })
    }

    async fn correct(&self, id: &TransactionId, request: &NewRequest) -> Result<RequestStatus, RaError> {
        self.answer(Call::Submit, || {
            let mut requests = self.requests.borrow_mut();
            let held = requests.iter_mut().find(|held| held.status.transaction_id == *id);
            let held = held.filter(|held| held.status.state == RequestState::Pending);
            let held = held.ok_or_else(|| problem(ProblemKind::SubmittedOtherwise))?;
            held.status.device.clone_from(&request.device);
            Ok(held.status.clone())
        })
    }

    async fn renew(&self, full_pki_request: &[u8]) -> Result<RequestStatus, RaError> {
        self.answer(Call::Renew, || {
            let renewal =
                FullPkiRequest::from_der(full_pki_request).map_err(|_| problem(ProblemKind::RenewalMalformed))?;
            renewal.verify().map_err(|_| problem(ProblemKind::RenewalSignatureInvalid))?;
            let request = renewal.certification_request().to_vec();
            self.take([&request, renewal.signer().der()].concat(), request, None)
        })
    }

    async fn status(&self, id: &TransactionId) -> Result<RequestStatus, RaError> {
        self.answer(Call::Status, || self.look_up(id, |held| Ok(held.status.clone())))
    }

    async fn request_revocation(&self, id: &TransactionId, new: &NewRevocation) -> Result<RequestStatus, RaError> {
        self.answer(Call::RequestRevocation, || {
            self.look_up(id, |held| {
                if held.certificate.is_none() {
                    return Err(problem(ProblemKind::NotIssued));
                }
                let revocation = Revocation { state: RevocationState::Requested, since: NOW, reason: new.reason };
                Ok(RequestStatus { revocation: Some(revocation), ..held.status.clone() })
            })
        })
    }

    async fn certificate(&self, id: &TransactionId) -> Result<Vec<Base64Bytes>, RaError> {
        self.answer(Call::Certificate, || {
            self.look_up(id, |held| {
                let certificate = held.certificate.clone().ok_or_else(|| problem(ProblemKind::NotIssued))?;
                Ok(vec![certificate.into(), authority().issuing.clone().into()])
            })
        })
    }
}
