//! The terminal while the stepper has it: raw, on the alternate screen, with the
//! mouse. On every way out it is as it was; a panic puts it back, too.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use crossterm::event::{self, DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::layout::{Position, Rect, Size};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::kernel::linux::behind::Behind;
use crate::kernel::linux::signals;
use crate::render::stepper::{App, Wish};

/// How long a wait for a key lasts before signals and the screen's size are looked at.
const TICK: Duration = Duration::from_millis(200);

/// Without time to wait crossterm does not look at the terminal at all.
const READ: Duration = Duration::from_millis(1);

/// Said when glassbox was killed while it had the terminal. The shell may have written
/// before, on the screen that is gone.
const KILLED: &[u8] = b"\r\nglassbox was killed; if it left anything, the next command undoes that\r\n";

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The user wants something.
    Wish(Wish),
    /// This signal asks the process to stop.
    Signal(u8),
}

/// The user's terminal.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Output>>,
    tty: File,
    behind: Behind,
    /// As it was drawn last.
    size: Size,
    active: bool,
    /// A stopping signal is looked for here; it must not end the process before
    /// the terminal is as it was.
    _held: signals::Held,
}

static ACTIVE: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

impl Screen {
    /// There is a terminal to open it on.
    pub fn available() -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|t| t.is_empty() || t == "dumb");
        !dumb && io::stdin().is_terminal() && io::stderr().is_terminal() && tty().is_ok()
    }

    /// Takes the terminal.
    pub fn open() -> io::Result<Screen> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if ACTIVE.load(Ordering::SeqCst) {
                    put_back();
                }
                before(info);
            }));
        });
        let held = signals::hold();
        let terminal = Terminal::new(CrosstermBackend::new(Output(tty()?)))?;
        let tty = tty()?;
        let mut back = Vec::new();
        execute!(back, DisableMouseCapture, LeaveAlternateScreen, cursor::Show)?;
        back.extend_from_slice(KILLED);
        let behind = Behind::new(tty.as_fd(), &back).map_err(io::Error::other)?;
        let mut screen = Screen { terminal, tty, behind, size: Size::default(), active: false, _held: held };
        screen.resume()?;
        Ok(screen)
    }

    /// Takes the terminal again.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.active {
            return Ok(());
        }
        self.behind.keep();
        self.active = true;
        ACTIVE.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        execute!(self.tty, EnterAlternateScreen, EnableMouseCapture, cursor::Hide)?;
        self.afresh()
    }

    /// Has the next drawing draw all of it. `Terminal::clear` would ask on standard output
    /// where the cursor is, which may be a file.
    fn afresh(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Gives the terminal back, as it was.
    pub fn suspend(&mut self) {
        if std::mem::take(&mut self.active) {
            put_back();
        }
        self.behind.pass_on();
    }

    /// Gives the terminal back and does this work with it.
    pub fn apart<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.suspend();
        self.behind.apart(work)
    }

    /// Holds stopping signals back, whoever let go of them meanwhile: the terminal
    /// has to be put back first.
    pub fn hold_signals(&self) {
        std::mem::forget(signals::hold());
    }

    /// Shows the stepper as it is now.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        if self.active {
            self.terminal.draw(|frame| app.draw(frame))?;
            self.size = self.terminal.size()?;
        }
        Ok(())
    }

    /// Shows the stepper and takes keys until one asks for something that it
    /// cannot do itself.
    pub fn ask(&mut self, app: &mut App) -> io::Result<Ended> {
        self.draw(app)?;
        loop {
            if let Some(signal) = signals::take() {
                return Ok(Ended::Signal(signal));
            }
            self.gone(Duration::ZERO)?;
            if event::poll(READ)? {
                match app.input(&event::read()?) {
                    Wish::Stay => {}
                    Wish::Redraw => self.afresh()?,
                    Wish::Copy(text) => self.copy(&text)?,
                    Wish::Plain(text) => {
                        let text = text.replace('\n', "\r\n");
                        let wait = app.narrator().word("stepper_wait_plain");
                        if let Some(signal) = self.wait_for_enter(&format!("{text}\r\n\r\n{wait}"))? {
                            return Ok(Ended::Signal(signal));
                        }
                        self.resume()?;
                    }
                    wish => return Ok(Ended::Wish(wish)),
                }
            } else {
                self.gone(TICK)?;
                // A signal for a new size may be held back by now: the size is looked at.
                if self.terminal.backend().size()? == self.size {
                    continue;
                }
            }
            self.draw(app)?;
        }
    }

    /// Waits for input. A terminal that has gone away is an error: crossterm would
    /// read its end for ever.
    fn gone(&self, wait: Duration) -> io::Result<()> {
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut fds = [PollFd::new(&self.tty, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&wait));
        if ready.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        Ok(())
    }

    /// Asks the terminal to put a text into the clipboard: OSC 52 of xterm.
    fn copy(&mut self, text: &str) -> io::Result<()> {
        let coded = base64::engine::general_purpose::STANDARD.encode(text);
        write!(self.tty, "\x1b]52;c;{coded}\x07")?;
        self.tty.flush()
    }

    /// Says something on the plain terminal and waits for Enter. Gives the signal
    /// that came instead.
    pub fn wait_for_enter(&mut self, text: &str) -> io::Result<Option<u8>> {
        self.suspend();
        write!(self.tty, "\r\n{text} ")?;
        self.tty.flush()?;
        let tick = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        loop {
            if let Some(signal) = signals::take() {
                return Ok(Some(signal));
            }
            let mut fds = [PollFd::new(&self.tty, PollFlags::IN)];
            if matches!(poll(&mut fds, Some(&tick)), Ok(1..)) {
                let mut typed = [0; 256];
                let n = rustix::io::read(&self.tty, &mut typed[..])?;
                if n == 0 || typed[..n].contains(&b'\n') {
                    return Ok(None);
                }
            }
        }
    }
}

/// The terminal's end for writing. That it has gone away is noticed where input is
/// waited for; here an error would be told on standard error, which has gone, too.
struct Output(File);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).or(Ok(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.suspend();
    }
}

fn tty() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// The terminal as it was. What cannot be put back cannot be said anywhere either.
fn put_back() {
    ACTIVE.store(false, Ordering::SeqCst);
    if let Ok(mut tty) = tty() {
        let _ = execute!(tty, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    }
    let _ = disable_raw_mode();
}
