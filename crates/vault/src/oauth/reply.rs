//! Token replies, read leniently: numbers as texts, ends in four forms, shops in three shapes.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sesame_catalog::{OAuthStyle, Platform};
use sesame_core::{
    AccessToken, Error, ErrorKind, Fault, RefreshToken, Result, envelope::Reply, redact::Redactor, scalar,
    time::parse_compact,
};

use crate::model::identity::{self, Owner};

/// No token lives longer than ten years, whatever a reply says.
const LONGEST_LIFE: i64 = 10 * 366 * 86_400;
/// The longest token. Documented ones have up to 120 characters.
const LONGEST_TOKEN: usize = 4_096;

/// The tokens of one reply.
#[derive(Debug, Clone)]
pub(crate) struct TokenReply {
    pub(crate) access: AccessToken,
    /// Absent where a refresh keeps the old one (param2).
    pub(crate) refresh: Option<RefreshToken>,
    /// Nothing when the platform does not say and its data do not either.
    pub(crate) access_end: Option<Timestamp>,
    pub(crate) refresh_end: RefreshEnd,
    pub(crate) owner: Owner,
    /// Classes of APIs for which the access token ends before it does for others (TOP).
    pub(crate) early: Vec<EarlyEnd>,
    /// What is wrong with the lives or names that the reply gives. Tokens whose shop is not
    /// confirmed otherwise are refused then.
    pub(crate) doubt: Option<Error>,
}

/// A class of APIs for which an access token ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EarlyEnd {
    /// The class, in words.
    pub(crate) class: &'static str,
    /// When; at once where the app may not call them at all.
    pub(crate) at: Timestamp,
}

/// TOP's classes of APIs by their security, with the fields that give their lives and ends.
const CLASSES: [(&str, &str, &str); 4] = [
    ("reads of level 1", "r1_expires_in", "r1_valid"),
    ("reads of level 2", "r2_expires_in", "r2_valid"),
    ("writes of level 1", "w1_expires_in", "w1_valid"),
    ("writes of level 2", "w2_expires_in", "w2_valid"),
];
/// Ends this close together are one: the lives were rounded.
const SAME_END: SignedDuration = SignedDuration::from_mins(1);

/// What a reply says of the refresh token's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshEnd {
    /// It ends then.
    At(Timestamp),
    /// It has no life: the app may not refresh (`refresh_expires_in` or `re_expires_in` of 0).
    Denied,
    /// The reply does not say.
    Unknown,
}

/// Reads the payload of a token call. `kept` is the access token of a reply that brings a refresh token
/// alone. What the reply says of the shop is stored, so it is kept free of secrets: those that the redactor
/// knows, and the new tokens.
///
/// # Errors
/// [`ErrorKind::Envelope`] when it holds no access token.
pub(crate) fn read(
    platform: &Platform,
    reply: &Reply,
    kept: Option<&AccessToken>,
    redactor: &Redactor<'_>,
    now: Timestamp,
) -> Result<TokenReply> {
    let mut payload: Json = reply.parse()?;
    // taobao.top.auth.token.*: the reply is a JSON document inside a text.
    if let Some(inner) = payload.get("token_result").and_then(Json::as_str) {
        payload = serde_json::from_str(inner).map_err(|_| no_token(reply, "its token_result is not JSON"))?;
    }
    let refresh = text(&payload, "refresh_token").map(RefreshToken::new);
    for (name, token) in
        [("access_token", text(&payload, "access_token")), ("refresh_token", text(&payload, "refresh_token"))]
    {
        if token.is_some_and(|token| !is_token(&token)) {
            return Err(no_token(
                reply,
                &format!(
                    "its {name} has blanks or control characters, or more than {LONGEST_TOKEN} characters"
                ),
            ));
        }
    }
    let kept = kept.filter(|_| refresh.is_some()).cloned();
    let Some(access) = text(&payload, "access_token").map(AccessToken::new).or(kept) else {
        let quietly = refused_quietly(&payload, redactor);
        return Err(quietly.unwrap_or_else(|| no_token(reply, "it holds no access_token")));
    };
    let tokens = redactor.with(access.expose());
    hide(&mut payload, &tokens.with(refresh.as_ref().map_or("", RefreshToken::expose)));
    drop(tokens);
    let rules = &platform.tokens;
    let (access_life, refresh_life) =
        (life(&payload, &["expires_in"]), life(&payload, &["refresh_expires_in", "re_expires_in"]));
    let doubt = [access_life, refresh_life].into_iter().find_map(|life| match life {
        Life::Invalid(field) => Some(no_token(reply, &format!("its {field} is not a number of seconds"))),
        _ => None,
    });
    let owner = identity::owner(&payload, &rules.identity, rules.style == OAuthStyle::Top);
    let doubt = doubt.or_else(|| {
        let field = owner.invalid.as_ref()?;
        Some(no_token(reply, &format!("its {field} has control characters or blanks, or is too long")))
    });
    let access_end = match access_life {
        Life::Seconds(life) if life > 0 => after(now, life),
        // A life of nought is a fault of the reply: the token is used until the gateway refuses it.
        Life::Seconds(_) | Life::Invalid(_) => millis(&payload, "expire_time").filter(|end| *end > now),
        Life::Absent => millis(&payload, "expire_time").or_else(|| {
            i64::try_from(rules.access_life).ok().filter(|life| *life > 0).and_then(|life| after(now, life))
        }),
    };
    let (access_end, early) = match rules.style {
        OAuthStyle::Top => by_class(&payload, access_end, now),
        _ => (access_end, Vec::new()),
    };
    let refresh_end = match refresh_life {
        Life::Seconds(life) if life > 0 => after(now, life).map_or(RefreshEnd::Unknown, RefreshEnd::At),
        Life::Seconds(_) => RefreshEnd::Denied,
        Life::Invalid(_) => RefreshEnd::Unknown,
        Life::Absent => text(&payload, "refresh_token_timeout")
            .and_then(|text| parse_compact(&text))
            .or_else(|| millis(&payload, "refresh_token_valid_time"))
            .map_or(RefreshEnd::Unknown, RefreshEnd::At),
    };
    Ok(TokenReply { access, refresh, access_end, refresh_end, owner, early, doubt })
}

/// Applies the lives that TOP gives to the classes of APIs (protocols 3.7). For each class the shortest
/// counts; the token is of use until the last class has ended. A class that ends earlier needs no new
/// token (a refresh does not lengthen it) but a word to whoever approved.
fn by_class(payload: &Json, end: Option<Timestamp>, now: Timestamp) -> (Option<Timestamp>, Vec<EarlyEnd>) {
    let ends: Vec<EarlyEnd> = CLASSES
        .into_iter()
        .filter_map(|(class, life_field, end_field)| {
            let at = match life(payload, &[life_field]) {
                Life::Seconds(life) => after(now, life),
                Life::Absent => millis(payload, end_field),
                Life::Invalid(_) => None,
            };
            at.map(|at| EarlyEnd { class, at: at.max(now) })
        })
        .collect();
    // Where no class has any life the fields are not meant.
    let Some(last) = ends.iter().map(|end| end.at).max().filter(|last| *last > now) else {
        return (end, Vec::new());
    };
    let end = end.map_or(last, |end| end.min(last));
    let early = ends.into_iter().filter(|class| end.duration_since(class.at) > SAME_END).collect();
    (Some(end), early)
}

/// Masks secrets in every text of a payload whose tokens were taken out.
fn hide(payload: &mut Json, redactor: &Redactor<'_>) {
    match payload {
        Json::String(text) => {
            if let Cow::Owned(masked) = redactor.id(text) {
                *text = masked;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| hide(item, redactor)),
        Json::Object(members) => members.values_mut().for_each(|member| hide(member, redactor)),
        _ => {}
    }
}

fn no_token(reply: &Reply, why: &str) -> Error {
    reply
        .error(ErrorKind::Envelope, format!("the platform's token reply cannot be used: {why}"))
        .with_fault(Fault::Platform)
        .with_ambiguity(true)
        .with_hint(
            "Try again later; if it stays, the platform changed its reply: report it with the request id.",
        )
}

/// An OAuth error that came with status 200 and without a description (RFC 6749, 5.2).
fn refused_quietly(payload: &Json, redactor: &Redactor<'_>) -> Option<Error> {
    let code = text(payload, "error")?;
    let said = text(payload, "error_description").unwrap_or_default();
    let said = redactor.text(format!("{code}: {said}").trim_end_matches(": "), 1_000);
    let kind = if code == "invalid_grant" { ErrorKind::Authorization } else { ErrorKind::Business };
    Some(Error::new(kind, said.to_string()).with_code(redactor.text(&code, 200)))
}

fn is_token(token: &str) -> bool {
    token.len() <= LONGEST_TOKEN && !token.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn text(payload: &Json, name: &str) -> Option<String> {
    payload.get(name).and_then(scalar::text).filter(|text| !text.is_empty())
}

/// What a reply says of a life.
#[derive(Debug, Clone, Copy)]
enum Life {
    Absent,
    Seconds(i64),
    /// The field of this name holds something else: less than nothing, or no number.
    Invalid(&'static str),
}

fn life(payload: &Json, names: &[&'static str]) -> Life {
    for name in names {
        match payload.get(name) {
            None | Some(Json::Null) => {}
            Some(Json::String(text)) if text.trim().is_empty() => {}
            Some(value) => {
                return match scalar::integer(value) {
                    Some(seconds) if seconds >= 0 => Life::Seconds(seconds),
                    _ => Life::Invalid(name),
                };
            }
        }
    }
    Life::Absent
}

fn millis(payload: &Json, name: &str) -> Option<Timestamp> {
    payload
        .get(name)
        .and_then(scalar::integer)
        .filter(|millis| *millis > 0)
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
}

fn after(now: Timestamp, seconds: i64) -> Option<Timestamp> {
    now.checked_add(SignedDuration::from_secs(seconds.min(LONGEST_LIFE))).ok()
}
