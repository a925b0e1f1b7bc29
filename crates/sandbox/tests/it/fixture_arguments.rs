//! Whatever a caller sends, the world answers with JSON or refuses; it never panics.

use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;
use sesame_sandbox::{
    ReplyStyle,
    fixtures::{FixtureCall, Fixtures},
};

static WORLD: LazyLock<Fixtures> = LazyLock::new(|| Fixtures::generate(11, 1, 40));

const APIS: &[(&str, &str)] = &[
    ("alibaba", "/alibaba/icbu/product/list"),
    ("alibaba", "alibaba.icbu.product.list"),
    ("alibaba", "/icbu/product/get"),
    ("alibaba", "alibaba.icbu.product.get"),
    ("alibaba", "/icbu/product/category/get"),
    ("alibaba", "/alibaba/icbu/category/id/mapping"),
    ("alibaba", "/icbu/product/schema/level/get"),
    ("alibaba", "/alibaba/icbu/product/schema/get"),
    ("alibaba", "alibaba.icbu.product.schema.get"),
    ("alibaba", "/alibaba/icbu/product/group/get"),
    ("alibaba", "/icbu/product/photobank/group/list"),
    ("alibaba", "/icbu/product/photobank/list"),
    ("alibaba", "/alibaba/order/list"),
    ("alibaba", "/alibaba/icbu/product/get/v2"),
    ("alibaba", "/alibaba/icbu/product/search/v2"),
    ("alibaba", "/alibaba/icbu/product/id/encrypt"),
    ("alibaba", "alibaba.icbu.product.id.decrypt"),
    ("alibaba", "/alibaba/icbu/category/get/v2"),
    ("alibaba", "/alibaba/icbu/category/attribute/get/v2"),
    ("aliexpress", "aliexpress.solution.product.list.get"),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductDetailModuleListByQurey"),
    ("aliexpress-legacy", "aliexpress.open:api.findProductInfoListQuery"),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductById"),
    ("aliexpress-legacy", "aliexpress.open:api.getChildrenPostCategoryById"),
    ("aliexpress-legacy", "aliexpress.open:api.findAeProductModuleById"),
    ("aliexpress-legacy", "aliexpress.open:api.getPostCategoryById"),
    ("aliexpress-legacy", "aliexpress.open:api.getAttributesResultByCateId"),
    ("aliexpress-legacy", "aliexpress.open:api.getChildAttributesResultByPostCateIdAndPath"),
    ("lazada", "/products/get"),
    ("lazada", "/product/item/get"),
    ("daraz", "/category/attributes/get"),
    ("miravia", "/seller/get"),
    ("daraz", "/category/tree/get"),
    ("miravia", "/orders/get"),
    ("1688", "com.alibaba.product:alibaba.product.list.get"),
    ("1688", "com.alibaba.product:alibaba.category.get"),
    ("1688", "system:currentTime"),
    ("taobao", "taobao.items.onsale.get"),
    ("taobao", "taobao.time.get"),
];

const NAMES: &[&str] = &[
    "current_page",
    "page_size",
    "subject",
    "category_id",
    "group_id1",
    "group_id2",
    "group_id3",
    "id",
    "gmt_modified_from",
    "gmt_modified_to",
    "product_get_request",
    "product_id",
    "cat_id",
    "convert_type",
    "attribute_id",
    "attribute_value_id",
    "xml",
    "language",
    "param_product_top_publish_request",
    "group_id",
    "groupId",
    "currentPage",
    "pageSize",
    "role",
    "start_page",
    "status",
    "create_date_start",
    "modified_date_end",
    "aeop_a_e_product_list_query",
    "moduleStatus",
    "type",
    "pageIndex",
    "productStatusType",
    "exceptedProductIds",
    "offLineTime",
    "wsDisplay",
    "productId",
    "cateId",
    "filter",
    "offset",
    "limit",
    "update_after",
    "update_before",
    "created_after",
    "sku_seller_list",
    "language_code",
    "sort_by",
    "sort_direction",
    "pageNo",
    "statusList",
    "startModifyTime",
    "categoryId",
    "cargoNumber",
    "fields",
    "page_no",
    "q",
    "cid",
    "seller_cids",
    "order_by",
    "has_discount",
    "start_modified",
    "parent_category_id",
    "moduleId",
    "parentAttrValueList",
    "item_id",
    "primary_category_id",
    "page_index",
    "model_number",
    "sku_code",
    "sku_id",
    "categoryID",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|number| number.to_string()),
        (0_u32..60).prop_map(|number| number.to_string()),
        "[0-9]{1,30}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{4})?",
        r#"\{"(productId|cat_id|product_status_type|page_size|date_str|date_timestamp)":("?[0-9a-zA-Z]{0,12}"?|\[\])\}"#,
        r"\[[0-9,]{0,8}\]",
        r"\[\[[0-9]{1,3},[0-9]{1,9}\]\]",
        "<(itemSchema|field id=\"p-[0-9]{1,3}\")>(<value>[0-9]{0,9}</value>)?</?(field|itemSchema)>",
        Just("onSelling".to_owned()),
        Just("approved".to_owned()),
        Just("seller".to_owned()),
        Just("title,num_iid,price".to_owned()),
        Just("21110712".to_owned()),
        Just("en_US".to_owned()),
        Just("2026-01-01T00:00:00+0800".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_arguments_get_json_or_a_refusal(
        api in 0..APIS.len(),
        args in proptest::collection::vec((prop_oneof![9 => (0..NAMES.len()).prop_map(|at| NAMES[at].to_owned()), 1 => any::<String>()], value()), 0..8),
        with_shop in 0_u8..8,
        version in 0_u32..4,
        now in -1_000_000_000_i64..4_000_000_000,
    ) {
        let (platform, api) = APIS[api];
        let shop = (with_shop > 0)
            .then(|| WORLD.shops().iter().position(|shop| shop.platform == platform).unwrap());
        let now = Timestamp::from_second(now).unwrap();
        let call = FixtureCall { platform, api, version, shop, args: &args, now, style: ReplyStyle::Recorded, url: "", check: None };
        match WORLD.answer(&call) {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                prop_assert!(!error.code.is_empty() && !error.message.is_empty() && error.origin == "ISV");
            }
            None => prop_assert!(false, "no fixtures are behind {api}"),
        }
        // The same question has the same answer.
        prop_assert_eq!(WORLD.answer(&call), WORLD.answer(&call));
    }
}
