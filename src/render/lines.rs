//! Calls, facts and times as lines; shared by the renderers for people.

use crate::narrate::{Label, Line, Narrator, Span, brief_ids, inside};
use crate::trace::{Call, Fact, Value};

/// `mount(overlay, /x) = 0`, or with names and time in strace's manner. The
/// last span is the result.
pub fn call(call: &Call, full: bool, narrator: &Narrator) -> Line {
    let mut line = vec![Span::new(Label::Call, &call.name), Span::new(Label::Plain, "(")];
    // A batch of rules has as many arguments as rules: in brief the first will do.
    let shown = if full || call.args.len() <= MANY { call.args.len() } else { MANY / 2 };
    for (n, (name, value)) in call.args.iter().take(shown).enumerate() {
        if n > 0 {
            line.push(Span::new(Label::Plain, ", "));
        }
        if full {
            line.push(Span::new(Label::Key, name));
            line.push(Span::new(Label::Plain, "="));
        }
        let value = match (name.as_str(), value) {
            // A text that is written is a text, also when it looks like a number.
            ("buf", Value::Text(text)) => format!("{text:?}"),
            _ => argument(value),
        };
        line.push(Span::new(Label::Value, if full { value } else { brief_ids(&value) }));
    }
    if shown < call.args.len() {
        line.push(Span::new(Label::Plain, ", "));
        let rest = (call.args.len() - shown).into();
        line.extend(narrator.say("story_more_arguments", &[("count", rest)]));
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

/// More arguments than this are not told in brief.
const MANY: usize = 12;

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
    let value = |t: &str| t.ends_with(')') && t.split_once('(').is_some_and(|(f, _)| is_word(f));
    let flags = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_|- ~+*:.".contains(c);
    let structure =
        value(text) || text.starts_with(['{', '[', '"', '&']) || text.starts_with("0x") || text == "…";
    if structure || (text.contains(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(flags)) {
        text.clone()
    } else {
        format!("{text:?}")
    }
}

/// `key: value`, and where it was read; in full, or with short ids.
pub fn fact(fact: &Fact, full: bool) -> Line {
    let mut line = vec![];
    if !fact.key.is_empty() {
        line.push(Span::new(Label::Key, if full { fact.key.clone() } else { brief(&fact.key) }));
        line.push(Span::new(Label::Plain, ": "));
    }
    let value = match fact.value.text() {
        // Nothing at all would look like a mistake.
        value if value.is_empty() => "\"\"".to_owned(),
        value => value,
    };
    line.push(Span::new(Label::Value, if full { value } else { brief(&value) }));
    let source = if full { fact.source.text() } else { brief_source(&fact.source) };
    line.push(Span::new(Label::Dim, format!("  [{source}]")));
    line
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Short ids, and paths beneath the new root as the container calls them.
fn brief(text: &str) -> String {
    let words = text.split(' ').map(|word| match inside(word) {
        // The root itself keeps its name: `/` is the host's as well.
        path if path.len() < word.len() && path != "/" => path.to_owned(),
        _ => brief_ids(word),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Where it was read, short enough to stand beside what was read.
fn brief_source(source: &Value) -> String {
    const WIDTH: usize = 32;
    let text = brief_ids(&source.text());
    let cut = text.chars().count().saturating_sub(WIDTH);
    if cut == 0 {
        return text;
    }
    let end: String = text.chars().skip(cut + 1).collect();
    // Whole components of a path read better than half of one.
    let end = end.find('/').map_or(end.as_str(), |at| &end[at..]);
    format!("…{end}")
}

/// Evidence before and after, as a diff: what stayed is shown once.
pub fn diff(before: &[Fact], after: &[Fact]) -> Vec<Line> {
    let marked = |mark: &str, label: Label, f: &Fact| {
        let mut line = vec![Span::new(label, mark)];
        line.extend(fact(f, true).into_iter().map(|span| match span.label {
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
