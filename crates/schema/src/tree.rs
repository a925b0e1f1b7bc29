//! A form with values in it: which field stands where, what conditions see, and which fields are switched off.

use std::collections::{BTreeSet, HashMap};

use indexmap::{IndexMap, IndexSet};

use crate::{
    Finding, Severity, Step,
    form::{Choice, Comparison, Field, Fields, Form, Group, Kind, Operator, Part, Symbol},
    number::Number,
    value::{Value, Values},
};

/// How many occurrences of a field are looked at that is in another part of the document.
const OCCURRENCES: usize = 100;

/// A field at its place.
pub(crate) struct Node<'a> {
    pub(crate) field: &'a Field,
    /// What was given, or else the default.
    pub(crate) value: Option<&'a Value>,
    /// Whether the value is the form's default.
    pub(crate) is_default: bool,
    /// The group that it is in.
    pub(crate) scope: usize,
    /// Where the nodes inside it end, in the order of nodes.
    pub(crate) end: usize,
    is_disabled: bool,
}

/// A group of fields: the document, what is in a complex field, or a row.
pub(crate) struct Scope<'a> {
    /// The node that it is in, and which row it is.
    pub(crate) parent: Option<(usize, Option<usize>)>,
    nodes: IndexMap<&'a str, usize>,
    /// Values for which the form has no field.
    pub(crate) unknown: Vec<(&'a str, &'a Value)>,
}

/// All fields of a form, in the order of the document.
pub(crate) struct Tree<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) scopes: Vec<Scope<'a>>,
    by_id: HashMap<&'a str, Vec<usize>>,
    /// What the conditions have led to, if that does not settle.
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(form: &'a Form, values: &'a Values) -> Self {
        let mut tree =
            Self { nodes: Vec::new(), scopes: Vec::new(), by_id: HashMap::new(), findings: Vec::new() };
        tree.add_scope(&form.fields, Some(values), None);
        for (at, node) in tree.nodes.iter().enumerate() {
            tree.by_id.entry(node.field.id.as_str()).or_default().push(at);
        }
        tree.switch_off();
        tree
    }

    fn add_scope(
        &mut self,
        fields: &'a Fields,
        values: Option<&'a Values>,
        parent: Option<(usize, Option<usize>)>,
    ) {
        let scope = self.scopes.len();
        let is_defined = fields.values().any(|field| !field.is_implied);
        let unknown = values.into_iter().flatten().filter(|(id, _)| is_defined && !fields.contains_key(*id));
        let unknown = unknown.map(|(id, value)| (id.as_str(), value)).collect();
        self.scopes.push(Scope { parent, nodes: IndexMap::with_capacity(fields.len()), unknown });
        // Without definitions the order is that of the values.
        let given_first = values.into_iter().flat_map(Values::keys).filter(|_| !is_defined);
        let order: IndexSet<&str> = given_first.chain(fields.keys()).map(String::as_str).collect();
        for field in order.into_iter().filter_map(|id| fields.get(id)) {
            let given = values.and_then(|values| values.get(&field.id));
            // In a group that is not given there is nothing to fill in.
            let default = field.default.as_ref().filter(|_| values.is_some());
            let node = self.nodes.len();
            let (value, is_default) = (given.or(default), given.is_none() && default.is_some());
            self.nodes.push(Node { field, value, is_default, scope, end: node + 1, is_disabled: false });
            self.scopes[scope].nodes.insert(&field.id, node);
            match (field.kind, value) {
                (Kind::Complex, Some(Value::Object(inner))) => {
                    self.add_scope(&field.fields, Some(inner), Some((node, None)));
                }
                (Kind::Complex, _) => self.add_scope(&field.fields, None, Some((node, None))),
                (Kind::MultiComplex, Some(Value::List(rows))) => {
                    for (row, inner) in rows.iter().enumerate() {
                        if let Value::Object(inner) = inner {
                            self.add_scope(&field.fields, Some(inner), Some((node, Some(row))));
                        }
                    }
                }
                _ => {}
            }
            self.nodes[node].end = self.nodes.len();
        }
    }

    /// Returns the node around a node.
    pub(crate) fn parent(&self, node: usize) -> Option<usize> {
        self.scopes[self.nodes[node].scope].parent.map(|(parent, _)| parent)
    }

    /// Returns the place of a node.
    pub(crate) fn path(&self, node: usize) -> Vec<Step> {
        let mut path = self.path_of_scope(self.nodes[node].scope);
        path.push(Step::Field(self.nodes[node].field.id.clone()));
        path
    }

    /// Returns the place of a group.
    pub(crate) fn path_of_scope(&self, mut scope: usize) -> Vec<Step> {
        let mut path = Vec::new();
        while let Some((node, row)) = self.scopes[scope].parent {
            path.extend(row.map(Step::Index));
            path.push(Step::Field(self.nodes[node].field.id.clone()));
            scope = self.nodes[node].scope;
        }
        path.reverse();
        path
    }

    /// Returns `true` if a rule switches the field itself off.
    pub(crate) fn is_disabled(&self, node: usize) -> bool {
        self.nodes[node].is_disabled
    }

    /// Returns `true` if the field or one around it is switched off.
    pub(crate) fn is_off(&self, node: usize) -> bool {
        let mut at = Some(node);
        while let Some(node) = at {
            if self.nodes[node].is_disabled {
                return true;
            }
            at = self.parent(node);
        }
        false
    }

    /// Returns `true` if a condition holds for a node; without one it does.
    pub(crate) fn holds(&self, when: Option<&Group>, node: usize) -> bool {
        when.is_none_or(|group| self.is_true(group, self.nodes[node].scope))
    }

    /// Finds out which fields are switched off. The value of such a field counts as missing, so this may
    /// switch others; only those are looked at again.
    fn switch_off(&mut self) {
        let mut dependents: HashMap<&'a str, Vec<usize>> = HashMap::new();
        let mut due = BTreeSet::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for rule in node.field.rules_named("disableRule") {
                due.insert(at);
                for id in rule.when.iter().flat_map(fields_of) {
                    dependents.entry(id).or_default().push(at);
                }
            }
        }
        let rounds = self.nodes.len() + 1;
        for _ in 0..rounds {
            let mut later = BTreeSet::new();
            while let Some(at) = due.pop_first() {
                let field = self.nodes[at].field;
                let mut rules = field.rules_named("disableRule").filter(|rule| is_true(&rule.value));
                let is_disabled = rules.any(|rule| self.holds(rule.when.as_ref(), at));
                if is_disabled == self.nodes[at].is_disabled {
                    continue;
                }
                self.nodes[at].is_disabled = is_disabled;
                for inner in at..self.nodes[at].end {
                    let id = self.nodes[inner].field.id.as_str();
                    for other in dependents.get(id).into_iter().flatten().filter(|other| **other != at) {
                        if *other > at {
                            due.insert(*other)
                        } else {
                            later.insert(*other)
                        };
                    }
                }
            }
            if later.is_empty() {
                return;
            }
            due = later;
        }
        if let Some(at) = due.first() {
            let message = "fields switch each other off and on: which of them hold cannot be told";
            let finding = Finding::new("cycle", self.path(*at), message.to_owned());
            self.findings.push(Finding { severity: Severity::Note, ..finding });
        }
    }

    fn is_true(&self, group: &Group, scope: usize) -> bool {
        let mut parts = group.parts.iter().map(|part| match part {
            Part::Group(inner) => self.is_true(inner, scope),
            Part::Comparison(comparison) => self.compares(comparison, scope),
        });
        match group.operator {
            Operator::And => parts.all(|is_true| is_true),
            Operator::Or => parts.any(|is_true| is_true),
            Operator::Unknown(_) => false,
        }
    }

    fn compares(&self, comparison: &Comparison, scope: usize) -> bool {
        let Some(found) = self.find(&comparison.field, scope) else { return false };
        let mut values = Vec::new();
        for node in &found {
            if let Some(value) = self.nodes[*node].value
                && !self.is_off(*node)
            {
                value.each_text(&mut |text| values.push(text.text.as_str()));
            }
        }
        let options = found.first().map(|node| self.nodes[*node].field.options.as_slice());
        is_met(comparison, values, options.unwrap_or_default())
    }

    /// Finds a field: in the same group, in those around it, or else anywhere in the document.
    fn find(&self, id: &str, mut scope: usize) -> Option<Vec<usize>> {
        loop {
            if let Some(node) = self.scopes[scope].nodes.get(id) {
                return Some(vec![*node]);
            }
            match self.scopes[scope].parent {
                Some((parent, _)) => scope = self.nodes[parent].scope,
                None => break,
            }
        }
        Some(self.by_id.get(id)?.iter().copied().take(OCCURRENCES).collect())
    }
}

/// Returns `true` if the values of a field meet a comparison.
pub(crate) fn is_met(comparison: &Comparison, mut values: Vec<&str>, options: &[Choice]) -> bool {
    values.retain(|value| !crate::value::is_blank(value));
    let wanted = comparison.value.as_str();
    if values.is_empty() {
        return holds_for_empty(&comparison.symbol);
    }
    let number = |text: &str| Number::parse(text);
    let all_are = |is: fn(std::cmp::Ordering) -> bool| {
        let Some(limit) = number(wanted) else { return false };
        values.iter().all(|value| number(value).and_then(|value| value.partial_cmp(&limit)).is_some_and(is))
    };
    let is_option = |value: &&str| options.iter().any(|option| option.value == **value);
    match &comparison.symbol {
        Symbol::Equal => values.iter().all(|value| *value == wanted),
        Symbol::Contains => values.contains(&wanted),
        Symbol::NotEqual | Symbol::NotContains => !values.contains(&wanted),
        Symbol::Above => all_are(std::cmp::Ordering::is_gt),
        Symbol::Below => all_are(std::cmp::Ordering::is_lt),
        Symbol::AtLeast => all_are(std::cmp::Ordering::is_ge),
        Symbol::AtMost => all_are(std::cmp::Ordering::is_le),
        Symbol::InOptions => values.iter().all(is_option),
        Symbol::NotInOptions => !values.iter().any(is_option),
        Symbol::IsNull | Symbol::Unknown(_) => false,
    }
}

/// Returns `true` if a condition on a field without a value holds.
///
/// No document says. Forms hide a field "unless A is chosen" by a rule with `!=`, which only makes sense if an
/// untouched A hides it; so this is a guess, and this is the one place that makes it.
pub(crate) const fn holds_for_empty(symbol: &Symbol) -> bool {
    matches!(symbol, Symbol::NotEqual | Symbol::NotContains | Symbol::IsNull)
}

/// Returns `true` for the value of a rule that is switched on.
pub(crate) fn is_true(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

fn fields_of(group: &Group) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![group];
    while let Some(group) = open.pop() {
        for part in &group.parts {
            match part {
                Part::Group(inner) => open.push(inner),
                Part::Comparison(comparison) => found.push(comparison.field.as_str()),
            }
        }
    }
    found
}
