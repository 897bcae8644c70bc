//! The small types that lesson files are made of. Each refuses a bad value when it
//! is read, so that the error carries the line.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::narrate::Lang;

/// Every language of the lessons.
pub const LANGS: [Lang; 2] = [Lang::En, Lang::ZhCn];

/// A text that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line(String);

impl Line {
    /// The text, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Line {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.trim() {
            "" => Err("a text is empty"),
            text => Ok(Line(text.to_owned())),
        }
    }
}

impl From<Line> for String {
    fn from(line: Line) -> String {
        line.0
    }
}

/// One text in every language. Both must be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// English.
    pub en: Line,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    pub zh_cn: Line,
}

impl Text {
    /// The text in one language.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => self.en.as_str(),
            Lang::ZhCn => self.zh_cn.as_str(),
        }
    }
}

/// A name for lessons, exercises, recordings and containers: lowercase letters,
/// digits and dashes, beginning with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if first && rest {
            Ok(Id(name))
        } else {
            Err(format!(
                "`{name}` is no name here: lowercase letters, digits and dashes, beginning with a letter"
            ))
        }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.0
    }
}

/// An absolute path as the container sees it, without `.`, `..`, empty parts or an
/// end slash; never the root itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LayerPath(String);

impl LayerPath {
    /// The path, beginning with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path relative to the root.
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }
}

impl fmt::Display for LayerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for LayerPath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let good = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        match path.strip_prefix('/') {
            Some(parts) if parts.split('/').all(good) => Ok(LayerPath(path)),
            _ => Err(format!("`{path}` is not a plain absolute path")),
        }
    }
}

impl From<LayerPath> for String {
    fn from(path: LayerPath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_plain() {
        for good in ["/etc/motd", "/a", "/a b/..c"] {
            assert!(LayerPath::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "/", "etc/motd", "/etc/", "//etc", "/etc/../x", "/./x", "/a\0"] {
            assert!(LayerPath::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_plain() {
        for good in ["cow1", "copy-on-write", "a"] {
            assert!(Id::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "A", "a_b", "写"] {
            assert!(Id::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
