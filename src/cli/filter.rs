//! `--filter KEY=VALUE`, as the lists and the prunes take it.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::CliError;

/// The filters of one command.
#[derive(Clone, Debug, Default)]
pub struct Filters(Vec<(String, String)>);

impl Filters {
    /// Reads them. `known` are the keys of this command; `label!` stands for what
    /// a thing must not have.
    ///
    /// # Errors
    /// When one has no value, or a key that the command does not know.
    pub fn parse(args: &[String], known: &[&str]) -> Result<Filters, CliError> {
        let mut all = Vec::new();
        for arg in args {
            let Some((key, value)) = arg.split_once('=') else {
                return Err(CliError::new(format!("invalid filter {arg:?}: it is not KEY=VALUE"))
                    .hint(format!("the keys are {}", known.join(", "))));
            };
            let key = key.trim().to_lowercase();
            if !known.contains(&key.as_str()) {
                return Err(CliError::new(format!("invalid filter {key:?}"))
                    .hint(format!("the keys are {}", known.join(", "))));
            }
            all.push((key, value.trim().to_owned()));
        }
        Ok(Filters(all))
    }

    /// The values of a key.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// All but those of one key.
    pub fn without(&self, key: &str) -> Filters {
        Filters(self.0.iter().filter(|(k, _)| k != key).cloned().collect())
    }

    /// Whether the key is absent, or one of its values fits.
    pub fn any(&self, key: &str, fits: impl FnMut(&str) -> bool) -> bool {
        self.values(key).next().is_none() || self.values(key).any(fits)
    }

    /// The last value of a key that is true or false.
    ///
    /// # Errors
    /// When it is something else.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, CliError> {
        self.values(key).last().map_or(Ok(None), |value| match value.to_lowercase().as_str() {
            "true" | "1" | "t" => Ok(Some(true)),
            "false" | "0" | "f" => Ok(Some(false)),
            _ => Err(CliError::new(format!("invalid filter {key}={value}: it is true or false"))),
        })
    }

    /// Whether the labels fit every `label=` and none of `label!=`: `NAME`, or
    /// `NAME=VALUE`.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &str| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|v| v == value),
            None => labels.contains_key(wanted),
        };
        self.values("label").all(has) && !self.values("label!").any(has)
    }

    /// The moment of `until=`: a duration before `now`, seconds since 1970, or a
    /// date with or without a time.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn until(&self, now: Timestamp) -> Result<Option<Timestamp>, CliError> {
        self.values("until").last().map(|text| moment(text, now)).transpose()
    }
}

/// A moment as a user writes it; a duration counts back from `now`.
///
/// # Errors
/// When it is neither.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, CliError> {
    let of_duration = || now.checked_sub(duration(text)?).ok();
    let of_seconds = || {
        let seconds: f64 = text.parse().ok()?;
        Timestamp::from_millisecond((seconds * 1000.0) as i64).ok()
    };
    // A date without a zone is meant as the clock on the wall shows it.
    let of_date = || {
        let civil: DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp())
    };
    text.parse::<Timestamp>().ok().or_else(of_seconds).or_else(of_duration).or_else(of_date).ok_or_else(
        || {
            CliError::new(format!("invalid filter until={text}: it is no moment"))
                .hint("a duration such as 24h, or a moment such as 2026-01-31 or 2026-01-31T12:00:00Z")
        },
    )
}

/// `1h30m`, `45s`, `100ms`.
fn duration(text: &str) -> Option<SignedDuration> {
    let mut total = 0f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
        let number: f64 = rest[..digits].parse().ok()?;
        total += number
            * match &rest[digits..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    (!text.is_empty()).then(|| SignedDuration::try_from_secs_f64(total).ok()).flatten()
}

/// Whether a text fits a pattern of `*`, `?` and `[a-z]`; neither of the first
/// two takes a `/`.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') if text[t] != '/' => Some(1),
            Some('[') => class(&pattern[p..], text[t]),
            Some('\\') if pattern.get(p + 1) == Some(&text[t]) => Some(2),
            Some(c) if *c == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(n), _) => {
                p += n;
                t += 1;
            }
            (None, Some((after, taken))) if text[taken] != '/' => {
                star = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The length of the class at the beginning of the pattern, if it has this sign.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let (negated, inner) = match pattern[1] {
        '^' | '!' => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut found = false;
    let mut i = 0;
    while i < inner.len() {
        if i + 2 < inner.len() && inner[i + 1] == '-' {
            found |= (inner[i]..=inner[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= inner[i] == c;
            i += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(args: &[&str]) -> Filters {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Filters::parse(&args, &["label", "label!", "until", "dangling", "reference"]).unwrap()
    }

    #[test]
    fn keys_and_labels() {
        assert!(Filters::parse(&["x".into()], &["label"]).is_err());
        let unknown = Filters::parse(&["x=1".into()], &["label", "until"]).unwrap_err();
        assert_eq!(unknown.hint.as_deref(), Some("the keys are label, until"));
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        for (args, fits) in [
            (&[][..], true),
            (&["label=a"], true),
            (&["label=a=1", "label=b"], true),
            (&["label=a=2"], false),
            (&["label=c"], false),
            (&["label!=a"], false),
            (&["label!=a=2"], true),
        ] {
            assert_eq!(filters(args).labels(&labels), fits, "{args:?}");
        }
        assert_eq!(filters(&["dangling=true"]).boolean("dangling").unwrap(), Some(true));
        assert!(filters(&["dangling=maybe"]).boolean("dangling").is_err());
    }

    #[test]
    fn moments() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        for (text, want) in [
            ("24h", "2026-03-01T12:00:00Z"),
            ("1h30m", "2026-03-02T10:30:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T10:00:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00Z"),
            ("0", "1970-01-01T00:00:00Z"),
        ] {
            let got = filters(&[&format!("until={text}")]).until(now).unwrap().unwrap();
            assert_eq!(got.to_string(), want, "{text}");
        }
        for bad in ["", "yesterday", "5x", "h"] {
            assert!(filters(&[&format!("until={bad}")]).until(now).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("busy*", "busybox", true),
            ("*box", "busybox", true),
            ("b?sybox", "busybox", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("*:latest", "box:latest", true),
            ("b[a-z]x", "box", true),
            ("b[^o]x", "box", false),
            ("box", "boxes", false),
            ("[", "[", false),
            ("", "", true),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
