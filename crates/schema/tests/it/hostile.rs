//! Documents and values that nobody meant well.

use sesame_schema::{
    Dialect, MAX_BYTES, MAX_DEPTH, Severity, check, json_schema, read, values_from_json, write,
};
use std::fmt::Write as _;

/// Makes a form and values of a size.
type Maker<'a> = &'a dyn Fn(usize) -> (String, String);

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_document_that_cannot_be_read_is_an_error_with_its_place() {
    for (text, expected) in [
        ("", "line 1, column 1: the document has no root element"),
        ("  \n ", "line 1, column 1: the document has no root element"),
        ("hello", "line 1, column 1: text outside of the root element"),
        ("<r>\n <field id='a' type='input'>", "line 2, column 29: the document ends inside an element"),
        ("<r/><r/>", "line 1, column 5: a second root element"),
        (
            "<!DOCTYPE r [<!ENTITY a 'b'>]><r/>",
            "line 1, column 1: a document type declaration is not allowed",
        ),
        (
            "<r><field id='a' type='input'>\n<value>&a;</value></field></r>",
            "line 2, column 8: unknown entity &a;",
        ),
        (
            "<r>\n<field id='灯' type='x'/></r>",
            "line 2, column 1, field \"灯\": a field of unknown type \"x\" (30003)",
        ),
        ("<r><field id='' type='input'/></r>", "line 1, column 4: a field without id (30001)"),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
    for text in ["<r><a></r>", "<r a='1' a='2'/>", "<r a=1/>", "</r>", "<r", "<r>&#xD800;</r>"] {
        assert!(refused(text).starts_with("line 1, column "), "{text}");
    }
}

#[test]
fn size_and_depth_have_limits() {
    let deep = |fields: usize| {
        let open = "<field id='a' type='complex'><fields>".repeat(fields);
        format!("<r>{open}{}</r>", "</fields></field>".repeat(fields))
    };
    read(&deep(MAX_DEPTH)).unwrap();
    assert!(refused(&deep(MAX_DEPTH + 1)).contains("more than 64 fields inside each other"));
    let groups = format!("<r>{}{}</r>", "<depend-group>".repeat(100_000), "</depend-group>".repeat(100_000));
    assert!(refused(&groups).contains("more than 256 elements inside each other"));
    let large = format!("<r>{}</r>", " ".repeat(MAX_BYTES));
    assert_eq!(refused(&large), "line 1, column 1: larger than 10 MiB");
    let nested = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    assert!(values_from_json(&nested).unwrap_err().to_string().contains("more than 64 levels"));
    assert!(values_from_json(&"[".repeat(1_000_000)).is_err());
}

/// Sixteen times the input takes some more than sixteen times the time, not 256 times: on each of these a simple
/// checker is quadratic.
#[test]
fn no_form_takes_quadratic_time() {
    let options = |count: usize| {
        let mut form = String::from("<r><field id='a' type='multiCheck'><options>");
        for option in 0..count {
            write!(form, "<option displayName='{option}' value='{option}'/>").unwrap();
        }
        form.push_str("</options></field></r>");
        let values: Vec<String> = (0..count).map(|option| option.to_string()).collect();
        (form, serde_json::json!({ "a": values }).to_string())
    };
    // Each field is switched off by the one after it.
    let chain = |count: usize| {
        let mut form = String::from("<r>");
        for field in 0..count {
            write!(form, "<field id='f{field}' type='input'><rules><rule name='disableRule' value='true'><depend-group>\
                <depend-express fieldId='f{}' value='1' symbol='!='/></depend-group></rule></rules></field>", field + 1)
            .unwrap();
        }
        write!(form, "<field id='f{count}' type='input'/></r>").unwrap();
        let values: serde_json::Map<String, serde_json::Value> =
            (0..=count).map(|field| (format!("f{field}"), "1".into())).collect();
        (form, serde_json::Value::Object(values).to_string())
    };
    // A condition in each row on a field that is in the rows of another.
    let rows = |count: usize| {
        let form = "<r><field id='a' type='multiComplex'><fields><field id='x' type='input'/></fields></field>\
            <field id='b' type='multiComplex'><fields><field id='y' type='input'><rules><rule name='disableRule' \
            value='true'><depend-group><depend-express fieldId='x' value='2'/></depend-group></rule></rules></field>\
            </fields></field></r>";
        let a = vec![serde_json::json!({"x": "1"}); count];
        let b = vec![serde_json::json!({"y": "1"}); count];
        (form.to_owned(), serde_json::json!({"a": a, "b": b}).to_string())
    };
    let doubled = |count: usize| {
        let form =
            format!("<r>{}</r>", "<field id='a' type='input'/><field id='b' type='input'/>".repeat(count));
        (form, "{}".to_owned())
    };
    let makers: [(&str, Maker<'_>); 4] =
        [("options", &options), ("chain", &chain), ("rows", &rows), ("doubled", &doubled)];
    for (name, make) in makers {
        let time = |count: usize| {
            let (form, values) = make(count);
            let begun = std::time::Instant::now();
            let form = read(&form).unwrap();
            let values = values_from_json(&values).unwrap();
            let report = check(&form, &values, Dialect::ITEM_PARAM);
            assert!(report.is_ok(), "{name}: {:?}", report.errors().next());
            write(&form, &values, Dialect::ITEM_PARAM);
            begun.elapsed().as_secs_f64()
        };
        let best = |count: usize| (0..3).map(|_| time(count)).fold(f64::MAX, f64::min);
        let (small, large) = (best(2_000), best(32_000));
        assert!(large < small * 64.0, "{name}: {small:.4} s, sixteen times as much {large:.4} s");
    }
}

#[test]
fn no_form_takes_quadratic_time_as_a_json_schema() {
    let when = |field: &str| {
        format!("<depend-group><depend-express fieldId='{field}' value='1' symbol='!='/></depend-group>")
    };
    // Rules of all kinds that others have to do with, on one field.
    let rules = |count: usize| {
        let rule =
            |name: &str, value: &str| format!("<rule name='{name}' value='{value}'>{}</rule>", when("b"));
        let each = [
            rule("disableRule", "true"),
            rule("requiredRule", "true"),
            rule("valueTypeRule", "text"),
            rule("minValueRule", "1"),
        ];
        let rules = each.concat().repeat(count / 4);
        format!(
            "<r><field id='a' type='input'><rules>{rules}</rules><default-value>x</default-value></field>\
            <field id='b' type='input'/></r>"
        )
    };
    // Each field has a default and is switched off by the two after it.
    let chain = |count: usize| {
        let mut form = String::from("<r>");
        for field in 0..count {
            let rule = |next: usize| {
                format!(
                    "<rule name='disableRule' value='true'>{}</rule>",
                    when(&format!("f{}", field + next))
                )
            };
            let rules = rule(1) + &rule(2);
            write!(form, "<field id='f{field}' type='input'><rules>{rules}</rules><default-value>1</default-value></field>")
                .unwrap();
        }
        form + "</r>"
    };
    let options = |count: usize| {
        let mut form = String::from("<r><field id='a' type='multiCheck'><options>");
        for option in 0..count {
            write!(form, "<option displayName='n' value='{}'>{}</option>", option / 2, when("b")).unwrap();
        }
        form + "</options></field><field id='b' type='input'/></r>"
    };
    let makers: [(&str, &dyn Fn(usize) -> String); 3] =
        [("rules", &rules), ("chain", &chain), ("options", &options)];
    for (name, make) in makers {
        let time = |count: usize| {
            let form = read(&make(count)).unwrap();
            let begun = std::time::Instant::now();
            let written = json_schema(&form);
            (begun.elapsed().as_secs_f64(), written.schema.to_string().len())
        };
        let best = |count: usize| {
            (0..3).map(|_| time(count)).fold((f64::MAX, 0), |best, one| (best.0.min(one.0), one.1))
        };
        let (small, large) = (best(250), best(4_000));
        assert!(large.0 < small.0 * 64.0, "{name}: {:.4} s, sixteen times as much {:.4} s", small.0, large.0);
        assert!(large.1 < small.1 * 32, "{name}: {} bytes, sixteen times as much {}", small.1, large.1);
    }
}

#[test]
fn a_cycle_of_conditions_ends_and_is_named() {
    let field = |id: &str, other: &str| {
        format!(
            "<field id='{id}' type='input'><rules><rule name='disableRule' value='true'><depend-group>\
            <depend-express fieldId='{other}' value='1' symbol='=='/></depend-group></rule></rules></field>"
        )
    };
    // Each is off while the other is on: either may stand. Three in a ring cannot settle.
    let ring = format!("<r>{}{}{}</r>", field("a", "b"), field("b", "c"), field("c", "a"));
    let values = values_from_json(r#"{"a": "1", "b": "1", "c": "1"}"#).unwrap();
    let report = check(&read(&ring).unwrap(), &values, Dialect::ITEM_PARAM);
    let notes: Vec<&str> = report
        .findings
        .iter()
        .filter(|one| one.severity == Severity::Note)
        .map(|one| one.rule.as_str())
        .collect();
    assert_eq!(notes, ["cycle"], "{report:?}");
    let own = format!("<r>{}</r>", field("a", "a"));
    check(&read(&own).unwrap(), &values_from_json(r#"{"a": "1"}"#).unwrap(), Dialect::ITEM_PARAM);
}

#[test]
fn values_that_are_no_product_are_refused() {
    for json in [
        "",
        "[]",
        "1",
        "null",
        "{",
        "{\"a\": [[\"b\"]]}",
        "{\"a\": {\"$value\": {}, \"$attrs\": {}}}",
        "{\"a\": {\"$value\": \"x\", \"b\": \"y\"}}",
        "{\"a\": {\"$value\": \"x\", \"$attrs\": [1]}}",
    ] {
        assert!(values_from_json(json).is_err(), "{json}");
    }
    // Numbers keep their digits, however many.
    let values =
        values_from_json(r#"{"a": 100000000000000000000000.10, "b": [1e400, true], "c": null}"#).unwrap();
    assert_eq!(
        serde_json::to_string(&values).unwrap(),
        r#"{"a":"100000000000000000000000.10","b":["1e400","true"]}"#
    );
}

#[test]
fn a_doubled_field_is_noted_and_the_last_one_counts() {
    let form = read(
        "<r><field id='a' type='input'/><field id='b' type='input'/><field id='a' type='multiInput'/></r>",
    )
    .unwrap();
    assert_eq!(form.fields.keys().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(form.fields["a"].kind.name(), "multiInput");
    assert_eq!(
        form.findings[0].to_string(),
        "/a: the document has this field twice: the last one counts (duplicateField)"
    );
}
