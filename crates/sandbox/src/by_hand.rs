//! `/_sandbox/products` and `/_sandbox/orders`: the books of a shop, and single steps by hand.

use hyper::Method;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::{
    fixtures::{ByHand, Wanted},
    received::{Fields, Head},
    reply::{Media, WebReply},
    state::State,
};

/// The largest page of books.
const LARGEST_PAGE: usize = 1_000;

/// What the books are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Orders,
    Products,
}

/// An HTTP status, and what is wrong.
pub(crate) type Refused = (u16, String);

/// Returns a part of the books of the shop that the query names: `platform`, `login` (the first shop
/// without one), `id`, or `offset` and `limit`.
pub(crate) fn books(
    state: &State,
    subject: Subject,
    head: &Head<'_>,
    now: Timestamp,
) -> Result<Json, Refused> {
    let fields = Fields::of_query(head).map_err(|error| (400, error.message))?;
    let number = |name: &str| {
        let number = fields.filled(name).map(str::parse::<u64>).transpose();
        number.map_err(|_| (400, format!("invalid {name}: not a number")))
    };
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let wanted = Wanted {
        id: number("id")?,
        first: number("offset")?.map_or(0, size),
        count: number("limit")?.map_or(100, size).min(LARGEST_PAGE),
    };
    let at = shop(state, &fields)?;
    Ok(of_shop(state, at, state.fixtures.books(at, now, subject == Subject::Orders, &wanted)))
}

/// Takes a step in the shop that the query names.
pub(crate) fn step(
    state: &State,
    subject: Subject,
    head: &Head<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<Json, Refused> {
    let fields = Fields::of_query(head).map_err(|error| (400, error.message))?;
    let at = shop(state, &fields)?;
    let (name, step) = match subject {
        Subject::Orders => ("order", ByHand::Order(read(body)?)),
        Subject::Products => ("product", ByHand::Product(read(body)?)),
    };
    let changed = state.fixtures.by_hand(at, now, step).map_err(|why| (409, why))?;
    Ok(of_shop(state, at, json!({name: changed})))
}

/// Serves a shipping label: `PLATFORM/SELLER/PACKAGE.pdf`.
pub(crate) fn label(state: &State, method: &Method, path: &str, now: Timestamp) -> WebReply {
    let parts = path.strip_suffix(".pdf").map(|path| path.split('/').collect::<Vec<_>>());
    let pdf = match parts.as_deref() {
        Some([platform, seller, package]) if matches!(*method, Method::GET | Method::HEAD) => {
            let seller = seller.parse().unwrap_or(0);
            state.fixtures.label(platform, seller, package, now)
        }
        _ => None,
    };
    match pdf {
        Some(pdf) => WebReply::new(200, Media::Pdf, pdf),
        None => WebReply::json(404, json!({"error": "no such label"}).to_string()),
    }
}

fn of_shop(state: &State, at: usize, mut json: Json) -> Json {
    if let Some(shop) = state.shop(at) {
        json["platform"] = shop.platform.into();
        json["login"] = shop.login.clone().into();
    }
    json
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| (400, format!("cannot read the JSON body: {error}")))
}

fn shop(state: &State, fields: &Fields<'_>) -> Result<usize, Refused> {
    let platform =
        fields.filled("platform").ok_or((400, "platform is missing, e.g. ?platform=lazada".to_owned()))?;
    let login = fields.filled("login");
    let shops = state.fixtures.shops();
    shops
        .iter()
        .position(|shop| shop.platform == platform && login.is_none_or(|login| login == shop.login))
        .ok_or((404, "no shop of this sandbox has that platform and login".to_owned()))
}
