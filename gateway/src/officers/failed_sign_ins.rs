//! Failed attempts to sign in, gathered for the audit log: a stranger who tries for hours fills one entry a minute.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::database::{Database, DatabaseError};
use crate::store::audit::{self, NewEntry};
use crate::store::audit_actions::{Action, Actor};

/// The seconds from one entry to the next.
const INTERVAL: i64 = 60;
/// The addresses that one entry names at most.
const MOST: usize = 20;

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By a one-time link.
    Link,
    /// With a certificate.
    Certificate,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Link => "by a one-time link",
            Self::Certificate => "with a certificate",
        })
    }
}

/// The attempts that no entry tells yet.
#[derive(Debug, Default)]
pub struct FailedSignIns(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    attempts: BTreeMap<(Way, Option<IpAddr>), u32>,
    /// Those from further addresses.
    others: u32,
    /// The last entry, in seconds since 1970-01-01T00:00:00Z.
    written_at: i64,
}

impl FailedSignIns {
    /// Gathers one.
    pub fn gather(&self, way: Way, address: Option<IpAddr>) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = gathered.attempts.contains_key(&(way, address));
        if is_known || gathered.attempts.len() < MOST {
            let count = gathered.attempts.entry((way, address)).or_default();
            *count = count.saturating_add(1);
        } else {
            gathered.others = gathered.others.saturating_add(1);
        }
    }

    /// Writes down what was gathered, once a minute. `now` is in seconds since 1970-01-01T00:00:00Z.
    pub async fn write(&self, database: &Database, now: i64) -> Result<(), DatabaseError> {
        let Some(detail) = self.take(now) else { return Ok(()) };
        let mut transaction = database.transaction().await?;
        let (actor, action) = (Actor::Unknown, Action::SignInFailed);
        audit::append(&mut transaction, NewEntry { at: now, actor, action, subject: "console".into(), detail }).await?;
        Ok(transaction.commit().await?)
    }

    fn take(&self, now: i64) -> Option<String> {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.attempts.is_empty() || now.abs_diff(gathered.written_at) < INTERVAL.unsigned_abs() {
            return None;
        }
        let Gathered { attempts, others, .. } =
            std::mem::replace(&mut *gathered, Gathered { written_at: now, ..Gathered::default() });
        let mut told: Vec<String> = attempts
            .into_iter()
            .map(|((way, address), count)| match address {
                Some(address) => format!("{count} {way} from {address}"),
                None => format!("{count} {way}"),
            })
            .collect();
        if others > 0 {
            told.push(format!("{others} from further addresses"));
        }
        Some(told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_entry_a_minute() {
        let failed = FailedSignIns::default();
        assert_eq!(failed.take(1_000), None);
        for last in 0..100 {
            failed.gather(Way::Link, Some(IpAddr::from([192, 0, 2, last])));
        }
        failed.gather(Way::Link, Some(IpAddr::from([192, 0, 2, 0])));
        let told = failed.take(1_000).unwrap_or_default();
        assert!(told.starts_with("2 by a one-time link from 192.0.2.0; 1 by"), "{told}");
        assert!(told.ends_with("; 80 from further addresses"), "{told}");
        failed.gather(Way::Certificate, None);
        assert_eq!(failed.take(1_059), None);
        assert_eq!(failed.take(1_060).as_deref(), Some("1 with a certificate"));
    }
}
