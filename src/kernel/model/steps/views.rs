//! Views of the layers that translate owners. The calls are those of the `linux`
//! kernel; what they come to is a pair of maps for the union.

use super::{Args, Cx, at_cwd, fail, zero};
use crate::kernel::Failure;
use crate::kernel::model::overlay::Ids;
use crate::plan::op::{IdMap, Ns};
use crate::trace::{Fact, Kind, Value};
use crate::userland::{Exit, FileType};

pub(super) fn map_layers(
    cx: &mut Cx<'_>,
    layers: &[String],
    own: &String,
    uid: &[IdMap],
    gid: &[IdMap],
) -> Result<(), Failure> {
    let parent = cx.pid;
    let args = || vec![("flags", "CLONE_NEWUSER|CLONE_PIDFD".into()), ("exit_signal", "SIGCHLD".into())];
    let holder = cx
        .call(
            "clone3",
            args,
            |pid| Value::volatile(Kind::Pid, pid),
            |w, _| w.spawn(parent, &[Ns::User], None),
        )
        .map_err(fail(|| "make a user namespace".to_owned()))?;
    let made = super::process::write_maps(cx, holder, uid, gid);
    let views = made.and_then(|()| layers.iter().chain([own]).try_for_each(|path| view(cx, path)));
    cx.w.exit(holder, Exit::Code(0));
    cx.w.reap(holder);
    views?;
    cx.carried.viewed = layers.iter().chain([own]).cloned().collect();
    cx.carried.ids = Some(Ids { uid: uid.to_vec(), gid: gid.to_vec() });
    Ok(())
}

fn view(cx: &mut Cx<'_>, path: &str) -> Result<(), Failure> {
    let args = || -> Args {
        let flags = "OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC";
        vec![("dirfd", at_cwd()), ("pathname", path.into()), ("flags", flags.into())]
    };
    cx.call(
        "open_tree",
        args,
        |()| Value::volatile(Kind::Fd, 4),
        |w, ctx| {
            w.may_mount(ctx)?;
            let loc = w.resolve(ctx, path, true)?;
            match w.kind(loc.node)? {
                FileType::Dir => Ok(()),
                _ => Err(crate::kernel::Errno::ENOTDIR),
            }
        },
    )
    .map_err(fail(|| format!("make a view of {path}")))?;
    let args = || {
        vec![
            ("dirfd", Value::volatile(Kind::Fd, 4)),
            ("pathname", "".into()),
            ("flags", "AT_EMPTY_PATH".into()),
            ("attr_set", "MOUNT_ATTR_IDMAP".into()),
            ("propagation", "0".into()),
            ("userns_fd", Value::volatile(Kind::Fd, 3)),
        ]
    };
    cx.call("mount_setattr", args, zero, |_, _| Ok(()))
        .map_err(fail(|| format!("translate the owners of {path}")))
}

/// Who owns each directory by its view, and in its layer.
pub(super) fn evidence(cx: &mut Cx<'_>) -> Vec<Fact> {
    let (Ok(ctx), Some(ids)) = (cx.ctx(), cx.carried.ids.clone()) else { return Vec::new() };
    let mut facts = Vec::new();
    for path in cx.carried.viewed.clone() {
        if let Ok(stat) = cx.w.stat(&ctx, &path, true) {
            let (uid, gid) = ids.seen(stat.uid, stat.gid);
            let text = format!("owner {uid}:{gid}, stored as {}:{}", stat.uid, stat.gid);
            facts.push(super::look::fact("fstat(2)", &path, text));
        }
    }
    facts
}
