//! The CA's CRLs. Each is signed again once a day, and after a certificate was revoked.

use keyside_core::api::ProblemKind;
use keyside_pki::certificate::Certificate;
use sqlx::any::AnyExecutor;

use super::RegistrationAuthority;
use super::refusal::Refusal;
use crate::ca::{Authority, CrlOrder};
use crate::clock::{self, BACKDATING, DAY};
use crate::hexadecimal::hexadecimal;
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::crls::{self, Crl};
use crate::store::{journal, revocations};

/// How old a CRL may become before a new one is signed, in seconds.
const CRL_REFRESH: i64 = DAY;

impl RegistrationAuthority {
    /// The current CRL of `authority`, as DER; signed anew if it is a day old, or if a certificate was revoked since.
    pub async fn crl(&self, authority: Authority) -> Result<Vec<u8>, Refusal> {
        let Some(lifetime) = self.ca.crl_lifetime() else {
            let revoked = revocations::revoked(self.database.reader()).await?;
            let now = clock::now();
            let order = CrlOrder { authority, number: 0, this_update: now, next_update: now, revoked };
            return self.ca.crl(order).await?.ok_or_else(no_crl);
        };
        let certificate =
            Certificate::from_der(self.ca.certificate(authority)).map_err(|error| Refusal::internal(&error))?;
        let issuer = crls::issuer_of(&certificate);
        let last = crls::find(self.database.reader(), &issuer).await?;
        let entries = self.entries(self.database.reader(), authority, &issuer).await?;
        // The last one of an authority whose certificate has ended stays: no one takes a later one.
        let has_ended = clock::from_unsigned(certificate.validity().1) <= clock::now();
        if let Some(last) = last
            && (is_current(&last, entries) || (has_ended && !last.crl.is_empty()))
        {
            return Ok(last.crl);
        }
        // One gateway of all: no two sign a CRL with the same number.
        let mut transaction = self.database.transaction().await?;
        let last = crls::lock(&mut transaction, &issuer).await?;
        let entries = self.entries(&mut *transaction, authority, &issuer).await?;
        if is_current(&last, entries) {
            return Ok(last.crl);
        }
        let now = clock::now();
        // Read after they were counted: one that is revoked in between is on this CRL, and the next one is signed all the same.
        let revoked = match authority {
            Authority::Root => revocations::revoked_authorities(&mut *transaction).await?,
            Authority::Issuing(_) => revocations::revoked_by(&mut *transaction, &issuer).await?,
        };
        let (number, this_update) = (last.number + 1, now - BACKDATING);
        let order = CrlOrder { authority, number, this_update, next_update: now + lifetime.seconds(), revoked };
        let crl = self.ca.crl(order).await?.ok_or_else(no_crl)?;
        let crl = Crl { number, this_update, entries, crl };
        crls::replace(&mut transaction, &issuer, &crl).await?;
        let entry = journal::Entry::Crl { issuer: hexadecimal(&issuer), number };
        journal::append(&self.database, vec![entry]).await?;
        let name = certificate.subject().to_string();
        let (actor, action, detail) =
            (Actor::Gateway, Action::CrlSigned, format!("number {number}, {entries} entries"));
        audit::append(&mut transaction, NewEntry { at: now, actor, action, subject: name, detail }).await?;
        transaction.commit().await?;
        tracing::info!(?authority, number, entries, "CRL signed");
        Ok(crl.crl)
    }

    /// The number of certificates on the CRL of `authority`, which is the `issuer`.
    async fn entries(
        &self,
        executor: impl AnyExecutor<'_>,
        authority: Authority,
        issuer: &[u8],
    ) -> Result<i64, Refusal> {
        Ok(match authority {
            Authority::Root => {
                let revoked = revocations::revoked_authorities(executor).await?;
                i64::try_from(revoked.len()).unwrap_or(i64::MAX)
            }
            Authority::Issuing(_) => revocations::count_revoked_by(executor, issuer).await?,
        })
    }
}

/// Whether a CRL need not be signed anew.
fn is_current(crl: &Crl, entries: i64) -> bool {
    // One from a time when the clock was ahead is not valid yet.
    (crl.this_update..crl.this_update + CRL_REFRESH).contains(&clock::now()) && crl.entries == entries
}

/// For an authority without a CRL.
fn no_crl() -> Refusal {
    Refusal::new(ProblemKind::NotFound, "This authority has no certificate revocation list (CRL) here.")
}
