//! Authorisations: that a person may have a certificate, said before anybody asks for it.
//!
//! A request matches an authorisation when it shows its one-time code, certificate type and Common Name are the same to the letter, and the
//! e-mail address but for case. Where the type has `code = "optional"`, it may come without a code: type, name and address can be known to
//! others. One authorisation is for one request, and a request that waits already is matched by none. The applicant is never told whether there is
//! one: the answers are the same.

use keyside_core::domain::distinguished_name::check_common_name;
use keyside_core::domain::email_address;
use keyside_core::domain::transaction_id::TransactionId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::companies::Company;
use super::one_time_code;
use super::settings::{CertificateType, CodeUse, TypeApproval};
use crate::clock::{self, DAY};
use crate::database::{Database, DatabaseError, Transaction};
use crate::hexadecimal::hexadecimal;
use crate::notifications::Kind;
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};
use crate::store::authorisations::{Applicant, Authorisation, Filter, Standing};
use crate::store::outbox::{self, NewNotification};
use crate::store::requests::CodeShown;
use crate::store::{authorisations, journal, random_id, requests};

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
    /// The one who tells the code.
    pub code_told_by: CodeToldBy,
}

/// The one who tells an authorised person the code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeToldBy {
    /// The New User Notification: it is in the fragment of the link, which no server is sent and no `Referer` has.
    #[default]
    Notification,
    /// The officer, by another way: a reader of the person's mail does not know it.
    Officer,
}

/// An authorisation, and its code, which is told now and never again.
pub struct WithCode {
    /// The authorisation.
    pub authorisation: Authorisation,
    /// The code.
    pub code: Zeroizing<String>,
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

/// Authorises a person, and writes the notification in the same transaction.
pub async fn authorise(
    database: &Database,
    types: &[CertificateType],
    companies: &[Company],
    public_url: &str,
    new: NewAuthorisation,
    actor: &Actor,
) -> Result<WithCode, AuthorisationError> {
    let now = clock::now();
    let kind = types.iter().find(|kind| kind.id == new.certificate_type);
    // As most programs write it: one who types the same letters in another way has the same name.
    let common_name: String = new.common_name.trim().nfc().collect();
    let common_name = common_name.as_str();
    let address = new.email_address.trim();
    let mut faults = Vec::new();
    if kind.is_none() {
        faults.push((Field::CertificateType, "Choose one of the types.".into()));
    }
    let of: String = new.company.nfc().collect();
    let company = companies.iter().find(|company| company.name.nfc().eq(of.chars()));
    if let Err(fault) = check_common_name(common_name) {
        faults.push((Field::CommonName, format!("The Common Name cannot be used: {fault}.")));
    } else if let Some(fault) = company.and_then(|company| company.fault_of_name(common_name)) {
        faults.push((Field::CommonName, fault));
    }
    let names_company = kind.is_some_and(|kind| kind.subject_template.1.has_company() == Ok(true));
    if names_company && check_common_name(&new.company).is_err() {
        let fault = "The company's name cannot be in a certificate: it must have at most 64 characters. Ask the operator of this gateway.";
        faults.push((Field::CertificateType, fault.into()));
    }
    if let Err(fault) = email_address::check(address) {
        faults.push((Field::EmailAddress, format!("The e-mail address cannot be used: {fault}.")));
    } else if let Some(fault) = company.and_then(|company| company.fault_of_address(address)) {
        faults.push((Field::EmailAddress, fault));
    }
    if !new.expires_at.is_some_and(|at| (now..=now + LONGEST_DAYS * DAY).contains(&at)) {
        let fault = format!("Give a day from today on, at most {LONGEST_DAYS} days ahead, as in 2030-12-31.");
        faults.push((Field::Until, fault));
    }
    let (Some(kind), Some(expires_at), true) = (kind, new.expires_at, faults.is_empty()) else {
        return Err(AuthorisationError::Faults(faults));
    };
    let code = one_time_code::new();
    let authorisation = Authorisation {
        id: random_id(),
        certificate_type: kind.id.clone(),
        common_name: common_name.into(),
        email_address: address.into(),
        company: of,
        authorised_at: now,
        authorised_by: actor.to_string(),
        expires_at,
        withdrawn_at: None,
        used_by: None,
        code_sha256: Some(one_time_code::hash(&code)),
    };
    let mut transaction = database.transaction().await?;
    authorisations::insert(&mut transaction, &authorisation).await?;
    notify(&mut transaction, public_url, &authorisation, &code, new.code_told_by).await?;
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
    Ok(WithCode { authorisation, code })
}

/// Gives an authorisation another code in place of the one that it had, and writes the notification in the same transaction. Gives it, if
/// a request may still come.
pub async fn replace_code(
    database: &Database,
    public_url: &str,
    id: &str,
    told_by: CodeToldBy,
    actor: &Actor,
) -> Result<Option<WithCode>, DatabaseError> {
    let (now, code) = (clock::now(), one_time_code::new());
    let mut transaction = database.transaction().await?;
    let replaced = authorisations::replace_code(&mut transaction, id, &one_time_code::hash(&code), now).await?;
    let Some(authorisation) = replaced else { return Ok(None) };
    notify(&mut transaction, public_url, &authorisation, &code, told_by).await?;
    let line = journal::Entry::CodeReplaced {
        authorisation: id.into(),
        code_sha256: hexadecimal(&one_time_code::hash(&code)),
    };
    journal::append(database, vec![line]).await?;
    let (actor, subject) = (actor.clone(), id.into());
    let entry = NewEntry { at: now, actor, action: Action::CodeReplaced, subject, detail: String::new() };
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(Some(WithCode { authorisation, code }))
}

/// Tells the person.
async fn notify(
    transaction: &mut Transaction,
    public_url: &str,
    authorisation: &Authorisation,
    code: &str,
    told_by: CodeToldBy,
) -> Result<(), sqlx::Error> {
    let (in_link, note) = match told_by {
        CodeToldBy::Notification => {
            (Some(code), "The link has your one-time authorization code in it: keep it to yourself.")
        }
        CodeToldBy::Officer => (
            None,
            "You need a one-time authorization code, too: your User Access Administrator tells you by another way.",
        ),
    };
    let code_sha256 = authorisation.code_sha256.as_deref().unwrap_or_default();
    let told = NewNotification {
        kind: Kind::Authorised,
        to: authorisation.email_address.clone(),
        transaction_id: None,
        // With another code it is another notification.
        unique_key: format!("{} {}", authorisation.id, hexadecimal(code_sha256)),
        values: vec![
            ("common_name", authorisation.common_name.clone()),
            ("certificate_type", authorisation.certificate_type.clone()),
            ("company", authorisation.company.clone()),
            ("valid_until", clock::date_and_time(authorisation.expires_at)),
            ("register_url", register_link(public_url, authorisation, in_link)),
            ("code_note", note.into()),
        ],
    };
    outbox::enqueue(transaction, &told).await?;
    Ok(())
}

/// When a request that matches an authorisation approves itself because its type has it so. Whoever trusts the CA would take the holder
/// of a certificate that names hosts for these hosts: a person decides about one, always.
fn approve_at(kind: &CertificateType, names_hosts: bool, now: i64) -> Option<i64> {
    (kind.approval == Some(TypeApproval::Authorised) && !names_hosts).then_some(now)
}

/// A request that has just come, as far as authorisations are concerned.
pub struct Newcomer<'a> {
    /// The request.
    pub id: TransactionId,
    /// The applicant.
    pub applicant: Applicant<'a>,
    /// The code that it shows.
    pub code: Option<&'a str>,
    /// True if others will take the holder of the certificate for a host.
    pub names_hosts: bool,
    /// When it approves itself if an authorisation is found, and its type says nothing about that.
    pub authorised_approve_at: Option<i64>,
    /// When it approves itself if no authorisation is found.
    pub otherwise_approve_at: Option<i64>,
    /// When it came.
    pub submitted_at: i64,
}

/// Looks for the authorisation of a request that has just come, and marks the request. It does the same work whether there is one or
/// not, so that the time to an answer does not tell.
pub async fn match_request(
    transaction: &mut Transaction,
    kind: &CertificateType,
    request: Newcomer<'_>,
) -> Result<(), sqlx::Error> {
    let Newcomer { id, applicant, code, names_hosts, authorised_approve_at, otherwise_approve_at, submitted_at } =
        request;
    let common_name: String = applicant.common_name.nfc().collect();
    let company: Option<String> = applicant.company.map(|company| company.nfc().collect());
    let applicant = Applicant { common_name: &common_name, company: company.as_deref(), ..applicant };
    let (found, code_shown) = match (code, kind.code) {
        (Some(code), _) => {
            let code_sha256 = one_time_code::hash(code);
            let found = authorisations::take_by_code(transaction, applicant, &code_sha256, id, submitted_at).await?;
            let shown = if found.is_some() { CodeShown::Right } else { CodeShown::Wrong };
            if shown == CodeShown::Wrong {
                tracing::warn!(%id, "a request has shown a code that is not, or no longer, its applicant's");
            }
            (found, shown)
        }
        (None, CodeUse::Optional) => {
            (authorisations::take_by_name(transaction, applicant, id, submitted_at).await?, CodeShown::None)
        }
        (None, CodeUse::Required) => (None, CodeShown::None),
    };
    let approve_at = match &found {
        Some(_) => approve_at(kind, names_hosts, submitted_at).or(authorised_approve_at),
        None => otherwise_approve_at,
    };
    let (authorisation, company) = found.map(|found| (found.id, found.company)).unzip();
    requests::mark(transaction, id, code_shown, authorisation.as_deref(), company.as_deref(), approve_at).await
}

/// Withdraws an authorisation. Returns whether that was not so before.
pub async fn withdraw(database: &Database, id: &str, actor: &Actor) -> Result<bool, DatabaseError> {
    let at = clock::now();
    let mut transaction = database.transaction().await?;
    let is_new = authorisations::withdraw(&mut transaction, id, at).await?;
    if is_new {
        requests::leave_to_a_person(&mut transaction, id).await?;
        let line = journal::Entry::Withdrawn { authorisation: id.into(), withdrawn_at: at };
        journal::append(database, vec![line]).await?;
        let (actor, subject) = (actor.clone(), id.into());
        let entry = NewEntry { at, actor, action: Action::Withdrawn, subject, detail: String::new() };
        audit::append(&mut transaction, entry).await?;
    }
    transaction.commit().await?;
    Ok(is_new)
}

/// Where the person registers, with the form filled in; also with the code, in the fragment, where it is given.
pub fn register_link(public_url: &str, authorisation: &Authorisation, code: Option<&str>) -> String {
    let [common_name, email_address, mut company] =
        [&authorisation.common_name, &authorisation.email_address, &authorisation.company]
            .map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    if !company.is_empty() {
        company.insert_str(0, "&company=");
    }
    let kind = &authorisation.certificate_type;
    let code = code.map(|code| format!("#code={code}")).unwrap_or_default();
    format!("{public_url}/register/{kind}?common_name={common_name}&email_address={email_address}{company}{code}")
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
    /// True for each of certificate type, Common Name, e-mail address and company that is the same; a subject without a company has none to differ.
    pub same: [bool; 4],
    /// What speaks against it besides.
    pub obstacle: Option<Standing>,
}

impl Comparison {
    fn new(authorisation: Authorisation, is_own: bool, applicant: Applicant<'_>, now: i64) -> Self {
        let same = [
            authorisation.certificate_type == applicant.certificate_type,
            authorisation.common_name.nfc().eq(applicant.common_name.nfc()),
            authorisations::key(&authorisation.email_address) == authorisations::key(applicant.email_address),
            applicant.company.is_none_or(|company| authorisation.company.nfc().eq(company.nfc())),
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
