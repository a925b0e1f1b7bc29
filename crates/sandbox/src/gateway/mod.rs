//! The three gateways: each checks in its documented order and answers in its own words.

mod arguments;
mod batch;
mod iop;
mod param2;
mod param2_tokens;
mod signature;
mod top;

use std::{
    borrow::Cow,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::json;
use sesame_core::Protocol;

pub(crate) use batch::serve as serve_batch;
pub(crate) use iop::{Door, serve as serve_iop};
pub(crate) use param2::serve as serve_param2;
pub(crate) use top::serve as serve_top;

use crate::{
    apps::App,
    contracts::Contract,
    example::{self, Recipe},
    quotas::{Exceeded, QuotaPer},
    received::Fields,
    state::State,
    trouble::{ErrorOrigin, Plan, TroubleKind},
    world::{Answer, Args, WorldCall},
};

/// A refusal, before it is put into the words of a gateway. Boxed: it travels in every `Result`.
#[derive(Debug, Clone)]
pub(crate) struct Refused(Box<Reason>);

impl Deref for Refused {
    type Target = Reason;

    fn deref(&self) -> &Reason {
        &self.0
    }
}

impl DerefMut for Refused {
    fn deref_mut(&mut self) -> &mut Reason {
        &mut self.0
    }
}

/// What a refusal says.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    /// IOP's `type`.
    pub(crate) origin: &'static str,
    pub(crate) sub_code: Option<Cow<'static, str>>,
    pub(crate) sub_message: Option<Cow<'static, str>>,
    /// param2's HTTP status; the others always answer 200.
    pub(crate) status: u16,
    /// What the caller should know; kept under a refusal id.
    pub(crate) hint: Option<String>,
    /// The id, when the report is already kept (signatures).
    pub(crate) id: Option<String>,
}

impl Refused {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Reason {
            code: code.into(),
            message: message.into(),
            origin: "ISV",
            sub_code: None,
            sub_message: None,
            status: 400,
            hint: None,
            id: None,
        }))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn origin(mut self, origin: &'static str) -> Self {
        self.origin = origin;
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn sub(
        mut self,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.sub_code = Some(code.into());
        self.sub_message = Some(message.into());
        self
    }

    /// Returns the id under which the reason is kept, keeping it now if that was not done yet.
    pub(crate) fn keep(
        &self,
        state: &State,
        route: &str,
        fields: &Fields<'_>,
        now: Timestamp,
    ) -> Option<String> {
        if self.id.is_some() {
            return self.id.clone();
        }
        // What could not be read is the likelier reason for whatever is missing.
        let hint = match (fields.unread(), self.hint.as_deref()) {
            (Some(unread), Some(hint)) => format!("{unread}; {hint}"),
            (Some(only), None) | (None, Some(only)) => only.to_owned(),
            (None, None) => return None,
        };
        Some(state.keep_refusal(
            &format!("{}: {}", self.code, self.message),
            route,
            &hint,
            &fields.pairs(),
            now,
        ))
    }
}

/// What a call is about, as far as it is known; for trouble, statistics and the log.
#[derive(Debug, Default)]
pub(crate) struct Trace<'a> {
    pub(crate) app: Option<&'a App>,
    pub(crate) contract: Option<Arc<Contract>>,
    pub(crate) api: Cow<'a, str>,
    pub(crate) plan: Option<Plan>,
}

impl Trace<'_> {
    /// Decides which trouble the call meets.
    pub(crate) fn plan(&mut self, state: &State) {
        let platform = self.app.map_or("", |app| app.platform_name.as_str());
        let canonical = self.contract.as_ref().map_or("", |contract| contract.api.name.as_str());
        self.plan = state.troubles.plan(platform, &[self.api.as_ref(), canonical]);
    }

    pub(crate) fn count(&self, state: &State, code: &str) {
        let platform = self.app.map_or("(unknown app)", |app| app.platform_name.as_str());
        state.count(platform, &self.api, self.contract.as_deref(), code);
    }
}

/// What the limits and the trouble in force make of a call that passed the other checks.
pub(crate) enum Hurdle {
    Clear,
    Refused(Refused),
    /// The envelope of a success around the payload of a failure.
    Failure(String),
}

/// Checks the limits, then the trouble that strikes inside the gateway.
pub(crate) fn hurdle(
    state: &State,
    app: &App,
    trace: &Trace<'_>,
    shop: Option<usize>,
    now: Timestamp,
) -> Hurdle {
    let canonical = trace.contract.as_ref().map_or("", |contract| contract.api.name.as_str());
    if let Err(exceeded) =
        state.quotas.take(&app.platform_name, &[trace.api.as_ref(), canonical], &app.key, shop, now)
    {
        return Hurdle::Refused(limit(app.protocol, exceeded));
    }
    let Some(kind) = trace.plan.as_ref().and_then(|plan| plan.refusal.as_ref()) else { return Hurdle::Clear };
    let protocol = app.protocol;
    Hurdle::Refused(match kind {
        TroubleKind::Busy => match protocol {
            Protocol::Iop => Refused::new(
                "901",
                "The request is too frequent, API level QPS limiting flow, please retry in the next second",
            )
            .origin("SYSTEM"),
            _ => limit(protocol, Exceeded { seconds: 1, api: true, per: QuotaPer::App }),
        },
        TroubleKind::CallLimit { seconds } => {
            limit(protocol, Exceeded { seconds: *seconds, api: true, per: QuotaPer::App })
        }
        TroubleKind::IllegalToken => bad_token(protocol),
        TroubleKind::Error { code, message, sub_code, sub_message, origin } => {
            let origin = origin.unwrap_or_else(|| ErrorOrigin::of(code));
            let mut refused = Refused::new(code.clone(), message.clone()).origin(origin.as_str());
            refused.sub_code = sub_code.clone().map(Cow::Owned);
            refused.sub_message = sub_message.clone().map(Cow::Owned);
            refused.status = match code.as_str() {
                "401" => 401,
                "403" => 403,
                "500" => 500,
                _ => 400,
            };
            refused
        }
        TroubleKind::BusinessFailure => return Hurdle::Failure(business_failure(&app.platform_name)),
        // The other kinds strike at the edge or on the way back.
        _ => return Hurdle::Clear,
    })
}

/// A payload that says no inside an envelope that says yes.
fn business_failure(platform: &str) -> String {
    match platform {
        "alibaba" => json!({
            "result": {"success": false, "message_info": "the service behind the gateway failed", "msg_code": "isp.error-happened"},
        }),
        "1688" | "aliexpress-legacy" => json!({
            "success": false, "errorCode": "isp.error-happened", "errorMsg": "the service behind the gateway failed",
            "error_code": "isp.error-happened", "error_message": "the service behind the gateway failed",
        }),
        _ => json!({
            "success": false, "error_code": "isp.error-happened", "error_msg": "the service behind the gateway failed",
        }),
    }
    .to_string()
}

fn limit(protocol: Protocol, exceeded: Exceeded) -> Refused {
    let seconds = exceeded.seconds;
    match protocol {
        Protocol::Iop => {
            let code = match (exceeded.api, exceeded.per) {
                (_, QuotaPer::Account) => "SellerCallLimit",
                (true, QuotaPer::App) => "ApiCallLimit",
                (false, QuotaPer::App) => "AppCallLimit",
            };
            Refused::new(
                code,
                format!(
                    "The frequency of app access to the api exceeds the limit. This ban will last {seconds} seconds"
                ),
            )
        }
        Protocol::Top => {
            let sub_code = if exceeded.api {
                "accesscontrol.limited-by-app-api-access-count"
            } else {
                "accesscontrol.limited-by-app-access-count"
            };
            Refused::new("7", "App Call Limited")
                .sub(sub_code, format!("This ban will last for {seconds} more seconds"))
        }
        Protocol::Param2 if exceeded.api => {
            Refused::new("gw.QosApiFrequencyLimit", "API call exceeds limited frequency")
        }
        Protocol::Param2 => Refused::new("gw.QosAppFrequencyLimit", "App call exceeds limited frequency"),
    }
}

/// The refusal of an access token.
pub(crate) fn bad_token(protocol: Protocol) -> Refused {
    match protocol {
        Protocol::Iop => {
            Refused::new("IllegalAccessToken", "The specified access token is invalid or expired")
        }
        Protocol::Top => Refused::new("27", "Invalid session")
            .sub("invalid-sessionkey", "the session is invalid or has ended"),
        Protocol::Param2 => Refused::new("401", "Request need user authorized").status(401),
    }
}

/// Whose token it is, or a hint why it is refused.
pub(crate) fn shop_of(state: &State, app: &App, token: &str, now: Timestamp) -> Result<usize, &'static str> {
    let shop = state.tokens.check(token, &app.key, now).map_err(crate::tokens::TokenProblem::says)?;
    match state.shop(shop) {
        Some(found) if found.platform == app.platform_name => Ok(shop),
        _ => Err("the token belongs to a shop of another platform"),
    }
}

/// What an API answers: from the world, else an example.
pub(crate) fn payload(
    state: &State,
    app: &App,
    contract: &Contract,
    call: &WorldCall<'_>,
) -> Result<Cow<'static, str>, Refused> {
    match state.world.answer(call) {
        Some(Answer::Payload(payload)) => Ok(payload.into()),
        Some(Answer::Refusal { code, message, sub_code, sub_message, origin }) => {
            let mut refused = Refused::new(code, message).origin(origin);
            refused.sub_code = sub_code;
            refused.sub_message = sub_message;
            Err(refused)
        }
        None => Ok(example_of(state, app, contract, call.simplify).into()),
    }
}

/// A call to the world in the name by which the catalog knows the API.
pub(crate) fn world_call<'a>(
    state: &State,
    app: &'a App,
    contract: &'a Contract,
    shop: Option<usize>,
    args: &'a dyn Args,
    simplify: bool,
    now: Timestamp,
) -> WorldCall<'a> {
    WorldCall {
        platform: &app.platform_name,
        api: &contract.api.name,
        version: contract.api.version,
        shop,
        args,
        now,
        simplify,
        style: state.reply_style(),
    }
}

fn example_of(state: &State, app: &App, contract: &Contract, simplify: bool) -> String {
    contract.examples[usize::from(simplify)]
        .get_or_init(|| {
            let recipe = Recipe {
                seed: state.seed,
                api: &contract.api.name,
                paging: contract.api.paging.as_ref(),
                flags: &state.platform(app).replies.flags,
                wrap_lists: !simplify,
            };
            example::payload(&contract.api.response, &recipe)
        })
        .clone()
}

/// Adds members to a JSON object that is given as text.
pub(crate) fn extend(mut object: String, members: &str) -> String {
    if !object.starts_with('{') || !object.ends_with('}') {
        // Payloads of IOP and TOP are objects; anything else gets a name.
        return format!("{{\"data\":{object},{members}}}");
    }
    object.pop();
    if object.len() > 1 {
        object.push(',');
    }
    object.push_str(members);
    object.push('}');
    object
}

/// The name of the wrapper of a reply: dots and slashes become `_`, `taobao.` goes.
pub(crate) fn root_of(method: &str) -> String {
    let method = method.strip_prefix("taobao.").unwrap_or(method).trim_start_matches('/');
    let mut root: String = method.chars().map(|c| if c == '.' || c == '/' { '_' } else { c }).collect();
    root.push_str("_response");
    root
}

/// Quotes a text for JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_added_to_objects() {
        assert_eq!(extend("{}".into(), "\"code\":\"0\""), r#"{"code":"0"}"#);
        assert_eq!(extend("{\"a\":1}".into(), "\"code\":\"0\""), r#"{"a":1,"code":"0"}"#);
        assert_eq!(extend("[1]".into(), "\"code\":\"0\""), r#"{"data":[1],"code":"0"}"#);
    }

    #[test]
    fn roots_are_named_after_the_method() {
        assert_eq!(root_of("taobao.items.onsale.get"), "items_onsale_get_response");
        assert_eq!(root_of("aliexpress.ds.product.get"), "aliexpress_ds_product_get_response");
        assert_eq!(root_of("/auth/token/security/create"), "auth_token_security_create_response");
    }
}
