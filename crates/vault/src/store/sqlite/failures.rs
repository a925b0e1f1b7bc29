//! What SQLite's errors mean, and what to do.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use sesame_core::Error;

use super::Access;
use crate::ownership::beside;

/// Returns `true` if SQLite's log beside the file holds nothing, so that the file alone is the vault.
pub(super) fn is_log_empty(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).map_or(true, |log| log.len() == 0)
}

/// Returns `true` if the disk takes no more, by trying: SQLite's errors do not say why a write failed.
pub(super) fn disk_is_full(path: &Path) -> bool {
    let probe = beside(path, ".probe");
    let tried =
        fs::OpenOptions::new().write(true).create(true).truncate(true).open(&probe).and_then(|mut file| {
            file.write_all(&vec![0xA5; PROBE])?;
            file.sync_all()
        });
    let _ = fs::remove_file(&probe);
    tried
        .is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

/// SQLITE_FULL.
const FULL: i64 = 13;
/// As much as SQLite needs beside a vault to read it and to write a row.
const PROBE: usize = 64 << 10;

/// Why a file that is there cannot be read, if it cannot.
fn unreadable(path: &Path) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    if about.is_dir() {
        return Some("it is a directory".to_owned());
    }
    std::fs::File::open(path).err().map(|error| format!("the file itself: {error}"))
}

/// Describes an error: which file, and what to do.
pub(super) fn describe(path: &Path, access: Access, error: sqlx::Error) -> Error {
    // SQLite's extended result codes (sqlite.org/rescode.html); the low byte is the primary one.
    let extended = match &error {
        sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i64>().ok()),
        _ => None,
    };
    let code = match extended {
        // SQLITE_IOERR_SHMSIZE: no room for the index of the log.
        Some(4_874) => Some(FULL),
        // The same codes stand for a full disk and for a broken one, or one that is not ours.
        Some(code) if matches!(code & 0xff, 10 | 14) && disk_is_full(path) => Some(FULL),
        // Opened for reading because of it.
        Some(code) if code & 0xff == 8 && access == Access::Frozen => Some(FULL),
        code => code.map(|code| code & 0xff),
    };
    let unreadable = code.filter(|code| *code == 14).and_then(|_| unreadable(path));
    let path = path.display();
    let (message, hint) = match code {
        Some(11 | 26) => (
            format!("the vault {path} is damaged, or no vault"),
            "Nothing was changed. Restore it from a backup; or move it away (with its -wal and -shm files), add the apps and log in again.",
        ),
        Some(FULL) => (
            format!("the disk is full: the vault {path} cannot be written"),
            "Free some space and repeat the command. What the vault held is unchanged.",
        ),
        Some(8) => (
            format!("the vault {path} cannot be written: the file or its directory is read-only"),
            "Fix the owner or mode of the file and its directory, or set SESAME_HOME to another place.",
        ),
        Some(14) if unreadable.is_some() => (
            format!("the vault {path} cannot be opened: {}", unreadable.unwrap_or_default()),
            "Fix the owner and mode of that file (0600), or set SESAME_HOME to another place.",
        ),
        Some(14) => (
            format!("the vault {path} cannot be opened: its directory is missing, read-only or not yours"),
            "SQLite also writes beside the file. Fix the directory's owner and mode, or set SESAME_HOME to another place.",
        ),
        Some(5 | 6) => (
            format!("the vault {path} is locked by another program for more than 5 seconds"),
            "End the other program (a backup, a database browser), then repeat the command.",
        ),
        Some(10) => (
            format!("reading or writing the vault {path} failed: {error}"),
            "Look at the disk and the system's log. What was committed before is unchanged.",
        ),
        _ => (
            format!("the vault {path} failed: {error}"),
            "Nothing else was changed. Repeat the command; if it stays, report it.",
        ),
    };
    let error = Error::local(message).with_hint(hint).with_source(error);
    match code {
        // Waiting helps against a lock and against a full disk, and against nothing else here.
        Some(5 | 6 | 10 | FULL) => error.with_retry(sesame_core::Retry::Backoff),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What SQLite says, by its extended code.
    #[derive(Debug)]
    struct Said(&'static str);

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("disk I/O error")
        }
    }

    impl std::error::Error for Said {}

    impl sqlx::error::DatabaseError for Said {
        fn message(&self) -> &'static str {
            "disk I/O error"
        }
        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }
        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }
        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn extended_codes_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        let said = |code, access| describe(&path, access, sqlx::Error::Database(Box::new(Said(code))));
        for (code, access, words) in [
            ("13", Access::Full, "the disk is full"),
            ("4874", Access::Full, "the disk is full"),
            ("8", Access::Frozen, "the disk is full"),
            ("8", Access::Full, "read-only"),
            ("778", Access::Full, "reading or writing"),
            ("526", Access::Full, "cannot be opened"),
            ("267", Access::Full, "damaged"),
            ("261", Access::Full, "locked"),
        ] {
            let error = said(code, access);
            assert!(error.message().contains(words), "{code}: {error}");
            assert!(error.hint().is_some());
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "the probe is gone");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_from_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vault.db");
        assert_eq!(unreadable(&path), None, "it is not there");
        std::fs::create_dir(&path).unwrap();
        assert!(unreadable(&path).unwrap().contains("directory"));
        let error = sqlx::Error::Database(Box::new(Said("14")));
        let said = describe(&path, Access::Full, error);
        assert!(said.message().ends_with("vault.db cannot be opened: it is a directory"), "{said}");
    }
}
