//! How answers that wait in the journal come into the store.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use sesame_core::{Clock, Error, Result};

use super::journal::{Entry, Journal};
use crate::{
    accounts::authorization::Authorization,
    events::{Events, News},
    model::{Id, Warning, Warnings, millis},
    schedule,
    seal::{MasterKeys, key_of},
    store::{AuthorizationRow, Notes, TokenColumns, TokenStore},
};

/// How often a row is looked at again that others are writing.
const ATTEMPTS: u32 = 5;
/// How long no refresh is begun ahead of time after an entry could not be read.
const PAUSE: Duration = Duration::from_secs(30);

/// What became of the entries.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) stored: usize,
    /// Files whose entries cannot be read, or are refused by the store for good, and why. They stay where
    /// they are.
    pub(crate) stuck: Vec<(PathBuf, Error)>,
    /// Files with entries of authorizations that the store does not have. They stay, too: it may be
    /// another store.
    pub(crate) orphaned: Vec<PathBuf>,
}

impl Replayed {
    /// Says what is wrong with an entry that stays.
    pub(crate) fn error(&self) -> Option<Error> {
        let (path, why) = self.stuck.first()?;
        Some(
            Error::local(format!(
                "new tokens may wait in the journal {}, and cannot be moved into the vault: {}",
                path.display(),
                why.message()
            ))
            .with_hint("The refresh token in the vault may be used up already, so it is not used. Let this program read the file (owner, mode); if the file is damaged, move it away."),
        )
    }
}

/// What became of one entry.
enum Fate {
    Stored,
    /// Newer tokens stand in the store.
    Overtaken,
    /// The store has no such authorization.
    Orphaned,
    /// Others keep writing the row.
    Waits,
}

/// Moves replies from the journal into the store.
pub(crate) struct Replay {
    pub(crate) journal: Journal,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) events: Events,
    pub(crate) warnings: Warnings,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Replay {
    /// Moves what waits in the journal into the store, of one authorization or of all.
    ///
    /// # Errors
    /// The store's, when it is still away; the journal's, when it cannot be listed; and as
    /// [`MasterKeys::ensure`]: an entry that cannot be opened may hold the only tokens that are still good.
    pub(crate) async fn run(&self, only: Option<&Id>) -> Result<Replayed> {
        let contents = self.journal.read(only)?;
        let mut replayed = Replayed { stuck: contents.unreadable, ..Replayed::default() };
        for record in contents.records {
            if let Some(key) = key_of(&record.sealed) {
                self.keys.ensure(key).await?;
            }
            match record.open(self.keys.sealer()) {
                Err(error) => replayed.stuck.push((record.path, error)),
                Ok(entry) => match self.replay_entry(record.id, &entry).await {
                    Ok(Fate::Stored) => {
                        replayed.stored += 1;
                        record.finish();
                    }
                    Ok(Fate::Overtaken) => record.finish(),
                    Ok(Fate::Orphaned) => replayed.orphaned.push(record.path),
                    Ok(Fate::Waits) => {}
                    Err(error) if error.is_retryable() => return Err(error),
                    // The others are not held up.
                    Err(error) => replayed.stuck.push((record.path, error)),
                },
            }
        }
        Ok(replayed)
    }

    async fn replay_entry(&self, id: Id, entry: &Entry) -> Result<Fate> {
        for _ in 0..ATTEMPTS {
            let Some(row) = self.store.authorization(id).await? else { return Ok(Fate::Orphaned) };
            if row.generation > entry.expected && !outlives(entry, &row) {
                return Ok(Fate::Overtaken);
            }
            let mut notes = entry.notes.clone();
            // Another process found the spent token refused, and a warning was given.
            if row.exhausted.is_some() && notes.events.is_empty() {
                let after = AuthorizationRow { tokens: entry.tokens.clone(), ..row.clone() };
                notes.events.extend(self.events.try_event(&after, News::Recovered).await);
            }
            // A row of an earlier generation comes from a backup of the store: what it holds was spent.
            let store = self.store.as_ref();
            if store_tokens(store, id, row.generation, &entry.tokens, entry.at, &notes).await? {
                return Ok(Fate::Stored);
            }
        }
        Ok(Fate::Waits)
    }

    /// Moves what waits for one authorization into the store, before its token is spent.
    ///
    /// # Errors
    /// As [`Replay::run`], and when an answer waits that cannot be read: the row's token would be a
    /// spent one.
    pub(crate) async fn before_refresh(&self, authorization: &Authorization) -> Result<()> {
        let refused =
            |error: Error| error.context(format!("account {:?} was not refreshed", authorization.label));
        let replayed = self.run(Some(&authorization.id)).await.map_err(refused)?;
        match replayed.error() {
            None => Ok(()),
            Some(error) => {
                let now = self.clock.now().as_millisecond();
                authorization.defer_until(now.saturating_add(millis(PAUSE)));
                Err(refused(error))
            }
        }
    }

    /// Moves what waits into the store of a vault that is being opened, and tells what stays behind.
    pub(crate) async fn at_opening(&self) {
        for other in self.journal.neighbors() {
            let (other, own) = (other.display(), self.journal.shown());
            self.warnings.warn(Warning::new(format!(
                "new tokens wait in {other}, the journal of a database under another address; if it is this one, move its files to {own}"
            )));
        }
        match self.run(None).await {
            Ok(replayed) => {
                for (path, why) in &replayed.stuck {
                    let why = format!("cannot be moved into the vault ({})", why.message());
                    self.warnings.warn(left_in_place(path, &why));
                }
                for path in &replayed.orphaned {
                    self.warnings.warn(left_in_place(path, "is of an account that this vault does not have"));
                }
            }
            // The store is still away: whoever needs it will hear why.
            Err(error) => {
                self.warnings
                    .warn(Warning::new(format!("tokens still wait in the vault's journal: {error}")));
            }
        }
        self.journal.sweep();
    }

    /// Forgets what waits for an authorization of which an account was taken away, if that was the last
    /// one that shared it. What stays behind is named when the vault is opened.
    pub(crate) async fn forget(&self, id: Id) {
        let forgotten = match self.store.authorization(id).await {
            Ok(None) => self.journal.forget(&id),
            Ok(Some(_)) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = forgotten {
            tracing::warn!(authorization = %id, "answers that wait for it stay: {error}");
        }
    }
}

/// Returns `true` if a login that waits is better than what others have stored meanwhile: of two approvals
/// the one counts that ends later. A refresh of the former approval is newer and does not move its end.
fn outlives(login: &Entry, row: &AuthorizationRow) -> bool {
    let is_later = match (schedule::ends_at(&login.tokens), schedule::ends_at(&row.tokens)) {
        (Some(login), Some(row)) => login > row,
        (login, row) => login.is_none() || row.is_some(),
    };
    login.is_login && is_later
}

/// Moves a journaled reply into the store as soon as it is back: tries some times, after pauses that double up
/// to 30 seconds. Returns `true` if it is there.
pub(super) async fn replay_later(replay: Weak<Replay>, id: Id, tries: u32, mut pause: Duration) -> bool {
    for _ in 0..tries {
        // The vault is not kept open for this: whoever opens it next replays the journal first.
        let Some(clock) = replay.upgrade().map(|replay| replay.clock.clone()) else { return false };
        clock.sleep(pause).await;
        let Some(replay) = replay.upgrade() else { return false };
        if replay.run(Some(&id)).await.is_ok() {
            tracing::info!("tokens moved from the journal into the vault");
            return true;
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    false
}

fn left_in_place(path: &Path, why: &str) -> Warning {
    Warning::new(format!("the journal entry {} {why} and was left in place", path.display()))
}

/// Stores tokens; if the store refuses them for good, without what is said of them. A text that it takes
/// under no circumstances must not cost the tokens.
pub(super) async fn store_tokens(
    store: &dyn TokenStore,
    id: Id,
    expected: i64,
    tokens: &TokenColumns,
    at: i64,
    notes: &Notes,
) -> Result<bool> {
    let error = match store.replace_tokens(id, expected, tokens, at, notes).await {
        Err(error) if !error.is_retryable() => error,
        done => return done,
    };
    let Some(row) = store.authorization(id).await? else { return Err(error) };
    let bare = TokenColumns { identity: row.tokens.identity, ..tokens.clone() };
    let stored = store.replace_tokens(id, expected, &bare, at, &Notes::default()).await;
    if stored.is_ok() {
        tracing::warn!(authorization = %id, "new tokens are stored without what is said of them: {error}");
    }
    stored.map_err(|_| error)
}
