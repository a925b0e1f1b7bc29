//! The encodings in which Windows and spreadsheets write text, as a stream of UTF-8.

use std::io::{self, Read};

/// How much UTF-16 is read at a time.
const CHUNK: usize = 8 << 10;

/// Reads text that begins with a byte order mark: without it, and UTF-16 as UTF-8. Bytes without one
/// come as they are. Half a character becomes U+FFFD.
pub(crate) struct Utf8<R> {
    input: R,
    form: Form,
    /// Bytes of UTF-16 that are no whole character yet.
    rest: Vec<u8>,
    /// What is ready, and how much of it was taken.
    ready: Vec<u8>,
    taken: usize,
}

#[derive(Clone, Copy)]
enum Form {
    /// Nothing was read yet.
    Unknown,
    AsItIs,
    Utf16(fn([u8; 2]) -> u16),
}

impl<R: Read> Utf8<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, form: Form::Unknown, rest: Vec::new(), ready: Vec::new(), taken: 0 }
    }

    fn look(&mut self) -> io::Result<Form> {
        let mut head = Vec::new();
        (&mut self.input).take(3).read_to_end(&mut head)?;
        Ok(match head.as_slice() {
            [0xff, 0xfe, rest @ ..] => {
                self.rest.extend_from_slice(rest);
                Form::Utf16(u16::from_le_bytes)
            }
            [0xfe, 0xff, rest @ ..] => {
                self.rest.extend_from_slice(rest);
                Form::Utf16(u16::from_be_bytes)
            }
            [0xef, 0xbb, 0xbf] => Form::AsItIs,
            _ => {
                self.ready = head;
                Form::AsItIs
            }
        })
    }

    /// Makes the next characters ready; none at the end of the input.
    fn decode(&mut self, unit: fn([u8; 2]) -> u16) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        while self.ready.is_empty() {
            let before = self.rest.len();
            self.rest.resize(before + CHUNK, 0);
            let read = self.input.read(&mut self.rest[before..]);
            self.rest.truncate(before + read.as_ref().map_or(0, |read| *read));
            let is_end = read? == 0;
            if is_end && self.rest.is_empty() {
                return Ok(());
            }
            let mut units: Vec<u16> =
                self.rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            // The first half of a pair waits for the second one.
            let waits = !is_end && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
            units.truncate(units.len() - usize::from(waits));
            self.rest.drain(..2 * units.len());
            let mut text: String =
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            if is_end && !self.rest.is_empty() {
                self.rest.clear();
                text.push(char::REPLACEMENT_CHARACTER);
            }
            self.ready = text.into_bytes();
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if matches!(self.form, Form::Unknown) {
            self.form = self.look()?;
        }
        if self.taken == self.ready.len() {
            match self.form {
                Form::Utf16(unit) => self.decode(unit)?,
                Form::AsItIs | Form::Unknown => return self.input.read(buffer),
            }
        }
        let ready = &self.ready[self.taken..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    fn read(bytes: &[u8], at_a_time: usize) -> Vec<u8> {
        let mut text = Vec::new();
        Utf8::new(Drops(bytes, at_a_time)).read_to_end(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_any_form(text in ".{0,80}", at_a_time in 1..9_usize) {
            let marked = format!("\u{feff}{text}");
            let utf_16 = |bytes: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            for bytes in [utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes), marked.clone().into_bytes()] {
                prop_assert_eq!(read(&bytes, at_a_time), text.as_bytes());
            }
            if !text.starts_with('\u{feff}') {
                prop_assert_eq!(read(text.as_bytes(), at_a_time), text.as_bytes());
            }
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80), at_a_time in 1..9_usize) {
            for mark in [&b"\xff\xfe"[..], b"\xfe\xff"] {
                let text = read(&[mark, &bytes].concat(), at_a_time);
                prop_assert!(std::str::from_utf8(&text).is_ok());
            }
        }
    }

    #[test]
    fn half_a_character_is_shown_as_one_that_is_missing() {
        assert_eq!(read(b"\xff\xfea\0\x3d\xd8", 1), "a\u{fffd}".as_bytes());
        assert_eq!(read(b"\xff\xfea\0b", 1), "a\u{fffd}".as_bytes());
    }
}
