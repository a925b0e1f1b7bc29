//! Conditions as schemas of the group that they look at.

use std::{cmp::Ordering, collections::HashSet};

use serde_json::{Value as Json, json};

use super::{
    numbers::beside,
    parts::{all, any, member, not, reference, some_text, texts},
};
use crate::{
    form::{Comparison, Field, Fields, Group, Kind, Operator, Part, Symbol},
    number::Number,
    tree::{holds_for_empty, is_met, is_true},
};

/// How many comparisons are written at most because of defaults that other fields switch off: each may double them.
const MOST: usize = 2_000;

/// How many rules switch a field off at most.
const RULES: usize = 100;

/// How long a chain of fields with defaults that switch each other off is at most.
const DEEPEST: usize = 8;

/// Why a condition has no schema.
pub(super) const ELSEWHERE: &str =
    "it depends on a field outside of its group, or on one that cannot be judged here";

/// Writes conditions.
pub(super) struct Conditions<'a> {
    /// The ids of all fields of the form.
    pub(super) known: HashSet<&'a str>,
    pub(super) count: usize,
}

impl Conditions<'_> {
    /// A schema of a group that fits if a condition of one of its fields holds; `None` if there is none.
    pub(super) fn holds(&mut self, when: Option<&Group>, fields: &Fields) -> Option<Json> {
        when.map_or(Some(json!(true)), |group| self.group(group, fields, &mut Vec::new()))
    }

    /// The same for a field being switched off.
    pub(super) fn is_off(&mut self, field: &Field, fields: &Fields) -> Option<Json> {
        self.off(field, fields, &mut Vec::new())
    }

    fn off<'a>(&mut self, field: &'a Field, fields: &'a Fields, open: &mut Vec<&'a str>) -> Option<Json> {
        let rules = field.rules_named("disableRule").filter(|rule| is_true(&rule.value));
        let rules: Vec<_> = rules.take(RULES + 1).collect();
        if rules.len() > RULES {
            return None;
        }
        let rules = rules.into_iter().map(|rule| match &rule.when {
            Some(group) => self.group(group, fields, open),
            None => Some(json!(true)),
        });
        rules.collect::<Option<Vec<_>>>().map(any)
    }

    fn group<'a>(&mut self, group: &'a Group, fields: &'a Fields, open: &mut Vec<&'a str>) -> Option<Json> {
        let parts = group.parts.iter().map(|part| match part {
            Part::Group(inner) => self.group(inner, fields, open),
            Part::Comparison(comparison) => self.comparison(comparison, fields, open),
        });
        let parts = parts.collect::<Option<Vec<_>>>()?;
        Some(match group.operator {
            Operator::And => all(parts),
            Operator::Or => any(parts),
            Operator::Unknown(_) => json!(false),
        })
    }

    fn comparison<'a>(
        &mut self,
        comparison: &'a Comparison,
        fields: &'a Fields,
        open: &mut Vec<&'a str>,
    ) -> Option<Json> {
        self.count += usize::from(!open.is_empty());
        let Some(field) = fields.get(&comparison.field) else {
            let is_nowhere = !self.known.contains(comparison.field.as_str());
            return is_nowhere.then_some(json!(false));
        };
        // A text is looked for in all of a group; nobody has seen that.
        if matches!(field.kind, Kind::Complex | Kind::MultiComplex) {
            return None;
        }
        let seen = seen(comparison, field)?;
        let is_switched = field.rules_named("disableRule").any(|rule| is_true(&rule.value));
        if field.default.is_none() || !is_switched {
            // Without a default: what is off and yet given is wrong anyway.
            return Some(seen);
        }
        if self.count >= MOST || open.len() == DEEPEST || open.contains(&field.id.as_str()) {
            return None;
        }
        open.push(&field.id);
        let off = self.off(field, fields, open);
        open.pop();
        let off = off?;
        if holds_for_empty(&comparison.symbol) {
            return Some(any(vec![off, seen]));
        }
        Some(all(vec![not(off), seen]))
    }
}

/// The condition on a field that is not switched off.
fn seen(comparison: &Comparison, field: &Field) -> Option<Json> {
    let kind = field.kind;
    let wanted = comparison.value.as_str();
    let filled = || reference("filled");
    let is = json!({ "const": wanted });
    let one_is =
        |text: &Json| if crate::value::is_blank(wanted) { json!(false) } else { some_text(kind, text) };
    let all_are = |text: &Json| all(vec![filled(), texts(kind, text, None)]);
    let options = || json!({"enum": field.options.iter().map(|option| &option.value).collect::<Vec<_>>()});
    let numbers = |sides: &[Ordering]| {
        let Some(limit) = Number::parse(wanted) else { return Some(json!(false)) };
        if !is_plain(field) {
            return None;
        }
        let ways = sides.iter().map(|side| Some(json!({"pattern": beside(&limit, *side)?})));
        Some(all_are(&any(ways.collect::<Option<Vec<_>>>()?)))
    };
    let schema = match &comparison.symbol {
        Symbol::Equal if crate::value::is_blank(wanted) => json!(false),
        Symbol::Equal => all_are(&is),
        Symbol::Contains => one_is(&is),
        Symbol::NotEqual | Symbol::NotContains => not(one_is(&is)),
        Symbol::Above => numbers(&[Ordering::Greater])?,
        Symbol::Below => numbers(&[Ordering::Less])?,
        Symbol::AtLeast => numbers(&[Ordering::Greater, Ordering::Equal])?,
        Symbol::AtMost => numbers(&[Ordering::Less, Ordering::Equal])?,
        Symbol::IsNull => reference("empty"),
        Symbol::InOptions if field.options.is_empty() => json!(false),
        Symbol::InOptions => all_are(&options()),
        Symbol::NotInOptions if field.options.is_empty() => filled(),
        Symbol::NotInOptions => all(vec![filled(), not(some_text(kind, &filled_option(field)))]),
        Symbol::Unknown(_) => json!(false),
    };
    let mut default = Vec::new();
    if let Some(value) = &field.default {
        value.each_text(&mut |text| default.push(text.text.as_str()));
    }
    let is_absent_fine = is_met(comparison, default, &field.options);
    Some(match schema {
        Json::Bool(false) if !is_absent_fine => json!(false),
        Json::Bool(true) if is_absent_fine => json!(true),
        schema => member(&field.id, schema, is_absent_fine),
    })
}

/// The options that are not blank: a blank text is no value.
fn filled_option(field: &Field) -> Json {
    let values = field.options.iter().map(|option| option.value.as_str());
    json!({"enum": values.filter(|value| !crate::value::is_blank(value)).collect::<Vec<_>>()})
}

/// Returns `true` if its numbers have no exponent.
pub(super) fn is_plain(field: &Field) -> bool {
    let mut types = field.rules_named("valueTypeRule").filter(|rule| rule.when.is_none());
    types.any(|rule| matches!(rule.value.trim(), "integer" | "long" | "decimal"))
}
