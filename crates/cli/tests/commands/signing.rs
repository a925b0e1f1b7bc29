//! `sesame sign`.

use crate::{house::House, snapshot};

/// The sample of the IOP documents (vector I1).
const IOP: [&str; 9] = [
    "sign",
    "--protocol",
    "iop",
    "--path",
    "/order/get",
    "app_key=123456",
    "timestamp=1517820392000",
    "sign_method=sha256",
    "order_id=1234",
];

#[test]
fn the_documents_own_samples() {
    let house = House::empty();
    let mut arguments = IOP.to_vec();
    arguments.extend(["access_token=test", "--secret-stdin"]);
    let done = house.run_with(&arguments, "helloworld\n").succeeds();
    assert_eq!(done.stdout, "4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A\n");
    assert_eq!(done.stderr, "");

    let param2 = [
        "sign",
        "--protocol",
        "param2",
        "--path",
        "param2/1/system/currentTime/1000000",
        "b=2",
        "a=1",
        "--secret-stdin",
    ];
    assert_eq!(
        house.run_with(&param2, "test123").succeeds().stdout,
        "33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88\n"
    );

    let top = [
        "sign",
        "--protocol",
        "top",
        "fields=num_iid,title,nick,price,num",
        "app_key=12345678",
        "format=json",
        "method=taobao.item.seller.get",
        "num_iid=11223344",
        "session=test",
        "timestamp=2016-01-01 12:00:00",
        "v=2.0",
        "--secret-stdin",
    ];
    let with = |method: &'static str| [top.to_vec(), vec![method]].concat();
    assert_eq!(
        house.run_with(&with("sign_method=md5"), "helloworld").succeeds().stdout,
        "66987CB115214E59E6EC978214934FB8\n"
    );
    assert_eq!(
        house.run_with(&with("sign_method=hmac"), "helloworld").succeeds().stdout,
        "D56D7858309C31B6251083A874D48273\n"
    );
}

#[test]
fn the_secret_may_come_from_a_variable() {
    let mut house = House::empty();
    house.set("MY_SECRET", "helloworld");
    let mut arguments = IOP.to_vec();
    arguments.extend(["access_token=test", "--secret-env", "MY_SECRET"]);
    assert!(house.run(&arguments).succeeds().stdout.starts_with("4190D323"));
    let mut arguments = IOP.to_vec();
    arguments.extend(["--secret-env", "NOT_SET"]);
    snapshot!("sign_variable_not_set", house.show(&arguments));
}

#[test]
fn a_literal_secret_works_with_a_note() {
    let mut arguments = IOP.to_vec();
    arguments.extend(["access_token=test", "--secret", "helloworld"]);
    snapshot!("sign_literal_secret", House::empty().show(&arguments));
}

#[test]
fn the_explanation_masks_secrets_and_says_what_was_left_out() {
    let house = House::empty();
    let mut arguments = IOP.to_vec();
    arguments.extend([
        "access_token=50000601c30atpedfgu3LVvik87",
        "sign=ABC",
        "empty=",
        "--secret-stdin",
        "--explain",
    ]);
    snapshot!("sign_explain", house.show_with(&arguments, "helloworld"));
    arguments.push("--show-secrets");
    let shown = house.run_with(&arguments, "helloworld").succeeds().stdout;
    assert!(shown.contains("access_token50000601c30atpedfgu3LVvik87"), "{shown}");
}

#[test]
fn the_explanation_shows_where_param2_clients_differ() {
    let house = House::empty();
    let arguments = [
        "sign",
        "--protocol",
        "param2",
        "--path",
        "/openapi/param2/1/ns/name/1",
        "page=a",
        "pageSize=20",
        "--secret-stdin",
        "--explain",
    ];
    snapshot!("sign_explain_param2", house.show_with(&arguments, "x"));
}

#[test]
fn json_has_the_documented_keys() {
    let house = House::empty();
    let mut arguments = IOP.to_vec();
    arguments.extend(["--secret-stdin", "--output", "json", "sign=4190D323"]);
    let json = house.run_with(&arguments, "helloworld").succeeds().json();
    for key in [
        "signature",
        "protocol",
        "shape",
        "path",
        "sign_method",
        "digest",
        "base_string",
        "masked",
        "left_out",
        "warnings",
        "sorted_by_name",
        "without_empty",
        "given",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert_eq!(json["given"]["same"], false);
}

#[test]
fn exactly_what_is_given_is_signed() {
    let house = House::empty();
    let base = |arguments: &[&str]| {
        let all = [
            &["sign", "--protocol", "iop", "--secret-stdin", "--output", "json", "--show-secrets"],
            arguments,
        ]
        .concat();
        house.run_with(&all, "s").succeeds().json()["base_string"].as_str().unwrap().to_owned()
    };
    assert_eq!(base(&["b=2", "a=&+=%", "e=", "中=文\n🎁"]), "a&+=%b2e中文\n🎁");
    assert_eq!(base(&["10=x", "2=y", "json={\"b\":1,\"a\":2}"]), "10x2yjson{\"b\":1,\"a\":2}");
    assert_eq!(base(&["at=@file"]), "at@file");
    assert_eq!(base(&["--path", "/rest/order/get", "a=1"]), "/rest/order/geta1");
}

#[test]
fn doubled_and_nameless_parameters_are_refused() {
    let house = House::empty();
    for word in [["a=1", "a=2"], ["a=1", "a=1"], ["a=1", "=2"], ["a=1", "word"]] {
        let arguments = [&["sign", "--protocol", "top", "--secret-stdin"], &word[..]].concat();
        house.run_with(&arguments, "s").fails(2);
    }
    snapshot!(
        "sign_doubled",
        house.show_with(&["sign", "--protocol", "top", "--secret-stdin", "a=1", "a=1"], "s")
    );
}

#[test]
fn wrong_protocols_and_methods_name_the_right_ones() {
    let house = House::empty();
    snapshot!("sign_no_protocol", house.show(&["sign", "--protocol", "soap", "--secret-stdin", "a=1"]));
    snapshot!(
        "sign_no_method",
        house.show_with(
            &["sign", "--protocol", "top", "--sign-method", "sha256", "--secret-stdin", "a=1"],
            "s"
        )
    );
    snapshot!("sign_no_secret", house.show(&["sign", "--protocol", "top", "a=1"]));
    snapshot!(
        "sign_empty_secret",
        house.show_with(&["sign", "--protocol", "top", "--secret-stdin", "a=1"], "\n")
    );
}

#[test]
fn the_secret_of_an_account_signs_too() {
    let house = House::with_accounts(&[("lazada", "shop")]);
    let (_, secret) = house.app("lazada");
    let by_account = house.run(&["sign", "--account", "shop", "--path", "/orders/get", "a=1"]).succeeds();
    let by_hand = house
        .run_with(&["sign", "--protocol", "iop", "--path", "/orders/get", "a=1", "--secret-stdin"], &secret)
        .succeeds();
    assert_eq!(by_account.stdout, by_hand.stdout);
    house.run(&["sign", "--account", "nobody", "a=1"]).fails(2);
}

/// `sesame sign` of the sample of the documents, with the signature of a client that made a mistake.
fn explained(given: &str) -> serde_json::Value {
    let house = House::empty();
    let given = format!("sign={given}");
    let mut arguments = IOP.to_vec();
    arguments.extend(["access_token=test", &given, "--secret-stdin", "--explain", "--output", "json"]);
    house.run_with(&arguments, "helloworld").succeeds().json()["given"].clone()
}

#[test]
fn the_mistake_behind_a_foreign_signature_is_named() {
    let right = explained("4190d32361cfb9581350222f345cb77f3b19f0e31d162316848a2c1ffd5fab4a");
    assert_eq!((&right["same"], &right["mistakes"]), (&true.into(), &serde_json::json!([])));
    // The parameters alone, without the path: made by Python's hmac.
    let no_path = explained("3B474B29F7DA7DB12014B44655CC5FD021B222CAD26E08F9269B802CFDB91651");
    assert_eq!(no_path["mistakes"], serde_json::json!(["it matches when the path in front is left out"]));
    let house = House::empty();
    let unexplained =
        house.run_with(&[&IOP[..], &["sign=AB", "--secret-stdin"]].concat(), "helloworld").succeeds();
    assert!(unexplained.stderr.contains("--explain looks for the mistake"), "{}", unexplained.stderr);
    snapshot!(
        "sign_mistake",
        house.show_with(
            &[
                "sign",
                "--protocol",
                "param2",
                "--path",
                "param2/1/system/currentTime/1000000",
                "a=1",
                "b=2",
                // Without the path: HMAC-SHA1 of "a1b2" under test123.
                "_aop_signature=0B2E5044392CAC05720B2CF500D8D408D97F858E",
                "--secret-stdin",
                "--explain",
            ],
            "test123"
        )
    );
}

#[test]
fn a_whole_address_is_taken_apart() {
    let house = House::empty();
    let address = "https://api.lazada.sg/rest/order/get?app_key=123456&timestamp=1517820392000&sign_method=sha256&access_token=test&order_id=1234&sign=4190D32361CFB9581350222F345CB77F3B19F0E31D162316848A2C1FFD5FAB4A";
    for arguments in [
        vec!["sign", "--protocol", "iop", address, "--secret-stdin", "--output", "json"],
        vec!["sign", "--protocol", "iop", "--path", address, "--secret-stdin", "--output", "json"],
    ] {
        let done = house.run_with(&arguments, "helloworld").succeeds();
        assert_eq!(done.json()["path"], "/order/get");
        assert_eq!(done.json()["given"]["same"], true, "{}", done.stdout);
    }
    house.run_with(&["sign", "--protocol", "iop", address, "order_id=2", "--secret-stdin"], "x").fails(2);
    house.run_with(&["sign", "--protocol", "iop", address, address, "--secret-stdin"], "x").fails(2);
}

#[test]
fn odd_paths_and_a_secret_among_the_parameters_are_warned_of() {
    let house = House::empty();
    for (arguments, said) in [
        (vec!["--protocol", "iop", "--path", "order/get", "timestamp=1517820392000"], "begin with `/`"),
        (vec!["--protocol", "iop", "--path", "api.lazada.sg/rest/order/get"], "begins with a host"),
        (vec!["--protocol", "iop", "--path", "/order/get/"], "ends with `/`"),
        (
            vec!["--protocol", "param2", "--path", "gw.open.1688.com/openapi/param2/1/ns/n/1"],
            "begins with a host",
        ),
        (vec!["--protocol", "param2", "--path", "/param2/1/ns/n/1"], "without `/openapi/`"),
        (vec!["--protocol", "param2", "--path", "1/ns/n/1"], "from the protocol on"),
        (vec!["--protocol", "iop", "--path", "/order/get", "app_secret=x"], "never a parameter"),
        (vec!["--protocol", "iop", "--path", "/order/get", "appSecret=x"], "never a parameter"),
    ] {
        let done = house.run_with(&[&["sign"], &arguments[..], &["--secret-stdin"]].concat(), "x").succeeds();
        assert!(done.stderr.contains(said), "{arguments:?}: {}", done.stderr);
    }
}

#[test]
fn the_header_of_a_push_message_is_checked() {
    let house = House::empty();
    let body = house.file("push.json", "{\"seller_id\":\"9999\",\"message_type\":0}");
    let sign = |more: &[&str]| {
        let base = ["sign", "--protocol", "iop", "--path", "123456", "--body", &body, "--secret-stdin"];
        house.run_with(&[&base[..], more].concat(), "helloworld")
    };
    let signature = sign(&[]).succeeds().stdout.trim().to_owned();
    assert_eq!(signature, "4ceb1a9163ebc403901b35a4e67a6d6075120e7936c3501b33b80e2d13e718d8");
    let header = format!("Authorization={signature}");
    assert_eq!(sign(&[&header, "-o", "json"]).succeeds().json()["given"]["same"], true);
    let other = sign(&["Authorization=abc"]).succeeds();
    assert!(other.stderr.contains("is another one"), "{}", other.stderr);
    sign(&["order_id=1"]).fails(2);
    house.run_with(&["sign", "--protocol", "iop", "--body", &body, "--secret-stdin"], "x").fails(2);
    house.run_with(&["sign", "--protocol", "param2", "--body", &body, "--secret-stdin"], "x").fails(2);
}
