//! Values of a product: plain JSON, and back without loss.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use serde_json::value::RawValue;

/// Values by the ids of their fields, in their order.
pub type Values = IndexMap<String, Value>;

/// How deep values nest.
const DEEPEST: usize = 64;

/// The value of a field.
///
/// In JSON it is a text, a list or an object; numbers are taken as they are written. A text with attributes is
/// `{"$value": "...", "$attrs": {"fileId": "..."}}`.
///
/// ```
/// use sesame_schema::{Value, values_from_json};
/// let values = values_from_json(r#"{"price": 1.10, "rows": [{"image": {"$value": "u", "$attrs": {"fileId": "7"}}}]}"#)?;
/// assert_eq!(values["price"].text(), Some("1.10"));
/// assert_eq!(
///     serde_json::to_string(&values)?,
///     r#"{"price":"1.10","rows":[{"image":{"$value":"u","$attrs":{"fileId":"7"}}}]}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Text),
    /// Several texts, or rows.
    List(Vec<Value>),
    /// The values of a group of fields.
    Object(Values),
}

/// A text and the attributes of its element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Text {
    /// The text.
    pub text: String,
    /// Attributes such as `fileId` and `inputValue`, in their order.
    pub attributes: IndexMap<String, String>,
}

impl Text {
    /// Returns an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

impl Value {
    /// Returns the text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// Returns `true` if there is more than blanks somewhere in it.
    pub fn is_filled(&self) -> bool {
        match self {
            Self::Text(text) => !is_blank(&text.text),
            Self::List(items) => items.iter().any(Self::is_filled),
            Self::Object(fields) => fields.values().any(Self::is_filled),
        }
    }

    /// Visits all texts in it.
    pub(crate) fn each_text<'a>(&'a self, visit: &mut impl FnMut(&'a Text)) {
        match self {
            Self::Text(text) => visit(text),
            Self::List(items) => items.iter().for_each(|item| item.each_text(visit)),
            Self::Object(fields) => fields.values().for_each(|value| value.each_text(visit)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Text { text: text.to_owned(), attributes: IndexMap::new() })
    }
}

/// Returns `true` if nothing is in a text but blanks and control characters, as the official reader sees it.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c <= ' ')
}

/// Reads the values of a product from JSON.
///
/// # Errors
/// Text that is not JSON, not an object, or deeper than 64 levels; a list inside a list; `$attrs` that are not
/// an object of texts.
pub fn values_from_json(json: &str) -> serde_json::Result<Values> {
    let raw: &RawValue = serde_json::from_str(json)?;
    match read(raw.get(), 0)? {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(de::Error::custom("the values of a product are a JSON object of field ids")),
    }
}

/// Reads a value; `None` for `null`, which is a field that was not filled.
fn read(json: &str, depth: usize) -> serde_json::Result<Option<Value>> {
    if depth > DEEPEST {
        return Err(de::Error::custom(format!("more than {DEEPEST} levels")));
    }
    let value = match json.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b'"') => Value::Text(Text { text: serde_json::from_str(json)?, attributes: IndexMap::new() }),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json)?;
            let items = items.into_iter().filter_map(|item| read(item.get(), depth + 1).transpose());
            let items = items.collect::<serde_json::Result<Vec<_>>>()?;
            if items.iter().any(|item| matches!(item, Value::List(_))) {
                return Err(de::Error::custom("a list inside a list"));
            }
            Value::List(items)
        }
        Some(b'{') => {
            let members: IndexMap<String, &RawValue> = serde_json::from_str(json)?;
            if let Some(text) = members.get("$value") {
                return with_attributes(text, &members, depth).map(Some);
            }
            let mut fields = Values::with_capacity(members.len());
            for (id, member) in members {
                if let Some(value) = read(member.get(), depth + 1)? {
                    fields.insert(id, value);
                }
            }
            Value::Object(fields)
        }
        // Numbers and `true` are taken as they are written.
        _ => Value::from(json),
    };
    Ok(Some(value))
}

fn with_attributes(
    text: &RawValue,
    members: &IndexMap<String, &RawValue>,
    depth: usize,
) -> serde_json::Result<Value> {
    if let Some(other) = members.keys().find(|key| !matches!(key.as_str(), "$value" | "$attrs")) {
        return Err(de::Error::custom(format!("{other:?} beside $value: it takes $attrs alone")));
    }
    let plain = |json: &RawValue| match read(json.get(), depth + 1)? {
        Some(Value::Text(text)) => Ok(text.text),
        None => Ok(String::new()),
        Some(_) => Err(de::Error::custom("$value and the members of $attrs are texts")),
    };
    let attributes: IndexMap<String, &RawValue> = match members.get("$attrs") {
        Some(attributes) => serde_json::from_str(attributes.get())?,
        None => IndexMap::new(),
    };
    let attributes = attributes.into_iter().map(|(name, value)| Ok((name, plain(value)?)));
    Ok(Value::Text(Text { text: plain(text)?, attributes: attributes.collect::<serde_json::Result<_>>()? }))
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) if text.attributes.is_empty() => serializer.serialize_str(&text.text),
            Self::Text(text) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("$value", &text.text)?;
                map.serialize_entry("$attrs", &text.attributes)?;
                map.end()
            }
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => serializer.collect_map(fields),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Box<RawValue> = Box::deserialize(deserializer)?;
        let value = read(raw.get(), 0).map_err(de::Error::custom)?;
        value.ok_or_else(|| de::Error::custom("null is no value: leave the field out"))
    }
}

impl fmt::Display for Value {
    /// Writes it as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
