//! One shop, one authorization: on some platforms a second approval ends the session of the first, and
//! each refresh of one that of the other. So the accounts of a shop share one pair of tokens, whichever
//! names and apps they have.

use std::collections::HashSet;

use sesame_core::{Result, command_line::quote};

use super::{
    Refresher,
    flight::Flight,
    shops::{country_of, may_be_about, region_of_country, shop_of},
};
use crate::{
    accounts::{
        app::{AppState, app_key_of},
        authorization::{Authorization, open_refresh},
    },
    events::{Action, News},
    model::identity::{Identity, Match, Owner},
    schedule,
    store::{AccountRow, AuthorizationRow, FullRow, Notes},
};

/// Maximum number of ids of a reply that are looked up, and of accounts for each.
const IDS: usize = 32;
const ACCOUNTS: u32 = 100;
/// Ends come as seconds from now, and wander a little.
const SAME_END: i64 = 3_600_000;

/// The shop of a token reply, as one of an app.
#[derive(Clone, Copy)]
pub(crate) struct IdentityQuery<'a> {
    pub(crate) app: &'a AppState,
    pub(crate) owner: &'a Owner,
}

impl IdentityQuery<'_> {
    /// Returns `true` if an account is that shop.
    pub(crate) fn matches(&self, row: &FullRow) -> bool {
        let fields = &self.app.platform.tokens.identity;
        let theirs = Identity::parse(&row.authorization.tokens.identity);
        app_key_of(&row.app) == self.app.key_on_platform()
            && theirs.compare(&self.owner.identity, fields) == Match::Same
            && may_be_about(&row.account, self.owner, fields)
    }
}

/// Returns `true` if a pair that was fetched just now is worth as much as another one of the same shop: that
/// one is older, and does not live longer.
fn outlasts(ours: &AuthorizationRow, theirs: &AuthorizationRow) -> bool {
    if theirs.tokens.issued_at > ours.tokens.issued_at {
        return false;
    }
    match (schedule::ends_at(&ours.tokens), schedule::ends_at(&theirs.tokens)) {
        _ if theirs.exhausted.is_some() => true,
        (Some(ours), Some(theirs)) => ours.saturating_add(SAME_END) >= theirs,
        (None, Some(_)) => false,
        (_, None) => true,
    }
}

/// The accounts of one shop are found, and brought onto one authorization.
impl Refresher {
    /// Finds an account of a shop; one of this very app before others.
    ///
    /// Most are found by an index. The rest is looked through: a reply may name a shop in another way
    /// than the one it was found by before.
    pub(crate) async fn known_shop(&self, query: IdentityQuery<'_>) -> Result<Option<FullRow>> {
        let found = match self.accounts_of(query).await {
            Err(error) if error.is_retryable() => return Err(error),
            // One row that cannot be read spoils a page; the walk passes it over.
            found => found.unwrap_or_default(),
        };
        match found.into_iter().min_by_key(|row| row.app.id != query.app.id) {
            None => self.accounts.find(|row| query.matches(row)).await,
            found => Ok(found),
        }
    }

    /// Returns the accounts of a shop that are found by its ids.
    async fn accounts_of(&self, query: IdentityQuery<'_>) -> Result<Vec<FullRow>> {
        let ids: HashSet<&str> = query.owner.identity.ids().take(IDS).collect();
        let mut found: Vec<FullRow> = Vec::new();
        for id in ids {
            let rows = self.store.accounts_of_shop(&query.app.app_key, id, ACCOUNTS).await?;
            for row in rows {
                if query.matches(&row) && !found.iter().any(|known| known.account.id == row.account.id) {
                    found.push(row);
                }
            }
        }
        found.sort_by_key(|row| row.account.id);
        Ok(found)
    }

    /// Puts an account onto an authorization that is new or stands; its former one goes when no account
    /// uses it any more. `account` is the account as it will be.
    pub(crate) async fn move_account(
        &self,
        row: &FullRow,
        account: &AccountRow,
        to: &AuthorizationRow,
        is_new: bool,
        action: Action,
    ) -> Result<()> {
        let line = self.events.audit_row(action, &account.name, Some(to.id), None);
        let mut notes = Notes { audit: vec![line], ..Notes::default() };
        if row.authorization.exhausted.is_some() && row.authorization.id != to.id {
            let now = FullRow { account: account.clone(), app: row.app.clone(), authorization: to.clone() };
            notes.events.push(self.events.event_of(to, &[now], News::Recovered));
        }
        self.store.update_account(is_new.then_some(to), account, &notes).await?;
        self.accounts.cache.forget(&account.name);
        self.replay.forget(row.authorization.id).await;
        Ok(())
    }

    /// Brings the other accounts of a shop onto the authorization that a login has just renewed: their
    /// own approval is older. The login stands whether that succeeds or not.
    pub(crate) async fn merge(&self, query: IdentityQuery<'_>, to: &AuthorizationRow) {
        let merged = async {
            for row in self.accounts_of(query).await? {
                if row.authorization.id != to.id {
                    let account = AccountRow { authorization_id: to.id, ..row.account.clone() };
                    self.move_account(&row, &account, to, false, Action::Login).await?;
                    tracing::info!(
                        account = account.name,
                        "is the shop of this login, and shares its tokens"
                    );
                }
            }
            Ok::<_, sesame_core::Error>(())
        };
        if let Err(error) = merged.await {
            tracing::warn!("other accounts of the shop of this login keep tokens of their own: {error}");
        }
    }

    /// Takes down what a refresh says of whose tokens these are, if that is news; `is_noted` when
    /// something was the matter before it.
    pub(crate) async fn learn_owner(
        &self,
        authorization: &Authorization,
        row: &AuthorizationRow,
        former: &Identity,
        owner: &Owner,
        is_noted: bool,
    ) {
        let is_news = owner.identity.adds_to(former);
        if is_news && let Err(error) = self.fill_in(&authorization.app, row, owner).await {
            tracing::warn!("the owner of imported tokens cannot be written down: {error}");
        }
        if is_news || is_noted {
            self.merge_others(authorization, row, owner).await;
        }
    }

    /// Brings other accounts of the shop onto an authorization that was refreshed just now, where nothing
    /// is lost by it; else the user is warned.
    async fn merge_others(&self, authorization: &Authorization, row: &AuthorizationRow, owner: &Owner) {
        let query = IdentityQuery { app: &authorization.app, owner };
        let others = match self.accounts_of(query).await {
            Ok(others) => others,
            Err(error) => {
                tracing::warn!(
                    account = authorization.label,
                    "other accounts of its shop cannot be read: {error}"
                );
                return;
            }
        };
        let mut seen = HashSet::from([row.id]);
        let mut apart = None;
        for other in others {
            if !seen.insert(other.authorization.id) {
                continue;
            }
            let is_joined = self.merge_other(query, row, &other).await.unwrap_or_else(|error| {
                tracing::warn!(account = authorization.label, "{error}");
                false
            });
            if is_joined {
                let other = other.account.name;
                tracing::info!(
                    account = authorization.label,
                    other,
                    "they are one shop, and share its tokens"
                );
            } else {
                apart.get_or_insert(other.account.name);
            }
        }
        if let Some(other) = apart {
            self.note_other(authorization, row, &other).await;
        }
    }

    /// Moves all accounts of another authorization of the shop onto `ours`. False when its pair may be the
    /// better one, or becomes so at this moment.
    async fn merge_other(
        &self,
        query: IdentityQuery<'_>,
        ours: &AuthorizationRow,
        other: &FullRow,
    ) -> Result<bool> {
        let app = self.apps.open(&other.app).await?;
        let theirs = self.accounts.authorization(&app, &other.authorization, &other.account.name)?;
        // Kept until the end: a refresh of theirs would bring a newer pair, and lose it.
        let Ok(_flight) = Flight::begin(&theirs, &self.in_flight) else { return Ok(false) };
        self.replay.before_refresh(&theirs).await?;
        let Some(row) = self.store.authorization(theirs.id).await? else { return Ok(false) };
        self.keys.ensure_tokens(&row).await?;
        let accounts = self.store.accounts_using(row.id).await?;
        if !outlasts(ours, &row) || !accounts.iter().all(|account| query.matches(account)) {
            return Ok(false);
        }
        // The same for other processes. The lease goes with its row; or ends by itself.
        let refresh = open_refresh(self.keys.sealer(), &row)?;
        if self.claim(&row, refresh.as_ref()).await?.is_none() {
            return Ok(false);
        }
        for full in accounts {
            let account = AccountRow { authorization_id: ours.id, ..full.account.clone() };
            self.move_account(&full, &account, ours, false, Action::Refresh).await?;
        }
        Ok(true)
    }

    /// Says that two accounts are one shop under two approvals, until that is resolved: as the last error of one of them, which the next refresh looks at again.
    async fn note_other(&self, authorization: &Authorization, row: &AuthorizationRow, other: &str) {
        let (label, app) = (&authorization.label, &authorization.app.name);
        let said = format!(
            "accounts {label:?} and {other:?} are one shop under two approvals, and a refresh of one may end the other's session; `sesame login {} --as {}` gives both one approval, or remove one with `sesame logout`",
            quote(app),
            quote(label)
        );
        tracing::warn!(account = label, "{said}");
        let noted = async {
            let refresh = open_refresh(self.keys.sealer(), row)?;
            let Some(lease) = self.claim(row, refresh.as_ref()).await? else { return Ok(()) };
            self.store.record_failure(self.failed(row, lease, &said), &Notes::default()).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(account = label, "that cannot be written down: {error}");
        }
    }

    /// Fills in whose the accounts of an authorization are, if it was not known before.
    async fn fill_in(&self, app: &AppState, row: &AuthorizationRow, owner: &Owner) -> Result<()> {
        let fields = &app.platform.tokens.identity;
        let known = self.store.accounts_using(row.id).await?;
        for full in &known {
            let Some(shop) = shop_of(&full.account, owner, fields, known.len() == 1) else { continue };
            let mut account = full.account.clone();
            account.login = account.login.or_else(|| owner.login.clone());
            account.shop_id = account.shop_id.or_else(|| shop.shop_id.clone());
            let known = country_of(&full.account, fields).map(str::to_owned);
            account.country = known.or_else(|| shop.country.clone());
            // Without one of its own it would go on calling the host of the platform's first region.
            account.region =
                account.region.or_else(|| region_of_country(app.platform, account.country.as_deref()));
            self.accounts.update(&full.account, &account).await?;
        }
        Ok(())
    }
}
