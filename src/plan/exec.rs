//! The plan of `exec`: a further process for a container that runs, confined as the
//! container's own.

use oci_spec::runtime::Process;

use super::cgroup::PREFIX;
use super::op::{Ns, SeccompProfile};
use super::{Actor, Op, PLAN_VERSION, Phase, Plan, Step, StepId, order};
use crate::kernel::Failure;

/// What the plan of a container's run says of how its first process stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The namespaces that are its own, but for its pid namespace.
    pub namespaces: Vec<Ns>,
    /// The cgroup v2 directory that it was born in.
    pub cgroup: Option<String>,
    /// The v1 directories that it joined.
    pub joined: Vec<String>,
    /// It has the default filter of system calls.
    pub seccomp: bool,
    /// The name of its cgroup in every hierarchy.
    pub name: String,
}

impl Standing {
    /// Reads it from the plan that the container was run by.
    pub fn of(plan: &Plan) -> Standing {
        let mut standing = Standing { name: format!("{PREFIX}{}", plan.container), ..Standing::default() };
        for step in &plan.steps {
            match &step.op {
                Op::Clone { namespaces, cgroup } => {
                    standing.namespaces.extend(namespaces.iter().filter(|ns| **ns != Ns::Pid));
                    standing.cgroup.clone_from(cgroup);
                }
                Op::UnshareCgroup => standing.namespaces.push(Ns::Cgroup),
                Op::CreateCgroup { path, .. } => {
                    path.rsplit('/').next().unwrap_or_default().clone_into(&mut standing.name);
                }
                Op::JoinCgroup { files } => {
                    standing.joined =
                        files.iter().filter_map(|f| Some(f.rsplit_once('/')?.0.to_owned())).collect();
                }
                Op::LoadSeccomp { profile: SeccompProfile::Default { .. }, .. } => standing.seccomp = true,
                _ => {}
            }
        }
        standing.namespaces.sort();
        standing.namespaces.dedup();
        standing
    }
}

/// Where a container that runs is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The container's directory.
    pub dir: String,
    /// The file of its run-time state.
    pub state: String,
}

/// How somebody stays with the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Standard input is connected.
    pub interactive: bool,
    /// Nobody waits.
    pub detach: bool,
}

/// Makes the plan. `process` is wanted in the container; `seccomp`: with the default
/// filter of system calls.
///
/// # Errors
/// When the plan breaks a rule of order: a defect.
pub fn plan(
    target: &Target,
    standing: &Standing,
    process: &Process,
    seccomp: bool,
    attached: Attached,
) -> Result<Plan, Failure> {
    let tty = process.terminal() == Some(true);
    let mut steps = Vec::new();
    let mut add = |phase: Phase, actor, label: &str, op| {
        steps.push(Step { id: StepId(format!("{phase}.{label}")), phase, actor, op });
    };
    let find = Op::FindInit {
        state: target.state.clone(),
        container: target.dir.clone(),
        cgroup: standing.name.clone(),
    };
    add(Phase::Namespaces, Actor::Runtime, "find-init", find);
    let spawn = Op::SpawnInside { cgroup: standing.cgroup.clone() };
    add(Phase::Namespaces, Actor::Runtime, "spawn-inside", spawn);
    if !standing.joined.is_empty() {
        // By the process itself, which is much quicker: see plan/cgroup.rs.
        let files = standing.joined.iter().map(|dir| format!("{dir}/tasks")).collect();
        add(Phase::Namespaces, Actor::Process, "join-cgroup", Op::JoinCgroup { files });
    }
    let join = Op::JoinNamespaces { namespaces: standing.namespaces.clone() };
    add(Phase::Namespaces, Actor::Process, "join-namespaces", join);
    if tty {
        add(Phase::Security, Actor::Process, "open-terminal", Op::OpenTerminal);
    }
    for (label, op) in super::run::security::confine(process, seccomp) {
        add(Phase::Security, Actor::Process, label, op);
    }
    let exec = Op::Exec {
        argv: process.args().clone().unwrap_or_default(),
        env: process.env().clone().unwrap_or_default(),
        cwd: process.cwd().to_string_lossy().into_owned(),
    };
    add(Phase::Exec, Actor::Process, "exec", exec);
    match attached {
        Attached { detach: true, .. } => add(Phase::Life, Actor::Runtime, "let-run", Op::LetRun),
        Attached { interactive, .. } => {
            let supervise = Op::Supervise { tty, interactive, joined: true };
            add(Phase::Life, Actor::Runtime, "supervise", supervise);
        }
    }
    let plan = Plan { version: PLAN_VERSION, container: target.id.clone(), steps };
    order::check(&plan).map_err(|e| {
        Failure::new(e.to_string(), None).hint("this is a defect of glassbox: please report it")
    })?;
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, phase: Phase, op: Op) -> Step {
        Step { id: StepId(id.to_owned()), phase, actor: Actor::Runtime, op }
    }

    fn run(ops: Vec<Op>) -> Plan {
        let steps =
            ops.into_iter().enumerate().map(|(n, op)| step(&n.to_string(), Phase::Image, op)).collect();
        Plan { version: PLAN_VERSION, container: "a".repeat(64), steps }
    }

    fn names(standing: &Standing, tty: bool, detach: bool) -> Vec<String> {
        let target = Target { id: "a".repeat(64), dir: "/c/a".into(), state: "/r/a/running.json".into() };
        let mut process = Process::default();
        process.set_terminal(Some(tty));
        let attached = Attached { interactive: false, detach };
        let plan = plan(&target, standing, &process, standing.seccomp, attached).unwrap();
        plan.steps.into_iter().map(|s| s.id.0).collect()
    }

    #[test]
    fn how_the_first_process_stands_is_read_from_its_run() {
        let plan = run(vec![
            Op::CreateCgroup {
                version: crate::plan::op::CgroupVersion::V1,
                controllers: vec!["pids".into()],
                path: "/sys/fs/cgroup/pids/glassbox-k-a".into(),
            },
            Op::Clone { namespaces: vec![Ns::User, Ns::Mnt, Ns::Pid], cgroup: None },
            Op::JoinCgroup { files: vec!["/sys/fs/cgroup/pids/glassbox-k-a/cgroup.procs".into()] },
            Op::UnshareCgroup,
            Op::LoadSeccomp { profile: SeccompProfile::Unconfined, told: true },
        ]);
        let wanted = Standing {
            namespaces: vec![Ns::User, Ns::Mnt, Ns::Cgroup],
            cgroup: None,
            joined: vec!["/sys/fs/cgroup/pids/glassbox-k-a".into()],
            seccomp: false,
            name: "glassbox-k-a".into(),
        };
        assert_eq!(Standing::of(&plan), wanted);
        let filter = Op::LoadSeccomp { profile: SeccompProfile::Default { caps: vec![] }, told: true };
        let bare = Standing::of(&run(vec![filter]));
        assert!(bare.seccomp && bare.name == format!("glassbox-{}", "a".repeat(64)));
    }

    #[test]
    fn steps_are_there_where_they_have_something_to_do() {
        let standing = Standing { seccomp: true, joined: vec!["/g".into()], ..Standing::default() };
        assert_eq!(
            names(&standing, true, false),
            [
                "namespaces.find-init",
                "namespaces.spawn-inside",
                "namespaces.join-cgroup",
                "namespaces.join-namespaces",
                "security.open-terminal",
                "security.set-rlimits",
                "security.drop-bounding",
                "security.set-no-new-privs",
                "security.set-user",
                "security.set-capabilities",
                "security.load-seccomp",
                "exec.exec",
                "life.supervise",
            ]
        );
        let few = names(&Standing::default(), false, true);
        assert!(!few.iter().any(|n| n.contains("seccomp") || n.contains("cgroup") || n.contains("terminal")));
        assert_eq!(few.last().map(String::as_str), Some("life.let-run"));
    }

    #[test]
    fn the_rules_of_order_hold_for_a_process_that_joins() {
        let standing = Standing { joined: vec!["/g".into()], ..Standing::default() };
        let target = Target { id: "a".repeat(64), dir: "/c".into(), state: "/s".into() };
        let whole = plan(&target, &standing, &Process::default(), false, Attached::default()).unwrap();
        let without = |id: &str| {
            let mut plan = whole.clone();
            plan.steps.retain(|s| s.id.0 != id);
            order::check(&plan).map_err(|e| e.rule)
        };
        assert_eq!(without("namespaces.find-init"), Err("a value is filled before it is used"));
        assert_eq!(without("namespaces.spawn-inside"), Err("init acts only once it exists"));
        assert_eq!(without("namespaces.join-namespaces"), Err("the root is changed before exec"));
        let swapped = |a: usize, b: usize| {
            let mut plan = whole.clone();
            plan.steps.swap(a, b);
            plan.steps.iter_mut().for_each(|s| s.phase = Phase::Exec);
            order::check(&plan).map_err(|e| e.rule)
        };
        assert_eq!(swapped(2, 3), Err("cgroups are joined while the host's can be seen"));
        let mut late = whole.clone();
        let user = whole.steps.iter().position(|s| matches!(s.op, Op::SetUser { .. })).unwrap();
        late.steps[3..=user].rotate_left(1);
        late.steps.iter_mut().for_each(|s| s.phase = Phase::Exec);
        let broken = order::check(&late).map_err(|e| e.rule);
        assert_eq!(broken, Err("namespaces are joined while it is allowed"));
    }
}
