//! Lines of the audit trail: who did what to whose tokens, and how it ended.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sesame_core::{Error, ErrorKind, Result, scalar::printable};

use super::Events;
use crate::{
    model::{Id, name, setters},
    store::{AuditQuery, AuditRow, FullRow, Notes},
};

/// Maximum number of lines of the trail that are looked through for those of an account that is gone.
const SEARCH_LIMIT: u32 = 100_000;

/// A line of the audit trail: what was done, to whose tokens, and how it ended. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditLine {
    /// When.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// `login`, `refresh`, `postpone`, `import`, `copy`, `rekey`, `account`, `logout`, `secret` or `app`.
    pub action: String,
    /// The account's name at that time, or the app's where there is no account yet; `vault` for what
    /// concerns all.
    pub subject: String,
    /// `true` if it succeeded.
    pub succeeded: bool,
    /// More, for people: why it failed, or what was done.
    pub detail: Option<String>,
    /// Who did it: the user, the host and the id of the process, as in `anna@web1, pid 4242`.
    pub by: Option<String>,
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// Which lines of the audit trail are asked for.
///
/// ```
/// let filter = sesame_vault::AuditFilter::default().account("my-shop").limit(20);
/// # drop(filter);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditFilter {
    /// Only those of this account, also when it was removed or renamed since.
    pub account: Option<String>,
    /// Only those since then.
    pub since: Option<Timestamp>,
    /// Maximum number of lines; the newest come first.
    pub limit: u32,
}

setters! { AuditFilter {
    /// Sets the account.
    account: impl Into<String> = Some(account.into()),
    /// Sets the time since when.
    since: Timestamp = Some(since),
    /// Sets the maximum number of lines.
    limit: u32 = limit,
}}

impl Default for AuditFilter {
    /// The newest 100 lines.
    fn default() -> Self {
        Self { account: None, since: None, limit: 100 }
    }
}

impl Events {
    /// Reads the audit trail, newest first. `account` is what is known of the account that the filter
    /// names.
    ///
    /// # Errors
    /// The one of `account` if the trail does not know its name either.
    pub(crate) async fn audit(
        &self,
        filter: &AuditFilter,
        account: Option<Result<FullRow>>,
    ) -> Result<Vec<AuditLine>> {
        let since = filter.since.map(Timestamp::as_millisecond);
        let all = AuditQuery { authorization: None, since, limit: filter.limit };
        match account {
            None => Ok(lines(self.store.audit(all).await?)),
            Some(Ok(row)) => {
                let query = AuditQuery { authorization: Some(row.authorization.id), ..all };
                Ok(lines(self.store.audit(query).await?))
            }
            // It may have been removed: then its name is all there is to find it by.
            Some(Err(unknown)) if unknown.kind() == ErrorKind::Usage => {
                let rows = self.store.audit(AuditQuery { limit: SEARCH_LIMIT, ..all }).await?;
                let mut rows: Vec<AuditRow> =
                    rows.into_iter().filter(|row| Some(&row.subject) == filter.account.as_ref()).collect();
                if rows.is_empty() {
                    return Err(unknown);
                }
                rows.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
                Ok(lines(rows))
            }
            Some(Err(error)) => Err(error),
        }
    }

    /// Deletes audit lines and events older than `before`, if the trail also covers the first half of the
    /// time since then. If not, this clock may be ahead, and what it calls old is all there is. Returns the
    /// number deleted.
    pub(crate) async fn forget(&self, before: Timestamp) -> Result<u64> {
        let (before, now) = (before.as_millisecond(), self.clock.now().as_millisecond());
        let half = now.saturating_sub(before).max(0) / 2;
        if before < now && !self.store.has_audit(before, before.saturating_add(half)).await? {
            return Ok(0);
        }
        self.store.forget_notes(before).await
    }

    /// Writes down what was done with an account where the change itself takes no notes.
    pub(crate) async fn record(&self, subject: &str, authorization: Id, detail: String) {
        let line = self.audit_row(Action::Account, subject, Some(authorization), None);
        self.write_line(AuditRow { detail: Some(detail), ..line }).await;
    }

    /// Writes down that something failed. The caller gets the error in any case.
    pub(crate) async fn record_failure(
        &self,
        action: Action,
        subject: &str,
        authorization: Option<Id>,
        error: &Error,
    ) {
        // Not every name was checked by now.
        let subject: String = printable(subject).chars().take(name::LONGEST).collect();
        let line = self.audit_row(action, &subject, authorization, Some(printable(&error.to_string())));
        self.write_line(line).await;
    }

    async fn write_line(&self, line: AuditRow) {
        if let Err(store) = self.store.note(&Notes { audit: vec![line], ..Notes::default() }).await {
            tracing::warn!("the audit trail cannot be written: {store}");
        }
    }

    /// Makes an audit line. `failure` holds no secret: errors are masked where they are made.
    pub(crate) fn audit_row(
        &self,
        action: Action,
        subject: &str,
        authorization: Option<Id>,
        failure: Option<String>,
    ) -> AuditRow {
        AuditRow {
            id: Id::new(self.clock.as_ref()),
            at: self.clock.now().as_millisecond(),
            authorization_id: authorization,
            subject: subject.to_owned(),
            action: action.as_str().to_owned(),
            succeeded: failure.is_none(),
            detail: failure,
            actor: Some(self.actor.to_string()),
        }
    }
}

/// Returns who this process is: the user's name in the environment, else the number; the host; the
/// process.
pub(super) fn this_process() -> String {
    let variable = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(variable);
    #[cfg(unix)]
    let (id, host) = (
        rustix::process::geteuid().as_raw().to_string(),
        rustix::system::uname().nodename().to_string_lossy().into_owned(),
    );
    #[cfg(not(unix))]
    let (id, host) = ("?".to_owned(), variable(&"COMPUTERNAME").unwrap_or_default());
    let text = format!("{}@{host}, pid {}", user.unwrap_or(id), std::process::id());
    printable(&text)
}

fn lines(rows: Vec<AuditRow>) -> Vec<AuditLine> {
    let line = |row: AuditRow| AuditLine {
        at: Timestamp::from_millisecond(row.at).unwrap_or_default(),
        action: row.action,
        subject: row.subject,
        succeeded: row.succeeded,
        detail: row.detail,
        by: row.actor,
    };
    rows.into_iter().map(line).collect()
}

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A seller approved the app.
    Login,
    /// New tokens for a refresh token.
    Refresh,
    /// A new life for a refresh token.
    Postpone,
    /// Tokens of another program were taken over.
    Import,
    /// An account was renamed or tagged.
    Account,
    /// An account was removed.
    Logout,
    /// The secret of an app was replaced.
    Secret,
    /// An app was added, changed or removed.
    App,
    /// The vault got a new master key.
    Rekey,
    /// Everything was copied into another vault.
    Copy,
}

impl Action {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Postpone => "postpone",
            Self::Import => "import",
            Self::Account => "account",
            Self::Logout => "logout",
            Self::Secret => "secret",
            Self::App => "app",
            Self::Rekey => "rekey",
            Self::Copy => "copy",
        }
    }
}
