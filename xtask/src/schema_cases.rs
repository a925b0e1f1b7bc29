//! `xtask schema-cases FILE`: cases of the product schema language against `sesame-schema`. Documents lie in
//! `docs/` beside the file.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value as Json, json};
use sesame_catalog::Catalog;
use sesame_schema::{
    Dialect, Field, Fields, Finding, Form, Severity, Value, Values, check, disabled, read, refused,
    values_from_json, write,
};

use crate::schema_xml;

/// Runs all cases of a file. Returns a line for each that failed and, at the end, how many passed.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn run(file: &Path) -> Result<(String, usize)> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let cases: Vec<Json> = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    let docs = file.parent().unwrap_or(Path::new("")).join("docs");
    let (mut out, mut failed) = (String::new(), 0);
    for case in &cases {
        if let Err(error) = (Case { json: case, docs: &docs }).run() {
            failed += 1;
            let id = case["id"].as_str().unwrap_or("(no id)");
            writeln!(out, "{id}: {}", format!("{error:#}").replace('\n', "\n    "))?;
        }
    }
    writeln!(out, "{} passed, {failed} failed", cases.len() - failed)?;
    Ok((out, failed))
}

struct Case<'a> {
    json: &'a Json,
    docs: &'a Path,
}

impl Case<'_> {
    fn run(&self) -> Result<()> {
        let expect = &self.json["expect"];
        match self.kind()? {
            "check" => self.check(&self.form()?, &self.json["values"], self.json),
            "disabled" => {
                let places = disabled(&self.form()?, &values(&self.json["values"])?);
                let found = set(places.iter().map(|path| json!(path)));
                same(&found, &set(expect["disabled"].as_array().into_iter().flatten().cloned()))
            }
            "parse" => self.parse(&self.form()?),
            "stats" => stats(&self.form()?, expect),
            "parse-text" => self.parse_text(),
            "read" => same(&json!(self.form()?.values()), expect),
            "read-parts" => parts(&json!(self.form()?.values()), expect),
            "defaults" => self.defaults(&self.form()?),
            "submission" => {
                let written = write(&self.form()?, &values(&self.json["values"])?, self.dialect());
                schema_xml::same(&written, self.text("submission")?)
            }
            "submission-contains" => {
                let written = write(&self.form()?, &values(&self.json["values"])?, self.dialect());
                let written = json!(read(&written)?.values());
                for pair in self.json["contains"].as_array().context("contains")? {
                    let id = pair[0].as_str().context("a pair of id and value")?;
                    ensure!(written[id] == pair[1], "{id} is {}", written[id]);
                }
                Ok(())
            }
            "round-trip" => {
                let text = self.document()?;
                let form = read(&text)?;
                let given = json!(form.values()).to_string();
                schema_xml::same(&write(&form, &values_from_json(&given)?, self.dialect()), &text)
            }
            "gateway-answer" => self.gateway_answer(),
            other => bail!("unknown kind {other:?}"),
        }
    }

    /// Reads a refusal by the table of codes of its platform.
    fn gateway_answer(&self) -> Result<()> {
        let (raw, expect) = (&self.json["raw"], &self.json["expect"]);
        let first = |names: &[&str]| names.iter().find_map(|name| raw[*name].as_str()).unwrap_or_default();
        let code = first(&["sub_code", "msg_code", "error_code", "errorCode", "code"]);
        let message = first(&["sub_msg", "message_info", "error_message", "errorMessage", "message", "msg"]);
        // The cases name some platforms as their owners do.
        let platform = match self.text("platform")? {
            "icbu" => "alibaba",
            "tmall" => "taobao",
            other => other,
        };
        let errors = &Catalog::builtin().platform(platform)?.replies.errors;
        let rule = errors.find(code, None).or_else(|| errors.find("", Some(code)));
        let rule = rule.with_context(|| format!("the code {code:?} is unknown"))?;
        if let Some(wanted) = expect["code"].as_str() {
            ensure!(code == wanted, "the code is {code}");
        }
        if let Some(wanted) = expect["retry"].as_str() {
            let found = serde_json::to_value(rule.retry)?;
            ensure!(found == wanted, "retry is {found}");
        }
        let mut found =
            refused(message, &rule.field, &rule.rule).into_iter().map(|one| json!(one)).collect::<Vec<_>>();
        let wanted = expect["findings"].as_array().cloned().unwrap_or_default();
        for wanted in wanted.iter().chain(expect.get("finding")) {
            let wanted = wanted.as_object().context("a finding is an object")?;
            let fits = |finding: &Json| {
                wanted
                    .iter()
                    .all(|(key, value)| finding[if key == "keyword" { "rule" } else { key }] == *value)
            };
            let at = found
                .iter()
                .position(fits)
                .with_context(|| format!("missing: {}\nfound: {}", json!(wanted), json!(found)))?;
            found.remove(at);
        }
        ensure!(found.is_empty() || wanted.is_empty(), "too many: {}", json!(found));
        Ok(())
    }

    fn kind(&self) -> Result<&str> {
        self.text("kind")
    }

    fn text(&self, name: &str) -> Result<&str> {
        self.json[name].as_str().with_context(|| format!("the case has no {name}"))
    }

    fn document(&self) -> Result<String> {
        if let Some(xml) = self.json["xml"].as_str() {
            return Ok(xml.to_owned());
        }
        let file: PathBuf = self.docs.join(self.text("doc")?);
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    }

    fn form(&self) -> Result<Form> {
        Ok(read(&self.document()?)?)
    }

    /// The dialect of the case; else that of its document: those of Alibaba.com have names with `i`.
    fn dialect(&self) -> Dialect {
        let is_icbu = self.json["doc"].as_str().is_some_and(|name| name.starts_with('i'));
        match self.json["dialect"].as_str() {
            Some("icbu") => Dialect::ITEM_SCHEMA,
            None if is_icbu => Dialect::ITEM_SCHEMA,
            _ => Dialect::ITEM_PARAM,
        }
    }

    /// Compares all findings, or those of some fields.
    fn check(&self, form: &Form, given: &Json, expected: &Json) -> Result<()> {
        let report = check(form, &values(given)?, self.dialect());
        let restrict: Option<Vec<&Json>> = self.json["restrict"].as_array().map(|all| all.iter().collect());
        let is_meant = |path: &Json| restrict.as_ref().is_none_or(|all| all.contains(&&path[0]));
        let mut found: Vec<Json> = report.errors().map(|finding| json!(finding)).collect();
        found.retain(|finding| is_meant(&finding["path"]));
        let is_open = self.json["actual_open"] == true;
        for wanted in expected["findings"].as_array().context("findings")? {
            let wanted = wanted.as_object().context("a finding is an object")?;
            let fits = |finding: &Json| {
                wanted.iter().all(|(key, value)| (key == "actual" && is_open) || finding[key] == *value)
            };
            let at = found
                .iter()
                .position(fits)
                .with_context(|| format!("missing: {}\nfound: {}", json!(wanted), json!(found)))?;
            found.remove(at);
        }
        ensure!(found.is_empty(), "too many: {}", json!(found));
        if let Some(note) = expected["note"].as_str() {
            let has = report.findings.iter().any(|one| one.severity == Severity::Note && one.rule == note);
            ensure!(has, "the note {note} is missing: {}", json!(report));
        }
        Ok(())
    }

    fn parse(&self, form: &Form) -> Result<()> {
        let mut all = Vec::new();
        collect(&form.fields, 1, &mut all);
        let mut names = Vec::new();
        for rule in all.iter().flat_map(|(field, _)| &field.rules) {
            if rule.is_sentence() && !names.contains(&rule.name) {
                names.push(rule.name.clone());
            }
        }
        let found = json!({
            "fields": form.fields.len(),
            "fields_in_all": all.len(),
            "fields_without_name": all.iter().filter(|(field, _)| field.name.is_none()).count(),
            "depth": all.iter().map(|(_, depth)| *depth).max().unwrap_or_default(),
            "custom_rules": set(names.into_iter().map(Json::from)),
        });
        for (key, wanted) in self.json["expect"].as_object().context("expect")? {
            let wanted = match wanted.as_array() {
                Some(list) => set(list.iter().cloned()),
                None => wanted.clone(),
            };
            same(&found[key], &wanted).with_context(|| key.clone())?;
        }
        Ok(())
    }

    fn parse_text(&self) -> Result<()> {
        let expect = &self.json["expect"];
        let form = match (read(self.text("xml")?), expect["error"].as_str()) {
            (Err(error), Some(code)) => {
                let number = error.code.map(|code| code.number().to_string());
                ensure!(number.as_deref() == Some(code), "{error}");
                let field = expect["field"].as_str();
                ensure!(field.is_none() || field == error.field.as_deref(), "{error}");
                return Ok(());
            }
            (Ok(_), Some(code)) => bail!("it was read, and {code} was expected"),
            (form, None) => form?,
        };
        let mut all = Vec::new();
        collect(&form.fields, 1, &mut all);
        let first = all.first().map(|(field, _)| *field).context("no field")?;
        for (key, wanted) in expect.as_object().context("expect")? {
            match key.as_str() {
                "values" => self.check(&form, wanted, expect)?,
                "type" => same(&json!(first.kind.name()), wanted)?,
                "options" => same(&json!(first.options.len()), wanted)?,
                "finding" => {
                    let field = &expect["field"];
                    let is_wanted = |found: &&Finding| {
                        json!(found.rule) == *wanted && (field.is_null() || json!(found.path)[0] == *field)
                    };
                    form.findings.iter().find(is_wanted).ok_or_else(|| anyhow!("{:?}", form.findings))?;
                }
                "kept_attribute" => kept(first, wanted)?,
                "findings" | "note" | "field" => {}
                other => bail!("unknown expectation {other:?}"),
            }
        }
        Ok(())
    }

    fn defaults(&self, form: &Form) -> Result<()> {
        let expect = &self.json["expect"];
        let mut all = Vec::new();
        collect(&form.fields, 1, &mut all);
        let defaults =
            all.iter().filter_map(|(field, _)| Some((field.id.clone(), json!(field.default.as_ref()?))));
        same(&Json::Object(defaults.collect()), expect)?;
        let sent = read(&write(form, &Values::new(), self.dialect()))?.values();
        for id in self.json["not_submitted"].as_array().into_iter().flatten() {
            let id = id.as_str().context("an id")?;
            ensure!(!sent.contains_key(id), "{id} is submitted");
        }
        Ok(())
    }
}

fn values(json: &Json) -> Result<Values> {
    Ok(values_from_json(&json.to_string())?)
}

fn collect<'a>(fields: &'a Fields, depth: usize, into: &mut Vec<(&'a Field, usize)>) {
    for field in fields.values() {
        into.push((field, depth));
        collect(&field.fields, depth + 1, into);
    }
}

/// Numbers named `RULE_on_KIND`.
fn stats(form: &Form, expect: &Json) -> Result<()> {
    let mut all = Vec::new();
    collect(&form.fields, 1, &mut all);
    for (key, wanted) in expect.as_object().context("expect")? {
        let (rule, kind) = key.split_once("_on_").with_context(|| key.clone())?;
        let of_kind = all.iter().filter(|(field, _)| field.kind.name() == kind);
        let count = of_kind.map(|(field, _)| field.rules_named(rule).count()).sum::<usize>();
        same(&json!(count), wanted).with_context(|| key.clone())?;
    }
    Ok(())
}

/// Parts of a product: `a.0.b` is a path, `x_rows` counts, `x_keys` names fields.
fn parts(values: &Json, expect: &Json) -> Result<()> {
    for (key, wanted) in expect.as_object().context("expect")? {
        let found = if let Some(id) = key.strip_suffix("_rows") {
            json!(values[id].as_array().map(Vec::len))
        } else if let Some(id) = key.strip_suffix("_keys") {
            json!(values[id].as_object().map(|fields| fields.keys().collect::<Vec<_>>()))
        } else {
            let pointer = format!("/{}", key.replace('.', "/"));
            values.pointer(&pointer).cloned().unwrap_or_default()
        };
        same(&found, wanted).with_context(|| key.clone())?;
    }
    Ok(())
}

/// `[ELEMENT, ATTRIBUTE, VALUE]` of the first field.
fn kept(field: &Field, wanted: &Json) -> Result<()> {
    let attributes = match wanted[0].as_str().unwrap_or_default() {
        "option" => &field.options.first().context("no option")?.attributes,
        "rule" => &field.rules.first().context("no rule")?.attributes,
        "field" => &field.attributes,
        "value" => {
            let Some(Value::Text(text)) = &field.value else { bail!("no value") };
            let name = wanted[1].as_str().unwrap_or_default();
            return same(&json!(text.attribute(name)), &wanted[2]);
        }
        other => bail!("unknown element {other:?}"),
    };
    let has = attributes.iter().any(|(name, value)| **name == wanted[1] && *value == wanted[2]);
    ensure!(has, "{attributes:?}");
    Ok(())
}

fn set(items: impl Iterator<Item = Json>) -> Json {
    let texts: BTreeSet<String> = items.map(|item| item.to_string()).collect();
    json!(texts)
}

fn same(found: &Json, wanted: &Json) -> Result<()> {
    ensure!(found == wanted, "found:  {found}\nwanted: {wanted}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(file: &Path) {
        let (report, failed) = run(file).unwrap();
        assert_eq!(failed, 0, "{report}");
    }

    #[test]
    fn the_cases_of_this_project_pass() {
        passes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/schema/cases.json"));
    }

    /// Real documents are not part of the project: they are read where they lie beside it.
    #[test]
    fn the_cases_of_real_documents_pass() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/schema/give/cases.json");
        if file.exists() {
            passes(&file);
        }
    }

    #[test]
    fn a_wrong_expectation_fails() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cases.json");
        let case = |findings: Json| {
            json!([{"id": "x", "kind": "parse-text",
                "xml": "<r><field id='a' type='input'><rules><rule name='requiredRule' value='true'/></rules></field></r>",
                "expect": {"values": {}, "findings": findings}}])
        };
        for (findings, expected) in [
            (json!([{"rule": "requiredRule", "path": ["a"]}]), "1 passed, 0 failed\n"),
            (json!([]), "0 passed, 1 failed\n"),
            (json!([{"rule": "requiredRule", "path": ["b"]}]), "0 passed, 1 failed\n"),
        ] {
            fs::write(&file, case(findings).to_string()).unwrap();
            assert!(run(&file).unwrap().0.ends_with(expected));
        }
    }
}
