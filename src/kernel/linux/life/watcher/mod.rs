//! Puts the sources together, in the order in which things happened.

mod happened;

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use self::happened::told_of_oom;
use super::asked::{self, Seen};
use super::connector::Connector;
use super::fan::{Changed, Fan};
use super::guard::Guard;
use super::let_go;
use super::memory;
use super::notify::{Asked, Listener};
use super::oom::Oom;
use super::perf::Perf;
use super::processes::{self, Processes};
use super::upper::Layers;
use crate::kernel::ledger::{self, Ledger, Role, Standing};
use crate::kernel::linux::calls::fd_value;
use crate::kernel::linux::recorder::{Recorder, zero};
use crate::kernel::linux::seccomp::{self, names::Names, profile};
use crate::kernel::linux::{remnant, supervise};
use crate::kernel::suppliers::suppliers;
use crate::kernel::{Errno, Failure, OnLife, Watch};
use crate::plan::{Op, Plan};
use crate::trace::{Life, Refusal, Supplier};

/// Between two looks at what nobody waits for: each wakes this process, and takes a
/// processor from those that are watched. A person sees no difference.
const REST: Duration = Duration::from_millis(100);

/// Arguments of a program that are told.
const ARGUMENTS: usize = 32;

/// What of the plan is needed to watch its container.
#[derive(Debug, Default)]
pub struct Watched {
    upper: String,
    below: Vec<(PathBuf, Supplier)>,
    oom: Option<Oom>,
    shared: bool,
    sources: Option<Sources>,
}

/// Where a watcher has its knowledge from. Where the second or the third is not to be
/// had the rest is told all the same, and the summary says what was not seen.
#[derive(Debug)]
struct Sources {
    layers: Layers,
    fan: Option<Fan>,
    connector: Option<Connector>,
}

impl Watched {
    /// Reads it from the plan.
    pub fn of(plan: &Plan) -> Self {
        let mut watched = Watched { oom: Oom::of(plan), ..Watched::default() };
        for step in &plan.steps {
            if let Op::MountOverlay { upper, .. } = &step.op {
                watched.upper.clone_from(upper);
            }
        }
        let below = suppliers(plan).into_iter();
        watched.below = below.map(|(dir, supplier)| (PathBuf::from(dir), supplier)).collect();
        watched
    }

    /// The same for a process that joins the container which this plan has made.
    pub fn joining(plan: &Plan) -> Self {
        let watched = Watched::of(plan);
        Watched { oom: watched.oom.map(Oom::since_now), shared: true, ..watched }
    }

    /// Whether there is a container to watch.
    pub fn is_wanted(&self) -> bool {
        !self.upper.is_empty() && self.sources.is_none()
    }

    /// Opens what tells of it. What it hears before there is a watcher is dropped.
    pub fn prepare(&mut self) -> Result<(), Failure> {
        if self.sources.is_none() {
            let layers = Layers::open(&self.upper, std::mem::take(&mut self.below))?;
            let fan = Fan::new(layers.upper()).ok();
            self.sources = Some(Sources { layers, fan, connector: Connector::new().ok() });
        }
        Ok(())
    }
}

/// Watches one container.
#[derive(Debug)]
pub struct Watcher {
    listener: Option<Listener>,
    names: Names,
    layers: Layers,
    fan: Option<Fan>,
    connector: Option<Connector>,
    perf: Option<Perf>,
    processes: Processes,
    ledger: Ledger,
    oom: Option<Oom>,
    /// Others live in the container and change its layer.
    shared: bool,
    /// Answers when this one is gone.
    guard: Option<Guard>,
    /// The last call that each thread asked about.
    last: HashMap<i32, Seen>,
    /// It is said that the container's command runs.
    started: bool,
    /// Init was let become the command.
    replaced: bool,
    /// What happens without a question is looked at again only then.
    rest: Option<Instant>,
    /// The command's first call, made before it was known that it runs.
    early: Option<Asked>,
    /// Questions that were answered with no more than a note of what had happened.
    noted: Vec<Noted>,
    /// A call that takes a name away was let go on, and what it did is not told yet.
    takes_away: bool,
    /// Half of a move: the directory that went.
    leaves: Option<Changed>,
}

/// A question, and how much was noted when it came.
#[derive(Debug)]
struct Noted {
    upto: usize,
    tid: i32,
    seen: Seen,
}

impl Watcher {
    /// Begins to watch, while init waits in the step that loaded the filter.
    pub fn new(
        listener: OwnedFd,
        init: i32,
        mut watched: Watched,
        watch: Watch,
        unattended: bool,
        rec: &mut Recorder,
    ) -> Result<Self, Failure> {
        watched.prepare()?;
        let Some(Sources { mut layers, fan, connector }) = watched.sources else {
            return Err(Failure::new("watch the container", None));
        };
        let connector = connector.or_else(|| from_elsewhere(rec));
        if let Some(fan) = &fan {
            fan.drop_all();
        }
        let mut ledger = Ledger::new(watch);
        ledger.before(layers.all());
        let mut listener = Listener::new(listener);
        let mut names = Names::new(seccomp::machine()?);
        let shared = watched.shared;
        let guard = shared.then(|| Guard::set(&mut listener, &mut names, rec)).transpose()?;
        Ok(Watcher {
            listener: Some(listener),
            names,
            layers,
            fan,
            connector,
            // The kernel takes a tenth of a second to let go of tracepoints: much for
            // a run that nobody looks at.
            perf: if unattended { None } else { Perf::new(init, !shared) },
            processes: Processes::new(init),
            ledger,
            oom: watched.oom,
            shared,
            guard,
            last: HashMap::new(),
            started: false,
            replaced: false,
            rest: None,
            early: None,
            noted: Vec::new(),
            takes_away: false,
            leaves: None,
        })
    }

    /// The descriptors to wait for, besides the caller's.
    pub fn fds<'f>(&'f self, fds: &mut Vec<PollFd<'f>>) {
        let watch = |fd: &'f OwnedFd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN);
        // Another question may not be taken before the first is answered.
        let listener = self.listener.as_ref().filter(|_| self.early.is_none());
        fds.extend(listener.map(|l| watch(l.fd())));
        // What lies there before the command runs is not read yet: a wait for it would end at once.
        if self.started && self.has_rested() {
            fds.extend(self.fan.as_ref().map(|f| watch(f.fd())));
            fds.extend(self.connector.as_ref().map(|c| watch(c.fd())));
            fds.extend(self.perf.iter().flat_map(Perf::fds).map(watch));
        }
    }

    fn has_rested(&self) -> bool {
        self.rest.is_none_or(|at| at <= Instant::now())
    }

    /// How long to wait at most.
    pub fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        let rest = self.rest.filter(|at| *at > now);
        let due = self.processes.due().into_iter().chain(rest).min();
        due.map(|at| at.saturating_duration_since(now))
    }

    /// Takes what has happened, if it is time for it, and answers one who asks. Returns what the
    /// stepper is to be shown, with the question that waits meanwhile.
    pub fn serve(&mut self, hear: OnLife<'_>) -> Result<Option<(Life, Asked)>, Failure> {
        if self.started && self.has_rested() {
            self.happened(hear);
        }
        self.processes.look(&mut |life| self.ledger.fold.tell(life, hear));
        if (self.early.is_some() || self.is_asked())
            && let Some(listener) = &self.listener
        {
            let asked = self.early.take().map_or_else(|| listener.receive(), |asked| Ok(Some(asked)));
            let asked = asked.map_err(|e| Failure::new("hear which call the container makes", Some(e)))?;
            let Some(asked) = asked else { return Ok(None) };
            if !self.started && !self.by_init(&asked) {
                self.early = Some(asked);
                return Ok(None);
            }
            // Whoever was answered runs when this process waits again: at once.
            return Ok(self.asked(asked, hear).map(|held| (held, asked)));
        }
        Ok(None)
    }

    /// Whether init itself makes this call: to become the command, or to exit when
    /// it cannot go on. Where it could not become the command it has said so, and
    /// its exit waits with no harm.
    fn by_init(&mut self, asked: &Asked) -> bool {
        match self.names.get(asked.arch, asked.number) {
            Some("execve") => !std::mem::replace(&mut self.replaced, true),
            Some("exit_group") => !self.replaced,
            _ => false,
        }
    }

    fn is_asked(&mut self) -> bool {
        let Some(listener) = &self.listener else { return false };
        let mut fds = [PollFd::from_borrowed_fd(listener.fd().as_fd(), PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        if !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1..)) {
            return false;
        }
        let got = fds[0].revents();
        if !got.contains(PollFlags::IN) {
            // Nobody is left who could ask.
            self.listener = None;
            return false;
        }
        true
    }

    /// Lets a held process go on.
    pub fn go_on(&mut self, asked: &Asked) {
        if let Some(listener) = &self.listener {
            listener.go_on(asked);
        }
    }

    fn asked(&mut self, asked: Asked, hear: OnLife<'_>) -> Option<Life> {
        let name = self.names.get(asked.arch, asked.number);
        let seen = name.and_then(|name| asked::read(&asked, name));
        if let Some(seen) = seen.as_ref().filter(|seen| self.may_be_noted(&asked, seen, hear)) {
            self.note(&asked, seen);
            return None;
        }
        if self.started && !hear.holds() && name == Some("exit_group") {
            let all = self.gather();
            // Its numbers can be read only while it is there.
            self.processes.asking(asked.tid);
            if let Some(listener) = &self.listener {
                listener.go_on_beside(&asked);
            }
            self.tell(all, hear);
            return None;
        }
        // What others did before this call was made is told before it.
        if self.started {
            self.happened(hear);
        }
        let Some(seen) = seen else {
            self.refuse(&asked, name, hear);
            return None;
        };
        let pid = self.processes.asking(asked.tid);
        if !self.waits(&asked) {
            return None;
        }
        if matches!(seen.name, "execve" | "execveat") {
            self.about_to_execute(pid, &asked, &seen);
        }
        let held = self.started.then(|| self.held(pid, &asked, &seen, hear)).flatten();
        self.takes_away = seen.takes_away();
        self.last.insert(asked.tid, seen);
        if held.is_none() {
            self.go_on(&asked);
        }
        held
    }

    /// The pid may be another process's by now, and what was read with it.
    fn waits(&self, asked: &Asked) -> bool {
        self.listener.as_ref().is_some_and(|listener| listener.waits(asked))
    }

    /// Whether the call can be let go on before it is found out what happened until now:
    /// it waits meanwhile. Not where a name was or will be taken away, since what stood
    /// there could not be looked at any more; and programs are told in their order.
    fn may_be_noted(&self, asked: &Asked, seen: &Seen, hear: OnLife<'_>) -> bool {
        let adds = !seen.takes_away() && !matches!(seen.name, "execve" | "execveat" | "exit_group");
        self.started && adds && !self.takes_away && !hear.holds() && self.processes.knows(asked.tid)
    }

    fn note(&mut self, asked: &Asked, seen: &Seen) {
        if !self.waits(asked) {
            return;
        }
        let upto = self.fan.as_mut().map_or(0, Fan::note);
        self.noted.push(Noted { upto, tid: asked.tid, seen: seen.clone() });
        self.go_on(asked);
        if self.has_rested() {
            self.rest = Some(Instant::now() + REST);
        }
    }

    fn about_to_execute(&mut self, pid: i32, asked: &Asked, seen: &Seen) {
        let argv = if seen.name == "execve" { asked.args[1] } else { asked.args[2] };
        // Bit 30 of the audit architecture: pointers of 64 bits.
        let wide = asked.arch & 0x8000_0000 != 0;
        let argv = memory::strings(asked.tid, argv, wide, ARGUMENTS);
        let path = seen.paths.first().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        self.processes.about_to_execute(pid, path, argv);
    }

    fn refuse(&mut self, asked: &Asked, name: Option<&'static str>, hear: OnLife<'_>) {
        if let Some(listener) = &self.listener {
            listener.refuse(asked, Errno::EPERM);
        }
        let pid = self.processes.asking(asked.tid);
        let process = self.processes.process(pid);
        let call = name.map_or_else(|| format!("system call {}", asked.number), str::to_owned);
        let with = profile::WITH_CAPABILITY.iter();
        let unless = with
            .filter(|(_, calls)| calls.split_whitespace().any(|c| c == call))
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let arguments = profile::CONDITIONS.iter().any(|(c, _)| *c == call);
        let by = Refusal::Seccomp { unless, arguments };
        self.ledger.fold.tell(Life::Refused { process, call, errno: Errno::EPERM, by }, hear);
    }

    /// What the call would change in a read-only layer, if somebody wants to see it.
    fn held(&mut self, pid: i32, asked: &Asked, seen: &Seen, hear: OnLife<'_>) -> Option<Life> {
        if !hear.holds() || matches!(seen.name, "execve" | "execveat" | "exit_group") {
            return None;
        }
        for path in seen.target(asked) {
            if path.is_empty() || self.layers.has(&path) {
                continue;
            }
            let Some(below) = self.layers.below(&path) else { continue };
            let standing = Standing {
                role: Role::Copy,
                what: below.what,
                bytes: below.bytes,
                stands: None,
                layer: Some(below.layer),
                hidden: below.hidden,
                from: None,
            };
            let process = self.processes.process(pid);
            let life = Life::Held(Box::new(ledger::change(&path, standing, Some(process), Some(seen.name))));
            return hear.wants(&life).then_some(life);
        }
        None
    }

    /// The container's command runs.
    pub fn started(&mut self) {
        self.processes.started();
        self.started = true;
    }

    /// Kills what the first of the watched processes has made, where that does not end with
    /// it: whoever gives up leaves nothing.
    pub fn kill_others(&mut self, rec: &mut Recorder) {
        let mut killed = HashSet::new();
        // A process may have made another before it was killed.
        loop {
            let all = self.gather();
            self.tell(all, &mut |_| {});
            let left: Vec<i32> =
                self.processes.others().into_iter().filter(|pid| killed.insert(*pid)).collect();
            if left.is_empty() {
                return;
            }
            let mut dying = Vec::new();
            for pid in left {
                let held = Pid::from_raw(pid).and_then(|raw| pidfd_open(raw, PidfdFlags::empty()).ok());
                // Looked at once it is held: so said of this process and no later one.
                if let Some(pidfd) = held.filter(|_| self.processes.is_still(pid)) {
                    let _ = supervise::signal(rec, &pidfd, libc::SIGKILL);
                    dying.push(pidfd);
                }
            }
            for pidfd in dying {
                remnant::wait_killed(&pidfd);
            }
        }
    }

    /// The first of the watched processes has ended: what is left to tell, and, when the
    /// container ended with it, the layer as it is. A container that lives on has no such
    /// end: others change its layer at any time, and a path that nobody told of may be theirs.
    pub fn finish(&mut self, killed: bool, hear: OnLife<'_>) {
        self.happened(hear);
        if let Some(oom) = &mut self.oom {
            let process = killed.then(|| self.processes.first());
            told_of_oom(oom, process, hear);
        }
        self.ledger.fold.flush(None, hear);
        if !self.shared {
            hear.tell(Life::LayerSummary(self.ledger.summary(self.layers.all())));
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // Of two who hear only one may answer.
        self.listener = None;
        self.guard = None;
        let mut fds: Vec<OwnedFd> = self.perf.take().into_iter().flat_map(Perf::into_fds).collect();
        fds.extend(self.fan.take().map(Fan::into_fd));
        let_go::let_go(fds);
    }
}

/// The connector speaks only to the first network namespace. When glassbox itself
/// is in another one, it is asked from where one of those is that started it.
fn from_elsewhere(rec: &mut Recorder) -> Option<Connector> {
    let path = |pid: i32| format!("/proc/{pid}/ns/net");
    let own = std::process::id() as i32;
    let here = std::fs::read_link(path(own)).ok()?;
    let elsewhere = std::iter::successors(processes::parent(own), |pid| processes::parent(*pid))
        .take_while(|pid| *pid > 0)
        .find(|pid| std::fs::read_link(path(*pid)).is_ok_and(|there| there != here))?;
    let (there, here) = (std::fs::File::open(path(elsewhere)).ok()?, std::fs::File::open(path(own)).ok()?);
    let mut enter = |ns: &std::fs::File| {
        rec.call(
            "setns",
            || vec![("fd", fd_value(ns)), ("nstype", "CLONE_NEWNET".into())],
            zero,
            || nix::sched::setns(ns, nix::sched::CloneFlags::CLONE_NEWNET),
        )
    };
    enter(&there).ok()?;
    let connector = Connector::new().ok();
    // Without the way back nothing of the rest would be right.
    if enter(&here).is_err() {
        std::process::abort();
    }
    connector
}
