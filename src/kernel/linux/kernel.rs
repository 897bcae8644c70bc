//! [`LinuxKernel`]: carries out the runtime's steps here, and lets init carry
//! out its own.

mod attend;
mod child;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread::JoinHandle;

use super::cgroup::Group;
use super::cx::Cx;
use super::life::{Watched, Watcher};
use super::protocol::{Answer, Channel, Go, Message, Unread};
use super::recorder::Recorder;
use super::state::State;
use super::supervise::{self, Ended};
use super::{dispatch, evidence, inside, net, observe, remnant};
use crate::kernel::{
    Applied, Errno, Failure, Kernel, KernelName, OnLife, Slots, StepFailure, Subject, Watch,
};
use crate::plan::op::Slot;
use crate::plan::{Actor, Op, Plan, Step, StepId};
use crate::trace::{Call, Fact, Kind, Life, Value};

/// The kernel of this host. One value carries out one plan.
#[derive(Debug)]
pub struct LinuxKernel {
    store: PathBuf,
    watch: Watch,
    pub(super) rec: Recorder,
    pub(super) state: State,
    steps: Vec<InitStep>,
    /// Layer trees, uppermost first.
    layers: Vec<String>,
    /// The writable layer.
    upper: String,
    /// The container's cgroups, where somebody watches.
    groups: Vec<Group>,
    /// Init goes through its steps also while it is watched.
    ahead: bool,
    /// The next of init's steps that is asked for.
    next: usize,
    /// Init has been let go up to here.
    sent: usize,
    child: Option<Child>,
    /// The plan by which the container was run that a process joins.
    joined: Option<Plan>,
    /// Nobody looks on while it happens.
    unattended: bool,
    /// The process is reaped as soon as it ends, whoever is waited for meanwhile.
    reaps_early: bool,
    /// What to watch, and who watches it once there is a filter that asks.
    watched: Watched,
    watcher: Option<Watcher>,
    /// What was read before the step that the process is in, where the runtime reads it.
    before: Vec<Fact>,
    /// Calls that the runtime made for steps of init that are not told yet.
    made: BTreeMap<usize, Vec<Call>>,
}

/// One of init's steps.
#[derive(Debug)]
struct InitStep {
    id: StepId,
    op: Op,
    /// Where the steps end that init does without a word in between.
    upto: usize,
}

/// The init process, not yet reaped.
#[derive(Debug)]
pub(super) struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
    channel: Channel,
    /// Reaps it early.
    reaper: Option<JoinHandle<Result<Ended, Errno>>>,
}

impl LinuxKernel {
    /// A kernel for plans about images of this content store (an OCI image layout).
    pub fn new(store: impl Into<PathBuf>) -> Self {
        LinuxKernel {
            store: store.into(),
            watch: Watch::Off,
            rec: Recorder::off(),
            state: State::default(),
            steps: Vec::new(),
            layers: Vec::new(),
            upper: String::new(),
            groups: Vec::new(),
            ahead: false,
            next: 0,
            sent: 0,
            child: None,
            joined: None,
            unattended: false,
            reaps_early: false,
            watched: Watched::default(),
            watcher: None,
            before: Vec::new(),
            made: BTreeMap::new(),
        }
    }

    /// Lets init go through its steps and become the command without waiting for a
    /// word before each. It tells of each as it does it; what is said to be about
    /// to happen may then have happened in init already. A command whose life is
    /// told waits at its first call that is asked about until it is said to run.
    pub fn let_init_run_ahead(&mut self, ahead: bool) {
        (self.ahead, self.unattended) = (ahead, ahead);
    }

    /// The next plan is for a process that joins the container which `run` has made: its life
    /// is told by what is said there of its layers. `unattended`: it is only recorded.
    pub fn joins(&mut self, run: Plan, unattended: bool) {
        (self.joined, self.unattended) = (Some(run), unattended);
    }

    /// Has a process that joins reaped as soon as it ends. Its container's end waits for that,
    /// and should not wait for a user who looks at a step.
    pub fn reap_early(&mut self, early: bool) {
        self.reaps_early = early;
    }

    /// What is known of images on their way into the store.
    pub fn images(&mut self) -> &mut super::images::Images {
        &mut self.state.images
    }

    /// Looks at a step of a process that joins a container from outside.
    fn look_from_outside(&mut self, op: &Op, slots: &Slots) -> Option<Vec<Fact>> {
        if self.state.process.is_none() || self.watch == Watch::Off {
            return None;
        }
        let facts = self.facts(op, &mut slots.clone());
        // Reaped early, it has left its number to others.
        let gone = self.child.as_ref().is_some_and(|c| c.reaper.is_some() && !inside::lives(&c.pidfd));
        Some(if gone { Vec::new() } else { facts })
    }

    /// Lets init go on as far as it may, and waits at the end of that.
    fn init_step(&mut self, step: &Step, slots: &Slots, life: OnLife<'_>) -> Result<Applied, StepFailure> {
        let n = self.next;
        let Some(upto) = self.steps.get(n).filter(|s| s.id == step.id).map(|s| s.upto) else {
            return Err(Failure::new(
                format!("carry out {}: it is not the next step of init", step.id),
                None,
            )
            .into());
        };
        self.next += 1;
        if matches!(step.op, Op::Exec { .. }) {
            supervise::hold_signals(&mut self.rec)?;
        }
        if n >= self.sent {
            if self.watch == Watch::BeforeAndAfter {
                self.before = self.look_from_outside(&step.op, slots).unwrap_or_default();
            }
            let child = self.child.as_mut().ok_or_else(no_init)?;
            let go = Go { upto, slots: slots.clone() };
            if let Err(e) = child.channel.send(&go, None) {
                return Err(self.init_died(Some(e)).into());
            }
            self.sent = upto;
        }
        // Unwatched, init says nothing before the end of what it was let do.
        if n + 1 < self.sent && self.watch == Watch::Off {
            return Ok(Applied::default());
        }
        self.answer(n, step, slots, life)
    }

    /// Where the first such step is among init's.
    fn position(&self, which: impl Fn(&Op) -> bool) -> Option<usize> {
        self.steps.iter().position(|s| which(&s.op))
    }

    /// Does what belongs to that step of init. Its calls are told with the step.
    fn ahead_of<T>(
        &mut self,
        step: usize,
        work: impl FnOnce(&mut Recorder) -> Result<T, Failure>,
    ) -> Result<T, StepFailure> {
        let mut rec = if self.rec.is_on() { Recorder::on() } else { Recorder::off() };
        let done = work(&mut rec);
        let calls = rec.take();
        let failed = |failure| StepFailure {
            step: self.steps.get(step).map(|s| s.id.clone()),
            failure,
            applied: Applied::default(),
        };
        let done = done.map_err(failed);
        if !calls.is_empty() {
            self.made.entry(step).or_default().extend(calls);
        }
        done
    }

    /// What the runtime did for this step of init, and the calls that init made in it.
    fn calls(&mut self, step: usize, init: Vec<Call>) -> Vec<Call> {
        let mut calls = self.rec.take();
        calls.extend(self.made.remove(&step).unwrap_or_default());
        calls.extend(init);
        calls
    }

    fn answer(
        &mut self,
        n: usize,
        step: &Step,
        slots: &Slots,
        life: OnLife<'_>,
    ) -> Result<Applied, StepFailure> {
        let mut about = None;
        loop {
            self.attend(life)?;
            let child = self.child.as_mut().ok_or_else(no_init)?;
            // What is said of steps that init ran ahead with is only written down.
            let answer = match self.ahead {
                true => child.channel.receive::<Message<Unread>>().map(|a| a.map(Answer::from)),
                false => child.channel.receive::<Answer>(),
            };
            match answer {
                Ok(Some(Answer::Done(mut applied))) => {
                    applied.calls = self.calls(n, applied.calls);
                    if let Some(facts) = self.look_from_outside(&step.op, slots) {
                        applied.before = std::mem::take(&mut self.before);
                        applied.after = facts;
                    }
                    return Ok(applied);
                }
                Ok(Some(Answer::Terminal | Answer::Listener)) => self.take_over()?,
                Ok(Some(Answer::AboutToExec(applied))) => about = Some(applied),
                Ok(Some(Answer::Failed(at, mut failed))) => {
                    failed.applied.calls = self.calls(at, failed.applied.calls);
                    failed.step = self.steps.get(at).filter(|_| at != n).map(|s| s.id.clone());
                    return Err(*failed);
                }
                Ok(None) => match about {
                    Some(applied) => return Ok(self.executed(n, applied, step, slots, life)),
                    None => return Err(self.init_died(None).into()),
                },
                Err(e) => return Err(Failure::new("hear from init", Some(e)).into()),
            }
        }
    }

    /// execve closed init's end of the channel.
    fn executed(
        &mut self,
        n: usize,
        mut applied: Applied,
        step: &Step,
        slots: &Slots,
        life: OnLife<'_>,
    ) -> Applied {
        applied.calls = self.calls(n, applied.calls);
        if self.watch != Watch::Off {
            let mut slots = slots.clone();
            let cx = Cx { rec: &mut Recorder::off(), slots: &mut slots };
            applied.after = evidence::of(&step.op, &cx, &self.state);
        }
        if let Some(watcher) = &mut self.watcher {
            watcher.started();
        }
        if let Some(child) = &self.child {
            life.tell(Life::Started { pid: Value::volatile(Kind::Pid, child.pid) });
        }
        applied
    }

    fn supervise(&mut self, interactive: bool, slots: &mut Slots, life: OnLife<'_>) -> Result<(), Failure> {
        let mut child = self.child.take().ok_or_else(no_init)?;
        let mut watcher = self.watcher.take();
        let ended = supervise::run(self, &mut child, interactive, watcher.as_mut(), slots, life);
        if ended.is_err() {
            // The undo kills it.
            (self.child, self.watcher) = (Some(child), watcher);
        }
        let ended = ended?;
        slots.insert(Slot::ExitStatus, Value::Int(i64::from(ended.status())));
        if self.state.joins {
            // Its links are those of the container, which goes on.
            return Ok(());
        }
        net::settle(&mut self.rec)
    }

    fn facts(&mut self, op: &Op, slots: &mut Slots) -> Vec<Fact> {
        let cx = Cx { rec: &mut self.rec, slots };
        dispatch::facts(op, &cx, &self.state)
    }
}

/// Whether the life of the plan's container is to be told.
fn told(plan: &Plan) -> bool {
    plan.steps.iter().any(|s| matches!(s.op, Op::LoadSeccomp { told: true, .. }))
}

fn no_init() -> Failure {
    Failure::new("go on: there is no init process", None)
}

impl Kernel for LinuxKernel {
    fn name(&self) -> KernelName {
        KernelName::Linux
    }

    fn release(&self) -> String {
        rustix::system::uname().release().to_string_lossy().into_owned()
    }

    fn begin(&mut self, plan: &Plan, watch: Watch) {
        self.watch = watch;
        self.rec = if watch == Watch::Off { Recorder::off() } else { Recorder::on() };
        let images = std::mem::take(&mut self.state.images);
        self.state = State { images: images.next(plan), ..State::of(plan, &self.store) };
        net::begin(plan);
        self.watched = match &self.joined {
            _ if !told(plan) => Watched::default(),
            Some(run) => Watched::joining(run),
            None => Watched::of(plan),
        };
        self.watcher = None;
        (self.next, self.sent) = (0, 0);
        self.made.clear();
        self.steps.clear();
        self.layers.clear();
        self.upper.clear();
        self.groups.clear();
        for step in self.joined.as_ref().unwrap_or(plan).steps.iter() {
            if let Op::MountOverlay { lower, upper, .. } = &step.op {
                self.layers.clone_from(lower);
                self.upper.clone_from(upper);
            }
        }
        for (n, step) in plan.steps.iter().enumerate() {
            if watch != Watch::Off {
                self.groups.extend(Group::of(&step.op));
            }
            if step.actor == Actor::Runtime {
                continue;
            }
            let its_own = plan.steps[n..].iter().take_while(|s| s.actor != Actor::Runtime);
            let ahead = match watch {
                Watch::Off => its_own.count(),
                _ if self.ahead => its_own.count(),
                _ => 1,
            };
            let upto = self.steps.len() + ahead;
            self.steps.push(InitStep { id: step.id.clone(), op: step.op.clone(), upto });
        }
    }

    fn apply(&mut self, step: &Step, slots: &mut Slots, life: OnLife<'_>) -> Result<Applied, StepFailure> {
        if step.actor != Actor::Runtime {
            return self.init_step(step, slots, life);
        }
        let begins_or_ends_init = match &step.op {
            Op::Clone { .. } | Op::SpawnInside { .. } | Op::Supervise { .. } | Op::LetRun => true,
            Op::Undo { of, .. } => matches!(**of, Op::Clone { .. }),
            _ => false,
        };
        if !begins_or_ends_init {
            let mut cx = Cx { rec: &mut self.rec, slots };
            return dispatch::watched(&step.op, &mut cx, &mut self.state, self.watch);
        }
        let before = match self.watch {
            Watch::BeforeAndAfter => self.facts(&step.op, slots),
            _ => Vec::new(),
        };
        let start = std::time::Instant::now();
        let done = match &step.op {
            Op::Clone { namespaces, cgroup } => self.clone_init(namespaces, cgroup.as_deref(), slots),
            Op::SpawnInside { cgroup } => self.spawn_inside(cgroup.as_deref(), slots),
            Op::Supervise { interactive, .. } => self.supervise(*interactive, slots, life),
            Op::LetRun => self.let_run(),
            _ => self.kill_init(),
        };
        let micros = if self.watch == Watch::Off { 0 } else { start.elapsed().as_micros() as u64 };
        let mut calls = self.rec.take();
        let mut after = Vec::new();
        let done = done.and_then(|()| {
            if self.watch != Watch::Off {
                after = self.facts(&step.op, slots);
            }
            match &step.op {
                Op::Supervise { .. } => after.extend(super::cgroup::totals(&self.groups)),
                // Heard only now: init starts while its namespaces are read.
                Op::Clone { .. } | Op::SpawnInside { .. } => calls.extend(self.init_is_ready()?),
                _ => {}
            }
            Ok(())
        });
        match done {
            Ok(()) => Ok(Applied { before, calls, after, micros, ..Applied::default() }),
            Err(failure) => Err(StepFailure {
                step: None,
                failure,
                applied: Applied { before, calls, micros, ..Applied::default() },
            }),
        }
    }

    fn observe(&mut self, subject: Subject, slots: &Slots) -> Vec<Fact> {
        let mut slots = slots.clone();
        let pid = Cx { rec: &mut self.rec, slots: &mut slots }.init_pid();
        let mut facts = observe::observe(subject, pid, &self.layers);
        if subject == Subject::Layers && !self.upper.is_empty() {
            facts.extend(observe::writable(&self.upper, &self.layers));
        }
        if subject == Subject::Cgroup {
            facts.extend(super::cgroup::usage(&self.groups));
        }
        facts
    }

    fn undo(&mut self, op: &Op, slots: &Slots) -> Result<Applied, StepFailure> {
        let start = std::time::Instant::now();
        let done = match op {
            // After a crash of the runtime there is no descriptor of init.
            Op::Clone { .. } if self.child.is_none() => remnant::kill(&mut self.rec, &self.state),
            Op::SpawnInside { .. } if self.child.is_none() => inside::kill_left(&mut self.rec, slots),
            Op::Clone { .. } | Op::SpawnInside { .. } => self.kill_init(),
            _ => {
                let mut slots = slots.clone();
                let mut cx = Cx { rec: &mut self.rec, slots: &mut slots };
                dispatch::undo(op, &mut cx, &mut self.state)
            }
        };
        let calls = self.rec.take();
        let micros = if self.watch == Watch::Off { 0 } else { start.elapsed().as_micros() as u64 };
        let unchanged = self.state.images.kept();
        let applied = Applied { calls, micros, unchanged, ..Applied::default() };
        match done {
            Ok(()) => Ok(applied),
            Err(failure) => Err(StepFailure { step: None, failure, applied }),
        }
    }
}

impl Drop for LinuxKernel {
    /// A run that is given up leaves no process behind.
    fn drop(&mut self) {
        let _ = self.kill_init();
        net::end();
    }
}
