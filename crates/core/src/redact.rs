//! Turns what a platform, a proxy or a database said into text that may be shown or stored.
//!
//! Gateways quote what they were sent, so any text of theirs may hold a secret: whole, cut by them,
//! percent-encoded, JSON-escaped. [`Redactor::text`] is the one way from such a text to a
//! [`ForeignText`], and the fields of an [`Error`](crate::Error) that a platform fills take nothing
//! else.
//!
//! ```
//! use sesame_core::redact::Redactor;
//!
//! let token = "50000601c30atpedfgu3LVvik87";
//! let redactor = Redactor::new([token]);
//! let said = redactor.text("no right for 50000601c30atpedfgu3LVvik87\u{1b}[2J", 100);
//! assert_eq!(said.as_str(), r"no right for 500…k87\u{1b}[2J");
//! // A part of it is hidden as well, wherever it was cut.
//! assert_eq!(redactor.text("token 01c30atpedfgu3LV", 100).as_str(), "token …");
//! ```

use std::{borrow::Cow, fmt};

use smallvec::SmallVec;

use crate::{
    mask::{is_token_char, mask, mask_text},
    scalar::printable,
};

/// The longest text that is looked at, in bytes; what follows is dropped.
const INPUT_LIMIT: usize = 256 << 10;
/// The number of characters of a secret that are hidden wherever they stand in a row.
const WINDOW: usize = 10;
/// The same in ids that are stored: the tokens of some platforms end with the id of the shop.
const ID_WINDOW: usize = 16;
/// Secrets shorter than this occur in ordinary words, so they are hidden only where they stand alone.
const SHORT: usize = 6;
/// Secrets shorter than this are not looked for: codes and counts would be taken for them.
const TOO_SHORT: usize = 4;
/// How often a text may be encoded one over the other: JSON in a form in a form.
const LAYERS: usize = 4;
/// Maximum number of errors of a chain of sources that are kept.
const MAX_SOURCES: usize = 8;
/// The longest message of a source, in characters.
const SOURCE_LIMIT: usize = 1_000;

/// The secrets of one call, and the rules by which they are kept out of text.
///
/// Secrets are looked for in the text as it stands, percent-encoded, JSON-escaped and as HTML
/// entities, in either case:
///
/// * any 10 characters of a secret in a row are hidden, so that a secret which was cut before it came
///   here is hidden, too;
/// * a secret of 6 to 9 characters is hidden where it stands whole;
/// * one of 4 or 5 characters is hidden where it stands alone, between characters that no token has;
/// * a shorter one is not looked for.
///
/// Building one costs nothing to speak of: the work is done when a text is cleaned. `Debug` shows how many
/// secrets there are.
#[derive(Clone, Default)]
pub struct Redactor<'a> {
    secrets: SmallVec<[&'a str; 6]>,
}

impl<'a> Redactor<'a> {
    /// Creates a redactor that knows these secrets. Empty ones are ignored.
    pub fn new(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self { secrets: secrets.into_iter().filter(|secret| !secret.is_empty()).collect() }
    }

    /// Returns a redactor that knows one secret more; an empty one is ignored.
    #[must_use]
    pub fn with<'b>(&self, secret: &'b str) -> Redactor<'b>
    where
        'a: 'b,
    {
        Redactor::new(self.secrets.iter().copied().chain([secret]))
    }

    /// Turns foreign text into text that may be shown or stored, of at most `limit` characters.
    ///
    /// In this order: known secrets are masked, as are the values of parameters that are secrets by
    /// their name; control and invisible characters are made visible; then the text is cut. The cut
    /// is never inside a run of token characters, since what is left of one could be a secret that
    /// nobody knew of: the whole run goes.
    pub fn text(&self, foreign: &str, limit: usize) -> ForeignText {
        let masked = self.mask(head(foreign));
        if masked.len() <= limit && masked.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            // An id, as in every reply: nothing of what follows would change it.
            return ForeignText(masked.into_owned().into());
        }
        ForeignText(cut(&printable(&mask_text(&masked)), limit).into())
    }

    /// Masks the known secrets in text that was cleaned by one who did not know them.
    pub(crate) fn again(&self, text: &ForeignText) -> ForeignText {
        match self.mask(text.as_str()) {
            Cow::Borrowed(_) => text.clone(),
            Cow::Owned(masked) => ForeignText(masked.into()),
        }
    }

    /// Turns an error of another library, and its sources, into errors that hold clean text alone.
    pub fn source(&self, error: &(dyn std::error::Error + 'static)) -> ForeignError {
        let mut texts = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| texts.len() < MAX_SOURCES) {
            texts.push(self.text(&error.to_string(), SOURCE_LIMIT));
            next = error.source();
        }
        let chain = texts
            .into_iter()
            .rev()
            .fold(None, |source, text| Some(ForeignError { text, source: source.map(Box::new) }));
        chain.unwrap_or(ForeignError { text: ForeignText(Cow::Borrowed("")), source: None })
    }

    /// Masks the known secrets in an id or a name that is stored, and leaves everything else as it is.
    ///
    /// Only 16 characters in a row or a whole secret count, because the tokens of some platforms end with
    /// the id of the shop.
    pub fn id<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.masked(text, ID_WINDOW)
    }

    /// Masks the known secrets and leaves everything else as it is.
    pub(crate) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.masked(text, WINDOW)
    }

    fn masked<'t>(&self, text: &'t str, window: usize) -> Cow<'t, str> {
        let found = self.find(text, window);
        if found.is_empty() {
            return text.into();
        }
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for Found { from, to, whole } in found {
            out.push_str(&text[done..from]);
            match whole {
                Some(secret) => out.push_str(&mask(secret)),
                None => out.push('…'),
            }
            done = to;
        }
        out.push_str(&text[done..]);
        out.into()
    }

    /// Finds what of the text belongs to a secret, in order and apart from each other.
    fn find<'s>(&'s self, text: &str, window: usize) -> Vec<Found<'s>> {
        if self.secrets.is_empty() || text.len() < TOO_SHORT {
            return Vec::new();
        }
        let may_be_in = |pairs: &Pairs| self.secrets.iter().any(|secret| pairs.may_hold(secret, window));
        // The id of every reply ends here.
        if !text.bytes().any(is_encoding) && !may_be_in(&Pairs::of(text.as_bytes())) {
            return Vec::new();
        }
        let bytes = canonical(text);
        let plain: Vec<u8> = bytes.iter().map(|byte| byte.value).collect();
        let pairs = Pairs::of(&plain);
        let secrets: SmallVec<[(&str, Vec<u8>); 6]> = self
            .secrets
            .iter()
            .filter(|secret| pairs.may_hold(secret, window))
            .map(|secret| (*secret, canonical(secret).iter().map(|byte| byte.value).collect()))
            .collect();
        if secrets.is_empty() {
            return Vec::new();
        }
        let mut covered = vec![false; plain.len()];
        for (_, secret) in &secrets {
            cover(&mut covered, &plain, secret, window);
        }
        let mut found: Vec<Found<'s>> = Vec::new();
        let mut at = 0;
        while at < covered.len() {
            if !covered[at] {
                at += 1;
                continue;
            }
            let end = covered[at..].iter().position(|covered| !covered).map_or(covered.len(), |len| at + len);
            // Half a character may be covered where the text is not ASCII.
            let from = text.floor_char_boundary(bytes[at].from);
            let to = text.ceil_char_boundary(bytes[end - 1].to);
            let whole = secrets.iter().find(|(_, secret)| *secret == plain[at..end]);
            match found.last_mut() {
                Some(last) if from < last.to => *last = Found { from: last.from, to, whole: None },
                _ => found.push(Found { from, to, whole: whole.map(|(secret, _)| *secret) }),
            }
            at = end;
        }
        found
    }
}

impl fmt::Debug for Redactor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("secrets", &self.secrets.len()).finish()
    }
}

/// A part of a text that is hidden.
struct Found<'s> {
    from: usize,
    to: usize,
    /// The secret, where it stands there whole.
    whole: Option<&'s str>,
}

/// Which bytes stand beside which in a text, by their lower five bits: those of a letter are the same in
/// either case.
///
/// Rules out almost every secret for next to nothing. The request id of every reply is looked
/// through, and to compare all windows took a tenth of a whole call.
struct Pairs([u32; 32]);

impl Pairs {
    fn of(text: &[u8]) -> Self {
        let mut pairs = Self([0; 32]);
        for pair in text.windows(2) {
            pairs.0[usize::from(pair[0] & 31)] |= 1 << (pair[1] & 31);
        }
        pairs
    }

    /// Returns `false` if the text holds no `window` bytes in a row of the secret, nor all of a shorter one.
    fn may_hold(&self, secret: &str, window: usize) -> bool {
        let bytes = secret.as_bytes();
        if bytes.len() < TOO_SHORT {
            return false;
        }
        // Bytes in a row are one pair less, and one pair in `step` is among them wherever they begin.
        let step = bytes.len().min(window) - 1;
        let has = |at: &usize| self.0[usize::from(bytes[*at] & 31)] >> (bytes[*at + 1] & 31) & 1 == 1;
        let last = bytes.len() - 1;
        let holds = |at: usize| {
            has(&at) && {
                let before = (0..at).rev().take_while(has).count();
                before + 1 + (at + 1..last).take_while(has).count() >= step
            }
        };
        (step - 1..last).step_by(step).any(holds)
            // Its bytes are others once it is decoded.
            || bytes.iter().fold(false, |found, byte| found | is_encoding(*byte))
    }
}

/// Marks every byte of `text` that belongs to the secret.
fn cover(covered: &mut [bool], text: &[u8], secret: &[u8], window: usize) {
    if secret.len() < TOO_SHORT {
        return;
    }
    let width = secret.len().min(window);
    let stands_alone = |at: usize| {
        let is_free = |byte: Option<&u8>| byte.is_none_or(|byte| !is_token_char(char::from(*byte)));
        is_free(at.checked_sub(1).and_then(|before| text.get(before))) && is_free(text.get(at + width))
    };
    let parts: Vec<&[u8]> = secret.windows(width).collect();
    for (at, window) in text.windows(width).enumerate() {
        // The first byte rules out most of them.
        let is_part = parts.iter().any(|part| part[0] == window[0] && *part == window);
        if is_part && (secret.len() >= SHORT || stands_alone(at)) {
            covered[at..at + width].fill(true);
        }
    }
}

/// A byte of a text without its encodings, and the part of the text that stands for it.
#[derive(Clone, Copy)]
struct Byte {
    value: u8,
    from: usize,
    to: usize,
}

/// Takes the encodings off a text, so that a secret compares equal however it was written.
fn canonical(text: &str) -> Vec<Byte> {
    let mut bytes: Vec<Byte> = text
        .bytes()
        .enumerate()
        .map(|(at, value)| Byte { value: value.to_ascii_lowercase(), from: at, to: at + 1 })
        .collect();
    for _ in 0..LAYERS {
        if !bytes.iter().any(|byte| is_encoding(byte.value)) {
            break;
        }
        let before = bytes.len();
        bytes = without_a_layer(&bytes);
        if bytes.len() == before {
            break;
        }
    }
    bytes
}

/// Returns `true` for the bytes that begin an encoded character.
fn is_encoding(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | b'+')
}

/// Takes one layer of percent-encoding, of JSON's escapes and of HTML's entities off.
fn without_a_layer(bytes: &[Byte]) -> Vec<Byte> {
    let mut out: Vec<Byte> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        let rest = &bytes[at..];
        let (length, decoded) = match first.value {
            b'%' => match number(rest, 1, 3, 16) {
                Some(value) => (3, char::from_u32(value)),
                None => (1, Some('%')),
            },
            b'\\' => match (rest.get(1).map(|byte| byte.value), number(rest, 2, 6, 16)) {
                (Some(b'u'), Some(value)) => (6, char::from_u32(value)),
                // The backslash of `\/` and `\"` goes; so does one that is doubled.
                _ => (1, None),
            },
            b'&' => entity(rest).unwrap_or((1, Some('&'))),
            // A form writes a space so.
            b'+' => (1, Some(' ')),
            other => {
                out.push(Byte { value: other, ..*first });
                at += 1;
                continue;
            }
        };
        let (from, to) = (first.from, rest[length - 1].to);
        let is_byte = first.value == b'%' && length == 3;
        match decoded {
            // A percent-encoded byte may be a part of a character.
            Some(c) if is_byte => {
                out.push(Byte {
                    value: u8::try_from(u32::from(c)).unwrap_or(b'?').to_ascii_lowercase(),
                    from,
                    to,
                });
            }
            Some(c) => {
                let mut buffer = [0; 4];
                let encoded = c.encode_utf8(&mut buffer).bytes();
                out.extend(encoded.map(|value| Byte { value: value.to_ascii_lowercase(), from, to }));
            }
            None => {}
        }
        at += length;
    }
    out
}

/// Reads digits from one place to another.
fn number(bytes: &[Byte], from: usize, to: usize, radix: u32) -> Option<u32> {
    bytes.get(from..to)?.iter().try_fold(0_u32, |sum, byte| {
        sum.checked_mul(radix)?.checked_add(char::from(byte.value).to_digit(radix)?)
    })
}

/// Reads `&amp;`, `&#38;` or `&#x26;`: how many bytes it has, and its character.
fn entity(bytes: &[Byte]) -> Option<(usize, Option<char>)> {
    let end = bytes.iter().take(9).position(|byte| byte.value == b';')?;
    let name: SmallVec<[u8; 8]> = bytes[1..end].iter().map(|byte| byte.value).collect();
    let c = match name.as_slice() {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x', _, ..] => char::from_u32(number(bytes, 3, end, 16)?)?,
        [b'#', _, ..] => char::from_u32(number(bytes, 2, end, 10)?)?,
        _ => return None,
    };
    Some((end + 1, Some(c)))
}

/// Takes the beginning of a text that is too long to be looked at.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(INPUT_LIMIT)]
}

/// Cuts a text to `limit` characters, before the run of token characters that the cut would part.
fn cut(text: &str, limit: usize) -> String {
    let Some((at, next)) = text.char_indices().nth(limit) else { return text.to_owned() };
    let kept = &text[..at];
    // A slash parts the words of an address more often than it stands in a token.
    let is_of_a_run = |c: char| is_token_char(c) && c != '/';
    let kept = if is_of_a_run(next) { kept.trim_end_matches(is_of_a_run) } else { kept };
    format!("{}…", kept.trim_end())
}

/// Text of a platform, a proxy or a database that may be shown and stored.
///
/// [`Redactor::text`] makes one; text of our own is one as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignText(Cow<'static, str>);

impl ForeignText {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text, cut to `limit` characters as [`Redactor::text`] cuts.
    pub(crate) fn shortened(&self, limit: usize) -> String {
        cut(&self.0, limit)
    }
}

impl From<&'static str> for ForeignText {
    fn from(ours: &'static str) -> Self {
        Self(ours.into())
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// An error of another library as clean text; made by [`Redactor::source`].
#[derive(Clone)]
pub struct ForeignError {
    text: ForeignText,
    source: Option<Box<Self>>,
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Debug for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, ": {source:?}"))
    }
}

impl std::error::Error for ForeignError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
