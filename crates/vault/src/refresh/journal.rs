//! New tokens that the store could not take wait here, sealed, until it can.
//!
//! A refresh token that was spent is gone; the reply holds the only copy of the new one. So when the
//! store is away (disk full, database locked), the reply goes into a file in `VAULT.journal/`, synced,
//! before anyone sees it, and is replayed when the store is back or the vault is opened again.
//!
//! Each process appends to a file of its own, which it keeps locked. The file is allocated before a
//! token is spent ([`Journal::reserve`]), so a full disk is noticed while nothing is lost. A record is
//! a header of 32 bytes and a sealed body; the header is written last, so a record is whole or is not
//! there. The first header without a state ends the file.

mod log;

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};
use sesame_core::{Clock, Error, Result, Retry};

use self::log::{LOG, Log, NEW, Record, SLOT, is_done, records, remove};
use crate::{
    model::{Id, lock},
    seal::{Sealer, Slot},
    store::{Notes, TokenColumns},
};

/// What the name of a journal ends with.
pub(crate) const JOURNAL_SUFFIX: &str = ".journal";
/// A file that has grown to this size and holds nothing any more is replaced by a new one.
const ROTATION_SIZE: u64 = SLOT;

/// The journal of one vault. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Shared>);

struct Shared {
    /// `None` for a store that does not outlive the process.
    directory: Option<PathBuf>,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    own: Mutex<Own>,
}

/// The file of this process.
#[derive(Default)]
struct Own {
    log: Option<Log>,
    /// How many replies room is kept for.
    reserved: u64,
}

/// Room for one reply. Given back on drop.
pub(crate) struct Reservation(Journal);

impl Drop for Reservation {
    fn drop(&mut self) {
        lock(&self.0.0.own).reserved -= 1;
    }
}

/// One reply that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) authorization: String,
    /// The generation it replaces.
    pub(crate) expected: i64,
    pub(crate) tokens: TokenColumns,
    pub(crate) at: i64,
    /// `true` for a new approval, which no refresh of the former one overtakes.
    #[serde(default)]
    pub(crate) is_login: bool,
    #[serde(default)]
    pub(crate) notes: Notes,
}

/// What waits in the files of a journal.
#[derive(Default)]
pub(crate) struct Contents {
    /// In the order in which they were written, file by file.
    pub(crate) records: Vec<Record>,
    /// Files that cannot be read to their end, and why: what is in them may be the only good tokens.
    pub(crate) unreadable: Vec<(PathBuf, Error)>,
}

impl Journal {
    /// Opens the journal in a directory, or none for a store that does not outlive the process. Nothing is
    /// written before a reply is expected.
    pub(crate) fn new(directory: Option<PathBuf>, sealer: Sealer, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { directory, sealer, clock, own: Mutex::default() }))
    }

    /// Returns where it is, for people.
    pub(crate) fn shown(&self) -> String {
        self.0.directory.as_ref().map_or_else(String::new, |directory| directory.display().to_string())
    }

    /// Reserves disk space for one reply.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when there is none: nothing may be spent then.
    pub(crate) async fn reserve(&self) -> Result<Reservation> {
        self.reserve_many(1).await.map(|mut reserved| reserved.remove(0))
    }

    /// Reserves disk space for several replies.
    ///
    /// # Errors
    /// As [`Journal::reserve`].
    pub(crate) async fn reserve_many(&self, count: usize) -> Result<Vec<Reservation>> {
        // Counted first, so that no other task takes the same room; given back if there is none.
        lock(&self.0.own).reserved += count as u64;
        let reserved: Vec<Reservation> = (0..count).map(|_| Reservation(self.clone())).collect();
        let Some(directory) = &self.0.directory else { return Ok(reserved) };
        if lock(&self.0.own).has_room() {
            return Ok(reserved);
        }
        let journal = self.clone();
        // Until the disk has it some milliseconds pass, in which others should get on.
        let allocated = tokio::task::spawn_blocking(move || journal.allocate()).await;
        match allocated {
            Ok(Ok(())) => Ok(reserved),
            Ok(Err(error)) => {
                let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                let what = if full { "the disk is full" } else { "the disk cannot be written" };
                Err(Error::local(format!(
                    "{what}, so new tokens could not be kept; nothing was sent ({}: {error})",
                    directory.display()
                ))
                .with_hint(
                    "Free some space, or change the directory's owner and mode, and repeat the command.",
                )
                .with_retry(Retry::Backoff))
            }
            Err(_) => Err(Error::local("the process is ending; nothing was sent")),
        }
    }

    /// Allocates what is reserved, in the file of this process or a new one.
    fn allocate(&self) -> io::Result<()> {
        let Some(directory) = &self.0.directory else { return Ok(()) };
        let mut own = lock(&self.0.own);
        let wanted = own.reserved * SLOT;
        if own.log.as_ref().is_some_and(Log::is_to_be_replaced) {
            own.log = None;
        }
        self.log(&mut own, directory)?.grow(wanted)
    }

    /// Returns the file of this process. It is made if it is not there, or if somebody removed it.
    fn log<'a>(&self, own: &'a mut Own, directory: &Path) -> io::Result<&'a mut Log> {
        if own.log.as_ref().is_some_and(|log| !log.path.exists()) {
            own.log = None;
        }
        match &mut own.log {
            Some(log) => Ok(log),
            log => Ok(log.insert(Log::create(directory, self.0.clock.as_ref())?)),
        }
    }

    /// Writes an entry; it is on the disk when this returns. `reservation` is the room for it.
    pub(crate) fn write(&self, id: &Id, entry: &Entry, _: &Reservation) -> Result<()> {
        let Some(directory) = &self.0.directory else {
            return Err(Error::local("this vault has no journal"));
        };
        let plain = serde_json::to_vec(entry)
            .map_err(|error| Error::local(format!("cannot encode a journal entry: {error}")))?;
        let sealed = self.0.sealer.seal(slot(id), &plain);
        let mut own = lock(&self.0.own);
        let written = self.log(&mut own, directory).and_then(|log| log.append(id, &sealed));
        written.map_err(|error| {
            Error::local(format!("the journal {} cannot be written: {error}", directory.display()))
                .with_hint("Free some space, or change the directory's owner and mode.")
        })
    }

    /// Reads what waits, of one authorization or of all.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the files cannot be listed. What is not
    /// seen may hold the only tokens that are still good.
    pub(crate) fn read(&self, only: Option<&Id>) -> Result<Contents> {
        let mut contents = Contents::default();
        for path in self.files(LOG)? {
            match records(&path, only) {
                Ok(records) => contents.records.extend(records),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => contents.unreadable.push((path, Error::local(error.to_string()))),
            }
        }
        Ok(contents)
    }

    fn files(&self, extension: &str) -> Result<Vec<PathBuf>> {
        let Some(directory) = &self.0.directory else { return Ok(Vec::new()) };
        let failed = |error: io::Error| {
            Error::local(format!("the journal {} cannot be read: {error}", directory.display()))
                .with_hint("New tokens may wait in it. Change the directory's owner and mode.")
                .with_retry(Retry::Backoff)
        };
        let files = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(failed)?,
        };
        let mut found = Vec::new();
        for file in files {
            let path = file.map_err(failed)?.path();
            if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Names journals beside this one, of other addresses of databases, in which replies wait.
    pub(crate) fn neighbors(&self) -> Vec<PathBuf> {
        let Some(own) = &self.0.directory else { return Vec::new() };
        let is_of_a_database = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("vault-") && name.ends_with(JOURNAL_SUFFIX)
        };
        if !is_of_a_database(own) {
            return Vec::new();
        }
        let Some(Ok(files)) = own.parent().map(fs::read_dir) else { return Vec::new() };
        let others = files.filter_map(Result::ok).map(|file| file.path());
        let mut found: Vec<PathBuf> = others
            .filter(|path| path != own && is_of_a_database(path))
            .filter(|path| {
                let other = Self::new(Some(path.clone()), self.0.sealer.clone(), self.0.clock.clone());
                other.read(None).is_ok_and(|contents| !contents.records.is_empty())
            })
            .collect();
        found.sort();
        found
    }

    /// Names the authorizations for which a reply waits; `None` if there is a file that cannot be read, so
    /// that one may wait for any.
    pub(crate) fn waiting(&self) -> Result<Option<HashSet<Id>>> {
        let contents = self.read(None)?;
        let ids = contents.records.into_iter().map(|record| record.id).collect();
        Ok(contents.unreadable.is_empty().then_some(ids))
    }

    /// Forgets what waits for an authorization that was removed.
    pub(crate) fn forget(&self, id: &Id) -> Result<()> {
        for record in self.read(Some(id))?.records {
            record.finish();
        }
        Ok(())
    }

    /// Removes the files of processes that have ended, unless something waits in them.
    pub(crate) fn sweep(&self) {
        for extension in [LOG, NEW] {
            for path in self.files(extension).unwrap_or_default() {
                // Its process keeps it locked as long as it lives.
                let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
                let is_over = extension == NEW || is_done(&file).unwrap_or(false);
                if file.try_lock().is_ok() && is_over {
                    remove(&path);
                }
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(log) = &lock(&self.own).log
            && log.is_done().unwrap_or(false)
        {
            remove(&log.path);
        }
    }
}

impl Log {
    /// Returns `true` if it has grown and holds nothing any more.
    fn is_to_be_replaced(&self) -> bool {
        self.end > ROTATION_SIZE && self.is_done().unwrap_or(false)
    }
}

impl Own {
    fn has_room(&self) -> bool {
        self.log.as_ref().is_some_and(|log| {
            log.size.saturating_sub(log.end) >= self.reserved * SLOT
                && !log.is_to_be_replaced()
                && log.path.exists()
        })
    }
}

impl Record {
    /// Opens the entry.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when it does not open, or is not an entry.
    pub(crate) fn open(&self, sealer: &Sealer) -> Result<Entry> {
        let plain = sealer.open(slot(&self.id), &self.sealed)?;
        let entry: Entry = serde_json::from_slice(&plain)
            .map_err(|error| Error::local(format!("it has another form: {error}")))?;
        if entry.authorization == self.id.to_string() {
            Ok(entry)
        } else {
            Err(Error::local("it belongs to another authorization"))
        }
    }
}

fn slot(id: &Id) -> Slot<'_> {
    Slot { table: "journal", row: id.as_bytes(), column: "entry" }
}
