//! Attributes of categories: what a schema asks for and what products say.

use super::{
    categories::{TREE, branch},
    words::{COLORS, Language, MATERIALS},
};

/// How an attribute is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Free text.
    Input,
    /// A number with at most two decimals.
    Decimal,
    /// One of the options.
    Single,
    /// One of the options, or a text of one's own (value -1 with `inputValue`).
    SingleOrOwn,
    /// Some of the options.
    Multi,
    /// One of the options, and the choice decides which attribute follows.
    Cascade,
}

/// An option of an attribute: value id, English, Chinese, Spanish.
pub(super) type Choice = (u32, &'static str, &'static str, &'static str);

/// An attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    /// The id; a schema's field is `p-<id>`.
    pub(super) id: u32,
    /// The name in English.
    pub(super) en: &'static str,
    /// The name in Chinese.
    pub(super) zh: &'static str,
    /// How it is filled in.
    pub(super) kind: Kind,
    /// Whether a product must have it.
    pub(super) required: bool,
    /// The options.
    pub(super) choices: &'static [Choice],
}

impl Attribute {
    /// Returns the name in a language; Spanish pages of the vendors show English names here.
    pub(super) fn name(&self, language: Language) -> &'static str {
        if language == Language::Chinese { self.zh } else { self.en }
    }
}

/// Returns a choice's name in a language.
pub(super) fn choice_name(choice: &Choice, language: Language) -> &'static str {
    match language {
        Language::English => choice.1,
        Language::Chinese => choice.2,
        Language::Spanish => choice.3,
    }
}

/// The next step of a cascade: shown once `value` was chosen for the attribute `of`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The attribute above.
    pub(super) of: u32,
    /// The value chosen there.
    pub(super) value: u32,
    /// The attribute that follows.
    pub(super) then: Attribute,
}

/// The attribute "Color" of SKUs.
pub(super) const COLOR: u32 = 191_288_010;
/// The attribute "Material".
pub(super) const MATERIAL: u32 = 10;
/// The attribute "Place of Origin", top of a cascade.
pub(super) const ORIGIN: u32 = 1;
/// The attribute "Brand Name".
pub(super) const BRAND: u32 = 2;
/// The attribute "Model Number".
pub(super) const MODEL: u32 = 3;
const PROVINCE: u32 = 351;
const CITY: u32 = 352;
const MAKE: u32 = 501;
const CAR_MODEL: u32 = 502;
const YEAR: u32 = 503;

/// Returns the attributes of a leaf category, without the later steps of cascades.
pub(super) fn of_category(node: usize) -> impl Iterator<Item = &'static Attribute> {
    let top = TREE[branch(node)].en;
    COMMON
        .iter()
        .chain(BY_BRANCH.iter().filter(move |(name, _)| *name == top).flat_map(|(_, list)| list.iter()))
}

/// Returns the attribute that follows a choice.
pub(super) fn next_step(attribute: u32, value: u32) -> Option<&'static Attribute> {
    STEPS.iter().find(|step| step.of == attribute && step.value == value).map(|step| &step.then)
}

/// Tells whether an attribute is one of a cascade's.
pub(super) fn is_cascade(attribute: u32) -> bool {
    STEPS.iter().any(|step| step.of == attribute)
}

/// Returns every attribute there is, in a fixed order.
pub(super) fn all() -> impl Iterator<Item = &'static Attribute> {
    COMMON
        .iter()
        .chain(BY_BRANCH.iter().flat_map(|(_, list)| list.iter()))
        .chain(STEPS.iter().map(|step| &step.then))
}

/// Returns a material's value id.
pub(super) fn material_id(at: usize) -> u32 {
    MATERIAL_CHOICES[at].0
}

const fn attribute(
    id: u32,
    en: &'static str,
    zh: &'static str,
    kind: Kind,
    required: bool,
    choices: &'static [Choice],
) -> Attribute {
    Attribute { id, en, zh, kind, required, choices }
}

const MATERIAL_CHOICES: &[Choice] = &{
    let mut list: [Choice; 10] = [(0, "", "", ""); 10];
    let mut at = 0;
    while at < list.len() {
        #[expect(clippy::cast_possible_truncation, reason = "ten materials")]
        let id = 101 + at as u32;
        list[at] = (id, MATERIALS[at].0, MATERIALS[at].1, MATERIALS[at].2);
        at += 1;
    }
    list
};

const COLOR_CHOICES: &[Choice] = &{
    let mut list: [Choice; 6] = [(0, "", "", ""); 6];
    let mut at = 0;
    while at < list.len() {
        let color = COLORS[at];
        list[at] = (color.0, color.1, color.2, color.3);
        at += 1;
    }
    list
};

#[rustfmt::skip]
const COMMON: &[Attribute] = &[
    attribute(ORIGIN, "Place of Origin", "原产地", Kind::Cascade, true, &[
        (100_000_001, "China", "中国", "China"), (100_000_002, "India", "印度", "India"), (100_000_003, "Viet Nam", "越南", "Vietnam"),
        (100_000_004, "Spain", "西班牙", "España"), (100_000_005, "Türkiye", "土耳其", "Turquía"),
    ]),
    attribute(BRAND, "Brand Name", "品牌", Kind::Input, true, &[]),
    attribute(MODEL, "Model Number", "型号", Kind::Input, true, &[]),
    attribute(MATERIAL, "Material", "材质", Kind::SingleOrOwn, true, MATERIAL_CHOICES),
    attribute(COLOR, "Color", "颜色", Kind::Multi, false, COLOR_CHOICES),
    attribute(60, "Certification", "认证", Kind::Multi, false, &[
        (6_001, "CE", "CE", "CE"), (6_002, "RoHS", "RoHS", "RoHS"), (6_003, "FSC", "FSC", "FSC"), (6_004, "ISO 9001", "ISO 9001", "ISO 9001"),
    ]),
];

#[rustfmt::skip]
const BY_BRANCH: &[(&str, &[Attribute])] = &[
    ("Apparel", &[
        attribute(20, "Season", "季节", Kind::Multi, true, &[
            (2_001, "Spring", "春季", "Primavera"), (2_002, "Summer", "夏季", "Verano"), (2_003, "Autumn", "秋季", "Otoño"), (2_004, "Winter", "冬季", "Invierno"),
        ]),
        attribute(21, "Fabric Weight", "面料克重", Kind::Decimal, false, &[]),
        attribute(22, "Pattern Type", "图案", Kind::Single, false, &[
            (2_201, "Solid", "纯色", "Liso"), (2_202, "Striped", "条纹", "Rayas"), (2_203, "Floral", "花卉", "Flores"),
        ]),
    ]),
    ("Consumer Electronics", &[
        attribute(30, "Power Source", "电源", Kind::Single, true, &[
            (3_001, "Battery", "电池", "Batería"), (3_002, "USB", "USB", "USB"), (3_003, "Mains", "市电", "Red eléctrica"),
        ]),
        attribute(31, "Voltage", "电压", Kind::Decimal, false, &[]),
    ]),
    ("Home & Garden", &[
        attribute(35, "Room Space", "适用空间", Kind::Multi, false, &[
            (3_501, "Kitchen", "厨房", "Cocina"), (3_502, "Bedroom", "卧室", "Dormitorio"), (3_503, "Patio", "庭院", "Patio"),
        ]),
    ]),
    ("Office & School Supplies", &[
        attribute(37, "Lead Hardness", "铅芯硬度", Kind::Single, false, &[
            (3_701, "HB", "HB", "HB"), (3_702, "2B", "2B", "2B"), (3_703, "4H", "4H", "4H"),
        ]),
    ]),
    ("Toys & Games", &[
        attribute(40, "Age Range", "适用年龄", Kind::Single, true, &[
            (4_001, "0 to 24 Months", "0-24个月", "0 a 24 meses"), (4_002, "2 to 4 Years", "2-4岁", "2 a 4 años"), (4_003, "5 to 7 Years", "5-7岁", "5 a 7 años"),
        ]),
    ]),
    ("Lights & Lighting", &[
        attribute(45, "Color Temperature", "色温", Kind::Single, true, &[
            (4_501, "Warm White", "暖白", "Blanco cálido"), (4_502, "Cold White", "冷白", "Blanco frío"),
        ]),
        attribute(46, "Luminous Flux", "光通量", Kind::Decimal, false, &[]),
    ]),
    ("Auto Parts", &[
        attribute(MAKE, "Car Make", "汽车品牌", Kind::Cascade, true, &[
            (5_101, "Toyota", "丰田", "Toyota"), (5_102, "SEAT", "西雅特", "SEAT"),
        ]),
    ]),
    ("Beauty", &[
        attribute(48, "Skin Type", "肤质", Kind::Multi, false, &[
            (4_801, "Dry", "干性", "Seca"), (4_802, "Oily", "油性", "Grasa"), (4_803, "Sensitive", "敏感", "Sensible"),
        ]),
    ]),
    ("Sports & Outdoors", &[
        attribute(49, "Sport", "运动项目", Kind::Single, false, &[
            (4_901, "Cycling", "骑行", "Ciclismo"), (4_902, "Camping", "露营", "Acampada"), (4_903, "Yoga", "瑜伽", "Yoga"),
        ]),
    ]),
];

#[rustfmt::skip]
const STEPS: &[Step] = &[
    Step { of: ORIGIN, value: 100_000_001, then: attribute(PROVINCE, "Province", "省份", Kind::Cascade, true, &[
        (35_101, "Guangdong", "广东", "Cantón"), (35_102, "Zhejiang", "浙江", "Zhejiang"), (35_103, "Shanghai", "上海", "Shanghái"),
    ]) },
    Step { of: ORIGIN, value: 100_000_002, then: attribute(PROVINCE, "State", "邦", Kind::Single, true, &[
        (35_121, "Gujarat", "古吉拉特", "Guyarat"), (35_122, "Punjab", "旁遮普", "Punyab"),
    ]) },
    Step { of: PROVINCE, value: 35_101, then: attribute(CITY, "City", "城市", Kind::Single, false, &[
        (35_201, "Shenzhen", "深圳", "Shenzhen"), (35_202, "Guangzhou", "广州", "Guangzhou"),
    ]) },
    Step { of: PROVINCE, value: 35_102, then: attribute(CITY, "City", "城市", Kind::Single, false, &[
        (35_211, "Yiwu", "义乌", "Yiwu"), (35_212, "Ningbo", "宁波", "Ningbo"),
    ]) },
    Step { of: MAKE, value: 5_101, then: attribute(CAR_MODEL, "Car Model", "车型", Kind::Cascade, true, &[
        (5_201, "Corolla", "卡罗拉", "Corolla"), (5_202, "Hilux", "海拉克斯", "Hilux"),
    ]) },
    Step { of: MAKE, value: 5_102, then: attribute(CAR_MODEL, "Car Model", "车型", Kind::Single, true, &[
        (5_211, "León", "雷昂", "León"), (5_212, "Ibiza", "伊比萨", "Ibiza"),
    ]) },
    Step { of: CAR_MODEL, value: 5_201, then: attribute(YEAR, "Year", "年份", Kind::Multi, false, &[
        (5_301, "2019-2022", "2019-2022", "2019-2022"), (5_302, "2023-", "2023-", "2023-"),
    ]) },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::categories::Family;

    #[test]
    fn cascades_lead_somewhere_and_values_are_unique() {
        for step in STEPS {
            let above: Vec<_> = all().filter(|a| a.id == step.of).collect();
            assert!(
                above.iter().any(|a| a.kind == Kind::Cascade && a.choices.iter().any(|c| c.0 == step.value))
            );
        }
        let mut values: Vec<u32> = all().flat_map(|a| a.choices.iter().map(|c| c.0)).collect();
        let count = values.len();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), count);
    }

    #[test]
    fn every_leaf_asks_for_something() {
        for leaf in Family::Icbu.leaves() {
            assert!(of_category(leaf).filter(|a| a.required).count() >= 4);
        }
        for (name, _) in BY_BRANCH {
            assert!(TREE.iter().any(|node| node.level == 1 && node.en == *name), "{name}");
        }
    }
}
