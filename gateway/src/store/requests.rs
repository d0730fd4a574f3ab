//! The requests for certificates, and the certificates.

use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::{Certificate, CertificateSummary};
use keyside_pki::certification_request::subject_public_key_info;
use keyside_pki::public_key::PublicKey;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyExecutor;

use super::authorisations::key;
use super::changes_one;
use crate::clock::{self, DAY};
use crate::database::{Database, DatabaseError, Transaction};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for approval.
    Pending,
    /// It was turned down.
    Rejected,
    /// It was approved: serial number and validity are fixed. The certificate is about to be signed.
    Approved,
    /// The certificate is there.
    Issued,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Rejected, Self::Approved, Self::Issued];

    /// The state in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Rejected => "rejected",
            Self::Approved => "approved",
            Self::Issued => "issued",
        }
    }
}

/// A state of a later version, or of nobody.
#[derive(Debug, thiserror::Error)]
#[error("“{0}” is no state of a request")]
pub struct UnknownState(String);

impl TryFrom<String> for State {
    type Error = UnknownState;

    fn try_from(name: String) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or(UnknownState(name))
    }
}

/// Which authorization code a request came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeShown {
    /// That of its authorisation.
    Right,
    /// None.
    None,
    /// One that is not, or no longer, of an authorisation of this applicant.
    Wrong,
}

impl CodeShown {
    const ALL: [Self; 3] = [Self::Right, Self::None, Self::Wrong];

    /// Its name, as the database has it.
    fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::None => "none",
            Self::Wrong => "wrong",
        }
    }
}

/// A request that was checked and is to be kept.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// Its name.
    pub transaction_id: TransactionId,
    /// The id of the certificate type.
    pub certificate_type: String,
    /// The subject's Common Name.
    pub common_name: String,
    /// The e-mail address.
    pub email_address: String,
    /// The PKCS#10 CertificationRequest, DER.
    pub certification_request: Vec<u8>,
    /// Its key, by [`key_id`](keyside_pki::key_pair::key_id).
    pub key_id: String,
    /// The SHA-256 of what was submitted, which is kept once.
    pub submission_sha256: Vec<u8>,
    /// The serial number of the certificate that it renews, if it renews one.
    pub renews: Option<Vec<u8>>,
    /// The transaction ID of the request that it replaces, if the applicant has quoted one.
    pub replaces: Option<TransactionId>,
    /// The device that it is for, if it is for one.
    pub device: Option<NewDevice>,
    /// How many days the certificate will be valid.
    pub validity_days: u32,
    /// When it came. This and all times here are in seconds since 1970-01-01T00:00:00Z.
    pub submitted_at: i64,
    /// When it approves itself, unless a person decides.
    pub approve_at: Option<i64>,
}

/// What is kept of a device beside the request's Common Name and e-mail address, which are its own.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// What it is.
    pub kind: DeviceKind,
    /// The file that it takes its certificate from.
    pub file_format: FileFormat,
    /// The dNSNames and iPAddresses asked for, as text.
    pub names: String,
}

/// A request as it stands.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Request {
    /// Its name.
    #[sqlx(try_from = "String")]
    pub transaction_id: TransactionId,
    /// The id of the certificate type.
    pub certificate_type: String,
    /// The subject's Common Name.
    pub common_name: String,
    /// The e-mail address.
    pub email_address: String,
    /// Its key, by [`key_id`](keyside_pki::key_pair::key_id).
    pub key_id: Option<String>,
    /// How many days the certificate will be valid.
    pub validity_days: i64,
    /// When it came.
    pub submitted_at: i64,
    /// When it approves itself, unless a person decides.
    pub approve_at: Option<i64>,
    /// Where it stands.
    #[sqlx(try_from = "String")]
    pub state: State,
    /// Why it was rejected, if it was.
    pub rejection_reason: Option<String>,
    /// Its certificate's serial number, once it was approved: unsigned, most significant byte first.
    pub serial_number: Option<Vec<u8>>,
    /// The last second of its certificate's validity, once it was approved.
    pub not_after: Option<i64>,
    /// While it is approved: why the CA engine gave no certificate, if it was asked.
    pub issue_fault: Option<String>,
    /// The serial number of the certificate that it renews, if it renews one: unsigned, most significant byte first.
    pub renews: Option<Vec<u8>>,
    /// The transaction ID that the applicant has quoted: of the request whose certificate is lost.
    pub replaces: Option<String>,
    /// The authorisation that it matches, if there is one.
    pub authorisation_id: Option<String>,
    /// The company of that authorisation, or of the certificate that it renews.
    pub company: Option<String>,
    code_shown: Option<String>,
    /// The device that it is for, if it is for one.
    #[sqlx(flatten)]
    pub device: KeptDevice,
    /// When somebody has asked for the revocation of its certificate, and why.
    #[sqlx(flatten)]
    pub revocation_requested: RevocationRequested,
    /// When its certificate was revoked, and why.
    #[sqlx(flatten)]
    pub revoked: Revoked,
}

/// A device.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KeptDevice {
    #[sqlx(rename = "device_kind")]
    kind: Option<String>,
    #[sqlx(rename = "device_file_format")]
    file_format: Option<String>,
    /// The dNSNames and iPAddresses asked for, as text, if there is a device.
    #[sqlx(rename = "device_names")]
    pub names: Option<String>,
}

/// That somebody has asked for a revocation.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RevocationRequested {
    /// When, if ever.
    #[sqlx(rename = "revocation_requested_at")]
    pub at: Option<i64>,
    #[sqlx(rename = "revocation_requested_reason")]
    reason: Option<String>,
}

/// That a certificate was revoked.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Revoked {
    /// When, if ever.
    #[sqlx(rename = "revoked_at")]
    pub at: Option<i64>,
    #[sqlx(rename = "revocation_reason")]
    reason: Option<String>,
}

/// A certificate that was revoked, as a CRL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// The serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// When it was revoked.
    pub revoked_at: i64,
    /// Why.
    pub reason: RevocationReason,
}

/// A certificate that was issued.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct IssuedCertificate {
    /// The transaction ID of its request.
    #[sqlx(try_from = "String")]
    pub transaction_id: TransactionId,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The id of its type.
    pub certificate_type: String,
    /// The e-mail address in it.
    pub email_address: String,
    /// When it was revoked, if it was.
    pub revoked_at: Option<i64>,
}

impl Request {
    /// The device that it is for, if it is for one. A kind that is not known any more is no device to anybody.
    pub fn device(&self) -> Option<Device> {
        Some(Device {
            kind: self.device.kind.as_deref()?.parse().ok()?,
            name: self.common_name.clone(),
            file_format: self.device.file_format.as_deref()?.parse().ok()?,
            email_address: self.email_address.clone(),
        })
    }

    /// True for a device's request.
    pub fn is_for_device(&self) -> bool {
        self.device.kind.is_some()
    }

    /// True if it has a certificate that is good at `now`, or one that is about to be issued. `now` is in seconds since 1970-01-01T00:00:00Z.
    pub fn lives(&self, now: i64) -> bool {
        match self.state {
            State::Pending | State::Rejected => false,
            State::Approved => true,
            State::Issued => self.revoked.at.is_none() && self.not_after.is_some_and(|not_after| not_after > now),
        }
    }

    /// True if its certificate was revoked since a stranger may have the key, or if that was reported.
    pub fn is_compromised(&self) -> bool {
        let compromise = Some(RevocationReason::KeyCompromise.name());
        [&self.revoked.reason, &self.revocation_requested.reason]
            .into_iter()
            .any(|reason| reason.as_deref() == compromise)
    }

    /// Which code it came with. Nothing where none is asked for: a renewal, a device by EST, and what is older than codes.
    pub fn code_shown(&self) -> Option<CodeShown> {
        CodeShown::ALL.into_iter().find(|shown| self.code_shown.as_deref() == Some(shown.name()))
    }

    /// Whether its certificate was revoked, or somebody has asked for that.
    pub fn revocation(&self) -> Option<Revocation> {
        let revocation = |state, at: Option<i64>, reason: &Option<String>| {
            let reason = reason_of(reason.as_deref().unwrap_or_default());
            at.map(|at| Revocation { state, since: clock::to_unsigned(at), reason })
        };
        revocation(RevocationState::Revoked, self.revoked.at, &self.revoked.reason).or_else(|| {
            let RevocationRequested { at, reason } = &self.revocation_requested;
            revocation(RevocationState::Requested, *at, reason)
        })
    }
}

/// A reason as it is kept. A name that is not known any more says nothing.
fn reason_of(name: &str) -> RevocationReason {
    name.parse().unwrap_or(RevocationReason::Unspecified)
}

/// What an approval fixes for good.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// The first second of the certificate's validity.
    pub not_before: i64,
    /// The last second of the certificate's validity.
    pub not_after: i64,
    /// When it was approved.
    pub decided_at: i64,
}

/// A certificate, and what it says.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its fingerprints.
    pub fingerprints: Fingerprints,
    /// Its serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// The first second of its validity.
    pub not_before: i64,
    /// The last second of its validity.
    pub not_after: i64,
}

/// The fingerprints of a certificate, in lowercase hexadecimal.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    /// The SHA-1 of its DER, which Windows shows as the thumbprint.
    pub sha1: String,
    /// The SHA-256 of its DER.
    pub sha256: String,
}

impl Fingerprints {
    /// Those of a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        let CertificateSummary { sha1_fingerprint: sha1, sha256_fingerprint: sha256, .. } = certificate.summary();
        Self { sha1, sha256 }
    }
}

/// An approved request: all that its certificate is made from.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ApprovedRequest {
    /// Its name.
    #[sqlx(try_from = "String")]
    pub transaction_id: TransactionId,
    /// The id of its type.
    pub certificate_type: String,
    /// The subject's Common Name.
    pub common_name: String,
    /// The PKCS#10 CertificationRequest, DER.
    pub certification_request: Vec<u8>,
    /// The e-mail address.
    pub email_address: String,
    device_kind: Option<String>,
    /// See [`Approval::serial_number`].
    pub serial_number: Vec<u8>,
    /// See [`Approval::not_before`].
    pub not_before: i64,
    /// See [`Approval::not_after`].
    pub not_after: i64,
    /// How often the CA engine was asked, this time included.
    pub issue_attempts: i64,
    /// Why it gave no certificate the last time.
    pub issue_fault: Option<String>,
}

impl ApprovedRequest {
    /// Whether an earlier attempt has had no end: the CA engine may have signed, and nobody here knows.
    pub fn is_in_doubt(&self) -> bool {
        self.issue_attempts > 1 && self.issue_fault.is_none()
    }

    /// Whether it is for a device.
    pub fn is_for_device(&self) -> bool {
        self.device_kind.is_some()
    }
}

/// The columns of [`Request`], to begin a query with.
macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT transaction_id, certificate_type, common_name, email_address, key_id, validity_days, submitted_at, approve_at, \
             state, rejection_reason, serial_number, not_after, issue_fault, renews, replaces, authorisation_id, company, code_shown, device_kind, device_file_format, device_names, revocation_requested_at, \
             revocation_requested_reason, revoked_at, revocation_reason FROM requests ",
            $rest
        )
    };
}

pub(super) use select_requests;

/// Keeps `new`, unless its certification request is there already. Returns whether it was new.
pub async fn insert(transaction: &mut Transaction, new: &NewRequest) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "INSERT INTO requests (transaction_id, certificate_type, common_name, email_address, certification_request, \
         submission_sha256, renews, replaces, device_kind, device_file_format, device_names, validity_days, submitted_at, approve_at, \
         common_name_key, email_address_key, key_id, company) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
         (SELECT company FROM requests WHERE serial_number = $7)) \
         ON CONFLICT (submission_sha256) DO NOTHING",
    )
    .bind(new.transaction_id.to_string())
    .bind(&new.certificate_type)
    .bind(&new.common_name)
    .bind(&new.email_address)
    .bind(&new.certification_request)
    .bind(&new.submission_sha256)
    .bind(&new.renews)
    .bind(new.replaces.map(|id| id.to_string()))
    .bind(new.device.as_ref().map(|device| device.kind.name()))
    .bind(new.device.as_ref().map(|device| device.file_format.name()))
    .bind(new.device.as_ref().map(|device| device.names.as_str()))
    .bind(i64::from(new.validity_days))
    .bind(new.submitted_at)
    .bind(new.approve_at)
    .bind(key(&new.common_name))
    .bind(key(&new.email_address))
    .bind(&new.key_id);
    changes_one(transaction, statement).await
}

/// The request with this transaction ID.
pub async fn find(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("WHERE transaction_id = $1")).bind(id.to_string()).fetch_optional(executor).await
}

/// The request whose submission has this SHA-256.
pub async fn find_by_submission(executor: impl AnyExecutor<'_>, sha256: &[u8]) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("WHERE submission_sha256 = $1")).bind(sha256).fetch_optional(executor).await
}

/// Every request, oldest first.
pub async fn list(executor: impl AnyExecutor<'_>) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("ORDER BY submitted_at, transaction_id")).fetch_all(executor).await
}

/// Writes what migrations have left out: the keys of names, for searching, the key of each certification request, and the fingerprints of each
/// certificate.
pub async fn write_missing(transaction: &mut Transaction) -> Result<(), sqlx::Error> {
    let names: Vec<(String, String)> =
        sqlx::query_as("SELECT transaction_id, common_name FROM requests WHERE common_name_key = ''")
            .fetch_all(&mut **transaction)
            .await?;
    for (id, name) in names {
        let statement = "UPDATE requests SET common_name_key = $1 WHERE transaction_id = $2";
        sqlx::query(statement).bind(key(&name)).bind(id).execute(&mut **transaction).await?;
    }
    loop {
        let requests: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT transaction_id, certification_request FROM requests WHERE key_id IS NULL LIMIT 1000",
        )
        .fetch_all(&mut **transaction)
        .await?;
        if requests.is_empty() {
            break;
        }
        for (id, der) in requests {
            let info = subject_public_key_info(&der).ok().and_then(|info| PublicKey::of(info).ok());
            // An unreadable request has no key: this is like none that comes.
            let key_id = info.map(|key| key.key_id).unwrap_or_default();
            let statement = "UPDATE requests SET key_id = $1 WHERE transaction_id = $2";
            sqlx::query(statement).bind(key_id).bind(id).execute(&mut **transaction).await?;
        }
    }
    loop {
        let issued: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT transaction_id, certificate FROM requests \
             WHERE certificate IS NOT NULL AND certificate_sha256 IS NULL LIMIT 1000",
        )
        .fetch_all(&mut **transaction)
        .await?;
        if issued.is_empty() {
            return Ok(());
        }
        for (id, der) in issued {
            // An unreadable certificate has no fingerprint: this is like none that is searched for.
            let fingerprints = Certificate::from_der(&der).map(|certificate| Fingerprints::of(&certificate));
            let Fingerprints { sha1, sha256 } = fingerprints.unwrap_or_default();
            let statement =
                "UPDATE requests SET certificate_sha1 = $1, certificate_sha256 = $2 WHERE transaction_id = $3";
            sqlx::query(statement).bind(sha1).bind(sha256).bind(id).execute(&mut **transaction).await?;
        }
    }
}

const CERTIFIED: &str =
    select_requests!("WHERE key_id = $1 AND state || '' IN ('approved', 'issued') ORDER BY submitted_at");

/// The requests with a certificate for the key `key_id`, or with one that is about to be issued, oldest first.
pub async fn certified(executor: impl AnyExecutor<'_>, key_id: &str) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(CERTIFIED).bind(key_id).fetch_all(executor).await
}

/// True if two names, or two e-mail addresses, are the same: case makes no difference.
pub fn is_same_text(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

/// Whether any request was ever approved: then certificates of the CA are out there.
pub async fn has_approved(executor: impl AnyExecutor<'_>) -> Result<bool, sqlx::Error> {
    let any: Option<i64> = sqlx::query_scalar("SELECT 1 FROM requests WHERE serial_number IS NOT NULL LIMIT 1")
        .fetch_optional(executor)
        .await?;
    Ok(any.is_some())
}

const DUE: &str = select_requests!(
    "WHERE state = 'pending' AND approve_at <= $1 AND NOT EXISTS (SELECT 1 FROM requests AS current \
     WHERE current.serial_number = requests.renews \
     AND (current.revoked_at IS NOT NULL OR current.revocation_requested_at IS NOT NULL)) ORDER BY approve_at"
);

/// The requests that approve themselves by now, in the order in which they do. A renewal waits for a person once the certificate that it renews
/// was revoked, or somebody has asked for that.
pub async fn due(executor: impl AnyExecutor<'_>, now: i64) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(DUE).bind(now).fetch_all(executor).await
}

/// Approves a pending request, unless it renews a certificate that was revoked. Returns whether it was pending, and is approved.
pub async fn approve(
    transaction: &mut Transaction,
    id: TransactionId,
    approval: &Approval,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'approved', serial_number = $1, not_before = $2, not_after = $3, decided_at = $4 \
         WHERE transaction_id = $5 AND state = 'pending' AND NOT EXISTS (SELECT 1 FROM requests AS current \
         WHERE current.serial_number = requests.renews AND current.revoked_at IS NOT NULL)",
    )
    .bind(&approval.serial_number)
    .bind(approval.not_before)
    .bind(approval.not_after)
    .bind(approval.decided_at)
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// Rejects a pending request. Returns whether it was pending.
pub async fn reject(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: &str,
    decided_at: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'rejected', rejection_reason = $1, decided_at = $2 \
         WHERE transaction_id = $3 AND state = 'pending'",
    )
    .bind(reason)
    .bind(decided_at)
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// The statement that takes; see [`Database::passing_over_locked`]. The condition stands twice, so that nobody takes what has just been taken.
fn take_approved_statement(passing_over_locked: &str) -> String {
    format!(
        "UPDATE requests SET issue_at = $2, issue_attempts = issue_attempts + 1 \
         WHERE state = 'approved' AND issue_at <= $1 AND transaction_id = (SELECT transaction_id FROM requests \
         WHERE state = 'approved' AND issue_at <= $1 ORDER BY issue_at, submitted_at LIMIT 1 {passing_over_locked}) \
         RETURNING transaction_id, certificate_type, certification_request, common_name, email_address, device_kind, serial_number, \
         not_before, not_after, issue_attempts, issue_fault"
    )
}

/// Takes the approved request that has waited longest, to ask the CA engine for its certificate, until `until`; nobody else gets it before.
pub async fn take_approved(
    database: &Database,
    now: i64,
    until: i64,
) -> Result<Option<ApprovedRequest>, DatabaseError> {
    let mut transaction = database.transaction().await?;
    let statement = take_approved_statement(database.passing_over_locked());
    let taken: Option<ApprovedRequest> =
        sqlx::query_as(AssertSqlSafe(statement)).bind(now).bind(until).fetch_optional(&mut *transaction).await?;
    if let Some(taken) = &taken {
        let statement = "UPDATE requests SET issue_fault = NULL WHERE transaction_id = $1";
        sqlx::query(statement).bind(taken.transaction_id.to_string()).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(taken)
}

/// Notes why a request that was taken got no certificate, and when to try again.
pub async fn issue_failed(
    transaction: &mut Transaction,
    id: TransactionId,
    fault: &str,
    again_at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE requests SET issue_fault = $1, issue_at = $2 WHERE transaction_id = $3 AND state = 'approved'")
        .bind(fault)
        .bind(again_at)
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Keeps the certificate of an approved request, with what it says itself: an engine may have decided otherwise. Returns whether there was
/// none yet.
pub async fn issue(transaction: &mut Transaction, id: TransactionId, issued: &Issued) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'issued', certificate = $1, serial_number = $2, not_before = $3, not_after = $4, \
         certificate_sha1 = $6, certificate_sha256 = $7, issue_fault = NULL WHERE transaction_id = $5 AND state = 'approved'",
    )
    .bind(&issued.certificate)
    .bind(&issued.serial_number)
    .bind(issued.not_before)
    .bind(issued.not_after)
    .bind(id.to_string())
    .bind(&issued.fingerprints.sha1)
    .bind(&issued.fingerprints.sha256);
    changes_one(transaction, statement).await
}

/// Rejects an approved request that the CA engine refuses for good. Returns whether it was approved.
pub async fn refuse(transaction: &mut Transaction, id: TransactionId, reason: &str) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET state = 'rejected', rejection_reason = $1, serial_number = NULL, not_before = NULL, not_after = NULL, \
         issue_fault = NULL WHERE transaction_id = $2 AND state = 'approved'",
    )
    .bind(reason)
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// Takes up to `limit` certificates of the type `certificate_type` that end from `now` to `before`, and notes that their holders
/// are told that they can be renewed: each is taken once.
pub async fn take_to_renew(
    transaction: &mut Transaction,
    certificate_type: &str,
    now: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<TransactionId>, sqlx::Error> {
    let ids: Vec<(String,)> = sqlx::query_as(
        "UPDATE requests SET renewal_told_at = $1 WHERE renewal_told_at IS NULL AND transaction_id IN \
         (SELECT transaction_id FROM requests WHERE state = 'issued' AND renewal_told_at IS NULL AND certificate_type = $2 \
         AND not_after >= $1 AND not_after <= $3 ORDER BY not_after LIMIT $4) RETURNING transaction_id",
    )
    .bind(now)
    .bind(certificate_type)
    .bind(before)
    .bind(limit)
    .fetch_all(&mut **transaction)
    .await?;
    ids.into_iter().map(|(id,)| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}

/// The request `id`, unless its certificate was revoked, or its renewal was asked for already.
pub async fn find_to_renew(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!(
        "WHERE transaction_id = $1 AND revoked_at IS NULL AND NOT EXISTS \
         (SELECT 1 FROM requests AS next WHERE next.renews = requests.serial_number)"
    ))
    .bind(id.to_string())
    .fetch_optional(executor)
    .await
}

/// The certificate of a request, if it was issued, as DER.
pub async fn certificate(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let certificate: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT certificate FROM requests WHERE transaction_id = $1")
            .bind(id.to_string())
            .fetch_optional(executor)
            .await?;
    Ok(certificate.flatten())
}

/// The certificate with this serial number, unsigned, most significant byte first, if it was issued.
pub async fn find_issued(
    executor: impl AnyExecutor<'_>,
    serial_number: &[u8],
) -> Result<Option<IssuedCertificate>, sqlx::Error> {
    sqlx::query_as(
        "SELECT transaction_id, certificate, certificate_type, email_address, revoked_at FROM requests \
         WHERE serial_number = $1 AND state = 'issued'",
    )
    .bind(serial_number)
    .fetch_optional(executor)
    .await
}

/// Notes that the revocation of an issued certificate is asked for. The first time is kept, and the gravest reason. Returns whether that was
/// news.
pub async fn request_revocation(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: RevocationReason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET revocation_requested_at = coalesce(revocation_requested_at, $1), revocation_requested_reason = $2 \
         WHERE transaction_id = $4 AND state = 'issued' \
         AND (revocation_requested_reason IS NULL OR ($2 = $3 AND revocation_requested_reason <> $3))",
    )
    .bind(now)
    .bind(reason.name())
    .bind(RevocationReason::KeyCompromise.name())
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// Revokes an issued certificate. Returns whether it was issued, and not revoked before.
pub async fn revoke(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: RevocationReason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET revoked_at = $1, revocation_reason = $2 \
         WHERE transaction_id = $3 AND state = 'issued' AND revoked_at IS NULL",
    )
    .bind(now)
    .bind(reason.name())
    .bind(id.to_string());
    changes_one(transaction, statement).await
}

/// The certificates that were revoked, in the order in which they were, those of no known request too.
const REVOKED: &str = "SELECT serial_number, revoked_at, revocation_reason FROM requests WHERE revoked_at IS NOT NULL \
     UNION ALL SELECT serial_number, revoked_at, reason FROM revoked_serial_numbers WHERE NOT EXISTS \
     (SELECT 1 FROM requests WHERE requests.serial_number = revoked_serial_numbers.serial_number AND requests.revoked_at IS NOT NULL)";

/// The certificates that were revoked, in the order in which they were.
pub async fn revoked(executor: impl AnyExecutor<'_>) -> Result<Vec<RevokedCertificate>, sqlx::Error> {
    let statement = format!("{REVOKED} ORDER BY 2, 1");
    let rows: Vec<(Vec<u8>, i64, String)> = sqlx::query_as(AssertSqlSafe(statement)).fetch_all(executor).await?;
    let certificates = rows.into_iter().map(|(serial_number, revoked_at, reason)| RevokedCertificate {
        serial_number,
        revoked_at,
        reason: reason_of(&reason),
    });
    Ok(certificates.collect())
}

/// How many certificates were revoked.
pub async fn count_revoked(executor: impl AnyExecutor<'_>) -> Result<i64, sqlx::Error> {
    let statement = format!("SELECT count(*) FROM ({REVOKED}) AS revoked");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(executor).await
}

/// A request with its certificate: all of the row that outlasts a restore.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct KeptRequest {
    transaction_id: String,
    certificate_type: String,
    common_name: String,
    email_address: String,
    #[serde(with = "base64")]
    certification_request: Vec<u8>,
    #[serde(with = "base64")]
    submission_sha256: Vec<u8>,
    key_id: Option<String>,
    validity_days: i64,
    submitted_at: i64,
    decided_at: i64,
    #[serde(with = "base64")]
    serial_number: Vec<u8>,
    not_before: i64,
    not_after: i64,
    #[serde(with = "base64")]
    certificate: Vec<u8>,
    certificate_sha1: Option<String>,
    certificate_sha256: Option<String>,
    /// Empty for none.
    #[serde(with = "base64")]
    renews: Vec<u8>,
    replaces: Option<String>,
    device_kind: Option<String>,
    device_file_format: Option<String>,
    device_names: Option<String>,
    company: Option<String>,
}

/// Bytes as base64, in JSON.
mod base64 {
    use base64ct::{Base64, Encoding};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64::encode_string(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Base64::decode_vec(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The request `id` with its certificate, if that was issued.
pub async fn kept(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<KeptRequest>, sqlx::Error> {
    sqlx::query_as(
        "SELECT transaction_id, certificate_type, common_name, email_address, certification_request, submission_sha256, key_id, \
         validity_days, submitted_at, decided_at, serial_number, not_before, not_after, certificate, certificate_sha1, \
         certificate_sha256, coalesce(renews, $2) AS renews, replaces, device_kind, device_file_format, device_names, company \
         FROM requests WHERE transaction_id = $1 AND state = 'issued'",
    )
    .bind(id.to_string())
    .bind([].as_slice())
    .fetch_optional(executor)
    .await
}

/// Brings a request back that the database has lost, or its certificate. Returns false if both were there.
pub async fn bring_back(transaction: &mut Transaction, kept: &KeptRequest) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "INSERT INTO requests (transaction_id, certificate_type, common_name, common_name_key, email_address, email_address_key, \
         certification_request, submission_sha256, key_id, validity_days, submitted_at, state, decided_at, serial_number, not_before, \
         not_after, certificate, certificate_sha1, certificate_sha256, renews, replaces, device_kind, device_file_format, device_names, company) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'issued', $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) \
         ON CONFLICT (transaction_id) DO UPDATE SET state = 'issued', rejection_reason = NULL, issue_fault = NULL, \
         decided_at = excluded.decided_at, serial_number = excluded.serial_number, not_before = excluded.not_before, \
         not_after = excluded.not_after, certificate = excluded.certificate, certificate_sha1 = excluded.certificate_sha1, \
         certificate_sha256 = excluded.certificate_sha256 WHERE requests.state <> 'issued'",
    )
    .bind(&kept.transaction_id)
    .bind(&kept.certificate_type)
    .bind(&kept.common_name)
    .bind(key(&kept.common_name))
    .bind(&kept.email_address)
    .bind(key(&kept.email_address))
    .bind(&kept.certification_request)
    .bind(&kept.submission_sha256)
    .bind(&kept.key_id)
    .bind(kept.validity_days)
    .bind(kept.submitted_at)
    .bind(kept.decided_at)
    .bind(&kept.serial_number)
    .bind(kept.not_before)
    .bind(kept.not_after)
    .bind(&kept.certificate)
    .bind(&kept.certificate_sha1)
    .bind(&kept.certificate_sha256)
    .bind((!kept.renews.is_empty()).then_some(&kept.renews))
    .bind(&kept.replaces)
    .bind(&kept.device_kind)
    .bind(&kept.device_file_format)
    .bind(&kept.device_names)
    .bind(&kept.company);
    changes_one(transaction, statement).await
}

/// Notes which code a request came with, its authorisation, whose it is, and when it approves itself.
pub async fn mark(
    transaction: &mut Transaction,
    id: TransactionId,
    code_shown: CodeShown,
    authorisation: Option<&str>,
    company: Option<&str>,
    approve_at: Option<i64>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE requests SET authorisation_id = $2, company = $3, approve_at = $4, code_shown = $5 WHERE transaction_id = $1",
    )
        .bind(id.to_string())
        .bind(authorisation)
        .bind(company)
        .bind(approve_at)
        .bind(code_shown.name())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// By name: an expression keeps the indexes of other columns out of it.
const LIVING_WITH_NAME: &str = select_requests!(
    "WHERE common_name_key = $1 AND email_address_key || '' <> $2 AND state || '' IN ('approved', 'issued') \
     AND revoked_at IS NULL AND not_after + 0 > $3 ORDER BY submitted_at"
);

/// The requests with a certificate that lives at `now`, or is about to be issued, for the Common Name of `request` and another e-mail address.
pub async fn living_with_name(
    executor: impl AnyExecutor<'_>,
    request: &Request,
    now: i64,
) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(LIVING_WITH_NAME)
        .bind(key(&request.common_name))
        .bind(key(&request.email_address))
        .bind(now)
        .fetch_all(executor)
        .await
}

/// Has a person decide about this request, if it waits.
pub async fn leave_one_to_a_person(transaction: &mut Transaction, id: TransactionId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE requests SET approve_at = NULL WHERE transaction_id = $1 AND state = 'pending'")
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The PKCS#10 CertificationRequest of a request, DER.
pub async fn certification_request(
    executor: impl AnyExecutor<'_>,
    id: TransactionId,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT certification_request FROM requests WHERE transaction_id = $1")
        .bind(id.to_string())
        .fetch_optional(executor)
        .await
}

/// Has a person decide about the request that this authorisation is for, if it waits.
pub async fn leave_to_a_person(transaction: &mut Transaction, authorisation: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE requests SET approve_at = NULL WHERE authorisation_id = $1 AND state = 'pending'")
        .bind(authorisation)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Numbers of requests and certificates.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Counts {
    /// Requests that wait for approval.
    pub pending: i64,
    /// Requests that wait for the CA.
    pub approved: i64,
    /// Certificates whose revocation is asked for, and not decided.
    pub revocation_requested: i64,
    /// Certificates that were revoked.
    pub revoked: i64,
    /// Certificates that are good, and end within 30 days.
    pub ending_in_30_days: i64,
    /// Certificates that are good, and end within 90 days.
    pub ending_in_90_days: i64,
}

/// Counts. `now` is in seconds since 1970-01-01T00:00:00Z.
pub async fn counts(executor: impl AnyExecutor<'_>, now: i64) -> Result<Counts, sqlx::Error> {
    const ENDING: &str =
        "FROM requests WHERE state = 'issued' AND revoked_at IS NULL AND not_after > $1 AND not_after <=";
    let statement = format!(
        "SELECT (SELECT count(*) FROM requests WHERE state = 'pending') AS pending, \
         (SELECT count(*) FROM requests WHERE state = 'approved') AS approved, \
         (SELECT count(*) FROM requests WHERE revocation_requested_at IS NOT NULL AND revoked_at IS NULL) AS revocation_requested, \
         (SELECT count(*) FROM requests WHERE revoked_at IS NOT NULL) AS revoked, \
         (SELECT count(*) {ENDING} $2) AS ending_in_30_days, (SELECT count(*) {ENDING} $3) AS ending_in_90_days"
    );
    sqlx::query_as(AssertSqlSafe(statement))
        .bind(now)
        .bind(now + 30 * DAY)
        .bind(now + 90 * DAY)
        .fetch_one(executor)
        .await
}

/// Work that waits for an officer, of one company.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WaitingWork {
    /// The company, if it is known.
    pub company: Option<String>,
    /// The requests that wait for a person to approve them.
    pub pending: i64,
    /// The certificates whose revocation is asked for.
    pub revocations: i64,
}

/// The work that waits for officers, by company.
pub async fn waiting_work(executor: impl AnyExecutor<'_>) -> Result<Vec<WaitingWork>, sqlx::Error> {
    sqlx::query_as(
        "SELECT company, sum(pending) AS pending, sum(revocations) AS revocations FROM (\
         SELECT company, 1 AS pending, 0 AS revocations FROM requests WHERE state = 'pending' AND approve_at IS NULL \
         UNION ALL SELECT company, 0, 1 FROM requests WHERE revocation_requested_at IS NOT NULL AND revoked_at IS NULL) AS work \
         GROUP BY company",
    )
    .fetch_all(executor)
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::database::Location;

    #[tokio::test]
    async fn what_is_asked_all_the_time_goes_by_an_index_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("keyside.sqlite"));
        let database = Database::open_or_create(&location).await.unwrap();
        for (sql, step) in [
            (DUE, "requests_due (state=? AND approve_at<?)"),
            (&take_approved_statement(""), "requests_to_issue (state=? AND issue_at<?)"),
            (LIVING_WITH_NAME, "requests_by_common_name (common_name_key=?)"),
            (CERTIFIED, "requests_by_key (key_id=?)"),
        ] {
            let plan = super::super::search::plan(&database, sql).await;
            assert!(plan.iter().any(|found| found.ends_with(step)), "{step}: {plan:?}");
        }
        database.close().await;
    }
}
