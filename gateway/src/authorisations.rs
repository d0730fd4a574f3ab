//! Authorisations: that a person may have a certificate, said before anybody asks for it.
//!
//! A request matches an authorisation when certificate type and Common Name are the same to the letter, and the e-mail address but for
//! case. One authorisation is for one request. The applicant is never told whether there is one: the answers are the same.

use keyside_core::domain::distinguished_name::check_common_name;
use keyside_core::domain::email_address;
use keyside_core::domain::transaction_id::TransactionId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::audit::{Action, Actor, NewEntry};
use crate::clock::{self, DAY};
use crate::config::{CertificateType, TypeApproval};
use crate::database::{Database, DatabaseError, Transaction};
use crate::notifications::Kind;
use crate::officers::random_id;
use crate::store::authorisations::{Applicant, Authorisation, Filter, Standing};
use crate::store::outbox::{self, NewNotification};
use crate::store::{audit, authorisations, requests};

/// How long an authorisation may stay open, in days.
pub const LONGEST_DAYS: i64 = 366;

/// Who is to be authorised, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct NewAuthorisation {
    /// The id of the certificate type.
    pub certificate_type: String,
    /// The Common Name.
    pub common_name: String,
    /// The e-mail address.
    pub email_address: String,
    /// The company, which is the officer's own.
    pub company: String,
    /// The last second at which a request may come; nothing if it was not understood.
    pub expires_at: Option<i64>,
}

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The certificate type.
    CertificateType,
    /// The Common Name.
    CommonName,
    /// The e-mail address.
    EmailAddress,
    /// Until when.
    Until,
}

/// Why nobody is authorised.
#[derive(Debug, thiserror::Error)]
pub enum AuthorisationError {
    /// What was typed cannot be; each field with its fault, in the order of the form.
    #[error("fields are wrong")]
    Faults(Vec<(Field, String)>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for AuthorisationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Authorises a person, and writes the notification in the same transaction. A request that waits already, and matches, is the one
/// that it is for.
pub async fn authorise(
    database: &Database,
    types: &[CertificateType],
    public_url: &str,
    new: NewAuthorisation,
    actor: &Actor,
) -> Result<Authorisation, AuthorisationError> {
    let now = clock::now();
    let kind = types.iter().find(|kind| kind.id == new.certificate_type);
    let common_name = new.common_name.trim();
    let address = new.email_address.trim();
    let mut faults = Vec::new();
    if kind.is_none() {
        faults.push((Field::CertificateType, "Choose one of the types.".into()));
    }
    if let Err(fault) = check_common_name(common_name) {
        faults.push((Field::CommonName, format!("The Common Name cannot be used: {fault}.")));
    }
    if let Err(fault) = email_address::check(address) {
        faults.push((Field::EmailAddress, format!("The e-mail address cannot be used: {fault}.")));
    }
    if !new.expires_at.is_some_and(|at| (now..=now + LONGEST_DAYS * DAY).contains(&at)) {
        let fault = format!("Give a day from today on, at most {LONGEST_DAYS} days ahead, as in 2030-12-31.");
        faults.push((Field::Until, fault));
    }
    let (Some(kind), Some(expires_at), true) = (kind, new.expires_at, faults.is_empty()) else {
        return Err(AuthorisationError::Faults(faults));
    };
    let authorisation = Authorisation {
        id: random_id(),
        certificate_type: kind.id.clone(),
        common_name: common_name.into(),
        email_address: address.into(),
        company: new.company,
        authorised_at: now,
        authorised_by: actor.to_string(),
        expires_at,
        withdrawn_at: None,
        used_by: None,
    };
    let mut transaction = database.transaction().await?;
    authorisations::insert(&mut transaction, &authorisation).await?;
    if let Some(waiting) = requests::waiting_for(&mut transaction, applicant(&authorisation)).await? {
        authorisations::give(&mut transaction, &authorisation.id, &waiting.transaction_id.to_string()).await?;
        let approve_at = approve_at(kind, waiting.names_hosts(), now).or(waiting.approve_at);
        let company = Some(authorisation.company.as_str());
        requests::mark(&mut transaction, waiting.transaction_id, Some(&authorisation.id), company, approve_at).await?;
    }
    let told = NewNotification {
        kind: Kind::Authorised,
        to: authorisation.email_address.clone(),
        transaction_id: None,
        unique_key: authorisation.id.clone(),
        values: vec![
            ("common_name", authorisation.common_name.clone()),
            ("certificate_type", authorisation.certificate_type.clone()),
            ("company", authorisation.company.clone()),
            ("valid_until", clock::date_and_time(expires_at)),
            ("register_url", register_link(public_url, &authorisation)),
        ],
    };
    outbox::enqueue(&mut transaction, &told).await?;
    let detail = format!(
        "{}, {}, {}, {}, until {}",
        authorisation.common_name,
        authorisation.email_address,
        kind.id,
        authorisation.company,
        clock::date_and_time(expires_at)
    );
    let entry = NewEntry {
        at: now,
        actor: actor.clone(),
        action: Action::Authorised,
        subject: authorisation.id.clone(),
        detail,
    };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    tracing::info!(authorisation = authorisation.id, %actor, "authorised");
    Ok(authorisation)
}

/// Who an authorisation is for.
fn applicant(authorisation: &Authorisation) -> Applicant<'_> {
    Applicant {
        certificate_type: &authorisation.certificate_type,
        common_name: &authorisation.common_name,
        email_address: &authorisation.email_address,
    }
}

/// When a request that matches an authorisation approves itself because its type has it so. Whoever trusts the CA would take the holder
/// of a certificate that names hosts for these hosts: a person decides about one, always.
fn approve_at(kind: &CertificateType, names_hosts: bool, now: i64) -> Option<i64> {
    (kind.approval == Some(TypeApproval::Authorised) && !names_hosts).then_some(now)
}

/// Looks for an authorisation of a request that has just come, and marks the request. It does the same work whether there is one or
/// not, so that the time to an answer does not tell.
pub async fn match_request(
    transaction: &mut Transaction,
    kind: &CertificateType,
    id: TransactionId,
    applicant: Applicant<'_>,
    names_hosts: bool,
    otherwise_approve_at: Option<i64>,
    now: i64,
) -> Result<(), sqlx::Error> {
    let found = authorisations::take(transaction, applicant, id, now).await?;
    let approve_at = match &found {
        Some(_) => approve_at(kind, names_hosts, now).or(otherwise_approve_at),
        None => otherwise_approve_at,
    };
    let (authorisation, company) = found.map(|found| (found.id, found.company)).unzip();
    requests::mark(transaction, id, authorisation.as_deref(), company.as_deref(), approve_at).await
}

/// Withdraws an authorisation. Returns whether that was not so before.
pub async fn withdraw(database: &Database, id: &str, actor: &Actor) -> Result<bool, DatabaseError> {
    let at = clock::now();
    let mut transaction = database.transaction().await?;
    let is_new = authorisations::withdraw(&mut transaction, id, at).await?;
    if is_new {
        requests::leave_to_a_person(&mut transaction, id).await?;
        let (actor, subject) = (actor.clone(), id.into());
        let entry = NewEntry { at, actor, action: Action::Withdrawn, subject, detail: String::new() };
        audit::append(&mut transaction, entry).await?;
    }
    transaction.commit().await?;
    Ok(is_new)
}

/// Where the person registers, with the form filled in.
pub fn register_link(public_url: &str, authorisation: &Authorisation) -> String {
    let [common_name, email_address] = [&authorisation.common_name, &authorisation.email_address]
        .map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    let kind = &authorisation.certificate_type;
    format!("{public_url}/register/{kind}?common_name={common_name}&email_address={email_address}")
}

/// The authorisation of a request, or those that may have been meant if it has none; each with what differs.
pub async fn compare(
    database: &Database,
    authorisation_id: Option<&str>,
    applicant: Applicant<'_>,
    now: i64,
) -> Result<Vec<Comparison>, DatabaseError> {
    const SIMILAR: i64 = 3;
    let found = match authorisation_id {
        Some(id) => authorisations::find(database, id).await?.into_iter().collect(),
        None => authorisations::similar(database, applicant, SIMILAR).await?,
    };
    let is_own = authorisation_id.is_some();
    Ok(found.into_iter().map(|found| Comparison::new(found, is_own, applicant, now)).collect())
}

/// An authorisation beside a request.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The authorisation.
    pub authorisation: Authorisation,
    /// Whether certificate type, Common Name and e-mail address are the same.
    pub same: [bool; 3],
    /// What speaks against it besides.
    pub obstacle: Option<Standing>,
}

impl Comparison {
    fn new(authorisation: Authorisation, is_own: bool, applicant: Applicant<'_>, now: i64) -> Self {
        let same = [
            authorisation.certificate_type == applicant.certificate_type,
            authorisation.common_name == applicant.common_name,
            authorisations::key(&authorisation.email_address) == authorisations::key(applicant.email_address),
        ];
        let obstacle = match authorisation.standing(now) {
            Standing::Open => None,
            Standing::Used if is_own => None,
            standing => Some(standing),
        };
        Self { authorisation, same, obstacle }
    }
}

/// Up to `count` authorisations that pass the filter.
pub async fn search(database: &Database, filter: &Filter, count: usize) -> Result<Vec<Authorisation>, DatabaseError> {
    Ok(authorisations::search(database, filter, count).await?)
}
