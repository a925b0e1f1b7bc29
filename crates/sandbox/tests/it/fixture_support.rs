//! Asking the fixtures as the gateways ask them.

use jiff::Timestamp;
use serde_json::Value;
use sesame_sandbox::{
    GatewayResult, ReplyStyle,
    fixtures::{FixtureCall, Fixtures},
};

/// 2026-11-21, 04:05:06.789Z.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millisecond(1_795_233_906_789).unwrap()
}

/// Returns the number of the first shop of a platform.
pub(crate) fn shop(fixtures: &Fixtures, platform: &str) -> Option<usize> {
    fixtures.shops().iter().position(|shop| shop.platform == platform)
}

/// Asks as the first shop of a platform.
pub(crate) fn ask(
    fixtures: &Fixtures,
    platform: &str,
    api: &str,
    args: &[(&str, &str)],
) -> GatewayResult<Value> {
    ask_as(fixtures, shop(fixtures, platform), platform, api, args)
}

/// Asks as a shop, or without a token.
pub(crate) fn ask_as(
    fixtures: &Fixtures,
    shop: Option<usize>,
    platform: &str,
    api: &str,
    args: &[(&str, &str)],
) -> GatewayResult<Value> {
    let args = args.to_vec();
    let call = FixtureCall {
        platform,
        api,
        version: 1,
        shop,
        args: &args,
        now: now(),
        style: ReplyStyle::Recorded,
        url: "",
        check: None,
    };
    fixtures.answer(&call).unwrap_or_else(|| panic!("no fixtures are behind {platform} {api}"))
}

/// Asks and returns the payload.
pub(crate) fn payload(fixtures: &Fixtures, platform: &str, api: &str, args: &[(&str, &str)]) -> Value {
    ask(fixtures, platform, api, args).unwrap_or_else(|error| panic!("{platform} {api} {args:?}: {error:?}"))
}

/// Asks and returns the code of the error.
pub(crate) fn refused(fixtures: &Fixtures, platform: &str, api: &str, args: &[(&str, &str)]) -> String {
    let error = ask(fixtures, platform, api, args).unwrap_err();
    assert!(!error.message.is_empty());
    error.code.into_owned()
}

/// Returns a list that has to be there.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a Vec<Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .unwrap_or_else(|| panic!("no list {pointer} in {value:.300}"))
}

/// Returns a number that has to be there, also one written as a string.
pub(crate) fn number(value: &Value, pointer: &str) -> usize {
    let found = value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {value:.300}"));
    match found {
        Value::Number(number) => usize::try_from(number.as_u64().unwrap()).unwrap(),
        Value::String(text) => text.parse().unwrap(),
        other => panic!("{other}"),
    }
}
