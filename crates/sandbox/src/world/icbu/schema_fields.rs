//! The root fields of a product schema, as data.
//!
//! Ids are those seen live or in clients; rules and options are invented in their manner.

/// A field of the schema language.
pub(super) struct Field {
    /// The id.
    pub(super) id: &'static str,
    /// The name in English.
    pub(super) en: &'static str,
    /// The name in Chinese.
    pub(super) zh: &'static str,
    /// The type: `input`, `multiInput`, `singleCheck`, `multiCheck`, `complex`, `multiComplex`, `label`.
    pub(super) kind: &'static str,
    /// The rules.
    pub(super) rules: &'static [Rule],
    /// The options: value, English, Chinese.
    pub(super) options: &'static [(&'static str, &'static str, &'static str)],
    /// The fields inside.
    pub(super) fields: &'static [Field],
}

/// A rule of a field.
pub(super) struct Rule {
    /// The name.
    pub(super) name: &'static str,
    /// The value.
    pub(super) value: &'static str,
    /// The unit, where the rule has one.
    pub(super) unit: &'static str,
    /// `exProperty`, where the rule has one.
    pub(super) ex: &'static str,
    /// When it applies: field, symbol, value; all must hold.
    pub(super) when: &'static [(&'static str, &'static str, &'static str)],
}

const fn rule(name: &'static str, value: &'static str) -> Rule {
    Rule { name, value, unit: "", ex: "", when: &[] }
}

const fn length(name: &'static str, value: &'static str, unit: &'static str) -> Rule {
    Rule { name, value, unit, ex: "include", when: &[] }
}

const fn bound(name: &'static str, value: &'static str, ex: &'static str) -> Rule {
    Rule { name, value, unit: "", ex, when: &[] }
}

const fn needed_when(when: &'static [(&'static str, &'static str, &'static str)]) -> Rule {
    Rule { name: "requiredRule", value: "true", unit: "", ex: "", when }
}

const fn disabled_when(when: &'static [(&'static str, &'static str, &'static str)]) -> Rule {
    Rule { name: "disableRule", value: "true", unit: "", ex: "", when }
}

const fn field(
    id: &'static str,
    en: &'static str,
    zh: &'static str,
    kind: &'static str,
    rules: &'static [Rule],
) -> Field {
    Field { id, en, zh, kind, rules, options: &[], fields: &[] }
}

const fn check(
    id: &'static str,
    en: &'static str,
    zh: &'static str,
    kind: &'static str,
    rules: &'static [Rule],
    options: &'static [(&'static str, &'static str, &'static str)],
) -> Field {
    Field { id, en, zh, kind, rules, options, fields: &[] }
}

const fn complex(
    id: &'static str,
    en: &'static str,
    zh: &'static str,
    kind: &'static str,
    rules: &'static [Rule],
    fields: &'static [Field],
) -> Field {
    Field { id, en, zh, kind, rules, options: &[], fields }
}

const REQUIRED: Rule = rule("requiredRule", "true");
const TEXT: Rule = rule("valueTypeRule", "text");
const INTEGER: Rule = rule("valueTypeRule", "integer");
const DECIMAL: Rule = rule("valueTypeRule", "decimal");
const OVER_ZERO: Rule = bound("minValueRule", "0", "not include");
const TWO_DIGITS: Rule = rule("maxDecimalDigitsRule", "2");
const IMAGE: &[Rule] = &[
    rule("valueTypeRule", "url"),
    Rule { name: "maxTargetSizeRule", value: "5", unit: "mb", ex: "include", when: &[] },
];
const UNITS: &[(&str, &str, &str)] =
    &[("20", "Piece/Pieces", "件"), ("14", "Pair/Pairs", "双"), ("22", "Set/Sets", "套")];

/// What comes before the attributes of the category.
#[rustfmt::skip]
pub(super) const BEFORE: &[Field] = &[
    field("productTitle", "Product name", "产品名称", "input", &[
        REQUIRED, TEXT, length("maxLengthRule", "128", "character"),
        rule("tipRule", "Say what it is, what it is for, and \"why this one\" <in that order> & keep it short."),
    ]),
    complex("productKeywords", "Product keywords", "产品关键词", "complex", &[length("maxLengthRule", "384", "byte")], &[
        field("productKeywords_0", "Keyword 1", "关键词1", "input", &[REQUIRED, TEXT, length("maxLengthRule", "128", "byte")]),
        field("productKeywords_1", "Keyword 2", "关键词2", "input", &[TEXT, length("maxLengthRule", "128", "byte")]),
        field("productKeywords_2", "Keyword 3", "关键词3", "input", &[TEXT, length("maxLengthRule", "128", "byte")]),
    ]),
    complex("scImages", "Product images", "产品图片", "complex", &[REQUIRED], &[
        field("scImages_0", "Image 1", "图片1", "input", &[REQUIRED, rule("valueTypeRule", "url")]),
        field("scImages_1", "Image 2", "图片2", "input", IMAGE),
        field("scImages_2", "Image 3", "图片3", "input", IMAGE),
        field("scImages_3", "Image 4", "图片4", "input", IMAGE),
        field("scImages_4", "Image 5", "图片5", "input", IMAGE),
        field("scImages_5", "Image 6", "图片6", "input", IMAGE),
    ]),
];

/// What comes after them.
#[rustfmt::skip]
pub(super) const AFTER: &[Field] = &[
    check("market", "Market", "交易方式", "singleCheck", &[REQUIRED], &[("wholesale", "Ready to ship", "直接下单"), ("sourcing", "Customization", "非直接下单")]),
    check("saleType", "Sale type", "售卖方式", "singleCheck", &[REQUIRED], &[("normal", "By unit", "按计量单位"), ("batch", "By lot", "按批次")]),
    check("priceUnit", "Price unit", "价格单位", "singleCheck", &[REQUIRED], UNITS),
    field("batchNumber", "Pieces in a lot", "每批数量", "input", &[INTEGER, OVER_ZERO, needed_when(&[("saleType", "==", "batch")]), disabled_when(&[("saleType", "!=", "batch")])]),
    check("scPrice", "Price setting", "价格设置", "singleCheck", &[REQUIRED], &[("ladderPrice", "By quantity", "按数量报价"), ("skuPrice", "By SKU", "按规格报价"), ("fob", "FOB range", "FOB报价")]),
    complex("ladderPrice", "Ladder price", "阶梯价", "multiComplex", &[
        needed_when(&[("scPrice", "==", "ladderPrice")]), disabled_when(&[("scPrice", "!=", "ladderPrice")]),
        rule("minInputNumRule", "1"), rule("maxInputNumRule", "4"),
    ], &[
        field("quantity", "From quantity", "起订量", "input", &[REQUIRED, INTEGER, OVER_ZERO]),
        field("price", "Price", "价格", "input", &[REQUIRED, DECIMAL, OVER_ZERO, bound("maxValueRule", "10000000", "include"), TWO_DIGITS]),
    ]),
    complex("fob", "FOB price", "FOB价格", "complex", &[needed_when(&[("scPrice", "==", "fob")]), disabled_when(&[("scPrice", "!=", "fob")])], &[
        field("fobMinPrice", "From", "最低价", "input", &[REQUIRED, DECIMAL, OVER_ZERO, TWO_DIGITS]),
        field("fobMaxPrice", "To", "最高价", "input", &[REQUIRED, DECIMAL, OVER_ZERO, TWO_DIGITS]),
        check("fobUnit", "Unit", "单位", "singleCheck", &[REQUIRED], UNITS),
    ]),
    field("minOrderQuantity", "Minimum order", "最小起订量", "input", &[REQUIRED, INTEGER, bound("minValueRule", "1", "include")]),
    complex("ladderPeriod", "Lead time", "发货期", "multiComplex", &[needed_when(&[("market", "==", "wholesale")]), rule("maxInputNumRule", "3")], &[
        field("quantity", "Up to quantity", "数量上限", "input", &[REQUIRED, INTEGER, OVER_ZERO]),
        field("day", "Days", "天数", "input", &[REQUIRED, INTEGER, bound("minValueRule", "1", "include"), bound("maxValueRule", "90", "include")]),
    ]),
    complex("pkgMeasure", "Package size", "包装尺寸", "complex", &[needed_when(&[("market", "==", "wholesale")])], &[
        field("pkgLength", "Length (cm)", "长(厘米)", "input", &[REQUIRED, DECIMAL, OVER_ZERO]),
        field("pkgWidth", "Width (cm)", "宽(厘米)", "input", &[REQUIRED, DECIMAL, OVER_ZERO]),
        field("pkgHeight", "Height (cm)", "高(厘米)", "input", &[REQUIRED, DECIMAL, OVER_ZERO]),
    ]),
    field("pkgWeight", "Package weight (kg)", "包装重量(公斤)", "input", &[needed_when(&[("market", "==", "wholesale")]), DECIMAL, OVER_ZERO, rule("maxDecimalDigitsRule", "3")]),
    complex("shippingTemplate", "Shipping template", "运费模板", "complex", &[needed_when(&[("market", "==", "wholesale")])], &[
        check("shippingTemplateId", "Template", "模板", "singleCheck", &[REQUIRED, rule("asyncQueryRule", "true")], &[("2041723009", "Default", "默认模板")]),
    ]),
    check("logisticsMode", "Logistics mode", "物流模式", "singleCheck", &[], &[("platform", "Platform", "平台物流"), ("own", "Own carrier", "自有物流")]),
    check("logisticsProperty", "Logistics properties", "物流属性", "multiCheck", &[], &[("general", "General cargo", "普货"), ("battery", "Contains a battery", "带电"), ("liquid", "Liquid", "液体")]),
    complex("marketSample", "Samples", "样品", "complex", &[], &[
        check("sampleEnabled", "Offer samples", "提供样品", "singleCheck", &[], &[("true", "Yes", "是"), ("false", "No", "否")]),
        field("samplePrice", "Sample price", "样品价", "input", &[DECIMAL, OVER_ZERO, TWO_DIGITS, needed_when(&[("sampleEnabled", "==", "true")])]),
    ]),
    field("boxPackaging", "Packaging", "包装描述", "input", &[TEXT, length("maxLengthRule", "500", "character")]),
    field("port", "Port", "港口", "input", &[TEXT, length("maxLengthRule", "50", "character"), needed_when(&[("market", "==", "sourcing"), ("scPrice", "==", "fob")])]),
    check("paymentMethod", "Payment methods", "付款方式", "multiCheck", &[rule("minInputNumRule", "1")], &[("T/T", "T/T", "电汇"), ("L/C", "L/C", "信用证"), ("D/P", "D/P", "付款交单"), ("Western Union", "Western Union", "西联汇款")]),
    complex("supplyAbility", "Supply ability", "供货能力", "complex", &[], &[
        field("supplyQuantity", "Quantity", "数量", "input", &[INTEGER, OVER_ZERO]),
        check("supplyUnit", "Unit", "单位", "singleCheck", &[], UNITS),
        check("supplyPeriod", "Each", "周期", "singleCheck", &[], &[("Month", "Month", "月"), ("Year", "Year", "年")]),
    ]),
    check("productDescType", "Detail type", "详情类型", "singleCheck", &[REQUIRED], &[("1", "Plain editing", "普通编辑"), ("2", "Structured", "智能编辑")]),
    field("superText", "Detail text", "详情描述", "input", &[
        rule("valueTypeRule", "html"), length("maxLengthRule", "60000", "character"), needed_when(&[("productDescType", "==", "1")]),
        Rule { name: "regxRule", value: "[\\w.+-]+@[\\w-]+\\.[\\w.]+", unit: "", ex: "not include", when: &[] },
    ]),
    field("textDesc", "Text", "文字描述", "input", &[rule("valueTypeRule", "textarea"), length("maxLengthRule", "2000", "character"), disabled_when(&[("productDescType", "!=", "2")])]),
    field("detailImage", "Detail images", "详情图片", "multiInput", &[rule("valueTypeRule", "url"), rule("maxInputNumRule", "30"), disabled_when(&[("productDescType", "!=", "2")])]),
    field("companyDesc", "Company", "公司介绍", "input", &[rule("valueTypeRule", "textarea"), length("maxLengthRule", "2000", "character")]),
    complex("companyFaqDesc", "FAQ", "常见问题", "multiComplex", &[rule("maxInputNumRule", "10")], &[
        field("question", "Question", "问题", "input", &[REQUIRED, TEXT, length("maxLengthRule", "200", "character")]),
        field("answer", "Answer", "回答", "input", &[REQUIRED, TEXT, length("maxLengthRule", "1000", "character")]),
    ]),
    field("companyImage", "Company images", "公司图片", "multiInput", &[rule("valueTypeRule", "url"), rule("maxInputNumRule", "10")]),
    field("imageVideo", "Main video", "主图视频", "input", &[rule("valueTypeRule", "long"), rule("devTipRule", "The id of a video of the video bank; one video on 20 products at most.")]),
    field("detailVideo", "Detail video", "详情视频", "input", &[rule("valueTypeRule", "long"), rule("devTipRule", "One video on 200 details at most.")]),
    field("productCertificate", "Certificates", "产品证书", "multiInput", &[rule("valueTypeRule", "url"), rule("maxInputNumRule", "5")]),
    complex("customMoreProperty", "More attributes", "自定义属性", "multiComplex", &[rule("maxInputNumRule", "10")], &[
        field("name", "Name", "属性名", "input", &[REQUIRED, TEXT, length("maxLengthRule", "40", "character")]),
        field("value", "Value", "属性值", "input", &[REQUIRED, TEXT, length("maxLengthRule", "70", "character")]),
    ]),
    field("productGroup", "Product group", "产品分组", "input", &[rule("valueTypeRule", "long")]),
    check("displayStatus", "Shown", "展示", "singleCheck", &[rule("readOnlyRule", "true")], &[("Y", "Yes", "是"), ("N", "No", "否")]),
    field("productQuality", "Quality of information", "信息质量", "label", &[]),
];
