//! The token calls of the three families, as HTTP requests.

use std::time::Duration;

use jiff::Timestamp;
use sesame_catalog::{OAuthStyle, Platform, Urls};
use sesame_core::{
    AccessToken, AppSecret, AuthCode, Error, HttpRequest, RefreshToken, Result, Shape,
    request::encode_segment,
    sign::{Digest, SigningKey, sign},
    time::top_timestamp,
};

/// The largest token reply that is read: 1 MiB.
const REPLY_LIMIT: usize = 1 << 20;

/// What is exchanged for tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grant<'a> {
    Code {
        code: &'a AuthCode,
        redirect_uri: &'a str,
    },
    Refresh(&'a RefreshToken),
    /// A refresh token near its end, for one with a new life. Takes a valid access token.
    Postpone {
        refresh: &'a RefreshToken,
        access: &'a AccessToken,
    },
}

/// The app that asks for tokens, and where.
#[derive(Clone, Copy)]
pub(crate) struct ClientCredentials<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) urls: &'a Urls,
    pub(crate) app_key: &'a str,
    pub(crate) secret: &'a AppSecret,
    /// A sandbox explains what it refuses.
    pub(crate) is_sandbox: bool,
}

/// Names the spellings of the call, in the order in which they are tried.
pub(crate) fn spellings<'a>(platform: &'a Platform, grant: &Grant<'_>) -> impl Iterator<Item = &'a str> {
    let rules = &platform.tokens;
    let (first, others): (_, &[String]) = match grant {
        Grant::Code { .. } => (Some(&rules.create), &rules.create_also),
        Grant::Refresh(_) => (Some(&rules.refresh), &rules.refresh_also),
        Grant::Postpone { .. } => (rules.postpone.as_ref(), &[]),
    };
    first.into_iter().chain(others).map(String::as_str)
}

/// Builds one token call. Secrets travel in the body only.
pub(crate) fn request(
    credentials: ClientCredentials<'_>,
    spelling: &str,
    grant: Grant<'_>,
    timeout: Duration,
    now: Timestamp,
) -> Result<(Shape, HttpRequest)> {
    let (shape, mut request) = match credentials.platform.tokens.style {
        OAuthStyle::Iop => (Shape::IopRest, iop(credentials, spelling, grant, now)?),
        OAuthStyle::Param2 => (Shape::Param2, param2(credentials, spelling, grant, now)?),
        OAuthStyle::Top if spelling.starts_with('/') => (Shape::Top, top_form(credentials, spelling, grant)),
        OAuthStyle::Top => (Shape::Top, top_signed(credentials, spelling, grant, now)?),
    };
    request.timeout = timeout;
    request.max_reply = REPLY_LIMIT;
    Ok((shape, request))
}

/// `/auth/token/create` and `/auth/token/refresh`: signed like any `/rest` call, without a token;
/// the app secret is never sent (protocols 2.8).
fn iop(
    credentials: ClientCredentials<'_>,
    path: &str,
    grant: Grant<'_>,
    now: Timestamp,
) -> Result<HttpRequest> {
    let timestamp = now.as_millisecond().to_string();
    let (digest, method) = chosen(credentials.platform, Shape::IopRest)?;
    let mut pairs = vec![
        ("app_key", credentials.app_key),
        ("timestamp", timestamp.as_str()),
        ("sign_method", method),
        granted(grant),
    ];
    let signature = sign(&SigningKey::new(digest, credentials.secret), Shape::IopRest, path, &pairs, b"");
    pairs.push(("sign", signature.as_str()));
    Ok(HttpRequest::form(format!("{}/rest{path}", credentials.urls.token), pairs))
}

/// `system.oauth2/getToken`: unsigned, the secret in the body; the older `refreshToken` is signed
/// besides (protocols 1.5). `http/1/` and `param2/1/` in front of the name choose the spelling.
fn param2(
    credentials: ClientCredentials<'_>,
    spelling: &str,
    grant: Grant<'_>,
    now: Timestamp,
) -> Result<HttpRequest> {
    let name = if spelling.starts_with("http/") || spelling.starts_with("param2/") {
        spelling.to_owned()
    } else {
        format!("param2/1/{spelling}")
    };
    let path = format!("{name}/{}", encode_segment(credentials.app_key));
    let mut pairs = vec![
        ("client_id", credentials.app_key),
        ("client_secret", credentials.secret.expose()),
        granted(grant),
    ];
    match grant {
        Grant::Code { redirect_uri, .. } => {
            pairs.push(("grant_type", "authorization_code"));
            // Only then is a refresh token issued.
            pairs.push(("need_refresh_token", "true"));
            pairs.push(("redirect_uri", redirect_uri));
        }
        Grant::Refresh(_) => pairs.push(("grant_type", "refresh_token")),
        Grant::Postpone { access, .. } => pairs.push(("access_token", access.expose())),
    }
    let url = format!("{}/openapi/{path}", credentials.urls.token);
    if !spelling.ends_with("/refreshToken") {
        return Ok(HttpRequest::form(url, pairs));
    }
    let (digest, _) = chosen(credentials.platform, Shape::Param2)?;
    let timestamp = now.as_millisecond().to_string();
    pairs.push(("_aop_timestamp", timestamp.as_str()));
    let signature = sign(&SigningKey::new(digest, credentials.secret), Shape::Param2, &path, &pairs, b"");
    pairs.push(("_aop_signature", signature.as_str()));
    Ok(HttpRequest::form(url, pairs))
}

/// `/token`: RFC 6749 with the secret in the body (protocols 3.7).
fn top_form(credentials: ClientCredentials<'_>, path: &str, grant: Grant<'_>) -> HttpRequest {
    let mut pairs = vec![
        ("client_id", credentials.app_key),
        ("client_secret", credentials.secret.expose()),
        granted(grant),
    ];
    match grant {
        Grant::Code { redirect_uri, .. } => {
            pairs.push(("grant_type", "authorization_code"));
            pairs.push(("redirect_uri", redirect_uri));
        }
        Grant::Refresh(_) | Grant::Postpone { .. } => pairs.push(("grant_type", "refresh_token")),
    }
    if let Some(view) = credentials.platform.authorize.params.get("view") {
        pairs.push(("view", view));
    }
    HttpRequest::form(format!("{}{path}", credentials.urls.token), pairs)
}

/// `taobao.top.auth.token.create` and `.refresh`: signed, without a session (protocols 3.7).
fn top_signed(
    credentials: ClientCredentials<'_>,
    method_name: &str,
    grant: Grant<'_>,
    now: Timestamp,
) -> Result<HttpRequest> {
    let timestamp = top_timestamp(now);
    let (digest, method) = chosen(credentials.platform, Shape::Top)?;
    let mut pairs = vec![
        ("method", method_name),
        ("app_key", credentials.app_key),
        ("timestamp", timestamp.as_str()),
        ("format", "json"),
        ("v", "2.0"),
        ("sign_method", method),
        granted(grant),
    ];
    let signature = sign(&SigningKey::new(digest, credentials.secret), Shape::Top, "", &pairs, b"");
    pairs.push(("sign", signature.as_str()));
    Ok(HttpRequest::form(format!("{}/router/rest", credentials.urls.api), pairs))
}

fn granted(grant: Grant<'_>) -> (&'static str, &str) {
    match grant {
        Grant::Code { code, .. } => ("code", code.expose()),
        Grant::Refresh(token) | Grant::Postpone { refresh: token, .. } => ("refresh_token", token.expose()),
    }
}

fn chosen(platform: &Platform, shape: Shape) -> Result<(Digest, &str)> {
    platform.digest(shape).map(|choice| (choice.digest, choice.method.as_str())).ok_or_else(|| {
        Error::usage(format!("the data of {} name no digest for {shape}", platform.name))
            .with_hint("Add it under [platform.digests] in the platform's data.")
    })
}
