//! The words of an instruction, as a shell takes them apart: quotes, escapes, and
//! variables of the image's environment. No I/O.

/// Splits at spaces outside of quotes, takes the quotes away, and puts in the
/// values of `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}`.
///
/// # Errors
/// A fragment: an unclosed quote or an unknown form of a variable.
pub fn split(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a quote ' is not closed".into()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') if matches!(chars.peek(), Some('"' | '\\' | '$')) => {
                            word.extend(chars.next())
                        }
                        Some('$') => word.push_str(&variable(&mut chars, env)?),
                        Some(c) => word.push(c),
                        None => return Err("a quote \" is not closed".into()),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '$' => {
                let value = variable(&mut chars, env)?;
                word.get_or_insert_default().push_str(&value);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn variable(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    if chars.peek() != Some(&'{') {
        let mut name = String::new();
        while chars.peek().is_some_and(is_name) {
            name.extend(chars.next());
        }
        return Ok(if name.is_empty() { "$".to_owned() } else { env(&name).unwrap_or_default() });
    }
    let inner: String = chars.skip(1).take_while(|c| *c != '}').collect();
    let at = inner.find(|c: char| !is_name(&c)).unwrap_or(inner.len());
    let (name, rest) = inner.split_at(at);
    let value = env(name).filter(|v| !v.is_empty());
    match (name.is_empty(), rest.get(..2), rest.get(2..)) {
        (false, None, _) if rest.is_empty() => Ok(env(name).unwrap_or_default()),
        (false, Some(":-"), Some(word)) => Ok(value.unwrap_or_else(|| word.to_owned())),
        (false, Some(":+"), Some(word)) => Ok(value.map_or(String::new(), |_| word.to_owned())),
        _ => {
            Err(format!("${{{inner}}} is not supported; ${{NAME}}, ${{NAME:-word}} and ${{NAME:+word}} are"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_shell_does() {
        let env = |name: &str| match name {
            "A" => Some("one two".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let table: &[(&str, &[&str])] = &[
            ("a  b\tc", &["a", "b", "c"]),
            ("'a b' \"c d\" e\\ f", &["a b", "c d", "e f"]),
            ("x=\"a \\\"q\\\"\" y=''", &["x=a \"q\"", "y="]),
            ("$A ${A}x '$A' \\$A", &["one two", "one twox", "$A", "$A"]),
            ("${B:-d} ${EMPTY:-d} ${A:+s} ${B:+s}e $", &["d", "d", "s", "e", "$"]),
            ("", &[]),
        ];
        for (text, want) in table {
            assert_eq!(split(text, &env).unwrap(), *want, "{text}");
        }
        for bad in ["'a", "\"a", "${A#x}", "${}"] {
            assert!(split(bad, &env).is_err(), "{bad}");
        }
    }
}
