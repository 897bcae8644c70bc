//! The stepper's own state: what is open, selected and scrolled; and what each
//! key means in it.

use std::collections::BTreeMap;

use crossterm::event::{Event as Input, KeyEventKind};
use ratatui::layout::Rect;

use super::breaks::Break;
use super::panes::{Pane, View, plan};
use super::popup::{Content, Popup};
use super::session::Session;
use crate::kernel::Subject;
use crate::narrate::{Line, Narrator};
use crate::render::picture::{Cgroup, StepView};
use crate::trace::{Fact, Value};

/// Where a run waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before a step.
    Before,
    /// After a step that is looked at event by event.
    After,
    /// At a failure, before anything is taken back.
    Failed,
    /// While a process of the container is held before a call.
    Held,
    /// At what happened in the container just now.
    Life,
    /// It is over; what is shown is what was recorded.
    Over,
    /// There is no run, but the recording of one.
    Recording,
}

impl Place {
    /// There is a run that can go on.
    pub fn is_live(self) -> bool {
        !matches!(self, Place::Over | Place::Recording)
    }
}

/// What the stepper wants of who opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing; show it again and wait for the next key.
    Stay,
    /// Let the run go on.
    Go,
    /// Leave. A run that is not over is stopped and undone.
    Quit,
    /// Ask the kernel, and give the answer to [`App::facts`].
    Inspect(Vec<Subject>),
    /// Open a shell.
    Shell {
        /// On the host; else inside the container as built so far.
        host: bool,
    },
    /// Put this into the user's clipboard.
    Copy(String),
    /// Show this on the plain terminal, so that it can be selected.
    Plain(String),
    /// Draw everything anew.
    Redraw,
}

/// What is being typed.
#[derive(Clone, Debug)]
pub(super) struct Typing {
    pub kind: Typed,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Command,
    Search,
    Break,
}

/// The stepper.
pub struct App {
    /// Events, the moment shown, breakpoints.
    pub session: Session,
    /// Where the run waits.
    pub place: Place,
    pub(super) narrator: Narrator,
    pub(super) colour: bool,
    pub(super) focus: Pane,
    /// The pane that shares the lower part of a small screen.
    pub(super) lower: Pane,
    pub(super) zoom: bool,
    pub(super) selected: Option<usize>,
    pub(super) scroll: BTreeMap<Pane, usize>,
    pub(super) popup: Option<Popup>,
    pub(super) typing: Option<Typing>,
    pub(super) message: Option<Line>,
    /// Where panes were drawn last, for the mouse, with the step of each line of the plan.
    pub(super) areas: Vec<(Pane, Rect)>,
    pub(super) plan_rows: Vec<Option<usize>>,
    pub(super) search: String,
    used: Vec<(String, Value)>,
}

impl App {
    /// A stepper for a live run, or with [`Session::recorded`] for a recording.
    pub fn new(session: Session, place: Place, narrator: Narrator, colour: bool) -> App {
        let mut app = App {
            session,
            place,
            narrator,
            colour,
            focus: Pane::Plan,
            lower: Pane::Calls,
            zoom: false,
            selected: None,
            scroll: BTreeMap::new(),
            popup: None,
            typing: None,
            message: None,
            areas: Vec::new(),
            plan_rows: Vec::new(),
            search: String::new(),
            used: Vec::new(),
        };
        app.session.breaks.set(Break::Fail);
        app
    }

    /// What the narration is told by.
    pub fn narrator(&self) -> &Narrator {
        &self.narrator
    }

    /// The run waits here now; what was open belongs to another moment.
    pub fn arrive(&mut self, place: Place) {
        self.place = place;
        self.popup = None;
        self.typing = None;
        self.message = None;
        self.settle();
    }

    /// What the kernel says of the cgroup while the run waits.
    pub fn used(&mut self, facts: &[Fact]) {
        self.used = Cgroup::used(facts);
    }

    /// Says something in the last line.
    pub fn notice(&mut self, line: Line) {
        self.message = Some(line);
    }

    /// What the kernel answered to [`Wish::Inspect`].
    pub fn facts(&mut self, facts: Vec<(Subject, Vec<Fact>)>) {
        self.popup = Some(Popup::new(&self.narrator, "stepper_title_inspect", Content::Facts(facts)));
    }

    /// The step whose story is told.
    pub(super) fn shown_step(&self) -> Option<&StepView> {
        let picture = self.session.picture();
        match self.selected {
            Some(at) => picture.progress.steps.get(at),
            None => picture.progress.at().or_else(|| picture.progress.steps.first()),
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            session: &self.session,
            picture: self.session.picture(),
            step: self.shown_step(),
            selected: self.selected,
            used: &self.used,
            narrator: &self.narrator,
        }
    }

    /// Takes what came from the terminal.
    pub fn input(&mut self, input: &Input) -> Wish {
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            Input::Mouse(mouse) => self.mouse(*mouse),
            Input::Resize(..) => Wish::Redraw,
            _ => Wish::Stay,
        }
    }

    /// Another moment: panes begin at their tops again.
    pub(super) fn settle(&mut self) {
        self.selected = None;
        self.scroll.clear();
    }

    pub(super) fn ask(&mut self, kind: Typed) {
        self.typing = Some(Typing { kind, text: String::new() });
    }

    pub(super) fn open(&mut self, title: &str, content: Content) {
        self.popup = Some(Popup::new(&self.narrator, title, content));
    }

    pub(super) fn say(&mut self, message: &str) {
        self.message = Some(self.narrator.say(message, &[]));
    }

    pub(super) fn say_of(&mut self, message: &str, what: &str) {
        self.message = Some(self.narrator.say(message, &[("what", what.to_owned().into())]));
    }

    /// The line of the plan that has to be visible.
    pub(super) fn plan_line(&self, rows: &[(Line, Option<usize>)]) -> usize {
        let wanted = self.selected.or(self.session.picture().progress.current).unwrap_or(0);
        rows.iter().position(|(_, at)| *at == Some(wanted)).unwrap_or(0)
    }

    pub(super) fn plan_lines(&self, width: usize) -> Vec<(Line, Option<usize>)> {
        plan::lines(&self.view(), width)
    }
}
