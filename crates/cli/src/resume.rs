//! `--bookmark`: a list that is cut off goes on where it was.

use std::{cell::RefCell, fs::File, io, path::Path};

use sesame_core::{Error, ErrorKind, command_line::quote};
use sesame_shop::{Bookmark, BookmarkFile, Progress};

use crate::{
    exit::{CliError, CliResult, note},
    output::Format,
};

/// The bookmark of a command; without one nothing is noted.
pub(crate) struct Resume {
    path: String,
    file: RefCell<Option<BookmarkFile>>,
    former: RefCell<Option<Bookmark>>,
    /// Standard output, if it is a file.
    output: Option<File>,
}

impl Resume {
    /// Opens the file, if one was named.
    ///
    /// Rows that a killed process wrote to a file and did not note are taken away from its end, so that they
    /// do not stand there twice.
    ///
    /// # Errors
    /// Usage, for several shops, for one JSON document, and for a file that is no bookmark.
    pub(crate) fn open(path: Option<&Path>, format: Format, are_many: bool) -> CliResult<Self> {
        let Some(path) = path else {
            let (file, former) = (RefCell::new(None), RefCell::new(None));
            return Ok(Self { path: String::new(), file, former, output: None });
        };
        if format == Format::Json {
            return Err(Error::usage("a list that may be cut off is no single JSON document")
                .with_hint("Use --output ndjson, or csv.")
                .into());
        }
        if are_many {
            return Err(Error::usage("a bookmark is of the list of one shop")
                .with_hint("Name one shop, or read each with a bookmark of its own.")
                .into());
        }
        let (file, former) = BookmarkFile::open(path)?;
        if let Some(former) = &former {
            note("note", &format!("going on after {} rows", former.count()));
        }
        let path = path.display().to_string();
        let output = output_file();
        let mark = former.as_ref().and_then(Bookmark::mark);
        if let (Some(output), Some((name, length))) = (&output, mark.and_then(|mark| mark.split_once(' ')))
            && let (Some((same, now)), Ok(length)) = (mark_of(output), length.parse::<u64>())
            && same == name
            && now > length
        {
            output.set_len(length)?;
        }
        Ok(Self { path, file: RefCell::new(Some(file)), former: RefCell::new(former), output })
    }

    /// Returns `true` if rows are added to those of an earlier run: columns were named there.
    pub(crate) fn continues(&self) -> bool {
        let former = self.former.borrow();
        let former = former.as_ref().filter(|former| former.count() > 0);
        let mark = former.and_then(Bookmark::mark).and_then(|mark| mark.split_once(' '));
        let output = self.output.as_ref().and_then(mark_of);
        matches!((mark, output), (Some((name, _)), Some((same, length))) if same == name && length > 0)
    }

    /// Returns where the list was left.
    pub(crate) fn bookmark(&self) -> Option<Bookmark> {
        self.former.borrow().clone()
    }

    /// Notes the beginning of a list.
    ///
    /// # Errors
    /// Usage, for a list without bookmarks; local, when the file cannot be written.
    pub(crate) fn begin(&self, bookmark: Option<Bookmark>) -> CliResult {
        let mut file = self.file.borrow_mut();
        let Some(file) = file.as_mut().filter(|_| self.former.borrow().is_none()) else { return Ok(()) };
        let bookmark =
            bookmark.ok_or_else(|| Error::usage("this list has no bookmarks: leave --bookmark out"))?;
        Ok(file.begin(&bookmark.with_mark(self.mark()))?)
    }

    /// Notes that the rows of a page were printed.
    ///
    /// # Errors
    /// Local, when the file cannot be written.
    pub(crate) fn record(&self, progress: Option<Progress>) -> CliResult {
        match (self.file.borrow_mut().as_mut(), progress) {
            (Some(file), Some(progress)) => Ok(file.append(&progress.with_mark(self.mark()))?),
            _ => Ok(()),
        }
    }

    /// Returns which file the rows go to, and how long it is.
    fn mark(&self) -> Option<String> {
        let (name, length) = self.output.as_ref().and_then(mark_of)?;
        Some(format!("{name} {length}"))
    }

    /// Says in an error how to go on.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if self.file.borrow().is_none() || error.kind() == ErrorKind::Incomplete {
            return error;
        }
        let hint = error.hint().map_or_else(String::new, |hint| format!("{hint} "));
        let how = format!("{hint}The same command with --bookmark {} goes on from here.", quote(&self.path));
        error.with_hint(how)
    }

    /// Removes the file of a list that was read to its end.
    ///
    /// # Errors
    /// Local, when it cannot be removed.
    pub(crate) fn end(&self, stop: Option<&CliError>) -> CliResult {
        let is_read = match stop {
            None => true,
            Some(CliError::Incomplete(error, _)) => error.kind() == ErrorKind::Incomplete,
            Some(_) => false,
        };
        match self.file.borrow_mut().take() {
            Some(file) if is_read => Ok(file.remove()?),
            _ => Ok(()),
        }
    }
}

/// Returns standard output if it is a file that rows are appended to.
#[cfg(unix)]
fn output_file() -> Option<File> {
    use std::os::fd::AsFd;
    let file = File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
    file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
}

#[cfg(not(unix))]
fn output_file() -> Option<File> {
    let _ = io::stdout();
    None
}

/// Names a file, and says how long it is.
#[cfg(unix)]
fn mark_of(file: &File) -> Option<(String, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = file.metadata().ok()?;
    Some((format!("{}:{}", found.dev(), found.ino()), found.len()))
}

#[cfg(not(unix))]
fn mark_of(_: &File) -> Option<(String, u64)> {
    None
}
