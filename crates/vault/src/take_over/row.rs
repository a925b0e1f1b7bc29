//! What a row of a table says of a shop: its tokens, whose it is and where. Pure; no reason quotes a
//! value, since it may be a secret.

use std::time::Duration;

use jiff::Timestamp;
use sesame_catalog::{OAuthStyle, Platform};
use sesame_core::{AccessToken, RefreshToken};
use sesame_tables::{Field, Shop, TIME_FORMS, is_no_time, names_an_id, normal, parse_time};

use super::TableOptions;
use crate::{
    identity::{Identity, leaf},
    same_tokens::Marks,
};

/// param2 documents the life of its refresh tokens as "half a year". Programs that count count this.
const HALF_A_YEAR: Duration = Duration::from_hours(180 * 24);
/// The longest token.
const LONGEST_TOKEN: usize = 8 << 10;

/// The times and tokens of a shop.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub(super) access: Option<AccessToken>,
    pub(super) refresh: Option<RefreshToken>,
    pub(super) issued_at: Option<i64>,
    pub(super) access_ends: Option<i64>,
    /// Told by the table, or reckoned from the create time and still to come.
    pub(super) refresh_ends: Option<i64>,
    /// The end of the refresh token that was reckoned has passed. The platform may think otherwise,
    /// so it is none: the keeper asks.
    pub(super) is_lapsed: bool,
}

impl Tokens {
    /// Reads them out of a row. `Err` says what cannot be right.
    pub(super) fn read(
        shop: &Shop,
        platform: &Platform,
        options: &TableOptions,
        now: Timestamp,
    ) -> Result<Self, String> {
        let rules = &platform.tokens;
        let documented = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        let access_life = options.access_life.or_else(|| documented(rules.access_life));
        let refresh_life = options.refresh_life.or_else(|| {
            let life = documented(rules.refresh_life)?;
            Some(if rules.style == OAuthStyle::Param2 { life.min(HALF_A_YEAR) } else { life })
        });
        let time = |field: Field| -> Result<Option<i64>, String> {
            let Some(text) = shop.get(field).filter(|text| !is_no_time(text, &options.time_zone)) else {
                return Ok(None);
            };
            let at = parse_time(text, &options.time_zone).ok_or_else(|| {
                format!("{} holds no time that can be read ({TIME_FORMS})", shop.spot(field))
            })?;
            Ok(Some(at.as_millisecond()))
        };
        let created = |field: Field| -> Result<Option<i64>, String> {
            let at = time(field)?;
            // A day is more than any zone; what is further ahead is no create time.
            if at.is_some_and(|at| at > now.as_millisecond().saturating_add(86_400_000)) {
                return Err(format!("{} holds a time that is still to come", shop.spot(field)));
            }
            Ok(at)
        };
        let plus = |at: Option<i64>, life: Option<Duration>| {
            let life = i64::try_from(life?.as_millis()).unwrap_or(i64::MAX);
            Some(at?.saturating_add(life))
        };
        let access_created = created(Field::AccessCreateTime)?;
        let refresh_created = created(Field::RefreshCreateTime)?;
        let access_ends = time(Field::AccessExpiresAt)?.or_else(|| plus(access_created, access_life));
        let told = time(Field::RefreshExpiresAt)?;
        let reckoned = plus(refresh_created, refresh_life);
        let is_lapsed = told.is_none() && reckoned.is_some_and(|end| now.as_millisecond() >= end);
        let refresh = token(shop, Field::RefreshToken)?.map(RefreshToken::new);
        Ok(Self {
            access: token(shop, Field::AccessToken)?.map(AccessToken::new),
            issued_at: access_created,
            access_ends,
            refresh_ends: told.or_else(|| reckoned.filter(|_| !is_lapsed)),
            is_lapsed: is_lapsed && refresh.is_some(),
            refresh,
        })
    }

    pub(super) fn marks(&self, app_key: &str) -> Marks {
        Marks::of(app_key, self.access.as_ref(), self.refresh.as_ref())
    }

    /// Joins what two rows say of one refresh token: the access token that lives longer, and an end
    /// if either knows one.
    pub(super) fn and(self, other: Self) -> Self {
        let is_newer =
            other.access.is_some() && (self.access.is_none() || other.access_ends > self.access_ends);
        let (newer, older) = if is_newer { (other, self) } else { (self, other) };
        let refresh_ends = newer.refresh_ends.or(older.refresh_ends);
        Self {
            is_lapsed: refresh_ends.is_none() && (newer.is_lapsed || older.is_lapsed),
            refresh_ends,
            refresh: newer.refresh.or(older.refresh),
            ..newer
        }
    }

    /// Why a shop has to be authorized again before it can be used, if it has to. Of a refresh token
    /// only the table's own word for its end counts.
    pub(super) fn why_exhausted(&self, now: i64) -> Option<String> {
        let day = |at: i64| Timestamp::from_millisecond(at).map(|at| at.to_string()).unwrap_or_default();
        let is_over = |end: Option<i64>| end.filter(|end| now >= *end);
        match (&self.access, &self.refresh) {
            (None, None) => Some("the imported table had no token for it".to_owned()),
            (_, Some(_)) => {
                is_over(self.refresh_ends).map(|end| format!("the refresh token ended at {}", day(end)))
            }
            (Some(_), None) => is_over(self.access_ends).map(|end| {
                format!("the access token ended at {}, and the imported table had no refresh token", day(end))
            }),
        }
    }
}

fn token(shop: &Shop, field: Field) -> Result<Option<&str>, String> {
    let Some(text) = shop.get(field) else { return Ok(None) };
    if text.len() > LONGEST_TOKEN || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let spot = shop.spot(field);
        return Err(format!("{spot} holds no token: it has spaces or line breaks, or is too long"));
    }
    Ok(Some(text))
}

/// An id that stands for none.
pub(super) fn is_nothing(id: &str) -> bool {
    matches!(id, "" | "0" | "null")
}

/// Whose the shop is, under the name that the platform's own data has for it. `Err` names a column that
/// is called like an id of another kind: under a wrong name it would refuse the shop's own tokens.
pub(super) fn identity<'a>(
    shop: &'a Shop,
    platform: &Platform,
) -> Result<(Identity, Option<&'a str>), &'a str> {
    let Some(id) = shop.get(Field::Identity).filter(|id| !is_nothing(id)) else {
        return Ok((Identity::default(), None));
    };
    let column = shop.column(Field::Identity).unwrap_or_default();
    let leaves: Vec<&str> = platform.tokens.identity.id.iter().map(|path| leaf(path)).collect();
    let named = leaves.iter().find(|leaf| normal(leaf) == normal(column));
    let field = named.or_else(|| leaves.first().filter(|_| !names_an_id(column))).ok_or(column)?;
    Ok((Identity::of(field, id), Some(id)))
}

/// Where a shop is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) country: Option<String>,
    /// The region whose hosts are called.
    pub(super) region: Option<String>,
}

impl Place {
    /// Reads it out of a row, by the regions of the platform. `Err` for a country that the platform
    /// does not have, where it has a host for each: calls would go to another country's.
    pub(super) fn read(shop: &Shop, platform: &Platform) -> Result<Self, String> {
        let Some(text) = shop.get(Field::Country) else { return Ok(Self::default()) };
        let code = text.to_ascii_lowercase();
        let is_code = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
        // Elsewhere a column `site` may hold anything, also the name of a platform.
        let is_by_country = platform.regions.first().is_some_and(|region| is_code(&region.name));
        if (is_by_country || is_code(&code)) && platform.region(Some(&code)).is_some() {
            // `cn-my` is a way to the shops of `my`.
            let country = code.rsplit('-').next().filter(|part| is_code(part)).map(str::to_owned);
            return Ok(Self { country, region: Some(code) });
        }
        // `cb`: a cross-border seller is in none of them.
        if !is_by_country || platform.authorize.countries.contains(&code) {
            return Ok(Self::default());
        }
        let spot = shop.spot(Field::Country);
        let known: Vec<&str> = platform.regions.iter().map(|region| region.name.as_str()).collect();
        Err(format!("{spot} holds no country of {}, which has {}", platform.title, known.join(", ")))
    }
}
