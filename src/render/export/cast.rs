//! asciicast v3, <https://docs.asciinema.org/manual/asciicast/v3/>: what the
//! console tells, over time, with a marker at each step.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use serde_json::json;

use super::{Options, words};
use crate::kernel::Slots;
use crate::narrate::{Known, Narrator, plain};
use crate::render::console::{self, Console, Level};
use crate::trace::story::Story;
use crate::trace::{Body, Event, EventSink as _};

const COLUMNS: usize = 100;
const ROWS: usize = 30;
/// A player waits no longer than this, seconds: a container may live for days.
const IDLE: u64 = 5;

pub(super) fn write(events: &[Event], options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let header = json!({
        "version": 3,
        "term": { "cols": COLUMNS, "rows": ROWS, "type": "xterm-256color" },
        "idle_time_limit": IDLE,
        "title": words::command(&Story::of(events)),
    });
    writeln!(out, "{header}")?;
    let narrator = Narrator::new(options.lang);
    let mut clock = Clock { pace: options.pace, at: 0, rest: 0 };
    let screen = Screen::default();
    let mut console = Console::new(
        screen.clone(),
        console::Options {
            level: Level::Story,
            lang: options.lang,
            width: COLUMNS,
            colour: true,
            // What is in the file goes to a terminal as it is.
            raw: true,
            group: true,
        },
    );
    for event in events {
        if let Body::About { op, .. } = &event.body {
            let title = plain(&narrator.title(op, Known { slots: &Slots::new() }));
            line(out, clock.to(event, false), "m", &title)?;
        }
        console.event(event)?;
        let text = String::from_utf8_lossy(&screen.0.take()).into_owned();
        if !text.is_empty() {
            line(out, clock.to(event, true), "o", &text)?;
        }
        if let Body::End { status } = event.body {
            line(out, clock.to(event, false), "x", &status.to_string())?;
        }
    }
    Ok(())
}

fn line(out: &mut dyn Write, interval: f64, code: &str, data: &str) -> io::Result<()> {
    writeln!(out, "{}", json!([interval, code, data]))
}

/// Keeps what is written until it is taken.
#[derive(Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the time since the last line in seconds.
struct Clock {
    pace: u64,
    /// When the last line was, in the recording.
    at: u64,
    /// What has yet to be waited before something more is told.
    rest: u64,
}

impl Clock {
    /// `tells`: there is something to be read, which takes its time.
    fn to(&mut self, event: &Event, tells: bool) -> f64 {
        let real = event.at.saturating_sub(self.at);
        self.at = self.at.max(event.at);
        let wait = real.max(self.rest);
        self.rest = if tells { self.pace } else { 0 };
        wait as f64 / 1e6
    }
}
