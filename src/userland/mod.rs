//! The small programs of the built-in image, each written once and run by both
//! kernels: as a real process of a real container, and inside the modelled
//! kernel.

mod sys;

pub use sys::*;

/// A program's arguments and environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The program's name first.
    pub argv: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
}

/// The names of all programs, sorted: each is a link in the image.
pub const PROGRAMS: &[&str] = &["sh"];

/// Runs the program that `argv[0]`'s last component names. `None` if there is
/// no such program.
pub async fn run<S: Sys>(_sys: S, _invocation: Invocation) -> Option<u8> {
    None
}
