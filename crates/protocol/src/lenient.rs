//! What older clients send where this protocol has a type of its own.

use core::fmt;
use core::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Any JSON, as JavaScript takes it in a condition.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(Truth)
}

/// A text; anything else counts as none.
pub(crate) fn text<'de, D, S>(deserializer: D) -> Result<Option<S>, D::Error>
where
    D: Deserializer<'de>,
    S: Deserialize<'de>,
{
    deserializer.deserialize_any(Text(PhantomData))
}

struct Truth;

struct Text<S>(PhantomData<S>);

impl<'de> Visitor<'de> for Truth {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(value != 0)
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(value != 0)
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(value != 0.0)
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        Ok(!value.is_empty())
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(true)
    }
}

impl<'de, S: Deserialize<'de>> Visitor<'de> for Text<S> {
    type Value = Option<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Option<S>, E> {
        S::deserialize(BorrowedStrDeserializer::new(value)).map(Some)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Option<S>, E> {
        S::deserialize(StrDeserializer::new(value)).map(Some)
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Option<S>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Option<S>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Option<S>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Option<S>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<S>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<S>, A::Error> {
        Truth.visit_seq(seq).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<S>, A::Error> {
        Truth.visit_map(map).map(|_| None)
    }
}
