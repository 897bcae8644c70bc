//! From the stepper's state to the cells of a screen of any size.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, Place, Typed};
use super::panes::{self, Pane};
use super::session::Run;
use super::style;
use crate::kernel::KernelName;
use crate::narrate::{Label, Line, Span};
use crate::render::layout::{line_width, text_width};

/// Columns from which the container stands beside the step.
const WIDE: u16 = 110;
/// Rows from which all its parts stand there.
const TALL: u16 = 30;

impl App {
    /// Draws everything.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let all = frame.area();
        let buffer = frame.buffer_mut();
        if all.width < 20 || all.height < 4 {
            let text = self.narrator.word("stepper_too_small");
            buffer.set_stringn(all.x, all.y, text, usize::from(all.width), style::title(false));
            return;
        }
        let body = Rect { y: all.y + 1, height: all.height - 2, ..all };
        self.header(buffer, Rect { height: 1, ..all });
        self.areas = if self.zoom { vec![(self.focus, body)] } else { self.arrange(body) };
        for (pane, area) in self.areas.clone() {
            self.pane(buffer, pane, area);
        }
        self.footer(buffer, Rect { y: all.bottom() - 1, height: 1, ..all });
        self.overlay(buffer, body);
    }

    /// Which panes there is room for, and where.
    fn arrange(&self, body: Rect) -> Vec<(Pane, Rect)> {
        let plan = match body.width {
            0..60 => 0,
            60..WIDE => 25,
            WIDE..170 => 30,
            _ => 36,
        };
        if plan == 0 || body.height < 8 {
            return vec![(self.focus, body)];
        }
        let mut out = vec![(Pane::Plan, Rect { width: plan, ..body })];
        let rest = Rect { x: body.x + plan + 1, width: body.width - plan - 1, ..body };
        if body.width < WIDE {
            let upper = (rest.height * 9 / 20).max(3);
            out.push((Pane::Story, Rect { height: upper, ..rest }));
            out.push((self.lower, Rect { y: rest.y + upper, height: rest.height - upper, ..rest }));
            return out;
        }
        let picture = if body.width < 170 { 42 } else { rest.width * 2 / 5 };
        let middle = Rect { width: rest.width - picture - 1, ..rest };
        let right = Rect { x: middle.right() + 1, width: picture, ..rest };
        let third = middle.height / 3;
        let story = middle.height - 2 * third;
        out.push((Pane::Story, Rect { height: story, ..middle }));
        out.push((Pane::Calls, Rect { y: middle.y + story, height: third, ..middle }));
        out.push((Pane::Evidence, Rect { y: middle.y + story + third, height: third, ..middle }));
        if body.height < TALL {
            let pane = if self.lower.is_picture() { self.lower } else { Pane::Layers };
            out.push((pane, right));
        } else {
            out.extend(self.stack(right));
        }
        out
    }

    /// The parts of the container, each as high as it needs, as far as there is room.
    fn stack(&self, area: Rect) -> Vec<(Pane, Rect)> {
        let parts: Vec<Pane> = Pane::ALL.into_iter().filter(|p| p.is_picture()).collect();
        let view = self.view();
        let mut heights: Vec<u16> = parts
            .iter()
            .map(|p| panes::lines(*p, &view, usize::from(area.width)).len().min(60) as u16 + 1)
            .collect();
        // The highest gives first.
        while heights.iter().sum::<u16>() > area.height {
            let Some(highest) = heights.iter_mut().max() else { break };
            *highest -= 1;
        }
        let spare = area.height - heights.iter().sum::<u16>();
        if let Some(first) = heights.first_mut() {
            *first += spare;
        }
        let mut y = area.y;
        let place = |(pane, height): (Pane, u16)| {
            let at = Rect { y, height, ..area };
            y += height;
            (pane, at)
        };
        parts.into_iter().zip(heights).map(place).collect()
    }

    fn pane(&mut self, buffer: &mut Buffer, pane: Pane, area: Rect) {
        let width = usize::from(area.width);
        let room = usize::from(area.height.saturating_sub(1));
        let focused = self.focus == pane;
        let (lines, first, chosen) = if pane == Pane::Plan {
            let rows = self.plan_lines(width);
            let wanted = self.plan_line(&rows);
            // A little of what is ahead stays in sight.
            let first = (wanted + 1 + room / 4).min(rows.len()).saturating_sub(room);
            let first = first.min(wanted);
            self.plan_rows = rows.iter().skip(first).map(|(_, at)| *at).collect();
            let chosen = self.selected.map(|_| wanted);
            (rows.into_iter().map(|(line, _)| line).collect(), first, chosen)
        } else {
            let lines = panes::lines(pane, &self.view(), width);
            let last = lines.len().saturating_sub(room);
            // Event by event, the latest call is what is looked at.
            let follows =
                pane == Pane::Calls && self.session.run == Run::Into && !self.scroll.contains_key(&pane);
            let wanted = self.scroll.get(&pane).copied().unwrap_or(if follows { last } else { 0 });
            let first = wanted.min(last);
            if self.scroll.contains_key(&pane) {
                self.scroll.insert(pane, first);
            }
            (lines, first, None)
        };
        let hidden = lines.len().saturating_sub(first + room);
        self.title(buffer, pane, area, focused, (first, hidden));
        for (n, line) in lines.iter().skip(first).take(room).enumerate() {
            let y = area.y + 1 + n as u16;
            self.line(buffer, area.x, y, width, line);
            if chosen == Some(first + n) {
                buffer.set_style(Rect { x: area.x, y, width: area.width, height: 1 }, style::selected());
            }
        }
        if area.right() < buffer.area.right() {
            for y in area.y..area.bottom() {
                buffer.set_string(area.right(), y, "│", style::rule());
            }
        }
    }

    /// `─2 Story──────────↓12─`; the arrows say how many lines are out of sight.
    fn title(&self, buffer: &mut Buffer, pane: Pane, area: Rect, focused: bool, out: (usize, usize)) {
        let width = usize::from(area.width);
        buffer.set_stringn(area.x, area.y, "─".repeat(width), width, style::rule());
        let name = self.narrator.word(&format!("stepper_pane_{}", pane.name()));
        let sign = if focused { "▸" } else { "" };
        let text = format!("{sign}{} {name}", pane.number());
        buffer.set_stringn(area.x + 1, area.y, text, width.saturating_sub(2), style::title(focused));
        let mut more = String::new();
        if out.0 > 0 {
            more.push_str(&format!("↑{}", out.0));
        }
        if out.1 > 0 {
            more.push_str(&format!("↓{}", out.1));
        }
        let columns = text_width(&more);
        if columns > 0 && columns + 2 < width {
            buffer.set_string(area.right() - columns as u16 - 1, area.y, more, style::title(false));
        }
    }

    fn line(&self, buffer: &mut Buffer, x: u16, y: u16, width: usize, line: &[Span]) {
        let mut at = x;
        for span in line {
            let room = width.saturating_sub(usize::from(at - x));
            if room == 0 {
                break;
            }
            (at, _) = buffer.set_stringn(at, y, &span.text, room, style::of(span.label, self.colour));
        }
    }

    fn header(&self, buffer: &mut Buffer, area: Rect) {
        let picture = self.session.picture();
        let progress = &picture.progress;
        let number = progress.current.map_or(0, |at| at + 1);
        let kernel = match (picture.kernel, &picture.release) {
            (Some(KernelName::Linux), Some(release)) => format!("Linux {release}"),
            (Some(KernelName::Model), _) => self.narrator.word("stepper_model"),
            _ => String::new(),
        };
        let step = progress.at().map_or_else(String::new, |s| s.step.id.0.clone());
        let args = [("number", number.into()), ("total", progress.steps.len().into()), ("step", step.into())];
        let mut line = vec![Span::new(Label::Title, format!(" {} ", self.place_word()))];
        line.push(Span::new(Label::Plain, "  "));
        line.extend(self.narrator.say("stepper_where", &args));
        let args = [("event", self.session.cursor().into()), ("events", self.session.events().len().into())];
        line.push(Span::new(Label::Plain, "  "));
        line.extend(self.narrator.say("stepper_event", &args));
        line.push(Span::new(Label::Dim, format!("  {kernel}  glassbox {}", picture.command.join(" "))));
        self.line(buffer, area.x, area.y, usize::from(area.width), &line);
        let badge = text_width(&self.place_word()) as u16 + 2;
        buffer.set_style(Rect { width: badge.min(area.width), ..area }, style::selected());
    }

    /// One word for what is shown: the present of a run, its past, a recording.
    fn place_word(&self) -> String {
        self.narrator.word(match (self.place, self.session.at_present()) {
            (Place::Recording, _) => "stepper_place_recording",
            (Place::Over, _) => "stepper_place_over",
            (Place::After, _) => "stepper_place_after",
            (_, false) => "stepper_place_past",
            (Place::Before, true) => "stepper_place_live",
            (Place::Failed, true) => "stepper_place_failed",
            (Place::Held, true) => "stepper_place_held",
            (Place::Life, true) => "stepper_place_life",
        })
    }

    fn footer(&self, buffer: &mut Buffer, area: Rect) {
        let width = usize::from(area.width);
        if let Some(typing) = &self.typing {
            let prompt = match typing.kind {
                Typed::Command => ":".to_owned(),
                Typed::Search => "/".to_owned(),
                Typed::Break => self.narrator.word("stepper_ask_break"),
            };
            let line = vec![Span::new(Label::Title, prompt), Span::new(Label::Code, &typing.text)];
            // The end is where one types.
            let over = (line_width(&line) + 1).saturating_sub(width);
            let text: String = crate::narrate::plain(&line).chars().skip(over).collect();
            let (x, y) = buffer.set_stringn(area.x, area.y, text, width, style::of(Label::Code, self.colour));
            buffer.set_stringn(x, y, "█", 1, style::of(Label::Title, false));
            return;
        }
        if let Some(message) = &self.message {
            self.line(buffer, area.x, area.y, width, message);
            return;
        }
        self.line(buffer, area.x, area.y, width, &self.hints(width));
    }

    /// The keys that matter most, as many as there is room for.
    fn hints(&self, width: usize) -> Line {
        const HINTS: [&str; 15] = ["n", "s", "c", "p", "b", "u", "i", "w", "y", "!", "d", "/", ":", "?", "q"];
        // Help and the way out are always there.
        let mut shown: Vec<&str> = Vec::new();
        for first in ["?", "q"].into_iter().chain(HINTS) {
            if shown.contains(&first) {
                continue;
            }
            shown.push(first);
            if line_width(&self.hint_line(&shown, &HINTS)) > width {
                shown.pop();
                break;
            }
        }
        self.hint_line(&shown, &HINTS)
    }

    fn hint_line(&self, shown: &[&str], order: &[&str]) -> Line {
        let mut line = Line::new();
        for written in order.iter().filter(|h| shown.contains(*h)) {
            let Some(key) = super::keys::KEYS.iter().find(|k| k.written == *written) else { continue };
            if !line.is_empty() {
                line.push(Span::new(Label::Plain, "  "));
            }
            line.push(Span::new(Label::Code, *written));
            line.push(Span::new(Label::Plain, " "));
            let word = self.narrator.word(&format!("stepper_key_{}.hint", key.name));
            line.push(Span::new(Label::Dim, word));
        }
        line
    }

    fn overlay(&mut self, buffer: &mut Buffer, body: Rect) {
        let Some(popup) = &self.popup else { return };
        let width = body.width.saturating_sub(4).clamp(16, 110).min(body.width);
        let inner = usize::from(width.saturating_sub(4)).max(10);
        let lines = popup.lines(&self.view(), inner);
        let height = (lines.len() as u16 + 2).min(body.height);
        let area = Rect {
            x: body.x + (body.width - width) / 2,
            y: body.y + (body.height - height) / 2,
            width,
            height,
        };
        let room = usize::from(height.saturating_sub(2));
        let scroll = popup.scroll.min(lines.len().saturating_sub(room));
        let blank = " ".repeat(usize::from(width));
        let edge = "─".repeat(usize::from(width.saturating_sub(2)));
        for y in area.y..area.bottom() {
            // A wide character under the edge must not stand half.
            if area.x > body.x {
                buffer.set_string(area.x - 1, y, " ", style::of(Label::Plain, false));
            }
            buffer.set_string(area.x, y, &blank, style::of(Label::Plain, false));
            buffer.set_string(area.x, y, "│", style::rule());
            buffer.set_string(area.right() - 1, y, "│", style::rule());
        }
        buffer.set_string(area.x, area.y, format!("┌{edge}┐"), style::rule());
        buffer.set_string(area.x, area.bottom() - 1, format!("└{edge}┘"), style::rule());
        let title = format!(" {} ", popup.title);
        buffer.set_stringn(area.x + 2, area.y, title, inner, style::title(true));
        let hidden = lines.len().saturating_sub(scroll + room);
        if hidden > 0 {
            let more = format!("↓{hidden}");
            let x = area.right().saturating_sub(text_width(&more) as u16 + 2);
            buffer.set_string(x, area.bottom() - 1, more, style::title(false));
        }
        for (n, line) in lines.iter().skip(scroll).take(room).enumerate() {
            self.line(buffer, area.x + 2, area.y + 1 + n as u16, inner, line);
        }
        if let Some(popup) = &mut self.popup {
            popup.scroll = scroll;
        }
    }
}
