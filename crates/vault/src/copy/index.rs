//! What the target of a copy has already.

use std::collections::{HashMap, HashSet};

use sesame_core::Result;
use sha2::{Digest as _, Sha256};

use crate::{
    accounts::{Step, Walk, app::app_key_of},
    import::dedup_by_token::{PairDigest, TokenIndex},
    model::{Id, identity::Identity},
    store::AppRow,
    vault::Services,
};

/// The target's accounts by their tokens and identities, as digests: some hundred bytes for each account
/// of an app that is copied.
#[derive(Default)]
pub(super) struct TargetIndex {
    pub(super) by_token: TokenIndex,
    pub(super) by_identity: HashMap<[u8; 32], Vec<Id>>,
}

impl TargetIndex {
    pub(super) async fn of(to: &Services, sides: &HashSet<(String, String, bool)>) -> Result<Self> {
        let mut index = Self::default();
        let mut walk = Walk::begin(to.store.as_ref());
        while let Some(step) = walk.step().await? {
            let Step::Page(page) = step else { continue };
            for row in page {
                let (platform, app_key, is_sandbox) = app_key_of(&row.app);
                if !sides.contains(&(platform.to_owned(), app_key.to_owned(), is_sandbox)) {
                    continue;
                }
                let pair = PairDigest::of_row(to.keys.sealer(), app_key, &row.authorization);
                index.by_token.insert(&pair, row.authorization.id);
                for mark in Identity::parse(&row.authorization.tokens.identity).marks() {
                    let accounts = index.by_identity.entry(Self::digest(&row.app, &mark)).or_default();
                    accounts.push(row.account.id);
                }
            }
        }
        Ok(index)
    }

    pub(super) fn digest(app: &AppRow, mark: &str) -> [u8; 32] {
        let (platform, app_key, is_sandbox) = app_key_of(app);
        let mut digest = Sha256::new();
        for part in [platform, app_key, mark] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        digest.update([u8::from(is_sandbox)]);
        digest.finalize().into()
    }
}
