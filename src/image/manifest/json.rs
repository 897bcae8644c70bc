//! JSON read strictly: no key of an object twice. Go's readers, and so those of
//! other engines, ignore the case of the keys that they know; so keys that
//! differ only in case are one key where the specification names it.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::ManifestError;

/// Reads one JSON document. Its depth is bounded by serde_json (128).
///
/// # Errors
/// [`ManifestError::Json`] or [`ManifestError::Duplicate`].
pub fn parse(bytes: &[u8]) -> Result<Value, ManifestError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let twice = std::cell::RefCell::new(None);
    let value = Strict { twice: &twice }.deserialize(&mut reader).and_then(|v| reader.end().map(|()| v));
    value.map_err(|e| match twice.take() {
        Some(key) => ManifestError::Duplicate(key),
        None => ManifestError::Json(e.to_string()),
    })
}

/// Names that manifests, indexes and configs give a meaning.
const KNOWN: &[&str] = &[
    "annotations",
    "architecture",
    "artifacttype",
    "config",
    "created",
    "data",
    "diff_ids",
    "digest",
    "history",
    "layers",
    "manifests",
    "mediatype",
    "os",
    "platform",
    "rootfs",
    "schemaversion",
    "size",
    "subject",
    "type",
    "urls",
    "variant",
];

#[derive(Clone, Copy)]
struct Strict<'a> {
    twice: &'a std::cell::RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (mut map, mut known) = (Map::new(), BTreeSet::new());
        while let Some(key) = entries.next_key::<String>()? {
            let lower = key.to_ascii_lowercase();
            let again = map.contains_key(&key) || KNOWN.contains(&lower.as_str()) && !known.insert(lower);
            if again {
                *self.twice.borrow_mut() = Some(key);
                return Err(A::Error::custom("a key twice"));
            }
            let value = entries.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
