//! Extended attributes, xattr(7): the classes `user` and `trusted`. The symbolic
//! link itself is meant, never what it leads to.

use super::{Attr, READ, Sb, WRITE};
use crate::kernel::Errno;
use crate::kernel::model::Res;
use crate::kernel::model::cred::Cap;
use crate::kernel::model::process::Ctx;
use crate::kernel::model::world::World;
use crate::userland::FileType;

const NAME_MAX: usize = 255;
const SIZE_MAX: usize = 65536;

/// The classes that the model keeps.
fn known(name: &str) -> bool {
    name.starts_with("user.") || name.starts_with("trusted.")
}

impl World {
    /// xattr_permission(): who may read or write an attribute of this class.
    fn may_xattr(&self, ctx: &Ctx, attr: &Attr, name: &str, mask: u32) -> Res<()> {
        let refused = if mask == WRITE { Errno::EPERM } else { Errno::ENODATA };
        if mask == WRITE && !self.ns.maps_ids(self.host_ns.user, attr.uid, attr.gid) {
            return Err(Errno::EPERM);
        }
        if name.starts_with("trusted.") {
            return if self.capable_first(ctx, Cap::SYS_ADMIN) { Ok(()) } else { Err(refused) };
        }
        if name.starts_with("user.") {
            if !matches!(attr.kind, FileType::File | FileType::Dir) {
                return Err(refused);
            }
            let sticky = attr.kind == FileType::Dir && attr.mode & 0o1000 != 0;
            if sticky && mask == WRITE && !self.is_owner(ctx, attr) {
                return Err(Errno::EPERM);
            }
        }
        self.may(ctx, attr, mask)
    }

    fn checked_name<'n>(&self, name: &'n str) -> Res<&'n str> {
        if name.is_empty() || name.len() > NAME_MAX { Err(Errno::ERANGE) } else { Ok(name) }
    }

    /// Sets or replaces an attribute.
    pub(crate) fn set_xattr(&mut self, ctx: &Ctx, path: &str, name: &str, value: &[u8]) -> Res<()> {
        self.checked_name(name)?;
        if value.len() > SIZE_MAX {
            return Err(Errno::E2BIG);
        }
        let loc = self.resolve(ctx, path, false)?;
        self.may_write_mount(loc)?;
        let attr = self.attr(loc.node)?;
        self.may_xattr(ctx, &attr, name, WRITE)?;
        // An overlay copies up first and finds out then that there is no such class.
        let (tree, ino) = self.real_mut(loc.node, true).map_err(|e| match e {
            Errno::EPERM => Errno::EOPNOTSUPP,
            e => e,
        })?;
        if !known(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        tree.set_xattr(ino, name, value)
    }

    /// The value of an attribute.
    pub(crate) fn get_xattr(&mut self, ctx: &Ctx, path: &str, name: &str) -> Res<Vec<u8>> {
        self.checked_name(name)?;
        let loc = self.resolve(ctx, path, false)?;
        let attr = self.attr(loc.node)?;
        self.may_xattr(ctx, &attr, name, READ)?;
        if !known(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        let (tree, ino) = self.real(loc.node).map_err(|_| Errno::EOPNOTSUPP)?;
        self.shown(loc.node.sb, name)
            .then(|| tree.xattr(ino, name))
            .flatten()
            .map(<[u8]>::to_vec)
            .ok_or(Errno::ENODATA)
    }

    /// Removes an attribute. One that is not there is not copied up for it.
    pub(crate) fn remove_xattr(&mut self, ctx: &Ctx, path: &str, name: &str) -> Res<()> {
        self.checked_name(name)?;
        let loc = self.resolve(ctx, path, false)?;
        self.may_write_mount(loc)?;
        let attr = self.attr(loc.node)?;
        self.may_xattr(ctx, &attr, name, WRITE)?;
        let (tree, ino) = self.real(loc.node).map_err(|_| Errno::EOPNOTSUPP)?;
        if !known(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        if !self.shown(loc.node.sb, name) || tree.xattr(ino, name).is_none() {
            return Err(Errno::ENODATA);
        }
        let (tree, ino) = self.real_mut(loc.node, true)?;
        tree.remove_xattr(ino, name)
    }

    /// The names of the attributes that the caller may know of, sorted.
    pub(crate) fn list_xattrs(&mut self, ctx: &Ctx, path: &str) -> Res<Vec<String>> {
        let loc = self.resolve(ctx, path, false)?;
        let trusted = self.capable_first(ctx, Cap::SYS_ADMIN);
        let Ok((tree, ino)) = self.real(loc.node) else { return Ok(Vec::new()) };
        let names = tree.get(ino)?.xattrs.iter().flat_map(|x| x.keys());
        let names = names.filter(|n| (trusted || !n.starts_with("trusted.")) && self.shown(loc.node.sb, n));
        Ok(names.cloned().collect())
    }

    /// An overlay keeps its own attributes to itself.
    fn shown(&self, sb: super::SbId, name: &str) -> bool {
        !(matches!(self.fs.sb(sb), Ok(Sb::Overlay(_))) && name.starts_with("trusted.overlay."))
    }
}
