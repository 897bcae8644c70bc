//! Labels to the styles of a terminal. Without colour everything is told by
//! signs and words; bold and dim only help.

use ratatui::style::{Color, Modifier, Style};

use crate::narrate::Label;

/// The style of a label.
pub fn of(label: Label, colour: bool) -> Style {
    let plain = Style::default();
    let coloured = |c: Color| if colour { plain.fg(c) } else { plain };
    match label {
        Label::Plain => plain,
        Label::Heading => coloured(Color::Cyan).add_modifier(Modifier::BOLD),
        Label::Title => plain.add_modifier(Modifier::BOLD),
        Label::Dim | Label::Key => plain.add_modifier(Modifier::DIM),
        Label::Margin => coloured(Color::Blue),
        Label::Value => coloured(Color::Cyan),
        Label::Code => coloured(Color::Magenta),
        Label::Call => coloured(Color::Yellow),
        Label::Good | Label::Added => coloured(Color::Green),
        Label::Bad => coloured(Color::Red).add_modifier(Modifier::BOLD),
        Label::Removed => coloured(Color::Red),
    }
}

/// A pane's title; the one with the keyboard stands out.
pub fn title(focused: bool) -> Style {
    let style = Style::default().add_modifier(Modifier::BOLD);
    if focused { style.add_modifier(Modifier::REVERSED) } else { style }
}

/// The selected line.
pub fn selected() -> Style {
    Style::default().add_modifier(Modifier::REVERSED)
}

/// Lines that only divide.
pub fn rule() -> Style {
    Style::default().add_modifier(Modifier::DIM)
}
