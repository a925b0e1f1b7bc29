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
    audit::Action,
    authorisation::Authorisation,
    identity::{Identity, Match, ReplyShop},
    journal::Reserve,
    name,
    oauth::reply::TokenReply,
    store::{AccountRow, AuthorisationRow, FullRow, NewRows, Notes},
    vault::{Inner, account_taken, blank},
    warnings::News,
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
    /// Stores a login's tokens where they belong.
    ///
    /// `reserve` is room on the disk: for the journal where an account's tokens are replaced, for the
    /// store where there is nothing yet that a journal entry could belong to.
    pub(crate) async fn store_login(
        self: &Arc<Self>,
        app: &Arc<AppState>,
        options: &LoginOptions,
        target: Target,
        arrived: Arrived,
        reserve: Reserve,
    ) -> Result<Vec<Account>> {
        let fields = &app.platform.tokens.identity;
        let theirs = &arrived.reply.owner.identity;
        let compare =
            |row: &FullRow| Identity::parse(&row.authorisation.tokens.identity).compare(theirs, fields);
        if let Target::Existing(row) = target {
            return match compare(&row) {
                Match::Same => self.renew(app, options, &row, &arrived, None, Some(&reserve)).await,
                // Imported tokens: whose they are is learned now.
                Match::Unknown if is_nobody(&row) => {
                    self.renew(app, options, &row, &arrived, None, Some(&reserve)).await
                }
                _ if options.replace_shop => {
                    drop(reserve);
                    self.replace_shop(app, *row, &arrived).await
                }
                Match::Unknown => Err(unnamed_shop(&row)),
                Match::Other => Err(other_shop(&row, &arrived)),
            };
        }
        let wanted = match target {
            Target::New(name) => Some(name),
            _ => None,
        };
        let mut reserve = Some(reserve);
        let is_same = |row: &FullRow| row.app.id == app.id && compare(row) == Match::Same;
        // Two logins of one shop may run at once. Each chooses its name before it looks for the shop: the
        // other's account is found, or it takes that name and sends this one back here.
        for _ in 0..8 {
            let new = self.new_rows(app, wanted.as_deref(), &arrived).await;
            if let Some(row) = self.insist(|| Box::pin(self.find_account(is_same))).await? {
                // The same shop under one more name: both names share the one pair of tokens, since
                // a second pair could end the first.
                let held = match reserve.take() {
                    // Without room the store alone has to take them.
                    None => self.reserve(row.authorisation.id).await.ok(),
                    held => held,
                };
                return self.renew(app, options, &row, &arrived, wanted, held.as_ref()).await;
            }
            drop(reserve.take());
            let new = new?;
            let notes = self.login_line(&new.accounts[0].name, new.authorisations[0].id);
            if self.insist(|| self.store.add(&new, &notes)).await? {
                return self.accounts_using(new.authorisations[0].id).await;
            }
        }
        Err(Error::local("other programs keep adding accounts under this login's name; nothing was stored")
            .retry_when(Retry::Backoff))
    }

    /// New tokens for a shop that is known, under one more name if one is wanted.
    async fn renew(
        self: &Arc<Self>,
        app: &Arc<AppState>,
        options: &LoginOptions,
        row: &FullRow,
        arrived: &Arrived,
        wanted: Option<String>,
        reserve: Option<&Reserve>,
    ) -> Result<Vec<Account>> {
        let id = row.authorisation.id;
        let shared = self.authorisation(app, &row.authorisation, &row.account.name)?;
        // A refresh may replace the tokens at the same time; the login is newer, so it tries again.
        let mut stored = None;
        for _ in 0..8 {
            let now = match self.insist(|| Box::pin(self.row_of(&shared))).await {
                // The store is away: the row as it was a moment ago leads the tokens into the journal.
                Err(error) if error.is_retryable() => row.authorisation.clone(),
                now => now?,
            };
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
            let after = AuthorisationRow { tokens: tokens.clone(), ..now.clone() };
            let notes = self.news_of_tokens(&shared, &after, Action::Login).await;
            if self.keep(&shared, now.generation, &tokens, reserve, notes, true).await? {
                stored = Some(AuthorisationRow {
                    generation: now.generation.saturating_add(1),
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
        self.install_row(&shared, &stored);
        shared.quiet_until.store(i64::MIN, Ordering::Release);
        self.learn_shops(app, options, id, wanted, arrived).await.map_err(|error| {
            error.context("the shop's new tokens are kept, but what else the login said of it is not")
        })
    }

    /// Writes down what a login said of known shops, and adds those that are new in its listing.
    async fn learn_shops(
        &self,
        app: &Arc<AppState>,
        options: &LoginOptions,
        id: Id,
        wanted: Option<String>,
        arrived: &Arrived,
    ) -> Result<Vec<Account>> {
        let shops = &arrived.reply.owner.shops;
        let known = self.insist(|| self.store.accounts_using(id)).await?;
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
                let nothing_more = Notes::default();
                self.insist(|| self.store.update_account(None, &account, &nothing_more)).await?;
            }
        }
        let one_more_name = wanted.filter(|name| !known.iter().any(|row| row.account.name == *name));
        let unknown: Vec<&ReplyShop> = if shops.len() > 1 {
            shops.iter().filter(|shop| !known.iter().any(|row| row.account.country == shop.country)).collect()
        } else if one_more_name.is_some() {
            shops.iter().collect()
        } else {
            Vec::new()
        };
        if !unknown.is_empty() {
            let base = one_more_name.or_else(|| options.as_name.clone());
            self.add(app, id, base.as_deref(), arrived, &unknown).await?;
        }
        self.accounts_using(id).await
    }

    /// The rows of a shop that is not known yet, under names that are free now.
    async fn new_rows(&self, app: &Arc<AppState>, name: Option<&str>, arrived: &Arrived) -> Result<NewRows> {
        let row = self.first_row(app, arrived);
        let shops: Vec<&ReplyShop> = arrived.reply.owner.shops.iter().collect();
        let accounts = self.name_accounts(app, row.id, name, arrived, &shops).await?;
        Ok(NewRows { authorisations: vec![row], accounts, ..NewRows::default() })
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
        let mut notes = self.login_line(&name, id);
        if row.authorisation.exhausted.is_some() {
            let now = FullRow { account: account.clone(), app: row.app, authorisation: new.clone() };
            notes.events.push(self.event_of(&new, &[now], News::Recovered));
        }
        self.insist(|| self.store.update_account(Some(&new), &account, &notes)).await?;
        self.handles.forget(&name);
        self.forget_waiting(row.authorisation.id).await;
        // A cross-border seller's other shops become accounts of their own.
        let others: Vec<&ReplyShop> = owner.shops.iter().skip(1).collect();
        if !others.is_empty() {
            self.add(app, id, Some(&name), arrived, &others).await?;
        }
        self.accounts_using(id).await
    }

    /// What is written down of a login.
    fn login_line(&self, label: &str, id: Id) -> Notes {
        Notes { audit: vec![self.line(Action::Login, label, Some(id), None)], ..Notes::default() }
    }

    /// Seals the tokens for a new authorisation.
    fn first_row(&self, app: &Arc<AppState>, arrived: &Arrived) -> AuthorisationRow {
        let id = Id::new(self.clock.as_ref());
        let label = arrived.reply.owner.login.clone().unwrap_or_default();
        let new = Authorisation::new(id, label, app.clone(), arrived.urls.clone());
        let tokens = self.columns(&new, &arrived.reply, None, arrived.at);
        AuthorisationRow { tokens, ..blank(id, app.id, arrived.region.clone(), self.now()) }
    }

    /// Adds accounts for shops of an authorisation that stands, under free names.
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
            .retry_when(Retry::Backoff))
    }

    /// Makes accounts for shops: under the chosen name, or under free ones.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the name that a person chose for one shop is taken.
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
                    self.insist(|| Box::pin(self.free_account_name(&of_app, given))).await?
                }
                _ => self.insist(|| Box::pin(self.free_account_name(&wanted, given))).await?,
            };
            accounts.push(AccountRow {
                id: Id::new(self.clock.as_ref()),
                name,
                app_id: app.id,
                authorisation_id: id,
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
        Ok(rows.iter().map(|row| self.shown(row)).collect())
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

/// Tells whether nobody knows yet whose the account is: its tokens were imported.
fn is_nobody(row: &FullRow) -> bool {
    Identity::parse(&row.authorisation.tokens.identity) == Identity::default()
}

fn who(login: Option<&str>, shop: Option<&str>) -> String {
    match (login, shop) {
        (Some(login), Some(shop)) => format!("{login} (id {shop})"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "an unnamed shop".to_owned(),
    }
}

fn unnamed_shop(row: &FullRow) -> Error {
    let ours = who(row.account.login.as_deref(), row.account.shop_id.as_deref());
    Error::new(
        ErrorKind::Authorisation,
        sesame_core::scalar::printable(&format!(
            "the platform did not say whose tokens these are, and account {:?} is {ours}; nothing was overwritten",
            row.account.name
        )),
    )
    .fault_of(Fault::Platform)
    .hint("Log in again; if the platform still names no shop, choose another --as name, or add --replace-shop if you are sure whose approval it was.")
}

fn other_shop(row: &FullRow, arrived: &Arrived) -> Error {
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
