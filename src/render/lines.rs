//! Calls, facts and times as lines; shared by the renderers for people.

use crate::narrate::{Label, Line, Narrator, Span, brief_ids};
use crate::trace::{Call, Fact, Value};

/// `mount(overlay, /x) = 0`, or with names and time in strace's manner. The
/// last span is the result.
pub fn call(call: &Call, full: bool, narrator: &Narrator) -> Line {
    let mut line = vec![Span::new(Label::Call, &call.name), Span::new(Label::Plain, "(")];
    for (n, (name, value)) in call.args.iter().enumerate() {
        if n > 0 {
            line.push(Span::new(Label::Plain, ", "));
        }
        if full {
            line.push(Span::new(Label::Key, name));
            line.push(Span::new(Label::Plain, "="));
        }
        let value = argument(value);
        line.push(Span::new(Label::Value, if full { value } else { brief_ids(&value) }));
    }
    line.push(Span::new(Label::Plain, ")"));
    let result = match call.errno {
        Some(errno) if full => {
            Span::new(Label::Bad, format!(" = {} {errno:?} ({})", call.result, errno.words()))
        }
        Some(errno) => Span::new(Label::Bad, format!(" = {} {errno:?}", call.result)),
        None => Span::new(Label::Good, format!(" = {}", call.result)),
    };
    line.push(result);
    if full && call.micros > 0 {
        line.push(Span::new(Label::Dim, format!(" <{}>", time(call.micros, narrator))));
    }
    line
}

/// Flags, numbers and structures stand as they are; text is quoted.
fn argument(value: &Value) -> String {
    let text = match value {
        Value::Int(n) => return n.to_string(),
        Value::Volatile { kind, value } => {
            use crate::trace::Kind;
            let words = matches!(kind, Kind::Path | Kind::Link | Kind::Host | Kind::Container);
            return if words { format!("{value:?}") } else { value.clone() };
        }
        Value::Text(text) => text,
    };
    let flags = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_|- ~+*:.".contains(c);
    let structure = text.starts_with(['{', '[', '"', '&']) || text.starts_with("0x") || text == "…";
    if structure || (!text.is_empty() && text.chars().all(flags)) {
        text.clone()
    } else {
        format!("{text:?}")
    }
}

/// `key = value`, and where it was read.
pub fn fact(fact: &Fact) -> Line {
    let mut line = vec![];
    if !fact.key.is_empty() {
        line.push(Span::new(Label::Key, &fact.key));
        line.push(Span::new(Label::Plain, ": "));
    }
    line.push(Span::new(Label::Value, fact.value.text()));
    line.push(Span::new(Label::Dim, format!("  [{}]", fact.source)));
    line
}

/// Evidence before and after, as a diff: what stayed is shown once.
pub fn diff(before: &[Fact], after: &[Fact]) -> Vec<Line> {
    let marked = |mark: &str, label: Label, f: &Fact| {
        let mut line = vec![Span::new(label, mark)];
        line.extend(fact(f).into_iter().map(|span| match span.label {
            Label::Value | Label::Key if mark != "  " => Span { label, ..span },
            _ => span,
        }));
        line
    };
    let gone = before.iter().filter(|f| !after.contains(f)).map(|f| (f, "- ", Label::Removed));
    let mut lines: Vec<Line> = Vec::new();
    let mut gone: Vec<_> = gone.collect();
    for f in after {
        // The old value of the same thing stands right above the new one.
        while let Some(at) = gone.iter().position(|(g, ..)| g.key == f.key && g.source == f.source) {
            let (old, mark, label) = gone.remove(at);
            lines.push(marked(mark, label, old));
        }
        match before.contains(f) {
            true => lines.push(marked("  ", Label::Plain, f)),
            false => lines.push(marked("+ ", Label::Added, f)),
        }
    }
    lines.extend(gone.into_iter().map(|(f, mark, label)| marked(mark, label, f)));
    lines
}

/// The evidence that tells most: what is not as it was before.
pub fn telling<'a>(before: &'a [Fact], after: &'a [Fact]) -> Vec<&'a Fact> {
    let new: Vec<_> = after.iter().filter(|f| !before.contains(f)).collect();
    if new.is_empty() { after.iter().collect() } else { new }
}

/// A time for people.
pub fn time(micros: u64, narrator: &Narrator) -> String {
    let (message, n) = match micros {
        0..1_000 => ("time_micros", micros.to_string()),
        1_000..1_000_000 => ("time_millis", decimal(micros, 1_000)),
        _ => ("time_seconds", decimal(micros, 1_000_000)),
    };
    crate::narrate::plain(&narrator.say(message, &[("n", n.into())]))
}

fn decimal(n: u64, unit: u64) -> String {
    format!("{}.{}", n / unit, n % unit * 10 / unit)
}
