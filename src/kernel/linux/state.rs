//! What one process, runtime or init, holds between steps: descriptors that
//! cannot be written into a plan. Init gets a copy of the runtime's at the
//! moment of clone3.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::plan::{Op, Plan};

/// Descriptors and what is known of the plan as a whole.
#[derive(Debug, Default)]
pub struct State {
    /// The content store.
    pub store: std::path::PathBuf,
    /// The container's id: names what may be removed whole when it is undone.
    pub container: String,
    /// The new root as a host path.
    pub root: String,
    /// The new root, once it stands (`O_PATH`).
    pub root_fd: Option<OwnedFd>,
    /// The directory below the new root that the last node or link was made in:
    /// many are made in one.
    pub dir: Option<(String, Rc<OwnedFd>)>,
    /// Init has the new root as its `/`.
    pub pivoted: bool,
    /// Views of layers.
    pub views: super::views::Views,
    /// The union that is mounted nowhere yet.
    pub detached: Option<OwnedFd>,
    /// The container's working directory.
    pub cwd: String,
    /// There is a terminal.
    pub tty: bool,
    /// Standard input is connected.
    pub interactive: bool,
    /// The plan removes the container's directory: its writable layer need not
    /// survive.
    pub volatile: bool,
    /// The cgroup namespace is taken by a step of its own.
    pub late_cgroup_namespace: bool,
    /// What the last unpacking of a layer counted.
    pub unpacked: Option<crate::image::layers::Unpacked>,
    /// Images on their way into the store; outlives a plan.
    pub images: super::images::Images,
    /// The listener of the filter, in init until it is handed over.
    pub listener: Option<OwnedFd>,
    /// Mounts that were read back.
    pub mounts: super::mountinfo::Mounts,
    /// A process joins a container that runs.
    pub joins: bool,
    /// That container's first process, held since it was found.
    pub init: Option<OwnedFd>,
    /// The process that joins, in the runtime, which looks at it from outside: what is
    /// read inside is what the container shows.
    pub process: Option<i32>,
    /// This is the process that joins.
    pub inside: bool,
    /// The command is let run on with nobody waiting for it.
    pub let_run: bool,
    /// The terminal's master: in init until it is handed over, then in the runtime.
    pub terminal: Option<OwnedFd>,
}

impl State {
    /// What the plan says about the run as a whole.
    pub fn of(plan: &Plan, store: &std::path::Path) -> Self {
        let mut state =
            State { container: plan.container.clone(), store: store.to_owned(), ..State::default() };
        for step in &plan.steps {
            match &step.op {
                Op::PivotRoot { new_root } => state.root.clone_from(new_root),
                Op::Exec { cwd, .. } => state.cwd.clone_from(cwd),
                Op::OpenTerminal => state.tty = true,
                Op::Supervise { interactive, .. } => state.interactive = *interactive,
                Op::RemoveContainer { .. } => state.volatile = true,
                Op::UnshareCgroup => state.late_cgroup_namespace = true,
                Op::JoinNamespaces { .. } => state.joins = true,
                Op::LetRun => state.let_run = true,
                _ => {}
            }
        }
        state
    }

    /// Whether a path lies in a directory of this container alone.
    pub fn owns(&self, path: &str) -> bool {
        !self.container.is_empty() && path.split('/').any(|part| part == self.container)
    }
}
