//! What the registration authority does: take requests, have them approved, issue, and answer.
//!
//! # Issued exactly once
//!
//! An approval commits serial number and validity in the request's row. The certificate is then a pure function of that row
//! and the CA's key (PKCS#1 v1.5 signatures have no random part), and it is stored in the same statement that makes the row
//! `issued`. Whoever is killed in between leaves an approved row; signing that again gives the same certificate, and only a
//! stored certificate is ever handed out.

use std::sync::Arc;
use std::time::Duration;

use keyside::api::{
    CaCertificates, Configuration, ConnectionCheck, ConnectionVerdict, NewRequest, NewRevocation, ProblemKind,
    RequestState, RequestStatus,
};
use keyside::domain::device::Device;
use keyside::domain::transaction_id::TransactionId;
use keyside::pki::certificate::Certificate;
use keyside::pki::certification_request::CertificationRequest;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

use crate::audit::{Action, Actor, NewEntry, hexadecimal};
use crate::authorisations;
use crate::ca::{Authority, CaEngine, CaError, CertificateOrder, CrlOrder, Holder};
use crate::clock::{self, BACKDATING, DAY};
use crate::config::{Approval, CertificateType, Config, TypeApproval};
use crate::connection_check;
use crate::database::{Database, Transaction};
use crate::decision;
use crate::policy::{self, CheckedRequest};
use crate::problem::Refusal;
use crate::renewal;
use crate::store::audit;
use crate::store::authorisations::Applicant;
use crate::store::crls::{self, Crl};
use crate::store::requests::{self, ApprovedRequest, NewDevice, Request, State};
use crate::tls::Client;

/// How often the server looks for requests to approve and to issue: those that `keyside-gateway requests` has decided too.
const ISSUING_INTERVAL: Duration = Duration::from_secs(1);
/// When to ask again about a request that a person will decide, in seconds.
const MANUAL_RETRY_AFTER: i64 = 10;
/// How old a CRL may become before a new one is signed, in seconds.
const CRL_REFRESH: i64 = DAY;
/// How long a CRL is valid, in seconds.
const CRL_VALIDITY: i64 = 7 * DAY;

/// The registration authority.
pub struct Service {
    config: Config,
    database: Database,
    ca: Arc<dyn CaEngine>,
    connection_check_url: Option<String>,
    /// Held while a CRL is signed, so that no two have the same number.
    crl_signing: Mutex<()>,
}

/// A request as it stands, and when to ask again.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How it stands.
    pub status: RequestStatus,
    /// The seconds after which asking again makes sense, while it is pending.
    pub retry_after: Option<u64>,
}

/// What a request is, beyond a certification request.
#[derive(Clone, Debug, Default)]
struct Origin {
    /// The serial number of the certificate that it renews, if it renews one.
    renews: Option<Vec<u8>>,
    /// The transaction ID of the request that it replaces, if the applicant has quoted one.
    replaces: Option<TransactionId>,
    /// The device that it is for, if it is for one.
    device: Option<Device>,
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// How the request stands.
    pub standing: Standing,
    /// Whether it was new: the same certification request is taken once.
    pub is_new: bool,
}

impl Service {
    /// A registration authority over these parts; `connection_check_url` is where the connection check is, if there is one.
    pub fn new(
        config: Config,
        database: Database,
        ca: Arc<dyn CaEngine>,
        connection_check_url: Option<String>,
    ) -> Self {
        Self { config, database, ca, connection_check_url, crl_signing: Mutex::new(()) }
    }

    /// What the page needs to know.
    pub fn configuration(&self) -> Configuration {
        self.config.to_api(self.connection_check_url.clone())
    }

    /// The CA's certificates, its documents, and the CAs before it.
    pub fn ca_certificates(&self) -> CaCertificates {
        let certificate = |authority| self.ca.certificate(authority).to_vec().into();
        CaCertificates {
            trust_anchors: vec![certificate(Authority::Root)],
            intermediates: vec![certificate(Authority::Issuing)],
            documents: self.config.trust.documents_to_api(),
            retired: self.config.trust.retired_to_api(),
        }
    }

    /// The certificate of `authority`, as DER.
    pub fn authority_certificate(&self, authority: Authority) -> &[u8] {
        self.ca.certificate(authority)
    }

    /// Takes a new request, or finds the transaction of one that came before.
    pub async fn submit(&self, new: NewRequest) -> Result<Submission, Refusal> {
        let der = policy::decode(&new.certification_request)?;
        let submission_sha256 = Sha256::digest(&der).to_vec();
        if let Some(known) = self.known(&submission_sha256).await? {
            return Ok(known);
        }
        let kind = self.certificate_type(&new.certificate_type)?;
        policy::check_device_is_named(kind.for_devices, new.device.as_ref())?;
        let (checked, der) = self.check(der, kind, new.device.clone()).await?;
        let origin = Origin { replaces: new.replaces, device: new.device, ..Origin::default() };
        self.take(kind, checked, der, submission_sha256, origin).await
    }

    /// Takes a renewal, a full PKI request as DER, or finds the transaction of one that came before.
    pub async fn renew(&self, der: Vec<u8>) -> Result<Submission, Refusal> {
        let now = clock::now();
        let renewal = spawn_blocking(move || renewal::read(&der)).await??;
        let current = renewal.signer();
        // With the certificate, because a request for the same key is the same each time.
        let submission_sha256 =
            Sha256::new().chain_update(renewal.certification_request()).chain_update(current.der()).finalize().to_vec();
        if let Some(known) = self.known(&submission_sha256).await? {
            return Ok(known);
        }
        // From here on, and not before: a renewal that was taken is known for good, whatever has become of the current certificate.
        let (ca, signer) = (Arc::clone(&self.ca), current.clone());
        spawn_blocking(move || {
            renewal::check_path(&signer, ca.certificate(Authority::Root), ca.certificate(Authority::Issuing), now)
        })
        .await??;
        let issued = requests::find_issued(self.database.reader(), current.serial_number()).await?;
        let issued = issued.filter(|issued| issued.certificate == current.der()).ok_or_else(|| {
            Refusal::new(
                ProblemKind::CertificateNotAccepted,
                "This registration authority has no record of it: register for a new one.",
            )
        })?;
        if issued.revoked_at.is_some() {
            return Err(Refusal::new(
                ProblemKind::CertificateRevoked,
                "A revoked certificate is not renewed: register for a new one.",
            ));
        }
        let kind = self.certificate_type(&issued.certificate_type)?;
        let renewal_policy = renewal::check_window(current, kind.renewal, now)?;
        let (checked, der) = self.check(renewal.certification_request().to_vec(), kind, None).await?;
        let request = CertificationRequest::from_der(&der).map_err(|error| Refusal::internal(&error))?;
        renewal::check_same(current, &issued.email_address, &request, &checked, renewal_policy)?;
        let origin = Origin { renews: Some(current.serial_number().to_vec()), ..Origin::default() };
        self.take(kind, checked, der, submission_sha256, origin).await
    }

    /// The transaction of what was submitted before.
    async fn known(&self, submission_sha256: &[u8]) -> Result<Option<Submission>, Refusal> {
        let request = requests::find_by_submission(self.database.reader(), submission_sha256).await?;
        Ok(request.map(|request| Submission { standing: self.standing(&request), is_new: false }))
    }

    /// Checks a certification request, which is handed back.
    async fn check(
        &self,
        der: Vec<u8>,
        kind: &CertificateType,
        device: Option<Device>,
    ) -> Result<(CheckedRequest, Vec<u8>), Refusal> {
        let template = kind.subject_template.1.clone();
        let key_sizes = self.config.key_sizes.clone();
        spawn_blocking(move || {
            policy::check(&der, &template, &key_sizes, device.as_ref()).map(|checked| (checked, der))
        })
        .await?
    }

    /// Keeps a checked request, and approves it where nobody else is to.
    async fn take(
        &self,
        kind: &CertificateType,
        checked: CheckedRequest,
        der: Vec<u8>,
        submission_sha256: Vec<u8>,
        Origin { renews, replaces, device }: Origin,
    ) -> Result<Submission, Refusal> {
        let submitted_at = clock::now();
        let names: Vec<String> = checked.device_names.iter().map(ToString::to_string).collect();
        let device =
            device.map(|Device { kind, file_format, .. }| NewDevice { kind, file_format, names: names.join(" ") });
        let (is_renewal, names_hosts) = (renews.is_some(), !checked.device_names.is_empty());
        let row = requests::NewRequest {
            transaction_id: TransactionId::random(&mut rand::rng()),
            certificate_type: kind.id.clone(),
            common_name: checked.common_name,
            email_address: checked.email_address,
            certification_request: der,
            submission_sha256,
            renews,
            replaces,
            device,
            validity_days: kind.validity_days,
            submitted_at,
            // Fixed now: a gateway that is started anew with another setting does not approve what was to wait for a person.
            approve_at: match self.config.approval {
                // Whoever trusts the CA would take the holder for these hosts: a person decides, always.
                _ if names_hosts => None,
                // Unless there is an authorisation.
                _ if is_for_the_authorised(Some(kind), is_renewal) => None,
                Approval::Automatic { after_seconds } => Some(submitted_at + i64::from(after_seconds)),
                Approval::Manual {} => None,
            },
        };
        let mut transaction = self.database.transaction().await?;
        let is_new = requests::insert(&mut transaction, &row).await?;
        if is_new && !is_renewal {
            let applicant = Applicant {
                certificate_type: &row.certificate_type,
                common_name: &row.common_name,
                email_address: &row.email_address,
            };
            let (id, approve_at) = (row.transaction_id, row.approve_at);
            authorisations::match_request(&mut transaction, kind, id, applicant, names_hosts, approve_at, submitted_at)
                .await?;
        }
        transaction.commit().await?;
        if is_new {
            tracing::info!(id = %row.transaction_id, r#type = row.certificate_type, "request taken");
        }
        if self.config.approval == (Approval::Automatic { after_seconds: 0 }) {
            self.approve_and_issue().await?;
        }
        let request = requests::find_by_submission(self.database.reader(), &row.submission_sha256)
            .await?
            .ok_or_else(|| Refusal::internal(&"a request is gone from the store"))?;
        Ok(Submission { standing: self.standing(&request), is_new })
    }

    /// How the request `id` stands.
    pub async fn status(&self, id: TransactionId) -> Result<Standing, Refusal> {
        Ok(self.standing(&self.find(id).await?))
    }

    /// The certificate of the request `id`, as DER.
    pub async fn certificate(&self, id: TransactionId) -> Result<Vec<u8>, Refusal> {
        if let Some(certificate) = requests::certificate(self.database.reader(), id).await? {
            return Ok(certificate);
        }
        let request = self.find(id).await?;
        Err(Refusal::new(
            ProblemKind::NotIssued,
            match request.rejection_reason {
                Some(reason) => format!("The request was rejected: {reason}"),
                None => "The certificate is not ready yet: ask for the request's state, and again later.".into(),
            },
        ))
    }

    /// Whether the certificate that `client` shows works here, as far as it can be seen in the certificate.
    pub async fn check_connection(&self, client: Client) -> Result<ConnectionCheck, Refusal> {
        let (ca, shown) = (Arc::clone(&self.ca), client.certificate.clone());
        let judging = spawn_blocking(move || -> Result<_, CaError> {
            let root = Certificate::from_der(ca.certificate(Authority::Root))?;
            let issuing = Certificate::from_der(ca.certificate(Authority::Issuing))?;
            Ok(connection_check::judge(shown.as_deref(), &root, &issuing, clock::to_unsigned(clock::now())))
        });
        let (mut verdict, certificate) = judging.await??;
        if verdict == ConnectionVerdict::Works
            && let Some(certificate) = &certificate
            && let Some(issued) = requests::find_issued(self.database.reader(), certificate.serial_number()).await?
            && issued.revoked_at.is_some()
        {
            verdict = ConnectionVerdict::Revoked;
        }
        Ok(connection_check::answer(&client, verdict, certificate.as_ref()))
    }

    /// The current CRL of `authority`, as DER.
    pub async fn crl(&self, authority: Authority) -> Result<Vec<u8>, Refusal> {
        let issuer = Sha256::digest(self.ca.certificate(authority)).to_vec();
        let _signing = self.crl_signing.lock().await;
        let now = clock::now();
        let last = crls::find(self.database.reader(), &issuer).await?;
        let entries = self.entries(authority).await?;
        let number = match last {
            Some(last) if now < last.this_update + CRL_REFRESH && last.entries == entries => return Ok(last.crl),
            Some(last) => last.number + 1,
            None => 1,
        };
        // Read after they were counted: one that is revoked in between is on this CRL, and the next one is signed all the same.
        let revoked = if entries > 0 { requests::revoked(self.database.reader()).await? } else { Vec::new() };
        let this_update = now - BACKDATING;
        let order = CrlOrder { authority, number, this_update, next_update: now + CRL_VALIDITY, revoked };
        let ca = Arc::clone(&self.ca);
        let crl = spawn_blocking(move || ca.sign_crl(&order)).await??;
        let crl = Crl { number, this_update, entries, crl };
        let mut transaction = self.database.transaction().await?;
        crls::replace(&mut transaction, &issuer, &crl).await?;
        transaction.commit().await?;
        Ok(crl.crl)
    }

    /// How many certificates of `authority` are revoked: users' certificates are all the issuing one's.
    async fn entries(&self, authority: Authority) -> Result<i64, Refusal> {
        match authority {
            Authority::Root => Ok(0),
            Authority::Issuing => Ok(requests::count_revoked(self.database.reader()).await?),
        }
    }

    /// Notes that somebody has asked for the revocation of the request's certificate.
    pub async fn request_revocation(&self, id: TransactionId, new: NewRevocation) -> Result<Standing, Refusal> {
        let mut transaction = self.database.transaction().await?;
        let is_issued = requests::request_revocation(&mut transaction, id, new.reason, clock::now()).await?;
        if is_issued {
            note(&mut transaction, id, Action::RevocationRequested, Actor::Applicant, new.reason.to_string()).await?;
        }
        transaction.commit().await?;
        if !is_issued {
            self.find(id).await?;
            return Err(Refusal::new(ProblemKind::NotIssued, "There is no certificate to revoke."));
        }
        tracing::info!(%id, reason = %new.reason, "revocation asked for");
        self.status(id).await
    }

    /// Approves what is due and issues what is approved, over and over. Ends when it is dropped.
    pub async fn keep_issuing(&self) {
        let mut interval = tokio::time::interval(ISSUING_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // A failure is in the log; the next round tries again.
            let _ = self.approve_and_issue().await;
        }
    }

    /// Approves what is due, and issues what is approved.
    async fn approve_and_issue(&self) -> Result<(), Refusal> {
        for request in requests::due(self.database.reader(), clock::now()).await? {
            if !self.approves_by_itself(&request) {
                continue;
            }
            tracing::info!(id = %request.transaction_id, "approved without a person, as the configuration has it");
            match decision::approve(&self.database, request.transaction_id, Actor::Policy).await {
                // Somebody else was faster.
                Ok(()) | Err(decision::DecisionError::Decided(..) | decision::DecisionError::RenewsRevoked(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for request in requests::approved(self.database.reader()).await? {
            let (id, serial_number) = (request.transaction_id, hexadecimal(&request.serial_number));
            match self.sign(request).await {
                Ok(certificate) => {
                    let mut transaction = self.database.transaction().await?;
                    let is_new = requests::issue(&mut transaction, id, &certificate).await?;
                    if is_new {
                        let detail = format!("serial number {serial_number}");
                        note(&mut transaction, id, Action::Issued, Actor::Gateway, detail).await?;
                    }
                    transaction.commit().await?;
                    if is_new {
                        tracing::info!(%id, "issued");
                    }
                }
                Err(_) => tracing::error!(%id, "the certificate could not be issued; it stays approved"),
            }
        }
        Ok(())
    }

    /// Whether a request that is due is approved without a person, as the configuration is now.
    fn approves_by_itself(&self, request: &Request) -> bool {
        match self.is_for_the_authorised(request) {
            true => request.authorisation_id.is_some(),
            false => matches!(self.config.approval, Approval::Automatic { .. }),
        }
    }

    /// Whether the request's type leaves approval to whether there is an authorisation.
    fn is_for_the_authorised(&self, request: &Request) -> bool {
        let kind = self.config.certificate_types.iter().find(|kind| kind.id == request.certificate_type);
        is_for_the_authorised(kind, request.renews.is_some())
    }

    /// Signs the certificate of an approved request.
    async fn sign(&self, request: ApprovedRequest) -> Result<Vec<u8>, Refusal> {
        let holder = match request.is_for_device() {
            true => Holder::Device,
            false => Holder::Person { email_address: request.email_address },
        };
        let order = CertificateOrder {
            certification_request: request.certification_request,
            holder,
            serial_number: request.serial_number,
            not_before: request.not_before,
            not_after: request.not_after,
        };
        let ca = Arc::clone(&self.ca);
        Ok(spawn_blocking(move || ca.issue(&order)).await??)
    }

    async fn find(&self, id: TransactionId) -> Result<Request, Refusal> {
        requests::find(self.database.reader(), id).await?.ok_or_else(|| {
            Refusal::new(
                ProblemKind::UnknownTransactionId,
                format!("There is no request {id} here: compare it with what you noted, or register again."),
            )
        })
    }

    fn certificate_type(&self, id: &str) -> Result<&CertificateType, Refusal> {
        let kinds = &self.config.certificate_types;
        kinds.iter().find(|kind| kind.id == id).ok_or_else(|| {
            let ids: Vec<&str> = kinds.iter().map(|kind| kind.id.as_str()).collect();
            Refusal::new(
                ProblemKind::UnknownCertificateType,
                format!("certificate_type must be one of: {}.", ids.join(", ")),
            )
        })
    }

    /// How a request stands, as the API says it. Between approval and issuance users still wait: it is pending to them.
    fn standing(&self, request: &Request) -> Standing {
        let state = match request.state {
            State::Pending | State::Approved => RequestState::Pending,
            State::Rejected => RequestState::Rejected { reason: request.rejection_reason.clone().unwrap_or_default() },
            State::Issued => RequestState::Issued,
        };
        let retry_after = match (request.state, request.approve_at, self.config.approval) {
            (State::Rejected | State::Issued, ..) => None,
            (State::Approved, ..) => Some(1),
            // The same for those who are authorised and those who are not.
            (State::Pending, ..) if self.is_for_the_authorised(request) => Some(MANUAL_RETRY_AFTER),
            (State::Pending, Some(approve_at), Approval::Automatic { .. }) => {
                Some((approve_at - clock::now()).max(0) + 1)
            }
            (State::Pending, ..) => Some(MANUAL_RETRY_AFTER),
        };
        Standing {
            status: RequestStatus {
                transaction_id: request.transaction_id,
                submitted_at: clock::to_unsigned(request.submitted_at),
                state,
                revocation: request.revocation(),
                device: request.device(),
            },
            retry_after: retry_after.map(clock::to_unsigned),
        }
    }
}

/// Whether a type leaves approval to whether there is an authorisation. A renewal needs none: the holder of the certificate has signed it.
fn is_for_the_authorised(kind: Option<&CertificateType>, is_renewal: bool) -> bool {
    !is_renewal && kind.is_some_and(|kind| kind.approval == Some(TypeApproval::Authorised))
}

/// Writes down what was done to a request, in the transaction that it belongs to.
async fn note(
    transaction: &mut Transaction,
    id: TransactionId,
    action: Action,
    actor: Actor,
    detail: String,
) -> Result<(), sqlx::Error> {
    audit::append(transaction, NewEntry { at: clock::now(), actor, action, subject: id.to_string(), detail }).await
}
