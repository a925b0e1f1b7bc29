//! Tokens that another program kept until now.

use jiff::Timestamp;
use sesame_core::{Error, Result};

use crate::{
    Account, App, Id, ImportedTokens, NewApp, Vault,
    audit::Action,
    authorization::{seal_access, seal_refresh},
    identity::Identity,
    name,
    same_tokens::Marks,
    schedule,
    store::{AccountRow, AppRow, AuthorizationRow, NewRows, Notes, TokenColumns},
    vault::{Inner, account_taken, blank, no_free_name},
};

/// What became of tokens.
enum Taken {
    /// An account has them already, and no other name was wished for: its name.
    Stands(String),
    /// Rows to add, and the account's name.
    New(Box<NewRows>, String),
}

impl Vault {
    /// Takes over tokens that another program kept until now. Returns the account, and whether it is one
    /// that had these tokens already: without a name for them nothing is added then. With one the
    /// account shares that one's authorization, since a second one would end the first.
    ///
    /// Whose they are becomes known with the first refresh or login. All accounts are looked through, a
    /// page at a time: many shops come in faster with [`Vault::import_tables`].
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when there is no token, or the account's
    /// name is taken.
    pub async fn import_tokens(&self, app: &str, tokens: ImportedTokens) -> Result<(Account, bool)> {
        let inner = &self.0;
        let imported = inner.import_tokens(app, &tokens).await;
        inner.note_failed_import(app, &tokens, imported.as_ref().err()).await;
        let (name, stood) = imported?;
        Ok((self.account(&name).await?, stood))
    }

    /// Adds an app together with tokens that another program kept until now; both or nothing. What
    /// stands for the tokens is told as by [`Vault::import_tokens`]; the app is added all the same.
    ///
    /// # Errors
    /// As [`Vault::add_app`] and [`Vault::import_tokens`].
    pub async fn add_app_with_tokens(
        &self,
        new: NewApp,
        tokens: ImportedTokens,
    ) -> Result<(App, Account, bool)> {
        let inner = &self.0;
        let imported = inner.import_app_with_tokens(&new, &tokens).await;
        let subject = new.name.as_deref().unwrap_or(&new.platform);
        inner.note_failed_import(subject, &tokens, imported.as_ref().err()).await;
        let (app, name, stood) = imported?;
        Ok((app, self.account(&name).await?, stood))
    }

    /// As [`Vault::renew_secret`], with tokens for the first of these apps. Nothing is changed when the
    /// tokens cannot be taken over. `None` when no app has the key: then it is a new one.
    ///
    /// # Errors
    /// As [`Vault::renew_secret`] and [`Vault::import_tokens`].
    pub async fn renew_secret_with_tokens(
        &self,
        new: &NewApp,
        tokens: ImportedTokens,
    ) -> Result<Option<(Vec<(App, bool)>, Account, bool)>> {
        let inner = &self.0;
        let Some(first) = inner.apps_of_key(new).await?.into_iter().next() else { return Ok(None) };
        let looked = inner.look_at_tokens(&first.name, &tokens).await;
        inner.note_failed_import(&first.name, &tokens, looked.as_ref().err()).await;
        looked?;
        let renewed = self.renew_secret(new).await?;
        let (account, stood) = self.import_tokens(&first.name, tokens).await?;
        Ok(Some((renewed, account, stood)))
    }
}

impl Inner {
    /// Finds out whether tokens can be taken over, and changes nothing.
    async fn look_at_tokens(&self, app: &str, tokens: &ImportedTokens) -> Result<()> {
        let app = self.app_row(app).await?;
        self.check_crossing("app", &app.name, app.sandbox.as_deref())?;
        self.imported(&app, tokens).await.map(|_| ())
    }

    async fn import_tokens(&self, app: &str, tokens: &ImportedTokens) -> Result<(String, bool)> {
        let app = self.app_row(app).await?;
        self.check_crossing("app", &app.name, app.sandbox.as_deref())?;
        // Another process may take a name that was free a moment ago, or import the same tokens.
        for _ in 0..8 {
            let (rows, name) = match self.imported(&app, tokens).await? {
                Taken::Stands(name) => return Ok((name, true)),
                Taken::New(rows, name) => (rows, name),
            };
            let notes = self.import_line(&name, rows.accounts[0].authorization_id);
            if self.store.add(&rows, &notes).await? {
                return Ok((name, false));
            }
            if tokens.account_name.is_some() {
                return Err(account_taken(&name));
            }
        }
        Err(no_free_name())
    }

    async fn import_app_with_tokens(
        &self,
        new: &NewApp,
        tokens: &ImportedTokens,
    ) -> Result<(App, String, bool)> {
        // As in `add_app`: another process may take a name that was free a moment ago.
        for _ in 0..8 {
            let app = self.new_app(new).await?;
            let shown = App::of(&app);
            let (mut rows, name, stood) = match self.imported(&app, tokens).await? {
                Taken::Stands(name) => (Box::default(), name, true),
                Taken::New(rows, name) => (rows, name, false),
            };
            let account = rows.accounts.first();
            let notes = account.map(|row| self.import_line(&name, row.authorization_id));
            rows.apps.push(app);
            if self.store.add(&rows, &notes.unwrap_or_default()).await? {
                return Ok((shown, name, stood));
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

    /// Seals imported tokens for an account under a free name, or under the one that was chosen; or
    /// finds the account that has them.
    async fn imported(&self, app: &AppRow, tokens: &ImportedTokens) -> Result<Taken> {
        let marks = Marks::of(&app.app_key, tokens.access.as_ref(), tokens.refresh.as_ref());
        let Some(wanted) = marks.wanted() else {
            return Err(Error::usage("there is neither an access token nor a refresh token to import")
                .with_hint("Give ACCESS_TOKEN, REFRESH_TOKEN or both; or run `sesame login`."));
        };
        if let Some(chosen) = &tokens.account_name {
            name::check("account", chosen)?;
            if self.store.account(chosen).await?.is_some() {
                return Err(account_taken(chosen));
            }
        }
        let holder = self.account_holding(app, &wanted).await?;
        let name = match (&tokens.account_name, &holder) {
            (Some(chosen), _) => chosen.clone(),
            (None, Some(holder)) => return Ok(Taken::Stands(holder.account.name.clone())),
            (None, None) => self.free_account_name(&app.name, |_| false).await?,
        };
        let mut rows = NewRows::default();
        let (app_id, authorization_id) = if let Some(holder) = holder {
            (holder.app.id, holder.authorization.id)
        } else {
            let row = self.imported_authorization(app, tokens)?;
            let id = row.id;
            rows.authorizations.push(row);
            (app.id, id)
        };
        rows.accounts.push(AccountRow {
            id: Id::new(self.clock.as_ref()),
            name: name.clone(),
            app_id,
            authorization_id,
            login: None,
            shop_id: None,
            country: None,
            region: app.region.clone(),
            tags: Vec::new(),
            created_at: self.now(),
        });
        Ok(Taken::New(Box::new(rows), name))
    }

    fn imported_authorization(&self, app: &AppRow, tokens: &ImportedTokens) -> Result<AuthorizationRow> {
        let id = Id::new(self.clock.as_ref());
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let now = self.now();
        let mut authorization = AuthorizationRow {
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
        authorization.tokens.warm_at =
            schedule::warm_at(&platform.tokens, &authorization.tokens, self.clock.jitter());
        authorization.tokens.due_at = self.due_at(&platform, &authorization);
        Ok(authorization)
    }
}
