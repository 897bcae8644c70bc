//! Processes of a container whose runtime was killed. The kernel kills init
//! with its parent, but a command that changed its user has undone that
//! (PR_SET_PDEATHSIG is cleared then). Such a process is known by its mounts: the
//! union with the container's writable layer, the container's own files bound
//! over the image's. That needs no cgroup.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::recorder::Recorder;
use super::state::State;
use super::supervise;
use crate::kernel::{Errno, Failure};

/// How long killed processes may take to go.
const DEADLINE: Duration = Duration::from_secs(10);

/// Kills what is left of the container, and waits until it is gone. With the
/// first process of its pid namespace the kernel kills all others.
pub fn kill(rec: &mut Recorder, state: &State) -> Result<(), Failure> {
    let Some(dir) = Path::new(&state.root).parent().filter(|d| d.ends_with(&state.container)) else {
        return Ok(());
    };
    let own = Own::of(dir);
    let deadline = Instant::now() + DEADLINE;
    loop {
        let found = processes(&own);
        for (pid, pidfd) in &found {
            match supervise::signal(rec, pidfd, libc::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(e) => return Err(Failure::new(format!("kill process {pid} of the container"), Some(e))),
            }
        }
        // One that was born meanwhile is found by the next look.
        if found.is_empty() {
            return Ok(());
        }
        for (pid, pidfd) in found {
            if !wait(&pidfd, deadline) {
                return Err(Failure::new(
                    format!("end process {pid} of the container: it was killed, but is not gone"),
                    None,
                )
                .hint(format!("see its state in /proc/{pid}/status (D waits for a device)")));
            }
        }
    }
}

/// Waits for the end of a process that need not be a child.
fn wait(pidfd: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = rustix::event::Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&time)) {
            Ok(0) => return false,
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}

/// Waits until a killed process is gone; `false` when it does not go.
pub fn wait_killed(pidfd: &OwnedFd) -> bool {
    wait(pidfd, Instant::now() + DEADLINE)
}

/// Whether a process with these mounts is one of the container with this directory.
pub fn is_of(container: &Path, mountinfo: &str) -> bool {
    Own::of(container).in_mounts(mountinfo)
}

/// What only the mounts of one container have.
struct Own {
    /// The overlay's option.
    upper: String,
    /// Device of the container's directory, as mountinfo writes it.
    device: String,
    /// A file of the container's directory that is bound into it. An overlay
    /// that was mounted with short names does not tell its writable layer.
    bound: String,
}

impl Own {
    fn of(dir: &Path) -> Own {
        let device = rustix::fs::stat(dir).map_or(0, |s| s.st_dev);
        Own {
            upper: format!("upperdir={}", escaped(&dir.join("upper").to_string_lossy())),
            device: format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device)),
            bound: escaped(&dir.join("hostname").to_string_lossy()),
        }
    }

    /// Whether a process with these mounts is the container's.
    fn in_mounts(&self, mountinfo: &str) -> bool {
        mountinfo.lines().any(|line| {
            let Some((mount, filesystem)) = line.split_once(" - ") else { return false };
            let fields: Vec<&str> = mount.split(' ').collect();
            match fields[..] {
                [_, _, _, _, "/", ..] => {
                    filesystem.starts_with("overlay ")
                        && filesystem
                            .rsplit(' ')
                            .next()
                            .is_some_and(|o| o.split(',').any(|o| o == self.upper))
                }
                // The file system need not be mounted at its own root.
                [_, _, device, root, "/etc/hostname", ..] => {
                    device == self.device
                        && root.len() > 1
                        && self.bound.ends_with(root)
                        && root.matches('/').count() > 1
                }
                _ => false,
            }
        })
    }
}

/// The living processes of the container.
fn processes(container: &Own) -> Vec<(i32, OwnedFd)> {
    let own = std::fs::read_link("/proc/self/ns/mnt").ok();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| {
            // A zombie has no namespaces any more.
            let mounts = std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()?;
            if own.as_ref() == Some(&mounts) {
                return None;
            }
            // Opened before it is looked at: the number may be another's by then.
            let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            let text = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
            container.in_mounts(&text).then_some((pid, pidfd))
        })
        .collect()
}

/// As the kernel writes a path there: overlayfs escapes with a backslash what
/// would end the option, and mountinfo writes the rest in octal.
fn escaped(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' | '#' => text.push_str(&format!("\\{:03o}", c as u32)),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mounts_tell_whose_process_it_is() {
        let own = Own {
            upper: "upperdir=/s/c/ab/upper".to_owned(),
            device: "8:1".to_owned(),
            bound: "/s/c/ab/hostname".to_owned(),
        };
        for (text, is) in [
            ("1 2 0:50 / / rw - overlay overlay rw,lowerdir+=/s/1,upperdir=/s/c/ab/upper,workdir=/w", true),
            ("1 2 0:50 / / rw shared:1 - overlay o rw,upperdir=/s/c/ab/upper", true),
            ("1 2 0:50 / / rw - overlay overlay rw,upperdir=/s/c/a/upper", false),
            ("1 2 0:50 / /x rw - overlay overlay rw,upperdir=/s/c/ab/upper", false),
            ("1 2 0:50 / / rw - ext4 /dev/x rw,upperdir=/s/c/ab/upper", false),
            ("1 2 8:1 /s/c/ab/hostname /etc/hostname rw - ext4 /dev/x rw", true),
            ("1 2 8:1 /c/ab/hostname /etc/hostname rw - ext4 /dev/x rw", true),
            ("1 2 8:2 /s/c/ab/hostname /etc/hostname rw - ext4 /dev/x rw", false),
            ("1 2 8:1 /s/c/cd/hostname /etc/hostname rw - ext4 /dev/x rw", false),
            ("1 2 8:1 /hostname /etc/hostname rw - ext4 /dev/x rw", false),
            ("", false),
        ] {
            assert_eq!(own.in_mounts(text), is, "{text}");
        }
        assert_eq!(escaped("/a b"), "/a\\040b");
    }
}
