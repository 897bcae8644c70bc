//! The container's terminal: opened by init in the container's own devpts, its
//! master handed to the runtime, which carries bytes and the window's size
//! between it and the user's terminal.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, Once};

use nix::mount::MsFlags;
use rustix::fs::OFlags;
use rustix::termios::{OptionalActions, Termios};

use super::beneath::{self, Missing, through};
use super::calls::{self, fail, fd_value};
use super::cx::Cx;
use super::mounts::open_file;
use super::recorder::{Recorder, zero};
use super::state::State;
use crate::kernel::{Errno, Failure};
use crate::trace::{Kind, Value};

/// Carries out `OpenTerminal`: leaves the master in `state.terminal`.
pub fn open(cx: &mut Cx<'_>, state: &mut State) -> Result<bool, Failure> {
    let rec = &mut *cx.rec;
    let master = open_file(state, rec, "/dev/pts/ptmx", OFlags::RDWR | OFlags::NOCTTY)
        .map_err(fail(|| "open /dev/pts/ptmx in the container".to_owned()))?;
    let unlock: libc::c_int = 0;
    ioctl(rec, &master, "TIOCSPTLCK", libc::TIOCSPTLCK, &raw const unlock as libc::c_ulong)
        .map_err(fail(|| "unlock the terminal".to_owned()))?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    let slave = rec
        .call(
            "ioctl",
            || {
                vec![
                    ("fd", fd_value(&master)),
                    ("op", Value::from("TIOCGPTPEER")),
                    ("arg", Value::from("O_RDWR|O_NOCTTY|O_CLOEXEC")),
                ]
            },
            calls::made_fd,
            || {
                // SAFETY: TIOCGPTPEER takes flags and returns a new descriptor.
                let fd = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
                nix::errno::Errno::result(fd)
                    // SAFETY: the kernel made it for us just now.
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
            },
        )
        .map_err(fail(|| "open the terminal's other end".to_owned()))?;
    rec.call("setsid", Vec::new, calls::pid_inside, rustix::process::setsid)
        .map_err(fail(|| "make a session".to_owned()))?;
    ioctl(rec, &slave, "TIOCSCTTY", u64::from(libc::TIOCSCTTY as u32), 0)
        .map_err(fail(|| "make the terminal the session's own".to_owned()))?;
    // The console of a container that runs is its first process's.
    if !state.joins {
        console(rec, state, &slave)?;
    }
    for stream in 0..3 {
        calls::dup_onto(rec, &slave, stream).map_err(fail(|| format!("set standard stream {stream}")))?;
    }
    state.terminal = Some(master);
    Ok(false)
}

/// `/dev/console` is the terminal too: programs for the first process of a
/// machine write there.
fn console(rec: &mut Recorder, state: &mut State, slave: &OwnedFd) -> Result<(), Failure> {
    let path = if state.pivoted { "/dev/console".to_owned() } else { format!("{}/dev/console", state.root) };
    let place = beneath::open(state, rec, &path, Missing::File)?;
    calls::mount(rec, Some(&through(slave)), &through(&place), None, MsFlags::MS_BIND, None)
        .map_err(fail(|| "bind the terminal to /dev/console".to_owned()))
}

fn ioctl(
    rec: &mut Recorder,
    fd: &OwnedFd,
    name: &'static str,
    op: libc::c_ulong,
    arg: libc::c_ulong,
) -> Result<(), Errno> {
    rec.call(
        "ioctl",
        || vec![("fd", fd_value(fd)), ("op", Value::from(name))],
        zero,
        || {
            // SAFETY: TIOCSPTLCK reads an int that lives in the caller,
            // TIOCSCTTY takes a number.
            nix::errno::Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), op, arg) }).map(drop)
        },
    )
}

/// How the user's terminal was. Where a panic aborts, nothing is dropped: the
/// panic hook puts it back then.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// The user's own terminal, raw while this lives: on every way out it is as it was.
#[derive(Debug)]
pub struct Raw;

impl Raw {
    /// Makes standard input raw. `None` when it is no terminal.
    pub fn enter() -> Option<Raw> {
        let input = rustix::stdio::stdin();
        let saved = rustix::termios::tcgetattr(input).ok()?;
        let mut raw = saved.clone();
        raw.make_raw();
        *SAVED.lock().ok()? = Some(saved);
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                before(info);
            }));
        });
        let entered = Raw;
        rustix::termios::tcsetattr(input, OptionalActions::Now, &raw).ok()?;
        Some(entered)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Ok(mut saved) = SAVED.try_lock()
        && let Some(saved) = saved.take()
    {
        let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &saved);
    }
}

/// Gives the container's terminal the size of the user's, if there is one.
pub fn copy_size(rec: &mut Recorder, master: &OwnedFd) {
    let outer: [BorrowedFd<'_>; 2] = [rustix::stdio::stdin(), rustix::stdio::stdout()];
    let Some(size) = outer.iter().find_map(|fd| rustix::termios::tcgetwinsize(fd).ok()) else { return };
    let shown = || {
        vec![
            ("fd", fd_value(master)),
            ("op", Value::from("TIOCSWINSZ")),
            ("arg", Value::volatile(Kind::Other, format!("{}x{}", size.ws_col, size.ws_row))),
        ]
    };
    let _ = rec.call("ioctl", shown, zero, || rustix::termios::tcsetwinsize(master.as_fd(), size));
}
