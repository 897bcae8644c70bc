//! The union, and init's mounts up to pivot_root and what is hidden after it.

use super::{Args, Cx, at_cwd, fail, misplaced, zero};
use crate::kernel::model::Res;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::vfs::{MountFlags, Options, Sb};
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::OverlayStyle;
use crate::trace::{Kind, Value};
use crate::userland::{FileType, OpenFlags};

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::MountOverlay { lower, upper, work, style, target } => {
            overlay(cx, lower, upper, work, *style, target).map(|()| false)
        }
        Op::AttachRootfs { target } => attach(cx, target).map(|()| false),
        Op::MakeMountsPrivate => {
            let args = || mount_args("none", "/", "", "MS_REC|MS_SLAVE", "");
            cx.call("mount", args, zero, |w, ctx| {
                w.may_mount(ctx)?;
                let all: Vec<u32> = w.mounts.of(ctx.ns.mnt).map(|m| m.id).collect();
                for id in all {
                    w.mounts.get_mut(id)?.shared = None;
                }
                Ok(())
            })
            .map_err(fail(|| "keep mounts from propagating to the host".to_owned()))?;
            Ok(false)
        }
        Op::Mount { fstype, source, target, options, .. } => {
            let what = || format!("mount {fstype} on {target}");
            let parsed = Options::parse(options.iter().map(String::as_str));
            let (inside, rest) = cx.beneath(target).map_err(fail(what))?;
            cx.make_dirs(&inside, target, rest, 0o755).map_err(fail(what))?;
            let args = || mount_args(source, target, fstype, &flag_words(parsed.flags), &parsed.data);
            cx.call("mount", args, zero, |w, _| w.mount(&inside, source, rest, fstype, &parsed))
                .map_err(fail(what))?;
            Ok(false)
        }
        Op::Bind { source, target, recursive, options, .. } => {
            bind(cx, source, target, *recursive, options).map(|()| false)
        }
        Op::PivotRoot { new_root } => pivot(cx, new_root).map(|()| false),
        Op::RemountRootReadonly => {
            let args = || mount_args("none", "/", "", "MS_REMOUNT|MS_BIND|MS_RDONLY", "");
            cx.call("mount", args, zero, |w, ctx| {
                let flags = w.mounts.get(ctx.root.mount).map(|m| m.flags).unwrap_or_default();
                w.remount(ctx, "/", MountFlags { ro: true, ..flags })
            })
            .map_err(fail(|| "make the root read-only".to_owned()))?;
            Ok(false)
        }
        Op::MaskPath { path } => mask(cx, path),
        Op::ReadonlyPath { path } => readonly(cx, path),
        _ => Err(misplaced(op)),
    }
}

fn mount_args(source: &str, target: &str, fstype: &str, flags: &str, data: &str) -> Args {
    let or_null = |text: &str| if text.is_empty() { Value::from("NULL") } else { Value::from(text) };
    vec![
        ("source", or_null(source)),
        ("target", target.into()),
        ("filesystemtype", or_null(fstype)),
        ("mountflags", if flags.is_empty() { Value::Int(0) } else { flags.into() }),
        ("data", or_null(data)),
    ]
}

fn flag_words(flags: MountFlags) -> String {
    let all = [
        (flags.ro, "MS_RDONLY"),
        (flags.nosuid, "MS_NOSUID"),
        (flags.nodev, "MS_NODEV"),
        (flags.noexec, "MS_NOEXEC"),
    ];
    all.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect::<Vec<_>>().join("|")
}

fn overlay(
    cx: &mut Cx<'_>,
    lower: &[String],
    upper: &str,
    work: &str,
    style: OverlayStyle,
    target: &str,
) -> Result<(), Failure> {
    let what = || format!("mount overlay on {target}");
    if lower.is_empty() {
        return Err(Failure::new(format!("{}: there are no layers", what()), None));
    }
    let layers: Vec<&str> = lower.iter().map(String::as_str).collect();
    if style == OverlayStyle::Options {
        let data = format!(
            "lowerdir={},upperdir={upper},workdir={work},index=off,metacopy=off,redirect_dir=off",
            lower.join(":")
        );
        let args = || mount_args("overlay", target, "overlay", "", &data);
        return cx
            .call("mount", args, zero, |w, ctx| {
                w.may_mount(ctx)?;
                let sb = w.make_overlay(ctx, &layers, upper, work)?;
                let id = w.mount_sb(ctx, sb, "overlay", "overlay", target, MountFlags::default())?;
                w.mounts.get_mut(id)?.sb_options = format!("rw,{data}");
                Ok(())
            })
            .map_err(fail(what));
    }
    let fd = |_: &_| Value::volatile(Kind::Fd, 3);
    let args = || vec![("fsname", "overlay".into()), ("flags", "FSOPEN_CLOEXEC".into())];
    cx.call("fsopen", args, fd, |w, ctx| w.may_mount(ctx)).map_err(fail(what))?;
    let fixed = [("index", "off"), ("metacopy", "off"), ("redirect_dir", "off")];
    let options = layers.iter().map(|l| ("lowerdir+", *l));
    let own = [("upperdir", upper), ("workdir", work), ("source", "overlay")];
    for (key, value) in options.chain(own).chain(fixed) {
        let args = || {
            vec![
                ("fd", Value::volatile(Kind::Fd, 3)),
                ("cmd", "FSCONFIG_SET_STRING".into()),
                ("key", key.into()),
                ("value", value.into()),
            ]
        };
        let is_path = value.starts_with('/');
        cx.call("fsconfig", args, zero, |w, ctx| match is_path {
            true => w.resolve(ctx, value, true).map(drop),
            false => Ok(()),
        })
        .map_err(fail(|| format!("{}: {key}={value}", what())))?;
    }
    let args = || vec![("fd", Value::volatile(Kind::Fd, 3)), ("cmd", "FSCONFIG_CMD_CREATE".into())];
    let ids = cx.carried.ids.clone();
    let sb = cx
        .call("fsconfig", args, zero, |w, ctx| {
            let sb = w.make_overlay(ctx, &layers, upper, work)?;
            if let (Some(ids), Some(Some(Sb::Overlay(union)))) = (ids, w.fs.sbs.get_mut(sb as usize)) {
                union.translate_owners(ids);
            }
            Ok(sb)
        })
        .map_err(fail(what))?;
    let args = || {
        vec![
            ("fsfd", Value::volatile(Kind::Fd, 3)),
            ("flags", "FSMOUNT_CLOEXEC".into()),
            ("attr_flags", Value::Int(0)),
        ]
    };
    cx.call("fsmount", args, |_| Value::volatile(Kind::Fd, 4), |_, _| Ok(())).map_err(fail(what))?;
    let words = layers.iter().map(|l| format!(",lowerdir+={l}")).collect::<String>();
    cx.carried.detached = Some((sb, format!("rw{words},upperdir={upper},workdir={work}")));
    Ok(())
}

fn attach(cx: &mut Cx<'_>, target: &str) -> Result<(), Failure> {
    let what = || format!("attach the union to {target}");
    let Some((sb, shown)) = cx.carried.detached.take() else {
        return Err(Failure::new(format!("{}: it is not mounted", what()), None));
    };
    let args = || move_args(target);
    cx.call("move_mount", args, zero, |w, ctx| {
        w.may_mount(ctx)?;
        let id = w.mount_sb(ctx, sb, "overlay", "overlay", target, MountFlags::default())?;
        w.mounts.get_mut(id)?.sb_options = shown;
        Ok(())
    })
    .map_err(fail(what))
}

fn move_args(target: &str) -> Args {
    vec![
        ("from_dirfd", Value::volatile(Kind::Fd, 4)),
        ("from_pathname", "".into()),
        ("to_dirfd", at_cwd()),
        ("to_pathname", target.into()),
        ("flags", "MOVE_MOUNT_F_EMPTY_PATH".into()),
    ]
}

/// Shows a file or directory of the host at `target`, which is made if missing.
pub(super) fn bind(
    cx: &mut Cx<'_>,
    source: &str,
    target: &str,
    recursive: bool,
    options: &[String],
) -> Result<(), Failure> {
    let what = || format!("bind {source} to {target}");
    let parsed = Options::parse(options.iter().map(String::as_str));
    let flags = if recursive {
        "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE"
    } else {
        "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC"
    };
    let args = || vec![("dirfd", at_cwd()), ("pathname", source.into()), ("flags", flags.into())];
    let fd = |_: &_| Value::volatile(Kind::Fd, 4);
    let tree = cx
        .call("open_tree", args, fd, |w, ctx| {
            w.may_mount(ctx)?;
            w.bind(ctx, source, recursive)
        })
        .map_err(fail(|| format!("open {source} of the host")))
        .map_err(|f| match f.errno {
            Some(Errno::ENOENT) => f.hint("the path must exist on the modelled disk"),
            _ => f,
        })?;
    let placed = place(cx, tree, target, parsed.flags, recursive);
    if placed.is_err() {
        cx.w.mounts.remove(tree);
    }
    placed.map_err(fail(what))
}

/// Makes the mount point, sets the options and attaches.
fn place(cx: &mut Cx<'_>, tree: u32, target: &str, flags: MountFlags, recursive: bool) -> Res<()> {
    let (inside, rest) = cx.beneath(target)?;
    let is_dir = match cx.w.mounts.get(tree) {
        Some(m) => cx.w.kind(m.root)? == FileType::Dir,
        None => return Err(Errno::EINVAL),
    };
    if is_dir {
        cx.make_dirs(&inside, target, rest, 0o755)?;
    } else if cx.w.stat(&inside, rest, true) == Err(Errno::ENOENT) {
        touch(cx, &inside, target, rest)?;
    }
    let set = flag_words(flags).replace("MS_", "MOUNT_ATTR_");
    let args = || {
        vec![
            ("dirfd", Value::volatile(Kind::Fd, 4)),
            ("pathname", "".into()),
            ("flags", if recursive { "AT_EMPTY_PATH|AT_RECURSIVE" } else { "AT_EMPTY_PATH" }.into()),
            ("attr_set", if set.is_empty() { Value::Int(0) } else { set.into() }),
            ("propagation", "MS_PRIVATE".into()),
        ]
    };
    cx.call("mount_setattr", args, zero, |w, _| {
        let all = if recursive { w.mounts.subtree(tree) } else { vec![tree] };
        for id in all {
            let mount = w.mounts.get_mut(id)?;
            mount.shared = None;
            mount.flags.ro |= flags.ro;
            mount.flags.nosuid |= flags.nosuid;
            mount.flags.nodev |= flags.nodev;
            mount.flags.noexec |= flags.noexec;
        }
        Ok(())
    })?;
    cx.call("move_mount", || move_args(target), zero, |w, _| w.place_mount(&inside, tree, rest))
}

fn touch(cx: &mut Cx<'_>, inside: &Ctx, target: &str, rest: &str) -> Res<()> {
    if let (Some((above, _)), Some((shown, _))) = (rest.rsplit_once('/'), target.rsplit_once('/'))
        && !above.is_empty()
    {
        cx.make_dirs(inside, shown, above, 0o755)?;
    }
    let args = || {
        vec![
            ("dirfd", at_cwd()),
            ("pathname", target.into()),
            ("flags", "O_RDONLY|O_CREAT|O_CLOEXEC".into()),
            ("mode", "0644".into()),
        ]
    };
    let flags = OpenFlags { create: true, ..OpenFlags::READ };
    cx.call(
        "openat",
        args,
        |_| Value::volatile(Kind::Fd, 5),
        |w, _| {
            let id = w.open(inside, rest, flags, 0o644)?;
            w.drop_open(id);
            Ok(())
        },
    )
}

fn pivot(cx: &mut Cx<'_>, new_root: &str) -> Result<(), Failure> {
    let cwd = cx.carried.cwd.clone();
    if cwd.starts_with('/') && cwd != "/" {
        let path = format!("{new_root}{cwd}");
        let what = || format!("make the working directory {cwd}");
        let (inside, rest) = cx.beneath(&path).map_err(fail(what))?;
        // What is there already and no directory is told when it is entered.
        if cx.w.stat(&inside, rest, true).is_err() {
            cx.make_dirs(&inside, &path, rest, 0o755).map_err(fail(what))?;
        }
    }
    let pid = cx.pid;
    let path_arg = |path: &str| vec![("path", Value::from(path))];
    cx.call("chdir", || path_arg(new_root), zero, |w, _| w.chdir(pid, new_root))
        .map_err(fail(|| format!("change to the new root {new_root}")))?;
    let args = || vec![("new_root", ".".into()), ("put_old", ".".into())];
    let old = cx
        .call("pivot_root", args, zero, |w, _| w.pivot_root(pid))
        .map_err(fail(|| format!("make {new_root} the root")))?;
    let args = || vec![("target", ".".into()), ("flags", "MNT_DETACH".into())];
    cx.call("umount2", args, zero, |w, _| {
        w.mounts.remove(old);
        w.collect();
        Ok(())
    })
    .map_err(fail(|| "let go of the old root".to_owned()))?;
    cx.call("chdir", || path_arg("/"), zero, |w, _| w.chdir(pid, "/"))
        .map_err(fail(|| "change to the new root".to_owned()))?;
    cx.carried.pivoted = true;
    Ok(())
}

/// Hides a path. `true` when there is nothing to hide.
fn mask(cx: &mut Cx<'_>, path: &str) -> Result<bool, Failure> {
    let what = || format!("hide {path}");
    let bind = Options { bind: true, ..Options::default() };
    let (inside, rest) = match cx.beneath(path) {
        Ok(place) => place,
        Err(e) => return Err(Failure::new(what(), Some(e))),
    };
    let args = || mount_args("/dev/null", path, "", "MS_BIND", "");
    match cx.call("mount", args, zero, |w, _| w.mount(&inside, "/dev/null", rest, "", &bind)) {
        Ok(()) => Ok(false),
        Err(Errno::ENOENT) => Ok(true),
        Err(Errno::ENOTDIR) => {
            let options = Options::parse(["ro", "nr_inodes=2"]);
            let args = || mount_args("tmpfs", path, "tmpfs", "MS_RDONLY", "nr_inodes=2");
            cx.call("mount", args, zero, |w, _| w.mount(&inside, "tmpfs", rest, "tmpfs", &options))
                .map_err(fail(|| format!("hide directory {path}")))?;
            Ok(false)
        }
        Err(e) => Err(Failure::new(what(), Some(e))),
    }
}

/// Makes a path read-only. `true` when it does not exist.
fn readonly(cx: &mut Cx<'_>, path: &str) -> Result<bool, Failure> {
    let what = || format!("make {path} read-only");
    let (inside, rest) = cx.beneath(path).map_err(fail(what))?;
    let args = || mount_args(path, path, "", "MS_BIND|MS_REC", "");
    let bound = cx.call("mount", args, zero, |w, _| {
        w.may_mount(&inside)?;
        let id = w.bind(&inside, rest, true)?;
        w.place_mount(&inside, id, rest).inspect_err(|_| w.mounts.remove(id))
    });
    match bound {
        Ok(()) => {}
        Err(Errno::ENOENT) => return Ok(true),
        Err(e) => return Err(Failure::new(format!("bind {path} to itself"), Some(e))),
    }
    let args = || mount_args("", path, "", "MS_BIND|MS_REMOUNT|MS_RDONLY", "");
    cx.call("mount", args, zero, |w, _| {
        let loc = w.resolve(&inside, rest, true)?;
        let flags = w.mounts.get(loc.mount).map(|m| m.flags).unwrap_or_default();
        w.remount(&inside, rest, MountFlags { ro: true, ..flags })
    })
    .map_err(fail(what))?;
    Ok(false)
}
