//! The apps of a vault: added, found by name, opened once per process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use sesame_catalog::{Catalog, Endpoint, Platform, Urls};
use sesame_core::{Clock, Error, Result};

use super::app::{self, App, AppState, NewApp};
use crate::{
    events::{Action, Events},
    model::{Id, lock, name},
    seal::{MasterKeys, open_text},
    store::{AppRow, NewRows, Notes, Sealed, SealedPlace, Store},
};

/// How often another name is chosen when other processes take them.
const NAME_ATTEMPTS: u32 = 8;

/// The apps of a vault.
pub(crate) struct Apps {
    store: Arc<dyn Store>,
    keys: Arc<MasterKeys>,
    events: Events,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    endpoint: Option<Endpoint>,
    platforms: Mutex<HashMap<String, Arc<Platform>>>,
    opened: Mutex<HashMap<Id, Arc<AppState>>>,
}

impl Apps {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        keys: Arc<MasterKeys>,
        events: Events,
        clock: Arc<dyn Clock>,
        catalog: Arc<Catalog>,
        endpoint: Option<Endpoint>,
    ) -> Self {
        let (platforms, opened) = (Mutex::default(), Mutex::default());
        Self { store, keys, events, clock, catalog, endpoint, platforms, opened }
    }

    /// Returns the sandbox that stands for all platforms, if one does.
    pub(crate) const fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Returns a platform, copied out of the catalog once.
    pub(crate) fn platform(&self, name: &str) -> Result<Arc<Platform>> {
        if let Some(platform) = lock(&self.platforms).get(name) {
            return Ok(platform.clone());
        }
        let platform = Arc::new(self.catalog.platform(name)?.clone());
        lock(&self.platforms).insert(name.to_owned(), platform.clone());
        Ok(platform)
    }

    /// Returns the base URLs of an app in a region.
    pub(crate) fn urls(&self, app: &AppState, region: Option<&str>) -> Result<Urls> {
        app.platform.urls(region, self.endpoint.as_ref())
    }

    /// Returns all apps, oldest first.
    pub(crate) async fn list(&self) -> Result<Vec<AppRow>> {
        self.store.apps().await
    }

    /// Returns an app by name. The error for an unknown one names the apps there are.
    pub(crate) async fn row(&self, name: &str) -> Result<AppRow> {
        if let Some(row) = self.store.app(name).await? {
            return Ok(row);
        }
        let names: Vec<String> = self.store.apps().await?.into_iter().map(|app| app.name).collect();
        let error = Error::usage(format!("there is no app called {name:?}"));
        Err(if names.is_empty() {
            error.with_hint("Add one with `sesame app add PLATFORM --key KEY --secret-stdin`.")
        } else {
            error.with_hint(name::known(name, names))
        })
    }

    /// Adds an app under a free name.
    pub(crate) async fn add(&self, new: &NewApp) -> Result<App> {
        // Two processes may choose the same name at once: one wins, the other chooses again.
        for _ in 0..NAME_ATTEMPTS {
            let rows = NewRows { apps: vec![self.new_row(new).await?], ..NewRows::default() };
            if self.store.add(&rows, &Notes::default()).await? {
                return Ok(App::of(&rows.apps[0]));
            }
        }
        Err(no_free_name())
    }

    /// Checks a new app, and seals its secret for a row under a free name.
    pub(crate) async fn new_row(&self, new: &NewApp) -> Result<AppRow> {
        let platform = self.platform(&new.platform)?;
        platform.urls(new.region.as_deref(), self.endpoint.as_ref())?;
        app::check(new)?;
        let id = Id::new(self.clock.as_ref());
        Ok(AppRow {
            id,
            name: app::choose_name(new, &platform.name, &self.store.apps().await?)?,
            platform: platform.name.clone(),
            region: new.region.clone(),
            app_key: new.key.clone(),
            secret: self.keys.sealer().seal(app::secret_slot(&id), new.secret.expose().as_bytes()),
            redirect_uri: new.redirect_uri.clone().unwrap_or_else(|| app::DEFAULT_REDIRECT_URI.to_owned()),
            sandbox: self.endpoint.as_ref().map(ToString::to_string),
            secret_origin: new.secret_origin.clone(),
            created_at: self.clock.now().as_millisecond(),
        })
    }

    /// Finds the apps of a key: of the same platform and environment, and with the name, redirect URI and
    /// region of `new` where it has them. Oldest first.
    pub(crate) async fn of_key(&self, new: &NewApp) -> Result<Vec<AppRow>> {
        let platform = self.platform(&new.platform)?;
        app::check(new)?;
        let environment = self.endpoint.as_ref().map(ToString::to_string);
        let fits =
            |chosen: &Option<String>, actual: Option<&str>| chosen.is_none() || chosen.as_deref() == actual;
        let is_same = |row: &AppRow| {
            row.platform == platform.name
                && row.app_key == new.key
                && row.sandbox == environment
                && fits(&new.name, Some(&row.name))
                && fits(&new.redirect_uri, Some(&row.redirect_uri))
                && fits(&new.region, row.region.as_deref())
        };
        Ok(self.store.apps().await?.into_iter().filter(is_same).collect())
    }

    /// Replaces the secret of the apps of a key. Returns them, each with whether it was another one.
    pub(crate) async fn renew_secret(&self, new: &NewApp) -> Result<Vec<(App, bool)>> {
        let mut renewed = Vec::new();
        for row in self.of_key(new).await? {
            let replaced = self.replace_secret(&row, new).await;
            if let Err(error) = &replaced {
                self.events.record_failure(Action::Secret, &row.name, None, error).await;
            }
            renewed.push((App::of(&row), replaced?));
        }
        Ok(renewed)
    }

    /// Replaces the secret of an app unless it is this one; one that does not open is replaced, too.
    async fn replace_secret(&self, row: &AppRow, new: &NewApp) -> Result<bool> {
        let slot = app::secret_slot(&row.id);
        let known = match self.keys.ensure_app(row).await {
            Ok(()) => open_text(self.keys.sealer(), slot, &row.secret).ok(),
            Err(_) => None,
        };
        if known.is_some_and(|known| known == new.secret.expose()) {
            return Ok(false);
        }
        let former = Sealed { place: SealedPlace::AppSecret, id: row.id, bytes: row.secret.clone() };
        let sealed = self.keys.sealer().seal(slot, new.secret.expose().as_bytes());
        let origin = new.secret_origin.as_deref();
        let mut line = self.events.audit_row(Action::Secret, &row.name, None, None);
        line.detail =
            Some(origin.map_or_else(|| "replaced".to_owned(), |from| format!("replaced, from {from}")));
        let notes = Notes { audit: vec![line], ..Notes::default() };
        if !self.store.replace_secret(&former, &sealed, origin, &notes).await? {
            return Err(Error::local(format!("another program is changing app {:?}", row.name))
                .with_hint("Repeat the command."));
        }
        lock(&self.opened).remove(&row.id);
        Ok(true)
    }

    /// Returns an app that this process has opened before.
    pub(crate) fn opened(&self, id: &Id) -> Option<Arc<AppState>> {
        lock(&self.opened).get(id).cloned()
    }

    /// Opens an app's secret, whichever key of the vault sealed it; once per process and secret.
    pub(crate) async fn open(&self, row: &AppRow) -> Result<Arc<AppState>> {
        self.keys.ensure_app(row).await?;
        self.state(row)
    }

    /// As [`Apps::open`], with the keys that are known.
    pub(crate) fn state(&self, row: &AppRow) -> Result<Arc<AppState>> {
        let known = lock(&self.opened).get(&row.id).cloned();
        if let Some(app) = known.filter(|app| app.is_of(row, self.keys.sealer())) {
            return Ok(app);
        }
        let app = Arc::new(AppState::open(row, self.platform(&row.platform)?, self.keys.sealer())?);
        lock(&self.opened).insert(row.id, app.clone());
        Ok(app)
    }

    /// Returns `true` if an app's secret still is the row's. One whose key this process cannot reach is
    /// taken for the same: calls go on with what is known.
    pub(crate) async fn is_current(&self, app: &AppState, row: &AppRow) -> bool {
        self.keys.ensure_app(row).await.is_err() || app.is_of(row, self.keys.sealer())
    }

    /// Keeps sandbox accounts and real ones apart: neither's tokens ever reach the other's gateway.
    pub(crate) fn ensure_environment(&self, what: &str, name: &str, sandbox: Option<&str>) -> Result<()> {
        match (sandbox, &self.endpoint) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            (Some(made_at), None) => Err(Error::usage(format!(
                "{what} {name:?} belongs to a sandbox ({made_at}) and is never used against real platforms"
            ))
            .with_hint(
                "Set SESAME_ENDPOINT to the address of a running sandbox, or use an account of a real shop.",
            )),
            (None, Some(endpoint)) => Err(Error::usage(format!(
                "{what} {name:?} belongs to a real platform and is never used against the sandbox {endpoint}"
            ))
            .with_hint(
                "Unset SESAME_ENDPOINT to reach the real platform, or use an account made against a sandbox.",
            )),
        }
    }
}

pub(crate) fn no_free_name() -> Error {
    Error::local("other programs keep adding apps of this platform").with_hint("Give this one a --name.")
}
