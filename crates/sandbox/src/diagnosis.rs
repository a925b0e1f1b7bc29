//! Finds out what a wrong signature was made of.
//!
//! "Signature opaque" is the first complaint of everybody who meets these platforms. A real gateway
//! says that a signature is wrong; this one tries the mistakes that the known SDKs and tutorials
//! make and says which one yields the signature that came.

use std::cmp::Ordering;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sesame_core::{
    AppSecret, Protocol, Shape,
    sign::{Digest, Order, Pair, SigningKey},
};

use crate::apps::{App, Apps};

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

/// How many bytes of base strings are digested in search of the mistake.
const BUDGET: usize = 8 << 20;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sorting {
    Documented,
    ByName,
    Joined,
    Locale,
    AsCame,
}

struct Search<'a> {
    attempt: Attempt<'a>,
    given: String,
    budget: usize,
}

impl Search<'_> {
    fn fits(
        &mut self,
        key: &SigningKey,
        prefix: &str,
        pairs: &[Pair<'_>],
        sorting: Sorting,
        body: &[u8],
    ) -> bool {
        if key.digest().hex_len() != self.given.len() {
            return false;
        }
        let size: usize = 64
            + prefix.len()
            + body.len()
            + pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if size > self.budget {
            self.budget = 0;
            return false;
        }
        self.budget -= size;
        let mut sorted = pairs.to_vec();
        let order = match sorting {
            Sorting::Documented => Some(Order::of(self.attempt.shape)),
            Sorting::ByName => Some(Order::Name),
            Sorting::Joined => Some(Order::Joined),
            Sorting::Locale | Sorting::AsCame => None,
        };
        if let Some(order) = order {
            sorted.sort_by(|left, right| order.compare(left, right));
        } else if sorting == Sorting::Locale {
            sorted.sort_by(|left, right| by_locale(left.0, right.0));
        }
        let left_out = self.attempt.shape.signature_param();
        let mut text = Vec::with_capacity(size);
        text.extend_from_slice(prefix.as_bytes());
        for (name, value) in sorted {
            if name != left_out {
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(value.as_bytes());
            }
        }
        text.extend_from_slice(body);
        // A sample gateway on loopback: the comparison leaks nothing that matters here.
        key.digest_of(&text).as_str() == self.given
    }
}

/// Orders names roughly as a collation does: case does not count, punctuation before digits before
/// letters, small before capital when all else is equal.
fn by_locale(left: &str, right: &str) -> Ordering {
    let folded = |text: &str| -> Vec<(u8, char)> {
        text.chars()
            .map(|c| {
                let class = if c.is_alphabetic() { 2 } else { u8::from(c.is_ascii_digit()) };
                (class, c.to_ascii_lowercase())
            })
            .collect()
    };
    folded(left).cmp(&folded(right)).then_with(|| right.cmp(left))
}

fn encoded<'a>(pairs: &[Pair<'a>], plus: bool) -> Vec<(&'a str, String)> {
    pairs
        .iter()
        .map(|(name, value)| {
            let text = utf8_percent_encode(value, COMPONENT).to_string();
            (*name, if plus { text.replace("%20", "+") } else { text })
        })
        .collect()
}

fn borrowed<'a>(pairs: &'a [(&'a str, String)]) -> Vec<Pair<'a>> {
    pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn digest_name(digest: Digest) -> &'static str {
    match digest {
        Digest::HmacSha1 => "HMAC-SHA1 with the app secret as key",
        Digest::HmacSha256 => "HMAC-SHA256 with the app secret as key",
        Digest::HmacMd5 => "HMAC-MD5 with the app secret as key",
        Digest::Md5Sandwich => "the MD5 sandwich (secret + text + secret)",
    }
}

/// Returns, as sentences, which known mistake yields the signature that came; empty if none does.
pub(crate) fn diagnose(attempt: Attempt<'_>, apps: &Apps) -> Vec<String> {
    let given = attempt.given.trim().to_ascii_uppercase();
    let mut hints = Vec::new();
    if !matches!(given.len(), 32 | 40 | 64) || !given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        hints.push(format!(
            "the signature that came has {} characters; {} gives {} hexadecimal digits (hex, not base64)",
            attempt.given.chars().count(),
            digest_name(attempt.digest),
            attempt.digest.hex_len(),
        ));
        return hints;
    }
    let length = given.len();
    let mut search = Search { attempt, given, budget: BUDGET };
    if let Some(found) = one_mistake(&mut search, apps).or_else(|| two_mistakes(&mut search)) {
        hints.push(found);
    } else if search.budget == 0 {
        hints.push(
            "the request is too large to try known mistakes on it; send a small one to find the mistake"
                .to_owned(),
        );
    }
    if length != attempt.digest.hex_len() {
        hints.push(format!(
            "the signature that came has {length} digits; {} gives {}",
            digest_name(attempt.digest),
            attempt.digest.hex_len(),
        ));
    }
    hints
}

/// The texts that callers put in front of the parameters, and what to say of each.
fn prefixes(attempt: &Attempt<'_>) -> Vec<(String, &'static str)> {
    let path = attempt.path;
    let mut out = Vec::new();
    match attempt.shape.protocol() {
        Protocol::Param2 => {
            out.push((String::new(), "the path in front is left out"));
            out.push((format!("/{path}"), "the path begins with a slash"));
            out.push((format!("openapi/{path}"), "the path begins with openapi/"));
            out.push((format!("/openapi/{path}"), "the path begins with /openapi/"));
            out.push((
                path.rsplit_once('/').map_or(path, |(head, _)| head).to_owned(),
                "the app key at the end of the path is left out",
            ));
        }
        Protocol::Iop if attempt.shape.signs_path() => {
            out.push((String::new(), "the path in front is left out"));
            out.push((format!("/rest{path}"), "the path in front begins with /rest"));
            out.push((format!("/rest/2.0{path}"), "the path in front begins with /rest/2.0"));
            out.push((format!("/2.0{path}"), "the path in front begins with /2.0"));
            out.push((path.trim_start_matches('/').to_owned(), "the path in front lacks its first slash"));
            let plain = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
            out.push((plain, "the path is decoded before signing"));
        }
        Protocol::Iop | Protocol::Top => {
            let method =
                attempt.pairs.iter().find(|(name, _)| *name == "method").map_or("", |(_, value)| *value);
            out.push((
                method.to_owned(),
                "the API's name is put in front (only /rest signs a path, this route signs none)",
            ));
            out.push((
                format!("/{method}"),
                "the API's name with a slash is put in front (only /rest signs a path)",
            ));
            out.push((
                path.to_owned(),
                "the path is put in front (only /rest signs a path, this route signs none)",
            ));
        }
    }
    out
}

fn own_prefix<'a>(attempt: &Attempt<'a>) -> &'a str {
    if attempt.shape.signs_path() { attempt.path } else { "" }
}

fn one_mistake(search: &mut Search<'_>, apps: &Apps) -> Option<String> {
    let attempt = search.attempt;
    let key = attempt.app.signing_key(attempt.digest);
    let own = own_prefix(&attempt);
    let (pairs, body) = (attempt.pairs, attempt.body);
    let plain = Sorting::Documented;

    for digest in Digest::ALL {
        if digest != attempt.digest && search.fits(attempt.app.signing_key(digest), own, pairs, plain, body) {
            return Some(format!(
                "it matches with {}; this request is checked with {}",
                digest_name(digest),
                digest_name(attempt.digest)
            ));
        }
    }
    for (prefix, what) in prefixes(&attempt) {
        if prefix != own && search.fits(key, &prefix, pairs, plain, body) {
            return Some(format!("it matches when {what}"));
        }
    }
    for (sorting, what) in [
        (
            Sorting::Locale,
            "the names are sorted by a locale (JavaScript's localeCompare, a collation) instead of by byte",
        ),
        (Sorting::ByName, "the pairs are sorted by name alone"),
        (Sorting::Joined, "the joined texts name+value are sorted instead of the names"),
        (Sorting::AsCame, "the parameters are not sorted at all"),
    ] {
        if search.fits(key, own, pairs, sorting, body) {
            return Some(format!("it matches when {what}"));
        }
    }
    let filled: Vec<Pair<'_>> = pairs.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    if filled.len() != pairs.len() && search.fits(key, own, &filled, plain, body) {
        return Some("it matches when empty values are left out of the text: leave them out of the request too, or sign them".to_owned());
    }
    for plus in [false, true] {
        let coded = encoded(pairs, plus);
        if search.fits(key, own, &borrowed(&coded), plain, body) {
            return Some(
                "it matches with percent-encoded values: sign the raw text and encode it after signing"
                    .to_owned(),
            );
        }
    }
    if !body.is_empty() && search.fits(key, own, pairs, plain, b"") {
        return Some(
            "it matches when the body is left out; a batch signs its raw body after the parameters"
                .to_owned(),
        );
    }
    if let Some(found) = one_left_out(search, key, own) {
        return Some(found);
    }
    other_secrets(search, apps, own)
}

fn one_left_out(search: &mut Search<'_>, key: &SigningKey, own: &str) -> Option<String> {
    let attempt = search.attempt;
    for left_out in 0..attempt.pairs.len().min(64) {
        let name = attempt.pairs[left_out].0;
        let mut fewer = attempt.pairs.to_vec();
        fewer.remove(left_out);
        if search.fits(key, own, &fewer, Sorting::Documented, attempt.body) {
            return Some(format!(
                "it matches when `{name}` is left out of the text: everything that is sent has to be there before signing"
            ));
        }
    }
    // TOP's token and its SDK's name are the usual late-comers, together.
    let late = ["session", "access_token", "partner_id", "simplify", "format", "_aop_datatype"];
    let fewer: Vec<Pair<'_>> =
        attempt.pairs.iter().copied().filter(|(name, _)| !late.contains(name)).collect();
    (fewer.len() + 1 < attempt.pairs.len() && search.fits(key, own, &fewer, Sorting::Documented, attempt.body)).then(|| {
        "it matches when the optional system parameters (session, partner_id, ...) are left out of the text: add them before signing".to_owned()
    })
}

fn other_secrets(search: &mut Search<'_>, apps: &Apps, own: &str) -> Option<String> {
    let attempt = search.attempt;
    let secret = attempt.app.secret.expose();
    for (secret, what) in [
        (secret.to_ascii_lowercase(), "the secret is written in small letters"),
        (secret.to_ascii_uppercase(), "the secret is written in capitals"),
        (format!("{secret}\n"), "a line break hangs on the secret (read from a file?)"),
        (format!("{secret}\r\n"), "a line break hangs on the secret (read from a file?)"),
        (format!("{secret} "), "a space hangs on the secret"),
        (format!("{secret}&"), "an & is put behind the secret, as another product of the vendor wants it"),
        (String::new(), "the secret is empty (an unset variable?)"),
        (attempt.app.key.clone(), "the app key is taken for the secret"),
    ] {
        let key = SigningKey::new(attempt.digest, &AppSecret::new(secret));
        if search.fits(&key, own, attempt.pairs, Sorting::Documented, attempt.body) {
            return Some(format!("it matches when {what}"));
        }
    }
    for other in apps.all() {
        if other.secret != attempt.app.secret
            && search.fits(
                other.signing_key(attempt.digest),
                own,
                attempt.pairs,
                Sorting::Documented,
                attempt.body,
            )
        {
            return Some(format!(
                "it matches with the secret of another app of this sandbox: {} {}",
                other.platform_name, other.key
            ));
        }
    }
    None
}

/// The tutorials that mix up two families get two things wrong at once.
fn two_mistakes(search: &mut Search<'_>) -> Option<String> {
    let attempt = search.attempt;
    let mut fronts = prefixes(&attempt);
    fronts.push((own_prefix(&attempt).to_owned(), ""));
    let filled: Vec<Pair<'_>> =
        attempt.pairs.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    let coded = encoded(attempt.pairs, false);
    let variants: [(Vec<Pair<'_>>, &str); 3] = [
        (attempt.pairs.to_vec(), ""),
        (filled, "empty values are left out"),
        (borrowed(&coded), "values are percent-encoded"),
    ];
    for digest in Digest::ALL {
        let key = attempt.app.signing_key(digest);
        for (front, front_says) in &fronts {
            for (pairs, pairs_say) in &variants {
                for (sorting, sort_says) in
                    [(Sorting::Documented, ""), (Sorting::Locale, "names are sorted by a locale")]
                {
                    if search.fits(key, front, pairs, sorting, attempt.body) {
                        let digest_says = if digest == attempt.digest { "" } else { digest_name(digest) };
                        let says: Vec<&str> = [digest_says, front_says, pairs_say, sort_says]
                            .into_iter()
                            .filter(|says| !says.is_empty())
                            .collect();
                        return Some(format!(
                            "it matches with these deviations together: {}",
                            says.join("; ")
                        ));
                    }
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_order_is_that_of_the_recorded_client() {
        let mut names = ["SKU", "app_key", "image1", "image_2", "simplify", "method", "sign_method"];
        names.sort_by(|left, right| by_locale(left, right));
        assert_eq!(names, ["app_key", "image_2", "image1", "method", "sign_method", "simplify", "SKU"]);
    }
}
