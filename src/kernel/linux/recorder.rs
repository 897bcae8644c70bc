//! Records system calls as they are made. Every call that changes something
//! goes through [`Recorder::call`], so that what is told and what was done
//! cannot differ. Off, it costs one branch.

use std::time::Instant;

use crate::kernel::Errno;
use crate::trace::{Call, Value};

/// Argument names and values of one call.
pub type Args = Vec<(&'static str, Value)>;

/// Collects the calls of one step, or nothing.
#[derive(Debug, Default)]
pub struct Recorder {
    calls: Option<Vec<Call>>,
}

impl Recorder {
    /// Records nothing.
    pub fn off() -> Self {
        Recorder { calls: None }
    }

    /// Records every call.
    pub fn on() -> Self {
        Recorder { calls: Some(Vec::new()) }
    }

    /// Whether calls are recorded.
    pub fn is_on(&self) -> bool {
        self.calls.is_some()
    }

    /// The calls so far; the recorder is then empty and still on or off.
    pub fn take(&mut self) -> Vec<Call> {
        self.calls.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Adds calls that init made and reported.
    pub fn add(&mut self, more: Vec<Call>) {
        if let Some(calls) = &mut self.calls {
            calls.extend(more);
        }
    }

    /// Makes a call that changes the state of the kernel or of a file system.
    /// `args` and `result` are evaluated only when recording.
    pub fn call<T, E: Into<Errno>>(
        &mut self,
        name: &'static str,
        args: impl FnOnce() -> Args,
        result: impl FnOnce(&T) -> Value,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Errno> {
        self.any(name, true, args, result, make)
    }

    /// Makes a call that only reads.
    pub fn read<T, E: Into<Errno>>(
        &mut self,
        name: &'static str,
        args: impl FnOnce() -> Args,
        result: impl FnOnce(&T) -> Value,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Errno> {
        self.any(name, false, args, result, make)
    }

    fn any<T, E: Into<Errno>>(
        &mut self,
        name: &'static str,
        changes: bool,
        args: impl FnOnce() -> Args,
        result: impl FnOnce(&T) -> Value,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Errno> {
        let Some(calls) = &mut self.calls else { return make().map_err(Into::into) };
        let start = Instant::now();
        let made = make().map_err(Into::into);
        let micros = start.elapsed().as_micros() as u64;
        calls.push(Call {
            name: name.to_owned(),
            args: args().into_iter().map(|(n, v)| (n.to_owned(), v)).collect(),
            result: match &made {
                Ok(value) => result(value),
                Err(_) => Value::Int(-1),
            },
            errno: made.as_ref().err().copied(),
            micros,
            changes,
        });
        made
    }
}

/// The result of a call that returns 0.
pub fn zero<T>(_: &T) -> Value {
    Value::Int(0)
}

impl From<nix::errno::Errno> for Errno {
    fn from(e: nix::errno::Errno) -> Self {
        Errno(e as i32)
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(e: rustix::io::Errno) -> Self {
        Errno(e.raw_os_error())
    }
}
