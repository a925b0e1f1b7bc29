//! The apps of a table's shops: those of the vault, and new ones.

use std::collections::HashMap;

use sesame_core::AppSecret;

use super::row::Candidate;
use crate::{
    NewApp,
    accounts::app::{self, secret_slot},
    model::{Id, name::Names},
    seal::open_text,
    store::AppRow,
};

/// An app that shops may belong to.
pub(super) struct KnownApp {
    pub(super) row: AppRow,
    secret: Option<AppSecret>,
    /// Not in the vault yet; added when a shop needs it.
    pub(super) is_new: bool,
}

/// The apps that shops of a table may belong to.
#[derive(Default)]
pub(super) struct ImportedApps {
    /// The one that all belong to, if one was chosen.
    chosen: Option<AppRow>,
    by_key: HashMap<String, KnownApp>,
    /// The names of all apps, of other platforms and endpoints, too.
    names: Names,
}

impl ImportedApps {
    pub(super) fn new(
        importer: &super::Importer<'_>,
        platform: &str,
        rows: Vec<AppRow>,
        chosen: Option<(AppRow, bool)>,
    ) -> Self {
        let mut apps = Self::default();
        let chosen_is_new = chosen.as_ref().is_some_and(|(_, is_new)| *is_new);
        apps.chosen = chosen.map(|(row, _)| row);
        for row in apps.chosen.iter().cloned().chain(rows) {
            apps.names.add(&row.name);
            if row.platform == platform && row.sandbox.is_some() == importer.sandbox.is_some() {
                let secret = open_text(importer.sealer, secret_slot(&row.id), &row.secret);
                let secret = secret.ok().map(AppSecret::new);
                let is_new = chosen_is_new && apps.chosen.as_ref().is_some_and(|app| app.id == row.id);
                let key = row.app_key.clone();
                apps.by_key.entry(key).or_insert(KnownApp { row, secret, is_new });
            }
        }
        apps
    }

    /// Finds or makes the app of a shop. `is_alone` if no other shop of the table has its key.
    pub(super) fn find(
        &mut self,
        shop: &Candidate<'_>,
        importer: &super::Importer<'_>,
        options: &super::ImportOptions,
        is_alone: bool,
    ) -> Result<&mut KnownApp, String> {
        if let Some(chosen) = &self.chosen {
            // Its tokens would be refused with this app's key, and spent for nothing.
            if shop.app_key.is_some_and(|key| key != chosen.app_key) {
                let name = &chosen.name;
                return Err(format!(
                    "its app key is not that of app {name:?}: its tokens were given to another app"
                ));
            }
            return self.by_key.get_mut(&chosen.app_key).ok_or_else(|| "its app is unknown".to_owned());
        }
        let (key, secret) = match (shop.app_key, shop.app_secret) {
            (Some(key), Some(secret)) => (key, AppSecret::new(secret)),
            (Some(_), None) => return Err("it has an app key and no app secret".to_owned()),
            (None, _) => return Err("it has no app key".to_owned()),
        };
        if let Some(known) = self.by_key.get(key) {
            if known.secret.as_ref().is_some_and(|known| known.expose() != secret.expose()) {
                return Err(format!("app key {key} has another secret elsewhere (app {:?})", known.row.name));
            }
        } else {
            let new = NewApp {
                platform: options.platform.clone(),
                name: None,
                key: key.to_owned(),
                secret,
                redirect_uri: None,
                region: options.region.clone(),
                secret_origin: options.origin.clone(),
            };
            app::check(&new).map_err(|error| error.message().to_owned())?;
            // An app of one shop is called like it: `sesame login shop1 --as shop1`.
            let name = self.names.take_free(if is_alone { shop.name } else { &options.platform });
            let id = Id::new(importer.clock);
            let row = AppRow {
                id,
                name,
                platform: new.platform,
                region: new.region,
                app_key: new.key,
                secret: importer.sealer.seal(secret_slot(&id), new.secret.expose().as_bytes()),
                former_secret: None,
                redirect_uri: app::DEFAULT_REDIRECT_URI.to_owned(),
                sandbox: importer.sandbox.clone(),
                secret_origin: new.secret_origin,
                created_at: importer.now(),
            };
            self.by_key.insert(key.to_owned(), KnownApp { row, secret: Some(new.secret), is_new: true });
        }
        self.by_key.get_mut(key).ok_or_else(|| "its app is unknown".to_owned())
    }
}
