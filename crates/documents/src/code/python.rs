//! `TypedDict`s, in the form that takes any name as a key.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{Kind, Object, comments};

pub(super) fn write(objects: &[Object]) -> String {
    let mut out =
        "# Written by `sesame codegen python`. Needs Python 3.11.\nfrom typing import Any, Required, TypedDict\n".to_owned();
    for object in objects {
        out.push('\n');
        comments(&mut out, "# ", &object.about);
        let _ = writeln!(out, "{0} = TypedDict(\"{0}\", {{", object.name);
        for member in &object.members {
            comments(&mut out, "    # ", member.note.as_deref().unwrap_or_default());
            let kind = kind(&member.kind, object.is_reply);
            let kind = if member.required && !object.is_reply { format!("Required[{kind}]") } else { kind };
            let _ = writeln!(out, "    {}: {kind},", Json::from(member.name.as_str()));
        }
        out.push_str("}, total=False)\n");
    }
    out
}

/// Platforms send many a number as text.
fn kind(of: &Kind, is_reply: bool) -> String {
    match of {
        Kind::Integer => if is_reply { "int | str" } else { "int" }.to_owned(),
        Kind::Number => if is_reply { "float | str" } else { "float" }.to_owned(),
        Kind::Decimal => "float | str".to_owned(),
        Kind::Text => "str".to_owned(),
        Kind::Boolean => if is_reply { "bool | str" } else { "bool" }.to_owned(),
        Kind::Any => "Any".to_owned(),
        Kind::Object(name) => name.clone(),
        Kind::List(one) => format!("list[{}]", kind(one, is_reply)),
    }
}
