//! Keys and the mouse: what they mean, depending on what is open.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::app::{App, Typed, Typing, Wish};
use super::command::{Command, CommandError};
use super::keys::{self, Action};
use super::panes::Pane;
use super::popup::Content;
use super::session::Run;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Wish {
        self.message = None;
        let action = keys::action(key);
        if action == Some(Action::Interrupt) {
            return Wish::Quit;
        }
        if self.typing.is_some() {
            return self.type_key(key);
        }
        if self.popup.is_some() {
            return self.popup_key(key, action);
        }
        action.map_or(Wish::Stay, |a| self.act(a))
    }

    fn act(&mut self, action: Action) -> Wish {
        match action {
            Action::Do(command) => return self.command(command),
            Action::Forward => {
                self.session.run = Run::Step;
                let was = self.session.cursor();
                let stopped = !self.session.at_present() && self.session.forward();
                if !stopped && was == self.session.cursor() {
                    self.say(if self.place.is_live() { "stepper_at_present" } else { "stepper_at_end" });
                }
                self.settle();
            }
            Action::BackOne => {
                if !self.session.back_one() {
                    self.say("stepper_at_start");
                }
                self.settle();
            }
            Action::ToggleBreak => self.toggle_break(),
            Action::AskBreak => self.ask(Typed::Break),
            Action::AskCommand => self.ask(Typed::Command),
            Action::AskSearch => self.ask(Typed::Search),
            Action::Move(lines) => self.move_by(lines),
            Action::Focus(by) => {
                let at = Pane::ALL.iter().position(|p| *p == self.focus).unwrap_or(0);
                let next = (at as i32 + by).rem_euclid(Pane::ALL.len() as i32);
                self.focus_on(Pane::ALL[next as usize]);
            }
            Action::FocusAt(n) => self.focus_on(Pane::ALL[(n - 1).min(Pane::ALL.len() - 1)]),
            Action::Zoom => self.zoom = !self.zoom,
            Action::Escape => {
                self.selected = None;
                self.zoom = false;
            }
            Action::Plain => {
                let text = self.by_hand().commands.join("\n");
                return Wish::Plain(text);
            }
            Action::Redraw => return Wish::Redraw,
            Action::Interrupt => return Wish::Quit,
        }
        Wish::Stay
    }

    fn popup_key(&mut self, key: KeyEvent, action: Option<Action>) -> Wish {
        let Some(popup) = &mut self.popup else { return Wish::Stay };
        match (&popup.content, key.code) {
            (Content::Quit, KeyCode::Char('y' | 'q') | KeyCode::Enter) => return Wish::Quit,
            (Content::Quit, _) | (_, KeyCode::Esc | KeyCode::Char('q')) => self.popup = None,
            (_, KeyCode::Enter) => self.popup = None,
            (
                Content::Help,
                KeyCode::Down | KeyCode::Up | KeyCode::PageDown | KeyCode::PageUp | KeyCode::Char('j' | 'k'),
            )
            | (
                Content::Key(_)
                | Content::Facts(_)
                | Content::Why(_)
                | Content::Hand(..)
                | Content::Changes(_)
                | Content::Breaks(_),
                _,
            ) => match action {
                Some(Action::Move(by)) => popup.scroll = popup.scroll.saturating_add_signed(by as isize),
                Some(Action::Do(Command::Help(None))) => self.open("stepper_title_help", Content::Help),
                _ => self.popup = None,
            },
            (Content::Help, _) => match keys::key_of(key) {
                Some(found) => self.open("stepper_title_help", Content::Key(found)),
                None => self.popup = None,
            },
        }
        Wish::Stay
    }

    fn type_key(&mut self, key: KeyEvent) -> Wish {
        let Some(typing) = &mut self.typing else { return Wish::Stay };
        match key.code {
            KeyCode::Esc => self.typing = None,
            KeyCode::Backspace => {
                let last = typing.text.pop();
                if last.is_none() {
                    self.typing = None;
                }
            }
            KeyCode::Char(c) => typing.text.push(c),
            KeyCode::Enter => {
                let Typing { kind, text } = typing.clone();
                self.typing = None;
                return self.typed(kind, &text);
            }
            _ => {}
        }
        Wish::Stay
    }

    fn typed(&mut self, kind: Typed, text: &str) -> Wish {
        match kind {
            Typed::Search => self.find(text),
            Typed::Break if text.trim().is_empty() => self.list_breaks(),
            Typed::Break => self.set_break(text.trim()),
            Typed::Command if text.trim().is_empty() => {}
            Typed::Command => match Command::parse(text) {
                Ok(command) => return self.command(command),
                Err(CommandError::Unknown(word)) => self.say_of("stepper_command_unknown", &word),
                Err(CommandError::Ambiguous(_, all)) => {
                    self.say_of("stepper_command_ambiguous", &all.join(" "));
                }
                Err(CommandError::Subject(word)) => self.say_of("stepper_subject_unknown", &word),
            },
        }
        Wish::Stay
    }

    fn move_by(&mut self, lines: i32) {
        if self.focus != Pane::Plan {
            let scroll = self.scroll.entry(self.focus).or_default();
            *scroll = scroll.saturating_add_signed(lines as isize);
            return;
        }
        let progress = &self.session.picture().progress;
        let Some(last) = progress.steps.len().checked_sub(1) else { return };
        let at = self.selected.or(progress.current).unwrap_or(0);
        self.selected = Some(at.saturating_add_signed(lines as isize).min(last));
        self.scroll.retain(|pane, _| pane.is_picture());
    }

    fn focus_on(&mut self, pane: Pane) {
        self.focus = pane;
        if !matches!(pane, Pane::Plan | Pane::Story) {
            self.lower = pane;
        }
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Wish {
        let inside = |area: &Rect| {
            (area.x..area.right()).contains(&mouse.column) && (area.y..area.bottom()).contains(&mouse.row)
        };
        let under = self.areas.iter().find(|(_, area)| inside(area)).copied();
        let wheel = match mouse.kind {
            MouseEventKind::ScrollDown => 3,
            MouseEventKind::ScrollUp => -3,
            _ => 0,
        };
        if let Some(popup) = self.popup.as_mut().filter(|_| wheel != 0) {
            popup.scroll = popup.scroll.saturating_add_signed(wheel);
            return Wish::Stay;
        }
        let Some((pane, area)) = under else { return Wish::Stay };
        if wheel != 0 {
            if pane == Pane::Plan {
                self.focus = pane;
                self.move_by(wheel as i32);
            } else {
                let scroll = self.scroll.entry(pane).or_default();
                *scroll = scroll.saturating_add_signed(wheel);
            }
        }
        if mouse.kind == MouseEventKind::Down(MouseButton::Left) {
            self.popup = None;
            self.focus_on(pane);
            let row = usize::from(mouse.row - area.y).checked_sub(1);
            if let (Pane::Plan, Some(row)) = (pane, row) {
                self.selected = self.plan_rows.get(row).copied().flatten().or(self.selected);
            }
        }
        Wish::Stay
    }
}
