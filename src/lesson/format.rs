//! `lesson.toml`: the lesson, its exercises, hints and recordings.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::check::Check;
use super::text::{Id, Line, Text};

/// What a lesson needs in order to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The modelled kernel: no privileges, no Linux.
    Model,
    /// A Linux host and an ordinary user.
    Rootless,
    /// A Linux host and root.
    Root,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Tier::Model => "model",
            Tier::Rootless => "rootless",
            Tier::Root => "root",
        })
    }
}

/// A lesson.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lesson {
    /// Names the lesson on the command line and in the book.
    pub id: Id,
    /// What it is called.
    pub title: Text,
    /// What it is about.
    pub prompt: Text,
    /// How long it takes.
    pub minutes: u32,
    /// What the learner can do afterwards.
    pub objectives: Vec<Text>,
    /// What it needs.
    pub tier: Tier,
    /// The containers that the exercises make; `reset` removes these and no others.
    pub containers: Vec<Id>,
    /// In order.
    pub exercises: Vec<Exercise>,
    /// Runs recorded for the book.
    pub recordings: Vec<Recording>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// Names it within the lesson, and its solution script.
    pub id: Id,
    /// A few words.
    pub title: Text,
    /// What to do, in Markdown.
    pub prompt: Text,
    /// All of these must hold.
    pub checks: Vec<Check>,
    /// The first that fits the state is given.
    pub hints: Vec<Hint>,
}

/// A hint and the state that it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// The state; the last hint of an exercise, and only that, has none.
    #[serde(default)]
    pub when: Option<Check>,
    /// What to try.
    pub text: Text,
}

/// A run whose trace the book shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Names the file `recordings/NAME.jsonl`.
    pub id: Id,
    /// Stands above the trace.
    pub title: Text,
    /// Arguments of `glassbox run`, without those that record.
    pub run: Vec<Line>,
}

/// A lesson file that cannot be used. Reads as a fragment after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {file}, line {line}, column {column}: {what}")]
pub struct LessonError {
    /// The file.
    pub file: String,
    /// Counts from 1.
    pub line: usize,
    /// Counts from 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Id,
    title: Text,
    prompt: Text,
    minutes: Spanned<u32>,
    objectives: Vec<Text>,
    tier: Tier,
    containers: Vec<Id>,
    exercises: Vec<Spanned<Exercise>>,
    #[serde(default)]
    recordings: Vec<Spanned<Recording>>,
}

impl Lesson {
    /// Reads a lesson. `file` names it in errors.
    pub fn parse(file: &str, source: &str) -> Result<Lesson, LessonError> {
        let error = |at: Option<Range<usize>>, what: String| {
            let (line, column) = position(source, at.map_or(0, |r| r.start));
            LessonError { file: file.to_owned(), line, column, what }
        };
        let read: File = toml::from_str(source).map_err(|e| error(e.span(), one_line(e.message())))?;
        complaint(&read).map_or(Ok(()), |(at, what)| Err(error(Some(at), what)))?;
        Ok(Lesson {
            id: read.id,
            title: read.title,
            prompt: read.prompt,
            minutes: read.minutes.into_inner(),
            objectives: read.objectives,
            tier: read.tier,
            containers: read.containers,
            exercises: read.exercises.into_iter().map(Spanned::into_inner).collect(),
            recordings: read.recordings.into_iter().map(Spanned::into_inner).collect(),
        })
    }

    /// The exercise of this name.
    pub fn exercise(&self, id: &str) -> Option<&Exercise> {
        self.exercises.iter().find(|e| e.id.as_str() == id)
    }

    /// The recording of this name.
    pub fn recording(&self, id: &str) -> Option<&Recording> {
        self.recordings.iter().find(|r| r.id.as_str() == id)
    }

    /// The solution script of the exercise at this position, within the lesson's
    /// directory: `solutions/02-delete.sh`.
    pub fn solution(&self, position: usize) -> Option<String> {
        let exercise = self.exercises.get(position)?;
        Some(format!("solutions/{:02}-{}.sh", position + 1, exercise.id))
    }
}

/// The first thing that a lesson's parts say against each other.
fn complaint(lesson: &File) -> Option<(Range<usize>, String)> {
    if *lesson.minutes.get_ref() == 0 {
        return Some((lesson.minutes.span(), "a lesson takes at least a minute".into()));
    }
    if lesson.exercises.is_empty() {
        return Some((0..0, "a lesson needs an exercise".into()));
    }
    let mut seen = BTreeSet::new();
    for exercise in &lesson.exercises {
        let (at, exercise) = (exercise.span(), exercise.get_ref());
        let name = &exercise.id;
        if !seen.insert(name) {
            return Some((at, format!("the exercise `{name}` is there twice")));
        }
        if exercise.checks.is_empty() {
            return Some((at, format!("the exercise `{name}` checks nothing")));
        }
        let conditions = exercise.hints.iter().filter_map(|h| h.when.as_ref());
        if let Some(empty) = exercise.checks.iter().chain(conditions.clone()).find(|c| has_empty_list(c)) {
            let key = if matches!(empty, Check::Any(_)) { "any" } else { "all" };
            return Some((at, format!("the exercise `{name}` has a check `{key}` of nothing")));
        }
        match exercise.hints.split_last() {
            None => return Some((at, format!("the exercise `{name}` has no hint"))),
            Some((last, _)) if last.when.is_some() => {
                let what = format!("the last hint of the exercise `{name}` must fit every state: no `when`");
                return Some((at, what));
            }
            Some((_, others)) if others.iter().any(|h| h.when.is_none()) => {
                let what = format!("a hint of the exercise `{name}` without `when` hides those after it");
                return Some((at, what));
            }
            Some(_) => {}
        }
        for container in exercise.checks.iter().chain(conditions).flat_map(Check::containers) {
            if !lesson.containers.contains(container) {
                let what = format!(
                    "the exercise `{name}` speaks of the container `{container}`, which `containers` does not list"
                );
                return Some((at, what));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for recording in &lesson.recordings {
        let (at, recording) = (recording.span(), recording.get_ref());
        if !seen.insert(&recording.id) {
            return Some((at, format!("the recording `{}` is there twice", recording.id)));
        }
        if recording.run.is_empty() {
            return Some((at, format!("the recording `{}` runs nothing", recording.id)));
        }
    }
    None
}

fn has_empty_list(check: &Check) -> bool {
    match check {
        Check::Any(checks) | Check::All(checks) => checks.is_empty() || checks.iter().any(has_empty_list),
        Check::Not(check) => has_empty_list(check),
        _ => false,
    }
}

/// Line and column, from 1, of a byte offset.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
