//! The lines of an export: rows with their secrets open. Only ever written under a passphrase.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sesame_core::{AccessToken, AppSecret, RefreshToken, Result};
use zeroize::Zeroizing;

use crate::{
    Id,
    app::secret_slot,
    authorization::{open_access, open_refresh},
    same_tokens::Marks,
    seal::{Sealer, Slot, open_text},
    store::{AccountRow, AppRow, AuthorizationRow, TokenColumns},
    vault::blank,
};

/// A secret within a line. Wiped on drop; `Debug` masks it.
pub(super) struct Open(Zeroizing<String>);

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open(…)")
    }
}

impl Serialize for Open {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Open {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Open {
    fn seal(&self, sealer: &Sealer, slot: Slot<'_>) -> Vec<u8> {
        sealer.seal(slot, self.0.as_bytes())
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    App(AppLine),
    Authorization(Box<AuthorizationLine>),
    Account(AccountLine),
    /// The last one: how many there were.
    End(Counts),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) apps: u64,
    pub(super) authorizations: u64,
    pub(super) accounts: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AppLine {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) platform: String,
    pub(super) region: Option<String>,
    pub(super) app_key: String,
    pub(super) secret: Open,
    pub(super) redirect_uri: String,
    pub(super) sandbox: Option<String>,
    pub(super) secret_origin: Option<String>,
    pub(super) created_at: i64,
}

impl AppLine {
    pub(super) fn of(sealer: &Sealer, row: &AppRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name.clone(),
            platform: row.platform.clone(),
            region: row.region.clone(),
            app_key: row.app_key.clone(),
            secret: Open(Zeroizing::new(open_text(sealer, secret_slot(&row.id), &row.secret)?)),
            redirect_uri: row.redirect_uri.clone(),
            sandbox: row.sandbox.clone(),
            secret_origin: row.secret_origin.clone(),
            created_at: row.created_at,
        })
    }

    pub(super) fn row(&self, sealer: &Sealer, name: String) -> AppRow {
        AppRow {
            id: self.id,
            name,
            platform: self.platform.clone(),
            region: self.region.clone(),
            app_key: self.app_key.clone(),
            secret: self.secret.seal(sealer, secret_slot(&self.id)),
            redirect_uri: self.redirect_uri.clone(),
            sandbox: self.sandbox.clone(),
            secret_origin: self.secret_origin.clone(),
            created_at: self.created_at,
        }
    }

    /// The app secret, to be compared with one that stands.
    pub(super) fn secret(&self) -> AppSecret {
        AppSecret::new(self.secret.0.as_str())
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AuthorizationLine {
    pub(super) id: Id,
    pub(super) app_id: Id,
    pub(super) region: Option<String>,
    pub(super) generation: i64,
    pub(super) access: Option<Open>,
    pub(super) refresh: Option<Open>,
    pub(super) issued_at: i64,
    pub(super) access_expires_at: Option<i64>,
    pub(super) refresh_expires_at: Option<i64>,
    pub(super) refresh_denied: bool,
    pub(super) identity: String,
    pub(super) announced: Option<i64>,
    pub(super) exhausted: Option<String>,
    pub(super) last_success: Option<i64>,
    pub(super) last_error: Option<String>,
    pub(super) last_error_at: Option<i64>,
    pub(super) last_used: Option<i64>,
    // What follows is in no export of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attempts: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refreshing_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interrupted_since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) postpone_after: Option<i64>,
}

/// The most failures in a row that are believed: counted each quarter of an hour, a hundred years have
/// not as many.
const MOST_ATTEMPTS: i64 = 4_000_000;
/// The longest pause that is believed, in milliseconds. After a failure it is 27 hours at most; what is
/// later was damaged, and would keep the keeper away.
const LONGEST_PAUSE: i64 = 2 * 86_400_000;

impl AuthorizationLine {
    /// What tells its tokens from others of the app key.
    pub(super) fn marks(&self, app_key: &str) -> Marks {
        let access = self.access.as_ref().map(|open| AccessToken::new(open.0.as_str()));
        let refresh = self.refresh.as_ref().map(|open| RefreshToken::new(open.0.as_str()));
        Marks::of(app_key, access.as_ref(), refresh.as_ref())
    }

    pub(super) fn of(sealer: &Sealer, row: &AuthorizationRow) -> Result<Self> {
        let open = |text: &str| Open(Zeroizing::new(text.to_owned()));
        let tokens = &row.tokens;
        Ok(Self {
            id: row.id,
            app_id: row.app_id,
            region: row.region.clone(),
            generation: row.generation,
            access: open_access(sealer, row)?.map(|token| open(token.expose())),
            refresh: open_refresh(sealer, row)?.map(|token| open(token.expose())),
            issued_at: tokens.issued_at,
            access_expires_at: tokens.access_expires_at,
            refresh_expires_at: tokens.refresh_expires_at,
            refresh_denied: tokens.refresh_denied,
            identity: tokens.identity.clone(),
            announced: tokens.announced,
            exhausted: row.exhausted.clone(),
            last_success: row.last_success,
            last_error: row.last_error.clone(),
            last_error_at: row.last_error_at,
            last_used: row.last_used,
            attempts: Some(row.attempts).filter(|attempts| *attempts != 0),
            not_before: row.not_before,
            refreshing_since: row.refreshing_since,
            interrupted_since: row.interrupted_since,
            postpone_after: row.postpone_after,
        })
    }

    /// The row, without a plan for the keeper.
    pub(super) fn row(&self, sealer: &Sealer, app_id: Id, now: i64) -> AuthorizationRow {
        let pause = |until: Option<i64>| {
            until.filter(|until| (0..=now.saturating_add(LONGEST_PAUSE)).contains(until))
        };
        // The mark of a refresh that was cut off is kept, however damaged its time: without it the
        // platform's refusal would be told as an end that came by itself.
        let begun = |at: Option<i64>| at.map(|at| at.clamp(0, now.max(0)));
        let slot = |column| Slot { table: "authorizations", row: self.id.as_bytes(), column };
        AuthorizationRow {
            generation: self.generation,
            tokens: TokenColumns {
                access: self.access.as_ref().map(|token| token.seal(sealer, slot("access"))),
                refresh: self.refresh.as_ref().map(|token| token.seal(sealer, slot("refresh"))),
                issued_at: self.issued_at,
                access_expires_at: self.access_expires_at,
                refresh_expires_at: self.refresh_expires_at,
                refresh_denied: self.refresh_denied,
                identity: self.identity.clone(),
                warm_at: None,
                due_at: None,
                announced: self.announced,
            },
            exhausted: self.exhausted.clone(),
            last_success: self.last_success,
            last_error: self.last_error.clone(),
            last_error_at: self.last_error_at,
            last_used: self.last_used,
            attempts: self.attempts.unwrap_or_default().clamp(0, MOST_ATTEMPTS),
            not_before: pause(self.not_before),
            refreshing_since: begun(self.refreshing_since),
            interrupted_since: begun(self.interrupted_since),
            postpone_after: pause(self.postpone_after),
            ..blank(self.id, app_id, self.region.clone(), self.issued_at)
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccountLine {
    pub(super) id: Id,
    pub(super) name: String,
    pub(super) app_id: Id,
    pub(super) authorization_id: Id,
    pub(super) login: Option<String>,
    pub(super) shop_id: Option<String>,
    pub(super) country: Option<String>,
    pub(super) region: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) created_at: i64,
}

impl AccountLine {
    pub(super) fn of(row: &AccountRow) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            app_id: row.app_id,
            authorization_id: row.authorization_id,
            login: row.login.clone(),
            shop_id: row.shop_id.clone(),
            country: row.country.clone(),
            region: row.region.clone(),
            tags: row.tags.clone(),
            created_at: row.created_at,
        }
    }

    pub(super) fn row(&self, name: String, app_id: Id, authorization_id: Id) -> AccountRow {
        AccountRow {
            id: self.id,
            name,
            app_id,
            authorization_id,
            login: self.login.clone(),
            shop_id: self.shop_id.clone(),
            country: self.country.clone(),
            region: self.region.clone(),
            tags: self.tags.clone(),
            created_at: self.created_at,
        }
    }
}
