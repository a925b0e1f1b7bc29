//! Tokens that come in a second time: found by digests that live in memory alone.
//!
//! Two authorizations with one refresh token end each other's: where a refresh brings a new one, the
//! other's is dead from then on. So one token is one authorization, whatever its accounts are called.

use std::collections::{HashMap, HashSet};

use sesame_catalog::Platform;
use sesame_core::{AccessToken, RefreshToken, Result};
use sha2::{Digest as _, Sha256};

use crate::{
    Id,
    app::side_of,
    authorization::{open_access, open_refresh},
    identity::Identity,
    lookup::{Step, Walk},
    store::{AppRow, AuthorizationRow, FullRow},
    vault::Inner,
};

/// What tells one token of an app key from all others. Never stored: a digest would tell whoever has
/// the store that a token they have is in it.
pub(crate) type Mark = [u8; 32];

/// The marks of one pair of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    access: Option<Mark>,
    refresh: Option<Mark>,
}

impl Marks {
    pub(crate) fn of(app_key: &str, access: Option<&AccessToken>, refresh: Option<&RefreshToken>) -> Self {
        let mark = |kind: &str, token: &str| -> Mark {
            let mut digest = Sha256::new();
            for part in [app_key, kind, token] {
                digest.update(part.as_bytes());
                digest.update([0]);
            }
            digest.finalize().into()
        };
        Self {
            access: access.map(|token| mark("access", token.expose())),
            refresh: refresh.map(|token| mark("refresh", token.expose())),
        }
    }

    /// What tokens that come in are looked for by. With a refresh token it is that one alone: whoever
    /// has the same access token and no refresh token is not left with less than there is.
    pub(crate) fn wanted(&self) -> Option<Mark> {
        self.refresh.or(self.access)
    }

    /// What tokens that stand are found by.
    pub(crate) fn all(&self) -> impl Iterator<Item = Mark> {
        self.refresh.into_iter().chain(self.access)
    }

    /// Tells whether these tokens, which stand, are those that are wanted.
    fn has(&self, wanted: &Mark) -> bool {
        self.all().any(|mark| mark == *wanted)
    }
}

/// Tells whether a seller of the platform has one pair of tokens for shops in several countries, each
/// with an id of its own.
pub(crate) fn has_ids_by_country(platform: &Platform) -> bool {
    platform.tokens.identity.id.iter().any(|path| path.starts_with("country_user_info"))
}

/// Tells whether one pair of tokens cannot be that of both shops.
pub(crate) fn cannot_share(one: &Identity, other: &Identity, platform: &Platform) -> bool {
    !has_ids_by_country(platform)
        && one.compare(other, &platform.tokens.identity) == crate::identity::Match::Other
}

/// The accounts of a vault, by the tokens that they use.
#[derive(Default)]
pub(crate) struct Held<'a> {
    authorizations: HashMap<Mark, Id>,
    accounts: HashMap<Id, Vec<&'a FullRow>>,
}

impl<'a> Held<'a> {
    /// Returns the accounts that use tokens already; none when nobody does.
    pub(crate) fn accounts(&self, wanted: Option<Mark>) -> &[&'a FullRow] {
        let id = wanted.and_then(|mark| self.authorizations.get(&mark));
        id.and_then(|id| self.accounts.get(id)).map_or(&[], Vec::as_slice)
    }
}

impl Inner {
    /// Opens the tokens of all accounts of apps with these keys.
    ///
    /// # Errors
    /// As [`Inner::know_keys`]. Tokens that do not open are passed over: they are nobody's.
    pub(crate) async fn held<'a>(
        &self,
        rows: &'a [FullRow],
        is_wanted: impl Fn(&FullRow) -> bool,
    ) -> Result<Held<'a>> {
        let mut held = Held::default();
        let mut opened: HashSet<Id> = HashSet::new();
        for row in rows.iter().filter(|row| is_wanted(row)) {
            let id = row.authorization.id;
            held.accounts.entry(id).or_default().push(row);
            if opened.insert(id) {
                for mark in self.marks_of(&row.app.app_key, &row.authorization).await?.all() {
                    held.authorizations.entry(mark).or_insert(id);
                }
            }
        }
        Ok(held)
    }

    /// Finds the oldest account of an app key that uses these tokens; page by page, since a vault may
    /// have a million accounts.
    ///
    /// # Errors
    /// As [`Inner::know_keys`], and the store's.
    pub(crate) async fn account_holding(&self, app: &AppRow, wanted: &Mark) -> Result<Option<FullRow>> {
        let mut walk = Walk::begin(self.store.as_ref());
        while let Some(step) = walk.step().await? {
            match step {
                Step::Page(page) => {
                    for row in page {
                        if side_of(&row.app) == side_of(app)
                            && self.marks_of(&app.app_key, &row.authorization).await?.has(wanted)
                        {
                            return Ok(Some(row));
                        }
                    }
                }
                Step::Unreadable(id, error) => {
                    tracing::warn!(account = %id, "an account cannot be read, and is passed over: {error}");
                }
            }
        }
        Ok(None)
    }

    async fn marks_of(&self, app_key: &str, row: &AuthorizationRow) -> Result<Marks> {
        self.know_keys(row).await?;
        let access = open_access(&self.sealer, row).ok().flatten();
        let refresh = open_refresh(&self.sealer, row).ok().flatten();
        Ok(Marks::of(app_key, access.as_ref(), refresh.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_by_app_kind_and_value() {
        let (access, refresh) = (AccessToken::new("a"), RefreshToken::new("a"));
        let pair = Marks::of("1", Some(&access), Some(&refresh));
        assert_eq!(pair.all().count(), 2);
        let only_access = Marks::of("1", Some(&access), None);
        let only_refresh = Marks::of("1", None, Some(&refresh));
        assert!(pair.has(&only_access.wanted().unwrap()) && pair.has(&only_refresh.wanted().unwrap()));
        assert!(!only_access.has(&pair.wanted().unwrap()), "its refresh token would be lost");
        assert!(!pair.has(&Marks::of("12", None, Some(&refresh)).wanted().unwrap()));
        assert_eq!(Marks::of("1", None, None).wanted(), None);
    }
}
