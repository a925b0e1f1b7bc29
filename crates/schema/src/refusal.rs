//! What a platform says when it refuses a product, read back into findings.

use crate::{Finding, Path, Step};

/// The longest message that is looked through, in bytes.
const LONGEST: usize = 1 << 20;
/// Maximum number of findings of one message.
const MOST: usize = 1_000;

/// Reads a refusal. Lines of the form `#/path/to/0/member: reason` are findings each, in the words of the JSON
/// Schema validator that AliExpress uses. Any other message is one finding about `field`, which breaks `rule`, if
/// the table of codes knows one of them; else there is none.
///
/// `field` is a JSON pointer, empty for the whole product; `{A|B}` in it takes the text of the message between A
/// and B.
///
/// ```
/// use sesame_schema::refused;
/// let found = refused("#/title_list/0/title: expected maxLength: 128, actual: 130", "", "");
/// assert_eq!(found[0].path.to_string(), "/title_list/0/title");
/// assert_eq!((found[0].rule.as_str(), found[0].limit.as_deref(), found[0].actual), ("maxLength", Some("128"), Some(130)));
///
/// let found = refused("no such attribute. key:Screen Size; category:7", "/attributes/{key:|;}", "unknownField");
/// assert_eq!(found[0].path.to_string(), "/attributes/Screen Size");
/// ```
pub fn refused(message: &str, field: &str, rule: &str) -> Vec<Finding> {
    let mut end = message.len().min(LONGEST);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let message = &message[..end];
    let lines: Vec<Finding> = message.lines().filter_map(line).take(MOST).collect();
    if !lines.is_empty() {
        return lines;
    }
    if field.is_empty() && rule.is_empty() {
        return Vec::new();
    }
    let rule = if rule.is_empty() { "business" } else { rule };
    vec![Finding::new(rule, pointer(&filled(field, message)), message.trim().to_owned())]
}

/// Reads a line of the validator.
fn line(line: &str) -> Option<Finding> {
    let line = line.trim();
    let line = line.strip_prefix('#')?;
    // Of a constant that differs the validator says nothing but where.
    let (place, mut reason) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    // The validator names the place of a part inside its own scheme once more.
    while let Some(rest) = reason.strip_prefix("#: ") {
        reason = rest;
    }
    if !place.is_empty() && !place.starts_with('/') || reason.ends_with("schema violations found") {
        return None;
    }
    let mut path = pointer(place);
    let (rule, limit, actual) = keyword(reason);
    let missing = ["required key [", "extraneous key [", "property ["].iter().find_map(|head| {
        let rest = reason.strip_prefix(head)?;
        // Names have brackets, too: the last one closes.
        rest.rsplit_once(']').map(|(name, _)| name)
    });
    path.extend(missing.map(Step::from));
    let message = if reason.is_empty() { "the value is not the one that it has to be" } else { reason };
    let mut finding = Finding::new(rule, path, message.to_owned());
    finding.limit = limit.map(str::to_owned);
    finding.actual = actual.and_then(|actual| actual.parse().ok());
    Some(finding)
}

/// Finds the keyword of JSON Schema that a reason is about, the limit and what was counted.
fn keyword(reason: &str) -> (&'static str, Option<&str>, Option<&str>) {
    if reason.is_empty() {
        return ("const", None, None);
    }
    let counted = [
        ("expected maxLength: ", ", actual: ", "maxLength"),
        ("expected minLength: ", ", actual: ", "minLength"),
        ("expected maximum item count: ", ", found: ", "maxItems"),
        ("expected minimum item count: ", ", found: ", "minItems"),
        ("minimum size: [", "], found: [", "minProperties"),
        ("maximum size: [", "], found: [", "maxProperties"),
        ("expected type: ", ", found: ", "type"),
        ("expected: [", "] array items, found: [", "additionalItems"),
    ];
    for (before, between, keyword) in counted {
        if let Some((limit, actual)) = reason.strip_prefix(before).and_then(|rest| rest.split_once(between)) {
            return (keyword, Some(limit), Some(actual.trim_end_matches(']')));
        }
    }
    let compared = [
        (" is not greater or equal to ", "minimum"),
        (" is not greater than ", "exclusiveMinimum"),
        (" is not less or equal to ", "maximum"),
        (" is not less than ", "exclusiveMaximum"),
        (" is not a multiple of ", "multipleOf"),
        (" does not match pattern ", "pattern"),
    ];
    for (between, keyword) in compared {
        if let Some((_, limit)) = reason.rsplit_once(between) {
            return (keyword, Some(limit), None);
        }
    }
    let named = [
        ("required key [", "required"),
        ("extraneous key [", "additionalProperties"),
        ("is required", "dependencies"),
        ("false schema always fails", "falseSchema"),
        (" is not a valid enum value", "enum"),
        ("subschemas matched instead of one", "oneOf"),
        ("no subschema matched", "anyOf"),
        ("must not be valid against schema", "not"),
        ("array items are not unique", "uniqueItems"),
        ("match 'contains'", "contains"),
        ("is not a valid ", "format"),
        (" subschema matches out of ", "allOf"),
    ];
    let named = named.into_iter().find(|(part, _)| reason.contains(part));
    (named.map_or("schema", |(_, keyword)| keyword), None, None)
}

/// Fills the holes of a pointer from a message.
fn filled(field: &str, message: &str) -> String {
    let Some((head, rest)) = field.split_once('{') else { return field.to_owned() };
    let Some((hole, tail)) = rest.split_once('}') else { return field.to_owned() };
    let (before, after) = hole.split_once('|').unwrap_or((hole, ""));
    match inside(message, before, after) {
        Some(found) => format!("{head}{}{tail}", found.trim().replace('~', "~0").replace('/', "~1")),
        None => head.trim_end_matches('/').to_owned(),
    }
}

fn inside<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    if after.is_empty() { Some(rest) } else { rest.split_once(after).map(|(found, _)| found) }
}

/// Reads a JSON pointer: numbers count rows and values.
fn pointer(text: &str) -> Vec<Step> {
    let steps = text.split('/').skip(1);
    let step = |step: &str| match step.parse() {
        Ok(index) if step == "0" || !step.starts_with(['+', '0']) => Step::Index(index),
        _ => Step::Field(step.replace("~1", "/").replace("~0", "~")),
    };
    steps.map(step).collect()
}

impl Path {
    /// Reads a JSON pointer; a step that is a number counts rows or values.
    pub fn from_pointer(pointer: &str) -> Self {
        Self(self::pointer(pointer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sentences of the validator, for each keyword it has.
    #[test]
    fn reasons_are_read_back_into_keywords() {
        for (line, place, rule, limit, actual) in [
            ("#/a: #: 0 subschemas matched instead of one", "/a", "oneOf", None, None),
            ("#: required key [price] not found", "/price", "required", None, None),
            (
                "#/rows/1: extraneous key [x/y] is not permitted",
                "/rows/1/x~1y",
                "additionalProperties",
                None,
                None,
            ),
            (
                "#/a/Brand Name/value: expected type: String, found: Integer",
                "/a/Brand Name/value",
                "type",
                Some("String"),
                None,
            ),
            ("#/n: -1 is not greater or equal to 0", "/n", "minimum", Some("0"), None),
            ("#/list: expected minimum item count: 1, found: 0", "/list", "minItems", Some("1"), Some(0)),
            ("#/o: minimum size: [2], found: [1]", "/o", "minProperties", Some("2"), Some(1)),
            ("#/s: string [a b] does not match pattern ^[0-9]+$", "/s", "pattern", Some("^[0-9]+$"), None),
            ("#/u: x is not a valid enum value", "/u", "enum", None, None),
            ("#/d: [x] is not a valid date-time. Expected [yyyy]", "/d", "format", None, None),
            ("#/w: something else", "/w", "schema", None, None),
            ("#/c:", "/c", "const", None, None),
            ("#/t: expected: [2] array items, found: [3]", "/t", "additionalItems", Some("2"), Some(3)),
            ("#/p: property [q] is required", "/p/q", "dependencies", None, None),
            ("#/007/+1/0/10: something else", "/007/+1/0/10", "schema", None, None),
            ("#/f: false schema always fails", "/f", "falseSchema", None, None),
            ("#: required key [Size [cm]] not found", "/Size [cm]", "required", None, None),
        ] {
            let found = refused(&format!("checked:\n{line}\n#: 3 schema violations found"), "", "");
            assert_eq!(found.len(), 1, "{line}");
            let found = &found[0];
            assert_eq!((found.path.to_string().as_str(), found.rule.as_str()), (place, rule), "{line}");
            assert_eq!((found.limit.as_deref(), found.actual), (limit, actual), "{line}");
        }
    }

    #[test]
    fn other_messages_are_about_the_field_of_their_code_or_nothing() {
        assert_eq!(refused("#hashtag: x", "", ""), []);
        assert_eq!(refused("", "", ""), []);
        let found = refused("a fault", "/sku", "");
        assert_eq!((found[0].path.to_string().as_str(), found[0].rule.as_str()), ("/sku", "business"));
        assert_eq!(refused("no key", "/a/{key:|;}", "x")[0].path.to_string(), "/a");
        assert_eq!(refused("wrong wrapper", "", "shape")[0].path.to_string(), "");
    }
}
