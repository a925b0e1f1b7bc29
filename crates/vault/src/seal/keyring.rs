//! The keyring of the desktop session, if one answers in time.
//!
//! Only stores that outlive a reboot are used: never the kernel's keyring, which forgets.

use sesame_core::Result;

use super::{KeyId, MasterKey};

/// Why a keyring gave nothing, for the notice to people.
pub(super) type Unanswered = String;

/// Reads the key of that id. `Ok(None)`: the keyring answers and does not know it.
pub(super) async fn read(key_id: KeyId) -> Result<Option<MasterKey>, Unanswered> {
    within_limit(move || backend::read(&hex::encode(key_id))).await
}

/// Keeps a key under its id.
pub(super) async fn write(key_id: KeyId, key: &MasterKey) -> Result<(), Unanswered> {
    let key = key.clone();
    within_limit(move || backend::write(&hex::encode(key_id), &key)).await
}

/// Runs a call on its own thread and waits 3 seconds at most: a locked keyring may wait for a
/// person, and a broken message bus may never answer.
async fn within_limit<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Unanswered> + Send + 'static,
) -> Result<T, Unanswered> {
    let (done, answer) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new().name("sesame-keyring".to_owned()).spawn(move || {
        let _ = done.send(call());
    });
    if let Err(error) = started {
        return Err(format!("no thread could be started: {error}"));
    }
    match tokio::time::timeout(std::time::Duration::from_secs(3), answer).await {
        Ok(answer) => answer.unwrap_or_else(|_| Err("it failed without an answer".to_owned())),
        Err(_) => Err("no answer within 3 seconds".to_owned()),
    }
}

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
mod backend {
    use super::{MasterKey, Unanswered};

    const ABSENT: &str = "this build of Sesame has no keyring support";

    pub(super) fn read(_user: &str) -> Result<Option<MasterKey>, Unanswered> {
        Err(ABSENT.to_owned())
    }

    pub(super) fn write(_user: &str, _key: &MasterKey) -> Result<(), Unanswered> {
        Err(ABSENT.to_owned())
    }
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
mod backend {
    use std::{collections::HashMap, sync::Arc};

    use keyring_core::{CredentialStore, Entry, Error};

    use super::{MasterKey, Unanswered};

    const SERVICE: &str = "sesame-vault";

    fn entry(user: &str) -> Result<Entry, Unanswered> {
        let store: Arc<CredentialStore> =
            zbus_secret_service_keyring_store::Store::new().map_err(|error| error.to_string())?;
        store.build(SERVICE, user, Some(&HashMap::new())).map_err(|error| error.to_string())
    }

    pub(super) fn read(user: &str) -> Result<Option<MasterKey>, Unanswered> {
        match entry(user)?.get_secret() {
            Ok(bytes) => MasterKey::from_slice(&bytes)
                .map(Some)
                .ok_or_else(|| "it holds no key of 32 bytes".to_owned()),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn write(user: &str, key: &MasterKey) -> Result<(), Unanswered> {
        entry(user)?.set_secret(key.bytes()).map_err(|error| error.to_string())
    }
}
