//! Where a login's tokens go: to the account they belong to, to a new one, or nowhere.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use sesame_catalog::Urls;
use sesame_core::{BoxFuture, Error, ErrorKind, Fault, Result, Retry};

use crate::{
    Account, Id, LoginOptions,
    app::AppState,
    authorisation::Authorisation,
    identity::{Identity, Match, ReplyShop},
    name,
    oauth::reply::TokenReply,
    store::{AccountRow, AuthorisationRow, FullRow},
    vault::{Inner, account_taken, blank},
};

/// The account a login is for.
pub(crate) enum Target {
    /// Whichever the shop turns out to be.
    Any,
    /// A name that no account has yet.
    New(String),
    /// An account of the same app.
    Existing(Box<FullRow>),
}

/// Tokens that a code was exchanged for.
pub(crate) struct Arrived {
    pub(crate) reply: TokenReply,
    pub(crate) region: Option<String>,
    pub(crate) urls: Urls,
    pub(crate) at: Timestamp,
}

impl Inner {
    pub(crate) async fn store_login(
        self: &Arc<Self>,
        app: &Arc<AppState>,
        options: &LoginOptions,
        target: Target,
        arrived: Arrived,
    ) -> Result<Vec<Account>> {
        let fields = &app.platform.tokens.identity;
        let theirs = &arrived.reply.owner.identity;
        let compare =
            |row: &FullRow| Identity::parse(&row.authorisation.tokens.identity).compare(theirs, fields);
        let known = self.store.accounts_of(app.id).await?;
        match target {
            Target::Existing(row) if compare(&row) != Match::Other => {
                self.renew(app, options, &row, &arrived, None).await
            }
            Target::Existing(row) if options.replace_shop => self.replace_shop(app, *row, &arrived).await,
            Target::Existing(row) => Err(other_shop(&row, &arrived)),
            Target::Any => match known.iter().find(|row| compare(row) == Match::Same) {
                Some(row) => self.renew(app, options, row, &arrived, None).await,
                None => self.found(app, options, None, &arrived).await,
            },
            // The same shop under one more name: both names share the one pair of tokens, since a
            // second pair could end the first.
            Target::New(name) => match known.iter().find(|row| compare(row) == Match::Same) {
                Some(row) => self.renew(app, options, row, &arrived, Some(name)).await,
                None => self.found(app, options, Some(name), &arrived).await,
            },
        }
    }

    /// New tokens for a shop that is known.
    async fn renew(
        self: &Arc<Self>,
        app: &Arc<AppState>,
        options: &LoginOptions,
        row: &FullRow,
        arrived: &Arrived,
        one_more_name: Option<String>,
    ) -> Result<Vec<Account>> {
        let id = row.authorisation.id;
        let shared = self.authorisation(app, &row.authorisation, &row.account.name)?;
        // A refresh may replace the tokens at the same time; the login is newer, so it tries again.
        let mut stored = None;
        for _ in 0..8 {
            let now = self.row_of(&shared).await?;
            // The end of the former refresh token says nothing about the new approval's.
            let former = AuthorisationRow {
                tokens: crate::store::TokenColumns {
                    refresh_expires_at: None,
                    refresh: None,
                    ..now.tokens.clone()
                },
                ..now.clone()
            };
            let tokens = self.columns(&shared, &arrived.reply, Some(&former), arrived.at);
            if self.keep(&shared, now.generation, &tokens).await? {
                stored = Some(AuthorisationRow {
                    generation: now.generation + 1,
                    tokens,
                    ..blank(id, app.id, None, self.now())
                });
                break;
            }
        }
        let Some(stored) = stored else {
            return Err(Error::local("other programs keep replacing this account's tokens")
                .retry_when(Retry::Backoff));
        };
        self.install_row(&shared, &stored)?;
        shared.quiet_until.store(i64::MIN, Ordering::Release);

        // What is known of the shops, and shops that are new in the listing.
        let shops = &arrived.reply.owner.shops;
        let known: Vec<FullRow> = self
            .store
            .accounts_of(app.id)
            .await?
            .into_iter()
            .filter(|row| row.authorisation.id == id)
            .collect();
        for full in &known {
            let shop = shops
                .iter()
                .find(|shop| shop.country == full.account.country)
                .or_else(|| (shops.len() == 1).then(|| &shops[0]));
            let Some(shop) = shop else { continue };
            let mut account = full.account.clone();
            account.login = arrived.reply.owner.login.clone().or(account.login);
            account.shop_id = shop.shop_id.clone().or(account.shop_id);
            account.country = shop.country.clone().or(account.country);
            if account != full.account {
                self.store.update_account(None, account).await?;
            }
        }
        let unknown: Vec<&ReplyShop> = if shops.len() > 1 {
            shops.iter().filter(|shop| !known.iter().any(|row| row.account.country == shop.country)).collect()
        } else if one_more_name.is_some() {
            shops.iter().collect()
        } else {
            Vec::new()
        };
        if !unknown.is_empty() {
            let base = one_more_name.or_else(|| options.as_name.clone());
            self.add(app, None, id, base, arrived, &unknown).await?;
        }
        self.accounts_using(app, id).await
    }

    /// Tokens of a shop that is not known yet.
    async fn found(
        &self,
        app: &Arc<AppState>,
        _options: &LoginOptions,
        name: Option<String>,
        arrived: &Arrived,
    ) -> Result<Vec<Account>> {
        let row = self.first_row(app, arrived);
        let id = row.id;
        let shops: Vec<&ReplyShop> = arrived.reply.owner.shops.iter().collect();
        self.add(app, Some(row), id, name, arrived, &shops).await?;
        self.accounts_using(app, id).await
    }

    /// Lets an account become another shop, as it was told to.
    async fn replace_shop(
        &self,
        app: &Arc<AppState>,
        row: FullRow,
        arrived: &Arrived,
    ) -> Result<Vec<Account>> {
        let new = self.first_row(app, arrived);
        let id = new.id;
        let owner = &arrived.reply.owner;
        let account = AccountRow {
            authorisation_id: id,
            login: owner.login.clone(),
            shop_id: owner.shops[0].shop_id.clone(),
            country: owner.shops[0].country.clone(),
            region: region_of(app, arrived, &owner.shops[0]),
            ..row.account
        };
        let name = account.name.clone();
        self.store.update_account(Some(new), account).await?;
        self.handles.forget(&name);
        // A cross-border seller's other shops become accounts of their own.
        let others: Vec<&ReplyShop> = owner.shops.iter().skip(1).collect();
        if !others.is_empty() {
            self.add(app, None, id, Some(name), arrived, &others).await?;
        }
        self.accounts_using(app, id).await
    }

    /// Seals the tokens for a new authorisation.
    fn first_row(&self, app: &Arc<AppState>, arrived: &Arrived) -> AuthorisationRow {
        let id = Id::new(self.clock.as_ref());
        let label = arrived.reply.owner.login.clone().unwrap_or_default();
        let new = Authorisation::new(id, label, app.clone(), arrived.urls.clone());
        let tokens = self.columns(&new, &arrived.reply, None, arrived.at);
        AuthorisationRow { tokens, ..blank(id, app.id, arrived.region.clone(), self.now()) }
    }

    /// Adds accounts for shops, under free names.
    async fn add(
        &self,
        app: &Arc<AppState>,
        authorisation: Option<AuthorisationRow>,
        id: Id,
        base: Option<String>,
        arrived: &Arrived,
        shops: &[&ReplyShop],
    ) -> Result<()> {
        let owner = &arrived.reply.owner;
        let several = owner.shops.len() > 1;
        let chosen = base.is_some();
        let base =
            base.or_else(|| owner.login.as_deref().and_then(name::from_platform)).unwrap_or_else(|| {
                format!("{}-{}", app.platform.name, owner.shops[0].shop_id.as_deref().unwrap_or("shop"))
            });
        for _ in 0..8 {
            let taken = self.store.accounts().await?;
            let is_taken = |name: &str| taken.iter().any(|row| row.account.name == name);
            let mut accounts: Vec<AccountRow> = Vec::with_capacity(shops.len());
            for shop in shops {
                let wanted = match (&shop.country, several) {
                    (Some(country), true) => format!("{base}-{country}"),
                    _ => base.clone(),
                };
                // Two platforms may know the same login name.
                let wanted =
                    if !chosen && is_taken(&wanted) { format!("{wanted}-{}", app.name) } else { wanted };
                let name = name::first_free(&wanted, |name| {
                    is_taken(name) || accounts.iter().any(|account| account.name == name)
                });
                accounts.push(AccountRow {
                    id: Id::new(self.clock.as_ref()),
                    name,
                    app_id: app.id,
                    authorisation_id: id,
                    login: owner.login.clone(),
                    shop_id: shop.shop_id.clone(),
                    country: shop.country.clone(),
                    region: region_of(app, arrived, shop),
                    created_at: self.now(),
                });
            }
            if self.insist(|| self.store.add_accounts(authorisation.clone(), accounts.clone())).await? {
                return Ok(());
            }
        }
        Err(account_taken(&base))
    }

    /// Tries a write again for a second or so: the code that paid for it is spent.
    async fn insist<'a, T>(&self, write: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
        let mut pause = Duration::from_millis(200);
        for _ in 0..3 {
            match write().await {
                Err(error) if error.is_retryable() => tracing::warn!("a login cannot be stored yet: {error}"),
                done => return done,
            }
            self.clock.sleep(pause).await;
            pause *= 2;
        }
        write().await
    }

    async fn accounts_using(&self, app: &AppState, id: Id) -> Result<Vec<Account>> {
        let rows = self.store.accounts_of(app.id).await?;
        Ok(rows.iter().filter(|row| row.authorisation.id == id).map(|row| self.shown(row)).collect())
    }
}

/// The region whose hosts a shop's calls go to: the chosen one, else that of its country.
fn region_of(app: &AppState, arrived: &Arrived, shop: &ReplyShop) -> Option<String> {
    let by_country = || {
        shop.country
            .as_deref()
            .filter(|country| app.platform.region(Some(country)).is_some())
            .map(str::to_owned)
    };
    if arrived.reply.owner.shops.len() > 1 {
        // One region cannot serve shops of several countries.
        return by_country().or_else(|| arrived.region.clone());
    }
    arrived.region.clone().or_else(by_country)
}

fn other_shop(row: &FullRow, arrived: &Arrived) -> Error {
    let who = |login: Option<&str>, shop: Option<&str>| match (login, shop) {
        (Some(login), Some(shop)) => format!("{login} (id {shop})"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "an unnamed shop".to_owned(),
    };
    let owner = &arrived.reply.owner;
    let theirs = who(owner.login.as_deref(), owner.shops.first().and_then(|shop| shop.shop_id.as_deref()));
    let ours = who(row.account.login.as_deref(), row.account.shop_id.as_deref());
    Error::new(
        ErrorKind::Authorisation,
        sesame_core::scalar::printable(&format!(
            "the approval came from another shop: account {:?} is {ours}, the tokens are those of {theirs}; nothing was overwritten",
            row.account.name
        )),
    )
    .fault_of(Fault::Seller)
    .hint("Log in to the platform as the right shop and try again; or choose another --as name; or add --replace-shop if the account is meant to become the other shop.")
}
