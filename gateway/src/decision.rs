//! Approving, rejecting and revoking: what an officer decides, or the gateway in the officer's place.
//!
//! An approval only fixes what the certificate will say. Signing is left to the server, which notices approved requests
//! within a second, or at its next start: so the CA's keys and their passphrase are needed in one place alone.

use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;

use crate::audit::{Action, Actor, NewEntry};
use crate::clock::{self, BACKDATING, DAY};
use crate::config::CertificateType;
use crate::database::{Database, DatabaseError, Transaction};
use crate::known_keys::{self, KeyFault, KeyHolder};
use crate::namesakes;
use crate::notifications::Kind;
use crate::officers;
use crate::serial_number;
use crate::store::audit;
use crate::store::outbox::{self, NewNotification};
use crate::store::requests::{self, Approval, Request, State};

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
    /// There is no certificate to revoke.
    #[error("the request {0} is {1}: only a certificate that was issued can be revoked")]
    NotIssued(TransactionId, &'static str),
    /// The reason is empty.
    #[error("say why: the user reads the reason")]
    NoReason,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for DecisionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Writes a decision down, in the transaction that it belongs to.
async fn note(
    transaction: &mut Transaction,
    id: TransactionId,
    action: Action,
    actor: Actor,
    detail: String,
) -> Result<(), DecisionError> {
    let entry = NewEntry { at: clock::now(), actor, action, subject: id.to_string(), detail };
    Ok(audit::append(transaction, entry).await?)
}

/// Approves the request `id`, for an officer.
pub async fn approve(database: &Database, id: TransactionId, actor: Actor) -> Result<(), DecisionError> {
    let mut transaction = database.transaction().await?;
    approve_in(&mut transaction, id, actor).await?;
    transaction.commit().await?;
    tracing::info!(%id, "approved");
    Ok(())
}

/// Approves the request `id` as the configuration with these types has it, unless it is one that a person must look at.
pub async fn approve_by_policy(
    database: &Database,
    types: &[CertificateType],
    id: TransactionId,
) -> Result<(), DecisionError> {
    let mut transaction = database.transaction().await?;
    let request = approve_in(&mut transaction, id, Actor::Policy).await?;
    if let Some(other) = namesakes::holder_of_subject(&mut *transaction, types, &request, clock::now()).await? {
        return Err(DecisionError::Namesake(id, other.transaction_id));
    }
    transaction.commit().await?;
    tracing::info!(%id, "approved without a person, as the configuration has it");
    Ok(())
}

/// Approves the request `id`, and gives it as it was. Until the transaction ends there is no other approval, on whatever gateway: what is found
/// by now stays so.
async fn approve_in(transaction: &mut Transaction, id: TransactionId, actor: Actor) -> Result<Request, DecisionError> {
    let request = find(transaction, id).await?;
    let now = clock::now();
    let approval = Approval {
        serial_number: serial_number::random(&mut rand::rng()),
        not_before: now - BACKDATING,
        not_after: now + request.validity_days * DAY,
        decided_at: now,
    };
    if !requests::approve(transaction, id, &approval).await? {
        let request = find(transaction, id).await?;
        return Err(if request.state == State::Pending { DecisionError::RenewsRevoked(id) } else { decided(&request) });
    }
    // The log has one end, and whoever writes there next waits.
    note(transaction, id, Action::Approved, actor, String::new()).await?;
    let key_id = request.key_id.as_deref().unwrap_or_default();
    match known_keys::fault_of(&mut **transaction, key_id, KeyHolder::of(&request), Some(&request)).await? {
        // Where its type forbids that, it was refused when it came.
        None | Some(KeyFault::Earlier) => Ok(request),
        Some(fault) => Err(DecisionError::Key(id, fault)),
    }
}

/// Rejects the request `id`, with a reason for the user.
pub async fn reject(database: &Database, id: TransactionId, reason: &str, actor: Actor) -> Result<(), DecisionError> {
    if reason.trim().is_empty() {
        return Err(DecisionError::NoReason);
    }
    let mut transaction = database.transaction().await?;
    let request = find(&mut transaction, id).await?;
    if !requests::reject(&mut transaction, id, reason.trim(), clock::now()).await? {
        return Err(decided(&find(&mut transaction, id).await?));
    }
    let told = vec![("reason", reason.trim().to_owned())];
    outbox::enqueue(&mut transaction, &NewNotification::about(Kind::Rejected, &request, told)).await?;
    note(&mut transaction, id, Action::Rejected, actor, reason.trim().into()).await?;
    transaction.commit().await?;
    tracing::info!(%id, "rejected");
    Ok(())
}

/// Revokes the certificate of the request `id`. It is on the next CRL, and stays there.
pub async fn revoke(
    database: &Database,
    id: TransactionId,
    reason: RevocationReason,
    actor: Actor,
) -> Result<(), DecisionError> {
    let mut transaction = database.transaction().await?;
    if !requests::revoke(&mut transaction, id, reason, clock::now()).await? {
        let request = find(&mut transaction, id).await?;
        return Err(if request.revoked.at.is_some() {
            DecisionError::Decided(id, "revoked")
        } else {
            DecisionError::NotIssued(id, request.state.name())
        });
    }
    let request = find(&mut transaction, id).await?;
    let serial_number = base16ct::lower::encode_string(request.serial_number.as_deref().unwrap_or_default());
    let told = vec![("reason", in_words(reason).to_owned()), ("serial_number", serial_number)];
    outbox::enqueue(&mut transaction, &NewNotification::about(Kind::Revoked, &request, told)).await?;
    let renewals = requests::renewals(&mut *transaction, id).await?;
    note(&mut transaction, id, Action::Revoked, actor.clone(), reason.to_string()).await?;
    officers::certificate_revoked(&mut transaction, id, reason, &actor).await?;
    transaction.commit().await?;
    tracing::info!(%id, %reason, "revoked");
    for renewal in renewals {
        tracing::warn!(
            id = %renewal.transaction_id,
            state = renewal.state.name(),
            "this request renews the revoked certificate: decide about it too"
        );
    }
    Ok(())
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
