//! The master key, and the places it may come from.

use std::fmt;

use base64::Engine as _;
use sesame_core::{AppSecret, Clock};
use zeroize::Zeroizing;

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

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares two keys. Only keys that a person gave are compared, with keys of the same person's.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}
