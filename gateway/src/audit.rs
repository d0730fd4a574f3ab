//! The audit log: every decision, in one chain of hashes.
//!
//! The hash of an entry is SHA-256 over the hash of the entry before and the entry's own fields. Whoever changes, removes, inserts
//! or moves an entry breaks the chain there, and `keyside-gateway audit verify` says where. Whoever can write to the database can
//! also make the whole chain anew: note the last hash elsewhere from time to time, and give it to `audit verify --noted`.

pub mod export;
pub mod syslog;

use crate::database::{Database, DatabaseError};
use crate::hexadecimal::hexadecimal;
use crate::store::audit::{self, Entry, HASH_SIZE, Head};

/// What the first entry follows.
const BEGINNING: [u8; HASH_SIZE] = [0; HASH_SIZE];
/// How many entries are read at once for verifying.
const BATCH: i64 = 1_000;

/// What is wrong with the log. Each names the first entry that it concerns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An entry's hash is not that of its fields.
    #[error("entry {0} was changed: its hash does not fit what it says")]
    Changed(i64),
    /// These numbers, from the first to the last, have no entry.
    #[error("entries {0} to {1} were removed")]
    Removed(i64, i64),
    /// The entry says that it follows another one.
    #[error(
        "entry {0} is out of place: it does not follow the one before it, so that one was written anew, or one of them was moved or inserted"
    )]
    OutOfPlace(i64),
    /// There is more than was ever counted.
    #[error("entry {0} was inserted: the log ends before it")]
    Inserted(i64),
    /// The end of the log is not what was noted of it.
    #[error("entry {0} was written anew: it is not the one that the database notes as the last")]
    WrongEnd(i64),
    /// A hash that was noted elsewhere is not in the chain.
    #[error("no entry has the hash {0}: the log was written anew since it was noted")]
    NotedIsMissing(String),
}

/// A log that was verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// How many entries it has.
    pub entries: i64,
    /// The hash of the last one, to be noted elsewhere.
    pub sha256: Vec<u8>,
    /// What is wrong with it, in its order.
    pub faults: Vec<Fault>,
}

/// Verifies the whole log; `noted` is a hash that it must have, in hexadecimal. It may grow meanwhile.
pub async fn verify(database: &Database, noted: Option<&str>) -> Result<Verified, DatabaseError> {
    let head = audit::head(database).await?;
    let mut noted = noted.map(str::to_ascii_lowercase);
    let mut chain = Chain::new(head);
    loop {
        let batch = audit::following(database, chain.number, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for entry in &batch {
            noted = noted.filter(|noted| *noted != hexadecimal(&entry.sha256));
            chain.add(entry);
        }
    }
    let mut verified = chain.end(audit::head(database).await?.entries);
    verified.faults.extend(noted.map(Fault::NotedIsMissing));
    Ok(verified)
}

/// The chain as far as it was read.
struct Chain {
    /// The end that was noted before reading began.
    head: Head,
    /// The number and hash of the last entry read.
    number: i64,
    sha256: Vec<u8>,
    /// Whether the entry that was noted as the last one has the hash that was noted, as far as it was read.
    is_end_as_noted: bool,
    faults: Vec<Fault>,
}

impl Chain {
    fn new(head: Head) -> Self {
        Self { head, number: 0, sha256: BEGINNING.to_vec(), is_end_as_noted: true, faults: Vec::new() }
    }

    /// Goes on with the next entry there is.
    fn add(&mut self, entry: &Entry) {
        let is_next = entry.number == self.number + 1;
        if !is_next {
            self.faults.push(Fault::Removed(self.number + 1, entry.number - 1));
        }
        if entry.hash()[..] != entry.sha256 {
            self.faults.push(Fault::Changed(entry.number));
        } else if is_next && entry.previous_sha256 != self.sha256 {
            self.faults.push(Fault::OutOfPlace(entry.number));
        }
        if entry.number == self.head.entries {
            self.is_end_as_noted = entry.sha256 == self.head.sha256;
        }
        (self.number, self.sha256) = (entry.number, entry.sha256.clone());
    }

    /// There is no further entry; so many are noted by now.
    fn end(mut self, entries: i64) -> Verified {
        if self.number < self.head.entries {
            self.faults.push(Fault::Removed(self.number + 1, self.head.entries));
        }
        if self.number > entries {
            self.faults.push(Fault::Inserted(entries + 1));
        } else if !self.is_end_as_noted {
            self.faults.push(Fault::WrongEnd(self.head.entries));
        }
        Verified { entries: self.number, sha256: self.sha256, faults: self.faults }
    }
}
