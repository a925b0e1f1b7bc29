//! Signing: one canonical text per shape, one digest over it.
//!
//! ```
//! use sesame_core::{AppSecret, Shape, sign::{Digest, SigningKey, sign}};
//!
//! // Printed by the vendor (open.1688.com, sysSignature).
//! let key = SigningKey::new(Digest::HmacSha1, &AppSecret::new("test123"));
//! let signature = sign(&key, Shape::Param2, "param2/1/system/currentTime/1000000", &[("a", "1"), ("b", "2")], b"");
//! assert_eq!(signature.as_str(), "33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88");
//! ```

mod base_string;
mod diagnose;
mod digest;
mod explain;
mod mistakes;
mod other_times;
mod verify;

pub use base_string::{Order, Pair, base_string, base_string_sorted, sort};
pub use diagnose::diagnose;
pub use digest::{Digest, Signature, SigningKey};
pub use explain::{Explanation, LeftOut, explain};
pub use mistakes::{OtherApp, WrongSignature};
pub use verify::{Mismatch, ReceivedError, Verified, collapse_doubled, verify};

use smallvec::SmallVec;

use crate::Shape;

/// Signs pairs given in any order: builds the base string of the shape and digests it.
///
/// `path` is what the shape signs of the URL: `param2/1/ns/name/KEY`, `/order/get`, or nothing.
/// `body` is appended for [`Shape::TopBatch`] and is empty otherwise. Exactly the pairs given are
/// signed, empty ones too, but the signature parameter itself never is.
pub fn sign(key: &SigningKey, shape: Shape, path: &str, pairs: &[Pair<'_>], body: &[u8]) -> Signature {
    let mut sorted: SmallVec<[Pair<'_>; 24]> = SmallVec::from_slice(pairs);
    sort(shape, &mut sorted);
    sign_sorted(key, shape, path, &sorted, body)
}

/// Signs pairs that are already in the order of the shape (see [`sort`]).
pub fn sign_sorted(key: &SigningKey, shape: Shape, path: &str, pairs: &[Pair<'_>], body: &[u8]) -> Signature {
    base_string::with_base_string_sorted(shape, path, pairs, body, |text| key.digest_of(text))
}
