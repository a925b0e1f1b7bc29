//! Words for invented names and titles, in the languages that sellers write.

use super::{
    categories::{Node, TREE},
    random::Random,
};

/// The language of a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
    /// Spanish.
    Spanish,
}

/// Something a product is made of or does: English, Chinese, Spanish.
type Word = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const STYLES: &[Word] = &[
    ("Premium", "高端", "premium"), ("Wholesale", "批发", "al por mayor"), ("Custom Logo", "定制LOGO", "con logotipo"),
    ("Eco-Friendly", "环保", "ecológicos"), ("Portable", "便携式", "portátiles"), ("Classic", "经典", "clásicos"),
    ("Hot Selling", "热销", "más vendidos"), ("Luxury", "轻奢", "de lujo"), ("Mini", "迷你", "mini"),
    ("Vintage", "复古", "vintage"), ("Handmade", "手工", "hechos a mano"), ("Lightweight", "轻便", "ligeros"),
    ("Factory Direct", "厂家直销", "de fábrica"), ("2026 New", "2026新款", "novedad 2026"), ("Kids'", "儿童", "infantiles"),
    ("Professional", "专业级", "profesionales"),
];

#[rustfmt::skip]
pub(super) const MATERIALS: &[Word] = &[
    ("Bamboo", "竹制", "bambú"), ("Stainless Steel", "不锈钢", "acero inoxidable"), ("Cotton", "纯棉", "algodón"),
    ("Silicone", "硅胶", "silicona"), ("Aluminum", "铝合金", "aluminio"), ("Wood", "实木", "madera"),
    ("Ceramic", "陶瓷", "cerámica"), ("Polyester", "涤纶", "poliéster"), ("Leather", "真皮", "cuero"),
    ("Glass", "玻璃", "vidrio"),
];

#[rustfmt::skip]
const USES: &[Word] = &[
    ("for Gifts", "送礼", "para regalo"), ("for Home Use", "家用", "para casa"), ("for Travel", "旅行", "de viaje"),
    ("with Gift Box", "礼盒装", "con caja de regalo"), ("Low MOQ", "一件代发", "pedido mínimo bajo"),
    ("OEM & ODM", "支持OEM&ODM", "OEM & ODM"), ("for Outdoor", "户外", "para exteriores"), ("Set of 6", "6件套", "juego de 6"),
];

/// Colors: attribute value id, English, Chinese, Spanish, and the mark of the swatch.
#[rustfmt::skip]
pub(super) const COLORS: &[(u32, &str, &str, &str, &str)] = &[
    (3_327_837, "Red", "红色", "Rojo", "#FF0000"), (3_331_185, "Blue", "蓝色", "Azul", "#0000FF"),
    (3_330_995, "Green", "绿色", "Verde", "#008000"), (3_332_122, "Black", "黑色", "Negro", "#000000"),
    (3_331_001, "White", "白色", "Blanco", "#FFFFFF"), (3_327_901, "Pink", "粉色", "Rosa", "#FFC0CB"),
];

/// Invents the title of the product at `place` in its shop.
///
/// Some places get what breaks careless readers, whatever the seed: quotes, an ampersand and a
/// backslash, characters of four bytes.
pub(super) fn title(random: &mut Random, language: Language, node: usize, place: usize) -> String {
    let style = random.pick(STYLES);
    let material = random.pick(MATERIALS);
    let thing = &TREE[node];
    let usage = random.pick(USES);
    let mut title = match language {
        Language::English => format!("{} {} {} {}", style.0, material.0, thing.en, usage.0),
        Language::Chinese => format!("{}{}{} {}", style.1, material.1, thing.zh, usage.1),
        Language::Spanish => format!("{} de {} {} {}", thing.es, material.2, style.2, usage.2),
    };
    match place % 13 {
        2 => title.push_str(" 12\" \"Deluxe\""),
        4 => title.push_str(" <A&B> 50% \\ 3+1=4"),
        6 => title.push_str(match language {
            Language::Chinese => " 𠮷祥款🎁",
            _ => " 🎁✨",
        }),
        9 => {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(title, " {}{:03}", letter(random), random.below(1_000));
        }
        _ => {}
    }
    title
}

/// Returns a name in a language.
pub(super) fn name(node: &Node, language: Language) -> &'static str {
    match language {
        Language::English => node.en,
        Language::Chinese => node.zh,
        Language::Spanish => node.es,
    }
}

/// Returns a capital letter.
pub(super) fn letter(random: &mut Random) -> char {
    char::from(b'A' + u8::try_from(random.below(26)).unwrap_or(0))
}

#[rustfmt::skip]
const FIRST: &[(&str, &str)] = &[
    ("Bright", "明辉"), ("Golden", "金源"), ("Lucky", "福顺"), ("Ocean", "海洋"), ("Sunrise", "晨光"), ("Green", "绿野"),
    ("Silver", "银河"), ("Dragon", "龙腾"), ("River", "江南"), ("Star", "星辰"), ("Jade", "翠玉"), ("Cloud", "云上"),
];
#[rustfmt::skip]
const SECOND: &[(&str, &str)] = &[
    ("Craft", "工艺品"), ("Home", "家居"), ("Trade", "贸易"), ("Style", "服饰"), ("Tech", "科技"), ("Gift", "礼品"),
    ("Light", "照明"), ("Pen", "文具"),
];
const PEOPLE: &[&str] = &[
    "Jane Doe",
    "Li Wei",
    "María José Núñez",
    "Chen Xiaoming",
    "Anh Nguyễn",
    "O'Brien Pat",
    "王芳",
    "Siti Aminah",
];

/// Invents a shop's name: one in Latin letters, one in Chinese.
pub(super) fn shop(random: &mut Random) -> (String, String) {
    let (first, second) = (random.pick(FIRST), random.pick(SECOND));
    (format!("{} {}", first.0, second.0), format!("{}{}", first.1, second.1))
}

/// Invents a person's name.
pub(super) fn person(random: &mut Random) -> &'static str {
    PEOPLE[random.index(PEOPLE.len())]
}
