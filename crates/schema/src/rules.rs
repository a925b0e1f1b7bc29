//! The rules of a field, one by one.

use std::{cmp::Ordering, collections::HashSet};

use jiff::civil::{Date, DateTime};

use crate::{
    Dialect, Finding, Severity, Step,
    dialect::characters,
    form::{Field, Kind, Rule},
    number::Number,
    pattern::Pattern,
    tree::Tree,
    value::{Text, Value, is_blank},
};

/// From this number of comparisons on, options are looked up in a table.
const MANY: usize = 256;

/// Collects what rules find.
pub(crate) struct Judge<'a> {
    pub(crate) tree: &'a Tree<'a>,
    pub(crate) dialect: Dialect,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    /// Adds a finding about a field.
    pub(crate) fn add(&mut self, node: usize, rule: &str, message: &str) -> &mut Finding {
        let mut finding = Finding::new(rule, self.tree.path(node), message.to_owned());
        let of = &self.tree.nodes[node];
        finding.value = of.value.and_then(Value::text).map(str::to_owned);
        let tips = of.field.rules_named("tipRule").filter(|tip| self.tree.holds(tip.when.as_ref(), node));
        finding.tips = tips.map(|tip| tip.value.clone()).collect();
        self.push(finding)
    }

    fn push(&mut self, finding: Finding) -> &mut Finding {
        let at = self.findings.len();
        self.findings.push(finding);
        &mut self.findings[at]
    }

    /// Adds what is worth knowing.
    fn note(&mut self, node: usize, rule: &Rule, message: &str) {
        let finding = self.add(node, &rule.name, message);
        finding.severity = Severity::Note;
        finding.limit = Some(rule.value.clone());
    }

    /// Adds a finding about the value of a rule.
    fn broken(
        &mut self,
        node: usize,
        place: Option<usize>,
        text: Option<&str>,
        rule: &Rule,
        message: &str,
    ) -> &mut Finding {
        let finding = self.add(node, &rule.name, message);
        finding.limit = Some(rule.value.clone());
        finding.unit.clone_from(&rule.unit);
        if let Some(text) = text {
            finding.value = Some(text.to_owned());
        }
        finding.path.0.extend(place.map(Step::Index));
        finding
    }

    /// Returns `true` if a value has the shape that its field takes.
    pub(crate) fn fits(&mut self, node: usize, value: &Value) -> bool {
        let kind = self.tree.nodes[node].field.kind;
        let all = |items: &[Value], is: fn(&Value) -> bool| items.iter().all(is);
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        let (fits, wanted) = match kind {
            Kind::Complex => (matches!(value, Value::Object(_)), "the field takes an object of fields"),
            Kind::MultiComplex => {
                let is_row = |row: &Value| matches!(row, Value::Object(_));
                let fits = matches!(value, Value::List(rows) if all(rows, is_row));
                (fits, "the field takes a list of rows, which are objects of fields")
            }
            Kind::Label => (false, "a label takes no value"),
            _ if kind.is_list() => {
                // A single text is a list of one.
                let fits = is_text(value) || matches!(value, Value::List(items) if all(items, is_text));
                (fits, "the field takes a list of texts")
            }
            _ => (is_text(value), "the field takes one text"),
        };
        if !fits {
            self.add(node, "shape", wanted);
        }
        fits
    }

    /// Judges a filled value by the rules of its field that hold.
    pub(crate) fn rules(&mut self, node: usize, value: &Value) {
        let field = self.tree.nodes[node].field;
        if field.kind.is_choice() {
            self.options(node, field, value);
        }
        let texts = texts_of(value);
        for rule in &field.rules {
            if !self.tree.holds(rule.when.as_ref(), node) {
                continue;
            }
            match rule.name.as_str() {
                "readOnlyRule" if crate::tree::is_true(&rule.value) => {
                    self.read_only(node, field, value, rule);
                }
                "valueTypeRule" => {
                    for (place, text) in &texts {
                        if !is_of_type(&text.text, &rule.value) {
                            let message = format!("the value is not of type {}", rule.value);
                            self.broken(node, *place, Some(&text.text), rule, &message);
                        }
                    }
                }
                "minLengthRule" | "maxLengthRule" => self.length(node, value, &texts, rule),
                "minValueRule" | "maxValueRule" => self.bound(node, field, &texts, rule),
                "minDecimalDigitsRule" | "maxDecimalDigitsRule" => self.decimals(node, &texts, rule),
                "minInputNumRule" | "maxInputNumRule" | "maxItemsRule" => {
                    self.count(node, field, value, rule);
                }
                "regexRule" | "regxRule" => self.expression(node, &texts, rule),
                "valueAttributeRule" => {
                    for (place, text) in &texts {
                        if text.attribute(rule.value.trim()).is_none_or(is_blank) {
                            let message = format!("the value needs the attribute {}", rule.value);
                            self.broken(node, *place, Some(&text.text), rule, &message);
                        }
                    }
                }
                "asyncQueryRule" => self.note(node, rule, "further fields may follow from this value"),
                // Sentences for people, hints, and what only a file or the platform can tell.
                _ => {}
            }
        }
    }

    fn options(&mut self, node: usize, field: &'a Field, value: &Value) {
        if field.options.is_empty() {
            return;
        }
        let texts = texts_of(value);
        let offered = |value: &str| {
            let mut same = field.options.iter().filter(|option| option.value == value);
            same.any(|option| self.tree.holds(option.when.as_ref(), node))
        };
        let table: HashSet<&str> = if texts.len() * field.options.len() > MANY
            && field.options.iter().all(|option| option.when.is_none())
        {
            field.options.iter().map(|option| option.value.as_str()).collect()
        } else {
            HashSet::new()
        };
        let takes_own = field.rules_named("valueAttributeRule").any(|rule| rule.value.trim() == "inputValue");
        let mut others = Vec::new();
        for (place, text) in texts {
            let is_own = takes_own && is_negative(&text.text);
            let is_offered =
                if table.is_empty() { offered(&text.text) } else { table.contains(text.text.as_str()) };
            if !is_blank(&text.text) && !is_own && !is_offered {
                let by_name = field.options.iter().find(|option| option.name == text.text);
                others.push((place, text.text.clone(), by_name.map(|option| option.value.clone())));
            }
        }
        for (place, text, by_name) in others {
            let message = match by_name {
                Some(value) => format!("that is the name of an option; its value is {value:?}"),
                None => "the value is not among the options".to_owned(),
            };
            let finding = self.add(node, "option", &message);
            finding.value = Some(text);
            finding.path.0.extend(place.map(Step::Index));
        }
    }

    fn read_only(&mut self, node: usize, field: &Field, value: &Value, rule: &Rule) {
        let present = field.value.as_ref().or(field.default.as_ref());
        match present {
            Some(present) if present != value => {
                self.broken(node, None, None, rule, "the field can be read only: leave it out or as it is");
            }
            Some(_) => {}
            None => self.note(node, rule, "the field can be read only"),
        }
    }

    fn length(&mut self, node: usize, value: &Value, texts: &[(Option<usize>, &Text)], rule: &Rule) {
        let is_bytes = rule.unit.as_deref().is_some_and(|unit| unit.trim().eq_ignore_ascii_case("byte"));
        let bytes = self.dialect.bytes;
        let count = |text: &str| if is_bytes { bytes.count(text) } else { characters(text) };
        let mut lengths = Vec::new();
        if texts.is_empty() {
            // On a group it is about all the text inside.
            let mut sum = 0;
            value.each_text(&mut |text| sum += count(&text.text));
            lengths.push((None, None, sum));
        }
        lengths
            .extend(texts.iter().map(|(place, text)| (*place, Some(text.text.as_str()), count(&text.text))));
        for (place, text, length) in lengths {
            self.limit(
                node,
                place,
                text,
                length,
                rule,
                if rule.name.starts_with("min") { "too short" } else { "too long" },
            );
        }
    }

    fn count(&mut self, node: usize, field: &Field, value: &Value, rule: &Rule) {
        // Real forms have it on coordinates of one text, where it bounds nothing.
        if !field.kind.is_list() && field.kind != Kind::MultiComplex {
            return;
        }
        let count = match value {
            Value::List(items) => items.iter().filter(|item| item.is_filled()).count(),
            _ => 1,
        };
        let message = if rule.name.starts_with("min") { "too few values" } else { "too many values" };
        self.limit(node, None, None, count as u64, rule, message);
    }

    fn decimals(&mut self, node: usize, texts: &[(Option<usize>, &Text)], rule: &Rule) {
        let message = if rule.name.starts_with("min") {
            "too few digits after the point"
        } else {
            "too many digits after the point"
        };
        for (place, text) in texts {
            if let Some(number) = Number::parse(&text.text) {
                self.limit(node, *place, Some(&text.text), number.decimals as u64, rule, message);
            }
        }
    }

    /// Judges a count by the limit of a rule.
    fn limit(
        &mut self,
        node: usize,
        place: Option<usize>,
        text: Option<&str>,
        actual: u64,
        rule: &Rule,
        message: &str,
    ) {
        let Some(limit) = Number::parse(&rule.value) else { return };
        let Some(counted) = Number::parse(&actual.to_string()) else { return };
        if is_beyond(&counted, &limit, rule) {
            let unit = rule.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
            let message = format!("{message}: {actual}, and the limit is {}{unit}", rule.value);
            self.broken(node, place, text, rule, &message).actual = Some(actual);
        }
    }

    fn bound(&mut self, node: usize, field: &Field, texts: &[(Option<usize>, &Text)], rule: &Rule) {
        let Some(limit) = Number::parse(&rule.value) else {
            return self.note(node, rule, "the bound is not a number, and is not judged");
        };
        let mut types =
            field.rules_named("valueTypeRule").filter(|rule| self.tree.holds(rule.when.as_ref(), node));
        let is_text = types.any(|rule| !is_numeric(&rule.value));
        let is_typed = field.rules_named("valueTypeRule").any(|rule| is_numeric(&rule.value));
        let mut is_noted = false;
        for (place, text) in texts {
            match Number::parse(&text.text) {
                Some(number) if !is_text && is_beyond(&number, &limit, rule) => {
                    let side = if rule.name.starts_with("min") { "small" } else { "large" };
                    let message = format!("the value is too {side}: the bound is {}", rule.value);
                    self.broken(node, *place, Some(&text.text), rule, &message);
                }
                // What is not a number has been found by its type.
                Some(_) if !is_text => {}
                None if is_typed => {}
                _ if is_noted => {}
                _ => {
                    self.note(node, rule, "a bound of numbers on a text is not judged");
                    is_noted = true;
                }
            }
        }
    }

    fn expression(&mut self, node: usize, texts: &[(Option<usize>, &Text)], rule: &Rule) {
        let pattern = Pattern::new(&rule.value, !rule.is_open());
        for (place, text) in texts {
            match (pattern.matches(&text.text), rule.is_open()) {
                (Some(true), false) | (Some(false), true) => {}
                (Some(false), false) => {
                    self.broken(
                        node,
                        *place,
                        Some(&text.text),
                        rule,
                        "the value does not match the expression",
                    );
                }
                (Some(true), true) => {
                    self.broken(
                        node,
                        *place,
                        Some(&text.text),
                        rule,
                        "a part of the value matches an expression that is not allowed",
                    );
                }
                (None, _) => return self.note(node, rule, "the expression cannot be checked offline"),
            }
        }
    }
}

/// The texts of a field that has texts, with their numbers if it may have several.
fn texts_of(value: &Value) -> Vec<(Option<usize>, &Text)> {
    match value {
        Value::Text(text) => vec![(None, text)],
        Value::List(items) => {
            let texts = items.iter().enumerate().filter_map(|(at, item)| match item {
                Value::Text(text) if !is_blank(&text.text) => Some((Some(at), text)),
                _ => None,
            });
            texts.collect()
        }
        Value::Object(_) => Vec::new(),
    }
}

/// Returns `true` if a number is on the wrong side of a rule's limit.
fn is_beyond(number: &Number, limit: &Number, rule: &Rule) -> bool {
    let outside = if rule.name.starts_with("min") { Ordering::Less } else { Ordering::Greater };
    match number.partial_cmp(limit) {
        Some(Ordering::Equal) => rule.is_open(),
        order => order == Some(outside),
    }
}

pub(crate) fn is_negative(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(crate) fn is_numeric(kind: &str) -> bool {
    matches!(kind.trim(), "decimal" | "integer" | "long" | "double")
}

/// Returns `true` if a text is of a type; types that are not known take anything.
pub(crate) fn is_of_type(text: &str, kind: &str) -> bool {
    let number = || Number::parse(text);
    match kind.trim() {
        "integer" | "long" => number().is_some_and(|number| number.is_integer(text)),
        "decimal" => number().is_some_and(|number| number.is_plain()),
        "double" => number().is_some(),
        "url" => is_url(text),
        "date" => is_date(text),
        "time" => is_time(text),
        _ => true,
    }
}

/// Returns `true` for an address of the web, with or without its scheme.
fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://", "//"].iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
    });
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// Returns `true` for yyyy-MM-dd.
fn is_date(text: &str) -> bool {
    has_form(text, "0000-00-00") && Date::strptime("%Y-%m-%d", text).is_ok()
}

/// Returns `true` for yyyy-MM-dd HH:mm:ss.
fn is_time(text: &str) -> bool {
    // A leap second would be read as the one before it.
    has_form(text, "0000-00-00 00:00:00")
        && !text.ends_with(":60")
        && DateTime::strptime("%Y-%m-%d %H:%M:%S", text).is_ok()
}

/// Returns `true` if digits stand where the form has zeros, and all else is as it is there: dates are read
/// otherwise with signs and blanks, too.
fn has_form(text: &str, form: &str) -> bool {
    let mut pairs = text.bytes().zip(form.bytes());
    text.len() == form.len()
        && pairs.all(|(byte, in_form)| byte == in_form || in_form == b'0' && byte.is_ascii_digit())
}
