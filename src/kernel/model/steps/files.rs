//! Directories, nodes, links and small files.

use super::{Cx, at_cwd, fail, misplaced, octal, zero};
use crate::kernel::model::Res;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::plan::op::Slot;
use crate::trace::{Kind, Value};
use crate::userland::{FileType, OpenFlags};

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        Op::MakeDir { path, mode } => {
            let (inside, rest) = cx.beneath(path).map_err(fail(|| format!("make directory {path}")))?;
            cx.make_dirs(&inside, path, rest, *mode).map_err(fail(|| format!("make directory {path}")))
        }
        Op::MakeNode { path, kind, major, minor, mode } => {
            let what = || format!("make node {path}");
            let file_type = match kind {
                'c' | 'u' => FileType::Char,
                'b' => FileType::Block,
                'p' => FileType::Fifo,
                _ => return Err(Failure::new(format!("{}: {kind:?} is no kind of device", what()), None)),
            };
            let (inside, rest) = cx.beneath(path).map_err(fail(what))?;
            parents(cx, &inside, path, rest).map_err(fail(what))?;
            let args = || {
                vec![
                    ("dirfd", at_cwd()),
                    ("pathname", Value::from(path.as_str())),
                    ("mode", Value::Text(format!("{kind}|0{mode:o}"))),
                    ("dev", Value::Text(format!("makedev({major}, {minor})"))),
                ]
            };
            let inside = Ctx { umask: 0, ..inside };
            let dev = (*major, *minor);
            match cx.call("mknodat", args, zero, |w, _| w.mknod(&inside, rest, file_type, *mode, dev)) {
                Ok(()) => Ok(false),
                Err(Errno::EEXIST) => Ok(true),
                // In a user namespace nobody may make nodes; the host's own serves.
                Err(Errno::EPERM) => {
                    let host = format!("/dev/{}", path.rsplit('/').next().unwrap_or_default());
                    super::mounts::bind(cx, &host, path, false, &[]).map(|()| false)
                }
                Err(e) => Err(Failure::new(what(), Some(e))),
            }
        }
        Op::MakeSymlink { path, target } => {
            let what = || format!("make link {path} to {target}");
            let (inside, rest) = cx.beneath(path).map_err(fail(what))?;
            parents(cx, &inside, path, rest).map_err(fail(what))?;
            let args = || {
                vec![
                    ("target", target.as_str().into()),
                    ("newdirfd", at_cwd()),
                    ("linkpath", path.as_str().into()),
                ]
            };
            match cx.call("symlinkat", args, zero, |w, _| w.symlink(&inside, target, rest)) {
                Ok(()) => Ok(false),
                Err(Errno::EEXIST) => Ok(true),
                Err(e) => Err(Failure::new(what(), Some(e))),
            }
        }
        Op::WriteFile { path, content, mode } => {
            let address = cx.address().unwrap_or_default();
            let bare = address.split('/').next().unwrap_or_default();
            let text = content.replace("{address}", bare);
            let what = || format!("write {path}");
            cx.write_file(path, OpenFlags::CREATE, *mode, text.as_bytes()).map_err(fail(what))?;
            // A file that was there already had a mode of its own.
            let args = || vec![("fd", Value::volatile(Kind::Fd, 3)), ("mode", octal(*mode))];
            cx.call("fchmod", args, zero, |w, ctx| w.chmod(ctx, path, *mode)).map_err(fail(what))?;
            Ok(false)
        }
        Op::RecordExit { record } => record_exit(cx, record).map(|()| false),
        Op::RemoveContainer { path } => {
            if !cx.carried.owns(path) {
                return Err(Failure::new(
                    format!("remove {path}: it is not a directory of container {}", cx.carried.container),
                    None,
                ));
            }
            remove_tree(cx, path)
        }
        _ => Err(misplaced(op)),
    }
}

fn parents(cx: &mut Cx<'_>, inside: &Ctx, shown: &str, path: &str) -> Res<()> {
    let (Some((above, _)), Some((shown, _))) = (path.rsplit_once('/'), shown.rsplit_once('/')) else {
        return Ok(());
    };
    if above.is_empty() { Ok(()) } else { cx.make_dirs(inside, shown, above, 0o755).map(drop) }
}

/// Removes a directory and all in it. `true` when there was nothing.
pub(super) fn remove_tree(cx: &mut Cx<'_>, path: &str) -> Result<bool, Failure> {
    let what = || format!("remove {path}");
    let ctx = cx.ctx().map_err(fail(what))?;
    if cx.w.stat(&ctx, path, false) == Err(Errno::ENOENT) {
        return Ok(true);
    }
    let shown = Value::from(path);
    let flags = Value::from("AT_REMOVEDIR, and everything below it");
    let args = || vec![("dirfd", at_cwd()), ("pathname", shown), ("flags", flags)];
    cx.call("unlinkat", args, zero, |w, ctx| remove_all(w, ctx, path)).map_err(fail(what))?;
    Ok(false)
}

fn remove_all(w: &mut World, ctx: &Ctx, path: &str) -> Res<()> {
    let mut stack = vec![(path.to_owned(), false)];
    while let Some((path, emptied)) = stack.pop() {
        if w.stat(ctx, &path, false)?.kind != FileType::Dir {
            w.unlink(ctx, &path)?;
        } else if emptied {
            w.rmdir(ctx, &path)?;
        } else {
            let below = w.read_dir(ctx, &path)?;
            stack.push((path.clone(), true));
            stack.extend(below.into_iter().map(|e| (format!("{path}/{}", e.name), false)));
        }
    }
    Ok(())
}

/// Writes the exit into a record that stands there; without one it makes one.
fn record_exit(cx: &mut Cx<'_>, record: &str) -> Result<(), Failure> {
    let what = || format!("record the exit in {record}");
    let status: i64 = cx
        .slots
        .get(&Slot::ExitStatus)
        .and_then(|v| v.text().parse().ok())
        .ok_or_else(|| Failure::new(format!("{}: there is no exit status", what()), None))?;
    let mut json = match cx.text(record) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|_| Failure::new(format!("{}: it is damaged", what()), None))?,
        Err(Errno::ENOENT) => serde_json::Map::new(),
        Err(e) => return Err(Failure::new(what(), Some(e))),
    };
    json.insert("status".to_owned(), "exited".into());
    json.insert("exit_code".to_owned(), status.into());
    let text = serde_json::to_vec(&json).unwrap_or_default();
    let temporary = format!("{record}.new");
    cx.write_file(&temporary, OpenFlags::CREATE, 0o600, &text).map_err(fail(what))?;
    let args = || vec![("oldpath", temporary.as_str().into()), ("newpath", Value::from(record))];
    cx.call("rename", args, zero, |w, ctx| w.rename(ctx, &temporary, record)).map_err(fail(what))
}
