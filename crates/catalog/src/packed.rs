//! Reads the packed entries of the catalog.
//!
//! `build/pack.rs` writes them. An entry is JSON of which texts and lists of keys are replaced by their
//! numbers in a table. A value starts with a number in LEB128, whose lowest two bits say what it is:
//!
//! | bits | value | the other bits | what follows |
//! |---|---|---|---|
//! | 0 | text | number of the text | |
//! | 1 | object | number of its list of keys | a value for each key |
//! | 2 | list | length | the values |
//! | 3 | the rest | 0 null, 1 false, 2 true, 3 whole, 4 negative, 5 fraction | the number: LEB128, or eight bytes |

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, IntoDeserializer as _, MapAccess, SeqAccess, Visitor},
};

/// Why bytes cannot be read as an entry: only a damaged program holds such bytes.
pub(crate) type Damage = de::value::Error;

/// Where texts and lists of keys are looked up.
pub(crate) trait Lookup {
    /// Returns a text.
    fn text(&self, number: usize) -> Option<&'static str>;
    /// Returns the keys of an object, as the numbers of their texts.
    fn keys(&self, shape: usize) -> Option<impl Iterator<Item = usize>>;
}

/// Reads one value from the start of `bytes`.
pub(crate) fn read<T: Deserialize<'static>>(words: &impl Lookup, bytes: &[u8]) -> Result<T, Damage> {
    T::deserialize(&mut Cursor { words, bytes })
}

struct Cursor<'a, W> {
    words: &'a W,
    bytes: &'a [u8],
}

impl<W: Lookup> Cursor<'_, W> {
    fn number(&mut self) -> Result<u64, Damage> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some((byte, rest)) = self.bytes.split_first() else { break };
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    fn text(&self, number: u64) -> Result<&'static str, Damage> {
        usize::try_from(number).ok().and_then(|number| self.words.text(number)).ok_or_else(damaged)
    }
}

fn damaged() -> Damage {
    de::Error::custom("cut or damaged")
}

impl<W: Lookup> de::Deserializer<'static> for &mut Cursor<'_, W> {
    type Error = Damage;

    fn deserialize_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Damage> {
        let head = self.number()?;
        let rest = head >> 2;
        match head & 3 {
            0 => visitor.visit_borrowed_str(self.text(rest)?),
            1 => {
                let words = self.words;
                let shape = usize::try_from(rest).map_err(|_| damaged())?;
                let keys = words.keys(shape).ok_or_else(damaged)?;
                visitor.visit_map(Members { reader: self, keys })
            }
            2 => visitor.visit_seq(Items { reader: self, left: rest }),
            _ => match rest {
                0 => visitor.visit_unit(),
                1 => visitor.visit_bool(false),
                2 => visitor.visit_bool(true),
                3 => visitor.visit_u64(self.number()?),
                4 => {
                    let number = i64::try_from(self.number()?).map_err(|_| damaged())?;
                    visitor.visit_i64(-number)
                }
                _ => {
                    let (eight, rest) = self.bytes.split_first_chunk().ok_or_else(damaged)?;
                    self.bytes = rest;
                    visitor.visit_f64(f64::from_le_bytes(*eight))
                }
            },
        }
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Damage> {
        // A key that is there has a value.
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Damage> {
        let number = self.number()?;
        visitor.visit_enum(self.text(number >> 2)?.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'static>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a, 'b, W> {
    reader: &'a mut Cursor<'b, W>,
    left: u64,
}

impl<W: Lookup> SeqAccess<'static> for Items<'_, '_, W> {
    type Error = Damage;

    fn next_element_seed<T: DeserializeSeed<'static>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Damage> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

struct Members<'a, 'b, W, K> {
    reader: &'a mut Cursor<'b, W>,
    keys: K,
}

impl<W: Lookup, K: Iterator<Item = usize>> MapAccess<'static> for Members<'_, '_, W, K> {
    type Error = Damage;

    fn next_key_seed<T: DeserializeSeed<'static>>(&mut self, seed: T) -> Result<Option<T::Value>, Damage> {
        let Some(number) = self.keys.next() else { return Ok(None) };
        let key = self.reader.words.text(number).ok_or_else(damaged)?;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'static>>(&mut self, seed: T) -> Result<T::Value, Damage> {
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::pack;

    /// What was packed, in memory that is never given back.
    struct Packed(Vec<&'static str>, Vec<Vec<usize>>);

    impl Lookup for Packed {
        fn text(&self, number: usize) -> Option<&'static str> {
            self.0.get(number).copied()
        }

        fn keys(&self, shape: usize) -> Option<impl Iterator<Item = usize>> {
            self.1.get(shape).map(|keys| keys.iter().copied())
        }
    }

    fn pack(value: &Json) -> (Packed, Vec<u8>) {
        let mut counts = pack::Counts::default();
        counts.add(value);
        let packer = counts.packer();
        let mut bytes = Vec::new();
        packer.write(value, &mut bytes);
        let texts = packer.texts().iter().map(|text| &*text.clone().leak()).collect();
        let shapes = packer.shapes().iter().map(|shape| shape.iter().map(|key| *key as usize).collect());
        (Packed(texts, shapes.collect()), bytes)
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            (-i64::MAX..0).prop_map(Json::from),
            (-1.0e9..1.0e9).prop_map(|number: f64| Json::from(number)),
            "\\PC{0,8}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                prop::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_again(value in any_json()) {
            let (words, bytes) = pack(&value);
            prop_assert_eq!(read::<Json>(&words, &bytes).unwrap(), value);
        }

        #[test]
        fn damaged_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let (words, whole) = pack(&json!({ "a": [1, -2, 0.5, true, "text"], "b": { "a": null } }));
            let _ = read::<Json>(&words, &bytes);
            for cut in 0..whole.len() {
                prop_assert!(read::<Json>(&words, &whole[..cut]).is_err(), "{cut}");
            }
        }
    }
}
