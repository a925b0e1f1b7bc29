//! The world behind the gateways, changed by hand and by itself.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use crate::support::Bench;

async fn post(bench: &Bench, route: &str, body: Json) -> (u16, Json) {
    let target = format!("/_sandbox/{route}?platform=lazada");
    let answer = bench.post(&target, "application/json", body.to_string().as_bytes()).await;
    (answer.status, answer.json())
}

async fn order(bench: &Bench, body: Json) -> Json {
    let (status, answer) = post(bench, "orders", body).await;
    assert_eq!(status, 200, "{answer}");
    answer["order"].clone()
}

async fn refusal(bench: &Bench, route: &str, body: Json) -> String {
    let (status, answer) = post(bench, route, body).await;
    assert_eq!(status, 409, "{answer}");
    answer["error"].as_str().unwrap().to_owned()
}

async fn products(bench: &Bench) -> Vec<Json> {
    let books = bench.control("GET", "products?platform=lazada&limit=1000", &Json::Null).await;
    books["products"].as_array().unwrap().clone()
}

/// A product on sale of which at least ten pieces can be sold, and its first SKU.
async fn in_stock(bench: &Bench) -> (u64, u64, u64, u64) {
    let product = products(bench).await.into_iter().find(|product| {
        let sku = &product["skus"][0];
        product["status"] == "selling"
            && sku["stock"].as_u64() >= sku["reserved"].as_u64().map(|held| held + 10)
    });
    let product = product.unwrap();
    let (sku, number) = (&product["skus"][0], |value: &Json| value.as_u64().unwrap());
    (number(&product["id"]), number(&sku["id"]), number(&sku["stock"]), number(&sku["reserved"]))
}

async fn stock(bench: &Bench, product: u64) -> (u64, u64) {
    let books = bench.control("GET", &format!("products?platform=lazada&id={product}"), &Json::Null).await;
    let sku = &books["products"][0]["skus"][0];
    (sku["stock"].as_u64().unwrap(), sku["reserved"].as_u64().unwrap())
}

#[tokio::test]
async fn stock_is_held_by_an_order_and_leaves_when_it_ships() {
    let bench = Bench::start().await;
    let (product, sku, pieces, held) = in_stock(&bench).await;
    let wanted = json!([{"product": product, "sku": sku, "quantity": 3}]);
    let created = order(&bench, json!({"do": "create", "lines": wanted, "paid": false})).await;
    assert_eq!((&created["state"], created["lines"].as_array().unwrap().len()), (&json!("unpaid"), 3));
    assert_eq!(stock(&bench, product).await, (pieces, held + 3));
    let lines: Vec<&Json> = created["lines"].as_array().unwrap().iter().map(|line| &line["id"]).collect();
    let (id, step) = (&created["id"], |what: &str| json!({"do": what, "order": created["id"]}));

    // One line is canceled before it is paid; the others go on.
    bench.advance("60s").await;
    order(&bench, json!({"do": "cancel", "order": id, "lines": [lines[0]], "reason": "too slow"})).await;
    assert_eq!(stock(&bench, product).await, (pieces, held + 2));
    assert_eq!(refusal(&bench, "orders", step("pack")).await, format!("line {} is unpaid", lines[1]));
    let paid = order(&bench, step("pay")).await;
    assert_eq!((&paid["state"], &paid["paid"]), (&json!("to-ship"), &json!("2026-11-21T12:33:12Z")));
    let refused = json!({"do": "pack", "order": id, "lines": [lines[0], lines[1]]});
    assert_eq!(refusal(&bench, "orders", refused).await, format!("line {} is cancelled", lines[0]));
    let packed = order(&bench, json!({"do": "pack", "order": id, "lines": [lines[1]]})).await;
    assert_eq!(packed["packages"].as_array().unwrap().len(), 1);
    assert_eq!((&packed["lines"][0]["reason"], &packed["state"]), (&json!("too slow"), &json!("to-ship")));
    order(&bench, json!({"do": "unpack", "order": id, "lines": [lines[1]]})).await;
    let shipped = order(&bench, step("ship")).await;
    assert_eq!((&shipped["state"], shipped["packages"].as_array().unwrap().len()), (&json!("shipped"), 1));
    assert_eq!(stock(&bench, product).await, (pieces - 2, held));
    for (what, state) in [
        ("deliver", "delivered"),
        ("ask-return", "returning"),
        ("refuse-return", "delivered"),
        ("finish", "done"),
    ] {
        assert_eq!(order(&bench, step(what)).await["state"], state, "{what}");
    }
    assert_eq!(refusal(&bench, "orders", step("cancel")).await, format!("line {} is done", lines[1]));
    assert_eq!(stock(&bench, product).await, (pieces - 2, held), "what was refused changed nothing");
}

#[tokio::test]
async fn what_open_orders_hold_cannot_be_taken_away() {
    let bench = Bench::start().await;
    let (product, sku, pieces, held) = in_stock(&bench).await;
    order(&bench, json!({"do": "create", "lines": [{"product": product, "sku": sku, "quantity": 4}]})).await;
    let change = |stock: u64| json!({"do": "change", "product": product, "sku": sku, "stock": stock});
    assert_eq!(
        refusal(&bench, "products", change(held + 3)).await,
        format!("open orders hold {} pieces", held + 4)
    );
    assert_eq!(post(&bench, "products", change(held + 4)).await.0, 200);
    let one_more = json!({"do": "create", "lines": [{"product": product, "sku": sku}]});
    assert_eq!(refusal(&bench, "orders", one_more).await, "only 0 pieces can be sold");
    assert_eq!(stock(&bench, product).await, (held + 4, held + 4), "of {pieces}");
    // A frozen order holds its stock; a canceled one gives it back.
    let orders = bench.control("GET", "orders?platform=lazada&limit=1000", &Json::Null).await;
    let last = orders["orders"].as_array().unwrap().last().unwrap()["id"].clone();
    for (what, state) in [
        ("freeze", "frozen"),
        ("thaw", "to-ship"),
        ("ask-cancel", "cancelling"),
        ("refuse-cancel", "to-ship"),
    ] {
        assert_eq!(order(&bench, json!({"do": what, "order": last})).await["state"], state);
        assert_eq!(stock(&bench, product).await.1, held + 4);
    }
    order(&bench, json!({"do": "cancel", "order": last})).await;
    assert_eq!(stock(&bench, product).await, (held + 4, held));
}

#[tokio::test]
async fn products_are_changed_added_and_deleted_by_hand() {
    let bench = Bench::start().await;
    let app = bench.app("lazada");
    let token = bench.iop_login(&app, &bench.login("lazada")).await;
    let token = token["access_token"].as_str().unwrap();
    let list = async |filter: &str| {
        let args = [("access_token", token), ("filter", filter), ("limit", "50")];
        bench.rest(&app, "/products/get", &args).await.json()["data"].clone()
    };
    let before = list("all").await;
    let first = before["products"][0]["item_id"].clone();
    let (_, answer) =
        post(&bench, "products", json!({"do": "change", "product": first, "title": "T", "price": 1234}))
            .await;
    assert_eq!(answer["product"]["skus"][0]["price"], 12.34);
    let after = list("all").await;
    let last = after["products"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["item_id"], &last["attributes"]["name"]),
        (&first, &json!("T")),
        "the last changed one"
    );
    assert_eq!(
        (&after["total_products"], &last["skus"][0]["price"]),
        (&before["total_products"], &json!(12.34))
    );

    let add = json!({"do": "add", "title": "New", "sku": "MINE-1", "price": 990, "stock": 5});
    let (_, added) = post(&bench, "products", add.clone()).await;
    assert_eq!(refusal(&bench, "products", add).await, "another SKU of the shop has this seller SKU");
    let id = &added["product"]["id"];
    assert_eq!(list("all").await["total_products"], 41);
    post(&bench, "products", json!({"do": "delete", "product": id})).await;
    assert_eq!(
        refusal(&bench, "products", json!({"do": "delete", "product": id})).await,
        "the product is deleted"
    );
    assert_eq!(list("all").await["total_products"], 40);
    let deleted = list("deleted").await;
    assert_eq!((&deleted["total_products"], &deleted["products"][0]["item_id"]), (&json!(1), id));
    bench.control("POST", "reset", &json!({"shops": true})).await;
    assert_eq!(list("all").await, before, "as the seed made it");
    let zero = json!({"do": "change", "product": first, "price": 0});
    assert!(refusal(&bench, "products", zero).await.starts_with("invalid price"));
}

#[tokio::test]
async fn a_world_churns_by_its_clock_and_its_seed() {
    let churning = async |seed| Bench::with(|options| (options.churn, options.seed) = (5.0, seed)).await;
    let books = async |bench: &Bench| {
        let orders = bench.control("GET", "orders?platform=taobao&limit=1000", &Json::Null).await;
        (orders, products(bench).await)
    };
    let (one, other, third) = (churning(1).await, churning(1).await, churning(2).await);
    let begin = books(&one).await;
    one.advance("100s").await;
    let middle = books(&one).await;
    one.advance("100s").await;
    other.advance("200s").await;
    third.advance("200s").await;
    let end = books(&one).await;
    assert_ne!(begin, middle);
    assert_ne!(middle, end);
    assert_eq!(end, books(&other).await, "however often it is looked at");
    assert_ne!(end, books(&third).await);
    // Everything happens that should.
    one.advance("2h").await;
    let (orders, products) = books(&one).await;
    let mut states = HashMap::new();
    for line in
        orders["orders"].as_array().unwrap().iter().flat_map(|order| order["lines"].as_array().unwrap())
    {
        *states.entry(line["state"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    for state in ["unpaid", "to-ship", "cancelled", "returned", "done"] {
        assert!(states.contains_key(state), "{states:?}");
    }
    assert!(products.len() > 40 && products.iter().any(|product| product["status"] == "deleted"));
    for sku in products.iter().flat_map(|product| product["skus"].as_array().unwrap()) {
        assert!(sku["reserved"].as_u64() <= sku["stock"].as_u64(), "{sku}");
    }
    // Two hundred years at once are bounded.
    one.advance("1000000h").await;
    books(&one).await;
}

#[tokio::test]
async fn the_books_say_what_is_wrong_with_a_request() {
    let bench = Bench::start().await;
    for (target, status) in [
        ("products", 400),
        ("products?platform=nowhere", 404),
        ("orders?platform=lazada&login=nobody", 404),
        ("orders?platform=lazada&id=x", 400),
    ] {
        assert_eq!(bench.get(&format!("/_sandbox/{target}")).await.status, status, "{target}");
    }
    for (route, body, status) in [
        ("orders", json!({"do": "fly", "order": 1}), 409),
        ("orders", json!({"do": "pay"}), 409),
        ("orders", json!({"do": "pay", "order": 1}), 409),
        ("orders", json!({"do": "create", "lines": []}), 409),
        ("orders", json!([]), 400),
        ("products", json!({"do": "burn"}), 400),
        ("products", json!({"do": "change", "product": 1}), 409),
        ("products", json!({"do": "delete", "product": 1, "force": true}), 400),
    ] {
        let (seen, answer) = post(&bench, route, body.clone()).await;
        assert_eq!(seen, status, "{body} {answer}");
        assert!(!answer["error"].as_str().unwrap().is_empty());
    }
    let page = bench.control("GET", "orders?platform=lazada&offset=118&limit=5", &Json::Null).await;
    assert_eq!((&page["total"], page["orders"].as_array().unwrap().len()), (&json!(120), 2));
}

#[tokio::test]
async fn a_sandbox_that_starts_later_has_orders_of_its_last_days_on_every_platform() {
    let newest = async |now: &str| {
        let now: jiff::Timestamp = now.parse().unwrap();
        let bench = Bench::with(|options| options.now = Some(now)).await;
        let mut ages = Vec::new();
        for platform in ["alibaba", "aliexpress", "aliexpress-legacy", "1688", "lazada", "miravia", "taobao"]
        {
            let books =
                bench.control("GET", &format!("orders?platform={platform}&limit=1000"), &Json::Null).await;
            let created = books["orders"].as_array().unwrap().iter().map(|order| {
                let created: jiff::Timestamp = order["created"].as_str().unwrap().parse().unwrap();
                now.duration_since(created).as_hours()
            });
            let created: Vec<i64> = created.collect();
            assert!(created.iter().all(|hours| *hours >= 0), "{platform}: none is made later than now");
            ages.push((created[0], created.iter().filter(|hours| **hours < 7 * 24).count()));
        }
        ages
    };
    let first = newest("2026-11-21T12:00:00Z").await;
    assert_eq!(newest("2027-03-05T12:00:00Z").await, first, "moved by whole days, and by nothing else");
    assert!(first.iter().all(|(age, in_a_week)| *age < 5 * 24 && *in_a_week > 1), "{first:?}");
}
