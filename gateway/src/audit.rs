//! The audit log: every decision, in one chain of hashes.
//!
//! The hash of an entry is SHA-256 over the hash of the entry before and the entry's own fields. Whoever changes, removes, inserts
//! or moves an entry breaks the chain there, and `keyside-gateway audit verify` says where. Whoever can write to the database can
//! also make the whole chain anew: note the last hash elsewhere from time to time, and give it to `audit verify --noted`.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::database::{Database, DatabaseError};
use crate::store::audit as store;

/// The bytes of a SHA-256.
pub const HASH_SIZE: usize = 32;
/// What the first entry follows.
const BEGINNING: [u8; HASH_SIZE] = [0; HASH_SIZE];
/// Stands before what is hashed, so that no other use of SHA-256 gives the same.
const DOMAIN: &[u8] = b"keyside audit log 1";
/// How many entries are read at once for verifying.
const BATCH: i64 = 1_000;

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An officer, by id.
    Officer(String),
    /// Whoever may run the command line.
    CommandLine,
    /// The configuration: nobody was asked.
    Policy,
    /// Whoever has the transaction ID.
    Applicant,
    /// The gateway, in the course of its work.
    Gateway,
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Officer(id) => write!(formatter, "officer:{id}"),
            Self::CommandLine => formatter.write_str("command line"),
            Self::Policy => formatter.write_str("policy"),
            Self::Applicant => formatter.write_str("applicant"),
            Self::Gateway => formatter.write_str("gateway"),
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A person was authorised.
    Authorised,
    /// An authorisation got another code.
    CodeReplaced,
    /// An authorisation was withdrawn.
    Withdrawn,
    /// A request was approved.
    Approved,
    /// A request was rejected.
    Rejected,
    /// A certificate was issued.
    Issued,
    /// The revocation of a certificate was asked for.
    RevocationRequested,
    /// A certificate was revoked.
    Revoked,
    /// An officer was invited.
    OfficerInvited,
    /// A further way to sign in was given to an officer.
    OfficerLinked,
    /// An officer's certificate signs in no more.
    OfficerUnlinked,
    /// An officer has signed in.
    SignedIn,
    /// An officer may not sign in any more.
    OfficerRevoked,
    /// A one-time code was made, with which a device enrolls.
    DeviceCodeMade,
    /// The database was restored from a backup.
    Restored,
}

impl Action {
    /// Its name, as the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorised => "authorised",
            Self::CodeReplaced => "code replaced",
            Self::Withdrawn => "authorisation withdrawn",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Issued => "issued",
            Self::RevocationRequested => "revocation asked for",
            Self::Revoked => "revoked",
            Self::OfficerInvited => "officer invited",
            Self::OfficerLinked => "sign-in given",
            Self::OfficerUnlinked => "sign-in taken",
            Self::SignedIn => "signed in",
            Self::OfficerRevoked => "officer revoked",
            Self::DeviceCodeMade => "device code made",
            Self::Restored => "restored",
        }
    }
}

/// What is to be written down.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// When it was done, in seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what: a transaction ID, or the id of an authorisation or officer.
    pub subject: String,
    /// What else there is to say; may be empty.
    pub detail: String,
}

/// An entry of the log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Entry {
    /// Its place in the chain, from 1.
    pub number: i64,
    /// See [`NewEntry::at`].
    pub at: i64,
    /// See [`NewEntry::actor`].
    pub actor: String,
    /// See [`NewEntry::action`].
    pub action: String,
    /// See [`NewEntry::subject`].
    pub subject: String,
    /// See [`NewEntry::detail`].
    pub detail: String,
    /// The hash of the entry before.
    pub previous_sha256: Vec<u8>,
    /// Its own hash.
    pub sha256: Vec<u8>,
}

impl Entry {
    /// What its hash should be.
    ///
    /// Each field stands behind its length in bytes (64 bits, the most significant first), so that no two entries give the same bytes.
    /// The number is left out: an entry that was moved has its own hash still, and is seen by what it follows.
    pub fn hash(&self) -> [u8; HASH_SIZE] {
        let at = self.at.to_be_bytes();
        let texts = [&self.actor, &self.action, &self.subject, &self.detail].map(|text| text.as_bytes());
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        for field in [&self.previous_sha256, &at[..]].into_iter().chain(texts) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.finalize().into()
    }
}

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

/// The end of the log, as the database notes it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Head {
    /// How many entries there are.
    pub entries: i64,
    /// The hash of the last one.
    pub sha256: Vec<u8>,
}

/// Verifies the whole log; `noted` is a hash that it must have, in hexadecimal. It may grow meanwhile.
pub async fn verify(database: &Database, noted: Option<&str>) -> Result<Verified, DatabaseError> {
    let head = store::head(database).await?;
    let mut noted = noted.map(str::to_ascii_lowercase);
    let mut chain = Chain::new(head);
    loop {
        let batch = store::following(database, chain.number, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for entry in &batch {
            noted = noted.filter(|noted| *noted != hexadecimal(&entry.sha256));
            chain.add(entry);
        }
    }
    let mut verified = chain.end(store::head(database).await?.entries);
    verified.faults.extend(noted.map(Fault::NotedIsMissing));
    Ok(verified)
}

/// Bytes in lowercase hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
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
