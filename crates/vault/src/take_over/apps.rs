//! The apps of a table's shops: those of the vault, and new ones.

use std::collections::HashMap;

use sesame_catalog::Platform;
use sesame_core::{AppSecret, Error, Result};
use sesame_tables::{Field, Shop};

use super::TableOptions;
use crate::{
    Id, NewApp,
    app::{self, secret_slot},
    name::Names,
    seal::open_text,
    store::AppRow,
    vault::Inner,
};

/// An app of the plan.
pub(super) struct Seat {
    pub(super) row: AppRow,
    secret: Option<AppSecret>,
    /// Not in the vault yet; added when a shop needs it.
    pub(super) is_new: bool,
}

/// The apps that shops of a table may belong to.
pub(super) struct Apps {
    /// By their keys.
    pub(super) seats: HashMap<String, Seat>,
    /// The names of all apps, of other platforms and endpoints, too.
    names: Names,
}

impl Inner {
    pub(super) async fn apps_for(&self, platform: &Platform, options: &TableOptions) -> Result<Apps> {
        let mut apps = Apps { seats: HashMap::new(), names: Names::default() };
        if let Some(name) = &options.app {
            let row = self.app_row(name).await?;
            self.check_crossing("app", &row.name, row.sandbox.as_deref())?;
            if row.platform != platform.name {
                return Err(Error::usage(format!(
                    "app {name:?} is one of {}, not of {}",
                    row.platform, platform.name
                ))
                .with_hint("Give the app's platform with --platform."));
            }
            apps.seats.insert(String::new(), Seat { row, secret: None, is_new: false });
        }
        for row in self.store.apps().await? {
            apps.names.add(&row.name);
            if row.platform == platform.name && row.sandbox.is_some() == self.endpoint.is_some() {
                self.know_keys_of_app(&row).await?;
                let secret =
                    open_text(&self.sealer, secret_slot(&row.id), &row.secret).ok().map(AppSecret::new);
                apps.seats.entry(row.app_key.clone()).or_insert(Seat { row, secret, is_new: false });
            }
        }
        Ok(apps)
    }

    /// Finds or makes the app of a shop, and returns the key under which it is found.
    pub(super) fn seat(
        &self,
        shop: &Shop,
        platform: &Platform,
        options: &TableOptions,
        apps: &mut Apps,
        alone: bool,
    ) -> Result<String, String> {
        if let Some(chosen) = &options.app {
            let seat = apps.seats.get("").ok_or("its app is unknown")?;
            // Its tokens would be refused with this app's key, and spent for nothing.
            return match shop.get(Field::AppKey) {
                Some(key) if key != seat.row.app_key => Err(format!(
                    "its app key is not that of app {chosen:?}: its tokens were given to another app"
                )),
                _ => Ok(String::new()),
            };
        }
        let (key, secret) = match (shop.get(Field::AppKey), shop.get(Field::AppSecret)) {
            (Some(key), Some(secret)) => (key, AppSecret::new(secret)),
            (Some(_), None) => return Err("there is an app key and no app secret for it".to_owned()),
            (None, _) => return Err("there is no app key for it".to_owned()),
        };
        if let Some(seat) = apps.seats.get(key) {
            let is_other = seat.secret.as_ref().is_some_and(|known| known.expose() != secret.expose());
            return if is_other {
                Err(format!("app key {key} has another secret elsewhere (app {:?})", seat.row.name))
            } else {
                Ok(key.to_owned())
            };
        }
        let new = NewApp {
            platform: platform.name.clone(),
            name: None,
            key: key.to_owned(),
            secret,
            redirect_uri: None,
            region: options.region.clone(),
            secret_origin: options.origin.clone(),
        };
        app::check(&new).map_err(|error| error.message().to_owned())?;
        // An app of one shop is called like it: `sesame login shop1 --as shop1`.
        let wanted = if alone { shop.name.as_str() } else { platform.name.as_str() };
        let name = apps.names.take_free(wanted);
        let id = Id::new(self.clock.as_ref());
        let row = AppRow {
            id,
            name,
            platform: new.platform,
            region: new.region,
            app_key: new.key,
            secret: self.sealer.seal(secret_slot(&id), new.secret.expose().as_bytes()),
            redirect_uri: app::DEFAULT_REDIRECT_URI.to_owned(),
            sandbox: self.endpoint.as_ref().map(ToString::to_string),
            secret_origin: new.secret_origin,
            created_at: self.now(),
        };
        apps.seats.insert(key.to_owned(), Seat { row, secret: Some(new.secret), is_new: true });
        Ok(key.to_owned())
    }
}
