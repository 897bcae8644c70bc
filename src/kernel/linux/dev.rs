//! Device nodes, links and the host name: small things that init makes.

use rustix::fs::Mode;

use super::beneath::{self, open_parent};
use super::calls::{self, fail, fd_value};
use super::cx::Cx;
use super::mount_options::MountOptions;
use super::recorder::zero;
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::plan::Op;
use crate::trace::Value;

/// Carries out `MakeNode`, `MakeSymlink` and `SetHostname`.
pub fn apply(op: &Op, cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    match op {
        Op::MakeNode { path, kind, major, minor, mode } => {
            let (dir, name) = open_parent(state, cx.rec, path)?;
            let file_type = match kind {
                'b' => rustix::fs::FileType::BlockDevice,
                'c' | 'u' => rustix::fs::FileType::CharacterDevice,
                _ => {
                    return Err(Failure::new(
                        format!("make node {path}: {kind:?} is no kind of device"),
                        None,
                    ));
                }
            };
            let made = cx.rec.call(
                "mknodat",
                || {
                    let kind = if *kind == 'b' { "S_IFBLK" } else { "S_IFCHR" };
                    vec![
                        ("dirfd", fd_value(&dir)),
                        ("pathname", Value::from(name)),
                        ("mode", Value::Text(format!("{kind}|0{mode:o}"))),
                        ("dev", Value::Text(format!("makedev({major}, {minor})"))),
                    ]
                },
                zero,
                || {
                    let dev = rustix::fs::makedev(*major, *minor);
                    rustix::fs::mknodat(&dir, name, file_type, Mode::from_raw_mode(*mode), dev)
                },
            );
            match made {
                Ok(()) => {}
                Err(Errno::EEXIST) => return Ok(true),
                // In a user namespace nobody may make nodes; the host's own serves.
                Err(Errno::EPERM) => {
                    let host = format!("/dev/{name}");
                    let options = MountOptions::parse::<&str>(&[]);
                    beneath::forget(state);
                    super::mounts::bind(state, cx.rec, &host, path, false, &options)?;
                }
                Err(e) => return Err(Failure::new(format!("make node {path}"), Some(e))),
            }
        }
        Op::MakeSymlink { path, target } => {
            let (dir, name) = open_parent(state, cx.rec, path)?;
            match calls::symlinkat(cx.rec, target, &dir, name) {
                Ok(()) => {}
                Err(Errno::EEXIST) => return Ok(true),
                Err(e) => return Err(Failure::new(format!("make link {path} to {target}"), Some(e))),
            }
        }
        Op::SetHostname { name } => {
            cx.rec
                .call(
                    "sethostname",
                    || vec![("name", Value::from(name.as_str())), ("len", Value::Int(name.len() as i64))],
                    zero,
                    || rustix::system::sethostname(name.as_bytes()),
                )
                .map_err(fail(|| format!("set host name {name:?}")))?;
        }
        _ => return Err(super::dispatch::misplaced(op)),
    }
    Ok(false)
}
