//! Verifying signatures, and keeping what was expected when one is wrong.

use std::{borrow::Cow, sync::atomic::Ordering};

use jiff::Timestamp;
use sesame_core::{
    Protocol, Shape,
    mask::mask_url,
    sign::{Digest, Order, SigningKey, verify},
};

use crate::{
    apps::App,
    received::{Fields, Head},
    refusals::{Attempt, signature_report},
    state::State,
};

/// A signature as it arrived.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) shape: Shape,
    /// The path as the shape signs it.
    pub(crate) path: &'a str,
    /// The word of `sign_method`; empty on param2.
    pub(crate) method: &'a str,
    pub(crate) signature: &'a str,
    /// What is signed after the parameters (batches).
    pub(crate) body: &'a [u8],
    /// The path with its variables, where it has some.
    pub(crate) template: Option<SignedTemplate<'a>>,
}

/// A path with variables, and what stands in their place.
#[derive(Clone, Copy)]
pub(crate) struct SignedTemplate<'a> {
    pub(crate) path: &'a str,
    pub(crate) values: &'a [(String, String)],
}

/// Checks a signature.
///
/// # Errors
/// The id of the refusal that was kept.
pub(crate) fn check(
    state: &State,
    app: &App,
    head: &Head<'_>,
    fields: &Fields<'_>,
    signed: &Signed<'_>,
    now: Timestamp,
) -> Result<(), String> {
    let choice = digest_of(state, app, signed.shape, signed.method);
    let pairs = fields.pairs();
    if let Some(digest) = choice
        && fits(state, app.signing_key(digest), fields, signed)
    {
        return Ok(());
    }
    let digest = choice.unwrap_or_else(|| guessed(signed.method));
    let attempt = Attempt {
        app,
        shape: signed.shape,
        digest,
        path: signed.path,
        pairs: &pairs,
        body: signed.body,
        given: signed.signature,
    };
    let route = mask_url(head.path);
    let mut first_hints: Vec<String> = Vec::from_iter(fields.unread().map(str::to_owned));
    if choice.is_none() {
        first_hints.push(method_hint(state, app, signed));
    }
    let id = state.refusals.keep(|id| signature_report(id, attempt, first_hints, &route, &state.apps, now));
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    tracing::info!(refusal = %id, parameters = pairs.len(), bytes, "refused a signature");
    Err(id)
}

/// Returns `true` if the signature fits one of the readings that are in use.
///
/// Clients disagree on empty values: some sign them, others send them and do not (protocols 2.3,
/// 3.3). No document says what the gateways of IOP and TOP do; both kinds are in use, so both are
/// accepted. param2 has no such clients and stays strict. A copy of the query as JSON is not signed.
fn fits(state: &State, key: &SigningKey, fields: &Fields<'_>, signed: &Signed<'_>) -> bool {
    let lenient = signed.shape.protocol() != Protocol::Param2;
    let readings = fields.readings(lenient);
    let verified = |path: &str, pairs: &[(&str, &str)]| {
        verify(key, signed.shape, path, pairs, signed.body, signed.signature).ok()
    };
    for reading in &readings {
        let Some(verified) = verified(signed.path, &reading.pairs) else { continue };
        if verified.order != Order::of(signed.shape) {
            // The sender does not follow the vendor's text; nobody knows what the live gateway
            // makes of it (protocols 8.4), so it is accepted and counted.
            state.stats.sorted_by_name.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a param2 signature fits only when sorted by name");
        }
        if reading.without_empty {
            state.stats.without_empty.fetch_add(1, Ordering::Relaxed);
        }
        return true;
    }
    // The document's reading of path variables signs the braces, which arrive percent-encoded, or
    // have given way to the value while the template is signed (protocols 2.4). The parameter may
    // have been sent beside the path or not.
    let plain = percent_encoding::percent_decode_str(signed.path).decode_utf8_lossy();
    let decoded = matches!(plain, Cow::Owned(_)).then_some(plain.as_ref());
    let Some(first) = readings.first() else { return false };
    if decoded.is_some_and(|path| verified(path, &first.pairs).is_some()) {
        return true;
    }
    let Some(template) = signed.template else { return false };
    let mut with_values = first.pairs.clone();
    for (name, value) in template.values {
        if fields.get(name).is_none() {
            with_values.push((name, value));
        }
    }
    verified(template.path, &first.pairs).is_some() || verified(template.path, &with_values).is_some()
}

/// Returns the digest that a word of `sign_method` stands for here. A missing word is the first of
/// the list on TOP and param2.
fn digest_of(state: &State, app: &App, shape: Shape, method: &str) -> Option<Digest> {
    let digests = &state.platform(app).digests;
    let choices = digests.get(&shape).or_else(|| match shape {
        Shape::IopRestVariables | Shape::IopSync => digests.get(&Shape::IopRest),
        Shape::TopBatch => digests.get(&Shape::Top),
        _ => None,
    });
    let Some(choices) = choices else {
        // A platform whose entry leaves the shape out still speaks its protocol.
        return (shape.protocol() == Protocol::Param2).then_some(Digest::HmacSha1);
    };
    choices.iter().find(|choice| choice.method == method).map(|choice| choice.digest)
}

/// The digest a caller probably means by a word that is not accepted.
fn guessed(method: &str) -> Digest {
    match method {
        "md5" => Digest::Md5Sandwich,
        "hmac" | "hmac-md5" => Digest::HmacMd5,
        "hmac-sha1" | "sha1" => Digest::HmacSha1,
        _ => Digest::HmacSha256,
    }
}

fn method_hint(state: &State, app: &App, signed: &Signed<'_>) -> String {
    let choices = state.platform(app).digests.get(&signed.shape).into_iter().flatten();
    let words: Vec<&str> = choices.map(|choice| choice.method.as_str()).collect();
    let method: String = signed.method.chars().take(40).collect();
    format!("sign_method={method:?} is not accepted on this route; it takes: {}", words.join(", "))
}
