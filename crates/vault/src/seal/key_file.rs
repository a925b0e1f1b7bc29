//! The file beside a vault that holds its master key: mode 0600, never seen half-written.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::Engine as _;
use sesame_core::{Clock, Error, Result};
use zeroize::Zeroizing;

use super::MasterKey;
use crate::vault::Notice;

/// Reads the key file, and says so when others can read it too.
pub(super) fn read(path: &Path, notices: &mut Vec<Notice>) -> Result<MasterKey> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::local(format!("the vault's key file {} is missing", path.display())).hint(
                "Put it back from a backup: without it the vault's secrets cannot be read. If it is lost for good, move the vault file away, add the apps and log in again. Nothing was changed.",
            ));
        }
        Err(error) => {
            return Err(Error::local(format!(
                "the vault's key file {} cannot be read: {error}",
                path.display()
            ))
            .hint("Check who owns it and its mode (0600)."));
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if let Ok(about) = fs::metadata(path)
            && about.permissions().mode() & 0o077 != 0
        {
            notices.push(Notice::new(format!(
                "other users of this machine can read the vault's key file; run: chmod 600 {}",
                path.display()
            )));
        }
    }
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'));
    last.and_then(MasterKey::parse).ok_or_else(|| {
        Error::local(format!("the vault's key file {} holds no key", path.display()))
            .hint("Put it back from a backup. Nothing was changed.")
    })
}

/// Makes the key file unless it is there already. Never seen half-written, never overwritten.
pub(super) fn make(path: &Path, clock: &dyn Clock, notices: &mut Vec<Notice>) -> Result<MasterKey> {
    let failed = |error| unwritable(path, &error);
    if path.exists() {
        return read(path, notices);
    }
    let key = MasterKey::generate(clock);
    let draft = draft_beside(path, clock);
    let text = text_of(&key);
    let options = private();
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // A link, unlike a rename, never replaces a key that another process has just made. Where
        // the file system has no links, a new file is as good but for the instant it is written in.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let mut file = options.open(path)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            }
            linked => linked,
        }
    });
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read(path, notices),
        Err(error) => return Err(failed(error)),
    }
    sync_parent(path);
    notices.push(Notice::new(format!(
        "the vault's master key is in {} (mode 0600): keep a copy, without it the vault cannot be opened",
        path.display()
    )));
    Ok(key)
}

/// Puts another key in the place of the one that is there, in one step: whoever reads the file finds
/// the former key or the new one, whole. Mode and place stay.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when it cannot be written, or does not read back.
pub(super) fn replace(path: &Path, key: &MasterKey, clock: &dyn Clock) -> Result<()> {
    let failed = |error| unwritable(path, &error);
    // Somebody may keep the key on another disk, behind a link: the link stays.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let draft = draft_beside(path, clock);
    let written = private().open(&draft).and_then(|mut file| {
        file.write_all(text_of(key).as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&draft);
        return Err(failed(error));
    }
    sync_parent(path);
    if read(path, &mut Vec::new())?.is_same(key) {
        return Ok(());
    }
    Err(Error::local(format!("the vault's key file {} does not hold what was written to it", path.display()))
        .hint("Look for another program that writes it, and repeat the command. The former key opens the vault."))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::local(format!("the vault's key file {} cannot be written: {error}", path.display())).hint(
        "Check the directory's owner and free space, or set SESAME_HOME to a place that can be written.",
    )
}

fn draft_beside(path: &Path, clock: &dyn Clock) -> PathBuf {
    let mut suffix = [0; 6];
    clock.random(&mut suffix);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", hex::encode(suffix)));
    PathBuf::from(draft)
}

fn text_of(key: &MasterKey) -> Zeroizing<String> {
    let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(key.bytes()));
    Zeroizing::new(format!(
        "# The master key of the Sesame vault beside this file. Keep a copy in a safe place.\n{}\n",
        encoded.as_str()
    ))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// A new name is durable only when its directory is.
fn sync_parent(path: &Path) {
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        let _ = fs::File::open(parent).and_then(|directory| directory.sync_all());
    }
    #[cfg(not(unix))]
    let _ = path;
}
