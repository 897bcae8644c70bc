//! The calls on this host's kernel: straight from a thread that has a mount
//! namespace and a working directory of its own, on a tmpfs that nobody else sees.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use glassbox::kernel::linux::mount_union;
use glassbox::kernel::{Errno, linux};
use glassbox::plan::op::OverlayStyle;
use glassbox::userland::{FileType, OpenFlags};
use nix::mount::{MntFlags, MsFlags};
use rustix::fs::{self as rfs, Gid, Mode, OFlags, Uid};
use rustix::thread;

use super::call::{Answer, Call, Machine, ROOT, SLOTS, Seen, User, mtime};

pub struct Real {
    /// The tmpfs.
    base: String,
    host_root: OwnedFd,
    style: OverlayStyle,
    open: [Option<OwnedFd>; SLOTS],
    user: User,
}

impl Real {
    /// Takes the calling thread out of its mount namespace, for good.
    pub fn new(base: &str) -> Real {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS | nix::sched::CloneFlags::CLONE_NEWNS)
            .expect("this test needs root");
        let none: Option<&str> = None;
        nix::mount::mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        tmpfs(base);
        let host_root = rfs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let style = linux::host::facts().unwrap().overlay;
        let mut real = Real { base: base.to_owned(), host_root, style, open: [None, None, None], user: ROOT };
        rustix::process::umask(Mode::from_raw_mode(0o022));
        real.chroot("");
        real
    }

    /// An empty machine again. A link in a layer may have led a call out of it, to
    /// the tmpfs itself: that is another one now.
    pub fn clear(&mut self) {
        self.to_host();
        nix::mount::umount2(self.base.as_str(), MntFlags::MNT_DETACH).unwrap();
        tmpfs(&self.base);
        self.chroot("");
    }

    fn to_host(&self) {
        rustix::process::fchdir(&self.host_root).unwrap();
        rustix::process::chroot(".").unwrap();
    }

    fn chroot(&mut self, below: &str) {
        self.to_host();
        rustix::process::chroot(format!("{}{below}", self.base)).unwrap();
        rustix::process::chdir("/").unwrap();
    }

    fn slot(&self, slot: usize) -> Result<&OwnedFd, Errno> {
        self.open[slot].as_ref().ok_or(Errno::EBADF)
    }

    fn must_not_open(&mut self, path: &str) -> bool {
        let user = self.user;
        self.act_as(ROOT);
        let mode = rfs::stat(path).map(|s| s.st_mode);
        self.act_as(user);
        mode.is_ok_and(|m| matches!(kind(m), FileType::Fifo | FileType::Block))
    }
}

fn tmpfs(at: &str) {
    nix::mount::mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
}

fn kind(mode: u32) -> FileType {
    match rfs::FileType::from_raw_mode(mode) {
        rfs::FileType::Directory => FileType::Dir,
        rfs::FileType::Symlink => FileType::Symlink,
        rfs::FileType::CharacterDevice => FileType::Char,
        rfs::FileType::BlockDevice => FileType::Block,
        rfs::FileType::Fifo => FileType::Fifo,
        rfs::FileType::Socket => FileType::Socket,
        _ => FileType::File,
    }
}

fn seen(stat: rfs::Stat) -> Answer {
    let kind = kind(stat.st_mode);
    Answer::Seen(Seen {
        kind,
        mode: stat.st_mode & 0o7777,
        nlink: stat.st_nlink,
        owner: (stat.st_uid, stat.st_gid),
        device: (rfs::major(stat.st_rdev), rfs::minor(stat.st_rdev)),
        size: (kind != FileType::Dir).then_some(stat.st_size as u64),
        mtime: mtime(stat.st_mtime),
    })
}

fn oflags(flags: OpenFlags) -> i32 {
    let mut all = match (flags.read, flags.write) {
        (true, true) => libc::O_RDWR,
        (false, true) => libc::O_WRONLY,
        _ => libc::O_RDONLY,
    };
    for (on, flag) in [
        (flags.append, libc::O_APPEND),
        (flags.create, libc::O_CREAT),
        (flags.exclusive, libc::O_EXCL),
        (flags.truncate, libc::O_TRUNC),
        (flags.directory, libc::O_DIRECTORY),
        (flags.nofollow, libc::O_NOFOLLOW),
    ] {
        all |= if on { flag } else { 0 };
    }
    all | libc::O_CLOEXEC | libc::O_NOCTTY
}

fn read_dir(path: &str) -> Result<Answer, Errno> {
    let dir = rfs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut entries = Vec::new();
    for entry in rfs::Dir::new(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            entries.push((name, kind(entry.file_type().as_raw_mode())));
        }
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Answer::Entries(entries))
}

fn list_xattrs(path: &str) -> Result<Answer, Errno> {
    let mut buffer = [0u8; 4096];
    let n = rfs::llistxattr(path, &mut buffer[..])?;
    let names = buffer[..n].split(|b| *b == 0).filter(|n| !n.is_empty());
    let mut names: Vec<String> = names.map(|n| String::from_utf8_lossy(n).into_owned()).collect();
    // Those of overlayfs itself, seen in the writable layer, and the host's own labels.
    names.retain(|n| n.starts_with("user.") || n == "trusted.overlay.opaque" || n == "trusted.x");
    names.sort();
    Ok(Answer::Names(names))
}

fn chown(path: &str, uid: u32, gid: u32, nofollow: bool) -> Result<(), Errno> {
    let uid = (uid != u32::MAX).then(|| Uid::from_raw(uid));
    let gid = (gid != u32::MAX).then(|| Gid::from_raw(gid));
    let flags = if nofollow { rfs::AtFlags::SYMLINK_NOFOLLOW } else { rfs::AtFlags::empty() };
    Ok(rfs::chownat(rfs::CWD, path, uid, gid, flags)?)
}

fn mknod(path: &str, kind: FileType, mode: u32, (major, minor): (u32, u32)) -> Result<(), Errno> {
    let kind = match kind {
        FileType::File => rfs::FileType::RegularFile,
        FileType::Fifo => rfs::FileType::Fifo,
        FileType::Socket => rfs::FileType::Socket,
        FileType::Char => rfs::FileType::CharacterDevice,
        FileType::Block => rfs::FileType::BlockDevice,
        FileType::Dir => rfs::FileType::Directory,
        FileType::Symlink => rfs::FileType::Symlink,
    };
    Ok(rfs::mknodat(rfs::CWD, path, kind, Mode::from_raw_mode(mode), rfs::makedev(major, minor))?)
}

fn set_times(path: &str, seconds: Option<i64>) -> Result<(), Errno> {
    let at = match seconds {
        Some(tv_sec) => rfs::Timespec { tv_sec, tv_nsec: 0 },
        None => rfs::Timespec { tv_sec: 0, tv_nsec: rfs::UTIME_NOW },
    };
    let times = rfs::Timestamps { last_access: at, last_modification: at };
    Ok(rfs::utimensat(rfs::CWD, path, &times, rfs::AtFlags::empty())?)
}

impl Machine for Real {
    fn act_as(&mut self, user: User) {
        let own = |result: rustix::io::Result<()>| result.unwrap();
        // Back to root first, for the right to change at all.
        let keep: Option<Uid> = None;
        own(thread::set_thread_res_uid(keep, Uid::ROOT, keep));
        let groups: Vec<Gid> = user.groups.iter().map(|g| Gid::from_raw(*g)).collect();
        own(thread::set_thread_groups(&groups));
        own(thread::set_thread_res_gid(None::<Gid>, Gid::from_raw(user.gid), None::<Gid>));
        own(thread::set_thread_res_uid(keep, Uid::from_raw(user.uid), keep));
        self.user = user;
    }

    fn call(&mut self, call: &Call) -> Result<Answer, Errno> {
        let done = |()| Answer::Done;
        let mode = |mode: &u32| Mode::from_raw_mode(*mode);
        match call {
            Call::Open { slot, path, flags, mode } => {
                self.open[*slot] = None;
                if self.must_not_open(path) {
                    return Ok(Answer::Skipped);
                }
                let path = std::ffi::CString::new(path.as_str()).map_err(|_| Errno::EINVAL)?;
                // SAFETY: the path ends with a zero byte; rustix would hide flags that do not fit together.
                let fd = unsafe { libc::open(path.as_ptr(), oflags(*flags), *mode) };
                if fd < 0 {
                    return Err(std::io::Error::last_os_error().into());
                }
                // SAFETY: it was just opened, and nobody else has it.
                self.open[*slot] = Some(unsafe { OwnedFd::from_raw_fd(fd) });
                Ok(Answer::Done)
            }
            Call::Close { slot } => {
                self.slot(*slot)?;
                self.open[*slot] = None;
                Ok(Answer::Done)
            }
            Call::Read { slot, max } => {
                let mut buffer = vec![0; *max];
                let n = rustix::io::read(self.slot(*slot)?, &mut buffer[..])?;
                buffer.truncate(n);
                Ok(Answer::Bytes(buffer))
            }
            Call::Write { slot, bytes } => {
                Ok(Answer::Number(rustix::io::write(self.slot(*slot)?, bytes)? as u64))
            }
            Call::Seek { slot, to } => {
                // SAFETY: lseek changes nothing but the file's own offset.
                let at = unsafe { libc::lseek(self.slot(*slot)?.as_raw_fd(), *to as i64, libc::SEEK_SET) };
                if at < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok(Answer::Done) }
            }
            Call::Fstat { slot } => Ok(seen(rfs::fstat(self.slot(*slot)?)?)),
            Call::Stat { path } => Ok(seen(rfs::stat(path)?)),
            Call::Lstat { path } => Ok(seen(rfs::lstat(path)?)),
            Call::ReadDir { path } => read_dir(path),
            Call::ReadLink { path } => {
                Ok(Answer::Text(rfs::readlink(path, Vec::new())?.to_string_lossy().into_owned()))
            }
            Call::Mkdir { path, mode: m } => Ok(done(rfs::mkdir(path, mode(m))?)),
            Call::Rmdir { path } => Ok(done(rfs::rmdir(path)?)),
            Call::Unlink { path } => Ok(done(rfs::unlink(path)?)),
            Call::Rename { from, to } => Ok(done(rfs::rename(from, to)?)),
            Call::Link { from, to } => Ok(done(rfs::link(from, to)?)),
            Call::Symlink { target, path } => Ok(done(rfs::symlink(target, path)?)),
            Call::Mknod { path, kind, mode, device } => mknod(path, *kind, *mode, *device).map(done),
            Call::Chmod { path, mode: m } => Ok(done(rfs::chmod(path, mode(m))?)),
            Call::Chown { path, uid, gid, nofollow } => chown(path, *uid, *gid, *nofollow).map(done),
            Call::SetTimes { path, mtime } => set_times(path, *mtime).map(done),
            Call::Truncate { path, size } => {
                let path = std::ffi::CString::new(path.as_str()).map_err(|_| Errno::EINVAL)?;
                // SAFETY: the path ends with a zero byte.
                match unsafe { libc::truncate(path.as_ptr(), *size as i64) } {
                    0 => Ok(Answer::Done),
                    _ => Err(std::io::Error::last_os_error().into()),
                }
            }
            Call::SetXattr { path, name, value } => {
                Ok(done(rfs::lsetxattr(path, name, value, rfs::XattrFlags::empty())?))
            }
            Call::GetXattr { path, name } => {
                let mut buffer = vec![0u8; 70_000];
                let n = rfs::lgetxattr(path, name, &mut buffer[..])?;
                Ok(Answer::Bytes(buffer[..n].to_vec()))
            }
            Call::RemoveXattr { path, name } => Ok(done(rfs::lremovexattr(path, name)?)),
            Call::ListXattrs { path } => list_xattrs(path),
            Call::Chdir { path } => Ok(done(rustix::process::chdir(path)?)),
            Call::Getcwd => {
                Ok(Answer::Text(rustix::process::getcwd(Vec::new())?.to_string_lossy().into_owned()))
            }
            Call::Umask { mask } => {
                Ok(Answer::Number(rustix::process::umask(mode(mask)).as_raw_mode().into()))
            }
        }
    }

    fn mount(&mut self, layers: usize) -> Result<(), Errno> {
        self.to_host();
        let at = |name: &str| format!("{}/{name}", self.base);
        let lower: Vec<String> = (1..=layers).rev().map(|n| at(&format!("l{n}"))).collect();
        let mounted = mount_union(&lower, &at("u"), &at("w"), &at("m"), self.style);
        self.chroot("");
        mounted.map_err(|f| panic!("{f}"))
    }

    fn enter(&mut self) {
        self.chroot("/m");
    }

    fn leave(&mut self) {
        self.open = [None, None, None];
        rustix::process::umask(Mode::from_raw_mode(0o022));
        self.chroot("");
    }

    fn umount(&mut self) {
        // Another test may have just forked, and its child still has what is open here.
        nix::mount::umount2("/m", MntFlags::MNT_DETACH).unwrap();
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // The thread's own umask and root go with it; its namespace takes the mounts along.
        self.to_host();
    }
}
