//! A shop that calls its platform, and the books to compare with.

use serde_json::{Value as Json, json};
use sesame_sandbox::DescribedApp;

use crate::support::{Answer, Bench};

/// The first shop of a platform.
pub(crate) struct Seller {
    pub(crate) bench: Bench,
    platform: &'static str,
    app: DescribedApp,
    token: String,
}

/// A SKU of the books.
#[derive(Debug, Clone)]
pub(crate) struct BookSku {
    pub(crate) product: u64,
    pub(crate) id: u64,
    pub(crate) code: String,
    pub(crate) stock: u64,
    pub(crate) reserved: u64,
    pub(crate) price: f64,
}

impl Seller {
    pub(crate) async fn of(platform: &'static str) -> Self {
        let bench = Bench::start().await;
        let app = bench.app(platform);
        let login = bench.login(platform);
        let token = match platform {
            "taobao" => {
                let code = bench.code(&app, &login).await;
                let create = [("method", "taobao.top.auth.token.create"), ("code", &code)];
                let reply = bench.top(&app, &create).await.json();
                let text = reply["top_auth_token_create_response"]["token_result"].as_str().unwrap();
                serde_json::from_str::<Json>(text).unwrap()["access_token"].clone()
            }
            "aliexpress-legacy" => {
                let code = bench.code(&app, &login).await;
                let secret = app.app_secret.clone().unwrap();
                let pairs = [
                    ("grant_type", "authorization_code"),
                    ("need_refresh_token", "true"),
                    ("client_id", app.app_key.as_str()),
                    ("client_secret", &secret),
                    ("redirect_uri", &app.redirect_uri),
                    ("code", &code),
                ];
                let target = format!("/openapi/http/1/system.oauth2/getToken/{}", app.app_key);
                bench.form(&target, &pairs).await.json()["access_token"].clone()
            }
            _ => bench.iop_login(&app, &login).await["access_token"].clone(),
        };
        Self { bench, platform, app, token: token.as_str().unwrap().to_owned() }
    }

    /// Calls an API; plain lists come back.
    pub(crate) async fn call(&self, api: &str, args: &[(&str, &str)]) -> Answer {
        let mut pairs = args.to_vec();
        match self.platform {
            "taobao" => {
                pairs.extend([("method", api), ("session", &self.token), ("simplify", "true")]);
                self.bench.top(&self.app, &pairs).await
            }
            "aliexpress-legacy" => {
                pairs.push(("access_token", &self.token));
                self.bench.param2(&self.app, &format!("aliexpress.open/{api}"), &pairs).await
            }
            _ => {
                pairs.extend([("method", api), ("access_token", &self.token), ("simplify", "true")]);
                self.bench.sync(&self.app, &pairs).await
            }
        }
    }

    /// Calls an API that answers from the world, and returns the payload.
    pub(crate) async fn get(&self, api: &str, args: &[(&str, &str)]) -> Json {
        let answer = self.call(api, args).await;
        assert_eq!(answer.header("x-sandbox-source"), Some("world"), "{api}: {}", answer.text());
        let json = answer.json();
        let root = json.as_object().unwrap().iter().find(|(name, _)| name.ends_with("_response"));
        root.map_or(json.clone(), |(_, payload)| payload.clone())
    }

    /// Calls an API that refuses, and returns the sub code or the code.
    pub(crate) async fn refusal(&self, api: &str, args: &[(&str, &str)]) -> String {
        let answer = self.call(api, args).await;
        let json = answer.json();
        let sub = json.pointer("/error_response/sub_code").and_then(Json::as_str);
        let code = sub.map_or_else(|| answer.code(), str::to_owned);
        assert_ne!(code, "0", "{api}: {}", answer.text());
        code
    }

    async fn books(&self, kind: &str) -> Vec<Json> {
        let route = format!("{kind}?platform={}&limit=1000", self.platform);
        self.bench.control("GET", &route, &Json::Null).await[kind].as_array().unwrap().clone()
    }

    pub(crate) async fn products(&self) -> Vec<Json> {
        self.books("products").await
    }

    pub(crate) async fn orders(&self) -> Vec<Json> {
        self.books("orders").await
    }

    /// Returns one product or order of the books.
    pub(crate) async fn book(&self, kind: &str, id: u64) -> Json {
        let route = format!("{kind}?platform={}&id={id}", self.platform);
        self.bench.control("GET", &route, &Json::Null).await[kind][0].clone()
    }

    /// Takes a step by hand.
    pub(crate) async fn step(&self, kind: &str, step: Json) -> Json {
        let route = format!("{kind}?platform={}", self.platform);
        self.bench.control("POST", &route, &step).await[kind.trim_end_matches('s')].clone()
    }

    /// Creates an order of pieces of SKUs.
    pub(crate) async fn order(&self, skus: &[(&BookSku, u64)], paid: bool) -> Json {
        let lines: Vec<Json> = skus
            .iter()
            .map(|(sku, quantity)| json!({"product": sku.product, "sku": sku.id, "quantity": quantity}))
            .collect();
        self.step("orders", json!({"do": "create", "lines": lines, "paid": paid})).await
    }

    /// Returns the SKUs of products on sale with this number of SKUs and a hundred pieces to sell.
    pub(crate) async fn skus(&self, count: usize) -> Vec<Vec<BookSku>> {
        let on_sale = self.products().await.into_iter().filter(|product| product["status"] == "selling");
        let skus = on_sale.map(|product| skus_of(&product));
        let plenty = |skus: &Vec<BookSku>| {
            skus.len() == count && skus.iter().all(|sku| sku.stock >= sku.reserved + 100)
        };
        skus.filter(plenty).collect()
    }

    /// Returns a SKU as the books have it now.
    pub(crate) async fn sku(&self, sku: &BookSku) -> BookSku {
        let product = self.book("products", sku.product).await;
        skus_of(&product).into_iter().find(|now| now.id == sku.id).unwrap()
    }
}

pub(crate) fn skus_of(product: &Json) -> Vec<BookSku> {
    let skus = product["skus"].as_array().unwrap().iter();
    skus.map(|sku| BookSku {
        product: product["id"].as_u64().unwrap(),
        id: sku["id"].as_u64().unwrap(),
        code: sku["code"].as_str().unwrap().to_owned(),
        stock: sku["stock"].as_u64().unwrap(),
        reserved: sku["reserved"].as_u64().unwrap(),
        price: sku["price"].as_f64().unwrap(),
    })
    .collect()
}

/// Returns a list of a reply.
pub(crate) fn rows<'a>(reply: &'a Json, pointer: &str) -> &'a [Json] {
    reply.pointer(pointer).and_then(Json::as_array).unwrap_or_else(|| panic!("no {pointer} in {reply:.600}"))
}

/// Returns the ids in a list of a reply.
pub(crate) fn ids(reply: &Json, pointer: &str, name: &str) -> Vec<u64> {
    rows(reply, pointer).iter().map(|row| row[name].as_u64().unwrap()).collect()
}
