//! The table `authorisations`.

use keyside_core::domain::transaction_id::TransactionId;

use unicode_normalization::UnicodeNormalization;

use super::changes_one;
use super::search::Search;
use crate::database::{Database, Transaction};

/// That somebody may have a certificate.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Authorisation {
    /// A name for machines.
    pub id: String,
    /// The id of the certificate type.
    pub certificate_type: String,
    /// The Common Name, to the letter.
    pub common_name: String,
    /// The e-mail address.
    pub email_address: String,
    /// The company whose User Access Administrator has authorised it.
    pub company: String,
    /// When. Times are in seconds since 1970-01-01T00:00:00Z.
    pub authorised_at: i64,
    /// Who: an [`Actor`](super::audit_actions::Actor).
    pub authorised_by: String,
    /// Until when a request may come.
    pub expires_at: i64,
    /// When it was withdrawn.
    pub withdrawn_at: Option<i64>,
    /// The transaction ID of the request that it is for, once there is one.
    pub used_by: Option<String>,
    /// The SHA-256 of its one-time code; none if it is of a version that had no codes.
    pub code_sha256: Option<Vec<u8>>,
}

/// Who asks for what: this is what an authorisation and a request must have in common.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// The id of the certificate type.
    pub certificate_type: &'a str,
    /// The Common Name, compared to the letter.
    pub common_name: &'a str,
    /// The e-mail address, compared without regard to case.
    pub email_address: &'a str,
    /// The company in the subject, compared to the letter; none if the subject has no place for it.
    pub company: Option<&'a str>,
}

/// A text as it is compared where case makes no difference.
pub fn key(text: &str) -> String {
    text.trim().nfc().collect::<String>().to_lowercase()
}

/// Which authorisations to show.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this company alone.
    pub company: Option<String>,
    /// The beginning of the Common Name; of the e-mail address if it has an @.
    pub text: String,
    /// Those that stand so at this time.
    pub standing: Option<(Standing, i64)>,
    /// Those behind the one with this id.
    pub after: Option<String>,
}

/// How an authorisation stands, as far as the row says so without the time: as the indexes have it, to the letter.
macro_rules! kept_standing {
    () => {
        "(CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN used_by IS NOT NULL THEN 'used' ELSE 'unused' END)"
    };
}
const KEPT_STANDING: &str = kept_standing!();
const KEPT_STANDING_BY_NAME: &str = concat!(kept_standing!(), " || ''");

/// How an authorisation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A request may come.
    Open,
    /// A request has come.
    Used,
    /// No request has come in time.
    Expired,
    /// It was withdrawn.
    Withdrawn,
}

impl Standing {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Open, Self::Used, Self::Expired, Self::Withdrawn];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Authorisation {
    /// How it stands at this time.
    pub fn standing(&self, now: i64) -> Standing {
        match self {
            Self { withdrawn_at: Some(_), .. } => Standing::Withdrawn,
            Self { used_by: Some(_), .. } => Standing::Used,
            Self { expires_at, .. } if *expires_at <= now => Standing::Expired,
            _ => Standing::Open,
        }
    }
}

/// Keeps an authorisation.
pub async fn insert(transaction: &mut Transaction, new: &Authorisation) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO authorisations (id, certificate_type, common_name, common_name_key, email_address, email_address_key, \
         company, authorised_at, authorised_by, expires_at, code_sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&new.id)
    .bind(&new.certificate_type)
    .bind(&new.common_name)
    .bind(key(&new.common_name))
    .bind(&new.email_address)
    .bind(key(&new.email_address))
    .bind(&new.company)
    .bind(new.authorised_at)
    .bind(&new.authorised_by)
    .bind(new.expires_at)
    .bind(&new.code_sha256)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The authorisation with this id.
pub async fn find(database: &Database, id: &str) -> Result<Option<Authorisation>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM authorisations WHERE id = $1").bind(id).fetch_optional(database.reader()).await
}

/// By name: expressions keep the other indexes out of it. Not used are many, and an address may be a whole company's.
const TAKE_BY_NAME: &str = "UPDATE authorisations SET used_by = $1 WHERE used_by IS NULL AND id = (SELECT id FROM authorisations \
    WHERE common_name_key = $2 AND common_name = $3 AND email_address_key || '' = $4 AND certificate_type = $5 \
    AND coalesce(used_by, '') = '' AND withdrawn_at IS NULL AND expires_at > $6 AND (company || '' = $7 OR $7 = '') ORDER BY expires_at, id LIMIT 1) RETURNING *";

/// By code: no two authorisations have the same.
const TAKE_BY_CODE: &str = "UPDATE authorisations SET used_by = $1 WHERE code_sha256 = $2 AND common_name = $3 \
    AND email_address_key || '' = $4 AND certificate_type || '' = $5 AND used_by IS NULL AND withdrawn_at IS NULL \
    AND expires_at > $6 AND (company || '' = $7 OR $7 = '') RETURNING *";

/// Uses the open authorisation of this applicant that has this code up for the request `id`. Gives it, if there is one.
pub async fn take_by_code(
    transaction: &mut Transaction,
    applicant: Applicant<'_>,
    code_sha256: &[u8],
    id: TransactionId,
    now: i64,
) -> Result<Option<Authorisation>, sqlx::Error> {
    sqlx::query_as(TAKE_BY_CODE)
        .bind(id.to_string())
        .bind(code_sha256)
        .bind(applicant.common_name)
        .bind(key(applicant.email_address))
        .bind(applicant.certificate_type)
        .bind(now)
        .bind(applicant.company.unwrap_or_default())
        .fetch_optional(&mut **transaction)
        .await
}

/// Uses an open authorisation of this applicant up for the request `id`, the one that ends first, whatever its code. Gives it, if there is one.
pub async fn take_by_name(
    transaction: &mut Transaction,
    applicant: Applicant<'_>,
    id: TransactionId,
    now: i64,
) -> Result<Option<Authorisation>, sqlx::Error> {
    sqlx::query_as(TAKE_BY_NAME)
        .bind(id.to_string())
        .bind(key(applicant.common_name))
        .bind(applicant.common_name)
        .bind(key(applicant.email_address))
        .bind(applicant.certificate_type)
        .bind(now)
        .bind(applicant.company.unwrap_or_default())
        .fetch_optional(&mut **transaction)
        .await
}

/// Opens the authorisation that the request `id` has used up: the person may ask again. That may be for a request that was sent twice.
pub async fn release(transaction: &mut Transaction, id: TransactionId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE authorisations SET used_by = NULL WHERE used_by = $1")
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Gives an open authorisation another code. Returns it, if there is one.
pub async fn replace_code(
    transaction: &mut Transaction,
    id: &str,
    code_sha256: &[u8],
    now: i64,
) -> Result<Option<Authorisation>, sqlx::Error> {
    sqlx::query_as(
        "UPDATE authorisations SET code_sha256 = $2 WHERE id = $1 AND used_by IS NULL AND withdrawn_at IS NULL AND expires_at > $3 \
         RETURNING *",
    )
    .bind(id)
    .bind(code_sha256)
    .bind(now)
    .fetch_optional(&mut **transaction)
    .await
}

/// Those with this Common Name or e-mail address, the latest first: what may have been meant by a request that matches none.
pub async fn similar(
    database: &Database,
    applicant: Applicant<'_>,
    count: i64,
) -> Result<Vec<Authorisation>, sqlx::Error> {
    sqlx::query_as(
        "SELECT * FROM authorisations WHERE common_name_key = $1 OR email_address_key = $2 \
         ORDER BY authorised_at DESC, id DESC LIMIT $3",
    )
    .bind(key(applicant.common_name))
    .bind(key(applicant.email_address))
    .bind(count)
    .fetch_all(database.reader())
    .await
}

/// Notes that the request `id` has used an authorisation up, which was open when the database was backed up.
pub async fn note_use(transaction: &mut Transaction, authorisation: &str, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE authorisations SET used_by = $2 WHERE id = $1 AND used_by IS NULL")
        .bind(authorisation)
        .bind(id)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Withdraws an authorisation. Returns whether that was not so before.
pub async fn withdraw(transaction: &mut Transaction, id: &str, now: i64) -> Result<bool, sqlx::Error> {
    let statement = sqlx::query("UPDATE authorisations SET withdrawn_at = $2 WHERE id = $1 AND withdrawn_at IS NULL")
        .bind(id)
        .bind(now);
    changes_one(transaction, statement).await
}

/// Up to `count` authorisations that pass the filter: the latest first, or by name where a text is searched for.
pub async fn search(database: &Database, filter: &Filter, count: usize) -> Result<Vec<Authorisation>, sqlx::Error> {
    let after = match &filter.after {
        Some(id) => find(database, id).await?,
        None => None,
    };
    query(filter, after.as_ref()).rows(database, count).await
}

/// The query for a page; `after` is the last row of the page before.
fn query(filter: &Filter, after: Option<&Authorisation>) -> Search {
    const SELECT: &str = "SELECT * FROM authorisations";
    let text = key(&filter.text);
    let mut search = match (text.is_empty(), text.contains('@')) {
        (true, _) => {
            let mut search = Search::new(SELECT, "authorised_at DESC, id DESC");
            if let Some(after) = after {
                search.after_time("authorised_at, id", (after.authorised_at, &after.id));
            }
            search
        }
        (false, false) => {
            let mut search = Search::new(SELECT, "common_name_key, id");
            search.begins_with("common_name_key", &text);
            if let Some(after) = after {
                search.after_text("common_name_key, id", (&key(&after.common_name), &after.id));
            }
            search
        }
        (false, true) => {
            let mut search = Search::new(SELECT, "email_address_key, id");
            search.begins_with("email_address_key", &text);
            if let Some(after) = after {
                search.after_text("email_address_key, id", (&key(&after.email_address), &after.id));
            }
            search
        }
    };
    search.equals("company", filter.company.as_deref());
    if let Some((standing, now)) = filter.standing {
        // By name, the index of names is the one to go by, in its order: an expression keeps the others out of it.
        let column = if text.is_empty() { KEPT_STANDING } else { KEPT_STANDING_BY_NAME };
        search.equals(
            column,
            Some(match standing {
                Standing::Withdrawn => "withdrawn",
                Standing::Used => "used",
                Standing::Open | Standing::Expired => "unused",
            }),
        );
        match standing {
            Standing::Open => search.greater("expires_at", now),
            Standing::Expired => search.at_most("expires_at", now),
            Standing::Used | Standing::Withdrawn => {}
        }
    }
    search
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use std::collections::HashSet;

    use sqlx::AssertSqlSafe;

    use super::super::search::plan;
    use super::*;
    use crate::database::Location;

    const COUNT: usize = 100_000;
    const BATCH: usize = 2_000;
    /// Authorisations before this number end before [`NOW`].
    const EXPIRED: usize = 50_000;
    const NOW: i64 = 1_000_000;

    /// How the one with this number stands: of a hundred, ten are not used, and one is withdrawn.
    fn standing(n: usize) -> Standing {
        match n % 100 {
            0 => Standing::Withdrawn,
            1..=10 if n < EXPIRED => Standing::Expired,
            1..=10 => Standing::Open,
            _ => Standing::Used,
        }
    }

    /// A database with so many authorisations, of twenty companies, of which several came in each second.
    async fn filled(directory: &std::path::Path) -> Database {
        let database = Database::open_or_create(&Location::Sqlite(directory.join("keyside.sqlite"))).await.unwrap();
        for batch in 0..COUNT / BATCH {
            let rows: Vec<String> = (batch * BATCH..(batch + 1) * BATCH)
                .map(|n| {
                    let withdrawn_at = if standing(n) == Standing::Withdrawn { "1" } else { "NULL" };
                    let used_by = if standing(n) == Standing::Used { format!("'{n}'") } else { "NULL".into() };
                    let expires_at = NOW + if n < EXPIRED { 0 } else { 1 };
                    format!(
                        "('{n:06}', 'type', 'Person {n:06}', 'person {n:06}', 'p{n:06}@example.com', 'p{n:06}@example.com', \
                         'Company {}', {}, 'nobody', {expires_at}, {withdrawn_at}, {used_by})",
                        n % 20,
                        n / 3
                    )
                })
                .collect();
            let sql = format!(
                "INSERT INTO authorisations (id, certificate_type, common_name, common_name_key, email_address, email_address_key, \
                 company, authorised_at, authorised_by, expires_at, withdrawn_at, used_by) VALUES {}",
                rows.join(", ")
            );
            let mut transaction = database.transaction().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
        }
        database
    }

    /// Every search that the console offers.
    fn filters() -> Vec<Filter> {
        let mut filters = Vec::new();
        for text in ["", "person 05", "p05@"] {
            for company in [None, Some("Company 7".to_owned())] {
                for standing in [None].into_iter().chain(Standing::ALL.map(Some)) {
                    for after in [None, Some("050000".to_owned())] {
                        let standing = standing.map(|standing| (standing, NOW));
                        filters.push(Filter { company: company.clone(), text: text.into(), standing, after });
                    }
                }
            }
        }
        filters
    }

    #[tokio::test]
    async fn every_search_goes_by_an_index_among_a_hundred_thousand() {
        let directory = tempfile::tempdir().unwrap();
        let database = filled(directory.path()).await;
        for filter in filters() {
            let after = match &filter.after {
                Some(id) => find(&database, id).await.unwrap(),
                None => None,
            };
            let plan = query(&filter, after.as_ref()).plan(&database).await;
            let step = plan.first().cloned().unwrap_or_default();
            // The rows come in their order, and the page ends the search; or one company's rows alone are put in order.
            let in_order = plan.len() == 1 && step.contains("USING INDEX");
            let of_one_company = filter.company.is_some() && step.contains("(company=?");
            assert!(in_order || of_one_company, "{filter:?}: {plan:?}");
            // Rare ones are not looked for among all.
            if filter.text.is_empty() && filter.standing.is_some() {
                assert!(in_order && step.contains("<expr>=?"), "{filter:?}: {plan:?}");
            }
        }
        database.close().await;
    }

    #[tokio::test]
    async fn pages_follow_one_another_among_a_hundred_thousand() {
        let directory = tempfile::tempdir().unwrap();
        let database = filled(directory.path()).await;
        for (text, company) in [("", None), ("PERSON 0999", None), ("", Some(7)), ("p099900@", Some(0))] {
            for wanted in Standing::ALL {
                let is_meant = |n: &usize| {
                    let key = if text.contains('@') { format!("p{n:06}@") } else { format!("PERSON {n:06}") };
                    standing(*n) == wanted && key.starts_with(text) && company.is_none_or(|company| n % 20 == company)
                };
                let expected: HashSet<String> = (0..COUNT).filter(is_meant).map(|n| format!("{n:06}")).collect();
                let company = company.map(|company| format!("Company {company}"));
                let standing = Some((wanted, NOW));
                let mut filter = Filter { company, text: text.into(), standing, after: None };
                let mut seen = HashSet::new();
                loop {
                    let page = search(&database, &filter, 200).await.unwrap();
                    let Some(last) = page.last() else { break };
                    filter.after = Some(last.id.clone());
                    assert!(page.iter().all(|authorisation| seen.insert(authorisation.id.clone())), "{filter:?}");
                }
                assert!(seen == expected, "{filter:?}: {} instead of {}", seen.len(), expected.len());
            }
        }
        database.close().await;
    }

    #[tokio::test]
    async fn a_request_looks_for_its_authorisation_by_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(directory.path().join("keyside.sqlite"));
        let database = Database::open_or_create(&location).await.unwrap();
        for (query, index) in [
            (TAKE_BY_NAME, "authorisations_by_common_name (common_name_key=?)"),
            (TAKE_BY_CODE, "authorisations_by_code (code_sha256=?)"),
        ] {
            let plan = plan(&database, query).await;
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
        }
        database.close().await;
    }
}
