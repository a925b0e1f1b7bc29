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
        identity::{Identity, Match, Owner, ReplyShop, SHOP_LIMIT},
        name,
    },
    oauth::reply::TokenReply,
    refresh::{IdentityQuery, Reservation, may_be_about, region_of_country, shop_of},
    store::{AccountRow, AuthorizationRow, FullRow, NewRows, Notes},
};

/// Tokens that a code was exchanged for, and what was asked for.
#[derive(Clone)]
pub(super) struct Arrived {
    pub(super) app: Arc<AppState>,
    pub(super) options: LoginOptions,
    pub(super) reply: TokenReply,
    pub(super) region: Option<String>,
    pub(super) urls: Urls,
    pub(super) at: Timestamp,
}

impl Arrived {
    fn owner(&self) -> &Owner {
        &self.reply.owner
    }

    fn query(&self) -> IdentityQuery<'_> {
        IdentityQuery { app: &self.app, owner: &self.reply.owner }
    }

    /// The region whose hosts a shop's calls go to: the chosen one, else that of its country.
    fn region_of(&self, shop: &ReplyShop) -> Option<String> {
        let by_country = || region_of_country(self.app.platform, shop.country.as_deref());
        if self.owner().shops.len() > 1 {
            // One region cannot serve shops of several countries.
            return by_country().or_else(|| self.region.clone());
        }
        self.region.clone().or_else(by_country)
    }
}

impl Logins {
    /// Stores a login's tokens where they belong. `target` is the account that was named, if there is one.
    ///
    /// `reservation` is room on the disk: for the journal where an account's tokens are replaced, for the
    /// store where there is nothing yet that a journal entry could belong to.
    pub(super) async fn place(
        &self,
        target: Option<FullRow>,
        arrived: Arrived,
        reservation: Reservation,
    ) -> Result<Vec<Account>> {
        let fields = &arrived.app.platform.tokens.identity;
        let owner = arrived.owner();
        if owner.left_out > 0 {
            self.warnings.warn(Warning::new(format!(
                "the platform lists {} shops for this approval: the first {SHOP_LIMIT} become accounts",
                owner.shops.len() + owner.left_out
            )));
        }
        if let Some(row) = target {
            let former = Identity::parse(&row.authorization.tokens.identity);
            let found = former.compare(&owner.identity, fields);
            let is_theirs = match found {
                Match::Same => may_be_about(&row.account, owner, fields),
                // Imported tokens: whose they are is learned now.
                Match::Unknown => former == Identity::default(),
                Match::Other => false,
            };
            if is_theirs {
                return self.renew(&row, &arrived, None, Some(&reservation)).await;
            }
            if arrived.options.replace_shop {
                drop(reservation);
                return self.replace_shop(row, &arrived).await;
            }
            return Err(match found {
                Match::Same => other_country(&row, owner),
                Match::Unknown => unnamed_shop(&row),
                Match::Other => other_shop(&row, owner),
            });
        }
        let wanted = arrived.options.as_name.as_deref();
        let mut reservation = Some(reservation);
        // Two logins of one shop may run at once. Each chooses its name before it looks for the shop: the
        // other's account is found, or it takes that name and sends this one back here.
        for _ in 0..8 {
            let new = self.new_rows(&arrived).await;
            if let Some(row) = self.insist(|| Box::pin(self.refresher.known_shop(arrived.query()))).await? {
                // The same shop under one more name: both names share the one pair of tokens, since
                // a second pair could end the first.
                let held = match reservation.take() {
                    // Without room the store alone has to take them.
                    None => self.refresher.replay.journal.reserve().await.ok(),
                    held => held,
                };
                return self.renew(&row, &arrived, wanted, held.as_ref()).await;
            }
            drop(reservation.take());
            let new = new?;
            let (id, name) = (new.authorizations[0].id, &new.accounts[0].name);
            let line = self.events.audit_row(Action::Login, name, Some(id), None);
            let notes = Notes { audit: vec![line], ..Notes::default() };
            match self.insist(|| self.store.add(&new, &notes)).await {
                Ok(true) => return self.accounts_using(id).await,
                Ok(false) => {}
                Err(error) if error.is_retryable() => return Err(error),
                // A text that the store takes under no circumstances must not cost the tokens.
                Err(error) => return self.place_unnamed(arrived, error).await,
            }
        }
        Err(Error::local("other programs keep adding accounts under this login's name; nothing was stored")
            .with_retry(Retry::Backoff))
    }

    /// Stores tokens without what the platform says of their shop: a refresh tells it again.
    async fn place_unnamed(&self, mut arrived: Arrived, refused: Error) -> Result<Vec<Account>> {
        arrived.reply.owner = Owner { shops: vec![ReplyShop::default()], ..Owner::default() };
        let new = self.new_rows(&arrived).await?;
        let notes = Notes::default();
        let Ok(true) = self.insist(|| self.store.add(&new, &notes)).await else { return Err(refused) };
        self.warnings.warn(Warning::new(format!(
            "the tokens are stored, but not whose they are, which the vault does not take: {refused}"
        )));
        self.accounts_using(new.authorizations[0].id).await
    }

    /// New tokens for a shop that is known, under one more name if one is wanted.
    async fn renew(
        &self,
        row: &FullRow,
        arrived: &Arrived,
        wanted: Option<&str>,
        reservation: Option<&Reservation>,
    ) -> Result<Vec<Account>> {
        let stored = self.renew_tokens(row, arrived, reservation).await?;
        self.refresher.merge(arrived.query(), &stored).await;
        let former = Identity::parse(&row.authorization.tokens.identity);
        // Where no account was named, all shops of the approval were meant.
        let former = (arrived.options.as_name.is_some() && wanted.is_none()).then_some(&former);
        self.learn_shops(stored.id, wanted, former, arrived).await
    }

    /// Replaces the tokens of an authorization by those of a login; returns them as they are stored.
    async fn renew_tokens(
        &self,
        row: &FullRow,
        arrived: &Arrived,
        reservation: Option<&Reservation>,
    ) -> Result<AuthorizationRow> {
        let writer = &self.refresher.tokens;
        let shared = self.accounts.authorization(&arrived.app, &row.authorization, &row.account.name)?;
        // A refresh may replace the tokens at the same time; the login is newer, so it tries again.
        for _ in 0..8 {
            let now = match self.insist(|| self.store.authorization(shared.id)).await {
                // The store is away: the row as it was a moment ago leads the tokens into the journal.
                Err(error) if error.is_retryable() => row.authorization.clone(),
                now => now?.ok_or_else(|| {
                    Error::usage(format!("account {:?} was removed from the vault", shared.label))
                })?,
            };
            // The end of the former refresh token says nothing about the new approval's.
            let mut former = now.clone();
            (former.tokens.refresh, former.tokens.refresh_expires_at) = (None, None);
            let tokens = writer.columns(&shared, &arrived.reply, Some(&former), arrived.at);
            let after = AuthorizationRow { tokens, ..now };
            let notes = writer.notes(&shared, &after, Action::Login).await;
            if writer.persist(&shared, after.generation, &after.tokens, reservation, notes, true).await? {
                let stored = AuthorizationRow {
                    generation: after.generation.saturating_add(1),
                    tokens: after.tokens,
                    ..AuthorizationRow::new(shared.id, arrived.app.id, None, self.now())
                };
                self.accounts.install(&shared, &stored);
                shared.defer_until(i64::MIN);
                return Ok(stored);
            }
        }
        Err(Error::local("other programs keep replacing this account's tokens").with_retry(Retry::Backoff))
    }

    /// Writes down what a login said of known shops, and adds those that are new in its listing: all that
    /// no account is, or only those in countries that the identity `former` does not list. What it listed
    /// and no account is was logged out.
    async fn learn_shops(
        &self,
        id: Id,
        wanted: Option<&str>,
        former: Option<&Identity>,
        arrived: &Arrived,
    ) -> Result<Vec<Account>> {
        let learned = async {
            let known = self.learn_known(id, arrived).await?;
            let wanted = wanted.filter(|name| known.iter().all(|account| account.name != **name));
            let is_new = |shop: &&ReplyShop| {
                let listed = former.zip(shop.country.as_deref());
                known.iter().all(|account| account.country != shop.country)
                    && !listed.is_some_and(|(former, country)| former.lists(country))
            };
            let shops = arrived.owner().shops.iter();
            let new: Vec<&ReplyShop> = match shops.len() {
                1 => shops.filter(|_| wanted.is_some()).collect(),
                _ => shops.filter(is_new).collect(),
            };
            if new.is_empty() {
                return Ok(());
            }
            let base = wanted.or(arrived.options.as_name.as_deref());
            for _ in 0..8 {
                let accounts = self.name_accounts(id, base, arrived, &new).await?;
                let rows = NewRows { accounts, ..NewRows::default() };
                let notes = Notes::default();
                if self.insist(|| self.store.add(&rows, &notes)).await? {
                    return Ok(());
                }
            }
            Err(Error::local("other programs keep adding accounts under this login's name")
                .with_retry(Retry::Backoff))
        };
        learned.await.map_err(|error| {
            error.context("the shop's new tokens are kept, but what else the login said of it is not")
        })?;
        self.accounts_using(id).await
    }

    /// Writes down what a login said of the accounts that use an authorization; returns them.
    async fn learn_known(&self, id: Id, arrived: &Arrived) -> Result<Vec<AccountRow>> {
        let fields = &arrived.app.platform.tokens.identity;
        let owner = arrived.owner();
        let known = self.insist(|| self.store.accounts_using(id)).await?;
        let mut accounts = Vec::with_capacity(known.len());
        let mut left_out = Vec::new();
        for full in &known {
            let mut account = full.account.clone();
            if let Some(shop) = shop_of(&account, owner, fields, known.len() == 1) {
                account.login = owner.login.clone().or(account.login);
                account.shop_id = shop.shop_id.clone().or(account.shop_id);
                let country = shop.country.clone().or(account.country);
                account.country = country.filter(|country| Some(country) != fields.cross_border.as_ref());
                account.region = account.region.or_else(|| arrived.region_of(shop));
                self.insist(|| Box::pin(self.accounts.update(&full.account, &account))).await?;
            } else if !may_be_about(&account, owner, fields) {
                left_out.push(account.name.clone());
            }
            accounts.push(account);
        }
        if !left_out.is_empty() {
            self.warnings.warn(not_named(&left_out));
        }
        Ok(accounts)
    }

    /// The rows of a shop that is not known yet, under names that are free now.
    async fn new_rows(&self, arrived: &Arrived) -> Result<NewRows> {
        let row = self.first_row(arrived);
        let shops: Vec<&ReplyShop> = arrived.owner().shops.iter().collect();
        let name = arrived.options.as_name.as_deref();
        let accounts = self.name_accounts(row.id, name, arrived, &shops).await?;
        Ok(NewRows { authorizations: vec![row], accounts, ..NewRows::default() })
    }

    /// Lets an account become another shop, as the user asked. Where that shop is known under another
    /// name, both share its tokens from now on.
    async fn replace_shop(&self, row: FullRow, arrived: &Arrived) -> Result<Vec<Account>> {
        let known = self.insist(|| Box::pin(self.refresher.known_shop(arrived.query()))).await?;
        let (to, former) = match &known {
            Some(known) => {
                // Without room the store alone has to take them.
                let held = self.refresher.replay.journal.reserve().await.ok();
                let to = self.renew_tokens(known, arrived, held.as_ref()).await?;
                (to, Identity::parse(&known.authorization.tokens.identity))
            }
            None => (self.first_row(arrived), Identity::default()),
        };
        let shops = &arrived.owner().shops;
        let own = shops.iter().find(|shop| shop.country.is_some() && shop.country == row.account.country);
        let shop = own.unwrap_or(&shops[0]);
        let account = AccountRow {
            authorization_id: to.id,
            login: arrived.owner().login.clone(),
            shop_id: shop.shop_id.clone(),
            country: shop.country.clone(),
            region: arrived.region_of(shop),
            ..row.account.clone()
        };
        let is_new = known.is_none();
        self.insist(|| Box::pin(self.refresher.move_account(&row, &account, &to, is_new, Action::Login)))
            .await?;
        self.refresher.merge(arrived.query(), &to).await;
        // A cross-border seller's other shops become accounts of their own.
        self.learn_shops(to.id, None, Some(&former), arrived).await
    }

    /// Seals the tokens for a new authorization.
    fn first_row(&self, arrived: &Arrived) -> AuthorizationRow {
        let (id, app) = (Id::new(self.clock.as_ref()), &arrived.app);
        let label = arrived.owner().login.clone().unwrap_or_default();
        let new = Authorization::new(id, label, app.clone(), arrived.urls.clone());
        let tokens = self.refresher.tokens.columns(&new, &arrived.reply, None, arrived.at);
        AuthorizationRow { tokens, ..AuthorizationRow::new(id, app.id, arrived.region.clone(), self.now()) }
    }

    /// Makes accounts for shops: under the chosen name, or under free ones.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the name that a person chose for one shop is taken.
    async fn name_accounts(
        &self,
        id: Id,
        chosen: Option<&str>,
        arrived: &Arrived,
        shops: &[&ReplyShop],
    ) -> Result<Vec<AccountRow>> {
        let (app, owner) = (&arrived.app, arrived.owner());
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
            let mut name = match (&shop.country, several) {
                (Some(country), true) => format!("{base}-{country}"),
                _ => base.clone(),
            };
            // Two platforms may know the same login name.
            if chosen.is_none() && self.is_taken(&name).await? {
                name = format!("{name}-{}", app.name);
            }
            if chosen.is_none() || several {
                let given = |name: &str| accounts.iter().any(|account| account.name == name);
                name = self.insist(|| Box::pin(self.accounts.free_name(&name, given))).await?;
            }
            accounts.push(AccountRow {
                id: Id::new(self.clock.as_ref()),
                name,
                app_id: app.id,
                authorization_id: id,
                login: owner.login.clone(),
                shop_id: shop.shop_id.clone(),
                country: shop.country.clone(),
                region: arrived.region_of(shop),
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
