//! Places beneath the new root. An image and the volumes of other containers
//! are not to be trusted: a symbolic link in them must not lead a mount to the
//! host. So before pivot_root every place is opened with openat2 as if the new
//! root were `/`, and then used through the descriptor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::OFlags;

use super::calls::{self, fail, open_in_root};
use super::recorder::Recorder;
use super::state::State;
use crate::kernel::{Errno, Failure};

/// What is made where nothing stands yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: it is an error.
    Refuse,
    /// A directory, and those above it.
    Directory,
    /// An empty file, and the directories above it.
    File,
}

/// The part of a host path below the new root, without a leading slash; after
/// pivot_root every path is the container's own.
pub fn relative<'a>(state: &State, path: &'a str) -> Result<&'a str, Failure> {
    let below = if state.pivoted {
        Some(path)
    } else {
        path.strip_prefix(state.root.as_str()).filter(|p| p.is_empty() || p.starts_with('/'))
    };
    match below {
        Some(p) => {
            let p = p.trim_matches('/');
            Ok(if p.is_empty() { "." } else { p })
        }
        None => Err(Failure::new(format!("use {path}: it is not beneath the new root {}", state.root), None)),
    }
}

/// The new root, opened once.
pub fn root<'a>(state: &'a mut State, rec: &mut Recorder) -> Result<&'a OwnedFd, Failure> {
    if state.root_fd.is_none() {
        let path = if state.pivoted { "/" } else { state.root.as_str() };
        let fd = calls::openat(rec, calls::CWD, path, OFlags::PATH | OFlags::DIRECTORY, 0)
            .map_err(fail(|| format!("open the new root {path}")))?;
        state.root_fd = Some(fd);
    }
    state.root_fd.as_ref().ok_or_else(|| Failure::new("open the new root", None))
}

/// Opens a place (`O_PATH`) beneath the new root, making it if wanted.
pub fn open(state: &mut State, rec: &mut Recorder, path: &str, missing: Missing) -> Result<OwnedFd, Failure> {
    let below = relative(state, path)?;
    let root = root(state, rec)?;
    match open_in_root(rec, root, below, OFlags::PATH, 0) {
        Err(Errno::ENOENT) if missing != Missing::Refuse => {}
        other => return other.map_err(fail(|| format!("open {path}"))),
    }
    if missing == Missing::Directory {
        return make_dir(rec, root, below);
    }
    let (above, name) = below.rsplit_once('/').unwrap_or((".", below));
    let dir = dir_or_made(rec, root, above)?;
    calls::openat(rec, &dir, name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW, 0o644)
        .map_err(fail(|| format!("make file {path}")))
}

/// Opens the directory that a new entry goes into, and gives the entry's name.
/// The same directory as the last time is still open: see [`forget`].
pub fn open_parent<'p>(
    state: &mut State,
    rec: &mut Recorder,
    path: &'p str,
) -> Result<(Rc<OwnedFd>, &'p str), Failure> {
    let below = relative(state, path)?;
    let (above, name) = below.rsplit_once('/').unwrap_or((".", below));
    if matches!(name, "." | "..") {
        return Err(Failure::new(format!("make {path}: it has no name of its own"), None));
    }
    if let Some((open, dir)) = &state.dir
        && open == above
    {
        return Ok((dir.clone(), name));
    }
    let root = root(state, rec)?;
    let dir = Rc::new(dir_or_made(rec, root, above)?);
    state.dir = Some((above.to_owned(), dir.clone()));
    Ok((dir, name))
}

/// To be called when something is mounted: it may stand over the directory that
/// is still open.
pub fn forget(state: &mut State) {
    state.dir = None;
}

fn dir_or_made(rec: &mut Recorder, root: &OwnedFd, below: &str) -> Result<OwnedFd, Failure> {
    match open_in_root(rec, root, below, OFlags::PATH | OFlags::DIRECTORY, 0) {
        Err(Errno::ENOENT) => make_dir(rec, root, below),
        other => other.map_err(fail(|| format!("open directory /{below} in the container"))),
    }
}

/// Makes a directory that is missing, and those above it that are. Each is
/// resolved inside the root.
fn make_dir(rec: &mut Recorder, root: &OwnedFd, below: &str) -> Result<OwnedFd, Failure> {
    let what = || format!("make directory /{below} in the container");
    let made = match below.rsplit_once('/') {
        None => calls::mkdirat(rec, root, below, 0o755),
        Some((above, name)) => {
            let dir = dir_or_made(rec, root, above)?;
            calls::mkdirat(rec, &dir, name, 0o755)
        }
    };
    match made {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(e) => return Err(Failure::new(what(), Some(e))),
    }
    open_in_root(rec, root, below, OFlags::PATH | OFlags::DIRECTORY, 0).map_err(|e| {
        let failure = Failure::new(what(), Some(e));
        match (made, e) {
            (Err(_), Errno::ENOENT) => failure.hint("the image has a symbolic link there that leads nowhere"),
            _ => failure,
        }
    })
}

/// A path that means what a descriptor means, for calls that take no descriptor.
pub fn through(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_beneath_the_root_are_taken() {
        let mut state = State { root: "/run/x/rootfs".to_owned(), ..State::default() };
        assert_eq!(relative(&state, "/run/x/rootfs/proc").unwrap(), "proc");
        assert_eq!(relative(&state, "/run/x/rootfs").unwrap(), ".");
        assert!(relative(&state, "/run/x/rootfs2/proc").is_err());
        assert!(relative(&state, "/proc").is_err());
        state.pivoted = true;
        assert_eq!(relative(&state, "/proc").unwrap(), "proc");
    }

    #[test]
    fn a_link_in_the_image_does_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("proc")).unwrap();
        std::os::unix::fs::symlink("/", root.join("up")).unwrap();
        let mut state = State { root: root.to_str().unwrap().to_owned(), ..State::default() };
        let mut rec = Recorder::off();
        let inside = |p: &str| format!("{}/{p}", root.display());

        let failure = open(&mut state, &mut rec, &inside("proc/x"), Missing::Directory).unwrap_err();
        assert!(failure.hint.is_some(), "{failure}");
        assert!(!outside.join("x").exists());
        open(&mut state, &mut rec, &inside("up/made/here"), Missing::File).unwrap();
        assert!(root.join("made/here").is_file());
        open(&mut state, &mut rec, &inside("../outside/y"), Missing::Directory).unwrap();
        assert!(!outside.join("y").exists());
    }
}
