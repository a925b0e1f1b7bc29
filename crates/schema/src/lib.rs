#![doc = include_str!("../README.md")]

mod check;
mod dialect;
mod error;
mod finding;
mod form;
mod number;
mod pattern;
mod read;
mod refusal;
mod rules;
mod tree;
mod value;
mod write;
mod xml;

pub use self::{
    check::{Report, check, disabled},
    dialect::{Bytes, Dialect},
    error::{Code, ReadError},
    finding::{Finding, Path, Severity, Step},
    form::{
        Attributes, Choice, Comparison, Field, Fields, Form, Group, Kind, Label, Operator, Part, Rule, Symbol,
    },
    read::{MAX_BYTES, MAX_DEPTH, read},
    refusal::refused,
    value::{Text, Value, Values, values_from_json},
    write::write,
};
