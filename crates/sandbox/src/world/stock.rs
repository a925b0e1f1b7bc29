//! What a shop holds: products, groups, orders, detail modules; made when it is first asked for.

use std::{borrow::Cow, cmp::Reverse};

use jiff::tz::TimeZone;

use super::{
    Shop, ali1688, aliexpress,
    categories::{Family, TREE},
    icbu,
    json::Json,
    lazada,
    orders::{self, Order},
    random::Random,
    taobao,
    times::{self, NEWEST},
    words::{self, Language},
};

/// The most products of a shop; more are not generated.
pub const MOST_PRODUCTS: usize = 1_000_000;

/// What a product is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// On sale.
    Selling = 0,
    /// Taken off by the seller or by time.
    Offline = 1,
    /// Under review.
    Auditing = 2,
    /// Refused by the review.
    Rejected = 3,
}

/// A product, as far as lists filter by it. What only detail pages show follows from `noise`.
#[derive(Debug)]
pub(super) struct Product {
    /// The id.
    pub(super) id: u64,
    /// The title.
    pub(super) title: Box<str>,
    /// The language of the title.
    pub(super) language: Language,
    /// The leaf category, a node of the tree.
    pub(super) node: u16,
    /// The group it is in: an index into [`Stock::groups`].
    pub(super) group: Option<u16>,
    /// Seconds.
    pub(super) created: i64,
    /// Seconds; not before `created`.
    pub(super) modified: i64,
    /// When it went on sale, in seconds.
    pub(super) listed: i64,
    /// The lowest price in cents.
    pub(super) price: u32,
    /// The highest price in cents.
    pub(super) top_price: u32,
    /// The minimum order.
    pub(super) minimum: u32,
    /// Pieces in stock; 0 = sold out.
    pub(super) stock: u32,
    /// What it is doing.
    pub(super) status: Status,
    /// The seed of its details.
    pub(super) noise: u64,
}

impl Product {
    /// Returns the stream from which details are drawn, one for each `purpose`.
    pub(super) fn details(&self, purpose: u64) -> Random {
        Random::new(self.noise, &[purpose])
    }

    /// Returns the URL of its picture at `place`.
    pub(super) fn picture(&self, place: u32) -> String {
        format!("https://img.example.invalid/kf/H{:016x}{place}.jpg", self.noise)
    }

    /// Returns how many pictures it has.
    pub(super) fn pictures(&self) -> u32 {
        1 + self.details(1).below(5)
    }

    /// Returns the seller's own number of SKU `place`.
    pub(super) fn sku_code(&self, place: u32) -> String {
        format!("SKU-{:06}-{}", self.noise % 1_000_000, place + 1)
    }
}

/// A product group or a photo group.
#[derive(Debug)]
pub(super) struct Group {
    /// The id.
    pub(super) id: u64,
    /// The name.
    pub(super) name: String,
    /// The way from level 1 down to this group, itself included; indices.
    pub(super) way: Vec<u16>,
    /// The groups below; indices.
    pub(super) children: Vec<u16>,
}

/// Rows written once, each a JSON object, in one text with commas in between.
#[derive(Debug, Default)]
pub(super) struct Rows {
    text: String,
    starts: Vec<u32>,
}

impl Rows {
    /// Writes rows; stops before the text outgrows 32-bit positions.
    pub(super) fn write(count: usize, mut row: impl FnMut(&mut Json, usize)) -> Self {
        let mut out = Json::default();
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        for at in 0..count {
            row(&mut out, at);
            // The next row starts behind the comma that it will write.
            let Ok(next) = u32::try_from(out.len() + 1) else { break };
            starts.push(next);
        }
        let mut text = out.finish();
        text.shrink_to_fit();
        Self { text, starts }
    }

    /// Returns how many rows there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Returns neighboring rows, commas in between.
    pub(super) fn run(&self, from: usize, to: usize) -> &str {
        if from >= to || to > self.len() {
            return "";
        }
        &self.text[self.starts[from] as usize..self.starts[to] as usize - 1]
    }
}

/// The rows that a call's filters leave, in the platform's order.
#[derive(Debug)]
pub(super) enum Chosen<'a> {
    /// All of this many.
    All(usize),
    /// These.
    Some(Cow<'a, [u32]>),
}

impl Chosen<'_> {
    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(count) => *count,
            Self::Some(list) => list.len(),
        }
    }

    /// Returns the rows of a page; nothing behind the end.
    pub(super) fn page(&self, from: usize, size: usize) -> impl Iterator<Item = usize> {
        let to = from.saturating_add(size).min(self.len());
        (from.min(to)..to).map(move |at| match self {
            Self::All(_) => at,
            Self::Some(list) => list[at] as usize,
        })
    }

    /// Writes a page from rows that were written before.
    pub(super) fn write_page(&self, rows: &Rows, from: usize, size: usize, out: &mut Json) {
        match self {
            Self::All(count) => {
                let to = from.saturating_add(size).min(*count);
                out.raw(rows.run(from.min(to), to));
            }
            Self::Some(_) => {
                for at in self.page(from, size) {
                    out.raw(rows.run(at, at + 1));
                }
            }
        }
    }
}

/// Everything a shop holds.
#[derive(Debug)]
pub(super) struct Stock {
    /// The zone in which its dates are written.
    pub(super) zone: TimeZone,
    /// Product groups, each before those below it.
    pub(super) groups: Vec<Group>,
    /// Photo groups (ICBU).
    pub(super) photo_groups: Vec<Group>,
    /// Products, in the order in which the platform lists them.
    pub(super) products: Vec<Product>,
    /// Their rows in lists.
    pub(super) rows: Rows,
    /// Taobao only: where each member of each row ends.
    pub(super) marks: Vec<u16>,
    /// Orders, newest first (ICBU, Lazada and its siblings).
    pub(super) orders: Vec<Order>,
    /// Their rows in lists.
    pub(super) order_rows: Rows,
    /// Detail modules (AliExpress legacy).
    pub(super) modules: Vec<aliexpress::Module>,
    /// Their rows in lists.
    pub(super) module_rows: Rows,
    by_id: Vec<(u64, u32)>,
    by_status: [Vec<u32>; 4],
}

impl Stock {
    /// Generates what a shop holds. `serial` is its number in the world, `number` that on its
    /// platform.
    pub(super) fn generate(seed: u64, serial: usize, number: usize, shop: &Shop, count: usize) -> Self {
        let count = count.min(MOST_PRODUCTS);
        let mut random = Random::new(seed, &[2, serial as u64]);
        let zone = times::zone(shop.platform, shop.country);
        let groups = product_groups(&mut random, shop, serial);
        let photo_groups = photo_groups(&mut random, serial);
        let mut products = products(&mut random, shop, number, count, groups.len());
        sort(shop.platform, &mut products);

        let mut by_id: Vec<(u64, u32)> =
            products.iter().zip(0..).map(|(product, at): (&Product, u32)| (product.id, at)).collect();
        by_id.sort_unstable();
        let mut by_status: [Vec<u32>; 4] = Default::default();
        for (product, at) in products.iter().zip(0..) {
            by_status[product.status as usize].push(at);
        }
        let orders = orders::generate(&mut random, shop, serial, count);
        let modules = if shop.platform == "aliexpress-legacy" {
            aliexpress::modules(&mut random, serial)
        } else {
            Vec::new()
        };

        let mut stock = Self {
            zone,
            groups,
            photo_groups,
            products,
            rows: Rows::default(),
            marks: Vec::new(),
            orders,
            order_rows: Rows::default(),
            modules,
            module_rows: Rows::default(),
            by_id,
            by_status,
        };
        let mut marks = Vec::new();
        stock.rows = Rows::write(stock.products.len(), |out, at| {
            let product = &stock.products[at];
            match shop.platform {
                "alibaba" => icbu::row(out, shop, &stock, product, icbu::Form::Gop),
                "aliexpress" => aliexpress::solution_row(out, shop, &stock, product),
                "aliexpress-legacy" => aliexpress::legacy_row(out, shop, &stock, product),
                "1688" => ali1688::row(out, &stock, product),
                "taobao" => taobao::row(out, shop, &stock, product, &mut marks),
                _ => lazada::row(out, shop, product),
            }
        });
        stock.marks = marks;
        stock.order_rows = Rows::write(stock.orders.len(), |out, at| {
            let order = &stock.orders[at];
            match shop.platform {
                "alibaba" => icbu::order_row(out, &stock, order),
                _ => lazada::order_row(out, shop, &stock, order),
            }
        });
        stock.module_rows =
            Rows::write(stock.modules.len(), |out, at| aliexpress::module_row(out, shop, &stock.modules[at]));
        stock
    }

    /// Returns the product of an id.
    pub(super) fn product(&self, id: u64) -> Option<&Product> {
        let at = self.by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.products[self.by_id[at].1 as usize])
    }

    /// Returns the products that pass `test`, or all.
    pub(super) fn choose(&self, test: Option<&dyn Fn(&Product) -> bool>) -> Chosen<'_> {
        let Some(test) = test else { return Chosen::All(self.rows.len()) };
        let list = self.products.iter().zip(0..).filter(|(product, _)| test(product)).map(|(_, at)| at);
        Chosen::Some(Cow::Owned(list.collect()))
    }

    /// Returns the products of a status that pass `test`, or all of that status.
    pub(super) fn choose_status(
        &self,
        status: Status,
        test: Option<&dyn Fn(&Product) -> bool>,
    ) -> Chosen<'_> {
        let list = &self.by_status[status as usize];
        let Some(test) = test else { return Chosen::Some(Cow::Borrowed(list)) };
        Chosen::Some(Cow::Owned(
            list.iter().copied().filter(|at| test(&self.products[*at as usize])).collect(),
        ))
    }

    /// Returns the group of a product.
    pub(super) fn group_of(&self, product: &Product) -> Option<&Group> {
        self.groups.get(usize::from(product.group?))
    }
}

/// Tells whether a title matches a search text: every word occurs in it, capitals or not.
///
/// The vendors only say "fuzzy".
pub(super) fn matches_text(title: &str, wanted: &str) -> bool {
    let title = title.to_lowercase();
    wanted.to_lowercase().split_whitespace().all(|word| title.contains(word))
}

fn products(random: &mut Random, shop: &Shop, number: usize, count: usize, groups: usize) -> Vec<Product> {
    // The first product of the first shop has the id of the vendors' samples, whatever the seed:
    // examples can be tried as they are printed.
    let first_id = match shop.platform {
        "alibaba" => 1_600_107_214_049,
        "aliexpress" => 1_005_000_000_000_001,
        "aliexpress-legacy" => 32_800_000_001,
        "1688" => 610_000_000_000,
        "taobao" => 520_000_000_000,
        _ => 2_100_000_000,
    } + number as u64 * 10_000_000_000;
    let leaves = Family::of(shop.platform).leaves();
    // A shop sells a few kinds of things, not everything.
    let kinds: Vec<usize> = (0..6).map(|_| *random.pick(&leaves)).collect();
    // About two years of changes, however many products.
    let gap = u32::try_from(63_000_000 / count.max(1)).unwrap_or(1).max(1);
    let mut modified = NEWEST;
    (0..count)
        .map(|place| {
            // Bulk edits leave the same second on neighbors.
            if !place.is_multiple_of(9) || place.is_multiple_of(18) {
                modified -= i64::from(random.between(1, gap * 2));
            }
            let node = *random.pick(&kinds);
            product(random, shop, place, modified, first_id, node, groups)
        })
        .collect()
}

fn product(
    random: &mut Random,
    shop: &Shop,
    place: usize,
    modified: i64,
    first_id: u64,
    node: usize,
    groups: usize,
) -> Product {
    let listed = modified - i64::from(random.between(0, 20_000_000));
    let price = random.between(45, 9_000) * scale(shop.currency);
    let status = match random.below(100) {
        0..82 => Status::Selling,
        82..90 => Status::Offline,
        90..96 => Status::Auditing,
        _ => Status::Rejected,
    };
    let language = language(shop, place);
    Product {
        // Ids rise with a step that hides the place; below 2^53, so that every reader keeps them.
        id: first_id + place as u64 * 9_973 + if place == 0 { 0 } else { u64::from(random.below(9_973)) },
        title: words::title(random, language, node, place).into(),
        language,
        node: u16::try_from(node).unwrap_or(0),
        group: (groups > 0 && !random.chance(7)).then(|| u16::try_from(random.index(groups)).unwrap_or(0)),
        created: listed - i64::from(random.between(60, 90_000)),
        modified,
        listed,
        price,
        top_price: price + price / 100 * random.below(60),
        minimum: *random.pick(&[1, 2, 10, 50, 100, 500]),
        stock: if random.chance(8) { 0 } else { random.between(1, 9_999) },
        status,
        noise: random.next(),
    }
}

/// Prices in a currency of small units have more digits.
fn scale(currency: &str) -> u32 {
    match currency {
        "VND" | "IDR" => 2_000,
        "PKR" | "LKR" | "MMK" => 200,
        "THB" | "PHP" | "BDT" | "NPR" => 30,
        "CNY" => 5,
        _ => 1,
    }
}

fn language(shop: &Shop, place: usize) -> Language {
    match shop.platform {
        "1688" | "taobao" => Language::Chinese,
        "miravia" => Language::Spanish,
        // Some sellers write titles for one country.
        "alibaba" | "aliexpress" | "aliexpress-legacy" if place % 11 == 7 => Language::Spanish,
        "alibaba" | "lazada" if place % 17 == 3 => Language::Chinese,
        _ => Language::English,
    }
}

/// Puts products in the order in which the platform lists them.
///
/// ICBU lists the newest change first, Taobao the newest listing (both documented); among equals
/// the larger id first is a guess. Lazada's order is not documented: oldest change first, because
/// the advised walk by `update_after` needs that. For the others, the newest change first.
fn sort(platform: &str, products: &mut [Product]) {
    match platform {
        "taobao" => products.sort_unstable_by_key(|product| Reverse((product.listed, product.id))),
        "lazada" | "daraz" | "miravia" => {
            products.sort_unstable_by_key(|product| (product.modified, product.id));
        }
        _ => products.sort_unstable_by_key(|product| Reverse((product.modified, product.id))),
    }
}

fn product_groups(random: &mut Random, shop: &Shop, serial: usize) -> Vec<Group> {
    let language = match shop.platform {
        "1688" | "taobao" => Language::Chinese,
        _ => Language::English,
    };
    // AliExpress and the others have flat groups or two levels; only ICBU's tree is asked for.
    tree_of_groups(random, 780 + serial as u64 * 1_000, |random, level| {
        let node = &TREE[random.index(TREE.len())];
        let name = words::name(node, language);
        match (level, language) {
            (1, _) => name.to_owned(),
            (_, Language::Chinese) => format!("{name} {level}级"),
            _ => format!("{name} / {}", random.between(2_020, 2_026)),
        }
    })
}

fn photo_groups(random: &mut Random, serial: usize) -> Vec<Group> {
    const NAMES: [&str; 6] =
        ["Detail", "Main images", "Factory tour", "Packaging", "详情图", "Fair \"Canton 2026\""];
    tree_of_groups(random, 312_577_503 + serial as u64 * 1_000, |random, _| (*random.pick(&NAMES)).to_owned())
}

fn tree_of_groups(
    random: &mut Random,
    first_id: u64,
    mut name: impl FnMut(&mut Random, usize) -> String,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open: Vec<Vec<u16>> = vec![Vec::new()];
    while let Some(above) = open.pop() {
        let below = match above.len() {
            0 => random.between(4, 6),
            1 => random.below(4),
            2 => random.below(3),
            _ => 0,
        };
        for _ in 0..below {
            let at = u16::try_from(groups.len()).unwrap_or(u16::MAX);
            let mut way = above.clone();
            way.push(at);
            if let Some(parent) = above.last() {
                groups[usize::from(*parent)].children.push(at);
            }
            let name = name(random, way.len());
            groups.push(Group { id: first_id + u64::from(at), name, way: way.clone(), children: Vec::new() });
            open.push(way);
        }
    }
    groups
}
