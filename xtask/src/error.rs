//! What went wrong, and the way out of it.

use std::fmt;
use std::io;
use std::path::Path;

/// A fault, and where there is one, the way out.
#[derive(Debug, Clone)]
pub(crate) struct Error {
    fault: String,
    way_out: Option<String>,
}

/// A result whose error is [`Error`].
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A fault that the reader can only report.
    pub(crate) fn new(fault: impl Into<String>) -> Self {
        Self { fault: fault.into(), way_out: None }
    }

    /// The same fault, with what to do about it.
    pub(crate) fn way_out(self, way_out: impl Into<String>) -> Self {
        Self { way_out: Some(way_out.into()), ..self }
    }

    /// A failed operation on a file or folder; `doing` is a verb: "read", "write".
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.fault)?;
        match &self.way_out {
            Some(way_out) => write!(formatter, "\n  {way_out}"),
            None => Ok(()),
        }
    }
}
