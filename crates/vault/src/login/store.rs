//! Where a login's tokens go: to the account they belong to, to a new one, or nowhere.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sesame_catalog::Urls;
use sesame_core::{BoxFuture, Error, Result, Retry};

use super::{
    LoginOptions, Logins,
    refusals::{not_named, other_country, other_shop, unnamed_shop},
};
use crate::{
    accounts::{Account, account_taken, app::AppState, authorization::Authorization},
    events::Action,
    model::{
        Id, Warning,
        identity::{Identity, Match, ReplyShop, SHOP_LIMIT},
        name,
    },
    oauth::reply::TokenReply,
    refresh::{IdentityQuery, Reservation, region_of_country, shop_of, speaks_of},
    store::{AccountRow, AuthorizationRow, FullRow, NewRows, Notes, TokenColumns},
};

/// The account a login is for.
pub(crate) enum LoginTarget {
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

impl Logins {
    /// Stores a login's tokens where they belong.
    ///
    /// `reservation` is room on the disk: for the journal where an account's tokens are replaced, for the
    /// store where there is nothing yet that a journal entry could belong to.
    pub(super) async fn place(
        &self,
        app: &Arc<AppState>,
        options: &LoginOptions,
        target: LoginTarget,
        arrived: Arrived,
        reservation: Reservation,
    ) -> Result<Vec<Account>> {
        let fields = &app.platform.tokens.identity;
        let owner = &arrived.reply.owner;
        if owner.left_out > 0 {
            self.warnings.warn(Warning::new(format!(
                "the platform lists {} shops for this approval: the first {SHOP_LIMIT} become accounts",
                owner.shops.len() + owner.left_out
            )));
        }
        let query = IdentityQuery { app, owner };
        if let LoginTarget::Existing(row) = target {
            let former = Identity::parse(&row.authorization.tokens.identity);
            let found = former.compare(&owner.identity, fields);
            let is_theirs = match found {
                Match::Same => speaks_of(&row.account, owner, fields),
                // Imported tokens: whose they are is learned now.
                Match::Unknown => former == Identity::default(),
                Match::Other => false,
            };
            if is_theirs {
                return self.renew(app, options, &row, &arrived, None, Some(&reservation)).await;
            }
            if options.replace_shop {
                drop(reservation);
                return self.replace_shop(app, options, *row, &arrived).await;
            }
            return Err(match found {
                Match::Same => other_country(&row, owner),
                Match::Unknown => unnamed_shop(&row),
                Match::Other => other_shop(&row, owner),
            });
        }
        let wanted = match target {
            LoginTarget::New(name) => Some(name),
            _ => None,
        };
        let mut reservation = Some(reservation);
        // Two logins of one shop may run at once. Each chooses its name before it looks for the shop: the
        // other's account is found, or it takes that name and sends this one back here.
        for _ in 0..8 {
            let new = self.new_rows(app, wanted.as_deref(), &arrived).await;
            if let Some(row) = self.insist(|| Box::pin(self.merger.known_shop(query))).await? {
                // The same shop under one more name: both names share the one pair of tokens, since
                // a second pair could end the first.
                let held = match reservation.take() {
                    // Without room the store alone has to take them.
                    None => self.replay.journal.reserve().await.ok(),
                    held => held,
                };
                return self.renew(app, options, &row, &arrived, wanted, held.as_ref()).await;
            }
            drop(reservation.take());
            let new = new?;
            let notes = self.login_line(&new.accounts[0].name, new.authorizations[0].id);
            if self.insist(|| self.store.add(&new, &notes)).await? {
                return self.accounts_using(new.authorizations[0].id).await;
            }
        }
        Err(Error::local("other programs keep adding accounts under this login's name; nothing was stored")
            .with_retry(Retry::Backoff))
    }

    /// New tokens for a shop that is known, under one more name if one is wanted.
    async fn renew(
        &self,
        app: &Arc<AppState>,
        options: &LoginOptions,
        row: &FullRow,
        arrived: &Arrived,
        wanted: Option<String>,
        reservation: Option<&Reservation>,
    ) -> Result<Vec<Account>> {
        let stored = self.renew_tokens(app, row, arrived, reservation).await?;
        self.merger.merge(IdentityQuery { app, owner: &arrived.reply.owner }, &stored).await;
        let former = Identity::parse(&row.authorization.tokens.identity);
        // Where no account was named, all shops of the approval were meant.
        let former = (options.as_name.is_some() && wanted.is_none()).then_some(&former);
        self.learn_shops(app, options, stored.id, wanted, former, arrived).await
    }

    /// Replaces the tokens of an authorization by those of a login; returns them as they are stored.
    async fn renew_tokens(
        &self,
        app: &Arc<AppState>,
        row: &FullRow,
        arrived: &Arrived,
        reservation: Option<&Reservation>,
    ) -> Result<AuthorizationRow> {
        let id = row.authorization.id;
        let shared = self.accounts.authorization(app, &row.authorization, &row.account.name)?;
        // A refresh may replace the tokens at the same time; the login is newer, so it tries again.
        for _ in 0..8 {
            let now = match self.insist(|| Box::pin(self.row_of(&shared))).await {
                // The store is away: the row as it was a moment ago leads the tokens into the journal.
                Err(error) if error.is_retryable() => row.authorization.clone(),
                now => now?,
            };
            // The end of the former refresh token says nothing about the new approval's.
            let former = AuthorizationRow {
                tokens: TokenColumns { refresh_expires_at: None, refresh: None, ..now.tokens.clone() },
                ..now.clone()
            };
            let tokens = self.tokens.columns(&shared, &arrived.reply, Some(&former), arrived.at);
            let after = AuthorizationRow { tokens: tokens.clone(), ..now.clone() };
            let notes = self.tokens.notes(&shared, &after, Action::Login).await;
            if self.tokens.persist(&shared, now.generation, &tokens, reservation, notes, true).await? {
                let stored = AuthorizationRow {
                    generation: now.generation.saturating_add(1),
                    tokens,
                    ..AuthorizationRow::new(id, app.id, None, self.now())
                };
                self.accounts.install(&shared, &stored);
                shared.defer_until(i64::MIN);
                return Ok(stored);
            }
        }
        Err(Error::local("other programs keep replacing this account's tokens").with_retry(Retry::Backoff))
    }

    async fn row_of(&self, authorization: &Authorization) -> Result<AuthorizationRow> {
        self.store.authorization(authorization.id).await?.ok_or_else(|| {
            Error::usage(format!("account {:?} was removed from the vault", authorization.label))
        })
    }

    /// Writes down what a login said of known shops, and adds those that are new in its listing: all that
    /// no account is, or only those in countries that the identity `former` does not list. What it listed
    /// and no account is was logged out.
    async fn learn_shops(
        &self,
        app: &Arc<AppState>,
        options: &LoginOptions,
        id: Id,
        wanted: Option<String>,
        former: Option<&Identity>,
        arrived: &Arrived,
    ) -> Result<Vec<Account>> {
        let learned = self.learn_known(app, id, arrived).await;
        let added = match learned {
            Ok(known) => self.add_unknown(app, options, id, wanted, former, arrived, &known).await,
            Err(error) => Err(error),
        };
        added.map_err(|error| {
            error.context("the shop's new tokens are kept, but what else the login said of it is not")
        })?;
        self.accounts_using(id).await
    }

    /// Writes down what a login said of the accounts that use an authorization; returns them.
    async fn learn_known(&self, app: &AppState, id: Id, arrived: &Arrived) -> Result<Vec<AccountRow>> {
        let fields = &app.platform.tokens.identity;
        let owner = &arrived.reply.owner;
        let known = self.insist(|| self.store.accounts_using(id)).await?;
        let mut accounts = Vec::with_capacity(known.len());
        let mut left_out = Vec::new();
        for full in &known {
            let mut account = full.account.clone();
            if let Some(shop) = shop_of(&account, owner, fields, known.len() == 1) {
                account.login = owner.login.clone().or(account.login);
                account.shop_id = shop.shop_id.clone().or(account.shop_id);
                account.country = shop
                    .country
                    .clone()
                    .or(account.country)
                    .filter(|country| Some(country) != fields.cross_border.as_ref());
                account.region = account.region.or_else(|| region_of(app, arrived, shop));
                self.insist(|| Box::pin(self.accounts.update(&full.account, &account))).await?;
            } else if !speaks_of(&account, owner, fields) {
                left_out.push(account.name.clone());
            }
            accounts.push(account);
        }
        if !left_out.is_empty() {
            self.warnings.warn(not_named(&left_out));
        }
        Ok(accounts)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of what a login said")]
    async fn add_unknown(
        &self,
        app: &Arc<AppState>,
        options: &LoginOptions,
        id: Id,
        wanted: Option<String>,
        former: Option<&Identity>,
        arrived: &Arrived,
        known: &[AccountRow],
    ) -> Result<()> {
        let shops = &arrived.reply.owner.shops;
        let one_more_name = wanted.filter(|name| !known.iter().any(|account| account.name == *name));
        let is_known = |shop: &ReplyShop| known.iter().any(|account| account.country == shop.country);
        let was_listed = |shop: &ReplyShop| {
            let country = shop.country.as_deref();
            former.zip(country).is_some_and(|(former, country)| former.lists(country))
        };
        let unknown: Vec<&ReplyShop> = if shops.len() > 1 {
            shops.iter().filter(|shop| !is_known(shop) && !was_listed(shop)).collect()
        } else if one_more_name.is_some() {
            shops.iter().collect()
        } else {
            Vec::new()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let base = one_more_name.or_else(|| options.as_name.clone());
        self.add(app, id, base.as_deref(), arrived, &unknown).await
    }

    /// The rows of a shop that is not known yet, under names that are free now.
    async fn new_rows(&self, app: &Arc<AppState>, name: Option<&str>, arrived: &Arrived) -> Result<NewRows> {
        let row = self.first_row(app, arrived);
        let shops: Vec<&ReplyShop> = arrived.reply.owner.shops.iter().collect();
        let accounts = self.name_accounts(app, row.id, name, arrived, &shops).await?;
        Ok(NewRows { authorizations: vec![row], accounts, ..NewRows::default() })
    }

    /// Lets an account become another shop, as it was told to. Where that shop is known under another
    /// name, both share its tokens from now on.
    async fn replace_shop(
        &self,
        app: &Arc<AppState>,
        options: &LoginOptions,
        row: FullRow,
        arrived: &Arrived,
    ) -> Result<Vec<Account>> {
        let owner = &arrived.reply.owner;
        let query = IdentityQuery { app, owner };
        let known = self.insist(|| Box::pin(self.merger.known_shop(query))).await?;
        let (to, former) = match &known {
            Some(known) => {
                // Without room the store alone has to take them.
                let held = self.replay.journal.reserve().await.ok();
                let to = self.renew_tokens(app, known, arrived, held.as_ref()).await?;
                (to, Identity::parse(&known.authorization.tokens.identity))
            }
            None => (self.first_row(app, arrived), Identity::default()),
        };
        let own =
            owner.shops.iter().find(|shop| shop.country.is_some() && shop.country == row.account.country);
        let shop = own.unwrap_or(&owner.shops[0]);
        let account = AccountRow {
            authorization_id: to.id,
            login: owner.login.clone(),
            shop_id: shop.shop_id.clone(),
            country: shop.country.clone(),
            region: region_of(app, arrived, shop),
            ..row.account.clone()
        };
        let is_new = known.is_none();
        self.insist(|| Box::pin(self.merger.move_account(&row, &account, &to, is_new, Action::Login)))
            .await?;
        self.merger.merge(query, &to).await;
        // A cross-border seller's other shops become accounts of their own.
        self.learn_shops(app, options, to.id, None, Some(&former), arrived).await
    }

    /// What is written down of a login.
    fn login_line(&self, label: &str, id: Id) -> Notes {
        Notes { audit: vec![self.events.audit_row(Action::Login, label, Some(id), None)], ..Notes::default() }
    }

    /// Seals the tokens for a new authorization.
    fn first_row(&self, app: &Arc<AppState>, arrived: &Arrived) -> AuthorizationRow {
        let id = Id::new(self.clock.as_ref());
        let label = arrived.reply.owner.login.clone().unwrap_or_default();
        let new = Authorization::new(id, label, app.clone(), arrived.urls.clone());
        let tokens = self.tokens.columns(&new, &arrived.reply, None, arrived.at);
        AuthorizationRow { tokens, ..AuthorizationRow::new(id, app.id, arrived.region.clone(), self.now()) }
    }

    /// Adds accounts for shops of an authorization that stands, under free names.
    async fn add(
        &self,
        app: &Arc<AppState>,
        id: Id,
        base: Option<&str>,
        arrived: &Arrived,
        shops: &[&ReplyShop],
    ) -> Result<()> {
        for _ in 0..8 {
            let accounts = self.name_accounts(app, id, base, arrived, shops).await?;
            let rows = NewRows { accounts, ..NewRows::default() };
            let notes = Notes::default();
            if self.insist(|| self.store.add(&rows, &notes)).await? {
                return Ok(());
            }
        }
        Err(Error::local("other programs keep adding accounts under this login's name")
            .with_retry(Retry::Backoff))
    }

    /// Makes accounts for shops: under the chosen name, or under free ones.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the name that a person chose for one shop is taken.
    async fn name_accounts(
        &self,
        app: &Arc<AppState>,
        id: Id,
        chosen: Option<&str>,
        arrived: &Arrived,
        shops: &[&ReplyShop],
    ) -> Result<Vec<AccountRow>> {
        let owner = &arrived.reply.owner;
        let several = owner.shops.len() > 1;
        let of_platform = || {
            owner.login.as_deref().and_then(name::from_platform).unwrap_or_else(|| {
                format!("{}-{}", app.platform.name, owner.shops[0].shop_id.as_deref().unwrap_or("shop"))
            })
        };
        let base = chosen.map_or_else(of_platform, str::to_owned);
        if chosen.is_some() && !several && self.is_taken(&base).await? {
            return Err(account_taken(&base).context("the tokens were not stored"));
        }
        let mut accounts: Vec<AccountRow> = Vec::with_capacity(shops.len());
        for shop in shops {
            let wanted = match (&shop.country, several) {
                (Some(country), true) => format!("{base}-{country}"),
                _ => base.clone(),
            };
            let given = |name: &str| accounts.iter().any(|account| account.name == name);
            let name = match chosen {
                Some(_) if !several => wanted,
                // Two platforms may know the same login name.
                None if self.is_taken(&wanted).await? => {
                    let of_app = format!("{wanted}-{}", app.name);
                    self.insist(|| Box::pin(self.accounts.free_name(&of_app, given))).await?
                }
                _ => self.insist(|| Box::pin(self.accounts.free_name(&wanted, given))).await?,
            };
            accounts.push(AccountRow {
                id: Id::new(self.clock.as_ref()),
                name,
                app_id: app.id,
                authorization_id: id,
                login: owner.login.clone(),
                shop_id: shop.shop_id.clone(),
                country: shop.country.clone(),
                region: region_of(app, arrived, shop),
                tags: Vec::new(),
                created_at: self.now(),
            });
        }
        Ok(accounts)
    }

    async fn is_taken(&self, name: &str) -> Result<bool> {
        Ok(self.insist(|| self.store.account(name)).await?.is_some())
    }

    /// Tries again for a second or so what the store cannot do just now: the code is spent, and the
    /// tokens that it brought are nowhere else.
    async fn insist<'a, T>(&self, ask: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
        let mut pause = Duration::from_millis(200);
        for _ in 0..3 {
            match ask().await {
                Err(error) if error.is_retryable() => tracing::warn!("a login cannot be stored yet: {error}"),
                done => return done,
            }
            self.clock.sleep(pause).await;
            pause *= 2;
        }
        ask().await
    }

    async fn accounts_using(&self, id: Id) -> Result<Vec<Account>> {
        let rows = self.insist(|| self.store.accounts_using(id)).await?;
        Ok(rows.iter().map(|row| self.accounts.shown(row)).collect())
    }
}

/// The region whose hosts a shop's calls go to: the chosen one, else that of its country.
fn region_of(app: &AppState, arrived: &Arrived, shop: &ReplyShop) -> Option<String> {
    let by_country = || region_of_country(app.platform, shop.country.as_deref());
    if arrived.reply.owner.shops.len() > 1 {
        // One region cannot serve shops of several countries.
        return by_country().or_else(|| arrived.region.clone());
    }
    arrived.region.clone().or_else(by_country)
}
