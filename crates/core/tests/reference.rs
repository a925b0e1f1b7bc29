//! A second signer, slow and written from the documents alone, agrees with the fast one.
//!
//! It shares nothing with the crate: not the hashes, not the sort, not the hexadecimal digits.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod support;

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sesame_core::{
    AppSecret, Shape,
    sign::{Digest, Pair, SigningKey, sign, verify},
};
use support::slow_hash;

/// The documents' rule, word by word (protocols 1.3, 2.3, 3.3, 3.6).
fn slow_sign(
    shape: Shape,
    digest: Digest,
    secret: &str,
    path: &str,
    pairs: &[(String, String)],
    body: &[u8],
) -> String {
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in pairs {
        let is_signature = match shape {
            Shape::Param2 | Shape::Param2Params => name == "_aop_signature",
            _ => name == "sign",
        };
        if !is_signature {
            kept.push((name.clone(), value.clone()));
        }
    }
    let mut text = Vec::new();
    match shape {
        Shape::Param2 | Shape::Param2Params => {
            let mut joined: Vec<String> = kept.iter().map(|(name, value)| format!("{name}{value}")).collect();
            joined.sort_by(|left, right| left.bytes().cmp(right.bytes()));
            if shape == Shape::Param2 {
                text.extend(path.bytes());
            }
            for part in joined {
                text.extend(part.bytes());
            }
        }
        _ => {
            // An insertion sort by name: slow, and stable as the documents' sorted maps are.
            let mut sorted: Vec<(String, String)> = Vec::new();
            for pair in kept {
                let at = sorted.iter().take_while(|other| other.0.as_bytes() <= pair.0.as_bytes()).count();
                sorted.insert(at, pair);
            }
            if matches!(shape, Shape::IopRest | Shape::IopRestVariables) {
                text.extend(path.bytes());
            }
            for (name, value) in sorted {
                text.extend(name.bytes());
                text.extend(value.bytes());
            }
        }
    }
    text.extend(body);
    let key = secret.as_bytes();
    let digest = match digest {
        Digest::HmacSha1 => slow_hash::hmac(slow_hash::sha1, key, &text),
        Digest::HmacSha256 => slow_hash::hmac(slow_hash::sha256, key, &text),
        Digest::HmacMd5 => slow_hash::hmac(slow_hash::md5, key, &text),
        Digest::Md5Sandwich => slow_hash::md5(&[key, &text, key].concat()),
    };
    slow_hash::hexadecimal(&digest).to_uppercase()
}

/// Names that share prefixes, so that sorting by name and by joined text differ; values of any text.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        4 => "[a-c_A-C0-2]{1,4}",
        2 => "[ -~]{1,12}",
        1 => "\\PC{1,6}",
        1 => prop::sample::select(vec!["sign", "_aop_signature", "page", "pageSize", "2", "10", "SKU", "image_2", "image1"]).prop_map(String::from),
    ];
    let value = prop_oneof![
        3 => "[a-c_A-C0-2]{0,6}",
        2 => "[&+=% \r\n\t\"'{}\\[\\]a-z0-9]{0,20}",
        1 => "\\PC{0,12}",
        1 => Just("😀中文 a&b=c+d".to_owned()),
        1 => Just(String::new()),
    ];
    prop::collection::btree_map(name, value, 0..12)
        .prop_map(|map| map.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

#[test]
fn the_slow_reference_signer_agrees() {
    let cases = if std::env::var_os("SESAME_TORTURE").is_some() { 100_000 } else { 5_000 };
    // A fixed seed: a failure is the same failure on every machine.
    let mut runner = TestRunner::new_with_rng(
        Config { cases, failure_persistence: None, ..Config::default() },
        TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
    );
    let shape = prop::sample::select(Shape::ALL.to_vec());
    let digest = prop::sample::select(Digest::ALL.to_vec());
    let body = prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    runner
        .run(
            &(shape, digest, "\\PC{0,70}", "[/a-z0-9.:]{0,20}", pairs(), body),
            |(shape, digest, secret, path, pairs, body)| {
                let borrowed: Vec<Pair<'_>> =
                    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let key = SigningKey::new(digest, &AppSecret::new(secret.clone()));
                let fast = sign(&key, shape, &path, &borrowed, &body);
                let slow = slow_sign(shape, digest, &secret, &path, &pairs, &body);
                prop_assert_eq!(fast.as_str(), slow.as_str());
                prop_assert!(verify(&key, shape, &path, &borrowed, &body, &slow).is_ok());
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn the_slow_hashes_are_the_real_ones() {
    // RFC 1321 A.5, FIPS 180-4 examples, RFC 4231 test case 2.
    let hex = |digest: Vec<u8>| slow_hash::hexadecimal(&digest);
    assert_eq!(hex(slow_hash::md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
    assert_eq!(hex(slow_hash::sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(
        hex(slow_hash::sha256(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex(slow_hash::hmac(slow_hash::sha256, b"Jefe", b"what do ya want for nothing?")),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}
