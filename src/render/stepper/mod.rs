//! The full-screen stepper: a run, or a recording of one, step by step, with the
//! container so far beside it.
//!
//! Here is what it knows and what it draws. It reads events and plans only, and
//! asks for everything else by a [`Wish`]: to carry a step out, to look at the
//! kernel, to open a shell. Who opens the terminal and grants wishes is the
//! caller (`cli::stepper`).

mod app;
mod breaks;
mod command;
mod commands;
mod draw;
mod input;
mod keys;
mod panes;
mod popup;
mod session;
mod style;

pub use app::{App, Place, Wish};
pub use breaks::{Break, Breaks};
pub use command::{Command, CommandError};
pub use panes::Pane;
pub use session::{Run, Session};

#[cfg(test)]
mod tests;
