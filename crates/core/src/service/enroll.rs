//! Enrolling: key pair and request are made and committed first, and only then sent.

use core::str::FromStr;

use crate::api::{CertificateType, NewRequest, ProblemKind, RequestStatus};
use crate::domain::distinguished_name::SubjectTemplate;
use crate::domain::enrollment::{Application, Enrollment, RequestState, Standing, Submission};
use crate::domain::passphrase::Passphrase;
use crate::domain::transaction_id::TransactionId;
use crate::ports::{Clock, KeyStore, KeyWorker, RaError, RegistrationAuthority, StoreError, WorkerError};
use crate::protocol::{Failure, Generate, Generated, Stage};

/// Why an enrollment did not get to its end. Whatever was saved is still saved.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnrollError {
    /// The key pair was not made.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registration authority did not take the request.
    #[error(transparent)]
    RegistrationAuthority(#[from] RaError),
}

impl EnrollError {
    /// True if the registration authority has said no, so that asking again changes nothing. A request that took too long, came too early or
    /// was one of too many is none that was refused (RFC 9110, section 15.5.9; RFC 8470, section 5.2; RFC 6585, section 4).
    pub fn is_refusal(&self) -> bool {
        let Self::RegistrationAuthority(RaError::Problem(problem)) = self else { return false };
        (400..500).contains(&problem.status) && ![408, 425, 429].contains(&problem.status)
    }
}

/// Makes a key pair and a request. Nothing is saved, so this is the part that may be cancelled.
pub async fn generate(
    worker: &impl KeyWorker,
    certificate_type: &CertificateType,
    application: &Application,
    passphrase: Passphrase,
    progress: impl Fn(Stage),
) -> Result<Generated, EnrollError> {
    let job = Generate {
        key_size: application.key_size,
        subject: subject(&certificate_type.subject_template, &application.common_name)?.into(),
        email_address: application.email_address.clone(),
        passphrase,
    };
    Ok(worker.generate(job, progress).await?)
}

/// The subject of a request, DER.
fn subject(template: &str, common_name: &str) -> Result<Vec<u8>, WorkerError> {
    let unusable = |reason: String| WorkerError::Failed(Failure::Unusable(reason));
    let template = SubjectTemplate::from_str(template).map_err(|fault| unusable(fault.to_string()))?;
    Ok(template.subject(common_name).to_der())
}

/// Commits a key pair and its request. Nothing is sent. To be run to its end: a commit that has begun cannot be taken back.
pub async fn save(
    store: &impl KeyStore,
    clock: &impl Clock,
    application: Application,
    generated: Generated,
) -> Result<Enrollment, EnrollError> {
    let enrollment = Enrollment {
        key_id: generated.key_id,
        created_at: clock.now(),
        application,
        encrypted_private_key: generated.sealed.encrypted_private_key,
        authentication_key: Some(generated.sealed.authentication_key),
        certification_request: generated.certification_request,
        renewal: None,
        submission: None,
        former_transaction_ids: Vec::new(),
        certification_path: None,
        certificate: None,
        downloads: Vec::new(),
    };
    store.insert(&enrollment).await?;
    Ok(enrollment)
}

/// Sends a saved request and notes the answer. Sending it again gives the same transaction, so a lost answer costs nothing.
pub async fn submit(
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    enrollment: &Enrollment,
) -> Result<Enrollment, EnrollError> {
    let status = send(authority, enrollment).await?;
    note(store, &enrollment.id(), status).await
}

/// Sends what an enrollment asks for: a renewal signed by the holder of the current certificate, any other request as it is.
async fn send(authority: &impl RegistrationAuthority, enrollment: &Enrollment) -> Result<RequestStatus, RaError> {
    if let Some(renewal) = &enrollment.renewal {
        return authority.renew(&renewal.full_pki_request.0).await;
    }
    let request = NewRequest {
        certificate_type: enrollment.application.certificate_type.clone(),
        certification_request: enrollment.certification_request.clone().into(),
        replaces: enrollment.application.replaces,
        authorization_code: enrollment.application.authorization_code.clone(),
        device: enrollment.application.device.clone(),
    };
    authority.submit(&request).await
}

/// Asks how a request stands and notes the answer; sends it first where it was never confirmed, or is not known any more.
pub async fn refresh(
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    id: &str,
) -> Result<Enrollment, EnrollError> {
    let enrollment = store.get(id).await?.ok_or(StoreError::NotThere)?;
    if !matches!(enrollment.standing(), Standing::NotSent | Standing::Pending) {
        return Ok(enrollment);
    }
    ask(store, authority, &enrollment).await?;
    Ok(store.get(id).await?.ok_or(StoreError::NotThere)?)
}

/// Asks how a request stands, whatever is known of it, and notes the answer; gives the answer.
pub(super) async fn ask(
    store: &impl KeyStore,
    authority: &impl RegistrationAuthority,
    enrollment: &Enrollment,
) -> Result<RequestStatus, EnrollError> {
    if let Some(id) = enrollment.transaction_id() {
        match authority.status(&id).await {
            // A gateway that was set back to an older state takes the request anew, under a new transaction ID.
            Err(RaError::Problem(problem)) if problem.kind == ProblemKind::UnknownTransactionId => {}
            Err(error) => return Err(error.into()),
            Ok(status) => {
                note(store, &enrollment.id(), status.clone()).await?;
                return Ok(status);
            }
        }
    }
    let status = send(authority, enrollment).await?;
    note(store, &enrollment.id(), status.clone()).await?;
    Ok(status)
}

/// Notes what the registration authority said.
async fn note(store: &impl KeyStore, id: &str, status: RequestStatus) -> Result<Enrollment, EnrollError> {
    let noted = store
        .update(id, |enrollment| {
            note_answer(&mut enrollment.submission, &mut enrollment.former_transaction_ids, status);
        })
        .await?;
    Ok(noted)
}

/// Brings what is known of a submission up to date with an answer.
pub(super) fn note_answer(
    submission: &mut Option<Submission>,
    former_transaction_ids: &mut Vec<TransactionId>,
    status: RequestStatus,
) {
    let late = status.state == RequestState::Pending
        && submission.as_ref().is_some_and(|known| known.state != RequestState::Pending);
    // Another tab may have heard the newer answer first: a request never becomes pending again.
    if late {
        return;
    }
    let known = submission.as_ref().map(|known| known.transaction_id);
    former_transaction_ids.extend(known.filter(|&former| former != status.transaction_id));
    former_transaction_ids.retain(|&former| former != status.transaction_id);
    *submission = Some(Submission {
        transaction_id: status.transaction_id,
        submitted_at: status.submitted_at,
        state: status.state,
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use core::cell::RefCell;

    use keyside_pki::testing::{NOW, YEAR};
    use pollster::block_on;

    use super::*;
    use crate::api::{CaCertificates, Configuration, NewRevocation, Problem};
    use crate::domain::base64_bytes::Base64Bytes;
    use crate::domain::key_size::KeySize;
    use crate::ports::memory::{
        Call, Fault, MemoryAuthority, MemoryClock, MemoryKeyStore, MemoryWorker, certificate_type,
    };
    use crate::service::testing::{PASSPHRASE, application, enrollment, prepare};

    fn passphrase() -> Passphrase {
        Passphrase::new(PASSPHRASE.into())
    }

    /// A store that holds one enrollment that was not sent.
    fn store() -> MemoryKeyStore {
        let store = MemoryKeyStore::default();
        block_on(store.insert(&enrollment())).unwrap();
        store
    }

    fn kept(store: &MemoryKeyStore) -> Enrollment {
        block_on(store.get(&enrollment().key_id)).unwrap().unwrap()
    }

    /// Passes a request on, and notes what the store holds at that moment.
    struct Observer<'a> {
        store: &'a MemoryKeyStore,
        authority: &'a MemoryAuthority,
        seen: RefCell<Vec<Enrollment>>,
    }

    impl RegistrationAuthority for Observer<'_> {
        async fn configuration(&self) -> Result<Configuration, RaError> {
            self.authority.configuration().await
        }

        async fn ca_certificates(&self) -> Result<CaCertificates, RaError> {
            self.authority.ca_certificates().await
        }

        async fn submit(&self, request: &NewRequest) -> Result<RequestStatus, RaError> {
            *self.seen.borrow_mut() = self.store.list().await.unwrap().enrollments;
            self.authority.submit(request).await
        }

        async fn correct(&self, id: &TransactionId, request: &NewRequest) -> Result<RequestStatus, RaError> {
            self.authority.correct(id, request).await
        }

        async fn renew(&self, full_pki_request: &[u8]) -> Result<RequestStatus, RaError> {
            self.authority.renew(full_pki_request).await
        }

        async fn status(&self, id: &TransactionId) -> Result<RequestStatus, RaError> {
            self.authority.status(id).await
        }

        async fn request_revocation(&self, id: &TransactionId, new: &NewRevocation) -> Result<RequestStatus, RaError> {
            self.authority.request_revocation(id, new).await
        }

        async fn certificate(&self, id: &TransactionId) -> Result<Vec<Base64Bytes>, RaError> {
            self.authority.certificate(id).await
        }
    }

    #[test]
    fn the_key_is_saved_before_the_request_is_sent() {
        let (store, authority) = (MemoryKeyStore::default(), MemoryAuthority::default());
        let stages = RefCell::new(Vec::new());
        let prepared = block_on(prepare(
            &MemoryWorker::default(),
            &store,
            &MemoryClock::default(),
            &certificate_type(),
            application(),
            passphrase(),
            |stage| stages.borrow_mut().push(stage),
        ))
        .unwrap();
        let stages = stages.take();
        let searching: Vec<_> = stages
            .iter()
            .map_while(|stage| if let Stage::GeneratingKeyPair(searching) = stage { Some(*searching) } else { None })
            .collect();
        assert_eq!((searching[0].primes, searching[0].tested, searching[0].expected), (0, 0, 32));
        assert_eq!(searching.last().unwrap().primes, 1);
        assert_eq!(stages[searching.len()..], [Stage::SigningRequest, Stage::EncryptingKey]);
        assert_eq!(prepared.standing(), Standing::NotSent);
        assert_eq!(prepared.created_at, NOW);
        assert_eq!(prepared.application, application());

        let observer = Observer { store: &store, authority: &authority, seen: RefCell::default() };
        let submitted = block_on(submit(&store, &observer, &prepared)).unwrap();
        assert_eq!(observer.seen.take(), [prepared]);
        assert_eq!(submitted.standing(), Standing::Pending);
        assert_eq!(block_on(store.list()).unwrap().enrollments, [submitted]);
    }

    #[test]
    fn what_cannot_be_saved_is_not_prepared() {
        let store = MemoryKeyStore::default();
        *store.write_fault.borrow_mut() = Some(StoreError::Full);
        let error = block_on(prepare(
            &MemoryWorker::default(),
            &store,
            &MemoryClock::default(),
            &certificate_type(),
            application(),
            passphrase(),
            |_| (),
        ));
        assert_eq!(error, Err(EnrollError::Store(StoreError::Full)));
    }

    #[test]
    fn a_worker_that_stops_leaves_nothing_behind() {
        let (store, worker) = (MemoryKeyStore::default(), MemoryWorker::default());
        worker.stopped.set(true);
        let prepared = block_on(prepare(
            &worker,
            &store,
            &MemoryClock::default(),
            &certificate_type(),
            application(),
            passphrase(),
            |_| (),
        ));
        assert!(matches!(prepared, Err(EnrollError::Worker(WorkerError::Stopped(_)))), "{prepared:?}");
        assert_eq!(block_on(store.list()).unwrap().enrollments, []);
    }

    #[test]
    fn a_key_that_is_saved_is_never_overwritten() {
        assert_eq!(block_on(store().insert(&enrollment())), Err(StoreError::AlreadyThere));
    }

    #[test]
    fn a_lost_answer_costs_nothing() {
        let (store, authority) = (store(), MemoryAuthority::default());
        authority.fail(Call::Submit, Fault::AnswerLost);
        let lost = block_on(submit(&store, &authority, &enrollment()));
        assert!(matches!(lost, Err(EnrollError::RegistrationAuthority(RaError::Unreachable(_)))), "{lost:?}");
        assert_eq!(authority.held(), 1);
        assert_eq!(kept(&store).standing(), Standing::NotSent);

        authority.recover();
        let refreshed = block_on(refresh(&store, &authority, &enrollment().key_id)).unwrap();
        assert_eq!(refreshed.standing(), Standing::Pending);
        assert_eq!(authority.held(), 1, "the same request is the same transaction");
    }

    #[test]
    fn an_unreachable_authority_is_tried_again() {
        let (store, authority) = (store(), MemoryAuthority::default());
        authority.fail(Call::Submit, Fault::Unreachable);
        for _ in 0..2 {
            assert!(block_on(refresh(&store, &authority, &enrollment().key_id)).is_err());
            assert_eq!(kept(&store), enrollment());
        }
        authority.recover();
        let sent = block_on(refresh(&store, &authority, &enrollment().key_id)).unwrap();
        let id = sent.transaction_id().unwrap();

        authority.issue(id, NOW, NOW + YEAR);
        authority.fail(Call::Status, Fault::Unreachable);
        assert!(block_on(refresh(&store, &authority, &sent.key_id)).is_err());
        assert_eq!(kept(&store), sent);
        authority.recover();
        assert_eq!(block_on(refresh(&store, &authority, &sent.key_id)).unwrap().standing(), Standing::Issued);
    }

    #[test]
    fn a_refusal_is_told_from_an_outage() {
        let problem = |kind| EnrollError::from(RaError::Problem(Problem::new(kind, "…")));
        assert!(problem(ProblemKind::SignatureInvalid).is_refusal());
        assert!(!problem(ProblemKind::Unavailable).is_refusal());
        for later in [408, 425, 429] {
            let problem = Problem { status: later, ..Problem::new(ProblemKind::Unavailable, "…") };
            assert!(!EnrollError::from(RaError::Problem(problem)).is_refusal(), "{later}");
        }
        assert!(!EnrollError::from(RaError::Unreachable("connection refused".into())).is_refusal());
        assert!(!EnrollError::from(StoreError::Full).is_refusal());
    }

    #[test]
    fn an_answer_that_cannot_be_noted_is_asked_for_again() {
        let (store, authority) = (store(), MemoryAuthority::default());
        *store.write_fault.borrow_mut() = Some(StoreError::Full);
        assert_eq!(block_on(submit(&store, &authority, &enrollment())), Err(EnrollError::Store(StoreError::Full)));
        *store.write_fault.borrow_mut() = None;
        let refreshed = block_on(refresh(&store, &authority, &enrollment().key_id)).unwrap();
        assert_eq!(refreshed.standing(), Standing::Pending);
        assert_eq!(authority.held(), 1);
    }

    #[test]
    fn two_tabs_get_the_same_transaction() {
        let (store, authority) = (store(), MemoryAuthority::default());
        let one = block_on(submit(&store, &authority, &enrollment())).unwrap();
        let other = block_on(submit(&store, &authority, &enrollment())).unwrap();
        assert_eq!(one, other);
        assert_eq!(authority.held(), 1);
    }

    #[test]
    fn a_late_answer_does_not_undo_a_newer_one() {
        let (store, authority) = (store(), MemoryAuthority::default());
        let key_id = enrollment().key_id;
        let id = block_on(submit(&store, &authority, &enrollment())).unwrap().transaction_id().unwrap();
        let late = block_on(authority.status(&id)).unwrap();
        authority.reject(id, "unknown person");
        let rejected = block_on(refresh(&store, &authority, &key_id)).unwrap();
        assert_eq!(rejected.standing(), Standing::Rejected("unknown person".into()));

        assert_eq!(block_on(note(&store, &key_id, late)).unwrap(), rejected);
    }

    #[test]
    fn a_decided_request_is_not_asked_about_again() {
        let (store, authority) = (store(), MemoryAuthority::default());
        let submitted = block_on(submit(&store, &authority, &enrollment())).unwrap();
        authority.issue(submitted.transaction_id().unwrap(), NOW, NOW + YEAR);
        let issued = block_on(refresh(&store, &authority, &submitted.key_id)).unwrap();
        authority.take_calls();
        assert_eq!(block_on(refresh(&store, &authority, &submitted.key_id)).unwrap(), issued);
        assert_eq!(authority.take_calls(), []);
    }

    #[test]
    fn a_request_that_the_authority_has_lost_is_sent_again() {
        let (store, authority) = (store(), MemoryAuthority::default());
        let first = block_on(submit(&store, &authority, &enrollment())).unwrap();
        let set_back = MemoryAuthority::default();
        let again = block_on(refresh(&store, &set_back, &first.key_id)).unwrap();
        assert_eq!(again.standing(), Standing::Pending);
        assert_ne!(again.transaction_id(), first.transaction_id());
        assert_eq!(set_back.held(), 1);
        let noted = first.transaction_id().unwrap();
        assert_eq!(again.former_transaction_ids, [noted], "the ID that was noted still names the request");
        assert!(again.has_transaction_id(noted));

        // The first authority is back, with the first transaction.
        let back = block_on(refresh(&store, &authority, &first.key_id)).unwrap();
        assert_eq!(back.transaction_id(), first.transaction_id());
        assert_eq!(back.former_transaction_ids, [again.transaction_id().unwrap()]);
    }

    #[test]
    fn an_enrollment_that_is_gone_is_named_as_such() {
        let (store, authority) = (MemoryKeyStore::default(), MemoryAuthority::default());
        for error in [
            block_on(refresh(&store, &authority, &enrollment().key_id)),
            block_on(submit(&store, &authority, &enrollment())),
        ] {
            assert_eq!(error, Err(EnrollError::Store(StoreError::NotThere)));
        }
    }

    #[test]
    fn an_unusable_application_is_refused_before_a_key_is_made() {
        let stages = RefCell::new(0);
        let mut application = application();
        application.key_size = KeySize::Rsa4096;
        let mut certificate_type = certificate_type();
        certificate_type.subject_template = "O=no Common Name".into();
        let refused = block_on(prepare(
            &MemoryWorker::default(),
            &MemoryKeyStore::default(),
            &MemoryClock::default(),
            &certificate_type,
            application,
            passphrase(),
            |_| *stages.borrow_mut() += 1,
        ));
        assert!(matches!(refused, Err(EnrollError::Worker(WorkerError::Failed(_)))), "{refused:?}");
        assert_eq!(stages.take(), 0);
    }
}
