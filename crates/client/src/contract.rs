//! What the catalog says of a call, and whether the arguments keep to it. Nothing is sent here.
//!
//! Only what is certain is refused: an argument that the documents call required and that is not
//! there, a list or an object where they want a single value, JSON or XML that cannot be read. The kinds of single values, limits and
//! lists of values in those documents are often old or wrong (an id called a whole number that is an
//! encrypted text), so going against them is a warning.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde_json::{Map, Value, json};
use sesame_catalog::{Api, Catalog, DigestChoice, Param, Platform, Safety, Type};
use sesame_core::{
    Error, Result, Shape,
    command_line::quote,
    nearest::nearest,
    request::{HeaderMap, HeaderName, HeaderValue},
    scalar, xml,
};

use crate::{options::Call, quota::Documented};

/// Maximum number of contracts kept; more than the APIs anybody calls from one process.
const MAX_CONTRACTS: usize = 4_096;
/// How a warning ends that does not keep a call from being sent.
const SENT: &str = "; it is sent as given";
/// Maximum number of warnings about arguments.
const MAX_WARNINGS: usize = 20;

/// What is known of one API on one platform, prepared for calls.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) api: Api,
    pub(crate) digest: DigestChoice,
    pub(crate) headers: HeaderMap,
    pub(crate) documented: Documented,
    /// Where the parameters are that a caller gives.
    params: Vec<usize>,
    /// Those of them that have to be there.
    required: Vec<usize>,
    /// Said with every call of it.
    warning: Option<String>,
}

impl Contract {
    fn new(platform: &Platform, api: Api) -> Result<Self> {
        if matches!(api.shape, Shape::TopBatch | Shape::Param2Params) {
            return Err(Error::usage(format!("{} cannot be called by name", api.name)));
        }
        let digest = platform.digest(api.shape).cloned().ok_or_else(|| {
            Error::usage(format!("the platform {} has no requests of the shape {}", platform.name, api.shape))
        })?;
        let headers = headers(platform)?;
        let warning = (!api.known).then(|| {
            let how = match api.safety {
                Safety::Read => "as a read, which its name suggests",
                _ => "as a write, which is never repeated when in doubt",
            };
            format!("the catalog does not know {}; it is called as given and treated {how}", api.name)
        });
        // Some documents list the system parameters, which we set; a dotted name is a member of an
        // object that may be given whole.
        let reserved = api.shape.reserved();
        let given = |param: &Param| !reserved.contains(&param.name.as_str()) && !param.name.contains('.');
        let own = || api.params.iter().enumerate().filter(|(_, param)| given(param));
        let params = own().map(|(at, _)| at).collect();
        let required = own().filter(|(_, param)| param.required == Some(true)).map(|(at, _)| at).collect();
        Ok(Self {
            digest,
            headers,
            documented: Documented::of(platform, &api),
            params,
            required,
            warning,
            api,
        })
    }

    /// Checks the arguments of a call against the documents, at any depth; returns warnings.
    ///
    /// # Errors
    /// A usage error that names every argument that is missing or of the wrong kind.
    pub(crate) fn check(&self, call: &Call) -> Result<Vec<String>> {
        let api = &self.api;
        let mut found = Findings { wrong: Vec::new(), warnings: Vec::from_iter(self.warning.clone()) };
        let given_as_file = |name: &str| call.files.iter().any(|(given, _)| given == name);
        // By comparing, as in `param`.
        let given = |name: &str| {
            call.args.iter().any(|(given, value)| given == name && !is_empty(value)) || given_as_file(name)
        };
        let missing: Vec<&Param> =
            self.required.iter().map(|at| &api.params[*at]).filter(|param| !given(&param.name)).collect();
        for (name, value) in &call.args {
            match self.param(name) {
                _ if is_empty(value) => found.warnings.push(format!("{name} is empty and is not sent")),
                Some(_) if given_as_file(name) => {
                    found.wrong.push(format!("{name:?} is given as an argument and as a file"));
                }
                Some(param) => check_value(name, param, value, &mut found),
                None => found.warnings.extend(self.undocumented(name)),
            }
        }
        for (name, _) in &call.files {
            match self.param(name) {
                Some(param) if param.kind != Type::Bytes => {
                    found.warnings.push(format!(
                        "{name:?} is documented as {} and was given as a file",
                        kind_of(param)
                    ));
                }
                Some(_) => {}
                None => found.warnings.extend(self.undocumented(name)),
            }
        }
        if missing.is_empty() && found.wrong.is_empty() {
            found.warnings.truncate(MAX_WARNINGS);
            return Ok(found.warnings);
        }
        let mut hint = String::new();
        if !missing.is_empty() {
            let s = if missing.len() == 1 { "" } else { "s" };
            let names: Vec<&str> = missing.iter().map(|param| param.name.as_str()).collect();
            found.wrong.insert(0, format!("needs the argument{s} {}", names.join(", ")));
            hint = format!("Add {}. ", example_of(&missing));
        }
        // What is missing may be there under another name.
        let warnings = found.warnings.iter().map(|warning| warning.strip_suffix(SENT).unwrap_or(warning));
        found.wrong.extend(warnings.map(str::to_owned));
        found.wrong.truncate(MAX_WARNINGS);
        let colon = if missing.is_empty() { ":" } else { "" };
        Err(Error::usage(format!("{}{colon} {}; nothing was sent", api.name, found.wrong.join("; ")))
            .with_hint(format!("{hint}The whole contract: sesame apis show {}", quote(&api.name))))
    }

    /// Returns the root element of an argument that is XML in a text.
    pub(crate) fn xml_root(&self, name: &str) -> Option<&str> {
        let param = self.param(name).filter(|param| param.kind == Type::Xml)?;
        param.children.first().map(|root| root.name.as_str())
    }

    /// Finds a parameter that a caller gives. By comparing: there are few, and hashing takes longer.
    fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().map(|at| &self.api.params[*at]).find(|param| param.name == name)
    }

    /// Warns of a name that the documents do not have, where there are documents.
    fn undocumented(&self, name: &str) -> Option<String> {
        let api = &self.api;
        let member = |param: &Param| param.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let silent =
            !api.known || api.params.is_empty() || api.params.iter().any(member) || is_variable(api, name);
        (!silent).then(|| {
            let near = did_you_mean(name, self.params.iter().map(|at| api.params[*at].name.as_str()));
            format!("{name:?} is not among the documented arguments of {}{near}{SENT}", api.name)
        })
    }
}

/// Returns `true` if a name is a variable of the path.
fn is_variable(api: &Api, name: &str) -> bool {
    api.path
        .as_deref()
        .is_some_and(|path| path.split('{').skip(1).any(|part| part.split('}').next() == Some(name)))
}

/// Says how arguments are given, in the words of the help of `call`.
fn example_of(missing: &[&Param]) -> String {
    let one = |param: &&Param| match param.kind {
        Type::Bytes => format!("{}@FILE", param.name),
        Type::Object => format!("{}:=JSON", param.name),
        _ if param.list => format!("{}:=JSON", param.name),
        _ => format!("{}=VALUE", param.name),
    };
    missing.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Null and an empty text are left out of the request (see `core::encode`).
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

fn kind_of(param: &Param) -> String {
    let kind = match param.kind {
        Type::String => "text",
        Type::Integer => "whole number",
        Type::Number => "number",
        Type::Decimal => "decimal number",
        Type::Boolean => "boolean (true or false)",
        Type::Date => "date (yyyy-MM-dd HH:mm:ss)",
        Type::Json => "JSON text",
        Type::Xml => "XML text",
        Type::Bytes => "file",
        Type::Object => "object",
    };
    match param.kind {
        _ if param.list => format!("a list of {kind}s"),
        Type::String | Type::Json | Type::Xml => kind.to_owned(),
        Type::Object => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

/// Suggests the name that may have been meant.
fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!(" (did you mean {near}?)"))
}

/// What a check found.
struct Findings {
    /// What is certainly wrong.
    wrong: Vec<String>,
    /// What goes against the documents, which may be wrong themselves.
    warnings: Vec<String>,
}

/// Checks a value, at any depth. `path` says where it is: `payload.Request.Product`.
fn check_value(path: &str, param: &Param, value: &Value, found: &mut Findings) {
    if param.kind == Type::Bytes && !param.list {
        found.wrong.push(format!("{path:?} is a file: give it as one, not as text"));
        return;
    }
    match value {
        Value::Array(items) if param.list => {
            if let Some(most) = param.max_items.filter(|most| items.len() as u64 > *most) {
                found
                    .warnings
                    .push(format!("{path:?} has {} items; the documents allow {most}", items.len()));
            }
            for (nth, item) in items.iter().enumerate() {
                check_one(&format!("{path}.{nth}"), param, item, found);
            }
        }
        // One element of XML; or one item where a list is due, which may do.
        Value::Object(_) if param.list => check_one(path, param, value, found),
        // A list as one text: `1,2,3` or JSON. The platform splits it, not we.
        _ if param.list => {}
        _ => check_one(path, param, value, found),
    }
}

fn check_one(path: &str, param: &Param, value: &Value, found: &mut Findings) {
    let nested = matches!(param.kind, Type::Object | Type::Json | Type::Xml) && !param.children.is_empty();
    match value {
        Value::Object(members) if nested => match param.children.as_slice() {
            // The root element may be left out: it is written around what is given.
            [root] if param.kind == Type::Xml && !members.contains_key(&root.name) => {
                check_members(&format!("{path}.{}", root.name), &root.children, members, found);
            }
            children => check_members(path, children, members, found),
        },
        Value::String(text) if nested => check_text(path, param, text, found),
        _ => check_plain(path, param, value, found),
    }
}

/// Checks JSON or XML in a text.
fn check_text(path: &str, param: &Param, text: &str, found: &mut Findings) {
    let text = text.trim();
    // XML stands for an object where the API reads it itself; its layout is not documented.
    let read = match text.chars().next() {
        Some('<') if param.kind != Type::Xml => return,
        Some('<') => xml::read(text).map(|(root, value)| json!({ root: value })),
        Some('{' | '[') => serde_json::from_str(text).map_err(|error| error.to_string()),
        _ => {
            let kind = kind_of(param);
            found.warnings.push(format!("{path:?} is {kind} in the documents, not other text{SENT}"));
            return;
        }
    };
    match (read, param.children.as_slice()) {
        (Err(why), _) => {
            let form = if text.starts_with('<') { "XML" } else { "JSON" };
            found.wrong.push(format!("{path:?} is not {form}: {why}"));
        }
        (Ok(Value::Object(members)), [root])
            if param.kind == Type::Xml && !members.contains_key(&root.name) =>
        {
            let given = members.keys().next().map_or("", String::as_str);
            found.wrong.push(format!("the root element of {path:?} is {}, not {given:?}", root.name));
        }
        (Ok(Value::Array(items)), _) => {
            for (nth, item) in items.iter().enumerate() {
                check_one(&format!("{path}.{nth}"), param, item, found);
            }
        }
        (Ok(value), _) => check_one(path, param, &value, found),
    }
}

fn check_members(path: &str, params: &[Param], members: &Map<String, Value>, found: &mut Findings) {
    for param in params.iter().filter(|param| param.required == Some(true)) {
        if members.get(&param.name).is_none_or(is_empty) {
            found.wrong.push(format!("\"{path}.{}\" is missing", param.name));
        }
    }
    for (name, value) in members {
        let inner = format!("{path}.{name}");
        match params.iter().find(|param| param.name == *name) {
            Some(param) => check_value(&inner, param, value, found),
            None if params.is_empty() || name.starts_with('@') => {}
            None => {
                let near = did_you_mean(name, params.iter().map(|param| param.name.as_str()));
                found.warnings.push(format!("{inner:?} is not documented{near}{SENT}"));
            }
        }
    }
}

fn check_plain(name: &str, param: &Param, value: &Value, found: &mut Findings) {
    let fits = match param.kind {
        Type::Integer => scalar::integer(value).is_some(),
        Type::Number | Type::Decimal => {
            scalar::text(value).is_some_and(|text| text.trim().parse::<f64>().is_ok_and(f64::is_finite))
        }
        Type::Boolean => scalar::boolean(value).is_some(),
        Type::Date => value.is_string() || value.is_number() || value.is_boolean(),
        Type::String | Type::Json | Type::Xml | Type::Bytes | Type::Object => true,
    };
    if !fits {
        // The value may be long or private: at most 40 characters of it.
        let shown: String = scalar::printable(&value.to_string()).chars().take(40).collect();
        if value.is_array() || value.is_object() {
            found.wrong.push(format!("{name:?} is {}, not {shown}", kind_of(param)));
        } else {
            found
                .warnings
                .push(format!("{name:?} is {} in the documents, not {shown}{SENT}", kind_of(param)));
        }
        return;
    }
    let bounds = param.max.is_some() || param.min.is_some();
    if !bounds && param.max_len.is_none() && param.values.is_empty() {
        return;
    }
    let Some(text) = scalar::text(value) else { return };
    let length = text.chars().count() as u64;
    if let Some(most) = param.max_len.filter(|most| length > *most) {
        found.warnings.push(format!("{name:?} has {length} characters; the documents allow {most}"));
    }
    if bounds && let Ok(number) = text.parse::<f64>() {
        if let Some(most) = param.max.filter(|most| number > *most) {
            found.warnings.push(format!("{name:?} is {text}; the documents allow at most {most}"));
        }
        if let Some(least) = param.min.filter(|least| number < *least) {
            found.warnings.push(format!("{name:?} is {text}; the documents allow at least {least}"));
        }
    }
    let listed =
        |allowed: &Value| scalar::text(allowed).is_some_and(|allowed| allowed.eq_ignore_ascii_case(&text));
    if !param.values.is_empty() && !param.values.iter().any(listed) {
        let known: Vec<String> = param.values.iter().filter_map(scalar::text).take(10).collect();
        let shown: String = scalar::printable(&text).chars().take(40).collect();
        found.warnings.push(format!(
            "{name:?} is {shown:?}, which is not among the values the documents list ({})",
            known.join(", ")
        ));
    }
}

/// Contracts of one platform.
type ByName = HashMap<Box<str>, Arc<Contract>, foldhash::fast::RandomState>;

/// Contracts that were looked up, by platform and by the name as it was given. There are few
/// platforms: they are found by comparing.
#[derive(Debug, Default)]
pub(crate) struct Contracts {
    found: RwLock<Vec<(Box<str>, ByName)>>,
}

impl Contracts {
    pub(crate) fn get(&self, catalog: &Catalog, platform: &Platform, name: &str) -> Result<Arc<Contract>> {
        {
            let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
            let apis = found.iter().find(|(known, _)| **known == platform.name);
            if let Some(contract) = apis.and_then(|(_, apis)| apis.get(name)) {
                return Ok(Arc::clone(contract));
            }
        }
        let contract = Arc::new(Contract::new(platform, catalog.api(&platform.name, name)?)?);
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        let at = found.iter().position(|(known, _)| **known == platform.name).unwrap_or_else(|| {
            found.push((platform.name.as_str().into(), ByName::default()));
            found.len() - 1
        });
        let apis = &mut found[at].1;
        if apis.len() >= MAX_CONTRACTS {
            apis.clear();
        }
        Ok(Arc::clone(apis.entry(name.into()).or_insert(contract)))
    }
}

/// Reads the headers that the platform's data add to every call.
fn headers(platform: &Platform) -> Result<HeaderMap> {
    let wrong =
        |name: &str| Error::usage(format!("invalid header {name:?} in the data of {}", platform.name));
    let header = |(name, value): (&String, &String)| {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(name))?;
        Ok((key, HeaderValue::from_str(value).map_err(|_| wrong(name))?))
    };
    platform.headers.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn param(text: &str) -> Param {
        serde_json::from_str(text).unwrap()
    }

    fn checked(text: &str, value: &Value) -> (Vec<String>, Vec<String>) {
        let mut found = Findings { wrong: Vec::new(), warnings: Vec::new() };
        check_value("a", &param(text), value, &mut found);
        (found.wrong, found.warnings)
    }

    #[test]
    fn numbers_are_numbers_however_they_are_written() {
        let integer = r#"{"n":"a","t":"integer"}"#;
        for good in [json!(1), json!("1"), json!(" 12 "), json!(3.0), json!(-4)] {
            assert!(checked(integer, &good).0.is_empty(), "{good}");
        }
        // The documents may be wrong about a single value: an encrypted id is called an integer.
        for odd in [json!("one"), json!("IDX1a2B-3c"), json!(1.5), json!(true)] {
            let (wrong, warnings) = checked(integer, &odd);
            assert_eq!((wrong.len(), warnings.len()), (0, 1), "{odd}");
        }
        for bad in [json!([1]), json!({})] {
            assert_eq!(checked(integer, &bad).0.len(), 1, "{bad}");
        }
        let decimal = r#"{"n":"a","t":"decimal"}"#;
        assert!(checked(decimal, &json!("9.99")).0.is_empty());
        assert_eq!(checked(decimal, &json!("9,99")).1.len(), 1);
        assert_eq!(checked(decimal, &json!("NaN")).1.len(), 1);
        let boolean = r#"{"n":"a","t":"boolean"}"#;
        assert!(checked(boolean, &json!("true")).0.is_empty());
        assert_eq!(checked(boolean, &json!("maybe")).1.len(), 1);
    }

    #[test]
    fn lists_are_checked_item_by_item_and_texts_left_alone() {
        let list = r#"{"n":"ids","t":"integer","l":true,"max_items":2}"#;
        assert!(checked(list, &json!([1, "2"])).0.is_empty());
        assert_eq!(checked(list, &json!([1, "x"])).1.len(), 1);
        assert_eq!(checked(list, &json!([1, {}])).0.len(), 1);
        assert_eq!(checked(list, &json!([1, 2, 3])).1.len(), 1);
        assert_eq!(checked(list, &json!("1,2")), (vec![], vec![]));
    }

    #[test]
    fn payloads_in_a_text_are_checked_like_others() {
        let layout = |kind: &str| {
            format!(
                r#"{{"n":"a","t":"{kind}","c":[{{"n":"Skus","t":"object","c":[
                    {{"n":"Sku","t":"object","l":true,"c":[
                        {{"n":"Id","t":"integer","r":true}},{{"n":"Qty","t":"integer"}}]}}]}}]}}"#
            )
        };
        let xml = |text: &str| checked(&layout("xml"), &json!(text));
        let good = "<?xml version='1.0'?><Skus><Sku x='1'><Id>1</Id></Sku><Sku><Id>2</Id></Sku></Skus>";
        assert_eq!(xml(good), (vec![], vec![]));
        assert_eq!(xml(r#"{"Skus":{"Sku":[{"Id":1}]}}"#), (vec![], vec![]));
        let (wrong, warnings) =
            xml("<Skus><Sku><Id>1</Id></Sku><Sku><Qyt>five</Qyt><Qty>many</Qty></Sku></Skus>");
        assert_eq!(wrong, ["\"a.Skus.Sku.1.Id\" is missing"]);
        assert!(warnings[0].contains("did you mean Qty"), "{warnings:?}");
        assert!(warnings[1].starts_with("\"a.Skus.Sku.1.Qty\" is a whole number"), "{warnings:?}");
        assert!(xml("<Skus><Sku></Skus>").0[0].starts_with("\"a\" is not XML: line 1, column "));
        assert!(xml("<Items/>").0[0].starts_with("the root element of \"a\" is Skus, not \"Items\""));
        assert!(xml("Skus").1[0].starts_with("\"a\" is XML text in the documents"));
        let json = |text: &str| checked(&layout("json"), &json!(text));
        assert_eq!(json(r#"{"Skus":{"Sku":[{"Id":1}]}}"#), (vec![], vec![]));
        assert_eq!(json(r#"{"Skus":{"Sku":[{}]}}"#).0, ["\"a.Skus.Sku.0.Id\" is missing"]);
        assert!(json(r#"{"Skus":"#).0[0].starts_with("\"a\" is not JSON: "));
        // Some APIs read XML where JSON is documented.
        assert_eq!(json("<Skus/>"), (vec![], vec![]));
    }

    #[test]
    fn limits_of_old_documents_only_warn() {
        let (wrong, warnings) =
            checked(r#"{"n":"a","t":"string","enum":["ON","OFF"],"max_len":3}"#, &json!("standby"));
        assert!(wrong.is_empty());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let (wrong, warnings) = checked(r#"{"n":"a","t":"string","enum":["ON","OFF"]}"#, &json!("on"));
        assert_eq!((wrong.len(), warnings.len()), (0, 0));
        assert_eq!(checked(r#"{"n":"a","t":"integer","max":100}"#, &json!(500)).1.len(), 1);
    }
}
