//! The full-screen stepper on a live run: it listens to the events, stands
//! before each step, and grants what the user wishes of kernel and terminal.

mod screen;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use screen::{Ended, Screen};

use super::context::Context;
use super::error::CliError;
use crate::engine::{Decision, Pauser};
use crate::kernel::linux::{enter, signals};
use crate::kernel::{Failure, Kernel, KernelName, Slots, Subject};
use crate::narrate::{Line, Narrator, plain};
use crate::plan::op::Slot;
use crate::plan::{Op, Step, StepId};
use crate::render::stepper::{App, Place, Run, Session, Wish};
use crate::trace::{Body, Event, EventSink, Life};

/// While a run goes on by itself, the screen follows it this often at most.
const FOLLOW: Duration = Duration::from_millis(50);

/// The stepper of one run: two listeners share it, one to events, one to pauses.
#[derive(Clone)]
pub struct Live(Rc<RefCell<Inner>>);

struct Inner {
    app: App,
    /// Opened before the first step, closed when the user leaves.
    screen: Option<Screen>,
    left: bool,
    /// The user quit at what happened in the container, which lives still.
    quit: bool,
    /// The container's command has the terminal.
    lent: bool,
    /// Events before the step that is being carried out.
    begun: usize,
    drawn: Instant,
    /// The signal that asked to stop.
    signal: Option<u8>,
}

/// Who can be asked during a pause.
type Asked<'k, 's> = Option<(&'k mut dyn Kernel, &'s Slots)>;

impl Live {
    /// A stepper that opens with the first step.
    pub fn new(context: &Context) -> Live {
        let app = App::new(Session::default(), Place::Before, Narrator::new(context.lang), context.color);
        Live(Rc::new(RefCell::new(Inner {
            app,
            screen: None,
            left: false,
            quit: false,
            lent: false,
            begun: 0,
            drawn: Instant::now(),
            signal: None,
        })))
    }

    /// The run is over and nothing of it is left to do: looking back is still
    /// possible, until the user leaves.
    pub fn end(&self) -> Result<(), CliError> {
        let result = self.0.borrow_mut().end();
        result.map_err(|e| CliError::new(format!("the stepper lost its terminal: {e}")))
    }
}

impl Inner {
    /// Waits for the user at this place. `false`: the run is to stop.
    fn wait(&mut self, place: Place, message: Option<Line>, mut asked: Asked<'_, '_>) -> io::Result<bool> {
        if self.left {
            return Ok(true);
        }
        self.app.arrive(place);
        if let Some(line) = message {
            self.app.notice(line);
        }
        self.look_at_cgroup(&mut asked);
        if self.screen.is_none() {
            self.screen = Some(Screen::open()?);
        }
        loop {
            let Some(screen) = &mut self.screen else { return Ok(true) };
            screen.hold_signals();
            screen.resume()?;
            match screen.ask(&mut self.app)? {
                Ended::Wish(Wish::Go) => {
                    self.begun = self.app.session.events().len();
                    return Ok(true);
                }
                Ended::Wish(Wish::Quit) => return Ok(self.leave(None)),
                Ended::Signal(signal) => return Ok(self.leave(Some(signal))),
                Ended::Wish(Wish::Inspect(subjects)) => self.inspect(&subjects, &mut asked),
                Ended::Wish(Wish::Shell { host }) => self.shell(host, &asked),
                Ended::Wish(Wish::Stay | Wish::Copy(_) | Wish::Plain(_) | Wish::Redraw) => {}
            }
        }
    }

    fn leave(&mut self, signal: Option<u8>) -> bool {
        self.left = true;
        self.signal = signal;
        self.screen = None;
        false
    }

    fn look_at_cgroup(&mut self, asked: &mut Asked<'_, '_>) {
        let there = !self.app.session.picture().cgroup.groups.is_empty();
        let facts = match asked {
            Some((kernel, slots)) if there => kernel.observe(Subject::Cgroup, slots),
            _ => Vec::new(),
        };
        self.app.used(&facts);
    }

    fn inspect(&mut self, subjects: &[Subject], asked: &mut Asked<'_, '_>) {
        let Some((kernel, slots)) = asked else { return self.say("stepper_no_kernel") };
        let facts = subjects.iter().map(|s| (*s, kernel.observe(*s, slots))).collect();
        self.app.facts(facts);
    }

    fn shell(&mut self, host: bool, asked: &Asked<'_, '_>) {
        let init = |slots: &Slots| slots.get(&Slot::InitPid).and_then(|v| v.text().parse().ok());
        let pid = match asked {
            Some((kernel, _)) if kernel.name() == KernelName::Model && !host => {
                return self.say("stepper_no_model_shell");
            }
            Some((_, slots)) if !host => init(slots),
            Some(_) => None,
            None if host => None,
            None => init(&self.app.session.picture().slots.clone()),
        };
        let result = match &mut self.screen {
            Some(screen) => screen.apart(|| enter::shell(pid)),
            None => enter::shell(pid),
        };
        // A Ctrl-C in the shell was meant for the shell.
        signals::forget_keyboard();
        if let Err(e) = result {
            let args = [("what", e.to_string().into())];
            let line = self.app.narrator().say("stepper_shell_failed", &args);
            self.app.notice(line);
        }
    }

    fn say(&mut self, message: &str) {
        let line = self.app.narrator().say(message, &[]);
        self.app.notice(line);
    }

    /// The command of the container begins to write: the terminal is its own.
    fn lend(&mut self) {
        if let Some(screen) = &mut self.screen {
            screen.suspend();
        }
        self.lent = true;
    }

    /// The command has ended. What it wrote stays readable until Enter is pressed.
    fn take_back(&mut self, slots: &Slots) -> io::Result<bool> {
        self.lent = false;
        let Some(screen) = &mut self.screen else { return Ok(true) };
        let status = slots.get(&Slot::ExitStatus).map_or_else(|| "none".to_owned(), |s| s.text());
        let text = self.app.narrator().say("stepper_wait_enter", &[("status", status.into())]);
        match screen.wait_for_enter(&plain(&text))? {
            Some(signal) => Ok(self.leave(Some(signal))),
            None => screen.resume().map(|()| true),
        }
    }

    fn before(&mut self, step: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> io::Result<bool> {
        let supervises = matches!(step.op, Op::Supervise { .. });
        // A terminal of its own carries nothing before it is supervised.
        let own_terminal = matches!(step.op, Op::Supervise { tty: true, .. });
        if self.lent && !supervises && !self.take_back(slots)? {
            return Ok(false);
        }
        if !self.lent && self.stops() && !self.wait(Place::Before, None, Some((kernel, slots)))? {
            return Ok(false);
        }
        self.begun = self.app.session.events().len();
        if (matches!(step.op, Op::Exec { .. }) && !self.own_terminal()) || own_terminal {
            self.lend();
        }
        Ok(true)
    }

    /// The plan gives the container a terminal of its own.
    fn own_terminal(&self) -> bool {
        let supervises = |s: &Step| matches!(s.op, Op::Supervise { tty: true, .. });
        self.app.session.plans().iter().any(|p| p.steps.iter().any(supervises))
    }

    /// The event that came last is one to stop at.
    fn stops(&self) -> bool {
        let last = self.app.session.events().len().checked_sub(1);
        !self.left && last.is_some_and(|at| self.app.session.stops(at))
    }

    fn after(&mut self, kernel: &mut dyn Kernel, slots: &Slots) -> io::Result<bool> {
        if self.left || self.lent || self.app.session.run != Run::Into {
            return Ok(true);
        }
        self.app.session.show(self.begun + 1);
        self.wait(Place::After, None, Some((kernel, slots)))
    }

    fn failed(&mut self, failure: &Failure, kernel: &mut dyn Kernel, slots: &Slots) -> io::Result<bool> {
        // It is the user who stopped, or a signal.
        let stopped = failure.status >= 128;
        self.lent = false;
        if stopped || !self.stops() {
            return Ok(true);
        }
        let line = self.app.narrator().say("stepper_failed_here", &[]);
        self.wait(Place::Failed, Some(line), Some((kernel, slots)))
    }

    /// Something happened in the container, or a process is held before it does.
    fn life(&mut self, place: Place, line: Line, asked: Asked<'_, '_>) -> io::Result<bool> {
        let lent = self.lent;
        let went_on = self.wait(place, Some(line), asked)?;
        if lent && went_on {
            self.lend();
        }
        Ok(went_on)
    }

    fn push(&mut self, event: &Event) -> io::Result<()> {
        self.app.session.push(event);
        if self.left {
            return Ok(());
        }
        if let Some(screen) = &self.screen {
            screen.hold_signals();
        }
        if let Body::Life { life } = &event.body
            && !matches!(life, Life::Held(_))
            && self.stops()
            && self.screen.is_some()
        {
            let line = self.app.narrator().say("stepper_life", &[]);
            self.quit = !self.life(Place::Life, line, None)?;
        }
        if let Some(screen) = &mut self.screen
            && self.drawn.elapsed() >= FOLLOW
        {
            screen.draw(&mut self.app)?;
            self.drawn = Instant::now();
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.left || self.screen.is_none() {
            return Ok(());
        }
        // No step has come after the command.
        if self.lent {
            self.app.session.show_present();
            let slots = self.app.session.picture().slots.clone();
            if !self.take_back(&slots)? {
                return Ok(());
            }
        }
        let rolled_back = self.app.session.picture().progress.rolling_back;
        let session = &mut self.app.session;
        let undoing = session.events().iter().position(|e| matches!(e.body, Body::Undoing { .. }));
        match undoing {
            // Who steps wants to see that, too.
            Some(at) if rolled_back && session.run != Run::Continue => session.show(at + 1),
            _ => session.show_present(),
        }
        let message = if rolled_back { "stepper_rolled_back" } else { "stepper_over" };
        let line = self.app.narrator().say(message, &[]);
        self.wait(Place::Over, Some(line), None)?;
        self.screen = None;
        Ok(())
    }

    fn decide(&mut self, answer: io::Result<bool>) -> Result<Decision, Failure> {
        match (answer, self.signal) {
            (Ok(true), _) => Ok(Decision::Go),
            (Ok(false), Some(signal)) => {
                Err(Failure::new("go on: interrupted by a signal", None).status(128 + signal))
            }
            (Ok(false), None) => Ok(Decision::Quit),
            // Nobody is there to ask: what was begun is not left half-built.
            (Err(e), _) => {
                self.leave(None);
                Err(Failure::new("use the terminal", Some(e.into())).status(129))
            }
        }
    }

    fn must_go(&mut self, answer: io::Result<bool>) -> Result<(), Failure> {
        match self.decide(answer)? {
            Decision::Go => Ok(()),
            Decision::Quit => Err(Failure::new("go on: you chose to quit", None).status(130)),
        }
    }
}

impl EventSink for Live {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.0.borrow_mut().push(event)
    }
}

impl Pauser for Live {
    fn before(&mut self, step: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> Result<Decision, Failure> {
        let mut inner = self.0.borrow_mut();
        let answer = inner.before(step, kernel, slots);
        inner.decide(answer)
    }

    fn wants(&mut self, life: &Life) -> bool {
        let inner = self.0.borrow();
        let breaks = &inner.app.session.breaks;
        !inner.left
            && matches!(life, Life::Held(_))
            && (breaks.waits_for("copy_up") || breaks.waits_for("held"))
    }

    fn goes_on(&mut self) -> Result<(), Failure> {
        let mut inner = self.0.borrow_mut();
        let answer = Ok(!inner.quit);
        inner.must_go(answer)
    }

    fn held(&mut self, life: &Life, kernel: &mut dyn Kernel, slots: &Slots) -> Result<(), Failure> {
        let Life::Held(change) = life else { return Ok(()) };
        let mut inner = self.0.borrow_mut();
        let line = inner.app.narrator().held(change);
        let answer = inner.life(Place::Held, line, Some((kernel, slots)));
        inner.must_go(answer)
    }

    fn after(&mut self, _: &Step, kernel: &mut dyn Kernel, slots: &Slots) -> Result<(), Failure> {
        let mut inner = self.0.borrow_mut();
        let answer = inner.after(kernel, slots);
        inner.must_go(answer)
    }

    fn failed(&mut self, _: &StepId, failure: &Failure, kernel: &mut dyn Kernel, slots: &Slots) {
        let mut inner = self.0.borrow_mut();
        // What was begun is taken back whatever the answer is.
        let _ = inner.failed(failure, kernel, slots);
    }
}

/// Steps through a recording.
pub fn replay(context: &Context, events: Vec<Event>) -> Result<(), CliError> {
    let lost = |e: io::Error| CliError::new(format!("the stepper lost its terminal: {e}"));
    let narrator = Narrator::new(context.lang);
    let mut app = App::new(Session::recorded(events), Place::Recording, narrator, context.color);
    let mut screen = Screen::open().map_err(lost)?;
    loop {
        match screen.ask(&mut app).map_err(lost)? {
            Ended::Wish(Wish::Quit) | Ended::Signal(_) => return Ok(()),
            Ended::Wish(_) => {}
        }
    }
}
