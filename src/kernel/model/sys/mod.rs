//! The modelled kernel's side of [`Sys`]: a handle to the world and a process
//! number. The world is borrowed for one call at a time and never across an
//! await, so that a borrow can never meet another.

mod handle;

use std::future::Future;
use std::net::Ipv4Addr;

use super::cred::Cap;
use super::net::Side;
use super::process::Signal;
use super::vfs::{OpenKind, Options, ReadOutcome};
use crate::kernel::Errno;
use crate::userland::{
    DirEntry, Exit, Fd, FileType, FsUse, LinkInfo, OpenFlags, Pid, RouteInfo, Stat, Sys, SysResult, Uname,
};
pub use handle::ModelSys;
use handle::{fifo_ready, other_opens};

/// How long an unanswered packet is waited for when the caller sets no limit.
const CONNECT_TIMEOUT_MS: u64 = 127_000;

impl Sys for ModelSys {
    async fn open(&self, path: &str, flags: OpenFlags, mode: u32) -> SysResult<Fd> {
        if (flags.write || flags.truncate) && !flags.exclusive {
            self.about_to("openat", &[path], true).await;
        }
        let both = flags.read && flags.write;
        let (fd, fifo) = self.named("openat", |w, ctx| {
            let open = w.open(ctx, path, flags, mode)?;
            let named = w.open_file(open)?.loc.is_some() && !both;
            let fifo = if named { other_opens(w, open) } else { None };
            let fd = w.add_fd(ctx.pid, open)?;
            Ok((fd, fifo.map(|opens| (open, opens))))
        })?;
        if let Some((open, opens)) = fifo {
            self.wait_until(|w, _| fifo_ready(w, open, opens)).await?;
        }
        Ok(fd)
    }

    fn close(&self, fd: Fd) -> SysResult<()> {
        self.with(|w, pid| w.close(pid, fd))
    }

    async fn read(&self, fd: Fd, max: usize) -> SysResult<Vec<u8>> {
        self.wait_until(|w, ctx| {
            let open = w.fd(ctx.pid, fd)?;
            Ok(match w.read_open(ctx, open, max)? {
                ReadOutcome::Data(data) => Some(data),
                ReadOutcome::Block => None,
            })
        })
        .await
    }

    async fn write(&self, fd: Fd, data: &[u8]) -> SysResult<()> {
        let mut done = 0;
        loop {
            let wrote = self
                .wait_until(|w, ctx| {
                    let open = w.fd(ctx.pid, fd)?;
                    w.write_open(ctx, open, &data[done..])
                })
                .await;
            match wrote {
                Ok(count) => done += count,
                Err(Errno::EPIPE) => {
                    self.with(|w, pid| {
                        // As if the kernel sent it, and process 1 is immune.
                        let own = w.ctx(pid)?;
                        w.send(pid, Signal::PIPE, Some(&own));
                        Ok(())
                    })?;
                    // A process that the signal ends stays here.
                    self.wait_until(|_, _| Ok(Some(()))).await?;
                    return Err(Errno::EPIPE);
                }
                Err(e) => return Err(e),
            }
            if done >= data.len() {
                return Ok(());
            }
        }
    }

    fn seek(&self, fd: Fd, to: u64) -> SysResult<()> {
        self.with(|w, pid| {
            let open = w.fd(pid, fd)?;
            w.seek_open(open, to)
        })
    }

    async fn truncate(&self, path: &str, size: u64) -> SysResult<()> {
        self.about_to("truncate", &[path], true).await;
        self.named("truncate", |w, ctx| w.truncate(ctx, path, size))
    }

    fn dup2(&self, from: Fd, to: Fd) -> SysResult<()> {
        self.with(|w, pid| w.dup2(pid, from, to))
    }

    fn pipe(&self) -> SysResult<(Fd, Fd)> {
        self.with(|w, pid| {
            let pipe = w.add_pipe();
            let read = w.add_open(OpenKind::PipeRead(pipe), None, OpenFlags::READ);
            let flags = OpenFlags { write: true, ..OpenFlags::default() };
            let write = w.add_open(OpenKind::PipeWrite(pipe), None, flags);
            let first = match w.add_fd(pid, read) {
                Ok(fd) => fd,
                Err(e) => {
                    w.drop_open(write);
                    return Err(e);
                }
            };
            match w.add_fd(pid, write) {
                Ok(second) => Ok((first, second)),
                Err(e) => {
                    w.close(pid, first)?;
                    Err(e)
                }
            }
        })
    }

    fn isatty(&self, fd: Fd) -> bool {
        self.with(|w, pid| {
            let open = w.fd(pid, fd)?;
            Ok(matches!(w.open_file(open)?.kind, OpenKind::Tty))
        })
        .unwrap_or(false)
    }

    fn stat(&self, path: &str) -> SysResult<Stat> {
        self.named("statx", |w, ctx| w.stat(ctx, path, true))
    }

    fn lstat(&self, path: &str) -> SysResult<Stat> {
        self.named("statx", |w, ctx| w.stat(ctx, path, false))
    }

    fn fstat(&self, fd: Fd) -> SysResult<Stat> {
        self.call(|w, ctx| {
            let open = w.fd(ctx.pid, fd)?;
            let file = w.open_file(open)?;
            match (file.loc, &file.kind) {
                (Some(loc), _) => w.stat_of(ctx, loc),
                (None, kind) => {
                    let kind = match kind {
                        OpenKind::Tty => FileType::Char,
                        OpenKind::Listener(_) | OpenKind::Conn(..) => FileType::Socket,
                        _ => FileType::Fifo,
                    };
                    let rdev = if kind == FileType::Char { (136, 0) } else { (0, 0) };
                    let attr = super::vfs::Attr {
                        kind,
                        mode: 0o620,
                        uid: ctx.cred.euid,
                        gid: ctx.cred.egid,
                        nlink: 1,
                        rdev,
                        size: 0,
                        blocks: 0,
                        mtime: w.now_secs(),
                    };
                    Ok(w.stat_from(ctx, 0, 10_000 + open as u64, &attr))
                }
            }
        })
    }

    fn executable(&self, path: &str) -> SysResult<()> {
        self.named("access", |w, ctx| {
            let loc = w.resolve(ctx, path, true)?;
            let attr = w.attr(loc.node)?;
            w.may(ctx, &attr, super::vfs::EXEC)
        })
    }

    fn read_dir(&self, path: &str) -> SysResult<Vec<DirEntry>> {
        self.named("openat", |w, ctx| w.read_dir(ctx, path))
    }

    fn read_link(&self, path: &str) -> SysResult<String> {
        self.named("readlink", |w, ctx| w.read_link(ctx, path))
    }

    fn mkdir(&self, path: &str, mode: u32) -> SysResult<()> {
        self.named("mkdir", |w, ctx| w.mkdir(ctx, path, mode))
    }

    async fn rmdir(&self, path: &str) -> SysResult<()> {
        self.about_to("rmdir", &[path], false).await;
        self.named("rmdir", |w, ctx| w.rmdir(ctx, path))
    }

    async fn unlink(&self, path: &str) -> SysResult<()> {
        self.about_to("unlink", &[path], false).await;
        self.named("unlink", |w, ctx| w.unlink(ctx, path))
    }

    async fn rename(&self, from: &str, to: &str) -> SysResult<()> {
        self.about_to("rename", &[from, to], false).await;
        self.named("rename", |w, ctx| w.rename(ctx, from, to))
    }

    async fn link(&self, from: &str, to: &str) -> SysResult<()> {
        // Its second path is none that stands.
        self.about_to("linkat", &[from], false).await;
        self.named("linkat", |w, ctx| w.link(ctx, from, to))
    }

    fn symlink(&self, target: &str, path: &str) -> SysResult<()> {
        self.named("symlink", |w, ctx| w.symlink(ctx, target, path))
    }

    fn mknod(&self, path: &str, kind: FileType, mode: u32, major: u32, minor: u32) -> SysResult<()> {
        self.named("mknodat", |w, ctx| w.mknod(ctx, path, kind, mode, (major, minor)))
    }

    async fn chmod(&self, path: &str, mode: u32) -> SysResult<()> {
        self.about_to("chmod", &[path], true).await;
        self.named("chmod", |w, ctx| w.chmod(ctx, path, mode))
    }

    async fn chown(&self, path: &str, uid: u32, gid: u32, nofollow: bool) -> SysResult<()> {
        let call = if nofollow { "lchown" } else { "chown" };
        self.about_to(call, &[path], !nofollow).await;
        self.named(call, |w, ctx| w.chown(ctx, path, uid, gid, nofollow))
    }

    async fn set_times(&self, path: &str, mtime: Option<i64>) -> SysResult<()> {
        self.about_to("utimensat", &[path], true).await;
        self.named("utimensat", |w, ctx| w.set_times(ctx, path, mtime))
    }

    fn fs_use(&self, path: &str) -> SysResult<FsUse> {
        self.named("statfs", |w, ctx| w.fs_use(ctx, path))
    }

    fn getpid(&self) -> Pid {
        self.call(|w, ctx| w.pid_in(ctx.pid, ctx.ns.pid).ok_or(Errno::ESRCH)).unwrap_or(0)
    }

    fn getppid(&self) -> Pid {
        self.call(|w, ctx| {
            let parent = w.process(ctx.pid)?.ppid;
            Ok(w.pid_in(parent, ctx.ns.pid).unwrap_or(0))
        })
        .unwrap_or(0)
    }

    fn chdir(&self, path: &str) -> SysResult<()> {
        self.named("chdir", |w, ctx| w.chdir(ctx.pid, path))
    }

    fn getcwd(&self) -> SysResult<String> {
        self.call(|w, ctx| w.get_cwd(ctx))
    }

    fn umask(&self, mask: u32) -> u32 {
        self.with(|w, pid| Ok(std::mem::replace(&mut w.process_mut(pid)?.umask, mask & 0o777)))
            .unwrap_or(0o022)
    }

    fn fork<F, Fut>(&self, child: F) -> SysResult<Pid>
    where
        F: FnOnce(Self) -> Fut + 'static,
        Fut: Future<Output = u8> + 'static,
    {
        let (gpid, pid) = self.call(|w, ctx| {
            let child = w.spawn(ctx.pid, &[], None)?;
            Ok((child, w.pid_in(child, ctx.ns.pid).unwrap_or(0)))
        })?;
        let sys = ModelSys::new(self.shared().clone(), gpid);
        // The closure runs in the child, at the child's first turn.
        let task = Box::pin(async move { child(sys).await });
        self.shared().started.borrow_mut().push((gpid, task));
        Ok(pid)
    }

    async fn exec(&self, path: &str, argv: &[String], env: &[String]) -> Errno {
        let image = self.named("execve", |w, ctx| {
            let image = w.find_image(ctx, path, argv, env)?;
            w.become_image(ctx.pid, &image)?;
            Ok(image)
        });
        let image = match image {
            Ok(image) => image,
            Err(e) => return e,
        };
        self.shared().start(self.pid(), image);
        // The scheduler lets this future go.
        std::future::pending().await
    }

    async fn wait(&self, pid: Option<Pid>) -> SysResult<(Pid, Exit)> {
        self.wait_until(|w, ctx| w.try_wait(ctx.pid, pid)).await
    }

    fn reap(&self) -> Option<(Pid, Exit)> {
        self.with(|w, pid| w.try_wait(pid, None)).ok().flatten()
    }

    fn kill(&self, pid: Pid, signal: i32) -> SysResult<()> {
        self.named("kill", |w, ctx| w.kill(ctx, pid, signal))
    }

    fn ignore_signal(&self, signal: i32, ignore: bool) -> SysResult<()> {
        if !(1..=64).contains(&signal) || matches!(signal, 9 | 19) {
            return Err(Errno::EINVAL);
        }
        self.with(|w, pid| {
            let p = w.process_mut(pid)?;
            let bit = Signal(signal).bit();
            p.ignored = if ignore { p.ignored | bit } else { p.ignored & !bit };
            p.caught &= !bit;
            Ok(())
        })
    }

    fn catch_signal(&self, signal: i32) -> SysResult<()> {
        if !(1..=64).contains(&signal) || matches!(signal, 9 | 19) {
            return Err(Errno::EINVAL);
        }
        self.with(|w, pid| {
            let p = w.process_mut(pid)?;
            p.caught |= Signal(signal).bit();
            p.ignored &= !Signal(signal).bit();
            Ok(())
        })
    }

    fn caught_signals(&self) -> Vec<i32> {
        let pending = self.with(|w, pid| Ok(std::mem::take(&mut w.process_mut(pid)?.pending))).unwrap_or(0);
        (1..=64).filter(|n| pending & Signal(*n).bit() != 0).collect()
    }

    fn grow(&self, bytes: u64) -> SysResult<()> {
        self.call(|w, ctx| {
            w.charge(ctx, bytes)?;
            let p = w.process_mut(ctx.pid)?;
            p.rss = p.rss.saturating_add(bytes);
            Ok(())
        })
    }

    async fn sleep(&self, millis: u64) {
        self.time_out(millis).await;
    }

    fn now(&self) -> (i64, u32) {
        let world = self.shared().world.borrow();
        (world.now_secs(), (world.micros % 1_000_000) as u32 * 1000)
    }

    fn ids(&self) -> (u32, u32, u32, u32, Vec<u32>) {
        self.call(|w, ctx| {
            let (c, ns) = (&ctx.cred, ctx.cred.user_ns);
            let groups = c.groups.iter().map(|g| w.ns.gid_in(ns, *g)).collect();
            let (uid, euid) = (w.ns.uid_in(ns, c.uid), w.ns.uid_in(ns, c.euid));
            Ok((uid, euid, w.ns.gid_in(ns, c.gid), w.ns.gid_in(ns, c.egid), groups))
        })
        .unwrap_or((65534, 65534, 65534, 65534, Vec::new()))
    }

    fn hostname(&self) -> String {
        self.call(|w, ctx| Ok(w.ns.hostname(ctx.ns.uts).to_owned())).unwrap_or_default()
    }

    fn set_hostname(&self, name: &str) -> SysResult<()> {
        self.named("sethostname", |w, ctx| w.set_hostname(ctx, name))
    }

    fn uname(&self) -> Uname {
        Uname {
            sysname: "Linux".to_owned(),
            nodename: self.hostname(),
            release: super::kernel::RELEASE.to_owned(),
            version: "#1 glassbox model".to_owned(),
            machine: "x86_64".to_owned(),
        }
    }

    fn mount(&self, source: &str, target: &str, fstype: &str, options: &str) -> SysResult<()> {
        let options = Options::parse(options.split(','));
        self.named("mount", |w, ctx| w.mount(ctx, source, target, fstype, &options))
    }

    fn umount(&self, target: &str) -> SysResult<()> {
        self.named("umount2", |w, ctx| w.umount(ctx, target, false))
    }

    fn links(&self) -> SysResult<Vec<LinkInfo>> {
        self.call(|w, ctx| Ok(w.net.link_infos(ctx.ns.net)))
    }

    fn routes(&self) -> SysResult<Vec<RouteInfo>> {
        self.call(|w, ctx| Ok(w.net.route_infos(ctx.ns.net)))
    }

    fn set_link_up(&self, link: &str, up: bool) -> SysResult<()> {
        self.call(|w, ctx| {
            w.may_admin_net(ctx)?;
            let id = w.net.find(ctx.ns.net, link).ok_or(Errno::ENODEV)?;
            w.net.set_up(id, up)
        })
    }

    fn add_address(&self, link: &str, address: Ipv4Addr, prefix: u8) -> SysResult<()> {
        self.call(|w, ctx| {
            w.may_admin_net(ctx)?;
            let id = w.net.find(ctx.ns.net, link).ok_or(Errno::ENODEV)?;
            w.net.add_address(id, address, prefix)
        })
    }

    async fn ping(&self, to: Ipv4Addr, _seq: u16, timeout_ms: u64) -> SysResult<u64> {
        let raw = self.named("socket", |w, ctx| {
            if w.capable_over(ctx, ctx.ns.net, Cap::NET_RAW) { Ok(()) } else { Err(Errno::EPERM) }
        });
        // Without a raw socket there is the datagram one, which the sysctl
        // ping_group_range opens to nobody.
        raw.map_err(|_| Errno::EACCES)?;
        let sent = self.call(|w, ctx| w.net.ping(ctx.ns.net, to));
        match sent {
            Ok(micros) => {
                self.with(|w, _| {
                    w.micros = w.micros.saturating_add(micros);
                    Ok(())
                })?;
                Ok(micros)
            }
            Err(e) => {
                if e == Errno::ETIMEDOUT {
                    self.time_out(timeout_ms).await;
                }
                Err(e)
            }
        }
    }

    async fn tcp_connect(&self, to: Ipv4Addr, port: u16, timeout_ms: u64) -> SysResult<Fd> {
        let result = self.call(|w, ctx| {
            let conn = w.net.connect(ctx.ns.net, to, port)?;
            let flags = OpenFlags { write: true, ..OpenFlags::READ };
            let open = w.add_open(OpenKind::Conn(conn, Side::Client), None, flags);
            w.add_fd(ctx.pid, open)
        });
        if result == Err(Errno::ETIMEDOUT) {
            let limit = if timeout_ms == 0 { CONNECT_TIMEOUT_MS } else { timeout_ms };
            self.time_out(limit.min(CONNECT_TIMEOUT_MS)).await;
        }
        result
    }

    fn tcp_listen(&self, on: Ipv4Addr, port: u16) -> SysResult<Fd> {
        self.named("bind", |w, ctx| {
            if port != 0 && port < 1024 && !w.capable_over(ctx, ctx.ns.net, Cap::NET_BIND_SERVICE) {
                return Err(Errno::EACCES);
            }
            let listener = w.net.listen(ctx.ns.net, on, port)?;
            let open = w.add_open(OpenKind::Listener(listener), None, OpenFlags::READ);
            w.add_fd(ctx.pid, open)
        })
    }

    async fn tcp_accept(&self, fd: Fd) -> SysResult<(Fd, Ipv4Addr, u16)> {
        self.wait_until(|w, ctx| {
            let open = w.fd(ctx.pid, fd)?;
            let OpenKind::Listener(listener) = w.open_file(open)?.kind else { return Err(Errno::EINVAL) };
            let Some((conn, from, port)) = w.net.accept(listener)? else { return Ok(None) };
            let flags = OpenFlags { write: true, ..OpenFlags::READ };
            let open = w.add_open(OpenKind::Conn(conn, Side::Server), None, flags);
            Ok(Some((w.add_fd(ctx.pid, open)?, from, port)))
        })
        .await
    }

    fn shutdown_write(&self, fd: Fd) -> SysResult<()> {
        self.with(|w, pid| {
            let open = w.fd(pid, fd)?;
            match w.open_file(open)?.kind {
                OpenKind::Conn(conn, side) => w.net.shutdown(conn, side),
                _ => Err(Errno::ENOTSOCK),
            }
        })
    }

    async fn poll_readable(&self, fds: &[Fd]) -> SysResult<Vec<Fd>> {
        self.wait_until(|w, ctx| {
            let mut ready = Vec::new();
            for fd in fds {
                let open = w.fd(ctx.pid, *fd)?;
                if w.readable(open)? {
                    ready.push(*fd);
                }
            }
            Ok((!ready.is_empty()).then_some(ready))
        })
        .await
    }

    fn random(&self) -> u64 {
        self.shared().world.borrow_mut().random()
    }
}
