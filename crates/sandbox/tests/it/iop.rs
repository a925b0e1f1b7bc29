//! `/rest`, `/rest/2.0`, `/sync`.

use serde_json::{Value as Json, json};

use crate::support::{Bench, borrowed, form};

const LIST: &str = "/products/get";

#[tokio::test]
async fn checks_come_in_the_documented_order() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let now = bench.now_ms().await;
    let sign = "0".repeat(64);
    let call = |path: &'static str, pairs: Vec<(&'static str, String)>| {
        let pairs: Vec<(String, String)> =
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let bench = &bench;
        async move { bench.form(&format!("/rest{path}"), &borrowed(&pairs)).await.json() }
    };
    let base = |key: &str, time: &str| {
        vec![
            ("app_key", key.to_owned()),
            ("timestamp", time.to_owned()),
            ("sign_method", "sha256".to_owned()),
            ("sign", sign.clone()),
        ]
    };

    // Each request has all the later mistakes too.
    for (at, name) in ["app_key", "timestamp", "sign_method", "sign"].iter().enumerate() {
        let mut pairs = base("999", "1");
        pairs.truncate(at);
        let json = call("/nowhere", pairs).await;
        assert_eq!(json["code"], "MissingParameter");
        assert_eq!(
            json["message"],
            format!(
                "The input parameter \"{name}\" that is mandatory for processing this request is not supplied"
            )
        );
        assert_eq!(json["type"], "ISV");
        assert!(json["request_id"].as_str().unwrap().len() >= 20);
    }
    for time in ["1", "nonsense", "2026-11-21 20:32:12", "2026-11-21T12:32:12", "1795264332"] {
        assert_eq!(call("/nowhere", base("999", time)).await["code"], "IllegalTimestamp", "{time}");
    }
    // Seen live: an invented key is said for real and invented paths alike, and a path before the signature.
    for path in ["/nowhere", "/khong_ton_tai/abc", LIST] {
        assert_eq!(call(path, base("999", &now)).await["code"], "InvalidAppKey", "{path}");
    }
    assert_eq!(call("/nowhere", base(&app.app_key, &now)).await["code"], "InvalidApiPath");
    assert_eq!(call("/rest/products/get", base(&app.app_key, &now)).await["code"], "InvalidApiPath");
    assert_eq!(call("//products/get", base(&app.app_key, &now)).await["code"], "InvalidApiPath");
    assert_eq!(call(LIST, base(&app.app_key, "2026-11-21T12:32:12Z")).await["code"], "IncompleteSignature");
    assert_eq!(
        call(LIST, base(&app.app_key, &now)).await["message"],
        "The request signature does not conform to platform standards"
    );
    // Signed from here on: the token comes before the arguments.
    let answer = bench.rest(&app, "/order/get", &[]).await;
    assert_eq!(answer.code(), "IllegalAccessToken");
    let answer = bench.rest(&app, "/order/get", &[("access_token", "50000nonsense")]).await;
    assert_eq!(answer.json()["message"], "The specified access token is invalid or expired");
    let token = bench.iop_login(&app, &bench.login("lazada")).await;
    let token = token["access_token"].as_str().unwrap();
    let answer = bench.rest(&app, "/order/get", &[("access_token", token)]).await;
    assert_eq!(answer.code(), "MissingParameter");
    assert!(answer.text().contains("order_id"), "{}", answer.text());
    let answer = bench.rest(&app, "/order/get", &[("access_token", token), ("order_id", "x")]).await;
    assert_eq!(answer.code(), "InvalidParameter", "{}", answer.text());
    let answer = bench.rest(&app, "/order/get", &[("access_token", token), ("order_id", "1234")]).await;
    assert_eq!(answer.code(), "16", "{}", answer.text());
}

#[tokio::test]
async fn a_page_of_products_comes_from_the_world() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, &bench.login("lazada")).await;
    let token = token["access_token"].as_str().unwrap();
    let answer = bench.rest(&app, LIST, &[("access_token", token), ("limit", "5"), ("filter", "all")]).await;
    let json = answer.json();
    assert_eq!(json["code"], "0");
    assert_eq!(json["data"]["products"].as_array().unwrap().len(), 5, "{json}");
    assert!(json["request_id"].is_string());
    assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));
    assert_eq!(answer.header("date"), Some("Sat, 21 Nov 2026 12:32:12 GMT"));
    // The other token name is read on /rest too.
    assert_eq!(bench.rest(&app, LIST, &[("session", token), ("filter", "all")]).await.code(), "0");
}

#[tokio::test]
async fn empty_values_may_be_signed_or_not() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, &bench.login("lazada")).await;
    let token = token["access_token"].as_str().unwrap();
    let args = [("access_token", token), ("filter", "all")];
    let pairs = bench.iop_pairs(&app, Some(LIST), &args).await;
    let mut pairs = borrowed(&pairs);
    pairs.push(("search", ""));
    assert_eq!(bench.form(&format!("/rest{LIST}"), &pairs).await.code(), "0");
    // Signed, they are parameters like all others.
    let args = [("access_token", token), ("filter", "all"), ("search", "")];
    assert_eq!(bench.rest(&app, LIST, &args).await.code(), "0");
    // And nothing else may be left out.
    pairs.push(("limit", "1"));
    assert_eq!(bench.form(&format!("/rest{LIST}"), &pairs).await.code(), "IncompleteSignature");
}

#[tokio::test]
async fn every_way_of_sending_parameters_is_read() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, &bench.login("lazada")).await;
    let token = token["access_token"].as_str().unwrap();
    let value = "caf\u{e9} 中文 😀 a&b=c+d%20~*\r\n\"{}";
    let args = [
        ("access_token", token),
        ("filter", "all"),
        ("search", value),
        ("empty", ""),
        ("2", "a"),
        ("10", "b"),
        ("SKU", "x"),
        ("image_2", "y"),
        ("image1", "z"),
    ];
    let all = bench.iop_pairs(&app, Some(LIST), &args).await;
    let all = borrowed(&all);
    let target = format!("/rest{LIST}");
    let query = form(&all);
    let plain = "application/x-www-form-urlencoded";

    assert_eq!(bench.get(&format!("{target}?{query}")).await.code(), "0");
    assert_eq!(bench.post(&format!("{target}?{query}"), plain, b"").await.code(), "0");
    assert_eq!(
        bench
            .post(&target, "application/x-www-form-urlencoded; charset=utf-8", query.as_bytes())
            .await
            .code(),
        "0"
    );
    assert_eq!(bench.post(&target, "", query.as_bytes()).await.code(), "0");
    let (system, business): (Vec<_>, Vec<_>) = all
        .iter()
        .copied()
        .partition(|(name, _)| matches!(*name, "app_key" | "sign" | "timestamp" | "sign_method"));
    let split = format!("{target}?{}", form(&system));
    assert_eq!(bench.post(&split, plain, form(&business).as_bytes()).await.code(), "0");
    // The same parameter twice, with the same value.
    assert_eq!(
        bench.post(&format!("{split}&filter=all"), plain, form(&business).as_bytes()).await.code(),
        "0"
    );
    let twice = bench.post(&format!("{split}&filter=other"), plain, form(&business).as_bytes()).await;
    assert_eq!(twice.code(), "InvalidParameter");
    // JSON alone, and JSON as an unsigned copy of the query with one thing more.
    let object: serde_json::Map<String, Json> =
        all.iter().map(|(name, value)| ((*name).to_owned(), Json::from(*value))).collect();
    let json = Json::Object(object.clone()).to_string();
    assert_eq!(bench.post(&target, "application/json", json.as_bytes()).await.code(), "0");
    let mut more = object;
    more.insert("unsigned".to_owned(), json!({"a": [1, 2]}));
    let more = Json::Object(more).to_string();
    assert_eq!(
        bench.post(&format!("{target}?{query}"), "application/json", more.as_bytes()).await.code(),
        "0"
    );
    // Multipart, with a file that is not signed, in both dialects.
    for kind in ["form-data", "file"] {
        let mut body = String::new();
        for (name, value) in &all {
            body.push_str("--BOUND\r\nContent-Disposition: form-data; name=\"");
            body.push_str(&[name, "\"\r\n\r\n", value, "\r\n"].concat());
        }
        body.push_str(
            &[
                "--BOUND\r\nContent-Disposition: ",
                kind,
                "; name=\"image\"; filename=\"a.png\"\r\n\r\n\u{1}\r\n--BOUND--\r\n",
            ]
            .concat(),
        );
        let answer =
            bench.post(&target, "multipart/form-data;charset=UTF-8; boundary=BOUND", body.as_bytes()).await;
        assert_eq!(answer.code(), "0", "{}", answer.text());
    }
    // Empty values that are sent but not signed, as another SDK does.
    let mut unsigned = bench.iop_pairs(&app, Some(LIST), &[("access_token", token), ("filter", "all")]).await;
    unsigned.push(("search".to_owned(), String::new()));
    assert_eq!(bench.form(&target, &borrowed(&unsigned)).await.code(), "0");
    let stats = bench.control("GET", "stats", &Json::Null).await;
    assert_eq!(stats["iop_signatures_without_empty_values"], 1);
    // A probe is no call.
    let probe = bench.send("HEAD", &target, &[], b"").await.unwrap();
    assert_eq!((probe.status, probe.body.len()), (200, 0));
}

#[tokio::test]
async fn large_parameters_and_odd_names_are_verified() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, &bench.login("lazada")).await;
    let token = token["access_token"].as_str().unwrap();
    let large = "é".repeat(2_500_000);
    let answer = bench.rest(&app, LIST, &[("access_token", token), ("memo", &large)]).await;
    assert_eq!(answer.code(), "0", "{}", answer.text());
    // A parameter named `sign` beside the signature cannot be told from it.
    let mut all = bench.iop_pairs(&app, Some(LIST), &[("access_token", token)]).await;
    all.push(("sign".to_owned(), "mine".to_owned()));
    let answer = bench.form("/rest/products/get", &borrowed(&all)).await;
    assert_eq!(answer.code(), "InvalidParameter");
    assert!(answer.text().contains("\\\"sign\\\""), "{}", answer.text());
}

#[tokio::test]
async fn sync_names_apis_by_method_and_wraps_replies() {
    let bench = Bench::start().await;
    let app = bench.app("aliexpress");
    let token = bench.iop_login(&app, &bench.login("aliexpress")).await;
    assert_eq!(token["sp"], "ae");
    let token = token["access_token"].as_str().unwrap();
    let method = ("method", "aliexpress.solution.product.list.get");
    let args = ("aeop_a_e_product_list_query", r#"{"product_status_type":"onSelling"}"#);

    let answer = bench.sync(&app, &[method, args, ("session", token)]).await.json();
    let wrapped = &answer["aliexpress_solution_product_list_get_response"];
    assert!(wrapped["request_id"].is_string(), "{answer}");
    let simple =
        bench.sync(&app, &[method, args, ("access_token", token), ("simplify", "true")]).await.json();
    assert_eq!(simple["code"], "0", "{simple}");
    assert!(simple.get("aliexpress_solution_product_list_get_response").is_none());
    let xml = bench.sync(&app, &[method, args, ("session", token), ("format", "xml")]).await;
    assert!(
        xml.text().starts_with(
            "<?xml version=\"1.0\" encoding=\"utf-8\" ?><aliexpress_solution_product_list_get_response>"
        ),
        "{}",
        xml.text()
    );

    let missing = bench.sync(&app, &[("session", token)]).await.json();
    assert_eq!(missing["error_response"]["code"], "MissingParameter");
    assert!(missing["error_response"]["msg"].as_str().unwrap().contains("\"method\""));
    assert!(missing["error_response"].get("message").is_none());
    let unknown = bench.sync(&app, &[("method", "aliexpress.no.such")]).await;
    assert_eq!(unknown.code(), "InvalidApiPath");

    // Signed with the path in front, as for /rest: wrong here, and said so.
    let mut all = bench
        .iop_pairs(&app, Some("/auth/token/create"), &[("method", "/auth/token/create"), ("code", "x")])
        .await;
    let answer = bench.form("/sync", &borrowed(&all)).await;
    assert_eq!(answer.code(), "IncompleteSignature");
    let refusal = bench.refusal(&answer).await;
    assert!(refusal["hints"][0].as_str().unwrap().contains("only /rest signs a path"), "{refusal}");
    all.clear();

    // IOP keys are served on /router/rest too (seen live).
    let all = bench.iop_pairs(&app, None, &[method, args, ("session", token)]).await;
    let answer = bench.form("/router/rest", &borrowed(&all)).await.json();
    assert!(answer.get("aliexpress_solution_product_list_get_response").is_some(), "{answer}");
}

#[tokio::test]
async fn aliases_answer_and_nested_arguments_are_missed() {
    let bench = Bench::start().await;
    let app = bench.app("alibaba");
    let token = bench.iop_login(&app, &bench.login("alibaba")).await;
    let token = token["access_token"].as_str().unwrap();
    for path in ["/alibaba/icbu/product/list", "/icbu/product/list"] {
        let answer = bench
            .rest(&app, path, &[("access_token", token), ("page_size", "50"), ("language", "ENGLISH")])
            .await
            .json();
        assert_eq!(answer["code"], "0", "{answer}");
        assert_eq!(answer["result"]["products"].as_array().unwrap().len(), 30, "cut to 30 without a word");
    }
    // The TOP name of the same API has TOP's shape, although the catalog knows it as an alias.
    let top = [("method", "alibaba.icbu.product.list"), ("session", token), ("language", "ENGLISH")];
    let answer = bench.sync(&app, &top).await.json();
    let rows = &answer["alibaba_icbu_product_list_response"]["products"]["alibaba_product_brief_response"];
    assert_eq!(rows.as_array().unwrap().len(), 20, "{answer}");
    let answer = bench
        .rest(
            &app,
            "/icbu/product/schema/render",
            &[("access_token", token), ("render_request", "{\"cat_id\":1}")],
        )
        .await;
    assert_eq!(answer.code(), "MissingParameter", "{}", answer.text());
    assert!(answer.text().contains("render_request.product_id"), "{}", answer.text());
    let answer = bench
        .rest(
            &app,
            "/icbu/product/schema/render",
            &[("access_token", token), ("render_request", "{\"cat_id\":1")],
        )
        .await;
    assert_eq!(answer.code(), "InvalidParameter");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_refused_in_words() {
    let bench = Bench::start().await;
    let answer = bench.get("/no/such/route").await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (404, Some("no-such-route")));
    let answer = bench.send("PUT", "/rest/products/get", &[], b"").await.unwrap();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")));
    assert!(bench.get("/").await.text().contains("Sesame sandbox"));
}

#[tokio::test]
async fn the_path_may_stand_in_method_alone() {
    let bench = Bench::start().await;
    let app = bench.app("aliexpress");
    let code = bench.code(&app, "").await;
    let call = |path: &'static str, pairs: Vec<(&'static str, String)>| {
        let (bench, app) = (&bench, &app);
        async move {
            let pairs: Vec<(&str, &str)> =
                pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            bench.iop_pairs(app, Some(path), &pairs).await
        }
    };
    // As the iop SDKs for PHP and Python do it: all in the query, and a multipart body without parts.
    let create = "/auth/token/create";
    let pairs = call(create, vec![("method", create.to_owned()), ("code", code)]).await;
    let answer = bench
        .post(&format!("/rest?{}", form(&borrowed(&pairs))), "multipart/form-data; boundary=b", b"--b--\r\n")
        .await;
    assert_eq!(answer.code(), "0", "{}", answer.text());
    assert!(answer.json()["access_token"].is_string());
    // With arguments, and with a slash at the end of the base.
    let bench_app = bench.app("lazada");
    let token = bench.iop_login(&bench_app, "").await;
    let token = token["access_token"].as_str().unwrap();
    let pairs = [("method", LIST), ("session", token), ("filter", "all"), ("format", "json")];
    let pairs = bench.iop_pairs(&bench_app, Some(LIST), &pairs).await;
    let answer = bench.form("/rest/", &borrowed(&pairs)).await;
    assert!(answer.json()["data"]["products"].is_array(), "{}", answer.text());
    let stats = bench.control("GET", "stats", &Json::Null).await;
    assert_eq!(stats["calls"]["lazada"][LIST]["ok"], 1, "{stats}");
    // A name with dots is no path.
    let pairs = bench.iop_pairs(&app, None, &[("method", "aliexpress.ds.product.get")]).await;
    let answer = bench.form("/rest", &borrowed(&pairs)).await;
    assert_eq!(answer.code(), "InvalidApiPath");
    assert!(bench.refusal(&answer).await.to_string().contains("/sync"));
}

#[tokio::test]
async fn json_bodies_that_are_no_object_get_the_gateways_own_answer() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, "").await;
    let args = [("access_token", token["access_token"].as_str().unwrap()), ("filter", "all")];
    let all = bench.iop_pairs(&app, Some(LIST), &args).await;
    let all = borrowed(&all);
    let (bare, full) = (format!("/rest{LIST}"), format!("/rest{LIST}?{}", form(&all)));
    for body in ["[]", "null", "\"\"", "{}", " "] {
        let answer = bench.post(&full, "application/json", body.as_bytes()).await;
        assert_eq!(answer.code(), "0", "{body}: {}", answer.text());
    }
    let answer = bench.post(&bare, "Application/JSON; charset=utf-8", form(&all).as_bytes()).await;
    assert_eq!(answer.code(), "0", "{}", answer.text());
    for (body, says) in
        [("[1]", "not an object"), ("{\"a\":", "not an object"), ("{\"a\":\"\\ud800\"}", "damaged")]
    {
        assert_eq!(bench.post(&full, "application/json", body.as_bytes()).await.code(), "0", "{body}");
        let answer = bench.post(&bare, "application/json", body.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (200, "MissingParameter".to_owned()), "{body}");
        assert!(bench.refusal(&answer).await.to_string().contains(says), "{body}");
        // What was not read was not signed: the report says so first.
        let answer = bench.post(&format!("{full}&more=1"), "application/json", body.as_bytes()).await;
        assert_eq!(answer.code(), "IncompleteSignature");
        assert!(bench.refusal(&answer).await["hints"][0].as_str().unwrap().contains(says), "{body}");
    }
}

#[tokio::test]
async fn nulls_empties_and_copies_may_be_left_out_together() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, "").await;
    let args = [("access_token", token["access_token"].as_str().unwrap()), ("filter", "all")];
    let post = |pairs: Vec<(String, String)>, body: Json| {
        let bench = &bench;
        async move {
            let target = format!("/rest{LIST}?{}", form(&borrowed(&pairs)));
            bench.post(&target, "application/json", body.to_string().as_bytes()).await.code()
        }
    };
    // A null that was signed as an empty text, and one that was not signed.
    let mut signed_null = args.to_vec();
    signed_null.push(("search", ""));
    let mut pairs = bench.iop_pairs(&app, Some(LIST), &signed_null).await;
    pairs.retain(|(name, _)| name != "search");
    assert_eq!(post(pairs, json!({"search": null})).await, "0");
    let pairs = bench.iop_pairs(&app, Some(LIST), &args).await;
    assert_eq!(post(pairs.clone(), json!({"search": null})).await, "0");
    // An unsigned empty text in the query beside an unsigned copy as JSON.
    let mut more = pairs.clone();
    more.push(owned("search", ""));
    assert_eq!(post(more, json!({"filter": "all", "copy": 1})).await, "0");
    let mut wrong = pairs;
    wrong.push(owned("limit", "1"));
    assert_eq!(post(wrong, json!({"search": null})).await, "IncompleteSignature");
}

fn owned(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn path_variables_may_be_signed_as_the_document_says() {
    let folder = std::env::temp_dir().join(format!("sesame-variables-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("orders.toml"),
        "platform = \"aliexpress\"\nsource = \"a test\"\ndate = \"2026-11-21\"\n[[api]]\nname = \"/orders/{orderId}\"\nauth = false\nsafety = \"read\"\nparams = [{ n = \"orderId\", t = \"string\", r = true }]\n",
    )
    .unwrap();
    let catalog = std::sync::Arc::new(sesame_catalog::Catalog::open(Some(&folder)).unwrap());
    let bench = Bench::with(|options| options.catalog = catalog).await;
    std::fs::remove_dir_all(&folder).unwrap();
    let app = bench.app("aliexpress");
    let call = |signed: &'static str, sign_it: bool, send_it: bool| {
        let (bench, app) = (&bench, &app);
        async move {
            let args: &[(&str, &str)] = if sign_it { &[("orderId", "1234")] } else { &[] };
            let mut pairs = bench.iop_pairs(app, Some(signed), args).await;
            pairs.retain(|(name, _)| send_it || name != "orderId");
            bench.get(&format!("/rest/2.0/orders/1234?{}", form(&borrowed(&pairs)))).await.code()
        }
    };
    assert_eq!(call("/orders/1234", false, false).await, "0", "the SDK's reading");
    assert_eq!(call("/orders/1234", true, true).await, "0");
    assert_eq!(call("/orders/{orderId}", true, true).await, "0", "the document's reading");
    assert_eq!(call("/orders/{orderId}", true, false).await, "0");
    assert_eq!(call("/orders/{orderId}", false, false).await, "0");
    assert_eq!(call("/orders/{other}", true, true).await, "IncompleteSignature");
}

#[tokio::test]
async fn words_for_digests_follow_the_data() {
    let bench = Bench::start().await;
    let top = ("aliexpress", "hmac-sha256", sesame_core::sign::Digest::HmacSha256);
    for (platform, word, digest) in [top, ("alibaba", "hmac", sesame_core::sign::Digest::HmacMd5)] {
        let app = bench.app(platform);
        let pairs = [("method", "/auth/token/create"), ("code", "x"), ("sign_method", word)];
        let mut pairs = bench.iop_pairs(&app, None, &pairs).await;
        pairs.retain(|(name, _)| name != "sign");
        let signature = crate::support::signature(&app, digest, sesame_core::Shape::IopSync, "", &pairs);
        pairs.push(("sign".to_owned(), signature));
        assert_eq!(bench.form("/sync", &borrowed(&pairs)).await.code(), "InvalidCode", "{platform}");
    }
    // The guide of 2018 signs /rest with HMAC-MD5; only Lazada's sisters have that guide.
    for (platform, code) in [("lazada", "InvalidCode"), ("aliexpress", "IncompleteSignature")] {
        let app = bench.app(platform);
        let path = "/auth/token/create";
        let mut pairs = bench.iop_pairs(&app, Some(path), &[("code", "x"), ("sign_method", "hmac")]).await;
        pairs.retain(|(name, _)| name != "sign");
        let digest = sesame_core::sign::Digest::HmacMd5;
        let signature = crate::support::signature(&app, digest, sesame_core::Shape::IopRest, path, &pairs);
        pairs.push(("sign".to_owned(), signature));
        assert_eq!(bench.form(&format!("/rest{path}"), &borrowed(&pairs)).await.code(), code, "{platform}");
    }
}

#[tokio::test]
async fn names_of_token_calls_are_those_of_the_platform() {
    let bench = Bench::start().await;
    for (platform, path, code) in [
        ("lazada", "/auth/token/createWithOpenId", "InvalidCode"),
        ("aliexpress", "/auth/token/security/create", "InvalidCode"),
        ("taobao-global", "/auth/token/create", "InvalidCode"),
        ("daraz", "/auth/token/createWithOpenId", "InvalidApiPath"),
        ("lazada", "/auth/token/security/create", "InvalidApiPath"),
    ] {
        let answer = bench.rest(&bench.app(platform), path, &[("code", "x")]).await;
        assert_eq!(answer.code(), code, "{platform} {path}");
    }
}
