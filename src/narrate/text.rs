//! Labelled text: what a renderer gets.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label {
    /// Ordinary words.
    Plain,
    /// A chapter's title.
    Heading,
    /// A step's title.
    Title,
    /// A step's id, its number, its actor: what orients but does not tell.
    Dim,
    /// The word at the margin that says what a line is: `why`, `call`….
    Margin,
    /// A value inside words: a path, a number, a name.
    Value,
    /// Something to type.
    Code,
    /// The name of a system call.
    Call,
    /// The name of an argument or of a piece of evidence.
    Key,
    /// What a call returned.
    Good,
    /// An error.
    Bad,
    /// A line of evidence that was not there before.
    Added,
    /// A line of evidence that is no longer there.
    Removed,
}

/// A piece of text with its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub label: Label,
    /// Without control characters.
    pub text: String,
}

impl Span {
    /// A span; control characters in `text` are made visible.
    pub fn new(label: Label, text: impl AsRef<str>) -> Self {
        Span { label, text: printable(text.as_ref()) }
    }
}

/// One line, before it is wrapped.
pub type Line = Vec<Span>;

/// The text of a line without its labels.
pub fn plain(line: &[Span]) -> String {
    line.iter().map(|s| s.text.as_str()).collect()
}

/// Makes control characters visible (`\n`, `\u{1b}`): a value comes from an
/// image or a command line, and must not be able to steer the terminal.
pub fn printable(text: &str) -> String {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(harmful) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Marks the start of a value in a formatted message.
pub(super) const VALUE_START: char = '\u{e000}';
/// Marks its end.
pub(super) const VALUE_END: char = '\u{e001}';

/// Splits a formatted message into spans: marked values, `code`, and words.
pub(super) fn spans(text: &str) -> Line {
    let mut line: Line = Vec::new();
    let mut label = Label::Plain;
    let mut current = String::new();
    let mut end = |current: &mut String, label: Label| {
        if !current.is_empty() {
            let text = std::mem::take(current);
            match line.last_mut() {
                Some(last) if last.label == label => last.text.push_str(&text),
                _ => line.push(Span { label, text }),
            }
        }
    };
    // Messages are written over several lines; the line breaks mean nothing.
    let mut after_space = false;
    for c in text.chars() {
        let c = if c == '\n' { ' ' } else { c };
        if c == ' ' && after_space && label == Label::Plain {
            continue;
        }
        match c {
            VALUE_START => {
                end(&mut current, label);
                label = Label::Value;
            }
            VALUE_END => {
                end(&mut current, label);
                label = Label::Plain;
            }
            '`' if label != Label::Value => {
                end(&mut current, label);
                label = if label == Label::Code { Label::Plain } else { Label::Code };
            }
            c => current.push(c),
        }
        after_space = c == ' ';
    }
    end(&mut current, label);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_code_are_labelled() {
        let line = spans("Mount \u{e000}/a`b\u{e001} with `mount -o x`,\n  then go.");
        let want = [
            (Label::Plain, "Mount "),
            (Label::Value, "/a`b"),
            (Label::Plain, " with "),
            (Label::Code, "mount -o x"),
            (Label::Plain, ", then go."),
        ];
        let got: Vec<_> = line.iter().map(|s| (s.label, s.text.as_str())).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn control_characters_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\r\nc\u{202e}"), "a\\u{1b}[31mb\\r\\nc\\u{202e}");
        assert_eq!(printable("容器 µs"), "容器 µs");
    }
}
