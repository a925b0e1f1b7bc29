//! The model of a document: its fields, their rules and options, and the values that it holds.

use std::borrow::Cow;

use indexmap::IndexMap;

use crate::{Finding, Value, value::Values};

/// Fields by their ids, in the order of the document.
pub type Fields = IndexMap<String, Field>;

/// Attributes that the model has no place for, in their order: they are kept as they are.
pub type Attributes = Vec<(Cow<'static, str>, String)>;

/// A document: the definition of a form, a product, or both.
///
/// ```
/// let form = sesame_schema::read(
///     r#"<itemSchema><field id="title" type="input"><rules>
///          <rule name="maxLengthRule" value="5" unit="byte"/></rules><value>Cup</value></field></itemSchema>"#,
/// )?;
/// assert_eq!(form.fields["title"].rules[0].value, "5");
/// assert_eq!(form.values()["title"].text(), Some("Cup"));
/// # Ok::<(), sesame_schema::ReadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Form {
    /// The name of the root element: `itemRule`, `itemSchema`, `itemParam` or any other.
    pub root: String,
    /// The fields at the top.
    pub fields: Fields,
    /// What was odd about the document, and did not keep it from being read.
    pub findings: Vec<Finding>,
}

impl Form {
    /// Returns the values that the document itself holds: those of a product.
    pub fn values(&self) -> Values {
        let all = self.fields.values();
        all.filter_map(|field| Some((field.id.clone(), field.value.clone()?))).collect()
    }
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its id. It may have dots and minus signs.
    pub id: String,
    /// What people call it; a third of real fields have no name.
    pub name: Option<String>,
    /// What values it takes.
    pub kind: Kind,
    /// Its rules, in their order; several may have one name.
    pub rules: Vec<Rule>,
    /// The values that can be chosen. Empty if the document lists none.
    pub options: Vec<Choice>,
    /// Pairs of a key and a value that the platform gives beside.
    pub properties: Vec<(String, String)>,
    /// The fields inside a complex one.
    pub fields: Fields,
    /// The texts of a label.
    pub labels: Vec<Label>,
    /// The value that the document holds.
    pub value: Option<Value>,
    /// The value that holds if none is given.
    pub default: Option<Value>,
    /// Other attributes.
    pub attributes: Attributes,
    /// Whether the document has no definition of it, only a value.
    pub is_implied: bool,
}

impl Field {
    pub(crate) fn new(id: String, kind: Kind) -> Self {
        Self {
            id,
            name: None,
            kind,
            rules: Vec::new(),
            options: Vec::new(),
            properties: Vec::new(),
            fields: Fields::new(),
            labels: Vec::new(),
            value: None,
            default: None,
            attributes: Attributes::new(),
            is_implied: false,
        }
    }

    /// Returns the rules of a name.
    pub fn rules_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| rule.name == name)
    }
}

/// What values a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One text.
    Input,
    /// Several texts.
    MultiInput,
    /// One of the options.
    SingleCheck,
    /// Several of the options.
    MultiCheck,
    /// A group of fields.
    Complex,
    /// Rows of a group of fields.
    MultiComplex,
    /// Text for people; it takes no value.
    Label,
    /// One of the options or a text: a kind that clients have met, and no document describes.
    SingleCheckInput,
    /// The same with several values.
    MultiCheckInput,
}

impl Kind {
    pub(crate) const ALL: [(&'static str, Self); 9] = [
        ("input", Self::Input),
        ("multiInput", Self::MultiInput),
        ("singleCheck", Self::SingleCheck),
        ("multiCheck", Self::MultiCheck),
        ("complex", Self::Complex),
        ("multiComplex", Self::MultiComplex),
        ("label", Self::Label),
        ("singleCheckInput", Self::SingleCheckInput),
        ("multiCheckInput", Self::MultiCheckInput),
    ];

    /// Returns the name that documents have for it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Reads the name of a kind, in any case.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }

    pub(crate) const fn is_undocumented(self) -> bool {
        matches!(self, Self::SingleCheckInput | Self::MultiCheckInput)
    }

    /// Returns `true` if it has options and takes nothing else.
    pub(crate) const fn is_choice(self) -> bool {
        matches!(self, Self::SingleCheck | Self::MultiCheck)
    }

    /// Returns `true` if it takes several texts.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::MultiInput | Self::MultiCheck | Self::MultiCheckInput)
    }
}

/// A rule of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rule {
    /// Its name: `maxLengthRule`, or digits for a sentence that only people can judge.
    pub name: String,
    /// Its limit, expression or sentence.
    pub value: String,
    /// What a limit counts: `byte`, `character`, `kb` and others.
    pub unit: Option<String>,
    /// `include` or `not include`: whether a bound itself is allowed.
    pub bound: Option<String>,
    /// Where to read more.
    pub url: Option<String>,
    /// When it holds; always if `None`.
    pub when: Option<Group>,
    /// Other attributes.
    pub attributes: Attributes,
}

impl Rule {
    /// Returns `true` if `exProperty` is `not include`.
    pub(crate) fn is_open(&self) -> bool {
        self.bound.as_deref() == Some("not include")
    }

    /// Returns `true` if it is a sentence for people, whose name is a number.
    pub fn is_sentence(&self) -> bool {
        self.name.starts_with(|first: char| first.is_ascii_digit())
    }
}

/// A value that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// What people see; it depends on the language.
    pub name: String,
    /// What is stored and sent.
    pub value: String,
    /// When it is offered; always if `None`.
    pub when: Option<Group>,
    /// Other attributes.
    pub attributes: Attributes,
}

/// A text of a label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Label {
    /// The groups that it is in, outermost first.
    pub groups: Vec<String>,
    /// Its title.
    pub name: String,
    /// Its text.
    pub value: String,
    /// An explanation.
    pub description: String,
}

/// Conditions on other fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// How they are joined.
    pub operator: Operator,
    /// The conditions.
    pub parts: Vec<Part>,
}

/// How conditions are joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Operator {
    /// All hold.
    #[default]
    And,
    /// One holds.
    Or,
    /// Not known; it is never true.
    Unknown(String),
}

/// A part of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// A group inside it.
    Group(Group),
    /// A comparison.
    Comparison(Comparison),
}

/// A condition on the values of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// The id of the field.
    pub field: String,
    /// What its values are compared with.
    pub value: String,
    /// How.
    pub symbol: Symbol,
}

/// How values are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Symbol {
    /// All values equal it.
    Equal,
    /// None equals it.
    NotEqual,
    /// One equals it.
    Contains,
    /// None equals it.
    NotContains,
    /// All are numbers above it.
    Above,
    /// All are numbers below it.
    Below,
    /// All are numbers at or above it.
    AtLeast,
    /// All are numbers at or below it.
    AtMost,
    /// There is no value.
    IsNull,
    /// All are options of the field.
    InOptions,
    /// None is.
    NotInOptions,
    /// Not known; it is never true.
    Unknown(String),
}

impl Symbol {
    pub(crate) fn of(text: &str) -> Self {
        match text.trim() {
            // The official reader leaves a missing one empty.
            "" | "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "contains" => Self::Contains,
            "not contains" => Self::NotContains,
            ">" => Self::Above,
            "<" => Self::Below,
            ">=" => Self::AtLeast,
            "<=" => Self::AtMost,
            "is null" => Self::IsNull,
            "this field's value in fieldOptions" => Self::InOptions,
            "this field's value not in fieldOptions" => Self::NotInOptions,
            other => Self::Unknown(other.to_owned()),
        }
    }
}
