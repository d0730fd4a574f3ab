//! Taking requests: new ones and renewals. A certification request that came before is found again.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyside_core::api::{NewRequest, ProblemKind};
use keyside_core::domain::authorization_code::AuthorizationCode;
use keyside_core::domain::device::Device;
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::Certificate;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::RegistrationAuthority;
use super::authorisations::{self, Newcomer};
use super::issuance::is_for_the_authorised;
use super::known_keys::{self, KeyFault, KeyHolder};
use super::policy::{self, CheckedRequest};
use super::refusal::Refusal;
use super::renewal;
use super::settings::{Approval, CertificateType};
use super::status::Standing;
use super::weak_rsa_key::Weakness;
use crate::ca::Authority;
use crate::clock;
use crate::notifications::Kind;
use crate::store::audit;
use crate::store::audit_actions::{Action, Actor};
use crate::store::authorisations::Applicant;
use crate::store::issued_certificates::{self, IssuedCertificate};
use crate::store::outbox::{self, NewNotification};
use crate::store::requests::{self, NewDevice, Request, State};
use crate::store::{self, est_codes, renewals, retention, submissions};

/// The number of looks for a certificate that is being signed, and the time between two of them.
const LOOKS: u32 = 50;
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What a request is, beyond a certification request.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The SHA-256 of what was submitted.
    pub(super) submission_sha256: Vec<u8>,
    /// The address that it came from, if it is a stranger's.
    pub(super) from: Option<IpAddr>,
    /// The serial number of the certificate that it renews, if it renews one.
    pub(super) renews: Option<Vec<u8>>,
    /// The transaction ID of the request that it replaces, if the applicant has quoted one.
    pub(super) replaces: Option<TransactionId>,
    /// The device that it is for, if it is for one.
    pub(super) device: Option<Device>,
    /// The one-time code of an authorisation, if it has shown one.
    pub(super) authorization_code: Option<AuthorizationCode>,
    /// The SHA-256 of the one-time code with which a device came by EST, if one did.
    pub(super) est_code: Option<Vec<u8>>,
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// How the request stands.
    pub standing: Standing,
    /// Whether it was new: the same certification request is taken once.
    pub is_new: bool,
}

impl RegistrationAuthority {
    /// Counts a submission until it is dropped.
    pub(super) fn count(&self) -> Counted<'_> {
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
        let checked = self.check(der, kind, new.device.clone(), &counted).await?;
        let NewRequest { replaces, device, authorization_code, .. } = new;
        let origin = Origin { submission_sha256, from, replaces, device, authorization_code, ..Origin::default() };
        self.take(kind, checked, origin).await
    }

    /// Replaces the details of the request `id`, which waits, with those of `new`: the same certification request.
    pub async fn correct(&self, id: TransactionId, new: NewRequest) -> Result<Standing, Refusal> {
        let counted = self.count();
        let der = policy::decode(&new.certification_request)?;
        let submission_sha256 = Sha256::digest(&der).to_vec();
        let waiting = self.find(id).await?;
        let known = requests::find_by_submission(self.database.reader(), &submission_sha256).await?;
        if known.is_none_or(|known| known.transaction_id != id) {
            return Err(Refusal::new(
                ProblemKind::SubmittedOtherwise,
                "This is another certification request than the one with this transaction ID: submit it as a new request.",
            ));
        }
        if waiting.state != State::Pending {
            return Err(decided_meanwhile());
        }
        let kind = self.certificate_type(&new.certificate_type)?;
        policy::check_device_is_named(kind.for_devices, new.device.as_ref())?;
        let checked = self.check(der, kind, new.device.clone(), &counted).await?;
        let NewRequest { replaces, device, authorization_code, .. } = new;
        let origin = Origin { submission_sha256, replaces, device, authorization_code, ..Origin::default() };
        let names_hosts = !checked.device_names.is_empty();
        let code = origin.authorization_code.clone();
        let row = requests::NewRequest { transaction_id: id, ..self.row(kind, checked, origin) };
        let mut transaction = self.database.transaction().await?;
        // As it was, before it changes.
        submissions::note_one(&mut transaction, id).await?;
        if !requests::correct(&mut transaction, &row).await? {
            return Err(decided_meanwhile());
        }
        // A code belongs to one applicant and one type: it is looked for again.
        store::authorisations::release(&mut transaction, id).await?;
        authorisations::match_request(&mut transaction, kind, newcomer(&row, code.as_ref(), names_hosts)).await?;
        let detail = format!("{}, {}, {}", row.certificate_type, row.common_name, row.email_address);
        audit::note(&mut transaction, id, Action::Corrected, Actor::Applicant, detail).await?;
        transaction.commit().await?;
        tracing::info!(%id, "corrected");
        self.status(id).await
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
        let checked = self.check(renewal.certification_request().to_vec(), kind, None, &counted).await?;
        renewal::check_same(current, &issued.email_address, &checked)?;
        let renews = Some(current.serial_number().to_vec());
        self.take(kind, checked, Origin { submission_sha256, renews, ..Origin::default() }).await
    }

    /// What is known of the certificate `current`, if it was issued here, is valid, and is not revoked.
    pub(super) async fn renewable(&self, current: &Certificate, now: i64) -> Result<IssuedCertificate, Refusal> {
        let (ca, signer) = (Arc::clone(&self.ca), current.clone());
        spawn_blocking(move || renewal::check_path(&signer, ca.certificate(Authority::Root), &ca.intermediates(), now))
            .await??;
        if self.is_of_revoked_authority(current).await? {
            return Err(Refusal::new(
                ProblemKind::CertificateNotAccepted,
                "The CA that has issued it was revoked: register for a new one.",
            ));
        }
        let issued = issued_certificates::find(self.database.reader(), current.serial_number()).await?;
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
    pub(super) async fn known(&self, submission_sha256: &[u8]) -> Result<Option<Submission>, Refusal> {
        let request = requests::find_by_submission(self.database.reader(), submission_sha256).await?;
        Ok(request.map(|request| Submission { standing: self.standing(&request), is_new: false }))
    }

    /// Checks a certification request. One that comes alone is looked at for longer; others are once they are approved.
    pub(super) async fn check(
        &self,
        der: Vec<u8>,
        kind: &CertificateType,
        device: Option<Device>,
        counted: &Counted<'_>,
    ) -> Result<CheckedRequest, Refusal> {
        let template = kind.subject_template.1.clone();
        let key_sizes = self.settings.key_sizes.clone();
        let (is_device, has_time) = (device.is_some(), counted.is_alone);
        let checked = spawn_blocking(move || {
            let checked = policy::check(der, &template, &key_sizes, device.as_ref())?;
            if has_time && policy::has_prime_modulus(&checked.certification_request) {
                return Err(policy::weak_key(Weakness::Prime));
            }
            Ok(checked)
        })
        .await??;
        let CheckedRequest { common_name, email_address, key_id, .. } = &checked;
        if retention::is_compromised(self.database.reader(), key_id).await? {
            return Err(known_key(KeyFault::Compromised));
        }
        let holder = KeyHolder { common_name, email_address, is_device };
        let fault = known_keys::fault_of(self.database.reader(), key_id, holder, None).await?;
        let wants_new_key = kind.renewal.is_some_and(|renewal| !renewal.same_key);
        match fault {
            None => Ok(checked),
            Some(KeyFault::Earlier) if !wants_new_key => Ok(checked),
            Some(fault) => Err(known_key(fault)),
        }
    }

    /// The row of a checked request.
    fn row(&self, kind: &CertificateType, checked: CheckedRequest, origin: Origin) -> requests::NewRequest {
        let Origin { submission_sha256, renews, replaces, device, .. } = origin;
        let submitted_at = clock::now();
        let names: Vec<String> = checked.device_names.iter().map(ToString::to_string).collect();
        let device =
            device.map(|Device { kind, file_format, .. }| NewDevice { kind, file_format, names: names.join(" ") });
        let (is_renewal, names_hosts) = (renews.is_some(), !checked.device_names.is_empty());
        requests::NewRequest {
            transaction_id: TransactionId::random(&mut rand::rng()),
            certificate_type: kind.id.clone(),
            common_name: checked.common_name,
            subject_company: checked.company,
            email_address: checked.email_address,
            certification_request: checked.certification_request,
            key_id: checked.key_id,
            submission_sha256,
            renews,
            replaces,
            device,
            validity_days: kind.validity_days,
            submitted_at,
            // Fixed now: a gateway that is started later with another setting does not approve a request that was to wait for a person.
            approve_at: match self.settings.approval {
                // Whoever trusts the CA would take the holder for these hosts: a person decides, always.
                _ if names_hosts => None,
                // Unless there is an authorisation.
                _ if is_for_the_authorised(Some(kind), is_renewal) => None,
                Approval::Automatic { after_seconds } => Some(submitted_at + i64::from(after_seconds)),
                Approval::Manual {} => None,
            },
        }
    }

    /// Keeps a checked request, and approves it if no person is to.
    pub(super) async fn take(
        &self,
        kind: &CertificateType,
        checked: CheckedRequest,
        origin: Origin,
    ) -> Result<Submission, Refusal> {
        let (is_renewal, names_hosts) = (origin.renews.is_some(), !checked.device_names.is_empty());
        let (from, authorization_code, est_code) =
            (origin.from, origin.authorization_code.clone(), origin.est_code.clone());
        let row = self.row(kind, checked, origin);
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
            let newcomer = newcomer(&row, authorization_code.as_ref(), names_hosts);
            authorisations::match_request(&mut transaction, kind, newcomer).await?;
        }
        let taken = if is_new { requests::find(&mut *transaction, row.transaction_id).await? } else { None };
        if let Some(request) = &taken {
            let told = NewNotification::about(Kind::Submitted, request, Vec::new());
            if is_renewal || is_by_est || request.authorisation_id.is_some() {
                outbox::enqueue(&mut transaction, &told).await?;
            } else if self.mail_limits.admit(&row.email_address, &row.key_id, from) {
                // The address may be another person's: nothing that the stranger has written goes there.
                outbox::enqueue(&mut transaction, &told.without_name()).await?;
            } else {
                tracing::info!(id = %row.transaction_id, "no mail about it: there were several an hour to its mailbox, for its key, or from its address");
            }
        }
        transaction.commit().await?;
        if is_new {
            tracing::info!(id = %row.transaction_id, r#type = row.certificate_type, "request taken");
        }
        if self.settings.approval != (Approval::Automatic { after_seconds: 0 }) {
            if let Some(request) = taken {
                return Ok(Submission { standing: self.standing(&request), is_new });
            }
        } else {
            self.approve_due().await?;
            // What signs here does so at once. Another engine takes its time: nobody is kept waiting for it.
            if self.ca.crl_lifetime().is_some() {
                while self.issue_next().await? {}
                self.wait_while_approved(&row.submission_sha256).await?;
            }
        }
        let request = requests::find_by_submission(self.database.reader(), &row.submission_sha256)
            .await?
            .ok_or_else(|| Refusal::internal(&"a request is gone from the store"))?;
        Ok(Submission { standing: self.standing(&request), is_new })
    }

    /// Waits a moment if a request was approved, and the background work or another gateway is signing its certificate.
    async fn wait_while_approved(&self, submission_sha256: &[u8]) -> Result<(), Refusal> {
        for _ in 0..LOOKS {
            let request = requests::find_by_submission(self.database.reader(), submission_sha256).await?;
            if request.is_none_or(|request| request.state != State::Approved || request.issue_fault.is_some()) {
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    pub(super) fn certificate_type(&self, id: &str) -> Result<&CertificateType, Refusal> {
        let kinds = &self.settings.certificate_types;
        kinds.iter().find(|kind| kind.id == id).ok_or_else(|| {
            let ids: Vec<&str> = kinds.iter().map(|kind| kind.id.as_str()).collect();
            Refusal::new(
                ProblemKind::UnknownCertificateType,
                format!("certificate_type must be one of: {}.", ids.join(", ")),
            )
        })
    }
}

/// A request as far as authorisations are concerned.
fn newcomer<'a>(row: &'a requests::NewRequest, code: Option<&'a AuthorizationCode>, names_hosts: bool) -> Newcomer<'a> {
    Newcomer {
        id: row.transaction_id,
        applicant: Applicant {
            certificate_type: &row.certificate_type,
            common_name: &row.common_name,
            email_address: &row.email_address,
            company: row.subject_company.as_deref(),
        },
        code: code.map(AuthorizationCode::as_str),
        names_hosts,
        authorised_approve_at: row.approve_at,
        // Anyone can write a company.
        otherwise_approve_at: row.approve_at.filter(|_| row.subject_company.is_none()),
        submitted_at: row.submitted_at,
    }
}

/// For a request that cannot be corrected any more.
fn decided_meanwhile() -> Refusal {
    Refusal::new(
        ProblemKind::SubmittedOtherwise,
        "It has been decided, and cannot be corrected. Make a certification request with a new key.",
    )
}

/// Checks that a certification request that is known comes with the details that it came with before. Others may have it: they do not learn the
/// transaction ID, nor the details.
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
            "What differs: {}. Send it with the details of before. With its transaction ID it can be corrected while it waits (PUT); otherwise \
             make a certification request with a new key.",
            differences.join(", ")
        ),
    ))
}

/// A submission that is being worked on.
pub(super) struct Counted<'a> {
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
pub(super) fn came_otherwise() -> Refusal {
    Refusal::new(
        ProblemKind::DeviceNotExpected,
        "This certification request is being taken, or has come in another way: send it again in a moment, or make one with a new key.",
    )
}
