//! Which key does what. One table serves the keyboard, the help and the help on
//! one key.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::command::Command;

/// What a key does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A command.
    Do(Command),
    /// Forward within what has happened; never carries anything out.
    Forward,
    /// One event back.
    BackOne,
    /// A breakpoint at the selected step.
    ToggleBreak,
    /// Type a breakpoint.
    AskBreak,
    /// Type a command.
    AskCommand,
    /// Type a text to look for.
    AskSearch,
    /// Lines up or down.
    Move(i32),
    /// The pane with the keyboard: the next one or the one before.
    Focus(i32),
    /// The pane with this number.
    FocusAt(usize),
    /// One pane on the whole screen, and back.
    Zoom,
    /// Close what is open, or let go of what is selected.
    Escape,
    /// Draw everything anew.
    Redraw,
    /// The commands by hand, outside of the stepper.
    Plain,
    /// Stop at once, without a question.
    Interrupt,
}

/// A key of the help: how it is written, and the message about it.
#[derive(Debug)]
pub struct Key {
    /// As it stands on the keyboard.
    pub written: &'static str,
    /// `stepper_key_NAME` in the message files; `.more` says more.
    pub name: &'static str,
}

/// Every key, in the order of the help.
pub const KEYS: [Key; 28] = [
    Key { written: "n", name: "next" },
    Key { written: "s", name: "step" },
    Key { written: "f", name: "finish" },
    Key { written: "c", name: "continue" },
    Key { written: "u", name: "until" },
    Key { written: "b", name: "break" },
    Key { written: "B", name: "break_on" },
    Key { written: "p", name: "back" },
    Key { written: "→", name: "forward" },
    Key { written: "S", name: "back_one" },
    Key { written: "g", name: "first" },
    Key { written: "G", name: "present" },
    Key { written: "m", name: "mark" },
    Key { written: "d", name: "diff" },
    Key { written: "i", name: "inspect" },
    Key { written: "w", name: "why" },
    Key { written: "y", name: "hand" },
    Key { written: "Y", name: "plain" },
    Key { written: "!", name: "shell" },
    Key { written: "H", name: "host_shell" },
    Key { written: "/", name: "search" },
    Key { written: ":", name: "command" },
    Key { written: "1", name: "focus" },
    Key { written: "↓", name: "move" },
    Key { written: "z", name: "zoom" },
    Key { written: "L", name: "redraw" },
    Key { written: "?", name: "help" },
    Key { written: "q", name: "quit" },
];

/// The key's entry in the help.
pub fn key_of(event: KeyEvent) -> Option<&'static Key> {
    let written = match event.code {
        KeyCode::Left | KeyCode::Backspace => "p".to_owned(),
        KeyCode::Enter => "n".to_owned(),
        KeyCode::Right => "→".to_owned(),
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => "↓".to_owned(),
        KeyCode::Tab | KeyCode::BackTab => "1".to_owned(),
        KeyCode::Home => "g".to_owned(),
        KeyCode::End => "G".to_owned(),
        KeyCode::Char('j' | 'k') => "↓".to_owned(),
        KeyCode::Char(' ') => "n".to_owned(),
        KeyCode::Char('l') => "L".to_owned(),
        KeyCode::Char(c) if c.is_ascii_digit() => "1".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        _ => return None,
    };
    KEYS.iter().find(|k| k.written == written)
}

/// What the key does when nothing is open.
pub fn action(event: KeyEvent) -> Option<Action> {
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match event.code {
            KeyCode::Char('c') => Some(Action::Interrupt),
            KeyCode::Char('l') => Some(Action::Redraw),
            KeyCode::Char('d') => Some(Action::Move(HALF)),
            KeyCode::Char('u') => Some(Action::Move(-HALF)),
            _ => None,
        };
    }
    Some(match event.code {
        KeyCode::Char('n' | ' ') | KeyCode::Enter | KeyCode::F(10) => Action::Do(Command::Next),
        KeyCode::Char('s') | KeyCode::F(11) => Action::Do(Command::Step),
        KeyCode::Char('f') => Action::Do(Command::Finish),
        KeyCode::Char('c') | KeyCode::F(5) => Action::Do(Command::Continue),
        KeyCode::Char('u') => Action::Do(Command::Until(None)),
        KeyCode::Char('b') | KeyCode::F(9) => Action::ToggleBreak,
        KeyCode::Char('B') => Action::AskBreak,
        KeyCode::Char('p') | KeyCode::Left | KeyCode::Backspace => Action::Do(Command::Back(None)),
        KeyCode::Right => Action::Forward,
        KeyCode::Char('S') => Action::BackOne,
        KeyCode::Char('g') | KeyCode::Home => Action::Do(Command::First),
        KeyCode::Char('G') | KeyCode::End => Action::Do(Command::Present),
        KeyCode::Char('m') => Action::Do(Command::Mark),
        KeyCode::Char('d') => Action::Do(Command::Diff),
        KeyCode::Char('i') => Action::Do(Command::Inspect(None)),
        KeyCode::Char('w') => Action::Do(Command::Why),
        KeyCode::Char('y') => Action::Do(Command::Hand),
        KeyCode::Char('Y') => Action::Plain,
        KeyCode::Char('!') => Action::Do(Command::Shell { host: false }),
        KeyCode::Char('H') => Action::Do(Command::Shell { host: true }),
        KeyCode::Char('/') => Action::AskSearch,
        KeyCode::Char(':') => Action::AskCommand,
        KeyCode::Char('?') | KeyCode::F(1) => Action::Do(Command::Help(None)),
        KeyCode::Char('q') => Action::Do(Command::Quit),
        KeyCode::Char('z') => Action::Zoom,
        KeyCode::Char('l' | 'L') => Action::Redraw,
        KeyCode::Char('j') | KeyCode::Down => Action::Move(1),
        KeyCode::Char('k') | KeyCode::Up => Action::Move(-1),
        KeyCode::PageDown => Action::Move(HALF),
        KeyCode::PageUp => Action::Move(-HALF),
        KeyCode::Tab => Action::Focus(1),
        KeyCode::BackTab => Action::Focus(-1),
        KeyCode::Char(c @ '1'..='9') => Action::FocusAt(c as usize - '0' as usize),
        KeyCode::Esc => Action::Escape,
        _ => return None,
    })
}

/// Lines that a page key moves.
const HALF: i32 = 10;
