//! Writing schema documents.

use std::fmt::Write as _;

use super::schema_fields::{Field, Rule};
use crate::world::{
    attributes::{Attribute, Kind, choice_name},
    words::Language,
};

/// A schema document in the making.
pub(super) struct Xml {
    text: String,
}

impl Xml {
    /// Opens a document.
    pub(super) fn start() -> Self {
        Self { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><itemSchema>") }
    }

    /// Closes the document and returns it.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</itemSchema>");
        self.text
    }

    fn pair(&mut self, name: &str, value: &str) {
        let _ = write!(self.text, " {name}=\"");
        for c in value.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                _ => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn open(&mut self, id: &str, name: &str, kind: &str) {
        self.text.push_str("<field");
        self.pair("id", id);
        self.pair("name", name);
        self.pair("type", kind);
        self.text.push('>');
    }

    /// Writes a field of the data.
    pub(super) fn field(&mut self, field: &Field, language: Language) {
        let chinese = language == Language::Chinese;
        self.open(field.id, if chinese { field.zh } else { field.en }, field.kind);
        if !field.rules.is_empty() {
            self.text.push_str("<rules>");
            for rule in field.rules {
                self.rule(rule);
            }
            self.text.push_str("</rules>");
        }
        if !field.options.is_empty() {
            self.text.push_str("<options>");
            for (value, en, zh) in field.options {
                self.option(if chinese { zh } else { en }, value);
            }
            self.text.push_str("</options>");
        }
        if !field.fields.is_empty() {
            self.text.push_str("<fields>");
            for inner in field.fields {
                self.field(inner, language);
            }
            self.text.push_str("</fields>");
        }
        if field.kind == "label" {
            self.text.push_str("<label-group><label");
            self.pair("name", field.id);
            self.pair("value", "4.5");
            self.pair("desc", if chinese { "仅供参考" } else { "For your information" });
            self.text.push_str("/></label-group>");
        }
        self.text.push_str("</field>");
    }

    fn rule(&mut self, rule: &Rule) {
        self.text.push_str("<rule");
        self.pair("name", rule.name);
        self.pair("value", rule.value);
        for (name, value) in [("unit", rule.unit), ("exProperty", rule.ex)] {
            if !value.is_empty() {
                self.pair(name, value);
            }
        }
        if rule.when.is_empty() {
            self.text.push_str("/>");
            return;
        }
        self.text.push_str("><depend-group operator=\"and\">");
        for (field, symbol, value) in rule.when {
            self.depends(field, symbol, value);
        }
        self.text.push_str("</depend-group></rule>");
    }

    fn depends(&mut self, field: &str, symbol: &str, value: &str) {
        self.text.push_str("<depend-express");
        self.pair("fieldId", field);
        self.pair("value", value);
        self.pair("symbol", symbol);
        self.text.push_str("/>");
    }

    fn option(&mut self, name: &str, value: &str) {
        self.text.push_str("<option");
        self.pair("displayName", name);
        self.pair("value", value);
        self.text.push_str("/>");
    }

    /// Writes an attribute of a category as a field.
    pub(super) fn attribute(&mut self, attribute: &Attribute, language: Language) {
        let id = format!("p-{}", attribute.id);
        let kind = match attribute.kind {
            Kind::Input | Kind::Decimal => "input",
            Kind::Single | Kind::SingleOrOwn | Kind::Cascade => "singleCheck",
            Kind::Multi => "multiCheck",
        };
        self.open(&id, attribute.name(language), kind);
        self.text.push_str("<rules>");
        self.plain_rule("requiredRule", if attribute.required { "true" } else { "false" });
        match attribute.kind {
            Kind::Input => {
                self.plain_rule("valueTypeRule", "text");
                self.text.push_str(
                    "<rule name=\"maxLengthRule\" value=\"70\" unit=\"character\" exProperty=\"include\"/>",
                );
            }
            Kind::Decimal => {
                self.plain_rule("valueTypeRule", "decimal");
                self.plain_rule("maxDecimalDigitsRule", "2");
            }
            Kind::Multi => self.plain_rule("maxInputNumRule", "10"),
            Kind::SingleOrOwn => {
                self.text.push_str(
                    "<rule name=\"valueAttributeRule\" value=\"inputValue\"><depend-group operator=\"and\">",
                );
                self.depends(&id, "==", "-1");
                self.text.push_str("</depend-group></rule>");
            }
            Kind::Cascade => {
                self.plain_rule(
                    "devTipRule",
                    "The choice decides what follows: ask schema/level/get for the next level.",
                );
            }
            Kind::Single => {}
        }
        self.text.push_str("</rules>");
        if !attribute.choices.is_empty() {
            self.text.push_str("<options>");
            for choice in attribute.choices {
                self.option(choice_name(choice, language), &choice.0.to_string());
            }
            if attribute.kind == Kind::SingleOrOwn {
                self.option(if language == Language::Chinese { "其他" } else { "Other" }, "-1");
            }
            self.text.push_str("</options>");
        }
        self.text.push_str("</field>");
    }

    fn plain_rule(&mut self, name: &str, value: &str) {
        self.text.push_str("<rule");
        self.pair("name", name);
        self.pair("value", value);
        self.text.push_str("/>");
    }

    /// Opens a field whose members follow.
    pub(super) fn open_members(&mut self, id: &str, name: &str, kind: &str) {
        self.open(id, name, kind);
        self.text.push_str("<fields>");
    }

    /// Closes what [`Xml::open_members`] opened.
    pub(super) fn close_members(&mut self) {
        self.text.push_str("</fields></field>");
    }

    /// Writes a text field of a SKU.
    pub(super) fn sku_member(&mut self, id: &str, name: &str, kind: &str, required: bool) {
        self.open(id, name, "input");
        self.text.push_str("<rules>");
        self.plain_rule("requiredRule", if required { "true" } else { "false" });
        self.plain_rule("valueTypeRule", kind);
        if kind == "decimal" {
            self.text.push_str("<rule name=\"minValueRule\" value=\"0\" exProperty=\"not include\"/>");
        }
        self.text.push_str("</rules></field>");
    }
}
