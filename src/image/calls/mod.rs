//! The system calls by which this room changes the host, with their true names
//! and arguments, for whoever watches. Unwatched, each costs one look at a flag
//! of its thread.
//!
//! Calls by path (a directory made, a blob renamed into place) are few, and each
//! is told. Calls beneath a descriptor and writes are as many as there are files:
//! they are told one by one, or counted by name, as the tape was made.

mod beneath;
mod path;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use beneath::{
    fchmod, fchmodat, fchown, fchownat, fsetxattr, ftruncate, linkat, mkdirat, mknodat, openat, pwrite_all,
    renameat_new, setxattr, symlinkat, unlinkat, utimensat, write_all,
};
pub use path::{
    Sync, Written, chmod, create, make_dirs, mkdir, rename, rename_new, rmdir, symlink, sync, temporary_dir,
    temporary_file, unlink, write_new,
};

use crate::kernel::Errno;
use crate::trace::{Call, Kind, Value};

/// Records what the threads that listen to it do.
#[derive(Clone, Debug, Default)]
pub struct Tape(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    each: bool,
    taped: Mutex<Taped>,
}

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taped {
    /// Calls, in order.
    pub calls: Vec<Call>,
    /// Calls that were only counted, by name.
    pub counted: BTreeMap<&'static str, u64>,
}

thread_local! {
    /// Somebody listens in this thread.
    static ON: Cell<bool> = const { Cell::new(false) };
    static NOW: RefCell<Tape> = const { RefCell::new(Tape(None)) };
}

impl Tape {
    /// A tape; one that is not to tell `each` call counts those that are many.
    pub fn new(each: bool) -> Self {
        Tape(Some(Arc::new(Shared { each, taped: Mutex::default() })))
    }

    /// The one that this thread listens to; one that records nothing, if none.
    pub fn here() -> Self {
        if ON.get() { NOW.with_borrow(Tape::clone) } else { Tape(None) }
    }

    /// An empty one of the same kind.
    pub fn another(&self) -> Self {
        self.0.as_ref().map_or(Tape(None), |shared| Tape::new(shared.each))
    }

    /// Records what this thread does meanwhile.
    pub fn listen<R>(&self, work: impl FnOnce() -> R) -> R {
        /// Also after a panic, the thread goes back to what it listened to before.
        struct Back(bool, Tape);
        impl Drop for Back {
            fn drop(&mut self) {
                ON.set(self.0);
                NOW.set(std::mem::take(&mut self.1));
            }
        }
        if self.0.is_none() && !ON.get() {
            return work();
        }
        let _back = Back(ON.replace(self.0.is_some()), NOW.replace(self.clone()));
        work()
    }

    /// What it has; it is then empty.
    pub fn take(&self) -> Taped {
        let Some(shared) = &self.0 else { return Taped::default() };
        std::mem::take(&mut *shared.taped.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, many: bool, name: &'static str, call: impl FnOnce() -> Call) {
        let Some(shared) = &self.0 else { return };
        // Not under the lock: a call's arguments take longer than its place.
        let call = (!many || shared.each).then(call);
        let mut taped = shared.taped.lock().unwrap_or_else(PoisonError::into_inner);
        match call {
            Some(call) => taped.calls.push(call),
            None => *taped.counted.entry(name).or_default() += 1,
        }
    }
}

/// Names and values of a call's arguments.
type Args = Vec<(&'static str, Value)>;

/// Makes a call; whether it is one of `many` decides how it is told.
#[inline]
fn change<T>(
    name: &'static str,
    many: bool,
    args: impl FnOnce() -> Args,
    result: impl FnOnce(&T) -> Value,
    make: impl FnOnce() -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    if !ON.get() {
        return make();
    }
    let start = Instant::now();
    let made = make();
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let call = || Call {
        name: name.to_owned(),
        args: args().into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
        result: made.as_ref().map_or(Value::Int(-1), result),
        errno: made.as_ref().err().map(|e| Errno::from(*e)),
        micros,
        changes: true,
    };
    NOW.with_borrow(|tape| tape.add(many, name, call));
    made
}

fn zero<T>(_: &T) -> Value {
    Value::Int(0)
}

fn fd(fd: impl AsFd) -> Value {
    match fd.as_fd().as_raw_fd() {
        libc::AT_FDCWD => Value::from("AT_FDCWD"),
        raw => Value::volatile(Kind::Fd, raw),
    }
}

fn made_fd(made: &std::os::fd::OwnedFd) -> Value {
    fd(made)
}

fn octal(mode: u32) -> Value {
    Value::Text(format!("0{mode:o}"))
}

fn bytes(text: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_listens_hears() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| mkdir(&place.path().join(name), 0o700).unwrap();
        make("unheard");
        let tape = Tape::new(true);
        tape.listen(|| {
            make("a");
            assert!(mkdir(&place.path().join("a"), 0o700).is_err());
            // Another thread does not listen by itself.
            std::thread::scope(|s| drop(s.spawn(|| make("b")).join()));
            let here = Tape::here();
            std::thread::scope(|s| drop(s.spawn(|| here.listen(|| make("c"))).join()));
        });
        make("unheard too");
        let calls = tape.take().calls;
        let said: Vec<_> = calls.iter().map(|c| (c.args[1].1.text(), c.errno)).collect();
        let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
        assert_eq!(said, [(path("a"), None), (path("a"), Some(Errno::EEXIST)), (path("c"), None)]);
        assert_eq!(tape.take(), Taped::default());
    }

    #[test]
    fn many_calls_are_counted_and_few_are_told() {
        let place = tempfile::tempdir().unwrap();
        let dir = std::fs::File::open(place.path()).unwrap();
        for (each, told, counted) in [(true, 3, 0), (false, 1, 2)] {
            let tape = Tape::new(each);
            tape.listen(|| {
                mkdirat(&dir, format!("x{each}").as_bytes(), 0o700).unwrap();
                mkdirat(&dir, format!("y{each}").as_bytes(), 0o700).unwrap();
                rmdir(&place.path().join(format!("x{each}"))).unwrap();
            });
            let taped = tape.take();
            assert_eq!(taped.calls.len(), told);
            assert_eq!(taped.counted.values().sum::<u64>(), counted);
        }
    }
}
