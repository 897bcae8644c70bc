//! Values in events. A value that differs from run to run carries its kind.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The kind of a volatile value: it gives the value's name when it is redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Pid,
    Container,
    Image,
    Digest,
    /// A moment.
    Time,
    /// A span.
    Duration,
    Inode,
    /// The inode of a namespace.
    Namespace,
    Address,
    Mac,
    /// A network interface named by glassbox.
    Link,
    /// An interface index.
    Index,
    /// A mount id of mountinfo.
    Mount,
    /// A path that depends on the machine or on the run (store root, temporary).
    Path,
    Port,
    /// A number of bytes that differs from run to run.
    Bytes,
    /// A file descriptor.
    Fd,
    Device,
    /// The release of the kernel.
    Release,
    /// The host's own name.
    Host,
    /// Anything else that differs.
    Other,
}

impl Kind {
    /// As it stands in a redacted name: `pid`, `container`, ….
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pid => "pid",
            Kind::Container => "container",
            Kind::Image => "image",
            Kind::Digest => "digest",
            Kind::Time => "time",
            Kind::Duration => "duration",
            Kind::Inode => "inode",
            Kind::Namespace => "namespace",
            Kind::Address => "address",
            Kind::Mac => "mac",
            Kind::Link => "link",
            Kind::Index => "index",
            Kind::Mount => "mount",
            Kind::Path => "path",
            Kind::Port => "port",
            Kind::Bytes => "bytes",
            Kind::Fd => "fd",
            Kind::Device => "device",
            Kind::Release => "release",
            Kind::Host => "host",
            Kind::Other => "other",
        }
    }
}

/// A value of a call's argument, a fact, or a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// The same in every run of the same command.
    Int(i64),
    /// The same, apart from volatile values that other events declare: the
    /// redactor replaces those wherever they stand inside a text.
    Text(String),
    /// Differs from run to run.
    Volatile {
        /// What it is.
        kind: Kind,
        /// The value, as text.
        value: String,
    },
}

impl Value {
    /// A volatile value.
    pub fn volatile(kind: Kind, value: impl fmt::Display) -> Self {
        Value::Volatile { kind, value: value.to_string() }
    }

    /// The value as text, without its kind.
    pub fn text(&self) -> String {
        self.to_string()
    }
}

/// By the first token, where serde's own way tries one variant after the other: init
/// sends hundreds of these in a run that is watched.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, or a value with its kind")
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Value, E> {
        let of_range = |_| E::invalid_value(Unexpected::Unsigned(n), &self);
        i64::try_from(n).map(Value::Int).map_err(of_range)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        #[derive(Deserialize)]
        struct Volatile {
            kind: Kind,
            value: String,
        }
        let Volatile { kind, value } = Volatile::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Value::Volatile { kind, value })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => write!(f, "{n}"),
            Value::Text(t) | Value::Volatile { value: t, .. } => f.write_str(t),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}
