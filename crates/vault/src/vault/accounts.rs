//! The accounts of a vault, and its audit trail.

use jiff::Timestamp;
use sesame_core::Result;

use super::Vault;
use crate::{Account, AuditFilter, AuditLine, Listed, store::ReauthorizationRequired};

impl Vault {
    /// Returns all accounts, oldest first. Those whose rows cannot be read are left out, with a warning.
    ///
    /// # Errors
    /// Those of the store as a whole.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let listed = self.accounts_where(|_| true).await?;
        if let Some(warning) = listed.warning() {
            self.0.warnings.warn(warning);
        }
        Ok(listed.accounts)
    }

    /// Returns the accounts that `wanted` accepts, oldest first, and the ids of those whose rows cannot be
    /// read. Memory is taken by accepted accounts alone.
    ///
    /// # Errors
    /// Those of the store as a whole.
    pub async fn accounts_where(&self, wanted: impl FnMut(&Account) -> bool) -> Result<Listed> {
        self.0.accounts.list(wanted).await
    }

    /// Returns up to `limit` names of accounts that have to be authorized again, and their total number.
    /// The cost depends on these, not on the number of accounts.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn reauthorization_required(&self, limit: u32) -> Result<ReauthorizationRequired> {
        self.0.store.reauthorization_required(limit).await
    }

    /// Returns an account by name.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) naming the nearest accounts there are.
    pub async fn account(&self, name: &str) -> Result<Account> {
        self.0.accounts.row(name).await.map(|row| self.0.accounts.shown(&row))
    }

    /// Renames an account.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the name is taken or invalid.
    pub async fn rename_account(&self, name: &str, new_name: &str) -> Result<Account> {
        self.0.accounts.rename(name, new_name).await?;
        self.account(new_name).await
    }

    /// Adds tags to an account and removes others; returns it with its tags, sorted, without duplicates.
    ///
    /// A tag has 1 to 50 letters, digits or `-_.:/`, and begins with a letter or a digit; an account has
    /// at most 32. Adding a tag that is there and removing one that is not changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an invalid tag, for one that is both added
    /// and removed, and when there would be too many; nothing is changed then.
    pub async fn tag_account(&self, name: &str, add: &[String], remove: &[String]) -> Result<Account> {
        self.0.accounts.tag(name, add, remove).await?;
        self.account(name).await
    }

    /// Returns the names of other accounts that use the same tokens: those of a cross-border seller.
    ///
    /// # Errors
    /// As [`Vault::account`].
    pub async fn accounts_sharing(&self, name: &str) -> Result<Vec<String>> {
        let row = self.0.accounts.row(name).await?;
        let rows = self.0.store.accounts_using(row.authorization.id).await?;
        let others = rows.into_iter().filter(|other| other.account.id != row.account.id);
        Ok(others.map(|row| row.account.name).collect())
    }

    /// Removes an account, and its tokens when no other account uses them. One whose row cannot be read
    /// is named by its id. Nothing is sent to the platform: the app stays authorized there until its tokens
    /// expire or the seller revokes the approval.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) naming the nearest accounts there are.
    pub async fn remove_account(&self, name: &str) -> Result<()> {
        if let Some(authorization) = self.0.accounts.remove(name).await? {
            self.0.refresher.replay.forget(authorization).await;
        }
        Ok(())
    }

    /// Reads the audit trail, newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for an account that neither the vault nor its
    /// trail knows.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>> {
        let account = match &filter.account {
            Some(name) => Some(self.0.accounts.row(name).await),
            None => None,
        };
        self.0.events.audit(filter, account).await
    }

    /// Deletes audit lines and events older than `before`. Returns the number deleted. Events of the last
    /// 7 days may not have been delivered yet.
    ///
    /// Deletes nothing unless the trail also has a line of the first half of the time from `before` to
    /// now: to a clock that is years ahead all lines are old.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget_audit(&self, before: Timestamp) -> Result<u64> {
        self.0.events.forget(before).await
    }
}
