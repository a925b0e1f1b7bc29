//! The world answers with the fields and types of the catalog, and says where it does not.

use std::collections::BTreeSet;

use serde_json::Value;
use sesame_catalog::{Catalog, Field, Type};
use sesame_sandbox::fixtures::Fixtures;

use crate::fixture_support::payload;

type Call = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Calls that succeed; `MODULE` stands for the id of a detail module.
#[rustfmt::skip]
const CALLS: &[Call] = &[
    ("alibaba", "/alibaba/icbu/product/list", &[("page_size", "30")]),
    ("alibaba", "/icbu/product/get", &[("product_get_request", r#"{"productId":1600107214049}"#)]),
    ("alibaba", "/icbu/product/category/get", &[("cat_id", "21110712")]),
    ("alibaba", "/alibaba/icbu/category/id/mapping", &[("convert_type", "1"), ("cat_id", "21110712")]),
    ("alibaba", "/icbu/product/schema/level/get", &[("cat_id", "21110712"), ("language", "en_US"), ("xml", "<itemSchema/>")]),
    ("alibaba", "/alibaba/icbu/product/schema/get", &[("cat_id", "21110712"), ("language", "en_US")]),
    ("alibaba", "/alibaba/icbu/product/group/get", &[("group_id", "-1")]),
    ("alibaba", "/alibaba/icbu/product/group/get", &[("group_id", "780")]),
    ("alibaba", "/icbu/product/photobank/group/list", &[]),
    ("alibaba", "/icbu/product/photobank/list", &[("groupId", "0"), ("currentPage", "1"), ("pageSize", "20")]),
    ("alibaba", "/alibaba/icbu/category/get/v2", &[]),
    ("alibaba", "/alibaba/icbu/category/attribute/get/v2", &[("category_id", "21110712")]),
    ("alibaba", "/alibaba/icbu/product/id/encrypt", &[("product_id", "5")]),
    ("alibaba", "/alibaba/order/list", &[("role", "seller")]),
    ("alibaba", "/alibaba/icbu/product/search/v2", &[]),
    ("alibaba", "/icbu/product/inventory/get", &[("product_id", "1600107214049"), ("language", "en_US")]),
    ("alibaba", "/icbu/product/inventory/update", &[("product_id", "1600107214049"), ("inventory_list", r#"[{"sku_id":105613018158,"inventory_code":"CN","inventory":1,"operate":"plus"}]"#)]),
    ("alibaba", "/icbu/product/edit-inventory", &[("product_id", "1600107214049"), ("sku_inventory", r#"[{"sku_id":105613018158,"inventory":9}]"#)]),
    ("alibaba", "/icbu/product/edit-price", &[("product_id", "1600107214049"), ("sku_price", r#"[{"sku_id":105613018158,"price":"9.00"}]"#)]),
    ("alibaba", "/icbu/product/update/display", &[("product_id_list", "1600107214049"), ("new_display", "on")]),
    ("alibaba", "/alibaba/icbu/product/batch/update/status", &[("product_id_list", "1600107214049,1"), ("action", "online")]),
    ("alibaba", "/alibaba/icbu/product/delete", &[("product_id_list", "1600107224049,1")]),
    ("alibaba", "/alibaba/order/get", &[("e_trade_id", "191234567001020304"), ("data_select", "statusAction,draft_role")]),
    ("alibaba", "/alibaba/order/fund/query", &[("e_trade_id", "191234567001020304")]),
    ("alibaba", "/order/logistics/query", &[("trade_id", "191234567001020304")]),
    ("alibaba", "/order/logistics/tracking/get", &[("trade_id", "191234567001020304")]),
    ("aliexpress", "aliexpress.solution.product.list.get", &[("aeop_a_e_product_list_query", r#"{"product_status_type":"offline"}"#)]),
    ("aliexpress", "aliexpress.solution.product.list.get", &[("aeop_a_e_product_list_query", r#"{"product_status_type":"onSelling"}"#)]),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductDetailModuleListByQurey", &[("moduleStatus", "approved"), ("pageIndex", "1")]),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductModuleById", &[("moduleId", "MODULE")]),
    ("aliexpress-legacy", "aliexpress.open:api.findProductInfoListQuery", &[("productStatusType", "onSelling")]),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductById", &[("productId", "32800000001")]),
    ("aliexpress-legacy", "aliexpress.open:api.getChildrenPostCategoryById", &[("cateId", "0")]),
    ("aliexpress-legacy", "aliexpress.open:api.getPostCategoryById", &[("cateId", "3")]),
    ("lazada", "/products/get", &[("limit", "50")]),
    ("lazada", "/product/item/get", &[("item_id", "2512345678")]),
    ("lazada", "/category/tree/get", &[]),
    ("lazada", "/seller/get", &[]),
    ("lazada", "/orders/get", &[("created_after", "2020-01-01T00:00:00Z"), ("limit", "100")]),
    ("1688", "com.alibaba.product:alibaba.product.list.get", &[("pageSize", "50")]),
    ("1688", "com.alibaba.product:alibaba.category.get", &[("categoryID", "0")]),
    ("1688", "com.alibaba.product:alibaba.product.get", &[("productID", "600123456789")]),
    ("1688", "com.alibaba.product:alibaba.product.modifyStock", &[("productStockChange", r#"[{"productId":600123456789,"skuStocks":[{"skuId":"3012345678901","stockChange":1}]}]"#)]),
    ("1688", "com.alibaba.product:alibaba.product.expire", &[("productIds", "600123456789")]),
    ("1688", "com.alibaba.product:alibaba.product.repost", &[("productIds", "600123456789")]),
    ("1688", "com.alibaba.product:alibaba.product.delete", &[("productID", "600123466789")]),
    ("1688", "com.alibaba.trade:alibaba.trade.getSellerOrderList", &[("pageSize", "50"), ("needBuyerAddressAndPhone", "true")]),
    ("1688", "com.alibaba.trade:alibaba.trade.get.buyerView", &[("orderId", "1234567890123456789")]),
    ("1688", "com.alibaba.trade:alibaba.trade.cancel", &[("tradeID", "1234567890123456799")]),
    ("1688", "com.alibaba.logistics:alibaba.trade.getLogisticsInfos.buyerView", &[("orderId", "1234567890123456789")]),
    ("1688", "com.alibaba.logistics:alibaba.trade.getLogisticsTraceInfo.buyerView", &[("orderId", "1234567890123456789")]),
    ("taobao", "taobao.items.onsale.get", &[("fields", "approve_status,iid,num_iid,title,nick,type,cid,seller_cids,pic_url,num,props,valid_thru,list_time,price,has_discount,has_invoice,has_warranty,has_showcase,modified,delist_time,postage_id,outer_id,is_ex,is_virtual,is_taobao,sold_quantity,is_cspu,first_starts_time")]),
    ("taobao", "taobao.time.get", &[]),
];

/// Where the world knowingly differs from the catalog's records.
#[rustfmt::skip]
const EXCEPT: &[&str] = &[
    // An object without members on GOP, a number on TOP: the number says something.
    "alibaba /alibaba/icbu/category/id/mapping /result/mapping_result: an object is documented",
    // What does not apply is left out.
    "aliexpress aliexpress.solution.product.list.get /result/aeop_a_e_product_display_d_t_o_list/coupon_end_date: missing",
    "aliexpress aliexpress.solution.product.list.get /result/aeop_a_e_product_display_d_t_o_list/coupon_start_date: missing",
    "aliexpress aliexpress.solution.product.list.get /result/aeop_a_e_product_display_d_t_o_list/ws_display: missing",
    "aliexpress aliexpress.solution.product.list.get /result/error_code: missing",
    "aliexpress aliexpress.solution.product.list.get /result/error_message: missing",
    "aliexpress aliexpress.solution.product.list.get /result/error_msg: missing",
    "lazada /product/item/get /data/variation/variation2: missing",
    "lazada /product/item/get /data/variation/variation3: missing",
    "lazada /product/item/get /data/variation/variation4: missing",
    // The document of GOP calls the page `curr_page`, and so does the live gateway.
    "alibaba /alibaba/icbu/product/list /result/curr_page: not documented",
    "alibaba /alibaba/icbu/product/list /result/current_page: missing",
    // Live replies of the V2 calls do not have them, or not where they do not apply.
    "alibaba /alibaba/icbu/product/search/v2 /message: missing",
    "alibaba /alibaba/icbu/product/search/v2 /msg_code: missing",
    "alibaba /alibaba/icbu/product/search/v2 /product_info/logistics_info/desi: missing",
    "alibaba /alibaba/icbu/product/search/v2 /trace_id: missing",
    // What does not apply is left out.
    "1688 com.alibaba.trade:alibaba.trade.get.buyerView /result/guaranteesTerms: missing",
    "1688 com.alibaba.trade:alibaba.trade.get.buyerView /result/internationalLogistics: missing",
    "1688 com.alibaba.trade:alibaba.trade.get.buyerView /result/orderInvoiceInfo: missing",
    "1688 com.alibaba.trade:alibaba.trade.get.buyerView /result/orderRateInfo: missing",
    "1688 com.alibaba.trade:alibaba.trade.getSellerOrderList /result/guaranteesTerms: missing",
    "1688 com.alibaba.trade:alibaba.trade.getSellerOrderList /result/internationalLogistics: missing",
    "1688 com.alibaba.trade:alibaba.trade.getSellerOrderList /result/orderInvoiceInfo: missing",
    "1688 com.alibaba.trade:alibaba.trade.getSellerOrderList /result/orderRateInfo: missing",
    // Recorded replies have numbers, and a boolean.
    "lazada /orders/get /data/orders/gift_option: String is documented",
    "lazada /orders/get /data/orders/order_id: String is documented",
    "lazada /orders/get /data/orders/order_number: String is documented",
    "lazada /orders/get /data/orders/shipping_fee: String is documented",
    "lazada /orders/get /data/orders/voucher: String is documented",
    "lazada /orders/get /data/orders/voucher_platform: String is documented",
    "lazada /orders/get /data/orders/voucher_seller: String is documented",
    // The tree is deeper than the sample.
    "lazada /category/tree/get /data/children/children: not documented",
];

#[test]
fn answers_have_the_documented_fields_and_types() {
    let odd = compare(CALLS);
    let expected: BTreeSet<String> = EXCEPT.iter().map(|line| (*line).to_owned()).collect();
    let surprises: Vec<&String> = odd.symmetric_difference(&expected).collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
}

/// Calls whose pages leave out much that does not apply; what they have is documented.
#[rustfmt::skip]
const PARTS: &[Call] = &[
    ("aliexpress", "aliexpress.solution.product.info.get", &[("product_id", "1005006000000001")]),
    ("aliexpress", "aliexpress.solution.order.get", &[("order_status_list", "FINISH,WAIT_SELLER_SEND_GOODS")]),
    ("aliexpress", "aliexpress.solution.order.info.get", &[("param1", r#"{"order_id":8100000000000003}"#)]),
    ("aliexpress", "aliexpress.solution.order.receiptinfo.get", &[("param1", r#"{"order_id":8100000000000003}"#)]),
    ("aliexpress", "aliexpress.solution.order.delivery.info.get", &[("single_order_query", r#"{"order_id":8100000000000003}"#)]),
    ("aliexpress", "aliexpress.logistics.redefining.listlogisticsservice", &[]),
    ("aliexpress", "aliexpress.ds.product.get", &[("product_id", "1005006000000001"), ("ship_to_country", "US")]),
    ("aliexpress", "aliexpress.ds.order.tracking.get", &[("ae_order_id", "8100000000000003"), ("language", "en_US")]),
    ("aliexpress", "aliexpress.trade.ds.order.get", &[("single_order_query", r#"{"order_id":8100000000000003}"#)]),
    ("aliexpress", "aliexpress.ds.trade.order.get", &[("order_id", "8100000000000003")]),
    ("aliexpress-legacy", "aliexpress.open:api.findOrderListQuery", &[("page", "1"), ("pageSize", "50")]),
    ("aliexpress-legacy", "aliexpress.open:api.findOrderById", &[("orderId", "80000000000003")]),
    ("aliexpress-legacy", "aliexpress.open:api.findOrderReceiptInfo", &[("orderId", "80000000000003")]),
    ("taobao", "taobao.items.inventory.get", &[("fields", "num_iid,approve_status,outer_id,num,price,modified")]),
    ("taobao", "taobao.item.seller.get", &[("fields", "num_iid,num,skus,created,with_hold_quantity,desc"), ("num_iid", "520813250866")]),
    ("taobao", "taobao.item.skus.get", &[("fields", "sku_id,iid,num_iid,properties,properties_name,quantity,price,outer_id,created,modified,status"), ("num_iids", "520813250866")]),
    ("taobao", "taobao.trades.sold.get", &[("fields", "tid,status,payment,created,modified,pay_time,receiver_name,oaid,orders")]),
    ("taobao", "taobao.trade.fullinfo.get", &[("fields", "tid,status,payment,seller_memo,orders"), ("tid", "2231958349123456791")]),
    ("taobao", "taobao.logistics.trace.search", &[("tid", "2231958349123456791")]),
    ("taobao", "taobao.refunds.receive.get", &[("fields", "refund_id,tid,oid,status,refund_fee,created,modified,good_status,has_good_return,reason,sku,outer_id")]),
];

/// What live replies have and the documents do not, or documents of siblings.
#[rustfmt::skip]
const PARTS_EXCEPT: &[&str] = &[
    "aliexpress aliexpress.ds.product.get /result/ae_item_sku_info_dtos/price_include_tax: not documented",
    "aliexpress aliexpress.ds.product.get /result/ae_item_sku_info_dtos/sku_attr: not documented",
    // The samples have numbers.
    "aliexpress-legacy aliexpress.open:api.findOrderById /orderAmount/amount: Decimal is documented",
    "aliexpress-legacy aliexpress.open:api.findOrderListQuery /result/orderList/payAmount/amount: Decimal is documented",
    "aliexpress-legacy aliexpress.open:api.findOrderListQuery /result/orderList/productList/logisticsAmount/amount: Decimal is documented",
    "aliexpress-legacy aliexpress.open:api.findOrderListQuery /result/orderList/productList/productUnitPrice/amount: Decimal is documented",
    "aliexpress-legacy aliexpress.open:api.findOrderListQuery /result/orderList/productList/totalProductAmount/amount: Decimal is documented",
];

#[test]
fn pages_have_only_documented_fields_in_the_documented_types() {
    let odd = compare(PARTS).into_iter().filter(|what| !what.ends_with(": missing"));
    let odd: BTreeSet<String> = odd.collect();
    let expected: BTreeSet<String> = PARTS_EXCEPT.iter().map(|line| (*line).to_owned()).collect();
    let surprises: Vec<&String> = odd.symmetric_difference(&expected).collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
}

fn compare(calls: &[Call]) -> BTreeSet<String> {
    let catalog = Catalog::builtin();
    let world = Fixtures::generate(1, 1, 60);
    let module = first_module(&world);
    let mut odd = BTreeSet::new();
    for (platform, name, args) in calls {
        let args: Vec<(&str, &str)> = args
            .iter()
            .map(|(name, value)| (*name, if *value == "MODULE" { module.as_str() } else { *value }))
            .collect();
        let api = catalog.api(platform, name).unwrap();
        assert!(api.known, "{platform} {name}");
        let answer = payload(&world, platform, name, &args);
        let mut found = Vec::new();
        object(&api.response, &answer, "", &mut found);
        odd.extend(found.into_iter().map(|what| format!("{platform} {name} {what}")));
    }
    odd
}

fn first_module(world: &Fixtures) -> String {
    let args = [("moduleStatus", "approved"), ("pageIndex", "1")];
    let api = "aliexpress.open:api.findAeProductDetailModuleListByQurey";
    payload(world, "aliexpress-legacy", api, &args)["aeopDetailModuleList"][0]["id"].to_string()
}

fn object(fields: &[Field], value: &Value, path: &str, odd: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        odd.push(format!("{path}: an object is documented"));
        return;
    };
    // Without documented members anything goes.
    if fields.is_empty() {
        return;
    }
    for field in fields {
        let path = format!("{path}/{}", field.name);
        match members.get(&field.name) {
            None => odd.push(format!("{path}: missing")),
            Some(Value::Null) => {}
            Some(Value::Array(items)) if field.list => {
                for item in items {
                    single(field, item, &path, odd);
                }
            }
            Some(_) if field.list => odd.push(format!("{path}: a list is documented")),
            Some(value) => single(field, value, &path, odd),
        }
    }
    for name in members.keys().filter(|name| fields.iter().all(|field| field.name != **name)) {
        odd.push(format!("{path}/{name}: not documented"));
    }
}

fn single(field: &Field, value: &Value, path: &str, odd: &mut Vec<String>) {
    let fits = match field.kind {
        Type::String | Type::Date | Type::Decimal | Type::Json | Type::Xml => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Object => return object(&field.children, value, path, odd),
        Type::Bytes => false,
    };
    if !fits {
        odd.push(format!("{path}: {:?} is documented", field.kind));
    }
}
