//! What is laid over the panes: help, evidence asked for, why, by hand,
//! differences, a question.

use super::keys::{KEYS, Key};
use super::panes::View;
use crate::kernel::Subject;
use crate::narrate::{Known, Label, Line, Narrator, Span};
use crate::render::layout::{Row, char_width, layout, table, wrap};
use crate::render::picture::{Change, StepView};
use crate::render::step as view_step;
use crate::trace::Fact;

/// Text over the panes.
#[derive(Clone, Debug)]
pub struct Popup {
    /// In its frame.
    pub title: String,
    /// Built for a width, as the screen may change.
    pub content: Content,
    /// Lines that are scrolled away at the top.
    pub scroll: usize,
}

/// What it shows.
#[derive(Clone, Debug)]
pub enum Content {
    /// All keys; a key pressed is explained.
    Help,
    /// One key.
    Key(&'static Key),
    /// What the kernel says now.
    Facts(Vec<(Subject, Vec<Fact>)>),
    /// What a step is good for.
    Why(Box<StepView>),
    /// The commands that would do it.
    Hand(Vec<String>, Option<Line>),
    /// What is different.
    Changes(Vec<Change>),
    /// A question that `y` answers with yes.
    Quit,
    /// Breakpoints.
    Breaks(Vec<String>),
}

impl Popup {
    /// With this content; `title` is a message.
    pub fn new(narrator: &Narrator, title: &str, content: Content) -> Popup {
        Popup { title: narrator.word(title), content, scroll: 0 }
    }

    /// Its lines.
    pub fn lines(&self, view: &View<'_>, width: usize) -> Vec<Line> {
        let narrator = view.narrator;
        let say = |message: &str| wrap(&narrator.say(message, &[]), width);
        match &self.content {
            Content::Help => help(narrator, width),
            Content::Key(key) => {
                let mut out = vec![vec![Span::new(Label::Code, key.written)]];
                out.extend(say(&format!("stepper_key_{}", key.name)));
                out.push(Vec::new());
                out.extend(say(&format!("stepper_key_{}.more", key.name)));
                out
            }
            Content::Facts(all) => {
                let mut out = Vec::new();
                for (subject, facts) in all {
                    out.extend(view_step::inspect(*subject, facts, narrator, width));
                    out.push(Vec::new());
                }
                out
            }
            Content::Why(step) => {
                let known = Known { slots: &view.picture.slots };
                let mut rows = Vec::new();
                if let (Some(_), Some(kernel)) = (view.held(), view.picture.kernel) {
                    rows.extend([view_step::why_held_row(kernel, narrator), Row::Blank]);
                }
                rows.extend([Row::Flush(narrator.title(&step.step.op, known)), Row::Blank]);
                rows.push(Row::Flush(narrator.phase_text(step.step.phase)));
                rows.push(Row::Blank);
                rows.extend(view_step::isolated(&step.step.op, narrator));
                rows.extend(view_step::why_rows(&step.step, &view.picture.slots, narrator));
                layout(&rows, width)
            }
            Content::Hand(commands, note) => {
                let mut out: Vec<Line> = Vec::new();
                for command in commands {
                    out.extend(folded(command, width));
                }
                if commands.is_empty() {
                    out.extend(say("stepper_hand_none"));
                }
                if let Some(note) = note {
                    out.push(Vec::new());
                    out.extend(wrap(note, width));
                }
                out.push(Vec::new());
                out.extend(say("stepper_hand_copied"));
                out
            }
            Content::Changes(changes) => self::changes(changes, narrator, width),
            Content::Quit => say("stepper_quit_question"),
            Content::Breaks(breaks) => {
                let mut out: Vec<Line> = breaks.iter().map(|b| vec![Span::new(Label::Value, b)]).collect();
                if out.is_empty() {
                    out.extend(say("stepper_breaks_none"));
                }
                out.push(Vec::new());
                out.extend(say("stepper_breaks_how"));
                out
            }
        }
    }
}

/// A command as it is, folded where the frame ends.
fn folded(command: &str, width: usize) -> Vec<Line> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in command.chars() {
        used += char_width(c);
        if used > width {
            lines.push(String::new());
            used = char_width(c);
        }
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines.iter().map(|line| vec![Span::new(Label::Code, line)]).collect()
}

fn help(narrator: &Narrator, width: usize) -> Vec<Line> {
    let rows: Vec<Vec<Line>> = KEYS
        .iter()
        .map(|key| {
            vec![
                vec![Span::new(Label::Code, key.written)],
                narrator.say(&format!("stepper_key_{}", key.name), &[]),
            ]
        })
        .collect();
    let mut out = wrap(&narrator.say("stepper_help_how", &[]), width);
    out.push(Vec::new());
    out.extend(table(&rows, width));
    out.push(Vec::new());
    out.extend(wrap(&narrator.say("stepper_help_signs", &[]), width));
    out
}

fn changes(changes: &[Change], narrator: &Narrator, width: usize) -> Vec<Line> {
    if changes.is_empty() {
        return wrap(&narrator.say("stepper_changes_none", &[]), width);
    }
    let mut out: Vec<Line> = Vec::new();
    let mut topic = None;
    for change in changes {
        if topic != Some(change.topic) {
            topic = Some(change.topic);
            out.push(vec![Span::new(
                Label::Heading,
                narrator.word(&format!("stepper_topic_{}", change.topic.name())),
            )]);
        }
        for (sign, label, value) in
            [("-", Label::Removed, &change.before), ("+", Label::Added, &change.after)]
        {
            let Some(value) = value else { continue };
            let line = vec![
                Span::new(label, format!("{sign} ")),
                Span::new(label, told(&change.key, narrator)),
                Span::new(Label::Plain, "  "),
                Span::new(label, crate::narrate::brief_ids(&told(value, narrator))),
            ];
            out.extend(wrap(&line, width));
        }
    }
    out
}

/// The picture's own words at the beginning of a key or a value, in the language
/// of the narration.
fn told(text: &str, narrator: &Narrator) -> String {
    const WORDS: [(&str, &str); 33] = [
        ("about to", "about"),
        ("done, nothing changed", "found"),
        ("done", "done"),
        ("failed", "failed"),
        ("undoing", "undoing"),
        ("undone", "undone"),
        ("not undone", "left"),
        ("added", "added"),
        ("copied up", "copied"),
        ("whiteout", "whiteout"),
        ("opaque", "opaque"),
        ("redirect", "redirect"),
        ("removed", "removed"),
        ("own", "own"),
        ("shared with the host", "shared"),
        ("ended", "ended"),
        ("the root /", "root"),
        ("attached", "attached"),
        ("mounted, not attached", "detached"),
        ("rule", "rule"),
        ("layer", "layer"),
        ("writable layer", "writable"),
        ("union", "union"),
        ("host name", "hostname"),
        ("bridge", "bridge"),
        ("veth", "veth"),
        ("address reserved", "reserved"),
        ("address of", "address"),
        ("link", "link"),
        ("route", "route"),
        ("port", "port"),
        ("group", "group"),
        ("pid", "pid"),
    ];
    for (english, word) in WORDS {
        match text.strip_prefix(english) {
            Some(rest) if rest.is_empty() || rest.starts_with(' ') => {
                return format!("{}{rest}", narrator.word(&format!("stepper_word_{word}")));
            }
            _ => {}
        }
    }
    text.to_owned()
}
