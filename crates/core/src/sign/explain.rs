//! Says how a signature comes about, for the people who search for the reason of `IncompleteSignature`.

use super::{Order, Pair, Signature, SigningKey, base_string::base_string_in};
use crate::{Shape, mask};

/// A parameter that is not part of the signed text, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// The name of the parameter.
    pub name: String,
    /// The reason, as a sentence.
    pub why: String,
}

/// How a signature comes about.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The shape that was signed.
    pub shape: Shape,
    /// The base string. It holds secrets when the parameters do.
    pub base_string: Vec<u8>,
    /// The same with the values of secret parameters masked: fit for a screen.
    pub masked_base_string: String,
    /// The signature.
    pub signature: Signature,
    /// Parameters that are not signed.
    pub left_out: Vec<LeftOut>,
    /// Where two lineages of SDKs would sign something else, as sentences.
    pub warnings: Vec<String>,
    /// The signature over pairs sorted by name, where it differs (param2 only).
    pub by_name: Option<Signature>,
    /// The signature over pairs that are not empty, where it differs.
    pub without_empty: Option<Signature>,
}

/// Explains the signature of exactly these parameters.
pub fn explain(key: &SigningKey, shape: Shape, path: &str, pairs: &[Pair<'_>], body: &[u8]) -> Explanation {
    let order = Order::of(shape);
    let base_string = base_string_in(order, shape, path, pairs, body);
    let signature = key.digest_of(&base_string);
    let mut left_out = Vec::new();
    let mut warnings = Vec::new();

    if let Some((name, _)) = pairs.iter().find(|(name, _)| *name == shape.signature_param()) {
        left_out.push(LeftOut { name: (*name).to_owned(), why: "it is the signature itself".to_owned() });
    }
    if !path.is_empty() && !shape.signs_path() {
        left_out.push(LeftOut {
            name: "(path)".to_owned(),
            why: format!("the shape {shape} signs parameters only; with a path in front the gateway answers IncompleteSignature"),
        });
    }

    let by_name = (order == Order::Joined)
        .then(|| base_string_in(Order::Name, shape, path, pairs, body))
        .filter(|text| *text != base_string)
        .map(|text| key.digest_of(&text));
    if by_name.is_some() {
        warnings.push(
            "the vendor sorts the joined texts name+value; clients that sort by name sign a different text for these parameters"
                .to_owned(),
        );
    }

    let filled: Vec<Pair<'_>> = pairs.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    let without_empty = (filled.len() != pairs.len())
        .then(|| key.digest_of(&base_string_in(order, shape, path, &filled, body)));
    if without_empty.is_some() {
        warnings.push(
            "Java and C# SDKs leave empty parameters out of the request and of the signature, Python and Node sign what they send; leave empty parameters out and both agree"
                .to_owned(),
        );
    }
    for (name, value) in pairs {
        if value.contains('%')
            && percent_encoding::percent_decode_str(value).decode_utf8().is_ok_and(|plain| plain != *value)
        {
            warnings.push(format!(
                "the value of {name:?} looks percent-encoded; signatures are made over the raw text, encoding comes after signing"
            ));
        }
        if name.trim() != *name {
            warnings.push(format!("the name {name:?} begins or ends with white space, which is signed too"));
        }
    }
    if let Some(order) = locale_order_differs(pairs) {
        warnings.push(order);
    }

    let masked: Vec<(&str, String)> = pairs
        .iter()
        .map(|(name, value)| {
            let shown = if mask::is_secret_param(name) { mask::mask(value) } else { (*value).to_owned() };
            (*name, shown)
        })
        .collect();
    let masked_base_string = masked_in_order(order, shape, path, pairs, &masked, body);

    Explanation {
        shape,
        base_string,
        masked_base_string,
        signature,
        left_out,
        warnings,
        by_name,
        without_empty,
    }
}

/// Joins the masked values in the order of the true ones.
fn masked_in_order(
    order: Order,
    shape: Shape,
    path: &str,
    pairs: &[Pair<'_>],
    masked: &[(&str, String)],
    body: &[u8],
) -> String {
    let mut index: Vec<usize> = (0..pairs.len()).collect();
    index.sort_by(|left, right| order.compare(&pairs[*left], &pairs[*right]));
    let mut text = if shape.signs_path() { path.to_owned() } else { String::new() };
    for at in index {
        let (name, value) = &masked[at];
        if *name != shape.signature_param() {
            text.push_str(name);
            text.push_str(value);
        }
    }
    // A batch body is urlencoded calls, one a line, each with a session of its own.
    let body = String::from_utf8_lossy(body);
    for (at, line) in body.split('\n').enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&mask::mask_url(line));
    }
    text
}

/// Warns where sorting without regard to case, or with punctuation last, changes the order.
fn locale_order_differs(pairs: &[Pair<'_>]) -> Option<String> {
    let mut by_byte: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    let mut by_locale = by_byte.clone();
    by_byte.sort_unstable();
    // A rough stand-in for a locale: case does not count, punctuation comes before digits and letters.
    by_locale.sort_by_key(|name| name.to_lowercase().replace('_', "\u{1}"));
    (by_byte != by_locale).then(|| {
        "names are sorted by byte, capitals before `_` before small letters; a sort by locale (JavaScript's localeCompare) signs a different text for these names".to_owned()
    })
}
