//! The apps of a vault: added, found by name, opened once per process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use sesame_catalog::{Catalog, Environment, Platform, Urls};
use sesame_core::{Clock, Error, Result, command_line::quote};
use zeroize::Zeroizing;

use super::app::{self, App, AppEdit, AppState, NewApp};
use crate::{
    events::{Action, Events},
    model::{Id, lock, name},
    seal::{MasterKeys, open_text},
    store::{AppRow, AuditRow, NewRows, Notes, Store},
};

/// How often another name is chosen when other processes take them.
const NAME_ATTEMPTS: u32 = 8;

/// The apps of a vault.
pub(crate) struct Apps {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) events: Events,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) environment: Environment,
    pub(crate) opened: Mutex<HashMap<Id, Arc<AppState>>>,
}

impl Apps {
    /// Returns the sandbox's address for a row of an app; `None` if calls go to the live platforms.
    pub(crate) fn sandbox(&self) -> Option<String> {
        self.environment.sandbox_url().map(ToString::to_string)
    }

    /// Returns a platform by name.
    pub(crate) fn platform(&self, name: &str) -> Result<&'static Platform> {
        self.catalog.platform(name)
    }

    /// Returns the base URLs of an app in a region.
    pub(crate) fn urls(&self, app: &AppState, region: Option<&str>) -> Result<Urls> {
        app.platform.urls(region, &self.environment)
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
            let line = self.events.audit_row(Action::App, &rows.apps[0].name, None, None);
            let line = AuditRow { detail: Some("added".to_owned()), ..line };
            if self.store.add(&rows, &Notes { audit: vec![line], ..Notes::default() }).await? {
                return Ok(App::of(&rows.apps[0]));
            }
        }
        Err(no_free_name())
    }

    /// Checks a new app, and seals its secret for a row under a free name.
    pub(crate) async fn new_row(&self, new: &NewApp) -> Result<AppRow> {
        let platform = self.platform(&new.platform)?;
        platform.urls(new.region.as_deref(), &self.environment)?;
        app::check(new)?;
        let name = app::choose_name(new, &platform.name, &self.store.apps().await?)?;
        Ok(self.sealed_row(&NewApp { platform: platform.name.clone(), ..new.clone() }, name))
    }

    /// Makes the row of an app that was checked.
    pub(crate) fn sealed_row(&self, new: &NewApp, name: String) -> AppRow {
        let id = Id::new(self.clock.as_ref());
        AppRow {
            id,
            name,
            platform: new.platform.clone(),
            region: new.region.clone(),
            app_key: new.key.clone(),
            secret: self.keys.sealer().seal(app::secret_slot(&id), new.secret.expose().as_bytes()),
            former_secret: None,
            redirect_uri: new.redirect_uri.clone().unwrap_or_else(|| app::DEFAULT_REDIRECT_URI.to_owned()),
            sandbox: self.sandbox(),
            secret_origin: new.secret_origin.clone(),
            created_at: self.clock.now().as_millisecond(),
        }
    }

    /// Finds the apps of a key: of the same platform and environment, and with the name, redirect URI and
    /// region of `new` where it has them. Oldest first.
    pub(crate) async fn of_key(&self, new: &NewApp) -> Result<Vec<AppRow>> {
        let platform = self.platform(&new.platform)?;
        app::check(new)?;
        let sandbox = self.sandbox();
        let fits =
            |chosen: &Option<String>, actual: Option<&str>| chosen.is_none() || chosen.as_deref() == actual;
        let is_same = |row: &AppRow| {
            row.platform == platform.name
                && row.app_key == new.key
                && row.sandbox == sandbox
                && fits(&new.name, Some(&row.name))
                && fits(&new.redirect_uri, Some(&row.redirect_uri))
                && fits(&new.region, row.region.as_deref())
        };
        Ok(self.store.apps().await?.into_iter().filter(is_same).collect())
    }

    /// As [`Apps::of_key`], each with whether it has another secret than `new`, which still opens.
    pub(crate) async fn with_other_secret(&self, new: &NewApp) -> Result<Vec<(App, bool)>> {
        let mut known = Vec::new();
        for row in self.of_key(new).await? {
            let differs = self.secret(&row).await.is_some_and(|known| *known != *new.secret.expose());
            known.push((App::of(&row), differs));
        }
        Ok(known)
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

    /// Replaces the secret of an app unless it is this one; one that does not open is replaced, too. The
    /// one that worked last is kept until the new one has worked.
    async fn replace_secret(&self, row: &AppRow, new: &NewApp) -> Result<bool> {
        let known = self.secret(row).await;
        if known.as_deref().is_some_and(|known| known == new.secret.expose()) {
            return Ok(false);
        }
        let kept = known.map(|known| self.keys.sealer().seal(app::former_slot(&row.id), known.as_bytes()));
        let renewed = AppRow {
            secret: self.keys.sealer().seal(app::secret_slot(&row.id), new.secret.expose().as_bytes()),
            former_secret: row.former_secret.clone().or(kept),
            secret_origin: new.secret_origin.clone(),
            ..row.clone()
        };
        let from = new.secret_origin.as_ref().map(|from| format!(", from {from}")).unwrap_or_default();
        self.update(row, &renewed, Action::Secret, format!("replaced{from}")).await?;
        Ok(true)
    }

    /// Changes name, region, redirect URI or secret of an app.
    pub(crate) async fn edit(&self, name: &str, edit: &AppEdit) -> Result<App> {
        let row = self.row(name).await?;
        let mut new = row.clone();
        let mut done = Vec::new();
        if let Some(name) = edit.name.as_ref().filter(|name| **name != row.name) {
            name::check("app", name)?;
            if self.store.app(name).await?.is_some() {
                return Err(app::name_taken(name));
            }
            new.name.clone_from(name);
            done.push(format!("renamed from {}", row.name));
        }
        if let Some(region) = edit.region.as_ref().filter(|region| row.region.as_ref() != Some(*region)) {
            self.platform(&row.platform)?.urls(Some(region), &Environment::Live)?;
            new.region = Some(region.clone());
            done.push(format!("region {region}"));
        }
        if let Some(uri) = edit.redirect_uri.as_ref().filter(|uri| **uri != row.redirect_uri) {
            app::check_redirect(uri)?;
            new.redirect_uri.clone_from(uri);
            done.push(format!("redirect URI {uri}"));
        }
        let mut action = Action::App;
        if edit.former_secret {
            let (former, current) = self.former_secret(&row).await?;
            let sealer = self.keys.sealer();
            new.secret = sealer.seal(app::secret_slot(&row.id), former.as_bytes());
            new.former_secret =
                current.map(|current| sealer.seal(app::former_slot(&row.id), current.as_bytes()));
            action = Action::Secret;
            done.push("the former one put back".to_owned());
        }
        if !done.is_empty() {
            self.update(&row, &new, action, done.join(", ")).await?;
        }
        Ok(App::of(&new))
    }

    /// Removes an app that no account uses.
    pub(crate) async fn remove(&self, name: &str) -> Result<App> {
        let row = self.row(name).await?;
        let line = self.events.audit_row(Action::App, &row.name, None, None);
        let line = AuditRow { detail: Some("removed".to_owned()), ..line };
        if !self.store.remove_app(row.id, &Notes { audit: vec![line], ..Notes::default() }).await? {
            return Err(Error::usage(format!("accounts use app {name:?}"))
                .with_hint("Remove them first: `sesame logout ACCOUNT`. `sesame accounts` shows them."));
        }
        lock(&self.opened).remove(&row.id);
        Ok(App::of(&row))
    }

    /// Notes that the platform accepted what an app signed: its former secret is not needed any more. A
    /// failure is logged only: another program, or the next start, does it again.
    pub(crate) async fn secret_accepted(&self, app: &AppState) {
        if !app.is_on_trial() {
            return;
        }
        app.end_trial();
        let proven = async {
            let Some(row) = self.store.app(&app.name).await? else { return Ok(()) };
            if row.id != app.id || !app.is_of(&row, self.keys.sealer()) {
                return Ok(());
            }
            app.end_trial();
            let proven = AppRow { former_secret: None, ..row.clone() };
            self.update(&row, &proven, Action::Secret, "the new one works".to_owned()).await
        };
        if let Err(error) = proven.await {
            tracing::warn!(app = app.name, "the former secret stays in the vault for now: {error}");
        }
    }

    async fn update(&self, former: &AppRow, new: &AppRow, action: Action, done: String) -> Result<()> {
        let line = self.events.audit_row(action, &new.name, None, None);
        let line = AuditRow { detail: Some(done), ..line };
        if !self.store.update_app(former, new, &Notes { audit: vec![line], ..Notes::default() }).await? {
            return Err(Error::local(format!("another program is changing app {:?}", former.name))
                .with_hint("Repeat the command."));
        }
        lock(&self.opened).remove(&former.id);
        Ok(())
    }

    /// Opens the secret of a row; `None` if it does not open.
    async fn secret(&self, row: &AppRow) -> Option<Zeroizing<String>> {
        self.keys.ensure_value(&row.secret).await.ok()?;
        open_text(self.keys.sealer(), app::secret_slot(&row.id), &row.secret).ok().map(Zeroizing::new)
    }

    /// Opens the former secret of a row, and the current one where that opens.
    async fn former_secret(&self, row: &AppRow) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>)> {
        let Some(sealed) = &row.former_secret else {
            return Err(Error::usage(format!("app {:?} has no former secret", row.name)).with_hint(
                format!("It is kept only until the new secret has worked once. Give it the right one: `sesame app add {} --key {} --secret-stdin --replace`.", quote(&row.platform), quote(&row.app_key)),
            ));
        };
        let current = self.secret(row).await;
        self.keys.ensure_value(sealed).await?;
        let former = open_text(self.keys.sealer(), app::former_slot(&row.id), sealed)?;
        Ok((Zeroizing::new(former), current))
    }

    /// Returns an app that this process has opened before.
    pub(crate) fn opened(&self, id: &Id) -> Option<Arc<AppState>> {
        lock(&self.opened).get(id).cloned()
    }

    /// Opens an app's secret, whichever key of the vault sealed it; once per process and secret.
    pub(crate) async fn open(&self, row: &AppRow) -> Result<Arc<AppState>> {
        self.keys.ensure_value(&row.secret).await?;
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
        self.keys.ensure_value(&row.secret).await.is_err() || app.is_of(row, self.keys.sealer())
    }

    /// Keeps sandbox accounts and real ones apart: neither's tokens ever reach the other's gateway.
    pub(crate) fn ensure_environment(&self, what: &str, name: &str, sandbox: Option<&str>) -> Result<()> {
        match (sandbox, &self.environment) {
            (Some(_), Environment::Sandbox(_)) | (None, Environment::Live) => Ok(()),
            (Some(made_at), Environment::Live) => Err(Error::usage(format!(
                "{what} {name:?} belongs to a sandbox ({made_at}) and is never used against real platforms"
            ))
            .with_hint(
                "Set SESAME_ENDPOINT to the address of a running sandbox, or use an account of a real shop.",
            )),
            (None, Environment::Sandbox(url)) => Err(Error::usage(format!(
                "{what} {name:?} belongs to a real platform and is never used against the sandbox {url}"
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
