//! The words that documents have for types.

use sesame_catalog::{Field, Param, Type};

/// A type as a document writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) kind: Type,
    pub(crate) list: bool,
    /// The name of a class.
    pub(crate) class: Option<String>,
}

/// Reads a word like `Number`, `String[]`, `OrderLine []`. Any other word is the name of a class.
pub(crate) fn parse(word: &str, has_members: bool) -> Written {
    let word = word.trim();
    let lower = word.to_ascii_lowercase();
    // Bytes are not a list of numbers.
    let (name, list) = match lower.as_str() {
        "byte[]" => (word, false),
        _ => match word.strip_suffix("[]") {
            Some(one) => (one.trim(), true),
            None => (word, false),
        },
    };
    let kind = match name.to_ascii_lowercase().as_str() {
        "string" if has_members => Type::Json,
        "" if has_members => Type::Object,
        "" | "string" | "text" | "char" | "field list" => Type::String,
        "number" | "integer" | "int" | "long" | "short" | "biginteger" => Type::Integer,
        "double" | "float" => Type::Number,
        "price" | "decimal" | "bigdecimal" => Type::Decimal,
        "boolean" | "bool" => Type::Boolean,
        "date" | "datetime" => Type::Date,
        "byte" | "bytes" | "byte[]" | "file" => Type::Bytes,
        "json" => Type::Json,
        "xml" => Type::Xml,
        "object" => Type::Object,
        "map" if !has_members => return Written { kind: Type::Json, list, class: Some(name.to_owned()) },
        _ => return Written { kind: Type::Object, list, class: Some(name.to_owned()) },
    };
    Written { kind, list, class: None }
}

/// Writes a type. The name of a class is kept for objects; other types have one word each.
pub(crate) fn word(kind: Type, list: bool, class: Option<&str>) -> String {
    let word = match kind {
        Type::String => "String",
        Type::Integer => "Number",
        Type::Number => "Double",
        Type::Decimal => "Price",
        Type::Boolean => "Boolean",
        Type::Date => "Date",
        Type::Json => "json",
        Type::Xml => "Xml",
        Type::Bytes => "Byte[]",
        Type::Object => class.filter(|class| parse(class, true).class.is_some()).unwrap_or("Object"),
    };
    if list { format!("{word}[]") } else { word.to_owned() }
}

/// Returns `true` if a document that writes `new` says nothing against `old`, which may be finer: documents
/// write `String` for whatever is sent as text, and `Number` for all numbers.
pub(crate) fn allows(new: Type, old: Type) -> bool {
    match new {
        Type::String => true,
        Type::Integer => matches!(old, Type::Integer | Type::Number | Type::Decimal),
        Type::Number => matches!(old, Type::Number | Type::Decimal),
        Type::Object | Type::Json => matches!(old, Type::Object | Type::Json),
        other => other == old,
    }
}

/// A field as a parameter: types do not tell them apart.
pub(crate) fn as_param(field: &Field) -> Param {
    Param {
        list: field.list,
        children: field.children.iter().map(as_param).collect(),
        vendor_type: field.vendor_type.clone(),
        values: field.example.iter().cloned().collect(),
        note: field.note.clone(),
        ..Param::named(field.name.clone(), field.kind)
    }
}

/// The other way.
pub(crate) fn as_field(param: Param) -> Field {
    Field {
        name: param.name,
        kind: param.kind,
        list: param.list,
        children: param.children.into_iter().map(as_field).collect(),
        vendor_type: param.vendor_type,
        example: param.values.into_iter().next(),
        note: param.note,
    }
}
