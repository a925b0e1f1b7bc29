//! Tokens that come in a second time, found by digests that are in memory alone.
//!
//! Two authorizations with one refresh token end each other's: where a refresh brings a new one, the
//! other's is dead from then on. So one token is one authorization, whatever its accounts are called.

use std::collections::HashMap;

use sesame_catalog::Platform;
use sesame_core::{AccessToken, RefreshToken};
use sha2::{Digest as _, Sha256};

use crate::{
    accounts::authorization::{open_access, open_refresh},
    model::{
        Id,
        identity::{Identity, Match},
    },
    seal::Sealer,
    store::AuthorizationRow,
};

/// What tells one token of an app key from all others. Never stored: a digest would tell whoever has
/// the store that a token they have is in it.
pub(crate) type TokenDigest = [u8; 32];

/// Returns the digest of some parts. None of them holds the character NUL.
pub(crate) fn digest(parts: &[&str]) -> TokenDigest {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().into()
}

/// The digests of one pair of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PairDigest {
    access: Option<TokenDigest>,
    refresh: Option<TokenDigest>,
}

impl PairDigest {
    pub(crate) fn new(app_key: &str, access: Option<&AccessToken>, refresh: Option<&RefreshToken>) -> Self {
        Self {
            access: access.map(|token| digest(&[app_key, "access", token.expose()])),
            refresh: refresh.map(|token| digest(&[app_key, "refresh", token.expose()])),
        }
    }

    /// The digests of stored tokens. Those that cannot be opened have none.
    pub(crate) fn of_row(sealer: &Sealer, app_key: &str, row: &AuthorizationRow) -> Self {
        let access = open_access(sealer, row).ok().flatten();
        let refresh = open_refresh(sealer, row).ok().flatten();
        Self::new(app_key, access.as_ref(), refresh.as_ref())
    }

    /// What new tokens are looked up by. With a refresh token it is that one alone: whoever has the same
    /// access token and no refresh token is not left with less than there is.
    pub(crate) fn key(&self) -> Option<TokenDigest> {
        self.refresh.or(self.access)
    }

    fn all(&self) -> impl Iterator<Item = TokenDigest> {
        self.refresh.into_iter().chain(self.access)
    }
}

/// Which authorization has which tokens.
#[derive(Default)]
pub(crate) struct TokenIndex(HashMap<TokenDigest, Id>);

impl TokenIndex {
    /// Adds the tokens of an authorization; the first that has a token keeps it.
    pub(crate) fn insert(&mut self, pair: &PairDigest, authorization: Id) {
        for digest in pair.all() {
            self.0.entry(digest).or_insert(authorization);
        }
    }

    pub(crate) fn find(&self, pair: &PairDigest) -> Option<Id> {
        self.0.get(&pair.key()?).copied()
    }
}

/// Returns `true` if one pair of tokens cannot be that of both shops. On some platforms a seller has one
/// pair for shops in several countries, each with an id of its own.
pub(crate) fn cannot_share(one: &Identity, other: &Identity, platform: &Platform) -> bool {
    let fields = &platform.tokens.identity;
    let has_ids_by_country = fields.id.iter().any(|path| path.starts_with("country_user_info"));
    !has_ids_by_country && one.compare(other, fields) == Match::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_by_app_kind_and_value() {
        let (access, refresh) = (AccessToken::new("a"), RefreshToken::new("a"));
        let mut index = TokenIndex::default();
        let id = Id::FIRST;
        index.insert(&PairDigest::new("1", Some(&access), Some(&refresh)), id);
        let find = |app_key, access, refresh| index.find(&PairDigest::new(app_key, access, refresh));
        assert_eq!((find("1", Some(&access), None), find("1", None, Some(&refresh))), (Some(id), Some(id)));
        let other = RefreshToken::new("b");
        assert_eq!(find("1", Some(&access), Some(&other)), None, "its refresh token would be lost");
        assert_eq!((find("12", None, Some(&refresh)), find("1", None, None)), (None, None));
    }
}
