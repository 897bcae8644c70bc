//! What stands in each pane: lines for a width, from the moment that is shown.

mod calls;
mod cgroup;
mod evidence;
mod layers;
mod namespaces;
mod network;
pub mod plan;
mod processes;
mod story;

use super::session::Session;
use crate::narrate::{Label, Line, Narrator, Span};
use crate::render::picture::{Picture, StepView};
use crate::trace::{Body, FileChange, Life, Value};

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// The plan, with where we are.
    Plan,
    /// The story of one step.
    Story,
    /// Its system calls.
    Calls,
    /// What was read before and after it.
    Evidence,
    /// The layer stack.
    Layers,
    /// Own or shared.
    Namespaces,
    /// The way of a packet.
    Network,
    /// Limits and use.
    Cgroup,
    /// Inside and outside.
    Processes,
}

impl Pane {
    /// In the order of their numbers, from 1.
    pub const ALL: [Pane; 9] = [
        Pane::Plan,
        Pane::Story,
        Pane::Calls,
        Pane::Evidence,
        Pane::Layers,
        Pane::Namespaces,
        Pane::Network,
        Pane::Cgroup,
        Pane::Processes,
    ];

    /// As message files call it.
    pub fn name(self) -> &'static str {
        match self {
            Pane::Plan => "plan",
            Pane::Story => "story",
            Pane::Calls => "calls",
            Pane::Evidence => "evidence",
            Pane::Layers => "layers",
            Pane::Namespaces => "namespaces",
            Pane::Network => "network",
            Pane::Cgroup => "cgroup",
            Pane::Processes => "processes",
        }
    }

    /// The key that leads to it: 1 to 9.
    pub fn number(self) -> usize {
        Pane::ALL.iter().position(|p| *p == self).map_or(0, |at| at + 1)
    }

    /// It shows the container, not the step.
    pub fn is_picture(self) -> bool {
        self >= Pane::Layers
    }
}

/// What panes are drawn from.
pub struct View<'a> {
    /// Events and breakpoints.
    pub session: &'a Session,
    /// The state at the moment shown.
    pub picture: &'a Picture,
    /// The step whose story is told: the selected one, or the current one.
    pub step: Option<&'a StepView>,
    /// Index of the selected step, if one is.
    pub selected: Option<usize>,
    /// What the cgroup's counters say now, where a run waits.
    pub used: &'a [(String, Value)],
    /// The language.
    pub narrator: &'a Narrator,
}

impl View<'_> {
    /// What happened in the container at this moment, unless another step is looked at.
    pub fn life(&self) -> Option<&Life> {
        match &self.session.event()?.body {
            Body::Life { life } => Some(life).filter(|_| self.selected.is_none()),
            _ => None,
        }
    }

    /// What a process is held before at this moment.
    pub fn held(&self) -> Option<&FileChange> {
        match self.life()? {
            Life::Held(change) => Some(change),
            _ => None,
        }
    }

    fn say(&self, message: &str) -> Line {
        self.narrator.say(message, &[])
    }

    fn dim(&self, message: &str) -> Line {
        self.say(message).into_iter().map(|s| Span { label: Label::Dim, ..s }).collect()
    }
}

/// The lines of a pane. The plan's are by [`plan::lines`].
pub fn lines(pane: Pane, view: &View<'_>, width: usize) -> Vec<Line> {
    match pane {
        Pane::Plan => plan::lines(view, width).into_iter().map(|(line, _)| line).collect(),
        Pane::Story => story::lines(view, width),
        Pane::Calls => calls::lines(view, width),
        Pane::Evidence => evidence::lines(view, width),
        Pane::Layers => layers::lines(view, width),
        Pane::Namespaces => namespaces::lines(view, width),
        Pane::Network => network::lines(view, width),
        Pane::Cgroup => cgroup::lines(view, width),
        Pane::Processes => processes::lines(view, width),
    }
}

/// A number of bytes for people: `17 B`, `64 MiB`.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let exponent = (n.ilog2() / 10).min(5);
    let tenths = n as u128 * 10 / (1u128 << (10 * exponent));
    let unit = UNITS[exponent as usize - 1];
    if tenths.is_multiple_of(10) || tenths >= 1000 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// `key  value`, with the key in a column of this width.
fn pair(key: &str, width: usize, value: Line) -> Line {
    let pad = width.saturating_sub(crate::render::layout::text_width(key));
    let mut line = vec![Span::new(Label::Key, key), Span::new(Label::Plain, " ".repeat(pad + 1))];
    line.extend(value);
    line
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_said_as_people_read_them() {
        let cases =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (67_108_864, "64 MiB")];
        for (n, wanted) in cases {
            assert_eq!(bytes(n), wanted);
        }
        assert_eq!(bytes(u64::MAX), "16383 PiB");
    }
}
