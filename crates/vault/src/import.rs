//! Tokens that another program kept until now.

use jiff::Timestamp;
use sesame_core::{Error, Result};

use crate::{
    Account, App, Id, ImportedTokens, NewApp, Vault,
    audit::Action,
    authorisation::{seal_access, seal_refresh},
    identity::Identity,
    name, schedule,
    store::{AccountRow, AppRow, AuthorisationRow, NewRows, Notes, TokenColumns},
    vault::{Inner, account_taken, blank, no_free_name},
};

impl Vault {
    /// Takes over tokens that another program kept until now.
    ///
    /// Whose they are becomes known with the first refresh or login.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when there is no token, or the account's
    /// name is taken.
    pub async fn import_tokens(&self, app: &str, tokens: ImportedTokens) -> Result<Account> {
        let inner = &self.0;
        let imported = inner.import_tokens(app, &tokens).await;
        inner.note_failed_import(app, &tokens, imported.as_ref().err()).await;
        self.account(&imported?).await
    }

    /// Adds an app together with tokens that another program kept until now; both or nothing.
    ///
    /// # Errors
    /// As [`Vault::add_app`] and [`Vault::import_tokens`].
    pub async fn add_app_with_tokens(&self, new: NewApp, tokens: ImportedTokens) -> Result<(App, Account)> {
        let inner = &self.0;
        let imported = inner.import_app_with_tokens(&new, &tokens).await;
        let subject = new.name.as_deref().unwrap_or(&new.platform);
        inner.note_failed_import(subject, &tokens, imported.as_ref().err()).await;
        let (app, name) = imported?;
        Ok((app, self.account(&name).await?))
    }
}

impl Inner {
    async fn import_tokens(&self, app: &str, tokens: &ImportedTokens) -> Result<String> {
        let app = self.app_row(app).await?;
        self.check_crossing("app", &app.name, app.sandbox.as_deref())?;
        let (authorisation, account) = self.imported(&app, tokens).await?;
        let name = account.name.clone();
        let notes = self.import_line(&name, authorisation.id);
        let rows =
            NewRows { authorisations: vec![authorisation], accounts: vec![account], ..NewRows::default() };
        if self.store.add(&rows, &notes).await? { Ok(name) } else { Err(account_taken(&name)) }
    }

    async fn import_app_with_tokens(&self, new: &NewApp, tokens: &ImportedTokens) -> Result<(App, String)> {
        // As in `add_app`: another process may take a name that was free a moment ago.
        for _ in 0..8 {
            let app = self.new_app(new).await?;
            let (authorisation, account) = self.imported(&app, tokens).await?;
            let name = account.name.clone();
            let notes = self.import_line(&name, authorisation.id);
            let rows =
                NewRows { apps: vec![app], authorisations: vec![authorisation], accounts: vec![account] };
            if self.store.add(&rows, &notes).await? {
                return Ok((App::of(&rows.apps[0]), name));
            }
        }
        Err(no_free_name())
    }

    async fn note_failed_import(&self, app: &str, tokens: &ImportedTokens, error: Option<&Error>) {
        let subject = tokens.account_name.as_deref().unwrap_or(app);
        if let Some(error) = error {
            self.note_failure(Action::Import, subject, None, error).await;
        }
    }

    fn import_line(&self, name: &str, id: Id) -> Notes {
        Notes { audit: vec![self.line(Action::Import, name, Some(id), None)], ..Notes::default() }
    }

    /// Seals imported tokens for an account under a free name, or under the one that was chosen.
    async fn imported(
        &self,
        app: &AppRow,
        tokens: &ImportedTokens,
    ) -> Result<(AuthorisationRow, AccountRow)> {
        if tokens.access.is_none() && tokens.refresh.is_none() {
            return Err(Error::usage("there is neither an access token nor a refresh token to import")
                .hint("Give ACCESS_TOKEN, REFRESH_TOKEN or both; or run `sesame login`."));
        }
        let name = match &tokens.account_name {
            None => self.free_account_name(&app.name, |_| false).await?,
            Some(chosen) => {
                name::check("account", chosen)?;
                if self.store.account(chosen).await?.is_some() {
                    return Err(account_taken(chosen));
                }
                chosen.clone()
            }
        };
        let id = Id::new(self.clock.as_ref());
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let now = self.now();
        let mut authorisation = AuthorisationRow {
            tokens: TokenColumns {
                access: tokens.access.as_ref().map(|token| seal_access(&self.sealer, &id, token)),
                refresh: tokens.refresh.as_ref().map(|token| seal_refresh(&self.sealer, &id, token)),
                issued_at: now,
                access_expires_at: millis(tokens.access_expires_at),
                refresh_expires_at: millis(tokens.refresh_expires_at),
                refresh_denied: false,
                identity: Identity::default().to_json(),
                warm_at: None,
                due_at: None,
                announced: None,
            },
            last_success: None,
            ..blank(id, app.id, app.region.clone(), now)
        };
        let platform = self.platform(&app.platform)?;
        authorisation.tokens.warm_at =
            schedule::warm_at(&platform.tokens, &authorisation.tokens, self.clock.jitter());
        authorisation.tokens.due_at = self.due_at(&platform, &authorisation);
        let account = AccountRow {
            id: Id::new(self.clock.as_ref()),
            name,
            app_id: app.id,
            authorisation_id: id,
            login: None,
            shop_id: None,
            country: None,
            region: app.region.clone(),
            tags: Vec::new(),
            created_at: now,
        };
        Ok((authorisation, account))
    }
}
