//! The database: SQLite in the data folder, or PostgreSQL, behind one door.
//!
//! The statements in [`store`](crate::store) are the same for both. What differs is here: how to connect, how a transaction that
//! writes begins, how rows are passed over that another one has locked, and the dialect of the migrations.
//!
//! Every commit reaches the disk before anybody hears of it: a transaction ID or certificate that was handed out is never forgotten.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_drivers};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Any, AnyPool, Connection};

use crate::{clock, private_files};

/// Connections at once: to PostgreSQL, or that read from SQLite.
const CONNECTIONS: u32 = 8;

/// What a new connection to SQLite is told. The first is for other processes, `keyside-gateway requests` say: so long does one writer wait
/// for another. The last two (16 MB of cache, a checkpoint each 32 MB) are for many requests: what each one writes is all over the indexes
/// then, and is gathered for longer before it goes to its places.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                               PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 8000";

/// The least room on SQLite's disk with which the gateway is ready: for some of the largest requests, with their certificates.
const LEAST_ROOM: u64 = 1024 * 1024;

/// How a transaction begins on SQLite that writes: as the only one.
const SQLITE_BEGIN: &str = "BEGIN IMMEDIATE";

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRESQL_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgresql");

/// A transaction: what was written in it is there after [`commit`](sqlx::Transaction::commit), and was never there when it is dropped.
pub type Transaction = sqlx::Transaction<'static, Any>;

/// Has sqlx know the databases. Before anything connects; a second call changes nothing.
pub fn make_known() {
    // The only error is that they are known.
    drop(install_drivers(&[sqlx_postgres::any::DRIVER, sqlx_sqlite::any::DRIVER]));
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no database to work on.
    #[error("there is no database {0}: name the server's data folder with --data, or start the server once")]
    Missing(PathBuf),
    /// The database cannot be made.
    #[error("the database {path} cannot be made: {source}")]
    Create {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path of the database has bytes that are no text.
    #[error("the database {0} cannot be opened: its path is not UTF-8; move it")]
    Path(PathBuf),
    /// The database server does not let us in.
    #[error("the database {location} cannot be reached: {source}")]
    Connect {
        /// The database.
        location: Location,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// The database is newer than this program, or damaged.
    #[error("the database {location} cannot be brought up to date: {source}")]
    Migrate {
        /// The database.
        location: Location,
        /// What went wrong.
        source: MigrateError,
    },
    /// There is next to no room on SQLite's disk.
    #[error("there are only {free_bytes} bytes left on the disk of {path}")]
    NoRoom {
        /// The database.
        path: PathBuf,
        /// The free space, in bytes.
        free_bytes: u64,
    },
    /// The journal beside SQLite's file cannot be written or read.
    #[error("the journal {path}: {source}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// This is not how a server is backed up.
    #[error("only SQLite is backed up like this: for PostgreSQL, run pg_dump")]
    NoBackup,
    /// A statement failed.
    #[error("the database: {0}")]
    Statement(#[from] sqlx::Error),
}

/// True if the database cannot work now, and may later: it is not reached, locked, shutting down, or has no room.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    use sqlx::Error;
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::BeginFailed => true,
        Error::Database(error) => error.code().is_some_and(|code| match code.parse::<u32>() {
            // Of SQLite (its file sqlite3.h): BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL and CANTOPEN, each with its extended codes.
            Ok(number) if code.len() < SQLSTATE_LENGTH => matches!(number & 0xFF, 5 | 6 | 7 | 8 | 10 | 13 | 14),
            // Of PostgreSQL (its documentation, appendix A): the connection, conflicts between transactions, resources, an operator, the system,
            // and a server that takes no writes now.
            _ => ["08", "40", "53", "55", "57", "58", "25006"].iter().any(|class| code.starts_with(class)),
        }),
        _ => false,
    }
}

/// The characters in a code of PostgreSQL's.
const SQLSTATE_LENGTH: usize = 5;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A database on a server, as its URL.
    Postgresql(String),
}

/// A text that is no [`Location`].
#[derive(Debug, thiserror::Error)]
#[error(
    "write a database's URL as in “postgresql://keyside@db.example.com/keyside”, or “sqlite:/var/lib/keyside/keyside.sqlite”"
)]
pub struct NoLocation;

impl FromStr for Location {
    type Err = NoLocation;

    fn from_str(url: &str) -> Result<Self, NoLocation> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgresql" | "postgres", _)) if url.parse::<AnyConnectOptions>().is_ok() => {
                Ok(Self::Postgresql(url.into()))
            }
            _ => Err(NoLocation),
        }
    }
}

impl Location {
    /// True for a server of PostgreSQL that is spoken to over TLS only.
    pub fn is_by_tls(&self) -> bool {
        let mode = self.option("sslmode").or_else(|| self.option("ssl-mode")).unwrap_or_default();
        ["require", "verify-ca", "verify-full"].contains(&mode.to_ascii_lowercase().as_str())
    }

    /// True for one that is reached by a socket of this machine: its host is a path.
    pub fn is_by_socket(&self) -> bool {
        let Self::Postgresql(url) = self else { return false };
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        decoded(host).starts_with('/') || self.option("host").is_some_and(|host| host.starts_with('/'))
    }

    /// The value of an option in the URL, decoded.
    fn option(&self, name: &str) -> Option<String> {
        let Self::Postgresql(url) = self else { return None };
        let (_, options) = url.split_once('?')?;
        let value = options.split('&').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))?;
        Some(decoded(value))
    }
}

/// A part of a URL without percent-encoding.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Without user, password and options.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgresql(url) => {
                let url = url.split('?').next().unwrap_or_default();
                match (url.split_once("://"), url.rsplit_once('@')) {
                    (Some((scheme, _)), Some((_, place))) => write!(f, "{scheme}://{place}"),
                    _ => f.write_str(url),
                }
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgresql,
}

/// The database. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Database {
    kind: Kind,
    /// For whoever reads.
    pool: AnyPool,
    /// SQLite's file.
    file: Option<Arc<Path>>,
    /// For transactions. SQLite has one writer at a time: here they queue in order, where SQLite would have them try again and again.
    writers: AnyPool,
}

impl Database {
    /// Opens the database, or makes it where it is a file, and brings it up to date.
    pub async fn open_or_create(location: &Location) -> Result<Self, DatabaseError> {
        if let Location::Sqlite(path) = location
            // SQLite takes an empty file for a new database, and its helper files get the same mode.
            && let Err(source) = private_files::create(path)
            && source.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(DatabaseError::Create { path: path.to_owned(), source });
        }
        Self::open(location).await
    }

    /// Opens the database, which must be there, and brings it up to date.
    pub async fn open(location: &Location) -> Result<Self, DatabaseError> {
        make_known();
        let database = match location {
            Location::Sqlite(path) => Self::connect_to_sqlite(path).await,
            Location::Postgresql(url) => Self::connect_to_postgresql(url).await,
        }
        .map_err(|error| match error {
            DatabaseError::Statement(source) => DatabaseError::Connect { location: location.clone(), source },
            error => error,
        })?;
        let migrated = database.migrate().await;
        migrated.map_err(|source| DatabaseError::Migrate { location: location.clone(), source })?;
        Ok(database)
    }

    /// Brings the database up to date. Of several processes that start at once, one does it, and the others wait.
    async fn migrate(&self) -> Result<(), MigrateError> {
        match self.kind {
            // By its own lock.
            Kind::Postgresql => POSTGRESQL_MIGRATIONS.run(&self.writers).await,
            Kind::Sqlite => {
                let mut transaction = self.writers.begin_with(SQLITE_BEGIN).await?;
                SQLITE_MIGRATIONS.run(&mut *transaction).await?;
                Ok(transaction.commit().await?)
            }
        }
    }

    async fn connect_to_sqlite(path: &Path) -> Result<Self, DatabaseError> {
        if !path.exists() {
            return Err(DatabaseError::Missing(path.to_owned()));
        }
        let text = path.to_str().ok_or_else(|| DatabaseError::Path(path.to_owned()))?;
        let options: AnyConnectOptions = format!("sqlite:{}", utf8_percent_encode(text, NON_ALPHANUMERIC)).parse()?;
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                // Where a commit fails, on a full disk say, SQLite may have ended the transaction by itself. sqlx still counts it as open, and
                // begins no other one on this connection.
                .after_release(|connection, _| {
                    Box::pin(async move { Ok(connection.ping().await.is_ok() && !connection.is_in_transaction()) })
                })
                .after_connect(|connection, _| {
                    Box::pin(async move { sqlx::raw_sql(SQLITE_SETTINGS).execute(connection).await.map(drop) })
                })
                .connect_with(options.clone())
        };
        Ok(Self {
            kind: Kind::Sqlite,
            file: Some(path.into()),
            writers: pool(1).await?,
            pool: pool(CONNECTIONS).await?,
        })
    }

    async fn connect_to_postgresql(url: &str) -> Result<Self, DatabaseError> {
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(url.parse()?)
            .await?;
        Ok(Self { kind: Kind::Postgresql, file: None, writers: pool.clone(), pool })
    }

    /// SQLite's file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// To read with, one statement by itself.
    pub fn reader(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction, to write in. On SQLite there is no other one until it ends.
    pub async fn transaction(&self) -> Result<Transaction, DatabaseError> {
        Ok(match self.kind {
            Kind::Sqlite => self.writers.begin_with(SQLITE_BEGIN).await?,
            Kind::Postgresql => self.writers.begin().await?,
        })
    }

    /// Stands at the end of the query that chooses a row to take, where several gateways take from one table: passes over the rows that
    /// another one is just taking, so that none waits for the other and goes away with nothing. On SQLite there is no other one.
    pub(crate) fn passing_over_locked(&self) -> &'static str {
        match self.kind {
            Kind::Sqlite => "",
            Kind::Postgresql => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// Makes sure that something can be written now, and that there is room for more.
    pub(crate) async fn try_to_write(&self) -> Result<(), DatabaseError> {
        let mut transaction = self.transaction().await?;
        let statement = "UPDATE readiness SET tried_at = $1";
        sqlx::query(statement).bind(clock::now()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        match (&self.file, self.free_bytes()) {
            (Some(path), Some(free_bytes)) if free_bytes < LEAST_ROOM => {
                Err(DatabaseError::NoRoom { path: path.to_path_buf(), free_bytes })
            }
            _ => Ok(()),
        }
    }

    /// The free space on SQLite's disk that a user who is not its administrator can have, in bytes. A server does not tell.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let room = rustix::fs::statvfs(&**self.file.as_ref()?).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Writes a copy of the database, as it is at one moment, into the new file `path`. Whoever works on the database meanwhile goes on.
    pub async fn back_up(&self, path: &Path) -> Result<(), DatabaseError> {
        if self.kind == Kind::Postgresql {
            return Err(DatabaseError::NoBackup);
        }
        let create_error = |source| DatabaseError::Create { path: path.to_owned(), source };
        // SQLite takes an empty file for a new database; this one is the owner's alone, and was not there.
        private_files::create(path).map_err(create_error)?;
        let text = path.to_str().ok_or_else(|| DatabaseError::Path(path.to_owned()))?;
        sqlx::query("VACUUM INTO $1").bind(text).execute(&self.pool).await?;
        std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(create_error)
    }

    /// Closes every connection; a SQLite file is whole by itself then.
    pub async fn close(&self) {
        self.pool.close().await;
        // SQLite does it itself when the last connection closes, but two that close at once may each take the other for the last.
        if self.kind == Kind::Sqlite
            && let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writers).await
        {
            tracing::warn!(%error, "the write-ahead log stays beside the database; the next start reads both");
        }
        self.writers.close().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn a_location_does_not_show_its_password() {
        let url = "postgresql://keyside:s3cret@db.example.com:5433/keyside?password=other";
        let location: Location = url.parse().unwrap();
        assert_eq!(location, Location::Postgresql(url.into()));
        assert_eq!(location.to_string(), "postgresql://db.example.com:5433/keyside");
        assert_eq!(format!("{location:?}"), location.to_string());
    }

    #[test]
    fn what_is_no_location_is_refused() {
        for text in ["", "sqlite:", "keyside.sqlite", "mysql://db.example.com/keyside", "postgresql", "postgresql://[/"]
        {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_file_may_have_any_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("50% of ä?b#c.sqlite");
        let location = Location::Sqlite(path.clone());
        assert!(matches!(Database::open(&location).await, Err(DatabaseError::Missing(_))));
        Database::open_or_create(&location).await.unwrap().close().await;
        let files: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files, [path]);
    }
}
