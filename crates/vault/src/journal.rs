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
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sesame_core::{Error, Result, Retry};

use crate::{
    Id,
    seal::{Sealer, Slot},
    store::{Notes, TokenColumns},
};

/// The journal of one vault.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    /// Nothing: there is none.
    directory: Option<PathBuf>,
}

/// How much room is taken for an answer. Documented ones have some 2 KiB; a token of more than a
/// quarter of this is unheard of.
const RESERVE: usize = 16 << 10;
/// How the name of a reserve ends.
const DRAFT: &str = ".draft";
/// A draft as old as that is nobody's any more, whatever became of its process.
const OLD_DRAFT: Duration = Duration::from_hours(24);

/// Room for one answer, on the disk. Given back on drop.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// Nothing: there is no journal.
    path: Option<PathBuf>,
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // Gone already: it has become an entry.
        if let Some(path) = &self.path {
            remove(path);
        }
    }
}

/// What the name of a journal ends with.
const SUFFIX: &str = ".journal";

/// One answer that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) authorization: String,
    /// The generation it replaces.
    pub(crate) expected: i64,
    pub(crate) tokens: TokenColumns,
    pub(crate) at: i64,
    /// True for a new approval, which no refresh of the former one overtakes.
    #[serde(default)]
    pub(crate) is_login: bool,
    #[serde(default)]
    pub(crate) notes: Notes,
}

impl Journal {
    pub(crate) fn beside(vault: &Path) -> Self {
        let mut name = vault.as_os_str().to_owned();
        name.push(SUFFIX);
        Self { directory: Some(PathBuf::from(name)) }
    }

    /// The journal of a store that forgets: none.
    pub(crate) const fn none() -> Self {
        Self { directory: None }
    }

    /// Returns where it is, for people.
    pub(crate) fn shown(&self) -> String {
        self.directory.as_ref().map_or_else(String::new, |directory| directory.display().to_string())
    }

    /// Tells whether there is one.
    pub(crate) const fn is_kept(&self) -> bool {
        self.directory.is_some()
    }

    /// Takes room for the answer to a refresh or a login: a padded, sealed draft that is on the disk
    /// when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when there is none: nothing may be spent then.
    pub(crate) fn reserve(&self, sealer: &Sealer, id: &Id, holder: &str) -> Result<Reserve> {
        let Some(directory) = &self.directory else { return Ok(Reserve { path: None }) };
        let failed = |error: io::Error| {
            let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            let what = if full { "the disk is full" } else { "the disk cannot be written" };
            Error::local(format!(
                "{what}, so new tokens could not be kept; nothing was sent ({}: {error})",
                directory.display()
            ))
            .with_hint("Free some space, or mend the directory's owner and mode, and repeat the command.")
            .with_retry(Retry::Backoff)
        };
        make_directory(directory).map_err(failed)?;
        let path = directory.join(format!("{id}-{holder}{DRAFT}"));
        // Sealed: what a file system could compress would take no room.
        let padding = sealer.seal(slot(id), &[0; RESERVE]);
        let mut file = create(&path).map_err(failed)?;
        let reserve = Reserve { path: Some(path) };
        file.write_all(&padding).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(reserve)
    }

    /// Writes an entry into the room that was taken for it; it is on the disk when this returns.
    pub(crate) fn write(&self, sealer: &Sealer, id: &Id, entry: &Entry, reserve: &Reserve) -> Result<()> {
        let (Some(directory), Some(reserved)) = (&self.directory, &reserve.path) else {
            return Err(Error::local("this vault has no journal"));
        };
        let name = format!("{id}-{:020}.sealed", entry.expected);
        let failed = |error: io::Error| {
            Error::local(format!("the journal {} cannot be written: {error}", directory.display()))
                .with_hint("Free some space, or mend the directory's owner and mode.")
        };
        let plain = serde_json::to_vec(entry)
            .map_err(|error| Error::local(format!("a journal entry has no form: {error}")))?;
        let sealed = sealer.seal(slot(id), &plain);
        let overwritten = OpenOptions::new().write(true).open(reserved);
        let mut file = match overwritten {
            Ok(file) => file,
            // Somebody tidied up: then without the reserve.
            Err(_) => make_directory(directory).and_then(|()| create(reserved)).map_err(failed)?,
        };
        // First written over the padding, then cut: the room is never given back in between.
        let length = u64::try_from(sealed.len()).unwrap_or(u64::MAX);
        file.write_all(&sealed)
            .and_then(|()| file.set_len(length))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        fs::rename(reserved, directory.join(name)).map_err(failed)?;
        sync_directory(directory);
        Ok(())
    }

    /// Lists the entries, of one authorization or of all, oldest generation first.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when they cannot be listed. What is not seen may
    /// hold the only tokens that are still good, so that counts as anything but "none".
    pub(crate) fn entries(&self, only: Option<&Id>) -> Result<Vec<(Id, PathBuf)>> {
        let Some(directory) = &self.directory else { return Ok(Vec::new()) };
        let failed = |error: io::Error| {
            Error::local(format!("the journal {} cannot be read: {error}", directory.display()))
                .with_hint("New tokens may wait in it. Mend the directory's owner and mode.")
                .with_retry(Retry::Backoff)
        };
        let files = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(failed)?,
        };
        let mut found = Vec::new();
        for file in files {
            let file = file.map_err(failed)?;
            let name = file.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".sealed")?.get(..36)?.parse().ok());
            found.extend(id.filter(|id| only.is_none_or(|only| only == id)).map(|id| (id, file.path())));
        }
        found.sort();
        Ok(found)
    }

    /// Names journals beside this one, of other addresses of databases, in which answers wait.
    pub(crate) fn neighbors(&self) -> Vec<PathBuf> {
        let Some(own) = &self.directory else { return Vec::new() };
        let is_of_a_database = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("vault-") && name.ends_with(SUFFIX)
        };
        if !is_of_a_database(own) {
            return Vec::new();
        }
        let Some(Ok(files)) = own.parent().map(fs::read_dir) else { return Vec::new() };
        let others = files.filter_map(Result::ok).map(|file| file.path());
        let mut found: Vec<PathBuf> = others
            .filter(|path| path != own && is_of_a_database(path))
            .filter(|path| {
                let other = Self { directory: Some(path.clone()) };
                other.entries(None).is_ok_and(|entries| !entries.is_empty())
            })
            .collect();
        found.sort();
        found
    }

    /// Names the authorizations for which an answer waits.
    pub(crate) fn waiting(&self) -> Result<HashSet<Id>> {
        Ok(self.entries(None)?.into_iter().map(|(id, _)| id).collect())
    }

    /// Forgets what waits for an authorization that was removed.
    pub(crate) fn forget(&self, id: &Id) -> Result<()> {
        for (_, path) in self.entries(Some(id))? {
            remove(&path);
        }
        Ok(())
    }

    /// Removes drafts that nobody will use any more: those of a day ago, which is far more than any call
    /// takes.
    pub(crate) fn sweep(&self) {
        let Some(Ok(directory)) = self.directory.as_ref().map(fs::read_dir) else { return };
        for file in directory.filter_map(Result::ok) {
            let name = file.file_name();
            if !name.to_str().is_some_and(|name| name.ends_with(DRAFT)) {
                continue;
            }
            let age = file.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > OLD_DRAFT) {
                remove(&file.path());
            }
        }
    }
}

impl Entry {
    /// Opens the content of an entry's file.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when it does not open, or is none.
    pub(crate) fn open(sealer: &Sealer, id: &Id, sealed: &[u8]) -> Result<Self> {
        let plain = sealer.open(slot(id), sealed)?;
        let entry: Self = serde_json::from_slice(&plain)
            .map_err(|error| Error::local(format!("it has another form: {error}")))?;
        if entry.authorization == id.to_string() {
            Ok(entry)
        } else {
            Err(Error::local("it is another authorization's"))
        }
    }
}

/// Reads the sealed content of an entry; nothing when it was replayed meanwhile.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::local(error.to_string())),
    }
}

/// Removes a file of the journal that nobody needs any more.
pub(crate) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "a file of the journal cannot be removed");
        }
        _ => {}
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !directory.is_dir() => {
            return Err(error);
        }
        _ => {}
    }
    if let Some(parent) = directory.parent() {
        sync_directory(parent);
    }
    Ok(())
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

/// A new name is durable only when its directory is.
fn sync_directory(directory: &Path) {
    #[cfg(unix)]
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::warn!(directory = %directory.display(), %error, "a directory cannot be synced");
    }
    #[cfg(not(unix))]
    let _ = (directory, File::open::<&Path>);
}
