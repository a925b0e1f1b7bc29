//! A job at work.

use std::{collections::VecDeque, path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::value::RawValue;
use sesame_client::Call;
use sesame_core::{Error, ErrorKind, Result, envelope::Reply};
use tokio::task::JoinSet;

use super::{
    JobEntry, JobInfo, JobKind, JobPlan, RowOutcome,
    batches::{Batch, Writing},
    check, journal,
    journal::Journal,
    settle,
    told::Told,
};
use crate::{
    Shop,
    skus::{Found, Skus},
};

/// How long a call that was not answered may still be carried out: only then what is there is read.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a job waits before it asks again whether another one of the shop has ended.
const WAIT: Duration = Duration::from_millis(200);
/// How often a row is sent at most.
const MAX_SENT: u8 = 3;
/// After this number of calls in a row without an answer nothing new is sent.
const MAX_SILENT: u32 = 3;

/// A job that writes rows and keeps a journal. Killed at any point it is gone on with by [`Shop::resume`].
pub struct Job {
    shop: Shop,
    writing: Writing,
    skus: std::sync::Arc<Skus>,
    journal: Journal,
    info: JobInfo,
    entries: Vec<JobEntry>,
    /// How often a row was sent by this process.
    sent: Vec<u8>,
    /// Rows whose call was refused together with others: they are sent alone.
    alone: Vec<bool>,
    /// When a call was begun that nobody has heard of again.
    unanswered: Option<Timestamp>,
    is_resumed: bool,
}

/// What came of a job.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobReport {
    /// The job.
    pub info: JobInfo,
    /// Its rows. Those that are pending or unknown are gone on with by [`Shop::resume`].
    pub entries: Vec<JobEntry>,
    /// Why it stopped before its end.
    pub stopped: Option<Error>,
}

impl JobReport {
    /// Counts the rows whose outcome has this word: `done`, `skipped`, `failed`, `unknown`, `pending`.
    pub fn count(&self, word: &str) -> usize {
        self.entries.iter().filter(|entry| entry.outcome.word() == word).count()
    }
}

/// What a task brings home.
enum Home {
    Read(Batch, Result<Vec<Found>>),
    Answer(Batch, Result<Reply>),
}

impl Shop {
    /// Opens a job to go on with it. What was sent without an answer is settled by reading; what was not sent is
    /// read and checked again.
    ///
    /// # Errors
    /// Usage, for a job that is not there or of another account; [`ErrorKind::Local`] for a journal that is
    /// damaged, or that another process works on.
    pub async fn resume(&self, folder: &Path, id: &str) -> Result<Job> {
        let (journal, recorded) = Journal::open(folder, id)?;
        self.is_mine(&recorded.info)?;
        let (writing, skus) = self.writing(recorded.info.kind).await?;
        let mut entries = recorded.entries;
        for entry in &mut entries {
            // Looked at once more: what was not clear then may be now.
            if matches!(entry.outcome, RowOutcome::Unknown { .. }) {
                entry.outcome = RowOutcome::Sent;
            }
        }
        let rows = entries.len();
        Ok(Job {
            shop: self.clone(),
            writing,
            skus: skus.into(),
            journal,
            info: recorded.info,
            entries,
            sent: vec![0; rows],
            alone: vec![false; rows],
            unanswered: Timestamp::from_millisecond(recorded.last_sent).ok(),
            is_resumed: true,
        })
    }

    /// Returns the newest job of this account of a kind; `unfinished`: with rows that are pending or unknown.
    /// Jobs that take others back count only if they are unfinished.
    pub fn last_job(&self, folder: &Path, kinds: &[JobKind], unfinished: bool) -> Option<JobInfo> {
        journal::ids(folder).into_iter().find_map(|id| {
            let info = journal::info(folder, &id)?;
            let is_open = || {
                let rows = journal::read(folder, &id).map(|job| job.entries).unwrap_or_default();
                rows.iter().any(|entry| matches!(entry.outcome.word(), "pending" | "unknown"))
            };
            let mine = info.account == self.account() && kinds.contains(&info.kind);
            let fits = mine && if unfinished { is_open() } else { info.undoes.is_none() };
            fits.then_some(info)
        })
    }
}

impl JobPlan {
    /// Writes the plan to a journal in a folder, which is made if it is not there. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) if the journal cannot be written.
    pub fn start(self, folder: &Path) -> Result<Job> {
        // What does not fit is found before there is a job.
        self.calls()?;
        let clock = self.shop.client().clock();
        let now = clock.now();
        let mut random = [0; 3];
        clock.random(&mut random);
        let info = JobInfo {
            id: format!(
                "{}-{:02x}{:02x}{:02x}",
                now.strftime("%Y%m%d-%H%M%S"),
                random[0],
                random[1],
                random[2]
            ),
            kind: self.writing.kind,
            account: self.shop.account().to_owned(),
            platform: self.skus.platform().to_owned(),
            created: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            undoes: self.undoes.clone(),
        };
        Job::begin(self, folder, info)
    }
}

impl Job {
    pub(super) fn begin(plan: JobPlan, folder: &Path, info: JobInfo) -> Result<Self> {
        let journal = Journal::create(folder, &info, &plan.entries)?;
        let rows = plan.entries.len();
        Ok(Self {
            shop: plan.shop,
            writing: plan.writing,
            skus: plan.skus.into(),
            journal,
            info,
            entries: plan.entries,
            sent: vec![0; rows],
            alone: vec![false; rows],
            unanswered: None,
            is_resumed: false,
        })
    }

    /// Returns what it is.
    pub fn info(&self) -> &JobInfo {
        &self.info
    }

    /// Returns its rows.
    pub fn entries(&self) -> &[JobEntry] {
        &self.entries
    }

    /// Works until all rows are done, refused or cannot be known, or until something stops it. `tell` is given
    /// each row as its outcome is known.
    pub async fn run(mut self, mut tell: impl FnMut(&JobEntry)) -> JobReport {
        let stopped = self.work(&mut tell).await.err();
        JobReport { info: self.info, entries: self.entries, stopped }
    }

    async fn work(&mut self, tell: &mut impl FnMut(&JobEntry)) -> Result<()> {
        let clock = std::sync::Arc::clone(self.shop.client().clock());
        let mut alone = None;
        while self.writing.depends_on_reading() && alone.is_none() {
            alone = self.journal.lock_account(self.shop.account())?;
            if alone.is_none() {
                clock.sleep(WAIT).await;
            }
        }
        if self.is_resumed {
            let rows: Vec<usize> =
                (0..self.entries.len()).filter(|row| !self.entries[*row].outcome.is_final()).collect();
            self.look_again(&rows, tell).await?;
        }
        loop {
            let pending = self.rows(&RowOutcome::Pending);
            if pending.is_empty() {
                return Ok(());
            }
            let stopped = self.send_all(&pending, tell).await;
            let unsure = self.rows(&RowOutcome::Sent);
            let looked = self.look_again(&unsure, tell).await;
            stopped.and(looked)?;
        }
    }

    fn rows(&self, outcome: &RowOutcome) -> Vec<usize> {
        (0..self.entries.len()).filter(|row| self.entries[*row].outcome == *outcome).collect()
    }

    /// Sends rows, several calls at the same time.
    ///
    /// # Errors
    /// What stopped it. Rows that were not sent are pending, those without an answer sent.
    async fn send_all(&mut self, rows: &[usize], tell: &mut impl FnMut(&JobEntry)) -> Result<()> {
        let mut queue: VecDeque<Batch> = self.writing.batches(&self.entries, rows, &self.alone).into();
        let mut running = JoinSet::new();
        let (mut stopped, mut silent) = (None::<Error>, 0);
        let limit = self.writing.action.concurrency;
        loop {
            while stopped.is_none() && running.len() < limit {
                let Some(batch) = queue.pop_front() else { break };
                if self.writing.depends_on_reading() {
                    let (skus, sought) = (std::sync::Arc::clone(&self.skus), self.sought(&batch.rows));
                    running.spawn(async move {
                        let found = skus.find(&sought).await;
                        Home::Read(batch, found)
                    });
                } else if let Err(error) = self.send(batch, &mut running) {
                    stopped = Some(error);
                }
            }
            let Some(home) = running.join_next().await else { break };
            let home = home.map_err(|error| Error::local("a task of the job ended").with_source(error));
            let result = match home {
                Ok(Home::Read(batch, found)) => found.and_then(|found| {
                    let batch = self.check_again(&batch, found, tell)?;
                    if stopped.is_none() && !batch.rows.is_empty() {
                        self.send(batch, &mut running)
                    } else {
                        Ok(())
                    }
                }),
                Ok(Home::Answer(batch, answer)) => {
                    silent = match &answer {
                        Err(error) if error.is_ambiguous() && !self.tells_of_rows(&batch, error) => {
                            silent + 1
                        }
                        _ => 0,
                    };
                    self.answered(&batch, answer, silent >= MAX_SILENT, tell)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                stopped.get_or_insert(error);
            }
        }
        stopped.map_or(Ok(()), Err)
    }

    /// Notes that a batch is sent, and sends it.
    fn send(&mut self, batch: Batch, running: &mut JoinSet<Home>) -> Result<()> {
        let call: Call = self.writing.call(&self.shop, &self.entries, &batch)?;
        let client = self.shop.client().clone();
        self.journal.sent(&batch.rows, client.clock().now().as_millisecond())?;
        for row in &batch.rows {
            self.entries[*row].outcome = RowOutcome::Sent;
            self.sent[*row] = self.sent[*row].saturating_add(1);
        }
        running.spawn(async move {
            let answer = client.call(&call).await.map(|output| output.reply);
            Home::Answer(batch, answer)
        });
        Ok(())
    }

    /// Takes in what was read just before a batch is sent. Returns the rows that are still to be sent.
    fn check_again(
        &mut self,
        batch: &Batch,
        found: Vec<Found>,
        tell: &mut impl FnMut(&JobEntry),
    ) -> Result<Batch> {
        for (row, found) in batch.rows.iter().zip(found) {
            self.check_entry(*row, found);
        }
        self.journal.read(&batch.rows, &self.entries)?;
        let (rows, over): (Vec<usize>, Vec<usize>) =
            batch.rows.iter().partition(|row| self.entries[**row].outcome == RowOutcome::Pending);
        self.note(&over, tell)?;
        Ok(Batch { rows, without_skus: batch.without_skus })
    }

    fn check_entry(&mut self, row: usize, found: Found) {
        let old = &self.entries[row];
        let (kind, action) = (self.writing.kind, &self.writing.action);
        self.entries[row] = check::entry(kind, action, old.row.clone(), found, old.expected);
    }

    /// Takes in the answer to a batch.
    fn answered(
        &mut self,
        batch: &Batch,
        answer: Result<Reply>,
        is_silent: bool,
        tell: &mut impl FnMut(&JobEntry),
    ) -> Result<()> {
        match answer {
            Ok(reply) => {
                self.read_answer(batch, reply.payload());
                self.note(&batch.rows, tell)
            }
            Err(error) if self.tells_of_rows(batch, &error) => {
                if error.is_ambiguous() {
                    self.unanswered = Some(self.shop.client().clock().now());
                }
                self.read_answer(batch, error.detail().unwrap_or_default());
                self.note(&batch.rows, tell)
            }
            Err(error) if error.is_ambiguous() => {
                self.unanswered = Some(self.shop.client().clock().now());
                if is_silent { Err(error) } else { Ok(()) }
            }
            Err(error) if matches!(error.kind(), ErrorKind::Business | ErrorKind::Argument) => {
                self.refused(&batch.rows, &error);
                self.note(&batch.rows, tell)
            }
            // It would be the same for all others.
            Err(error) => {
                for row in &batch.rows {
                    self.entries[*row].outcome = RowOutcome::Pending;
                }
                self.journal.outcomes(&batch.rows, &self.entries)?;
                Err(error)
            }
        }
    }

    /// Rows that were refused together. Which of them are wrong, and whether the others were written, is told by
    /// reading and by sending each alone.
    fn refused(&mut self, rows: &[usize], error: &Error) {
        for row in rows {
            if rows.len() == 1 {
                self.entries[*row].outcome = RowOutcome::failed(error);
            }
            self.alone[*row] = true;
        }
    }

    /// Returns `true` if a refusal says which rows failed: then it is the answer to each of them, not to the call.
    fn tells_of_rows(&self, batch: &Batch, error: &Error) -> bool {
        let payload = serde_json::from_str(error.detail().unwrap_or_default()).ok();
        !Told::read(payload, self.writing.action(batch).failed.as_ref()).is_empty()
    }

    /// Finds in a reply which rows were written.
    fn read_answer(&mut self, batch: &Batch, payload: &str) {
        let action = self.writing.action(batch).clone();
        let payload = serde_json::from_str::<&RawValue>(payload).ok();
        let failed = Told::read(payload, action.failed.as_ref());
        let done = action.done.as_ref().map(|done| Told::read(payload, Some(done)));
        for row in &batch.rows {
            let entry = &self.entries[*row];
            if let Some(reason) = failed.of(entry) {
                // Several rows under one key, or several keys with one reason: which of them it is about is told
                // by sending each alone.
                self.alone[*row] = true;
                if failed.is_of_one(reason, batch.rows.iter().map(|row| &self.entries[*row])) {
                    let (code, message) = (reason.code.clone(), reason.message.clone());
                    self.entries[*row].outcome = RowOutcome::Failed { code, message };
                }
            } else if done.as_ref().is_none_or(|done| done.of(entry).is_some()) {
                self.entries[*row].outcome = RowOutcome::Done;
            } else {
                // In neither list: by reading.
                self.alone[*row] = true;
            }
        }
    }

    /// Writes outcomes to the journal and tells of them.
    fn note(&mut self, rows: &[usize], tell: &mut impl FnMut(&JobEntry)) -> Result<()> {
        let rows: Vec<usize> =
            rows.iter().copied().filter(|row| self.entries[*row].outcome != RowOutcome::Sent).collect();
        self.journal.outcomes(&rows, &self.entries)?;
        for row in rows.iter().filter(|row| self.entries[**row].outcome.is_final()) {
            tell(&self.entries[*row]);
        }
        Ok(())
    }

    /// Reads rows once more: those that were sent are settled, those that were not are checked again.
    async fn look_again(&mut self, rows: &[usize], tell: &mut impl FnMut(&JobEntry)) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let clock = std::sync::Arc::clone(self.shop.client().clock());
        if let Some(since) = self.unanswered.take() {
            let waited = Duration::try_from(clock.now().duration_since(since)).unwrap_or_default();
            if let Some(wait) = SETTLE.checked_sub(waited) {
                clock.sleep(wait).await;
            }
        }
        let found = self.skus.find(&self.sought(rows)).await?;
        let (kind, action) = (self.writing.kind, self.writing.action.clone());
        for (row, found) in rows.iter().zip(found) {
            if self.entries[*row].outcome == RowOutcome::Pending {
                self.check_entry(*row, found);
                continue;
            }
            let judged = settle::judge(kind, &action, &self.entries[*row], found);
            self.entries[*row].outcome = match judged {
                RowOutcome::Pending if self.sent[*row] >= MAX_SENT => RowOutcome::refused(format!(
                    "was sent {MAX_SENT} times without an answer, and was not written"
                )),
                judged => judged,
            };
            // One row of them may be what the platform stumbles over: the last time each is sent alone.
            self.alone[*row] |= self.sent[*row] + 1 >= MAX_SENT;
        }
        let pending: Vec<usize> =
            rows.iter().copied().filter(|row| self.entries[*row].outcome == RowOutcome::Pending).collect();
        self.journal.read(&pending, &self.entries)?;
        self.note(rows, tell)
    }

    fn sought(&self, rows: &[usize]) -> Vec<crate::skus::Sought> {
        rows.iter().map(|row| self.entries[*row].row.sought()).collect()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("info", &self.info).finish_non_exhaustive()
    }
}
