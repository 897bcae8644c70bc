//! Path resolution, path_resolution(7).

use super::{Loc, Node};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::userland::FileType;

const PATH_MAX: usize = 4096;
const MAX_LINKS: u32 = 40;

/// What the last component of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last<'p> {
    Name(&'p str),
    Dot,
    DotDot,
    /// The path is `/`.
    Root,
}

/// A path, resolved but for its last component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent<'p> {
    pub dir: Loc,
    pub last: Last<'p>,
    /// The path ends with a slash.
    pub slash: bool,
}

/// What is done with a path's last component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    /// A symbolic link there is followed.
    pub follow: bool,
    /// It is the last one of all, and not that of a directory on the way.
    pub trailing: bool,
}

fn checked(path: &str) -> Res<&str> {
    match path.len() {
        0 => Err(Errno::ENOENT),
        n if n >= PATH_MAX => Err(Errno::ENAMETOOLONG),
        _ if path.contains('\0') => Err(Errno::EINVAL),
        _ => Ok(path),
    }
}

impl World {
    /// Resolves the whole path; a final symbolic link only with `follow` (or a
    /// trailing slash).
    pub(crate) fn resolve(&mut self, ctx: &Ctx, path: &str, follow: bool) -> Res<Loc> {
        let mut links = 0;
        let how = How { follow, trailing: true };
        self.walk(ctx, ctx.cwd, checked(path)?, how, &mut links)
    }

    /// Resolves all but the last component.
    pub(crate) fn resolve_parent<'p>(&mut self, ctx: &Ctx, path: &'p str) -> Res<Parent<'p>> {
        let path = checked(path)?;
        let trimmed = path.trim_end_matches('/');
        let slash = trimmed.len() < path.len();
        let (before, name) = match trimmed.rfind('/') {
            Some(at) => (&trimmed[..=at], &trimmed[at + 1..]),
            None => ("", trimmed),
        };
        let last = match name {
            "" => return Ok(Parent { dir: ctx.root, last: Last::Root, slash: true }),
            "." => Last::Dot,
            ".." => Last::DotDot,
            n => Last::Name(n),
        };
        let dir = if before.is_empty() {
            ctx.cwd
        } else {
            let mut links = 0;
            self.walk(ctx, ctx.cwd, before, How { follow: true, trailing: false }, &mut links)?
        };
        self.may_search(ctx, &self.attr(dir.node)?)?;
        Ok(Parent { dir, last, slash })
    }

    /// One name in a directory, through mounts, no link followed. `None` when
    /// there is no such name.
    pub(crate) fn child(&mut self, ctx: &Ctx, dir: Loc, name: &str) -> Res<Option<Loc>> {
        match self.lookup(ctx, dir.node, name) {
            Ok(node) => Ok(Some(self.mounts.cross(Loc { mount: dir.mount, node }))),
            Err(Errno::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(crate) fn walk(&mut self, ctx: &Ctx, start: Loc, path: &str, how: How, links: &mut u32) -> Res<Loc> {
        let mut at = if path.starts_with('/') { ctx.root } else { start };
        let must_be_dir = path.ends_with('/');
        let mut parts = path.split('/').filter(|p| !p.is_empty()).peekable();
        while let Some(name) = parts.next() {
            let last = parts.peek().is_none();
            let attr = self.attr(at.node)?;
            self.may_search(ctx, &attr)?;
            match name {
                "." => continue,
                ".." => {
                    at = self.dotdot(ctx, at);
                    continue;
                }
                _ => {}
            }
            let node = self.lookup(ctx, at.node, name)?;
            let next = self.mounts.cross(Loc { mount: at.mount, node });
            if self.kind(next.node)? == FileType::Symlink && (!last || how.follow || must_be_dir) {
                *links += 1;
                if *links > MAX_LINKS {
                    return Err(Errno::ELOOP);
                }
                if let Some(loc) = crate::kernel::model::procfs::magic(self, next.node)? {
                    at = loc;
                    continue;
                }
                if last && how.trailing {
                    self.may_follow(ctx, &attr, &self.attr(next.node)?)?;
                }
                let target = self.read_link_of(ctx, next.node)?;
                let inner = How { follow: true, trailing: last && how.trailing };
                at = self.walk(ctx, at, checked(&target)?, inner, links)?;
            } else {
                at = next;
            }
        }
        if must_be_dir && self.kind(at.node)? != FileType::Dir {
            return Err(Errno::ENOTDIR);
        }
        Ok(at)
    }

    pub(crate) fn kind(&self, node: Node) -> Res<FileType> {
        self.attr(node).map(|a| a.kind)
    }

    fn dotdot(&self, ctx: &Ctx, from: Loc) -> Loc {
        let mut at = from;
        loop {
            if at == ctx.root {
                return at;
            }
            let Some(mount) = self.mounts.get(at.mount) else { return at };
            if at.node != mount.root {
                let node = self.parent_of(at.node);
                return self.mounts.cross(Loc { mount: at.mount, node });
            }
            match mount.on {
                Some(on) => at = on,
                None => return at,
            }
        }
    }

    /// The path of a place as seen from a root; `None` when it has no name there.
    pub(crate) fn path_from(&self, root: Loc, loc: Loc) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        let mut at = loc;
        for _ in 0..PATH_MAX {
            if at == root {
                break;
            }
            let mount = self.mounts.get(at.mount)?;
            if at.node == mount.root {
                let on = mount.on?;
                if let Some((parent, name)) = &mount.on_name {
                    names.push(name.clone());
                    at = Loc { mount: on.mount, node: *parent };
                } else {
                    at = on;
                }
            } else {
                let (parent, name) = self.name_of(at.node)?;
                names.push(name);
                at = Loc { mount: at.mount, node: parent };
            }
        }
        names.reverse();
        Some(format!("/{}", names.join("/")))
    }
}
