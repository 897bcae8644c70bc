//! The system interface that the userland's programs are written against.
//!
//! Each program is one `async fn` generic over [`Sys`]. On Linux every future is
//! ready at once, because the real call blocks. On the modelled kernel a future
//! that would block yields to the model's scheduler, and so does one that can change
//! a file: its process may be held there. Other calls are plain functions.

use std::future::Future;
use std::net::Ipv4Addr;

pub use crate::kernel::Errno;

/// Result of a system call.
pub type SysResult<T> = Result<T, Errno>;

/// A file descriptor.
pub type Fd = i32;
/// A process id, in the caller's pid namespace.
pub type Pid = i32;

/// How a file is opened, open(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OpenFlags {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub nofollow: bool,
}

impl OpenFlags {
    /// `O_RDONLY`.
    pub const READ: OpenFlags = OpenFlags {
        read: true,
        write: false,
        append: false,
        create: false,
        exclusive: false,
        truncate: false,
        directory: false,
        nofollow: false,
    };
    /// `O_WRONLY|O_CREAT|O_TRUNC`.
    pub const CREATE: OpenFlags =
        OpenFlags { read: false, write: true, create: true, truncate: true, ..Self::READ };
    /// `O_WRONLY|O_CREAT|O_APPEND`.
    pub const APPEND: OpenFlags =
        OpenFlags { read: false, write: true, create: true, append: true, ..Self::READ };
}

/// A file's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum FileType {
    File,
    Dir,
    Symlink,
    Char,
    Block,
    Fifo,
    Socket,
}

/// What stat(2) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub kind: FileType,
    /// Permission bits, with setuid, setgid and sticky: `0o7777` at most.
    pub mode: u32,
    pub nlink: u64,
    pub uid: u32,
    pub gid: u32,
    pub rdev_major: u32,
    pub rdev_minor: u32,
    pub size: u64,
    /// 512-byte blocks.
    pub blocks: u64,
    /// Seconds since 1970.
    pub mtime: i64,
}

/// A directory's entry, without `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DirEntry {
    pub name: String,
    pub kind: FileType,
    pub ino: u64,
}

/// What a waited-for child did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Exit {
    Code(u8),
    Signal(i32),
}

/// A network interface with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LinkInfo {
    pub index: u32,
    pub name: String,
    /// The peer's index for a veth end.
    pub peer: Option<u32>,
    /// `loopback`, `ether`.
    pub kind: String,
    pub mac: [u8; 6],
    pub mtu: u32,
    pub up: bool,
    pub running: bool,
    pub addresses: Vec<(Ipv4Addr, u8)>,
}

/// An IPv4 route.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RouteInfo {
    /// `None` is the default route.
    pub destination: Option<(Ipv4Addr, u8)>,
    pub gateway: Option<Ipv4Addr>,
    pub link: String,
    pub source: Option<Ipv4Addr>,
}

/// uname(2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Uname {
    pub sysname: String,
    pub nodename: String,
    pub release: String,
    pub version: String,
    pub machine: String,
}

/// A file system's use, statvfs(3), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FsUse {
    pub total: u64,
    pub free: u64,
}

/// The calls that the userland makes. Cheap to clone: a handle.
#[allow(missing_docs)]
pub trait Sys: Clone + 'static {
    // Files. Relative paths are relative to the working directory.
    fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> impl Future<Output = SysResult<Fd>>;
    fn close(&self, fd: Fd) -> SysResult<()>;
    /// At most `max` bytes; an empty vector is the end.
    fn read(&self, fd: Fd, max: usize) -> impl Future<Output = SysResult<Vec<u8>>>;
    /// All of it, however many calls that takes.
    fn write(&self, fd: Fd, data: &[u8]) -> impl Future<Output = SysResult<()>>;
    fn seek(&self, fd: Fd, to: u64) -> SysResult<()>;
    fn truncate(&self, path: &str, size: u64) -> impl Future<Output = SysResult<()>>;
    fn dup2(&self, from: Fd, to: Fd) -> SysResult<()>;
    /// (read end, write end), both close-on-exec off.
    fn pipe(&self) -> SysResult<(Fd, Fd)>;
    fn isatty(&self, fd: Fd) -> bool;
    fn stat(&self, path: &str) -> SysResult<Stat>;
    fn lstat(&self, path: &str) -> SysResult<Stat>;
    fn fstat(&self, fd: Fd) -> SysResult<Stat>;
    /// access(2) for executing.
    fn executable(&self, path: &str) -> SysResult<()>;
    fn read_dir(&self, path: &str) -> SysResult<Vec<DirEntry>>;
    fn read_link(&self, path: &str) -> SysResult<String>;
    fn mkdir(&self, path: &str, mode: u32) -> SysResult<()>;
    fn rmdir(&self, path: &str) -> impl Future<Output = SysResult<()>>;
    fn unlink(&self, path: &str) -> impl Future<Output = SysResult<()>>;
    fn rename(&self, from: &str, to: &str) -> impl Future<Output = SysResult<()>>;
    fn link(&self, from: &str, to: &str) -> impl Future<Output = SysResult<()>>;
    fn symlink(&self, target: &str, path: &str) -> SysResult<()>;
    fn mknod(&self, path: &str, kind: FileType, mode: u32, major: u32, minor: u32) -> SysResult<()>;
    fn chmod(&self, path: &str, mode: u32) -> impl Future<Output = SysResult<()>>;
    /// Does not follow a final symbolic link when `nofollow`.
    fn chown(&self, path: &str, uid: u32, gid: u32, nofollow: bool) -> impl Future<Output = SysResult<()>>;
    /// Seconds since 1970; `None` is now.
    fn set_times(&self, path: &str, mtime: Option<i64>) -> impl Future<Output = SysResult<()>>;
    fn fs_use(&self, path: &str) -> SysResult<FsUse>;
    /// Bytes that an ordinary user may still take: less than what is free where
    /// some is kept for root.
    fn fs_available(&self, path: &str) -> SysResult<u64> {
        Ok(self.fs_use(path)?.free)
    }

    // Processes.
    fn getpid(&self) -> Pid;
    fn getppid(&self) -> Pid;
    fn chdir(&self, path: &str) -> SysResult<()>;
    fn getcwd(&self) -> SysResult<String>;
    fn umask(&self, mask: u32) -> u32;
    /// A child with a copy of the descriptors runs `child` and exits with its result.
    fn fork<F, Fut>(&self, child: F) -> SysResult<Pid>
    where
        F: FnOnce(Self) -> Fut + 'static,
        Fut: Future<Output = u8> + 'static;
    /// Becomes another program; returns only on error. No search in PATH.
    fn exec(&self, path: &str, argv: &[String], env: &[String]) -> impl Future<Output = Errno>;
    /// Waits for a child (`None`: any).
    fn wait(&self, pid: Option<Pid>) -> impl Future<Output = SysResult<(Pid, Exit)>>;
    /// A child that has ended already, reaped; never waits.
    fn reap(&self) -> Option<(Pid, Exit)> {
        None
    }
    fn kill(&self, pid: Pid, signal: i32) -> SysResult<()>;
    /// The signal is ignored (`true`) or has its default action again.
    fn ignore_signal(&self, signal: i32, ignore: bool) -> SysResult<()>;
    /// From now on the signal interrupts blocking calls ([`Errno::EINTR`]) and is
    /// told by [`caught_signals`](Sys::caught_signals), until
    /// [`ignore_signal`](Sys::ignore_signal) or an exec. A kernel without it has no traps.
    fn catch_signal(&self, _signal: i32) -> SysResult<()> {
        Err(Errno::ENOSYS)
    }
    /// Caught signals since the last call, each once, ascending.
    fn caught_signals(&self) -> Vec<i32> {
        Vec::new()
    }
    /// Makes this process larger by so many bytes and touches them, so that its
    /// memory controller charges them; they stay until it exits.
    fn grow(&self, _bytes: u64) -> SysResult<()> {
        Err(Errno::ENOSYS)
    }
    fn sleep(&self, millis: u64) -> impl Future<Output = ()>;
    /// Seconds since 1970 and nanoseconds.
    fn now(&self) -> (i64, u32);

    // Identity.
    /// (real uid, effective uid, real gid, effective gid, groups).
    fn ids(&self) -> (u32, u32, u32, u32, Vec<u32>);
    fn hostname(&self) -> String;
    fn set_hostname(&self, name: &str) -> SysResult<()>;
    fn uname(&self) -> Uname;

    // Mounts. `options` as mount(8) writes them.
    fn mount(&self, source: &str, target: &str, fstype: &str, options: &str) -> SysResult<()>;
    fn umount(&self, target: &str) -> SysResult<()>;
    /// Writes everything to the disks. A kernel without disks has nothing to do.
    fn sync(&self) {}

    // Network.
    fn links(&self) -> SysResult<Vec<LinkInfo>>;
    fn routes(&self) -> SysResult<Vec<RouteInfo>>;
    fn set_link_up(&self, link: &str, up: bool) -> SysResult<()>;
    fn add_address(&self, link: &str, address: Ipv4Addr, prefix: u8) -> SysResult<()>;
    /// One echo request; the reply's time in microseconds.
    fn ping(&self, to: Ipv4Addr, seq: u16, timeout_ms: u64) -> impl Future<Output = SysResult<u64>>;
    fn tcp_connect(&self, to: Ipv4Addr, port: u16, timeout_ms: u64) -> impl Future<Output = SysResult<Fd>>;
    fn tcp_listen(&self, on: Ipv4Addr, port: u16) -> SysResult<Fd>;
    fn tcp_accept(&self, fd: Fd) -> impl Future<Output = SysResult<(Fd, Ipv4Addr, u16)>>;
    /// No more writing on a connection: the peer reads the end.
    fn shutdown_write(&self, fd: Fd) -> SysResult<()>;
    /// Waits until one of them can be read (or is at its end).
    fn poll_readable(&self, fds: &[Fd]) -> impl Future<Output = SysResult<Vec<Fd>>>;
    /// All names that `/etc/hosts` does not know are unknown.
    fn random(&self) -> u64;
}
