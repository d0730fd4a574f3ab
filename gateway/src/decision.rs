//! Approving, rejecting and revoking: what an officer decides, or the gateway in the officer's place.
//!
//! An approval only fixes what the certificate will say. Signing is left to the server, which notices approved requests
//! within a second, or at its next start: so the CA's keys and their passphrase are needed in one place alone.

use keyside::domain::revocation::RevocationReason;
use keyside::domain::transaction_id::TransactionId;

use crate::clock::{self, BACKDATING, DAY};
use crate::serial_number;
use crate::store::{Approval, Request, State, Store, StoreError};

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
    /// There is no certificate to revoke.
    #[error("the request {0} is {1}: only a certificate that was issued can be revoked")]
    NotIssued(TransactionId, &'static str),
    /// The reason is empty.
    #[error("say why: the user reads the reason")]
    NoReason,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Approves the request `id`.
pub async fn approve(store: &Store, id: TransactionId) -> Result<(), DecisionError> {
    let request = find(store, id).await?;
    let now = clock::now();
    let approval = Approval {
        serial_number: serial_number::random(&mut rand::rng()),
        not_before: now - BACKDATING,
        not_after: now + i64::from(request.validity_days) * DAY,
        decided_at: now,
    };
    if !store.approve(id, &approval).await? {
        let request = find(store, id).await?;
        return Err(if request.state == State::Pending { DecisionError::RenewsRevoked(id) } else { decided(&request) });
    }
    tracing::info!(%id, common_name = request.common_name, "approved");
    Ok(())
}

/// Rejects the request `id`, with a reason for the user.
pub async fn reject(store: &Store, id: TransactionId, reason: &str) -> Result<(), DecisionError> {
    if reason.trim().is_empty() {
        return Err(DecisionError::NoReason);
    }
    let request = find(store, id).await?;
    if !store.reject(id, reason.trim(), clock::now()).await? {
        return Err(decided(&find(store, id).await?));
    }
    tracing::info!(%id, common_name = request.common_name, "rejected");
    Ok(())
}

/// Revokes the certificate of the request `id`. It is on the next CRL, and stays there.
pub async fn revoke(store: &Store, id: TransactionId, reason: RevocationReason) -> Result<(), DecisionError> {
    if store.revoke(id, reason, clock::now()).await? {
        tracing::info!(%id, %reason, "revoked");
        for renewal in store.renewals(id).await? {
            tracing::warn!(
                id = %renewal.transaction_id,
                state = renewal.state.name(),
                "this request renews the revoked certificate: decide about it too"
            );
        }
        return Ok(());
    }
    let request = find(store, id).await?;
    Err(if request.revoked.at.is_some() {
        DecisionError::Decided(id, "revoked")
    } else {
        DecisionError::NotIssued(id, request.state.name())
    })
}

async fn find(store: &Store, id: TransactionId) -> Result<Request, DecisionError> {
    store.find(id).await?.ok_or(DecisionError::Unknown(id))
}

fn decided(request: &Request) -> DecisionError {
    DecisionError::Decided(request.transaction_id, request.state.name())
}
