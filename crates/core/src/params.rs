//! Flat parameters, in the order they were given.

use bytes::Bytes;

use crate::{Error, Result};

/// The value of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, signed and sent as UTF-8.
    Text(String),
    /// A file: sent as a multipart part, never signed.
    File(File),
}

/// A file that travels as a multipart part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name the platform sees.
    pub file_name: String,
    /// The media type; `application/octet-stream` when not known.
    pub content_type: String,
    /// The bytes.
    pub content: Bytes,
}

impl File {
    /// Creates a file with the media type that its content or its name shows.
    ///
    /// ```
    /// use sesame_core::params::File;
    ///
    /// let photo = File::new("photo.jpg", vec![0xff, 0xd8, 0xff, 0xe0]);
    /// assert_eq!(photo.content_type, "image/jpeg");
    /// ```
    pub fn new(file_name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        let (file_name, content) = (file_name.into(), content.into());
        let content_type = media_type(&file_name, &content).to_owned();
        Self { file_name, content_type, content }
    }
}

/// Tells images apart, which is what these platforms take; anything else is bytes.
fn media_type(name: &str, content: &[u8]) -> &'static str {
    match content {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ if name.to_ascii_lowercase().ends_with(".mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// Flat parameters in the order they were given. A name occurs at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, Value)>,
}

impl Params {
    /// Creates an empty list.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// Adds a text parameter.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) when the name is empty or already there: what
    /// a gateway makes of a doubled name is not documented, so none is ever sent.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) -> Result<()> {
        self.push_value(name.into(), Value::Text(value.into()))
    }

    /// Adds a parameter of any kind.
    ///
    /// # Errors
    /// As [`Params::push`].
    pub fn push_value(&mut self, name: String, value: Value) -> Result<()> {
        if name.is_empty() {
            return Err(Error::usage("a parameter has no name")
                .with_hint("Write NAME=VALUE with a name before the equals sign."));
        }
        if self.get(&name).is_some() {
            return Err(Error::usage(format!("the parameter {name:?} is given twice"))
                .with_hint("Give it once; a list goes into one parameter, as JSON or joined by commas."));
        }
        self.pairs.push((name, value));
        Ok(())
    }

    /// Returns the value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Returns the text of `name`, if it is there and not a file.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            Value::File(_) => None,
        }
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.pairs.iter().position(|(n, _)| n == name)?;
        Some(self.pairs.remove(at).1)
    }

    /// Returns the text parameters as borrowed pairs, which is what the signers take.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().filter_map(|(name, value)| match value {
            Value::Text(text) => Some((name.as_str(), text.as_str())),
            Value::File(_) => None,
        })
    }

    /// Returns the file parameters.
    pub fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.pairs.iter().filter_map(|(name, value)| match value {
            Value::File(file) => Some((name.as_str(), file)),
            Value::Text(_) => None,
        })
    }

    /// Returns all parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the number of parameters.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Returns `true` if a file is among them.
    pub fn has_files(&self) -> bool {
        self.files().next().is_some()
    }
}
