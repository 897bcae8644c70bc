//! The init process between clone3 and execve: it carries out the plan's init
//! steps in order, as far as the runtime lets it.

use rustix::fs::Mode;
use rustix::process::Signal;

use super::cx::Cx;
use super::dispatch;
use super::exec;
use super::mountinfo::Mounts;
use super::protocol::{Answer, Channel, Go};
use super::recorder::{Recorder, zero};
use super::state::State;
use crate::kernel::{Applied, Errno, Failure, Slots, StepFailure, Watch};
use crate::plan::Op;
use crate::trace::{Call, Value};

/// What the process is born with.
#[derive(Debug)]
pub struct Init {
    /// To the runtime.
    pub channel: Channel,
    /// The operations of init's steps.
    pub ops: Vec<Op>,
    /// The runtime's state at the moment of clone3.
    pub state: State,
    /// How closely it is watched.
    pub watch: Watch,
    /// It was born in a user namespace of its own.
    pub user_namespace: bool,
}

/// The life of init. Ends in execve, or in an exit after the runtime was told why.
pub fn main(mut init: Init) -> ! {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut init)));
    if ran.is_err() {
        let failure = Failure::new("carry out a step of init: a defect of glassbox", None);
        let _ = init.channel.send(&Answer::Failed(usize::MAX, Box::new(failure.into())), None);
    }
    // SAFETY: ends the process at once: buffers and exit handlers are the
    // runtime's, of which this process has but a copy.
    unsafe { libc::_exit(125) }
}

fn run(init: &mut Init) {
    let mut rec = if init.watch == Watch::Off { Recorder::off() } else { Recorder::on() };
    // What the runtime has open shows the runtime's.
    init.state.mounts = Mounts::default();
    init.state.inside = init.state.joins;
    let born = prepare(&mut rec, init.state.joins);
    // Watched, the runtime waits for this: it belongs to the step that made init.
    if rec.is_on() && init.channel.send(&Answer::Done(applied(rec.take())), None).is_err() {
        return;
    }
    let mut next = 0;
    // A closed channel means that the runtime is gone: so is init.
    while let Ok(Some(Go { upto, mut slots })) = init.channel.receive::<Go>() {
        if let Err(errno) = born {
            let failure = Failure::new("prepare the init process", Some(errno));
            let _ = init.channel.send(&Answer::Failed(next, Box::new(failure.into())), None);
            return;
        }
        if next == 0 && init.user_namespace {
            become_root(&mut rec);
        }
        let mut done = Applied::default();
        while next < upto.min(init.ops.len()) {
            let op = init.ops[next].clone();
            match step(init, &op, &mut rec, &mut slots) {
                Ok(applied) if init.watch != Watch::Off && next + 1 < upto => {
                    if init.channel.queue(&Answer::Done(applied)).is_err() {
                        return;
                    }
                }
                Ok(applied) => done = applied,
                Err(failed) => {
                    let _ = init.channel.send(&Answer::Failed(next, Box::new(failed)), None);
                    return;
                }
            }
            next += 1;
        }
        if init.channel.send(&Answer::Done(done), None).is_err() {
            return;
        }
    }
}

fn applied(calls: Vec<Call>) -> Applied {
    Applied { calls, ..Applied::default() }
}

fn step(init: &mut Init, op: &Op, rec: &mut Recorder, slots: &mut Slots) -> Result<Applied, StepFailure> {
    if let Op::Exec { argv, env, cwd } = op {
        return Err(become_command(init, argv, env, cwd, rec, slots));
    }
    let applied = dispatch::watched(op, &mut Cx { rec, slots }, &mut init.state, init.watch)?;
    if let (Op::OpenTerminal, Some(master)) = (op, &init.state.terminal) {
        use std::os::fd::AsFd;
        init.channel
            .send(&Answer::Terminal, Some(master.as_fd()))
            .map_err(|e| Failure::new("hand the terminal to the runtime", Some(e)))?;
        init.state.terminal = None;
    }
    if let Some(listener) = init.state.listener.take() {
        use std::os::fd::AsFd;
        init.channel
            .send(&Answer::Listener, Some(listener.as_fd()))
            .map_err(|e| Failure::new("hand the filter's listener to the runtime", Some(e)))?;
    }
    Ok(applied)
}

/// Returns only when it failed.
fn become_command(
    init: &mut Init,
    argv: &[String],
    env: &[String],
    cwd: &str,
    rec: &mut Recorder,
    slots: &mut Slots,
) -> StepFailure {
    let start = std::time::Instant::now();
    let mut cx = Cx { rec, slots };
    let fail = |failure: Failure, cx: &mut Cx<'_>, calls: Vec<crate::trace::Call>| {
        let mut all = calls;
        all.extend(cx.rec.take());
        let applied = Applied { calls: all, ..Applied::default() };
        StepFailure { step: None, failure, applied }
    };
    let ready = match exec::prepare(argv, env, cwd, &mut cx, &mut init.state) {
        Ok(ready) => ready,
        Err(failure) => return fail(failure, &mut cx, Vec::new()),
    };
    // The last word before execve: with it the end of the stream means that
    // execve worked, without it that init died.
    let before = cx.rec.take();
    let mut about = Applied { calls: before.clone(), ..Applied::default() };
    if cx.rec.is_on() {
        let _ = exec::announce(&ready, &mut cx);
        about.calls.extend(cx.rec.take());
        about.micros = start.elapsed().as_micros() as u64;
    }
    if let Err(e) = init.channel.send(&Answer::AboutToExec(about), None) {
        return fail(Failure::new("speak to the runtime", Some(e)), &mut cx, before);
    }
    let failure = exec::replace(&ready, &mut cx);
    fail(failure, &mut cx, before)
}

/// What must hold from the first moment on.
fn prepare(rec: &mut Recorder, joins: bool) -> Result<(), Errno> {
    die_with_runtime(rec)?;
    if joins {
        // Others see this process from now on. Until execve it holds what is the host's:
        // they must neither trace it nor reach its descriptors and its program.
        super::calls::prctl(rec, libc::PR_SET_DUMPABLE, 0, 0, || {
            vec![("option", Value::from("PR_SET_DUMPABLE")), ("arg2", Value::from("SUID_DUMP_DISABLE"))]
        })?;
    }
    // The modes in the plan are meant as they stand; the command gets 022.
    let none = Mode::empty();
    let old = |old: &Mode| Value::Text(format!("0{:o}", old.as_raw_mode()));
    rec.call(
        "umask",
        || vec![("mask", Value::Int(0))],
        old,
        || Ok::<_, Errno>(rustix::process::umask(none)),
    )?;
    default_signals(rec)
}

/// prctl(2) PR_SET_PDEATHSIG. A runtime that died before has closed the
/// channel: init finds that out when it next speaks or listens, at the latest
/// in its word before execve.
pub fn die_with_runtime(rec: &mut Recorder) -> Result<(), Errno> {
    rec.call(
        "prctl",
        || vec![("option", Value::from("PR_SET_PDEATHSIG")), ("arg2", Value::from("SIGKILL"))],
        zero,
        || rustix::process::set_parent_process_death_signal(Some(Signal::KILL)),
    )
}

/// execve(2) resets handlers, but not what is ignored or blocked: the runtime
/// ignores SIGPIPE, and `nohup` SIGHUP.
fn default_signals(rec: &mut Recorder) -> Result<(), Errno> {
    for signal in 1..32 {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) {
            continue;
        }
        // SAFETY: sigaction is plain data; zero is SIG_DFL with no flags.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: asks only; action lives through the call.
        let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
        if asked != 0 || action.sa_sigaction != libc::SIG_IGN {
            continue;
        }
        rec.call(
            "rt_sigaction",
            || vec![("signum", Value::Text(signal_name(signal))), ("act", Value::from("SIG_DFL"))],
            zero,
            || {
                // SAFETY: zero is SIG_DFL with no flags.
                let default: libc::sigaction = unsafe { std::mem::zeroed() };
                // SAFETY: default lives through the call.
                let r = unsafe { libc::sigaction(signal, &raw const default, std::ptr::null_mut()) };
                nix::errno::Errno::result(r).map(drop)
            },
        )?;
    }
    rec.call(
        "rt_sigprocmask",
        || vec![("how", Value::from("SIG_SETMASK")), ("set", Value::from("[]"))],
        zero,
        || {
            nix::sys::signal::sigprocmask(
                nix::sys::signal::SigmaskHow::SIG_SETMASK,
                Some(&nix::sys::signal::SigSet::empty()),
                None,
            )
        },
    )
}

/// `SIGTERM`, or the number.
pub fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal).map_or_else(|_| signal.to_string(), |s| s.as_str().to_owned())
}

/// prctl(2) PR_SET_PDEATHSIG of none: the command outlives glassbox.
pub fn outlive_runtime(rec: &mut Recorder) -> Result<(), Errno> {
    rec.call(
        "prctl",
        || vec![("option", Value::from("PR_SET_PDEATHSIG")), ("arg2", Value::Int(0))],
        zero,
        || rustix::process::set_parent_process_death_signal(None),
    )
}

/// In a user namespace a process is nobody until it becomes the root of the map.
pub fn become_root(rec: &mut Recorder) {
    let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    let ids = |names: [&'static str; 3]| names.map(|n| (n, Value::Int(0))).to_vec();
    let _ = rec.call(
        "setresgid",
        || ids(["rgid", "egid", "sgid"]),
        zero,
        || rustix::thread::set_thread_res_gid(gid, gid, gid),
    );
    let _ = rec.call(
        "setresuid",
        || ids(["ruid", "euid", "suid"]),
        zero,
        || rustix::thread::set_thread_res_uid(uid, uid, uid),
    );
    let _ = die_with_runtime(rec);
}
