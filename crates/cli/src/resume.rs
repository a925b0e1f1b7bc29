//! `--bookmark`: a list that is cut off goes on where it was.

use std::{cell::RefCell, path::Path};

use sesame_core::{Error, ErrorKind, command_line::quote};
use sesame_shop::{Bookmark, BookmarkFile, Progress};

use crate::exit::{CliError, CliResult, note};

/// The bookmark of a command; without one nothing is noted.
pub(crate) struct Resume {
    path: String,
    file: RefCell<Option<BookmarkFile>>,
    former: RefCell<Option<Bookmark>>,
}

impl Resume {
    /// Opens the file, if one was named.
    ///
    /// # Errors
    /// Usage, for several shops, and for a file that is no bookmark.
    pub(crate) fn open(path: Option<&Path>, are_many: bool) -> CliResult<Self> {
        let Some(path) = path else {
            return Ok(Self { path: String::new(), file: RefCell::new(None), former: RefCell::new(None) });
        };
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
        Ok(Self { path, file: RefCell::new(Some(file)), former: RefCell::new(former) })
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
        Ok(file.begin(&bookmark)?)
    }

    /// Notes that the rows of a page were printed.
    ///
    /// # Errors
    /// Local, when the file cannot be written.
    pub(crate) fn record(&self, progress: Option<Progress>) -> CliResult {
        match (self.file.borrow_mut().as_mut(), progress) {
            (Some(file), Some(progress)) => Ok(file.append(&progress)?),
            _ => Ok(()),
        }
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
