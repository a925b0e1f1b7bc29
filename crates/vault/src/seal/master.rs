//! The master key: where it comes from, and how the vault knows that it is the right one.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use sesame_core::{AppSecret, Clock, Error, Result};
use zeroize::Zeroizing;

use super::{KeyId, Sealer, Slot, keyring};
use crate::{
    store::{KeyRow, KeyState, TokenStore},
    vault::Notice,
};

/// Where the caller wants the master key to come from.
///
/// It decides for a new vault. A vault that exists remembers its own way: `Auto` follows it, and
/// any other choice has to be the same.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum KeyChoice {
    /// For a new vault: the keyring if one answers within 3 seconds, else a generated key file.
    #[default]
    Auto,
    /// The keyring of the desktop session.
    Keyring,
    /// A generated file of mode 0600 beside the vault.
    File,
    /// A passphrase, stretched with argon2id.
    Passphrase(AppSecret),
    /// 32 bytes in base64 or hex: the value of `SESAME_MASTER_KEY`.
    Environment(AppSecret),
}

/// Where the master key of a vault comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// The keyring of the desktop session.
    Keyring,
    /// A file beside the vault.
    File,
    /// A passphrase.
    Passphrase,
    /// `SESAME_MASTER_KEY`.
    Environment,
}

impl KeyKind {
    /// Returns the word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Passphrase => "passphrase",
            Self::Environment => "environment",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Keyring, Self::File, Self::Passphrase, Self::Environment]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// 32 bytes that seal everything else. Wiped on drop; `Debug` shows nothing of them.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Makes a new key.
    pub fn generate(clock: &dyn Clock) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        clock.random(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Reads 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Reads base64 (with or without padding, either alphabet) or 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() == 64
            && let Ok(bytes) = hex::decode(text).map(Zeroizing::new)
        {
            return Self::from_slice(&bytes);
        }
        let plain = text.trim_end_matches('=');
        let engines = [
            base64::engine::general_purpose::STANDARD_NO_PAD,
            base64::engine::general_purpose::URL_SAFE_NO_PAD,
        ];
        engines.iter().find_map(|engine| Self::from_slice(&Zeroizing::new(engine.decode(plain).ok()?)))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// How a passphrase is stretched; stored, so that it can be raised later.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stretching {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

/// A vault's key, and what is to be said about it.
pub(crate) struct Unlocked {
    pub(crate) sealer: Sealer,
    pub(crate) kind: KeyKind,
    pub(crate) notices: Vec<Notice>,
}

/// Finds the master key of a vault, or makes one for a new vault.
pub(crate) async fn unlock(
    store: &dyn TokenStore,
    choice: &KeyChoice,
    key_file: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Unlocked> {
    let active = store.keys().await?.into_iter().find(|row| row.state == KeyState::Active);
    match active {
        Some(row) => reopen(&row, choice, key_file, clock).await,
        None => create(store, choice, key_file, clock).await,
    }
}

async fn reopen(
    row: &KeyRow,
    choice: &KeyChoice,
    key_file: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Unlocked> {
    let Some(kind) = KeyKind::parse(&row.kind) else {
        return Err(Error::local(format!(
            "the vault takes its master key from {:?}, which this version does not know",
            row.kind
        ))
        .hint("A newer Sesame made this vault. Use that version. Nothing was changed."));
    };
    let key_id = KeyId::try_from(row.key_id.as_slice()).map_err(|_| {
        Error::local("the vault's key id is damaged")
            .hint("Restore the vault from a backup. Nothing was changed.")
    })?;
    let mut notices = Vec::new();
    let key = match (kind, choice) {
        (KeyKind::Keyring, KeyChoice::Auto | KeyChoice::Keyring) => from_keyring(key_id).await?,
        (KeyKind::File, KeyChoice::Auto | KeyChoice::File) => read_key_file(key_file, &mut notices)?,
        (KeyKind::Passphrase, KeyChoice::Passphrase(text)) => stretch(text, &row.params).await?,
        (KeyKind::Environment, KeyChoice::Environment(text)) => from_environment(text)?,
        (KeyKind::Passphrase, _) => {
            return Err(Error::usage("this vault is sealed with a passphrase, and none was given")
                .hint("Set SESAME_PASSPHRASE and repeat the command."));
        }
        (KeyKind::Environment, _) => {
            return Err(Error::usage(
                "this vault is sealed with the key of SESAME_MASTER_KEY, which is not set",
            )
            .hint("Set SESAME_MASTER_KEY to the 32 bytes (base64 or hex) it was made with."));
        }
        (kind, _) => {
            return Err(Error::usage(format!(
                "this vault takes its master key from the {kind}, but another way was asked for"
            ))
            .hint("Unset SESAME_MASTER_KEY and SESAME_PASSPHRASE for this vault. Nothing was changed."));
        }
    };
    let sealer = Sealer::new(&key, key_id, clock.clone());
    let right = sealer.open(check_slot(&key_id), &row.check).is_ok_and(|plain| *plain == CHECK);
    if !right {
        let source = match kind {
            KeyKind::Keyring => "the keyring's entry".to_owned(),
            KeyKind::File => format!("the key in {}", key_file.display()),
            KeyKind::Passphrase => "the passphrase".to_owned(),
            KeyKind::Environment => "SESAME_MASTER_KEY".to_owned(),
        };
        return Err(Error::local(format!("{source} is not the master key of this vault"))
            .hint("Use the key the vault was made with. Nothing was changed or overwritten."));
    }
    Ok(Unlocked { sealer, kind, notices })
}

async fn create(
    store: &dyn TokenStore,
    choice: &KeyChoice,
    key_file: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Unlocked> {
    let mut key_id = KeyId::default();
    clock.random(&mut key_id);
    let mut notices = Vec::new();
    let mut params = String::new();
    let (kind, key) = match choice {
        KeyChoice::Auto => {
            let key = MasterKey::generate(clock.as_ref());
            // Asked only here: the vault remembers, and no later call probes again.
            if keyring_may_exist() && keyring::write(key_id, &key).await.is_ok() {
                (KeyKind::Keyring, key)
            } else {
                (KeyKind::File, new_key_file(key_file, clock.as_ref(), &mut notices)?)
            }
        }
        KeyChoice::Keyring => {
            let key = MasterKey::generate(clock.as_ref());
            keyring::write(key_id, &key).await.map_err(|why| {
                Error::local(format!("the keyring does not take the master key: {why}"))
                    .hint("Unlock the keyring, or let the key live in a file beside the vault.")
            })?;
            (KeyKind::Keyring, key)
        }
        KeyChoice::File => (KeyKind::File, new_key_file(key_file, clock.as_ref(), &mut notices)?),
        KeyChoice::Passphrase(text) => {
            let mut salt = [0; 16];
            clock.random(&mut salt);
            // The second choice of OWASP's password storage sheet: it keeps a CLI call small.
            let stretching = Stretching {
                algorithm: "argon2id-19".to_owned(),
                memory_kib: 19_456,
                passes: 2,
                lanes: 1,
                salt: hex::encode(salt),
            };
            params = serde_json::to_string(&stretching).unwrap_or_default();
            (KeyKind::Passphrase, stretch(text, &params).await?)
        }
        KeyChoice::Environment(text) => (KeyKind::Environment, from_environment(text)?),
    };
    let sealer = Sealer::new(&key, key_id, clock.clone());
    let row = KeyRow {
        key_id: key_id.to_vec(),
        state: KeyState::Active,
        wrapped: None,
        kind: kind.as_str().to_owned(),
        params,
        check: sealer.seal(check_slot(&key_id), CHECK),
        created_at: clock.now().as_millisecond(),
    };
    let stands = store.add_key(row.clone()).await?;
    if stands.key_id == row.key_id {
        return Ok(Unlocked { sealer, kind, notices });
    }
    // Another process made the vault in the same moment: its key stands, ours never sealed anything.
    let mut unlocked = Box::pin(reopen(&stands, choice, key_file, clock)).await?;
    unlocked.notices.extend(notices);
    Ok(unlocked)
}

/// What a right key opens.
const CHECK: &[u8] = b"open, sesame";

fn check_slot(key_id: &KeyId) -> Slot<'_> {
    Slot { table: "master_key", row: key_id, column: "check" }
}

/// Without a session bus there is nobody to ask; this saves a thread and a wait on servers.
fn keyring_may_exist() -> bool {
    cfg!(all(feature = "keyring", target_os = "linux"))
        && std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
}

async fn from_keyring(key_id: KeyId) -> Result<MasterKey> {
    let hint = "Unlock the keyring of this desktop session, or restore it. Nothing was changed.";
    match keyring::read(key_id).await {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(Error::local(format!(
            "the keyring has no entry \"sesame-vault\" for key {}",
            hex::encode(key_id)
        ))
        .hint(hint)),
        Err(why) => Err(Error::local(format!(
            "the vault's master key is in the keyring, which does not give it: {why}"
        ))
        .hint(hint)),
    }
}

fn from_environment(text: &AppSecret) -> Result<MasterKey> {
    MasterKey::parse(text.expose()).ok_or_else(|| {
        Error::usage("SESAME_MASTER_KEY is not 32 bytes in base64 or hex")
            .hint("Make one with `openssl rand -base64 32` and keep it safe: without it the vault cannot be opened.")
    })
}

async fn stretch(passphrase: &AppSecret, params: &str) -> Result<MasterKey> {
    if passphrase.expose().is_empty() {
        return Err(
            Error::usage("the passphrase is empty").hint("Set SESAME_PASSPHRASE to the vault's passphrase.")
        );
    }
    let damaged = || {
        Error::local("the vault's passphrase settings are damaged, or from a newer version")
            .hint("Restore the vault from a backup. Nothing was changed.")
    };
    let stretching: Stretching = serde_json::from_str(params).map_err(|_| damaged())?;
    let salt = hex::decode(&stretching.salt).map_err(|_| damaged())?;
    // A damaged row must not eat the machine's memory: at most 1 GiB and 64 passes.
    if stretching.algorithm != "argon2id-19"
        || stretching.memory_kib > 1 << 20
        || stretching.passes > 64
        || stretching.lanes > 16
    {
        return Err(damaged());
    }
    let passphrase = passphrase.clone();
    let work = move || {
        let params =
            argon2::Params::new(stretching.memory_kib, stretching.passes, stretching.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &salt, key.as_mut_slice())
            .ok()?;
        Some(MasterKey(key))
    };
    tokio::task::spawn_blocking(work).await.ok().flatten().ok_or_else(damaged)
}

/// Reads the key file, and says so when others can read it too.
fn read_key_file(path: &Path, notices: &mut Vec<Notice>) -> Result<MasterKey> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::local(format!("the vault's key file {} is missing", path.display())).hint(
                "Put it back from a backup: without it the vault's secrets cannot be read. If it is lost for good, move the vault file away, add the apps and log in again. Nothing was changed.",
            ));
        }
        Err(error) => {
            return Err(Error::local(format!(
                "the vault's key file {} cannot be read: {error}",
                path.display()
            ))
            .hint("Check who owns it and its mode (0600)."));
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if let Ok(about) = fs::metadata(path)
            && about.permissions().mode() & 0o077 != 0
        {
            notices.push(Notice::new(format!(
                "other users of this machine can read the vault's key file; run: chmod 600 {}",
                path.display()
            )));
        }
    }
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'));
    last.and_then(MasterKey::parse).ok_or_else(|| {
        Error::local(format!("the vault's key file {} holds no key", path.display()))
            .hint("Put it back from a backup. Nothing was changed.")
    })
}

/// Makes the key file unless it is there already. Never seen half-written, never overwritten.
fn new_key_file(path: &Path, clock: &dyn Clock, notices: &mut Vec<Notice>) -> Result<MasterKey> {
    let failed = |error: io::Error| {
        Error::local(format!("the vault's key file {} cannot be written: {error}", path.display())).hint(
            "Check the directory's owner and free space, or set SESAME_HOME to a place that can be written.",
        )
    };
    if path.exists() {
        return read_key_file(path, notices);
    }
    let key = MasterKey::generate(clock);
    let mut suffix = [0; 6];
    clock.random(&mut suffix);
    let draft = PathBuf::from(format!("{}.{}", path.display(), hex::encode(suffix)));
    let text = Zeroizing::new(format!(
        "# The master key of the Sesame vault beside this file. Keep a copy in a safe place.\n{}\n",
        Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(key.bytes())).as_str()
    ));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // A link, unlike a rename, never replaces a key that another process has just made. Where
        // the file system has no links, a new file is as good but for the instant it is written in.
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let mut file = options.open(path)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            }
            linked => linked,
        }
    });
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read_key_file(path, notices),
        Err(error) => return Err(failed(error)),
    }
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        let _ = fs::File::open(parent).and_then(|directory| directory.sync_all());
    }
    notices.push(Notice::new(format!(
        "the vault's master key is in {} (mode 0600): keep a copy, without it the vault cannot be opened",
        path.display()
    )));
    Ok(key)
}
