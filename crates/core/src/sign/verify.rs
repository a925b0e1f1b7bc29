//! Checking a signature that somebody else made.

use subtle::ConstantTimeEq;

use super::{Order, Pair, SigningKey, base_string::base_string_in};
use crate::Shape;

/// A signature that is right, and the order that reproduced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The order of the pairs. [`Order::Name`] on param2 means that the sender does not follow the
    /// vendor's text and will fail where the two orders differ.
    pub order: Order,
}

/// A signature that is wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The base string that was expected. It holds secrets: mask it before anyone sees it.
    pub expected_base_string: Vec<u8>,
}

impl std::fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mismatch({} bytes)", self.expected_base_string.len())
    }
}

/// Parameters as received that cannot be read in one way only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceivedError {
    /// The same name came with two different values.
    Doubled(String),
}

/// Collapses parameters that came twice with the same value.
///
/// One official SDK sends `method` twice in the query; what a gateway makes of two *different*
/// values is not documented, so that is an error.
///
/// # Errors
/// [`ReceivedError::Doubled`] with the name.
pub fn collapse_doubled<'a>(pairs: &[Pair<'a>]) -> Result<Vec<Pair<'a>>, ReceivedError> {
    let mut out: Vec<Pair<'a>> = Vec::with_capacity(pairs.len());
    if pairs.len() <= 32 {
        for pair in pairs {
            match out.iter().find(|seen| seen.0 == pair.0) {
                None => out.push(*pair),
                Some(seen) if seen.1 == pair.1 => {}
                Some(_) => return Err(ReceivedError::Doubled(pair.0.to_owned())),
            }
        }
        return Ok(out);
    }
    let mut seen = std::collections::HashMap::with_capacity(pairs.len());
    for pair in pairs {
        match seen.insert(pair.0, pair.1) {
            None => out.push(*pair),
            Some(before) if before == pair.1 => {}
            Some(_) => return Err(ReceivedError::Doubled(pair.0.to_owned())),
        }
    }
    Ok(out)
}

/// Checks a signature in constant time.
///
/// The pairs are all parameters that arrived, in query and body, files apart. On param2 the
/// documented order is tried first, then the order by name that many ports use. The digits may be
/// of either case: no vendor says that the server minds.
///
/// # Errors
/// [`Mismatch`] with the base string that was expected.
pub fn verify(
    key: &SigningKey,
    shape: Shape,
    path: &str,
    pairs: &[Pair<'_>],
    body: &[u8],
    signature: &str,
) -> Result<Verified, Mismatch> {
    let mut given = [0_u8; 64];
    let given = match given.get_mut(..signature.len()) {
        Some(given) => {
            given.copy_from_slice(signature.as_bytes());
            given.make_ascii_uppercase();
            &*given
        }
        None => &[],
    };
    let documented = Order::of(shape);
    let text = base_string_in(documented, shape, path, pairs, body);
    if bool::from(key.digest_of(&text).as_bytes().ct_eq(given)) {
        return Ok(Verified { order: documented });
    }
    if documented == Order::Joined {
        let by_name = base_string_in(Order::Name, shape, path, pairs, body);
        if by_name != text && bool::from(key.digest_of(&by_name).as_bytes().ct_eq(given)) {
            return Ok(Verified { order: Order::Name });
        }
    }
    Err(Mismatch { expected_base_string: text })
}
