//! One exchange with a token service: spellings, one correction of the clock, errors without secrets.

use jiff::SignedDuration;
use sesame_core::{
    Clock, Error, ErrorKind, HttpResponse, Result, Transport, envelope::read_reply, mask::mask_known,
    time::parse_http_date,
};

use super::{
    calls::{Asker, Offer, request, spellings},
    reply::{self, TokenReply},
};

/// Exchanges a code or a refresh token for tokens.
///
/// A spelling that the gateway does not know spends nothing, so the next one is tried; a gateway
/// that finds our time wrong is asked once more in its own time.
///
/// # Errors
/// The platform's refusal as classified, or what kept it from being heard.
pub(crate) async fn exchange(
    transport: &dyn Transport,
    clock: &dyn Clock,
    asker: Asker<'_>,
    offer: Offer<'_>,
) -> Result<TokenReply> {
    let mut last = None;
    for spelling in spellings(asker.platform, &offer) {
        let (error, response) =
            match once(transport, clock, asker, offer, spelling, SignedDuration::ZERO).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
        let error = match (error.kind(), clock_offset(clock, response.as_ref())) {
            (ErrorKind::Clock, Some(offset)) => {
                tracing::debug!(seconds = offset.as_secs(), "asking again in the platform's time");
                match once(transport, clock, asker, offer, spelling, offset).await {
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
    Err(last
        .unwrap_or_else(|| Error::usage(format!("the data of {} name no token call", asker.platform.name))))
}

async fn once(
    transport: &dyn Transport,
    clock: &dyn Clock,
    asker: Asker<'_>,
    offer: Offer<'_>,
    spelling: &str,
    offset: SignedDuration,
) -> Result<TokenReply, (Error, Option<HttpResponse>)> {
    let secrets = [
        asker.secret.expose(),
        match offer {
            Offer::Code { code, .. } => code.expose(),
            Offer::Refresh(token) => token.expose(),
        },
    ];
    let hide = |error| without(error, &secrets);
    let time = clock.now().checked_add(offset).unwrap_or_else(|_| clock.now());
    let (shape, request) = request(asker, spelling, offer, time).map_err(|error| (error, None))?;
    let response = transport.send(request).await.map_err(|error| (hide(error), None))?;
    let now = clock.now();
    let read = read_reply(shape, &asker.platform.replies, &response, now)
        .and_then(|reply| reply::read(asker.platform, &reply, now));
    read.map_err(|error| (hide(error), Some(response)))
}

/// Tells how far the platform's clock is from ours, by the `Date` of its reply.
fn clock_offset(clock: &dyn Clock, response: Option<&HttpResponse>) -> Option<SignedDuration> {
    let theirs = parse_http_date(response?.date.as_deref()?)?;
    Some(theirs.duration_since(clock.now()))
}

/// Takes secrets out of an error's words: gateways like to repeat what they were sent.
pub(crate) fn without(error: Error, secrets: &[&str]) -> Error {
    if !secrets.iter().any(|secret| secret.len() >= 4 && error.message().contains(secret)) {
        return error;
    }
    let mut hidden = Error::new(error.kind(), mask_known(error.message(), secrets.iter().copied()))
        .fault_of(error.fault())
        .retry_when(error.retry())
        .may_have_happened(error.is_ambiguous())
        .with_request_id(error.request_id().map(str::to_owned))
        .with_refusal_id(error.refusal_id().map(str::to_owned));
    if let Some(hint) = error.hint_text() {
        hidden = hidden.hint(hint.to_owned());
    }
    if let Some(code) = error.code() {
        hidden = hidden.with_code(code);
    }
    if let Some(code) = error.sub_code() {
        hidden = hidden.with_sub_code(code);
    }
    if let Some(status) = error.http_status() {
        hidden = hidden.with_http_status(status);
    }
    hidden
}
