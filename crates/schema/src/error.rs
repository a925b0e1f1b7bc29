//! A document that cannot be read.

use std::fmt;

/// Why a document cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The id of the field, if it has one.
    pub field: Option<String>,
    /// The code that the platforms' own reader has for it.
    pub code: Option<Code>,
    /// What is wrong.
    pub message: String,
}

impl std::error::Error for ReadError {}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if let Some(field) = &self.field {
            write!(f, ", field {field:?}")?;
        }
        write!(f, ": {}", self.message)?;
        self.code.map_or(Ok(()), |code| write!(f, " ({})", code.number()))
    }
}

/// Codes of the official reader. Its Java class prints some of them wrongly; these are the numbers that its
/// list of codes has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// A field without an id.
    FieldId,
    /// A field without a type.
    FieldType,
    /// A field of a type that does not exist.
    UnknownType,
    /// A rule without a name.
    RuleName,
    /// A rule without a value.
    RuleValue,
    /// An option without a name.
    OptionName,
    /// An option without a value.
    OptionValue,
}

impl Code {
    /// Returns its number.
    pub const fn number(self) -> u32 {
        match self {
            Self::FieldId => 30_001,
            Self::FieldType => 30_002,
            Self::UnknownType => 30_003,
            Self::RuleName => 31_001,
            Self::RuleValue => 31_002,
            Self::OptionName => 33_001,
            Self::OptionValue => 33_002,
        }
    }
}
