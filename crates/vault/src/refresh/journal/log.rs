//! One file of a journal: records that are whole or not there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use sesame_core::Clock;

use crate::{
    model::Id,
    ownership::{make_private_directory, new_private_file, sync_directory},
};

/// What the name of a file ends with, and while it is being made.
pub(super) const LOG: &str = "log";
pub(super) const NEW: &str = "new";
/// The room that is kept for one reply. Documented ones have some 2 KiB.
pub(super) const SLOT: u64 = 16 << 10;
const HEADER: u64 = HEADER_BYTES as u64;
const HEADER_BYTES: usize = 32;
/// States of a record.
const WAITING: u8 = 1;
const DONE: u8 = 2;
/// The largest body that is read.
const MAX_BODY: u64 = 4 << 20;

/// The file of this process.
pub(super) struct Log {
    pub(super) path: PathBuf,
    file: File,
    /// Where the next record begins.
    pub(super) end: u64,
    /// How much is allocated.
    pub(super) size: u64,
}

/// A record that waits, and where it is.
pub(crate) struct Record {
    pub(crate) id: Id,
    pub(crate) path: PathBuf,
    offset: u64,
    pub(crate) sealed: Vec<u8>,
}

impl Log {
    pub(super) fn create(directory: &Path, clock: &dyn Clock) -> io::Result<Self> {
        make_directory(directory)?;
        let mut name = [0; 8];
        clock.random(&mut name);
        let path = directory.join(hex::encode(name)).with_extension(LOG);
        let draft = path.with_extension(NEW);
        let file = new_private_file().read(true).open(&draft)?;
        // Locked before it has its name: whoever finds it unlocked knows that its process has ended.
        file.try_lock().map_err(io::Error::from)?;
        let mut log = Self { path, file, end: 0, size: 0 };
        let named = log.grow(SLOT).and_then(|()| fs::rename(&draft, &log.path));
        if let Err(error) = named {
            remove(&draft);
            return Err(error);
        }
        sync_directory(directory);
        Ok(log)
    }

    /// Allocates at least this number of bytes from the end on, and a header.
    pub(super) fn grow(&mut self, wanted: u64) -> io::Result<()> {
        let size = self.end + wanted + HEADER;
        if size > self.size {
            let size = size.max(self.size * 2).next_multiple_of(SLOT);
            allocate(&mut self.file, self.size, size)?;
            self.file.sync_all()?;
            self.size = size;
        }
        Ok(())
    }

    pub(super) fn append(&mut self, id: &Id, sealed: &[u8]) -> io::Result<()> {
        let length = sealed.len() as u64;
        let next = (self.end + HEADER + length).next_multiple_of(HEADER);
        self.grow(next - self.end)?;
        write_at(&mut self.file, self.end + HEADER, sealed)?;
        write_at(&mut self.file, next, &[0; HEADER_BYTES])?;
        self.file.sync_data()?;
        let mut header = [0; HEADER_BYTES];
        header[0] = WAITING;
        header[8..16].copy_from_slice(&length.to_le_bytes());
        header[16..].copy_from_slice(id.as_bytes());
        write_at(&mut self.file, self.end, &header)?;
        self.file.sync_data()?;
        self.end = next;
        Ok(())
    }

    pub(super) fn is_done(&self) -> io::Result<bool> {
        is_done(&self.file)
    }
}

impl Record {
    /// Marks it as replayed. If that is lost, it is replayed once more, which changes nothing.
    pub(crate) fn finish(&self) {
        let marked = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .and_then(|mut file| write_at(&mut file, self.offset, &[DONE]));
        match marked {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "a journal entry cannot be marked");
            }
            _ => {}
        }
    }
}

/// Reads the headers of a file, and the bodies of records that wait.
pub(super) fn records(path: &Path, only: Option<&Id>) -> io::Result<Vec<Record>> {
    let mut file = File::open(path)?;
    let mut found = Vec::new();
    headers(&mut file, |file, offset, state, id, length| {
        if state == WAITING && only.is_none_or(|only| *only == id) {
            let mut sealed = vec![0; usize::try_from(length).unwrap_or_default()];
            file.read_exact(&mut sealed)?;
            found.push(Record { id, path: path.to_owned(), offset, sealed });
        }
        Ok(())
    })?;
    Ok(found)
}

/// Returns `true` if nothing waits in a file. One that was cut off may have had something.
pub(super) fn is_done(file: &File) -> io::Result<bool> {
    let mut waits = file.metadata()?.len() < SLOT;
    headers(&mut file.try_clone()?, |_, _, state, _, _| {
        waits |= state == WAITING;
        Ok(())
    })?;
    Ok(!waits)
}

/// Visits each record: the file at its body, where it begins, its state, its id and its length.
fn headers(
    file: &mut File,
    mut visit: impl FnMut(&mut File, u64, u8, Id, u64) -> io::Result<()>,
) -> io::Result<()> {
    let size = file.metadata()?.len();
    let mut offset = 0;
    while offset + HEADER <= size {
        file.seek(SeekFrom::Start(offset))?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header)?;
        let length = u64::from_le_bytes(header[8..16].try_into().unwrap_or_default());
        let id = Id::from_slice(&header[16..]).map_err(|error| io::Error::other(error.to_string()))?;
        match header[0] {
            0 => return Ok(()),
            WAITING | DONE if length <= MAX_BODY && offset + HEADER + length <= size => {}
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("damaged at byte {offset}"))),
        }
        visit(file, offset, header[0], id, length)?;
        offset = (offset + HEADER + length).next_multiple_of(HEADER);
    }
    Ok(())
}

fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Takes room on the disk for a file that is to grow.
fn allocate(file: &mut File, from: u64, to: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        match fallocate(&*file, FallocateFlags::empty(), from, to - from) {
            Err(error) if error != rustix::io::Errno::OPNOTSUPP => return Err(error.into()),
            Ok(()) => return Ok(()),
            Err(_) => {}
        }
    }
    // Zeros do as well where the file system does not compress them.
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut io::repeat(0).take(to - from), file).map(drop)
}

/// Removes a file of the journal that is not needed any more.
pub(super) fn remove(path: &Path) {
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
    make_private_directory(directory)?;
    if let Some(parent) = directory.parent() {
        sync_directory(parent);
    }
    Ok(())
}
