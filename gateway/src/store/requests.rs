//! The requests for certificates, and the certificates.

use keyside_core::domain::device::{Device, DeviceKind};
use keyside_core::domain::file_format::FileFormat;
use keyside_core::domain::revocation::{Revocation, RevocationReason, RevocationState};
use keyside_core::domain::transaction_id::TransactionId;
use sha2::{Digest, Sha256};
use sqlx::any::AnyExecutor;

use super::authorisations::key;
use super::changes_one;
use crate::clock;
use crate::database::Transaction;
use crate::hexadecimal::hexadecimal;

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
    /// The company in the subject, if its type has a place for it.
    pub subject_company: Option<String>,
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
    /// The company in the subject, if its type has a place for it.
    pub subject_company: Option<String>,
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

    /// A fingerprint of the details that its applicant can correct while it waits, in hexadecimal: an officer decides about what was shown.
    pub fn details_sha256(&self) -> String {
        let KeptDevice { kind, file_format, names } = &self.device;
        let texts = [
            Some(&self.certificate_type),
            Some(&self.common_name),
            Some(&self.email_address),
            kind.as_ref(),
            file_format.as_ref(),
            names.as_ref(),
        ];
        let mut hash = Sha256::new();
        for text in texts {
            let text = text.map(String::as_str).unwrap_or_default();
            // Each behind its length, so that no two sets of details give the same bytes.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hexadecimal(&hash.finalize())
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
pub(super) fn reason_of(name: &str) -> RevocationReason {
    name.parse().unwrap_or(RevocationReason::Unspecified)
}

/// The columns of [`Request`], to begin a query with.
macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT transaction_id, certificate_type, common_name, subject_company, email_address, key_id, validity_days, submitted_at, approve_at, \
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
         common_name_key, email_address_key, key_id, subject_company, submission_noted, company) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0, \
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
    .bind(&new.key_id)
    .bind(&new.subject_company);
    changes_one(transaction, statement).await
}

/// Replaces the details of the pending request that has the transaction ID of `new`. Returns true if it was pending.
pub async fn correct(transaction: &mut Transaction, new: &NewRequest) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query(
        "UPDATE requests SET certificate_type = $2, common_name = $3, email_address = $4, device_kind = $5, device_file_format = $6, \
         device_names = $7, validity_days = $8, approve_at = $9, common_name_key = $10, email_address_key = $11, subject_company = $12 \
         WHERE transaction_id = $1 AND state = 'pending'",
    )
    .bind(new.transaction_id.to_string())
    .bind(&new.certificate_type)
    .bind(&new.common_name)
    .bind(&new.email_address)
    .bind(new.device.as_ref().map(|device| device.kind.name()))
    .bind(new.device.as_ref().map(|device| device.file_format.name()))
    .bind(new.device.as_ref().map(|device| device.names.as_str()))
    .bind(i64::from(new.validity_days))
    .bind(new.approve_at)
    .bind(key(&new.common_name))
    .bind(key(&new.email_address))
    .bind(&new.subject_company);
    changes_one(transaction, statement).await
}

/// The request with this transaction ID.
pub async fn find(executor: impl AnyExecutor<'_>, id: TransactionId) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("WHERE transaction_id = $1")).bind(id.to_string()).fetch_optional(executor).await
}

/// The request with this transaction ID, which no one else changes until the transaction ends.
pub async fn lock(transaction: &mut Transaction, id: TransactionId) -> Result<Option<Request>, sqlx::Error> {
    // A statement that changes nothing, and locks the row for that.
    sqlx::query("UPDATE requests SET state = state WHERE transaction_id = $1")
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
    find(&mut **transaction, id).await
}

/// The request whose submission has this SHA-256.
pub async fn find_by_submission(executor: impl AnyExecutor<'_>, sha256: &[u8]) -> Result<Option<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("WHERE submission_sha256 = $1")).bind(sha256).fetch_optional(executor).await
}

/// Every request, oldest first.
pub async fn list(executor: impl AnyExecutor<'_>) -> Result<Vec<Request>, sqlx::Error> {
    sqlx::query_as(select_requests!("ORDER BY submitted_at, transaction_id")).fetch_all(executor).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::search::assert_steps;

    #[tokio::test]
    async fn what_is_asked_all_the_time_goes_by_an_index_of_its_own() {
        assert_steps(&[
            (LIVING_WITH_NAME, "requests_by_common_name (common_name_key=?)"),
            (CERTIFIED, "requests_by_key (key_id=?)"),
        ])
        .await;
    }
}
