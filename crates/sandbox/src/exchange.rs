//! Codes and refresh tokens become tokens, by the rules of the app's protocol.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sesame_core::Protocol;

use crate::{
    apps::{App, Refreshing},
    clock::{after, seconds_left},
    fixtures::Shop,
    settings::OldRefreshToken,
    state::State,
    tokens::{Grant, Pair, Problem},
};

/// How long before its end a refresh token may be postponed where the data do not say: 30 days.
const POSTPONE_WINDOW: u64 = 30 * 86_400;
/// The life of a TOP refresh token where the data leave it open: it depends on the level of the app,
/// and the invented apps are of one that may refresh.
const TOP_REFRESH_LIFE: u64 = 30 * 86_400;

/// Why no token was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExchangeError {
    Code(Problem),
    Token(Problem),
    /// Another platform's app has the same key.
    OtherPlatform,
    /// The app may not refresh: the seconds of its refresh tokens were 0.
    MayNotRefresh,
    /// An app of the service market.
    MarketOnly,
    TooEarly {
        left: u64,
        window: u64,
    },
    TwoShops,
}

impl ExchangeError {
    /// Returns the text for `error_description` and hints.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Code(problem) | Self::Token(problem) => (*problem).to_owned(),
            Self::OtherPlatform => "it was issued for another platform's app with the same key".to_owned(),
            Self::MayNotRefresh => {
                "this app may not refresh: its refresh tokens are issued with 0 seconds".to_owned()
            }
            Self::MarketOnly => "an app of the service market may not refresh".to_owned(),
            Self::TooEarly { left, window } => format!(
                "the refresh token has {} days left; it may be postponed in its last {} days",
                left / 86_400,
                window / 86_400
            ),
            Self::TwoShops => "the two tokens belong to two shops".to_owned(),
        }
    }
}

/// An app that asks for tokens.
pub(crate) struct Exchange<'a> {
    pub(crate) state: &'a State,
    pub(crate) app: &'a App,
    pub(crate) now: Timestamp,
}

/// The tokens that were issued, and the shop they are for.
pub(crate) type Issued<'a> = Result<(&'a Shop, Pair), ExchangeError>;

impl<'a> Exchange<'a> {
    /// Turns a code into tokens. `redirect_uri` is compared where the protocol sends it;
    /// `with_refresh` is `false` where the app did not ask for a refresh token (param2).
    pub(crate) fn create(&self, code: &str, redirect_uri: Option<&str>, with_refresh: bool) -> Issued<'a> {
        let Self { state, app, now } = *self;
        let shop = state.tokens.redeem(code, &app.key, redirect_uri, now).map_err(ExchangeError::Code)?;
        let ends = match app.protocol {
            Protocol::Param2 if !with_refresh || app.refreshing() != Refreshing::Allowed => None,
            _ => Some(after(now, self.refresh_life())),
        };
        let issued = self.grant(shop, ends)?;
        state.tokens.created.fetch_add(1, Ordering::Relaxed);
        Ok(issued)
    }

    /// Turns a refresh token into new tokens.
    ///
    /// On param2 it stays good and no new one is issued. On TOP the former session ends; on IOP it is
    /// a setting what becomes of the old refresh token.
    pub(crate) fn refresh(&self, token: &str) -> Issued<'a> {
        let Self { state, app, now } = *self;
        let spend = match (app.protocol, app.refreshing()) {
            (Protocol::Param2, _) => false,
            (Protocol::Iop, Refreshing::MarketOnly) => return Err(ExchangeError::MarketOnly),
            (_, Refreshing::Never | Refreshing::MarketOnly) => return Err(ExchangeError::MayNotRefresh),
            (Protocol::Iop, _) => state.settings().old_refresh_token == OldRefreshToken::Dies,
            (Protocol::Top, _) => true,
        };
        let (shop, ends) =
            state.tokens.use_refresh(token, &app.key, now, spend).map_err(ExchangeError::Token)?;
        let ends = match app.protocol {
            Protocol::Param2 => None,
            // The end date does not move (protocols 2.8).
            _ if state.platform(app).tokens.refresh_end_fixed => Some(ends),
            _ => Some(after(now, self.refresh_life())),
        };
        let issued = self.grant(shop, ends)?;
        state.tokens.refreshed.fetch_add(1, Ordering::Relaxed);
        Ok(issued)
    }

    /// Turns a refresh token near its end into a new one (param2); the old one is dead at once.
    pub(crate) fn postpone(&self, token: &str, shop: usize) -> Issued<'a> {
        let Self { state, app, now } = *self;
        let spend =
            |spend| state.tokens.use_refresh(token, &app.key, now, spend).map_err(ExchangeError::Token);
        let (owner, ends) = spend(false)?;
        if owner != shop {
            return Err(ExchangeError::TwoShops);
        }
        let window = match state.platform(app).tokens.postpone_window {
            0 => POSTPONE_WINDOW,
            window => window,
        };
        let left = seconds_left(ends, now);
        if left > window {
            return Err(ExchangeError::TooEarly { left, window });
        }
        spend(true)?;
        let issued = self.grant(shop, Some(after(now, self.refresh_life())))?;
        state.tokens.refreshed.fetch_add(1, Ordering::Relaxed);
        Ok(issued)
    }

    fn refresh_life(&self) -> u64 {
        match (self.app.protocol, self.state.platform(self.app).tokens.refresh_life) {
            (Protocol::Top, 0) => TOP_REFRESH_LIFE,
            (_, life) => life,
        }
    }

    fn grant(&self, shop: usize, refresh_ends: Option<Timestamp>) -> Issued<'a> {
        let Self { state, app, now } = *self;
        let found = state.shop(shop).filter(|found| found.platform == app.platform_name);
        let found = found.ok_or(ExchangeError::OtherPlatform)?;
        let never = match app.protocol {
            Protocol::Iop => app.refreshing() == Refreshing::Never,
            Protocol::Top => app.refreshing() != Refreshing::Allowed,
            Protocol::Param2 => false,
        };
        let pair = state.tokens.grant(
            state.clock.base().as_ref(),
            &Grant {
                app_key: &app.key,
                shop,
                now,
                access_life: state.platform(app).tokens.access_life,
                refresh_ends: refresh_ends.map(|ends| if never { now } else { ends }),
                protocol: app.protocol,
            },
        );
        Ok((found, pair))
    }
}
