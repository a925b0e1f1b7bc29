//! Lists that no fixtures are behind: rows by the paging rule of the entry, to their end.

use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Paging, PagingStyle};
use sesame_core::{Protocol, path, scalar};

use crate::{
    echo::{Echo, affordable, is_scalar, names_id},
    error::{GatewayError, GatewayResult},
    fixtures::Args,
};

/// How many rows a list has: more than one page of the default size.
const ROWS: usize = 25;
/// Rows of a page, unless the rule or the caller says otherwise.
const PAGE: usize = 10;
/// The cursor of the first row; that of another is as much larger.
const CURSOR: usize = 7_001_000_000;
/// Maximum number of rows of a page.
const MOST: u64 = 1_000;

/// Which rows are asked for.
pub(crate) struct Window<'a> {
    rule: &'a Paging,
    first: usize,
    size: usize,
}

impl<'a> Window<'a> {
    /// Reads the arguments by which pages are asked for. `None` for an API that has no pages.
    ///
    /// A size above the largest is cut, as the platforms do.
    pub(crate) fn read(api: &'a Api, args: &dyn Args, protocol: Protocol) -> GatewayResult<Option<Self>> {
        let Some(rule) = &api.paging else { return Ok(None) };
        let number = |name: &str, least: u64| {
            let Some(value) = argument(args, name).filter(|value| value.as_str() != Some("")) else {
                return Ok(None);
            };
            let number = scalar::integer(&value).and_then(|number| u64::try_from(number).ok());
            number
                .filter(|number| *number >= least)
                .map(Some)
                .ok_or_else(|| GatewayError::invalid(protocol, name))
        };
        let size = match (&rule.size, rule.fixed_size) {
            // Nothing says how to go on.
            _ if rule.style == PagingStyle::Cursor && rule.next.is_none() => u64::MAX,
            (_, Some(fixed)) => fixed,
            (Some(name), None) => number(name, 1)?.unwrap_or(PAGE as u64),
            (None, None) => PAGE as u64,
        };
        let size = size.min(rule.max_size.unwrap_or(u64::MAX)).min(MOST);
        let size = usize::try_from(size).unwrap_or(PAGE);
        let index = match rule.style {
            // Any text that no reply handed out may stand for the start.
            PagingStyle::Cursor => argument(args, &rule.index)
                .and_then(|value| scalar::text(&value)?.parse::<usize>().ok()?.checked_sub(CURSOR))
                .filter(|row| *row <= ROWS)
                .unwrap_or(0),
            style => {
                let first = rule.first.unwrap_or(u64::from(style == PagingStyle::Page));
                let index = number(&rule.index, first)?.unwrap_or(first);
                if rule.max_index.is_some_and(|most| index > most) {
                    return Err(GatewayError::invalid(protocol, &rule.index));
                }
                usize::try_from(index - first).unwrap_or(usize::MAX)
            }
        };
        let first = if rule.style == PagingStyle::Page { index.saturating_mul(size) } else { index };
        Ok(Some(Self { rule, first, size }))
    }

    /// Replaces the rows of a sample by those of the page, and what it tells of rows and pages.
    pub(crate) fn fill(&self, reply: &mut Json, asked: &mut Echo) {
        let rule = self.rule;
        let leaf = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        if rule.style == PagingStyle::Page {
            let page = self.first / self.size.max(1);
            let first = usize::try_from(rule.first.unwrap_or(1)).unwrap_or(1);
            asked.add(&leaf(&rule.index), page.saturating_add(first).to_string());
        }
        if let Some(size) = &rule.size {
            asked.add(&leaf(size), self.size.to_string());
        }
        let place = rule.items.as_deref().unwrap_or_default();
        let place = place.split('|').find(|place| rows(reply, place).is_some());
        let Some(samples) = place.and_then(|place| rows(reply, place)).map(std::mem::take) else {
            asked.lay(reply, None);
            return;
        };
        // Who asks for rows by their ids gets one for each; of an unknown kind there are none.
        let all = match samples.first() {
            Some(sample) => {
                let by_key = rule.key.as_deref().and_then(|key| asked.count(key));
                affordable(sample, by_key.or_else(|| asked.items_in(sample)).unwrap_or(ROWS))
            }
            None => 0,
        };
        let (first, last) = (self.first.min(all), self.first.saturating_add(self.size).min(all));
        let page = (first..last).map(|at| {
            let mut row = samples[0].clone();
            number(&mut row, rule.key.as_deref(), at, asked);
            asked.lay(&mut row, Some(at));
            row
        });
        let page: Vec<Json> = page.collect();
        asked.lay(reply, None);
        if let Some(rows) = place.and_then(|place| rows(reply, place)) {
            *rows = page;
        }
        let more = last < all;
        let mut tell = |place: &Option<String>, value: Json| {
            if let Some(places) = place {
                set(reply, places, &value);
            }
        };
        tell(&rule.total, all.into());
        tell(&rule.total_pages, all.div_ceil(self.size.max(1)).into());
        tell(&rule.has_next, more.into());
        tell(&rule.next, if more { (CURSOR + last).into() } else { "".into() });
    }
}

/// Returns an argument by its path, JSON in texts read.
fn argument(args: &dyn Args, place: &str) -> Option<Json> {
    let name = place.split('.').next()?;
    let whole = Map::from_iter([(name.to_owned(), args.get(name)?.into())]);
    path::argument(&whole, place)
}

/// Returns the rows at a path. Of a list on the way its first item alone stays.
fn rows<'a>(reply: &'a mut Json, place: &str) -> Option<&'a mut Vec<Json>> {
    let mut value = reply;
    for step in place.split('.').filter(|step| !step.is_empty()) {
        if let Json::Array(items) = value {
            // The last step may name the wrapper that plain lists do without.
            if place.rsplit('.').next() == Some(step) && items.iter().all(|item| item.get(step).is_none()) {
                return Some(items);
            }
            items.truncate(1);
            value = items.first_mut()?.get_mut(step)?;
        } else {
            value = value.get_mut(step)?;
        }
    }
    value.as_array_mut()
}

/// Sets the first of several places that is there, in the type that it has; else makes the first one.
fn set(reply: &mut Json, places: &str, value: &Json) {
    let pointer = |place: &str| format!("/{}", place.replace('.', "/"));
    let there = places.split('|').find(|place| reply.pointer(&pointer(place)).is_some());
    if let Some(old) = there.and_then(|place| reply.pointer_mut(&pointer(place))) {
        let text = || scalar::text(value).unwrap_or_default();
        *old = match (&*old, value) {
            (Json::String(was), Json::Bool(yes)) if matches!(was.as_str(), "Y" | "N") => {
                if *yes { "Y" } else { "N" }.into()
            }
            (Json::Number(_), Json::Bool(yes)) => u8::from(*yes).into(),
            (Json::Number(_), Json::String(_)) => 0.into(),
            (Json::String(_), _) => text().into(),
            _ => value.clone(),
        };
        return;
    }
    let place = places.split('|').next().unwrap_or_default();
    if let Json::Object(members) = reply {
        // Where something else stands on the way, the reply has no room for it.
        let _ = path::set(members, place, value.clone());
    }
}

/// Makes a row differ from the others: its key, else its first id, else its first value.
fn number(row: &mut Json, key: Option<&str>, at: usize, asked: &Echo) {
    if let Some(value) = key.and_then(|key| row.pointer_mut(&format!("/{}", key.replace('.', "/")))) {
        return vary(value, at);
    }
    let Json::Object(members) = row else { return vary(row, at) };
    let is_free = |(name, value): &(&String, &Json)| is_scalar(value) && asked.count(name).is_none();
    if members.is_empty() {
        members.insert("id".to_owned(), (at + 1).into());
    }
    let free = || members.iter().filter(is_free);
    let name =
        free().find(|(name, _)| names_id(name)).or_else(|| free().next()).map(|(name, _)| name.clone());
    match name.and_then(|name| members.get_mut(&name)) {
        Some(value) => vary(value, at),
        None => members.values_mut().filter(|value| value.is_object()).take(1).for_each(|inner| {
            number(inner, None, at, asked);
        }),
    }
}

fn vary(value: &mut Json, at: usize) {
    *value = match &*value {
        Json::Number(number) => match number.as_u64() {
            Some(number) => number.wrapping_add(at as u64).into(),
            None => at.into(),
        },
        Json::String(text) => match text.parse::<u64>() {
            Ok(number) => number.wrapping_add(at as u64).to_string().into(),
            Err(_) if at == 0 => text.as_str().into(),
            Err(_) => format!("{text}-{at}").into(),
        },
        other => other.clone(),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(rule: Json, sample: &Json, args: &[(&str, &str)]) -> Result<Json, String> {
        let mut api = sesame_catalog::Catalog::builtin().api("lazada", "/no/such/api").unwrap();
        api.paging = serde_json::from_value(rule).unwrap();
        let args = args.to_vec();
        let window = Window::read(&api, &args, Protocol::Iop).map_err(|error| error.message.into_owned())?;
        let mut reply = sample.clone();
        window.unwrap().fill(&mut reply, &mut Echo::of(&api, &args));
        Ok(reply)
    }

    #[test]
    fn pages_come_to_their_end() {
        let rule = json!({"style": "page", "index": "q.page", "size": "q.size", "items": "data.rows", "total": "data.total",
            "total_pages": "data.pages", "key": "id"});
        let sample =
            json!({"data": {"rows": [{"id": 7}], "page": "1", "pages": "1", "total": 1, "sizes": 3}});
        let ids = |reply: &Json| -> Vec<u64> {
            reply["data"]["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
        };
        let ask = |query: &str| page(rule.clone(), &sample, &[("q", query)]);
        let first = ask("{}").unwrap();
        assert_eq!(ids(&first), (7..17).collect::<Vec<_>>());
        assert_eq!((&first["data"]["total"], &first["data"]["pages"]), (&json!(25), &json!("3")));
        assert_eq!(first["data"]["sizes"], 3, "not the size of a page");
        let last = ask(r#"{"page":"3"}"#).unwrap();
        assert_eq!((ids(&last), &last["data"]["page"]), ((27..32).collect(), &json!("3")));
        assert!(ids(&ask(r#"{"page":4}"#).unwrap()).is_empty());
        assert_eq!(ids(&ask(r#"{"page":1,"size":100}"#).unwrap()).len(), 25);
        for wrong in [r#"{"page":0}"#, r#"{"page":"x"}"#, r#"{"size":0}"#] {
            assert!(ask(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn offsets_and_cursors_are_followed() {
        let rule = json!({"style": "offset", "index": "offset", "size": "limit", "max_size": 20, "max_index": 50, "items": "rows.row",
            "has_next": "more"});
        let sample = json!({"rows": ["a"], "more": "N"});
        let reply = page(rule.clone(), &sample, &[("offset", "10"), ("limit", "99")]).unwrap();
        assert_eq!((reply["rows"].as_array().unwrap().len(), &reply["rows"][0]), (15, &json!("a-10")));
        assert_eq!(reply["more"], "N");
        assert_eq!(page(rule.clone(), &sample, &[]).unwrap()["more"], "Y");
        assert!(page(rule, &sample, &[("offset", "51")]).is_err());

        let rule = json!({"style": "cursor", "index": "cursor", "items": "rows", "next": "next"});
        let mut seen = Vec::new();
        let mut cursor = String::from("any");
        while !cursor.is_empty() {
            let reply =
                page(rule.clone(), &json!({"rows": [{"n": {"id": "x"}}]}), &[("cursor", &cursor)]).unwrap();
            seen.extend(reply["rows"].as_array().unwrap().clone());
            cursor = scalar::text(&reply["next"]).unwrap();
        }
        assert_eq!(seen.len(), ROWS);
        assert_eq!(seen[24], json!({"n": {"id": "x-24"}}));
    }
}
