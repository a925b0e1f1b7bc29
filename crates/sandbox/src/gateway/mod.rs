//! The three gateways: each checks in its documented order and answers in its own words.

mod arguments;
mod batch;
mod iop;
mod limits;
mod param2;
mod param2_tokens;
mod signature;
mod top;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sesame_catalog::Api;
use sesame_core::Protocol;

pub(crate) use batch::serve as serve_batch;
pub(crate) use iop::{IopRoute, serve as serve_iop};
pub(crate) use param2::serve as serve_param2;
pub(crate) use top::serve as serve_top;

use arguments::Check;

use crate::{
    apps::App,
    echo::Echo,
    error::{GatewayError, GatewayResult},
    example,
    fixtures::{Args, FixtureCall},
    received::Fields,
    rows::Window,
    source::ReplySource,
    state::State,
    trace::Trace,
};

/// The outcome of a call that counts as one, although its payload says that it failed.
const BUSINESS_FAILURE: &str = "business failure";

/// The payload of a call, and its outcome in the statistics: empty for a success.
type Success = (Value, &'static str);

/// Returns the id under which the reason of an error is kept, keeping it now if that was not done yet.
fn keep_reason(
    state: &State,
    error: &GatewayError,
    route: &str,
    fields: &Fields<'_>,
    now: Timestamp,
) -> Option<String> {
    if error.refusal.is_some() {
        return error.refusal.clone();
    }
    // What could not be read is the likelier reason for whatever is missing.
    let hint = match (fields.unread(), error.hint.as_deref()) {
        (Some(unread), Some(hint)) => format!("{unread}; {hint}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => return None,
    };
    let reason = format!("{}: {}", error.code, error.message);
    Some(state.keep_refusal(&reason, route, &hint, &fields.pairs(), now))
}

/// Returns the shop of an access token, or a hint why the token is refused.
fn shop_of(state: &State, app: &App, token: &str, now: Timestamp) -> Result<usize, &'static str> {
    let shop = state.tokens.check(token, &app.key, now)?;
    match state.shop(shop) {
        Some(found) if found.platform == app.platform_name => Ok(shop),
        _ => Err("the token belongs to a shop of another platform"),
    }
}

/// Returns the shop that a call is for, if it is for one. An API that needs no token never looks at it.
fn shop_for(
    state: &State,
    app: &App,
    contract: &Api,
    token: Option<&str>,
    now: Timestamp,
    missing: impl FnOnce() -> Box<GatewayError>,
) -> GatewayResult<Option<usize>> {
    match (contract.auth, token) {
        (Some(false), _) | (None, None) => Ok(None),
        (Some(true), None) => Err(missing()),
        (_, Some(token)) => shop_of(state, app, token, now)
            .map(Some)
            .map_err(|why| GatewayError::bad_token(app.protocol).with_hint(why)),
    }
}

/// Returns how far a request's time is off in seconds, and a hint, if a platform takes it no more.
fn too_far(at: Timestamp, now: Timestamp, window: u64) -> Option<(i64, String)> {
    let off = at.duration_since(now).as_secs();
    (window > 0 && off.unsigned_abs() > window).then(|| {
        let hint =
            format!("the request's time is {off} s off the sandbox's clock ({now}); {window} s are allowed");
        (off, hint)
    })
}

/// Finds the app that a key means, and what it calls.
///
/// A key that several platforms have is that of the platform whose shop the token, the code or
/// the refresh token belongs to, else that of the first one that has the API.
fn app_for<'a, T>(
    state: &'a State,
    protocol: Protocol,
    key: &str,
    token: Option<&str>,
    fields: &Fields<'_>,
    now: Timestamp,
    find: impl Fn(&App) -> Option<T>,
) -> (Option<&'a App>, Option<T>) {
    let owns = |app: &App| {
        let has_issued = |text| state.tokens.is_for(text, &app.platform_name, state.fixtures.shops());
        token.is_some_and(|token| shop_of(state, app, token, now).is_ok())
            || fields.filled("code").is_some_and(has_issued)
            || fields.filled("refresh_token").is_some_and(has_issued)
    };
    let rank = |(app, found): &(&App, Option<T>)| Reverse((owns(app), found.is_some()));
    let candidates = state.apps.with_key(key, protocol).map(|app| (app, find(app)));
    candidates.min_by_key(rank).map_or((None, None), |(app, found)| (Some(app), found))
}

/// An API that is called with arguments that were checked.
struct ApiCall<'a> {
    app: &'a App,
    contract: &'a Api,
    /// The name by which it is called, where a TOP name and its path differ in shape.
    name: &'a str,
    shop: Option<usize>,
    args: &'a dyn Args,
    /// For file parts.
    fields: &'a Fields<'a>,
    /// Plain lists instead of TOP's wrapped ones.
    simplify: bool,
    now: Timestamp,
}

impl ApiCall<'_> {
    /// Returns what the API answers: from the fixtures, else an example.
    fn payload(&self, state: &State, trace: &Trace<'_>) -> GatewayResult<Value> {
        let (api, protocol) = (self.contract, self.app.protocol);
        let check = || arguments::check(protocol, api, self.args, self.fields, Check::All);
        let call = FixtureCall {
            platform: &self.app.platform_name,
            api: self.name,
            version: self.contract.version,
            shop: self.shop,
            args: self.args,
            now: self.now,
            style: state.settings().reply_style,
            url: state.url(),
            check: Some(&check),
        };
        let answer = state.fixtures.answer(&call).transpose()?;
        let known = if answer.is_none() { state.fixtures.known(&call)? } else { None };
        // After the fixtures, which have codes of their own for what they refuse.
        check()?;
        let is_world = answer.is_some() || known.is_some();
        if !is_world {
            state.fixtures.check_ids(&call, api)?;
        }
        let source = if is_world { ReplySource::World } else { ReplySource::without_fixtures(api) };
        trace.source.set(Some(source));
        let payload = match answer {
            Some(answer) => answer,
            None => self.without_fixtures(state, known)?,
        };
        Ok(if self.simplify { payload } else { example::wrap_lists(self.name, &api.response, payload) })
    }

    /// Returns the documented reply over a generated one, with the page and the ids that were asked for, and
    /// what is known laid over it.
    fn without_fixtures(&self, state: &State, known: Option<Value>) -> GatewayResult<Value> {
        let api = self.contract;
        let window = Window::read(api, self.args, self.app.protocol)?;
        let mut payload = example::payload(api, state.seed, &state.platform(self.app).replies.flags);
        // A sample is shortened: what it leaves out is generated.
        if let Some(reply) = &api.reply {
            example::overlay(&mut payload, reply.clone());
        }
        let mut asked = Echo::of(api, self.args);
        match window {
            Some(window) => window.fill(&mut payload, &mut asked),
            None => asked.lay(&mut payload, None),
        }
        if let Some(known) = known {
            example::overlay(&mut payload, known);
        }
        Ok(payload)
    }
}

/// Returns the members of a payload; anything but an object becomes the member `data`.
fn members_of(payload: Value) -> Map<String, Value> {
    match payload {
        Value::Object(members) => members,
        other => Map::from_iter([("data".to_owned(), other)]),
    }
}

/// Returns an object with one member.
fn object(name: impl Into<String>, value: impl Into<Value>) -> Value {
    Value::Object(Map::from_iter([(name.into(), value.into())]))
}

/// Returns the name around a reply: dots and slashes become `_`, `taobao.` goes.
fn root_of(method: &str) -> String {
    let method = method.strip_prefix("taobao.").unwrap_or(method).trim_start_matches('/');
    format!("{}_response", method.replace(['.', '/'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_named_after_the_method() {
        assert_eq!(root_of("taobao.items.onsale.get"), "items_onsale_get_response");
        assert_eq!(root_of("aliexpress.ds.product.get"), "aliexpress_ds_product_get_response");
        assert_eq!(root_of("/auth/token/security/create"), "auth_token_security_create_response");
    }
}
