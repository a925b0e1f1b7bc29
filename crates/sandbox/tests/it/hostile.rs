//! Nonsense of every kind, signed and with a good token, to every API that fixtures answer.

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use sesame_catalog::{Api, Param, Type};
use sesame_core::{HttpResponse, Shape, envelope};

use crate::support::{Answer, Bench, CATALOG};

/// The APIs whose answers come from fixtures, by platform.
const HELD: &[(&str, &[&str])] = &[
    (
        "alibaba",
        &[
            "/alibaba/icbu/product/list",
            "/icbu/product/get",
            "/icbu/product/category/get",
            "/alibaba/icbu/category/id/mapping",
            "/alibaba/icbu/product/schema/get",
            "/icbu/product/schema/level/get",
            "/alibaba/icbu/product/group/get",
            "/icbu/product/photobank/group/list",
            "/icbu/product/photobank/list",
            "/alibaba/icbu/product/id/encrypt",
            "/alibaba/icbu/category/get/v2",
            "/alibaba/icbu/category/attribute/get/v2",
            "/alibaba/icbu/product/get/v2",
            "/alibaba/icbu/product/search/v2",
            "/alibaba/order/list",
            "/alibaba/order/get",
        ],
    ),
    (
        "lazada",
        &[
            "/products/get",
            "/product/item/get",
            "/category/tree/get",
            "/category/attributes/get",
            "/seller/get",
            "/orders/get",
            "/order/get",
            "/order/items/get",
            "/orders/items/get",
        ],
    ),
    ("aliexpress", &["aliexpress.solution.product.list.get"]),
    (
        "aliexpress-legacy",
        &[
            "aliexpress.open:api.findProductInfoListQuery",
            "aliexpress.open:api.findAeProductById",
            "aliexpress.open:api.findAeProductDetailModuleListByQurey",
            "aliexpress.open:api.findAeProductModuleById",
            "aliexpress.open:api.getChildrenPostCategoryById",
        ],
    ),
    ("1688", &["com.alibaba.product:alibaba.product.list.get", "com.alibaba.product:alibaba.category.get"]),
    ("taobao", &["taobao.items.onsale.get", "taobao.trades.sold.increment.get"]),
];

struct Caller {
    bench: Bench,
    platform: &'static str,
    token: String,
}

impl Caller {
    async fn of(platform: &'static str) -> Self {
        let bench = Bench::start().await;
        let app = bench.app(platform);
        let token = match app.protocol {
            "iop" => bench.iop_login(&app, "").await,
            "param2" => crate::param2::login(&bench, platform).await,
            _ => {
                let code = bench.code(&app, "").await;
                let create = [("method", "taobao.top.auth.token.create"), ("code", code.as_str())];
                let json = bench.top(&app, &create).await.json();
                let text = json["top_auth_token_create_response"]["token_result"].as_str().unwrap();
                serde_json::from_str(text).unwrap()
            }
        };
        Self { bench, platform, token: token["access_token"].as_str().unwrap().to_owned() }
    }

    async fn call(&self, api: &Api, args: &[(String, String)]) -> Answer {
        let app = self.bench.app(self.platform);
        let token = (api.shape.token_param(), self.token.as_str());
        let mut pairs: Vec<(&str, &str)> =
            args.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        pairs.push(token);
        match api.shape {
            Shape::Param2 | Shape::Param2Params => {
                self.bench.param2(&app, &api.name.replace(':', "/"), &pairs).await
            }
            Shape::Top | Shape::TopBatch => {
                pairs.push(("method", &api.name));
                self.bench.top(&app, &pairs).await
            }
            Shape::IopSync => {
                pairs.push(("method", &api.name));
                self.bench.sync(&app, &pairs).await
            }
            _ => self.bench.rest(&app, &api.name, &pairs).await,
        }
    }
}

/// Checks what holds for every answer. Returns the code of a refusal.
fn check(caller: &Caller, api: &Api, args: &[(String, String)], answer: &Answer) -> Option<String> {
    let shown: String =
        format!("{} {args:?}: {} {}", api.name, answer.status, answer.text()).chars().take(900).collect();
    assert!(matches!(answer.status, 200 | 400 | 401 | 405), "{shown}");
    let rules = &CATALOG.platforms().iter().find(|known| known.name == caller.platform).unwrap().replies;
    let response =
        HttpResponse { status: answer.status, body: answer.body.clone().into(), ..HttpResponse::default() };
    match envelope::decode(api.shape, rules, &response) {
        Ok(_) => None,
        Err(envelope::Unsuccessful::Refusal(failure)) => {
            assert_ne!(failure.code, "500", "{shown}");
            Some(failure.code)
        }
        Err(envelope::Unsuccessful::Unreadable(error)) => panic!("{error}: {shown}"),
    }
}

/// Arguments with which a call succeeds.
const GOOD: [(&str, &str); 12] = [
    ("created_after", "2020-01-01T00:00:00Z"),
    ("role", "seller"),
    ("fields", "num_iid,title"),
    ("productStatusType", "onSelling"),
    ("moduleStatus", "approved"),
    ("cat_id", "0"),
    ("cateId", "0"),
    ("categoryID", "0"),
    ("language", "en_US"),
    ("convert_type", "1"),
    ("start_modified", "2026-11-20 00:00:00"),
    ("end_modified", "2026-11-20 00:30:00"),
];

/// Calls that only an id of the shop satisfies, or a document.
const NEED_MORE: [&str; 15] = [
    "/icbu/product/get",
    "/alibaba/icbu/category/id/mapping",
    "/alibaba/icbu/product/schema/get",
    "/icbu/product/schema/level/get",
    "/alibaba/icbu/product/group/get",
    "/alibaba/icbu/category/attribute/get/v2",
    "/alibaba/icbu/product/get/v2",
    "/alibaba/order/get",
    "/product/item/get",
    "/category/attributes/get",
    "/order/get",
    "/order/items/get",
    "/orders/items/get",
    "aliexpress.open:api.findAeProductById",
    "aliexpress.open:api.findAeProductModuleById",
];

/// Codes that are guesses of this sandbox, and flags that come without a code.
const GUESSED: [&str; 5] =
    ["ORDER_NOT_EXIST", "CATEGORY_NOT_EXIST", "B_PRODUCT_NOT_FOUND", "14030996", "result.success=false"];

const NONSENSE: [&str; 12] = [
    "nonsense",
    "-1",
    "0.5",
    "1e999",
    "99999999999999999999999999999999999999",
    "18446744073709551616",
    "[",
    "{}",
    "[null,{\"a\":[1]},\"\u{0}\"]",
    "中😀\u{202e}\u{0}",
    "2026-13-45 25:61:61",
    "' OR 1=1 --",
];

/// Values that no number, date or object has.
const NEVER: [&str; 3] = ["nonsense", "中😀\u{202e}\u{0}", "' OR 1=1 --"];

fn is_strict(param: &Param) -> bool {
    let is_date =
        param.kind == Type::Date || param.name.contains("_after") || param.name.contains("modified_");
    !param.list && (param.kind == Type::Integer || is_date)
}

#[tokio::test]
async fn nonsense_in_one_argument_is_refused_in_a_documented_way() {
    let mut refused = Vec::new();
    for (platform, apis) in HELD {
        let caller = Caller::of(platform).await;
        for name in *apis {
            let api = CATALOG.api(platform, name).unwrap();
            assert!(api.known, "{name}");
            let right: Vec<(String, String)> = api
                .params
                .iter()
                .filter_map(|param| {
                    let good = GOOD.iter().find(|(name, _)| *name == param.name).map(|(_, value)| *value);
                    let value = good.or((param.required == Some(true)).then_some("1"))?;
                    Some((param.name.clone(), value.to_owned()))
                })
                .collect();
            let answer = caller.call(&api, &right).await;
            if check(&caller, &api, &right, &answer).is_some() {
                refused.push(*name);
            }
            for param in &api.params {
                for value in NONSENSE.iter().map(|value| (*value).to_owned()).chain(["9".repeat(10_000)]) {
                    let mut args = right.clone();
                    args.retain(|(name, _)| *name != param.name);
                    args.push((param.name.clone(), value.clone()));
                    let answer = caller.call(&api, &args).await;
                    let code = check(&caller, &api, &args, &answer);
                    if is_strict(param) && NEVER.contains(&value.as_str()) {
                        assert!(code.is_some(), "{name} took {}={value:?}: {}", param.name, answer.text());
                    }
                    let known = |code: &String| {
                        !CATALOG.explain(code, Some(caller.platform)).unwrap().is_empty()
                            || api.errors.iter().any(|error| error.code == *code)
                    };
                    if let Some(code) = code.filter(|code| !GUESSED.contains(&code.as_str())) {
                        assert!(known(&code), "{name}: nothing documents {code:?}: {}", answer.text());
                    }
                }
            }
        }
    }
    assert_eq!(refused, NEED_MORE, "every other call has to succeed when nothing in it is wrong");
}

#[tokio::test]
async fn any_arguments_get_an_answer() {
    let name = prop_oneof![
        proptest::sample::select(vec![
            "limit",
            "offset",
            "page_size",
            "current_page",
            "created_after",
            "status",
            "filter",
            "order_ids",
            "fields",
            "page_no",
            "id",
            "cat_id",
            "role",
            "start_page",
            "sku_seller_list",
            "product_get_request",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z_.\\[\\]]{1,12}",
    ];
    let value = prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|number| number.to_string()),
        "[\\[\\]{}\":,0-9a-z]{0,40}"
    ];
    let args = proptest::collection::btree_map(name, value, 0..8);
    let mut runner = TestRunner::default();
    for (platform, apis) in HELD {
        let caller = Caller::of(platform).await;
        for name in *apis {
            let api = CATALOG.api(platform, name).unwrap();
            for _ in 0..12 {
                let args = args.new_tree(&mut runner).unwrap().current();
                let system = ["method", "format", "v", "simplify", "sign", "session", "access_token"];
                let args: Vec<(String, String)> =
                    args.into_iter().filter(|(name, _)| !system.contains(&name.as_str())).collect();
                let answer = caller.call(&api, &args).await;
                check(&caller, &api, &args, &answer);
            }
        }
    }
}

#[tokio::test]
async fn headers_that_are_not_ascii_keep_web_pages_out_too() {
    let bench = Bench::start().await;
    for header in ["Origin: http://b\u{f6}se.example", "Host: b\u{f6}se.example"] {
        let host =
            if header.starts_with("Host") { String::new() } else { format!("Host: {}\r\n", bench.host) };
        let request = format!("GET /_sandbox/stats HTTP/1.1\r\n{host}{header}\r\nConnection: close\r\n\r\n");
        let answer = crate::support::exchange(&bench.host, request.as_bytes()).await.unwrap();
        assert!(matches!(answer.status, 400 | 403), "{header}: {}", answer.status);
    }
}
