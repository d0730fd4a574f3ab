//! Issuing: approves what approves itself, and has the CA engine sign what is approved.
//!
//! # Issued exactly once
//!
//! An approval commits serial number and validity in the request's row. The certificate is then a pure function of that row
//! and the CA's key (PKCS#1 v1.5 signatures have no random part), and it is stored in the same statement that makes the row
//! `issued`. Whoever is killed in between leaves an approved row; signing that again gives the same certificate, and only a
//! stored certificate is ever handed out.

use std::time::Duration;

use keyside_pki::certificate::Certificate;
use tokio::time::MissedTickBehavior;

use super::RegistrationAuthority;
use super::decision::{self, DecisionError};
use super::refusal::Refusal;
use super::settings::{Approval, CertificateType, TypeApproval};
use crate::backoff;
use crate::ca::{CaError, CertificateOrder, Holder};
use crate::clock;
use crate::hexadecimal::hexadecimal;
use crate::notifications::Kind;
use crate::store::audit;
use crate::store::audit_actions::{Action, Actor};
use crate::store::issuance::{self, ApprovedRequest, Fingerprints, Issued};
use crate::store::outbox::{self, NewNotification};
use crate::store::requests::{self, Request};
use crate::store::{authorisations, crls, journal, kept_requests, submissions};

/// How often the server looks for requests to approve and to issue: those that `keyside-gateway requests` has decided too.
const ISSUING_INTERVAL: Duration = Duration::from_secs(1);

impl RegistrationAuthority {
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

    /// Writes down what the audit log lacks, approves what is due, and issues what is approved.
    async fn approve_and_issue(&self) -> Result<(), Refusal> {
        while submissions::note(&self.database).await? {}
        self.failed_sign_ins.write(&self.database, clock::now()).await?;
        self.approve_due().await?;
        while self.issue_next().await? {}
        Ok(())
    }

    /// Approves what is due, where the configuration has it so.
    pub(super) async fn approve_due(&self) -> Result<(), Refusal> {
        for request in issuance::due(self.database.reader(), clock::now()).await? {
            if !self.approves_by_itself(&request) {
                continue;
            }
            let id = request.transaction_id;
            match decision::approve_by_policy(&self.database, id, |request| self.approves_by_itself(request)).await {
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
            false => matches!(self.settings.approval, Approval::Automatic { .. }),
        }
    }

    /// Whether the request's type leaves approval to whether there is an authorisation.
    pub(super) fn is_for_the_authorised(&self, request: &Request) -> bool {
        let kind = self.settings.certificate_types.iter().find(|kind| kind.id == request.certificate_type);
        is_for_the_authorised(kind, request.renews.is_some())
    }

    /// Issues the certificate of the approved request that has waited longest. Returns whether to go on with the next one.
    ///
    /// The CA engine is asked outside of any transaction. While it is, the request is this gateway's by a lease; should the engine, or this
    /// gateway, never come back, the lease ends, and the same order is placed again.
    pub(super) async fn issue_next(&self) -> Result<bool, Refusal> {
        let now = clock::now();
        // Twice the time that the engine has, and some for the database.
        let lease = clock::from_unsigned(self.ca.patience().as_secs().saturating_mul(2)) + 5;
        let taken = issuance::take_approved(&self.database, now, now + lease).await?;
        let Some(request) = taken else { return Ok(false) };
        let (id, attempts) = (request.transaction_id, request.issue_attempts);
        if request.is_in_doubt() {
            tracing::warn!(%id, "an earlier attempt had no end: the CA engine may have signed, and nobody has the certificate");
        }
        let issued = self.sign(&request).await;
        let mut transaction = self.database.transaction().await?;
        let goes_on = match issued {
            Ok(issued) => {
                if issuance::issue(&mut transaction, id, &issued).await? {
                    let request = requests::find(&mut *transaction, id).await?;
                    if let Some(request) = &request {
                        let told = vec![("not_after", clock::day(issued.not_after))];
                        let told = NewNotification::about(Kind::Issued, request, told);
                        outbox::enqueue(&mut transaction, &told).await?;
                    }
                    let detail = format!("serial number {}", hexadecimal(&issued.serial_number));
                    audit::note(&mut transaction, id, Action::Issued, Actor::Gateway, detail).await?;
                    let kept = kept_requests::kept(&mut *transaction, id).await?;
                    let entries = kept.map(|kept| journal::Entry::Issued(Box::new(kept))).into_iter().collect();
                    journal::append(&self.database, entries).await?;
                    tracing::info!(%id, "issued");
                }
                true
            }
            Err(CaError::Refused(reason)) => {
                let reason = format!("The certification authority (CA) refuses it: {reason}");
                if issuance::refuse(&mut transaction, id, &reason).await? {
                    let request = requests::find(&mut *transaction, id).await?;
                    if let Some(request) = &request {
                        let told = NewNotification::about(Kind::Rejected, request, vec![("reason", reason.clone())]);
                        outbox::enqueue(&mut transaction, &told).await?;
                    }
                    authorisations::release(&mut transaction, id).await?;
                    audit::note(&mut transaction, id, Action::Rejected, Actor::Gateway, reason.clone()).await?;
                    tracing::warn!(%id, "the CA engine refuses it: rejected");
                }
                true
            }
            Err(error) => {
                let pause = backoff::pause(self.ca.retry_after(), attempts);
                tracing::warn!(%id, %error, pause, "the certificate could not be issued; it stays approved");
                issuance::issue_failed(&mut transaction, id, &error.to_string(), clock::now() + pause).await?;
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
        let issuer = crls::issuer_of(&Certificate::from_der(self.ca.certificate(self.ca.issuing()))?);
        let certificate = Certificate::from_der(&self.ca.issue(order).await?)?;
        let (not_before, not_after) = certificate.validity();
        Ok(Issued {
            serial_number: certificate.serial_number().to_vec(),
            not_before: clock::from_unsigned(not_before),
            not_after: clock::from_unsigned(not_after),
            fingerprints: Fingerprints::of(&certificate),
            issuer,
            certificate: certificate.der().to_vec(),
        })
    }
}

/// Whether a type leaves approval to whether there is an authorisation. A renewal needs none: the holder of the certificate has signed it.
pub(super) fn is_for_the_authorised(kind: Option<&CertificateType>, is_renewal: bool) -> bool {
    !is_renewal && kind.is_some_and(|kind| kind.approval == Some(TypeApproval::Authorised))
}
