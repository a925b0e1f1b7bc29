//! One exchange with a token service: spellings, one correction of the clock, errors without secrets.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sesame_catalog::SandboxUrl;
use sesame_core::{
    AccessToken, Clock, Error, ErrorKind, HttpRequest, HttpResponse, Result, Transport, envelope::read_reply,
    mask::is_secret_param, redact::Redactor, time::parse_http_date,
};

use super::{
    calls::{ClientCredentials, Grant, request, spellings},
    reply::{self, TokenReply},
};
use crate::fail_point::fail_point;

/// Exchanges a code or a refresh token for tokens.
///
/// A spelling that the gateway does not know spends nothing, so the next one is tried; a gateway
/// that finds our time wrong is asked once more in its own time. All of it takes at most
/// [`longest`]: the lease of a refresh is reckoned by that.
///
/// # Errors
/// The platform's refusal as classified, or what kept it from being heard.
pub(crate) async fn exchange(
    transport: &dyn Transport,
    clock: &dyn Clock,
    credentials: ClientCredentials<'_>,
    timeout: Duration,
    grant: Grant<'_>,
) -> Result<TokenReply> {
    let begun = clock.now();
    let mut last = None;
    for spelling in spellings(credentials.platform, &grant) {
        let Some(left) = within(timeout, begun, clock) else { break };
        let (error, response) =
            match once(transport, clock, credentials, left, grant, spelling, SignedDuration::ZERO).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
        let again = clock_offset(clock, response.as_ref()).zip(within(timeout, begun, clock));
        let error = match (error.kind(), again) {
            (ErrorKind::Clock, Some((offset, left))) => {
                tracing::debug!(seconds = offset.as_secs(), "asking again in the platform's time");
                match once(transport, clock, credentials, left, grant, spelling, offset).await {
                    Ok(reply) => return Ok(reply),
                    Err((error, _)) => error,
                }
            }
            _ => error,
        };
        if error.kind() != ErrorKind::UnknownApi {
            return Err(error);
        }
        last.get_or_insert(error);
    }
    Err(last.unwrap_or_else(|| {
        Error::usage(format!("the data of {} name no token call", credentials.platform.name))
    }))
}

async fn once(
    transport: &dyn Transport,
    clock: &dyn Clock,
    credentials: ClientCredentials<'_>,
    timeout: Duration,
    grant: Grant<'_>,
    spelling: &str,
    offset: SignedDuration,
) -> Result<TokenReply, (Error, Option<HttpResponse>)> {
    let time = clock.now().checked_add(offset).unwrap_or_else(|_| clock.now());
    let (shape, request) =
        request(credentials, spelling, grant, timeout, time).map_err(|error| (error, None))?;
    // Gateways like to repeat what they were sent, and errors are kept and shown.
    let secrets = secrets_in(&request);
    let redactor = Redactor::new(secrets.iter().map(String::as_str)).with(credentials.secret.expose());
    if tracing::enabled!(tracing::Level::TRACE) {
        tracing::trace!("request {}", request.described(&redactor));
    }
    let (method, sent_at) = (request.method.clone(), clock.now());
    let host = request.url.split('/').nth(2).unwrap_or_default().to_owned();
    let sent = fail_point!("after-send", transport.send(request));
    let now = clock.now();
    let took = now.duration_since(sent_at).as_millis();
    let status = sent.as_ref().ok().map(|response| response.status);
    tracing::debug!(api = spelling, %method, host, took_ms = took, status, "asked for tokens");
    let response = sent.map_err(|error| (error.redacted(&redactor), None))?;
    if tracing::enabled!(tracing::Level::TRACE) {
        tracing::trace!("reply {}", response.described(&redactor));
    }
    let read = read_reply(shape, &credentials.platform.replies, &response, &redactor, now)
        .and_then(|reply| reply::read(credentials.platform, &reply, kept_by(grant), &redactor, now));
    read.map_err(|error| {
        let reference = credentials.is_sandbox.then(|| SandboxUrl::reference(&response, &redactor)).flatten();
        (error.with_reference(reference), Some(response))
    })
}

/// Returns the access token that stays where a reply brings no other: what prolongs a refresh token need
/// not replace it.
const fn kept_by(grant: Grant<'_>) -> Option<&AccessToken> {
    match grant {
        Grant::Postpone { access, .. } => Some(access),
        Grant::Code { .. } | Grant::Refresh(_) => None,
    }
}

/// Tells how far the platform's clock is from ours, by the `Date` of its reply.
fn clock_offset(clock: &dyn Clock, response: Option<&HttpResponse>) -> Option<SignedDuration> {
    let theirs = parse_http_date(response?.header("date")?)?;
    Some(theirs.duration_since(clock.now()))
}

/// Lists the secrets of a form, its signature among them.
fn secrets_in(request: &HttpRequest) -> Vec<String> {
    form_urlencoded::parse(&request.body)
        .filter(|(name, _)| is_secret_param(name))
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// The longest that one exchange takes, with all its calls.
pub(crate) const fn longest(limit: Duration) -> Duration {
    limit.saturating_mul(2)
}

/// Returns how long the next call may take; `None` if less than a second is left.
fn within(timeout: Duration, begun: Timestamp, clock: &dyn Clock) -> Option<Duration> {
    let spent = Duration::try_from(clock.now().duration_since(begun)).unwrap_or_default();
    let left = longest(timeout).checked_sub(spent).filter(|left| *left >= Duration::from_secs(1))?;
    Some(timeout.min(left))
}
