//! The search among the requests, as the console offers it.

use keyside_core::domain::transaction_id::TransactionId;

use super::authorisations::key;
use super::requests::{Request, State, find, select_requests};
use super::search::Search;
use crate::clock::DAY;
use crate::database::Database;

/// The fewest digits of a serial number or fingerprint: a shorter text may be the beginning of a name, such as Ada.
const FEWEST_DIGITS: usize = 16;

/// The requests of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Those in this state.
    State(State),
    /// Those whose certificate is to be revoked, as it was asked for, and is not yet.
    RevocationRequested,
    /// Those whose certificate was revoked.
    Revoked,
    /// Those whose certificate is good, and ends within so many days.
    EndsWithin(u8),
}

impl Standing {
    /// Every kind, in the order in which the console offers them.
    pub const ALL: [Self; 8] = [
        Self::State(State::Pending),
        Self::State(State::Rejected),
        Self::State(State::Approved),
        Self::State(State::Issued),
        Self::RevocationRequested,
        Self::Revoked,
        Self::EndsWithin(30),
        Self::EndsWithin(90),
    ];

    /// Its name, for addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::State(state) => state.name(),
            Self::RevocationRequested => "revocation-requested",
            Self::Revoked => "revoked",
            Self::EndsWithin(30) => "ends-within-30-days",
            Self::EndsWithin(_) => "ends-within-90-days",
        }
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.name() == name)
    }

    /// True for a request of this kind. `now` is in seconds since 1970-01-01T00:00:00Z.
    fn admits(self, request: &Request, now: i64) -> bool {
        match self {
            Self::State(state) => request.state == state,
            Self::RevocationRequested => request.revocation_requested.at.is_some() && request.revoked.at.is_none(),
            Self::Revoked => request.revoked.at.is_some(),
            Self::EndsWithin(days) => {
                request.state == State::Issued
                    && request.lives(now)
                    && request.not_after.is_some_and(|end| end <= now + i64::from(days) * DAY)
            }
        }
    }
}

/// A choice of requests.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A transaction ID; a serial number, or a fingerprint of a certificate or a key, in hexadecimal; or the beginning of the Common Name, of the
    /// e-mail address if it has an @.
    pub text: String,
    /// Only those of this kind.
    pub standing: Option<Standing>,
    /// Only those of this certificate type.
    pub certificate_type: Option<String>,
    /// Only those of this company.
    pub company: Option<String>,
    /// Those behind the one with this transaction ID.
    pub after: Option<TransactionId>,
    /// The present time, in seconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

impl Filter {
    /// The digits of a serial number or fingerprint, in lowercase, if the text is one: with or without colons and spaces between them.
    fn digits(&self) -> Option<String> {
        let digits: String = self.text.chars().filter(|c| *c != ':' && !c.is_whitespace()).collect();
        let is_hexadecimal = digits.chars().all(|c| c.is_ascii_hexdigit());
        (digits.len() >= FEWEST_DIGITS && is_hexadecimal).then(|| digits.to_ascii_lowercase())
    }

    /// True for a request that passes, whatever the text is.
    fn admits(&self, request: &Request) -> bool {
        self.standing.is_none_or(|standing| standing.admits(request, self.now))
            && self.certificate_type.as_ref().is_none_or(|kind| *kind == request.certificate_type)
            && self.company.as_ref().is_none_or(|company| request.company.as_ref() == Some(company))
    }
}

/// Up to `count` requests that pass the filter: the latest first, those that end soonest first where that is searched for, or by name where a name
/// is.
pub async fn search(database: &Database, filter: &Filter, count: usize) -> Result<Vec<Request>, sqlx::Error> {
    if filter.text.parse::<TransactionId>().is_err()
        && let Some(digits) = filter.digits()
    {
        return by_digits(database, filter, &digits, count).await;
    }
    let after = match filter.after {
        Some(id) => find(database.reader(), id).await?,
        None => None,
    };
    search_query(filter, after.as_ref()).rows(database, count).await
}

const BY_DIGITS: &str = select_requests!(
    "WHERE serial_number = $1 OR certificate_sha1 = $2 OR certificate_sha256 = $2 OR key_id = $2 ORDER BY submitted_at DESC, transaction_id LIMIT 1000"
);

/// The requests with this serial number or fingerprint: a certificate's are few. Of a key's the latest thousand.
async fn by_digits(
    database: &Database,
    filter: &Filter,
    digits: &str,
    count: usize,
) -> Result<Vec<Request>, sqlx::Error> {
    // Some programs write a zero before a serial number.
    let significant = digits.trim_start_matches('0');
    let even = format!("{}{significant}", if significant.len().is_multiple_of(2) { "" } else { "0" });
    let serial_number = base16ct::lower::decode_vec(&even).unwrap_or_default();
    let found: Vec<Request> =
        sqlx::query_as(BY_DIGITS).bind(serial_number).bind(digits).fetch_all(database.reader()).await?;
    let mut admitted = found.into_iter().filter(|request| filter.admits(request));
    if let Some(after) = filter.after {
        // Behind the last one of the page before; behind nothing, if that is gone.
        admitted.find(|request| request.transaction_id == after);
    }
    Ok(admitted.take(count).collect())
}

/// The query for a page; `after` is the last row of the page before.
fn search_query(filter: &Filter, after: Option<&Request>) -> Search {
    const SELECT: &str = select_requests!("");
    let text = key(&filter.text);
    let id = after.map(|request| request.transaction_id.to_string()).unwrap_or_default();
    let mut search;
    if let Ok(id) = filter.text.parse::<TransactionId>() {
        search = Search::new(SELECT, "transaction_id");
        search.equals("transaction_id", Some(&id.to_string()));
    } else if text.is_empty() && matches!(filter.standing, Some(Standing::EndsWithin(_))) {
        search = Search::new(SELECT, "not_after, transaction_id");
        if let Some(after) = after {
            search.after_number("not_after, transaction_id", (after.not_after.unwrap_or_default(), &id));
        }
    } else if text.is_empty() {
        search = Search::new(SELECT, "submitted_at DESC, transaction_id DESC");
        if let Some(after) = after {
            search.after_time("submitted_at, transaction_id", (after.submitted_at, &id));
        }
    } else if text.contains('@') {
        search = Search::new(SELECT, "email_address_key, transaction_id");
        search.begins_with("email_address_key", &text);
        if let Some(after) = after {
            search.after_text("email_address_key, transaction_id", (&key(&after.email_address), &id));
        }
    } else {
        search = Search::new(SELECT, "common_name_key, transaction_id");
        search.begins_with("common_name_key", &text);
        if let Some(after) = after {
            search.after_text("common_name_key, transaction_id", (&key(&after.common_name), &id));
        }
    }
    // By name, the index of names is the one to go by, in its order: an expression keeps the others out of it. So it is with the partial indexes
    // of what was revoked, is to be revoked, or ends.
    let is_by_name = !text.is_empty();
    let has_index = matches!(filter.standing, Some(standing) if !matches!(standing, Standing::State(_)));
    let certificate_type = if is_by_name || has_index { "certificate_type || ''" } else { "certificate_type" };
    let company = if has_index && !is_by_name { "company || ''" } else { "company" };
    match filter.standing {
        None => {}
        Some(Standing::State(state)) => {
            search.equals(if is_by_name { "state || ''" } else { "state" }, Some(state.name()));
        }
        Some(Standing::RevocationRequested) if is_by_name => {
            search.holds("revocation_requested_at + 0 IS NOT NULL AND revoked_at + 0 IS NULL");
        }
        Some(Standing::RevocationRequested) => {
            search.holds("revocation_requested_at IS NOT NULL AND revoked_at IS NULL");
        }
        Some(Standing::Revoked) if is_by_name => search.holds("revoked_at + 0 IS NOT NULL"),
        Some(Standing::Revoked) => search.holds("revoked_at IS NOT NULL"),
        Some(Standing::EndsWithin(days)) => {
            let not_after = if is_by_name { "not_after + 0" } else { "not_after" };
            search.holds(match is_by_name {
                true => "state || '' = 'issued' AND revoked_at + 0 IS NULL",
                false => "state = 'issued' AND revoked_at IS NULL",
            });
            search.greater(not_after, filter.now);
            search.at_most(not_after, filter.now + i64::from(days) * DAY);
        }
    }
    search.equals(certificate_type, filter.certificate_type.as_deref());
    search.equals(company, filter.company.as_deref());
    search
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::database::Location;

    const COUNT: usize = 100_000;
    const BATCH: usize = 2_000;
    const NOW: i64 = 1_800_000_000;

    /// A database with so many requests: of twenty companies, one in a hundred waits, and several came in each second.
    async fn filled(directory: &std::path::Path) -> Database {
        let database = Database::open_or_create(&Location::Sqlite(directory.join("keyside.sqlite"))).await.unwrap();
        for batch in 0..COUNT / BATCH {
            let rows: Vec<String> = (batch * BATCH..(batch + 1) * BATCH)
                .map(|n| {
                    let id = TransactionId::random(&mut rand::rng());
                    let (state, decided) =
                        if n % 100 == 0 { ("pending", "NULL, NULL") } else { ("rejected", "1, 'no'") };
                    format!(
                        "('{id}', 'type-{}', 'Person {n:06}', 'person {n:06}', 'p{n:06}@example.com', 'p{n:06}@example.com', \
                         x'00', x'{n:08x}', 1, {}, '{state}', {decided}, 'Company {}')",
                        n % 3,
                        n / 3,
                        n % 20
                    )
                })
                .collect();
            let sql = format!(
                "INSERT INTO requests (transaction_id, certificate_type, common_name, common_name_key, email_address, \
                 email_address_key, certification_request, submission_sha256, validity_days, submitted_at, state, decided_at, \
                 rejection_reason, company) VALUES {}",
                rows.join(", ")
            );
            let mut transaction = database.transaction().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
        }
        database
    }

    /// Every search that the console offers.
    fn filters(after: Option<TransactionId>) -> Vec<Filter> {
        let mut filters = Vec::new();
        for text in ["", "person 05", "p05@"] {
            for standing in Standing::ALL.into_iter().map(Some).chain([None]) {
                for certificate_type in [None, Some("type-1")] {
                    for company in [None, Some("Company 7")] {
                        filters.push(Filter {
                            text: text.into(),
                            standing,
                            certificate_type: certificate_type.map(ToOwned::to_owned),
                            company: company.map(ToOwned::to_owned),
                            after,
                            now: NOW,
                        });
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
        let middle: String =
            sqlx::query_scalar("SELECT transaction_id FROM requests WHERE common_name = 'Person 050000'")
                .fetch_one(database.reader())
                .await
                .unwrap();
        let middle: TransactionId = middle.parse().unwrap();
        for filter in filters(None).into_iter().chain(filters(Some(middle))) {
            let after = match filter.after {
                Some(id) => find(database.reader(), id).await.unwrap(),
                None => None,
            };
            let search = search_query(&filter, after.as_ref());
            let plan = search.plan(&database).await;
            // Either the rows come in their order, and the page ends the search; or one company's rows alone are put in order.
            let in_order = plan.iter().all(|step| step.contains("USING INDEX") || step.contains("FOR LAST TERM"));
            let of_one_company = filter.company.is_some()
                && plan.first().is_some_and(|step| step.contains("requests_by_company (company=?"));
            assert!(in_order || of_one_company, "{filter:?}: {plan:?}");
        }
        database.close().await;
    }

    #[tokio::test]
    async fn pages_follow_one_another_among_a_hundred_thousand() {
        let directory = tempfile::tempdir().unwrap();
        let database = filled(directory.path()).await;
        let waiting = Filter { standing: Some(Standing::State(State::Pending)), ..Filter::default() };
        let named = Filter { text: "PERSON 0999".into(), ..Filter::default() };
        let of_a_company = Filter { company: Some("Company 7".into()), ..Filter::default() };
        for (filter, expected) in [(waiting, COUNT / 100), (named, 100), (of_a_company, COUNT / 20)] {
            let mut filter = filter;
            let mut seen = std::collections::HashSet::new();
            loop {
                let page = search(&database, &filter, 50).await.unwrap();
                let Some(last) = page.last() else { break };
                filter.after = Some(last.transaction_id);
                seen.extend(page.iter().map(|request| request.transaction_id.to_string()));
                assert!(seen.len() <= expected);
            }
            assert_eq!(seen.len(), expected);
        }
        database.close().await;
    }
}
