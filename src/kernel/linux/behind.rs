//! What is written on the terminal while the stepper's screen stands on it.
//!
//! The container's command has glassbox's standard streams. What it writes while the screen
//! stands would go to the alternate screen, and away with it. So standard output and error
//! become a pseudoterminal for that time, and a process at its other end passes on what
//! comes, or keeps it until the screen goes. That process also gives the terminal back when
//! glassbox is killed, which nobody else could.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::{Errno as Io, retry_on_intr};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pty::OpenptFlags;
use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use super::clone::Side;
use super::helper;
use super::recorder::Recorder;
use crate::kernel::{Errno, Failure};

/// As much is kept; after it who writes waits for the screen to go.
const KEPT: usize = 1 << 20;

/// What the process is told, and answers when it is done.
const KEEP: u8 = b'k';
const PASS_ON: u8 = b'p';

/// Glassbox's end of the channel to the process, -1 for none.
static CHANNEL: AtomicI32 = AtomicI32::new(-1);

/// In a copy of glassbox: it has no part in this. The process learns of glassbox's end by
/// the end of the channel, and should before glassbox's parent does, which writes then.
pub fn leave() {
    let channel = CHANNEL.swap(-1, Ordering::Relaxed);
    if channel >= 0 {
        // SAFETY: a number. Nobody uses the descriptor in a copy.
        unsafe { libc::close(channel) };
    }
}

/// Standard output and error while there is a screen. Dropped, they are as they were.
#[derive(Debug)]
pub struct Behind {
    /// What the streams were; `None` for one that is not the user's terminal.
    output: Option<OwnedFd>,
    error: Option<OwnedFd>,
    line: OwnedFd,
    process: OwnedFd,
}

impl Behind {
    /// Takes the streams that are the terminal of standard input. `back` takes the screen
    /// off the terminal when glassbox was killed.
    ///
    /// # Errors
    /// When there can be no further terminal or process.
    pub fn new(tty: BorrowedFd<'_>, back: &[u8]) -> Result<Behind, Failure> {
        let what = "keep what is written behind the stepper's screen";
        let fail = |e: Io| Failure::new(what, Some(Errno::from(e)));
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).map_err(fail)?;
        rustix::pty::unlockpt(&master).map_err(fail)?;
        let line = rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(fail)?;
        // What makes lines of it is the user's terminal, once.
        let mut raw = tcgetattr(&line).map_err(fail)?;
        raw.make_raw();
        tcsetattr(&line, OptionalActions::Now, &raw).map_err(fail)?;
        rustix::fs::fcntl_setfl(&master, OFlags::NONBLOCK).map_err(fail)?;
        let (process, told) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                .map_err(fail)?;
        let settings = tcgetattr(tty).map_err(fail)?;
        let kept = Vec::with_capacity(KEPT);
        if let Side::Init = helper::make(what, &mut Recorder::off())? {
            if helper::keep_only(&[master.as_fd(), told.as_fd(), tty]) {
                // SAFETY: the three that were just put there.
                let [master, told] = [0, 1].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
                // SAFETY: the same, and nobody else has it.
                let tty = unsafe { File::from_raw_fd(2) };
                Process { tty, master, told: Some(told), settings, back, kept, keeps: false }.run();
            }
            // SAFETY: ends the process at once: buffers and exit handlers are glassbox's.
            unsafe { libc::_exit(0) }
        }
        let taken = |stream: BorrowedFd<'_>| -> Result<Option<OwnedFd>, Io> {
            if !same_terminal(stream) {
                return Ok(None);
            }
            rustix::io::fcntl_dupfd_cloexec(stream, 3).map(Some)
        };
        let (output, error) = (taken(stdout()).map_err(fail)?, taken(stderr()).map_err(fail)?);
        CHANNEL.store(process.as_raw_fd(), Ordering::Relaxed);
        let behind = Behind { output, error, line, process };
        behind.take().map_err(fail)?;
        Ok(behind)
    }

    /// From now on what is written is kept.
    pub fn keep(&self) {
        self.tell(KEEP);
    }

    /// All that was written is on the terminal, and what comes goes there.
    pub fn pass_on(&self) {
        self.tell(PASS_ON);
    }

    /// With the streams as they were: a shell wants the user's own terminal.
    pub fn apart<T>(&self, work: impl FnOnce() -> T) -> T {
        self.pass_on();
        self.put_back();
        let result = work();
        // There is nothing to do about it: what is written now is not kept.
        let _ = self.take();
        result
    }

    fn take(&self) -> Result<(), Io> {
        if self.output.is_some() {
            dup2_stdout(&self.line)?;
        }
        if self.error.is_some() {
            dup2_stderr(&self.line)?;
        }
        Ok(())
    }

    fn put_back(&self) {
        if let Some(output) = &self.output {
            let _ = dup2_stdout(output);
        }
        if let Some(error) = &self.error {
            let _ = dup2_stderr(error);
        }
    }

    /// Waits until it is done. When the process has been killed, nothing comes.
    fn tell(&self, what: u8) {
        let sent =
            retry_on_intr(|| rustix::net::send(&self.process, &[what], rustix::net::SendFlags::NOSIGNAL));
        if sent.is_ok() {
            let _ = retry_on_intr(|| rustix::io::read(&self.process, &mut [0u8; 1]));
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        CHANNEL.store(-1, Ordering::Relaxed);
        self.put_back();
        self.pass_on();
    }
}

fn same_terminal(stream: BorrowedFd<'_>) -> bool {
    let which = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|s| s.st_rdev);
    rustix::termios::isatty(stream) && which(stream) == which(rustix::stdio::stdin())
}

/// The process at the other end. It is a copy of glassbox: nothing here may wait for a lock,
/// and so nothing allocates.
struct Process<'a> {
    tty: File,
    master: BorrowedFd<'a>,
    /// `None` when glassbox is gone.
    told: Option<BorrowedFd<'a>>,
    settings: Termios,
    back: &'a [u8],
    kept: Vec<u8>,
    keeps: bool,
}

impl Process<'_> {
    /// Until nobody has the other end, or the user's terminal is gone.
    fn run(mut self) {
        while self.once().is_ok() {}
    }

    fn once(&mut self) -> io::Result<()> {
        let wanted = if self.kept.len() < KEPT { PollFlags::IN } else { PollFlags::empty() };
        let told = self.told.unwrap_or(self.master);
        let mut fds =
            [PollFd::from_borrowed_fd(self.master, wanted), PollFd::from_borrowed_fd(told, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Io::INTR) => return Ok(()),
            Err(e) => return Err(e.into()),
            Ok(_) => {}
        }
        let [comes, says] = fds.map(|fd| !fd.revents().is_empty());
        if let Some(told) = self.told.filter(|_| says) {
            let mut word = [0u8; 1];
            match retry_on_intr(|| rustix::io::read(told, &mut word))? {
                0 => self.alone()?,
                _ => {
                    self.obey(word[0])?;
                    retry_on_intr(|| rustix::io::write(told, &word))?;
                }
            }
        } else if comes {
            self.drain()?;
        }
        Ok(())
    }

    fn obey(&mut self, word: u8) -> io::Result<()> {
        self.drain()?;
        self.keeps = word == KEEP;
        if !self.keeps {
            self.flush()?;
            self.drain()?;
            if let Ok(size) = tcgetwinsize(&self.tty) {
                let _ = tcsetwinsize(self.master, size);
            }
        }
        Ok(())
    }

    /// Glassbox is gone; what it left running may still write.
    fn alone(&mut self) -> io::Result<()> {
        self.told = None;
        if std::mem::take(&mut self.keeps) {
            self.tty.write_all(self.back)?;
            let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.settings);
        }
        self.flush()
    }

    /// Takes all that has been written. The end of the last writer is an error, EIO.
    fn drain(&mut self) -> io::Result<()> {
        let mut bytes = [0u8; 4096];
        loop {
            let room = bytes.len().min(KEPT - self.kept.len());
            if room == 0 {
                return Ok(());
            }
            match retry_on_intr(|| rustix::io::read(self.master, &mut bytes[..room])) {
                Ok(0) => return Err(Io::IO.into()),
                Ok(n) if self.keeps => self.kept.extend_from_slice(&bytes[..n]),
                Ok(n) => self.tty.write_all(&bytes[..n])?,
                Err(Io::AGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.tty.write_all(&self.kept);
        self.kept.clear();
        written
    }
}
