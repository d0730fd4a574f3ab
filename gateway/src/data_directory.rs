//! The data folder: the embedded CA, the database unless that is elsewhere, and the lock of the server that works on them.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::database::Location;
use crate::private_files;

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The system refuses.
    #[error("the data folder: {path}: {source}")]
    File {
        /// The folder or a file in it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another server has it.
    #[error("another keyside-gateway serves from {0}: stop it first, or name another folder with --data")]
    Taken(PathBuf),
}

/// A data folder.
#[derive(Clone, Debug)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// The data folder `path`.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The database, unless it is elsewhere.
    pub fn database(&self) -> Location {
        Location::Sqlite(self.0.join("keyside.sqlite"))
    }

    /// The embedded CA's folder.
    pub fn ca(&self) -> PathBuf {
        self.0.join("ca")
    }

    /// The folder that notifications land in where there is no mail server.
    pub fn notifications(&self) -> PathBuf {
        self.0.join("notifications")
    }

    /// Makes the folder if it is missing, and takes it for this process until the lock is dropped or the process ends.
    pub fn take(&self) -> Result<Lock, DataError> {
        private_files::create_directory(&self.0).map_err(|source| DataError::File { path: self.0.clone(), source })?;
        let path = self.0.join("lock");
        let file_error = |source| DataError::File { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(file_error)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataError::Taken(self.0.clone())),
            Err(TryLockError::Error(source)) => Err(file_error(source)),
        }
    }
}

/// The lock on a data folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}
