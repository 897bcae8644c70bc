//! Shapes and texts. Every text goes through [`escaped`]: a value comes from an
//! image or a command line, and must stay text.

use std::fmt::Write as _;

use crate::narrate::printable;
use crate::render::layout::char_width;

/// Height of a line of text.
pub const LINE: u32 = 17;
/// Between a box and its text.
pub const PAD: u32 = 10;

/// Collects elements.
#[derive(Debug, Default)]
pub struct Canvas {
    /// What was drawn so far.
    pub text: String,
}

impl Canvas {
    /// A text; `class` is one of those in `picture.css`.
    pub fn words(&mut self, x: u32, y: u32, class: &str, text: &str) {
        if !text.is_empty() {
            let text = escaped(text);
            let _ = writeln!(self.text, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
        }
    }

    /// A box.
    pub fn rect(&mut self, x: u32, y: u32, w: u32, h: u32, class: &str) {
        let _ = writeln!(
            self.text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"4\"/>"
        );
    }

    /// A line.
    pub fn line(&mut self, (x, y): (u32, u32), (to_x, to_y): (u32, u32), class: &str) {
        let _ = writeln!(
            self.text,
            "<line class=\"{class}\" x1=\"{x}\" y1=\"{y}\" x2=\"{to_x}\" y2=\"{to_y}\"/>"
        );
    }

    /// A titled box of lines. Returns where it ends.
    pub fn panel(&mut self, x: u32, y: u32, w: u32, title: &str, lines: &[(&str, String)]) -> u32 {
        let height = 2 * PAD + LINE * (lines.len() as u32 + 1);
        self.rect(x, y, w, height, "panel");
        self.words(x + PAD, y + PAD + 11, "title", title);
        let columns = columns(w);
        for (n, (class, line)) in lines.iter().enumerate() {
            self.words(x + PAD, y + PAD + 11 + LINE * (n as u32 + 1), class, &cut(line, columns));
        }
        y + height
    }
}

/// Columns of text that fit a box of this width.
pub fn columns(width: u32) -> usize {
    (width.saturating_sub(2 * PAD) as usize * 10) / 73
}

/// Shortens a text to this many columns; what is cut from the end is marked.
pub fn cut(text: &str, columns: usize) -> String {
    let width: usize = text.chars().map(char_width).sum();
    if width <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += char_width(*c);
        used <= columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// As text of XML and of HTML, also within an attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No document of XML may hold them.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Bytes as people read them.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = None;
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = Some(next);
    }
    unit.map_or_else(|| format!("{n} B"), |unit| format!("{value:.1} {unit}"))
}
