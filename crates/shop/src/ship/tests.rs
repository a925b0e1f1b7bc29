//! What a shipment begins with, on each platform and in each state of an order.

use serde_json::{Value as Json, json, value::RawValue};
use sesame_catalog::{Action, Catalog};

use super::{
    ShipRequest, call,
    flow::{Flow, open},
};
use crate::{Order, OrderLine, OrderPackage, Stage};

fn line(id: &str, status: &str, stage: Stage, package: &str) -> OrderLine {
    OrderLine {
        id: id.to_owned(),
        sku: String::new(),
        product: String::new(),
        title: String::new(),
        quantity: "1".to_owned(),
        price: String::new(),
        status: status.to_owned(),
        stage,
        package: package.to_owned(),
        carrier: String::new(),
        tracking: String::new(),
    }
}

fn order(lines: Vec<OrderLine>) -> Order {
    let text = String::new;
    Order {
        id: "900".to_owned(),
        shop: "shop".to_owned(),
        status: lines[0].status.clone(),
        stage: lines[0].stage,
        created: text(),
        updated: text(),
        paid: text(),
        ship_by: text(),
        total: text(),
        currency: text(),
        buyer: text(),
        lines,
        packages: Vec::new(),
        raw: RawValue::NULL.to_owned(),
    }
}

fn action(platform: &str, name: &str) -> Action {
    Catalog::builtin().action(platform, name).unwrap()
}

fn flow(platform: &str, name: &str) -> Flow {
    let mut steps = vec![action(platform, name)];
    while let Some(next) = steps.last().and_then(|step| step.next.clone()) {
        steps.push(action(platform, &next));
    }
    Flow { steps }
}

fn args(platform: &str, name: &str, order: &Order, asked: &ShipRequest) -> Json {
    let lines: Vec<&OrderLine> =
        order.lines.iter().filter(|line| asked.lines.is_empty() || asked.lines.contains(&line.id)).collect();
    Json::Object(call::arguments(&action(platform, name), order, &lines, asked).unwrap())
}

#[test]
fn each_platform_gets_its_own_arguments() {
    let two =
        order(vec![line("1", "pending", Stage::ToShip, "F9"), line("2", "pending", Stage::ToShip, "F9")]);
    let plain = ShipRequest::new("900");
    assert_eq!(
        args("lazada", "order-ship", &two, &plain),
        json!({"packReq": {"delivery_type": "dropship", "shipping_allocate_type": "TFS",
            "pack_order_list": [{"order_id": 900, "order_item_list": [1, 2]}]}})
    );
    // One package, however many lines are in it.
    assert_eq!(
        args("daraz", "order-ready", &two, &plain),
        json!({"readyToShipReq": {"packages": [{"package_id": "F9"}]}})
    );
    let declared = ShipRequest::new("900").carrier(Some("DHL".to_owned())).tracking(Some("T1".to_owned()));
    assert_eq!(
        args("lazada", "order-ship-carrier", &two, &declared)["packReq"]["shipment_provider_code"],
        "DHL"
    );
    assert_eq!(
        args("aliexpress", "order-ship", &two, &declared),
        json!({"send_type": "all", "out_ref": 900, "service_name": "DHL", "logistics_no": "T1"})
    );
    let part = declared.clone().lines(["2".to_owned()]);
    assert_eq!(args("aliexpress", "order-ship-part", &two, &part)["send_type"], "part");
    assert_eq!(
        args("taobao", "order-ship-part", &two, &part),
        json!({"is_split": 1, "tid": 900, "company_code": "DHL", "out_sid": "T1", "sub_tid": [2]})
    );
    assert_eq!(args("taobao", "order-ship-dummy", &two, &plain), json!({"tid": 900}));
}

#[test]
fn a_shipment_goes_on_where_the_order_is() {
    let flow = flow("lazada", "order-ship");
    let asked = ShipRequest::new("900");
    // What is open in each step, for the states of two lines.
    for (states, expected) in [
        (["pending", "repacked"], [2, 0]),
        (["pending", "packed"], [1, 1]),
        (["packed", "packed"], [0, 2]),
        (["packed", "ready_to_ship"], [0, 1]),
        (["ready_to_ship", "shipped"], [0, 0]),
    ] {
        let stage = |word: &str| match word {
            "pending" | "repacked" => Stage::ToShip,
            "shipped" => Stage::Shipped,
            _ => Stage::Packed,
        };
        let lines = (1..).zip(states).map(|(id, word)| line(&id.to_string(), word, stage(word), ""));
        let order = order(lines.collect());
        let (lines, notes) = flow.select(&asked, &order).unwrap();
        let found: Vec<usize> = flow
            .steps
            .iter()
            .enumerate()
            .map(|(nth, step)| open(step, nth, &asked, &order, &lines).len())
            .collect();
        assert_eq!(found, expected, "{states:?}");
        assert_eq!(notes.len(), usize::from(expected == [1, 1]), "half-packed is said: {notes:?}");
    }
}

#[test]
fn what_cannot_be_shipped_is_said_with_the_lines_that_can() {
    let flow = flow("lazada", "order-ship");
    let order = order(vec![
        line("1", "pending", Stage::ToShip, ""),
        line("2", "canceled", Stage::Cancelled, ""),
        line("3", "unpaid", Stage::Unpaid, ""),
    ]);
    let error = flow.select(&ShipRequest::new("900"), &order).unwrap_err();
    assert!(error.message().contains("line 3") && error.hint().unwrap().contains("--lines 1."), "{error:?}");
    let error = flow.select(&ShipRequest::new("900").lines(["2".to_owned()]), &order).unwrap_err();
    assert!(error.message().contains("cancelled line 2"), "{error}");
    let error = flow.select(&ShipRequest::new("900").lines(["7".to_owned()]), &order).unwrap_err();
    assert!(error.message().contains("no line 7") && error.hint().unwrap().contains("1, 2, 3"), "{error:?}");
    let (lines, notes) = flow.select(&ShipRequest::new("900").lines(["1".to_owned()]), &order).unwrap();
    assert_eq!((lines, notes.len()), (vec!["1".to_owned()], 0));
}

#[test]
fn a_part_that_was_declared_is_not_declared_again() {
    let flow = flow("aliexpress", "order-ship-part");
    let mut order = order(vec![line("1", "SELLER_PART_SEND_GOODS", Stage::PartlyShipped, "")]);
    let asked = ShipRequest::new("900").carrier(Some("DHL".to_owned())).tracking(Some("T1".to_owned()));
    let left = |order: &Order| open(&flow.steps[0], 0, &asked, order, &["1".to_owned()]).len();
    assert_eq!(left(&order), 1);
    order.packages.push(OrderPackage {
        id: String::new(),
        carrier: "DHL".to_owned(),
        tracking: "T1".to_owned(),
    });
    assert_eq!(left(&order), 0);
}
