//! What the target of a copy has already.

use std::collections::HashMap;

use sesame_core::Result;

use crate::{
    accounts::{Step, Walk, app::app_key_of},
    import::dedup_by_token::{PairDigest, TokenDigest, TokenIndex, digest},
    model::{Id, identity::Identity},
    store::AppRow,
    vault::Services,
};

/// The target's accounts by their tokens and identities, as digests: some hundred bytes for each account.
#[derive(Default)]
pub(super) struct TargetIndex {
    pub(super) by_token: TokenIndex,
    pub(super) by_identity: HashMap<TokenDigest, Vec<Id>>,
}

impl TargetIndex {
    pub(super) async fn of(to: &Services) -> Result<Self> {
        let mut index = Self::default();
        let mut walk = Walk::begin(to.store.as_ref());
        while let Some(step) = walk.step().await? {
            let Step::Page(page) = step else { continue };
            for row in page {
                let pair = PairDigest::of_row(to.keys.sealer(), &row.app.app_key, &row.authorization);
                index.by_token.insert(&pair, row.authorization.id);
                for mark in Identity::parse(&row.authorization.tokens.identity).marks() {
                    let accounts = index.by_identity.entry(Self::digest(&row.app, &mark)).or_default();
                    accounts.push(row.account.id);
                }
            }
        }
        Ok(index)
    }

    pub(super) fn digest(app: &AppRow, mark: &str) -> TokenDigest {
        let (platform, app_key, is_sandbox) = app_key_of(app);
        digest(&[platform, app_key, mark, if is_sandbox { "sandbox" } else { "live" }])
    }
}
