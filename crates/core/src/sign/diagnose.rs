//! Finds out what a wrong signature was made of.
//!
//! A gateway says that a signature is wrong, and no more. Here the mistakes are tried that SDKs and
//! tutorials make, alone and together, until one of them gives the signature.

use std::{borrow::Cow, cmp::Ordering};

use super::{
    Order, Pair, Signature,
    digest::Hash,
    mistakes::{Apply, Kind, Mistake, Sorting, Spelling, WrongSignature, mistakes, raw},
    other_times,
};
use crate::Shape;

/// The number of bytes of base strings that are digested in search of the mistake.
const BUDGET: usize = 4 << 20;
/// Says, as sentences, which known mistakes give a wrong signature; empty if none does.
///
/// Names of parameters that stand in a sentence come from the request; values never do. The work is
/// bounded, so that a request of many parameters costs no more than a few milliseconds.
///
/// ```
/// use sesame_core::{AppSecret, Shape, sign::{Digest, SigningKey, WrongSignature, diagnose, sign}};
///
/// let secret = AppSecret::new("helloworld");
/// let pairs = [("app_key", "123456"), ("order_id", "1")];
/// let key = SigningKey::new(Digest::HmacSha256, &secret);
/// let made = sign(&key, Shape::IopSync, "", &pairs, b"");
/// let said = diagnose(&WrongSignature {
///     signature: made.as_str(),
///     secret: &secret,
///     app_key: "123456",
///     shape: Shape::IopRest,
///     digest: Digest::HmacSha256,
///     path: "/order/get",
///     pairs: &pairs,
///     body: b"",
///     others: &[],
///     bases: &[],
/// });
/// assert_eq!(said, ["it matches when the path in front is left out"]);
/// ```
pub fn diagnose(wrong: &WrongSignature<'_>) -> Vec<String> {
    let given = wrong.signature.trim().to_ascii_uppercase();
    if !matches!(given.len(), 32 | 40 | 64) || !given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return vec![format!(
            "the signature that came has {} characters; {} gives {} hexadecimal digits (hex, not base64)",
            wrong.signature.chars().count(),
            wrong.digest.described(),
            wrong.digest.hex_len(),
        )];
    }
    let mut found = Vec::new();
    let changes = mistakes(wrong, given.len());
    let mut search = Search { wrong, given: &given, budget: BUDGET };
    if let Some(says) = search.run(&changes) {
        found.push(says);
    } else if search.budget == 0 {
        found.push(
            "not all combinations of known mistakes could be tried; a request with fewer, shorter parameters allows more"
                .to_owned(),
        );
    }
    if given.len() != wrong.digest.hex_len() {
        found.push(format!(
            "the signature that came has {} digits; {} gives {}",
            given.len(),
            wrong.digest.described(),
            wrong.digest.hex_len(),
        ));
    }
    found
}

/// How a signature is made: the right way at first, then with mistakes.
#[derive(Clone)]
struct Recipe<'a> {
    hash: Hash,
    secret: Cow<'a, str>,
    front: Cow<'a, str>,
    pairs: Cow<'a, [(Cow<'a, str>, Cow<'a, str>)]>,
    sorting: Sorting,
    between: (&'static str, &'static str),
    spelling: Spelling,
    body: &'a [u8],
}

struct Search<'a> {
    wrong: &'a WrongSignature<'a>,
    given: &'a str,
    budget: usize,
}

impl<'a> Search<'a> {
    /// Tries each mistake alone, then two, then three together; three of the kinds that whole tutorials
    /// get wrong, since all of them are too many.
    fn run(&mut self, changes: &[Mistake<'a>]) -> Option<String> {
        let right = Recipe {
            hash: Hash::Keyed(self.wrong.digest),
            secret: self.wrong.secret.expose().into(),
            front: if self.wrong.shape.signs_path() { self.wrong.path } else { "" }.into(),
            pairs: raw(self.wrong.pairs).into(),
            sorting: Sorting::Documented,
            between: ("", ""),
            spelling: Spelling::Utf8,
            body: self.wrong.body,
        };
        let few = changes.iter().position(|change| change.kind == Kind::Spelling).unwrap_or(changes.len());
        for (depth, changes) in [(1, changes), (2, changes), (3, &changes[..few])] {
            let mut chosen = Vec::with_capacity(depth);
            if let Some(says) = self.deeper(changes, depth, &right, &mut chosen) {
                return Some(says);
            }
            if depth == 1
                && let Some(says) = self.another_time(&right)
            {
                return Some(says);
            }
        }
        None
    }

    /// Tries times that are near, as of a caller that reads its clock once to sign and once to send. They
    /// take half of the budget at most.
    fn another_time(&mut self, right: &Recipe<'a>) -> Option<String> {
        for (at, value) in other_times::times(self.wrong.pairs) {
            let mut recipe = right.clone();
            for (near, far) in other_times::near(value) {
                if self.budget < BUDGET / 2 {
                    return None;
                }
                recipe.pairs.to_mut()[at].1 = near.into();
                if self.fits(&recipe) {
                    let name = self.wrong.pairs[at].0;
                    return Some(format!(
                        "it matches when `{name}` is {far}: it was taken anew after signing; sign the text that is sent"
                    ));
                }
            }
        }
        None
    }

    fn deeper<'b>(
        &mut self,
        changes: &'b [Mistake<'a>],
        depth: usize,
        recipe: &Recipe<'a>,
        chosen: &mut Vec<&'b Mistake<'a>>,
    ) -> Option<String> {
        for (at, change) in changes.iter().enumerate() {
            if self.budget == 0 {
                return None;
            }
            if chosen.iter().any(|known| known.kind == change.kind) {
                continue;
            }
            let changed = change.applied(recipe);
            chosen.push(change);
            let found = if depth > 1 {
                self.deeper(&changes[at + 1..], depth - 1, &changed, chosen)
            } else if self.fits(&changed) {
                Some(match chosen.as_slice() {
                    [one] => format!("it matches when {}", one.says),
                    several => {
                        let says: Vec<&str> = several.iter().map(|change| change.says.as_str()).collect();
                        format!("it matches with these mistakes together: {}", says.join("; "))
                    }
                })
            } else {
                None
            };
            chosen.pop();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn fits(&mut self, recipe: &Recipe<'_>) -> bool {
        if recipe.hash.hex_len() != self.given.len() {
            return false;
        }
        let size: usize = 64
            + recipe.front.len()
            + recipe.body.len()
            + recipe.pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if size > self.budget {
            self.budget = 0;
            return false;
        }
        self.budget -= size;
        recipe.sign(self.wrong.shape).as_str() == self.given
    }
}

impl<'a> Mistake<'a> {
    fn applied(&self, recipe: &Recipe<'a>) -> Recipe<'a> {
        let mut recipe = recipe.clone();
        match &self.apply {
            Apply::Hash(hash) => recipe.hash = *hash,
            Apply::Front(front) => recipe.front = front.clone().into(),
            Apply::Sorting(sorting) => recipe.sorting = *sorting,
            Apply::Pairs(pairs) => recipe.pairs = pairs.clone().into(),
            Apply::LeftOut(at) => {
                // Values may have been changed before, and empty ones dropped: then another is at this place.
                if *at < recipe.pairs.len() {
                    recipe.pairs.to_mut().remove(*at);
                }
            }
            Apply::Added(name, value) => {
                recipe.pairs.to_mut().push((name.clone().into(), value.clone().into()));
            }
            Apply::Between(equals, and) => recipe.between = (equals, and),
            Apply::Spelling(spelling) => recipe.spelling = *spelling,
            Apply::Secret(secret) => recipe.secret = secret.clone().into(),
            Apply::NoBody => recipe.body = b"",
        }
        recipe
    }
}

impl Recipe<'_> {
    fn sign(&self, shape: Shape) -> Signature {
        let left_out = shape.signature_param();
        let mut sorted: Vec<Pair<'_>> = self
            .pairs
            .iter()
            .filter(|(name, _)| name != left_out)
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .collect();
        let order = match self.sorting {
            Sorting::Documented => Some(Order::of(shape)),
            Sorting::By(order) => Some(order),
            Sorting::Locale | Sorting::AsCame => None,
        };
        if let Some(order) = order {
            sorted.sort_by(|left, right| order.compare(left, right));
        } else if self.sorting == Sorting::Locale {
            sorted.sort_by(|left, right| by_locale(left.0, right.0));
        }
        let mut text = String::from(self.front.as_ref());
        for (at, (name, value)) in sorted.into_iter().enumerate() {
            if at > 0 {
                text.push_str(self.between.1);
            }
            text.push_str(name);
            text.push_str(self.between.0);
            text.push_str(value);
        }
        let mut text = match self.spelling {
            Spelling::Utf8 => text.into_bytes(),
            Spelling::Lower => text.to_lowercase().into_bytes(),
            Spelling::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        };
        text.extend_from_slice(self.body);
        self.hash.digest(&self.secret, &text)
    }
}

/// Orders names roughly as a collation does: case does not count, punctuation before digits before
/// letters, small before capital when all else is equal.
fn by_locale(left: &str, right: &str) -> Ordering {
    let folded = |text: &str| -> Vec<(u8, char)> {
        text.chars()
            .map(|c| {
                let class = if c.is_alphabetic() { 2 } else { u8::from(c.is_ascii_digit()) };
                (class, c.to_ascii_lowercase())
            })
            .collect()
    };
    folded(left).cmp(&folded(right)).then_with(|| right.cmp(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_order_is_that_of_the_recorded_client() {
        let mut names = ["SKU", "app_key", "image1", "image_2", "simplify", "method", "sign_method"];
        names.sort_by(|left, right| by_locale(left, right));
        assert_eq!(names, ["app_key", "image_2", "image1", "method", "sign_method", "simplify", "SKU"]);
    }
}
