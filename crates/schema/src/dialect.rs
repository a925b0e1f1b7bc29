//! What differs between the platforms that share the language.

/// How a platform wants a submission, and how it counts bytes.
///
/// The API decides which one holds, not the user: `tmall.*` and `taobao.item.schema.*` take
/// [`Dialect::ITEM_PARAM`], Alibaba.com takes [`Dialect::ITEM_SCHEMA`], and `alibaba.item.*` of Taobao takes the
/// form of the second with the bytes of the first.
///
/// ```
/// use sesame_schema::{Bytes, Dialect};
/// let taobao = Dialect { bytes: Bytes::OneOrTwo, ..Dialect::ITEM_SCHEMA };
/// assert_eq!(taobao.bytes.count("é中😀"), 1 + 2 + 4);
/// assert_eq!(Bytes::Utf8.count("é中😀"), 2 + 3 + 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The name of the root element.
    pub root: &'static str,
    /// The element around the values of a complex field. Rows stand in `complex-values` in each dialect.
    pub group: &'static str,
    /// How bytes are counted.
    pub bytes: Bytes,
}

impl Dialect {
    /// Root `itemParam`, `complex-values` around a group; a character is one or two bytes.
    pub const ITEM_PARAM: Self = Self { root: "itemParam", group: "complex-values", bytes: Bytes::OneOrTwo };
    /// Root `itemSchema`, `complex-value` around a group; bytes are those of UTF-8, which is a guess.
    pub const ITEM_SCHEMA: Self = Self { root: "itemSchema", group: "complex-value", bytes: Bytes::Utf8 };
}

/// How the bytes of a text are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bytes {
    /// A UTF-16 unit up to U+00FF is one, any other two: 60 bytes are 30 Chinese characters.
    OneOrTwo,
    /// Those of UTF-8.
    Utf8,
}

impl Bytes {
    /// Counts the bytes of a text.
    pub fn count(self, text: &str) -> u64 {
        match self {
            Self::Utf8 => text.len() as u64,
            Self::OneOrTwo => text.encode_utf16().map(|unit| if unit > 0xFF { 2 } else { 1 }).sum(),
        }
    }
}

/// Counts characters as the platforms' Java does: those beyond U+FFFF are two.
pub(crate) fn characters(text: &str) -> u64 {
    text.encode_utf16().count() as u64
}
