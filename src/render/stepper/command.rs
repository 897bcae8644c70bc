//! What can be asked of the stepper, typed behind `:` or by a key.

use crate::kernel::Subject;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Carry the step out, and stop before the next one.
    Next,
    /// The same, event by event.
    Step,
    /// To the end of the phase.
    Finish,
    /// To the next breakpoint.
    Continue,
    /// To a step; without one, to the selected one.
    Until(Option<String>),
    /// Set a breakpoint, or list them.
    Break(Option<String>),
    /// Take a breakpoint away; without one, all.
    Delete(Option<String>),
    /// Look at the kernel; without a subject at all of them.
    Inspect(Option<Subject>),
    /// What the step is good for.
    Why,
    /// The commands that would do it.
    Hand,
    /// A shell: inside, or on the host.
    Shell {
        /// On the host.
        host: bool,
    },
    /// One step back, or to the moment before a step.
    Back(Option<String>),
    /// To the first step.
    First,
    /// Back to the present.
    Present,
    /// Remember this moment.
    Mark,
    /// What is different here from the mark, or from the step before.
    Diff,
    /// Look for a text; without one, for the last one again.
    Search(Option<String>),
    /// All keys, or one of them.
    Help(Option<String>),
    /// Stop here, and undo what was done.
    Quit,
}

/// What was typed is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No command begins like that.
    Unknown(String),
    /// Several do.
    Ambiguous(String, Vec<&'static str>),
    /// There is nothing of that name to look at.
    Subject(String),
}

/// The commands' names. A beginning that is unique is enough; these single
/// letters always mean what they mean in debuggers.
const NAMES: [&str; 19] = [
    "next", "step", "finish", "continue", "until", "break", "delete", "inspect", "why", "hand", "shell",
    "back", "first", "present", "mark", "diff", "search", "help", "quit",
];
const LETTERS: [(&str, &str); 8] = [
    ("n", "next"),
    ("s", "step"),
    ("f", "finish"),
    ("c", "continue"),
    ("u", "until"),
    ("b", "break"),
    ("d", "delete"),
    ("h", "help"),
];

impl Command {
    /// Every name of a command.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// From what was typed behind the colon.
    pub fn parse(text: &str) -> Result<Command, CommandError> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = Some(rest.trim().to_owned()).filter(|r| !r.is_empty());
        Ok(match full_name(word)? {
            "next" => Command::Next,
            "step" => Command::Step,
            "finish" => Command::Finish,
            "continue" => Command::Continue,
            "until" => Command::Until(rest),
            "break" => Command::Break(rest),
            "delete" => Command::Delete(rest),
            "inspect" => Command::Inspect(rest.as_deref().map(subject).transpose()?),
            "why" => Command::Why,
            "hand" => Command::Hand,
            "shell" => Command::Shell { host: rest.as_deref() == Some("host") },
            "back" => Command::Back(rest),
            "first" => Command::First,
            "present" => Command::Present,
            "mark" => Command::Mark,
            "diff" => Command::Diff,
            "search" => Command::Search(rest),
            "help" => Command::Help(rest),
            _ => Command::Quit,
        })
    }
}

fn full_name(word: &str) -> Result<&'static str, CommandError> {
    if let Some((_, name)) = LETTERS.iter().find(|(letter, _)| *letter == word) {
        return Ok(name);
    }
    let found: Vec<&'static str> = NAMES.iter().filter(|n| n.starts_with(word)).copied().collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(CommandError::Unknown(word.to_owned())),
        _ => Err(CommandError::Ambiguous(word.to_owned(), found)),
    }
}

/// What can be looked at, by name.
pub const SUBJECTS: [(&str, Subject); 6] = [
    ("mounts", Subject::Mounts),
    ("namespaces", Subject::Namespaces),
    ("cgroup", Subject::Cgroup),
    ("network", Subject::Network),
    ("layers", Subject::Layers),
    ("processes", Subject::Processes),
];

fn subject(word: &str) -> Result<Subject, CommandError> {
    let found = SUBJECTS.iter().find(|(name, _)| name.starts_with(word));
    found.map(|(_, s)| *s).ok_or_else(|| CommandError::Subject(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_by_their_beginnings() {
        let cases = [
            ("n", Command::Next),
            ("next", Command::Next),
            ("s", Command::Step),
            ("b", Command::Break(None)),
            ("break  copy-up ", Command::Break(Some("copy-up".into()))),
            ("until exec.exec", Command::Until(Some("exec.exec".into()))),
            ("ins net", Command::Inspect(Some(Subject::Network))),
            ("inspect", Command::Inspect(None)),
            ("shell host", Command::Shell { host: true }),
            ("sh", Command::Shell { host: false }),
            ("q", Command::Quit),
            ("pre", Command::Present),
            ("di", Command::Diff),
        ];
        for (typed, wanted) in cases {
            assert_eq!(Command::parse(typed), Ok(wanted), "{typed}");
        }
    }

    #[test]
    fn what_is_no_command_is_said_to_be_none() {
        assert_eq!(Command::parse("jump"), Err(CommandError::Unknown("jump".into())));
        assert_eq!(Command::parse("fi"), Err(CommandError::Ambiguous("fi".into(), vec!["finish", "first"])));
        assert_eq!(Command::parse("inspect moon"), Err(CommandError::Subject("moon".into())));
        assert!(matches!(Command::parse(""), Err(CommandError::Ambiguous(..))));
    }
}
