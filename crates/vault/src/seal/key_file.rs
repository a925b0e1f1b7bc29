//! The file beside a vault that holds its master key: mode 0600, never seen half-written.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use base64::Engine as _;
use sesame_core::{Clock, Error, Result};
use zeroize::Zeroizing;

use super::{MasterKey, Ring};
use crate::{
    SystemClock,
    model::Warning,
    ownership::{beside, new_private_file, sync_directory},
};

/// What the name of a key file that is being written ends with.
const DRAFT: &str = ".new";
/// How long other processes are waited for that change a key file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads the key file, and says so when others can read it too.
pub(super) fn read(path: &Path, warnings: &mut Vec<Warning>) -> Result<MasterKey> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::local(format!("the vault's key file {} is missing", path.display())).with_hint(
                "Put it back from a backup: without it the vault's secrets cannot be read. If it is lost for good, move the vault file away, add the apps and log in again. Nothing was changed.",
            ));
        }
        Err(error) => {
            return Err(Error::local(format!(
                "the vault's key file {} cannot be read: {error}",
                path.display()
            ))
            .with_hint("Check who owns it and its mode (0600)."));
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if let Ok(about) = fs::metadata(path)
            && about.permissions().mode() & 0o077 != 0
        {
            warnings.push(Warning::new(format!(
                "other users of this machine can read the vault's key file; run: chmod 600 {}",
                path.display()
            )));
        }
    }
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'));
    last.and_then(MasterKey::parse).ok_or_else(|| {
        Error::local(format!("the vault's key file {} holds no key", path.display()))
            .with_hint("Put it back from a backup. Nothing was changed.")
    })
}

/// Held by whoever changes a key file of a directory, so that what was read still is there when it is
/// replaced. Released when dropped, also by a process that is killed.
#[derive(Debug)]
pub(crate) struct KeyFileLock(#[expect(dead_code, reason = "closing the file releases the lock")] fs::File);

/// Waits for the other processes of this machine that change a key file beside `path`, 30 seconds at most.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the directory cannot be locked.
pub(crate) async fn lock(path: &Path) -> Result<KeyFileLock> {
    let directory = directory_of(path);
    let failed = |error: io::Error| {
        Error::local(format!("cannot lock {} to change the vault's key file: {error}", directory.display()))
            .with_hint("Check the directory's owner and mode, and whether its file system supports locks. Nothing was changed.")
    };
    let file = lock_file(directory).map_err(failed)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(KeyFileLock(file)),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
            Err(fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(Error::local(
                    "another process has been changing the vault's key file for 30 seconds",
                )
                .with_hint(
                    "Look for a sesame process that hangs, then repeat the command. Nothing was changed.",
                ));
            }
            // Real time: another process is waited for.
            Err(fs::TryLockError::WouldBlock) => SystemClock.sleep(Duration::from_millis(20)).await,
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lock_file(directory: &Path) -> io::Result<fs::File> {
    // The directory itself: a file that is replaced cannot be locked, and one of its own would be left over.
    #[cfg(unix)]
    return fs::File::open(directory);
    #[cfg(not(unix))]
    fs::File::create(directory.join("key.lock"))
}

/// Removes the draft that a killed process has left: it holds a key, or a part of one.
pub(super) fn sweep(path: &Path) {
    let draft = beside(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), DRAFT);
    // Whoever is writing one holds the lock.
    if draft.exists() && lock_file(directory_of(path)).is_ok_and(|file| file.try_lock().is_ok()) {
        let _ = fs::remove_file(draft);
    }
}

/// Makes the key file with a key, or reads the one that another process has made first.
pub(super) async fn make(path: &Path, key: MasterKey, warnings: &mut Vec<Warning>) -> Result<MasterKey> {
    let _lock = lock(path).await?;
    if path.exists() {
        return read(path, warnings);
    }
    write(path, &key)?;
    warnings.push(Warning::new(format!(
        "the vault's master key is in {} (mode 0600): keep a copy, without it the vault cannot be opened",
        path.display()
    )));
    Ok(key)
}

/// Replaces the key in the file, in one step: whoever reads it finds the former key or the new one. A
/// file that holds a key other than `known` is left alone: it may be the only copy.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the file holds another key, when it cannot be
/// written, or does not read back.
pub(crate) fn replace(_lock: &KeyFileLock, path: &Path, key: &MasterKey, known: &Ring) -> Result<()> {
    // The key may be on another disk, behind a link: the link stays.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if path.exists() && !known.holds(&read(path, &mut Vec::new())?) {
        return Err(Error::local(format!(
            "the key file {} holds a key that does not belong to this vault, or a newer one",
            path.display()
        ))
        .with_hint("Look with `sesame vault check`. If the key belongs to another vault, move the file away. Nothing was changed."));
    }
    write(path, key)?;
    if read(path, &mut Vec::new())?.is_same(key) {
        return Ok(());
    }
    Err(Error::local(format!("the vault's key file {} does not hold what was written to it", path.display()))
        .with_hint("Look for another program that writes it, and repeat the command. The former key opens the vault."))
}

/// Writes the file under another name and renames it. The name is always the same, so that a killed
/// process leaves at most one draft, which the next one overwrites.
fn write(path: &Path, key: &MasterKey) -> Result<()> {
    let draft = beside(path, DRAFT);
    let written = (|| {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = new_private_file().open(&draft)?;
        file.write_all(text_of(key).as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&draft);
        return Err(unwritable(path, &error));
    }
    sync_directory(directory_of(path));
    Ok(())
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::local(format!("the vault's key file {} cannot be written: {error}", path.display())).with_hint(
        "Check the directory's owner and free space, or set SESAME_HOME to a place that can be written.",
    )
}

fn text_of(key: &MasterKey) -> Zeroizing<String> {
    let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(key.bytes()));
    Zeroizing::new(format!(
        "# The master key of the Sesame vault beside this file. Keep a copy in a safe place.\n{}\n",
        encoded.as_str()
    ))
}
