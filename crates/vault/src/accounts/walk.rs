//! Accounts looked up one by one, or a page at a time: a vault may have a million of them.

use sesame_core::{Error, Result};

use crate::{
    model::Id,
    store::{AccountStore, FullRow},
};

/// How many accounts are read at a time.
const PAGE: u32 = 500;

/// All accounts in the order of their ids, whatever is damaged among them.
pub(crate) struct Walk<'a> {
    store: &'a dyn AccountStore,
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
    pub(crate) const fn begin(store: &'a dyn AccountStore) -> Self {
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

    /// Returns the next accounts that can be read; those that cannot are logged.
    ///
    /// # Errors
    /// As [`Walk::step`].
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<FullRow>>> {
        loop {
            match self.step().await? {
                None => return Ok(None),
                Some(Step::Page(page)) => return Ok(Some(page)),
                Some(Step::Unreadable(id, error)) => {
                    tracing::warn!(account = %id, "an account cannot be read and is skipped: {error}");
                }
            }
        }
    }

    /// The account that the walk has come to.
    pub(crate) const fn after(&self) -> Option<Id> {
        self.after
    }
}
