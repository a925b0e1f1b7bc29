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
