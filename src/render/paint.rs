//! From lines to bytes: colour, and the line ends of a raw terminal.

use crate::narrate::{Label, Line};

/// How lines become bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// With colour. Whether a terminal wants it is the caller's decision.
    pub colour: bool,
    /// The terminal is raw: it wants a carriage return before each line feed.
    pub raw: bool,
}

impl Paint {
    /// The lines as text.
    pub fn text(self, lines: &[Line]) -> String {
        let mut out = String::new();
        for line in lines {
            for span in line {
                self.span(&mut out, span.label, &span.text);
            }
            out.push_str(if self.raw { "\r\n" } else { "\n" });
        }
        out
    }

    fn span(self, out: &mut String, label: Label, text: &str) {
        match style(label).filter(|_| self.colour && !text.trim().is_empty()) {
            Some(style) => {
                out.push_str("\x1b[");
                out.push_str(&style);
                out.push('m');
                out.push_str(text);
                out.push_str("\x1b[0m");
            }
            None => out.push_str(text),
        }
    }
}

/// Parameters of "select graphic rendition", ECMA-48 section 8.3.117.
#[cfg(feature = "linux")]
fn style(label: Label) -> Option<String> {
    use colored::Color;
    // colored's own printing reads the environment; only its colours are used.
    let colour = |c: Color| c.to_fg_str().into_owned();
    Some(match label {
        Label::Plain => return None,
        Label::Heading => format!("1;{}", colour(Color::Cyan)),
        Label::Title => "1".into(),
        Label::Dim => "2".into(),
        Label::Margin => colour(Color::Blue),
        Label::Value => colour(Color::Cyan),
        Label::Code => colour(Color::Magenta),
        Label::Call => colour(Color::Yellow),
        Label::Key => "2".into(),
        Label::Good | Label::Added => colour(Color::Green),
        Label::Bad => format!("1;{}", colour(Color::Red)),
        Label::Removed => colour(Color::Red),
    })
}

#[cfg(not(feature = "linux"))]
fn style(_: Label) -> Option<String> {
    None
}

#[cfg(all(test, feature = "linux"))]
mod tests {
    use super::*;
    use crate::narrate::Span;

    #[test]
    fn colour_and_raw_line_ends() {
        let lines = [vec![Span::new(Label::Bad, "no"), Span::new(Label::Plain, " way")]];
        assert_eq!(Paint { colour: false, raw: true }.text(&lines), "no way\r\n");
        assert_eq!(Paint { colour: true, raw: false }.text(&lines), "\x1b[1;31mno\x1b[0m way\n");
    }
}
