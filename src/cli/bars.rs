//! What `pull` and `push` show of each layer: a bar on a terminal, a line for
//! each change elsewhere, nothing when they are to be quiet.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The result of the command itself.
    Stdout,
    /// Beside another result.
    Stderr,
    /// Nowhere.
    Nowhere,
}

/// The layers of one image.
pub struct Bars {
    place: Place,
    rows: Vec<Row>,
    _all: Option<MultiProgress>,
}

struct Row {
    name: String,
    bar: Option<ProgressBar>,
    said: Mutex<String>,
}

/// Frames a second: enough to see it move.
const RATE: u8 = 8;

impl Bars {
    /// A row for each layer: its short name and its bytes, lowest first.
    pub fn new(place: Place, layers: &[(String, u64)]) -> Self {
        let target = match place {
            Place::Stdout if std::io::stdout().is_terminal() => {
                Some(ProgressDrawTarget::stdout_with_hz(RATE))
            }
            Place::Stderr if std::io::stderr().is_terminal() => {
                Some(ProgressDrawTarget::stderr_with_hz(RATE))
            }
            _ => None,
        };
        let all = target.map(MultiProgress::with_draw_target);
        let rows = layers.iter().map(|(name, bytes)| {
            let bar = all.as_ref().map(|all| {
                let bar = all.add(ProgressBar::new(*bytes));
                bar.set_style(plain());
                bar.set_prefix(name.clone());
                bar
            });
            Row { name: name.clone(), bar, said: Mutex::default() }
        });
        Bars { place, rows: rows.collect(), _all: all }
    }

    /// A layer is now so: `Already exists`, `Pull complete`. Said once.
    pub fn say(&self, row: usize, words: &str) {
        let Some(row) = self.rows.get(row) else { return };
        let mut said = row.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == words {
            return;
        }
        words.clone_into(&mut said);
        match &row.bar {
            Some(bar) => {
                bar.set_style(plain());
                bar.set_message(words.to_owned());
                bar.tick();
            }
            None => self.line(&format!("{}: {words}", row.name)),
        }
    }

    /// So many bytes of a layer have gone one way or the other.
    pub fn bytes(&self, row: usize, words: &str, bytes: u64) {
        let Some(Row { bar: Some(bar), said, .. }) = self.rows.get(row) else { return };
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != words {
            words.clone_into(&mut said);
            bar.set_style(moving());
            bar.set_message(words.to_owned());
        }
        bar.set_position(bytes);
    }

    /// Leaves the rows as they are on the screen.
    pub fn end(&self) {
        for row in &self.rows {
            if let Some(bar) = &row.bar {
                bar.abandon();
            }
        }
    }

    /// A line of its own, where it goes with the rows.
    fn line(&self, text: &str) {
        // Progress that nobody reads any more is no reason to stop.
        let _ = match self.place {
            Place::Stdout => writeln!(std::io::stdout().lock(), "{text}"),
            Place::Stderr => writeln!(std::io::stderr().lock(), "{text}"),
            Place::Nowhere => Ok(()),
        };
    }
}

fn plain() -> ProgressStyle {
    style("{prefix}: {msg}")
}

fn moving() -> ProgressStyle {
    style("{prefix}: {msg:<12} [{bar:50}] {decimal_bytes}/{decimal_total_bytes}").progress_chars("=> ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
