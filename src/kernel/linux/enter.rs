//! A shell inside a container, also a half-built one: in its namespaces as far
//! as they exist, with the root that init has at that moment.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::kernel::Failure;

/// Runs a shell and waits until it ends. Without a pid there is no container
/// yet, and it is a shell of the host.
///
/// # Errors
/// When the namespaces cannot be entered or no shell can be started.
pub fn shell(pid: Option<i32>) -> Result<(), Failure> {
    // Looked up here: inside, /proc may not be there yet.
    let mut command = Command::new("/bin/sh");
    command.env("PS1", pid.map_or("(host) # ", prompt));
    if let Some(pid) = pid {
        let fail = |what: &str, e: rustix::io::Errno| {
            Failure::new(format!("{what} of init ({pid})"), Some(e.into()))
        };
        let raw =
            Pid::from_raw(pid).ok_or_else(|| Failure::new("enter the container: there is no init", None))?;
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).map_err(|e| fail("open the process", e))?;
        let root = rustix::fs::open(
            format!("/proc/{pid}/root"),
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .map_err(|e| fail("open the root", e))?;
        let own = own_namespaces(pid);
        // SAFETY: between fork and exec only system calls are made, on
        // descriptors that the closure owns.
        unsafe {
            command.pre_exec(move || {
                // One call for all; pid takes effect for the shell's children only, so that
                // the shell itself stays the host's child and can be waited for.
                setns(pidfd.as_fd(), own)?;
                rustix::process::fchdir(&root)?;
                rustix::process::chroot(".")?;
                Ok(())
            });
        }
    }
    let unblocked = nix::sys::signal::SigSet::empty();
    let mut old = nix::sys::signal::SigSet::empty();
    let how = nix::sys::signal::SigmaskHow::SIG_SETMASK;
    let _ = nix::sys::signal::sigprocmask(how, Some(&unblocked), Some(&mut old));
    let ended = command.status();
    let _ = nix::sys::signal::sigprocmask(how, Some(&old), None);
    ended.map(drop).map_err(|e| {
        Failure::new("start /bin/sh inside the container as built so far", Some(e.into()))
            .hint("before the pivot the root is still the host's; after it the image has to have a /bin/sh")
    })
}

/// Until init becomes the container's command its program is glassbox.
fn prompt(pid: i32) -> &'static str {
    let program = |who: &str| std::fs::metadata(format!("/proc/{who}/exe")).ok().map(|m| (m.dev(), m.ino()));
    if program(&pid.to_string()) == program("self") { "(half-built) # " } else { "(container) # " }
}

/// The namespaces that init does not share with this process: joining one's
/// own user namespace is refused.
fn own_namespaces(pid: i32) -> CloneFlags {
    let all = [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("mnt", CloneFlags::CLONE_NEWNS),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("net", CloneFlags::CLONE_NEWNET),
        ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ];
    let link = |who: &str, name: &str| std::fs::read_link(format!("/proc/{who}/ns/{name}")).ok();
    all.into_iter()
        .filter(|(name, _)| link("self", name) != link(&pid.to_string(), name))
        .fold(CloneFlags::empty(), |flags, (_, flag)| flags | flag)
}
