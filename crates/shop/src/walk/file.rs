//! A bookmark in a file: its beginning is a line, and what each page adds is another one.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sesame_core::{Error, Result};

use super::{Bookmark, Progress};

/// The largest file that is read: some 40,000,000 rows.
const LARGEST: u64 = 512 << 20;

/// A file that holds how far a list was read. A killed process loses at most the page that it was printing.
#[derive(Debug)]
pub struct BookmarkFile {
    path: PathBuf,
    file: File,
}

impl BookmarkFile {
    /// Opens the file, and reads the bookmark that an earlier read left there. The file is kept for this
    /// process alone.
    ///
    /// # Errors
    /// Local, for a file that cannot be opened, that another process uses, or that is no bookmark.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Self, Option<Bookmark>)> {
        let path = path.into();
        if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(Error::usage(format!("the bookmark {} is no file", path.display())));
        }
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|error| failed("opened", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Error::usage(format!(
                    "the bookmark {} is used by another process",
                    path.display()
                ))
                .with_hint("Wait for it to end, or use another file."));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed("locked", &path, &error)),
        }
        let mut text = Vec::new();
        Read::by_ref(&mut file)
            .take(LARGEST + 1)
            .read_to_end(&mut text)
            .map_err(|error| failed("read", &path, &error))?;
        // A line that was cut off was never finished: the page comes again.
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if text.len() as u64 > LARGEST {
            return Err(Error::usage(format!("{} is too large for a bookmark", path.display())));
        }
        let damaged = |error: serde_json::Error| {
            Error::usage(format!("{} is no bookmark, or is damaged: {error}", path.display()))
                .with_hint("Delete it to read the list from its beginning.")
        };
        let mut lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut bookmark: Option<Bookmark> = None;
        if let Some(first) = lines.next() {
            bookmark = Some(serde_json::from_slice(first).map_err(damaged)?);
        } else if !text.is_empty() {
            return Err(Error::usage(format!("{} is no bookmark", path.display()))
                .with_hint("Name a new file: this one is left as it is."));
        }
        for line in lines {
            let progress: Progress = serde_json::from_slice(line).map_err(damaged)?;
            if let Some(bookmark) = &mut bookmark {
                bookmark.extend(progress);
            }
        }
        let cut = file.set_len(whole as u64).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(|error| failed("written", &path, &error))?;
        Ok((Self { path, file }, bookmark))
    }

    /// Writes the bookmark that a list begins with.
    ///
    /// # Errors
    /// Local, when the file cannot be written.
    pub fn begin(&mut self, bookmark: &Bookmark) -> Result<()> {
        let cut = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        cut.map_err(|error| failed("written", &self.path, &error))?;
        self.line(bookmark)
    }

    /// Adds what a page brought, after its rows were printed.
    ///
    /// # Errors
    /// Local, when the file cannot be written.
    pub fn append(&mut self, progress: &Progress) -> Result<()> {
        self.line(progress)
    }

    /// Removes the file: the list was read to its end.
    ///
    /// # Errors
    /// Local, when it cannot be removed.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(|error| failed("removed", &self.path, &error))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line =
            serde_json::to_vec(value).map_err(|error| Error::local(format!("a bookmark: {error}")))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| failed("written", &self.path, &error))
    }
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::local(format!("the bookmark {} cannot be {what}: {error}", path.display()))
}
