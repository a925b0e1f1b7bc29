//! Reads a file of settings or keys whole: a plain file, and not more of it than makes sense.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use sesame_core::Error;

/// Why a file was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The system refused.
    System(io::Error),
    /// It is a pipe, a device or a directory: reading it might never end.
    NoPlainFile,
    /// It holds more than this many bytes.
    TooLarge(u64),
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System(error) => write!(f, "{error}"),
            Self::NoPlainFile => f.write_str("not a regular file"),
            Self::TooLarge(most) if *most >= 1 << 20 => {
                write!(f, "it is larger than {} MiB", most >> 20)
            }
            Self::TooLarge(most) => write!(f, "it is larger than {most} bytes"),
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Reads a plain file of at most `most` bytes.
///
/// What it is, is looked at before it is opened: to open a pipe is to wait for its other end.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    if !fs::metadata(path)?.is_file() {
        return Err(Unread::NoPlainFile);
    }
    read_from(fs::File::open(path)?, most)
}

/// Reads what is open already, such as standard input, of at most `most` bytes.
pub(crate) fn read_from(input: impl Read, most: u64) -> Result<Vec<u8>, Unread> {
    let mut content = Vec::new();
    // The size that the system tells may be old, or 0 as in /proc: what comes is what counts.
    input.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(Unread::TooLarge(most));
    }
    Ok(content)
}

/// What a file is called, for people; `-` is standard input.
pub(crate) fn shown(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads a plain file, or standard input for `-`, of at most `most` bytes.
///
/// # Errors
/// Usage, for anything else.
pub(crate) fn read_or_stdin(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let read = if path == Path::new("-") { read_from(io::stdin().lock(), most) } else { read(path, most) };
    read.map_err(|why| {
        let error = Error::usage(format!("cannot read {}: {why}", shown(path)));
        match why {
            Unread::TooLarge(_) => error,
            _ => error.with_hint("Name a regular file, or - for standard input."),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_are_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "12345678").unwrap();
        assert_eq!(read(&path, 8).unwrap(), b"12345678");
        assert!(matches!(read(&path, 7), Err(Unread::TooLarge(7))));
        assert!(matches!(read(dir.path(), 8), Err(Unread::NoPlainFile)));
        assert!(matches!(read(&dir.path().join("none"), 8), Err(Unread::System(_))));
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_not_begun() {
        assert!(matches!(read(Path::new("/dev/zero"), 8), Err(Unread::NoPlainFile)));
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read(&pipe, 8), Err(Unread::NoPlainFile)));
    }
}
