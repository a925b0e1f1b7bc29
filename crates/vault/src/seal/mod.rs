//! Sealing: every secret is encrypted for the one place it belongs to.
//!
//! AES-256-GCM-SIV with a random nonce; the associated data names table, row, column and key, so
//! that a ciphertext copied to another row or column does not open.

mod keyring;
mod master;

use std::{fmt, sync::Arc};

use aes_gcm_siv::{
    Aes256GcmSiv, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use sesame_core::{Clock, Error, Result};
use zeroize::Zeroizing;

pub(crate) use master::unlock;
pub use master::{KeyChoice, KeyKind, MasterKey};

/// The first byte of every sealed value.
const VERSION: u8 = 1;
/// Version, key id, nonce.
const HEAD: usize = 1 + 8 + 12;
/// The authentication tag at the end.
const TAG: usize = 16;

/// The id of a master key; not a secret.
pub type KeyId = [u8; 8];

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

/// Seals and opens values with one master key.
#[derive(Clone)]
pub struct Sealer {
    cipher: Aes256GcmSiv,
    key_id: KeyId,
    clock: Arc<dyn Clock>,
}

impl Sealer {
    /// Prepares a master key.
    pub fn new(key: &MasterKey, key_id: KeyId, clock: Arc<dyn Clock>) -> Self {
        Self { cipher: Aes256GcmSiv::new(key.bytes().into()), key_id, clock }
    }

    /// Seals a value for its place.
    pub fn seal(&self, slot: Slot<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 12];
        self.clock.random(&mut nonce);
        let aad = associated(slot, self.key_id);
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad })
            // RFC 8452 allows 2^36 bytes; secrets here have some hundred.
            .expect("a secret is shorter than 64 GiB");
        let mut out = Vec::with_capacity(HEAD + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&self.key_id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens a value that was sealed for the same place with the same key. The memory is wiped on drop.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the value was changed, belongs to
    /// another place, or was sealed with another key or by a newer version.
    pub fn open(&self, slot: Slot<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
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
            .hint(
                "A newer Sesame wrote it, or it was damaged. Use the newest version. Nothing was changed.",
            ));
        }
        if sealed[1..9] != self.key_id {
            return Err(Error::local(format!(
                "the sealed {column} in table {table} belongs to master key {}, but the vault was opened with {}",
                hex::encode(&sealed[1..9]),
                hex::encode(self.key_id)
            ))
            .hint("Open the vault with the key it was sealed with. Nothing was changed."));
        }
        let nonce: [u8; 12] = sealed[9..HEAD].try_into().unwrap_or_default();
        let aad = associated(slot, self.key_id);
        self.cipher
            .decrypt(&Nonce::from(nonce), Payload { msg: &sealed[HEAD..], aad: &aad })
            .map(Zeroizing::new)
            .map_err(|_| {
                unreadable(format!(
                    "the sealed {column} in table {table} was damaged, or moved here from another row"
                ))
            })
    }
}

/// Opens a sealed text.
pub(crate) fn open_text(sealer: &Sealer, slot: Slot<'_>, sealed: &[u8]) -> Result<String> {
    let plain = sealer.open(slot, sealed)?;
    std::str::from_utf8(&plain)
        .map(str::to_owned)
        .map_err(|_| unreadable(format!("the sealed {} is no text", slot.column)))
}

fn unreadable(message: String) -> Error {
    Error::local(message).hint(
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
        write!(f, "Sealer(key {})", hex::encode(self.key_id))
    }
}
