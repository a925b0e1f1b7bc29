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
            Self::Name => left.0.cmp(right.0).then_with(|| left.1.cmp(right.1)),
        }
    }
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
    let path = if shape.signs_path() { path.as_bytes() } else { b"" };
    let length: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let mut text = Vec::with_capacity(path.len() + length + body.len());
    let left_out = shape.signature_param();
    text.extend_from_slice(path);
    for (name, value) in pairs {
        if *name != left_out {
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(value.as_bytes());
        }
    }
    text.extend_from_slice(body);
    text
}
