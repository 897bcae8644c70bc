//! The calls on the modelled kernel.

use glassbox::kernel::Errno;
use glassbox::kernel::model::{Handle, Session, World};
use glassbox::userland::{FileType, Stat};

use super::call::{Answer, Call, Machine, ROOT, SLOTS, Seen, User, mtime};

pub struct Model {
    session: Session,
    open: [Option<Handle>; SLOTS],
    user: User,
}

/// How this host protects directories like `/tmp`: the model is told to do the same.
pub fn settings() -> Vec<(String, String)> {
    let names = ["fifos", "hardlinks", "regular", "symlinks"].map(|n| format!("fs/protected_{n}"));
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).unwrap().trim().to_owned();
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

impl Model {
    pub fn new(settings: &[(String, String)]) -> Model {
        let mut session = Session::new(World::new()).unwrap();
        for (name, value) in settings {
            session.set_sysctl(name, value);
        }
        session.mkdir("/base", 0o755).unwrap();
        session.chroot("/base").unwrap();
        Model { session, open: [None; SLOTS], user: ROOT }
    }

    fn slot(&self, slot: usize) -> Result<Handle, Errno> {
        self.open[slot].ok_or(Errno::EBADF)
    }

    fn close(&mut self, slot: usize) -> Result<Answer, Errno> {
        let file = self.open[slot].take().ok_or(Errno::EBADF)?;
        self.session.close(file);
        Ok(Answer::Done)
    }

    /// Whether opening it would wait or reach a device.
    fn must_not_open(&mut self, path: &str) -> bool {
        let user = self.user;
        self.act_as(ROOT);
        let kind = self.session.stat(path).map(|s| s.kind);
        self.act_as(user);
        matches!(kind, Ok(FileType::Fifo | FileType::Block))
    }
}

fn seen(stat: Stat) -> Answer {
    Answer::Seen(Seen {
        kind: stat.kind,
        mode: stat.mode,
        nlink: stat.nlink,
        owner: (stat.uid, stat.gid),
        device: (stat.rdev_major, stat.rdev_minor),
        size: (stat.kind != FileType::Dir).then_some(stat.size),
        mtime: mtime(stat.mtime),
    })
}

impl Machine for Model {
    fn act_as(&mut self, user: User) {
        self.user = user;
        self.session.act_as(user.uid, user.gid, user.groups).unwrap();
    }

    fn call(&mut self, call: &Call) -> Result<Answer, Errno> {
        let done = |()| Answer::Done;
        match call {
            Call::Open { slot, path, flags, mode } => {
                let _ = self.close(*slot);
                if self.must_not_open(path) {
                    return Ok(Answer::Skipped);
                }
                self.open[*slot] = Some(self.session.open(path, *flags, *mode)?);
                Ok(Answer::Done)
            }
            Call::Close { slot } => self.close(*slot),
            Call::Read { slot, max } => self.session.read(self.slot(*slot)?, *max).map(Answer::Bytes),
            Call::Write { slot, bytes } => {
                self.session.write(self.slot(*slot)?, bytes).map(|n| Answer::Number(n as u64))
            }
            Call::Seek { slot, to } => self.session.seek(self.slot(*slot)?, *to).map(done),
            Call::Fstat { slot } => self.session.fstat(self.slot(*slot)?).map(seen),
            Call::Stat { path } => self.session.stat(path).map(seen),
            Call::Lstat { path } => self.session.lstat(path).map(seen),
            Call::ReadDir { path } => {
                let entries = self.session.read_dir(path)?;
                Ok(Answer::Entries(entries.into_iter().map(|e| (e.name, e.kind)).collect()))
            }
            Call::ReadLink { path } => self.session.read_link(path).map(Answer::Text),
            Call::Mkdir { path, mode } => self.session.mkdir(path, *mode).map(done),
            Call::Rmdir { path } => self.session.rmdir(path).map(done),
            Call::Unlink { path } => self.session.unlink(path).map(done),
            Call::Rename { from, to } => self.session.rename(from, to).map(done),
            Call::Link { from, to } => self.session.link(from, to).map(done),
            Call::Symlink { target, path } => self.session.symlink(target, path).map(done),
            Call::Mknod { path, kind, mode, device } => {
                self.session.mknod(path, *kind, *mode, *device).map(done)
            }
            Call::Chmod { path, mode } => self.session.chmod(path, *mode).map(done),
            Call::Chown { path, uid, gid, nofollow } => {
                self.session.chown(path, *uid, *gid, *nofollow).map(done)
            }
            Call::SetTimes { path, mtime } => self.session.set_times(path, *mtime).map(done),
            Call::Truncate { path, size } => self.session.truncate(path, *size).map(done),
            Call::SetXattr { path, name, value } => self.session.set_xattr(path, name, value).map(done),
            Call::GetXattr { path, name } => self.session.get_xattr(path, name).map(Answer::Bytes),
            Call::RemoveXattr { path, name } => self.session.remove_xattr(path, name).map(done),
            Call::ListXattrs { path } => self.session.list_xattrs(path).map(Answer::Names),
            Call::Chdir { path } => self.session.chdir(path).map(done),
            Call::Getcwd => self.session.getcwd().map(Answer::Text),
            Call::Umask { mask } => self.session.umask(*mask).map(|m| Answer::Number(m.into())),
        }
    }

    fn mount(&mut self, layers: usize) -> Result<(), Errno> {
        let lower: Vec<String> = (1..=layers).rev().map(|n| format!("/l{n}")).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        self.session.mount_overlay(&lower, "/u", "/w", "/m")
    }

    fn enter(&mut self) {
        self.session.chroot("/m").unwrap();
    }

    fn leave(&mut self) {
        (0..SLOTS).for_each(|slot| drop(self.close(slot)));
        self.session.umask(0o022).unwrap();
        self.session.leave_chroot().unwrap();
        self.session.chroot("/base").unwrap();
    }

    fn umount(&mut self) {
        self.session.umount("/m", false).unwrap();
    }
}
