//! Words to a screen or a file. Renderers consume events only; they know no
//! kernel, so that a recording and a live run go through the same code.
//!
//! What a renderer shows is first rows ([`layout::Row`]) of labelled words, then lines
//! of the width of the screen, and only then bytes with colour ([`paint`]).

pub mod console;
mod current;
pub mod difference;
pub mod export;
mod group;
pub mod html;
pub mod layout;
mod lines;
pub mod paint;
pub mod picture;
pub mod plan_table;
pub mod step;
#[cfg(feature = "linux")]
pub mod stepper;
pub mod svg;
pub mod template;
