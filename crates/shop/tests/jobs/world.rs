//! A shop in memory behind the gateway of one platform, and a clock that jumps instead of sleeping.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use sesame_client::Client;
use sesame_core::{
    AccessToken, AppSecret, BoxFuture, Clock, Error, ErrorKind, HttpRequest, HttpResponse, RefreshToken,
    Result, Transport, request::Method,
};
use sesame_shop::Shop;
use sesame_vault::{ImportedTokens, KeyChoice, Location, NewApp, Vault, VaultOptions};

/// A SKU of the world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    pub(crate) product: u64,
    pub(crate) sku_id: u64,
    pub(crate) quantity: i64,
    pub(crate) reserved: i64,
    pub(crate) price: String,
    /// How often it was written.
    pub(crate) writes: u32,
}

/// What is lost of a write, and what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is carried out, and the answer is lost.
    Answer,
    /// It never arrives.
    Call,
    /// It is carried out, the answer is lost, and then somebody buys one.
    AnswerAndSale,
    /// It never arrives, and somebody buys one.
    CallAndSale,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) skus: BTreeMap<String, Stock>,
    /// What the next writes meet.
    pub(crate) trouble: Vec<Trouble>,
    /// SKUs that the platform refuses, with the whole call they are in.
    pub(crate) locked: BTreeSet<String>,
    /// A SKU over which the platform stumbles: the call it is in is not carried out, and not answered.
    pub(crate) stumbles_over: Option<String>,
    /// Rows before a locked one are written all the same.
    pub(crate) is_partial: bool,
    /// The token is refused from this write on.
    pub(crate) refuse_all_after: Option<u32>,
    pub(crate) writes: u32,
    pub(crate) largest: usize,
    pub(crate) token_refused: bool,
}

pub(crate) struct Gateway(pub(crate) Mutex<World>);

impl Transport for Gateway {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse>> {
        let answer = self.0.lock().unwrap().answer(&request);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Network, "the connection ended before the reply").with_ambiguity(true)
}

impl World {
    fn answer(&mut self, request: &HttpRequest) -> Result<HttpResponse> {
        let path =
            request.url.split('?').next().unwrap_or_default().split("/rest").nth(1).unwrap_or_default();
        let params = params(request);
        let param = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let good = |data: Json| ok(&json!({"code": "0", "data": data, "request_id": "r"}).to_string());
        match path {
            "/products/get" => {
                let wanted: Vec<String> = serde_json::from_str(&param("sku_seller_list").unwrap()).unwrap();
                assert!(wanted.len() <= 50);
                let found: BTreeSet<u64> =
                    wanted.iter().filter_map(|sku| Some(self.skus.get(sku)?.product)).collect();
                let products: Vec<Json> = found.iter().map(|product| self.product(*product)).collect();
                Ok(good(json!({"total_products": products.len(), "products": products})))
            }
            "/product/item/get" => {
                let product = param("item_id").unwrap().parse().unwrap();
                if !self.skus.values().any(|sku| sku.product == product) {
                    return Ok(refusal("208", "Item not found"));
                }
                Ok(good(self.product(product)))
            }
            "/product/price_quantity/update" | "/product/stock/sellable/adjust" => {
                self.writes += 1;
                if self.refuse_all_after.is_some_and(|after| self.writes > after) {
                    self.token_refused = true;
                    return Ok(refusal("InsufficientPermission", "the app may not call this"));
                }
                let trouble = self.trouble.pop();
                if matches!(trouble, Some(Trouble::Call | Trouble::CallAndSale)) {
                    if trouble == Some(Trouble::CallAndSale) {
                        self.sell();
                    }
                    return Err(lost());
                }
                let reply = self.write(&param("payload").unwrap(), path.ends_with("adjust"))?;
                match trouble {
                    None => Ok(reply),
                    Some(trouble) => {
                        if trouble == Trouble::AnswerAndSale {
                            self.sell();
                        }
                        Err(lost())
                    }
                }
            }
            other => panic!("nothing answers {other}"),
        }
    }

    /// An order takes one of each.
    fn sell(&mut self) {
        for sku in self.skus.values_mut() {
            sku.reserved += 1;
        }
    }

    fn product(&self, product: u64) -> Json {
        let skus = self.skus.iter().filter(|(_, sku)| sku.product == product).map(|(name, sku)| {
            json!({"SellerSku": name, "SkuId": sku.sku_id, "quantity": sku.quantity, "price": sku.price,
                "multiWarehouseInventories": [{"occupyQuantity": sku.reserved}]})
        });
        json!({"item_id": product, "status": "Active", "skus": skus.collect::<Vec<_>>()})
    }

    fn write(&mut self, payload: &str, adds: bool) -> Result<HttpResponse> {
        let blocks: Vec<&str> = payload.split("<Sku>").skip(1).collect();
        self.largest = self.largest.max(blocks.len());
        let names: Vec<String> = blocks
            .iter()
            .map(|block| {
                let id: u64 = inside(block, "SkuId").unwrap().parse().unwrap();
                self.skus.iter().find(|(_, sku)| sku.sku_id == id).map(|(name, _)| name.clone()).unwrap()
            })
            .collect();
        if names.iter().any(|name| Some(name) == self.stumbles_over.as_ref()) {
            return Err(lost());
        }
        let locked = names.iter().position(|name| self.locked.contains(name));
        let until = if self.is_partial { locked } else { locked.map(|_| 0) };
        for (name, block) in names.iter().zip(&blocks).take(until.unwrap_or(usize::MAX)) {
            let sku = self.skus.get_mut(name).unwrap();
            sku.writes += 1;
            if let Some(quantity) = inside(block, "Quantity") {
                sku.quantity = quantity.parse().unwrap();
            }
            if adds {
                sku.quantity += inside(block, "SellableQuantity").unwrap().parse::<i64>().unwrap();
            }
            if let Some(price) = inside(block, "Price") {
                price.clone_into(&mut sku.price);
            }
        }
        Ok(match locked {
            None => ok(r#"{"code":"0","data":{},"request_id":"r"}"#),
            Some(at) => refusal("501", &format!("E501: {} is locked", names[at])),
        })
    }
}

fn inside<'a>(text: &'a str, element: &str) -> Option<&'a str> {
    let rest = text.split_once(&format!("<{element}>"))?.1;
    Some(rest.split_once('<')?.0)
}

fn ok(body: &str) -> HttpResponse {
    HttpResponse::new(200, body.to_owned())
}

fn refusal(code: &str, message: &str) -> HttpResponse {
    ok(&json!({"type": "ISV", "code": code, "message": message, "request_id": "r"}).to_string())
}

fn params(request: &HttpRequest) -> Vec<(String, String)> {
    let text = match request.method {
        Method::POST => String::from_utf8(request.body.to_vec()).unwrap(),
        _ => request.url.split_once('?').map_or_else(String::new, |(_, query)| query.to_owned()),
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

#[derive(Debug)]
pub(crate) struct JumpingClock(Mutex<Timestamp>);

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(duration).unwrap();
        Box::pin(tokio::task::yield_now())
    }

    fn random(&self, buffer: &mut [u8]) {
        // Ids of jobs differ.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let next = NEXT.fetch_add(0x9E37_79B9_7F4A_7C15, std::sync::atomic::Ordering::Relaxed).to_le_bytes();
        buffer.iter_mut().zip(next.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
}

pub(crate) struct Stage {
    pub(crate) shop: Shop,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) home: tempfile::TempDir,
}

impl Stage {
    /// A shop with this number of SKUs, three to a product: `S0`, `S1`, .. with 10 in stock at 5.50.
    pub(crate) async fn new(skus: u64) -> Self {
        Self::in_region(skus, "sg").await
    }

    /// The same in another country.
    pub(crate) async fn in_region(skus: u64, region: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(JumpingClock(Mutex::new("2026-11-30T00:00:00Z".parse().unwrap())));
        let stock = |n| Stock {
            product: 100 + n / 3,
            sku_id: 5000 + n,
            quantity: 10,
            price: "5.50".to_owned(),
            ..Stock::default()
        };
        let skus = (0..skus).map(|n| (format!("S{n}"), stock(n))).collect();
        let gateway = Arc::new(Gateway(Mutex::new(World { skus, ..World::default() })));
        let vault = Vault::open(
            VaultOptions::new(
                Location::Sqlite(home.path().join("vault.db")),
                Arc::clone(&gateway) as Arc<dyn Transport>,
            )
            .key(KeyChoice::Environment(AppSecret::new(
                "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            )))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>),
        )
        .await
        .unwrap();
        let app =
            NewApp::new("lazada", "123456", AppSecret::new("planted-secret-of-the-app-0001")).name("app");
        let app = app.region(region);
        vault.add_app(app).await.unwrap();
        let year = |years: i64| clock.now() + jiff::SignedDuration::from_hours(24 * 365 * years);
        let tokens = ImportedTokens::default()
            .access(AccessToken::new("planted-access-token-of-the-shop-0002"))
            .refresh(RefreshToken::new("planted-refresh-token-of-the-shop-0003"))
            .account_name("shop")
            .access_expires_at(year(1))
            .refresh_expires_at(year(2));
        vault.import_tokens("app", tokens).await.unwrap();
        Self { shop: Shop::new(Client::new(vault), "shop"), gateway, home }
    }

    pub(crate) fn jobs(&self) -> std::path::PathBuf {
        self.home.path().join("jobs")
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.gateway.0.lock().unwrap()
    }
}
