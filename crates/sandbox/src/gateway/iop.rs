//! The IOP gateway: `/rest`, `/rest/2.0` and `/sync`.
//!
//! Order of checks (protocols 6): mandatory parameters, timestamp, path, app, signature, token,
//! required arguments, limits, API. The HTTP status is always 200.

use std::sync::{Arc, atomic::Ordering};

use jiff::{SignedDuration, Timestamp};
use sesame_core::{Protocol, Shape};

use super::{
    Hurdle, Refused, Trace, arguments, bad_token, extend, hurdle, payload, quoted, root_of, shop_of,
    signature, world_call,
};
use crate::{
    apps::{App, Refreshing},
    clock::after,
    contracts::Contract,
    options::OldRefreshToken,
    received::{Fields, Head, Layered, Owned},
    reply::{Media, WebReply},
    state::State,
    token_replies::{self, ReplyStyle, Step},
    tokens::{Grant, Look},
    xml,
};

/// The ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/rest/some/path`.
    Rest,
    /// `/rest/2.0/some/{variable}`.
    RestVariables,
    /// `/sync?method=`, and `/router/rest` for keys of an IOP app.
    Sync,
}

impl Door {
    const fn shape(self) -> Shape {
        match self {
            Self::Rest => Shape::IopRest,
            Self::RestVariables => Shape::IopRestVariables,
            Self::Sync => Shape::IopSync,
        }
    }
}

/// What a request names.
#[derive(Debug, Clone)]
enum Target {
    /// A token call. `as_text`: the reply sits as JSON in a text, TOP's way.
    Token {
        step: Step,
        as_text: bool,
    },
    Api(Arc<Contract>, Vec<(String, String)>),
}

/// Finds out what a name means. Token calls are served whatever the catalog lists.
fn target(state: &State, app: &App, door: Door, name: &str) -> Option<Target> {
    let token = |step, as_text| Some(Target::Token { step, as_text });
    let rules = &state.platform(app).tokens;
    if rules.create == name || rules.create_also.iter().any(|also| also == name) {
        return token(Step::Create, false);
    }
    if rules.refresh == name || rules.refresh_also.iter().any(|also| also == name) {
        return token(Step::Refresh, false);
    }
    match name {
        // Platforms that share a catalog do not share all names of the token calls.
        "/auth/token/createWithOpenId" | "/auth/token/security/create" | "/auth/token/security/refresh" => {
            return None;
        }
        "taobao.top.auth.token.create" if door == Door::Sync => return token(Step::Create, true),
        "taobao.top.auth.token.refresh" if door == Door::Sync => return token(Step::Refresh, true),
        _ => {}
    }
    let is_path = name.starts_with('/');
    match door {
        Door::Rest if !is_path => None,
        Door::RestVariables => state
            .contracts
            .find_template(app.platform, name)
            .or_else(|| Some((state.contracts.find(app.platform, name)?, Vec::new())))
            .map(|(contract, values)| Target::Api(contract, values)),
        _ => {
            let contract = state.contracts.find(app.platform, name)?;
            // A TOP name is no path, even with a slash in front.
            let served = !is_path || matches!(contract.api.shape, Shape::IopRest | Shape::IopRestVariables);
            served.then(|| Target::Api(contract, Vec::new()))
        }
    }
}

/// Serves one request.
pub(crate) fn serve(
    state: &State,
    door: Door,
    head: &Head<'_>,
    fields: &Fields<'_>,
    now: Timestamp,
) -> WebReply {
    let path = match door {
        Door::Rest => match head.path.strip_prefix("/rest").unwrap_or_default() {
            // Inferred, no document says it: the iop SDKs for PHP and Python post to the base URL
            // and name the path in `method` alone; because it holds a slash they sign it in front.
            "" | "/" => fields.get("method").filter(|method| method.starts_with('/')).unwrap_or_default(),
            path => path,
        },
        Door::RestVariables => head.path.strip_prefix("/rest/2.0").unwrap_or_default(),
        Door::Sync => "",
    };
    let name = if door == Door::Sync { fields.get("method").unwrap_or_default() } else { path };
    let mut trace = Trace { api: name.into(), ..Trace::default() };

    // Which app and which API, without judging yet. A key that stands with several platforms is
    // that of the platform which has the API, or whose shop the token belongs to.
    let key = fields.get("app_key").unwrap_or_default();
    let candidates = state.apps.with_key(key, Protocol::Iop);
    let several = candidates.clone().nth(1).is_some();
    let mut found: Option<(&App, Target)> = None;
    for app in candidates.clone() {
        let Some(target) = target(state, app, door, name) else { continue };
        if !several {
            found = Some((app, target));
            break;
        }
        let owns = token_of(fields).is_some_and(|token| shop_of(state, app, token, now).is_ok())
            || code_of(fields)
                .is_some_and(|code| state.tokens.is_for(code, &app.platform_name, state.world.shops()));
        if found.is_none() || owns {
            found = Some((app, target));
        }
        if owns {
            break;
        }
    }
    trace.app = found.as_ref().map(|(app, _)| *app).or_else(|| candidates.clone().next());
    if let Some((_, Target::Api(contract, _))) = &found {
        trace.contract = Some(Arc::clone(contract));
    }
    trace.plan(state);
    if let Some(edge) = trace.plan.as_ref().and_then(|plan| plan.edge.as_ref()) {
        trace.count(state, "trouble at the edge");
        return WebReply::of_edge(edge).troubled(trace.plan.as_ref());
    }

    let asked = Asked { door, head, fields, path, name, now };
    let outcome = answer(state, &asked, found.as_ref(), &trace);
    let simplify = fields.get("simplify") == Some("true");
    let request_id = state.request_id(now);
    // Replies recorded since 2021 end like this, errors too; the trace id names the same moment.
    let ids = format!("\"request_id\":\"{request_id}\",\"_trace_id_\":\"{request_id}e0df7\"");
    let reply = match outcome {
        Ok(Success { payload, code, bare }) => {
            trace.count(state, code);
            let body = match door {
                Door::Sync if bare && !simplify => format!("{{{}:{payload}}}", quoted(&root_of(name))),
                _ if bare => payload,
                Door::Sync if !simplify => {
                    let inner = extend(payload, &ids);
                    format!("{{{}:{inner}}}", quoted(&root_of(name)))
                }
                _ => extend(payload, &format!("\"code\":\"0\",{ids}")),
            };
            in_format(door, fields, body)
        }
        Err(refused) => {
            trace.count(state, &refused.code);
            let mut reply = in_format(door, fields, error_body(door, &refused, &ids));
            reply.refusal = refused.keep(state, head.path, fields, now);
            reply
        }
    };
    reply.troubled(trace.plan.as_ref())
}

/// JSON, or on `/sync` the XML that was asked for.
fn in_format(door: Door, fields: &Fields<'_>, body: String) -> WebReply {
    if door == Door::Sync && fields.get("format") == Some("xml") {
        return WebReply::new(200, Media::Xml, xml::of_json(&body, "response"));
    }
    WebReply::json(200, body)
}

fn error_body(door: Door, refused: &Refused, ids: &str) -> String {
    let (name, code, message) =
        (if door == Door::Sync { "msg" } else { "message" }, quoted(&refused.code), quoted(&refused.message));
    let origin = refused.origin;
    // Sub codes are TOP's; no document shows them here.
    let body = format!("{{\"type\":\"{origin}\",\"code\":{code},\"{name}\":{message},{ids}}}");
    if door == Door::Sync { format!("{{\"error_response\":{body}}}") } else { body }
}

struct Asked<'a> {
    door: Door,
    head: &'a Head<'a>,
    fields: &'a Fields<'a>,
    path: &'a str,
    name: &'a str,
    now: Timestamp,
}

struct Success {
    payload: String,
    /// The outcome in the statistics; nothing for a success.
    code: &'static str,
    /// True for a payload that gets neither `code` nor `request_id`.
    bare: bool,
}

impl Success {
    fn of(payload: impl Into<String>) -> Self {
        Self { payload: payload.into(), code: "", bare: false }
    }

    fn business_failure(payload: String) -> Self {
        Self { payload, code: "business failure", bare: false }
    }
}

/// Both names are in use on both routes (protocols 2.2).
fn token_of<'a>(fields: &'a Fields<'_>) -> Option<&'a str> {
    fields.filled("access_token").or_else(|| fields.filled("session"))
}

fn code_of<'a>(fields: &'a Fields<'_>) -> Option<&'a str> {
    fields.filled("code").or_else(|| fields.filled("refresh_token"))
}

fn answer(
    state: &State,
    asked: &Asked<'_>,
    found: Option<&(&App, Target)>,
    trace: &Trace<'_>,
) -> Result<Success, Refused> {
    let Asked { door, head, fields, path, name, now } = *asked;

    // 1 mandatory parameters
    let mandatory: &[&str] = match door {
        Door::Sync => &["app_key", "method", "timestamp", "sign_method", "sign"],
        _ => &["app_key", "timestamp", "sign_method", "sign"],
    };
    if let Some(missing) = mandatory.iter().find(|name| fields.filled(name).is_none()) {
        return Err(missing_parameter(missing).with_hint(format!(
            "{missing:?} came neither in the query nor in a body that could be read ({} parameters came); bodies are read as form, multipart or JSON",
            fields.pairs().len()
        )));
    }
    if let Some(doubled) = fields.doubled() {
        return Err(invalid_parameter(doubled)
            .with_hint(format!("{doubled:?} came twice with two different values; what the platform makes of that is not documented")));
    }

    // 2 timestamp
    let app = found.map(|(app, _)| *app).or(trace.app);
    check_time(state, app, door, fields.filled("timestamp").unwrap_or_default(), now)?;

    // 3 path
    let known_somewhere = found.is_some() || (app.is_none() && known_on_any(state, door, name));
    if !known_somewhere {
        return Err(unknown_path(door, name, app));
    }

    // 4 app
    let Some((app, target)) = found else {
        return Err(Refused::new("InvalidAppKey", "The specified App Key is invalid")
            .with_hint("this sandbox has no IOP app with this key; its apps are in the line that `sesame sandbox --json` prints, under /_sandbox/apps and in the file given by --app-file"));
    };

    // 5 signature
    let signed = signature::Signed {
        shape: door.shape(),
        path,
        method: fields.filled("sign_method").unwrap_or_default(),
        signature: fields.filled("sign").unwrap_or_default(),
        body: b"",
        template: match target {
            Target::Api(contract, values) if !values.is_empty() => {
                Some(signature::Template { path: &contract.api.name, values })
            }
            _ => None,
        },
    };
    signature::check(state, app, head, fields, &signed, now).map_err(|id| {
        let mut refused = Refused::new(
            "IncompleteSignature",
            "The request signature does not conform to platform standards",
        );
        refused.id = Some(id);
        refused
    })?;

    let (contract, variables) = match target {
        Target::Token { step, as_text } => {
            return match hurdle(state, app, trace, None, now) {
                Hurdle::Refused(refused) => Err(refused),
                Hurdle::Failure(payload) => Ok(Success::business_failure(payload)),
                Hurdle::Clear => token_call(state, app, asked, *step, *as_text),
            };
        }
        Target::Api(contract, variables) => (contract, variables),
    };

    // 6 token
    let shop = match (contract.api.auth, token_of(fields)) {
        (Some(false), _) | (None, None) => None,
        (Some(true), None) => {
            return Err(bad_token(Protocol::Iop)
                .with_hint("this API needs a seller's token and none came (access_token, or session)"));
        }
        (_, Some(token)) => {
            Some(shop_of(state, app, token, now).map_err(|why| bad_token(Protocol::Iop).with_hint(why))?)
        }
    };

    // 7 required arguments
    let variables = Owned(variables.clone());
    let args = Layered { first: &variables, then: fields };
    match arguments::check(contract, &args, fields) {
        Some(arguments::Wrong::Missing(name)) => return Err(missing_parameter(&name)),
        Some(arguments::Wrong::Invalid(name)) => return Err(invalid_parameter(&name)),
        None => {}
    }

    // 8 limits, and what was ordered to go wrong
    match hurdle(state, app, trace, shop, now) {
        Hurdle::Refused(refused) => return Err(refused),
        Hurdle::Failure(payload) => return Ok(Success::business_failure(payload)),
        Hurdle::Clear => {}
    }

    // 9 the API itself
    let simplify = door != Door::Sync || fields.get("simplify") == Some("true");
    let mut call = world_call(state, app, contract, shop, &args, simplify, now);
    if door == Door::Sync && !asked.name.starts_with('/') {
        // A TOP name and its path are one API whose answers differ in shape.
        call.api = asked.name;
    }
    payload(state, app, contract, &call).map(|payload| Success::of(payload.into_owned()))
}

fn missing_parameter(name: &str) -> Refused {
    Refused::new(
        "MissingParameter",
        format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied"
        ),
    )
}

fn invalid_parameter(name: &str) -> Refused {
    Refused::new("InvalidParameter", format!("The specified parameter \"{name}\" is not valid"))
}

fn unknown_path(door: Door, name: &str, app: Option<&App>) -> Refused {
    let refused = Refused::new("InvalidApiPath", "The specified Api Path is invalid");
    let shown: String = name.chars().take(120).collect();
    let platform = app.map_or("any platform", |app| app.platform_name.as_str());
    let mut hint = format!("the catalog lists no API {shown:?} of {platform}");
    if door == Door::Rest && name.is_empty() {
        return refused.with_hint(
            "the URL ends at /rest, and no `method` came that begins with a slash; names with dots are called on /sync",
        );
    }
    if door != Door::Sync && name.starts_with("/rest") {
        hint.push_str("; /rest stands twice in the URL");
    } else if name.starts_with("//") {
        hint.push_str("; the base URL ends in a slash and the path begins with one");
    } else if door == Door::Sync && name.contains('/') {
        hint.push_str("; paths are called on /rest, names with dots on /sync");
    } else if door != Door::Sync && name.contains('.') {
        hint.push_str("; names with dots are called on /sync?method=, paths on /rest");
    }
    refused.with_hint(hint)
}

/// Tells whether any IOP platform has this API: for keys that no app has.
fn known_on_any(state: &State, door: Door, name: &str) -> bool {
    state
        .apps
        .all()
        .filter(|app| app.protocol == Protocol::Iop && app.own)
        .any(|app| target(state, app, door, name).is_some())
}

/// Milliseconds, or ISO with `Z`; TOP's text too on the TOP-like route.
fn check_time(
    state: &State,
    app: Option<&App>,
    door: Door,
    text: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    let illegal = |hint: String| {
        Err(Refused::new("IllegalTimestamp", "The timestamp is invalid or malformed").with_hint(hint))
    };
    let legal_form = text.bytes().all(|byte| byte.is_ascii_digit())
        || (text.contains('T') && text.ends_with('Z'))
        || (door == Door::Sync && !text.contains('T'));
    let Some(at) = sesame_core::time::parse_request_timestamp(text).filter(|_| legal_form) else {
        return illegal(
            "the timestamp is neither milliseconds since 1970 nor yyyy-MM-ddTHH:mm:ssZ".to_owned(),
        );
    };
    // Without an app the general rule stands (developer.alibaba.com, articleId=120691).
    let window = app.map_or(7_200, |app| state.platform(app).clock.window);
    let off = at.duration_since(now);
    if window > 0 && off.abs() > SignedDuration::from_secs(i64::try_from(window).unwrap_or(i64::MAX)) {
        let mut hint = format!(
            "the request's time is {} s off the sandbox's clock ({now}); {window} s are allowed",
            off.as_secs()
        );
        if text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            hint.push_str("; these look like seconds, and milliseconds are wanted");
        }
        return illegal(hint);
    }
    Ok(())
}

/// `/auth/token/create` and `/auth/token/refresh`, under all their names.
fn token_call(
    state: &State,
    app: &App,
    asked: &Asked<'_>,
    step: Step,
    as_text: bool,
) -> Result<Success, Refused> {
    let Asked { fields, now, .. } = *asked;
    let refused = |refused: Refused| {
        state.tokens.refused.fetch_add(1, Ordering::Relaxed);
        refused
    };
    let rules = &state.platform(app).tokens;
    let (shop, refresh_ends) = match step {
        Step::Create => {
            let code = fields.filled("code").ok_or_else(|| refused(missing_parameter("code")))?;
            let shop = state.tokens.redeem(code, &app.key, None, now).map_err(|problem| {
                refused(Refused::new("InvalidCode", "Invalid authorization code").with_hint(problem.says()))
            })?;
            (shop, after(now, rules.refresh_life))
        }
        Step::Refresh => {
            let token =
                fields.filled("refresh_token").ok_or_else(|| refused(missing_parameter("refresh_token")))?;
            match app.refreshing() {
                Refreshing::Allowed => {}
                Refreshing::Never => {
                    return Err(refused(
                        illegal_refresh_token()
                            .with_hint("this app may not refresh: refresh_expires_in was 0"),
                    ));
                }
                Refreshing::MarketOnly => {
                    return Err(refused(Refused::new(
                        "AUTH_TYPE_UNSUPPORTED",
                        format!("{} can only be authorized by market, not support refresh", app.key),
                    )));
                }
            }
            let spend = state.old_refresh_token() == OldRefreshToken::Dies;
            let (shop, ends) = state
                .tokens
                .use_refresh(token, &app.key, now, spend)
                .map_err(|problem| refused(illegal_refresh_token().with_hint(problem.says())))?;
            // The end date does not move (protocols 2.8).
            (shop, if rules.refresh_end_fixed { ends } else { after(now, rules.refresh_life) })
        }
    };
    let Some(found) = state.shop(shop).filter(|found| found.platform == app.platform_name) else {
        return Err(refused(
            Refused::new("InvalidCode", "Invalid authorization code")
                .with_hint("it was issued for another platform's app with the same key"),
        ));
    };
    let refresh_ends = if app.refreshing() == Refreshing::Never { now } else { refresh_ends };
    let pair = state.tokens.grant(
        state.clock.base().as_ref(),
        &Grant {
            app_key: &app.key,
            shop,
            now,
            access_life: rules.access_life,
            refresh_ends: Some(refresh_ends),
            look: Look::Iop,
            single: false,
        },
    );
    match step {
        Step::Create => &state.tokens.created,
        Step::Refresh => &state.tokens.refreshed,
    }
    .fetch_add(1, Ordering::Relaxed);
    let style = state.reply_style();
    let reply = token_replies::iop(&app.platform_name, found, &pair, step, style, now).to_string();
    if as_text {
        return Ok(Success::of(format!("{{\"token_result\":{}}}", quoted(&reply))));
    }
    // Lazada's guide prints its reply without an envelope.
    let bare = app.platform_name == "lazada" && style == ReplyStyle::Guide;
    Ok(Success { payload: reply, code: "", bare })
}

fn illegal_refresh_token() -> Refused {
    Refused::new("IllegalRefreshToken", "The specified refresh token is invalid or expired")
}
