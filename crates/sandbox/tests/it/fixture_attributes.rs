//! Category attributes, and single things that lists lead to.

use serde_json::{Value, json};
use sesame_sandbox::fixtures::Fixtures;

use crate::fixture_support::{self, list};

fn ask(world: &Fixtures, platform: &str, api: &str, args: &[(&str, &str)]) -> Result<Value, String> {
    fixture_support::ask(world, platform, api, args).map_err(|error| error.code.into_owned())
}

#[test]
fn icbu_v2_walks_down_to_attributes() {
    let world = Fixtures::generate(3, 1, 5);
    let (tree, api) = ("/alibaba/icbu/category/get/v2", "/alibaba/icbu/category/attribute/get/v2");
    let mut open: Vec<Value> = list(&ask(&world, "alibaba", tree, &[]).unwrap(), "/data").clone();
    let mut leaves = 0;
    while let Some(category) = open.pop() {
        let id = category["category_id"].to_string();
        let below = ask(&world, "alibaba", tree, &[("parent_category_id", &id)]).unwrap();
        let attributes = ask(&world, "alibaba", api, &[("category_id", &id)]).unwrap();
        if category["leaf_category"] == "true" {
            leaves += 1;
            assert_eq!(below["msg_code"], "BUSINESS_CATEGORY_NOT_EXIST");
            assert_eq!(attributes["success"], true);
            assert!(list(&attributes, "/data/category_attributes").len() >= 5);
            assert_eq!(list(&attributes, "/data/sale_attributes")[0]["attribute_name"], "Color");
        } else {
            assert_eq!(attributes["success"], false);
            open.extend(list(&below, "/data").clone());
        }
    }
    assert!(leaves > 40);
}

#[test]
fn icbu_ids_are_hidden_and_revealed() {
    let world = Fixtures::generate(3, 1, 5);
    let products = ask(&world, "alibaba", "/alibaba/icbu/product/list", &[]).unwrap();
    for product in list(&products, "/result/products") {
        let id = product["id"].to_string();
        let hidden =
            ask(&world, "alibaba", "/alibaba/icbu/product/id/encrypt", &[("product_id", &id)]).unwrap();
        assert_eq!(hidden["result"]["secret_id"], product["product_id"]);
        let secret = product["product_id"].as_str().unwrap();
        let plain = ask(&world, "alibaba", "alibaba.icbu.product.id.decrypt", &[("product_id", secret)]);
        assert_eq!(plain, Ok(json!({"id": product["id"]})));
    }
    let wrong = ask(&world, "alibaba", "alibaba.icbu.product.id.decrypt", &[("product_id", "abc")]);
    assert_eq!(wrong, Err("InvalidParameter".to_owned()));
}

#[test]
fn legacy_cascades_go_down_by_path() {
    let world = Fixtures::generate(3, 1, 5);
    let get = |api: &str, args: &[(&str, &str)]| {
        ask(&world, "aliexpress-legacy", &format!("aliexpress.open:{api}"), args).unwrap()
    };
    // The first leaf below the top.
    let mut id = "0".to_owned();
    loop {
        let below = get("api.getChildrenPostCategoryById", &[("cateId", &id)]);
        let Some(first) = list(&below, "/aeopPostCategoryList").first().cloned() else { break };
        id = first["id"].to_string();
        let same = get("api.getPostCategoryById", &[("cateId", &id)]);
        assert_eq!(list(&same, "/aeopPostCategoryList"), &vec![first]);
    }
    let all = get("api.getAttributesResultByCateId", &[("cateId", &id)]);
    let origin =
        list(&all, "/attributes").iter().find(|attribute| attribute["names"]["en"] == "Place of Origin");
    let mut path = vec![json!([origin.unwrap()["id"], origin.unwrap()["values"][0]["id"]])];
    let mut names = Vec::new();
    loop {
        let text = Value::Array(path.clone()).to_string();
        let args = [("cateId", id.as_str()), ("parentAttrValueList", text.as_str())];
        let next = get("api.getChildAttributesResultByPostCateIdAndPath", &args);
        let Some(attribute) = list(&next, "/attributes").first() else { break };
        names.push(attribute["names"]["en"].as_str().unwrap().to_owned());
        path.push(json!([attribute["id"], attribute["values"][0]["id"]]));
    }
    assert_eq!(names, ["Province", "City"]);
    assert_eq!(get("api.getAttributesResultByCateId", &[("cateId", "3")])["success"], false);

    let modules =
        get("api.findAeProductDetailModuleListByQurey", &[("moduleStatus", "approved"), ("pageIndex", "1")]);
    for module in list(&modules, "/aeopDetailModuleList") {
        let one = get("api.findAeProductModuleById", &[("moduleId", &module["id"].to_string())]);
        assert_eq!((&one["name"], &one["moduleContents"]), (&module["name"], &module["moduleContents"]));
    }
    let missing =
        ask(&world, "aliexpress-legacy", "aliexpress.open:api.findAeProductModuleById", &[("moduleId", "5")]);
    assert_eq!(missing, Err("14033003".to_owned()));
}

#[test]
fn lazada_rows_lead_to_items_and_attributes() {
    let world = Fixtures::generate(3, 1, 30);
    for platform in ["lazada", "daraz", "miravia"] {
        let products = ask(&world, platform, "/products/get", &[("limit", "50")]).unwrap();
        for product in list(&products, "/data/products") {
            let id = product["item_id"].to_string();
            let item = ask(&world, platform, "/product/item/get", &[("item_id", &id)]).unwrap();
            for (name, value) in product.as_object().unwrap() {
                assert_eq!(&item["data"][name], value, "{name}");
            }
            let category = product["primary_category"].to_string();
            let args = [("primary_category_id", category.as_str())];
            let attributes = ask(&world, platform, "/category/attributes/get", &args).unwrap();
            assert!(list(&attributes, "/data").iter().any(|attribute| attribute["is_sale_prop"] == 1));
        }
        let seller = ask(&world, platform, "/seller/get", &[]).unwrap();
        let shop = world.shops().iter().find(|shop| shop.platform == platform).unwrap();
        assert_eq!(seller["data"]["seller_id"], shop.id);
        assert_eq!(ask(&world, platform, "/product/item/get", &[("item_id", "1")]), Err("208".to_owned()));
        let none = ask(&world, platform, "/category/attributes/get", &[("primary_category_id", "x")]);
        assert_eq!(none, Err("57".to_owned()));
    }
}

#[test]
fn the_tree_of_1688_has_three_levels() {
    let world = Fixtures::generate(3, 1, 5);
    let get = |id: &str| {
        ask(&world, "1688", "com.alibaba.product:alibaba.category.get", &[("categoryID", id)]).unwrap()
    };
    let mut open = vec!["0".to_owned()];
    let mut leaves = 0;
    while let Some(id) = open.pop() {
        let reply = get(&id);
        let node = &list(&reply, "/categoryInfo")[0];
        let children = list(node, "/childIDs");
        assert_eq!(children.is_empty(), node["isLeaf"] == true);
        if children.is_empty() {
            assert_eq!(node["level"], 3);
            leaves += 1;
        }
        open.extend(children.iter().map(Value::to_string));
    }
    assert!(leaves > 30);
    assert!(list(&get("5"), "/categoryInfo").is_empty());
}
