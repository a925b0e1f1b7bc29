//! The base string: the text that is signed.

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::{Protocol, Shape};

/// A parameter as it is signed: name and value, raw UTF-8, not percent-encoded.
pub type Pair<'a> = (&'a str, &'a str);

/// How pairs are put in order before they are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the joined text `name + value`: the rule that param2's vendor prints.
    Joined,
    /// By the name: IOP and TOP, and what many ports of param2 do.
    Name,
}

impl Order {
    /// Returns the order that the vendor documents for a shape.
    pub const fn of(shape: Shape) -> Self {
        match shape.protocol() {
            Protocol::Param2 => Self::Joined,
            Protocol::Iop | Protocol::Top => Self::Name,
        }
    }

    /// Compares two pairs, byte by byte.
    pub fn compare(self, left: &Pair<'_>, right: &Pair<'_>) -> Ordering {
        match self {
            Self::Joined => compare_joined(left, right),
            Self::Name => compare_by_name(left, right),
        }
    }
}

/// Compares names, then values.
fn compare_by_name(left: &Pair<'_>, right: &Pair<'_>) -> Ordering {
    left.0.cmp(right.0).then_with(|| left.1.cmp(right.1))
}

/// Compares `left.0 + left.1` with `right.0 + right.1` without joining them.
fn compare_joined(left: &Pair<'_>, right: &Pair<'_>) -> Ordering {
    let (left_name, left_value) = (left.0.as_bytes(), left.1.as_bytes());
    let (right_name, right_value) = (right.0.as_bytes(), right.1.as_bytes());
    let shared = left_name.len().min(right_name.len());
    left_name[..shared].cmp(&right_name[..shared]).then_with(|| {
        match left_name.len().cmp(&right_name.len()) {
            Ordering::Equal => left_value.cmp(right_value),
            Ordering::Less => compare_with_split(left_value, &right_name[shared..], right_value),
            Ordering::Greater => compare_with_split(right_value, &left_name[shared..], left_value).reverse(),
        }
    })
}

/// Compares `whole` with `head + tail`.
fn compare_with_split(whole: &[u8], head: &[u8], tail: &[u8]) -> Ordering {
    let shared = whole.len().min(head.len());
    whole[..shared]
        .cmp(&head[..shared])
        .then_with(|| if whole.len() < head.len() { Ordering::Less } else { whole[shared..].cmp(tail) })
}

/// Puts pairs in the order that the shape documents.
pub fn sort(shape: Shape, pairs: &mut [Pair<'_>]) {
    sort_by(Order::of(shape), pairs);
}

pub(super) fn sort_by(order: Order, pairs: &mut [Pair<'_>]) {
    // Unstable: pairs that compare equal are equal to the byte.
    match order {
        Order::Name => {
            pairs.sort_unstable_by(|left, right| left.0.cmp(right.0).then_with(|| left.1.cmp(right.1)));
        }
        Order::Joined => pairs.sort_unstable_by(compare_joined),
    }
}

/// Builds the base string from pairs in any order.
pub fn base_string(shape: Shape, path: &str, pairs: &[Pair<'_>], body: &[u8]) -> Vec<u8> {
    base_string_in(Order::of(shape), shape, path, pairs, body)
}

pub(super) fn base_string_in(
    order: Order,
    shape: Shape,
    path: &str,
    pairs: &[Pair<'_>],
    body: &[u8],
) -> Vec<u8> {
    let mut sorted: SmallVec<[Pair<'_>; 24]> = SmallVec::from_slice(pairs);
    sort_by(order, &mut sorted);
    base_string_sorted(shape, path, &sorted, body)
}

/// Builds the base string from pairs that are already in order.
///
/// The signature parameter is left out; everything else is joined exactly as given.
pub fn base_string_sorted(shape: Shape, path: &str, pairs: &[Pair<'_>], body: &[u8]) -> Vec<u8> {
    let path = signed_part(shape, path);
    let mut text = Vec::with_capacity(length(path, pairs, body));
    pieces(shape, path, pairs, body).for_each(|piece| text.extend_from_slice(piece));
    text
}

/// The size up to which a base string is put together on the stack. Most are shorter.
const ON_STACK: usize = 768;

/// Hands the base string of pairs that are already in order to `use_it`, without allocating where
/// it is short: that would cost a good part of what the digest itself costs.
pub(super) fn with_base_string_sorted<T>(
    shape: Shape,
    path: &str,
    pairs: &[Pair<'_>],
    body: &[u8],
    use_it: impl FnOnce(&[u8]) -> T,
) -> T {
    let path = signed_part(shape, path);
    if length(path, pairs, body) > ON_STACK {
        return use_it(&base_string_sorted(shape, path, pairs, body));
    }
    let mut text = [0; ON_STACK];
    let mut at = 0;
    // Not a `for` loop: the chain underneath is only fast when it is driven from within.
    pieces(shape, path, pairs, body).for_each(|piece| {
        put(&mut text[at..at + piece.len()], piece);
        at += piece.len();
    });
    use_it(&text[..at])
}

/// Copies a piece into a place of its size. Names and values are short: two moves that overlap are
/// several times faster than the call of a general copy.
fn put(place: &mut [u8], piece: &[u8]) {
    fn ends<const N: usize>(place: &mut [u8], piece: &[u8]) {
        if let (Some(first), Some(last)) = (piece.first_chunk::<N>(), piece.last_chunk::<N>()) {
            if let Some(place) = place.first_chunk_mut::<N>() {
                *place = *first;
            }
            if let Some(place) = place.last_chunk_mut::<N>() {
                *place = *last;
            }
        }
    }
    match piece.len() {
        4..=7 => ends::<4>(place, piece),
        8..=16 => ends::<8>(place, piece),
        17..=32 => ends::<16>(place, piece),
        _ => place.copy_from_slice(piece),
    }
}

/// Returns what the shape signs of the path.
fn signed_part(shape: Shape, path: &str) -> &str {
    if shape.signs_path() { path } else { "" }
}

/// The length of the base string, with the signature parameter if it is there.
fn length(path: &str, pairs: &[Pair<'_>], body: &[u8]) -> usize {
    path.len() + pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + body.len()
}

/// The pieces of the base string, in order.
fn pieces<'a>(
    shape: Shape,
    path: &'a str,
    pairs: &'a [Pair<'a>],
    body: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let left_out = shape.signature_param();
    let signed = pairs.iter().filter(move |(name, _)| *name != left_out);
    let pairs = signed.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    [path.as_bytes()].into_iter().chain(pairs).chain([body])
}
