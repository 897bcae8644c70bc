//! The modelled kernel: a small Linux in memory, with no dependency on Linux.
//!
//! It carries out the same plans as the real kernel and runs the same userland:
//! inodes, mounts, overlay, namespaces, capabilities, cgroups, processes and a
//! network, all deterministic. Time is virtual: nothing here reads a clock.
//!
//! What it leaves out, so that nobody takes it for more than it is: mount
//! propagation between peers, file locks, memory mappings, extended attributes
//! other than overlayfs' own, access times, IPv6, UDP, packet loss, signal
//! handlers (a signal is ignored or has its default action), pre-emption (a
//! process is left only where it calls the kernel) and CPU quotas (`cpu.max`
//! can be read and written, nothing is throttled). Memory is accounted for
//! tmpfs pages, pipe and socket buffers and a fixed share per process.

mod cgroup;
mod cred;
mod kernel;
mod net;
mod ns;
mod overlay;
mod process;
mod procfs;
mod steps;
mod sys;
pub mod vfs;
mod world;

pub use cred::{Cred, cap_mask, cap_names};
pub use kernel::{Console, ModelKernel, Stream};
pub use sys::ModelSys;
pub use world::{HostEntry, World};

use super::Errno;

/// Result of a modelled call.
pub(crate) type Res<T> = Result<T, Errno>;
