//! Packs JSON for `src/packed.rs`, which says how it looks.

use std::collections::HashMap;

use serde_json::Value as Json;

/// How often each text and each list of keys comes: the most frequent ones get the shortest numbers.
#[derive(Default)]
pub(crate) struct Counts {
    texts: HashMap<String, u32>,
    shapes: HashMap<Vec<String>, u32>,
}

impl Counts {
    /// Counts what is in a value.
    pub(crate) fn add(&mut self, value: &Json) {
        match value {
            Json::String(text) => self.text(text),
            Json::Array(items) => items.iter().for_each(|item| self.add(item)),
            Json::Object(members) => {
                let keys: Vec<String> = members.keys().cloned().collect();
                for key in &keys {
                    self.text(key);
                }
                *self.shapes.entry(keys).or_default() += 1;
                members.values().for_each(|value| self.add(value));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    /// Counts a text.
    pub(crate) fn text(&mut self, text: &str) {
        match self.texts.get_mut(text) {
            Some(count) => *count += 1,
            None => drop(self.texts.insert(text.to_owned(), 1)),
        }
    }

    /// Gives everything its number.
    pub(crate) fn packer(self) -> Packer {
        let texts = by_frequency(self.texts);
        let text_numbers = numbered(&texts);
        let keys = by_frequency(self.shapes);
        let shapes = keys.iter().map(|keys| keys.iter().map(|key| text_numbers[key]).collect()).collect();
        Packer { shape_numbers: numbered(&keys), text_numbers, texts, shapes }
    }
}

fn by_frequency<T: Ord>(counts: HashMap<T, u32>) -> Vec<T> {
    let mut all: Vec<(T, u32)> = counts.into_iter().collect();
    all.sort_by(|(a, left), (b, right)| right.cmp(left).then_with(|| a.cmp(b)));
    all.into_iter().map(|(one, _)| one).collect()
}

fn numbered<T: Clone + Eq + std::hash::Hash>(all: &[T]) -> HashMap<T, u32> {
    all.iter().cloned().zip(0..).collect()
}

/// Writes values whose texts and keys were counted.
pub(crate) struct Packer {
    texts: Vec<String>,
    text_numbers: HashMap<String, u32>,
    shapes: Vec<Vec<u32>>,
    shape_numbers: HashMap<Vec<String>, u32>,
}

impl Packer {
    /// Returns all texts by number.
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Returns all lists of keys by number, the keys as the numbers of their texts.
    pub(crate) fn shapes(&self) -> &[Vec<u32>] {
        &self.shapes
    }

    /// Returns the number of a text that was counted.
    pub(crate) fn text(&self, text: &str) -> u32 {
        self.text_numbers[text]
    }

    /// Appends a value.
    pub(crate) fn write(&self, value: &Json, out: &mut Vec<u8>) {
        let mut head = |rest: u64, kind: u64| leb128(rest << 2 | kind, out);
        match value {
            Json::Null => head(0, 3),
            Json::Bool(yes) => head(1 + u64::from(*yes), 3),
            Json::String(text) => head(u64::from(self.text(text)), 0),
            Json::Array(items) => {
                head(items.len() as u64, 2);
                for item in items {
                    self.write(item, out);
                }
            }
            Json::Object(members) => {
                let keys: Vec<String> = members.keys().cloned().collect();
                head(u64::from(self.shape_numbers[&keys]), 1);
                members.values().for_each(|value| self.write(value, out));
            }
            Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(whole), ..) => {
                    head(3, 3);
                    leb128(whole, out);
                }
                (_, Some(negative), _) => {
                    head(4, 3);
                    leb128(negative.unsigned_abs(), out);
                }
                (.., fraction) => {
                    head(5, 3);
                    out.extend_from_slice(&fraction.unwrap_or_default().to_le_bytes());
                }
            },
        }
    }
}

fn leb128(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}
