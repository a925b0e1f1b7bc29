//! One exchange with a token service: spellings, one correction of the clock, errors without secrets.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sesame_catalog::SandboxUrl;
use sesame_core::{
    Error, ErrorKind, HttpRequest, Result, envelope::read_reply, mask::is_secret_param, redact::Redactor,
    time::parse_http_date,
};

use super::{
    TokenEndpoint,
    calls::{ClientCredentials, Grant, request, spellings},
    reply::{self, TokenReply},
};
use crate::fail_point::fail_point;

impl TokenEndpoint {
    /// Exchanges a code or a refresh token for tokens.
    ///
    /// A spelling that the gateway does not know spends nothing, so the next one is tried; a gateway
    /// that finds our time wrong is asked once more in its own time. All of it takes at most
    /// [`TokenEndpoint::longest_exchange`]: the lease of a refresh is reckoned by that.
    ///
    /// # Errors
    /// The platform's refusal as classified, or what kept it from being received.
    pub(crate) async fn exchange(
        &self,
        credentials: ClientCredentials<'_>,
        grant: Grant<'_>,
    ) -> Result<TokenReply> {
        let end = self.clock.now().checked_add(self.longest_exchange()).unwrap_or(Timestamp::MAX);
        let mut last = None;
        for spelling in spellings(credentials.platform, &grant) {
            let Some(limit) = self.left(end) else { break };
            let asked = self.ask(credentials, grant, spelling, limit, SignedDuration::ZERO).await;
            let Err((mut error, offset)) = asked else { return asked.map_err(|(error, _)| error) };
            if let (ErrorKind::Clock, Some(offset), Some(limit)) = (error.kind(), offset, self.left(end)) {
                tracing::debug!(seconds = offset.as_secs(), "asking again in the platform's time");
                match self.ask(credentials, grant, spelling, limit, offset).await {
                    Ok(reply) => return Ok(reply),
                    Err((again, _)) => error = again,
                }
            }
            if error.kind() != ErrorKind::UnknownApi {
                return Err(error);
            }
            last.get_or_insert(error);
        }
        Err(last.unwrap_or_else(|| {
            Error::usage(format!("the data of {} name no token call", credentials.platform.name))
        }))
    }

    /// Returns how long the next call may take; `None` if less than a second is left.
    fn left(&self, end: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(end.duration_since(self.clock.now())).ok()?;
        (left >= Duration::from_secs(1)).then(|| left.min(self.timeout()))
    }

    /// Makes one call, in a time that is `offset` from ours. An error comes with how far the platform's
    /// clock is from ours, by the `Date` of its reply.
    async fn ask(
        &self,
        credentials: ClientCredentials<'_>,
        grant: Grant<'_>,
        spelling: &str,
        limit: Duration,
        offset: SignedDuration,
    ) -> Result<TokenReply, (Error, Option<SignedDuration>)> {
        let sent_at = self.clock.now();
        let time = sent_at.checked_add(offset).unwrap_or(sent_at);
        let (shape, request) =
            request(credentials, spelling, grant, limit, time).map_err(|error| (error, None))?;
        // Gateways like to repeat what they were sent, and errors are kept and shown.
        let secrets = secrets_in(&request);
        let redactor = Redactor::new(secrets.iter().map(String::as_str)).with(credentials.secret.expose());
        if tracing::enabled!(tracing::Level::TRACE) {
            tracing::trace!("request {}", request.described(&redactor));
        }
        let method = request.method.clone();
        let host = request.url.split('/').nth(2).unwrap_or_default().to_owned();
        let sent = fail_point!("after-send", self.transport.send(request));
        let now = self.clock.now();
        let took = now.duration_since(sent_at).as_millis();
        let status = sent.as_ref().ok().map(|response| response.status);
        tracing::debug!(api = spelling, %method, host, took_ms = took, status, "asked for tokens");
        let response = sent.map_err(|error| (error.redacted(&redactor), None))?;
        if tracing::enabled!(tracing::Level::TRACE) {
            tracing::trace!("reply {}", response.described(&redactor));
        }
        // What prolongs a refresh token need not replace the access token.
        let kept = match grant {
            Grant::Postpone { access, .. } => Some(access),
            Grant::Code { .. } | Grant::Refresh(_) => None,
        };
        let read = read_reply(shape, &credentials.platform.replies, &response, &redactor, now)
            .and_then(|reply| reply::read(credentials.platform, &reply, kept, &redactor, now));
        read.map_err(|error| {
            let theirs = response.header("date").and_then(parse_http_date);
            let reference = SandboxUrl::reference(&response, &redactor).filter(|_| credentials.is_sandbox);
            (error.with_reference(reference), theirs.map(|theirs| theirs.duration_since(now)))
        })
    }
}

/// Lists the secrets of a form, its signature among them.
fn secrets_in(request: &HttpRequest) -> Vec<String> {
    form_urlencoded::parse(&request.body)
        .filter(|(name, _)| is_secret_param(name))
        .map(|(_, value)| value.into_owned())
        .collect()
}
