//! `Vault::export`: everything in one file under a passphrase, and back.

mod form;
mod lines;
mod read;

use std::{collections::HashSet, io::Write};

pub(crate) use read::Known;
use serde::Serialize;
use sesame_core::{AppSecret, Error, Result};

use self::{
    form::Writer,
    lines::{AccountLine, AppLine, AuthorizationLine, Counts, Line},
};
use crate::{
    Id, Vault,
    audit::Action,
    lookup::{Step, Walk},
    store::Notes,
    vault::Inner,
};

/// How many names an error lists.
pub(crate) const NAMED: usize = 20;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// Apps.
    pub apps: u64,
    /// Accounts.
    pub accounts: u64,
    /// What does not open, and was left out as it was told to.
    pub left_out: Vec<String>,
}

impl Vault {
    /// Writes all apps, accounts and tokens, with their secrets, sealed under a passphrase of at least
    /// 8 characters (argon2id with 64 MiB, AES-256-GCM-SIV). The audit trail and events stay behind.
    ///
    /// Memory is bounded by a page of accounts. `skip_unreadable` leaves out what does not open, and
    /// names it; otherwise that is an error, so that no copy is taken for a whole one that is none.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a passphrase that is too short,
    /// [`ErrorKind::Local`](sesame_core::ErrorKind::Local) when something cannot be read or written.
    pub async fn export(
        &self,
        passphrase: &AppSecret,
        skip_unreadable: bool,
        out: &mut (dyn Write + Send),
    ) -> Result<Exported> {
        let inner = &self.0;
        let exported = inner.export(passphrase, skip_unreadable, out).await;
        if let Err(error) = &exported {
            inner.note_failure(Action::Export, "vault", None, error).await;
        }
        exported
    }
}

impl Inner {
    async fn export(
        &self,
        passphrase: &AppSecret,
        skip_unreadable: bool,
        out: &mut (dyn Write + Send),
    ) -> Result<Exported> {
        // What waits in the journal is newer than the rows.
        let replayed = self.replay(None).await?;
        let mut writer = Writer::begin(self, passphrase, out).await?;
        let mut counts = Counts::default();
        let unread = replayed.unreadable.iter();
        let mut left_out: Vec<String> = unread
            .map(|(path, why)| format!("the journal entry {}: {}", path.display(), why.message()))
            .collect();
        let mut apps = HashSet::new();
        for row in self.store.apps().await? {
            let opened = self.know_keys_of_app(&row).await.and_then(|()| AppLine::of(&self.sealer, &row));
            match opened {
                Ok(line) => {
                    writer.line(&Line::App(line))?;
                    apps.insert(row.id);
                    counts.apps += 1;
                }
                Err(error) => left_out.push(format!("app {:?}: {}", row.name, error.message())),
            }
        }
        let mut written: HashSet<Id> = HashSet::new();
        let mut walk = Walk::begin(self.store.as_ref());
        while let Some(step) = walk.step().await? {
            let page = match step {
                Step::Page(page) => page,
                Step::Unreadable(id, error) => {
                    left_out.push(format!("the account of the id {id}: {}", error.message()));
                    continue;
                }
            };
            for row in &page {
                let name = &row.account.name;
                if !apps.contains(&row.app.id) {
                    left_out.push(format!("account {name:?}: its app is left out"));
                    continue;
                }
                if !written.contains(&row.authorization.id) {
                    let opened = self
                        .know_keys(&row.authorization)
                        .await
                        .and_then(|()| AuthorizationLine::of(&self.sealer, &row.authorization));
                    match opened {
                        Ok(line) => writer.line(&Line::Authorization(Box::new(line)))?,
                        Err(error) => {
                            left_out.push(format!("account {name:?}: {}", error.message()));
                            continue;
                        }
                    }
                    written.insert(row.authorization.id);
                    counts.authorizations += 1;
                }
                writer.line(&Line::Account(AccountLine::of(&row.account)))?;
                counts.accounts += 1;
            }
        }
        if !left_out.is_empty() && !skip_unreadable {
            return Err(Error::local(format!("the vault cannot be exported whole: {}", some(&left_out, "; "))).with_hint(
                "`sesame vault check` names everything that does not open. Log these accounts in again, or leave them out with --skip-bad.",
            ));
        }
        writer.line(&Line::End(counts))?;
        writer.end()?;
        let mut line = self.line(Action::Export, "vault", None, None);
        line.detail = Some(format!("{} apps, {} accounts", counts.apps, counts.accounts));
        self.store.note(&Notes { audit: vec![line], ..Notes::default() }).await?;
        Ok(Exported { apps: counts.apps, accounts: counts.accounts, left_out })
    }
}

/// Joins the first names of a list, and counts the others.
pub(crate) fn some(names: &[String], between: &str) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(between);
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}
