//! From labelled words to lines that fit a screen.

use crate::narrate::{Label, Line, Span};

/// Columns of the margin, where a word says what a row is.
pub const MARGIN: usize = 10;

/// A paragraph with an optional word in its margin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Nothing.
    Blank,
    /// From the first column.
    Flush(Line),
    /// A title and, at the right edge if there is room, what orients.
    Title {
        /// At the left.
        left: Line,
        /// At the right.
        right: Line,
    },
    /// A chapter's title, with a rule up to the right edge.
    Heading(Line),
    /// Behind the margin.
    Noted {
        /// The word in the margin; may be empty.
        margin: String,
        /// The text.
        line: Line,
    },
    /// Behind the margin, and shortened to one line of the screen; its last
    /// `keep` spans are not touched.
    Brief {
        /// The word in the margin; may be empty.
        margin: String,
        /// The text.
        line: Line,
        /// Spans at the end that stay.
        keep: usize,
    },
    /// A command of the shell behind the margin. It is broken only where the
    /// shell allows it, so that it can be copied; a long word stays whole.
    Command {
        /// The word in the margin; may be empty.
        margin: String,
        /// The command.
        text: String,
    },
}

/// Columns that a character takes in a terminal: 0, 1 or 2.
pub fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Columns that a text takes in a terminal.
pub fn text_width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Columns that a line takes in a terminal.
pub fn line_width(line: &[Span]) -> usize {
    line.iter().map(|s| text_width(&s.text)).sum()
}

/// Lays rows out for a screen of this many columns.
pub fn layout(rows: &[Row], width: usize) -> Vec<Line> {
    // Narrower than this nothing is readable; the terminal then wraps itself.
    let width = width.max(MARGIN + 20);
    rows.iter().flat_map(|row| row_lines(row, width)).collect()
}

fn row_lines(row: &Row, width: usize) -> Vec<Line> {
    match row {
        Row::Blank => vec![vec![]],
        Row::Flush(line) => wrap(line, width),
        Row::Title { left, right } => {
            let room = width.saturating_sub(line_width(left));
            if line_width(right) + 2 <= room {
                let mut line = left.clone();
                line.push(Span::new(Label::Plain, " ".repeat(room - line_width(right))));
                line.extend(right.iter().cloned());
                return vec![line];
            }
            let mut lines = wrap(left, width);
            lines.extend(wrap(right, width - 2).into_iter().map(|l| indented(2, l)));
            lines
        }
        Row::Heading(line) => {
            let rule = width.saturating_sub(line_width(line) + 1);
            if rule == 0 {
                return wrap(line, width);
            }
            let mut line = line.clone();
            line.push(Span::new(Label::Dim, format!(" {}", "─".repeat(rule))));
            vec![line]
        }
        Row::Noted { margin, line } => noted(margin, wrap(line, width - MARGIN)),
        Row::Command { margin, text } => noted(margin, command(text, width - MARGIN)),
        Row::Brief { margin, line, keep } => {
            let short = shorten(line, width - MARGIN, *keep);
            noted(margin, short.map_or_else(|| wrap(line, width - MARGIN), |l| vec![l]))
        }
    }
}

fn noted(margin: &str, lines: Vec<Line>) -> Vec<Line> {
    let pad = (MARGIN - 2).saturating_sub(text_width(margin));
    let first = vec![Span::new(Label::Margin, format!("  {margin}{}", " ".repeat(pad)))];
    lines
        .into_iter()
        .enumerate()
        .map(|(n, line)| {
            if n > 0 {
                return indented(MARGIN, line);
            }
            let mut whole = first.clone();
            whole.extend(line);
            whole
        })
        .collect()
}

/// Breaks a command between words, outside quotes, with a backslash.
fn command(text: &str, width: usize) -> Vec<Line> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in shell_words(text) {
        let line = lines.last().map_or(0, |l| text_width(l));
        // Room for the space and the backslash.
        if line > 2 && line + 1 + text_width(word) + 2 > width {
            lines.push("  ".into());
        }
        if let Some(line) = lines.last_mut() {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let last = lines.len() - 1;
    let end = |n: usize| if n < last { " \\" } else { "" };
    lines.iter().enumerate().map(|(n, l)| vec![Span::new(Label::Code, format!("{l}{}", end(n)))]).collect()
}

/// The words of a command, with their quotes.
fn shell_words(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let mut words = text.split(|c: char| {
        quoted ^= c == '\'';
        c == ' ' && !quoted
    });
    words.by_ref().filter(|w| !w.is_empty()).collect()
}

fn indented(columns: usize, line: Line) -> Line {
    let mut whole = vec![Span::new(Label::Plain, " ".repeat(columns))];
    whole.extend(line);
    whole
}

/// Breaks a line at spaces, between wide characters, and where nothing else
/// helps within a word, after `/`, `,`, `:` or `-` if there is one.
pub fn wrap(line: &[Span], width: usize) -> Vec<Line> {
    let chars: Vec<(char, Label)> = line.iter().flat_map(|s| s.text.chars().map(|c| (c, s.label))).collect();
    let mut lines = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let end = break_at(&chars, start, width.max(2));
        lines.push(line_of(trim_end(&chars[start..end])));
        start = end;
        while start < chars.len() && chars[start].0 == ' ' {
            start += 1;
        }
    }
    if lines.is_empty() {
        lines.push(vec![]);
    }
    lines
}

/// Where the line that starts here ends.
fn break_at(chars: &[(char, Label)], start: usize, width: usize) -> usize {
    let mut columns = 0;
    let (mut good, mut poor) = (None, None);
    for at in start..chars.len() {
        let c = chars[at].0;
        if at > start && may_break(chars[at - 1].0, c) {
            good = Some(at);
        }
        if at > start && matches!(chars[at - 1].0, '/' | ',' | ':' | '-') {
            poor = Some(at);
        }
        columns += char_width(c);
        if columns > width && c != ' ' {
            return good.or(poor).unwrap_or(at.max(start + 1));
        }
    }
    chars.len()
}

fn may_break(before: char, after: char) -> bool {
    const NOT_FIRST: &str = "。，、；：！？）》”’…—";
    const NOT_LAST: &str = "（《“‘";
    if before == ' ' {
        return after != ' ';
    }
    if before == '\u{a0}' || after == '\u{a0}' {
        return false;
    }
    let wide = |c| char_width(c) == 2;
    // A space between Chinese and Latin words is a place to break, too, but not twice.
    (wide(before) || wide(after)) && after != ' ' && !NOT_FIRST.contains(after) && !NOT_LAST.contains(before)
}

fn trim_end(chars: &[(char, Label)]) -> &[(char, Label)] {
    let end = chars.iter().rposition(|c| c.0 != ' ').map_or(0, |at| at + 1);
    &chars[..end]
}

fn line_of(chars: &[(char, Label)]) -> Line {
    let mut line: Line = Vec::new();
    for &(c, label) in chars {
        match line.last_mut() {
            Some(last) if last.label == label => last.text.push(c),
            _ => line.push(Span { label, text: c.to_string() }),
        }
    }
    line
}

/// Shortens a line to one line of the screen: values lose their middle, the
/// longest first. The last `keep` spans stay whole. `None` if that is not enough.
pub fn shorten(line: &[Span], width: usize, keep: usize) -> Option<Line> {
    let free = line.len().saturating_sub(keep);
    let only_values = |n: usize, s: &Span| n < free && s.label == Label::Value;
    let keys_too = |n: usize, s: &Span| n < free && matches!(s.label, Label::Value | Label::Key);
    let keys = line.iter().any(|s| s.label == Label::Key);
    // Six columns of each argument of a call would say nothing.
    cap(line, width, 12, &only_values).or_else(|| cap(line, width, 6, &keys_too).filter(|_| keys))
}

/// Caps the spans chosen at the highest limit, not below `least`, at which the
/// line fits.
fn cap(line: &[Span], width: usize, least: usize, chosen: &dyn Fn(usize, &Span) -> bool) -> Option<Line> {
    let widths: Vec<(usize, bool)> =
        line.iter().enumerate().map(|(n, s)| (text_width(&s.text), chosen(n, s))).collect();
    let longest = widths.iter().filter(|w| w.1).map(|w| w.0).max().unwrap_or(0);
    let fits = |limit: usize| {
        widths.iter().map(|&(w, chosen)| if chosen { w.min(limit) } else { w }).sum::<usize>() <= width
    };
    let limit = (least..=longest.max(least)).rev().find(|limit| fits(*limit))?;
    let short = |(span, &(w, chosen)): (&Span, &(usize, bool))| match chosen && w > limit {
        true => Span { label: span.label, text: middle_out(&span.text, limit) },
        false => span.clone(),
    };
    Some(line.iter().zip(&widths).map(short).collect())
}

/// `/var/lib/…/upper`: the end of a path says more than its middle.
fn middle_out(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let tail = (width - 1) * 2 / 3;
    let head = width - 1 - tail;
    let take = |chars: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        let mut taken = Vec::new();
        for c in chars {
            used += char_width(c);
            if used > room {
                break;
            }
            taken.push(c);
        }
        taken
    };
    let front: String = take(&mut chars.iter().copied(), head).into_iter().collect();
    let back: String = take(&mut chars.iter().rev().copied(), tail).into_iter().rev().collect();
    format!("{front}…{back}")
}

/// Lays cells out in columns: every column but the last is as wide as its
/// widest cell, the last one wraps.
pub fn table(rows: &[Vec<Line>], width: usize) -> Vec<Line> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |n: usize| rows.iter().filter_map(|r| r.get(n)).map(|c| line_width(c)).max().unwrap_or(0);
    let limit = width * 2 / 5;
    let widths: Vec<usize> = (0..columns).map(|n| widest(n).min(limit)).collect();
    let before: usize = widths.iter().rev().skip(1).map(|w| w + 2).sum();
    let last = width.saturating_sub(before).max(16);
    let mut lines = Vec::new();
    for row in rows {
        let cells: Vec<Vec<Line>> = row
            .iter()
            .enumerate()
            .map(|(n, cell)| wrap(cell, if n + 1 == columns { last } else { widths[n] }))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for y in 0..height {
            let mut line: Line = Vec::new();
            let mut gap = 0;
            for (n, cell) in cells.iter().enumerate() {
                let part = cell.get(y).cloned().unwrap_or_default();
                let used = line_width(&part);
                if !part.is_empty() {
                    if gap > 0 {
                        line.push(Span::new(Label::Plain, " ".repeat(gap)));
                    }
                    gap = 0;
                    line.extend(part);
                }
                gap += widths[n].saturating_sub(used) + 2;
            }
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
