//! Tokens that another program kept until now.

use jiff::Timestamp;
use sesame_core::{Error, Result};

use crate::{
    Account, Id, ImportedTokens, Vault,
    authorisation::{seal_access, seal_refresh},
    identity::Identity,
    name,
    store::{AccountRow, AuthorisationRow, TokenColumns},
    vault::{account_taken, blank},
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
        let app = inner.app_row(app).await?;
        inner.check_crossing("app", &app.name, app.sandbox.as_deref())?;
        if tokens.access.is_none() && tokens.refresh.is_none() {
            return Err(Error::usage("there is neither an access token nor a refresh token to import")
                .hint("Give ACCESS_TOKEN, REFRESH_TOKEN or both; or run `sesame login`."));
        }
        let name = if let Some(name) = &tokens.account_name {
            name::check("account", name)?;
            name.clone()
        } else {
            let taken = inner.store.accounts().await?;
            name::first_free(&app.name, |name| taken.iter().any(|row| row.account.name == name))
        };
        let id = Id::new(inner.clock.as_ref());
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let now = inner.now();
        let authorisation = AuthorisationRow {
            tokens: TokenColumns {
                access: tokens.access.as_ref().map(|token| seal_access(&inner.sealer, &id, token)),
                refresh: tokens.refresh.as_ref().map(|token| seal_refresh(&inner.sealer, &id, token)),
                issued_at: now,
                access_expires_at: millis(tokens.access_expires_at),
                refresh_expires_at: millis(tokens.refresh_expires_at),
                refresh_denied: false,
                identity: Identity::default().to_json(),
            },
            last_success: None,
            ..blank(id, app.id, app.region.clone(), now)
        };
        let account = AccountRow {
            id: Id::new(inner.clock.as_ref()),
            name: name.clone(),
            app_id: app.id,
            authorisation_id: id,
            login: None,
            shop_id: None,
            country: None,
            region: app.region.clone(),
            created_at: now,
        };
        if !inner.store.add_accounts(Some(authorisation), vec![account]).await? {
            return Err(account_taken(&name));
        }
        self.account(&name).await
    }
}
