//! Types for the arguments and the reply of chosen APIs, in a programming language.

mod names;
mod python;
mod rust;
mod typescript;

use std::fmt::Write as _;

use sesame_catalog::{Api, Param, Type};

use crate::types::as_param;
use names::{Names, pascal};

/// A language that types are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Structs for serde.
    Rust,
    /// Interfaces.
    TypeScript,
    /// `TypedDict`s, Python 3.11.
    Python,
}

/// Deeper members are any JSON.
const DEEPEST: usize = 16;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    /// A number that keeps its digits as text.
    Decimal,
    Boolean,
    /// Any JSON.
    Any,
    /// A struct, by its name.
    Object(String),
    List(Box<Kind>),
}

/// A struct.
#[derive(Debug)]
struct Object {
    name: String,
    about: String,
    /// A part of a reply: nothing of it is sure to be there.
    is_reply: bool,
    members: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// As it is sent.
    name: String,
    kind: Kind,
    required: bool,
    note: Option<String>,
}

/// Writes the types of these APIs as one file.
pub fn generate(language: Language, apis: &[Api]) -> String {
    let mut model = Model { names: Names::default(), objects: Vec::new() };
    for api in apis {
        let base = pascal(&api.name);
        let title = api.title.as_deref().unwrap_or_default();
        let of = |what: &str| format!("{what} of `{}` on {}: {title}", api.name, api.platform);
        // Files are attached to a call; they are not among its values.
        let callers: Vec<&Param> = api.callers().filter(|param| param.kind != Type::Bytes).collect();
        model.object(&format!("{base}Arguments"), &of("The arguments"), false, callers, 1);
        let fields: Vec<Param> = api.response.iter().map(as_param).collect();
        model.object(&format!("{base}Reply"), &of("The payload"), true, fields.iter().collect(), 1);
    }
    match language {
        Language::Rust => rust::write(&model.objects),
        Language::TypeScript => typescript::write(&model.objects),
        Language::Python => python::write(&model.objects),
    }
}

struct Model {
    names: Names,
    /// Inner ones first.
    objects: Vec<Object>,
}

impl Model {
    fn object(
        &mut self,
        name: &str,
        about: &str,
        is_reply: bool,
        members: Vec<&Param>,
        depth: usize,
    ) -> String {
        let name = self.names.unique(name);
        let mut out: Vec<Entry> = Vec::with_capacity(members.len());
        for param in members {
            // Documents list some twice.
            if param.name.is_empty() || out.iter().any(|known| known.name == param.name) {
                continue;
            }
            out.push(Entry {
                kind: self.kind(&name, param, is_reply, depth),
                name: param.name.clone(),
                required: param.required == Some(true),
                note: param.note.clone(),
            });
        }
        self.objects.push(Object {
            name: name.clone(),
            about: about.trim().to_owned(),
            is_reply,
            members: out,
        });
        name
    }

    fn kind(&mut self, above: &str, param: &Param, is_reply: bool, depth: usize) -> Kind {
        let one = match param.kind {
            // A reply has JSON and XML as text; arguments may have their layout.
            Type::Json if is_reply => Kind::Text,
            Type::String | Type::Date | Type::Xml | Type::Bytes => Kind::Text,
            Type::Integer => Kind::Integer,
            Type::Number => Kind::Number,
            Type::Decimal => Kind::Decimal,
            Type::Boolean => Kind::Boolean,
            Type::Object | Type::Json if param.children.is_empty() || depth >= DEEPEST => Kind::Any,
            Type::Object | Type::Json => {
                let name = format!("{above}{}", pascal(&param.name));
                let about = format!("`{}` of [`{above}`].", param.name);
                Kind::Object(self.object(&name, &about, is_reply, param.children.iter().collect(), depth + 1))
            }
        };
        if param.list { Kind::List(Box::new(one)) } else { one }
    }
}

/// Writes a text as lines of comment.
fn comments(out: &mut String, before: &str, text: &str) {
    for line in comment(text) {
        let _ = writeln!(out, "{before}{line}");
    }
}

/// The lines of a text, without what would end a comment.
fn comment(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| line.replace("*/", "* /").trim().to_owned()).filter(|line| !line.is_empty())
}
