//! Approving, rejecting and revoking: what an officer decides, or the gateway in the officer's place.
//!
//! An approval only fixes what the certificate will say. Signing is left to the server, which notices approved requests
//! within a second, or at its next start: so the CA's keys and their passphrase are needed in one place alone.

use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;
use tokio::task::{JoinError, spawn_blocking};

use super::known_keys::{self, KeyFault, KeyHolder};
use super::refusal::Refusal;
use super::{namesakes, policy};
use crate::ca::serial_number;
use crate::clock::{self, BACKDATING, DAY};
use crate::database::{Database, DatabaseError, Transaction};
use crate::hexadecimal::hexadecimal;
use crate::notifications::Kind;
use crate::officers::sign_in;
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::issuance::{self, Approval};
use crate::store::outbox::{self, NewNotification};
use crate::store::requests::{self, Request, State};
use crate::store::{
    authorisations, issued_certificates, journal, renewals, retention, revocations, revoked_serial_numbers, submissions,
};

/// Why a request cannot be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// There is no such request.
    #[error("there is no request {0}; `keyside-gateway requests list` shows those there are")]
    Unknown(TransactionId),
    /// It was decided before.
    #[error("the request {0} is {1} already")]
    Decided(TransactionId, &'static str),
    /// It renews a certificate that was revoked.
    #[error("the request {0} renews a certificate that was revoked: reject it, and have the user register")]
    RenewsRevoked(TransactionId),
    /// Its key gets no certificate.
    #[error("the request {0} cannot be approved, since {1}: reject it, and have the user make a new key")]
    Key(TransactionId, KeyFault),
    /// Another person has the subject that it asks for: that of the other request.
    #[error("the request {0} asks for the subject of another person, of the request {1}")]
    Namesake(TransactionId, TransactionId),
    /// The certificate that it renews was renewed by the other request.
    #[error(
        "the request {0} renews a certificate that the request {1} has renewed: reject it, or revoke the certificate of the other one first"
    )]
    Renewed(TransactionId, TransactionId),
    /// A certificate that is not known here was revoked before, by its serial number.
    #[error("the certificate with the serial number {0} is revoked already")]
    SerialNumberRevoked(String),
    /// Its applicant has corrected it since the officer has seen it.
    #[error("the request {0} was corrected since you have opened it: look at it again")]
    Corrected(TransactionId),
    /// There is no certificate to revoke.
    #[error("the request {0} is {1}: only a certificate that was issued can be revoked")]
    NotIssued(TransactionId, &'static str),
    /// The reason is empty.
    #[error("say why: the user reads the reason")]
    NoReason,
    /// The gateway ends, or has failed, in the middle.
    #[error("it was broken off: {0}")]
    BrokenOff(#[from] JoinError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for DecisionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<DecisionError> for Refusal {
    fn from(error: DecisionError) -> Self {
        Self::failed(&error)
    }
}

/// Approves the request `id`, for an officer. `seen` are the details that the officer has seen, by
/// [`details_sha256`](Request::details_sha256), if they were shown.
pub async fn approve(
    database: &Database,
    id: TransactionId,
    seen: Option<&str>,
    actor: Actor,
) -> Result<(), DecisionError> {
    check_modulus(database, id).await?;
    let mut transaction = database.transaction().await?;
    let request = approve_in(&mut transaction, id, actor).await?;
    if seen.is_some_and(|seen| seen != request.details_sha256()) {
        return Err(DecisionError::Corrected(id));
    }
    transaction.commit().await?;
    tracing::info!(%id, "approved");
    Ok(())
}

/// Approves the request `id` as the configuration has it, unless it is one that a person must look at: if it is still due, and `admits` the request
/// as it is by now. Its applicant may have corrected it meanwhile, and an officer withdrawn its authorisation.
pub async fn approve_by_policy(
    database: &Database,
    id: TransactionId,
    admits: impl Fn(&Request) -> bool,
) -> Result<(), DecisionError> {
    check_modulus(database, id).await?;
    let mut transaction = database.transaction().await?;
    let locked = requests::lock(&mut transaction, id).await?.ok_or(DecisionError::Unknown(id))?;
    if !admits(&locked) || !issuance::is_due(&mut *transaction, id, clock::now()).await? {
        return Ok(());
    }
    let request = approve_in(&mut transaction, id, Actor::Policy).await?;
    if let Some(other) = namesakes::holder_of_subject(&mut transaction, &request, clock::now()).await? {
        return Err(DecisionError::Namesake(id, other.transaction_id));
    }
    transaction.commit().await?;
    tracing::info!(%id, "approved without a person, as the configuration has it");
    Ok(())
}

/// Makes sure that the modulus of the request's key is no prime. When the request came there may have been no time for that.
async fn check_modulus(database: &Database, id: TransactionId) -> Result<(), DecisionError> {
    let der = requests::certification_request(database.reader(), id).await?.unwrap_or_default();
    let is_prime = spawn_blocking(move || policy::has_prime_modulus(&der)).await?;
    if is_prime { Err(DecisionError::Key(id, KeyFault::Prime)) } else { Ok(()) }
}

/// Approves the request `id`, and gives it as it was. Until the transaction ends there is no other approval, on whatever gateway: what is found
/// by now stays so.
async fn approve_in(transaction: &mut Transaction, id: TransactionId, actor: Actor) -> Result<Request, DecisionError> {
    let request = requests::lock(transaction, id).await?.ok_or(DecisionError::Unknown(id))?;
    // The log has one end: another decision or revocation has been committed, or waits.
    audit::lock(transaction).await?;
    let now = clock::now();
    let approval = Approval {
        serial_number: serial_number::random(&mut rand::rng()),
        not_before: now - BACKDATING,
        not_after: now + request.validity_days * DAY,
        decided_at: now,
    };
    if !issuance::approve(transaction, id, &approval).await? {
        let request = find(transaction, id).await?;
        return Err(if request.state == State::Pending { DecisionError::RenewsRevoked(id) } else { decided(&request) });
    }
    submissions::note_one(transaction, id).await?;
    audit::note(transaction, id, Action::Approved, actor, String::new()).await?;
    if let Some(serial_number) = &request.renews
        && let Some(other) = renewals::of(&mut **transaction, serial_number)
            .await?
            .into_iter()
            .find(|other| other.transaction_id != id && other.lives(now))
    {
        return Err(DecisionError::Renewed(id, other.transaction_id));
    }
    let key_id = request.key_id.as_deref().unwrap_or_default();
    if retention::is_compromised(&mut **transaction, key_id).await? {
        return Err(DecisionError::Key(id, KeyFault::Compromised));
    }
    match known_keys::fault_of(&mut **transaction, key_id, KeyHolder::of(&request), Some(&request)).await? {
        // Where its type forbids that, it was refused when it came.
        None | Some(KeyFault::Earlier) => Ok(request),
        Some(fault) => Err(DecisionError::Key(id, fault)),
    }
}

/// The mail about a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// With the name in the request.
    Full,
    /// Without it: a stranger may have written it.
    WithoutName,
    /// There is none.
    None,
}

/// Rejects the request `id`, with a reason for the user, for an officer who has seen it.
pub async fn reject(database: &Database, id: TransactionId, reason: &str, actor: Actor) -> Result<(), DecisionError> {
    reject_telling(database, id, reason, actor, Mail::Full).await
}

/// Rejects the request `id`, with a reason and a mail for the user.
pub async fn reject_telling(
    database: &Database,
    id: TransactionId,
    reason: &str,
    actor: Actor,
    mail: Mail,
) -> Result<(), DecisionError> {
    if reason.trim().is_empty() {
        return Err(DecisionError::NoReason);
    }
    let mut transaction = database.transaction().await?;
    let request = find(&mut transaction, id).await?;
    if request.state != State::Pending || !reject_one(&mut transaction, &request, reason.trim(), &actor, mail).await? {
        return Err(decided(&find(&mut transaction, id).await?));
    }
    transaction.commit().await?;
    tracing::info!(%id, "rejected");
    Ok(())
}

/// The extent of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The certificate and no other.
    Certificate,
    /// Every living certificate of the chain of renewals that it is in, and each renewal that still waits.
    Chain,
}

impl Extent {
    /// The one that a reason suggests: a thief of the key can have renewed with it.
    pub fn of(reason: RevocationReason) -> Self {
        if reason == RevocationReason::KeyCompromise { Self::Chain } else { Self::Certificate }
    }
}

/// Revokes the certificate of the request `id`, or all of its chain. They are on the next CRL, and stay there.
pub async fn revoke(
    database: &Database,
    id: TransactionId,
    reason: RevocationReason,
    extent: Extent,
    actor: Actor,
) -> Result<(), DecisionError> {
    let mut transaction = database.transaction().await?;
    let now = clock::now();
    let mut chain = renewals::chain(&mut *transaction, id).await?;
    chain.retain(|other| other.transaction_id != id && (other.lives(now) || other.state == State::Pending));
    // Everything that is locked is locked in one order: requests by their IDs, then the end of the audit log, then officers.
    let mut ids: Vec<_> = chain.iter().map(|other| other.transaction_id).chain([id]).collect();
    ids.sort_unstable_by_key(ToString::to_string);
    for id in ids {
        requests::lock(&mut transaction, id).await?;
    }
    audit::lock(&mut transaction).await?;
    let request = find(&mut transaction, id).await?;
    if !revoke_one(&mut transaction, &request, reason, &actor).await? {
        return Err(if request.revoked.at.is_some() {
            DecisionError::Decided(id, "revoked")
        } else {
            DecisionError::NotIssued(id, request.state.name())
        });
    }
    let mut entries = vec![journal_entry(&request, reason)];
    if extent == Extent::Chain {
        for other in &chain {
            if revoke_one(&mut transaction, other, reason, &actor).await? {
                entries.push(journal_entry(other, reason));
            } else {
                reject_one(&mut transaction, other, RENEWS_REVOKED, &actor, Mail::Full).await?;
            }
        }
    }
    journal::append(database, entries).await?;
    transaction.commit().await?;
    tracing::info!(%id, %reason, "revoked");
    for other in chain {
        let (id, state) = (other.transaction_id, other.state.name());
        match extent {
            Extent::Chain => tracing::info!(%id, was = state, "revoked or rejected with it"),
            Extent::Certificate => {
                tracing::warn!(%id, state, "this request is in the same chain of renewals: decide about it too");
            }
        }
    }
    Ok(())
}

/// The journal's line for the revocation of the request's certificate.
fn journal_entry(request: &Request, reason: RevocationReason) -> journal::Entry {
    let serial_number = hexadecimal(request.serial_number.as_deref().unwrap_or_default());
    journal::Entry::Revoked { serial_number, revoked_at: clock::now(), reason }
}

/// Revokes the certificate with this serial number, unsigned, most significant byte first, whether or not its request is known here. Returns the
/// transaction ID of the request that has it.
pub async fn revoke_by_serial_number(
    database: &Database,
    serial_number: &[u8],
    reason: RevocationReason,
    extent: Extent,
    actor: Actor,
) -> Result<Option<TransactionId>, DecisionError> {
    if let Some(issued) = issued_certificates::find(database.reader(), serial_number).await? {
        revoke(database, issued.transaction_id, reason, extent, actor).await?;
        return Ok(Some(issued.transaction_id));
    }
    let shown = hexadecimal(serial_number);
    let mut transaction = database.transaction().await?;
    let revoked_at = clock::now();
    if !revoked_serial_numbers::revoke(&mut transaction, serial_number, reason, revoked_at).await? {
        return Err(DecisionError::SerialNumberRevoked(shown));
    }
    let (subject, detail) = (format!("serial number {shown}"), reason.to_string());
    let entry = NewEntry { at: revoked_at, actor, action: Action::Revoked, subject, detail };
    audit::append(&mut transaction, entry).await?;
    let entry = journal::Entry::Revoked { serial_number: shown, revoked_at, reason };
    journal::append(database, vec![entry]).await?;
    transaction.commit().await?;
    Ok(None)
}

/// The reason for rejecting a renewal when the certificate that it renews is revoked.
const RENEWS_REVOKED: &str = "The certificate that it renews was revoked. Register for a new one.";

/// Revokes one certificate. Returns whether it was issued, and not revoked before.
async fn revoke_one(
    transaction: &mut Transaction,
    request: &Request,
    reason: RevocationReason,
    actor: &Actor,
) -> Result<bool, DecisionError> {
    let id = request.transaction_id;
    if !revocations::revoke(transaction, id, reason, clock::now()).await? {
        return Ok(false);
    }
    let serial_number = hexadecimal(request.serial_number.as_deref().unwrap_or_default());
    let told = vec![("reason", in_words(reason).to_owned()), ("serial_number", serial_number)];
    outbox::enqueue(transaction, &NewNotification::about(Kind::Revoked, request, told)).await?;
    audit::note(transaction, id, Action::Revoked, actor.clone(), reason.to_string()).await?;
    sign_in::certificate_revoked(transaction, id, reason, actor).await?;
    Ok(true)
}

/// Rejects one request that waits, for approval or for its certificate. Returns whether it did.
async fn reject_one(
    transaction: &mut Transaction,
    request: &Request,
    reason: &str,
    actor: &Actor,
    mail: Mail,
) -> Result<bool, DecisionError> {
    let id = request.transaction_id;
    if !issuance::reject(transaction, id, reason, clock::now()).await?
        && !issuance::refuse(transaction, id, reason).await?
    {
        return Ok(false);
    }
    submissions::note_one(transaction, id).await?;
    authorisations::release(transaction, id).await?;
    let told = NewNotification::about(Kind::Rejected, request, vec![("reason", reason.to_owned())]);
    let told = match mail {
        Mail::Full => Some(told),
        Mail::WithoutName => Some(told.without_name()),
        Mail::None => None,
    };
    if let Some(told) = told {
        outbox::enqueue(transaction, &told).await?;
    }
    audit::note(transaction, id, Action::Rejected, actor.clone(), reason.to_owned()).await?;
    Ok(true)
}

/// A reason as its holder reads it.
fn in_words(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::Unspecified => "none was given",
        RevocationReason::KeyCompromise => "somebody else may have its key",
        RevocationReason::AffiliationChanged => "its holder has changed company or task",
        RevocationReason::Superseded => "another certificate has taken its place",
        RevocationReason::CessationOfOperation => "it is not needed any more",
        RevocationReason::PrivilegeWithdrawn => "its holder may not use it any more",
    }
}

async fn find(transaction: &mut Transaction, id: TransactionId) -> Result<Request, DecisionError> {
    requests::find(&mut **transaction, id).await?.ok_or(DecisionError::Unknown(id))
}

fn decided(request: &Request) -> DecisionError {
    DecisionError::Decided(request.transaction_id, request.state.name())
}
