//! Signing in and out, and what ends a session.

use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;
use sha2::{Digest, Sha256};

use super::token::Token;
use crate::clock;
use crate::database::{Database, DatabaseError, Transaction};
use crate::hexadecimal::hexadecimal;
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::officers::{self, Officer};
use crate::store::sessions::{self, Lifetime, SessionCertificate};
use crate::store::{renewals, requests};

/// How long a session lasts that is not used, in seconds.
pub const IDLE_LIFETIME: i64 = 30 * 60;

/// How long a session lasts at most, in seconds: a working day.
pub const SESSION_LIFETIME: i64 = 10 * 60 * 60;

/// How exactly it is noted when a session was last used, in seconds: not every page costs a write.
const TOUCH_INTERVAL: i64 = 60;

/// The seconds by which a session may have been started ahead of this gateway's clock: that of another gateway differs a little.
const CLOCK_TOLERANCE: i64 = 5 * 60;

/// The outcome of signing in with a certificate.
#[derive(Debug)]
pub enum CertificateSignIn {
    /// A session has begun.
    Begun(Token),
    /// The certificate renews one that signs an officer in. An operator confirms that the officer has it: a thief of the one before can
    /// renew it, too.
    Unconfirmed,
    /// It is no officer's.
    Stranger,
}

/// Whom a link would sign in. It is not used up by that: programs that look through mail open every link.
pub async fn of_link(database: &Database, token: &Token) -> Result<Option<Officer>, DatabaseError> {
    Ok(officers::find_by_link(database, &token.sha256(), clock::now()).await?)
}

/// Uses a link up and begins a session, if the link works.
pub async fn sign_in_by_link(database: &Database, token: &Token) -> Result<Option<Token>, DatabaseError> {
    let now = clock::now();
    let mut transaction = database.transaction().await?;
    audit::lock(&mut transaction).await?;
    let Some(officer) = officers::take_link(&mut transaction, &token.sha256(), now).await? else { return Ok(None) };
    begin(transaction, &officer, None, "by a one-time link".into(), now).await.map(Some)
}

/// Begins a session with a certificate, DER, that was issued here under this serial number, is valid and not revoked, if it is bound to an
/// officer.
pub async fn sign_in_by_certificate(
    database: &Database,
    serial_number: &[u8],
    certificate: &[u8],
) -> Result<CertificateSignIn, DatabaseError> {
    let shown = hexadecimal(serial_number);
    let Some(officer) = officers::find_by_certificate(database.reader(), serial_number).await? else {
        let renewed = match renewals::renewed_by(database.reader(), serial_number).await? {
            Some(renewed) => officers::find_by_certificate(database.reader(), &renewed).await?,
            None => None,
        };
        return Ok(match renewed {
            Some(officer) => {
                tracing::warn!(
                    officer = officer.id,
                    serial_number = shown,
                    "this certificate renews the officer's: `keyside-gateway officer certificate` confirms it"
                );
                CertificateSignIn::Unconfirmed
            }
            None => CertificateSignIn::Stranger,
        });
    };
    let sha256 = Sha256::digest(certificate);
    let certificate = SessionCertificate { serial_number, sha256: &sha256 };
    let mut transaction = database.transaction().await?;
    audit::lock(&mut transaction).await?;
    let detail = format!("with the certificate {shown}");
    begin(transaction, &officer, Some(certificate), detail, clock::now()).await.map(CertificateSignIn::Begun)
}

/// Ends what a certificate that was revoked has let officers do: sessions that began with it, and that it signs in. So it is with those that
/// renew it, whose holder may be the one that it was revoked for; but for one that has only taken its place, which an operator has confirmed.
pub async fn certificate_revoked(
    transaction: &mut Transaction,
    id: TransactionId,
    reason: RevocationReason,
    actor: &Actor,
) -> Result<(), DatabaseError> {
    let ended = match reason {
        RevocationReason::Superseded => {
            let request = requests::find(&mut **transaction, id).await?;
            request.and_then(|request| request.serial_number).into_iter().collect()
        }
        _ => renewals::serial_numbers_from(&mut **transaction, id).await?,
    };
    for serial_number in ended {
        take_sign_in(transaction, &serial_number, "revoked, or renews one that was", actor).await?;
    }
    Ok(())
}

/// Ends what certificates that have expired have let officers do.
pub async fn end_expired(database: &Database) -> Result<(), DatabaseError> {
    let expired = officers::expired_certificates(database.reader(), clock::now()).await?;
    for serial_number in expired {
        let mut transaction = database.transaction().await?;
        audit::lock(&mut transaction).await?;
        take_sign_in(&mut transaction, &serial_number, "expired", &Actor::Gateway).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Ends what every certificate of an issuer has let officers do.
pub async fn issuer_revoked(transaction: &mut Transaction, issuer: &[u8], actor: &Actor) -> Result<(), DatabaseError> {
    for serial_number in officers::certificates_by(transaction, issuer).await? {
        take_sign_in(transaction, &serial_number, "its issuer was revoked", actor).await?;
    }
    Ok(())
}

async fn take_sign_in(
    transaction: &mut Transaction,
    serial_number: &[u8],
    why: &str,
    actor: &Actor,
) -> Result<(), DatabaseError> {
    sessions::end_with_certificate(transaction, serial_number).await?;
    let Some(subject) = officers::unbind_certificate(transaction, serial_number).await? else { return Ok(()) };
    let detail = format!("the certificate {}: {why}", hexadecimal(serial_number));
    let (at, actor) = (clock::now(), actor.clone());
    Ok(audit::append(transaction, NewEntry { at, actor, action: Action::OfficerUnlinked, subject, detail }).await?)
}

/// Begins a session.
async fn begin(
    mut transaction: Transaction,
    officer: &Officer,
    certificate: Option<SessionCertificate<'_>>,
    detail: String,
    now: i64,
) -> Result<Token, DatabaseError> {
    let token = Token::random();
    sessions::forget(&mut transaction, now - SESSION_LIFETIME).await?;
    sessions::start(&mut transaction, &token.sha256(), &officer.id, certificate, now).await?;
    officers::seen(&mut transaction, &officer.id, now).await?;
    let entry =
        NewEntry { at: now, actor: officer.actor(), action: Action::SignedIn, subject: officer.id.clone(), detail };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(token)
}

/// The officer whose session this is, if it has not ended. A session that began with a certificate needs that certificate each time:
/// `certificate`, DER.
pub async fn of_session(
    database: &Database,
    token: &Token,
    certificate: Option<&[u8]>,
) -> Result<Option<Officer>, DatabaseError> {
    let (now, sha256) = (clock::now(), token.sha256());
    let lifetime = Lifetime {
        started_after: now - SESSION_LIFETIME,
        used_after: now - IDLE_LIFETIME,
        started_before: now + CLOCK_TOLERANCE,
        now,
    };
    let Some(session) = sessions::find(database, &sha256, lifetime).await? else { return Ok(None) };
    if let Some(begun_with) = &session.certificate_sha256
        && certificate.is_none_or(|shown| Sha256::digest(shown)[..] != begun_with[..])
    {
        return Ok(None);
    }
    if session.last_used_at + TOUCH_INTERVAL <= now {
        let mut transaction = database.transaction().await?;
        sessions::touch(&mut transaction, &sha256, now).await?;
        officers::seen(&mut transaction, &session.officer.id, now).await?;
        transaction.commit().await?;
    }
    Ok(Some(session.officer))
}

/// Ends this session.
pub async fn sign_out(database: &Database, token: &Token) -> Result<(), DatabaseError> {
    let mut transaction = database.transaction().await?;
    sessions::end(&mut transaction, &token.sha256()).await?;
    Ok(transaction.commit().await?)
}

/// Ends every session of the officer.
pub async fn sign_out_everywhere(database: &Database, id: &str) -> Result<(), DatabaseError> {
    let mut transaction = database.transaction().await?;
    sessions::end_all(&mut transaction, id).await?;
    Ok(transaction.commit().await?)
}
