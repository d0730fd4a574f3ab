//! Asking for a revocation: an officer decides about it ([`decision`](super::decision)).

use keyside_core::api::{NewRevocation, ProblemKind};
use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;

use super::RegistrationAuthority;
use super::refusal::Refusal;
use super::status::{Standing, unknown};
use crate::clock;
use crate::notifications::officer_mail;
use crate::store::audit;
use crate::store::audit_actions::{Action, Actor};
use crate::store::requests::{self, State};
use crate::store::revocations;

impl RegistrationAuthority {
    /// Notes that somebody has asked for the revocation of the request's certificate.
    pub async fn request_revocation(&self, id: TransactionId, new: NewRevocation) -> Result<Standing, Refusal> {
        let mut transaction = self.database.transaction().await?;
        let is_news = revocations::request_revocation(&mut transaction, id, new.reason, clock::now()).await?;
        let request = requests::find(&mut *transaction, id).await?.ok_or_else(|| unknown(id))?;
        if request.state != State::Issued {
            return Err(Refusal::new(ProblemKind::NotIssued, "There is no certificate to revoke."));
        }
        if is_news {
            if new.reason == RevocationReason::KeyCompromise {
                officer_mail::compromise_reported(&mut transaction, &request).await?;
            }
            audit::note(&mut transaction, id, Action::RevocationRequested, Actor::Applicant, new.reason.to_string())
                .await?;
            tracing::info!(%id, reason = %new.reason, "revocation asked for");
        }
        transaction.commit().await?;
        Ok(self.standing(&request))
    }
}
