//! TOP's batch: many calls in one signed body (protocols 3.6).

use std::sync::Arc;

use jiff::Timestamp;
use sesame_core::{Protocol, Shape};

use super::top::{self, Single, TopTarget};
use crate::{
    error::{GatewayError, GatewayResult},
    fixtures::Args,
    received::{Fields, Head, Layered},
    reply::{Media, WebReply},
    state::State,
    trace::Trace,
    xml,
};

/// What stands between calls unless the header `top-api-separator` says otherwise.
const SEPARATOR: &str = "\r\n-S-\r\n";

/// Serves `/router/batch`: public parameters in the query, calls in the body.
pub(crate) fn serve(
    state: &State,
    head: &Head<'_>,
    fields: &Fields<'_>,
    body: &[u8],
    now: Timestamp,
) -> WebReply {
    let app = fields.filled("app_key").and_then(|key| state.apps.with_key(key, Protocol::Top).next());
    let mut trace = Trace::new(app, "/router/batch");
    if let Some(reply) = trace.strike(state) {
        return reply;
    }
    let json = top::wants_json(fields);
    let simplify = fields.get("simplify") == Some("true");
    let checked = top::check_public(state, head, fields, app, Shape::TopBatch, body, now).and_then(|app| {
        let separator = head.separator.filter(|separator| !separator.is_empty()).unwrap_or(SEPARATOR);
        Ok((app, split(body, separator, state.max_batch)?, separator))
    });
    let (app, calls, separator) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let outcome = top::finish(state, head, fields, &trace, Err(error), now);
            let reply = WebReply::of_value(200, &outcome.body, (!json).then_some("response"));
            return trace.finish(reply, outcome.refusal);
        }
    };
    trace.count(state, "");
    let whole = trace;

    let mut bodies = Vec::with_capacity(calls.calls.len());
    let mut refusal = None;
    for call in calls.calls {
        let outcome = match call {
            // Errors are independent (protocols 3.6): this one stands in its own place.
            Err(error) => {
                top::finish(state, head, fields, &Trace::new(Some(app), "/router/batch"), Err(error), now)
            }
            Ok(call) => {
                let own = Layered { first: &call, then: &calls.shared };
                let args = Layered { first: &own, then: fields };
                let method = own.get("method").unwrap_or_default();
                let target = top::target(state, app, method);
                let mut trace = Trace::new(Some(app), method);
                if let Some(TopTarget::Api(contract)) = &target {
                    trace.contract = Some(Arc::clone(contract));
                }
                trace.plan(state);
                let session = args.get("session").filter(|session| !session.is_empty());
                let outcome = match &target {
                    None if method.is_empty() => Err(top::missing_method()),
                    None => Err(top::invalid_method(method)),
                    Some(target) => {
                        Single { app, target, session, args: &args, fields, now }.serve(state, &trace)
                    }
                };
                whole.source.set(whole.source.get().max(trace.source.get()));
                let outcome = outcome.map(|success| (success, simplify));
                top::finish(state, head, &call, &trace, outcome, now)
            }
        };
        // The header has room for one id; the first refusal is the one to look at.
        refusal = refusal.or(outcome.refusal);
        bodies.push(if json { outcome.body.to_string() } else { xml::of_json(&outcome.body, "response") });
    }
    let media = if json { Media::Plain } else { Media::Xml };
    whole.finish(WebReply::new(200, media, bodies.join(separator)), refusal)
}

/// The calls of a batch and what they share.
struct Calls<'a> {
    shared: Fields<'a>,
    calls: Vec<GatewayResult<Fields<'a>>>,
}

/// Splits a body into its calls.
fn split<'a>(body: &'a [u8], separator: &str, most: usize) -> GatewayResult<Calls<'a>> {
    let wrong = |hint: String| GatewayError::new("41", "Invalid Arguments").with_hint(hint);
    let text =
        std::str::from_utf8(body).map_err(|_| wrong("the body of the batch is not UTF-8".to_owned()))?;
    let mut pieces = text.split(separator);
    let mut first = pieces.next();
    let mut shared = Fields::default();
    // The document prints `[#PUBLIC#...]`: the brackets mean that it may be left out, but a reader
    // of the document may also have sent them.
    let public = first.and_then(|piece| piece.strip_prefix("#PUBLIC#"));
    let bracketed = first.and_then(|piece| piece.strip_prefix("[#PUBLIC#"));
    if let Some(public) = public.or(bracketed) {
        shared = read(public.as_bytes())?;
        first = pieces.next();
        if bracketed.is_some() {
            first = first.map(|piece| piece.strip_prefix(']').unwrap_or(piece));
        }
    }
    let mut calls = Vec::new();
    for piece in first.into_iter().chain(pieces) {
        if calls.len() >= most {
            return Err(wrong(format!("the batch has more than {most} calls")));
        }
        // A call without parameters is the letter N.
        calls.push(if piece == "N" { Ok(Fields::default()) } else { read(piece.as_bytes()) });
    }
    if calls.is_empty() || text.is_empty() {
        return Err(wrong("the batch has no call in its body".to_owned()));
    }
    Ok(Calls { shared, calls })
}

fn read(piece: &[u8]) -> GatewayResult<Fields<'_>> {
    let fields = Fields::of_form(piece)
        .map_err(|unreadable| GatewayError::new("41", "Invalid Arguments").with_hint(unreadable.message))?;
    match fields.doubled() {
        Some(name) => Err(GatewayError::new("41", format!("Invalid Arguments:{name}"))
            .with_hint(format!("{name:?} stands twice in one call, with two different values"))),
        None => Ok(fields),
    }
}
