//! One process on a modelled machine, called from outside: file operations one
//! after the other, as any user, without a container or a program. For
//! measurements, and for holding the model against a real kernel.

use super::Cred;
use super::cred::ALL_CAPS;
use super::process::{Ctx, Gpid};
use super::vfs::{MountFlags, OpenId, ReadOutcome};
use super::world::World;
use crate::kernel::Errno;
use crate::userland::{DirEntry, FileType, OpenFlags, Stat};

/// An open file of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(OpenId);

/// A process whose calls the caller of this library makes. It begins as root at `/`
/// of the modelled disk.
#[derive(Debug)]
pub struct Session {
    world: World,
    pid: Gpid,
}

type Called<T> = Result<T, Errno>;

/// Every method but [`new`](Session::new) is the system call of that name, with its errors.
impl Session {
    /// A process of its own on this machine.
    ///
    /// # Errors
    /// EAGAIN when the machine is full of processes.
    pub fn new(mut world: World) -> Called<Session> {
        let pid = world.spawn(1, &[], None)?;
        Ok(Session { world, pid })
    }

    /// The machine.
    pub fn world(&self) -> &World {
        &self.world
    }

    fn call<T>(&mut self, f: impl FnOnce(&mut World, &Ctx) -> Called<T>) -> Called<T> {
        self.world.micros = self.world.micros.saturating_add(1);
        let ctx = self.world.ctx(self.pid)?;
        f(&mut self.world, &ctx)
    }

    /// Writes a file below `/proc/sys`, by its path from there: `fs/protected_regular`.
    pub fn set_sysctl(&mut self, path: &str, value: &str) {
        self.world.sysctls.insert(path.to_owned(), value.to_owned());
    }

    /// seteuid(2), setegid(2) and setgroups(2) in one: root has every capability,
    /// others none.
    pub fn act_as(&mut self, uid: u32, gid: u32, groups: &[u32]) -> Called<()> {
        self.world.set_cred(self.pid, |cred: &mut Cred| {
            (cred.euid, cred.egid, cred.groups) = (uid, gid, groups.into());
            cred.effective = if uid == 0 { ALL_CAPS } else { 0 };
        })
    }

    /// Mounts a union of layers, uppermost lower one first.
    pub fn mount_overlay(&mut self, lower: &[&str], upper: &str, work: &str, target: &str) -> Called<()> {
        self.call(|w, ctx| {
            let sb = w.make_overlay(ctx, lower, upper, work)?;
            w.mount_sb(ctx, sb, "overlay", "overlay", target, MountFlags::default()).map(drop)
        })
    }

    /// umount2(2); with `detach` also while it is in use.
    pub fn umount(&mut self, target: &str, detach: bool) -> Called<()> {
        self.call(|w, ctx| w.umount(ctx, target, detach))
    }

    /// chroot(2), and the working directory with it.
    pub fn chroot(&mut self, path: &str) -> Called<()> {
        let loc = self.call(|w, ctx| w.resolve(ctx, path, true))?;
        self.world.set_root(self.pid, loc)?;
        self.world.set_cwd(self.pid, loc)
    }

    /// Back out to the machine's own root, which no call inside a chroot can do.
    pub fn leave_chroot(&mut self) -> Called<()> {
        let root = self.world.process(1)?.root;
        self.world.set_root(self.pid, root)?;
        self.world.set_cwd(self.pid, root)
    }

    #[allow(missing_docs)]
    pub fn chdir(&mut self, path: &str) -> Called<()> {
        self.world.chdir(self.pid, path)
    }

    #[allow(missing_docs)]
    pub fn getcwd(&mut self) -> Called<String> {
        self.call(|w, ctx| w.get_cwd(ctx))
    }

    /// Gives the mask that was set before.
    pub fn umask(&mut self, mask: u32) -> Called<u32> {
        Ok(std::mem::replace(&mut self.world.process_mut(self.pid)?.umask, mask & 0o777))
    }

    #[allow(missing_docs)]
    pub fn open(&mut self, path: &str, flags: OpenFlags, mode: u32) -> Called<Handle> {
        self.call(|w, ctx| w.open(ctx, path, flags, mode)).map(Handle)
    }

    #[allow(missing_docs)]
    pub fn close(&mut self, file: Handle) {
        self.world.drop_open(file.0);
    }

    /// EAGAIN where the call would wait.
    pub fn read(&mut self, file: Handle, max: usize) -> Called<Vec<u8>> {
        match self.call(|w, ctx| w.read_open(ctx, file.0, max))? {
            ReadOutcome::Data(data) => Ok(data),
            ReadOutcome::Block => Err(Errno::EAGAIN),
        }
    }

    /// How many bytes were taken; EAGAIN where the call would wait.
    pub fn write(&mut self, file: Handle, bytes: &[u8]) -> Called<usize> {
        self.call(|w, ctx| w.write_open(ctx, file.0, bytes))?.ok_or(Errno::EAGAIN)
    }

    /// lseek(2) with `SEEK_SET`.
    pub fn seek(&mut self, file: Handle, to: u64) -> Called<()> {
        self.world.seek_open(file.0, to)
    }

    #[allow(missing_docs)]
    pub fn fstat(&mut self, file: Handle) -> Called<Stat> {
        self.call(|w, ctx| {
            let loc = w.open_file(file.0)?.loc.ok_or(Errno::EBADF)?;
            w.stat_of(ctx, loc)
        })
    }

    #[allow(missing_docs)]
    pub fn stat(&mut self, path: &str) -> Called<Stat> {
        self.call(|w, ctx| w.stat(ctx, path, true))
    }

    #[allow(missing_docs)]
    pub fn lstat(&mut self, path: &str) -> Called<Stat> {
        self.call(|w, ctx| w.stat(ctx, path, false))
    }

    /// All entries but `.` and `..`, sorted.
    pub fn read_dir(&mut self, path: &str) -> Called<Vec<DirEntry>> {
        self.call(|w, ctx| w.read_dir(ctx, path))
    }

    #[allow(missing_docs)]
    pub fn read_link(&mut self, path: &str) -> Called<String> {
        self.call(|w, ctx| w.read_link(ctx, path))
    }

    #[allow(missing_docs)]
    pub fn mkdir(&mut self, path: &str, mode: u32) -> Called<()> {
        self.call(|w, ctx| w.mkdir(ctx, path, mode))
    }

    #[allow(missing_docs)]
    pub fn rmdir(&mut self, path: &str) -> Called<()> {
        self.call(|w, ctx| w.rmdir(ctx, path))
    }

    #[allow(missing_docs)]
    pub fn unlink(&mut self, path: &str) -> Called<()> {
        self.call(|w, ctx| w.unlink(ctx, path))
    }

    #[allow(missing_docs)]
    pub fn rename(&mut self, from: &str, to: &str) -> Called<()> {
        self.call(|w, ctx| w.rename(ctx, from, to))
    }

    #[allow(missing_docs)]
    pub fn link(&mut self, from: &str, to: &str) -> Called<()> {
        self.call(|w, ctx| w.link(ctx, from, to))
    }

    #[allow(missing_docs)]
    pub fn symlink(&mut self, target: &str, path: &str) -> Called<()> {
        self.call(|w, ctx| w.symlink(ctx, target, path))
    }

    #[allow(missing_docs)]
    pub fn mknod(&mut self, path: &str, kind: FileType, mode: u32, device: (u32, u32)) -> Called<()> {
        self.call(|w, ctx| w.mknod(ctx, path, kind, mode, device))
    }

    #[allow(missing_docs)]
    pub fn chmod(&mut self, path: &str, mode: u32) -> Called<()> {
        self.call(|w, ctx| w.chmod(ctx, path, mode))
    }

    /// `u32::MAX` leaves an id as it is.
    pub fn chown(&mut self, path: &str, uid: u32, gid: u32, nofollow: bool) -> Called<()> {
        self.call(|w, ctx| w.chown(ctx, path, uid, gid, nofollow))
    }

    /// utimensat(2) of the time of change, seconds since 1970; `None` is now.
    pub fn set_times(&mut self, path: &str, mtime: Option<i64>) -> Called<()> {
        self.call(|w, ctx| w.set_times(ctx, path, mtime))
    }

    #[allow(missing_docs)]
    pub fn truncate(&mut self, path: &str, size: u64) -> Called<()> {
        self.call(|w, ctx| w.truncate(ctx, path, size))
    }

    /// lsetxattr(2).
    pub fn set_xattr(&mut self, path: &str, name: &str, value: &[u8]) -> Called<()> {
        self.call(|w, ctx| w.set_xattr(ctx, path, name, value))
    }

    /// lgetxattr(2).
    pub fn get_xattr(&mut self, path: &str, name: &str) -> Called<Vec<u8>> {
        self.call(|w, ctx| w.get_xattr(ctx, path, name))
    }

    /// lremovexattr(2).
    pub fn remove_xattr(&mut self, path: &str, name: &str) -> Called<()> {
        self.call(|w, ctx| w.remove_xattr(ctx, path, name))
    }

    /// llistxattr(2), sorted.
    pub fn list_xattrs(&mut self, path: &str) -> Called<Vec<String>> {
        self.call(|w, ctx| w.list_xattrs(ctx, path))
    }
}
