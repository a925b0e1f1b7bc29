//! One pair of tokens that another program kept comes into a vault, as a table of one row.

use sesame_core::{AccessToken, Error, RefreshToken, Result};

use super::{ImportOptions, Table, import};
use crate::{
    Account, App, ImportedTokens, NewApp, Vault, accounts::account_taken, events::Action, model::name,
    store::AppRow, vault::Services,
};

impl Vault {
    /// Imports tokens that another program kept. Returns the account, and `true` if it is one that had
    /// these tokens already: without a name for them nothing is added then. With one the account shares
    /// that one's authorization, since a second one would end the first.
    ///
    /// Whose they are becomes known with the first refresh or login. All accounts are looked through, a
    /// page at a time: many shops come in faster with [`Vault::import_table`].
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when there is no token, or the account's
    /// name is taken.
    pub async fn import_tokens(&self, app: &str, tokens: ImportedTokens) -> Result<(Account, bool)> {
        let services = &self.0;
        let imported =
            async { import_tokens(services, (services.apps.row(app).await?, false), &tokens, false).await };
        let (name, stood) = noted(services, app, &tokens, imported.await).await?;
        Ok((self.account(&name).await?, stood))
    }

    /// Adds an app together with tokens that another program kept, or renews the secret of the apps of its
    /// key as [`Vault::renew_secret`] does; all or nothing. Returns the apps, the one of the tokens first,
    /// each with whether its secret was replaced, or `None` if it is new; and what
    /// [`Vault::import_tokens`] returns.
    ///
    /// # Errors
    /// As [`Vault::renew_secret`] and [`Vault::import_tokens`].
    pub async fn add_app_with_tokens(
        &self,
        new: NewApp,
        tokens: ImportedTokens,
    ) -> Result<(Vec<(App, Option<bool>)>, Account, bool)> {
        let services = &self.0;
        let done = async {
            let Some(first) = services.apps.of_key(&new).await?.into_iter().next() else {
                let app = services.apps.new_row(&new).await?;
                let added = vec![(App::of(&app), None)];
                return Ok((added, import_tokens(services, (app, true), &tokens, false).await?));
            };
            let first = (first, false);
            // The secret stays if the tokens cannot be imported.
            import_tokens(services, first.clone(), &tokens, true).await?;
            let renewed = services.apps.renew_secret(&new).await?;
            let apps = renewed.into_iter().map(|(app, is_replaced)| (app, Some(is_replaced))).collect();
            Ok((apps, import_tokens(services, first, &tokens, false).await?))
        };
        let subject = new.name.as_deref().unwrap_or(&new.platform);
        let (apps, (name, stood)) = noted(services, subject, &tokens, done.await).await?;
        Ok((apps, self.account(&name).await?, stood))
    }
}

/// Imports tokens of an app, which is added with them if it is new. Returns the account's name, and `true`
/// if the account had them already.
async fn import_tokens(
    services: &Services,
    app: (AppRow, bool),
    tokens: &ImportedTokens,
    dry_run: bool,
) -> Result<(String, bool)> {
    if tokens.access.is_none() && tokens.refresh.is_none() {
        return Err(Error::usage("there is neither an access token nor a refresh token to import")
            .with_hint("Give ACCESS_TOKEN, REFRESH_TOKEN or both; or run `sesame login`."));
    }
    let name = match &tokens.account_name {
        Some(chosen) => {
            name::check("account", chosen)?;
            if services.store.account(chosen).await?.is_some() {
                return Err(account_taken(chosen));
            }
            chosen.clone()
        }
        None => services.accounts.free_name(&app.0.name, |_| false).await?,
    };
    let ends = [tokens.access_expires_at, tokens.refresh_expires_at].map(|at| at.map(|at| at.to_string()));
    let values = [
        ("account", Some(name.as_str())),
        ("access_token", tokens.access.as_ref().map(AccessToken::expose)),
        ("refresh_token", tokens.refresh.as_ref().map(RefreshToken::expose)),
        ("access_expires_at", ends[0].as_deref()),
        ("refresh_expires_at", ends[1].as_deref()),
    ];
    let values = values.into_iter().filter_map(|(column, value)| Some((column, value?, 0)));
    let options = ImportOptions {
        name_is_made_up: tokens.account_name.is_none(),
        skip_bad: true,
        tries_ended: true,
        dry_run,
        ..ImportOptions::new(&app.0.platform)?
    };
    let mut done = import(services, &Table::of_one_row(values), &options, Some(app)).await?;
    match (done.accounts.pop(), done.left_alone.pop(), done.skipped.pop()) {
        (Some(name), ..) => Ok((name, false)),
        (_, Some((_, name)), _) => Ok((name, true)),
        (.., why) => Err(Error::usage(format!(
            "the tokens cannot be imported: {}",
            why.map_or_else(|| "nothing is known of them".to_owned(), |(_, why)| why)
        ))),
    }
}

async fn noted<T>(services: &Services, app: &str, tokens: &ImportedTokens, imported: Result<T>) -> Result<T> {
    if let Err(error) = &imported {
        let subject = tokens.account_name.as_deref().unwrap_or(app);
        services.events.record_failure(Action::Import, subject, None, error).await;
    }
    imported
}
