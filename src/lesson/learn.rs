//! What `glassbox learn` does, without printing: check a lesson against a state,
//! choose a hint, say what a reset removes.

use std::path::PathBuf;

use super::check::Look;
use super::format::{Exercise, Lesson, LessonError};
use super::state::{State, StateError};
use super::text::Text;

/// Why a lesson cannot be used. Reads as a fragment after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// No lesson of this name.
    #[error("find the lesson `{id}`; there are: {}", .known.join(", "))]
    NoLesson {
        /// Asked for.
        id: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// No exercise of this name.
    #[error("find the exercise `{id}` in the lesson `{lesson}`; there are: {}", .known.join(", "))]
    NoExercise {
        /// The lesson.
        lesson: String,
        /// Asked for.
        id: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Two lessons of one name.
    #[error("read the lessons in {}: `{id}` is there twice", .dir.display())]
    Twice {
        /// The name.
        id: String,
        /// Where.
        dir: PathBuf,
    },
    /// The directory or a file of it cannot be read.
    #[error("read {}: {source}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A lesson file has a fault.
    #[error(transparent)]
    Lesson(#[from] LessonError),
    /// The learner's state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What the checks of one exercise found.
#[derive(Clone, Debug, PartialEq)]
pub struct ExerciseResult<'a> {
    /// The exercise.
    pub exercise: &'a Exercise,
    /// Every check's answer, in order.
    pub looks: Vec<Look<'a>>,
}

impl ExerciseResult<'_> {
    /// Every check holds.
    pub fn passed(&self) -> bool {
        self.looks.iter().all(|l| l.passed)
    }
}

/// The hint that fits a state.
#[derive(Clone, Debug, PartialEq)]
pub struct HintGiven<'a> {
    /// What it is about.
    pub exercise: &'a Exercise,
    /// The exercise is done already; then there is no hint.
    pub text: Option<&'a Text>,
}

/// Checks one exercise of a lesson, or all.
pub fn check<'a>(
    lesson: &'a Lesson,
    exercise: Option<&str>,
    state: &dyn State,
) -> Result<Vec<ExerciseResult<'a>>, LearnError> {
    let chosen: Vec<&Exercise> = match exercise {
        Some(id) => vec![self::exercise(lesson, id)?],
        None => lesson.exercises.iter().collect(),
    };
    chosen.into_iter().map(|e| check_one(e, state)).collect()
}

/// The hint for an exercise, or for the first that is not done. `None` when the whole
/// lesson is done.
pub fn hint<'a>(
    lesson: &'a Lesson,
    exercise: Option<&str>,
    state: &dyn State,
) -> Result<Option<HintGiven<'a>>, LearnError> {
    let result = match exercise {
        Some(id) => check_one(self::exercise(lesson, id)?, state)?,
        None => {
            let mut results = lesson.exercises.iter().map(|e| check_one(e, state));
            match results.find(|r| !r.as_ref().is_ok_and(ExerciseResult::passed)) {
                Some(result) => result?,
                None => return Ok(None),
            }
        }
    };
    let exercise = result.exercise;
    if result.passed() {
        return Ok(Some(HintGiven { exercise, text: None }));
    }
    for hint in &exercise.hints {
        let fits = match &hint.when {
            Some(when) => when.look(state)?.passed,
            None => true,
        };
        if fits {
            return Ok(Some(HintGiven { exercise, text: Some(&hint.text) }));
        }
    }
    // A lesson that was read has a last hint without a condition.
    Ok(Some(HintGiven { exercise, text: None }))
}

/// The containers of the lesson that are there: those that a reset removes, in the
/// lesson's order.
pub fn reset(lesson: &Lesson, state: &dyn State) -> Result<Vec<String>, StateError> {
    let mut there = Vec::new();
    for name in &lesson.containers {
        if state.container(name.as_str())?.is_some() {
            there.push(name.to_string());
        }
    }
    Ok(there)
}

/// The exercise of this name.
pub fn exercise<'a>(lesson: &'a Lesson, id: &str) -> Result<&'a Exercise, LearnError> {
    lesson.exercise(id).ok_or_else(|| LearnError::NoExercise {
        lesson: lesson.id.to_string(),
        id: id.to_owned(),
        known: lesson.exercises.iter().map(|e| e.id.to_string()).collect(),
    })
}

fn check_one<'a>(exercise: &'a Exercise, state: &dyn State) -> Result<ExerciseResult<'a>, LearnError> {
    let looks = exercise.checks.iter().map(|c| c.look(state)).collect::<Result<_, _>>()?;
    Ok(ExerciseResult { exercise, looks })
}

#[cfg(test)]
#[path = "learn_tests.rs"]
mod tests;
