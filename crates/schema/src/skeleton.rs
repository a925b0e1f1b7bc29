//! A form to fill in: JSON with comments.

use std::fmt::Write as _;

use crate::{
    form::{Field, Fields, Form, Kind, Rule},
    tree::is_true,
};

/// How many options a comment lists.
const OPTIONS: usize = 12;

/// What a skeleton has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// The fields that have to be filled, and those that may have to be.
    #[default]
    Minimal,
    /// All fields.
    Full,
}

/// Writes a form as JSON with comments (JSONC) to fill in: options, limits and hints stand above each field. It is
/// JSON without its comments; [`without_comments`] removes them.
///
/// ```
/// use sesame_schema::{Extent, read, skeleton, values_from_json, without_comments};
/// let form = read(
///     r#"<itemSchema><field id="unit" name="Unit" type="singleCheck"><rules><rule name="requiredRule" value="true"/>
///        </rules><options><option displayName="Piece" value="4"/></options></field></itemSchema>"#,
/// )?;
/// let text = skeleton(&form, Extent::Minimal);
/// assert_eq!(text, "{\n  // Unit; required\n  // 4 = Piece\n  \"unit\": \"\"\n}\n");
/// assert!(values_from_json(&without_comments(&text)).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn skeleton(form: &Form, extent: Extent) -> String {
    let mut out = String::from("{\n");
    members(&mut out, &form.fields, extent, 1);
    out.push_str("}\n");
    out
}

/// Removes the comments of JSONC, and commas before a closing bracket.
pub fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                out.push(c);
                let mut is_escaped = false;
                for c in rest.by_ref() {
                    out.push(c);
                    match c {
                        '"' if !is_escaped => break,
                        _ => is_escaped = c == '\\' && !is_escaped,
                    }
                }
            }
            // The line end stays, so that errors keep their lines.
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => {
                let mut last = rest.next();
                for c in rest.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if last == Some('*') && c == '/' {
                        break;
                    }
                    last = Some(c);
                }
            }
            '}' | ']' => {
                let end = out.trim_end().len();
                if out[..end].ends_with(',') {
                    out.remove(end - 1);
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn members(out: &mut String, fields: &Fields, extent: Extent, depth: usize) {
    let wanted = |field: &&Field| {
        field.kind != Kind::Label
            && (extent == Extent::Full || needed(field).is_some() && !is_always_off(field))
    };
    let wanted: Vec<&Field> = fields.values().filter(wanted).collect();
    let indent = "  ".repeat(depth);
    for (at, field) in wanted.iter().enumerate() {
        for line in comments(field) {
            let _ = writeln!(out, "{indent}// {}", line.replace(['\n', '\r'], " "));
        }
        let id = serde_json::to_string(&field.id).unwrap_or_default();
        let _ = write!(out, "{indent}{id}: ");
        value(out, field, extent, depth);
        out.push_str(if at + 1 < wanted.len() { ",\n" } else { "\n" });
    }
}

fn value(out: &mut String, field: &Field, extent: Extent, depth: usize) {
    let indent = "  ".repeat(depth);
    // What the document holds already, or would be taken.
    if let Some(value) = field.value.as_ref().or(field.default.as_ref())
        && !matches!(field.kind, Kind::Complex | Kind::MultiComplex)
    {
        let _ = write!(out, "{value}");
        return;
    }
    match field.kind {
        Kind::Complex if !field.fields.is_empty() => {
            out.push_str("{\n");
            members(out, &field.fields, extent, depth + 1);
            let _ = write!(out, "{indent}}}");
        }
        Kind::MultiComplex if !field.fields.is_empty() => {
            let _ = writeln!(out, "[{{");
            members(out, &field.fields, extent, depth + 1);
            let _ = write!(out, "{indent}}}]");
        }
        Kind::Complex => out.push_str("{}"),
        Kind::MultiComplex => out.push_str("[]"),
        kind if kind.is_list() => out.push_str("[]"),
        _ => {
            let attributes: Vec<&str> =
                field.rules_named("valueAttributeRule").map(|rule| rule.value.trim()).collect();
            if attributes.is_empty() {
                out.push_str("\"\"");
            } else {
                let json = |name: &&str| serde_json::to_string(name).unwrap_or_default();
                let attributes = attributes.iter().map(|name| format!("{}: \"\"", json(name)));
                let attributes: Vec<String> = attributes.collect();
                let _ = write!(out, "{{\"$value\": \"\", \"$attrs\": {{{}}}}}", attributes.join(", "));
            }
        }
    }
}

/// Returns what is to be said of a field's need, if it has one: of itself or of a field inside it.
fn needed(field: &Field) -> Option<&'static str> {
    let is_required = field.rules_named("requiredRule").any(|rule| is_true(&rule.value));
    let is_conditional = field.rules_named("disableRule").any(|rule| rule.when.is_some())
        || field.rules_named("requiredRule").all(|rule| rule.when.is_some());
    match (is_required, is_conditional) {
        (true, true) => Some("required, unless other fields switch it off"),
        (true, false) => Some("required"),
        (false, _) => field
            .fields
            .values()
            .any(|inner| needed(inner) == Some("required"))
            .then_some("if given, some of its fields are required"),
    }
}

fn is_always_off(field: &Field) -> bool {
    field.rules_named("disableRule").any(|rule| is_true(&rule.value) && rule.when.is_none())
}

fn comments(field: &Field) -> Vec<String> {
    let mut head: Vec<String> = field.name.clone().into_iter().collect();
    head.extend(needed(field).map(str::to_owned));
    head.extend(field.rules.iter().filter_map(limit));
    let mut lines: Vec<String> = Vec::new();
    if !head.is_empty() {
        lines.push(head.join("; "));
    }
    if !field.options.is_empty() {
        let named =
            field.options.iter().take(OPTIONS).map(|option| format!("{} = {}", option.value, option.name));
        let mut named: Vec<String> = named.collect();
        if field.options.len() > OPTIONS {
            named.push(format!("{} more", field.options.len() - OPTIONS));
        }
        lines.push(named.join(", "));
    }
    let tips = field.rules.iter().filter(|rule| rule.name == "tipRule" || rule.is_sentence());
    lines.extend(tips.map(|rule| rule.value.clone()));
    lines
}

/// Says what a rule demands.
fn limit(rule: &Rule) -> Option<String> {
    let value = rule.value.as_str();
    let unit = rule.unit.as_deref().map(|unit| format!(" {unit}s")).unwrap_or_default();
    let (least, most) = if rule.is_open() { ("more than", "less than") } else { ("at least", "at most") };
    Some(match rule.name.as_str() {
        "maxLengthRule" => format!("{most} {value}{}", if unit.is_empty() { " characters" } else { &unit }),
        "minLengthRule" if value != "0" => {
            format!("{least} {value}{}", if unit.is_empty() { " characters" } else { &unit })
        }
        "maxValueRule" => format!("{most} {value}"),
        "minValueRule" => format!("{least} {value}"),
        "maxInputNumRule" => format!("{most} {value} values"),
        "minInputNumRule" if value != "0" => format!("{least} {value} values"),
        "maxTargetSizeRule" => format!("a file of {most} {value}{unit}"),
        "valueTypeRule" if !matches!(value, "text" | "textarea") => value.to_owned(),
        "regexRule" | "regxRule" if rule.is_open() => format!("no part matches {value}"),
        "regexRule" | "regxRule" => format!("matches {value}"),
        "readOnlyRule" if is_true(value) => "read only".to_owned(),
        "disableRule" if rule.when.is_none() && is_true(value) => "switched off".to_owned(),
        "valueAttributeRule" => format!("with the attribute {value}"),
        _ => return None,
    })
}
