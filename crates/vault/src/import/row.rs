//! What a row of a table says of a shop: its tokens, whose it is and where. Pure; no reason quotes a
//! value, since it may be a secret.

use std::time::Duration;

use jiff::Timestamp;
use sesame_catalog::{OAuthStyle, Platform};
use sesame_core::{AccessToken, RefreshToken};

use super::{
    ImportOptions,
    dedup_by_token::PairDigest,
    table::Shop,
    time::{TIME_FORMS, is_no_time, parse_time},
};
use crate::model::identity::{Identity, leaf};

/// param2 documents the life of its refresh tokens as "half a year". Programs that count count this.
const HALF_A_YEAR: Duration = Duration::from_hours(180 * 24);
/// The longest token.
const MAX_TOKEN: usize = 8 << 10;

/// Imported tokens and their times, in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens {
    pub(super) access: Option<AccessToken>,
    pub(super) refresh: Option<RefreshToken>,
    pub(super) issued_at: Option<i64>,
    pub(super) access_ends: Option<i64>,
    /// From the table, or computed from the create time and still to come: a computed end in the past is
    /// not believed, so that the keeper asks the platform.
    pub(super) refresh_ends: Option<i64>,
}

impl Tokens {
    fn read(shop: &Shop<'_>, platform: &Platform, options: &ImportOptions, now: i64) -> Result<Self, String> {
        let rules = &platform.tokens;
        let documented = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        let access_life = options.access_life.or_else(|| documented(rules.access_life));
        let refresh_life = options.refresh_life.or_else(|| {
            let life = documented(rules.refresh_life)?;
            Some(if rules.style == OAuthStyle::Param2 { life.min(HALF_A_YEAR) } else { life })
        });
        let time = |field: &str| -> Result<Option<i64>, String> {
            let Some(text) = shop.get(field).filter(|text| !is_no_time(text, &options.time_zone)) else {
                return Ok(None);
            };
            let at = parse_time(text, &options.time_zone)
                .ok_or_else(|| format!("{} is not a time ({TIME_FORMS})", shop.spot(field)))?;
            Ok(Some(at.as_millisecond()))
        };
        let created = |field: &str| match time(field)? {
            // A day is more than any zone; what is further ahead is no create time.
            Some(at) if at > now.saturating_add(86_400_000) => {
                Err(format!("{} is a time in the future", shop.spot(field)))
            }
            at => Ok(at),
        };
        let plus = |at: Option<i64>, life: Option<Duration>| {
            Some(at?.saturating_add(i64::try_from(life?.as_millis()).unwrap_or(i64::MAX)))
        };
        let issued_at = created("access_create_time")?;
        let reckoned = plus(created("refresh_create_time")?, refresh_life);
        Ok(Self {
            access: token(shop, "access_token")?.map(AccessToken::new),
            refresh: token(shop, "refresh_token")?.map(RefreshToken::new),
            issued_at,
            access_ends: time("access_expires_at")?.or_else(|| plus(issued_at, access_life)),
            refresh_ends: time("refresh_expires_at")?.or_else(|| reckoned.filter(|end| *end > now)),
        })
    }

    pub(super) fn are_missing(&self) -> bool {
        self.access.is_none() && self.refresh.is_none()
    }

    pub(super) fn digest(&self, app_key: &str) -> PairDigest {
        PairDigest::new(app_key, self.access.as_ref(), self.refresh.as_ref())
    }

    /// Merges what two rows say of one refresh token: the access token that lives longer, and an end
    /// if either knows one.
    pub(super) fn merge(self, other: Self) -> Self {
        let is_newer =
            other.access.is_some() && (self.access.is_none() || other.access_ends > self.access_ends);
        let (newer, older) = if is_newer { (other, self) } else { (self, other) };
        Self {
            refresh: newer.refresh.or(older.refresh),
            refresh_ends: newer.refresh_ends.or(older.refresh_ends),
            ..newer
        }
    }

    /// Why a shop has to be authorized again before it can be used; `None` if it does not.
    pub(super) fn why_exhausted(&self, now: i64) -> Option<String> {
        let ended = |kind: &str, end: Option<i64>| {
            let at = Timestamp::from_millisecond(end.filter(|end| now >= *end)?).ok()?;
            Some(format!("the {kind} token ended at {at}"))
        };
        match (&self.access, &self.refresh) {
            (None, None) => Some("the imported table had no token for it".to_owned()),
            (_, Some(_)) => ended("refresh", self.refresh_ends),
            (Some(_), None) => Some(format!(
                "{}, and the imported table had no refresh token",
                ended("access", self.access_ends)?
            )),
        }
    }
}

fn token<'a>(shop: &Shop<'a>, field: &str) -> Result<Option<&'a str>, String> {
    let is_wrong =
        |text: &str| text.len() > MAX_TOKEN || text.chars().any(|c| c.is_whitespace() || c.is_control());
    match shop.get(field) {
        Some(text) if is_wrong(text) => {
            Err(format!("{} is not a token: it has spaces or line breaks, or is too long", shop.spot(field)))
        }
        text => Ok(text),
    }
}

/// A row, as far as it is understood.
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    pub(super) app_key: Option<&'a str>,
    pub(super) app_secret: Option<&'a str>,
    pub(super) tokens: Tokens,
    pub(super) identity: Identity,
    pub(super) shop_id: Option<&'a str>,
    pub(super) login: Option<&'a str>,
    pub(super) country: Option<String>,
    /// The region whose hosts are called.
    pub(super) region: Option<String>,
}

impl<'a> Candidate<'a> {
    /// Reads a row. `Err` says what is wrong with it.
    pub(super) fn read(
        shop: &Shop<'a>,
        platform: &Platform,
        options: &ImportOptions,
        now: i64,
    ) -> Result<Self, String> {
        // A spreadsheet writes 220001 as 220001.0 or 2.20001E+5: with digits lost it would be another's.
        let exact = |field: &str| match shop.get(field) {
            Some(text) if text.contains(['.', '+']) && text.parse::<f64>().is_ok() => Err(format!(
                "{} lost digits: a program wrote the number as a fraction; format the column as text there",
                shop.spot(field)
            )),
            text => Ok(text),
        };
        let shop_id = exact("identity")?.filter(|id| *id != "0");
        let identity = shop_id.map(|id| {
            let leaves = || platform.tokens.identity.id.iter().map(|path| leaf(path));
            let column = shop.column("identity");
            let named = leaves().find(|leaf| leaf.eq_ignore_ascii_case(column));
            Identity::of(named.or_else(|| leaves().next()).unwrap_or_default(), id)
        });
        let (country, region) = place(shop, platform)?;
        Ok(Self {
            name: shop.get("account").ok_or("it has no account name")?,
            app_key: exact("app_key")?,
            app_secret: shop.get("app_secret"),
            tokens: Tokens::read(shop, platform, options, now)?,
            identity: identity.unwrap_or_default(),
            shop_id,
            login: shop.get("login"),
            country,
            region: region.or_else(|| options.region.clone()),
        })
    }
}

/// Reads a country and the region whose hosts are called, by the regions of the platform. `Err` for a
/// country that the platform does not have, where it has a host for each: calls would go to another's.
fn place(shop: &Shop<'_>, platform: &Platform) -> Result<(Option<String>, Option<String>), String> {
    let Some(text) = shop.get("country") else { return Ok((None, None)) };
    let code = text.to_ascii_lowercase();
    let is_code = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_by_country = platform.regions.first().is_some_and(|region| is_code(&region.name));
    if (is_by_country || is_code(&code)) && platform.region(Some(&code)).is_some() {
        // `cn-my` is a way to the shops of `my`.
        let country = code.rsplit('-').next().filter(|part| is_code(part)).map(str::to_owned);
        return Ok((country, Some(code)));
    }
    // `cb`: a cross-border seller is in none of them.
    if !is_by_country || platform.authorize.countries.contains(&code) {
        return Ok((None, None));
    }
    let spot = shop.spot("country");
    let known: Vec<&str> = platform.regions.iter().map(|region| region.name.as_str()).collect();
    Err(format!("{spot} is not a country of {}, which has {}", platform.title, known.join(", ")))
}
