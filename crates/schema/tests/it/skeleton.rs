//! Skeletons of a form with every shape.

use sesame_schema::{Extent, Form, read, skeleton, values_from_json, without_comments};
use std::path::Path;

fn form(name: &str) -> Form {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/schema/docs").join(name);
    read(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_minimal_skeleton_has_what_may_be_required() {
    insta::assert_snapshot!(skeleton(&form("lamp.rule.xml"), Extent::Minimal));
}

#[test]
fn a_full_skeleton_has_all_fields_with_options_limits_and_tips() {
    insta::assert_snapshot!(skeleton(&form("i-mug.schema.xml"), Extent::Full));
}

#[test]
fn skeletons_are_json_without_their_comments() {
    for name in ["lamp.rule.xml", "i-mug.schema.xml", "lamp.param.xml"] {
        for extent in [Extent::Minimal, Extent::Full] {
            values_from_json(&without_comments(&skeleton(&form(name), extent))).unwrap();
        }
    }
    let odd = read(
        "<r><field id='a\u{1}\\' type='input'><rules><rule name='valueAttributeRule' value='b\u{1}\"'/></rules></field></r>",
    );
    values_from_json(&without_comments(&skeleton(&odd.unwrap(), Extent::Full))).unwrap();
    let text = "{ // one \"\n \"a//\\\"b\": \"/* c */\", /* d\n */ \"e\": [1, // f\n ], }";
    assert_eq!(without_comments(text), "{ \n \"a//\\\"b\": \"/* c */\", \n \"e\": [1 \n ] }");
}
