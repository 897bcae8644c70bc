//! A watched container, as it lives: who copies a file up, hides one or makes
//! one, who forks, executes and ends, whom the filter refuses.
//!
//! Four sources, each for what the others cannot do:
//!
//! - **A question of the filter** (seccomp_unotify(2)) comes *before* a call, names
//!   it, and holds the process: it tells who asks for what, lets the stepper stop
//!   there, and answers refused calls. It does not say whether the call worked. It
//!   costs about ten microseconds, so the filter looks at flags first and leaves
//!   out the open that can only make a file, and what works on an open descriptor:
//!   GNU tar asks nothing for a file. Whoever asks waits, so nothing is done then that
//!   can be done later: before a call that only adds something, what came until then
//!   is noted, and looked at when nobody waits for it.
//! - **fanotify** on the file system of the writable layer comes *after* a name has
//!   changed, with the thread; it costs the process next to nothing. What is told
//!   of a file is what stands in the layer then, never what was expected.
//! - **The process connector** tells forks, programs and ends, after they happened.
//!   Tracing processes with ptrace(2) would take it away from the container.
//! - **Tracepoints** (perf_event_open(2)) tell what none of these sees: a signal that
//!   was dropped, and which capability a call wanted.
//!
//! At the end the layer is read from the disk and held against what was told.
//!
//! A command that joined a container is watched in the same way, with what it makes. Others
//! change the layer beside it: what they do is not told, and there is no end at which the layer
//! could be counted. What it leaves behind still asks, so somebody has to answer: `guard`.

pub mod asked;
mod connector;
mod fan;
mod guard;
mod let_go;
mod memory;
mod notify;
mod oom;
mod perf;
mod processes;
mod upper;
mod watcher;

pub use watcher::{Watched, Watcher};
