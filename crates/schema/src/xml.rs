//! The tokens of a document: elements known by their local names, with decoded attributes and texts.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
};

use crate::{ReadError, form::Attributes};

/// How deep elements nest: a level of fields takes three or four.
const DEEPEST: usize = 256;

/// Names of attributes that come again and again.
const KNOWN: [&str; 16] = [
    "id",
    "name",
    "type",
    "value",
    "unit",
    "exProperty",
    "url",
    "desc",
    "displayName",
    "fieldId",
    "symbol",
    "operator",
    "key",
    "fileId",
    "inputValue",
    "readonly",
];

/// A token.
pub(crate) enum Token {
    /// An element begins.
    Open(Element),
    /// The element that began last ends.
    Close,
    /// Text between elements.
    Text(String),
    /// The document ends.
    End,
}

/// An element's name without its prefix, and its attributes.
#[derive(Default)]
pub(crate) struct Element {
    pub(crate) name: Cow<'static, str>,
    pub(crate) attributes: Attributes,
    /// Where it begins.
    pub(crate) at: usize,
}

impl Element {
    /// Takes an attribute out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.attributes.iter().position(|(known, _)| known == name)?;
        Some(self.attributes.remove(at).1)
    }
}

/// Names of elements that come again and again.
const ELEMENTS: [&str; 21] = [
    "field",
    "fields",
    "rules",
    "rule",
    "options",
    "option",
    "value",
    "values",
    "complex-value",
    "complex-values",
    "default-value",
    "default-values",
    "default-complex-value",
    "default-complex-values",
    "depend-group",
    "depend-express",
    "properties",
    "property",
    "label-group",
    "label",
    "itemSchema",
];

fn known(names: &[&'static str], name: &str) -> Cow<'static, str> {
    match names.iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(*known),
        None => Cow::Owned(name.to_owned()),
    }
}

/// Reads the tokens of a text.
pub(crate) struct Tokens<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    depth: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, text, depth: 0 }
    }

    /// Returns the next token.
    pub(crate) fn next(&mut self) -> Result<Token, ReadError> {
        loop {
            let at = self.position();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    let at = usize::try_from(self.reader.error_position()).unwrap_or(at);
                    return Err(self.error(at, error.to_string()));
                }
            };
            match event {
                Event::Start(element) => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(self.error(at, format!("more than {DEEPEST} elements inside each other")));
                    }
                    return self.element(&element, at).map(Token::Open);
                }
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(Token::Close);
                }
                Event::Text(text) => return Ok(Token::Text(text.as_ref().to_owned())),
                Event::CData(text) => return Ok(Token::Text(text.as_ref().to_owned())),
                Event::GeneralRef(name) => return self.entity(&name, at).map(Token::Text),
                Event::DocType(_) => {
                    return Err(self.error(at, "a document type declaration is not allowed".to_owned()));
                }
                Event::Eof if self.depth > 0 => {
                    return Err(self.error(at, "the document ends inside an element".to_owned()));
                }
                Event::Eof => return Ok(Token::End),
                _ => {}
            }
        }
    }

    /// Returns the text of the element that began last, up to its end; elements inside are left out.
    pub(crate) fn text(&mut self) -> Result<String, ReadError> {
        let mut all = String::new();
        loop {
            match self.next()? {
                Token::Text(text) if all.is_empty() => all = text,
                Token::Text(text) => all.push_str(&text),
                Token::Open(_) => self.skip()?,
                Token::Close | Token::End => return Ok(all),
            }
        }
    }

    /// Goes past the end of the element that began last.
    pub(crate) fn skip(&mut self) -> Result<(), ReadError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }

    /// Visits the elements inside the one that began last. `visit` reads each to its end.
    pub(crate) fn children(
        &mut self,
        mut visit: impl FnMut(&mut Self, Element) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        loop {
            match self.next()? {
                Token::Open(element) => visit(self, element)?,
                Token::Text(_) => {}
                Token::Close | Token::End => return Ok(()),
            }
        }
    }

    pub(crate) fn error(&self, at: usize, message: String) -> ReadError {
        let (line, column) = place(self.text, at);
        ReadError { line, column, field: None, code: None, message }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn element(&self, element: &BytesStart<'_>, at: usize) -> Result<Element, ReadError> {
        let mut attributes = Attributes::new();
        for attribute in element.attributes() {
            let attribute = attribute.map_err(|error| self.error(at, error.to_string()))?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|error| self.error(at, error.to_string()))?;
            let key = attribute.key;
            if key.as_namespace_binding().is_none() {
                attributes.push((known(&KNOWN, key.local_name().as_ref()), value.into_owned()));
            }
        }
        Ok(Element { name: known(&ELEMENTS, element.local_name().as_ref()), attributes, at })
    }

    fn entity(&self, name: &BytesRef<'_>, at: usize) -> Result<String, ReadError> {
        let unknown = || self.error(at, format!("unknown entity &{};", name.as_ref()));
        match name.resolve_char_ref().map_err(|_| unknown())? {
            Some(character) => Ok(character.to_string()),
            None => Ok(resolve_predefined_entity(name).ok_or_else(unknown)?.to_owned()),
        }
    }
}

/// Returns the line and the column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (before.matches('\n').count() + 1, column)
}
