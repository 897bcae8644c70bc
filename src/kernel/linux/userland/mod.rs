//! [`LinuxSys`]: the userland's system interface on the real kernel. Every
//! future is ready at once, because the call behind it blocks.

mod convert;
mod net;
mod options;
mod signals;

use std::ffi::CString;
use std::future::Future;
use std::net::Ipv4Addr;
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::os::unix::fs::{DirEntryExt, PermissionsExt};
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, makedev, mknod, umask, utimensat};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd;

use crate::kernel::Errno;
use crate::kernel::linux::net::query;
use crate::userland::{
    DirEntry, Exit, Fd, FileType, FsUse, LinkInfo, OpenFlags, Pid, RouteInfo, Stat, Sys, SysResult, Uname,
};

/// The exit status when a future that must be ready was not.
const NOT_READY: u8 = 70;

/// Polls a future of the userland once. `None`, a logic error, if it waits:
/// with [`LinuxSys`] none does.
pub fn block_on<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Runs a program of the userland in this process. `None` if there is none of
/// that name. The process must be single-threaded, because a shell forks.
pub fn run(invocation: crate::userland::Invocation) -> Option<u8> {
    match block_on(crate::userland::run(LinuxSys::new(), invocation)) {
        Some(status) => status,
        None => Some(not_ready()),
    }
}

fn not_ready() -> u8 {
    let message = b"box: logic error: a call on the real kernel did not finish\n";
    let _ = unistd::write(std::io::stderr(), message);
    NOT_READY
}

/// The real kernel, for one process.
#[derive(Clone, Debug)]
pub struct LinuxSys(());

impl LinuxSys {
    /// Restores the default action of SIGPIPE, which Rust's start-up ignores:
    /// `yes | head -1` must end.
    pub fn new() -> Self {
        signals::default_pipe();
        LinuxSys(())
    }
}

impl Default for LinuxSys {
    fn default() -> Self {
        LinuxSys::new()
    }
}

fn borrow(fd: Fd) -> SysResult<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: not -1; the number is used for one call at once, and a number
    // that is not open makes that call fail with EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn exit_of(status: WaitStatus) -> Option<(Pid, Exit)> {
    match status {
        WaitStatus::Exited(pid, code) => Some((pid.as_raw(), Exit::Code(code as u8))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid.as_raw(), Exit::Signal(signal as i32))),
        _ => None,
    }
}

fn text_of(bytes: &std::ffi::OsStr) -> String {
    bytes.to_string_lossy().into_owned()
}

fn c_strings(list: &[String]) -> SysResult<Vec<CString>> {
    list.iter().map(|s| CString::new(s.as_str()).map_err(|_| Errno::EINVAL)).collect()
}

impl Sys for LinuxSys {
    async fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> SysResult<Fd> {
        let mut o = match (flags.read, flags.write) {
            (true, true) => OFlag::O_RDWR,
            (false, true) => OFlag::O_WRONLY,
            _ => OFlag::O_RDONLY,
        };
        for (on, flag) in [
            (flags.append, OFlag::O_APPEND),
            (flags.create, OFlag::O_CREAT),
            (flags.exclusive, OFlag::O_EXCL),
            (flags.truncate, OFlag::O_TRUNC),
            (flags.directory, OFlag::O_DIRECTORY),
            (flags.nofollow, OFlag::O_NOFOLLOW),
        ] {
            o.set(flag, on);
        }
        Ok(open(path, o, Mode::from_bits_truncate(mode))?.into_raw_fd())
    }

    fn close(&self, fd: Fd) -> SysResult<()> {
        // SAFETY: closing a number; no Rust value owns descriptors of the userland.
        nix::errno::Errno::result(unsafe { libc::close(fd) })?;
        Ok(())
    }

    async fn read(&self, fd: Fd, max: usize) -> SysResult<Vec<u8>> {
        let mut buffer = vec![0; max];
        let length = unistd::read(borrow(fd)?, &mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    }

    async fn write(&self, fd: Fd, mut data: &[u8]) -> SysResult<()> {
        let fd = borrow(fd)?;
        while !data.is_empty() {
            match unistd::write(fd, data) {
                Ok(written) => data = &data[written..],
                Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn seek(&self, fd: Fd, to: u64) -> SysResult<()> {
        let to = i64::try_from(to).map_err(|_| Errno::EINVAL)?;
        unistd::lseek(borrow(fd)?, to, unistd::Whence::SeekSet)?;
        Ok(())
    }

    async fn truncate(&self, path: &str, size: u64) -> SysResult<()> {
        let size = i64::try_from(size).map_err(|_| Errno::EFBIG)?;
        Ok(unistd::truncate(path, size)?)
    }

    fn dup2(&self, from: Fd, to: Fd) -> SysResult<()> {
        // SAFETY: copies a number onto another; no Rust value owns either.
        nix::errno::Errno::result(unsafe { libc::dup2(from, to) })?;
        Ok(())
    }

    fn pipe(&self) -> SysResult<(Fd, Fd)> {
        let (read, write) = unistd::pipe()?;
        Ok((read.into_raw_fd(), write.into_raw_fd()))
    }

    fn isatty(&self, fd: Fd) -> bool {
        borrow(fd).is_ok_and(|fd| unistd::isatty(fd).unwrap_or(false))
    }

    fn stat(&self, path: &str) -> SysResult<Stat> {
        Ok(convert::stat_of(&std::fs::metadata(path)?))
    }

    fn lstat(&self, path: &str) -> SysResult<Stat> {
        Ok(convert::stat_of(&std::fs::symlink_metadata(path)?))
    }

    fn fstat(&self, fd: Fd) -> SysResult<Stat> {
        Ok(convert::stat_of_fd(&rustix::fs::fstat(borrow(fd)?)?))
    }

    fn executable(&self, path: &str) -> SysResult<()> {
        Ok(unistd::access(path, unistd::AccessFlags::X_OK)?)
    }

    fn read_dir(&self, path: &str) -> SysResult<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            entries.push(DirEntry {
                name: text_of(&entry.file_name()),
                kind: convert::kind_of(entry.file_type()?),
                ino: entry.ino(),
            });
        }
        Ok(entries)
    }

    fn read_link(&self, path: &str) -> SysResult<String> {
        Ok(text_of(std::fs::read_link(path)?.as_os_str()))
    }

    fn mkdir(&self, path: &str, mode: u32) -> SysResult<()> {
        Ok(unistd::mkdir(path, Mode::from_bits_truncate(mode))?)
    }

    async fn rmdir(&self, path: &str) -> SysResult<()> {
        Ok(std::fs::remove_dir(path)?)
    }

    async fn unlink(&self, path: &str) -> SysResult<()> {
        Ok(unistd::unlink(path)?)
    }

    async fn rename(&self, from: &str, to: &str) -> SysResult<()> {
        Ok(std::fs::rename(from, to)?)
    }

    async fn link(&self, from: &str, to: &str) -> SysResult<()> {
        Ok(std::fs::hard_link(from, to)?)
    }

    fn symlink(&self, target: &str, path: &str) -> SysResult<()> {
        Ok(std::os::unix::fs::symlink(target, path)?)
    }

    fn mknod(&self, path: &str, kind: FileType, mode: u32, major: u32, minor: u32) -> SysResult<()> {
        let kind = match kind {
            FileType::File => SFlag::S_IFREG,
            FileType::Char => SFlag::S_IFCHR,
            FileType::Block => SFlag::S_IFBLK,
            FileType::Fifo => SFlag::S_IFIFO,
            FileType::Socket => SFlag::S_IFSOCK,
            FileType::Dir | FileType::Symlink => return Err(Errno::EINVAL),
        };
        let device = makedev(u64::from(major), u64::from(minor));
        Ok(mknod(path, kind, Mode::from_bits_truncate(mode), device)?)
    }

    async fn chmod(&self, path: &str, mode: u32) -> SysResult<()> {
        Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
    }

    async fn chown(&self, path: &str, uid: u32, gid: u32, nofollow: bool) -> SysResult<()> {
        if nofollow {
            Ok(std::os::unix::fs::lchown(path, Some(uid), Some(gid))?)
        } else {
            Ok(std::os::unix::fs::chown(path, Some(uid), Some(gid))?)
        }
    }

    async fn set_times(&self, path: &str, mtime: Option<i64>) -> SysResult<()> {
        let time = mtime.map_or(TimeSpec::UTIME_NOW, |s| TimeSpec::new(s, 0));
        Ok(utimensat(AT_FDCWD, path, &time, &time, UtimensatFlags::FollowSymlink)?)
    }

    fn fs_use(&self, path: &str) -> SysResult<FsUse> {
        let s = rustix::fs::statvfs(path)?;
        Ok(FsUse { total: s.f_blocks * s.f_frsize, free: s.f_bfree * s.f_frsize })
    }

    fn fs_available(&self, path: &str) -> SysResult<u64> {
        let s = rustix::fs::statvfs(path)?;
        Ok(s.f_bavail * s.f_frsize)
    }

    fn getpid(&self) -> Pid {
        unistd::getpid().as_raw()
    }

    fn getppid(&self) -> Pid {
        unistd::getppid().as_raw()
    }

    fn chdir(&self, path: &str) -> SysResult<()> {
        Ok(unistd::chdir(path)?)
    }

    fn getcwd(&self) -> SysResult<String> {
        Ok(text_of(unistd::getcwd()?.as_os_str()))
    }

    fn umask(&self, mask: u32) -> u32 {
        umask(Mode::from_bits_truncate(mask)).bits()
    }

    fn fork<F, Fut>(&self, child: F) -> SysResult<Pid>
    where
        F: FnOnce(Self) -> Fut + 'static,
        Fut: Future<Output = u8> + 'static,
    {
        // SAFETY: a process of the userland has one thread, so the child may
        // use memory and locks as they are.
        match unsafe { unistd::fork() }? {
            unistd::ForkResult::Parent { child } => Ok(child.as_raw()),
            unistd::ForkResult::Child => {
                let status = block_on(child(self.clone())).unwrap_or_else(not_ready);
                // SAFETY: ends the child without the parent's exit handlers.
                unsafe { libc::_exit(i32::from(status)) }
            }
        }
    }

    async fn exec(&self, path: &str, argv: &[String], env: &[String]) -> Errno {
        let parts = (|| {
            let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
            Ok((path, c_strings(argv)?, c_strings(env)?))
        })();
        match parts {
            Ok((path, argv, env)) => match unistd::execve(&path, &argv, &env) {
                Ok(never) => match never {},
                Err(e) => e.into(),
            },
            Err(e) => e,
        }
    }

    async fn wait(&self, pid: Option<Pid>) -> SysResult<(Pid, Exit)> {
        let pid_of = pid.map(unistd::Pid::from_raw);
        if signals::catching() {
            return signals::until(|| Ok(exit_of(waitpid(pid_of, Some(WaitPidFlag::WNOHANG))?)));
        }
        loop {
            if let Some(done) = exit_of(waitpid(pid_of, None)?) {
                return Ok(done);
            }
        }
    }

    fn reap(&self) -> Option<(Pid, Exit)> {
        exit_of(waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()?)
    }

    fn kill(&self, pid: Pid, signal: i32) -> SysResult<()> {
        let signal = match signal {
            0 => None,
            n => Some(Signal::try_from(n)?),
        };
        Ok(kill(unistd::Pid::from_raw(pid), signal)?)
    }

    fn ignore_signal(&self, signal: i32, ignore: bool) -> SysResult<()> {
        signals::ignore(signal, ignore)
    }

    fn catch_signal(&self, signal: i32) -> SysResult<()> {
        signals::catch(signal)
    }

    fn caught_signals(&self) -> Vec<i32> {
        signals::take()
    }

    fn grow(&self, bytes: u64) -> SysResult<()> {
        let bytes = usize::try_from(bytes).map_err(|_| Errno::ENOMEM)?;
        let mut memory: Vec<u8> = Vec::new();
        memory.try_reserve_exact(bytes).map_err(|_| Errno::ENOMEM)?;
        // Not zero: a page of zeros would be given only when it is written.
        memory.resize(bytes, 1);
        std::hint::black_box(memory.leak());
        Ok(())
    }

    async fn sleep(&self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }

    fn now(&self) -> (i64, u32) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        (now.as_secs() as i64, now.subsec_nanos())
    }

    fn ids(&self) -> (u32, u32, u32, u32, Vec<u32>) {
        let groups = rustix::process::getgroups().unwrap_or_default();
        (
            unistd::getuid().as_raw(),
            unistd::geteuid().as_raw(),
            unistd::getgid().as_raw(),
            unistd::getegid().as_raw(),
            groups.into_iter().map(|g| g.as_raw()).collect(),
        )
    }

    fn hostname(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    fn set_hostname(&self, name: &str) -> SysResult<()> {
        Ok(unistd::sethostname(name)?)
    }

    fn uname(&self) -> Uname {
        let u = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        Uname {
            sysname: text(u.sysname()),
            nodename: text(u.nodename()),
            release: text(u.release()),
            version: text(u.version()),
            machine: text(u.machine()),
        }
    }

    fn mount(&self, source: &str, target: &str, fstype: &str, options: &str) -> SysResult<()> {
        let (flags, data) = options::mount_options(options);
        Ok(nix::mount::mount(
            Some(Path::new(source)),
            Path::new(target),
            (!fstype.is_empty()).then_some(fstype),
            flags,
            (!data.is_empty()).then_some(data.as_str()),
        )?)
    }

    fn umount(&self, target: &str) -> SysResult<()> {
        Ok(nix::mount::umount(target)?)
    }

    fn sync(&self) {
        unistd::sync();
    }

    fn links(&self) -> SysResult<Vec<LinkInfo>> {
        query::links()
    }

    fn routes(&self) -> SysResult<Vec<RouteInfo>> {
        query::routes()
    }

    fn set_link_up(&self, link: &str, up: bool) -> SysResult<()> {
        query::set_link_up(link, up)
    }

    fn add_address(&self, link: &str, address: Ipv4Addr, prefix: u8) -> SysResult<()> {
        query::add_address(link, address, prefix)
    }

    async fn ping(&self, to: Ipv4Addr, seq: u16, timeout_ms: u64) -> SysResult<u64> {
        net::ping(to, seq, Duration::from_millis(timeout_ms))
    }

    async fn tcp_connect(&self, to: Ipv4Addr, port: u16, timeout_ms: u64) -> SysResult<Fd> {
        net::connect(to, port, Duration::from_millis(timeout_ms.max(1)))
    }

    fn tcp_listen(&self, on: Ipv4Addr, port: u16) -> SysResult<Fd> {
        Ok(std::net::TcpListener::bind((on, port))?.into_raw_fd())
    }

    async fn tcp_accept(&self, fd: Fd) -> SysResult<(Fd, Ipv4Addr, u16)> {
        net::accept(borrow(fd)?)
    }

    fn shutdown_write(&self, fd: Fd) -> SysResult<()> {
        Ok(nix::sys::socket::shutdown(fd as RawFd, nix::sys::socket::Shutdown::Write)?)
    }

    async fn poll_readable(&self, fds: &[Fd]) -> SysResult<Vec<Fd>> {
        net::poll_readable(fds)
    }

    fn random(&self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        // The standard library seeds these keys from getrandom(2).
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_waits_is_reported() {
        assert_eq!(block_on(async { 3 }), Some(3));
        assert_eq!(block_on(std::future::pending::<()>()), None);
    }
}
