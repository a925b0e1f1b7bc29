//! What a single rule says of a value.

use std::{cmp::Ordering, collections::HashSet};

use serde_json::{Value as Json, json};

use super::{
    expression::translate,
    numbers::{beside, of_type, with_decimals},
    parts::{all, any, json_of, not, reference},
};
use crate::{
    form::{Field, Kind, Rule},
    number::Number,
    pattern::Pattern,
    tree::is_true,
};

const BYTES: &str = "JSON Schema counts no bytes";
const PAIRS: &str = "characters beyond U+FFFF count as two";
const WHOLE: &str = "JSON Schema does not add up the texts inside";
const EXPONENT: &str = "numbers with an exponent are not compared";
const DIALECT: &str = "the expression is Java's, and has no counterpart or another meaning in ECMA-262";
const NUMBER: &str = "the limit is too long a number";
const UNKNOWN: &str = "it cannot be judged by the value alone";

/// What a rule says.
pub(super) enum Constraint<'a> {
    Nothing,
    /// Of the value as a whole.
    Value(Json),
    /// Of each text; not in all cases, if there is a reason.
    Text {
        text: Json,
        attribute: Option<&'a str>,
        partly: Option<&'static str>,
    },
    /// Of each text, if it is a number.
    Bound(Json, Option<&'static str>),
    /// Nothing that a schema could say.
    Beyond(&'static str),
}

/// Reads a rule; what is needed and what is switched off is not for here.
pub(super) fn constraint<'a>(rule: &'a Rule, field: &Field, is_plain: bool) -> Constraint<'a> {
    let text = |text: Json| Constraint::Text { text, attribute: None, partly: None };
    let is_group = matches!(field.kind, Kind::Complex | Kind::MultiComplex);
    let is_min = rule.name.starts_with("min");
    match rule.name.as_str() {
        "requiredRule" | "disableRule" | "tipRule" => Constraint::Nothing,
        _ if rule.is_sentence() => Constraint::Nothing,
        "readOnlyRule" => match field.value.as_ref().or(field.default.as_ref()) {
            Some(present) if is_true(&rule.value) => {
                Constraint::Value(any(vec![reference("empty"), json!({"const": json_of(present)})]))
            }
            _ => Constraint::Nothing,
        },
        "minLengthRule" | "maxLengthRule" if is_group => Constraint::Beyond(WHOLE),
        "valueTypeRule"
        | "regexRule"
        | "regxRule"
        | "valueAttributeRule"
        | "minValueRule"
        | "maxValueRule"
        | "minDecimalDigitsRule"
        | "maxDecimalDigitsRule"
            if is_group =>
        {
            Constraint::Nothing
        }
        "valueTypeRule" => {
            of_type(rule.value.trim()).map_or(Constraint::Nothing, |it| text(json!({"pattern": it})))
        }
        "minLengthRule" | "maxLengthRule" => {
            let is_bytes = rule.unit.as_deref().is_some_and(|unit| unit.trim().eq_ignore_ascii_case("byte"));
            match count(rule) {
                None | Some(Count::Least(0)) => Constraint::Nothing,
                Some(_) if is_bytes => Constraint::Beyond(BYTES),
                Some(Count::Least(least)) => Constraint::Text {
                    // With pairs there may be half as many.
                    text: any(vec![
                        json!({"minLength": least}),
                        json!({"pattern": r"[^\u0000-\uffff]", "minLength": least.div_ceil(2)}),
                    ]),
                    attribute: None,
                    partly: Some(PAIRS),
                },
                Some(Count::Most(most)) => Constraint::Text {
                    text: json!({"maxLength": most}),
                    attribute: None,
                    partly: Some(PAIRS),
                },
                Some(Count::Never) => text(json!({"not": {}})),
                Some(Count::Unread) => Constraint::Beyond(NUMBER),
            }
        }
        "minInputNumRule" | "maxInputNumRule" | "maxItemsRule" => {
            if !field.kind.is_list() && field.kind != Kind::MultiComplex {
                return Constraint::Nothing;
            }
            let filled = reference("filled");
            let array = |bounds: Json| {
                let Json::Object(mut schema) = bounds else { return json!({}) };
                schema.insert("contains".to_owned(), filled.clone());
                Json::Object(schema)
            };
            let schema = match count(rule) {
                None | Some(Count::Least(0 | 1)) => return Constraint::Nothing,
                Some(Count::Least(least)) => {
                    all(vec![json!({"type": "array"}), array(json!({"minContains": least}))])
                }
                Some(Count::Most(0) | Count::Never) => json!(false),
                Some(Count::Unread) => return Constraint::Beyond(NUMBER),
                Some(Count::Most(most)) => array(json!({"minContains": 0, "maxContains": most})),
            };
            Constraint::Value(any(vec![reference("empty"), schema]))
        }
        "minDecimalDigitsRule" | "maxDecimalDigitsRule" => {
            let refused = match count(rule) {
                None | Some(Count::Least(0)) => return Constraint::Nothing,
                Some(Count::Least(least)) => with_decimals(0, Some(least - 1)),
                Some(Count::Most(most)) => with_decimals(most.saturating_add(1), None),
                Some(Count::Never) => with_decimals(0, None),
                Some(Count::Unread) => return Constraint::Beyond(NUMBER),
            };
            text(not(json!({"pattern": refused})))
        }
        "minValueRule" | "maxValueRule" => {
            let Some(limit) = Number::parse(&rule.value) else { return Constraint::Nothing };
            let side = if is_min { Ordering::Less } else { Ordering::Greater };
            let mut sides = vec![side];
            sides.extend(rule.is_open().then_some(Ordering::Equal));
            let ways: Option<Vec<Json>> =
                sides.into_iter().map(|side| Some(json!({"pattern": beside(&limit, side)?}))).collect();
            let Some(ways) = ways else { return Constraint::Beyond(NUMBER) };
            Constraint::Bound(not(any(ways)), (!is_plain).then_some(EXPONENT))
        }
        "regexRule" | "regxRule" => {
            let is_whole = !rule.is_open();
            if Pattern::new(&rule.value, is_whole).matches("").is_none() {
                return Constraint::Beyond(DIALECT);
            }
            match translate(&rule.value, is_whole) {
                Some(pattern) if is_whole => text(json!({"pattern": pattern})),
                Some(pattern) => text(not(json!({"pattern": pattern}))),
                None => Constraint::Beyond(DIALECT),
            }
        }
        "valueAttributeRule" => {
            Constraint::Text { text: json!({}), attribute: Some(rule.value.trim()), partly: None }
        }
        _ => Constraint::Beyond(UNKNOWN),
    }
}

/// The options of a field with their names, and whether it takes values of one's own besides.
pub(super) fn offered(field: &Field) -> (Json, bool) {
    let mut seen = HashSet::new();
    let options = field.options.iter().filter(|option| seen.insert(option.value.as_str()));
    let options: Vec<Json> =
        options.map(|option| json!({"const": option.value, "title": option.name})).collect();
    let takes_own = field.rules_named("valueAttributeRule").any(|rule| rule.value.trim() == "inputValue");
    let options = json!({ "oneOf": options });
    if takes_own { (any(vec![options, json!({"pattern": "^-[0-9]+$"})]), true) } else { (options, false) }
}

/// What a limit of a count comes to.
enum Count {
    Least(u64),
    Most(u64),
    /// No count fits.
    Never,
    /// It is too long a number.
    Unread,
}

fn count(rule: &Rule) -> Option<Count> {
    let limit = Number::parse(&rule.value)?;
    let is_min = rule.name.starts_with("min");
    let Some((is_negative, whole, fraction)) = limit.plain() else { return Some(Count::Unread) };
    let Ok(whole) = format!("0{whole}").parse::<u64>() else { return Some(Count::Unread) };
    let is_whole = fraction.is_empty();
    if is_negative {
        return Some(if is_min { Count::Least(0) } else { Count::Never });
    }
    Some(match (is_min, is_whole, rule.is_open()) {
        (true, true, false) => Count::Least(whole),
        (true, _, _) => Count::Least(whole.saturating_add(1)),
        (false, true, true) => whole.checked_sub(1).map_or(Count::Never, Count::Most),
        (false, _, _) => Count::Most(whole),
    })
}
