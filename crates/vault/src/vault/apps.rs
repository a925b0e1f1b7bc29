//! The apps of a vault.

use sesame_core::Result;

use super::Vault;
use crate::{AccountHandle, App, AppEdit, NewApp};

impl Vault {
    /// Adds an app. It belongs to the vault's environment: one of a sandbox is never used against a platform.
    ///
    /// ```no_run
    /// # async fn example(vault: sesame_vault::Vault, secret: sesame_core::AppSecret) -> sesame_core::Result<()> {
    /// let app = vault.add_app(sesame_vault::NewApp::new("lazada", "123456", secret)).await?;
    /// println!("added as {}", app.name);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown platform or region, a name
    /// that is taken, and an invalid key or secret.
    pub async fn add_app(&self, new: NewApp) -> Result<App> {
        self.0.apps.add(&new).await
    }

    /// Replaces the secret of the apps that have this key already: those of the same platform and
    /// environment, and with the name, redirect URI and region of `new` where it has them. Returns them,
    /// each with whether its secret was another one; none if this is a new app.
    ///
    /// The former secret is kept, sealed, until the new one has worked once; [`Vault::edit_app`] puts it back.
    /// Running programs use the new secret within a minute, or when the platform refuses the former one.
    ///
    /// # Errors
    /// As [`Vault::add_app`]; [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when another program
    /// changes it at the same time.
    pub async fn renew_secret(&self, new: &NewApp) -> Result<Vec<(App, bool)>> {
        self.0.apps.renew_secret(new).await
    }

    /// Returns the apps of the key of `new` as [`Vault::renew_secret`] finds them, each with whether
    /// its secret is another one, which would be replaced. Changes nothing.
    ///
    /// # Errors
    /// As [`Vault::add_app`].
    pub async fn apps_of_key(&self, new: &NewApp) -> Result<Vec<(App, bool)>> {
        self.0.apps.with_other_secret(new).await
    }

    /// Changes an app. Running programs follow within a minute.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown app, a name that is taken, an
    /// invalid region or redirect URI, and where there is no former secret.
    pub async fn edit_app(&self, name: &str, edit: &AppEdit) -> Result<App> {
        self.0.apps.edit(name, edit).await
    }

    /// Removes an app, and returns it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an unknown app, and while accounts use it.
    pub async fn remove_app(&self, name: &str) -> Result<App> {
        self.0.apps.remove(name).await
    }

    /// Notes that a call with the app's signature was answered, which proves its secret: the one before
    /// it is deleted. Costs a look at one number unless the secret was just replaced.
    pub async fn secret_accepted(&self, account: &AccountHandle) {
        if account.app.is_on_trial() {
            Box::pin(self.0.apps.secret_accepted(&account.app)).await;
        }
    }

    /// Returns all apps, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn apps(&self) -> Result<Vec<App>> {
        Ok(self.0.store.apps().await?.iter().map(App::of).collect())
    }

    /// Returns an app by name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) naming the apps there are.
    pub async fn app(&self, name: &str) -> Result<App> {
        self.0.apps.row(name).await.map(|row| App::of(&row))
    }
}
