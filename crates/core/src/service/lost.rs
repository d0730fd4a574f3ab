//! What is left to do when a key, its passphrase or the computer is lost: ask for the certificate's revocation, and for a
//! replacement that quotes the old transaction ID. Neither takes a key, so both work on any computer.

use crate::api::{NewRevocation, ProblemKind, RequestStatus};
use crate::domain::revocation::RevocationReason;
use crate::domain::transaction_id::{MalformedTransactionId, TransactionId};
use crate::ports::{RaError, RegistrationAuthority};

/// Why nothing was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LostError {
    /// The text is not a transaction ID.
    #[error(transparent)]
    MalformedTransactionId(#[from] MalformedTransactionId),
    /// The registration authority does not know it.
    #[error("no request has this transaction ID")]
    UnknownTransactionId,
    /// There is no certificate that could be revoked.
    #[error("no certificate was issued for this request")]
    NotIssued,
    /// The registration authority gave no answer that helps.
    #[error(transparent)]
    RegistrationAuthority(RaError),
}

impl From<RaError> for LostError {
    fn from(error: RaError) -> Self {
        match error {
            RaError::Problem(problem) if problem.kind == ProblemKind::UnknownTransactionId => {
                Self::UnknownTransactionId
            }
            RaError::Problem(problem) if problem.kind == ProblemKind::NotIssued => Self::NotIssued,
            other => Self::RegistrationAuthority(other),
        }
    }
}

/// Asks for the revocation of the certificate of `transaction_id`. An officer decides.
pub async fn request_revocation(
    authority: &impl RegistrationAuthority,
    transaction_id: &str,
    reason: RevocationReason,
) -> Result<RequestStatus, LostError> {
    let id = transaction_id.parse()?;
    Ok(authority.request_revocation(&id, &NewRevocation { reason }).await?)
}

/// Makes sure that `transaction_id` is one that a replacement can quote.
pub async fn find(authority: &impl RegistrationAuthority, transaction_id: &str) -> Result<TransactionId, LostError> {
    let id = transaction_id.parse()?;
    authority.status(&id).await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use keyside_pki::testing::{NOW, YEAR};
    use pollster::block_on;

    use super::*;
    use crate::domain::revocation::RevocationState;
    use crate::ports::memory::{Call, Fault, MemoryAuthority, MemoryKeyStore};
    use crate::ports::{KeyStore, StoreError};
    use crate::service::enroll;
    use crate::service::testing::enrollment;

    const UNKNOWN: &str = "000-000-000-000-000-000-000-000-011";

    /// A registration authority with one request; its transaction ID.
    fn asked() -> Result<(MemoryAuthority, TransactionId), StoreError> {
        let (store, authority) = (MemoryKeyStore::default(), MemoryAuthority::default());
        block_on(store.insert(&enrollment()))?;
        let sent = block_on(enroll::submit(&store, &authority, &enrollment())).unwrap();
        Ok((authority, sent.transaction_id().unwrap()))
    }

    #[test]
    fn a_revocation_is_asked_for_by_transaction_id() {
        let (authority, id) = asked().unwrap();
        let ask = |text: &str| block_on(request_revocation(&authority, text, RevocationReason::KeyCompromise));
        assert_eq!(ask(&id.to_string()), Err(LostError::NotIssued));
        authority.issue(id, NOW, NOW + YEAR);
        let revocation = ask(&id.to_string().to_lowercase()).unwrap().revocation.unwrap();
        assert_eq!(revocation.state, RevocationState::Requested);
        assert_eq!(revocation.reason, RevocationReason::KeyCompromise);
        assert_eq!(ask(UNKNOWN), Err(LostError::UnknownTransactionId));
        assert!(matches!(ask("nonsense"), Err(LostError::MalformedTransactionId(_))));
        authority.fail(Call::RequestRevocation, Fault::Unreachable);
        assert!(matches!(ask(&id.to_string()), Err(LostError::RegistrationAuthority(RaError::Unreachable(_)))));
    }

    #[test]
    fn a_replacement_quotes_a_request_that_is_there() {
        let (authority, id) = asked().unwrap();
        assert_eq!(block_on(find(&authority, &id.to_string())), Ok(id));
        assert_eq!(block_on(find(&authority, UNKNOWN)), Err(LostError::UnknownTransactionId));
    }
}
