//! The image's part of a plan. The model's layers are trees on the modelled
//! disk. Of the built-in image it has what the blobs hold, from which the tars are made
//! again to check their digests; the blobs of other images are files of the disk.

use super::{Cx, at_cwd, fail, misplaced, zero};
use crate::image::digest;
use crate::image::index::Content;
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
        Op::UnpackLayer { blob, dir, diff_id, size, .. } => {
            if cx.read("newfstatat", || path_args(dir), zero, |w, ctx| w.stat(ctx, dir, false)).is_ok() {
                return Ok(true);
            }
            let what = || format!("unpack layer {diff_id} to {dir}");
            let blobs = cx.carried.blobs.clone();
            let Some(entries) = blobs.get(blob) else {
                let bytes = cx.w.bytes_of(blob)?;
                let found = digest::of_bytes(&bytes);
                if (&found, bytes.len() as u64) != (diff_id, *size) {
                    return Err(Failure::new(format!("{}: its digest is {found}", what()), None)
                        .hint("remove the image, and load or pull it again"));
                }
                super::images::unpack(cx, dir, &bytes, what)?;
                return Ok(false);
            };
            let (found, bytes) = crate::image::builtin::model_digest(entries);
            if (&found, bytes) != (diff_id, *size) {
                return Err(Failure::new(format!("{}: its digest is {found}", what()), None)
                    .hint("this is a defect of glassbox: please report it"));
            }
            if let Err(e) = cx.w.add_layer(dir, entries) {
                // Complete or absent, as on a real disk.
                let _ = cx.w.disk_remove(dir);
                return Err(Failure::new(what(), Some(e)));
            }
            Ok(false)
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
