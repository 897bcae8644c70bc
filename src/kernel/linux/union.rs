//! The union of the read-only layers and the writable one: overlayfs.
//!
//! Options, in both styles:
//! `index=off`, as Docker sets it: an index ties a writable layer to one set of
//! layers and refuses layers that moved or are in use twice.
//! `metacopy=off` and `redirect_dir=off`: a copied-up file is then whole and a
//! renamed directory is refused (EXDEV, `mv` copies), so that the writable
//! layer can be read by itself: `diff` and `commit` need nothing but it.
//! `volatile` only for a container that its own plan removes: unmounting an
//! overlay otherwise writes the whole file system of the store to disk, and
//! nobody will read this layer again. For any other container it must not be
//! set, because fsync(2) in the container then does nothing.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::mount::MsFlags;
use rustix::fs::OFlags;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::calls::{self, CWD, fail, fd_value};
use super::cx::Cx;
use super::recorder::{Recorder, zero};
use super::state::State;
use super::views;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::OverlayStyle;
use crate::trace::{Kind, Value};

const FIXED: [(&str, &str); 3] = [("index", "off"), ("metacopy", "off"), ("redirect_dir", "off")];

/// The longest string that fsconfig(2) takes.
const FSCONFIG_LIMIT: usize = 255;

/// Carries out `MountOverlay` and `AttachRootfs`.
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    match op {
        Op::MountOverlay { lower, upper, work, style, target } => {
            if lower.is_empty() {
                return Err(Failure::new(format!("mount overlay on {target}: there are no layers"), None));
            }
            match style {
                OverlayStyle::Detached => {
                    let views = std::mem::take(&mut state.views);
                    let lower: Vec<String> = lower.iter().map(|l| views.seen(l)).collect();
                    let dirs = Dirs { lower: &lower, upper: &views.seen(upper), work: &views.seen(work) };
                    let creator = views.root();
                    state.detached = Some(detached(dirs, creator, target, state.volatile, cx.rec)?);
                }
                OverlayStyle::Options => with_options(lower, upper, work, target, state.volatile, cx.rec)?,
            }
        }
        Op::AttachRootfs { target } => {
            let Some(union) = state.detached.take() else {
                return Err(Failure::new(format!("attach the union to {target}: it is not mounted"), None));
            };
            calls::move_mount(cx.rec, &union, None, target)
                .map_err(fail(|| format!("attach the union to {target}")))?;
            state.root_fd = None;
        }
        _ => return Err(super::dispatch::misplaced(op)),
    }
    Ok(false)
}

/// Mounts a union in the caller's mount namespace exactly as a container's is
/// mounted: `lower` uppermost first, all paths absolute.
///
/// # Errors
/// What the kernel refused, with its own words where it gives any.
pub fn mount_union(
    lower: &[String],
    upper: &str,
    work: &str,
    target: &str,
    style: OverlayStyle,
) -> Result<(), Failure> {
    let mut rec = Recorder::off();
    match style {
        OverlayStyle::Options => with_options(lower, upper, work, target, false, &mut rec),
        OverlayStyle::Detached => {
            let union = detached(Dirs { lower, upper, work }, None, target, false, &mut rec)?;
            calls::move_mount(&mut rec, &union, None, target)
                .map_err(fail(|| format!("attach the union to {target}")))
        }
    }
}

/// What a union is made of, as it is to be named to the kernel.
struct Dirs<'a> {
    lower: &'a [String],
    upper: &'a str,
    work: &'a str,
}

/// `creator`: the user and group that overlayfs acts for, where layers are seen
/// through views.
fn detached(
    Dirs { lower, upper, work }: Dirs<'_>,
    creator: Option<(u32, u32)>,
    target: &str,
    volatile: bool,
    rec: &mut Recorder,
) -> Result<OwnedFd, Failure> {
    let context = rec
        .call(
            "fsopen",
            || vec![("fsname", Value::from("overlay")), ("flags", Value::from("FSOPEN_CLOEXEC"))],
            calls::made_fd,
            || rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC),
        )
        .map_err(|e| explain(target, e, None))?;
    // A path too long for fsconfig goes by a descriptor that stays open until
    // the file system is made.
    let mut held = Vec::new();
    let layers = lower.iter().map(|l| ("lowerdir+", l.as_str()));
    let last = [("upperdir", upper), ("workdir", work), ("source", "overlay")];
    for (key, value) in layers.chain(last).chain(FIXED) {
        if value.len() <= FSCONFIG_LIMIT {
            set(rec, &context, key, value)
        } else {
            let fd = calls::openat(rec, CWD, value, OFlags::PATH | OFlags::DIRECTORY, 0)
                .map_err(fail(|| format!("open layer {value}")))?;
            let set = set(rec, &context, key, &super::beneath::through(&fd));
            held.push(fd);
            set
        }
        .map_err(|e| explain(target, e, log(&context)).hint_or(|| format!("refused: {key}={value}")))?;
    }
    if volatile {
        rec.call(
            "fsconfig",
            || {
                vec![
                    ("fd", fd_value(&context)),
                    ("cmd", Value::from("FSCONFIG_SET_FLAG")),
                    ("key", Value::from("volatile")),
                ]
            },
            zero,
            || rustix::mount::fsconfig_set_flag(&context, "volatile"),
        )
        .map_err(|e| explain(target, e, log(&context)))?;
    }
    // overlayfs keeps the ids of who makes it, and works in the upper layer with them.
    if let Some((uid, gid)) = creator {
        views::act_for(rec, uid, gid)?;
    }
    let made = rec.call(
        "fsconfig",
        || vec![("fd", fd_value(&context)), ("cmd", Value::from("FSCONFIG_CMD_CREATE"))],
        zero,
        || rustix::mount::fsconfig_create(&context),
    );
    if creator.is_some() {
        views::act_for(rec, 0, 0)?;
    }
    made.map_err(|e| explain(target, e, log(&context)))?;
    rec.call(
        "fsmount",
        || {
            vec![
                ("fsfd", fd_value(&context)),
                ("flags", Value::from("FSMOUNT_CLOEXEC")),
                ("attr_flags", Value::Int(0)),
            ]
        },
        calls::made_fd,
        || rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()),
    )
    .map_err(|e| explain(target, e, log(&context)))
}

fn set(rec: &mut Recorder, context: &OwnedFd, key: &str, value: &str) -> Result<(), Errno> {
    rec.call(
        "fsconfig",
        || {
            vec![
                ("fd", fd_value(context)),
                ("cmd", Value::from("FSCONFIG_SET_STRING")),
                ("key", Value::from(key)),
                ("value", told(value)),
            ]
        },
        zero,
        || rustix::mount::fsconfig_set_string(context, key, value),
    )
}

/// The number of a descriptor differs from run to run.
fn told(value: &str) -> Value {
    match value.starts_with("/proc/self/fd/") {
        true => Value::volatile(Kind::Fd, value),
        false => Value::from(value),
    }
}

/// mount(2) takes one page of options, too little for the paths of 100 layers.
/// So every layer is opened, and named by the number of its descriptor,
/// relative to `/proc/self/fd`.
fn with_options(
    lower: &[String],
    upper: &str,
    work: &str,
    target: &str,
    volatile: bool,
    rec: &mut Recorder,
) -> Result<(), Failure> {
    let mut held = Vec::with_capacity(lower.len() + 2);
    for path in lower.iter().map(String::as_str).chain([upper, work]) {
        let fd = calls::openat(rec, CWD, path, OFlags::PATH | OFlags::DIRECTORY, 0)
            .map_err(fail(|| format!("open layer {path}")))?;
        held.push(fd);
    }
    let names: Vec<String> = held.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    let (layers, own) = names.split_at(lower.len());
    let mut data = format!("lowerdir={},upperdir={},workdir={}", layers.join(":"), own[0], own[1]);
    for (key, value) in FIXED {
        data.push_str(&format!(",{key}={value}"));
    }
    if volatile {
        data.push_str(",volatile");
    }
    calls::chdir(rec, "/proc/self/fd").map_err(fail(|| "change to /proc/self/fd".to_owned()))?;
    let mounted = rec.call(
        "mount",
        || {
            vec![
                ("source", Value::from("overlay")),
                ("target", Value::from(target)),
                ("filesystemtype", Value::from("overlay")),
                ("mountflags", Value::Int(0)),
                ("data", Value::volatile(Kind::Fd, &data)),
            ]
        },
        zero,
        || nix::mount::mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(data.as_str())),
    );
    calls::chdir(rec, "/").map_err(fail(|| "change to /".to_owned()))?;
    mounted.map_err(|e| explain(target, e, None))
}

/// What the kernel wrote into the context's log: the true reason, where errno
/// says only EINVAL.
fn log(context: &OwnedFd) -> Option<String> {
    let mut text = [0u8; 512];
    let n = rustix::io::read(context, &mut text).ok()?;
    Some(String::from_utf8_lossy(&text[..n]).trim().trim_start_matches("e ").to_owned())
}

fn explain(target: &str, errno: Errno, log: Option<String>) -> Failure {
    let what = match log {
        Some(log) => format!("mount overlay on {target} (the kernel says: {log})"),
        None => format!("mount overlay on {target}"),
    };
    let failure = Failure::new(what, Some(errno));
    match errno {
        Errno::ENODEV => failure.hint("the kernel has no overlayfs: `modprobe overlay`"),
        Errno::EINVAL => failure.hint(
            "the store may stand on a file system that cannot be a writable layer (overlay, NFS, FAT): \
             choose another with --root",
        ),
        Errno::EPERM => failure.hint("run glassbox as root"),
        Errno::EROFS => failure.hint("the store is read-only: choose another with --root"),
        _ => failure,
    }
}

trait HintOr {
    fn hint_or(self, hint: impl FnOnce() -> String) -> Self;
}

impl HintOr for Failure {
    fn hint_or(self, hint: impl FnOnce() -> String) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint()) }
    }
}

/// A detached union goes with its descriptor; an attached one with init's
/// mount namespace.
pub fn undo(op: &Op, state: &mut State) {
    if let Op::MountOverlay { .. } = op {
        state.detached = None;
    }
}
