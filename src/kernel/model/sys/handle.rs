//! The handle itself: one call at a time, and how a call waits.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::super::Res;
use super::super::cred::Cap;
use super::super::process::{Ctx, Gpid, Image, Shared};
use super::super::vfs::OpenKind;
use super::super::world::World;
use crate::kernel::Errno;
use crate::userland::Invocation;

/// How many calls a process makes before it leaves the others a turn.
const QUANTUM: u64 = 256;

/// One process's view of the modelled kernel.
#[derive(Clone)]
pub struct ModelSys {
    shared: Rc<Shared>,
    pid: Gpid,
}

impl std::fmt::Debug for ModelSys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelSys").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl ModelSys {
    pub(crate) fn new(shared: Rc<Shared>, pid: Gpid) -> ModelSys {
        ModelSys { shared, pid }
    }

    pub(super) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    pub(super) fn pid(&self) -> Gpid {
        self.pid
    }

    /// One call. It takes a microsecond of virtual time.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut World, Gpid) -> Res<T>) -> Res<T> {
        let mut world = self.shared.world.borrow_mut();
        world.progress += 1;
        world.micros = world.micros.saturating_add(1);
        world.caller = self.pid;
        f(&mut world, self.pid)
    }

    /// A call that may change files, or that may be refused: it is told by name.
    pub(super) fn named<T>(&self, name: &'static str, f: impl FnOnce(&mut World, &Ctx) -> Res<T>) -> Res<T> {
        self.call(|w, ctx| {
            w.call = name;
            w.wanted.take();
            let result = f(w, ctx);
            w.call = "";
            if let Err(errno) = result {
                w.note_wanted(ctx.pid, name, errno);
            }
            result
        })
    }

    pub(super) fn call<T>(&self, f: impl FnOnce(&mut World, &Ctx) -> Res<T>) -> Res<T> {
        self.with(|w, pid| {
            let ctx = w.ctx(pid)?;
            f(w, &ctx)
        })
    }

    /// Before a call that can change what stands at these paths: its process may be
    /// held there. A link at the end of a path counts as what it leads to with `follow`.
    pub(super) async fn about_to(&self, call: &str, paths: &[&str], follow: bool) {
        if !self.shared.world.borrow_mut().question(self.pid, call, paths, follow) {
            return;
        }
        let mut asked = false;
        poll_fn(|_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Tries again at each turn until it neither blocks (`None`) nor is past its
    /// time limit. A process that a signal is about to end does not return.
    async fn block<T>(
        &self,
        limit_ms: Option<u64>,
        late: impl Fn() -> Res<T>,
        mut attempt: impl FnMut(&mut World, &Ctx) -> Res<Option<T>>,
    ) -> Res<T> {
        let mut until = None;
        let (mut turn, mut waited) = (false, false);
        poll_fn(|_| {
            let mut world = self.shared.world.borrow_mut();
            let w = &mut *world;
            let Ok(ctx) = w.ctx(self.pid) else { return Poll::Pending };
            if w.procs.get(&self.pid).is_none_or(|p| p.fatal.is_some()) {
                return Poll::Pending;
            }
            // Busy processes take turns.
            if !turn && w.progress.is_multiple_of(QUANTUM) {
                turn = true;
                w.progress += 1;
                return Poll::Pending;
            }
            w.caller = self.pid;
            let tried = attempt(w, &ctx);
            if !waited {
                // What came before this call was handled before it.
                interrupted(w, self.pid);
            }
            let result = match tried {
                // A caught signal interrupts what blocks, once.
                Ok(None) if waited && interrupted(w, self.pid) => Err(Errno::EINTR),
                Ok(None) => {
                    let at = *until.get_or_insert_with(|| {
                        limit_ms.map(|ms| w.micros.saturating_add(ms.saturating_mul(1000)))
                    });
                    if at.is_none_or(|at| w.micros < at) {
                        waited = true;
                        if let Some(p) = w.procs.get_mut(&self.pid) {
                            p.wake = at;
                        }
                        return Poll::Pending;
                    }
                    late()
                }
                Ok(Some(value)) => Ok(value),
                Err(e) => Err(e),
            };
            w.progress += 1;
            w.micros = w.micros.saturating_add(1);
            if let Some(p) = w.procs.get_mut(&self.pid) {
                p.wake = None;
            }
            Poll::Ready(result)
        })
        .await
    }

    pub(super) async fn wait_until<T>(
        &self,
        attempt: impl FnMut(&mut World, &Ctx) -> Res<Option<T>>,
    ) -> Res<T> {
        self.block(None, || Err(Errno::ETIMEDOUT), attempt).await
    }

    /// What a silent network does: the caller waits its time out.
    pub(super) async fn time_out(&self, limit_ms: u64) {
        let _ = self.block(Some(limit_ms), || Ok(()), |_, _| Ok(None)).await;
    }
}

/// Whether a caught signal came, and forgets it.
fn interrupted(w: &mut World, pid: Gpid) -> bool {
    w.procs.get_mut(&pid).is_some_and(|p| std::mem::take(&mut p.interrupted))
}

/// Opening the other end of a fifo releases both.
pub(super) fn fifo_ready(w: &mut World, fd: usize, opens: u64) -> Res<Option<()>> {
    let (pipe, reads) = match w.open_file(fd)?.kind {
        OpenKind::PipeRead(p) => (p, true),
        OpenKind::PipeWrite(p) => (p, false),
        _ => return Ok(Some(())),
    };
    let pipe = w.pipe_mut(pipe)?;
    let (there, opened) =
        if reads { (pipe.writers, pipe.writer_opens) } else { (pipe.readers, pipe.reader_opens) };
    Ok((there > 0 || opened > opens).then_some(()))
}

pub(super) fn other_opens(w: &mut World, open: usize) -> Option<u64> {
    let (pipe, reads) = match w.open_file(open).ok()?.kind {
        OpenKind::PipeRead(p) => (p, true),
        OpenKind::PipeWrite(p) => (p, false),
        _ => return None,
    };
    let pipe = w.pipe_mut(pipe).ok()?;
    Some(if reads { pipe.writer_opens } else { pipe.reader_opens })
}

impl World {
    pub(crate) fn may_admin_net(&self, ctx: &Ctx) -> Res<()> {
        if self.capable_over(ctx, ctx.ns.net, Cap::NET_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
    }
}

impl Shared {
    /// Puts a program into a process.
    pub(crate) fn start(self: &Rc<Self>, pid: Gpid, image: Image) {
        let sys = ModelSys::new(self.clone(), pid);
        let invocation = Invocation { argv: image.argv, env: image.env };
        let task = (self.program)(sys, invocation);
        self.started.borrow_mut().push((pid, task));
    }
}
