//! Checks arguments against the catalog: what is required, types, limits, listed values, payloads in a text.

use serde_json::{Map, Value as Json};
use sesame_catalog::{Api, Paging, Param, Type};
use sesame_core::{Protocol, scalar, xml};

use crate::{
    error::{GatewayError, GatewayResult},
    fixtures::{Args, is_date},
    received::Fields,
};

/// What is wrong with an argument, and its name, dotted when it sits inside another.
enum ArgumentError {
    Missing(String),
    Invalid(String),
}

type Checked = Result<(), ArgumentError>;

/// How closely arguments are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// What is required, and whole numbers. An API with fixtures has codes of its own for the rest.
    Basics,
    /// Everything that the entry says.
    All,
}

/// Checks the arguments of a call.
///
/// Parameters whose `required` is unknown may be left out, members of an object are looked at when the
/// object came, and unknown names are ignored, as the gateways do.
pub(super) fn check(
    protocol: Protocol,
    contract: &Api,
    args: &dyn Args,
    fields: &Fields<'_>,
    check: Check,
) -> GatewayResult<()> {
    let checker = Checker { all: check == Check::All, paging: contract.paging.as_ref() };
    let wrong = contract.callers().try_for_each(|param| {
        let name = param.name.as_str();
        match args.get(name).filter(|value| !value.is_empty()) {
            Some(value) => checker.text(param, name, value),
            None if param.required == Some(true) && !fields.has_file(name) => {
                Err(ArgumentError::Missing(name.to_owned()))
            }
            None => Ok(()),
        }
    });
    wrong.map_err(|error| match error {
        ArgumentError::Missing(name) => GatewayError::missing(protocol, &name),
        ArgumentError::Invalid(name) => GatewayError::invalid(protocol, &name),
    })
}

struct Checker<'a> {
    all: bool,
    /// The documents list numbers of some pages, and a size that is too large is cut, not refused.
    paging: Option<&'a Paging>,
}

impl Checker<'_> {
    /// Checks a value that came as text.
    fn text(&self, param: &Param, path: &str, value: &str) -> Checked {
        let invalid = || Err(ArgumentError::Invalid(path.to_owned()));
        let text = value.trim();
        if text.is_empty() {
            return Ok(());
        }
        let payload = param.kind == Type::Json || !param.children.is_empty();
        match param.kind {
            Type::Bytes if self.all => return invalid(),
            // JSON of the same layout will do.
            Type::Xml => {
                let json = || serde_json::from_str(text).ok().filter(Json::is_object);
                return match xml::read(text).ok() {
                    Some((root, value)) => self.root(param, path, &root, &value),
                    None => match json() {
                        Some(value) => self.one(param, path, &value),
                        None if self.all => invalid(),
                        None => Ok(()),
                    },
                };
            }
            _ => {}
        }
        if text.starts_with(['{', '[']) && (payload || param.list || param.kind == Type::Object) {
            return match serde_json::from_str(text) {
                // No layout is known.
                Ok(_) if param.kind == Type::Json && param.children.is_empty() => Ok(()),
                Ok(Json::Array(items)) if param.list || param.kind == Type::Json => {
                    self.items(param, path, &items)
                }
                Ok(value) => self.one(param, path, &value),
                Err(_) if self.all || param.kind == Type::Object => invalid(),
                Err(_) => Ok(()),
            };
        }
        if payload || param.kind == Type::Object {
            // XML and other texts stand for an object where the API reads them itself.
            let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let fits = text.starts_with('<') || (param.children.is_empty() && is_json());
            return if self.all && !fits { invalid() } else { Ok(()) };
        }
        if param.list {
            // Joined by commas; one method wants semicolons.
            let parts = text.split([',', ';']).filter(|part| !part.trim().is_empty());
            let parts: Vec<Json> = parts.map(|part| part.trim().into()).collect();
            return self.items(param, path, &parts);
        }
        self.scalar(param, path, text)
    }

    fn items(&self, param: &Param, path: &str, items: &[Json]) -> Checked {
        if !self.all {
            // Lists are read where the API stands.
            return Ok(());
        }
        if param.max_items.is_some_and(|most| items.len() as u64 > most) {
            return Err(ArgumentError::Invalid(path.to_owned()));
        }
        items.iter().try_for_each(|item| self.one(param, path, item))
    }

    /// Checks a value inside another one.
    fn value(&self, param: &Param, path: &str, value: &Json) -> Checked {
        match value {
            Json::Array(items) if param.list || param.kind == Type::Json => self.items(param, path, items),
            Json::String(text) if param.list => self.text(param, path, text),
            _ => self.one(param, path, value),
        }
    }

    /// Checks one value, or one item of a list.
    fn one(&self, param: &Param, path: &str, value: &Json) -> Checked {
        match value {
            Json::Object(members) if !param.children.is_empty() => {
                self.members(&param.children, path, members)
            }
            Json::String(text) if matches!(param.kind, Type::Json | Type::Xml | Type::Object) => {
                self.text(param, path, text)
            }
            Json::Object(_) | Json::Array(_) if self.all => {
                let single = matches!(
                    param.kind,
                    Type::Integer | Type::Number | Type::Decimal | Type::Boolean | Type::Date
                );
                let wrong = single || (value.is_array() && !param.children.is_empty());
                if wrong { Err(ArgumentError::Invalid(path.to_owned())) } else { Ok(()) }
            }
            _ if matches!(param.kind, Type::Object | Type::Json | Type::Xml) => {
                let wrong = self.all && !param.children.is_empty() && !value.is_null();
                if wrong { Err(ArgumentError::Invalid(path.to_owned())) } else { Ok(()) }
            }
            _ => scalar::text(value).map_or(Ok(()), |text| self.scalar(param, path, text.trim())),
        }
    }

    fn members(&self, params: &[Param], path: &str, members: &Map<String, Json>) -> Checked {
        params.iter().try_for_each(|param| {
            let path = format!("{path}.{}", param.name);
            match members.get(&param.name) {
                None | Some(Json::Null) if param.required == Some(true) => Err(ArgumentError::Missing(path)),
                None | Some(Json::Null) => Ok(()),
                Some(value) => self.value(param, &path, value),
            }
        })
    }

    /// Checks the root element of XML: the only member of the parameter, where the entry has a layout.
    fn root(&self, param: &Param, path: &str, root: &str, value: &Json) -> Checked {
        match param.children.as_slice() {
            [] => Ok(()),
            [wanted] if wanted.name == root => self.value(wanted, &format!("{path}.{root}"), value),
            _ if self.all => Err(ArgumentError::Invalid(path.to_owned())),
            _ => Ok(()),
        }
    }

    fn scalar(&self, param: &Param, path: &str, text: &str) -> Checked {
        let number = || text.parse::<f64>().ok().filter(|number| number.is_finite());
        let fits = match param.kind {
            _ if text.is_empty() => return Ok(()),
            Type::Integer => is_integer(text),
            Type::Number => number().is_some(),
            Type::Decimal => !self.all || number().is_some(),
            Type::Boolean => !self.all || scalar::boolean(&text.into()).is_some(),
            Type::Date => !self.all || is_date(text),
            Type::String | Type::Json | Type::Xml | Type::Bytes | Type::Object => true,
        };
        let same = |value: &Json| scalar::text(value).is_some_and(|value| value.eq_ignore_ascii_case(text));
        let listed = param.values.is_empty() || param.values.iter().any(same);
        let short = param.max_len.is_none_or(|most| text.chars().count() as u64 <= most);
        let bounds = number().is_none_or(|number| {
            param.max.is_none_or(|most| number <= most) && param.min.is_none_or(|least| number >= least)
        });
        let is_page = self.paging.is_some_and(|rule| path == rule.index);
        let is_size = self.paging.is_some_and(|rule| rule.size.as_deref() == Some(path));
        let within = short && (listed || is_page || is_size) && (bounds || is_size);
        if fits && (!self.all || within) { Ok(()) } else { Err(ArgumentError::Invalid(path.to_owned())) }
    }
}

/// Whole numbers, signed or not, of any length that ids have.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.len() <= 40 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
