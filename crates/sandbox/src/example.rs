//! Example generator: payloads of APIs without fixtures, from their documented fields.

use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Field, Type};
use sesame_core::envelope::SuccessFlag;

use crate::random::Random;

/// Maximum number of values of one example; a few documents describe thousands.
const MOST: usize = 5_000;
/// How deep an example goes.
const DEEPEST: usize = 12;
/// How many items a list has.
const ITEMS: u64 = 2;

struct Generator<'a> {
    /// How the API writes dates, where that is documented as one number with an offset.
    compact: Option<&'static str>,
    flags: &'a [SuccessFlag],
    numbers: Random,
    left: usize,
}

/// Returns an example payload of an API, with plain lists. The same seed gives the same one.
pub(crate) fn payload(api: &Api, seed: u64, flags: &[SuccessFlag]) -> Json {
    let numbers = Random::for_purpose(seed, &api.name);
    let dates = api.dates.as_deref().filter(|dates| dates.contains("yyyyMMddHHmmssSSS"));
    let compact = dates.map(|dates| if dates.contains("Pacific") { "-0800" } else { "+0800" });
    Json::Object(Generator { compact, flags, numbers, left: MOST }.object(&api.response, "", 0))
}

/// Lays what is known over an example. Of a list, as many items stay as are known.
pub(crate) fn overlay(example: &mut Json, known: Json) {
    match (example, known) {
        (Json::Object(members), Json::Object(known)) => {
            for (name, value) in known {
                overlay(members.entry(name).or_insert(Json::Null), value);
            }
        }
        (Json::Array(items), Json::Array(known)) if !items.is_empty() => {
            let mut all: Vec<Json> = (0..known.len()).map(|at| items[at % items.len()].clone()).collect();
            all.iter_mut().zip(known).for_each(|(item, known)| overlay(item, known));
            *items = all;
        }
        (example, known) => *example = known,
    }
}

/// Wraps the lists of a payload as TOP does: `{"items":{"item":[...]}}` instead of `{"items":[...]}`.
pub(crate) fn wrap_lists(api: &str, fields: &[Field], payload: Json) -> Json {
    // A TOP name that shares the entry of a path has no `result` around its payload.
    let fields = match fields {
        [result] if result.name == "result" && payload.get("result").is_none() => &result.children,
        fields => fields,
    };
    wrap_inside(api, fields, payload)
}

fn wrap_inside(api: &str, fields: &[Field], value: Json) -> Json {
    let Json::Object(members) = value else { return value };
    let wrapped = members.into_iter().map(|(name, value)| {
        let field = fields.iter().find(|field| field.name == name);
        let inner = |value| wrap_inside(api, field.map_or(&[], |field| &field.children), value);
        let value = match value {
            Json::Array(items) if field.is_none_or(|field| field.list) => {
                let class = class_of(api, &name, field, items.first());
                Json::Object(Map::from_iter([(class, items.into_iter().map(inner).collect())]))
            }
            other => inner(other),
        };
        (name, value)
    });
    Json::Object(wrapped.collect())
}

/// Classes of list items that recorded replies and public SDKs show and the catalog does not name.
const LIST_CLASSES: [(&str, &str, &str); 3] = [
    ("alibaba.icbu.product.list", "products", "alibaba_product_brief_response"),
    ("alibaba.icbu.photobank.group.list", "groups", "photo_album_group"),
    ("aliexpress.solution.product.list.get", "aeop_a_e_product_display_d_t_o_list", "item_display_dto"),
];

/// Returns the name of the wrapper of a list, by the catalog's field if there is one.
fn class_of(api: &str, name: &str, field: Option<&Field>, item: Option<&Json>) -> String {
    let known = LIST_CLASSES.iter().find(|(of, list, _)| (*of, *list) == (api, name));
    match (known, field, item) {
        (Some((_, _, class)), _, _) => (*class).to_owned(),
        (None, Some(field), _) => wrapper(field),
        (None, None, Some(Json::Object(_))) => singular(name),
        (None, None, Some(Json::Number(_))) => "number".to_owned(),
        (None, None, None) if name.contains("id") => "number".to_owned(),
        (None, None, _) => "string".to_owned(),
    }
}

impl Generator<'_> {
    fn object(&mut self, fields: &[Field], path: &str, depth: usize) -> Map<String, Json> {
        let mut out = Map::with_capacity(fields.len());
        for field in fields {
            // The envelope adds these itself; errors are not part of a success.
            let envelope =
                depth == 0 && matches!(field.name.as_str(), "code" | "request_id" | "_trace_id_" | "type");
            if envelope || is_about_errors(&field.name) || self.left == 0 {
                continue;
            }
            self.left -= 1;
            let path = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
            let value =
                if field.list { self.list(field, &path, depth) } else { self.one(field, &path, depth) };
            out.insert(field.name.clone(), value);
        }
        out
    }

    fn list(&mut self, field: &Field, path: &str, depth: usize) -> Json {
        let items: Vec<Json> = match &field.example {
            Some(Json::Array(items)) if field.children.is_empty() => items.clone(),
            _ => (0..ITEMS).map(|_| self.one(field, path, depth)).collect(),
        };
        items.into()
    }

    fn one(&mut self, field: &Field, path: &str, depth: usize) -> Json {
        if field.kind == Type::Object || !field.children.is_empty() {
            if depth >= DEEPEST {
                return Json::Object(Map::new());
            }
            return Json::Object(self.object(&field.children, path, depth + 1));
        }
        if let Some(fixed) = self.fixed(field, path) {
            return fixed;
        }
        if let Some(example) = field.example.as_ref().filter(|example| fits(field.kind, example)) {
            return example.clone();
        }
        self.invented(field)
    }

    /// Flags of success have to say so.
    fn fixed(&self, field: &Field, path: &str) -> Option<Json> {
        let flag = self.flags.iter().find(|flag| flag.flag == path)?;
        let ok = flag.ok.first()?;
        Some(match field.kind {
            Type::Boolean => (ok != "false").into(),
            Type::Integer | Type::Number => ok.parse::<i64>().map_or_else(|_| ok.as_str().into(), Json::from),
            _ => ok.as_str().into(),
        })
    }

    fn invented(&mut self, field: &Field) -> Json {
        let name = field.name.to_ascii_lowercase();
        let is_id = name.ends_with("id") || name.ends_with("ids") || name == "iid" || name.ends_with("iid");
        match field.kind {
            Type::Boolean => true.into(),
            Type::Integer if name.ends_with("code") => 200.into(),
            Type::Integer if name.contains("page") => 1.into(),
            Type::Integer if name.contains("total") || name.contains("count") => ITEMS.into(),
            Type::Integer if is_id => (1_000_000_000 + self.numbers.modulo(9_000_000_000)).into(),
            Type::Integer => (1 + self.numbers.modulo(500)).into(),
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            Type::Number => ((100 + self.numbers.modulo(9_900)) as f64 / 100.0).into(),
            Type::Decimal => {
                let cents = 100 + self.numbers.modulo(99_900);
                format!("{}.{:02}", cents / 100, cents % 100).into()
            }
            Type::Date => {
                let (month, day) = (1 + self.numbers.modulo(12), 1 + self.numbers.modulo(28));
                self.date(month, day).into()
            }
            Type::Json => "{}".into(),
            Type::Xml | Type::Bytes => "".into(),
            Type::Object => Json::Object(Map::new()),
            Type::String => self.text(&name, is_id).into(),
        }
    }

    fn date(&self, month: u64, day: u64) -> String {
        match self.compact {
            Some(offset) => format!("2026{month:02}{day:02}083000000{offset}"),
            None => format!("2026-{month:02}-{day:02} 08:30:00"),
        }
    }

    fn text(&mut self, name: &str, is_id: bool) -> String {
        let number = 1 + self.numbers.modulo(9_999);
        if name.contains("url") || name.contains("image") || name.contains("pic") {
            format!("https://example.invalid/{number}.jpg")
        } else if name.contains("email") || name.contains("mail") {
            format!("person{number}@example.invalid")
        } else if name.contains("currency") {
            "USD".to_owned()
        } else if name.contains("country") {
            "US".to_owned()
        } else if name.contains("date") || name.contains("time") || name.starts_with("gmt") {
            self.date(1, 1 + number % 28)
        } else if name.contains("price") || name.contains("amount") || name.contains("fee") {
            format!("{}.50", number % 500)
        } else if name.ends_with("code") {
            "200".to_owned()
        } else if name.contains("quantity") {
            number.to_string()
        } else if name.ends_with("rate") || name == "discount" {
            format!("{}%", number % 100)
        } else if is_id {
            (1_000_000_000 + number).to_string()
        } else {
            format!("{name} {number}")
        }
    }
}

/// Returns `true` for fields that would make a success look like a failure.
fn is_about_errors(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("err")
        || name.contains("error")
        || name.contains("errmsg")
        || name == "msg_info"
        || name == "exception"
        || name == "message_info"
        || name == "msg_code"
}

/// Returns `true` if an example from the documents has the type they declare.
fn fits(kind: Type, example: &Json) -> bool {
    match kind {
        Type::Boolean => example.is_boolean(),
        Type::Integer => example.is_i64() || example.is_u64(),
        Type::Number => example.is_number(),
        Type::String | Type::Date | Type::Json | Type::Xml | Type::Decimal => example.is_string(),
        Type::Object => example.is_object(),
        Type::Bytes => false,
    }
}

/// Returns the name of the wrapper of a TOP list: the snake form of the type, capitals split one by one
/// (`ContinentDTO` becomes `continent_d_t_o`); plain lists are named by their plain type. Where the
/// documents do not name the type it is the field's name for one of them: public SDKs read
/// `products.product`, `categories.category`, `ae_item_sku_info_dtos.ae_item_sku_info_d_t_o`.
fn wrapper(field: &Field) -> String {
    if field.kind == Type::Object || !field.children.is_empty() {
        let Some(name) = field.vendor_type.as_deref() else { return singular(&field.name) };
        let name = name.trim_end_matches("[]").rsplit(['.', '$']).next().unwrap_or(name);
        let mut out = String::with_capacity(name.len() + 8);
        for c in name.chars() {
            if c.is_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        }
        return out;
    }
    match field.kind {
        Type::Integer | Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Date => "date",
        _ => "string",
    }
    .to_owned()
}

/// Returns the name of one of several: `categories` holds `category`.
fn singular(name: &str) -> String {
    let one = match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None if name.ends_with("ss") => name.to_owned(),
        None => name.strip_suffix('s').unwrap_or(name).to_owned(),
    };
    match one.strip_suffix("_dto") {
        Some(stem) => format!("{stem}_d_t_o"),
        None => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_an_unnamed_type_are_wrapped_by_the_name_of_one() {
        for (field, wrapped) in [
            ("products", "product"),
            ("categories", "category"),
            ("promotion_links", "promotion_link"),
            ("ae_item_sku_info_dtos", "ae_item_sku_info_d_t_o"),
            ("address", "address"),
            ("item_list", "item_list"),
        ] {
            assert_eq!(singular(field), wrapped);
        }
    }

    fn api() -> Api {
        let mut api = sesame_catalog::Catalog::builtin().api("lazada", "/no/such/api").unwrap();
        api.name = "x.y".to_owned();
        api.response = serde_json::from_value(serde_json::json!([
            {"n": "result", "t": "object", "c": [
                {"n": "success", "t": "boolean"},
                {"n": "error_code", "t": "string"},
                {"n": "total", "t": "integer"},
                {"n": "things", "t": "object", "l": true, "vt": "ContinentDTO", "c": [{"n": "title", "t": "string", "eg": "Pencil"}]},
                {"n": "tags", "t": "string", "l": true},
                {"n": "price", "t": "decimal", "eg": "12.50"}
            ]},
            {"n": "code", "t": "string"}
        ]))
        .unwrap();
        api
    }

    fn example(seed: u64) -> Json {
        payload(&api(), seed, &[])
    }

    #[test]
    fn what_is_known_is_laid_over_an_example() {
        let mut example = serde_json::json!({"a": {"b": 1, "c": 2}, "l": [{"x": 1}, {"x": 2}]});
        overlay(&mut example, serde_json::json!({"a": {"b": 3}, "l": [{"y": 1}, {}, {"x": 9}], "n": 4}));
        assert_eq!(
            example,
            serde_json::json!({"a": {"b": 3, "c": 2}, "l": [{"x": 1, "y": 1}, {"x": 2}, {"x": 9}], "n": 4})
        );
    }

    #[test]
    fn follows_types_and_leaves_errors_out() {
        let json = example(1);
        assert_eq!(json["result"]["success"], true);
        assert_eq!(json["result"]["things"], serde_json::json!([{"title": "Pencil"}, {"title": "Pencil"}]));
        assert_eq!(json["result"]["price"], "12.50");
        assert!(json["result"].get("error_code").is_none() && json.get("code").is_none());
        assert_eq!(json, example(1));
        assert_ne!(json, example(2));
    }

    #[test]
    fn dates_are_written_as_the_api_writes_them() {
        let mut api = api();
        api.response =
            serde_json::from_str(r#"[{"n":"created","t":"date"},{"n":"payTime","t":"string"}]"#).unwrap();
        assert!(payload(&api, 1, &[])["created"].as_str().unwrap().ends_with(" 08:30:00"));
        api.dates = Some("yyyyMMddHHmmssSSSZ, US Pacific time.".to_owned());
        for name in ["created", "payTime"] {
            let date = payload(&api, 1, &[])[name].as_str().unwrap().to_owned();
            assert!(date.len() == 22 && date.ends_with("083000000-0800"), "{date}");
        }
    }

    #[test]
    fn wraps_lists_as_top_does() {
        let json = wrap_lists("x.y", &api().response, example(1));
        assert!(json["result"]["things"]["continent_d_t_o"].is_array());
        assert!(json["result"]["tags"]["string"].is_array());
    }
}
