//! The real kernel: the only room with system calls that change the host, and
//! the only one with `unsafe`.

pub mod cgroup;
pub mod cx;
pub mod host;
pub mod recorder;
pub mod signals;
pub mod seccomp;
