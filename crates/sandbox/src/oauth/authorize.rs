//! `/oauth/authorize`, `/authorize`, `/auth/authorize.htm`: a seller approves an app.

use jiff::Timestamp;
use sesame_core::{Protocol, Shape, sign::Digest, sign::verify};

use super::pages::{self, ShopChoice};
use crate::{
    apps::App,
    clock::after,
    received::{Fields, Head},
    reply::{Media, WebReply},
    state::State,
    tokens::{Code, random_text, uuid},
    trace::Trace,
};

/// The redirect URIs that show the code instead of sending it (param2, protocols 1.5).
const SHOW_CODE: [&str; 3] = [
    "urn:ietf:wg:oauth:2.0:oob",
    "http://gw.open.1688.com/auth/authCode.htm",
    "http://gw.api.alibaba.com/auth/authCode.htm",
];

/// Parameters that the page passes on to its own form.
const PASSED_ON: [&str; 4] = ["client_id", "redirect_uri", "state", "site"];

/// Serves the page (GET) and what the seller decided on it (POST).
pub(crate) fn serve(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    posted: bool,
    now: Timestamp,
) -> WebReply {
    let candidates = candidates(state, head.path, fields);
    let mut trace = Trace::new(candidates.first().copied(), "/oauth/authorize");
    if let Some(reply) = trace.strike(state) {
        return reply;
    }
    let (reply, code, refusal) = match answer(state, head, fields, &candidates, posted, now) {
        Ok((reply, code)) => (reply, code, None),
        Err(PageError { vendor, says }) => {
            let reply = WebReply::new(400, Media::Html, pages::error(vendor, &says));
            let id = state.keep_refusal("authorize", head.path, &says, &fields.pairs(), now);
            (reply, "refused", Some(id))
        }
    };
    trace.count(state, code);
    trace.finish(reply, refusal)
}

/// Why there is no page to approve on. Only the seller sees it.
struct PageError {
    vendor: &'static str,
    says: String,
}

/// "Necessary parameters are missing", seen live on param2.
const MISSING: &str = "缺少必要参数";
/// "Illegal request", seen live on param2 for a redirect URI that is not registered.
const ILLEGAL: &str = "非法请求";

/// Finds the apps a page could be for: those with the key, of the protocol of the route if any is.
fn candidates<'a>(state: &'a State, path: &str, fields: &Fields<'_>) -> Vec<&'a App> {
    let Some(key) = fields.filled("client_id") else { return Vec::new() };
    let site = fields.filled("site").or_else(|| fields.filled("sp")).unwrap_or_default();
    let preferred = match path {
        "/authorize" => Protocol::Top,
        "/auth/authorize.htm" => Protocol::Param2,
        // auth.1688.com has the same path as the IOP pages; it alone says `site`.
        _ if matches!(site, "1688" | "china" | "aliexpress") => Protocol::Param2,
        _ => Protocol::Iop,
    };
    let all: Vec<&App> = state.apps.any_with_key(key).collect();
    let fitting: Vec<&App> = all.iter().copied().filter(|app| app.protocol == preferred).collect();
    if fitting.is_empty() { all } else { fitting }
}

fn answer(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    candidates: &[&App],
    posted: bool,
    now: Timestamp,
) -> Result<(WebReply, &'static str), PageError> {
    let missing =
        |name: &str| PageError { vendor: MISSING, says: format!("The parameter {name} is missing.") };
    let Some(key) = fields.filled("client_id") else { return Err(missing("client_id")) };
    let Some(redirect_uri) = fields.filled("redirect_uri") else { return Err(missing("redirect_uri")) };
    if let Some(name) = fields.doubled() {
        return Err(PageError {
            vendor: ILLEGAL,
            says: format!("The parameter {name} came twice with two different values."),
        });
    }
    let Some(first) = candidates.first().copied() else {
        let key: String = key.chars().take(64).collect();
        return Err(PageError {
            vendor: ILLEGAL,
            says: format!("param-appkey.not.exists: this sandbox has no app with the key {key}."),
        });
    };
    // TOP documents `token` as well, for programs in browsers; a server has no use for it.
    if let Some(kind) = fields.filled("response_type").filter(|kind| *kind != "code") {
        let kind: String = kind.chars().take(40).collect();
        return Err(PageError {
            vendor: ILLEGAL,
            says: format!(
                "response_type={kind} is not served: this sandbox hands out codes (response_type=code), which the app exchanges for tokens."
            ),
        });
    }
    let shows_code = SHOW_CODE.contains(&redirect_uri) && first.protocol == Protocol::Param2;
    if !shows_code && !candidates.iter().any(|app| app.may_redirect_to(redirect_uri)) {
        let registered = first.redirect().uri.clone().unwrap_or_else(|| "any address of the web".to_owned());
        return Err(PageError {
            vendor: ILLEGAL,
            says: format!(
                "redirect_uri is not the one that is registered for this app ({registered}). Platforms compare it exactly; a sandbox also takes any http address of this machine (127.0.0.1, localhost) unless its app is set to exact."
            ),
        });
    }
    // Newer pages want no signature, older ones do; one that came has to be right.
    if let Some(signature) = fields.filled("_aop_signature") {
        let pairs: Vec<(&str, &str)> =
            // `login` is this sandbox's own and comes after signing.
            fields.iter().filter(|(name, _)| *name != "login").collect();
        let key = first.signing_key(Digest::HmacSha1);
        if !posted && verify(key, Shape::Param2Params, "", &pairs, b"", signature).is_err() {
            return Err(PageError {
                vendor: ILLEGAL,
                says: "The signature of this page's URL is wrong: HMAC-SHA1 over the sorted pairs, without a path.".to_owned(),
            });
        }
    }

    let shops: Vec<ShopChoice<'_>> = state
        .fixtures
        .shops()
        .iter()
        .enumerate()
        .filter(|(_, shop)| candidates.iter().any(|app| app.platform_name == shop.platform))
        .map(|(index, shop)| ShopChoice {
            index,
            login: &shop.login,
            name: &shop.name,
            platform: shop.platform,
        })
        .collect();
    let login = fields.filled("login").map(|wanted| shops.iter().find(|shop| shop.login == wanted));
    let named = match login {
        Some(None) => {
            let known: Vec<&str> = shops.iter().map(|shop| shop.login).take(20).collect();
            return Err(PageError {
                vendor: ILLEGAL,
                says: format!("No shop of this sandbox logs in with that name. Known: {}.", known.join(", ")),
            });
        }
        Some(Some(shop)) => Some(shop.index),
        None => None,
    };

    let decision = if posted { fields.filled("_decision") } else { None };
    let shop = match decision {
        Some("refuse") => return Ok((refused(first, redirect_uri, fields, shows_code), "seller refused")),
        Some(_) => {
            let wanted = fields.filled("_shop").and_then(|text| text.parse::<usize>().ok());
            wanted.filter(|wanted| shops.iter().any(|shop| shop.index == *wanted)).or(named)
        }
        None if state.auto_approve && !posted => {
            named.or_else(|| (!shops.is_empty()).then(|| shops[state.next_login() % shops.len()].index))
        }
        None => {
            let hidden: Vec<(&str, &str)> =
                PASSED_ON.iter().filter_map(|name| Some((*name, fields.filled(name)?))).collect();
            let page = pages::consent(key, redirect_uri, head.path, &hidden, &shops, named);
            return Ok((WebReply::new(200, Media::Html, page), "asked"));
        }
    };
    let Some(shop) = shop else {
        return Err(PageError {
            vendor: ILLEGAL,
            says: "No shop was chosen, or this sandbox has none for this app.".to_owned(),
        });
    };
    let platform = state.shop(shop).map_or("", |shop| shop.platform);
    let app = candidates.iter().copied().find(|app| app.platform_name == platform).unwrap_or(first);
    let life = state.platform(app).authorize.code_life;
    let code = new_code(state, app);
    let (app_key, redirect) = (app.key.clone(), redirect_uri.to_owned());
    let ends = after(now, life);
    state.tokens.issue_code(
        code.clone(),
        Code { app_key, shop, redirect_uri: redirect, ends, used: false },
        now,
    );
    if shows_code {
        return Ok((WebReply::new(200, Media::Html, pages::shown_code(&code)), "approved"));
    }
    let mut pairs = vec![("code", code.as_str())];
    if let Some(echoed) = fields.get("state") {
        pairs.push(("state", echoed));
    }
    Ok((WebReply::redirect(with_query(redirect_uri, &pairs)), "approved"))
}

/// A refusal comes back without a code; only TOP says so in words (protocols 1.5, 2.8, 3.7).
fn refused(app: &App, redirect_uri: &str, fields: &Fields<'_>, shows_code: bool) -> WebReply {
    if shows_code {
        return WebReply::new(200, Media::Html, pages::error("Refused", "The app got no code."));
    }
    let mut pairs = Vec::new();
    if app.protocol == Protocol::Top {
        pairs.push(("error", "access_denied"));
        pairs.push(("error_description", "authorize reject"));
    }
    if let Some(echoed) = fields.get("state") {
        pairs.push(("state", echoed));
    }
    WebReply::redirect(with_query(redirect_uri, &pairs))
}

/// A fragment stays behind the query.
fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let (uri, fragment) = uri.split_once('#').map_or((uri, None), |(uri, fragment)| (uri, Some(fragment)));
    let mut out = sesame_core::request::with_query(uri, pairs.iter().copied());
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

fn new_code(state: &State, app: &App) -> String {
    let clock = state.clock.base().as_ref();
    match app.protocol {
        Protocol::Param2 => uuid(clock),
        Protocol::Iop => {
            let class =
                if app.platform_name == "alibaba" || app.platform_name == "aliexpress" { 3 } else { 0 };
            format!("{class}_{}_{}", app.key, random_text(clock, 30))
        }
        Protocol::Top => random_text(clock, 32),
    }
}
