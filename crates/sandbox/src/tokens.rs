//! Codes and tokens: who holds them, how long they live, when they die.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use jiff::Timestamp;
use sesame_core::{Clock, Protocol};

use crate::{clock::after, fixtures::Shop, random::BASE62};

/// Why a code yields no token, or a token is refused; in words.
pub(crate) type Problem = &'static str;

/// A code that was issued.
pub(crate) struct Code {
    pub(crate) app_key: String,
    pub(crate) shop: usize,
    pub(crate) redirect_uri: String,
    pub(crate) ends: Timestamp,
    pub(crate) used: bool,
}

/// An access token or a refresh token that was issued.
struct Token {
    app_key: String,
    shop: usize,
    ends: Timestamp,
    revoked: bool,
}

impl Token {
    fn check(&self, app_key: &str, now: Timestamp) -> Result<(), Problem> {
        if self.app_key != app_key {
            Err("the token belongs to another app")
        } else if self.revoked {
            Err("the token was replaced or revoked")
        } else if now >= self.ends {
            Err("the token has expired")
        } else {
            Ok(())
        }
    }
}

/// The tokens of a grant. No `Debug`: it holds secrets.
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) access_ends: Timestamp,
    /// `None` if the app may not refresh, or did not ask for one (param2).
    pub(crate) refresh: Option<String>,
    pub(crate) refresh_ends: Timestamp,
}

/// What a grant is for.
pub(crate) struct Grant<'a> {
    pub(crate) app_key: &'a str,
    pub(crate) shop: usize,
    pub(crate) now: Timestamp,
    pub(crate) access_life: u64,
    /// When the refresh token ends; `None` if none shall be issued.
    pub(crate) refresh_ends: Option<Timestamp>,
    /// Decides what tokens look like, and whether a new session ends the former (TOP: one per shop
    /// and app, protocols 6).
    pub(crate) protocol: Protocol,
}

/// Maximum number of codes, access tokens and refresh tokens each; expired ones go first.
const MOST: usize = 100_000;
/// Maximum number of tokens of a kind that are listed.
const MOST_LISTED: usize = 1_000;

#[derive(Default)]
struct Tables {
    codes: HashMap<String, Code>,
    access: HashMap<String, Token>,
    refresh: HashMap<String, Token>,
}

/// All codes and tokens of a sandbox. `Debug` shows none of them.
#[derive(Default)]
pub(crate) struct TokenBook {
    tables: Mutex<Tables>,
    pub(crate) created: AtomicU64,
    pub(crate) refreshed: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl fmt::Debug for TokenBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBook").field("created", &self.created).finish_non_exhaustive()
    }
}

impl TokenBook {
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a code that was issued.
    pub(crate) fn issue_code(&self, text: String, code: Code, now: Timestamp) {
        let codes = &mut self.lock().codes;
        make_room(codes, |code| code.ends > now);
        codes.insert(text, code);
    }

    /// Uses a code up and returns its shop. `redirect_uri` is compared where the protocol sends it.
    pub(crate) fn redeem(
        &self,
        code: &str,
        app_key: &str,
        redirect_uri: Option<&str>,
        now: Timestamp,
    ) -> Result<usize, Problem> {
        let mut tables = self.lock();
        let found = tables.codes.get_mut(code).ok_or("the authorization code is unknown")?;
        if found.app_key != app_key {
            // Not used up: another app cannot spoil a code.
            return Err("the authorization code belongs to another app");
        }
        if found.used {
            return Err("the authorization code was used before");
        }
        if now >= found.ends {
            return Err("the authorization code has expired");
        }
        if redirect_uri.is_some_and(|uri| uri != found.redirect_uri) {
            return Err("redirect_uri is not the one the code was issued for");
        }
        found.used = true;
        Ok(found.shop)
    }

    /// Issues an access token and, if asked, a refresh token.
    pub(crate) fn grant(&self, clock: &dyn Clock, grant: &Grant<'_>) -> Pair {
        let Grant { app_key, shop, now, .. } = *grant;
        let access = random_token(grant.protocol, clock, false);
        let access_ends = after(now, grant.access_life);
        let token = |ends| Token { app_key: app_key.to_owned(), shop, ends, revoked: false };
        let mut tables = self.lock();
        if grant.protocol == Protocol::Top {
            let former = |old: &&mut Token| old.shop == shop && old.app_key == app_key;
            tables.access.values_mut().filter(former).for_each(|old| old.revoked = true);
        }
        make_room(&mut tables.access, |token| token.ends > now);
        tables.access.insert(access.clone(), token(access_ends));
        let refresh = grant.refresh_ends.map(|ends| {
            let refresh = random_token(grant.protocol, clock, true);
            make_room(&mut tables.refresh, |token| token.ends > now);
            tables.refresh.insert(refresh.clone(), token(ends));
            refresh
        });
        Pair { access, access_ends, refresh, refresh_ends: grant.refresh_ends.unwrap_or(now) }
    }

    /// Returns `true` if a code or refresh token was issued for a shop of this platform.
    pub(crate) fn is_for(&self, text: &str, platform: &str, shops: &[Shop]) -> bool {
        let tables = self.lock();
        let shop = tables.codes.get(text).map(|code| code.shop);
        let shop = shop.or_else(|| tables.refresh.get(text).map(|token| token.shop));
        shop.and_then(|shop| shops.get(shop)).is_some_and(|shop| shop.platform == platform)
    }

    /// Returns the shop of an access token.
    pub(crate) fn check(&self, token: &str, app_key: &str, now: Timestamp) -> Result<usize, Problem> {
        let tables = self.lock();
        let found = tables.access.get(token).ok_or("the token is unknown")?;
        found.check(app_key, now).map(|()| found.shop)
    }

    /// Returns the shop of a refresh token and when it ends; `spend` makes this its last use.
    pub(crate) fn use_refresh(
        &self,
        token: &str,
        app_key: &str,
        now: Timestamp,
        spend: bool,
    ) -> Result<(usize, Timestamp), Problem> {
        let mut tables = self.lock();
        let found = tables.refresh.get_mut(token).ok_or("the token is unknown")?;
        found.check(app_key, now)?;
        found.revoked = spend;
        Ok((found.shop, found.ends))
    }

    /// Expires or revokes the tokens that a selection names. Returns how many.
    pub(crate) fn end(&self, selection: &Selection<'_>, how: End, now: Timestamp) -> usize {
        let mut tables = self.lock();
        let Tables { access, refresh, .. } = &mut *tables;
        let access = access.iter_mut().filter(|_| selection.access);
        let refresh = refresh.iter_mut().filter(|_| selection.refresh);
        let mut count = 0;
        for (_, token) in access.chain(refresh).filter(|(text, token)| selection.has(text, token.shop)) {
            match how {
                End::In(seconds) => token.ends = after(now, seconds),
                End::Revoked => token.revoked = true,
            }
            count += 1;
        }
        count
    }

    /// Lists tokens, living ones first, and counts those that are left out.
    pub(crate) fn list(&self, now: Timestamp) -> (Vec<ListedToken>, usize) {
        let tables = self.lock();
        let (mut rows, mut left_out) = (Vec::new(), 0);
        for (kind, table) in [("access", &tables.access), ("refresh", &tables.refresh)] {
            let mut all: Vec<ListedToken> =
                table.iter().map(|(text, token)| ListedToken::new(kind, text, token, now)).collect();
            // Living tokens stay before others, then those that end last.
            all.sort_by(|left, right| {
                (left.state != "alive", &right.ends).cmp(&(right.state != "alive", &left.ends))
            });
            left_out += all.len().saturating_sub(MOST_LISTED);
            all.truncate(MOST_LISTED);
            rows.extend(all);
        }
        rows.sort_by(|left, right| {
            (left.shop, left.kind, &left.ends).cmp(&(right.shop, right.kind, &right.ends))
        });
        (rows, left_out)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Tables::default();
    }
}

/// A row of the list of tokens.
#[derive(Debug, serde::Serialize)]
pub(crate) struct ListedToken {
    kind: &'static str,
    /// Masked.
    token: String,
    app_key: String,
    #[serde(skip)]
    pub(crate) shop: usize,
    ends: String,
    state: &'static str,
}

impl ListedToken {
    fn new(kind: &'static str, text: &str, token: &Token, now: Timestamp) -> Self {
        let state = if token.revoked {
            "revoked"
        } else if now >= token.ends {
            "ended"
        } else {
            "alive"
        };
        Self {
            kind,
            token: sesame_core::mask::mask(text),
            app_key: token.app_key.clone(),
            shop: token.shop,
            ends: token.ends.to_string(),
            state,
        }
    }
}

/// Which tokens to end: by text, by shop, by kind.
pub(crate) struct Selection<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) shops: Option<&'a [usize]>,
    pub(crate) access: bool,
    pub(crate) refresh: bool,
}

impl Selection<'_> {
    fn has(&self, token: &str, shop: usize) -> bool {
        self.token.is_none_or(|wanted| wanted == token)
            && self.shops.is_none_or(|shops| shops.contains(&shop))
    }
}

/// How tokens end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In this number of seconds; 0 is now.
    In(u64),
    /// At once, as if the seller had cancelled the authorization.
    Revoked,
}

/// Drops what has expired when a table is full, and everything when that is not enough.
fn make_room<T>(table: &mut HashMap<String, T>, is_alive: impl Fn(&T) -> bool) {
    if table.len() < MOST {
        return;
    }
    table.retain(|_, entry| is_alive(entry));
    if table.len() >= MOST {
        table.clear();
    }
}

/// Invents a token as it looks on a protocol's wire.
fn random_token(protocol: Protocol, clock: &dyn Clock, refresh: bool) -> String {
    match protocol {
        Protocol::Iop => format!("{}{}", if refresh { "50001" } else { "50000" }, random_text(clock, 55)),
        Protocol::Param2 => uuid(clock),
        Protocol::Top => {
            let mut bytes = [0; 26];
            clock.random(&mut bytes);
            format!("{}{}", if refresh { "6201" } else { "6200" }, hex(&bytes))
        }
    }
}

/// Invents a text of letters and digits.
pub(crate) fn random_text(clock: &dyn Clock, length: usize) -> String {
    let mut bytes = vec![0; length];
    clock.random(&mut bytes);
    // 256 is no multiple of 62; for sample tokens the slight lean does not matter.
    bytes.iter().map(|byte| char::from(BASE62[usize::from(*byte) % BASE62.len()])).collect()
}

/// Invents a random UUID.
pub(crate) fn uuid(clock: &dyn Clock) -> String {
    let mut bytes = [0_u8; 16];
    clock.random(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
