//! The model as a [`Kernel`]: it applies a plan's steps to a [`World`] and runs
//! the container's programs on the scheduler.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::process::{Gpid, Machine, Program, Standstill, Stop, signal_name};
use super::steps::{self, Carried, Cx};
use super::world::World;
use crate::image::builtin;
use crate::kernel::suppliers::suppliers;
use crate::kernel::{
    Applied, CgroupMount, Errno, Failure, HostFacts, Kernel, KernelName, OnLife, Slots, StepFailure, Subject,
    Watch,
};
use crate::plan::op::{CgroupVersion, OverlayStyle, Slot};
use crate::plan::{Actor, Op, Plan, Step, StepId};
use crate::trace::{Fact, Kind, Life, Value};
use crate::userland::{self, Exit};

/// What `uname -r` says in the model.
pub(crate) const RELEASE: &str = "modelled";

/// Which of the container's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// Takes output; `false` when nobody reads it any more.
pub type Output = Box<dyn FnMut(Stream, &[u8]) -> bool>;
/// Gives input; `None` at its end.
pub type Input = Box<dyn FnMut() -> Option<Vec<u8>>>;

/// Where the container's output goes and where its input comes from.
pub struct Console {
    /// Takes output as it comes. With a terminal all of it is standard output.
    pub output: Output,
    /// Gives more input, and may wait for it; `None` at its end. Asked only when
    /// every process waits and one of them waits for input.
    pub input: Input,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

/// The modelled kernel.
#[derive(Debug)]
pub struct ModelKernel {
    machine: Machine,
    console: Console,
    watch: Watch,
    carried: Carried,
    runtime: Gpid,
    failures: BTreeMap<StepId, Errno>,
    blobs: steps::Blobs,
}

fn userland_program() -> Program {
    Rc::new(|sys, invocation| {
        Box::pin(async move {
            // The lookup of the program's name is the userland's.
            userland::run(sys, invocation).await.unwrap_or(127)
        })
    })
}

fn stands_still(standstill: &Standstill) -> Failure {
    let names: Vec<String> = standstill.waiting.iter().map(|(pid, name)| format!("{name} ({pid})")).collect();
    Failure::new(format!("run the container: every process waits for another: {}", names.join(", ")), None)
        .hint("on a real kernel this would wait for ever")
}

impl ModelKernel {
    /// A kernel on this machine.
    pub fn new(world: World, console: Console) -> ModelKernel {
        ModelKernel::with_program(world, console, userland_program())
    }

    pub(crate) fn with_program(mut world: World, console: Console, program: Program) -> ModelKernel {
        // The runtime is a process of the host like any other.
        world.next_pid = world.next_pid.max(1000);
        let runtime = world.spawn(1, &[], None).unwrap_or(1);
        if let Ok(p) = world.process_mut(runtime) {
            p.comm = "glassbox".to_owned();
            p.argv = vec!["glassbox".to_owned()];
        }
        ModelKernel {
            machine: Machine::new(world, program),
            console,
            watch: Watch::Off,
            carried: Carried::default(),
            runtime,
            failures: BTreeMap::new(),
            blobs: steps::Blobs::default(),
        }
    }

    /// What the modelled host calls itself.
    pub const HOST_NAME: &'static str = "model";

    /// What a planner must know of the modelled host.
    pub fn host_facts() -> HostFacts {
        HostFacts {
            cgroups: vec![CgroupMount {
                version: CgroupVersion::V2,
                mount: "/sys/fs/cgroup".to_owned(),
                controllers: super::cgroup::CONTROLLERS.map(str::to_owned).to_vec(),
            }],
            overlay: OverlayStyle::Detached,
            resolv_conf: format!("nameserver {}\n", super::net::OUTER_GATEWAY),
            cpus: 1,
            capabilities: u64::MAX,
            time_namespace: true,
            mapped_layers: true,
        }
    }

    /// The step will fail with this error instead of doing its work.
    pub fn fail_at(&mut self, step: StepId, errno: Errno) {
        self.failures.insert(step, errno);
    }

    /// Gives the machine a layer's blob, which `UnpackLayer` then unpacks. The model
    /// keeps no bytes of it, only what it holds.
    pub fn offer_blob(&mut self, digest: &str, entries: Vec<builtin::Entry>) {
        Rc::make_mut(&mut self.blobs).insert(digest.to_owned(), entries);
    }

    /// The images that were found in an archive.
    pub fn arriving(&self) -> &[crate::plan::image::Arriving] {
        &self.carried.images.arriving
    }

    /// What is held of images between the steps of an action.
    #[cfg(feature = "linux")]
    pub(crate) fn images(&mut self) -> &mut super::archive::ModelImages {
        &mut self.carried.images
    }

    /// Does something with the modelled machine between two steps.
    pub fn with_world<T>(&mut self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut self.machine.shared.world.borrow_mut())
    }

    /// The modelled disk as JSON, see [`World::save`].
    pub fn save(&self) -> Vec<u8> {
        self.machine.shared.world.borrow().save()
    }

    fn actor(&self, actor: Actor) -> Result<Gpid, Failure> {
        match actor {
            Actor::Runtime => Ok(self.runtime),
            Actor::Init => {
                self.carried.init.ok_or_else(|| Failure::new("go on: there is no init process", None))
            }
            Actor::Process => {
                let process = self.carried.process;
                process.ok_or_else(|| Failure::new("go on: there is no process that joins", None))
            }
        }
    }

    fn in_step<T>(&mut self, pid: Gpid, slots: &mut Slots, f: impl FnOnce(&mut Cx<'_>) -> T) -> (T, Applied) {
        let mut world = self.machine.shared.world.borrow_mut();
        let calls = (self.watch != Watch::Off).then(Vec::new);
        let mut cx =
            Cx { w: &mut world, carried: &mut self.carried, slots, pid, runtime: self.runtime, calls };
        let result = f(&mut cx);
        let calls = cx.calls.unwrap_or_default();
        (result, Applied { calls, ..Applied::default() })
    }

    fn facts(&mut self, op: &Op, pid: Gpid, slots: &mut Slots) -> Vec<Fact> {
        self.in_step(pid, slots, |cx| steps::evidence(op, cx)).0
    }

    /// The process that becomes the command.
    fn command(&self) -> Option<Gpid> {
        self.carried.process.or(self.carried.init)
    }

    /// Runs the container until its command has ended: its process 1, or one that joined.
    fn supervise(&mut self, slots: &mut Slots, life: OnLife<'_>) -> Result<Applied, Failure> {
        let Some(init) = self.command() else {
            return Err(Failure::new("go on: there is no init process", None));
        };
        // Of a process that joined no more is told than that it starts and ends.
        if self.watch != Watch::Off && self.carried.process.is_none() {
            let mut world = self.machine.shared.world.borrow_mut();
            let suppliers = std::mem::take(&mut self.carried.suppliers);
            world.note_life(init, suppliers, self.watch, life.holds());
        }
        let exit = loop {
            match self.machine.run(init, &mut self.console, life) {
                Ok(Stop::Ended(exit)) => break exit,
                Ok(Stop::Held(held)) => life.held(&held, self, slots)?,
                Ok(Stop::Quit(failure)) => return Err(failure),
                Err(standstill) => return Err(stands_still(&standstill)),
            }
        };
        self.machine.shared.world.borrow_mut().end_life(life);
        let applied = self.in_step(self.runtime, slots, |cx| steps::reap(cx, init)).1;
        self.machine.sweep();
        self.machine.shared.world.borrow_mut().drop_dead_namespaces();
        let (status, code, signal) = match exit {
            Exit::Code(code) => (code, Some(code), None),
            Exit::Signal(n) => (128 + n.clamp(0, 127) as u8, None, Some(signal_name(n))),
        };
        slots.insert(Slot::ExitStatus, Value::Int(i64::from(status)));
        life.tell(Life::Exited { pid: Value::volatile(Kind::Pid, init), code, signal });
        Ok(applied)
    }

    /// After the exec step: the program is put into the process.
    fn start(&mut self, life: OnLife<'_>) {
        if let (Some(image), Some(init)) = (self.carried.image.take(), self.command()) {
            self.machine.shared.start(init, image);
            life.tell(Life::Started { pid: Value::volatile(Kind::Pid, init) });
        }
    }
}

impl Kernel for ModelKernel {
    fn name(&self) -> KernelName {
        KernelName::Model
    }

    fn release(&self) -> String {
        RELEASE.to_owned()
    }

    fn begin(&mut self, plan: &Plan, watch: Watch) {
        self.watch = watch;
        self.carried = Carried {
            container: plan.container.clone(),
            blobs: self.blobs.clone(),
            images: std::mem::take(&mut self.carried.images),
            suppliers: suppliers(plan).into_iter().map(|(_, supplier)| supplier).collect(),
            ..Carried::default()
        };
        let mut world = self.machine.shared.world.borrow_mut();
        world.input.clear();
        world.tty_line.clear();
        world.input_ended = true;
        world.console_tty = false;
        world.out_closed = [false; 2];
        world.notes = None;
        for step in &plan.steps {
            match &step.op {
                Op::MountOverlay { lower, upper, target, .. } => {
                    self.carried.layers.clone_from(lower);
                    self.carried.upper.clone_from(upper);
                    self.carried.rootfs.clone_from(target);
                }
                Op::CreateCgroup { path, .. } => self.carried.cgroup = Some(path.clone()),
                Op::PivotRoot { new_root } => self.carried.rootfs.clone_from(new_root),
                Op::Exec { cwd, .. } => self.carried.cwd.clone_from(cwd),
                Op::Supervise { interactive, .. } => world.input_ended = !interactive,
                _ => {}
            }
        }
    }

    fn apply(&mut self, step: &Step, slots: &mut Slots, life: OnLife<'_>) -> Result<Applied, StepFailure> {
        let pid = self.actor(step.actor)?;
        let before = match self.watch {
            Watch::BeforeAndAfter => self.facts(&step.op, pid, slots),
            _ => Vec::new(),
        };
        if let Some(errno) = self.failures.get(&step.id) {
            let failure = Failure::new(format!("carry out {}", step.id), Some(*errno));
            return Err(StepFailure {
                step: None,
                failure,
                applied: Applied { before, ..Applied::default() },
            });
        }
        let (done, mut applied) = match &step.op {
            Op::Supervise { .. } => match self.supervise(slots, life) {
                Ok(applied) => (Ok(false), applied),
                Err(failure) => (Err(failure), Applied::default()),
            },
            op => self.in_step(pid, slots, |cx| steps::apply(op, cx)),
        };
        applied.before = before;
        match done {
            Ok(unchanged) => {
                applied.unchanged = unchanged;
                if let Op::Exec { .. } = step.op {
                    self.start(life);
                }
                if self.watch != Watch::Off {
                    // After the end there is no init to look from.
                    let pid = self.actor(step.actor).unwrap_or(self.runtime);
                    applied.after = self.facts(&step.op, pid, slots);
                }
                Ok(applied)
            }
            Err(failure) => Err(StepFailure { step: None, failure, applied }),
        }
    }

    fn observe(&mut self, subject: Subject, _slots: &Slots) -> Vec<Fact> {
        let mut world = self.machine.shared.world.borrow_mut();
        let stack = (self.carried.layers.as_slice(), self.carried.upper.as_str());
        steps::observe(&mut world, subject, self.runtime, self.carried.init, stack)
    }

    fn undo(&mut self, op: &Op, slots: &Slots) -> Result<Applied, StepFailure> {
        let mut slots = slots.clone();
        let (done, applied) = self.in_step(self.runtime, &mut slots, |cx| steps::undo(op, cx));
        self.machine.sweep();
        match done {
            Ok(()) => Ok(applied),
            Err(failure) => Err(StepFailure { step: None, failure, applied }),
        }
    }
}

impl World {
    /// Puts a layer of the built-in image's definition at `dir` on the disk.
    ///
    /// # Errors
    /// As [`World::populate`].
    pub fn add_layer(&mut self, dir: &str, entries: &[builtin::Entry]) -> Result<(), Errno> {
        use super::world::HostEntry;
        use builtin::Content;
        for e in entries {
            let (path, mode) = (e.path.clone(), e.mode);
            let entry = match &e.content {
                Content::Dir => HostEntry::Dir { path, mode },
                Content::Bytes(content) => HostEntry::File { path, mode, content: content.clone() },
                Content::Symlink(target) => HostEntry::Symlink { path, target: target.clone() },
                Content::Binary => HostEntry::File { path, mode, content: super::process::MARKER.to_vec() },
                Content::Whiteout => HostEntry::Whiteout { path },
            };
            self.populate(dir, std::slice::from_ref(&entry))?;
            if (e.uid, e.gid) != (0, 0) {
                let ctx = self.ctx(1)?;
                self.chown(&ctx, &format!("{dir}/{}", e.path), e.uid, e.gid, true)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;
