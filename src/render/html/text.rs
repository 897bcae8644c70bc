//! Labelled words as HTML.

use crate::narrate::{Label, Line};
pub use crate::render::svg::escaped;

/// The line as `span`s that have the label as their class.
pub fn spans(line: &Line) -> String {
    let one = |span: &crate::narrate::Span| {
        let text = escaped(&span.text);
        match class(span.label) {
            "" => text,
            class => format!("<span class=\"{class}\">{text}</span>"),
        }
    };
    line.iter().map(one).collect()
}

fn class(label: Label) -> &'static str {
    match label {
        Label::Plain => "",
        Label::Heading | Label::Title => "strong",
        Label::Dim | Label::Key | Label::Margin => "dim",
        Label::Value => "value",
        Label::Code => "code",
        Label::Call => "call",
        Label::Good => "good",
        Label::Bad => "bad",
        Label::Added => "added",
        Label::Removed => "removed",
    }
}
