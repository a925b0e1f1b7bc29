//! New tokens that the store could not take wait here, sealed, one file each, until it can.
//!
//! A refresh token that was spent is gone; its answer is the only copy of the new one. So when
//! the store is away (disk full, database locked), the answer goes into `VAULT.journal/`, synced,
//! before anyone sees it, and is replayed when the store is back or the vault is opened again.
//!
//! The room for it is taken before the token is spent ([`Journal::reserve`]): a disk that is full
//! is found out while nothing is lost.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sesame_core::{Error, Result, Retry};

use crate::{
    Id,
    holder::Holder,
    seal::{KeyId, Sealer, Slot, key_of},
    store::{Notes, TokenColumns, TokenStore},
};

/// The journal of one vault.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    directory: PathBuf,
}

/// How much room is taken for an answer. Documented ones have some 2 KiB; a token of more than a
/// quarter of this is unheard of.
const RESERVE: usize = 16 << 10;
/// How the name of a reserve ends.
const DRAFT: &str = ".draft";

/// Room for one answer, on the disk. Given back on drop.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Drop for Reserve {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            // Gone: it has become an entry.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "a journal draft cannot be removed");
            }
            _ => {}
        }
    }
}

/// One answer that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) authorisation: String,
    /// The generation it replaces.
    pub(crate) expected: i64,
    pub(crate) tokens: TokenColumns,
    pub(crate) at: i64,
    #[serde(default)]
    pub(crate) notes: Notes,
}

/// What became of the entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) stored: usize,
    /// Entries that cannot be read; they stay where they are.
    pub(crate) unreadable: Vec<PathBuf>,
}

impl Journal {
    pub(crate) fn beside(vault: &Path) -> Self {
        let mut name = vault.as_os_str().to_owned();
        name.push(".journal");
        Self { directory: PathBuf::from(name) }
    }

    /// Takes room for the answer to a refresh or a login: a padded, sealed draft that is on the disk
    /// when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when there is none: nothing may be spent then.
    pub(crate) fn reserve(&self, sealer: &Sealer, id: &Id, holder: &str) -> Result<Reserve> {
        let failed = |error: io::Error| {
            let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            let what = if full { "the disk is full" } else { "the disk cannot be written" };
            Error::local(format!(
                "{what}, so new tokens could not be kept; nothing was sent ({}: {error})",
                self.directory.display()
            ))
            .hint("Free some space, or mend the directory's owner and mode, and repeat the command.")
            .retry_when(Retry::Backoff)
        };
        self.make_directory().map_err(failed)?;
        self.sweep(id);
        let reserve = Reserve { path: self.directory.join(format!("{id}-{holder}{DRAFT}")) };
        // Sealed: what a file system could compress would take no room.
        let padding = sealer.seal(slot(id), &[0; RESERVE]);
        let mut file = create(&reserve.path).map_err(failed)?;
        file.write_all(&padding).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(reserve)
    }

    /// Removes the drafts that dead processes left for an authorisation.
    fn sweep(&self, id: &Id) {
        let Ok(directory) = fs::read_dir(&self.directory) else { return };
        let id = id.to_string();
        for file in directory.filter_map(Result::ok) {
            let name = file.file_name();
            let holder = name
                .to_str()
                .and_then(|name| name.strip_suffix(DRAFT)?.strip_prefix(id.as_str())?.strip_prefix('-'))
                .and_then(Holder::parse);
            if holder.is_some_and(|holder| holder.is_gone()) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// Writes an entry into the room that was taken for it; it is on the disk when this returns.
    pub(crate) fn write(&self, sealer: &Sealer, id: &Id, entry: &Entry, reserve: &Reserve) -> Result<()> {
        let name = format!("{id}-{:020}.sealed", entry.expected);
        let failed = |error: io::Error| {
            Error::local(format!("the journal {} cannot be written: {error}", self.directory.display()))
                .hint("Free some space, or mend the directory's owner and mode.")
        };
        let plain = serde_json::to_vec(entry)
            .map_err(|error| Error::local(format!("a journal entry has no form: {error}")))?;
        let sealed = sealer.seal(slot(id), &plain);
        let overwritten = OpenOptions::new().write(true).open(&reserve.path);
        let mut file = match overwritten {
            Ok(file) => file,
            // Somebody tidied up: then without the reserve.
            Err(_) => self.make_directory().and_then(|()| create(&reserve.path)).map_err(failed)?,
        };
        // First written over the padding, then cut: the room is never given back in between.
        let length = u64::try_from(sealed.len()).unwrap_or(u64::MAX);
        file.write_all(&sealed)
            .and_then(|()| file.set_len(length))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        fs::rename(&reserve.path, self.directory.join(name)).map_err(failed)?;
        sync_directory(&self.directory);
        Ok(())
    }

    fn make_directory(&self) -> io::Result<()> {
        if self.directory.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        match builder.create(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !self.directory.is_dir() => {
                return Err(error);
            }
            _ => {}
        }
        if let Some(parent) = self.directory.parent() {
            sync_directory(parent);
        }
        Ok(())
    }

    /// Lists the entries, of one authorisation or of all, oldest generation first.
    fn entries(&self, only: Option<&Id>) -> Vec<(Id, PathBuf)> {
        let Ok(directory) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut found: Vec<(Id, PathBuf)> = directory
            .filter_map(Result::ok)
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                let id: Id = name.strip_suffix(".sealed")?.get(..36)?.parse().ok()?;
                only.is_none_or(|only| *only == id).then(|| (id, file.path()))
            })
            .collect();
        found.sort();
        found
    }

    /// Names the authorisations for which an answer waits.
    pub(crate) fn waiting(&self) -> HashSet<Id> {
        self.entries(None).into_iter().map(|(id, _)| id).collect()
    }

    /// Lists the entries with the key that each was sealed with, where it names one.
    pub(crate) fn keys(&self, only: Option<&Id>) -> Vec<(PathBuf, Option<KeyId>)> {
        let read = |path: PathBuf| {
            let key = fs::read(&path).ok().and_then(|sealed| key_of(&sealed));
            (path, key)
        };
        self.entries(only).into_iter().map(|(_, path)| read(path)).collect()
    }

    /// Names the entries that do not open.
    pub(crate) fn unreadable(&self, sealer: &Sealer) -> Vec<PathBuf> {
        let entries = self.entries(None).into_iter();
        entries
            .filter(|(id, path)| path.exists() && read(path, sealer, id).is_none())
            .map(|(_, path)| path)
            .collect()
    }

    /// Moves entries into the store. Entries that the store has overtaken are dropped.
    ///
    /// # Errors
    /// The store's, when it is still away; the entries then stay.
    pub(crate) async fn replay(
        &self,
        store: &dyn TokenStore,
        sealer: &Sealer,
        only: Option<&Id>,
    ) -> Result<Replayed> {
        let mut replayed = Replayed::default();
        for (id, path) in self.entries(only) {
            let Some(entry) = read(&path, sealer, &id) else {
                replayed.unreadable.push(path);
                continue;
            };
            // False means that newer tokens stand already: by compare-and-set nothing is overwritten.
            if store.replace_tokens(id, entry.expected, &entry.tokens, entry.at, &entry.notes).await? {
                replayed.stored += 1;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a replayed journal entry cannot be removed");
                }
                _ => {}
            }
        }
        Ok(replayed)
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn slot(id: &Id) -> Slot<'_> {
    Slot { table: "journal", row: id.as_bytes(), column: "entry" }
}

fn read(path: &Path, sealer: &Sealer, id: &Id) -> Option<Entry> {
    let sealed = fs::read(path).ok()?;
    let plain = sealer.open(slot(id), &sealed).ok()?;
    let entry: Entry = serde_json::from_slice(&plain).ok()?;
    (entry.authorisation == id.to_string()).then_some(entry)
}

/// A new name is durable only when its directory is.
fn sync_directory(directory: &Path) {
    #[cfg(unix)]
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::warn!(directory = %directory.display(), %error, "a directory cannot be synced");
    }
    #[cfg(not(unix))]
    let _ = (directory, File::open::<&Path>);
}
