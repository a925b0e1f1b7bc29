//! The digests, and keys prepared for them.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

use crate::{AppSecret, Error};

/// What is computed over the base string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Digest {
    /// HMAC-SHA1 with the secret as key: param2.
    HmacSha1,
    /// HMAC-SHA256 with the secret as key: IOP's `sha256`, TOP's `hmac-sha256`.
    HmacSha256,
    /// HMAC-MD5 with the secret as key: `hmac`.
    HmacMd5,
    /// MD5 of secret + text + secret: `md5`.
    Md5Sandwich,
}

impl Digest {
    /// All digests.
    pub const ALL: [Self; 4] = [Self::HmacSha1, Self::HmacSha256, Self::HmacMd5, Self::Md5Sandwich];

    /// Returns the name used in data files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacMd5 => "hmac-md5",
            Self::Md5Sandwich => "md5-sandwich",
        }
    }

    /// Says what is computed, for people.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1 with the app secret as key",
            Self::HmacSha256 => "HMAC-SHA256 with the app secret as key",
            Self::HmacMd5 => "HMAC-MD5 with the app secret as key",
            Self::Md5Sandwich => "MD5 of secret + text + secret",
        }
    }

    /// Returns the number of hexadecimal digits of a signature.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::HmacSha1 => 40,
            Self::HmacSha256 => 64,
            Self::HmacMd5 | Self::Md5Sandwich => 32,
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|digest| digest.as_str() == text)
            .ok_or_else(|| Error::usage(format!("invalid digest {text:?}")))
    }
}

/// An app secret prepared for one digest, so that signing does not hash the key again.
///
/// Cheap to clone; signing does not change it. `Debug` shows the digest only.
#[derive(Clone)]
pub struct SigningKey(State);

#[derive(Clone)]
enum State {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacMd5(Hmac<Md5>),
    Md5Sandwich(AppSecret),
}

impl SigningKey {
    /// Prepares a secret. Any secret is allowed, an empty one too.
    pub fn new(digest: Digest, secret: &AppSecret) -> Self {
        let key = secret.expose().as_bytes();
        Self(match digest {
            Digest::HmacSha1 => State::HmacSha1(keyed(key)),
            Digest::HmacSha256 => State::HmacSha256(keyed(key)),
            Digest::HmacMd5 => State::HmacMd5(keyed(key)),
            Digest::Md5Sandwich => State::Md5Sandwich(secret.clone()),
        })
    }

    /// Returns the digest this key is for.
    pub fn digest(&self) -> Digest {
        match self.0 {
            State::HmacSha1(_) => Digest::HmacSha1,
            State::HmacSha256(_) => Digest::HmacSha256,
            State::HmacMd5(_) => Digest::HmacMd5,
            State::Md5Sandwich(_) => Digest::Md5Sandwich,
        }
    }

    /// Digests a base string.
    pub fn digest_of(&self, text: &[u8]) -> Signature {
        match &self.0 {
            State::HmacSha1(mac) => Signature::of(&mac.clone().chain_update(text).finalize().into_bytes()),
            State::HmacSha256(mac) => Signature::of(&mac.clone().chain_update(text).finalize().into_bytes()),
            State::HmacMd5(mac) => Signature::of(&mac.clone().chain_update(text).finalize().into_bytes()),
            State::Md5Sandwich(secret) => {
                let secret = secret.expose().as_bytes();
                let digest = Md5::new().chain_update(secret).chain_update(text).chain_update(secret);
                Signature::of(&digest.finalize())
            }
        }
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> M {
    // HMAC takes keys of any length (RFC 2104), so this cannot fail for the digests above.
    #[expect(clippy::unwrap_used, reason = "HMAC accepts every key length")]
    M::new_from_slice(key).unwrap()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.digest())
    }
}

/// What people compute over a base string, rightly or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// One of the digests of the platforms.
    Keyed(Digest),
    /// One of them, with the secret around the text as well.
    KeyedAround(Digest),
    /// A plain digest, with the secret at these ends of the text.
    Plain(Algorithm, Ends),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

/// Where the secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Neither,
    Before,
    After,
    Both,
}

impl Hash {
    /// Lists them, each with what it is called.
    pub(super) fn known() -> Vec<(Self, String)> {
        let mut out: Vec<(Self, String)> =
            Digest::ALL.map(|digest| (Self::Keyed(digest), digest.described().to_owned())).into();
        for digest in [Digest::HmacSha256, Digest::HmacSha1, Digest::HmacMd5] {
            let says = format!("{}, and the secret around the text as well,", digest.described());
            out.push((Self::KeyedAround(digest), says));
        }
        for (algorithm, name) in
            [(Algorithm::Sha256, "SHA-256"), (Algorithm::Md5, "MD5"), (Algorithm::Sha1, "SHA-1")]
        {
            out.push((Self::Plain(algorithm, Ends::Neither), format!("plain {name} without the secret")));
            out.push((Self::Plain(algorithm, Ends::Before), format!("{name} of secret + text")));
            out.push((Self::Plain(algorithm, Ends::After), format!("{name} of text + secret")));
            out.push((Self::Plain(algorithm, Ends::Both), format!("{name} of secret + text + secret")));
        }
        // MD5 with the secret at both ends is one of the digests.
        out.retain(|(hash, _)| *hash != Self::Plain(Algorithm::Md5, Ends::Both));
        out
    }

    /// Returns the number of hexadecimal digits.
    pub(super) const fn hex_len(self) -> usize {
        match self {
            Self::Keyed(digest) | Self::KeyedAround(digest) => digest.hex_len(),
            Self::Plain(Algorithm::Md5, _) => 32,
            Self::Plain(Algorithm::Sha1, _) => 40,
            Self::Plain(Algorithm::Sha256, _) => 64,
        }
    }

    /// Digests a text.
    pub(super) fn digest(self, secret: &str, text: &[u8]) -> Signature {
        let ends = match self {
            Self::Plain(_, ends) => ends,
            Self::KeyedAround(_) => Ends::Both,
            Self::Keyed(_) => Ends::Neither,
        };
        let before = if matches!(ends, Ends::Before | Ends::Both) { secret.as_bytes() } else { b"" };
        let after = if matches!(ends, Ends::After | Ends::Both) { secret.as_bytes() } else { b"" };
        let text = [before, text, after].concat();
        match self {
            Self::Keyed(digest) | Self::KeyedAround(digest) => {
                SigningKey::new(digest, &AppSecret::new(secret)).digest_of(&text)
            }
            Self::Plain(Algorithm::Md5, _) => Signature::of(&Md5::digest(&text)),
            Self::Plain(Algorithm::Sha1, _) => Signature::of(&Sha1::digest(&text)),
            Self::Plain(Algorithm::Sha256, _) => Signature::of(&Sha256::digest(&text)),
        }
    }
}

/// The two upper-case hexadecimal digits of every byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789ABCDEF";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// A signature: 32 to 64 upper-case hexadecimal digits, kept in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    hex: [u8; 64],
    len: u8,
}

impl Signature {
    fn of(digest: &[u8]) -> Self {
        let mut hex = [0; 64];
        let len = digest.len() * 2;
        // Two digits at a time from a table: half of what a digest of a short text costs otherwise.
        for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
            pair.copy_from_slice(&HEX[usize::from(*byte)]);
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 64")]
        Self { hex, len: len as u8 }
    }

    /// Digests parts one after the other with MD5, without a key.
    pub(crate) fn md5_of(parts: &[&str]) -> Self {
        let mut digest = Md5::new();
        for part in parts {
            digest.update(part);
        }
        Self::of(&digest.finalize())
    }

    /// Returns the digits, upper case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Returns the digits as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.hex[..usize::from(self.len)]
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", crate::mask::mask(self.as_str()))
    }
}
