//! Officers: who they are, what they may do, and how they sign in.
//!
//! An officer signs in by a one-time link, or with a certificate that was issued here. Either begins a session. Of links and
//! sessions the database has the hash alone: whoever reads it cannot sign in.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding};
use keyside_core::domain::email_address;
use keyside_core::domain::revocation::RevocationReason;
use keyside_core::domain::transaction_id::TransactionId;
use rand::Rng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::audit::{Action, Actor, NewEntry, hexadecimal};
use crate::clock;
use crate::database::{Database, DatabaseError, Transaction};
use crate::store::officers::{Link, Officer};
use crate::store::sessions::{Lifetime, SessionCertificate};
use crate::store::{audit, officers, renewals, requests, sessions};

/// How long a one-time link works, in seconds, unless it is told otherwise.
pub const LINK_LIFETIME: i64 = 3 * clock::DAY;
/// How long a session lasts that is not used, in seconds.
pub const IDLE_LIFETIME: i64 = 30 * 60;
/// How long a session lasts at most, in seconds: a working day.
pub const SESSION_LIFETIME: i64 = 10 * 60 * 60;
/// How exactly it is noted when a session was last used, in seconds: not every page costs a write.
const TOUCH_INTERVAL: i64 = 60;
/// The seconds by which a session may have been started ahead of this gateway's clock: that of another gateway differs a little.
const CLOCK_TOLERANCE: i64 = 5 * 60;
/// Random bytes in a token: 256 bits.
const TOKEN_SIZE: usize = 32;
/// Random bytes in an id: 64 bits.
const ID_SIZE: usize = 8;
/// The longest name or company, in characters.
const LONGEST_TEXT: usize = 128;

/// What an officer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A User Access Administrator: authorises the people of one company, and sees them and their requests.
    Uaa,
    /// Sees everything; approves, rejects and revokes. Does not authorise, so that there are always two.
    Approver,
    /// Sees everything, and changes nothing.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Uaa, Self::Approver, Self::Auditor];

    /// Its name, as the command line and the database have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uaa => "uaa",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Uaa => "User Access Administrator",
            Self::Approver => "Approver",
            Self::Auditor => "Auditor",
        }
    }

    /// Whether officers in this role authorise people, and withdraw that.
    pub fn may_authorise(self) -> bool {
        self == Self::Uaa
    }

    /// Whether officers in this role approve, reject and revoke.
    pub fn may_decide(self) -> bool {
        self == Self::Approver
    }

    /// Whether officers in this role see other officers and the audit log.
    pub fn may_oversee(self) -> bool {
        self != Self::Uaa
    }
}

/// The text is not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of: uaa, approver, auditor")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, UnknownRole> {
        text.parse()
    }
}

impl Officer {
    /// Whether what belongs to this company is the officer's to see. What belongs to none is not a User Access Administrator's.
    pub fn sees(&self, company: Option<&str>) -> bool {
        self.role != Role::Uaa || (self.company.is_some() && self.company.as_deref() == company)
    }

    /// The officer, as the audit log has it.
    pub fn actor(&self) -> Actor {
        Actor::Officer(self.id.clone())
    }
}

/// 256 random bits that let somebody in. Wiped when it is dropped, and never printed by accident.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Draws one.
    fn random() -> Self {
        let mut bytes = Zeroizing::new([0; TOKEN_SIZE]);
        rand::rng().fill_bytes(&mut bytes[..]);
        Self(Zeroizing::new(Base64UrlUnpadded::encode_string(&bytes[..])))
    }

    /// A token that somebody shows. Whether it is one is seen when it is looked for.
    pub fn shown(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The token itself.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// What the database has of it.
    fn sha256(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }

    /// What a form shows to prove that a page of this session has sent it. It says nothing about the token.
    pub fn for_forms(&self) -> String {
        hexadecimal(&Sha256::new_with_prefix(b"keyside console form ").chain_update(self.0.as_bytes()).finalize())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

/// Who is to be an officer.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The role.
    pub role: Role,
    /// The company of a User Access Administrator.
    pub company: Option<String>,
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email_address: String,
}

/// Why an officer cannot be invited, or given a way to sign in.
#[derive(Debug, thiserror::Error)]
pub enum OfficerError {
    /// A User Access Administrator without a company, or another officer with one.
    #[error(
        "a User Access Administrator belongs to a company, and no other officer does: give --company with --role uaa alone"
    )]
    Company,
    /// The text is empty or too long.
    #[error("{0} must have between 1 and {LONGEST_TEXT} characters, and no control characters")]
    Text(&'static str),
    /// The address is none.
    #[error("the e-mail address: {0}")]
    EmailAddress(#[from] email_address::EmailAddressFault),
    /// There is no such officer.
    #[error("there is no officer {0} who may still work; `keyside-gateway officer list` shows those there are")]
    Unknown(String),
    /// The certificate cannot sign anybody in.
    #[error(
        "no certificate with the serial number {0} was issued here that is not revoked; `keyside-gateway requests list` shows them"
    )]
    NoCertificate(String),
    /// The certificate signs somebody else in.
    #[error("the certificate {0} signs in another officer")]
    CertificateTaken(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for OfficerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A text that people write, trimmed, if it can be one.
pub fn text(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let fits = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// A new id.
pub fn random_id() -> String {
    let mut bytes = [0; ID_SIZE];
    rand::rng().fill_bytes(&mut bytes);
    hexadecimal(&bytes)
}

/// Makes an officer. Who has no `certificate` (its serial number) cannot sign in yet: see [`give_link`].
pub async fn invite(
    database: &Database,
    invitation: Invitation,
    certificate: Option<&[u8]>,
    actor: Actor,
) -> Result<Officer, OfficerError> {
    let Invitation { role, company, name, email_address } = invitation;
    if (role == Role::Uaa) != company.is_some() {
        return Err(OfficerError::Company);
    }
    let company = company.map(|company| text(&company, LONGEST_TEXT).ok_or(OfficerError::Text("the company")));
    let email_address = email_address.trim().to_owned();
    email_address::check(&email_address)?;
    let officer = Officer {
        id: random_id(),
        role,
        company: company.transpose()?,
        name: text(&name, LONGEST_TEXT).ok_or(OfficerError::Text("the name"))?,
        email_address,
        invited_at: clock::now(),
        certificate_serial_number: None,
        last_seen_at: None,
        revoked_at: None,
    };
    let company = officer.company.as_deref().map(|company| format!(" of {company}")).unwrap_or_default();
    let detail = format!("{}, {}{company}, {}", officer.name, role.title(), officer.email_address);
    let mut transaction = database.transaction().await?;
    officers::insert(&mut transaction, &officer).await?;
    let (at, subject) = (officer.invited_at, officer.id.clone());
    let entry = NewEntry { at, actor: actor.clone(), action: Action::OfficerInvited, subject, detail };
    audit::append(&mut transaction, entry).await?;
    if let Some(serial_number) = certificate {
        bind(&mut transaction, &officer.id, serial_number, actor).await?;
    }
    transaction.commit().await?;
    Ok(officer)
}

/// Gives an officer a one-time link, which works for so many seconds. The one before works no longer.
pub async fn give_link(database: &Database, id: &str, lifetime: i64, actor: Actor) -> Result<Token, OfficerError> {
    let (token, now) = (Token::random(), clock::now());
    let link = Link { token_sha256: token.sha256(), expires_at: now + lifetime };
    let mut transaction = database.transaction().await?;
    if !officers::give_link(&mut transaction, id, &link).await? {
        return Err(OfficerError::Unknown(id.into()));
    }
    linked(&mut transaction, id, "a one-time link".into(), actor, now).await?;
    transaction.commit().await?;
    Ok(token)
}

/// Lets a certificate that was issued here sign the officer in, in place of the one before.
pub async fn bind_certificate(
    database: &Database,
    id: &str,
    serial_number: &[u8],
    actor: Actor,
) -> Result<(), OfficerError> {
    let mut transaction = database.transaction().await?;
    bind(&mut transaction, id, serial_number, actor).await?;
    transaction.commit().await?;
    Ok(())
}

async fn bind(transaction: &mut Transaction, id: &str, serial_number: &[u8], actor: Actor) -> Result<(), OfficerError> {
    let shown = hexadecimal(serial_number);
    let issued = requests::find_issued(&mut **transaction, serial_number).await?;
    if issued.is_none_or(|issued| issued.revoked_at.is_some()) {
        return Err(OfficerError::NoCertificate(shown));
    }
    let other = officers::find_by_certificate(&mut **transaction, serial_number).await?;
    if other.is_some_and(|officer| officer.id != id) {
        return Err(OfficerError::CertificateTaken(shown));
    }
    if !officers::bind_certificate(transaction, id, serial_number).await? {
        return Err(OfficerError::Unknown(id.into()));
    }
    Ok(linked(transaction, id, format!("the certificate {shown}"), actor, clock::now()).await?)
}

async fn linked(
    transaction: &mut Transaction,
    id: &str,
    detail: String,
    actor: Actor,
    at: i64,
) -> Result<(), DatabaseError> {
    let entry = NewEntry { at, actor, action: Action::OfficerLinked, subject: id.into(), detail };
    Ok(audit::append(transaction, entry).await?)
}

/// Whom a link would sign in. It is not used up by that: programs that look through mail open every link.
pub async fn of_link(database: &Database, token: &Token) -> Result<Option<Officer>, DatabaseError> {
    Ok(officers::find_by_link(database, &token.sha256(), clock::now()).await?)
}

/// Uses a link up and begins a session, if the link works.
pub async fn sign_in_by_link(database: &Database, token: &Token) -> Result<Option<Token>, DatabaseError> {
    let now = clock::now();
    let mut transaction = database.transaction().await?;
    let Some(officer) = officers::take_link(&mut transaction, &token.sha256(), now).await? else { return Ok(None) };
    begin(transaction, &officer, None, "by a one-time link".into(), now).await.map(Some)
}

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
    let transaction = database.transaction().await?;
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
        take_sign_in(&mut transaction, &serial_number, "expired", &Actor::Gateway).await?;
        transaction.commit().await?;
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

/// Shuts an officer out: sessions, link and certificate work no longer.
pub async fn revoke(database: &Database, id: &str, actor: Actor) -> Result<(), OfficerError> {
    let now = clock::now();
    let mut transaction = database.transaction().await?;
    if !officers::revoke(&mut transaction, id, now).await? {
        return Err(OfficerError::Unknown(id.into()));
    }
    sessions::end_all(&mut transaction, id).await?;
    let entry = NewEntry { at: now, actor, action: Action::OfficerRevoked, subject: id.into(), detail: String::new() };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

/// A serial number that is written in hexadecimal, with or without colons, as viewers of certificates show it. Gives it unsigned, most
/// significant byte first.
pub fn serial_number(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hexadecimal =
        !digits.is_empty() && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    is_hexadecimal.then(|| digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_serial_number_is_read_as_viewers_show_it() {
        for text in ["0a1bff", "0A:1B:FF", " 0a1bFF "] {
            assert_eq!(serial_number(text).unwrap(), [0x0a, 0x1b, 0xff], "{text}");
        }
        for text in ["", ":", "0a1", "0a1g", "+a0b", "ää"] {
            assert_eq!(serial_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_is_not_printed_and_comes_once() {
        let (one, other) = (Token::random(), Token::random());
        assert_eq!(format!("{one:?}"), "Token");
        assert_eq!(one.secret().len(), 43);
        assert_ne!(one.secret(), other.secret());
        assert_ne!(one.for_forms(), hexadecimal(&one.sha256()));
    }

    #[test]
    fn texts_are_trimmed_and_bounded() {
        assert_eq!(text("  Ada ", 3).as_deref(), Some("Ada"));
        assert_eq!(text("Ada", 2), None);
        assert_eq!(text(" ", 2), None);
        assert_eq!(text("A\tB", 9), None);
    }
}
