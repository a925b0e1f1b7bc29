//! Limits, and faults that strike inside the gateway, after signature and token.

use jiff::Timestamp;
use serde_json::{Value, json};
use sesame_core::Protocol;

use crate::{
    apps::App,
    error::{GatewayError, GatewayResult},
    fault::{ErrorOrigin, FaultKind},
    quotas::{Exceeded, QuotaPer},
    state::State,
    trace::Trace,
};

/// Checks the limits, then the faults. Returns the payload of a failure that comes in the envelope of
/// a success, if one was ordered.
pub(super) fn check(
    state: &State,
    app: &App,
    trace: &Trace<'_>,
    shop: Option<usize>,
    now: Timestamp,
) -> GatewayResult<Option<Value>> {
    let names = [trace.api.as_ref(), trace.canonical()];
    if let Err(exceeded) = state.quotas.take(&app.platform_name, &names, &app.key, shop, now) {
        return Err(limit(app.protocol, exceeded));
    }
    let Some(kind) = trace.plan.as_ref().and_then(|plan| plan.refusal.as_ref()) else { return Ok(None) };
    let ban = |seconds| limit(app.protocol, Exceeded { seconds, api: true, per: QuotaPer::App });
    Err(match kind {
        FaultKind::Busy if app.protocol == Protocol::Iop => GatewayError::new(
            "901",
            "The request is too frequent, API level QPS limiting flow, please retry in the next second",
        )
        .origin("SYSTEM"),
        FaultKind::Busy => ban(1),
        FaultKind::CallLimit { seconds } => ban(*seconds),
        FaultKind::IllegalToken => GatewayError::bad_token(app.protocol),
        FaultKind::Error { code, message, sub_code, sub_message, origin } => {
            let origin = origin.unwrap_or_else(|| ErrorOrigin::of(code));
            let mut error = GatewayError::new(code.clone(), message.clone()).origin(origin.as_str());
            error.sub_code = sub_code.clone().map(Into::into);
            error.sub_message = sub_message.clone().map(Into::into);
            error.status = match code.as_str() {
                "401" => 401,
                "403" => 403,
                "500" => 500,
                _ => 400,
            };
            error
        }
        FaultKind::BusinessFailure => return Ok(Some(business_failure(&app.platform_name))),
        // The other kinds strike at the edge or on the way back.
        _ => return Ok(None),
    })
}

/// Returns a payload that says no inside an envelope that says yes.
fn business_failure(platform: &str) -> Value {
    const MESSAGE: &str = "the service behind the gateway failed";
    const CODE: &str = "isp.error-happened";
    match platform {
        "alibaba" => json!({"result": {"success": false, "message_info": MESSAGE, "msg_code": CODE}}),
        "1688" | "aliexpress-legacy" => json!({
            "success": false,
            "errorCode": CODE,
            "errorMsg": MESSAGE,
            "error_code": CODE,
            "error_message": MESSAGE,
        }),
        _ => json!({"success": false, "error_code": CODE, "error_msg": MESSAGE}),
    }
}

fn limit(protocol: Protocol, exceeded: Exceeded) -> Box<GatewayError> {
    let seconds = exceeded.seconds;
    match protocol {
        Protocol::Iop => {
            let code = match (exceeded.api, exceeded.per) {
                (_, QuotaPer::Account) => "SellerCallLimit",
                (true, QuotaPer::App) => "ApiCallLimit",
                (false, QuotaPer::App) => "AppCallLimit",
            };
            GatewayError::new(
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
            GatewayError::new("7", "App Call Limited")
                .sub(sub_code, format!("This ban will last for {seconds} more seconds"))
        }
        Protocol::Param2 if exceeded.api => {
            GatewayError::new("gw.QosApiFrequencyLimit", "API call exceeds limited frequency")
        }
        Protocol::Param2 => {
            GatewayError::new("gw.QosAppFrequencyLimit", "App call exceeds limited frequency")
        }
    }
}
