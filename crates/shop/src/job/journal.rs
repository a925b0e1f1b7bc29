//! The journal of a job: one file, appended to and synced before and after each call.
//!
//! A line is JSON. What a crash cut off at the end of the file is a line without its end, and is dropped: each
//! line says only what is true without the next one.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sesame_core::{Error, Result};

use super::{JobEntry, JobKind, RowOutcome};
use crate::{Amount, SkuState};

/// Number of journals that are kept.
const KEPT: usize = 500;
/// The ending of a journal whose plan is being written.
const DRAFT: &str = "draft";
/// The largest journal that is read.
const LARGEST: u64 = 4 << 30;

/// What a job is, the first line of its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobInfo {
    /// The id.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// The account.
    pub account: String,
    /// The platform.
    pub platform: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The job that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Job(JobInfo),
    /// A row of the plan.
    Row(JobEntry),
    /// The plan is whole.
    Plan {
        rows: usize,
    },
    /// What was read of a row once more.
    Read {
        row: usize,
        before: Vec<SkuState>,
        wanted: Option<Amount>,
    },
    /// A call is about to be made. `at` in milliseconds since 1970.
    Sent {
        rows: Vec<usize>,
        at: i64,
    },
    /// What came of a row.
    Now {
        row: usize,
        outcome: RowOutcome,
    },
}

/// A journal that is written to. Nobody else writes to it meanwhile.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) info: JobInfo,
    pub(super) entries: Vec<JobEntry>,
    /// When the last call was begun, in milliseconds since 1970.
    pub(super) last_sent: i64,
}

fn local(path: &Path, what: &str, error: std::io::Error) -> Error {
    Error::local(format!("could not {what} {}: {error}", path.display())).with_source(error)
}

impl Journal {
    /// Creates the journal of a job, with its whole plan.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) if it cannot be written.
    pub(super) fn create(folder: &Path, info: &JobInfo, entries: &[JobEntry]) -> Result<Self> {
        make_folder(folder)?;
        prune(folder, KEPT);
        let path = path_of(folder, &info.id);
        if path.exists() {
            return Err(Error::local(format!("there is a job {} already", info.id)));
        }
        let draft = path.with_extension(DRAFT);
        let mut options = OpenOptions::new();
        options.create_new(true).append(true).read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&draft).map_err(|error| local(&draft, "create", error))?;
        let mut journal = Self { file, path };
        journal.lock(&info.id)?;
        let rows = entries.iter().map(|entry| Line::Row(entry.clone()));
        let plan = Line::Plan { rows: entries.len() };
        journal.write(std::iter::once(Line::Job(info.clone())).chain(rows).chain([plan]))?;
        // A job is there once its plan is whole.
        std::fs::rename(&draft, &journal.path).map_err(|error| local(&journal.path, "create", error))?;
        #[cfg(unix)]
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| local(folder, "sync", error))?;
        Ok(journal)
    }

    /// Opens a journal to go on with it, without what a crash left at its end.
    ///
    /// # Errors
    /// As [`read`]; and if another process works on the job.
    pub(super) fn open(folder: &Path, id: &str) -> Result<(Self, Recorded)> {
        let path = path_of(folder, id);
        let file = OpenOptions::new()
            .append(true)
            .read(true)
            .open(&path)
            .map_err(|error| missing(&path, id, error))?;
        let mut journal = Self { file, path };
        journal.lock(id)?;
        let text = journal.text()?;
        let (recorded, good) = parse(&text).map_err(|why| damaged(&journal.path, &why))?;
        if good < text.len() {
            let cut = journal.file.set_len(good as u64).and_then(|()| journal.file.sync_data());
            cut.map_err(|error| local(&journal.path, "write", error))?;
        }
        Ok((journal, recorded))
    }

    fn lock(&self, id: &str) -> Result<()> {
        self.file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => {
                Error::local(format!("another process is working on the job {id}"))
                    .with_hint("Wait until it has ended.")
            }
            std::fs::TryLockError::Error(error) => local(&self.path, "lock", error),
        })
    }

    /// Locks an account, for one job at a time, until the file is dropped. `None` if another job has it.
    pub(super) fn lock_account(&self, account: &str) -> Result<Option<File>> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let path = path_of(folder, account).with_extension("lock");
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| local(&path, "open", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(local(&path, "lock", error)),
        }
    }

    fn text(&mut self) -> Result<Vec<u8>> {
        let wrong = |error| local(&self.path, "read", error);
        let size = self.file.metadata().map_err(wrong)?.len();
        if size > LARGEST {
            return Err(damaged(&self.path, "it is too large"));
        }
        let mut text = Vec::new();
        self.file.seek(SeekFrom::Start(0)).map_err(wrong)?;
        self.file.read_to_end(&mut text).map_err(wrong)?;
        Ok(text)
    }

    /// Notes that a call is about to be made.
    pub(super) fn sent(&mut self, rows: &[usize], at: i64) -> Result<()> {
        self.write([Line::Sent { rows: rows.to_vec(), at }])
    }

    /// Notes what came of rows.
    pub(super) fn outcomes(&mut self, rows: &[usize], entries: &[JobEntry]) -> Result<()> {
        self.write(rows.iter().map(|row| Line::Now { row: *row, outcome: entries[*row].outcome.clone() }))
    }

    /// Notes what was read of rows once more.
    pub(super) fn read(&mut self, rows: &[usize], entries: &[JobEntry]) -> Result<()> {
        self.write(rows.iter().map(|row| {
            let entry = &entries[*row];
            Line::Read { row: *row, before: entry.before.clone(), wanted: entry.wanted }
        }))
    }

    /// Appends lines and waits until they are on the disk.
    fn write(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<()> {
        let mut text = Vec::new();
        let wrong = |error| local(&self.path, "write", error);
        for line in lines {
            serde_json::to_writer(&mut text, &line).map_err(|error| wrong(error.into()))?;
            text.push(b'\n');
            if text.len() > 1 << 20 {
                self.file.write_all(&text).map_err(wrong)?;
                text.clear();
            }
        }
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(wrong)
    }
}

/// Reads the journal of a job, whoever works on it.
///
/// # Errors
/// Usage, for an id that no job has; [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a journal that
/// cannot be read or is damaged.
pub(super) fn read(folder: &Path, id: &str) -> Result<Recorded> {
    let path = path_of(folder, id);
    let file = File::open(&path).map_err(|error| missing(&path, id, error))?;
    let text = Journal { file, path: path.clone() }.text()?;
    parse(&text).map(|(recorded, _)| recorded).map_err(|why| damaged(&path, &why))
}

/// Lists the ids of the jobs of a folder, newest first.
pub(super) fn ids(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut ids: Vec<String> = files
        .filter_map(|file| file.file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    // An id begins with its time.
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

/// Reads the first line of a journal.
pub(super) fn info(folder: &Path, id: &str) -> Option<JobInfo> {
    let mut line = String::new();
    let file = File::open(path_of(folder, id)).ok()?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(file.take(1 << 16)), &mut line).ok()?;
    match serde_json::from_str(&line) {
        Ok(Line::Job(info)) => Some(info),
        _ => None,
    }
}

/// Reads what a journal says, and how many of its bytes are whole lines.
fn parse(text: &[u8]) -> std::result::Result<(Recorded, usize), String> {
    let mut found: Option<Recorded> = None;
    let mut is_planned = false;
    let mut good = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            break;
        }
        let at = || format!("byte {good}");
        let parsed: Line = serde_json::from_slice(line).map_err(|error| format!("{}: {error}", at()))?;
        match (parsed, found.as_mut()) {
            (Line::Job(info), None) => found = Some(Recorded { info, entries: Vec::new(), last_sent: 0 }),
            (Line::Row(entry), Some(found)) if !is_planned => found.entries.push(entry),
            (Line::Plan { rows }, Some(found)) if !is_planned && found.entries.len() == rows => {
                is_planned = true;
            }
            (Line::Read { row, before, wanted }, Some(found)) if row < found.entries.len() && is_planned => {
                found.entries[row].before = before;
                found.entries[row].wanted = wanted;
            }
            (Line::Sent { rows, at: sent }, Some(found)) if is_planned => {
                for row in rows {
                    found.entries.get_mut(row).ok_or_else(at)?.outcome = RowOutcome::Sent;
                }
                found.last_sent = sent;
            }
            (Line::Now { row, outcome }, Some(found)) if row < found.entries.len() && is_planned => {
                found.entries[row].outcome = outcome;
            }
            _ => return Err(at()),
        }
        good += line.len();
    }
    match found {
        Some(found) if is_planned => Ok((found, good)),
        _ => {
            Err("its plan was not written to the end, so nothing was sent; give the command again".to_owned())
        }
    }
}

fn missing(path: &Path, id: &str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Error::usage(format!("there is no job {id:?}"));
    }
    local(path, "open", error)
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::local(format!("the journal {} cannot be used: {why}", path.display()))
}

/// Where the journal of a job is. An id is only letters, digits and dashes: it is no way out of the folder.
fn path_of(folder: &Path, id: &str) -> PathBuf {
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    folder.join(format!("{plain}.jsonl"))
}

fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| local(folder, "create", error))
}

/// Removes the oldest journals of jobs that have ended, and what a crash left of plans.
fn prune(folder: &Path, kept: usize) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    for draft in files.filter(|path| path.extension().is_some_and(|ending| ending == DRAFT)) {
        // One that is being written is locked.
        if File::open(&draft).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(draft);
        }
    }
    for id in ids(folder).into_iter().skip(kept) {
        let is_over =
            read(folder, &id).is_ok_and(|job| job.entries.iter().all(|entry| entry.outcome.is_final()));
        if is_over {
            let _ = std::fs::remove_file(path_of(folder, &id));
        }
    }
}

/// Makes an empty row, for tests of what is recorded.
#[cfg(test)]
pub(super) fn entry(name: &str, wanted: i64) -> JobEntry {
    JobEntry {
        row: super::JobRow::sku(name, wanted),
        before: vec![SkuState { product: "7".to_owned(), sku: Some(name.to_owned()), ..SkuState::default() }],
        wanted: Some(wanted.into()),
        expected: None,
        outcome: RowOutcome::Pending,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_info(id: &str) -> JobInfo {
        JobInfo {
            id: id.to_owned(),
            kind: JobKind::StockSet,
            account: "shop".to_owned(),
            platform: "lazada".to_owned(),
            created: "2026-11-30T00:00:00Z".to_owned(),
            undoes: None,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Cut at every byte it can be read, or says that nothing was sent; no row that was sent is forgotten
        /// once the line was whole; and it can be gone on with.
        #[test]
        fn it_may_be_cut_at_every_byte(steps in proptest::collection::vec((0_usize..4, any::<bool>()), 0..6)) {
            let folder = tempfile::tempdir().unwrap();
            let mut entries: Vec<JobEntry> = (0..4).map(|n| entry(&format!("SKU \"{n}\" 袋\n"), n)).collect();
            let mut journal = Journal::create(folder.path(), &some_info("a"), &entries).unwrap();
            let path = path_of(folder.path(), "a");
            let mut whole = vec![(std::fs::read(&path).unwrap().len(), entries.clone())];
            for (row, is_answered) in steps {
                if entries[row].outcome.is_final() {
                    continue;
                }
                journal.sent(&[row], 5).unwrap();
                entries[row].outcome = RowOutcome::Sent;
                whole.push((std::fs::read(&path).unwrap().len(), entries.clone()));
                if is_answered {
                    entries[row].outcome = RowOutcome::refused("it's \u{2028} no");
                    journal.outcomes(&[row], &entries).unwrap();
                    whole.push((std::fs::read(&path).unwrap().len(), entries.clone()));
                }
            }
            drop(journal);
            let text = std::fs::read(&path).unwrap();
            for cut in 0..=text.len() {
                let expected = whole.iter().rev().find(|(end, _)| *end <= cut);
                match (parse(&text[..cut]), expected) {
                    (Ok((recorded, good)), Some((_, entries))) => {
                        prop_assert_eq!(&recorded.entries, entries);
                        // What is appended after the whole lines is read with them.
                        let more = serde_json::to_vec(&Line::Sent { rows: vec![0], at: 6 }).unwrap();
                        let again = [&text[..good], &more, b"\n"].concat();
                        let again = parse(&again).unwrap().0;
                        prop_assert_eq!(&again.entries[0].outcome, &RowOutcome::Sent);
                        prop_assert_eq!(&again.entries[1..], &entries[1..]);
                    }
                    (Err(why), None) => prop_assert!(why.contains("nothing was sent"), "{}", why),
                    (got, expected) => {
                        prop_assert!(false, "cut at {}: {} {}", cut, got.is_ok(), expected.is_some());
                    }
                }
            }
        }

        /// Whatever a file holds, reading it ends with a result.
        #[test]
        fn no_bytes_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&text);
        }
    }

    #[test]
    fn one_process_works_on_a_job_and_ids_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [entry("A", 1)];
        let journal = Journal::create(folder.path(), &some_info("a"), &entries).unwrap();
        let error = Journal::open(folder.path(), "a").unwrap_err();
        assert!(error.message().contains("another process"), "{error}");
        drop(journal);
        assert!(Journal::open(folder.path(), "a").is_ok());
        let error = read(folder.path(), "../a").map(|found| found.info.id);
        assert_eq!(error.unwrap(), "a", "the name without its way out");
        assert!(read(folder.path(), "zzz").unwrap_err().message().contains("no job"));
        assert!(Journal::create(folder.path(), &some_info("a"), &entries).is_err(), "never over another");
    }

    #[test]
    fn finished_jobs_are_not_kept_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut over = entry("A", 1);
        over.outcome = RowOutcome::Done;
        for (n, entry) in [entry("A", 1), over.clone(), over.clone(), over].into_iter().enumerate() {
            Journal::create(folder.path(), &some_info(&format!("j{n}")), &[entry]).unwrap();
        }
        std::fs::write(folder.path().join("j9.draft"), "{").unwrap();
        prune(folder.path(), 1);
        assert!(!folder.path().join("j9.draft").exists());
        assert_eq!(ids(folder.path()), ["j3", "j0"], "the newest, and one that is not at its end");
    }

    #[test]
    fn what_a_crash_left_at_the_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [entry("A", 1), entry("B", 2)];
        drop(Journal::create(folder.path(), &some_info("a"), &entries).unwrap());
        let path = path_of(folder.path(), "a");
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(b"{\"sent\":{\"rows\":[0");
        std::fs::write(&path, &text).unwrap();
        let (mut journal, recorded) = Journal::open(folder.path(), "a").unwrap();
        assert_eq!(recorded.entries, entries);
        journal.sent(&[1], 5).unwrap();
        drop(journal);
        assert_eq!(read(folder.path(), "a").unwrap().entries[1].outcome, RowOutcome::Sent);
    }
}
