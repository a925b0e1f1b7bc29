//! Requests recorded from third-party SDKs: what they sign, we verify; what is wrong, we refuse.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{borrow::Cow, fs, path::Path};

use serde_json::Value;
use sesame_core::{
    AppSecret, Shape,
    sign::{Digest, Pair, SigningKey, collapse_doubled, verify},
};

#[test]
fn recorded_requests_verify_and_the_one_wrong_one_does_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/captures");
    let (mut verified, mut refused) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let capture: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let secret = AppSecret::new(capture["app_secret"].as_str().unwrap());
        for (number, request) in capture["requests"].as_array().unwrap().iter().enumerate() {
            let pairs = parameters(request);
            let pairs: Vec<Pair<'_>> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
            let pairs = collapse_doubled(&pairs).unwrap();
            let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1);
            let url_path = request["path"].as_str().unwrap();
            let (shape, path) = if let Some(path) = url_path.strip_prefix("/openapi/") {
                (Shape::Param2, path)
            } else if let Some(path) = url_path.strip_prefix("/rest") {
                (Shape::IopRest, path)
            } else if url_path == "/sync" {
                (Shape::IopSync, "")
            } else {
                (Shape::Top, "")
            };
            let digest = match (shape, find("sign_method")) {
                (Shape::Param2, _) => Digest::HmacSha1,
                (_, Some("sha256" | "hmac-sha256")) => Digest::HmacSha256,
                (_, Some("hmac")) => Digest::HmacMd5,
                (_, Some("md5")) => Digest::Md5Sandwich,
                (_, other) => panic!("{path}: sign_method {other:?}"),
            };
            let signature = find(shape.signature_param()).unwrap();
            let key = SigningKey::new(digest, &secret);
            match verify(&key, shape, path, &pairs, b"", signature) {
                Ok(_) => verified += 1,
                Err(_) => refused.push(format!("{}#{number}", capture["peer"].as_str().unwrap())),
            }
        }
    }
    assert_eq!(refused, ["ae_sdk#3"], "only the request signed in the order of a locale is wrong");
    assert_eq!(verified, 28);
}

/// Reads parameters from the bytes as recorded, not from the recorder's own parsing; only of
/// multipart bodies the text parts are taken as listed.
fn parameters(request: &Value) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let target = request["target"].as_str().unwrap();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let form = request["headers"].as_array().unwrap().iter().any(|header| {
        header[0].as_str().unwrap().eq_ignore_ascii_case("content-type")
            && header[1].as_str().unwrap().starts_with("application/x-www-form-urlencoded")
    });
    if let (true, Some(body)) = (form, request["body_utf8"].as_str()) {
        pairs.extend(form_urlencoded::parse(body.as_bytes()));
    }
    for part in request["multipart_fields"].as_array().into_iter().flatten() {
        pairs.push((part[0].as_str().unwrap().into(), part[1].as_str().unwrap().into()));
    }
    pairs
}
