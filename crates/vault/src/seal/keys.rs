//! The master keys of an open vault, also after another process has rekeyed it.
//!
//! A value that names a key this process does not know was sealed after a rekey had begun. Then the
//! rows of the keys are read again: the new key is unwrapped with a known one, or read from its place.

use std::sync::{Arc, Mutex};

use sesame_core::{Clock, Error, Result};

use super::{KeyId, KeyKind, KeySource, Sealer, Unlocked, active, key_of, reopen};
use crate::{
    model::lock,
    store::{AuthorizationRow, KeyRow, KeyStore},
};

/// How long a key that could not be found is not looked for again, in milliseconds: deriving a key
/// from a passphrase is slow on purpose.
const RETRY_AFTER: i64 = 5_000;

/// The keys that this process has opened a vault with, and the way to newer ones.
pub(crate) struct MasterKeys {
    store: Arc<dyn KeyStore>,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    source: Mutex<(KeyKind, KeySource)>,
    /// The key that was last looked for in vain, and the time until which it is not looked for again.
    missed: tokio::sync::Mutex<Option<(KeyId, i64)>>,
}

impl MasterKeys {
    pub(crate) fn new(
        store: Arc<dyn KeyStore>,
        unlocked: Unlocked,
        source: KeySource,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let sealer = Sealer::of(unlocked.ring, clock.clone());
        Self { store, sealer, clock, source: Mutex::new((unlocked.kind, source)), missed: <_>::default() }
    }

    pub(crate) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Returns where the active key comes from.
    pub(crate) fn kind(&self) -> KeyKind {
        lock(&self.source).0
    }

    pub(crate) fn source(&self) -> KeySource {
        lock(&self.source).1.clone()
    }

    pub(crate) fn set_source(&self, kind: KeyKind, source: KeySource) {
        *lock(&self.source) = (kind, source);
    }

    /// Makes sure that the tokens of a row can be opened.
    ///
    /// # Errors
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when the vault was rekeyed and this process
    /// cannot reach the new key.
    pub(crate) async fn ensure_tokens(&self, row: &AuthorizationRow) -> Result<()> {
        let sealed = [row.tokens.access.as_deref(), row.tokens.refresh.as_deref()];
        for id in sealed.into_iter().flatten().filter_map(key_of) {
            self.ensure(id).await?;
        }
        Ok(())
    }

    /// Makes sure that a sealed value can be opened.
    ///
    /// # Errors
    /// As [`MasterKeys::ensure_tokens`].
    pub(crate) async fn ensure_value(&self, sealed: &[u8]) -> Result<()> {
        match key_of(sealed) {
            Some(id) => self.ensure(id).await,
            None => Ok(()),
        }
    }

    /// Makes sure that what is sealed now can be opened, also when another process has rekeyed the vault.
    ///
    /// # Errors
    /// As [`MasterKeys::ensure_tokens`].
    pub(crate) async fn ensure_current(&self) -> Result<()> {
        self.ensure(active(&self.store.keys().await?)?.key_id).await
    }

    /// Makes sure that a key is known, if the vault has one of that id.
    ///
    /// # Errors
    /// As [`MasterKeys::ensure_tokens`].
    pub(crate) async fn ensure(&self, id: KeyId) -> Result<()> {
        if self.sealer.ring().has(id) {
            return Ok(());
        }
        let mut missed = self.missed.lock().await;
        if self.sealer.ring().has(id) {
            return Ok(());
        }
        let now = self.clock.now().as_millisecond();
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
                    "another process rekeyed the vault; its key is known now"
                );
                Ok(())
            }
            learned => {
                *missed = Some((id, now.saturating_add(RETRY_AFTER)));
                if let Err(error) = learned {
                    tracing::warn!("the vault was rekeyed, and its new key cannot be reached: {error}");
                }
                Err(rekeyed())
            }
        }
    }

    /// Opens the keys of rows that are new.
    ///
    /// # Errors
    /// As [`reopen`].
    pub(crate) async fn learn(&self, rows: &[KeyRow]) -> Result<()> {
        let source = self.source();
        let unlocked = reopen(rows, &source, &self.sealer.ring()).await?;
        self.sealer.set(unlocked.ring);
        self.set_source(unlocked.kind, source);
        Ok(())
    }
}

fn rekeyed() -> Error {
    Error::local("the vault was rekeyed since this program opened it, and its new key cannot be reached").with_hint(
        "Restart the program with the new key (SESAME_PASSPHRASE or SESAME_MASTER_KEY). Nothing was changed.",
    )
}
