//! The real kernel: the only room with system calls that change the host, and
//! the only one with `unsafe`.
//!
//! [`LinuxKernel`] is the way in. `dispatch` leads from an operation to the
//! group of files that carries it out, undoes it and reads it back; `init` is
//! the same for the cloned child, and `protocol` what the two say to each other.

// A step failure carries the calls that were seen until then; it is built at
// most once in a run.
#![allow(clippy::result_large_err)]

pub mod behind;
mod beneath;
mod calls;
pub mod cgroup;
mod clone;
pub mod cx;
mod dev;
mod dispatch;
pub mod enter;
mod evidence;
mod exec;
mod files;
mod helper;
pub mod host;
pub mod images;
mod init;
pub mod inside;
mod kernel;
mod layers;
mod life;
mod mount_options;
mod mountinfo;
mod mounts;
pub mod net;
mod observe;
mod protocol;
pub mod recorder;
mod remnant;
pub mod seccomp;
mod security;
pub mod signals;
mod start;
mod state;
mod supervise;
pub mod terminal;
mod union;
pub mod userland;
mod views;

pub use kernel::LinuxKernel;
pub use mountinfo::other_names;
pub use start::process_start;
pub use union::mount_union;

#[cfg(test)]
mod tests;
