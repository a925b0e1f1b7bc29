//! The form of an export: a header in clear, then sealed pieces of a list of lines.
//!
//! ```text
//! {"sesame_export":1,"created_at":"..","stretching":{..},"check":"..","sum":".."}\n
//! piece: 1 byte (0 more follow, 1 the last), 4 bytes length, sealed bytes
//! ```
//! Each piece is sealed with AES-256-GCM-SIV under the passphrase's key; its number and whether it is
//! the last are associated data, so that pieces can be neither exchanged nor left out. The sum over the
//! header tells a damaged one from a wrong passphrase.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sesame_core::{AppSecret, Error, Result};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    seal::{CHECK, KeyId, Sealer, Slot, Stretching, check_slot, long_enough},
    vault::Inner,
};

/// The form that is written.
pub(super) const FORM: u32 = 1;
/// The key of an export has no id of its own; this stands for it.
const KEY: KeyId = *b"export-1";
/// How much of the list one piece holds.
const PIECE: usize = 64 << 10;
/// The longest sealed piece that is read: one line may be longer than a piece.
const LONGEST_PIECE: u32 = 2 << 20;
/// The longest header.
const LONGEST_HEADER: usize = 16 << 10;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    sesame_export: u32,
    created_at: String,
    stretching: Stretching,
    check: String,
    sum: String,
}

impl Header {
    fn right_sum(&self) -> String {
        let stretching = serde_json::to_string(&self.stretching).unwrap_or_default();
        let text = format!("{}\n{}\n{stretching}\n{}", self.sesame_export, self.created_at, self.check);
        hex::encode(Sha256::digest(text.as_bytes()))
    }
}

/// All that is read of the header of another form.
#[derive(Deserialize)]
struct AnyHeader {
    sesame_export: u32,
}

fn slot(number: &[u8; 8], last: bool) -> Slot<'_> {
    Slot { table: "export", row: number, column: if last { "last" } else { "more" } }
}

/// Writes an export.
pub(super) struct Writer<'a> {
    out: &'a mut (dyn Write + Send),
    sealer: Sealer,
    piece: Zeroizing<Vec<u8>>,
    number: u64,
}

fn unwritten(error: &io::Error) -> Error {
    Error::local(format!("the export cannot be written: {error}"))
        .with_hint("Is the disk full, or the output closed?")
}

impl<'a> Writer<'a> {
    /// Stretches the passphrase and writes the header.
    pub(super) async fn begin(
        inner: &Inner,
        passphrase: &AppSecret,
        out: &'a mut (dyn Write + Send),
    ) -> Result<Self> {
        long_enough(passphrase)?;
        let stretching = Stretching::of_a_file(inner.clock.as_ref());
        let key = stretching
            .stretch(passphrase)
            .await
            .ok_or_else(|| Error::local("this machine has no memory to stretch the passphrase (64 MiB)"))?;
        let sealer = Sealer::new(&key, KEY, inner.clock.clone());
        let mut header = Header {
            sesame_export: FORM,
            created_at: inner.clock.now().to_string(),
            stretching,
            check: hex::encode(sealer.seal(check_slot(&KEY), CHECK)),
            sum: String::new(),
        };
        header.sum = header.right_sum();
        let text = serde_json::to_string(&header).unwrap_or_default();
        writeln!(out, "{text}").map_err(|error| unwritten(&error))?;
        Ok(Self { out, sealer, piece: Zeroizing::new(Vec::with_capacity(2 * PIECE)), number: 0 })
    }

    /// Adds a line to the list.
    pub(super) fn line(&mut self, line: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut *self.piece, line)
            .map_err(|error| Error::local(format!("a line of the export has no form: {error}")))?;
        self.piece.push(b'\n');
        if self.piece.len() >= PIECE { self.piece(false) } else { Ok(()) }
    }

    /// Writes what is left.
    pub(super) fn end(mut self) -> Result<()> {
        self.piece(true)?;
        self.out.flush().map_err(|error| unwritten(&error))
    }

    fn piece(&mut self, last: bool) -> Result<()> {
        let sealed = self.sealer.seal(slot(&self.number.to_be_bytes(), last), &self.piece);
        let length = u32::try_from(sealed.len())
            .ok()
            .filter(|length| *length <= LONGEST_PIECE)
            .ok_or_else(|| Error::local("a row of the vault is too long for an export"))?;
        self.number += 1;
        zeroize::Zeroize::zeroize(&mut *self.piece);
        self.out
            .write_all(&[u8::from(last)])
            .and_then(|()| self.out.write_all(&length.to_be_bytes()))
            .and_then(|()| self.out.write_all(&sealed))
            .map_err(|error| unwritten(&error))
    }
}

/// Reads an export, line by line.
pub(super) struct Reader<'a> {
    input: &'a mut (dyn Read + Send),
    sealer: Sealer,
    rest: Zeroizing<Vec<u8>>,
    /// What was read of `rest` already.
    read: usize,
    number: u64,
    ended: bool,
}

fn damaged(what: &str) -> Error {
    Error::local(format!("the export is damaged: {what}"))
        .with_hint("Copy it again, or make a new one. Nothing was imported.")
}

impl<'a> Reader<'a> {
    /// Reads the header and stretches the passphrase.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for a wrong passphrase and a file that is no
    /// export, [`ErrorKind::Local`](sesame_core::ErrorKind::Local) for a damaged and for a newer one.
    pub(super) async fn begin(
        inner: &Inner,
        passphrase: &AppSecret,
        input: &'a mut (dyn Read + Send),
    ) -> Result<Self> {
        let text = header_line(input)?;
        let Ok(AnyHeader { sesame_export }) = serde_json::from_slice(&text) else {
            return Err(Error::usage("this is no export of a Sesame vault, or its first line is damaged")
                .with_hint("An export is made by `sesame vault export`. Tables are imported with --csv or --sql-dump. Nothing was imported."));
        };
        if sesame_export != FORM {
            return Err(Error::local(format!(
                "the export has form {sesame_export}, and this program knows form {FORM}"
            ))
            .with_hint("A newer Sesame wrote it. Use that version to import it. Nothing was imported."));
        }
        let header: Header =
            serde_json::from_slice(&text).map_err(|_| damaged("its first line does not read"))?;
        if header.sum != header.right_sum() {
            return Err(damaged("its first line was changed"));
        }
        let check = hex::decode(&header.check).map_err(|_| damaged("its first line does not read"))?;
        let key = header
            .stretching
            .stretch(passphrase)
            .await
            .ok_or_else(|| damaged("how its passphrase is stretched is out of bounds"))?;
        let sealer = Sealer::new(&key, KEY, inner.clock.clone());
        if !sealer.open(check_slot(&KEY), &check).is_ok_and(|plain| *plain == CHECK) {
            return Err(Error::usage("this is not the passphrase of the export").with_hint(
                "Set SESAME_EXPORT_PASSPHRASE to the one it was made with. Nothing was imported.",
            ));
        }
        Ok(Self { input, sealer, rest: Zeroizing::default(), read: 0, number: 0, ended: false })
    }

    /// Returns the next line; nothing after the last.
    pub(super) fn line<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        loop {
            let rest = &self.rest[self.read..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = serde_json::from_slice(&rest[..end])
                    .map_err(|_| damaged("a line of it is none that this version knows"))?;
                self.read += end + 1;
                return Ok(Some(line));
            }
            if self.ended {
                return if rest.is_empty() { Ok(None) } else { Err(damaged("its last line is cut short")) };
            }
            self.piece()?;
        }
    }

    fn piece(&mut self) -> Result<()> {
        let mut head = [0; 5];
        self.input.read_exact(&mut head).map_err(|_| damaged("it is cut short"))?;
        let [last, length @ ..] = head;
        let length = u32::from_be_bytes(length);
        if last > 1 || length > LONGEST_PIECE {
            return Err(damaged(&format!("piece {} does not read", self.number + 1)));
        }
        let mut sealed = Vec::new();
        let read = self.input.take(u64::from(length)).read_to_end(&mut sealed);
        if !read.is_ok_and(|read| u32::try_from(read) == Ok(length)) {
            return Err(damaged("it is cut short"));
        }
        let plain = self.sealer.open(slot(&self.number.to_be_bytes(), last == 1), &sealed).map_err(|_| {
            damaged(&format!("piece {} was changed, or stands in the wrong place", self.number + 1))
        })?;
        let mut joined = Zeroizing::new(Vec::with_capacity(self.rest.len() + plain.len()));
        joined.extend_from_slice(&self.rest[self.read..]);
        joined.extend_from_slice(&plain);
        self.rest = joined;
        self.read = 0;
        self.number += 1;
        self.ended = last == 1;
        if self.ended && self.input.read(&mut [0]).is_ok_and(|more| more > 0) {
            return Err(damaged("something follows its end"));
        }
        Ok(())
    }
}

fn header_line(input: &mut (dyn Read + Send)) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    // Byte by byte: what follows the line belongs to the pieces.
    while line.len() < LONGEST_HEADER {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::local(format!("the export cannot be read: {error}"))),
        }
    }
    Ok(line)
}
