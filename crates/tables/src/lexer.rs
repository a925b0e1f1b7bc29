//! The words of a dump of MySQL, one after another, whatever the length of its lines.

use std::io::{self, BufRead};

use zeroize::Zeroizing;

use crate::LONGEST_VALUE;

/// The longest word or name that is kept; longer ones mean nothing here.
const LONGEST_WORD: usize = 256;

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword, a bare name or a number.
    Word(String),
    /// A name in backquotes.
    Name(String),
    /// A text in quotes, unescaped.
    Text { bytes: Zeroizing<Vec<u8>>, is_double: bool, is_too_long: bool, is_closed: bool },
    /// Any other byte.
    Mark(u8),
    /// The end of the file.
    End,
}

pub(crate) struct Lexer<R> {
    input: R,
    line: u64,
    zone: Option<String>,
    /// The mode of the session is NO_BACKSLASH_ESCAPES.
    has_no_escapes: bool,
    /// What the file ended inside of, and the line in which that began.
    open: Option<(&'static str, u64)>,
}

impl<R: BufRead> Lexer<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, line: 1, zone: None, has_no_escapes: false, open: None }
    }

    /// The zone that the dump has set for its session, as it is written there; nothing while that is
    /// the server's own.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.zone.as_deref().filter(|zone| !zone.eq_ignore_ascii_case("SYSTEM"))
    }

    /// The line of what comes next.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// What the file ended inside of, and the line in which that began.
    pub(crate) fn open(&self) -> Option<(&'static str, u64)> {
        self.open
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.input.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    pub(crate) fn next(&mut self) -> io::Result<Token> {
        loop {
            let Some(byte) = self.take()? else { return Ok(Token::End) };
            match byte {
                b'#' => self.skip_line()?,
                b'-' if self.peek()? == Some(b'-') => {
                    self.take()?;
                    // `--` begins a comment only before a space: 5--3 is arithmetic.
                    if self.peek()?.is_none_or(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
                        self.skip_line()?;
                    } else {
                        return Ok(Token::Mark(b'-'));
                    }
                }
                b'/' if self.peek()? == Some(b'*') => self.skip_comment()?,
                b'\'' | b'"' => return self.text(byte),
                b'`' => return self.name(),
                byte if is_word(byte) => return self.word(byte),
                byte if byte.is_ascii_whitespace() => {}
                byte => return Ok(Token::Mark(byte)),
            }
        }
    }

    /// Skips to the end of the line.
    pub(crate) fn skip_line(&mut self) -> io::Result<()> {
        while self.take()?.is_some_and(|byte| byte != b'\n') {}
        Ok(())
    }

    /// Returns the rest of the line, of which only the first bytes are kept.
    pub(crate) fn rest_of_line(&mut self) -> io::Result<Option<String>> {
        let mut text = Vec::new();
        if self.peek()?.is_none() {
            return Ok(None);
        }
        while let Some(byte) = self.take()?.filter(|byte| *byte != b'\n') {
            if text.len() < LONGEST_WORD {
                text.push(byte);
            }
        }
        Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()))
    }

    /// Conditional comments (`/*!40101 .. */`) hold settings, views and triggers, never rows. Of the
    /// settings one matters, and it is short: only the beginning is kept.
    fn skip_comment(&mut self) -> io::Result<()> {
        self.take()?;
        let line = self.line;
        let mut head = Vec::new();
        let mut before = 0;
        loop {
            let Some(byte) = self.take()? else {
                self.open = Some(("a comment", line));
                break;
            };
            if before == b'*' && byte == b'/' {
                break;
            }
            if head.len() < LONGEST_WORD {
                head.push(byte);
            }
            before = byte;
        }
        let Some(text) = head.strip_prefix(b"!") else { return Ok(()) };
        // The version from which on it counts.
        let version = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = &text[version..];
        let mut inner =
            Lexer { zone: self.zone.take(), has_no_escapes: self.has_no_escapes, ..Lexer::new(text) };
        if matches!(inner.next()?, Token::Word(word) if word.eq_ignore_ascii_case("SET")) {
            inner.read_set()?;
        }
        self.zone = inner.zone;
        self.has_no_escapes = inner.has_no_escapes;
        Ok(())
    }

    /// Reads what follows SET, up to the end of the statement, and keeps the zone and whether texts
    /// have escapes, if it sets those.
    pub(crate) fn read_set(&mut self) -> io::Result<()> {
        let (mut sets_zone, mut sets_mode) = (false, false);
        loop {
            match self.next()? {
                Token::End | Token::Mark(b';') => return Ok(()),
                Token::Word(word) if is_variable(&word, "time_zone") => sets_zone = true,
                Token::Word(word) if is_variable(&word, "sql_mode") => sets_mode = true,
                Token::Mark(b',') => (sets_zone, sets_mode) = (false, false),
                Token::Mark(_) => {}
                value if sets_mode => {
                    self.has_no_escapes = match value {
                        Token::Text { bytes, .. } => {
                            let modes = String::from_utf8_lossy(&bytes).to_ascii_uppercase();
                            modes.split(',').any(|mode| mode.trim() == "NO_BACKSLASH_ESCAPES")
                        }
                        Token::Word(word) => word.eq_ignore_ascii_case("NO_BACKSLASH_ESCAPES"),
                        _ => false,
                    };
                }
                value if sets_zone => {
                    self.zone = match value {
                        Token::Text { bytes, .. } => Some(String::from_utf8_lossy(&bytes).into_owned()),
                        // A variable: what it was before.
                        _ => None,
                    };
                }
                _ => {}
            }
        }
    }

    fn word(&mut self, first: u8) -> io::Result<Token> {
        let mut word = vec![first];
        while let Some(byte) = self.peek()?.filter(|byte| is_word(*byte)) {
            self.take()?;
            // A long one is hexadecimal, which may be a value.
            if word.len() < 2 * LONGEST_VALUE + 2 {
                word.push(byte);
            }
        }
        Ok(Token::Word(String::from_utf8_lossy(&word).into_owned()))
    }

    fn name(&mut self) -> io::Result<Token> {
        let line = self.line;
        let mut name = Vec::new();
        loop {
            let Some(byte) = self.take()? else {
                self.open = Some(("a name in backquotes", line));
                break;
            };
            if byte == b'`' {
                if self.peek()? != Some(b'`') {
                    break;
                }
                self.take()?;
            }
            if name.len() < LONGEST_WORD {
                name.push(byte);
            }
        }
        Ok(Token::Name(String::from_utf8_lossy(&name).into_owned()))
    }

    fn text(&mut self, quote: u8) -> io::Result<Token> {
        // Grown by hand: what a vector leaves behind when it grows is not wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        let (mut is_too_long, mut is_closed) = (false, false);
        let line = self.line;
        while let Some(byte) = self.take()? {
            let byte = if byte == quote {
                if self.peek()? != Some(quote) {
                    is_closed = true;
                    break;
                }
                self.take()?;
                quote
            } else if byte == b'\\' && !self.has_no_escapes {
                match self.take()? {
                    None => break,
                    Some(b'0') => 0,
                    Some(b'b') => 8,
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(b'Z') => 26,
                    Some(other) => other,
                }
            } else {
                byte
            };
            if bytes.len() >= LONGEST_VALUE {
                is_too_long = true;
                continue;
            }
            if bytes.len() == bytes.capacity() {
                let mut longer = Zeroizing::new(Vec::with_capacity(4 * bytes.len()));
                longer.extend_from_slice(&bytes);
                bytes = longer;
            }
            bytes.push(byte);
        }
        if !is_closed {
            self.open = Some(("a text", line));
        }
        Ok(Token::Text { bytes, is_double: quote == b'"', is_too_long, is_closed })
    }
}

/// `TIME_ZONE`, `@@session.time_zone`.
fn is_variable(word: &str, variable: &str) -> bool {
    let word = word.strip_prefix("@@").unwrap_or(word).to_ascii_lowercase();
    let name = word.strip_prefix("session.").or_else(|| word.strip_prefix("local.")).unwrap_or(&word);
    name == variable
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'@') || byte >= 0x80
}
