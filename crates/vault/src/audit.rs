//! Lines of the audit trail: who did what to whose tokens, and how it ended.

use crate::{Id, store::AuditRow, vault::Inner};

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
    /// An account was removed.
    Logout,
}

impl Action {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Postpone => "postpone",
            Self::Import => "import",
            Self::Logout => "logout",
        }
    }
}

impl Inner {
    /// Makes a line. `detail` holds no secret: errors are masked where they are made.
    pub(crate) fn line(
        &self,
        action: Action,
        subject: &str,
        authorisation: Option<Id>,
        failure: Option<String>,
    ) -> AuditRow {
        AuditRow {
            id: Id::new(self.clock.as_ref()),
            at: self.now(),
            authorisation_id: authorisation,
            subject: subject.to_owned(),
            action: action.as_str().to_owned(),
            succeeded: failure.is_none(),
            detail: failure,
        }
    }
}
