//! Why calls were refused: kept for the people who search for the reason.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use sesame_core::{
    Shape,
    mask::{SECRET_PARAMS, is_secret_param, mask, mask_known, mask_url},
    sign::{Digest, OtherApp, Pair, WrongSignature, diagnose, explain},
};

use crate::apps::{App, Apps};

/// Maximum number of refusals that are kept.
const MOST: usize = 1_000;
/// Maximum size of all of them together, in bytes.
const MOST_BYTES: usize = 8 << 20;
/// Maximum size of one, in bytes.
const MOST_EACH: usize = 64 << 10;

/// The refusals of late.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    inner: Mutex<RefusalLog>,
}

#[derive(Debug, Default)]
struct RefusalLog {
    kept: VecDeque<(u64, Arc<str>)>,
    bytes: usize,
    next: u64,
}

impl Refusals {
    fn lock(&self) -> std::sync::MutexGuard<'_, RefusalLog> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a refusal and returns its id. `report` is given the id.
    pub(crate) fn keep(&self, report: impl FnOnce(&str) -> String) -> String {
        let number = {
            let mut inner = self.lock();
            inner.next += 1;
            inner.next
        };
        // Made outside the lock: looking for a mistake may take a while.
        let id = format!("r{number}");
        let report: Arc<str> = report(&id).into();
        let mut inner = self.lock();
        inner.bytes += report.len();
        inner.kept.push_back((number, report));
        while inner.kept.len() > MOST || inner.bytes > MOST_BYTES {
            let Some((_, gone)) = inner.kept.pop_front() else { break };
            inner.bytes -= gone.len();
        }
        id
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<str>> {
        let number: u64 = id.strip_prefix('r')?.parse().ok()?;
        self.lock().kept.iter().find(|(kept, _)| *kept == number).map(|(_, report)| Arc::clone(report))
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.lock().kept.iter().map(|(number, _)| format!("r{number}")).collect()
    }

    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.kept.clear();
        inner.bytes = 0;
    }
}

/// A signature that did not fit.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) app: &'a App,
    pub(crate) shape: Shape,
    pub(crate) digest: Digest,
    /// The path as the shape signs it; for shapes that sign none, what callers may have taken.
    pub(crate) path: &'a str,
    pub(crate) pairs: &'a [Pair<'a>],
    pub(crate) body: &'a [u8],
    pub(crate) given: &'a str,
}

/// Says which known mistakes give the signature that came.
fn mistakes(attempt: Attempt<'_>, apps: &Apps) -> Vec<String> {
    let named: Vec<(String, &App)> =
        apps.all().map(|app| (format!("{} {}", app.platform_name, app.key), app)).collect();
    let others: Vec<OtherApp<'_>> =
        named.iter().map(|(name, app)| OtherApp { name, key: &app.key, secret: Some(&app.secret) }).collect();
    diagnose(&WrongSignature {
        signature: attempt.given,
        secret: &attempt.app.secret,
        app_key: &attempt.app.key,
        shape: attempt.shape,
        digest: attempt.digest,
        path: attempt.path,
        pairs: attempt.pairs,
        body: attempt.body,
        others: &others,
        bases: &[],
    })
}

/// Reports a signature that did not fit.
pub(crate) fn signature_report(
    id: &str,
    attempt: Attempt<'_>,
    first_hints: Vec<String>,
    route: &str,
    apps: &Apps,
    now: Timestamp,
) -> String {
    let key = attempt.app.signing_key(attempt.digest);
    let explained = explain(key, attempt.shape, attempt.path, attempt.pairs, attempt.body);
    let secrets: Vec<&str> = attempt
        .pairs
        .iter()
        .filter(|(name, _)| is_secret_param(name))
        .map(|(_, value)| *value)
        .chain([attempt.app.secret.expose(), explained.signature.as_str()])
        .collect();
    let mut base = explained.masked_base_string;
    if !attempt.body.is_empty() {
        // A batch's body is form-encoded calls: their tokens are masked by name as in a URL.
        let body = String::from_utf8_lossy(attempt.body);
        base.truncate(base.len() - body.len().min(base.len()));
        base.push_str(&masked_batch(&body));
    }
    let base = mask_known(&base, secrets.iter().copied());
    let mut hints = first_hints;
    hints.extend(mistakes(attempt, apps));
    if hints.is_empty() {
        hints.push("no known mistake yields the signature that came; compare the text you sign with expected_base_string, and check the secret".to_owned());
    }
    let (shown, cut) = clipped(&base, 32 << 10);
    let mut report = json!({
        "id": id,
        "at": now.to_string(),
        "why": "signature",
        "route": clipped(route, 400).0,
        "platform": attempt.app.platform_name,
        "app_key": attempt.app.key,
        "shape": attempt.shape.as_str(),
        "digest": attempt.digest.as_str(),
        "signature_received": mask(attempt.given),
        "expected_base_string": shown,
        "expected_base_string_bytes": explained.base_string.len(),
        "expected_base_string_cut": cut,
        "hints": hints.iter().map(|hint| clipped(hint, 500).0).collect::<Vec<_>>(),
        "notes": explained.warnings,
        "left_out": explained.left_out,
        "parameters": arrived(attempt.pairs, &secrets),
    });
    if report.to_string().len() > MOST_EACH {
        // Thousands of parameters, or a text that grows when it is quoted: the essentials alone.
        for name in ["expected_base_string", "notes", "left_out", "parameters"] {
            report[name] = Json::Null;
        }
        report["expected_base_string_cut"] = true.into();
    }
    report.to_string()
}

/// Reports any other refusal.
pub(crate) fn plain_report(
    id: &str,
    why: &str,
    route: &str,
    hint: &str,
    pairs: &[(&str, &str)],
    now: Timestamp,
) -> String {
    let secrets: Vec<&str> =
        pairs.iter().filter(|(name, _)| is_secret_param(name)).map(|(_, value)| *value).collect();
    json!({
        "id": id,
        "at": now.to_string(),
        "why": clipped(why, 200).0,
        "route": clipped(&mask_url(route), 400).0,
        "hints": [clipped(&mask_known(hint, secrets.iter().copied()), 1_000).0],
        "parameters": arrived(pairs, &secrets),
    })
    .to_string()
}

/// Lists what arrived: names, lengths, values as far as they may be seen.
fn arrived(pairs: &[(&str, &str)], secrets: &[&str]) -> Vec<Json> {
    pairs
        .iter()
        .take(100)
        .map(|(name, value)| {
            let shown = if is_secret_param(name) {
                mask(value)
            } else {
                // Long enough for a secret that sits inside to be found whole.
                clipped(&mask_known(clipped(value, 1_000).0, secrets.iter().copied()), 60).0.to_owned()
            };
            json!({"name": clipped(name, 60).0, "value": shown, "bytes": value.len()})
        })
        .collect()
}

/// Masks the secret parameters of every call of a batch.
///
/// Any text may stand between calls, so names are looked for everywhere; a value ends at `&` or at
/// a line break. Masking a little too much is fine here.
fn masked_batch(body: &str) -> String {
    let mut text = body.to_owned();
    for name in SECRET_PARAMS {
        let start = format!("{name}=");
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(&start) {
            let value = at + start.len();
            let end = rest[value..].find(['&', '\r', '\n']).map_or(rest.len(), |end| value + end);
            out.push_str(&rest[..value]);
            // What another name has masked already stays as it is.
            let inner = &rest[value..end];
            out.push_str(&if inner.contains('…') { inner.to_owned() } else { mask(inner) });
            rest = &rest[end..];
        }
        out.push_str(rest);
        text = out;
    }
    text
}

/// Cuts a text to at most `room` bytes, at a character.
fn clipped(text: &str, room: usize) -> (&str, bool) {
    if text.len() <= room {
        return (text, false);
    }
    let mut end = room;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_thousand_and_not_too_many_bytes() {
        let refusals = Refusals::default();
        for _ in 0..MOST + 5 {
            refusals.keep(|id| format!("report of {id}"));
        }
        assert_eq!(refusals.ids().len(), MOST);
        assert!(refusals.get("r5").is_none());
        assert_eq!(refusals.get("r6").as_deref(), Some("report of r6"));
        for wrong in ["", "r", "6", "rx", "r99999999999999999999999"] {
            assert!(refusals.get(wrong).is_none());
        }
        for _ in 0..200 {
            refusals.keep(|_| "x".repeat(MOST_EACH));
        }
        assert!(refusals.lock().bytes <= MOST_BYTES);
    }

    #[test]
    fn masks_the_tokens_of_a_batch() {
        let body = "#PUBLIC#session=6200planted-session-0000&fields=a\r\n-S-\r\nmethod=x&session=6200planted-session-1111";
        let masked = masked_batch(body);
        assert!(!masked.contains("planted"), "{masked}");
        let odd = masked_batch("fields=a@@session=6200planted-session-2222&x=1@@N");
        assert!(!odd.contains("planted") && odd.contains("fields=a@@session="), "{odd}");
        assert!(masked.contains("method=x") && masked.contains("\r\n-S-\r\n"), "{masked}");
    }
}
