//! Arguments to parameters to the wire and back, signed and verified on the way.
//!
//! Input, as text: the first line is a digit for the shape, a digit for the digest and a path;
//! every further line is `name=value`. `\n` in a value is a line break; a value that begins with
//! `:` is JSON.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value as Json};
use sesame_core::{
    AppSecret, Params, Protocol, Shape,
    encode::{Wire, comma_lists, fill_path, flatten},
    mask::mask_url,
    request::{encode_form, with_query},
    sign::{
        Digest, SigningKey, base_string, base_string_sorted, collapse_doubled, explain, sign, sign_sorted,
        sort, verify,
    },
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let Some(head) = lines.next() else { return };
    let &[shape, digest, ..] = head.as_bytes() else { return };
    let Some(path) = head.get(2..) else { return };
    let shape = Shape::ALL[usize::from(shape.wrapping_sub(b'0')) % Shape::ALL.len()];
    let digest = Digest::ALL[usize::from(digest.wrapping_sub(b'0')) % Digest::ALL.len()];
    let given: Vec<(String, String)> = lines
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .map(|(name, value)| (name.to_owned(), value.replace("\\n", "\n")))
        .collect();

    flattened(shape, path, &given);
    received(shape, digest, path, &given);
});

/// What a caller gives: flatten, fill the path, encode, decode.
fn flattened(shape: Shape, path: &str, given: &[(String, String)]) {
    let mut args = Map::new();
    for (name, value) in given {
        let json = value.strip_prefix(':').and_then(|json| serde_json::from_str(json).ok());
        args.insert(name.clone(), json.unwrap_or_else(|| Json::String(value.clone())));
    }
    let wire = Wire { comma_list: comma_lists(shape.protocol()), xml_root: None };
    let Ok(mut params) = flatten(shape, &args, |_| wire) else { return };
    for (name, value) in params.texts() {
        assert!(!name.is_empty() && !value.is_empty(), "an empty name or value went through");
        assert!(!shape.reserved().contains(&name), "{name} is ours to set");
    }
    round_trip(&params);

    let before = params.len();
    if let Ok(filled) = fill_path(path, &mut params) {
        let variables = path.matches('{').count();
        assert!(!filled.contains('{'), "a variable is left in {filled:?}");
        assert!(params.len() + variables >= before, "more taken out than the path has variables");
    }
}

/// What is encoded is decoded to the same, by somebody else's decoder.
fn round_trip(params: &Params) {
    let pairs: Vec<(&str, &str)> = params.texts().collect();
    let mut encoded = Vec::new();
    encode_form(&mut encoded, pairs.iter().copied());
    assert!(encoded.is_ascii() && !encoded.contains(&b' '), "something went out unencoded");
    let decoded: Vec<_> = form_urlencoded::parse(&encoded).collect();
    assert_eq!(decoded.len(), pairs.len());
    for ((name, value), (got_name, got_value)) in pairs.iter().zip(&decoded) {
        assert_eq!((*name, *value), (got_name.as_ref(), got_value.as_ref()));
    }

    let url = with_query("http://127.0.0.1/rest", pairs.iter().copied());
    let masked = mask_url(&url);
    if let Some(secret) = params.text("refresh_token").filter(|value| value.len() > 12) {
        let mut hidden = Vec::new();
        encode_form(&mut hidden, [("refresh_token", secret)]);
        let hidden = String::from_utf8(hidden).unwrap_or_default();
        assert!(!masked.contains(&hidden), "{masked} shows a refresh token");
    }
}

/// What arrives at a gateway: doubled, signed by anyone, in any order.
fn received(shape: Shape, digest: Digest, path: &str, given: &[(String, String)]) {
    let pairs: Vec<(&str, &str)> =
        given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let Ok(pairs) = collapse_doubled(&pairs) else { return };
    let names: HashSet<&str> = pairs.iter().map(|pair| pair.0).collect();
    assert_eq!(names.len(), pairs.len(), "a doubled name came through");

    let body: &[u8] = if shape == Shape::TopBatch { path.as_bytes() } else { b"" };
    let key = SigningKey::new(digest, &AppSecret::new("0123456789abcdef0123456789abcdef"));
    let text = base_string(shape, path, &pairs, body);
    assert_eq!(text, slow_base_string(shape, path, &pairs, body), "two readings of one rule");

    let mut sorted = pairs.clone();
    sort(shape, &mut sorted);
    assert_eq!(text, base_string_sorted(shape, path, &sorted, body), "sorting first changes the text");

    let signature = sign(&key, shape, path, &pairs, body);
    assert_eq!(signature.as_str(), sign_sorted(&key, shape, path, &sorted, body).as_str());
    assert_eq!(signature.as_str().len(), digest.hex_len());

    let mut reversed = pairs.clone();
    reversed.reverse();
    let lower = signature.as_str().to_ascii_lowercase();
    assert!(verify(&key, shape, path, &reversed, body, signature.as_str()).is_ok());
    assert!(verify(&key, shape, path, &reversed, body, &lower).is_ok());
    let cut = &signature.as_str()[1..];
    assert!(verify(&key, shape, path, &pairs, body, cut).is_err(), "a cut signature is no signature");
    assert!(verify(&key, shape, path, &pairs, body, path).is_err() || path.len() == digest.hex_len());

    let explanation = explain(&key, shape, path, &pairs, body);
    assert_eq!(explanation.base_string, text);
    assert_eq!(explanation.signature.as_str(), signature.as_str());
}

/// The rule as the vendors print it, without a thought for speed.
fn slow_base_string(shape: Shape, path: &str, pairs: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut signed: Vec<(&str, &str)> =
        pairs.iter().copied().filter(|pair| pair.0 != shape.signature_param()).collect();
    if shape.protocol() == Protocol::Param2 {
        signed.sort_by_key(|(name, value)| format!("{name}{value}"));
    } else {
        signed.sort_by_key(|(name, _)| name.as_bytes().to_vec());
    }
    let mut text = if shape.signs_path() { path.to_owned() } else { String::new() };
    for (name, value) in signed {
        text += name;
        text += value;
    }
    [text.as_bytes(), body].concat()
}
