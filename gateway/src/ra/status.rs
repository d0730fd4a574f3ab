//! Answers: the configuration, the CA's certificates, how a request stands, its certificate, and what the connection check sees.

use std::sync::Arc;

use keyside_core::api::{
    CaCertificates, Configuration, ConnectionCheck, ConnectionVerdict, ProblemKind, RequestState, RequestStatus,
};
use keyside_core::domain::transaction_id::TransactionId;
use keyside_pki::certificate::Certificate;
use tokio::task::spawn_blocking;

use super::RegistrationAuthority;
use super::connection_check::{self, Client};
use super::refusal::Refusal;
use super::settings::Approval;
use crate::ca::expiry::CaEnd;
use crate::ca::{Authority, CaError};
use crate::clock;
use crate::store::issued_certificates;
use crate::store::requests::{self, Request, State};
use crate::store::revocations;

/// When to ask again about a request that a person will decide, in seconds.
const MANUAL_RETRY_AFTER: i64 = 10;

/// When to ask again about a certificate that the CA engine did not give when it was asked, in seconds.
const ENGINE_RETRY_AFTER: i64 = 10;

/// A request as it stands, and when to ask again.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How it stands.
    pub status: RequestStatus,
    /// The seconds after which asking again makes sense, while it is pending.
    pub retry_after: Option<u64>,
}

impl RegistrationAuthority {
    /// What the page needs to know.
    pub fn configuration(&self) -> Configuration {
        self.settings.configuration.clone()
    }

    /// The CA's certificates, its documents, and the CAs before it.
    pub fn ca_certificates(&self) -> CaCertificates {
        let certificate = |authority| self.ca.certificate(authority).to_vec().into();
        CaCertificates {
            trust_anchors: vec![certificate(Authority::Root)],
            intermediates: self.ca.intermediates().into_iter().map(|der| der.to_vec().into()).collect(),
            documents: self.settings.trust.documents_to_api(),
            retired: self.settings.trust.retired_to_api(),
        }
    }

    /// The certificates of issuing authorities below the root, as DER, the current one first.
    pub fn intermediates(&self) -> Vec<&[u8]> {
        self.ca.intermediates()
    }

    /// The certificates between a user's, DER, and the root, as DER, without both.
    pub fn chain(&self, certificate: &[u8]) -> Vec<&[u8]> {
        let all = self.ca.intermediates();
        let own = Certificate::from_der(certificate).ok().and_then(|leaf| {
            let has_issued = |der: &&&[u8]| {
                Certificate::from_der(der)
                    .is_ok_and(|issuing| leaf.names_as_issuer(&issuing) && leaf.verify_signed_by(&issuing).is_ok())
            };
            all.iter().find(has_issued).copied()
        });
        own.map_or(all, |own| vec![own])
    }

    /// Every authority, the root first.
    pub fn authorities(&self) -> Vec<Authority> {
        self.ca.authorities()
    }

    /// True if the certificate of the authority that has issued `certificate` was revoked.
    pub(super) async fn is_of_revoked_authority(&self, certificate: &Certificate) -> Result<bool, Refusal> {
        let revoked = revocations::revoked_authorities(self.database.reader()).await?;
        let issuing = self.chain(certificate.der()).into_iter().filter_map(|der| Certificate::from_der(der).ok());
        let serial_numbers: Vec<Vec<u8>> = issuing.map(|issuing| issuing.serial_number().to_vec()).collect();
        Ok(revoked.iter().any(|revoked| serial_numbers.contains(&revoked.serial_number)))
    }

    /// The certificate of `authority`, as DER.
    pub fn authority_certificate(&self, authority: Authority) -> &[u8] {
        self.ca.certificate(authority)
    }

    /// The end of the CA's own certificates that comes first.
    pub fn ca_end(&self) -> Option<CaEnd> {
        CaEnd::first(&*self.ca)
    }

    /// How the request `id` stands.
    pub async fn status(&self, id: TransactionId) -> Result<Standing, Refusal> {
        Ok(self.standing(&self.find(id).await?))
    }

    /// The certificate of the request `id`, as DER.
    pub async fn certificate(&self, id: TransactionId) -> Result<Vec<u8>, Refusal> {
        if let Some(certificate) = issued_certificates::of_request(self.database.reader(), id).await? {
            return Ok(certificate);
        }
        let request = self.find(id).await?;
        Err(Refusal::new(
            ProblemKind::NotIssued,
            match (request.rejection_reason, request.issue_fault) {
                (Some(reason), _) => format!("The request was rejected: {reason}"),
                (None, Some(_)) => "The request is approved, but the certification authority (CA) does not issue at the moment. \
                                    Nothing is lost, and nothing to be done: the certificate comes as soon as it does; ask again later."
                    .into(),
                (None, None) => "The certificate is not ready yet: ask for the request's state, and again later.".into(),
            },
        ))
    }

    /// Whether the certificate that `client` shows works here, as far as it can be seen in the certificate.
    pub async fn check_connection(&self, client: Client) -> Result<ConnectionCheck, Refusal> {
        let (ca, shown) = (Arc::clone(&self.ca), client.certificate.clone());
        let judging = spawn_blocking(move || -> Result<_, CaError> {
            let root = Certificate::from_der(ca.certificate(Authority::Root))?;
            let issuing: Result<Vec<_>, _> = ca.intermediates().into_iter().map(Certificate::from_der).collect();
            Ok(connection_check::judge(shown.as_deref(), &root, &issuing?, clock::to_unsigned(clock::now())))
        });
        let (mut verdict, certificate) = judging.await??;
        if verdict == ConnectionVerdict::Works
            && let Some(certificate) = &certificate
            && let Some(issued) = issued_certificates::find(self.database.reader(), certificate.serial_number()).await?
            && issued.revoked_at.is_some()
        {
            verdict = ConnectionVerdict::Revoked;
        }
        if verdict == ConnectionVerdict::Works
            && let Some(certificate) = &certificate
            && self.is_of_revoked_authority(certificate).await?
        {
            verdict = ConnectionVerdict::Revoked;
        }
        Ok(connection_check::answer(&client, verdict, certificate.as_ref()))
    }

    pub(super) async fn find(&self, id: TransactionId) -> Result<Request, Refusal> {
        requests::find(self.database.reader(), id).await?.ok_or_else(|| unknown(id))
    }

    /// How a request stands, as the API says it. Between approval and issuance users still wait: it is pending to them.
    pub(super) fn standing(&self, request: &Request) -> Standing {
        let state = match request.state {
            State::Pending | State::Approved => RequestState::Pending,
            State::Rejected => RequestState::Rejected { reason: request.rejection_reason.clone().unwrap_or_default() },
            State::Issued => RequestState::Issued,
        };
        let retry_after = match (request.state, request.approve_at, self.settings.approval) {
            (State::Rejected | State::Issued, ..) => None,
            (State::Approved, ..) if request.issue_fault.is_some() => Some(ENGINE_RETRY_AFTER),
            (State::Approved, ..) => Some(1),
            // The same for those who are authorised and those who are not.
            (State::Pending, ..) if self.is_for_the_authorised(request) => Some(MANUAL_RETRY_AFTER),
            (State::Pending, Some(approve_at), Approval::Automatic { .. }) => {
                Some((approve_at - clock::now()).max(0) + 1)
            }
            (State::Pending, ..) => Some(MANUAL_RETRY_AFTER),
        };
        Standing {
            status: RequestStatus {
                transaction_id: request.transaction_id,
                submitted_at: clock::to_unsigned(request.submitted_at),
                state,
                revocation: request.revocation(),
                device: request.device(),
            },
            retry_after: retry_after.map(clock::to_unsigned),
        }
    }
}

/// For a transaction ID that no request has.
pub(super) fn unknown(id: TransactionId) -> Refusal {
    let text = format!("There is no request {id} here: compare it with what you noted, or register again.");
    Refusal::new(ProblemKind::UnknownTransactionId, text)
}
