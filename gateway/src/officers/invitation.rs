//! Inviting officers, giving them ways to sign in, and shutting them out.

use keyside_core::domain::email_address;
use unicode_normalization::UnicodeNormalization;

use super::token::Token;
use crate::clock;
use crate::database::{Database, DatabaseError, Transaction};
use crate::hexadecimal::hexadecimal;
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::officer_roles::Role;
use crate::store::officers::{self, Link, Officer};
use crate::store::{issued_certificates, journal, random_id, sessions};

/// The longest name or company, in characters.
const LONGEST_TEXT: usize = 128;

/// How long a one-time link works, in seconds, unless it is told otherwise.
pub const LINK_LIFETIME: i64 = 3 * clock::DAY;

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

/// Makes an officer. Who has no `certificate` (its serial number) cannot sign in yet: see [`give_link`].
pub async fn invite(
    database: &Database,
    invitation: Invitation,
    certificate: Option<&[u8]>,
    actor: Actor,
) -> Result<Officer, OfficerError> {
    let Invitation { role, company, name, email_address } = invitation;
    if role.is_of_company() != company.is_some() {
        return Err(OfficerError::Company);
    }
    // As authorisations have it: one who types the same letters in another way names the same company.
    let company = company.map(|company| company.nfc().collect::<String>());
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
    audit::lock(&mut transaction).await?;
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
    audit::lock(&mut transaction).await?;
    bind(&mut transaction, id, serial_number, actor).await?;
    transaction.commit().await?;
    Ok(())
}

async fn bind(transaction: &mut Transaction, id: &str, serial_number: &[u8], actor: Actor) -> Result<(), OfficerError> {
    let shown = hexadecimal(serial_number);
    let issued = issued_certificates::find(&mut **transaction, serial_number).await?;
    if issued.is_none_or(|issued| issued.revoked_at.is_some()) {
        return Err(OfficerError::NoCertificate(shown));
    }
    let other = officers::find_by_certificate(&mut **transaction, serial_number).await?;
    if other.is_some_and(|officer| officer.id != id) {
        return Err(OfficerError::CertificateTaken(shown));
    }
    let before = officers::certificate_of(transaction, id).await?;
    if !officers::bind_certificate(transaction, id, serial_number).await? {
        return Err(OfficerError::Unknown(id.into()));
    }
    if let Some(before) = before.filter(|before| before != serial_number) {
        sessions::end_with_certificate(transaction, &before).await?;
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

/// Shuts an officer out: sessions, link and certificate work no longer.
pub async fn revoke(database: &Database, id: &str, actor: Actor) -> Result<(), OfficerError> {
    let now = clock::now();
    let mut transaction = database.transaction().await?;
    audit::lock(&mut transaction).await?;
    if !officers::revoke(&mut transaction, id, now).await? {
        return Err(OfficerError::Unknown(id.into()));
    }
    sessions::end_all(&mut transaction, id).await?;
    journal::append(database, vec![journal::Entry::OfficerRevoked { id: id.into(), revoked_at: now }]).await?;
    let entry = NewEntry { at: now, actor, action: Action::OfficerRevoked, subject: id.into(), detail: String::new() };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_trimmed_and_bounded() {
        assert_eq!(text("  Ada ", 3).as_deref(), Some("Ada"));
        assert_eq!(text("Ada", 2), None);
        assert_eq!(text(" ", 2), None);
        assert_eq!(text("A\tB", 9), None);
    }
}
