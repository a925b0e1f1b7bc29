//! The calls of shipping: an order, its lines or packages, in the arguments that the catalog names.

use serde_json::{Map, Value as Json};
use sesame_catalog::Action;
use sesame_client::Call;
use sesame_core::{Error, Result, path};

use super::ShipRequest;
use crate::{
    Order, OrderLine, Shop,
    job::{json_id, template},
};

/// Makes the call of a step for some lines of an order.
///
/// # Errors
/// Usage, for a field that the call takes and nobody has said.
pub(super) fn call(
    shop: &Shop,
    action: &Action,
    order: &Order,
    lines: &[&OrderLine],
    asked: &ShipRequest,
) -> Result<Call> {
    let mut call = shop.call(&action.api);
    call.args = arguments(action, order, lines, asked)?;
    Ok(call)
}

pub(super) fn arguments(
    action: &Action,
    order: &Order,
    lines: &[&OrderLine],
    asked: &ShipRequest,
) -> Result<Map<String, Json>> {
    let mut args = action.arguments.clone();
    let of_order = |name: &str| field(action, order, None, asked, name);
    for (name, place) in &action.inputs {
        path::set(&mut args, place, of_order(name)?)?;
    }
    let Some(place) = &action.rows else { return Ok(args) };
    // Rows of packages: one for each, however many lines are in it.
    let mut rows: Vec<Json> = Vec::new();
    for line in lines {
        let get = |name: &str| field(action, order, Some(line), asked, name);
        let row = match &action.text {
            Some(text) => template(text, get)?,
            None => object(&action.row, get)?,
        };
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    match &action.products {
        None => path::set(&mut args, place, Json::from(rows))?,
        Some(list) => {
            let mut members = members(&list.members, of_order)?;
            path::set(&mut members, place, Json::from(rows))?;
            path::set(&mut args, &list.path, Json::from(vec![Json::Object(members)]))?;
        }
    }
    Ok(args)
}

fn object(
    of: &std::collections::BTreeMap<String, String>,
    get: impl Fn(&str) -> Result<Json>,
) -> Result<Json> {
    members(of, get).map(Json::Object)
}

fn members(
    of: &std::collections::BTreeMap<String, String>,
    get: impl Fn(&str) -> Result<Json>,
) -> Result<Map<String, Json>> {
    let mut out = Map::new();
    for (member, name) in of {
        path::set(&mut out, member, get(name)?)?;
    }
    Ok(out)
}

fn field(
    action: &Action,
    order: &Order,
    line: Option<&OrderLine>,
    asked: &ShipRequest,
    name: &str,
) -> Result<Json> {
    if let Some(constant) = name.strip_prefix('=') {
        return Ok(Json::from(constant));
    }
    let of_line = |get: fn(&OrderLine) -> &String| line.map(get).filter(|text| !text.is_empty());
    let value = match name {
        "order" => Some(json_id(&order.id)),
        "line" => of_line(|line| &line.id).map(|id| json_id(id)),
        // An id with letters: never a number, even if it looks like one.
        "package" => of_line(|line| &line.package).map(|id| Json::from(id.as_str())),
        "carrier" => asked.carrier.as_deref().map(Json::from),
        "tracking" => {
            asked.tracking.as_deref().or(of_line(|line| &line.tracking).map(String::as_str)).map(Json::from)
        }
        _ => None,
    };
    value.ok_or_else(|| Error::usage(format!("order {} has no {name}, which {} takes", order.id, action.api)))
}
