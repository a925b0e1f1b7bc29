//! Every folder of `vectors/signing` is a case: published by a vendor, by a third party, or derived.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::{fs, path::Path};

use serde_json::Value;
use sesame_core::{
    AppSecret, Shape,
    push::{Push, verify_push, websocket_signature},
    sign::{Digest, Pair, SigningKey, sign, sign_sorted, sort, verify},
};

fn cases() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/signing");
    let mut cases: Vec<_> = fs::read_dir(root)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(path.join("case.json")).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect();
    cases.sort_by(|left, right| left.0.cmp(&right.0));
    cases
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

#[test]
fn every_published_signature_is_reproduced_and_verifies() {
    let cases = cases();
    assert!(cases.len() >= 34, "vectors are missing: {}", cases.len());
    for (id, case) in cases {
        let secret = AppSecret::new(text(&case, "secret"));
        let expected = text(&case, "signature");
        if text(&case, "shape") == "push-iop" {
            let push = |body| Push::Iop { app_key: text(&case, "app_key"), authorization: expected, body };
            verify_push(&secret, push(text(&case, "body").as_bytes()))
                .unwrap_or_else(|error| panic!("{id}: {error}"));
            let changed = format!("{} ", text(&case, "body"));
            assert!(
                verify_push(&secret, push(changed.as_bytes())).is_err(),
                "{id}: a changed byte must be seen"
            );
            continue;
        }
        if text(&case, "shape") == "push-websocket" {
            let [app_key, content, published] =
                ["app_key", "content", "published"].map(|key| text(&case, key));
            let signature = websocket_signature(&secret, app_key, content, published);
            assert_eq!(signature.as_str(), expected, "{id}");
            continue;
        }
        let shape: Shape = serde_json::from_value(case["shape"].clone()).unwrap();
        let digest: Digest = text(&case, "digest").parse().unwrap();
        let key = SigningKey::new(digest, &secret);
        let path = text(&case, "path");
        let pairs: Vec<Pair<'_>> = case["params"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();

        assert_eq!(sign(&key, shape, path, &pairs, b"").as_str(), expected, "{id}");
        let mut sorted = pairs.clone();
        sort(shape, &mut sorted);
        assert_eq!(sign_sorted(&key, shape, path, &sorted, b"").as_str(), expected, "{id}, sorted");

        let mut received = pairs.clone();
        received.push((shape.signature_param(), expected));
        assert!(verify(&key, shape, path, &received, b"", expected).is_ok(), "{id}");
        assert!(
            verify(&key, shape, path, &received, b"", &expected.to_lowercase()).is_ok(),
            "{id}, lower case"
        );
        let mut wrong = expected.to_owned();
        wrong.replace_range(0..1, if expected.starts_with('0') { "1" } else { "0" });
        assert!(verify(&key, shape, path, &received, b"", &wrong).is_err(), "{id}, wrong digit");
        assert!(verify(&key, shape, path, &received, b"", "").is_err(), "{id}, no signature");
        assert!(
            verify(&key, shape, path, &received, b"", &format!("{expected}00")).is_err(),
            "{id}, too long"
        );
    }
}

#[test]
fn a_1688_push_message_verifies_in_both_forms() {
    let secret = AppSecret::new("secretXYZ");
    let flat: &[Pair<'_>] = &[
        ("msgId", "1001"),
        ("gmtBorn", "1700000000000"),
        ("type", "ORDER_CHANGED"),
        ("userInfo", "m1"),
        ("data", r#"{"k":"v"}"#),
        ("_aop_signature", "4b20205134ea09c4c8d29ccac26f6c179eb72c8e"),
    ];
    verify_push(&secret, Push::Param2 { form: flat }).unwrap();
    let mut changed = flat.to_vec();
    changed[4].1 = r#"{"k": "v"}"#;
    assert!(verify_push(&secret, Push::Param2 { form: &changed }).is_err());
    assert!(verify_push(&secret, Push::Param2 { form: &flat[..5] }).is_err(), "no signature");
    assert!(verify_push(&AppSecret::new("other"), Push::Param2 { form: flat }).is_err());
}
