//! Sealing: every secret is encrypted for the one place it belongs to.
//!
//! AES-256-GCM-SIV with a random nonce; the associated data names table, row, column and key, so
//! that a ciphertext copied to another row or column does not open.

pub(crate) mod key_file;
mod keyring;
mod keys;
mod master;
mod passphrase;
mod unlock;

use std::{fmt, sync::Arc};

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use arc_swap::ArcSwap;
use sesame_core::{Clock, Error, Result};
use zeroize::Zeroizing;

pub use crate::store::{KeyId, KeyKind};

pub(crate) use keys::MasterKeys;
pub use master::{KeyChoice, MasterKey};
pub(crate) use passphrase::KdfParams;
pub(crate) use unlock::{
    CHECK, KeySource, Unlocked, active, check_new, check_slot, new_key, reopen, unlock, unwrap, wrapped_slot,
    write_to_keyring,
};

/// The first byte of every sealed value.
const VERSION: u8 = 1;
/// Version, key id, nonce.
const HEAD: usize = 1 + 8 + 12;
/// The authentication tag at the end.
const TAG: usize = 16;

/// The place a sealed value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot<'a> {
    /// The table.
    pub table: &'a str,
    /// The id of the row.
    pub row: &'a [u8],
    /// The column.
    pub column: &'a str,
}

/// A master key, ready to seal.
#[derive(Clone)]
struct ReadyKey {
    id: KeyId,
    key: MasterKey,
    cipher: Aes256GcmSiv,
}

/// The master keys that a vault is opened with. One of them seals; all of them open.
#[derive(Clone, Default)]
pub(crate) struct Ring {
    seals: KeyId,
    keys: Vec<ReadyKey>,
}

impl Ring {
    /// Adds a key; the first one seals.
    pub(crate) fn add(&mut self, id: KeyId, key: &MasterKey) {
        if self.keys.is_empty() {
            self.seals = id;
        }
        if !self.has(id) {
            let cipher = Aes256GcmSiv::new(key.bytes().into());
            self.keys.push(ReadyKey { id, key: key.clone(), cipher });
        }
    }

    /// Lets another key of the ring seal.
    pub(crate) fn seal_with(&mut self, id: KeyId) {
        if self.has(id) {
            self.seals = id;
        }
    }

    pub(crate) fn has(&self, id: KeyId) -> bool {
        self.find(id).is_some()
    }

    pub(crate) fn key(&self, id: KeyId) -> Option<&MasterKey> {
        self.find(id).map(|ready| &ready.key)
    }

    /// Returns `true` if a key is among these, under whatever id.
    pub(crate) fn holds(&self, key: &MasterKey) -> bool {
        self.keys.iter().any(|ready| ready.key.is_same(key))
    }

    fn find(&self, id: KeyId) -> Option<&ReadyKey> {
        self.keys.iter().find(|ready| ready.id == id)
    }

    fn seal(&self, clock: &dyn Clock, id: KeyId, slot: Slot<'_>, plain: &[u8]) -> Option<Vec<u8>> {
        let ready = self.find(id)?;
        let mut nonce = [0; 12];
        clock.random(&mut nonce);
        let aad = associated(slot, id);
        // RFC 8452 allows 2^36 bytes; secrets here have some hundred.
        let sealed = ready.cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad }).ok()?;
        let mut out = Vec::with_capacity(HEAD + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Some(out)
    }

    /// See [`Sealer::open`].
    pub(crate) fn open(&self, slot: Slot<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let table = slot.table;
        let column = slot.column;
        if sealed.len() < HEAD + TAG {
            return Err(unreadable(format!(
                "the sealed {column} in table {table} is cut short ({} bytes)",
                sealed.len()
            )));
        }
        if sealed[0] != VERSION {
            return Err(Error::local(format!(
                "the sealed {column} in table {table} has form {}, which this version does not know",
                sealed[0]
            ))
            .with_hint(
                "A newer Sesame wrote it, or it was damaged. Use the newest version. Nothing was changed.",
            ));
        }
        let id: KeyId = sealed[1..9].try_into().unwrap_or_default();
        let Some(ready) = self.find(id) else {
            return Err(Error::local(format!(
                "the sealed {column} in table {table} belongs to master key {}, but the vault was opened with {}",
                hex::encode(id),
                hex::encode(self.seals)
            ))
            .with_hint("Open the vault with the key it was sealed with. Nothing was changed."));
        };
        let nonce: [u8; 12] = sealed[9..HEAD].try_into().unwrap_or_default();
        let aad = associated(slot, id);
        ready
            .cipher
            .decrypt(&Nonce::from(nonce), Payload { msg: &sealed[HEAD..], aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| {
                unreadable(format!(
                    "the sealed {column} in table {table} was damaged, or moved here from another row"
                ))
            })
    }
}

/// Returns the id of the key that a value names as the one it was sealed with.
pub(crate) fn key_of(sealed: &[u8]) -> Option<KeyId> {
    (sealed.len() >= HEAD + TAG && sealed[0] == VERSION).then(|| sealed[1..9].try_into().ok())?
}

/// Seals values with one master key, and opens those of all keys that the vault knows. Cheap to
/// clone; all clones are one.
#[derive(Clone)]
pub struct Sealer {
    ring: Arc<ArcSwap<Ring>>,
    clock: Arc<dyn Clock>,
}

impl Sealer {
    /// Prepares a master key.
    pub fn new(key: &MasterKey, key_id: KeyId, clock: Arc<dyn Clock>) -> Self {
        let mut ring = Ring::default();
        ring.add(key_id, key);
        Self::of(ring, clock)
    }

    /// Prepares the keys of a vault.
    pub(crate) fn of(ring: Ring, clock: Arc<dyn Clock>) -> Self {
        Self { ring: Arc::new(ArcSwap::from_pointee(ring)), clock }
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.ring.load_full()
    }

    /// Exchanges the keys, in all clones.
    pub(crate) fn set(&self, ring: Ring) {
        self.ring.store(Arc::new(ring));
    }

    /// Seals a value for its place.
    pub fn seal(&self, slot: Slot<'_>, plain: &[u8]) -> Vec<u8> {
        let ring = self.ring.load();
        ring.seal(self.clock.as_ref(), ring.seals, slot, plain)
            .expect("a ring has the key it seals with, and a secret is shorter than 64 GiB")
    }

    /// Seals a value with a key that is not the one that seals.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a key that is not known.
    pub(crate) fn seal_as(&self, id: KeyId, slot: Slot<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        self.ring.load().seal(self.clock.as_ref(), id, slot, plain).ok_or_else(|| {
            Error::local(format!("the vault was not opened with master key {}", hex::encode(id)))
        })
    }

    /// Opens a value that was sealed for the same place with a key that is known. The memory is wiped
    /// on drop.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the value was changed, belongs to
    /// another place, or was sealed with another key or by a newer version.
    pub fn open(&self, slot: Slot<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.ring.load().open(slot, sealed)
    }
}

/// Opens a sealed text.
pub(crate) fn open_text(sealer: &Sealer, slot: Slot<'_>, sealed: &[u8]) -> Result<String> {
    let plain = sealer.open(slot, sealed)?;
    std::str::from_utf8(&plain)
        .map(str::to_owned)
        .map_err(|_| unreadable(format!("the sealed {} is not UTF-8 text", slot.column)))
}

fn unreadable(message: String) -> Error {
    Error::local(message).with_hint(
        "Nothing was changed. Restore the vault from a backup, or remove this account or app and log in again.",
    )
}

/// Joins the parts with their lengths, so that no two places give the same bytes.
fn associated(slot: Slot<'_>, key_id: KeyId) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    for part in
        [b"sesame-seal-1".as_slice(), slot.table.as_bytes(), slot.row, slot.column.as_bytes(), &key_id]
    {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(key {})", hex::encode(self.ring.load().seals))
    }
}
