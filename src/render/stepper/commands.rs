//! What each command does.

use super::app::{App, Place, Wish};
use super::breaks::Break;
use super::command::{Command, SUBJECTS};
use super::keys;
use super::popup::Content;
use super::session::Run;
use crate::kernel::Subject;
use crate::narrate::{Hand, Known, plain};
use crate::plan::StepId;
use crate::render::picture::{Picture, State, StepView, compare};
use crate::trace::{Body, Fact};

impl App {
    /// Does a command.
    pub fn command(&mut self, command: Command) -> Wish {
        match command {
            Command::Next => return self.advance(Run::Step),
            Command::Step => return self.advance(Run::Into),
            Command::Continue => return self.advance(Run::Continue),
            Command::Finish => {
                let Some(phase) = self.session.step().map(|s| s.step.phase) else {
                    return self.advance(Run::Step);
                };
                return self.advance(Run::Finish(phase));
            }
            Command::Until(step) => return self.until(step),
            Command::Break(None) => self.list_breaks(),
            Command::Break(Some(at)) => self.set_break(&at),
            Command::Delete(at) => self.delete_break(at.as_deref()),
            Command::Inspect(subject) => return self.inspect(subject),
            Command::Why => {
                if let Some(step) = self.shown_step().cloned() {
                    self.open("stepper_title_why", Content::Why(Box::new(step)));
                }
            }
            Command::Hand => return self.hand(),
            Command::Shell { host } => {
                if self.place.is_live() {
                    return Wish::Shell { host };
                }
                self.say("stepper_no_shell");
            }
            Command::Back(None) => {
                if !self.session.back() {
                    self.say("stepper_at_start");
                }
                self.settle();
            }
            Command::Back(Some(step)) => {
                if !self.session.show_step(&StepId(step.clone())) {
                    self.say_of("stepper_step_unknown", &step);
                }
                self.settle();
            }
            Command::First => {
                self.session.show(0);
                self.session.run = Run::Step;
                self.session.forward();
                self.settle();
            }
            Command::Present => {
                self.session.show_present();
                self.settle();
            }
            Command::Mark => {
                self.session.mark = Some(self.session.cursor());
                self.say("stepper_marked");
            }
            Command::Diff => {
                let before = Picture::at(self.session.events(), self.session.compared_with());
                let changes = compare(&before, self.session.picture());
                let marked = self.session.mark.is_some();
                let title = if marked { "stepper_title_diff_mark" } else { "stepper_title_diff" };
                self.open(title, Content::Changes(changes));
            }
            Command::Search(text) => self.find(text.as_deref().unwrap_or_default()),
            Command::Help(None) => self.open("stepper_title_help", Content::Help),
            Command::Help(Some(key)) => match keys::KEYS.iter().find(|k| k.written == key || k.name == key) {
                Some(found) => self.open("stepper_title_help", Content::Key(found)),
                None => self.say_of("stepper_key_unknown", &key),
            },
            Command::Quit => return self.quit(),
        }
        Wish::Stay
    }

    /// Goes on: within the past, or by letting the run go on.
    fn advance(&mut self, run: Run) -> Wish {
        self.selected = None;
        self.session.run = run;
        if !self.place.is_live() {
            let at_end = self.session.at_present();
            self.session.forward();
            if at_end {
                self.say("stepper_at_end");
            }
            self.settle();
            return Wish::Stay;
        }
        if self.session.at_present() {
            return Wish::Go;
        }
        let stopped = self.session.forward();
        self.settle();
        // What was shown event by event has happened: its end is no place to stop.
        if stopped || self.place != Place::After { Wish::Stay } else { Wish::Go }
    }

    fn until(&mut self, step: Option<String>) -> Wish {
        let picture = self.session.picture();
        let selected = self.selected.and_then(|at| picture.progress.steps.get(at));
        let wanted = match step {
            Some(step) => picture.progress.steps.iter().find(|s| s.step.id.0 == step),
            None => selected,
        };
        match wanted {
            None => self.say("stepper_until_what"),
            Some(view) if view.state != State::Ahead => self.say("stepper_until_past"),
            Some(view) => {
                let id = view.step.id.clone();
                return self.advance(Run::Until(id));
            }
        }
        Wish::Stay
    }

    pub(super) fn toggle_break(&mut self) {
        let Some(step) = self.shown_step() else { return };
        let id = step.step.id.clone();
        let set = self.session.breaks.toggle(Break::Step(id.clone()));
        self.say_of(if set { "stepper_break_set" } else { "stepper_break_gone" }, &id.0);
    }

    pub(super) fn set_break(&mut self, at: &str) {
        match Break::parse(at, &self.session.plans()) {
            Some(found) => {
                let name = found.to_string();
                self.session.breaks.set(found);
                self.say_of("stepper_break_set", &name);
            }
            None => self.say_of("stepper_break_unknown", at),
        }
    }

    fn delete_break(&mut self, at: Option<&str>) {
        let Some(at) = at else {
            self.session.breaks.clear();
            return self.say("stepper_breaks_cleared");
        };
        let found = Break::parse(at, &self.session.plans());
        let gone = found.is_some_and(|b| self.session.breaks.delete(&b));
        self.say_of(if gone { "stepper_break_gone" } else { "stepper_break_unset" }, at);
    }

    pub(super) fn list_breaks(&mut self) {
        let all = self.session.breaks.iter().map(ToString::to_string).collect();
        self.open("stepper_title_breaks", Content::Breaks(all));
    }

    fn inspect(&mut self, subject: Option<Subject>) -> Wish {
        if !self.place.is_live() {
            self.say("stepper_no_kernel");
            return Wish::Stay;
        }
        Wish::Inspect(subject.map_or_else(|| SUBJECTS.iter().map(|(_, s)| *s).collect(), |s| vec![s]))
    }

    pub(super) fn by_hand(&self) -> Hand {
        let known = Known { slots: &self.session.picture().slots };
        let none = Hand { commands: Vec::new(), note: None };
        self.shown_step().map_or(none, |step| self.narrator.by_hand(&step.step.op, known))
    }

    fn hand(&mut self) -> Wish {
        let hand = self.by_hand();
        let text = hand.commands.join("\n");
        self.open("stepper_title_hand", Content::Hand(hand.commands, hand.note));
        if text.is_empty() { Wish::Stay } else { Wish::Copy(text) }
    }

    fn quit(&mut self) -> Wish {
        let begun = self.session.events().iter().any(|e| matches!(e.body, Body::Done { .. }));
        if self.place.is_live() && begun {
            self.open("stepper_title_quit", Content::Quit);
            return Wish::Stay;
        }
        Wish::Quit
    }

    /// The next step, from the selected one, in whose name, title, calls or
    /// evidence the text stands.
    pub(super) fn find(&mut self, text: &str) {
        if !text.is_empty() {
            self.search = text.to_lowercase();
        }
        if self.search.is_empty() {
            return;
        }
        let picture = self.session.picture();
        let steps = &picture.progress.steps;
        let from = self.selected.or(picture.progress.current).map_or(0, |at| at + 1);
        let known = Known { slots: &picture.slots };
        let holds = |view: &StepView| {
            let has = |text: &str| text.to_lowercase().contains(&self.search);
            let fact = |f: &Fact| has(&f.key) || has(&f.value.text()) || has(&f.source.text());
            has(&view.step.id.0)
                || has(&plain(&self.narrator.title(&view.step.op, known)))
                || view.calls.iter().any(|c| has(&c.name) || c.args.iter().any(|(_, v)| has(&v.text())))
                || view.before.iter().chain(&view.after).any(fact)
        };
        let found = (from..steps.len()).chain(0..from.min(steps.len())).find(|at| holds(&steps[*at]));
        match found {
            Some(at) => {
                self.settle();
                self.selected = Some(at);
            }
            None => {
                let wanted = self.search.clone();
                self.say_of("stepper_not_found", &wanted);
            }
        }
    }
}
