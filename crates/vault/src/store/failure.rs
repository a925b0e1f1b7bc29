//! Why a store did not do what it was asked.

use std::{io, path::PathBuf};

/// What a piece of work comes to.
pub(super) type Outcome<T> = std::result::Result<T, Failure>;

/// Why work was not done.
#[derive(Debug)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "a server's alone"))]
pub(super) enum Failure {
    /// All connections were in use all the time.
    Busy,
    /// No connection could be made.
    Unreachable(sqlx::Error),
    /// A certificate file cannot be read.
    NoFile(PathBuf, io::Error),
    /// No connection was made in time.
    NoConnection,
    /// No answer came in time.
    NoAnswer,
    /// The database, or the way there, failed.
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    /// Returns the database's own code of the error.
    #[cfg(feature = "postgres")]
    pub(super) fn code(&self) -> Option<String> {
        match self {
            Self::Unreachable(sqlx::Error::Database(error)) | Self::Failed(sqlx::Error::Database(error)) => {
                error.code().map(std::borrow::Cow::into_owned)
            }
            _ => None,
        }
    }

    /// Returns `true` if the server undid the work because of concurrent work: it may be repeated at once.
    #[cfg(feature = "postgres")]
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self.code().as_deref(), Some("40001" | "40P01"))
    }

    /// Returns `true` if a unique name is taken.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Failed(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}
