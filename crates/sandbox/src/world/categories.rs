//! The category tree: one tree of things to sell, with the ids of each family of platforms.
//!
//! Ids do not depend on the seed, so that examples and scripts stay true. The tree itself is
//! invented; names of fields and the limits of depth are the vendors'.

use std::sync::LazyLock;

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// The level: 1 at the top.
    pub(super) level: u8,
    /// The name in English.
    pub(super) en: &'static str,
    /// The name in Chinese.
    pub(super) zh: &'static str,
    /// The name in Spanish.
    pub(super) es: &'static str,
    /// The node above.
    pub(super) parent: Option<usize>,
    /// The nodes below.
    pub(super) children: Vec<usize>,
}

/// Platforms that share category ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Alibaba.com.
    Icbu,
    /// AliExpress, old and new gateway.
    AliExpress,
    /// Lazada, Daraz, Miravia.
    Lazada,
    /// 1688: exactly three levels.
    Ali1688,
    /// Taobao and Tmall.
    Taobao,
}

impl Family {
    /// Returns the family of a platform.
    pub(super) fn of(platform: &str) -> Self {
        match platform {
            "alibaba" => Self::Icbu,
            "aliexpress" | "aliexpress-legacy" => Self::AliExpress,
            "1688" => Self::Ali1688,
            "taobao" => Self::Taobao,
            _ => Self::Lazada,
        }
    }

    /// Returns the depth below which nothing is listed.
    fn depth(self) -> u8 {
        if self == Self::Ali1688 { 3 } else { 4 }
    }

    /// Returns the id of the first node and the step to the next.
    ///
    /// ICBU's pencils are 21110712 and AliExpress' apparel is 3, as in the vendors' samples.
    fn numbers(self) -> (u64, u64) {
        match self {
            Self::Icbu => (21_110_712 - 8 * PENCILS, 8),
            Self::AliExpress => (3, 100_003),
            Self::Lazada => (6_588 - 53 * SOCKS, 53),
            Self::Ali1688 => (1_031_910, 11),
            Self::Taobao => (50_000_557, 13),
        }
    }

    /// Returns the id of a node.
    pub(super) fn id(self, node: usize) -> u64 {
        let (first, step) = self.numbers();
        first + step * node as u64
    }

    /// Returns the node of an id.
    pub(super) fn node(self, id: u64) -> Option<usize> {
        let (first, step) = self.numbers();
        let offset = id.checked_sub(first)?;
        let at = usize::try_from(offset / step).ok()?;
        let node = TREE.get(at)?;
        (offset % step == 0 && node.level <= self.depth()).then_some(at)
    }

    /// Returns the listed nodes below a node, or at the top.
    pub(super) fn children(self, node: Option<usize>) -> impl Iterator<Item = usize> {
        let below: &[usize] = node.map_or(TOP.as_slice(), |at| TREE[at].children.as_slice());
        below.iter().copied().filter(move |at| TREE[*at].level <= self.depth())
    }

    /// Tells whether products may be put there.
    pub(super) fn is_leaf(self, node: usize) -> bool {
        TREE[node].children.is_empty() || TREE[node].level == self.depth()
    }

    /// Returns all nodes where products may be put.
    pub(super) fn leaves(self) -> Vec<usize> {
        (0..TREE.len()).filter(|at| TREE[*at].level <= self.depth() && self.is_leaf(*at)).collect()
    }
}

/// Returns the way from the top down to a node, itself included.
pub(super) fn way(node: usize) -> Vec<usize> {
    let mut way = vec![node];
    while let Some(parent) = way.last().and_then(|at| TREE[*at].parent) {
        way.push(parent);
    }
    way.reverse();
    way
}

/// Returns the node at the top of the branch that `node` is on.
pub(super) fn branch(node: usize) -> usize {
    let mut top = node;
    while let Some(parent) = TREE[top].parent {
        top = parent;
    }
    top
}

/// All nodes, each parent before its children.
pub(super) static TREE: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let mut tree: Vec<Node> = Vec::with_capacity(NAMES.len());
    let mut open: Vec<usize> = Vec::new();
    for (at, &(level, en, zh, es)) in NAMES.iter().enumerate() {
        open.truncate(usize::from(level) - 1);
        let parent = open.last().copied();
        if let Some(parent) = parent {
            tree[parent].children.push(at);
        }
        tree.push(Node { level, en, zh, es, parent, children: Vec::new() });
        open.push(at);
    }
    tree
});

static TOP: LazyLock<Vec<usize>> =
    LazyLock::new(|| (0..TREE.len()).filter(|at| TREE[*at].parent.is_none()).collect());

const SOCKS: u64 = 12;
const PENCILS: u64 = 47;

#[rustfmt::skip]
const NAMES: &[(u8, &str, &str, &str)] = &[
    (1, "Apparel", "服装", "Ropa"),
    (2, "Women's Clothing", "女装", "Ropa de mujer"),
    (3, "Dresses", "连衣裙", "Vestidos"),
    (4, "Casual Dresses", "休闲连衣裙", "Vestidos casuales"),
    (4, "Evening Dresses", "晚礼服", "Vestidos de noche"),
    (3, "Blouses", "女式衬衫", "Blusas"),
    (2, "Men's Clothing", "男装", "Ropa de hombre"),
    (3, "T-Shirts", "T恤", "Camisetas"),
    (3, "Jackets", "夹克", "Chaquetas"),
    (4, "Down Jackets", "羽绒服", "Plumíferos"),
    (4, "Denim Jackets", "牛仔外套", "Chaquetas vaqueras"),
    (3, "Trousers", "长裤", "Pantalones"),
    (2, "Socks", "袜子", "Calcetines"),
    (3, "Long Socks", "长筒袜", "Calcetines largos"),
    (3, "Ankle Socks", "船袜", "Calcetines tobilleros"),
    (1, "Consumer Electronics", "消费电子", "Electrónica"),
    (2, "Audio", "音频设备", "Audio"),
    (3, "Earphones", "耳机", "Auriculares"),
    (4, "Wireless Earbuds", "无线耳机", "Auriculares inalámbricos"),
    (4, "Wired Earphones", "有线耳机", "Auriculares con cable"),
    (3, "Speakers", "音箱", "Altavoces"),
    (2, "Phone Accessories", "手机配件", "Accesorios de móvil"),
    (3, "Phone Cases", "手机壳", "Fundas de móvil"),
    (3, "Chargers", "充电器", "Cargadores"),
    (3, "Data Cables", "数据线", "Cables de datos"),
    (2, "Smart Home", "智能家居", "Hogar inteligente"),
    (3, "Smart Plugs", "智能插座", "Enchufes inteligentes"),
    (3, "Security Cameras", "监控摄像头", "Cámaras de seguridad"),
    (1, "Home & Garden", "家居园艺", "Hogar y jardín"),
    (2, "Kitchenware", "厨房用品", "Menaje de cocina"),
    (3, "Cookware", "锅具", "Ollas y sartenes"),
    (4, "Frying Pans", "煎锅", "Sartenes"),
    (4, "Woks", "炒锅", "Woks"),
    (3, "Kitchen Knives", "厨刀", "Cuchillos de cocina"),
    (3, "Tea Sets", "茶具", "Juegos de té"),
    (2, "Bedding", "床上用品", "Ropa de cama"),
    (3, "Quilts", "被子", "Edredones"),
    (3, "Pillows", "枕头", "Almohadas"),
    (2, "Garden Supplies", "园艺用品", "Jardinería"),
    (3, "Planters", "花盆", "Macetas"),
    (3, "Watering Cans", "洒水壶", "Regaderas"),
    (1, "Office & School Supplies", "办公文教", "Oficina y escuela"),
    (2, "Paper Products", "纸制品", "Papelería"),
    (3, "Notebooks", "笔记本", "Cuadernos"),
    (3, "Sticky Notes", "便利贴", "Notas adhesivas"),
    (2, "Writing Instruments", "书写工具", "Instrumentos de escritura"),
    (3, "Fountain Pens", "钢笔", "Plumas estilográficas"),
    (3, "Pencils", "铅笔", "Lápices"),
    (3, "Markers", "记号笔", "Rotuladores"),
    (1, "Toys & Games", "玩具", "Juguetes"),
    (2, "Educational Toys", "益智玩具", "Juguetes educativos"),
    (3, "Building Blocks", "积木", "Bloques de construcción"),
    (3, "Puzzles", "拼图", "Rompecabezas"),
    (2, "Plush Toys", "毛绒玩具", "Peluches"),
    (3, "Teddy Bears", "泰迪熊", "Ositos de peluche"),
    (3, "Plush Pandas", "熊猫公仔", "Pandas de peluche"),
    (1, "Lights & Lighting", "灯具照明", "Iluminación"),
    (2, "Indoor Lighting", "室内照明", "Iluminación interior"),
    (3, "Table Lamps", "台灯", "Lámparas de mesa"),
    (3, "Ceiling Lights", "吸顶灯", "Lámparas de techo"),
    (2, "Outdoor Lighting", "户外照明", "Iluminación exterior"),
    (3, "Solar Lights", "太阳能灯", "Luces solares"),
    (4, "Solar Street Lights", "太阳能路灯", "Farolas solares"),
    (4, "Solar Garden Lights", "太阳能庭院灯", "Luces solares de jardín"),
    (3, "String Lights", "灯串", "Guirnaldas de luces"),
    (1, "Auto Parts", "汽车配件", "Recambios de coche"),
    (2, "Exterior Parts", "外部配件", "Piezas exteriores"),
    (3, "Car Mirrors", "后视镜", "Espejos de coche"),
    (3, "Wiper Blades", "雨刮片", "Escobillas"),
    (2, "Engine Parts", "发动机配件", "Piezas de motor"),
    (3, "Air Filters", "空气滤清器", "Filtros de aire"),
    (3, "Spark Plugs", "火花塞", "Bujías"),
    (1, "Beauty", "美妆", "Belleza"),
    (2, "Skin Care", "护肤", "Cuidado de la piel"),
    (3, "Face Masks", "面膜", "Mascarillas faciales"),
    (3, "Face Serums", "精华液", "Sérums faciales"),
    (2, "Make-up", "彩妆", "Maquillaje"),
    (3, "Lipsticks", "口红", "Pintalabios"),
    (3, "Make-up Brushes", "化妆刷", "Brochas de maquillaje"),
    (1, "Sports & Outdoors", "运动户外", "Deportes"),
    (2, "Cycling", "骑行", "Ciclismo"),
    (3, "Bike Helmets", "骑行头盔", "Cascos de bicicleta"),
    (3, "Bike Lights", "自行车灯", "Luces de bicicleta"),
    (2, "Camping", "露营", "Acampada"),
    (3, "Tents", "帐篷", "Tiendas de campaña"),
    (3, "Sleeping Bags", "睡袋", "Sacos de dormir"),
    (2, "Fitness", "健身", "Fitness"),
    (3, "Yoga Mats", "瑜伽垫", "Esterillas de yoga"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILIES: [Family; 5] =
        [Family::Icbu, Family::AliExpress, Family::Lazada, Family::Ali1688, Family::Taobao];

    #[test]
    fn the_samples_of_the_vendors_are_there() {
        assert_eq!(Family::Icbu.node(21_110_712).map(|at| TREE[at].en), Some("Pencils"));
        assert_eq!(Family::AliExpress.node(3).map(|at| TREE[at].en), Some("Apparel"));
        assert_eq!(Family::Lazada.node(6_588).map(|at| TREE[at].en), Some("Socks"));
    }

    #[test]
    fn every_node_is_reached_once_from_the_top() {
        for family in FAMILIES {
            let mut seen = Vec::new();
            let mut open: Vec<usize> = family.children(None).collect();
            while let Some(at) = open.pop() {
                assert_eq!(family.node(family.id(at)), Some(at));
                assert_eq!(way(at).len(), usize::from(TREE[at].level));
                assert_eq!(family.is_leaf(at), family.children(Some(at)).next().is_none());
                seen.push(at);
                open.extend(family.children(Some(at)));
            }
            seen.sort_unstable();
            let listed: Vec<usize> = (0..TREE.len()).filter(|at| TREE[*at].level <= family.depth()).collect();
            assert_eq!(seen, listed, "{family:?}");
            assert_eq!(family.node(0), None);
            assert_eq!(family.node(u64::MAX), None);
        }
        assert!(Family::Ali1688.leaves().iter().all(|at| TREE[*at].level <= 3));
    }
}
