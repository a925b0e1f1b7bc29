//! The world behind the gateways: shops, products, categories, orders, all from a seed.
//!
//! [`World::answer`] gives the payload of a call, without the protocol's envelope; tokens,
//! signatures and quotas are the gateways' business. The world never changes: a call that would
//! write is not answered here.
//!
//! # What is documented and what is guessed
//!
//! Names and types of fields, page limits and the codes below are the vendors' (documentation, SDK
//! classes, or observed live). Where they are silent, the world does the following, and each place
//! in the code says so again.
//!
//! | API | documented | guessed |
//! |---|---|---|
//! | ICBU product list | pages from 1; 30 rows at most, more is cut silently; 5,000 rows reachable; newest change first; unknown argument names are ignored; `group_id1=0`, `group_id2=-1` | 20 rows by default; pages behind the 5,000th row are empty; the larger id first among equal times; a subject matches when each of its words occurs; an upper category finds what is below it; dates are US Pacific |
//! | ICBU product page | either id; flat under `result` (a sample), a `product` node on TOP | `B_PRODUCT_NOT_FOUND`, the code of its V2 sibling; another shop's product is unknown |
//! | ICBU category | 0 is the root; `response_code` | `CATEGORY_NOT_EXIST`; the root's level is 0 |
//! | ICBU id mapping | 1 category, 2 attribute, 3 value | old ids; `mapping_result` is a number |
//! | ICBU schema | field ids, types, rules, dependencies; cascades are continued by `schema/level/get` | names, options and which rules apply; the codes of `schema/add` also here |
//! | ICBU groups, photos | -1 lists level 1; field names | what `parent_id2` is; 100 photos a page at most |
//! | ICBU V2 categories, attributes | field names; an unknown parent and a leaf are refused alike | that refusal's code for attributes too |
//! | ICBU ids | `secret_id`; TOP alone decrypts | any number is encrypted, products or not |
//! | ICBU orders | pages from 0, 10 rows, 100 at most; `total_count` is a text; dates as objects, US Pacific | more than 100 is cut; as a buyer a shop has no orders |
//! | AliExpress lists | pages from 1, 20 rows, below 100; one status at a time; wrapper `item_display_dto` | more than 99 is cut; 13004024 for a missing status |
//! | AliExpress detail modules | 50 rows, pages from 1, `totalPage` | an empty list behind the last page |
//! | AliExpress product, categories, attributes | `<none>` for a product without SKUs; 0 is the root; a path of pairs for child attributes; 14033003 for a missing module | the form of other failures; values name the attributes that follow |
//! | Lazada products | 50 rows at most, offset at most 10,000; codes 14, 17, 19, 36, 70 | 20 rows by default; oldest change first, which the advised walk by `update_after` needs; `update_after` itself is included |
//! | Lazada item, seller, attributes | field names; codes 208 and 57 | one variation, the color |
//! | Lazada orders | 100 rows at most; a start date is mandatory; codes 14, 17, 19, 36, 74, 75 | code 17 when it is missing; newest first; the list of states |
//! | Daraz, Miravia | that they speak Lazada's protocol | that their answers are Lazada's |
//! | 1688 categories | 0 is the root; three levels | an unknown id has an empty list and a message |
//! | 1688 product list | field names | 20 rows by default, 50 at most; newest change first; words of `status` |
//! | Taobao items on sale | only the fields asked for; 40 rows, 200 at most; newest listing first; an end at 20,000 rows | more is refused with 41 |

mod ali1688;
mod aliexpress;
mod arguments;
mod attributes;
mod categories;
mod clock;
mod icbu;
mod json;
mod lazada;
mod orders;
pub(crate) mod random;
mod shops;
mod stock;
mod taobao;
mod times;
mod words;

use std::{borrow::Cow, sync::OnceLock};

use jiff::Timestamp;
use sesame_core::Params;
pub use shops::MOST_SHOPS;
pub use stock::MOST_PRODUCTS;

use crate::token_replies::ReplyStyle;
use arguments::{Dialect, Reader};
use stock::Stock;

/// The platforms that have shops, in the order in which [`World::shops`] lists them.
pub const PLATFORMS: [&str; 9] = [
    "alibaba",
    "aliexpress",
    "aliexpress-legacy",
    "1688",
    "lazada",
    "daraz",
    "miravia",
    "taobao",
    "taobao-global",
];

/// One shop: the identity that a person authorizes and that token replies carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    /// The platform's name.
    pub platform: &'static str,
    /// What the seller types to log in; `account`, `resource_owner`, `user_nick` on the wire.
    pub login: String,
    /// The seller id (`seller_id`, `aliId`, `havana_id`); unique in the world.
    pub id: u64,
    /// The user id, where a platform has one beside the seller id.
    pub user_id: u64,
    /// The member id (`b2b-1000000000`); Lazada's short code is also made of it.
    pub member_id: String,
    /// The country, two capitals.
    pub country: &'static str,
    /// The currency of its prices.
    pub currency: &'static str,
    /// The name that buyers see.
    pub name: String,
}

/// The arguments of a call, by name.
pub trait Args {
    /// Returns the text of `name`.
    fn get(&self, name: &str) -> Option<&str>;
}

impl Args for Params {
    fn get(&self, name: &str) -> Option<&str> {
        self.text(name)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> Args for Vec<(N, V)> {
    fn get(&self, name: &str) -> Option<&str> {
        self.as_slice().iter().find(|(n, _)| n.as_ref() == name).map(|(_, value)| value.as_ref())
    }
}

impl<N: AsRef<str>, V: AsRef<str>, const COUNT: usize> Args for [(N, V); COUNT] {
    fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.as_ref() == name).map(|(_, value)| value.as_ref())
    }
}

/// A call that passed the gateway's checks.
#[derive(Clone, Copy)]
pub struct WorldCall<'a> {
    /// The platform's name.
    pub platform: &'a str,
    /// The API: a path (`/alibaba/icbu/product/list`), a method (`taobao.items.onsale.get`) or
    /// `namespace:name` (`aliexpress.open:api.findAeProductById`).
    pub api: &'a str,
    /// The version (param2 only), else 1.
    pub version: u32,
    /// Whose token it carries: an index into [`World::shops`]. `None` for a call without a token.
    pub shop: Option<usize>,
    /// The business arguments.
    pub args: &'a dyn Args,
    /// The time of the call.
    pub now: Timestamp,
    /// TOP's and `/sync`'s `simplify=true`: plain lists.
    pub simplify: bool,
    /// Which form the reply takes where the live gateways and the documents differ.
    pub style: ReplyStyle,
}

/// What the world answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The payload as JSON text, without the protocol's envelope. An object everywhere but on
    /// param2, where it may be any JSON.
    Payload(String),
    /// The service behind the gateway refuses: an error envelope of the protocol.
    Refusal {
        /// The code (`14`, `MissingParameter`, `40`).
        code: Cow<'static, str>,
        /// The message.
        message: Cow<'static, str>,
        /// TOP's sub code.
        sub_code: Option<Cow<'static, str>>,
        /// TOP's sub message.
        sub_message: Option<Cow<'static, str>>,
        /// IOP's `type`: `ISV` (the caller) or `ISP` (the provider behind the API).
        origin: &'static str,
    },
}

/// The world: everything that answers depend on, apart from the call itself.
#[derive(Debug)]
pub struct World {
    seed: u64,
    products: usize,
    shops: Vec<Shop>,
    // What a shop holds is made when it is first asked for: a demo uses two shops of sixteen.
    stocks: Vec<OnceLock<Stock>>,
}

impl World {
    /// Generates a world. The same three numbers give the same bytes, on every machine.
    ///
    /// There are at most [`MOST_SHOPS`] a platform, and [`MOST_PRODUCTS`] a shop.
    pub fn generate(seed: u64, shops_per_platform: usize, products_per_shop: usize) -> Self {
        let shops = shops::generate(seed, shops_per_platform);
        let stocks = shops.iter().map(|_| OnceLock::new()).collect();
        Self { seed, products: products_per_shop, shops, stocks }
    }

    /// Returns all shops, grouped by platform in the order of [`PLATFORMS`].
    pub fn shops(&self) -> &[Shop] {
        &self.shops
    }

    /// Answers a call; `None` when this API is not backed by the world.
    pub fn answer(&self, call: &WorldCall<'_>) -> Option<Answer> {
        if let Some(answer) = clock::answer(call) {
            return Some(answer);
        }
        let dialect = match call.platform {
            "taobao" => Dialect::Top,
            "aliexpress-legacy" | "1688" => Dialect::Param2,
            _ => Dialect::Iop,
        };
        let ask = Ask { world: self, call, read: Reader::new(call.args, dialect) };
        let answer = match call.platform {
            "alibaba" => icbu::answer(&ask),
            "aliexpress" => aliexpress::answer(&ask),
            "aliexpress-legacy" => aliexpress::answer_legacy(&ask),
            "1688" => ali1688::answer(&ask),
            "lazada" | "daraz" | "miravia" => lazada::answer(&ask),
            "taobao" => taobao::answer(&ask),
            _ => None,
        }?;
        Some(match answer {
            Ok(payload) => Answer::Payload(payload),
            Err(refusal) => refusal,
        })
    }
}

/// A call on its way to what answers it.
struct Ask<'a> {
    world: &'a World,
    call: &'a WorldCall<'a>,
    read: Reader<'a>,
}

impl<'a> Ask<'a> {
    /// Returns the shop whose token the call carries, and what it holds.
    fn stock(&self) -> Result<(&'a Shop, &'a Stock), Answer> {
        let found = self
            .call
            .shop
            .and_then(|at| Some((at, self.world.shops.get(at)?, self.world.stocks.get(at)?)))
            .filter(|(_, shop, _)| shop.platform == self.call.platform);
        let Some((at, shop, stock)) = found else { return Err(self.read.no_session()) };
        let stock = stock.get_or_init(|| {
            let number =
                self.world.shops[..at].iter().filter(|other| other.platform == shop.platform).count();
            Stock::generate(self.world.seed, at, number, shop, self.world.products)
        });
        Ok((shop, stock))
    }
}
