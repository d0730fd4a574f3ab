//! The journal: a file beside the SQLite database with the certificates that were issued and revoked, the authorisations that were withdrawn, the
//! officers who were shut out, and the numbers of the CRLs that were signed, a line of JSON each. After the database was restored from a backup, what has happened since is read from here.
//!
//! A line is on the disk before the transaction that it tells of is committed. So the journal may have a line for what has come to nothing:
//! a certificate that is signed again, the same to the last byte, or a revocation that was asked for. It never lacks one. A line that a crash
//! has cut is of a transaction that was not committed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use keyside_core::domain::revocation::RevocationReason;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::audit::NewEntry;
use super::audit_actions::{Action, Actor};
use super::kept_requests::{self, KeptRequest};
use super::{audit, authorisations, crls, officers, requests, revocations, revoked_serial_numbers, sessions};
use crate::clock;
use crate::database::{Database, DatabaseError, Transaction};
use crate::private_files;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// A certificate was issued.
    Issued(Box<KeptRequest>),
    /// A certificate was revoked.
    Revoked {
        /// Its serial number, unsigned, most significant byte first, in hexadecimal.
        serial_number: String,
        /// When, in seconds since 1970-01-01T00:00:00Z.
        revoked_at: i64,
        /// The reason.
        reason: RevocationReason,
    },
    /// The certificate of an issuing CA was revoked.
    AuthorityRevoked {
        /// Its serial number, unsigned, most significant byte first, in hexadecimal.
        serial_number: String,
        /// When, in seconds since 1970-01-01T00:00:00Z.
        revoked_at: i64,
        /// The reason.
        reason: RevocationReason,
    },
    /// An authorisation was withdrawn.
    Withdrawn {
        /// Its id.
        authorisation: String,
        /// When, in seconds since 1970-01-01T00:00:00Z.
        withdrawn_at: i64,
    },
    /// An authorisation has another code.
    CodeReplaced {
        /// Its id.
        authorisation: String,
        /// The SHA-256 of the new code, in hexadecimal.
        code_sha256: String,
    },
    /// An officer was shut out.
    OfficerRevoked {
        /// The officer's id.
        id: String,
        /// When, in seconds since 1970-01-01T00:00:00Z.
        revoked_at: i64,
    },
    /// A CRL was signed.
    Crl {
        /// Its issuer, by [`issuer_of`](crls::issuer_of), in hexadecimal.
        issuer: String,
        /// Its number.
        number: u64,
    },
}

/// The file of the journal of the database `path`.
pub fn path_of(path: &Path) -> PathBuf {
    path.with_extension("journal")
}

/// Appends lines to the journal of a SQLite database, and has them on the disk. PostgreSQL has none: it archives its own log.
pub async fn append(database: &Database, entries: Vec<Entry>) -> Result<(), DatabaseError> {
    let Some(path) = database.file().map(path_of) else { return Ok(()) };
    if entries.is_empty() {
        return Ok(());
    }
    let shown = path.clone();
    let written = spawn_blocking(move || write(&path, &entries)).await;
    let written = written.map_err(io::Error::other).and_then(|written| written);
    written.map_err(|source| DatabaseError::Journal { path: shown, source })
}

fn write(path: &Path, entries: &[Entry]) -> io::Result<()> {
    let is_new = match private_files::create(path) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    // Until it is dropped: the server and the command line may write at once.
    file.lock()?;
    let mut text = String::new();
    if !ends_with_line(&mut file)? {
        text.push('\n');
    }
    for entry in entries {
        text.push_str(&serde_json::to_string(entry)?);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    match path.parent() {
        Some(folder) if is_new => private_files::sync_directory(folder),
        _ => Ok(()),
    }
}

/// True if the file is empty, or ends with a whole line.
fn ends_with_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The result of reading a journal into a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Certificates that the database did not know.
    pub issued: u64,
    /// Revocations that it did not know.
    pub revoked: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
}

impl Replayed {
    /// The sum of the results of two journals.
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            issued: self.issued + other.issued,
            revoked: self.revoked + other.revoked,
            unreadable: self.unreadable + other.unreadable,
        }
    }
}

/// Reads the journal `path` into the database: all that it does not know yet. A second time changes nothing.
pub async fn replay(database: &Database, path: &Path) -> Result<Replayed, DatabaseError> {
    let fault = |source| DatabaseError::Journal { path: path.to_owned(), source };
    let mut lines = BufReader::new(File::open(path).map_err(fault)?).split(b'\n');
    let mut replayed = Replayed::default();
    let mut transaction = database.transaction().await?;
    // Nothing else runs beside a restore that reading could hold up.
    while let Some(line) = lines.next().transpose().map_err(fault)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(entry) => apply(&mut transaction, entry, &mut replayed).await?,
            Err(_) => replayed.unreadable += 1,
        }
    }
    let detail = format!(
        "from the journal: {} certificates, {} revocations; {} lines that cannot be read",
        replayed.issued, replayed.revoked, replayed.unreadable
    );
    let (at, actor, action) = (clock::now(), Actor::CommandLine, Action::Restored);
    audit::append(&mut transaction, NewEntry { at, actor, action, subject: "database".into(), detail }).await?;
    transaction.commit().await?;
    Ok(replayed)
}

async fn apply(transaction: &mut Transaction, entry: Entry, replayed: &mut Replayed) -> Result<(), sqlx::Error> {
    match entry {
        Entry::Issued(request) => replayed.issued += u64::from(kept_requests::bring_back(transaction, &request).await?),
        Entry::Revoked { serial_number, revoked_at, reason } => {
            let Ok(serial_number) = base16ct::mixed::decode_vec(&serial_number) else {
                replayed.unreadable += 1;
                return Ok(());
            };
            let is_new = revoked_serial_numbers::revoke(transaction, &serial_number, reason, revoked_at).await?;
            replayed.revoked += u64::from(is_new);
        }
        Entry::AuthorityRevoked { serial_number, revoked_at, reason } => {
            let Ok(serial_number) = base16ct::mixed::decode_vec(&serial_number) else {
                replayed.unreadable += 1;
                return Ok(());
            };
            let is_new = revocations::revoke_authority(transaction, &serial_number, reason, revoked_at).await?;
            replayed.revoked += u64::from(is_new);
        }
        Entry::Withdrawn { authorisation, withdrawn_at } => {
            if authorisations::withdraw(transaction, &authorisation, withdrawn_at).await? {
                requests::leave_to_a_person(transaction, &authorisation).await?;
            }
        }
        Entry::CodeReplaced { authorisation, code_sha256 } => match base16ct::mixed::decode_vec(&code_sha256) {
            // One that is used or withdrawn has no use for a code; one that has expired is not found.
            Ok(code_sha256) => {
                authorisations::replace_code(transaction, &authorisation, &code_sha256, clock::now()).await?;
            }
            Err(_) => replayed.unreadable += 1,
        },
        Entry::OfficerRevoked { id, revoked_at } => {
            if officers::revoke(transaction, &id, revoked_at).await? {
                sessions::end_all(transaction, &id).await?;
            }
        }
        Entry::Crl { issuer, number } => match base16ct::mixed::decode_vec(&issuer) {
            Ok(issuer) => crls::raise(transaction, &issuer, number).await?,
            Err(_) => replayed.unreadable += 1,
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_line_that_was_cut_spoils_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyside.journal");
        let entry = |number| Entry::Crl { issuer: "00".into(), number };
        write(&path, &[entry(1), entry(2)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, whole.get(..whole.len() - 5).unwrap()).unwrap();
        write(&path, &[entry(3)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<_> = text.lines().map(|line| serde_json::from_str::<Entry>(line).is_ok()).collect();
        assert_eq!(read, [true, false, true]);
        assert!(private_files::is_private(&path).unwrap());
    }
}
