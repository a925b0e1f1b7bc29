//! Interfaces.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{Kind, Object, comment};

pub(super) fn write(objects: &[Object]) -> String {
    let mut out = "// Written by `sesame codegen typescript`.\n".to_owned();
    for object in objects {
        out.push('\n');
        write_comment(&mut out, "", &object.about);
        let _ = writeln!(out, "export interface {} {{", object.name);
        for member in &object.members {
            write_comment(&mut out, "  ", member.note.as_deref().unwrap_or_default());
            let optional = if object.is_reply || !member.required { "?" } else { "" };
            let nullable = if object.is_reply { " | null" } else { "" };
            let _ = writeln!(
                out,
                "  {}{optional}: {}{nullable};",
                Json::from(member.name.as_str()),
                kind(&member.kind, object.is_reply)
            );
        }
        out.push_str("}\n");
    }
    out
}

fn write_comment(out: &mut String, indent: &str, text: &str) {
    let lines: Vec<String> = comment(text).collect();
    if !lines.is_empty() {
        let _ = writeln!(out, "{indent}/** {} */", lines.join(&format!("\n{indent} * ")));
    }
}

/// Platforms send many a number as text.
fn kind(of: &Kind, is_reply: bool) -> String {
    match of {
        Kind::Integer | Kind::Number if !is_reply => "number".to_owned(),
        Kind::Integer | Kind::Number | Kind::Decimal => "number | string".to_owned(),
        Kind::Text => "string".to_owned(),
        Kind::Boolean if is_reply => "boolean | string".to_owned(),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Any => "unknown".to_owned(),
        Kind::Object(name) => name.clone(),
        Kind::List(one) => format!("Array<{}>", kind(one, is_reply)),
    }
}
