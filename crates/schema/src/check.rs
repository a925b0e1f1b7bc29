//! All that is wrong with a product, at once.

use serde::Serialize;

use crate::{
    Dialect, Finding, Form, Path, Severity, Step,
    form::Kind,
    rules,
    tree::{Tree, is_true},
    value::{Value, Values},
};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Everything, in the order of the form.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns what has to be mended.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// Returns `true` if nothing has to be mended.
    pub fn is_ok(&self) -> bool {
        self.errors().next().is_none()
    }
}

/// Judges the values of a product by a form. What is not given has the form's default.
///
/// A field that is switched off must not be given; else it must be filled if it is required; the other rules are
/// about what is filled. What depends on a file or on the platform's data is not judged.
///
/// ```
/// use sesame_schema::{Dialect, check, read, values_from_json};
/// let form = read(
///     r#"<itemSchema><field id="unit" type="singleCheck"><rules><rule name="requiredRule" value="true"/></rules>
///        <options><option displayName="Piece" value="4"/></options></field></itemSchema>"#,
/// )?;
/// let report = check(&form, &values_from_json(r#"{"unit": "Piece"}"#)?, Dialect::ITEM_SCHEMA);
/// assert_eq!(report.findings[0].rule, "option", "the value of an option is sent, not its name");
/// assert!(check(&form, &values_from_json(r#"{"unit": "4"}"#)?, Dialect::ITEM_SCHEMA).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(form: &Form, values: &Values, dialect: Dialect) -> Report {
    let tree = Tree::new(form, values);
    let mut findings = form.findings.clone();
    findings.extend(tree.findings.iter().cloned());
    let mut unknown =
        tree.scopes.iter().enumerate().map(|(at, scope)| (at, &scope.unknown)).collect::<Vec<_>>();
    unknown.reverse();
    let mut judge = rules::Judge { tree: &tree, dialect, findings };
    let mut at = 0;
    while let Some(node) = tree.nodes.get(at) {
        let given = node.value.filter(|value| value.is_filled());
        let is_disabled = tree.is_disabled(at);
        if is_disabled && given.is_some() && !node.is_default {
            judge.add(at, "disableRule", "the field is switched off by other values: leave it out");
        }
        if is_disabled {
            at = node.end;
            continue;
        }
        let Some(value) = given else {
            let mut required = node.field.rules_named("requiredRule");
            if required.any(|rule| is_true(&rule.value) && tree.holds(rule.when.as_ref(), at)) {
                judge.add(at, "requiredRule", "the field has to be filled");
            }
            at = node.end;
            continue;
        };
        if judge.fits(at, value) {
            judge.rules(at, value);
            at += 1;
        } else {
            at = node.end;
        }
    }
    let mut findings = judge.findings;
    for (scope, unknown) in unknown.into_iter().rev() {
        let is_off = tree.scopes[scope].parent.is_some_and(|(node, _)| tree.is_off(node));
        for (id, value) in unknown.iter().filter(|(_, value)| !is_off && value.is_filled()) {
            let mut path = tree.path_of_scope(scope);
            path.push(Step::from(*id));
            let mut finding = Finding::new("unknownField", path, "the form has no such field".to_owned());
            finding.value = value.text().map(str::to_owned);
            findings.push(finding);
        }
    }
    Report { findings }
}

/// Returns the places of the fields that rules switch off, with these values.
pub fn disabled(form: &Form, values: &Values) -> Vec<Path> {
    let tree = Tree::new(form, values);
    let all = 0..tree.nodes.len();
    all.filter(|node| tree.is_disabled(*node)).map(|node| Path(tree.path(node))).collect()
}

/// Returns the values that are sent: those given, and the form's defaults; without what is switched off,
/// labels, and fields that the form does not have.
pub(crate) fn to_send(form: &Form, values: &Values) -> Values {
    let tree = Tree::new(form, values);
    let mut sent = Values::new();
    let mut at = 0;
    while let Some(node) = tree.nodes.get(at) {
        if !tree.is_disabled(at)
            && node.field.kind != Kind::Label
            && let Some(value) = inside(&tree, at)
        {
            sent.insert(node.field.id.clone(), value);
        }
        at = node.end;
    }
    sent
}

/// Returns the value of a node with what is sent of the fields inside it.
fn inside(tree: &Tree<'_>, at: usize) -> Option<Value> {
    let node = &tree.nodes[at];
    let value = node.value?;
    let mut rows: Vec<(Option<usize>, Values)> = Vec::new();
    match (node.field.kind, value) {
        (Kind::Complex, Value::Object(_)) => rows.push((None, Values::new())),
        (Kind::MultiComplex, Value::List(given)) => {
            rows.extend((0..given.len()).map(|row| (Some(row), Values::new())));
        }
        _ => return Some(value.clone()),
    }
    let mut child = at + 1;
    while child < node.end {
        let of = &tree.nodes[child];
        let row = tree.scopes[of.scope].parent.and_then(|(_, row)| row);
        if !tree.is_disabled(child)
            && of.field.kind != Kind::Label
            && let Some(value) = inside(tree, child)
            && let Some((_, into)) = rows.get_mut(row.unwrap_or_default())
        {
            into.insert(of.field.id.clone(), value);
        }
        child = of.end;
    }
    let mut rows = rows.into_iter().map(|(_, values)| Value::Object(values));
    if node.field.kind == Kind::Complex { rows.next() } else { Some(Value::List(rows.collect())) }
}
