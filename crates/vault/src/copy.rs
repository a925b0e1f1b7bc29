//! `Vault::copy_to`: apps, accounts and tokens go into another vault, sealed with that vault's key.
//!
//! Each page of accounts is one transaction of the target, and what the target has is the only record of
//! how far a copy is: one that was cut off is repeated.

mod index;

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sesame_core::{AccessToken, Error, RefreshToken, Result};

use self::index::TargetIndex;
use crate::{
    Vault,
    accounts::{
        Step, Walk,
        app::{app_key_of, former_slot, secret_slot},
        authorization::{open_access, open_refresh, seal_access, seal_refresh},
    },
    events::Action,
    import::{dedup_by_token::PairDigest, some},
    model::{
        Id,
        identity::{Identity, Match},
        name,
    },
    schedule,
    seal::{active, open_text},
    store::{AccountRow, AppRow, AuthorizationRow, FullRow, NewRows, Notes, TokenColumns},
    vault::Services,
};

/// How a vault is copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Gives a number to names that other apps or accounts of the target have, instead of an error.
    pub rename: bool,
    /// Leaves out what does not open, instead of an error.
    pub skip_bad: bool,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Copied {
    /// How many apps the target got.
    pub apps: u64,
    /// How many accounts the target got.
    pub accounts: u64,
    /// How many authorizations of an earlier copy got the newer tokens of this vault.
    pub updated: u64,
    /// How many accounts the target had already.
    pub left_alone: u64,
    /// Names that were taken: the one in this vault, and the one in the target.
    pub renamed: Vec<(String, String)>,
    /// What does not open and was left out.
    pub left_out: Vec<String>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Vault {
    /// Copies all apps, accounts and tokens into another vault, sealed with that vault's own key. The
    /// audit trail and events stay behind. Nothing of this vault changes but its audit trail.
    ///
    /// A target that has accounts gets those it lacks: by their ids, by their tokens, and by what the
    /// platform calls the shop. What it has is left alone, but for tokens of an earlier copy that this
    /// vault has refreshed since. Accounts are copied a page at a time; a copy that was cut off is
    /// repeated. `progress` is called with the number of accounts that are done.
    ///
    /// From then on only one of the two vaults may refresh: on many platforms a refresh ends the tokens
    /// of the other one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) if the target is this vault, and for names that
    /// other apps or accounts of the target have, unless `rename`;
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when something does not open, unless
    /// `skip_bad`, and when a store fails. But for the last nothing was copied then.
    pub async fn copy_to(
        &self,
        to: &Self,
        options: CopyOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Copied> {
        let from = &self.0;
        let copied = copy(from, &to.0, options, progress).await;
        match &copied {
            Ok(copied) => {
                let mut line = from.events.audit_row(Action::Copy, "vault", None, None);
                let (apps, accounts) = (copied.apps, copied.accounts);
                line.detail = Some(format!("{apps} apps, {accounts} accounts, to {}", to.location()));
                from.store.note(&Notes { audit: vec![line], ..Notes::default() }).await?;
            }
            Err(error) => from.events.record_failure(Action::Copy, "vault", None, error).await,
        }
        copied
    }
}

async fn copy(
    from: &Services,
    to: &Services,
    options: CopyOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Copied> {
    if active(&from.store.keys().await?)?.key_id == active(&to.store.keys().await?)?.key_id {
        return Err(Error::usage("the target is this vault, or a plain copy of its file").with_hint(
            "Name another place, where a vault is made with a key of its own. Nothing was copied.",
        ));
    }
    from.keys.ensure_current().await?;
    to.keys.ensure_current().await?;
    // What waits in the journal is newer than the rows.
    let replayed = from.refresher.replay.run(None).await?;
    let mut copy = Copy {
        from,
        to,
        options,
        apps: HashMap::new(),
        index: TargetIndex::default(),
        done: Copied::default(),
        taken: Vec::new(),
    };
    copy.done.left_out.extend(
        replayed
            .stuck
            .iter()
            .map(|(path, why)| format!("the journal entry {}: {}", path.display(), why.message())),
    );
    let apps = copy.plan_apps().await?;
    copy.index = TargetIndex::of(to).await?;
    // Once to look: nothing is written if a name is taken or something does not open.
    copy.each_page(false, &|_| {}).await?;
    if !copy.taken.is_empty() {
        return Err(Error::usage(format!(
            "other apps or accounts of the target have these names: {}",
            some(&copy.taken, ", ")
        ))
        .with_hint("Rename them in one of the vaults, or give those that are copied a number with --rename. Nothing was copied."));
    }
    if !copy.done.left_out.is_empty() && !options.skip_bad {
        return Err(Error::local(format!(
            "the vault cannot be copied whole: {}",
            some(&copy.done.left_out, "; ")
        ))
        .with_hint("`sesame vault check` names everything that does not open. Log these accounts in again, or leave them out with --skip-bad. Nothing was copied."));
    }
    copy.done.apps = count(apps.len());
    let rows = NewRows { apps, ..NewRows::default() };
    if !rows.apps.is_empty() && !to.store.add(&rows, &Notes::default()).await? {
        return Err(busy());
    }
    let left_out = std::mem::take(&mut copy.done.left_out);
    copy.each_page(true, progress).await?;
    copy.done.left_out = left_out;
    Ok(copy.done)
}

fn busy() -> Error {
    Error::local("other programs keep adding apps and accounts of these names to the target")
        .with_hint("Repeat the command: it goes on where it stopped.")
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A copy that is under way.
struct Copy<'a> {
    from: &'a Services,
    to: &'a Services,
    options: CopyOptions,
    /// The target's app for each app that is copied.
    apps: HashMap<Id, AppRow>,
    index: TargetIndex,
    done: Copied,
    taken: Vec<String>,
}

/// The tokens of an authorization, opened.
struct Opened {
    access: Option<AccessToken>,
    refresh: Option<RefreshToken>,
}

/// What one page of accounts adds to the target.
#[derive(Default)]
struct Page {
    rows: NewRows,
    names: HashSet<String>,
    updates: Vec<(i64, AuthorizationRow)>,
    left_alone: u64,
    renamed: Vec<(String, String)>,
    left_out: Vec<String>,
    taken: Vec<String>,
}

impl Copy<'_> {
    /// Decides for each app which app of the target it becomes.
    async fn plan_apps(&mut self) -> Result<Vec<AppRow>> {
        let existing = self.to.store.apps().await?;
        let mut names: HashSet<String> = existing.iter().map(|app| app.name.clone()).collect();
        let mut planned = Vec::new();
        for app in self.from.store.apps().await? {
            let secret = match open_text(self.from.keys.sealer(), secret_slot(&app.id), &app.secret) {
                Ok(secret) => zeroize::Zeroizing::new(secret),
                Err(error) => {
                    self.done.left_out.push(format!("app {:?}: {}", app.name, error.message()));
                    continue;
                }
            };
            let is_same = |known: &&AppRow| {
                known.id == app.id || (app_key_of(known) == app_key_of(&app) && known.sandbox == app.sandbox)
            };
            if let Some(known) = existing.iter().find(is_same) {
                let theirs = open_text(self.to.keys.sealer(), secret_slot(&known.id), &known.secret);
                if theirs.is_ok_and(|theirs| theirs != *secret) {
                    self.done
                        .notes
                        .push(format!("app {:?} has another secret in the target, which stays", known.name));
                }
                self.apps.insert(app.id, known.clone());
                continue;
            }
            let mut name = app.name.clone();
            if names.contains(&name) && !self.options.rename {
                self.taken.push(format!("app {name:?}"));
            } else if names.contains(&name) {
                name = name::first_free(&name, |name| names.contains(name));
                self.done.renamed.push((app.name.clone(), name.clone()));
            }
            names.insert(name.clone());
            let secret = self.to.keys.sealer().seal(secret_slot(&app.id), secret.as_bytes());
            let former_secret = app.former_secret.as_deref().and_then(|sealed| {
                let former = open_text(self.from.keys.sealer(), former_slot(&app.id), sealed).ok()?;
                Some(self.to.keys.sealer().seal(former_slot(&app.id), former.as_bytes()))
            });
            let row = AppRow { name, secret, former_secret, ..app };
            self.apps.insert(row.id, row.clone());
            planned.push(row);
        }
        Ok(planned)
    }

    /// Plans the accounts, page by page, and writes each page if asked to.
    async fn each_page(&mut self, write: bool, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let mut walk = Walk::begin(self.from.store.as_ref());
        let mut seen = 0;
        while let Some(step) = walk.step().await? {
            let rows = match step {
                Step::Page(rows) => rows,
                Step::Unreadable(id, error) => {
                    self.done.left_out.push(format!("the account of the id {id}: {}", error.message()));
                    continue;
                }
            };
            let page = if write { self.write(&rows).await? } else { self.plan(&rows).await? };
            self.done.left_out.extend(page.left_out);
            self.taken.extend(page.taken);
            seen += count(rows.len());
            progress(seen);
        }
        Ok(())
    }

    async fn write(&mut self, rows: &[FullRow]) -> Result<Page> {
        // Another process may take a name that was free a moment ago.
        for _ in 0..4 {
            let mut page = self.plan(rows).await?;
            if !page.taken.is_empty() {
                break;
            }
            let line = |row: &AccountRow| {
                self.to.events.audit_row(Action::Import, &row.name, Some(row.authorization_id), None)
            };
            let audit = page.rows.accounts.iter().map(line).collect();
            let notes = Notes { audit, ..Notes::default() };
            if !page.rows.accounts.is_empty() && !self.to.store.add(&page.rows, &notes).await? {
                continue;
            }
            let now = self.to.now();
            for (generation, row) in &page.updates {
                let notes = Notes::default();
                let store = &self.to.store;
                if store.replace_tokens(row.id, *generation, &row.tokens, now, &notes).await? {
                    self.done.updated += 1;
                }
            }
            self.done.accounts += count(page.rows.accounts.len());
            self.done.left_alone += page.left_alone;
            self.done.renamed.append(&mut page.renamed);
            return Ok(page);
        }
        Err(busy())
    }

    async fn plan(&self, rows: &[FullRow]) -> Result<Page> {
        let mut page = Page::default();
        for row in rows {
            let name = &row.account.name;
            let Some(app) = self.apps.get(&row.app.id) else {
                page.left_out.push(format!("account {name:?}: its app is left out"));
                continue;
            };
            let opened = match self.open(&row.authorization) {
                Ok(opened) => opened,
                Err(error) => {
                    page.left_out.push(format!("account {name:?}: {}", error.message()));
                    continue;
                }
            };
            match self.to.accounts.find_by_id(row.account.id).await? {
                Some(known) => {
                    page.left_alone += 1;
                    self.plan_update(row, &known, &opened, &mut page)?;
                }
                None => self.plan_account(row, app, &opened, &mut page).await?,
            }
        }
        Ok(page)
    }

    fn open(&self, row: &AuthorizationRow) -> Result<Opened> {
        let sealer = self.from.keys.sealer();
        Ok(Opened { access: open_access(sealer, row)?, refresh: open_refresh(sealer, row)? })
    }

    /// Plans newer tokens for an authorization of an earlier copy: this vault has refreshed since.
    fn plan_update(&self, row: &FullRow, there: &FullRow, opened: &Opened, page: &mut Page) -> Result<()> {
        let (ours, theirs) = (&row.authorization, &there.authorization);
        let is_newer = ours.id == theirs.id
            && ours.exhausted.is_none()
            && ours.tokens.issued_at > theirs.tokens.issued_at;
        if is_newer && !page.updates.iter().any(|(_, row)| row.id == ours.id) {
            page.updates.push((theirs.generation, self.moved(ours, &there.app, opened)?));
        }
        Ok(())
    }

    async fn plan_account(
        &self,
        row: &FullRow,
        app: &AppRow,
        opened: &Opened,
        page: &mut Page,
    ) -> Result<()> {
        let (store, id) = (&self.to.store, row.authorization.id);
        let is_planned = page.rows.authorizations.iter().any(|planned| planned.id == id);
        // What the account will use in the target, and whether that is there already.
        let (mut authorization_id, mut app_id) = (id, app.id);
        let mut is_there = is_planned || store.authorization(id).await?.is_some();
        let mut holders = Vec::new();
        if !is_there {
            // Imported twice, from another program's table, tokens have two authorizations by now.
            let pair = PairDigest::new(&app.app_key, opened.access.as_ref(), opened.refresh.as_ref());
            if let Some(id) = self.index.by_token.find(&pair) {
                holders = store.accounts_using(id).await?;
            }
            if let Some(holder) = holders.first() {
                (authorization_id, app_id, is_there) = (holder.authorization.id, holder.app.id, true);
            }
        }
        let named = store.account(&row.account.name).await?;
        let is_shop =
            |other: &&FullRow| row.account.shop_id.is_some() && other.account.shop_id == row.account.shop_id;
        let has_twin = if is_there {
            named.as_ref().is_some_and(|named| named.authorization.id == authorization_id)
                || holders.iter().any(|other| is_shop(&other))
        } else {
            // The same shop by what the platform calls it: a second pair of tokens could end the first.
            self.has_twin(row, app).await?
        };
        if has_twin {
            page.left_alone += 1;
            return Ok(());
        }
        let mut name = row.account.name.clone();
        if named.is_some() || page.names.contains(&name) {
            if !self.options.rename {
                page.taken.push(format!("account {name:?}"));
                return Ok(());
            }
            name = self.to.accounts.free_name(&name, |name| page.names.contains(name)).await?;
            page.renamed.push((row.account.name.clone(), name.clone()));
        }
        page.names.insert(name.clone());
        if !is_there {
            page.rows.authorizations.push(self.moved(&row.authorization, app, opened)?);
        }
        page.rows.accounts.push(AccountRow { name, app_id, authorization_id, ..row.account.clone() });
        Ok(())
    }

    async fn has_twin(&self, row: &FullRow, app: &AppRow) -> Result<bool> {
        let identity = Identity::parse(&row.authorization.tokens.identity);
        let platform = self.to.apps.platform(&app.platform)?;
        for mark in identity.marks() {
            for id in self.index.by_identity.get(&TargetIndex::digest(app, &mark)).into_iter().flatten() {
                let found = self.to.accounts.find_by_id(*id).await?;
                let is_same = |other: &FullRow| {
                    let theirs = Identity::parse(&other.authorization.tokens.identity);
                    theirs.compare(&identity, &platform.tokens.identity) == Match::Same
                };
                if found.as_ref().is_some_and(is_same) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Seals an authorization for the target, and plans when its keeper looks at it. Leases stay behind.
    fn moved(&self, row: &AuthorizationRow, app: &AppRow, opened: &Opened) -> Result<AuthorizationRow> {
        let (sealer, clock) = (self.to.keys.sealer(), &self.to.clock);
        let mut row = AuthorizationRow {
            app_id: app.id,
            lease_owner: None,
            lease_until: None,
            // What stood in the way may not do so over there.
            blocked: false,
            tokens: TokenColumns {
                access: opened.access.as_ref().map(|token| seal_access(sealer, &row.id, token)),
                refresh: opened.refresh.as_ref().map(|token| seal_refresh(sealer, &row.id, token)),
                ..row.tokens.clone()
            },
            ..row.clone()
        };
        let platform = self.to.apps.platform(&app.platform)?;
        row.tokens.warm_at = schedule::warm_at(&platform.tokens, &row.tokens, clock.jitter());
        row.tokens.due_at = self.to.refresher.tokens.due_at(platform, &row);
        Ok(row)
    }
}
