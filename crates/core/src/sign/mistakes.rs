//! The mistakes that SDKs and tutorials make when they sign.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Digest, Order, Pair, digest::Hash, other_times};
use crate::{AppSecret, Protocol, Shape};

/// The most parameters that are left out one by one.
const MAX_LEFT_OUT: usize = 64;

/// What `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Parameters that are often added after signing.
const LATE: [&str; 6] = ["session", "access_token", "partner_id", "simplify", "format", "_aop_datatype"];

/// A signature that somebody else made and that is not the right one, with what should have been signed.
#[derive(Debug, Clone, Copy)]
pub struct WrongSignature<'a> {
    /// The signature as it came.
    pub signature: &'a str,
    /// The app secret.
    pub secret: &'a AppSecret,
    /// The app key, where it is known.
    pub app_key: &'a str,
    /// The shape of the request.
    pub shape: Shape,
    /// The digest that the request is checked with.
    pub digest: Digest,
    /// The path as the shape signs it; for shapes that sign none, what the caller may have taken.
    pub path: &'a str,
    /// All parameters.
    pub pairs: &'a [Pair<'a>],
    /// The raw body that is signed after the parameters; empty where none is.
    pub body: &'a [u8],
    /// Other apps whose key or secret may have been taken.
    pub others: &'a [OtherApp<'a>],
    /// Base URLs of gateways, for callers who sign the whole address: `https://api.lazada.sg`.
    pub bases: &'a [&'a str],
}

/// Another app.
#[derive(Debug, Clone, Copy)]
pub struct OtherApp<'a> {
    /// What it is called, for people.
    pub name: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its secret, where it is known.
    pub secret: Option<&'a AppSecret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorting {
    Documented,
    By(Order),
    Locale,
    AsCame,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Utf8,
    Latin1,
    Lower,
}

/// One mistake: what it is, and what it changes.
pub(super) struct Mistake<'a> {
    /// Two changes of one kind are not combined.
    pub(super) kind: Kind,
    pub(super) says: String,
    pub(super) apply: Apply<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Hash,
    Front,
    Sorting,
    Values,
    Between,
    Spelling,
    Secret,
    Body,
    Parameters,
}

pub(super) enum Apply<'a> {
    Hash(Hash),
    Front(String),
    Sorting(Sorting),
    Pairs(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    LeftOut(usize),
    Added(String, String),
    Between(&'static str, &'static str),
    Spelling(Spelling),
    Secret(String),
    NoBody,
}

pub(super) fn raw<'a>(pairs: &[Pair<'a>]) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    pairs.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value))).collect()
}

/// Lists the known mistakes of a request, those first that are made most often.
pub(super) fn mistakes<'a>(wrong: &WrongSignature<'a>, hex_len: usize) -> Vec<Mistake<'a>> {
    let mut out = Vec::new();
    let mut add = |kind, says: String, apply| out.push(Mistake { kind, says, apply });
    for (hash, name) in Hash::known() {
        if hash.hex_len() == hex_len && hash != Hash::Keyed(wrong.digest) {
            let says =
                format!("{name} is computed; this request is checked with {}", wrong.digest.described());
            add(Kind::Hash, says, Apply::Hash(hash));
        }
    }
    let own = if wrong.shape.signs_path() { wrong.path } else { "" };
    for (front, says) in fronts(wrong) {
        if front != own {
            add(Kind::Front, says, Apply::Front(front));
        }
    }
    let documented = Order::of(wrong.shape);
    for (sorting, says) in [
        (
            Sorting::Locale,
            "the names are sorted by a locale (JavaScript's localeCompare, a collation) instead of by byte",
        ),
        (Sorting::By(Order::Name), "the pairs are sorted by name alone"),
        (Sorting::By(Order::Joined), "the joined texts name+value are sorted instead of the names"),
        (Sorting::AsCame, "the parameters are not sorted at all"),
    ] {
        if sorting != Sorting::By(documented) {
            add(Kind::Sorting, says.to_owned(), Apply::Sorting(sorting));
        }
    }
    if wrong.pairs.iter().any(|(_, value)| value.is_empty()) {
        let filled: Vec<Pair<'_>> =
            wrong.pairs.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
        let says = "empty values are left out of the text: leave them out of the request too, or sign them";
        add(Kind::Values, says.to_owned(), Apply::Pairs(raw(&filled)));
    }
    for (says, change) in [
        ("the values are percent-encoded: sign the raw text and encode it after signing", percent as Rewrite),
        (
            "the values are percent-encoded with + for a space: sign the raw text and encode it after signing",
            plus,
        ),
        ("the values are decoded once more: sign them as they are before they are encoded", decoded),
        ("white space around the values is cut off", trimmed),
    ] {
        let changed: Vec<_> =
            wrong.pairs.iter().map(|(name, value)| (Cow::Borrowed(*name), change(value))).collect();
        if changed != raw(wrong.pairs) {
            add(Kind::Values, says.to_owned(), Apply::Pairs(changed));
        }
    }
    for (at, value) in other_times::times(wrong.pairs) {
        let name = wrong.pairs[at].0;
        for (form, words) in other_times::other_forms(value) {
            let says =
                format!("`{name}` is signed {words} and sent in another form: sign the text that is sent");
            let mut changed = raw(wrong.pairs);
            changed[at].1 = form.into();
            add(Kind::Values, says, Apply::Pairs(changed));
        }
    }
    for (equals, and, says) in [
        (
            "=",
            "&",
            "the pairs are joined as name=value&name=value: names and values follow each other without any sign",
        ),
        ("=", "", "an = stands between name and value"),
        ("", "&", "an & stands between the pairs"),
        (":", ",", "the pairs are joined as name:value,name:value"),
    ] {
        add(Kind::Between, says.to_owned(), Apply::Between(equals, and));
    }
    let not_ascii = wrong.pairs.iter().any(|(name, value)| !name.is_ascii() || !value.is_ascii());
    if not_ascii {
        add(
            Kind::Spelling,
            "the text is in Latin-1: sign UTF-8".to_owned(),
            Apply::Spelling(Spelling::Latin1),
        );
    }
    add(Kind::Spelling, "the text is put in lower case".to_owned(), Apply::Spelling(Spelling::Lower));
    for (secret, says) in secrets(wrong) {
        add(Kind::Secret, says, Apply::Secret(secret));
    }
    if !wrong.body.is_empty() {
        let says = "the body is left out; a batch signs its raw body after the parameters";
        add(Kind::Body, says.to_owned(), Apply::NoBody);
    }
    let late: Vec<Pair<'_>> = wrong.pairs.iter().copied().filter(|(name, _)| !LATE.contains(name)).collect();
    if late.len() + 1 < wrong.pairs.len() {
        let says = "the optional system parameters (session, partner_id, ...) are left out of the text: add them before signing";
        add(Kind::Parameters, says.to_owned(), Apply::Pairs(raw(&late)));
    }
    for (at, (name, _)) in wrong.pairs.iter().enumerate().take(MAX_LEFT_OUT) {
        let says = format!(
            "`{name}` is left out of the text: everything that is sent has to be there before signing"
        );
        add(Kind::Parameters, says, Apply::LeftOut(at));
    }
    for (name, value) in added(wrong) {
        if wrong.pairs.iter().all(|(known, _)| *known != name) {
            let says = format!("`{name}` is part of the text, and is not sent");
            add(Kind::Parameters, says, Apply::Added(name.to_owned(), value));
        }
    }
    out
}

type Rewrite = for<'a> fn(&'a str) -> Cow<'a, str>;

fn percent(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, COMPONENT).into()
}

fn plus(value: &str) -> Cow<'_, str> {
    percent(value).replace("%20", "+").into()
}

fn decoded(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8_lossy()
}

fn trimmed(value: &str) -> Cow<'_, str> {
    value.trim().into()
}

/// The texts that callers put in front of the parameters, and what to say of each.
fn fronts(wrong: &WrongSignature<'_>) -> Vec<(String, String)> {
    let path = wrong.path;
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |front: String, says: &str| out.push((front, says.to_owned()));
    match wrong.shape.protocol() {
        Protocol::Param2 => {
            add(String::new(), "the path in front is left out");
            add(format!("/{path}"), "the path begins with a slash");
            add(format!("openapi/{path}"), "the path begins with openapi/");
            add(format!("/openapi/{path}"), "the path begins with /openapi/");
            add(format!("{path}/"), "the path ends with a slash");
            let head = path.rsplit_once('/').map_or(path, |(head, _)| head);
            add(head.to_owned(), "the app key at the end of the path is left out");
            add(format!("{head}/"), "the app key at the end of the path is left out");
            let own = path.rsplit('/').next().unwrap_or_default();
            // A value that looks like a key, the vendor's sample, and other apps.
            let sent = wrong.pairs.iter().map(|(_, value)| *value);
            let keys = sent.chain([wrong.app_key, "1000000"]).chain(wrong.others.iter().map(|app| app.key));
            for key in keys.filter(|key| *key != own && is_like_a_key(key)) {
                add(format!("{head}/{key}"), &format!("the path ends with another app key ({key})"));
            }
        }
        Protocol::Iop if wrong.shape.signs_path() => {
            add(String::new(), "the path in front is left out");
            add(format!("/rest{path}"), "the path in front begins with /rest");
            add(format!("/rest/2.0{path}"), "the path in front begins with /rest/2.0");
            add(format!("/2.0{path}"), "the path in front begins with /2.0");
            add(path.trim_start_matches('/').to_owned(), "the path in front lacks its first slash");
            add(format!("{}/", path.trim_end_matches('/')), "the path in front ends with a slash");
            add(path.trim_end_matches('/').to_owned(), "the path in front lacks its last slash");
            add(
                percent_decode_str(path).decode_utf8_lossy().into_owned(),
                "the path is decoded before signing",
            );
        }
        Protocol::Iop | Protocol::Top => {
            let method =
                wrong.pairs.iter().find(|(name, _)| *name == "method").map_or("", |(_, value)| *value);
            let none = "is put in front (only /rest signs a path, this route signs none)";
            add(method.to_owned(), &format!("the API's name {none}"));
            add(format!("/{method}"), &format!("the API's name with a slash {none}"));
            add(path.to_owned(), &format!("the path {none}"));
            for route in ["/sync", "/rest", "/router/rest"] {
                add(route.to_owned(), &format!("{route} {none}"));
            }
        }
    }
    let says = "the whole address is put in front of the parameters";
    for base in wrong.bases {
        let base = base.trim_end_matches('/');
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        for base in [format!("https://{host}"), format!("http://{host}"), host.to_owned()] {
            match wrong.shape.protocol() {
                Protocol::Param2 => add(format!("{base}/openapi/{path}"), says),
                Protocol::Iop if wrong.shape.signs_path() => {
                    add(format!("{base}/rest{path}"), says);
                    add(format!("{base}{path}"), says);
                }
                Protocol::Iop => add(format!("{base}/sync"), says),
                Protocol::Top => add(format!("{base}/router/rest"), says),
            }
        }
    }
    out
}

fn is_like_a_key(text: &str) -> bool {
    (4..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn secrets(wrong: &WrongSignature<'_>) -> Vec<(String, String)> {
    let secret = wrong.secret.expose();
    let mut out: Vec<(String, String)> = [
        (secret.to_ascii_lowercase(), "the secret is written in small letters"),
        (secret.to_ascii_uppercase(), "the secret is written in capitals"),
        (format!("{secret}\n"), "a line break hangs on the secret (read from a file?)"),
        (format!("{secret}\r\n"), "a line break hangs on the secret (read from a file?)"),
        (format!("{secret} "), "a space hangs on the secret"),
        (format!("\"{secret}\""), "quotes stand around the secret"),
        (format!("{secret}&"), "an & is put behind the secret, as another product of the vendor wants it"),
        (String::new(), "the secret is empty (an unset variable?)"),
        (wrong.app_key.to_owned(), "the app key is taken for the secret"),
    ]
    .into_iter()
    .filter(|(other, _)| other != secret)
    .map(|(other, says)| (other, says.to_owned()))
    .collect();
    for other in wrong.others {
        if let Some(theirs) = other.secret.filter(|theirs| *theirs != wrong.secret) {
            out.push((
                theirs.expose().to_owned(),
                format!("the secret of another app is used: {}", other.name),
            ));
        }
    }
    out
}

/// What callers sign and do not send.
fn added(wrong: &WrongSignature<'_>) -> Vec<(&'static str, String)> {
    let (path, secret) = (wrong.path, wrong.secret.expose().to_owned());
    let name = path.trim_start_matches('/').to_owned();
    let mut out = vec![
        ("method", path.to_owned()),
        ("method", name.replace('/', ".")),
        ("method", name),
        ("app_key", wrong.app_key.to_owned()),
        ("app_secret", secret.clone()),
        ("client_secret", secret.clone()),
        ("secret", secret),
        ("path", path.to_owned()),
    ];
    for (name, value) in [
        ("format", "json"),
        ("v", "2.0"),
        ("simplify", "true"),
        ("simplify", "false"),
        ("sign_method", "sha256"),
        ("sign_method", "md5"),
        ("sign_method", "hmac"),
        ("sign_method", "hmac-sha256"),
        ("partner_id", "iop-sdk-java-20181207"),
        ("access_token", ""),
        ("session", ""),
        ("_aop_datatype", "json"),
        ("charset", "utf-8"),
    ] {
        out.push((name, value.to_owned()));
    }
    out
}
