//! Text files in the encodings that spreadsheets and editors write, as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// How much is looked at to tell UTF-8 from GB18030.
const CHUNK: usize = 64 << 10;

/// The bytes of a text as UTF-8, without a byte order mark, with `\n` at the end of lines.
///
/// UTF-16 is known by its mark or its zeros. Without a mark the first characters that are not ASCII decide
/// between UTF-8 and GB18030.
pub(super) struct Utf8<R> {
    input: R,
    /// What was read and not decoded yet.
    raw: Vec<u8>,
    decoder: Option<Decoder>,
    out: Vec<u8>,
    taken: usize,
    /// Nothing more comes from the input.
    at_end: bool,
    /// The decoder was told so.
    is_over: bool,
    lines: u64,
    /// The last byte was a `\r`.
    after_return: bool,
    /// The bytes that came from the input.
    pub(super) size: u64,
}

impl<R: Read> Utf8<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            raw: Vec::new(),
            decoder: None,
            out: Vec::new(),
            taken: 0,
            at_end: false,
            is_over: false,
            lines: 0,
            after_return: false,
            size: 0,
        }
    }

    /// Reads until there is a whole chunk, or the end.
    fn fill_raw(&mut self) -> io::Result<()> {
        while !self.at_end && self.raw.len() < CHUNK {
            let had = self.raw.len();
            self.raw.resize(CHUNK, 0);
            let count = loop {
                match self.input.read(&mut self.raw[had..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result,
                }
            };
            self.raw.truncate(had + *count.as_ref().unwrap_or(&0));
            let count = count?;
            self.at_end = count == 0;
            self.size += count as u64;
        }
        Ok(())
    }

    /// Decodes some more.
    fn fill(&mut self) -> io::Result<()> {
        let is_begin = self.size == 0;
        self.fill_raw()?;
        if is_begin {
            let (encoding, mark) = marked(&self.raw)?;
            self.raw.drain(..mark);
            self.decoder = encoding.map(Encoding::new_decoder_without_bom_handling);
        }
        self.out.clear();
        self.taken = 0;
        if self.decoder.is_none() {
            let ascii = self.raw.iter().position(|byte| !byte.is_ascii()).unwrap_or(self.raw.len());
            self.out.extend(self.raw.drain(..ascii));
            if self.out.is_empty() && !self.raw.is_empty() {
                self.decoder = Some(guessed(&self.raw).new_decoder_without_bom_handling());
            } else {
                self.is_over = self.out.is_empty() && self.at_end;
                return self.check();
            }
        }
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        self.out.resize(4 * CHUNK, 0);
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(&self.raw, &mut self.out, self.at_end);
        self.raw.drain(..read);
        self.out.truncate(written);
        match result {
            DecoderResult::InputEmpty => self.is_over = self.at_end,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                let name = decoder.encoding().name();
                let lines = self.lines + newlines(&self.out);
                return Err(invalid(format!(
                    "line {} is not {name} text as what stands before it; save the file as UTF-8",
                    lines + 1
                )));
            }
        }
        self.check()
    }

    /// Makes the ends of lines alike and counts them. Refuses what is no text.
    fn check(&mut self) -> io::Result<()> {
        if self.out.contains(&0) {
            return Err(invalid("it is not a text file: it holds zero bytes".to_owned()));
        }
        let mut after_return = self.after_return;
        self.out.retain_mut(|byte| {
            let is_second = after_return && *byte == b'\n';
            after_return = *byte == b'\r';
            if after_return {
                *byte = b'\n';
            }
            !is_second
        });
        self.after_return = after_return;
        self.lines += newlines(&self.out);
        Ok(())
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.out.len() && !self.is_over {
            self.fill()?;
        }
        let count = (&self.out[self.taken..]).read(to)?;
        self.taken += count;
        Ok(count)
    }
}

/// Counts the ends of lines.
pub(super) fn newlines(text: &[u8]) -> u64 {
    text.split(|byte| *byte == b'\n').count() as u64 - 1
}

pub(super) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Finds an encoding that is known from the first bytes, and how many of them are its mark.
fn marked(raw: &[u8]) -> io::Result<(Option<&'static Encoding>, usize)> {
    Ok(match raw {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return Err(invalid("it is UTF-32, which is not read; save it as UTF-8".to_owned()));
        }
        [0xef, 0xbb, 0xbf, ..] => (Some(UTF_8), 3),
        [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
        [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
        [first, 0, ..] if *first != 0 => (Some(UTF_16LE), 0),
        [0, second, ..] if *second != 0 => (Some(UTF_16BE), 0),
        _ => (None, 0),
    })
}

/// Tells UTF-8 from GB18030 by text that begins with a character that is not ASCII.
///
/// A text of UTF-8 in which some bytes are damaged stays UTF-8, so that it is refused.
fn guessed(raw: &[u8]) -> &'static Encoding {
    let (mut good, mut bad) = (0, 0);
    let mut chunks = raw.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        // The last character of a chunk may be cut.
        let is_cut = chunks.peek().is_none() && raw.len() >= CHUNK;
        bad += usize::from(!chunk.invalid().is_empty() && !is_cut);
    }
    if bad == 0 || good > 4 * bad { UTF_8 } else { GB18030 }
}
