//! Patterns with `*`, `?` and `[…]`, POSIX.1-2024 XCU 2.14, and the names of
//! files that match one.

use crate::userland::text::join;
use crate::userland::{FileType, Sys};

/// A character and whether quotes took its special meaning.
pub type Ch = (char, bool);

/// Whether the pattern has anything special.
pub fn is_pattern(pattern: &[Ch]) -> bool {
    pattern.iter().any(|(c, quoted)| !quoted && matches!(c, '*' | '?' | '['))
}

/// Whether all of `text` matches.
pub fn matches(pattern: &[Ch], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(('*', false)) => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(('?', false)) => Some(1),
            Some(('[', false)) => match bracket(&pattern[p..], text[t]) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (text[t] == '[').then_some(1),
            },
            Some((c, _)) => (*c == text[t]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == ('*', false))
}

/// Whether a bracket expression matches, and its length. `None`: no bracket
/// expression.
fn bracket(pattern: &[Ch], c: char) -> Option<(bool, usize)> {
    let mut i = 1;
    let negated = matches!(pattern.get(i), Some(('!' | '^', false)));
    i += usize::from(negated);
    let first = i;
    let mut hit = false;
    loop {
        let (low, quoted) = *pattern.get(i)?;
        if low == ']' && !quoted && i > first {
            return Some((hit != negated, i + 1));
        }
        if low == '[' && !quoted && pattern.get(i + 1).is_some_and(|n| n.0 == ':') {
            let name: String = pattern[i + 2..].iter().map(|x| x.0).take_while(|x| *x != ':').collect();
            let after = i + 2 + name.chars().count();
            if pattern.get(after + 1).is_some_and(|x| x.0 == ']') {
                hit |= in_class(&name, c);
                i = after + 2;
                continue;
            }
        }
        let range = pattern.get(i + 1) == Some(&('-', false));
        match pattern.get(i + 2) {
            Some(high) if range && (high.0 != ']' || high.1) => {
                hit |= (low..=high.0).contains(&c);
                i += 3;
            }
            _ => {
                hit |= low == c;
                i += 1;
            }
        }
    }
}

/// A class as in `[[:digit:]]`.
pub fn in_class(name: &str, c: char) -> bool {
    match name {
        "alpha" => c.is_alphabetic(),
        "digit" => c.is_ascii_digit(),
        "alnum" => c.is_alphanumeric(),
        "upper" => c.is_uppercase(),
        "lower" => c.is_lowercase(),
        "space" => c.is_whitespace(),
        "blank" => c == ' ' || c == '\t',
        "punct" => c.is_ascii_punctuation(),
        "xdigit" => c.is_ascii_hexdigit(),
        "cntrl" => c.is_control(),
        "print" => !c.is_control(),
        "graph" => !c.is_control() && c != ' ',
        _ => false,
    }
}

/// The names that match, sorted. Hidden names need a dot in the pattern.
pub fn glob<S: Sys>(sys: &S, pattern: &[Ch]) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut rest = pattern;
    loop {
        let slashes = rest.iter().take_while(|c| c.0 == '/').count();
        for path in &mut found {
            path.extend(std::iter::repeat_n('/', slashes));
        }
        rest = &rest[slashes..];
        if rest.is_empty() {
            break;
        }
        let length = rest.iter().take_while(|c| c.0 != '/').count();
        let (part, after) = rest.split_at(length);
        found = found.iter().flat_map(|base| step(sys, base, part, !after.is_empty())).collect();
        rest = after;
    }
    found.sort();
    found
}

fn step<S: Sys>(sys: &S, base: &str, part: &[Ch], need_dir: bool) -> Vec<String> {
    let add = |name: &str| match base {
        "" => name.to_owned(),
        _ => join(base, name),
    };
    if !is_pattern(part) {
        let path = add(&part.iter().map(|c| c.0).collect::<String>());
        return if sys.lstat(&path).is_ok() { vec![path] } else { Vec::new() };
    }
    let dir = if base.is_empty() { "." } else { base };
    let hidden = part.first().is_some_and(|c| c.0 == '.');
    let Ok(entries) = sys.read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .into_iter()
        .filter(|e| hidden || !e.name.starts_with('.'))
        .filter(|e| !need_dir || matches!(e.kind, FileType::Dir | FileType::Symlink))
        .map(|e| e.name)
        .collect();
    if hidden {
        names.extend([".".to_owned(), "..".to_owned()]);
    }
    names
        .into_iter()
        .filter(|n| matches(part, &n.chars().collect::<Vec<_>>()))
        .map(|n| add(&n))
        .filter(|p| !need_dir || sys.stat(p).is_ok_and(|s| s.kind == FileType::Dir))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(pattern: &str, text: &str) -> bool {
        let pattern: Vec<Ch> = pattern.chars().map(|c| (c, false)).collect();
        matches(&pattern, &text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn table() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("*.tar.*", "x.tar.gz", true),
            ("?", "ab", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("[", "[", true),
            ("[a", "[a", true),
            ("[[:digit:]]*", "7up", true),
            ("[a-]", "-", true),
            ("a**b", "ab", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(yes(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn quoted_is_not_special() {
        assert!(!matches(&[('*', true)], &['a']));
        assert!(matches(&[('*', true)], &['*']));
    }

    #[test]
    fn many_stars_end_quickly() {
        assert!(!yes(&"a*".repeat(40), &"a".repeat(39)));
    }
}
