//! Codes and tokens: who holds them, how long they live, when they die.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, atomic::AtomicU64},
};

use jiff::Timestamp;
use sesame_core::Clock;

use crate::{clock::after, seed::BASE62};

/// Why a code yields no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeProblem {
    Unknown,
    Used,
    Late,
    OtherApp,
    OtherRedirect,
}

impl CodeProblem {
    /// Says it in words for `error_description`.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Unknown => "the authorization code is unknown",
            Self::Used => "the authorization code was used before",
            Self::Late => "the authorization code has expired",
            Self::OtherApp => "the authorization code belongs to another app",
            Self::OtherRedirect => "redirect_uri is not the one the code was issued for",
        }
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenProblem {
    Unknown,
    Ended,
    Revoked,
    OtherApp,
}

impl TokenProblem {
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Unknown => "the token is unknown",
            Self::Ended => "the token has expired",
            Self::Revoked => "the token was replaced or revoked",
            Self::OtherApp => "the token belongs to another app",
        }
    }
}

#[derive(Debug)]
struct Code {
    app_key: String,
    shop: usize,
    redirect_uri: String,
    ends: Timestamp,
    used: bool,
}

#[derive(Debug)]
struct Access {
    app_key: String,
    shop: usize,
    ends: Timestamp,
    revoked: bool,
}

#[derive(Debug)]
struct Refresh {
    app_key: String,
    shop: usize,
    ends: Timestamp,
    revoked: bool,
}

/// What a grant yields. No `Debug`: it holds tokens.
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) access_ends: Timestamp,
    /// Nothing when the app may not refresh, or did not ask for one (param2).
    pub(crate) refresh: Option<String>,
    pub(crate) refresh_ends: Timestamp,
    pub(crate) shop: usize,
}

/// What a grant is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant<'a> {
    pub(crate) app_key: &'a str,
    pub(crate) shop: usize,
    pub(crate) now: Timestamp,
    pub(crate) access_life: u64,
    /// When the refresh token ends; nothing when none shall be issued.
    pub(crate) refresh_ends: Option<Timestamp>,
    /// What tokens look like.
    pub(crate) look: Look,
    /// True where a shop has one session per app, so that a new one ends the former (TOP).
    pub(crate) single: bool,
}

/// What tokens look like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// `50000601c30atpedfgu3LVvik87...`
    Iop,
    /// A UUID.
    Param2,
    /// `6200...` in hexadecimal.
    Top,
}

/// The most codes, access tokens and refresh tokens each; the ended ones go first.
const MOST: usize = 100_000;
/// The most tokens of a kind that are listed.
const LISTED: usize = 1_000;

/// All codes and tokens of a sandbox. `Debug` shows none of them.
#[derive(Default)]
pub(crate) struct TokenBook {
    codes: Mutex<HashMap<String, Code>>,
    access: RwLock<HashMap<String, Access>>,
    refresh: Mutex<HashMap<String, Refresh>>,
    pub(crate) created: AtomicU64,
    pub(crate) refreshed: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl fmt::Debug for TokenBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenBook").field("created", &self.created).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TokenBook {
    fn access_mut(&self) -> RwLockWriteGuard<'_, HashMap<String, Access>> {
        self.access.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a code that was issued.
    pub(crate) fn issue_code(
        &self,
        code: String,
        app_key: &str,
        shop: usize,
        redirect_uri: &str,
        ends: Timestamp,
        now: Timestamp,
    ) {
        let mut codes = lock(&self.codes);
        make_room(&mut codes, now, |code| code.ends);
        codes.insert(
            code,
            Code {
                app_key: app_key.to_owned(),
                shop,
                redirect_uri: redirect_uri.to_owned(),
                ends,
                used: false,
            },
        );
    }

    /// Uses a code up and returns its shop. `redirect_uri` is compared where the protocol sends it.
    pub(crate) fn redeem(
        &self,
        code: &str,
        app_key: &str,
        redirect_uri: Option<&str>,
        now: Timestamp,
    ) -> Result<usize, CodeProblem> {
        let mut codes = lock(&self.codes);
        let found = codes.get_mut(code).ok_or(CodeProblem::Unknown)?;
        if found.app_key != app_key {
            // Not used up: another app cannot spoil a code.
            return Err(CodeProblem::OtherApp);
        }
        if found.used {
            return Err(CodeProblem::Used);
        }
        if now >= found.ends {
            return Err(CodeProblem::Late);
        }
        if redirect_uri.is_some_and(|uri| uri != found.redirect_uri) {
            return Err(CodeProblem::OtherRedirect);
        }
        found.used = true;
        Ok(found.shop)
    }

    /// Issues an access token and, if asked, a refresh token.
    pub(crate) fn grant(&self, clock: &dyn Clock, grant: &Grant<'_>) -> Pair {
        let access_ends = after(grant.now, grant.access_life);
        let access = grant.look.token(clock, false);
        let refresh = grant.refresh_ends.map(|_| grant.look.token(clock, true));
        {
            let mut tokens = self.access_mut();
            make_room(&mut tokens, grant.now, |token| token.ends);
            if grant.single {
                for token in tokens.values_mut() {
                    if token.shop == grant.shop && token.app_key == grant.app_key {
                        token.revoked = true;
                    }
                }
            }
            tokens.insert(
                access.clone(),
                Access {
                    app_key: grant.app_key.to_owned(),
                    shop: grant.shop,
                    ends: access_ends,
                    revoked: false,
                },
            );
        }
        if let (Some(refresh), Some(ends)) = (&refresh, grant.refresh_ends) {
            let mut tokens = lock(&self.refresh);
            make_room(&mut tokens, grant.now, |token| token.ends);
            tokens.insert(
                refresh.clone(),
                Refresh { app_key: grant.app_key.to_owned(), shop: grant.shop, ends, revoked: false },
            );
        }
        Pair {
            access,
            access_ends,
            refresh,
            refresh_ends: grant.refresh_ends.unwrap_or(grant.now),
            shop: grant.shop,
        }
    }

    /// Tells whether a code or refresh token was issued for a shop of this platform.
    pub(crate) fn is_for(&self, text: &str, platform: &str, shops: &[crate::world::Shop]) -> bool {
        let shop = lock(&self.codes).get(text).map(|code| code.shop);
        let shop = shop.or_else(|| lock(&self.refresh).get(text).map(|token| token.shop));
        shop.and_then(|shop| shops.get(shop)).is_some_and(|shop| shop.platform == platform)
    }

    /// Says whose an access token is.
    pub(crate) fn check(&self, token: &str, app_key: &str, now: Timestamp) -> Result<usize, TokenProblem> {
        let tokens = self.access.read().unwrap_or_else(PoisonError::into_inner);
        let found = tokens.get(token).ok_or(TokenProblem::Unknown)?;
        usable(&found.app_key, app_key, found.revoked, found.ends, now)?;
        Ok(found.shop)
    }

    /// Says whose a refresh token is and when it ends; `spend` makes this its last use.
    pub(crate) fn use_refresh(
        &self,
        token: &str,
        app_key: &str,
        now: Timestamp,
        spend: bool,
    ) -> Result<(usize, Timestamp), TokenProblem> {
        let mut tokens = lock(&self.refresh);
        let found = tokens.get_mut(token).ok_or(TokenProblem::Unknown)?;
        usable(&found.app_key, app_key, found.revoked, found.ends, now)?;
        found.revoked = spend;
        Ok((found.shop, found.ends))
    }

    /// Changes tokens from outside: those that `which` names, by token text or by shop.
    pub(crate) fn end(&self, which: &Which<'_>, how: End, now: Timestamp) -> usize {
        let mut count = 0;
        if which.access {
            for (token, found) in self.access_mut().iter_mut() {
                if which.fits(token, found.shop) {
                    how.apply(&mut found.ends, &mut found.revoked, now);
                    count += 1;
                }
            }
        }
        if which.refresh {
            for (token, found) in lock(&self.refresh).iter_mut() {
                if which.fits(token, found.shop) {
                    how.apply(&mut found.ends, &mut found.revoked, now);
                    count += 1;
                }
            }
        }
        count
    }

    /// Lists tokens: kind, masked token, app key, shop, end, state; and counts those that are left out.
    pub(crate) fn list(&self, now: Timestamp) -> (Vec<Listed>, usize) {
        let listed = |kind, token: &str, app_key: &str, shop, ends: Timestamp, revoked| {
            let state = if revoked {
                "revoked"
            } else if now >= ends {
                "ended"
            } else {
                "alive"
            };
            let token = sesame_core::mask::mask(token);
            Listed { kind, token, app_key: app_key.to_owned(), shop, ends: ends.to_string(), state }
        };
        let access = {
            let table = self.access.read().unwrap_or_else(PoisonError::into_inner);
            let all = table.iter().map(|(token, found)| {
                listed("access", token, &found.app_key, found.shop, found.ends, found.revoked)
            });
            all.collect()
        };
        let refresh = {
            let table = lock(&self.refresh);
            let all = table.iter().map(|(token, found)| {
                listed("refresh", token, &found.app_key, found.shop, found.ends, found.revoked)
            });
            all.collect()
        };
        let ((mut out, of_access), (refresh, of_refresh)) = (living_first(access), living_first(refresh));
        out.extend(refresh);
        out.sort_by(|left, right| {
            (left.shop, left.kind, &left.ends).cmp(&(right.shop, right.kind, &right.ends))
        });
        (out, of_access + of_refresh)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        lock(&self.codes).clear();
        self.access_mut().clear();
        lock(&self.refresh).clear();
    }
}

/// Leaves out what is too much, and tells how many: living tokens stay before others, then those that
/// end last.
fn living_first(mut all: Vec<Listed>) -> (Vec<Listed>, usize) {
    all.sort_by(|left, right| {
        (left.state != "alive", &right.ends).cmp(&(right.state != "alive", &left.ends))
    });
    let left_out = all.len().saturating_sub(LISTED);
    all.truncate(LISTED);
    (all, left_out)
}

/// A line of the list of tokens.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Listed {
    kind: &'static str,
    token: String,
    app_key: String,
    #[serde(skip)]
    pub(crate) shop: usize,
    ends: String,
    state: &'static str,
}

/// Which tokens to end.
pub(crate) struct Which<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) shops: Option<&'a [usize]>,
    pub(crate) access: bool,
    pub(crate) refresh: bool,
}

impl Which<'_> {
    fn fits(&self, token: &str, shop: usize) -> bool {
        self.token.is_none_or(|wanted| wanted == token)
            && self.shops.is_none_or(|shops| shops.contains(&shop))
    }
}

/// How tokens end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In so many seconds; 0 is now.
    In(u64),
    /// At once, as if the seller had cancelled the authorization.
    Revoked,
}

impl End {
    fn apply(self, ends: &mut Timestamp, revoked: &mut bool, now: Timestamp) {
        match self {
            Self::In(seconds) => *ends = after(now, seconds),
            Self::Revoked => *revoked = true,
        }
    }
}

fn usable(
    owner: &str,
    app_key: &str,
    revoked: bool,
    ends: Timestamp,
    now: Timestamp,
) -> Result<(), TokenProblem> {
    if owner != app_key {
        Err(TokenProblem::OtherApp)
    } else if revoked {
        Err(TokenProblem::Revoked)
    } else if now >= ends {
        Err(TokenProblem::Ended)
    } else {
        Ok(())
    }
}

/// Drops what has ended when a table is full, and everything when that is not enough.
fn make_room<T>(table: &mut HashMap<String, T>, now: Timestamp, ends: impl Fn(&T) -> Timestamp) {
    if table.len() < MOST {
        return;
    }
    table.retain(|_, entry| ends(entry) > now);
    if table.len() >= MOST {
        table.clear();
    }
}

impl Look {
    /// Invents a token.
    fn token(self, clock: &dyn Clock, refresh: bool) -> String {
        match self {
            Self::Iop => {
                let head = if refresh { "50001" } else { "50000" };
                format!("{head}{}", random_text(clock, 55))
            }
            Self::Param2 => uuid(clock),
            Self::Top => {
                let head = if refresh { "6201" } else { "6200" };
                let mut bytes = [0; 26];
                clock.random(&mut bytes);
                let mut text = head.to_owned();
                for byte in bytes {
                    text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
                    text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
                }
                text
            }
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
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    text
}
