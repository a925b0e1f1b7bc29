//! Accounts looked up one by one, or a page at a time: a vault may have a million of them.

use sesame_core::{Error, Result};

use crate::{
    Id,
    audit::Action,
    name,
    store::{FullRow, Notes, Store},
    vault::Inner,
};

/// How many accounts are read at a time.
const PAGE: u32 = 500;
/// How many accounts are looked through for a name like the one that was asked for.
const LOOKED_THROUGH: usize = 10_000;

/// All accounts in the order of their ids, whatever is damaged among them.
pub(crate) struct Walk<'a> {
    store: &'a dyn Store,
    after: Option<Id>,
    limit: u32,
}

/// What comes next on a walk.
pub(crate) enum Step {
    Page(Vec<FullRow>),
    /// An account whose row cannot be read, and why.
    Unreadable(Id, Error),
}

impl<'a> Walk<'a> {
    pub(crate) const fn begin(store: &'a dyn Store) -> Self {
        Self { store, after: None, limit: PAGE }
    }

    /// Returns the next accounts; nothing after the last.
    ///
    /// # Errors
    /// The store's, when it is not a single row that it cannot read. The walk may go on when it is back.
    pub(crate) async fn step(&mut self) -> Result<Option<Step>> {
        loop {
            let error = match self.store.accounts_after(self.after, self.limit).await {
                Ok(page) => {
                    let Some(last) = page.last() else { return Ok(None) };
                    self.after = Some(last.account.id);
                    return Ok(Some(Step::Page(page)));
                }
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => error,
            };
            // One row spoils its page: pages are halved until it is alone.
            if self.limit > 1 {
                self.limit /= 2;
                continue;
            }
            let Some(id) = self.store.account_ids_after(self.after, 1).await?.pop() else {
                return Err(error);
            };
            self.after = Some(id);
            self.limit = PAGE;
            return Ok(Some(Step::Unreadable(id, error)));
        }
    }

    /// The account that the walk has come to.
    pub(crate) const fn after(&self) -> Option<Id> {
        self.after
    }
}

impl Inner {
    /// Removes an account whose row cannot be read: `name` is its id then, as [`Vault::check`] gives it.
    ///
    /// [`Vault::check`]: crate::Vault::check
    pub(crate) async fn remove_unreadable(&self, name: &str, error: Error) -> Result<()> {
        let Ok(id) = name.parse::<Id>() else { return Err(error) };
        let found = self.store.account_ids_after(id.before(), 1).await?;
        let is_read = self.store.accounts_after(id.before(), 1).await.is_ok();
        if found != [id] || is_read {
            return Err(error);
        }
        let line = self.line(Action::Logout, name, None, None);
        self.store.remove_account(id, &Notes { audit: vec![line], ..Notes::default() }).await
    }

    /// Finds an account by name. The error for an unknown one names the nearest there are.
    pub(crate) async fn account_row(&self, name: &str) -> Result<FullRow> {
        if let Some(row) = self.store.account(name).await? {
            return Ok(row);
        }
        let mut names: Vec<String> = Vec::new();
        let mut walk = Walk::begin(self.store.as_ref());
        while names.len() < LOOKED_THROUGH
            && let Some(step) = walk.step().await?
        {
            if let Step::Page(page) = step {
                names.extend(page.into_iter().map(|row| row.account.name));
            }
        }
        let error = Error::usage(format!("there is no account called {name:?}"));
        Err(if names.is_empty() {
            error.with_hint("Authorize a shop with `sesame login APP`.")
        } else if names.len() < LOOKED_THROUGH {
            error.with_hint(format!("There are: {}.", name::known(name, names)))
        } else {
            error.with_hint(format!(
                "Of the oldest accounts, these come nearest: {}.",
                name::known(name, names)
            ))
        })
    }

    /// Finds the first account that is wanted; nothing when none is.
    pub(crate) async fn find_account(&self, wanted: impl Fn(&FullRow) -> bool) -> Result<Option<FullRow>> {
        let mut walk = Walk::begin(self.store.as_ref());
        while let Some(step) = walk.step().await? {
            match step {
                Step::Page(page) => {
                    if let Some(row) = page.into_iter().find(&wanted) {
                        return Ok(Some(row));
                    }
                }
                Step::Unreadable(id, error) => {
                    tracing::warn!(account = %id, "an account cannot be read, and is passed over: {error}");
                }
            }
        }
        Ok(None)
    }

    /// Finds the first of `base`, `base-2`, `base-3`, ... that no account has, nor is `refused`.
    pub(crate) async fn free_account_name(
        &self,
        base: &str,
        refused: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let mut name = base.to_owned();
        let mut number = 1_u32;
        while refused(&name) || self.store.account(&name).await?.is_some() {
            number = number.saturating_add(1);
            name = format!("{base}-{number}");
        }
        Ok(name)
    }
}
