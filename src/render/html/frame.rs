//! The moments of a recording: one for each step, and for what happens in the
//! container while a step is under way.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::text::{escaped, spans};
use crate::narrate::{Known, Lang, Line, Narrator, man};
use crate::plan::Phase;
use crate::render::export::words;
use crate::render::picture::Picture;
use crate::render::{lines, svg};
use crate::trace::Event;
use crate::trace::story::{Item, Lived, Story, Told};

/// One moment.
#[derive(Debug)]
pub struct Frame {
    /// A chapter begins here: its title.
    pub chapter: Option<String>,
    /// `step`, `failed`, `undo` or `life`.
    pub class: &'static str,
    /// In all languages.
    pub title: String,
    /// All that is told of it, in all languages.
    pub body: String,
    /// Which of the pictures.
    pub picture: usize,
}

/// Says things in every language of the page.
#[derive(Debug)]
pub struct Speakers(Vec<Narrator>);

impl Speakers {
    /// In this order.
    pub fn new(languages: [Lang; 2]) -> Self {
        Speakers(languages.into_iter().map(Narrator::new).collect())
    }

    /// The same in each language.
    pub fn each(&self, html: impl Fn(&Narrator) -> String) -> String {
        let one = |n: &Narrator| format!("<span lang=\"{}\">{}</span>", n.lang().name(), html(n));
        self.0.iter().map(one).collect()
    }

    fn block(&self, html: impl Fn(&Narrator) -> String) -> String {
        let one = |n: &Narrator| format!("<div lang=\"{}\">\n{}</div>\n", n.lang().name(), html(n));
        self.0.iter().map(one).collect()
    }
}

/// The command line.
pub fn command(events: &[Event]) -> String {
    words::command(&Story::of(events))
}

/// The moments and their pictures; moments that look the same share one.
pub fn frames(events: &[Event], speakers: &Speakers) -> (Vec<Frame>, Vec<String>) {
    let story = Story::of(events);
    let mut maker = Maker {
        speakers,
        events,
        picture: Picture::default(),
        pictures: Vec::new(),
        known: HashMap::new(),
        frames: Vec::new(),
        chapter: None,
    };
    for item in &story.items {
        match item {
            Item::Planned(_) => {}
            Item::Life(lived) => maker.life(lived),
            Item::Step(told) => maker.step(told),
        }
    }
    maker.end(&story);
    (maker.frames, maker.pictures)
}

struct Maker<'a> {
    speakers: &'a Speakers,
    events: &'a [Event],
    /// The state after as many events as it has seen.
    picture: Picture,
    pictures: Vec<String>,
    known: HashMap<String, usize>,
    frames: Vec<Frame>,
    chapter: Option<(Phase, bool)>,
}

impl Maker<'_> {
    fn chapter(&mut self, told: &Told) -> Option<String> {
        let chapter = (if told.undoing { Phase::Exit } else { told.step.phase }, told.undoing);
        if self.chapter.replace(chapter) == Some(chapter) {
            return None;
        }
        Some(self.speakers.each(|n| match told.undoing {
            true => spans(&n.say("story_rollback", &[])),
            false => spans(&n.phase_title(told.step.phase)),
        }))
    }

    fn step(&mut self, told: &Told) {
        let chapter = self.chapter(told);
        let class = match (told.undoing, told.failure().is_some()) {
            (_, true) => "failed",
            (true, _) => "undo",
            _ => "step",
        };
        let title = self.speakers.each(|n| spans(&words::title(told, n)));
        let body = |part: Part| self.speakers.block(|n| step_body(told, n, part));
        if told.life.is_empty() {
            let body = body(Part::Whole);
            let picture = self.at(told.events.1);
            self.frames.push(Frame { chapter, class, title, body, picture });
            return;
        }
        // What happens meanwhile comes between its announcement and its end.
        let (before, after) = (body(Part::Beginning), body(Part::Ending));
        let picture = self.at(told.events.0);
        self.frames.push(Frame { chapter, class: "step", title: title.clone(), body: before, picture });
        told.life.iter().for_each(|l| self.life(l));
        let ended = self.speakers.each(|n| {
            let ended = if class == "failed" { "label_failed" } else { "player_done" };
            format!("{}: {}", escaped(&n.word(ended)), spans(&words::title(told, n)))
        });
        let picture = self.at(told.events.1);
        self.frames.push(Frame { chapter: None, class, title: ended, body: after, picture });
    }

    fn life(&mut self, lived: &Lived) {
        let title = self.speakers.each(|n| spans(&n.life(&lived.life)));
        let body = self.speakers.block(|n| {
            format!("<h3>{}</h3>\n<p>{}</p>\n", escaped(&n.word("player_life")), spans(&n.life(&lived.life)))
        });
        let picture = self.at(lived.seq);
        self.frames.push(Frame { chapter: None, class: "life", title, body, picture });
    }

    fn end(&mut self, story: &Story) {
        let Some(status) = story.status else { return };
        let said = |n: &Narrator| n.say("story_end_action", &[("status", status.to_string().into())]);
        let title = self.speakers.each(|n| spans(&said(n)));
        let body = self.speakers.block(|n| format!("<h3>{}</h3>\n", spans(&said(n))));
        let picture = self.at(self.events.len() as u64);
        self.frames.push(Frame { chapter: None, class: "step", title, body, picture });
    }

    /// The picture when the event with this number has happened.
    fn at(&mut self, seq: u64) -> usize {
        while self.picture.seen < self.events.len() && self.picture.seen as u64 <= seq {
            let event = &self.events[self.picture.seen];
            self.picture.event(event);
        }
        let svg: String = self.speakers.0.iter().map(|n| svg::element(&self.picture, n)).collect();
        let next = self.pictures.len();
        let number = *self.known.entry(svg.clone()).or_insert(next);
        if number == next {
            self.pictures.push(svg);
        }
        number
    }
}

/// Which part of a step is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Beginning,
    Ending,
}

fn step_body(told: &Told, narrator: &Narrator, part: Part) -> String {
    let mut html = String::new();
    let known = Known { slots: &told.slots };
    let op = &told.step.op;
    let _ = writeln!(html, "<h3>{}</h3>", spans(&words::title(told, narrator)));
    let actor = spans(&narrator.actor(told.step.actor));
    let _ = writeln!(html, "<p class=\"dim\"><code>{}</code> · {actor}</p>", escaped(&told.step.id.0));
    if part != Part::Ending && !told.undoing {
        note(&mut html, narrator, "label_about", &narrator.about(op, known));
        note(&mut html, narrator, "label_why", &narrator.why(op, known));
    }
    if part != Part::Beginning {
        block(&mut html, narrator, "label_call", told.calls.iter().map(|c| lines::call(c, true, narrator)));
        block(&mut html, narrator, "label_seen", lines::diff(&told.before, &told.after).into_iter());
        if let Some(outcome) = words::outcome(told, narrator) {
            let margin = if told.failure().is_some() { "label_failed" } else { "label_done" };
            note(&mut html, narrator, margin, &outcome);
        }
        if let Some(hint) = told.failure().and_then(|f| f.hint.as_ref()) {
            let _ =
                writeln!(html, "<p><b>{}</b> {}</p>", escaped(&narrator.word("label_hint")), escaped(hint));
        }
    }
    if part != Part::Ending && !told.undoing {
        let hand = narrator.by_hand(op, known);
        let commands =
            hand.commands.iter().map(|c| vec![crate::narrate::Span::new(crate::narrate::Label::Code, c)]);
        block(&mut html, narrator, "label_hand", commands);
        if let Some(line) = &hand.note {
            note(&mut html, narrator, "label_hand", line);
        }
        let pages = man(op).join(", ");
        if !pages.is_empty() {
            let _ =
                writeln!(html, "<p><b>{}</b> {}</p>", escaped(&narrator.word("label_man")), escaped(&pages));
        }
    }
    html
}

fn note(html: &mut String, narrator: &Narrator, margin: &str, line: &Line) {
    if !line.is_empty() {
        let _ = writeln!(html, "<p><b>{}</b> {}</p>", escaped(&narrator.word(margin)), spans(line));
    }
}

fn block(html: &mut String, narrator: &Narrator, margin: &str, lines: impl Iterator<Item = Line>) {
    let text: String = lines.map(|l| spans(&l) + "\n").collect();
    if !text.is_empty() {
        let _ = writeln!(
            html,
            "<p><b>{}</b></p>\n<pre tabindex=\"0\">{text}</pre>",
            escaped(&narrator.word(margin))
        );
    }
}
