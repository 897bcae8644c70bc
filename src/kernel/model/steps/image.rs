//! The image's part of a plan. The model's layers are trees on the modelled
//! disk; there are no blobs, so no digest is checked and none is claimed.

use super::{Cx, at_cwd, fail, misplaced, zero};
use crate::kernel::Failure;
use crate::plan::Op;
use crate::trace::Value;
use crate::userland::FileType;

pub(super) fn apply(op: &Op, cx: &mut Cx<'_>) -> Result<bool, Failure> {
    match op {
        // Reference and digests were resolved before the plan was made.
        Op::ReadImage { .. } => Ok(true),
        Op::UseLayer { dir, diff_id, .. } => {
            let stat = cx
                .read("newfstatat", || path_args(dir), zero, |w, ctx| w.stat(ctx, dir, false))
                .map_err(fail(|| format!("use layer {diff_id} at {dir}")))?;
            if stat.kind != FileType::Dir {
                return Err(Failure::new(format!("use layer {diff_id} at {dir}: it is no directory"), None));
            }
            Ok(true)
        }
        Op::UnpackLayer { dir, diff_id, .. } => {
            match cx.read("newfstatat", || path_args(dir), zero, |w, ctx| w.stat(ctx, dir, false)) {
                Ok(_) => Ok(true),
                Err(e) => Err(Failure::new(format!("unpack layer {diff_id} to {dir}"), Some(e))
                    .hint("the modelled disk holds the built-in image `box` only")),
            }
        }
        Op::ReadHostKernel => {
            cx.read("uname", Vec::new, zero, |_, _| Ok(()))
                .map_err(fail(|| "read the host's kernel".to_owned()))?;
            Ok(false)
        }
        Op::LookForKernel { layers } => {
            for layer in layers {
                for name in super::look::BOOTABLE {
                    let path = format!("{layer}/{name}");
                    // A missing one is what is looked for.
                    let _ =
                        cx.read("newfstatat", || path_args(&path), zero, |w, ctx| w.stat(ctx, &path, false));
                }
            }
            Ok(false)
        }
        Op::ReadChanges { upper, .. } => {
            let shown = upper.clone();
            cx.read("getdents64", || vec![("path", shown.into())], zero, |w, ctx| w.read_dir(ctx, upper))
                .map_err(fail(|| format!("read the writable layer {upper}")))?;
            Ok(false)
        }
        _ => Err(misplaced(op)),
    }
}

fn path_args(path: &str) -> super::Args {
    vec![("dirfd", at_cwd()), ("pathname", Value::from(path)), ("flags", "AT_SYMLINK_NOFOLLOW".into())]
}
