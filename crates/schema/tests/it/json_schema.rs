//! Forms as JSON Schemas: a published validator and `check` say the same of every product, within the power of a
//! schema.

use std::path::{Path as File, PathBuf};

use proptest::prelude::*;
use serde_json::Value as Json;
use sesame_schema::{Dialect, Form, JsonSchema, Step, Values, check, json_schema, read, values_from_json};

/// A form, its schema, and a validator of it.
struct Pair {
    form: Form,
    written: JsonSchema,
    validator: jsonschema::Validator,
}

impl Pair {
    fn new(xml: &str) -> Self {
        let form = read(xml).unwrap();
        let written = json_schema(&form);
        jsonschema::draft202012::meta::validate(&written.schema).unwrap();
        let validator = jsonschema::draft202012::new(&written.schema).unwrap();
        Self { form, written, validator }
    }

    /// Compares schema and check; `None` for a pair that the schema says it cannot judge.
    fn compare(&self, values: &Values) -> Option<Result<bool, String>> {
        let json = serde_json::to_value(values).unwrap();
        let text = json.to_string();
        let has_pairs = text.chars().any(|c| u32::from(c) > 0xFFFF);
        let has_exponents = texts(&json)
            .iter()
            .any(|text| text.trim().contains(['e', 'E']) && text.trim().parse::<f64>().is_ok());
        let beyond = &self.written.beyond;
        let why = |part: &str| beyond.iter().any(|rule| rule.why.contains(part));
        if has_pairs && why("U+FFFF") || has_exponents && why("exponent") {
            return None;
        }
        let report = check(&self.form, values, Dialect::ITEM_PARAM);
        let fields = |path: &[Step]| {
            path.iter().filter(|step| matches!(step, Step::Field(_))).cloned().collect::<Vec<_>>()
        };
        let is_beyond = |found: &&sesame_schema::Finding| {
            beyond.iter().any(|rule| {
                let is_same = found.rule != "option"
                    || rule.limit.is_empty()
                    || found.value.as_ref() == Some(&rule.limit);
                is_same
                    && rule.rule == found.rule
                    && rule.path.0 == fields(&found.path.0)
                    && !rule.why.contains("U+FFFF")
                    && !rule.why.contains("exponent")
            })
        };
        let (out, within): (Vec<_>, Vec<_>) = report.errors().partition(is_beyond);
        // What is switched off is judged no further by the check.
        if out.iter().any(|found| found.rule == "disableRule") {
            return None;
        }
        let errors: Vec<String> = self
            .validator
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        // A finding that may be about a rule beyond the schema may be about another one of the name, too.
        let agrees = if errors.is_empty() { within.is_empty() } else { !report.is_ok() };
        if agrees {
            return Some(Ok(errors.is_empty()));
        }
        Some(Err(format!("{text}\nschema: {errors:#?}\ncheck: {within:#?}\n{}", self.written.schema)))
    }

    fn agrees(&self, values: &Values) {
        if let Some(Err(difference)) = self.compare(values) {
            panic!("{difference}");
        }
    }
}

fn texts(json: &Json) -> Vec<&str> {
    match json {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().flat_map(texts).collect(),
        Json::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn values(json: &Json) -> Values {
    values_from_json(&json.to_string()).unwrap()
}

/// All documents of some cases with all values that cases have for them.
fn cases(folder: &File) -> Vec<(String, Vec<Json>)> {
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&text).unwrap();
    let mut found: indexmap::IndexMap<String, Vec<Json>> = indexmap::IndexMap::new();
    for case in &cases {
        let xml = match (case["xml"].as_str(), case["doc"].as_str()) {
            (Some(xml), _) => xml.to_owned(),
            (None, Some(doc)) if File::new(doc).extension().is_some_and(|it| it == "xml") => {
                std::fs::read_to_string(folder.join("docs").join(doc)).unwrap()
            }
            _ => continue,
        };
        let given = [&case["values"], &case["expect"]["values"]];
        found.entry(xml).or_default().extend(given.into_iter().filter(|values| values.is_object()).cloned());
    }
    found.into_iter().filter(|(xml, _)| read(xml).is_ok()).collect()
}

/// Compares all pairs of cases; every value is tried with every field removed, too. Returns a line for each form:
/// its schema, the products that fit, and those that do not.
fn compare_cases(folder: &File) -> Vec<[Json; 3]> {
    let mut compared = Vec::new();
    for (xml, given) in cases(folder) {
        let pair = Pair::new(&xml);
        // A document that is wrong itself has errors whatever the product is.
        if !check(&pair.form, &Values::new(), Dialect::ITEM_PARAM).errors().all(|found| found.rule != "shape")
        {
            continue;
        }
        let mut all: Vec<Values> = given.iter().map(values).collect();
        all.push(Values::new());
        all.push(pair.form.values());
        for product in all.clone() {
            for id in product.keys() {
                let mut less = product.clone();
                less.shift_remove(id);
                all.push(less);
                let mut blank = product.clone();
                blank[id] = sesame_schema::Value::from(" ");
                all.push(blank);
            }
        }
        let (mut valid, mut invalid) = (Vec::new(), Vec::new());
        for product in &all {
            let json = serde_json::to_value(product).unwrap();
            match pair.compare(product) {
                None => {}
                Some(Ok(true)) => valid.push(json),
                Some(Ok(false)) => invalid.push(json),
                Some(Err(difference)) => panic!("{difference}"),
            }
        }
        compared.push([pair.written.schema, valid.into(), invalid.into()]);
    }
    let count = |at: usize| compared.iter().map(|line| line[at].as_array().unwrap().len()).sum::<usize>();
    assert!(count(1) > 50 && count(2) > 50, "{} {}", count(1), count(2));
    compared
}

fn folder(name: &str) -> PathBuf {
    File::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The snapshot is for other validators: `interop/drivers/npm_ajv.cjs` reads it.
#[test]
fn schema_and_check_agree_on_the_cases_of_this_project() {
    let compared = compare_cases(&folder("vectors/schema"));
    let lines: Vec<String> = compared.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    insta::assert_snapshot!("pairs", lines.join("\n"));
}

/// Real documents are not part of the project: they are read where they lie beside it.
#[test]
fn schema_and_check_agree_on_real_documents() {
    let around = File::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    if let Some(folder) = around.map(|place| place.join("shared/schema/give")).find(|folder| folder.exists())
    {
        compare_cases(&folder);
    }
}

/// The default of a field that is switched off does not count, and what hangs on it is switched with it.
#[test]
fn schema_and_check_agree_on_chains_of_defaults() {
    let rule = |name: &str, field: &str, symbol: &str| {
        format!(
            "<rule name='{name}' value='true'><depend-group><depend-express fieldId='{field}' value='1' symbol='{symbol}'/>\
            </depend-group></rule>"
        )
    };
    let field = |id: &str, rules: &str, default: &str| {
        format!("<field id='{id}' type='input'><rules>{rules}</rules>{default}</field>")
    };
    let default = "<default-value>1</default-value>";
    for (first, last) in
        [("==", "=="), ("==", "!="), ("!=", "=="), ("!=", "!="), ("is null", "=="), ("is null", "!=")]
    {
        let form = [
            field("a", "", ""),
            field("b", &rule("disableRule", "a", first), default),
            field("c", &rule("disableRule", "b", last), default),
            field("d", &rule("requiredRule", "c", last), ""),
        ];
        let pair = Pair::new(&format!("<r>{}</r>", form.concat()));
        assert_eq!(pair.written.beyond, []);
        let mut outcomes = std::collections::BTreeSet::new();
        for choice in 0..3_usize.pow(4) {
            let mut product = Values::new();
            for (place, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
                if let Some(text) = ["1", "2"].get(choice / 3_usize.pow(u32::try_from(place).unwrap()) % 3) {
                    product.insert(id.to_owned(), sesame_schema::Value::from(*text));
                }
            }
            outcomes.insert(pair.compare(&product).unwrap().unwrap());
        }
        assert_eq!(outcomes.len(), 2);
    }
}

#[test]
fn a_schema_says_what_it_says_and_what_it_does_not() {
    let xml = std::fs::read_to_string(folder("vectors/schema/docs/lamp.rule.xml")).unwrap();
    let mut written = json_schema(&read(&xml).unwrap());
    insta::assert_json_snapshot!("beyond", written.beyond);
    // One field of each sort.
    let properties = written.schema["properties"].as_object_mut().unwrap();
    properties.retain(|id, _| ["title", "kind", "height", "rows", "twin"].contains(&id.as_str()));
    // As text: another crate may make serde_json keep numbers as written.
    insta::assert_snapshot!("lamp", serde_json::to_string_pretty(&written.schema).unwrap());
}

const NUMBERS: [&str; 22] = [
    "0",
    "-0",
    "00.50",
    "0.5",
    ".5",
    "0.51",
    "0.499",
    "7",
    "+7.0",
    "10",
    "9.99",
    "-3",
    "-2.9",
    "-3.01",
    "100",
    "99",
    "5.",
    "1e2",
    " 7 ",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
];
const TEXTS: [&str; 16] = [
    "",
    " ",
    "a",
    "b",
    "ab",
    "abc",
    "a-b",
    "a.b",
    "é",
    "中文字",
    "😀",
    "2024-02-29",
    "2023-02-29",
    "2024-02-29 23:59:59",
    "https://a.example/1.jpg",
    "//x y",
];
const EXPRESSIONS: [&str; 12] = [
    "[a-c]+",
    "\\d{1,2}(\\.\\d)?",
    "a|ab",
    "[^a-c]+",
    "\\w+",
    "[\\w.-]+",
    ".*",
    "(?!a)\\S+",
    "a++b",
    "\\Qa.b\\E",
    "[\\u4e00-\\u9fa5]+",
    "(a)\\1",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(&NUMBERS[..]), prop::sample::select(&TEXTS[..])].prop_map(str::to_owned)
}

/// A condition on one of the fields of the group, or of the group around it.
fn condition() -> impl Strategy<Value = String> {
    let symbols = [
        "==",
        "!=",
        "contains",
        "not contains",
        ">",
        "<",
        ">=",
        "<=",
        "is null",
        "this field's value in fieldOptions",
        "this field's value not in fieldOptions",
        "~",
    ];
    let one = (
        "[a-gx]",
        prop::sample::select(vec!["a", "b", "7", " 7 ", "0.5", "", "1e0"]),
        prop::sample::select(symbols.to_vec()),
    )
        .prop_map(|(id, value, symbol)| {
            let symbol = symbol.replace('<', "&lt;");
            format!("<depend-express fieldId=\"{id}\" value=\"{value}\" symbol=\"{symbol}\"/>")
        });
    let group = (prop::sample::select(vec!["and", "or", "nor"]), prop::collection::vec(one, 0..3));
    let group = group.prop_map(|(operator, parts)| {
        format!("<depend-group operator='{operator}'>{}</depend-group>", parts.concat())
    });
    prop_oneof![4 => Just(String::new()), 3 => group]
}

fn rule() -> impl Strategy<Value = String> {
    let limits = vec!["0", "1", "2", "3", "0.5", "-3", "7", "10", "0.05", "99.99", "-2.5", "x", "1e2"];
    let limit = prop::sample::select(limits).prop_map(str::to_owned).boxed();
    let names = [
        "minLengthRule",
        "maxLengthRule",
        "minValueRule",
        "maxValueRule",
        "minInputNumRule",
        "maxInputNumRule",
        "minDecimalDigitsRule",
        "maxDecimalDigitsRule",
    ];
    let limited = (prop::sample::select(names.to_vec()), limit);
    let of = |name: &'static str, values: Vec<&'static str>| {
        prop::sample::select(values).prop_map(move |value| (name, value.to_owned()))
    };
    let rule = prop_oneof![
        3 => of("requiredRule", vec!["true"]),
        3 => of("disableRule", vec!["true", "false"]),
        8 => limited,
        3 => of("valueTypeRule", vec!["integer", "decimal", "double", "text", "url", "date", "time"]),
        2 => of("regexRule", EXPRESSIONS.to_vec()),
        1 => of("valueAttributeRule", vec!["img", "inputValue"]),
        1 => of("readOnlyRule", vec!["true"]),
    ];
    (rule, prop::bool::ANY, condition()).prop_map(|((name, value), is_open, condition)| {
        let bound = if is_open { "not include" } else { "include" };
        format!("<rule name='{name}' value='{value}' exProperty='{bound}'>{condition}</rule>")
    })
}

fn field(id: &'static str, depth: usize) -> BoxedStrategy<String> {
    let kinds: &[&str] = if depth == 0 {
        &["input", "multiInput", "singleCheck", "multiCheck", "label"]
    } else {
        &["complex", "multiComplex"]
    };
    let option =
        (prop::sample::select(vec!["a", "b", "7", "-5"]), condition()).prop_map(|(value, condition)| {
            format!("<option displayName='n' value='{value}'>{condition}</option>")
        });
    let rules = prop::collection::vec(rule(), 0..4);
    let inside =
        if depth == 0 { Just(String::new()).boxed() } else { fields(["a", "b", "f"], depth - 1).boxed() };
    (prop::sample::select(kinds), rules, prop::collection::vec(option, 0..4), prop::option::weighted(0.3, text()), inside)
        .prop_map(move |(kind, rules, options, default, inside)| {
            let default = match (kind, default) {
                ("complex" | "multiComplex" | "label", _) | (_, None) => String::new(),
                ("multiInput" | "multiCheck", Some(text)) => format!("<default-values><default-value>{text}</default-value></default-values>"),
                (_, Some(text)) => format!("<default-value>{text}</default-value>"),
            };
            let fields = if inside.is_empty() { String::new() } else { format!("<fields>{inside}</fields>") };
            format!("<field id='{id}' type='{kind}'><rules>{}</rules><options>{}</options>{default}{fields}</field>", rules.concat(), options.concat())
        })
        .boxed()
}

/// Fields of a group; the last one is a group itself.
fn fields(ids: [&'static str; 3], depth: usize) -> impl Strategy<Value = String> {
    (field(ids[0], 0), field(ids[1], 0), field(ids[2], depth)).prop_map(|(a, b, c)| a + &b + &c)
}

fn value(depth: u32) -> BoxedStrategy<Json> {
    let attributed =
        (text(), prop::sample::select(vec!["img", "inputValue"]), prop::sample::select(vec!["", "x"]))
            .prop_map(
                |(text, name, attribute)| serde_json::json!({"$value": text, "$attrs": {name: attribute}}),
            );
    let one = prop_oneof![6 => text().prop_map(Json::from), 1 => attributed].boxed();
    let list = prop::collection::vec(one.clone(), 0..4).prop_map(Json::from);
    if depth == 0 {
        return prop_oneof![4 => one, 2 => list].boxed();
    }
    let group = (
        prop::option::of(value(0)),
        prop::option::of(value(0)),
        prop::option::weighted(0.4, value(depth - 1)),
        prop::option::weighted(0.1, text()),
    )
        .prop_map(|(a, b, f, other)| {
            let members = [("a", a), ("b", b), ("f", f), ("nope", other.map(Json::from))];
            Json::Object(
                members.into_iter().filter_map(|(id, value)| Some((id.to_owned(), value?))).collect(),
            )
        })
        .boxed();
    let rows = prop::collection::vec(group.clone(), 0..3).prop_map(Json::from);
    prop_oneof![4 => group, 4 => rows, 1 => one, 1 => list].boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn schema_and_check_agree_on_any_form(
        form in (fields(["a", "b", "c"], 0), fields(["d", "e", "g"], 2)).prop_map(|(one, other)| format!("<r>{one}{other}</r>")),
        products in prop::collection::vec(prop::collection::vec(prop::option::of(value(0)), 5).prop_flat_map(|flat| (Just(flat), prop::option::of(value(2)))), 4),
    ) {
        let pair = Pair::new(&form);
        for (flat, group) in products {
            let members = ["a", "b", "c", "d", "e"].into_iter().zip(flat).chain([("g", group)]);
            let json = Json::Object(members.filter_map(|(id, value)| Some((id.to_owned(), value?))).collect());
            let mut product = values(&json);
            pair.agrees(&product);
            // Without what is wrong, one by one, it becomes one that fits.
            while let Some(Step::Field(id)) =
                check(&pair.form, &product, Dialect::ITEM_PARAM).errors().find_map(|found| found.path.0.first().cloned())
                && product.shift_remove(&id).is_some()
            {
                pair.agrees(&product);
            }
        }
    }
}
