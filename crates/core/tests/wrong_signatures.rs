//! Signatures made with a known mistake are explained by it. The mistakes are made here by hand, with no
//! code of the search.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use sesame_core::{
    AppSecret, Shape,
    sign::{Digest, OtherApp, WrongSignature, diagnose},
};
use sha1::Sha1;
use sha2::Sha256;

const SECRET: &str = "Planted0Secret";
const PATH: &str = "/order/get";
const PARAM2: &str = "param2/1/com.alibaba.trade/alibaba.trade.get/4242001";

type Pairs = Vec<(String, String)>;

fn hmac_sha256(key: &str, text: &[u8]) -> String {
    hex::encode_upper(
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(text).finalize().into_bytes(),
    )
}

fn hmac_sha1(key: &str, text: &[u8]) -> String {
    hex::encode_upper(
        Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap().chain_update(text).finalize().into_bytes(),
    )
}

fn sorted(pairs: &Pairs) -> Pairs {
    let mut pairs = pairs.clone();
    pairs.sort();
    pairs
}

fn joined(pairs: &Pairs) -> String {
    pairs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
}

/// Parameters in which every mistake shows: capitals, an empty value, a space, signs, letters beyond ASCII.
fn pairs() -> impl Strategy<Value = Pairs> {
    let extra = prop::collection::btree_map("[a-z]{4,8}", "[a-zA-Z0-9 ]{1,12}", 0..4);
    ("[a-zé]{1,6}", "[0-9]{4}", extra).prop_map(|(word, number, extra)| {
        let mut pairs: Pairs = vec![
            ("sign_method".into(), "sha256".into()),
            ("timestamp".into(), format!("15178203{number}0")),
            ("app_key".into(), "4242001".into()),
            ("SKU".into(), "B c".into()),
            ("image_2".into(), format!("{word} + é&=")),
            ("image1".into(), "x".into()),
            ("empty".into(), String::new()),
            ("access_token".into(), format!("50000{word}")),
        ];
        pairs.extend(extra.into_iter().map(|(name, value)| (format!("z{name}"), value)));
        pairs
    })
}

/// What a mistake is called in the explanation, and the signature that it gives.
fn iop_mistakes(pairs: &Pairs) -> Vec<(&'static str, String)> {
    let right = sorted(pairs);
    let text = format!("{PATH}{}", joined(&right));
    let sign = |text: &str| hmac_sha256(SECRET, text.as_bytes());
    let map = |change: fn(&str) -> String| -> Pairs {
        right.iter().map(|(name, value)| (name.clone(), change(value))).collect()
    };
    let with = |name: &str, value: &str| {
        let mut more = pairs.clone();
        more.push((name.to_owned(), value.to_owned()));
        format!("{PATH}{}", joined(&sorted(&more)))
    };
    let without = |names: &[&str]| {
        let fewer = right.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect();
        format!("{PATH}{}", joined(&fewer))
    };
    let encoded = map(|value| {
        value
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect()
    });
    let query: Vec<String> = right.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut by_locale = right.clone();
    by_locale.sort_by_key(|(name, _)| name.to_lowercase().replace('_', "\u{1}"));
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let around = format!("{SECRET}{text}{SECRET}");
    vec![
        ("path in front is left out", sign(&joined(&right))),
        ("begins with /rest", sign(&format!("/rest{text}"))),
        ("lacks its first slash", sign(&text[1..])),
        ("ends with a slash", sign(&format!("{PATH}/{}", joined(&right)))),
        ("whole address", sign(&format!("https://api.lazada.sg/rest{text}"))),
        ("MD5 of secret + text + secret", hex::encode_upper(Md5::digest(&around))),
        (
            "HMAC-MD5",
            hex::encode_upper(
                Hmac::<Md5>::new_from_slice(SECRET.as_bytes())
                    .unwrap()
                    .chain_update(&text)
                    .finalize()
                    .into_bytes(),
            ),
        ),
        ("HMAC-SHA1", hmac_sha1(SECRET, text.as_bytes())),
        ("plain SHA-256 without the secret", hex::encode_upper(Sha256::digest(&text))),
        ("SHA-256 of secret + text + secret", hex::encode_upper(Sha256::digest(&around))),
        ("secret around the text as well", sign(&around)),
        ("name=value&name=value", sign(&format!("{PATH}{}", query.join("&")))),
        ("Latin-1", hmac_sha256(SECRET, &latin)),
        ("lower case", sign(&text.to_lowercase())),
        ("percent-encoded", sign(&format!("{PATH}{}", joined(&encoded)))),
        ("empty values are left out", sign(&without(&["empty"]))),
        ("sorted by a locale", sign(&format!("{PATH}{}", joined(&by_locale)))),
        ("not sorted at all", sign(&format!("{PATH}{}", joined(pairs)))),
        ("`method` is part of the text", sign(&with("method", PATH))),
        ("`app_secret` is part of the text", sign(&with("app_secret", SECRET))),
        ("`simplify` is part of the text", sign(&with("simplify", "true"))),
        ("`access_token` is left out", sign(&without(&["access_token"]))),
        ("`image_2` is left out", sign(&without(&["image_2"]))),
        ("small letters", hmac_sha256(&SECRET.to_lowercase(), text.as_bytes())),
        ("line break hangs on the secret", hmac_sha256(&format!("{SECRET}\n"), text.as_bytes())),
        ("app key is taken for the secret", hmac_sha256("4242001", text.as_bytes())),
        ("the secret of another app is used: daraz", hmac_sha256("other0secret", text.as_bytes())),
    ]
}

fn param2_mistakes(pairs: &Pairs) -> Vec<(&'static str, String)> {
    let mut lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}{value}")).collect();
    lines.sort();
    let text = lines.concat();
    let sign = |front: &str| hmac_sha1(SECRET, format!("{front}{text}").as_bytes());
    let head = PARAM2.rsplit_once('/').unwrap().0;
    vec![
        ("path in front is left out", sign("")),
        ("begins with a slash", sign(&format!("/{PARAM2}"))),
        ("begins with /openapi/", sign(&format!("/openapi/{PARAM2}"))),
        ("app key at the end of the path is left out", sign(head)),
        ("another app key (5005001)", sign(&format!("{head}/5005001"))),
        ("whole address", sign(&format!("http://gw.open.1688.com/openapi/{PARAM2}"))),
        ("HMAC-SHA256", hmac_sha256(SECRET, format!("{PARAM2}{text}").as_bytes())),
    ]
}

fn said(pairs: &Pairs, shape: Shape, signature: &str) -> Vec<String> {
    let secret = AppSecret::new(SECRET);
    let borrowed: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (path, digest) = match shape {
        Shape::Param2 => (PARAM2, Digest::HmacSha1),
        _ => (PATH, Digest::HmacSha256),
    };
    diagnose(&WrongSignature {
        signature,
        secret: &secret,
        app_key: "4242001",
        shape,
        digest,
        path,
        pairs: &borrowed,
        body: b"",
        others: &[OtherApp { name: "daraz", key: "5005001", secret: Some(&AppSecret::new("other0secret")) }],
        bases: &["https://api.lazada.sg", "https://gw.open.1688.com"],
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn each_known_mistake_is_named(pairs in pairs()) {
        for (name, signature) in iop_mistakes(&pairs) {
            let said = said(&pairs, Shape::IopRest, &signature);
            let first = said.first().cloned().unwrap_or_default();
            prop_assert!(first.starts_with("it matches when") && first.contains(name), "{name}: {said:?}");
            // The case of the digits does not matter.
            prop_assert_eq!(self::said(&pairs, Shape::IopRest, &signature.to_lowercase())[0].clone(), first);
        }
        for (name, signature) in param2_mistakes(&pairs) {
            let said = said(&pairs, Shape::Param2, &signature);
            prop_assert!(said.first().is_some_and(|said| said.contains(name)), "{name}: {said:?}");
        }
    }
}

/// The time is signed in one form and sent in another, or read from the clock twice.
#[test]
fn a_time_that_changed_after_signing_is_named() {
    for (sent, signed, says) in [
        ("1795305600123", "1795305600", "is signed in seconds"),
        ("1795305600", "1795305600000", "is signed in milliseconds"),
        ("1795305600000", "2026-11-22 00:00:00", "as a text of UTC"),
        ("2026-11-22 08:00:00", "2026-11-22 00:00:00", "as a text of UTC"),
        ("2026-11-22 00:00:00", "2026-11-22 08:00:00", "as a text of another zone"),
        ("1795305600123", "1795305600119", "4 ms earlier"),
        ("1795305600123", "1795305601987", "1864 ms later"),
        ("1795305600123", "1795305570123", "30 s earlier"),
        ("1795305600", "1795305599", "1 s earlier"),
        ("2026-11-22 08:00:00", "2026-11-22 08:00:01", "1 s later"),
        ("2026-11-22T00:00:00Z", "2026-11-22T00:00:02Z", "2 s later"),
    ] {
        let pairs = |time: &str| -> Pairs {
            let pairs = [("app_key", "4242001"), ("order_id", "17"), ("timestamp", time)];
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        };
        let text = format!("{PATH}{}", joined(&pairs(signed)));
        let said = said(&pairs(sent), Shape::IopRest, &hmac_sha256(SECRET, text.as_bytes()));
        let named = said.first().is_some_and(|said| said.contains("`timestamp` is") && said.contains(says));
        assert!(named, "{sent} {signed}: {said:?}");
    }
}

#[test]
fn two_and_three_mistakes_together_are_named() {
    let pairs: Pairs = vec![("b".into(), "2 3".into()), ("A".into(), "1".into()), ("_a".into(), "é".into())];
    let query = "A=1&_a=é&b=2 3";
    for (text, names) in [
        (format!("{SECRET}A1_aéb2 3{SECRET}"), &["MD5 of secret", "path in front is left out"][..]),
        (format!("{SECRET}{query}{SECRET}"), &["MD5 of secret", "path in front", "name=value&name=value"]),
    ] {
        let said = said(&pairs, Shape::IopRest, &hex::encode(Md5::digest(text)));
        assert!(names.iter().all(|name| said[0].contains(name)), "{said:?}");
    }
}

#[test]
fn what_no_mistake_gives_is_not_explained_and_a_huge_request_costs_little() {
    let small: Pairs = vec![("a".into(), "1".into())];
    assert_eq!(said(&small, Shape::IopRest, &"0".repeat(64)), Vec::<String>::new());
    assert!(said(&small, Shape::IopRest, "bm90IGhleA==")[0].contains("not base64"));
    let huge: Pairs = (0..20_000).map(|n| (format!("n{n}"), "v".repeat(1_000))).collect();
    assert!(said(&huge, Shape::IopRest, &"0".repeat(64))[0].contains("not all combinations"));
}
