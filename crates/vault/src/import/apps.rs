//! The apps of a table's shops: those of the vault, and new ones.

use std::collections::HashMap;

use sesame_core::AppSecret;

use super::{ImportOptions, row::Candidate};
use crate::{
    NewApp,
    accounts::app::{self, secret_slot},
    model::name::Names,
    seal::open_text,
    store::AppRow,
    vault::Services,
};

/// An app that shops may belong to.
struct KnownApp {
    row: AppRow,
    secret: Option<AppSecret>,
    /// Not in the vault yet; added when a shop needs it.
    is_new: bool,
}

/// The apps that shops of a table may belong to.
pub(super) struct ImportedApps<'a> {
    services: &'a Services,
    /// The one that all belong to, if one was chosen.
    chosen: Option<AppRow>,
    by_key: HashMap<String, KnownApp>,
    /// The names of all apps, of other platforms and endpoints, too.
    names: Names,
}

impl<'a> ImportedApps<'a> {
    /// `rows` are the apps of the vault, and `chosen` is that of all shops, and `true` if it is new.
    pub(super) fn new(
        services: &'a Services,
        platform: &str,
        rows: Vec<AppRow>,
        chosen: Option<&(AppRow, bool)>,
    ) -> Self {
        let mut apps = Self {
            services,
            chosen: chosen.map(|(row, _)| row.clone()),
            by_key: HashMap::new(),
            names: Names::default(),
        };
        let is_sandbox = services.apps.sandbox().is_some();
        let all = { chosen.cloned() }.into_iter().chain(rows.into_iter().map(|row| (row, false)));
        for (row, is_new) in all {
            apps.names.add(&row.name);
            if row.platform == platform && row.sandbox.is_some() == is_sandbox {
                let secret = open_text(services.keys.sealer(), secret_slot(&row.id), &row.secret);
                let secret = secret.ok().map(AppSecret::new);
                apps.by_key.entry(row.app_key.clone()).or_insert(KnownApp { row, secret, is_new });
            }
        }
        apps
    }

    /// Finds or makes the app of a shop. `is_alone` if no other shop of the table has its key.
    pub(super) fn find(
        &mut self,
        shop: &Candidate<'_>,
        options: &ImportOptions,
        is_alone: bool,
    ) -> Result<&AppRow, String> {
        if let Some(chosen) = &self.chosen {
            // Its tokens would be refused with this app's key, and spent for nothing.
            if shop.app_key.is_some_and(|key| key != chosen.app_key) {
                let name = &chosen.name;
                return Err(format!(
                    "its app key is not that of app {name:?}: its tokens were given to another app"
                ));
            }
            return Ok(chosen);
        }
        let (key, secret) = match (shop.app_key, shop.app_secret) {
            (Some(key), Some(secret)) => (key, AppSecret::new(secret)),
            (Some(_), None) => return Err("it has an app key and no app secret".to_owned()),
            (None, _) => return Err("it has no app key".to_owned()),
        };
        if !self.by_key.contains_key(key) {
            let mut new = NewApp::new(&options.platform, key, secret.clone());
            new.region.clone_from(&options.region);
            new.secret_origin.clone_from(&options.origin);
            app::check(&new).map_err(|error| error.message().to_owned())?;
            // An app of one shop is called like it: `sesame login shop1 --as shop1`.
            let name = self.names.take_free(if is_alone { shop.name } else { &options.platform });
            let row = self.services.apps.sealed_row(&new, name);
            let known = KnownApp { row, secret: Some(secret.clone()), is_new: true };
            self.by_key.insert(key.to_owned(), known);
        }
        let known = &self.by_key[key];
        if known.secret.as_ref().is_some_and(|known| known.expose() != secret.expose()) {
            return Err(format!("app key {key} has another secret in app {:?}", known.row.name));
        }
        Ok(&known.row)
    }

    /// Returns `true` once for an app that is not in the vault.
    pub(super) fn take_new(&mut self, app: &AppRow) -> bool {
        self.by_key.get_mut(&app.app_key).is_some_and(|known| std::mem::take(&mut known.is_new))
    }
}
