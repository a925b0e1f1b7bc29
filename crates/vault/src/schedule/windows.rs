//! When an access token is refreshed, and whether it can be.

use sesame_catalog::TokenRules;

use super::{millis, part};
use crate::store::{AuthorizationRow, TokenColumns};

/// The three ends of an access token, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "each is a time; the ending says so")]
pub(crate) struct Windows {
    /// From here on one caller refreshes and the others go on.
    pub(crate) advisory_at: i64,
    /// From here on all wait for the refresh.
    pub(crate) mandatory_at: i64,
    /// From here on the gateway refuses it.
    pub(crate) ends_at: i64,
}

impl Windows {
    /// Works out the windows of a token by its platform's rules.
    ///
    /// A life as documented has the documented window (10 minutes of 10 hours); any other life has
    /// the same share of it. A token whose end is not known is used until the gateway refuses it.
    pub(crate) fn of(rules: &TokenRules, tokens: &TokenColumns) -> Self {
        let Some(ends_at) = tokens.access_expires_at else {
            return Self { advisory_at: i64::MAX, mandatory_at: i64::MAX, ends_at: i64::MAX };
        };
        // Stored times may be damaged: no arithmetic on them may overflow.
        let life = ends_at.saturating_sub(tokens.issued_at).max(0);
        let advisory = if life == millis(rules.access_life) {
            millis(rules.advisory_seconds)
        } else {
            part(life, rules.advisory_share)
        };
        let advisory = advisory.min(life / 2);
        // A short life must leave room for both windows.
        let mandatory = millis(rules.mandatory_seconds).min(advisory / 2);
        Self {
            advisory_at: ends_at.saturating_sub(advisory),
            mandatory_at: ends_at.saturating_sub(mandatory),
            ends_at,
        }
    }
}

/// Why a refresh cannot even be tried, if it cannot.
pub(crate) fn refresh_impossible(row: &AuthorizationRow) -> Option<String> {
    if let Some(reason) = &row.exhausted {
        return Some(reason.clone());
    }
    if row.tokens.refresh.is_none() {
        return Some("the platform gave no refresh token".to_owned());
    }
    row.tokens.refresh_denied.then(|| {
        "the platform lets this app refresh no tokens (they live as long as the access token)".to_owned()
    })
}
