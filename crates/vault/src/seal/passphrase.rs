//! A passphrase becomes a key by argon2id.

use serde::{Deserialize, Serialize};
use sesame_core::{AppSecret, Clock, Error, Result};
use zeroize::Zeroizing;

use super::MasterKey;

/// The fewest characters of a new passphrase.
const SHORTEST: usize = 8;

/// How a passphrase is stretched; stored, so that it can be raised later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KdfParams {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

impl KdfParams {
    /// For a vault that is opened by each command: the second choice of OWASP's password storage
    /// sheet, which keeps a command small.
    pub(crate) fn of_a_vault(clock: &dyn Clock) -> Self {
        let mut salt = [0; 16];
        clock.random(&mut salt);
        Self {
            algorithm: "argon2id-19".to_owned(),
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            salt: hex::encode(salt),
        }
    }

    /// Makes the key. Takes some tens of milliseconds, beside the runtime.
    ///
    /// Nothing for settings that this version does not know, and for those that would eat the machine:
    /// at most 1 GiB, 64 passes, 16 lanes, a salt of 8 to 64 bytes.
    async fn stretch(&self, passphrase: &AppSecret) -> Option<MasterKey> {
        let salt = hex::decode(&self.salt).ok()?;
        if self.algorithm != "argon2id-19"
            || self.memory_kib > 1 << 20
            || self.passes > 64
            || self.lanes > 16
            || !(8..=64).contains(&salt.len())
        {
            return None;
        }
        let params = argon2::Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok()?;
        let passphrase = passphrase.clone();
        let work = move || {
            let mut key = Zeroizing::new([0; 32]);
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
                .hash_password_into(passphrase.expose().as_bytes(), &salt, key.as_mut_slice())
                .ok()?;
            MasterKey::from_slice(key.as_slice())
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }
}

/// Refuses a new passphrase that is soon guessed.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) below 8 characters.
pub(crate) fn long_enough(passphrase: &AppSecret) -> Result<()> {
    if passphrase.expose().chars().count() >= SHORTEST {
        return Ok(());
    }
    Err(Error::usage(format!("the passphrase has fewer than {SHORTEST} characters"))
        .with_hint("Choose a longer one: whoever has the file can try passphrases for as long as they like."))
}

/// Makes the key of a vault from its passphrase and its stored settings.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an empty passphrase,
/// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for settings that cannot be read.
pub(super) async fn stretch(passphrase: &AppSecret, params: &str) -> Result<MasterKey> {
    if passphrase.expose().is_empty() {
        return Err(Error::usage("the passphrase is empty")
            .with_hint("Set SESAME_PASSPHRASE to the vault's passphrase."));
    }
    let damaged = || {
        Error::local("the vault's passphrase settings are damaged, or from a newer version")
            .with_hint("Restore the vault from a backup. Nothing was changed.")
    };
    let stretching: KdfParams = serde_json::from_str(params).map_err(|_| damaged())?;
    stretching.stretch(passphrase).await.ok_or_else(damaged)
}
