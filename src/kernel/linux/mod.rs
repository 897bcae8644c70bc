//! The real kernel: the only room with system calls that change the host, and
//! the only one with `unsafe`.

pub mod cx;
pub mod recorder;
pub mod userland;
