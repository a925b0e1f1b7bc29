//! Damage in the write-ahead log of SQLite, which SQLite itself takes for its end.
//!
//! The [log](https://sqlite.org/fileformat.html#the_write_ahead_log) is a header and frames, each with a
//! checksum that goes on from the frame before. SQLite reads up to the first frame that does not fit and
//! drops the rest without a word, since that is what a write looks like that was cut off. But where a
//! commit follows that fits the frames before it, something ahead of it has changed: what was committed
//! would be taken back, and a refresh token that was spent would be sent again.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read},
    path::Path,
};

use crate::ownership::beside;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The first word of a log whose checksums are of little-endian words; with big-endian ones it is the next.
const MAGIC: u32 = 0x377F_0682;
/// A log that was restarted while it was read is read again.
const ATTEMPTS: usize = 5;

/// What a log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogState {
    /// Nothing is wrong up to its end. A last frame that was changed looks like one that was cut off.
    Whole,
    /// A frame of the last change does not fit: it was damaged, or the power was cut while it was written.
    LastChangeDamaged,
    /// A frame was damaged after its change was on the disk, since others came after it.
    Damaged,
}

/// Reads the log of a database, if there is one.
pub(super) fn examine(database: &Path) -> io::Result<LogState> {
    let path = beside(database, "-wal");
    for _ in 0..ATTEMPTS {
        let read = File::open(&path).and_then(|file| read(BufReader::with_capacity(1 << 16, file)));
        let (header, log) = match read {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
                return Ok(LogState::Whole);
            }
            read => read?,
        };
        let mut now = [0; HEADER];
        let is_same =
            File::open(&path).and_then(|mut file| file.read_exact(&mut now)).is_ok() && now == header;
        if log == LogState::Whole || is_same {
            return Ok(log);
        }
    }
    Ok(LogState::Whole)
}

fn read(mut log: impl Read) -> io::Result<([u8; HEADER], LogState)> {
    let mut header = [0; HEADER];
    log.read_exact(&mut header)?;
    let is_big = word(&header, 0) == MAGIC + 1;
    let start = sum((0, 0), &header[..24], is_big);
    let is_known = (MAGIC..=MAGIC + 1).contains(&word(&header, 0)) && start == sum_at(&header, 24);
    let page_size = if is_known { word(&header, 8).clamp(512, 65_536) } else { 4_096 };
    let mut frame = vec![0; FRAME_HEADER + page_size as usize];
    let mut salt = [0; 8];
    salt.copy_from_slice(&header[16..24]);
    // What the next frame goes on from: the checksum that is written, and the one that should be.
    let mut before = [start; 2];
    let (mut is_over, mut commits, mut fitting) = (!is_known, usize::from(!is_known), 0);
    while log.read_exact(&mut frame).is_ok() {
        let (about, page) = frame.split_at(FRAME_HEADER);
        let sums = |before| sum(sum(before, &about[..8], is_big), page, is_big);
        let (written, expected) = (sum_at(about, 16), sums(before[0]));
        let is_commit = word(about, 4) != 0;
        let fits = about[8..16] == salt && (written == expected || (is_over && written == sums(before[1])));
        if !fits && !is_over {
            (is_over, commits) = (true, usize::from(is_commit));
        } else if fits && is_over && is_commit {
            fitting += 1;
        }
        if !is_known {
            salt.copy_from_slice(&about[8..16]);
        }
        before = [written, expected];
    }
    let log = match (fitting, commits + fitting) {
        (0, _) => LogState::Whole,
        (_, 1) => LogState::LastChangeDamaged,
        _ => LogState::Damaged,
    };
    Ok((header, log))
}

fn sum((mut one, mut two): (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let read = if is_big { u32::from_be_bytes } else { u32::from_le_bytes };
    let (words, _) = bytes.as_chunks::<4>();
    for pair in words.chunks_exact(2) {
        let &[first, second] = pair else { break };
        one = one.wrapping_add(read(first)).wrapping_add(two);
        two = two.wrapping_add(read(second)).wrapping_add(one);
    }
    (one, two)
}

fn sum_at(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at), word(bytes, at + 4))
}

/// The numbers of the log are big-endian.
fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_be_bytes(word.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The log of some changes, and where each of them ends.
    async fn log_of_changes() -> (Vec<u8>, Vec<usize>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let mut connection =
            <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
        let mut ends = Vec::new();
        for number in 0..5 {
            let change = match number {
                0 => "CREATE TABLE a (x BLOB)",
                _ => "INSERT INTO a VALUES (randomblob(20000))",
            };
            sqlx::query(change).execute(&mut connection).await.unwrap();
            ends.push(std::fs::metadata(beside(&path, "-wal")).unwrap().len().try_into().unwrap());
        }
        assert_eq!(examine(&path).unwrap(), LogState::Whole);
        (std::fs::read(beside(&path, "-wal")).unwrap(), ends)
    }

    fn state(log: &[u8]) -> LogState {
        read(log).unwrap().1
    }

    #[tokio::test]
    async fn a_byte_that_is_changed_anywhere_but_in_the_last_frame_is_found() {
        let (log, ends) = log_of_changes().await;
        let frame = FRAME_HEADER + 4_096;
        let last = log.len() - frame;
        let before_last = ends[ends.len() - 2];
        for at in (0..log.len()).filter(|at| *at < HEADER || (at - HEADER) % frame < 32 || at % 97 == 0) {
            let mut log = log.clone();
            log[at] ^= 0x10;
            let expected = match at {
                ..HEADER => LogState::Damaged,
                _ if at < before_last => LogState::Damaged,
                // It would be the end of a change.
                _ if at < last && (4..8).contains(&((at - HEADER) % frame)) => LogState::Damaged,
                _ if at < last => LogState::LastChangeDamaged,
                _ => LogState::Whole,
            };
            assert_eq!(state(&log), expected, "byte {at} of {}, changes end at {ends:?}", log.len());
        }
    }

    #[tokio::test]
    async fn a_log_that_was_cut_off_or_begun_anew_is_whole() {
        let (log, _) = log_of_changes().await;
        for end in (0..log.len()).step_by(61) {
            if end >= HEADER {
                assert_eq!(state(&log[..end]), LogState::Whole, "cut at {end}");
            }
            // Space that was taken and not written.
            let mut zeros = log.clone();
            zeros[end..].fill(0);
            assert_eq!(state(&zeros), LogState::Whole, "zeros from {end}");
        }
        // The next one is written over it.
        let (mut other, ends) = log_of_changes().await;
        let next = log_of_changes().await.0;
        other[..ends[1]].copy_from_slice(&next[..ends[1]]);
        assert_eq!(state(&other), LogState::Whole);
    }
}
