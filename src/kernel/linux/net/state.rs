//! What an actor keeps between its network steps: open sockets, the plan's
//! places, a lock, and ports held. Thread-local, because a network namespace
//! belongs to a thread. Init is a clone of the runtime, so it has a route
//! socket of its own: the runtime's speaks for the runtime's namespace.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::file;
use super::socket::{Family, Netlink};
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::{Errno, Failure};
use crate::plan::{Op, Plan};
use crate::trace::{Kind, Value};

/// Whose socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The runtime's, for links and routes.
    Host,
    /// The runtime's, for nftables.
    Rules,
    /// Init's, for links and routes.
    Init,
}

#[derive(Default)]
struct State {
    sockets: [Option<Netlink>; 3],
    place: Option<Rc<Place>>,
    table: Option<String>,
    lock: Option<Lock>,
    held: Vec<(String, OwnedFd)>,
    /// What this process marked.
    marks: Vec<String>,
}

/// A directory locked by a process. A clone of that process may hold the same
/// open file: so closing it is not enough to unlock it, and the clone must not.
struct Lock(OwnedFd, u32);

impl Drop for Lock {
    fn drop(&mut self) {
        if self.1 == std::process::id() {
            let _ = rustix::fs::flock(self.0.as_fd(), FlockOperation::Unlock);
        }
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Learns from the plan whose network it is and where its leases are. Undoing
/// what a whole network shares needs this; without it such an undo does nothing.
pub fn begin(plan: &Plan) {
    let leases = plan.steps.iter().find_map(|s| match &s.op {
        Op::AllocateAddress { leases, .. } => Some(PathBuf::from(leases)),
        _ => None,
    });
    let place = leases.map(|leases| Rc::new(Place { container: plan.container.clone(), leases }));
    let table = plan.steps.iter().find_map(|s| match &s.op {
        Op::CreateNat { table, .. } => Some(table.clone()),
        _ => None,
    });
    STATE.with_borrow_mut(|s| *s = State { place, table, ..State::default() });
}

/// Closes the sockets, lets go of the lock and of held ports.
pub fn end() {
    STATE.with_borrow_mut(|s| *s = State::default());
}

/// Uses a socket, opened if it is not open.
pub fn with<R>(
    who: Who,
    rec: &mut Recorder,
    work: impl FnOnce(&mut Netlink, &mut Recorder) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let mut socket = match STATE.with_borrow_mut(|s| s.sockets[who as usize].take()) {
        Some(socket) => socket,
        None => {
            let family = if who == Who::Rules { Family::Netfilter } else { Family::Route };
            Netlink::open(family, rec).map_err(|e| Failure::new("open a netlink socket", Some(e)))?
        }
    };
    let done = work(&mut socket, rec);
    STATE.with_borrow_mut(|s| s.sockets[who as usize] = Some(socket));
    done
}

/// Keeps a descriptor of a published port until the container's ports are let go.
pub fn hold(container: &str, fd: OwnedFd) {
    STATE.with_borrow_mut(|s| s.held.push((container.to_owned(), fd)));
}

/// Lets go of a container's held ports.
pub fn let_go(container: &str) {
    STATE.with_borrow_mut(|s| s.held.retain(|h| h.0 != container));
}

/// The place of the plan's network, if its plan allocates an address.
pub fn place() -> Option<Rc<Place>> {
    STATE.with_borrow(|s| s.place.clone())
}

/// The nftables table of the plan's network.
pub fn table() -> Option<String> {
    STATE.with_borrow(|s| s.table.clone())
}

/// Where a network's leases and marks are, and for which container we work.
///
/// A mark beside the leases says which container's run made something that the
/// network shares, and what was there before. It is written before the thing
/// is made, so that a killed run can be undone.
pub struct Place {
    container: String,
    leases: PathBuf,
}

impl Place {
    /// A place of its own, for a plan that is not at hand.
    pub fn new(container: &str, leases: &Path) -> Self {
        Place { container: container.to_owned(), leases: leases.to_owned() }
    }

    fn mark_file(&self, thing: &str) -> PathBuf {
        self.leases.with_file_name(format!("made.{}", thing.replace('/', ".")))
    }

    /// The lease directory.
    pub fn leases(&self) -> &Path {
        &self.leases
    }

    /// Says that this run is about to make the thing, which was `before`.
    pub fn mark(&self, rec: &mut Recorder, thing: &str, before: &str) -> Result<(), Failure> {
        let path = self.mark_file(thing);
        STATE.with_borrow_mut(|s| s.marks.push(thing.to_owned()));
        file::write(rec, &path, &self.container, &format!("{}\n{before}\n", self.container), 0o600)
            .map_err(|e| Failure::new(format!("write {}", path.display()), Some(e)))
    }

    /// What was there before this run made the thing; `None` if this run did not.
    pub fn marked(&self, thing: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.mark_file(thing)).ok()?;
        let mut lines = text.lines();
        (lines.next() == Some(&self.container)).then(|| lines.next().unwrap_or_default().to_owned())
    }

    /// Takes the mark away.
    pub fn unmark(&self, rec: &mut Recorder, thing: &str) -> Result<(), Failure> {
        let path = self.mark_file(thing);
        file::unlink(rec, &path).map_err(|e| Failure::new(format!("remove {}", path.display()), Some(e)))
    }

    /// Keeps others from taking back the network while this actor sets it up.
    /// Its lease does that afterwards: [`unlock`].
    pub fn lock_shared(&self, rec: &mut Recorder) -> Result<(), Failure> {
        self.lock(rec, FlockOperation::LockShared)
            .map_err(|e| Failure::new(format!("lock {}", self.leases.display()), Some(e)))
    }

    /// Whether nobody uses the network or is setting it up. The lock is then ours.
    pub fn unused(&self, rec: &mut Recorder) -> bool {
        let free = self.lock_alone(rec).is_ok()
            && std::fs::read_dir(&self.leases).map_or(true, |mut dir| dir.next().is_none());
        if !free {
            unlock();
        }
        free
    }

    /// Keeps everyone out, or fails at once.
    pub fn lock_alone(&self, rec: &mut Recorder) -> Result<(), Errno> {
        self.lock(rec, FlockOperation::NonBlockingLockExclusive)
    }

    fn lock(&self, rec: &mut Recorder, how: FlockOperation) -> Result<(), Errno> {
        let lock = match STATE.with_borrow_mut(|s| s.lock.take()) {
            Some(lock) => lock,
            None => {
                file::make_dirs(rec, &self.leases)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                Lock(rustix::fs::open(&self.leases, flags, Mode::empty())?, std::process::id())
            }
        };
        let name = match how {
            FlockOperation::LockShared => "LOCK_SH",
            _ => "LOCK_EX|LOCK_NB",
        };
        let args = || vec![("fd", Value::volatile(Kind::Fd, lock.0.as_raw_fd())), ("operation", name.into())];
        rec.read("flock", args, zero, || rustix::fs::flock(lock.0.as_fd(), how))?;
        STATE.with_borrow_mut(|s| s.lock = Some(lock));
        Ok(())
    }
}

/// The container lived: what its run made for the network stays from now on,
/// as it does for the runs that only used it.
pub fn settle(rec: &mut Recorder) -> Result<(), Failure> {
    let Some(place) = place() else { return Ok(()) };
    let marks = STATE.with_borrow_mut(|s| std::mem::take(&mut s.marks));
    marks.iter().try_for_each(|thing| place.unmark(rec, thing))
}

/// Lets go of the lock.
pub fn unlock() {
    STATE.with_borrow_mut(|s| s.lock = None);
}
