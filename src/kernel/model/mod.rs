//! The modelled kernel: a small Linux in memory, with no dependency on Linux.
//!
//! It carries out the same plans as the real kernel and runs the same userland:
//! inodes, mounts, overlay, namespaces, capabilities, cgroups, processes and a
//! network, all deterministic. Time is virtual: nothing here reads a clock.
//!
//! What it leaves out, so that nobody takes it for more than it is: mount
//! propagation between peers, file locks, memory mappings, extended attributes
//! other than `user` and `trusted`, access times, IPv6, UDP, packet loss, process
//! groups of their own, pre-emption (a process is left only where it waits for
//! the kernel) and CPU quotas (`cpu.max` can be read and written, nothing is
//! throttled). Memory is accounted for tmpfs pages, for what a process asks for,
//! and a fixed share per process. sysfs is a picture taken when it is mounted.
//! The seccomp filter is known by the capabilities that lift it, not call by call.

pub(crate) mod archive;
mod cgroup;
mod cred;
mod disk;
mod kernel;
mod life;
mod net;
mod ns;
mod overlay;
mod process;
mod procfs;
pub(crate) mod registry;
mod session;
mod steps;
mod store;
mod sys;
pub mod vfs;
mod world;

pub use cred::{Cred, cap_mask, cap_names};
pub use disk::DiskEntry;
pub use kernel::{Console, Input, ModelKernel, Output, Stream};
pub use session::{Handle, Session};
pub use store::Before;
pub use sys::ModelSys;
pub use world::{HostEntry, World};

use super::Errno;

/// Where the store is on the modelled disk.
pub const STORE: &str = "/var/lib/glassbox";

/// Result of a modelled call.
pub(crate) type Res<T> = Result<T, Errno>;
