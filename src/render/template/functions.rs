//! The functions of a template: Go's own and Docker's.

use std::cmp::Ordering;
use std::ops::Range;

use serde_json::Value;

use super::Wrong;
use super::value::{kind, show, truth};

/// Name, and how its arguments are written.
const TABLE: [(&str, &str); 26] = [
    ("and", "and A B"),
    ("contains", "contains TEXT PART"),
    ("eq", "eq A B"),
    ("ge", "ge A B"),
    ("gt", "gt A B"),
    ("hasPrefix", "hasPrefix TEXT START"),
    ("index", "index LIST N, or index MAP \"key\""),
    ("join", "join LIST \", \""),
    ("json", "json VALUE"),
    ("le", "le A B"),
    ("len", "len VALUE"),
    ("lower", "lower TEXT"),
    ("lt", "lt A B"),
    ("ne", "ne A B"),
    ("not", "not A"),
    ("or", "or A B"),
    ("pad", "pad TEXT LEFT RIGHT"),
    ("print", "print A B"),
    ("printf", "printf \"%s\" A"),
    ("println", "println A"),
    ("replace", "replace TEXT OLD NEW"),
    ("slice", "slice TEXT FROM TO"),
    ("split", "split TEXT \":\""),
    ("title", "title TEXT"),
    ("truncate", "truncate TEXT LENGTH"),
    ("upper", "upper TEXT"),
];

/// Whether there is a function of this name.
pub fn exists(name: &str) -> bool {
    TABLE.iter().any(|(n, _)| *n == name)
}

/// What to write in place of an unknown name.
pub fn hint(name: &str) -> String {
    let lower = name.to_lowercase();
    match TABLE.iter().find(|(n, _)| n.to_lowercase() == lower) {
        Some((n, _)) => format!("did you mean {n}?"),
        None if name.starts_with(|c: char| c.is_uppercase()) => format!("a field begins with a dot: .{name}"),
        None => format!("there are {}", TABLE.map(|(n, _)| n).join(", ")),
    }
}

/// Calls a function. `heading`: of a table's heading, where what changes a value
/// leaves the heading's word as it is.
pub fn call(name: &str, args: &[Value], span: &Range<usize>, heading: bool) -> Result<Value, Wrong> {
    let usage = TABLE.iter().find(|(n, _)| *n == name).map_or("", |(_, usage)| *usage);
    let wrong = |reason: String| Wrong::new(span.clone(), reason).hint(format!("write {usage}"));
    let keeps = ["json", "split", "join", "title", "lower", "upper", "pad", "truncate", "slice", "replace"];
    if heading && keeps.contains(&name) {
        return args.first().cloned().ok_or_else(|| wrong(format!("{name} needs a value")));
    }
    let arity = match name {
        "json" | "len" | "lower" | "upper" | "title" | "not" => 1..=1,
        "join" | "split" | "truncate" | "ne" | "lt" | "le" | "gt" | "ge" | "contains" | "hasPrefix" => 2..=2,
        "pad" | "replace" => 3..=3,
        "slice" => 2..=3,
        "eq" => 2..=usize::MAX,
        "and" | "or" | "printf" | "index" => 1..=usize::MAX,
        _ => 0..=usize::MAX,
    };
    if !arity.contains(&args.len()) {
        return Err(wrong(format!("{name} takes another number of arguments than {}", args.len())));
    }
    let text = |i: usize| match &args[i] {
        Value::String(s) => Ok(s.as_str()),
        other => Err(wrong(format!("argument {} of {name} is {}, not a text", i + 1, kind(other)))),
    };
    let number = |i: usize| {
        let n = args[i].as_i64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= 1 << 20);
        n.ok_or_else(|| wrong(format!("argument {} of {name} is {}, not a number", i + 1, kind(&args[i]))))
    };
    Ok(match name {
        "json" => Value::from(args[0].to_string()),
        "len" => match &args[0] {
            Value::String(s) => Value::from(s.len()),
            Value::Array(items) => Value::from(items.len()),
            Value::Object(map) => Value::from(map.len()),
            Value::Null => Value::from(0),
            other => return Err(wrong(format!("{} has no length", kind(other)))),
        },
        "lower" => Value::from(text(0)?.to_lowercase()),
        "upper" => Value::from(text(0)?.to_uppercase()),
        "title" => Value::from(title(text(0)?)),
        "join" => match &args[0] {
            Value::Null => Value::from(""),
            Value::Array(items) => Value::from(items.iter().map(show).collect::<Vec<_>>().join(text(1)?)),
            other => return Err(wrong(format!("argument 1 of join is {}, not a list", kind(other)))),
        },
        "split" => match text(1)? {
            "" => text(0)?.chars().map(String::from).collect(),
            separator => text(0)?.split(separator).map(Value::from).collect(),
        },
        "truncate" => Value::from(text(0)?.chars().take(number(1)?).collect::<String>()),
        "contains" => Value::from(text(0)?.contains(text(1)?)),
        "hasPrefix" => Value::from(text(0)?.starts_with(text(1)?)),
        "replace" => Value::from(text(0)?.replace(text(1)?, text(2)?)),
        "pad" => match text(0)? {
            "" => Value::from(""),
            text => Value::from(format!("{}{text}{}", " ".repeat(number(1)?), " ".repeat(number(2)?))),
        },
        "slice" => {
            let to = if args.len() == 3 { number(2)? } else { usize::MAX };
            slice(&args[0], number(1)?, to).ok_or_else(|| wrong("nothing to slice there".into()))?
        }
        "index" => index(args, &wrong)?,
        "print" | "println" => {
            let separator = if name == "println" { " " } else { "" };
            let mut line = args.iter().map(show).collect::<Vec<_>>().join(separator);
            if name == "println" {
                line.push('\n');
            }
            Value::from(line)
        }
        "printf" => Value::from(printf(text(0)?, &args[1..], &wrong)?),
        "not" => Value::Bool(!truth(&args[0])),
        "and" => args.iter().find(|a| !truth(a)).or(args.last()).cloned().unwrap_or_default(),
        "or" => args.iter().find(|a| truth(a)).or(args.last()).cloned().unwrap_or_default(),
        "eq" => Value::Bool(args[1..].iter().any(|b| same(&args[0], b))),
        "ne" => Value::Bool(!same(&args[0], &args[1])),
        _ => {
            let order = compare(&args[0], &args[1])
                .ok_or_else(|| wrong(format!("{} and {} have no order", kind(&args[0]), kind(&args[1]))))?;
            Value::Bool(match name {
                "lt" => order == Ordering::Less,
                "le" => order != Ordering::Greater,
                "gt" => order == Ordering::Greater,
                _ => order != Ordering::Less,
            })
        }
    })
}

/// A capital at the beginning of each word.
fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let first = std::mem::replace(&mut start, !(c.is_alphanumeric() || matches!(c, '_' | '\'')));
            if first { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

fn slice(value: &Value, from: usize, to: usize) -> Option<Value> {
    match value {
        Value::String(s) => s.get(from..to.min(s.len())).map(Value::from),
        Value::Array(items) => items.get(from..to.min(items.len())).map(|i| Value::from(i.to_vec())),
        _ => None,
    }
}

fn index(args: &[Value], wrong: &dyn Fn(String) -> Wrong) -> Result<Value, Wrong> {
    let mut at = args[0].clone();
    for (i, key) in args.iter().enumerate().skip(1) {
        at = match (&at, key) {
            (Value::Array(items), Value::Number(n)) => {
                let item = n.as_u64().and_then(|n| items.get(usize::try_from(n).ok()?));
                item.cloned().ok_or_else(|| {
                    wrong(format!("index {n} is out of range: the list has {}", items.len()))
                })?
            }
            // A key that a map does not have is empty, as in Go.
            (Value::Object(map), Value::String(key)) => map.get(key).cloned().unwrap_or_default(),
            (Value::Null, _) => Value::Null,
            (value, key) => {
                return Err(wrong(format!(
                    "{} cannot be indexed by {} (argument {})",
                    kind(value),
                    kind(key),
                    i + 1
                )));
            }
        };
    }
    Ok(at)
}

fn printf(format: &str, args: &[Value], wrong: &dyn Fn(String) -> Wrong) -> Result<String, Wrong> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = String::new();
        while chars.peek().is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '+' | '#')) {
            spec.extend(chars.next());
        }
        let verb = chars.next().ok_or_else(|| wrong("the format ends in the middle of a verb".into()))?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = args.next().ok_or_else(|| wrong(format!("there is no value for %{spec}{verb}")))?;
        let text = match verb {
            'v' | 's' | 'd' => show(value),
            'q' => Value::from(show(value)).to_string(),
            'x' => match (value.as_i64(), value.as_str()) {
                (Some(n), _) => format!("{n:x}"),
                (None, Some(s)) => s.bytes().map(|b| format!("{b:02x}")).collect(),
                _ => return Err(wrong(format!("%x cannot write {}", kind(value)))),
            },
            't' => truth(value).to_string(),
            other => return Err(wrong(format!("the verb %{other} is not supported"))),
        };
        let left = spec.starts_with('-');
        let digits = spec.trim_start_matches(['-', '+', '#']);
        let (width, precision) = digits.split_once('.').unwrap_or((digits, ""));
        let width = width.parse().unwrap_or(0usize).min(1 << 16);
        let text: String = match (verb, precision.parse::<usize>()) {
            ('s' | 'v' | 'q', Ok(n)) => text.chars().take(n).collect(),
            _ => text,
        };
        out.push_str(&if left { format!("{text:<width$}") } else { format!("{text:>width$}") });
    }
    Ok(out)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
