//! A new master key for a vault, while other processes go on.
//!
//! 1. the new key gets a row, sealed with the active key, if that is still the one that was read
//! 2. every former key is sealed with the new one: whoever has the new one has all
//! 3. what is sealed with former keys is resealed, in batches
//! 4. the new key goes to the place where this kind of key lives
//! 5. the new key becomes the active one, if the active one is still the same and opens with it
//! 6. what other processes have sealed with a former key meanwhile is resealed; the oldest former keys
//!    that seal nothing are removed
//!
//! Each step can be repeated. Cut off after any of them, the vault opens with the former source until
//! step 4, with either between 4 and 5 (what is in the key file then is the new one), with the new one
//! after 5. See docs/decisions/0005.
//!
//! There is at most one incoming key. Several rekeys at once work on that one, and the process that
//! activates it has won; the others fail. Steps 4 and 5 are done under a lock on the key file, which is
//! replaced only if the new key opens the key in it.

use std::sync::Arc;

use sesame_core::{Clock, Error, Result};

use crate::{
    events::{Action, Events},
    fail_point::fail_point,
    model::Id,
    refresh::Replay,
    seal::{
        CHECK, KeyChoice, KeyId, KeyKind, KeySource, MasterKeys, Ring, Slot, active, check_slot, key_file,
        key_of, new_key, reopen, unwrap, wrapped_slot, write_to_keyring,
    },
    store::{KeyRow, KeyState, Notes, Sealed, SecretColumn, Store},
};

/// How many values are resealed in one transaction: other processes wait for it some milliseconds.
const BATCH: u32 = 200;
/// How many former keys are kept though they seal nothing here: a process that has missed that many rekeys
/// may still seal with one, and an answer may wait in the journal of another machine.
const FORMER_KEYS: usize = 16;
/// How often step 6 looks again while others keep sealing with a former key.
const SWEEPS: u32 = 5;

/// How often a change of the keys is tried again while other processes change them.
const ATTEMPTS: usize = 16;

/// What a rekey did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Rekeyed {
    /// The id of the new key; not a secret.
    pub key_id: String,
    /// Where it lives.
    pub key: KeyKind,
    /// Where the former one lived.
    pub former: KeyKind,
    /// `true` if an earlier rekey had been cut off, and this one went on with it.
    pub resumed: bool,
    /// How many values were resealed.
    pub resealed: u64,
    /// Values that do not open and so stay as they are: what, and why.
    pub unreadable: Vec<String>,
}

/// The key that takes over.
struct Incoming {
    id: KeyId,
    /// The key that was active when this rekey began.
    former: KeyId,
    kind: KeyKind,
    resumed: bool,
}

/// Gives a vault a new master key.
pub(crate) struct Rekey {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) replay: Arc<Replay>,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Rekey {
    /// Rekeys, and writes down whether that succeeded.
    pub(crate) async fn run(&self, to: KeyChoice, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<Rekeyed> {
        let rekeyed = self.rekey(to, progress).await;
        if let Err(error) = &rekeyed {
            self.events.record_failure(Action::Rekey, "vault", None, error).await;
        }
        rekeyed
    }

    async fn rekey(&self, to: KeyChoice, progress: &(dyn Fn(u64) + Send + Sync)) -> Result<Rekeyed> {
        let former = self.keys.kind();
        self.replay.run(None).await?;
        let incoming = self.begin_rekey(&to).await?;
        fail_point!("during-rekey");
        self.open_former_keys_with(incoming.id).await?;
        fail_point!("during-rekey");
        let mut tally = Tally::default();
        self.reseal(incoming.id, &mut tally, progress).await?;
        fail_point!("during-rekey");
        self.switch(&incoming, to).await?;
        fail_point!("during-rekey");
        for _ in 0..SWEEPS {
            let before = tally.resealed;
            self.reseal(incoming.id, &mut tally, progress).await?;
            if tally.resealed == before {
                break;
            }
        }
        self.remove_oldest().await?;
        // What the former key opens is to be nowhere any more.
        if let Err(error) = self.store.forget_remains().await {
            tracing::warn!("remains of former values stay in the vault for now: {error}");
        }
        Ok(Rekeyed {
            key_id: hex::encode(incoming.id),
            key: incoming.kind,
            former,
            resumed: incoming.resumed,
            resealed: tally.resealed,
            unreadable: self.name_sealed(&tally.unreadable).await?,
        })
    }

    /// Gives up a rekey that was cut off, so that the next one starts over: its new key is lost, or cannot
    /// go where it was to go. The active key stays. Returns `false` if there is no such rekey.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the new key is in the key file already: then
    /// the rekey has to be finished; [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the store fails.
    pub(crate) async fn give_up(&self) -> Result<bool> {
        let rows = self.store.keys().await?;
        self.keys.learn(&rows).await?;
        let Some(row) = rows.iter().find(|row| row.state == KeyState::Incoming) else { return Ok(false) };
        if row.kind == KeyKind::File && self.is_key_of(row, KeyChoice::File).await {
            return Err(Error::usage("the interrupted rekey has its new key in the key file already")
                .with_hint("Finish it: run `sesame vault rekey` without --to. Then rekey again. Nothing was changed."));
        }
        let retire = |rows: &mut Vec<KeyRow>| {
            let incoming = rows.iter_mut().find(|row| row.state == KeyState::Incoming);
            Ok(incoming.map(|row| row.state = KeyState::Retired).is_some())
        };
        let given_up = self.change_keys(retire).await?;
        // From here on the active key seals again.
        self.keys.learn(&self.store.keys().await?).await?;
        Ok(given_up)
    }
}

/// What was resealed, and what could not be.
#[derive(Default)]
struct Tally {
    resealed: u64,
    unreadable: Vec<(SecretColumn, Id, String)>,
}

impl Rekey {
    /// Step 1.
    async fn begin_rekey(&self, to: &KeyChoice) -> Result<Incoming> {
        let rows = self.store.keys().await?;
        self.keys.learn(&rows).await?;
        let active = active(&rows)?.key_id;
        if let Some(pending) = rows.iter().find(|row| row.state == KeyState::Incoming) {
            return self.resume(pending, active, to).await;
        }
        let former = self.keys.kind();
        let to = match (to, former) {
            (KeyChoice::Auto, KeyKind::Keyring) => &KeyChoice::Keyring,
            (KeyChoice::Auto, KeyKind::File) => &KeyChoice::File,
            (KeyChoice::Auto, KeyKind::Passphrase) => {
                return Err(Error::usage("this vault is sealed with a passphrase, and no new one was given")
                    .with_hint("Write it to a file that you keep: `sesame vault rekey --to passphrase --key-file FILE`. Or choose another place with --to file."));
            }
            (KeyChoice::Auto, KeyKind::Environment) => {
                return Err(Error::usage(
                    "this vault is sealed with the key of SESAME_MASTER_KEY, and no new one was given",
                )
                .with_hint("Write it to a file that you keep: `sesame vault rekey --to environment --key-file FILE`. Or choose another place with --to file."));
            }
            (to, _) => to,
        };
        self.refuse_same(to, self::active(&rows)?).await?;
        let clock = self.clock.as_ref();
        let (kind, key, params) = new_key(to, clock).await?;
        let mut id = KeyId::default();
        clock.random(&mut id);
        // A keyring that does not take the key is found out while nothing has changed.
        if kind == KeyKind::Keyring {
            write_to_keyring(id, &key).await?;
        }
        let wrapped = self.keys.sealer().seal_as(active, wrapped_slot(&id), key.bytes())?;
        let mut ring = (*self.keys.sealer().ring()).clone();
        ring.add(id, &key);
        self.keys.sealer().set(ring);
        let row = KeyRow {
            key_id: id,
            state: KeyState::Incoming,
            wrapped: Some(wrapped),
            kind,
            params,
            check: self.keys.sealer().seal_as(id, check_slot(&id), CHECK)?,
            created_at: self.clock.now().as_millisecond(),
        };
        let mut with_new = rows.clone();
        with_new.push(row);
        if self.store.set_keys(&rows, &with_new).await? {
            return Ok(Incoming { id, former: active, kind, resumed: false });
        }
        // Another process began in the same moment, and may have finished by now.
        let rows = self.store.keys().await?;
        self.keys.learn(&rows).await?;
        match rows.iter().find(|row| row.state == KeyState::Incoming) {
            Some(pending) if self::active(&rows)?.key_id == active => self.resume(pending, active, to).await,
            _ => Err(overtaken()),
        }
    }

    /// Goes on with a rekey that was cut off, or that another process is at.
    async fn resume(&self, pending: &KeyRow, former: KeyId, to: &KeyChoice) -> Result<Incoming> {
        let (id, kind) = (pending.key_id, pending.kind);
        if !self.keys.sealer().ring().has(id) {
            return Err(Error::local(
                "a rekey of this vault was interrupted, and its new key does not open with the active key",
            )
            .with_hint("Open the vault with the new key, and run `sesame vault rekey` once more. Nothing was changed."));
        }
        let fits = match (to, kind) {
            (KeyChoice::Auto, _)
            | (KeyChoice::File, KeyKind::File)
            | (KeyChoice::Keyring, KeyKind::Keyring) => true,
            (KeyChoice::Passphrase(_), KeyKind::Passphrase)
            | (KeyChoice::Environment(_), KeyKind::Environment) => self.is_key_of(pending, to.clone()).await,
            _ => false,
        };
        if fits {
            return Ok(Incoming { id, former, kind, resumed: true });
        }
        Err(Error::usage(format!(
            "a rekey of this vault was interrupted, and its new key is another one (it goes to the {kind})"
        ))
        .with_hint("Finish that one first: run `sesame vault rekey` without --to and without a new key. If that key is lost, `sesame vault rekey --anew` discards it. Nothing was changed."))
    }

    /// Returns `true` if a choice gives the key of a row.
    async fn is_key_of(&self, row: &KeyRow, choice: KeyChoice) -> bool {
        let source = KeySource { choice, ..self.keys.source() };
        let only = KeyRow { state: KeyState::Active, ..row.clone() };
        reopen(&[only], &source, &Ring::default()).await.is_ok()
    }

    /// A new key that is the former one would look like a rekey and be none.
    async fn refuse_same(&self, to: &KeyChoice, active: &KeyRow) -> Result<()> {
        let what = match to {
            KeyChoice::Passphrase(_) => "passphrase",
            KeyChoice::Environment(_) => "key",
            _ => return Ok(()),
        };
        if self.is_key_of(active, to.clone()).await {
            return Err(Error::usage(format!("the new {what} is the one that the vault has already"))
                .with_hint("Choose another one. Nothing was changed."));
        }
        // Nor may it be a retired key.
        if matches!(to, KeyChoice::Environment(_))
            && let Ok((_, key, _)) = new_key(to, self.clock.as_ref()).await
            && self.keys.sealer().ring().holds(&key)
        {
            return Err(Error::usage("the new key is a former one of this vault")
                .with_hint("Make a new one with `openssl rand -base64 32`. Nothing was changed."));
        }
        Ok(())
    }

    /// Step 2.
    async fn open_former_keys_with(&self, new: KeyId) -> Result<()> {
        let sealer = self.keys.sealer();
        let ring = sealer.ring();
        self.change_keys(|rows| {
            for row in rows.iter_mut().filter(|row| row.key_id != new) {
                if row.wrapped.as_deref().and_then(key_of) == Some(new) {
                    continue;
                }
                match ring.key(row.key_id) {
                    Some(key) => {
                        let slot = wrapped_slot(&row.key_id);
                        row.wrapped = Some(sealer.seal_as(new, slot, key.bytes())?);
                    }
                    // It was activated since this rekey began.
                    None if row.state == KeyState::Active => return Err(overtaken()),
                    // A former key that cannot be opened stays as it is.
                    None => {}
                }
            }
            Ok(true)
        })
        .await?;
        // From here on whatever this process seals opens with both.
        let mut ring = Clone::clone(&*ring);
        ring.seal_with(new);
        sealer.set(ring);
        Ok(())
    }

    /// Steps 3 and 6. A value that somebody else replaces meanwhile is left to the next pass.
    async fn reseal(
        &self,
        new: KeyId,
        tally: &mut Tally,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<()> {
        tally.unreadable.clear();
        for row in self.store.keys().await? {
            if row.key_id == new {
                continue;
            }
            for place in SecretColumn::ALL {
                let mut after = None;
                loop {
                    let batch = self.store.sealed_with(row.key_id, place, after, BATCH).await?;
                    let Some(last) = batch.last() else { break };
                    after = Some(last.id);
                    let mut changes: Vec<(Sealed, Vec<u8>)> = Vec::with_capacity(batch.len());
                    for sealed in batch {
                        let slot =
                            Slot { table: place.table(), row: sealed.id.as_bytes(), column: place.column() };
                        match self.keys.sealer().open(slot, &sealed.bytes) {
                            Ok(plain) => {
                                let resealed = self.keys.sealer().seal_as(new, slot, &plain)?;
                                changes.push((sealed, resealed));
                            }
                            Err(error) => {
                                tally.unreadable.push((place, sealed.id, error.message().to_owned()));
                            }
                        }
                    }
                    if !changes.is_empty() {
                        tally.resealed += self.store.reseal(&changes).await?;
                        fail_point!("during-rekey");
                    }
                    progress(tally.resealed);
                }
            }
        }
        Ok(())
    }

    /// Steps 4 and 5.
    async fn switch(&self, incoming: &Incoming, to: KeyChoice) -> Result<()> {
        let mut source = self.keys.source();
        // Held until the new key is the active one: a key file is never replaced by an older key.
        let lock = match incoming.kind {
            KeyKind::File => Some(key_file::lock(&source.key_file).await?),
            _ => None,
        };
        let rows = self.store.keys().await?;
        let ring = self.keys.sealer().ring();
        let (Some(key), Some(switched)) = (ring.key(incoming.id), switched(incoming, &rows)) else {
            return Err(self.lost_to_another(&rows).await);
        };
        let mut opened = Ring::default();
        opened.add(incoming.id, key);
        unwrap(&mut opened, &rows);
        let mut ids = rows.iter().map(|row| row.key_id);
        if let Some(id) = ids.find(|id| ring.has(*id) && !opened.has(*id)) {
            return Err(Error::local(format!(
                "the new key does not open key {} of this vault",
                hex::encode(id)
            ))
            .with_hint("Repeat the command. Nothing is lost: the former key still opens the vault."));
        }
        match (incoming.kind, &lock) {
            (KeyKind::File, Some(lock)) => key_file::replace(lock, &source.key_file, key, &opened)?,
            (KeyKind::Keyring, _) => write_to_keyring(incoming.id, key).await?,
            _ => {}
        }
        fail_point!("during-rekey");
        if !self.store.set_keys(&rows, &switched).await? {
            return Err(self.lost_to_another(&self.store.keys().await?).await);
        }
        source.choice = match (incoming.kind, to) {
            (KeyKind::File, _) => KeyChoice::File,
            (KeyKind::Keyring, _) => KeyChoice::Keyring,
            (_, to) => to,
        };
        self.keys.set_source(incoming.kind, source);
        let mut line = self.events.audit_row(Action::Rekey, "vault", None, None);
        line.detail = Some(format!("key {} ({})", hex::encode(incoming.id), incoming.kind));
        self.store.note(&Notes { audit: vec![line], ..Notes::default() }).await
    }

    /// Removes the oldest retired keys, unless they still seal something.
    async fn remove_oldest(&self) -> Result<()> {
        let rows = self.store.keys().await?;
        let mut unused = Vec::new();
        'keys: for row in rows.iter().filter(|row| row.state == KeyState::Retired).skip(FORMER_KEYS) {
            for place in SecretColumn::ALL {
                if !self.store.sealed_with(row.key_id, place, None, 1).await?.is_empty() {
                    continue 'keys;
                }
            }
            unused.push(row.key_id);
        }
        self.change_keys(|rows| {
            rows.retain(|row| row.state != KeyState::Retired || !unused.contains(&row.key_id));
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Changes what is stored of the keys, again if another process did so meanwhile. Returns what `change`
    /// returned; nothing is stored for `false`.
    async fn change_keys(
        &self,
        change: impl Fn(&mut Vec<KeyRow>) -> Result<bool> + Send + Sync,
    ) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let former = self.store.keys().await?;
            let mut rows = former.clone();
            if !change(&mut rows)? {
                return Ok(false);
            }
            if rows == former || self.store.set_keys(&former, &rows).await? {
                return Ok(true);
            }
        }
        Err(overtaken())
    }

    /// Another process finished this rekey or gave it up. What this process seals has to open with the key
    /// that is active now.
    async fn lost_to_another(&self, rows: &[KeyRow]) -> Error {
        self.keys.learn(rows).await.err().unwrap_or_else(overtaken)
    }

    /// Names values for people.
    pub(crate) async fn name_sealed(&self, values: &[(SecretColumn, Id, String)]) -> Result<Vec<String>> {
        let mut named = Vec::with_capacity(values.len());
        for (place, id, why) in values {
            let owner = match place {
                SecretColumn::AppSecret | SecretColumn::FormerSecret => {
                    let apps = self.store.apps().await?;
                    apps.into_iter().find(|app| app.id == *id).map(|app| format!("app {:?}", app.name))
                }
                SecretColumn::Access | SecretColumn::Refresh => {
                    let accounts = self.store.accounts_using(*id).await?;
                    accounts.first().map(|row| format!("account {:?}", row.account.name))
                }
            };
            let owner = owner.unwrap_or_else(|| format!("row {id} of table {}", place.table()));
            named.push(format!("{owner}: {why}"));
        }
        Ok(named)
    }
}

/// Returns the keys with the new one active and the former one retired, if these still are incoming and
/// active, and the new one opens the former.
fn switched(incoming: &Incoming, rows: &[KeyRow]) -> Option<Vec<KeyRow>> {
    let find = |id: KeyId, state| rows.iter().position(|row| row.key_id == id && row.state == state);
    let (former, new) = (find(incoming.former, KeyState::Active)?, find(incoming.id, KeyState::Incoming)?);
    rows[former].wrapped.as_ref()?;
    let mut rows = rows.to_vec();
    rows[former].state = KeyState::Retired;
    (rows[new].state, rows[new].wrapped) = (KeyState::Active, None);
    Some(rows)
}

fn overtaken() -> Error {
    Error::local("another process rekeyed this vault at the same time, and finished first")
        .with_hint("The vault has the other process's key. Look with `sesame vault check`; nothing is lost.")
}
