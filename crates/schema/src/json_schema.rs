//! A form as a JSON Schema.

mod condition;
mod constraint;
mod expression;
mod numbers;
mod parts;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use self::{
    condition::{Conditions, ELSEWHERE},
    constraint::{Constraint, constraint, offered},
    parts::{all, any, json_of, member, not, reference, texts},
};
use crate::{
    Dialect, Form, Path, Step, check,
    form::{Choice, Field, Fields, Kind, Rule},
    rules::{is_negative, is_numeric},
    tree::is_true,
    value::{Value, Values, is_blank},
};

/// How many rules of a kind a field has at most whose conditions are put together.
const RULES: usize = 100;

/// A form as a JSON Schema of draft 2020-12, and what of the form it cannot say.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JsonSchema {
    /// The schema.
    pub schema: Json,
    /// The rules that it says in part or not at all, in the order of the form.
    pub beyond: Vec<Beyond>,
}

/// A rule that a JSON Schema does not say, or not wholly. In the schema it stands in `x-rules` of its field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Beyond {
    /// The field, by the ids of the fields around it and its own.
    pub path: Path,
    /// The rule, as the form names it.
    pub rule: String,
    /// Its limit, as the form has it.
    pub limit: String,
    /// What the limit counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Why.
    pub why: &'static str,
}

/// Writes a form as a JSON Schema of products in plain JSON, as serialized [`Values`] are: texts are JSON strings.
/// A product that fits has no error in the report of [`check`](crate::check()), and one that does not has some, but for what
/// is listed in [`JsonSchema::beyond`].
///
/// Rules with conditions are `if` and `then` of the group that they are in. Bounds of numbers are expressions,
/// because numbers are texts. Keys that begin with `x-` are ours, and validators skip them.
///
/// ```
/// use sesame_schema::{json_schema, read};
/// let form = read(
///     r#"<itemSchema><field id="unit" name="Unit" type="input"><rules><rule name="requiredRule" value="true"/>
///        <rule name="maxLengthRule" value="9" unit="byte"/></rules></field></itemSchema>"#,
/// )?;
/// let written = json_schema(&form);
/// assert_eq!(written.schema["required"][0], "unit");
/// assert_eq!(written.beyond[0].rule, "maxLengthRule");
/// # Ok::<(), sesame_schema::ReadError>(())
/// ```
pub fn json_schema(form: &Form) -> JsonSchema {
    let mut known = HashSet::new();
    ids(&form.fields, &mut known);
    let conditions = Conditions { known, count: 0 };
    let mut writer =
        SchemaWriter { conditions, path: Vec::new(), beyond: Vec::new(), shared: IndexMap::new() };
    let Json::Object(root) = writer.group(&form.fields, &json!("object")) else {
        unreachable!("a group is an object")
    };
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.extend(root);
    let mut definitions = parts::definitions();
    definitions.extend(writer.shared.into_values());
    schema.insert("$defs".to_owned(), Json::Object(definitions));
    JsonSchema { schema: Json::Object(schema), beyond: writer.beyond }
}

fn ids<'a>(fields: &'a Fields, known: &mut HashSet<&'a str>) {
    for field in fields.values() {
        known.insert(&field.id);
        ids(&field.fields, known);
    }
}

struct SchemaWriter<'a> {
    conditions: Conditions<'a>,
    path: Vec<Step>,
    beyond: Vec<Beyond>,
    /// Schemas of texts that are long and used more than once, by their JSON.
    shared: IndexMap<String, (String, Json)>,
}

/// What a group has to say of its fields.
#[derive(Default)]
struct GroupParts {
    properties: Map<String, Json>,
    required: Vec<Json>,
    conditional: Vec<Json>,
}

/// What a field has to say of itself.
struct FieldParts<'f> {
    field: &'f Field,
    /// What its value fits, whatever the others are.
    value: Vec<Json>,
    /// What each of its texts fits, whatever the others are.
    texts: Vec<Json>,
    /// When it is switched off; `None` if that cannot be said.
    off: Option<Json>,
    /// When bounds of numbers are judged: no other type holds. `None` if that cannot be said.
    bounded: Option<Json>,
    /// When it has to be given, because its default does not fit.
    given: Vec<Json>,
    /// What is said of it for people, and `x-rules`.
    notes: Map<String, Json>,
}

impl FieldParts<'_> {
    /// Returns `true` if the default fits a rule or options, or there is none.
    fn default_fits(&self, rule: Option<&Rule>, options: &[Choice]) -> bool {
        let Some(default) = &self.field.default else { return true };
        let mut alone = Field::new(self.field.id.clone(), self.field.kind);
        alone.default = Some(default.clone());
        alone.value.clone_from(&self.field.value);
        alone.rules.extend(rule.map(always));
        if options.is_empty() {
            alone.fields.clone_from(&self.field.fields);
        } else {
            alone.rules = self.field.rules_named("valueAttributeRule").map(always).collect();
            alone.options = options.iter().map(|option| Choice { when: None, ..option.clone() }).collect();
        }
        let fields = Fields::from_iter([(alone.id.clone(), alone)]);
        let report = check(&Form { fields, ..Form::default() }, &Values::new(), Dialect::ITEM_SCHEMA);
        let mut errors = report.errors();
        errors.all(|found| !options.is_empty() && found.rule != "option")
    }
}

impl SchemaWriter<'_> {
    /// A schema of a group of fields.
    fn group(&mut self, fields: &Fields, kind: &Json) -> Json {
        let mut group = GroupParts::default();
        for field in fields.values() {
            self.path.push(Step::Field(field.id.clone()));
            self.field(field, fields, &mut group);
            self.path.pop();
        }
        group.properties.insert("$value".to_owned(), json!(false));
        let mut schema = json!({"type": kind, "properties": group.properties});
        // Without definitions any field may be there.
        if fields.values().any(|field| !field.is_implied) {
            schema["additionalProperties"] = reference("empty");
        }
        if !group.required.is_empty() {
            schema["required"] = Json::Array(group.required);
        }
        if !group.conditional.is_empty() {
            schema["allOf"] = Json::Array(group.conditional);
        }
        schema
    }

    fn field(&mut self, field: &Field, fields: &Fields, group: &mut GroupParts) {
        let off = self.conditions.is_off(field, fields);
        let bounded = self.is_bounded(field, fields);
        let mut parts = FieldParts {
            field,
            value: Vec::new(),
            texts: Vec::new(),
            off,
            bounded,
            given: Vec::new(),
            notes: Map::new(),
        };
        if let Some(name) = &field.name {
            parts.notes.insert("title".to_owned(), json!(name));
        }
        let tips = field.rules.iter().filter(|rule| rule.name == "tipRule" || rule.is_sentence());
        let tips: Vec<&str> = tips.map(|rule| rule.value.as_str()).collect();
        if !tips.is_empty() {
            parts.notes.insert("description".to_owned(), json!(tips.join("\n")));
        }
        if let Some(default) = &field.default {
            parts.notes.insert("default".to_owned(), json_of(default));
        }
        let shape = match field.kind {
            Kind::Label => reference("empty"),
            Kind::Complex => any(vec![reference("empty"), self.group(&field.fields, &json!("object"))]),
            Kind::MultiComplex => {
                let row = self.group(&field.fields, &json!(["object", "null"]));
                any(vec![reference("empty"), json!({"type": "array", "items": row})])
            }
            // All its texts are put together in the end.
            _ => json!(true),
        };
        let fits = parts.default_fits(None, &[]);
        self.add(&mut parts, group, &named("shape", ""), json!(true), Says::Value(shape), fits);
        if field.kind.is_choice() && !field.options.is_empty() {
            self.options(&mut parts, group, fields);
        }
        let is_plain = condition::is_plain(field);
        for rule in &field.rules {
            match constraint(rule, field, is_plain) {
                Constraint::Nothing => {}
                Constraint::Value(schema) => {
                    let condition = self.conditions.holds(rule.when.as_ref(), fields);
                    self.say(&mut parts, group, rule, condition, Says::Value(schema));
                }
                Constraint::Text { text, attribute, partly } => {
                    if let Some(why) = partly {
                        self.add_beyond(&mut parts, rule, why);
                    }
                    let says = match attribute {
                        Some(_) => Says::Value(texts(field.kind, &text, attribute)),
                        None => Says::Texts(text),
                    };
                    let condition = self.conditions.holds(rule.when.as_ref(), fields);
                    self.say(&mut parts, group, rule, condition, says);
                }
                Constraint::Bound(schema, partly) => {
                    if let Some(why) = partly {
                        self.add_beyond(&mut parts, rule, why);
                    }
                    let condition = self.conditions.holds(rule.when.as_ref(), fields);
                    let condition =
                        condition.zip(parts.bounded.clone()).map(|(one, other)| all(vec![one, other]));
                    self.say(&mut parts, group, rule, condition, Says::Texts(schema));
                }
                Constraint::Beyond(why) => self.add_beyond(&mut parts, rule, why),
            }
        }
        self.need(&mut parts, group, fields);
        if let Some(off) = parts.off.take().filter(|_| !parts.given.is_empty()) {
            let given = json!({"required": [field.id], "properties": {&field.id: {"not": {"type": "null"}}}});
            match all(vec![any(parts.given), not(off)]) {
                Json::Bool(false) => {}
                Json::Bool(true) => group.conditional.push(given),
                condition => group.conditional.push(json!({"if": condition, "then": given})),
            }
        }
        if !matches!(field.kind, Kind::Label | Kind::Complex | Kind::MultiComplex) {
            let text = self.share(all(parts.texts));
            parts.value.insert(0, texts(field.kind, &text, None));
        }
        let mut property = Json::Object(parts.notes);
        match all(parts.value) {
            Json::Object(schema) => schema.into_iter().for_each(|(key, value)| property[key] = value),
            Json::Bool(false) => property["not"] = json!({}),
            _ => {}
        }
        group.properties.insert(field.id.clone(), property);
    }

    /// Says what a rule demands if its condition holds.
    fn say(
        &mut self,
        parts: &mut FieldParts<'_>,
        group: &mut GroupParts,
        rule: &Rule,
        condition: Option<Json>,
        says: Says,
    ) {
        match condition {
            Some(condition) => {
                let fits = parts.default_fits(Some(rule), &[]);
                self.add(parts, group, rule, condition, says, fits);
            }
            None => self.add_beyond(parts, rule, ELSEWHERE),
        }
    }

    /// A bound is judged unless a type that is no number holds, too.
    fn is_bounded(&mut self, field: &Field, fields: &Fields) -> Option<Json> {
        let rules = field.rules_named("valueTypeRule").filter(|rule| !is_numeric(&rule.value));
        let others: Vec<&Rule> = rules.take(RULES + 1).collect();
        if others.len() > RULES {
            return None;
        }
        let others = others.iter().map(|rule| self.conditions.holds(rule.when.as_ref(), fields));
        others.collect::<Option<Vec<_>>>().map(|others| not(any(others)))
    }

    fn options(&mut self, parts: &mut FieldParts<'_>, group: &mut GroupParts, fields: &Fields) {
        let field = parts.field;
        let (titled, takes_own) = offered(field);
        let says = Says::Texts(titled);
        let fits = parts.default_fits(None, &field.options);
        self.add(parts, group, &named("option", ""), json!(true), says, fits);
        let mut by_value: HashMap<&str, Vec<&Choice>> = HashMap::new();
        for option in &field.options {
            by_value.entry(&option.value).or_default().push(option);
        }
        let mut seen = HashSet::new();
        for option in field.options.iter().filter(|option| option.when.is_some()) {
            let value = option.value.as_str();
            if !seen.insert(value) || is_blank(value) || takes_own && is_negative(value) {
                continue;
            }
            let same = by_value.get(value).into_iter().flatten();
            let offered: Option<Vec<Json>> =
                same.map(|option| self.conditions.holds(option.when.as_ref(), fields)).collect();
            let Some(offered) = offered else {
                self.add_beyond(parts, &named("option", value), ELSEWHERE);
                continue;
            };
            let mut fits = true;
            if let Some(default) = &field.default {
                default.each_text(&mut |text| fits &= text.text != value);
            }
            let says = Says::Texts(not(json!({"const": value})));
            self.add(parts, group, &named("option", value), not(any(offered)), says, fits);
        }
    }

    /// Says when a field has to be filled, and when it must not be.
    fn need(&mut self, parts: &mut FieldParts<'_>, group: &mut GroupParts, fields: &Fields) {
        let field = parts.field;
        match parts.off.clone() {
            Some(off) => {
                self.add(parts, group, &named("disableRule", ""), off, Says::Value(reference("empty")), true);
            }
            None => {
                for rule in field.rules_named("disableRule").filter(|rule| is_true(&rule.value)) {
                    self.add_beyond(parts, rule, ELSEWHERE);
                }
            }
        }
        let has_default = field.default.as_ref().is_some_and(Value::is_filled);
        let mut needed = Vec::new();
        for rule in field.rules_named("requiredRule").filter(|rule| is_true(&rule.value)) {
            match self.conditions.holds(rule.when.as_ref(), fields).filter(|_| parts.off.is_some()) {
                Some(condition) => needed.push(condition),
                None => self.add_beyond(parts, rule, ELSEWHERE),
            }
        }
        let Some(off) = parts.off.clone() else { return };
        let filled = reference("filled");
        match all(vec![any(needed), not(off)]) {
            Json::Bool(false) => {}
            Json::Bool(true) if has_default => parts.value.push(any(vec![json!({"type": "null"}), filled])),
            Json::Bool(true) => {
                group.required.push(json!(field.id));
                parts.value.push(filled);
            }
            condition => {
                let then = member(&field.id, filled, has_default);
                group.conditional.push(json!({"if": condition, "then": then}));
            }
        }
    }

    /// Adds what a field's value fits if a condition holds. If its default does not fit, it has to be given,
    /// unless it is switched off.
    fn add(
        &mut self,
        parts: &mut FieldParts<'_>,
        group: &mut GroupParts,
        rule: &Rule,
        condition: Json,
        says: Says,
        is_absent_fine: bool,
    ) {
        let field = parts.field;
        match (&condition, says) {
            (Json::Bool(false), _) => return,
            (Json::Bool(true), Says::Value(schema)) => parts.value.push(schema),
            (Json::Bool(true), Says::Texts(schema)) => parts.texts.push(schema),
            (_, says) => {
                let schema = match says {
                    Says::Value(schema) => schema,
                    Says::Texts(schema) => texts(field.kind, &self.share(schema), None),
                };
                group.conditional.push(json!({"if": condition, "then": member(&field.id, schema, true)}));
            }
        }
        match parts.off {
            _ if is_absent_fine => {}
            Some(_) => parts.given.push(condition),
            None => self.add_beyond(parts, rule, ELSEWHERE),
        }
    }

    fn add_beyond(&mut self, parts: &mut FieldParts<'_>, rule: &Rule, why: &'static str) {
        let beyond = Beyond {
            path: Path(self.path.clone()),
            rule: rule.name.clone(),
            limit: rule.value.clone(),
            unit: rule.unit.clone(),
            why,
        };
        let mut note = json!({"rule": beyond.rule, "limit": beyond.limit, "why": why});
        if let Some(unit) = &rule.unit {
            note["unit"] = json!(unit);
        }
        let rules = parts.notes.entry("x-rules").or_insert_with(|| json!([]));
        if let Json::Array(rules) = rules {
            rules.push(note);
        }
        self.beyond.push(beyond);
    }

    /// Long schemas of texts are written once.
    fn share(&mut self, schema: Json) -> Json {
        let text = schema.to_string();
        if text.len() < 100 {
            return schema;
        }
        let next = format!("text{}", self.shared.len() + 1);
        reference(&self.shared.entry(text).or_insert((next, schema)).0)
    }
}

/// What a rule demands.
enum Says {
    /// Of the value.
    Value(Json),
    /// Of each text that is filled.
    Texts(Json),
}

fn named(name: &str, value: &str) -> Rule {
    Rule { name: name.to_owned(), value: value.to_owned(), ..Rule::default() }
}

fn always(rule: &Rule) -> Rule {
    Rule { when: None, ..rule.clone() }
}
