//! Restoring the SQLite database from a backup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::journal::{self, Replayed};
use crate::data_directory::{DataDirectory, DataError};
use crate::database::{Database, DatabaseError, Location};
use crate::private_files;

/// The endings of the files that SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// The reason why a backup is not restored. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A gateway serves from the folder, or it cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// PostgreSQL is restored by its own programs.
    #[error("only SQLite is restored like this: for PostgreSQL, run psql or pg_restore")]
    NotSqlite,
    /// A file cannot be read, copied or moved.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The backup cannot be used.
    #[error("the backup {path} cannot be used: {source}")]
    Backup {
        /// The backup.
        path: PathBuf,
        /// The database's error.
        source: DatabaseError,
    },
    /// The journal cannot be used.
    #[error("the journal {path} cannot be used: {source}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The database's error.
        source: DatabaseError,
    },
}

/// A database that was restored.
#[derive(Debug)]
pub struct Restored {
    /// The file of the database of before, if there was one.
    pub before: Option<PathBuf>,
    /// The part that the journal had beside the backup, if there was a journal.
    pub replayed: Option<Replayed>,
}

/// Puts `backup` in the place of the database at `location`, with all that the journal knows. The new database is whole before it takes the place
/// of the old one, which is kept.
pub async fn restore(
    data: &DataDirectory,
    location: &Location,
    backup: &Path,
    journal: Option<&Path>,
) -> Result<Restored, RestoreError> {
    let Location::Sqlite(path) = location else { return Err(RestoreError::NotSqlite) };
    let _lock = data.take()?;
    let in_work = beside(path, "-restoring");
    remove(&in_work)?;
    copy(backup, &in_work)?;
    let filled = fill(&in_work, path, journal).await;
    let replayed = match filled {
        Ok(replayed) => replayed,
        Err(fault) => {
            remove(&in_work)?;
            return Err(match fault {
                Fault::Backup(source) => RestoreError::Backup { path: backup.to_owned(), source },
                Fault::Journal(path, source) => RestoreError::Journal { path, source },
            });
        }
    };
    let before = free_name(path);
    // Those of a database that is gone, too: SQLite would read them into the new one.
    for ending in BESIDE {
        if beside(path, ending).exists() {
            rename(&beside(path, ending), &beside(&before, ending))?;
        }
    }
    let before = match path.exists() {
        true => rename(path, &before).map(|()| Some(before))?,
        false => None,
    };
    rename(&in_work, path)?;
    if let Some(folder) = path.parent() {
        private_files::sync_directory(folder).map_err(file_error(folder))?;
    }
    Ok(Restored { before, replayed })
}

/// Brings the copy of the backup up to date, and reads the journal into it.
async fn fill(in_work: &Path, path: &Path, journal: Option<&Path>) -> Result<Option<Replayed>, Fault> {
    let database = super::open(&Location::Sqlite(in_work.to_owned())).await.map_err(Fault::Backup)?;
    let own = journal::path_of(path);
    // A copy from elsewhere first, then what came after it was made.
    let own = Some(own.as_path()).filter(|own| own.exists() && Some(*own) != journal);
    let mut sum = None;
    for journal in journal.into_iter().chain(own) {
        match journal::replay(&database, journal).await {
            Ok(replayed) => sum = Some(replayed.plus(sum.unwrap_or_default())),
            Err(source) => {
                Database::close(&database).await;
                return Err(Fault::Journal(journal.to_owned(), source));
            }
        }
    }
    Database::close(&database).await;
    Ok(sum)
}

/// The file for which a database could not be filled.
enum Fault {
    Backup(DatabaseError),
    Journal(PathBuf, DatabaseError),
}

/// A name for the database of before that is not taken, neither for itself nor for a file beside it.
fn free_name(path: &Path) -> PathBuf {
    let is_free = |name: &PathBuf| !name.exists() && BESIDE.iter().all(|ending| !beside(name, ending).exists());
    (1_u32..).map(|number| beside(path, &format!("-before-{number}"))).find(is_free).unwrap_or_default()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn copy(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let mut from_file = fs::File::open(from).map_err(file_error(from))?;
    let mut to_file = private_files::create(to).map_err(file_error(to))?;
    io::copy(&mut from_file, &mut to_file).map_err(file_error(to))?;
    to_file.sync_all().map_err(file_error(to))
}

/// Removes a database in work, with its files beside it.
fn remove(path: &Path) -> Result<(), RestoreError> {
    for file in [path.to_owned()].into_iter().chain(BESIDE.map(|ending| beside(path, ending))) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(&file)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<(), RestoreError> {
    fs::rename(from, to).map_err(file_error(from))
}

/// For `map_err` where the file `path` is worked on.
fn file_error(path: &Path) -> impl Fn(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |source| RestoreError::File { path: path.clone(), source }
}
