//! Whose files are used: this user's and those of root, and only if no other user can write them. What is made
//! is for this user alone.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use sesame_core::Result;

/// Refuses a file or directory that belongs to another user or that others can write, and whatever is
/// neither file nor directory: to open a pipe is to wait for its other end. What does not exist is accepted;
/// of a symbolic link its target counts. `what` names it for people.
///
/// A directory with the sticky bit, such as `/tmp`, may be written by others: what is in it stays ours.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) with what to do.
#[cfg(unix)]
pub fn ensure_private(what: &str, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;

    use sesame_core::{Error, command_line::quote};

    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;

    // What cannot be looked at cannot be used either: whoever uses it says why.
    let Ok(about) = std::fs::metadata(path) else { return Ok(()) };
    let (owner, user) = (about.uid(), rustix::process::geteuid().as_raw());
    let shown = quote(&path.display().to_string());
    if owner != user && owner != 0 {
        return Err(Error::local(format!(
            "{what} {shown} belongs to another user (uid {owner}), who could change what this command does"
        ))
        .with_hint(format!(
            "Use one of your own: --home DIR or SESAME_HOME. If it is yours: chown {user} {shown}"
        )));
    }
    if !about.is_file() && !about.is_dir() {
        return Err(Error::usage(format!("{what} {shown} is not a regular file"))
            .with_hint("A pipe, a socket or a device is in its place: move it away."));
    }
    let is_sticky = about.is_dir() && about.mode() & STICKY != 0;
    if about.mode() & WRITABLE_BY_OTHERS != 0 && !is_sticky {
        return Err(Error::local(format!(
            "{what} {shown} can be written by other users (mode {:04o})",
            about.mode() & 0o7777
        ))
        .with_hint(format!("If its content is unchanged: chmod go-w {shown}")));
    }
    Ok(())
}

/// Other systems have other rights, which are not looked at.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn ensure_private(_what: &str, _path: &Path) -> Result<()> {
    Ok(())
}

/// Returns the path with an ending added to its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes a directory of mode 0700 and those above it, unless it is there.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options that make a new file of mode 0600 for writing.
pub(crate) fn new_private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new name is durable only when its directory is.
pub(crate) fn sync_directory(directory: &Path) {
    #[cfg(unix)]
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::warn!(directory = %directory.display(), %error, "a directory cannot be synced");
    }
    #[cfg(not(unix))]
    let _ = directory;
}
