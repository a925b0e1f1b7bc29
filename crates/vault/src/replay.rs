//! How answers that wait in the journal come into the store.

use std::{
    path::{Path, PathBuf},
    sync::Weak,
    time::Duration,
};

use sesame_core::{Error, Result};

use crate::{
    Id,
    authorization::Authorization,
    journal::{Entry, read, remove},
    schedule,
    seal::key_of,
    store::AuthorizationRow,
    vault::{Inner, Notice},
    warnings::News,
};

/// How often a row is looked at again that others are writing.
const TRIES: u32 = 5;

/// What became of the entries.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) stored: usize,
    /// Entries that cannot be read, and why. They stay where they are.
    pub(crate) unreadable: Vec<(PathBuf, Error)>,
    /// Entries of authorizations that the store does not have. They stay, too: it may be another store.
    pub(crate) homeless: Vec<PathBuf>,
}

impl Replayed {
    /// Says what is wrong with an entry that cannot be read.
    pub(crate) fn trouble(&self) -> Option<Error> {
        let (path, why) = self.unreadable.first()?;
        Some(
            Error::local(format!(
                "new tokens wait in the journal entry {}, which cannot be read: {}",
                path.display(),
                why.message()
            ))
            .with_hint("The refresh token in the vault may be spent already, so it is not used. Let this program read the file (owner, mode); if the file is damaged, move it away."),
        )
    }
}

/// What became of one entry.
enum Fate {
    Stored,
    /// Newer tokens stand in the store.
    Overtaken,
    /// The store has no such authorization.
    Homeless,
    /// Others keep writing the row.
    Waits,
}

impl Inner {
    /// Moves what waits in the journal into the store, of one authorization or of all.
    ///
    /// # Errors
    /// The store's, when it is still away; the journal's, when it cannot be listed; and as
    /// [`Inner::know_keys`]: an entry that cannot be opened may hold the only tokens that are still good.
    pub(crate) async fn replay(&self, only: Option<&Id>) -> Result<Replayed> {
        let mut replayed = Replayed::default();
        for (id, path) in self.journal.entries(only)? {
            let entry = match read(&path) {
                Ok(None) => continue,
                Ok(Some(sealed)) => {
                    if let Some(key) = key_of(&sealed) {
                        self.know_key(key).await?;
                    }
                    Entry::open(&self.sealer, &id, &sealed)
                }
                Err(error) => Err(error),
            };
            match entry {
                Err(error) => replayed.unreadable.push((path, error)),
                Ok(entry) => match self.replay_entry(id, &entry).await? {
                    Fate::Stored => {
                        replayed.stored += 1;
                        remove(&path);
                    }
                    Fate::Overtaken => remove(&path),
                    Fate::Homeless => replayed.homeless.push(path),
                    Fate::Waits => {}
                },
            }
        }
        Ok(replayed)
    }

    async fn replay_entry(&self, id: Id, entry: &Entry) -> Result<Fate> {
        for _ in 0..TRIES {
            let Some(row) = self.store.authorization(id).await? else { return Ok(Fate::Homeless) };
            if row.generation > entry.expected && !outlives(entry, &row) {
                return Ok(Fate::Overtaken);
            }
            let mut notes = entry.notes.clone();
            // Somebody else found the spent token refused, and people were told.
            if row.exhausted.is_some() && notes.events.is_empty() {
                let after = AuthorizationRow { tokens: entry.tokens.clone(), ..row.clone() };
                notes.events.extend(self.event_or_log(&after, News::Recovered).await);
            }
            // A row of an earlier generation comes from a backup of the store: what it holds was spent.
            if self.store.replace_tokens(id, row.generation, &entry.tokens, entry.at, &notes).await? {
                return Ok(Fate::Stored);
            }
        }
        Ok(Fate::Waits)
    }

    /// Moves what waits for one authorization into the store, before its token is spent.
    ///
    /// # Errors
    /// As [`Inner::replay`], and when an answer waits that cannot be read: the row's token would be a
    /// spent one.
    pub(crate) async fn replay_before(&self, authorization: &Authorization) -> Result<()> {
        let refused =
            |error: Error| error.context(format!("account {:?} was not refreshed", authorization.label));
        let replayed = self.replay(Some(&authorization.id)).await.map_err(refused)?;
        match replayed.trouble() {
            None => Ok(()),
            Some(error) => {
                self.rest(authorization, Duration::from_secs(30));
                Err(refused(error))
            }
        }
    }

    /// Moves what waits into the store of a vault that is being opened, and tells what stays behind.
    pub(crate) async fn replay_at_opening(&self) {
        self.journal.sweep();
        for other in self.journal.neighbors() {
            let (other, own) = (other.display(), self.journal.shown());
            self.tell(Notice::new(format!(
                "new tokens wait in {other}, the journal of a database under another address; if it is this one, move its files to {own}"
            )));
        }
        match self.replay(None).await {
            Ok(replayed) => {
                for (path, why) in &replayed.unreadable {
                    self.tell(left_in_place(path, &format!("cannot be read ({})", why.message())));
                }
                for path in &replayed.homeless {
                    self.tell(left_in_place(path, "is of an account that this vault does not have"));
                }
            }
            // The store is still away: whoever needs it will hear why.
            Err(error) => {
                self.tell(Notice::new(format!("tokens still wait in the vault's journal: {error}")));
            }
        }
    }

    /// Forgets what waits for an authorization of which an account was taken away, if that was the last
    /// one that shared it. What stays behind is named when the vault is opened.
    pub(crate) async fn forget_waiting(&self, id: Id) {
        let forgotten = match self.store.authorization(id).await {
            Ok(None) => self.journal.forget(&id),
            Ok(Some(_)) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = forgotten {
            tracing::warn!(authorization = %id, "answers that wait for it stay: {error}");
        }
    }

    /// Tries some times to move a journalled answer into the store. True when it is there.
    pub(crate) async fn replay_soon(&self, id: Id) -> bool {
        let mut pause = Duration::from_millis(200);
        for _ in 0..3 {
            self.clock.sleep(pause).await;
            if self.replay(Some(&id)).await.is_ok() {
                return true;
            }
            pause *= 2;
        }
        false
    }
}

/// Tells whether a login that waits is better than what others have stored meanwhile: of two approvals
/// the one counts that ends later. A refresh of the former approval is newer and does not move its end.
fn outlives(login: &Entry, row: &AuthorizationRow) -> bool {
    let is_later = match (schedule::ends_at(&login.tokens), schedule::ends_at(&row.tokens)) {
        (Some(login), Some(row)) => login > row,
        (login, row) => login.is_none() || row.is_some(),
    };
    login.is_login && is_later
}

/// Moves a journalled answer into the store as soon as it is back, for an hour at most.
pub(crate) async fn replay_later(vault: Weak<Inner>, id: Id) {
    let mut pause = Duration::from_secs(1);
    for _ in 0..120 {
        // The vault is not kept open for this: whoever opens it next replays the journal first.
        let Some(inner) = vault.upgrade() else { return };
        let sleep = inner.clock.sleep(pause);
        drop(inner);
        sleep.await;
        let Some(inner) = vault.upgrade() else { return };
        if inner.replay(Some(&id)).await.is_ok() {
            tracing::info!("tokens moved from the journal into the vault");
            return;
        }
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

fn left_in_place(path: &Path, why: &str) -> Notice {
    Notice::new(format!("the journal entry {} {why} and was left in place", path.display()))
}
