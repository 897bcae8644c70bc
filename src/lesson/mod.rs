//! Lessons: their format, and the checks that look at the state a learner has
//! reached, never at the commands typed.
//!
//! A lesson is a `lesson.toml` ([`Lesson`]). Its checks ([`Check`]) are asked
//! of a [`State`]: the containers and layers of a store, real or modelled. The
//! answer is a verdict with the evidence that was read ([`Look`]). Nothing here
//! prints, changes anything, or reads the environment.

mod check;
mod dirs;
mod format;
mod learn;
mod modelled;
mod place;
mod state;
mod store;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod words;

pub use check::{Check, Look};
pub use dirs::look_in;
pub use format::{Exercise, Hint, Lesson, LessonError, Recording, Tier};
pub use learn::{ExerciseResult, HintGiven, LearnError, check, exercise, hint, reset};
pub use modelled::ModelState;
pub use place::{EMBEDDED, Lessons};
pub use state::{CONTENT_LIMIT, Container, Found, State, StateError, Status, Tree, Volume, same_image};
pub use store::StoreState;
pub use text::{Id, LANGS, Lang, LayerPath, Line, Text};
pub(crate) use words::say;
pub use words::{Evidence, Place, Seen};
