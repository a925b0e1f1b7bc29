//! How a vault finds its master keys when it is opened, and again when it was rekeyed meanwhile.
//!
//! The source (file, keyring, passphrase, environment) gives one key. Which row it belongs to is
//! tried; from there the others are unwrapped: each row may hold its key sealed with another one. An
//! incoming key is sealed with the active one until it takes over, a retired one with its successors,
//! so that whatever instant a rekey was cut off at, the former source or the new one opens all.

use std::{path::PathBuf, sync::Arc};

use sesame_core::{AppSecret, Clock, Error, Result};

use super::{
    KdfParams, KeyChoice, KeyId, KeyKind, MasterKey, Ring, Sealer, Slot, key_file, keyring,
    passphrase::{long_enough, stretch},
};
use crate::{
    model::Warning,
    store::{KeyRow, KeyState, KeyStore},
};

/// Where this process takes the master key from.
#[derive(Debug, Clone)]
pub(crate) struct KeySource {
    pub(crate) choice: KeyChoice,
    pub(crate) key_file: PathBuf,
}

/// A vault's keys, and what is to be said about them.
pub(crate) struct Unlocked {
    pub(crate) ring: Ring,
    pub(crate) kind: KeyKind,
    pub(crate) warnings: Vec<Warning>,
}

/// How many retired keys are tried, to say that the vault was rekeyed since. Each may cost a stretching.
const RETIRED_TRIED: usize = 4;

/// What a right key opens.
pub(crate) const CHECK: &[u8] = b"open, sesame";

pub(crate) fn check_slot(key_id: &KeyId) -> Slot<'_> {
    Slot { table: "master_key", row: key_id, column: "check" }
}

pub(crate) fn wrapped_slot(key_id: &KeyId) -> Slot<'_> {
    Slot { table: "master_key", row: key_id, column: "wrapped" }
}

/// Finds the master keys of a vault, or makes one for a new vault.
pub(crate) async fn unlock(
    store: &dyn KeyStore,
    source: &KeySource,
    clock: &Arc<dyn Clock>,
) -> Result<Unlocked> {
    key_file::sweep(&source.key_file);
    let rows = store.keys().await?;
    if rows.is_empty() {
        create(store, source, clock).await
    } else {
        reopen(&rows, source, &Ring::default()).await
    }
}

/// Finds the keys of rows, from those that are known already or else from the source.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when neither leads to the active key,
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the source gives none. Nothing is changed.
pub(crate) async fn reopen(rows: &[KeyRow], source: &KeySource, known: &Ring) -> Result<Unlocked> {
    let active = active(rows)?;
    let mut ring = known.clone();
    let mut warnings = Vec::new();
    unwrap(&mut ring, rows);
    if !ring.has(active.key_id) {
        let (row, key) = ask_source(rows, source, &mut warnings).await?;
        ring.add(row.key_id, &key);
        unwrap(&mut ring, rows);
        if !ring.has(active.key_id) {
            return Err(leads_nowhere(row, active.kind, source));
        }
    }
    ring.seal_with(active.key_id);
    // While a rekey is under way, both keys lead to what is sealed now, and afterwards only the new one
    // will be a secret.
    if let Some(incoming) = rows.iter().find(|row| row.state == KeyState::Incoming) {
        ring.seal_with(incoming.key_id);
    }
    Ok(Unlocked { ring, kind: active.kind, warnings })
}

/// Returns the active key.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) if there is none.
pub(crate) fn active(rows: &[KeyRow]) -> Result<&KeyRow> {
    rows.iter().find(|row| row.state == KeyState::Active).ok_or_else(|| {
        Error::local("the vault has no active master key: its table of keys is damaged")
            .with_hint("Restore the vault from a backup. Nothing was changed.")
    })
}

/// Opens every key that a known one opens, and those that these open.
pub(crate) fn unwrap(ring: &mut Ring, rows: &[KeyRow]) {
    let mut found = true;
    while found {
        found = false;
        for row in rows {
            let id = row.key_id;
            let Some(wrapped) = row.wrapped.as_ref().filter(|_| !ring.has(id)) else { continue };
            let key =
                ring.open(wrapped_slot(&id), wrapped).ok().and_then(|bytes| MasterKey::from_slice(&bytes));
            if let Some(key) = key.filter(|key| opens(row, key)) {
                ring.add(id, &key);
                found = true;
            }
        }
    }
}

/// Returns `true` if a key is the one of a row.
fn opens(row: &KeyRow, key: &MasterKey) -> bool {
    let mut ring = Ring::default();
    ring.add(row.key_id, key);
    ring.open(check_slot(&row.key_id), &row.check).is_ok_and(|plain| *plain == CHECK)
}

/// Asks the source for a key, and finds the row it belongs to.
async fn ask_source<'a>(
    rows: &'a [KeyRow],
    source: &KeySource,
    warnings: &mut Vec<Warning>,
) -> Result<(&'a KeyRow, MasterKey)> {
    let mut first_error = None;
    let mut from_file = None;
    let mut asked = false;
    let retired = rows.iter().filter(|row| row.state == KeyState::Retired).take(RETIRED_TRIED);
    for row in rows.iter().filter(|row| row.state != KeyState::Retired).chain(retired) {
        let key = match (row.kind, &source.choice) {
            (KeyKind::Keyring, KeyChoice::Auto | KeyChoice::Keyring) => from_keyring(row.key_id).await,
            (KeyKind::File, KeyChoice::Auto | KeyChoice::File) => match &from_file {
                Some(key) => Ok(MasterKey::clone(key)),
                None => {
                    key_file::read(&source.key_file, warnings).inspect(|key| from_file = Some(key.clone()))
                }
            },
            (KeyKind::Passphrase, KeyChoice::Passphrase(text)) => stretch(text, &row.params).await,
            (KeyKind::Environment, KeyChoice::Environment(text)) => {
                from_environment(text, "SESAME_MASTER_KEY")
            }
            _ => continue,
        };
        asked |= row.state != KeyState::Retired;
        match key {
            Ok(key) if opens(row, &key) => return Ok((row, key)),
            Ok(_) => {}
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    let kind = rows.first().map_or(KeyKind::File, |row| row.kind);
    Err(match first_error {
        Some(error) if asked => error,
        _ if asked => wrong_key(kind, source),
        _ => not_given(kind),
    })
}

fn not_given(kind: KeyKind) -> Error {
    match kind {
        KeyKind::Passphrase => Error::usage("this vault is sealed with a passphrase, and none was given")
            .with_hint("Set SESAME_PASSPHRASE and repeat the command."),
        KeyKind::Environment => {
            Error::usage("this vault is sealed with the key of SESAME_MASTER_KEY, which is not set")
                .with_hint("Set SESAME_MASTER_KEY to the 32 bytes (base64 or hex) it was made with.")
        }
        kind => Error::usage(format!(
            "this vault takes its master key from the {kind}, but another way was asked for"
        ))
        .with_hint("Unset SESAME_MASTER_KEY and SESAME_PASSPHRASE for this vault. Nothing was changed."),
    }
}

fn named(kind: KeyKind, source: &KeySource) -> String {
    match kind {
        KeyKind::Keyring => "the keyring's entry".to_owned(),
        KeyKind::File => format!("the key in {}", source.key_file.display()),
        KeyKind::Passphrase => "the passphrase".to_owned(),
        KeyKind::Environment => "SESAME_MASTER_KEY".to_owned(),
    }
}

fn wrong_key(kind: KeyKind, source: &KeySource) -> Error {
    let what = format!("{} is not the master key of this vault", named(kind, source));
    let error = match kind {
        KeyKind::Passphrase | KeyKind::Environment => Error::usage(what),
        KeyKind::File | KeyKind::Keyring => Error::local(what),
    };
    error.with_hint("Use the key that the vault was made with, or the one of its last rekey. Nothing was changed or overwritten.")
}

/// The source's key belongs to a row from which no other key opens the active one.
fn leads_nowhere(row: &KeyRow, active: KeyKind, source: &KeySource) -> Error {
    let name = named(row.kind, source);
    match row.state {
        KeyState::Incoming => Error::local(format!(
            "{name} is the key that this vault is being rekeyed to, and the rekey was interrupted before that key opens it"
        ))
        .with_hint("Open the vault with its former key, and run `sesame vault rekey` once more. Nothing was changed."),
        _ => Error::local(format!(
            "{name} is a former master key of this vault, which was rekeyed since (its key comes from the {active} now)"
        ))
        .with_hint(format!(
            "{} A former key opens only copies of the vault from before the rekey. Nothing was changed.",
            match active {
                KeyKind::Passphrase => "Set SESAME_PASSPHRASE to the new passphrase.",
                KeyKind::Environment => "Set SESAME_MASTER_KEY to the new key.",
                KeyKind::File | KeyKind::Keyring => "Use the new key.",
            }
        )),
    }
}

/// Makes a key of the chosen kind, with its kind and its settings. It is not
/// put anywhere yet.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the choice holds no key.
pub(crate) async fn new_key(choice: &KeyChoice, clock: &dyn Clock) -> Result<(KeyKind, MasterKey, String)> {
    Ok(match choice {
        KeyChoice::Keyring => (KeyKind::Keyring, MasterKey::generate(clock), String::new()),
        KeyChoice::Auto | KeyChoice::File => (KeyKind::File, MasterKey::generate(clock), String::new()),
        KeyChoice::Passphrase(text) => {
            long_enough(text)?;
            let params = serde_json::to_string(&KdfParams::of_a_vault(clock)).unwrap_or_default();
            (KeyKind::Passphrase, stretch(text, &params).await?, params)
        }
        KeyChoice::Environment(text) => {
            (KeyKind::Environment, from_environment(text, "the new key")?, String::new())
        }
    })
}

/// Writes a key to the keyring, and reads it back.
///
/// # Errors
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the keyring does not take it.
pub(crate) async fn write_to_keyring(id: KeyId, key: &MasterKey) -> Result<()> {
    let failed = |why: String| {
        Error::local(format!("the keyring does not take the master key: {why}"))
            .with_hint("Unlock the keyring and repeat the command, or choose another place for the key.")
    };
    keyring::write(id, key).await.map_err(failed)?;
    match keyring::read(id).await.map_err(failed)? {
        Some(read) if read.is_same(key) => Ok(()),
        _ => Err(failed("it does not return what was written".to_owned())),
    }
}

/// Finds what cannot be right in the key of a new vault, before there is anything of it.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage).
pub(crate) fn check_new(choice: &KeyChoice) -> Result<()> {
    match choice {
        KeyChoice::Environment(text) => from_environment(text, "SESAME_MASTER_KEY").map(drop),
        KeyChoice::Passphrase(passphrase) => long_enough(passphrase),
        KeyChoice::Auto | KeyChoice::Keyring | KeyChoice::File => Ok(()),
    }
}

async fn create(store: &dyn KeyStore, source: &KeySource, clock: &Arc<dyn Clock>) -> Result<Unlocked> {
    check_new(&source.choice)?;
    let mut key_id = KeyId::default();
    clock.random(&mut key_id);
    let mut warnings = Vec::new();
    let (mut kind, mut key, params) = new_key(&source.choice, clock.as_ref()).await?;
    let is_auto = matches!(source.choice, KeyChoice::Auto);
    // Asked only here: the vault remembers, and no later call probes again.
    if is_auto && keyring_may_exist() && keyring::write(key_id, &key).await.is_ok() {
        kind = KeyKind::Keyring;
        warnings.push(Warning::new(
            "the vault's master key is in the keyring of this desktop session; cron, ssh and services do not reach it: `sesame vault rekey --to file` moves it into a file",
        ));
    } else if kind == KeyKind::Keyring {
        write_to_keyring(key_id, &key).await?;
    } else if kind == KeyKind::File {
        key = key_file::make(&source.key_file, key, &mut warnings).await?;
    }
    let sealer = Sealer::new(&key, key_id, clock.clone());
    let row = KeyRow {
        key_id,
        state: KeyState::Active,
        wrapped: None,
        kind,
        params,
        check: sealer.seal(check_slot(&key_id), CHECK),
        created_at: clock.now().as_millisecond(),
    };
    if store.set_keys(&[], &[row]).await? {
        return Ok(Unlocked { ring: Ring::clone(&sealer.ring()), kind, warnings });
    }
    // Another process made the vault in the same moment: its key counts, ours never sealed anything.
    let mut unlocked = reopen(&store.keys().await?, source, &Ring::default()).await?;
    unlocked.warnings.extend(warnings);
    Ok(unlocked)
}

/// Without a session bus there is no keyring; this saves a thread and a wait on servers.
fn keyring_may_exist() -> bool {
    cfg!(all(feature = "keyring", target_os = "linux"))
        && std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
}

async fn from_keyring(key_id: KeyId) -> Result<MasterKey> {
    let hint = "Unlock the keyring of the desktop session, or restore it. For cron, ssh and services run \
                `sesame vault rekey --to file` in that session once. Nothing was changed.";
    match keyring::read(key_id).await {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(Error::local(format!(
            "the keyring has no entry \"sesame-vault\" for key {}",
            hex::encode(key_id)
        ))
        .with_hint(hint)),
        Err(why) => Err(Error::local(format!(
            "the vault's master key is in the keyring, which does not give it: {why}"
        ))
        .with_hint(hint)),
    }
}

fn from_environment(text: &AppSecret, what: &str) -> Result<MasterKey> {
    MasterKey::parse(text.expose()).ok_or_else(|| {
        Error::usage(format!("{what} is not 32 bytes in base64 or hex"))
            .with_hint("Make one with `openssl rand -base64 32` and keep it safe: without it the vault cannot be opened.")
    })
}
