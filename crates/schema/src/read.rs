//! From text to model.

use std::collections::HashSet;

use indexmap::map::Entry;

use crate::{
    Finding, ReadError, Severity, Step,
    error::Code,
    form::{Choice, Comparison, Field, Fields, Form, Group, Kind, Label, Operator, Part, Rule, Symbol},
    value::{Text, Value, Values},
    xml::{Element, Token, Tokens},
};

/// The largest document, in bytes: 10 MiB.
pub const MAX_BYTES: usize = 10 << 20;

/// How deep fields nest.
pub const MAX_DEPTH: usize = 64;

/// Reads a form, a product or both. The root may have any name, elements any prefix, and children any order.
///
/// # Errors
/// A [`ReadError`] with its place: text that is not well-formed XML, has a document type declaration or an
/// unknown entity; fields without id or type, or of a type that does not exist; rules and options without name or
/// value; more than [`MAX_BYTES`], or fields deeper than [`MAX_DEPTH`].
pub fn read(text: &str) -> Result<Form, ReadError> {
    let mut reader = FormReader { xml: Tokens::new(text), findings: Vec::new(), path: Vec::new() };
    if text.len() > MAX_BYTES {
        return Err(reader.xml.error(0, format!("larger than {} MiB", MAX_BYTES >> 20)));
    }
    let mut form = Form::default();
    let mut has_root = false;
    loop {
        match reader.xml.next()? {
            Token::Open(root) if has_root => {
                return Err(reader.xml.error(root.at, "a second root element".to_owned()));
            }
            Token::Open(root) => {
                has_root = true;
                form.root = root.name.into_owned();
                form.fields = reader.fields()?.into_iter().map(|field| (field.id.clone(), field)).collect();
            }
            Token::Text(text) if !text.trim_start_matches('\u{feff}').trim().is_empty() => {
                return Err(reader.xml.error(0, "text outside of the root element".to_owned()));
            }
            Token::End if !has_root => {
                return Err(reader.xml.error(0, "the document has no root element".to_owned()));
            }
            Token::End => break,
            Token::Text(_) | Token::Close => {}
        }
    }
    form.findings = reader.findings;
    Ok(form)
}

struct FormReader<'a> {
    xml: Tokens<'a>,
    findings: Vec<Finding>,
    /// The fields that are open.
    path: Vec<Step>,
}

impl FormReader<'_> {
    /// As [`Tokens::children`], for what has fields or values in it.
    fn children(
        &mut self,
        mut visit: impl FnMut(&mut Self, Element) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        loop {
            match self.xml.next()? {
                Token::Open(element) => visit(self, element)?,
                Token::Text(_) => {}
                Token::Close | Token::End => return Ok(()),
            }
        }
    }

    /// Reads the fields inside an element. Of two with one id the last counts, at its place.
    fn fields(&mut self) -> Result<Vec<Field>, ReadError> {
        let mut fields = Vec::new();
        self.children(|reader, child| {
            match child.name.as_ref() {
                "field" => fields.push(reader.field(child)?),
                name => {
                    if name.starts_with("complex-value") {
                        reader.shape("nothing stands between a group of values and its fields");
                    }
                    reader.xml.skip()?;
                }
            }
            Ok(())
        })?;
        let mut seen = HashSet::new();
        let mut doubled = Vec::new();
        fields.reverse();
        fields.retain(|field| {
            let is_last = seen.insert(field.id.clone());
            if !is_last {
                doubled.push(Step::Field(field.id.clone()));
            }
            is_last
        });
        fields.reverse();
        for step in doubled {
            self.path.push(step);
            self.note("duplicateField", "the document has this field twice: the last one counts");
            self.path.pop();
        }
        Ok(fields)
    }

    fn field(&mut self, mut element: Element) -> Result<Field, ReadError> {
        let at = element.at;
        let Some(id) = element.take("id").filter(|id| !id.is_empty()) else {
            return Err(self.fault(at, Code::FieldId, None, "a field without id".to_owned()));
        };
        let Some(kind) = element.take("type").filter(|kind| !kind.is_empty()) else {
            return Err(self.fault(at, Code::FieldType, Some(id), "a field without type".to_owned()));
        };
        let Some(kind) = Kind::of(&kind) else {
            return Err(self.fault(
                at,
                Code::UnknownType,
                Some(id),
                format!("a field of unknown type {kind:?}"),
            ));
        };
        if self.path.iter().filter(|step| matches!(step, Step::Field(_))).count() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} fields inside each other");
            return Err(ReadError { field: Some(id), ..self.xml.error(at, message) });
        }
        self.path.push(Step::Field(id.clone()));
        let mut field = Field::new(id, kind);
        field.name = element.take("name");
        field.attributes = element.attributes;
        if kind.is_undocumented() {
            self.note(kind.name(), "a kind of field that no document describes: its value is not judged");
        }
        // A complex field may list what it has in `fields`, `complex-value` or both, in any order.
        let mut implied = Fields::new();
        self.children(|reader, child| reader.part(&mut field, &mut implied, child))?;
        for (id, child) in implied {
            field.fields.entry(id).or_insert(child);
        }
        self.path.pop();
        Ok(field)
    }

    /// Reads a child of a field.
    fn part(&mut self, field: &mut Field, implied: &mut Fields, element: Element) -> Result<(), ReadError> {
        match element.name.as_ref() {
            "fields" => {
                let inside = self.fields()?;
                field.fields.extend(inside.into_iter().map(|inner| (inner.id.clone(), inner)));
                Ok(())
            }
            "rules" => self.children(|reader, child| match child.name.as_ref() {
                "rule" => {
                    field.rules.push(reader.rule(child, &field.id)?);
                    Ok(())
                }
                _ => reader.xml.skip(),
            }),
            "options" => self.options(field),
            "properties" => self.children(|reader, mut child| {
                let pair = (child.take("key").unwrap_or_default(), child.take("value").unwrap_or_default());
                field.properties.push(pair);
                reader.xml.skip()
            }),
            "label-group" => self.labels(field, element, &mut Vec::new()),
            "value" => self.value(element, field.kind, &mut field.value),
            "values" => self.texts("value", &mut field.value),
            "default-value" => self.value(element, field.kind, &mut field.default),
            "default-values" if field.kind == Kind::MultiComplex => {
                self.children(|reader, child| reader.row(field.kind, implied, &child, &mut field.default))
            }
            "default-values" => self.texts("default-value", &mut field.default),
            "complex-value" | "complex-values" => self.row(field.kind, implied, &element, &mut field.value),
            "default-complex-value" | "default-complex-values" => {
                self.row(field.kind, implied, &element, &mut field.default)
            }
            _ => self.xml.skip(),
        }
    }

    /// Reads a text; a bare one in a field of several is one of them.
    fn value(&mut self, element: Element, kind: Kind, into: &mut Option<Value>) -> Result<(), ReadError> {
        let attributes = element.attributes.into_iter().map(|(name, value)| (name.into_owned(), value));
        let attributes = attributes.collect();
        let value = Value::Text(Text { text: self.xml.text()?, attributes });
        match into {
            Some(Value::List(items)) => items.push(value),
            _ if kind.is_list() => *into = Some(Value::List(vec![value])),
            _ => *into = Some(value),
        }
        Ok(())
    }

    fn texts(&mut self, name: &str, into: &mut Option<Value>) -> Result<(), ReadError> {
        let mut items = Some(Value::List(Vec::new()));
        self.children(|reader, child| {
            if child.name == name {
                return reader.value(child, Kind::MultiInput, &mut items);
            }
            reader.xml.skip()
        })?;
        *into = items;
        Ok(())
    }

    /// Reads the values of a group of fields: of a complex field, or a row of a multi-complex one.
    fn row(
        &mut self,
        kind: Kind,
        implied: &mut Fields,
        element: &Element,
        into: &mut Option<Value>,
    ) -> Result<(), ReadError> {
        let is_rows = kind == Kind::MultiComplex;
        if is_rows && !element.name.ends_with("complex-values") {
            self.shape("a row stands in <complex-values>");
        }
        if is_rows {
            let row = match into {
                Some(Value::List(rows)) => rows.len(),
                _ => 0,
            };
            self.path.push(Step::Index(row));
        }
        let mut values = Values::new();
        for field in self.fields()? {
            if let Some(value) = field.value.clone() {
                values.insert(field.id.clone(), value);
            }
            // What the document says of it here is no definition, but the only one there may be.
            imply(implied, field);
        }
        let values = Value::Object(values);
        if !is_rows {
            *into = Some(values);
            return Ok(());
        }
        self.path.pop();
        match into {
            Some(Value::List(rows)) => rows.push(values),
            _ => *into = Some(Value::List(vec![values])),
        }
        Ok(())
    }

    fn rule(&mut self, mut element: Element, field: &str) -> Result<Rule, ReadError> {
        let at = element.at;
        let field = || Some(field.to_owned());
        let Some(name) = element.take("name").filter(|name| !name.is_empty()) else {
            return Err(self.fault(at, Code::RuleName, field(), "a rule without name".to_owned()));
        };
        let Some(value) = element.take("value") else {
            return Err(self.fault(at, Code::RuleValue, field(), format!("the rule {name} without value")));
        };
        let (unit, bound, url) = (element.take("unit"), element.take("exProperty"), element.take("url"));
        let when = self.condition()?;
        Ok(Rule { name, value, unit, bound, url, when, attributes: element.attributes })
    }

    fn options(&mut self, field: &mut Field) -> Result<(), ReadError> {
        self.children(|reader, mut element| {
            if element.name != "option" {
                return reader.xml.skip();
            }
            let (at, id) = (element.at, || Some(field.id.clone()));
            let Some(name) = element.take("displayName") else {
                let message = "an option without displayName".to_owned();
                return Err(reader.fault(at, Code::OptionName, id(), message));
            };
            let Some(value) = element.take("value") else {
                let message = format!("the option {name:?} without value");
                return Err(reader.fault(at, Code::OptionValue, id(), message));
            };
            let when = reader.condition()?;
            field.options.push(Choice { name, value, when, attributes: element.attributes });
            Ok(())
        })
    }

    /// Reads the conditions inside a rule or an option; several groups all have to hold.
    fn condition(&mut self) -> Result<Option<Group>, ReadError> {
        let mut groups = Vec::new();
        self.xml.children(|xml, element| match element.name.as_ref() {
            "depend-group" => {
                groups.push(group(xml, element)?);
                Ok(())
            }
            _ => xml.skip(),
        })?;
        self.name_unknown(&groups);
        if groups.len() > 1 {
            let parts = groups.into_iter().map(Part::Group).collect();
            return Ok(Some(Group { operator: Operator::And, parts }));
        }
        Ok(groups.pop())
    }

    /// Says which operators and symbols are not known: they are never true.
    fn name_unknown(&mut self, groups: &[Group]) {
        let mut seen = HashSet::new();
        let mut open: Vec<&Group> = groups.iter().collect();
        while let Some(group) = open.pop() {
            if let Operator::Unknown(operator) = &group.operator
                && seen.insert(operator)
            {
                self.note("unknownOperator", &format!("unknown operator {operator:?}: it is never true"));
            }
            for part in &group.parts {
                match part {
                    Part::Group(inner) => open.push(inner),
                    Part::Comparison(Comparison { symbol: Symbol::Unknown(symbol), .. }) => {
                        if seen.insert(symbol) {
                            self.note(
                                "unknownSymbol",
                                &format!("unknown symbol {symbol:?}: it is never true"),
                            );
                        }
                    }
                    Part::Comparison(_) => {}
                }
            }
        }
    }

    fn labels(
        &mut self,
        field: &mut Field,
        mut element: Element,
        groups: &mut Vec<String>,
    ) -> Result<(), ReadError> {
        groups.push(element.take("name").unwrap_or_default());
        self.children(|reader, mut child| match child.name.as_ref() {
            "label-group" => reader.labels(field, child, groups),
            "label" => {
                let mut take = |name| child.take(name).unwrap_or_default();
                let (name, value, description) = (take("name"), take("value"), take("desc"));
                field.labels.push(Label { groups: groups.clone(), name, value, description });
                reader.xml.skip()
            }
            _ => reader.xml.skip(),
        })?;
        groups.pop();
        Ok(())
    }

    fn fault(&self, at: usize, code: Code, field: Option<String>, message: String) -> ReadError {
        ReadError { field, code: Some(code), ..self.xml.error(at, message) }
    }

    fn shape(&mut self, message: &str) {
        self.findings.push(Finding::new("shape", self.path.clone(), message.to_owned()));
    }

    fn note(&mut self, rule: &str, message: &str) {
        let finding = Finding::new(rule, self.path.clone(), message.to_owned());
        self.findings.push(Finding { severity: Severity::Note, ..finding });
    }
}

/// Adds a field that is known by its value alone; a row may have what another has not.
fn imply(fields: &mut Fields, field: Field) {
    match fields.entry(field.id.clone()) {
        Entry::Vacant(free) => drop(free.insert(Field { value: None, is_implied: true, ..field })),
        Entry::Occupied(mut known) => {
            field.fields.into_values().for_each(|inner| imply(&mut known.get_mut().fields, inner));
        }
    }
}

fn group(xml: &mut Tokens<'_>, mut element: Element) -> Result<Group, ReadError> {
    let operator = match element.take("operator").as_deref().map(str::trim) {
        None | Some("" | "and") => Operator::And,
        Some("or") => Operator::Or,
        Some(other) => Operator::Unknown(other.to_owned()),
    };
    let mut parts = Vec::new();
    xml.children(|xml, mut element| {
        match element.name.as_ref() {
            "depend-group" => parts.push(Part::Group(group(xml, element)?)),
            "depend-express" => {
                let mut take = |name| element.take(name).unwrap_or_default();
                let (field, value) = (take("fieldId"), take("value"));
                let symbol = Symbol::of(&take("symbol"));
                parts.push(Part::Comparison(Comparison { field, value, symbol }));
                xml.skip()?;
            }
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(Group { operator, parts })
}
