//! Mails to officers: of a key that was reported as compromised, at once; of other work that waits, once a day. Approvers hear of all of it, a
//! User Access Administrator of the work that is about their company's people.

use std::collections::HashSet;

use tokio::sync::Mutex;

use crate::clock::DAY;
use crate::database::{Database, DatabaseError, Transaction};
use crate::hexadecimal::hexadecimal;
use crate::notifications::Kind;
use crate::store::officer_roles::Role;
use crate::store::officers::{self, Officer};
use crate::store::outbox::{self, NewNotification};
use crate::store::requests::Request;
use crate::store::waiting::{self, WaitingWork};

/// True for an officer who hears of the work of this company.
fn hears_of(officer: &Officer, company: Option<&str>) -> bool {
    let acts = match officer.role {
        Role::Uaa | Role::Approver => true,
        Role::Auditor => false,
    };
    acts && officer.sees(company)
}

/// Tells officers that the key of the request's certificate was reported as compromised, once each.
pub async fn compromise_reported(transaction: &mut Transaction, request: &Request) -> Result<(), sqlx::Error> {
    let company = request.company.as_deref();
    for officer in officers::active(&mut **transaction).await? {
        if hears_of(&officer, company) {
            let serial_number = hexadecimal(request.serial_number.as_deref().unwrap_or_default());
            let more = vec![("serial_number", serial_number), ("company", company.unwrap_or("–").to_owned())];
            let mail = NewNotification {
                to: officer.email_address,
                unique_key: format!("{} {}", request.transaction_id, officer.id),
                ..NewNotification::about(Kind::CompromiseReported, request, more)
            };
            outbox::enqueue(transaction, &mail).await?;
        }
    }
    Ok(())
}

/// The daily mails.
#[derive(Debug, Default)]
pub struct Digests {
    /// The present day, counted since 1970-01-01, and the officers whose mail of that day is in the outbox.
    told: Mutex<(i64, HashSet<String>)>,
}

impl Digests {
    /// Tells each officer who has work, once a day (UTC), whichever gateway does it. `now` is in seconds since 1970-01-01T00:00:00Z.
    pub async fn tell(&self, database: &Database, now: i64) -> Result<(), DatabaseError> {
        let work = waiting::waiting_work(database.reader()).await?;
        if work.is_empty() {
            return Ok(());
        }
        let day = now / DAY;
        let mut told = self.told.lock().await;
        if told.0 != day {
            *told = (day, HashSet::new());
        }
        for officer in officers::active(database.reader()).await? {
            if told.1.contains(&officer.id) {
                continue;
            }
            let (pending, revocations) = work.iter().filter(|work| hears_of(&officer, work.company.as_deref())).fold(
                (0, 0),
                |(pending, revocations), WaitingWork { pending: more, revocations: further, .. }| {
                    (pending + more, revocations + further)
                },
            );
            if pending + revocations == 0 {
                continue;
            }
            let mail = NewNotification {
                kind: Kind::WorkWaiting,
                to: officer.email_address,
                transaction_id: None,
                unique_key: format!("{day} {}", officer.id),
                values: vec![
                    ("company", officer.company.unwrap_or_else(|| "all companies".into())),
                    ("pending", pending.to_string()),
                    ("revocations", revocations.to_string()),
                ],
            };
            let mut transaction = database.transaction().await?;
            outbox::enqueue(&mut transaction, &mail).await?;
            transaction.commit().await?;
            told.1.insert(officer.id);
        }
        Ok(())
    }
}
