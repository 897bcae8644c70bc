//! The mounts that init makes in its own mount namespace, up to pivot_root and
//! what is hidden after it.

use std::os::fd::OwnedFd;

use nix::mount::MsFlags;
use rustix::fs::{FileType, OFlags};
use rustix::mount::OpenTreeFlags;

use super::beneath::{self, Missing, through};
use super::calls::{self, CWD, fail, fd_value};
use super::cx::Cx;
use super::mount_options::{MountOptions, flag_names};
use super::recorder::{Recorder, zero};
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::trace::Value;

/// Carries out the mounts of init.
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    let rec = &mut *cx.rec;
    match op {
        // Slave, not private: what the host unmounts meanwhile goes here too,
        // so that a container never keeps a disk busy; nothing goes the other
        // way, and pivot_root is content. Volumes become private one by one.
        Op::MakeMountsPrivate => {
            calls::mount(rec, None, "/", None, MsFlags::MS_REC | MsFlags::MS_SLAVE, None)
                .map_err(fail(|| "keep mounts from propagating to the host".to_owned()))?;
        }
        Op::Mount { fstype, source, target, options, .. } => {
            let parsed = MountOptions::parse(options);
            let place = beneath::open(state, rec, target, Missing::Directory)?;
            let data = (!parsed.data.is_empty()).then_some(parsed.data.as_str());
            calls::mount(rec, Some(source), &through(&place), Some(fstype), parsed.flags, data)
                .map_err(fail(|| format!("mount {fstype} on {target}")))?;
            if let Some((flag, all)) = parsed.propagation {
                let flags = if all { flag | MsFlags::MS_REC } else { flag };
                drop(place);
                let place = beneath::open(state, rec, target, Missing::Refuse)?;
                calls::mount(rec, None, &through(&place), None, flags, None)
                    .map_err(fail(|| format!("set how mounts propagate at {target}")))?;
            }
        }
        Op::Bind { source, target, recursive, options, .. } => {
            bind(state, rec, source, target, *recursive, &MountOptions::parse(options))?;
        }
        Op::PivotRoot { new_root } => pivot(state, rec, new_root)?,
        Op::RemountRootReadonly => {
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            calls::mount(rec, None, "/", None, flags, None)
                .map_err(fail(|| "make the root read-only".to_owned()))?;
        }
        Op::MaskPath { path } => return mask(rec, path),
        Op::ReadonlyPath { path } => return readonly(rec, path),
        _ => return Err(super::dispatch::misplaced(op)),
    }
    Ok(false)
}

/// Binds `source` of the host at `target`. With the calls of the new mount API
/// the mount has its attributes before anyone can see it.
pub fn bind(
    state: &mut State,
    rec: &mut Recorder,
    source: &str,
    target: &str,
    recursive: bool,
    options: &MountOptions,
) -> Result<(), Failure> {
    let tree = open_tree(rec, source, recursive)
        .map_err(fail(|| format!("open {source} of the host")))
        .map_err(|f| match f.errno {
            Some(Errno::ENOENT) => f.hint("the path must exist on the host"),
            _ => f,
        })?;
    let kind =
        rustix::fs::fstat(&tree).map_err(|e| Failure::new(format!("read {source}"), Some(e.into())))?;
    let missing = match FileType::from_raw_mode(kind.st_mode) {
        FileType::Directory => Missing::Directory,
        _ => Missing::File,
    };
    let place = beneath::open(state, rec, target, missing)?;
    let attributes = options.attributes();
    let propagation = options.propagation.map_or(MsFlags::MS_PRIVATE, |p| p.0);
    set_attributes(rec, &tree, attributes, propagation, options.flags, recursive)
        .map_err(fail(|| format!("set the options of {target}")))
        .map_err(|f| match f.errno {
            Some(Errno::ENOSYS) => f.hint("options of a bind mount need Linux 5.12"),
            _ => f,
        })?;
    calls::move_mount(rec, &tree, Some(&place), "")
        .map_err(fail(|| format!("bind {source} to {target}")))
        .map_err(|f| match f.errno {
            Some(Errno::ENOTDIR) => f.hint("a file can stand only over a file, a directory over a directory"),
            _ => f,
        })
}

pub fn open_tree(rec: &mut Recorder, source: &str, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mut words = "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC".to_owned();
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
        words.push_str("|AT_RECURSIVE");
    }
    rec.call(
        "open_tree",
        || vec![("dirfd", fd_value(CWD)), ("pathname", Value::from(source)), ("flags", Value::from(words))],
        calls::made_fd,
        || rustix::mount::open_tree(CWD, source, flags),
    )
}

/// mount_setattr(2) of a mount that stands nowhere yet.
fn set_attributes(
    rec: &mut Recorder,
    tree: &OwnedFd,
    attributes: u64,
    propagation: MsFlags,
    flags: MsFlags,
    recursive: bool,
) -> Result<(), Errno> {
    let times = libc::MOUNT_ATTR_NOATIME | libc::MOUNT_ATTR_STRICTATIME;
    let attr = libc::mount_attr {
        attr_set: attributes,
        // The access times are one field: it is cleared before it is set.
        attr_clr: if attributes & times != 0 { libc::MOUNT_ATTR__ATIME } else { 0 },
        propagation: propagation.bits(),
        userns_fd: 0,
    };
    let at = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    calls::mount_setattr(rec, tree, attr, at, || {
        let at = if recursive { "AT_EMPTY_PATH|AT_RECURSIVE" } else { "AT_EMPTY_PATH" };
        vec![
            ("dirfd", fd_value(tree)),
            ("pathname", Value::from("")),
            ("flags", Value::from(at)),
            ("attr_set", Value::Text(flag_names(flags).replace("MS_", "MOUNT_ATTR_"))),
            ("propagation", Value::Text(flag_names(propagation))),
        ]
    })
}

fn pivot(state: &mut State, rec: &mut Recorder, new_root: &str) -> Result<(), Failure> {
    // The command's directory is made while init is still root: its user may
    // not be allowed to, and the root may be made read-only.
    if !state.cwd.is_empty() && state.cwd != "/" {
        let cwd = format!("{}/{}", state.root, state.cwd.trim_start_matches('/'));
        beneath::open(state, rec, &cwd, Missing::Directory)?;
    }
    calls::chdir(rec, new_root).map_err(fail(|| format!("change to the new root {new_root}")))?;
    // With both names the same directory, the old root lies over the new one
    // for a moment and needs no place of its own in the image.
    rec.call(
        "pivot_root",
        || vec![("new_root", Value::from(".")), ("put_old", Value::from("."))],
        zero,
        || rustix::process::pivot_root(".", "."),
    )
    .map_err(fail(|| format!("make {new_root} the root")))?;
    calls::umount_detach(rec, ".").map_err(fail(|| "let go of the old root".to_owned()))?;
    calls::chdir(rec, "/").map_err(fail(|| "change to the new root".to_owned()))?;
    state.pivoted = true;
    state.root_fd = None;
    Ok(())
}

/// Hides a path. `true` when there is nothing to hide.
fn mask(rec: &mut Recorder, path: &str) -> Result<bool, Failure> {
    match calls::mount(rec, Some("/dev/null"), path, None, MsFlags::MS_BIND, None) {
        Ok(()) => Ok(false),
        Err(Errno::ENOENT) => Ok(true),
        // A file cannot stand over a directory; an empty file system can.
        Err(Errno::ENOTDIR) => {
            calls::mount(rec, Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_RDONLY, Some("nr_inodes=2"))
                .map(|()| false)
                .map_err(fail(|| format!("hide directory {path}")))
        }
        Err(e) => Err(Failure::new(format!("hide {path}"), Some(e))),
    }
}

/// Makes a path read-only. `true` when it does not exist.
fn readonly(rec: &mut Recorder, path: &str) -> Result<bool, Failure> {
    match calls::mount(rec, Some(path), path, None, MsFlags::MS_BIND | MsFlags::MS_REC, None) {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Ok(true),
        Err(e) => return Err(Failure::new(format!("bind {path} to itself"), Some(e))),
    }
    // A remount gives all flags anew: those that the mount has are kept.
    let had = rustix::fs::statvfs(path)
        .map_err(|e| Failure::new(format!("read the options of {path}"), Some(e.into())))?
        .f_flag;
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    for (had_flag, flag) in [
        (rustix::fs::StatVfsMountFlags::NOSUID, MsFlags::MS_NOSUID),
        (rustix::fs::StatVfsMountFlags::NODEV, MsFlags::MS_NODEV),
        (rustix::fs::StatVfsMountFlags::NOEXEC, MsFlags::MS_NOEXEC),
    ] {
        flags.set(flag, had.contains(had_flag));
    }
    calls::mount(rec, None, path, None, flags, None)
        .map(|()| false)
        .map_err(fail(|| format!("make {path} read-only")))
}

/// Opens a file of the container, before or after pivot_root.
pub fn open_file(state: &mut State, rec: &mut Recorder, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let place = if state.pivoted { path.to_owned() } else { format!("{}{path}", state.root) };
    calls::openat(rec, CWD, &place, flags, 0)
}
