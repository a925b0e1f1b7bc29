//! Answers of token services, written together.
//!
//! A commit waits for the server's disk. While one is written, the answers that arrive gather, and
//! the next commit takes them all: under load many refreshes share one, and a lone one waits for
//! nobody. Each caller hears what became of its own row, and not before it is on the disk.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use sesame_core::{Error, Result, Retry};
use sqlx::Row as _;
use tokio::sync::{oneshot, watch};

use super::{
    Outcome, PostgresStore,
    connections::Failure,
    notes::{Columns, bytes, noting},
    text,
};
use crate::{
    Id,
    store::{Notes, TokenColumns},
};

/// The most rows of one commit.
const MOST: usize = 256;

/// Tokens that replace others.
#[derive(Debug)]
struct Swap {
    id: Id,
    expected: i64,
    tokens: TokenColumns,
    at: i64,
    notes: Notes,
}

struct Waiting {
    swap: Swap,
    answer: oneshot::Sender<Result<bool>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// A task is writing.
    writing: bool,
}

/// Who waits for the next commit.
#[derive(Default)]
pub(super) struct Group {
    queue: Mutex<Queue>,
    busy: watch::Sender<()>,
}

impl Group {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes those who wait for the next commit, each row once: what else is to become of it has to
    /// wait for the commit after.
    fn next(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
        let mut taken: HashMap<Id, Waiting> = HashMap::new();
        let mut later = VecDeque::new();
        while let Some(next) = queue.waiting.pop_front() {
            if taken.len() < MOST && !taken.contains_key(&next.swap.id) {
                taken.insert(next.swap.id, next);
            } else {
                later.push_back(next);
            }
        }
        queue.waiting = later;
        if taken.is_empty() {
            queue.writing = false;
        }
        drop(queue);
        let mut taken: Vec<Waiting> = taken.into_values().collect();
        // In the order of ids, as everybody takes rows.
        taken.sort_by_key(|waiting| waiting.swap.id);
        taken
    }

    /// Waits until nothing is being written.
    pub(super) async fn settle(&self) {
        let mut done = self.busy.subscribe();
        while self.queue().writing {
            if done.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The task that writes. However it ends, the next caller may start another.
struct Writer {
    store: PostgresStore,
    /// Nobody waits any more, and another may be writing already.
    is_done: bool,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let group = &self.store.0.group;
        if !self.is_done {
            // Cut off with the runtime: whoever still waits hears that nobody knows.
            let mut queue = group.queue();
            queue.writing = false;
            queue.waiting.clear();
        }
        group.busy.send_replace(());
    }
}

impl Writer {
    async fn write(mut self) {
        loop {
            let batch = self.store.0.group.next();
            if batch.is_empty() {
                self.is_done = true;
                return;
            }
            let (swaps, answers): (Vec<Swap>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.swap, waiting.answer)).unzip();
            let written = self.store.run(|| self.store.write_swaps(&swaps)).await;
            match written {
                Ok(done) => {
                    for (answer, done) in answers.into_iter().zip(done) {
                        let _ = answer.send(Ok(done));
                    }
                }
                // Waiting may help: that is true for all of them.
                Err(error) if error.is_retryable() => {
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
                // Something about one of them: the others must not suffer from it.
                Err(_) => {
                    for (swap, answer) in swaps.into_iter().zip(answers) {
                        let alone = [swap];
                        let done = self.store.run(|| self.store.write_swaps(&alone)).await;
                        let _ = answer.send(done.map(|done| done.first().copied().unwrap_or_default()));
                    }
                }
            }
        }
    }
}

impl PostgresStore {
    pub(super) async fn swap_tokens(
        &self,
        id: Id,
        expected: i64,
        tokens: &TokenColumns,
        at: i64,
        notes: &Notes,
    ) -> Result<bool> {
        let (answer, answered) = oneshot::channel();
        let swap = Swap { id, expected, tokens: tokens.clone(), at, notes: notes.clone() };
        let start = {
            let mut queue = self.0.group.queue();
            queue.waiting.push_back(Waiting { swap, answer });
            !std::mem::replace(&mut queue.writing, true)
        };
        if start {
            // A task of its own: a caller that is dropped must not take the others' answers with it.
            let writer = Writer { store: self.clone(), is_done: false };
            tokio::spawn(writer.write());
        }
        answered.await.unwrap_or_else(|_| {
            Err(Error::local("the writing of new tokens was cut off: they may be stored or not")
                .with_hint("Repeat the command.")
                .with_retry(Retry::Backoff))
        })
    }

    /// Replaces each `WHERE generation = expected`; tells for each whether it was so.
    async fn write_swaps(&self, swaps: &[Swap]) -> Outcome<Vec<bool>> {
        let mut lent = self.take().await?;
        let query = sqlx::query(noting!(
            "done AS (UPDATE sesame.authorizations SET generation = generation + 1, access = given.access, \
             refresh = given.refresh, issued_at = given.issued_at, access_expires_at = given.access_expires_at, \
             refresh_expires_at = given.refresh_expires_at, refresh_denied = given.refresh_denied, \
             identity = given.identity, last_success = given.at, warm_at = given.warm_at, due_at = given.due_at, \
             announced = given.announced, exhausted = NULL, last_error = NULL, last_error_at = NULL, attempts = 0, \
             blocked = FALSE, \
             not_before = NULL, postpone_after = CASE WHEN authorizations.refresh_expires_at IS NOT DISTINCT FROM \
             given.refresh_expires_at THEN postpone_after END, lease_owner = NULL, lease_until = NULL, \
             refreshing_since = NULL, interrupted_since = NULL, spending = NULL \
             FROM unnest($15::BIGINT[], $16::BYTEA[], $17::BIGINT[], $18::BYTEA[], $19::BYTEA[], $20::BIGINT[], \
             $21::BIGINT[], $22::BIGINT[], $23::BOOLEAN[], $24::TEXT[], $25::BIGINT[], $26::BIGINT[], \
             $27::BIGINT[], $28::BIGINT[]) AS given(item, id, expected, access, refresh, issued_at, \
             access_expires_at, refresh_expires_at, refresh_denied, identity, at, warm_at, due_at, announced) \
             WHERE authorizations.authorization_id = given.id AND authorizations.generation = given.expected \
             RETURNING given.item AS item)";
            "SELECT done.item FROM done"
        ));
        let mut notes = Columns::default();
        for (item, swap) in (0..).zip(swaps) {
            notes.add(item, &swap.notes);
        }
        let all = |column: fn(&TokenColumns) -> Option<i64>| -> Vec<Option<i64>> {
            swaps.iter().map(|swap| column(&swap.tokens)).collect()
        };
        let rows = notes
            .bind(query)
            .bind((0..).zip(swaps).map(|(item, _)| item).collect::<Vec<i64>>())
            .bind(swaps.iter().map(|swap| bytes(swap.id)).collect::<Vec<_>>())
            .bind(swaps.iter().map(|swap| swap.expected).collect::<Vec<_>>())
            .bind(swaps.iter().map(|swap| swap.tokens.access.as_deref()).collect::<Vec<_>>())
            .bind(swaps.iter().map(|swap| swap.tokens.refresh.as_deref()).collect::<Vec<_>>())
            .bind(swaps.iter().map(|swap| swap.tokens.issued_at).collect::<Vec<_>>())
            .bind(all(|tokens| tokens.access_expires_at))
            .bind(all(|tokens| tokens.refresh_expires_at))
            .bind(swaps.iter().map(|swap| swap.tokens.refresh_denied).collect::<Vec<_>>())
            .bind(swaps.iter().map(|swap| text(&swap.tokens.identity).into_owned()).collect::<Vec<_>>())
            .bind(swaps.iter().map(|swap| swap.at).collect::<Vec<_>>())
            .bind(all(|tokens| tokens.warm_at))
            .bind(all(|tokens| tokens.due_at))
            .bind(all(|tokens| tokens.announced))
            .fetch_all(&mut lent.connection)
            .await?;
        lent.give_back();
        let mut done = vec![false; swaps.len()];
        for row in rows {
            let item: i64 = row.try_get(0)?;
            let place = usize::try_from(item).ok().and_then(|item| done.get_mut(item));
            *place.ok_or_else(|| Failure::Failed(sqlx::Error::RowNotFound))? = true;
        }
        Ok(done)
    }
}
