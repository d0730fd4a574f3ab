//! The requests for certificates, and the certificates.

use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certification_request::subject_public_key_info;
use keyside_pki::public_key::PublicKey;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyExecutor;

use super::authorisations::key;
use super::changes_one;
use super::search::Search;
use crate::clock;
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
    /// Its serial number, unsigned, most significant byte first.
    pub serial_number: Vec<u8>,
    /// The first second of its validity.
    pub not_before: i64,
    /// The last second of its validity.
    pub not_after: i64,
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

/// Writes what a migration has left out: the keys of names, for searching, and the key of each certification request.
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
            return Ok(());
        }
        for (id, der) in requests {
            let info = subject_public_key_info(&der).ok().and_then(|info| PublicKey::of(info).ok());
            // An unreadable request has no key: this is like none that comes.
            let key_id = info.map(|key| key.key_id).unwrap_or_default();
            let statement = "UPDATE requests SET key_id = $1 WHERE transaction_id = $2";
            sqlx::query(statement).bind(key_id).bind(id).execute(&mut **transaction).await?;
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
         issue_fault = NULL WHERE transaction_id = $5 AND state = 'approved'",
    )
    .bind(&issued.certificate)
    .bind(&issued.serial_number)
    .bind(issued.not_before)
    .bind(issued.not_after)
    .bind(id.to_string());
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

/// Notes that somebody has asked for the revocation of an issued certificate. The first one to ask is noted, and the gravest
/// reason. Returns whether the certificate is there.
pub async fn request_revocation(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: RevocationReason,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET revocation_requested_at = coalesce(revocation_requested_at, $1), \
         revocation_requested_reason = CASE WHEN revocation_requested_reason IS NULL OR $2 = $3 THEN $2 \
         ELSE revocation_requested_reason END WHERE transaction_id = $4 AND state = 'issued'",
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

/// The certificates that were revoked, in the order in which they were.
pub async fn revoked(executor: impl AnyExecutor<'_>) -> Result<Vec<RevokedCertificate>, sqlx::Error> {
    let rows: Vec<(Vec<u8>, i64, String)> = sqlx::query_as(
        "SELECT serial_number, revoked_at, revocation_reason FROM requests WHERE revoked_at IS NOT NULL \
         ORDER BY revoked_at, serial_number",
    )
    .fetch_all(executor)
    .await?;
    let certificates = rows.into_iter().map(|(serial_number, revoked_at, reason)| RevokedCertificate {
        serial_number,
        revoked_at,
        reason: reason_of(&reason),
    });
    Ok(certificates.collect())
}

/// How many certificates were revoked.
pub async fn count_revoked(executor: impl AnyExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM requests WHERE revoked_at IS NOT NULL").fetch_one(executor).await
}

/// Which requests to show.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A transaction ID, or the beginning of the Common Name; of the e-mail address if it has an @.
    pub text: String,
    /// Those in this state alone.
    pub state: Option<State>,
    /// Those of this certificate type alone.
    pub certificate_type: Option<String>,
    /// Those of this company alone.
    pub company: Option<String>,
    /// Those behind the one with this transaction ID.
    pub after: Option<TransactionId>,
}

/// Up to `count` requests that pass the filter: the latest first, or by name where a text is searched for.
pub async fn search(database: &Database, filter: &Filter, count: usize) -> Result<Vec<Request>, sqlx::Error> {
    let after = match filter.after {
        Some(id) => find(database.reader(), id).await?,
        None => None,
    };
    search_query(filter, after.as_ref()).rows(database, count).await
}

/// The query for a page; `after` is the last row of the page before.
fn search_query(filter: &Filter, after: Option<&Request>) -> Search {
    const SELECT: &str = select_requests!("");
    let text = key(&filter.text);
    let id = after.map(|request| request.transaction_id.to_string()).unwrap_or_default();
    let mut search;
    if let Ok(id) = filter.text.parse::<TransactionId>() {
        search = Search::new(SELECT, "transaction_id");
        search.equals("transaction_id", Some(&id.to_string()));
    } else if text.is_empty() {
        search = Search::new(SELECT, "submitted_at DESC, transaction_id DESC");
        if let Some(after) = after {
            search.after_time("submitted_at, transaction_id", (after.submitted_at, &id));
        }
    } else if text.contains('@') {
        search = Search::new(SELECT, "email_address_key, transaction_id");
        search.begins_with("email_address_key", &text);
        if let Some(after) = after {
            search.after_text("email_address_key, transaction_id", (&key(&after.email_address), &id));
        }
    } else {
        search = Search::new(SELECT, "common_name_key, transaction_id");
        search.begins_with("common_name_key", &text);
        if let Some(after) = after {
            search.after_text("common_name_key, transaction_id", (&key(&after.common_name), &id));
        }
    }
    // By name, the index of names is the one to go by, in its order: an expression keeps the others out of it.
    let [state, certificate_type] = match text.is_empty() {
        true => ["state", "certificate_type"],
        false => ["state || ''", "certificate_type || ''"],
    };
    search.equals(state, filter.state.map(State::name));
    search.equals(certificate_type, filter.certificate_type.as_deref());
    search.equals("company", filter.company.as_deref());
    search
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

/// The request whose certificate has this serial number, unsigned, most significant byte first.
pub async fn find_by_serial_number(
    executor: impl AnyExecutor<'_>,
    serial_number: &[u8],
) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("WHERE serial_number = $1")).bind(serial_number).fetch_optional(executor).await
}

/// By name, as in [`search_query`].
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

/// How many requests wait for approval, and how many for the CA.
pub async fn count_waiting(executor: impl AnyExecutor<'_>) -> Result<[(State, i64); 2], sqlx::Error> {
    let (pending, approved) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM requests WHERE state = 'pending'), (SELECT count(*) FROM requests WHERE state = 'approved')",
    )
    .fetch_one(executor)
    .await?;
    Ok([(State::Pending, pending), (State::Approved, approved)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::database::Location;

    const COUNT: usize = 100_000;
    const BATCH: usize = 2_000;

    /// A database with so many requests: of twenty companies, one in a hundred waits, and several came in each second.
    async fn filled(directory: &std::path::Path) -> Database {
        let database = Database::open_or_create(&Location::Sqlite(directory.join("keyside.sqlite"))).await.unwrap();
        for batch in 0..COUNT / BATCH {
            let rows: Vec<String> = (batch * BATCH..(batch + 1) * BATCH)
                .map(|n| {
                    let id = TransactionId::random(&mut rand::rng());
                    let (state, decided) =
                        if n % 100 == 0 { ("pending", "NULL, NULL") } else { ("rejected", "1, 'no'") };
                    format!(
                        "('{id}', 'type-{}', 'Person {n:06}', 'person {n:06}', 'p{n:06}@example.com', 'p{n:06}@example.com', \
                         x'00', x'{n:08x}', 1, {}, '{state}', {decided}, 'Company {}')",
                        n % 3,
                        n / 3,
                        n % 20
                    )
                })
                .collect();
            let sql = format!(
                "INSERT INTO requests (transaction_id, certificate_type, common_name, common_name_key, email_address, \
                 email_address_key, certification_request, submission_sha256, validity_days, submitted_at, state, decided_at, \
                 rejection_reason, company) VALUES {}",
                rows.join(", ")
            );
            let mut transaction = database.transaction().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
        }
        database
    }

    /// Every search that the console offers.
    fn filters(after: Option<TransactionId>) -> Vec<Filter> {
        let mut filters = Vec::new();
        for text in ["", "person 05", "p05@"] {
            for state in [None, Some(State::Pending), Some(State::Rejected)] {
                for certificate_type in [None, Some("type-1")] {
                    for company in [None, Some("Company 7")] {
                        filters.push(Filter {
                            text: text.into(),
                            state,
                            certificate_type: certificate_type.map(ToOwned::to_owned),
                            company: company.map(ToOwned::to_owned),
                            after,
                        });
                    }
                }
            }
        }
        filters
    }

    #[tokio::test]
    async fn every_search_goes_by_an_index_among_a_hundred_thousand() {
        let directory = tempfile::tempdir().unwrap();
        let database = filled(directory.path()).await;
        let middle: String =
            sqlx::query_scalar("SELECT transaction_id FROM requests WHERE common_name = 'Person 050000'")
                .fetch_one(database.reader())
                .await
                .unwrap();
        let middle: TransactionId = middle.parse().unwrap();
        for filter in filters(None).into_iter().chain(filters(Some(middle))) {
            let after = match filter.after {
                Some(id) => find(database.reader(), id).await.unwrap(),
                None => None,
            };
            let search = search_query(&filter, after.as_ref());
            let plan = search.plan(&database).await;
            // Either the rows come in their order, and the page ends the search; or one company's rows alone are put in order.
            let in_order = plan.iter().all(|step| step.contains("USING INDEX") || step.contains("FOR LAST TERM"));
            let of_one_company = filter.company.is_some()
                && plan.first().is_some_and(|step| step.contains("requests_by_company (company=?"));
            assert!(in_order || of_one_company, "{filter:?}: {plan:?}");
        }
        database.close().await;
    }

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

    #[tokio::test]
    async fn pages_follow_one_another_among_a_hundred_thousand() {
        let directory = tempfile::tempdir().unwrap();
        let database = filled(directory.path()).await;
        let waiting = Filter { state: Some(State::Pending), ..Filter::default() };
        let named = Filter { text: "PERSON 0999".into(), ..Filter::default() };
        let of_a_company = Filter { company: Some("Company 7".into()), ..Filter::default() };
        for (filter, expected) in [(waiting, COUNT / 100), (named, 100), (of_a_company, COUNT / 20)] {
            let mut filter = filter;
            let mut seen = std::collections::HashSet::new();
            loop {
                let page = search(&database, &filter, 50).await.unwrap();
                let Some(last) = page.last() else { break };
                filter.after = Some(last.transaction_id);
                seen.extend(page.iter().map(|request| request.transaction_id.to_string()));
                assert!(seen.len() <= expected);
            }
            assert_eq!(seen.len(), expected);
        }
        database.close().await;
    }
}
