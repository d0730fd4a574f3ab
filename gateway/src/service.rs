//! What the registration authority does: take requests, have them approved, issue, and answer.
//!
//! # Issued exactly once
//!
//! An approval commits serial number and validity in the request's row. The certificate is then a pure function of that row
//! and the CA's key (PKCS#1 v1.5 signatures have no random part), and it is stored in the same statement that makes the row
//! `issued`. Whoever is killed in between leaves an approved row; signing that again gives the same certificate, and only a
//! stored certificate is ever handed out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyside_core::api::{
    CaCertificates, Configuration, ConnectionCheck, ConnectionVerdict, NewRequest, NewRevocation, ProblemKind,
    RequestState, RequestStatus,
};
use keyside_core::domain::authorization_code::AuthorizationCode;
use keyside_core::domain::device::Device;
use keyside_core::domain::file_name;
use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::Certificate;
use keyside_pki::certification_request::CertificationRequest;
use sha2::{Digest, Sha256};
use sqlx::any::AnyExecutor;
use tokio::task::spawn_blocking;
use tokio::time::MissedTickBehavior;

use crate::audit::{Action, Actor, NewEntry, hexadecimal};
use crate::authorisations::{self, Newcomer};
use crate::backoff;
use crate::ca::{Authority, CaEngine, CaError, CertificateOrder, CrlOrder, Holder};
use crate::ca_end::CaEnd;
use crate::clock::{self, BACKDATING, DAY};
use crate::config::{Approval, CertificateType, Config, TypeApproval};
use crate::connection_check;
use crate::database::{Database, Transaction};
use crate::decision::{self, DecisionError};
use crate::est::{self, Credentials};
use crate::journal;
use crate::known_keys::{self, KeyFault, KeyHolder};
use crate::mail_limits::MailLimits;
use crate::notifications::Kind;
use crate::officer_mail::{self, Digests};
use crate::officers;
use crate::policy::{self, CheckedRequest};
use crate::problem::Refusal;
use crate::renewal;
use crate::store::audit;
use crate::store::authorisations::Applicant;
use crate::store::crls::{self, Crl};
use crate::store::est_codes;
use crate::store::outbox::{self, NewNotification};
use crate::store::renewals;
use crate::store::requests::{
    self, ApprovedRequest, Fingerprints, Issued, IssuedCertificate, NewDevice, Request, State,
};
use crate::tls::Client;
use crate::weak_rsa_key::Weakness;

/// How often the server looks for requests to approve and to issue: those that `keyside-gateway requests` has decided too.
const ISSUING_INTERVAL: Duration = Duration::from_secs(1);
/// When to ask again about a request that a person will decide, in seconds.
const MANUAL_RETRY_AFTER: i64 = 10;
/// When to ask again about a certificate that the CA engine did not give when it was asked, in seconds.
const ENGINE_RETRY_AFTER: i64 = 10;
/// How often CRLs and renewals are looked after.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(60);
/// How many holders are told of renewals in one transaction.
const RENEWALS_AT_ONCE: i64 = 100;
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
    /// The number of submissions that are being worked on.
    submissions: AtomicUsize,
    digests: Digests,
    mail_limits: MailLimits,
    /// The urgency of the last warning of the CA's end, and the day on which it was given.
    warned: Mutex<(usize, i64)>,
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
    /// The address that it came from, if it is a stranger's.
    from: Option<IpAddr>,
    /// The serial number of the certificate that it renews, if it renews one.
    renews: Option<Vec<u8>>,
    /// The transaction ID of the request that it replaces, if the applicant has quoted one.
    replaces: Option<TransactionId>,
    /// The device that it is for, if it is for one.
    device: Option<Device>,
    /// The one-time code of an authorisation, if it has shown one.
    authorization_code: Option<AuthorizationCode>,
    /// The SHA-256 of the one-time code with which a device came by EST, if one did.
    est_code: Option<Vec<u8>>,
}

/// Why a device gets no certificate.
#[derive(Clone, Debug)]
pub enum EnrollmentRefusal {
    /// It has not shown that it may have one. Says what it may show.
    Unauthorized(&'static str),
    /// Its request is refused.
    Refusal(Refusal),
}

impl EnrollmentRefusal {
    /// There is no code.
    pub const NO_CODE: Self =
        Self::Unauthorized("Show the device's name as the user and its one-time code as the password (HTTP Basic).");
    /// There is no certificate.
    pub const NO_CERTIFICATE: Self =
        Self::Unauthorized("Show the device's current certificate (TLS); without one, enroll with a one-time code.");
    /// There is no such code for this device.
    const WRONG_CODE: Self =
        Self::Unauthorized("This code is not for this device, or not valid any more: ask for a new one.");
    /// The code was used for another request.
    const USED_CODE: Self = Self::Unauthorized(
        "This code was used for another certification request: send that one again, or ask for a new code.",
    );
}

impl From<Refusal> for EnrollmentRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
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
        let mail_limits = MailLimits::new(config.notifications.submitted_per_hour);
        Self {
            config,
            database,
            ca,
            connection_check_url,
            submissions: AtomicUsize::new(0),
            digests: Digests::default(),
            mail_limits,
            warned: Mutex::default(),
        }
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
            intermediates: self.ca.intermediates().into_iter().map(|der| der.to_vec().into()).collect(),
            documents: self.config.trust.documents_to_api(),
            retired: self.config.trust.retired_to_api(),
        }
    }

    /// The certificates between a user's and the root, as DER, without both.
    pub fn intermediates(&self) -> Vec<&[u8]> {
        self.ca.intermediates()
    }

    /// The certificate of `authority`, as DER.
    pub fn authority_certificate(&self, authority: Authority) -> &[u8] {
        self.ca.certificate(authority)
    }

    /// Counts a submission until it is dropped.
    fn count(&self) -> Counted<'_> {
        Counted { is_alone: self.submissions.fetch_add(1, Ordering::Relaxed) == 0, submissions: &self.submissions }
    }

    /// Takes a new request from the address `from`, or finds the transaction of one that came before.
    pub async fn submit(&self, new: NewRequest, from: Option<IpAddr>) -> Result<Submission, Refusal> {
        let counted = self.count();
        let der = policy::decode(&new.certification_request)?;
        let submission_sha256 = Sha256::digest(&der).to_vec();
        if let Some(known) = requests::find_by_submission(self.database.reader(), &submission_sha256).await? {
            check_same_details(&known, &new)?;
            return Ok(Submission { standing: self.standing(&known), is_new: false });
        }
        let kind = self.certificate_type(&new.certificate_type)?;
        policy::check_device_is_named(kind.for_devices, new.device.as_ref())?;
        let (checked, der) = self.check(der, kind, new.device.clone(), &counted).await?;
        let authorization_code = new.authorization_code;
        let origin =
            Origin { from, replaces: new.replaces, device: new.device, authorization_code, ..Origin::default() };
        self.take(kind, checked, der, submission_sha256, origin).await
    }

    /// Takes a renewal, a full PKI request as DER, or finds the transaction of one that came before.
    pub async fn renew(&self, der: Vec<u8>) -> Result<Submission, Refusal> {
        let counted = self.count();
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
        let issued = self.renewable(current, now).await?;
        let kind = self.certificate_type(&issued.certificate_type)?;
        // A device renews by EST.
        renewal::check_window(current, kind.renewal.filter(|_| !kind.for_devices), now)?;
        let (checked, der) = self.check(renewal.certification_request().to_vec(), kind, None, &counted).await?;
        let request = CertificationRequest::from_der(&der).map_err(|error| Refusal::internal(&error))?;
        renewal::check_same(current, &issued.email_address, &request, &checked)?;
        let origin = Origin { renews: Some(current.serial_number().to_vec()), ..Origin::default() };
        self.take(kind, checked, der, submission_sha256, origin).await
    }

    /// Takes a device's request by EST, DER, for the one-time code that it shows; or finds the transaction of the one that the code was used
    /// for.
    pub async fn enroll_device(
        &self,
        credentials: &Credentials,
        der: Vec<u8>,
    ) -> Result<Submission, EnrollmentRefusal> {
        let counted = self.count();
        let code_sha256 = credentials.code_sha256();
        let code = est_codes::find(self.database.reader(), &code_sha256).await.map_err(Refusal::from)?;
        let code = code.filter(|code| code.common_name == credentials.user).ok_or(EnrollmentRefusal::WRONG_CODE)?;
        let submission_sha256 = Sha256::digest(&der).to_vec();
        let known = self.known(&submission_sha256).await?;
        match (&code.submission_sha256, known) {
            (Some(used_for), Some(known)) if *used_for == submission_sha256 => return Ok(known),
            (Some(_), _) => return Err(EnrollmentRefusal::USED_CODE),
            (None, _) if code.valid_until <= clock::now() => return Err(EnrollmentRefusal::WRONG_CODE),
            (None, Some(_)) => return Err(EnrollmentRefusal::Refusal(came_otherwise())),
            (None, None) => {}
        }
        let device = est::device_of(&code).ok_or_else(|| Refusal::internal(&"a code for a device that is none"))?;
        let kind = self.certificate_type(&code.certificate_type)?;
        policy::check_device_is_named(kind.for_devices, Some(&device))?;
        let (checked, der) = self.check(der, kind, Some(device.clone()), &counted).await?;
        let origin = Origin { device: Some(device), est_code: Some(code_sha256), ..Origin::default() };
        Ok(self.take(kind, checked, der, submission_sha256, origin).await?)
    }

    /// Takes a device's request by EST, DER, for the next certificate after the one that it shows, DER; or finds the transaction of one that
    /// came before.
    pub async fn reenroll_device(&self, current: &[u8], der: Vec<u8>) -> Result<Submission, Refusal> {
        let counted = self.count();
        let now = clock::now();
        let current = Certificate::from_der(current).map_err(|error| {
            Refusal::new(ProblemKind::CertificateNotAccepted, format!("It cannot be read: {error}."))
        })?;
        // With the certificate, as for any renewal.
        let submission_sha256 = Sha256::new().chain_update(&der).chain_update(current.der()).finalize().to_vec();
        if let Some(known) = self.known(&submission_sha256).await? {
            return Ok(known);
        }
        let issued = self.renewable(&current, now).await?;
        let kind = self.certificate_type(&issued.certificate_type)?;
        renewal::check_window(&current, kind.renewal, now)?;
        let renewed = requests::find(self.database.reader(), issued.transaction_id).await?;
        let Some(device) = renewed.and_then(|request| request.device()).filter(|_| kind.for_devices) else {
            return Err(Refusal::new(
                ProblemKind::RenewalNotAllowed,
                "This certificate is not a device's: renew it on the page, or with a full PKI request.",
            ));
        };
        let (checked, der) = self.check(der, kind, Some(device.clone()), &counted).await?;
        let request = CertificationRequest::from_der(&der).map_err(|error| Refusal::internal(&error))?;
        renewal::check_same(&current, &issued.email_address, &request, &checked)?;
        renewal::check_same_names(&current, &request)?;
        let renews = Some(current.serial_number().to_vec());
        let origin = Origin { renews, device: Some(device), ..Origin::default() };
        self.take(kind, checked, der, submission_sha256, origin).await
    }

    /// What is known of the certificate `current`, if it was issued here, is valid, and is not revoked.
    async fn renewable(&self, current: &Certificate, now: i64) -> Result<IssuedCertificate, Refusal> {
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
        let renewals = renewals::of(self.database.reader(), current.serial_number()).await?;
        renewal::check_only(&renewals, now)?;
        Ok(issued)
    }

    /// The transaction of what was submitted before.
    async fn known(&self, submission_sha256: &[u8]) -> Result<Option<Submission>, Refusal> {
        let request = requests::find_by_submission(self.database.reader(), submission_sha256).await?;
        Ok(request.map(|request| Submission { standing: self.standing(&request), is_new: false }))
    }

    /// Checks a certification request, which is handed back. One that comes alone is looked at for longer; others are once they are approved.
    async fn check(
        &self,
        der: Vec<u8>,
        kind: &CertificateType,
        device: Option<Device>,
        counted: &Counted<'_>,
    ) -> Result<(CheckedRequest, Vec<u8>), Refusal> {
        let template = kind.subject_template.1.clone();
        let key_sizes = self.config.key_sizes.clone();
        let (is_device, has_time) = (device.is_some(), counted.is_alone);
        let (checked, der) = spawn_blocking(move || {
            let checked = policy::check(&der, &template, &key_sizes, device.as_ref())?;
            if has_time && policy::has_prime_modulus(&der) {
                return Err(policy::weak_key(Weakness::Prime));
            }
            Ok((checked, der))
        })
        .await??;
        let CheckedRequest { common_name, email_address, key_id, .. } = &checked;
        let holder = KeyHolder { common_name, email_address, is_device };
        let fault = known_keys::fault_of(self.database.reader(), key_id, holder, None).await?;
        let wants_new_key = kind.renewal.is_some_and(|renewal| !renewal.same_key);
        match fault {
            None => Ok((checked, der)),
            Some(KeyFault::Earlier) if !wants_new_key => Ok((checked, der)),
            Some(fault) => Err(known_key(fault)),
        }
    }

    /// Keeps a checked request, and approves it where nobody else is to.
    async fn take(
        &self,
        kind: &CertificateType,
        checked: CheckedRequest,
        der: Vec<u8>,
        submission_sha256: Vec<u8>,
        Origin { from, renews, replaces, device, authorization_code, est_code }: Origin,
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
            key_id: checked.key_id,
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
        let is_by_est = est_code.is_some();
        let mut transaction = self.database.transaction().await?;
        let is_new = requests::insert(&mut transaction, &row).await?;
        if let Some(code) = est_code {
            let is_ours = is_new && est_codes::use_up(&mut transaction, &code, &row.submission_sha256).await?;
            // Dropped, the transaction has never been: two requests at once do not share a code.
            if !is_ours {
                return Err(came_otherwise());
            }
        }
        // A renewal and a device by EST have shown something better.
        if is_new && !is_renewal && !is_by_est {
            let applicant = Applicant {
                certificate_type: &row.certificate_type,
                common_name: &row.common_name,
                email_address: &row.email_address,
            };
            let newcomer = Newcomer {
                id: row.transaction_id,
                applicant,
                code: authorization_code.as_ref().map(AuthorizationCode::as_str),
                names_hosts,
                otherwise_approve_at: row.approve_at,
                submitted_at,
            };
            authorisations::match_request(&mut transaction, kind, newcomer).await?;
        }
        if is_new && let Some(request) = requests::find(&mut *transaction, row.transaction_id).await? {
            let mut told = NewNotification::about(Kind::Submitted, &request, Vec::new());
            if is_renewal || is_by_est || request.authorisation_id.is_some() {
                outbox::enqueue(&mut transaction, &told).await?;
            } else if self.mail_limits.admit(&row.email_address, &row.key_id, from) {
                // The address may be another person's: nothing that the stranger has written goes there.
                told.values.retain(|(name, _)| *name != "common_name");
                told.values.push(("common_name", "the name in the request".into()));
                outbox::enqueue(&mut transaction, &told).await?;
            } else {
                tracing::info!(id = %row.transaction_id, "no mail about it: there were several an hour to its mailbox, for its key, or from its address");
            }
        }
        transaction.commit().await?;
        if is_new {
            tracing::info!(id = %row.transaction_id, r#type = row.certificate_type, "request taken");
        }
        if self.config.approval == (Approval::Automatic { after_seconds: 0 }) {
            self.approve_due().await?;
            // What signs here does so at once. Another engine takes its time: nobody is kept waiting for it.
            if self.ca.signs_crls() {
                while self.issue_next().await? {}
            }
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
            match (request.rejection_reason, request.issue_fault) {
                (Some(reason), _) => format!("The request was rejected: {reason}"),
                (None, Some(_)) => "The request is approved, but the certification authority (CA) does not issue at the moment. \
                                    Nothing is lost, and nothing to be done: the certificate comes as soon as it does; ask again later."
                    .into(),
                (None, None) => "The certificate is not ready yet: ask for the request's state, and again later.".into(),
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

    /// The current CRL of `authority`, as DER; signed anew if it is a day old, or if a certificate was revoked since.
    pub async fn crl(&self, authority: Authority) -> Result<Vec<u8>, Refusal> {
        if !self.ca.signs_crls() {
            let revoked = requests::revoked(self.database.reader()).await?;
            let now = clock::now();
            let order = CrlOrder { authority, number: 0, this_update: now, next_update: now, revoked };
            return self.ca.crl(order).await?.ok_or_else(no_crl);
        }
        let issuer =
            Certificate::from_der(self.ca.certificate(authority)).map_err(|error| Refusal::internal(&error))?;
        let issuer = crls::issuer_of(&issuer);
        let last = crls::find(self.database.reader(), &issuer).await?;
        let entries = self.entries(self.database.reader(), authority).await?;
        if let Some(last) = last
            && is_current(&last, entries)
        {
            return Ok(last.crl);
        }
        // One gateway of all: no two sign a CRL with the same number.
        let mut transaction = self.database.transaction().await?;
        let last = crls::lock(&mut transaction, &issuer).await?;
        let entries = self.entries(&mut *transaction, authority).await?;
        if is_current(&last, entries) {
            return Ok(last.crl);
        }
        let now = clock::now();
        // Read after they were counted: one that is revoked in between is on this CRL, and the next one is signed all the same.
        let revoked = if entries > 0 { requests::revoked(&mut *transaction).await? } else { Vec::new() };
        let (number, this_update) = (last.number + 1, now - BACKDATING);
        let order = CrlOrder { authority, number, this_update, next_update: now + CRL_VALIDITY, revoked };
        let crl = self.ca.crl(order).await?.ok_or_else(no_crl)?;
        let crl = Crl { number, this_update, entries, crl };
        crls::replace(&mut transaction, &issuer, &crl).await?;
        let entry = journal::Entry::Crl { issuer: hexadecimal(&issuer), number };
        journal::append(&self.database, vec![entry]).await?;
        transaction.commit().await?;
        tracing::info!(?authority, number, entries, "CRL signed");
        Ok(crl.crl)
    }

    /// How many certificates of `authority` are revoked: users' certificates are all the issuing one's.
    async fn entries(&self, executor: impl AnyExecutor<'_>, authority: Authority) -> Result<i64, Refusal> {
        match authority {
            Authority::Root => Ok(0),
            Authority::Issuing => Ok(requests::count_revoked(executor).await?),
        }
    }

    /// Notes that somebody has asked for the revocation of the request's certificate.
    pub async fn request_revocation(&self, id: TransactionId, new: NewRevocation) -> Result<Standing, Refusal> {
        let mut transaction = self.database.transaction().await?;
        let is_news = requests::request_revocation(&mut transaction, id, new.reason, clock::now()).await?;
        let request = requests::find(&mut *transaction, id).await?.filter(|request| request.state == State::Issued);
        let Some(request) = request else {
            self.find(id).await?;
            return Err(Refusal::new(ProblemKind::NotIssued, "There is no certificate to revoke."));
        };
        if is_news {
            if new.reason == RevocationReason::KeyCompromise {
                officer_mail::compromise_reported(&mut transaction, &request).await?;
            }
            note(&mut transaction, id, Action::RevocationRequested, Actor::Applicant, new.reason.to_string()).await?;
            tracing::info!(%id, reason = %new.reason, "revocation asked for");
        }
        transaction.commit().await?;
        Ok(self.standing(&request))
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
        self.approve_due().await?;
        while self.issue_next().await? {}
        Ok(())
    }

    /// Approves what is due, where the configuration has it so.
    async fn approve_due(&self) -> Result<(), Refusal> {
        for request in requests::due(self.database.reader(), clock::now()).await? {
            if !self.approves_by_itself(&request) {
                continue;
            }
            let id = request.transaction_id;
            match decision::approve_by_policy(&self.database, &self.config.certificate_types, id).await {
                // Somebody else was faster.
                Ok(()) | Err(DecisionError::Decided(..) | DecisionError::RenewsRevoked(_)) => {}
                Err(fault @ (DecisionError::Namesake(..) | DecisionError::Key(..) | DecisionError::Renewed(..))) => {
                    tracing::warn!("{fault}: a person decides");
                    let mut transaction = self.database.transaction().await?;
                    requests::leave_one_to_a_person(&mut transaction, id).await?;
                    transaction.commit().await?;
                }
                Err(error) => return Err(error.into()),
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

    /// Issues the certificate of the approved request that has waited longest. Returns whether to go on with the next one.
    ///
    /// The CA engine is asked outside of any transaction. While it is, the request is this gateway's by a lease; should the engine, or this
    /// gateway, never come back, the lease ends, and the same order is placed again.
    async fn issue_next(&self) -> Result<bool, Refusal> {
        let now = clock::now();
        // Twice the time that the engine has, and some for the database.
        let lease = clock::from_unsigned(self.ca.patience().as_secs().saturating_mul(2)) + 5;
        let taken = requests::take_approved(&self.database, now, now + lease).await?;
        let Some(request) = taken else { return Ok(false) };
        let (id, attempts) = (request.transaction_id, request.issue_attempts);
        if request.is_in_doubt() {
            tracing::warn!(%id, "an earlier attempt had no end: the CA engine may have signed, and nobody has the certificate");
        }
        let issued = self.sign(&request).await;
        let mut transaction = self.database.transaction().await?;
        let goes_on = match issued {
            Ok(issued) => {
                if requests::issue(&mut transaction, id, &issued).await? {
                    let request = requests::find(&mut *transaction, id).await?;
                    if let Some(request) = &request {
                        let told = vec![("not_after", day(issued.not_after))];
                        let told = NewNotification::about(Kind::Issued, request, told);
                        outbox::enqueue(&mut transaction, &told).await?;
                    }
                    let detail = format!("serial number {}", hexadecimal(&issued.serial_number));
                    note(&mut transaction, id, Action::Issued, Actor::Gateway, detail).await?;
                    let kept = requests::kept(&mut *transaction, id).await?;
                    let entries = kept.map(|kept| journal::Entry::Issued(Box::new(kept))).into_iter().collect();
                    journal::append(&self.database, entries).await?;
                    tracing::info!(%id, "issued");
                }
                true
            }
            Err(CaError::Refused(reason)) => {
                let reason = format!("The certification authority (CA) refuses it: {reason}");
                if requests::refuse(&mut transaction, id, &reason).await? {
                    let request = requests::find(&mut *transaction, id).await?;
                    if let Some(request) = &request {
                        let told = NewNotification::about(Kind::Rejected, request, vec![("reason", reason.clone())]);
                        outbox::enqueue(&mut transaction, &told).await?;
                    }
                    note(&mut transaction, id, Action::Rejected, Actor::Gateway, reason.clone()).await?;
                    tracing::warn!(%id, "the CA engine refuses it: rejected");
                }
                true
            }
            Err(error) => {
                let pause = backoff::pause(self.ca.retry_after(), attempts);
                tracing::warn!(%id, %error, pause, "the certificate could not be issued; it stays approved");
                requests::issue_failed(&mut transaction, id, &error.to_string(), clock::now() + pause).await?;
                // What has kept this one may keep the next.
                false
            }
        };
        transaction.commit().await?;
        Ok(goes_on)
    }

    /// Has the certificate of an approved request signed.
    async fn sign(&self, request: &ApprovedRequest) -> Result<Issued, CaError> {
        let order = CertificateOrder {
            certification_request: request.certification_request.clone(),
            holder: match request.is_for_device() {
                true => Holder::Device,
                false => Holder::Person { email_address: request.email_address.clone() },
            },
            serial_number: request.serial_number.clone(),
            not_before: request.not_before,
            not_after: request.not_after,
        };
        let certificate = Certificate::from_der(&self.ca.issue(order).await?)?;
        let (not_before, not_after) = certificate.validity();
        Ok(Issued {
            serial_number: certificate.serial_number().to_vec(),
            not_before: clock::from_unsigned(not_before),
            not_after: clock::from_unsigned(not_after),
            fingerprints: Fingerprints::of(&certificate),
            certificate: certificate.der().to_vec(),
        })
    }

    /// Keeps CRLs current, and tells holders when their certificates can be renewed, over and over. Ends when it is dropped.
    pub async fn keep_house(&self) {
        let mut interval = tokio::time::interval(HOUSEKEEPING_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // A failure is in the log; the next round tries again.
            if self.ca.signs_crls() {
                for authority in [Authority::Root, Authority::Issuing] {
                    let _ = self.crl(authority).await;
                }
            }
            self.warn_of_ca_end();
            if self.config.notifications.digest {
                let told = self.digests.tell(&self.database, clock::now()).await;
                let _ = told.map_err(|error| Refusal::failed(&error));
            }
            let _ = self.tell_of_renewals().await;
            let _ = officers::end_expired(&self.database).await.map_err(|error| Refusal::failed(&error));
        }
    }

    /// The end of the CA's own certificates that comes first.
    pub fn ca_end(&self) -> Option<CaEnd> {
        CaEnd::first(&*self.ca)
    }

    /// Says in the log that the CA's own certificate ends: at the start, each time that it becomes more urgent, and every day in the last month.
    fn warn_of_ca_end(&self) {
        let now = clock::now();
        let Some((urgency, warning)) = self.ca_end().and_then(|end| Some((end.urgency(now), end.warning(now)?))) else {
            return;
        };
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_daily = urgency == 3 && warned.1 != now / DAY;
        if urgency > warned.0 || is_daily {
            *warned = (urgency, now / DAY);
            tracing::warn!("{warning} docs/ca-life.md says what to do.");
        }
    }

    /// Tells holders that their certificates can be renewed, once for each certificate.
    async fn tell_of_renewals(&self) -> Result<(), Refusal> {
        let now = clock::now();
        for kind in &self.config.certificate_types {
            let Some(renewal) = kind.renewal else { continue };
            let opens = now + i64::from(renewal.window_days) * DAY;
            loop {
                let mut transaction = self.database.transaction().await?;
                let ids = requests::take_to_renew(&mut transaction, &kind.id, now, opens, RENEWALS_AT_ONCE).await?;
                for id in &ids {
                    let Some(request) = requests::find_to_renew(&mut *transaction, *id).await? else { continue };
                    let serial_number =
                        base16ct::lower::encode_string(request.serial_number.as_deref().unwrap_or_default());
                    let told = vec![
                        ("not_after", day(request.not_after.unwrap_or_default())),
                        ("serial_number", serial_number),
                    ];
                    let told = NewNotification::about(Kind::RenewalDue, &request, told);
                    outbox::enqueue(&mut transaction, &told).await?;
                    tracing::info!(%id, "its certificate can be renewed");
                }
                transaction.commit().await?;
                if ids.is_empty() {
                    break;
                }
            }
        }
        Ok(())
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
            (State::Approved, ..) if request.issue_fault.is_some() => Some(ENGINE_RETRY_AFTER),
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

/// Checks that a certification request that is known comes with the details that it came with before. Others may have it: they do not learn the
/// transaction ID, nor what the details were.
fn check_same_details(known: &Request, new: &NewRequest) -> Result<(), Refusal> {
    let mut differences = Vec::new();
    if known.certificate_type != new.certificate_type {
        differences.push("the certificate type");
    }
    match (known.device(), &new.device) {
        (None, None) => {}
        (Some(known), Some(new)) => {
            let compared = [
                (known.kind == new.kind, "the device's type"),
                (known.name == new.name, "the device's name"),
                (known.file_format == new.file_format, "the file format"),
                (known.email_address == new.email_address, "the device's e-mail address"),
            ];
            differences.extend(compared.iter().filter(|(is_same, _)| !is_same).map(|(_, what)| *what));
        }
        _ => differences.push("the device"),
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        ProblemKind::SubmittedOtherwise,
        format!(
            "What differs: {}. Send it with the details of before, or make a certification request with a new key for the right ones.",
            differences.join(", ")
        ),
    ))
}

/// A submission that is being worked on.
struct Counted<'a> {
    /// True if there was no other one when it came.
    is_alone: bool,
    submissions: &'a AtomicUsize,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.submissions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For a key that gets no certificate.
fn known_key(fault: KeyFault) -> Refusal {
    match fault {
        KeyFault::Prime => policy::weak_key(Weakness::Prime),
        KeyFault::Compromised => Refusal::new(
            ProblemKind::KeyCompromised,
            "A stranger may have this key: a certificate for it was revoked for that, or its holder has asked for that. Make a new key.",
        ),
        KeyFault::OfAnother => Refusal::new(
            ProblemKind::KeyOfAnother,
            "The certificate of another person or device has this key. Make a new key: each holder has one of their own.",
        ),
        KeyFault::Earlier => Refusal::new(
            ProblemKind::KeyReuseNotAllowed,
            "An earlier certificate has this key, and certificates of this type want a new key each time: make a new one.",
        ),
    }
}

/// For a device's certification request that is known, but not as the one that the code was used for.
fn came_otherwise() -> Refusal {
    Refusal::new(
        ProblemKind::DeviceNotExpected,
        "This certification request is being taken, or has come in another way: send it again in a moment, or make one with a new key.",
    )
}

/// Whether a CRL need not be signed anew.
fn is_current(crl: &Crl, entries: i64) -> bool {
    // One from a time when the clock was ahead is not valid yet.
    (crl.this_update..crl.this_update + CRL_REFRESH).contains(&clock::now()) && crl.entries == entries
}

/// For an authority without a CRL.
fn no_crl() -> Refusal {
    Refusal::new(ProblemKind::NotFound, "This authority has no certificate revocation list (CRL) here.")
}

/// A time as its day, for people.
fn day(seconds: i64) -> String {
    file_name::day(clock::to_unsigned(seconds)).unwrap_or_default()
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
