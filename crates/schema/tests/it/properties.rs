//! Random products: plain JSON and documents carry the same.

use indexmap::IndexMap;
use proptest::prelude::*;
use sesame_schema::{Bytes, Dialect, Text, Value, Values, read, values_from_json, write};

fn text() -> impl Strategy<Value = Value> {
    let attributes = prop::collection::vec(("(fileId|inputValue|img)", "[ -~é中😀]{0,5}"), 0..3);
    // White space at the ends and line ends in attributes are XML's to change.
    ("[!-~é中😀]([ -~é中😀\n]{0,8}[!-~é中😀])?", attributes).prop_map(|(text, attributes)| {
        let mut made = Text::default();
        made.text = text;
        made.attributes = attributes.into_iter().collect::<IndexMap<_, _>>();
        Value::Text(made)
    })
}

/// Values of a form with each kind of field: a, b texts; c, d lists; e a group of a and c; f rows of a, c and e.
fn values() -> impl Strategy<Value = Values> {
    let pair = |id: &'static str, value: BoxedStrategy<Value>| {
        prop::option::of(value).prop_map(move |value| value.map(|value| (id.to_owned(), value)))
    };
    let list = || prop::collection::vec(text(), 1..4).prop_map(Value::List).boxed();
    let of = |parts: Vec<BoxedStrategy<Option<(String, Value)>>>| {
        parts.prop_map(|parts| parts.into_iter().flatten().collect::<Values>())
    };
    let group = of(vec![pair("a", text().boxed()).boxed(), pair("c", list()).boxed()]);
    let group = group.prop_map(Value::Object).boxed();
    let row = of(vec![
        pair("a", text().boxed()).boxed(),
        pair("c", list()).boxed(),
        pair("e", group.clone()).boxed(),
    ]);
    let rows = prop::collection::vec(row.prop_map(Value::Object), 1..4).prop_map(Value::List).boxed();
    of(vec![
        pair("a", text().boxed()).boxed(),
        pair("b", text().boxed()).boxed(),
        pair("c", list()).boxed(),
        pair("d", list()).boxed(),
        pair("e", group).boxed(),
        pair("f", rows).boxed(),
    ])
}

const FORM: &str = "<itemSchema><field id='a' type='input'/><field id='b' type='singleCheck'/><field id='c' type='multiInput'/>\
    <field id='d' type='multiCheck'/><field id='e' type='complex'><fields><field id='a' type='input'/>\
    <field id='c' type='multiInput'/></fields></field><field id='f' type='multiComplex'><fields>\
    <field id='a' type='input'/><field id='c' type='multiInput'/><field id='e' type='complex'><fields>\
    <field id='a' type='input'/><field id='c' type='multiInput'/></fields></field></fields></field></itemSchema>";

proptest! {
    #[test]
    fn what_is_written_is_read_again(values in values()) {
        let form = read(FORM).unwrap();
        for dialect in [Dialect::ITEM_PARAM, Dialect::ITEM_SCHEMA] {
            let written = write(&form, &values, dialect);
            let again = read(&written).unwrap();
            prop_assert_eq!(&again.findings, &[]);
            prop_assert_eq!(&again.values(), &values);
            // Without its form a submission is written as it was.
            prop_assert_eq!(write(&again, &again.values(), dialect), written);
        }
        let json = serde_json::to_string(&values).unwrap();
        prop_assert_eq!(values_from_json(&json).unwrap(), values);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}", tags in prop::collection::vec(
        "(<field id='a' type='(input|complex|multiComplex)'>|</field>|<fields>|</fields>|<value>|</value>|<complex-value>|\
         </complex-value>|<complex-values>|</complex-values>|<rules>|<rule name='maxLengthRule' value='[0-9x]'/>|</rules>|x)", 0..30)) {
        let _ = read(&text);
        if let Ok(form) = read(&format!("<r>{}</r>", tags.concat())) {
            let values = form.values();
            sesame_schema::check(&form, &values, Dialect::ITEM_PARAM);
            write(&form, &values, Dialect::ITEM_PARAM);
        }
    }

    #[test]
    fn bytes_are_those_of_the_documented_sentence(text in "[a-zé中文😀]{0,40}") {
        let slow: u64 = text.chars().map(|c| match u32::from(c) { 0..=0xFF => 1, 0x100..=0xFFFF => 2, _ => 4 }).sum();
        prop_assert_eq!(Bytes::OneOrTwo.count(&text), slow);
    }
}
