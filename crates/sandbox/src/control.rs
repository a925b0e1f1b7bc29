//! The control API under `/_sandbox/`: JSON in, JSON out, no login.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /_sandbox/` | lists these routes |
//! | `GET /_sandbox/stats` | counts by platform, API and outcome; tokens created, refreshed, refused |
//! | `POST /_sandbox/reset` | forgets statistics, refusals, faults and quotas; `{"tokens":true}` tokens too, `{"shops":true}` what became of the shops |
//! | `GET POST DELETE /_sandbox/faults` | lists, adds (`{"kind":"html","api":..,"count":..}` or a list), clears (`?id=N` one) |
//! | `GET POST DELETE /_sandbox/quotas` | the same for `{"api":..,"calls":N,"seconds":N,"per":"app"}` |
//! | `GET POST /_sandbox/clock` | tells the time; `{"now":"2026-11-21T12:32:12Z"}`, `{"advance":"30m"}` or seconds, `{"follow_machine":true}` |
//! | `GET /_sandbox/products`, `/_sandbox/orders` | what a shop holds: `?platform=lazada&login=..`, `&id=N` or `&offset=N&limit=N` (100, at most 1,000) |
//! | `POST /_sandbox/products?platform=..` | `{"do":"change","product":N,"sku":N,"stock":7,"price":1990,"status":"offline","title":..}`, `{"do":"add","title":..,"sku":..,"price":990,"stock":5}`, `{"do":"delete","product":N}`; money in cents |
//! | `POST /_sandbox/orders?platform=..` | `{"do":"create","lines":[{"product":N,"sku":N,"quantity":2}],"paid":true}`; `{"do":"pay","order":N,"lines":[N],"reason":..}`: pay, pack, ready, unpack, ship, deliver, finish, ask-cancel, refuse-cancel, cancel, ask-return, refuse-return, return, fail, lose, freeze, thaw |
//! | `GET /_sandbox/tokens` | lists tokens, masked: at most 1,000 of each kind, living ones first, and how many are left out |
//! | `POST /_sandbox/tokens/expire` | ends tokens: `{"login":..,"platform":..,"token":..,"which":"access","in_seconds":0}` |
//! | `POST /_sandbox/tokens/revoke` | revokes them, as a seller does |
//! | `GET POST /_sandbox/apps` | lists apps without secrets; `{"app_key":..,"refreshing":"never","redirect_uri":..,"exact":true}` |
//! | `GET POST /_sandbox/settings` | `{"old_refresh_token":"lives","reply_style":"documented"}` |
//! | `GET /_sandbox/refusals`, `/_sandbox/refusals/ID` | why calls were refused |

use std::{str::FromStr, sync::atomic::Ordering};

use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};
use sesame_core::Error;

use crate::{
    apps::Refreshing,
    by_hand::{self, Refused, Subject},
    fault::FaultRule,
    quotas::QuotaRule,
    received::{Fields, Head},
    reply::WebReply,
    settings::{OldRefreshToken, ReplyStyle},
    state::State,
    tokens::{End, Selection},
};

/// An error and its HTTP status.
struct ControlError(u16, String);

impl From<Error> for ControlError {
    fn from(error: Error) -> Self {
        let hint = error.hint().map(|hint| format!(" {hint}")).unwrap_or_default();
        Self(400, format!("{error}.{hint}"))
    }
}

impl From<Refused> for ControlError {
    fn from((status, message): Refused) -> Self {
        Self(status, message)
    }
}

/// Serves one control request.
pub(crate) fn serve(state: &State, method: &Method, head: &Head<'_>, body: &[u8]) -> WebReply {
    let route = head.path.strip_prefix("/_sandbox").unwrap_or_default();
    let (status, body) = match answer(state, method, route, head, body) {
        Ok(json) => (200, json.to_string()),
        Err(ControlError(status, message)) => (status, json!({"error": message}).to_string()),
    };
    WebReply::json(status, body)
}

fn answer(
    state: &State,
    method: &Method,
    route: &str,
    head: &Head<'_>,
    body: &[u8],
) -> Result<Json, ControlError> {
    // HEAD is answered as GET; the server leaves the body out.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let now = state.clock.now();
    Ok(match (method, route) {
        (&Method::GET, "" | "/") => json!({
            "routes": ["/_sandbox/stats", "/_sandbox/reset", "/_sandbox/faults", "/_sandbox/quotas", "/_sandbox/clock",
                "/_sandbox/products", "/_sandbox/orders", "/_sandbox/tokens", "/_sandbox/tokens/expire", "/_sandbox/tokens/revoke", "/_sandbox/apps",
                "/_sandbox/settings", "/_sandbox/refusals", "/_sandbox/refusals/ID", "/_sandbox/documents/PLATFORM/"],
        }),
        (&Method::GET, "/stats") => stats(state),
        (&Method::POST, "/reset") => reset(state, &read(body)?),
        (&Method::GET, "/faults") => json!(state.faults.list()),
        (&Method::POST, "/faults") => add_faults(state, body)?,
        (&Method::DELETE, "/faults") => {
            let fields = Fields::of_query(head).map_err(|error| ControlError(400, error.message))?;
            let id = match fields.filled("id") {
                Some(id) => {
                    Some(id.parse().map_err(|_| ControlError(400, "invalid id: not a number".to_owned()))?)
                }
                None => None,
            };
            json!({"cleared": state.faults.clear(id)})
        }
        (&Method::GET, "/quotas") => json!(state.quotas.list()),
        (&Method::POST, "/quotas") => {
            let rules = read_rules::<QuotaRule>(body)?;
            let count = rules.len();
            for rule in rules {
                state.quotas.add(rule)?;
            }
            json!({"added": count})
        }
        (&Method::DELETE, "/quotas") => json!({"cleared": state.quotas.clear()}),
        (&Method::GET, "/clock") => clock(state),
        (&Method::POST, "/clock") => {
            set_clock(state, &read(body)?)?;
            clock(state)
        }
        (&Method::GET, "/products") => by_hand::books(state, Subject::Products, head, now)?,
        (&Method::GET, "/orders") => by_hand::books(state, Subject::Orders, head, now)?,
        (&Method::POST, "/products") => by_hand::step(state, Subject::Products, head, body, now)?,
        (&Method::POST, "/orders") => by_hand::step(state, Subject::Orders, head, body, now)?,
        (&Method::GET, "/tokens") => tokens(state, now),
        (&Method::POST, "/tokens/expire") => {
            let wanted: TokenChange = read(body)?;
            json!({"changed": change_tokens(state, &wanted, End::In(wanted.in_seconds), now)?})
        }
        (&Method::POST, "/tokens/revoke") => {
            json!({"changed": change_tokens(state, &read(body)?, End::Revoked, now)?})
        }
        (&Method::GET, "/apps") => apps(state),
        (&Method::POST, "/apps") => {
            change_apps(state, &read(body)?)?;
            apps(state)
        }
        (&Method::GET, "/settings") => json!(*state.settings()),
        (&Method::POST, "/settings") => {
            let wanted: SettingsChange = read(body)?;
            let mut settings = state.settings();
            settings.old_refresh_token = wanted.old_refresh_token.unwrap_or(settings.old_refresh_token);
            settings.reply_style = wanted.reply_style.unwrap_or(settings.reply_style);
            json!(*settings)
        }
        (&Method::GET, "/refusals") => json!({"refusals": state.refusals.ids()}),
        (&Method::GET, route) if route.starts_with("/refusals/") => {
            let id = route.strip_prefix("/refusals/").unwrap_or_default();
            let report = state
                .refusals
                .get(id)
                .ok_or_else(|| ControlError(404, "no such refusal; the last 1000 are kept".to_owned()))?;
            serde_json::from_str(&report).unwrap_or_default()
        }
        (&Method::GET | &Method::POST | &Method::DELETE, _) => {
            return Err(ControlError(404, "no such route; GET /_sandbox/ lists them".to_owned()));
        }
        _ => return Err(ControlError(405, "use GET, POST or DELETE".to_owned())),
    })
}

/// Reads a body; an empty one is an empty object.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ControlError> {
    let body = if body.iter().all(u8::is_ascii_whitespace) { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| ControlError(400, format!("cannot read the JSON body: {error}")))
}

/// Reads one rule or a list of them; each may also be the text of the command line, in quotes.
fn read_rules<T: DeserializeOwned + FromStr<Err = Error>>(body: &[u8]) -> Result<Vec<T>, ControlError> {
    let items = match read(body)? {
        Json::Array(items) => items,
        one => vec![one],
    };
    items
        .into_iter()
        .map(|item| match item {
            Json::String(text) => Ok(text.parse::<T>()?),
            other => serde_json::from_value(other)
                .map_err(|error| ControlError(400, format!("cannot read the rule: {error}"))),
        })
        .collect()
}

fn stats(state: &State) -> Json {
    json!({
        "calls": state.stats.counts(),
        "tokens": {
            "created": state.tokens.created.load(Ordering::Relaxed),
            "refreshed": state.tokens.refreshed.load(Ordering::Relaxed),
            "refused": state.tokens.refused.load(Ordering::Relaxed),
        },
        "param2_signatures_sorted_by_name": state.stats.sorted_by_name.load(Ordering::Relaxed),
        "iop_signatures_without_empty_values": state.stats.without_empty.load(Ordering::Relaxed),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    #[serde(default)]
    tokens: bool,
    #[serde(default)]
    shops: bool,
}

fn reset(state: &State, wanted: &Reset) -> Json {
    state.stats.clear();
    for counter in [&state.tokens.created, &state.tokens.refreshed, &state.tokens.refused] {
        counter.store(0, Ordering::Relaxed);
    }
    state.refusals.clear();
    state.faults.clear(None);
    state.quotas.clear();
    if wanted.tokens {
        state.tokens.clear();
    }
    if wanted.shops {
        state.fixtures.reset();
    }
    json!({"reset": true})
}

fn add_faults(state: &State, body: &[u8]) -> Result<Json, ControlError> {
    let rules = read_rules::<FaultRule>(body)?;
    let mut ids = Vec::with_capacity(rules.len());
    for rule in rules {
        ids.push(state.faults.add(rule)?);
    }
    Ok(json!({"added": ids}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    now: Option<String>,
    advance: Option<Json>,
    #[serde(default)]
    follow_machine: bool,
}

fn clock(state: &State) -> Json {
    json!({"now": state.clock.now().to_string(), "ahead_ms": state.clock.ahead_ms()})
}

fn set_clock(state: &State, wanted: &ClockChange) -> Result<(), ControlError> {
    if wanted.follow_machine {
        state.clock.follow_machine();
    }
    if let Some(now) = &wanted.now {
        let now = now.parse::<Timestamp>().map_err(|error| {
            ControlError(400, format!("invalid time {now:?}, expected e.g. 2026-11-21T12:32:12Z: {error}"))
        })?;
        state.clock.set(now);
    }
    match &wanted.advance {
        None => {}
        Some(Json::Number(seconds)) => {
            let seconds =
                seconds.as_i64().ok_or_else(|| ControlError(400, "advance is whole seconds".to_owned()))?;
            state.clock.advance(seconds.saturating_mul(1_000));
        }
        Some(Json::String(text)) => {
            let span: SignedDuration = text.parse().map_err(|_| {
                ControlError(400, "advance is seconds, or a text such as 30m, 2h, 48h".to_owned())
            })?;
            state.clock.advance(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        }
        Some(_) => return Err(ControlError(400, "advance is a number of seconds or a text".to_owned())),
    }
    Ok(())
}

fn tokens(state: &State, now: Timestamp) -> Json {
    let (list, left_out) = state.tokens.list(now);
    let list: Vec<Json> = list
        .into_iter()
        .map(|listed| {
            let shop = state.shop(listed.shop);
            let mut json = json!(listed);
            json["platform"] = shop.map(|shop| shop.platform).into();
            json["login"] = shop.map(|shop| shop.login.clone()).into();
            json
        })
        .collect();
    json!({"tokens": list, "left_out": left_out})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenChange {
    token: Option<String>,
    login: Option<String>,
    platform: Option<String>,
    which: Option<WhichTokens>,
    #[serde(default)]
    in_seconds: u64,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum WhichTokens {
    Access,
    Refresh,
    Both,
}

fn change_tokens(
    state: &State,
    wanted: &TokenChange,
    how: End,
    now: Timestamp,
) -> Result<usize, ControlError> {
    let by_shop = wanted.login.is_some() || wanted.platform.is_some();
    let shops: Vec<usize> = state
        .fixtures
        .shops()
        .iter()
        .enumerate()
        .filter(|(_, shop)| {
            wanted.login.as_ref().is_none_or(|login| *login == shop.login)
                && wanted.platform.as_ref().is_none_or(|platform| *platform == shop.platform)
        })
        .map(|(at, _)| at)
        .collect();
    if by_shop && shops.is_empty() {
        return Err(ControlError(400, "no shop of this sandbox has that login and platform".to_owned()));
    }
    let which = wanted.which.unwrap_or(WhichTokens::Both);
    let selection = Selection {
        token: wanted.token.as_deref(),
        shops: by_shop.then_some(shops.as_slice()),
        access: which != WhichTokens::Refresh,
        refresh: which != WhichTokens::Access,
    };
    Ok(state.tokens.end(&selection, how, now))
}

fn apps(state: &State) -> Json {
    let list: Vec<Json> = state
        .apps
        .all()
        .map(|app| {
            let redirect = app.redirect().clone();
            json!({
                "platform": app.platform_name,
                "protocol": app.protocol.as_str(),
                "app_key": app.key,
                "own": app.own,
                "refreshing": app.refreshing(),
                "redirect_uri": redirect.uri,
                "exact": redirect.exact,
            })
        })
        .collect();
    json!({"apps": list})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppChange {
    app_key: String,
    platform: Option<String>,
    refreshing: Option<Refreshing>,
    redirect_uri: Option<String>,
    exact: Option<bool>,
}

fn change_apps(state: &State, wanted: &AppChange) -> Result<(), ControlError> {
    // It goes into a header and onto pages: what no header takes would be an answer without a place.
    if let Some(uri) = &wanted.redirect_uri
        && (uri.is_empty() || uri.len() > 2_048 || uri.contains(|c: char| c.is_control() || c == ' '))
    {
        return Err(ControlError(
            400,
            "redirect_uri is 1 to 2048 bytes without spaces and control characters".to_owned(),
        ));
    }
    let mut found = false;
    for app in state.apps.any_with_key(&wanted.app_key) {
        if wanted.platform.as_ref().is_some_and(|platform| *platform != app.platform_name) {
            continue;
        }
        found = true;
        if let Some(refreshing) = wanted.refreshing {
            app.set_refreshing(refreshing);
        }
        let mut redirect = app.redirect();
        if let Some(uri) = &wanted.redirect_uri {
            redirect.uri.clone_from(uri);
        }
        if let Some(exact) = wanted.exact {
            redirect.exact = exact;
        }
    }
    if found { Ok(()) } else { Err(ControlError(404, "this sandbox has no such app".to_owned())) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    old_refresh_token: Option<OldRefreshToken>,
    reply_style: Option<ReplyStyle>,
}
