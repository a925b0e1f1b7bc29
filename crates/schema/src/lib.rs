#![doc = include_str!("../README.md")]

mod check;
mod dialect;
mod error;
mod finding;
mod form;
mod json_schema;
mod number;
mod patch;
mod pattern;
#[cfg(feature = "json-schema")]
mod product_schema;
mod read;
mod refusal;
mod rules;
mod skeleton;
mod tree;
mod value;
mod write;
mod xml;

#[cfg(feature = "json-schema")]
pub use self::product_schema::{ProductSchema, ProductSchemaError};
pub use self::{
    check::{Report, check, disabled},
    dialect::{Bytes, Dialect},
    error::{Code, ReadError},
    finding::{Finding, Path, Severity, Step},
    form::{
        Attributes, Choice, Comparison, Field, Fields, Form, Group, Kind, Label, Operator, Part, Rule, Symbol,
    },
    json_schema::{Beyond, JsonSchema, json_schema},
    patch::{changed, patch},
    read::{MAX_BYTES, MAX_DEPTH, read},
    refusal::refused,
    skeleton::{Extent, skeleton, without_comments},
    value::{Text, Value, Values, values_from_json},
    write::write,
};
