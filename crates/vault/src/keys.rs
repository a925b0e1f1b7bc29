//! The master keys of an open vault: what a running process does when another one rekeys.
//!
//! A value that names a key this process does not know was sealed after a rekey had begun. Then the
//! rows of the keys are read again: the new key is unwrapped with the one that is known, or read from
//! its place.

use std::sync::{Mutex, PoisonError};

use sesame_core::{Error, Result};

use crate::{
    seal::{KeyId, KeyKind, KeySource, key_of, reopen},
    store::{AppRow, AuthorizationRow, KeyRow},
    vault::Inner,
};

/// How long a key that could not be found is not looked for again, in milliseconds: finding out may
/// cost the stretching of a passphrase.
const REST: i64 = 5_000;

/// Where the keys of this vault come from, and when they were last looked for in vain.
pub(crate) struct Keys {
    place: Mutex<(KeyKind, KeySource)>,
    /// The key that was looked for last, and the time until which it is not looked for again.
    missed: tokio::sync::Mutex<Option<(KeyId, i64)>>,
}

impl Keys {
    pub(crate) fn new(kind: KeyKind, source: KeySource) -> Self {
        Self { place: Mutex::new((kind, source)), missed: tokio::sync::Mutex::default() }
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn source(&self) -> KeySource {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(crate) fn moved(&self, kind: KeyKind, source: KeySource) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = (kind, source);
    }
}

impl Inner {
    /// Makes sure that the tokens of a row, which may be newer than this process's keys, can be opened.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the vault was rekeyed and this process
    /// has no way to the new key.
    pub(crate) async fn know_keys(&self, row: &AuthorizationRow) -> Result<()> {
        self.know([row.tokens.access.as_deref(), row.tokens.refresh.as_deref()]).await
    }

    /// As [`Inner::know_keys`], for the secret of an app.
    pub(crate) async fn know_keys_of_app(&self, row: &AppRow) -> Result<()> {
        self.know([Some(row.secret.as_slice()), None]).await
    }

    async fn know(&self, sealed: [Option<&[u8]>; 2]) -> Result<()> {
        for id in sealed.into_iter().flatten().filter_map(key_of) {
            self.know_key(id).await?;
        }
        Ok(())
    }

    pub(crate) async fn know_key(&self, id: KeyId) -> Result<()> {
        if self.sealer.ring().has(id) {
            return Ok(());
        }
        let mut missed = self.keys.missed.lock().await;
        if self.sealer.ring().has(id) {
            return Ok(());
        }
        let now = self.now();
        if missed.is_some_and(|(known, until)| known == id && now < until) {
            return Err(rekeyed());
        }
        let rows = self.store.keys().await?;
        // A value that names a key the vault never had is damaged: opening it says so.
        if !rows.iter().any(|row| row.key_id == id) {
            return Ok(());
        }
        match self.learn(&rows).await {
            Ok(()) if self.sealer.ring().has(id) => {
                tracing::info!(
                    key = hex::encode(id),
                    "another process rekeys the vault: its key is known now"
                );
                Ok(())
            }
            learned => {
                *missed = Some((id, now.saturating_add(REST)));
                if let Err(error) = learned {
                    tracing::warn!("the vault was rekeyed, and its new key is out of reach: {error}");
                }
                Err(rekeyed())
            }
        }
    }

    /// Takes up what the rows of the keys say now.
    pub(crate) async fn learn(&self, rows: &[KeyRow]) -> Result<()> {
        let source = self.keys.source();
        let unlocked = reopen(rows, &source, &self.sealer.ring()).await?;
        self.sealer.set(unlocked.ring);
        self.keys.moved(unlocked.kind, source);
        Ok(())
    }
}

fn rekeyed() -> Error {
    Error::local("the vault was rekeyed since this program opened it, and its new key is out of reach").with_hint(
        "Restart the program with the new key (SESAME_PASSPHRASE or SESAME_MASTER_KEY). Nothing was changed.",
    )
}
