//! Views of the layers in which their files belong to the container's users:
//! mounts that translate owners both ways, `MOUNT_ATTR_IDMAP` of
//! mount_setattr(2). What is on disk stays as it is: layers are shared by all
//! containers, and what the container's root writes is stored as root's.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use super::calls::{self, fail, fd_value};
use super::cx::Cx;
use super::evidence::fact;
use super::recorder::Recorder;
use super::state::State;
use super::{beneath, clone, mounts};
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::IdMap;
use crate::trace::{Fact, Value};

/// Carries out [`MapLayers`](Op::MapLayers).
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    let Op::MapLayers { layers, own, uid, gid } = op else { return Err(super::dispatch::misplaced(op)) };
    let users = clone::user_namespace(uid, gid, cx.rec)?;
    let first =
        |maps: &[IdMap]| maps.iter().find(|m| m.container == 0).or(maps.first()).map_or(0, |m| m.host);
    state.views = Views { of: Vec::new(), root: Some((first(uid), first(gid))) };
    for path in layers.iter().chain([own]) {
        let view =
            mounts::open_tree(cx.rec, path, false).map_err(fail(|| format!("make a view of {path}")))?;
        translate(cx.rec, &view, &users).map_err(|errno| refused(path, errno))?;
        state.views.of.push((path.clone(), view));
    }
    Ok(false)
}

fn translate(rec: &mut Recorder, view: &OwnedFd, users: &OwnedFd) -> Result<(), Errno> {
    let attr = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: users.as_raw_fd() as u64,
    };
    calls::mount_setattr(rec, view, attr, libc::AT_EMPTY_PATH, || {
        vec![
            ("dirfd", fd_value(view)),
            ("pathname", Value::from("")),
            ("flags", Value::from("AT_EMPTY_PATH")),
            ("attr_set", Value::from("MOUNT_ATTR_IDMAP")),
            ("propagation", Value::from("0")),
            ("userns_fd", fd_value(users)),
        ]
    })
}

fn refused(path: &str, errno: Errno) -> Failure {
    let failure = Failure::new(format!("translate the owners of {path}"), Some(errno));
    match errno {
        Errno::EINVAL => failure.hint(
            "the file system of the store cannot do this (ext4, xfs, btrfs and tmpfs can): choose another with --root",
        ),
        _ => failure,
    }
}

/// Acts on file systems as this user and group, with every capability that root
/// has, setfsuid(2). Back as root all is as before.
pub fn act_for(rec: &mut Recorder, uid: u32, gid: u32) -> Result<(), Failure> {
    let what = || format!("act for user {uid} and group {gid}");
    // Both calls give the id before, and never fail: asked again with an id that
    // nobody has, they tell what it is now.
    let mut set = |name: &'static str, arg: &'static str, call: unsafe extern "C" fn(u32) -> i32, id: u32| {
        let mut make = |id: u32| {
            rec.call(
                name,
                || vec![(arg, Value::Int(i64::from(id as i32)))],
                |before| Value::Int(i64::from(*before)),
                // SAFETY: takes and gives a plain number.
                || Ok::<i32, Errno>(unsafe { call(id) }),
            )
        };
        make(id)?;
        if make(u32::MAX)? as u32 == id { Ok(()) } else { Err(Errno::EPERM) }
    };
    set("setfsgid", "fsgid", libc::setfsgid, gid).map_err(fail(what))?;
    set("setfsuid", "fsuid", libc::setfsuid, uid).map_err(fail(what))?;
    if uid == 0 {
        return Ok(());
    }
    // Who is not user 0 on file systems lost the capabilities for them.
    let sets = rustix::thread::capabilities(None).map_err(|e| fail(what)(e.into()))?;
    let all = rustix::thread::CapabilitySets { effective: sets.permitted, ..sets };
    super::security::capset(rec, all).map_err(fail(what))
}

/// Views of layers, and whose they are.
#[derive(Debug, Default)]
pub struct Views {
    /// By the path that each is of.
    of: Vec<(String, OwnedFd)>,
    /// The user and group of the host that are the container's root.
    root: Option<(u32, u32)>,
}

impl Views {
    /// The user and group that the container's root is, where there are views.
    pub fn root(&self) -> Option<(u32, u32)> {
        self.root.filter(|_| !self.of.is_empty())
    }

    /// What is to be mounted for a path: itself, or what its view shows.
    pub fn seen(&self, path: &str) -> String {
        let shown = self.of.iter().find_map(|(of, view)| {
            let rest = Path::new(path).strip_prefix(of).ok()?;
            let whole = Path::new(&beneath::through(view)).join(rest);
            Some(whole.to_string_lossy().trim_end_matches('/').to_owned())
        });
        shown.unwrap_or_else(|| path.to_owned())
    }
}

/// Who owns each directory by its view, and on disk.
pub fn evidence(state: &State) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (path, view) in &state.views.of {
        if let (Ok(seen), Ok(stored)) = (rustix::fs::fstat(view), rustix::fs::stat(path.as_str())) {
            let text = format!(
                "owner {}:{}, stored as {}:{}",
                seen.st_uid, seen.st_gid, stored.st_uid, stored.st_gid
            );
            facts.push(fact("fstat(2)", path, Value::Text(text)));
        }
    }
    facts
}
